/* Random choreographies are interpreted three times: as built, after all passes, and as projected programs of
 * which each party runs its own in a thread, with real queues between them. All must show the same effects at
 * every party, and messages, bytes and clocks of the last must be what cost.c says.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "../../compiler/cost.h"
#include "../../compiler/project.h"
#include "ir_builder.h"

enum { PARTIES = 5, MAX_LOG = 4000, MAX_QUEUE = 4000 };

/* ---- random programs ----------------------------------------------------------------------------------- */

typedef struct Maker {
  Program *p;
  unsigned seed;
  Op *pool[400]; /* ints that are visible */
  int count;
} Maker;

static int pick(Maker *m, int n) {
  m->seed = m->seed * 1664525u + 1013904223u;
  return (int)((m->seed >> 12) % (unsigned)n);
}

static Op *keep(Maker *m, Op *op) {
  if (m->count < 400)
    m->pool[m->count++] = op;
  return op;
}

static Op *any_value(Maker *m) {
  return m->pool[pick(m, m->count)];
}

static Op *any_public(Maker *m, IrBlock *b) {
  Op *v = any_value(m);
  return party_equal(v->where, everybody(m->p)) ? v : mk_publish(m->p, b, v);
}

static void make_local(Maker *m, IrBlock *b) {
  static const OpKind kinds[] = {OP_ADD, OP_SUB, OP_MUL, OP_MIN2, OP_MAX2};
  Op *x = any_value(m), *y = any_value(m);
  PartySet where = party_and(x->where, y->where);
  if (party_empty(where))
    return;
  if (pick(m, 4) == 0)
    where = at(party_first(where));
  keep(m, mk(m->p, b, kinds[pick(m, 5)], INT, where, 2, x, y));
}

static void make_send(Maker *m, IrBlock *b) {
  Op *x = any_value(m);
  int to = pick(m, PARTIES), from = party_first(x->where);
  if (pick(m, 2))
    for (int i = from; i >= 0; i = party_next(x->where, i))
      from = pick(m, 2) ? i : from;
  if (from != to)
    keep(m, mk_send(m->p, b, x, from, to));
}

static void make_effect(Maker *m, IrBlock *b) {
  Op *x = any_value(m);
  if (pick(m, 4) == 0)
    mk_print(m->p, b, any_public(m, b));
  else if (pick(m, 3) == 0)
    keep(m, mk_input(m->p, b, INT, pick(m, PARTIES), "x"));
  else
    mk_output(m->p, b, x, party_first(x->where), "y");
}

static void make_block(Maker *m, IrBlock *b, int ops, int depth);

/* What a carried value becomes: something that is where it is. */
static Op *next_value(Maker *m, IrBlock *b, Op *param) {
  Op *y = any_value(m);
  if (pick(m, 6) == 0)
    return party_subset(param->where, y->where) ? y : param;
  for (int i = 0; i < m->count; i++) {
    y = any_value(m);
    if (party_subset(param->where, y->where))
      return mk(m->p, b, pick(m, 2) ? OP_ADD : OP_SUB, INT, param->where, 2, param, y);
  }
  return param;
}

static void add_carried(Maker *m, Op *loop, int n, Op **params) {
  for (int k = 0; k < n; k++) {
    Op *init = any_value(m);
    PartySet where = pick(m, 3) ? init->where : at(party_first(init->where));
    params[k] = mk_carried(m->p, loop, init, where);
  }
}

static void add_results(Maker *m, IrBlock *b, Op *loop, int first, int n, Op **params) {
  for (int k = 0; k < n; k++) {
    Op *r = mk_result(m->p, b, loop, first + k, INT, params[k]->where);
    keep(m, r);
  }
}

/* low, high; sometimes a bound that only the run knows. */
static Op *make_bound(Maker *m, IrBlock *b) {
  if (pick(m, 3))
    return mk_int(m->p, b, pick(m, 5));
  Op *v = any_public(m, b), *four = mk_int(m->p, b, 4);
  return mk(m->p, b, OP_MOD, INT, everybody(m->p), 2, v, four);
}

