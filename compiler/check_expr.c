/* Expressions: names, constants, fields, arrays, operators (rules S1, S2, S5-S7). Places are in
 * check_place.c, subscripts in check_index.c. */
#include <inttypes.h>
#include <math.h>

#include "factor.h"
#include "grad.h"
#include "operator.h"
#include "tensor.h"

enum { DEEPEST = 400 };

/* ---- compile-time values ------------------------------------------------------------------------------- */

static bool reaches(const Op *op, const IrBlock *body, char *seen) {
  if (seen[op->id])
    return false;
  seen[op->id] = 1;
  if (op->kind == OP_ARG)
    for (int i = 0; i < body->params.count; i++)
      if (body->params.data[i] == op)
        return true;
  for (int i = 0; i < op->args.count; i++)
    if (reaches(op->args.data[i], body, seen))
      return true;
  for (int i = 0; i < op->blocks.count; i++)
    for (int k = 0; k < op->blocks.data[i]->yields.count; k++)
      if (reaches(op->blocks.data[i]->yields.data[k], body, seen))
        return true;
  return false;
}

/* The outermost loop to unroll so that v becomes known; NULL: none would help. */
Loop *check_loop_behind(Checker *cx, const Value *v) {
  Loop *found = NULL;
  if (v->kind != VAL_TENSOR || !v->op)
    return NULL;
  for (Loop *l = cx->loop; l; l = l->outer)
    if (l->can_unroll && reaches(v->op, l->body, ARENA_ARRAY(cx->arena, char, cx->program->next_id)))
      found = l;
  return found;
}

static const Expr *first_name(const Expr *e) {
  if (!e)
    return NULL;
  if (e->kind == EX_NAME)
    return e;
  const Expr *found = first_name(e->left);
  if (!found)
    found = first_name(e->right);
  for (int i = 0; !found && i < e->args.count; i++)
    found = first_name(e->args.data[i].value);
  return found;
}

void check_need_const(Checker *cx, const Value *v, const Expr *e, Span at, const char *what) {
  Loop *loop = check_loop_behind(cx, v);
  if (cx->quiet) {
    CHECK_DIAG(cx, E0501, at, what); /* dropped, but counts as a failure */
    return;
  }
  if (loop) {
    loop->unroll = true;
    return;
  }
  Diag *d = CHECK_DIAG(cx, E0501, at, what);
  const Expr *name = first_name(e);
  const Var *x = name ? scope_find(cx->frame, name->name) : NULL;
  if (!name)
    return;
  if (strcmp(what, "the size of a tensor") == 0)
    diag_label(d, "size %s", span_text(cx->arena, e->span));
  if (x && x->init)
    diag_also(d, x->init->span, "known only at run time");
  diag_help(d, "make it a parameter: `param %s: int = 10`, and compile with `-D %s=...`", name->name,
            name->name);
}

bool check_const_int(Checker *cx, const Value *v, const Expr *e, const char *what, int64_t *out) {
  Span at = e ? e->span : cx->here;
  if (value_is_poison(v))
    return false;
  if (value_const_int(v, out))
    return true;
  if (v->kind != VAL_TENSOR || v->elem != EL_INT || v->shape.rank != 0) {
    CHECK_DIAG(cx, E0208, at, "an int", value_type_text(cx->arena, v));
    return false;
  }
  check_need_const(cx, v, e, at, what);
  return false;
}

bool check_expr_int(Checker *cx, const Expr *e, const char *what, int64_t *out) {
  return check_const_int(cx, check_expr(cx, e, NULL), e, what, out);
}

/* ---- names --------------------------------------------------------------------------------------------- */

static const Value *running_member(Checker *cx, const Expr *e) {
  if (cx->pi.kind == PLACE_EACH)
    return tensor_make(cx, OP_ME, NULL, 0, NULL, 0, EL_INT, shape_scalar(), cx->pi, e->span);
  if (cx->pi.kind == PLACE_AT)
    return value_int(cx->arena, cx->pi.index - party_decl(cx->program, cx->pi.index)->first);
  CHECK_DIAG(cx, E0315, e->span, "me");
  return &value_poison;
}

