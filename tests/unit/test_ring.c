/* Matrix products and convolutions: every kernel table against plain loops, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/include/abi.h"
#include "../../runtime/ring/ring.h"

static uint64_t state = 1;

static uint64_t next(void) {
  uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static double next_double(void) {
  return (double)(int64_t)(next() >> 11) * 0x1p-40 - 4096;
}

/* Memory that ends at the last element and, with odd offset, is aligned to 8 bytes only; sanitizers watch
 * the ends. */
static uint64_t *new_words(int64_t n) {
  uint64_t *words = malloc((size_t)n * 8 + 1);
  assert_non_null(words);
  for (int64_t i = 0; i < n; i++)
    words[i] = next();
  return words;
}

static double *new_doubles(int64_t n) {
  double *d = malloc((size_t)n * 8 + 1);
  assert_non_null(d);
  for (int64_t i = 0; i < n; i++)
    d[i] = next_double();
  return d;
}

static void plain(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      uint64_t sum = 0;
      for (int64_t p = 0; p < k; p++)
        sum += a[i * k + p] * b[p * n + j];
      out[i * n + j] = sum;
    }
}

static void plain_fixed(double *out, const double *a, const double *b, int64_t m, int64_t k, int64_t n) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      volatile double sum = 0; /* each step rounded */
      for (int64_t p = 0; p < k; p++) {
        volatile double product = a[i * k + p] * b[p * n + j];
        sum = sum + product;
      }
      out[i * n + j] = sum;
    }
}

static void check_shape(int64_t m, int64_t k, int64_t n) {
  uint64_t *a = new_words(m * k), *b = new_words(k * n), *want = new_words(m * n), *got = new_words(m * n);
  double *fa = new_doubles(m * k), *fb = new_doubles(k * n), *fwant = new_doubles(m * n),
         *fgot = new_doubles(m * n);
  plain(want, a, b, m, k, n);
  plain_fixed(fwant, fa, fb, m, k, n);
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++) {
    tfe_ring_matmul(tfe_ring_of(cpu), got, a, b, m, k, n);
    tfe_ring_matmul_fixed(tfe_ring_of(cpu), fgot, fa, fb, m, k, n);
    if (memcmp(got, want, (size_t)(m * n) * 8) != 0 || memcmp(fgot, fwant, (size_t)(m * n) * 8) != 0)
      fail_msg("%s differs at %ldx%ldx%ld", tfe_ring_of(cpu)->name, (long)m, (long)k, (long)n);
  }
  free(a), free(b), free(want), free(got), free(fa), free(fb), free(fwant), free(fgot);
}

static void test_small_shapes(void **unused) {
  (void)unused;
  for (int64_t m = 1; m <= 20; m++)
    for (int64_t k = 1; k <= 20; k++)
      for (int64_t n = 1; n <= 20; n++)
        check_shape(m, k, n);
}

