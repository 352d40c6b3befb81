/* The printed form of syntax trees (--emit-ast): one line a statement or declaration, blocks indented, expressions as
 * lists with the operator first:
 *
 *     let y = (w + 1) @ x[0, :]        (let y (@ (+ w 1) (index x 0 (: _ _))))
 */
#include <assert.h>
#include <inttypes.h>

#include "ast.h"

const char *ast_operator_text(int op) {
  static const char *const text[] = {
      [OPR_OR] = "or",    [OPR_AND] = "and", [OPR_NOT] = "not", [OPR_EQ] = "==",       [OPR_NE] = "!=",
      [OPR_LT] = "<",     [OPR_LE] = "<=",   [OPR_GT] = ">",    [OPR_GE] = ">=",       [OPR_ADD] = "+",
      [OPR_SUB] = "-",    [OPR_MUL] = "*",   [OPR_DIV] = "/",   [OPR_FLOORDIV] = "//", [OPR_MOD] = "%",
      [OPR_MATMUL] = "@", [OPR_POW] = "**",  [OPR_NEG] = "-",
  };
  assert(op >= 0 && op < (int)(sizeof text / sizeof *text));
  return text[op];
}

typedef struct Printer {
  FILE *out;
  int indent;
} Printer;

static void print_expr(Printer *w, const Expr *e);
static void print_block(Printer *w, const Block *b);

static void new_line(Printer *w) {
  fputc('\n', w->out);
  for (int i = 0; i < w->indent; i++)
    fputs("  ", w->out);
}

static void print_string(Printer *w, const char *text) {
  fputc('"', w->out);
  for (; *text; text++)
    switch (*text) {
    case '\n': fputs("\\n", w->out); break;
    case '\t': fputs("\\t", w->out); break;
    case '"':
    case '\\':
      fputc('\\', w->out);
      fputc(*text, w->out);
      break;
    default: fputc(*text, w->out);
    }
  fputc('"', w->out);
}

