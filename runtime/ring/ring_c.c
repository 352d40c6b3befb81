/* Portable kernels of ring.h, and the reference for the others. Two rows by four columns at a time keep
 * eight sums in registers. Signed overflow cannot occur: rings are unsigned. */
#include "ring.h"

#define DEFINE_PANEL(suffix, T)                                                                              \
  static void block##suffix(T *out, int64_t ldo, const T *a, int64_t lda, const T *b, int64_t ldb,           \
                            int64_t k, bool add) {                                                           \
    T c00 = 0, c01 = 0, c02 = 0, c03 = 0, c10 = 0, c11 = 0, c12 = 0, c13 = 0;                                \
    T *row0 = out, *row1 = out + ldo;                                                                        \
    if (add) {                                                                                               \
      c00 = row0[0], c01 = row0[1], c02 = row0[2], c03 = row0[3];                                            \
      c10 = row1[0], c11 = row1[1], c12 = row1[2], c13 = row1[3];                                            \
    }                                                                                                        \
    for (int64_t p = 0; p < k; p++, b += ldb) {                                                              \
      T a0 = a[p], a1 = a[lda + p];                                                                          \
      c00 += a0 * b[0], c01 += a0 * b[1], c02 += a0 * b[2], c03 += a0 * b[3];                                \
      c10 += a1 * b[0], c11 += a1 * b[1], c12 += a1 * b[2], c13 += a1 * b[3];                                \
    }                                                                                                        \
    row0[0] = c00, row0[1] = c01, row0[2] = c02, row0[3] = c03;                                              \
    row1[0] = c10, row1[1] = c11, row1[2] = c12, row1[3] = c13;                                              \
  }                                                                                                          \
                                                                                                             \
  static void edge##suffix(T *out, int64_t ldo, const T *a, int64_t lda, const T *b, int64_t ldb, int64_t m, \
                           int64_t k, int64_t n, bool add) {                                                 \
    for (int64_t i = 0; i < m; i++)                                                                          \
      for (int64_t j = 0; j < n; j++) {                                                                      \
        T sum = add ? out[i * ldo + j] : 0;                                                                  \
        for (int64_t p = 0; p < k; p++)                                                                      \
          sum += a[i * lda + p] * b[p * ldb + j];                                                            \
        out[i * ldo + j] = sum;                                                                              \
      }                                                                                                      \
  }                                                                                                          \
                                                                                                             \
  static void panel##suffix(T *out, int64_t ldo, const T *a, int64_t lda, const T *b, int64_t ldb,           \
                            int64_t m, int64_t k, int64_t n, bool add) {                                     \
    int64_t rows = m / 2 * 2, columns = n / 4 * 4;                                                           \
    for (int64_t j = 0; j < columns; j += 4)                                                                 \
      for (int64_t i = 0; i < rows; i += 2)                                                                  \
        block##suffix(out + i * ldo + j, ldo, a + i * lda, lda, b + j, ldb, k, add);                         \
    edge##suffix(out + columns, ldo, a, lda, b + columns, ldb, rows, k, n - columns, add);                   \
    edge##suffix(out + rows * ldo, ldo, a + rows * lda, lda, b, ldb, m - rows, k, n, add);                   \
  }

DEFINE_PANEL(, uint64_t)
DEFINE_PANEL(_fixed, double)

const TfeRing tfe_ring_c = {"c", 8, panel, panel_fixed};
