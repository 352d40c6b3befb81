/* Users' random numbers: reproducible, of the right distribution, permutations whole and without
 * favourites. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/include/abi.h"

enum { N = 200000 };
static double values[N + 1];
static uint64_t *const words = (uint64_t *)values;

static void moments(int n, double *mean, double *variance) {
  double s = 0, q = 0;
  for (int i = 0; i < n; i++)
    s += values[i];
  *mean = s / n;
  for (int i = 0; i < n; i++)
    q += (values[i] - *mean) * (values[i] - *mean);
  *variance = q / n;
}

static void test_states(void **unused) {
  (void)unused;
  int64_t seen[64];
  for (int i = 0; i < 64; i++) {
    seen[i] = i < 32 ? tfe_rng_seed(i) : tfe_rng_next(seen[i - 32]);
    for (int j = 0; j < i; j++)
      assert_true(seen[i] != seen[j]);
  }
  assert_int_equal(tfe_rng_seed(42), tfe_rng_seed(42));
  assert_int_equal(tfe_rng_seed(INT64_MIN), tfe_rng_seed(INT64_MIN));
  assert_int_equal(tfe_rng_seed(0),
                   (int64_t)UINT64_C(0xe220a8397b1dcdaf)); /* SplitMix64's first output from 0 */
}

static void test_normal(void **unused) {
  (void)unused;
  double mean, variance;
  values[N] = 5;
  tfe_random_normal(words, N, tfe_rng_seed(1));
  assert_true(values[N] == 5);
  moments(N, &mean, &variance);
  assert_true(fabs(mean) < 0.01 && fabs(variance - 1) < 0.015);
  int inside[4] = {0};
  double together = 0;
  for (int i = 0; i < N; i++) {
    assert_true(isfinite(values[i]) && fabs(values[i]) < 9);
    for (int s = 1; s < 4; s++)
      inside[s] += fabs(values[i]) < s;
    if (i)
      together += values[i] * values[i - 1];
  }
  assert_true(fabs(inside[1] / (double)N - 0.6827) < 0.005);
  assert_true(fabs(inside[2] / (double)N - 0.9545) < 0.003);
  assert_true(fabs(inside[3] / (double)N - 0.9973) < 0.001);
  assert_true(fabs(together / (double)N) < 0.01);
}

static void test_normal_odd_counts(void **unused) {
  (void)unused;
  double all[8], some[9];
  tfe_random_normal((uint64_t *)all, 8, 3);
  for (int n = 0; n <= 8; n += 2) { /* an even number is a prefix of more */
    some[n] = 5;
    tfe_random_normal((uint64_t *)some, n, 3);
    assert_memory_equal(some, all, (size_t)n * 8);
    assert_true(some[n] == 5);
  }
  for (int n = 1; n <= 7; n += 2) {
    some[n] = 5;
    tfe_random_normal((uint64_t *)some, n, 3);
    assert_memory_equal(some, all, (size_t)(n - 1) * 8);
    assert_true(isfinite(some[n - 1]) && some[n] == 5);
  }
}

static void test_uniform(void **unused) {
  (void)unused;
  double mean, variance;
  tfe_random_uniform(words, N, tfe_rng_seed(2), -3, 5);
  moments(N, &mean, &variance);
  assert_true(fabs(mean - 1) < 0.03 && fabs(variance - 64.0 / 12) < 0.05);
  for (int i = 0; i < N; i++)
    assert_true(values[i] >= -3 && values[i] < 5);
  tfe_random_uniform(words, 1000, 9, 1, nextafter(1, 2)); /* no number between: never the upper end */
  for (int i = 0; i < 1000; i++)
    assert_true(values[i] == 1);
  tfe_random_uniform(words, 10, 9, 4, 4);
  assert_true(values[9] == 4);
}

static void test_draws_differ(void **unused) {
  (void)unused;
  uint64_t a[4], b[4];
  int64_t state = tfe_rng_seed(5);
  tfe_random_uniform(a, 4, state, 0, 1);
  tfe_random_uniform(b, 4, tfe_rng_next(state), 0, 1);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++)
      assert_true(a[i] != b[j]);
  tfe_random_uniform(b, 4, state, 0, 1);
  assert_memory_equal(a, b, sizeof a);
}

static void test_permutation(void **unused) {
  (void)unused;
  static const int sizes[] = {0, 1, 2, 3, 10, 1000, 50000};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    int n = sizes[s];
    uint8_t *seen = calloc((size_t)n + 1, 1);
    assert_non_null(seen);
    words[n] = 77;
    tfe_permutation(words, n, 11);
    assert_int_equal(words[n], 77);
    for (int i = 0; i < n; i++) {
      assert_true(words[i] < (uint64_t)n && !seen[words[i]]);
      seen[words[i]] = 1;
    }
    free(seen);
  }
}

static void test_permutation_is_fair(void **unused) {
  (void)unused;
  int count[24] = {0};
  uint64_t p[4];
  for (int64_t seed = 0; seed < 24000; seed++) {
    tfe_permutation(p, 4, tfe_rng_seed(seed));
    uint64_t code = p[0] * 6 + (p[1] - (p[1] > p[0])) * 2 + (p[2] > p[3]);
    assert_true(code < 24);
    count[code]++;
  }
  double chi = 0;
  for (int i = 0; i < 24; i++)
    chi += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000;
  assert_true(chi < 60); /* 23 degrees of freedom: 99.99 % below 56 */
}

/* Two machines that disagree here would train on different data. */
static void test_same_bits(void **unused) {
  (void)unused;
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (int kind = 0; kind < 3; kind++) {
    if (kind == 0)
      tfe_random_normal(words, 10001, tfe_rng_seed(123));
    else if (kind == 1)
      tfe_random_uniform(words, 10001, tfe_rng_seed(123), -0.1, 0.7);
    else
      tfe_permutation(words, 10001, tfe_rng_seed(123));
    for (int i = 0; i < 10001; i++)
      hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
  }
  assert_int_equal(hash, UINT64_C(0xa95586150aef2a10));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_states),
      cmocka_unit_test(test_normal),
      cmocka_unit_test(test_normal_odd_counts),
      cmocka_unit_test(test_uniform),
      cmocka_unit_test(test_draws_differ),
      cmocka_unit_test(test_permutation),
      cmocka_unit_test(test_permutation_is_fair),
      cmocka_unit_test(test_same_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
