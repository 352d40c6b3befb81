/* Loops and branches backwards. A loop runs its passes in the opposite order and stays a loop. Values of the way
 * forwards that the way backwards needs are kept, not computed again: the loop gets one more carried value, a tensor
 * with one row a pass. A branch gives them out as further results. */
#include <assert.h>
#include <inttypes.h>

#include "check_flow.h"
#include "grad.h"
#include "tensor.h"

/* ---- keeping values of the inside ---------------------------------------------------------------------- */

static bool bounds_of(const Op *loop, int64_t *low, int64_t *count) {
  const Op *a = loop->args.data[0], *b = loop->args.data[1];
  if (a->kind != OP_CONST || b->kind != OP_CONST)
    return false;
  *low = (int64_t)a->data[0];
  *count = (int64_t)b->data[0] > *low ? (int64_t)b->data[0] - *low : 0;
  return true;
}

static int64_t first_of(const Op *loop) {
  int64_t low = 0, count;
  bounds_of(loop, &low, &count);
  return low;
}

/* An operation right before `before`, or at the end of b if that is NULL. */
static Op *insert(Grad *g, IrBlock *b, Op *before, OpKind kind, IrType type, Place at, const Site *site) {
  Program *p = g->cx->program;
  Op *op = before ? ir_op_before(p, b, before, kind, type, site) : ir_op(p, b, kind, type, site);
  op->at = at;
  return op;
}

static Op *insert_zeros(Grad *g, IrBlock *b, Op *before, IrType type, Place at, const Site *site) {
  bool secret = at.kind == PLACE_PRIVATE;
  Op *zero = insert(g, b, before, OP_CONST, type, secret ? PLACE_JOINT : at, site);
  zero->data = ARENA_NEW(g->cx->arena, uint64_t);
  zero->data_count = 1;
  if (!secret)
    return zero;
  Op *lifted = insert(g, b, before, OP_LIFT, type, at, site);
  ir_operand(g->cx->program, lifted, zero);
  return lifted;
}

/* One more result of a loop or branch, behind those that it has. */
static Op *add_result(Grad *g, Op *control, IrType type, Place at) {
  IrBlock *b = control->parent;
  int i = 0;
  while (b->ops.data[i] != control)
    i++;
  while (++i < b->ops.count && b->ops.data[i]->kind == OP_RESULT && b->ops.data[i]->args.data[0] == control)
    ;
  Op *r = insert(g, b, i < b->ops.count ? b->ops.data[i] : NULL, OP_RESULT, type, at, control->site);
  ir_operand(g->cx->program, r, control);
  ir_int(g->cx->program, r, control->blocks.data[0]->yields.count - 1);
  return r;
}

/* x of every pass of the loop that it is in: [passes, shape of x]. */
static Op *keep_rows(Grad *g, Op *loop, Op *x) {
  Checker *cx = g->cx;
  IrBlock *body = loop->blocks.data[0], *outer = cx->block;
  int64_t low, count;
  IrType type = x->type;
  bool known = bounds_of(loop, &low, &count);
  assert(known && "checked before the loop was entered");
  (void)known;
  if (!shape_stack(count, &x->type.shape, &type.shape) || !shape_fits(&type.shape)) {
    CHECK_DIAG(cx, E0221, g->at, shape_text(cx->arena, &type.shape));
    g->failed = true;
    return x;
  }
  ir_operand(cx->program, loop, insert_zeros(g, loop->parent, loop, type, x->at, loop->site));
  Op *rows = ir_arg(cx->program, body, type, loop->site);
  rows->at = x->at;
  cx->block = body;
  Shape row = type.shape;
  row.dim[0] = 1;
  const Value *starts[MAX_RANK] = {tensor_binary(cx, OP_SUB, value_of(cx->arena, body->params.data[0]),
                                                 value_int(cx->arena, low), shape_scalar(), NULL, g->at)};
  const Value *v = tensor_reshape(cx, value_of(cx->arena, x), row, g->at);
  const Value *next = tensor_update(cx, value_of(cx->arena, rows), v, starts, g->at);
  VEC_PUSH(cx->arena, &body->yields, next->op);
  cx->block = outer;
  return add_result(g, loop, type, x->at);
}

/* x where its block ran, zeros where the other one did. */
static Op *keep_branch(Grad *g, Op *branch, Op *x) {
  for (int i = 0; i < 2; i++) {
    IrBlock *b = branch->blocks.data[i];
    Op *y = ir_block_encloses(b, x->parent) ? x : insert_zeros(g, b, NULL, x->type, x->at, branch->site);
    VEC_PUSH(g->cx->arena, &b->yields, y);
  }
  return add_result(g, branch, x->type, x->at);
}

