/* Comparison keys (dpf.h) many at a time, for instruction sets that gain more from that than from the hash of
 * many nodes: inside of gate/ only. The same bits as everywhere. */
#ifndef TFE_DPF_BATCH_H
#define TFE_DPF_BATCH_H

#include "dpf_layout.h"
#include "hash.h"

enum { DPF_LEAF_BITS = 7 };

typedef struct DpfShape {
  int64_t depth;  /* direction bits, leaf included */
  int64_t levels; /* of the tree */
  int64_t words;  /* of a key */
  uint64_t mask;  /* of a number */
} DpfShape;

/* Walk i is that of number x[i], with the key i / points. */
typedef struct DpfWalks {
  uint64_t *out;
  const uint64_t *x, *root, *words;
  int64_t points;
  uint64_t role;
} DpfWalks;

/* Key i is words[i, W], for alpha[i] and the two roots. */
typedef struct DpfKeys {
  uint64_t *words;
  const uint64_t *alpha, *root[2];
} DpfKeys;

/* Walks, or keys, first .. first + n - 1. */
typedef struct TfeDpfBatch {
  void (*key)(const TfeHashKey *key, const DpfKeys *keys, int64_t first, int64_t n, DpfShape shape);
  void (*eval)(const TfeHashKey *key, const DpfWalks *walks, int64_t first, int64_t n, DpfShape shape);
  void (*point)(const TfeHashKey *key, const DpfWalks *walks, int64_t first, int64_t n, DpfShape shape);
} TfeDpfBatch;

#if defined(__x86_64__)
extern const TfeDpfBatch tfe_dpf_avx2, tfe_dpf_vaes;
#endif

/* The bits 0 .. position of a leaf (position 0 .. 127). */
static inline TfeNode dpf_bits_up_to(uint64_t position) {
  uint64_t in_word = ~UINT64_C(0) >> (63 - (position & 63)), high = -(position >> 6 & 1);
  return (TfeNode){{in_word | high, in_word & high}};
}

/* What the leaf of a number adds to the parity of those passed by: its bits up to the number, or those above
 * if the last turn is to the right, as the parity of the whole is counted then. */
static inline uint64_t dpf_prefix_of(TfeNode leaf, uint64_t number) {
  TfeNode up_to = dpf_bits_up_to(number & 127);
  uint64_t right = -(number >> DPF_LEAF_BITS & 1);
  uint64_t sum = (leaf.w[0] & (up_to.w[0] ^ right)) ^ (leaf.w[1] & (up_to.w[1] ^ right));
  for (int shift = 32; shift > 0; shift /= 2)
    sum ^= sum >> shift;
  return sum & 1;
}

/* Bit `number` of its leaf; the number is public. */
static inline uint64_t dpf_bit_of(TfeNode leaf, uint64_t number) {
  return leaf.w[number >> 6 & 1] >> (number & 63) & 1;
}

#endif
