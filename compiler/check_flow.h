/* Structured control flow: snapshots of variables, trial runs that can be rolled back, hidden flags for
 * `break`, `continue` and `return`, and OP_IF with the variables that its blocks change. */
#ifndef TFEC_CHECK_FLOW_H
#define TFEC_CHECK_FLOW_H

#include "checker.h"

/* The values of all variables that can change. */
typedef struct Snapshot {
  VarList vars;
  VEC(const Value *) values;
} Snapshot;

/* Where a trial began. */
typedef struct Mark {
  Snapshot vars;
  IrBlock *block;
  const Op *last; /* operation of the block; NULL: it was empty */
  int diags, reveals, slots, frame_vars, frame_block, states, carried;
  int64_t times;
} Mark;

/* Do the hidden flags let the next statement run: yes, no, known at run time. */
typedef enum Flow { FLOW_ON, FLOW_STOP, FLOW_MAYBE } Flow;

typedef void Body(Checker *cx, const void *data);

/* The `var`s and hidden variables of the frame, and the generator states. */
VarList check_flow_changeable(Checker *cx);
Snapshot check_flow_snapshot(Checker *cx);
void check_flow_restore(const Snapshot *s);
Mark check_flow_mark(Checker *cx);
/* Takes back the operations made since the mark. */
void check_flow_drop(Checker *cx, const Mark *m);
/* Takes back operations, messages, reveals, slots and variables made since the mark. */
void check_flow_rollback(Checker *cx, const Mark *m);
/* A leaf as an operation in the present block, at its own place. */
Op *check_flow_leaf(Checker *cx, const Value *leaf);
Var *check_flow_hidden(Checker *cx, const Value *v);
Flow check_flow_now(const Checker *cx);
/* True while no flag is set; and: behind that condition the flags are known to be false. */
const Value *check_flow_going_on(Checker *cx, Span at);
void check_flow_clear(Checker *cx);
const Value *check_flow_zeros(Checker *cx, const Value *v);
/* Equal kinds and shapes, leaf by leaf. */
bool check_flow_same_form(const Value *a, const Value *b);
/* OP_IF on a run-time condition; `then` and `other` (or NULL) run with cx->block set to their block. */
void check_flow_branch(Checker *cx, const Value *condition, Body *then, const void *then_data, Body *other,
                       const void *other_data, Span at);

/* The variable that a target or argument is a part of. */
const Expr *check_root_name(const Expr *e);
void check_for(Checker *cx, const Stmt *s);
void check_while(Checker *cx, const Stmt *s);

#endif
