/* Costs: sizes, clocks, loops multiplied out against loops followed pass by pass; the texts made from them.
 * */
#include "../../compiler/cost.h"

#include "../../compiler/ast.h"
#include "../../compiler/explain.h"
#include "../../compiler/manifest.h"
#include "../../runtime/include/program.h"
#include "ir_builder.h"

static void check_party(const Cost *c, int party, CostParty expected) {
  const CostParty *q = &c->party[party];
  assert_int_equal(q->rounds, expected.rounds);
  assert_int_equal(q->messages_sent, expected.messages_sent);
  assert_int_equal(q->bytes_sent, expected.bytes_sent);
  assert_int_equal(q->messages_received, expected.messages_received);
  assert_int_equal(q->bytes_received, expected.bytes_received);
}

static void test_payload(void **state) {
  (void)state;
  static const struct {
    IrType type;
    int64_t n, bytes;
  } cases[] = {
      {{.elem = EL_FIXED}, 3, 24},
      {{.elem = EL_INT}, 1, 8},
      {{.elem = EL_BOOL}, 9, 2},
      {{.elem = EL_RING, .bits = 1}, 8, 1},
      {{.elem = EL_RING, .bits = 24}, 3, 9},
      {{.elem = EL_RING, .bits = 63}, 2, 16},
      {{.elem = EL_RING, .bits = 64}, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    IrType t = vector(cases[i].type, cases[i].n);
    assert_int_equal(cost_payload(&t), cases[i].bytes);
  }
}

static void test_straight_line(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "s1", "producer", "owner", "client");
  IrBlock *b = p->body;
  Shared x = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 3, "x"), 3);
  mk_output(p, b, pond_reveal_to(p, b, pond_mul(p, b, x, x), 4), 4, "z");
  passes_run(p, NULL, NULL);
  Cost *c = cost_of(p);
  assert_true(c->known);
  /* owner -> s1 (1); s0 -> s1 (1), s1 -> s0 (2); producer -> s1 (1); s0 -> client (3); s1 -> client (2) */
  assert_int_equal(c->rounds, 3);
  assert_int_equal(c->messages, 6);
  assert_int_equal(c->bytes, 6 * (16 + 24));
  check_party(c, 0, (CostParty){3, 2, 80, 1, 40});
  check_party(c, 1, (CostParty){2, 2, 80, 3, 120});
  check_party(c, 2, (CostParty){1, 1, 40, 0, 0});
  check_party(c, 3, (CostParty){1, 1, 40, 0, 0});
  check_party(c, 4, (CostParty){3, 0, 0, 2, 80});
  const int64_t *expected = cost_expected(c, p, 1);
  assert_int_equal(expected[0], 2);
  assert_int_equal(expected[4], 120);
  drop_program(p);
}

static void test_merged_message(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, vector(BOOL, 3), 0, "x"), *y = mk_input(p, b, vector(BOOL, 9), 0, "y");
  mk_output(p, b, mk_send(p, b, x, 0, 1), 1, "x");
  mk_output(p, b, mk_send(p, b, y, 0, 1), 1, "y");
  passes_run(p, NULL, NULL);
  Cost *c = cost_of(p);
  check_party(c, 0, (CostParty){1, 1, 16 + 1 + 2, 0, 0}); /* each part starts on a byte boundary */
  drop_program(p);
}

/* ---- loops --------------------------------------------------------------------------------------------- */

/* Random traffic among n parties, the same for the same seed. */
static unsigned next_random(unsigned *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 16;
}

static void random_traffic(Program *p, IrBlock *b, unsigned *seed, int sends) {
  int n = p->party_count;
  Op *v = NULL;
  for (int i = 0; i < sends; i++) {
    int from = (int)(next_random(seed) % (unsigned)n), to = (int)(next_random(seed) % (unsigned)n);
    if (from == to)
      continue;
    if (!v || !party_has(v->where, from) || next_random(seed) % 3 == 0)
      v = mk_input(p, b, vector(FIXED, 1 + next_random(seed) % 4), from, "x");
    v = mk_send(p, b, v, from, to);
    mk_output(p, b, v, to, "y");
  }
}

