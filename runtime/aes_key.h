/* AES-128 key schedule with AES-NI, for the files of that instruction set; compile with -maes. */
#ifndef TFE_AES_KEY_H
#define TFE_AES_KEY_H

#include <immintrin.h>
#include <stdint.h>

/* FIPS 197, 5.2: the next round key from the last one and the assistant's word. */
static inline __m128i aes_next_key(__m128i key, __m128i assist) {
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
  return _mm_xor_si128(key, _mm_shuffle_epi32(assist, 0xff));
}

/* The 11 round keys. */
static inline void aes_expand(__m128i k[11], const uint8_t bytes[16]) {
  k[0] = _mm_loadu_si128((const void *)bytes);
  k[1] = aes_next_key(k[0], _mm_aeskeygenassist_si128(k[0], 0x01));
  k[2] = aes_next_key(k[1], _mm_aeskeygenassist_si128(k[1], 0x02));
  k[3] = aes_next_key(k[2], _mm_aeskeygenassist_si128(k[2], 0x04));
  k[4] = aes_next_key(k[3], _mm_aeskeygenassist_si128(k[3], 0x08));
  k[5] = aes_next_key(k[4], _mm_aeskeygenassist_si128(k[4], 0x10));
  k[6] = aes_next_key(k[5], _mm_aeskeygenassist_si128(k[5], 0x20));
  k[7] = aes_next_key(k[6], _mm_aeskeygenassist_si128(k[6], 0x40));
  k[8] = aes_next_key(k[7], _mm_aeskeygenassist_si128(k[7], 0x80));
  k[9] = aes_next_key(k[8], _mm_aeskeygenassist_si128(k[8], 0x1b));
  k[10] = aes_next_key(k[9], _mm_aeskeygenassist_si128(k[9], 0x36));
}

#endif
