/* Products of any size from panels (ring.h): blocking, packing, convolution; and the ABI's entry points.
 *
 * A panel of b (BLOCK_K rows, the kernel's columns) stays in the first- or second-level cache while all
 * rows of a pass by. When it is used often enough it is copied to a dense buffer first, so that rows of b
 * far apart do not fight for the same cache lines. The buffer lives on the stack and is wiped. A
 * convolution is one product for each output row and kernel row: windows that lie side by side are rows of
 * a matrix with row stride ci (no copy). */
#include "ring.h"

#include <openssl/crypto.h>
#include <string.h>

#include "../include/abi.h"

enum {
  BLOCK_K = 256,
  MAX_COLUMNS = 24,
  PACK_ROWS = 32, /* packing pays from this many rows of a on */
};

const TfeRing *tfe_ring_of(TfeCpu cpu) {
#if defined(__x86_64__)
  if (cpu == TFE_CPU_AVX512)
    return &tfe_ring_avx512;
  if (cpu == TFE_CPU_AVX2)
    return &tfe_ring_avx2;
#endif
  (void)cpu;
  return &tfe_ring_c;
}

const TfeRing *tfe_ring(void) {
  return tfe_ring_of(tfe_cpu());
}

/* The same text for both element types: rings and doubles differ in the kernel alone. */
#define DEFINE_PRODUCT(suffix, T)                                                                            \
  static void pack##suffix(T *out, const T *b, int64_t ldb, int64_t k, int64_t n) {                          \
    for (int64_t i = 0; i < k; i++)                                                                          \
      memcpy(out + i * n, b + i * ldb, (size_t)n * sizeof(T));                                               \
  }                                                                                                          \
                                                                                                             \
  /* out[m, n] (+)= a[m, k] b[k, n] */                                                                       \
  static void product##suffix(const TfeRing *ring, T *out, int64_t ldo, const T *a, int64_t lda, const T *b, \
                              int64_t ldb, int64_t m, int64_t k, int64_t n, bool add) {                      \
    if (m == 1 || k <= BLOCK_K) { /* nothing of b is used twice, or a panel fits as it is */                 \
      for (int64_t j = 0; j < n; j += ring->columns)                                                         \
        ring->panel##suffix(out + j, ldo, a, lda, b + j, ldb, m, k,                                          \
                            n - j < ring->columns ? n - j : ring->columns, add);                             \
      return;                                                                                                \
    }                                                                                                        \
    T packed[BLOCK_K * MAX_COLUMNS];                                                                         \
    bool packs = m >= PACK_ROWS && n > 1;                                                                    \
    for (int64_t j = 0; j < n; j += ring->columns) {                                                         \
      int64_t columns = n - j < ring->columns ? n - j : ring->columns;                                       \
      for (int64_t p = 0; p < k; p += BLOCK_K) {                                                             \
        int64_t depth = k - p < BLOCK_K ? k - p : BLOCK_K;                                                   \
        const T *panel = b + p * ldb + j;                                                                    \
        if (packs)                                                                                           \
          pack##suffix(packed, panel, ldb, depth, columns);                                                  \
        ring->panel##suffix(out + j, ldo, a + p, lda, packs ? packed : panel, packs ? columns : ldb, m,      \
                            depth, columns, add || p > 0);                                                   \
      }                                                                                                      \
    }                                                                                                        \
    if (packs)                                                                                               \
      OPENSSL_cleanse(packed, sizeof packed);                                                                \
  }                                                                                                          \
                                                                                                             \
  /* One output row: out[wo, co] += the kernel row's kw positions over the input row x[w, ci]. */            \
  static void conv_row##suffix(const TfeRing *ring, T *out, const T *x, const T *kernel,                     \
                               const int64_t *dims) {                                                        \
    int64_t w = dims[2], ci = dims[3], kw = dims[5], co = dims[6], pad = dims[7];                            \
    int64_t wo = w + 2 * pad - kw + 1;                                                                       \
    int64_t from = pad < wo ? pad : wo, to = w + pad - kw + 1; /* windows from .. to-1 lie inside */         \
    to = to < from ? from : to > wo ? wo : to;                                                               \
    for (int64_t i = 0; i < wo; i++) {                                                                       \
      if (i == from && to > from) {                                                                          \
        product##suffix(ring, out + from * co, co, x + (from - pad) * ci, ci, kernel, co, to - from,         \
                        kw * ci, co, true);                                                                  \
        i = to - 1;                                                                                          \
        continue;                                                                                            \
      }                                                                                                      \
      int64_t first = i < pad ? pad - i : 0,                                                                 \
              last = w + pad - i < kw ? w + pad - i : kw; /* of the kernel row */                            \
      if (first < last)                                                                                      \
        product##suffix(ring, out + i * co, co, x + (i - pad + first) * ci, ci, kernel + first * ci * co,    \
                        co, 1, (last - first) * ci, co, true);                                               \
    }                                                                                                        \
  }                                                                                                          \
                                                                                                             \
  void tfe_ring_conv2d##suffix(const TfeRing *ring, T *out, const T *x, const T *kernel,                     \
                               const int64_t *dims) {                                                        \
    int64_t h = dims[1], w = dims[2], ci = dims[3], kh = dims[4], kw = dims[5], co = dims[6], pad = dims[7]; \
    int64_t ho = h + 2 * pad - kh + 1, wo = w + 2 * pad - kw + 1;                                            \
    if (ho <= 0 || wo <= 0)                                                                                  \
      return;                                                                                                \
    memset(out, 0, (size_t)(dims[0] * ho * wo * co) * sizeof(T));                                            \
    for (int64_t image = 0; image < dims[0]; image++)                                                        \
      for (int64_t i = 0; i < ho; i++)                                                                       \
        for (int64_t y = 0; y < kh; y++)                                                                     \
          if (i + y >= pad && i + y - pad < h)                                                               \
            conv_row##suffix(ring, out + (image * ho + i) * wo * co, x + (image * h + i + y - pad) * w * ci, \
                             kernel + y * kw * ci * co, dims);                                               \
  }                                                                                                          \
                                                                                                             \
  void tfe_ring_matmul##suffix(const TfeRing *ring, T *out, const T *a, const T *b, int64_t m, int64_t k,    \
                               int64_t n) {                                                                  \
    if (m > 0 && n > 0)                                                                                      \
      product##suffix(ring, out, n, a, k, b, n, m, k, n, false);                                             \
  }

