/* One connection (see conn.h). A message of up to a slice is encrypted whole and handed to the kernel in
 * one send(). */
#define _GNU_SOURCE
#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <openssl/crypto.h>

enum {
  CONN_SLICE = 1 << 20,          /* plaintext encrypted at a time */
  CONN_READ = 64 << 10,          /* room in the queue for a read from TLS; a record has 16 KiB */
  CONN_BUFFER = 4 << 20,         /* socket buffers, where the system allows it */
  CONN_CONTROL_LIMIT = 64 << 20, /* control messages that may wait to be sent */
};

double conn_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A fixed size switches off the kernel's own tuning, so it is set only where it is not cut down to less
 * than that. */
static void conn_buffer(int fd, int option, const char *limit_file) {
  long limit = 0;
  FILE *file = fopen(limit_file, "re");
  if (file == NULL)
    return;
  if (fscanf(file, "%ld", &limit) == 1 && limit >= CONN_BUFFER) {
    int bytes = CONN_BUFFER;
    setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes);
  }
  fclose(file);
}

void conn_tune(int fd) {
  int yes = 1, idle = 30, interval = 10, count = 6;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  conn_buffer(fd, SO_SNDBUF, "/proc/sys/net/core/wmem_max");
  conn_buffer(fd, SO_RCVBUF, "/proc/sys/net/core/rmem_max");
}

Conn *conn_new(int fd, TlsSetup *setup, Shape *shape, bool dial, const char *address) {
  Conn *conn = calloc(1, sizeof *conn);
  Tls *tls = conn ? chan_tls_new(setup, dial) : NULL;
  ShapeConn *shaped = tls && shape ? shape_open(shape, fd) : NULL;
  if (tls == NULL || (shape != NULL && shaped == NULL)) {
    if (tls != NULL)
      chan_tls_free(tls);
    free(conn);
    close(fd);
    return NULL;
  }
  conn->fd = fd;
  conn->tls = tls;
  conn->shaped = shaped;
  conn->dial = dial;
  conn->stage = dial ? CONN_DIALLING : CONN_HANDSHAKE;
  conn->opened = conn_now();
  snprintf(conn->address, sizeof conn->address, "%s", address);
  return conn;
}

void conn_close(Conn *conn, const char *why) {
  if (conn->shaped != NULL)
    shape_close(conn->shaped);
  else if (conn->fd >= 0)
    close(conn->fd);
  conn->shaped = NULL;
  conn->fd = -1;
  conn->stage = CONN_DEAD;
  if (why != NULL && conn->why[0] == '\0')
    snprintf(conn->why, sizeof conn->why, "%s", why);
}

void conn_free(Conn *conn) {
  if (conn == NULL)
    return;
  conn_close(conn, NULL);
  chan_tls_free(conn->tls);
  frame_free(&conn->in);
  if (conn->control != NULL)
    OPENSSL_cleanse(conn->control, conn->control_capacity);
  free(conn->control);
  free(conn);
}

/* ----------------------------------------------------------------------------------------------------- in */

static bool conn_broken(Conn *conn, const char *why) {
  if (conn->why[0] == '\0')
    snprintf(conn->why, sizeof conn->why, "%s", why);
  conn->ended = true;
  return false;
}

bool conn_connected(Conn *conn) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    error = errno;
  if (error != 0)
    return conn_broken(conn, strerror(error));
  conn->stage = CONN_HANDSHAKE;
  conn->opened = conn_now();
  return conn_digest(conn);
}

static bool conn_handshake(Conn *conn) {
  int result = chan_tls_handshake(conn->tls);
  if (result > 0)
    conn->stage = CONN_JUDGE;
  conn_push(conn); /* the next flight, or the alert that says why not */
  return result >= 0 || conn_broken(conn, chan_tls_error(conn->tls));
}

bool conn_digest(Conn *conn) {
  if (conn->stage == CONN_HANDSHAKE && !conn_handshake(conn))
    return false;
  while (conn->stage == CONN_WELCOME || conn->stage == CONN_UP) {
    uint8_t *space = frame_space(&conn->in, CONN_READ);
    if (space == NULL)
      return conn_broken(conn, "no memory for what it sends");
    long bytes = chan_tls_read(conn->tls, space, conn->in.capacity - conn->in.tail);
    if (bytes == 0)
      return true;
    if (bytes == -2) {
      conn->ended = true;
      return false;
    }
    if (bytes < 0)
      return conn_broken(conn, chan_tls_error(conn->tls));
    frame_added(&conn->in, (size_t)bytes);
    conn->plain_in += (uint64_t)bytes;
  }
  return true;
}

