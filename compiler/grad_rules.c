/* The derivative of each operation: what its adjoint contributes to those of its operands. Rules use the results and
 * comparisons of the way forwards wherever they can, because a product on shares costs a message and a comparison
 * costs more; x > 0 of `relu` and its gradient is one operation in the end. */
#include "grad.h"

#include "tensor.h"

typedef struct Rule {
  Grad *g;
  const Op *op;
  const Value *dy;
} Rule;

const Value *grad_value(Grad *g, Op *op) {
  if (op->kind == OP_CONST)
    return value_data(g->cx->arena, op->type.elem, op->type.shape, op->data, op->data_count);
  return value_of(g->cx->arena, grad_reach(g, op));
}

/* ---- arithmetic on values ------------------------------------------------------------------------------ */

static bool is_number(const Value *v, double number) {
  return v->data && v->data_count == 1 && v->elem == EL_FIXED && value_number(v, 0) == number;
}

static Shape common(const Value *x, const Value *y) {
  return x->shape.rank >= y->shape.rank ? x->shape : y->shape;
}

static const Value *binary(const Rule *r, OpKind kind, const Value *x, const Value *y) {
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  return tensor_binary(r->g->cx, kind, x, y, common(x, y), NULL, r->g->at);
}

static const Value *negative(const Rule *r, const Value *x) {
  return x->kind == VAL_TENSOR ? tensor_unary(r->g->cx, OP_NEG, x, NULL, r->g->at) : x;
}

/* A product on shares is truncated, so factors of 1 are not multiplied with. */
static const Value *times(const Rule *r, const Value *x, const Value *y) {
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  Shape shape = common(x, y);
  if (is_number(x, 1.0) || is_number(y, 1.0))
    return tensor_broadcast(r->g->cx, is_number(x, 1.0) ? y : x, shape, r->g->at);
  if (is_number(x, -1.0) || is_number(y, -1.0))
    return negative(r, tensor_broadcast(r->g->cx, is_number(x, -1.0) ? y : x, shape, r->g->at));
  return binary(r, OP_MUL, x, y);
}

static const Value *number(const Rule *r, double v) {
  return value_fixed(r->g->cx->arena, v);
}

static const Value *chosen(const Rule *r, const Value *c, const Value *x, const Value *y) {
  return tensor_select(r->g->cx, c, x, y, r->op->type.shape, NULL, r->g->at);
}

/* A function of the prelude, as the protocol carries it out. */
static const Value *prelude(const Rule *r, const char *function, const Value *x) {
  return x->kind == VAL_TENSOR ? check_call_value(r->g->cx, function, x, r->g->at) : x;
}

static const Value *operand(const Rule *r, int i) {
  return grad_value(r->g, r->op->args.data[i]);
}

static const Value *result(const Rule *r) {
  return value_of(r->g->cx->arena, grad_reach(r->g, (Op *)r->op));
}

static bool wants(const Rule *r, int i) {
  return grad_is_active(r->g, r->op->args.data[i]);
}

static void give(const Rule *r, int i, const Value *v) {
  grad_add(r->g, r->op->args.data[i], v, r->op);
}

/* ---- elementwise --------------------------------------------------------------------------------------- */

/* An operand of rank 0 takes part in every element. */
static void give_element(const Rule *r, int i, const Value *v) {
  const Op *x = r->op->args.data[i];
  if (v->kind == VAL_TENSOR && x->type.shape.rank == 0 && v->shape.rank > 0)
    v = tensor_reduce(r->g->cx, OP_SUM, v, -1, NULL, r->g->at);
  give(r, i, v);
}

/* Sum of the products of all elements, as one product of a row and a column: one truncation, one value dealt. */
static const Value *inner(const Rule *r, const Value *x, const Value *y) {
  Checker *cx = r->g->cx;
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  int64_t n = shape_count(&x->shape);
  bool whole = n > 0 && shape_equal(&x->shape, &y->shape);
  if (!whole || x->place.kind != PLACE_PRIVATE || y->place.kind != PLACE_PRIVATE)
    return times(r, x, y);
  const Value *row = tensor_reshape(cx, x, (Shape){.rank = 2, .dim = {1, n}}, r->g->at);
  const Value *column = tensor_reshape(cx, y, (Shape){.rank = 2, .dim = {n, 1}}, r->g->at);
  const Value *sum = tensor_matmul(cx, row, column, (Shape){.rank = 2, .dim = {1, 1}}, NULL, r->g->at);
  return tensor_reshape(cx, sum, shape_scalar(), r->g->at);
}

static bool rule_add(const Rule *r) {
  give_element(r, 0, r->dy);
  give_element(r, 1, r->dy);
  return true;
}

