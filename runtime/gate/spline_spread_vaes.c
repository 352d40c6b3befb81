/* Children of the spline gate's nodes (spline_spread.h) with VAES on 512-bit vectors: both of sixteen parents at once. */
#include "spline_spread.h"

#if defined(__x86_64__)
#include "tree_vaes.h"

enum { PARENTS = TREE_LANES / 2 }; /* of a vector: lanes 2 p and 2 p + 1 are the children of parent p */

/* `last` repeats where there are fewer parents. */
INLINE int64_t parent_at(const TfeSplineSpread *all, int64_t k) {
  return k < all->n ? k : all->n - 1;
}

INLINE __m512i load_parents(const TfeNode *a, const TfeNode *b) {
  __m512i node = _mm512_broadcast_i64x2(_mm_loadu_si128((const void *)a));
  return _mm512_mask_broadcast_i64x2(node, 0xf0, _mm_loadu_si128((const void *)b));
}

INLINE __m512i load_corrections(const TfeSplineCorrection *a, const TfeSplineCorrection *b) {
  __m512i correction = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)a));
  return _mm512_inserti64x4(correction, _mm256_loadu_si256((const void *)b), 1);
}

void tfe_spline_spread_vaes(const TfeHashKey *key, TfeNode *child, const TfeSplineSpread *all) {
  const __m512i one = tree_in_low(1), directions = _mm512_set_epi64(0, 2, 0, 0, 0, 2, 0, 0);
  __m512i keys[11], s[TREE_VECTORS], x[TREE_VECTORS];
  tree_load_keys(keys, key);
  for (int64_t first = 0; first < all->n; first += PARENTS * TREE_VECTORS) {
#pragma GCC unroll 8
    for (int v = 0; v < TREE_VECTORS; v++) {
      int64_t a = parent_at(all, first + PARENTS * v), b = parent_at(all, first + PARENTS * v + 1);
      __m512i node = load_parents(all->parent[a], all->parent[b]);
      __m512i correction = load_corrections(&all->correction[all->of[a]], &all->correction[all->of[b]]);
      __m512i in = _mm512_xor_si512(_mm512_andnot_si512(one, node), directions);
      s[v] = _mm512_mask_xor_epi64(in, tree_control_of(node), in, correction);
      x[v] = _mm512_xor_si512(in, keys[0]);
    }
    tree_rounds(keys, x);
    for (int v = 0; v < TREE_VECTORS; v++) {
      int64_t at = first + PARENTS * v, there = all->n - at;
      __mmask8 lanes = there >= PARENTS ? 0xff : there > 0 ? 0x0f : 0;
      _mm512_mask_storeu_epi64(&child[2 * at], lanes, _mm512_xor_si512(x[v], s[v]));
    }
  }
}
#endif
