/* The one source of randomness: AES-128-CTR, addressed, never streamed.
 *
 * The counter block of a draw is (op: 32 bits, instance: 48 bits, block: 48 bits), big-endian fields in
 * this order. Word k of a draw is the 8-byte half k % 2 of AES_key(counter block k / 2), read
 * little-endian. Elements of 2 to 64 bits take one word each: element e is the low `bits` bits of word e.
 * Elements of one bit take 64 to the word: element e is bit e % 64 of word e / 64. Two parties that share
 * a key draw the same without a message; the compiler never uses one (op, instance) for two values.
 *
 * Any part of a draw can be made by itself, again and again: generated code makes masks block by block
 * where it uses them instead of keeping them in memory. */
#ifndef TFE_PRG_H
#define TFE_PRG_H

#include <stdint.h>

#include "../status.h"
#include "ctr.h"

struct TfeCtx;

TfeStatus tfe_keys_init(struct TfeCtx *ctx) TFE_MUST_USE; /* allocates ctx->keys for party_count peers */
void tfe_keys_free(struct TfeCtx *ctx);
/* The pairwise key of this session (from the TLS exporter of the connection); own party number: from the
 * OS. */
TfeStatus tfe_keys_set(struct TfeCtx *ctx, int64_t peer, const uint8_t key[TFE_KEY_BYTES]) TFE_MUST_USE;
/* The same 16 bytes again, NULL: there is no key. */
const uint8_t *tfe_keys_get(const struct TfeCtx *ctx, int64_t peer);
/* The seed of public randomness that the session agreed on. */
void tfe_keys_set_public(struct TfeCtx *ctx, uint64_t seed);
uint64_t tfe_keys_public(const struct TfeCtx *ctx);

/* Elements from .. from+n-1 of a draw, below 2^bits, from any key: for tests and for generator states. from is a
 * multiple of TFE_PRG_UNIT. The second one takes a table of one's choice. */
enum { TFE_PRG_UNIT = 128 };
void tfe_prg_words(const uint8_t key[TFE_KEY_BYTES], uint32_t op, uint64_t instance, int bits, uint64_t *out,
                   int64_t n);
void tfe_prg_words_with(const TfeCtr *ctr, const uint8_t key[TFE_KEY_BYTES], uint32_t op, uint64_t instance,
                        int bits, uint64_t *out, int64_t from, int64_t n);

#endif
