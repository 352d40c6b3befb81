/* Matrix products and convolutions: every kernel table against plain loops, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/include/abi.h"
#include "../../runtime/pool.h"
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
    tfe_ring_matmul(tfe_ring_of(cpu), got, a, b, m, k, n, 64, TFE_SET);
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
      {1, 784, 128}, {30, 2, 1},      {2, 30, 1},    {33, 300, 25},  {64, 257, 49},
      {100, 512, 1}, {31, 513, 24},   {1, 1000, 1},  {128, 128, 10}, {65, 600, 73},
      {40, 256, 48}, {32, 1025, 3},   {576, 25, 16}, {2, 70, 70},    {128, 784, 128},
      {70, 70, 70},  {100, 2100, 65}, {64, 400, 16}, {48, 48, 48},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    check_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
}

/* A kernel on a rearranged b, whatever shapes it is chosen for. */
static void check_packed(const TfePacked *kernel, int64_t m, int64_t k, int64_t n, TfeMode mode,
                         int64_t bits) {
  int64_t units = (k + kernel->unit - 1) / kernel->unit, panel = units * kernel->bytes / 8;
  int64_t panels = (n + kernel->columns - 1) / kernel->columns, lda = k + 3, ldo = n + 2;
  uint64_t *a = new_words(m * lda), *b = new_words(k * n), *out = new_words(m * ldo);
  uint64_t *was = new_words(m * ldo), *dense = new_words(m * k), *want = new_words(m * n);
  uint64_t *packed = aligned_alloc(64, (size_t)(panels * panel) * 8),
           *room = aligned_alloc(64, TFE_RING_ROOM);
  for (int64_t i = 0; i < m; i++)
    memcpy(dense + i * k, a + i * lda, (size_t)k * 8);
  memcpy(was, out, (size_t)(m * ldo) * 8);
  plain(want, dense, b, m, k, n);
  for (int64_t j = 0; j < panels; j++) {
    int64_t left = n - j * kernel->columns;
    kernel->pack(packed + j * panel, b + j * kernel->columns, n, k,
                 left < kernel->columns ? left : kernel->columns);
  }
  kernel->multiply(&(TfePanel){out, ldo, a, lda, 1, packed, n, m, k, n, mode, bits, room});
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < ldo; j++) {
      uint64_t old = was[i * ldo + j], sum = j < n ? want[i * n + j] : 0;
      uint64_t whole = mode == TFE_SET ? sum : mode == TFE_ADD ? old + sum : old - sum;
      if (out[i * ldo + j] != (j < n ? whole & ~UINT64_C(0) >> (64 - bits) : old))
        fail_msg("%ldx%ldx%ld, mode %d, %ld bits, at %ld, %ld", (long)m, (long)k, (long)n, (int)mode,
                 (long)bits, (long)i, (long)j);
    }
  free(a), free(b), free(out), free(was), free(dense), free(want), free(packed), free(room);
}

static void test_packed_kernels(void **unused) {
  (void)unused;
  static const int64_t ms[] = {1, 2, 15, 16, 17, 33, 70}, ks[] = {1, 3, 4, 5, 63, 64, 65, 70, 130},
                       ns[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65, 70};
  int count = 0;
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (const TfePacked *const *kernel = tfe_ring_of(cpu)->packed; kernel && *kernel; kernel++)
      for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t p = 0; p < sizeof ks / sizeof *ks; p++)
          for (size_t j = 0; j < sizeof ns / sizeof *ns; j++, count++) {
            int64_t bits = 64 - count % 64, most = (*kernel)->pays(1 << 20, 1 << 20, 1 << 20, 64) ? 64 : 32;
            check_packed(*kernel, ms[i], ks[p], ns[j], (TfeMode)(count % 3), bits < most ? bits : most);
          }
}

/* An operand packed once serves any number of rows; its memory is as large as was said. */
static void test_fixed_operand(void **unused) {
  (void)unused;
  static const int64_t ms[] = {1, 3, 9, 70},
                       shapes[][2] = {{64, 32}, {1100, 65}, {5, 3}, {784, 128}, {130, 1}};
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (size_t t = 0; t < sizeof shapes / sizeof *shapes; t++) {
      int64_t k = shapes[t][0], n = shapes[t][1], words = tfe_ring_packed_words(k, n);
      uint64_t *b = new_words(k * n), *packed = aligned_alloc(64, (size_t)(words + 7) / 8 * 64);
      tfe_ring_pack(tfe_ring_of(cpu), packed, b, k, n, 64);
      for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        uint64_t *a = new_words(ms[i] * k), *want = new_words(ms[i] * n), *got = new_words(ms[i] * n);
        plain(want, a, b, ms[i], k, n);
        tfe_ring_matmul_packed(tfe_ring_of(cpu), got, a, packed, ms[i], k, n, 64, TFE_SET);
        assert_memory_equal(got, want, (size_t)(ms[i] * n) * 8);
        free(a), free(want), free(got);
      }
      free(b), free(packed);
    }
}