static void make_for(Maker *m, IrBlock *b, int depth) {
  Op *low = mk_int(m->p, b, pick(m, 2)), *high = make_bound(m, b), *params[3];
  Op *loop = mk(m->p, b, OP_FOR, NO_TYPE, everybody(m->p), 2, low, high);
  IrBlock *body = ir_block(m->p, loop);
  Op *index = ir_arg(m->p, body, INT, NULL);
  index->where = everybody(m->p);
  int n = pick(m, 4), visible = m->count;
  add_carried(m, loop, n, params);
  keep(m, index);
  for (int k = 0; k < n; k++)
    keep(m, params[k]);
  make_block(m, body, 2 + pick(m, 7), depth + 1);
  for (int k = 0; k < n; k++)
    VEC_PUSH(m->p->arena, &body->yields, next_value(m, body, params[k]));
  m->count = visible;
  add_results(m, b, loop, 0, n, params);
}

/* Counts a public value up to a bound. */
static void make_while(Maker *m, IrBlock *b, int depth) {
  Op *zero = mk_int(m->p, b, 0), *bound = make_bound(m, b), *params[4];
  Op *loop = mk(m->p, b, OP_WHILE, NO_TYPE, everybody(m->p), 0);
  IrBlock *test = ir_block(m->p, loop), *body = ir_block(m->p, loop);
  int n = pick(m, 3), visible = m->count;
  Op *counter = mk_carried(m->p, loop, zero, everybody(m->p));
  add_carried(m, loop, n, params);
  for (int k = 0; k < n; k++)
    keep(m, test->params.data[k + 1]);
  make_block(m, test, pick(m, 3), 9);
  VEC_PUSH(m->p->arena, &test->yields,
           mk(m->p, test, OP_LT, BOOL, everybody(m->p), 2, test->params.data[0], bound));
  m->count = visible;
  for (int k = 0; k < n; k++)
    keep(m, params[k]);
  make_block(m, body, 2 + pick(m, 5), depth + 1);
  Op *next = mk(m->p, body, OP_ADD, INT, everybody(m->p), 2, counter, mk_int(m->p, body, 1));
  VEC_PUSH(m->p->arena, &body->yields, next);
  for (int k = 0; k < n; k++)
    VEC_PUSH(m->p->arena, &body->yields, next_value(m, body, params[k]));
  m->count = visible;
  add_results(m, b, loop, 1, n, params);
}

static void make_if(Maker *m, IrBlock *b, int depth) {
  Op *v = any_public(m, b), *limit = mk_int(m->p, b, pick(m, 10));
  Op *condition = mk(m->p, b, OP_LT, BOOL, everybody(m->p), 2, v, limit);
  Op *branch = mk(m->p, b, OP_IF, NO_TYPE, everybody(m->p), 1, condition);
  int n = pick(m, 3), visible = m->count;
  PartySet where[3];
  for (int i = 0; i < 2; i++) {
    IrBlock *side = ir_block(m->p, branch);
    make_block(m, side, pick(m, 6), depth + 1);
    for (int k = 0; k < n; k++) {
      Op *value = any_value(m);
      if (i == 0)
        where[k] = at(party_first(value->where));
      for (int tries = 0; i == 1 && tries < 1000 && !party_subset(where[k], value->where); tries++)
        value = any_value(m);
      if (!party_subset(where[k], value->where))
        value = mk_int(m->p, side, 5);
      VEC_PUSH(m->p->arena, &side->yields, value);
    }
    m->count = visible;
  }
  for (int k = 0; k < n; k++)
    keep(m, mk_result(m->p, b, branch, k, INT, where[k]));
}

static void make_block(Maker *m, IrBlock *b, int ops, int depth) {
  for (int i = 0; i < ops; i++) {
    int kind = pick(m, depth < 3 ? 13 : 10);
    if (kind < 4)
      make_local(m, b);
    else if (kind < 7)
      make_send(m, b);
    else if (kind < 10)
      make_effect(m, b);
    else if (kind == 10)
      make_for(m, b, depth);
    else if (kind == 11)
      make_if(m, b, depth);
    else
      make_while(m, b, depth);
  }
}

