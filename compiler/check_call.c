/* Calls (rules N1-N4): which function, which argument for which parameter, and the expansion of the body, or the one
 * operation that stands for it where the protocol has a function of its own. */
#include "check_flow.h"
#include "tensor.h"

/* ---- finding the function ------------------------------------------------------------------------------ */

typedef struct Found {
  Unit *unit;
  const Decl *decl; /* DECL_FN or DECL_STRUCT */
  const Builtin *builtin;
  int overloads; /* functions of this name in the module */
} Found;

static const char *first_struct_name(const Decl *fn) {
  const TypeExpr *t = fn->parms.count ? fn->parms.data[0].type : NULL;
  return t && !t->is_tuple ? t->name : NULL;
}

/* Functions of one name in one module differ in the struct type of the first parameter. */
static bool find_in(Unit *u, const char *name, const Value *first, Found *out) {
  int count = 0;
  const Decl *any = NULL, *fits = NULL;
  for (int i = 0; u && i < u->ast->decls.count; i++) {
    const Decl *d = u->ast->decls.data[i];
    if (d->name != name || (d->kind != DECL_FN && d->kind != DECL_STRUCT))
      continue;
    count++;
    any = any ? any : d;
    if (d->kind == DECL_FN && first && first->kind == VAL_STRUCT &&
        first_struct_name(d) == first->st->decl->name)
      fits = d;
  }
  if (!any)
    return false;
  *out = (Found){.unit = u, .decl = fits ? fits : any, .overloads = count};
  return true;
}

static bool find_function(Checker *cx, const char *name, const Value *receiver, const Value *first,
                          Found *out) {
  if (find_in(cx->frame->unit, name, first, out))
    return true;
  if (receiver && receiver->kind == VAL_STRUCT && find_in(receiver->st->unit, name, first, out))
    return true;
  if (find_in(module_prelude(cx->modules), name, first, out))
    return true;
  *out = (Found){.builtin = builtin_find(name)};
  return out->builtin != NULL;
}

typedef VEC(const char *) Names;

static void add_functions(Checker *cx, const Unit *u, Names *names) {
  for (int i = 0; u && i < u->ast->decls.count; i++)
    if (u->ast->decls.data[i]->kind == DECL_FN)
      VEC_PUSH(cx->arena, names, u->ast->decls.data[i]->name);
}

/* The functions of the receiver's module whose first parameter is such a struct. */
static void add_methods(Checker *cx, const Value *receiver, Names *names) {
  if (!receiver || receiver->kind != VAL_STRUCT)
    return;
  const Unit *u = receiver->st->unit;
  for (int i = 0; i < u->ast->decls.count; i++) {
    const Decl *d = u->ast->decls.data[i];
    if (d->kind == DECL_FN && first_struct_name(d) == receiver->st->decl->name)
      VEC_PUSH(cx->arena, names, d->name);
  }
}

/* The imported module that has the function. */
static const char *module_with(const Unit *u, const char *name) {
  for (int i = 0; i < u->imports.count; i++)
    if (u->imports.data[i] && check_decl_find(u->imports.data[i], DECL_FN, name))
      return u->import_decls.data[i]->name;
  return NULL;
}

void check_unknown_function(Checker *cx, const Unit *u, const Value *receiver, const char *name, Span at) {
  Names names = {0};
  const Unit *prelude_unit = module_prelude(cx->modules);
  add_methods(cx, receiver, &names);
  int methods = names.count;
  add_functions(cx, u, &names);
  add_functions(cx, prelude_unit, &names);
  for (int i = 0; i < builtin_total(); i++)
    VEC_PUSH(cx->arena, &names, builtin_name(i));
  Diag *d = CHECK_DIAG(cx, E0102, at, name);
  diag_label(d, "unknown");
  const char *module = module_with(u, name), *near = diag_nearest(name, names.data, names.count);
  if (module)
    diag_help(d, "write `%s.%s`", module, name);
  else if (near) {
    bool prelude = prelude_unit && check_decl_find(prelude_unit, DECL_FN, arena_intern_z(cx->arena, near));
    diag_help(d, "did you mean `%s`%s?", near, builtin_find(near) ? "" : prelude ? " (prelude)" : "");
  } else if (methods)
    diag_note(d, "functions of `%s`: %s", receiver->st->decl->name,
              diag_listed(cx->arena, names.data, methods));
}

