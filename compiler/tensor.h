/* Operations on values: constants are folded, places joined, elements widened, shapes broadcast, and what
 * the protocol of the block does not offer is put together from what it does. The caller has checked
 * elements and, where it says so, shapes; errors of places are reported here. `e` is the expression for
 * messages, `at` the operation's source place. */
#ifndef TFEC_TENSOR_H
#define TFEC_TENSOR_H

#include "checker.h"

/* The operation that makes v, at the present place. */
Op *tensor_op(Checker *cx, const Value *v);
/* The one place where joint operations on values are made. place: of the result. */
const Value *tensor_make(Checker *cx, OpKind kind, const Value *const *args, int count, const int64_t *ints,
                         int int_count, Elem elem, Shape shape, Place place, Span at);
/* Rule F2 over operands that check_read has passed: public, at the present place, or private. False:
 * reported. */
bool tensor_join(Checker *cx, const Value *const *args, int count, const Expr *const *exprs, Span at,
                 Place *out);

const Value *tensor_unary(Checker *cx, OpKind kind, const Value *x, const Expr *e, Span at);
/* Arithmetic and comparison, operands with broadcasting checked by the caller through shape_broadcast. */
const Value *tensor_binary(Checker *cx, OpKind kind, const Value *x, const Value *y, Shape shape,
                           const Expr *e, Span at);
const Value *tensor_select(Checker *cx, const Value *c, const Value *x, const Value *y, Shape shape,
                           const Expr *e, Span at);
const Value *tensor_matmul(Checker *cx, const Value *x, const Value *y, Shape shape, const Expr *e, Span at);
/* A convolution or one of its gradients; ints as for shape_conv2d. */
const Value *tensor_conv2d(Checker *cx, OpKind kind, const Value *x, const Value *y,
                           const int64_t ints[CONV_INTS], Shape shape, Span at);
const Value *tensor_power(Checker *cx, const Value *x, const Value *y, Shape shape, const Expr *e, Span at);
const Value *tensor_reduce(Checker *cx, OpKind kind, const Value *x, int64_t axis, const Expr *e, Span at);
/* Bools in the shape of x: true at the element that ARGMAX or ARGMIN would find. */
const Value *tensor_mark(Checker *cx, OpKind kind, const Value *x, int64_t axis, Span at);

const Value *tensor_to_fixed(Checker *cx, const Value *x, Span at);
const Value *tensor_to_int(Checker *cx, const Value *x, Span at);
const Value *tensor_lift(Checker *cx, const Value *x, Span at); /* public to private of the innermost block */
const Value *tensor_reshape(Checker *cx, const Value *x, Shape shape, Span at);
const Value *tensor_broadcast(Checker *cx, const Value *x, Shape shape, Span at);
const Value *tensor_transpose(Checker *cx, const Value *x, const int64_t *axes, Span at);
/* A box: starts[i] is an int scalar value or NULL for 0. Result keeps all axes. */
const Value *tensor_slice(Checker *cx, const Value *x, const Value *const *starts, Shape box, Span at);
const Value *tensor_update(Checker *cx, const Value *x, const Value *v, const Value *const *starts, Span at);
const Value *tensor_gather(Checker *cx, const Value *x, const Value *index, Span at);
const Value *tensor_concat(Checker *cx, const Value *const *parts, int count, int axis, Shape shape,
                           const Expr *e, Span at);

#endif
