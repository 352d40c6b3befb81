/* Reverse-mode differentiation: `grad(e, v)` (see grad.h).
 *
 * What e was computed from is found in the operations made so far: all that depends on the value that v has now, also
 * through other variables. Then they are walked backwards, each once; each adds to the adjoints of its operands. A
 * function with rules of its own (`grad f.x(dy)`) is not entered: its result carries a note that says so. */
#include "grad.h"

#include <stdlib.h>

#include "check_flow.h"
#include "tensor.h"

/* ---- adjoints ------------------------------------------------------------------------------------------ */

static bool is_tracked(const Grad *g, const Op *op) {
  return op->id >= g->base && op->id < g->limit;
}

bool grad_is_active(const Grad *g, const Op *op) {
  return is_tracked(g, op) && g->active[op->id - g->base];
}

bool grad_is_target(const Grad *g, const Op *op) {
  return is_tracked(g, op) && g->target[op->id - g->base];
}

void grad_add(Grad *g, const Op *op, const Value *v, const Op *user) {
  if (!grad_is_active(g, op))
    return;
  const Value **sum = &g->adjoint[op->id - g->base];
  if (v->kind != VAL_TENSOR) {
    g->failed = true;
    return;
  }
  if (!g->user[op->id - g->base])
    g->user[op->id - g->base] = user;
  *sum = *sum ? tensor_binary(g->cx, OP_ADD, *sum, v, op->type.shape, NULL, g->at) : v;
}

/* For messages: the loop or branch of a result was reached as that was. */
void grad_pass_on(Grad *g, const Op *result, const Op *control) {
  if (is_tracked(g, control))
    g->user[control->id - g->base] = result;
}

const Value *grad_take(Grad *g, const Op *op) {
  if (!is_tracked(g, op))
    return NULL;
  const Value *v = g->adjoint[op->id - g->base];
  g->adjoint[op->id - g->base] = NULL;
  return v;
}

/* ---- what depends on the targets ----------------------------------------------------------------------- */

static bool activate(Grad *g, const Op *op) {
  if (!is_tracked(g, op) || g->active[op->id - g->base])
    return false;
  return g->active[op->id - g->base] = true;
}

static bool rule_applies(const Grad *g, const Ruled *r) {
  for (int i = 0; i < r->count; i++) {
    Leaves leaves = {0};
    if (!check_rule_of(r, r->names[i]))
      continue;
    value_leaves(g->cx->arena, r->values[i], &leaves);
    for (int k = 0; k < leaves.list.count; k++)
      if (leaves.list.data[k]->op && grad_is_active(g, leaves.list.data[k]->op))
        return true;
  }
  return false;
}

static bool depends(const Grad *g, const Op *op) {
  if (op->note)
    return rule_applies(g, op->note);
  switch (op->kind) {
  case OP_REVEAL:
  case OP_FLOOR:
  case OP_ROUND:
  case OP_SIGN: return false;
  default: break;
  }
  for (int i = 0; i < op->args.count; i++)
    if (grad_is_active(g, op->args.data[i]))
      return true;
  return false;
}

static bool mark_block(Grad *g, const IrBlock *b, int from);

/* Values that a loop carries, until nothing changes any more. `first`: parameters before them. */
static bool mark_loop(Grad *g, const Op *op) {
  bool any = false, more = true;
  const IrBlock *body = op->blocks.data[op->blocks.count - 1];
  int first = op->kind == OP_FOR ? 1 : 0, inits = op->kind == OP_FOR ? 2 : 0;
  while (more) {
    more = false;
    for (int k = 0; k < body->yields.count; k++)
      if (grad_is_active(g, op->args.data[inits + k]) || grad_is_active(g, body->yields.data[k]))
        more = activate(g, body->params.data[first + k]) || more;
    more = mark_block(g, body, 0) || more;
    any = any || more;
  }
  return any;
}

