/* What the fuzz targets of the files of --state share: files whose tail is right, so that what is behind it is
 * read. */
#ifndef STATE_TARGET_H
#define STATE_TARGET_H

#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../runtime/ctx.h"
#include "../../runtime/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool good) {
  if (!good)
    abort();
}

/* The bytes, behind "tfestate" and format if there are to be fields, and the tail of all of it. */
static inline void write_all(TfeCtx *ctx, const TfeIdentity *me, int fd, const uint8_t *data, size_t size,
                             size_t most_fields) {
  uint8_t *all = malloc(size + 200), *at = all, to_sign[16 + 32] = "tfe state file 1";
  must(all != NULL);
  if (most_fields > 0) {
    size_t fields = size < most_fields ? size : most_fields;
    memcpy(at, "tfestate\1\0\0\0", 12);
    for (int i = 0; i < 4; i++)
      at[12 + i] = (uint8_t)(fields >> 8 * i);
    at += 16;
  }
  memcpy(at, data, size);
  at += size;
  memcpy(at, "tfestate", 8);
  SHA256(all, (size_t)(at - all), at + 8);
  memcpy(to_sign + 16, at + 8, 32);
  must(tfe_identity_sign(ctx, me, to_sign, sizeof to_sign, at + 40) == TFE_OK);
  at += 104;
  must(write(fd, all, (size_t)(at - all)) == at - all);
  free(all);
}

#endif
