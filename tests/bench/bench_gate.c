/* Comparison keys: evaluated, evaluated at a point, and made, beside the same with AES-NI for one key after the
 * other, as written down in dpf.h. The limit is that of AES alone: one block a level to evaluate, four to make. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gate/dpf.h"
#include "gate/spline.h"
#include "include/abi.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AESNI __attribute__((target("aes,sse4.1")))
#define AESNI_INLINE AESNI static inline __attribute__((always_inline))

enum { LEAF_BITS = 7 };

typedef struct Keys {
  int64_t n, bits, levels, width; /* width: words of a key */
  uint64_t *words, *root0, *root1, *alpha, *x, *out, *other_words, *other_out;
  TfeHashKey hash;
} Keys;

/* -- one key after the other ------------------------------------------------------------------------------- */

/* H of `count` (constant) nodes. */
AESNI_INLINE void hash_some(int count, const TfeHashKey *key, __m128i *s) {
  const __m128i *k = (const void *)key->rounds;
  __m128i x[4];
#pragma GCC unroll 4
  for (int i = 0; i < count; i++)
    x[i] = _mm_xor_si128(s[i], k[0]);
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++)
#pragma GCC unroll 4
    for (int i = 0; i < count; i++)
      x[i] = _mm_aesenc_si128(x[i], k[round]);
#pragma GCC unroll 4
  for (int i = 0; i < count; i++)
    s[i] = _mm_xor_si128(s[i], _mm_aesenclast_si128(x[i], k[10]));
}

AESNI_INLINE uint64_t low_word(__m128i s) {
  return (uint64_t)_mm_cvtsi128_si64(s);
}

