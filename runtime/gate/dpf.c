/* Comparison keys (dpf.h), batches of keys level by level, so that the hash has many independent nodes at
 * once; instruction sets with batches of their own: dpf_batch.h.
 *
 * Facts used: shares of the control bit at an inner node XOR to 1 exactly on the path
 * to alpha, and the reconstructed bits of two children XOR to their parent's. The parity of all leaves 0
 * .. x therefore telescopes along the path to x: the control bit of a node is added where the direction
 * changes, the rest comes from one leaf. */
#include "dpf.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdbool.h>

#include "../ctx.h"
#include "../include/abi.h"
#include "../pool.h"
#include "dpf_batch.h"
#include "tree.h"

/* Keys or walks at a time, and those that are worth a thread. */
enum { BATCH = TREE_BATCH, KEY_GRAIN = 256, WALK_GRAIN = 1024 };

static DpfShape shape_of(int64_t bits) {
  assert(bits >= 1 && bits <= 64);
  int64_t depth = bits < DPF_LEAF_BITS + 1 ? DPF_LEAF_BITS + 1 : bits;
  return (DpfShape){depth, depth - DPF_LEAF_BITS, tfe_dpf_words(bits), ~UINT64_C(0) >> (64 - bits)};
}

/* NULL: this file's batches. */
static const TfeDpfBatch *batch_of(const TfeHash *hash) {
#if defined(__x86_64__)
  if (hash == &tfe_hash_vaes)
    return &tfe_dpf_vaes;
  if (hash == &tfe_hash_aesni)
    return &tfe_dpf_avx2;
#endif
  (void)hash;
  return NULL;
}

/* Direction at `level`, 0 or 1. */
static uint64_t direction(DpfShape shape, uint64_t number, int64_t level) {
  return number >> (shape.depth - 1 - level) & 1;
}

/* -- generation ------------------------------------------------------------------------------------------ */

static void correct_leaf(const TreePair *g, int64_t i, uint64_t alpha, uint64_t a, uint64_t *leaf) {
  uint64_t bit = UINT64_C(1) << (alpha & 63), high = -(alpha >> 6 & 1);
  TfeNode unit = {{bit & ~high, bit & high}};
  TfeNode left = tree_xor(g->child[0][0][i], g->child[0][1][i]);
  TfeNode right = tree_xor(g->child[1][0][i], g->child[1][1][i]);
  left = tree_xor(left, tree_and(unit, a - 1));
  right = tree_xor(right, tree_and(unit, -a));
  leaf[0] = left.w[0], leaf[1] = left.w[1];
  leaf[2] = right.w[0], leaf[3] = right.w[1];
}

/* An inner level for key i of the batch. */
static void correct_level(TreePair *g, int64_t i, uint64_t a, int64_t level, DpfShape shape,
                          uint64_t *words) {
  uint64_t t_right;
  TfeNode seed = tree_descend(g, i, a, &t_right);
  words[2 * level] = seed.w[0], words[2 * level + 1] = seed.w[1];
  words[shape.words - 1] |= t_right << level;
}

static void key_batch(const TfeHash *hash, const TfeHashKey *key, TreePair *g, const DpfKeys *keys,
                      int64_t first, int64_t n, DpfShape shape) {
  uint64_t *words = keys->words + first * shape.words;
  int64_t last = shape.levels - 1;
  for (int64_t i = 0; i < n; i++) {
    for (int party = 0; party < 2; party++)
      g->node[party][i] = tree_root(keys->root[party] + 2 * (first + i), (uint64_t)party);
    words[(i + 1) * shape.words - 1] = 0;
  }
  for (int64_t level = 0; level <= last; level++) {
    tree_grow(hash, key, g, n);
    for (int64_t i = 0; i < n; i++) {
      uint64_t number = keys->alpha[first + i] & shape.mask, a = direction(shape, number, level);
      if (level < last)
        correct_level(g, i, a, level, shape, words + i * shape.words);
      else
        correct_leaf(g, i, number, a, words + i * shape.words + 2 * last);
    }
  }
}

static void key_batches(const TfeHash *hash, const TfeHashKey *key, const DpfKeys *keys, int64_t from,
                        int64_t to, DpfShape shape) {
  TreePair grown;
  for (int64_t i = from; i < to; i += BATCH)
    key_batch(hash, key, &grown, keys, i, to - i < BATCH ? to - i : BATCH, shape);
  OPENSSL_cleanse(&grown, sizeof grown);
}

/* What a thread takes of all keys of a call, it makes in batches. */
typedef struct KeyJob {
  const TfeHash *hash;
  const uint8_t *key;
  DpfKeys all;
  DpfShape shape;
} KeyJob;

static void key_some(void *data, int64_t from, int64_t to) {
  const KeyJob *job = data;
  const TfeDpfBatch *batch = batch_of(job->hash);
  TfeHashKey key;
  job->hash->start(&key, job->key);
  if (batch)
    batch->key(&key, &job->all, from, to - from, job->shape);
  else
    key_batches(job->hash, &key, &job->all, from, to, job->shape);
  job->hash->stop(&key);
}

void tfe_dpf_key_with(const TfeHash *hash, const uint8_t bytes[16], uint64_t *words, const uint64_t *alpha,
                      const uint64_t *root0, const uint64_t *root1, int64_t n, int64_t bits) {
  KeyJob job = {hash, bytes, {words, alpha, {root0, root1}}, shape_of(bits)};
  tfe_pool_run(n, KEY_GRAIN, key_some, &job);
}

