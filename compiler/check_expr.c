/* Expressions: names and places (rules F1-F9, S1-S8), operators, subscripts, share, reveal, `at` and `protocol`. */
#include <inttypes.h>

#include "tensor.h"

enum { DEEPEST = 400 };

/* ---- reading values where we are ------------------------------------------------------------------------------------ */

static const char *init_text(Checker *cx, const Var *x) {
  return x && x->init ? span_text(cx->arena, x->init->span) : NULL;
}

static void share_help(Checker *cx, Diag *d, const Var *x, const Value *v, const char *init) {
  Value shared = *v;
  if (v->place.kind == PLACE_EACH)
    shape_stack(cx->program->parties.data[v->place.index].count, &v->shape, &shared.shape);
  diag_help(d, "send it secretly: `let %s: private %s = share %s`", x->name,
            value_type_text(cx->arena, &shared), init);
}

static void elsewhere_joint(Checker *cx, const Value *v, const Expr *e, Span at) {
  const char *party = check_party_text(cx, v->place);
  Diag *d = CHECK_DIAG(cx, E0305, at, check_quoted(cx, e), party);
  diag_label(d, "lives at %s", party);
  if (v->origin && v->origin->span.source == at.source && v->origin->span.start != at.start)
    diag_also(d, v->origin->span, "%s", v->origin->text);
  const Var *x = e && e->kind == EX_NAME ? scope_find(cx->frame, e->name) : NULL;
  const char *init = init_text(cx, x);
  if (init && x->init->kind == EX_AT)
    share_help(cx, d, x, v, init);
  else if (x)
    diag_help(d, "send it secretly: `share %s`", x->name);
  diag_help(d, "or publish it: `reveal %s`", e ? span_text(cx->arena, e->span) : "...");
}

/* A leaf as an operand: in joint code nothing that lives at a party. */
static const Value *operand_leaf(Checker *cx, const Value *v, const Expr *e, Span at) {
  if (v->kind != VAL_TENSOR || v->place.kind == PLACE_PUBLIC || v->place.kind == PLACE_PRIVATE ||
      !check_is_joint(cx))
    return v;
  elsewhere_joint(cx, v, e, at);
  return &value_poison;
}

const Value *check_operand(Checker *cx, const Value *v, const Expr *e) {
  Leaves leaves = {0};
  Span at = e ? e->span : cx->here;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    if (operand_leaf(cx, leaves.list.data[i], e, at)->kind == VAL_POISON)
      return &value_poison;
  return v;
}

static bool same_family(const Checker *cx, Place each, Place one) {
  const PartyDecl *f = &cx->program->parties.data[each.index];
  return one.kind == PLACE_AT && one.index >= f->first && one.index < f->first + f->count;
}

static const Value *wrong_reader(Checker *cx, const Value *v, const Expr *e) {
  Span at = e ? e->span : cx->here;
  const char *here = check_party_text(cx, cx->pi);
  const char *name = e && e->kind == EX_NAME ? e->name : "x";
  if (v->place.kind == PLACE_PRIVATE) {
    Diag *d = CHECK_DIAG(cx, E0306, at, here);
    diag_label(d, "%s", check_place_text(cx, v, false));
    diag_help(d, "reveal it to %s first: `let %c = reveal %s to %s`", here, name[0], name, here);
    return &value_poison;
  }
  const char *party = check_party_text(cx, v->place);
  Diag *d = CHECK_DIAG(cx, E0308, at, check_quoted(cx, e), party, here);
  diag_label(d, "lives at %s", party);
  if (v->origin && v->origin->span.source == at.source)
    diag_also(d, v->origin->span, "%s", v->origin->text);
  diag_help(d, "send it in the clear: `let %s2 = reveal %s to %s`", name, name, here);
  return &value_poison;
}

