/* Fuzz target: any bytes as an IDX file, plain or packed, for every element type and rank 0 to 3. */
#include "file_target.h"

#include "../../runtime/file/idx.h"

static TfeStatus read_all(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                          uint64_t *out) {
  return tfe_idx_read(ctx, want, (TfeRows){0, 0}, bytes, size, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return target_run(read_all, data, size);
}
