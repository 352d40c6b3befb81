/* Steps of tree.h for nodes in 512-bit vectors, four a vector, with VAES; for the files of that instruction
 * set. Eight vectors go through AES together, which hides the latency of a round. */
#ifndef TFE_TREE_VAES_H
#define TFE_TREE_VAES_H

#include "../aes_key.h"
#include "hash.h"

#define INLINE static inline __attribute__((always_inline))

enum { TREE_VECTORS = 8, TREE_LANES = 4 };

/* `low` in the low word of each lane. */
INLINE __m512i tree_in_low(int64_t low) {
  return _mm512_set_epi64(0, low, 0, low, 0, low, 0, low);
}

/* Each number in both words of its lane. */
INLINE __m512i tree_in_lanes(const int64_t a[TREE_LANES]) {
  return _mm512_set_epi64(a[3], a[3], a[2], a[2], a[1], a[1], a[0], a[0]);
}

/* The 128 bits at each of four addresses. */
INLINE __m512i tree_load_lanes(const uint64_t *const at[TREE_LANES], int64_t offset) {
  __m512i a = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(at[0] + offset)));
  a = _mm512_mask_broadcast_i64x2(a, 0x0c, _mm_loadu_si128((const void *)(at[1] + offset)));
  a = _mm512_mask_broadcast_i64x2(a, 0x30, _mm_loadu_si128((const void *)(at[2] + offset)));
  return _mm512_mask_broadcast_i64x2(a, 0xc0, _mm_loadu_si128((const void *)(at[3] + offset)));
}

INLINE void tree_load_keys(__m512i keys[11], const TfeHashKey *key) {
  for (int i = 0; i < 11; i++)
    keys[i] = _mm512_broadcast_i32x4(_mm_load_si128((const void *)&key->rounds[i]));
}

/* H without its last addition of s, for all vectors. */
INLINE void tree_rounds(const __m512i keys[11], __m512i x[TREE_VECTORS]) {
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++) {
#pragma GCC unroll 8
    for (int v = 0; v < TREE_VECTORS; v++)
      x[v] = _mm512_aesenc_epi128(x[v], keys[round]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < TREE_VECTORS; v++)
    x[v] = _mm512_aesenclast_epi128(x[v], keys[10]);
}

/* Lanes whose node has its control bit set. */
INLINE __mmask8 tree_control_of(__m512i node) {
  return _mm512_test_epi64_mask(_mm512_unpacklo_epi64(node, node), _mm512_set1_epi64(1));
}

/* The control bit of a, the rest of b. */
INLINE __m512i tree_with_control(__m512i b, __m512i a) {
  const __m512i one = tree_in_low(1);
  return _mm512_or_si512(_mm512_andnot_si512(one, b), _mm512_and_si512(a, one));
}

#endif
