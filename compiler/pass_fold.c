/* Constant folding and neutral elements, branches and loops whose course is decided at compile time.
 *
 * Needs: a choreography. Keeps: values bit for bit (so x + 0.0 stays, because of -0.0, and nothing is folded
 * that the runtime's own mathematics computes), places, messages. Breaks: nothing. Folded operations become
 * CONST in place; the operands they leave behind are dropped by pass_demand.
 */
#include <assert.h>
#include <math.h>

#include "pass.h"

/* ---- constants ----------------------------------------------------------------------------------------- */

static bool splat(const Op *op, uint64_t *bits) {
  return op->data_count == 1 && ir_is_splat(op, bits);
}

static uint64_t ring_mask(const IrType *t) {
  return t->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << t->bits) - 1;
}

static bool is_splat_of(const Op *op, uint64_t value) {
  uint64_t bits;
  return splat(op, &bits) && bits == value;
}

static bool is_one(const Op *op) {
  if (op->type.lanes)
    return is_splat_of(op, UINT64_MAX);
  if (op->type.elem == EL_FIXED)
    return is_splat_of(op, ir_fixed_bits(1.0));
  return is_splat_of(op, 1);
}

static void become_const(Program *p, Op *op, uint64_t bits) {
  uint64_t *data = ARENA_NEW(p->arena, uint64_t);
  *data = bits;
  op->kind = OP_CONST;
  op->args.count = 0;
  op->ints.count = 0;
  op->data = data;
  op->data_count = 1;
}

static bool fold_fixed(OpKind kind, double x, double y, double *out) {
  switch (kind) {
  case OP_ADD: *out = x + y; return true;
  case OP_SUB: *out = x - y; return true;
  case OP_MUL: *out = x * y; return true;
  case OP_DIV: *out = x / y; return true;
  case OP_NEG: *out = -x; return true;
  case OP_ABS: *out = fabs(x); return true;
  case OP_FLOOR: *out = floor(x); return true;
  default: return false;
  }
}

static bool fold_int(OpKind kind, int64_t x, int64_t y, int64_t *out) {
  uint64_t a = (uint64_t)x, b = (uint64_t)y;
  switch (kind) {
  case OP_ADD: *out = (int64_t)(a + b); return true;
  case OP_SUB: *out = (int64_t)(a - b); return true;
  case OP_MUL: *out = (int64_t)(a * b); return true;
  case OP_NEG: *out = (int64_t)(0 - a); return true;
  case OP_MIN2: *out = x < y ? x : y; return true;
  case OP_MAX2: *out = x > y ? x : y; return true;
  case OP_FLOORDIV:
  case OP_MOD:
    if (y <= 0) /* division by zero is the run's to report; negative divisors are rare */
      return false;
    *out = kind == OP_MOD ? x % y + (x % y < 0 ? y : 0) : x / y - (x % y < 0);
    return true;
  default: return false;
  }
}

static bool fold_ring(OpKind kind, uint64_t x, uint64_t y, uint64_t *out) {
  switch (kind) {
  case OP_ADD: *out = x + y; return true;
  case OP_SUB: *out = x - y; return true;
  case OP_MUL: *out = x * y; return true;
  case OP_NEG: *out = 0 - x; return true;
  default: return false;
  }
}

static bool fold_compare(OpKind kind, Elem elem, uint64_t x, uint64_t y, uint64_t *out) {
  double a = elem == EL_FIXED ? ir_bits_fixed(x) : 0, b = elem == EL_FIXED ? ir_bits_fixed(y) : 0;
  bool less = elem == EL_FIXED ? a < b : (int64_t)x < (int64_t)y;
  bool equal = elem == EL_FIXED ? a == b : x == y;
  switch (kind) {
  case OP_LT: *out = less; return true;
  case OP_LE: *out = less || equal; return true;
  case OP_EQ: *out = equal; return true;
  case OP_NE: *out = !equal; return true;
  default: return false;
  }
}

static bool fold_bool(OpKind kind, uint64_t x, uint64_t y, uint64_t *out) {
  switch (kind) {
  case OP_AND: *out = x & y; return true;
  case OP_OR: *out = x | y; return true;
  case OP_NOT: *out = !x; return true;
  default: return false;
  }
}

