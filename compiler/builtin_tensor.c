/* Builtin functions of tensors: their checks, and the operations they are. */
#include <inttypes.h>

#include "builtin.h"

/* ---- making tensors ------------------------------------------------------------------------------------ */

static const Value *splat(Checker *cx, Elem elem, uint64_t bits, Shape shape) {
  uint64_t *data = ARENA_NEW(cx->arena, uint64_t);
  *data = bits;
  return value_data(cx->arena, elem, shape, data, 1);
}

static const Value *filled(Checker *cx, const Bound *b, double v) {
  Shape shape;
  if (!arg_dims(cx, b, &shape))
    return &value_poison;
  if (!shape_fits(&shape)) {
    CHECK_DIAG(cx, E0221, b->at, shape_text(cx->arena, &shape));
    return &value_poison;
  }
  return splat(cx, EL_FIXED, ir_fixed_bits(v), shape);
}

const Value *builtin_zeros(Checker *cx, const Bound *b) {
  return filled(cx, b, 0.0);
}

const Value *builtin_ones(Checker *cx, const Bound *b) {
  return filled(cx, b, 1.0);
}

const Value *builtin_full(Checker *cx, const Bound *b) {
  Shape shape;
  const Value *v = arg_tensor(cx, b, 0);
  if (v->kind != VAL_TENSOR || !arg_dims(cx, b, &shape))
    return &value_poison;
  if (v->shape.rank != 0)
    return arg_needs(cx, b, b->arg[0], "a single value", v);
  return tensor_broadcast(cx, v, shape, b->at);
}

/* Private where v is, so that a variable that begins with them can hold what is like v. */
static const Value *zeros_of(Checker *cx, const Value *v, Span at) {
  if (v->kind == VAL_TENSOR) {
    const Value *zeros = splat(cx, v->elem, 0, v->shape);
    return v->place.kind == PLACE_PRIVATE ? tensor_lift(cx, zeros, at) : zeros;
  }
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, v->count + 1);
  for (int i = 0; i < v->count; i++)
    items[i] = zeros_of(cx, v->items[i], at);
  return value_items(cx->arena, v->kind, v->st, items, v->count);
}

const Value *builtin_zeros_like(Checker *cx, const Bound *b) {
  const Value *v = arg_value(cx, b->arg[0], NULL);
  if (v->kind == VAL_STRING)
    return arg_needs(cx, b, b->arg[0], "a tensor or a struct", v);
  return v->kind == VAL_POISON ? v : zeros_of(cx, v, b->at);
}

const Value *builtin_eye(Checker *cx, const Bound *b) {
  int64_t n;
  if (!arg_known(cx, b, 0, "the size of a tensor", &n))
    return &value_poison;
  if (n < 0 || n > 1024) {
    CHECK_DIAG(cx, E0221, b->at, "`eye` goes up to 1024 rows");
    return &value_poison;
  }
  uint64_t *data = ARENA_ARRAY(cx->arena, uint64_t, n *n + 1);
  for (int64_t i = 0; i < n; i++)
    data[i * n + i] = ir_fixed_bits(1.0);
  return value_data(cx->arena, EL_FIXED, (Shape){.rank = 2, .dim = {n, n}}, data, n * n);
}

static const Value *iota(Checker *cx, int64_t n, Span at) {
  return tensor_make(cx, OP_IOTA, NULL, 0, NULL, 0, EL_INT, shape_vector(n), cx->pi, at);
}

const Value *builtin_arange(Checker *cx, const Bound *b) {
  int64_t n;
  return arg_known(cx, b, 0, "the size of a tensor", &n) ? iota(cx, n, b->at) : &value_poison;
}

