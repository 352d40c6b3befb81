/* Syntax trees: constructors called by the grammar's actions, and ast_parse.
 *
 * Constructors check what the grammar leaves open: targets of assignments, chained comparisons, the order
 * of arguments, the words that are not reserved (kind, holds, option, pure, elementwise), and the height
 * of the tree. They never fail: after a message they return something that can be walked. */
#include "ast.h"

#include <assert.h>
#include <inttypes.h>

#include "parse.h"

static int higher(int a, int b) {
  return a > b ? a : b;
}

/* Reports a tree that grows too high, once a file. */
static bool too_high(Parser *p, Span at, int height) {
  if (height <= PARSE_MAX_HEIGHT)
    return false;
  if (!p->reported_height)
    diag_new(p->diags, DIAG_E0137, at);
  p->reported_height = true;
  p->syntax_errors++;
  return true;
}

/* ---- expressions --------------------------------------------------------------------------------------- */

static Expr *new_expr(Parser *p, ExprKind kind, Span at, int height) {
  Expr *e = ARENA_NEW(p->arena, Expr);
  bool cut = too_high(p, at, height);
  e->kind = cut ? EX_INT : kind;
  e->span = at;
  e->height = cut ? 1 : height;
  return e;
}

Expr *ast_name(Parser *p, Span at, const char *name) {
  Expr *e = new_expr(p, EX_NAME, at, 1);
  e->name = name;
  e->name_span = at;
  return e;
}

Expr *ast_int(Parser *p, Span at, int64_t value) {
  Expr *e = new_expr(p, EX_INT, at, 1);
  e->integer = value;
  return e;
}

Expr *ast_real(Parser *p, Span at, double value) {
  Expr *e = new_expr(p, EX_REAL, at, 1);
  e->real = value;
  return e;
}

Expr *ast_string(Parser *p, Span at, const char *text) {
  Expr *e = new_expr(p, EX_STRING, at, 1);
  e->text = text;
  return e;
}

Expr *ast_bool(Parser *p, Span at, bool value) {
  Expr *e = new_expr(p, EX_BOOL, at, 1);
  e->integer = value;
  return e;
}

/* Parentheses leave no node, but the span grows so that it can be joined and quoted. */
Expr *ast_paren(Span at, Expr *inner) {
  inner->span = at;
  return inner;
}

Expr *ast_items(Parser *p, ExprKind kind, Span at, const ExprList *items) {
  int height = 0;
  for (int i = 0; i < items->count; i++)
    height = higher(height, items->data[i]->height);
  Expr *e = new_expr(p, kind, at, height + 1);
  AST_TAKE(e->items, items);
  return e;
}

/* By position, then by name. */
static int check_args(Parser *p, const ArgList *args) {
  int height = 0;
  bool named = false, reported = false;
  for (int i = 0; args && i < args->count; i++) {
    const Arg *a = &args->data[i];
    height = higher(height, a->value->height);
    if (named && !a->name && !reported) {
      reported = true;
      p->syntax_errors++;
      diag_new(p->diags, DIAG_E0119, a->span);
    }
    named |= a->name != NULL;
  }
  return height;
}

Expr *ast_call(Parser *p, Span at, Expr *callee, const ArgList *args) {
  Expr *e = new_expr(p, EX_CALL, at, 1 + higher(callee->height, check_args(p, args)));
  e->left = callee;
  AST_TAKE(e->args, args);
  return e;
}

Expr *ast_grad(Parser *p, Span at, const ArgList *args) {
  Expr *e = new_expr(p, EX_GRAD, at, 1 + check_args(p, args));
  AST_TAKE(e->args, args);
  return e;
}

Expr *ast_index(Parser *p, Span at, Expr *left, const SubscriptList *subs) {
  int height = left->height;
  for (int i = 0; i < subs->count; i++) {
    const Subscript *s = &subs->data[i];
    height = higher(height, s->low ? s->low->height : 0);
    height = higher(height, s->high ? s->high->height : 0);
  }
  Expr *e = new_expr(p, EX_INDEX, at, 1 + height);
  e->left = left;
  AST_TAKE(e->subs, subs);
  return e;
}

