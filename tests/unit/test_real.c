/* Elementary functions: accuracy against libm in extended precision, special values, and the same bits
 * everywhere. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/include/abi.h"
#include "../../runtime/real.h"

enum { ARGUMENTS = 1000000 };

static uint64_t next(uint64_t *state) {
  uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static uint64_t bits_of(double x) {
  uint64_t b;
  memcpy(&b, &x, 8);
  return b;
}

static double from_bits(uint64_t b) {
  double x;
  memcpy(&x, &b, 8);
  return x;
}

static double uniform(uint64_t *state, double low, double high) {
  return low + (double)(next(state) >> 11) * 0x1p-53 * (high - low);
}

/* Distance from the true value in units in the last place of the true value. */
static double ulps(double got, long double truth) {
  if (fabsl(truth) > (long double)DBL_MAX || truth == 0)
    return got == (double)truth ? 0 : 1e9;
  int e;
  frexpl(truth, &e);
  long double unit = ldexpl(1, e - 53 < -1074 ? -1074 : e - 53);
  return (double)(fabsl((long double)got - truth) / unit);
}

/* The reference needs more precision than a double; valgrind, among others, has no more. */
static void need_reference(void) {
  volatile long double tiny = 0x1p-60L, sum = 1 + tiny;
  if (sum == 1)
    skip();
}

typedef struct Case {
  const char *name;
  double (*ours)(double);
  long double (*truth)(long double);
  double low, high;
  int logarithmic; /* arguments are 2^[low, high] */
} Case;

static void test_accuracy(void **unused) {
  (void)unused;
  need_reference();
  static const Case cases[] = {
      {"exp", tfe_exp, expl, -745, 710, 0},      {"exp", tfe_exp, expl, -1, 1, 0},
      {"log", tfe_log, logl, -1074, 1023, 1},    {"log", tfe_log, logl, 0.5, 2, 0},
      {"log", tfe_log, logl, 0.999, 1.001, 0},   {"tanh", tfe_tanh, tanhl, -21, 21, 0},
      {"tanh", tfe_tanh, tanhl, -0.5, 0.5, 0},   {"tanh", tfe_tanh, tanhl, -40, 0, 1},
      {"sqrt", tfe_sqrt, sqrtl, -1074, 1023, 1},
  };
  uint64_t state = 1;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    double worst = 0, at = 0;
    for (int i = 0; i < ARGUMENTS / 4; i++) {
      double x = uniform(&state, cases[c].low, cases[c].high);
      if (cases[c].logarithmic)
        x = exp2(x);
      double error = ulps(cases[c].ours(x), cases[c].truth((long double)x));
      if (error > worst)
        worst = error, at = x;
    }
    if (worst > 1)
      fail_msg("%s(%a) is off by %g units", cases[c].name, at, worst);
  }
}

static void test_pow_accuracy(void **unused) {
  (void)unused;
  need_reference();
  uint64_t state = 2;
  double worst = 0;
  for (int i = 0; i < ARGUMENTS; i++) {
    double x = exp2(uniform(&state, -20, 20)), y = uniform(&state, -50, 50);
    if (i % 4 == 1)
      x = uniform(&state, 0.9, 1.1), y = uniform(&state, -6000, 6000);
    if (i % 4 == 2)
      x = uniform(&state, 0, 100), y = (double)(next(&state) % 12) - 4;
    double error = ulps(tfe_pow(x, y), powl((long double)x, (long double)y));
    if (error > worst)
      worst = error;
    if (error > 1)
      fail_msg("pow(%a, %a) is off by %g units", x, y, error);
  }
  assert_true(tfe_pow(3, 2) == 9 && tfe_pow(10, 15) == 1e15 && tfe_pow(2, -1074) == 0x1p-1074);
  assert_true(tfe_pow(4, 0.5) == 2 && tfe_pow(7, 1) == 7 && tfe_pow(0.5, 3) == 0.125);
}

static void test_turn_accuracy(void **unused) {
  (void)unused;
  need_reference();
  uint64_t state = 3;
  const long double two_pi = 6.283185307179586476925286766559005768L;
  for (int i = 0; i < ARGUMENTS; i++) {
    double u = uniform(&state, 0, 1), s, c;
    tfe_real_turn(u, &s, &c);
    /* absolute, since the reference's own argument is rounded */
    assert_true(fabsl(sinl((long double)u * two_pi) - (long double)s) < 3e-16L);
    assert_true(fabsl(cosl((long double)u * two_pi) - (long double)c) < 3e-16L);
  }
  double s, c;
  static const struct {
    double turns, sine, cosine;
  } exact[] = {{0, 0, 1}, {0.25, 1, 0}, {0.5, 0, -1}, {0.75, -1, 0}};
  for (int i = 0; i < 4; i++) {
    tfe_real_turn(exact[i].turns, &s, &c);
    assert_true(s == exact[i].sine && c == exact[i].cosine);
  }
}

