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

#include "tree_vaes.h"

enum { VECTORS = TREE_VECTORS, LANES = TREE_LANES, WALKS = VECTORS * LANES };

/* -- evaluation ------------------------------------------------------------------------------------------ */

typedef struct Walk {
  __m512i node[VECTORS];
  __m512i parity[VECTORS];           /* in bit 0 of the low words */
  __m512i x[VECTORS], turn[VECTORS]; /* both words: the number; its bits that differ from the one above */
  __m512i right[VECTORS]; /* control corrections of the right children, that of this level in bit 0 */
  const uint64_t *row[VECTORS][LANES];
} Walk;

/* One level of all walks. `bit` is its direction bit in a number. */
INLINE void walk_level(Walk *w, const __m512i keys[11], __m512i bit, int64_t level, bool leaf) {
  const __m512i one = tree_in_low(1), two = tree_in_low(2);
  __m512i s[VECTORS], x[VECTORS];
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++) {
    __m512i node = w->node[v], correction = tree_load_lanes(w->row[v], 2 * level);
    __mmask8 d = _mm512_test_epi64_mask(w->x[v], bit), turn = _mm512_test_epi64_mask(w->turn[v], bit);
    __mmask8 control = tree_control_of(node);
    w->parity[v] = _mm512_mask_xor_epi64(w->parity[v], turn, w->parity[v], node);
    if (!leaf) {
      correction = _mm512_mask_mov_epi64(correction, d, tree_with_control(correction, w->right[v]));
      w->right[v] = _mm512_srli_epi64(w->right[v], 1);
    }
    __m512i child = _mm512_andnot_si512(one, node);
    child = _mm512_mask_xor_epi64(child, d, child, two);
    x[v] = _mm512_xor_si512(child, keys[0]);
    s[v] = _mm512_mask_xor_epi64(child, control, child, correction);
  }
  tree_rounds(keys, x);
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
  const __m512i role = tree_in_low((int64_t)all->role), one = tree_in_low(1),
                mask = _mm512_set1_epi64((int64_t)shape.mask);
  for (int v = 0; v < VECTORS; v++) {
    __mmask8 there = first_of_eight(n - v / 2 * 8);
    __m512i x = _mm512_and_si512(_mm512_maskz_loadu_epi64(there, all->x + first + v / 2 * 8), mask);
    w->x[v] = v & 1 ? _mm512_unpackhi_epi64(x, x) : _mm512_unpacklo_epi64(x, x);
    w->turn[v] = _mm512_xor_si512(w->x[v], _mm512_srli_epi64(w->x[v], 1));
    w->node[v] = _mm512_or_si512(_mm512_andnot_si512(one, tree_load_lanes(root[v], 0)), role);
    w->parity[v] = _mm512_setzero_si512();
    __m512i end = tree_load_lanes(w->row[v], shape.words - 2);
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
  tree_load_keys(keys, key);
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

/* -- generation ------------------------------------------------------------------------------------------ */

/* Key 4 g + l has lane l of group g. */
enum { GROUPS = VECTORS / 4, KEYS = GROUPS * LANES, MOST_WORDS = 117 };

typedef struct Making {
  __m512i node[GROUPS][2]; /* [party] */
  __m512i alpha[GROUPS];   /* in both words */
  __m512i right[GROUPS];   /* control corrections of the right children, in the low words */
  uint64_t *row[GROUPS][LANES];
  uint64_t spare[MOST_WORDS]; /* for lanes without a key; tfe_dpf_words(64) */
} Making;

INLINE void store_lanes(uint64_t *const at[LANES], int64_t offset, __m512i a) {
  _mm_storeu_si128((void *)(at[0] + offset), _mm512_castsi512_si128(a));
  _mm_storeu_si128((void *)(at[1] + offset), _mm512_extracti64x2_epi64(a, 1));
  _mm_storeu_si128((void *)(at[2] + offset), _mm512_extracti64x2_epi64(a, 2));
  _mm_storeu_si128((void *)(at[3] + offset), _mm512_extracti64x2_epi64(a, 3));
}

/* Lanes without a key make the last one once more. */
INLINE void make_start(Making *m, const DpfKeys *all, int64_t first, int64_t n, DpfShape shape) {
  const uint64_t *root[2][LANES];
  int64_t alpha[LANES];
  for (int g = 0; g < GROUPS; g++) {
    for (int lane = 0; lane < LANES; lane++) {
      int64_t i = 4 * g + lane, key = first + (i < n ? i : n - 1);
      m->row[g][lane] = i < n ? all->words + key * shape.words : m->spare;
      alpha[lane] = (int64_t)(all->alpha[key] & shape.mask);
      for (int party = 0; party < 2; party++)
        root[party][lane] = all->root[party] + 2 * key;
    }
    m->alpha[g] = tree_in_lanes(alpha);
    m->node[g][0] = tree_with_control(tree_load_lanes(root[0], 0), _mm512_setzero_si512());
    m->node[g][1] = tree_with_control(tree_load_lanes(root[1], 0), tree_in_low(1));
    m->right[g] = _mm512_setzero_si512();
  }
}

/* The hashed children: of group g, in direction d, of party p at 4 g + 2 d + p. */
INLINE void grow(const Making *m, const __m512i keys[11], __m512i child[VECTORS]) {
  __m512i s[VECTORS];
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++) {
    s[v] = _mm512_andnot_si512(tree_in_low(1), m->node[v / 4][v & 1]);
    if (v & 2)
      s[v] = _mm512_xor_si512(s[v], tree_in_low(2));
    child[v] = _mm512_xor_si512(s[v], keys[0]);
  }
  tree_rounds(keys, child);
#pragma GCC unroll 8
  for (int v = 0; v < VECTORS; v++)
    child[v] = _mm512_xor_si512(child[v], s[v]);
}

