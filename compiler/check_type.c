/* Types as written, structs for actual sizes, and making values fit: coercion to a known type (F1, F10, S8,
 * S9) and the matching of parameter types, which binds size variables (S4). */
#include <inttypes.h>

#include "tensor.h"

/* ---- types --------------------------------------------------------------------------------------------- */

static bool dims_of(Checker *cx, const TypeExpr *t, Shape *out) {
  *out = (Shape){0};
  for (int i = 0; i < t->dims.count; i++) {
    const Dim *d = &t->dims.data[i];
    if (d->is_rest) {
      const Var *rest = scope_find(cx->frame, d->rest);
      if (!rest || !rest->is_size || rest->value->shape.rank != 1) {
        CHECK_DIAG(cx, E0223, d->span, arena_printf(cx->arena, "*%s", d->rest));
        return false;
      }
      for (int64_t k = 0; k < rest->value->shape.dim[0] && out->rank < MAX_RANK; k++)
        out->dim[out->rank++] = (int64_t)value_bits(rest->value, k);
      continue;
    }
    int64_t n;
    if (!check_expr_int(cx, d->size, "the size of a tensor", &n))
      return false;
    if (out->rank == MAX_RANK || n < 0) {
      CHECK_DIAG(cx, E0221, t->span,
                 n < 0 ? "a size is negative" : arena_printf(cx->arena, "more than %d axes", MAX_RANK));
      return false;
    }
    out->dim[out->rank++] = n;
  }
  return true;
}

static bool plain_elem(const char *name, Elem *elem, bool *is_float) {
  *is_float = strcmp(name, "float") == 0;
  if (*is_float || strcmp(name, "fixed") == 0)
    *elem = EL_FIXED;
  else if (strcmp(name, "int") == 0)
    *elem = EL_INT;
  else if (strcmp(name, "bool") == 0)
    *elem = EL_BOOL;
  else
    return false;
  return true;
}

static void unknown_module(Checker *cx, const TypeExpr *t) {
  int length = (int)strlen(t->module);
  Span at = t->name_span;
  int start = at.start - 1 - length; /* `module.Name` */
  if (start >= 0 && strncmp(at.source->text + start, t->module, (size_t)length) == 0)
    at = (Span){at.source, start, start + length};
  diag_help(CHECK_DIAG(cx, E0121, at, t->module), "write `import %s` at the top of the file", t->module);
}

/* The struct declaration that a type names, and its module. */
static const Decl *struct_named(Checker *cx, const TypeExpr *t, Unit **unit) {
  Unit *u = cx->frame->unit;
  if (t->module) {
    bool found;
    u = module_imported(u, t->module, &found);
    if (!found)
      unknown_module(cx, t);
    if (!u)
      return NULL;
  }
  const Decl *d = check_decl_find(u, DECL_STRUCT, t->name);
  if (!d && !t->module && module_prelude(cx->modules)) {
    u = module_prelude(cx->modules);
    d = check_decl_find(u, DECL_STRUCT, t->name);
  }
  *unit = u;
  if (d)
    return d;
  Diag *m = CHECK_DIAG(cx, E0108, t->name_span,
                       t->module ? arena_printf(cx->arena, "%s.%s", t->module, t->name) : t->name);
  static const char *const known[] = {"fixed", "float", "int", "bool", "string"};
  const char *near = diag_nearest(t->name, known, 5);
  if (near)
    diag_help(m, "did you mean `%s`?", near);
  return NULL;
}

static Type *type_new(Checker *cx, const TypeExpr *t, TypeKind kind) {
  Type *type = ARENA_NEW(cx->arena, Type);
  type->kind = kind;
  type->visibility = t->visibility;
  type->span = t->span;
  type->name_span = t->name_span;
  return type;
}

static int private_frac(const Checker *cx) {
  return cx->open.count ? cx->program->protocols.data[cx->open.data[cx->open.count - 1].instance].frac : 16;
}

static void no_private_float(Checker *cx, Span at, const char *rest) {
  Diag *d = CHECK_DIAG(cx, E0205, at);
  int frac = private_frac(cx);
  diag_label(d, "not a private type");
  diag_note(d,
            "private numbers are fixed-point, with the precision of the protocol block (here %d fraction "
            "bits, steps of "
            "%.*f)",
            frac, frac * 3 / 10 + 2, 1.0 / (double)(INT64_C(1) << frac));
  diag_help(d, "write `private fixed%s`", rest);
}