DEFINE_PRODUCT(, uint64_t)
DEFINE_PRODUCT(_fixed, double)

static void mask_all(uint64_t *out, int64_t n, int64_t bits) {
  if (bits == 64)
    return;
  uint64_t mask = ~UINT64_C(0) >> (64 - bits);
  for (int64_t i = 0; i < n; i++)
    out[i] &= mask;
}

void tfe_matmul_ring(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n,
                     int64_t bits) {
  tfe_ring_matmul(tfe_ring(), out, a, b, m, k, n);
  mask_all(out, m * n, bits);
}

void tfe_matmul_int(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n) {
  tfe_ring_matmul(tfe_ring(), out, a, b, m, k, n);
}

void tfe_matmul_fixed(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n) {
  tfe_ring_matmul_fixed(tfe_ring(), (double *)out, (const double *)a, (const double *)b, m, k, n);
}

/* ---- convolutions of any stride, and their gradients ----------------------------------------------------- */

typedef enum ConvRole { CONV_RESULT, CONV_INPUT, CONV_KERNEL } ConvRole;

static int64_t conv_extent(int64_t size, int64_t kernel, int64_t pad, int64_t stride) {
  return size + 2 * pad < kernel ? 0 : (size + 2 * pad - kernel) / stride + 1;
}

/* Elements of what has that role. */
static int64_t conv_count(const int64_t *d, ConvRole role) {
  if (role == CONV_INPUT)
    return d[0] * d[1] * d[2] * d[3];
  if (role == CONV_KERNEL)
    return d[4] * d[5] * d[3] * d[6];
  return d[0] * conv_extent(d[1], d[4], d[7], d[8]) * conv_extent(d[2], d[5], d[7], d[8]) * d[6];
}

/* out += the product of a and b for one window's place and one place of the kernel: co results y, ci inputs x, ci by co
 * elements of the kernel k, of which one is out. In this order windows outside, places of the kernel inside. */
