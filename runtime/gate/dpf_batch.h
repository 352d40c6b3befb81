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
extern const TfeDpfBatch tfe_dpf_vaes;
#endif

#endif
