/* Dead code, and slicing by party, in one: each operation is computed only by the parties that need its
 * result.
 *
 * Needs: a choreography with its places as wide as they can be (a public value at all parties). Keeps: what
 * every party observes, and the order. Breaks: RANDOM loses its operands, which only name the draw, so no
 * pass may merge RANDOM afterwards. Afterwards `where` of an operation is the set of parties that use its
 * result (of an effect: that perform it; of control: that take part), and operands are never taken through a
 * SEND that does not concern the user.
 *
 * Model: need(op) is the least set of parties such that
 *   - an effect is needed by those who perform it;
 *   - who needs a result needs the operands, at itself; the receiver of a SEND needs the operand at the
 *     sender instead;
 *   - who does anything in a block takes part in its control operation and needs the bounds or the condition;
 *   - carried values are needed before, inside and after a loop by the same parties.
 * It is found with a worklist, and every step is recorded, so that a demand can be tried and taken back.
 *
 * Joint effects (print, progress, assert of public values) are at all parties at first. They never cause a
 * message to a party that would otherwise not get it: a party performs one if the operands cost it no message
 * beyond those that the other effects demand, and, inside a loop, if it takes part in that loop anyway. If
 * nobody has the operands without further messages, the parties that get them with the fewest perform it: the
 * servers that open the value. An assertion is made by everybody who reveals something later, too, whatever
 * that costs: nobody reveals what the program no longer comes to. One party, the speaker, prints every joint
 * line: on it `tfec run` relies for their order.
 */
#include <assert.h>
#include <stdlib.h>

#include "pass.h"

typedef struct Step {
  Op *op;
  PartySet added;
} Step;

typedef struct Demand {
  Program *p;
  PartySet *need;  /* by id */
  int *slot;       /* by id of an ARG: its position among the parameters */
  VEC(Step) steps; /* all of them, in order; from `done` on not yet followed up */
  int done;
  int messages;    /* SENDs that were demanded at their receiver */
  VEC(Op *) joint; /* joint effects */
} Demand;

/* ---- the worklist -------------------------------------------------------------------------------------- */

static void want(Demand *d, Op *op, PartySet who) {
  PartySet added = party_minus(who, d->need[op->id]);
  if (party_empty(added))
    return;
  assert(party_subset(added, op->where) && "needed where it is not");
  d->need[op->id] = party_or(d->need[op->id], added);
  VEC_PUSH(d->p->arena, &d->steps, ((Step){op, added}));
}

static void take_part(Demand *d, const IrBlock *b, PartySet who) {
  if (b->owner)
    want(d, b->owner, who);
}

/* The receiver holds the operand anyway. */
static bool is_alias(const Op *send) {
  return party_has(send->args.data[0]->where, (int)send->ints.data[1]);
}

static void follow_send(Demand *d, Op *op, PartySet added) {
  int from = (int)op->ints.data[0], to = (int)op->ints.data[1];
  if (!is_alias(op) && party_has(added, to)) {
    d->messages++;
    want(d, op->args.data[0], party_one(from));
    take_part(d, op->parent, party_one(from));
    added = party_minus(added, party_one(to));
  }
  want(d, op->args.data[0], added);
}

static void follow_arg(Demand *d, Op *op, PartySet added) {
  Op *control = op->parent->owner;
  int first_param = control->kind == OP_FOR ? 1 : 0, first_init = control->kind == OP_FOR ? 2 : 0;
  int k = d->slot[op->id] - first_param;
  want(d, control, added);
  if (k < 0)
    return;
  want(d, control->args.data[first_init + k], added);
  for (int i = 0; i < control->blocks.count; i++)
    want(d, control->blocks.data[i]->params.data[first_param + k], added);
  want(d, control->blocks.data[control->blocks.count - 1]->yields.data[k], added);
}

