/* How connections come about: dialling with back-off, accepting in parallel, and the judgement whether the
 * other end is the party it should be. Strangers (connections that have not proved who they are) are few,
 * short-lived and read in small portions, so that whoever sends nothing, or random bytes, costs nobody
 * anything. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../dealt.h"
#include "../progress.h"
#include "state.h"

static const double stranger_seconds = 5, dial_seconds = 5, handshake_seconds = 10, welcome_seconds = 20;
enum { STRANGER_BUDGET = 64 << 10 };

/* ------------------------------------------------------------------------------------------------- listen */

static void connect_socket_text(const struct sockaddr *address, socklen_t size, char *text, size_t room) {
  char host[64], port[16];
  if (getnameinfo(address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    snprintf(text, room, "an unknown address");
  else
    snprintf(text, room, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static bool connect_must_listen(const TfeChan *chan) {
  for (int64_t p = 0; p < chan->count; p++)
    if (chan->links[p].flags != 0 && !(chan->links[p].flags & TFE_LINK_DIAL))
      return true;
  return false;
}

static int connect_bind(const struct addrinfo *address) {
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  conn_tune(fd);
  if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 128) == 0)
    return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

TfeStatus connect_listen(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  const TfePeer *me = &chan->peers[ctx->party];
  if (chan->listen_fd >= 0) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(chan->listen_fd, (struct sockaddr *)&address, &size) != 0)
      return tfe_fail(ctx, TFE_USAGE, "--listen-fd: this is not a socket");
    fcntl(chan->listen_fd, F_SETFL, fcntl(chan->listen_fd, F_GETFL) | O_NONBLOCK);
    fcntl(chan->listen_fd, F_SETFD, FD_CLOEXEC);
    connect_socket_text((struct sockaddr *)&address, size, chan->listen_text, sizeof chan->listen_text);
    return TFE_OK;
  }
  if (!connect_must_listen(chan))
    return TFE_OK;
  snprintf(chan->listen_text, sizeof chan->listen_text, "%s:%s", me->host, me->port);
  if (me->host[0] == '\0') {
    TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "%s must listen, and has no address", ctx->name);
    tfe_help(ctx, "give it an address in hosts.toml, or --listen ADDR:PORT");
    return status;
  }
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
  int error = getaddrinfo(me->host, me->port, &hints, &list);
  if (error != 0)
    return tfe_fail(ctx, TFE_HOSTS, "cannot listen on %s: %s", chan->listen_text, gai_strerror(error));
  int fd = -1;
  for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
    fd = connect_bind(at);
  int why = errno;
  freeaddrinfo(list);
  chan->listen_fd = fd;
  if (fd >= 0)
    return TFE_OK;
  TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "cannot listen on %s: %s", chan->listen_text, strerror(why));
  if (why == EADDRINUSE)
    tfe_help(ctx, "does another %s run here? choose another port in hosts.toml otherwise", ctx->binary);
  else
    tfe_help(ctx, "behind address translation give --listen 0.0.0.0:%s; hosts.toml keeps the outside address",
             me->port);
  return status;
}

/* ---------------------------------------------------------------------------------------------- strangers */

/* A free place; when there is none, that of the oldest one: a genuine peer shakes hands in far less time
 * than it takes to be pushed out, and dials again if it was. */
static int connect_place(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  int oldest = 0;
  for (int i = 0; i < CHAN_STRANGERS; i++) {
    if (chan->strangers[i] == NULL)
      return i;
    if (chan->strangers[i]->opened < chan->strangers[oldest]->opened)
      oldest = i;
  }
  tfe_progress_log(ctx, "dropped %s: too many connections that have not said who they are",
                   chan->strangers[oldest]->address);
  conn_free(chan->strangers[oldest]);
  chan->strangers[oldest] = NULL;
  return oldest;
}

void connect_accept(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  for (int i = 0; i < 16; i++) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char text[80];
    int fd = accept4(chan->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED)
        chan->listen_again = conn_now() + 0.2;
      return;
    }
    conn_tune(fd);
    connect_socket_text((struct sockaddr *)&address, size, text, sizeof text);
    int place = connect_place(ctx);
    chan->strangers[place] = conn_new(fd, chan->setup, chan->shape, false, text);
  }
}

__attribute__((format(printf, 3, 4))) static void connect_drop(TfeCtx *ctx, int index, const char *format,
                                                               ...) {
  TfeChan *chan = ctx->chan;
  char why[300];
  va_list list;
  va_start(list, format);
  vsnprintf(why, sizeof why, format, list);
  va_end(list);
  snprintf(chan->refused, sizeof chan->refused, "%s: %s", chan->strangers[index]->address, why);
  tfe_progress_log(ctx, "dropped the connection from %s", chan->refused);
  conn_free(chan->strangers[index]);
  chan->strangers[index] = NULL;
}

