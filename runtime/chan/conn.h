/* One connection: a non-blocking socket, TLS on it, the queue of what came, and what is still to be sent.
 * Knows nothing of parties. Nothing here waits: conn_receive takes what the kernel has, conn_push gives
 * what the kernel accepts. */
#ifndef TFE_CONN_H
#define TFE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chan_tls.h"
#include "frame.h"
#include "shape.h"

typedef enum ConnStage {
  CONN_DIALLING, /* connect() is under way */
  CONN_HANDSHAKE,
  CONN_JUDGE,   /* TLS is up; its owner must now decide whether this is the right peer */
  CONN_WELCOME, /* we dialled and know the peer; it has not yet said that it takes us */
  CONN_UP,
  CONN_ENDING, /* says goodbye; nothing that comes is used */
  CONN_DEAD,   /* closed; the queue may still hold messages */
} ConnStage;

typedef struct Conn {
  int fd;
  Tls *tls;
  ShapeConn *shaped; /* NULL: no network is emulated */
  ConnStage stage;
  bool dial;
  bool ended; /* the peer sends no more */
  bool mute;  /* nothing can be sent any more */
  bool end_said;
  FrameQueue in;
  const uint8_t *plain; /* message under way, borrowed */
  size_t plain_left;
  uint8_t *control; /* control messages that wait, owned */
  size_t control_bytes, control_capacity;
  uint64_t plain_in; /* plaintext bytes received */
  uint64_t out;      /* ciphertext bytes given to the kernel, or to the emulated network */
  double opened;     /* when the current stage began, seconds */
  char address[80];  /* of the other end */
  char why[200];     /* it broke */
} Conn;

double conn_now(void); /* seconds of a clock that never jumps */
/* Options of every socket of ours: no delay, keep-alive, cubic, close on exec. */
void conn_tune(int fd);
/* Takes fd, also when it fails (NULL: no memory). shape: NULL, or the uplink of this party. */
Conn *conn_new(int fd, TlsSetup *setup, Shape *shape, bool dial, const char *address);
void conn_free(Conn *conn);
/* Closes the socket, keeps the queue. */
void conn_close(Conn *conn, const char *why);

/* CONN_DIALLING: connect() has ended; false: failed, conn->why. */
bool conn_connected(Conn *conn);
/* Reads at most about `budget` bytes and goes through handshake and decryption. false: nothing more will
 * come (ended or conn->why). */
bool conn_receive(Conn *conn, size_t budget);
/* Decrypts what has been read already: after its owner has moved it beyond CONN_JUDGE. */
bool conn_digest(Conn *conn);
/* Reads and forgets; false: nothing more will come. */
bool conn_discard(Conn *conn);

bool conn_wants_out(const Conn *conn);
/* POLLOUT if that is what conn_push waits for, else 0. */
short conn_poll_out(const Conn *conn);
/* Encrypts and sends as far as the kernel takes it; false: the connection takes nothing any more. */
bool conn_push(Conn *conn);
/* Appends a control message to what is to be sent; false: no memory. */
bool conn_control(Conn *conn, uint32_t number, const void *data, size_t bytes);
/* Everything was handed to the kernel and, after conn_end, has reached the other machine. */
bool conn_delivered(const Conn *conn);
/* Nothing will be sent after what waits now. */
void conn_end(Conn *conn);
/* Ends our half of the connection below TLS, after what has been pushed. */
void conn_shut(Conn *conn);

#endif