/* ---- arguments ----------------------------------------------------------------------------------------- */

void check_unknown_parameter(Checker *cx, const char *function, const CallArg *a, const char *const *names,
                             int count) {
  Span at = a->span;
  at.end = at.start + (int)strlen(a->name);
  Diag *d = CHECK_DIAG(cx, E0125, at, function, a->name);
  const char *near = diag_nearest(a->name, names, count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  else
    diag_note(d, "parameters of `%s`: %s", function, diag_listed(cx->arena, names, count));
}

static bool bind_arguments(Checker *cx, const Decl *fn, const Call *call, const CallArg **of) {
  int n = fn->parms.count, next = 0;
  for (int i = 0; i < call->count; i++) {
    const CallArg *a = &call->args[i];
    int k = next;
    if (a->name) {
      for (k = 0; k < n && fn->parms.data[k].name != a->name; k++)
        ;
      if (k == n) {
        Names names = {0};
        for (int j = 0; j < n; j++)
          VEC_PUSH(cx->arena, &names, fn->parms.data[j].name);
        check_unknown_parameter(cx, fn->name, a, names.data, names.count);
        return false;
      }
    } else if (next++ >= n) {
      CHECK_DIAG(cx, E0128, call->expr->span, fn->name,
                 arena_printf(cx->arena, "%d argument%s", n, n == 1 ? "" : "s"),
                 arena_printf(cx->arena, "%d", call->count));
      return false;
    }
    if (of[k]) {
      CHECK_DIAG(cx, E0126, a->expr->span, fn->parms.data[k].name);
      return false;
    }
    of[k] = a;
  }
  for (int k = 0; k < n; k++)
    if (!of[k] && !fn->parms.data[k].standard) {
      CHECK_DIAG(cx, E0127, call->expr->span, fn->name, fn->parms.data[k].name);
      return false;
    }
  return true;
}

static bool is_part_of_variable(const Expr *e) {
  while (e->kind == EX_FIELD)
    e = e->left;
  return e->kind == EX_NAME;
}

/* `var` arguments are variables that can change, and not one another's parts. */
static bool check_var_argument(Checker *cx, const Decl *fn, int k, const CallArg *const *of) {
  const Expr *e = of[k] ? of[k]->expr : NULL;
  if (!e || !is_part_of_variable(e)) {
    CHECK_DIAG(cx, E0131, e ? e->span : cx->here, fn->name, fn->parms.data[k].name);
    return false;
  }
  if (!check_target(cx, e))
    return false;
  const char *text = span_text(cx->arena, e->span);
  size_t n = strlen(text);
  for (int i = 0; i < k; i++) {
    if (!fn->parms.data[i].is_var || !of[i])
      continue;
    const char *other = span_text(cx->arena, of[i]->expr->span);
    size_t m = strlen(other), common = n < m ? n : m;
    bool clash = strncmp(text, other, common) == 0 && (text[common] == 0 || text[common] == '.') &&
                 (other[common] == 0 || other[common] == '.');
    if (clash) {
      CHECK_DIAG(cx, E0132, e->span, text);
      return false;
    }
  }
  return true;
}

static const Value *argument_value(Checker *cx, const Parm *p, const CallArg *a, Frame *callee) {
  Frame *caller = cx->frame;
  const Type *want = NULL;
  if (a && a->value)
    return a->value;
  cx->frame = callee;
  if (p->type)
    want = check_type_try(cx, p->type);
  if (a)
    cx->frame = caller;
  const Value *v = check_expr(cx, a ? a->expr : p->standard, want);
  cx->frame = caller;
  return v;
}

static const Value *match_parm(Checker *cx, const Decl *fn, int k, const Value *v, const CallArg *a,
                               Frame *callee, bool later) {
  const Parm *p = &fn->parms.data[k];
  Frame *caller = cx->frame;
  if (!p->type || value_is_poison(v))
    return v;
  Matching m = {.fn = fn,
                .parm = p->name,
                .value_span = a ? a->expr->span : cx->here,
                .value_expr = a ? a->expr : NULL,
                .later_names = later,
                .parm_index = k};
  cx->frame = callee;
  cx->blame = caller;
  v = check_match(cx, p->type, v, &m);
  cx->blame = NULL;
  cx->frame = caller;
  return v;
}

static bool pass_arguments(Checker *cx, const Decl *fn, const CallArg *const *of, Frame *callee, Var **vars) {
  bool ok = true;
  cx->deferred = false;
  for (int k = 0; k < fn->parms.count; k++) {
    const Parm *p = &fn->parms.data[k];
    bool outer = cx->deferred;
    const Value *v = argument_value(cx, p, of[k], callee);
    cx->deferred = outer;
    if (v->kind == VAL_VOID) {
      CHECK_DIAG(cx, E0217, of[k] ? of[k]->expr->span : cx->here);
      v = &value_poison;
    }
    if (p->is_var && !value_is_poison(v) && !check_var_argument(cx, fn, k, of))
      v = &value_poison;
    v = match_parm(cx, fn, k, v, of[k], callee, true);
    ok = ok && !value_is_poison(v);
    if (!ok)
      continue;
    vars[k] = scope_add(cx->arena, callee, p->name, v, p->is_var);
    vars[k]->fixed_how = "is a parameter";
    vars[k]->span = p->span;
    vars[k]->read = true;
  }
  if (!ok || !cx->deferred)
    return ok;
  for (int k = 0; k < fn->parms.count; k++)
    ok = match_parm(cx, fn, k, vars[k]->value, of[k], callee, false)->kind != VAL_POISON && ok;
  return ok;
}

/* ---- functions of the prelude that the protocol carries out itself ------------------------------------- */

typedef struct Applied {
  int count; /* of the operands; one entry of the other lists for each parameter */
  const Value **operands;
  int64_t *ints; /* a known integer, or INT64_MIN: an operand */
  bool *is_public;
  bool secret; /* an operand is private */
} Applied;

/* False: an argument is no tensor that a protocol can work on, so that the prelude's text has to do. */
static bool add_applied(Applied *a, int k, const Value *v) {
  a->ints[k] = INT64_MIN;
  if (v->kind != VAL_TENSOR || v->place.kind == PLACE_AT || v->place.kind == PLACE_EACH)
    return false;
  bool secret = v->place.kind == PLACE_PRIVATE;
  a->secret = a->secret || secret;
  if (!secret && v->elem == EL_INT && v->shape.rank == 0)
    return value_const_int(v, &a->ints[k]) && a->ints[k] != INT64_MIN;
  a->is_public[k] = !secret;
  a->operands[a->count++] = v;
  return true;
}

static bool applied_arguments(Checker *cx, const Decl *fn, Var *const *vars, Applied *a) {
  int n = fn->parms.count;
  *a = (Applied){.operands = ARENA_ARRAY(cx->arena, const Value *, n + 1),
                 .ints = ARENA_ARRAY(cx->arena, int64_t, n + 1),
                 .is_public = ARENA_ARRAY(cx->arena, bool, n + 1)};
  for (int k = 0; k < n; k++)
    if (fn->parms.data[k].is_var || !add_applied(a, k, vars[k]->value))
      return false;
  return a->secret;
}

/* The declared result, its sizes bound by the arguments; NULL if it is not one tensor of any place. */
static const Type *applied_result(Checker *cx, const Decl *fn, Frame *callee) {
  Frame *caller = cx->frame;
  cx->frame = callee;
  const Type *t = fn->type ? check_type_try(cx, fn->type) : NULL;
  cx->frame = caller;
  return t && t->kind == TY_TENSOR && t->visibility == VIS_NONE && !t->has_place ? t : NULL;
}

/* One operation for the call, if the kind of the protocol has a function of its own for it; else NULL. */
static const Value *apply(Checker *cx, const Found *found, const Call *call, Frame *callee,
                          Var *const *vars) {
  const Decl *fn = found->decl;
  Applied a;
  if (found->unit != module_prelude(cx->modules) || !check_is_joint(cx) || !check_kind_has(cx, fn->name) ||
      fn->reveals || !applied_arguments(cx, fn, vars, &a))
    return NULL;
  int n = fn->parms.count;
  const Decl *kind = cx->open.data[cx->open.count - 1].kind;
  const Type *t = applied_result(cx, fn, callee);
  if (!t || !module_kind_function(kind, DECL_FN, fn->name, a.is_public, n, n))
    return NULL;
  Span at = call->expr->span;
  for (int i = 0; i < a.count; i++)
    if (a.operands[i]->place.kind == PLACE_PRIVATE)
      a.operands[i] = tensor_lift(cx, a.operands[i], at); /* one of an outer block */
  const Value *v = tensor_make(cx, OP_APPLY, a.operands, a.count, a.ints, n, t->elem, t->shape,
                               check_private_place(cx), at);
  if (v->kind == VAL_TENSOR)
    v->op->text = fn->name;
  return v;
}

static void mark_expanded(Checker *cx, const Decl *fn) {
  for (int i = 0; i < cx->expanded.count; i++)
    if (cx->expanded.data[i] == fn)
      return;
  VEC_PUSH(cx->arena, &cx->expanded, fn);
}

/* ---- functions that state their derivative ------------------------------------------------------------- */

const Decl *check_rule_of(const Ruled *r, const char *parameter) {
  const Module *m = r->unit->ast;
  for (int i = 0; i < m->decls.count; i++) {
    const Decl *d = m->decls.data[i];
    if (d->kind == DECL_GRAD && d->name == r->fn->name && d->grad_parm == parameter)
      return d;
  }
  return NULL;
}

/* The call as its rules see it: parameters and sizes as they are before the body runs. NULL: there are no rules. */
static Ruled *ruled_call(Checker *cx, const Found *found, const Frame *callee) {
  Ruled *r = ARENA_NEW(cx->arena, Ruled);
  const char **names = ARENA_ARRAY(cx->arena, const char *, callee->vars.count + 1);
  const Value **values = ARENA_ARRAY(cx->arena, const Value *, callee->vars.count + 1);
  bool any = false;
  *r = (Ruled){found->unit, found->decl, callee->vars.count, names, values};
  for (int i = 0; i < callee->vars.count; i++) {
    names[i] = callee->vars.data[i]->name;
    values[i] = callee->vars.data[i]->value;
    any = any || check_rule_of(r, names[i]);
  }
  return any ? r : NULL;
}

/* The function's value as an operation of its own that knows of the rules. `first`: id of the first one that the call
 * made. */
static const Value *with_rules(Checker *cx, Ruled *r, const Value *v, int first, Span at) {
  if (!r || value_is_poison(v))
    return v;
  if (v->kind != VAL_TENSOR || v->elem != EL_FIXED) {
    diag_label(CHECK_DIAG(cx, E0507, r->fn->name_span,
                          arena_printf(cx->arena, "functions with rules to return a fixed tensor, not %s",
                                       v->kind == VAL_VOID ? "nothing" : value_type_text(cx->arena, v))),
               "has a rule `grad %s`", r->fn->name);
    return &value_poison;
  }
  if (!v->op)
    return v;
  if (v->op->id < first || v->op->note) {
    Place place = v->place.kind == PLACE_PUBLIC ? cx->pi : v->place;
    v = tensor_make(cx, OP_RESHAPE, &v, 1, NULL, 0, v->elem, v->shape, place, at);
  }
  v->op->note = r;
  VEC_PUSH(cx->arena, &cx->ruled, v->op);
  return v;
}

const Value *check_rule(Checker *cx, const Ruled *r, const Decl *rule, const Value *parameter,
                        const Value *result, const Value *dy, Span at) {
  Frame *outer = cx->frame;
  Loop *loop = cx->loop;
  Span here = cx->here;
  Frame *f = scope_frame(cx->arena, outer, r->unit, rule, check_site(cx, at));
  static const char *const given = "is what a rule is given";
  for (int i = 0; i < r->count; i++)
    scope_add(cx->arena, f, r->names[i], r->values[i], false)->fixed_how = given;
  scope_add(cx->arena, f, rule->grad_name, dy, false)->fixed_how = given;
  scope_add(cx->arena, f, arena_intern_z(cx->arena, "result"), result, false)->fixed_how = given;
  cx->frame = f;
  mark_expanded(cx, rule);
  const Value *v = check_body(cx, rule);
  cx->frame = outer;
  cx->loop = loop;
  cx->here = here;
  if (value_is_poison(v))
    return &value_poison;
  if (v->kind != VAL_VOID && check_flow_same_form(v, parameter))
    return v->kind == VAL_TENSOR ? tensor_to_fixed(cx, v, at) : v;
  CHECK_DIAG(cx, E0507, rule->name_span,
             arena_printf(cx->arena, "%s from this rule, which returns %s",
                          value_type_text(cx->arena, parameter),
                          v->kind == VAL_VOID ? "nothing" : value_type_text(cx->arena, v)));
  return &value_poison;
}

/* ---- expansion ----------------------------------------------------------------------------------------- */

static bool calls_itself(Checker *cx, const Decl *fn, const Call *call) {
  for (const Frame *f = cx->frame; f; f = f->caller) {
    if (f->fn != fn)
      continue;
    Diag *d = diag_new(cx->diags, DIAG_E0502, call->expr->span);
    diag_label(d, "calls itself");
    diag_note(d, "every call is expanded when the program is compiled, so that its cost is known");
    diag_help(d, "use a `for` loop");
    return true;
  }
  return false;
}

static bool copy_out(Checker *cx, const Decl *fn, const CallArg *const *of, Var *const *vars) {
  bool ok = true;
  for (int k = 0; k < fn->parms.count; k++)
    if (fn->parms.data[k].is_var)
      ok = check_store(cx, of[k]->expr, vars[k]->value, NULL, of[k]->expr->span) && ok;
  return ok;
}

static void lint_marked(Checker *cx, const Decl *fn, const Frame *callee, int errors) {
  if (!fn->reveals || callee->reveals || cx->quiet || diag_error_count(cx->diags) != errors)
    return;
  Diag *d = CHECK_DIAG(cx, W0608, fn->name_span, fn->name);
  diag_help(d, "remove `reveals`");
}

static const Value *expand(Checker *cx, const Found *found, const Call *call) {
  const Decl *fn = found->decl;
  const CallArg **of = ARENA_ARRAY(cx->arena, const CallArg *, fn->parms.count + 1);
  Var **vars = ARENA_ARRAY(cx->arena, Var *, fn->parms.count + 1);
  mark_expanded(cx, fn);
  if (calls_itself(cx, fn, call) || !bind_arguments(cx, fn, call, of))
    return &value_poison;
  Frame *caller = cx->frame;
  Frame *callee = scope_frame(cx->arena, caller, found->unit, fn, check_site(cx, call->expr->span));
  if (!pass_arguments(cx, fn, of, callee, vars))
    return &value_poison;
  Ruled *ruled = ruled_call(cx, found, callee);
  int first = cx->program->next_id;
  const Value *applied = apply(cx, found, call, callee, vars);
  if (applied)
    return with_rules(cx, ruled, applied, first, call->expr->span);
  int errors = diag_error_count(cx->diags);
  Loop *loop = cx->loop;
  cx->frame = callee;
  const Value *result = check_body(cx, fn);
  cx->frame = caller;
  cx->loop = loop;
  lint_marked(cx, fn, callee, errors);
  if (callee->reveals && fn->reveals)
    check_call_reveals(cx, call->expr, fn->name);
  if (!copy_out(cx, fn, of, vars))
    return &value_poison;
  return with_rules(cx, ruled, result, first, call->expr->span);
}

/* ---- struct constructors ------------------------------------------------------------------------------- */

static int field_index(const Decl *d, const char *name) {
  for (int i = 0; i < d->fields.count; i++)
    if (d->fields.data[i].name == name)
      return i;
  return -1;
}

static const Value *field_value(Checker *cx, const Decl *d, int i, const CallArg *a, Frame *sizes) {
  Frame *caller = cx->frame;
  const TypeExpr *t = d->fields.data[i].type;
  cx->frame = sizes;
  const Type *want = check_type_try(cx, t);
  cx->frame = caller;
  const Value *v = check_expr(cx, a->expr, want);
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, a->expr->span);
    return &value_poison;
  }
  if (value_is_poison(v))
    return &value_poison;
  Matching m = {.parm = d->fields.data[i].name, .value_span = a->expr->span, .value_expr = a->expr};
  cx->frame = sizes;
  cx->blame = caller;
  v = check_match(cx, t, v, &m);
  cx->blame = NULL;
  cx->frame = caller;
  return v;
}

