/* Functions that nobody calls are not expanded, so nothing would be said about them; their names at least
 * are looked up: variables, functions, modules, types. And the walk over syntax trees that other parts of
 * the checker use. */
#include "checker.h"

/* ---- walking ------------------------------------------------------------------------------------------- */

static void walk_stmt(Walk *w, const Stmt *s) {
  if (w->stmt)
    w->stmt(w, s);
  check_walk_expr(w, s->value);
  check_walk_expr(w, s->target);
  check_walk_expr(w, s->low);
  check_walk_expr(w, s->high);
  check_walk_block(w, s->block);
  check_walk_block(w, s->other);
}

void check_walk_block(Walk *w, const Block *b) {
  for (int i = 0; b && i < b->stmts.count; i++)
    walk_stmt(w, b->stmts.data[i]);
}

void check_walk_expr(Walk *w, const Expr *e) {
  if (!e)
    return;
  if (w->expr)
    w->expr(w, e);
  check_walk_expr(w, e->left);
  check_walk_expr(w, e->right);
  for (int i = 0; i < e->items.count; i++)
    check_walk_expr(w, e->items.data[i]);
  for (int i = 0; i < e->args.count; i++)
    check_walk_expr(w, e->args.data[i].value);
  for (int i = 0; i < e->subs.count; i++) {
    check_walk_expr(w, e->subs.data[i].low);
    check_walk_expr(w, e->subs.data[i].high);
  }
  check_walk_block(w, e->block);
}

/* Some function of this name, anywhere, has a `var` parameter. */
bool check_changes_argument(Checker *cx, const char *function) {
  for (int i = 0; i < module_count(cx->modules); i++) {
    const Module *m = module_at(cx->modules, i)->ast;
    for (int k = 0; k < m->decls.count; k++) {
      const Decl *d = m->decls.data[k];
      if (d->kind != DECL_FN || d->name != function)
        continue;
      for (int j = 0; j < d->parms.count; j++)
        if (d->parms.data[j].is_var)
          return true;
    }
  }
  return false;
}

/* ---- names of functions that were not expanded --------------------------------------------------------- */

typedef VEC(const char *) Names;

typedef struct Look {
  Checker *cx;
  Unit *unit;
  Names names; /* of the function: parameters, variables, size variables; blocks are not told apart */
} Look;

static bool is_listed(const Names *names, const char *name) {
  for (int i = 0; i < names->count; i++)
    if (names->data[i] == name)
      return true;
  return false;
}

static void gather_stmt(Walk *w, const Stmt *s) {
  Look *l = w->data;
  for (int i = 0; i < s->pattern.count; i++)
    VEC_PUSH(l->cx->arena, &l->names, s->pattern.data[i].name);
  if (s->kind == ST_FOR)
    VEC_PUSH(l->cx->arena, &l->names, s->name);
}

static void gather_type(Look *l, const TypeExpr *t) {
  if (!t)
    return;
  for (int i = 0; i < t->items.count; i++)
    gather_type(l, t->items.data[i]);
  for (int i = 0; i < t->dims.count; i++) {
    const Dim *d = &t->dims.data[i];
    if (d->is_rest)
      VEC_PUSH(l->cx->arena, &l->names, d->rest);
    else if (d->size && d->size->kind == EX_NAME)
      VEC_PUSH(l->cx->arena, &l->names, d->size->name);
  }
}

static bool is_global(const Look *l, const char *name) {
  bool found;
  module_imported(l->unit, name, &found);
  return found || module_global(l->unit, name) || check_decl_party(l->cx, name) || strcmp(name, "me") == 0;
}

static bool is_function(const Look *l, const Unit *u, const char *name) {
  const Unit *prelude = module_prelude(l->cx->modules);
  if (check_decl_find(u, DECL_FN, name) || check_decl_find(u, DECL_STRUCT, name) || builtin_find(name))
    return true;
  return prelude && check_decl_find(prelude, DECL_FN, name);
}

static void look_call(Look *l, const Expr *e) {
  const Expr *f = e->left;
  if (f->kind != EX_NAME || is_function(l, l->unit, f->name))
    return;
  check_unknown_function(l->cx, l->unit, NULL, f->name, f->span);
  VEC_PUSH(l->cx->arena, &l->names, f->name); /* said once */
}

static void look_expr(Walk *w, const Expr *e) {
  Look *l = w->data;
  if (e->kind == EX_CALL)
    look_call(l, e);
  else if (e->kind == EX_NAME && !is_listed(&l->names, e->name) && !is_global(l, e->name) &&
           !is_function(l, l->unit, e->name))
    diag_label(diag_new(l->cx->diags, DIAG_E0107, e->span, e->name), "not defined here");
}

static bool was_expanded(const Checker *cx, const Decl *fn) {
  for (int i = 0; i < cx->expanded.count; i++)
    if (cx->expanded.data[i] == fn)
      return true;
  return false;
}

static void look_into(Checker *cx, Unit *u, const Decl *fn) {
  Look l = {.cx = cx, .unit = u};
  Walk gather = {NULL, gather_stmt, &l}, look = {look_expr, NULL, &l};
  for (int i = 0; i < fn->parms.count; i++) {
    VEC_PUSH(cx->arena, &l.names, fn->parms.data[i].name);
    gather_type(&l, fn->parms.data[i].type);
  }
  check_walk_block(&gather, fn->block);
  check_walk_block(&look, fn->block);
}

/* A rule sees what its function sees, and two names more. */
static void look_into_rule(Checker *cx, Unit *u, const Decl *rule) {
  Look l = {.cx = cx, .unit = u};
  Walk gather = {NULL, gather_stmt, &l}, look = {look_expr, NULL, &l};
  VEC_PUSH(cx->arena, &l.names, rule->grad_name);
  VEC_PUSH(cx->arena, &l.names, arena_intern_z(cx->arena, "result"));
  for (int k = 0; k < u->ast->decls.count; k++) {
    const Decl *fn = u->ast->decls.data[k];
    for (int i = 0; fn->kind == DECL_FN && fn->name == rule->name && i < fn->parms.count; i++) {
      VEC_PUSH(cx->arena, &l.names, fn->parms.data[i].name);
      gather_type(&l, fn->parms.data[i].type);
    }
  }
  check_walk_block(&gather, rule->block);
  check_walk_block(&look, rule->block);
}

void check_names(Checker *cx) {
  for (int i = 0; i < module_count(cx->modules); i++) {
    Unit *u = module_at(cx->modules, i);
    for (int k = 0; k < u->ast->decls.count; k++) {
      const Decl *d = u->ast->decls.data[k];
      if (d->kind == DECL_FN && !was_expanded(cx, d))
        look_into(cx, u, d);
      if (d->kind == DECL_GRAD && !was_expanded(cx, d))
        look_into_rule(cx, u, d);
    }
  }
}