static bool result_depends(const Grad *g, const Op *op) {
  const Op *control = op->args.data[0];
  int k = (int)op->ints.data[0];
  if (control->kind == OP_IF)
    return grad_is_active(g, control->blocks.data[0]->yields.data[k]) ||
           grad_is_active(g, control->blocks.data[1]->yields.data[k]);
  const IrBlock *body = control->blocks.data[control->blocks.count - 1];
  return grad_is_active(g, body->params.data[k + (control->kind == OP_FOR)]);
}

static bool mark_op(Grad *g, const Op *op) {
  if (op->kind == OP_FOR || op->kind == OP_WHILE)
    return mark_loop(g, op);
  if (op->kind == OP_IF) {
    bool then = mark_block(g, op->blocks.data[0], 0), other = mark_block(g, op->blocks.data[1], 0);
    return then || other;
  }
  if (op->type.elem != EL_FIXED || !is_tracked(g, op) || grad_is_active(g, op))
    return false;
  return (op->kind == OP_RESULT ? result_depends(g, op) : depends(g, op)) && activate(g, op);
}

static bool mark_block(Grad *g, const IrBlock *b, int from) {
  bool any = false;
  for (int i = from; i < b->ops.count; i++)
    any = mark_op(g, b->ops.data[i]) || any;
  return any;
}

/* Index of the first operation of a block behind the last one that is older than the targets. */
static int first_tracked(const Grad *g, const IrBlock *b) {
  int i = b->ops.count;
  while (i > 0 && b->ops.data[i - 1]->id >= g->base)
    i--;
  return i;
}

/* Operations that are visible here, the outermost first. The loop or branch that is being elaborated is the last
 * operation of its block, and unfinished. */
static void mark_visible(Grad *g, const IrBlock *b, bool unfinished) {
  if (b->owner)
    mark_visible(g, b->owner->parent, true);
  for (int i = first_tracked(g, b); i < b->ops.count - unfinished; i++)
    mark_op(g, b->ops.data[i]);
}

/* ---- the walk backwards -------------------------------------------------------------------------------- */

static const Value *reached_value(Grad *g, const Value *v) {
  Leaves leaves = {0};
  int next = 0;
  value_leaves(g->cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i]->kind == VAL_TENSOR && leaves.list.data[i]->op)
      leaves.list.data[i] = grad_value(g, leaves.list.data[i]->op);
  return value_rebuild(g->cx->arena, v, leaves.list.data, &next);
}

static void add_leaves(Grad *g, const Value *parameter, const Value *adjoint, const Op *user) {
  Leaves of = {0}, from = {0};
  value_leaves(g->cx->arena, parameter, &of);
  value_leaves(g->cx->arena, adjoint, &from);
  for (int i = 0; i < of.list.count && i < from.list.count; i++)
    if (of.list.data[i]->op)
      grad_add(g, of.list.data[i]->op, from.list.data[i], user);
}

/* The rules of the function that gave this value. */
static void reverse_ruled(Grad *g, Op *op, const Value *dy) {
  const Ruled *r = op->note;
  Ruled here = *r;
  const Value **values = ARENA_ARRAY(g->cx->arena, const Value *, r->count + 1);
  for (int i = 0; i < r->count; i++)
    values[i] = reached_value(g, r->values[i]);
  here.values = values;
  const Value *result = grad_value(g, op);
  for (int i = 0; i < r->count; i++) {
    const Decl *rule = check_rule_of(r, r->names[i]);
    if (rule &&
        rule_applies(
            g, &(Ruled){
                   .unit = r->unit, .fn = r->fn, .count = 1, .names = &r->names[i], .values = &r->values[i]}))
      add_leaves(g, r->values[i], check_rule(g->cx, &here, rule, values[i], result, dy, g->at), op);
  }
}

static void reverse_op(Grad *g, const IrBlock *b, int at) {
  Op *op = b->ops.data[at];
  if (op->kind == OP_FOR || op->kind == OP_WHILE || op->kind == OP_IF) {
    grad_reverse_control(g, op, b, at);
    return;
  }
  if (op->kind == OP_RESULT || grad_is_target(g, op)) /* results are taken by their loop or branch */
    return;
  const Value *dy = grad_take(g, op);
  if (!dy)
    return;
  if (op->note)
    reverse_ruled(g, op, dy);
  else if (!grad_rule(g, op, dy))
    grad_blocked(
        g, op, arena_printf(g->cx->arena, "`%s`", op->kind == OP_APPLY ? op->text : op_info[op->kind].name));
}

