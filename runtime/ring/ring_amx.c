/* AMX kernels of ring.h: products of bytes. An element is cut into limbs of eight bits, a = sum a_l 2^(8 l), so
 * that with diagonals w = i + j
 *   a b = sum over w < limbs of 2^(8 w) sum over i + j = w of a_i b_j;
 * diagonals further up vanish. Eight limbs make 36 products of tiles for Z_2^64, four make ten up to Z_2^32.
 * A tile sums 32-bit words. Those of diagonals from the fourth on may wrap, since no more than 32 bits of them
 * count; the others do not, as 4 255^2 DEPTH < 2^32.
 *
 * Sixteen rows by two tiles of 16 columns, two neighbouring diagonals at a time: with b_j, the first takes
 * a_(w-j) and the second a_(w+1-j), which was the first one's tile in the step before. The sums of all diagonals
 * wait in memory while another 64 elements of k pass by, so that the operands of those stay in the first-level
 * cache.
 *
 * a is cut 16 rows at a time, just before it is used, its last limb first: in this order the loop reads it. */
#include "ring.h"

#if defined(__x86_64__)
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "ring_avx512.h"
#include "tile.h"

enum {
  WIDE = 8,   /* limbs of 64 bits */
  NARROW = 4, /* limbs of 32 bits */
  UNIT = 64,  /* elements of k in a tile */
  COLUMNS = 32,
  DEPTH = 1024,
};

/* The room of a product. */
typedef struct Room {
  uint8_t rows[DEPTH / UNIT * WIDE][TILE_BYTES]; /* of a: for each unit of k, limbs downwards */
  uint32_t sums[WIDE][2][TILE_BYTES / 4];        /* of a diagonal, for each tile of columns */
} Room;
static_assert(sizeof(Room) <= TFE_RING_ROOM, "the caller's room");

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* -- cutting --------------------------------------------------------------------------------------------------- */

/* Qword l of the result: bytes l of the eight elements. */
INLINE __m512i limbs_together(__m512i elements) {
  const __m512i at =
      _mm512_set_epi64(0x3f372f271f170f07, 0x3e362e261e160e06, 0x3d352d251d150d05, 0x3c342c241c140c04,
                       0x3b332b231b130b03, 0x3a322a221a120a02, 0x3931292119110901, 0x3830282018100800);
  return _mm512_permutexvar_epi8(at, elements);
}

/* x[l] = qwords l of x[0] .. x[7] */
INLINE void transpose(__m512i x[8]) {
  __m512i pair[8], four[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    pair[i] = _mm512_unpacklo_epi64(x[2 * i], x[2 * i + 1]);
    pair[4 + i] = _mm512_unpackhi_epi64(x[2 * i], x[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) { /* lanes 0, 2 and 1, 3 of two pairs */
    four[2 * i] = _mm512_shuffle_i64x2(pair[2 * i], pair[2 * i + 1], 0x88);
    four[2 * i + 1] = _mm512_shuffle_i64x2(pair[2 * i], pair[2 * i + 1], 0xdd);
  }
#pragma GCC unroll 2
  for (int odd = 0; odd < 2; odd++) {
    x[odd] = _mm512_shuffle_i64x2(four[4 * odd], four[4 * odd + 2], 0x88);
    x[odd + 2] = _mm512_shuffle_i64x2(four[4 * odd + 1], four[4 * odd + 3], 0x88);
    x[odd + 4] = _mm512_shuffle_i64x2(four[4 * odd], four[4 * odd + 2], 0xdd);
    x[odd + 6] = _mm512_shuffle_i64x2(four[4 * odd + 1], four[4 * odd + 3], 0xdd);
  }
}

/* Elements p .. p + 7 of a row of which n are left. */
INLINE __m512i load_row(const uint64_t *row, int64_t step, int64_t n) {
  if (n <= 0)
    return _mm512_setzero_si512();
  __mmask8 lanes = first_lanes(n);
  if (step == 1)
    return _mm512_maskz_loadu_epi64(lanes, row);
  const __m512i at = _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(step));
  return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes, at, row, 8);
}

/* Up to 16 rows of a, a unit of k after the other, so that what is written stays near. Rows that are missing keep
 * what they had: their sums are not used. */