static void test_whole_numbers(void **unused) {
  (void)unused;
  static const double values[] = {0.0,
                                  -0.0,
                                  0.5,
                                  -0.5,
                                  1.5,
                                  2.5,
                                  -1.5,
                                  -2.5,
                                  0.49999999999999994,
                                  1e300,
                                  -1e300,
                                  0x1p52,
                                  0x1p52 + 1,
                                  0x1p51 + 0.5,
                                  -0x1p51 - 0.5,
                                  0x1p-1074,
                                  4503599627370495.5};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    assert_int_equal(bits_of(tfe_floor(values[i])), bits_of(floor(values[i])));
    assert_int_equal(bits_of(tfe_round(values[i])), bits_of(nearbyint(values[i])));
  }
  uint64_t state = 4;
  for (int i = 0; i < ARGUMENTS; i++) {
    double x = from_bits(next(&state));
    if (x != x)
      continue;
    assert_int_equal(bits_of(tfe_floor(x)), bits_of(floor(x)));
    assert_int_equal(bits_of(tfe_round(x)), bits_of(nearbyint(x)));
  }
}

static const uint64_t NOT_A_NUMBER = UINT64_C(0x7ff8000000000000);

static void test_special_values(void **unused) {
  (void)unused;
  const double inf = HUGE_VAL, nan = from_bits(UINT64_C(0xfff8000000000123));
  static double (*const functions[])(double) = {tfe_exp, tfe_log, tfe_tanh, tfe_sqrt, tfe_floor, tfe_round};
  for (int i = 0; i < 6; i++)
    assert_int_equal(bits_of(functions[i](nan)), NOT_A_NUMBER);
  assert_true(tfe_exp(inf) == inf && tfe_exp(-inf) == 0 && tfe_exp(0) == 1 && tfe_exp(-0.0) == 1);
  assert_true(tfe_exp(710) == inf && tfe_exp(-746) == 0 && tfe_exp(1e300) == inf && tfe_exp(0x1p-1074) == 1);
  assert_true(tfe_log(0) == -inf && tfe_log(-0.0) == -inf && tfe_log(inf) == inf && tfe_log(1) == 0);
  assert_int_equal(bits_of(tfe_log(-1)), NOT_A_NUMBER);
  assert_int_equal(bits_of(tfe_log(-inf)), NOT_A_NUMBER);
  assert_true(ulps(tfe_log(0x1p-1074), -744.44007192138126231410729844608163411L) < 1);
  assert_true(tfe_tanh(inf) == 1 && tfe_tanh(-inf) == -1 && tfe_tanh(0x1p-1074) == 0x1p-1074);
  assert_int_equal(bits_of(tfe_tanh(-0.0)), bits_of(-0.0));
  assert_int_equal(bits_of(tfe_sqrt(-1)), NOT_A_NUMBER);
  assert_int_equal(bits_of(tfe_sqrt(-0.0)), bits_of(-0.0));
  assert_true(tfe_sqrt(inf) == inf && tfe_sqrt(4) == 2);
}

static void test_pow_special(void **unused) {
  (void)unused;
  static const double values[] = {0,    -0.0,  1,      -1,      0.5,       -0.5,     2,         -2, 3,
                                  -3,   1e300, -1e300, 1e-300,  -1e-300,   2.5,      1e-9,      52, 1e9,
                                  1e17, -1e17, 0x1p53, -0x1p53, 0x1p-1074, INFINITY, -INFINITY, NAN};
  int n = (int)(sizeof values / sizeof *values);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      double ours = tfe_pow(values[i], values[j]), truth = pow(values[i], values[j]);
      if (truth != truth)
        assert_int_equal(bits_of(ours), NOT_A_NUMBER);
      else if (truth == 0 || isinf(truth))
        assert_int_equal(bits_of(ours), bits_of(truth));
      else if (fabs(ours - truth) > fabs(truth) * 0x1p-52)
        fail_msg("pow(%g, %g) = %a, not %a", values[i], values[j], ours, truth);
    }
}

/* A machine that fuses or keeps excess precision gets other bits here. */
static void test_same_bits(void **unused) {
  (void)unused;
  uint64_t state = 5, hash = UINT64_C(0xcbf29ce484222325);
  for (int i = 0; i < 20000; i++) {
    double x = uniform(&state, -30, 30), y = uniform(&state, 0, 1), s, c;
    tfe_real_turn(y, &s, &c);
    const double results[] = {tfe_exp(x), tfe_log(y), tfe_tanh(x), tfe_pow(y, x), tfe_sqrt(y), s, c};
    for (int j = 0; j < 7; j++)
      hash = (hash ^ bits_of(results[j])) * UINT64_C(0x100000001b3);
  }
  assert_int_equal(hash, UINT64_C(0x2c7b92b70c81307d));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accuracy),       cmocka_unit_test(test_pow_accuracy),
      cmocka_unit_test(test_turn_accuracy),  cmocka_unit_test(test_whole_numbers),
      cmocka_unit_test(test_special_values), cmocka_unit_test(test_pow_special),
      cmocka_unit_test(test_same_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
