/* What a spline gate (gate/spline.h) computes, and the sizes of its keys and tables: shared by the runtime
 * and the compiler, which lays out the messages. */
#ifndef TFE_SPLINE_LAYOUT_H
#define TFE_SPLINE_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* A value x of `bits` bits is cut into a segment number of bits - low bits and `low` bits within a segment.
 * In the ABI an int64_t array with these fields in this order. What is not used is 0, unless a line says
 * otherwise. Keys depend on the first eight fields only. */
typedef struct TfeSpline {
  int64_t bits;          /* of the opened value: 2 .. 64 */
  int64_t low;           /* 0 .. bits - 1, at most 40 */
  int64_t degree;        /* of a segment's polynomial: 0 .. 3, 0 if low is 0; -1: no segments */
  int64_t linear;        /* 1: some piece has a slope */
  int64_t has_pieces;    /* 1: there are pieces */
  int64_t payload_scale; /* bits of the fraction in which powers of the mask are dealt: 0 .. 62 */
  int64_t out_bits;      /* of the result's ring: 1 .. 64 */
  int64_t shift;         /* bits dropped from the sum: 0 .. 64 */
  int64_t first;         /* segment number of the first polynomial, signed */
  int64_t count;         /* of polynomials: 1 .. TFE_SPLINE_COUNT_MAX, not more than there are segments */
  int64_t pieces;        /* pieces of the table */
} TfeSpline;

enum {
  TFE_SPLINE_FIELDS = sizeof(TfeSpline) / sizeof(int64_t),
  TFE_SPLINE_COUNT_MAX = 1024,
  TFE_SPLINE_DEGREE_MAX = 3,
  TFE_SPLINE_SEGMENT_BITS = 40, /* bits - low at most, if there are segments */
  TFE_SPLINE_GUARD = 8          /* bits of a coefficient below those of a factor */
};

/* Levels of the tree. */
static inline int64_t tfe_spline_levels(const TfeSpline *s) {
  return s->bits - s->low;
}

/* Bits of the ring in which is summed: 1 .. 128. */
static inline int64_t tfe_spline_ring(const TfeSpline *s) {
  return s->out_bits + s->shift;
}

/* Elements of the payload of the pieces: 1, and the mask if there are slopes. */
static inline int64_t tfe_spline_values(const TfeSpline *s) {
  return s->has_pieces ? 1 + s->linear : 0;
}

/* Levels at which nodes are corrected: the last one has none if no leaf is used. */
static inline int64_t tfe_spline_seeds(const TfeSpline *s) {
  return tfe_spline_levels(s) - (s->degree < 0);
}

/* 64-bit words of a key. Two for each corrected level, then one stream of bits: the control corrections of
 * the right children; ring elements: the value corrections of the levels, one more set for the last level;
 * the correction of a leaf; the share of the mask. */
static inline int64_t tfe_spline_words(const TfeSpline *s) {
  int64_t elements = (tfe_spline_levels(s) + 1) * tfe_spline_values(s) + (s->degree + 1);
  int64_t mask = s->has_pieces && s->linear;
  int64_t stream = tfe_spline_seeds(s) + tfe_spline_ring(s) * (elements + mask);
  return 2 * tfe_spline_seeds(s) + (stream + 63) / 64;
}

/* Words of the public table: for each piece its first segment number, A and B; then the coefficients
 * a[count][degree + 1]. */
static inline int64_t tfe_spline_table_words(const TfeSpline *s) {
  return 3 * s->pieces + s->count * (s->degree + 1);
}

/* Coefficients must be below 2^this in magnitude, so that no intermediate of the polynomial outgrows its type:
 * the largest is below 3.5 |a| 2^low, where sums have 64 bits in 64 bits as well. */
static inline int64_t tfe_spline_coefficient_bits(const TfeSpline *s) {
  bool narrow = tfe_spline_ring(s) <= 64 && s->degree > 0;
  return narrow ? 61 - s->low : 60;
}

#endif
