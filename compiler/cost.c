/* Exact costs by simulation: all parties at once walk the choreography; only messages and logical clocks are
 * followed.
 *
 * Clocks (Lamport): a message carries its sender's clock + 1, the receiver's clock becomes the larger of its
 * own and that. All messages of one level of a block are sent before any of them is received.
 *
 * Values are followed only where they decide something (bounds, conditions): `relevant` operations. A loop
 * none of whose parameters is relevant does the same in every pass. Its clocks then evolve by additions and
 * maxima of the same places, so once two passes have added the same to every clock, and every maximum was won
 * by the same side, it goes on like that until a slower winner is overtaken; the number of passes until then
 * is computed and multiplied out, exactly. To allow this in nested loops each maximum is logged as an event;
 * of passes that were multiplied out, the last.
 *
 * Where something is not known before the run, one pass is counted of a loop and the dearer side of a branch,
 * and Cost.known is false.
 */
#include "cost.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "pass.h"

enum { HEADER_BYTES = 16, LOG_LIMIT = 1 << 22 };

/* Counters of a party; of a line: see line_counter. */
enum { SENT, SENT_BYTES, RECEIVED, RECEIVED_BYTES, PARTY_COUNTERS };
enum { LINE_ROUNDS, LINE_MESSAGES, LINE_BYTES }; /* LINE_BYTES + party */

typedef struct Event {
  int64_t own, message;
} Event;

typedef struct Sim {
  const Program *p;
  Cost *cost;
  int parties;
  /* clocks: own of each party, largest sent of each party, largest of all */
  int64_t *clock;
  int clocks;
  /* everything that is added up, in one array: parties, lines, passes of loops */
  int64_t *count;
  int counts;
  int *line_of;   /* by id of a SEND */
  bool *relevant; /* by id */
  bool *known;    /* by id: value is valid */
  uint64_t *value;
  VEC(const Op *) loops;
  bool is_known;
  Event *log;
  int log_count, log_capacity;
  int logging; /* number of loops that want the log */
  bool log_full;
} Sim;

int64_t cost_payload(const IrType *t) {
  int64_t bits = t->elem == EL_RING ? t->bits : t->elem == EL_BOOL ? 1 : 64;
  return (shape_count(&t->shape) * bits + 7) / 8;
}

static int64_t *party_counter(Sim *s, int party) {
  return s->count + party * PARTY_COUNTERS;
}

static int line_size(const Sim *s) {
  return LINE_BYTES + s->parties;
}

static int64_t *line_counter(Sim *s, int line) {
  return s->count + s->parties * PARTY_COUNTERS + line * line_size(s);
}

static int64_t *passes_of(Sim *s, int loop) {
  return s->count + s->parties * PARTY_COUNTERS + s->cost->lines.count * line_size(s) + loop;
}

static int loop_index(const Sim *s, const Op *op) {
  for (int i = 0; i < s->loops.count; i++)
    if (s->loops.data[i] == op)
      return i;
  assert(false && "not a loop of this program");
  return -1;
}