static void follow_result(Demand *d, Op *op, PartySet added) {
  Op *control = op->args.data[0];
  int k = (int)op->ints.data[0];
  want(d, control, added);
  if (control->kind != OP_IF) {
    want(d, control->blocks.data[0]->params.data[control->kind == OP_FOR ? k + 1 : k], added);
    return;
  }
  for (int i = 0; i < 2; i++)
    want(d, control->blocks.data[i]->yields.data[k], added);
}

static void follow_control(Demand *d, Op *op, PartySet added) {
  int bounds = op->kind == OP_FOR ? 2 : op->kind == OP_IF ? 1 : 0;
  for (int i = 0; i < bounds; i++)
    want(d, op->args.data[i], added);
  if (op->kind == OP_WHILE)
    want(d, op->blocks.data[0]->yields.data[0], added);
}

static void follow(Demand *d, Op *op, PartySet added) {
  take_part(d, op->parent, added);
  if (op->kind == OP_SEND)
    follow_send(d, op, added);
  else if (op->kind == OP_ARG)
    follow_arg(d, op, added);
  else if (op->kind == OP_RESULT)
    follow_result(d, op, added);
  else if (op_info[op->kind].class == OPC_CONTROL)
    follow_control(d, op, added);
  else if (op->kind != OP_RANDOM)
    for (int i = 0; i < op->args.count; i++)
      want(d, op->args.data[i], added);
}

static void settle(Demand *d) {
  while (d->done < d->steps.count) {
    Step s = d->steps.data[d->done++];
    follow(d, s.op, s.added);
  }
}

/* ---- effects ------------------------------------------------------------------------------------------- */

static bool is_joint(const Demand *d, const Op *op) {
  bool kind =
      op->kind == OP_PRINT || op->kind == OP_PROGRESS || op->kind == OP_ASSERT || op->kind == OP_ASSERT_NEAR;
  return kind && party_equal(op->where, party_range(0, d->p->party_count));
}

static void prepare(Op *op, void *data) {
  Demand *d = data;
  for (int i = 0; i < op->blocks.count; i++)
    for (int k = 0; k < op->blocks.data[i]->params.count; k++)
      d->slot[op->blocks.data[i]->params.data[k]->id] = k;
  if (op_info[op->kind].class != OPC_EFFECT)
    return;
  if (is_joint(d, op))
    VEC_PUSH(d->p->arena, &d->joint, op);
  else
    want(d, op, op->where);
}

/* How many further messages it takes for `party` to perform the effect. */
static int messages_for(Demand *d, Op *effect, int party) {
  int mark = d->steps.count, before = d->messages;
  want(d, effect, party_one(party));
  settle(d);
  int cost = d->messages - before;
  while (d->steps.count > mark) {
    Step s = d->steps.data[--d->steps.count];
    d->need[s.op->id] = party_minus(d->need[s.op->id], s.added);
  }
  d->done = mark;
  d->messages = before;
  return cost;
}

/* The parties that can perform a joint effect with the fewest messages. */
static PartySet cheapest(Demand *d, Op *effect, int *messages) {
  PartySet best = party_none();
  *messages = -1;
  for (int i = party_first(effect->where); i >= 0; i = party_next(effect->where, i)) {
    int cost = messages_for(d, effect, i);
    if (*messages < 0 || cost < *messages) {
      *messages = cost;
      best = party_none();
    }
    if (cost == *messages)
      best = party_or(best, party_one(i));
  }
  return best;
}

static PartySet loop_participants(const Demand *d, const Op *op) {
  for (const Op *control = op->parent->owner; control; control = control->parent->owner)
    if (control->kind != OP_IF)
      return d->need[control->id];
  return op->where;
}

static void add_revealer(Op *op, void *data) {
  Demand *d = ((void **)data)[0];
  PartySet *who = ((void **)data)[1];
  bool reveals = op->kind == OP_SEND && op->text && strcmp(op->text, "reveal") == 0;
  if (reveals && party_has(d->need[op->id], (int)op->ints.data[1]))
    *who = party_or(*who, party_one((int)op->ints.data[0]));
}

