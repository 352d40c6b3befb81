/* Where values are, and how they move: reading in joint code and in `at` blocks (F2, F3), `at` (F8),
 * `protocol` (F9), `share` (F6), `reveal` (F7, F11). */
#include "tensor.h"

/* ---- reading values where we are ----------------------------------------------------------------------- */

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

/* ---- at blocks ----------------------------------------------------------------------------------------- */

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

const Value *check_at(Checker *cx, const Expr *e, const Type *want, bool want_value) {
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

/* ---- protocol blocks ----------------------------------------------------------------------------------- */

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

const Value *check_protocol(Checker *cx, const Expr *e, const Type *want, bool want_value) {
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

/* ---- share --------------------------------------------------------------------------------------------- */

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

const Value *check_share(Checker *cx, const Expr *e, const Type *want) {
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

/* ---- reveal -------------------------------------------------------------------------------------------- */

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
const Value *check_known_at(Checker *cx, const Value *v, Place to, Span at) {
  Place outer = cx->pi;
  if (to.kind == PLACE_PUBLIC)
    return v;
  cx->pi = to;
  const Value *placed = leaf_at(cx, v, NULL, at);
  cx->pi = outer;
  return placed;
}

const Value *check_reveal(Checker *cx, const Expr *e, const Type *want) {
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
      leaves.list.data[i] = check_known_at(cx, leaf, to, e->span);
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
