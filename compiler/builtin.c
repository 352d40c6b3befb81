/* The builtin functions (builtins.def): their arguments, their checks, and the operations they are. */
#include <assert.h>
#include <inttypes.h>

#include "tensor.h"

enum { MOST_PARAMETERS = 8 };

/* Arguments by parameter, and those of the `...` parameter. */
typedef struct Bound {
  const Builtin *builtin;
  const Call *call;
  const CallArg *arg[MOST_PARAMETERS];
  int rest_count;
  const CallArg **rest;
  Span at;
  const Type *want;
} Bound;

typedef const Value *Handler(Checker *cx, const Bound *b);

struct Builtin {
  const char *name, *parameters, *doc;
  Handler *handler;
};

static const Value *const POISON = &value_poison;

/* ---- arguments ----------------------------------------------------------------------------------------- */

static const Expr *expr_of(const Bound *b, int i) {
  return b->arg[i] ? b->arg[i]->expr : NULL;
}

static const Value *value_of_arg(Checker *cx, const CallArg *a, const Type *want) {
  const Value *v = a->value ? a->value : check_expr(cx, a->expr, want);
  v = check_operand(cx, v, a->expr);
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, a->expr->span);
    return POISON;
  }
  return v;
}

static const Value *needs(Checker *cx, const Bound *b, const CallArg *a, const char *what, const Value *v) {
  CHECK_DIAG(cx, E0219, a->expr->span, b->builtin->name, what, value_type_text(cx->arena, v));
  return POISON;
}

static const Value *tensor_arg(Checker *cx, const Bound *b, int i) {
  const Value *v = value_of_arg(cx, b->arg[i], NULL);
  return v->kind == VAL_TENSOR || v->kind == VAL_POISON ? v : needs(cx, b, b->arg[i], "a tensor", v);
}

static const Value *number_arg(Checker *cx, const Bound *b, int i) {
  const Value *v = tensor_arg(cx, b, i);
  return v->kind == VAL_TENSOR && v->elem == EL_BOOL ? needs(cx, b, b->arg[i], "numbers", v) : v;
}

static const Value *bool_arg(Checker *cx, const Bound *b, int i) {
  const Value *v = tensor_arg(cx, b, i);
  return v->kind == VAL_TENSOR && v->elem != EL_BOOL ? needs(cx, b, b->arg[i], "bools", v) : v;
}

/* A public (or, in an `at` block, local) int scalar. */
static const Value *int_arg(Checker *cx, const Bound *b, int i) {
  const Value *v = tensor_arg(cx, b, i);
  if (v->kind != VAL_TENSOR)
    return v;
  if (v->elem != EL_INT || v->shape.rank != 0)
    return needs(cx, b, b->arg[i], "an int", v);
  if (v->place.kind == PLACE_PRIVATE) {
    Diag *d = CHECK_DIAG(cx, E0303, b->arg[i]->expr->span);
    diag_label(d, "%s", check_place_text(cx, v, true));
    return POISON;
  }
  return v;
}

static bool known_int(Checker *cx, const Bound *b, int i, const char *what, int64_t *out) {
  const Value *v = int_arg(cx, b, i);
  return v->kind == VAL_TENSOR && check_const_int(cx, v, b->arg[i]->expr, what, out);
}

static const char *string_arg(Checker *cx, const Bound *b, int i) {
  const Value *v = value_of_arg(cx, b->arg[i], NULL);
  if (v->kind == VAL_STRING)
    return v->text;
  if (v->kind != VAL_POISON)
    needs(cx, b, b->arg[i], "a string", v);
  return NULL;
}

static bool dims_arg(Checker *cx, const Bound *b, Shape *out) {
  *out = (Shape){0};
  if (b->rest_count > MAX_RANK) {
    CHECK_DIAG(cx, E0221, b->at, arena_printf(cx->arena, "more than %d axes", MAX_RANK));
    return false;
  }
  for (int i = 0; i < b->rest_count; i++) {
    const Value *v = value_of_arg(cx, b->rest[i], NULL);
    int64_t n;
    if (!check_const_int(cx, v, b->rest[i]->expr, "the size of a tensor", &n))
      return false;
    if (n < 0) {
      CHECK_DIAG(cx, E0221, b->rest[i]->expr->span, "a size is negative");
      return false;
    }
    out->dim[out->rank++] = n;
  }
  return true;
}

/* -1: not given. */
static bool axis_arg(Checker *cx, const Bound *b, int i, const Value *x, int64_t *axis) {
  *axis = -1;
  if (!b->arg[i])
    return true;
  if (!known_int(cx, b, i, "an axis", axis))
    return false;
  if (*axis >= 0 && *axis < x->shape.rank)
    return true;
  CHECK_DIAG(cx, E0212, b->arg[i]->expr->span, arena_printf(cx->arena, "%" PRId64, *axis),
             value_type_text(cx->arena, x));
  return false;
}

/* ---- making tensors ------------------------------------------------------------------------------------ */

static const Value *splat(Checker *cx, Elem elem, uint64_t bits, Shape shape) {
  uint64_t *data = ARENA_NEW(cx->arena, uint64_t);
  *data = bits;
  return value_data(cx->arena, elem, shape, data, 1);
}

static const Value *filled(Checker *cx, const Bound *b, double v) {
  Shape shape;
  if (!dims_arg(cx, b, &shape))
    return POISON;
  if (!shape_fits(&shape)) {
    CHECK_DIAG(cx, E0221, b->at, shape_text(cx->arena, &shape));
    return POISON;
  }
  return splat(cx, EL_FIXED, ir_fixed_bits(v), shape);
}

static const Value *builtin_zeros(Checker *cx, const Bound *b) {
  return filled(cx, b, 0.0);
}

static const Value *builtin_ones(Checker *cx, const Bound *b) {
  return filled(cx, b, 1.0);
}

