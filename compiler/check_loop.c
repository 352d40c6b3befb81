/* Loops. What a body changes is found by running it: variables that it may change come in as block
 * parameters, and those that come back as they were are taken out again. If that guess was wrong, or a
 * compile-time value was lost by it, everything the body did is rolled back and it is run once more. A
 * `for` whose index must be known is written out. */
#include <assert.h>
#include <inttypes.h>

#include "check_flow.h"
#include "tensor.h"

enum { LONG_UNROLLING = 1000, LONGEST_UNROLLING = 100000 };

/* ---- what a body may change ---------------------------------------------------------------------------- */

typedef struct Changes {
  Checker *cx;
  VEC(const char *) names;
  bool breaks, continues, returns;
} Changes;

static void note_name(Changes *c, const Expr *e) {
  const Expr *name = check_root_name(e);
  if (name->kind == EX_NAME)
    VEC_PUSH(c->cx->arena, &c->names, name->name);
}

static void changes_expr(Walk *w, const Expr *e) {
  Changes *c = w->data;
  if (e->kind != EX_CALL || !e->left->name || !check_changes_argument(c->cx, e->left->name))
    return;
  if (e->left->kind == EX_FIELD)
    note_name(c, e->left->left);
  for (int i = 0; i < e->args.count; i++)
    note_name(c, e->args.data[i].value);
}

static void changes_stmt(Walk *w, const Stmt *s) {
  Changes *c = w->data;
  if (s->kind == ST_ASSIGN)
    note_name(c, s->target);
  c->breaks = c->breaks || s->kind == ST_BREAK;
  c->continues = c->continues || s->kind == ST_CONTINUE;
  c->returns = c->returns || s->kind == ST_RETURN;
}

static Changes changes_of(Checker *cx, const Block *body, const Expr *condition) {
  Changes c = {.cx = cx};
  Walk w = {changes_expr, changes_stmt, &c};
  check_walk_block(&w, body);
  if (condition)
    check_walk_expr(&w, condition);
  return c;
}

/* ---- loops --------------------------------------------------------------------------------------------- */

/* One leaf of one variable that travels from pass to pass. */
typedef struct Carried {
  Var *var;
  int leaf;
  const Value *init;
  Op *param, *param2; /* in the body; in the condition block of a `while` */
} Carried;

typedef struct Carrying {
  VEC(Carried) list;
  VEC(Var *) vars; /* each once */
} Carrying;

static bool is_named(const Changes *c, const Var *x) {
  for (int i = 0; i < c->names.count; i++)
    if (c->names.data[i] == x->name)
      return true;
  return false;
}

/* First guess: what the text assigns to, the flags it sets, and every generator state. */
static void choose_carried(Checker *cx, const Changes *c) {
  VarList vars = check_flow_changeable(cx);
  const Frame *f = cx->frame;
  for (int i = 0; i < vars.count; i++) {
    Var *x = vars.data[i];
    x->carry = x->name ? is_named(c, x) : false;
    if (x == f->returned || x == f->result)
      x->carry = c->returns;
    else if (x == f->broke)
      x->carry = c->breaks;
  }
  for (int i = 0; i < cx->states.count; i++)
    cx->states.data[i]->carry = true;
}

static Carrying carried_vars(Checker *cx) {
  Carrying c = {0};
  VarList vars = check_flow_changeable(cx);
  for (int i = 0; i < vars.count; i++) {
    Var *x = vars.data[i];
    Leaves leaves = {0};
    if (!x->carry || !x->value || value_is_poison(x->value))
      continue;
    VEC_PUSH(cx->arena, &c.vars, x);
    value_leaves(cx->arena, x->value, &leaves);
    for (int k = 0; k < leaves.list.count; k++)
      if (leaves.list.data[k]->kind == VAL_TENSOR)
        VEC_PUSH(cx->arena, &c.list, ((Carried){.var = x, .leaf = k, .init = leaves.list.data[k]}));
  }
  return c;
}

