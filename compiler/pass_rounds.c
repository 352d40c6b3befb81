/* Order by dependency level, and messages: all values that go from one party to another at the same level of
 * a block travel together, so independent operations share their rounds.
 *
 * Needs: a choreography after pass_demand (a SEND that nobody needs would cost a message). Keeps:
 * dependencies, and the order of effects that share a party. Breaks: nothing; sets Op.message and Op.level.
 *
 * The level of an operation is the number of messages that must have arrived before it: the largest level at
 * which one of its operands is available. A SEND's result is available one level later, and so are the
 * results of a loop or branch that holds messages. Within a level:
 *   0  local work that this level's SENDs need     2  the rest of the local work
 *   1  the SENDs, by (from, to)                    3  loops and branches with messages
 * each in the order in which it was. What discloses something (pass_is_disclosure) comes behind the
 * assertions that its sender makes before it in the program, so that a run that they stop has not disclosed
 * it. Values from outside the block are available at level 0. Nothing passes a checkpoint of the block.
 */
#include <assert.h>
#include <stdlib.h>

#include "pass.h"

typedef struct Item {
  Op *op;
  int index;        /* position before, also of the RESULTs' control operation */
  int level, ready; /* ready: when its result is available */
  int phase;
  bool messages;    /* control that holds messages */
  PartySet effects; /* parties that observe something */
  PartySet guards;  /* parties that make an assertion */
  PartySet tells;   /* parties that disclose something */
  VEC(int) deps;    /* items */
} Item;

typedef struct Scheduler {
  Program *p;
  int *item_of; /* by id: item of the block at hand + 1; 0: defined elsewhere */
} Scheduler;

typedef struct Summary {
  bool messages;
  PartySet effects, guards, tells;
} Summary;

static void summarize(Op *op, void *data) {
  Summary *s = data;
  s->messages |= op->kind == OP_SEND;
  if (op_info[op->kind].class == OPC_EFFECT)
    s->effects = party_or(s->effects, op->where);
  if (pass_is_guard(op))
    s->guards = party_or(s->guards, op->where);
  if (pass_is_disclosure(op))
    s->tells = party_or(s->tells, party_one((int)op->ints.data[0]));
}

static void depend(const Scheduler *s, Item *item, const Op *operand) {
  int k = s->item_of[operand->id] - 1;
  if (k >= 0 && k != item->index)
    VEC_PUSH(s->p->arena, &item->deps, k);
}

/* What an operation uses, in its blocks too. */
static void depend_on_uses(const Scheduler *s, Item *item, const Op *op) {
  for (int i = 0; i < op->args.count; i++)
    depend(s, item, op->args.data[i]);
  for (int i = 0; i < op->blocks.count; i++) {
    const IrBlock *b = op->blocks.data[i];
    for (int k = 0; k < b->ops.count; k++)
      depend_on_uses(s, item, b->ops.data[k]);
    for (int k = 0; k < b->yields.count; k++)
      depend(s, item, b->yields.data[k]);
  }
}

static void depend_on_effects(const Scheduler *s, Item *item, int *last_effect) {
  for (int i = party_first(item->effects); i >= 0; i = party_next(item->effects, i)) {
    if (last_effect[i] >= 0)
      VEC_PUSH(s->p->arena, &item->deps, last_effect[i]);
    last_effect[i] = item->index;
  }
}

/* Assertions are effects, so the last one of a party stands behind its others. */
static void depend_on_guards(const Scheduler *s, Item *item, int *last_guard) {
  for (int i = party_first(item->tells); i >= 0; i = party_next(item->tells, i))
    if (last_guard[i] >= 0)
      VEC_PUSH(s->p->arena, &item->deps, last_guard[i]);
  for (int i = party_first(item->guards); i >= 0; i = party_next(item->guards, i))
    last_guard[i] = item->index;
}

/* A checkpoint is a line through the program: what stands before it is done before, at every party, and what
 * stands behind it afterwards, messages too. */
static void depend_on_checkpoint(const Scheduler *s, Item *item, int *last_checkpoint) {
  bool is_one = item->op->kind == OP_CHECKPOINT;
  for (int k = *last_checkpoint < 0 ? 0 : *last_checkpoint; is_one && k < item->index; k++)
    VEC_PUSH(s->p->arena, &item->deps, k);
  if (*last_checkpoint >= 0)
    VEC_PUSH(s->p->arena, &item->deps, *last_checkpoint);
  if (is_one)
    *last_checkpoint = item->index;
}

static void set_level(Item *items, Item *item) {
  for (int i = 0; i < item->deps.count; i++) {
    int ready = items[item->deps.data[i]].ready;
    item->level = ready > item->level ? ready : item->level;
  }
  item->ready = item->level + (item->op->kind == OP_SEND || item->messages);
}

