/* Operations on values (see tensor.h).
 *
 * Conventions of the joint IR kept here: operands of an elementwise operation have the result's shape or
 * rank 0, other broadcasting is an explicit operation; arithmetic and comparisons take public operands
 * beside private ones directly, choices and joins get them lifted; a private int times a fixed stays mixed
 * (no truncation is due), everything else is widened first. */
#include "tensor.h"

#include <inttypes.h>

#include "fold.h"

/* ---- making operations --------------------------------------------------------------------------------- */

Op *tensor_op(Checker *cx, const Value *v) {
  if (v->op)
    return v->op;
  Op *op = ir_op(cx->program, cx->block, OP_CONST, value_ir_type(v), check_site(cx, cx->here));
  op->at = cx->pi;
  op->data = v->data;
  op->data_count = v->data_count;
  return op;
}

static const Affine *affine_of(Checker *cx, OpKind kind, const Value *const *args) {
  const Affine *x = value_affine(cx->arena, args[0]);
  if (kind == OP_NEG)
    return affine_scale(cx->arena, x, -1);
  const Affine *y = value_affine(cx->arena, args[1]);
  int64_t by;
  if (kind == OP_ADD || kind == OP_SUB)
    return affine_add(cx->arena, x, y, kind == OP_ADD ? 1 : -1);
  if (value_const_int(args[1], &by))
    return affine_scale(cx->arena, x, by);
  return value_const_int(args[0], &by) ? affine_scale(cx->arena, y, by) : NULL;
}

static void fold_failed(Checker *cx, OpKind kind, const Value *const *args, int count, Span at) {
  bool zero = false;
  for (int64_t i = 0; count > 1 && i < args[1]->data_count; i++)
    zero = zero || value_number(args[1], i) == 0;
  if (kind == OP_GATHER)
    CHECK_DIAG(cx, E0211, at, "in this list", arena_printf(cx->arena, "%" PRId64, args[0]->shape.dim[0] - 1));
  else if (zero && (kind == OP_DIV || kind == OP_FLOORDIV || kind == OP_MOD))
    CHECK_DIAG(cx, E0504, at);
  else
    CHECK_DIAG(cx, E0505, at, "the result");
}

const Value *tensor_make(Checker *cx, OpKind kind, const Value *const *args, int count, const int64_t *ints,
                         int int_count, Elem elem, Shape shape, Place place, Span at) {
  bool failed;
  for (int i = 0; i < count; i++)
    if (args[i]->kind != VAL_TENSOR)
      return &value_poison;
  if (!shape_fits(&shape)) {
    CHECK_DIAG(cx, E0221, at, shape_text(cx->arena, &shape));
    return &value_poison;
  }
  const Value *folded =
      fold_op(cx->arena, kind, args, count, ints, int_count, elem, &shape, cx->constants_only, &failed);
  if (failed) {
    fold_failed(cx, kind, args, count, at);
    return &value_poison;
  }
  if (folded)
    return folded;
  Op **operands = ARENA_ARRAY(cx->arena, Op *, count + 1);
  for (int i = 0; i < count; i++)
    operands[i] = tensor_op(cx, args[i]);
  Op *op = ir_op(cx->program, cx->block, kind, (IrType){.elem = elem, .shape = shape}, check_site(cx, at));
  op->at = place;
  for (int i = 0; i < count; i++)
    ir_operand(cx->program, op, operands[i]);
  for (int i = 0; i < int_count; i++)
    ir_int(cx->program, op, ints[i]);
  Value *v = value_new(cx->arena, VAL_TENSOR);
  *v = *value_of(cx->arena, op);
  for (int i = 0; i < count && !v->origin; i++)
    if (args[i]->origin && place_equal(args[i]->place, place))
      v->origin = args[i]->origin;
  if (elem == EL_INT && shape.rank == 0 &&
      (kind == OP_ADD || kind == OP_SUB || kind == OP_MUL || kind == OP_NEG))
    v->affine = affine_of(cx, kind, args);
  return v;
}

/* ---- places -------------------------------------------------------------------------------------------- */

bool tensor_join(Checker *cx, const Value *const *args, int count, const Expr *const *exprs, Span at,
                 Place *out) {
  (void)exprs;
  *out = cx->pi;
  for (int i = 0; i < count; i++) {
    Place at_place = args[i]->place;
    if (check_is_joint(cx) && (at_place.kind == PLACE_AT || at_place.kind == PLACE_EACH)) {
      CHECK_DIAG(cx, E0305, at, "this value",
                 check_party_text(cx, at_place)); /* nothing leaves a party unnoticed */
      return false;
    }
    if (at_place.kind != PLACE_PRIVATE)
      continue;
    if (!check_in_protocol(cx)) {
      CHECK_DIAG(cx, E0309, at, "an operation on private values");
      return false;
    }
    *out = check_private_place(cx);
  }
  return true;
}

