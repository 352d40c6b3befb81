/* Scales of public factors (factor.c): the product leaves truncation two bits by one of the two promises, and the factor's own
 * rounding matters for no private value in range wherever the ring has room. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../compiler/factor.h"

static ProtocolInstance format(int frac, int whole) {
  return (ProtocolInstance){.frac = frac, .whole = whole, .ring = 64};
}

static int scale_of(int frac, int whole, int other, int sum_bits, double v) {
  ProtocolInstance p = format(frac, whole);
  uint64_t data = ir_fixed_bits(v);
  return factor_scale(&p, other, sum_bits, &data, 1);
}

static void known_factors(void **state) {
  (void)state;
  static const struct {
    int frac, whole, other, sum_bits;
    double v;
    int scale;
  } rows[] = {
      {16, 14, 16, 0, 100000, 0}, /* whole: no truncation */
      {16, 14, 16, 0, 1e15, 0},
      {16, 14, 16, 0, -3, 0},
      {16, 14, 16, 0, 0, 0},
      {16, 14, 16, 0, 0.5, 1}, /* exact at few bits */
      {16, 14, 16, 0, 1000.0625, 4},
      {16, 14, 16, 0, 0.3, 30}, /* whole + frac */
      {16, 14, 16, 0, 0.0000018848, 30},
      {16, 14, 16, 0, 12345.678, 30},
      {24, 14, 24, 0, 0.3, 25}, /* 0.3 < 2^-1: one bit more than the promise of the product gives */
      {24, 14, 24, 4, 0.3, 24}, /* sums of 16: the promise of the product */
      {24, 14, 24, 0, 300.3, 24},
      {24, 14, 24, 0, 0.001, 33},
      {1, 60, 1, 0, 0.5, 1},
      {16, 14, 0, 0, 2, 16}, /* of an int: the product has frac bits at least */
      {16, 14, 0, 0, 0.1, 48},
      {16, 14, 0, 0, 12345.678, 36}, /* as a double it has no more */
      {16, 14, 0, 0, 100000000.1, 25},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int scale = scale_of(rows[i].frac, rows[i].whole, rows[i].other, rows[i].sum_bits, rows[i].v);
    if (scale != rows[i].scale)
      fail_msg("row %d: %g gets scale %d, not %d", (int)i, rows[i].v, scale, rows[i].scale);
  }
}

/* For every format and size of factor. */
static void products_fit(void **state) {
  (void)state;
  for (int frac = 1; frac <= 30; frac++)
    for (int whole = 1; whole + 2 * frac <= 62; whole++)
      for (int e = -40; e <= 30; e += 5)
        for (int sum_bits = 0; sum_bits <= 20; sum_bits += 5) {
          double v = ldexp(0.7321, e), factor = ldexp(v, scale_of(frac, whole, frac, sum_bits, v));
          int scale = scale_of(frac, whole, frac, sum_bits, v);
          bool promised = whole + frac + scale <= 62;
          bool bounded = ldexp(factor, whole + frac + sum_bits) <= ldexp(1, 62);
          assert_true(promised || bounded);
          assert_true(fabs(factor) < ldexp(1, 62));
          double moved =
              ldexp(fabs(rint(factor) - factor), whole - scale); /* the product, by the factor's rounding */
          assert_true(scale < whole + frac || moved <= ldexp(0.5, -frac));
        }
}

static void unknown_factors(void **state) {
  (void)state;
  ProtocolInstance usual = format(16, 14), tight = format(24, 14), full = format(24, 15);
  assert_int_equal(factor_scale(&usual, 16, 0, NULL, 0), 30);
  assert_int_equal(factor_scale(&usual, 0, 0, NULL, 0), 48);
  assert_int_equal(factor_scale(&tight, 24, 0, NULL, 0), 24);
  assert_int_equal(factor_scale(&full, 24, 0, NULL, 0), -1);
  assert_true(factor_fits(&tight, 48));
  assert_false(factor_fits(&full, 48));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_factors),
      cmocka_unit_test(products_fit),
      cmocka_unit_test(unknown_factors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