static void set_phases(Item *items, int n) {
  for (int i = n - 1; i >= 0; i--) {
    Item *item = &items[i];
    if (item->op->kind == OP_SEND)
      item->phase = 1;
    else if (item->messages)
      item->phase = 3;
    if (item->phase > 1)
      continue;
    for (int k = 0; k < item->deps.count; k++) {
      Item *dep = &items[item->deps.data[k]];
      if (dep->level == item->level && dep->phase == 2)
        dep->phase = 0;
    }
  }
}

static int compare_items(const void *a, const void *b) {
  const Item *x = a, *y = b;
  if (x->level != y->level)
    return x->level < y->level ? -1 : 1;
  if (x->phase != y->phase)
    return x->phase < y->phase ? -1 : 1;
  for (int i = 0; i < 2 && x->phase == 1; i++)
    if (x->op->ints.data[i] != y->op->ints.data[i])
      return x->op->ints.data[i] < y->op->ints.data[i] ? -1 : 1;
  return x->index < y->index ? -1 : 1;
}

/* RESULTs belong to the item of their control operation and move with it. */
static int make_items(Scheduler *s, const IrBlock *b, Item *items) {
  int n = 0, last_effect[MAX_PARTIES], last_guard[MAX_PARTIES], last_checkpoint = -1;
  for (int i = 0; i < MAX_PARTIES; i++)
    last_effect[i] = last_guard[i] = -1;
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    if (op->kind != OP_RESULT) {
      Summary summary = {0};
      summarize(op, &summary);
      for (int k = 0; k < op->blocks.count; k++)
        ir_walk(op->blocks.data[k], summarize, &summary);
      bool control = op_info[op->kind].class == OPC_CONTROL;
      items[n] = (Item){.op = op,
                        .index = n,
                        .phase = 2,
                        .messages = control && summary.messages,
                        .effects = summary.effects,
                        .guards = summary.guards,
                        .tells = summary.tells};
      s->item_of[op->id] = ++n;
      depend_on_uses(s, &items[n - 1], op);
      depend_on_effects(s, &items[n - 1], last_effect);
      depend_on_guards(s, &items[n - 1], last_guard);
      depend_on_checkpoint(s, &items[n - 1], &last_checkpoint);
      set_level(items, &items[n - 1]);
    }
    s->item_of[op->id] = n;
  }
  return n;
}

static void schedule_block(Scheduler *s, IrBlock *b) {
  int count = b->ops.count, out = 0;
  Item *items = calloc((size_t)count + 1, sizeof *items);
  Op **old = ARENA_ARRAY(s->p->arena, Op *, count + 1);
  int *first = calloc((size_t)count + 1, sizeof *first); /* by item: position of its operation in old */
  assert(items && first);
  int n = make_items(s, b, items);
  for (int i = 0; i < count; i++) {
    old[i] = b->ops.data[i];
    if (old[i]->kind != OP_RESULT)
      first[s->item_of[old[i]->id] - 1] = i;
  }
  for (int i = 0; i < count; i++)
    s->item_of[old[i]->id] = 0;
  set_phases(items, n);
  qsort(items, (size_t)n, sizeof *items, compare_items);
  for (int i = 0; i < n; i++) {
    if (items[i].op->kind == OP_SEND)
      items[i].op->level = items[i].level;
    int at = first[items[i].index];
    do
      b->ops.data[out++] = old[at++];
    while (at < count && old[at]->kind == OP_RESULT);
  }
  assert(out == count);
  free(items);
  free(first);
  for (int i = 0; i < b->ops.count; i++)
    for (int k = 0; k < b->ops.data[i]->blocks.count; k++)
      schedule_block(s, b->ops.data[i]->blocks.data[k]);
}

static void number_messages(Program *p, IrBlock *b) {
  const Op *last = NULL;
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    for (int k = 0; k < op->blocks.count; k++)
      number_messages(p, op->blocks.data[k]);
    if (op->kind != OP_SEND) {
      last = NULL;
      continue;
    }
    bool joins = last && last->level == op->level && last->ints.data[0] == op->ints.data[0] &&
                 last->ints.data[1] == op->ints.data[1];
    op->message = joins ? last->message : p->next_message++;
    last = op;
  }
}

void pass_rounds(Program *p) {
  Scheduler s = {.p = p};
  s.item_of = calloc((size_t)p->next_id, sizeof *s.item_of);
  assert(s.item_of);
  p->next_message = 1;
  schedule_block(&s, p->body);
  number_messages(p, p->body);
  free(s.item_of);
}
