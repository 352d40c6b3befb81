/* Structured control flow (see check_flow.h), and conditions (rule F4). */
#include "check_flow.h"

#include "tensor.h"

/* ---- marks and snapshots ------------------------------------------------------------------------------- */

VarList check_flow_changeable(Checker *cx) {
  VarList list = scope_changeable(cx->arena, cx->frame);
  for (int i = 0; i < cx->states.count; i++)
    VEC_PUSH(cx->arena, &list, cx->states.data[i]);
  return list;
}

Snapshot check_flow_snapshot(Checker *cx) {
  Snapshot s = {.vars = check_flow_changeable(cx)};
  for (int i = 0; i < s.vars.count; i++)
    VEC_PUSH(cx->arena, &s.values, s.vars.data[i]->value);
  return s;
}

void check_flow_restore(const Snapshot *s) {
  for (int i = 0; i < s->vars.count; i++)
    s->vars.data[i]->value = s->values.data[i];
}

Mark check_flow_mark(Checker *cx) {
  int n = cx->block->ops.count;
  return (Mark){check_flow_snapshot(cx),
                cx->block,
                n ? cx->block->ops.data[n - 1] : NULL,
                diag_mark(cx->diags),
                cx->program->reveals.count,
                cx->program->slots.count,
                cx->frame->vars.count,
                cx->frame->block,
                cx->states.count,
                cx->carried.count,
                cx->times};
}

void check_flow_drop(Checker *cx, const Mark *m) {
  cx->block = m->block;
  while (cx->block->ops.count && cx->block->ops.data[cx->block->ops.count - 1] != m->last)
    cx->block->ops.count--; /* not a number of operations: `grad` may have put some in front of the mark */
}

void check_flow_rollback(Checker *cx, const Mark *m) {
  check_flow_restore(&m->vars);
  check_flow_drop(cx, m);
  cx->carried.count = m->carried;
  diag_rollback(cx->diags, m->diags);
  cx->program->reveals.count = m->reveals;
  cx->program->slots.count = m->slots;
  cx->frame->vars.count = m->frame_vars;
  cx->frame->block = m->frame_block;
  cx->times = m->times;
}

/* A leaf as an operation in the present block, at its own place. */
Op *check_flow_leaf(Checker *cx, const Value *leaf) {
  bool constant = !leaf->op;
  Op *op = tensor_op(cx, leaf);
  if (constant && leaf->place.kind != PLACE_PUBLIC)
    op->at = leaf->place;
  return op;
}

int64_t check_times(const Checker *cx, int64_t passes) {
  int64_t n;
  if (cx->times < 0 || passes < 0 || __builtin_mul_overflow(cx->times, passes, &n))
    return -1;
  return n;
}

/* ---- flow flags ---------------------------------------------------------------------------------------- */

Var *check_flow_hidden(Checker *cx, const Value *v) {
  return scope_add(cx->arena, cx->frame, NULL, v, true);
}

static int flags_of(const Frame *f, Var **flags) {
  int n = 0;
  if (f->returned)
    flags[n++] = f->returned;
  if (f->broke)
    flags[n++] = f->broke;
  if (f->continued)
    flags[n++] = f->continued;
  return n;
}

Flow check_flow_now(const Checker *cx) {
  Var *flags[3];
  int n = flags_of(cx->frame, flags);
  Flow flow = FLOW_ON;
  for (int i = 0; i < n; i++) {
    bool set;
    if (!value_const_bool(flags[i]->value, &set))
      flow = FLOW_MAYBE;
    else if (set)
      return FLOW_STOP;
  }
  return flow;
}

/* true while no flag is set */
const Value *check_flow_going_on(Checker *cx, Span at) {
  Var *flags[3];
  int n = flags_of(cx->frame, flags);
  const Value *any = value_bool(cx->arena, false);
  for (int i = 0; i < n; i++)
    if (!flags[i]->value->data)
      any = any->data ? flags[i]->value
                      : tensor_binary(cx, OP_OR, any, flags[i]->value, shape_scalar(), NULL, at);
  return tensor_unary(cx, OP_NOT, any, NULL, at);
}

void check_flow_clear(Checker *cx) {
  Var *flags[3];
  int n = flags_of(cx->frame, flags);
  for (int i = 0; i < n; i++)
    if (!flags[i]->value->data)
      flags[i]->value = value_bool(cx->arena, false);
}

