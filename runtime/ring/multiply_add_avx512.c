/* Products of elements on AVX-512. */
#if defined(__x86_64__)
#define NAME(function) tfe_avx512_##function
#include "multiply_add_template.h"
#endif
