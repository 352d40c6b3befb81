/* Addressed randomness (prg.h): keys, and elements of any width from the words of counter mode. Drawing has
 * no status: with a key it cannot fail. */
#include "prg.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "../ctx.h"
#include "../include/abi.h"
#include "../pool.h"
#include "../ring/cpu.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words of a draw are read as they lie in memory");

typedef struct PairKey {
  bool is_set;
  uint8_t raw[TFE_KEY_BYTES]; /* for checkpoints */
  TfeCtrKey expanded;
} PairKey;

struct TfeKeys {
  int64_t count;
  PairKey *pairs; /* [count] */
  uint64_t public_seed;
  bool has_public_seed;
};

#define OP_ENTROPY UINT32_MAX /* of the party's own key; operations of programs have lower numbers */
enum {
  BIT_WORDS = 64,         /* made at a time for elements of one bit */
  THREAD_WORDS = 1 << 16, /* worth a thread */
};

static const TfeCtr *ctr_of(TfeCpu cpu) {
#if defined(__x86_64__)
  if (cpu >= TFE_CPU_AVX512)
    return &tfe_ctr_vaes;
  if (cpu == TFE_CPU_AVX2)
    return &tfe_ctr_aesni;
#endif
  (void)cpu;
  return &tfe_ctr_c;
}

const TfeCtr *tfe_ctr(void) {
  return ctr_of(tfe_cpu());
}

const TfeCtr *tfe_ctr_tier(int i) {
  return i <= (int)TFE_CPU_AVX512 && i <= (int)tfe_cpu_best() ? ctr_of((TfeCpu)i) : NULL;
}

/* -- drawing ---------------------------------------------------------------------------------------------- */

typedef struct Draw {
  const TfeCtr *ctr;
  const TfeCtrKey *key;
  uint32_t op;
  uint64_t instance;
  int bits;
  uint64_t *out; /* of element `from` */
  int64_t from;
  const uint64_t *fetch; /* NULL, or as many words as out */
} Draw;
static_assert(sizeof(Draw) <= 8 * TFE_DRAW_WORDS, "generated code has room for a draw");

static TfeCtrAt at_word(const Draw *d, int64_t word) {
  assert(word % 2 == 0 && d->instance >> 48 == 0);
  return (TfeCtrAt){d->op, d->instance, (uint64_t)word / 2};
}

static void draw_bits(const Draw *d, int64_t begin, int64_t n) {
  uint64_t words[BIT_WORDS];
  for (int64_t i = 0; i < n; i += 64 * BIT_WORDS) {
    int64_t part = n - i < 64 * BIT_WORDS ? n - i : 64 * BIT_WORDS;
    d->ctr->words(d->key, at_word(d, (d->from + begin + i) / 64), ~UINT64_C(0), words, (part + 63) / 64,
                  NULL);
    d->ctr->spread(d->out + begin + i, words, part);
  }
  OPENSSL_cleanse(words, sizeof words);
}

/* Elements begin .. end-1, counted from d->from. */
static void draw_part(void *data, int64_t begin, int64_t end) {
  const Draw *d = data;
  if (d->bits == 1)
    draw_bits(d, begin, end - begin);
  else
    d->ctr->words(d->key, at_word(d, d->from + begin), ~UINT64_C(0) >> (64 - d->bits), d->out + begin,
                  end - begin, d->fetch ? d->fetch + begin : NULL);
}

void tfe_prg_words_with(const TfeCtr *ctr, const uint8_t bytes[TFE_KEY_BYTES], uint32_t op, uint64_t instance,
                        int bits, uint64_t *out, int64_t from, int64_t n) {
  assert(bits >= 1 && bits <= 64 && from % TFE_PRG_UNIT == 0);
  TfeCtrKey key;
  if (!ctr->start(&key, bytes))
    abort(); /* a number that is not random must never be used */
  Draw d = {ctr, &key, op, instance, bits, out, from, NULL};
  draw_part(&d, 0, n);
  ctr->stop(&key);
}

void tfe_prg_words(const uint8_t key[TFE_KEY_BYTES], uint32_t op, uint64_t instance, int bits, uint64_t *out,
                   int64_t n) {
  tfe_prg_words_with(tfe_ctr(), key, op, instance, bits, out, 0, n);
}