Expr *ast_field(Parser *p, Span at, Expr *left, Word name) {
  Expr *e = new_expr(p, EX_FIELD, at, 1 + left->height);
  e->left = left;
  e->name = name.text;
  e->name_span = name.at;
  return e;
}

Expr *ast_unary(Parser *p, Span at, Operator op, Expr *right) {
  Expr *e = new_expr(p, EX_UNARY, at, 1 + right->height);
  e->op = op;
  e->right = right;
  e->name_span = (Span){at.source, at.start, at.start + (op == OPR_NOT ? 3 : 1)};
  return e;
}

static bool is_comparison(const Expr *e) {
  return e->kind == EX_BINARY && e->op >= OPR_EQ && e->op <= OPR_GE;
}

/* A comparison in parentheses begins before its left operand does. */
static void check_chain(Parser *p, const Expr *e) {
  const Expr *left = e->left;
  if (!is_comparison(e) || !is_comparison(left) || left->span.start < left->left->span.start)
    return;
  p->syntax_errors++;
  Diag *d = diag_new(p->diags, DIAG_E0118, e->name_span);
  diag_also(d, left->name_span, "first comparison");
  const char *text = p->source->text;
  diag_help(d, "write `%.*s and %.*s`", left->span.end - left->span.start, text + left->span.start,
            e->span.end - left->right->span.start, text + left->right->span.start);
}

Expr *ast_binary(Parser *p, Span at, Operator op, Span op_at, Expr *left, Expr *right) {
  Expr *e = new_expr(p, EX_BINARY, at, 1 + higher(left->height, right->height));
  e->op = op;
  e->name_span = op_at;
  e->left = left;
  e->right = right;
  check_chain(p, e);
  return e;
}

Expr *ast_share(Parser *p, Span at, Expr *right) {
  Expr *e = new_expr(p, EX_SHARE, at, 1 + right->height);
  e->right = right;
  return e;
}

Expr *ast_reveal(Parser *p, Span at, Expr *right, const PlaceExpr *to) {
  Expr *e = new_expr(p, EX_REVEAL, at, 1 + right->height);
  e->right = right;
  e->has_place = to != NULL;
  if (to)
    e->place = *to;
  return e;
}

Expr *ast_at(Parser *p, Span at, PlaceExpr place, Block *block) {
  Expr *e = new_expr(p, EX_AT, at, 1 + block->height);
  e->has_place = true;
  e->place = place;
  e->block = block;
  return e;
}

Expr *ast_protocol(Parser *p, Span at, ProtoExpr *proto, Block *block) {
  Expr *e = new_expr(p, EX_PROTOCOL, at, 1 + block->height);
  e->proto = proto;
  e->block = block;
  return e;
}

ProtoExpr *ast_proto(Parser *p, Span at, Word kind, const PlaceList *servers, const PlaceList *helpers,
                     const OptionList *options) {
  ProtoExpr *x = ARENA_NEW(p->arena, ProtoExpr);
  x->span = at;
  x->kind = kind.text;
  x->kind_span = kind.at;
  x->has_parties = true;
  AST_TAKE(x->servers, servers);
  AST_TAKE(x->helpers, helpers);
  AST_TAKE(x->options, options);
  return x;
}

ProtoExpr *ast_proto_name(Parser *p, Word name) {
  ProtoExpr *x = ARENA_NEW(p->arena, ProtoExpr);
  x->span = x->kind_span = name.at;
  x->kind = name.text;
  return x;
}

/* ---- types --------------------------------------------------------------------------------------------- */

TypeExpr *ast_type(Parser *p, Span at, Word module, Word name, const DimList *dims, const PlaceExpr *place) {
  TypeExpr *t = ARENA_NEW(p->arena, TypeExpr);
  t->span = at;
  t->module = module.text;
  t->name = name.text;
  t->name_span = name.at;
  AST_TAKE(t->dims, dims);
  t->has_place = place != NULL;
  if (place)
    t->place = *place;
  return t;
}

