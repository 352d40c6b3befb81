/* Channels between real parties on the loopback device: order, packing, counters, large messages,
 * time-outs, lost peers, strangers on the port, and every way of lying about a message. */
#include "parties.h"

#include <openssl/rand.h>

static TfeStatus send_words(TfeCtx *ctx, int64_t peer, int64_t number, uint64_t *words, int64_t n,
                            int64_t bits) {
  TfePart part = {words, n, bits};
  return tfe_send(ctx, peer, number, &part, 1);
}

static TfeStatus recv_words(TfeCtx *ctx, int64_t peer, int64_t number, uint64_t *words, int64_t n,
                            int64_t bits) {
  TfePart part = {words, n, bits};
  return tfe_recv(ctx, peer, number, &part, 1);
}

/* ------------------------------------------------------------------------------------------- good weather */

/* p0 -> p1 -> p2 -> p0, 100 times, parts of several widths; then the counters are known exactly. */
static TfeStatus ring_body(TfeCtx *ctx, Net *net) {
  int64_t next = (ctx->party + 1) % net->count, before = (ctx->party + net->count - 1) % net->count;
  uint64_t a[3] = {0}, b[5] = {0}, c[1] = {0};
  for (int64_t i = 0; i < 100; i++) {
    TfePart parts[3] = {{a, 3, 64}, {b, 5, 1}, {c, 1, 13}};
    if (ctx->party != 0)
      TRY(tfe_recv(ctx, before, i, parts, 3));
    if (ctx->party == 0) {
      for (int k = 0; k < 3; k++)
        a[k] = UINT64_MAX - (uint64_t)(i + k);
      for (int k = 0; k < 5; k++)
        b[k] = (uint64_t)(i + k) & 1;
      c[0] = (uint64_t)i & 8191;
    }
    TRY(tfe_send(ctx, next, i, parts, 3));
    if (ctx->party == 0) {
      memset(a, 0, sizeof a);
      TRY(tfe_recv(ctx, before, i, parts, 3));
    }
    for (int k = 0; k < 5; k++)
      if (b[k] != ((uint64_t)(i + k) & 1) || a[k % 3] != UINT64_MAX - (uint64_t)(i + k % 3) ||
          c[0] != (uint64_t)i)
        return tfe_fail(ctx, TFE_INTERNAL, "wrong data in pass %d", (int)i);
  }
  return TFE_OK;
}

static void test_ring(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->body = ring_body;
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  uint64_t bytes = 100 * (16 + 24 + 1 + 2);
  for (int p = 0; p < 3; p++) {
    assert_int_equal(net->results[p].counters.messages_sent, 100);
    assert_int_equal(net->results[p].counters.messages_received, 100);
    assert_int_equal(net->results[p].counters.bytes_sent, bytes);
    assert_int_equal(net->results[p].counters.bytes_received, bytes);
  }
  assert_int_equal(net->results[0].rounds, 300);
  assert_int_equal(net->results[1].rounds, 299); /* it sent with 299 last, and received 298 */
  assert_int_equal(net->results[2].rounds, 300);
  net_free(net);
}

/* Sends of one level share their clock; a party that only sends has the largest clock it sent. */
static TfeStatus clock_body(TfeCtx *ctx, Net *net) {
  (void)net;
  uint64_t word = 5;
  if (ctx->party == 2) {
    TRY(send_words(ctx, 0, 1, &word, 1, 64));
    TRY(send_words(ctx, 1, 2, &word, 1, 64));
    return TFE_OK;
  }
  TRY(send_words(ctx, 1 - ctx->party, 3, &word, 1, 64));
  TRY(recv_words(ctx, 2, 1 + ctx->party, &word, 1, 64));
  return recv_words(ctx, 1 - ctx->party, 3, &word, 1, 64);
}

static void test_clock(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->body = clock_body;
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  for (int p = 0; p < 3; p++)
    assert_int_equal(net->results[p].rounds, 1);
  assert_int_equal(net->results[2].counters.clock, 0);
  net_free(net);
}

enum { LARGE_WORDS = 8 << 20 };

