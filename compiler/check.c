/* The checker's entry: modules, parties, then the root statements (or one test), then what nobody called. */
#include "checker.h"
#include "grad.h"

#include <assert.h>

/* ---- messages ------------------------------------------------------------------------------------------ */

static const Frame *shown_frame(const Checker *cx) {
  return cx->blame ? cx->blame : cx->frame;
}

/* "in sigmoid (prelude.tfe:6), called from predict (logreg.tfe:15), called from model.tfe:36" */
Diag *check_chained(Checker *cx, Diag *d) {
  const Frame *f = cx->frame ? shown_frame(cx) : NULL;
  if (!f || !f->fn)
    return d;
  const char *text = arena_printf(cx->arena, "in %s (%s)", f->fn->name, source_where(cx->arena, f->fn->head));
  for (const Site *s = f->call; s; s = s->caller) {
    const char *where = source_where(cx->arena, s->span);
    text = s->function ? arena_printf(cx->arena, "%s, called from %s (%s)", text, s->function, where)
                       : arena_printf(cx->arena, "%s, called from %s", text, where);
  }
  diag_note(d, "%s", text);
  return d;
}

const Site *check_site(Checker *cx, Span at) {
  const Frame *f = cx->frame ? shown_frame(cx) : NULL;
  Site *s = ARENA_NEW(cx->arena, Site);
  s->span = at;
  s->function = f && f->fn ? f->fn->name : NULL;
  s->caller = f ? f->call : NULL;
  return s;
}

const char *check_kind_name(Checker *cx, int instance) {
  return cx->program->protocols.data[instance].kind;
}

const char *check_party_text(Checker *cx, Place at) {
  if (at.kind == PLACE_EACH)
    return cx->program->parties.data[at.index].name;
  const PartyDecl *d = party_decl(cx->program, at.index);
  return d->family ? arena_printf(cx->arena, "%s[%d]", d->name, at.index - d->first) : d->name;
}

const char *check_place_text(Checker *cx, const Value *v, bool with_type) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  const Value *leaf = v;
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i]->place.kind != PLACE_PUBLIC || leaf == v)
      leaf = leaves.list.data[i];
  const char *type = with_type ? elem_text(leaf->elem) : "";
  const char *space = with_type ? " " : "";
  switch (leaf->place.kind) {
  case PLACE_PRIVATE:
    return arena_printf(cx->arena, "private%s%s (%s)", space, type, check_kind_name(cx, leaf->place.index));
  case PLACE_PUBLIC: return arena_printf(cx->arena, "public%s%s", space, type);
  default: return arena_printf(cx->arena, "%s%sat %s", type, space, check_party_text(cx, leaf->place));
  }
}

static const Value *leaf_at(Checker *cx, const Value *v, PlaceKind kind) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i]->kind == VAL_TENSOR && leaves.list.data[i]->place.kind == kind)
      return leaves.list.data[i];
  return NULL;
}

typedef struct Search {
  Checker *cx;
  PlaceKind kind;
  const Expr *found;
  const Value *value;
} Search;

static void search_expr(Walk *w, const Expr *e) {
  Search *s = w->data;
  if (s->found || e->kind != EX_NAME)
    return;
  const Var *x = scope_find(s->cx->frame, e->name);
  if (x && x->value && (s->value = leaf_at(s->cx, x->value, s->kind)))
    s->found = e;
}

const Expr *check_find_name(Checker *cx, const Expr *e, PlaceKind kind, const Value **value) {
  Search s = {.cx = cx, .kind = kind};
  Walk w = {search_expr, NULL, &s};
  check_walk_expr(&w, e);
  *value = s.value;
  return s.found;
}

const char *check_quoted(Checker *cx, const Expr *e) {
  if (!e || (e->kind != EX_NAME && e->kind != EX_FIELD))
    return "this value";
  return arena_printf(cx->arena, "`%s`", span_text(cx->arena, e->span));
}

/* ---- places -------------------------------------------------------------------------------------------- */

bool check_in_protocol(const Checker *cx) {
  return cx->open.count > 0;
}

