/* Children of many nodes of the spline gate's trees, for instruction sets that make them side by side. */
#ifndef TFE_SPLINE_SPREAD_H
#define TFE_SPLINE_SPREAD_H

#include "hash.h"

/* The correction of a level as the left and as the right child need it (tree.h). */
typedef struct TfeSplineCorrection {
  TfeNode child[2];
} TfeSplineCorrection;

/* Children 2 k and 2 k + 1 are those of parent k, which belongs to element of[k] and its correction. */
typedef struct TfeSplineSpread {
  int64_t n; /* parents */
  const TfeNode *const *parent;
  const int32_t *of;
  const TfeSplineCorrection *correction;
} TfeSplineSpread;

#if defined(__x86_64__)
/* child[2 n] */
void tfe_spline_spread_vaes(const TfeHashKey *key, TfeNode *child, const TfeSplineSpread *spread);
#endif

#endif