static const Value *builtin_full(Checker *cx, const Bound *b) {
  Shape shape;
  const Value *v = tensor_arg(cx, b, 0);
  if (v->kind != VAL_TENSOR || !dims_arg(cx, b, &shape))
    return POISON;
  if (v->shape.rank != 0)
    return needs(cx, b, b->arg[0], "a single value", v);
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

static const Value *builtin_zeros_like(Checker *cx, const Bound *b) {
  const Value *v = value_of_arg(cx, b->arg[0], NULL);
  if (v->kind == VAL_STRING)
    return needs(cx, b, b->arg[0], "a tensor or a struct", v);
  return v->kind == VAL_POISON ? v : zeros_of(cx, v, b->at);
}

static const Value *builtin_eye(Checker *cx, const Bound *b) {
  int64_t n;
  if (!known_int(cx, b, 0, "the size of a tensor", &n))
    return POISON;
  if (n < 0 || n > 1024) {
    CHECK_DIAG(cx, E0221, b->at, "`eye` goes up to 1024 rows");
    return POISON;
  }
  uint64_t *data = ARENA_ARRAY(cx->arena, uint64_t, n *n + 1);
  for (int64_t i = 0; i < n; i++)
    data[i * n + i] = ir_fixed_bits(1.0);
  return value_data(cx->arena, EL_FIXED, (Shape){.rank = 2, .dim = {n, n}}, data, n * n);
}

static const Value *iota(Checker *cx, int64_t n, Span at) {
  return tensor_make(cx, OP_IOTA, NULL, 0, NULL, 0, EL_INT, shape_vector(n), cx->pi, at);
}

static const Value *builtin_arange(Checker *cx, const Bound *b) {
  int64_t n;
  return known_int(cx, b, 0, "the size of a tensor", &n) ? iota(cx, n, b->at) : POISON;
}

/* i == 0 .. n-1 along a new last axis */
static const Value *hot(Checker *cx, const Value *i, int64_t n, Span at) {
  Shape shape = i->shape, column = i->shape;
  if (shape.rank == MAX_RANK) {
    CHECK_DIAG(cx, E0221, at, arena_printf(cx->arena, "more than %d axes", MAX_RANK));
    return POISON;
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

static const Value *builtin_one_hot(Checker *cx, const Bound *b) {
  int64_t n;
  const Value *i = tensor_arg(cx, b, 0);
  if (i->kind != VAL_TENSOR || !known_int(cx, b, 1, "the size of a tensor", &n))
    return POISON;
  if (i->elem != EL_INT)
    return needs(cx, b, b->arg[0], "ints", i);
  return tensor_to_fixed(cx, hot(cx, i, n, b->at), b->at);
}

/* ---- rearranging --------------------------------------------------------------------------------------- */

static const Value *builtin_reshape(Checker *cx, const Bound *b) {
  Shape shape;
  const Value *x = tensor_arg(cx, b, 0);
  if (x->kind != VAL_TENSOR || !dims_arg(cx, b, &shape))
    return POISON;
  if (!shape_reshape(&x->shape, &shape)) {
    CHECK_DIAG(cx, E0218, b->at, shape_text(cx->arena, &x->shape),
               arena_printf(cx->arena, "%" PRId64, shape_count(&x->shape)), shape_text(cx->arena, &shape),
               arena_printf(cx->arena, "%" PRId64, shape_fits(&shape) ? shape_count(&shape) : 0));
    return POISON;
  }
  return tensor_reshape(cx, x, shape, b->at);
}

static const Value *builtin_merge(Checker *cx, const Bound *b) {
  const Value *x = tensor_arg(cx, b, 0);
  if (x->kind != VAL_TENSOR)
    return POISON;
  if (x->shape.rank < 2)
    return needs(cx, b, b->arg[0], "at least two axes", x);
  Shape shape = shape_tail(&x->shape);
  shape.dim[0] *= x->shape.dim[0];
  return tensor_reshape(cx, x, shape, b->at);
}

static const Value *builtin_rows(Checker *cx, const Bound *b) {
  int64_t n, first;
  const Value *x = tensor_arg(cx, b, 0), *i = int_arg(cx, b, 1);
  bool ok = known_int(cx, b, 2, "the number of rows", &n);
  if (x->kind != VAL_TENSOR || i->kind != VAL_TENSOR || !ok)
    return POISON;
  if (x->shape.rank == 0)
    return needs(cx, b, b->arg[0], "a tensor with rows", x);
  int64_t size = x->shape.dim[0];
  bool fits = n >= 0 && n <= size, outside = value_const_int(i, &first) && (first < 0 || first > size - n);
  if (!fits || outside) {
    int64_t bad = !fits ? n : first < 0 ? first : first > size ? first : first + n;
    CHECK_DIAG(cx, E0211, b->at, arena_printf(cx->arena, "%" PRId64, bad),
               arena_printf(cx->arena, "%" PRId64, size));
    return POISON;
  }
  const Value *starts[MAX_RANK] = {i};
  Shape box = x->shape;
  box.dim[0] = n;
  return tensor_slice(cx, x, starts, box, b->at);
}

static const Value *builtin_len(Checker *cx, const Bound *b) {
  const Value *x =
      b->arg[0]->value ? b->arg[0]->value : check_expr(cx, b->arg[0]->expr, NULL); /* a size is public */
  if (x->kind == VAL_POISON)
    return x;
  if (x->kind != VAL_TENSOR || x->shape.rank == 0)
    return needs(cx, b, b->arg[0], "a tensor with rows", x);
  return value_int(cx->arena, x->shape.dim[0]);
}

static const Value *builtin_concat(Checker *cx, const Bound *b) {
  int n = b->rest_count;
  const Value **parts = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  int64_t axis = 0;
  for (int i = 0; i < n; i++) {
    parts[i] = value_of_arg(cx, b->rest[i], NULL);
    if (parts[i]->kind == VAL_POISON)
      return POISON;
    if (parts[i]->kind != VAL_TENSOR || parts[i]->shape.rank == 0)
      return needs(cx, b, b->rest[i], "tensors with at least one axis", parts[i]);
  }
  if (n == 0) {
    CHECK_DIAG(cx, E0127, b->at, b->builtin->name, "parts");
    return POISON;
  }
  if (b->arg[1] && !axis_arg(cx, b, 1, parts[0], &axis))
    return POISON;
  Shape shape = parts[0]->shape;
  for (int i = 1; i < n; i++) {
    bool elems = parts[i]->elem == parts[0]->elem || (parts[i]->elem != EL_BOOL && parts[0]->elem != EL_BOOL);
    if (!elems || !shape_concat(&shape, &parts[i]->shape, (int)axis, &shape)) {
      Diag *d = CHECK_DIAG(cx, E0220, b->rest[i]->expr->span, "concat", value_type_text(cx->arena, parts[0]),
                           value_type_text(cx->arena, parts[i]));
      diag_note(d, "all sizes but that of axis %" PRId64 " must be equal", axis);
      return POISON;
    }
  }
  return tensor_concat(cx, parts, n, (int)axis, shape, b->call->expr, b->at);
}

/* The leaves of a struct of fixed numbers, and how many elements they have together. */
static bool number_leaves(Checker *cx, const Bound *b, int i, const Value **v, Leaves *leaves,
                          int64_t *count) {
  *v = value_of_arg(cx, b->arg[i], NULL);
  *count = 0;
  if (value_is_poison(*v))
    return false;
  value_leaves(cx->arena, *v, leaves);
  for (int k = 0; k < leaves->list.count; k++) {
    const Value *leaf = leaves->list.data[k];
    if (leaf->kind != VAL_TENSOR || leaf->elem != EL_FIXED) {
      needs(cx, b, b->arg[i], "a tensor or a struct of fixed", *v);
      return false;
    }
    *count += shape_count(&leaf->shape);
  }
  return true;
}

static const Value *builtin_ravel(Checker *cx, const Bound *b) {
  Leaves leaves = {0};
  const Value *x;
  int64_t count;
  if (!number_leaves(cx, b, 0, &x, &leaves, &count))
    return POISON;
  int n = leaves.list.count;
  const Value **parts = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  for (int i = 0; i < n; i++) {
    const Value *leaf = leaves.list.data[i];
    parts[i] = tensor_reshape(cx, leaf, shape_vector(shape_count(&leaf->shape)), b->at);
  }
  return n == 1 ? parts[0] : tensor_concat(cx, parts, n, 0, shape_vector(count), b->call->expr, b->at);
}

static const Value *builtin_unravel(Checker *cx, const Bound *b) {
  Leaves leaves = {0};
  const Value *v = tensor_arg(cx, b, 0), *x;
  int64_t count, start = 0;
  if (!number_leaves(cx, b, 1, &x, &leaves, &count) || v->kind != VAL_TENSOR)
    return POISON;
  if (v->elem != EL_FIXED || v->shape.rank != 1 || v->shape.dim[0] != count)
    return needs(cx, b, b->arg[0], arena_printf(cx->arena, "a vector of %" PRId64 " fixed numbers", count),
                 v);
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

static const Value *builtin_T(Checker *cx, const Bound *b) {
  const Value *x = tensor_arg(cx, b, 0);
  int64_t axes[MAX_RANK];
  if (x->kind != VAL_TENSOR)
    return POISON;
  for (int i = 0; i < x->shape.rank; i++)
    axes[i] = x->shape.rank - 1 - i;
  return tensor_transpose(cx, x, axes, b->at);
}

/* ---- folding ------------------------------------------------------------------------------------------- */

/* The axis of a fold; false: reported. */
static bool fold_axis(Checker *cx, const Bound *b, OpKind kind, const Value *x, int axis_index,
                      int64_t *axis) {
  if (x->kind != VAL_TENSOR || !axis_arg(cx, b, axis_index, x, axis))
    return false;
  bool empty = kind != OP_SUM && kind != OP_ANY && kind != OP_ALL && shape_count(&x->shape) == 0;
  if (empty)
    needs(cx, b, b->arg[0], "at least one element", x);
  return !empty;
}

static const Value *reduced(Checker *cx, const Bound *b, OpKind kind, const Value *x, int axis_index) {
  int64_t axis;
  if (!fold_axis(cx, b, kind, x, axis_index, &axis))
    return POISON;
  return tensor_reduce(cx, kind, x, axis, expr_of(b, 0), b->at);
}

static const Value *marked(Checker *cx, const Bound *b, OpKind kind) {
  int64_t axis;
  const Value *x = number_arg(cx, b, 0);
  return fold_axis(cx, b, kind, x, 1, &axis) ? tensor_mark(cx, kind, x, axis, b->at) : POISON;
}

static const Value *builtin_is_max(Checker *cx, const Bound *b) {
  return marked(cx, b, OP_ARGMAX);
}

static const Value *builtin_is_min(Checker *cx, const Bound *b) {
  return marked(cx, b, OP_ARGMIN);
}

static const Value *builtin_sum(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_SUM, number_arg(cx, b, 0), 1);
}

static const Value *builtin_argmax(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ARGMAX, number_arg(cx, b, 0), 1);
}

static const Value *builtin_argmin(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ARGMIN, number_arg(cx, b, 0), 1);
}

static const Value *builtin_any(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ANY, bool_arg(cx, b, 0), 1);
}