static TfeStatus large_body(TfeCtx *ctx, Net *net) {
  uint64_t *out = malloc(LARGE_WORDS * 8), *in = malloc(LARGE_WORDS * 8);
  int64_t other = 1 - ctx->party;
  TfeStatus status = TFE_OK;
  for (uint64_t i = 0; i < LARGE_WORDS; i++)
    out[i] = i * 0x9E3779B97F4A7C15u + (uint64_t)ctx->party;
  for (int pass = 0; status == TFE_OK && pass < 2; pass++) {
    status = send_words(ctx, other, pass, out, LARGE_WORDS, 64);
    if (status == TFE_OK)
      status = recv_words(ctx, other, pass, in, LARGE_WORDS, 64);
  }
  for (uint64_t i = 0; status == TFE_OK && i < LARGE_WORDS; i++)
    if (in[i] != i * 0x9E3779B97F4A7C15u + (uint64_t)other)
      status = tfe_fail(ctx, TFE_INTERNAL, "wrong word %d", (int)i);
  net->results[ctx->party].words[0] = ctx->counters.bytes_received;
  free(out);
  free(in);
  return status;
}

static void test_large_both_ways(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->body = large_body;
  net_run(net, false);
  net_expect_all(net, TFE_OK);
  assert_int_equal(net->results[0].words[0], 2 * (16 + 8 * (uint64_t)LARGE_WORDS));
  net_free(net);
}

/* p2 runs far ahead of p0 and is gone long before p0 reads: p0 holds back at its limit, and gets
 * everything. */
enum { AHEAD_MESSAGES = 48, AHEAD_WORDS = 512 << 10 };

static TfeStatus ahead_body(TfeCtx *ctx, Net *net) {
  uint64_t *words = calloc(AHEAD_WORDS, 8), word = 1;
  TfeStatus status = TFE_OK;
  if (ctx->party == 2) {
    for (int64_t i = 0; status == TFE_OK && i < AHEAD_MESSAGES; i++) {
      words[7] = (uint64_t)i;
      status = send_words(ctx, 0, i, words, AHEAD_WORDS, 64);
    }
  } else if (ctx->party == 1) {
    test_sleep(0.5);
    status = send_words(ctx, 0, 0, &word, 1, 64);
  } else {
    status = recv_words(ctx, 1, 0, &word, 1, 64);
    net->results[0].words[0] = frame_waiting(&ctx->chan->links[2].conn->in);
    for (int64_t i = 0; status == TFE_OK && i < AHEAD_MESSAGES; i++) {
      status = recv_words(ctx, 2, i, words, AHEAD_WORDS, 64);
      if (status == TFE_OK && words[7] != (uint64_t)i)
        status = tfe_fail(ctx, TFE_INTERNAL, "wrong message");
    }
  }
  free(words);
  return status;
}

static void test_ahead(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->links[0][2] |= TFE_LINK_AHEAD;
  net->body = ahead_body;
  net_run(net, true);
  net_expect_all(net, TFE_OK);
  assert_in_range(net->results[0].words[0], 1 << 20, (64 << 20) + (5 << 20));
  net_free(net);
}

/* A party that has finished is no loss to those that still work. */
static TfeStatus leaves_body(TfeCtx *ctx, Net *net) {
  (void)net;
  uint64_t word = 9;
  if (ctx->party == 2)
    return send_words(ctx, 0, 1, &word, 1, 64);
  if (ctx->party == 0)
    TRY(recv_words(ctx, 2, 1, &word, 1, 64));
  for (int64_t i = 0; i < 30; i++) {
    TRY(send_words(ctx, 1 - ctx->party, i, &word, 1, 64));
    TRY(recv_words(ctx, 1 - ctx->party, i, &word, 1, 64));
    test_sleep(0.01);
  }
  return TFE_OK;
}

static void test_leaves_early(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->body = leaves_body;
  net_run(net, true);
  net_expect_all(net, TFE_OK);
  net_free(net);
}

/* ---------------------------------------------------------------------------------------------- who it is */

static void test_wrong_key_dialled(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  memset(net->peers[1][0].key, 7, 32);
  net_run(net, false);
  net_expect(net, 1, TFE_WRONG_KEY, "the peer at 127.0.0.1:");
  net_expect(net, 1, TFE_WRONG_KEY, "is not p0");
  net_expect(net, 1, TFE_WRONG_KEY, "expected key tfe1:BwcH");
  net_expect(net, 1, TFE_WRONG_KEY, "(hosts.toml:1), got tfe1:");
  net_expect(net, 0, TFE_LOST_PEER, "p1"); /* lost, or told by p2 */
  net_free(net);
}