bool pass_fold_value(const Op *op, uint64_t x, uint64_t y, uint64_t *out) {
  Elem elem = op->args.data[0]->type.elem;
  double real = 0;
  int64_t whole = 0;
  if (op->type.elem == EL_BOOL && elem != EL_BOOL && elem != EL_RING)
    return fold_compare(op->kind, elem, x, y, out);
  if (op->kind == OP_TO_FIXED && op->type.elem == EL_FIXED && (elem == EL_INT || elem == EL_BOOL)) {
    *out = ir_fixed_bits((double)(int64_t)x);
    return true;
  }
  if (op->kind == OP_TO_INT && elem == EL_BOOL) {
    *out = x;
    return true;
  }
  if (op->type.elem != elem || op->type.lanes)
    return false;
  switch (elem) {
  case EL_FIXED:
    if (!fold_fixed(op->kind, ir_bits_fixed(x), ir_bits_fixed(y), &real) || isnan(real))
      return false;
    *out = ir_fixed_bits(real);
    return true;
  case EL_INT:
    if (!fold_int(op->kind, (int64_t)x, (int64_t)y, &whole))
      return false;
    *out = (uint64_t)whole;
    return true;
  case EL_BOOL: return fold_bool(op->kind, x, y, out);
  case EL_RING:
    if (!fold_ring(op->kind, x, y, out))
      return false;
    *out &= ring_mask(&op->type);
    return true;
  default: return false;
  }
}

/* ---- elementwise --------------------------------------------------------------------------------------- */

/* x op y where one of them is neutral or absorbing. */
static Op *neutral(const Op *op) {
  Op *x = op->args.data[0], *y = op->args.data[1];
  bool exact = op->type.elem == EL_INT || op->type.elem == EL_RING;
  switch (op->kind) {
  case OP_ADD:
    if (exact && is_splat_of(y, 0))
      return x;
    return exact && is_splat_of(x, 0) ? y : NULL;
  case OP_SUB: return is_splat_of(y, 0) ? x : NULL;
  case OP_MUL:
    if (op->type.elem == EL_RING ? is_one(y) && y->type.scale == 0 : is_one(y))
      return x;
    return is_one(x) && x->type.scale == 0 ? y : NULL;
  case OP_DIV: return op->type.elem == EL_FIXED && is_one(y) ? x : NULL;
  case OP_AND:
  case OP_OR:
    if (is_splat_of(y, op->kind == OP_AND))
      return x;
    return is_splat_of(x, op->kind == OP_AND) ? y : NULL;
  default: return NULL;
  }
}

static void forward_to(Op *op, Op *value) {
  if (value && value != op && ir_type_equal(&op->type, &value->type))
    op->forward = value;
}

static void fold_elementwise(Program *p, Op *op) {
  uint64_t x = 0, y = 0, out;
  Op *first = op->args.data[0];
  if (op->args.count <= 2 && splat(first, &x) && (op->args.count == 1 || splat(op->args.data[1], &y)) &&
      pass_fold_value(op, x, y, &out)) {
    become_const(p, op, out);
    return;
  }
  if (op->args.count == 2)
    forward_to(op, neutral(op));
  else if (op->kind == OP_SELECT && splat(first, &x))
    forward_to(op, op->args.data[x ? 1 : 2]);
  else if ((op->kind == OP_NEG || op->kind == OP_NOT) && first->kind == op->kind)
    forward_to(op, first->args.data[0]);
  else if ((op->kind == OP_SHL || op->kind == OP_SHR) && op->ints.data[0] == 0)
    forward_to(op, first);
}

/* ---- moves --------------------------------------------------------------------------------------------- */

static bool is_identity_permutation(const Op *op) {
  for (int i = 0; i < op->ints.count; i++)
    if (op->ints.data[i] != i)
      return false;
  return true;
}

static void fold_move(Program *p, Op *op) {
  uint64_t bits;
  Op *x = op->args.data[0];
  if (op->kind == OP_GATHER || op->kind == OP_CONCAT || op->kind == OP_UPDATE || op->kind == OP_MEMBER)
    return;
  if (splat(x, &bits) && op->args.count == 1) {
    become_const(p, op, bits);
    return;
  }
  if ((op->kind == OP_RESHAPE || op->kind == OP_BROADCAST) && x->kind == op->kind)
    op->args.data[0] = x = x->args.data[0];
  if (op->kind == OP_TRANSPOSE && x->kind == OP_TRANSPOSE) {
    for (int i = 0; i < op->ints.count; i++)
      op->ints.data[i] = x->ints.data[op->ints.data[i]];
    op->args.data[0] = x = x->args.data[0];
  }
  if (op->kind == OP_TRANSPOSE ? is_identity_permutation(op) : op->args.count == 1)
    forward_to(op, x); /* SLICE with fixed starts: the same shape means the whole */
}

/* ---- control ------------------------------------------------------------------------------------------- */

int64_t pass_trips(const Op *loop) {
  uint64_t low, high;
  if (loop->kind != OP_FOR || !splat(loop->args.data[0], &low) || !splat(loop->args.data[1], &high))
    return -1;
  int64_t trips;
  if ((int64_t)high <= (int64_t)low)
    return 0;
  return __builtin_sub_overflow((int64_t)high, (int64_t)low, &trips) ? -1 : trips;
}