INLINE void cut_rows(int limbs, const TfePanel *s, int64_t first, int64_t count) {
  Room *room = s->room;
  for (int64_t p = 0; p < s->k; p += UNIT) {
    const uint64_t *row = (const uint64_t *)s->a + first * s->lda + p * s->step;
    uint8_t *out = room->rows[p / UNIT * limbs];
    for (int64_t r = 0; r < count; r++, row += s->lda, out += TILE_ROW_BYTES) {
      __m512i x[8];
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++)
        x[i] = limbs_together(load_row(row + 8 * i * s->step, s->step, s->k - p - 8 * i));
      transpose(x);
#pragma GCC unroll 8
      for (int l = 0; l < limbs; l++)
        _mm512_store_si512(out + (limbs - 1 - l) * TILE_BYTES, x[l]);
    }
  }
}

/* Four rows of b by eight columns: limb 2 i + odd, columns 4 half .., lies in lane i of x[2 odd + half], the four
 * bytes of a column together. */
INLINE void cut_quarter(__m512i x[4], const uint64_t *b, int64_t ldb, int64_t rows, __mmask8 lanes) {
  __m512i row[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    row[i] = i < rows ? limbs_together(_mm512_maskz_loadu_epi64(lanes, b + i * ldb)) : _mm512_setzero_si512();
  __m512i even01 = _mm512_unpacklo_epi8(row[0], row[1]), even23 = _mm512_unpacklo_epi8(row[2], row[3]);
  __m512i odd01 = _mm512_unpackhi_epi8(row[0], row[1]), odd23 = _mm512_unpackhi_epi8(row[2], row[3]);
  x[0] = _mm512_unpacklo_epi16(even01, even23);
  x[1] = _mm512_unpackhi_epi16(even01, even23);
  x[2] = _mm512_unpacklo_epi16(odd01, odd23);
  x[3] = _mm512_unpackhi_epi16(odd01, odd23);
}

/* out[i] = lanes i of a, b, c, d */
INLINE void lanes_apart(__m512i out[4], __m512i a, __m512i b, __m512i c, __m512i d) {
  __m512i ab02 = _mm512_shuffle_i64x2(a, b, 0x88), ab13 = _mm512_shuffle_i64x2(a, b, 0xdd);
  __m512i cd02 = _mm512_shuffle_i64x2(c, d, 0x88), cd13 = _mm512_shuffle_i64x2(c, d, 0xdd);
  out[0] = _mm512_shuffle_i64x2(ab02, cd02, 0x88);
  out[1] = _mm512_shuffle_i64x2(ab13, cd13, 0x88);
  out[2] = _mm512_shuffle_i64x2(ab02, cd02, 0xdd);
  out[3] = _mm512_shuffle_i64x2(ab13, cd13, 0xdd);
}

/* Four rows of b by a tile's 16 columns: one row of each limb's tile. */
INLINE void cut_columns(int limbs, uint8_t *out, const uint64_t *b, int64_t ldb, int64_t rows, int64_t n) {
  __m512i left[4], right[4], even[4], odd[4];
  cut_quarter(left, b, ldb, rows, first_lanes(n));
  cut_quarter(right, b + 8, ldb, rows, first_lanes(n - 8));
  lanes_apart(even, left[0], left[1], right[0], right[1]);
  lanes_apart(odd, left[2], left[3], right[2], right[3]);
#pragma GCC unroll 4
  for (int i = 0; 2 * i < limbs; i++) {
    _mm512_store_si512(out + 4 * i * TILE_BYTES, even[i]);
    _mm512_store_si512(out + (4 * i + 2) * TILE_BYTES, odd[i]);
  }
}

/* For each unit of k: for each limb, two tiles of columns. */
INLINE void pack(int limbs, void *to, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  uint8_t *out = to;
  for (int64_t p = 0; p < k; p += UNIT, out += limbs * 2 * TILE_BYTES)
    for (int r = 0; r < TILE_ROWS; r++) {
      int64_t at = p + 4 * r, rows = least(k - at, 4);
      cut_columns(limbs, out + r * TILE_ROW_BYTES, b + at * ldb, ldb, rows, n);
      cut_columns(limbs, out + TILE_BYTES + r * TILE_ROW_BYTES, b + at * ldb + 16, ldb, rows, n - 16);
    }
}

/* -- products --------------------------------------------------------------------------------------------------- */

/* With limb j of b: the first diagonal takes the tile `low` of a, the second `high`. Two loads, two products: the
 * fastest of the orders tried. */
#define STEP(high, low, j)                                                                                   \
  do {                                                                                                       \
    TILE_LOAD(6, b + (j) * 2 * TILE_BYTES);                                                                  \
    if ((j) <= w)                                                                                            \
      TILE_LOAD(low, a + (limbs - 1 - (w - (j))) * TILE_BYTES);                                              \
    TILE_MULTIPLY(2, high, 6);                                                                               \
    if ((j) <= w)                                                                                            \
      TILE_MULTIPLY(0, low, 6);                                                                              \
    if (both) {                                                                                              \
      TILE_LOAD(7, b + ((j) * 2 + 1) * TILE_BYTES);                                                          \
      TILE_MULTIPLY(3, high, 7);                                                                             \
      if ((j) <= w)                                                                                          \
        TILE_MULTIPLY(1, low, 7);                                                                            \
    }                                                                                                        \
  } while (0)

/* One unit of k for the diagonals w and w + 1, of one tile of columns or both. */
INLINE void diagonals(Room *room, int limbs, int w, bool both, const uint8_t *a, const uint8_t *b,
                      bool first) {
  uint32_t(*sums)[2][TILE_BYTES / 4] = &room->sums[w];
  if (first) {
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
  } else {
    TILE_LOAD(0, sums[0][0]);
    TILE_LOAD(2, sums[1][0]);
    if (both) {
      TILE_LOAD(1, sums[0][1]);
      TILE_LOAD(3, sums[1][1]);
    }
  }
  TILE_LOAD(4, a + (limbs - 1 - (w + 1)) * TILE_BYTES);
#pragma GCC unroll 4
  for (int j = 0; j < w + 2; j += 2) {
    STEP(4, 5, j);
    STEP(5, 4, j + 1);
  }
  TILE_STORE(0, sums[0][0]);
  TILE_STORE(2, sums[1][0]);
  if (both) {
    TILE_STORE(1, sums[0][1]);
    TILE_STORE(3, sums[1][1]);
  }
}

INLINE void sum_block(Room *room, int limbs, bool both, const uint8_t *b, int64_t k) {
  TILE_BARRIER;
  for (int64_t t = 0; t * UNIT < k; t++, b += limbs * 2 * TILE_BYTES)
#pragma GCC unroll 4
    for (int w = limbs - 2; w >= 0; w -= 2)
      diagonals(room, limbs, w, both, room->rows[t * limbs], b, t == 0);
  TILE_BARRIER;
}

INLINE __m512i sums_at(const Room *room, int w, int tile, int64_t at) {
  return _mm512_load_si512(&room->sums[w][tile][at]);
}

/* Four diagonals from w on, modulo 2^32. */
INLINE __m512i narrow_sum(const Room *room, int w, int tile, int64_t at) {
  __m512i upper =
      _mm512_add_epi32(sums_at(room, w + 2, tile, at), _mm512_slli_epi32(sums_at(room, w + 3, tile, at), 8));
  __m512i lower =
      _mm512_add_epi32(sums_at(room, w, tile, at), _mm512_slli_epi32(sums_at(room, w + 1, tile, at), 8));
  return _mm512_add_epi32(lower, _mm512_slli_epi32(upper, 16));
}

/* Four diagonals from the lowest on, of eight columns. */
INLINE __m512i wide_sum(const Room *room, int tile, int64_t at) {
  __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int w = 3; w >= 0; w--) {
    __m512i words = _mm512_cvtepu32_epi64(_mm256_load_si256((const void *)&room->sums[w][tile][at]));
    sum = _mm512_add_epi64(_mm512_slli_epi64(sum, 8), words);
  }
  return sum;
}