/* private values of an outer block, as values of the innermost one */
static const Value *converted(Checker *cx, const Value *x, Span at) {
  if (x->place.kind != PLACE_PRIVATE || place_equal(x->place, check_private_place(cx)))
    return x;
  return tensor_make(cx, OP_CONVERT, &x, 1, NULL, 0, x->elem, x->shape, check_private_place(cx), at);
}

static bool is_private(Place p) {
  return p.kind == PLACE_PRIVATE;
}

/* The operation can stay as it is at this place. */
static bool native(const Checker *cx, OpKind kind, Place place) {
  return !is_private(place) || check_kind_has(cx, op_info[kind].name);
}

static const Value *missing(Checker *cx, const char *what, const char *noun, Span at) {
  const Open *o = &cx->open.data[cx->open.count - 1];
  Diag *d = CHECK_DIAG(cx, E0404, at, o->kind->name, what);
  diag_label(d, "needs %s", noun);
  if (o->span.source == at.source)
    diag_also(d, o->span, "has no %s",
              strncmp(noun, "a ", 2) == 0    ? noun + 2
              : strncmp(noun, "an ", 3) == 0 ? noun + 3
                                             : noun);
  diag_note(d, "protocol/%s.tfe shows what it can do", o->kind->name);
  if (cx->open.count)
    diag_help(d, "compute it at one party: reveal the operands there, or share its result");
  return &value_poison;
}

/* ---- shapes and elements ------------------------------------------------------------------------------- */

/* Where an operation on x alone is done: public values are worked on where we are, others where they live. */
static Place place_of(const Checker *cx, const Value *x) {
  return x->place.kind == PLACE_PUBLIC ? cx->pi : x->place;
}

const Value *tensor_reshape(Checker *cx, const Value *x, Shape shape, Span at) {
  if (x->kind != VAL_TENSOR || shape_equal(&x->shape, &shape))
    return x;
  return tensor_make(cx, OP_RESHAPE, &x, 1, NULL, 0, x->elem, shape, place_of(cx, x), at);
}

const Value *tensor_broadcast(Checker *cx, const Value *x, Shape shape, Span at) {
  if (x->kind != VAL_TENSOR || shape_equal(&x->shape, &shape))
    return x;
  return tensor_make(cx, OP_BROADCAST, &x, 1, NULL, 0, x->elem, shape, place_of(cx, x), at);
}

/* as an operand of an elementwise operation */
static const Value *fitted(Checker *cx, const Value *x, Shape shape, Span at) {
  return x->shape.rank == 0 ? x : tensor_broadcast(cx, x, shape, at);
}

const Value *tensor_to_fixed(Checker *cx, const Value *x, Span at) {
  if (x->kind != VAL_TENSOR || x->elem == EL_FIXED)
    return x;
  return tensor_make(cx, OP_TO_FIXED, &x, 1, NULL, 0, EL_FIXED, x->shape, place_of(cx, x), at);
}

const Value *tensor_to_int(Checker *cx, const Value *x, Span at) {
  if (x->kind != VAL_TENSOR || x->elem == EL_INT)
    return x;
  return tensor_make(cx, OP_TO_INT, &x, 1, NULL, 0, EL_INT, x->shape, place_of(cx, x), at);
}

const Value *tensor_lift(Checker *cx, const Value *x, Span at) {
  if (x->kind != VAL_TENSOR)
    return x;
  if (is_private(x->place))
    return converted(cx, x, at);
  return tensor_make(cx, OP_LIFT, &x, 1, NULL, 0, x->elem, x->shape, check_private_place(cx), at);
}

const Value *tensor_transpose(Checker *cx, const Value *x, const int64_t *axes, Span at) {
  if (x->kind != VAL_TENSOR)
    return x;
  bool same = true;
  for (int i = 0; i < x->shape.rank; i++)
    same = same && axes[i] == i;
  Shape shape = shape_transpose(&x->shape, axes);
  return same
             ? x
             : tensor_make(cx, OP_TRANSPOSE, &x, 1, axes, x->shape.rank, x->elem, shape, place_of(cx, x), at);
}

/* Operands and attributes of a box: known starts as attributes, others as int operands. */
static int box_arguments(const Value *const *starts, int rank, const Value **args, int64_t *ints) {
  int n = 0;
  for (int i = 0; i < rank; i++) {
    ints[i] = 0;
    if (starts[i] && !value_const_int(starts[i], &ints[i])) {
      ints[i] = INT64_MIN;
      args[n++] = starts[i];
    }
  }
  return n;
}

const Value *tensor_slice(Checker *cx, const Value *x, const Value *const *starts, Shape box, Span at) {
  const Value *args[MAX_RANK + 1] = {x};
  int64_t ints[MAX_RANK];
  int n = box_arguments(starts, box.rank, args + 1, ints);
  if (n == 0 && shape_equal(&box, &x->shape))
    return x;
  return tensor_make(cx, OP_SLICE, args, n + 1, ints, box.rank, x->elem, box, place_of(cx, x), at);
}

