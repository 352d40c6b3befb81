/* Loop-invariant code motion: what does not change in a loop is computed before it. This is how a model's
 * weights are opened once, and not in every pass.
 *
 * Needs: a choreography; best after pass_fold (which removes loops of no passes) and pass_cse. Keeps: ids (a
 * hoisted RANDOM draws at another instance of the same address: its pass number is that of the outer loop),
 * places. Breaks: nothing.
 *
 * Not hoisted: effects, control, anything out of a branch; RANDOM without a label (fresh in every pass by
 * meaning). What can stop the run, and messages, leave only a loop that certainly makes a pass: a reveal must
 * not happen for a loop that is never entered, nor before an assertion in the loop that stands in front of
 * it. A SEND with the label "pure" stands in a `pure` protocol function (it carries a masked value) and may
 * leave any loop. Constants and other cheap sources move only along with what uses them.
 */
#include <assert.h>

#include "pass.h"

static bool is_cheap(OpKind kind) {
  return kind == OP_CONST || kind == OP_BROADCAST || kind == OP_IOTA;
}

/* May end the run, or tell somebody something. */
static bool needs_a_pass(const Op *op) {
  switch (op->kind) {
  case OP_SEND: return pass_is_disclosure(op);
  case OP_ENCODE:
  case OP_BOUNDED:
  case OP_GATHER:
  case OP_FLOORDIV:
  case OP_MOD: return true;
  case OP_SLICE:
  case OP_UPDATE:
    for (int i = 0; i < op->ints.count; i++)
      if (op->ints.data[i] == INT64_MIN)
        return true;
    return false;
  default: return false;
  }
}

static bool is_pure(const Op *op) {
  switch (op_info[op->kind].class) {
  case OPC_EFFECT:
  case OPC_CONTROL:
  case OPC_FLOW: return false;
  default: return op->kind != OP_RANDOM || op->text != NULL;
  }
}

static char hoisted_mark; /* Op.note points here: leaves the loop */

static bool is_outside(const Op *operand, const IrBlock *body) {
  return operand->note == &hoisted_mark || !ir_block_encloses(body, operand->parent);
}

static bool is_invariant(const Op *op, const IrBlock *body, bool certain) {
  if (!is_pure(op) || (!certain && needs_a_pass(op)))
    return false;
  for (int i = 0; i < op->args.count; i++)
    if (!is_outside(op->args.data[i], body))
      return false;
  return true;
}

static void find_guard(Op *op, void *data) {
  bool *found = data;
  *found |= pass_is_guard(op);
}

static bool has_guard(Op *op) {
  bool found = false;
  find_guard(op, &found);
  for (int i = 0; i < op->blocks.count; i++)
    ir_walk(op->blocks.data[i], find_guard, &found);
  return found;
}

/* Marks what leaves the body; cheap operations are unmarked again unless something that leaves uses them. */
static int mark_body(IrBlock *body, bool certain) {
  int marked = 0;
  bool guarded = false;
  for (int i = 0; i < body->ops.count; i++) {
    Op *op = body->ops.data[i];
    guarded = guarded || has_guard(op);
    bool leaves = is_invariant(op, body, certain) && !(guarded && pass_is_disclosure(op));
    op->note = leaves ? &hoisted_mark : NULL;
  }
  for (int i = body->ops.count - 1; i >= 0; i--) {
    Op *op = body->ops.data[i];
    bool used = false;
    for (int k = i + 1; k < body->ops.count && is_cheap(op->kind) && !used; k++) {
      const Op *user = body->ops.data[k];
      for (int j = 0; j < user->args.count && user->note && !used; j++)
        used = user->args.data[j] == op;
    }
    if (op->note && is_cheap(op->kind) && !used)
      op->note = NULL;
    marked += op->note != NULL;
  }
  return marked;
}

static int position(const IrBlock *b, const Op *op) {
  int i = 0;
  while (b->ops.data[i] != op)
    i++;
  return i;
}

/* Moves the marked operations of body to before its loop. */
static void hoist(Program *p, IrBlock *body, Op *loop, int marked) {
  IrBlock *outer = loop->parent;
  int at = position(outer, loop), kept = 0;
  for (int i = 0; i < marked; i++)
    VEC_PUSH(p->arena, &outer->ops, NULL);
  for (int i = outer->ops.count - 1; i >= at + marked; i--)
    outer->ops.data[i] = outer->ops.data[i - marked];
  for (int i = 0; i < body->ops.count; i++) {
    Op *op = body->ops.data[i];
    if (!op->note) {
      body->ops.data[kept++] = op;
      continue;
    }
    op->note = NULL;
    op->parent = outer;
    outer->ops.data[at++] = op;
  }
  body->ops.count = kept;
}

static void licm_block(Program *p, IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    for (int k = 0; k < op->blocks.count; k++) {
      licm_block(p, op->blocks.data[k]);
      if (op->kind == OP_IF)
        continue;
      bool certain = op->kind == OP_FOR ? pass_trips(op) > 0 : k == 0;
      int marked = mark_body(op->blocks.data[k], certain);
      if (!marked)
        continue;
      hoist(p, op->blocks.data[k], op, marked);
      i += marked;
    }
  }
}

static void clear_note(Op *op, void *data) {
  (void)data;
  op->note = NULL;
  for (int i = 0; i < op->blocks.count; i++)
    for (int k = 0; k < op->blocks.data[i]->params.count; k++)
      op->blocks.data[i]->params.data[k]->note = NULL;
}

void pass_licm(Program *p) {
  ir_walk(p->body, clear_note, NULL);
  licm_block(p, p->body);
}