static Op *kept(Grad *g, Op *control, Op *x) {
  for (int i = 0; i < g->kept.count; i++)
    if (g->kept.data[i].value == x)
      return g->kept.data[i].kept;
  Op *k = control->kind == OP_IF ? keep_branch(g, control, x) : keep_rows(g, control, x);
  VEC_PUSH(g->cx->arena, &g->kept, ((GradKept){x, k}));
  return k;
}

static const GradLevel *level_of(const Grad *g, const Op *loop) {
  for (const GradLevel *l = g->level; l; l = l->outer)
    if (l->loop == loop)
      return l;
  assert(false && "a value of a loop that is not being differentiated");
  return NULL;
}

/* The row of this pass. */
static Op *row_of(Grad *g, Op *rows, const Op *x, const Value *pass) {
  Checker *cx = g->cx;
  Shape row = rows->type.shape;
  row.dim[0] = 1;
  const Value *starts[MAX_RANK] = {pass};
  const Value *v = tensor_slice(cx, value_of(cx->arena, rows), starts, row, g->at);
  return tensor_op(cx, tensor_reshape(cx, v, x->type.shape, g->at));
}

/* Rearrangements, and numbers that every party of the loop knows, are made again: they cost no message. */
static bool is_cheap(const Op *x) {
  switch (x->kind) {
  case OP_LIFT:
  case OP_IOTA:
  case OP_RESHAPE:
  case OP_TRANSPOSE:
  case OP_BROADCAST:
  case OP_SLICE: return !x->note;
  default: return op_info[x->kind].class == OPC_EW && x->type.elem == EL_INT && x->at.kind != PLACE_PRIVATE;
  }
}

static Op *made_again(Grad *g, const Op *x) {
  Program *p = g->cx->program;
  Op **operands = ARENA_ARRAY(g->cx->arena, Op *, x->args.count + 1);
  for (int i = 0; i < x->args.count; i++)
    operands[i] = grad_reach(g, x->args.data[i]);
  Op *op = ir_op(p, g->cx->block, x->kind, x->type, check_site(g->cx, g->at));
  op->at = x->at;
  for (int i = 0; i < x->args.count; i++)
    ir_operand(p, op, operands[i]);
  for (int i = 0; i < x->ints.count; i++)
    ir_int(p, op, x->ints.data[i]);
  return op;
}

/* The operation itself where it can be seen from here, else what gives its value here. */
Op *grad_reach(Grad *g, Op *x) {
  Checker *cx = g->cx;
  if (g->failed || ir_block_encloses(x->parent, cx->block))
    return x;
  if (x->kind == OP_CONST)
    return tensor_op(cx, value_data(cx->arena, x->type.elem, x->type.shape, x->data, x->data_count));
  if (is_cheap(x))
    return made_again(g, x);
  Op *control = x->parent->owner;
  if (control->kind == OP_IF)
    return grad_reach(g, kept(g, control, x));
  const Value *pass = level_of(g, control)->pass;
  if (x == control->blocks.data[0]->params.data[0])
    return tensor_op(cx, tensor_binary(cx, OP_ADD, pass, value_int(cx->arena, first_of(control)),
                                       shape_scalar(), NULL, g->at));
  Op *rows = kept(g, control, x);
  return g->failed ? x : row_of(g, grad_reach(g, rows), x, pass);
}

/* ---- what the inside uses of the outside --------------------------------------------------------------- */

typedef VEC(const Op *) OpList;

typedef struct OutsideUses {
  Grad *g;
  const Op *control;
  OpList list;
} OutsideUses;

static bool is_inside(const Op *control, const Op *op) {
  for (int i = 0; i < control->blocks.count; i++)
    if (ir_block_encloses(control->blocks.data[i], op->parent))
      return true;
  return false;
}

static void note_use(OutsideUses *u, const Op *op) {
  if (!grad_is_active(u->g, op) || is_inside(u->control, op))
    return;
  for (int i = 0; i < u->list.count; i++)
    if (u->list.data[i] == op)
      return;
  VEC_PUSH(u->g->cx->arena, &u->list, op);
}

static void note_yields(OutsideUses *u, const Op *control) {
  for (int i = 0; i < control->blocks.count; i++)
    for (int k = 0; k < control->blocks.data[i]->yields.count; k++)
      note_use(u, control->blocks.data[i]->yields.data[k]);
}

