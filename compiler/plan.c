/* The plan of a party's program (see plan.h), in four walks:
 *
 *   schedule   blocks -> steps; every step gets a time
 *   use        every value gets a buffer or is a view; a buffer's life spans definition and last use
 *   share      updates in place, and yields made in the home of the carried value
 *   allocate   first fit over the buffers' lives; words at fixed offsets
 *
 * A buffer may be merged into another one (`merged`: an update in place continues the same memory) or be
 * fixed to a home (`fixed`: a loop's parameter and the value yielded for it are the home's memory; their
 * lives lie inside the home's). */
#include "plan.h"

#include <assert.h>
#include <stdlib.h>

#include "../runtime/include/program.h"
#include "project.h"

enum {
  MAX_MEMBERS = 24,  /* of a fused loop: more do not fit the registers */
  MAX_OPERANDS = 16, /* arrays and scalars that a fused loop reads */
  KEPT_WORDS =
      1 << 14, /* elements up to this count are kept rather than made by two loops: they stay in the cache */
  SMALL_CONST = 64, /* a constant of equal elements is data up to this count, else filled in at run time */
  ALIGN_WORDS = 8,  /* tensors start on a cache line */
};

typedef struct Buffer {
  int64_t words;
  int start, end; /* times, inclusive */
  int merged;     /* -1, or the buffer it is part of */
  int fixed;      /* -1, or the home's buffer whose memory it is */
  IrBlock *block; /* that defines it */
  bool read_only; /* parameters of a loop's condition */
  int64_t offset;
} Buffer;

typedef struct Group {
  int number;
  VEC(Op *) ops;
  VEC(Op *) operands;
  bool divides;
} Group;

typedef struct Planner {
  Program *program;
  Arena *arena;
  Plan *plan;
  int time, groups;
  VEC(Group *) open;
  VEC(Buffer) buffers;
} Planner;

PlanValue *plan_of(const Op *op) {
  return op->note;
}

bool plan_is_slot(const IrType *t) {
  return t->shape.rank == 0 && t->elem != EL_RING;
}

void plan_strides(const Shape *s, int64_t *strides) {
  int64_t n = 1;
  for (int i = s->rank - 1; i >= 0; i--) {
    strides[i] = n;
    n *= s->dim[i];
  }
}

static int64_t role(const Op *op) {
  return op->kind == OP_SEND && op->ints.count > 2 ? op->ints.data[2] : 0;
}

bool plan_sends(const Op *op) {
  return role(op) & PROJECT_SENDS;
}

bool plan_receives(const Op *op) {
  return role(op) & PROJECT_RECEIVES;
}

const PlanValue *plan_whole(const Op *op) {
  const PlanValue *v = plan_of(op);
  for (int64_t n = shape_count(&op->type.shape); v->loc == PLAN_ALIAS && v->alias_words == 0;
       v = plan_of(op)) {
    op = v->alias;
    if (shape_count(&op->type.shape) != n)
      return NULL;
  }
  return v->loc == PLAN_ARENA ? v : NULL;
}

static bool is_loop(const Op *op) {
  return op->kind == OP_FOR || op->kind == OP_WHILE;
}

/* The operands that initialise the homes of a control operation. */
static int first_initial(const Op *op) {
  return op->kind == OP_FOR ? 2 : op->kind == OP_WHILE ? 0 : op->args.count;
}

/* How many operands an operation reads: those of RANDOM only name the draw. */
static int read_count(const Op *op) {
  return op->kind == OP_RANDOM ? 0 : op->args.count;
}

/* ---- schedule -------------------------------------------------------------------------------- */

static bool is_big_splat(const Op *op) {
  uint64_t bits;
  return op->kind == OP_CONST && shape_count(&op->type.shape) > SMALL_CONST && ir_is_splat(op, &bits);
}

static bool is_fusable(const Op *op) {
  if (op->type.shape.rank == 0 || op->type.elem == EL_NONE || plan_of(op)->is_sum)
    return false;
  switch (op->kind) {
  case OP_IOTA: return true;
  case OP_CONST: return is_big_splat(op) && plan_of(op)->outside;
  case OP_BROADCAST: return op->args.data[0]->type.shape.rank == 0;
  case OP_BOUNDED: return false;
  case OP_ENCODE: return op->args.data[0]->type.elem == EL_BOOL;
  default: return op_info[op->kind].class == OPC_EW;
  }
}

static bool may_divide_by_zero(const Op *op) {
  return (op->kind == OP_FLOORDIV || op->kind == OP_MOD) && op->type.elem == EL_INT;
}

