/* Steps of the trees of distributed point functions (Boyle, Gilboa, Ishai, eprint 2018/707), shared by the
 * gates: which bits of a node mean what, and the correction of a level.
 *
 *   node      128 bits, bit 0 = control bit; word 0 holds bits 0 .. 63
 *   child d   H(s without bit 0, bit 1 flipped if d)
 *   level     a correction of 128 bits, bit 0 = control correction of the left child, and one bit more, the
 *             control correction of the right child
 *
 * The two parties' nodes differ only on the path to alpha, and there their control bits XOR to 1. Functions
 * of two nodes are the dealer's, who has both. Nothing here branches on a node, a or alpha; d is public. */
#ifndef TFE_TREE_H
#define TFE_TREE_H

#include "hash.h"

static inline TfeNode tree_xor(TfeNode a, TfeNode b) {
  return (TfeNode){{a.w[0] ^ b.w[0], a.w[1] ^ b.w[1]}};
}

static inline TfeNode tree_and(TfeNode a, uint64_t mask) {
  return (TfeNode){{a.w[0] & mask, a.w[1] & mask}};
}

/* mask is 0 (first) or all ones (second). */
static inline TfeNode tree_choose(TfeNode first, TfeNode second, uint64_t mask) {
  return tree_xor(first, tree_and(tree_xor(first, second), mask));
}

static inline TfeNode tree_root(const uint64_t *root, uint64_t role) {
  return (TfeNode){{(root[0] & ~UINT64_C(1)) | role, root[1]}};
}

/* What H is applied to for child d. */
static inline TfeNode tree_child(TfeNode s, uint64_t d) {
  return (TfeNode){{(s.w[0] & ~UINT64_C(1)) ^ d << 1, s.w[1]}};
}

/* All ones if the control bit is set. */
static inline uint64_t tree_control(TfeNode s) {
  return -(s.w[0] & 1);
}

/* The dealer's correction of a level from the children of both parties, left and right (XORed already); a is
 * alpha's direction. The child away from alpha becomes the same for both. */
static inline TfeNode tree_correction(TfeNode left, TfeNode right, uint64_t a, uint64_t *t_right) {
  TfeNode seed = tree_choose(right, left, -a);
  seed.w[0] = (seed.w[0] & ~UINT64_C(1)) | ((left.w[0] ^ a ^ 1) & 1);
  *t_right = (right.w[0] ^ a) & 1;
  return seed;
}

/* The correction as child d needs it: bit 0 is the control correction of that child. Takes d as a mask bit,
 * so that the dealer can pass alpha's direction. */
static inline TfeNode tree_correction_of(TfeNode correction, uint64_t t_right, uint64_t d) {
  correction.w[0] ^= (correction.w[0] ^ t_right) & d;
  return correction;
}

/* A child from its hash, its parent and the correction as it needs it. */
static inline TfeNode tree_step(TfeNode parent, TfeNode hashed, TfeNode correction) {
  return tree_xor(hashed, tree_and(correction, tree_control(parent)));
}

/* The dealer's nodes of some keys and their children. */
enum { TREE_BATCH = 64 };

typedef struct TreePair {
  TfeNode node[2][TREE_BATCH];     /* [party] */
  TfeNode child[2][2][TREE_BATCH]; /* [direction][party], hashed */
} TreePair;

static inline void tree_grow(const TfeHash *hash, const TfeHashKey *key, TreePair *p, int64_t n) {
  for (int party = 0; party < 2; party++)
    for (uint64_t d = 0; d < 2; d++) {
      for (int64_t i = 0; i < n; i++)
        p->child[d][party][i] = tree_child(p->node[party][i], d);
      hash->nodes(key, p->child[d][party], p->child[d][party], n);
    }
}

/* Corrects a grown level of key i and moves both its nodes to the child towards alpha. */
static inline TfeNode tree_descend(TreePair *p, int64_t i, uint64_t a, uint64_t *t_right) {
  TfeNode left = tree_xor(p->child[0][0][i], p->child[0][1][i]);
  TfeNode right = tree_xor(p->child[1][0][i], p->child[1][1][i]);
  TfeNode correction = tree_correction(left, right, a, t_right);
  TfeNode kept = tree_correction_of(correction, *t_right, a);
  for (int party = 0; party < 2; party++) {
    TfeNode hashed = tree_choose(p->child[0][party][i], p->child[1][party][i], -a);
    p->node[party][i] = tree_step(p->node[party][i], hashed, kept);
  }
  return correction;
}

#endif
