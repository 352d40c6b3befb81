/* The parts of the spline gate (spline.h) that are compiled several times, from spline_template.h: for sums
 * in 64 bits (narrow) and in 128 bits (wide). Both exist for AVX-512 too, with the same bits: its 64-bit
 * multiplications and shifts double the speed of segments, where AVX2 gives nothing. */
#ifndef TFE_SPLINE_CODE_H
#define TFE_SPLINE_CODE_H

#include "spline.h"

/* Arguments as in spline.h, hash already started. */
typedef struct TfeSplineCode {
  void (*key)(const TfeSpline *spline, const TfeHash *hash, const TfeHashKey *key, uint64_t *words,
              const uint64_t *r, const uint64_t *root0, const uint64_t *root1, int64_t n);
  void (*eval)(const TfeSpline *spline, const TfeHash *hash, const TfeHashKey *key, uint64_t *out,
               const uint64_t *c, const uint64_t *root, const uint64_t *words, const uint64_t *table,
               int64_t n, uint64_t role);
} TfeSplineCode;

extern const TfeSplineCode tfe_spline_narrow, tfe_spline_wide;
#if defined(__x86_64__)
extern const TfeSplineCode tfe_spline_narrow_avx512, tfe_spline_wide_avx512;
#endif

#endif