/* Says why and stays a moment, reading and forgetting, so that the words arrive before the connection is
 * torn down. */
__attribute__((format(printf, 4, 5))) static void connect_refuse(TfeCtx *ctx, int index, TfeStatus status,
                                                                 const char *format, ...) {
  TfeChan *chan = ctx->chan;
  Conn *conn = chan->strangers[index];
  uint8_t words[4 + 300] = {(uint8_t)status};
  va_list list;
  va_start(list, format);
  vsnprintf((char *)words + 4, sizeof words - 4, format, list);
  va_end(list);
  if (conn->stage != CONN_ENDING) {
    snprintf(chan->refused, sizeof chan->refused, "%s: %s", conn->address, (char *)words + 4);
    tfe_progress_log(ctx, "refused the connection from %s", chan->refused);
  }
  conn->stage = CONN_ENDING;
  conn->opened = conn_now();
  conn_control(conn, FRAME_CONTROL + CHAN_REFUSE, words, 4 + strlen((char *)words + 4));
  conn_push(conn);
  conn_end(conn);
  conn_push(conn);
  conn_shut(conn);
}

/* The first thing that is said on a connection that is up, if there is anything to say. false: no memory. */
static bool connect_say_dealt(TfeCtx *ctx, Conn *conn) {
  int64_t dealer = tfe_dealt_dealer(ctx);
  uint8_t word[4];
  for (int i = 0; i < 4; i++)
    word[i] = (uint8_t)(dealer >> 8 * i);
  return dealer < 0 || conn_control(conn, FRAME_CONTROL + CHAN_DEALT, word, sizeof word);
}

/* Is this the key of the dealer whose batch we have? */
static bool connect_is_dealer(const TfeCtx *ctx, const uint8_t key[32]) {
  int64_t dealer = tfe_dealt_dealer(ctx);
  return dealer >= 0 && memcmp(key, ctx->chan->peers[dealer].key, 32) == 0;
}

/* The party among those that dial us to which this connection belongs; -1 none, and *why. */
static int64_t connect_whose(TfeCtx *ctx, Conn *conn, TfeStatus *status, char *why, size_t size) {
  TfeChan *chan = ctx->chan;
  uint8_t key[32];
  bool has_key = chan_tls_peer_key(conn->tls, key);
  for (int64_t p = 0; p < chan->count; p++) {
    const ChanLink *link = &chan->links[p];
    bool dials = link->flags != 0 && !(link->flags & TFE_LINK_DIAL);
    if (dials && link->where->has_key && has_key && memcmp(key, link->where->key, sizeof key) == 0)
      return p;
  }
  if (has_key && connect_is_dealer(ctx, key)) {
    *status = TFE_BATCH_DIFFERS;
    snprintf(why, size, "%s has a dealt batch in its place", ctx->name);
    return -1;
  }
  *status = TFE_WRONG_KEY;
  char name[80];
  bool by_key = has_key && chan->me->roots == NULL;
  if (by_key)
    tfe_identity_short(key, name);
  else
    chan_tls_peer_name(conn->tls, name, sizeof name);
  snprintf(why, size, "%s does not know %s %s", ctx->name, by_key ? "the key" : "the certificate of", name);
  for (int64_t p = 0; p < chan->count && chan->me->roots != NULL; p++) {
    const ChanLink *link = &chan->links[p];
    char reason[160];
    if (link->flags == 0 || (link->flags & TFE_LINK_DIAL) || link->where->has_key)
      continue;
    TlsVerdict verdict = chan_tls_verify(conn->tls, tfe_party_name(ctx, p), reason, sizeof reason);
    if (verdict == TLS_TRUSTED)
      return p;
    if (verdict != TLS_OTHER_NAME) {
      *status = TFE_CERTIFICATE;
      snprintf(why, size, "the certificate of %s %s", name, reason);
    }
  }
  return -1;
}

