/* The one source of randomness: AES-128-CTR, addressed, never streamed.
 *
 * The counter block of a draw is (op: 32 bits, instance: 48 bits, block: 48 bits), big-endian fields in
 * this order. Word k of a draw is the 8-byte half k % 2 of AES_key(counter block k / 2), read
 * little-endian. Elements of 2 to 64 bits take one word each: element e is the low `bits` bits of word e.
 * Elements of one bit take 64 to the word: element e is bit e % 64 of word e / 64. Two parties that share
 * a key draw the same without a message; the compiler never uses one (op, instance) for two values. */
#ifndef TFE_PRG_H
#define TFE_PRG_H

#include <stdint.h>

#include "status.h"

struct TfeCtx;

enum { TFE_KEY_BYTES = 16 };

TfeStatus tfe_keys_init(struct TfeCtx *ctx) TFE_MUST_USE; /* allocates ctx->keys for party_count peers */
void tfe_keys_free(struct TfeCtx *ctx);
/* The pairwise key of this session (from the TLS exporter of the connection); own party number: from the
 * OS. */
TfeStatus tfe_keys_set(struct TfeCtx *ctx, int64_t peer, const uint8_t key[TFE_KEY_BYTES]) TFE_MUST_USE;
/* The seed of public randomness that the session agreed on. */
void tfe_keys_set_public(struct TfeCtx *ctx, uint64_t seed);

/* n elements below 2^bits from any key: for tests and for generator states. */
void tfe_prg_words(const uint8_t key[TFE_KEY_BYTES], uint32_t op, uint64_t instance, int bits, uint64_t *out,
                   int64_t n);

#endif