static const Value *construct(Checker *cx, const Found *found, const Call *call) {
  const Decl *d = found->decl;
  int n = d->fields.count;
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  Frame *sizes = scope_frame(cx->arena, NULL, found->unit, NULL, NULL);
  sizes->structure = d;
  bool ok = true;
  for (int i = 0; i < call->count; i++) {
    const CallArg *a = &call->args[i];
    int k = a->name ? field_index(d, a->name) : -1;
    if (k < 0) {
      if (a->name)
        CHECK_DIAG(cx, E0109, a->expr->span, d->name, a->name);
      else
        diag_help(CHECK_DIAG(cx, E0128, a->expr->span, d->name, "its fields by name", "some by position"),
                  "write `%s(%s = ...)`", d->name, n ? d->fields.data[0].name : "");
      return &value_poison;
    }
    if (items[k]) {
      CHECK_DIAG(cx, E0126, a->expr->span, a->name);
      return &value_poison;
    }
    items[k] = field_value(cx, d, k, a, sizes);
    ok = ok && !value_is_poison(items[k]);
  }
  for (int k = 0; k < n; k++)
    if (!items[k]) {
      CHECK_DIAG(cx, E0134, call->expr->span, d->name, d->fields.data[k].name);
      return &value_poison;
    }
  int64_t *actual = ARENA_ARRAY(cx->arena, int64_t, d->sizes.count + 1);
  for (int i = 0; ok && i < d->sizes.count; i++) {
    const Var *x = scope_find(sizes, d->sizes.data[i].name);
    if (!x || !value_const_int(x->value, &actual[i])) {
      CHECK_DIAG(cx, E0223, call->expr->span, d->sizes.data[i].name);
      ok = false;
    }
  }
  const Struct *st = ok ? check_struct(cx, found->unit, d, actual) : NULL;
  return st ? value_items(cx->arena, VAL_STRUCT, st, items, n) : &value_poison;
}

