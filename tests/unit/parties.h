/* Several parties in one test: each has its own context and program description and runs in a thread or in
 * a process of its own, over loopback TLS. Parties with higher numbers dial those with lower ones. Results
 * lie in shared memory. */
#ifndef TEST_PARTIES_H
#define TEST_PARTIES_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan/state.h"
#include "dealt.h"
#include "include/abi.h"
#include "prg/prg.h"
#include "session.h"

enum { PARTIES = 5 };

typedef struct Net Net;
typedef TfeStatus (*Body)(TfeCtx *ctx, Net *net);

typedef struct Result {
  TfeStatus status;
  char text[1024];
  char more[4096];
  TfeCounters counters;
  uint32_t rounds;
  double seconds;
  uint64_t words[8]; /* whatever the body wants to show */
} Result;

struct Net {
  int count;
  uint8_t links[PARTIES][PARTIES];
  TfePartyDecl decls[PARTIES];
  TfeProgram programs[PARTIES];
  TfeIdentity *identities[PARTIES];
  TfePeer peers[PARTIES][PARTIES]; /* as each party sees them */
  int listen_fd[PARTIES];
  double wait[PARTIES], timeout[PARTIES];
  double round_trip, bandwidth; /* of an emulated network */
  bool absent[PARTIES];
  bool has_seed[PARTIES];
  uint64_t seed[PARTIES];
  bool no_session;
  Body before; /* anything is connected; or NULL */
  Body body;
  void *user;
  Result *results; /* [PARTIES], shared */
  pthread_t threads[PARTIES];
  pid_t pids[PARTIES];
};

typedef struct Start {
  Net *net;
  int party;
} Start;

static inline double test_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void test_sleep(double seconds) {
  struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
  nanosleep(&t, NULL);
}

static inline int net_listen(char port[16]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(fd, 64), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  snprintf(port, 16, "%d", ntohs(address.sin_port));
  return fd;
}

static inline int net_dial(const Net *net, int party) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)atoi(net->peers[0][party].port));
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static inline void net_link(Net *net, int a, int b) {
  int low = a < b ? a : b, high = a < b ? b : a;
  net->links[low][high] |= TFE_LINK_SEND | TFE_LINK_RECEIVE | TFE_LINK_KEY;
  net->links[high][low] |= TFE_LINK_SEND | TFE_LINK_RECEIVE | TFE_LINK_KEY | TFE_LINK_DIAL;
}