TypeExpr *ast_type_tuple(Parser *p, Span at, const TypeList *items) {
  TypeExpr *t = ARENA_NEW(p->arena, TypeExpr);
  t->span = at;
  t->is_tuple = true;
  AST_TAKE(t->items, items);
  return t;
}

TypeExpr *ast_type_visible(Parser *p, Span at, Visibility visibility, Span visibility_at, TypeExpr *type) {
  TypeExpr *t = type ? type : ARENA_NEW(p->arena, TypeExpr);
  t->span = at;
  t->visibility = visibility;
  t->visibility_span = visibility_at;
  return t;
}

/* ---- statements ---------------------------------------------------------------------------------------- */

static int height_of(const Expr *e) {
  return e ? e->height : 0;
}

/* Blocks are given here because they count for the height; NULL if the tree would grow too high. */
static Stmt *new_stmt(Parser *p, StmtKind kind, Span at, Expr *value, Block *block, Block *other) {
  int height = higher(height_of(value), higher(block ? block->height : 0, other ? other->height : 0)) + 1;
  if (too_high(p, at, height))
    return NULL;
  Stmt *s = ARENA_NEW(p->arena, Stmt);
  s->kind = kind;
  s->span = at;
  s->op = -1;
  s->value = value;
  s->block = block;
  s->other = other;
  s->height = height;
  return s;
}

Stmt *ast_let(Parser *p, Span at, bool is_var, bool is_tuple, const NameList *names, TypeExpr *type,
              Expr *value) {
  Stmt *s = new_stmt(p, ST_LET, at, value, NULL, NULL);
  if (!s)
    return NULL;
  s->is_var = is_var;
  s->is_tuple_pattern = is_tuple;
  AST_TAKE(s->pattern, names);
  s->type = type;
  return s;
}

static bool is_target(const Expr *e) {
  while (e->kind == EX_FIELD || e->kind == EX_INDEX)
    e = e->left;
  return e->kind == EX_NAME;
}

Stmt *ast_assign(Parser *p, Span at, Expr *target, int op, Expr *value) {
  if (!is_target(target)) {
    p->syntax_errors++;
    diag_new(p->diags, DIAG_E0117, target->span);
    return NULL;
  }
  Stmt *s = new_stmt(p, ST_ASSIGN, at, value, NULL, NULL);
  if (!s)
    return NULL;
  s->target = target;
  s->height = higher(s->height, 1 + target->height);
  s->op = op;
  return s;
}

Stmt *ast_if(Parser *p, Span at, Expr *condition, Block *block, Block *other) {
  return new_stmt(p, ST_IF, at, condition, block, other);
}

Stmt *ast_for(Parser *p, Span at, Word name, Expr *low, Expr *high, Block *block) {
  Stmt *s = new_stmt(p, ST_FOR, at, NULL, block, NULL);
  if (!s)
    return NULL;
  s->name = name.text;
  s->name_span = name.at;
  s->low = low;
  s->high = high;
  s->height = higher(s->height, 1 + higher(low->height, high->height));
  return s;
}

Stmt *ast_while(Parser *p, Span at, Expr *condition, Block *block) {
  return new_stmt(p, ST_WHILE, at, condition, block, NULL);
}

Stmt *ast_stmt(Parser *p, StmtKind kind, Span at, Expr *value) {
  return new_stmt(p, kind, at, value, NULL, NULL);
}

Block *ast_block(Parser *p, Span at, const StmtList *stmts) {
  Block *b = ARENA_NEW(p->arena, Block);
  b->span = at;
  AST_TAKE(b->stmts, stmts);
  for (int i = 0; i < b->stmts.count; i++)
    b->height = higher(b->height, b->stmts.data[i]->height);
  return b;
}

Block *ast_block_of(Parser *p, Stmt *only) {
  Block *b = ARENA_NEW(p->arena, Block);
  if (!only)
    return b;
  b->span = only->span;
  b->height = only->height;
  VEC_PUSH(p->arena, &b->stmts, only);
  return b;
}

