/* For MemorySanitizer, included before every file of the runtime: a block of AES is secret in all its bits
 * after a round if one of them was. Left to itself it follows the rounds bit by bit, and so would take the
 * control bits of a tree's nodes for public: they are always cleared before a node is hashed.
 *
 * Of instructions whose operands differ in type, as vpternlog's do, it knows some; the others it wants to be
 * public altogether, and what it then reports is not true. Such a one is to be put here in the same way, by
 * instructions that it knows. */
#ifndef TFE_MSAN_AES_H
#define TFE_MSAN_AES_H

#if defined(__AES__)
#include <immintrin.h>
#include <sanitizer/msan_interface.h>

static inline void msan_aes_spread(void *blocks, int n) {
  for (char *block = blocks; n > 0; n--, block += 16)
    if (__msan_test_shadow(block, 16) >= 0)
      __msan_poison(block, 16);
}

static inline __m128i msan_aes_1(__m128i block) {
  msan_aes_spread(&block, 1);
  return block;
}
#define _mm_aesenc_si128(block, key) msan_aes_1(_mm_aesenc_si128(block, key))
#define _mm_aesenclast_si128(block, key) msan_aes_1(_mm_aesenclast_si128(block, key))

static inline __m128i msan_aes_public(__m128i key) {
  __msan_unpoison(&key, sizeof key);
  return key;
}

static inline __m128i msan_aes_assist(__m128i key, __m128i assist) {
  if (__msan_test_shadow(&key, sizeof key) >= 0)
    __msan_poison(&assist, sizeof assist);
  return assist;
}
/* A macro in clang's header too. */
#undef _mm_aeskeygenassist_si128
#define _mm_aeskeygenassist_si128(key, constant)                                                             \
  msan_aes_assist(key, (__m128i)__builtin_ia32_aeskeygenassist128((__v2di)msan_aes_public(key), constant))

#if defined(__VAES__)
static inline __m256i msan_aes_2(__m256i blocks) {
  msan_aes_spread(&blocks, 2);
  return blocks;
}
#define _mm256_aesenc_epi128(blocks, key) msan_aes_2(_mm256_aesenc_epi128(blocks, key))
#define _mm256_aesenclast_epi128(blocks, key) msan_aes_2(_mm256_aesenclast_epi128(blocks, key))
#endif

#if defined(__VAES__) && defined(__AVX512F__)
static inline __m512i msan_aes_4(__m512i blocks) {
  msan_aes_spread(&blocks, 4);
  return blocks;
}
#define _mm512_aesenc_epi128(blocks, key) msan_aes_4(_mm512_aesenc_epi128(blocks, key))
#define _mm512_aesenclast_epi128(blocks, key) msan_aes_4(_mm512_aesenclast_epi128(blocks, key))
#endif
#endif

/* A permutation of bytes moves what is secret; it is not followed to its places, so that all bytes count. */
#if defined(__AVX512VBMI__)
#include <immintrin.h>
#include <sanitizer/msan_interface.h>

static inline __m512i msan_permute(__m512i at, __m512i x) {
  __m512i moved = _mm512_permutexvar_epi8(at, x);
  if (__msan_test_shadow(&x, sizeof x) >= 0)
    __msan_poison(&moved, sizeof moved);
  return moved;
}
#define _mm512_permutexvar_epi8(at, x) msan_permute(at, x)
#endif

#endif
