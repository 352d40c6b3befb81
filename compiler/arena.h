/* One arena a compilation: memory is handed out, never freed singly; running out ends the process
 * with a message. Names are interned: equal names are equal pointers. */
#ifndef TFEC_ARENA_H
#define TFEC_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(Arena *a, size_t size);
#define ARENA_NEW(a, Type) ((Type *)arena_alloc((a), sizeof(Type)))
#define ARENA_ARRAY(a, Type, n) ((Type *)arena_alloc((a), sizeof(Type) * (size_t)(n)))

/* The one copy of a name. */
const char *arena_intern(Arena *a, const char *text, size_t length);
const char *arena_intern_z(Arena *a, const char *text);

/* Formatted text that lives as long as the arena. */
char *arena_printf(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *format, va_list args);

#endif