/* Fresh notes for the operations of the program, none for operands that are not part of it. */
static void forget_operands(Op *op, void *data) {
  (void)data;
  for (int i = 0; i < op->args.count; i++)
    op->args.data[i]->note = NULL;
}

static void note_op(Planner *pl, Op *op, IrBlock *b) {
  PlanValue *v = ARENA_NEW(pl->arena, PlanValue);
  v->buffer = -1;
  v->block = b;
  op->note = v;
}

static void note_block(Planner *pl, IrBlock *b) {
  for (int i = 0; i < b->params.count; i++)
    note_op(pl, b->params.data[i], b);
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    note_op(pl, op, b);
    for (int k = 0; k < op->blocks.count; k++)
      note_block(pl, op->blocks.data[k]);
  }
}

static void mark_splat(Op *op) {
  if (is_big_splat(op) && plan_of(op))
    plan_of(op)->outside = true;
}

/* Large constants of equal elements that something other than a fused loop reads. */
static void mark_splats(IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    if (!is_fusable(op))
      for (int k = 0; k < read_count(op); k++)
        mark_splat(op->args.data[k]);
    for (int k = 0; k < op->blocks.count; k++)
      mark_splats(op->blocks.data[k]);
  }
  for (int i = 0; i < b->yields.count; i++)
    mark_splat(b->yields.data[i]);
}

static Step *add_step(Planner *pl, PlanBlock *pb, StepKind kind) {
  VEC_PUSH(pl->arena, &pb->steps, ((Step){.kind = kind, .time = pl->time++}));
  return &pb->steps.data[pb->steps.count - 1];
}

static void close_group(Planner *pl, PlanBlock *pb, int index) {
  Group *g = pl->open.data[index];
  Step *s = add_step(pl, pb, STEP_LOOP);
  for (int i = 0; i < g->ops.count; i++)
    VEC_PUSH(pl->arena, &s->ops, g->ops.data[i]);
  for (int i = index; i + 1 < pl->open.count; i++)
    pl->open.data[i] = pl->open.data[i + 1];
  pl->open.count--;
}

static void close_all(Planner *pl, PlanBlock *pb) {
  while (pl->open.count)
    close_group(pl, pb, 0);
}

/* Closes the open groups (but `except`) that make an operand of op. */
static void close_makers(Planner *pl, PlanBlock *pb, const Op *op, const Group *except) {
  for (int k = 0; k < read_count(op); k++) {
    PlanValue *v = plan_of(op->args.data[k]);
    if (!v || !v->group || (except && v->group == except->number))
      continue;
    for (int i = 0; i < pl->open.count; i++)
      if (pl->open.data[i]->number == v->group) {
        close_group(pl, pb, i);
        break;
      }
  }
}

static int new_operands(const Group *g, const Op *op) {
  int n = 0;
  for (int k = 0; k < read_count(op); k++) {
    bool known = plan_of(op->args.data[k])->group == g->number;
    for (int i = 0; i < g->operands.count && !known; i++)
      known = g->operands.data[i] == op->args.data[k];
    n += !known;
  }
  return n;
}

static bool group_accepts(const Group *g, const Op *op) {
  const Op *first = g->ops.data[0];
  return shape_equal(&first->type.shape, &op->type.shape) && party_equal(first->where, op->where) &&
         g->ops.count < MAX_MEMBERS && g->operands.count + new_operands(g, op) <= MAX_OPERANDS &&
         !(g->divides && may_divide_by_zero(op));
}

static void join_group(Planner *pl, PlanBlock *pb, Op *op) {
  Group *g = NULL;
  for (int i = pl->open.count - 1; i >= 0 && !g; i--)
    if (group_accepts(pl->open.data[i], op))
      g = pl->open.data[i];
  close_makers(pl, pb, op, g);
  if (!g) {
    g = ARENA_NEW(pl->arena, Group);
    g->number = ++pl->groups;
    VEC_PUSH(pl->arena, &pl->open, g);
  }
  for (int k = 0; k < read_count(op); k++) {
    bool known = plan_of(op->args.data[k])->group == g->number;
    for (int i = 0; i < g->operands.count && !known; i++)
      known = g->operands.data[i] == op->args.data[k];
    if (!known)
      VEC_PUSH(pl->arena, &g->operands, op->args.data[k]);
  }
  VEC_PUSH(pl->arena, &g->ops, op);
  plan_of(op)->group = g->number;
  g->divides |= may_divide_by_zero(op);
}

/* Operations that do nothing at run time: their value is another one's, or data. */
static bool is_silent(const Op *op) {
  if (plan_of(op)->is_sum)
    return true;
  switch (op->kind) {
  case OP_RESULT:
  case OP_MEMBER:
  case OP_CONST: return true;
  case OP_RESHAPE: return plan_is_slot(&op->type) == plan_is_slot(&op->args.data[0]->type);
  case OP_SEND: return !role(op);
  default: return false;
  }
}

