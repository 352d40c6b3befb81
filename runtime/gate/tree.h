/* Nodes of the binary trees that function secret sharing walks (dpf.h, spline.h). A node is 128 bits, bit 0 the
 * control bit; party `role` has the root whose bit 0 is its role. Shares of the control bit XOR to 1 exactly on
 * the path to the special leaf. Everything but directions towards public numbers is used under masks. */
#ifndef TFE_TREE_H
#define TFE_TREE_H

#include "hash.h"

static inline TfeNode tree_xor(TfeNode a, TfeNode b) {
  return (TfeNode){{a.w[0] ^ b.w[0], a.w[1] ^ b.w[1]}};
}

static inline TfeNode tree_and(TfeNode a, uint64_t mask) {
  return (TfeNode){{a.w[0] & mask, a.w[1] & mask}};
}

/* Without a branch: mask is 0 (first) or all ones (second). */
static inline TfeNode tree_choose(TfeNode first, TfeNode second, uint64_t mask) {
  return tree_xor(first, tree_and(tree_xor(first, second), mask));
}

static inline TfeNode tree_root(const uint64_t *root, uint64_t role) {
  return (TfeNode){{(root[0] & ~UINT64_C(1)) | role, root[1]}};
}

/* What is hashed for child d; and for the numbers of block `block` that belong to it. */
static inline TfeNode tree_child(TfeNode s, uint64_t d) {
  return (TfeNode){{(s.w[0] & ~UINT64_C(1)) ^ d << 1, s.w[1]}};
}

static inline TfeNode tree_value(TfeNode s, uint64_t d, uint64_t block) {
  return (TfeNode){{(s.w[0] & ~UINT64_C(1)) ^ d << 1 ^ (block + 1) << 2, s.w[1]}};
}

/* The dealer at an inner node of both parties, with the hashed children [direction][party]: writes the seed
 * correction, whose bit 0 is the control correction of the left child, returns that of the right one, and moves
 * both nodes to the child in direction a, towards the special leaf. */
static inline uint64_t tree_correct(TfeNode node[2], const TfeNode child[2][2], uint64_t a,
                                    uint64_t words[2]) {
  TfeNode left = tree_xor(child[0][0], child[0][1]), right = tree_xor(child[1][0], child[1][1]);
  uint64_t t_left = (left.w[0] ^ a ^ 1) & 1, t_right = (right.w[0] ^ a) & 1;
  TfeNode seed = tree_choose(right, left, -a); /* the child away from it: both parties get the same there */
  words[0] = (seed.w[0] & ~UINT64_C(1)) | t_left;
  words[1] = seed.w[1];
  seed.w[0] = (seed.w[0] & ~UINT64_C(1)) | (t_left ^ ((t_left ^ t_right) & a));
  for (int party = 0; party < 2; party++) {
    TfeNode kept = tree_choose(child[0][party], child[1][party], -a);
    node[party] = tree_xor(kept, tree_and(seed, -(node[party].w[0] & 1)));
  }
  return t_right;
}

/* One party's child in the public direction d: `hashed`, corrected if the node's control bit is set. */
static inline TfeNode tree_step(TfeNode node, TfeNode hashed, uint64_t d, const uint64_t words[2],
                                uint64_t t_right) {
  TfeNode correction = {{d ? (words[0] & ~UINT64_C(1)) | t_right : words[0], words[1]}};
  return tree_xor(hashed, tree_and(correction, -(node.w[0] & 1)));
}

#endif