static const Value *read_leaf(Checker *cx, const Value *v, const Expr *e) {
  if (v->kind != VAL_TENSOR || v->place.kind == PLACE_PUBLIC || check_is_joint(cx) ||
      place_equal(v->place, cx->pi))
    return v;
  if (v->place.kind == PLACE_EACH && same_family(cx, v->place, cx->pi)) {
    int64_t member = cx->pi.index - cx->program->parties.data[v->place.index].first;
    return tensor_make(cx, OP_MEMBER, &v, 1, &member, 1, v->elem, v->shape, cx->pi, e ? e->span : cx->here);
  }
  return wrong_reader(cx, v, e);
}

const Value *check_read(Checker *cx, const Value *v, const Expr *e) {
  Leaves leaves = {0};
  if (check_is_joint(cx) || value_is_poison(v))
    return v;
  value_leaves(cx->arena, v, &leaves);
  bool changed = false;
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *read = read_leaf(cx, leaves.list.data[i], e);
    if (read->kind == VAL_POISON)
      return read;
    changed = changed || read != leaves.list.data[i];
    leaves.list.data[i] = read;
  }
  int next = 0;
  return changed ? value_rebuild(cx->arena, v, leaves.list.data, &next) : v;
}

/* ---- compile-time values ---------------------------------------------------------------------------------------------- */

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
static Loop *loop_behind(Checker *cx, const Value *v) {
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
  Loop *loop = loop_behind(cx, v);
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

/* ---- names -------------------------------------------------------------------------------------------------------------- */

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
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  return &value_poison;
}

static const Value *check_name(Checker *cx, const Expr *e) {
  Var *x = scope_find(cx->frame, e->name);
  if (x) {
    x->read = true;
    return check_read(cx, x->value, e);
  }
  const Value *global = check_decl_global(cx, cx->frame->unit, e->name);
  if (global)
    return global;
  if (strcmp(e->name, "me") == 0)
    return running_member(cx, e);
  return unknown_name(cx, e);
}

/* ---- fields ---------------------------------------------------------------------------------------------------------------- */

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

/* ---- arrays and tuples -------------------------------------------------------------------------------------------------------- */

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

/* ---- operators ------------------------------------------------------------------------------------------------------------------ */

static OpKind op_of(Operator op) {
  switch (op) {
  case OPR_ADD: return OP_ADD;
  case OPR_SUB: return OP_SUB;
  case OPR_MUL: return OP_MUL;
  case OPR_DIV: return OP_DIV;
  case OPR_FLOORDIV: return OP_FLOORDIV;
  case OPR_MOD: return OP_MOD;
  case OPR_POW: return OP_POW;
  case OPR_LT:
  case OPR_GT: return OP_LT;
  case OPR_LE:
  case OPR_GE: return OP_LE;
  case OPR_EQ: return OP_EQ;
  case OPR_NE: return OP_NE;
  case OPR_AND: return OP_AND;
  case OPR_OR: return OP_OR;
  case OPR_NOT: return OP_NOT;
  case OPR_NEG: return OP_NEG;
  case OPR_MATMUL: return OP_MATMUL;
  }
  return OP_NONE;
}

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

/* W0604: a constant that the grid of the protocol block cannot hold. */
static void lint_constant(Checker *cx, const Value *constant, const Value *other, const Expr *e) {
  if (other->place.kind != PLACE_PRIVATE || !constant->data || constant->elem != EL_FIXED ||
      constant->shape.rank != 0 || !e)
    return;
  if (!check_in_protocol(cx))
    return;
  const ProtocolInstance *in = &cx->program->protocols.data[cx->open.data[cx->open.count - 1].instance];
  double v = value_number(constant, 0), step = 1.0 / (double)(INT64_C(1) << in->frac);
  double kept = __builtin_rint(v / step) * step, lost = v > kept ? v - kept : kept - v, size = v < 0 ? -v : v;
  if (v == 0 || lost <= size * 0.01)
    return;
  Diag *d =
      kept == 0
          ? CHECK_DIAG(cx, W0604, e->span, "is smaller than one step of the fixed-point grid and becomes 0")
          : CHECK_DIAG(cx, W0604, e->span,
                       arena_printf(cx->arena, "loses %.1f %% on the fixed-point grid", 100 * lost / size));
  diag_label(d, kept == 0 ? "becomes 0 with %d fraction bits" : "rounded to %d fraction bits", in->frac);
  diag_note(d, "one step is 2^-%d = %.7f", in->frac, step);
  diag_help(d, "scale the other factor first, so that the constant is near 1");
  int most = (in->ring - 1 - in->whole) / 2;
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
  lint_constant(cx, a, b, le);
  if (op != OPR_DIV)
    lint_constant(cx, b, a, re);
  if (equality)
    lint_equality(cx, a, b, e);
  if (op == OPR_POW)
    return tensor_power(cx, a, b, shape, e, e->span);
  if (op == OPR_GT || op == OPR_GE)
    return tensor_binary(cx, op_of(op), b, a, shape, e, e->span);
  return tensor_binary(cx, op_of(op), a, b, shape, e, e->span);
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
  return tensor_unary(cx, op_of(e->op), v, e, e->span);
}