/* What a row of a tile's sums amounts to. */
INLINE void finish_row(const Room *room, int limbs, uint64_t *out, int tile, int64_t at, int64_t n,
                       Finish f) {
  __m512i upper = narrow_sum(room, limbs - 4, tile, at);
#pragma GCC unroll 2
  for (int half = 0; half < 2; half++) {
    int64_t left = n - 8 * half;
    if (left <= 0)
      return;
    __m512i sum =
        _mm512_cvtepu32_epi64(half ? _mm512_extracti64x4_epi64(upper, 1) : _mm512_castsi512_si256(upper));
    if (limbs == WIDE)
      sum = _mm512_add_epi64(_mm512_slli_epi64(sum, 32), wide_sum(room, tile, at + 8 * half));
    put(out + 8 * half, first_lanes(left), sum, f);
  }
}

INLINE void finish_block(int limbs, const TfePanel *s, int64_t i, int64_t j) {
  Finish f = finish_of(s);
  int64_t rows = least(s->m - i, TILE_ROWS), n = least(s->n - j, COLUMNS);
  for (int64_t r = 0; r < rows; r++) {
    uint64_t *out = (uint64_t *)s->out + (i + r) * s->ldo + j;
    finish_row(s->room, limbs, out, 0, r * 16, n, f);
    if (n > 16)
      finish_row(s->room, limbs, out + 16, 1, r * 16, n - 16, f);
  }
}