/* ---- functions of every element, on structs ------------------------------------------------------------ */

static bool is_any_shape(const TypeExpr *t) {
  return t && !t->is_tuple && t->name && strcmp(t->name, "fixed") == 0 && t->dims.count == 1 &&
         t->dims.data[0].is_rest;
}

/* fixed[*s] to fixed[*s], or a builtin that keeps the shape of its operands. */
static bool is_elementwise(const Found *f, const Call *call) {
  static const char *const one[] = {"abs", "sign", "exp", "log", "sqrt", "tanh"}, *const two[] = {"max",
                                                                                                  "min"};
  if (f->decl)
    return f->decl->kind == DECL_FN && f->decl->parms.count > 0 &&
           is_any_shape(f->decl->parms.data[0].type) && is_any_shape(f->decl->type);
  for (int i = 0; i < 6 && call->count == 1; i++)
    if (strcmp(call->name, one[i]) == 0)
      return true;
  return call->count == 2 && (strcmp(call->name, two[0]) == 0 || strcmp(call->name, two[1]) == 0);
}

static const Value *dispatch(Checker *cx, const Found *f, const Call *call, const Type *want) {
  if (f->builtin)
    return builtin_call(cx, f->builtin, call, want);
  return f->decl->kind == DECL_STRUCT ? construct(cx, f, call) : expand(cx, f, call);
}