static const Type *struct_type(Checker *cx, const TypeExpr *t) {
  Unit *u;
  Shape sizes;
  const Decl *d = struct_named(cx, t, &u);
  if (!d || !dims_of(cx, t, &sizes))
    return NULL;
  if (sizes.rank != d->sizes.count) {
    CHECK_DIAG(cx, E0215, t->span, d->name,
               arena_printf(cx->arena, "%d size%s", d->sizes.count, d->sizes.count == 1 ? "" : "s"),
               arena_printf(cx->arena, "%d", sizes.rank));
    return NULL;
  }
  Type *type = type_new(cx, t, TY_STRUCT);
  type->st = check_struct(cx, u, d, sizes.dim);
  return type->st ? type : NULL;
}

const Type *check_type(Checker *cx, const TypeExpr *t) {
  Elem elem;
  bool is_float;
  Type *type;
  if (t->is_tuple) {
    const Type **items = ARENA_ARRAY(cx->arena, const Type *, t->items.count);
    for (int i = 0; i < t->items.count; i++)
      if (!(items[i] = check_type(cx, t->items.data[i])))
        return NULL;
    type = type_new(cx, t, TY_TUPLE);
    type->items = items;
    type->count = t->items.count;
  } else if (t->name && !t->module && strcmp(t->name, "string") == 0) {
    type = type_new(cx, t, TY_STRING);
  } else if (t->name && !t->module && plain_elem(t->name, &elem, &is_float)) {
    type = type_new(cx, t, TY_TENSOR);
    type->elem = elem;
    type->is_float = is_float;
    if (is_float && t->visibility == VIS_PRIVATE) {
      Span rest = {t->span.source, t->name_span.end, t->span.end};
      no_private_float(cx, t->name_span, span_text(cx->arena, rest));
      return NULL;
    }
    if (!dims_of(cx, t, &type->shape))
      return NULL;
  } else if (t->name) {
    const Type *st = struct_type(cx, t);
    if (!st)
      return NULL;
    type = ARENA_NEW(cx->arena, Type);
    *type = *st;
  } else { /* `x: public` alone is for protocol kinds */
    CHECK_DIAG(cx, E0139, t->span, "a type without a name");
    return NULL;
  }
  if (t->has_place) {
    type->has_place = check_decl_place(cx, &t->place, &type->place);
    if (!type->has_place)
      return NULL;
  }
  return type;
}

const Type *check_type_try(Checker *cx, const TypeExpr *t) {
  int mark = diag_mark(cx->diags);
  bool quiet = cx->quiet;
  cx->quiet = true;
  const Type *type = check_type(cx, t);
  cx->quiet = quiet;
  diag_rollback(cx->diags, mark);
  return type;
}

const Struct *check_struct(Checker *cx, Unit *u, const Decl *d, const int64_t *sizes) {
  size_t bytes = sizeof *sizes * (size_t)d->sizes.count;
  for (int i = 0; i < cx->structs.count; i++)
    if (cx->structs.data[i]->decl == d && (!bytes || memcmp(cx->structs.data[i]->sizes, sizes, bytes) == 0))
      return cx->structs.data[i];
  if (cx->depth > 200) {
    diag_note(CHECK_DIAG(cx, E0137, d->name_span), "a field of `%s` contains a `%s`", d->name, d->name);
    return NULL;
  }
  Struct *st = ARENA_NEW(cx->arena, Struct);
  int64_t *copy = ARENA_ARRAY(cx->arena, int64_t, d->sizes.count + 1);
  const Type **fields = ARENA_ARRAY(cx->arena, const Type *, d->fields.count + 1);
  if (bytes)
    memcpy(copy, sizes, bytes);
  Outside o = check_go_outside(cx, u);
  cx->depth++;
  st->decl = d;
  st->unit = u;
  st->sizes = copy;
  st->fields = fields;
  st->all_fixed = d->fields.count > 0;
  bool ok = true;
  for (int i = 0; i < d->sizes.count; i++)
    scope_add(cx->arena, cx->frame, d->sizes.data[i].name, value_int(cx->arena, sizes[i]), false)->is_size =
        true;
  for (int i = 0; i < d->fields.count; i++) {
    fields[i] = check_type(cx, d->fields.data[i].type);
    ok = ok && fields[i];
    if (!ok)
      break;
    bool fixed = fields[i]->kind == TY_TENSOR ? fields[i]->elem == EL_FIXED
                                              : fields[i]->kind == TY_STRUCT && fields[i]->st->all_fixed;
    st->all_fixed = st->all_fixed && fixed;
  }
  cx->depth--;
  check_come_back(cx, o);
  if (ok)
    VEC_PUSH(cx->arena, &cx->structs, st);
  return ok ? st : NULL;
}

