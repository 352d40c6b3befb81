/* libFuzzer target: a text through the whole compiler. Good seeds: tests/golden/check and tests/golden/ir. */
#include "compile_target.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  static FILE *sink;
  if (!sink)
    sink = fopen("/dev/null", "w");
  compile_target("fuzz.tfe", (const char *)data, size, size % 8 == 7, sink);
  return 0;
}