static void connect_judge_stranger(TfeCtx *ctx, int index) {
  TfeChan *chan = ctx->chan;
  Conn *conn = chan->strangers[index];
  TfeStatus status = TFE_WRONG_KEY;
  char why[300];
  int64_t party = connect_whose(ctx, conn, &status, why, sizeof why);
  if (party < 0) {
    connect_refuse(ctx, index, status, "%s", why);
    return;
  }
  ChanLink *link = &chan->links[party];
  if (link->conn != NULL) {
    connect_refuse(ctx, index, TFE_DUPLICATE, "%s is connected to %s already, from %s",
                   tfe_party_name(ctx, party), ctx->name, link->conn->address);
    return;
  }
  chan->strangers[index] = NULL;
  link->conn = conn;
  conn->stage = CONN_UP;
  tfe_progress_log(ctx, "%s connected from %s", tfe_party_name(ctx, party), conn->address);
  bool alive = conn_control(conn, FRAME_CONTROL + CHAN_WELCOME, NULL, 0) && connect_say_dealt(ctx, conn) &&
               conn_push(conn) && conn_digest(conn);
  chan_scan(ctx, party);
  if (!alive && link->lost == TFE_OK && !link->done) {
    link->lost = TFE_LOST_PEER;
    snprintf(link->lost_why, sizeof link->lost_why, "%s", conn->why);
  }
}

void connect_stranger(TfeCtx *ctx, int index, short events) {
  Conn *conn = ctx->chan->strangers[index];
  if (events & POLLOUT)
    conn_push(conn);
  if (conn->stage == CONN_ENDING) {
    if (!conn_discard(conn)) {
      conn_free(conn);
      ctx->chan->strangers[index] = NULL;
    }
    return;
  }
  bool alive = conn_receive(conn, STRANGER_BUDGET);
  if (conn->stage == CONN_JUDGE)
    connect_judge_stranger(ctx, index);
  else if (!alive)
    connect_drop(ctx, index, "no TLS handshake: %s", conn->why[0] ? conn->why : "it closed the connection");
}

void connect_expire(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  double now = conn_now();
  for (int i = 0; i < CHAN_STRANGERS; i++) {
    Conn *conn = chan->strangers[i];
    if (conn == NULL || now - conn->opened < (conn->stage == CONN_ENDING ? 2 : stranger_seconds))
      continue;
    if (conn->stage == CONN_ENDING) {
      conn_free(conn);
      chan->strangers[i] = NULL;
    } else {
      connect_drop(ctx, i, "it did not say who it is within %.0f s", stranger_seconds);
    }
  }
}

/* --------------------------------------------------------------------------------------------------- dial */

static void connect_failed(ChanLink *link, const char *why) {
  snprintf(link->failure, sizeof link->failure, "%s", why);
  conn_free(link->conn);
  link->conn = NULL;
  link->pause = link->pause <= 0 ? 0.05 : link->pause < 0.7 ? 1.5 * link->pause : 1;
  link->next_dial = conn_now() + link->pause;
}

static void connect_dial(TfeCtx *ctx, int64_t peer) {
  TfeChan *chan = ctx->chan;
  ChanLink *link = &chan->links[peer];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  int64_t attempt = link->attempts++, addresses = 0;
  int error = getaddrinfo(link->where->host, link->where->port, &hints, &list);
  if (error != 0) {
    connect_failed(link, gai_strerror(error));
    return;
  }
  for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
    addresses++;
  const struct addrinfo *chosen = list;
  for (int64_t skip = attempt % addresses; skip > 0; skip--)
    chosen = chosen->ai_next;
  int fd = socket(chosen->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0)
    conn_tune(fd);
  if (fd < 0 || (connect(fd, chosen->ai_addr, chosen->ai_addrlen) != 0 && errno != EINPROGRESS)) {
    connect_failed(link, strerror(errno));
    if (fd >= 0)
      close(fd);
  } else {
    link->conn = conn_new(fd, chan->setup, chan->shape, true, tfe_chan_address(ctx, peer));
    if (link->conn == NULL)
      connect_failed(link, "memory ran out");
  }
  freeaddrinfo(list);
}

static const char *connect_stuck(const Conn *conn, double now) {
  double age = now - conn->opened;
  if (conn->stage == CONN_DIALLING && age > dial_seconds)
    return "no answer";
  if (conn->stage == CONN_HANDSHAKE && age > handshake_seconds)
    return "it answers, but not with a TLS handshake";
  if (conn->stage == CONN_WELCOME && age > welcome_seconds)
    return "it does not take the connection";
  return NULL;
}

void connect_dial_due(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  double now = conn_now();
  for (int64_t p = 0; p < chan->count; p++) {
    ChanLink *link = &chan->links[p];
    if (!(link->flags & TFE_LINK_DIAL))
      continue;
    const char *stuck = link->conn && link->conn->stage < CONN_UP ? connect_stuck(link->conn, now) : NULL;
    if (stuck != NULL)
      connect_failed(link, stuck);
    if (link->conn == NULL && link->lost == TFE_OK && now >= link->next_dial)
      connect_dial(ctx, p);
  }
}

