/* What the tests of gates share: repeatable random words. */
#ifndef TFE_GATE_FIXTURE_H
#define TFE_GATE_FIXTURE_H

#include <stdlib.h>

static uint64_t state = 1;

static inline uint64_t next(void) {
  uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static inline uint64_t *new_random(int64_t n) {
  uint64_t *words = malloc((size_t)n * 8 + 1);
  assert_non_null(words);
  for (int64_t i = 0; i < n; i++)
    words[i] = next();
  return words;
}

static inline uint64_t low(uint64_t x, int64_t bits) {
  return bits ? x & ~UINT64_C(0) >> (64 - bits) : 0;
}

#endif
