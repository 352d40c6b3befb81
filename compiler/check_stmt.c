/* Statements. `break`, `continue` and `return` set hidden flags; where run time decides whether they ran,
 * the statements behind them stand in a branch on the flags (check_flow.c). */
#include <inttypes.h>

#include "check_flow.h"
#include "tensor.h"

typedef struct Rest {
  Stmt *const *stmts;
  int count;
} Rest;

static void run_rest(Checker *cx, const void *data) {
  const Rest *r = data;
  check_flow_clear(cx);
  check_stmts(cx, r->stmts, r->count, false, NULL);
}

static void run_block(Checker *cx, const void *data) {
  check_block(cx, data, false, NULL);
}

/* ---- let and var --------------------------------------------------------------------------------------- */

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

/* The public fixed parts of v made private: what a variable of a library's test holds, unless it says where
 * (`public`, `float`). So the functions that the test calls see what they see in a program. */
static const Value *test_value(Checker *cx, const Value *v, const Type *t, Span at) {
  Leaves leaves = {0};
  int next = 0;
  if (!cx->library_test || cx->frame->fn || !check_is_joint(cx) || !check_in_protocol(cx) ||
      value_is_poison(v))
    return v;
  if (t && (t->visibility != VIS_NONE || t->has_place || t->is_float))
    return v;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind == VAL_TENSOR && leaf->elem == EL_FIXED && leaf->place.kind == PLACE_PUBLIC)
      leaves.list.data[i] = tensor_lift(cx, leaf, at);
  }
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

const Value *check_test_reveal(Checker *cx, const Value *v, Span at) {
  if (!cx->options->test || cx->frame->fn || v->kind != VAL_TENSOR || v->place.kind != PLACE_PRIVATE)
    return v;
  return tensor_make(cx, OP_REVEAL, &v, 1, NULL, 0, v->elem, v->shape, PLACE_JOINT, at);
}

static bool name_is_free(Checker *cx, const PatternName *p) {
  const Var *x = scope_find_in_block(cx->frame, p->name);
  const PartyDecl *party = check_decl_party(cx, p->name);
  const Global *global = module_global(cx->frame->unit, p->name);
  Span other = {0};
  if (x)
    other = x->span;
  else if (party)
    other = party->span;
  else if (global)
    other = global->decl->name_span;
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
    if (v->kind != VAL_POISON && !cx->library_test)
      lint_literal(cx, s);
  }
  v = test_value(cx, v, t, s->value->span);
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

/* ---- assignment ---------------------------------------------------------------------------------------- */

const Expr *check_root_name(const Expr *e) {
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
  const Expr *name = check_root_name(target);
  if (name->kind != EX_NAME) {
    CHECK_DIAG(cx, E0117, target->span);
    return NULL;
  }
  Var *x = scope_find(cx->frame, name->name);
  if (!x) {
    check_expr(cx, name, NULL); /* says that it is unknown; constants and parties are not variables */
    if (check_decl_constant(cx, name->name))
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

/* ---- if ------------------------------------------------------------------------------------------------ */

static void check_if(Checker *cx, const Stmt *s) {
  bool known;
  const Stmt *outer = cx->branch;
  cx->branch = s;
  const Value *c = check_condition(cx, s->value, "if", DIAG_E0302);
  cx->branch = outer;
  if (!c) { /* both blocks are still looked at, for their own errors */
    Snapshot before = check_flow_snapshot(cx);
    check_block(cx, s->block, false, NULL);
    check_flow_restore(&before);
    if (s->other)
      check_block(cx, s->other, false, NULL);
    check_flow_restore(&before);
    return;
  }
  if (value_const_bool(c, &known)) {
    if (known)
      check_block(cx, s->block, false, NULL);
    else if (s->other)
      check_block(cx, s->other, false, NULL);
    return;
  }
  check_flow_branch(cx, c, run_block, s->block, s->other ? run_block : NULL, s->other, s->value->span);
}

/* ---- break, continue, return --------------------------------------------------------------------------- */

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
        !check_flow_same_form(v, f->result->value) && f->result->value != f->result->hint)
      CHECK_DIAG(cx, E0208, s->value->span, value_type_text(cx->arena, f->result->value),
                 value_type_text(cx->arena, v));
    f->result->value = v;
  }
  f->returned->value = value_bool(cx->arena, true);
}

/* ---- functions ----------------------------------------------------------------------------------------- */

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
  f->returned = check_flow_hidden(cx, value_bool(cx->arena, false));
  f->result = check_flow_hidden(cx, NULL);
  check_block(cx, fn->block, false, NULL);
  if (!gives)
    return &value_void;
  return f->result->value ? f->result->value : &value_poison;
}

/* ---- lists of statements ------------------------------------------------------------------------------- */

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

/* Whether every run comes by. A test is to fail by itself. */
static bool certain_to_run(const Checker *cx) {
  for (const Op *op = cx->block->owner; op; op = op->parent->owner)
    if (op->kind == OP_IF || op->kind == OP_WHILE)
      return false;
  return cx->times > 0 && !cx->options->test;
}

/* A condition that is known to fail, with what both sides of a comparison are. */
static void assertion_fails(Checker *cx, const Expr *e) {
  Diag *d = CHECK_DIAG(cx, E0508, e->span, span_text(cx->arena, e->span));
  if (e->kind != EX_BINARY)
    return;
  const Value *l = check_expr(cx, e->left, NULL), *r = check_expr(cx, e->right, NULL);
  int64_t a, b;
  if (value_const_int(l, &a) && value_const_int(r, &b))
    diag_label(d, "%" PRId64 " %s %" PRId64, a, span_text(cx->arena, e->name_span), b);
}

static void check_assert(Checker *cx, const Stmt *s) {
  bool known;
  const Value *c = check_condition(cx, s->value, "assert", DIAG_E0304);
  if (!c)
    return;
  if (value_const_bool(c, &known) && (known || certain_to_run(cx))) {
    if (!known)
      assertion_fails(cx, s->value);
    return;
  }
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
    Flow now = check_flow_now(cx);
    if (now == FLOW_STOP)
      break;
    if (now == FLOW_MAYBE) {
      Rest rest = {stmts + i, count - i};
      check_flow_branch(cx, check_flow_going_on(cx, stmts[i]->span), run_rest, &rest, NULL, NULL,
                        stmts[i]->span);
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