/* tree_descend of tree.h. `bit` is the level's direction bit in a number, `at` its bit in the last word. */
INLINE void correct_level(Making *m, int g, const __m512i child[4], __m512i bit, __m512i at, int64_t level) {
  const __m512i one = tree_in_low(1);
  __m512i left = _mm512_xor_si512(child[0], child[1]), right = _mm512_xor_si512(child[2], child[3]);
  __mmask8 a = _mm512_test_epi64_mask(m->alpha[g], bit);
  __m512i t_left = _mm512_mask_mov_epi64(_mm512_xor_si512(left, one), a, left);
  __m512i t_right = _mm512_mask_xor_epi64(right, a, right, one);
  __m512i seed = tree_with_control(_mm512_mask_mov_epi64(right, a, left), t_left);
  __m512i kept = _mm512_mask_mov_epi64(seed, a, tree_with_control(seed, t_right));
  store_lanes(m->row[g], 2 * level, seed);
  m->right[g] = _mm512_mask_or_epi64(m->right[g], _mm512_test_epi64_mask(t_right, one), m->right[g], at);
  for (int party = 0; party < 2; party++) {
    __m512i hashed = _mm512_mask_mov_epi64(child[party], a, child[2 + party]);
    m->node[g][party] = _mm512_mask_xor_epi64(hashed, tree_control_of(m->node[g][party]), hashed, kept);
  }
}

/* The last level: a one at alpha's bit of the leaf on its side. */
INLINE void correct_leaf(Making *m, int g, const __m512i child[4], int64_t level) {
  __m512i left = _mm512_xor_si512(child[0], child[1]), right = _mm512_xor_si512(child[2], child[3]);
  __m512i alpha = m->alpha[g];
  __mmask8 a = _mm512_test_epi64_mask(alpha, _mm512_set1_epi64(1 << DPF_LEAF_BITS));
  __mmask8 low_words = 0x55, word = low_words ^ _mm512_test_epi64_mask(alpha, _mm512_set1_epi64(64));
  __m512i unit =
      _mm512_maskz_sllv_epi64(word, _mm512_set1_epi64(1), _mm512_and_si512(alpha, _mm512_set1_epi64(63)));
  store_lanes(m->row[g], 2 * level, _mm512_xor_si512(left, _mm512_maskz_mov_epi64((__mmask8)~a, unit)));
  store_lanes(m->row[g], 2 * level + 2, _mm512_xor_si512(right, _mm512_maskz_mov_epi64(a, unit)));
}

INLINE void make_end(const Making *m, DpfShape shape) {
  uint64_t controls[8];
  for (int g = 0; g < GROUPS; g++) {
    _mm512_storeu_si512(controls, m->right[g]);
    for (int lane = 0; lane < LANES; lane++)
      m->row[g][lane][shape.words - 1] = controls[2 * lane];
  }
  OPENSSL_cleanse(controls, sizeof controls);
}

static void key(const TfeHashKey *hash_key, const DpfKeys *all, int64_t first, int64_t n, DpfShape shape) {
  __m512i keys[11], child[VECTORS];
  Making m;
  tree_load_keys(keys, hash_key);
  for (int64_t end = first + n; first < end; first += KEYS) {
    __m512i bit = _mm512_set1_epi64((int64_t)(UINT64_C(1) << (shape.depth - 1))), at = _mm512_set1_epi64(1);
    int64_t level = 0;
    make_start(&m, all, first, end - first, shape);
    for (; level < shape.levels - 1; level++) {
      grow(&m, keys, child);
      for (int g = 0; g < GROUPS; g++)
        correct_level(&m, g, child + 4 * g, bit, at, level);
      bit = _mm512_srli_epi64(bit, 1);
      at = _mm512_slli_epi64(at, 1);
    }
    grow(&m, keys, child);
    for (int g = 0; g < GROUPS; g++)
      correct_leaf(&m, g, child + 4 * g, level);
    if (level > 0)
      make_end(&m, shape);
  }
  OPENSSL_cleanse(&m, sizeof m);
  OPENSSL_cleanse(child, sizeof child);
}

const TfeDpfBatch tfe_dpf_vaes = {key, eval, point};
#endif