static const Value *builtin_all(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_ALL, bool_arg(cx, b, 0), 1);
}

static const Value *builtin_count(Checker *cx, const Bound *b) {
  return reduced(cx, b, OP_SUM, tensor_to_int(cx, bool_arg(cx, b, 0), b->at), 1);
}

static const Value *clash(Checker *cx, const Bound *b, const Value *x, const Value *y, int64_t left,
                          int64_t right) {
  Diag *d = CHECK_DIAG(cx, E0202, b->at, shape_text(cx->arena, &x->shape), shape_text(cx->arena, &y->shape));
  diag_label(d, "sizes %" PRId64 " and %" PRId64 " do not match", left, right);
  diag_note(d, "shapes are lined up from the right; a size matches an equal size, or 1");
  return POISON;
}

static const Value *extreme(Checker *cx, const Bound *b, OpKind fold, OpKind two) {
  const Value *x = number_arg(cx, b, 0);
  Shape shape;
  int64_t left, right;
  if (!b->arg[1])
    return reduced(cx, b, fold, x, 2);
  const Value *y = number_arg(cx, b, 1);
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return POISON;
  if (b->arg[2])
    diag_help(CHECK_DIAG(cx, E0128, b->at, b->builtin->name, "two tensors, or one and an axis", "both"),
              "of one tensor along an axis: `%s(x, axis = 0)`", b->builtin->name);
  if (!shape_broadcast(&x->shape, &y->shape, &shape, &left, &right))
    return clash(cx, b, x, y, left, right);
  return tensor_binary(cx, two, x, y, shape, b->call->expr, b->at);
}

