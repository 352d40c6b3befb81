/* Portable kernels of ring.h, and the reference for the others. Two rows by four columns at a time keep
 * eight sums in registers. Signed overflow cannot occur: rings are unsigned. */
#include "ring.h"

#include <string.h>

static void put_word(uint64_t *out, uint64_t sum, const TfePanel *p) {
  uint64_t whole = p->mode == TFE_SET ? sum : p->mode == TFE_ADD ? *out + sum : *out - sum;
  *out = whole & ~UINT64_C(0) >> (64 - p->bits);
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
  static void pair##suffix(const TfePanel *s, T *row0, const T *a, const T *b) {                             \
    T *row1 = row0 + s->ldo;                                                                                 \
    int64_t lda = s->lda, step = s->step, ldb = s->ldb;                                                      \
    T c00 = start(row0, s), c01 = start(row0 + 1, s), c02 = start(row0 + 2, s), c03 = start(row0 + 3, s);    \
    T c10 = start(row1, s), c11 = start(row1 + 1, s), c12 = start(row1 + 2, s), c13 = start(row1 + 3, s);    \
    for (int64_t p = s->k; p > 0; p--, a += step, b += ldb) {                                                \
      T a0 = a[0], a1 = a[lda];                                                                              \
      c00 += a0 * b[0], c01 += a0 * b[1], c02 += a0 * b[2], c03 += a0 * b[3];                                \
      c10 += a1 * b[0], c11 += a1 * b[1], c12 += a1 * b[2], c13 += a1 * b[3];                                \
    }                                                                                                        \
    put(row0, c00, s), put(row0 + 1, c01, s), put(row0 + 2, c02, s), put(row0 + 3, c03, s);                  \
    put(row1, c10, s), put(row1 + 1, c11, s), put(row1 + 2, c12, s), put(row1 + 3, c13, s);                  \
  }                                                                                                          \
                                                                                                             \
  static void single##suffix(const TfePanel *s, T *row, const T *a, const T *b) {                            \
    int64_t step = s->step, ldb = s->ldb;                                                                    \
    T c0 = start(row, s), c1 = start(row + 1, s), c2 = start(row + 2, s), c3 = start(row + 3, s);            \
    for (int64_t p = s->k; p > 0; p--, a += step, b += ldb)                                                  \
      c0 += *a * b[0], c1 += *a * b[1], c2 += *a * b[2], c3 += *a * b[3];                                    \
    put(row, c0, s), put(row + 1, c1, s), put(row + 2, c2, s), put(row + 3, c3, s);                          \
  }                                                                                                          \
                                                                                                             \
  static void element##suffix(const TfePanel *s, T *out, const T *a, const T *b) {                           \
    T c = start(out, s);                                                                                     \
    for (int64_t p = s->k; p > 0; p--, a += s->step, b += s->ldb)                                            \
      c += *a * *b;                                                                                          \
    put(out, c, s);                                                                                          \
  }                                                                                                          \
                                                                                                             \
  static void panel##suffix(const TfePanel *s) {                                                             \
    for (int64_t j = 0; j < s->n; j += j + 4 <= s->n ? 4 : 1)                                                \
      for (int64_t i = 0; i < s->m; i++) {                                                                   \
        T *out = (T *)s->out + i * s->ldo + j;                                                               \
        const T *a = (const T *)s->a + i * s->lda, *b = (const T *)s->b + j;                                 \
        if (j + 4 > s->n)                                                                                    \
          element##suffix(s, out, a, b);                                                                     \
        else if (i + 2 <= s->m)                                                                              \
          pair##suffix(s, out, a, b), i++;                                                                   \
        else                                                                                                 \
          single##suffix(s, out, a, b);                                                                      \
      }                                                                                                      \
  }

DEFINE_PANEL(, uint64_t, start_word, put_word)
DEFINE_PANEL(_fixed, double, start_double, put_double)

static void copy(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n) {
  for (; rows > 0; rows--, out += ldo, in += ldi)
    memcpy(out, in, (size_t)n * sizeof *out);
}

const TfeRing tfe_ring_c = {"c", 8, panel, panel_fixed, copy, NULL, NULL};
