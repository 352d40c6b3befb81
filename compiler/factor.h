/* At which scale a public factor of a private value is encoded. */
#ifndef TFEC_FACTOR_H
#define TFEC_FACTOR_H

#include "ir.h"

/* other: scale of the private operand; sum_bits: bits that the sum of products needs above its largest term.
 * data: doubles, NULL if they are not known when the program is compiled. -1: the ring has no room. */
int factor_scale(const ProtocolInstance *p, int other, int sum_bits, const uint64_t *data, int64_t count);

/* How a product with a public factor is carried out so that its result has `bits` ring bits. */
typedef struct Factor {
  int scale; /* of the factor; -1: the ring has no room */
  int width; /* ring bits of the private operand, and of the product before it is truncated */
} Factor;

/* As few messages as the factor's precision allows: the result is truncated where it is if the ring then still
 * has `bits` bits, else in the same ring (factor.c). */
Factor factor_choose(const ProtocolInstance *p, int bits, int other, int sum_bits, const uint64_t *data,
                     int64_t count);

/* Whether the untruncated product of that scale leaves truncation the two bits that it needs (factor.c). */
bool factor_fits(const ProtocolInstance *p, int scale);

#endif
