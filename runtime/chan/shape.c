/* The emulated uplink (see shape.h). What waits is ciphertext, cut into segments that each have a time of
 * arrival; a lock guards everything. The thread sleeps until shortly before the next one is due and spins
 * for the rest, since waking up takes a good part of the one-way delay of a local network. */
#define _GNU_SOURCE
#include "shape.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

enum {
  SHAPE_PAYLOAD = 1448,     /* bytes of a stream in one packet: Ethernet, IPv4, TCP with time stamps */
  SHAPE_OVERHEAD = 52 + 38, /* the rest of the packet, its frame, and the gap to the next */
  SHAPE_SEGMENT = 10 * SHAPE_PAYLOAD,
  SHAPE_SEGMENT_MOST = 1 << 20,
  SHAPE_QUEUE = 4 << 20, /* held for one connection, beyond what is under way */
  SHAPE_WINDOW_MOST = 256 << 20,
};
static const double shape_spin = 60e-6, shape_again = 1e-3, shape_segment_seconds = 100e-6;

typedef struct Segment {
  struct Segment *next;
  double arrival;
  size_t head, bytes; /* [head, bytes) is not written yet */
  uint8_t data[];
} Segment;

struct ShapeConn {
  Shape *shape;
  ShapeConn *next;
  int fd;
  Segment *first, *last;
  size_t held;
  int error;     /* errno of a write that failed: nothing more goes out */
  double paused; /* the socket takes nothing before this time */
  bool full;     /* somebody waits for room */
  bool shut, closed;
};

struct Shape {
  ShapeModel model;
  size_t window, segment;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  ShapeConn *conns;
  int room_fd;
  bool stop;
};

/* -------------------------------------------------------------------------------------------------- model */

ShapeModel shape_model(double round_trip, double bits_per_second) {
  return (ShapeModel){.delay = round_trip / 2, .rate = bits_per_second > 0 ? bits_per_second / 8 : INFINITY};
}

double shape_arrival(ShapeModel *model, size_t bytes, double now) {
  size_t packets = (bytes + SHAPE_PAYLOAD - 1) / SHAPE_PAYLOAD;
  double start = now > model->free ? now : model->free;
  model->free = start + (double)(bytes + packets * SHAPE_OVERHEAD) / model->rate;
  return model->free + model->delay;
}

/* ------------------------------------------------------------------------------------------------ writing */

static void shape_drop(ShapeConn *conn) {
  while (conn->first != NULL) {
    Segment *next = conn->first->next;
    free(conn->first);
    conn->first = next;
  }
  conn->last = NULL;
  conn->held = 0;
}

/* Writes what is due; gives the time at which there is more to do. */
static double shape_write(ShapeConn *conn, double now) {
  for (Segment *at = conn->first; at != NULL; at = conn->first) {
    double due = at->arrival > conn->paused ? at->arrival : conn->paused;
    if (due > now)
      return due;
    ssize_t bytes = send(conn->fd, at->data + at->head, at->bytes - at->head, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      conn->error = errno;
      shape_drop(conn);
      break;
    }
    bytes = bytes < 0 ? 0 : bytes;
    at->head += (size_t)bytes;
    conn->held -= (size_t)bytes;
    if (at->head < at->bytes) {
      conn->paused = now + shape_again;
      continue;
    }
    conn->first = at->next;
    if (conn->first == NULL)
      conn->last = NULL;
    free(at);
  }
  if (conn->shut && conn->error == 0)
    shutdown(conn->fd, SHUT_WR);
  conn->shut = false;
  return INFINITY;
}

static void shape_tell_room(const Shape *shape) {
  uint64_t one = 1;
  ssize_t ignored = write(shape->room_fd, &one, sizeof one);
  (void)ignored; /* it fails only if the counter is full: then it is readable */
}

static double shape_write_all(Shape *shape, double now) {
  double next = INFINITY;
  for (ShapeConn **at = &shape->conns, *conn; (conn = *at) != NULL;) {
    double due = shape_write(conn, now);
    next = due < next ? due : next;
    if (conn->full && conn->held < shape->window) {
      conn->full = false;
      shape_tell_room(shape);
    }
    if (conn->closed && conn->first == NULL) {
      *at = conn->next;
      close(conn->fd);
      free(conn);
    } else {
      at = &conn->next;
    }
  }
  return next;
}

static void shape_sleep(Shape *shape, double until) {
  if (isinf(until)) {
    pthread_cond_wait(&shape->changed, &shape->lock);
    return;
  }
  struct timespec t = {.tv_sec = (time_t)until, .tv_nsec = (long)(1e9 * (until - floor(until)))};
  pthread_cond_timedwait(&shape->changed, &shape->lock, &t);
}

static void *shape_run(void *user) {
  Shape *shape = user;
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* of this thread, in ns */
  pthread_mutex_lock(&shape->lock);
  while (!shape->stop) {
    double now = conn_now(), next = shape_write_all(shape, now);
    if (next - now > shape_spin) {
      shape_sleep(shape, next - shape_spin);
      continue;
    }
    pthread_mutex_unlock(&shape->lock);
    sched_yield();
    pthread_mutex_lock(&shape->lock);
  }
  pthread_mutex_unlock(&shape->lock);
  return NULL;
}

/* ---------------------------------------------------------------------------------------- birth and death */

/* Signals are for the party's own thread. */
static int shape_start(Shape *shape) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&shape->thread, NULL, shape_run, shape);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

