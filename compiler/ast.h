/* Syntax trees: what the parser makes and the checker walks. Names are interned in the arena. */
#ifndef TFEC_AST_H
#define TFEC_AST_H

#include <stdint.h>
#include <stdio.h>

#include "diag.h"
#include "source.h"
#include "vec.h"

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Block Block;
typedef struct TypeExpr TypeExpr;

typedef enum ExprKind {
  EX_NAME,     /* name */
  EX_INT,      /* integer */
  EX_REAL,     /* real */
  EX_STRING,   /* text (escapes resolved) */
  EX_BOOL,     /* integer 0 / 1 */
  EX_TUPLE,    /* items */
  EX_ARRAY,    /* items */
  EX_CALL,     /* callee, args (x.f(y): callee is EX_FIELD) */
  EX_INDEX,    /* left, subs */
  EX_FIELD,    /* left . name */
  EX_UNARY,    /* op, right */
  EX_BINARY,   /* left op right */
  EX_SHARE,    /* right */
  EX_REVEAL,   /* right [to place] */
  EX_AT,       /* at place block */
  EX_PROTOCOL, /* protocol header (or a name) block */
  EX_GRAD,     /* args */
} ExprKind;

typedef enum Operator {
  OPR_OR,
  OPR_AND,
  OPR_NOT,
  OPR_EQ,
  OPR_NE,
  OPR_LT,
  OPR_LE,
  OPR_GT,
  OPR_GE,
  OPR_ADD,
  OPR_SUB,
  OPR_MUL,
  OPR_DIV,
  OPR_FLOORDIV,
  OPR_MOD,
  OPR_MATMUL,
  OPR_POW,
  OPR_NEG,
} Operator;

/* provider, provider[2] */
typedef struct PlaceExpr {
  Span span;
  const char *name;
  Expr *index; /* or NULL */
} PlaceExpr;

typedef struct Arg {
  Span span;
  const char *name; /* NULL: by position */
  Expr *value;
} Arg;

/* x[i], x[a:b], x[:] */
typedef struct Subscript {
  Span span;
  bool is_slice;
  Expr *low, *high; /* is_slice: either may be NULL; else only low */
} Subscript;

typedef struct Option {
  Span span;
  const char *name;
  Expr *value;
} Option;

/* pond(server0, server1; producer) with frac = 16 -- or just a name declared by `protocol NAME = ...` */
typedef struct ProtoExpr {
  Span span;
  const char *kind; /* kind, or the declared name if !has_parties */
  Span kind_span;
  bool has_parties;
  VEC(PlaceExpr) servers;
  VEC(PlaceExpr) helpers;
  VEC(Option) options;
} ProtoExpr;

struct Expr {
  ExprKind kind;
  Span span;
  const char *name; /* EX_NAME, EX_FIELD */
  Span name_span;   /* EX_FIELD: the field's name; EX_BINARY: the operator */
  int64_t integer;
  double real;
  const char *text;
  Operator op;
  Expr *left, *right; /* EX_CALL: left is the callee */
  VEC(Expr *) items;
  VEC(Arg) args;
  VEC(Subscript) subs;
  bool has_place;   /* EX_REVEAL: `to` given */
  PlaceExpr place;  /* EX_AT, EX_REVEAL */
  ProtoExpr *proto; /* EX_PROTOCOL */
  Block *block;     /* EX_AT, EX_PROTOCOL */
  int height;       /* of the tree; limited, so that walkers may recurse */
};

typedef struct Dim {
  Span span;
  bool is_rest; /* *s */
  const char *rest;
  Expr *size;
} Dim;

typedef enum Visibility { VIS_NONE, VIS_PUBLIC, VIS_PRIVATE } Visibility;

struct TypeExpr {
  Span span;
  bool is_tuple;
  VEC(TypeExpr *) items; /* tuple */
  Visibility visibility;
  Span visibility_span;
  const char *module; /* logreg.LogReg: "logreg", else NULL */
  const char *name;   /* fixed, float, int, bool, string, or a struct */
  Span name_span;
  VEC(Dim) dims;
  bool has_place;
  PlaceExpr place;
};