static const Value *call_found(Checker *cx, const Found *f, Call *call, const Type *want);

/* Field by field, with the same field of other arguments that are such structs, and all else as it is. */
static const Value *map_fields(Checker *cx, const Found *f, const Call *call, const Struct *st) {
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, st->decl->fields.count + 1);
  for (int k = 0; k < st->decl->fields.count; k++) {
    Call of_field = *call;
    of_field.args = ARENA_ARRAY(cx->arena, CallArg, call->count);
    for (int i = 0; i < call->count; i++) {
      const Value *v = call->args[i].value;
      of_field.args[i] = call->args[i];
      if (v->kind == VAL_STRUCT && v->st == st)
        of_field.args[i].value = v->items[k];
    }
    items[k] = call_found(cx, f, &of_field, NULL);
    if (value_is_poison(items[k]))
      return &value_poison;
  }
  return value_items(cx->arena, VAL_STRUCT, st, items, st->decl->fields.count);
}

/* The struct whose fields the call is about; NULL: it is about tensors. */
static const Struct *mapped_struct(Checker *cx, const Found *f, Call *call) {
  if (call->count == 0 || !is_elementwise(f, call))
    return NULL;
  CallArg *first = &call->args[0];
  if (first->name)
    return NULL;
  if (!first->value)
    first->value = check_expr(cx, first->expr, NULL);
  if (first->value->kind != VAL_STRUCT || !first->value->st->all_fixed)
    return NULL;
  for (int i = 1; i < call->count; i++)
    if (!call->args[i].value)
      call->args[i].value = check_expr(cx, call->args[i].expr, NULL);
  return first->value->st;
}