static const Value *as_param(Checker *cx, const Value *init, Op *param) {
  Value *v = value_new(cx->arena, VAL_TENSOR);
  *v = *value_of(cx->arena, param);
  v->origin = init->origin;
  return v;
}

/* Sets the variables to the parameters of a block. second: of the condition block. */
static void enter_block(Checker *cx, Carrying *c, IrBlock *block, const Site *site, bool second) {
  for (int i = 0; i < c->vars.count; i++) {
    Var *x = c->vars.data[i];
    Leaves leaves = {0};
    int next = 0;
    value_leaves(cx->arena, x->value, &leaves);
    for (int k = 0; k < c->list.count; k++) {
      Carried *l = &c->list.data[k];
      if (l->var != x)
        continue;
      Op *p = ir_arg(cx->program, block, value_ir_type(l->init), site);
      p->at = l->init->place.kind == PLACE_PUBLIC ? cx->pi : l->init->place;
      *(second ? &l->param2 : &l->param) = p;
      leaves.list.data[l->leaf] = as_param(cx, l->init, p);
    }
    x->value = value_rebuild(cx->arena, x->value, leaves.list.data, &next);
  }
}

typedef enum Verdict { LOOP_DONE, LOOP_AGAIN, LOOP_UNROLL, LOOP_BROKEN } Verdict;

static const Value *leaf_of(Checker *cx, const Value *v, int k) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  return leaves.list.data[k];
}

/* Whether two values are the same, leaf by leaf: one that was put together again is. */
static bool same_value(const Value *a, const Value *b) {
  if (a == b || !a || !b)
    return a == b;
  if (a->kind != b->kind || a->count != b->count || a->count == 0)
    return a->op && a->op == b->op;
  for (int i = 0; i < a->count; i++)
    if (!same_value(a->items[i], b->items[i]))
      return false;
  return true;
}

/* After a trial of the body: were the right variables carried? Sets Var.carry for another try. */
static Verdict judge(Checker *cx, const Mark *m, const Carrying *c, const Loop *loop) {
  bool again = false;
  if (loop->unroll)
    return LOOP_UNROLL;
  for (int i = 0; i < m->vars.vars.count; i++) {
    Var *x = m->vars.vars.data[i];
    const Value *before = m->vars.values.data[i];
    if (!x->carry && !same_value(x->value, before) && x != cx->frame->continued &&
        !(before && value_is_poison(before))) {
      x->carry = again = true;
      if (!before && !value_is_poison(x->value))
        x->hint = check_flow_zeros(cx, x->value);
    } else if (x->carry && !before && x->value) {
      again = true;
      x->hint = check_flow_zeros(cx, x->value);
    }
  }
  for (int k = 0; k < c->list.count; k++) {
    const Carried *l = &c->list.data[k];
    if (value_is_poison(l->var->value))
      continue;
    bool unchanged = leaf_of(cx, l->var->value, l->leaf)->op == l->param;
    if (unchanged && (l->init->data || l->init->affine)) { /* a compile-time value was lost for nothing */
      bool all = true;
      for (int j = 0; j < c->list.count; j++)
        if (c->list.data[j].var == l->var)
          all = all && leaf_of(cx, l->var->value, c->list.data[j].leaf)->op == c->list.data[j].param;
      if (all) {
        l->var->carry = false;
        again = true;
      }
    }
  }
  return again ? LOOP_AGAIN : LOOP_DONE;
}

static bool new_states(const Checker *cx, int before) {
  return cx->states.count > before;
}

/* Replaces a dropped parameter in everything below a block. */
static void replace_in(IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    for (int k = 0; k < op->args.count; k++)
      while (op->args.data[k]->forward)
        op->args.data[k] = op->args.data[k]->forward;
    for (int k = 0; k < op->blocks.count; k++)
      replace_in(op->blocks.data[k]);
  }
  for (int i = 0; i < b->yields.count; i++)
    while (b->yields.data[i]->forward)
      b->yields.data[i] = b->yields.data[i]->forward;
}

static void remove_param(IrBlock *b, const Op *param) {
  int kept = 0;
  for (int i = 0; i < b->params.count; i++)
    if (b->params.data[i] != param)
      b->params.data[kept++] = b->params.data[i];
  b->params.count = kept;
}

