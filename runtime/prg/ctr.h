/* AES-128 in counter mode as the generator needs it (prg.h), one table for each instruction set; all give the
 * same bits. */
#ifndef TFE_CTR_H
#define TFE_CTR_H

#include <stdbool.h>
#include <stdint.h>

enum { TFE_KEY_BYTES = 16 };

/* The expanded key: a copy of it is not a key. */
typedef struct TfeCtrKey {
  _Alignas(64) uint8_t rounds[11][64]; /* each four times */
  void *cipher;                        /* ctr_c.c */
} TfeCtrKey;

/* Where words of a draw are: the counter block they begin with is (op, instance, block). */
typedef struct TfeCtrAt {
  uint32_t op;
  uint64_t instance, block; /* below 2^48 */
} TfeCtrAt;

typedef struct TfeCtr {
  const char *name;
  bool (*start)(TfeCtrKey *key, const uint8_t bytes[TFE_KEY_BYTES]); /* false: no memory */
  /* n words from `at` on, each & mask. fetch: n words that come nearer meanwhile, or NULL. */
  void (*words)(const TfeCtrKey *key, TfeCtrAt at, uint64_t mask, uint64_t *out, int64_t n,
                const uint64_t *fetch);
  /* out[i] = bit i % 64 of words[i / 64] for i < n */
  void (*spread)(uint64_t *out, const uint64_t *words, int64_t n);
  void (*stop)(TfeCtrKey *key); /* wipes it */
} TfeCtr;

extern const TfeCtr tfe_ctr_c;
#if defined(__x86_64__)
extern const TfeCtr tfe_ctr_aesni, tfe_ctr_vaes;
#endif

const TfeCtr *tfe_ctr(void); /* for tfe_cpu(), ring/cpu.h */
/* Number i of the tables that this machine can run, from 0, the portable one first; NULL after the last. */
const TfeCtr *tfe_ctr_tier(int i);

/* Asks for 64 words, if fetch is not NULL. Always inline: gcc drops the call of a function that only prefetches. */
__attribute__((always_inline)) static inline void tfe_ctr_fetch(const uint64_t *fetch) {
  if (!fetch)
    return;
#pragma GCC unroll 8
  for (int i = 0; i < 64; i += 8)
    __builtin_prefetch(fetch + i);
}

/* The halves of a counter block as big-endian numbers. Adding to the second one counts blocks. */
static inline uint64_t tfe_ctr_high(TfeCtrAt at) {
  return (uint64_t)at.op << 32 | at.instance >> 16;
}

static inline uint64_t tfe_ctr_low(TfeCtrAt at) {
  return at.instance << 48 | at.block;
}

#endif
