/* Numbers, texts and bytes one behind the other in a block: greetings (session.c) and dealt batches (deal.c).
 * Numbers are little-endian; a text is its length (4 bytes) and its characters, without NUL. A Writer trusts
 * its block to be large enough; a Reader trusts nobody: once something is missing it is bad, and gives
 * zeros. Header only. */
#ifndef TFE_BYTES_H
#define TFE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TEXT_LIMIT = 64 << 10 };

/* Borrowed; not ended by NUL. */
typedef struct Text {
  const char *at;
  size_t length;
} Text;

typedef struct Writer {
  uint8_t *at;
} Writer;

typedef struct Reader {
  const uint8_t *at;
  size_t left;
  bool bad;
} Reader;

static inline void put_bytes(Writer *w, const void *data, size_t bytes) {
  if (bytes > 0)
    memcpy(w->at, data, bytes);
  w->at += bytes;
}

static inline void put_number(Writer *w, uint64_t number, int bytes) {
  for (int i = 0; i < bytes; i++)
    *w->at++ = (uint8_t)(number >> 8 * i);
}

static inline void put_text(Writer *w, const char *text) {
  put_number(w, strlen(text), 4);
  put_bytes(w, text, strlen(text));
}

static inline const uint8_t *take_bytes(Reader *r, size_t bytes) {
  if (r->bad || bytes > r->left) {
    r->bad = true;
    return NULL;
  }
  const uint8_t *at = r->at;
  r->at += bytes;
  r->left -= bytes;
  return at;
}

static inline uint64_t take_number(Reader *r, int bytes) {
  const uint8_t *at = take_bytes(r, (size_t)bytes);
  uint64_t number = 0;
  for (int i = 0; at != NULL && i < bytes; i++)
    number |= (uint64_t)at[i] << 8 * i;
  return number;
}

static inline Text take_text(Reader *r) {
  size_t length = (size_t)take_number(r, 4);
  if (length > TEXT_LIMIT)
    r->bad = true;
  const uint8_t *at = take_bytes(r, length);
  return (Text){.at = at ? (const char *)at : "", .length = at ? length : 0};
}

static inline bool text_same(Text a, Text b) {
  return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

/* For messages: printable, and not too long. */
static inline const char *text_show(Text text, char out[128]) {
  size_t length = text.length < 127 ? text.length : 127;
  for (size_t i = 0; i < length; i++)
    out[i] = text.at[i] >= ' ' && text.at[i] <= '~' ? text.at[i] : '?';
  out[length] = '\0';
  return out;
}

#endif
