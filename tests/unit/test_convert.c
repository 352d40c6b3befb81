/* Encoding and decoding of numbers, range checks and their messages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/include/abi.h"
#include "kernel_ctx.h"

static uint64_t random_state = 1;

static uint64_t next(void) {
  uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static int set_up(void **state) {
  static TfeCtx ctx;
  *state = &ctx;
  return tfe_ctx_init(&ctx, &test_program, 0);
}

static int tear_down(void **state) {
  tfe_ctx_free(*state);
  return 0;
}

static uint64_t word_of(double x) {
  uint64_t w;
  memcpy(&w, &x, 8);
  return w;
}

static double double_of(uint64_t w) {
  double x;
  memcpy(&x, &w, 8);
  return x;
}

static uint64_t low(uint64_t x, int64_t bits) {
  return x & ~UINT64_C(0) >> (64 - bits);
}

static void test_encode(void **state) {
  static const struct {
    double x;
    int64_t bits, scale, whole;
    uint64_t want;
  } cases[] = {
      {1, 64, 16, 14, 65536},
      {-1, 64, 16, 14, (uint64_t)-65536},
      {-1, 24, 16, 7, 0xff0000},
      {0.5, 64, 0, 14, 0}, /* halves to even */
      {1.5, 64, 0, 14, 2},
      {2.5, 64, 0, 14, 2},
      {-2.5, 64, 0, 14, (uint64_t)-2},
      {0x1p-17, 64, 16, 14, 0},
      {0x1.8p-16, 64, 16, 14, 2},
      {-0.0, 64, 16, 14, 0},
      {0x1p-1074, 64, 16, 14, 0},
      {16383.99999, 64, 20, 14, 17179869174},
      {0x1.fffffffffffffp13, 64, 16, 14, UINT64_C(1) << 30}, /* rounds up to the bound: kept */
      {0x1.fffffffffffffp30, 64, 20, 31, UINT64_C(1) << 51},
      {0x1p40 + 1, 64, 20, 42, (UINT64_C(1) << 60) + (1 << 20)}, /* wide path */
      {-0x1p40 - 1, 64, 20, 42, -((UINT64_C(1) << 60) + (1 << 20))},
      {0.5, 64, 0, 60, 0},
      {-3.5, 64, 0, 60, (uint64_t)-4},
      {0x1p62, 64, 0, 63, UINT64_C(1) << 62},
      {0x1.8p63, 64, 0, 64, UINT64_C(3) << 62},
      {0x1p70, 64, 0, 80, 0},
      {-0x1.0000000000001p64, 64, 0, 80, -(UINT64_C(1) << 12)},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t in = word_of(cases[i].x), out = 99;
    assert_int_equal(tfe_encode_fixed(*state, &out, &in, 1, cases[i].bits, cases[i].scale, cases[i].whole, 0),
                     TFE_OK);
    if (out != cases[i].want)
      fail_msg("case %zu: %a becomes %llx", i, cases[i].x, (unsigned long long)out);
    assert_int_equal(tfe_encode_fixed(*state, &in, &in, 1, cases[i].bits, cases[i].scale, cases[i].whole, 0),
                     TFE_OK);
    assert_int_equal(in, cases[i].want); /* in place */
  }
}

static void test_round_trip(void **state) {
  enum { N = 1000 };
  static const struct {
    int64_t bits, scale, whole;
  } types[] = {{64, 16, 14}, {64, 20, 24}, {40, 16, 20}, {24, 16, 7},
               {64, 20, 42}, {64, 40, 20}, {64, 0, 50}};
  uint64_t in[N], ring[N], out[N];
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    double unit = ldexp(1, (int)-types[t].scale);
    for (int i = 0; i < N; i++)
      in[i] = word_of(ldexp((double)(int64_t)next(), (int)(types[t].whole - 1 - 63)));
    assert_int_equal(tfe_encode_fixed(*state, ring, in, N, types[t].bits, types[t].scale, types[t].whole, 0),
                     TFE_OK);
    tfe_decode_fixed(out, ring, N, types[t].bits, types[t].scale);
    for (int i = 0; i < N; i++) {
      assert_true(ring[i] == low(ring[i], types[t].bits));
      assert_true(fabs(double_of(out[i]) - double_of(in[i])) <= unit / 2);
      assert_true(double_of(out[i]) == nearbyint(double_of(in[i]) / unit) * unit);
    }
    tfe_decode_fixed(ring, ring, N, types[t].bits, types[t].scale); /* in place */
    assert_memory_equal(ring, out, sizeof out);
  }
}

