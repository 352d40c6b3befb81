/* Addressed randomness (prg.h): AES-128-CTR by OpenSSL, one cipher context for each key, made when the key
 * is set.
 *
 * Drawing has no status: with a valid context AES cannot fail, and a mask that is not random must never be
 * used, so a failure that contradicts this ends the process at once. */
#include "prg.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "include/abi.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words of a draw are read as they lie in memory");

struct TfeKeys {
  int64_t count;
  EVP_CIPHER_CTX **ciphers; /* [count], NULL: no key with this party */
  uint64_t public_seed;
  bool has_public_seed;
};

enum { CHUNK_WORDS = 4096 }; /* 32 KiB: stays in the first-level cache between cipher and mask */

static EVP_CIPHER_CTX *cipher_new(const uint8_t key[TFE_KEY_BYTES]) {
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  if (cipher && EVP_EncryptInit_ex(cipher, EVP_aes_128_ctr(), NULL, key, NULL) != 1) {
    EVP_CIPHER_CTX_free(cipher);
    cipher = NULL;
  }
  return cipher;
}

static void put_big_endian(uint8_t *out, int bytes, uint64_t value) {
  for (int i = bytes - 1; i >= 0; i--, value >>= 8)
    out[i] = (uint8_t)value;
}

static void start(EVP_CIPHER_CTX *cipher, uint32_t op, uint64_t instance) {
  uint8_t block[16] = {0}; /* the last six bytes count the blocks */
  assert(instance >> 48 == 0);
  put_big_endian(block, 4, op);
  put_big_endian(block + 4, 6, instance);
  if (EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, block) != 1)
    abort();
}

/* The next n words of the stream, as they come. */
static void stream(EVP_CIPHER_CTX *cipher, uint64_t *out, int64_t n) {
  int bytes = (int)(n * 8), done = 0;
  memset(out, 0, (size_t)bytes);
  if (EVP_EncryptUpdate(cipher, (uint8_t *)out, &done, (const uint8_t *)out, bytes) != 1 || done != bytes)
    abort();
}

static void draw_bits(EVP_CIPHER_CTX *cipher, uint64_t *out, int64_t n) {
  uint64_t words[64];
  for (int64_t at = 0; at < n; at += 64 * 64) {
    int64_t part = n - at < 64 * 64 ? n - at : 64 * 64;
    stream(cipher, words, (part + 63) / 64);
    for (int64_t i = 0; i < part; i++)
      out[at + i] = words[i / 64] >> (i % 64) & 1;
  }
  OPENSSL_cleanse(words, sizeof words);
}

static void draw(EVP_CIPHER_CTX *cipher, uint32_t op, uint64_t instance, int bits, uint64_t *out, int64_t n) {
  if (n <= 0)
    return;
  start(cipher, op, instance);
  if (bits == 1) {
    draw_bits(cipher, out, n);
    return;
  }
  uint64_t mask = ~UINT64_C(0) >> (64 - bits);
  for (int64_t at = 0; at < n; at += CHUNK_WORDS) {
    int64_t part = n - at < CHUNK_WORDS ? n - at : CHUNK_WORDS;
    stream(cipher, out + at, part);
    if (bits < 64)
      for (int64_t i = 0; i < part; i++)
        out[at + i] &= mask;
  }
}

TfeStatus tfe_keys_init(TfeCtx *ctx) {
  TRY(tfe_alloc(ctx, sizeof *ctx->keys, &ctx->keys));
  TRY(tfe_alloc(ctx, (size_t)ctx->program->party_count * sizeof *ctx->keys->ciphers, &ctx->keys->ciphers));
  ctx->keys->count = ctx->program->party_count;
  return TFE_OK;
}

void tfe_keys_free(TfeCtx *ctx) {
  if (!ctx->keys)
    return;
  for (int64_t i = 0; i < ctx->keys->count; i++)
    EVP_CIPHER_CTX_free(ctx->keys->ciphers[i]); /* wipes the round keys */
  tfe_release(ctx->keys->ciphers, (size_t)ctx->keys->count * sizeof *ctx->keys->ciphers);
  tfe_release(ctx->keys, sizeof *ctx->keys);
  ctx->keys = NULL;
}

TfeStatus tfe_keys_set(TfeCtx *ctx, int64_t peer, const uint8_t key[TFE_KEY_BYTES]) {
  assert(ctx->keys && peer >= 0 && peer < ctx->keys->count);
  EVP_CIPHER_CTX *cipher = cipher_new(key);
  if (!cipher)
    return tfe_fail(ctx, TFE_MEMORY, "no memory for the key with %s", tfe_party_name(ctx, peer));
  EVP_CIPHER_CTX_free(ctx->keys->ciphers[peer]);
  ctx->keys->ciphers[peer] = cipher;
  return TFE_OK;
}

void tfe_keys_set_public(TfeCtx *ctx, uint64_t seed) {
  ctx->keys->public_seed = seed;
  ctx->keys->has_public_seed = true;
}

void tfe_prg_words(const uint8_t key[TFE_KEY_BYTES], uint32_t op, uint64_t instance, int bits, uint64_t *out,
                   int64_t n) {
  assert(bits >= 1 && bits <= 64);
  EVP_CIPHER_CTX *cipher = cipher_new(key);
  if (!cipher)
    abort();
  draw(cipher, op, instance, bits, out, n);
  EVP_CIPHER_CTX_free(cipher);
}

void tfe_prg_ring(TfeCtx *ctx, uint64_t *out, int64_t n, int64_t bits, int64_t peer, int64_t op,
                  int64_t instance) {
  assert(bits >= 1 && bits <= 64 && op >= 0 && op <= UINT32_MAX && peer >= 0 && peer < ctx->keys->count);
  if (!ctx->keys->ciphers[peer])
    abort(); /* the session sets a key for every peer with TFE_LINK_KEY before the program runs */
  draw(ctx->keys->ciphers[peer], (uint32_t)op, (uint64_t)instance, (int)bits, out, n);
}

TfeStatus tfe_entropy_local(TfeCtx *ctx, uint64_t *out) {
  if (RAND_bytes((uint8_t *)out, sizeof *out) != 1)
    return tfe_fail(ctx, TFE_SYSTEM, "the operating system gives no random numbers");
  return TFE_OK;
}

TfeStatus tfe_entropy_public(TfeCtx *ctx, uint64_t *out) {
  if (!ctx->keys || !ctx->keys->has_public_seed)
    return tfe_fail(ctx, TFE_INTERNAL, "public randomness before the session agreed on a seed");
  *out = ctx->keys->public_seed;
  return TFE_OK;
}
