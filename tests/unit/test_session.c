/* The start of a session: who agrees with whom, what is said when they do not, and that the keys fit. */
#include "parties.h"

/* Draws with every key and from the public seed, to compare them afterwards. words[p]: with p; [5] public,
 * [6] own. */
static TfeStatus keys_body(TfeCtx *ctx, Net *net) {
  uint64_t *words = net->results[ctx->party].words;
  for (int64_t p = 0; p < net->count; p++)
    if (net->links[ctx->party][p])
      tfe_prg_ring(ctx, &words[p], 0, 1, 64, p, 1, 0);
  tfe_prg_ring(ctx, &words[6], 0, 1, 64, ctx->party, 1, 0);
  return tfe_entropy_public(ctx, &words[5]);
}

typedef void (*Links)(Net *net);
static void links_all(Net *net) {
  for (int p = 0; p < net->count; p++)
    for (int q = 0; q < p; q++)
      net_link(net, p, q);
}
static void links_line(Net *net) {
  for (int p = 1; p < net->count; p++)
    net_link(net, p - 1, p);
}
static void links_star(Net *net) {
  for (int p = 1; p < net->count; p++)
    net_link(net, 0, p);
}
static void links_two_islands(Net *net) {
  net_link(net, 0, 1);
  net_link(net, 2, 3);
  net_link(net, 3, 4);
}

static void test_keys(void **state) {
  static const Links shapes[] = {links_all, links_line, links_star};
  (void)state;
  uint64_t last_public = 0, last_pair = 0;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    Net *net = net_new(PARTIES, false);
    shapes[i](net);
    net->body = keys_body;
    net_run(net, false);
    net_expect_all(net, TFE_OK);
    for (int p = 0; p < PARTIES; p++) {
      assert_int_equal(net->results[p].words[5], net->results[0].words[5]);
      assert_int_not_equal(net->results[p].words[6], net->results[(p + 1) % PARTIES].words[6]);
      for (int q = 0; q < p; q++)
        assert_int_equal(net->results[p].words[q], net->links[p][q] ? net->results[q].words[p] : 0);
    }
    assert_int_not_equal(net->results[0].words[5], last_public); /* fresh in every session */
    assert_int_not_equal(net->results[0].words[1], last_pair);
    last_public = net->results[0].words[5];
    last_pair = net->results[0].words[1];
    net_free(net);
  }
}

/* Parties that no message connects agree among themselves; nobody waits for the others. */
static void test_islands(void **state) {
  (void)state;
  Net *net = net_new(PARTIES, false);
  links_two_islands(net);
  net->body = keys_body;
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  assert_int_equal(net->results[0].words[5], net->results[1].words[5]);
  assert_int_equal(net->results[2].words[5], net->results[4].words[5]);
  assert_int_not_equal(net->results[0].words[5], net->results[2].words[5]);
  net_free(net);
}

static void test_alone(void **state) {
  (void)state;
  Net *net = net_new(1, false);
  net->body = keys_body;
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  net_free(net);
}

static void test_seed(void **state) {
  (void)state;
  Net *net = net_new(3, false);
  links_line(net);
  net->body = keys_body;
  for (int p = 0; p < 3; p++) {
    net->has_seed[p] = true;
    net->seed[p] = 4711;
  }
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  for (int p = 0; p < 3; p++)
    assert_int_equal(net->results[p].words[5], 4711);
  net->has_seed[2] = false;
  net_run(net, false);
  for (int p = 0; p < 3; p++)
    net_expect(net, p, TFE_PARAMETERS_DIFFER, "--seed: p0 4711, p1 4711, p2 none");
  net->has_seed[2] = true;
  net->seed[2] = 0;
  net_run(net, false);
  for (int p = 0; p < 3; p++)
    net_expect(net, p, TFE_PARAMETERS_DIFFER, "--seed: p0 4711, p1 4711, p2 0");
  net_free(net);
}

static void test_parameters(void **state) {
  (void)state;
  Net *net = net_new(3, false);
  links_line(net);
  net->programs[2].parameters = "epochs=20\nbatch=30\n";
  net_run(net, false);
  for (int p = 0; p < 3; p++) { /* also p0, which is not linked to p2 */
    net_expect(net, p, TFE_PARAMETERS_DIFFER, "parties were started with different parameters");
    net_expect(net, p, TFE_PARAMETERS_DIFFER, "= note: epochs: p0 10, p1 10, p2 20");
    net_expect(net, p, TFE_PARAMETERS_DIFFER, "= help: give every party the same --set epochs=...");
  }
  net->programs[2].parameters = "epochs=10\nbatch=30\nrate=5\n"; /* one program: 5 is the default of rate */
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  net->programs[1].parameters = "epochs=10\nbatch=30\nrate=6\n";
  net_run(net, false);
  net_expect(net, 0, TFE_PARAMETERS_DIFFER, "rate: p0 default, p1 6, p2 5");
  net_free(net);
}

