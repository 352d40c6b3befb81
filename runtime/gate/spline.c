/* The gate `spline` (spline.h). What computes in the ring of out_bits + shift bits is in spline_ring.h, which is
 * compiled for rings of up to 64 and of up to 128 bits. */
#include "spline.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../include/abi.h"
#include "tree.h"

enum {
  BATCH = 64,                          /* keys made, or elements evaluated, at once */
  WALKS = TFE_SPLINE_SEGMENTS + 2 + 6, /* nodes of one level at once */
  FACTORS = 4,                         /* powers of a payload */
  PARTS = 2,                           /* payload of the pieces */
};

/* A layout with what follows from it. */
typedef struct Spline {
  TfeSpline l;
  int64_t depth, parts, factors, words, ring;
} Spline;

static Spline spline_of(const TfeSpline *l) {
  Spline s = {.l = *l, .depth = l->bits - l->low, .parts = tfe_spline_parts(l), .factors = l->degree + 1};
  s.words = tfe_spline_words(l);
  s.ring = l->out_bits + l->shift;
  assert(s.depth >= 1 && s.depth <= 64 && s.ring <= 128 && s.factors <= FACTORS);
  assert(l->count <= TFE_SPLINE_SEGMENTS && l->pieces < WALKS);
  return s;
}

static uint64_t low_bits(int64_t bits) {
  return bits == 0 ? 0 : ~UINT64_C(0) >> (64 - bits);
}

/* The top bits of an argument or a mask. */
static uint64_t top(const Spline *s, uint64_t v) {
  return (v & low_bits(s->l.bits)) >> s->l.low;
}

static uint64_t rest(const Spline *s, uint64_t v) {
  return v & low_bits(s->l.low);
}

/* Direction at `level` of a walk to leaf i. */
static uint64_t direction(const Spline *s, uint64_t i, int64_t level) {
  return i >> (s->depth - 1 - level) & 1;
}

static uint64_t right_control(const Spline *s, const uint64_t *words, int64_t level) {
  return words[2 * s->depth] >> level & 1;
}

/* Where value k of a key stands: bits behind the words of the tree. */
static int64_t value_bit(const Spline *s, int64_t k) {
  return 64 * (2 * s->depth + 1) + k * s->ring;
}

static int64_t leaf_value(const Spline *s, int64_t e) {
  return (s->depth + 1) * s->parts + e;
}

/* Power e of 1/2 - rest / 2^low, at the payload's scale, rounded. The mask is secret: no branch on it. */
static int64_t power_of(const Spline *s, uint64_t mask, int64_t e) {
  __int128 v = 1, x = (__int128)1 * ((int64_t)(UINT64_C(1) << s->l.low) - 2 * (int64_t)rest(s, mask));
  int64_t drop = e * (s->l.low + 1) - s->l.payload_scale;
  for (int64_t i = 0; i < e; i++)
    v *= s->l.low ? x : 0;
  if (drop <= 0)
    return (int64_t)(v * ((__int128)1 << -drop));
  return (int64_t)((v + ((__int128)1 << (drop - 1))) >> drop);
}

/* ---- public factors of the segments ---------------------------------------------------------- */

static inline int64_t rounded(int64_t v) {
  return (v + (1 << (TFE_SPLINE_GUARD - 1))) >> TFE_SPLINE_GUARD;
}

/* v C, C = c / 2^bits */
static inline int64_t times(int64_t v, int64_t c, int64_t bits) {
  return (int64_t)((__int128)v * c >> bits);
}

/* q_e = sum of a[d] binom(d, e) C^(d - e) over d >= e, for all e; C = c at scale 2^bits, |C| <= 1/2. Missing
 * coefficients count as 0. */
static inline void factors_at(int64_t degree, const int64_t *a, int64_t c, int64_t bits, int64_t q[FACTORS]) {
  int64_t a1 = degree > 0 ? a[1] : 0, a2 = degree > 1 ? a[2] : 0, a3 = degree > 2 ? a[3] : 0;
  int64_t t = times(a3, c, bits);
  q[0] = rounded(a[0] + times(a1 + times(a2 + t, c, bits), c, bits));
  q[1] = rounded(a1 + times(2 * a2 + 3 * t, c, bits));
  q[2] = rounded(a2 + 3 * t);
  q[3] = rounded(a3);
}

#define RING uint64_t
#define RING_BITS 64
#define IN_RING(name) name##_64
#include "spline_ring.h"
#undef RING
#undef RING_BITS
#undef IN_RING
#define RING unsigned __int128
#define RING_BITS 128
#define IN_RING(name) name##_128
#include "spline_ring.h"

/* ---- whole batches --------------------------------------------------------------------------- */

static bool is_small(const Spline *s) {
  return s->ring <= 64;
}

void tfe_spline_key_with(const TfeHash *hash, const uint8_t bytes[16], uint64_t *words, const uint64_t *r,
                         const uint64_t *root0, const uint64_t *root1, int64_t n, const TfeSpline *layout) {
  Spline s = spline_of(layout);
  TfeHashKey key;
  hash->start(&key, bytes);
  memset(words, 0, (size_t)(n * s.words) * sizeof *words);
  (is_small(&s) ? make_keys_64 : make_keys_128)(hash, &key, &s, words, r, root0, root1, n);
  hash->stop(&key);
}

void tfe_spline_eval_with(const TfeHash *hash, const uint8_t bytes[16], uint64_t *out, const uint64_t *c,
                          const uint64_t *root, const uint64_t *words, const uint64_t *table, int64_t n,
                          const TfeSpline *layout, int64_t role) {
  Spline s = spline_of(layout);
  TfeHashKey key;
  hash->start(&key, bytes);
  (is_small(&s) ? evaluate_64 : evaluate_128)(hash, &key, &s, out, c, root, words, table, n,
                                              (uint64_t)role & 1);
  hash->stop(&key);
}

/* ---- ABI ------------------------------------------------------------------------------------- */

static TfeSpline layout_of(const int64_t *fields) {
  TfeSpline l;
  memcpy(&l, fields, sizeof l);
  return l;
}

void tfe_spline_key(TfeCtx *ctx, uint64_t *words, const uint64_t *r, const uint64_t *root0,
                    const uint64_t *root1, int64_t n, const int64_t *layout) {
  TfeSpline l = layout_of(layout);
  tfe_spline_key_with(tfe_hash(), tfe_hash_key(ctx), words, r, root0, root1, n, &l);
}

void tfe_spline_eval(TfeCtx *ctx, uint64_t *out, const uint64_t *c, const uint64_t *root,
                     const uint64_t *words, const uint64_t *table, int64_t n, const int64_t *layout,
                     int64_t role) {
  TfeSpline l = layout_of(layout);
  tfe_spline_eval_with(tfe_hash(), tfe_hash_key(ctx), out, c, root, words, table, n, &l, role);
}