/* ---- subscripts ------------------------------------------------------------------------------------------------------------------ */

/* The box that subscripts pick, before scalar axes are dropped. */
typedef struct Box {
  const Value *start[MAX_RANK]; /* NULL: 0 */
  Shape shape;
  bool drop[MAX_RANK];
  int gather_axis; /* -1: none */
  const Value *gather;
} Box;

static const Value *index_value(Checker *cx, const Expr *e, int64_t count, const Expr *whole) {
  const Value *v = check_operand(cx, check_expr(cx, e, NULL), e);
  if (v->kind == VAL_POISON)
    return v;
  if (v->kind != VAL_TENSOR || v->elem != EL_INT || v->shape.rank > 1) {
    CHECK_DIAG(cx, E0208, e->span, "an int", value_type_text(cx->arena, v));
    return &value_poison;
  }
  if (v->place.kind != PLACE_PRIVATE)
    return v;
  Diag *d = CHECK_DIAG(cx, E0303, e->span);
  diag_label(d, "%s", check_place_text(cx, v, true));
  diag_note(d, "the memory access would show which element is read");
  if (whole->kind == EX_INDEX && whole->subs.count == 1 && count > 0)
    diag_help(d, "secret look-up, costs one pass over all %" PRId64 " elements: `%s.lookup(%s)`", count,
              span_text(cx->arena, whole->left->span), span_text(cx->arena, e->span));
  return &value_poison;
}

static void outside(Checker *cx, Span at, int64_t i, int64_t last) {
  CHECK_DIAG(cx, E0211, at, arena_printf(cx->arena, "%" PRId64, i),
             arena_printf(cx->arena, "%" PRId64, last));
}

static bool slice_bound(Checker *cx, const Expr *e, const Expr *whole, int64_t otherwise, int64_t n,
                        const Value **out) {
  int64_t i;
  *out = value_int(cx->arena, otherwise);
  if (!e)
    return true;
  *out = index_value(cx, e, n, whole);
  if ((*out)->kind == VAL_POISON)
    return false;
  if ((*out)->shape.rank != 0) {
    CHECK_DIAG(cx, E0208, e->span, "an int", value_type_text(cx->arena, *out));
    return false;
  }
  if (value_const_int(*out, &i) && (i < 0 || i > n)) {
    outside(cx, e->span, i, n);
    return false;
  }
  return true;
}

/* S3: the size of low:high must come out as a constant. */
static bool slice_size(Checker *cx, const Value *low, const Value *high, const Subscript *s, int64_t *size) {
  const Affine *d = affine_add(cx->arena, value_affine(cx->arena, high), value_affine(cx->arena, low), -1);
  if (d && d->count == 0) {
    *size = d->base;
    if (*size >= 0)
      return true;
    CHECK_DIAG(cx, E0211, s->span, "below the start of the slice", "its end");
    return false;
  }
  const Value *unknown = high->data ? low : high;
  const Expr *e = high->data ? s->low : s->high;
  Loop *loop = loop_behind(cx, unknown);
  if (!loop && !high->data && !low->data && loop_behind(cx, low))
    unknown = low;
  check_need_const(cx, unknown, e, s->span, "the size of a tensor");
  return false;
}

