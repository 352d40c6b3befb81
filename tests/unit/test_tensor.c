/* Strided copies against plain loops over random shapes and permutations, gathers, reductions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/include/abi.h"
#include "kernel_ctx.h"

static uint64_t state = 1;

static uint64_t next(void) {
  uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static int64_t pick(int64_t n) {
  return (int64_t)(next() % (uint64_t)n);
}

/* -- copy ------------------------------------------------------------------------------------------------ */

static void plain_copy(uint64_t *out, const uint64_t *in, const int64_t *dims, const int64_t *so,
                       const int64_t *si, int64_t rank) {
  if (rank == 0) {
    *out = *in;
    return;
  }
  for (int64_t i = 0; i < dims[0]; i++)
    plain_copy(out + i * so[0], in + i * si[0], dims + 1, so + 1, si + 1, rank - 1);
}

static int64_t dense_strides(int64_t *strides, const int64_t *dims, int64_t rank) {
  int64_t n = 1;
  for (int64_t i = rank - 1; i >= 0; i--) {
    strides[i] = n;
    n *= dims[i];
  }
  return n;
}

static void check_copy(const int64_t *dims, const int64_t *so, int64_t out_size, const int64_t *si,
                       int64_t in_size, int64_t rank) {
  uint64_t *in = malloc((size_t)in_size * 8 + 1), *out = malloc((size_t)out_size * 8 + 1);
  uint64_t *want = malloc((size_t)out_size * 8 + 1);
  assert_true(in && out && want);
  for (int64_t i = 0; i < in_size; i++)
    in[i] = next();
  for (int64_t i = 0; i < out_size; i++)
    out[i] = want[i] = next();
  plain_copy(want, in, dims, so, si, rank);
  tfe_copy(out, in, dims, so, si, rank);
  assert_memory_equal(out, want, (size_t)out_size * 8);
  free(in), free(out), free(want);
}

/* A tensor of shape big, of which dims is a box; then its axes in another order, some repeated. */
static void check_random_copy(int64_t rank, int64_t largest) {
  int64_t dims[8], out_dims[8], in_dims[8], so[8], si[8], si_permuted[8], order[8];
  for (int64_t i = 0; i < rank; i++) {
    dims[i] = 1 + pick(largest);
    if (pick(40) == 0)
      dims[i] = 0;
    out_dims[i] = dims[i] + (pick(3) == 0 ? pick(3) : 0);
    order[i] = i;
  }
  for (int64_t i = rank - 1; i > 0; i--) {
    int64_t j = pick(i + 1), o = order[i];
    order[i] = order[j], order[j] = o;
  }
  for (int64_t i = 0; i < rank; i++)
    in_dims[i] = dims[order[i]] + (pick(3) == 0 ? pick(3) : 0);
  int64_t out_size = dense_strides(so, out_dims, rank), in_size = dense_strides(si, in_dims, rank);
  for (int64_t i = 0; i < rank; i++)
    si_permuted[order[i]] = pick(6) == 0 ? 0 : si[i];
  check_copy(dims, so, out_size, si_permuted, in_size, rank);
}

static void test_random_copies(void **unused) {
  (void)unused;
  for (int64_t rank = 0; rank <= 8; rank++)
    for (int i = 0; i < 400; i++)
      check_random_copy(rank, rank <= 2 ? 50 : rank <= 4 ? 9 : 3);
}

static void test_known_copies(void **unused) {
  (void)unused;
  static const int64_t transpose_dims[] = {67, 131}, to[] = {131, 1}, from[] = {1, 67};
  check_copy(transpose_dims, to, 67 * 131, from, 67 * 131, 2);
  static const int64_t nchw_dims[] = {3, 5, 7, 11}, nchw[] = {385, 77, 11, 1}, nhwc[] = {385, 1, 55, 5};
  check_copy(nchw_dims, nchw, 1155, nhwc, 1155, 4);
  static const int64_t reverse_dims[] = {20, 21, 22}, reversed[] = {462, 22, 1}, original[] = {1, 20, 420};
  check_copy(reverse_dims, reversed, 9240, original, 9240, 3);
  static const int64_t rows[] = {4, 9}, whole[] = {9, 1}, repeated_row[] = {0, 1}, repeated_column[] = {1, 0};
  check_copy(rows, whole, 36, repeated_row, 9, 2);
  check_copy(rows, whole, 36, repeated_column, 4, 2);
  uint64_t in[4] = {1, 2, 3, 4}, out[4];
  static const int64_t four[] = {4}, one[] = {1}, back[] = {-1};
  tfe_copy(out, in + 3, four, one, back, 1); /* a reversed axis */
  assert_true(out[0] == 4 && out[1] == 3 && out[2] == 2 && out[3] == 1);
}