static void test_wrong_key_listening(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  memset(net->peers[0][1].key, 7, 32);
  net->wait[0] = 1;
  net_run(net, false);
  net_expect(net, 1, TFE_WRONG_KEY, "p0 does not know the key tfe1:");
  net_expect(net, 1, TFE_WRONG_KEY, "put this under [p1]");
  net_expect(net, 0, TFE_UNREACHABLE, "p1 did not connect");
  net_expect(net, 0, TFE_UNREACHABLE, "does not know the key");
  net_free(net);
}

static void test_never_comes(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->absent[0] = true;
  close(net->listen_fd[0]);
  net->listen_fd[0] = -1;
  net->wait[1] = 0.6;
  net->wait[2] = 5;
  net_run(net, false);
  net_expect(net, 1, TFE_UNREACHABLE, "cannot reach p0 at 127.0.0.1:");
  net_expect(net, 1, TFE_UNREACHABLE, "Connection refused");
  net_expect(net, 1, TFE_UNREACHABLE, "times in 0.6 s");
  net_expect(net, 2, TFE_UNREACHABLE,
             "p0 cannot be reached by p1"); /* told, long before its own time is over */
  assert_true(net->results[2].seconds < 4);
  net_free(net);
}

static void test_listener_alone(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->absent[1] = true;
  net->wait[0] = 0.3;
  net_run(net, false);
  net_expect(net, 0, TFE_UNREACHABLE, "p1 did not connect");
  assert_true(net->results[0].seconds < 2);
  net_free(net);
}

/* Random bytes, silence, half a handshake, and more connections than there are places for strangers. */
static void test_strangers(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->absent[2] = true;
  net->body = leaves_body;
  net_start(net, false);
  int fds[50];
  for (int i = 0; i < 50; i++) {
    uint8_t noise[4000];
    fds[i] = net_dial(net, i % 2);
    RAND_bytes(noise, sizeof noise);
    if (i % 4 == 1) { /* looks like the start of a TLS record */
      noise[0] = 22, noise[1] = 3, noise[2] = 1, noise[3] = 15, noise[4] = 100;
    }
    if (i % 4 != 0)
      assert_true(send(fds[i], noise, i % 4 == 3 ? 3 : sizeof noise, MSG_NOSIGNAL) > 0);
  }
  Start *late = malloc(sizeof *late);
  *late = (Start){net, 2};
  net->absent[2] = false;
  assert_int_equal(pthread_create(&net->threads[2], NULL, net_thread, late), 0);
  net_finish(net, false);
  net_expect_all(net, TFE_OK);
  assert_true(net->results[0].seconds < 8);
  for (int i = 0; i < 50; i++)
    close(fds[i]);
  net_free(net);
}

/* The party that is dialled speaks no TLS: that is not a crash, and is said. */
static void *babbler(void *argument) {
  int fd = *(int *)argument;
  for (double end = test_now() + 1.5; test_now() < end; test_sleep(0.01)) {
    int one = accept(fd, NULL, NULL);
    if (one < 0)
      continue;
    assert_true(send(one, "SSH-2.0-OpenSSH_9.2 hello and welcome\r\n", 39, MSG_NOSIGNAL) > 0);
    close(one);
  }
  return NULL;
}

static void test_not_tls(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  pthread_t thread;
  net->absent[0] = true;
  net->wait[1] = 1;
  assert_int_equal(pthread_create(&thread, NULL, babbler, &net->listen_fd[0]), 0);
  net_run(net, false);
  pthread_join(thread, NULL);
  net_expect(net, 1, TFE_UNREACHABLE, "cannot reach p0");
  net_free(net);
}

/* A second p1 while the first one computes: refused, and the first one does not notice. */
static int duplicate_over;

