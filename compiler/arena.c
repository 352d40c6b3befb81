/* Bump allocation and interned names.
 *
 * Memory comes from blocks of at least 64 KiB that are linked together and all freed by arena_free. A
 * request too large for a block gets a block of its own, so that the current one goes on being filled.
 * Interned names sit in an open-addressing hash table (FNV-1a) that doubles when it is two thirds full;
 * the old tables stay in the arena, which costs at most as much again as the last one.
 *
 * Running out of memory ends the process: a compiler has nothing better to do then. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024, FIRST_TABLE = 256 };

typedef struct Chunk {
  struct Chunk *next;
  alignas(max_align_t) char data[];
} Chunk;

typedef struct Name {
  const char *text; /* NULL: free slot */
  size_t length;
  uint64_t hash;
} Name;

struct Arena {
  Chunk *chunks;
  char *free, *end; /* what is left of the current block */
  Name *names;
  size_t name_count, name_slots; /* slots: a power of two */
};

static _Noreturn void die(void) {
  fputs("tfec: error: out of memory\n", stderr);
  exit(70);
}

static char *new_chunk(Arena *a, size_t size) {
  if (size > SIZE_MAX - sizeof(Chunk))
    die();
  Chunk *c = calloc(1, sizeof(Chunk) + size);
  if (!c)
    die();
  c->next = a->chunks;
  a->chunks = c;
  return c->data;
}

Arena *arena_new(void) {
  Arena *a = calloc(1, sizeof *a);
  if (!a)
    die();
  a->name_slots = FIRST_TABLE;
  a->names = ARENA_ARRAY(a, Name, a->name_slots);
  return a;
}

void arena_free(Arena *a) {
  if (!a)
    return;
  for (Chunk *c = a->chunks; c;) {
    Chunk *next = c->next;
    free(c);
    c = next;
  }
  free(a);
}

void *arena_alloc(Arena *a, size_t size) {
  const size_t unit = alignof(max_align_t);
  if (size > SIZE_MAX - unit)
    die();
  size = (size + unit - 1) / unit * unit;
  if (size > BLOCK_SIZE / 4)
    return new_chunk(a, size);
  if ((size_t)(a->end - a->free) < size) {
    a->free = new_chunk(a, BLOCK_SIZE);
    a->end = a->free + BLOCK_SIZE;
  }
  void *p = a->free;
  a->free += size;
  return p;
}

/* ---- names --------------------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const char *text, size_t length) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < length; i++)
    h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
  return h;
}

static void grow_names(Arena *a) {
  Name *old = a->names;
  size_t count = a->name_slots;
  a->name_slots = 2 * count;
  a->names = ARENA_ARRAY(a, Name, a->name_slots);
  for (size_t i = 0; i < count; i++) {
    if (!old[i].text)
      continue;
    size_t at = old[i].hash & (a->name_slots - 1);
    while (a->names[at].text)
      at = (at + 1) & (a->name_slots - 1);
    a->names[at] = old[i];
  }
}

const char *arena_intern(Arena *a, const char *text, size_t length) {
  uint64_t hash = hash_bytes(text, length);
  size_t at = hash & (a->name_slots - 1);
  for (; a->names[at].text; at = (at + 1) & (a->name_slots - 1)) {
    const Name *n = &a->names[at];
    if (n->hash == hash && n->length == length && memcmp(n->text, text, length) == 0)
      return n->text;
  }
  char *copy = arena_alloc(a, length + 1);
  memcpy(copy, text, length);
  a->names[at] = (Name){copy, length, hash};
  if (++a->name_count > a->name_slots / 3 * 2)
    grow_names(a);
  return copy;
}

const char *arena_intern_z(Arena *a, const char *text) {
  return arena_intern(a, text, strlen(text));
}

/* ---- text ---------------------------------------------------------------------------------------------- */

char *arena_vprintf(Arena *a, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  if (length < 0)
    die();
  char *text = arena_alloc(a, (size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

char *arena_printf(Arena *a, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(a, format, args);
  va_end(args);
  return text;
}