Place check_private_place(const Checker *cx) {
  assert(cx->open.count);
  return (Place){PLACE_PRIVATE, cx->open.data[cx->open.count - 1].instance};
}

bool check_kind_has(const Checker *cx, const char *function) {
  return cx->open.count && module_kind_has(cx->open.data[cx->open.count - 1].kind, function);
}

/* ---- the program --------------------------------------------------------------------------------------- */

static Checker *checker_new(Arena *a, Diags *diags, const Source *root, const CheckOptions *options) {
  Checker *cx = ARENA_NEW(a, Checker);
  cx->arena = a;
  cx->diags = diags;
  cx->options = options;
  cx->times = 1;
  cx->modules = module_set(a, diags, options->include_dirs, options->include_count);
  cx->root = module_root(cx->modules, root);
  cx->program = ir_program(a, source_name(root));
  cx->block = cx->program->body;
  cx->entropy = ARENA_NEW(a, IrBlock);
  cx->frame = scope_frame(a, NULL, cx->root, NULL, NULL);
  cx->frame->may_reveal = true;
  return cx;
}

/* A library has no parties. Its tests run in a protocol block of parties that are made for them. */
static void add_testers(Checker *cx) {
  static const char *const real[] = {"server0", "server1", "producer"}, *const clear[] = {"tester"};
  const char *const *names = cx->options->test_clear ? clear : real;
  if (!cx->options->test || cx->program->party_count)
    return;
  cx->library_test = true;
  for (int i = 0; i < (cx->options->test_clear ? 1 : 3); i++) {
    PartyDecl d = {.name = arena_intern_z(cx->arena, names[i]), .first = i, .count = 1};
    VEC_PUSH(cx->arena, &cx->program->parties, d);
    cx->program->party_count++;
  }
}

/* `protocol pond(server0, server1; producer)` around a library's test, or `protocol clear(tester)`. */
static void open_test_protocol(Checker *cx, Span at) {
  bool clear = cx->options->test_clear;
  ProtoExpr p = {.span = at, .kind_span = at, .has_parties = true};
  const Decl *kind;
  p.kind = arena_intern_z(cx->arena, clear ? "clear" : "pond");
  for (int i = 0; i < cx->program->party_count; i++) {
    PlaceExpr party = {.span = at, .name = cx->program->parties.data[i].name};
    if (i < 2)
      VEC_PUSH(cx->arena, &p.servers, party);
    else
      VEC_PUSH(cx->arena, &p.helpers, party);
  }
  int instance = check_decl_protocol(cx, &p, &kind);
  if (instance >= 0)
    VEC_PUSH(cx->arena, &cx->open, ((Open){instance, kind, at}));
}

static void run_test(Checker *cx, const char *name) {
  const Module *m = cx->root->ast;
  for (int i = 0; i < m->decls.count; i++) {
    const Decl *d = m->decls.data[i];
    if (d->kind == DECL_TEST && d->name && strcmp(d->name, name) == 0) {
      if (cx->library_test)
        open_test_protocol(cx, d->name_span);
      check_block(cx, d->block, false, NULL);
      cx->open.count = 0;
      return;
    }
  }
}

static bool is_used(const IrBlock *b, const Op *op) {
  for (int i = 0; i < b->ops.count; i++) {
    const Op *user = b->ops.data[i];
    for (int k = 0; k < user->args.count; k++)
      if (user->args.data[k] == op)
        return true;
    for (int k = 0; k < user->blocks.count; k++)
      if (is_used(user->blocks.data[k], op))
        return true;
  }
  for (int i = 0; i < b->yields.count; i++)
    if (b->yields.data[i] == op)
      return true;
  return false;
}

/* Rules of functions are the checker's own affair. */
static void drop_rules(Checker *cx) {
  for (int i = 0; i < cx->ruled.count; i++)
    cx->ruled.data[i]->note = NULL;
}