#define DEFINE_CONV(suffix, T)                                                                               \
  static void conv_term##suffix(ConvRole role, T *out, const T *a, const T *b, int64_t y, int64_t x,         \
                                int64_t k, int64_t ci, int64_t co) {                                         \
    for (int64_t c = 0; c < ci; c++)                                                                         \
      for (int64_t f = 0; f < co; f++) {                                                                     \
        int64_t w = k + c * co + f;                                                                          \
        if (role == CONV_RESULT)                                                                             \
          out[y + f] += a[x + c] * b[w];                                                                     \
        else if (role == CONV_INPUT)                                                                         \
          out[x + c] += a[y + f] * b[w];                                                                     \
        else                                                                                                 \
          out[w] += a[x + c] * b[y + f];                                                                     \
      }                                                                                                      \
  }                                                                                                          \
                                                                                                             \
  static void conv_window##suffix(ConvRole role, T *out, const T *a, const T *b, const int64_t *d,           \
                                  int64_t image, int64_t row, int64_t column, int64_t y) {                   \
    for (int64_t i = 0; i < d[4]; i++)                                                                       \
      for (int64_t j = 0; j < d[5]; j++)                                                                     \
        if (row + i >= 0 && row + i < d[1] && column + j >= 0 && column + j < d[2])                          \
          conv_term##suffix(role, out, a, b, y, ((image * d[1] + row + i) * d[2] + column + j) * d[3],       \
                            (i * d[5] + j) * d[3] * d[6], d[3], d[6]);                                       \
  }                                                                                                          \
                                                                                                             \
  static void conv##suffix(ConvRole role, T *out, const T *a, const T *b, const int64_t *d) {                \
    int64_t ho = conv_extent(d[1], d[4], d[7], d[8]), wo = conv_extent(d[2], d[5], d[7], d[8]);              \
    memset(out, 0, (size_t)conv_count(d, role) * sizeof(T));                                                 \
    for (int64_t image = 0; image < d[0]; image++)                                                           \
      for (int64_t i = 0; i < ho; i++)                                                                       \
        for (int64_t j = 0; j < wo; j++)                                                                     \
          conv_window##suffix(role, out, a, b, d, image, i *d[8] - d[7], j * d[8] - d[7],                    \
                              ((image * ho + i) * wo + j) * d[6]);                                           \
  }

DEFINE_CONV(_ring, uint64_t)
DEFINE_CONV(_real, double)

void tfe_conv2d_int(uint64_t *out, const uint64_t *x, const uint64_t *k, const int64_t *dims) {
  if (dims[8] == 1)
    tfe_ring_conv2d(tfe_ring(), out, x, k, dims);
  else
    conv_ring(CONV_RESULT, out, x, k, dims);
}

void tfe_conv2d_ring(uint64_t *out, const uint64_t *x, const uint64_t *k, const int64_t *dims, int64_t bits) {
  tfe_conv2d_int(out, x, k, dims);
  mask_all(out, conv_count(dims, CONV_RESULT), bits);
}

void tfe_conv2d_fixed(uint64_t *out, const uint64_t *x, const uint64_t *k, const int64_t *dims) {
  if (dims[8] == 1)
    tfe_ring_conv2d_fixed(tfe_ring(), (double *)out, (const double *)x, (const double *)k, dims);
  else
    conv_real(CONV_RESULT, (double *)out, (const double *)x, (const double *)k, dims);
}

void tfe_conv2d_input_int(uint64_t *out, const uint64_t *dy, const uint64_t *k, const int64_t *dims) {
  conv_ring(CONV_INPUT, out, dy, k, dims);
}

void tfe_conv2d_input_ring(uint64_t *out, const uint64_t *dy, const uint64_t *k, const int64_t *dims,
                           int64_t bits) {
  conv_ring(CONV_INPUT, out, dy, k, dims);
  mask_all(out, conv_count(dims, CONV_INPUT), bits);
}

void tfe_conv2d_input_fixed(uint64_t *out, const uint64_t *dy, const uint64_t *k, const int64_t *dims) {
  conv_real(CONV_INPUT, (double *)out, (const double *)dy, (const double *)k, dims);
}

void tfe_conv2d_kernel_int(uint64_t *out, const uint64_t *x, const uint64_t *dy, const int64_t *dims) {
  conv_ring(CONV_KERNEL, out, x, dy, dims);
}

void tfe_conv2d_kernel_ring(uint64_t *out, const uint64_t *x, const uint64_t *dy, const int64_t *dims,
                            int64_t bits) {
  conv_ring(CONV_KERNEL, out, x, dy, dims);
  mask_all(out, conv_count(dims, CONV_KERNEL), bits);
}

void tfe_conv2d_kernel_fixed(uint64_t *out, const uint64_t *x, const uint64_t *dy, const int64_t *dims) {
  conv_real(CONV_KERNEL, (double *)out, (const double *)x, (const double *)dy, dims);
}
