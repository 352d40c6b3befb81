/* TfeMultiplyAdd (ring.h) in plain loops, for the compiler to put on the vectors of a file's instruction set:
 * NAME(multiply_add) and NAME(multiply_add_fixed). */
#include "ring.h"

#define DEFINE_MULTIPLY_ADD(name, Number)                                                                    \
  void name(void *out, int64_t ldo, const void *a, int64_t lda, const void *b, int64_t ldb, int64_t rows,    \
            int64_t n) {                                                                                     \
    Number *restrict sum = out;                                                                              \
    const Number *x = a, *y = b;                                                                             \
    for (; rows > 0; rows--, sum += ldo, x += lda, y += ldb)                                                 \
      for (int64_t j = 0; j < n; j++)                                                                        \
        sum[j] += x[j] * y[j];                                                                               \
  }

DEFINE_MULTIPLY_ADD(NAME(multiply_add), uint64_t)
DEFINE_MULTIPLY_ADD(NAME(multiply_add_fixed), double)