/* Who reveals something after `op`, or in another pass of a loop around it. */
static PartySet later_revealers(Demand *d, Op *op) {
  PartySet who = party_none();
  void *data[] = {d, &who};
  while (op) {
    const IrBlock *b = op->parent;
    bool behind = false;
    for (int i = 0; i < b->ops.count; i++) {
      Op *other = b->ops.data[i];
      bool loop = behind || (other == op && op->kind != OP_IF);
      behind = behind || other == op;
      if (!loop)
        continue;
      add_revealer(other, data);
      for (int k = 0; k < other->blocks.count; k++)
        ir_walk(other->blocks.data[k], add_revealer, data);
    }
    op = b->owner;
  }
  return who;
}

/* The party that prints most of the joint lines prints the others too, whatever they cost it. */
static void choose_speaker(Demand *d, PartySet *who) {
  int lines[MAX_PARTIES] = {0};
  d->p->speaker = 0;
  for (int i = 0; i < d->joint.count; i++)
    for (int p = 0; d->joint.data[i]->kind == OP_PRINT && p < d->p->party_count; p++)
      lines[p] += party_has(who[i], p);
  for (int p = 1; p < d->p->party_count; p++)
    if (lines[p] > lines[d->p->speaker])
      d->p->speaker = p;
  for (int i = 0; i < d->joint.count; i++)
    if (d->joint.data[i]->kind == OP_PRINT)
      who[i] = party_or(who[i], party_one(d->p->speaker));
}

static void place_joint_effects(Demand *d) {
  int messages;
  for (int i = 0; i < d->joint.count; i++) {
    PartySet who = cheapest(d, d->joint.data[i], &messages);
    if (messages == 0)
      continue;
    want(d, d->joint.data[i], who);
    settle(d);
  }
  PartySet *who = ARENA_ARRAY(d->p->arena, PartySet, d->joint.count + 1);
  for (int i = 0; i < d->joint.count; i++) {
    PartySet free = cheapest(d, d->joint.data[i], &messages);
    PartySet here = party_and(free, loop_participants(d, d->joint.data[i]));
    who[i] = party_empty(here) ? free : here;
    if (pass_is_guard(d->joint.data[i]))
      who[i] = party_or(who[i], later_revealers(d, d->joint.data[i]));
  }
  choose_speaker(d, who);
  for (int i = 0; i < d->joint.count; i++)
    want(d, d->joint.data[i], who[i]);
  settle(d);
}

/* ---- rewriting ----------------------------------------------------------------------------------------- */

/* Drops carried values nobody needs; map[k] is the new number of value k, or -1. */
static void narrow_loop(const Demand *d, Op *op, int *map) {
  int first_param = op->kind == OP_FOR ? 1 : 0, first_init = op->kind == OP_FOR ? 2 : 0, kept = 0;
  IrBlock *body = op->blocks.data[op->blocks.count - 1];
  for (int k = 0; k < body->yields.count; k++) {
    map[k] = -1;
    if (party_empty(d->need[body->params.data[first_param + k]->id]))
      continue;
    op->args.data[first_init + kept] = op->args.data[first_init + k];
    body->yields.data[kept] = body->yields.data[k];
    for (int i = 0; i < op->blocks.count; i++)
      op->blocks.data[i]->params.data[first_param + kept] = op->blocks.data[i]->params.data[first_param + k];
    map[k] = kept++;
  }
  op->args.count = first_init + kept;
  body->yields.count = kept;
  for (int i = 0; i < op->blocks.count; i++) {
    IrBlock *b = op->blocks.data[i];
    b->params.count = first_param + kept;
    for (int k = 0; k < b->params.count; k++)
      b->params.data[k]->where = d->need[b->params.data[k]->id];
  }
}