/* -- gather ---------------------------------------------------------------------------------------------- */

static void test_gather(void **unused) {
  (void)unused;
  TfeCtx ctx;
  assert_int_equal(tfe_ctx_init(&ctx, &test_program, 0), TFE_OK);
  uint64_t in[12], out[9];
  int64_t index[] = {3, 0, 3};
  for (int i = 0; i < 12; i++)
    in[i] = (uint64_t)i;
  assert_int_equal(tfe_gather(&ctx, out, in, (uint64_t *)index, 3, 4, 3, 0), TFE_OK);
  static const uint64_t want[] = {9, 10, 11, 0, 1, 2, 9, 10, 11};
  assert_memory_equal(out, want, sizeof want);
  assert_int_equal(tfe_gather(&ctx, out, in, (uint64_t *)index, 0, 0, 3, 0), TFE_OK);
  assert_int_equal(tfe_gather(&ctx, out, in, (uint64_t *)index, 3, 4, 0, 0), TFE_OK);
  index[1] = 4;
  out[0] = 77;
  assert_int_equal(tfe_gather(&ctx, out, in, (uint64_t *)index, 3, 4, 3, 0), TFE_INDEX);
  assert_int_equal(out[0], 77);
  assert_string_equal(ctx.error_text, "row 4 of 4");
  assert_string_equal(ctx.error_more, "  = note: at model.tfe:7\n  = help: rows are numbered from 0\n");
  tfe_ctx_free(&ctx);
  assert_int_equal(tfe_ctx_init(&ctx, &test_program, 0), TFE_OK);
  index[1] = -1;
  assert_int_equal(tfe_gather(&ctx, out, in, (uint64_t *)index, 3, 4, 3, 0), TFE_INDEX);
  assert_string_equal(ctx.error_text, "row -1 of 4");
  tfe_ctx_free(&ctx);
}

/* -- reductions ------------------------------------------------------------------------------------------ */

static void test_sums(void **unused) {
  (void)unused;
  static const uint64_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  uint64_t out[12];
  tfe_sum_int(out, in, 1, 12, 1);
  assert_int_equal(out[0], 78);
  tfe_sum_int(out, in, 2, 3, 2);
  static const uint64_t want[] = {9, 12, 27, 30};
  assert_memory_equal(out, want, sizeof want);
  tfe_sum_ring(out, in, 1, 3, 4, 4); /* 15, 18, 21, 24 modulo 16 */
  static const uint64_t narrow[] = {15, 2, 5, 8};
  assert_memory_equal(out, narrow, sizeof narrow);
  tfe_sum_ring(out, in, 3, 4, 1, 1);
  assert_true(out[0] == 0 && out[1] == 0 && out[2] == 0);
  tfe_sum_int(out, in, 2, 0, 2); /* empty axis */
  assert_true(out[0] == 0 && out[3] == 0);
  uint64_t huge[] = {UINT64_MAX, 2};
  tfe_sum_ring(out, huge, 1, 2, 1, 64);
  assert_int_equal(out[0], 1);
}

static void test_real_sum_is_in_order(void **unused) {
  (void)unused;
  double in[1000], out[3];
  for (int64_t shape = 0; shape < 2; shape++) {
    int64_t n = shape ? 333 : 1000, inner = shape ? 3 : 1;
    volatile double want[3] = {0, 0, 0};
    for (int i = 0; i < n * inner; i++) {
      in[i] = (double)(int64_t)next() * 0x1p-40;
      want[i % inner] = want[i % inner] + in[i];
    }
    tfe_sum_fixed((uint64_t *)out, (uint64_t *)in, 1, n, inner);
    for (int i = 0; i < inner; i++)
      assert_true(out[i] == want[i]);
  }
  in[0] = -0.0;
  tfe_sum_fixed((uint64_t *)out, (uint64_t *)in, 1, 1, 1);
  assert_false(signbit(out[0]));
}