static const char *what_name_is(Checker *cx, const char *name) {
  bool found;
  if (check_decl_party(cx, name))
    return "a party";
  if (check_decl_find(cx->frame->unit, DECL_STRUCT, name))
    return "a struct";
  if (check_decl_find(cx->frame->unit, DECL_PROTOCOL, name))
    return "a protocol";
  module_imported(cx->frame->unit, name, &found);
  if (found)
    return "a module";
  Unit *prelude = module_prelude(cx->modules);
  if (check_decl_find(cx->frame->unit, DECL_FN, name) || builtin_find(name) ||
      (prelude && check_decl_find(prelude, DECL_FN, name)))
    return "a function";
  return NULL;
}

static const Value *unknown_name(Checker *cx, const Expr *e) {
  const char *is = what_name_is(cx, e->name);
  if (is) {
    CHECK_DIAG(cx, E0133, e->span, e->name, is, "a value");
    return &value_poison;
  }
  Diag *d = CHECK_DIAG(cx, E0107, e->span, e->name);
  VEC(const char *) names = {0};
  for (int i = 0; i < cx->frame->vars.count; i++)
    if (cx->frame->vars.data[i]->name)
      VEC_PUSH(cx->arena, &names, cx->frame->vars.data[i]->name);
  for (int i = 0; i < cx->frame->unit->globals.count; i++)
    VEC_PUSH(cx->arena, &names, cx->frame->unit->globals.data[i].decl->name);
  const char *near = diag_nearest(e->name, names.data, names.count);
  diag_label(d, "not defined here");
  if (module_importable(cx->modules, cx->frame->unit, e->name))
    diag_help(d, "for the module of this name, write `import %s` at the top of the file", e->name);
  else if (near)
    diag_help(d, "did you mean `%s`?", near);
  return &value_poison;
}

static const Value *check_name(Checker *cx, const Expr *e) {
  Var *x = scope_find(cx->frame, e->name);
  if (x) {
    x->read = true;
    return check_read(cx, x->value, e);
  }
  const Value *global = check_decl_constant(cx, e->name);
  if (global)
    return global;
  if (strcmp(e->name, "me") == 0)
    return running_member(cx, e);
  return unknown_name(cx, e);
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static const Value *no_field(Checker *cx, const Value *base, const Expr *e) {
  Diag *d = CHECK_DIAG(cx, E0109, e->name_span.source ? e->name_span : e->span,
                       value_type_text(cx->arena, base), e->name);
  if (base->kind != VAL_STRUCT)
    return &value_poison;
  VEC(const char *) names = {0};
  const Decl *decl = base->st->decl;
  for (int i = 0; i < decl->fields.count; i++)
    VEC_PUSH(cx->arena, &names, decl->fields.data[i].name);
  const char *near = diag_nearest(e->name, names.data, names.count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  return &value_poison;
}

static const Value *transposed(Checker *cx, const Value *v, const Expr *e) {
  int64_t axes[MAX_RANK];
  v = check_operand(cx, v, e->left);
  if (v->kind != VAL_TENSOR)
    return &value_poison;
  for (int i = 0; i < v->shape.rank; i++)
    axes[i] = v->shape.rank - 1 - i;
  return tensor_transpose(cx, v, axes, e->span);
}

const Value *check_field(Checker *cx, const Value *base, const Expr *e) {
  if (value_is_poison(base))
    return &value_poison;
  if (base->kind == VAL_TENSOR && strcmp(e->name, "T") == 0)
    return transposed(cx, base, e);
  for (int i = 0; base->kind == VAL_STRUCT && i < base->count; i++)
    if (base->st->decl->fields.data[i].name == e->name)
      return base->items[i];
  return no_field(cx, base, e);
}

static const Value *check_field_expr(Checker *cx, const Expr *e) {
  if (e->left->kind == EX_NAME && !scope_find(cx->frame, e->left->name)) {
    bool found;
    Unit *u = module_imported(cx->frame->unit, e->left->name, &found);
    if (found) {
      const Value *v = u ? check_decl_global(cx, u, e->name) : &value_poison;
      if (!v)
        CHECK_DIAG(cx, E0109, e->span, arena_printf(cx->arena, "module `%s`", e->left->name), e->name);
      return v ? v : &value_poison;
    }
  }
  return check_field(cx, check_expr(cx, e->left, NULL), e);
}

/* ---- arrays and tuples --------------------------------------------------------------------------------- */

static const Value *check_tuple(Checker *cx, const Expr *e, const Type *want) {
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, e->items.count);
  bool bad = false;
  for (int i = 0; i < e->items.count; i++) {
    const Type *t = want && want->kind == TY_TUPLE && i < want->count ? want->items[i] : NULL;
    items[i] = check_expr(cx, e->items.data[i], t);
    bad = bad || items[i]->kind == VAL_POISON;
  }
  return bad ? &value_poison : value_items(cx->arena, VAL_TUPLE, NULL, items, e->items.count);
}

static bool alike(Checker *cx, const Value *a, const Value *b, const Expr *e) {
  bool elems = a->elem == b->elem || (a->elem != EL_BOOL && b->elem != EL_BOOL);
  if (a->kind == VAL_TENSOR && b->kind == VAL_TENSOR && elems && shape_equal(&a->shape, &b->shape))
    return true;
  CHECK_DIAG(cx, E0213, e->span, value_type_text(cx->arena, a), value_type_text(cx->arena, b));
  return false;
}

static const Value *check_array(Checker *cx, const Expr *e) {
  int n = e->items.count;
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, n);
  bool bad = false;
  for (int i = 0; i < n; i++) {
    items[i] = check_operand(cx, check_expr(cx, e->items.data[i], NULL), e->items.data[i]);
    if (items[i]->kind == VAL_POISON)
      bad = true;
    else if (items[i]->kind != VAL_TENSOR) {
      CHECK_DIAG(cx, E0208, e->items.data[i]->span, "a number or a bool",
                 value_type_text(cx->arena, items[i]));
      bad = true;
    } else if (!bad && i > 0 && !alike(cx, items[0], items[i], e->items.data[i]))
      bad = true;
  }
  if (bad)
    return &value_poison;
  Shape row, all;
  if (!shape_stack(1, &items[0]->shape, &row)) {
    CHECK_DIAG(cx, E0221, e->span, arena_printf(cx->arena, "more than %d axes", MAX_RANK));
    return &value_poison;
  }
  all = row;
  all.dim[0] = n;
  for (int i = 0; i < n; i++)
    items[i] = tensor_reshape(cx, items[i], row, e->span);
  return tensor_concat(cx, items, n, 0, all, e, e->span);
}