/* Parties 0, 1 and 4; 2 and 3 are members of a family. */
static Program *random_program(unsigned seed) {
  Maker m = {.p = PROGRAM("a", "b", "pair*2", "c"), .seed = seed * 7919u + 17u};
  keep(&m, mk_int(m.p, m.p->body, 3));
  for (int i = 0; i < PARTIES; i++)
    keep(&m, mk_input(m.p, m.p->body, INT, i, "x"));
  make_block(&m, m.p->body, 14, 0);
  return m.p;
}

/* ---- running ------------------------------------------------------------------------------------------- */

typedef struct Entry {
  OpKind kind;
  int64_t value;
} Entry;

typedef struct Network Network;

/* One interpreter: of a choreography for all parties (party -1), or of a party's program. */
typedef struct Runner {
  int party;
  Network *net;
  int64_t *value; /* by id */
  int inputs[PARTIES];
  Entry log[PARTIES][MAX_LOG];
  int log_count[PARTIES];
  CostParty cost;
  int64_t clock;
  int last_message; /* number of the message whose parts are being handled */
  int64_t last_clock;
  bool last_sends;
} Runner;

typedef struct Packet {
  int64_t value, clock;
  int message;
} Packet;

typedef struct Queue {
  Packet packet[MAX_QUEUE];
  int head, tail;
} Queue;

struct Network {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  Queue queue[PARTIES][PARTIES];
  bool stuck;
};

static void note(Runner *r, const Op *op, int64_t value) {
  for (int i = 0; i < PARTIES; i++)
    if (party_has(op->where, i) && (r->party < 0 || r->party == i) && r->log_count[i] < MAX_LOG)
      r->log[i][r->log_count[i]++] = (Entry){op->kind, value};
}

static void send_part(Runner *r, const Op *op, int64_t value) {
  bool first = r->last_message != op->message || !r->last_sends;
  int to = (int)op->ints.data[1];
  r->cost.messages_sent += first;
  r->cost.bytes_sent += cost_payload(&op->args.data[0]->type) + (first ? 16 : 0);
  r->cost.rounds = r->clock + 1 > r->cost.rounds ? r->clock + 1 : r->cost.rounds;
  r->last_message = op->message;
  r->last_sends = true;
  pthread_mutex_lock(&r->net->lock);
  Queue *q = &r->net->queue[r->party][to];
  q->packet[q->tail++ % MAX_QUEUE] = (Packet){value, r->clock + 1, op->message};
  pthread_cond_broadcast(&r->net->changed);
  pthread_mutex_unlock(&r->net->lock);
}

static int64_t receive_part(Runner *r, const Op *op) {
  bool first = r->last_message != op->message || r->last_sends;
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  pthread_mutex_lock(&r->net->lock);
  Queue *q = &r->net->queue[op->ints.data[0]][r->party];
  while (q->head == q->tail && !r->net->stuck)
    if (pthread_cond_timedwait(&r->net->changed, &r->net->lock, &until) != 0)
      r->net->stuck = true;
  Packet packet = q->head < q->tail ? q->packet[q->head++ % MAX_QUEUE] : (Packet){0, 0, -1};
  if (packet.message != op->message)
    r->net->stuck = true;
  pthread_mutex_unlock(&r->net->lock);
  r->cost.messages_received += first;
  r->cost.bytes_received += cost_payload(&op->type) + (first ? 16 : 0);
  r->clock = packet.clock > r->clock ? packet.clock : r->clock;
  r->cost.rounds = r->clock > r->cost.rounds ? r->clock : r->cost.rounds;
  r->last_message = op->message;
  r->last_sends = false;
  return packet.value;
}

static int64_t run_send(Runner *r, const Op *op) {
  int64_t operand = op->args.count ? r->value[op->args.data[0]->id] : 0;
  if (r->party < 0)
    return operand;
  if (op->ints.data[2] == PROJECT_SENDS && op->ints.data[0] == r->party)
    send_part(r, op, operand);
  if (op->ints.data[2] == PROJECT_RECEIVES && op->ints.data[1] == r->party)
    return receive_part(r, op);
  return operand;
}

static void run_block(Runner *r, const IrBlock *b);