static void *new_array(size_t n, size_t size) {
  void *a = calloc(n + 1, size);
  assert(a);
  return a;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

static bool same_line(Span a, Span b) {
  return a.source == b.source && (!a.source || source_line(a) == source_line(b));
}

static int line_for(Sim *s, int parent, Span span) {
  for (int i = 0; i < s->cost->lines.count; i++) {
    CostLine *l = &s->cost->lines.data[i];
    if (l->parent != parent || !same_line(l->span, span))
      continue;
    l->several |= l->span.start != span.start || l->span.end != span.end;
    return i;
  }
  CostLine l = {
      .span = span, .parent = parent, .depth = parent < 0 ? 0 : s->cost->lines.data[parent].depth + 1};
  l.bytes_sent = ARENA_ARRAY(s->p->arena, int64_t, s->parties + 1);
  VEC_PUSH(s->p->arena, &s->cost->lines, l);
  return s->cost->lines.count - 1;
}

static int line_of_site(Sim *s, const Site *site) {
  if (!site)
    return line_for(s, -1, (Span){0});
  return line_for(s, site->caller ? line_of_site(s, site->caller) : -1, site->span);
}

/* ---- what decides -------------------------------------------------------------------------------------- */

static bool is_scalar(const Op *op) {
  return op->type.elem != EL_NONE && op->type.elem != EL_RING && op->type.shape.rank == 0;
}

static int param_slot(const Op *arg) {
  int i = 0;
  while (arg->parent->params.data[i] != arg)
    i++;
  return i;
}

static void mark_relevant(Sim *s, const Op *op);

static void mark_carried(Sim *s, const Op *control, int k) {
  int first_param = control->kind == OP_FOR ? 1 : 0, first_init = control->kind == OP_FOR ? 2 : 0;
  mark_relevant(s, control->args.data[first_init + k]);
  for (int i = 0; i < control->blocks.count; i++)
    mark_relevant(s, control->blocks.data[i]->params.data[first_param + k]);
  mark_relevant(s, control->blocks.data[control->blocks.count - 1]->yields.data[k]);
}

static void mark_relevant(Sim *s, const Op *op) {
  if (s->relevant[op->id] || !is_scalar(op))
    return;
  s->relevant[op->id] = true;
  if (op->kind == OP_ARG) {
    int k = param_slot(op) - (op->parent->owner->kind == OP_FOR);
    if (k >= 0)
      mark_carried(s, op->parent->owner, k);
    return;
  }
  if (op->kind != OP_RESULT) {
    for (int i = 0; i < op->args.count; i++)
      mark_relevant(s, op->args.data[i]);
    return;
  }
  const Op *control = op->args.data[0];
  int k = (int)op->ints.data[0];
  if (control->kind != OP_IF)
    mark_carried(s, control, k);
  for (int i = 0; i < 2 && control->kind == OP_IF; i++)
    mark_relevant(s, control->blocks.data[i]->yields.data[k]);
}

static void gather_op(Op *op, void *data) {
  Sim *s = data;
  if (op->kind == OP_SEND)
    s->line_of[op->id] = line_of_site(s, op->site);
  if (op->kind == OP_IF)
    mark_relevant(s, op->args.data[0]);
  if (op->kind == OP_FOR) {
    mark_relevant(s, op->args.data[0]);
    mark_relevant(s, op->args.data[1]);
  }
  if (op->kind == OP_WHILE)
    mark_relevant(s, op->blocks.data[0]->yields.data[0]);
  if (op->kind == OP_FOR || op->kind == OP_WHILE)
    VEC_PUSH(s->p->arena, &s->loops, op);
}

/* ---- values -------------------------------------------------------------------------------------------- */

static void set_value(Sim *s, const Op *op, bool known, uint64_t value) {
  s->known[op->id] = known;
  s->value[op->id] = value;
}

static void copy_value(Sim *s, const Op *to, const Op *from) {
  if (s->relevant[to->id])
    set_value(s, to, s->known[from->id], s->value[from->id]);
}

static void evaluate(Sim *s, const Op *op) {
  uint64_t out = 0, arg[3] = {0};
  bool known = op->args.count <= 3;
  for (int i = 0; i < op->args.count && known; i++) {
    known = s->known[op->args.data[i]->id];
    arg[i] = s->value[op->args.data[i]->id];
  }
  if (op->kind == OP_CONST)
    out = op->data[0];
  else if (!known || op->args.count == 0)
    known = false;
  else if (op->kind == OP_SEND || op->kind == OP_RESHAPE)
    out = arg[0];
  else if (op->kind == OP_SELECT)
    out = arg[0] ? arg[1] : arg[2];
  else
    known =
        op_info[op->kind].class == OPC_EW && op->args.count <= 2 && pass_fold_value(op, arg[0], arg[1], &out);
  set_value(s, op, known, out);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

static void log_event(Sim *s, int64_t own, int64_t message) {
  if (!s->logging || s->log_full)
    return;
  if (s->log_count == s->log_capacity) {
    s->log_full = s->log_capacity >= LOG_LIMIT;
    if (s->log_full)
      return;
    s->log_capacity = s->log_capacity ? 2 * s->log_capacity : 1024;
    s->log = realloc(s->log, (size_t)s->log_capacity * sizeof *s->log);
    assert(s->log);
  }
  s->log[s->log_count++] = (Event){own, message};
}

static void raise_clock(Sim *s, int64_t *clock, int64_t message) {
  log_event(s, *clock, message);
  if (*clock < message)
    *clock = message;
}

static void count_send(Sim *s, const Op *op, bool first_part) {
  int from = (int)op->ints.data[0], to = (int)op->ints.data[1];
  int64_t bytes = cost_payload(&op->type) + (first_part ? HEADER_BYTES : 0);
  int64_t *line = line_counter(s, s->line_of[op->id]);
  line[LINE_MESSAGES] += first_part;
  line[LINE_BYTES + from] += bytes;
  party_counter(s, from)[SENT] += first_part;
  party_counter(s, from)[SENT_BYTES] += bytes;
  party_counter(s, to)[RECEIVED] += first_part;
  party_counter(s, to)[RECEIVED_BYTES] += bytes;
}

/* The messages of one level, ops[at] .. ops[end - 1]. */
static void run_level(Sim *s, const IrBlock *b, int at, int end) {
  int64_t *clock = s->clock, *largest_sent = s->clock + s->parties, *largest = s->clock + 2 * s->parties;
  for (int i = at; i < end; i++) {
    const Op *op = b->ops.data[i];
    bool first_part = i == at || b->ops.data[i - 1]->message != op->message;
    count_send(s, op, first_part);
    if (!first_part)
      continue;
    int64_t message = clock[op->ints.data[0]] + 1, before = *largest;
    largest_sent[op->ints.data[0]] = message;
    raise_clock(s, largest, message);
    line_counter(s, s->line_of[op->id])[LINE_ROUNDS] += *largest - before;
  }
  for (int i = at; i < end; i++) {
    const Op *op = b->ops.data[i];
    if (i == at || b->ops.data[i - 1]->message != op->message)
      raise_clock(s, &clock[op->ints.data[1]], largest_sent[op->ints.data[0]]);
  }
}

static int level_end(const IrBlock *b, int at) {
  int end = at;
  while (end < b->ops.count && b->ops.data[end]->kind == OP_SEND &&
         b->ops.data[end]->level == b->ops.data[at]->level)
    end++;
  return end;
}

/* ---- loops --------------------------------------------------------------------------------------------- */

static void run_block(Sim *s, const IrBlock *b);

static void find_message(Op *op, void *data) {
  int64_t *bytes = data;
  if (op->kind == OP_SEND)
    *bytes += cost_payload(&op->type) + HEADER_BYTES;
}

static int64_t bytes_in(const IrBlock *b) {
  int64_t bytes = 0;
  ir_walk((IrBlock *)(uintptr_t)b, find_message, &bytes);
  return bytes;
}

static void mark_per_pass(Op *op, void *data) {
  Sim *s = data;
  if (op->kind == OP_SEND)
    s->cost->lines.data[s->line_of[op->id]].per_pass = true;
}

static void not_known(Sim *s, const Op *op) {
  s->is_known = false;
  for (int i = 0; i < op->blocks.count && op->kind != OP_IF; i++)
    ir_walk(op->blocks.data[i], mark_per_pass, s);
}

static void start_carried(Sim *s, const Op *op) {
  int first_param = op->kind == OP_FOR ? 1 : 0, first_init = op->kind == OP_FOR ? 2 : 0;
  for (int i = 0; i < op->blocks.count; i++)
    for (int k = first_init; k < op->args.count; k++)
      copy_value(s, op->blocks.data[i]->params.data[first_param + k - first_init], op->args.data[k]);
}

static void next_carried(Sim *s, const Op *op) {
  const IrBlock *body = op->blocks.data[op->blocks.count - 1];
  int n = body->yields.count;
  uint64_t *value = new_array((size_t)n, sizeof *value);
  bool *known = new_array((size_t)n, sizeof *known);
  for (int k = 0; k < n; k++) {
    value[k] = s->value[body->yields.data[k]->id];
    known[k] = s->known[body->yields.data[k]->id];
  }
  for (int i = 0; i < op->blocks.count; i++)
    for (int k = 0; k < n; k++)
      set_value(s, op->blocks.data[i]->params.data[k + (op->kind == OP_FOR)], known[k], value[k]);
  free(value);
  free(known);
}

static void forget_carried(Sim *s, const Op *op) {
  for (int i = 0; i < op->blocks.count; i++)
    for (int k = 0; k < op->blocks.data[i]->params.count; k++)
      s->known[op->blocks.data[i]->params.data[k]->id] = false;
}

/* What the last pass added, and its events. */
typedef struct Pass {
  int64_t *clock, *count; /* before it; afterwards: what it added */
  Event *events;
  int event_count;
} Pass;

static Pass pass_begin(const Sim *s) {
  Pass p = {0};
  p.clock = new_array((size_t)s->clocks, sizeof *p.clock);
  p.count = new_array((size_t)s->counts, sizeof *p.count);
  memcpy(p.clock, s->clock, (size_t)s->clocks * sizeof *p.clock);
  memcpy(p.count, s->count, (size_t)s->counts * sizeof *p.count);
  return p;
}

static void pass_end(const Sim *s, Pass *p, int log_start) {
  for (int i = 0; i < s->clocks; i++)
    p->clock[i] = s->clock[i] - p->clock[i];
  for (int i = 0; i < s->counts; i++)
    p->count[i] = s->count[i] - p->count[i];
  p->event_count = s->log_count - log_start;
  p->events = new_array((size_t)p->event_count, sizeof *p->events);
  if (p->event_count)
    memcpy(p->events, s->log + log_start, (size_t)p->event_count * sizeof *p->events);
}

static void pass_free(Pass *p) {
  free(p->clock);
  free(p->count);
  free(p->events);
  *p = (Pass){0};
}

static int sign_of(int64_t x) {
  return (x > 0) - (x < 0);
}

/* For how many further passes each maximum is won by the side that won it in both passes; `limit` at most. */
static int64_t steady_passes(const Pass *last, const Pass *now, int clocks, int64_t limit) {
  if (last->event_count != now->event_count ||
      memcmp(last->clock, now->clock, (size_t)clocks * sizeof *now->clock) != 0)
    return 0;
  for (int i = 0; i < now->event_count && limit > 0; i++) {
    Event a = last->events[i], b = now->events[i];
    int64_t lead = b.own - b.message, before = a.own - a.message;
    int64_t growth = lead - before; /* of own's lead, per pass */
    if (sign_of(lead) * sign_of(before) < 0)
      return 0;
    if (lead == 0 && before != 0)
      return 0; /* the sides meet just now: the winner changes */
    if (lead != 0 && sign_of(growth) == -sign_of(lead) && llabs(lead) / llabs(growth) < limit)
      limit = llabs(lead) / llabs(growth);
  }
  return limit;
}

static void multiply_out(Sim *s, const Pass *last, const Pass *now, int64_t passes) {
  for (int i = 0; i < s->clocks; i++)
    s->clock[i] += passes * now->clock[i];
  for (int i = 0; i < s->counts; i++)
    s->count[i] += passes * now->count[i];
  for (int i = 0; i < now->event_count; i++) {
    Event a = last->events[i], b = now->events[i];
    log_event(s, b.own + passes * (b.own - a.own), b.message + passes * (b.message - a.message));
  }
}

/* A loop whose passes are all alike. */
static void run_alike(Sim *s, const IrBlock *body, int64_t *passes, int64_t n) {
  Pass last = {0};
  int outer_start = s->log_count;
  s->logging++;
  for (int64_t i = 0; i < n;) {
    int start = s->log_count;
    Pass now = pass_begin(s);
    *passes += 1;
    run_block(s, body);
    pass_end(s, &now, start);
    i++;
    int64_t skip = last.clock && !s->log_full ? steady_passes(&last, &now, s->clocks, n - i) : 0;
    if (skip > 0) {
      multiply_out(s, &last, &now, skip);
      i += skip;
    }
    pass_free(&last);
    last = now;
    if (skip > 0) /* the next attempt needs two fresh passes */
      pass_free(&last);
    if (s->logging == 1) {
      s->log_count = outer_start;
      s->log_full = false;
    }
  }
  pass_free(&last);
  s->logging--;
}

static bool is_alike(const Sim *s, const Op *op) {
  const IrBlock *body = op->blocks.data[0];
  for (int i = 0; i < body->params.count; i++)
    if (s->relevant[body->params.data[i]->id])
      return false;
  return true;
}

static void run_for(Sim *s, const Op *op) {
  const Op *low = op->args.data[0], *high = op->args.data[1];
  const IrBlock *body = op->blocks.data[0];
  int64_t *passes = passes_of(s, loop_index(s, op));
  bool known = s->known[low->id] && s->known[high->id];
  int64_t first = (int64_t)s->value[low->id], n = known ? (int64_t)s->value[high->id] - first : 1;
  if (!known && bytes_in(body) == 0) {
    forget_carried(s, op);
    return;
  }
  if (!known)
    not_known(s, op);
  start_carried(s, op);
  if (known && is_alike(s, op)) {
    if (bytes_in(body) > 0)
      run_alike(s, body, passes, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    *passes += 1;
    set_value(s, body->params.data[0], known, (uint64_t)(first + i));
    run_block(s, body);
    next_carried(s, op);
  }
  if (!known)
    forget_carried(s, op);
}

static void run_while(Sim *s, const Op *op) {
  const IrBlock *test = op->blocks.data[0], *body = op->blocks.data[1];
  const Op *condition = test->yields.data[0];
  int64_t *passes = passes_of(s, loop_index(s, op));
  start_carried(s, op);
  for (int64_t i = 0;; i++) {
    run_block(s, test);
    if (s->known[condition->id] && !s->value[condition->id])
      return;
    *passes += 1;
    run_block(s, body);
    if (!s->known[condition->id] || i >= LOG_LIMIT)
      break;
    next_carried(s, op);
  }
  if (bytes_in(test) + bytes_in(body) > 0)
    not_known(s, op);
  forget_carried(s, op);
}

static void run_if(Sim *s, const Op *op) {
  const Op *condition = op->args.data[0];
  int side = 0;
  if (s->known[condition->id]) {
    side = s->value[condition->id] ? 0 : 1;
  } else {
    int64_t bytes[2] = {bytes_in(op->blocks.data[0]), bytes_in(op->blocks.data[1])};
    side = bytes[1] > bytes[0];
    if (bytes[side] > 0)
      not_known(s, op);
  }
  run_block(s, op->blocks.data[side]);
}

static void take_result(Sim *s, const Op *op) {
  const Op *control = op->args.data[0];
  int k = (int)op->ints.data[0];
  if (control->kind != OP_IF) {
    copy_value(s, op, control->blocks.data[0]->params.data[control->kind == OP_FOR ? k + 1 : k]);
    return;
  }
  const Op *condition = control->args.data[0];
  if (s->known[condition->id])
    copy_value(s, op, control->blocks.data[s->value[condition->id] ? 0 : 1]->yields.data[k]);
  else
    set_value(s, op, false, 0);
}

static void run_block(Sim *s, const IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++) {
    const Op *op = b->ops.data[i];
    switch (op->kind) {
    case OP_FOR: run_for(s, op); break;
    case OP_WHILE: run_while(s, op); break;
    case OP_IF: run_if(s, op); break;
    case OP_SEND: {
      int end = level_end(b, i);
      run_level(s, b, i, end);
      for (; i < end; i++)
        if (s->relevant[b->ops.data[i]->id])
          evaluate(s, b->ops.data[i]);
      i--;
      break;
    }
    case OP_RESULT:
      if (s->relevant[op->id])
        take_result(s, op);
      break;
    default:
      if (s->relevant[op->id])
        evaluate(s, op);
      break;
    }
  }
}

/* ---- the result ---------------------------------------------------------------------------------------- */

static int site_depth(const Site *site) {
  int depth = 0;
  for (; site && site->caller; site = site->caller)
    depth++;
  return depth;
}

/* How often the line at `depth` runs that holds the operation: the passes of the innermost loop around the
 * operation that is written in a function at that depth or further out. */
static int64_t times_at_depth(Sim *s, const Op *op, int depth) {
  for (const Op *control = op->parent->owner; control; control = control->parent->owner)
    if (control->kind != OP_IF && site_depth(control->site) <= depth)
      return *passes_of(s, loop_index(s, control));
  return 1;
}

static void set_times(Op *op, void *data) {
  Sim *s = data;
  if (op->kind != OP_SEND)
    return;
  for (int k = s->line_of[op->id]; k >= 0; k = s->cost->lines.data[k].parent) {
    CostLine *l = &s->cost->lines.data[k];
    int64_t times = times_at_depth(s, op, l->depth);
    l->times = times > l->times ? times : l->times;
  }
}

static void finish_lines(Sim *s) {
  Cost *c = s->cost;
  ir_walk(s->p->body, set_times, s);
  for (int i = 0; i < c->lines.count; i++) {
    const int64_t *line = line_counter(s, i);
    for (int k = i; k >= 0; k = c->lines.data[k].parent) {
      CostLine *l = &c->lines.data[k];
      l->rounds += line[LINE_ROUNDS];
      l->messages += line[LINE_MESSAGES];
      l->per_pass |= c->lines.data[i].per_pass && k == i;
      for (int q = 0; q < s->parties; q++) {
        l->bytes_sent[q] += line[LINE_BYTES + q];
        l->bytes += line[LINE_BYTES + q];
      }
    }
  }
}

static void finish_parties(Sim *s) {
  Cost *c = s->cost;
  c->party = ARENA_ARRAY(s->p->arena, CostParty, s->parties + 1);
  for (int i = 0; i < s->parties; i++) {
    const int64_t *n = party_counter(s, i);
    int64_t received = s->clock[i], sent = s->clock[s->parties + i];
    c->party[i] = (CostParty){received > sent ? received : sent, n[SENT], n[SENT_BYTES], n[RECEIVED],
                              n[RECEIVED_BYTES]};
    c->messages += n[SENT];
    c->bytes += n[SENT_BYTES];
  }
  c->rounds = s->clock[2 * s->parties];
  c->known = s->is_known;
}

/* Callers before callees, lines of one file in their order. */
static void sort_lines(const Program *p, Cost *c) {
  VEC(CostLine) sorted = {0};
  int *place = ARENA_ARRAY(p->arena, int, c->lines.count + 1); /* new position + 1 */
  for (int n = 0; n < c->lines.count; n++) {
    int best = -1;
    for (int i = 0; i < c->lines.count; i++) {
      const CostLine *l = &c->lines.data[i], *b = best < 0 ? NULL : &c->lines.data[best];
      if (place[i] || (l->parent >= 0 && !place[l->parent]))
        continue;
      bool deeper = b && l->depth > b->depth;
      bool earlier = b && l->depth == b->depth && l->parent == b->parent &&
                     l->span.source == b->span.source && l->span.start < b->span.start;
      bool later_parent =
          b && l->depth == b->depth && l->parent != b->parent && place[l->parent] > place[b->parent];
      if (!b || deeper || earlier || later_parent)
        best = i;
    }
    place[best] = n + 1;
    VEC_PUSH(p->arena, &sorted, c->lines.data[best]);
  }
  for (int i = 0; i < sorted.count; i++)
    if (sorted.data[i].parent >= 0)
      sorted.data[i].parent = place[sorted.data[i].parent] - 1;
  memcpy(&c->lines, &sorted, sizeof sorted);
}

Cost *cost_of(const Program *p) {
  Sim s = {.p = p, .parties = p->party_count, .is_known = true};
  size_t ids = (size_t)p->next_id;
  s.cost = ARENA_NEW(p->arena, Cost);
  s.line_of = new_array(ids, sizeof *s.line_of);
  s.relevant = new_array(ids, sizeof *s.relevant);
  s.known = new_array(ids, sizeof *s.known);
  s.value = new_array(ids, sizeof *s.value);
  ir_walk(p->body, gather_op, &s);
  s.clocks = 2 * s.parties + 1;
  s.clock = new_array((size_t)s.clocks, sizeof *s.clock);
  s.counts = s.parties * PARTY_COUNTERS + s.cost->lines.count * line_size(&s) + s.loops.count;
  s.count = new_array((size_t)s.counts, sizeof *s.count);
  run_block(&s, p->body);
  finish_parties(&s);
  finish_lines(&s);
  sort_lines(p, s.cost);
  free(s.line_of);
  free(s.relevant);
  free(s.known);
  free(s.value);
  free(s.clock);
  free(s.count);
  free(s.log);
  return s.cost;
}

const int64_t *cost_expected(const Cost *c, const Program *p, int decl) {
  const PartyDecl *d = &p->parties.data[decl];
  int64_t *out = ARENA_ARRAY(p->arena, int64_t, d->count * 5 + 1);
  for (int i = 0; i < d->count; i++) {
    const CostParty *q = &c->party[d->first + i];
    out[5 * i] = q->rounds;
    out[5 * i + 1] = q->messages_sent;
    out[5 * i + 2] = q->bytes_sent;
    out[5 * i + 3] = q->messages_received;
    out[5 * i + 4] = q->bytes_received;
  }
  return out;
}