/* ---- operators ----------------------------------------------------------------------------------------- */

static Span operator_span(const Expr *e) {
  return e->kind == EX_BINARY && e->name_span.source ? e->name_span : e->span;
}

static void label_sides(Diag *d, Checker *cx, const Expr *e, const Value *a, const Value *b) {
  if (e->kind != EX_BINARY)
    return;
  diag_also(d, e->right->span, "%s", shape_text(cx->arena, &b->shape));
  diag_also(d, e->left->span, "%s", shape_text(cx->arena, &a->shape));
}

static const char *sizes_text(Checker *cx, const Shape *s) {
  static const char *const words[] = {"", " vector", " matrix", " tensor"};
  return s->rank
             ? arena_printf(cx->arena, "a %s%s", shape_text(cx->arena, s), words[s->rank < 3 ? s->rank : 3])
             : "a scalar";
}

static const Value *bad_matmul(Checker *cx, const Value *a, const Value *b, const Expr *e) {
  Diag *d = CHECK_DIAG(cx, E0201, operator_span(e), sizes_text(cx, &a->shape), sizes_text(cx, &b->shape));
  if (a->shape.rank != 2 || b->shape.rank != 2) {
    diag_label(d, "needs two matrices");
    label_sides(d, cx, e, a, b);
    diag_help(d, "make it a matrix: `reshape(...)`; for numbers, `*` is the product element by element");
    return &value_poison;
  }
  int64_t k = a->shape.dim[1], l = b->shape.dim[0];
  diag_label(d, "%" PRId64 " and %" PRId64 " must be equal", k, l);
  label_sides(d, cx, e, a, b);
  const char *left = e->kind == EX_BINARY ? span_text(cx->arena, e->left->span) : "x";
  const char *right = e->kind == EX_BINARY ? span_text(cx->arena, e->right->span) : "y";
  if (a->shape.dim[0] == l)
    diag_help(d, "the inner sizes must agree; did you mean `%s.T @ %s`?", left, right);
  else if (k > l)
    diag_help(d, "the inner sizes must agree; did you mean `%s[:, 0:%" PRId64 "] @ %s`?", left, l, right);
  else
    diag_help(d, "the inner sizes must agree");
  return &value_poison;
}

