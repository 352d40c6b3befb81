/* Sums of the spline gate (spline.h) in 128 bits, portable. */
#define SPLINE_CODE tfe_spline_wide
#define Num unsigned __int128
#define NUM_BITS 128
#include "spline_template.h"