static bool rule_sub(const Rule *r) {
  give_element(r, 0, r->dy);
  if (wants(r, 1))
    give_element(r, 1, negative(r, r->dy));
  return true;
}

static bool rule_mul(const Rule *r) {
  for (int i = 0; i < 2; i++) {
    if (!wants(r, i))
      continue;
    const Value *other = operand(r, 1 - i);
    bool scalar = r->op->args.data[i]->type.shape.rank == 0 && r->dy->shape.rank > 0;
    give_element(r, i, scalar ? inner(r, r->dy, other) : times(r, r->dy, other));
  }
  return true;
}

/* d(x / y) = dx / y - (x / y) dy / y */
static bool rule_div(const Rule *r) {
  const Value *quotient = binary(r, OP_DIV, r->dy, operand(r, 1));
  give_element(r, 0, quotient);
  if (wants(r, 1))
    give_element(r, 1, negative(r, times(r, quotient, result(r))));
  return true;
}

/* Clear values only; of private ones powers are products and cubes. */
static bool rule_pow(const Rule *r) {
  if (wants(r, 0)) {
    const Value *y = operand(r, 1), *x = operand(r, 0);
    const Value *less = binary(r, OP_SUB, y, number(r, 1.0));
    give_element(r, 0, times(r, times(r, r->dy, y), binary(r, OP_POW, x, less)));
  }
  if (wants(r, 1)) {
    const Value *logarithm = tensor_unary(r->g->cx, OP_LOG, operand(r, 0), NULL, r->g->at);
    give_element(r, 1, times(r, times(r, r->dy, result(r)), logarithm));
  }
  return true;
}

static bool rule_neg(const Rule *r) {
  give(r, 0, negative(r, r->dy));
  return true;
}

/* dy where x >= 0, else -dy; the comparison is that of the protocol's own |x|. */
static bool rule_abs(const Rule *r) {
  const Value *c = binary(r, OP_LE, number(r, 0.0), operand(r, 0));
  const Value *above = chosen(r, c, r->dy, number(r, 0.0));
  give(r, 0, binary(r, OP_SUB, binary(r, OP_ADD, above, above), r->dy));
  return true;
}

/* c chooses between the operands first and first + 1: one choice, the other is what is left. */
static bool choice(const Rule *r, const Value *c, int first) {
  const Value *taken = chosen(r, c, r->dy, number(r, 0.0));
  give_element(r, first, taken);
  if (wants(r, first + 1))
    give_element(r, first + 1, binary(r, OP_SUB, r->dy, taken));
  return true;
}

static bool rule_select(const Rule *r) {
  return choice(r, operand(r, 0), 1);
}

/* Of equals the first is taken. */
static bool rule_max2(const Rule *r) {
  const Value *less = binary(r, OP_LT, operand(r, 0), operand(r, 1));
  return choice(r, tensor_unary(r->g->cx, OP_NOT, less, NULL, r->g->at), 0);
}

static bool rule_min2(const Rule *r) {
  const Value *less = binary(r, OP_LT, operand(r, 0), operand(r, 1));
  const Value *second = chosen(r, less, r->dy, number(r, 0.0));
  give_element(r, 0, second);
  if (wants(r, 1))
    give_element(r, 1, binary(r, OP_SUB, r->dy, second));
  return true;
}

static bool rule_exp(const Rule *r) {
  give(r, 0, times(r, r->dy, result(r)));
  return true;
}

static bool rule_log(const Rule *r) {
  give(r, 0, binary(r, OP_DIV, r->dy, operand(r, 0)));
  return true;
}

/* dy / (2 sqrt(x)); 1 / sqrt(x) shares what a protocol did for sqrt(x). */
static bool rule_sqrt(const Rule *r) {
  give(r, 0, times(r, times(r, number(r, 0.5), r->dy), prelude(r, "rsqrt", operand(r, 0))));
  return true;
}

/* dy (1 - y^2) */
static bool rule_tanh(const Rule *r) {
  const Value *y = result(r);
  give(r, 0, times(r, r->dy, binary(r, OP_SUB, number(r, 1.0), times(r, y, y))));
  return true;
}

/* ---- rearranging --------------------------------------------------------------------------------------- */

static bool rule_same(const Rule *r) {
  give(r, 0, r->dy);
  return true;
}

static bool rule_reshape(const Rule *r) {
  give(r, 0, tensor_reshape(r->g->cx, r->dy, r->op->args.data[0]->type.shape, r->g->at));
  return true;
}

static bool rule_transpose(const Rule *r) {
  int64_t back[MAX_RANK];
  for (int i = 0; i < r->op->ints.count; i++)
    back[r->op->ints.data[i]] = i;
  give(r, 0, tensor_transpose(r->g->cx, r->dy, back, r->g->at));
  return true;
}