/* The same loop as a FOR (multiplied out), or as a WHILE that counts (followed pass by pass). */
static IrBlock *begin_loop(Program *p, IrBlock *b, int64_t n, bool slowly, Op **loop, Op **counter) {
  IrBlock *body;
  if (!slowly) {
    *loop = mk_for(p, b, 0, n, &body);
    return body;
  }
  Op *zero = mk_int(p, b, 0);
  *loop = mk(p, b, OP_WHILE, NO_TYPE, everybody(p), 0);
  IrBlock *test = ir_block(p, *loop);
  body = ir_block(p, *loop);
  *counter = mk_carried(p, *loop, zero, everybody(p));
  Op *less = mk(p, test, OP_LT, BOOL, everybody(p), 2, test->params.data[0], mk_int(p, test, n));
  VEC_PUSH(p->arena, &test->yields, less);
  return body;
}

static void end_loop(Program *p, IrBlock *body, bool slowly, Op *counter) {
  if (slowly)
    VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_ADD, INT, everybody(p), 2, counter, mk_int(p, body, 1)));
}

static Cost *random_loops(Program **program, unsigned seed, bool slowly) {
  Program *p = PROGRAM("a", "b", "c", "d", "e");
  Op *outer_loop, *loop, *outer_counter = NULL, *counter = NULL;
  int64_t n = 1 + next_random(&seed) % 60, m = 1 + next_random(&seed) % 40;
  random_traffic(p, p->body, &seed, 3);
  IrBlock *outer = begin_loop(p, p->body, n, slowly, &outer_loop, &outer_counter);
  random_traffic(p, outer, &seed, (int)(next_random(&seed) % 4));
  IrBlock *inner = begin_loop(p, outer, m, slowly, &loop, &counter);
  random_traffic(p, inner, &seed, (int)(next_random(&seed) % 8));
  end_loop(p, inner, slowly, counter);
  random_traffic(p, outer, &seed, (int)(next_random(&seed) % 4));
  end_loop(p, outer, slowly, outer_counter);
  random_traffic(p, p->body, &seed, 3);
  passes_run(p, NULL, NULL);
  *program = p;
  return cost_of(p);
}

static void test_loops_multiplied_out(void **state) {
  (void)state;
  for (unsigned seed = 1; seed <= 300; seed++) {
    Program *p, *q;
    Cost *fast = random_loops(&p, seed, false), *slow = random_loops(&q, seed, true);
    assert_true(fast->known);
    assert_true(slow->known);
    if (fast->rounds != slow->rounds || fast->bytes != slow->bytes)
      fail_msg("seed %u: %lld rounds, %lld pass by pass", seed, (long long)fast->rounds,
               (long long)slow->rounds);
    for (int i = 0; i < 5; i++)
      check_party(fast, i, slow->party[i]);
    drop_program(p);
    drop_program(q);
  }
}

/* A late slow winner: b starts far behind a message from a, but grows faster, and overtakes it after many
 * passes. */
static void test_overtaking(void **state) {
  (void)state;
  Cost *c[2];
  Program *p[2];
  for (int slowly = 0; slowly < 2; slowly++) {
    p[slowly] = PROGRAM("a", "b", "c", "d");
    Op *loop, *counter = NULL;
    IrBlock *b = p[slowly]->body, *body;
    IrBlock *first =
        begin_loop(p[slowly], b, 500, slowly, &loop, &counter); /* a and b get ahead of c and d */
    Op *x = mk_input(p[slowly], first, FIXED, 0, "x");
    Op *there = mk(p[slowly], first, OP_NEG, FIXED, at(1), 1, mk_send(p[slowly], first, x, 0, 1));
    mk_output(p[slowly], first, mk_send(p[slowly], first, there, 1, 0), 0, "y");
    end_loop(p[slowly], first, slowly, counter);
    body = begin_loop(p[slowly], b, 2000, slowly, &loop, &counter);
    Op *y = mk_input(p[slowly], body, FIXED, 2, "y"), *z = mk_input(p[slowly], body, FIXED, 1, "z");
    Op *ball = mk(p[slowly], body, OP_NEG, FIXED, at(3), 1, mk_send(p[slowly], body, y, 2, 3));
    ball = mk_send(p[slowly], body, ball, 3, 2);                              /* c and d: two a pass */
    mk_output(p[slowly], body, mk_send(p[slowly], body, ball, 2, 1), 1, "u"); /* b hears of them */
    mk_output(p[slowly], body, mk_send(p[slowly], body, z, 1, 0), 0, "v");
    end_loop(p[slowly], body, slowly, counter);
    passes_run(p[slowly], NULL, NULL);
    c[slowly] = cost_of(p[slowly]);
  }
  assert_true(c[0]->known && c[1]->known);
  assert_int_equal(c[0]->rounds, c[1]->rounds);
  for (int i = 0; i < 4; i++)
    check_party(c[0], i, c[1]->party[i]);
  drop_program(p[0]);
  drop_program(p[1]);
}