/* First generator states go in front of everything. */
static void place_entropy(Checker *cx) {
  IrBlock *body = cx->program->body, old = *body;
  body->ops.data = NULL;
  body->ops.count = body->ops.capacity = 0;
  for (int i = 0; i < cx->entropy->ops.count; i++) {
    Op *op = cx->entropy->ops.data[i];
    op->parent = body;
    if (is_used(&old, op))
      VEC_PUSH(cx->arena, &body->ops, op);
  }
  for (int i = 0; i < old.ops.count; i++)
    VEC_PUSH(cx->arena, &body->ops, old.ops.data[i]);
}

/* more("x") asks about the slot of input("x"), or the first field's of a struct. */
static void find_slots(Checker *cx) {
  const Program *p = cx->program;
  for (int i = 0; i < cx->mores.count; i++) {
    Op *op = cx->mores.data[i];
    for (int k = 0; k < p->slots.count && op->ints.data[0] < 0; k++) {
      const Slot *s = &p->slots.data[k];
      if (!s->is_output && strcmp(ir_slot_name(cx->arena, s), op->text) == 0)
        op->ints.data[0] = k;
    }
    if (op->ints.data[0] >= 0 || diag_error_count(cx->diags))
      continue;
    Diag *d = diag_new(cx->diags, DIAG_E0207, op->site->span, "more");
    diag_label(d, "no `input(\"%s\")` in this program", op->text);
  }
}

/* The root statements in a scope of their own, so that what is never used is found. */
static void run_root(Checker *cx) {
  const Block root = {
      .stmts = {cx->root->ast->stmts.data, cx->root->ast->stmts.count, cx->root->ast->stmts.count}};
  check_block(cx, &root, false, NULL);
}

/* Constants nobody needs are checked too. */
static void evaluate_globals(Checker *cx) {
  for (int i = 0; i < module_count(cx->modules); i++) {
    Unit *u = module_at(cx->modules, i);
    for (int k = 0; k < u->globals.count; k++)
      check_decl_global(cx, u, u->globals.data[k].decl->name);
  }
}

static void check_kinds(Checker *cx) {
  const Module *m = cx->root->ast;
  const Decl *kind;
  for (int i = 0; i < m->decls.count; i++)
    if (m->decls.data[i]->kind == DECL_PROTOCOL) {
      int unused = cx->program->protocols.count;
      check_decl_protocol(cx, m->decls.data[i]->proto, &kind);
      cx->program->protocols.count = unused; /* only what a block opens counts */
    }
}

static void no_party(Checker *cx, const Source *root) {
  Diag *d = CHECK_DIAG(cx, E0414, ((Span){root, 0, 0}));
  diag_note(
      d, "a program says who takes part; a file without parties is a library: `tfec check` checks it, `tfec "
         "test` runs its tests");
  diag_help(d, "declare the parties: `party alice, bob`");
}

Program *check_program(Arena *a, Diags *diags, const Source *root, const CheckOptions *options) {
  Checker *cx = checker_new(a, diags, root, options);
  if (diag_error_count(diags))
    return NULL;
  check_decl_parties(cx);
  if (options->needs_party && !cx->program->party_count)
    no_party(cx, root);
  add_testers(cx);
  check_decl_params(cx);
  for (int i = 0; i < module_count(cx->modules); i++)
    check_decl_structure(cx, module_at(cx->modules, i));
  check_kinds(cx);
  cx->program->clear = false;
  if (options->test)
    run_test(cx, options->test);
  else
    run_root(cx);
  evaluate_globals(cx);
  check_names(cx);
  find_slots(cx);
  if (!diag_error_count(diags))
    grad_check_carried(cx);
  drop_rules(cx);
  if (diag_error_count(diags))
    return NULL;
  place_entropy(cx);
  return cx->program;
}

CheckNames check_tests(Arena *a, Diags *diags, const Source *root, const CheckOptions *options) {
  CheckNames names = {0};
  const Module *m = ast_parse(a, diags, root);
  (void)options;
  for (int i = 0; i < m->decls.count; i++)
    if (m->decls.data[i]->kind == DECL_TEST)
      VEC_PUSH(a, &names, m->decls.data[i]->name);
  return names;
}
