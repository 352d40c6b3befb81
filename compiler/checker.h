/* What the files of the checker share: the state of the walk, and the functions that one calls in another.
 *
 *   check.c       entry, messages                  check_expr.c   names, constants, operators
 *   check_decl.c  constants, parties, protocols    check_type.c   types, coercion, size variables
 *   check_call.c  calls and their arguments        check_index.c  subscripts
 *   check_stmt.c  statements                       check_place.c  at, protocol, share, reveal
 *   check_flow.c  branches, flags, trial runs      check_loop.c   loops
 *   check_names.c functions nobody calls, walks    check_stored.c store and load
 *   scope.c       frames and variables
 *   tensor.c      operations on values             fold.c         constants
 *   builtin.c     the builtin functions          grad*.c        derivatives (grad.h)
 */
#ifndef TFEC_CHECKER_H
#define TFEC_CHECKER_H

#include "check.h"
#include "scope.h"
#include "shape.h"
#include "value.h"

/* A loop of the IR whose body is being elaborated. */
typedef struct Loop Loop;
struct Loop {
  Loop *outer;
  IrBlock *body; /* its parameters are the index and the carried values */
  Span span;
  bool can_unroll; /* a `for` with bounds known while compiling */
  bool unroll;     /* a compile-time value was needed that depends on the body's parameters */
};

/* An open protocol block. */
typedef struct Open {
  int instance; /* into Program.protocols */
  const Decl *kind;
  Span span; /* of the header */
} Open;

/* A call of a function that states its own derivative; note of the operation that gave its value. */
typedef struct Ruled {
  Unit *unit;
  const Decl *fn;
  int count; /* parameters and sizes, with what they were at the start */
  const char *const *names;
  const Value *const *values;
} Ruled;

typedef struct GradCarried GradCarried; /* grad.c */

typedef struct Checker {
  Arena *arena;
  Diags *diags;
  const CheckOptions *options;
  Modules *modules;
  Unit *root;
  Program *program;
  IrBlock *block; /* operations are appended here */
  Place pi;       /* where we are: joint (PLACE_PUBLIC), at a party, at each member of a family */
  Span pi_span;   /* the `at` block */
  VEC(Open) open; /* stack of protocol blocks */
  Frame *frame;
  Loop *loop;
  VEC(Var *) states;     /* generator states, one a place */
  IrBlock *entropy;      /* where their first values are made; goes in front of the program */
  int64_t times;         /* passes of the enclosing loops; -1 inside a `while` */
  const Stmt *statement; /* the `let` or other statement being checked */
  VEC(Op *) mores;       /* MORE operations, whose slot is found at the end */
  const Stmt *branch;    /* the `if` whose condition is being checked */
  Span here;             /* the expression being checked */
  int depth;             /* of nested calls and expressions */
  bool quiet;            /* trying something: messages will be dropped, loops are not to be unrolled for it */
  bool library_test;     /* the test block of a file without parties: its values are private (check_stmt.c) */
  bool constants_only;   /* evaluating a const or param declaration */
  VEC(const Struct *) structs;
  VEC(const Decl *) expanded; /* functions that have been expanded */
  Frame *blame;               /* whose chain of calls messages and sites show; NULL: frame's */
  bool deferred;              /* matching left a size for later */
  VEC(Op *) ruled;            /* operations whose note is a Ruled */
  VEC(GradCarried *) carried; /* gradients to be looked at when all loops are finished */
} Checker;

/* ---- messages ------------------------------------------------------------------------------------------ */