static PlanBlock *schedule(Planner *pl, IrBlock *b);

static void schedule_messages(Planner *pl, PlanBlock *pb, Op *op) {
  Step *last = pb->steps.count ? &pb->steps.data[pb->steps.count - 1] : NULL;
  bool joins = last && last->kind == STEP_MESSAGES && op->message > 0 &&
               last->ops.data[0]->message == op->message && role(last->ops.data[0]) == role(op) &&
               last->ops.data[0]->ints.data[0] == op->ints.data[0] &&
               last->ops.data[0]->ints.data[1] == op->ints.data[1];
  if (!joins)
    last = add_step(pl, pb, STEP_MESSAGES);
  VEC_PUSH(pl->arena, &last->ops, op);
}

static void schedule_op(Planner *pl, PlanBlock *pb, Op *op) {
  if (is_fusable(op)) {
    join_group(pl, pb, op);
    return;
  }
  bool silent = is_silent(op);
  if (!silent && (op->kind == OP_SEND || op->kind == OP_CHECKPOINT || op->blocks.count))
    close_all(pl, pb); /* work first, then wait for others */
  else
    close_makers(pl, pb, op, NULL);
  if (op->kind == OP_CONST)
    return;
  if (op->kind == OP_SEND && !silent) {
    schedule_messages(pl, pb, op);
    return;
  }
  Step *s = add_step(pl, pb, STEP_OP);
  VEC_PUSH(pl->arena, &s->ops, op);
  if (op->kind == OP_CHECKPOINT)
    plan_of(op)->end_time = s->time;
  if (op->blocks.count) {
    PlanValue *v = plan_of(op);
    for (int k = 0; k < op->blocks.count; k++)
      v->blocks[k] = schedule(pl, op->blocks.data[k]);
    v->end_time = pl->time++;
  }
}

static PlanBlock *schedule(Planner *pl, IrBlock *b) {
  PlanBlock *pb = ARENA_NEW(pl->arena, PlanBlock);
  assert(pl->open.count == 0);
  for (int i = 0; i < b->ops.count; i++)
    schedule_op(pl, pb, b->ops.data[i]);
  close_all(pl, pb);
  pb->end_time = pl->time++;
  return pb;
}

/* ---- use ------------------------------------------------------------------------------------- */

static int new_buffer(Planner *pl, int64_t words, int time, IrBlock *block) {
  Buffer b = {
      .words = words > 0 ? words : 1, .start = time, .end = time, .merged = -1, .fixed = -1, .block = block};
  VEC_PUSH(pl->arena, &pl->buffers, b);
  return pl->buffers.count - 1;
}

static int find(const Planner *pl, int buffer) {
  while (pl->buffers.data[buffer].merged >= 0)
    buffer = pl->buffers.data[buffer].merged;
  return buffer;
}

/* The buffer whose words it has in the end. */
static int physical(const Planner *pl, int buffer) {
  for (;;) {
    buffer = find(pl, buffer);
    if (pl->buffers.data[buffer].fixed < 0)
      return buffer;
    buffer = pl->buffers.data[buffer].fixed;
  }
}

static void touch(Planner *pl, Op *value, IrBlock *user, int time) {
  PlanValue *v = plan_of(value);
  if (v && v->loc == PLAN_PIECES && value->kind == OP_BROADCAST)
    v = plan_of(value->args.data[0]);
  if (!v || v->buffer < 0)
    return;
  Buffer *b = &pl->buffers.data[v->buffer];
  for (IrBlock *at = user; at && at != b->block; at = at->owner->parent) {
    assert(at->owner && "a value is used outside the block that makes it");
    if (is_loop(at->owner) && plan_of(at->owner)->end_time > time)
      time = plan_of(at->owner)->end_time;
  }
  if (time > b->end)
    b->end = time;
}

static void give_storage(Planner *pl, Op *op, IrBlock *b, int time) {
  PlanValue *v = plan_of(op);
  if (plan_is_slot(&op->type)) {
    v->loc = PLAN_SLOT;
    v->slot = pl->plan->slots++;
    return;
  }
  v->loc = PLAN_ARENA;
  v->buffer = new_buffer(pl, shape_count(&op->type.shape), time, b);
}

static void give_alias(Op *op, Op *of, int64_t words) {
  PlanValue *v = plan_of(op), *u = plan_of(of);
  assert(u && "a view of a value that the party does not have");
  v->loc = PLAN_ALIAS;
  v->alias = of;
  v->alias_words = words;
  v->buffer = u->buffer;
}

