/* The emulated network: its arithmetic under a clock of our own, its writing to real sockets, and parties
 * that talk through it. */
#include "parties.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>

#include "chan/shape.h"
#include "include/units.h"

static void near(double found, double wanted) {
  if (!(fabs(found - wanted) <= 1e-9))
    fail_msg("%.9f instead of %.9f", found, wanted);
}

/* ------------------------------------------------------------------------------------------------- units */

static void test_units(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double rtt, rate;
  } cases[] = {
      {"40ms", 0.04, -1}, {"500us", 0.0005, -1}, {"0.1s", 0.1, -1},      {"0ms", 0, -1},
      {".5s", 0.5, -1},   {"2s", 2, -1},         {"2.1s", -1, -1},       {"40", -1, -1},
      {"ms", -1, -1},     {"", -1, -1},          {"-1ms", -1, -1},       {" 1ms", -1, -1},
      {"0x10ms", -1, -1}, {"nan", -1, -1},       {"infs", -1, -1},       {"1 ms", -1, -1},
      {"1msx", -1, -1},   {"64kbit", -1, 64e3},  {"1.5Mbit", -1, 1.5e6}, {"10Gbit", -1, 1e10},
      {"0Mbit", -1, -1},  {"0.5kbit", -1, -1},   {"1e9Gbit", -1, -1},    {"1mbit", -1, -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    near(tfe_units_rtt(cases[i].text), cases[i].rtt);
    near(tfe_units_rate(cases[i].text), cases[i].rate);
  }
}

/* ------------------------------------------------------------------------------------------------- model */

static void test_model(void **state) {
  (void)state;
  const double packet = (1448 + 90) * 8 / 100e6;
  ShapeModel both = shape_model(0.04, 100e6);
  near(shape_arrival(&both, 1448, 5), 5 + packet + 0.02);
  near(shape_arrival(&both, 1448, 5), 5 + 2 * packet + 0.02);  /* behind the first */
  near(shape_arrival(&both, 1, 6), 6 + 91 * 8 / 100e6 + 0.02); /* the uplink was idle in between */
  near(shape_arrival(&both, 14480, 7), 7 + 10 * packet + 0.02);
  ShapeModel delay = shape_model(0.04, 0);
  near(shape_arrival(&delay, 1 << 30, 1), 1.02);
  near(shape_arrival(&delay, 1 << 30, 1), 1.02);
  ShapeModel rate = shape_model(0, 1e9);
  near(shape_arrival(&rate, 100 * 1448, 0), 100 * packet / 10);
}

/* ----------------------------------------------------------------------------------------------- sockets */

typedef struct Pair {
  TfeCtx ctx;
  Shape *shape;
  ShapeConn *conn;
  int fd[2]; /* [0] is shaped */
} Pair;

static void pair_open(Pair *p, double round_trip, double bandwidth) {
  *p = (Pair){.ctx = {.round_trip = round_trip, .bandwidth = bandwidth}};
  assert_int_equal(shape_new(&p->ctx, &p->shape), TFE_OK);
  assert_non_null(p->shape);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fd), 0);
  p->conn = shape_open(p->shape, p->fd[0]);
  assert_non_null(p->conn);
}

static void pair_close(Pair *p) {
  shape_free(p->shape);
  close(p->fd[1]);
}

/* Seconds until the other end can be read. */
static double pair_await(const Pair *p) {
  struct pollfd other = {.fd = p->fd[1], .events = POLLIN};
  double start = test_now();
  assert_int_equal(poll(&other, 1, 5000), 1);
  return test_now() - start;
}

static void test_none(void **state) {
  (void)state;
  TfeCtx ctx = {0};
  Shape *shape;
  assert_int_equal(shape_new(&ctx, &shape), TFE_OK);
  assert_null(shape);
  assert_int_equal(shape_room_fd(shape), -1);
  shape_free(shape);
}

/* What was sent arrives in order and not before its time, although the sender does nothing more; shut and
 * close come after it. */
static void test_delay(void **state) {
  (void)state;
  Pair p;
  char got[16] = {0};
  pair_open(&p, 0.1, 0);
  assert_int_equal(shape_send(p.conn, "abc", 3), 3);
  assert_int_equal(shape_send(p.conn, "def", 3), 3);
  assert_int_equal(shape_held(p.conn), 6);
  shape_shut(p.conn);
  shape_close(p.conn);
  assert_true(pair_await(&p) >= 0.0499);
  test_sleep(0.01);
  assert_int_equal(read(p.fd[1], got, sizeof got), 6);
  assert_string_equal(got, "abcdef");
  assert_int_equal(read(p.fd[1], got, sizeof got), 0);
  pair_close(&p);
}

/* Two connections share the uplink: 2 x 125 kB at 10 Mbit/s take over 0.2 s. */
static void test_uplink(void **state) {
  (void)state;
  static uint8_t data[125000], scratch[125000];
  Pair p;
  int other[2];
  pair_open(&p, 0, 10e6);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
  ShapeConn *second = shape_open(p.shape, other[0]);
  double start = test_now();
  assert_int_equal(shape_send(p.conn, data, sizeof data), sizeof data);
  assert_int_equal(shape_send(second, data, sizeof data), sizeof data);
  size_t bytes = 0;
  while (bytes < sizeof data) {
    ssize_t some = read(other[1], scratch, sizeof scratch);
    assert_true(some > 0);
    bytes += (size_t)some;
  }
  assert_true(test_now() - start >= 0.2);
  assert_int_equal(shape_held(p.conn), 0);
  shape_close(p.conn);
  shape_close(second);
  pair_close(&p);
  close(other[1]);
}