const Value *tensor_update(Checker *cx, const Value *x, const Value *v, const Value *const *starts, Span at) {
  const Value *args[MAX_RANK + 2] = {x, v};
  int64_t ints[MAX_RANK];
  int n = box_arguments(starts, x->shape.rank, args + 2, ints);
  return tensor_make(cx, OP_UPDATE, args, n + 2, ints, x->shape.rank, x->elem, x->shape,
                     is_private(x->place) ? x->place : cx->pi, at);
}

const Value *tensor_gather(Checker *cx, const Value *x, const Value *index, Span at) {
  const Value *args[] = {x, index};
  Shape shape = x->shape;
  shape.dim[0] = index->shape.dim[0];
  return tensor_make(cx, OP_GATHER, args, 2, NULL, 0, x->elem, shape, place_of(cx, x), at);
}

const Value *tensor_concat(Checker *cx, const Value *const *parts, int count, int axis, Shape shape,
                           const Expr *e, Span at) {
  Place place;
  bool fixed = false;
  const Value **args = ARENA_ARRAY(cx->arena, const Value *, count);
  int64_t ints[] = {axis};
  (void)e;
  if (!tensor_join(cx, parts, count, NULL, at, &place))
    return &value_poison;
  for (int i = 0; i < count; i++)
    fixed = fixed || parts[i]->elem == EL_FIXED;
  for (int i = 0; i < count; i++) {
    args[i] = fixed ? tensor_to_fixed(cx, parts[i], at) : parts[i];
    args[i] = is_private(place) ? tensor_lift(cx, args[i], at) : args[i];
  }
  return tensor_make(cx, OP_CONCAT, args, count, ints, 1, fixed ? EL_FIXED : parts[0]->elem, shape, place,
                     at);
}

/* ---- elementwise --------------------------------------------------------------------------------------- */

static const Value *ew(Checker *cx, OpKind kind, const Value *const *args, int count, Elem elem, Shape shape,
                       Place place, Span at) {
  const Value *operands[3];
  for (int i = 0; i < count; i++) {
    if (args[i]->kind != VAL_TENSOR)
      return &value_poison;
    operands[i] = fitted(cx, is_private(place) ? converted(cx, args[i], at) : args[i], shape, at);
  }
  return tensor_make(cx, kind, operands, count, NULL, 0, elem, shape, place, at);
}

static const Value *ew1(Checker *cx, OpKind kind, const Value *x, Elem elem, Span at) {
  return ew(cx, kind, &x, 1, elem, x->shape, place_of(cx, x), at);
}

/* places as of a run-time operation: private if one operand is */
static const Value *ew2(Checker *cx, OpKind kind, const Value *x, const Value *y, Elem elem, Shape shape,
                        Span at) {
  const Value *args[] = {x, y};
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  bool secret = is_private(x->place) || is_private(y->place);
  return ew(cx, kind, args, 2, elem, shape, secret ? check_private_place(cx) : cx->pi, at);
}

static const Value *negated(Checker *cx, const Value *x, Span at) {
  return x->kind == VAL_TENSOR ? ew1(cx, OP_NOT, x, EL_BOOL, at) : x;
}

static const Value *less(Checker *cx, const Value *x, const Value *y, Shape shape, Span at) {
  return ew2(cx, OP_LT, x, y, EL_BOOL, shape, at);
}

static const Value *either(Checker *cx, const Value *x, const Value *y, Shape shape, Span at) {
  bool secret = is_private(x->place) || is_private(y->place);
  if (!secret || check_kind_has(cx, op_info[OP_OR].name))
    return ew2(cx, OP_OR, x, y, EL_BOOL, shape, at);
  return negated(cx, ew2(cx, OP_AND, negated(cx, x, at), negated(cx, y, at), EL_BOOL, shape, at), at);
}

/* x != y on bools: (x or y) and not (x and y) */
static const Value *bools_differ(Checker *cx, const Value *x, const Value *y, Shape shape, Span at) {
  const Value *both = ew2(cx, OP_AND, x, y, EL_BOOL, shape, at);
  return ew2(cx, OP_AND, either(cx, x, y, shape, at), negated(cx, both, at), EL_BOOL, shape, at);
}