/* Likewise for the values of a branch, whose RESULTs are ops[at], ops[at + 1], ... */
static void narrow_branch(const Demand *d, Op *op, const IrBlock *b, int at, int *map) {
  int n = op->blocks.data[0]->yields.count, kept = 0;
  for (int k = 0; k < n; k++)
    map[k] = -1;
  for (int i = at; i < b->ops.count && b->ops.data[i]->kind == OP_RESULT; i++)
    if (!party_empty(d->need[b->ops.data[i]->id]))
      map[b->ops.data[i]->ints.data[0]] = 0;
  for (int k = 0; k < n; k++) {
    if (map[k] < 0)
      continue;
    for (int i = 0; i < 2; i++)
      op->blocks.data[i]->yields.data[kept] = op->blocks.data[i]->yields.data[k];
    map[k] = kept++;
  }
  op->blocks.data[0]->yields.count = op->blocks.data[1]->yields.count = kept;
}

static void narrow_block(Demand *d, IrBlock *b) {
  int kept = 0;
  int *map = NULL;
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    if (party_empty(d->need[op->id]))
      continue;
    if (op_info[op->kind].class == OPC_CONTROL) {
      map = ARENA_ARRAY(d->p->arena, int, op->blocks.data[op->blocks.count - 1]->yields.count + 1);
      if (op->kind == OP_IF)
        narrow_branch(d, op, b, i + 1, map);
      else
        narrow_loop(d, op, map);
      for (int k = 0; k < op->blocks.count; k++)
        narrow_block(d, op->blocks.data[k]);
    }
    if (op->kind == OP_RESULT)
      op->ints.data[0] = map[op->ints.data[0]];
    if (op->kind == OP_RANDOM)
      op->args.count = 0;
    if (op->kind == OP_SEND && (is_alias(op) || !party_has(d->need[op->id], (int)op->ints.data[1])))
      op->forward =
          op->args.data[0]; /* its place is still wide, as those of all operands: see narrow_where */
    b->ops.data[kept++] = op;
  }
  b->ops.count = kept;
}

/* The operand as `who` has it: not through a SEND to somebody else. */
static Op *as_seen_by(Op *operand, PartySet who) {
  while (operand->kind == OP_SEND && !party_has(who, (int)operand->ints.data[1]))
    operand = operand->args.data[0];
  return operand;
}

static void see_through(Op *op, void *data) {
  (void)data;
  PartySet who = op->where;
  int first_init = op->kind == OP_FOR ? 2 : op->kind == OP_IF ? 1 : 0;
  if (op->kind == OP_RESULT)
    return;
  if (op->kind == OP_SEND)
    who = party_or(party_one((int)op->ints.data[0]), party_minus(who, party_one((int)op->ints.data[1])));
  bool loop = op->kind == OP_FOR || op->kind == OP_WHILE;
  const IrBlock *body = loop ? op->blocks.data[op->blocks.count - 1] : NULL;
  for (int i = 0; i < op->args.count; i++) {
    bool carried = loop && i >= first_init;
    const Op *param = carried ? body->params.data[i - first_init + (op->kind == OP_FOR)] : NULL;
    op->args.data[i] = as_seen_by(op->args.data[i], carried ? param->where : who);
  }
  for (int k = 0; loop && k < body->yields.count; k++)
    body->yields.data[k] =
        as_seen_by(body->yields.data[k], body->params.data[k + (op->kind == OP_FOR)]->where);
}

static void narrow_where(Op *op, void *data) {
  const Demand *d = data;
  op->where = d->need[op->id];
}

void pass_demand(Program *p) {
  Demand d = {.p = p};
  d.need = calloc((size_t)p->next_id, sizeof *d.need);
  d.slot = calloc((size_t)p->next_id, sizeof *d.slot);
  assert(d.need && d.slot);
  ir_walk(p->body, prepare, &d);
  settle(&d);
  place_joint_effects(&d);
  narrow_block(&d, p->body);
  ir_walk(p->body, narrow_where, &d);
  ir_forward(p);
  ir_walk(p->body, see_through, NULL);
  free(d.need);
  free(d.slot);
}