/* The sum over the axes along which it was repeated. */
static bool rule_broadcast(const Rule *r) {
  const Shape *from = &r->op->args.data[0]->type.shape, *to = &r->op->type.shape;
  const Value *v = r->dy;
  for (int i = to->rank - 1; i >= 0; i--) {
    int k = i - (to->rank - from->rank);
    if (k < 0 || (from->dim[k] == 1 && to->dim[i] != 1))
      v = tensor_reduce(r->g->cx, OP_SUM, v, i, NULL, r->g->at);
  }
  give(r, 0, tensor_reshape(r->g->cx, v, *from, r->g->at));
  return true;
}

/* The starts of a box as values; they follow operand `first`. */
static void box_starts(const Rule *r, int first, const Value **starts) {
  for (int i = 0; i < r->op->ints.count; i++)
    starts[i] = r->op->ints.data[i] == INT64_MIN ? operand(r, first++)
                                                 : value_int(r->g->cx->arena, r->op->ints.data[i]);
}

/* Zeros at the place of what they are put together with. */
static const Value *zeros(const Rule *r, Shape shape) {
  Checker *cx = r->g->cx;
  const Value *zero = tensor_broadcast(cx, number(r, 0.0), shape, r->g->at);
  return r->dy->place.kind == PLACE_PRIVATE ? tensor_lift(cx, zero, r->g->at) : zero;
}

static bool rule_slice(const Rule *r) {
  const Value *starts[MAX_RANK];
  box_starts(r, 1, starts);
  const Value *around = zeros(r, r->op->args.data[0]->type.shape);
  give(r, 0, tensor_update(r->g->cx, around, r->dy, starts, r->g->at));
  return true;
}

static bool rule_update(const Rule *r) {
  const Value *starts[MAX_RANK];
  Shape box = r->op->args.data[1]->type.shape;
  box_starts(r, 2, starts);
  if (wants(r, 0))
    give(r, 0, tensor_update(r->g->cx, r->dy, zeros(r, box), starts, r->g->at));
  if (wants(r, 1))
    give(r, 1, tensor_slice(r->g->cx, r->dy, starts, box, r->g->at));
  return true;
}

/* Rows go back to where they came from and add up there: a product with the matrix of what went where. */
static bool rule_gather(const Rule *r) {
  Checker *cx = r->g->cx;
  const Shape *x = &r->op->args.data[0]->type.shape;
  int64_t n = r->op->type.shape.dim[0], m = x->dim[0], rest = m ? shape_count(x) / m : 0;
  Shape hot = {.rank = 2, .dim = {m, n}}, column = {.rank = 2, .dim = {m, 1}},
        row = {.rank = 2, .dim = {1, n}};
  const Value *places = tensor_make(cx, OP_IOTA, NULL, 0, NULL, 0, EL_INT, shape_vector(m), cx->pi, r->g->at);
  const Value *equal = tensor_binary(cx, OP_EQ, tensor_reshape(cx, places, column, r->g->at),
                                     tensor_reshape(cx, operand(r, 1), row, r->g->at), hot, NULL, r->g->at);
  const Value *flat = tensor_reshape(cx, r->dy, (Shape){.rank = 2, .dim = {n, rest}}, r->g->at);
  const Value *sums = tensor_matmul(cx, tensor_to_int(cx, equal, r->g->at), flat,
                                    (Shape){.rank = 2, .dim = {m, rest}}, NULL, r->g->at);
  give(r, 0, tensor_reshape(cx, sums, *x, r->g->at));
  return true;
}

static bool rule_concat(const Rule *r) {
  int axis = (int)r->op->ints.data[0];
  int64_t start = 0;
  for (int i = 0; i < r->op->args.count; i++) {
    Shape box = r->op->args.data[i]->type.shape;
    const Value *starts[MAX_RANK] = {0};
    starts[axis] = value_int(r->g->cx->arena, start);
    if (wants(r, i))
      give(r, i, tensor_slice(r->g->cx, r->dy, starts, box, r->g->at));
    start += box.dim[axis];
  }
  return true;
}

/* ---- reductions and products --------------------------------------------------------------------------- */

/* dy repeated along the axis that was folded. */
static const Value *unfolded(const Rule *r) {
  const Shape *x = &r->op->args.data[0]->type.shape;
  int64_t axis = r->op->ints.data[0];
  Shape kept = *x;
  if (axis >= 0)
    kept.dim[axis] = 1;
  const Value *dy = axis >= 0 ? tensor_reshape(r->g->cx, r->dy, kept, r->g->at) : r->dy;
  return tensor_broadcast(r->g->cx, dy, *x, r->g->at);
}

static bool rule_sum(const Rule *r) {
  give(r, 0, unfolded(r));
  return true;
}