/* A box that is one stretch of its operand: full behind the first axis that has more than one index in the
 * box. */
static bool is_contiguous(const Shape *whole, const Shape *box) {
  int i = 0;
  while (i < box->rank && box->dim[i] == 1)
    i++;
  for (i = i + 1; i < box->rank; i++)
    if (box->dim[i] != whole->dim[i])
      return false;
  return true;
}

static void define_slice(Planner *pl, Op *op, IrBlock *b, int time) {
  Op *x = op->args.data[0];
  if (!is_contiguous(&x->type.shape, &op->type.shape)) {
    give_storage(pl, op, b, time);
    return;
  }
  int64_t strides[MAX_RANK], words = 0;
  bool dynamic = false;
  plan_strides(&x->type.shape, strides);
  for (int i = 0; i < op->ints.count; i++)
    if (op->ints.data[i] == INT64_MIN)
      dynamic = true;
    else
      words += op->ints.data[i] * strides[i];
  give_alias(op, x, words);
  if (dynamic) {
    plan_of(op)->loc = PLAN_VIEW;
    plan_of(op)->slot = pl->plan->pointers++;
  }
}

/* A message's value: received, or what the party holds already. In a family one member may receive what
 * others hold; then all have it in memory of its own. */
static void define_send(Planner *pl, Op *op, IrBlock *b, int time) {
  Op *x = op->args.count ? op->args.data[0] : NULL;
  if (plan_receives(op))
    give_storage(pl, op, b, time);
  else if (x && plan_of(x))
    give_alias(op, x, 0);
}

static void define_result(Op *op) {
  PlanValue *v = plan_of(op);
  PlanHome *h = &plan_of(op->args.data[0])->homes[op->ints.data[0]];
  v->loc = h->slot >= 0 ? PLAN_SLOT : PLAN_ARENA;
  v->slot = h->slot;
  v->buffer = h->buffer;
}

bool plan_repeats(const Op *op, int64_t *stride, int64_t *size) {
  const Shape *in = &op->args.data[0]->type.shape, *out = &op->type.shape;
  int skip = out->rank - in->rank, first = in->rank, last = -1;
  for (int i = 0; i < in->rank; i++)
    if (in->dim[i] != 1) {
      first = i < first ? i : first;
      last = i;
    }
  *stride = *size = 1;
  for (int i = 0; i < out->rank; i++) {
    bool own = i - skip >= first && i - skip <= last;
    if (own && in->dim[i - skip] != out->dim[i])
      return false; /* repeated between two axes of the operand */
    *size *= own ? out->dim[i] : 1;
    *stride *= i - skip > last ? out->dim[i] : 1;
  }
  return true;
}

static bool is_in_pieces(const Op *op) {
  const PlanValue *v = plan_of(op);
  int64_t stride, size;
  if (op->kind != OP_RANDOM && (op->kind != OP_BROADCAST || v->group || !plan_repeats(op, &stride, &size)))
    return false;
  return !v->kept && op->type.shape.rank > 0 && v->readers > 0 &&
         (v->readers == 1 || shape_count(&op->type.shape) > KEPT_WORDS);
}

static void define(Planner *pl, Op *op, IrBlock *b, int time) {
  PlanValue *v = plan_of(op);
  if (is_in_pieces(op)) {
    v->loc = PLAN_PIECES;
    return;
  }
  if (op->type.elem == EL_NONE || (v->group && !v->outside))
    return;
  if (v->onto) {
    give_alias(op, v->onto, 0);
    return;
  }
  switch (op->kind) {
  case OP_RESULT: define_result(op); return;
  case OP_MEMBER:
  case OP_BOUNDED: give_alias(op, op->args.data[0], 0); return;
  case OP_RESHAPE:
    if (is_silent(op))
      give_alias(op, op->args.data[0], 0);
    else
      give_storage(pl, op, b, time);
    return;
  case OP_SLICE: define_slice(pl, op, b, time); return;
  case OP_SEND: define_send(pl, op, b, time); return;
  default: give_storage(pl, op, b, time); return;
  }
}

static void use_block(Planner *pl, IrBlock *b, PlanBlock *pb);

static IrType home_type(const Op *control, int k) {
  int first = first_initial(control);
  return first < control->args.count ? control->args.data[first + k]->type
                                     : control->blocks.data[0]->yields.data[k]->type;
}

