/* Counter mode (ctr.h) with VAES on 512-bit vectors: four blocks a vector, eight vectors in flight. */
#include "ctr.h"

#if defined(__x86_64__)
#include <openssl/crypto.h>

#include "../aes_key.h"

#define INLINE static inline __attribute__((always_inline))

enum { FLIGHT = 8 };

static bool start(TfeCtrKey *key, const uint8_t bytes[TFE_KEY_BYTES]) {
  __m128i rounds[11];
  aes_expand(rounds, bytes);
  for (int i = 0; i < 11; i++)
    _mm512_store_si512(key->rounds[i], _mm512_broadcast_i32x4(rounds[i]));
  OPENSSL_cleanse(rounds, sizeof rounds);
  return true;
}

/* The key stream of `count` (constant) vectors to out; the last one has the lanes of mask `last`. */
INLINE void encrypt(int count, __mmask8 last, const TfeCtrKey *key, __m512i counter, __m512i mask,
                    uint64_t *out) {
  const __m512i swap =
      _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  __m512i x[FLIGHT];
#pragma GCC unroll 8
  for (int i = 0; i < count; i++) {
    __m512i blocks = _mm512_set_epi64(4 * i, 0, 4 * i, 0, 4 * i, 0, 4 * i, 0);
    x[i] = _mm512_xor_si512(_mm512_load_si512(key->rounds[0]),
                            _mm512_shuffle_epi8(_mm512_add_epi64(counter, blocks), swap));
  }
#pragma GCC unroll 9
  for (int round = 1; round < 10; round++) {
    __m512i k = _mm512_load_si512(key->rounds[round]);
#pragma GCC unroll 8
    for (int i = 0; i < count; i++)
      x[i] = _mm512_aesenc_epi128(x[i], k);
  }
#pragma GCC unroll 8
  for (int i = 0; i < count; i++) {
    x[i] = _mm512_and_si512(_mm512_aesenclast_epi128(x[i], _mm512_load_si512(key->rounds[10])), mask);
    _mm512_mask_storeu_epi64(out + 8 * i, i == count - 1 ? last : 0xff, x[i]);
  }
}

static void words(const TfeCtrKey *key, TfeCtrAt at, uint64_t mask, uint64_t *out, int64_t n,
                  const uint64_t *fetch) {
  const __m512i m = _mm512_set1_epi64((int64_t)mask), step = _mm512_set_epi64(3, 0, 2, 0, 1, 0, 0, 0);
  const __m512i flight = _mm512_maskz_set1_epi64(0xaa, 4 * FLIGHT), one = _mm512_maskz_set1_epi64(0xaa, 4);
  __m512i counter = _mm512_mask_set1_epi64(step, 0x55, (int64_t)tfe_ctr_high(at));
  counter = _mm512_add_epi64(counter, _mm512_maskz_set1_epi64(0xaa, (int64_t)tfe_ctr_low(at)));
  for (; n >= 8 * FLIGHT; n -= 8 * FLIGHT, out += 8 * FLIGHT) {
    tfe_ctr_fetch(fetch);
    fetch += fetch ? 8 * FLIGHT : 0;
    encrypt(FLIGHT, 0xff, key, counter, m, out);
    counter = _mm512_add_epi64(counter, flight);
  }
  for (; n > 0; n -= 8, out += 8) {
    encrypt(1, (__mmask8)(n < 8 ? (1 << n) - 1 : 0xff), key, counter, m, out);
    counter = _mm512_add_epi64(counter, one);
  }
}

static void spread(uint64_t *out, const uint64_t *words, int64_t n) {
  const __m512i lanes = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), one = _mm512_set1_epi64(1);
  for (int64_t i = 0; i < n; i += 8) {
    __m512i word = _mm512_set1_epi64((int64_t)(words[i / 64] >> (i % 64)));
    __mmask8 some = (__mmask8)(n - i < 8 ? (1 << (n - i)) - 1 : 0xff);
    _mm512_mask_storeu_epi64(out + i, some, _mm512_and_si512(_mm512_srlv_epi64(word, lanes), one));
  }
}

static void stop(TfeCtrKey *key) {
  OPENSSL_cleanse(key, sizeof *key);
}

const TfeCtr tfe_ctr_vaes = {"vaes", start, words, spread, stop};
#endif
