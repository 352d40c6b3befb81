/* Fuzz target: any bytes as a .npz file, for every element type and rank 0 to 3. */
#include "file_target.h"

#include "../../runtime/file/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return target_run(tfe_npz_read, data, size);
}