static const Value *builtin_max(Checker *cx, const Bound *b) {
  return extreme(cx, b, OP_RMAX, OP_MAX2);
}

static const Value *builtin_min(Checker *cx, const Bound *b) {
  return extreme(cx, b, OP_RMIN, OP_MIN2);
}

/* ---- elementwise --------------------------------------------------------------------------------------- */

static const Value *unary(Checker *cx, const Bound *b, OpKind kind) {
  const Value *x = number_arg(cx, b, 0);
  return x->kind == VAL_TENSOR ? tensor_unary(cx, kind, x, b->call->expr, b->at) : POISON;
}

static const Value *builtin_abs(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_ABS);
}
static const Value *builtin_sign(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_SIGN);
}
static const Value *builtin_exp(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_EXP);
}
static const Value *builtin_log(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_LOG);
}
static const Value *builtin_sqrt(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_SQRT);
}
static const Value *builtin_tanh(Checker *cx, const Bound *b) {
  return unary(cx, b, OP_TANH);
}

static const Value *whole_number(Checker *cx, const Bound *b, OpKind kind) {
  const Value *x = number_arg(cx, b, 0);
  return x->kind == VAL_TENSOR && x->elem == EL_FIXED ? tensor_unary(cx, kind, x, b->call->expr, b->at) : x;
}

static const Value *builtin_round(Checker *cx, const Bound *b) {
  return whole_number(cx, b, OP_ROUND);
}
static const Value *builtin_floor(Checker *cx, const Bound *b) {
  return whole_number(cx, b, OP_FLOOR);
}