static void test_larger_shapes(void **unused) {
  (void)unused;
  static const int64_t shapes[][3] = {
      {1, 784, 128}, {30, 2, 1},    {2, 30, 1},    {33, 300, 25},  {64, 257, 49},
      {100, 512, 1}, {31, 513, 24}, {1, 1000, 1},  {128, 128, 10}, {65, 600, 73},
      {40, 256, 48}, {32, 1025, 3}, {576, 25, 16}, {2, 70, 70},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    check_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
}

static void test_empty(void **unused) {
  (void)unused;
  check_shape(0, 3, 4);
  check_shape(3, 4, 0);
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (int64_t n = 1; n < 30; n++) {
      uint64_t *out = new_words(3 * n), *none = new_words(0);
      tfe_ring_matmul(tfe_ring_of(cpu), out, none, none, 3, 0, n);
      for (int64_t i = 0; i < 3 * n; i++)
        assert_int_equal(out[i], 0);
      free(out), free(none);
    }
}

static void test_unaligned(void **unused) {
  (void)unused;
  /* parts of a larger tensor: aligned to eight bytes and no more */
  uint64_t *a = new_words(200), *b = new_words(2000), *out = new_words(400), want[7 * 31];
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (int shift = 0; shift < 8; shift++) {
      plain(want, a + shift, b + 7 - shift, 7, 9, 31);
      uint64_t before = out[shift], after = out[shift + 1 + 7 * 31];
      tfe_ring_matmul(tfe_ring_of(cpu), out + shift + 1, a + shift, b + 7 - shift, 7, 9, 31);
      assert_memory_equal(out + shift + 1, want, sizeof want);
      assert_true(out[shift] == before && out[shift + 1 + 7 * 31] == after);
    }
  free(a), free(b), free(out);
}

static int64_t at4(int64_t a, int64_t nb, int64_t b, int64_t nc, int64_t c, int64_t nd, int64_t d) {
  return ((a * nb + b) * nc + c) * nd + d;
}

static void plain_conv(uint64_t *out, double *fout, const uint64_t *x, const double *fx, const uint64_t *k,
                       const double *fk, const int64_t *s) {
  int64_t h = s[1], w = s[2], ci = s[3], kh = s[4], kw = s[5], co = s[6], pad = s[7];
  int64_t ho = h + 2 * pad - kh + 1, wo = w + 2 * pad - kw + 1;
  for (int64_t i = 0; i < s[0]; i++)
    for (int64_t y = 0; y < ho; y++)
      for (int64_t z = 0; z < wo; z++)
        for (int64_t c = 0; c < co; c++) {
          uint64_t sum = 0;
          volatile double fsum = 0;
          for (int64_t ky = 0; ky < kh; ky++)
            for (int64_t kx = 0; kx < kw; kx++)
              for (int64_t d = 0; d < ci; d++) {
                int64_t iy = y + ky - pad, ix = z + kx - pad;
                if (iy < 0 || iy >= h || ix < 0 || ix >= w)
                  continue;
                int64_t xi = at4(i, h, iy, w, ix, ci, d), ki = at4(ky, kw, kx, ci, d, co, c);
                sum += x[xi] * k[ki];
                volatile double product = fx[xi] * fk[ki];
                fsum = fsum + product;
              }
          int64_t o = at4(i, ho, y, wo, z, co, c);
          out[o] = sum;
          fout[o] = fsum;
        }
}

static void test_conv2d(void **unused) {
  (void)unused;
  static const int64_t cases[][8] = {
      /* n  h   w  ci kh kw co pad */
      {1, 5, 5, 1, 3, 3, 1, 0},     {2, 6, 7, 3, 3, 2, 5, 1}, {1, 28, 28, 1, 5, 5, 20, 0},
      {1, 12, 12, 20, 5, 5, 30, 2}, {1, 1, 1, 1, 1, 1, 1, 0}, {3, 4, 4, 2, 4, 4, 3, 0},
      {1, 2, 2, 2, 5, 5, 3, 2},     {1, 3, 9, 1, 1, 9, 8, 0}, {1, 2, 3, 1, 3, 3, 2, 3},
      {2, 8, 8, 1, 3, 3, 25, 1},    {0, 4, 4, 1, 2, 2, 1, 0}, {1, 2, 2, 1, 3, 3, 1, 0},
      {1, 30, 30, 40, 3, 3, 50, 1},
  };
  for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
    const int64_t *s = cases[t];
    int64_t ho = s[1] + 2 * s[7] - s[4] + 1, wo = s[2] + 2 * s[7] - s[5] + 1;
    int64_t nx = s[0] * s[1] * s[2] * s[3], nk = s[4] * s[5] * s[3] * s[6];
    int64_t no = ho > 0 && wo > 0 ? s[0] * ho * wo * s[6] : 0;
    uint64_t *x = new_words(nx), *k = new_words(nk), *want = new_words(no), *got = new_words(no);
    double *fx = new_doubles(nx), *fk = new_doubles(nk), *fwant = new_doubles(no), *fgot = new_doubles(no);
    plain_conv(want, fwant, x, fx, k, fk, s);
    for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++) {
      tfe_ring_conv2d(tfe_ring_of(cpu), got, x, k, s);
      tfe_ring_conv2d_fixed(tfe_ring_of(cpu), fgot, fx, fk, s);
      if (memcmp(got, want, (size_t)no * 8) != 0 || memcmp(fgot, fwant, (size_t)no * 8) != 0)
        fail_msg("%s differs in convolution %zu", tfe_ring_of(cpu)->name, t);
    }
    free(x), free(k), free(want), free(got), free(fx), free(fk), free(fwant), free(fgot);
  }
}

static void test_narrow_rings(void **unused) {
  (void)unused;
  static const int64_t bits[] = {1, 8, 24, 40, 63, 64};
  uint64_t a[6 * 7], b[7 * 5], want[6 * 5], got[6 * 5];
  for (size_t t = 0; t < 6; t++) {
    uint64_t mask = ~UINT64_C(0) >> (64 - bits[t]);
    for (int i = 0; i < 42; i++)
      a[i] = next() & mask;
    for (int i = 0; i < 35; i++)
      b[i] = next() & mask;
    plain(want, a, b, 6, 7, 5);
    tfe_matmul_ring(got, a, b, 6, 7, 5, bits[t]);
    for (int i = 0; i < 30; i++)
      assert_int_equal(got[i], want[i] & mask);
    static const int64_t dims[9] = {1, 6, 7, 1, 5, 7, 1, 0, 1}; /* out [1, 2, 1, 1] */
    tfe_conv2d_ring(got, a, b, dims, bits[t]);
    uint64_t sum = 0;
    for (int i = 0; i < 35; i++)
      sum += a[i] * b[i];
    assert_int_equal(got[0], sum & mask);
  }
}

static void test_signed_and_real(void **unused) {
  (void)unused;
  static const int64_t a[] = {-1, 2, 3, -4}, b[] = {5, -6, 7, 8};
  static const int64_t want[] = {9, 22, -13, -50};
  int64_t got[4];
  tfe_matmul_int((uint64_t *)got, (const uint64_t *)a, (const uint64_t *)b, 2, 2, 2);
  assert_memory_equal(got, want, sizeof want);
  static const double fa[] = {0.5, 1, 2, 4}, fb[] = {1, 2, -3, 0.25}, fwant[] = {-2.5, 1.25, -10, 5};
  double fgot[4];
  tfe_matmul_fixed((uint64_t *)fgot, (const uint64_t *)fa, (const uint64_t *)fb, 2, 2, 2);
  assert_memory_equal(fgot, fwant, sizeof fwant);
  static const int64_t dims[9] = {1, 2, 2, 1, 2, 2, 1, 0, 1};
  tfe_conv2d_fixed((uint64_t *)fgot, (const uint64_t *)fa, (const uint64_t *)fb, dims);
  assert_true(fgot[0] == 0.5 + 2 - 6 + 1);
  tfe_conv2d_int((uint64_t *)got, (const uint64_t *)a, (const uint64_t *)b, dims);
  assert_int_equal(got[0], -5 - 12 + 21 - 32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_shapes),    cmocka_unit_test(test_larger_shapes),
      cmocka_unit_test(test_empty),           cmocka_unit_test(test_unaligned),
      cmocka_unit_test(test_conv2d),          cmocka_unit_test(test_narrow_rings),
      cmocka_unit_test(test_signed_and_real),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
