/* Piecewise functions of one number, as the gate `spline` of the runtime evaluates them
 * (runtime/gate/spline.h): a protocol kind says what they are made of (reference 18.8), this turns it into
 * the gate's layout and table. */
#ifndef TFEC_CURVE_H
#define TFEC_CURVE_H

#include <stdbool.h>

#include "../runtime/gate/spline_layout.h"
#include "arena.h"
#include "vec.h"

/* From `start` on (in the numbers that are meant, not in ring elements; -INFINITY: everything) up to the next
 * piece: a + b x. */
typedef struct CurvePiece {
  double start, a, b;
} CurvePiece;

/* Pieces, and between `from` and `to` (without pieces a segment beyond) cubic polynomials through a
 * function of the table in curve.c, 2^per_unit of them for each unit. What neither covers is 0. */
typedef struct Curve {
  VEC(CurvePiece) pieces;
  const char *function; /* NULL: pieces only */
  int64_t from, to;
  int per_unit;
} Curve;

/* The layout for an argument of `bits` ring bits at scale `scale`, and a result of out_bits at out_scale.
 * *table gets the gate's table, count elements. NULL, or why the gate cannot do it. */
const char *curve_layout(Arena *a, const Curve *curve, int bits, int scale, int out_bits, int out_scale,
                         TfeSpline *layout, const uint64_t **table, int64_t *count);
/* Weights of the steps by which the order of magnitude of a number is told: step j, of m, is 1 for x * 2^frac >= 2^j; of
 * those "by four", and of the roots, for x * 2^frac >= 4^j. The weights of all steps that are 1, the last one number k, add
 * up, at `scale`, to
 *   "normalise"           2^(m - 1 - k), scale 0: x * 2^frac times it is in [2^(m - 1), 2^m)
 *   "normalise by four"   4^(m - 1 - k), scale 0: x * 2^frac times it is in [4^(m - 1), 4^m)
 *   "rsqrt", "sqrt"       (4^k / 2^frac) ** -1/2, ** 1/2
 *   "log"                 the natural logarithm of 2^(k - frac)
 * and three that are no sums: weight j of "step" is 2^j, of "step of four" 4^j, of "place" j. Modulo 2^64; false: no weights
 * of that name. */
bool curve_weights(const char *name, int64_t m, int frac, int scale, uint64_t *out);
bool curve_knows(const char *function);
/* Equal curves have equal texts. */
const char *curve_text(Arena *a, const Curve *curve);

#endif