static void make_homes(Planner *pl, Op *op, IrBlock *b, int time) {
  PlanValue *v = plan_of(op);
  v->home_count = op->kind == OP_IF ? op->blocks.data[0]->yields.count : op->args.count - first_initial(op);
  v->homes = ARENA_ARRAY(pl->arena, PlanHome, v->home_count);
  for (int k = 0; k < v->home_count; k++) {
    IrType t = home_type(op, k);
    PlanHome *h = &v->homes[k];
    h->slot = plan_is_slot(&t) ? pl->plan->slots++ : -1;
    h->buffer = -1;
    if (h->slot < 0) {
      h->buffer = new_buffer(pl, shape_count(&t.shape), time, b);
      pl->buffers.data[h->buffer].end = v->end_time;
    }
  }
}

/* Parameter p of a block of op: home k, or the index of a FOR. */
static void define_param(Planner *pl, Op *op, IrBlock *b, Op *param, int k, bool read_only, int time) {
  PlanValue *v = plan_of(param);
  if (k < 0 || plan_of(op)->homes[k].slot >= 0) {
    v->loc = PLAN_SLOT;
    v->slot = k < 0 ? pl->plan->slots++ : plan_of(op)->homes[k].slot;
    return;
  }
  v->loc = PLAN_ARENA;
  v->buffer = new_buffer(pl, shape_count(&param->type.shape), time, b);
  pl->buffers.data[v->buffer].fixed = plan_of(op)->homes[k].buffer;
  pl->buffers.data[v->buffer].read_only = read_only;
}

static void make_packs(Planner *pl, Op *op, IrBlock *b, int time) {
  PlanValue *v = plan_of(op);
  for (int i = 0; i < v->packs.count; i++) {
    PlanPack *pack = v->packs.data[i];
    touch(pl, pack->of, b, time);
    pack->buffer = new_buffer(pl, pack->words, time, b);
    pl->buffers.data[pack->buffer].end = v->end_time;
  }
}

static void use_control(Planner *pl, Op *op, IrBlock *b, int time) {
  PlanValue *v = plan_of(op);
  make_homes(pl, op, b, time);
  make_packs(pl, op, b, time);
  for (int i = 0; i < op->blocks.count; i++) {
    IrBlock *inner = op->blocks.data[i];
    int index = op->kind == OP_FOR;
    for (int k = 0; k < inner->params.count; k++)
      define_param(pl, op, inner, inner->params.data[k], k - index, op->kind == OP_WHILE && i == 0, time);
    use_block(pl, inner, v->blocks[i]);
  }
}

static bool in_group(const Op *op, const Op *value) {
  PlanValue *v = plan_of(value);
  return v && v->group && v->group == plan_of(op)->group;
}

static void use_step(Planner *pl, Step *s, IrBlock *b) {
  for (int i = 0; i < s->ops.count; i++) {
    Op *op = s->ops.data[i];
    for (int k = 0; k < read_count(op); k++)
      if (!in_group(op, op->args.data[k]))
        touch(pl, op->args.data[k], b, s->time);
    if (plan_of(op)->onto)
      touch(pl, plan_of(op)->onto, b, s->time);
  }
  for (int i = 0; i < s->ops.count; i++) {
    Op *op = s->ops.data[i];
    if (op->blocks.count)
      use_control(pl, op, b, s->time);
    else
      define(pl, op, b, s->time);
  }
}

/* op, of block b, reads x, which its own fused loop, if it is in one, does not make. */
static void mark_read(const Op *op, const Op *x, const IrBlock *b) {
  PlanValue *v = plan_of(x);
  int group = plan_of(op)->group;
  v->outside = true;
  if (!group || v->block != b)
    v->kept = true;
  else if (v->last_reader != group)
    v->readers++;
  v->last_reader = group;
}

/* Who reads what. Known before storage is given. */
static void mark_reads(IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    for (int k = 0; k < read_count(op); k++)
      if (plan_of(op->args.data[k]) && !in_group(op, op->args.data[k]))
        mark_read(op, op->args.data[k], b);
    for (int k = 0; k < op->blocks.count; k++)
      mark_reads(op->blocks.data[k]);
  }
  for (int i = 0; i < b->yields.count; i++)
    plan_of(b->yields.data[i])->outside = plan_of(b->yields.data[i])->kept = true;
}

static void use_block(Planner *pl, IrBlock *b, PlanBlock *pb) {
  for (int i = 0; i < b->ops.count; i++)
    if (b->ops.data[i]->kind == OP_CONST && !plan_of(b->ops.data[i])->group)
      plan_of(b->ops.data[i])->loc = PLAN_CONST;
  for (int i = 0; i < pb->steps.count; i++)
    use_step(pl, &pb->steps.data[i], b);
  for (int i = 0; i < b->yields.count; i++)
    touch(pl, b->yields.data[i], b, pb->end_time);
}

/* ---- share ----------------------------------------------------------------------------------- */

/* An update may overwrite its operand if nothing reads the operand (or a view of it) later, and if this
 * block made it: what an outer block made is needed by the next pass. */
