/* CSV tables (RFC 4180, read generously): reader and writer. */
#ifndef TFE_FILE_CSV_H
#define TFE_FILE_CSV_H

#include "reader.h"

/* bytes[size] must be 0. */
TfeStatus tfe_csv_read(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                       uint64_t *out) TFE_MUST_USE;
/* One line for each index of the first axis; reals in the fewest digits that read back as the same double. */
TfeStatus tfe_csv_write(TfeCtx *ctx, TfeBuffer *file, const TfeSlot *slot, const uint64_t *data) TFE_MUST_USE;

#endif
