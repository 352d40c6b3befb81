/* What the scanner (lex.l), the grammar (parse.y) and the tree builder (ast.c) share. Nobody else includes
 * this. The generated files are parse.tab.c, parse.tab.h (bison) and lex.yy.c (flex), made in the build
 * directory. */
#ifndef TFEC_PARSE_H
#define TFEC_PARSE_H

#include "ast.h"

enum {
  PARSE_MAX_BRACKETS = 200, /* brackets open at a time */
  PARSE_MAX_HEIGHT = 1000,  /* of an expression: walkers of the tree recurse */
};

typedef struct Bracket {
  char kind; /* ( [ { */
  Span at;
} Bracket;

/* A ## comment of one or more lines. */
typedef struct DocText {
  int last_line;
  const char *text;
} DocText;

typedef enum EndCause { END_NEWLINE, END_SEMICOLON, END_FILE } EndCause;

typedef struct Parser {
  Arena *arena;
  Diags *diags;
  const Source *source;
  Module *module;

  /* scanner */
  void *scanner;
  int offset;
  bool line_begins; /* no token on this line yet */
  bool have_token;  /* `token` has been scanned but not handed out */
  int token;
  bool token_begins_line;
  Span token_at;
  union {
    int64_t integer;
    double real;
    const char *text; /* of a name, a keyword or a string */
  } value;
  Bracket brackets[PARSE_MAX_BRACKETS];
  int depth;
  Bracket suspect; /* a { whose } stands too far left, kind 0: none */
  bool reported_unclosed;
  bool need_end; /* after closing braces that were left open */
  bool gave_up;  /* too deep: only the end of the file follows */
  VEC(DocText) docs;

  /* the last two tokens handed out, for messages */
  int last, previous;
  Span last_at, previous_at;
  bool last_begins_line;
  EndCause last_end, previous_end;

  bool quiet; /* until the next END: what follows is a consequence of something reported */
  int syntax_errors;
  bool reported_height;
  int bad_end; /* offset of an END that was unexpected: the next line begins with what was missing; or -1 */
} Parser;

/* The grammar's lists. */
typedef VEC(Expr *) ExprList;
typedef VEC(Arg) ArgList;
typedef VEC(Subscript) SubscriptList;
typedef VEC(PlaceExpr) PlaceList;
typedef VEC(Option) OptionList;
typedef VEC(Dim) DimList;
typedef VEC(TypeExpr *) TypeList;
typedef VEC(PatternName) NameList;
typedef VEC(Stmt *) StmtList;
typedef VEC(Parm) ParmList;
typedef VEC(Field) FieldList;
typedef VEC(Decl *) DeclList;

/* A name and where it stands. */
typedef struct Word {
  const char *text;
  Span at;
} Word;

/* Gives `node->list` what `from` (a pointer to a list of the same items, or NULL) holds. */
#define AST_TAKE(to, from)                                                                                   \
  do {                                                                                                       \
    if (from) {                                                                                              \
      (to).data = (from)->data;                                                                              \
      (to).count = (from)->count;                                                                            \
      (to).capacity = (from)->capacity;                                                                      \
    }                                                                                                        \
  } while (0)

/* ---- lex.l --------------------------------------------------------------------------------------------- */

void parse_scan_begin(Parser *p);
void parse_scan_end(Parser *p);
/* Forgets ( and [ opened since the last {; lines end statements again. */
void parse_leave_brackets(Parser *p);

/* ---- parse.y ------------------------------------------------------------------------------------------- */

int parse_parse(Parser *p);

/* ---- ast.c: constructors ------------------------------------------------------------------------------- */