/* i == 0 .. n-1 along a new last axis */
static const Value *hot(Checker *cx, const Value *i, int64_t n, Span at) {
  Shape shape = i->shape, column = i->shape;
  if (shape.rank == MAX_RANK) {
    CHECK_DIAG(cx, E0221, at, arena_printf(cx->arena, "more than %d axes", MAX_RANK));
    return &value_poison;
  }
  shape.dim[shape.rank++] = n;
  column.dim[column.rank++] = 1;
  if (i->place.kind == PLACE_PRIVATE && check_kind_has(cx, "places")) {
    const int64_t arguments[] = {INT64_MIN, n};
    const Value *v = tensor_make(cx, OP_APPLY, &i, 1, arguments, 2, EL_BOOL, shape, i->place, at);
    v->op->text = "places";
    return v;
  }
  return tensor_binary(cx, OP_EQ, tensor_reshape(cx, i, column, at), iota(cx, n, at), shape, NULL, at);
}

const Value *builtin_one_hot(Checker *cx, const Bound *b) {
  int64_t n;
  const Value *i = arg_tensor(cx, b, 0);
  if (i->kind != VAL_TENSOR || !arg_known(cx, b, 1, "the size of a tensor", &n))
    return &value_poison;
  if (i->elem != EL_INT)
    return arg_needs(cx, b, b->arg[0], "ints", i);
  return tensor_to_fixed(cx, hot(cx, i, n, b->at), b->at);
}

/* ---- rearranging --------------------------------------------------------------------------------------- */

const Value *builtin_reshape(Checker *cx, const Bound *b) {
  Shape shape;
  const Value *x = arg_tensor(cx, b, 0);
  if (x->kind != VAL_TENSOR || !arg_dims(cx, b, &shape))
    return &value_poison;
  if (!shape_reshape(&x->shape, &shape)) {
    CHECK_DIAG(cx, E0218, b->at, shape_text(cx->arena, &x->shape),
               arena_printf(cx->arena, "%" PRId64, shape_count(&x->shape)), shape_text(cx->arena, &shape),
               arena_printf(cx->arena, "%" PRId64, shape_fits(&shape) ? shape_count(&shape) : 0));
    return &value_poison;
  }
  return tensor_reshape(cx, x, shape, b->at);
}

const Value *builtin_merge(Checker *cx, const Bound *b) {
  const Value *x = arg_tensor(cx, b, 0);
  if (x->kind != VAL_TENSOR)
    return &value_poison;
  if (x->shape.rank < 2)
    return arg_needs(cx, b, b->arg[0], "at least two axes", x);
  Shape shape = shape_tail(&x->shape);
  shape.dim[0] *= x->shape.dim[0];
  return tensor_reshape(cx, x, shape, b->at);
}

const Value *builtin_rows(Checker *cx, const Bound *b) {
  int64_t n, first;
  const Value *x = arg_tensor(cx, b, 0), *i = arg_int(cx, b, 1);
  bool ok = arg_known(cx, b, 2, "the number of rows", &n);
  if (x->kind != VAL_TENSOR || i->kind != VAL_TENSOR || !ok)
    return &value_poison;
  if (x->shape.rank == 0)
    return arg_needs(cx, b, b->arg[0], "a tensor with rows", x);
  int64_t size = x->shape.dim[0];
  bool fits = n >= 0 && n <= size, outside = value_const_int(i, &first) && (first < 0 || first > size - n);
  if (!fits || outside) {
    int64_t bad = !fits ? n : first < 0 ? first : first > size ? first : first + n;
    CHECK_DIAG(cx, E0211, b->at, arena_printf(cx->arena, "%" PRId64, bad),
               arena_printf(cx->arena, "%" PRId64, size));
    return &value_poison;
  }
  const Value *starts[MAX_RANK] = {i};
  Shape box = x->shape;
  box.dim[0] = n;
  return tensor_slice(cx, x, starts, box, b->at);
}

const Value *builtin_len(Checker *cx, const Bound *b) {
  const Value *x =
      b->arg[0]->value ? b->arg[0]->value : check_expr(cx, b->arg[0]->expr, NULL); /* a size is public */
  if (x->kind == VAL_POISON)
    return x;
  if (x->kind != VAL_TENSOR || x->shape.rank == 0)
    return arg_needs(cx, b, b->arg[0], "a tensor with rows", x);
  return value_int(cx->arena, x->shape.dim[0]);
}

