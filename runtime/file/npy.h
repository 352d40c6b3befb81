/* NumPy's .npy format, versions 1 to 3 (numpy.lib.format): reader and writer. Read: f2 f4 f8, i1 .. i8, u1
 * .. u8 and b1, either byte order, C and Fortran order. Anything else (objects, records, complex numbers)
 * is refused by name. */
#ifndef TFE_FILE_NPY_H
#define TFE_FILE_NPY_H

#include "reader.h"

TfeStatus tfe_npy_read(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                       uint64_t *out) TFE_MUST_USE;
/* Appends a version 1 file: <f8, <i8 or |b1, C order. */
TfeStatus tfe_npy_write(TfeCtx *ctx, TfeBuffer *file, const TfeSlot *slot, const uint64_t *data) TFE_MUST_USE;

#endif
