/* Products of ring elements that are not made by themselves (plan.h):
 *
 *   sums    x y - u v and x y + u v, of which each server has one for every product of private values: the
 *           second product is added to the first one in its memory, and nothing is left to do for the sum
 *   packed  x y in a loop, with a matrix y from outside it, as the weights of a model that is only used: y is
 *           brought into the order that the kernel reads, once, before the loop
 *
 * Needs fresh notes; sets uses, position, onto, mode, is_sum and pack in them. */
#include "plan.h"

#include "../runtime/include/abi.h"

enum { PACK_ROWS = 8, PACK_WORDS = 1024 }; /* rows of x and elements of y from which packing pays */

static bool is_loop(const Op *op) {
  return op->kind == OP_FOR || op->kind == OP_WHILE;
}

static bool is_product(const Op *op) {
  return op->type.elem == EL_RING && op_info[op->kind].class == OPC_BILINEAR;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void count_uses(IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    plan_of(op)->position = i;
    for (int k = 0; k < op->args.count; k++)
      if (plan_of(op->args.data[k]))
        plan_of(op->args.data[k])->uses++;
    for (int k = 0; k < op->blocks.count; k++)
      count_uses(op->blocks.data[k]);
  }
  for (int i = 0; i < b->yields.count; i++)
    plan_of(b->yields.data[i])->uses++;
}

/* A product that only `sum`, of the same block, reads. */
static bool is_term(const Op *sum, const Op *x) {
  const PlanValue *v = plan_of(x);
  return v && is_product(x) && v->uses == 1 && v->block == plan_of(sum)->block &&
         ir_type_equal(&x->type, &sum->type) && party_equal(x->where, sum->where);
}

static void note_sum(Op *op) {
  if ((op->kind != OP_ADD && op->kind != OP_SUB) || op->type.elem != EL_RING || op->type.shape.rank == 0)
    return;
  Op *first = op->args.data[0], *second = op->args.data[1];
  if (first == second || !is_term(op, first) || !is_term(op, second))
    return;
  bool in_order = plan_of(first)->position < plan_of(second)->position;
  Op *last = in_order ? second : first, *base = in_order ? first : second;
  plan_of(last)->onto = plan_of(op)->onto = base;
  plan_of(op)->is_sum = true;
  plan_of(last)->mode = PRODUCT_ADD;
  if (op->kind == OP_SUB)
    plan_of(second)->mode = in_order ? PRODUCT_SUB : PRODUCT_NEGATIVE;
}

/* ---- packed ---------------------------------------------------------------------------------- */

/* The outermost control operation around op that does not hold the definition of x, if there is a loop on the
 * way; else NULL. */
static Op *outside(const Op *op, const Op *x) {
  Op *control = NULL;
  bool loops = false;
  for (const IrBlock *at = plan_of(op)->block; at != plan_of(x)->block; at = control->parent) {
    control = at->owner;
    if (!control)
      return NULL;
    loops = loops || is_loop(control);
  }
  return loops ? control : NULL;
}

static PlanPack *pack_of(Arena *a, Op *control, Op *x, int bits) {
  PlanValue *v = plan_of(control);
  for (int i = 0; i < v->packs.count; i++)
    if (v->packs.data[i]->of == x && v->packs.data[i]->bits == bits)
      return v->packs.data[i];
  const int64_t *d = x->type.shape.dim;
  PlanPack *pack = ARENA_NEW(a, PlanPack);
  *pack = (PlanPack){.of = x, .bits = bits, .words = tfe_matmul_packed_words(d[0], d[1])};
  VEC_PUSH(a, &v->packs, pack);
  return pack;
}

static void note_packed(Arena *a, Op *op) {
  if (op->kind != OP_MATMUL || !is_product(op))
    return;
  Op *x = op->args.data[1];
  if (op->type.shape.dim[0] < PACK_ROWS || shape_count(&x->type.shape) < PACK_WORDS)
    return;
  Op *control = outside(op, x);
  if (control)
    plan_of(op)->pack = pack_of(a, control, x, op->type.bits);
}

static void note_products(Arena *a, IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    note_sum(op);
    note_packed(a, op);
    for (int k = 0; k < op->blocks.count; k++)
      note_products(a, op->blocks.data[k]);
  }
}

void plan_products(Program *party) {
  count_uses(party->body);
  note_products(party->arena, party->body);
}