static void note_operands(Op *op, void *data) {
  OutsideUses *u = data;
  for (int i = 0; i < op->args.count; i++)
    note_use(u, op->args.data[i]);
  note_yields(u, op);
  const Ruled *r = op->note;
  for (int i = 0; r && i < r->count; i++) {
    Leaves leaves = {0};
    value_leaves(u->g->cx->arena, r->values[i], &leaves);
    for (int k = 0; k < leaves.list.count; k++)
      if (leaves.list.data[k]->op)
        note_use(u, leaves.list.data[k]->op);
  }
}

static OpList outside_uses(Grad *g, Op *control) {
  OutsideUses u = {.g = g, .control = control};
  for (int i = 0; i < control->blocks.count; i++)
    ir_walk(control->blocks.data[i], note_operands, &u);
  note_yields(&u, control);
  return u.list;
}

/* ---- running backwards --------------------------------------------------------------------------------- */

/* An adjoint as an operation at the place of all of them. */
static Op *settled(Grad *g, const Value *v, const IrType *type) {
  Checker *cx = g->cx;
  if (!v)
    v = tensor_broadcast(cx, value_fixed(cx->arena, 0.0), type->shape, g->at);
  if (g->secret)
    v = tensor_lift(cx, v, g->at);
  if (v->kind != VAL_TENSOR) {
    g->failed = true;
    v = value_fixed(cx->arena, 0.0);
  }
  return check_flow_leaf(cx, v);
}

static Place adjoint_place(const Grad *g) {
  return g->secret ? check_private_place(g->cx) : g->cx->pi;
}

/* Adds the results of a loop or branch that ran backwards, as many as `of`, to the adjoints of `of`. */
static void add_results(Grad *g, Op *back, const OpList *of, const Op *user) {
  Op **results = ARENA_ARRAY(g->cx->arena, Op *, of->count + 1);
  for (int k = 0; k < of->count; k++) {
    results[k] = ir_result(g->cx->program, g->cx->block, back, k, of->data[k]->type);
    results[k]->at = adjoint_place(g);
  }
  for (int k = 0; k < of->count && !g->failed; k++)
    grad_add(g, of->data[k], value_of(g->cx->arena, results[k]), user);
}

/* What flows through a loop backwards: the adjoints of what it carries, and of what it uses from outside. */
typedef struct Flowing {
  const Op *inside, *outside; /* parameter and initial value; NULL and the value of the outside */
  const Op *yield;
  const Value *start;
} Flowing;

typedef VEC(Flowing) FlowingList;

static FlowingList flowing_of(Grad *g, Op *loop, const Value *const *results) {
  FlowingList list = {0};
  const IrBlock *body = loop->blocks.data[0];
  OpList outside = outside_uses(g, loop);
  for (int k = 0; k < body->yields.count; k++) {
    const Op *inside = body->params.data[1 + k];
    if (grad_is_active(g, inside))
      VEC_PUSH(g->cx->arena, &list,
               ((Flowing){inside, loop->args.data[2 + k], body->yields.data[k], results[k]}));
  }
  for (int i = 0; i < outside.count; i++)
    VEC_PUSH(g->cx->arena, &list, ((Flowing){NULL, outside.data[i], NULL, grad_take(g, outside.data[i])}));
  return list;
}

static const IrType *flowing_type(const Flowing *f) {
  return f->inside ? &f->inside->type : &f->outside->type;
}

/* One pass backwards, in the block of the new loop. */
static void reverse_pass(Grad *g, Op *loop, IrBlock *block, const FlowingList *flowing, const Value *pass) {
  Checker *cx = g->cx;
  GradLevel level = {g->level, loop, pass};
  g->level = &level;
  for (int k = 0; k < flowing->count; k++)
    if (!flowing->data[k].inside)
      grad_add(g, flowing->data[k].outside, value_of(cx->arena, block->params.data[1 + k]), loop);
  for (int k = 0; k < flowing->count; k++)
    if (flowing->data[k].inside)
      grad_add(g, flowing->data[k].yield, value_of(cx->arena, block->params.data[1 + k]), loop);
  grad_reverse_block(g, loop->blocks.data[0]);
  for (int k = 0; k < flowing->count; k++) {
    const Flowing *f = &flowing->data[k];
    VEC_PUSH(cx->arena, &block->yields,
             settled(g, grad_take(g, f->inside ? f->inside : f->outside), flowing_type(f)));
  }
  g->level = level.outer;
}