static void reverse_from(Grad *g, const IrBlock *b, int count) {
  for (int i = count - 1; i >= 0 && !g->failed; i--)
    if (b->ops.data[i]->id < g->limit)
      reverse_op(g, b, i);
}

void grad_reverse_block(Grad *g, const IrBlock *b) {
  reverse_from(g, b, b->ops.count);
}

static void reverse_visible(Grad *g, const IrBlock *b, bool unfinished) {
  int first = first_tracked(g, b);
  for (int i = b->ops.count - 1 - unfinished; i >= first && !g->failed; i--)
    if (b->ops.data[i]->id < g->limit)
      reverse_op(g, b, i);
  if (b->owner && !g->failed)
    reverse_visible(g, b->owner->parent, true);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

static const char *step_text(Grad *g, const Op *op) {
  const char *text = span_text(g->cx->arena, op->site->span);
  return arena_printf(g->cx->arena, "`%s` (%s)", text, source_where(g->cx->arena, op->site->span));
}

static bool same_place(const Op *a, const Op *b) {
  return a->site->span.source == b->site->span.source && a->site->span.start == b->site->span.start &&
         a->site->span.end == b->site->span.end;
}

/* From v to the operation, and on to e; steps of one expression are one. */
static const char *path_text(Grad *g, const Op *op) {
  const char *text = step_text(g, op);
  for (const Op *o = op, *next; !grad_is_target(g, o); o = next) {
    next = NULL;
    for (int i = 0; i < o->args.count && !next; i++)
      next = grad_is_active(g, o->args.data[i]) ? o->args.data[i] : NULL;
    if (!next)
      break;
    if (!same_place(next, o) && !grad_is_target(g, next) && next->site)
      text = arena_printf(g->cx->arena, "%s, %s", step_text(g, next), text);
  }
  const Op *last = op;
  for (const Op *o = op; o && is_tracked(g, o); o = g->user[o->id - g->base]) {
    if (!same_place(o, last))
      text = arena_printf(g->cx->arena, "%s, %s", text, step_text(g, o));
    last = o;
  }
  return text;
}

void grad_blocked(Grad *g, const Op *op, const char *what) {
  g->failed = true;
  Diag *d = CHECK_DIAG(g->cx, E0503, g->at, what);
  diag_label(d, "must pass it");
  if (op->site->span.source == g->at.source)
    diag_also(d, op->site->span, "here");
  diag_note(d, "the way from the variable to the number: %s", path_text(g, op));
}

static const Value *needs(Checker *cx, Span at, const char *what) {
  CHECK_DIAG(cx, E0507, at, what);
  return &value_poison;
}

/* ---- values that a loop around carries ----------------------------------------------------------------- */

/* A gradient by something from outside of a loop that the `grad` is in. What the loop carries may depend on it too,
 * by way of earlier passes; that is known when the loop is finished. */
struct GradCarried {
  Span at;
  const Op *number;
  VEC(const Op *) targets;
  VEC(IrBlock *) bodies; /* of the loops between the target and the `grad` */
};

static void note_carried(Grad *g, const Op *number, const Leaves *targets) {
  Checker *cx = g->cx;
  GradCarried *c = ARENA_NEW(cx->arena, GradCarried);
  *c = (GradCarried){.at = g->at, .number = number};
  for (int i = 0; i < targets->list.count; i++)
    VEC_PUSH(cx->arena, &c->targets, targets->list.data[i]->op);
  for (IrBlock *b = cx->block; b->owner; b = b->owner->parent) {
    bool between = false;
    for (int i = 0; i < c->targets.count; i++)
      between = between || !ir_block_encloses(b, c->targets.data[i]->parent);
    if (between && b->owner->kind != OP_IF)
      VEC_PUSH(cx->arena, &c->bodies, b);
  }
  if (c->bodies.count)
    VEC_PUSH(cx->arena, &cx->carried, c);
}

static Grad marking(Checker *cx) {
  int n = cx->program->next_id;
  return (Grad){.cx = cx,
                .limit = n,
                .active = ARENA_ARRAY(cx->arena, bool, n),
                .target = ARENA_ARRAY(cx->arena, bool, n),
                .user = ARENA_ARRAY(cx->arena, const Op *, n)};
}

static void check_carried(Checker *cx, const GradCarried *c) {
  Grad on_target = marking(cx), on_carried = marking(cx);
  const Op *carried = NULL;
  for (int i = 0; i < c->targets.count; i++)
    activate(&on_target, c->targets.data[i]);
  mark_block(&on_target, cx->program->body, 0);
  for (int i = 0; i < c->bodies.count; i++)
    for (int k = 0; k < c->bodies.data[i]->params.count; k++) {
      const Op *param = c->bodies.data[i]->params.data[k];
      bool is_one = false;
      for (int j = 0; j < c->targets.count; j++)
        is_one = is_one || c->targets.data[j] == param;
      if (!is_one && grad_is_active(&on_target, param) && activate(&on_carried, param))
        carried = param;
    }
  if (!carried)
    return;
  mark_block(&on_carried, cx->program->body, 0);
  if (!grad_is_active(&on_carried, c->number))
    return;
  Diag *d = diag_new(cx->diags, DIAG_E0503, c->at, "what a loop carries from pass to pass");
  diag_label(d, "depends on the variable by way of earlier passes");
  diag_help(d, "take the gradient behind the loop, or by a variable that changes in the loop");
}

void grad_check_carried(Checker *cx) {
  for (int i = 0; i < cx->carried.count; i++)
    check_carried(cx, cx->carried.data[i]);
}

/* ---- the expression ------------------------------------------------------------------------------------ */

static Var *variable_of(Checker *cx, const Expr *v) {
  while (v->kind == EX_FIELD)
    v = v->left;
  return v->kind == EX_NAME ? scope_find(cx->frame, v->name) : NULL;
}

/* A constant as an operation that is not one, so that it can be told from equal ones and nothing is folded into it. */
static const Value *cut_leaf(Checker *cx, const Value *leaf) {
  const Value *v = value_of(cx->arena, tensor_op(cx, leaf));
  return tensor_make(cx, OP_RESHAPE, &v, 1, NULL, 0, EL_FIXED, v->shape, cx->pi, cx->here);
}

static const Value *cut(Checker *cx, const Value *v) {
  Leaves leaves = {0};
  int next = 0;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind == VAL_TENSOR && leaf->elem == EL_FIXED && !leaf->op)
      leaves.list.data[i] = cut_leaf(cx, leaf);
  }
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

