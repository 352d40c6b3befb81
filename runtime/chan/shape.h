/* An emulated network, for trials: what a party sends is held back as long as a real link would take
 * (party options --rtt and --bandwidth). A party that is not asked for this has no Shape.
 *
 * Model: a party has one uplink of `rate`, which its connections share first come first served, as the
 * network card of a host does; nothing else limits the rate. A piece handed over at time t
 *   departs at  free = max(t, free) + (bytes + overhead of its packets) / rate
 *   arrives at  free + round trip / 2
 * and is written to the socket then. Acknowledgements, slow start and losses of TCP are not imitated, and
 * its three-way handshake is not delayed. Each direction of a connection is shaped by its sender, so
 * both parties need the options.
 *
 * A thread of its own does the writing: a packet on a cable arrives also while its sender computes. */
#ifndef TFE_SHAPE_H
#define TFE_SHAPE_H

#include <stddef.h>
#include <sys/types.h>

#include "../ctx.h"

typedef struct Shape Shape;         /* the uplink of a party */
typedef struct ShapeConn ShapeConn; /* one connection on it */

typedef struct ShapeModel {
  double delay; /* seconds, one way */
  double rate;  /* bytes a second; INFINITY: no limit */
  double free;  /* when the uplink has sent all that it was given */
} ShapeModel;

ShapeModel shape_model(double round_trip, double bits_per_second); /* 0 bit/s: no limit */
/* When `bytes` that are handed over at `now` have arrived. */
double shape_arrival(ShapeModel *model, size_t bytes, double now);

/* *out stays NULL if neither ctx->round_trip nor ctx->bandwidth is set. */
TfeStatus shape_new(TfeCtx *ctx, Shape **out) TFE_MUST_USE;
/* Closes connections that still hold something; all others must have been closed. */
void shape_free(Shape *shape);

/* fd is used from now on, and owned from shape_close on. NULL: no memory. */
ShapeConn *shape_open(Shape *shape, int fd);
/* As send(2) on a non-blocking socket; EAGAIN while as much is held as would wait in a real sender. */
ssize_t shape_send(ShapeConn *conn, const void *data, size_t bytes);
/* Bytes that have not been written to the socket. */
size_t shape_held(ShapeConn *conn);
/* Once what is held has been written: shutdown(SHUT_WR), or close. */
void shape_shut(ShapeConn *conn);
void shape_close(ShapeConn *conn);

/* A descriptor to be polled for reading: a connection that gave EAGAIN has room. -1 for no shape. */
int shape_room_fd(const Shape *shape);
void shape_room_seen(Shape *shape);

#endif