/* ---- places -------------------------------------------------------------------------------------------- */

static void private_to_public(Checker *cx, Diag *d, const Value *v, const Expr *e) {
  const Value *from = NULL;
  const Expr *name = e ? check_find_name(cx, e, PLACE_PRIVATE, &from) : NULL;
  diag_label(d, "%s", check_place_text(cx, v, false));
  if (name && from->origin)
    diag_note(d, "`%s` became private at %s (%s)", name->name, source_where(cx->arena, from->origin->span),
              from->origin->text);
}

static const char *place_word(Checker *cx, const Value *v) {
  if (v->place.kind == PLACE_PUBLIC)
    return "a public value";
  return v->place.kind == PLACE_PRIVATE
             ? "a private value"
             : arena_printf(cx->arena, "a value at %s", check_party_text(cx, v->place));
}

const Value *check_to_place(Checker *cx, const Value *v, Place to, const Expr *e, Span at) {
  if (v->kind == VAL_TUPLE || v->kind == VAL_STRUCT) {
    const Value **items = ARENA_ARRAY(cx->arena, const Value *, v->count);
    for (int i = 0; i < v->count; i++)
      if ((items[i] = check_to_place(cx, v->items[i], to, e, at))->kind == VAL_POISON)
        return &value_poison;
    return value_items(cx->arena, v->kind, v->st, items, v->count);
  }
  if (v->kind != VAL_TENSOR || place_equal(v->place, to))
    return v;
  if (to.kind == PLACE_PRIVATE && check_in_protocol(cx) &&
      (v->place.kind == PLACE_PUBLIC || v->place.kind == PLACE_PRIVATE))
    return tensor_lift(cx, v, at);
  if (v->place.kind == PLACE_PUBLIC && place_equal(to, cx->pi)) {
    Value *copy = value_new(cx->arena, VAL_TENSOR);
    *copy = *v;
    copy->place = to;
    return copy;
  }
  if (v->place.kind == PLACE_PUBLIC && check_is_joint(cx) && (to.kind == PLACE_AT || to.kind == PLACE_EACH))
    return check_known_at(cx, v, to, at);
  (void)e;
  return NULL;
}

static void publish_help(Checker *cx, Diag *d, const Var *var, const char *name, const Expr *e) {
  const char *text = span_text(cx->arena, e->span);
  Place at = var && var->value->kind == VAL_TENSOR ? var->value->place : PLACE_JOINT;
  if (at.kind == PLACE_AT || at.kind == PLACE_EACH)
    diag_help(d, "to show it to the party: `%s = reveal %s to %s`", name, text, check_party_text(cx, at));
  else
    diag_help(d, "to publish it, to everyone: `%s = reveal %s`", name, text);
}

/* How the public variable would be declared to hold what is private. */
static void secret_help(Checker *cx, Diag *d, const Var *var) {
  const char *text = span_text(cx->arena, var->decl_span), *is = strstr(text, "public ");
  const char *init = var->init ? span_text(cx->arena, var->init->span) : "";
  if (!*text)
    diag_help(d, "to keep it secret: what is given as `%s` must be declared private where it begins",
              var->name);
  else if (is && var->init)
    diag_help(d, "to keep it secret: `%.*sprivate %s = %s`", (int)(is - text), text, is + 7, init);
  else if (!strchr(text, ':') && var->init && var->value->place.kind == PLACE_PUBLIC)
    diag_help(d, "to keep it secret: `%s: private %s = %s`", text, value_type_text(cx->arena, var->value),
              init);
}