Expr *ast_name(Parser *p, Span at, const char *name);
Expr *ast_int(Parser *p, Span at, int64_t value);
Expr *ast_real(Parser *p, Span at, double value);
Expr *ast_string(Parser *p, Span at, const char *text);
Expr *ast_bool(Parser *p, Span at, bool value);
Expr *ast_paren(Span at, Expr *inner);
Expr *ast_items(Parser *p, ExprKind kind, Span at, const ExprList *items);
Expr *ast_call(Parser *p, Span at, Expr *callee, const ArgList *args);
Expr *ast_grad(Parser *p, Span at, const ArgList *args);
Expr *ast_index(Parser *p, Span at, Expr *left, const SubscriptList *subs);
Expr *ast_field(Parser *p, Span at, Expr *left, Word name);
Expr *ast_unary(Parser *p, Span at, Operator op, Expr *right);
Expr *ast_binary(Parser *p, Span at, Operator op, Span op_at, Expr *left, Expr *right);
Expr *ast_share(Parser *p, Span at, Expr *right);
Expr *ast_reveal(Parser *p, Span at, Expr *right, const PlaceExpr *to);
Expr *ast_at(Parser *p, Span at, PlaceExpr place, Block *block);
Expr *ast_protocol(Parser *p, Span at, ProtoExpr *proto, Block *block);

ProtoExpr *ast_proto(Parser *p, Span at, Word kind, const PlaceList *servers, const PlaceList *helpers,
                     const OptionList *options);
ProtoExpr *ast_proto_name(Parser *p, Word name);

TypeExpr *ast_type(Parser *p, Span at, Word module, Word name, const DimList *dims, const PlaceExpr *place);
TypeExpr *ast_type_tuple(Parser *p, Span at, const TypeList *items);
/* type NULL: the visibility alone. */
TypeExpr *ast_type_visible(Parser *p, Span at, Visibility visibility, Span visibility_at, TypeExpr *type);

Stmt *ast_let(Parser *p, Span at, bool is_var, bool is_tuple, const NameList *names, TypeExpr *type,
              Expr *value);
/* op: an Operator, or -1 */
Stmt *ast_assign(Parser *p, Span at, Expr *target, int op, Expr *value);
Stmt *ast_if(Parser *p, Span at, Expr *condition, Block *block, Block *other);
Stmt *ast_for(Parser *p, Span at, Word name, Expr *low, Expr *high, Block *block);
Stmt *ast_while(Parser *p, Span at, Expr *condition, Block *block);
/* return, break, continue, assert, an expression */
Stmt *ast_stmt(Parser *p, StmtKind kind, Span at, Expr *value);
Block *ast_block(Parser *p, Span at, const StmtList *stmts);
Block *ast_block_of(Parser *p, Stmt *only);

Decl *ast_import(Parser *p, Span at, const char *path, Word name);
Decl *ast_const(Parser *p, DeclKind kind, Span at, Word name, TypeExpr *type, Expr *value);
Decl *ast_party(Parser *p, Span at, const PlaceList *parties);
Decl *ast_protocol_name(Parser *p, Span at, Word name, ProtoExpr *proto);
Decl *ast_struct(Parser *p, Span at, Span head, Word name, const NameList *sizes, const FieldList *fields);
Decl *ast_fn(Parser *p, Span at, Span head, Word name, const ParmList *parms, TypeExpr *type, bool reveals,
             Block *block);
Decl *ast_grad_rule(Parser *p, Span at, Span head, Word name, Word parm, Word gradient, Block *block);
Decl *ast_test(Parser *p, Span at, Span head, Word name, Block *block);
/* choices: the texts besides `value` that the option can be, or NULL: any value of that kind. */
Decl *ast_option(Parser *p, Span at, Word word, Word name, Expr *value, const NameList *choices);
/* A `holds { ... }` section, as a declaration without a name that ast_kind takes apart. */
Decl *ast_holds(Parser *p, Span at, Word word, const FieldList *fields);
Decl *ast_kind(Parser *p, Span at, Span head, Word kind, Word name, const NameList *servers,
               const NameList *helpers, const DeclList *members);

void ast_add_decl(Parser *p, Decl *d);
void ast_add_stmt(Parser *p, Stmt *s);

#endif
