/* Between numbers and ring elements, and range checks.
 *
 * A number x is held as round(x * 2^scale) modulo 2^bits, halves to even; it comes back as the signed
 * value over 2^scale. The range check is the owner's, on its own value, before anything is sent; its
 * message shows that value to its owner. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "ctx.h"
#include "include/abi.h"
#include "real.h"

static double to_double(uint64_t word) {
  double x;
  memcpy(&x, &word, sizeof x);
  return x;
}

static uint64_t to_word(double x) {
  uint64_t word;
  memcpy(&word, &x, sizeof word);
  return word;
}

/* 2^k as a double; beyond the range of doubles the nearest end. */
static double power_of_two(int64_t k) {
  if (k > 1023)
    return to_double(UINT64_C(0x7ff) << 52);
  if (k < -1022)
    return 0;
  return to_double((uint64_t)(k + 1023) << 52);
}

static uint64_t mask_of(int64_t bits) {
  assert(bits >= 1 && bits <= 64);
  return ~UINT64_C(0) >> (64 - bits);
}

/* Number of the first element with |x| >= 2^whole or NaN; n if there is none. The usual case runs without
 * a branch. */
static int64_t first_out_of_range(const uint64_t *in, int64_t n, int64_t whole) {
  double limit = power_of_two(whole);
  uint64_t bad = 0;
  for (int64_t i = 0; i < n; i++) {
    double x = to_double(in[i] & INT64_MAX);
    bad |= !(x < limit);
  }
  if (!bad)
    return n;
  int64_t i = 0;
  while (to_double(in[i] & INT64_MAX) < limit)
    i++;
  return i;
}

static bool int_in_range(uint64_t word, int64_t whole) {
  uint64_t sign = -(word >> 63), magnitude = (word ^ sign) - sign;
  return whole >= 64 || magnitude >> whole == 0;
}

static int64_t first_int_out_of_range(const uint64_t *in, int64_t n, int64_t whole) {
  int64_t i = 0;
  while (i < n && int_in_range(in[i], whole))
    i++;
  return i;
}

static void note_range(TfeCtx *ctx, int64_t whole, int64_t site) {
  if (whole < 63)
    tfe_note(ctx, "the protocol with whole = %lld holds numbers below %lld", (long long)whole,
             (long long)(INT64_C(1) << whole));
  else
    tfe_note(ctx, "the protocol holds numbers below 2^%lld", (long long)whole);
  tfe_note_site(ctx, site);
}

static void note_int_range(TfeCtx *ctx, int64_t whole, int64_t site) {
  tfe_note(ctx, "the protocol holds ints below 2^%lld", (long long)whole);
  tfe_note_site(ctx, site);
}

/* -- encoding -------------------------------------------------------------------------------------------- */

/* A whole number modulo 2^64, any finite x. */
static uint64_t whole_to_word(double x) {
  uint64_t bits = to_word(x), sign = -(bits >> 63);
  int64_t shift = (int64_t)(bits >> 52 & 0x7ff) - 1075;
  uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
  uint64_t magnitude = shift >= 64 || shift <= -64 ? 0 : shift >= 0 ? mantissa << shift : mantissa >> -shift;
  return (magnitude ^ sign) - sign;
}

/* |x * factor| <= 2^51: adding 1.5 * 2^52 rounds to a whole number and leaves it in the low bits of the
 * sum. */
static void encode_narrow(uint64_t *out, const uint64_t *in, int64_t n, double factor, uint64_t mask) {
  const double magic = 0x1.8p52;
  uint64_t zero = to_word(magic);
  for (int64_t i = 0; i < n; i++)
    out[i] = (to_word(to_double(in[i]) * factor + magic) - zero) & mask;
}

static void encode_wide(uint64_t *out, const uint64_t *in, int64_t n, double factor, uint64_t mask) {
  for (int64_t i = 0; i < n; i++)
    out[i] = whole_to_word(tfe_round(to_double(in[i]) * factor)) & mask;
}

