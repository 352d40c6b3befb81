/* At which scale a public factor is encoded.
 *
 * Truncation of v is right for |v| < 2^(ring - 2). The untruncated product of a private value (scale `other`)
 * and the factor (scale s) stays below that by either of two promises:
 *   - the product itself is below 2^whole:                          whole + other + s <= ring - 2
 *   - the private value is below 2^whole, a known factor below 2^e: whole + other + e + s + sum_bits <= ring
 * - 2 so the larger s may be taken. For a private fixed number (other = frac) no more than whole + frac is of
 * use: then the rounding of the factor moves the product by less than half a step, however large the private
 * value is. A private int (other = 0) makes no promise below the ring's, and gets all that the first rule
 * allows.
 *
 * A known factor that is exact at a smaller scale takes that one: whole numbers need no truncation at all.
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

int factor_scale(const ProtocolInstance *p, int other, int sum_bits, const uint64_t *data, int64_t count) {
  int spare = p->ring - 2 - p->whole - other, useful = other > 0 ? p->whole + p->frac : p->ring;
  int least = other < p->frac ? p->frac - other : 0; /* the product has frac fraction bits at least */
  if (!data) {
    int scale = spare < useful ? spare : useful;
    return scale < p->frac ? -1 : scale;
  }
  double largest = 0;
  for (int64_t i = 0; i < count; i++)
    largest = fmax(largest, fabs(ir_bits_fixed(data[i])));
  int exponent = 0;
  if (largest > 0)
    frexp(largest, &exponent); /* largest < 2^exponent */
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