static Draw draw_of(TfeCtx *ctx, int64_t bits, int64_t peer, int64_t op, int64_t instance) {
  assert(bits >= 1 && bits <= 64 && op >= 0 && op <= UINT32_MAX && peer >= 0 && peer < ctx->keys->count);
  const PairKey *pair = &ctx->keys->pairs[peer];
  if (!pair->is_set)
    abort(); /* the session sets a key for every peer with TFE_LINK_KEY before the program runs */
  return (Draw){.ctr = tfe_ctr(),
                .key = &pair->expanded,
                .op = (uint32_t)op,
                .instance = (uint64_t)instance,
                .bits = (int)bits};
}

void tfe_prg_ring(TfeCtx *ctx, uint64_t *out, int64_t from, int64_t n, int64_t bits, int64_t peer, int64_t op,
                  int64_t instance) {
  assert(from % TFE_PRG_UNIT == 0);
  Draw d = draw_of(ctx, bits, peer, op, instance);
  d.out = out;
  d.from = from;
  bool shared = d.ctr != &tfe_ctr_c; /* a cipher of OpenSSL is for one thread at a time */
  tfe_pool_run(n, shared ? THREAD_WORDS : n, draw_part, &d);
}

void tfe_prg_open(TfeCtx *ctx, uint64_t *draw, int64_t bits, int64_t peer, int64_t op, int64_t instance,
                  const uint64_t *fetch) {
  Draw d = draw_of(ctx, bits, peer, op, instance);
  d.fetch = fetch;
  memcpy(draw, &d, sizeof d);
}

void tfe_prg_pieces(const uint64_t *draws, int64_t count, uint64_t *out, int64_t apart, int64_t from,
                    int64_t n) {
  assert(from % TFE_PRG_UNIT == 0);
  for (int64_t i = 0; i < count; i++, draws += TFE_DRAW_WORDS, out += apart) {
    Draw d;
    memcpy(&d, draws, sizeof d);
    d.out = out;
    d.from = from;
    d.fetch += d.fetch ? from : 0;
    draw_part(&d, 0, n);
  }
}

/* -- keys ------------------------------------------------------------------------------------------------- */

TfeStatus tfe_keys_init(TfeCtx *ctx) {
  TRY(tfe_alloc(ctx, sizeof *ctx->keys, &ctx->keys));
  TRY(tfe_alloc(ctx, (size_t)ctx->program->party_count * sizeof *ctx->keys->pairs, &ctx->keys->pairs));
  ctx->keys->count = ctx->program->party_count;
  return TFE_OK;
}

static void forget(PairKey *pair) {
  if (pair->is_set)
    tfe_ctr()->stop(&pair->expanded);
  pair->is_set = false;
}

void tfe_keys_free(TfeCtx *ctx) {
  if (!ctx->keys)
    return;
  for (int64_t i = 0; ctx->keys->pairs && i < ctx->keys->count; i++)
    forget(&ctx->keys->pairs[i]);
  tfe_release(ctx->keys->pairs, (size_t)ctx->keys->count * sizeof *ctx->keys->pairs);
  tfe_release(ctx->keys, sizeof *ctx->keys);
  ctx->keys = NULL;
}

TfeStatus tfe_keys_set(TfeCtx *ctx, int64_t peer, const uint8_t key[TFE_KEY_BYTES]) {
  assert(ctx->keys && peer >= 0 && peer < ctx->keys->count);
  PairKey *pair = &ctx->keys->pairs[peer];
  forget(pair);
  memcpy(pair->raw, key, sizeof pair->raw);
  pair->is_set = tfe_ctr()->start(&pair->expanded, key);
  if (!pair->is_set)
    return tfe_fail(ctx, TFE_MEMORY, "no memory for the key with %s", tfe_party_name(ctx, peer));
  return TFE_OK;
}

const uint8_t *tfe_keys_get(const TfeCtx *ctx, int64_t peer) {
  return ctx->keys->pairs[peer].is_set ? ctx->keys->pairs[peer].raw : NULL;
}

uint64_t tfe_keys_public(const TfeCtx *ctx) {
  return ctx->keys->public_seed;
}

void tfe_keys_set_public(TfeCtx *ctx, uint64_t seed) {
  ctx->keys->public_seed = seed;
  ctx->keys->has_public_seed = true;
}

TfeStatus tfe_entropy_local(TfeCtx *ctx, uint64_t *out) {
  if (ctx->checkpoint != NULL && ctx->keys != NULL && ctx->keys->pairs[ctx->party].is_set) {
    /* a pass that is run again must draw the same */
    tfe_prg_words(ctx->keys->pairs[ctx->party].raw, OP_ENTROPY, ctx->entropy_draws++, 64, out, 1);
    return TFE_OK;
  }
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