static const Value *wrong_place(Checker *cx, const Value *v, const char *where, const char *name,
                                const Expr *e) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  const Value *leaf = leaves.list.data[0];
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i]->place.kind != PLACE_PUBLIC)
      leaf = leaves.list.data[i];
  Span at = e ? e->span : cx->here;
  Diag *d = CHECK_DIAG(cx, E0301, at, place_word(cx, leaf), where, name ? name : "it");
  if (leaf->place.kind == PLACE_PRIVATE)
    private_to_public(cx, d, leaf, e);
  else
    diag_label(d, "%s", check_place_text(cx, leaf, false));
  const char *root = name ? arena_intern(cx->arena, name, strcspn(name, ".[")) : NULL;
  const Var *var = root ? scope_find(cx->frame, root) : NULL;
  if (var && var->decl_span.source) {
    Span declared = var->decl_span;
    declared.start = var->span.start;
    diag_also(d, declared, "declared %s here", check_place_text(cx, var->value, false));
  }
  if (leaf->place.kind == PLACE_PRIVATE && var)
    secret_help(cx, d, var);
  if (leaf->place.kind == PLACE_PRIVATE && e && name)
    publish_help(cx, d, var, name, e);
  return &value_poison;
}

/* Coerces to what the visibility and place of a type demand. */
static const Value *to_demand(Checker *cx, const Value *v, const Type *t, const Expr *e, const char *name) {
  Span at = e ? e->span : cx->here;
  const Value *placed = v;
  const char *where = "the public variable";
  if (t->visibility == VIS_PRIVATE) {
    if (!check_in_protocol(cx)) {
      CHECK_DIAG(cx, E0309, t->span, "a private value");
      return &value_poison;
    }
    where = "the private variable";
    placed = check_is_joint(cx) ? check_to_place(cx, v, check_private_place(cx), e, at) : NULL;
  } else if (t->has_place) {
    where = arena_printf(cx->arena, "the variable at %s,", check_party_text(cx, t->place));
    placed = check_to_place(cx, v, t->place, e, at);
  } else if (t->visibility == VIS_PUBLIC) {
    placed = check_to_place(cx, v, PLACE_JOINT, e, at);
  }
  return placed ? placed : wrong_place(cx, v, where, name, e);
}

/* ---- coercion to a known type -------------------------------------------------------------------------- */

static const Value *wrong_type(Checker *cx, const Value *v, const char *needed, Span at) {
  Diag *d = CHECK_DIAG(cx, E0208, at, needed, value_type_text(cx->arena, v));
  bool number =
      strncmp(needed, "fixed", 5) == 0 || strncmp(needed, "float", 5) == 0 || strncmp(needed, "int", 3) == 0;
  if (v->kind == VAL_TENSOR && v->elem == EL_BOOL && number)
    diag_help(d, "count it as 0 or 1: `%.*s(%s)`", strncmp(needed, "int", 3) == 0 ? 3 : 5,
              strncmp(needed, "int", 3) == 0 ? "int" : "fixed", span_text(cx->arena, at));
  return &value_poison;
}

static const Value *coerce_elem(Checker *cx, const Value *v, Elem elem, bool is_float, const char *needed,
                                Span at) {
  if (v->kind != VAL_TENSOR)
    return wrong_type(cx, v, needed, at);
  if (is_float && v->place.kind == PLACE_PRIVATE) {
    no_private_float(cx, at, "");
    return &value_poison;
  }
  if (v->elem == elem)
    return v;
  if (elem == EL_FIXED && v->elem == EL_INT)
    return tensor_to_fixed(cx, v, at);
  return wrong_type(cx, v, needed, at);
}

static const Value *coerce_items(Checker *cx, const Value *v, const Type *const *types, int count,
                                 const Expr *e, const char *name) {
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, count);
  for (int i = 0; i < count; i++)
    if ((items[i] = check_coerce(cx, v->items[i], types[i], e, name))->kind == VAL_POISON)
      return &value_poison;
  return value_items(cx->arena, v->kind, v->st, items, count);
}

