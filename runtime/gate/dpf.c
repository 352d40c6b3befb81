/* Comparison keys (dpf.h), batches of keys level by level, so that the hash has many independent nodes at
 * once.
 *
 * Facts used: shares of the control bit at an inner node XOR to 1 exactly on the path
 * to alpha, and the reconstructed bits of two children XOR to their parent's. The parity of all leaves 0
 * .. x therefore telescopes along the path to x: the control bit of a node is added where the direction
 * changes, the rest comes from one leaf. */
#include "dpf.h"

#include <assert.h>
#include <openssl/crypto.h>

#include "../ctx.h"
#include "../include/abi.h"

enum { BATCH = 64, LEAF_BITS = 7 };

typedef struct Shape {
  int64_t depth;  /* direction bits, leaf included */
  int64_t levels; /* of the tree */
  int64_t words;  /* of a key */
  uint64_t mask;  /* of a number */
} Shape;

static Shape shape_of(int64_t bits) {
  assert(bits >= 1 && bits <= 64);
  int64_t depth = bits < LEAF_BITS + 1 ? LEAF_BITS + 1 : bits;
  return (Shape){depth, depth - LEAF_BITS, tfe_dpf_words(bits), ~UINT64_C(0) >> (64 - bits)};
}

/* Direction at `level`, 0 or 1. */
static uint64_t direction(Shape shape, uint64_t number, int64_t level) {
  return number >> (shape.depth - 1 - level) & 1;
}

static TfeNode node_xor(TfeNode a, TfeNode b) {
  return (TfeNode){{a.w[0] ^ b.w[0], a.w[1] ^ b.w[1]}};
}

static TfeNode node_and(TfeNode a, uint64_t mask) {
  return (TfeNode){{a.w[0] & mask, a.w[1] & mask}};
}

/* Without a branch: mask is 0 (first) or all ones (second). */
static TfeNode node_choose(TfeNode first, TfeNode second, uint64_t mask) {
  return node_xor(first, node_and(node_xor(first, second), mask));
}

static TfeNode child_input(TfeNode s, uint64_t d) {
  return (TfeNode){{(s.w[0] & ~UINT64_C(1)) ^ d << 1, s.w[1]}};
}

static TfeNode root_node(const uint64_t *root, uint64_t role) {
  return (TfeNode){{(root[0] & ~UINT64_C(1)) | role, root[1]}};
}

/* The bits 0 .. position of a leaf (position 0 .. 127). */
static TfeNode bits_up_to(uint64_t position) {
  uint64_t in_word = ~UINT64_C(0) >> (63 - (position & 63)), high = -(position >> 6 & 1);
  return (TfeNode){{in_word | high, in_word & high}};
}

static uint64_t parity(TfeNode a) {
  uint64_t x = a.w[0] ^ a.w[1];
  for (int shift = 32; shift > 0; shift /= 2)
    x ^= x >> shift;
  return x & 1;
}

/* -- generation ------------------------------------------------------------------------------------------ */

/* Children of both parties' nodes of one batch: child[d][party]. */
typedef struct Grown {
  TfeNode node[2][BATCH];     /* [party] */
  TfeNode child[2][2][BATCH]; /* [direction][party] */
} Grown;

static void grow(const TfeHash *hash, const TfeHashKey *key, Grown *g, int64_t n) {
  for (int party = 0; party < 2; party++)
    for (uint64_t d = 0; d < 2; d++) {
      for (int64_t i = 0; i < n; i++)
        g->child[d][party][i] = child_input(g->node[party][i], d);
      hash->nodes(key, g->child[d][party], g->child[d][party], n);
    }
}

/* An inner level for key i of the batch: writes its correction, moves both nodes to the child towards
 * alpha. */
static void correct_level(Grown *g, int64_t i, uint64_t a, int64_t level, Shape shape, uint64_t *words) {
  TfeNode left = node_xor(g->child[0][0][i], g->child[0][1][i]);
  TfeNode right = node_xor(g->child[1][0][i], g->child[1][1][i]);
  uint64_t t_left = (left.w[0] ^ a ^ 1) & 1, t_right = (right.w[0] ^ a) & 1;
  TfeNode seed =
      node_choose(right, left, -a); /* the child away from alpha: both parties get the same there */
  words[2 * level] = (seed.w[0] & ~UINT64_C(1)) | t_left;
  words[2 * level + 1] = seed.w[1];
  words[shape.words - 1] |= t_right << level;
  seed.w[0] = (seed.w[0] & ~UINT64_C(1)) | (t_left ^ ((t_left ^ t_right) & a));
  for (int party = 0; party < 2; party++) {
    uint64_t t = -(g->node[party][i].w[0] & 1);
    TfeNode kept = node_choose(g->child[0][party][i], g->child[1][party][i], -a);
    g->node[party][i] = node_xor(kept, node_and(seed, t));
  }
}

static void correct_leaf(const Grown *g, int64_t i, uint64_t alpha, uint64_t a, uint64_t *leaf) {
  uint64_t bit = UINT64_C(1) << (alpha & 63), high = -(alpha >> 6 & 1);
  TfeNode unit = {{bit & ~high, bit & high}};
  TfeNode left = node_xor(g->child[0][0][i], g->child[0][1][i]);
  TfeNode right = node_xor(g->child[1][0][i], g->child[1][1][i]);
  left = node_xor(left, node_and(unit, a - 1));
  right = node_xor(right, node_and(unit, -a));
  leaf[0] = left.w[0], leaf[1] = left.w[1];
  leaf[2] = right.w[0], leaf[3] = right.w[1];
}