static bool box_axis(Checker *cx, Box *box, int axis, const Subscript *s, int64_t n, const Expr *whole) {
  int64_t i;
  box->shape.dim[axis] = n;
  if (s->is_slice) {
    const Value *low, *high;
    if (!s->low && !s->high)
      return true;
    if (!slice_bound(cx, s->low, whole, 0, n, &low) || !slice_bound(cx, s->high, whole, n, n, &high) ||
        !slice_size(cx, low, high, s, &box->shape.dim[axis]))
      return false;
    box->start[axis] = low;
    return true;
  }
  const Value *v = index_value(cx, s->low, n, whole);
  if (v->kind == VAL_POISON)
    return false;
  if (v->shape.rank == 1) {
    if (box->gather_axis >= 0) {
      CHECK_DIAG(cx, E0219, s->span, "[]", "at most one list of indices", "a second one");
      return false;
    }
    box->gather_axis = axis;
    box->gather = v;
    return true;
  }
  if (value_const_int(v, &i) && (i < 0 || i >= n)) {
    outside(cx, s->low->span, i, n - 1);
    return false;
  }
  box->start[axis] = v;
  box->shape.dim[axis] = 1;
  box->drop[axis] = true;
  return true;
}

static bool box_of(Checker *cx, const Value *base, const Expr *e, Box *box) {
  *box = (Box){.gather_axis = -1};
  if (base->kind != VAL_TENSOR || e->subs.count > base->shape.rank) {
    const char *what =
        base->kind == VAL_TENSOR && base->shape.rank == 0 ? "a scalar" : value_type_text(cx->arena, base);
    CHECK_DIAG(cx, E0210, e->span, what,
               arena_printf(cx->arena, "%d subscript%s", e->subs.count, e->subs.count == 1 ? "" : "s"));
    return false;
  }
  box->shape = base->shape;
  for (int i = 0; i < e->subs.count; i++)
    if (!box_axis(cx, box, i, &e->subs.data[i], base->shape.dim[i], e))
      return false;
  return true;
}

/* The box with its scalar axes taken out. */
static Shape dropped(const Box *box) {
  Shape s = {0};
  for (int i = 0; i < box->shape.rank; i++)
    if (!box->drop[i])
      s.dim[s.rank++] = box->shape.dim[i];
  return s;
}

static const Value *gathered(Checker *cx, const Value *v, int axis, const Value *index, Span at) {
  int64_t axes[MAX_RANK] = {axis}, back[MAX_RANK];
  for (int i = 0, k = 1; i < v->shape.rank; i++)
    if (i != axis)
      axes[k++] = i;
  for (int i = 0; i < v->shape.rank; i++)
    back[axes[i]] = i;
  const Value *front = tensor_transpose(cx, v, axes, at);
  if (front->kind != VAL_TENSOR)
    return front;
  return tensor_transpose(cx, tensor_gather(cx, front, index, at), back, at);
}

const Value *check_index(Checker *cx, const Value *base, const Expr *e) {
  Box box;
  base = check_operand(cx, base, e->left);
  if (value_is_poison(base) || !box_of(cx, base, e, &box))
    return &value_poison;
  const Value *v = tensor_slice(cx, base, box.start, box.shape, e->span);
  if (v->kind == VAL_TENSOR && box.gather)
    v = gathered(cx, v, box.gather_axis, box.gather, e->span);
  if (v->kind != VAL_TENSOR)
    return v;
  if (box.gather)
    box.shape.dim[box.gather_axis] = box.gather->shape.dim[0];
  return tensor_reshape(cx, v, dropped(&box), e->span);
}

