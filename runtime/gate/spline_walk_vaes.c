/* Walks of the spline gate (spline_walk.h) with VAES on 512-bit vectors: sixteen side by side, and of each the
 * block of its values and its child. Lane l of vector v is walk 4 v + l; of a lane of sums the low word is
 * that of the first value, the high word that of the second. */
#include "spline_walk.h"

#if defined(__x86_64__)
#include <openssl/crypto.h>
#include <stdbool.h>

#include "tree_vaes.h"

enum { VECTORS = TREE_VECTORS / 2, LANES = TREE_LANES, WALKS = VECTORS * LANES };

typedef struct Walk {
  __m512i node[VECTORS], sum[VECTORS];
  __m512i point[VECTORS]; /* in both words */
  __m512i right[VECTORS]; /* control corrections of the right children, that of this level in bit 0 */
  const uint64_t *row[VECTORS][LANES];
} Walk;

/* Where both value corrections of a level are: words in the key, and the bit in the two words from there. */
typedef struct Place {
  int64_t word[2];
  __m512i bit;
} Place;

INLINE Place place_of(const TfeSplineWalks *all, int64_t level) {
  int64_t word[2], bit[2];
  for (int64_t e = 0; e < 2; e++) {
    int64_t at = all->seeds + (level * all->values + (e < all->values ? e : 0)) * all->ring;
    word[e] = 2 * all->seeds + at / 64, bit[e] = at % 64;
    if (word[e] + 2 > all->key_words) /* nothing is read behind the key */
      word[e]--, bit[e] += 64;
  }
  return (Place){{word[0], word[1]},
                 _mm512_set_epi64(bit[1], bit[0], bit[1], bit[0], bit[1], bit[0], bit[1], bit[0])};
}

/* 64 bits from that place on, those beyond the second word 0. Shifts by less than 0 or more than 63 give 0. */
INLINE __m512i values_at(const uint64_t *const row[LANES], const Place *place) {
  const __m512i word = _mm512_set1_epi64(64);
  __m512i first = tree_load_lanes(row, place->word[0]), second = tree_load_lanes(row, place->word[1]);
  __m512i low = _mm512_unpacklo_epi64(first, second), high = _mm512_unpackhi_epi64(first, second);
  __m512i in_high = _mm512_srlv_epi64(high, _mm512_sub_epi64(place->bit, word));
  low = _mm512_or_si512(_mm512_srlv_epi64(low, place->bit), in_high);
  return _mm512_or_si512(low, _mm512_sllv_epi64(high, _mm512_sub_epi64(word, place->bit)));
}

/* One level of all walks. `bit` is its direction bit in a point. The last level has values for the left and
 * for the right child, and no further nodes. */
INLINE void walk_level(Walk *w, const __m512i keys[11], const TfeSplineWalks *all, int64_t level, __m512i bit,
                       bool last) {
  const __m512i one = tree_in_low(1), two = tree_in_low(2), block = tree_in_low(4);
  const Place place = place_of(all, level), next = place_of(all, level + 1);
  __m512i s[TREE_VECTORS], x[TREE_VECTORS];
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++) {
    __mmask8 d = _mm512_test_epi64_mask(w->point[v], bit), control = tree_control_of(w->node[v]);
    __m512i values = values_at(w->row[v], &place);
    if (last)
      values = _mm512_mask_mov_epi64(values, d, values_at(w->row[v], &next));
    w->sum[v] = _mm512_mask_add_epi64(w->sum[v], control, w->sum[v], values);
    __m512i child = _mm512_andnot_si512(one, w->node[v]);
    child = _mm512_mask_xor_epi64(child, d, child, two);
    s[v] = _mm512_xor_si512(child, block);
    x[v] = _mm512_xor_si512(s[v], keys[0]);
    __m512i correction = tree_load_lanes(w->row[v], last ? 0 : 2 * level);
    correction = _mm512_mask_mov_epi64(correction, d, tree_with_control(correction, w->right[v]));
    w->right[v] = _mm512_srli_epi64(w->right[v], 1);
    s[VECTORS + v] = _mm512_mask_xor_epi64(child, control, child, correction);
    x[VECTORS + v] = _mm512_xor_si512(child, keys[0]);
  }
  tree_rounds(keys, x);
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++) {
    w->sum[v] = _mm512_add_epi64(w->sum[v], _mm512_xor_si512(x[v], s[v]));
    w->node[v] = _mm512_xor_si512(x[VECTORS + v], s[VECTORS + v]);
  }
}

/* Lanes without a walk make the last one once more. */
INLINE void walk_start(Walk *w, const TfeSplineWalks *all, int64_t first) {
  const uint64_t *root[LANES];
  const __m512i role = tree_in_low((int64_t)all->role);
  for (int v = 0; v < VECTORS; v++) {
    int64_t point[LANES], controls[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      int64_t k = first + LANES * v + lane < all->n ? first + LANES * v + lane : all->n - 1;
      w->row[v][lane] = all->words[k];
      root[lane] = all->root[k];
      point[lane] = (int64_t)all->point[k];
      controls[lane] = (int64_t)all->words[k][2 * all->seeds];
    }
    w->node[v] = tree_with_control(tree_load_lanes(root, 0), role);
    w->sum[v] = _mm512_setzero_si512();
    w->point[v] = tree_in_lanes(point);
    w->right[v] = tree_in_lanes(controls);
  }
}

INLINE void walk_end(const Walk *w, const TfeSplineWalks *all, int64_t first) {
  _Alignas(64) uint64_t sum[WALKS][2];
  for (int v = 0; v < VECTORS; v++)
    _mm512_store_si512(sum[LANES * v], w->sum[v]);
  for (int64_t k = 0; k < WALKS && first + k < all->n; k++)
    for (int64_t e = 0; e < all->values; e++)
      all->sum[e][first + k] = sum[k][e];
  OPENSSL_cleanse(sum, sizeof sum);
}

void tfe_spline_walks_vaes(const TfeHashKey *key, const TfeSplineWalks *all) {
  __m512i keys[11];
  Walk w;
  tree_load_keys(keys, key);
  for (int64_t first = 0; first < all->n; first += WALKS) {
    __m512i bit = _mm512_set1_epi64((int64_t)(UINT64_C(1) << (all->levels - 1)));
    walk_start(&w, all, first);
    for (int64_t level = 0; level < all->levels - 1; level++) {
      walk_level(&w, keys, all, level, bit, false);
      bit = _mm512_srli_epi64(bit, 1);
    }
    walk_level(&w, keys, all, all->levels - 1, bit, true);
    walk_end(&w, all, first);
  }
  OPENSSL_cleanse(&w, sizeof w);
}
#endif