static void share_update(Planner *pl, Op *op, IrBlock *b, int time) {
  PlanValue *v = plan_of(op), *x = plan_of(op->args.data[0]), *box = plan_of(op->args.data[1]);
  if (x->buffer < 0 || v->buffer < 0)
    return;
  int old = find(pl, x->buffer);
  Buffer *o = &pl->buffers.data[old];
  if (o->end != time || o->block != b || o->read_only || (box->buffer >= 0 && find(pl, box->buffer) == old))
    return;
  o->end = pl->buffers.data[v->buffer].end;
  pl->buffers.data[v->buffer].merged = old;
  v->loc = PLAN_ALIAS;
  v->alias = op->args.data[0];
  v->alias_words = 0;
  v->in_place = true;
}

/* May the fused loop s write over buffer `old` while it reads it? If each operand there is the whole buffer, so
 * that an element is read just before it is written. */
static bool reads_in_step(const Planner *pl, const Step *s, int old) {
  for (int i = 0; i < s->ops.count; i++)
    for (int k = 0; k < s->ops.data[i]->args.count; k++) {
      const Op *op = s->ops.data[i]->args.data[k];
      bool repeated = op->kind == OP_BROADCAST && plan_of(op)->loc == PLAN_PIECES;
      const PlanValue *x = plan_of(repeated ? op->args.data[0] : op);
      if (x->buffer >= 0 && physical(pl, x->buffer) == old && (repeated || !plan_whole(op)))
        return false;
    }
  return true;
}

/* A result of a fused loop takes the place of an operand that nothing needs afterwards. */
static bool share_result(Planner *pl, const Step *s, const Op *op, const Op *operand, const IrBlock *b) {
  const PlanValue *x = plan_whole(operand);
  if (!x || x->buffer < 0)
    return false;
  int old = find(pl, x->buffer);
  Buffer *o = &pl->buffers.data[old], *own = &pl->buffers.data[plan_of(op)->buffer];
  if (o->end != s->time || o->block != b || o->read_only || o->fixed >= 0 || o->words != own->words ||
      o == own || !reads_in_step(pl, s, old))
    return false;
  o->end = own->end; /* later than this step: no second result takes it */
  own->merged = old;
  return true;
}

static void share_results(Planner *pl, const Step *s, const IrBlock *b) {
  for (int i = 0; i < s->ops.count; i++) {
    const Op *op = s->ops.data[i];
    bool shared = plan_of(op)->loc != PLAN_ARENA || plan_of(op)->buffer < 0;
    for (int m = 0; m < s->ops.count && !shared; m++)
      for (int k = 0; k < s->ops.data[m]->args.count && !shared; k++)
        shared = share_result(pl, s, op, s->ops.data[m]->args.data[k], b);
  }
}

static const Step *step_at(const PlanBlock *pb, int time) {
  for (int i = 0; i < pb->steps.count; i++)
    if (pb->steps.data[i].time == time)
      return &pb->steps.data[i];
  return NULL;
}

/* Is the parameter free when the yielded value is made, or read element by element by the loop that makes it? */
static bool is_home_free(const Planner *pl, const PlanBlock *pb, const Op *param, const Buffer *made) {
  int buffer = find(pl, plan_of(param)->buffer);
  int end = pl->buffers.data[buffer].end;
  const Step *s = step_at(pb, made->start);
  return end < made->start ||
         (end == made->start && s && s->kind == STEP_LOOP && reads_in_step(pl, s, physical(pl, buffer)));
}

/* Makes yield k in its home, if the home is free from the time on at which the yielded value is made. */
static void share_yield(Planner *pl, Op *control, IrBlock *b, const PlanBlock *pb, int k) {
  PlanValue *c = plan_of(control), *v = plan_of(b->yields.data[k]);
  if (c->homes[k].slot >= 0 || v->buffer < 0 || v->loc != PLAN_ARENA)
    return;
  Buffer *y = &pl->buffers.data[find(pl, v->buffer)];
  if (y->fixed >= 0 || y->block != b || y->words != pl->buffers.data[c->homes[k].buffer].words)
    return;
  if (is_loop(control) && !is_home_free(pl, pb, b->params.data[k + (control->kind == OP_FOR)], y))
    return;
  y->fixed = c->homes[k].buffer;
}

static void share_block(Planner *pl, IrBlock *b, PlanBlock *pb);

static void share_control(Planner *pl, Op *op) {
  PlanValue *v = plan_of(op);
  for (int i = 0; i < op->blocks.count; i++)
    share_block(pl, op->blocks.data[i], v->blocks[i]);
  for (int i = op->kind == OP_WHILE; i < op->blocks.count; i++)
    for (int k = 0; k < v->home_count; k++)
      share_yield(pl, op, op->blocks.data[i], v->blocks[i], k);
}