static void test_empty(void **unused) {
  (void)unused;
  check_shape(0, 3, 4);
  check_shape(3, 4, 0);
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (int64_t n = 1; n < 30; n++) {
      uint64_t *out = new_words(3 * n), *none = new_words(0);
      tfe_ring_matmul(tfe_ring_of(cpu), out, none, none, 3, 0, n, 64, TFE_SET);
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
      tfe_ring_matmul(tfe_ring_of(cpu), out + shift + 1, a + shift, b + 7 - shift, 7, 9, 31, 64, TFE_SET);
      assert_memory_equal(out + shift + 1, want, sizeof want);
      assert_true(out[shift] == before && out[shift + 1 + 7 * 31] == after);
    }
  free(a), free(b), free(out);
}

static int64_t at4(int64_t a, int64_t nb, int64_t b, int64_t nc, int64_t c, int64_t nd, int64_t d) {
  return ((a * nb + b) * nc + c) * nd + d;
}

/* One convolution and its gradients: y from x and kernel, x from y and kernel, kernel from x and y. */
enum { X, K, Y };
typedef struct Convolution {
  int64_t dims[TFE_CONV_DIMS], ho, wo, size[3];
  uint64_t *words[3], *want, *got;
  double *reals[3], *fwant, *fgot;
} Convolution;

static Convolution new_convolution(const int64_t *s) {
  Convolution c = {.ho = s[1] + 2 * s[7] - s[4], .wo = s[2] + 2 * s[7] - s[5]};
  bool none = c.ho < 0 || c.wo < 0;
  memcpy(c.dims, s, sizeof c.dims);
  c.ho = none ? 0 : c.ho / s[8] + 1;
  c.wo = none ? 0 : c.wo / s[8] + 1;
  c.size[X] = s[0] * s[1] * s[2] * s[3];
  c.size[K] = s[4] * s[5] * (s[3] / s[9]) * s[6];
  c.size[Y] = s[0] * c.ho * c.wo * s[6];
  for (int i = 0; i < 3; i++) {
    c.words[i] = new_words(c.size[i]);
    c.reals[i] = new_doubles(c.size[i]);
  }
  return c;
}

static void free_convolution(Convolution *c) {
  for (int i = 0; i < 3; i++)
    free(c->words[i]), free(c->reals[i]);
}

/* Adds one term, each step rounded. */
static void term(Convolution *c, int64_t out, int a, int64_t at, int b, int64_t bt) {
  volatile double product = c->reals[a][at] * c->reals[b][bt];
  c->want[out] += c->words[a][at] * c->words[b][bt];
  c->fwant[out] += product;
}

/* All terms of y at (image, i, j), x at (image, i stride + ky - pad, ..) and kernel, what: where the sum goes.
 * ky and kx go downwards for the input, so that y goes upwards at every element. */
static void terms_at(Convolution *c, int what, int64_t image, int64_t i, int64_t j, int64_t ky, int64_t kx) {
  const int64_t *s = c->dims;
  int64_t iy = i * s[8] + ky - s[7], ix = j * s[8] + kx - s[7];
  if (iy < 0 || iy >= s[1] || ix < 0 || ix >= s[2])
    return;
  int64_t inputs = s[3] / s[9], outputs = s[6] / s[9]; /* of a group */
  for (int64_t d = 0; d < inputs; d++)
    for (int64_t o = 0; o < s[6]; o++) {
      int64_t x = at4(image, s[1], iy, s[2], ix, s[3], o / outputs * inputs + d),
              k = at4(ky, s[5], kx, inputs, d, s[6], o), y = at4(image, c->ho, i, c->wo, j, s[6], o);
      if (what == Y)
        term(c, y, X, x, K, k);
      else if (what == X)
        term(c, x, Y, y, K, k);
      else
        term(c, k, X, x, Y, y);
    }
}

static void plain_convolution(Convolution *c, int what) {
  const int64_t *s = c->dims;
  for (int64_t image = 0; image < s[0]; image++)
    for (int64_t i = 0; i < c->ho; i++)
      for (int64_t j = 0; j < c->wo; j++)
        for (int64_t ky = 0; ky < s[4]; ky++)
          for (int64_t kx = 0; kx < s[5]; kx++)
            terms_at(c, what, image, i, j, ky, kx);
}

