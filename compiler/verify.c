/* Invariants of the intermediate representation: structure (operands are defined before, types fit the class
 * of the operation, blocks and results agree) and, in a choreography, places: an operation is computed only
 * where all its operands are. As long as this holds no pass can leak a value by mistake: a value reaches a
 * party by a SEND or not at all.
 *
 * One walk; a byte for each id says whether the operation is visible at the present point.
 */
#include "verify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "project.h"
#include "shape.h"

typedef struct Verifier {
  const Program *p;
  VerifyStage stage;
  const char *error; /* the first one */
  unsigned char *visible;
  unsigned char *used_id;
} Verifier;

static void wrong(Verifier *v, const Op *op, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void wrong(Verifier *v, const Op *op, const char *format, ...) {
  if (v->error)
    return;
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(v->p->arena, format, args);
  va_end(args);
  v->error = arena_printf(v->p->arena, "%%%d = %s: %s", op->id, op_info[op->kind].name, text);
  const char *site = ir_site_text(v->p->arena, op->site);
  if (*site)
    v->error = arena_printf(v->p->arena, "%s  ; %s", v->error, site);
}

#define REQUIRE(condition, ...)                                                                              \
  do {                                                                                                       \
    if (!(condition))                                                                                        \
      wrong(v, op, __VA_ARGS__);                                                                             \
  } while (0)

/* ---- types --------------------------------------------------------------------------------------------- */

static const IrType *type_of(const Op *op, int k) {
  return &op->args.data[k]->type;
}

static bool same_ring(const IrType *a, const IrType *b) {
  return a->elem == b->elem && a->bits == b->bits && a->lanes == b->lanes;
}

static void check_type(Verifier *v, const Op *op, const IrType *t) {
  REQUIRE(t->shape.rank >= 0 && t->shape.rank <= MAX_RANK, "rank %d", t->shape.rank);
  for (int i = 0; i < t->shape.rank && t->shape.rank <= MAX_RANK; i++)
    REQUIRE(t->shape.dim[i] >= 0, "negative size");
  if (t->elem == EL_RING)
    REQUIRE(t->bits >= 1 && t->bits <= 64 && (!t->lanes || t->bits == 64), "ring of %d bits", t->bits);
  else
    REQUIRE(t->bits == 0 && t->scale == 0, "bits or scale without a ring");
}

/* Operands from `first` on have the element type (and ring) of the result. */
static void check_like_result(Verifier *v, const Op *op, int first) {
  for (int i = first; i < op->args.count; i++)
    REQUIRE(same_ring(type_of(op, i), &op->type), "operand %d is %s, result %s", i,
            ir_type_text(v->p->arena, type_of(op, i)), ir_type_text(v->p->arena, &op->type));
}

static void check_elements(Verifier *v, const Op *op) {
  switch (op->kind) {
  case OP_ADD:
  case OP_SUB:
  case OP_MUL:
  case OP_NEG:
  case OP_MIN2:
  case OP_MAX2:
  case OP_ABS:
  case OP_SIGN:
  case OP_BOUNDED:
  case OP_SHL:
  case OP_SHR: check_like_result(v, op, 0); break;
  case OP_LT:
  case OP_LE:
  case OP_EQ:
  case OP_NE:
    REQUIRE(op->type.elem == EL_BOOL, "result is not bool");
    REQUIRE(same_ring(type_of(op, 0), type_of(op, 1)), "operands of different types");
    break;
  case OP_AND:
  case OP_OR:
  case OP_NOT: check_like_result(v, op, 0); break;
  case OP_SELECT:
    check_like_result(v, op, 1);
    REQUIRE(type_of(op, 0)->elem == EL_BOOL, "condition is not bool");
    break;
  case OP_ENCODE:
    REQUIRE(op->type.elem == EL_RING && type_of(op, 0)->elem != EL_RING, "not from number to ring");
    break;
  case OP_DECODE:
    REQUIRE(op->type.elem != EL_RING && type_of(op, 0)->elem == EL_RING, "not from ring to number");
    break;
  case OP_BIT:
    REQUIRE(op->type.elem == EL_RING && op->type.bits == 1, "result is not a bit");
    REQUIRE(type_of(op, 0)->elem == EL_RING, "operand is not in a ring");
    break;
  case OP_WIDEN:
    REQUIRE(op->type.elem == EL_RING && type_of(op, 0)->elem == EL_RING &&
                type_of(op, 0)->bits <= op->type.bits,
            "not to a larger ring");
    break;
  case OP_NARROW:
    REQUIRE(op->type.elem == EL_RING && type_of(op, 0)->elem == EL_RING &&
                type_of(op, 0)->bits >= op->type.bits,
            "not to a smaller ring");
    break;
  default: break;
  }
  if (op->kind == OP_SHL || op->kind == OP_SHR || op->kind == OP_BIT)
    REQUIRE(op->ints.count == 1 && op->ints.data[0] >= 0 && op->ints.data[0] < 64, "needs a number of bits");
}

static void check_elementwise(Verifier *v, const Op *op) {
  for (int i = 0; i < op->args.count; i++) {
    const Shape *s = &type_of(op, i)->shape;
    REQUIRE(s->rank == 0 || shape_equal(s, &op->type.shape), "operand %d has another shape", i);
  }
  if (v->stage != VERIFY_JOINT)
    check_elements(v, op);
}

static void check_box(Verifier *v, const Op *op, const Shape *whole, const Shape *box, int first_index) {
  int open = 0;
  REQUIRE(op->ints.count == whole->rank && box->rank == whole->rank, "box of another rank");
  if (v->error)
    return;
  for (int i = 0; i < whole->rank; i++) {
    int64_t start = op->ints.data[i];
    open += start == INT64_MIN;
    REQUIRE(box->dim[i] <= whole->dim[i], "box larger than the tensor on axis %d", i);
    REQUIRE(start == INT64_MIN || (start >= 0 && start + box->dim[i] <= whole->dim[i]),
            "box outside on axis %d", i);
  }
  REQUIRE(op->args.count == first_index + open, "%d index operands for %d open axes",
          op->args.count - first_index, open);
  for (int i = first_index; i < op->args.count; i++)
    REQUIRE(type_of(op, i)->elem == EL_INT && type_of(op, i)->shape.rank == 0, "index %d is not an int", i);
}

static void check_transpose(Verifier *v, const Op *op) {
  const Shape *in = &type_of(op, 0)->shape, *out = &op->type.shape;
  unsigned seen = 0;
  REQUIRE(op->ints.count == in->rank && out->rank == in->rank, "not a permutation of the axes");
  if (v->error)
    return;
  for (int i = 0; i < in->rank; i++) {
    int64_t axis = op->ints.data[i];
    REQUIRE(axis >= 0 && axis < in->rank && !(seen & (1u << axis)), "not a permutation of the axes");
    if (v->error)
      return;
    seen |= 1u << axis;
    REQUIRE(out->dim[i] == in->dim[axis], "axis %d has the wrong size", i);
  }
}

static void check_broadcast(Verifier *v, const Op *op) {
  const Shape *in = &type_of(op, 0)->shape, *out = &op->type.shape;
  REQUIRE(in->rank <= out->rank, "to fewer axes");
  for (int i = 1; i <= in->rank && i <= out->rank; i++) {
    int64_t n = in->dim[in->rank - i];
    REQUIRE(n == 1 || n == out->dim[out->rank - i], "axis %d from the end does not fit", i);
  }
}

static void check_concat(Verifier *v, const Op *op) {
  int64_t sum = 0;
  REQUIRE(op->args.count > 0 && op->ints.count == 1, "needs operands and an axis");
  REQUIRE(op->ints.count == 1 && op->ints.data[0] >= 0 && op->ints.data[0] < op->type.shape.rank,
          "axis out of range");
  if (v->error)
    return;
  for (int i = 0; i < op->args.count; i++) {
    const Shape *s = &type_of(op, i)->shape;
    REQUIRE(s->rank == op->type.shape.rank, "operand %d has another rank", i);
    for (int k = 0; k < s->rank && !v->error; k++)
      if (k != op->ints.data[0])
        REQUIRE(s->dim[k] == op->type.shape.dim[k], "operand %d does not fit on axis %d", i, k);
    sum += v->error ? 0 : s->dim[op->ints.data[0]];
  }
  REQUIRE(sum == op->type.shape.dim[op->ints.data[0]], "sizes do not add up");
}

static void check_gather(Verifier *v, const Op *op) {
  const Shape *in = &type_of(op, 0)->shape, *index = &type_of(op, 1)->shape, *out = &op->type.shape;
  REQUIRE(type_of(op, 1)->elem == EL_INT && index->rank == 1, "index is not an int vector");
  REQUIRE(in->rank >= 1 && out->rank == in->rank, "another rank");
  if (v->error)
    return;
  REQUIRE(out->dim[0] == index->dim[0], "rows do not match the index");
  for (int i = 1; i < in->rank; i++)
    REQUIRE(out->dim[i] == in->dim[i], "axis %d changed", i);
}

static void check_move(Verifier *v, const Op *op) {
  const Shape *in = &type_of(op, 0)->shape, *out = &op->type.shape;
  int values = op->kind == OP_CONCAT ? op->args.count : op->kind == OP_UPDATE ? 2 : 1;
  for (int i = 0; i < values && i < op->args.count; i++)
    REQUIRE(same_ring(type_of(op, i), &op->type) && type_of(op, i)->scale == op->type.scale,
            "operand %d has another element type", i);
  switch (op->kind) {
  case OP_RESHAPE: REQUIRE(shape_count(in) == shape_count(out), "number of elements changes"); break;
  case OP_TRANSPOSE: check_transpose(v, op); break;
  case OP_BROADCAST: check_broadcast(v, op); break;
  case OP_SLICE: check_box(v, op, in, out, 1); break;
  case OP_UPDATE:
    REQUIRE(op->args.count >= 2 && shape_equal(in, out), "another shape than its operand");
    if (!v->error)
      check_box(v, op, out, &type_of(op, 1)->shape, 2);
    break;
  case OP_GATHER: check_gather(v, op); break;
  case OP_CONCAT: check_concat(v, op); break;
  case OP_MEMBER:
    REQUIRE(op->ints.count == 1 && shape_equal(in, out), "needs a member and keeps the shape");
    break;
  default: break;
  }
}

static void check_reduce(Verifier *v, const Op *op) {
  const Shape *in = &type_of(op, 0)->shape;
  REQUIRE(op->ints.count >= 1 && op->ints.data[0] >= -1 && op->ints.data[0] < in->rank, "axis out of range");
  if (v->error)
    return;
  int64_t axis = op->ints.data[0], rest = 1;
  for (int i = 0; i < in->rank; i++)
    rest *= axis >= 0 && i != axis ? in->dim[i] : 1;
  REQUIRE(shape_count(&op->type.shape) == rest, "wrong number of results");
  if (op->kind == OP_SUM && v->stage != VERIFY_JOINT)
    check_like_result(v, op, 0);
}

static void check_conv(Verifier *v, const Op *op) {
  const Op *x = op->args.data[0], *k = op->args.data[1], *y = op;
  REQUIRE(op->ints.count == CONV_INTS, "needs padding, stride and groups");
  if (v->error)
    return;
  if (op->kind == OP_CONV2D_INPUT) {
    y = x;
    x = op;
  } else if (op->kind == OP_CONV2D_KERNEL) {
    y = k;
    k = op;
  }
  Shape shape;
  bool fits = shape_conv2d(&x->type.shape, &k->type.shape, op->ints.data, &shape);
  REQUIRE(fits && shape_equal(&shape, &y->type.shape), "sizes do not fit");
}

static void check_bilinear(Verifier *v, const Op *op) {
  const int64_t *a = type_of(op, 0)->shape.dim, *b = type_of(op, 1)->shape.dim, *c = op->type.shape.dim;
  int rank = op->kind == OP_MATMUL ? 2 : 4;
  for (int i = 0; i < 2; i++)
    REQUIRE(type_of(op, i)->shape.rank == rank, "operand %d has not %d axes", i, rank);
  REQUIRE(op->type.shape.rank == rank, "result has not %d axes", rank);
  if (v->stage != VERIFY_JOINT)
    check_like_result(v, op, 0);
  if (v->error)
    return;
  if (op->kind == OP_MATMUL) {
    REQUIRE(a[1] == b[0] && c[0] == a[0] && c[1] == b[1], "sizes do not fit");
    return;
  }
  check_conv(v, op);
}

static void check_const(Verifier *v, const Op *op) {
  int64_t n = shape_count(&op->type.shape);
  REQUIRE(op->data && (op->data_count == n || op->data_count == 1), "%lld elements for %lld",
          (long long)op->data_count, (long long)n);
}

static bool has_no_result(OpKind kind) {
  return kind == OP_OUTPUT || kind == OP_PRINT || kind == OP_STORE || kind == OP_CHECKPOINT ||
         kind == OP_PROGRESS || kind == OP_ASSERT || kind == OP_ASSERT_NEAR;
}

static void check_effect(Verifier *v, const Op *op) {
  int holes = 0;
  for (int i = 0; i < op->texts.count; i++)
    holes += op->texts.data[i] == NULL;
  int first = op->kind == OP_PROGRESS ? 2 : 0;
  if (op->kind == OP_PRINT || op->kind == OP_PROGRESS)
    REQUIRE(op->args.count >= first && holes == op->args.count - first,
            "%d operands for %d places in the text", op->args.count, holes);
  if (op->kind == OP_INPUT || op->kind == OP_MORE || op->kind == OP_OUTPUT || op->kind == OP_STORE ||
      op->kind == OP_LOAD)
    REQUIRE(op->text, "without a name");
}

static void check_message(Verifier *v, const Op *op) {
  if (op->kind != OP_SEND) {
    REQUIRE(v->stage == VERIFY_JOINT, "does not belong here");
    return;
  }
  REQUIRE(v->stage != VERIFY_JOINT, "does not belong here");
  REQUIRE(op->ints.count >= 2 && op->ints.data[0] != op->ints.data[1], "needs two parties");
  for (int i = 0; i < 2 && !v->error; i++)
    REQUIRE(op->ints.data[i] >= 0 && op->ints.data[i] < v->p->party_count, "party out of range");
  if (op->args.count && op->type.elem != EL_NONE)
    REQUIRE(ir_type_equal(type_of(op, 0), &op->type), "changes the type");
}

static void check_random(Verifier *v, const Op *op) {
  REQUIRE(op->type.elem == EL_RING, "not in a ring");
  REQUIRE(op->ints.count == 2, "needs two parties");
  for (int i = 0; i < op->ints.count; i++)
    REQUIRE(op->ints.data[i] >= 0 && op->ints.data[i] < v->p->party_count, "party out of range");
}

/* Each argument is an operand or an integer. */
static void check_apply(Verifier *v, const Op *op) {
  int operands = 0;
  for (int i = 0; i < op->ints.count; i++)
    operands += op->ints.data[i] == INT64_MIN;
  REQUIRE(v->stage == VERIFY_JOINT, "does not belong here");
  REQUIRE(op->text, "without a name");
  REQUIRE(op->at.kind == PLACE_PRIVATE, "of no protocol");
  REQUIRE(operands == op->args.count, "%d operands for %d arguments", op->args.count, operands);
}

/* ---- control ------------------------------------------------------------------------------------------- */

static void check_scalar(Verifier *v, const Op *op, const Op *operand, Elem elem, const char *what) {
  REQUIRE(operand->type.elem == elem && operand->type.shape.rank == 0, "%s is not one %s", what,
          elem == EL_INT ? "int" : "bool");
}

static void check_carried(Verifier *v, const Op *op, const IrBlock *b, int first_param, int first_init,
                          bool yields) {
  int n = op->args.count - first_init;
  REQUIRE(b->params.count == first_param + n, "%d parameters for %d carried values", b->params.count, n);
  REQUIRE(!yields || b->yields.count == n, "%d yields for %d carried values", b->yields.count, n);
  for (int k = 0; k < n && !v->error; k++) {
    const IrType *t = &op->args.data[first_init + k]->type;
    REQUIRE(ir_type_equal(t, &b->params.data[first_param + k]->type), "parameter %d has another type", k);
    REQUIRE(!yields || ir_type_equal(t, &b->yields.data[k]->type), "yield %d has another type", k);
  }
}

static void check_control(Verifier *v, const Op *op) {
  int blocks = op->kind == OP_FOR ? 1 : 2;
  REQUIRE(op->blocks.count == blocks, "%d blocks", op->blocks.count);
  for (int i = 0; i < op->blocks.count; i++)
    REQUIRE(op->blocks.data[i]->owner == op, "block %d belongs to another operation", i);
  if (v->error)
    return;
  IrBlock **b = op->blocks.data;
  switch (op->kind) {
  case OP_FOR:
    REQUIRE(op->args.count >= 2, "without bounds");
    if (v->error)
      return;
    check_scalar(v, op, op->args.data[0], EL_INT, "low bound");
    check_scalar(v, op, op->args.data[1], EL_INT, "high bound");
    check_carried(v, op, b[0], 1, 2, true);
    if (!v->error)
      check_scalar(v, op, b[0]->params.data[0], EL_INT, "index");
    break;
  case OP_WHILE:
    REQUIRE(b[0]->yields.count == 1, "block 0 yields no condition");
    if (v->error)
      return;
    check_scalar(v, op, b[0]->yields.data[0], EL_BOOL, "condition");
    check_carried(v, op, b[0], 0, 0, false);
    check_carried(v, op, b[1], 0, 0, true);
    break;
  default:
    check_scalar(v, op, op->args.data[0], EL_BOOL, "condition");
    REQUIRE(b[0]->params.count == 0 && b[1]->params.count == 0, "branches have parameters");
    REQUIRE(b[0]->yields.count == b[1]->yields.count, "branches yield different numbers of values");
    for (int k = 0; k < b[0]->yields.count && !v->error; k++)
      REQUIRE(ir_type_equal(&b[0]->yields.data[k]->type, &b[1]->yields.data[k]->type),
              "branches differ in value %d", k);
  }
}

/* What result k of a control operation is, as seen from inside. */
static const IrBlock *result_block(const Op *control) {
  return control->blocks.data[control->kind == OP_WHILE ? 1 : 0];
}

static void check_result(Verifier *v, const Op *op, const Op *before) {
  REQUIRE(op->args.count == 1 && op->ints.count == 1, "needs a control operation and a number");
  if (v->error)
    return;
  const Op *control = op->args.data[0];
  REQUIRE(op_info[control->kind].class == OPC_CONTROL, "of an operation that is not control");
  REQUIRE(before == control || (before && before->kind == OP_RESULT && before->args.data[0] == control),
          "not directly behind its operation");
  if (v->error)
    return;
  const IrBlock *b = result_block(control);
  REQUIRE(op->ints.data[0] >= 0 && op->ints.data[0] < b->yields.count, "there is no result %lld",
          (long long)op->ints.data[0]);
  if (!v->error)
    REQUIRE(ir_type_equal(&op->type, &b->yields.data[op->ints.data[0]]->type),
            "type differs from what is yielded");
}

/* ---- places -------------------------------------------------------------------------------------------- */

static void need_at(Verifier *v, const Op *op, const Op *value, PartySet where, const char *what) {
  if (!party_subset(where, value->where))
    wrong(v, op, "needs %s %%%d at %s, which is only at %s", what, value->id, ir_where_text(v->p, where),
          ir_where_text(v->p, value->where));
}

static void check_send_place(Verifier *v, const Op *op) {
  int from = (int)op->ints.data[0], to = (int)op->ints.data[1];
  int role = op->ints.count > 2 ? (int)op->ints.data[2] : PROJECT_SENDS | PROJECT_RECEIVES;
  PartySet before = op->args.count ? op->args.data[0]->where : party_none();
  if (role & PROJECT_SENDS)
    REQUIRE(party_has(before, from), "sender does not hold %%%d", op->args.count ? op->args.data[0]->id : 0);
  if (role & PROJECT_RECEIVES)
    REQUIRE(party_has(op->where, to), "receiver does not get the result");
  PartySet after = role & PROJECT_RECEIVES ? party_or(before, party_one(to)) : before;
  REQUIRE(party_subset(op->where, after), "result at parties that have nothing");
}

static void check_control_place(Verifier *v, const Op *op) {
  IrBlock **b = op->blocks.data;
  int bounds = op->kind == OP_FOR ? 2 : op->kind == OP_IF ? 1 : 0;
  for (int i = 0; i < bounds; i++)
    need_at(v, op, op->args.data[i], op->where, "bound or condition");
  if (op->kind == OP_WHILE)
    need_at(v, op, b[0]->yields.data[0], op->where, "condition");
  if (op->kind == OP_IF)
    return;
  for (int i = 0; i < op->blocks.count; i++) {
    int first = op->kind == OP_FOR ? 1 : 0;
    for (int k = first; k < b[i]->params.count; k++) {
      PartySet w = b[i]->params.data[k]->where;
      need_at(v, op, op->args.data[bounds + k - first], w, "initial value");
      need_at(v, op, b[op->kind == OP_FOR ? 0 : 1]->yields.data[k - first], w, "yield");
    }
  }
}

static void check_result_place(Verifier *v, const Op *op) {
  const Op *control = op->args.data[0];
  int k = (int)op->ints.data[0];
  REQUIRE(party_subset(op->where, control->where), "at parties that do not take part");
  for (int i = 0; i < control->blocks.count; i++) {
    const IrBlock *b = control->blocks.data[i];
    if (control->kind == OP_IF)
      need_at(v, op, b->yields.data[k], op->where, "branch value");
    else
      need_at(v, op, b->params.data[control->kind == OP_FOR ? k + 1 : k], op->where, "carried value");
  }
}

static void check_place(Verifier *v, const Op *op, const IrBlock *b) {
  bool half = op->kind == OP_SEND && v->stage == VERIFY_PARTY;
  REQUIRE(half || !party_empty(op->where), "nowhere");
  if (b->owner)
    REQUIRE(party_subset(op->where, b->owner->where), "at %s, but only %s take part in %%%d",
            ir_where_text(v->p, op->where), ir_where_text(v->p, b->owner->where), b->owner->id);
  if (v->error)
    return;
  if (op->kind == OP_SEND)
    check_send_place(v, op);
  else if (op->kind == OP_RANDOM)
    for (int i = party_first(op->where); i >= 0; i = party_next(op->where, i))
      REQUIRE(op->ints.data[0] == i || op->ints.data[1] == i, "drawn by a party without the key");
  else if (op->kind == OP_RESULT)
    check_result_place(v, op);
  else if (op_info[op->kind].class == OPC_CONTROL)
    check_control_place(v, op);
  else
    for (int i = 0; i < op->args.count; i++)
      need_at(v, op, op->args.data[i], op->where, "operand");
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

static void check_class(Verifier *v, const Op *op, const Op *before) {
  switch (op_info[op->kind].class) {
  case OPC_EW: check_elementwise(v, op); break;
  case OPC_MOVE: check_move(v, op); break;
  case OPC_REDUCE: check_reduce(v, op); break;
  case OPC_BILINEAR: check_bilinear(v, op); break;
  case OPC_SOURCE:
    if (op->kind == OP_CONST)
      check_const(v, op);
    if (op->kind == OP_RANDOM)
      check_random(v, op);
    break;
  case OPC_EFFECT: check_effect(v, op); break;
  case OPC_MESSAGE: check_message(v, op); break;
  case OPC_CONTROL: check_control(v, op); break;
  case OPC_FLOW:
    REQUIRE(op->kind == OP_RESULT, "among the operations of a block");
    if (op->kind == OP_RESULT)
      check_result(v, op, before);
    break;
  case OPC_LOCAL:
    if (op->kind == OP_APPLY)
      check_apply(v, op);
    break;
  }
}

static void define(Verifier *v, const Op *op, const IrBlock *b) {
  REQUIRE(op->id > 0 && op->id < v->p->next_id, "id out of range");
  if (v->error)
    return;
  REQUIRE(!v->used_id[op->id], "id used twice");
  REQUIRE(op->parent == b, "parent is another block");
  REQUIRE(!op->forward, "still forwarded");
  v->used_id[op->id] = 1;
  v->visible[op->id] = 1;
}

static bool is_visible(const Verifier *v, const Op *op) {
  return op && op->id > 0 && op->id < v->p->next_id && v->visible[op->id];
}

static void check_op(Verifier *v, const Op *op, const Op *before) {
  int arity = op_info[op->kind].args;
  bool projected_send = op->kind == OP_SEND && v->stage == VERIFY_PARTY;
  REQUIRE(op->kind > OP_NONE && op->kind < OP_COUNT, "unknown operation");
  if (op->kind == OP_RESULT)
    arity = 1;
  REQUIRE(arity < 0 || op->args.count == arity || (projected_send && op->args.count == 0),
          "%d operands instead of %d", op->args.count, arity);
  for (int i = 0; i < op->args.count && !v->error; i++) {
    REQUIRE(is_visible(v, op->args.data[i]), "operand %d is not defined here", i);
    if (op->kind != OP_RESULT && !v->error)
      REQUIRE(op->args.data[i]->type.elem != EL_NONE, "operand %d has no value", i);
  }
  bool empty = has_no_result(op->kind) || op_info[op->kind].class == OPC_CONTROL;
  REQUIRE(empty == (op->type.elem == EL_NONE) || projected_send, "has %s result", empty ? "a" : "no");
  check_type(v, op, &op->type);
  if (!v->error)
    check_class(v, op, before);
}

static void check_block(Verifier *v, const IrBlock *b);

static void check_inner(Verifier *v, const Op *op) {
  for (int i = 0; i < op->blocks.count && !v->error; i++)
    check_block(v, op->blocks.data[i]);
}

static void check_block(Verifier *v, const IrBlock *b) {
  for (int i = 0; i < b->params.count && !v->error; i++) {
    const Op *op = b->params.data[i];
    define(v, op, b);
    REQUIRE(op->kind == OP_ARG, "parameter is no arg");
    check_type(v, op, &op->type);
    if (v->stage != VERIFY_JOINT && !v->error && b->owner)
      REQUIRE(party_subset(op->where, b->owner->where), "at parties that do not take part");
  }
  for (int i = 0; i < b->ops.count && !v->error; i++) {
    const Op *op = b->ops.data[i];
    check_op(v, op, i ? b->ops.data[i - 1] : NULL);
    if (!v->error)
      check_inner(v, op);
    if (v->stage != VERIFY_JOINT && !v->error)
      check_place(v, op, b);
    if (!v->error)
      define(v, op, b);
  }
  for (int i = 0; i < b->yields.count && !v->error; i++)
    if (!is_visible(v, b->yields.data[i]))
      wrong(v, b->owner ? b->owner : b->yields.data[i], "yield %d is not defined at the end of its block", i);
  if (v->error)
    return;
  for (int i = 0; i < b->ops.count; i++)
    v->visible[b->ops.data[i]->id] = 0;
  for (int i = 0; i < b->params.count; i++)
    v->visible[b->params.data[i]->id] = 0;
}

const char *verify_find(const Program *p, VerifyStage stage) {
  Verifier v = {.p = p, .stage = stage};
  v.visible = calloc((size_t)p->next_id + 1, 1);
  v.used_id = calloc((size_t)p->next_id + 1, 1);
  assert(v.visible && v.used_id);
  check_block(&v, p->body);
  free(v.visible);
  free(v.used_id);
  return v.error;
}

void verify(const Program *p, VerifyStage stage) {
  const char *error = verify_find(p, stage);
  if (!error)
    return;
  ir_print(p, stderr);
  fprintf(stderr, "tfec: internal error: %s\n", error);
  abort();
}