bool conn_receive(Conn *conn, size_t budget) {
  size_t got = 0;
  while (conn->fd >= 0 && conn->stage != CONN_JUDGE && got < budget) {
    size_t room = 0;
    uint8_t *space = chan_tls_in(conn->tls, &room);
    if (space == NULL)
      return conn_broken(conn, "no memory for what it sends");
    ssize_t bytes = recv(conn->fd, space, room, MSG_DONTWAIT);
    if (bytes < 0 && errno == EINTR)
      continue;
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return true;
    if (bytes < 0)
      return conn_broken(conn, strerror(errno));
    if (bytes == 0) {
      conn->ended = true;
      return false;
    }
    chan_tls_in_added(conn->tls, (size_t)bytes);
    got += (size_t)bytes;
    if (!conn_digest(conn))
      return false;
    if ((size_t)bytes < room)
      return true;
  }
  return true;
}

bool conn_discard(Conn *conn) {
  static const int limit = 64;
  uint8_t scratch[16 << 10];
  for (int i = 0; i < limit && conn->fd >= 0; i++) {
    ssize_t bytes = recv(conn->fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      conn->ended = true;
      return false;
    }
    if (bytes < 0)
      return true;
  }
  return true;
}

/* ---------------------------------------------------------------------------------------------------- out */

bool conn_wants_out(const Conn *conn) {
  size_t pending = 0;
  if (conn->mute || conn->fd < 0)
    return false;
  if (conn->stage == CONN_DIALLING)
    return true;
  chan_tls_out(conn->tls, &pending);
  return pending > 0 || (conn->stage > CONN_JUDGE && (conn->plain_left > 0 || conn->control_bytes > 0));
}

short conn_poll_out(const Conn *conn) {
  bool network = conn->shaped == NULL || conn->stage == CONN_DIALLING;
  return network && conn_wants_out(conn) ? POLLOUT : 0;
}

/* The next plaintext into TLS; a message under way always goes first, so that no control message ends up
 * inside it. */
static bool conn_encrypt(Conn *conn) {
  if (conn->stage <= CONN_JUDGE)
    return true;
  if (conn->plain_left > 0) {
    size_t bytes = conn->plain_left < CONN_SLICE ? conn->plain_left : CONN_SLICE;
    if (!chan_tls_write(conn->tls, conn->plain, bytes))
      return false;
    conn->plain += bytes;
    conn->plain_left -= bytes;
    return true;
  }
  if (conn->control_bytes > 0 && !chan_tls_write(conn->tls, conn->control, conn->control_bytes))
    return false;
  conn->control_bytes = 0;
  return true;
}

static bool conn_mute(Conn *conn, const char *why) {
  conn->mute = true;
  if (conn->why[0] == '\0')
    snprintf(conn->why, sizeof conn->why, "%s", why);
  return false;
}

bool conn_push(Conn *conn) {
  while (!conn->mute && conn->fd >= 0) {
    size_t pending = 0;
    const uint8_t *data = chan_tls_out(conn->tls, &pending);
    if (pending == 0) {
      if (!conn_encrypt(conn))
        return conn_mute(conn, chan_tls_error(conn->tls));
      data = chan_tls_out(conn->tls, &pending);
      if (pending == 0)
        return true;
    }
    ssize_t bytes = conn->shaped ? shape_send(conn->shaped, data, pending)
                                 : send(conn->fd, data, pending, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0 && errno == EINTR)
      continue;
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return true;
    if (bytes < 0)
      return conn_mute(conn, strerror(errno));
    chan_tls_out_taken(conn->tls, (size_t)bytes);
    conn->out += (uint64_t)bytes;
  }
  return !conn->mute;
}

bool conn_control(Conn *conn, uint32_t number, const void *data, size_t bytes) {
  size_t need = conn->control_bytes + TFE_HEADER_BYTES + bytes;
  if (need > CONN_CONTROL_LIMIT)
    return false;
  if (need > conn->control_capacity) {
    size_t capacity = need < 1024 ? 1024 : 2 * need;
    uint8_t *grown = realloc(conn->control, capacity);
    if (grown == NULL)
      return false;
    conn->control = grown;
    conn->control_capacity = capacity;
  }
  frame_write_head(conn->control + conn->control_bytes, (FrameHead){.bytes = bytes, .number = number});
  if (bytes > 0)
    memcpy(conn->control + conn->control_bytes + TFE_HEADER_BYTES, data, bytes);
  conn->control_bytes = need;
  return true;
}

void conn_end(Conn *conn) {
  if (conn->end_said || conn->fd < 0)
    return;
  conn->end_said = true;
  chan_tls_end(conn->tls);
}

void conn_shut(Conn *conn) {
  if (conn->shaped != NULL)
    shape_shut(conn->shaped);
  else
    shutdown(conn->fd, SHUT_WR);
}

bool conn_delivered(const Conn *conn) {
  if (conn->fd < 0 || conn->mute)
    return true;
  if (conn_wants_out(conn) || !conn->end_said || (conn->shaped != NULL && shape_held(conn->shaped) > 0))
    return false;
  int unacknowledged = 0;
  return ioctl(conn->fd, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0;
}