const Value *check_coerce(Checker *cx, const Value *v, const Type *t, const Expr *e, const char *name) {
  Span at = e ? e->span : cx->here;
  const char *needed = type_text(cx->arena, t);
  if (value_is_poison(v))
    return &value_poison;
  switch (t->kind) {
  case TY_NONE: break;
  case TY_STRING:
    if (v->kind != VAL_STRING)
      return wrong_type(cx, v, needed, at);
    break;
  case TY_TENSOR:
    if (v->kind != VAL_TENSOR || (v->elem != t->elem && !(t->elem == EL_FIXED && v->elem == EL_INT)))
      return wrong_type(cx, v, needed, at);
    if (!shape_equal(&v->shape, &t->shape)) {
      Diag *d = CHECK_DIAG(cx, E0209, at, shape_text(cx->arena, &v->shape), shape_text(cx->arena, &t->shape));
      diag_label(d, "%s", value_type_text(cx->arena, v));
      if (t->span.source == at.source)
        diag_also(d, t->span, "needs %s", needed);
      if (v->shape.rank == 0)
        diag_help(d, "for a tensor of equal elements: `full(%s, ...)`", span_text(cx->arena, at));
      return &value_poison;
    }
    v = coerce_elem(cx, v, t->elem, t->is_float, needed, at);
    break;
  case TY_TUPLE:
    if (v->kind != VAL_TUPLE || v->count != t->count)
      return wrong_type(cx, v, needed, at);
    v = coerce_items(cx, v, t->items, t->count, e, name);
    break;
  case TY_STRUCT:
    if (v->kind != VAL_STRUCT || v->st != t->st)
      return wrong_type(cx, v, needed, at);
    break;
  }
  return v->kind == VAL_POISON ? v : to_demand(cx, v, t, e, name);
}

const Value *check_coerce_like(Checker *cx, const Value *v, const Value *like, const Expr *e,
                               const char *name) {
  if (value_is_poison(v) || value_is_poison(like))
    return &value_poison;
  if (like->kind == VAL_TUPLE || like->kind == VAL_STRUCT) {
    if (v->kind != like->kind || v->count != like->count || v->st != like->st)
      return wrong_type(cx, v, value_type_text(cx->arena, like), e ? e->span : cx->here);
    const Value **items = ARENA_ARRAY(cx->arena, const Value *, v->count);
    for (int i = 0; i < v->count; i++)
      if ((items[i] = check_coerce_like(cx, v->items[i], like->items[i], e, name))->kind == VAL_POISON)
        return &value_poison;
    return value_items(cx->arena, v->kind, v->st, items, v->count);
  }
  Type t = {
      .kind = like->kind == VAL_STRING ? TY_STRING : TY_TENSOR, .elem = like->elem, .shape = like->shape};
  v = check_coerce(cx, v, &t, e, name);
  if (v->kind != VAL_TENSOR)
    return v;
  const Value *placed = check_to_place(cx, v, like->place, e, e ? e->span : cx->here);
  const char *where = like->place.kind == PLACE_PUBLIC ? "the public variable"
                      : like->place.kind == PLACE_PRIVATE
                          ? "the private variable"
                          : arena_printf(cx->arena, "the variable at %s,", check_party_text(cx, like->place));
  return placed ? placed : wrong_place(cx, v, where, name, e);
}

/* ---- matching of size variables (S4) ------------------------------------------------------------------- */

static bool is_later_parm(const Matching *m, const char *name) {
  for (int i = m->parm_index + 1; m->later_names && m->fn && i < m->fn->parms.count; i++)
    if (m->fn->parms.data[i].name == name)
      return true;
  return false;
}

/* "fit(var m: LogReg[d], x: fixed[n, d], ...), logreg.tfe:20": parameters with defaults are left out */
static const char *signature(Checker *cx, const Decl *fn) {
  const char *text = arena_printf(cx->arena, "%s(", fn->name);
  bool left_out = false;
  for (int i = 0; i < fn->parms.count; i++) {
    const Parm *p = &fn->parms.data[i];
    const char *comma = i ? ", " : "";
    if (p->standard) {
      text = left_out ? text : arena_printf(cx->arena, "%s%s...", text, comma);
      left_out = true;
      continue;
    }
    text = arena_printf(cx->arena, "%s%s%s%s", text, comma, p->is_var ? "var " : "", p->name);
    if (p->type)
      text = arena_printf(cx->arena, "%s: %s", text, span_text(cx->arena, p->type->span));
  }
  return arena_printf(cx->arena, "%s), %s", text, source_where(cx->arena, fn->head));
}

