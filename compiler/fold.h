/* Computing with constants while compiling. */
#ifndef TFEC_FOLD_H
#define TFEC_FOLD_H

#include "value.h"

/* The result of an operation whose operands are all constants; NULL if it is not folded (too large, or not
 * a pure operation on constants). Integer overflow and division by zero: NULL with *failed set. grow:
 * results may need far more memory than their operands (a broadcast vector); else such operations are left
 * to run time. */
const Value *fold_op(Arena *a, OpKind kind, const Value *const *args, int count, const int64_t *ints,
                     int int_count, Elem elem, const Shape *shape, bool grow, bool *failed);

#endif
