/* AVX-512 kernels of ring.h: vpmullq on blocks of eight rows by 24 columns, a broadcast from memory. The
 * last vector of a row is masked, so that no byte outside is touched. Few rows read each row of b in long
 * pieces, since they come from far and are used once. Rings of up to 32 bits have vpmulld, with twice the
 * lanes. Doubles: a product and a sum apart, never fused. */
#include "ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "ring_avx512.h"

enum { COLUMNS = TFE_AVX512_COLUMNS, STRIP = 64, STRIP_ROWS = 3 };

/* rows by vectors of eight columns, both constant, at most 24 sums; the last vector has the lanes `last`. */
INLINE void block(int rows, int vectors, __mmask8 last, const TfePanel *s, uint64_t *out, const uint64_t *a,
                  const uint64_t *b) {
  __m512i sum[8][8];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++)
      sum[r][v] = _mm512_setzero_si512();
  int64_t lda = s->lda, step = s->step, ldb = s->ldb;
  for (int64_t p = s->k; p > 0; p--, a += step, b += ldb) {
    __m512i vb[8];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++)
      vb[v] = v == vectors - 1 ? _mm512_maskz_loadu_epi64(last, b + 8 * v) : _mm512_loadu_si512(b + 8 * v);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      __m512i va = _mm512_set1_epi64((int64_t)a[r * lda]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++)
        sum[r][v] = _mm512_add_epi64(sum[r][v], _mm512_mullo_epi64(va, vb[v]));
    }
  }
  Finish finish = finish_of(s);
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++)
      put(out + r * s->ldo + 8 * v, v == vectors - 1 ? last : 0xff, sum[r][v], finish);
}

INLINE void rows_of(int vectors, const TfePanel *s, int64_t j, int64_t n) {
  __mmask8 last = lanes_of(n, vectors);
  uint64_t *out = (uint64_t *)s->out + j;
  const uint64_t *a = s->a, *b = (const uint64_t *)s->b + j;
  int64_t m = s->m;
  for (; m >= 8; m -= 8, out += 8 * s->ldo, a += 8 * s->lda)
    block(8, vectors, last, s, out, a, b);
  if (m & 4) {
    block(4, vectors, last, s, out, a, b);
    out += 4 * s->ldo, a += 4 * s->lda;
  }
  if (m & 2) {
    block(2, vectors, last, s, out, a, b);
    out += 2 * s->ldo, a += 2 * s->lda;
  }
  if (m & 1)
    block(1, vectors, last, s, out, a, b);
}

static void columns_of(const TfePanel *s, int64_t j, int64_t n) {
  if (n > 16)
    rows_of(3, s, j, n);
  else if (n > 8)
    rows_of(2, s, j, n);
  else
    rows_of(1, s, j, n);
}

/* At most STRIP_ROWS rows by 64 columns. */
static void strip(const TfePanel *s, int64_t j) {
  uint64_t *out = (uint64_t *)s->out + j;
  const uint64_t *a = s->a, *b = (const uint64_t *)s->b + j;
  if (s->m == 1)
    block(1, 8, 0xff, s, out, a, b);
  else if (s->m == 2)
    block(2, 8, 0xff, s, out, a, b);
  else
    block(3, 8, 0xff, s, out, a, b);
}

INLINE uint64_t sum_lanes(__m512i v) {
  uint64_t lane[8], sum = 0;
  _mm512_storeu_si512(lane, v);
  for (int i = 0; i < 8; i++)
    sum += lane[i];
  return sum;
}

/* A single column: one dense dot product for each row, in any order. */
static void column(const TfePanel *s) {
  const uint64_t *a = s->a, *b = s->b;
  uint64_t *out = s->out;
  __mmask8 rest = (__mmask8)((1u << s->k % 8) - 1);
  for (int64_t i = 0; i < s->m; i++, a += s->lda, out += s->ldo) {
    __m512i sum = _mm512_setzero_si512();
    int64_t p = 0;
    for (; p + 8 <= s->k; p += 8)
      sum = _mm512_add_epi64(sum, _mm512_mullo_epi64(_mm512_loadu_si512(a + p), _mm512_loadu_si512(b + p)));
    sum = _mm512_add_epi64(sum, _mm512_mullo_epi64(_mm512_maskz_loadu_epi64(rest, a + p),
                                                   _mm512_maskz_loadu_epi64(rest, b + p)));
    *out = tfe_panel_word(s, *out, sum_lanes(sum));
  }
}