static const Value *bad_broadcast(Checker *cx, const Value *a, const Value *b, int64_t left, int64_t right,
                                  const Expr *e) {
  Diag *d = CHECK_DIAG(cx, E0202, operator_span(e), shape_text(cx->arena, &a->shape),
                       shape_text(cx->arena, &b->shape));
  diag_label(d, "sizes %" PRId64 " and %" PRId64 " do not match", left, right);
  label_sides(d, cx, e, a, b);
  diag_note(d, "shapes are lined up from the right; a size matches an equal size, or 1");
  bool rows = a->shape.rank == 2 && b->shape.rank == 1 && a->shape.dim[0] == b->shape.dim[0];
  if (rows && e->kind == EX_BINARY)
    diag_help(d, "for one value per row: `%s.reshape(%" PRId64 ", 1)`", span_text(cx->arena, e->right->span),
              b->shape.dim[0]);
  return &value_poison;
}

static const Value *needs_numbers(Checker *cx, Operator op, const Value *a, const Value *b, const Expr *e) {
  bool left = a->elem == EL_BOOL;
  const char *sign = ast_operator_text((int)op);
  Diag *d = CHECK_DIAG(cx, E0204, e->span, sign,
                       e->kind == EX_BINARY ? left ? "the left side is bool" : "the right side is bool"
                                            : "this is bool");
  if (e->kind != EX_BINARY)
    return &value_poison;
  diag_label(d, "%s %s %s", elem_text(a->elem), sign, elem_text(b->elem));
  const char *x = span_text(cx->arena, e->left->span), *y = span_text(cx->arena, e->right->span);
  if (left)
    diag_help(d, "count it as 0 or 1: `fixed(%s) %s %s`", x, sign, y);
  else
    diag_help(d, "count it as 0 or 1: `%s %s fixed(%s)`", x, sign, y);
  if (op == OPR_MUL && (left ? b : a)->elem != EL_BOOL)
    diag_help(d, "or choose: `select(%s, %s, %s)`", left ? x : y, left ? y : x,
              (left ? b : a)->elem == EL_INT ? "0" : "0.0");
  return &value_poison;
}

/* W0604: a constant that the grid of the protocol block cannot hold. Factors have a finer grid (factor.c), and what they
 * lose does not matter if it moves no product in range by more than half a step. */
static void lint_constant(Checker *cx, Operator op, const Value *constant, const Value *other,
                          const Expr *e) {
  if (other->place.kind != PLACE_PRIVATE || !constant->data || constant->elem != EL_FIXED ||
      constant->shape.rank != 0 || !e)
    return;
  if (!check_in_protocol(cx))
    return;
  const ProtocolInstance *in = &cx->program->protocols.data[cx->open.data[cx->open.count - 1].instance];
  bool fixed = other->elem == EL_FIXED, factor = op == OPR_MUL;
  int scale = factor ? factor_scale(in, fixed ? in->frac : 0, 0, constant->data, 1) : in->frac;
  double v = value_number(constant, 0), step = ldexp(1.0, -in->frac);
  double kept = ldexp(rint(ldexp(v, scale)), -scale), lost = fabs(v - kept), size = fabs(v);
  bool harmless = factor && fixed && kept != 0 && ldexp(lost, in->whole) <= step / 2;
  if (v == 0 || lost <= size * 0.01 || harmless)
    return;
  Diag *d =
      kept == 0
          ? CHECK_DIAG(cx, W0604, e->span, "is smaller than one step of the fixed-point grid and becomes 0")
          : CHECK_DIAG(cx, W0604, e->span,
                       arena_printf(cx->arena, "loses %.1f %% on the fixed-point grid", 100 * lost / size));
  diag_label(d, kept == 0 ? "becomes 0 with %d fraction bits" : "rounded to %d fraction bits", scale);
  diag_note(d, "one step is 2^-%d = %.*f", in->frac, in->frac * 3 / 10 + 3, step);
  diag_help(d, factor ? "scale the other factor first, so that the constant is near 1"
                      : "scale both sides, so that the constant is near 1");
  int most = (in->ring - 2 - in->whole) / 2;
  if (in->frac < most)
    diag_help(d, "or use more fraction bits: `with frac = %d`", in->frac + 8 < most ? in->frac + 8 : most);
}