static const Value *builtin_select(Checker *cx, const Bound *b) {
  const Value *c = bool_arg(cx, b, 0), *x = tensor_arg(cx, b, 1), *y = tensor_arg(cx, b, 2);
  Shape shape;
  int64_t left, right;
  if (c->kind != VAL_TENSOR || x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return POISON;
  if ((x->elem == EL_BOOL) != (y->elem == EL_BOOL)) {
    CHECK_DIAG(cx, E0220, b->at, "select", value_type_text(cx->arena, x), value_type_text(cx->arena, y));
    return POISON;
  }
  if (!shape_broadcast(&x->shape, &y->shape, &shape, &left, &right))
    return clash(cx, b, x, y, left, right);
  if (!shape_broadcast(&c->shape, &shape, &shape, &left, &right))
    return clash(cx, b, c, x, left, right);
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
    return POISON;
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
static const Value *builtin_lookup(Checker *cx, const Bound *b) {
  const Value *table = number_arg(cx, b, 0), *i = tensor_arg(cx, b, 1);
  if (table->kind != VAL_TENSOR || i->kind != VAL_TENSOR)
    return POISON;
  if (table->shape.rank == 0)
    return needs(cx, b, b->arg[0], "a tensor with rows", table);
  if (i->elem != EL_INT || i->shape.rank > 1 || i->shape.rank + table->shape.rank > MAX_RANK)
    return needs(cx, b, b->arg[1], "an int or a list of ints", i);
  if (i->place.kind != PLACE_PRIVATE)
    return public_lookup(cx, table, i, b->at);
  const Value *hit = hot(cx, i, table->shape.dim[0], b->at);
  if (hit->kind != VAL_TENSOR)
    return POISON;
  Shape choose = hit->shape, all;
  for (int k = 1; k < table->shape.rank; k++)
    choose.dim[choose.rank++] = 1;
  int64_t left, right;
  hit = tensor_reshape(cx, hit, choose, b->at);
  if (!shape_broadcast(&choose, &table->shape, &all, &left, &right))
    return POISON;
  const Value *zero = table->elem == EL_FIXED ? value_fixed(cx->arena, 0.0) : value_int(cx->arena, 0);
  const Value *kept = tensor_select(cx, hit, table, zero, all, b->call->expr, b->at);
  return tensor_reduce(cx, OP_SUM, kept, i->shape.rank, NULL, b->at);
}

static const Value *clear_only(Checker *cx, const Bound *b, const Value *x, const char *what) {
  Diag *d = CHECK_DIAG(cx, E0404, b->at, check_kind_name(cx, x->place.index), what);
  diag_label(d, "%s", check_place_text(cx, x, true));
  diag_help(d, "reveal it first, or stay with fixed numbers");
  return POISON;
}

static const Value *builtin_int(Checker *cx, const Bound *b) {
  const Value *x = tensor_arg(cx, b, 0);
  if (x->kind == VAL_TENSOR && x->elem == EL_FIXED && x->place.kind == PLACE_PRIVATE &&
      !check_kind_has(cx, "floor"))
    return clear_only(cx, b, x, "round private numbers");
  return tensor_to_int(cx, x, b->at);
}

static const Value *builtin_fixed(Checker *cx, const Bound *b) {
  return tensor_to_fixed(cx, tensor_arg(cx, b, 0), b->at);
}

static const Value *builtin_float(Checker *cx, const Bound *b) {
  const Value *x = tensor_arg(cx, b, 0);
  if (x->kind == VAL_TENSOR && x->place.kind == PLACE_PRIVATE) {
    Diag *d = CHECK_DIAG(cx, E0205, b->at);
    diag_help(d, "write `fixed(%s)`", span_text(cx->arena, b->arg[0]->expr->span));
    return POISON;
  }
  return tensor_to_fixed(cx, x, b->at);
}

/* An int known while compiling, `least` or more; `least` if it is not given. */
static bool conv_argument(Checker *cx, const Bound *b, int i, const char *what, int64_t least, int64_t *out) {
  *out = least;
  if (!b->arg[i])
    return true;
  if (!known_int(cx, b, i, what, out))
    return false;
  if (*out >= least)
    return true;
  CHECK_DIAG(cx, E0219, b->arg[i]->expr->span, b->builtin->name,
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
    CHECK_DIAG(cx, E0219, b->arg[i]->expr->span, b->builtin->name,
               arena_printf(cx->arena, "a number of groups that divides the %" PRId64 " channels", channels),
               arena_printf(cx->arena, "%" PRId64, groups));
    return NULL;
  }
  const char *outputs = groups > 1 ? arena_printf(cx->arena, "a multiple of %" PRId64, groups) : "co";
  return arena_printf(cx->arena, "[kh, kw, %" PRId64 ", %s]", channels / groups, outputs);
}

static const Value *builtin_conv2d(Checker *cx, const Bound *b) {
  const Value *x = number_arg(cx, b, 0), *k = number_arg(cx, b, 1);
  int64_t ints[CONV_INTS];
  Shape shape;
  if (x->kind != VAL_TENSOR || k->kind != VAL_TENSOR || !conv_arguments(cx, b, 2, ints))
    return POISON;
  if (x->shape.rank != 4)
    return needs(cx, b, b->arg[0], "images [n, h, w, channels]", x);
  const char *kernel = conv_kernel(cx, b, 4, x->shape.dim[3], ints[2]);
  if (!kernel)
    return POISON;
  if (!shape_conv2d(&x->shape, &k->shape, ints, &shape))
    return needs(cx, b, b->arg[1], arena_printf(cx->arena, "a kernel %s that fits into the image", kernel),
                 k);
  return tensor_conv2d(cx, OP_CONV2D, x, k, ints, shape, b->at);
}

/* A gradient of conv2d(image, kernel): dy, the operand dy_index, must have the shape of its result. */
static const Value *conv_gradient(Checker *cx, const Bound *b, OpKind kind, const Value *const *v,
                                  const Shape *image, const Shape *kernel, const int64_t *ints) {
  int dy = kind == OP_CONV2D_INPUT ? 0 : 1;
  Shape shape;
  if (!shape_conv2d(image, kernel, ints, &shape))
    return needs(cx, b, b->arg[1 - dy],
                 arena_printf(cx->arena, "the other operand of a convolution of %s with %s",
                              shape_text(cx->arena, image), shape_text(cx->arena, kernel)),
                 v[1 - dy]);
  if (!shape_equal(&shape, &v[dy]->shape))
    return needs(cx, b, b->arg[dy],
                 arena_printf(cx->arena, "the shape %s of the convolution", shape_text(cx->arena, &shape)),
                 v[dy]);
  return tensor_conv2d(cx, kind, v[0], v[1], ints, kind == OP_CONV2D_INPUT ? *image : *kernel, b->at);
}

/* Operands, two sizes, padding, stride and groups; false: reported. */
static bool conv_gradient_arguments(Checker *cx, const Bound *b, const Value **v, int64_t *sizes,
                                    int64_t *ints) {
  bool ok = true;
  for (int i = 0; i < 2; i++) {
    v[i] = number_arg(cx, b, i);
    if (v[i]->kind != VAL_TENSOR || !known_int(cx, b, 2 + i, "the size of a tensor", &sizes[i]))
      return false;
    ok = ok && v[i]->shape.rank == 4;
    if (v[i]->shape.rank != 4)
      needs(cx, b, b->arg[i], "four axes", v[i]);
  }
  return ok && conv_arguments(cx, b, 4, ints);
}

static const Value *builtin_conv2d_input(Checker *cx, const Bound *b) {
  const Value *v[2];
  int64_t sizes[2], ints[CONV_INTS];
  if (!conv_gradient_arguments(cx, b, v, sizes, ints))
    return POISON;
  int64_t channels = v[1]->shape.dim[2] * ints[2];
  Shape image = {.rank = 4, .dim = {v[0]->shape.dim[0], sizes[0], sizes[1], channels}};
  return conv_gradient(cx, b, OP_CONV2D_INPUT, v, &image, &v[1]->shape, ints);
}

static const Value *builtin_conv2d_kernel(Checker *cx, const Bound *b) {
  const Value *v[2];
  int64_t sizes[2], ints[CONV_INTS];
  if (!conv_gradient_arguments(cx, b, v, sizes, ints) || !conv_kernel(cx, b, 6, v[0]->shape.dim[3], ints[2]))
    return POISON;
  int64_t channels = v[0]->shape.dim[3] / ints[2];
  Shape kernel = {.rank = 4, .dim = {sizes[0], sizes[1], channels, v[1]->shape.dim[3]}};
  return conv_gradient(cx, b, OP_CONV2D_KERNEL, v, &v[0]->shape, &kernel, ints);
}

/* ---- randomness ---------------------------------------------------------------------------------------- */

static Var *state_here(Checker *cx) {
  for (int i = 0; i < cx->states.count; i++)
    if (place_equal(cx->states.data[i]->place, cx->pi))
      return cx->states.data[i];
  Op *op = ir_op(cx->program, cx->entropy, OP_ENTROPY, (IrType){.elem = EL_INT}, check_site(cx, cx->here));
  op->at = cx->pi;
  Var *x = ARENA_NEW(cx->arena, Var);
  x->value = x->init_value = value_of(cx->arena, op);
  x->place = cx->pi;
  x->is_var = true;
  VEC_PUSH(cx->arena, &cx->states, x);
  return x;
}

static const Value *make_here(Checker *cx, OpKind kind, const Value *const *args, int n, Elem elem,
                              Shape shape, Span at) {
  return tensor_make(cx, kind, args, n, NULL, 0, elem, shape, cx->pi, at);
}

static const Value *draw(Checker *cx, OpKind kind, const Value *low, const Value *high, Elem elem,
                         Shape shape, Span at) {
  if (cx->constants_only) {
    CHECK_DIAG(cx, E0501, at, "a constant");
    return POISON;
  }
  Var *state = state_here(cx);
  const Value *args[] = {state->value, low, high};
  const Value *v = make_here(cx, kind, args, low ? 3 : 1, elem, shape, at);
  state->value = make_here(cx, OP_RNG_NEXT, args, 1, EL_INT, shape_scalar(), at);
  return v;
}

static const Value *builtin_seed(Checker *cx, const Bound *b) {
  const Value *n = int_arg(cx, b, 0);
  if (n->kind != VAL_TENSOR || cx->constants_only)
    return POISON;
  Var *state = state_here(cx);
  state->value = make_here(cx, OP_RNG_SEED, &n, 1, EL_INT, shape_scalar(), b->at);
  return &value_void;
}

static const Value *builtin_random_normal(Checker *cx, const Bound *b) {
  Shape shape;
  return dims_arg(cx, b, &shape) ? draw(cx, OP_RANDN, NULL, NULL, EL_FIXED, shape, b->at) : POISON;
}

static const Value *builtin_random_uniform(Checker *cx, const Bound *b) {
  Shape shape;
  const Value *low = number_arg(cx, b, 0), *high = number_arg(cx, b, 1);
  if (low->kind != VAL_TENSOR || high->kind != VAL_TENSOR || !dims_arg(cx, b, &shape))
    return POISON;
  for (int i = 0; i < 2; i++) {
    const Value *v = i ? high : low;
    if (v->shape.rank != 0 || v->place.kind == PLACE_PRIVATE)
      return needs(cx, b, b->arg[i], "a public number", v);
  }
  return draw(cx, OP_RANDU, tensor_to_fixed(cx, low, b->at), tensor_to_fixed(cx, high, b->at), EL_FIXED,
              shape, b->at);
}

static const Value *builtin_permutation(Checker *cx, const Bound *b) {
  int64_t n;
  if (!known_int(cx, b, 0, "the size of a tensor", &n))
    return POISON;
  return draw(cx, OP_PERMUTE, NULL, NULL, EL_INT, shape_vector(n), b->at);
}

/* ---- input and output ---------------------------------------------------------------------------------- */

static bool in_at_block(Checker *cx, const Bound *b) {
  if (!check_is_joint(cx))
    return true;
  Diag *d = CHECK_DIAG(cx, E0315, b->at, b->builtin->name);
  diag_help(d, "say whose it is: `at client { %s }`", span_text(cx->arena, b->at));
  return false;
}

static PartySet here_set(const Checker *cx) {
  if (cx->pi.kind == PLACE_AT)
    return party_one(cx->pi.index);
  const PartyDecl *f = &cx->program->parties.data[cx->pi.index];
  return party_range(f->first, f->count);
}

static int slot_of(Checker *cx, const Bound *b, const char *name, const char *field, IrType type,
                   bool is_output) {
  Program *p = cx->program;
  PartySet owner = here_set(cx);
  for (int i = 0; i < p->slots.count; i++) {
    const Slot *s = &p->slots.data[i];
    if (s->is_output != is_output || strcmp(s->name, name) != 0 || party_empty(party_and(s->owner, owner)))
      continue;
    if (ir_type_equal(&s->type, &type) && party_equal(s->owner, owner))
      return i;
    Diag *d = CHECK_DIAG(cx, E0105, b->at, name);
    diag_label(d, "%s here", ir_type_text(cx->arena, &type));
    if (s->span.source == b->at.source)
      diag_also(d, s->span, "%s here", ir_type_text(cx->arena, &s->type));
    diag_note(d, "one file has one type");
    return -1;
  }
  VEC_PUSH(cx->arena, &p->slots,
           ((Slot){.name = name,
                   .field = field,
                   .type = type,
                   .owner = owner,
                   .is_output = is_output,
                   .span = b->at}));
  return p->slots.count - 1;
}

static const Value *input_leaf(Checker *cx, const Bound *b, const char *name, const char *field,
                               const Type *t) {
  IrType type = {.elem = t->elem, .shape = t->shape};
  const char *full = field ? arena_printf(cx->arena, "%s.%s", name, field) : name;
  int slot = slot_of(cx, b, full, field, type, false);
  if (slot < 0)
    return POISON;
  Op *op = ir_op(cx->program, cx->block, OP_INPUT, type, check_site(cx, b->at));
  op->at = cx->pi;
  op->text = full;
  ir_int(cx->program, op, slot);
  return value_of(cx->arena, op);
}

static const Value *input_of(Checker *cx, const Bound *b, const char *name, const char *field,
                             const Type *t) {
  int n = t->kind == TY_STRUCT ? t->st->decl->fields.count : 0;
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  if (t->kind == TY_TENSOR)
    return input_leaf(cx, b, name, field, t);
  if (t->kind != TY_STRUCT) {
    CHECK_DIAG(cx, E0208, b->at, type_text(cx->arena, t), "an input");
    return POISON;
  }
  for (int i = 0; i < n; i++) {
    const char *part = t->st->decl->fields.data[i].name;
    items[i] =
        input_of(cx, b, name, field ? arena_printf(cx->arena, "%s.%s", field, part) : part, t->st->fields[i]);
    if (items[i]->kind == VAL_POISON)
      return POISON;
  }
  return value_items(cx->arena, VAL_STRUCT, t->st, items, n);
}

static const Value *builtin_input(Checker *cx, const Bound *b) {
  const char *name = string_arg(cx, b, 0);
  if (!in_at_block(cx, b) || !name)
    return POISON;
  if (b->want && b->want->kind != TY_NONE)
    return input_of(cx, b, name, NULL, b->want);
  Diag *d = CHECK_DIAG(cx, E0207, b->at, "input");
  diag_label(d, "type unknown");
  diag_note(
      d,
      "all shapes are fixed when the program is compiled; a file that does not fit is refused at run time");
  const Stmt *s = cx->statement;
  if (s && s->kind == ST_LET && !s->type && !s->is_tuple_pattern) {
    const char *secret = s->value->kind == EX_SHARE ? "private fixed" : "float";
    diag_help(d, "say what is in the file: `%s %s: %s[100, 2] = %s`", s->is_var ? "var" : "let",
              s->pattern.data[0].name, secret, span_text(cx->arena, s->value->span));
  } else {
    diag_help(d, "say what is in the file: `let x: float[100, 2] = %s`", span_text(cx->arena, b->at));
  }
  return POISON;
}

static const Value *builtin_more(Checker *cx, const Bound *b) {
  const char *name = string_arg(cx, b, 0);
  if (!in_at_block(cx, b) || !name)
    return POISON;
  Op *op = ir_op(cx->program, cx->block, OP_MORE, (IrType){.elem = EL_BOOL}, check_site(cx, b->at));
  op->at = cx->pi;
  op->text = name;
  ir_int(cx->program, op, -1); /* the slot, which may be made later */
  VEC_PUSH(cx->arena, &cx->mores, op);
  return value_of(cx->arena, op);
}

static const Value *builtin_output(Checker *cx, const Bound *b) {
  Leaves leaves = {0};
  const char *name = string_arg(cx, b, 0);
  const Value *v = value_of_arg(cx, b->arg[1], NULL);
  if (!in_at_block(cx, b) || !name || v->kind == VAL_POISON)
    return POISON;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind != VAL_TENSOR)
      return needs(cx, b, b->arg[1], "numbers or bools", leaf);
    const char *field = value_leaf_path(cx->arena, v, i);
    const char *full = field ? arena_printf(cx->arena, "%s.%s", name, field) : name;
    int slot = slot_of(cx, b, full, field, value_ir_type(leaf), true);
    if (slot < 0)
      return POISON;
    Op *operand = tensor_op(cx, leaf);
    Op *op = ir_op(cx->program, cx->block, OP_OUTPUT, (IrType){0}, check_site(cx, b->at));
    op->at = cx->pi;
    op->text = full;
    ir_operand(cx->program, op, operand);
    ir_int(cx->program, op, slot);
  }
  return &value_void;
}

