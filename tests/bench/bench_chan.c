/* The channel beside bare sockets: parties in processes of their own on this machine, over loopback. Each
 * repetition times some exchanges of ours and then the same number of the other's, between the same two
 * processes.
 *
 *   exchange 8 B    every party sends to every other and receives; the other: a byte there and back through a
 *                   bare TCP connection, both ends spinning
 *   exchange 1 MiB  both ways at once; the other: a plain loop of SSL_write and SSL_read */
#define _GNU_SOURCE
#include "bench.h"

#include "../unit/parties.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sched.h>

enum { REPETITIONS = 60, SMALL = 200, LARGE_BYTES = 1 << 20, LARGE = 8 };

typedef struct Exchange {
  int parties, bytes, times; /* exchanges in one repetition */
  int bare[2];               /* ends of a connection of parties 0 and 1 */
  bool tls;                  /* the other variant */
  Net *net;
  pthread_barrier_t barrier;                    /* of all parties */
  double ours[REPETITIONS], other[REPETITIONS]; /* seconds, of party 0 */
} Exchange;

typedef struct Party {
  Exchange *x;
  TfeCtx *ctx;
  SSL *ssl;
  uint64_t *out, *in;
} Party;

/* -- ours --------------------------------------------------------------------------------------------------- */

static TfeStatus exchange(const Party *p) {
  TfePart out = {p->out, p->x->bytes / 8, 64}, in = {p->in, p->x->bytes / 8, 64};
  for (int q = 0; q < p->x->parties; q++)
    if (q != p->ctx->party)
      TRY(tfe_send(p->ctx, q, 1, &out, 1));
  for (int q = 0; q < p->x->parties; q++)
    if (q != p->ctx->party)
      TRY(tfe_recv(p->ctx, q, 1, &in, 1));
  return TFE_OK;
}

/* -- the others --------------------------------------------------------------------------------------------- */