static void size_clash(Checker *cx, const Matching *m, const Var *bound, int64_t n) {
  int64_t first = 0;
  value_const_int(bound->value, &first);
  const char *one = arena_printf(cx->arena, "%" PRId64, first), *two = arena_printf(cx->arena, "%" PRId64, n);
  const char *of = m->fn ? m->fn->name : "this";
  Diag *d = CHECK_DIAG(cx, E0203, m->value_span, bound->name, one, two, of);
  diag_label(d, "here %s = %s", bound->name, two);
  if (bound->span.source == m->value_span.source && bound->span.start != m->value_span.start)
    diag_also(d, bound->span, "here %s = %s", bound->name, one);
  if (m->fn)
    diag_note(d, "%s", signature(cx, m->fn));
}

static Diag *shape_clash(Checker *cx, const TypeExpr *t, const Value *v, const Matching *m) {
  Span dims = t->span;
  dims.start = t->name_span.end;
  Shape none = {0};
  const Shape *shape = v->kind == VAL_TENSOR ? &v->shape : &none;
  const char *wanted = t->dims.count ? span_text(cx->arena, dims) : "scalar";
  Diag *d = CHECK_DIAG(cx, E0209, m->value_span, shape_text(cx->arena, shape), wanted);
  diag_label(d, "%s", value_type_text(cx->arena, v));
  if (m->fn && m->is_result)
    diag_also(d, t->span, "declared here");
  else if (m->fn)
    diag_note(d, "%s", signature(cx, m->fn));
  return d;
}

/* One written size against an actual one: binds a new size variable, or compares. */
static bool match_size(Checker *cx, const Dim *dim, int64_t n, const TypeExpr *t, const Value *v,
                       const Matching *m) {
  const Expr *e = dim->size;
  int64_t known;
  if (e->kind == EX_NAME) {
    Var *x = scope_find(cx->frame, e->name);
    if (!x && is_later_parm(m, e->name))
      return cx->deferred = true;
    if (x && x->is_size && value_const_int(x->value, &known)) {
      if (known != n)
        size_clash(cx, m, x, n);
      return known == n;
    }
    if (!x && !check_decl_constant(cx, e->name)) {
      if (m->is_result) {
        CHECK_DIAG(cx, E0223, dim->span, e->name);
        return false;
      }
      x = scope_add(cx->arena, cx->frame, e->name, value_int(cx->arena, n), false);
      x->is_size = true;
      x->fixed_how = "is a size";
      x->span = m->value_span;
      return true;
    }
  }
  if (m->later_names) { /* a size that is put together from later parameters is compared at the end */
    int mark = diag_mark(cx->diags);
    bool quiet = cx->quiet;
    cx->quiet = true;
    bool ok = check_expr_int(cx, e, "the size of a tensor", &known);
    cx->quiet = quiet;
    diag_rollback(cx->diags, mark);
    if (!ok)
      return cx->deferred = true;
  } else if (!check_expr_int(cx, e, "the size of a tensor", &known)) {
    return false;
  }
  if (known != n) {
    Diag *d = shape_clash(cx, t, v, m);
    const Global *constant = e->kind == EX_NAME && !scope_find(cx->frame, e->name)
                                 ? module_global(cx->frame->unit, e->name)
                                 : NULL;
    if (constant)
      diag_also(d, constant->decl->name_span,
                "`%s` is this %s, %" PRId64 "; a size that may vary needs another name", e->name,
                constant->decl->kind == DECL_PARAM ? "param" : "constant", known);
  }
  return known == n;
}

static bool match_rest(Checker *cx, const Dim *dim, const Shape *s, int first, int count, const TypeExpr *t,
                       const Value *v, const Matching *m) {
  const Var *x = scope_find(cx->frame, dim->rest);
  if (x) {
    bool same = x->is_size && x->value->shape.rank == 1 && x->value->shape.dim[0] == count;
    for (int i = 0; same && i < count; i++)
      same = (int64_t)value_bits(x->value, i) == s->dim[first + i];
    if (!same)
      shape_clash(cx, t, v, m);
    return same;
  }
  if (m->is_result) {
    CHECK_DIAG(cx, E0223, dim->span, arena_printf(cx->arena, "*%s", dim->rest));
    return false;
  }
  uint64_t *sizes = ARENA_ARRAY(cx->arena, uint64_t, count + 1);
  for (int i = 0; i < count; i++)
    sizes[i] = (uint64_t)s->dim[first + i];
  const Value *list = value_data(cx->arena, EL_INT, shape_vector(count), sizes, count == 1 ? 1 : count);
  Var *bound = scope_add(cx->arena, cx->frame, dim->rest, list, false);
  bound->is_size = true;
  bound->fixed_how = "is a size";
  bound->span = m->value_span;
  return true;
}

