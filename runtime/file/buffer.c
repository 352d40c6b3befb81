/* Growable bytes in memory that is wiped. Growth doubles; the old block is wiped by tfe_release. */
#include "buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../ctx.h"

TfeStatus tfe_buffer_reserve(TfeCtx *ctx, TfeBuffer *buffer, size_t more) {
  if (more >= SIZE_MAX / 4 || buffer->size >= SIZE_MAX / 4)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  size_t need = buffer->size + more + 1;
  if (need <= buffer->capacity)
    return TFE_OK;
  size_t capacity = need > 2 * buffer->capacity ? need : 2 * buffer->capacity;
  unsigned char *data = NULL;
  TRY(tfe_alloc(ctx, capacity, &data));
  if (buffer->data) {
    memcpy(data, buffer->data, buffer->size);
    tfe_release(buffer->data, buffer->capacity);
  }
  buffer->data = data;
  buffer->capacity = capacity;
  return TFE_OK;
}

TfeStatus tfe_buffer_add(TfeCtx *ctx, TfeBuffer *buffer, const void *bytes, size_t size) {
  TRY(tfe_buffer_reserve(ctx, buffer, size));
  if (size > 0)
    memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  buffer->data[buffer->size] = 0;
  return TFE_OK;
}

TfeStatus tfe_buffer_text(TfeCtx *ctx, TfeBuffer *buffer, const char *text) {
  return tfe_buffer_add(ctx, buffer, text, strlen(text));
}

TfeStatus tfe_buffer_format(TfeCtx *ctx, TfeBuffer *buffer, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  assert(size >= 0);
  TRY(tfe_buffer_reserve(ctx, buffer, (size_t)size));
  va_start(arguments, format);
  vsnprintf((char *)buffer->data + buffer->size, (size_t)size + 1, format, arguments);
  va_end(arguments);
  buffer->size += (size_t)size;
  return TFE_OK;
}

void tfe_buffer_clear(TfeBuffer *buffer) {
  if (buffer->data)
    memset(buffer->data, 0, buffer->capacity);
  buffer->size = 0;
}

void tfe_buffer_free(TfeBuffer *buffer) {
  if (buffer->data)
    tfe_release(buffer->data, buffer->capacity);
  *buffer = (TfeBuffer){0};
}