static void set_params(Runner *r, const IrBlock *b, int first, const int64_t *values) {
  for (int k = first; k < b->params.count; k++)
    r->value[b->params.data[k]->id] = values[k - first];
}

static void run_loop(Runner *r, const Op *op) {
  int64_t carried[32];
  int first = op->kind == OP_FOR ? 1 : 0, bounds = op->kind == OP_FOR ? 2 : 0;
  const IrBlock *test = op->blocks.data[0], *body = op->blocks.data[op->blocks.count - 1];
  int64_t low = bounds ? r->value[op->args.data[0]->id] : 0,
          high = bounds ? r->value[op->args.data[1]->id] : 0;
  for (int k = bounds; k < op->args.count; k++)
    carried[k - bounds] = r->value[op->args.data[k]->id];
  for (int64_t i = low;; i++) {
    set_params(r, test, first, carried);
    set_params(r, body, first, carried);
    if (op->kind == OP_WHILE) {
      run_block(r, test);
      if (!r->value[test->yields.data[0]->id])
        return;
    } else if (i >= high) {
      return;
    } else {
      r->value[body->params.data[0]->id] = i;
    }
    run_block(r, body);
    for (int k = 0; k < body->yields.count; k++)
      carried[k] = r->value[body->yields.data[k]->id];
  }
}

static int64_t run_result(const Runner *r, const Op *op) {
  const Op *control = op->args.data[0];
  int k = (int)op->ints.data[0];
  if (control->kind != OP_IF)
    return r->value[control->blocks.data[0]->params.data[control->kind == OP_FOR ? k + 1 : k]->id];
  return r->value[control->blocks.data[r->value[control->args.data[0]->id] ? 0 : 1]->yields.data[k]->id];
}

static void run_op(Runner *r, const Op *op) {
  uint64_t x = op->args.count ? (uint64_t)r->value[op->args.data[0]->id] : 0, out = 0;
  uint64_t y = op->args.count > 1 ? (uint64_t)r->value[op->args.data[1]->id] : 0;
  switch (op->kind) {
  case OP_CONST: out = op->data[0]; break;
  case OP_INPUT: {
    int party = party_first(op->where);
    if (r->party >= 0 && !party_has(op->where, r->party))
      return;
    out = (uint64_t)(party * 1000 + 7 * r->inputs[party]++);
    note(r, op, (int64_t)out);
    break;
  }
  case OP_OUTPUT:
  case OP_PRINT: note(r, op, (int64_t)x); return;
  case OP_SEND: out = (uint64_t)run_send(r, op); break;
  case OP_FOR:
  case OP_WHILE: run_loop(r, op); return;
  case OP_IF: run_block(r, op->blocks.data[x ? 0 : 1]); return;
  case OP_RESULT: out = (uint64_t)run_result(r, op); break;
  case OP_MOD: out = (uint64_t)(((int64_t)x % (int64_t)y + (int64_t)y) % (int64_t)y); break;
  default: assert_true(pass_fold_value(op, x, y, &out)); break;
  }
  if (op->type.elem != EL_NONE)
    r->value[op->id] = (int64_t)out;
}

/* Control operations of other members of the family are not ours to run. */
static bool is_mine(const Runner *r, const Op *op) {
  return r->party < 0 || op->kind == OP_SEND || party_has(op->where, r->party);
}

static void run_block(Runner *r, const IrBlock *b) {
  for (int i = 0; i < b->ops.count && !(r->net && r->net->stuck); i++) {
    if (is_mine(r, b->ops.data[i]))
      run_op(r, b->ops.data[i]);
    if (b->ops.data[i]->kind != OP_SEND)
      r->last_message = 0;
  }
  r->last_message = 0;
}

static Runner *new_runner(const Program *p, int party, Network *net) {
  Runner *r = calloc(1, sizeof *r);
  assert_non_null(r);
  r->party = party;
  r->net = net;
  r->value = calloc((size_t)p->next_id + 100, sizeof *r->value);
  assert_non_null(r->value);
  return r;
}

static void drop_runner(Runner *r) {
  free(r->value);
  free(r);
}

typedef struct Job {
  Runner *runner;
  const Program *program;
} Job;

