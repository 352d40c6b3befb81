/* Portable kernels of ring.h, and the reference for the others. Two rows by three columns, or one by eight,
 * keep their sums in registers: functions of their own, or the compiler would spill some. Signed overflow cannot occur: rings are unsigned. */
#include "ring.h"

#include <string.h>

#define NOINLINE __attribute__((noinline))

static void put_word(uint64_t *out, uint64_t sum, const TfePanel *p) {
  *out = tfe_panel_word(p, *out, sum);
}

static void put_double(double *out, double sum, const TfePanel *p) {
  (void)p;
  *out = sum;
}

/* Where a sum starts from: words are combined with what is there in the end, doubles go on from it. */
static uint64_t start_word(const uint64_t *out, const TfePanel *p) {
  (void)out, (void)p;
  return 0;
}

static double start_double(const double *out, const TfePanel *p) {
  return p->mode == TFE_ADD ? *out : 0;
}

#define DEFINE_PANEL(suffix, T, start, put)                                                                  \
  NOINLINE static void pair##suffix(const TfePanel *s, T *row0, const T *a, const T *b) {                    \
    T *row1 = row0 + s->ldo;                                                                                 \
    int64_t lda = s->lda, step = s->step, ldb = s->ldb;                                                      \
    T c00 = start(row0, s), c01 = start(row0 + 1, s), c02 = start(row0 + 2, s);                              \
    T c10 = start(row1, s), c11 = start(row1 + 1, s), c12 = start(row1 + 2, s);                              \
    for (int64_t p = s->k; p > 0; p--, a += step, b += ldb) {                                                \
      T a0 = a[0], a1 = a[lda];                                                                              \
      c00 += a0 * b[0], c01 += a0 * b[1], c02 += a0 * b[2];                                                  \
      c10 += a1 * b[0], c11 += a1 * b[1], c12 += a1 * b[2];                                                  \
    }                                                                                                        \
    put(row0, c00, s), put(row0 + 1, c01, s), put(row0 + 2, c02, s);                                         \
    put(row1, c10, s), put(row1 + 1, c11, s), put(row1 + 2, c12, s);                                         \
  }                                                                                                          \
                                                                                                             \
  NOINLINE static void single##suffix(const TfePanel *s, T *row, const T *a, const T *b) {                   \
    int64_t step = s->step, ldb = s->ldb;                                                                    \
    T c0 = start(row, s), c1 = start(row + 1, s), c2 = start(row + 2, s), c3 = start(row + 3, s);            \
    T c4 = start(row + 4, s), c5 = start(row + 5, s), c6 = start(row + 6, s), c7 = start(row + 7, s);        \
    for (int64_t p = s->k; p > 0; p--, a += step, b += ldb) {                                                \
      T a0 = *a;                                                                                             \
      c0 += a0 * b[0], c1 += a0 * b[1], c2 += a0 * b[2], c3 += a0 * b[3];                                    \
      c4 += a0 * b[4], c5 += a0 * b[5], c6 += a0 * b[6], c7 += a0 * b[7];                                    \
    }                                                                                                        \
    put(row, c0, s), put(row + 1, c1, s), put(row + 2, c2, s), put(row + 3, c3, s);                          \
    put(row + 4, c4, s), put(row + 5, c5, s), put(row + 6, c6, s), put(row + 7, c7, s);                      \
  }                                                                                                          \
                                                                                                             \
  static inline void element##suffix(const TfePanel *s, T *out, const T *a, const T *b) {                    \
    T c = start(out, s);                                                                                     \
    for (int64_t p = s->k; p > 0; p--, a += s->step, b += s->ldb)                                            \
      c += *a * *b;                                                                                          \
    put(out, c, s);                                                                                          \
  }                                                                                                          \
                                                                                                             \
  static void row##suffix(const TfePanel *s, T *out, const T *a, const T *b, int64_t n) {                    \
    for (; n >= 8; n -= 8, out += 8, b += 8)                                                                 \
      single##suffix(s, out, a, b);                                                                          \
    for (; n > 0; n--, out++, b++)                                                                           \
      element##suffix(s, out, a, b);                                                                         \
  }                                                                                                          \
                                                                                                             \
  static void panel##suffix(const TfePanel *s) {                                                             \
    T *out = s->out;                                                                                         \
    const T *a = s->a, *b = s->b;                                                                            \
    int64_t rows = s->m / 2 * 2, columns = s->n / 3 * 3;                                                     \
    for (int64_t j = 0; j < columns; j += 3)                                                                 \
      for (int64_t i = 0; i < rows; i += 2)                                                                  \
        pair##suffix(s, out + i * s->ldo + j, a + i * s->lda, b + j);                                        \
    for (int64_t j = columns; j < s->n; j++)                                                                 \
      for (int64_t i = 0; i < rows; i++)                                                                     \
        element##suffix(s, out + i * s->ldo + j, a + i * s->lda, b + j);                                     \
    if (rows < s->m)                                                                                         \
      row##suffix(s, out + rows * s->ldo, a + rows * s->lda, b, s->n);                                       \
  }

DEFINE_PANEL(, uint64_t, start_word, put_word)
DEFINE_PANEL(_fixed, double, start_double, put_double)

static void copy(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n) {
  for (; rows > 0; rows--, out += ldo, in += ldi)
    memcpy(out, in, (size_t)n * sizeof *out);
}

static void add(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n,
                uint64_t mask) {
  for (; rows > 0; rows--, out += ldo, in += ldi)
    for (int64_t j = 0; j < n; j++)
      out[j] = (out[j] + in[j]) & mask;
}

const TfeRing tfe_ring_c = {
    "c", 6, panel, panel_fixed, copy, add, tfe_c_multiply_add, tfe_c_multiply_add_fixed, NULL};
