/* Common-subexpression elimination: equal pure operations become one, so that each secret is opened once
 * however often it is used.
 *
 * Needs: a choreography. Keeps: places (the one that stays is computed wherever one of them was) and effects.
 * Breaks: nothing. The scope is dominance: an operation can be replaced by one earlier in its block or in an
 * enclosing block.
 *
 * Randomness: two RANDOM are equal only if both carry the same label, which the expander gives to draws in
 * `pure` functions of a protocol, and the same operands. ENTROPY is equal only at the same place. INPUT and
 * MORE are effects.
 */
#include <assert.h>
#include <stdlib.h>

#include "pass.h"

typedef struct Entry {
  uint64_t hash;
  Op *op;
  struct Entry *next;
} Entry;

typedef struct Table {
  Program *p;
  Entry **bucket;
  int bucket_count; /* power of two */
  VEC(int) undo;    /* buckets in order of insertion */
} Table;

static bool is_commutative(OpKind kind) {
  return kind == OP_ADD || kind == OP_MUL || kind == OP_AND || kind == OP_OR || kind == OP_EQ ||
         kind == OP_NE;
}

static bool is_candidate(const Op *op) {
  switch (op_info[op->kind].class) {
  case OPC_EFFECT:
  case OPC_CONTROL:
  case OPC_FLOW: return false;
  default: return op->kind != OP_RANDOM || op->text != NULL;
  }
}

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ (hash >> 29);
}

static uint64_t hash_op(const Op *op) {
  uint64_t h = mix((uint64_t)op->kind, (uint64_t)op->type.elem), operands = 0;
  h = mix(h, (uint64_t)op->type.bits);
  for (int i = 0; i < op->type.shape.rank; i++)
    h = mix(h, (uint64_t)op->type.shape.dim[i]);
  for (int i = 0; i < op->args.count; i++) {
    uint64_t id = mix(7, (uint64_t)op->args.data[i]->id);
    operands = is_commutative(op->kind) ? operands + id : mix(operands, id);
  }
  for (int i = 0; i < op->ints.count; i++)
    h = mix(h, (uint64_t)op->ints.data[i]);
  for (int64_t i = 0; i < op->data_count; i++)
    h = mix(h, op->data[i]);
  return mix(h, operands);
}

static bool text_equal(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

static bool args_equal(const Op *a, const Op *b) {
  if (a->args.count != b->args.count)
    return false;
  if (is_commutative(a->kind) && a->args.data[0] == b->args.data[1] && a->args.data[1] == b->args.data[0])
    return true;
  for (int i = 0; i < a->args.count; i++)
    if (a->args.data[i] != b->args.data[i])
      return false;
  return true;
}

static bool op_equal(const Op *a, const Op *b) {
  if (a->kind != b->kind || !ir_type_equal(&a->type, &b->type) || !args_equal(a, b))
    return false;
  if (a->kind != OP_SEND && !text_equal(a->text, b->text))
    return false;
  if (a->ints.count != b->ints.count || a->data_count != b->data_count)
    return false;
  for (int i = 0; i < a->ints.count; i++)
    if (a->ints.data[i] != b->ints.data[i])
      return false;
  for (int64_t i = 0; i < a->data_count; i++)
    if (a->data[i] != b->data[i])
      return false;
  return a->kind != OP_ENTROPY || party_equal(a->where, b->where);
}

static Op *find_or_add(Table *t, Op *op) {
  uint64_t hash = hash_op(op);
  int k = (int)(hash & (uint64_t)(t->bucket_count - 1));
  for (Entry *e = t->bucket[k]; e; e = e->next)
    if (e->hash == hash && op_equal(e->op, op))
      return e->op;
  Entry *e = ARENA_NEW(t->p->arena, Entry);
  *e = (Entry){hash, op, t->bucket[k]};
  t->bucket[k] = e;
  VEC_PUSH(t->p->arena, &t->undo, k);
  return op;
}

static Op *resolve(Op *op) {
  return op->forward ? op->forward : op; /* what stays is never forwarded itself */
}

static void cse_block(Table *t, IrBlock *b) {
  int mark = t->undo.count;
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    for (int k = 0; k < op->args.count; k++)
      op->args.data[k] = resolve(op->args.data[k]);
    for (int k = 0; k < op->blocks.count; k++)
      cse_block(t, op->blocks.data[k]);
    Op *same = is_candidate(op) ? find_or_add(t, op) : op;
    if (same == op)
      continue;
    same->where = party_or(same->where, op->where);
    if (!same->text) /* a SEND keeps the label of either: see pass_licm.c */
      same->text = op->text;
    op->forward = same;
  }
  while (t->undo.count > mark) {
    int k = t->undo.data[--t->undo.count];
    t->bucket[k] = t->bucket[k]->next;
  }
}

void pass_cse(Program *p) {
  Table t = {.p = p, .bucket_count = 64};
  while (t.bucket_count < p->next_id && t.bucket_count < 1 << 20)
    t.bucket_count *= 2;
  t.bucket = calloc((size_t)t.bucket_count, sizeof *t.bucket);
  assert(t.bucket);
  cse_block(&t, p->body);
  free(t.bucket);
  ir_forward(p);
}