static TfeStatus until_over_body(TfeCtx *ctx, Net *net) {
  uint64_t go_on = 1;
  for (int64_t i = 0; go_on; i = (i + 1) & 0xffff) {
    if (ctx->party == 0) {
      go_on = !__atomic_load_n(&duplicate_over, __ATOMIC_SEQ_CST);
      TRY(send_words(ctx, 1, i, &go_on, 1, 64));
    } else {
      TRY(recv_words(ctx, 0, i, &go_on, 1, 64));
    }
    __atomic_store_n(&net->results[ctx->party].words[0], 1, __ATOMIC_SEQ_CST);
  }
  return TFE_OK;
}

static void test_duplicate(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->body = until_over_body;
  Net second = *net;
  second.results = calloc(PARTIES, sizeof *second.results);
  duplicate_over = 0;
  net_start(net, false);
  while (!__atomic_load_n(&net->results[1].words[0], __ATOMIC_SEQ_CST))
    test_sleep(0.01);
  net_party(&second, 1);
  __atomic_store_n(&duplicate_over, 1, __ATOMIC_SEQ_CST);
  net_finish(net, false);
  net_expect(&second, 1, TFE_DUPLICATE, "p1 is connected to p0 already");
  net_expect_all(net, TFE_OK);
  free(second.results);
  net_free(net);
}

/* ------------------------------------------------------------------------------------------------- losses */

/* 0 - 1, 0 - 2, 1 - 2, 1 - 3: everybody exchanges for ever, until somebody is killed. */
static TfeStatus for_ever_body(TfeCtx *ctx, Net *net) {
  uint64_t word = 1;
  for (int64_t i = 0;; i++) {
    for (int64_t p = 0; p < net->count; p++)
      if (net->links[ctx->party][p])
        TRY(send_words(ctx, p, i & 0xffff, &word, 1, 64));
    for (int64_t p = 0; p < net->count; p++)
      if (net->links[ctx->party][p])
        TRY(recv_words(ctx, p, i & 0xffff, &word, 1, 64));
    net->results[ctx->party].words[0] = (uint64_t)i;
  }
}

static void run_and_kill(Net *net, int victim, int number) {
  net_start(net, true);
  for (double end = test_now() + 10; test_now() < end && net->results[victim].words[0] < 5;)
    test_sleep(0.01);
  assert_true(net->results[victim].words[0] >= 5);
  kill(net->pids[victim], number);
  net_finish(net, true);
}

static void test_killed(void **state) {
  (void)state;
  Net *net = net_new(4, false);
  net_link(net, 0, 1);
  net_link(net, 0, 2);
  net_link(net, 1, 2);
  net_link(net, 1, 3);
  net->body = for_ever_body;
  run_and_kill(net, 0, SIGKILL);
  net_expect(net, 1, TFE_LOST_PEER, "lost p0");
  net_expect(net, 1, TFE_LOST_PEER, "in the middle of the computation");
  net_expect(net, 2, TFE_LOST_PEER, "lost p0");
  net_expect(net, 3, TFE_LOST_PEER, "lost p0");
  net_expect(net, 3, TFE_LOST_PEER, "p1 (127.0.0.1:");
  for (int p = 1; p < 4; p++)
    assert_true(net->results[p].seconds < 10);
  net_free(net);
}

/* One party ends with an error of its own. */
static TfeStatus fails_body(TfeCtx *ctx, Net *net) {
  if (ctx->party == 3) {
    test_sleep(0.2);
    return tfe_fail(ctx, TFE_INPUT_SHAPE, "input `x` has the wrong shape");
  }
  return for_ever_body(ctx, net);
}

static void test_peer_fails(void **state) {
  (void)state;
  Net *net = net_new(4, false);
  net_link(net, 0, 1);
  net_link(net, 1, 2);
  net_link(net, 2, 3);
  net->body = fails_body;
  net_run(net, false);
  for (int p = 0; p < 3; p++)
    net_expect(net, p, TFE_LOST_PEER,
               "p3 stopped in the middle of the computation: an input has another shape");
  net_free(net);
}

static TfeStatus hangs_body(TfeCtx *ctx, Net *net) {
  uint64_t word = 0;
  (void)net;
  if (ctx->party == 2) {
    test_sleep(5);
    return TFE_OK;
  }
  if (ctx->party == 1)
    test_sleep(0.4); /* so that p0's wait begins, and would end, first */
  return recv_words(ctx, ctx->party + 1, 1, &word, 1, 64);
}

