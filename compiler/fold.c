/* Computing with constants while compiling (see fold.h), with the same bits as at run time: elementary
 * functions are those of the runtime, and of two equal numbers the first is taken. Tensors of equal elements
 * (zeros, ones) stay one element. */
#include "fold.h"

#include <math.h>

#include "../runtime/include/abi.h"

enum {
  LARGEST = 1 << 20,   /* elements of a constant that is not splat */
  LARGEST_GROWN = 256, /* of one that is larger than what it is made of */
};
static const int64_t MOST_WORK = INT64_C(1) << 24;

/* ---- elements ------------------------------------------------------------------------------------------ */

static uint64_t from_double(double v) {
  return ir_fixed_bits(v);
}

static int64_t floor_div(int64_t x, int64_t y) {
  int64_t q = x / y;
  return x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;
}

static bool int_pow(int64_t x, int64_t n, int64_t *out) {
  *out = 1;
  for (; n > 0; n--)
    if (__builtin_mul_overflow(*out, x, out))
      return false;
  return true;
}

static bool fold_ints(OpKind kind, int64_t x, int64_t y, int64_t *out) {
  switch (kind) {
  case OP_ADD: return !__builtin_add_overflow(x, y, out);
  case OP_SUB: return !__builtin_sub_overflow(x, y, out);
  case OP_MUL: return !__builtin_mul_overflow(x, y, out);
  case OP_FLOORDIV:
    if (y == 0 || (y == -1 && x == INT64_MIN))
      return false;
    *out = floor_div(x, y);
    return true;
  case OP_MOD:
    if (y == 0)
      return false;
    *out = y == -1 ? 0 : x - floor_div(x, y) * y;
    return true;
  case OP_POW: return y >= 0 && y < 64 + 63 * (x > -2 && x < 2) && int_pow(x, y, out);
  case OP_NEG: return !__builtin_sub_overflow(0, x, out);
  case OP_ABS: return x >= 0 ? (*out = x, true) : !__builtin_sub_overflow(0, x, out);
  case OP_SIGN: *out = (x > 0) - (x < 0); return true;
  case OP_MIN2: *out = x < y ? x : y; return true;
  case OP_MAX2: *out = x > y ? x : y; return true;
  default: return false;
  }
}

static bool fold_reals(OpKind kind, double x, double y, double *out) {
  switch (kind) {
  case OP_ADD: *out = x + y; return true;
  case OP_SUB: *out = x - y; return true;
  case OP_MUL: *out = x * y; return true;
  case OP_DIV: *out = x / y; return y != 0;
  case OP_POW: *out = tfe_pow(x, y); return true;
  case OP_NEG: *out = -x; return true;
  case OP_ABS: *out = fabs(x); return true;
  case OP_SIGN: *out = (x > 0) - (x < 0); return true;
  case OP_MIN2: *out = x <= y ? x : y; return true;
  case OP_MAX2: *out = x >= y ? x : y; return true;
  case OP_EXP: *out = tfe_exp(x); return true;
  case OP_LOG: *out = tfe_log(x); return true;
  case OP_SQRT: *out = tfe_sqrt(x); return true;
  case OP_TANH: *out = tfe_tanh(x); return true;
  case OP_FLOOR: *out = tfe_floor(x); return true;
  case OP_ROUND: *out = tfe_round(x); return true;
  default: return false;
  }
}

static bool compare(OpKind kind, double x, double y, int64_t ix, int64_t iy, bool reals) {
  int order = reals ? (x > y) - (x < y) : (ix > iy) - (ix < iy);
  bool unordered = reals && (isnan(x) || isnan(y));
  switch (kind) {
  case OP_LT: return order < 0;
  case OP_LE: return !unordered && order <= 0;
  case OP_EQ: return !unordered && order == 0;
  default: return unordered || order != 0; /* NE */
  }
}