TfeStatus shape_new(TfeCtx *ctx, Shape **out) {
  *out = NULL;
  if (ctx->round_trip <= 0 && ctx->bandwidth <= 0)
    return TFE_OK;
  Shape *shape = calloc(1, sizeof *shape);
  if (shape == NULL)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  shape->model = shape_model(ctx->round_trip, ctx->bandwidth);
  double window = (double)SHAPE_QUEUE + shape->model.rate * shape->model.delay;
  double segment = shape->model.rate * shape_segment_seconds;
  shape->window = window < (double)SHAPE_WINDOW_MOST ? (size_t)window : SHAPE_WINDOW_MOST;
  shape->segment = segment < (double)SHAPE_SEGMENT        ? SHAPE_SEGMENT
                   : segment < (double)SHAPE_SEGMENT_MOST ? (size_t)segment
                                                          : SHAPE_SEGMENT_MOST;
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&shape->changed, &clock);
  pthread_condattr_destroy(&clock);
  pthread_mutex_init(&shape->lock, NULL);
  shape->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int error = shape->room_fd < 0 ? errno : shape_start(shape);
  if (error == 0) {
    *out = shape;
    return TFE_OK;
  }
  if (shape->room_fd >= 0)
    close(shape->room_fd);
  pthread_cond_destroy(&shape->changed);
  pthread_mutex_destroy(&shape->lock);
  free(shape);
  return tfe_fail(ctx, TFE_SYSTEM, "cannot emulate a network: %s", strerror(error));
}

void shape_free(Shape *shape) {
  if (shape == NULL)
    return;
  pthread_mutex_lock(&shape->lock);
  shape->stop = true;
  pthread_cond_signal(&shape->changed);
  pthread_mutex_unlock(&shape->lock);
  pthread_join(shape->thread, NULL);
  while (shape->conns != NULL) {
    ShapeConn *conn = shape->conns;
    shape->conns = conn->next;
    shape_drop(conn);
    if (conn->closed)
      close(conn->fd);
    free(conn);
  }
  close(shape->room_fd);
  pthread_cond_destroy(&shape->changed);
  pthread_mutex_destroy(&shape->lock);
  free(shape);
}

/* -------------------------------------------------------------------------------------------- connections */

ShapeConn *shape_open(Shape *shape, int fd) {
  ShapeConn *conn = calloc(1, sizeof *conn);
  if (conn == NULL)
    return NULL;
  conn->shape = shape;
  conn->fd = fd;
  pthread_mutex_lock(&shape->lock);
  conn->next = shape->conns;
  shape->conns = conn;
  pthread_mutex_unlock(&shape->lock);
  return conn;
}

static bool shape_append(ShapeConn *conn, const uint8_t *data, size_t bytes, double now) {
  Segment *segment = malloc(sizeof *segment + bytes);
  if (segment == NULL)
    return false;
  *segment = (Segment){.bytes = bytes, .arrival = shape_arrival(&conn->shape->model, bytes, now)};
  memcpy(segment->data, data, bytes);
  if (conn->last != NULL)
    conn->last->next = segment;
  else
    conn->first = segment;
  conn->last = segment;
  conn->held += bytes;
  return true;
}

/* -1: errno. */
static ssize_t shape_take(ShapeConn *conn, const uint8_t *data, size_t bytes) {
  size_t window = conn->shape->window, room = window > conn->held ? window - conn->held : 0, taken = 0;
  double now = conn_now();
  errno = conn->error;
  if (conn->error != 0)
    return -1;
  conn->full = room == 0;
  errno = room == 0 ? EAGAIN : ENOMEM;
  while (taken < bytes && room > 0) {
    size_t piece = bytes - taken < conn->shape->segment ? bytes - taken : conn->shape->segment;
    piece = piece < room ? piece : room;
    if (!shape_append(conn, data + taken, piece, now))
      break;
    taken += piece;
    room -= piece;
  }
  return taken > 0 ? (ssize_t)taken : -1;
}

ssize_t shape_send(ShapeConn *conn, const void *data, size_t bytes) {
  Shape *shape = conn->shape;
  pthread_mutex_lock(&shape->lock);
  bool idle = conn->first == NULL;
  ssize_t taken = shape_take(conn, data, bytes);
  int error = errno;
  if (idle && taken > 0)
    pthread_cond_signal(&shape->changed);
  pthread_mutex_unlock(&shape->lock);
  errno = error;
  return taken;
}

size_t shape_held(ShapeConn *conn) {
  pthread_mutex_lock(&conn->shape->lock);
  size_t held = conn->held;
  pthread_mutex_unlock(&conn->shape->lock);
  return held;
}

void shape_shut(ShapeConn *conn) {
  pthread_mutex_lock(&conn->shape->lock);
  conn->shut = true;
  pthread_cond_signal(&conn->shape->changed);
  pthread_mutex_unlock(&conn->shape->lock);
}

void shape_close(ShapeConn *conn) {
  pthread_mutex_lock(&conn->shape->lock);
  conn->closed = true;
  pthread_cond_signal(&conn->shape->changed);
  pthread_mutex_unlock(&conn->shape->lock);
}

int shape_room_fd(const Shape *shape) {
  return shape ? shape->room_fd : -1;
}

void shape_room_seen(Shape *shape) {
  uint64_t count;
  ssize_t ignored = read(shape->room_fd, &count, sizeof count);
  (void)ignored;
}