/* Yields the next values from the body, takes unchanged leaves out again, and makes the results. */
static void finish_loop(Checker *cx, Op *op, IrBlock *body, IrBlock *condition, Carrying *c, const Mark *m) {
  IrBlock *outer = cx->block;
  VEC(const Carried *) kept = {0};
  cx->block = body;
  for (int k = 0; k < c->list.count; k++) {
    Carried *l = &c->list.data[k];
    const Value *after = value_is_poison(l->var->value) ? l->init : leaf_of(cx, l->var->value, l->leaf);
    if (after->op == l->param || after == l->init) {
      Op *init = op->args.data[(op->kind == OP_FOR ? 2 : 0) + k];
      l->param->forward = init;
      remove_param(body, l->param);
      if (condition) {
        l->param2->forward = init;
        remove_param(condition, l->param2);
      }
      continue;
    }
    VEC_PUSH(cx->arena, &body->yields, check_flow_leaf(cx, after));
    VEC_PUSH(cx->arena, &kept, l);
  }
  cx->block = outer;
  int fixed = op->kind == OP_FOR ? 2 : 0, next = fixed;
  for (int k = 0; k < c->list.count; k++)
    for (int j = 0; j < kept.count; j++)
      if (kept.data[j] == &c->list.data[k])
        op->args.data[next++] = op->args.data[fixed + k];
  op->args.count = next;
  replace_in(body);
  if (condition)
    replace_in(condition);
  /* the variables behind the loop */
  for (int i = 0; i < m->vars.vars.count; i++) {
    Var *x = m->vars.vars.data[i];
    const Value *before = m->vars.values.data[i];
    if (x->carry && before && !value_is_poison(x->value)) {
      Leaves leaves = {0};
      int n = 0;
      value_leaves(cx->arena, before, &leaves);
      for (int j = 0; j < kept.count; j++)
        if (kept.data[j]->var == x) {
          Op *r = ir_result(cx->program, outer, op, j, kept.data[j]->param->type);
          r->at = kept.data[j]->param->at;
          const Value *after = leaf_of(cx, x->value, kept.data[j]->leaf);
          leaves.list.data[kept.data[j]->leaf] = as_param(cx, after, r);
        }
      x->value = value_rebuild(cx->arena, before, leaves.list.data, &n);
    } else if (!x->carry) {
      x->value = before;
    }
  }
}

static void use_hints(Checker *cx) {
  Var *x = cx->frame->result;
  if (x && x->carry && !x->value && x->hint)
    x->value = x->hint;
}

static void reset_new_states(Checker *cx, int from) {
  for (int i = from; i < cx->states.count; i++)
    cx->states.data[i]->value = cx->states.data[i]->init_value;
}

/* For another try: as it was before, but with what is known by now. */
static void start_again(Checker *cx, Mark *m) {
  check_flow_rollback(cx, m);
  reset_new_states(cx, m->states);
  use_hints(cx);
  m->vars = check_flow_snapshot(cx);
  m->states = cx->states.count;
}

typedef struct LoopFrame {
  Var *broke, *continued;
  int floor;
  VarList carried; /* by the loop around */
} LoopFrame;

static LoopFrame enter_loop(Checker *cx) {
  Frame *f = cx->frame;
  LoopFrame outer = {.broke = f->broke, .continued = f->continued, .floor = f->loop_floor};
  VarList vars = check_flow_changeable(cx);
  for (int i = 0; i < vars.count; i++)
    if (vars.data[i]->carry)
      VEC_PUSH(cx->arena, &outer.carried, vars.data[i]);
  f->broke = check_flow_hidden(cx, value_bool(cx->arena, false));
  f->continued = check_flow_hidden(cx, value_bool(cx->arena, false));
  f->loop_floor = f->flow_floor;
  return outer;
}