void tfe_avx512_panel(const TfePanel *s) {
  if (s->n == 1 && s->ldb == 1 && s->step == 1) {
    column(s);
    return;
  }
  int64_t j = 0;
  if (s->m <= STRIP_ROWS)
    for (; j + STRIP <= s->n; j += STRIP)
      strip(s, j);
  for (; j < s->n; j += COLUMNS)
    columns_of(s, j, s->n - j < COLUMNS ? s->n - j : COLUMNS);
}

INLINE void block_fixed(int rows, int vectors, __mmask8 last, const TfePanel *s, double *out, const double *a,
                        const double *b) {
  __m512d sum[4][3];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      sum[r][v] = s->mode == TFE_SET
                      ? _mm512_setzero_pd()
                      : _mm512_maskz_loadu_pd(v == vectors - 1 ? last : 0xff, out + r * s->ldo + 8 * v);
  int64_t lda = s->lda, step = s->step, ldb = s->ldb;
  for (int64_t p = s->k; p > 0; p--, a += step, b += ldb) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) {
      __m512d vb = _mm512_maskz_loadu_pd(v == vectors - 1 ? last : 0xff, b + 8 * v);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        __m512d product = _mm512_mul_pd(_mm512_set1_pd(a[r * lda]), vb);
        sum[r][v] = _mm512_add_pd(sum[r][v], product);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++)
      _mm512_mask_storeu_pd(out + r * s->ldo + 8 * v, v == vectors - 1 ? last : 0xff, sum[r][v]);
}

INLINE void rows_of_fixed(int vectors, const TfePanel *s, int64_t j, int64_t n) {
  __mmask8 last = lanes_of(n, vectors);
  double *out = (double *)s->out + j;
  const double *a = s->a, *b = (const double *)s->b + j;
  int64_t m = s->m;
  for (; m >= 4; m -= 4, out += 4 * s->ldo, a += 4 * s->lda)
    block_fixed(4, vectors, last, s, out, a, b);
  for (; m > 0; m--, out += s->ldo, a += s->lda)
    block_fixed(1, vectors, last, s, out, a, b);
}

void tfe_avx512_panel_fixed(const TfePanel *s) {
  for (int64_t j = 0; j < s->n; j += COLUMNS) {
    int64_t n = s->n - j < COLUMNS ? s->n - j : COLUMNS;
    if (n > 16)
      rows_of_fixed(3, s, j, n);
    else if (n > 8)
      rows_of_fixed(2, s, j, n);
    else
      rows_of_fixed(1, s, j, n);
  }
}

/* Short rows, as windows of an image with few channels have, one or two vectors each. */
void tfe_avx512_copy(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n) {
  __mmask8 last = lanes_of((n - 1) % 8 + 1, 1);
  int64_t most = (n - 1) / 8 * 8;
  for (; rows > 0; rows--, out += ldo, in += ldi) {
    for (int64_t j = 0; j < most; j += 8)
      _mm512_storeu_si512(out + j, _mm512_loadu_si512(in + j));
    _mm512_mask_storeu_epi64(out + most, last, _mm512_maskz_loadu_epi64(last, in + most));
  }
}

void tfe_avx512_add(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n,
                    uint64_t mask) {
  __m512i bits = _mm512_set1_epi64((int64_t)mask);
  for (; rows > 0; rows--, out += ldo, in += ldi)
    for (int64_t j = 0; j < n; j += 8) {
      __mmask8 some = first_lanes(n - j);
      __m512i sum =
          _mm512_add_epi64(_mm512_maskz_loadu_epi64(some, out + j), _mm512_maskz_loadu_epi64(some, in + j));
      _mm512_mask_storeu_epi64(out + j, some, _mm512_and_si512(sum, bits));
    }
}