static void check_convolution(Convolution *c, int what, const TfeRing *ring, size_t number) {
  static const TfeConv conv[3] = {TFE_CONV_INPUT, TFE_CONV_KERNEL, TFE_CONV};
  int a = what == X ? Y : X, b = what == K ? Y : K;
  tfe_ring_conv2d(ring, conv[what], c->got, c->words[a], c->words[b], c->dims, 64, TFE_SET);
  tfe_ring_conv2d_fixed(ring, conv[what], c->fgot, c->reals[a], c->reals[b], c->dims);
  size_t bytes = (size_t)c->size[what] * 8;
  if (memcmp(c->got, c->want, bytes) != 0)
    fail_msg("%s differs in convolution %zu, %d", ring->name, number, what);
  if (memcmp(c->fgot, c->fwant, bytes) != 0)
    fail_msg("%s differs in convolution %zu of doubles, %d", ring->name, number, what);
}

static void check_convolutions(const int64_t *dims, size_t number) {
  Convolution c = new_convolution(dims);
  for (int what = X; what <= Y; what++) {
    c.want = calloc((size_t)c.size[what] + 1, 8), c.got = new_words(c.size[what]);
    c.fwant = calloc((size_t)c.size[what] + 1, 8), c.fgot = new_doubles(c.size[what]);
    plain_convolution(&c, what);
    for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
      check_convolution(&c, what, tfe_ring_of(cpu), number);
    free(c.want), free(c.got), free(c.fwant), free(c.fgot);
  }
  free_convolution(&c);
}

static void test_conv2d(void **unused) {
  (void)unused;
  static const int64_t cases[][TFE_CONV_DIMS] = {
      /* n  h   w  ci kh kw co pad stride groups */
      {1, 5, 5, 1, 3, 3, 1, 0, 1, 1},     {2, 6, 7, 3, 3, 2, 5, 1, 1, 1},
      {1, 28, 28, 1, 5, 5, 20, 0, 1, 1},  {1, 12, 12, 20, 5, 5, 30, 2, 1, 1},
      {1, 1, 1, 1, 1, 1, 1, 0, 1, 1},     {3, 4, 4, 2, 4, 4, 3, 0, 1, 1},
      {1, 2, 2, 2, 5, 5, 3, 2, 1, 1},     {1, 3, 9, 1, 1, 9, 8, 0, 1, 1},
      {1, 2, 3, 1, 3, 3, 2, 3, 1, 1},     {2, 8, 8, 1, 3, 3, 25, 1, 1, 1},
      {0, 4, 4, 1, 2, 2, 1, 0, 1, 1},     {1, 2, 2, 1, 3, 3, 1, 0, 1, 1},
      {1, 30, 30, 40, 3, 3, 50, 1, 1, 1}, {2, 7, 9, 2, 3, 3, 4, 1, 2, 1},
      {1, 8, 8, 3, 3, 2, 5, 0, 2, 1},     {2, 9, 11, 2, 2, 2, 3, 0, 3, 1},
      {1, 10, 7, 4, 5, 4, 26, 2, 3, 1},   {1, 4, 4, 1, 1, 1, 1, 0, 2, 1},
      {3, 6, 6, 8, 1, 1, 9, 0, 1, 1},     {2, 6, 6, 3, 1, 1, 7, 2, 1, 1},
      {1, 3, 3, 2, 2, 2, 2, 4, 4, 1},     {1, 2, 9, 1, 3, 3, 1, 0, 2, 1},
      {1, 16, 16, 33, 3, 3, 70, 1, 2, 1}, {1, 3, 3, 300, 3, 3, 140, 1, 1, 1},
      {1, 40, 41, 3, 7, 7, 17, 3, 2, 1},  {5, 4, 4, 16, 3, 3, 33, 1, 1, 1},
      {2, 6, 7, 5, 3, 3, 5, 1, 1, 5},     {1, 9, 8, 9, 3, 2, 27, 1, 2, 9},
      {3, 5, 5, 40, 3, 3, 40, 0, 1, 40},  {2, 7, 7, 3, 5, 5, 6, 2, 3, 3},
      {1, 2, 2, 4, 3, 3, 4, 0, 1, 4},     {1, 3, 9, 8, 1, 9, 8, 0, 1, 8},
      {2, 6, 6, 6, 3, 3, 4, 1, 1, 2},     {1, 8, 7, 12, 3, 3, 24, 1, 2, 3},
      {1, 5, 5, 2, 2, 2, 70, 3, 1, 2},    {2, 4, 4, 8, 1, 1, 8, 0, 1, 4},
      {1, 4, 4, 3, 6, 6, 3, 1, 1, 3},     {0, 4, 4, 2, 2, 2, 2, 0, 1, 2},
  };
  for (size_t t = 0; t < sizeof cases / sizeof *cases; t++)
    check_convolutions(cases[t], t);
}