INLINE void multiply(int limbs, const TfePanel *s) {
  Room *room = s->room;
  int64_t units = (s->k + UNIT - 1) / UNIT, panel = units * limbs * 2 * TILE_BYTES;
  if (units == 0)
    memset(room->sums, 0, sizeof room->sums);
  tile_start();
  for (int64_t i = 0; i < s->m; i += TILE_ROWS) {
    cut_rows(limbs, s, i, least(s->m - i, TILE_ROWS));
    const uint8_t *b = s->b;
    for (int64_t j = 0; j < s->n; j += COLUMNS, b += panel) {
      if (s->n - j > 16)
        sum_block(room, limbs, true, b, s->k);
      else
        sum_block(room, limbs, false, b, s->k);
      finish_block(limbs, s, i, j);
    }
  }
  tile_stop();
}

static void pack_wide(void *out, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  pack(WIDE, out, b, ldb, k, n);
}

static void pack_narrow(void *out, const uint64_t *b, int64_t ldb, int64_t k, int64_t n) {
  pack(NARROW, out, b, ldb, k, n);
}

static void multiply_wide(const TfePanel *s) {
  multiply(WIDE, s);
}

static void multiply_narrow(const TfePanel *s) {
  multiply(NARROW, s);
}

/* Nanoseconds, about: as measured on one machine, where other kernels make `rate` products in one. Tiles are whole
 * tiles; an element is cut, and a sum put together, at some speed; and there is a beginning and an end. */
static bool pays(int64_t m, int64_t k, int64_t n, int64_t tile, int64_t rate) {
  int64_t rows = (m + 15) / 16, units = (k + UNIT - 1) / UNIT, columns = (n + 15) / 16;
  int64_t cutting = units * UNIT * (rows + columns) * 16 / 4, sums = m * n / 2;
  return rows * units * columns * tile + cutting + sums + 1500 < m * k * ((n + 7) / 8 * 8) / rate;
}

static bool wide_pays(int64_t m, int64_t k, int64_t n, int64_t bits) {
  (void)bits;
  return pays(m, k, n, 300, 10);
}

static bool narrow_pays(int64_t m, int64_t k, int64_t n, int64_t bits) {
  return bits <= 32 && pays(m, k, n, 90, 20);
}

static const TfePacked wide = {COLUMNS,       UNIT,     WIDE * 2 * TILE_BYTES, DEPTH, pack_wide,
                               multiply_wide, wide_pays};
static const TfePacked narrow = {COLUMNS,         UNIT,       NARROW * 2 * TILE_BYTES, DEPTH, pack_narrow,
                                 multiply_narrow, narrow_pays};

static const TfePacked *const packed[] = {&narrow, &tfe_packed_avx512_narrow, &wide, &tfe_packed_ifma, NULL};
const TfeRing tfe_ring_amx = {
    "amx",           TFE_AVX512_COLUMNS, tfe_avx512_panel,        tfe_avx512_panel_fixed,
    tfe_avx512_copy, tfe_avx512_add,     tfe_avx512_multiply_add, tfe_avx512_multiply_add_fixed,
    packed};
#endif