static void share_block(Planner *pl, IrBlock *b, PlanBlock *pb) {
  for (int i = 0; i < pb->steps.count; i++) {
    Step *s = &pb->steps.data[i];
    if (s->kind == STEP_LOOP)
      share_results(pl, s, b);
    else if (s->kind != STEP_OP)
      continue;
    else if (s->ops.data[0]->kind == OP_UPDATE)
      share_update(pl, s->ops.data[0], b, s->time);
    else if (s->ops.data[0]->blocks.count)
      share_control(pl, s->ops.data[0]);
  }
}

/* ---- copies at the ends of blocks ------------------------------------------------------------ */

/* The static place of a value: its physical buffer and the words in front of it there. False: known at run
 * time only. */
static bool place_of(const Planner *pl, const Op *op, int *buffer, int64_t *words) {
  *words = 0;
  for (const PlanValue *v = plan_of(op);; op = v->alias, v = plan_of(op)) {
    *buffer = v->buffer < 0 ? -1 : physical(pl, v->buffer);
    if (v->loc == PLAN_VIEW)
      return false;
    if (v->loc != PLAN_ALIAS)
      return true;
    *words += v->alias_words;
  }
}

static void list_copies(Planner *pl, Op *control, IrBlock *b, PlanBlock *pb) {
  PlanValue *c = plan_of(control);
  for (int k = 0; k < c->home_count; k++) {
    if (c->homes[k].slot >= 0)
      continue;
    int buffer;
    int64_t words;
    bool known = place_of(pl, b->yields.data[k], &buffer, &words);
    if (known && buffer == physical(pl, c->homes[k].buffer) && words == 0)
      continue;
    VEC_PUSH(pl->arena, &pb->copies, ((PlanCopy){.from = b->yields.data[k], .k = k, .temp = -1}));
  }
  for (int i = 0; i < pb->copies.count; i++) {
    PlanCopy *p = &pb->copies.data[i];
    int buffer;
    int64_t words;
    (void)place_of(pl, p->from, &buffer, &words);
    for (int j = 0; j < pb->copies.count && !p->through_temp; j++)
      p->through_temp = buffer >= 0 && buffer == physical(pl, c->homes[pb->copies.data[j].k].buffer);
    if (p->through_temp)
      p->temp = new_buffer(pl, shape_count(&p->from->type.shape), pb->end_time, b);
  }
}

static void copies_block(Planner *pl, PlanBlock *pb) {
  for (int i = 0; i < pb->steps.count; i++) {
    Op *op = pb->steps.data[i].ops.data[0];
    for (int k = 0; k < op->blocks.count; k++) {
      copies_block(pl, plan_of(op)->blocks[k]);
      if (op->kind != OP_WHILE || k == 1)
        list_copies(pl, op, op->blocks.data[k], plan_of(op)->blocks[k]);
    }
  }
}

/* ---- allocate -------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b) {
  const Buffer *x = *(Buffer *const *)a, *y = *(Buffer *const *)b;
  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  return x < y ? -1 : x > y;
}

static int64_t aligned(int64_t words) {
  return words < ALIGN_WORDS ? words : (words + ALIGN_WORDS - 1) / ALIGN_WORDS * ALIGN_WORDS;
}

/* First fit; `live` is ordered by offset. */
static int64_t place(Buffer **live, int *count, Buffer *b) {
  int kept = 0;
  for (int i = 0; i < *count; i++)
    if (live[i]->end >= b->start)
      live[kept++] = live[i];
  int64_t at = 0;
  int i = 0;
  for (; i < kept; i++) {
    if (at + b->words <= live[i]->offset)
      break;
    int64_t behind = live[i]->offset + live[i]->words;
    at = b->words < ALIGN_WORDS ? behind : (behind + ALIGN_WORDS - 1) / ALIGN_WORDS * ALIGN_WORDS;
  }
  for (int j = kept; j > i; j--)
    live[j] = live[j - 1];
  live[i] = b;
  *count = kept + 1;
  b->offset = at;
  return at + aligned(b->words);
}

static int64_t allocate(Planner *pl) {
  Buffer **order = ARENA_ARRAY(pl->arena, Buffer *, pl->buffers.count + 1);
  Buffer **live = ARENA_ARRAY(pl->arena, Buffer *, pl->buffers.count + 1);
  int n = 0, live_count = 0;
  for (int i = 0; i < pl->buffers.count; i++)
    if (pl->buffers.data[i].merged < 0 && pl->buffers.data[i].fixed < 0)
      order[n++] = &pl->buffers.data[i];
  qsort(order, (size_t)n, sizeof *order, by_start);
  int64_t words = 0;
  for (int i = 0; i < n; i++) {
    int64_t end = place(live, &live_count, order[i]);
    if (end > words)
      words = end;
  }
  return words;
}

