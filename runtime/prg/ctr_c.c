/* Portable counter mode (ctr.h), by OpenSSL: the reference, constant-time also where the processor has AES
 * instructions of another kind.
 *
 * With a valid context AES cannot fail, and a mask that is not random must never be used, so a failure that
 * contradicts this ends the process at once. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "ctr.h"

enum { CHUNK_WORDS = 4096 }; /* 32 KiB: stays in the first-level cache between cipher and mask */

static bool start(TfeCtrKey *key, const uint8_t bytes[TFE_KEY_BYTES]) {
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  if (cipher && EVP_EncryptInit_ex(cipher, EVP_aes_128_ctr(), NULL, bytes, NULL) != 1) {
    EVP_CIPHER_CTX_free(cipher);
    cipher = NULL;
  }
  key->cipher = cipher;
  return cipher != NULL;
}

static void put_big_endian(uint8_t out[8], uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8)
    out[i] = (uint8_t)value;
}

static void words(const TfeCtrKey *key, TfeCtrAt at, uint64_t mask, uint64_t *out, int64_t n,
                  const uint64_t *fetch) {
  (void)fetch;
  uint8_t block[16];
  put_big_endian(block, tfe_ctr_high(at));
  put_big_endian(block + 8, tfe_ctr_low(at));
  if (EVP_EncryptInit_ex(key->cipher, NULL, NULL, NULL, block) != 1)
    abort();
  for (; n > 0; n -= CHUNK_WORDS, out += CHUNK_WORDS) {
    int64_t part = n < CHUNK_WORDS ? n : CHUNK_WORDS;
    int bytes = (int)(part * 8), done = 0;
    memset(out, 0, (size_t)bytes);
    if (EVP_EncryptUpdate(key->cipher, (uint8_t *)out, &done, (const uint8_t *)out, bytes) != 1 ||
        done != bytes)
      abort();
    for (int64_t i = 0; i < part && ~mask; i++)
      out[i] &= mask;
  }
}

static void spread(uint64_t *out, const uint64_t *words, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    out[i] = words[i / 64] >> (i % 64) & 1;
}

static void stop(TfeCtrKey *key) {
  EVP_CIPHER_CTX_free(key->cipher); /* wipes the round keys */
  key->cipher = NULL;
}

const TfeCtr tfe_ctr_c = {"c", start, words, spread, stop};