static void test_long_loop(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *body;
  mk_for(p, p->body, 0, 1000000000, &body);
  Op *x = mk_input(p, body, FIXED, 0, "x");
  Op *there = mk_send(p, body, x, 0, 1);
  Op *back = mk_send(p, body, mk(p, body, OP_NEG, FIXED, at(1), 1, there), 1, 0);
  mk_output(p, body, back, 0, "z");
  passes_run(p, NULL, NULL);
  Cost *c = cost_of(p);
  assert_int_equal(c->rounds, 2000000000);
  check_party(c, 0, (CostParty){2000000000, 1000000000, 24000000000, 1000000000, 24000000000});
  drop_program(p);
}

/* Loop bounds and conditions that depend on indices are followed. */
static void test_decided_by_index(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *outer, *inner;
  mk_for(p, p->body, 0, 5, &outer);
  Op *i = outer->params.data[0];
  Op *loop = mk_for(p, outer, 0, 1, &inner);
  loop->args.data[1] = i; /* for j in 0 .. i */
  mk_output(p, inner, mk_send(p, inner, mk_input(p, inner, FIXED, 0, "x"), 0, 1), 1, "y");
  Op *three = mk_int(p, outer, 3);
  Op *branch =
      mk(p, outer, OP_IF, NO_TYPE, everybody(p), 1, mk(p, outer, OP_LT, BOOL, everybody(p), 2, i, three));
  IrBlock *yes = ir_block(p, branch);
  ir_block(p, branch);
  mk_output(p, yes, mk_send(p, yes, mk_input(p, yes, FIXED, 1, "x"), 1, 0), 0, "y");
  passes_run(p, NULL, NULL);
  Cost *c = cost_of(p);
  assert_true(c->known);
  assert_int_equal(c->party[0].messages_sent, 0 + 1 + 2 + 3 + 4);
  assert_int_equal(c->party[1].messages_sent, 3);
  drop_program(p);
}

static void test_not_known(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *body;
  Op *n = mk_publish(p, p->body, mk_input(p, p->body, INT, 0, "n"));
  Op *loop = mk_for(p, p->body, 0, 1, &body);
  loop->args.data[1] = n;
  mk_output(p, body, mk_send(p, body, mk_input(p, body, FIXED, 0, "x"), 0, 1), 1, "y");
  passes_run(p, NULL, NULL);
  Cost *c = cost_of(p);
  assert_false(c->known);
  assert_int_equal(c->messages, 2);
  drop_program(p);
}

/* ---- the table ----------------------------------------------------------------------------------------- */

typedef void PrintText(const Program *p, const Cost *c, FILE *out);

static char *text_of(const Program *p, const Cost *c, PrintText *print) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  print(p, c, out);
  fclose(out);
  return text;
}

static void print_table(const Program *p, const Cost *c, FILE *out) {
  explain_print(c, p, &(ExplainOptions){.round_trip = 0.02}, out);
}

static void print_json(const Program *p, const Cost *c, FILE *out) {
  explain_print_json(c, p, out);
}

static void print_manifest(const Program *p, const Cost *c, FILE *out) {
  manifest_print(p, c, "tfec 0", out);
}

static void print_reveals(const Program *p, const Cost *c, FILE *out) {
  (void)c;
  manifest_reveals(p, out);
}

static void print_connections(const Program *p, const Cost *c, FILE *out) {
  (void)c;
  manifest_connections(p, out);
}

