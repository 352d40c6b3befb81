/* What the files of chan/ share: the links of a party, its event loop, and the runtime's own messages.
 * Private to chan/.
 *
 * Control messages (numbers from FRAME_CONTROL up):
 *   WELCOME  the one that listens takes the connection          (nothing)
 *   REFUSE   it does not                                        u32 status, text
 *   SESSION  of session.c                                       opaque
 *   DONE     this party will send no more                       (nothing)
 *   ABORT    this party stops on an error                       u32 status, u32 number of the party at fault
 *   ALIVE    this party waits for somebody                      u32 milliseconds without progress so far
 *   KEPT     party has kept its checkpoint of this number;      u32 number of the party, u64 number
 *            passed on to all who may not know
 *   DEALT    this party has a batch in place of its dealer;     u32 party number of the dealer
 *            said as soon as the connection is up */
#ifndef TFE_CHAN_STATE_H
#define TFE_CHAN_STATE_H

#include <poll.h>

#include "../identity.h"
#include "conn.h"

enum { CHAN_WELCOME, CHAN_REFUSE, CHAN_SESSION, CHAN_DONE, CHAN_ABORT, CHAN_ALIVE, CHAN_DEALT, CHAN_KEPT };
enum {
  CHAN_STRANGERS = 32,           /* connections that have not said who they are */
  CHAN_SESSION_LIMIT = 16 << 20, /* bytes of session messages that may wait, for each peer */
  CHAN_POLLS = 3,                /* descriptors of the event loop itself: stop, listen, room */
};

typedef struct ChanControl {
  struct ChanControl *next;
  size_t bytes;
  uint8_t data[];
} ChanControl;

/* What is known of one peer. */
typedef struct ChanLink {
  const TfePeer *where;
  uint8_t flags;  /* TFE_LINK_*; 0: not linked, or by files only */
  Conn *conn;     /* NULL: none yet */
  bool done;      /* said DONE */
  TfeStatus lost; /* not TFE_OK: nothing more will come, for this reason */
  char lost_why[200];
  ChanControl *first, *last; /* session messages */
  size_t control_bytes;
  uint64_t alive_in; /* plaintext bytes that are no progress */
  double excused;    /* it waits for somebody itself, since then */
  double next_dial, pause;
  int64_t attempts;
  char failure[200]; /* of the last attempt */
} ChanLink;

struct TfeChan {
  int64_t count;
  ChanLink *links; /* [count], by party number */
  const TfePeer *peers;
  const TfeIdentity *me;
  TlsSetup *setup;
  Shape *shape; /* NULL: no network is emulated */
  int listen_fd;
  char listen_text[300];
  double listen_again; /* no accept before this time: out of descriptors */
  Conn *strangers[CHAN_STRANGERS];
  char refused[400]; /* the last stranger that was refused, and why */
  bool session_over;
  uint8_t *message; /* the message under way */
  size_t message_capacity;
  uint32_t largest_sent; /* logical clock */
  uint64_t operations;
  double alive_said;
  double wait_since; /* of the wait under way: last progress */
  int64_t awaited;   /* peer whose data is read without limit; -1 none */
  TfeStatus reason;  /* why we stop, and who is at fault */
  int64_t culprit;
  int64_t told_by; /* the peer that said ABORT first; -1 none */
  TfeStatus told_reason;
  int64_t told_culprit;
  uint64_t *kept;           /* [count] by party: its newest checkpoint, as far as we heard */
  int64_t dealt_by, dealer; /* the first peer that said DEALT, and whose batch it has; -1 none */
  struct pollfd *polls;
  Conn **polled;
  int64_t *polled_link; /* -1: a stranger */
};

/* chan.c: one turn of the event loop, at most `milliseconds` long. Fails when an error was recorded on the
 * way. */
TfeStatus chan_turn(TfeCtx *ctx, int milliseconds) TFE_MUST_USE;
/* chan.c: takes the control messages that have come from a peer. */
void chan_scan(TfeCtx *ctx, int64_t peer);
/* chan.c: every reason to stop waiting: a signal, a peer that stopped, a lost peer. */
TfeStatus chan_health(TfeCtx *ctx) TFE_MUST_USE;

/* connect.c */
TfeStatus connect_listen(TfeCtx *ctx) TFE_MUST_USE;
void connect_accept(TfeCtx *ctx);
/* A stranger can be read or has waited too long; frees it or moves it to its link. */
void connect_stranger(TfeCtx *ctx, int index, short events);
void connect_expire(TfeCtx *ctx);
/* A connection we dialled, before it is up. */
void connect_dialled(TfeCtx *ctx, int64_t peer, short events);
void connect_dial_due(TfeCtx *ctx);
/* Another party has a batch in place of a party that we wait for. */
TfeStatus connect_check_dealt(TfeCtx *ctx) TFE_MUST_USE;
bool connect_complete(const TfeCtx *ctx);
TfeStatus connect_timed_out(TfeCtx *ctx) TFE_MUST_USE;

#endif