/* Pieces of a line: text gathers until a value comes. */
typedef struct Line {
  VEC(const char *) texts;
  VEC(const Value *) values;
  const char *text;
} Line;

static void line_text(Checker *cx, Line *l, const char *text) {
  l->text = l->text ? arena_printf(cx->arena, "%s%s", l->text, text) : text;
}

static void line_value(Checker *cx, Line *l, const Value *v) {
  if (v->kind == VAL_STRING) {
    line_text(cx, l, v->text);
    return;
  }
  if (v->kind == VAL_TENSOR) {
    if (l->text)
      VEC_PUSH(cx->arena, &l->texts, l->text);
    l->text = NULL;
    VEC_PUSH(cx->arena, &l->texts, NULL);
    VEC_PUSH(cx->arena, &l->values, v);
    return;
  }
  line_text(cx, l, v->kind == VAL_STRUCT ? arena_printf(cx->arena, "%s(", v->st->decl->name) : "(");
  for (int i = 0; i < v->count; i++) {
    if (i)
      line_text(cx, l, ", ");
    if (v->kind == VAL_STRUCT)
      line_text(cx, l, arena_printf(cx->arena, "%s = ", v->st->decl->fields.data[i].name));
    line_value(cx, l, v->items[i]);
  }
  line_text(cx, l, ")");
}

