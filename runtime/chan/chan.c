/* The channels of a party (see chan.h): event loop, waits, messages, counters, and the end.
 *
 * One thread, non-blocking sockets. Every wait is a loop of chan_health (is there a reason to stop?), a look
 * at the time-out, and chan_turn (one poll over everybody). A wait first spins for a moment on the one socket
 * it waits for: waking up from poll takes ten times as long as a small message on a fast network.
 *
 * Time-outs measure progress of what is waited for. A party that waits tells its peers so (ALIVE, with the
 * age of its wait), and they grant it the time that its own time-out needs to find the party at fault: so
 * the one that really hangs is named. What excuses its peer excuses a party too, less a second each time: a
 * chain of waits holds, and a circle of them still ends. A party that still waits for others to connect
 * (--wait) has the age 0. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "../checkpoint.h"
#include "../deal.h"
#include "../dealt.h"
#include "../include/abi.h"
#include "../pack.h"
#include "../progress.h"
#include "../stop.h"
#include "state.h"

enum {
  CHAN_AHEAD = 64 << 20,         /* bytes read in advance from a peer that runs ahead */
  CHAN_BUDGET = 4 << 20,         /* bytes read from one peer in one turn */
  CHAN_KEEP_MESSAGE = 128 << 20, /* larger buffers are given back after use */
  CHAN_SWEEP = 64,               /* operations between looks at all peers */
};
#define CHAN_QUEUE (UINT64_C(16) << 30) /* bytes read in advance from any other peer */
static const double spin_seconds = 50e-6, farewell_seconds = 2, connecting_seconds = 0.1, excuse_seconds = 1;

/* ---------------------------------------------------------------------------------------- birth and death */

static TfeStatus chan_allocate(TfeCtx *ctx, int64_t count) {
  TfeChan *chan = NULL;
  size_t slots = (size_t)count + CHAN_STRANGERS + CHAN_POLLS;
  TRY(tfe_alloc(ctx, sizeof *chan, &chan));
  ctx->chan = chan;
  chan->listen_fd = -1;
  chan->awaited = chan->told_by = chan->culprit = chan->dealt_by = chan->dealer = -1;
  chan->count = count;
  TRY(tfe_alloc(ctx, (size_t)count * sizeof *chan->links, &chan->links));
  TRY(tfe_alloc(ctx, (size_t)count * sizeof *chan->kept, &chan->kept));
  TRY(tfe_alloc(ctx, slots * sizeof *chan->polls, &chan->polls));
  TRY(tfe_alloc(ctx, slots * sizeof *chan->polled, &chan->polled));
  return tfe_alloc(ctx, slots * sizeof *chan->polled_link, &chan->polled_link);
}

TfeStatus tfe_chan_init(TfeCtx *ctx, const TfePeer *peers, const TfeIdentity *me, int listen_fd) {
  const TfeProgram *program = ctx->program;
  TfeStatus status = chan_allocate(ctx, program->party_count);
  if (status != TFE_OK) {
    if (listen_fd >= 0)
      close(listen_fd);
    return status;
  }
  TfeChan *chan = ctx->chan;
  chan->listen_fd = listen_fd;
  chan->peers = peers;
  chan->me = me;
  const uint8_t *flags = program->links + ctx->member * program->party_count;
  for (int64_t p = 0; p < chan->count; p++) {
    chan->links[p].where = &peers[p];
    chan->links[p].flags = p == ctx->party || p == tfe_dealt_dealer(ctx) ? 0 : flags[p];
  }
  TRY(chan_tls_setup(ctx, me, &chan->setup));
  TRY(shape_new(ctx, &chan->shape));
  return connect_listen(ctx);
}

TfeStatus tfe_chan_init_dealing(TfeCtx *ctx) {
  return chan_allocate(ctx, ctx->program->party_count);
}

static void chan_forget_controls(ChanLink *link) {
  while (link->first != NULL) {
    ChanControl *next = link->first->next;
    OPENSSL_cleanse(link->first->data, link->first->bytes);
    free(link->first);
    link->first = next;
  }
  link->last = NULL;
  link->control_bytes = 0;
}

void tfe_chan_free(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  if (chan == NULL)
    return;
  size_t slots = (size_t)chan->count + CHAN_STRANGERS + CHAN_POLLS;
  for (int64_t p = 0; chan->links != NULL && p < chan->count; p++) {
    conn_free(chan->links[p].conn);
    chan_forget_controls(&chan->links[p]);
  }
  for (int i = 0; i < CHAN_STRANGERS; i++)
    conn_free(chan->strangers[i]);
  if (chan->listen_fd >= 0)
    close(chan->listen_fd);
  chan_tls_setup_free(chan->setup);
  shape_free(chan->shape);
  tfe_release(chan->message, chan->message_capacity);
  tfe_release(chan->links, (size_t)chan->count * sizeof *chan->links);
  tfe_release(chan->kept, (size_t)chan->count * sizeof *chan->kept);
  tfe_release(chan->polls, slots * sizeof *chan->polls);
  tfe_release(chan->polled, slots * sizeof *chan->polled);
  tfe_release(chan->polled_link, slots * sizeof *chan->polled_link);
  tfe_release(chan, sizeof *chan);
  ctx->chan = NULL;
}

