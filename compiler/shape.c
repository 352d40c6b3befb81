/* Shape rules (see shape.h). */
#include "shape.h"

static const int64_t LARGEST_TENSOR = INT64_C(1) << 40;

Shape shape_scalar(void) {
  return (Shape){0};
}

Shape shape_vector(int64_t n) {
  return (Shape){.rank = 1, .dim = {n}};
}

bool shape_broadcast(const Shape *a, const Shape *b, Shape *out, int64_t *left, int64_t *right) {
  int rank = a->rank > b->rank ? a->rank : b->rank;
  Shape s = {.rank = rank};
  for (int i = 1; i <= rank; i++) {
    int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1;
    int64_t y = i <= b->rank ? b->dim[b->rank - i] : 1;
    if (x != y && x != 1 && y != 1) {
      *left = x;
      *right = y;
      return false;
    }
    s.dim[rank - i] = x == 1 ? y : x;
  }
  *out = s;
  return true;
}

bool shape_matmul(const Shape *a, const Shape *b, Shape *out) {
  if (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[0])
    return false;
  *out = (Shape){.rank = 2, .dim = {a->dim[0], b->dim[1]}};
  return true;
}

static const int64_t LARGEST_PADDING = INT64_C(1) << 32;

bool shape_conv2d(const Shape *x, const Shape *k, const int64_t ints[CONV_INTS], Shape *out) {
  int64_t pad = ints[0], stride = ints[1], groups = ints[2];
  if (x->rank != 4 || k->rank != 4 || pad < 0 || pad > LARGEST_PADDING || stride < 1 || groups < 1)
    return false;
  if (x->dim[3] % groups != 0 || x->dim[3] / groups != k->dim[2] || k->dim[3] % groups != 0)
    return false;
  int64_t h = x->dim[1] + 2 * pad - k->dim[0], w = x->dim[2] + 2 * pad - k->dim[1];
  *out = (Shape){.rank = 4, .dim = {x->dim[0], h / stride + 1, w / stride + 1, k->dim[3]}};
  return h >= 0 && w >= 0;
}

bool shape_reduce(const Shape *x, int64_t axis, Shape *out) {
  *out = shape_scalar();
  if (axis == -1)
    return true;
  if (axis < 0 || axis >= x->rank)
    return false;
  for (int i = 0; i < x->rank; i++)
    if (i != axis)
      out->dim[out->rank++] = x->dim[i];
  return true;
}

bool shape_concat(const Shape *a, const Shape *b, int axis, Shape *out) {
  if (a->rank != b->rank || axis < 0 || axis >= a->rank)
    return false;
  *out = *a;
  for (int i = 0; i < a->rank; i++) {
    if (i == axis)
      out->dim[i] += b->dim[i];
    else if (a->dim[i] != b->dim[i])
      return false;
  }
  return true;
}

bool shape_reshape(const Shape *x, const Shape *to) {
  return shape_fits(to) && shape_count(x) == shape_count(to);
}

Shape shape_transpose(const Shape *x, const int64_t *axes) {
  Shape s = {.rank = x->rank};
  for (int i = 0; i < x->rank; i++)
    s.dim[i] = x->dim[axes[i]];
  return s;
}

bool shape_stack(int64_t n, const Shape *x, Shape *out) {
  if (x->rank == MAX_RANK)
    return false;
  Shape s = {.rank = x->rank + 1, .dim = {n}};
  for (int i = 0; i < x->rank; i++)
    s.dim[i + 1] = x->dim[i];
  *out = s; /* which may be x */
  return true;
}

Shape shape_tail(const Shape *x) {
  Shape s = {.rank = x->rank - 1};
  for (int i = 1; i < x->rank; i++)
    s.dim[i - 1] = x->dim[i];
  return s;
}

bool shape_fits(const Shape *x) {
  int64_t n = 1;
  for (int i = 0; i < x->rank; i++)
    if (x->dim[i] < 0 || __builtin_mul_overflow(n, x->dim[i], &n) || n > LARGEST_TENSOR)
      return false;
  return true;
}