/* A sender that is too fast is told to wait, and when to go on. */
static void test_room(void **state) {
  (void)state;
  static uint8_t data[8 << 20];
  Pair p;
  pair_open(&p, 0.02, 1e6);
  ssize_t taken = shape_send(p.conn, data, sizeof data);
  assert_true(taken > 1 << 20 && taken < (ssize_t)sizeof data);
  assert_int_equal(shape_send(p.conn, data, 1), -1);
  assert_int_equal(errno, EAGAIN);
  struct pollfd room = {.fd = shape_room_fd(p.shape), .events = POLLIN};
  assert_int_equal(poll(&room, 1, 0), 0);
  assert_int_equal(poll(&room, 1, 5000), 1);
  shape_room_seen(p.shape);
  assert_int_equal(poll(&room, 1, 0), 0);
  assert_true(shape_send(p.conn, data, sizeof data) > 0);
  close(p.fd[1]); /* with an error there is nothing left to hold */
  p.fd[1] = dup(0);
  double end = test_now() + 5;
  while (shape_send(p.conn, data, 1) >= 0 || errno == EAGAIN)
    assert_true(test_now() < end);
  assert_int_equal(errno, EPIPE);
  assert_int_equal(shape_held(p.conn), 0);
  shape_close(p.conn);
  pair_close(&p);
}

/* ----------------------------------------------------------------------------------------------- parties */

enum { ROUNDS = 10, LARGE = 1 << 20 }; /* 8 MiB: more than a connection holds back at once */

static TfeStatus exchange_body(TfeCtx *ctx, Net *net) {
  uint64_t *words = calloc(LARGE, 8);
  Result *result = &net->results[ctx->party];
  TfeStatus status = words ? TFE_OK : TFE_MEMORY;
  double start = test_now();
  for (int64_t i = 0; status == TFE_OK && i < ROUNDS; i++) {
    TfePart part = {words, 1, 64};
    words[0] = (uint64_t)(100 * i + ctx->party);
    status = tfe_send(ctx, 1 - ctx->party, i, &part, 1);
    if (status == TFE_OK)
      status = tfe_recv(ctx, 1 - ctx->party, i, &part, 1);
    if (words[0] != (uint64_t)(100 * i + 1 - ctx->party))
      result->words[2]++;
  }
  result->words[0] = (uint64_t)(1e6 * (test_now() - start));
  TfePart part = {words, LARGE, 64};
  start = test_now();
  if (status == TFE_OK)
    status = tfe_send(ctx, 1 - ctx->party, ROUNDS, &part, 1);
  if (status == TFE_OK)
    status = tfe_recv(ctx, 1 - ctx->party, ROUNDS, &part, 1);
  result->words[1] = (uint64_t)(1e6 * (test_now() - start));
  free(words);
  return status;
}

/* A round costs one one-way delay, both directions flow at once, and nothing else changes. */
static void test_parties(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->body = exchange_body;
  net->round_trip = 0.04;
  net->bandwidth = 100e6;
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  double large = 8.0 * (double)LARGE * 8 / 100e6 * 1538 / 1448;
  for (int p = 0; p < 2; p++) {
    const Result *result = &net->results[p];
    assert_int_equal(result->words[2], 0);
    assert_int_equal(result->rounds, ROUNDS + 1);
    assert_int_equal(result->counters.bytes_sent, ROUNDS * 24 + 16 + 8 * LARGE);
    assert_true(1e-6 * (double)result->words[0] > 0.02 * (ROUNDS - 1)); /* p starts up to a delay later */
    assert_true(1e-6 * (double)result->words[0] < 0.039 * (double)ROUNDS);
    assert_true(1e-6 * (double)result->words[1] > 0.95 * large);
    assert_true(1e-6 * (double)result->words[1] < 1.8 * large); /* not one after the other */
  }
  net_free(net);
}

/* Last words are delayed, and not lost. */
static TfeStatus fail_body(TfeCtx *ctx, Net *net) {
  (void)net;
  uint64_t word = 1;
  TfePart part = {&word, 1, 64};
  if (ctx->party == 0)
    return tfe_fail(ctx, TFE_ASSERTION, "no");
  return tfe_recv(ctx, 0, 0, &part, 1);
}

static void test_last_words(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->body = fail_body;
  net->round_trip = 0.2;
  net_run(net, false);
  net_expect(net, 1, TFE_LOST_PEER, "p0 stopped in the middle of the computation");
  net_free(net);
  net = net_new(2, true);
  memset(net->peers[0][1].key, 7, 32);
  net->wait[0] = 1;
  net->round_trip = 0.1;
  net_run(net, false);
  net_expect(net, 1, TFE_WRONG_KEY, "p0 does not know the key tfe1:");
  net_free(net);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_units),   cmocka_unit_test(test_model),      cmocka_unit_test(test_none),
      cmocka_unit_test(test_delay),   cmocka_unit_test(test_uplink),     cmocka_unit_test(test_room),
      cmocka_unit_test(test_parties), cmocka_unit_test(test_last_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