static void lint_equality(Checker *cx, const Value *a, const Value *b, const Expr *e) {
  bool fixed = a->elem == EL_FIXED || b->elem == EL_FIXED;
  bool secret = a->place.kind == PLACE_PRIVATE || b->place.kind == PLACE_PRIVATE;
  if (!fixed || !secret)
    return;
  Diag *d = CHECK_DIAG(cx, W0611, e->span);
  diag_note(d, "private numbers are rounded, so equality of two results is a matter of chance");
  diag_help(d, "compare with a tolerance: `abs(x - y) < 0.001`");
}

static const Value *binary_tensors(Checker *cx, Operator op, const Value *a, const Value *b, const Expr *e) {
  Shape shape;
  int64_t left, right;
  bool logic = op == OPR_AND || op == OPR_OR, equality = op == OPR_EQ || op == OPR_NE;
  const Expr *le = e->kind == EX_BINARY ? e->left : NULL, *re = e->kind == EX_BINARY ? e->right : NULL;
  const char *sign = ast_operator_text((int)op);
  if (logic && (a->elem != EL_BOOL || b->elem != EL_BOOL)) {
    CHECK_DIAG(cx, E0220, e->span, sign, value_type_text(cx->arena, a), value_type_text(cx->arena, b));
    return &value_poison;
  }
  if (!logic && !(equality && a->elem == b->elem) && (a->elem == EL_BOOL || b->elem == EL_BOOL))
    return needs_numbers(cx, op, a, b, e);
  if (op == OPR_MATMUL)
    return shape_matmul(&a->shape, &b->shape, &shape) ? tensor_matmul(cx, a, b, shape, e, e->span)
                                                      : bad_matmul(cx, a, b, e);
  if ((op == OPR_FLOORDIV || op == OPR_MOD) && (a->elem != EL_INT || b->elem != EL_INT)) {
    Diag *d =
        CHECK_DIAG(cx, E0220, e->span, sign, value_type_text(cx->arena, a), value_type_text(cx->arena, b));
    diag_note(d, "`//` and `%%` are for ints; `/` gives the real quotient");
    return &value_poison;
  }
  if (!shape_broadcast(&a->shape, &b->shape, &shape, &left, &right))
    return bad_broadcast(cx, a, b, left, right, e);
  lint_constant(cx, op, a, b, le);
  if (op != OPR_DIV)
    lint_constant(cx, op, b, a, re);
  if (equality)
    lint_equality(cx, a, b, e);
  if (op == OPR_POW)
    return tensor_power(cx, a, b, shape, e, e->span);
  if (op == OPR_GT || op == OPR_GE)
    return tensor_binary(cx, operator_op(op), b, a, shape, e, e->span);
  return tensor_binary(cx, operator_op(op), a, b, shape, e, e->span);
}

static const Value *not_a_vector(Checker *cx, Operator op, const Struct *st, const Expr *e) {
  const char *field = "";
  for (int i = 0; i < st->decl->fields.count; i++) {
    const Type *t = st->fields[i];
    bool fixed = t->kind == TY_TENSOR ? t->elem == EL_FIXED : t->kind == TY_STRUCT && t->st->all_fixed;
    if (!fixed) {
      field = st->decl->fields.data[i].name;
      break;
    }
  }
  CHECK_DIAG(cx, E0214, e->span, ast_operator_text((int)op), st->decl->name, field);
  return &value_poison;
}

/* S7: structs of fixed are vectors. */
static const Value *binary_structs(Checker *cx, Operator op, const Value *a, const Value *b, const Expr *e) {
  bool arithmetic = op == OPR_ADD || op == OPR_SUB || op == OPR_MUL || op == OPR_DIV;
  const Value *st = a->kind == VAL_STRUCT ? a : b, *other = st == a ? b : a;
  bool scalar = other->kind == VAL_TENSOR && other->shape.rank == 0 && other->elem != EL_BOOL;
  bool same = other->kind == VAL_STRUCT && other->st == st->st;
  if (st->kind != VAL_STRUCT || !arithmetic || !(scalar || same)) {
    CHECK_DIAG(cx, E0220, e->span, ast_operator_text((int)op), value_type_text(cx->arena, a),
               value_type_text(cx->arena, b));
    return &value_poison;
  }
  if (!st->st->all_fixed)
    return not_a_vector(cx, op, st->st, e);
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, st->count);
  for (int i = 0; i < st->count; i++) {
    const Value *x = a->kind == VAL_STRUCT ? a->items[i] : a, *y = b->kind == VAL_STRUCT ? b->items[i] : b;
    items[i] = check_binary(cx, op, x, y, e);
    if (items[i]->kind == VAL_POISON)
      return &value_poison;
  }
  return value_items(cx->arena, VAL_STRUCT, st->st, items, st->count);
}