/* p0 waits for p1, which waits for p2, which hangs: p2 is named by both. */
static void test_time_out(void **state) {
  (void)state;
  Net *net = net_new(3, false);
  net_link(net, 0, 1);
  net_link(net, 1, 2);
  net->timeout[0] = net->timeout[1] = 1.5;
  net->body = hangs_body;
  net_run(net, true);
  net_expect(net, 1, TFE_LOST_PEER, "lost p2");
  net_expect(net, 1, TFE_LOST_PEER, "it said nothing for 1.5 s");
  net_expect(net, 0, TFE_LOST_PEER, "lost p2");
  assert_true(net->results[0].seconds < 4.5);
  net_free(net);
}

/* Everybody waits for the next one, in a circle: no wait is without end. */
static TfeStatus circle_body(TfeCtx *ctx, Net *net) {
  uint64_t word = 0;
  return recv_words(ctx, (ctx->party + 1) % net->count, 1, &word, 1, 64);
}

static void test_circle(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  for (int p = 0; p < 3; p++)
    net->timeout[p] = 0.5;
  net->body = circle_body;
  net_run(net, false);
  for (int p = 0; p < 3; p++) {
    net_expect(net, p, TFE_LOST_PEER, NULL);
    assert_true(net->results[p].seconds < 5);
  }
  net_free(net);
}

/* A slow consumer that is alive is not given up by a producer that has to wait for it. */
static TfeStatus slow_body(TfeCtx *ctx, Net *net) {
  uint64_t *words = calloc(AHEAD_WORDS, 8), word = 1;
  TfeStatus status = TFE_OK;
  (void)net;
  if (ctx->party == 2) {
    for (int64_t i = 0; status == TFE_OK && i < AHEAD_MESSAGES; i++)
      status = send_words(ctx, 0, i, words, AHEAD_WORDS, 64);
  } else if (ctx->party == 1) {
    for (int64_t i = 0; status == TFE_OK && i < 12; i++) {
      test_sleep(0.2);
      status = send_words(ctx, 0, i, &word, 1, 64);
    }
  } else {
    for (int64_t i = 0; status == TFE_OK && i < 12; i++)
      status = recv_words(ctx, 1, i, &word, 1, 64);
    for (int64_t i = 0; status == TFE_OK && i < AHEAD_MESSAGES; i++)
      status = recv_words(ctx, 2, i, words, AHEAD_WORDS, 64);
  }
  free(words);
  return status;
}

static void test_slow_consumer(void **state) {
  (void)state;
  Net *net = net_new(3, true);
  net->links[0][2] |= TFE_LINK_AHEAD;
  for (int p = 0; p < 3; p++)
    net->timeout[p] = 0.8;
  net->body = slow_body;
  net_run(net, true);
  net_expect_all(net, TFE_OK);
  net_free(net);
}

/* --------------------------------------------------------------------------------------------------- lies */

typedef struct Lie {
  const char *name;
  int64_t sent_number, due_number;
  int64_t sent_words, due_words;
  uint64_t claimed; /* payload bytes, 0: the truth */
  bool leaves;      /* closes the connection behind it */
  TfeStatus status;
  const char *text;
} Lie;

static const Lie lies[] = {
    {"number", 4, 5, 10, 10, 0, false, TFE_PEER_DATA, "message 5 was due, message 4 came"},
    {"too long", 5, 5, 11, 10, 0, false, TFE_PEER_DATA, "message 5 must have 80 bytes, and has 88"},
    {"too short", 5, 5, 9, 10, 0, false, TFE_PEER_DATA, "must have 80 bytes, and has 72"},
    {"huge", 5, 5, 1, 10, UINT64_C(1) << 39, false, TFE_PEER_DATA, "must have 80 bytes"},
    {"impossible", 5, 5, 1, 10, UINT64_MAX, false, TFE_PEER_DATA, "not of this protocol"},
    {"truncated", 5, 5, 1, 10, 80, true, TFE_LOST_PEER, "lost p1"},
    {"unknown control", 0xFFFFFFF0, 5, 1, 10, 0, false, TFE_PEER_DATA, "not of this protocol"},
    {"large control", 0xFFFFFF02, 5, 1, 10, UINT64_C(1) << 30, false, TFE_PEER_DATA, "not of this protocol"},
    {"bad abort", 0xFFFFFF04, 5, 1, 10, 0, true, TFE_LOST_PEER, "p1 stopped"},
    {"bad alive", 0xFFFFFF05, 5, 1, 10, 0, false, TFE_PEER_DATA, "not of this protocol"},
    {"welcome twice", 0xFFFFFF00, 5, 1, 10, 0, false, TFE_PEER_DATA, "not of this protocol"},
};