/* Is the peer that we dialled the party it should be? If not, that is an error: someone else sits at its
 * address. */
static bool connect_judge_dialled(TfeCtx *ctx, int64_t peer) {
  TfeChan *chan = ctx->chan;
  const ChanLink *link = &chan->links[peer];
  const char *name = tfe_party_name(ctx, peer);
  Tls *tls = link->conn->tls;
  uint8_t key[32];
  char theirs[TFE_IDENTITY_TEXT_BYTES] = "another kind of key", ours[TFE_IDENTITY_TEXT_BYTES], why[160];
  if (!link->where->has_key) {
    TlsVerdict verdict = chan_tls_verify(tls, name, why, sizeof why);
    if (verdict == TLS_TRUSTED)
      return true;
    if (verdict == TLS_OTHER_NAME) {
      char who[80];
      chan_tls_peer_name(tls, who, sizeof who);
      tfe_fail(ctx, TFE_WRONG_KEY, "the peer at %s is not %s", tfe_chan_address(ctx, peer), name);
      tfe_note(ctx, "its certificate is for %s", who);
      tfe_help(ctx, "the certificate of %s must have this name as subject alternative name or CN", name);
    } else {
      tfe_fail(ctx, TFE_CERTIFICATE, "certificate of %s %s", name, why);
      if (verdict == TLS_EXPIRED)
        tfe_help(ctx, "renew it on %s, or use pinned keys (`keygen`), which do not expire", name);
      else
        tfe_help(ctx, "%s needs a certificate of an authority that --ca names", name);
    }
    return false;
  }
  if (chan_tls_peer_key(tls, key)) {
    if (memcmp(key, link->where->key, sizeof key) == 0)
      return true;
    tfe_identity_short(key, theirs);
  }
  tfe_identity_short(link->where->key, ours);
  tfe_fail(ctx, TFE_WRONG_KEY, "the peer at %s is not %s", tfe_chan_address(ctx, peer), name);
  tfe_note(ctx, "expected key %s (%s:%d), got %s", ours, link->where->file ? link->where->file : "hosts.toml",
           link->where->line, theirs);
  tfe_help(ctx,
           "if %s made a new key, ask its owner for it (by another channel) and put it into hosts.toml on "
           "every host",
           name);
  return false;
}

static void connect_refused(TfeCtx *ctx, int64_t peer, const uint8_t *words, size_t bytes) {
  const char *name = tfe_party_name(ctx, peer);
  TfeStatus status =
      bytes >= 4 && words[0] < TFE_STATUS_COUNT && words[0] != TFE_OK ? words[0] : TFE_WRONG_KEY;
  char text[300];
  size_t length = bytes > 4 ? bytes - 4 : 0;
  length = length < sizeof text ? length : sizeof text - 1;
  for (size_t i = 0; i < length; i++) /* another party's words: printable, and nothing else */
    text[i] = words[4 + i] >= ' ' && words[4 + i] != 127 ? (char)words[4 + i] : '?';
  text[length] = '\0';
  tfe_chan_blame(ctx, status, ctx->party);
  tfe_fail(ctx, (TfeStatusCode)status, "%s (%s) refused this party: %s", name, tfe_chan_address(ctx, peer),
           text);
  if (status == TFE_DUPLICATE) {
    tfe_help(ctx, "another %s runs already; stop it first", ctx->binary);
  } else if (status == TFE_BATCH_DIFFERS) {
    tfe_help(ctx,
             "this party is not needed in this run; to compute with it, start all others without --dealt");
  } else if (status == TFE_CERTIFICATE) {
    tfe_help(ctx, "--cert must name a certificate in force, of an authority that %s knows", name);
  } else if (status == TFE_WRONG_KEY && ctx->chan->me->has_public_key) {
    char key[TFE_IDENTITY_TEXT_BYTES];
    tfe_identity_text(ctx->chan->me->public_key, key);
    tfe_help(ctx, "put this under [%s] in the hosts.toml of %s: key = \"%s\"", ctx->name, name, key);
  }
}