/* -- evaluation ------------------------------------------------------------------------------------------ */

typedef struct Walk {
  TfeNode node[BATCH], child[BATCH];
  uint64_t parity[BATCH];
} Walk;

/* One step of walk i towards x. `child` is the hashed child in direction d. */
static void step(Walk *w, int64_t i, uint64_t d, int64_t level, DpfShape shape, const uint64_t *words) {
  int64_t last = shape.levels - 1;
  const uint64_t *at = words + 2 * level + (level == last ? 2 * (int64_t)d : 0);
  TfeNode correction = {{at[0], at[1]}};
  if (level < last)
    correction = tree_correction_of(correction, words[shape.words - 1] >> level, d);
  w->node[i] = tree_step(w->node[i], w->child[i], correction);
}

/* The key of walk first + i. */
static int64_t key_of(const DpfWalks *p, int64_t first, int64_t i) {
  return (first + i) / p->points;
}

/* All the way to the leaves of x; the parity of the leaves that were passed by on the left. */
static void walk_batch(const TfeHash *hash, const TfeHashKey *key, Walk *w, const DpfWalks *p, int64_t first,
                       int64_t n, DpfShape shape) {
  const uint64_t *x = p->x + first;
  for (int64_t i = 0; i < n; i++) {
    w->node[i] = tree_root(p->root + 2 * key_of(p, first, i), p->role);
    w->parity[i] = 0;
  }
  for (int64_t level = 0; level < shape.levels; level++) {
    for (int64_t i = 0; i < n; i++) {
      uint64_t number = x[i] & shape.mask, d = direction(shape, number, level);
      uint64_t old = level > 0 ? direction(shape, number, level - 1) : 0;
      w->parity[i] ^= w->node[i].w[0] & (d ^ old);
      w->child[i] = tree_child(w->node[i], d);
    }
    hash->nodes(key, w->child, w->child, n);
    for (int64_t i = 0; i < n; i++)
      step(w, i, direction(shape, x[i] & shape.mask, level), level, shape,
           p->words + key_of(p, first, i) * shape.words);
  }
}

/* What a thread takes of all walks of a call, it does in batches. */
typedef struct WalkJob {
  const TfeHash *hash;
  const uint8_t *key;
  DpfWalks all;
  DpfShape shape;
  bool point; /* not a prefix */
} WalkJob;

static void walk_batches(const WalkJob *job, const TfeHashKey *key, int64_t from, int64_t to) {
  Walk walk;
  for (int64_t first = from; first < to; first += BATCH) {
    int64_t part = to - first < BATCH ? to - first : BATCH;
    walk_batch(job->hash, key, &walk, &job->all, first, part, job->shape);
    for (int64_t i = 0; i < part; i++) {
      uint64_t number = job->all.x[first + i] & job->shape.mask;
      job->all.out[first + i] = job->point ? dpf_bit_of(walk.node[i], number)
                                           : walk.parity[i] ^ dpf_prefix_of(walk.node[i], number);
    }
  }
  OPENSSL_cleanse(&walk, sizeof walk);
}

static void walk_some(void *data, int64_t from, int64_t to) {
  const WalkJob *job = data;
  const TfeDpfBatch *batch = batch_of(job->hash);
  TfeHashKey key;
  job->hash->start(&key, job->key);
  if (batch)
    (job->point ? batch->point : batch->eval)(&key, &job->all, from, to - from, job->shape);
  else
    walk_batches(job, &key, from, to);
  job->hash->stop(&key);
}

void tfe_dpf_eval_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *x,
                       const uint64_t *root, const uint64_t *words, int64_t n, int64_t points, int64_t bits,
                       int64_t role) {
  WalkJob job = {hash, key, {out, x, root, words, points, (uint64_t)role & 1}, shape_of(bits), false};
  tfe_pool_run(n * points, WALK_GRAIN, walk_some, &job);
}

void tfe_dpf_point_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *x,
                        const uint64_t *root, const uint64_t *words, int64_t n, int64_t points, int64_t bits,
                        int64_t role) {
  WalkJob job = {hash, key, {out, x, root, words, points, (uint64_t)role & 1}, shape_of(bits), true};
  tfe_pool_run(n * points, WALK_GRAIN, walk_some, &job);
}

/* -- ABI ------------------------------------------------------------------------------------------------- */

void tfe_dpf_key(TfeCtx *ctx, uint64_t *words, const uint64_t *alpha, const uint64_t *root0,
                 const uint64_t *root1, int64_t n, int64_t bits) {
  tfe_dpf_key_with(tfe_hash(), tfe_hash_key(ctx), words, alpha, root0, root1, n, bits);
}

void tfe_dpf_eval(TfeCtx *ctx, uint64_t *out, const uint64_t *x, const uint64_t *root, const uint64_t *words,
                  int64_t n, int64_t points, int64_t bits, int64_t role) {
  tfe_dpf_eval_with(tfe_hash(), tfe_hash_key(ctx), out, x, root, words, n, points, bits, role);
}

void tfe_dpf_point(TfeCtx *ctx, uint64_t *out, const uint64_t *x, const uint64_t *root, const uint64_t *words,
                   int64_t n, int64_t points, int64_t bits, int64_t role) {
  tfe_dpf_point_with(tfe_hash(), tfe_hash_key(ctx), out, x, root, words, n, points, bits, role);
}