/* Makes a message and adds the chain of calls that leads here. */
#define CHECK_DIAG(cx, code, at, ...)                                                                        \
  check_chained((cx), diag_new((cx)->diags, DIAG_##code, (at), ##__VA_ARGS__))
Diag *check_chained(Checker *cx, Diag *d);
const Site *check_site(Checker *cx, Span at);
/* "pond" of the innermost protocol block or of an instance */
const char *check_kind_name(Checker *cx, int instance);
/* "private (pond)", "at client", "public"; with_type: "private bool (pond)" */
const char *check_place_text(Checker *cx, const Value *v, bool with_type);
/* "client", "provider", "provider[2]" */
const char *check_party_text(Checker *cx, Place at);
/* The first name in e whose value has a place of this kind, with its value. */
const Expr *check_find_name(Checker *cx, const Expr *e, PlaceKind kind, const Value **value);
/* "`x`" or "this value" */
const char *check_quoted(Checker *cx, const Expr *e);

/* ---- places -------------------------------------------------------------------------------------------- */

static inline bool check_is_joint(const Checker *cx) {
  return cx->pi.kind == PLACE_PUBLIC;
}
Place check_private_place(const Checker *cx); /* of the innermost protocol block; there must be one */
bool check_in_protocol(const Checker *cx);
/* The kind of the innermost block defines a function of this name. */
bool check_kind_has(const Checker *cx, const char *function);
/* Rule F3 for one leaf value in the present context: members of families, values of other parties
 * (E0305/6/8). */
const Value *check_read(Checker *cx, const Value *v, const Expr *e);
/* v as an operand: in joint code nothing may live at a party (E0305). Poison after an error. */
const Value *check_operand(Checker *cx, const Value *v, const Expr *e);
/* A public value as one that lives at a party (to public: itself). */
const Value *check_known_at(Checker *cx, const Value *v, Place to, Span at);
/* The frame's function calls one that reveals (F11). */
void check_call_reveals(Checker *cx, const Expr *e, const char *callee);

/* ---- declarations -------------------------------------------------------------------------------------- */

/* Runs outside of whatever is being checked: joint, no protocol, operations thrown away. */
typedef struct Outside {
  IrBlock *block;
  Place pi;
  Frame *frame;
  Loop *loop;
  int open;
  bool constants_only;
} Outside;
Outside check_go_outside(Checker *cx, Unit *u);
void check_come_back(Checker *cx, Outside o);

void check_decl_params(Checker *cx); /* -D */
void check_decl_parties(Checker *cx);
void check_decl_structure(Checker *cx, Unit *u); /* duplicates among the declarations of a module */
const PartyDecl *check_decl_party(Checker *cx, const char *name);
/* A party or member; NULL-like result: false, reported. Family without index: PLACE_EACH. */
bool check_decl_place(Checker *cx, const PlaceExpr *p, Place *out);
/* -1: error, reported. */
int check_decl_protocol(Checker *cx, const ProtoExpr *p, const Decl **kind);
const Value *check_decl_global(Checker *cx, Unit *u, const char *name); /* NULL: no such const or param */
/* The one that is seen in the frame, where no variable has the name. */
const Value *check_decl_constant(Checker *cx, const char *name);
const Decl *check_decl_find(const Unit *u, DeclKind kind, const char *name);
/* A written type, resolved in the frame's scope; NULL after an error. */
const Type *check_type(Checker *cx, const TypeExpr *t);
/* The same without messages; NULL if something in it is not known yet. */
const Type *check_type_try(Checker *cx, const TypeExpr *t);
/* Matches a value against a parameter's type, binding size variables in the frame (rule S4). Returns the
 * value coerced to it, or poison. `callee` and `from` are for messages. */
typedef struct Matching {
  const Decl *fn;
  const char *parm;
  Span value_span;
  const Expr *value_expr;
  bool is_result;
  bool later_names; /* dims that name later parameters are left open */
  int parm_index;
} Matching;
const Value *check_match(Checker *cx, const TypeExpr *t, const Value *v, const Matching *m);
/* Coerces to a resolved type: element, shape (E0209), place (E0301). what: E0301's second argument and
 * name. */
const Value *check_coerce(Checker *cx, const Value *v, const Type *t, const Expr *e, const char *name);
/* The place part alone; NULL if it cannot go there (not reported). */
const Value *check_to_place(Checker *cx, const Value *v, Place to, const Expr *e, Span at);
/* v made fit to what a variable holds: element, shape and place of each leaf. */
const Value *check_coerce_like(Checker *cx, const Value *v, const Value *like, const Expr *e,
                               const char *name);
const Struct *check_struct(Checker *cx, Unit *u, const Decl *d, const int64_t *sizes);

/* ---- expressions --------------------------------------------------------------------------------------- */

const Value *check_expr(Checker *cx, const Expr *e, const Type *want);
/* As a statement: nobody uses the value. */
const Value *check_expr_discarded(Checker *cx, const Expr *e);
/* A compile-time int. what: "the size of a tensor" for E0501. */
bool check_expr_int(Checker *cx, const Expr *e, const char *what, int64_t *out);
bool check_const_int(Checker *cx, const Value *v, const Expr *e, const char *what, int64_t *out);
/* v must be known while compiling and is not: either asks the loop it depends on to unroll, or reports
 * E0501. */
void check_need_const(Checker *cx, const Value *v, const Expr *e, Span at, const char *what);
/* Reading and writing of subscripts; the caller has evaluated the base. */
const Value *check_index(Checker *cx, const Value *base, const Expr *e);
const Value *check_update(Checker *cx, const Value *base, const Expr *e, const Value *item, Span at);
const Value *check_field(Checker *cx, const Value *base, const Expr *e);
/* The outermost loop to unroll so that v becomes known; NULL: none would help. */
Loop *check_loop_behind(Checker *cx, const Value *v);
/* `at`, `protocol`, `share`, `reveal`. want_value: the value of the block is used. */
const Value *check_at(Checker *cx, const Expr *e, const Type *want, bool want_value);
const Value *check_protocol(Checker *cx, const Expr *e, const Type *want, bool want_value);
const Value *check_share(Checker *cx, const Expr *e, const Type *want);
const Value *check_reveal(Checker *cx, const Expr *e, const Type *want);
const Value *check_binary(Checker *cx, Operator op, const Value *a, const Value *b, const Expr *e);
/* A scalar bool for `if`, `while`, `assert`; NULL after an error. */
const Value *check_condition(Checker *cx, const Expr *e, const char *word, DiagCode code);
int64_t check_times(const Checker *cx, int64_t passes);

/* ---- calls and statements ------------------------------------------------------------------------------ */

const Value *check_call(Checker *cx, const Expr *e, const Type *want);
/* E0102. receiver: what the function was written behind, or NULL. */
void check_unknown_function(Checker *cx, const Unit *u, const Value *receiver, const char *name, Span at);
/* Statements of a block in a new scope; value of the last one if it is an expression and wanted. */
const Value *check_block(Checker *cx, const Block *b, bool want_value, const Type *want);
const Value *check_stmts(Checker *cx, Stmt *const *stmts, int count, bool want_value, const Type *want);
/* Stores into a variable or a part of one. */
bool check_store(Checker *cx, const Expr *target, const Value *v, const Expr *value, Span at);
Var *check_target(Checker *cx, const Expr *target);
/* The function body as it stands: frame is set up. */
const Value *check_body(Checker *cx, const Decl *fn);
/* In a test, what assert and assert_near look at is revealed. */
const Value *check_test_reveal(Checker *cx, const Value *v, Span at);
void check_names(Checker *cx); /* of the functions that were not expanded */
bool check_changes_argument(Checker *cx, const char *function);
/* A function of the prelude with one parameter, called for a value. */
const Value *check_call_value(Checker *cx, const char *function, const Value *x, Span at);
/* The rule `grad f.parameter` of the function; NULL: none. */
const Decl *check_rule_of(const Ruled *r, const char *parameter);
/* What the rule gives, in the form of the parameter's value; poison after an error. */
const Value *check_rule(Checker *cx, const Ruled *r, const Decl *rule, const Value *parameter,
                        const Value *result, const Value *dy, Span at);

/* ---- check_stored.c ------------------------------------------------------------------------------------ */

/* `store` of a value, e: its expression; `load` of the expected type. */
const Value *check_stored_store(Checker *cx, const Value *v, const Expr *e, const char *name, Span at);
const Value *check_stored_load(Checker *cx, const Type *want, const char *name, Span at);

/* ---- walking trees ------------------------------------------------------------------------------------- */

typedef struct Walk Walk;
struct Walk {
  void (*expr)(Walk *w, const Expr *e); /* called before the parts; may be NULL */
  void (*stmt)(Walk *w, const Stmt *s);
  void *data;
};
void check_walk_block(Walk *w, const Block *b);
void check_walk_expr(Walk *w, const Expr *e);

/* ---- builtins ------------------------------------------------------------------------------------------ */

/* The arguments of a call; for x.f(y) the receiver is the first, evaluated already. */
typedef struct CallArg {
  const char *name; /* NULL: by position */
  const Expr *expr;
  const Value *value; /* NULL: not evaluated yet */
  Span span;          /* with the name */
} CallArg;

typedef struct Call {
  const Expr *expr;
  const char *name;
  Span name_span;
  int count;
  CallArg *args;
} Call;

/* E0125: no parameter of the function, which has these, is called like the argument. */
void check_unknown_parameter(Checker *cx, const char *function, const CallArg *a, const char *const *names,
                             int count);

/* The builtin functions (builtins.def). */
typedef struct Builtin Builtin;
const Builtin *builtin_find(const char *name); /* NULL: there is none */
const Value *builtin_call(Checker *cx, const Builtin *b, const Call *call, const Type *want);
int builtin_total(void);
const char *builtin_name(int i);

#endif
