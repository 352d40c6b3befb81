/* Shape rules, one function a rule of ops.def: result shape of an operation from those of its operands.
 * They return false when the shapes do not fit; the caller reports it. */
#ifndef TFEC_SHAPE_H
#define TFEC_SHAPE_H

#include "ir.h"

Shape shape_scalar(void);
Shape shape_vector(int64_t n);

/* NumPy's rule: lined up from the right, equal or 1. On failure *left and *right are the sizes that clash. */
bool shape_broadcast(const Shape *a, const Shape *b, Shape *out, int64_t *left, int64_t *right);
bool shape_matmul(const Shape *a, const Shape *b, Shape *out);
/* NHWC input, [kh, kw, ci / groups, co] kernel; ints: padding, stride, groups of channels. A convolution's gradients have
 * the shapes of its operands. */
enum { CONV_INTS = 3 };
bool shape_conv2d(const Shape *x, const Shape *k, const int64_t ints[CONV_INTS], Shape *out);
/* axis -1: everything. */
bool shape_reduce(const Shape *x, int64_t axis, Shape *out);
bool shape_concat(const Shape *a, const Shape *b, int axis, Shape *out);
/* The new shape holds as many elements. */
bool shape_reshape(const Shape *x, const Shape *to);
Shape shape_transpose(const Shape *x, const int64_t *axes);
/* n in front / the first axis taken off */
bool shape_stack(int64_t n, const Shape *x, Shape *out);
Shape shape_tail(const Shape *x);
/* Product of the sizes, false if it does not fit 2^40 elements or a size is negative. */
bool shape_fits(const Shape *x);

#endif
