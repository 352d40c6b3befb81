/* Portable hash of nodes (hash.h): OpenSSL's AES in ECB mode, many nodes a call, which also makes it
 * constant-time where the processor has AES instructions of another kind. AES with a valid context cannot
 * fail; a key made of nodes that were not hashed must never be used, so a failure that contradicts this
 * ends the process. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

enum { PART = 512 };

static void start(TfeHashKey *key, const uint8_t bytes[16]) {
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  if (!cipher || EVP_EncryptInit_ex(cipher, EVP_aes_128_ecb(), NULL, bytes, NULL) != 1)
    abort();
  EVP_CIPHER_CTX_set_padding(cipher, 0);
  key->cipher = cipher;
}

static void nodes(const TfeHashKey *key, TfeNode *out, const TfeNode *in, int64_t n) {
  TfeNode cipher_text[PART];
  for (int64_t at = 0; at < n; at += PART) {
    int64_t part = n - at < PART ? n - at : PART;
    int bytes = (int)(part * 16), done = 0;
    if (EVP_EncryptUpdate(key->cipher, (uint8_t *)cipher_text, &done, (const uint8_t *)(in + at), bytes) !=
            1 ||
        done != bytes)
      abort();
    for (int64_t i = 0; i < part; i++)
      for (int h = 0; h < 2; h++)
        out[at + i].w[h] = in[at + i].w[h] ^ cipher_text[i].w[h];
  }
  OPENSSL_cleanse(cipher_text, (size_t)(n < PART ? n : PART) * sizeof *cipher_text);
}

static void stop(TfeHashKey *key) {
  EVP_CIPHER_CTX_free(key->cipher);
  key->cipher = NULL;
}

const TfeHash tfe_hash_c = {"c", start, nodes, stop};
