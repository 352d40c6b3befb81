/* Statements, and control flow in structured form.
 *
 * Loops and branches that run time decides become OP_FOR, OP_WHILE and OP_IF. What a body changes is found by running
 * it: variables that it may change come in as block parameters, and those that come back as they were are taken out
 * again. If that guess was wrong (or a compile-time value was lost by it) everything the body did is rolled back and it
 * is run once more. `break`, `continue` and `return` under run-time conditions set hidden flags; the statements behind
 * them stand in a branch on the flags. */
#include <assert.h>
#include <inttypes.h>

#include "tensor.h"

enum { LONG_UNROLLING = 1000, LONGEST_UNROLLING = 100000 };

/* ---- marks and snapshots ----------------------------------------------------------------------------------------------- */

typedef struct Snapshot {
  VarList vars;
  VEC(const Value *) values;
} Snapshot;

static VarList changeable(Checker *cx) {
  VarList list = scope_changeable(cx->arena, cx->frame);
  for (int i = 0; i < cx->states.count; i++)
    VEC_PUSH(cx->arena, &list, cx->states.data[i]);
  return list;
}

static Snapshot snapshot(Checker *cx) {
  Snapshot s = {.vars = changeable(cx)};
  for (int i = 0; i < s.vars.count; i++)
    VEC_PUSH(cx->arena, &s.values, s.vars.data[i]->value);
  return s;
}

static void restore(const Snapshot *s) {
  for (int i = 0; i < s->vars.count; i++)
    s->vars.data[i]->value = s->values.data[i];
}

typedef struct Mark {
  Snapshot vars;
  IrBlock *block;
  int ops, diags, reveals, slots, frame_vars, frame_block, states;
  int64_t times;
} Mark;

static Mark mark(Checker *cx) {
  return (Mark){snapshot(cx),
                cx->block,
                cx->block->ops.count,
                diag_mark(cx->diags),
                cx->program->reveals.count,
                cx->program->slots.count,
                cx->frame->vars.count,
                cx->frame->block,
                cx->states.count,
                cx->times};
}

static void rollback(Checker *cx, const Mark *m) {
  restore(&m->vars);
  cx->block = m->block;
  cx->block->ops.count = m->ops;
  diag_rollback(cx->diags, m->diags);
  cx->program->reveals.count = m->reveals;
  cx->program->slots.count = m->slots;
  cx->frame->vars.count = m->frame_vars;
  cx->frame->block = m->frame_block;
  cx->times = m->times;
}