TfeStatus tfe_encode_fixed(TfeCtx *ctx, uint64_t *out, const uint64_t *in, int64_t n, int64_t bits,
                           int64_t scale, int64_t whole, int64_t site) {
  int64_t bad = first_out_of_range(in, n, whole);
  if (bad < n) {
    double x = to_double(in[bad]);
    if (x != x)
      tfe_fail(ctx, TFE_INPUT_RANGE, "a value is not a number: NaN at [%lld]", (long long)bad);
    else
      tfe_fail(ctx, TFE_INPUT_RANGE, "a value does not fit the protocol: %.6g at [%lld]", x, (long long)bad);
    note_range(ctx, whole, site);
    tfe_help(ctx, x != x ? "remove or replace missing values first"
                         : "scale the values, or compile with a larger `whole`");
    return TFE_INPUT_RANGE;
  }
  double factor = power_of_two(scale);
  if (whole + scale <= 51)
    encode_narrow(out, in, n, factor, mask_of(bits));
  else
    encode_wide(out, in, n, factor, mask_of(bits));
  return TFE_OK;
}

TfeStatus tfe_encode_int(TfeCtx *ctx, uint64_t *out, const uint64_t *in, int64_t n, int64_t bits,
                         int64_t scale, int64_t whole, int64_t site) {
  int64_t bad = first_int_out_of_range(in, n, whole);
  if (bad < n) {
    tfe_fail(ctx, TFE_INPUT_RANGE, "a value does not fit the protocol: %lld at [%lld]", (long long)in[bad],
             (long long)bad);
    note_int_range(ctx, whole, site);
    tfe_help(ctx, "scale the values");
    return TFE_INPUT_RANGE;
  }
  uint64_t mask = mask_of(bits);
  for (int64_t i = 0; i < n; i++)
    out[i] = (scale < 64 ? in[i] << scale : 0) & mask;
  return TFE_OK;
}

void tfe_decode_fixed(uint64_t *out, const uint64_t *in, int64_t n, int64_t bits, int64_t scale) {
  double factor = power_of_two(-scale);
  uint64_t sign = UINT64_C(1) << (bits - 1), mask = mask_of(bits);
  for (int64_t i = 0; i < n; i++) {
    int64_t value = (int64_t)(((in[i] & mask) ^ sign) - sign);
    out[i] = to_word((double)value * factor);
  }
}

/* -- kind clear ------------------------------------------------------------------------------------------ */

enum { ELEMENT_TEXT = 256 };

static int64_t count_of(const int64_t *dims, int64_t rank) {
  int64_t n = 1;
  for (int64_t i = 0; i < rank; i++)
    n *= dims[i];
  return n;
}

/* " at [1, 2]"; nothing for a single number. */
static void element_text(char text[ELEMENT_TEXT], int64_t element, const int64_t *dims, int64_t rank) {
  static const char at[] = " at ";
  text[0] = 0;
  if (rank == 0)
    return;
  memcpy(text, at, sizeof at);
  tfe_check_element(text + sizeof at - 1, ELEMENT_TEXT - sizeof at + 1, element, dims, rank);
}

TfeStatus tfe_bounded(TfeCtx *ctx, const uint64_t *in, const int64_t *dims, int64_t rank, int64_t whole,
                      int64_t site) {
  int64_t n = count_of(dims, rank), bad = first_out_of_range(in, n, whole);
  if (bad == n)
    return TFE_OK;
  char element[ELEMENT_TEXT];
  element_text(element, bad, dims, rank);
  double x = to_double(in[bad]);
  if (x != x)
    tfe_fail(ctx, TFE_RANGE, "a value is not a number any more: NaN%s", element);
  else
    tfe_fail(ctx, TFE_RANGE, "a value left the declared range: %.6g%s", x, element);
  tfe_note_site(ctx, site);
  note_range(ctx, whole, -1);
  tfe_help(ctx, "scale the inputs, or compile with a larger `whole`");
  return TFE_RANGE;
}

TfeStatus tfe_bounded_int(TfeCtx *ctx, const uint64_t *in, const int64_t *dims, int64_t rank, int64_t whole,
                          int64_t site) {
  int64_t n = count_of(dims, rank), bad = first_int_out_of_range(in, n, whole);
  if (bad == n)
    return TFE_OK;
  char element[ELEMENT_TEXT];
  element_text(element, bad, dims, rank);
  tfe_fail(ctx, TFE_RANGE, "a value left the declared range: %lld%s", (long long)in[bad], element);
  tfe_note_site(ctx, site);
  note_int_range(ctx, whole, -1);
  tfe_help(ctx, "scale the inputs, or use fixed numbers");
  return TFE_RANGE;
}