static void leave_loop(Checker *cx, LoopFrame outer) {
  VarList vars = check_flow_changeable(cx);
  for (int i = 0; i < vars.count; i++)
    vars.data[i]->carry = false;
  for (int i = 0; i < outer.carried.count; i++)
    outer.carried.data[i]->carry = true;
  cx->frame->broke = outer.broke;
  cx->frame->continued = outer.continued;
  cx->frame->loop_floor = outer.floor;
}

static Var *loop_variable(Checker *cx, const Stmt *s, const Value *v) {
  Var *x = scope_add(cx->arena, cx->frame, s->name, v, false);
  x->fixed_how = "is the variable of a `for` loop";
  x->span = s->name_span;
  x->read = true;
  return x;
}

static void run_body(Checker *cx, const Block *b) {
  cx->frame->continued->value = value_bool(cx->arena, false);
  check_block(cx, b, false, NULL);
  cx->frame->continued->value = value_bool(cx->arena, false);
}

/* ---- W0606 --------------------------------------------------------------------------------------------- */

typedef struct Uses {
  const Op *param, *update; /* the value that is carried; the one update of it */
  int count;
  bool costly; /* something that takes a round */
} Uses;

static bool takes_round(const Op *op) {
  int secret = 0;
  if (op->at.kind != PLACE_PRIVATE)
    return false;
  for (int i = 0; i < op->args.count; i++)
    secret += op->args.data[i]->at.kind == PLACE_PRIVATE;
  switch (op->kind) {
  case OP_MUL:
  case OP_MATMUL:
  case OP_CONV2D:
  case OP_CONV2D_INPUT:
  case OP_CONV2D_KERNEL:
  case OP_DIV: return secret == 2;
  case OP_LT:
  case OP_LE:
  case OP_EQ:
  case OP_NE:
  case OP_SELECT:
  case OP_AND:
  case OP_OR: return true;
  default: return false;
  }
}

static void count_use(Op *op, void *data) {
  Uses *u = data;
  u->costly = u->costly || takes_round(op);
  for (int i = 0; i < op->args.count; i++)
    if (op->args.data[i] == u->param) {
      u->count++;
      if (op->kind == OP_UPDATE && i == 0)
        u->update = op;
    }
}

/* Each pass writes its own part of what is carried and reads nothing of the others': y[i] = f(x[i]). */
static void lint_independent(Checker *cx, const Stmt *s, const Op *loop, int64_t passes) {
  IrBlock *body = loop->blocks.data[0];
  const Op *index = body->params.data[0];
  Uses u = {0};
  if (passes < 2 || body->params.count < 2)
    return;
  for (int k = 1; k < body->params.count; k++) {
    u = (Uses){.param = body->params.data[k]};
    ir_walk(body, count_use, &u);
    bool by_index = u.update && u.update->args.count > 2 && u.update->args.data[2] == index;
    if (u.count != 1 || !u.costly || !by_index || body->yields.data[k - 1] != u.update)
      return;
  }
  Span head = {s->span.source, s->span.start, s->high->span.end};
  Diag *d = CHECK_DIAG(cx, W0606, head, arena_printf(cx->arena, "1/%" PRId64 " of the rounds", passes));
  diag_help(d, "compute all elements at once, without the loop");
}

