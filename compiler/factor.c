/* At which scale a public factor is encoded, and in which ring the product is made.
 *
 * Truncation of v is right for |v| < 2^(ring - 2). The untruncated product of a private value (scale `other`)
 * and the factor (scale s) stays below that by either of two promises:
 *   - the product itself is below 2^whole:                          whole + other + s <= ring - 2
 *   - the private value is below 2^whole, a known factor below 2^e: whole + other + e + s + sum_bits is at
 *     most ring - 2
 * so the larger s may be taken. For a private fixed number (other = frac) no more than whole + frac is of
 * use: then the rounding of the factor moves the product by less than half a step, however large the private
 * value is. A private int (other = 0) makes no promise below the ring's, and gets all that the first rule
 * allows.
 *
 * A known factor that is exact at a smaller scale takes that one: whole numbers need no truncation at all.
 *
 * A product of t superfluous fraction bits is truncated without a message if t more ring bits than the result
 * needs are there (truncate-reduce). Where they are not, the factor gives up bits, down to an error of half a
 * step, or for known factors all below a power of two 2^e <= 1 to 2^e / 2^(frac + 1), which is at most one
 * part in 2^frac of the largest; if that is not enough either, the product is truncated with one bit's
 * exchange, which keeps the ring, preferably one in which the private operand can be truncated without a
 * message.
 */
#include "factor.h"

#include <math.h>

bool factor_fits(const ProtocolInstance *p, int scale) {
  return p->whole + scale <= p->ring - 2;
}

static bool exact_at(const uint64_t *data, int64_t count, int scale) {
  for (int64_t i = 0; i < count; i++) {
    double v = ldexp(ir_bits_fixed(data[i]), scale);
    if (v != floor(v))
      return false;
  }
  return true;
}

/* Least e with |data| < 2^e everywhere; 0 if all are 0. */
static int exponent_of(const uint64_t *data, int64_t count) {
  double largest = 0;
  int exponent = 0;
  for (int64_t i = 0; i < count; i++)
    largest = fmax(largest, fabs(ir_bits_fixed(data[i])));
  if (largest > 0)
    frexp(largest, &exponent);
  return exponent;
}

int factor_scale(const ProtocolInstance *p, int other, int sum_bits, const uint64_t *data, int64_t count) {
  int spare = p->ring - 2 - p->whole - other, useful = other > 0 ? p->whole + p->frac : p->ring;
  int least = other < p->frac ? p->frac - other : 0; /* the product has frac fraction bits at least */
  if (!data) {
    int scale = spare < useful ? spare : useful;
    return scale < p->frac ? -1 : scale;
  }
  int exponent = exponent_of(data, count);
  int scale = spare;
  if (other > 0 && spare - sum_bits - exponent > scale)
    scale = spare - sum_bits - exponent;
  if (scale > useful)
    scale = useful;
  if (scale > p->ring - 2 - exponent) /* the encoded factor itself */
    scale = p->ring - 2 - exponent;
  if (scale < least)
    scale = least;
  while (scale > least && exact_at(data, count, scale - 1))
    scale--;
  return scale;
}

static int larger(int a, int b) {
  return a > b ? a : b;
}

static int smaller(int a, int b) {
  return a < b ? a : b;
}

Factor factor_choose(const ProtocolInstance *p, int bits, int other, int sum_bits, const uint64_t *data,
                     int64_t count) {
  int full = factor_scale(p, other, sum_bits, data, count);
  if (full < 0)
    return (Factor){-1, p->ring};
  int dropped = larger(other + full - p->frac, 0);
  if (bits + dropped <= p->ring)
    return (Factor){full, bits + dropped};
  int exponent = data ? exponent_of(data, count) : 0;
  int least = smaller(full, p->frac - smaller(exponent, 0));
  int local = p->ring - bits + p->frac - other; /* the scale at which the whole ring is just enough */
  if (local >= least)
    return (Factor){local, p->ring};
  int room = p->ring - p->frac - 2, bound = p->whole + other; /* product < 2^(bound + scale) */
  if (data && other > 0)
    bound = smaller(bound, p->whole + other + exponent + sum_bits);
  int scale = smaller(full, room - bound);
  if (scale < least)
    scale = full;
  return (Factor){scale, smaller(larger(bits, bound + scale + 2), p->ring)};
}
