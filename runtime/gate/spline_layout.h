/* What the compiler and the runtime both know of the gate `spline` (spline.h): its parameters, and how large a
 * key is. The layout travels as an array of its fields. */
#ifndef TFE_SPLINE_LAYOUT_H
#define TFE_SPLINE_LAYOUT_H

#include <stdint.h>

typedef struct TfeSpline {
  int64_t bits;          /* of the argument's ring, 2 .. 64 */
  int64_t low;           /* bits below the segments, 0 .. bits - 1 */
  int64_t degree;        /* of the segments' polynomials, 0 .. 3; -1: no segments */
  int64_t linear;        /* 1: some piece has a slope */
  int64_t payload_scale; /* of the dealt powers */
  int64_t out_bits;      /* of the result's ring, 1 .. 64 */
  int64_t shift;         /* fraction bits that are dropped from the result, out_bits + shift <= 128 */
  int64_t first, count;  /* the segments, count <= 1024 and <= 2^(bits - low) */
  int64_t pieces;
} TfeSpline;

enum {
  TFE_SPLINE_FIELDS = sizeof(TfeSpline) / sizeof(int64_t),
  TFE_SPLINE_SEGMENTS = 1024,
  TFE_SPLINE_GUARD = 8
};

/* Dealt numbers at each level of the tree, and at its special leaf, for the pieces; powers for the segments. */
static inline int64_t tfe_spline_parts(const TfeSpline *s) {
  return s->pieces ? 1 + s->linear : 0;
}

/* Bit-packed numbers of out_bits + shift bits: for each level, and for the leaf, the parts' corrections; then the
 * powers' corrections; then, with slopes, the correction of the mask's share. */
static inline int64_t tfe_spline_values(const TfeSpline *s) {
  return (s->bits - s->low + 1) * tfe_spline_parts(s) + s->degree + 1 + (s->pieces && s->linear);
}

/* 64-bit words of a key: two for each level, one of control bits, the values. */
static inline int64_t tfe_spline_words(const TfeSpline *s) {
  return 2 * (s->bits - s->low) + 1 + (tfe_spline_values(s) * (s->out_bits + s->shift) + 63) / 64;
}

#endif
