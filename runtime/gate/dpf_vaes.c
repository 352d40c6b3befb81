/* Comparison keys (dpf.h) with VAES on 512-bit vectors: 32 walks side by side, four nodes a vector, so that
 * the eight rounds of AES in flight hide the latency of one and the rest of a level runs beside them.
 *
 * Vector v holds in its lanes l = 0 .. 3 of 128 bits the walks 8 (v / 2) + 2 l + (v & 1): the low, or the
 * high, words of vectors 2j and 2j + 1 are then, unpacked, those of walks 8j .. 8j + 7 in order. Control bits
 * are masks of instructions on registers; only the public numbers choose addresses. */
#include "dpf_batch.h"

#if defined(__x86_64__)
#include <openssl/crypto.h>
#include <stdbool.h>

#include "../aes_key.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTORS = 8, LANES = 4, WALKS = VECTORS * LANES };

typedef struct Walk {
  __m512i node[VECTORS];
  __m512i parity[VECTORS];           /* in bit 0 of the low words */
  __m512i x[VECTORS], turn[VECTORS]; /* both words: the number; its bits that differ from the one above */
  __m512i right[VECTORS]; /* control corrections of the right children, that of this level in bit 0 */
  const uint64_t *row[VECTORS][LANES];
} Walk;

/* `low` in the low word of each lane. */
INLINE __m512i in_low(int64_t low) {
  return _mm512_set_epi64(0, low, 0, low, 0, low, 0, low);
}

/* The 128 bits at each of four addresses. */
INLINE __m512i load_lanes(const uint64_t *const at[LANES], int64_t offset) {
  __m512i a = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(at[0] + offset)));
  a = _mm512_mask_broadcast_i64x2(a, 0x0c, _mm_loadu_si128((const void *)(at[1] + offset)));
  a = _mm512_mask_broadcast_i64x2(a, 0x30, _mm_loadu_si128((const void *)(at[2] + offset)));
  return _mm512_mask_broadcast_i64x2(a, 0xc0, _mm_loadu_si128((const void *)(at[3] + offset)));
}

/* H without its last addition of s, for all vectors. */
INLINE void rounds(const __m512i keys[11], __m512i x[VECTORS]) {
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++)
      x[v] = _mm512_aesenc_epi128(x[v], keys[round]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++)
    x[v] = _mm512_aesenclast_epi128(x[v], keys[10]);
}

/* One level of all walks. `bit` is its direction bit in a number. */
INLINE void walk_level(Walk *w, const __m512i keys[11], __m512i bit, int64_t level, bool leaf) {
  const __m512i one = in_low(1), two = in_low(2);
  __m512i s[VECTORS], x[VECTORS];
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++) {
    __m512i node = w->node[v], correction = load_lanes(w->row[v], 2 * level);
    __mmask8 d = _mm512_test_epi64_mask(w->x[v], bit), turn = _mm512_test_epi64_mask(w->turn[v], bit);
    __mmask8 control = _mm512_test_epi64_mask(_mm512_unpacklo_epi64(node, node), _mm512_set1_epi64(1));
    w->parity[v] = _mm512_mask_xor_epi64(w->parity[v], turn, w->parity[v], node);
    if (!leaf) {
      __m512i of_right =
          _mm512_or_si512(_mm512_andnot_si512(one, correction), _mm512_and_si512(w->right[v], one));
      correction = _mm512_mask_mov_epi64(correction, d, of_right);
      w->right[v] = _mm512_srli_epi64(w->right[v], 1);
    }
    __m512i child = _mm512_andnot_si512(one, node);
    child = _mm512_mask_xor_epi64(child, d, child, two);
    x[v] = _mm512_xor_si512(child, keys[0]);
    s[v] = _mm512_mask_xor_epi64(child, control, child, correction);
  }
  rounds(keys, x);
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++)
    w->node[v] = _mm512_xor_si512(x[v], s[v]);
}

/* The words of eight that are there if n are left. */
INLINE __mmask8 first_of_eight(int64_t n) {
  return (__mmask8)(n >= 8 ? 0xff : n <= 0 ? 0 : 0xff >> (8 - n));
}

/* The roots and numbers of `n` walks from `first` on; walks beyond are those of the last one's key. */
INLINE void walk_start(Walk *w, const DpfWalks *all, int64_t first, int64_t n, DpfShape shape) {
  const uint64_t *root[VECTORS][LANES];
  int64_t key = first / all->points, left = all->points - first % all->points;
  for (int i = 0; i < WALKS; i++) {
    int v = i / 8 * 2 + (i & 1), lane = i % 8 / 2;
    root[v][lane] = all->root + 2 * key;
    w->row[v][lane] = all->words + key * shape.words;
    if (i + 1 < n && --left == 0)
      key++, left = all->points;
  }
  const __m512i role = in_low((int64_t)all->role), one = in_low(1),
                mask = _mm512_set1_epi64((int64_t)shape.mask);
  for (int v = 0; v < VECTORS; v++) {
    __mmask8 there = first_of_eight(n - v / 2 * 8);
    __m512i x = _mm512_and_si512(_mm512_maskz_loadu_epi64(there, all->x + first + v / 2 * 8), mask);
    w->x[v] = v & 1 ? _mm512_unpackhi_epi64(x, x) : _mm512_unpacklo_epi64(x, x);
    w->turn[v] = _mm512_xor_si512(w->x[v], _mm512_srli_epi64(w->x[v], 1));
    w->node[v] = _mm512_or_si512(_mm512_andnot_si512(one, load_lanes(root[v], 0)), role);
    w->parity[v] = _mm512_setzero_si512();
    __m512i end = load_lanes(w->row[v], shape.words - 2);
    w->right[v] = _mm512_unpackhi_epi64(end, end);
  }
}