static void test_decode(void **unused) {
  (void)unused;
  static const struct {
    uint64_t word;
    int64_t bits, scale;
    double want;
  } cases[] = {
      {65536, 64, 16, 1},
      {(uint64_t)-65536, 64, 16, -1},
      {0xff0000, 24, 16, -1},
      {0x7fffff, 24, 0, 8388607},
      {0x800000, 24, 0, -8388608},
      {1, 1, 0, -1},
      {0, 1, 0, 0},
      {UINT64_C(1) << 63, 64, 0, -0x1p63},
      {UINT64_C(0xabc0000000000001), 8, 0, 1},
      {3, 64, -2, 12},
      {1, 64, 1100, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out;
    tfe_decode_fixed(&out, &cases[i].word, 1, cases[i].bits, cases[i].scale);
    if (double_of(out) != cases[i].want)
      fail_msg("case %zu: %a", i, double_of(out));
  }
}

static void test_encode_int(void **state) {
  static const struct {
    int64_t x, bits, scale, whole;
    uint64_t want;
  } cases[] = {
      {5, 64, 0, 14, 5},
      {-5, 64, 0, 14, (uint64_t)-5},
      {-5, 24, 0, 14, 0xfffffb},
      {-1, 64, 16, 14, (uint64_t)-65536},
      {16383, 64, 0, 14, 16383},
      {-16383, 64, 0, 14, (uint64_t)-16383},
      {INT64_MIN, 64, 0, 64, UINT64_C(1) << 63},
      {INT64_MAX, 64, 0, 63, INT64_MAX},
      {1, 1, 0, 14, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t in = (uint64_t)cases[i].x;
    assert_int_equal(tfe_encode_int(*state, &in, &in, 1, cases[i].bits, cases[i].scale, cases[i].whole, 0),
                     TFE_OK);
    assert_int_equal(in, cases[i].want);
  }
  static const int64_t bad[][2] = {{16384, 14}, {-16384, 14}, {INT64_MIN, 63}, {1, 0}};
  for (size_t i = 0; i < 4; i++) {
    uint64_t in = (uint64_t)bad[i][0], out = 99;
    assert_int_equal(tfe_encode_int(*state, &out, &in, 1, 64, 0, bad[i][1], 0), TFE_INPUT_RANGE);
    assert_int_equal(out, 99);
  }
  const TfeCtx *ctx = *state;
  assert_string_equal(ctx->error_text, "a value does not fit the protocol: 16384 at [0]");
}

static void test_out_of_range(void **state) {
  static const double bad[] = {16384, -16384, 1e300, HUGE_VAL, -HUGE_VAL, NAN, -NAN};
  uint64_t in[5], out[5];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    for (int at = 0; at < 5; at++) {
      for (int j = 0; j < 5; j++)
        in[j] = word_of(j == at ? bad[i] : -16383.9), out[j] = 99;
      assert_int_equal(tfe_encode_fixed(*state, out, in, 5, 64, 16, 14, 0), TFE_INPUT_RANGE);
      for (int j = 0; j < 5; j++)
        assert_int_equal(out[j], 99); /* nothing written */
    }
}

static void test_range_message(void **state) {
  TfeCtx *ctx = *state;
  uint64_t in[] = {word_of(1), word_of(1.2e9), word_of(NAN)};
  assert_int_equal(tfe_encode_fixed(ctx, in, in, 3, 64, 16, 14, 1), TFE_INPUT_RANGE);
  assert_string_equal(ctx->error_text, "a value does not fit the protocol: 1.2e+09 at [1]");
  assert_string_equal(ctx->error_more, "  = note: the protocol with whole = 14 holds numbers below 16384\n"
                                       "  = note: at logreg.tfe:25 in fit, called from model.tfe:9\n"
                                       "  = help: scale the values, or compile with a larger `whole`\n");
}

static void test_nan_message(void **state) {
  TfeCtx *ctx = *state;
  uint64_t in[] = {word_of(1), word_of(NAN)};
  assert_int_equal(tfe_encode_fixed(ctx, in, in, 2, 64, 16, 14, -1), TFE_INPUT_RANGE);
  assert_string_equal(ctx->error_text, "a value is not a number: NaN at [1]");
}

static void test_bounded(void **state) {
  TfeCtx *ctx = *state;
  static const int64_t dims[] = {2, 3};
  uint64_t in[6];
  for (int i = 0; i < 6; i++)
    in[i] = word_of(i - 3);
  assert_int_equal(tfe_bounded(ctx, in, dims, 2, 2, 0), TFE_OK);
  assert_int_equal(tfe_bounded(ctx, in, dims, 0, 2, 0), TFE_OK);
  in[4] = word_of(-4);
  assert_int_equal(tfe_bounded(ctx, in, dims, 2, 2, 0), TFE_RANGE);
  assert_string_equal(ctx->error_text, "a value left the declared range: -4 at [1, 1]");
  assert_string_equal(ctx->error_more, "  = note: at model.tfe:7\n"
                                       "  = note: the protocol with whole = 2 holds numbers below 4\n"
                                       "  = help: scale the inputs, or compile with a larger `whole`\n");
}

static void test_bounded_int(void **state) {
  TfeCtx *ctx = *state;
  static const int64_t dims[] = {6};
  int64_t in[6] = {0, 1, -1, 3, -3, 7};
  assert_int_equal(tfe_bounded_int(ctx, (uint64_t *)in, dims, 1, 3, 0), TFE_OK);
  assert_int_equal(tfe_bounded_int(ctx, (uint64_t *)in, dims, 1, 2, 0), TFE_RANGE);
  assert_string_equal(ctx->error_text, "a value left the declared range: 7 at [5]");
}

static void test_bounded_nan(void **state) {
  TfeCtx *ctx = *state;
  uint64_t in = word_of(NAN);
  assert_int_equal(tfe_bounded(ctx, &in, NULL, 0, 60, 0), TFE_RANGE);
  assert_string_equal(ctx->error_text, "a value is not a number any more: NaN");
}

#define WITH_CTX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_CTX(test_encode),      WITH_CTX(test_round_trip),   cmocka_unit_test(test_decode),
      WITH_CTX(test_encode_int),  WITH_CTX(test_out_of_range), WITH_CTX(test_range_message),
      WITH_CTX(test_nan_message), WITH_CTX(test_bounded),      WITH_CTX(test_bounded_int),
      WITH_CTX(test_bounded_nan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
