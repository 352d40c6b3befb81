/* Sums of the spline gate (spline.h) in 64 bits, portable. */
#define SPLINE_CODE tfe_spline_narrow
#define Num uint64_t
#define NUM_BITS 64
#include "spline_template.h"