/* ---- branches ------------------------------------------------------------------------------------------ */

typedef struct Branch {
  IrBlock *block;
  VEC(const Value *) after; /* values of the variables, in the order of the merged list */
} Branch;

const Value *check_flow_zeros(Checker *cx, const Value *v) {
  Leaves leaves = {0};
  int next = 0;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind != VAL_TENSOR)
      continue;
    uint64_t *zero = ARENA_NEW(cx->arena, uint64_t);
    leaves.list.data[i] = value_data(cx->arena, leaf->elem, leaf->shape, zero, 1);
  }
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

static bool same_leaf(const Value *a, const Value *b) {
  return a == b || (a->op && a->op == b->op) || value_same_data(a, b) ||
         (a->kind == VAL_STRING && b->kind == VAL_STRING && strcmp(a->text, b->text) == 0);
}

bool check_flow_same_form(const Value *a, const Value *b) {
  if (a->kind != b->kind || a->count != b->count || a->st != b->st)
    return false;
  for (int i = 0; i < a->count; i++)
    if (!check_flow_same_form(a->items[i], b->items[i]))
      return false;
  return a->kind != VAL_TENSOR || shape_equal(&a->shape, &b->shape);
}

static Place joined_place(Checker *cx, const Value *a, const Value *b) {
  if (a->place.kind == PLACE_PUBLIC && b->place.kind == PLACE_PUBLIC)
    return cx->pi;
  return a->place.kind == PLACE_PUBLIC ? b->place : a->place;
}

/* Leaf of a branch, as its block yields it. */
static Op *yielded(Checker *cx, Branch *b, const Value *leaf, Elem elem, Place place, Span at) {
  IrBlock *outer = cx->block;
  cx->block = b->block;
  if (elem == EL_FIXED)
    leaf = tensor_to_fixed(cx, leaf, at);
  const Value *placed = check_to_place(cx, leaf, place, NULL, at);
  Op *op = check_flow_leaf(cx, placed ? placed : leaf);
  cx->block = outer;
  return op;
}

static const Value *merge_leaf(Checker *cx, Op *branch, Branch *b, const Value *x, const Value *y, Span at) {
  if (same_leaf(x, y) || x->kind != VAL_TENSOR || y->kind != VAL_TENSOR)
    return x;
  Elem elem = x->elem == y->elem ? x->elem : EL_FIXED;
  Place place = joined_place(cx, x, y);
  int k = b[0].block->yields.count;
  VEC_PUSH(cx->arena, &b[0].block->yields, yielded(cx, &b[0], x, elem, place, at));
  VEC_PUSH(cx->arena, &b[1].block->yields, yielded(cx, &b[1], y, elem, place, at));
  Op *op = ir_result(cx->program, cx->block, branch, k, (IrType){.elem = elem, .shape = x->shape});
  op->at = place;
  Value *v = value_new(cx->arena, VAL_TENSOR);
  *v = *value_of(cx->arena, op);
  v->origin = x->origin ? x->origin : y->origin;
  return v;
}

static const Value *merge_value(Checker *cx, Op *branch, Branch *b, const Value *x, const Value *y, Span at) {
  if (x == y || (!x && !y))
    return x;
  if (!x || !y) /* a result that only one branch sets: the other's is never read */
    return x ? merge_value(cx, branch, b, x, check_flow_zeros(cx, x), at)
             : merge_value(cx, branch, b, check_flow_zeros(cx, y), y, at);
  if (value_is_poison(x) || value_is_poison(y))
    return &value_poison;
  if (!check_flow_same_form(x, y)) {
    CHECK_DIAG(cx, E0208, at, value_type_text(cx->arena, x), value_type_text(cx->arena, y));
    return &value_poison;
  }
  Leaves l = {0}, r = {0};
  int next = 0;
  value_leaves(cx->arena, x, &l);
  value_leaves(cx->arena, y, &r);
  for (int i = 0; i < l.list.count; i++)
    l.list.data[i] = merge_leaf(cx, branch, b, l.list.data[i], r.list.data[i], at);
  return value_rebuild(cx->arena, x, l.list.data, &next);
}

