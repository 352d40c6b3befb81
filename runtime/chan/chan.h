/* Connections of a party: one TLS 1.3 connection to each peer that its program links to. Messages to one peer
 * arrive in order. While a send or a receive waits, data from every peer is read into that peer's queue, so
 * that two parties that send large messages to each other never block (peers marked TFE_LINK_AHEAD: only up
 * to a limit). Every wait ends: with the data, with a lost peer, or after ctx->timeout_seconds.
 *
 * tfe_send and tfe_recv (include/abi.def) are here too. Counters: a message counts with its header.
 *
 * Two parties can be parted in time: what one sends goes into files (ctx->deal), and the other reads one in
 * its place (ctx->dealt). To the program there is no difference; there is no connection between the two. */
#ifndef TFE_CHAN_H
#define TFE_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include "../ctx.h"

/* Where a peer is and who it is; filled from hosts.toml. */
typedef struct TfePeer {
  char host[256]; /* "" : this peer only dials out */
  char port[16];
  uint8_t key[32];  /* pinned Ed25519 public key */
  int has_key;      /* 0: --ca decides */
  int line;         /* in hosts.toml, for messages */
  const char *file; /* its name, or NULL */
} TfePeer;

/* Our own identity: identity.h. */
typedef struct TfeIdentity TfeIdentity;

/* chan.c (sockets, queues, counters), frame.c (framing) and chan_tls.c (the only file with openssl/ssl.h).
 * peers[party_count] and me are borrowed until tfe_chan_free; peers[ctx->party] is where we listen if a
 * peer dials us. listen_fd: a socket that listens already (owned from now on), or -1. */
TfeStatus tfe_chan_init(TfeCtx *ctx, const TfePeer *peers, const TfeIdentity *me, int listen_fd) TFE_MUST_USE;
/* For dealing ahead (ctx->deal): nobody is connected, and sending writes into the batch. */
TfeStatus tfe_chan_init_dealing(TfeCtx *ctx) TFE_MUST_USE;
/* Connects to everybody the program links to; mutual authentication; ends after ctx->wait_seconds. */
TfeStatus tfe_chan_connect(TfeCtx *ctx) TFE_MUST_USE;
/* 16 bytes from the TLS exporter of the connection to peer (same at both ends), label tells uses apart. */
TfeStatus tfe_chan_export_key(TfeCtx *ctx, int64_t peer, const char *label, uint8_t key[16]) TFE_MUST_USE;

/* Session messages before the program runs (hello, commitments, ...): not counted. Sending never waits.
 * Receiving takes the next one from peer, or from anybody; `awaited` is the party (linked or not) to be
 * named if it does not come. The caller frees *data. */
TfeStatus tfe_chan_control_send(TfeCtx *ctx, int64_t peer, const void *data, size_t bytes) TFE_MUST_USE;
TfeStatus tfe_chan_control_recv(TfeCtx *ctx, int64_t peer, void **data, size_t *bytes) TFE_MUST_USE;
TfeStatus tfe_chan_control_any(TfeCtx *ctx, int64_t awaited, int64_t *peer, void **data,
                               size_t *bytes) TFE_MUST_USE;
/* The session has begun: session messages that still arrive are repetitions and are dropped. */
void tfe_chan_session_over(TfeCtx *ctx);

/* Tells everybody that this party has kept its checkpoint `number`, and waits until each of who[] has kept `awaited`
 * (checkpoint.h). */
TfeStatus tfe_chan_kept(TfeCtx *ctx, uint64_t number, uint64_t awaited, const bool *who) TFE_MUST_USE;
/* Goes on in a run of so many rounds, in which all have kept this checkpoint. */
void tfe_chan_resume(TfeCtx *ctx, uint32_t rounds, uint64_t kept);

/* "10.1.0.2:7700" of a linked peer, for messages. */
const char *tfe_chan_address(const TfeCtx *ctx, int64_t peer);
/* Rounds so far: the largest logical clock seen or sent. */
uint32_t tfe_chan_rounds(const TfeCtx *ctx);
/* If this party stops on an error, its peers hear that `party` was at fault (otherwise: this party
 * itself). The first one counts. */
void tfe_chan_blame(TfeCtx *ctx, TfeStatus reason, int64_t party);
/* Tells every peer why we stop (a lost peer's name travels on), or that we are done; waits until they have
 * it; closes. */
void tfe_chan_close(TfeCtx *ctx);
void tfe_chan_free(TfeCtx *ctx);

#endif