static bool match_dims(Checker *cx, const TypeExpr *t, const Shape *s, const Value *v, const Matching *m) {
  int rest = -1, n = t->dims.count;
  for (int i = 0; i < n; i++)
    if (t->dims.data[i].is_rest) {
      if (rest >= 0) {
        CHECK_DIAG(cx, E0222, t->span);
        return false;
      }
      rest = i;
    }
  if (rest < 0 ? s->rank != n : s->rank < n - 1) {
    shape_clash(cx, t, v, m);
    return false;
  }
  int extra = s->rank - n; /* axes that *s takes beyond one */
  for (int i = 0; i < n; i++) {
    const Dim *d = &t->dims.data[i];
    bool ok = i == rest ? match_rest(cx, d, s, i, extra + 1, t, v, m)
                        : match_size(cx, d, s->dim[rest >= 0 && i > rest ? i + extra : i], t, v, m);
    if (!ok)
      return false;
  }
  return true;
}

static const Value *match_struct(Checker *cx, const TypeExpr *t, const Value *v, const Matching *m) {
  Unit *u;
  const Decl *d = struct_named(cx, t, &u);
  if (!d)
    return &value_poison;
  if (v->kind != VAL_STRUCT || v->st->decl != d)
    return wrong_type(cx, v, span_text(cx->arena, t->span), m->value_span);
  if (t->dims.count != d->sizes.count) {
    CHECK_DIAG(cx, E0215, t->span, d->name,
               arena_printf(cx->arena, "%d size%s", d->sizes.count, d->sizes.count == 1 ? "" : "s"),
               arena_printf(cx->arena, "%d", t->dims.count));
    return &value_poison;
  }
  for (int i = 0; i < t->dims.count; i++)
    if (!match_size(cx, &t->dims.data[i], v->st->sizes[i], t, v, m))
      return &value_poison;
  return v;
}

const Value *check_match(Checker *cx, const TypeExpr *t, const Value *v, const Matching *m) {
  Elem elem;
  bool is_float;
  Type demand = {.kind = TY_NONE, .visibility = t->visibility, .span = t->span};
  if (value_is_poison(v))
    return &value_poison;
  if (t->is_tuple) {
    if (v->kind != VAL_TUPLE || v->count != t->items.count)
      return wrong_type(cx, v, span_text(cx->arena, t->span), m->value_span);
    const Value **items = ARENA_ARRAY(cx->arena, const Value *, v->count);
    for (int i = 0; i < v->count; i++)
      if ((items[i] = check_match(cx, t->items.data[i], v->items[i], m))->kind == VAL_POISON)
        return &value_poison;
    v = value_items(cx->arena, VAL_TUPLE, NULL, items, v->count);
  } else if (!t->name) {
    CHECK_DIAG(cx, E0139, t->span, "a type without a name");
    return &value_poison;
  } else if (!t->module && strcmp(t->name, "string") == 0) {
    if (v->kind != VAL_STRING)
      return wrong_type(cx, v, "string", m->value_span);
  } else if (!t->module && plain_elem(t->name, &elem, &is_float)) {
    if (v->kind != VAL_TENSOR || (v->elem != elem && !(elem == EL_FIXED && v->elem == EL_INT)))
      return wrong_type(cx, v, span_text(cx->arena, t->span), m->value_span);
    if (!match_dims(cx, t, &v->shape, v, m))
      return &value_poison;
    v = coerce_elem(cx, v, elem, is_float, t->name, m->value_span);
  } else {
    v = match_struct(cx, t, v, m);
  }
  if (v->kind == VAL_POISON)
    return v;
  if (t->has_place)
    demand.has_place = check_decl_place(cx, &t->place, &demand.place);
  if (demand.visibility == VIS_NONE && !demand.has_place)
    return v;
  return to_demand(cx, v, &demand, m->value_expr, m->parm);
}