static void *run_job(void *data) {
  Job *job = data;
  run_block(job->runner, job->program->body);
  return NULL;
}

/* ---- comparing ----------------------------------------------------------------------------------------- */

/* What a party shows after the passes is what it showed before, but for joint prints, which fewer perform. */
static void compare_logs(unsigned seed, const Runner *before, const Runner *after, int party) {
  int k = 0;
  for (int i = 0; i < before->log_count[party]; i++) {
    Entry e = before->log[party][i];
    bool same = k < after->log_count[party] && after->log[party][k].kind == e.kind &&
                after->log[party][k].value == e.value;
    if (!same && e.kind != OP_PRINT)
      fail_msg("seed %u: party %d: effect %d differs", seed, party, i);
    k += same;
  }
  if (k != after->log_count[party])
    fail_msg("seed %u: party %d shows more than it should", seed, party);
}

static void compare_exactly(unsigned seed, const Runner *a, const Runner *b, int party) {
  bool same = a->log_count[party] == b->log_count[party];
  for (int i = 0; same && i < a->log_count[party]; i++)
    same = a->log[party][i].kind == b->log[party][i].kind && a->log[party][i].value == b->log[party][i].value;
  if (!same)
    fail_msg("seed %u: party %d shows something else when it runs its own program", seed, party);
}

static void count_prints(const Runner *r, int *prints) {
  *prints = 0;
  for (int i = 0; i < PARTIES; i++)
    for (int k = 0; k < r->log_count[i]; k++)
      *prints += r->log[i][k].kind == OP_PRINT;
}

static void compare_costs(unsigned seed, const Cost *c, const Runner *r) {
  const CostParty *e = &c->party[r->party];
  if (c->known && memcmp(e, &r->cost, sizeof *e) != 0)
    fail_msg("seed %u: party %d: %lld rounds %lld messages %lld bytes, expected %lld %lld %lld", seed,
             r->party, (long long)r->cost.rounds, (long long)r->cost.messages_sent,
             (long long)r->cost.bytes_sent, (long long)e->rounds, (long long)e->messages_sent,
             (long long)e->bytes_sent);
}

static bool run_seed(unsigned seed) {
  Program *p = random_program(seed);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  Runner *before = new_runner(p, -1, NULL);
  run_block(before, p->body);
  passes_run(p, NULL, NULL);
  Runner *after = new_runner(p, -1, NULL);
  run_block(after, p->body);
  Network *net = calloc(1, sizeof *net);
  assert_non_null(net);
  pthread_mutex_init(&net->lock, NULL);
  pthread_cond_init(&net->changed, NULL);
  Job jobs[PARTIES];
  pthread_t threads[PARTIES];
  for (int i = 0; i < PARTIES; i++) {
    int decl = i < 2 ? i : i < 4 ? 2 : 3;
    const Program *q = project(p, decl);
    jobs[i] = (Job){new_runner(q, i, net), q};
  }
  for (int i = 0; i < PARTIES; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
  for (int i = 0; i < PARTIES; i++)
    pthread_join(threads[i], NULL);
  if (net->stuck)
    fail_msg("seed %u: the parties are out of step", seed);
  Cost *c = cost_of(p);
  bool known = c->known;
  int prints_before, prints_after;
  count_prints(before, &prints_before);
  count_prints(after, &prints_after);
  if ((prints_before > 0) != (prints_after > 0))
    fail_msg("seed %u: nobody prints", seed);
  for (int i = 0; i < PARTIES; i++) {
    compare_logs(seed, before, after, i);
    compare_exactly(seed, after, jobs[i].runner, i);
    compare_costs(seed, c, jobs[i].runner);
    drop_runner(jobs[i].runner);
  }
  drop_runner(before);
  drop_runner(after);
  free(net);
  drop_program(p);
  return known;
}

static void test_random_programs(void **state) {
  (void)state;
  const char *only = getenv("TFE_TEST_SEED");
  int known = 0;
  if (only) {
    run_seed((unsigned)atoi(only));
    return;
  }
  for (unsigned seed = 1; seed <= 400; seed++)
    known += run_seed(seed);
  assert_true(known > 50); /* enough of them can be costed */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
