/* AVX2 kernels of ring.h. There is no 64-bit multiplication: with a = a1 2^32 + a0 and b likewise,
 *   a b mod 2^64 = a0 b0 + 2^32 (a0 b1 + a1 b0),
 * vpmuludq gives a0 b0, vpmulld of a and b with its halves swapped gives both cross products modulo 2^32
 * at once; they are summed in 32-bit lanes and added up only at the end. Where b is packed, the swapped vectors are
 * packed with it. Four rows by four columns keep
 * eight sums in registers. Doubles take the same blocks; a product and a sum are two operations, never
 * fused. */
#include "ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { COLUMNS = 4, STRIP = 16 };

/* Lanes 0 .. n-1. */
INLINE __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

INLINE __m256i load(const uint64_t *p, bool whole, __m256i lanes) {
  return whole ? _mm256_loadu_si256((const void *)p) : _mm256_maskload_epi64((const void *)p, lanes);
}

/* What is done with sums: added to what is there or set, their sign turned before or not, masked. */
typedef struct Finish {
  bool set;
  __m256i sign, mask;
} Finish;

INLINE Finish finish_of(const TfePanel *s) {
  return (Finish){s->mode == TFE_SET, _mm256_set1_epi64x(s->mode == TFE_SUBTRACT ? -1 : 0),
                  _mm256_set1_epi64x((int64_t)(~UINT64_C(0) >> (64 - s->bits)))};
}

INLINE void put(uint64_t *out, bool whole, __m256i lanes, __m256i sum, Finish f) {
  if (!f.set)
    sum = _mm256_add_epi64(load(out, whole, lanes), _mm256_sub_epi64(_mm256_xor_si256(sum, f.sign), f.sign));
  sum = _mm256_and_si256(sum, f.mask);
  if (whole)
    _mm256_storeu_si256((void *)out, sum);
  else
    _mm256_maskstore_epi64((void *)out, lanes, sum);
}

/* Both halves of every cross sum belong to the upper half of the product. */
INLINE __m256i whole_sum(__m256i low, __m256i cross) {
  __m256i upper = _mm256_and_si256(cross, _mm256_set1_epi64x((int64_t)(~UINT64_C(0) << 32)));
  return _mm256_add_epi64(low, _mm256_add_epi64(_mm256_slli_epi64(cross, 32), upper));
}

/* rows by vectors of four columns, both constant, at most four blocks; unless whole, the vectors have the
 * given lanes. */
INLINE void block(int rows, int vectors, bool whole, __m256i lanes, const TfePanel *s, uint64_t *out,
                  const uint64_t *a, const uint64_t *b) {
  __m256i low[4][4], cross[4][4];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      low[r][v] = cross[r][v] = _mm256_setzero_si256();
  int64_t lda = s->lda, step = s->step, ldb = s->ldb;
  for (int64_t p = s->k; p > 0; p--, a += step, b += ldb)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      __m256i vb = load(b + 4 * v, whole, lanes), swapped = _mm256_shuffle_epi32(vb, 0xb1);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        __m256i va = _mm256_set1_epi64x((int64_t)a[r * lda]);
        low[r][v] = _mm256_add_epi64(low[r][v], _mm256_mul_epu32(va, vb));
        cross[r][v] = _mm256_add_epi32(cross[r][v], _mm256_mullo_epi32(va, swapped));
      }
    }
  Finish finish = finish_of(s);
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      put(out + r * s->ldo + 4 * v, whole, lanes, whole_sum(low[r][v], cross[r][v]), finish);
}

INLINE void rows_of(bool whole, __m256i lanes, const TfePanel *s, int64_t j) {
  uint64_t *out = (uint64_t *)s->out + j;
  const uint64_t *a = s->a, *b = (const uint64_t *)s->b + j;
  int64_t m = s->m;
  for (; m >= 4; m -= 4, out += 4 * s->ldo, a += 4 * s->lda)
    block(4, 1, whole, lanes, s, out, a, b);
  if (m & 2) {
    block(2, 1, whole, lanes, s, out, a, b);
    out += 2 * s->ldo, a += 2 * s->lda;
  }
  if (m & 1)
    block(1, 1, whole, lanes, s, out, a, b);
}

/* A single column: one dense dot product for each row, in any order. */
static void column(const TfePanel *s) {
  const uint64_t *a = s->a, *b = s->b;
  uint64_t *out = s->out, lane[4];
  for (int64_t i = 0; i < s->m; i++, a += s->lda, out += s->ldo) {
    __m256i low = _mm256_setzero_si256(), cross = low;
    int64_t p = 0;
    for (; p + 4 <= s->k; p += 4) {
      __m256i va = _mm256_loadu_si256((const void *)(a + p)), vb = _mm256_loadu_si256((const void *)(b + p));
      low = _mm256_add_epi64(low, _mm256_mul_epu32(va, vb));
      cross = _mm256_add_epi32(cross, _mm256_mullo_epi32(va, _mm256_shuffle_epi32(vb, 0xb1)));
    }
    _mm256_storeu_si256((void *)lane, whole_sum(low, cross));
    uint64_t sum = lane[0] + lane[1] + lane[2] + lane[3];
    for (; p < s->k; p++)
      sum += a[p] * b[p];
    *out = tfe_panel_word(s, *out, sum);
  }
}