static void key_batch(const TfeHash *hash, const TfeHashKey *key, Grown *g, uint64_t *words,
                      const uint64_t *alpha, const uint64_t *root0, const uint64_t *root1, int64_t n,
                      Shape shape) {
  int64_t last = shape.levels - 1;
  for (int64_t i = 0; i < n; i++) {
    g->node[0][i] = root_node(root0 + 2 * i, 0);
    g->node[1][i] = root_node(root1 + 2 * i, 1);
    words[(i + 1) * shape.words - 1] = 0;
  }
  for (int64_t level = 0; level <= last; level++) {
    grow(hash, key, g, n);
    for (int64_t i = 0; i < n; i++) {
      uint64_t number = alpha[i] & shape.mask, a = direction(shape, number, level);
      if (level < last)
        correct_level(g, i, a, level, shape, words + i * shape.words);
      else
        correct_leaf(g, i, number, a, words + i * shape.words + 2 * last);
    }
  }
}

void tfe_dpf_key_with(const TfeHash *hash, const uint8_t bytes[16], uint64_t *words, const uint64_t *alpha,
                      const uint64_t *root0, const uint64_t *root1, int64_t n, int64_t bits) {
  Shape shape = shape_of(bits);
  TfeHashKey key;
  Grown grown;
  hash->start(&key, bytes);
  for (int64_t i = 0; i < n; i += BATCH)
    key_batch(hash, &key, &grown, words + i * shape.words, alpha + i, root0 + 2 * i, root1 + 2 * i,
              n - i < BATCH ? n - i : BATCH, shape);
  hash->stop(&key);
  OPENSSL_cleanse(&grown, sizeof grown);
}

/* -- evaluation ------------------------------------------------------------------------------------------ */

typedef struct Walk {
  TfeNode node[BATCH], child[BATCH];
  uint64_t parity[BATCH];
} Walk;

/* One step of walk i towards x. `child` is the hashed child in direction d. */
static void step(Walk *w, int64_t i, uint64_t d, int64_t level, Shape shape, const uint64_t *words) {
  int64_t last = shape.levels - 1;
  uint64_t t = -(w->node[i].w[0] & 1);
  TfeNode correction;
  if (level < last) {
    uint64_t t_left = words[2 * level] & 1, t_right = words[shape.words - 1] >> level & 1;
    correction =
        (TfeNode){{(words[2 * level] & ~UINT64_C(1)) | (d ? t_right : t_left), words[2 * level + 1]}};
  } else {
    const uint64_t *leaf = words + 2 * last + 2 * (int64_t)d;
    correction = (TfeNode){{leaf[0], leaf[1]}};
  }
  w->node[i] = node_xor(w->child[i], node_and(correction, t));
}

static void eval_batch(const TfeHash *hash, const TfeHashKey *key, Walk *w, uint64_t *out, const uint64_t *x,
                       const uint64_t *root, const uint64_t *words, int64_t n, Shape shape, uint64_t role) {
  for (int64_t i = 0; i < n; i++) {
    w->node[i] = root_node(root + 2 * i, role);
    w->parity[i] = 0;
  }
  for (int64_t level = 0; level < shape.levels; level++) {
    for (int64_t i = 0; i < n; i++) {
      uint64_t number = x[i] & shape.mask, d = direction(shape, number, level);
      uint64_t old = level > 0 ? direction(shape, number, level - 1) : 0;
      w->parity[i] ^= w->node[i].w[0] & (d ^ old);
      w->child[i] = child_input(w->node[i], d);
    }
    hash->nodes(key, w->child, w->child, n);
    for (int64_t i = 0; i < n; i++)
      step(w, i, direction(shape, x[i] & shape.mask, level), level, shape, words + i * shape.words);
  }
  for (int64_t i = 0; i < n; i++) {
    uint64_t number = x[i] & shape.mask, d = direction(shape, number, shape.levels - 1);
    TfeNode chosen =
        node_xor(bits_up_to(number & 127), (TfeNode){{-d, -d}}); /* came from the right: the bits above */
    TfeNode leaf = {{chosen.w[0] & w->node[i].w[0], chosen.w[1] & w->node[i].w[1]}};
    out[i] = w->parity[i] ^ parity(leaf);
  }
}

void tfe_dpf_eval_with(const TfeHash *hash, const uint8_t bytes[16], uint64_t *out, const uint64_t *x,
                       const uint64_t *root, const uint64_t *words, int64_t n, int64_t bits, int64_t role) {
  Shape shape = shape_of(bits);
  TfeHashKey key;
  Walk walk;
  hash->start(&key, bytes);
  for (int64_t i = 0; i < n; i += BATCH)
    eval_batch(hash, &key, &walk, out + i, x + i, root + 2 * i, words + i * shape.words,
               n - i < BATCH ? n - i : BATCH, shape, (uint64_t)role & 1);
  hash->stop(&key);
  OPENSSL_cleanse(&walk, sizeof walk);
}

/* -- ABI ------------------------------------------------------------------------------------------------- */

static const uint8_t *key_of(const TfeCtx *ctx) {
  return ctx ? ctx->hash_key : tfe_hash_default_key;
}

void tfe_dpf_key(TfeCtx *ctx, uint64_t *words, const uint64_t *alpha, const uint64_t *root0,
                 const uint64_t *root1, int64_t n, int64_t bits) {
  tfe_dpf_key_with(tfe_hash(), key_of(ctx), words, alpha, root0, root1, n, bits);
}

void tfe_dpf_eval(TfeCtx *ctx, uint64_t *out, const uint64_t *x, const uint64_t *root, const uint64_t *words,
                  int64_t n, int64_t bits, int64_t role) {
  tfe_dpf_eval_with(tfe_hash(), key_of(ctx), out, x, root, words, n, bits, role);
}