static bool fold_element(OpKind kind, Elem elem, const Value *const *v, int n, const int64_t *at,
                         uint64_t *out) {
  uint64_t x = value_bits(v[0], at[0]), y = n > 1 ? value_bits(v[1], at[1]) : 0;
  bool reals = v[0]->elem == EL_FIXED;
  switch (kind) {
  case OP_LT:
  case OP_LE:
  case OP_EQ:
  case OP_NE:
    *out = compare(kind, ir_bits_fixed(x), ir_bits_fixed(y), (int64_t)x, (int64_t)y, reals);
    return true;
  case OP_AND: *out = x & y; return true;
  case OP_OR: *out = x | y; return true;
  case OP_NOT: *out = !x; return true;
  case OP_SELECT: *out = x ? y : value_bits(v[2], at[2]); return true;
  case OP_TO_FIXED: *out = reals ? x : from_double((double)(int64_t)x); return true;
  case OP_TO_INT:
    if (!reals)
      return *out = x, true;
    if (!(fabs(ir_bits_fixed(x)) < 9e18))
      return false;
    *out = (uint64_t)(int64_t)ir_bits_fixed(x);
    return true;
  default: break;
  }
  if (elem == EL_FIXED) {
    double r = 0;
    bool ok = fold_reals(kind, value_number(v[0], at[0]), n > 1 ? value_number(v[1], at[1]) : 0, &r);
    *out = from_double(r);
    return ok;
  }
  int64_t r = 0;
  bool ok = fold_ints(kind, (int64_t)x, (int64_t)y, &r);
  *out = (uint64_t)r;
  return ok;
}

/* ---- helpers of moves ---------------------------------------------------------------------------------- */

static void strides_of(const Shape *s, int64_t *stride) {
  int64_t n = 1;
  for (int i = s->rank - 1; i >= 0; i--) {
    stride[i] = n;
    n *= s->dim[i];
  }
}

/* Element numbers of the operand for each element of the result, in order: base + sum of index * step. */
static uint64_t *pick(Arena *a, const Value *x, const Shape *shape, int64_t base, const int64_t *step) {
  int64_t n = shape_count(shape);
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n ? n : 1);
  int64_t index[MAX_RANK] = {0};
  for (int64_t i = 0; i < n; i++) {
    int64_t from = base;
    for (int k = 0; k < shape->rank; k++)
      from += index[k] * step[k];
    out[i] = value_bits(x, from);
    for (int k = shape->rank - 1; k >= 0 && ++index[k] == shape->dim[k]; k--)
      index[k] = 0;
  }
  return out;
}

static const uint64_t *fold_broadcast(Arena *a, const Value *x, const Shape *shape) {
  int64_t stride[MAX_RANK], step[MAX_RANK] = {0};
  strides_of(&x->shape, stride);
  for (int i = 0; i < x->shape.rank; i++)
    step[shape->rank - x->shape.rank + i] = x->shape.dim[i] == 1 ? 0 : stride[i];
  return pick(a, x, shape, 0, step);
}

static const uint64_t *fold_transpose(Arena *a, const Value *x, const int64_t *axes, const Shape *shape) {
  int64_t stride[MAX_RANK], step[MAX_RANK];
  strides_of(&x->shape, stride);
  for (int i = 0; i < shape->rank; i++)
    step[i] = stride[axes[i]];
  return pick(a, x, shape, 0, step);
}

static const uint64_t *fold_slice(Arena *a, const Value *x, const int64_t *starts, const Shape *shape) {
  int64_t stride[MAX_RANK], base = 0;
  strides_of(&x->shape, stride);
  for (int i = 0; i < x->shape.rank; i++) {
    if (starts[i] == INT64_MIN)
      return NULL;
    base += starts[i] * stride[i];
  }
  return pick(a, x, shape, base, stride);
}

static const uint64_t *fold_gather(Arena *a, const Value *x, const Value *index, const Shape *shape,
                                   bool *failed) {
  int64_t n = shape_count(shape), row = shape->dim[0] ? n / shape->dim[0] : 0;
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n ? n : 1);
  for (int64_t i = 0; i < shape->dim[0]; i++) {
    int64_t from = (int64_t)value_bits(index, i);
    if (from < 0 || from >= x->shape.dim[0])
      return *failed = true, NULL;
    for (int64_t k = 0; k < row; k++)
      out[i * row + k] = value_bits(x, from * row + k);
  }
  return out;
}

/* Outer x axis x inner counts around an axis; axis -1: the whole tensor is one axis. */
static void around(const Shape *s, int64_t axis, int64_t *outer, int64_t *size, int64_t *inner) {
  *outer = *size = *inner = 1;
  for (int i = 0; i < s->rank; i++) {
    int64_t *which = axis == -1 || i == axis ? size : i < axis ? outer : inner;
    *which *= s->dim[i];
  }
}

static const uint64_t *fold_concat(Arena *a, const Value *const *v, int count, int axis, const Shape *shape) {
  int64_t outer, size, inner, done = 0;
  around(shape, axis, &outer, &size, &inner);
  uint64_t *out = ARENA_ARRAY(a, uint64_t, shape_count(shape) + 1);
  for (int i = 0; i < count; i++) {
    int64_t part = v[i]->shape.dim[axis];
    for (int64_t o = 0; o < outer; o++)
      for (int64_t k = 0; k < part * inner; k++)
        out[(o * size + done) * inner + k] = value_bits(v[i], o * part * inner + k);
    done += part;
  }
  return out;
}

