/* Products of elements on AVX2. */
#if defined(__x86_64__)
#define NAME(function) tfe_avx2_##function
#include "multiply_add_template.h"
#endif
