/* Sums of the spline gate (spline.h) in 64 bits, for the compiler to put on AVX-512; used with the hash of
 * VAES only. */
#if defined(__x86_64__)
#define SPLINE_CODE tfe_spline_narrow_avx512
#define Num uint64_t
#define NUM_BITS 64
#define SPLINE_WALKS tfe_spline_walks_vaes
#define SPLINE_SPREAD tfe_spline_spread_vaes
#include "spline_template.h"
#endif
