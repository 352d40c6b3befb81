/* Counter mode (ctr.h) with AES-NI: eight blocks in flight hide the latency of a round. */
#include "ctr.h"

#if defined(__x86_64__)
#include <openssl/crypto.h>
#include <string.h>

#include "../aes_key.h"

#define INLINE static inline __attribute__((always_inline))

enum { FLIGHT = 8 };

static bool start(TfeCtrKey *key, const uint8_t bytes[TFE_KEY_BYTES]) {
  __m128i rounds[11];
  aes_expand(rounds, bytes);
  for (int i = 0; i < 11; i++)
    _mm_store_si128((void *)key->rounds[i], rounds[i]);
  OPENSSL_cleanse(rounds, sizeof rounds);
  return true;
}

/* The key stream of `count` (constant) blocks. */
INLINE void encrypt(int count, const __m128i *keys, __m128i counter, __m128i *x) {
  const __m128i swap = _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
#pragma GCC unroll 8
  for (int i = 0; i < count; i++)
    x[i] = _mm_xor_si128(keys[0], _mm_shuffle_epi8(_mm_add_epi64(counter, _mm_set_epi64x(i, 0)), swap));
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++)
#pragma GCC unroll 8
    for (int i = 0; i < count; i++)
      x[i] = _mm_aesenc_si128(x[i], keys[round]);
#pragma GCC unroll 8
  for (int i = 0; i < count; i++)
    x[i] = _mm_aesenclast_si128(x[i], keys[10]);
}

static void words(const TfeCtrKey *key, TfeCtrAt at, uint64_t mask, uint64_t *out, int64_t n,
                  const uint64_t *fetch) {
  __m128i keys[11], x[FLIGHT], m = _mm_set1_epi64x((int64_t)mask);
  for (int i = 0; i < 11; i++)
    keys[i] = _mm_load_si128((const void *)key->rounds[i]);
  __m128i counter = _mm_set_epi64x((int64_t)tfe_ctr_low(at), (int64_t)tfe_ctr_high(at));
  for (; n >= 2 * FLIGHT; n -= 2 * FLIGHT, out += 2 * FLIGHT) {
    if (n % 64 < 2 * FLIGHT && fetch) {
      tfe_ctr_fetch(fetch);
      fetch += 64;
    }
    encrypt(FLIGHT, keys, counter, x);
#pragma GCC unroll 8
    for (int i = 0; i < FLIGHT; i++)
      _mm_storeu_si128((void *)(out + 2 * i), _mm_and_si128(x[i], m));
    counter = _mm_add_epi64(counter, _mm_set_epi64x(FLIGHT, 0));
  }
  for (; n > 0; n -= 2, out += 2) {
    encrypt(1, keys, counter, x);
    x[0] = _mm_and_si128(x[0], m);
    memcpy(out, x, n > 1 ? 16 : 8);
    counter = _mm_add_epi64(counter, _mm_set_epi64x(1, 0));
  }
  OPENSSL_cleanse(x, sizeof x);
}

static void spread(uint64_t *out, const uint64_t *words, int64_t n) {
  const __m128i one = _mm_set1_epi64x(1);
  int64_t i = 0;
  for (; i + 2 <= n; i += 2) {
    int shift = (int)(i % 64);
    uint64_t word = words[i / 64] >> shift;
    _mm_storeu_si128((void *)(out + i),
                     _mm_and_si128(_mm_set_epi64x((int64_t)(word >> 1), (int64_t)word), one));
  }
  if (i < n)
    out[i] = words[i / 64] >> (i % 64) & 1;
}

static void stop(TfeCtrKey *key) {
  OPENSSL_cleanse(key, sizeof *key);
}

const TfeCtr tfe_ctr_aesni = {"aesni", start, words, spread, stop};
#endif