static void reverse_for(Grad *g, Op *loop, const Value *const *results) {
  Checker *cx = g->cx;
  IrBlock *outer = cx->block;
  int64_t low, count;
  if (!bounds_of(loop, &low, &count)) {
    grad_blocked(g, loop, "a loop whose number of passes is known only when it runs");
    return;
  }
  FlowingList flowing = flowing_of(g, loop, results);
  Op **starts = ARENA_ARRAY(cx->arena, Op *, flowing.count + 2);
  starts[0] = tensor_op(cx, value_int(cx->arena, 0));
  starts[1] = tensor_op(cx, value_int(cx->arena, count));
  for (int k = 0; k < flowing.count; k++)
    starts[2 + k] = settled(g, flowing.data[k].start, flowing_type(&flowing.data[k]));
  Op *back = ir_op(cx->program, outer, OP_FOR, (IrType){0}, check_site(cx, g->at));
  back->at = cx->pi;
  for (int k = 0; k < flowing.count + 2; k++)
    ir_operand(cx->program, back, starts[k]);
  IrBlock *block = ir_block(cx->program, back);
  Op *index = ir_arg(cx->program, block, (IrType){.elem = EL_INT}, back->site);
  index->at = cx->pi;
  for (int k = 0; k < flowing.count; k++)
    ir_arg(cx->program, block, *flowing_type(&flowing.data[k]), back->site)->at = adjoint_place(g);
  cx->block = block;
  const Value *pass = tensor_binary(cx, OP_SUB, value_int(cx->arena, count - 1), value_of(cx->arena, index),
                                    shape_scalar(), NULL, g->at);
  reverse_pass(g, loop, block, &flowing, pass);
  cx->block = outer;
  OpList outside = {0};
  for (int k = 0; k < flowing.count; k++)
    VEC_PUSH(cx->arena, &outside, flowing.data[k].outside);
  add_results(g, back, &outside, loop);
}

/* One block of a branch: what it adds to the adjoints of the outside. */
static void reverse_arm(Grad *g, Op *branch, int arm, IrBlock *block, const Value *const *results, int count,
                        const OpList *outside) {
  const IrBlock *forward = branch->blocks.data[arm];
  IrBlock *outer = g->cx->block;
  const Value **before = ARENA_ARRAY(g->cx->arena, const Value *, outside->count + 1);
  for (int i = 0; i < outside->count; i++)
    before[i] = grad_take(g, outside->data[i]);
  g->cx->block = block;
  for (int k = 0; k < count; k++)
    if (results[k])
      grad_add(g, forward->yields.data[k], results[k], branch);
  grad_reverse_block(g, forward);
  for (int i = 0; i < outside->count; i++)
    VEC_PUSH(g->cx->arena, &block->yields,
             settled(g, grad_take(g, outside->data[i]), &outside->data[i]->type));
  g->cx->block = outer;
  for (int i = 0; i < outside->count; i++)
    if (before[i])
      grad_add(g, outside->data[i], before[i], branch);
}

static void reverse_if(Grad *g, Op *branch, const Value *const *results, int count) {
  Checker *cx = g->cx;
  OpList outside = outside_uses(g, branch);
  Op *condition = grad_reach(g, branch->args.data[0]);
  Op *back = ir_op(cx->program, cx->block, OP_IF, (IrType){0}, check_site(cx, g->at));
  back->at = cx->pi;
  ir_operand(cx->program, back, condition);
  IrBlock *blocks[] = {ir_block(cx->program, back), ir_block(cx->program, back)};
  for (int i = 0; i < 2 && !g->failed; i++)
    reverse_arm(g, branch, i, blocks[i], results, count, &outside);
  add_results(g, back, &outside, branch);
}

void grad_reverse_control(Grad *g, Op *control, const IrBlock *b, int at) {
  const IrBlock *first = control->blocks.data[control->blocks.count - 1];
  int count = first->yields.count;
  const Value **results = ARENA_ARRAY(g->cx->arena, const Value *, count + 1);
  bool any = false;
  for (int i = at + 1;
       i < b->ops.count && b->ops.data[i]->kind == OP_RESULT && b->ops.data[i]->args.data[0] == control;
       i++) {
    const Op *r = b->ops.data[i];
    const Value *v = grad_is_target(g, r) ? NULL : grad_take(g, r);
    results[r->ints.data[0]] = v;
    if (v && !any)
      grad_pass_on(g, r, control);
    any = any || v;
  }
  if (!any)
    return;
  if (control->kind == OP_FOR)
    reverse_for(g, control, results);
  else if (control->kind == OP_IF)
    reverse_if(g, control, results, count);
  else
    grad_blocked(g, control, "a `while` loop");
}
