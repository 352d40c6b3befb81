/* zlib counts bytes in unsigned ints, so large data goes through it in pieces. */
#include "inflate.h"

#include <limits.h>
#include <zlib.h>

/* The size of the memory stands in front of it. */
static void *inflate_alloc(void *ctx, unsigned items, unsigned size) {
  size_t bytes = (size_t)items * size + 16;
  uint64_t *memory = NULL;
  if (tfe_alloc(ctx, bytes, &memory) != TFE_OK)
    return NULL;
  memory[0] = bytes;
  return memory + 2;
}

static void inflate_release(void *ctx, void *memory) {
  (void)ctx;
  uint64_t *start = (uint64_t *)memory - 2;
  tfe_release(start, (size_t)start[0]);
}

static uInt inflate_piece(size_t size) {
  return size > UINT_MAX ? UINT_MAX : (uInt)size;
}

bool tfe_inflate(TfeCtx *ctx, bool raw, const unsigned char *packed, size_t packed_size, unsigned char *out,
                 size_t size) {
  z_stream z = {.zalloc = inflate_alloc, .zfree = inflate_release, .opaque = ctx};
  unsigned char none;
  size_t in_left = packed_size, out_left = size;
  int state = Z_OK;
  if (inflateInit2(&z, raw ? -MAX_WBITS : 16 + MAX_WBITS) != Z_OK)
    return false;
  z.next_in = (unsigned char *)(uintptr_t)packed; /* zlib does not write there */
  z.next_out = size > 0 ? out : &none;
  while (state == Z_OK) {
    uInt in = inflate_piece(in_left), room = inflate_piece(out_left);
    z.avail_in = in;
    z.avail_out = room;
    state = inflate(&z, Z_NO_FLUSH);
    in_left -= in - z.avail_in;
    out_left -= room - z.avail_out;
  }
  inflateEnd(&z);
  return state == Z_STREAM_END && in_left == 0 && out_left == 0;
}