/* The shortest digits that give the number back, always with a point or an exponent. */
static void print_real(Printer *w, double value) {
  char text[64];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    double back = 0;
    if (sscanf(text, "%lf", &back) == 1 && back >= value && back <= value)
      break;
  }
  fprintf(w->out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_place(Printer *w, const PlaceExpr *p) {
  fputs(p->name, w->out);
  if (p->index) {
    fputc('[', w->out);
    print_expr(w, p->index);
    fputc(']', w->out);
  }
}

static void print_args(Printer *w, const Expr *e) {
  for (int i = 0; i < e->args.count; i++) {
    const Arg *a = &e->args.data[i];
    fputc(' ', w->out);
    if (a->name)
      fprintf(w->out, "%s=", a->name);
    print_expr(w, a->value);
  }
}

static void print_limit(Printer *w, const Expr *e) {
  if (e)
    print_expr(w, e);
  else
    fputc('_', w->out);
}

static void print_subs(Printer *w, const Expr *e) {
  for (int i = 0; i < e->subs.count; i++) {
    const Subscript *s = &e->subs.data[i];
    fputs(s->is_slice ? " (: " : " ", w->out);
    print_limit(w, s->low);
    if (!s->is_slice)
      continue;
    fputc(' ', w->out);
    print_limit(w, s->high);
    fputc(')', w->out);
  }
}

static void print_proto(Printer *w, const ProtoExpr *x) {
  if (!x->has_parties) {
    fputs(x->kind, w->out);
    return;
  }
  fprintf(w->out, "(%s", x->kind);
  for (int i = 0; i < x->servers.count; i++) {
    fputc(' ', w->out);
    print_place(w, &x->servers.data[i]);
  }
  for (int i = 0; i < x->helpers.count; i++) {
    fputs(i ? " " : " ; ", w->out);
    print_place(w, &x->helpers.data[i]);
  }
  for (int i = 0; i < x->options.count; i++) {
    fprintf(w->out, "%s%s=", i ? " " : " with ", x->options.data[i].name);
    print_expr(w, x->options.data[i].value);
  }
  fputc(')', w->out);
}

static void print_list(Printer *w, const char *head, const Expr *e) {
  fprintf(w->out, "(%s", head);
  for (int i = 0; i < e->items.count; i++) {
    fputc(' ', w->out);
    print_expr(w, e->items.data[i]);
  }
  fputc(')', w->out);
}

/* ( head left right ), either operand may be NULL */
static void print_operands(Printer *w, const char *head, const Expr *left, const Expr *right) {
  fprintf(w->out, "(%s", head);
  if (left) {
    fputc(' ', w->out);
    print_expr(w, left);
  }
  if (right) {
    fputc(' ', w->out);
    print_expr(w, right);
  }
}

static void print_expr(Printer *w, const Expr *e) {
  switch (e->kind) {
  case EX_NAME: fputs(e->name, w->out); return;
  case EX_INT: fprintf(w->out, "%" PRId64, e->integer); return;
  case EX_REAL: print_real(w, e->real); return;
  case EX_STRING: print_string(w, e->text); return;
  case EX_BOOL: fputs(e->integer ? "true" : "false", w->out); return;
  case EX_TUPLE: print_list(w, "tuple", e); return;
  case EX_ARRAY: print_list(w, "array", e); return;
  case EX_CALL:
    print_operands(w, "call", e->left, NULL);
    print_args(w, e);
    break;
  case EX_INDEX:
    print_operands(w, "index", e->left, NULL);
    print_subs(w, e);
    break;
  case EX_FIELD:
    print_operands(w, ".", e->left, NULL);
    fprintf(w->out, " %s", e->name);
    break;
  case EX_UNARY: print_operands(w, ast_operator_text((int)e->op), e->right, NULL); break;
  case EX_BINARY: print_operands(w, ast_operator_text((int)e->op), e->left, e->right); break;
  case EX_SHARE: print_operands(w, "share", e->right, NULL); break;
  case EX_REVEAL:
    print_operands(w, "reveal", e->right, NULL);
    if (e->has_place) {
      fputs(" to ", w->out);
      print_place(w, &e->place);
    }
    break;
  case EX_AT:
    fputs("(at ", w->out);
    print_place(w, &e->place);
    print_block(w, e->block);
    break;
  case EX_PROTOCOL:
    fputs("(protocol ", w->out);
    print_proto(w, e->proto);
    print_block(w, e->block);
    break;
  case EX_GRAD:
    fputs("(grad", w->out);
    print_args(w, e);
    break;
  }
  fputc(')', w->out);
}

static void print_type(Printer *w, const TypeExpr *t) {
  if (t->is_tuple) {
    fputc('(', w->out);
    for (int i = 0; i < t->items.count; i++) {
      fputs(i ? ", " : "", w->out);
      print_type(w, t->items.data[i]);
    }
    fputc(')', w->out);
    return;
  }
  if (t->visibility != VIS_NONE)
    fprintf(w->out, "%s%s", t->visibility == VIS_PUBLIC ? "public" : "private", t->name ? " " : "");
  if (t->name)
    fprintf(w->out, "%s%s%s", t->module ? t->module : "", t->module ? "." : "", t->name);
  for (int i = 0; i < t->dims.count; i++) {
    const Dim *d = &t->dims.data[i];
    fputs(i ? ", " : "[", w->out);
    if (d->is_rest)
      fprintf(w->out, "*%s", d->rest);
    else
      print_expr(w, d->size);
  }
  fputs(t->dims.count ? "]" : "", w->out);
  if (t->has_place) {
    fputs(" at ", w->out);
    print_place(w, &t->place);
  }
}

static void print_names(Printer *w, const PatternName *names, int count) {
  for (int i = 0; i < count; i++)
    fprintf(w->out, "%s%s", i ? " " : "", names[i].name);
}

static void print_let(Printer *w, const Stmt *s) {
  fputs(s->is_var ? "(var " : "(let ", w->out);
  fputs(s->is_tuple_pattern ? "(" : "", w->out);
  print_names(w, s->pattern.data, s->pattern.count);
  fputs(s->is_tuple_pattern ? ")" : "", w->out);
  if (s->type) {
    fputs(": ", w->out);
    print_type(w, s->type);
  }
  fputc(' ', w->out);
  print_expr(w, s->value);
}

static void print_if(Printer *w, const Stmt *s) {
  print_operands(w, "if", s->value, NULL);
  print_block(w, s->block);
  if (s->other) {
    new_line(w);
    fputs("else", w->out);
    print_block(w, s->other);
  }
}

static void print_stmt(Printer *w, const Stmt *s) {
  new_line(w);
  switch (s->kind) {
  case ST_LET: print_let(w, s); break;
  case ST_ASSIGN:
    fprintf(w->out, "(%s= ", s->op < 0 ? "" : ast_operator_text(s->op));
    print_expr(w, s->target);
    fputc(' ', w->out);
    print_expr(w, s->value);
    break;
  case ST_IF: print_if(w, s); break;
  case ST_FOR:
    fprintf(w->out, "(for %s ", s->name);
    print_expr(w, s->low);
    fputs(" .. ", w->out);
    print_expr(w, s->high);
    print_block(w, s->block);
    break;
  case ST_WHILE:
    print_operands(w, "while", s->value, NULL);
    print_block(w, s->block);
    break;
  case ST_RETURN: print_operands(w, "return", s->value, NULL); break;
  case ST_BREAK: fputs("(break", w->out); break;
  case ST_CONTINUE: fputs("(continue", w->out); break;
  case ST_ASSERT: print_operands(w, "assert", s->value, NULL); break;
  case ST_EXPR: print_expr(w, s->value); return;
  }
  fputc(')', w->out);
}

static void print_block(Printer *w, const Block *b) {
  w->indent++;
  for (int i = 0; i < b->stmts.count; i++)
    print_stmt(w, b->stmts.data[i]);
  w->indent--;
}

static void print_fields(Printer *w, const Field *fields, int count) {
  w->indent++;
  for (int i = 0; i < count; i++) {
    new_line(w);
    fprintf(w->out, "(%s: ", fields[i].name);
    print_type(w, fields[i].type);
    fputc(')', w->out);
  }
  w->indent--;
}

static void print_parm(Printer *w, const Parm *p) {
  fprintf(w->out, " (%s%s", p->is_var ? "var " : "", p->name);
  if (p->type) {
    fputs(": ", w->out);
    print_type(w, p->type);
  }
  if (p->at)
    fprintf(w->out, " at %s", p->at);
  if (p->standard) {
    fputs(" = ", w->out);
    print_expr(w, p->standard);
  }
  fputc(')', w->out);
}

static void print_fn(Printer *w, const Decl *d) {
  fprintf(w->out, "(%s%sfn %s", d->modifier ? d->modifier : "", d->modifier ? " " : "", d->name);
  for (int i = 0; i < d->parms.count; i++)
    print_parm(w, &d->parms.data[i]);
  if (d->type) {
    fputs(" -> ", w->out);
    print_type(w, d->type);
  }
  fputs(d->reveals ? " reveals" : "", w->out);
  print_block(w, d->block);
}

static void print_decl(Printer *w, const Decl *d);

static void print_kind(Printer *w, const Decl *d) {
  fprintf(w->out, "(protocol kind %s ", d->name);
  print_names(w, d->servers.data, d->servers.count);
  fputs(d->helpers.count ? " ; " : "", w->out);
  print_names(w, d->helpers.data, d->helpers.count);
  w->indent++;
  new_line(w);
  fputs("(holds", w->out);
  print_fields(w, d->holds.data, d->holds.count);
  fputc(')', w->out);
  for (int i = 0; i < d->members.count; i++)
    print_decl(w, d->members.data[i]);
  w->indent--;
}

static void print_doc(Printer *w, const char *doc) {
  while (doc) {
    const char *end = strchr(doc, '\n');
    int length = end ? (int)(end - doc) : (int)strlen(doc);
    new_line(w);
    fprintf(w->out, "## %.*s", length, doc);
    doc = end ? end + 1 : NULL;
  }
}

static void print_decl(Printer *w, const Decl *d) {
  print_doc(w, d->doc);
  new_line(w);
  switch (d->kind) {
  case DECL_IMPORT:
    fprintf(w->out, "(import %s", d->name);
    if (d->path) {
      fputc(' ', w->out);
      print_string(w, d->path);
    }
    break;
  case DECL_CONST:
  case DECL_PARAM:
    fprintf(w->out, "(%s %s", d->kind == DECL_CONST ? "const" : "param", d->name);
    if (d->type) {
      fputs(": ", w->out);
      print_type(w, d->type);
    }
    fputc(' ', w->out);
    print_expr(w, d->value);
    for (int i = 1; i < d->choices.count; i++) {
      fputs(" | ", w->out);
      print_string(w, d->choices.data[i].name);
    }
    break;
  case DECL_PARTY:
    fputs("(party", w->out);
    for (int i = 0; i < d->parties.count; i++) {
      fputc(' ', w->out);
      print_place(w, &d->parties.data[i]);
    }
    break;
  case DECL_PROTOCOL:
    fprintf(w->out, "(protocol %s = ", d->name);
    print_proto(w, d->proto);
    break;
  case DECL_STRUCT:
    fprintf(w->out, "(struct %s%s", d->name, d->sizes.count ? " [" : "");
    print_names(w, d->sizes.data, d->sizes.count);
    fputs(d->sizes.count ? "]" : "", w->out);
    print_fields(w, d->fields.data, d->fields.count);
    break;
  case DECL_FN:
  case DECL_WIDTH: print_fn(w, d); break;
  case DECL_GRAD:
    fprintf(w->out, "(grad %s.%s %s", d->name, d->grad_parm, d->grad_name);
    print_block(w, d->block);
    break;
  case DECL_TEST:
    fputs("(test ", w->out);
    print_string(w, d->name);
    print_block(w, d->block);
    break;
  case DECL_KIND: print_kind(w, d); break;
  }
  fputc(')', w->out);
}

void ast_print(const Module *m, FILE *out) {
  Printer w = {out, 1};
  fprintf(out, "(module %s", m->name);
  for (int i = 0; i < m->decls.count; i++)
    print_decl(&w, m->decls.data[i]);
  for (int i = 0; i < m->stmts.count; i++)
    print_stmt(&w, m->stmts.data[i]);
  fputs(")\n", out);
}