static const uint64_t *fold_update(Arena *a, const Value *const *v, const int64_t *starts) {
  int64_t stride[MAX_RANK], box[MAX_RANK] = {0}, base = 0, n = shape_count(&v[0]->shape);
  const Shape *part = &v[1]->shape;
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n + 1);
  for (int64_t i = 0; i < n; i++)
    out[i] = value_bits(v[0], i);
  strides_of(&v[0]->shape, stride);
  for (int i = 0; i < v[0]->shape.rank; i++) {
    if (starts[i] == INT64_MIN)
      return NULL;
    base += starts[i] * stride[i];
  }
  for (int64_t i = 0; i < shape_count(part); i++) {
    int64_t to = base;
    for (int k = 0; k < part->rank; k++)
      to += box[k] * stride[k];
    out[to] = value_bits(v[1], i);
    for (int k = part->rank - 1; k >= 0 && ++box[k] == part->dim[k]; k--)
      box[k] = 0;
  }
  return out;
}

static bool reduce_line(OpKind kind, const Value *x, int64_t base, int64_t size, int64_t step,
                        uint64_t *out) {
  int64_t best = 0, isum = 0;
  double sum = 0;
  bool any = false, all = true;
  if (size == 0 && (kind == OP_RMAX || kind == OP_RMIN || kind == OP_ARGMAX || kind == OP_ARGMIN))
    return false;
  for (int64_t i = 0; i < size; i++) {
    uint64_t bits = value_bits(x, base + i * step);
    double v = value_number(x, base + i * step), b = value_number(x, base + best * step);
    any = any || bits;
    all = all && bits;
    sum += v;
    if (x->elem == EL_INT && __builtin_add_overflow(isum, (int64_t)bits, &isum))
      return false;
    if (kind == OP_RMIN || kind == OP_ARGMIN ? v < b : v > b)
      best = i;
  }
  switch (kind) {
  case OP_SUM: *out = x->elem == EL_FIXED ? from_double(sum) : (uint64_t)isum; return true;
  case OP_RMAX:
  case OP_RMIN: *out = value_bits(x, base + best * step); return true;
  case OP_ARGMAX:
  case OP_ARGMIN: *out = (uint64_t)best; return true;
  case OP_ANY: *out = any; return true;
  case OP_ALL: *out = all; return true;
  default: return false;
  }
}

static const uint64_t *fold_reduce(Arena *a, OpKind kind, const Value *x, int64_t axis) {
  int64_t outer, size, inner;
  around(&x->shape, axis, &outer, &size, &inner);
  uint64_t *out = ARENA_ARRAY(a, uint64_t, outer *inner + 1);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      if (!reduce_line(kind, x, o * size * inner + i, size, inner, &out[o * inner + i]))
        return NULL;
  return out;
}

static const uint64_t *fold_matmul(Arena *a, const Value *x, const Value *y, Elem elem) {
  int64_t n = x->shape.dim[0], k = x->shape.dim[1], m = y->shape.dim[1];
  if (n * k * m > MOST_WORK)
    return NULL;
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n *m + 1);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < m; j++) {
      double sum = 0;
      uint64_t isum = 0;
      for (int64_t l = 0; l < k; l++) {
        sum += value_number(x, i * k + l) * value_number(y, l * m + j);
        if (elem == EL_INT)
          isum += value_bits(x, i * k + l) * value_bits(y, l * m + j);
      }
      out[i * m + j] = elem == EL_FIXED ? from_double(sum) : isum;
    }
  return out;
}

static const uint64_t *all_elements(Arena *a, const Value *v, Elem elem) {
  int64_t n = shape_count(&v->shape);
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n + 1);
  for (int64_t i = 0; i < n; i++)
    out[i] = elem == EL_FIXED ? from_double(value_number(v, i)) : value_bits(v, i);
  return out;
}