static void test_extremes(void **unused) {
  (void)unused;
  static const double in[] = {3, -1, 2, 5, 3, 5, -7, -1};
  static const int64_t whole[] = {3, -1, 2, 5, 3, 5, -7, -1};
  double d[4];
  int64_t k[4];
  const uint64_t *rd = (const uint64_t *)in, *ri = (const uint64_t *)whole;
  tfe_max_fixed((uint64_t *)d, rd, 2, 4, 1);
  assert_true(d[0] == 5 && d[1] == 5);
  tfe_min_fixed((uint64_t *)d, rd, 1, 4, 2);
  assert_true(d[0] == -7 && d[1] == -1);
  tfe_max_int((uint64_t *)k, ri, 1, 8, 1);
  assert_int_equal(k[0], 5);
  tfe_min_int((uint64_t *)k, ri, 4, 2, 1);
  assert_true(k[0] == -1 && k[1] == 2 && k[2] == 3 && k[3] == -7);
  /* the first of equals */
  tfe_argmax_fixed((uint64_t *)k, rd, 1, 8, 1);
  assert_int_equal(k[0], 3);
  tfe_argmax_int((uint64_t *)k, ri, 1, 8, 1);
  assert_int_equal(k[0], 3);
  tfe_argmin_fixed((uint64_t *)k, rd, 1, 4, 2); /* columns 3 2 3 -7 and -1 5 5 -1 */
  assert_true(k[0] == 3 && k[1] == 0);
  tfe_argmin_int((uint64_t *)k, ri, 2, 2, 2); /* 3 -1 / 2 5, 3 5 / -7 -1 */
  assert_true(k[0] == 1 && k[1] == 0 && k[2] == 1 && k[3] == 1);
  tfe_max_int((uint64_t *)k, ri, 2, 0, 1); /* an empty axis: nothing is read */
  assert_true(k[0] == 0 && k[1] == 0);
}

static void test_any_all(void **unused) {
  (void)unused;
  static const uint64_t in[] = {0, 0, 1, 0, 1, 1};
  uint64_t out[3];
  tfe_any(out, in, 3, 2, 1);
  assert_true(out[0] == 0 && out[1] == 1 && out[2] == 1);
  tfe_all(out, in, 3, 2, 1);
  assert_true(out[0] == 0 && out[1] == 0 && out[2] == 1);
  tfe_any(out, in, 1, 3, 2);
  assert_true(out[0] == 1 && out[1] == 1);
  tfe_all(out, in, 1, 0, 1);
  assert_int_equal(out[0], 1);
  tfe_any(out, in, 1, 0, 1);
  assert_int_equal(out[0], 0);
}

static void test_repeat(void **unused) {
  (void)unused;
  enum { N = 90 };
  uint64_t in[40], out[N + 1];
  for (int i = 0; i < 40; i++)
    in[i] = (uint64_t)i + 1000;
  for (int64_t size = 1; size <= 40; size += size < 4 ? 1 : 9)
    for (int64_t stride = 1; stride <= 7; stride += 2)
      for (int64_t from = 0; from < 100; from += 7)
        for (int64_t n = 0; n <= N; n += 9) {
          out[n] = 7;
          tfe_repeat(out, in, from, n, stride, size);
          for (int64_t i = 0; i < n; i++)
            assert_int_equal(out[i], in[(from + i) / stride % size]);
          assert_int_equal(out[n], 7);
        }
}

/* Bit by bit, for numbers of elements around whole words; and back, of half of the lanes. */
static void test_lanes(void **unused) {
  (void)unused;
  enum { N = 200, WORDS = (N + 63) / 64 };
  static uint64_t in[N], lanes[WORDS * 64 + 1], out[N * 64 + 1];
  for (int64_t n = 0; n <= N; n += n % 64 == 1 ? 62 : 1)
    for (int64_t bits = 1; bits <= 64; bits += 9) {
      int64_t words = (n + 63) / 64, some = (bits + 1) / 2;
      for (int64_t i = 0; i < n; i++)
        in[i] = next();
      lanes[words * bits] = 7;
      tfe_lanes_of(lanes, in, n, bits);
      for (int64_t i = 0; i < 64 * words; i++)
        for (int64_t k = 0; k < bits; k++)
          assert_int_equal(lanes[i / 64 * bits + k] >> i % 64 & 1, i < n ? in[i] >> k & 1 : 0);
      assert_int_equal(lanes[words * bits], 7);
      out[n * some] = 7;
      tfe_from_lanes(out, lanes, n, some, bits);
      for (int64_t i = 0; i < n * some; i++)
        assert_int_equal(out[i], in[i / some] >> i % some & 1);
      assert_int_equal(out[n * some], 7);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_repeat),       cmocka_unit_test(test_random_copies),
      cmocka_unit_test(test_known_copies), cmocka_unit_test(test_gather),
      cmocka_unit_test(test_sums),         cmocka_unit_test(test_real_sum_is_in_order),
      cmocka_unit_test(test_extremes),     cmocka_unit_test(test_any_all),
      cmocka_unit_test(test_lanes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