const Value *check_update(Checker *cx, const Value *base, const Expr *e, const Value *item, Span at) {
  Box box;
  base = check_operand(cx, base, e->left);
  if (value_is_poison(base) || value_is_poison(item) || !box_of(cx, base, e, &box))
    return &value_poison;
  if (box.gather) {
    CHECK_DIAG(cx, E0219, e->span, "=", "a box of elements", "a list of indices");
    return &value_poison;
  }
  Type t = {.kind = TY_TENSOR, .elem = base->elem, .shape = dropped(&box), .span = e->span};
  Expr value_expr = *e;
  value_expr.span = at;
  if (item->kind == VAL_TENSOR && item->shape.rank == 0)
    item = tensor_broadcast(cx, item, t.shape, at); /* one number for the whole box */
  item = check_coerce(cx, item, &t, &value_expr, NULL);
  if (item->kind == VAL_POISON)
    return item;
  const Value *placed = check_to_place(cx, item, base->place, &value_expr, at);
  if (!placed)
    return NULL;
  return tensor_update(cx, base, tensor_reshape(cx, placed, box.shape, at), box.start, at);
}

/* ---- at blocks --------------------------------------------------------------------------------------------------------------------- */

static bool joint_only(Checker *cx, const Expr *e, const char *word) {
  if (check_is_joint(cx))
    return true;
  Diag *d = CHECK_DIAG(cx, E0313, e->span, word);
  diag_note(d, "an `at` block is the local work of one party; nothing is sent or received inside");
  return false;
}

/* A value made in an `at` block, seen from outside: its leaves live at the party. */
static const Value *leaf_at(Checker *cx, const Value *v, const Origin *origin, Span at) {
  if (v->kind != VAL_TENSOR)
    return v;
  Value *placed = value_new(cx->arena, VAL_TENSOR);
  Op *op = v->op;
  if (!op || !place_equal(op->at, cx->pi)) { /* known to all, but it counts as the party's from here on */
    bool constant = !op;
    op = tensor_op(cx, v);
    if (!constant) {
      Op *copy = ir_op(cx->program, cx->block, OP_RESHAPE, op->type, check_site(cx, at));
      ir_operand(cx->program, copy, op);
      op = copy;
    }
    op->at = cx->pi;
  }
  *placed = *value_of(cx->arena, op);
  placed->place = cx->pi;
  placed->origin = origin;
  return placed;
}

static const Value *all_leaves_at(Checker *cx, const Value *v, const Origin *origin, Span at) {
  Leaves leaves = {0};
  int next = 0;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    leaves.list.data[i] = leaf_at(cx, leaves.list.data[i], origin, at);
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

static const Origin *origin_new(Checker *cx, Span at, const char *text) {
  Origin *o = ARENA_NEW(cx->arena, Origin);
  o->span = at;
  o->text = text;
  return o;
}

/* What an `at` block expects of its last expression: places are not its business. */
static const Type *bare(Checker *cx, const Type *want) {
  if (!want)
    return NULL;
  Type *t = ARENA_NEW(cx->arena, Type);
  *t = *want;
  t->visibility = VIS_NONE;
  t->has_place = false;
  return t;
}

static const Value *check_at(Checker *cx, const Expr *e, const Type *want, bool want_value) {
  Place place, outer = cx->pi;
  Span outer_span = cx->pi_span;
  if (!joint_only(cx, e, "at") || !check_decl_place(cx, &e->place, &place))
    return &value_poison;
  Frame *f = cx->frame;
  Var *broke = f->broke, *continued = f->continued;
  f->broke = f->continued = NULL;
  f->flow_floor++;
  cx->pi = place;
  cx->pi_span = e->span;
  const Value *v = check_block(cx, e->block, want_value, bare(cx, want));
  if (want_value && !value_is_poison(v) && v->kind != VAL_VOID) {
    const char *text = arena_printf(cx->arena, "computed at %s", check_party_text(cx, place));
    v = all_leaves_at(cx, v, origin_new(cx, e->span, text), e->span);
  }
  cx->pi = outer;
  cx->pi_span = outer_span;
  f->flow_floor--;
  f->broke = broke;
  f->continued = continued;
  return v;
}

/* ---- protocol blocks ------------------------------------------------------------------------------------------------------------------ */

static const Value *leave_protocol(Checker *cx, const Value *v, int instance, const Expr *e) {
  Leaves leaves = {0};
  int next = 0;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind != VAL_TENSOR || leaf->place.kind != PLACE_PRIVATE)
      continue;
    if (check_in_protocol(cx)) {
      leaves.list.data[i] = tensor_lift(cx, leaf, e->span);
      continue;
    }
    Span header = {e->span.source, e->span.start, e->proto->span.end};
    Diag *d = CHECK_DIAG(cx, E0311, header);
    diag_label(d, "its value is private (%s)", check_kind_name(cx, instance));
    diag_note(d, "its shares have no meaning once the block's servers are done");
    diag_help(d, "reveal it inside the block, or continue the computation there");
    return &value_poison;
  }
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