static const uint64_t *fold_conv(Arena *a, OpKind kind, const Value *const *v, const int64_t *ints, Elem elem,
                                 const Shape *shape) {
  const Shape *y = kind == OP_CONV2D ? shape : &v[kind == OP_CONV2D_KERNEL]->shape;
  int64_t sizes[CONV_SIZES];
  conv_sizes(kind, &v[0]->shape, &v[1]->shape, shape, ints, sizes);
  bool fixed = elem == EL_FIXED;
  int64_t window = sizes[4] * sizes[5] * (sizes[3] / sizes[9]); /* kh kw, and the channels of a group */
  if (shape_count(y) * window > MOST_WORK)
    return NULL;
  uint64_t *out = ARENA_ARRAY(a, uint64_t, shape_count(shape) + 1);
  const uint64_t *l = all_elements(a, v[0], elem), *r = all_elements(a, v[1], elem);
  if (kind == OP_CONV2D)
    (fixed ? tfe_conv2d_fixed : tfe_conv2d_int)(out, l, r, sizes);
  else if (kind == OP_CONV2D_INPUT)
    (fixed ? tfe_conv2d_input_fixed : tfe_conv2d_input_int)(out, l, r, sizes);
  else
    (fixed ? tfe_conv2d_kernel_fixed : tfe_conv2d_kernel_int)(out, l, r, sizes);
  return out;
}

/* ---- the one entry ------------------------------------------------------------------------------------- */

static const Value *fold_ew(Arena *a, OpKind kind, const Value *const *v, int count, Elem elem,
                            const Shape *shape, bool *failed) {
  bool splat = true;
  for (int i = 0; i < count; i++)
    splat = splat && v[i]->data_count == 1;
  int64_t n = splat ? 1 : shape_count(shape);
  if (n > LARGEST)
    return NULL;
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n ? n : 1);
  for (int64_t i = 0; i < n; i++) {
    int64_t at[3] = {0};
    for (int k = 0; k < count; k++)
      at[k] = v[k]->shape.rank == 0 ? 0 : i;
    if (!fold_element(kind, elem, v, count, at, &out[i]))
      return *failed = true, NULL;
  }
  return value_data(a, elem, *shape, out, n);
}

static const uint64_t *iota(Arena *a, int64_t n) {
  uint64_t *out = ARENA_ARRAY(a, uint64_t, n + 1);
  for (int64_t i = 0; i < n; i++)
    out[i] = (uint64_t)i;
  return out;
}

const Value *fold_op(Arena *a, OpKind kind, const Value *const *v, int count, const int64_t *ints,
                     int int_count, Elem elem, const Shape *shape, bool grow, bool *failed) {
  (void)int_count;
  int64_t n = shape_count(shape);
  const uint64_t *data = NULL;
  *failed = false;
  for (int i = 0; i < count; i++)
    if (!v[i]->data)
      return NULL;
  if (op_info[kind].class == OPC_EW)
    return fold_ew(a, kind, v, count, elem, shape, failed);
  if (kind == OP_RESHAPE)
    return value_data(a, elem, *shape, v[0]->data, v[0]->data_count);
  bool one_splat = count == 1 && v[0]->data_count == 1;
  if (one_splat && n > 0 && (kind == OP_BROADCAST || kind == OP_TRANSPOSE || kind == OP_SLICE))
    return value_data(a, elem, *shape, v[0]->data, 1);
  int64_t given = 0;
  for (int i = 0; i < count; i++)
    given += v[i]->data_count;
  if (!grow && n > LARGEST_GROWN && n > given)
    return NULL;
  if (n > LARGEST || (count > 0 && shape_count(&v[0]->shape) > LARGEST))
    return NULL;
  switch (kind) {
  case OP_IOTA: data = iota(a, n); break;
  case OP_BROADCAST: data = fold_broadcast(a, v[0], shape); break;
  case OP_TRANSPOSE: data = fold_transpose(a, v[0], ints, shape); break;
  case OP_SLICE: data = count == 1 ? fold_slice(a, v[0], ints, shape) : NULL; break;
  case OP_GATHER: data = fold_gather(a, v[0], v[1], shape, failed); break;
  case OP_CONCAT: data = fold_concat(a, v, count, (int)ints[0], shape); break;
  case OP_UPDATE: data = count == 2 ? fold_update(a, v, ints) : NULL; break;
  case OP_MATMUL: data = fold_matmul(a, v[0], v[1], elem); break;
  case OP_CONV2D:
  case OP_CONV2D_INPUT:
  case OP_CONV2D_KERNEL: data = fold_conv(a, kind, v, ints, elem, shape); break;
  case OP_SUM:
  case OP_RMAX:
  case OP_RMIN:
  case OP_ARGMAX:
  case OP_ARGMIN:
  case OP_ANY:
  case OP_ALL: data = fold_reduce(a, kind, v[0], ints[0]); break;
  default: break;
  }
  return data ? value_data(a, elem, *shape, data, n) : NULL;
}