static int64_t offset_of(const Planner *pl, int buffer) {
  return pl->buffers.data[physical(pl, buffer)].offset;
}

static void place_values(Planner *pl, IrBlock *b) {
  for (int i = 0; i < b->params.count; i++)
    if (plan_of(b->params.data[i])->buffer >= 0)
      plan_of(b->params.data[i])->offset = offset_of(pl, plan_of(b->params.data[i])->buffer);
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    PlanValue *v = plan_of(op);
    if (v->buffer >= 0)
      v->offset = offset_of(pl, v->buffer);
    for (int k = 0; k < v->home_count; k++)
      if (v->homes[k].buffer >= 0)
        v->homes[k].offset = offset_of(pl, v->homes[k].buffer);
    for (int k = 0; k < v->packs.count; k++)
      v->packs.data[k]->offset = offset_of(pl, v->packs.data[k]->buffer);
    for (int k = 0; k < op->blocks.count; k++) {
      PlanBlock *pb = v->blocks[k];
      place_values(pl, op->blocks.data[k]);
      for (int c = 0; c < pb->copies.count; c++)
        if (pb->copies.data[c].through_temp)
          pb->copies.data[c].temp_offset = offset_of(pl, pb->copies.data[c].temp);
    }
  }
}

static int by_offset(const void *a, const void *b) {
  const PlanRange *x = a, *y = b;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

/* What a checkpoint must keep: every buffer whose time it falls into. */
static void list_live(const Planner *pl, Op *checkpoint) {
  PlanValue *v = plan_of(checkpoint);
  for (int i = 0; i < pl->buffers.count; i++) {
    const Buffer *b = &pl->buffers.data[i];
    if (b->merged < 0 && b->fixed < 0 && b->start <= v->end_time && v->end_time <= b->end)
      VEC_PUSH(pl->arena, &v->live, ((PlanRange){b->offset, b->words}));
  }
  if (v->live.count > 0)
    qsort(v->live.data, (size_t)v->live.count, sizeof *v->live.data, by_offset);
}

static void live_block(const Planner *pl, IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    if (b->ops.data[i]->kind == OP_CHECKPOINT)
      list_live(pl, b->ops.data[i]);
    for (int k = 0; k < b->ops.data[i]->blocks.count; k++)
      live_block(pl, b->ops.data[i]->blocks.data[k]);
  }
}

/* Operands of a fused loop that it makes itself, each counted once. */
static int pieces_of(const Step *s) {
  const Op *list[MAX_OPERANDS];
  int n = 0;
  for (int i = 0; i < s->ops.count; i++)
    for (int k = 0; k < s->ops.data[i]->args.count; k++) {
      const Op *x = s->ops.data[i]->args.data[k];
      bool known = plan_of(x)->loc != PLAN_PIECES;
      for (int j = 0; j < n && !known; j++)
        known = list[j] == x;
      if (!known)
        list[n++] = x;
    }
  return n;
}

static int most_pieces(const PlanBlock *pb) {
  int most = 0;
  for (int i = 0; i < pb->steps.count; i++) {
    const Step *s = &pb->steps.data[i];
    int n = s->kind == STEP_LOOP ? pieces_of(s) : 0;
    for (int k = 0; s->kind == STEP_OP && k < s->ops.data[0]->blocks.count; k++) {
      int inner = most_pieces(plan_of(s->ops.data[0])->blocks[k]);
      n = inner > n ? inner : n;
    }
    most = n > most ? n : most;
  }
  return most;
}

Plan *plan_make(Program *party) {
  assert(party->self >= 0);
  Planner pl = {.program = party, .arena = party->arena};
  Plan *plan = pl.plan = ARENA_NEW(party->arena, Plan);
  ir_walk(party->body, forget_operands, NULL);
  note_block(&pl, party->body);
  plan_products(party);
  mark_splats(party->body);
  plan->body = schedule(&pl, party->body);
  mark_reads(party->body);
  use_block(&pl, party->body, plan->body);
  share_block(&pl, party->body, plan->body);
  copies_block(&pl, plan->body);
  plan->scratch = aligned(allocate(&pl));
  int pieces = most_pieces(plan->body);
  plan->draws = plan->scratch + PLAN_PIECE * pieces;
  plan->arena_words = plan->draws + TFE_DRAW_WORDS * pieces;
  place_values(&pl, party->body);
  live_block(&pl, party->body);
  return plan;
}