/* What came before WELCOME, which is the first thing that a peer says. */
static void connect_await_welcome(TfeCtx *ctx, int64_t peer) {
  ChanLink *link = &ctx->chan->links[peer];
  FrameHead head;
  const uint8_t *payload;
  FrameResult found = frame_scan(&link->conn->in, &head, &payload);
  if (found == FRAME_FOUND && head.number == FRAME_CONTROL + CHAN_WELCOME) {
    link->conn->stage = CONN_UP;
    tfe_progress_log(ctx, "connected to %s at %s", tfe_party_name(ctx, peer), link->conn->address);
    if (!connect_say_dealt(ctx, link->conn))
      tfe_fail(ctx, TFE_MEMORY, "memory ran out");
    conn_push(link->conn);
    chan_scan(ctx, peer);
  } else if (found == FRAME_FOUND && head.number == FRAME_CONTROL + CHAN_REFUSE) {
    connect_refused(ctx, peer, payload, head.bytes);
  } else if (found != FRAME_MORE) {
    connect_failed(link, "it says things that are not of this protocol");
  }
}

void connect_dialled(TfeCtx *ctx, int64_t peer, short events) {
  ChanLink *link = &ctx->chan->links[peer];
  Conn *conn = link->conn;
  bool alive = true;
  if (conn->stage == CONN_DIALLING && events != 0)
    alive = conn_connected(conn);
  if (alive && (events & POLLOUT))
    conn_push(conn);
  if (alive && conn->stage != CONN_DIALLING && (events & (POLLIN | POLLHUP | POLLERR)))
    alive = conn_receive(conn, STRANGER_BUDGET);
  if (conn->stage == CONN_JUDGE) {
    if (!connect_judge_dialled(ctx, peer)) {
      conn_close(conn, "another party");
      return;
    }
    conn->stage = CONN_WELCOME;
    conn->opened = conn_now();
    alive = conn_digest(conn);
  }
  if (conn->stage == CONN_WELCOME)
    connect_await_welcome(ctx, peer);
  if (link->conn == conn && conn->stage < CONN_UP && !alive && ctx->error == TFE_OK)
    connect_failed(link, conn->why[0] ? conn->why : "it closed the connection during the handshake");
}

/* ------------------------------------------------------------------------------------------------ the end */

TfeStatus connect_check_dealt(TfeCtx *ctx) {
  const TfeChan *chan = ctx->chan;
  if (chan->dealt_by < 0 || chan->links[chan->dealer].flags == 0)
    return TFE_OK;
  const char *dealer = tfe_party_name(ctx, chan->dealer);
  tfe_chan_blame(ctx, TFE_BATCH_DIFFERS, ctx->party);
  TfeStatus status =
      tfe_fail(ctx, TFE_BATCH_DIFFERS, "%s has a dealt batch of %s, and %s waits for %s itself",
               tfe_party_name(ctx, chan->dealt_by), dealer, ctx->name, dealer);
  tfe_help(ctx, "give --dealt DIR to every party that is connected to %s, or to none", dealer);
  return status;
}

bool connect_complete(const TfeCtx *ctx) {
  const TfeChan *chan = ctx->chan;
  for (int64_t p = 0; p < chan->count; p++)
    if (chan->links[p].flags != 0 && (chan->links[p].conn == NULL || chan->links[p].conn->stage < CONN_UP))
      return false;
  return true;
}

TfeStatus connect_timed_out(TfeCtx *ctx) {
  const TfeChan *chan = ctx->chan;
  int64_t missing = -1;
  TfeStatus status;
  for (int64_t p = 0; p < chan->count && missing < 0; p++)
    if (chan->links[p].flags != 0 && (chan->links[p].conn == NULL || chan->links[p].conn->stage < CONN_UP))
      missing = p;
  const ChanLink *link = &chan->links[missing];
  const char *name = tfe_party_name(ctx, missing);
  tfe_chan_blame(ctx, TFE_UNREACHABLE, missing);
  if (link->flags & TFE_LINK_DIAL) {
    const char *why = link->failure[0] ? link->failure
                      : link->conn     ? connect_stuck(link->conn, 1e18)
                                       : "no answer";
    status = tfe_fail(ctx, TFE_UNREACHABLE, "cannot reach %s at %s: %s", name, tfe_chan_address(ctx, missing),
                      why);
    tfe_note(ctx, "tried %" PRId64 " times in %g s (--wait %g)", link->attempts, ctx->wait_seconds,
             ctx->wait_seconds);
    tfe_help(ctx, "is party-%s running there? check address and firewall: `%s --check`", name, ctx->binary);
    return status;
  }
  status = tfe_fail(ctx, TFE_UNREACHABLE, "%s did not connect", name);
  tfe_note(ctx, "waited %g s for it on %s (--wait %g)", ctx->wait_seconds, chan->listen_text,
           ctx->wait_seconds);
  if (chan->refused[0] != '\0')
    tfe_note(ctx, "refused: %s", chan->refused);
  tfe_help(ctx, "is party-%s running, and does its hosts.toml give this address for %s?", name, ctx->name);
  return status;
}