const Value *builtin_concat(Checker *cx, const Bound *b) {
  int n = b->rest_count;
  const Value **parts = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  int64_t axis = 0;
  for (int i = 0; i < n; i++) {
    parts[i] = arg_value(cx, b->rest[i], NULL);
    if (parts[i]->kind == VAL_POISON)
      return &value_poison;
    if (parts[i]->kind != VAL_TENSOR || parts[i]->shape.rank == 0)
      return arg_needs(cx, b, b->rest[i], "tensors with at least one axis", parts[i]);
  }
  if (n == 0) {
    CHECK_DIAG(cx, E0127, b->at, b->name, "parts");
    return &value_poison;
  }
  if (b->arg[1] && !arg_axis(cx, b, 1, parts[0], &axis))
    return &value_poison;
  Shape shape = parts[0]->shape;
  for (int i = 1; i < n; i++) {
    bool elems = parts[i]->elem == parts[0]->elem || (parts[i]->elem != EL_BOOL && parts[0]->elem != EL_BOOL);
    if (!elems || !shape_concat(&shape, &parts[i]->shape, (int)axis, &shape)) {
      Diag *d = CHECK_DIAG(cx, E0220, b->rest[i]->expr->span, "concat", value_type_text(cx->arena, parts[0]),
                           value_type_text(cx->arena, parts[i]));
      diag_note(d, "all sizes but that of axis %" PRId64 " must be equal", axis);
      return &value_poison;
    }
  }
  return tensor_concat(cx, parts, n, (int)axis, shape, b->call->expr, b->at);
}

/* The leaves of a struct of fixed numbers, and how many elements they have together. */
static bool number_leaves(Checker *cx, const Bound *b, int i, const Value **v, Leaves *leaves,
                          int64_t *count) {
  *v = arg_value(cx, b->arg[i], NULL);
  *count = 0;
  if (value_is_poison(*v))
    return false;
  value_leaves(cx->arena, *v, leaves);
  for (int k = 0; k < leaves->list.count; k++) {
    const Value *leaf = leaves->list.data[k];
    if (leaf->kind != VAL_TENSOR || leaf->elem != EL_FIXED) {
      arg_needs(cx, b, b->arg[i], "a tensor or a struct of fixed", *v);
      return false;
    }
    *count += shape_count(&leaf->shape);
  }
  return true;
}

const Value *builtin_ravel(Checker *cx, const Bound *b) {
  Leaves leaves = {0};
  const Value *x;
  int64_t count;
  if (!number_leaves(cx, b, 0, &x, &leaves, &count))
    return &value_poison;
  int n = leaves.list.count;
  const Value **parts = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  for (int i = 0; i < n; i++) {
    const Value *leaf = leaves.list.data[i];
    parts[i] = tensor_reshape(cx, leaf, shape_vector(shape_count(&leaf->shape)), b->at);
  }
  return n == 1 ? parts[0] : tensor_concat(cx, parts, n, 0, shape_vector(count), b->call->expr, b->at);
}

const Value *builtin_unravel(Checker *cx, const Bound *b) {
  Leaves leaves = {0};
  const Value *v = arg_tensor(cx, b, 0), *x;
  int64_t count, start = 0;
  if (!number_leaves(cx, b, 1, &x, &leaves, &count) || v->kind != VAL_TENSOR)
    return &value_poison;
  if (v->elem != EL_FIXED || v->shape.rank != 1 || v->shape.dim[0] != count)
    return arg_needs(cx, b, b->arg[0],
                     arena_printf(cx->arena, "a vector of %" PRId64 " fixed numbers", count), v);
  const Value **parts = ARENA_ARRAY(cx->arena, const Value *, leaves.list.count + 1);
  for (int i = 0; i < leaves.list.count; i++) {
    Shape shape = leaves.list.data[i]->shape, box = shape_vector(shape_count(&shape));
    const Value *starts[MAX_RANK] = {value_int(cx->arena, start)};
    parts[i] = tensor_reshape(cx, tensor_slice(cx, v, starts, box, b->at), shape, b->at);
    start += box.dim[0];
  }
  int next = 0;
  return value_rebuild(cx->arena, x, parts, &next);
}

