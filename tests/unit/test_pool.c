/* The pool: every item once, whatever the number of threads, and nested sizes that do not fill a part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool.h"

enum { N = 5000 };
static _Atomic int visits[N];

static void visit(void *data, int64_t from, int64_t to) {
  assert_true(from >= 0 && from < to && to <= *(int64_t *)data);
  for (int64_t i = from; i < to; i++)
    visits[i]++;
}

static void check(int64_t n, int64_t grain) {
  for (int i = 0; i < N; i++)
    visits[i] = 0;
  tfe_pool_run(n, grain, visit, &n);
  for (int i = 0; i < N; i++)
    assert_int_equal(visits[i], i < n);
}

static void test_every_item_once(void **state) {
  (void)state;
  static const int64_t sizes[] = {0, 1, 2, 7, 64, 65, 1000, N}, grains[] = {1, 3, 64, N, 2 * N};
  static const int threads[] = {1, 2, 5};
  for (int t = 0; t < 3; t++) {
    tfe_pool_set(threads[t]);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
        check(sizes[s], grains[g]);
  }
}

static void test_often(void **state) {
  (void)state;
  for (int i = 0; i < 2000; i++)
    check(i % 50, 1 + i % 7);
}

static void test_limits(void **state) {
  (void)state;
  tfe_pool_set(-3);
  assert_int_equal(tfe_pool_threads(), 1);
  tfe_pool_set(INT32_MAX);
  assert_int_equal(tfe_pool_threads(), 256);
  tfe_pool_set(1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_item_once),
      cmocka_unit_test(test_often),
      cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