static const Value *first_private(Checker *cx, const Value *v) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i]->place.kind == PLACE_PRIVATE)
      return leaves.list.data[i];
  return NULL;
}

static bool takes_part(const ProtocolInstance *p, int party) {
  for (int i = 0; i < p->servers.count; i++)
    if (p->servers.data[i] == party)
      return true;
  for (int i = 0; i < p->helpers.count; i++)
    if (p->helpers.data[i] == party)
      return true;
  return false;
}

/* For an example: who shared the value, else a party that does not compute, else the first. */
static const char *likely_receiver(Checker *cx, const Value *leaf) {
  if (leaf->origin && strncmp(leaf->origin->text, "shared by ", 10) == 0)
    return leaf->origin->text + 10;
  const Program *p = cx->program;
  for (int i = p->parties.count - 1; i >= 0; i--)
    if (!takes_part(&p->protocols.data[leaf->place.index], p->parties.data[i].first))
      return p->parties.data[i].name;
  return p->parties.data[0].name;
}

static void private_print(Checker *cx, const Bound *b, const CallArg *a, const Value *leaf) {
  const char *call = span_text(cx->arena, b->at), *text = span_text(cx->arena, a->expr->span);
  const Expr *e = b->call->expr;
  Diag *d = CHECK_DIAG(cx, E0307, a->expr->span);
  diag_label(d, "%s", check_place_text(cx, leaf, true));
  diag_note(d, "outside an `at` block, print shows the same public value at every party");
  int before = a->expr->span.start - b->at.start, after = a->expr->span.end - b->at.start;
  if ((int)strlen(call) == b->at.end - b->at.start && e->span.start == b->at.start)
    diag_help(d, "publish it: `%.*sreveal %s%s`", before, call, text, call + after);
  const char *receiver = likely_receiver(cx, leaf);
  diag_help(d, "or show it to one party: `let s = reveal %s to %s` and `at %s { print(s) }`", text, receiver,
            receiver);
}

/* The words and values of the `...` parameter. */
static bool rest_line(Checker *cx, const Bound *b, Line *l) {
  bool good = true;
  for (int i = 0; i < b->rest_count; i++) {
    const Value *v = value_of_arg(cx, b->rest[i], NULL), *leaf;
    if (value_is_poison(v)) {
      good = false;
      continue;
    }
    if ((leaf = first_private(cx, v))) {
      private_print(cx, b, b->rest[i], leaf);
      good = false;
    }
    if (i)
      line_text(cx, l, " ");
    line_value(cx, l, v);
  }
  if (good && l->text)
    VEC_PUSH(cx->arena, &l->texts, l->text);
  return good;
}

/* An effect with these operands, and then those of the line. */
static Op *line_op(Checker *cx, const Bound *b, OpKind kind, const Value *const *first, int count,
                   const Line *l) {
  Op **operands = ARENA_ARRAY(cx->arena, Op *, count + l->values.count + 1);
  for (int i = 0; i < count; i++)
    operands[i] = tensor_op(cx, first[i]);
  for (int i = 0; i < l->values.count; i++)
    operands[count + i] = tensor_op(cx, l->values.data[i]);
  Op *op = ir_op(cx->program, cx->block, kind, (IrType){0}, check_site(cx, b->at));
  op->at = cx->pi;
  for (int i = 0; i < count + l->values.count; i++)
    ir_operand(cx->program, op, operands[i]);
  for (int i = 0; i < l->texts.count; i++)
    VEC_PUSH(cx->arena, &op->texts, l->texts.data[i]);
  return op;
}

static const Value *builtin_print(Checker *cx, const Bound *b) {
  Line l = {0};
  if (!rest_line(cx, b, &l))
    return POISON;
  ir_int(cx->program, line_op(cx, b, OP_PRINT, NULL, 0, &l), check_is_joint(cx));
  return &value_void;
}

static const Value *builtin_progress(Checker *cx, const Bound *b) {
  Line l = {0};
  const char *label = string_arg(cx, b, 0);
  const Value *counts[] = {int_arg(cx, b, 1), int_arg(cx, b, 2)};
  bool good = rest_line(cx, b, &l);
  if (!label || counts[0]->kind != VAL_TENSOR || counts[1]->kind != VAL_TENSOR || !good)
    return POISON;
  line_op(cx, b, OP_PROGRESS, counts, 2, &l)->text = label;
  return &value_void;
}