static bool is_leaf_of(Checker *cx, const Value *whole, const Value *leaf) {
  Leaves leaves = {0};
  value_leaves(cx->arena, whole, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i] == leaf || (leaf->op && leaves.list.data[i]->op == leaf->op))
      return true;
  return false;
}

/* The leaves of a value, that of expression e, which is to be a part of `whole`. */
static bool are_targets(Checker *cx, const Expr *e, const Value *value, const Value *whole,
                        const Leaves *leaves) {
  for (int i = 0; i < leaves->list.count; i++) {
    const Value *leaf = leaves->list.data[i];
    if (leaf->kind != VAL_TENSOR || leaf->elem != EL_FIXED) {
      const char *field = value_leaf_path(cx->arena, value, i), *type = value_type_text(cx->arena, leaf);
      needs(cx, e->span,
            field ? arena_printf(cx->arena, "a variable made of fixed numbers; field `%s` is %s", field, type)
                  : arena_printf(cx->arena, "a variable made of fixed numbers, not %s", type));
      return false;
    }
    if (!is_leaf_of(cx, whole, leaf)) {
      needs(cx, e->span, "a variable or a field of one");
      return false;
    }
  }
  return true;
}

static bool is_scalar(Checker *cx, const Expr *e, const Value *v) {
  if (v->kind == VAL_TENSOR && v->elem == EL_FIXED && v->shape.rank == 0)
    return true;
  needs(cx, e->span,
        arena_printf(cx->arena, "a single fixed number, not %s",
                     v->kind == VAL_VOID ? "nothing" : value_type_text(cx->arena, v)));
  return false;
}