static Verdict try_for(Checker *cx, const Stmt *s, const Value *low, const Value *high, const Mark *m) {
  int64_t a = 0, b = 0;
  bool known = value_const_int(low, &a) && value_const_int(high, &b);
  int states = cx->states.count;
  Carrying c = carried_vars(cx);
  const Site *site = check_site(cx, s->span);
  Op *bounds[] = {tensor_op(cx, low), tensor_op(cx, high)};
  Op **inits = ARENA_ARRAY(cx->arena, Op *, c.list.count + 1);
  for (int k = 0; k < c.list.count; k++)
    inits[k] = check_flow_leaf(cx, c.list.data[k].init);
  IrBlock *outer = cx->block;
  Op *op = ir_op(cx->program, outer, OP_FOR, (IrType){0}, site);
  op->at = cx->pi;
  ir_operand(cx->program, op, bounds[0]);
  ir_operand(cx->program, op, bounds[1]);
  for (int k = 0; k < c.list.count; k++)
    ir_operand(cx->program, op, inits[k]);
  Loop loop = {.outer = cx->loop, .body = ir_block(cx->program, op), .span = s->span, .can_unroll = known};
  Op *index = ir_arg(cx->program, loop.body, (IrType){.elem = EL_INT}, site);
  index->at = cx->pi;
  enter_block(cx, &c, loop.body, site, false);
  int scope = scope_enter(cx->frame);
  loop_variable(cx, s, value_of(cx->arena, index));
  cx->loop = &loop;
  cx->block = loop.body;
  cx->times = check_times(cx, known ? b - a : -1);
  run_body(cx, s->block);
  cx->times = m->times;
  cx->block = outer;
  cx->loop = loop.outer;
  scope_leave(cx->frame, scope);
  Verdict verdict = new_states(cx, states) && !loop.unroll ? LOOP_AGAIN : judge(cx, m, &c, &loop);
  if (new_states(cx, states))
    for (int i = states; i < cx->states.count; i++)
      cx->states.data[i]->carry = true;
  if (verdict == LOOP_DONE)
    finish_loop(cx, op, loop.body, NULL, &c, m);
  if (verdict == LOOP_DONE && known)
    lint_independent(cx, s, op, b - a);
  return verdict;
}

static void unroll(Checker *cx, const Stmt *s, int64_t low, int64_t high) {
  if (high - low > LONGEST_UNROLLING) {
    CHECK_DIAG(cx, E0506, s->span, arena_printf(cx->arena, "%" PRId64, high - low));
    return;
  }
  if (high - low > LONG_UNROLLING) {
    Span head = {s->span.source, s->span.start, s->high->span.end};
    Diag *d = CHECK_DIAG(cx, W0609, head, arena_printf(cx->arena, "%" PRId64, high - low));
    diag_note(d, "`%s` is used where a value must be known when the program is compiled", s->name);
  }
  for (int64_t i = low; i < high && check_flow_now(cx) != FLOW_STOP; i++) {
    int errors = diag_error_count(cx->diags);
    int scope = scope_enter(cx->frame);
    loop_variable(cx, s, value_int(cx->arena, i));
    run_body(cx, s->block);
    scope_leave(cx->frame, scope);
    if (diag_error_count(cx->diags) > errors) /* one pass with errors says it all */
      break;
  }
}

static const Value *loop_bound(Checker *cx, const Expr *e) {
  const Value *v = check_operand(cx, check_expr(cx, e, NULL), e);
  if (value_is_poison(v))
    return NULL;
  if (v->kind != VAL_TENSOR || v->elem != EL_INT || v->shape.rank != 0) {
    CHECK_DIAG(cx, E0208, e->span, "an int", value_type_text(cx->arena, v));
    return NULL;
  }
  if (v->place.kind == PLACE_PRIVATE) {
    Diag *d = CHECK_DIAG(cx, E0304, e->span, "for");
    diag_label(d, "%s", check_place_text(cx, v, true));
    diag_note(d, "the number of passes would tell every party about it");
    diag_help(d, "publish it: `reveal %s`", span_text(cx->arena, e->span));
    return NULL;
  }
  return v;
}

void check_for(Checker *cx, const Stmt *s) {
  int64_t a, b;
  const Value *low = loop_bound(cx, s->low), *high = loop_bound(cx, s->high);
  if (!low || !high)
    return;
  bool known = value_const_int(low, &a) && value_const_int(high, &b);
  if (known && b <= a)
    return;
  LoopFrame outer = enter_loop(cx);
  Changes changes = changes_of(cx, s->block, NULL);
  choose_carried(cx, &changes);
  Mark m = check_flow_mark(cx);
  Verdict verdict = LOOP_AGAIN;
  for (int tries = 0; verdict == LOOP_AGAIN; tries++) {
    assert(tries < 20);
    if (tries)
      start_again(cx, &m);
    verdict = try_for(cx, s, low, high, &m);
  }
  if (verdict == LOOP_UNROLL) {
    check_flow_rollback(cx, &m);
    reset_new_states(cx, m.states);
    unroll(cx, s, a, b);
  }
  leave_loop(cx, outer);
}