static void print_hosts(const Program *p, const Cost *c, FILE *out) {
  (void)c;
  manifest_hosts(p, out);
}

static const char table_source[] = "x = share at owner { input(\"x\") }\nfit(x)\nfor i in 0 .. 4 { x * x }\n";

static Site *site_at(Program *p, const Source *s, const char *text, const Site *caller) {
  const char *at_text = strstr(s->text, text);
  Site *site = ARENA_NEW(p->arena, Site);
  int start = (int)(at_text - s->text);
  *site = (Site){
      .span = {s, start, start + (int)strlen(text)}, .function = caller ? "fit" : NULL, .caller = caller};
  return site;
}

static void place_ops(IrBlock *b, int from, const Site *site) {
  for (int i = from; i < b->ops.count; i++)
    b->ops.data[i]->site = site;
}

static const Decl pond_kind = {.doc = "No two of the three may collude."};

static Program *table_program(void) {
  Program *p = PROGRAM("s0", "s1", "producer", "owner*2", "client");
  IrBlock *b = p->body, *body;
  const Source *s = source_text(p->arena, "model.tfe", table_source, strlen(table_source));
  ProtocolInstance pond = {.kind = "pond", .definition = &pond_kind, .frac = 16, .whole = 14, .ring = 64};
  VEC_PUSH(p->arena, &pond.servers, 0);
  VEC_PUSH(p->arena, &pond.servers, 1);
  VEC_PUSH(p->arena, &pond.helpers, 2);
  VEC_PUSH(p->arena, &p->protocols, pond);
  const Site *call = site_at(p, s, "fit(x)", NULL);
  Shared x = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 3, "x"), 3);
  place_ops(b, 0, site_at(p, s, "share at owner { input(\"x\") }", NULL));
  Slot slot = {.name = "x", .type = vector(FIXED, 3), .owner = at(3), .span = b->ops.data[0]->site->span};
  VEC_PUSH(p->arena, &p->slots, slot);
  int mark = b->ops.count;
  Op *loop = mk_for(p, b, 0, 4, &body);
  Shared v = {mk_carried(p, loop, x.a, at(0)), mk_carried(p, loop, x.b, at(1))};
  Shared next = pond_mul(p, body, v, v);
  VEC_PUSH(p->arena, &body->yields, next.a);
  VEC_PUSH(p->arena, &body->yields, next.b);
  Shared r;
  r.a = mk_result(p, b, loop, 0, x.a->type, at(0));
  r.b = mk_result(p, b, loop, 1, x.b->type, at(1));
  place_ops(b, mark, site_at(p, s, "for i in 0 .. 4 { x * x }", call));
  place_ops(body, 0, site_at(p, s, "x * x", call));
  mark = b->ops.count;
  mk_output(p, b, pond_reveal_to(p, b, r, 5), 5, "y");
  place_ops(b, mark, call);
  Reveal reveal = {.span = call->span,
                   .site = call,
                   .source_text = "fit(x)",
                   .type = vector(FIXED, 3),
                   .to = {PLACE_AT, 5},
                   .was_private = true,
                   .times = 1};
  VEC_PUSH(p->arena, &p->reveals, reveal);
  passes_run(p, NULL, NULL);
  return p;
}

static void test_table(void **state) {
  (void)state;
  static const char expected[] =
      "                                                              times    rounds"
      "     per server       producer     each owner\n"
      "model.tfe:1  share at owner { input(\"x\") }                        1         1"
      "                                         40 B\n"
      "model.tfe:2  fit(x)                                               1         5"
      "          200 B          160 B\n"
      "  model.tfe:3  x * x                                              4         1"
      "           40 B           40 B\n"
      "total                                                                       6"
      "          200 B          160 B           40 B\n";
  Program *p = table_program();
  Cost *c = cost_of(p);
  char *text = text_of(p, c, print_table);
  if (strncmp(text, expected, strlen(expected)) != 0)
    fail_msg("got\n%s", text);
  assert_non_null(strstr(text, "network time at 20 ms, 1 Gbit/s: about 60 ms, all of it latency\n"));
  free(text);
  int64_t rounds = 0, bytes = 0;
  for (int i = 0; i < c->lines.count; i++)
    if (c->lines.data[i].parent < 0) {
      rounds += c->lines.data[i].rounds;
      bytes += c->lines.data[i].bytes;
    }
  assert_int_equal(rounds, c->rounds);
  assert_int_equal(bytes, c->bytes);
  drop_program(p);
}

