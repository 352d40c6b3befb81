/* IFMA and VNNI kernels of ring.h. With x = x1 2^52 + x0 for both operands,
 *   a b mod 2^64 = low(a0 b0) + 2^52 (high(a0 b0) + a0 b1 + a1 b0),
 * where low and high are the halves of 52 bits that vpmadd52luq and vpmadd52huq give of raw words, and of the
 * rest twelve bits count: vpdpwssd multiplies words of 16 bits, for two elements of k at once. That is five
 * instructions for sixteen products, where vpmullq takes eight and is three operations each. No sum is too
 * large for its twelve bits to be right.
 *
 * Four rows by 16 columns. b in groups of two rows: the words of both, then the crosses (b1, b0) of both; the
 * crosses (a0, a1) of four rows of a are made before they are used with all columns. */
#include "ring.h"

#if defined(__x86_64__)
#include <assert.h>
#include <immintrin.h>

#include "ring_avx512.h"

enum {
  COLUMNS = 16,
  UNIT = 2,
  ROWS = 4,
  DEPTH = 512,
  RAW = UNIT * COLUMNS, /* words of a group before its crosses */
  GROUP = RAW + COLUMNS,
};

typedef struct Room {
  uint64_t crosses[ROWS][DEPTH / UNIT];
} Room;
static_assert(sizeof(Room) <= TFE_RING_ROOM, "the caller's room");

/* a0 in bits 0 .. 11, a1 in bits 16 .. 27. */
INLINE uint64_t cross(uint64_t a) {
  return (a & 0xfff) | a >> 52 << 16;
}

INLINE __m512i cross_swapped(__m512i b) {
  __m512i low = _mm512_and_si512(b, _mm512_set1_epi64(0xfff));
  return _mm512_or_si512(_mm512_srli_epi64(b, 52), _mm512_slli_epi64(low, 16));
}

static void pack(void *to, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  uint64_t *out = to;
  for (int64_t p = 0; p < k; p += UNIT, b += UNIT * ldb, out += GROUP)
    for (int v = 0; v < 2; v++) {
      __mmask8 some = first_lanes(n - 8 * v), second = p + 1 < k ? some : 0;
      __m512i x = _mm512_maskz_loadu_epi64(some, b + 8 * v);
      __m512i y = _mm512_maskz_loadu_epi64(second, b + (second ? ldb : 0) + 8 * v);
      _mm512_store_si512(out + 8 * v, x);
      _mm512_store_si512(out + COLUMNS + 8 * v, y);
      _mm512_store_si512(out + RAW + 8 * v,
                         _mm512_or_si512(cross_swapped(x), _mm512_slli_epi64(cross_swapped(y), 32)));
    }
}

static void cross_rows(Room *room, const TfePanel *s, const uint64_t *a, int64_t rows) {
  for (int64_t r = 0; r < rows; r++, a += s->lda) {
    const uint64_t *at = a;
    for (int64_t p = 0; p + 1 < s->k; p += UNIT, at += UNIT * s->step)
      room->crosses[r][p / UNIT] = cross(at[0]) | cross(at[s->step]) << 32;
    if (s->k % UNIT)
      room->crosses[r][s->k / UNIT] = cross(at[0]);
  }
}

typedef struct Sums {
  __m512i low[ROWS][2], high[ROWS][2], cross[ROWS][2];
} Sums;

/* One row of b. */
INLINE void add_row(Sums *sum, int rows, int vectors, const uint64_t *a, int64_t lda, const uint64_t *b) {
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    __m512i va = _mm512_set1_epi64((int64_t)a[r * lda]);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
      __m512i vb = _mm512_load_si512(b + 8 * v);
      sum->low[r][v] = _mm512_madd52lo_epu64(sum->low[r][v], va, vb);
      sum->high[r][v] = _mm512_madd52hi_epu64(sum->high[r][v], va, vb);
    }
  }
}

INLINE void add_crosses(Sums *sum, int rows, int vectors, const Room *room, int64_t group,
                        const uint64_t *b) {
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    __m512i va = _mm512_set1_epi64((int64_t)room->crosses[r][group]);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      sum->cross[r][v] = _mm512_dpwssd_epi32(sum->cross[r][v], va, _mm512_load_si512(b + 8 * v));
  }
}

/* rows by vectors of eight columns, both constant; the last vector has the lanes `last`. */
INLINE void block(int rows, int vectors, __mmask8 last, const TfePanel *s, uint64_t *out, const uint64_t *a,
                  const uint64_t *b) {
  const Room *room = s->room;
  Sums sum;
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      sum.low[r][v] = sum.high[r][v] = sum.cross[r][v] = _mm512_setzero_si512();
  int64_t groups = s->k / UNIT;
  for (int64_t g = 0; g < groups; g++, a += UNIT * s->step, b += GROUP) {
    add_row(&sum, rows, vectors, a, s->lda, b);
    add_row(&sum, rows, vectors, a + s->step, s->lda, b + COLUMNS);
    add_crosses(&sum, rows, vectors, room, g, b + RAW);
  }
  if (s->k % UNIT) {
    add_row(&sum, rows, vectors, a, s->lda, b);
    add_crosses(&sum, rows, vectors, room, groups, b + RAW);
  }
  Finish finish = finish_of(s);
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
      __m512i crosses = _mm512_add_epi64(sum.cross[r][v], _mm512_srli_epi64(sum.cross[r][v], 32));
      __m512i upper = _mm512_slli_epi64(_mm512_add_epi64(sum.high[r][v], crosses), 52);
      put(out + r * s->ldo + 8 * v, v == vectors - 1 ? last : 0xff, _mm512_add_epi64(sum.low[r][v], upper),
          finish);
    }
}

INLINE void columns_of(int rows, const TfePanel *s, int64_t i) {
  uint64_t *out = (uint64_t *)s->out + i * s->ldo;
  const uint64_t *a = (const uint64_t *)s->a + i * s->lda, *b = s->b;
  cross_rows(s->room, s, a, rows);
  int64_t panel = (s->k + UNIT - 1) / UNIT * GROUP;
  for (int64_t j = 0; j < s->n; j += COLUMNS, b += panel) {
    int64_t n = s->n - j < COLUMNS ? s->n - j : COLUMNS;
    if (n > 8)
      block(rows, 2, lanes_of(n, 2), s, out + j, a, b);
    else
      block(rows, 1, lanes_of(n, 1), s, out + j, a, b);
  }
}

static void multiply(const TfePanel *s) {
  int64_t i = 0;
  for (; i + ROWS <= s->m; i += ROWS)
    columns_of(ROWS, s, i);
  if (s->m & 2) {
    columns_of(2, s, i);
    i += 2;
  }
  if (s->m & 1)
    columns_of(1, s, i);
}

/* Against the direct kernel, which need not pack; measured. */
static bool pays(int64_t m, int64_t k, int64_t n, int64_t bits) {
  (void)bits;
  return m >= 32 && k >= 16 && n >= 32;
}

const TfePacked tfe_packed_ifma = {COLUMNS, UNIT, GROUP * 8, DEPTH, pack, multiply, pays};

static const TfePacked *const packed[] = {&tfe_packed_avx512_narrow, &tfe_packed_ifma, NULL};
const TfeRing tfe_ring_ifma = {
    "ifma",          TFE_AVX512_COLUMNS, tfe_avx512_panel,        tfe_avx512_panel_fixed,
    tfe_avx512_copy, tfe_avx512_add,     tfe_avx512_multiply_add, tfe_avx512_multiply_add_fixed,
    packed};
#endif