const Value *check_binary(Checker *cx, Operator op, const Value *a, const Value *b, const Expr *e) {
  const Expr *le = e->kind == EX_BINARY ? e->left : e, *re = e->kind == EX_BINARY ? e->right : e;
  if (value_is_poison(a) || value_is_poison(b))
    return &value_poison;
  a = check_operand(cx, a, le);
  b = a->kind == VAL_POISON ? b : check_operand(cx, b, re);
  if (a->kind == VAL_POISON || b->kind == VAL_POISON)
    return &value_poison;
  if (a->kind == VAL_VOID || b->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, (a->kind == VAL_VOID ? le : re)->span);
    return &value_poison;
  }
  if (a->kind == VAL_TENSOR && b->kind == VAL_TENSOR)
    return binary_tensors(cx, op, a, b, e);
  return binary_structs(cx, op, a, b, e);
}

static const Value *check_unary(Checker *cx, const Expr *e, const Type *want) {
  const Value *v = check_operand(cx, check_expr(cx, e->right, want), e->right);
  if (v->kind == VAL_POISON)
    return v;
  if (v->kind == VAL_STRUCT && e->op == OPR_NEG) {
    if (!v->st->all_fixed)
      return not_a_vector(cx, OPR_NEG, v->st, e);
    return binary_structs(cx, OPR_MUL, value_fixed(cx->arena, -1.0), v, e);
  }
  if (v->kind != VAL_TENSOR || (e->op == OPR_NOT) != (v->elem == EL_BOOL)) {
    if (v->kind == VAL_TENSOR && e->op == OPR_NEG)
      return needs_numbers(cx, e->op, v, v, e);
    CHECK_DIAG(cx, E0208, e->right->span, e->op == OPR_NOT ? "a bool" : "a number",
               value_type_text(cx->arena, v));
    return &value_poison;
  }
  return tensor_unary(cx, operator_op(e->op), v, e, e->span);
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

static const Value *dispatch(Checker *cx, const Expr *e, const Type *want) {
  switch (e->kind) {
  case EX_NAME: return check_name(cx, e);
  case EX_INT: return value_int(cx->arena, e->integer);
  case EX_REAL: return value_fixed(cx->arena, e->real);
  case EX_STRING: return value_string(cx->arena, e->text);
  case EX_BOOL: return value_bool(cx->arena, e->integer != 0);
  case EX_TUPLE: return check_tuple(cx, e, want);
  case EX_ARRAY: return check_array(cx, e);
  case EX_CALL: return check_call(cx, e, want);
  case EX_INDEX: return check_index(cx, check_expr(cx, e->left, NULL), e);
  case EX_FIELD: return check_field_expr(cx, e);
  case EX_UNARY: return check_unary(cx, e, NULL);
  case EX_BINARY: {
    const Value *a = check_expr(cx, e->left, NULL), *b = check_expr(cx, e->right, NULL);
    cx->here = e->span;
    return check_binary(cx, e->op, a, b, e);
  }
  case EX_SHARE: return check_share(cx, e, want);
  case EX_REVEAL: return check_reveal(cx, e, want);
  case EX_AT: return check_at(cx, e, want, true);
  case EX_PROTOCOL: return check_protocol(cx, e, want, true);
  case EX_GRAD: return grad_check(cx, e);
  }
  return &value_poison;
}

const Value *check_expr(Checker *cx, const Expr *e, const Type *want) {
  Span here = cx->here;
  if (!e)
    return &value_poison;
  if (cx->depth > DEEPEST) {
    CHECK_DIAG(cx, E0137, e->span);
    return &value_poison;
  }
  cx->here = e->span;
  cx->depth++;
  const Value *v = dispatch(cx, e, want);
  cx->depth--;
  cx->here = here;
  return v;
}