static void panel(const TfePanel *s) {
  if (s->n == 1 && s->ldb == 1 && s->step == 1) {
    column(s);
    return;
  }
  int64_t j = 0;
  for (; s->m == 1 && j + STRIP <= s->n; j += STRIP)
    block(1, STRIP / 4, true, first_lanes(4), s, (uint64_t *)s->out + j, s->a, (const uint64_t *)s->b + j);
  for (; j + COLUMNS <= s->n; j += COLUMNS)
    rows_of(true, first_lanes(4), s, j);
  if (j < s->n)
    rows_of(false, first_lanes(s->n - j), s, j);
}

INLINE void block_fixed(int rows, __m256i lanes, const TfePanel *s, double *out, const double *a,
                        const double *b) {
  __m256d sum[4];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    sum[r] = s->mode == TFE_SET ? _mm256_setzero_pd() : _mm256_maskload_pd(out + r * s->ldo, lanes);
  for (int64_t p = s->k; p > 0; p--, a += s->step, b += s->ldb) {
    __m256d vb = _mm256_maskload_pd(b, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      __m256d product = _mm256_mul_pd(_mm256_set1_pd(a[r * s->lda]), vb);
      sum[r] = _mm256_add_pd(sum[r], product);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    _mm256_maskstore_pd(out + r * s->ldo, lanes, sum[r]);
}

static void panel_fixed(const TfePanel *s) {
  for (int64_t j = 0; j < s->n; j += COLUMNS) {
    __m256i lanes = first_lanes(s->n - j);
    double *out = (double *)s->out + j;
    const double *a = s->a, *b = (const double *)s->b + j;
    int64_t m = s->m;
    for (; m >= 4; m -= 4, out += 4 * s->ldo, a += 4 * s->lda)
      block_fixed(4, lanes, s, out, a, b);
    for (; m > 0; m--, out += s->ldo, a += s->lda)
      block_fixed(1, lanes, s, out, a, b);
  }
}

static void copy(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n) {
  __m256i last = first_lanes((n - 1) % 4 + 1);
  int64_t most = (n - 1) / 4 * 4;
  for (; rows > 0; rows--, out += ldo, in += ldi) {
    for (int64_t j = 0; j < most; j += 4)
      _mm256_storeu_si256((void *)(out + j), _mm256_loadu_si256((const void *)(in + j)));
    _mm256_maskstore_epi64((void *)(out + most), last,
                           _mm256_maskload_epi64((const void *)(in + most), last));
  }
}

static void add(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n,
                uint64_t mask) {
  __m256i bits = _mm256_set1_epi64x((int64_t)mask), rest = first_lanes(n % 4);
  for (; rows > 0; rows--, out += ldo, in += ldi)
    for (int64_t j = 0; j < n; j += 4) {
      bool whole = n - j >= 4;
      __m256i sum = _mm256_add_epi64(load(out + j, whole, rest), load(in + j, whole, rest));
      sum = _mm256_and_si256(sum, bits);
      if (whole)
        _mm256_storeu_si256((void *)(out + j), sum);
      else
        _mm256_maskstore_epi64((void *)(out + j), rest, sum);
    }
}

/* -- b packed: of each row of four columns, the words and the words with their halves swapped --------------- */

enum { PACKED_ROW = 8, PACKED_DEPTH = 256 };

static void pack(void *to, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  uint64_t *out = to;
  __m256i lanes = first_lanes(n);
  for (int64_t p = 0; p < k; p++, b += ldb, out += PACKED_ROW) {
    __m256i row = load(b, n >= COLUMNS, lanes);
    _mm256_store_si256((void *)out, row);
    _mm256_store_si256((void *)(out + 4), _mm256_shuffle_epi32(row, 0xb1));
  }
}

INLINE void packed_block(int rows, bool whole, __m256i lanes, const TfePanel *s, uint64_t *out,
                         const uint64_t *a, const uint64_t *b) {
  __m256i low[4], cross[4];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    low[r] = cross[r] = _mm256_setzero_si256();
  int64_t lda = s->lda, step = s->step;
  for (int64_t p = s->k; p > 0; p--, a += step, b += PACKED_ROW) {
    __m256i vb = _mm256_load_si256((const void *)b), swapped = _mm256_load_si256((const void *)(b + 4));
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      __m256i va = _mm256_set1_epi64x((int64_t)a[r * lda]);
      low[r] = _mm256_add_epi64(low[r], _mm256_mul_epu32(va, vb));
      cross[r] = _mm256_add_epi32(cross[r], _mm256_mullo_epi32(va, swapped));
    }
  }
  Finish finish = finish_of(s);
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    put(out + r * s->ldo, whole, lanes, whole_sum(low[r], cross[r]), finish);
}

/* All rows by one panel, which stays near. */
INLINE void packed_panel(bool whole, const TfePanel *s, int64_t j, const uint64_t *b) {
  __m256i lanes = first_lanes(s->n - j);
  uint64_t *out = (uint64_t *)s->out + j;
  const uint64_t *a = s->a;
  int64_t m = s->m;
  for (; m >= 4; m -= 4, out += 4 * s->ldo, a += 4 * s->lda)
    packed_block(4, whole, lanes, s, out, a, b);
  for (; m > 0; m--, out += s->ldo, a += s->lda)
    packed_block(1, whole, lanes, s, out, a, b);
}

static void multiply(const TfePanel *s) {
  const uint64_t *b = s->b;
  for (int64_t j = 0; j < s->n; j += COLUMNS, b += s->k * PACKED_ROW)
    if (s->n - j >= COLUMNS)
      packed_panel(true, s, j, b);
    else
      packed_panel(false, s, j, b);
}

static bool pays(int64_t m, int64_t k, int64_t n, int64_t bits) {
  (void)bits;
  return m >= 32 && k >= 8 && n >= COLUMNS;
}

/* -- rings of up to 32 bits: b packed as words of 32 bits, panels of 16 columns, by vpmulld ------------------ */

enum { NARROW_COLUMNS = 16 };

static void pack_narrow(void *to, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  uint32_t *out = to;
  for (; k > 0; k--, b += ldb, out += NARROW_COLUMNS)
    for (int64_t j = 0; j < NARROW_COLUMNS; j += 4) {
      __m256i words = load(b + (j < n ? j : 0), n - j >= 4, first_lanes(n - j));
      __m256i low = _mm256_permutevar8x32_epi32(words, even);
      _mm_store_si128((void *)(out + j), _mm256_castsi256_si128(low));
    }
}

/* The sums of 8 columns, of which there are n. */
INLINE void put_narrow(uint64_t *out, int64_t n, __m256i sum, Finish f) {
  put(out, n >= 4, first_lanes(n), _mm256_cvtepu32_epi64(_mm256_castsi256_si128(sum)), f);
  if (n > 4)
    put(out + 4, n >= 8, first_lanes(n - 4), _mm256_cvtepu32_epi64(_mm256_extracti128_si256(sum, 1)), f);
}

/* n columns, 0 < n <= 16. */
INLINE void block_narrow(int rows, const TfePanel *s, int64_t n, uint64_t *out, const uint64_t *a,
                         const uint32_t *b) {
  __m256i sum[4][2];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  int64_t lda = s->lda, step = s->step;
  for (int64_t p = s->k; p > 0; p--, a += step, b += NARROW_COLUMNS) {
    __m256i b0 = _mm256_load_si256((const void *)b), b1 = _mm256_load_si256((const void *)(b + 8));
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      __m256i va = _mm256_set1_epi32((int32_t)(uint32_t)a[r * lda]);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_mullo_epi32(va, b0));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_mullo_epi32(va, b1));
    }
  }
  Finish finish = finish_of(s);
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    put_narrow(out + r * s->ldo, n, sum[r][0], finish);
    if (n > 8)
      put_narrow(out + r * s->ldo + 8, n - 8, sum[r][1], finish);
  }
}