/* ---- while --------------------------------------------------------------------------------------------- */

typedef struct ConditionRun {
  const Stmt *s;
  Var *out;
  bool *failed;
} ConditionRun;

static void run_condition(Checker *cx, const void *data) {
  const ConditionRun *r = data;
  check_flow_clear(cx);
  const Value *c = check_condition(cx, r->s->value, "while", DIAG_E0304);
  *r->failed = c == NULL;
  r->out->value = c ? c : value_bool(cx->arena, false);
}

/* The condition, evaluated only while no flag is set. */
static const Value *while_condition(Checker *cx, const Stmt *s) {
  bool failed = false;
  Var *out = check_flow_hidden(cx, value_bool(cx->arena, false));
  ConditionRun r = {s, out, &failed};
  if (check_flow_now(cx) == FLOW_MAYBE)
    check_flow_branch(cx, check_flow_going_on(cx, s->value->span), run_condition, &r, NULL, NULL,
                      s->value->span);
  else
    run_condition(cx, &r);
  return failed ? NULL : out->value;
}

static Verdict try_while(Checker *cx, const Stmt *s, const Mark *m) {
  int states = cx->states.count;
  bool known;
  Carrying c = carried_vars(cx);
  const Site *site = check_site(cx, s->value->span);
  Op **inits = ARENA_ARRAY(cx->arena, Op *, c.list.count + 1);
  for (int k = 0; k < c.list.count; k++)
    inits[k] = check_flow_leaf(cx, c.list.data[k].init);
  IrBlock *outer = cx->block;
  Op *op = ir_op(cx->program, outer, OP_WHILE, (IrType){0}, site);
  op->at = cx->pi;
  for (int k = 0; k < c.list.count; k++)
    ir_operand(cx->program, op, inits[k]);
  IrBlock *test = ir_block(cx->program, op);
  Loop loop = {.outer = cx->loop, .body = ir_block(cx->program, op), .span = s->span};
  cx->times = -1;
  cx->loop = &loop;
  enter_block(cx, &c, test, site, true);
  cx->block = test;
  int height = cx->frame->vars.count;
  const Value *condition = while_condition(cx, s);
  cx->frame->vars.count = height;
  Verdict verdict = condition ? LOOP_DONE : LOOP_BROKEN;
  if (condition && value_const_bool(condition, &known) && !known)
    verdict = LOOP_BROKEN; /* never runs */
  if (verdict == LOOP_DONE) {
    VEC_PUSH(cx->arena, &test->yields, tensor_op(cx, condition));
    enter_block(cx, &c, loop.body, site, false);
    cx->block = loop.body;
    int scope = scope_enter(cx->frame);
    check_flow_clear(cx); /* the condition has seen to it */
    run_body(cx, s->block);
    scope_leave(cx->frame, scope);
  }
  cx->times = m->times;
  cx->block = outer;
  cx->loop = loop.outer;
  if (verdict == LOOP_BROKEN)
    return verdict;
  verdict = new_states(cx, states) ? LOOP_AGAIN : judge(cx, m, &c, &loop);
  for (int i = states; i < cx->states.count; i++)
    cx->states.data[i]->carry = true;
  if (verdict == LOOP_DONE)
    finish_loop(cx, op, loop.body, test, &c, m);
  return verdict;
}

void check_while(Checker *cx, const Stmt *s) {
  LoopFrame outer = enter_loop(cx);
  Changes changes = changes_of(cx, s->block, s->value);
  choose_carried(cx, &changes);
  Mark m = check_flow_mark(cx);
  Verdict verdict = LOOP_AGAIN;
  for (int tries = 0; verdict == LOOP_AGAIN; tries++) {
    assert(tries < 20);
    if (tries)
      start_again(cx, &m);
    verdict = try_while(cx, s, &m);
  }
  if (verdict == LOOP_BROKEN) { /* its operations go, its messages stay */
    check_flow_restore(&m.vars);
    check_flow_drop(cx, &m);
  }
  leave_loop(cx, outer);
}
