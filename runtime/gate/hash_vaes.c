/* Hash of nodes (hash.h) with VAES on 512-bit vectors: four nodes a vector, eight vectors in flight. */
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

/* `count` (constant) vectors at once; the last one holds the lanes of mask `last`, two for each node. */
INLINE void hash_some(int count, __mmask8 last, const __m512i *keys, TfeNode *out, const TfeNode *in) {
  __m512i s[FLIGHT], x[FLIGHT];
#pragma GCC unroll 8
  for (int i = 0; i < count; i++) {
    s[i] = _mm512_maskz_loadu_epi64(i == count - 1 ? last : 0xff, &in[4 * i]);
    x[i] = _mm512_xor_si512(s[i], keys[0]);
  }
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++)
#pragma GCC unroll 8
    for (int i = 0; i < count; i++)
      x[i] = _mm512_aesenc_epi128(x[i], keys[round]);
#pragma GCC unroll 8
  for (int i = 0; i < count; i++) {
    x[i] = _mm512_xor_si512(s[i], _mm512_aesenclast_epi128(x[i], keys[10]));
    _mm512_mask_storeu_epi64(&out[4 * i], i == count - 1 ? last : 0xff, x[i]);
  }
}

static void nodes(const TfeHashKey *key, TfeNode *out, const TfeNode *in, int64_t n) {
  __m512i keys[11];
  for (int i = 0; i < 11; i++)
    keys[i] = _mm512_broadcast_i32x4(_mm_load_si128((const void *)&key->rounds[i]));
  int64_t i = 0;
  for (; i + 4 * FLIGHT <= n; i += 4 * FLIGHT)
    hash_some(FLIGHT, 0xff, keys, out + i, in + i);
  for (; i + 4 <= n; i += 4)
    hash_some(1, 0xff, keys, out + i, in + i);
  if (i < n)
    hash_some(1, (__mmask8)(0xff >> (8 - 2 * (n - i))), keys, out + i, in + i);
}

const TfeHash tfe_hash_vaes = {"vaes", start, nodes, stop};
#endif