/* A carried value that every pass hands on unchanged is its initial value. */
static void fold_carried(Op *op) {
  int first_param = op->kind == OP_FOR ? 1 : 0, first_init = op->kind == OP_FOR ? 2 : 0;
  IrBlock *body = op->blocks.data[op->kind == OP_FOR ? 0 : 1];
  for (int k = 0; k < body->yields.count; k++) {
    Op *init = op->args.data[first_init + k], *yield = body->yields.data[k];
    if (yield != body->params.data[first_param + k] && yield != init)
      continue;
    for (int i = 0; i < op->blocks.count; i++)
      forward_to(op->blocks.data[i]->params.data[first_param + k], init);
  }
}

/* The values of the results of a control operation that is decided; NULL: it is not. */
static Op **decided_values(const Op *op, const IrBlock **inlined) {
  uint64_t bits;
  *inlined = NULL;
  if (op->kind == OP_FOR && pass_trips(op) == 0)
    return op->args.data + 2;
  if (op->kind == OP_IF && splat(op->args.data[0], &bits)) {
    *inlined = op->blocks.data[bits ? 0 : 1];
    return (*inlined)->yields.data;
  }
  return NULL;
}

static Op *resolve(Op *op) {
  while (op->forward)
    op = op->forward;
  return op;
}

static void fold_block(Program *p, IrBlock *b);

static void fold_op(Program *p, Op *op) {
  for (int i = 0; i < op->args.count; i++)
    op->args.data[i] = resolve(op->args.data[i]);
  switch (op_info[op->kind].class) {
  case OPC_EW: fold_elementwise(p, op); break;
  case OPC_MOVE: fold_move(p, op); break;
  case OPC_CONTROL:
    if (op->kind != OP_IF)
      fold_carried(op);
    for (int i = 0; i < op->blocks.count; i++)
      fold_block(p, op->blocks.data[i]);
    if (op->kind != OP_IF)
      fold_carried(op);
    break;
  case OPC_FLOW: {
    const Op *control = op->args.data[0];
    if (control->kind == OP_IF)
      break;
    int k = (int)op->ints.data[0];
    forward_to(op, control->blocks.data[0]->params.data[control->kind == OP_FOR ? k + 1 : k]->forward);
    break;
  }
  default: break;
  }
}

/* Rebuilds the list of operations; those of a decided branch take the place of their IF. */
static void fold_block(Program *p, IrBlock *b) {
  VEC(Op *) old = {b->ops.data, b->ops.count, b->ops.capacity};
  b->ops.data = NULL;
  b->ops.count = b->ops.capacity = 0;
  for (int i = 0; i < old.count; i++) {
    const IrBlock *inlined;
    Op *op = old.data[i];
    fold_op(p, op);
    Op **values = op_info[op->kind].class == OPC_CONTROL ? decided_values(op, &inlined) : NULL;
    if (!values && !(op_info[op->kind].class == OPC_CONTROL && inlined)) {
      if (!op->forward)
        VEC_PUSH(p->arena, &b->ops, op);
      continue;
    }
    for (int k = 0; inlined && k < inlined->ops.count; k++) {
      inlined->ops.data[k]->parent = b;
      VEC_PUSH(p->arena, &b->ops, inlined->ops.data[k]);
    }
    for (; i + 1 < old.count && old.data[i + 1]->kind == OP_RESULT; i++)
      old.data[i + 1]->forward = resolve(values[old.data[i + 1]->ints.data[0]]);
  }
  for (int i = 0; i < b->yields.count; i++)
    b->yields.data[i] = resolve(b->yields.data[i]);
}

/* Parameters that were forwarded lose their slot: the block's lists, the initial value, the yield, the
 * result's number. */
static void drop_forwarded_carried(Op *op, void *data) {
  (void)data;
  if (op->kind != OP_FOR && op->kind != OP_WHILE)
    return;
  int first_param = op->kind == OP_FOR ? 1 : 0, first_init = op->kind == OP_FOR ? 2 : 0, kept = 0;
  IrBlock *first = op->blocks.data[0], *body = op->blocks.data[op->blocks.count - 1];
  int n = body->yields.count;
  IrBlock *b = op->parent;
  for (int k = 0; k < n; k++) {
    if (first->params.data[first_param + k]->forward)
      continue;
    op->args.data[first_init + kept] = op->args.data[first_init + k];
    body->yields.data[kept] = body->yields.data[k];
    for (int i = 0; i < op->blocks.count; i++)
      op->blocks.data[i]->params.data[first_param + kept] = op->blocks.data[i]->params.data[first_param + k];
    for (int i = 0; i < b->ops.count && kept != k; i++)
      if (b->ops.data[i]->kind == OP_RESULT && b->ops.data[i]->args.data[0] == op &&
          b->ops.data[i]->ints.data[0] == k)
        b->ops.data[i]->ints.data[0] = kept;
    kept++;
  }
  op->args.count = first_init + kept;
  body->yields.count = kept;
  for (int i = 0; i < op->blocks.count; i++)
    op->blocks.data[i]->params.count = first_param + kept;
}

void pass_fold(Program *p) {
  fold_block(p, p->body);
  ir_forward(p);
  ir_walk(p->body, drop_forwarded_carried, NULL);
}