/* -- rings of up to 32 bits: b packed as words of 32 bits, panels of 32 columns, by vpmulld ------------------ */

enum { NARROW_COLUMNS = 32, NARROW_DEPTH = 256 };

static void pack_narrow(void *to, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  uint32_t *out = to;
  for (; k > 0; k--, b += ldb, out += NARROW_COLUMNS)
    for (int64_t j = 0; j < NARROW_COLUMNS; j += 8) {
      __mmask8 lanes = first_lanes(n - j);
      __m512i words = _mm512_maskz_loadu_epi64(lanes, b + (lanes ? j : 0));
      _mm256_store_si256((void *)(out + j), _mm512_cvtepi64_epi32(words));
    }
}

/* The sums of 16 columns, of which there are n. */
INLINE void put_narrow(uint64_t *out, int64_t n, __m512i sum, Finish f) {
  __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(sum));
  put(out, first_lanes(n), low, f);
  if (n > 8)
    put(out + 8, first_lanes(n - 8), _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(sum, 1)), f);
}

/* rows by one or two vectors of 16 columns, n in all. */
INLINE void block_narrow(int rows, int vectors, const TfePanel *s, int64_t n, uint64_t *out,
                         const uint64_t *a, const uint32_t *b) {
  __m512i sum[8][2];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
    sum[r][0] = sum[r][1] = _mm512_setzero_si512();
  int64_t lda = s->lda, step = s->step;
  for (int64_t p = s->k; p > 0; p--, a += step, b += NARROW_COLUMNS)
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      __m512i va = _mm512_set1_epi32((int32_t)(uint32_t)a[r * lda]);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) {
        __m512i product = _mm512_mullo_epi32(va, _mm512_load_si512(b + 16 * v));
        sum[r][v] = _mm512_add_epi32(sum[r][v], product);
      }
    }
  Finish finish = finish_of(s);
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) {
    put_narrow(out + r * s->ldo, n, sum[r][0], finish);
    if (vectors == 2)
      put_narrow(out + r * s->ldo + 16, n - 16, sum[r][1], finish);
  }
}

INLINE void panel_narrow(int vectors, const TfePanel *s, int64_t n, uint64_t *out, const uint32_t *b) {
  const uint64_t *a = s->a;
  int64_t m = s->m;
  for (; m >= 8; m -= 8, out += 8 * s->ldo, a += 8 * s->lda)
    block_narrow(8, vectors, s, n, out, a, b);
  for (; m >= 2; m -= 2, out += 2 * s->ldo, a += 2 * s->lda)
    block_narrow(2, vectors, s, n, out, a, b);
  if (m > 0)
    block_narrow(1, vectors, s, n, out, a, b);
}

static void multiply_narrow(const TfePanel *s) {
  const uint32_t *b = s->b;
  for (int64_t j = 0; j < s->n; j += NARROW_COLUMNS, b += s->k * NARROW_COLUMNS) {
    int64_t n = s->n - j < NARROW_COLUMNS ? s->n - j : NARROW_COLUMNS;
    if (n > 16)
      panel_narrow(2, s, n, (uint64_t *)s->out + j, b);
    else
      panel_narrow(1, s, n, (uint64_t *)s->out + j, b);
  }
}

/* Against the direct kernel; measured. */
static bool narrow_pays(int64_t m, int64_t k, int64_t n, int64_t bits) {
  return bits <= 32 && m >= 16 && k >= 8 && n > 8;
}

const TfePacked tfe_packed_avx512_narrow = {
    NARROW_COLUMNS, 1, NARROW_COLUMNS * 4, NARROW_DEPTH, pack_narrow, multiply_narrow, narrow_pays};
static const TfePacked *const packed[] = {&tfe_packed_avx512_narrow, NULL};
const TfeRing tfe_ring_avx512 = {
    "avx512",        COLUMNS,        tfe_avx512_panel,        tfe_avx512_panel_fixed,
    tfe_avx512_copy, tfe_avx512_add, tfe_avx512_multiply_add, tfe_avx512_multiply_add_fixed,
    packed};
#endif