const Value *builtin_T(Checker *cx, const Bound *b) {
  const Value *x = arg_tensor(cx, b, 0);
  int64_t axes[MAX_RANK];
  if (x->kind != VAL_TENSOR)
    return &value_poison;
  for (int i = 0; i < x->shape.rank; i++)
    axes[i] = x->shape.rank - 1 - i;
  return tensor_transpose(cx, x, axes, b->at);
}

/* ---- folding ------------------------------------------------------------------------------------------- */

/* The axis of a fold; false: reported. */
static bool fold_axis(Checker *cx, const Bound *b, OpKind kind, const Value *x, int axis_index,
                      int64_t *axis) {
  if (x->kind != VAL_TENSOR || !arg_axis(cx, b, axis_index, x, axis))
    return false;
  bool empty = kind != OP_SUM && kind != OP_ANY && kind != OP_ALL && shape_count(&x->shape) == 0;
  if (empty)
    arg_needs(cx, b, b->arg[0], "at least one element", x);
  return !empty;
}

static const Value *reduced(Checker *cx, const Bound *b, OpKind kind, const Value *x, int axis_index) {
  int64_t axis;
  if (!fold_axis(cx, b, kind, x, axis_index, &axis))
    return &value_poison;
  return tensor_reduce(cx, kind, x, axis, arg_expr(b, 0), b->at);
}

static const Value *marked(Checker *cx, const Bound *b, OpKind kind) {
  int64_t axis;
  const Value *x = arg_number(cx, b, 0);
  return fold_axis(cx, b, kind, x, 1, &axis) ? tensor_mark(cx, kind, x, axis, b->at) : &value_poison;
}

const Value *builtin_is_max(Checker *cx, const Bound *b) {
  return marked(cx, b, OP_ARGMAX);
}

const Value *builtin_is_min(Checker *cx, const Bound *b) {
  return marked(cx, b, OP_ARGMIN);
}

const Value *builtin_sum(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_SUM, arg_number(cx, b, 0), 1);
}

const Value *builtin_argmax(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ARGMAX, arg_number(cx, b, 0), 1);
}

const Value *builtin_argmin(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ARGMIN, arg_number(cx, b, 0), 1);
}

const Value *builtin_any(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ANY, arg_bool(cx, b, 0), 1);
}

const Value *builtin_all(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ALL, arg_bool(cx, b, 0), 1);
}

const Value *builtin_count(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_SUM, tensor_to_int(cx, arg_bool(cx, b, 0), b->at), 1);
}

static const Value *extreme(Checker *cx, const Bound *b, OpKind fold, OpKind two) {
  const Value *x = arg_number(cx, b, 0);
  Shape shape;
  int64_t left, right;
  if (!b->arg[1])
    return reduced(cx, b, fold, x, 2);
  const Value *y = arg_number(cx, b, 1);
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  if (b->arg[2])
    diag_help(CHECK_DIAG(cx, E0128, b->at, b->name, "two tensors, or one and an axis", "both"),
              "of one tensor along an axis: `%s(x, axis = 0)`", b->name);
  if (!shape_broadcast(&x->shape, &y->shape, &shape, &left, &right))
    return arg_clash(cx, b, x, y, left, right);
  return tensor_binary(cx, two, x, y, shape, b->call->expr, b->at);
}

const Value *builtin_max(Checker *cx, const Bound *b) {
  return extreme(cx, b, OP_RMAX, OP_MAX2);
}

const Value *builtin_min(Checker *cx, const Bound *b) {
  return extreme(cx, b, OP_RMIN, OP_MIN2);
}

/* ---- elementwise --------------------------------------------------------------------------------------- */

