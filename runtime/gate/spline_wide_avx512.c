/* Sums of the spline gate (spline.h) in 128 bits, for the compiler to put on AVX-512 where coefficients are small;
 * used with the hash of VAES only. */
#if defined(__x86_64__)
#define SPLINE_CODE tfe_spline_wide_avx512
#define Num unsigned __int128
#define NUM_BITS 128
#define SPLINE_SPREAD tfe_spline_spread_vaes
#include "spline_template.h"
#endif