/* A leaf as an operation in the present block, at its own place. */
static Op *leaf_op(Checker *cx, const Value *leaf) {
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

/* ---- flow flags ------------------------------------------------------------------------------------------------------- */

typedef enum Flow { FLOW_ON, FLOW_STOP, FLOW_MAYBE } Flow;

static Var *hidden(Checker *cx, const Value *v) {
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

static Flow flow(const Checker *cx) {
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
static const Value *going_on(Checker *cx, Span at) {
  Var *flags[3];
  int n = flags_of(cx->frame, flags);
  const Value *any = value_bool(cx->arena, false);
  for (int i = 0; i < n; i++)
    if (!flags[i]->value->data)
      any = any->data ? flags[i]->value
                      : tensor_binary(cx, OP_OR, any, flags[i]->value, shape_scalar(), NULL, at);
  return tensor_unary(cx, OP_NOT, any, NULL, at);
}

static void clear_flags(Checker *cx) {
  Var *flags[3];
  int n = flags_of(cx->frame, flags);
  for (int i = 0; i < n; i++)
    if (!flags[i]->value->data)
      flags[i]->value = value_bool(cx->arena, false);
}

/* ---- branches ----------------------------------------------------------------------------------------------------------- */

typedef struct Branch {
  IrBlock *block;
  VEC(const Value *) after; /* values of the variables, in the order of the merged list */
} Branch;

static const Value *zeros_like(Checker *cx, const Value *v) {
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

static bool same_form(const Value *a, const Value *b) {
  if (a->kind != b->kind || a->count != b->count || a->st != b->st)
    return false;
  for (int i = 0; i < a->count; i++)
    if (!same_form(a->items[i], b->items[i]))
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
  Op *op = leaf_op(cx, placed ? placed : leaf);
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
    return x ? merge_value(cx, branch, b, x, zeros_like(cx, x), at)
             : merge_value(cx, branch, b, zeros_like(cx, y), y, at);
  if (value_is_poison(x) || value_is_poison(y))
    return &value_poison;
  if (!same_form(x, y)) {
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

typedef void Body(Checker *cx, const void *data);

/* OP_IF on a run-time condition; then and other run with cx->block set to their block. */
static void emit_branch(Checker *cx, const Value *condition, Body *then, const void *then_data, Body *other,
                        const void *other_data, Span at) {
  IrBlock *outer = cx->block;
  Op *c = tensor_op(cx, condition);
  Op *op = ir_op(cx->program, outer, OP_IF, (IrType){0}, check_site(cx, at));
  op->at = cx->pi;
  ir_operand(cx->program, op, c);
  Branch b[2] = {{.block = ir_block(cx->program, op)}, {.block = ir_block(cx->program, op)}};
  Snapshot before = snapshot(cx);
  cx->block = b[0].block;
  then(cx, then_data);
  VarList vars = changeable(cx); /* generator states may have appeared */
  for (int i = 0; i < vars.count; i++)
    VEC_PUSH(cx->arena, &b[0].after, vars.data[i]->value);
  int states = cx->states.count;
  restore(&before);
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

typedef struct Rest {
  Stmt *const *stmts;
  int count;
} Rest;

static void run_rest(Checker *cx, const void *data) {
  const Rest *r = data;
  clear_flags(cx);
  check_stmts(cx, r->stmts, r->count, false, NULL);
}

static void run_block(Checker *cx, const void *data) {
  check_block(cx, data, false, NULL);
}

/* ---- let and var -------------------------------------------------------------------------------------------------------- */

static bool literal(const Expr *e, bool *nonzero) {
  switch (e->kind) {
  case EX_INT: *nonzero = *nonzero || e->integer != 0; return true;
  case EX_REAL: *nonzero = *nonzero || e->real != 0; return true;
  case EX_UNARY: return literal(e->right, nonzero);
  case EX_ARRAY:
    for (int i = 0; i < e->items.count; i++)
      if (!literal(e->items.data[i], nonzero))
        return false;
    return true;
  default: return false;
  }
}

static void lint_literal(Checker *cx, const Stmt *s) {
  bool nonzero = false;
  if (!s->type || s->type->visibility != VIS_PRIVATE || !literal(s->value, &nonzero) || !nonzero)
    return;
  Diag *d = CHECK_DIAG(cx, W0610, s->value->span, s->pattern.data[0].name);
  diag_label(d, "written in the program");
}

static bool name_is_free(Checker *cx, const PatternName *p) {
  const Var *x = scope_find_in_block(cx->frame, p->name);
  const PartyDecl *party = check_decl_party(cx, p->name);
  Span other = {0};
  if (x)
    other = x->span;
  else if (party)
    other = party->span;
  else
    for (int i = 0; i < cx->frame->unit->globals.count; i++)
      if (cx->frame->unit->globals.data[i].decl->name == p->name)
        other = cx->frame->unit->globals.data[i].decl->name_span;
  if (!x && !other.source)
    return true;
  Diag *d = CHECK_DIAG(cx, E0105, p->span, p->name);
  if (other.source && other.start != p->span.start)
    diag_also(d, other, "defined here");
  return false;
}

static void define(Checker *cx, const Stmt *s, const PatternName *p, const Value *v) {
  if (!name_is_free(cx, p))
    return;
  if (s->is_var && !check_is_joint(cx) && !value_is_poison(v)) {
    const Value *placed = check_to_place(cx, v, cx->pi, s->value, s->value->span);
    v = placed ? placed : v;
  }
  Var *x = scope_add(cx->arena, cx->frame, p->name, v, s->is_var);
  x->fixed_how = "was defined with `let`";
  x->span = p->span;
  x->init = s->value;
  Span last = s->type ? s->type->span : s->pattern.data[s->pattern.count - 1].span;
  x->decl_span = (Span){s->span.source, s->span.start, last.end};
}

static void check_let(Checker *cx, const Stmt *s) {
  const Type *t = s->type ? check_type(cx, s->type) : NULL;
  const Value *v = s->type && !t ? &value_poison : check_expr(cx, s->value, t);
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, s->value->span);
    v = &value_poison;
  }
  if (t && !value_is_poison(v)) {
    v = check_coerce(cx, v, t, s->value, s->pattern.data[0].name);
    if (v->kind != VAL_POISON)
      lint_literal(cx, s);
  }
  if (!s->is_tuple_pattern) {
    define(cx, s, &s->pattern.data[0], v);
    return;
  }
  bool fits = v->kind == VAL_TUPLE && v->count == s->pattern.count;
  if (!fits && !value_is_poison(v))
    CHECK_DIAG(cx, E0136, s->value->span, s->pattern.count, value_type_text(cx->arena, v));
  for (int i = 0; i < s->pattern.count; i++)
    define(cx, s, &s->pattern.data[i], fits ? v->items[i] : &value_poison);
}

/* ---- assignment ----------------------------------------------------------------------------------------------------------- */

static const Expr *root_of(const Expr *e) {
  while (e->kind == EX_FIELD || e->kind == EX_INDEX)
    e = e->left;
  return e;
}

static void cannot_change(Checker *cx, const Expr *name, const Var *x) {
  Diag *d = CHECK_DIAG(cx, E0206, name->span, name->name, x->fixed_how ? x->fixed_how : "is fixed");
  diag_label(d, "cannot change");
  bool is_let = x->fixed_how && strstr(x->fixed_how, "let");
  if (is_let && x->decl_span.source) {
    Span word = x->decl_span;
    word.end = x->span.end;
    if (word.source == name->span.source)
      diag_also(d, word, "defined with let");
    const char *rest = span_text(cx->arena, x->decl_span);
    if (x->init && strncmp(rest, "let", 3) == 0)
      diag_help(d, "write `var%s = %s`", rest + 3, span_text(cx->arena, x->init->span));
  } else if (x->fixed_how && strstr(x->fixed_how, "parameter")) {
    diag_help(d, "work on a copy: `var v = %s`; or change the caller's: write `var %s` in the parameter list",
              name->name, name->name);
  }
}

static const char *place_name(Checker *cx, const Value *v) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  Place p = leaves.list.data[0]->place;
  return p.kind == PLACE_PUBLIC    ? "public"
         : p.kind == PLACE_PRIVATE ? "private"
                                   : arena_printf(cx->arena, "at %s", check_party_text(cx, p));
}

Var *check_target(Checker *cx, const Expr *target) {
  const Expr *name = root_of(target);
  if (name->kind != EX_NAME) {
    CHECK_DIAG(cx, E0117, target->span);
    return NULL;
  }
  Var *x = scope_find(cx->frame, name->name);
  if (!x) {
    check_expr(cx, name, NULL); /* says that it is unknown; constants and parties are not variables */
    if (check_decl_global(cx, cx->frame->unit, name->name))
      CHECK_DIAG(cx, E0206, name->span, name->name, "is a constant");
    return NULL;
  }
  if (!x->is_var) {
    cannot_change(cx, name, x);
    return NULL;
  }
  if (value_is_poison(x->value))
    return NULL;
  if (!check_is_joint(cx)) {
    Leaves leaves = {0};
    value_leaves(cx->arena, x->value, &leaves);
    for (int i = 0; i < leaves.list.count; i++) {
      const Value *leaf = leaves.list.data[i];
      if (leaf->kind != VAL_TENSOR || place_equal(leaf->place, cx->pi))
        continue;
      Diag *d = CHECK_DIAG(cx, E0314, name->span, name->name, place_name(cx, x->value),
                           check_party_text(cx, cx->pi));
      diag_label(d, "cannot change here");
      if (x->decl_span.source == name->span.source)
        diag_also(d, x->decl_span, "defined outside");
      return NULL;
    }
  }
  return x;
}

/* The present value of a variable or a part of it. */
static const Value *present(Checker *cx, const Expr *target) {
  if (target->kind == EX_NAME) {
    const Var *x = scope_find(cx->frame, target->name);
    return x ? check_read(cx, x->value, target) : &value_poison;
  }
  const Value *base = present(cx, target->left);
  if (value_is_poison(base))
    return base;
  return target->kind == EX_FIELD ? check_field(cx, base, target) : check_index(cx, base, target);
}

static const Value *with_field(Checker *cx, const Value *base, const Expr *target, const Value *v) {
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, base->count + 1);
  for (int i = 0; i < base->count; i++)
    items[i] = base->st && base->st->decl->fields.data[i].name == target->name ? v : base->items[i];
  return value_items(cx->arena, base->kind, base->st, items, base->count);
}

bool check_store(Checker *cx, const Expr *target, const Value *v, const Expr *value, Span at) {
  const Expr *e = value ? value : target;
  if (value_is_poison(v))
    return false;
  if (target->kind == EX_NAME) {
    Var *x = scope_find(cx->frame, target->name);
    v = check_coerce_like(cx, v, x->value, e, target->name);
    if (v->kind == VAL_POISON)
      return false;
    x->value = v;
    return true;
  }
  const Value *base = present(cx, target->left);
  if (value_is_poison(base))
    return false;
  if (target->kind == EX_FIELD) {
    const Value *field = check_field(cx, base, target);
    if (value_is_poison(field) || base->kind != VAL_STRUCT)
      return false;
    v = check_coerce_like(cx, v, field, e, span_text(cx->arena, target->span));
    return v->kind != VAL_POISON && check_store(cx, target->left, with_field(cx, base, target, v), NULL, at);
  }
  const Value *whole = check_update(cx, base, target, v, e->span);
  if (!whole) { /* wrong place: said as for the whole variable */
    check_coerce_like(cx, v, base, e, span_text(cx->arena, target->left->span));
    return false;
  }
  return !value_is_poison(whole) && check_store(cx, target->left, whole, NULL, at);
}

static const Expr *as_binary(Checker *cx, const Stmt *s) {
  Expr *e = ARENA_NEW(cx->arena, Expr);
  e->kind = EX_BINARY;
  e->span = s->span;
  e->op = (Operator)s->op;
  e->left = s->target;
  e->right = s->value;
  e->name_span = (Span){s->span.source, s->target->span.end, s->value->span.start};
  const char *text = s->span.source->text;
  while (e->name_span.start < e->name_span.end && text[e->name_span.start] == ' ')
    e->name_span.start++;
  while (e->name_span.end > e->name_span.start && text[e->name_span.end - 1] == ' ')
    e->name_span.end--;
  return e;
}

static void check_assign(Checker *cx, const Stmt *s) {
  Var *x = check_target(cx, s->target);
  const Type *want = NULL;
  Type t = {0};
  if (x && s->op < 0 && s->target->kind == EX_NAME && x->value->kind == VAL_TENSOR) {
    t = (Type){.kind = TY_TENSOR, .elem = x->value->elem, .shape = x->value->shape};
    want = &t;
  }
  const Value *v = check_expr(cx, s->value, want);
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, s->value->span);
    return;
  }
  if (!x || value_is_poison(v))
    return;
  if (s->op >= 0) {
    const Value *old = present(cx, s->target);
    cx->here = s->span;
    v = check_binary(cx, (Operator)s->op, old, v, as_binary(cx, s));
  }
  check_store(cx, s->target, v, s->op < 0 ? s->value : NULL, s->span);
}

/* ---- if -------------------------------------------------------------------------------------------------------------------- */

static void check_if(Checker *cx, const Stmt *s) {
  bool known;
  const Stmt *outer = cx->branch;
  cx->branch = s;
  const Value *c = check_condition(cx, s->value, "if", DIAG_E0302);
  cx->branch = outer;
  if (!c) { /* both blocks are still looked at, for their own errors */
    Snapshot before = snapshot(cx);
    check_block(cx, s->block, false, NULL);
    restore(&before);
    if (s->other)
      check_block(cx, s->other, false, NULL);
    restore(&before);
    return;
  }
  if (value_const_bool(c, &known)) {
    if (known)
      check_block(cx, s->block, false, NULL);
    else if (s->other)
      check_block(cx, s->other, false, NULL);
    return;
  }
  emit_branch(cx, c, run_block, s->block, s->other ? run_block : NULL, s->other, s->value->span);
}

/* ---- what a body may change --------------------------------------------------------------------------------------------------- */

typedef struct Changes {
  Checker *cx;
  VEC(const char *) names;
  bool breaks, continues, returns;
} Changes;

static void note_name(Changes *c, const Expr *e) {
  const Expr *name = root_of(e);
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

/* ---- loops ---------------------------------------------------------------------------------------------------------------------- */

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
  VarList vars = changeable(cx);
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
  VarList vars = changeable(cx);
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

/* After a trial of the body: were the right variables carried? Sets Var.carry for another try. */
static Verdict judge(Checker *cx, const Mark *m, const Carrying *c, const Loop *loop) {
  bool again = false;
  if (loop->unroll)
    return LOOP_UNROLL;
  for (int i = 0; i < m->vars.vars.count; i++) {
    Var *x = m->vars.vars.data[i];
    const Value *before = m->vars.values.data[i];
    if (!x->carry && x->value != before && x != cx->frame->continued &&
        !(before && value_is_poison(before))) {
      x->carry = again = true;
      if (!before && !value_is_poison(x->value))
        x->hint = zeros_like(cx, x->value);
    } else if (x->carry && !before && x->value) {
      again = true;
      x->hint = zeros_like(cx, x->value);
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
    VEC_PUSH(cx->arena, &body->yields, leaf_op(cx, after));
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
  rollback(cx, m);
  reset_new_states(cx, m->states);
  use_hints(cx);
  m->vars = snapshot(cx);
  m->states = cx->states.count;
}

typedef struct LoopFrame {
  Var *broke, *continued;
  int floor;
} LoopFrame;

static LoopFrame enter_loop(Checker *cx) {
  Frame *f = cx->frame;
  LoopFrame outer = {f->broke, f->continued, f->loop_floor};
  f->broke = hidden(cx, value_bool(cx->arena, false));
  f->continued = hidden(cx, value_bool(cx->arena, false));
  f->loop_floor = f->flow_floor;
  return outer;
}

static void leave_loop(Checker *cx, LoopFrame outer) {
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

/* ---- W0606 ------------------------------------------------------------------------------------------------------------- */

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
    inits[k] = leaf_op(cx, c.list.data[k].init);
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
  for (int64_t i = low; i < high && flow(cx) != FLOW_STOP; i++) {
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

static void check_for(Checker *cx, const Stmt *s) {
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
  Mark m = mark(cx);
  Verdict verdict = LOOP_AGAIN;
  for (int tries = 0; verdict == LOOP_AGAIN; tries++) {
    assert(tries < 20);
    if (tries)
      start_again(cx, &m);
    verdict = try_for(cx, s, low, high, &m);
  }
  if (verdict == LOOP_UNROLL) {
    rollback(cx, &m);
    reset_new_states(cx, m.states);
    unroll(cx, s, a, b);
  }
  leave_loop(cx, outer);
}

/* ---- while ------------------------------------------------------------------------------------------------------------------------ */

typedef struct ConditionRun {
  const Stmt *s;
  Var *out;
  bool *failed;
} ConditionRun;

static void run_condition(Checker *cx, const void *data) {
  const ConditionRun *r = data;
  clear_flags(cx);
  const Value *c = check_condition(cx, r->s->value, "while", DIAG_E0304);
  *r->failed = c == NULL;
  r->out->value = c ? c : value_bool(cx->arena, false);
}

/* The condition, evaluated only while no flag is set. */
static const Value *while_condition(Checker *cx, const Stmt *s) {
  bool failed = false;
  Var *out = hidden(cx, value_bool(cx->arena, false));
  ConditionRun r = {s, out, &failed};
  if (flow(cx) == FLOW_MAYBE)
    emit_branch(cx, going_on(cx, s->value->span), run_condition, &r, NULL, NULL, s->value->span);
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
    inits[k] = leaf_op(cx, c.list.data[k].init);
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
    clear_flags(cx); /* the condition has seen to it */
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

static void check_while(Checker *cx, const Stmt *s) {
  LoopFrame outer = enter_loop(cx);
  Changes changes = changes_of(cx, s->block, s->value);
  choose_carried(cx, &changes);
  Mark m = mark(cx);
  Verdict verdict = LOOP_AGAIN;
  for (int tries = 0; verdict == LOOP_AGAIN; tries++) {
    assert(tries < 20);
    if (tries)
      start_again(cx, &m);
    verdict = try_while(cx, s, &m);
  }
  if (verdict == LOOP_BROKEN) { /* its operations go, its messages stay */
    restore(&m.vars);
    cx->block->ops.count = m.ops;
  }
  leave_loop(cx, outer);
}

/* ---- break, continue, return --------------------------------------------------------------------------------------------------------- */

static void check_jump(Checker *cx, const Stmt *s) {
  Frame *f = cx->frame;
  Var *flag = s->kind == ST_BREAK ? f->broke : f->continued;
  const char *word = s->kind == ST_BREAK ? "break" : "continue";
  if (!flag)
    CHECK_DIAG(cx, E0129, s->span, word);
  else
    flag->value = value_bool(cx->arena, true);
}

static const Value *returned_value(Checker *cx, const Stmt *s) {
  const Decl *fn = cx->frame->fn;
  const Type *want = fn->type ? check_type_try(cx, fn->type) : NULL;
  const Value *v = check_expr(cx, s->value, want);
  if (value_is_poison(v))
    return &value_poison;
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, s->value->span);
    return &value_poison;
  }
  if (!fn->type)
    return v;
  Matching m = {
      .fn = fn, .parm = fn->name, .value_span = s->value->span, .value_expr = s->value, .is_result = true};
  return check_match(cx, fn->type, v, &m);
}

static void check_return(Checker *cx, const Stmt *s) {
  Frame *f = cx->frame;
  if (!f->fn) {
    CHECK_DIAG(cx, E0130, s->span);
    return;
  }
  if (f->flow_floor > 0) {
    CHECK_DIAG(cx, E0901, s->span, "`return` out of an `at` or `protocol` block");
    return;
  }
  if (!s->value && f->fn->type)
    CHECK_DIAG(cx, E0217, s->span);
  if (s->value) {
    const Value *v = returned_value(cx, s);
    if (f->result->value && v->kind != VAL_POISON && f->result->value->kind != VAL_POISON &&
        !same_form(v, f->result->value) && f->result->value != f->result->hint)
      CHECK_DIAG(cx, E0208, s->value->span, value_type_text(cx->arena, f->result->value),
                 value_type_text(cx->arena, v));
    f->result->value = v;
  }
  f->returned->value = value_bool(cx->arena, true);
}

/* ---- functions ------------------------------------------------------------------------------------------------------------------------ */

static bool always_returns(const Block *b) {
  for (int i = 0; i < b->stmts.count; i++) {
    const Stmt *s = b->stmts.data[i];
    if (s->kind == ST_RETURN)
      return true;
    if (s->kind == ST_IF && s->other && always_returns(s->block) && always_returns(s->other))
      return true;
    if (s->kind == ST_WHILE && s->value->kind == EX_BOOL && s->value->integer)
      return true;
  }
  return false;
}

static void returns_stmt(Walk *w, const Stmt *s) {
  if (s->kind == ST_RETURN && s->value)
    *(bool *)w->data = true;
}

const Value *check_body(Checker *cx, const Decl *fn) {
  Frame *f = cx->frame;
  bool gives = fn->type != NULL;
  Walk w = {NULL, returns_stmt, &gives};
  check_walk_block(&w, fn->block);
  if (gives && !always_returns(fn->block)) {
    diag_new(cx->diags, DIAG_E0106, fn->name_span, fn->name);
    return &value_poison;
  }
  f->returned = hidden(cx, value_bool(cx->arena, false));
  f->result = hidden(cx, NULL);
  check_block(cx, fn->block, false, NULL);
  if (!gives)
    return &value_void;
  return f->result->value ? f->result->value : &value_poison;
}

/* ---- lists of statements ------------------------------------------------------------------------------------------------------------------ */

static void lint_unused(Checker *cx, const Var *x) {
  const Expr *e = x->init;
  Span at = e && e->span.source ? (Span){e->span.source, x->span.start, e->span.end} : x->span;
  if (!e || x->read || cx->quiet || diag_error_count(cx->diags) || value_is_poison(x->value))
    return;
  if (e->kind == EX_REVEAL) {
    Diag *d = CHECK_DIAG(cx, W0602, at);
    diag_label(d, "never used");
    diag_note(d, "%s learns %s, and the program gains nothing", e->has_place ? e->place.name : "every party",
              span_text(cx->arena, e->right->span));
    diag_help(d, "delete the line");
  } else if (e->kind == EX_SHARE) {
    Diag *d = CHECK_DIAG(cx, W0605, at);
    diag_label(d, "never used");
  }
}

static void check_assert(Checker *cx, const Stmt *s) {
  bool known;
  const Value *c = check_condition(cx, s->value, "assert", DIAG_E0304);
  if (!c || (value_const_bool(c, &known) && known))
    return;
  Op *operand = tensor_op(cx, c);
  Op *op = ir_op(cx->program, cx->block, OP_ASSERT, (IrType){0}, check_site(cx, s->span));
  op->at = cx->pi;
  ir_operand(cx->program, op, operand);
  VEC_PUSH(cx->arena, &op->texts, span_text(cx->arena, s->value->span));
}

static void check_stmt(Checker *cx, const Stmt *s) {
  cx->here = s->span;
  cx->statement = s;
  switch (s->kind) {
  case ST_LET: check_let(cx, s); break;
  case ST_ASSIGN: check_assign(cx, s); break;
  case ST_IF: check_if(cx, s); break;
  case ST_FOR: check_for(cx, s); break;
  case ST_WHILE: check_while(cx, s); break;
  case ST_RETURN: check_return(cx, s); break;
  case ST_BREAK:
  case ST_CONTINUE: check_jump(cx, s); break;
  case ST_ASSERT: check_assert(cx, s); break;
  case ST_EXPR: check_expr_discarded(cx, s->value); break;
  }
}

const Value *check_stmts(Checker *cx, Stmt *const *stmts, int count, bool want_value, const Type *want) {
  for (int i = 0; i < count; i++) {
    Flow now = flow(cx);
    if (now == FLOW_STOP)
      break;
    if (now == FLOW_MAYBE) {
      Rest rest = {stmts + i, count - i};
      emit_branch(cx, going_on(cx, stmts[i]->span), run_rest, &rest, NULL, NULL, stmts[i]->span);
      break;
    }
    if (want_value && i == count - 1 && stmts[i]->kind == ST_EXPR)
      return check_expr(cx, stmts[i]->value, want);
    check_stmt(cx, stmts[i]);
  }
  return &value_void;
}

const Value *check_block(Checker *cx, const Block *b, bool want_value, const Type *want) {
  int scope = scope_enter(cx->frame), first = cx->frame->vars.count;
  const Value *v = check_stmts(cx, b->stmts.data, b->stmts.count, want_value, want);
  for (int i = first; i < cx->frame->vars.count; i++)
    lint_unused(cx, cx->frame->vars.data[i]);
  scope_leave(cx->frame, scope);
  return v;
}