/* Of eight walks: the parity of the bits 0 .. number of a leaf, or of those above if the last turn is to the
 * right, as the parity of the whole is counted then. */
INLINE __m512i prefix_of(__m512i low, __m512i high, __m512i x) {
  const __m512i ones = _mm512_set1_epi64(-1), six = _mm512_set1_epi64(63);
  __m512i in_word = _mm512_srlv_epi64(ones, _mm512_andnot_si512(x, six));
  __m512i second = _mm512_movm_epi64(_mm512_test_epi64_mask(x, _mm512_set1_epi64(64)));
  __m512i right = _mm512_movm_epi64(_mm512_test_epi64_mask(x, _mm512_set1_epi64(1 << DPF_LEAF_BITS)));
  low = _mm512_and_si512(low, _mm512_xor_si512(_mm512_or_si512(in_word, second), right));
  high = _mm512_and_si512(high, _mm512_xor_si512(_mm512_and_si512(in_word, second), right));
  __m512i sum = _mm512_xor_si512(low, high);
#pragma GCC unroll 8
  for (unsigned shift = 32; shift > 0; shift /= 2)
    sum = _mm512_xor_si512(sum, _mm512_srli_epi64(sum, shift));
  return sum;
}

/* Of eight walks: bit `number` of a leaf. */
INLINE __m512i bit_of(__m512i low, __m512i high, __m512i x) {
  __mmask8 second = _mm512_test_epi64_mask(x, _mm512_set1_epi64(64));
  return _mm512_srlv_epi64(_mm512_mask_mov_epi64(low, second, high),
                           _mm512_and_si512(x, _mm512_set1_epi64(63)));
}

INLINE void walk_end(const Walk *w, uint64_t *out, int64_t n, bool prefix) {
  for (int v = 0; v < VECTORS && v / 2 * 8 < n; v += 2) {
    __m512i low = _mm512_unpacklo_epi64(w->node[v], w->node[v + 1]);
    __m512i high = _mm512_unpackhi_epi64(w->node[v], w->node[v + 1]);
    __m512i x = _mm512_unpacklo_epi64(w->x[v], w->x[v + 1]);
    __m512i bit = prefix ? _mm512_xor_si512(prefix_of(low, high, x),
                                            _mm512_unpacklo_epi64(w->parity[v], w->parity[v + 1]))
                         : bit_of(low, high, x);
    __mmask8 there = first_of_eight(n - v / 2 * 8);
    _mm512_mask_storeu_epi64(out + v / 2 * 8, there, _mm512_and_si512(bit, _mm512_set1_epi64(1)));
  }
}

/* The last level's correction is that of the child towards the number, at two words for each. */
INLINE void walk_to_leaf(Walk *w, const uint64_t *x, int64_t n, DpfShape shape) {
  for (int i = 0; i < WALKS && i < n; i++)
    w->row[i / 8 * 2 + (i & 1)][i % 8 / 2] += 2 * ((x[i] & shape.mask) >> DPF_LEAF_BITS & 1);
}

INLINE void walk_all(const TfeHashKey *key, const DpfWalks *all, int64_t first, int64_t n, DpfShape shape,
                     bool prefix) {
  __m512i keys[11];
  Walk w;
  for (int i = 0; i < 11; i++)
    keys[i] = _mm512_broadcast_i32x4(_mm_load_si128((const void *)&key->rounds[i]));
  for (int64_t end = first + n; first < end; first += WALKS) {
    int64_t part = end - first < WALKS ? end - first : WALKS, level = 0;
    __m512i bit = _mm512_set1_epi64((int64_t)(UINT64_C(1) << (shape.depth - 1)));
    walk_start(&w, all, first, part, shape);
    for (; level < shape.levels - 1; level++) {
      walk_level(&w, keys, bit, level, false);
      bit = _mm512_srli_epi64(bit, 1);
    }
    walk_to_leaf(&w, all->x + first, part, shape);
    walk_level(&w, keys, bit, level, true);
    walk_end(&w, all->out + first, part, prefix);
  }
  OPENSSL_cleanse(&w, sizeof w);
}

static void eval(const TfeHashKey *key, const DpfWalks *walks, int64_t first, int64_t n, DpfShape shape) {
  walk_all(key, walks, first, n, shape, true);
}

static void point(const TfeHashKey *key, const DpfWalks *walks, int64_t first, int64_t n, DpfShape shape) {
  walk_all(key, walks, first, n, shape, false);
}

const TfeDpfBatch tfe_dpf_vaes = {eval, point};
#endif