/* OP_IF on a run-time condition; then and other run with cx->block set to their block. */
void check_flow_branch(Checker *cx, const Value *condition, Body *then, const void *then_data, Body *other,
                       const void *other_data, Span at) {
  IrBlock *outer = cx->block;
  Op *c = tensor_op(cx, condition);
  Op *op = ir_op(cx->program, outer, OP_IF, (IrType){0}, check_site(cx, at));
  op->at = cx->pi;
  ir_operand(cx->program, op, c);
  Branch b[2] = {{.block = ir_block(cx->program, op)}, {.block = ir_block(cx->program, op)}};
  Snapshot before = check_flow_snapshot(cx);
  cx->block = b[0].block;
  then(cx, then_data);
  VarList vars = check_flow_changeable(cx); /* generator states may have appeared */
  for (int i = 0; i < vars.count; i++)
    VEC_PUSH(cx->arena, &b[0].after, vars.data[i]->value);
  int states = cx->states.count;
  check_flow_restore(&before);
  for (int i = before.vars.count; i < vars.count; i++)
    vars.data[i]->value = vars.data[i]->init_value;
  cx->block = b[1].block;
  if (other)
    other(cx, other_data);
  cx->block = outer;
  for (int i = 0; i < vars.count; i++) {
    const Value *x = b[0].after.data[i], *y = vars.data[i]->value;
    vars.data[i]->value = merge_value(cx, op, b, x, y, at);
  }
  for (int i = states; i < cx->states.count; i++) /* states that the second block brought */
    cx->states.data[i]->value =
        merge_value(cx, op, b, cx->states.data[i]->init_value, cx->states.data[i]->value, at);
}

/* ---- conditions ---------------------------------------------------------------------------------------- */

static void private_condition(Checker *cx, const Value *v, const Expr *e, const char *word, DiagCode code) {
  const Value *from;
  const char *text = span_text(cx->arena, e->span);
  const Expr *name = check_find_name(cx, e, PLACE_PRIVATE, &from);
  Diag *d = check_chained(cx, diag_new(cx->diags, code, e->span, word));
  diag_label(d, "%s", check_place_text(cx, v, true));
  if (code == DIAG_E0302) {
    diag_note(d, "which branch runs would tell every party whether %s", text);
    const Stmt *s = cx->branch;
    const Stmt *only =
        s && s->kind == ST_IF && s->block->stmts.count == 1 && !s->other ? s->block->stmts.data[0] : NULL;
    if (only && only->kind == ST_ASSIGN && only->op < 0) {
      const char *target = span_text(cx->arena, only->target->span);
      diag_help(d, "compute both and pick one secretly: `%s = select(%s, %s, %s)`", target, text,
                span_text(cx->arena, only->value->span), target);
    } else {
      diag_help(d, "compute both and pick one secretly: `select(%s, ..., ...)`", text);
    }
    diag_help(d, "or publish the condition: `if reveal %s { ... }`", text);
    return;
  }
  if (strcmp(word, "while") == 0) {
    diag_note(d, "the number of rounds would tell every party about `%s`", name ? name->name : text);
    diag_help(d, "run a fixed number of steps: `for i in 0..20 { ... }`");
    diag_help(
        d,
        "or publish one bit per step: `while reveal %s { ... }` (listed 1 per iteration in the reveal list)",
        text);
    return;
  }
  diag_help(d, "publish it: `%s reveal %s`", word, text);
}

const Value *check_condition(Checker *cx, const Expr *e, const char *word, DiagCode code) {
  const Value *v = check_operand(cx, check_expr(cx, e, NULL), e);
  if (value_is_poison(v))
    return NULL;
  if (v->kind != VAL_TENSOR || v->elem != EL_BOOL || v->shape.rank != 0) {
    Diag *d = CHECK_DIAG(cx, E0216, e->span, word, value_type_text(cx->arena, v));
    if (v->kind == VAL_TENSOR && v->elem == EL_BOOL)
      diag_help(d, "`all(...)` or `any(...)` make one bool of many");
    return NULL;
  }
  if (strcmp(word, "assert") == 0)
    v = check_test_reveal(cx, v, e->span);
  if (v->place.kind == PLACE_PRIVATE) {
    private_condition(cx, v, e, word, code);
    return NULL;
  }
  return v;
}