static bool rule_extreme(const Rule *r) {
  OpKind kind = r->op->kind == OP_RMAX ? OP_ARGMAX : OP_ARGMIN;
  const Value *mark = tensor_mark(r->g->cx, kind, operand(r, 0), r->op->ints.data[0], r->g->at);
  const Shape *x = &r->op->args.data[0]->type.shape;
  give(r, 0, tensor_select(r->g->cx, mark, unfolded(r), number(r, 0.0), *x, NULL, r->g->at));
  return true;
}

static const Value *product(const Rule *r, const Value *x, const Value *y, Shape shape) {
  if (x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return &value_poison;
  return tensor_matmul(r->g->cx, x, y, shape, NULL, r->g->at);
}

static const Value *transposed(const Rule *r, const Value *x) {
  static const int64_t axes[] = {1, 0};
  return tensor_transpose(r->g->cx, x, axes, r->g->at);
}

static bool rule_matmul(const Rule *r) {
  if (wants(r, 0))
    give(r, 0, product(r, r->dy, transposed(r, operand(r, 1)), r->op->args.data[0]->type.shape));
  if (wants(r, 1))
    give(r, 1, product(r, transposed(r, operand(r, 0)), r->dy, r->op->args.data[1]->type.shape));
  return true;
}

/* A convolution and its two gradients: each is linear in two of input, kernel and result, and its adjoint stands for
 * the third, so that the gradients of each are the other two. */
static bool rule_conv2d(const Rule *r) {
  static const struct {
    OpKind kind[2]; /* of the adjoint of operand 0, 1 */
    bool dy_first[2];
  } of[] = {{{OP_CONV2D_INPUT, OP_CONV2D_KERNEL}, {true, false}},
            {{OP_CONV2D, OP_CONV2D_KERNEL}, {true, true}},
            {{OP_CONV2D_INPUT, OP_CONV2D}, {false, false}}};
  int k = r->op->kind == OP_CONV2D ? 0 : r->op->kind == OP_CONV2D_INPUT ? 1 : 2;
  for (int i = 0; i < 2; i++) {
    if (!wants(r, i))
      continue;
    const Value *other = operand(r, 1 - i);
    bool first = of[k].dy_first[i];
    give(r, i,
         tensor_conv2d(r->g->cx, of[k].kind[i], first ? r->dy : other, first ? other : r->dy,
                       r->op->ints.data, r->op->args.data[i]->type.shape, r->g->at));
  }
  return true;
}

/* ---- what the protocol carries out itself -------------------------------------------------------------- */

/* Functions of the prelude have rules there; a cube is the checker's own. */
static bool rule_apply(const Rule *r) {
  if (strcmp(r->op->text, "cube") != 0)
    return false;
  const Value *x = operand(r, 0);
  give(r, 0, times(r, r->dy, times(r, number(r, 3.0), times(r, x, x))));
  return true;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static bool (*const rules[OP_COUNT])(const Rule *r) = {
    [OP_ADD] = rule_add,
    [OP_SUB] = rule_sub,
    [OP_MUL] = rule_mul,
    [OP_DIV] = rule_div,
    [OP_POW] = rule_pow,
    [OP_NEG] = rule_neg,
    [OP_ABS] = rule_abs,
    [OP_MIN2] = rule_min2,
    [OP_MAX2] = rule_max2,
    [OP_EXP] = rule_exp,
    [OP_LOG] = rule_log,
    [OP_SQRT] = rule_sqrt,
    [OP_TANH] = rule_tanh,
    [OP_SELECT] = rule_select,
    [OP_RESHAPE] = rule_reshape,
    [OP_TRANSPOSE] = rule_transpose,
    [OP_BROADCAST] = rule_broadcast,
    [OP_SLICE] = rule_slice,
    [OP_GATHER] = rule_gather,
    [OP_CONCAT] = rule_concat,
    [OP_UPDATE] = rule_update,
    [OP_SUM] = rule_sum,
    [OP_RMAX] = rule_extreme,
    [OP_RMIN] = rule_extreme,
    [OP_MATMUL] = rule_matmul,
    [OP_CONV2D] = rule_conv2d,
    [OP_CONV2D_INPUT] = rule_conv2d,
    [OP_CONV2D_KERNEL] = rule_conv2d,
    [OP_LIFT] = rule_same,
    [OP_CONVERT] = rule_same,
    [OP_APPLY] = rule_apply,
};

bool grad_rule(Grad *g, const Op *op, const Value *dy) {
  Rule r = {g, op, dy};
  if (dy->kind != VAL_TENSOR) { /* an error has been reported */
    g->failed = true;
    return true;
  }
  return rules[op->kind] && rules[op->kind](&r);
}