static const Value *private_compare(Checker *cx, OpKind kind, const Value *x, const Value *y, Shape shape,
                                    Span at) {
  if (check_kind_has(cx, op_info[kind].name))
    return ew2(cx, kind, x, y, EL_BOOL, shape, at);
  if (x->elem == EL_BOOL) {
    const Value *differ = bools_differ(cx, x, y, shape, at);
    return kind == OP_NE ? differ : negated(cx, differ, at);
  }
  if (!check_kind_has(cx, "less"))
    return missing(cx, "compare private values", "a comparison", at);
  if (kind == OP_LE)
    return negated(cx, less(cx, y, x, shape, at), at);
  if (kind == OP_EQ && check_kind_has(cx, "not_equal"))
    return negated(cx, ew2(cx, OP_NE, x, y, EL_BOOL, shape, at), at);
  if (kind == OP_NE && check_kind_has(cx, "equal"))
    return negated(cx, ew2(cx, OP_EQ, x, y, EL_BOOL, shape, at), at);
  const Value *differ = either(cx, less(cx, x, y, shape, at), less(cx, y, x, shape, at), shape, at);
  return kind == OP_NE ? differ : negated(cx, differ, at);
}

static bool is_compare(OpKind kind) {
  return kind == OP_LT || kind == OP_LE || kind == OP_EQ || kind == OP_NE;
}

static const char *noun_of(OpKind kind) {
  switch (kind) {
  case OP_DIV: return "a division";
  case OP_FLOORDIV: return "an integer division";
  case OP_MOD: return "a remainder";
  case OP_POW: return "a power";
  case OP_EXP: return "an exponential";
  case OP_LOG: return "a logarithm";
  case OP_SQRT: return "a square root";
  default: return op_info[kind].name;
  }
}

static const char *what_of(Checker *cx, OpKind kind) {
  switch (kind) {
  case OP_DIV: return "divide by private values";
  case OP_FLOORDIV:
  case OP_MOD: return "divide private integers";
  case OP_POW: return "raise private values to such a power";
  case OP_EXP:
  case OP_LOG:
  case OP_SQRT:
  case OP_TANH:
  case OP_FLOOR:
  case OP_ROUND: return arena_printf(cx->arena, "compute `%s` of private values", op_info[kind].name);
  default: return arena_printf(cx->arena, "compute `%s` of private values", op_info[kind].name);
  }
}

/* private / public: times a reciprocal, which is a constant if the divisor is. */
static const Value *divide(Checker *cx, const Value *x, const Value *y, Shape shape, Span at) {
  const Value *one = value_fixed(cx->arena, 1.0);
  const Value *reciprocal = ew2(cx, OP_DIV, one, tensor_to_fixed(cx, y, at), EL_FIXED, y->shape, at);
  return ew2(cx, OP_MUL, x, reciprocal, EL_FIXED, shape, at);
}

