/* A growable run of bytes whose memory is wiped when it moves and when it is freed: file contents, text
 * lines and files under construction. data[size] is always 0, so that text can be read as a C string. A
 * zeroed TfeBuffer is empty and needs no set-up. */
#ifndef TFE_FILE_BUFFER_H
#define TFE_FILE_BUFFER_H

#include <stddef.h>

#include "../status.h"

struct TfeCtx;

typedef struct TfeBuffer {
  unsigned char *data; /* NULL while empty and never grown */
  size_t size, capacity;
} TfeBuffer;

/* Room for `more` bytes behind size, and for the closing 0. */
TfeStatus tfe_buffer_reserve(struct TfeCtx *ctx, TfeBuffer *buffer, size_t more) TFE_MUST_USE;
TfeStatus tfe_buffer_add(struct TfeCtx *ctx, TfeBuffer *buffer, const void *bytes, size_t size) TFE_MUST_USE;
TfeStatus tfe_buffer_text(struct TfeCtx *ctx, TfeBuffer *buffer, const char *text) TFE_MUST_USE;
TfeStatus tfe_buffer_format(struct TfeCtx *ctx, TfeBuffer *buffer, const char *format, ...) TFE_MUST_USE
    __attribute__((format(printf, 3, 4)));
/* Empties and wipes; keeps the memory. */
void tfe_buffer_clear(TfeBuffer *buffer);
void tfe_buffer_free(TfeBuffer *buffer);

#endif