static void begin(Grad *g, const Leaves *targets) {
  g->limit = g->cx->program->next_id;
  g->base = g->limit;
  for (int i = 0; i < targets->list.count; i++)
    if (targets->list.data[i]->op->id < g->base)
      g->base = targets->list.data[i]->op->id;
  int n = g->limit - g->base + 1;
  g->active = ARENA_ARRAY(g->cx->arena, bool, n);
  g->target = ARENA_ARRAY(g->cx->arena, bool, n);
  g->adjoint = ARENA_ARRAY(g->cx->arena, const Value *, n);
  g->user = ARENA_ARRAY(g->cx->arena, const Op *, n);
  for (int i = 0; i < targets->list.count; i++) {
    int id = targets->list.data[i]->op->id - g->base;
    g->active[id] = g->target[id] = true;
  }
}

/* The derivative by one part of v: zeros if e does not depend on it. */
static const Value *part_of(Grad *g, const Value *leaf) {
  const Value *adjoint = grad_take(g, leaf->op);
  if (!adjoint)
    adjoint = tensor_broadcast(g->cx, value_fixed(g->cx->arena, 0.0), leaf->shape, g->at);
  return g->secret ? tensor_lift(g->cx, adjoint, g->at) : adjoint;
}

/* The adjoints of v's parts, once e has been seeded with 1. */
static const Value *differentiate(Checker *cx, const Expr *e, const Value *y, const Value *v,
                                  Leaves *targets) {
  Grad g = {.cx = cx, .at = e->span, .secret = y->place.kind == PLACE_PRIVATE};
  int next = 0;
  if (targets->list.count)
    begin(&g, targets);
  mark_visible(&g, cx->block, false);
  if (!y->op || !grad_is_active(&g, y->op)) {
    const char *of = span_text(cx->arena, e->args.data[1].value->span);
    Diag *d = CHECK_DIAG(cx, W0613, e->span, of);
    diag_label(d, "all zeros");
  } else {
    note_carried(&g, y->op, targets);
    grad_add(&g, y->op, value_fixed(cx->arena, 1.0), NULL);
    reverse_visible(&g, cx->block, false);
  }
  if (g.failed)
    return &value_poison;
  for (int i = 0; i < targets->list.count; i++)
    targets->list.data[i] = part_of(&g, targets->list.data[i]);
  return value_rebuild(cx->arena, v, targets->list.data, &next);
}

const Value *grad_check(Checker *cx, const Expr *e) {
  if (e->args.count != 2 || e->args.data[0].name || e->args.data[1].name)
    return needs(cx, e->span, "an expression and a variable: `grad(e, v)`");
  const Expr *number = e->args.data[0].value, *variable = e->args.data[1].value;
  Var *root = variable_of(cx, variable);
  if (!root)
    return needs(cx, variable->span, "a variable or a field of one");
  const Value *before = root->value, *during = before ? cut(cx, before) : before;
  root->value = during;
  const Value *v = check_expr(cx, variable, NULL);
  const Value *y = value_is_poison(v) ? v : check_operand(cx, check_expr(cx, number, NULL), number);
  root->value = root->value == during ? before : root->value;
  Leaves targets = {0};
  if (value_is_poison(v) || value_is_poison(y))
    return &value_poison;
  value_leaves(cx->arena, v, &targets);
  if (!are_targets(cx, variable, v, during, &targets) || !is_scalar(cx, number, y))
    return &value_poison;
  return differentiate(cx, e, y, v, &targets);
}
