/* Shape rules: tables of shapes that fit and that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shape.h"

static Shape s0(void) {
  return shape_scalar();
}

static Shape s1(int64_t a) {
  return shape_vector(a);
}

static Shape s2(int64_t a, int64_t b) {
  return (Shape){.rank = 2, .dim = {a, b}};
}

static Shape s4(int64_t a, int64_t b, int64_t c, int64_t d) {
  return (Shape){.rank = 4, .dim = {a, b, c, d}};
}

static void broadcasting(void **state) {
  (void)state;
  const struct {
    Shape a, b, out;
    bool fits;
  } cases[] = {
      {s0(), s0(), s0(), true},
      {s0(), s2(2, 3), s2(2, 3), true},
      {s1(3), s2(2, 3), s2(2, 3), true},
      {s2(2, 1), s1(3), s2(2, 3), true},
      {s2(1, 3), s2(2, 1), s2(2, 3), true},
      {s1(2), s2(2, 3), s0(), false},
      {s1(0), s1(1), s1(0), true},
      {s1(0), s1(2), s0(), false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Shape out;
    int64_t left, right;
    assert_int_equal(shape_broadcast(&cases[i].a, &cases[i].b, &out, &left, &right), cases[i].fits);
    if (cases[i].fits)
      assert_true(shape_equal(&out, &cases[i].out));
    assert_int_equal(shape_broadcast(&cases[i].b, &cases[i].a, &out, &left, &right), cases[i].fits);
  }
}

static void clashing_sizes_are_named(void **state) {
  (void)state;
  Shape a = s2(100, 20), b = s1(100), out;
  int64_t left = 0, right = 0;
  assert_false(shape_broadcast(&a, &b, &out, &left, &right));
  assert_int_equal(left, 20);
  assert_int_equal(right, 100);
}

static void products(void **state) {
  (void)state;
  Shape a = s2(4, 3), b = s2(3, 5), v = s1(3), out, good = s2(4, 5);
  assert_true(shape_matmul(&a, &b, &out));
  assert_true(shape_equal(&out, &good));
  assert_false(shape_matmul(&b, &a, &out));
  assert_false(shape_matmul(&a, &v, &out));
}

static void convolution(void **state) {
  (void)state;
  Shape x = s4(2, 28, 28, 1), k = s4(5, 5, 1, 6), out, same = s4(2, 28, 28, 6), valid = s4(2, 24, 24, 6);
  assert_true(shape_conv2d(&x, &k, 2, &out));
  assert_true(shape_equal(&out, &same));
  assert_true(shape_conv2d(&x, &k, 0, &out));
  assert_true(shape_equal(&out, &valid));
  assert_false(shape_conv2d(&x, &k, -1, &out));
  Shape large = s4(30, 30, 1, 6), channels = s4(5, 5, 3, 6);
  assert_false(shape_conv2d(&x, &large, 0, &out));
  assert_false(shape_conv2d(&x, &channels, 0, &out));
}

static void reducing(void **state) {
  (void)state;
  Shape x = s2(4, 3), out, rows = s1(4);
  assert_true(shape_reduce(&x, 1, &out));
  assert_true(shape_equal(&out, &rows));
  assert_true(shape_reduce(&x, -1, &out));
  assert_int_equal(out.rank, 0);
  assert_false(shape_reduce(&x, 2, &out));
  assert_false(shape_reduce(&x, -2, &out));
}

static void joining_and_stacking(void **state) {
  (void)state;
  Shape a = s2(4, 3), b = s2(2, 3), out, tall = s2(6, 3), full = {.rank = MAX_RANK};
  assert_true(shape_concat(&a, &b, 0, &out));
  assert_true(shape_equal(&out, &tall));
  assert_false(shape_concat(&a, &b, 1, &out));
  assert_false(shape_concat(&a, &b, 2, &out));
  assert_true(shape_stack(5, &a, &out));
  assert_int_equal(out.dim[0], 5);
  Shape tail = shape_tail(&out);
  assert_true(shape_equal(&tail, &a));
  assert_false(shape_stack(5, &full, &out));
  assert_true(shape_stack(2, &a, &a)); /* in place */
  assert_true(a.rank == 3 && a.dim[0] == 2 && a.dim[1] == 4 && a.dim[2] == 3);
}

static void reshaping_and_transposing(void **state) {
  (void)state;
  Shape a = s2(4, 3), b = s2(2, 6), c = s2(2, 5), negative = s2(-4, -3);
  assert_true(shape_reshape(&a, &b));
  assert_false(shape_reshape(&a, &c));
  assert_false(shape_reshape(&a, &negative));
  int64_t axes[] = {1, 0};
  Shape t = shape_transpose(&a, axes), good = s2(3, 4);
  assert_true(shape_equal(&t, &good));
}

static void sizes_have_a_limit(void **state) {
  (void)state;
  Shape fits = s2(1000000, 1000000), large = s4(INT64_MAX, INT64_MAX, 2, 2), zero = s2(0, INT64_MAX);
  assert_true(shape_fits(&fits));
  assert_false(shape_fits(&large));
  assert_true(shape_fits(&zero));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(broadcasting),
      cmocka_unit_test(clashing_sizes_are_named),
      cmocka_unit_test(products),
      cmocka_unit_test(convolution),
      cmocka_unit_test(reducing),
      cmocka_unit_test(joining_and_stacking),
      cmocka_unit_test(reshaping_and_transposing),
      cmocka_unit_test(sizes_have_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