/* ---- declarations -------------------------------------------------------------------------------------- */

/* The ## comment that ends on the line above. */
static const char *doc_above(const Parser *p, Span at) {
  int line = source_line(at) - 1, low = 0, high = p->docs.count;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (p->docs.data[middle].last_line < line)
      low = middle + 1;
    else
      high = middle;
  }
  return low < p->docs.count && p->docs.data[low].last_line == line ? p->docs.data[low].text : NULL;
}

static Decl *new_decl(Parser *p, DeclKind kind, Span at, Span head, Word name) {
  Decl *d = ARENA_NEW(p->arena, Decl);
  d->kind = kind;
  d->span = at;
  d->head = head;
  d->name = name.text;
  d->name_span = name.at;
  d->doc = doc_above(p, at);
  return d;
}

Decl *ast_import(Parser *p, Span at, const char *path, Word name) {
  Decl *d = new_decl(p, DECL_IMPORT, at, at, name);
  d->path = path;
  return d;
}

Decl *ast_const(Parser *p, DeclKind kind, Span at, Word name, TypeExpr *type, Expr *value) {
  Decl *d = new_decl(p, kind, at, at, name);
  d->type = type;
  d->value = value;
  return d;
}

Decl *ast_party(Parser *p, Span at, const PlaceList *parties) {
  const PlaceExpr *first = &parties->data[0];
  Decl *d = new_decl(p, DECL_PARTY, at, at, (Word){first->name, first->span});
  AST_TAKE(d->parties, parties);
  return d;
}

Decl *ast_protocol_name(Parser *p, Span at, Word name, ProtoExpr *proto) {
  Decl *d = new_decl(p, DECL_PROTOCOL, at, at, name);
  d->proto = proto;
  return d;
}

Decl *ast_struct(Parser *p, Span at, Span head, Word name, const NameList *sizes, const FieldList *fields) {
  Decl *d = new_decl(p, DECL_STRUCT, at, head, name);
  AST_TAKE(d->sizes, sizes);
  AST_TAKE(d->fields, fields);
  return d;
}

Decl *ast_fn(Parser *p, Span at, Span head, Word name, const ParmList *parms, TypeExpr *type, bool reveals,
             Block *block) {
  Decl *d = new_decl(p, DECL_FN, at, head, name);
  AST_TAKE(d->parms, parms);
  d->type = type;
  d->reveals = reveals;
  d->block = block;
  return d;
}

Decl *ast_grad_rule(Parser *p, Span at, Span head, Word name, Word parm, Word gradient, Block *block) {
  Decl *d = new_decl(p, DECL_GRAD, at, head, name);
  d->grad_parm = parm.text;
  d->grad_name = gradient.text;
  d->block = block;
  return d;
}

Decl *ast_test(Parser *p, Span at, Span head, Word name, Block *block) {
  Decl *d = new_decl(p, DECL_TEST, at, head, name);
  d->block = block;
  return d;
}

/* A word that is a keyword in this position only. */
static bool is_word(Parser *p, Word word, const char *text) {
  if (strcmp(word.text, text) == 0)
    return true;
  p->syntax_errors++;
  const char *what = arena_printf(p->arena, "name `%s`", word.text);
  diag_label(diag_new(p->diags, DIAG_E0100, word.at, what), "expected `%s`", text);
  return false;
}

Decl *ast_option(Parser *p, Span at, Word word, Word name, Expr *value, const NameList *choices) {
  is_word(p, word, "option");
  Decl *d = ast_const(p, DECL_CONST, at, name, NULL, value);
  if (choices) {
    VEC_PUSH(p->arena, &d->choices, ((PatternName){value->span, value->text}));
    for (int i = 0; i < choices->count; i++)
      VEC_PUSH(p->arena, &d->choices, choices->data[i]);
  }
  return d;
}

Decl *ast_holds(Parser *p, Span at, Word word, const FieldList *fields) {
  is_word(p, word, "holds");
  Decl *d = new_decl(p, DECL_KIND, at, at, word);
  AST_TAKE(d->holds, fields);
  return d;
}