static const Value *builtin_assert_near(Checker *cx, const Bound *b) {
  const Value *v[3];
  Shape shape;
  int64_t left, right;
  for (int i = 0; i < 3; i++) {
    v[i] = tensor_to_fixed(cx, number_arg(cx, b, i), b->at);
    if (v[i]->kind != VAL_TENSOR)
      return POISON;
    v[i] = check_test_reveal(cx, v[i], b->arg[i]->expr->span);
    if (v[i]->place.kind == PLACE_PRIVATE) {
      Diag *d = CHECK_DIAG(cx, E0304, b->arg[i]->expr->span, "assert_near");
      diag_label(d, "%s", check_place_text(cx, v[i], true));
      return POISON;
    }
  }
  if (!shape_broadcast(&v[0]->shape, &v[1]->shape, &shape, &left, &right))
    return clash(cx, b, v[0], v[1], left, right);
  if (v[2]->shape.rank != 0)
    return needs(cx, b, b->arg[2], "a number", v[2]);
  Op *operands[3];
  for (int i = 0; i < 3; i++)
    operands[i] = tensor_op(cx, i < 2 ? tensor_broadcast(cx, v[i], shape, b->at) : v[i]);
  Op *op = ir_op(cx->program, cx->block, OP_ASSERT_NEAR, (IrType){0}, check_site(cx, b->at));
  op->at = cx->pi;
  for (int i = 0; i < 3; i++)
    ir_operand(cx->program, op, operands[i]);
  VEC_PUSH(cx->arena, &op->texts, span_text(cx->arena, b->at));
  return &value_void;
}

/* A function that an `at` block calls, as a training loop of the library, works without: one party's work is part
 * of no run that others could go on with. */
static const Value *builtin_checkpoint(Checker *cx, const Bound *b) {
  bool inherited = cx->frame->flow_floor == 0; /* this function has opened no block of a party */
  if (!check_is_joint(cx) && inherited)
    return &value_void;
  if (!check_is_joint(cx)) {
    CHECK_DIAG(cx, E0313, b->at, "checkpoint");
    return POISON;
  }
  ir_op(cx->program, cx->block, OP_CHECKPOINT, (IrType){0}, check_site(cx, b->at))->at = cx->pi;
  return &value_void;
}

static const Value *builtin_store(Checker *cx, const Bound *b) {
  const Value *v = value_of_arg(cx, b->arg[0], NULL);
  const char *name = string_arg(cx, b, 1);
  return name && !value_is_poison(v) ? check_stored_store(cx, v, b->arg[0]->expr, name, b->at) : POISON;
}

static const Value *builtin_load(Checker *cx, const Bound *b) {
  const char *name = string_arg(cx, b, 0);
  return name ? check_stored_load(cx, b->want, name, b->at) : POISON;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static const Builtin table[] = {
#define BUILTIN(name, parameters, doc) {#name, parameters, doc, builtin_##name},
#include "builtins.def"
#undef BUILTIN
};

enum { COUNT = sizeof table / sizeof *table };

const Builtin *builtin_find(const char *name) {
  for (int i = 0; i < COUNT; i++)
    if (strcmp(table[i].name, name) == 0)
      return &table[i];
  return NULL;
}

int builtin_total(void) {
  return COUNT;
}

const char *builtin_name(int i) {
  return table[i].name;
}

const char *builtin_doc(int i) {
  return table[i].doc;
}

const char *builtin_parameters(int i) {
  return table[i].parameters;
}

/* One parameter of a row: its name, and what kind. */
typedef struct Parameter {
  char name[24];
  bool optional, rest;
} Parameter;

static int parameters_of(const Builtin *b, Parameter *out) {
  int n = 0;
  for (const char *p = b->parameters; *p; n++) {
    const char *end = strchr(p, ',');
    size_t length = end ? (size_t)(end - p) : strlen(p);
    size_t name = strcspn(p, " .,=");
    assert(n < MOST_PARAMETERS && name < sizeof out[n].name);
    memcpy(out[n].name, p, name);
    out[n].name[name] = 0;
    out[n].optional = memchr(p, '=', length) != NULL;
    out[n].rest = length > 3 && strncmp(p + name, "...", 3) == 0;
    p += length;
    while (*p == ',' || *p == ' ')
      p++;
  }
  return n;
}

static bool bind(Checker *cx, const Builtin *builtin, const Call *call, Bound *b) {
  Parameter p[MOST_PARAMETERS];
  int n = parameters_of(builtin, p), next = 0;
  *b = (Bound){.builtin = builtin,
               .call = call,
               .at = call->expr->span,
               .rest = ARENA_ARRAY(cx->arena, const CallArg *, call->count + 1)};
  for (int i = 0; i < call->count; i++) {
    const CallArg *a = &call->args[i];
    int k = next;
    if (a->name)
      for (k = 0; k < n && (strcmp(p[k].name, a->name) != 0 || p[k].rest); k++)
        ;
    if (a->name && k == n) {
      CHECK_DIAG(cx, E0125, a->expr->span, builtin->name, a->name);
      return false;
    }
    if (k < n && p[k].rest) {
      b->rest[b->rest_count++] = a;
      continue;
    }
    if (k >= n) {
      CHECK_DIAG(cx, E0128, call->expr->span, builtin->name,
                 arena_printf(cx->arena, "%d argument%s", n, n == 1 ? "" : "s"),
                 arena_printf(cx->arena, "%d", call->count));
      return false;
    }
    if (b->arg[k]) {
      CHECK_DIAG(cx, E0126, a->expr->span, p[k].name);
      return false;
    }
    b->arg[k] = a;
    next += !a->name;
  }
  for (int k = 0; k < n; k++)
    if (!b->arg[k] && !p[k].optional && !p[k].rest) {
      CHECK_DIAG(cx, E0127, call->expr->span, builtin->name, p[k].name);
      return false;
    }
  return true;
}

const Value *builtin_call(Checker *cx, const Builtin *builtin, const Call *call, const Type *want) {
  Bound b;
  if (!bind(cx, builtin, call, &b))
    return POISON;
  b.want = want;
  const Value *v = builtin->handler(cx, &b);
  return v;
}