/* Added to what is there and subtracted from it, in rings of some bits. */
static void test_conv2d_modes(void **unused) {
  (void)unused;
  static const int64_t dims[][TFE_CONV_DIMS] = {{2, 9, 8, 3, 3, 3, 7, 1, 2, 1},
                                                {3, 7, 7, 16, 5, 5, 20, 2, 1, 1},
                                                {1, 5, 5, 1, 3, 3, 2, 0, 1, 1},
                                                {2, 6, 5, 4, 3, 3, 8, 1, 2, 4},
                                                {1, 6, 5, 4, 3, 3, 6, 1, 1, 2}};
  static const int64_t bits[] = {64, 24, 1};
  for (size_t t = 0; t < 3 * sizeof dims / sizeof *dims; t++)
    for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++) {
      Convolution c = new_convolution(dims[t / 3]);
      uint64_t mask = ~UINT64_C(0) >> (64 - bits[t % 3]);
      for (int what = X; what <= Y; what++) {
        static const TfeConv conv[3] = {TFE_CONV_INPUT, TFE_CONV_KERNEL, TFE_CONV};
        int a = what == X ? Y : X, b = what == K ? Y : K;
        uint64_t *set = new_words(c.size[what]), *add = new_words(c.size[what]),
                 *old = new_words(c.size[what]);
        for (int64_t i = 0; i < c.size[what]; i++)
          add[i] = old[i] &= mask;
        for (TfeMode mode = TFE_ADD; mode <= TFE_SUBTRACT; mode++) {
          tfe_ring_conv2d(tfe_ring_of(cpu), conv[what], set, c.words[a], c.words[b], c.dims, 64, TFE_SET);
          tfe_ring_conv2d(tfe_ring_of(cpu), conv[what], add, c.words[a], c.words[b], c.dims, bits[t % 3],
                          mode);
          for (int64_t i = 0; i < c.size[what]; i++) {
            assert_int_equal(add[i], (mode == TFE_ADD ? old[i] + set[i] : old[i] - set[i]) & mask);
            add[i] = old[i];
          }
        }
        free(set), free(add), free(old);
      }
      free_convolution(&c);
    }
}

/* Shared among threads, by rows, columns and images; and blocks of b of many columns. */
static void test_threads(void **unused) {
  (void)unused;
  tfe_pool_set(3);
  check_shape(300, 130, 70);
  check_shape(20, 130, 700);
  check_shape(64, 70, 2200);
  static const int64_t dims[][TFE_CONV_DIMS] = {{7, 12, 12, 16, 5, 5, 16, 0, 1, 1},
                                                {2, 14, 14, 16, 3, 3, 40, 1, 1, 1},
                                                {9, 30, 30, 64, 3, 3, 64, 1, 1, 64}};
  for (size_t t = 0; t < sizeof dims / sizeof *dims; t++)
    check_convolutions(dims[t], 1000 + t);
  tfe_pool_set(1);
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
    tfe_matmul_ring(got, a, b, 6, 7, 5, bits[t], 0);
    for (int i = 0; i < 30; i++)
      assert_int_equal(got[i], want[i] & mask);
    static const int64_t dims[TFE_CONV_DIMS] = {1, 6, 7, 1, 5, 7, 1, 0, 1, 1}; /* out [1, 2, 1, 1] */
    tfe_conv2d_ring(got, a, b, dims, bits[t], 0);
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
  static const int64_t dims[TFE_CONV_DIMS] = {1, 2, 2, 1, 2, 2, 1, 0, 1, 1};
  tfe_conv2d_fixed((uint64_t *)fgot, (const uint64_t *)fa, (const uint64_t *)fb, dims);
  assert_true(fgot[0] == 0.5 + 2 - 6 + 1);
  tfe_conv2d_int((uint64_t *)got, (const uint64_t *)a, (const uint64_t *)b, dims);
  assert_int_equal(got[0], -5 - 12 + 21 - 32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_shapes),    cmocka_unit_test(test_larger_shapes),
      cmocka_unit_test(test_packed_kernels),  cmocka_unit_test(test_fixed_operand),
      cmocka_unit_test(test_empty),           cmocka_unit_test(test_unaligned),
      cmocka_unit_test(test_conv2d),          cmocka_unit_test(test_conv2d_modes),
      cmocka_unit_test(test_threads),         cmocka_unit_test(test_narrow_rings),
      cmocka_unit_test(test_signed_and_real),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