typedef enum StmtKind {
  ST_LET,    /* is_var, pattern, type, value */
  ST_ASSIGN, /* target op= value; op is OPR_ADD.. or -1 for plain */
  ST_IF,     /* value, block, other (a block; `else if` is a block of one ST_IF) */
  ST_FOR,    /* name in low .. high block */
  ST_WHILE,  /* value, block */
  ST_RETURN, /* value or NULL */
  ST_BREAK,
  ST_CONTINUE,
  ST_ASSERT, /* value */
  ST_EXPR,   /* value */
} StmtKind;

typedef struct PatternName {
  Span span;
  const char *name;
} PatternName;

struct Stmt {
  StmtKind kind;
  Span span;
  bool is_var;
  bool is_tuple_pattern; /* let (a, b) = ... */
  VEC(PatternName) pattern;
  TypeExpr *type;
  Expr *target;
  int op;           /* ST_ASSIGN: an Operator, or -1 */
  const char *name; /* ST_FOR */
  Span name_span;
  Expr *low, *high;
  Expr *value;
  Block *block, *other;
  int height;
};

struct Block {
  Span span; /* with its braces */
  VEC(Stmt *) stmts;
  int height;
};

typedef enum DeclKind {
  DECL_IMPORT,
  DECL_CONST,
  DECL_PARAM,
  DECL_PARTY,
  DECL_PROTOCOL,
  DECL_STRUCT,
  DECL_FN,
  DECL_WIDTH, /* protocol kinds: `width fn` */
  DECL_GRAD,
  DECL_TEST,
  DECL_KIND, /* protocol kind NAME(...) { ... }: the protocol layer, for files in protocol/ */
} DeclKind;

typedef struct Parm {
  Span span;
  bool is_var;
  const char *name;
  TypeExpr *type; /* or NULL. In a protocol kind `x: public` is a type of visibility PUBLIC and name NULL */
  const char *at; /* protocol kinds: fn share(x at p) binds p to the place of x */
  Expr *standard; /* default value or NULL */
} Parm;

typedef struct Field {
  Span span;
  const char *name;
  TypeExpr *type;
} Field;

typedef struct Decl Decl;
struct Decl {
  DeclKind kind;
  Span span; /* the whole declaration */
  Span head; /* without the body: `fn f(x) -> int` */
  Span name_span;
  const char *name;
  const char *doc; /* text of the ## comment directly above, or NULL */
  /* import */
  const char *path; /* import "lib/x.tfe" as x */
  /* const, param, test, fn, grad */
  TypeExpr *type; /* const, param; result of fn */
  Expr *value;
  Block *block;
  VEC(Parm) parms;
  bool reveals;
  const char *modifier; /* protocol kinds: `pure fn`, `elementwise fn`, `width fn` */
  /* party */
  VEC(PlaceExpr) parties;
  /* protocol NAME = ... */
  ProtoExpr *proto;
  /* struct */
  VEC(PatternName) sizes;
  VEC(Field) fields;
  /* grad f.x(dy) */
  const char *grad_parm, *grad_name;
  /* protocol kind NAME(servers; helpers) { holds { a: ring at s0; ... }  members } */
  VEC(PatternName) servers, helpers;
  VEC(Field) holds; /* type->place says where */
  Span holds_span;
  VEC(Decl *) members; /* fn and struct declarations, options (DECL_CONST) */
  /* option NAME = "a" | "b": what it can be, the default first; empty: any value of the default's type */
  VEC(PatternName) choices;
};

/* A file: declarations, and for the root file the statements that are the program. */
typedef struct Module {
  const Source *source;
  const char *name; /* file name without .tfe */
  VEC(Decl *) decls;
  VEC(Stmt *) stmts;
} Module;

/* Parses a file. Syntax errors go to diags; the tree holds what could be understood. */
Module *ast_parse(Arena *a, Diags *diags, const Source *source);
/* The stable text form of --emit-ast. */
void ast_print(const Module *m, FILE *out);
const char *ast_operator_text(int op);

#endif
