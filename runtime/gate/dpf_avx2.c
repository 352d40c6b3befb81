/* Comparison keys (dpf.h) with AES-NI and AVX2: eight walks side by side, or two keys made, so that the eight
 * rounds of AES in flight hide the latency of one and the rest of a level runs beside them.
 *
 * Control bits become masks; only the public numbers choose addresses. */
#include "dpf_batch.h"

#if defined(__x86_64__)
#include <openssl/crypto.h>
#include <stdbool.h>

#include "../aes_key.h"

#define INLINE static inline __attribute__((always_inline))

enum { FLIGHT = 8, WALKS = FLIGHT, KEYS = FLIGHT / 4 };

/* The round keys; what H does to bit 1 of child d is part of the first one, and of what is added last. */
typedef struct Rounds {
  __m128i first[2], middle[10], last[2]; /* [d]; from 1 on; [d] */
} Rounds;

INLINE __m128i in_low(int64_t low) {
  return _mm_set_epi64x(0, low);
}

INLINE Rounds rounds_of(const TfeHashKey *key) {
  const __m128i *round = (const void *)key->rounds;
  Rounds k;
  for (int d = 0; d < 2; d++) {
    k.first[d] = _mm_xor_si128(round[0], in_low(2 * d));
    k.last[d] = _mm_xor_si128(round[10], in_low(2 * d));
  }
  for (int i = 1; i < 10; i++)
    k.middle[i] = round[i];
  return k;
}

/* The rounds from 1 on of AES of all blocks; `last` is the last round's key, with what is to be added. */
INLINE void encrypt(const Rounds *k, __m128i x[FLIGHT], const __m128i last[FLIGHT]) {
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++) {
#pragma GCC unroll 8
    for (int v = 0; v < FLIGHT; v++)
      x[v] = _mm_aesenc_si128(x[v], k->middle[round]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < FLIGHT; v++)
    x[v] = _mm_aesenclast_si128(x[v], last[v]);
}

/* All ones if the control bit is set. */
INLINE __m128i control_of(__m128i node) {
  return _mm_srai_epi32(_mm_slli_epi32(_mm_shuffle_epi32(node, 0), 31), 31);
}

/* `second` where the mask is set. */
INLINE __m128i choose(__m128i first, __m128i second, __m128i mask) {
  return _mm_xor_si128(first, _mm_and_si128(_mm_xor_si128(first, second), mask));
}

INLINE __m128i load(const uint64_t *words) {
  return _mm_loadu_si128((const void *)words);
}

INLINE __m128i root_of(const uint64_t *root, int64_t role) {
  return choose(load(root), in_low(role), in_low(1));
}

/* -- evaluation ------------------------------------------------------------------------------------------ */

typedef struct Walk {
  __m128i node[WALKS];
  __m128i parity[WALKS];          /* in bit 0 */
  __m128i right[WALKS];           /* control corrections of the right children, that of this level in bit 0 */
  uint64_t x[WALKS], turn[WALKS]; /* the number; its bits that differ from the one above */
  const uint64_t *row[WALKS];
} Walk;

/* One level of all walks. `at` is the place of its direction bit in a number. */
INLINE void walk_level(Walk *w, const Rounds *k, int64_t at, int64_t level, bool leaf, bool prefix) {
  const __m128i one = in_low(1), one_if[2] = {_mm_setzero_si128(), one};
  __m128i x[WALKS], last[WALKS];
#pragma GCC unroll 8
  for (int v = 0; v < WALKS; v++) {
    uint64_t d = w->x[v] >> at & 1;
    __m128i node = w->node[v], correction = load(w->row[v] + 2 * level);
    if (prefix)
      w->parity[v] = _mm_xor_si128(w->parity[v], _mm_and_si128(node, one_if[w->turn[v] >> at & 1]));
    if (!leaf) {
      correction = choose(correction, w->right[v], one_if[d]);
      w->right[v] = _mm_srli_epi64(w->right[v], 1);
    }
    __m128i child = _mm_andnot_si128(one, node);
    x[v] = _mm_xor_si128(child, k->first[d]);
    last[v] = _mm_xor_si128(_mm_xor_si128(child, k->last[d]), _mm_and_si128(correction, control_of(node)));
  }
  encrypt(k, x, last);
#pragma GCC unroll 8
  for (int v = 0; v < WALKS; v++)
    w->node[v] = x[v];
}

/* The roots and numbers of n walks from `first` on; walks beyond are the last one once more. */
INLINE void walk_start(Walk *w, const DpfWalks *all, int64_t first, int64_t n, DpfShape shape) {
  int64_t key = first / all->points, left = all->points - first % all->points;
  for (int v = 0; v < WALKS; v++) {
    w->x[v] = all->x[first + (v < n ? v : n - 1)] & shape.mask;
    w->turn[v] = w->x[v] ^ w->x[v] >> 1;
    w->row[v] = all->words + key * shape.words;
    w->node[v] = root_of(all->root + 2 * key, (int64_t)all->role);
    w->parity[v] = _mm_setzero_si128();
    w->right[v] = in_low((int64_t)w->row[v][shape.words - 1]);
    if (v + 1 < n && --left == 0)
      key++, left = all->points;
  }
}

INLINE void walk_end(const Walk *w, uint64_t *out, int64_t n, bool prefix) {
  for (int64_t v = 0; v < WALKS && v < n; v++) {
    TfeNode leaf;
    _mm_store_si128((void *)&leaf, w->node[v]);
    out[v] = prefix ? (uint64_t)_mm_cvtsi128_si64(w->parity[v]) ^ dpf_prefix_of(leaf, w->x[v])
                    : dpf_bit_of(leaf, w->x[v]);
  }
}