static bool convertible(Checker *cx, const Decl *kind, int instance, const Expr *e) {
  const Open *outer = &cx->open.data[cx->open.count - 1];
  if (outer->instance == instance)
    return true;
  Diag *d = CHECK_DIAG(cx, E0411, e->proto->span, outer->kind->name, kind->name);
  diag_note(d, "conversions between protocols are not available yet in this version");
  return false;
}

static const Value *check_protocol(Checker *cx, const Expr *e, const Type *want, bool want_value) {
  const Decl *kind;
  if (!joint_only(cx, e, "protocol"))
    return &value_poison;
  int instance = check_decl_protocol(cx, e->proto, &kind);
  if (instance < 0 || (cx->open.count && !convertible(cx, kind, instance, e)))
    return &value_poison;
  Frame *f = cx->frame;
  Var *broke = f->broke, *continued = f->continued;
  f->broke = f->continued = NULL;
  f->flow_floor++;
  VEC_PUSH(cx->arena, &cx->open, ((Open){instance, kind, e->proto->kind_span}));
  const Value *v = check_block(cx, e->block, want_value, bare(cx, want));
  cx->open.count--;
  f->flow_floor--;
  f->broke = broke;
  f->continued = continued;
  if (!want_value || value_is_poison(v) || v->kind == VAL_VOID)
    return v;
  return leave_protocol(cx, v, instance, e);
}

const Value *check_expr_discarded(Checker *cx, const Expr *e) {
  cx->here = e->span;
  if (e->kind == EX_PROTOCOL)
    return check_protocol(cx, e, NULL, false);
  if (e->kind == EX_AT)
    return check_at(cx, e, NULL, false);
  return check_expr(cx, e, NULL);
}

/* ---- share ------------------------------------------------------------------------------------------------------------------------------- */

static const Value *share_one(Checker *cx, const Value *v, const Expr *e) {
  return tensor_make(cx, OP_SHARE, &v, 1, NULL, 0, v->elem, v->shape, check_private_place(cx), e->span);
}

/* Each member's value, stacked along a new first axis. */
static const Value *share_family(Checker *cx, const Value *v, const Expr *e) {
  const PartyDecl *f = &cx->program->parties.data[v->place.index];
  const Value **parts = ARENA_ARRAY(cx->arena, const Value *, f->count);
  Shape row, all;
  if (!shape_stack(1, &v->shape, &row)) {
    CHECK_DIAG(cx, E0221, e->span, arena_printf(cx->arena, "more than %d axes", MAX_RANK));
    return &value_poison;
  }
  all = row;
  all.dim[0] = f->count;
  for (int i = 0; i < f->count; i++) {
    int64_t member = i;
    Place at = {PLACE_AT, f->first + i};
    const Value *own = tensor_make(cx, OP_MEMBER, &v, 1, &member, 1, v->elem, v->shape, at, e->span);
    parts[i] = tensor_reshape(cx, share_one(cx, own, e), row, e->span);
  }
  return tensor_concat(cx, parts, f->count, 0, all, e, e->span);
}