/* ---- the call ------------------------------------------------------------------------------------------ */

static const Value *call_found(Checker *cx, const Found *f, Call *call, const Type *want) {
  const Struct *st = mapped_struct(cx, f, call);
  return st ? map_fields(cx, f, call, st) : dispatch(cx, f, call, want);
}

static Call call_of(Checker *cx, const Expr *e, const Expr *receiver, const Value *value) {
  int first = receiver != NULL;
  Call call = {.expr = e,
               .name = e->left->name,
               .name_span = first ? e->left->name_span : e->left->span,
               .count = e->args.count + first,
               .args = ARENA_ARRAY(cx->arena, CallArg, e->args.count + 1)};
  if (first)
    call.args[0] = (CallArg){NULL, receiver, value, receiver->span};
  for (int i = 0; i < e->args.count; i++)
    call.args[first + i] = (CallArg){e->args.data[i].name, e->args.data[i].value, NULL, e->args.data[i].span};
  return call;
}

/* Where overloads exist the first argument decides, so it is evaluated before the function is known. */
static bool needs_first(const Found *f) {
  return f->decl && f->overloads > 1;
}

static const Value *call_named(Checker *cx, const Expr *e, Unit *u, const Type *want) {
  Found f;
  Call call = call_of(cx, e, NULL, NULL);
  bool found = u ? find_in(u, call.name, NULL, &f) : find_function(cx, call.name, NULL, NULL, &f);
  if (!found) {
    check_unknown_function(cx, cx->frame->unit, NULL, call.name, call.name_span);
    return &value_poison;
  }
  if (needs_first(&f) && call.count && !call.args[0].name) {
    call.args[0].value = check_expr(cx, call.args[0].expr, NULL);
    find_in(f.unit, call.name, call.args[0].value, &f);
  }
  return call_found(cx, &f, &call, want);
}