const Value *tensor_select(Checker *cx, const Value *c, const Value *x, const Value *y, Shape shape,
                           const Expr *e, Span at) {
  Place place;
  const Value *joined[] = {c, x, y};
  (void)e;
  if (c->kind != VAL_TENSOR || x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  if (!tensor_join(cx, joined, 3, NULL, at, &place))
    return &value_poison;
  if (x->elem != y->elem) {
    x = tensor_to_fixed(cx, x, at);
    y = tensor_to_fixed(cx, y, at);
  }
  if (is_private(place) && !is_private(c->place)) { /* a private condition may choose between public arms */
    x = tensor_lift(cx, x, at);
    y = tensor_lift(cx, y, at);
  }
  const Value *args[] = {c, x, y};
  return ew(cx, OP_SELECT, args, 3, x->elem, shape, place, at);
}

const Value *tensor_binary(Checker *cx, OpKind kind, const Value *x, const Value *y, Shape shape,
                           const Expr *e, Span at) {
  Place place;
  const Value *joined[] = {x, y};
  if (!tensor_join(cx, joined, 2, NULL, at, &place))
    return &value_poison;
  bool secret = is_private(place), mixed = x->elem != y->elem;
  bool fixed = x->elem == EL_FIXED || y->elem == EL_FIXED || kind == OP_DIV;
  if (kind == OP_DIV && secret && !is_private(y->place))
    return divide(cx, x, y, shape, at);
  if (kind == OP_DIV || (mixed && !(secret && kind == OP_MUL))) {
    x = tensor_to_fixed(cx, x, at);
    y = tensor_to_fixed(cx, y, at);
  }
  Elem elem = is_compare(kind) || kind == OP_AND || kind == OP_OR ? EL_BOOL : fixed ? EL_FIXED : EL_INT;
  if (!secret)
    return ew2(cx, kind, x, y, elem, shape, at);
  if (is_compare(kind))
    return private_compare(cx, kind, x, y, shape, at);
  if (kind == OP_OR)
    return either(cx, x, y, shape, at);
  if ((kind == OP_MIN2 || kind == OP_MAX2) && !native(cx, kind, place)) {
    if (!check_kind_has(cx, "less"))
      return missing(cx, "compare private values", "a comparison", at);
    /* x - y is what is compared and what is chosen, so that a protocol opens one value */
    const Value *c = less(cx, x, y, shape, at);
    return tensor_select(cx, kind == OP_MIN2 ? c : negated(cx, c, at), x, y, shape, e, at);
  }
  if (!native(cx, kind, place))
    return missing(cx, what_of(cx, kind), noun_of(kind), at);
  return ew2(cx, kind, x, y, elem, shape, at);
}

static const Value *zero_like(Checker *cx, const Value *x) {
  return x->elem == EL_FIXED ? value_fixed(cx->arena, 0.0) : value_int(cx->arena, 0);
}

static const Value *private_sign(Checker *cx, OpKind kind, const Value *x, const Expr *e, Span at) {
  const Value *zero = zero_like(cx, x);
  if (!check_kind_has(cx, "less"))
    return missing(cx, "compare private values", "a comparison", at);
  const Value *negative = less(cx, x, zero, x->shape, at);
  if (kind == OP_ABS) { /* x - 2 min(x, 0): x is what is compared and what is chosen */
    const Value *below = tensor_select(cx, negative, x, zero, x->shape, e, at);
    const Value *twice = ew2(cx, OP_MUL, value_int(cx->arena, 2), below, x->elem, x->shape, at);
    return ew2(cx, OP_SUB, x, twice, x->elem, x->shape, at);
  }
  const Value *positive = less(cx, zero, x, x->shape, at);
  const Value *plus =
      x->elem == EL_FIXED ? tensor_to_fixed(cx, positive, at) : tensor_to_int(cx, positive, at);
  const Value *minus =
      x->elem == EL_FIXED ? tensor_to_fixed(cx, negative, at) : tensor_to_int(cx, negative, at);
  return ew2(cx, OP_SUB, plus, minus, x->elem, x->shape, at);
}

const Value *tensor_unary(Checker *cx, OpKind kind, const Value *x, const Expr *e, Span at) {
  Place place;
  if (!tensor_join(cx, &x, 1, NULL, at, &place))
    return &value_poison;
  if (kind == OP_EXP || kind == OP_LOG || kind == OP_SQRT || kind == OP_TANH)
    x = tensor_to_fixed(cx, x, at);
  Elem elem = kind == OP_NOT ? EL_BOOL : x->elem;
  bool linear = kind == OP_NEG || kind == OP_NOT;
  if (linear || native(cx, kind, place))
    return ew(cx, kind, &x, 1, elem, x->shape, place, at);
  if (kind == OP_ABS || kind == OP_SIGN)
    return private_sign(cx, kind, converted(cx, x, at), e, at);
  return missing(cx, what_of(cx, kind), noun_of(kind), at);
}

/* A cube of a private number in one operation, if the kind has it and the ring room for three times the fraction. */
static bool has_cubes(Checker *cx, const Value *x) {
  if (!is_private(x->place) || x->elem != EL_FIXED || !check_kind_has(cx, "cube"))
    return false;
  const ProtocolInstance *p = &cx->program->protocols.data[x->place.index];
  return p->whole + 3 * p->frac + 2 <= p->ring;
}

/* x ** n as cubes of cubes, times what is left over */
static const Value *cubes(Checker *cx, const Value *x, int64_t n, Shape shape, const Expr *e, Span at) {
  static const int64_t operand = INT64_MIN;
  x = tensor_broadcast(cx, x, shape, at);
  const Value *rest = n % 3 == 2 ? tensor_binary(cx, OP_MUL, x, x, shape, e, at) : x;
  const Value *cube = tensor_make(cx, OP_APPLY, &x, 1, &operand, 1, EL_FIXED, shape, x->place, at);
  cube->op->text = "cube";
  if (n >= 6)
    cube = tensor_power(cx, cube, value_int(cx->arena, n / 3), shape, e, at);
  return n % 3 ? tensor_binary(cx, OP_MUL, cube, rest, shape, e, at) : cube;
}

/* x ** n by repeated squaring, n >= 0 */
static const Value *powers(Checker *cx, const Value *x, int64_t n, Shape shape, const Expr *e, Span at) {
  if (n >= 3 && has_cubes(cx, x))
    return cubes(cx, x, n, shape, e, at);
  const Value *result = NULL, *square = tensor_broadcast(cx, x, shape, at);
  for (; n > 0; n >>= 1) {
    if (n & 1)
      result = result ? tensor_binary(cx, OP_MUL, result, square, shape, e, at) : square;
    if (n > 1)
      square = tensor_binary(cx, OP_MUL, square, square, shape, e, at);
    if (square->kind != VAL_TENSOR || (result && result->kind != VAL_TENSOR))
      return &value_poison;
  }
  if (result)
    return result;
  const Value *one = x->elem == EL_FIXED ? value_fixed(cx->arena, 1.0) : value_int(cx->arena, 1);
  return tensor_broadcast(cx, one, shape, at);
}

const Value *tensor_power(Checker *cx, const Value *x, const Value *y, Shape shape, const Expr *e, Span at) {
  int64_t n;
  bool small = value_const_int(y, &n) && n >= 0 && n < 1024;
  if (small && (is_private(x->place) || (x->elem == EL_INT && !x->data)))
    return powers(cx, x, n, shape, e, at);
  bool ints = x->elem == EL_INT && y->elem == EL_INT && value_const_int(y, &n) && n >= 0;
  if (!ints) {
    x = tensor_to_fixed(cx, x, at);
    y = tensor_to_fixed(cx, y, at);
  }
  return tensor_binary(cx, OP_POW, x, y, shape, e, at);
}

/* ---- products ------------------------------------------------------------------------------------------ */

static const Value *bilinear(Checker *cx, OpKind kind, const Value *x, const Value *y, const int64_t *ints,
                             int int_count, Shape shape, Span at) {
  Place place;
  const Value *args[] = {x, y};
  if (!tensor_join(cx, args, 2, NULL, at, &place))
    return &value_poison;
  if (x->elem != y->elem && !is_private(place)) {
    args[0] = tensor_to_fixed(cx, x, at);
    args[1] = tensor_to_fixed(cx, y, at);
  }
  if (is_private(place)) {
    args[0] = converted(cx, args[0], at);
    args[1] = converted(cx, args[1], at);
  }
  Elem elem = x->elem == EL_FIXED || y->elem == EL_FIXED ? EL_FIXED : EL_INT;
  return tensor_make(cx, kind, args, 2, ints, int_count, elem, shape, place, at);
}

const Value *tensor_matmul(Checker *cx, const Value *x, const Value *y, Shape shape, const Expr *e, Span at) {
  (void)e;
  return bilinear(cx, OP_MATMUL, x, y, NULL, 0, shape, at);
}

const Value *tensor_conv2d(Checker *cx, OpKind kind, const Value *x, const Value *y,
                           const int64_t ints[CONV_INTS], Shape shape, Span at) {
  return bilinear(cx, kind, x, y, ints, CONV_INTS, shape, at);
}

/* ---- reductions ---------------------------------------------------------------------------------------- */

/* Neighbours 2i (odd = 0) or 2i + 1 of the first 2 * half elements along axis 0 of x. */
static const Value *neighbours(Checker *cx, const Value *x, int64_t half, int odd, Span at) {
  Shape box = x->shape, pairs, tail = shape_tail(&x->shape), rows;
  const Value *starts[MAX_RANK] = {0};
  box.dim[0] = 2 * half;
  const Value *even = tensor_slice(cx, x, starts, box, at);
  shape_stack(2, &tail, &pairs);
  shape_stack(half, &pairs, &pairs);
  const Value *paired = tensor_reshape(cx, even, pairs, at);
  Shape one = pairs;
  one.dim[1] = 1;
  starts[1] = value_int(cx->arena, odd);
  const Value *half_of = tensor_slice(cx, paired, starts, one, at);
  shape_stack(half, &tail, &rows);
  return tensor_reshape(cx, half_of, rows, at);
}

static const Value *joined(Checker *cx, const Value *pairs, const Value *before, int64_t half, Span at) {
  if (before->shape.dim[0] == 2 * half)
    return pairs;
  Shape last = before->shape, shape = before->shape;
  const Value *starts[MAX_RANK] = {value_int(cx->arena, 2 * half)};
  last.dim[0] = 1;
  shape.dim[0] = half + 1;
  const Value *parts[] = {pairs, tensor_slice(cx, before, starts, last, at)};
  return tensor_concat(cx, parts, 2, 0, shape, NULL, at);
}

/* Which of two neighbours is better: the second only if it is strictly. */
typedef struct Choice {
  const Value *c;
  bool swapped; /* c chooses the second */
} Choice;

static const Value *chosen(Checker *cx, const Choice *choice, const Value *x, const Value *y, Span at) {
  return tensor_select(cx, choice->c, choice->swapped ? y : x, choice->swapped ? x : y, x->shape, NULL, at);
}

/* The operation on two operands that a kind may define for one level of the tournament; OP_NONE: there is none. */
static OpKind of_two(OpKind kind) {
  return kind == OP_RMAX ? OP_MAX2 : kind == OP_RMIN ? OP_MIN2 : OP_NONE;
}

static const Value *combine(Checker *cx, OpKind kind, const Value *x, const Value *y, Choice *choice,
                            Span at) {
  OpKind two = of_two(kind);
  if (two != OP_NONE && check_kind_has(cx, op_info[two].name))
    return ew2(cx, two, x, y, x->elem, x->shape, at);
  if (kind == OP_ANY)
    return either(cx, x, y, x->shape, at);
  if (kind == OP_ALL)
    return ew2(cx, OP_AND, x, y, EL_BOOL, x->shape, at);
  bool largest = kind == OP_RMAX || kind == OP_ARGMAX;
  if (largest) /* the same difference is compared and chosen, as in tensor_binary */
    *choice = (Choice){negated(cx, less(cx, x, y, x->shape, at), at), false};
  else
    *choice = (Choice){less(cx, y, x, x->shape, at), true};
  return chosen(cx, choice, x, y, at);
}

/* 0 .. n-1 along the first axis, the other axes of size 1. */
static const Value *positions(Checker *cx, int64_t n, int rank, Span at) {
  Shape column = {.rank = rank};
  for (int i = 0; i < rank; i++)
    column.dim[i] = i ? 1 : n;
  const Value *iota = tensor_make(cx, OP_IOTA, NULL, 0, NULL, 0, EL_INT, shape_vector(n), cx->pi, at);
  return tensor_reshape(cx, iota, column, at);
}

/* What a tournament keeps besides the best of each group. */
typedef enum Keep { KEEP_NONE, KEEP_INDEX, KEEP_MARK } Keep;

typedef struct Tournament {
  Checker *cx;
  OpKind kind;
  Keep keep;
  Span at;
  int64_t size; /* of the first axis at the start */
  int level;
  const Value *best;  /* rows of the present level: row i is the best of rows i << level .. of the start */
  const Value *index; /* KEEP_INDEX: where it was */
  const Value *mark;  /* KEEP_MARK: for each row of the start, whether it is the best of its group */
} Tournament;

/* For the first `count` rows of the start: the pair in which their group takes part at this level. */
static const Value *pairs_of(const Tournament *t, int64_t count) {
  uint64_t *data = ARENA_ARRAY(t->cx->arena, uint64_t, count);
  for (int64_t i = 0; i < count; i++)
    data[i] = (uint64_t)(i >> (t->level + 1));
  return value_data(t->cx->arena, EL_INT, shape_vector(count), data, count);
}

/* Whether the choice must be turned around to say that their group wins. */
static const Value *turned(const Tournament *t, const Choice *choice, int64_t count, int rank) {
  Shape column = {.rank = rank};
  for (int i = 0; i < rank; i++)
    column.dim[i] = i ? 1 : count;
  uint64_t *data = ARENA_ARRAY(t->cx->arena, uint64_t, count);
  for (int64_t i = 0; i < count; i++) {
    bool second = (i >> t->level) & 1;
    data[i] = second != choice->swapped;
  }
  return value_data(t->cx->arena, EL_BOOL, column, data, count);
}

static const Value *rows_between(Checker *cx, const Value *x, int64_t first, int64_t end, Span at) {
  const Value *starts[MAX_RANK] = {value_int(cx->arena, first)};
  Shape box = x->shape;
  box.dim[0] = end - first;
  return tensor_slice(cx, x, starts, box, at);
}

/* A mark stays where the group has won; rows behind the last pair keep theirs. */
static const Value *narrowed(const Tournament *t, const Choice *choice, int64_t half) {
  Checker *cx = t->cx;
  int64_t all = 2 * half << t->level, count = all < t->size ? all : t->size;
  const Value *won = tensor_gather(cx, choice->c, pairs_of(t, count), t->at);
  const Value *turn = turned(t, choice, count, won->shape.rank);
  won = private_compare(cx, OP_NE, won, turn, won->shape, t->at);
  if (t->level > 0 && won->kind == VAL_TENSOR)
    won = ew2(cx, OP_AND, rows_between(cx, t->mark, 0, count, t->at), won, EL_BOOL, won->shape, t->at);
  if (count == t->size || won->kind != VAL_TENSOR)
    return won;
  const Value *parts[] = {won, rows_between(cx, t->mark, count, t->size, t->at)};
  return tensor_concat(cx, parts, 2, 0, t->mark->shape, NULL, t->at);
}

static bool play_level(Tournament *t) {
  Checker *cx = t->cx;
  int64_t half = t->best->shape.dim[0] / 2;
  Choice choice = {0};
  const Value *best = combine(cx, t->kind, neighbours(cx, t->best, half, 0, t->at),
                              neighbours(cx, t->best, half, 1, t->at), &choice, t->at);
  if (best->kind != VAL_TENSOR)
    return false;
  if (t->keep == KEEP_INDEX) {
    const Value *first = neighbours(cx, t->index, half, 0, t->at);
    const Value *second = neighbours(cx, t->index, half, 1, t->at);
    t->index = joined(cx, chosen(cx, &choice, first, second, t->at), t->index, half, t->at);
  }
  if (t->keep == KEEP_MARK)
    t->mark = narrowed(t, &choice, half);
  t->best = joined(cx, best, t->best, half, t->at);
  t->level++;
  return t->best->kind == VAL_TENSOR && (!t->mark || t->mark->kind == VAL_TENSOR);
}

/* Halves the first axis until one row is left, pairing neighbours so that the first of equals wins. The result is
 * the best, or what is kept besides it. */
static const Value *tournament(Checker *cx, OpKind kind, Keep keep, const Value *x, Span at) {
  int64_t n = x->shape.dim[0];
  Tournament t = {.cx = cx, .kind = kind, .keep = keep, .at = at, .size = n, .best = x};
  if (keep == KEEP_INDEX)
    t.index = tensor_broadcast(cx, positions(cx, n, x->shape.rank, at), x->shape, at);
  if (keep == KEEP_MARK)
    t.mark = tensor_broadcast(cx, value_bool(cx->arena, true), x->shape, at);
  while (t.best->shape.dim[0] > 1)
    if (!play_level(&t))
      return &value_poison;
  return keep == KEEP_NONE ? t.best : tensor_lift(cx, keep == KEEP_INDEX ? t.index : t.mark, at);
}

/* The axis in front, or (-1) all elements in one. axes: the permutation that did it. */
static const Value *axis_first(Checker *cx, const Value *x, int64_t axis, int64_t *axes, Span at) {
  if (axis == -1)
    return tensor_reshape(cx, x, shape_vector(shape_count(&x->shape)), at);
  axes[0] = axis;
  for (int i = 0, k = 1; i < x->shape.rank; i++)
    if (i != axis)
      axes[k++] = i;
  return tensor_transpose(cx, x, axes, at);
}

/* axis_first undone on a tensor of the same shape as its result. */
static const Value *axis_back(Checker *cx, const Value *front, const Shape *shape, int64_t axis,
                              const int64_t *axes, Span at) {
  if (front->kind != VAL_TENSOR)
    return &value_poison;
  if (axis == -1)
    return tensor_reshape(cx, front, *shape, at);
  int64_t back[MAX_RANK];
  for (int i = 0; i < shape->rank; i++)
    back[axes[i]] = i;
  return tensor_transpose(cx, front, back, at);
}

const Value *tensor_reduce(Checker *cx, OpKind kind, const Value *x, int64_t axis, const Expr *e, Span at) {
  Place place;
  Shape shape;
  (void)e;
  if (x->kind != VAL_TENSOR || !tensor_join(cx, &x, 1, NULL, at, &place) ||
      !shape_reduce(&x->shape, axis, &shape))
    return &value_poison;
  if (is_private(place))
    x = converted(cx, x, at);
  Elem elem = kind == OP_ARGMAX || kind == OP_ARGMIN ? EL_INT : x->elem;
  if (kind == OP_SUM || native(cx, kind, place))
    return tensor_make(cx, kind, &x, 1, &axis, 1, elem, shape, place, at);
  OpKind two = of_two(kind);
  bool bools = kind == OP_ANY || kind == OP_ALL;
  bool compares = bools || check_kind_has(cx, "less") || (two && check_kind_has(cx, op_info[two].name));
  if (!compares)
    return missing(cx, "compare private values", "a comparison", at);
  int64_t axes[MAX_RANK];
  Keep keep = kind == OP_ARGMAX || kind == OP_ARGMIN ? KEEP_INDEX : KEEP_NONE;
  const Value *row = tournament(cx, kind, keep, axis_first(cx, x, axis, axes, at), at);
  return row->kind == VAL_TENSOR ? tensor_reshape(cx, row, shape, at) : row;
}

/* By the index, where it costs nothing to find it. */
static const Value *mark_index(Checker *cx, OpKind kind, const Value *front, Place place, Span at) {
  Shape row = front->shape;
  row.dim[0] = 1;
  const Value *index = tensor_reduce(cx, kind, front, 0, NULL, at);
  if (index->kind != VAL_TENSOR)
    return &value_poison;
  index = tensor_reshape(cx, index, row, at);
  const Value *all = positions(cx, front->shape.dim[0], front->shape.rank, at);
  return is_private(place) ? private_compare(cx, OP_EQ, index, all, front->shape, at)
                           : ew2(cx, OP_EQ, index, all, EL_BOOL, front->shape, at);
}

const Value *tensor_mark(Checker *cx, OpKind kind, const Value *x, int64_t axis, Span at) {
  Place place;
  int64_t axes[MAX_RANK];
  if (x->kind != VAL_TENSOR || !tensor_join(cx, &x, 1, NULL, at, &place))
    return &value_poison;
  if (is_private(place))
    x = converted(cx, x, at);
  bool by_index = native(cx, kind, place);
  if (!by_index && !check_kind_has(cx, "less"))
    return missing(cx, "compare private values", "a comparison", at);
  const Value *front = axis_first(cx, x, axis, axes, at);
  const Value *mark =
      by_index ? mark_index(cx, kind, front, place, at) : tournament(cx, kind, KEEP_MARK, front, at);
  return axis_back(cx, mark, &x->shape, axis, axes, at);
}