static void multiply_narrow(const TfePanel *s) {
  const uint32_t *b = s->b;
  for (int64_t j = 0; j < s->n; j += NARROW_COLUMNS, b += s->k * NARROW_COLUMNS) {
    int64_t m = s->m, n = s->n - j < NARROW_COLUMNS ? s->n - j : NARROW_COLUMNS;
    uint64_t *out = (uint64_t *)s->out + j;
    const uint64_t *a = s->a;
    for (; m >= 4; m -= 4, out += 4 * s->ldo, a += 4 * s->lda)
      block_narrow(4, s, n, out, a, b);
    for (; m > 0; m--, out += s->ldo, a += s->lda)
      block_narrow(1, s, n, out, a, b);
  }
}

/* Against the direct kernel; measured. */
static bool narrow_pays(int64_t m, int64_t k, int64_t n, int64_t bits) {
  return bits <= 32 && m >= 16 && k >= 8 && n > 8;
}

static const TfePacked packed_narrow = {
    NARROW_COLUMNS, 1, NARROW_COLUMNS * 4, PACKED_DEPTH, pack_narrow, multiply_narrow, narrow_pays};
static const TfePacked packed_words = {COLUMNS, 1, PACKED_ROW * 8, PACKED_DEPTH, pack, multiply, pays};
static const TfePacked *const packed[] = {&packed_narrow, &packed_words, NULL};
const TfeRing tfe_ring_avx2 = {
    "avx2", COLUMNS, panel, panel_fixed, copy, add, tfe_avx2_multiply_add, tfe_avx2_multiply_add_fixed,
    packed};
#endif
