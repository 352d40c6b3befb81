/* The spline gate (spline.h): checks of the layout and the choice of the code. */
#include "spline.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "../ctx.h"
#include "../include/abi.h"
#include "../pool.h"
#include "spline_code.h"

static void check(const TfeSpline *s) {
  assert(s->bits >= 2 && s->bits <= 64 && s->low >= 0 && s->low < s->bits && s->low <= 40);
  assert(s->degree >= -1 && s->degree <= (s->low == 0 ? 0 : TFE_SPLINE_DEGREE_MAX));
  assert(s->has_pieces == 0 || s->has_pieces == 1);
  assert(s->linear == 0 || (s->linear == 1 && s->has_pieces));
  assert(s->has_pieces || s->degree >= 0);
  assert(s->degree < 0 || tfe_spline_levels(s) <= TFE_SPLINE_SEGMENT_BITS);
  assert(s->payload_scale >= 0 && s->payload_scale <= 62);
  assert(s->out_bits >= 1 && s->out_bits <= 64 && s->shift >= 0 && s->shift <= 64);
}

/* A signed number of a segment. */
static bool is_segment(const TfeSpline *s, int64_t j) {
  int64_t h = tfe_spline_levels(s);
  return h == 64 || (j >= -(INT64_C(1) << (h - 1)) && j < INT64_C(1) << (h - 1));
}

static void check_table(const TfeSpline *s, const uint64_t *table) {
  if (s->degree >= 0)
    assert(s->count >= 1 && s->count <= TFE_SPLINE_COUNT_MAX && is_segment(s, s->first) &&
           is_segment(s, s->first + s->count - 1));
  else
    assert(s->count == 0);
  assert(s->pieces >= 0 && (s->pieces == 0 || s->has_pieces));
  for (int64_t k = 0; k < s->pieces; k++) {
    assert(is_segment(s, (int64_t)table[3 * k]) && (s->linear || table[3 * k + 2] == 0));
    assert(k == 0 || (int64_t)table[3 * k] > (int64_t)table[3 * k - 3]);
  }
}

/* The arithmetic goes with the hash: who can run its instructions has those. */
static const TfeSplineCode *code_of(const TfeSpline *spline, const TfeHash *hash) {
  bool wide = tfe_spline_ring(spline) > 64;
#if defined(__x86_64__)
  if (hash == &tfe_hash_vaes)
    return wide ? &tfe_spline_wide_avx512 : &tfe_spline_narrow_avx512;
#endif
  (void)hash;
  return wide ? &tfe_spline_wide : &tfe_spline_narrow;
}

/* Values that are worth a thread, whole batches of either kind. */
enum { GRAIN = 256 };

typedef struct KeyJob {
  const TfeSpline *spline;
  const TfeHash *hash;
  const uint8_t *key;
  uint64_t *words;
  const uint64_t *r, *root0, *root1;
} KeyJob;

static void key_some(void *data, int64_t from, int64_t to) {
  const KeyJob *job = data;
  TfeHashKey key;
  job->hash->start(&key, job->key);
  code_of(job->spline, job->hash)
      ->key(job->spline, job->hash, &key, job->words + from * tfe_spline_words(job->spline), job->r + from,
            job->root0 + 2 * from, job->root1 + 2 * from, to - from);
  job->hash->stop(&key);
}

void tfe_spline_key_with(const TfeHash *hash, const uint8_t key[16], uint64_t *words, const uint64_t *r,
                         const uint64_t *root0, const uint64_t *root1, int64_t n, const TfeSpline *spline) {
  KeyJob job = {spline, hash, key, words, r, root0, root1};
  check(spline);
  tfe_pool_run(n, GRAIN, key_some, &job);
}

typedef struct EvalJob {
  const TfeSpline *spline;
  const TfeHash *hash;
  const uint8_t *key;
  uint64_t *out;
  const uint64_t *c, *root, *words, *table;
  uint64_t role;
} EvalJob;

static void eval_some(void *data, int64_t from, int64_t to) {
  const EvalJob *job = data;
  TfeHashKey key;
  job->hash->start(&key, job->key);
  code_of(job->spline, job->hash)
      ->eval(job->spline, job->hash, &key, job->out + from, job->c + from, job->root + 2 * from,
             job->words + from * tfe_spline_words(job->spline), job->table, to - from, job->role);
  job->hash->stop(&key);
}

void tfe_spline_eval_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *c,
                          const uint64_t *root, const uint64_t *words, const uint64_t *table, int64_t n,
                          const TfeSpline *spline, int64_t role) {
  EvalJob job = {spline, hash, key, out, c, root, words, table, (uint64_t)role & 1};
  check(spline);
  check_table(spline, table);
  tfe_pool_run(n, GRAIN, eval_some, &job);
}

/* -- ABI ------------------------------------------------------------------------------------------------- */

static TfeSpline spline_of(const int64_t *layout) {
  TfeSpline spline;
  memcpy(&spline, layout, sizeof spline);
  return spline;
}

void tfe_spline_key(TfeCtx *ctx, uint64_t *words, const uint64_t *r, const uint64_t *root0,
                    const uint64_t *root1, int64_t n, const int64_t *layout) {
  TfeSpline spline = spline_of(layout);
  tfe_spline_key_with(tfe_hash(), tfe_hash_key(ctx), words, r, root0, root1, n, &spline);
}

void tfe_spline_eval(TfeCtx *ctx, uint64_t *out, const uint64_t *c, const uint64_t *root,
                     const uint64_t *words, const uint64_t *table, int64_t n, const int64_t *layout,
                     int64_t role) {
  TfeSpline spline = spline_of(layout);
  tfe_spline_eval_with(tfe_hash(), tfe_hash_key(ctx), out, c, root, words, table, n, &spline, role);
}
