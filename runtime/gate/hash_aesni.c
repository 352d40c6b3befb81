/* Hash of nodes (hash.h) with AES-NI: eight nodes in flight hide the latency of a round. */
#include "hash.h"

#if defined(__x86_64__)
#include "../aes_key.h"

#define INLINE static inline __attribute__((always_inline))

enum { FLIGHT = 8 };

static void start(TfeHashKey *key, const uint8_t bytes[16]) {
  aes_expand((__m128i *)key->rounds, bytes);
}

static void stop(TfeHashKey *key) {
  (void)key;
}

/* `count` (constant) nodes at once. */
INLINE void hash_some(int count, const __m128i *keys, TfeNode *out, const TfeNode *in) {
  __m128i s[FLIGHT], x[FLIGHT];
#pragma GCC unroll 8
  for (int i = 0; i < count; i++) {
    s[i] = _mm_load_si128((const void *)&in[i]);
    x[i] = _mm_xor_si128(s[i], keys[0]);
  }
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++)
#pragma GCC unroll 8
    for (int i = 0; i < count; i++)
      x[i] = _mm_aesenc_si128(x[i], keys[round]);
#pragma GCC unroll 8
  for (int i = 0; i < count; i++)
    _mm_store_si128((void *)&out[i], _mm_xor_si128(s[i], _mm_aesenclast_si128(x[i], keys[10])));
}

static void nodes(const TfeHashKey *key, TfeNode *out, const TfeNode *in, int64_t n) {
  __m128i keys[11];
  for (int i = 0; i < 11; i++)
    keys[i] = _mm_load_si128((const void *)&key->rounds[i]);
  int64_t i = 0;
  for (; i + FLIGHT <= n; i += FLIGHT)
    hash_some(FLIGHT, keys, out + i, in + i);
  for (; i < n; i++)
    hash_some(1, keys, out + i, in + i);
}

const TfeHash tfe_hash_aesni = {"aesni", start, nodes, stop};
#endif