INLINE void walk_all(const TfeHashKey *key, const DpfWalks *all, int64_t first, int64_t n, DpfShape shape,
                     bool prefix) {
  const Rounds k = rounds_of(key);
  const int64_t last = shape.levels - 1;
  Walk w;
  for (int64_t end = first + n; first < end; first += WALKS) {
    walk_start(&w, all, first, end - first, shape);
    for (int64_t level = 0; level < last; level++)
      walk_level(&w, &k, shape.depth - 1 - level, level, false, prefix);
    for (int v = 0; v < WALKS; v++) /* the correction of the leaf on the number's side */
      w.row[v] += 2 * (w.x[v] >> DPF_LEAF_BITS & 1);
    walk_level(&w, &k, DPF_LEAF_BITS, last, true, prefix);
    walk_end(&w, all->out + first, end - first, prefix);
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

typedef struct Making {
  __m128i node[KEYS][2]; /* [party] */
  __m128i child[FLIGHT]; /* hashed: of key i, in direction d, of party p at 4 i + 2 d + p */
  uint64_t alpha[KEYS];
  uint64_t right[KEYS]; /* control corrections of the right children */
  uint64_t *row[KEYS];
} Making;

/* A place without a key makes the last one once more. */
INLINE void make_start(Making *m, const DpfKeys *all, int64_t first, int64_t n, DpfShape shape) {
  for (int i = 0; i < KEYS; i++) {
    int64_t key = first + (i < n ? i : n - 1);
    m->alpha[i] = all->alpha[key] & shape.mask;
    m->right[i] = 0;
    m->row[i] = all->words + key * shape.words;
    for (int party = 0; party < 2; party++)
      m->node[i][party] = root_of(all->root[party] + 2 * key, party);
  }
}

INLINE void grow(Making *m, const Rounds *k) {
  __m128i last[FLIGHT];
#pragma GCC unroll 8
  for (int v = 0; v < FLIGHT; v++) {
    int d = v >> 1 & 1;
    __m128i child = _mm_andnot_si128(in_low(1), m->node[v / 4][v & 1]);
    m->child[v] = _mm_xor_si128(child, k->first[d]);
    last[v] = _mm_xor_si128(child, k->last[d]);
  }
  encrypt(k, m->child, last);
}

INLINE __m128i mask_of(uint64_t bit) {
  return _mm_set1_epi64x(-(int64_t)(bit & 1));
}

/* tree_descend of tree.h. */
INLINE void correct_level(Making *m, int i, int64_t at, int64_t level) {
  const __m128i one = in_low(1), *child = m->child + 4 * i, a = mask_of(m->alpha[i] >> at);
  __m128i left = _mm_xor_si128(child[0], child[1]), right = _mm_xor_si128(child[2], child[3]);
  __m128i t_left = _mm_xor_si128(left, _mm_andnot_si128(a, one));
  __m128i t_right = _mm_xor_si128(right, _mm_and_si128(a, one));
  __m128i seed = choose(right, left, a), kept = choose(seed, choose(t_left, t_right, a), one);
  _mm_storeu_si128((void *)(m->row[i] + 2 * level), choose(seed, t_left, one));
  m->right[i] |= ((uint64_t)_mm_cvtsi128_si64(t_right) & 1) << level;
  for (int party = 0; party < 2; party++) {
    __m128i control = control_of(m->node[i][party]), hashed = choose(child[party], child[2 + party], a);
    m->node[i][party] = _mm_xor_si128(hashed, _mm_and_si128(kept, control));
  }
}

/* The last level: a one at alpha's bit of the leaf on its side. */
INLINE void correct_leaf(Making *m, int i, int64_t level) {
  const __m128i *child = m->child + 4 * i, a = mask_of(m->alpha[i] >> DPF_LEAF_BITS);
  uint64_t bit = UINT64_C(1) << (m->alpha[i] & 63), high = -(m->alpha[i] >> 6 & 1);
  __m128i unit = _mm_set_epi64x((int64_t)(bit & high), (int64_t)(bit & ~high));
  __m128i left = _mm_xor_si128(child[0], child[1]), right = _mm_xor_si128(child[2], child[3]);
  _mm_storeu_si128((void *)(m->row[i] + 2 * level), _mm_xor_si128(left, _mm_andnot_si128(a, unit)));
  _mm_storeu_si128((void *)(m->row[i] + 2 * level + 2), _mm_xor_si128(right, _mm_and_si128(a, unit)));
}

static void key(const TfeHashKey *hash_key, const DpfKeys *all, int64_t first, int64_t n, DpfShape shape) {
  const Rounds k = rounds_of(hash_key);
  const int64_t last = shape.levels - 1;
  Making m;
  for (int64_t end = first + n; first < end; first += KEYS) {
    make_start(&m, all, first, end - first, shape);
    for (int64_t level = 0; level < last; level++) {
      grow(&m, &k);
      for (int i = 0; i < KEYS; i++)
        correct_level(&m, i, shape.depth - 1 - level, level);
    }
    grow(&m, &k);
    for (int i = 0; i < KEYS; i++) {
      correct_leaf(&m, i, last);
      if (last > 0)
        m.row[i][shape.words - 1] = m.right[i];
    }
  }
  OPENSSL_cleanse(&m, sizeof m);
}

const TfeDpfBatch tfe_dpf_avx2 = {key, eval, point};
#endif