/* count parties "p0", "p1", ...; linked each with each if `all`. */
static inline Net *net_new(int count, bool all) {
  static const char *const names[PARTIES] = {"p0", "p1", "p2", "p3", "p4"};
  static const char *const sites[] = {"test.tfe:7"};
  Net *net = calloc(1, sizeof *net);
  TfeCtx ctx = {0};
  net->count = count;
  net->results =
      mmap(NULL, sizeof *net->results * PARTIES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(net->results, MAP_FAILED);
  for (int p = 0; p < count; p++) {
    char port[16];
    net->decls[p] = (TfePartyDecl){.name = names[p], .first = p, .count = 1};
    net->programs[p] =
        (TfeProgram){.abi_version = TFE_ABI_VERSION,
                     .source = "test.tfe",
                     .compiler = "tfec 0.0",
                     .hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                     .party_decl_count = count,
                     .party_decls = net->decls,
                     .party_count = count,
                     .self = p,
                     .links = net->links[p],
                     .site_count = 1,
                     .sites = sites,
                     .arena_words = 1,
                     .parameters = "epochs=10\nbatch=30\n"};
    assert_int_equal(tfe_identity_new(&ctx, &net->identities[p]), TFE_OK);
    net->listen_fd[p] = net_listen(port);
    for (int q = 0; q < count; q++) {
      TfePeer *peer = &net->peers[q][p];
      snprintf(peer->host, sizeof peer->host, "127.0.0.1");
      snprintf(peer->port, sizeof peer->port, "%s", port);
      memcpy(peer->key, net->identities[p]->public_key, sizeof peer->key);
      peer->has_key = 1;
      peer->line = p + 1;
      peer->file = "hosts.toml";
    }
    net->wait[p] = 20;
    net->timeout[p] = 20;
  }
  for (int p = 0; all && p < count; p++)
    for (int q = 0; q < p; q++)
      net_link(net, p, q);
  return net;
}

static inline void net_free(Net *net) {
  for (int p = 0; p < net->count; p++) {
    tfe_identity_free(net->identities[p]);
    if (net->listen_fd[p] >= 0)
      close(net->listen_fd[p]);
  }
  munmap(net->results, sizeof *net->results * PARTIES);
  free(net);
}

static inline TfeStatus net_steps(TfeCtx *ctx, Net *net, int party) {
  if (net->before != NULL)
    TRY(net->before(ctx, net));
  int fd = dup(net->listen_fd[party]);
  TRY(tfe_chan_init(ctx, net->peers[party], net->identities[party], fd));
  TRY(tfe_chan_connect(ctx));
  if (!net->no_session)
    TRY(tfe_session_start(ctx, net->has_seed[party], net->seed[party]));
  return net->body ? net->body(ctx, net) : TFE_OK;
}

static inline void net_party(Net *net, int party) {
  TfeCtx ctx;
  Result *result = &net->results[party];
  double start = test_now();
  TfeStatus status = tfe_ctx_init(&ctx, &net->programs[party], 0);
  ctx.wait_seconds = net->wait[party];
  ctx.timeout_seconds = net->timeout[party];
  ctx.round_trip = net->round_trip;
  ctx.bandwidth = net->bandwidth;
  ctx.site = 0;
  if (status == TFE_OK)
    status = net_steps(&ctx, net, party);
  result->seconds = test_now() - start;
  result->rounds = tfe_chan_rounds(&ctx);
  tfe_chan_close(&ctx);
  result->status = status;
  result->counters = ctx.counters;
  snprintf(result->text, sizeof result->text, "%s", ctx.error_text);
  snprintf(result->more, sizeof result->more, "%s", ctx.error_more);
  tfe_chan_free(&ctx);
  tfe_dealt_free(&ctx);
  tfe_ctx_free(&ctx);
}

static inline void *net_thread(void *argument) {
  Start *start = argument;
  net_party(start->net, start->party);
  free(start);
  return NULL;
}

static inline void net_start(Net *net, bool processes) {
  memset(net->results, 0, sizeof *net->results * PARTIES);
  for (int p = 0; p < net->count; p++) {
    net->results[p].status = -1;
    if (net->absent[p])
      continue;
    if (processes) {
      net->pids[p] = fork();
      assert_true(net->pids[p] >= 0);
      if (net->pids[p] == 0) {
        for (int q = 0; q < net->count;
             q++) /* as separate programs: nobody else holds a party's socket open */
          if (q != p)
            close(net->listen_fd[q]);
        net_party(net, p);
        _exit(0);
      }
    } else {
      Start *start = malloc(sizeof *start);
      *start = (Start){net, p};
      assert_int_equal(pthread_create(&net->threads[p], NULL, net_thread, start), 0);
    }
  }
}

static inline void net_finish(Net *net, bool processes) {
  for (int p = 0; p < net->count; p++) {
    if (net->absent[p])
      continue;
    if (processes)
      assert_int_equal(waitpid(net->pids[p], NULL, 0), net->pids[p]);
    else
      assert_int_equal(pthread_join(net->threads[p], NULL), 0);
  }
}

static inline void net_run(Net *net, bool processes) {
  net_start(net, processes);
  net_finish(net, processes);
}

/* The party ended so, and said this. */
static inline void net_expect(const Net *net, int party, TfeStatus status, const char *text) {
  const Result *r = &net->results[party];
  if (r->status != status || (text != NULL && strstr(r->text, text) == NULL && strstr(r->more, text) == NULL))
    fail_msg("p%d ended with %d (%s): %s\n%swanted %d and \"%s\"", party, r->status,
             tfe_status_code(r->status), r->text, r->more, status, text ? text : "");
}

static inline void net_expect_all(const Net *net, TfeStatus status) {
  for (int p = 0; p < net->count; p++)
    if (!net->absent[p])
      net_expect(net, p, status, NULL);
}

#endif
