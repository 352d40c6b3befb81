/* Frames and variables. A frame is one expanded function (or the root statements, or a test); its variables
 * are a stack, a block's are those above the height at which it began. */
#ifndef TFEC_SCOPE_H
#define TFEC_SCOPE_H

#include "module.h"
#include "value.h"

typedef struct Var {
  const char *name;   /* NULL: hidden (flags, results, generator states) */
  Span span;          /* of the name */
  Span decl_span;     /* `var best: public fixed`; empty for loop indices and parameters */
  const Value *value; /* NULL: a hidden result that is not set yet */
  bool is_var;
  const char *fixed_how; /* why it cannot change: "was defined with `let`", "is a parameter", ... */
  Place place;           /* never changes */
  bool carry;            /* in the loop at hand: carried from pass to pass */
  bool read;
  bool is_size; /* a size variable */
  const Expr *init;
  const Value *init_value; /* generator states: the first one */
  const Value *hint;       /* hidden result: something of its type, for loops that set it */
} Var;

typedef struct Frame Frame;
struct Frame {
  Frame *caller;
  Unit *unit;            /* where names are looked up */
  const Decl *fn;        /* NULL: root statements or a test */
  const Decl *structure; /* being made: its sizes hide the module's constants */
  const Site *call;      /* where it was called */
  VEC(Var *) vars;
  int block; /* height at which the innermost block began */
  bool may_reveal, reveals;
  Var *result, *returned; /* hidden: value of `return`, and whether it ran */
  Var *broke, *continued; /* hidden, of the innermost source loop; NULL outside loops */
  int flow_floor;         /* number of at and protocol blocks that `return` would leave */
  int loop_floor;         /* the same for `break` */
  const TypeExpr *result_type;
};

Frame *scope_frame(Arena *a, Frame *caller, Unit *unit, const Decl *fn, const Site *call);
Var *scope_find(const Frame *f, const char *name);
Var *scope_find_in_block(const Frame *f, const char *name);
Var *scope_add(Arena *a, Frame *f, const char *name, const Value *v, bool is_var);
int scope_enter(Frame *f); /* returns what scope_leave takes */
void scope_leave(Frame *f, int mark);

/* All variables that can change: `var`s and hidden ones of the frame. */
typedef VEC(Var *) VarList;
VarList scope_changeable(Arena *a, const Frame *f);

#endif