static TfeStatus lie_body(TfeCtx *ctx, Net *net) {
  const Lie *lie = net->user;
  uint64_t words[32] = {0};
  if (ctx->party == 0)
    return recv_words(ctx, 1, lie->due_number, words, lie->due_words, 64);
  Conn *conn = ctx->chan->links[0].conn;
  uint8_t message[16 + 256] = {0};
  memset(message + 16, 255, 256);
  uint64_t truth = 8 * (uint64_t)lie->sent_words;
  frame_write_head(message, (FrameHead){.bytes = lie->claimed ? lie->claimed : truth,
                                        .number = (uint32_t)lie->sent_number,
                                        .clock = 1});
  conn->plain = message;
  conn->plain_left = 16 + truth;
  conn_push(conn);
  if (lie->leaves) {
    test_sleep(0.05);
    conn_close(conn, "test");
    return TFE_OK;
  }
  return recv_words(ctx, 0, 1, words, 1, 64);
}

static void test_lies(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    Net *net = net_new(2, true);
    Lie lie = lies[i];
    net->user = &lie;
    net->body = lie_body;
    net_run(net, false);
    if (net->results[0].status != lie.status)
      print_message("lie: %s\n", lie.name);
    net_expect(net, 0, lie.status, lie.text);
    if (!lie.leaves)
      net_expect(net, 1, TFE_LOST_PEER, "p0 stopped because of this party");
    assert_true(net->results[0].seconds < 5);
    net_free(net);
  }
}

/* The peer finishes although a message of it is due. */
static TfeStatus finishes_body(TfeCtx *ctx, Net *net) {
  uint64_t word;
  (void)net;
  return ctx->party == 1 ? TFE_OK : recv_words(ctx, 1, 1, &word, 1, 64);
}

static void test_finishes(void **state) {
  (void)state;
  Net *net = net_new(2, true);
  net->body = finishes_body;
  net_run(net, false);
  net_expect(net, 0, TFE_PEER_DATA, "it has finished, but a message from it is due");
  net_expect(net, 1, TFE_OK, NULL);
  net_free(net);
}

/* Any allocation of the context may fail: an error, never a crash. */
static void test_memory(void **state) {
  (void)state;
  for (uint64_t n = 1; n < 8; n++) {
    Net *net = net_new(1, false);
    TfeCtx ctx;
    assert_int_equal(tfe_ctx_init(&ctx, &net->programs[0], 0), TFE_OK);
    ctx.wait_seconds = ctx.timeout_seconds = 1;
    ctx.fail_allocation = ctx.allocations + n;
    TfeStatus status = net_steps(&ctx, net, 0);
    assert_true(status == TFE_OK || status == TFE_MEMORY);
    tfe_chan_close(&ctx);
    tfe_chan_free(&ctx);
    tfe_ctx_free(&ctx);
    net_free(net);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ring),
      cmocka_unit_test(test_clock),
      cmocka_unit_test(test_large_both_ways),
      cmocka_unit_test(test_ahead),
      cmocka_unit_test(test_leaves_early),
      cmocka_unit_test(test_wrong_key_dialled),
      cmocka_unit_test(test_wrong_key_listening),
      cmocka_unit_test(test_never_comes),
      cmocka_unit_test(test_listener_alone),
      cmocka_unit_test(test_strangers),
      cmocka_unit_test(test_not_tls),
      cmocka_unit_test(test_duplicate),
      cmocka_unit_test(test_killed),
      cmocka_unit_test(test_peer_fails),
      cmocka_unit_test(test_time_out),
      cmocka_unit_test(test_circle),
      cmocka_unit_test(test_slow_consumer),
      cmocka_unit_test(test_lies),
      cmocka_unit_test(test_finishes),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