/* fn share(x: ring at p): the place belongs to the parameter. */
static void place_parms(Parser *p, Decl *fn) {
  for (int i = 0; i < fn->parms.count; i++) {
    Parm *parm = &fn->parms.data[i];
    if (!parm->type || !parm->type->has_place)
      continue;
    if (parm->type->place.index) {
      p->syntax_errors++;
      diag_label(diag_new(p->diags, DIAG_E0100, parm->type->place.span, "index"), "expected a name");
    }
    parm->at = parm->type->place.name;
    parm->type->has_place = false;
  }
}

static void check_modifier(Parser *p, Decl *fn) {
  const char *word = fn->modifier;
  if (!word || strcmp(word, "pure") == 0 || strcmp(word, "elementwise") == 0)
    return;
  if (strcmp(word, "width") == 0) {
    fn->kind = DECL_WIDTH;
    return;
  }
  Span at = {fn->span.source, fn->span.start, fn->span.start + (int)strlen(word)};
  p->syntax_errors++;
  diag_label(diag_new(p->diags, DIAG_E0100, at, arena_printf(p->arena, "name `%s`", word)),
             "expected `pure`, `elementwise`, `width` or `fn`");
}

static void add_member(Parser *p, Decl *kind, Decl *member) {
  if (member->kind == DECL_KIND) {
    AST_TAKE(kind->holds, &member->holds);
    kind->holds_span = member->span;
    return;
  }
  if (member->kind == DECL_FN) {
    place_parms(p, member);
    check_modifier(p, member);
  }
  VEC_PUSH(p->arena, &kind->members, member);
}

Decl *ast_kind(Parser *p, Span at, Span head, Word kind, Word name, const NameList *servers,
               const NameList *helpers, const DeclList *members) {
  is_word(p, kind, "kind");
  Decl *d = new_decl(p, DECL_KIND, at, head, name);
  AST_TAKE(d->servers, servers);
  AST_TAKE(d->helpers, helpers);
  for (int i = 0; i < members->count; i++)
    add_member(p, d, members->data[i]);
  return d;
}

/* What only protocol kinds may write in a parameter. */
static void check_parms(Parser *p, Decl *fn) {
  for (int i = 0; i < fn->parms.count; i++) {
    Parm *parm = &fn->parms.data[i];
    if (parm->type && !parm->type->is_tuple && !parm->type->name) {
      const char *word = parm->type->visibility == VIS_PUBLIC ? "public" : "private";
      p->syntax_errors++;
      diag_label(diag_new(p->diags, DIAG_E0141, parm->type->span, word), "write for example `%s fixed`",
                 word);
      parm->type = NULL;
    }
    if (parm->at) {
      p->syntax_errors++;
      diag_new(p->diags, DIAG_E0139, parm->span, arena_printf(p->arena, "%s at %s", parm->name, parm->at));
      parm->at = NULL;
    }
  }
}

void ast_add_decl(Parser *p, Decl *d) {
  if (d->kind == DECL_FN)
    check_parms(p, d);
  VEC_PUSH(p->arena, &p->module->decls, d);
}

void ast_add_stmt(Parser *p, Stmt *s) {
  if (s)
    VEC_PUSH(p->arena, &p->module->stmts, s);
}

/* ---- parsing ------------------------------------------------------------------------------------------- */

static const char *module_name(Arena *a, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  size_t length = strlen(base);
  if (length > 4 && strcmp(base + length - 4, ".tfe") == 0)
    length -= 4;
  return arena_intern(a, base, length);
}

Module *ast_parse(Arena *a, Diags *diags, const Source *source) {
  Parser *p = ARENA_NEW(a, Parser);
  p->arena = a;
  p->diags = diags;
  p->source = source;
  p->bad_end = -1;
  p->module = ARENA_NEW(a, Module);
  p->module->source = source;
  p->module->name = module_name(a, source->path);
  parse_scan_begin(p);
  parse_parse(p);
  parse_scan_end(p);
  return p->module;
}
