/* Generated code neither branches on shares, masks and keys nor takes them for an address: a party of a
 * compiled program, with this file in place of its channels, randomness and terminal.
 *
 * What it receives or draws is marked secret (secret.h), and must still be so in something that it sends.
 * Secret no more are opened values where they are decoded, or given to a kernel as what it calls public. All
 * values are random: the program computes nonsense, by the same instructions. So it may neither branch on an
 * opened value, as loops with a condition do, nor use it as an index.
 *
 * Linked before libtfe.a, whose functions of these names then do not count; kernels are the real ones. A
 * party that owns data may branch on it, so programs for this test let servers own constants only. */
#include <stdio.h>
#include <string.h>

#include "../../runtime/ctx.h"
#include "../../runtime/gate/dpf.h"
#include "../../runtime/gate/spline.h"
#include "../../runtime/include/abi.h"
#include "secret.h"

static uint64_t state = 1;
static int64_t secrets_sent; /* words */

static void fill(uint64_t *out, int64_t n, int64_t bits) {
  for (int64_t i = 0; i < n; i++) {
    uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    out[i] = (x ^ x >> 32) >> (64 - bits);
  }
}

static void fill_secret(uint64_t *out, int64_t n, int64_t bits) {
  fill(out, n, bits);
  secret_mark(out, (size_t)n * 8);
}

/* -- where secrets come from and go ------------------------------------------------------------------------ */

TfeStatus tfe_recv(TfeCtx *ctx, int64_t peer, int64_t number, const TfePart *parts, int64_t n) {
  (void)ctx, (void)peer, (void)number;
  for (int64_t i = 0; i < n; i++)
    fill_secret(parts[i].data, parts[i].count, parts[i].bits);
  return TFE_OK;
}

TfeStatus tfe_send(TfeCtx *ctx, int64_t peer, int64_t number, const TfePart *parts, int64_t n) {
  (void)ctx, (void)peer, (void)number;
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < parts[i].count; k++)
      secrets_sent += secret_is(&parts[i].data[k]);
  return TFE_OK;
}

void tfe_prg_ring(TfeCtx *ctx, uint64_t *out, int64_t from, int64_t n, int64_t bits, int64_t peer, int64_t op,
                  int64_t instance) {
  (void)ctx, (void)from, (void)peer, (void)op, (void)instance;
  fill_secret(out, n, bits);
}

void tfe_prg_open(TfeCtx *ctx, uint64_t *draw, int64_t bits, int64_t peer, int64_t op, int64_t instance,
                  const uint64_t *fetch) {
  (void)ctx, (void)peer, (void)op, (void)instance, (void)fetch;
  draw[0] = (uint64_t)bits;
}

void tfe_prg_pieces(const uint64_t *draws, int64_t count, uint64_t *out, int64_t apart, int64_t from,
                    int64_t n) {
  (void)from;
  for (int64_t i = 0; i < count; i++, draws += TFE_DRAW_WORDS, out += apart)
    fill_secret(out, n, (int64_t)draws[0]);
}

/* -- where values are public ------------------------------------------------------------------------------- */

static void declassify(const uint64_t *words, int64_t n) {
  secret_declassify(words, (size_t)n * 8);
}

void tfe_dpf_eval(TfeCtx *ctx, uint64_t *out, const uint64_t *x, const uint64_t *root, const uint64_t *words,
                  int64_t n, int64_t points, int64_t bits, int64_t role) {
  declassify(x, n * points);
  tfe_dpf_eval_with(tfe_hash(), tfe_hash_key(ctx), out, x, root, words, n, points, bits, role);
}

void tfe_dpf_point(TfeCtx *ctx, uint64_t *out, const uint64_t *x, const uint64_t *root, const uint64_t *words,
                   int64_t n, int64_t points, int64_t bits, int64_t role) {
  declassify(x, n * points);
  tfe_dpf_point_with(tfe_hash(), tfe_hash_key(ctx), out, x, root, words, n, points, bits, role);
}

void tfe_spline_eval(TfeCtx *ctx, uint64_t *out, const uint64_t *c, const uint64_t *root,
                     const uint64_t *words, const uint64_t *table, int64_t n, const int64_t *layout,
                     int64_t role) {
  declassify(c, n);
  tfe_spline_eval_with(tfe_hash(), tfe_hash_key(ctx), out, c, root, words, table, n,
                       (const TfeSpline *)layout, role);
}

/* Between numbers and rings go opened values and constants. Small numbers come of it. */
void tfe_decode_fixed(uint64_t *out, const uint64_t *in, int64_t n, int64_t bits, int64_t scale) {
  (void)in, (void)bits, (void)scale;
  for (int64_t i = 0; i < n; i++) {
    double x = (double)(i % 5) - 2;
    memcpy(&out[i], &x, sizeof x);
  }
}

TfeStatus tfe_encode_fixed(TfeCtx *ctx, uint64_t *out, const uint64_t *in, int64_t n, int64_t bits,
                           int64_t scale, int64_t whole, int64_t site) {
  (void)ctx, (void)in, (void)scale, (void)whole, (void)site;
  fill(out, n, bits);
  return TFE_OK;
}

TfeStatus tfe_encode_int(TfeCtx *ctx, uint64_t *out, const uint64_t *in, int64_t n, int64_t bits,
                         int64_t scale, int64_t whole, int64_t site) {
  return tfe_encode_fixed(ctx, out, in, n, bits, scale, whole, site);
}

TfeStatus tfe_print_text(TfeCtx *ctx, const char *text) {
  (void)ctx, (void)text;
  return TFE_OK;
}

TfeStatus tfe_print_tensor(TfeCtx *ctx, const uint64_t *data, int64_t elem, int64_t rank,
                           const int64_t *dims) {
  (void)ctx, (void)data, (void)elem, (void)rank, (void)dims;
  return TFE_OK;
}

TfeStatus tfe_print_end(TfeCtx *ctx, int64_t joint) {
  (void)ctx, (void)joint;
  return TFE_OK;
}

TfeStatus tfe_progress(TfeCtx *ctx, const char *label, int64_t done, int64_t total, int64_t depth) {
  (void)ctx, (void)label, (void)done, (void)total, (void)depth;
  return TFE_OK;
}

TfeStatus tfe_check_divisor(TfeCtx *ctx, int64_t divisor, int64_t site) {
  (void)ctx, (void)divisor, (void)site;
  return TFE_OK;
}

int main(void) {
  static TfeCtx ctx;
  if (tfe_ctx_init(&ctx, &tfe_program, 0) != TFE_OK || tfe_program.run(&ctx, ctx.arena) != TFE_OK) {
    fprintf(stderr, "the party ended: %s\n", ctx.error_text);
    return 1;
  }
  tfe_ctx_free(&ctx);
  printf("%s: %lld secret words sent, %u reports\n", tfe_program.source, (long long)secrets_sent,
         secret_reports());
  return secret_reports() > 0 || secrets_sent == 0; /* none: lost on the way, or nobody watches */
}