AESNI_INLINE __m128i words_of(uint64_t low, uint64_t high) {
  return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

/* All ones if bit 0 of `bit` is set. */
AESNI_INLINE __m128i mask_of(uint64_t bit) {
  return _mm_set1_epi64x(-(int64_t)(bit & 1));
}

AESNI_INLINE __m128i child_of(__m128i s, uint64_t d) {
  return _mm_xor_si128(_mm_andnot_si128(words_of(1, 0), s), words_of(d << 1, 0));
}

AESNI_INLINE __m128i root_of(const uint64_t *root, uint64_t role) {
  return _mm_or_si128(_mm_andnot_si128(words_of(1, 0), _mm_loadu_si128((const void *)root)),
                      words_of(role, 0));
}

AESNI_INLINE uint64_t direction(const Keys *k, uint64_t number, int64_t level) {
  return number >> (k->levels + LEAF_BITS - 1 - level) & 1;
}

/* The leaf of x, and the parity of the leaves passed by on its left. */
AESNI_INLINE __m128i walk(const Keys *k, int64_t i, uint64_t x, uint64_t *parity) {
  const uint64_t *words = k->words + i * k->width, controls = words[k->width - 1];
  int64_t last = k->levels - 1;
  uint64_t old = 0;
  __m128i node = root_of(k->root0 + 2 * i, 0);
  *parity = 0;
  for (int64_t level = 0; level <= last; level++) {
    uint64_t d = direction(k, x, level);
    *parity ^= low_word(node) & (d ^ old);
    old = d;
    __m128i child = child_of(node, d), t = mask_of(low_word(node));
    hash_some(1, &k->hash, &child);
    __m128i correction = _mm_loadu_si128((const void *)(words + 2 * level + (level == last && d ? 2 : 0)));
    if (level < last && d)
      correction =
          _mm_or_si128(_mm_andnot_si128(words_of(1, 0), correction), words_of(controls >> level & 1, 0));
    node = _mm_xor_si128(child, _mm_and_si128(correction, t));
  }
  return node;
}

AESNI static void eval_one_by_one(void *data) {
  Keys *k = data;
  for (int64_t i = 0; i < k->n; i++) {
    uint64_t x = k->x[i] & ~UINT64_C(0) >> (64 - k->bits), parity, at = x & 127;
    uint64_t in_word = ~UINT64_C(0) >> (63 - (at & 63));
    __m128i leaf = walk(k, i, x, &parity);
    __m128i up_to = at < 64 ? words_of(in_word, 0) : words_of(~UINT64_C(0), in_word);
    leaf = _mm_and_si128(leaf, _mm_xor_si128(up_to, mask_of(x >> LEAF_BITS)));
    uint64_t bits = low_word(leaf) ^ (uint64_t)_mm_extract_epi64(leaf, 1);
    k->other_out[i] = (parity ^ (uint64_t)__builtin_parityll(bits)) & 1;
  }
}

AESNI static void point_one_by_one(void *data) {
  Keys *k = data;
  for (int64_t i = 0; i < k->n; i++) {
    uint64_t x = k->x[i] & ~UINT64_C(0) >> (64 - k->bits), unused;
    __m128i leaf = walk(k, i, x, &unused);
    uint64_t half = x & 64 ? (uint64_t)_mm_extract_epi64(leaf, 1) : low_word(leaf);
    k->other_out[i] = half >> (x & 63) & 1;
  }
}

AESNI_INLINE void key_leaf(const __m128i child[4], uint64_t alpha, uint64_t a, uint64_t *leaf) {
  uint64_t bit = UINT64_C(1) << (alpha & 63), high = -(alpha >> 6 & 1);
  __m128i unit = words_of(bit & ~high, bit & high), right = mask_of(a);
  __m128i sum0 = _mm_xor_si128(child[0], child[1]), sum1 = _mm_xor_si128(child[2], child[3]);
  _mm_storeu_si128((void *)leaf, _mm_xor_si128(sum0, _mm_andnot_si128(right, unit)));
  _mm_storeu_si128((void *)(leaf + 2), _mm_xor_si128(sum1, _mm_and_si128(right, unit)));
}

/* child: left of party 0 and 1, right of party 0 and 1. */
AESNI_INLINE uint64_t key_level(const __m128i child[4], uint64_t a, __m128i node[2], uint64_t *words) {
  __m128i right = mask_of(a), one = words_of(1, 0);
  __m128i sum0 = _mm_xor_si128(child[0], child[1]), sum1 = _mm_xor_si128(child[2], child[3]);
  uint64_t t0 = (low_word(sum0) ^ a ^ 1) & 1, t1 = (low_word(sum1) ^ a) & 1;
  __m128i seed = _mm_andnot_si128(one, _mm_blendv_epi8(sum1, sum0, right));
  _mm_storeu_si128((void *)words, _mm_or_si128(seed, words_of(t0, 0)));
  __m128i kept = _mm_or_si128(seed, words_of(t0 ^ ((t0 ^ t1) & a), 0));
  for (int party = 0; party < 2; party++) {
    __m128i chosen = _mm_blendv_epi8(child[party], child[2 + party], right);
    node[party] = _mm_xor_si128(chosen, _mm_and_si128(kept, mask_of(low_word(node[party]))));
  }
  return t1;
}

AESNI static void key_one_by_one(void *data) {
  Keys *k = data;
  for (int64_t i = 0; i < k->n; i++) {
    uint64_t alpha = k->alpha[i] & ~UINT64_C(0) >> (64 - k->bits), controls = 0;
    uint64_t *words = k->other_words + i * k->width;
    __m128i node[2] = {root_of(k->root0 + 2 * i, 0), root_of(k->root1 + 2 * i, 1)};
    for (int64_t level = 0; level < k->levels; level++) {
      uint64_t a = direction(k, alpha, level);
      __m128i child[4] = {child_of(node[0], 0), child_of(node[1], 0), child_of(node[0], 1),
                          child_of(node[1], 1)};
      hash_some(4, &k->hash, child);
      if (level < k->levels - 1)
        controls |= key_level(child, a, node, words + 2 * level) << level;
      else
        key_leaf(child, alpha, a, words + 2 * level);
    }
    words[k->width - 1] = controls;
  }
}

/* -- ours -------------------------------------------------------------------------------------------------- */

static void eval(void *data) {
  Keys *k = data;
  tfe_dpf_eval(NULL, k->out, k->x, k->root0, k->words, k->n, 1, k->bits, 0);
}

static void point(void *data) {
  Keys *k = data;
  tfe_dpf_point(NULL, k->out, k->x, k->root0, k->words, k->n, 1, k->bits, 0);
}

static void key(void *data) {
  Keys *k = data;
  tfe_dpf_key(NULL, k->words, k->alpha, k->root0, k->root1, k->n, k->bits);
}

static void bench_keys(const char *kernel, Keys *k, BenchCall *ours, BenchCall *one_by_one, int blocks,
                       double wanted) {
  BenchPair pair = bench_pair(ours, one_by_one, k);
  if (memcmp(k->out, k->other_out, (size_t)k->n * 8) != 0 ||
      memcmp(k->words, k->other_words, (size_t)(k->n * k->width) * 8) != 0)
    bench_note("%s: the variants differ", kernel);
  const char *tier = tfe_hash()->name;
  bench_row((BenchRow){.kernel = kernel,
                       .shape = bench_text("%d bits x %d", (int)k->bits, (int)k->n),
                       .tier = tier,
                       .unit = "M/s",
                       .figure = 1e-6 * (double)k->n / pair.ours,
                       .against = "one by one, AES-NI",
                       .other = 1e-6 * (double)k->n / pair.other,
                       .ratio = pair.ratio,
                       .wanted = wanted,
                       .limit = 1e-6 * limit_aes(tier) / 16 / (double)(blocks * k->levels)});
}

static void bench_domain(int64_t bits, int64_t n) {
  int64_t levels = bits - LEAF_BITS, width = tfe_dpf_words(bits);
  Keys k = {.n = n,
            .bits = bits,
            .levels = levels,
            .width = width,
            .words = bench_words(n * width),
            .root0 = bench_words(2 * n),
            .root1 = bench_words(2 * n),
            .alpha = bench_words(n),
            .x = bench_words(n),
            .out = bench_words(n),
            .other_words = bench_words(n * width),
            .other_out = bench_words(n)};
  tfe_hash_tier(1)->start(&k.hash, tfe_hash_default_key);
  memset(k.out, 0, (size_t)n * 8);
  memset(k.other_out, 0, (size_t)n * 8);
  double wanted = tfe_hash() == &tfe_hash_vaes ? 4 : 0;
  bench_keys("dpf_key", &k, key, key_one_by_one, 4, wanted * 2.5 / 4);
  bench_keys("dpf_eval", &k, eval, eval_one_by_one, 1, wanted);
  bench_keys("dpf_point", &k, point, point_one_by_one, 1, wanted);
}

/* -- piecewise functions (gate/spline.h) ------------------------------------------------------------------- */

typedef struct Spline {
  TfeSpline layout;
  int64_t n;
  uint64_t *words, *root0, *root1, *r, *c, *out, *table;
} Spline;

static void spline_eval(void *data) {
  Spline *s = data;
  tfe_spline_eval(NULL, s->out, s->c, s->root0, s->words, s->table, s->n, (const int64_t *)&s->layout, 0);
}

static void spline_key(void *data) {
  Spline *s = data;
  tfe_spline_key(NULL, s->words, s->r, s->root0, s->root1, s->n, (const int64_t *)&s->layout);
}

static void spline_row(const char *kernel, const char *name, Spline *s, BenchCall *call) {
  bench_row((BenchRow){.kernel = kernel,
                       .shape = bench_text("%s x %d", name, (int)s->n),
                       .tier = tfe_hash()->name,
                       .unit = "M/s",
                       .figure = 1e-6 * (double)s->n / bench_time(call, s)});
}

/* Any coefficients of the usual size do; the pieces begin where the segments end. */
enum { COEFFICIENT_BITS = 30 };

static void bench_spline(const char *name, TfeSpline layout, int64_t n) {
  Spline s = {layout,
              n,
              bench_words(n * tfe_spline_words(&layout)),
              bench_words(2 * n),
              bench_words(2 * n),
              bench_words(n),
              bench_words(n),
              bench_words(n),
              bench_words(tfe_spline_table_words(&layout))};
  for (int64_t i = 0; i < tfe_spline_table_words(&layout); i++)
    s.table[i] >>= 64 - COEFFICIENT_BITS;
  if (layout.pieces > 0)
    s.table[0] = (uint64_t)(layout.first + layout.count), s.table[2] *= (uint64_t)layout.linear;
  spline_row("spline_key", name, &s, spline_key);
  spline_row("spline_eval", name, &s, spline_eval);
}

static void bench_splines(void) {
  const TfeSpline relu = {
      .bits = 31, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 47, .pieces = 1};
  const TfeSpline sigmoid = {.bits = 31,
                             .low = 14,
                             .degree = 3,
                             .has_pieces = 1,
                             .payload_scale = 20,
                             .out_bits = 30,
                             .shift = 17,
                             .first = -48,
                             .count = 96,
                             .pieces = 1};
  const TfeSpline rsqrt = {.bits = 24,
                           .low = 17,
                           .degree = 3,
                           .payload_scale = 19,
                           .out_bits = 64,
                           .shift = 20,
                           .first = 8,
                           .count = 25};
  bench_spline("relu", relu, 4096);
  bench_spline("sigmoid", sigmoid, 4096);
  bench_spline("rsqrt, wide", rsqrt, 4096);
}

void bench_gate(void) {
  if (!tfe_hash_tier(1)) {
    bench_note("gate: this machine has no AES-NI");
    return;
  }
  static const int64_t domains[] = {24, 64}, counts[] = {256, 4096, 65536};
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 3; j++)
      bench_domain(domains[i], counts[j]);
  bench_splines();
}
#else
void bench_gate(void) {
  bench_note("gate: the variant measured against is for x86-64");
}
#endif