static const Value *share_leaf(Checker *cx, const Value *v, const Expr *e) {
  if (v->kind != VAL_TENSOR) {
    CHECK_DIAG(cx, E0316, e->right->span, v->kind == VAL_STRING ? "a string" : "this");
    return &value_poison;
  }
  if (v->place.kind == PLACE_PUBLIC || v->place.kind == PLACE_PRIVATE) {
    CHECK_DIAG(cx, E0312, e->span, v->place.kind == PLACE_PUBLIC ? "public" : "private");
    return &value_poison;
  }
  const Value *shared = v->place.kind == PLACE_AT ? share_one(cx, v, e) : share_family(cx, v, e);
  const char *text = arena_printf(cx->arena, "shared by %s", check_party_text(cx, v->place));
  return value_with_origin(cx->arena, shared, origin_new(cx, e->span, text));
}

/* The type expected under `share at family`: one axis less. */
static const Type *member_type(Checker *cx, const Type *want, const Expr *right) {
  const Type *plain = bare(cx, want);
  if (!plain || right->kind != EX_AT || right->place.index)
    return plain;
  const PartyDecl *f = check_decl_party(cx, right->place.name);
  if (!f || !f->family)
    return plain;
  Type *t = ARENA_NEW(cx->arena, Type);
  *t = *plain;
  if (t->kind == TY_TUPLE) {
    const Type **items = ARENA_ARRAY(cx->arena, const Type *, t->count);
    for (int i = 0; i < t->count; i++)
      items[i] = member_type(cx, plain->items[i], right);
    t->items = items;
  } else if (t->kind == TY_TENSOR && t->shape.rank > 0) {
    t->shape = shape_tail(&t->shape);
  } else {
    return NULL;
  }
  return t;
}

static void share_outside(Checker *cx, const Expr *e) {
  Span word = {e->span.source, e->span.start, e->span.start + 5};
  Diag *d = CHECK_DIAG(cx, E0309, word, "`share`");
  diag_label(d, "no protocol here");
  diag_note(d, "a value is always shared among the servers of some protocol");
  for (int i = 0; i < cx->root->ast->stmts.count; i++) {
    const Stmt *s = cx->root->ast->stmts.data[i];
    if (s->kind == ST_EXPR && s->value->kind == EX_PROTOCOL && s->span.start > e->span.start &&
        !cx->frame->fn) {
      diag_help(d, "move this line into the `protocol` block at %s", source_where(cx->arena, s->span));
      return;
    }
  }
}

static const Value *check_share(Checker *cx, const Expr *e, const Type *want) {
  Leaves leaves = {0};
  int next = 0;
  if (!joint_only(cx, e, "share"))
    return &value_poison;
  if (!check_in_protocol(cx)) {
    share_outside(cx, e);
    return &value_poison;
  }
  const Value *v = check_expr(cx, e->right, member_type(cx, want, e->right));
  if (value_is_poison(v))
    return v;
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, e->right->span);
    return &value_poison;
  }
  bool family = false;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    family =
        family || (leaves.list.data[i]->kind == VAL_TENSOR && leaves.list.data[i]->place.kind == PLACE_EACH);
    leaves.list.data[i] = share_leaf(cx, leaves.list.data[i], e);
    if (leaves.list.data[i]->kind == VAL_POISON)
      return &value_poison;
  }
  if (family && v->kind == VAL_STRUCT) {
    Diag *d = CHECK_DIAG(cx, E0316, e->right->span, "a struct of each member of a family");
    diag_help(d, "share its fields: a tuple `(m.w, m.b)`");
    return &value_poison;
  }
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

/* ---- reveal -------------------------------------------------------------------------------------------------------------------------------- */

static void check_marked(Checker *cx, const Expr *e, const char *label) {
  Frame *f = cx->frame;
  f->reveals = true;
  if (!f->fn || f->fn->reveals)
    return;
  Diag *d = diag_new(cx->diags, DIAG_E0310, e->span, f->fn->name);
  Span head = f->fn->head;
  head.start = f->fn->name_span.start;
  diag_label(d, "%s", label);
  if (head.source == e->span.source)
    diag_also(d, head, "not marked `reveals`");
  diag_note(d, "functions that reveal are marked, so that callers and auditors see it in the signature");
  diag_help(d, "write `%s reveals {`", span_text(cx->arena, f->fn->head));
}