static void test_texts(void **state) {
  (void)state;
  static const struct {
    PrintText *print;
    const char *contains;
  } cases[] = {
      {print_json,
       "{\"where\": \"model.tfe:3\", \"text\": \"x * x\", \"depth\": 1, \"parent\": 1, \"times\": 4,"},
      {print_json, "\"owner.0\": {\"rounds\": 1, \"messages_sent\": 1, \"bytes_sent\": 40,"},
      {print_json, "\"text\": \"share at owner { input(\\\"x\\\") }\""},
      {print_manifest, "\"servers\": [\"s0\", \"s1\"], \"helpers\": [\"producer\"]"},
      {print_manifest, "\"roles\": [\"input provider\"]"},
      {print_manifest, "\"trust\": \"No two of the three may collude.\""},
      {print_manifest, "{\"from\": \"producer\", \"to\": \"s1\"}"},
      {print_reveals,
       "model.tfe:2  fit(x)  to client  fixed[3]  once\nNothing else leaves pond(s0, s1; producer).\n"},
      {print_connections, "s1 -> s0  both send\nproducer -> s0  common key only\nproducer -> s1  sends\n"
                          "owner.0 -> s0  common key only\nowner.0 -> s1  sends\nclient -> s0  receives\n"},
      {print_hosts, "\n[s1]\naddress = \"HOST:7701\"\nkey     = \"tfe1:...\"  # party-s1 keygen\n"},
      {print_hosts, "\n[owner.0]  # no address: dials out only\n"},
  };
  Program *p = table_program();
  Cost *c = cost_of(p);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *text = text_of(p, c, cases[i].print);
    if (!strstr(text, cases[i].contains))
      fail_msg("case %zu: no \"%s\" in\n%s", i, cases[i].contains, text);
    free(text);
  }
  const char *about = manifest_about(p, c, 3, "tfec 0");
  char shown[2000];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(shown, sizeof shown, about, "owner.1");
#pragma GCC diagnostic pop
  assert_non_null(strstr(shown, "You are       owner.1, input provider\n"));
  assert_non_null(
      strstr(shown, "Your data     x: fixed[3] (model.tfe:1)\nSends to      s1\nReceives from nobody\n"));
  assert_non_null(strstr(shown, "to client: fit(x), fixed[3], once (model.tfe:2)\n"));
  drop_program(p);
}

static void test_links(void **state) {
  (void)state;
  Program *p = table_program();
  const uint8_t *link = manifest_links(p);
  int n = p->party_count;
  assert_int_equal(link[0 * n + 1], TFE_LINK_SEND | TFE_LINK_RECEIVE | TFE_LINK_KEY);
  assert_int_equal(link[1 * n + 0], TFE_LINK_SEND | TFE_LINK_RECEIVE | TFE_LINK_KEY | TFE_LINK_DIAL);
  assert_int_equal(link[2 * n + 1], TFE_LINK_SEND | TFE_LINK_KEY | TFE_LINK_DIAL);
  assert_int_equal(link[1 * n + 2], TFE_LINK_RECEIVE | TFE_LINK_KEY | TFE_LINK_AHEAD);
  assert_int_equal(link[4 * n + 0], 0);
  assert_int_equal(link[5 * n + 1], TFE_LINK_RECEIVE | TFE_LINK_DIAL);
  assert_int_equal(manifest_links_of(p, 3)[1],
                   link[3 * n + 1]); /* the second declaration of a family starts at 3 */
  drop_program(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_payload),
      cmocka_unit_test(test_straight_line),
      cmocka_unit_test(test_merged_message),
      cmocka_unit_test(test_loops_multiplied_out),
      cmocka_unit_test(test_overtaking),
      cmocka_unit_test(test_long_loop),
      cmocka_unit_test(test_decided_by_index),
      cmocka_unit_test(test_not_known),
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_links),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
