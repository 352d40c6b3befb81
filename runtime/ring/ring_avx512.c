/* AVX-512 kernels of ring.h: vpmullq on blocks of eight rows by 24 columns, a broadcast from memory. The
 * last vector of a row is masked, so that no byte outside is touched. Doubles: a product and a sum apart,
 * never fused. */
#include "ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { COLUMNS = 24 };

/* rows (1, 2, 4, 8) by vectors (1 .. 3) of eight columns, both constant; the last vector has the lanes of
 * mask `last`. */
INLINE void block(int rows, int vectors, __mmask8 last, uint64_t *out, int64_t ldo, const uint64_t *a,
                  int64_t lda, const uint64_t *b, int64_t ldb, int64_t k, bool add) {
  __m512i sum[8][3];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      sum[r][v] = !add ? _mm512_setzero_si512()
                       : _mm512_maskz_loadu_epi64(v == vectors - 1 ? last : 0xff, out + r * ldo + 8 * v);
  for (int64_t p = 0; p < k; p++, b += ldb) {
    __m512i vb[3];
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      vb[v] = v == vectors - 1 ? _mm512_maskz_loadu_epi64(last, b + 8 * v) : _mm512_loadu_si512(b + 8 * v);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      __m512i va = _mm512_set1_epi64((int64_t)a[r * lda + p]);
#pragma GCC unroll 3
      for (int v = 0; v < vectors; v++)
        sum[r][v] = _mm512_add_epi64(sum[r][v], _mm512_mullo_epi64(va, vb[v]));
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      _mm512_mask_storeu_epi64(out + r * ldo + 8 * v, v == vectors - 1 ? last : 0xff, sum[r][v]);
}

INLINE void rows_of(int vectors, __mmask8 last, uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda,
                    const uint64_t *b, int64_t ldb, int64_t m, int64_t k, bool add) {
  for (; m >= 8; m -= 8, out += 8 * ldo, a += 8 * lda)
    block(8, vectors, last, out, ldo, a, lda, b, ldb, k, add);
  if (m & 4) {
    block(4, vectors, last, out, ldo, a, lda, b, ldb, k, add);
    out += 4 * ldo, a += 4 * lda;
  }
  if (m & 2) {
    block(2, vectors, last, out, ldo, a, lda, b, ldb, k, add);
    out += 2 * ldo, a += 2 * lda;
  }
  if (m & 1)
    block(1, vectors, last, out, ldo, a, lda, b, ldb, k, add);
}

INLINE uint64_t sum_lanes(__m512i v) {
  uint64_t lane[8], sum = 0;
  _mm512_storeu_si512(lane, v);
  for (int i = 0; i < 8; i++)
    sum += lane[i];
  return sum;
}

/* A single column: one dense dot product for each row, in any order. */
static void column(uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda, const uint64_t *b, int64_t m,
                   int64_t k, bool add) {
  for (int64_t i = 0; i < m; i++, a += lda) {
    __m512i sum = _mm512_setzero_si512();
    int64_t p = 0;
    for (; p + 8 <= k; p += 8)
      sum = _mm512_add_epi64(sum, _mm512_mullo_epi64(_mm512_loadu_si512(a + p), _mm512_loadu_si512(b + p)));
    __mmask8 rest = (__mmask8)((1u << (k - p)) - 1);
    sum = _mm512_add_epi64(sum, _mm512_mullo_epi64(_mm512_maskz_loadu_epi64(rest, a + p),
                                                   _mm512_maskz_loadu_epi64(rest, b + p)));
    out[i * ldo] = (add ? out[i * ldo] : 0) + sum_lanes(sum);
  }
}

INLINE __mmask8 lanes_of(int64_t n, int vectors) {
  return (__mmask8)(0xff >> (8 * vectors - n));
}

static void panel(uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda, const uint64_t *b, int64_t ldb,
                  int64_t m, int64_t k, int64_t n, bool add) {
  if (n == 1 && ldb == 1)
    column(out, ldo, a, lda, b, m, k, add);
  else if (n > 16)
    rows_of(3, lanes_of(n, 3), out, ldo, a, lda, b, ldb, m, k, add);
  else if (n > 8)
    rows_of(2, lanes_of(n, 2), out, ldo, a, lda, b, ldb, m, k, add);
  else
    rows_of(1, lanes_of(n, 1), out, ldo, a, lda, b, ldb, m, k, add);
}

INLINE void block_fixed(int rows, int vectors, __mmask8 last, double *out, int64_t ldo, const double *a,
                        int64_t lda, const double *b, int64_t ldb, int64_t k, bool add) {
  __m512d sum[4][3];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      sum[r][v] = !add ? _mm512_setzero_pd()
                       : _mm512_maskz_loadu_pd(v == vectors - 1 ? last : 0xff, out + r * ldo + 8 * v);
  for (int64_t p = 0; p < k; p++, b += ldb) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) {
      __m512d vb = _mm512_maskz_loadu_pd(v == vectors - 1 ? last : 0xff, b + 8 * v);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        __m512d product = _mm512_mul_pd(_mm512_set1_pd(a[r * lda + p]), vb);
        sum[r][v] = _mm512_add_pd(sum[r][v], product);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      _mm512_mask_storeu_pd(out + r * ldo + 8 * v, v == vectors - 1 ? last : 0xff, sum[r][v]);
}

INLINE void rows_of_fixed(int vectors, __mmask8 last, double *out, int64_t ldo, const double *a, int64_t lda,
                          const double *b, int64_t ldb, int64_t m, int64_t k, bool add) {
  for (; m >= 4; m -= 4, out += 4 * ldo, a += 4 * lda)
    block_fixed(4, vectors, last, out, ldo, a, lda, b, ldb, k, add);
  for (; m > 0; m--, out += ldo, a += lda)
    block_fixed(1, vectors, last, out, ldo, a, lda, b, ldb, k, add);
}

static void panel_fixed(double *out, int64_t ldo, const double *a, int64_t lda, const double *b, int64_t ldb,
                        int64_t m, int64_t k, int64_t n, bool add) {
  if (n > 16)
    rows_of_fixed(3, lanes_of(n, 3), out, ldo, a, lda, b, ldb, m, k, add);
  else if (n > 8)
    rows_of_fixed(2, lanes_of(n, 2), out, ldo, a, lda, b, ldb, m, k, add);
  else
    rows_of_fixed(1, lanes_of(n, 1), out, ldo, a, lda, b, ldb, m, k, add);
}

const TfeRing tfe_ring_avx512 = {"avx512", COLUMNS, panel, panel_fixed};
#endif
