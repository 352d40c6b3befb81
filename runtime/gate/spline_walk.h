/* Walks of the spline gate (spline.h) for instruction sets that make many side by side. */
#ifndef TFE_SPLINE_WALK_H
#define TFE_SPLINE_WALK_H

#include "hash.h"

/* Walk k to point[k] adds up the values of its key, words[k], in a ring of at most 64 bits, through
 * at least two levels: to sum[0][k] and,
 * if there are two values, to sum[1][k]. */
typedef struct TfeSplineWalks {
  int64_t n, levels, seeds, values, ring; /* as in spline.h; ring: bits */
  int64_t key_words;                      /* of a key */
  const uint64_t *const *words;           /* [n] */
  const uint64_t *const *root;            /* [n] */
  const uint64_t *point;
  uint64_t *sum[2];
  uint64_t role;
} TfeSplineWalks;

#if defined(__x86_64__)
void tfe_spline_walks_vaes(const TfeHashKey *key, const TfeSplineWalks *walks);
#endif

#endif