const char *tfe_chan_address(const TfeCtx *ctx, int64_t peer) {
  static _Thread_local char text[300];
  const ChanLink *link = &ctx->chan->links[peer];
  if ((link->flags & TFE_LINK_DIAL) || link->conn == NULL)
    snprintf(text, sizeof text, strchr(link->where->host, ':') ? "[%s]:%s" : "%s:%s", link->where->host,
             link->where->port);
  else
    snprintf(text, sizeof text, "%s", link->conn->address);
  return text;
}

void tfe_chan_blame(TfeCtx *ctx, TfeStatus reason, int64_t party) {
  if (ctx->chan->reason != TFE_OK)
    return;
  ctx->chan->reason = reason;
  ctx->chan->culprit = party;
}

/* ---------------------------------------------------------------------------------------- what peers said */

static uint32_t chan_word(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void chan_put_word(uint8_t *at, uint32_t word) {
  for (int i = 0; i < 4; i++)
    at[i] = (uint8_t)(word >> 8 * i);
}

static void chan_lose(ChanLink *link, TfeStatus status, const char *why) {
  if (link->lost != TFE_OK)
    return;
  link->lost = status;
  snprintf(link->lost_why, sizeof link->lost_why, "%s", why);
}

static bool chan_keep_control(TfeChan *chan, ChanLink *link, const uint8_t *data, size_t bytes) {
  if (chan->session_over)
    return true;
  ChanControl *control =
      link->control_bytes + bytes <= CHAN_SESSION_LIMIT ? malloc(sizeof *control + bytes) : NULL;
  if (control == NULL)
    return false;
  control->next = NULL;
  control->bytes = bytes;
  memcpy(control->data, data, bytes);
  link->control_bytes += bytes;
  if (link->last != NULL)
    link->last->next = control;
  else
    link->first = control;
  link->last = control;
  return true;
}

/* Tells all peers but `except`, who said so. */
static void chan_pass_kept(TfeChan *chan, int64_t except, int64_t party, uint64_t number) {
  uint8_t data[12];
  chan_put_word(data, (uint32_t)party);
  chan_put_word(data + 4, (uint32_t)number);
  chan_put_word(data + 8, (uint32_t)(number >> 32));
  for (int64_t p = 0; p < chan->count; p++) {
    Conn *conn = chan->links[p].conn;
    if (p == except || p == party || conn == NULL || conn->stage != CONN_UP || conn->ended ||
        chan->links[p].done)
      continue;
    if (conn_control(conn, FRAME_CONTROL + CHAN_KEPT, data, sizeof data))
      conn_push(conn); /* if it breaks, the reading side says so in time */
  }
}

static bool chan_hear_kept(TfeChan *chan, int64_t from, const uint8_t *data) {
  uint64_t party = chan_word(data), number = chan_word(data + 4) | (uint64_t)chan_word(data + 8) << 32;
  if (party >= (uint64_t)chan->count)
    return false;
  if (number <= chan->kept[party])
    return true;
  chan->kept[party] = number;
  chan_pass_kept(chan, from, (int64_t)party, number);
  return true;
}

/* false: this is not of the protocol. */
static bool chan_take_control(TfeCtx *ctx, int64_t peer, FrameHead head, const uint8_t *data) {
  TfeChan *chan = ctx->chan;
  ChanLink *link = &chan->links[peer];
  switch (head.number - FRAME_CONTROL) {
  case CHAN_SESSION: return chan_keep_control(chan, link, data, (size_t)head.bytes);
  case CHAN_DONE: link->done = true; return head.bytes == 0;
  case CHAN_ABORT:
    if (head.bytes != 8)
      return false;
    if (chan->told_by < 0) {
      uint32_t reason = chan_word(data), culprit = chan_word(data + 4);
      chan->told_by = peer;
      chan->told_reason = reason < TFE_STATUS_COUNT ? (TfeStatus)reason : TFE_INTERNAL;
      chan->told_culprit = culprit < chan->count ? (int64_t)culprit : peer;
    }
    return true;
  case CHAN_ALIVE:
    if (head.bytes != 4)
      return false;
    link->alive_in += TFE_HEADER_BYTES + head.bytes;
    link->excused = conn_now() - 1e-3 * chan_word(data);
    return true;
  case CHAN_KEPT: return head.bytes == 12 && chan_hear_kept(chan, peer, data);
  case CHAN_DEALT:
    if (head.bytes != 4 || chan_word(data) >= chan->count)
      return false;
    if (chan->dealt_by < 0) {
      chan->dealt_by = peer;
      chan->dealer = chan_word(data);
    }
    return true;
  default: return false;
  }
}

void chan_scan(TfeCtx *ctx, int64_t peer) {
  ChanLink *link = &ctx->chan->links[peer];
  FrameHead head;
  const uint8_t *payload;
  FrameResult found;
  while (link->lost == TFE_OK && (found = frame_scan(&link->conn->in, &head, &payload)) != FRAME_MORE)
    if (found == FRAME_BAD || !chan_take_control(ctx, peer, head, payload))
      chan_lose(link, TFE_PEER_DATA, "it sends what is not of this protocol");
}

static void chan_receive(TfeCtx *ctx, int64_t peer) {
  ChanLink *link = &ctx->chan->links[peer];
  bool alive = conn_receive(link->conn, CHAN_BUDGET);
  chan_scan(ctx, peer);
  if (alive || link->conn->stage != CONN_UP)
    return;
  const char *why =
      link->conn->why[0] ? link->conn->why : "the peer closed the connection without saying why";
  if (!link->done)
    chan_lose(link, TFE_LOST_PEER, why);
  conn_close(link->conn, why);
}

/* ----------------------------------------------------------------------------------------- the event loop */

/* A peer that runs ahead is left waiting when enough of it is here, unless it is the one we wait for. */
static bool chan_may_read(const TfeChan *chan, int64_t peer) {
  const ChanLink *link = &chan->links[peer];
  size_t waiting = frame_waiting(&link->conn->in);
  return peer == chan->awaited ||
         waiting < ((link->flags & TFE_LINK_AHEAD) ? (uint64_t)CHAN_AHEAD : CHAN_QUEUE);
}

static void chan_poll_add(TfeChan *chan, nfds_t *count, int fd, short events, Conn *conn, int64_t link) {
  chan->polls[*count] = (struct pollfd){.fd = fd, .events = events};
  chan->polled[*count] = conn;
  chan->polled_link[*count] = link;
  (*count)++;
}

static nfds_t chan_poll_list(TfeChan *chan, double now) {
  nfds_t count = 0;
  chan_poll_add(chan, &count, tfe_stop_fd(), POLLIN, NULL, -1);
  chan_poll_add(chan, &count, now >= chan->listen_again ? chan->listen_fd : -1, POLLIN, NULL, -1);
  chan_poll_add(chan, &count, shape_room_fd(chan->shape), POLLIN, NULL, -1);
  for (int i = 0; i < CHAN_STRANGERS; i++) {
    Conn *conn = chan->strangers[i];
    if (conn != NULL)
      chan_poll_add(chan, &count, conn->fd, (short)(POLLIN | conn_poll_out(conn)), conn, -1 - i);
  }
  for (int64_t p = 0; p < chan->count; p++) {
    Conn *conn = chan->links[p].conn;
    if (conn == NULL || conn->fd < 0)
      continue;
    short events = chan_may_read(chan, p) ? POLLIN : POLLRDHUP;
    if (conn->stage == CONN_DIALLING)
      events = 0;
    chan_poll_add(chan, &count, conn->fd, (short)(events | conn_poll_out(conn)), conn, p);
  }
  return count;
}

static void chan_serve(TfeCtx *ctx, int64_t peer, short events) {
  Conn *conn = ctx->chan->links[peer].conn;
  if (conn->stage < CONN_UP) {
    connect_dialled(ctx, peer, events);
    return;
  }
  if (events & POLLOUT)
    conn_push(conn);
  /* After the peer's end (RDHUP) or an error there is a bounded rest in the kernel: it is read at once. */
  if (events & (POLLIN | POLLHUP | POLLERR | POLLRDHUP))
    chan_receive(ctx, peer);
}

/* The emulated network has room again. */
static void chan_push_all(TfeChan *chan) {
  shape_room_seen(chan->shape);
  for (int64_t p = 0; p < chan->count; p++)
    if (chan->links[p].conn != NULL)
      conn_push(chan->links[p].conn);
}

TfeStatus chan_turn(TfeCtx *ctx, int milliseconds) {
  TfeChan *chan = ctx->chan;
  nfds_t count = chan_poll_list(chan, conn_now());
  int ready = poll(chan->polls, count, milliseconds);
  if (ready < 0 && errno != EINTR)
    return tfe_fail(ctx, TFE_SYSTEM, "poll: %s", strerror(errno));
  for (nfds_t i = CHAN_POLLS; ready > 0 && i < count; i++) {
    short events = chan->polls[i].revents;
    int64_t link = chan->polled_link[i];
    if (events == 0)
      continue;
    if (link >= 0)
      chan_serve(ctx, link, events);
    else
      connect_stranger(ctx, (int)(-1 - link), events);
  }
  if (ready > 0 && chan->polls[1].revents != 0) /* last: it may reuse places of strangers */
    connect_accept(ctx);
  if (ready > 0 && chan->polls[2].revents != 0)
    chan_push_all(chan);
  connect_expire(ctx);
  return ctx->error;
}

/* ---------------------------------------------------------------------------------------- reasons to stop */

static const char *chan_page(TfeStatus status) {
  static const char *const pages[TFE_STATUS_COUNT] = {
#define STATUS(id, code, exit, page) [TFE_##id] = page,
#include "../status.def"
#undef STATUS
  };
  return pages[status] ? pages[status] : "finished";
}

static void chan_note_site(TfeCtx *ctx, const char *why) {
  const char *site = ctx->site >= 0 ? tfe_site_text(ctx, ctx->site) : "";
  if (site[0] != '\0')
    tfe_note(ctx, "at %s; %s", site, why);
  else
    tfe_note(ctx, "%s", why);
}

static const char *chan_when(const TfeChan *chan) {
  return chan->session_over ? "in the middle of the computation" : "before the computation began";
}

static TfeStatus chan_lost(TfeCtx *ctx, int64_t peer, TfeStatus status, const char *why) {
  const char *name = tfe_party_name(ctx, peer);
  tfe_chan_blame(ctx, status, peer);
  if (status == TFE_PEER_DATA) {
    tfe_fail(ctx, TFE_PEER_DATA, "data from %s (%s) fails its check", name, tfe_chan_address(ctx, peer));
    chan_note_site(ctx, why);
    tfe_note(ctx, "a fault in transmission, a version mismatch, or a dishonest party");
    tfe_help(ctx, "do not use results of this run");
    return status;
  }
  tfe_fail(ctx, (TfeStatusCode)status, "lost %s (%s) %s", name, tfe_chan_address(ctx, peer),
           chan_when(ctx->chan));
  chan_note_site(ctx, why);
  tfe_help(ctx, "look at %s's log; start all parties again (no result can be completed from here)", name);
  return status;
}

/* " (10.1.0.2:7700)"; empty for a party that we have no connection to. */
static const char *chan_where(const TfeCtx *ctx, int64_t party) {
  static _Thread_local char text[304];
  const ChanLink *link = &ctx->chan->links[party];
  text[0] = '\0';
  if (link->flags != 0 && (link->conn != NULL || link->where->host[0] != '\0'))
    snprintf(text, sizeof text, " (%s)", tfe_chan_address(ctx, party));
  return text;
}

/* A peer said ABORT, for itself or for another party that it lost. */
static TfeStatus chan_told(TfeCtx *ctx) {
  const TfeChan *chan = ctx->chan;
  TfeStatus reason = chan->told_reason, status = TFE_LOST_PEER;
  const char *name = tfe_party_name(ctx, chan->told_culprit), *teller = tfe_party_name(ctx, chan->told_by);
  bool itself = chan->told_culprit == chan->told_by;
  tfe_chan_blame(ctx, reason, chan->told_culprit);
  if (reason == TFE_INTERRUPTED) {
    status = tfe_fail(ctx, TFE_INTERRUPTED, "%s was stopped %s", name, chan_when(chan));
  } else if (chan->told_culprit == ctx->party) {
    status = tfe_fail(ctx, TFE_LOST_PEER, "%s stopped because of this party: %s (%s)", teller,
                      chan_page(reason), tfe_status_code(reason));
  } else if (!itself && reason == TFE_LOST_PEER) {
    status = tfe_fail(ctx, TFE_LOST_PEER, "lost %s%s %s", name, chan_where(ctx, chan->told_culprit),
                      chan_when(chan));
  } else if (!itself && reason == TFE_UNREACHABLE) {
    status = tfe_fail(ctx, TFE_UNREACHABLE, "%s cannot be reached by %s", name, teller);
  } else {
    bool differ =
        reason == TFE_PROGRAM_DIFFERS || reason == TFE_PARAMETERS_DIFFER || reason == TFE_BATCH_DIFFERS;
    status = tfe_fail(ctx, differ ? (TfeStatusCode)reason : TFE_LOST_PEER, "%s stopped %s: %s (%s)", name,
                      chan_when(chan), chan_page(reason), tfe_status_code(reason));
  }
  if (itself)
    chan_note_site(ctx, "it said so itself");
  else
    tfe_note(ctx, "%s (%s) said so", teller, tfe_chan_address(ctx, chan->told_by));
  tfe_help(ctx, "look at %s's messages; start all parties again (no result can be completed from here)",
           chan->told_culprit == ctx->party ? teller : name);
  return status;
}

TfeStatus chan_health(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  if (tfe_stop_signal() != 0) {
    tfe_chan_blame(ctx, TFE_INTERRUPTED, ctx->party);
    return tfe_fail(ctx, TFE_INTERRUPTED, "stopped by signal %d", tfe_stop_signal());
  }
  if (chan->told_by >= 0)
    return chan_told(ctx);
  for (int64_t p = 0; p < chan->count; p++)
    if (chan->links[p].lost != TFE_OK && !chan->links[p].done)
      return chan_lost(ctx, p, chan->links[p].lost, chan->links[p].lost_why);
  return TFE_OK;
}

/* -------------------------------------------------------------------------------------------------- waits */

typedef struct ChanWait {
  int64_t peer;  /* linked, or -1: anybody */
  int64_t named; /* who is blamed */
  bool sending;
  uint64_t seen; /* progress so far, in bytes */
} ChanWait;

static uint64_t chan_progress(const TfeChan *chan, const ChanWait *wait) {
  uint64_t sum = 0;
  for (int64_t p = 0; p < chan->count; p++) {
    const Conn *conn = wait->peer < 0 || wait->peer == p ? chan->links[p].conn : NULL;
    if (conn != NULL)
      sum += wait->sending ? conn->out : conn->plain_in - chan->links[p].alive_in;
  }
  return sum;
}

static ChanWait chan_wait(TfeChan *chan, int64_t peer, int64_t named, bool sending) {
  ChanWait wait = {.peer = peer, .named = named, .sending = sending};
  wait.seen = chan_progress(chan, &wait);
  chan->wait_since = conn_now();
  chan->awaited = sending ? -1 : peer;
  return wait;
}

static double chan_alive_interval(const TfeCtx *ctx) {
  double interval = ctx->timeout_seconds / 8;
  return interval > 5 ? 5 : interval < 0.02 ? 0.02 : interval;
}

/* since: when the wait began, as far as the peers must know. */
static void chan_say_alive(TfeCtx *ctx, double now, double since, double interval) {
  TfeChan *chan = ctx->chan;
  uint8_t age[4];
  double milliseconds = 1e3 * (now - since);
  if (now - chan->alive_said < interval)
    return;
  chan->alive_said = now;
  chan_put_word(age, milliseconds < 4e9 ? (uint32_t)milliseconds : UINT32_MAX);
  for (int64_t p = 0; p < chan->count; p++) {
    Conn *conn = chan->links[p].conn;
    /* Not into a connection that is full or that the peer has left: it would be a reason to reset it. */
    if (conn == NULL || conn->stage != CONN_UP || conn->ended || chan->links[p].done || conn_wants_out(conn))
      continue;
    if (conn_control(conn, FRAME_CONTROL + CHAN_ALIVE, age, sizeof age))
      conn_push(conn);
  }
}

static TfeStatus chan_timed_out(TfeCtx *ctx, const ChanWait *wait) {
  char why[200];
  tfe_chan_blame(ctx, TFE_LOST_PEER, wait->named);
  const char *name = tfe_party_name(ctx, wait->named);
  bool linked = ctx->chan->links[wait->named].flags != 0;
  snprintf(why, sizeof why,
           wait->sending ? "it took nothing for %g s (--timeout %g)"
                         : "it said nothing for %g s (--timeout %g)",
           ctx->timeout_seconds, ctx->timeout_seconds);
  if (linked)
    return chan_lost(ctx, wait->named, TFE_LOST_PEER, why);
  TfeStatus status = tfe_fail(ctx, TFE_LOST_PEER, "lost %s %s", name, chan_when(ctx->chan));
  tfe_note(ctx, "nothing of it came through the other parties for %g s (--timeout %g)", ctx->timeout_seconds,
           ctx->timeout_seconds);
  return status;
}

/* One turn of a wait that is not over yet. */
static TfeStatus chan_wait_turn(TfeCtx *ctx, ChanWait *wait) {
  TfeChan *chan = ctx->chan;
  TRY(chan_health(ctx));
  double now = conn_now();
  uint64_t seen = chan_progress(chan, wait);
  if (seen != wait->seen) {
    wait->seen = seen;
    chan->wait_since = now;
  }
  double from = chan->wait_since, grace = 0;
  for (int64_t p = 0; p < chan->count; p++)
    if ((wait->peer < 0 || wait->peer == p) && chan->links[p].excused > from) {
      from = chan->links[p].excused;
      grace = 1 + 2 * chan_alive_interval(ctx);
    }
  double left = from + ctx->timeout_seconds + grace - now;
  if (left <= 0)
    return chan_timed_out(ctx, wait);
  double since = from - excuse_seconds > chan->wait_since ? from - excuse_seconds : chan->wait_since;
  double step = chan_alive_interval(ctx);
  chan_say_alive(ctx, now, since, step);
  tfe_progress_tick(ctx);
  step = step < left ? step : left;
  step = step < 0.25 ? step : 0.25;
  TRY(chan_turn(ctx, (int)(1e3 * step) + 1));
  /* Time in which we did not run ourselves (stopped, machine paused) is not held against the peer. */
  double excess = conn_now() - now - step - 0.05;
  if (excess > 0)
    chan->wait_since += excess;
  return TFE_OK;
}

/* A look at everybody. */
static TfeStatus chan_look_round(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  chan->wait_since = conn_now();
  chan_say_alive(ctx, chan->wait_since, chan->wait_since, chan_alive_interval(ctx));
  chan->awaited = -1;
  TRY(chan_turn(ctx, 0));
  return chan_health(ctx);
}

/* Now and then, also when nothing ever has to be waited for. */
static TfeStatus chan_sweep(TfeCtx *ctx) {
  if (++ctx->chan->operations % CHAN_SWEEP != 0)
    return TFE_OK;
  tfe_progress_tick(ctx);
  return chan_look_round(ctx);
}

TfeStatus tfe_pass(TfeCtx *ctx) {
  struct timespec t;
  if (ctx->chan == NULL) /* there are no peers */
    return TFE_OK;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* behind conn_now() by some milliseconds, and much cheaper */
  double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  bool due = now - ctx->chan->alive_said >= chan_alive_interval(ctx);
  return due ? chan_look_round(ctx) : chan_health(ctx);
}

/* --------------------------------------------------------------------------------------------- connecting */

TfeStatus tfe_chan_connect(TfeCtx *ctx) {
  double end = conn_now() + ctx->wait_seconds;
  while (!connect_complete(ctx)) {
    TRY(chan_health(ctx));
    TRY(connect_check_dealt(ctx));
    double now = conn_now(), left = end - now;
    if (left <= 0)
      return connect_timed_out(ctx);
    connect_dial_due(ctx);
    chan_say_alive(ctx, now, now, connecting_seconds);
    TRY(chan_turn(ctx, left < 0.02 ? (int)(1e3 * left) + 1 : 20));
  }
  return TFE_OK;
}

TfeStatus tfe_chan_export_key(TfeCtx *ctx, int64_t peer, const char *label, uint8_t key[16]) {
  const ChanLink *link = &ctx->chan->links[peer];
  if (link->conn == NULL || !chan_tls_export(link->conn->tls, label, key))
    return tfe_fail(ctx, TFE_INTERNAL, "TLS gives no key for %s", tfe_party_name(ctx, peer));
  return TFE_OK;
}

TfeStatus tfe_chan_control_send(TfeCtx *ctx, int64_t peer, const void *data, size_t bytes) {
  ChanLink *link = &ctx->chan->links[peer];
  assert(bytes <= FRAME_CONTROL_LIMIT && link->conn != NULL);
  if (!conn_control(link->conn, FRAME_CONTROL + CHAN_SESSION, data, bytes))
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  conn_push(link->conn); /* if it breaks, the reading side says so in time */
  return TFE_OK;
}

static bool chan_pop_control(ChanLink *link, void **data, size_t *bytes) {
  ChanControl *control = link->first;
  if (control == NULL)
    return false;
  link->first = control->next;
  if (link->first == NULL)
    link->last = NULL;
  link->control_bytes -= control->bytes;
  *bytes = control->bytes;
  memmove(control, control->data, *bytes); /* the block becomes the caller's */
  *data = control;
  return true;
}

static TfeStatus chan_control_wait(TfeCtx *ctx, int64_t from, int64_t awaited, int64_t *peer, void **data,
                                   size_t *bytes) {
  TfeChan *chan = ctx->chan;
  ChanWait wait = chan_wait(chan, from, awaited, false);
  for (;;) {
    for (int64_t p = 0; p < chan->count; p++)
      if ((from < 0 || from == p) && chan_pop_control(&chan->links[p], data, bytes)) {
        *peer = p;
        return TFE_OK;
      }
    TRY(chan_wait_turn(ctx, &wait));
  }
}

TfeStatus tfe_chan_control_recv(TfeCtx *ctx, int64_t peer, void **data, size_t *bytes) {
  int64_t from;
  return chan_control_wait(ctx, peer, peer, &from, data, bytes);
}

TfeStatus tfe_chan_control_any(TfeCtx *ctx, int64_t awaited, int64_t *peer, void **data, size_t *bytes) {
  return chan_control_wait(ctx, -1, awaited, peer, data, bytes);
}

void tfe_chan_session_over(TfeCtx *ctx) {
  ctx->chan->session_over = true;
  for (int64_t p = 0; p < ctx->chan->count; p++)
    chan_forget_controls(&ctx->chan->links[p]);
}

static int64_t chan_behind(const TfeChan *chan, const bool *who, uint64_t number) {
  for (int64_t p = 0; p < chan->count; p++)
    if (who[p] && chan->kept[p] < number)
      return p;
  return -1;
}

TfeStatus tfe_chan_kept(TfeCtx *ctx, uint64_t number, uint64_t awaited, const bool *who) {
  TfeChan *chan = ctx->chan;
  chan->kept[ctx->party] = number;
  chan_pass_kept(chan, -1, ctx->party, number);
  int64_t behind = chan_behind(chan, who, awaited);
  if (behind < 0)
    return TFE_OK;
  for (ChanWait wait = chan_wait(chan, -1, behind, false); (behind = chan_behind(chan, who, awaited)) >= 0;) {
    wait.named = behind;
    TRY(chan_wait_turn(ctx, &wait));
  }
  return TFE_OK;
}

void tfe_chan_resume(TfeCtx *ctx, uint32_t rounds, uint64_t kept) {
  ctx->chan->largest_sent = rounds;
  for (int64_t p = 0; p < ctx->chan->count; p++)
    if (ctx->chan->kept[p] < kept) /* a faster party may have said more already */
      ctx->chan->kept[p] = kept;
}

/* ----------------------------------------------------------------------------------------------- messages */

static uint64_t chan_payload_bytes(const TfePart *parts, int64_t count) {
  uint64_t bytes = 0;
  for (int64_t i = 0; i < count; i++)
    bytes += tfe_pack_bytes(parts[i].count, parts[i].bits);
  return bytes;
}

static TfeStatus chan_reserve_message(TfeCtx *ctx, size_t bytes) {
  TfeChan *chan = ctx->chan;
  if (bytes <= chan->message_capacity)
    return TFE_OK;
  size_t capacity = bytes < (64 << 10) ? (64 << 10) : bytes + bytes / 4;
  tfe_release(chan->message, chan->message_capacity);
  chan->message = NULL;
  chan->message_capacity = 0;
  TRY(tfe_alloc(ctx, capacity, &chan->message));
  chan->message_capacity = capacity;
  return TFE_OK;
}

static TfeStatus chan_assemble(TfeCtx *ctx, FrameHead head, const TfePart *parts, int64_t count) {
  TRY(chan_reserve_message(ctx, TFE_HEADER_BYTES + (size_t)head.bytes));
  uint8_t *at = ctx->chan->message;
  frame_write_head(at, head);
  at += TFE_HEADER_BYTES;
  for (int64_t i = 0; i < count; i++) {
    tfe_pack(at, parts[i].data, parts[i].count, parts[i].bits);
    at += tfe_pack_bytes(parts[i].count, parts[i].bits);
  }
  return TFE_OK;
}

/* Until the kernel has taken the whole message, which is chan->message. */
static TfeStatus chan_flush(TfeCtx *ctx, int64_t peer, size_t bytes) {
  ChanLink *link = &ctx->chan->links[peer];
  link->conn->plain = ctx->chan->message;
  link->conn->plain_left = bytes;
  conn_push(link->conn);
  if (!link->conn->mute && !conn_wants_out(link->conn) && link->lost == TFE_OK)
    return TFE_OK;
  ChanWait wait = chan_wait(ctx->chan, peer, peer, true);
  for (;;) {
    if (link->conn->mute || link->conn->fd < 0) {
      /* Its last words may say more than the error of our write. */
      if (link->conn->fd >= 0)
        chan_receive(ctx, peer);
      TRY(chan_health(ctx));
      return chan_lost(ctx, peer, TFE_LOST_PEER,
                       link->conn->why[0] ? link->conn->why : "it has left already");
    }
    if (!conn_wants_out(link->conn))
      return TFE_OK;
    TRY(chan_wait_turn(ctx, &wait));
  }
}

static void chan_shrink_message(TfeChan *chan) {
  if (chan->message_capacity <= CHAN_KEEP_MESSAGE)
    return;
  tfe_release(chan->message, chan->message_capacity);
  chan->message = NULL;
  chan->message_capacity = 0;
}

TfeStatus tfe_send(TfeCtx *ctx, int64_t peer, int64_t number, const TfePart *parts, int64_t count) {
  TfeChan *chan = ctx->chan;
  assert((chan->links[peer].conn != NULL || ctx->deal != NULL) && number >= 0 && number < FRAME_CONTROL);
  FrameHead head = {.bytes = chan_payload_bytes(parts, count),
                    .number = (uint32_t)number,
                    .clock = ctx->counters.clock + 1};
  TRY(chan_sweep(ctx));
  TRY(chan_assemble(ctx, head, parts, count));
  size_t bytes = TFE_HEADER_BYTES + (size_t)head.bytes;
  if (ctx->checkpoint != NULL)
    TRY(tfe_checkpoint_sends(ctx, peer, chan->message, bytes));
  ctx->counters.messages_sent++;
  ctx->counters.bytes_sent += bytes;
  if (head.clock > chan->largest_sent)
    chan->largest_sent = head.clock;
  TRY(ctx->deal ? tfe_deal_write(ctx, peer, chan->message, bytes) : chan_flush(ctx, peer, bytes));
  chan_shrink_message(chan);
  return TFE_OK;
}

/* Is this the header of the message that is due? */
static bool chan_due(FrameHead expected, FrameHead head, char why[200]) {
  if (head.number != expected.number)
    snprintf(why, 200, "message %u was due, message %u came", expected.number, head.number);
  else if (head.bytes != expected.bytes)
    snprintf(why, 200, "message %u must have %llu bytes, and has %llu", head.number,
             (unsigned long long)expected.bytes, (unsigned long long)head.bytes);
  return head.number == expected.number && head.bytes == expected.bytes;
}

/* FRAME_FOUND: the message is here whole. Its header is checked as soon as it has come, before anything is
 * reserved. */
static TfeStatus chan_look(TfeCtx *ctx, int64_t peer, FrameHead expected, FrameHead *head,
                           const uint8_t **payload) {
  ChanLink *link = &ctx->chan->links[peer];
  FrameResult found = frame_first(&link->conn->in, head);
  *payload = NULL;
  if (found == FRAME_MORE)
    return TFE_OK;
  char why[200] = "it sends what is not of this protocol";
  if (found == FRAME_BAD || !chan_due(expected, *head, why))
    return chan_lost(ctx, peer, TFE_PEER_DATA, why);
  *payload = frame_payload(&link->conn->in, *head);
  return TFE_OK;
}

/* The next message of the batch that stands for its dealer. */
static TfeStatus chan_read_dealt(TfeCtx *ctx, FrameHead expected, FrameHead *head, const uint8_t **payload) {
  uint8_t bytes[TFE_HEADER_BYTES];
  char why[200];
  TRY(tfe_dealt_read(ctx, bytes, sizeof bytes));
  *head = frame_read_head(bytes);
  if (!chan_due(expected, *head, why))
    return tfe_dealt_wrong(ctx, why);
  TRY(chan_reserve_message(ctx, (size_t)head->bytes));
  *payload = ctx->chan->message;
  return tfe_dealt_read(ctx, ctx->chan->message, (size_t)head->bytes);
}

static TfeStatus chan_await(TfeCtx *ctx, int64_t peer, FrameHead expected, FrameHead *head,
                            const uint8_t **payload) {
  TfeChan *chan = ctx->chan;
  ChanLink *link = &chan->links[peer];
  TRY(chan_look(ctx, peer, expected, head, payload));
  if (*payload != NULL)
    return TFE_OK;
  ChanWait wait = chan_wait(chan, peer, peer, false);
  bool reserved = false;
  for (;;) {
    for (double start = chan->wait_since, now = start; now - start < spin_seconds; now = conn_now()) {
      if (link->conn->fd < 0)
        break;
      uint64_t before = link->conn->plain_in;
      chan_receive(ctx, peer);
      TRY(chan_look(ctx, peer, expected, head, payload));
      if (*payload != NULL)
        return TFE_OK;
      if (link->conn->plain_in != before)
        break;
      sched_yield();
    }
    /* The header is right: room for the rest at once, instead of growing step by step. */
    if (!reserved && frame_waiting(&link->conn->in) >= TFE_HEADER_BYTES &&
        frame_first(&link->conn->in, head) == FRAME_FOUND && link->lost == TFE_OK) {
      uint64_t here = frame_waiting(&link->conn->in), whole = TFE_HEADER_BYTES + expected.bytes;
      if (whole > here && frame_space(&link->conn->in, (size_t)(whole - here) + (64 << 10)) == NULL)
        return tfe_fail(ctx, TFE_MEMORY, "no memory for a message of %llu bytes", (unsigned long long)whole);
      reserved = true;
    }
    if (link->done && link->conn->fd < 0)
      return chan_lost(ctx, peer, TFE_PEER_DATA, "it has finished, but a message from it is due");
    TRY(chan_wait_turn(ctx, &wait));
    TRY(chan_look(ctx, peer, expected, head, payload));
    if (*payload != NULL)
      return TFE_OK;
  }
}

static void chan_unpack(const TfePart *parts, int64_t count, const uint8_t *at) {
  for (int64_t i = 0; i < count; i++) {
    tfe_unpack(parts[i].data, at, parts[i].count, parts[i].bits);
    at += tfe_pack_bytes(parts[i].count, parts[i].bits);
  }
}

TfeStatus tfe_recv(TfeCtx *ctx, int64_t peer, int64_t number, const TfePart *parts, int64_t count) {
  ChanLink *link = &ctx->chan->links[peer];
  bool dealt = peer == tfe_dealt_dealer(ctx);
  assert((link->conn != NULL || dealt) && number >= 0 && number < FRAME_CONTROL);
  FrameHead expected = {.bytes = chan_payload_bytes(parts, count), .number = (uint32_t)number}, head;
  const uint8_t *payload = NULL;
  TRY(chan_sweep(ctx));
  TRY(dealt ? chan_read_dealt(ctx, expected, &head, &payload)
            : chan_await(ctx, peer, expected, &head, &payload));
  chan_unpack(parts, count, payload);
  if (dealt)
    chan_shrink_message(ctx->chan);
  else
    frame_drop(&link->conn->in, head);
  ctx->counters.messages_received++;
  ctx->counters.bytes_received += TFE_HEADER_BYTES + head.bytes;
  if (head.clock > ctx->counters.clock)
    ctx->counters.clock = head.clock;
  return TFE_OK;
}

uint32_t tfe_chan_rounds(const TfeCtx *ctx) {
  uint32_t sent = ctx->chan ? ctx->chan->largest_sent : 0;
  return sent > ctx->counters.clock ? sent : ctx->counters.clock;
}

/* ------------------------------------------------------------------------------------------------ the end */

/* A connection counts as delivered when the other machine has everything: closing earlier could lose the
 * tail of it. */
static bool chan_farewell(TfeChan *chan) {
  bool over = true;
  for (int64_t p = 0; p < chan->count; p++) {
    Conn *conn = chan->links[p].conn;
    if (conn == NULL || conn->fd < 0)
      continue;
    conn_push(conn);
    if (!conn->end_said && !conn_wants_out(conn)) {
      conn_end(conn);
      conn_push(conn);
      if (!conn_wants_out(conn))
        conn_shut(conn);
    }
    over = over && conn_delivered(conn);
  }
  return over;
}

static void chan_last_words(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  uint8_t words[8];
  if (ctx->error != TFE_OK)
    tfe_chan_blame(ctx, ctx->error, ctx->party);
  chan_put_word(words, (uint32_t)chan->reason);
  chan_put_word(words + 4, (uint32_t)chan->culprit);
  for (int64_t p = 0; p < chan->count; p++) {
    Conn *conn = chan->links[p].conn;
    if (conn == NULL)
      continue;
    if (conn->stage != CONN_UP && conn->stage != CONN_WELCOME)
      conn_close(conn, "closed");
    else if (ctx->error != TFE_OK)
      conn_control(conn, FRAME_CONTROL + CHAN_ABORT, words, sizeof words);
    else
      conn_control(conn, FRAME_CONTROL + CHAN_DONE, NULL, 0);
  }
}

/* Reads on, so that a peer that still sends is not answered by a reset, and so that its ALIVE is seen. */
static uint64_t chan_farewell_turn(TfeCtx *ctx, bool failed) {
  TfeChan *chan = ctx->chan;
  uint64_t sent = 0;
  for (int64_t p = 0; p < chan->count; p++) {
    Conn *conn = chan->links[p].conn;
    if (conn == NULL)
      continue;
    sent += conn->out;
    if (conn->fd < 0 || conn->ended)
      continue;
    if (failed || conn->stage != CONN_UP)
      conn_discard(conn);
    else
      chan_receive(ctx, p);
  }
  poll(NULL, 0, 1);
  return sent;
}

void tfe_chan_close(TfeCtx *ctx) {
  TfeChan *chan = ctx->chan;
  if (chan == NULL || chan->polled_link == NULL)
    return;
  bool failed = ctx->error != TFE_OK;
  chan->session_over = true;
  chan->awaited = -1;
  chan_last_words(ctx);
  double start = conn_now();
  uint64_t sent = 0;
  while (!chan_farewell(chan)) {
    uint64_t now_sent = chan_farewell_turn(ctx, failed);
    double now = conn_now();
    if (now_sent != sent && !failed)
      start = now;
    sent = now_sent;
    for (int64_t p = 0; p < chan->count && !failed; p++)
      start = chan->links[p].excused > start ? chan->links[p].excused : start;
    if (now - start > (failed ? farewell_seconds : ctx->timeout_seconds) ||
        (!failed && tfe_stop_signal() != 0))
      break;
  }
  for (int64_t p = 0; p < chan->count; p++)
    if (chan->links[p].conn != NULL)
      conn_close(chan->links[p].conn, "closed");
  if (chan->listen_fd >= 0)
    close(chan->listen_fd);
  chan->listen_fd = -1;
}