static bool again(ssize_t n) {
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* One byte, spinning. */
static bool pass_on(int fd, bool receive) {
  char byte = 0;
  ssize_t n;
  do
    n = receive ? recv(fd, &byte, 1, MSG_DONTWAIT) : send(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (again(n));
  return n == 1;
}

static bool ping_pong(const Party *p) {
  int me = (int)p->ctx->party, fd = p->x->bare[me];
  return pass_on(fd, me == 1) && pass_on(fd, me == 0);
}

static bool tls_fault(SSL *ssl, int result) {
  int error = SSL_get_error(ssl, result);
  return result <= 0 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

static bool tls_exchange(const Party *p) {
  const char *out = (const char *)p->out;
  char *in = (char *)p->in;
  size_t sent = 0, got = 0, size = (size_t)p->x->bytes, n;
  while (sent < size || got < size) {
    size_t before = sent + got;
    if (sent < size) {
      int result = SSL_write_ex(p->ssl, out + sent, size - sent, &n);
      if (tls_fault(p->ssl, result))
        return false;
      sent += result == 1 ? n : 0;
    }
    if (got < size) {
      int result = SSL_read_ex(p->ssl, in + got, size - got, &n);
      if (tls_fault(p->ssl, result))
        return false;
      got += result == 1 ? n : 0;
    }
    if (sent + got == before)
      sched_yield();
  }
  return true;
}

static SSL *tls_start(const Party *p) {
  int me = (int)p->ctx->party;
  SSL_CTX *context = SSL_CTX_new(TLS_method());
  const TfeIdentity *identity = p->x->net->identities[me];
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_use_certificate(context, identity->certificate);
  SSL_CTX_use_PrivateKey(context, identity->key);
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, p->x->bare[me]);
  int result;
  do
    result = me == 0 ? SSL_accept(ssl) : SSL_connect(ssl);
  while (result != 1 && !tls_fault(ssl, result));
  return result == 1 ? ssl : NULL;
}

/* -- the run of a party ------------------------------------------------------------------------------------- */

static TfeStatus repetition(Party *p, int r) {
  Exchange *x = p->x;
  pthread_barrier_wait(&x->barrier);
  double start = test_now();
  for (int i = 0; i < x->times; i++)
    TRY(exchange(p));
  x->ours[r] = p->ctx->party == 0 ? test_now() - start : x->ours[r];
  pthread_barrier_wait(&x->barrier);
  start = test_now();
  for (int i = 0; i < x->times && p->ctx->party < 2; i++)
    if (!(x->tls ? tls_exchange(p) : ping_pong(p)))
      return tfe_fail(p->ctx, TFE_SYSTEM, "the bare connection broke");
  x->other[r] = p->ctx->party == 0 ? test_now() - start : x->other[r];
  return TFE_OK;
}

/* What else the machine does is not to be measured: where the system lets us, we go before it. */
static void go_first(void) {
  struct sched_param priority = {.sched_priority = 1};
  (void)sched_setscheduler(0, SCHED_RR, &priority);
}

static TfeStatus party(TfeCtx *ctx, Net *net) {
  go_first();
  Party p = {.x = net->user, .ctx = ctx};
  p.out = bench_words(p.x->bytes / 8);
  p.in = bench_words(p.x->bytes / 8);
  if (p.x->tls && (p.ssl = tls_start(&p)) == NULL)
    return tfe_fail(ctx, TFE_SYSTEM, "the bare TLS connection does not come up");
  for (int r = 0; r < REPETITIONS; r++)
    TRY(repetition(&p, r));
  return TFE_OK;
}

/* Both ends of a loopback connection. */
static void connect_bare(int ends[2]) {
  char port[16];
  int yes = 1, listener = net_listen(port);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)atoi(port));
  ends[1] = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(ends[1], (struct sockaddr *)&address, sizeof address), 0);
  while ((ends[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
    assert_true(again(-1));
  close(listener);
  for (int i = 0; i < 2; i++) {
    setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(ends[i], IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    assert_int_equal(fcntl(ends[i], F_SETFL, fcntl(ends[i], F_GETFL) | O_NONBLOCK), 0);
  }
}

static Exchange *run(int parties, int bytes, int times) {
  Exchange *x = mmap(NULL, sizeof *x, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(x, MAP_FAILED);
  pthread_barrierattr_t shared;
  pthread_barrierattr_init(&shared);
  pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&x->barrier, &shared, (unsigned)parties);
  x->parties = parties, x->bytes = bytes, x->times = times, x->tls = bytes > 8;
  connect_bare(x->bare);
  x->net = net_new(parties, true);
  x->net->body = party;
  x->net->user = x;
  net_run(x->net, true);
  for (int p = 0; p < parties; p++)
    if (x->net->results[p].status != TFE_OK)
      bench_note("chan: party %d: %s", p, x->net->results[p].text);
  net_free(x->net);
  close(x->bare[0]), close(x->bare[1]);
  return x;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double middle(double *times) {
  qsort(times, REPETITIONS, sizeof *times, by_size);
  return times[REPETITIONS / 2];
}

static void row(int parties, int bytes, int times, const char *against, double wanted) {
  Exchange *x = run(parties, bytes, times);
  double ratio[REPETITIONS], each = (double)times * (bytes > 8 ? 1e-9 * bytes : 1e-3);
  for (int r = 0; r < REPETITIONS; r++)
    ratio[r] = x->other[r] / x->ours[r];
  bench_row((BenchRow){.kernel = "exchange",
                       .shape = bench_text("%d B, %d parties", bytes, parties),
                       .tier = "tls",
                       .unit = bytes > 8 ? "GB/s" : "k/s",
                       .figure = each / middle(x->ours),
                       .against = against,
                       .other = each / middle(x->other),
                       .ratio = middle(ratio),
                       .wanted = wanted});
  munmap(x, sizeof *x);
}

void bench_chan(void) {
  row(2, 8, SMALL, "TCP there and back", 1.0 / 3);
  row(3, 8, SMALL, "TCP there and back", 1.0 / 5);
  row(2, LARGE_BYTES, LARGE, "OpenSSL alone", 0.8);
}