void check_call_reveals(Checker *cx, const Expr *e, const char *callee) {
  check_marked(cx, e, arena_printf(cx->arena, "`%s` reveals", callee));
}

static void record_reveal(Checker *cx, const Value *v, const Expr *e, Place to, const Value *leaf,
                          bool secret) {
  Reveal r = {.span = e->span,
              .site = check_site(cx, e->span),
              .source_text = span_text(cx->arena, e->right->span),
              .type = leaf->kind == VAL_TENSOR ? value_ir_type(leaf) : (IrType){0},
              .to = to,
              .was_private = secret,
              .times = cx->times,
              .type_text = value_type_text(cx->arena, v),
              .protocol = secret ? leaf->place.index : -1};
  VEC_PUSH(cx->arena, &cx->program->reveals, r);
}

/* A public value that is revealed: it is known already, but its place is the receiver's. */
static const Value *known_at(Checker *cx, const Value *v, Place to, const Expr *e) {
  Place outer = cx->pi;
  if (to.kind == PLACE_PUBLIC)
    return v;
  cx->pi = to;
  const Value *placed = leaf_at(cx, v, NULL, e->span);
  cx->pi = outer;
  return placed;
}

static const Value *check_reveal(Checker *cx, const Expr *e, const Type *want) {
  Place to = PLACE_JOINT;
  Leaves leaves = {0};
  int next = 0;
  if (!joint_only(cx, e, "reveal"))
    return &value_poison;
  bool known_place = !e->has_place || check_decl_place(cx, &e->place, &to);
  const Value *v = check_expr(cx, e->right, bare(cx, want));
  if (value_is_poison(v) || !known_place)
    return &value_poison;
  if (v->kind == VAL_VOID || v->kind == VAL_STRING) {
    CHECK_DIAG(cx, E0217, e->right->span);
    return &value_poison;
  }
  const Value *secret = NULL, *local = NULL;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind != VAL_TENSOR)
      continue;
    secret = secret || leaf->place.kind != PLACE_PRIVATE ? secret : leaf;
    local = local || leaf->place.kind == PLACE_PUBLIC ? local : leaf;
    if (leaf->place.kind == PLACE_PUBLIC) {
      leaves.list.data[i] = known_at(cx, leaf, to, e);
      continue;
    }
    if (leaf->place.kind == PLACE_EACH) {
      CHECK_DIAG(cx, E0305, e->right->span, check_quoted(cx, e->right), check_party_text(cx, leaf->place));
      return &value_poison;
    }
    const Value *shown = tensor_make(cx, OP_REVEAL, &leaf, 1, NULL, 0, leaf->elem, leaf->shape, to, e->span);
    const char *text =
        arena_printf(cx->arena, "revealed to %s", to.kind == PLACE_PUBLIC ? "all" : check_party_text(cx, to));
    leaves.list.data[i] = value_with_origin(cx->arena, shown, origin_new(cx, e->span, text));
  }
  if (local) {
    const Value *from;
    const Expr *name = check_find_name(cx, e->right, secret ? PLACE_PRIVATE : local->place.kind, &from);
    check_marked(cx, e, name ? arena_printf(cx->arena, "declassifies %s", name->name) : "declassifies");
    record_reveal(cx, v, e, to, secret ? secret : local, secret != NULL);
  } else {
    Diag *d = CHECK_DIAG(cx, W0607, e->span);
    diag_help(d, "write `%s`", span_text(cx->arena, e->right->span));
  }
  return value_rebuild(cx->arena, v, leaves.list.data, &next);
}

/* ---- conditions ------------------------------------------------------------------------------------------------------------------------------ */

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
  if (v->place.kind == PLACE_PRIVATE) {
    private_condition(cx, v, e, word, code);
    return NULL;
  }
  return v;
}

/* ---- the walk ----------------------------------------------------------------------------------------------------------------------------------- */

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
  case EX_GRAD: CHECK_DIAG(cx, E0901, e->span, "`grad`"); return &value_poison;
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