static const Value *unary(Checker *cx, const Bound *b, OpKind kind) {
  const Value *x = arg_number(cx, b, 0);
  return x->kind == VAL_TENSOR ? tensor_unary(cx, kind, x, b->call->expr, b->at) : &value_poison;
}

const Value *builtin_abs(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_ABS);
}
const Value *builtin_sign(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_SIGN);
}
const Value *builtin_exp(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_EXP);
}
const Value *builtin_log(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_LOG);
}
const Value *builtin_sqrt(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_SQRT);
}
const Value *builtin_tanh(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_TANH);
}

static const Value *whole_number(Checker *cx, const Bound *b, OpKind kind) {
  const Value *x = arg_number(cx, b, 0);
  return x->kind == VAL_TENSOR && x->elem == EL_FIXED ? tensor_unary(cx, kind, x, b->call->expr, b->at) : x;
}

const Value *builtin_round(Checker *cx, const Bound *b) {
  return whole_number(cx, b, OP_ROUND);
}
const Value *builtin_floor(Checker *cx, const Bound *b) {
  return whole_number(cx, b, OP_FLOOR);
}

const Value *builtin_select(Checker *cx, const Bound *b) {
  const Value *c = arg_bool(cx, b, 0), *x = arg_tensor(cx, b, 1), *y = arg_tensor(cx, b, 2);
  Shape shape;
  int64_t left, right;
  if (c->kind != VAL_TENSOR || x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  if ((x->elem == EL_BOOL) != (y->elem == EL_BOOL)) {
    CHECK_DIAG(cx, E0220, b->at, "select", value_type_text(cx->arena, x), value_type_text(cx->arena, y));
    return &value_poison;
  }
  if (!shape_broadcast(&x->shape, &y->shape, &shape, &left, &right))
    return arg_clash(cx, b, x, y, left, right);
  if (!shape_broadcast(&c->shape, &shape, &shape, &left, &right))
    return arg_clash(cx, b, c, x, left, right);
  return tensor_select(cx, c, x, y, shape, b->call->expr, b->at);
}

static const Value *public_lookup(Checker *cx, const Value *table, const Value *i, Span at) {
  int64_t last = table->shape.dim[0] - 1;
  for (int64_t k = 0; i->data && k < i->data_count; k++) {
    int64_t known = (int64_t)i->data[k];
    if (known >= 0 && known <= last)
      continue;
    CHECK_DIAG(cx, E0211, at, arena_printf(cx->arena, "%" PRId64, known),
               arena_printf(cx->arena, "%" PRId64, last));
    return &value_poison;
  }
  if (i->shape.rank == 1)
    return tensor_gather(cx, table, i, at);
  const Value *starts[MAX_RANK] = {i}, *row;
  Shape box = table->shape;
  box.dim[0] = 1;
  row = tensor_slice(cx, table, starts, box, at);
  return row->kind == VAL_TENSOR ? tensor_reshape(cx, row, shape_tail(&table->shape), at) : row;
}

/* The rows where the index is hit, summed: i scalar or vector, table [n, *s]. */
const Value *builtin_lookup(Checker *cx, const Bound *b) {
  const Value *table = arg_number(cx, b, 0), *i = arg_tensor(cx, b, 1);
  if (table->kind != VAL_TENSOR || i->kind != VAL_TENSOR)
    return &value_poison;
  if (table->shape.rank == 0)
    return arg_needs(cx, b, b->arg[0], "a tensor with rows", table);
  if (i->elem != EL_INT || i->shape.rank > 1 || i->shape.rank + table->shape.rank > MAX_RANK)
    return arg_needs(cx, b, b->arg[1], "an int or a list of ints", i);
  if (i->place.kind != PLACE_PRIVATE)
    return public_lookup(cx, table, i, b->at);
  const Value *hit = hot(cx, i, table->shape.dim[0], b->at);
  if (hit->kind != VAL_TENSOR)
    return &value_poison;
  Shape choose = hit->shape, all;
  for (int k = 1; k < table->shape.rank; k++)
    choose.dim[choose.rank++] = 1;
  int64_t left, right;
  hit = tensor_reshape(cx, hit, choose, b->at);
  if (!shape_broadcast(&choose, &table->shape, &all, &left, &right))
    return &value_poison;
  const Value *zero = table->elem == EL_FIXED ? value_fixed(cx->arena, 0.0) : value_int(cx->arena, 0);
  const Value *kept = tensor_select(cx, hit, table, zero, all, b->call->expr, b->at);
  return tensor_reduce(cx, OP_SUM, kept, i->shape.rank, NULL, b->at);
}

static const Value *clear_only(Checker *cx, const Bound *b, const Value *x, const char *what) {
  Diag *d = CHECK_DIAG(cx, E0404, b->at, check_kind_name(cx, x->place.index), what);
  diag_label(d, "%s", check_place_text(cx, x, true));
  diag_help(d, "reveal it first, or stay with fixed numbers");
  return &value_poison;
}

const Value *builtin_int(Checker *cx, const Bound *b) {
  const Value *x = arg_tensor(cx, b, 0);
  if (x->kind == VAL_TENSOR && x->elem == EL_FIXED && x->place.kind == PLACE_PRIVATE &&
      !check_kind_has(cx, "floor"))
    return clear_only(cx, b, x, "round private numbers");
  return tensor_to_int(cx, x, b->at);
}

const Value *builtin_fixed(Checker *cx, const Bound *b) {
  return tensor_to_fixed(cx, arg_tensor(cx, b, 0), b->at);
}

const Value *builtin_float(Checker *cx, const Bound *b) {
  const Value *x = arg_tensor(cx, b, 0);
  if (x->kind == VAL_TENSOR && x->place.kind == PLACE_PRIVATE) {
    Diag *d = CHECK_DIAG(cx, E0205, b->at);
    diag_help(d, "write `fixed(%s)`", span_text(cx->arena, b->arg[0]->expr->span));
    return &value_poison;
  }
  return tensor_to_fixed(cx, x, b->at);
}

/* An int known while compiling, `least` or more; `least` if it is not given. */
static bool conv_argument(Checker *cx, const Bound *b, int i, const char *what, int64_t least, int64_t *out) {
  *out = least;
  if (!b->arg[i])
    return true;
  if (!arg_known(cx, b, i, what, out))
    return false;
  if (*out >= least)
    return true;
  CHECK_DIAG(cx, E0219, b->arg[i]->expr->span, b->name,
             arena_printf(cx->arena, "%s of %" PRId64 " or more", what, least),
             arena_printf(cx->arena, "%" PRId64, *out));
  return false;
}

/* Padding, stride and groups, the parameters from i on. */
static bool conv_arguments(Checker *cx, const Bound *b, int i, int64_t ints[CONV_INTS]) {
  return conv_argument(cx, b, i, "a padding", 0, &ints[0]) &&
         conv_argument(cx, b, i + 1, "a stride", 1, &ints[1]) &&
         conv_argument(cx, b, i + 2, "a number of groups", 1, &ints[2]);
}

/* "[kh, kw, 2, co]" for these input channels, if they can be cut into the groups; else NULL, reported. */
static const char *conv_kernel(Checker *cx, const Bound *b, int i, int64_t channels, int64_t groups) {
  if (channels % groups != 0) {
    CHECK_DIAG(cx, E0219, b->arg[i]->expr->span, b->name,
               arena_printf(cx->arena, "a number of groups that divides the %" PRId64 " channels", channels),
               arena_printf(cx->arena, "%" PRId64, groups));
    return NULL;
  }
  const char *outputs = groups > 1 ? arena_printf(cx->arena, "a multiple of %" PRId64, groups) : "co";
  return arena_printf(cx->arena, "[kh, kw, %" PRId64 ", %s]", channels / groups, outputs);
}

const Value *builtin_conv2d(Checker *cx, const Bound *b) {
  const Value *x = arg_number(cx, b, 0), *k = arg_number(cx, b, 1);
  int64_t ints[CONV_INTS];
  Shape shape;
  if (x->kind != VAL_TENSOR || k->kind != VAL_TENSOR || !conv_arguments(cx, b, 2, ints))
    return &value_poison;
  if (x->shape.rank != 4)
    return arg_needs(cx, b, b->arg[0], "images [n, h, w, channels]", x);
  const char *kernel = conv_kernel(cx, b, 4, x->shape.dim[3], ints[2]);
  if (!kernel)
    return &value_poison;
  if (!shape_conv2d(&x->shape, &k->shape, ints, &shape))
    return arg_needs(cx, b, b->arg[1],
                     arena_printf(cx->arena, "a kernel %s that fits into the image", kernel), k);
  return tensor_conv2d(cx, OP_CONV2D, x, k, ints, shape, b->at);
}

/* A gradient of conv2d(image, kernel): dy, the operand dy_index, must have the shape of its result. */
static const Value *conv_gradient(Checker *cx, const Bound *b, OpKind kind, const Value *const *v,
                                  const Shape *image, const Shape *kernel, const int64_t *ints) {
  int dy = kind == OP_CONV2D_INPUT ? 0 : 1;
  Shape shape;
  if (!shape_conv2d(image, kernel, ints, &shape))
    return arg_needs(cx, b, b->arg[1 - dy],
                     arena_printf(cx->arena, "the other operand of a convolution of %s with %s",
                                  shape_text(cx->arena, image), shape_text(cx->arena, kernel)),
                     v[1 - dy]);
  if (!shape_equal(&shape, &v[dy]->shape))
    return arg_needs(
        cx, b, b->arg[dy],
        arena_printf(cx->arena, "the shape %s of the convolution", shape_text(cx->arena, &shape)), v[dy]);
  return tensor_conv2d(cx, kind, v[0], v[1], ints, kind == OP_CONV2D_INPUT ? *image : *kernel, b->at);
}

/* Operands, two sizes, padding, stride and groups; false: reported. */
static bool conv_gradient_arguments(Checker *cx, const Bound *b, const Value **v, int64_t *sizes,
                                    int64_t *ints) {
  bool ok = true;
  for (int i = 0; i < 2; i++) {
    v[i] = arg_number(cx, b, i);
    if (v[i]->kind != VAL_TENSOR || !arg_known(cx, b, 2 + i, "the size of a tensor", &sizes[i]))
      return false;
    ok = ok && v[i]->shape.rank == 4;
    if (v[i]->shape.rank != 4)
      arg_needs(cx, b, b->arg[i], "four axes", v[i]);
  }
  return ok && conv_arguments(cx, b, 4, ints);
}

const Value *builtin_conv2d_input(Checker *cx, const Bound *b) {
  const Value *v[2];
  int64_t sizes[2], ints[CONV_INTS];
  if (!conv_gradient_arguments(cx, b, v, sizes, ints))
    return &value_poison;
  int64_t channels = v[1]->shape.dim[2] * ints[2];
  Shape image = {.rank = 4, .dim = {v[0]->shape.dim[0], sizes[0], sizes[1], channels}};
  return conv_gradient(cx, b, OP_CONV2D_INPUT, v, &image, &v[1]->shape, ints);
}

const Value *builtin_conv2d_kernel(Checker *cx, const Bound *b) {
  const Value *v[2];
  int64_t sizes[2], ints[CONV_INTS];
  if (!conv_gradient_arguments(cx, b, v, sizes, ints) || !conv_kernel(cx, b, 6, v[0]->shape.dim[3], ints[2]))
    return &value_poison;
  int64_t channels = v[0]->shape.dim[3] / ints[2];
  Shape kernel = {.rank = 4, .dim = {sizes[0], sizes[1], channels, v[1]->shape.dim[3]}};
  return conv_gradient(cx, b, OP_CONV2D_KERNEL, v, &v[0]->shape, &kernel, ints);
}