static void test_program(void **state) {
  (void)state;
  Net *net = net_new(3, false);
  links_line(net);
  net->programs[2].hash = "c04e11b8456789abcdef0123456789abcdef0123456789abcdef0123456789ab";
  net->programs[2].parameters = "epochs=20\nbatch=30\n";
  net_run(net, false);
  net_expect(net, 1, TFE_PROGRAM_DIFFERS, "p2 runs a different program");
  net_expect(net, 1, TFE_PROGRAM_DIFFERS, "= note: ours    0123 4567 89ab cdef …  test.tfe, tfec 0.0");
  net_expect(net, 1, TFE_PROGRAM_DIFFERS, "= note: theirs  c04e 11b8 4567 89ab …  test.tfe, tfec 0.0");
  net_expect(net, 1, TFE_PROGRAM_DIFFERS, "= note: they differ in: param epochs (ours 10, theirs 20)");
  net_expect(net, 2, TFE_PROGRAM_DIFFERS, "p1 runs a different program");
  net_expect(net, 0, TFE_PROGRAM_DIFFERS, "p2");
  net_free(net);
}

static void test_version(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->programs[1].abi_version = TFE_ABI_VERSION + 1;
  net_run(net, false);
  net_expect(net, 0, TFE_PROGRAM_DIFFERS, "p1 was compiled by another version of tfec");
  net_expect(net, 1, TFE_PROGRAM_DIFFERS, "p0 was compiled by another version of tfec");
  net_free(net);
}

/* A peer that is who it says in TLS, but says in its greeting that it is somebody else, or says nonsense. */
typedef struct Greeting {
  int kind;
  const char *text;
} Greeting;

static const Greeting greetings[] = {
    {0, "a message of an unknown kind"},
    {1, "a broken greeting"},
    {2, "a broken greeting"},
    {3, "a broken opening"},
    {4, "not of this protocol"},
};

static TfeStatus nonsense_body(TfeCtx *ctx, Net *net) {
  const Greeting *greeting = net->user;
  uint8_t data[300];
  tfe_keys_free(ctx);
  if (ctx->party == 0)
    return tfe_session_start(ctx, false, 0);
  memset(data, 0xff, sizeof data);
  static const uint8_t head[] = {'C', 't', 'f', 'e', '1', TFE_PROTOCOL_VERSION};
  size_t bytes = sizeof data;
  if (greeting->kind == 0)
    data[0] = 'X';
  if (greeting->kind == 1)
    data[0] = 'C';
  if (greeting->kind == 2) {
    memcpy(data, head, sizeof head);
    bytes = 9;
  }
  if (greeting->kind == 3)
    data[0] = 'O';
  if (greeting->kind == 4)
    bytes = 0;
  TRY(tfe_chan_control_send(ctx, 0, data, bytes));
  uint64_t word;
  TfePart part = {&word, 1, 64};
  return tfe_recv(ctx, 0, 1, &part, 1);
}

static void test_nonsense(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
    Net *net = net_new(2, true);
    Greeting greeting = greetings[i];
    net->user = &greeting;
    net->no_session = true;
    net->body = nonsense_body;
    net_run(net, false);
    net_expect(net, 0, TFE_PEER_DATA, greeting.text);
    net_expect(net, 1, TFE_LOST_PEER, "p0 stopped because of this party");
    net_free(net);
  }
}

/* A peer that comes, greets nobody, and stays: named when the time is over. */
static TfeStatus silent_body(TfeCtx *ctx, Net *net) {
  (void)net;
  if (ctx->party != 2)
    return tfe_session_start(ctx, false, 0);
  test_sleep(2);
  return TFE_OK;
}

static void test_silent(void **state) {
  (void)state;
  Net *net = net_new(3, false);
  links_line(net);
  net->no_session = true;
  net->body = silent_body;
  net->timeout[0] = net->timeout[1] = 0.5;
  net_run(net, true);
  for (int p = 0; p < 2; p++)
    net_expect(net, p, TFE_LOST_PEER, "lost p2");
  net_free(net);
}

/* p3 comes after three seconds. p2 waits for it by --wait, and the others must not give p2 up, whose ALIVE
 * reaches p0 only by way of p1. */
static void late_start(Net *net, double seconds) {
  net->absent[3] = true;
  net_start(net, false);
  test_sleep(seconds);
  Start *late = malloc(sizeof *late);
  *late = (Start){net, 3};
  net->absent[3] = false;
  assert_int_equal(pthread_create(&net->threads[3], NULL, net_thread, late), 0);
}

static void test_late(void **state) {
  (void)state;
  static const Links shapes[] = {links_line, links_star, links_all};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    Net *net = net_new(4, false);
    shapes[i](net);
    net->body = keys_body;
    for (int p = 0; p < 3; p++)
      net->timeout[p] = 1;
    late_start(net, 3);
    net_finish(net, false);
    net_expect_all(net, TFE_OK);
    net_free(net);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys),    cmocka_unit_test(test_islands),    cmocka_unit_test(test_alone),
      cmocka_unit_test(test_seed),    cmocka_unit_test(test_parameters), cmocka_unit_test(test_program),
      cmocka_unit_test(test_version), cmocka_unit_test(test_nonsense),   cmocka_unit_test(test_silent),
      cmocka_unit_test(test_late),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
