/* NumPy's .npz format: a zip file of .npy files. Read: stored and deflated entries, zip64 sizes, checksums
 * verified. Written: stored entries, the same bytes for the same values. */
#ifndef TFE_FILE_NPZ_H
#define TFE_FILE_NPZ_H

#include "reader.h"

/* The entry FIELD.npy of a struct; for a plain tensor the entry with the slot's name, or the only one. */
TfeStatus tfe_npz_read(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                       uint64_t *out) TFE_MUST_USE;
/* Appends one entry to `file` (which is at offset `written` of the whole) and its row to `directory`. */
TfeStatus tfe_npz_write(TfeCtx *ctx, TfeBuffer *file, TfeBuffer *directory, uint64_t written,
                        const TfeSlot *slot, const uint64_t *data) TFE_MUST_USE;
/* The central directory and the end record. */
TfeStatus tfe_npz_finish(TfeCtx *ctx, TfeBuffer *file, const TfeBuffer *directory, uint64_t written,
                         int64_t entries) TFE_MUST_USE;

#endif
