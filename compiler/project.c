/* Projection: the choreography with everything struck out that one party declaration does not do. The only
 * stage that knows what "a party's program" is (see project.h for its form).
 */
#include "project.h"

#include <assert.h>
#include <stdlib.h>

#include "verify.h"

typedef struct Projection {
  const Program *from;
  Program *to;
  PartySet members;
  Op **copy; /* by id of the original; NULL: not in this program */
} Projection;

static bool takes_part(const Projection *pr, const Op *op) {
  if (op->kind == OP_SEND && party_has(pr->members, (int)op->ints.data[0]))
    return true;
  return !party_empty(party_and(op->where, pr->members));
}

static Op *copy_op(Projection *pr, const Op *op, IrBlock *b) {
  Op *c = ARENA_NEW(pr->to->arena, Op);
  *c = *op;
  c->where = party_and(op->where, pr->members);
  c->parent = b;
  memset(&c->args, 0, sizeof c->args);
  memset(&c->ints, 0, sizeof c->ints);
  memset(&c->blocks, 0, sizeof c->blocks);
  for (int i = 0; i < op->ints.count; i++)
    ir_int(pr->to, c, op->ints.data[i]);
  pr->copy[op->id] = c;
  return c;
}

static void copy_operand(Projection *pr, Op *c, const Op *operand) {
  assert(pr->copy[operand->id] && "operand is not at this party");
  ir_operand(pr->to, c, pr->copy[operand->id]);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

static void project_send(Projection *pr, const Op *op, IrBlock *b, int role) {
  Op *operand = pr->copy[op->args.data[0]->id];
  Op *c = copy_op(pr, op, b);
  ir_int(pr->to, c, role);
  if (operand)
    ir_operand(pr->to, c, operand);
  if (role == PROJECT_SENDS) {
    c->type = (IrType){0};
    c->where = party_none();
    pr->copy[op->id] = operand;
    if (party_has(pr->members, (int)op->ints.data[1]))
      c->id = pr->to->next_id++;
  }
  VEC_PUSH(pr->to->arena, &b->ops, c);
}

/* The SENDs of one level from ops[at] on: first what members send, then what they receive. Returns the next
 * position. */
static int project_level(Projection *pr, const IrBlock *old, int at, IrBlock *b) {
  int end = at;
  while (end < old->ops.count && old->ops.data[end]->kind == OP_SEND &&
         old->ops.data[end]->level == old->ops.data[at]->level)
    end++;
  for (int i = at; i < end; i++)
    if (party_has(pr->members, (int)old->ops.data[i]->ints.data[0]))
      project_send(pr, old->ops.data[i], b, PROJECT_SENDS);
  for (int i = at; i < end; i++) {
    const Op *op = old->ops.data[i];
    if (party_has(pr->members, (int)op->ints.data[1]))
      project_send(pr, op, b, PROJECT_RECEIVES);
    else
      pr->copy[op->id] = pr->copy[op->args.data[0]->id];
  }
  return end;
}

/* ---- blocks -------------------------------------------------------------------------------------------- */

static void project_block(Projection *pr, const IrBlock *old, IrBlock *b);

/* The carried values of a loop that some member has; map[k] is the new number of value k, or -1. */
static void project_loop(Projection *pr, const Op *op, Op *c, int *map) {
  int first_param = op->kind == OP_FOR ? 1 : 0, first_init = op->kind == OP_FOR ? 2 : 0, kept = 0;
  int last = op->blocks.count - 1;
  for (int i = 0; i < first_init; i++)
    copy_operand(pr, c, op->args.data[i]);
  for (int i = 0; i <= last; i++)
    ir_block(pr->to, c);
  for (int i = 0; i <= last && first_param; i++)
    VEC_PUSH(pr->to->arena, &c->blocks.data[i]->params,
             copy_op(pr, op->blocks.data[i]->params.data[0], c->blocks.data[i]));
  for (int k = 0; k < op->blocks.data[last]->yields.count; k++) {
    const Op *param = op->blocks.data[last]->params.data[first_param + k];
    map[k] = takes_part(pr, param) ? kept++ : -1;
    if (map[k] < 0)
      continue;
    copy_operand(pr, c, op->args.data[first_init + k]);
    for (int i = 0; i <= last; i++)
      VEC_PUSH(pr->to->arena, &c->blocks.data[i]->params,
               copy_op(pr, op->blocks.data[i]->params.data[first_param + k], c->blocks.data[i]));
  }
}

/* Likewise the values of a branch, whose RESULTs stand from ops[at] on. */
static void project_branch(Projection *pr, const Op *op, Op *c, const IrBlock *old, int at, int *map) {
  int kept = 0, n = op->blocks.data[0]->yields.count;
  copy_operand(pr, c, op->args.data[0]);
  for (int i = 0; i < 2; i++)
    ir_block(pr->to, c);
  for (int k = 0; k < n; k++) {
    map[k] = -1;
    for (int i = at; i < old->ops.count && old->ops.data[i]->kind == OP_RESULT; i++)
      if (old->ops.data[i]->ints.data[0] == k && takes_part(pr, old->ops.data[i]))
        map[k] = kept;
    kept += map[k] >= 0;
  }
}

static void project_control(Projection *pr, const IrBlock *old, int at, IrBlock *b, int **map) {
  const Op *op = old->ops.data[at];
  Op *c = copy_op(pr, op, b);
  *map = ARENA_ARRAY(pr->to->arena, int, op->blocks.data[op->blocks.count - 1]->yields.count + 1);
  if (op->kind == OP_IF)
    project_branch(pr, op, c, old, at + 1, *map);
  else
    project_loop(pr, op, c, *map);
  for (int i = 0; i < op->blocks.count; i++) {
    const IrBlock *inner = op->blocks.data[i];
    project_block(pr, inner, c->blocks.data[i]);
    bool condition = op->kind == OP_WHILE && i == 0;
    for (int k = 0; k < inner->yields.count; k++) {
      if (!condition && (*map)[k] < 0)
        continue;
      assert(pr->copy[inner->yields.data[k]->id]);
      VEC_PUSH(pr->to->arena, &c->blocks.data[i]->yields, pr->copy[inner->yields.data[k]->id]);
    }
  }
  VEC_PUSH(pr->to->arena, &b->ops, c);
}

static void project_block(Projection *pr, const IrBlock *old, IrBlock *b) {
  int *map = NULL;
  for (int i = 0; i < old->ops.count; i++) {
    const Op *op = old->ops.data[i];
    if (op->kind == OP_SEND) {
      i = project_level(pr, old, i, b) - 1;
      continue;
    }
    if (!takes_part(pr, op))
      continue;
    if (op_info[op->kind].class == OPC_CONTROL) {
      project_control(pr, old, i, b, &map);
      continue;
    }
    Op *c = copy_op(pr, op, b);
    for (int k = 0; k < op->args.count; k++)
      copy_operand(pr, c, op->args.data[k]);
    if (op->kind == OP_RESULT)
      c->ints.data[0] = map[op->ints.data[0]];
    VEC_PUSH(pr->to->arena, &b->ops, c);
  }
}

Program *project(const Program *p, int decl) {
  const PartyDecl *d = &p->parties.data[decl];
  Program *to = ARENA_NEW(p->arena, Program);
  *to = *p;
  to->self = decl;
  to->body = ARENA_NEW(p->arena, IrBlock);
  memset(&to->slots, 0, sizeof to->slots);
  Projection pr = {.from = p, .to = to, .members = party_range(d->first, d->count)};
  pr.copy = calloc((size_t)p->next_id, sizeof *pr.copy);
  assert(pr.copy);
  for (int i = 0; i < p->slots.count; i++)
    if (!party_empty(party_and(p->slots.data[i].owner, pr.members)))
      VEC_PUSH(p->arena, &to->slots, p->slots.data[i]);
  project_block(&pr, p->body, to->body);
  free(pr.copy);
  verify(to, VERIFY_PARTY);
  return to;
}
