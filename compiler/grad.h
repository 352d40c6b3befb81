/* What the files of reverse-mode differentiation share.
 *
 *   grad.c        the expression `grad(e, v)`: targets, what depends on them, the walk backwards
 *   grad_rules.c  the derivative of each operation
 *   grad_flow.c   loops and branches: what runs backwards, and how it reads values of the way forwards
 *
 * It works on the joint operations that have been made so far, and makes joint operations where `grad` stands, so
 * that nothing after it knows of gradients. It runs within the checker, because a function's own rule is text that
 * has to be expanded, and because the type of `grad(e, v)` is needed by what follows. Adjoint of a value x: the
 * derivative of e by x, in the shape of x. */
#ifndef TFEC_GRAD_H
#define TFEC_GRAD_H

#include "checker.h"

/* The loops that are being run backwards, innermost first. */
typedef struct GradLevel GradLevel;
struct GradLevel {
  GradLevel *outer;
  const Op *loop;    /* as it was run forwards */
  const Value *pass; /* the pass of it that is differentiated now, from 0 */
};

/* A value of the inside of a loop or branch, and where it can be read behind it. */
typedef struct GradKept {
  const Op *value;
  Op *kept;
} GradKept;

typedef struct Grad {
  Checker *cx;
  Span at;               /* of the `grad` expression */
  bool secret;           /* e is private */
  int base, limit;       /* ids of the operations that are looked at: base <= id < limit */
  bool *active;          /* by id - base: depends on a target */
  bool *target;          /* by id - base */
  const Value **adjoint; /* by id - base; NULL: nothing has come yet */
  const Op **user;       /* by id - base: through which operation the adjoint came first */
  GradLevel *level;
  VEC(GradKept) kept;
  bool failed;
} Grad;

/* grad.c */
const Value *grad_check(Checker *cx, const Expr *e);
/* At the end, when all loops are finished: gradients that a carried value would have had to pass. */
void grad_check_carried(Checker *cx);
bool grad_is_active(const Grad *g, const Op *op);
bool grad_is_target(const Grad *g, const Op *op);
/* Adds v to the adjoint of op, through `user`. */
void grad_add(Grad *g, const Op *op, const Value *v, const Op *user);
void grad_pass_on(Grad *g, const Op *result, const Op *control);
const Value *grad_take(Grad *g, const Op *op); /* the adjoint, which is forgotten; NULL: none */
void grad_reverse_block(Grad *g, const IrBlock *b);
/* E0503 for an operation that the gradient would have to pass. */
void grad_blocked(Grad *g, const Op *op, const char *what);

/* grad_rules.c: passes the adjoint dy of op on to its operands. False: it has no derivative. */
bool grad_rule(Grad *g, const Op *op, const Value *dy);
/* The value of an operation of the way forwards, as it can be read here. */
const Value *grad_value(Grad *g, Op *op);

/* grad_flow.c */
Op *grad_reach(Grad *g, Op *op);
void grad_reverse_control(Grad *g, Op *control, const IrBlock *b, int at);

#endif