const Value *check_call_value(Checker *cx, const char *function, const Value *x, Span at) {
  Found f;
  const Expr e = {.kind = EX_NAME, .span = at, .name = function};
  Expr *whole = ARENA_NEW(cx->arena, Expr);
  *whole = e;
  CallArg arg = {NULL, whole, x, at};
  Call call = {.expr = whole, .name = function, .name_span = at, .count = 1, .args = &arg};
  if (!find_in(module_prelude(cx->modules), arena_intern_z(cx->arena, function), x, &f))
    return &value_poison;
  return dispatch(cx, &f, &call, NULL);
}

const Value *check_call(Checker *cx, const Expr *e, const Type *want) {
  const Expr *callee = e->left;
  Found f;
  if (callee->kind == EX_NAME)
    return call_named(cx, e, NULL, want);
  if (callee->kind != EX_FIELD) {
    CHECK_DIAG(cx, E0133, callee->span, span_text(cx->arena, callee->span), "an expression", "a function");
    return &value_poison;
  }
  if (callee->left->kind == EX_NAME && !scope_find(cx->frame, callee->left->name)) {
    bool found;
    Unit *u = module_imported(cx->frame->unit, callee->left->name, &found);
    if (found && !u)
      return &value_poison;
    if (u) {
      if (find_in(u, callee->name, NULL, &f))
        return call_named(cx, e, u, want);
      Diag *d = CHECK_DIAG(cx, E0102, callee->name_span, callee->name);
      diag_label(d, "not in module %s", callee->left->name);
      Names names = {0};
      add_functions(cx, u, &names);
      const char *near = diag_nearest(callee->name, names.data, names.count);
      if (find_function(cx, callee->name, NULL, NULL, &f))
        diag_help(d, "write `%s`", callee->name);
      else if (near)
        diag_help(d, "did you mean `%s.%s`?", callee->left->name, near);
      return &value_poison;
    }
  }
  const Value *receiver = check_expr(cx, callee->left, NULL);
  if (value_is_poison(receiver))
    return &value_poison;
  if (!find_function(cx, callee->name, receiver, receiver, &f)) {
    check_unknown_function(cx, cx->frame->unit, receiver, callee->name, callee->name_span);
    return &value_poison;
  }
  Call call = call_of(cx, e, callee->left, receiver);
  return call_found(cx, &f, &call, want);
}
