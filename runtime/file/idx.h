/* IDX files, the format of MNIST (LeCun, Cortes, Burges: yann.lecun.com/exdb/mnist), as they stand or packed by gzip: two
 * zero bytes, the element type, the number of axes, the sizes as big-endian 32-bit numbers, the elements row by row, big-endian
 * too. Read: unsigned and signed bytes, 16-bit and 32-bit integers, floats and doubles. Numbers are taken as they stand: a
 * pixel is 0 to 255. */
#ifndef TFE_FILE_IDX_H
#define TFE_FILE_IDX_H

#include "reader.h"

/* Whether bytes begin as an IDX file does, and whether as a gzip file. */
bool tfe_idx_is(const unsigned char *bytes, size_t size);
bool tfe_idx_is_packed(const unsigned char *bytes, size_t size);
/* rows: which of the first axis; all where rows.to is 0. */
TfeStatus tfe_idx_read(TfeCtx *ctx, const TfeWant *want, TfeRows rows, const unsigned char *bytes,
                       size_t size, uint64_t *out) TFE_MUST_USE;

#endif
