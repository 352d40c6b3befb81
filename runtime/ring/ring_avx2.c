/* AVX2 kernels of ring.h. There is no 64-bit multiplication: with a = a1 2^32 + a0 and b likewise,
 *   a b mod 2^64 = a0 b0 + 2^32 (a0 b1 + a1 b0),
 * vpmuludq gives a0 b0, vpmulld of a and b with its halves swapped gives both cross products modulo 2^32
 * at once; they are summed in 32-bit lanes and added up only at the end. Four rows by four columns keep
 * eight sums in registers. Doubles take the same blocks; a product and a sum are two operations, never
 * fused. */
#include "ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { COLUMNS = 4 };

/* Lanes 0 .. n-1. */
INLINE __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

INLINE __m256i load(const uint64_t *p, bool whole, __m256i lanes) {
  return whole ? _mm256_loadu_si256((const void *)p) : _mm256_maskload_epi64((const void *)p, lanes);
}

INLINE void store(uint64_t *p, __m256i v, bool whole, __m256i lanes) {
  if (whole)
    _mm256_storeu_si256((void *)p, v);
  else
    _mm256_maskstore_epi64((void *)p, lanes, v);
}

/* rows (1, 2 or 4; constant) by four columns, or as many as lanes says. */
INLINE void block(int rows, bool whole, __m256i lanes, uint64_t *out, int64_t ldo, const uint64_t *a,
                  int64_t lda, const uint64_t *b, int64_t ldb, int64_t k, bool add) {
  __m256i low[4], cross[4];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    low[r] = add ? load(out + r * ldo, whole, lanes) : _mm256_setzero_si256();
    cross[r] = _mm256_setzero_si256();
  }
  for (int64_t p = 0; p < k; p++, b += ldb) {
    __m256i vb = load(b, whole, lanes), swapped = _mm256_shuffle_epi32(vb, 0xb1);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      __m256i va = _mm256_set1_epi64x((int64_t)a[r * lda + p]);
      low[r] = _mm256_add_epi64(low[r], _mm256_mul_epu32(va, vb));
      cross[r] = _mm256_add_epi32(cross[r], _mm256_mullo_epi32(va, swapped));
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    __m256i both =
        _mm256_add_epi64(_mm256_slli_epi64(cross[r], 32),
                         _mm256_and_si256(cross[r], _mm256_set1_epi64x((int64_t)(~UINT64_C(0) << 32))));
    store(out + r * ldo, _mm256_add_epi64(low[r], both), whole, lanes);
  }
}

INLINE void rows_of(bool whole, __m256i lanes, uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda,
                    const uint64_t *b, int64_t ldb, int64_t m, int64_t k, bool add) {
  for (; m >= 4; m -= 4, out += 4 * ldo, a += 4 * lda)
    block(4, whole, lanes, out, ldo, a, lda, b, ldb, k, add);
  if (m & 2) {
    block(2, whole, lanes, out, ldo, a, lda, b, ldb, k, add);
    out += 2 * ldo, a += 2 * lda;
  }
  if (m & 1)
    block(1, whole, lanes, out, ldo, a, lda, b, ldb, k, add);
}

/* A single column: one dense dot product for each row, in any order. */
static void column(uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda, const uint64_t *b, int64_t m,
                   int64_t k, bool add) {
  for (int64_t i = 0; i < m; i++, a += lda) {
    uint64_t s0 = add ? out[i * ldo] : 0, s1 = 0;
    int64_t p = 0;
    for (; p + 2 <= k; p += 2) {
      s0 += a[p] * b[p];
      s1 += a[p + 1] * b[p + 1];
    }
    if (p < k)
      s0 += a[p] * b[p];
    out[i * ldo] = s0 + s1;
  }
}

static void panel(uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda, const uint64_t *b, int64_t ldb,
                  int64_t m, int64_t k, int64_t n, bool add) {
  if (n == 1 && ldb == 1)
    column(out, ldo, a, lda, b, m, k, add);
  else if (n == COLUMNS)
    rows_of(true, _mm256_setzero_si256(), out, ldo, a, lda, b, ldb, m, k, add);
  else
    rows_of(false, first_lanes(n), out, ldo, a, lda, b, ldb, m, k, add);
}

INLINE void block_fixed(int rows, double *out, int64_t ldo, const double *a, int64_t lda, const double *b,
                        int64_t ldb, int64_t k, int64_t n, bool add) {
  __m256i lanes = first_lanes(n);
  __m256d sum[4];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    sum[r] = add ? _mm256_maskload_pd(out + r * ldo, lanes) : _mm256_setzero_pd();
  for (int64_t p = 0; p < k; p++, b += ldb) {
    __m256d vb = _mm256_maskload_pd(b, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      __m256d product = _mm256_mul_pd(_mm256_set1_pd(a[r * lda + p]), vb);
      sum[r] = _mm256_add_pd(sum[r], product);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    _mm256_maskstore_pd(out + r * ldo, lanes, sum[r]);
}

static void panel_fixed(double *out, int64_t ldo, const double *a, int64_t lda, const double *b, int64_t ldb,
                        int64_t m, int64_t k, int64_t n, bool add) {
  for (; m >= 4; m -= 4, out += 4 * ldo, a += 4 * lda)
    block_fixed(4, out, ldo, a, lda, b, ldb, k, n, add);
  for (; m > 0; m--, out += ldo, a += lda)
    block_fixed(1, out, ldo, a, lda, b, ldb, k, n, add);
}

const TfeRing tfe_ring_avx2 = {"avx2", COLUMNS, panel, panel_fixed};
#endif
