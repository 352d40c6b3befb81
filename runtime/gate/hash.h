/* The hash of tree nodes: H(s) = AES-128_K(s) xor s with a fixed public key K (Matyas, Meyer, Oseas). One
 * table for each instruction set; all give the same bits.
 *
 * K is of the session (TfeCtx.hash_key), because the bound on attacks counts all nodes under one key
 * (Guo, Katz, Wang, Yu, S&P 2020); without a session, as in tests, the first 128 bits of the fraction of pi. */
#ifndef TFE_HASH_H
#define TFE_HASH_H

#include <stdint.h>

/* A 128-bit node; w[0] holds bits 0 .. 63. As bytes: little-endian. */
typedef struct TfeNode {
  _Alignas(16) uint64_t w[2];
} TfeNode;

/* The expanded key. */
typedef struct TfeHashKey {
  TfeNode rounds[11];
  void *cipher; /* hash_c.c */
} TfeHashKey;

typedef struct TfeHash {
  const char *name;
  void (*start)(TfeHashKey *key, const uint8_t bytes[16]);
  void (*nodes)(const TfeHashKey *key, TfeNode *out, const TfeNode *in, int64_t n); /* out may be in */
  void (*stop)(TfeHashKey *key);
} TfeHash;

extern const uint8_t tfe_hash_default_key[16];
extern const TfeHash tfe_hash_c;
#if defined(__x86_64__)
extern const TfeHash tfe_hash_aesni, tfe_hash_vaes;
#endif

struct TfeCtx;
/* The key of a session; NULL: the default key. */
const uint8_t *tfe_hash_key(const struct TfeCtx *ctx);
const TfeHash *tfe_hash(void); /* for tfe_cpu(), ring/cpu.h */
/* Number i of the tables that this machine can run, from 0, the portable one first; NULL after the last. */
const TfeHash *tfe_hash_tier(int i);

#endif
