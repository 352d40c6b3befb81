/* Inflating through zlib into memory whose size is known; zlib's own memory comes from the context and is wiped. */
#ifndef TFE_FILE_INFLATE_H
#define TFE_FILE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "../ctx.h"

/* True if all of `packed` inflates to exactly `size` bytes. raw: deflate alone, as in zip files; else a gzip file of one
 * member, whose checksum must hold. */
bool tfe_inflate(TfeCtx *ctx, bool raw, const unsigned char *packed, size_t packed_size, unsigned char *out,
                 size_t size);

#endif
