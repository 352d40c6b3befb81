/* Ring widths, by demands that flow backwards: a reveal or a comparison needs as many bits as the value can
 * have, a product that will be truncated the bits that are dropped as well, a sum what its result needs. What
 * each operation needs of its operands is for the protocol kind to say (kind_width); what several users need
 * of one value is the largest of it. One sweep, last operation first, tells it for everything but the values
 * that loops carry: what a pass needs of one is what the pass before must yield. So sweeps are repeated, each
 * anew but for the widths of carried values, until these no longer grow; beyond the ring they cannot.
 *
 * Model: demanded bits of integer arithmetic modulo 2^n: low bits of sums and products depend on low bits of
 * the operands only. */
#include "rings.h"

#include "kind.h"

typedef struct Rings {
  Kind kind;
  bool changed; /* the width of a carried value */
} Rings;

static bool is_number(const Op *op) {
  return op->at.kind == PLACE_PRIVATE && (op->type.elem == EL_FIXED || op->type.elem == EL_INT);
}

static const ProtocolInstance *instance_of(const Rings *r, const Op *op) {
  return &r->kind.joint->protocols.data[op->at.index];
}

static void want(Rings *r, Op *op, int bits) {
  if (!is_number(op))
    return;
  int ring = instance_of(r, op)->ring;
  bits = bits < ring ? bits : ring;
  if (bits <= op->width)
    return;
  op->width = bits;
  r->changed |= op->kind == OP_ARG;
}

/* Bits in which a value fits that keeps its promise. */
static int promised_bits(const Rings *r, const Op *op) {
  const ProtocolInstance *p = instance_of(r, op);
  return op->type.elem == EL_FIXED ? p->whole + p->frac + 1 : p->ring;
}

/* The values that a control operation carries: initial value, parameters and yields want the same. */
static void sweep_carried(Rings *r, Op *control, int k) {
  int param = control->kind == OP_FOR ? k + 1 : k, init = control->kind == OP_FOR ? k + 2 : k;
  int bits = 0;
  for (int i = 0; i < control->blocks.count; i++) {
    const Op *p = control->blocks.data[i]->params.data[param];
    bits = p->width > bits ? p->width : bits;
  }
  for (int i = 0; i < control->blocks.count; i++)
    want(r, control->blocks.data[i]->params.data[param], bits);
  want(r, control->args.data[init], bits);
  want(r, control->blocks.data[control->blocks.count - 1]->yields.data[k], bits);
}

static void sweep_result(Rings *r, Op *result) {
  Op *control = result->args.data[0];
  int k = (int)result->ints.data[0];
  if (control->kind == OP_IF) {
    for (int i = 0; i < 2; i++)
      want(r, control->blocks.data[i]->yields.data[k], result->width);
    return;
  }
  Op *param = control->blocks.data[0]->params.data[control->kind == OP_FOR ? k + 1 : k];
  want(r, param, result->width);
  want(r, result, param->width);
}

static void sweep_block(Rings *r, IrBlock *b);

static void sweep_control(Rings *r, Op *op) {
  const IrBlock *last = op->blocks.data[op->blocks.count - 1];
  for (int k = 0; op->kind != OP_IF && k < last->yields.count; k++)
    sweep_carried(r, op, k);
  for (int i = op->blocks.count - 1; i >= 0; i--)
    sweep_block(r, op->blocks.data[i]);
}

static bool touches_numbers(const Op *op) {
  for (int i = 0; i < op->args.count; i++)
    if (is_number(op->args.data[i]))
      return true;
  return is_number(op);
}

static void sweep_op(Rings *r, Op *op) {
  if (op_info[op->kind].class == OPC_CONTROL) {
    sweep_control(r, op);
    return;
  }
  if (!touches_numbers(op))
    return;
  if (op->kind == OP_RESULT) {
    sweep_result(r, op);
    return;
  }
  if (is_number(op) && op->width == 0) /* nobody uses it, or not yet */
    want(r, op, promised_bits(r, op));
  KindWidths w = kind_width(&r->kind, op);
  op->need = w.of[0];
  for (int i = 0; i < op->args.count; i++)
    want(r, op->args.data[i], w.of[i > 0]);
}

static void sweep_block(Rings *r, IrBlock *b) {
  for (int i = b->ops.count - 1; i >= 0 && !r->kind.failed; i--)
    sweep_op(r, b->ops.data[i]);
}

static void forget(Op *op, void *data) {
  (void)data;
  op->width = 0;
}

bool rings_choose(Arena *arena, Diags *diags, const Program *joint) {
  Rings r = {.changed = true};
  r.kind =
      (Kind){.arena = arena, .diags = diags, .joint = joint, .everybody = party_range(0, joint->party_count)};
  while (r.changed && !r.kind.failed) {
    r.changed = false;
    ir_walk(joint->body, forget, NULL); /* not the parameters of blocks */
    sweep_block(&r, joint->body);
  }
  return !r.kind.failed;
}
