/* The folder of --state: what a party keeps from one run to another. Shares that programs store are stored.c's,
 * checkpoints of a run that may be interrupted checkpoint.c's; the files themselves are sealed.h's. A folder may
 * serve several parties: each has its own files in it, named after it. */
#ifndef TFE_STATE_H
#define TFE_STATE_H

#include "bytes.h"
#include "chan/chan.h"
#include "ctx.h"

typedef struct TfeState {
  const char *folder; /* borrowed */
  int lock;           /* of this party's files in it; -1: not held */
  const TfeIdentity *me;
  const TfePeer *peers;      /* pinned keys */
  TfeCheckpoint *checkpoint; /* what checkpoint.c found; NULL: the program has no checkpoints */
} TfeState;

/* Makes the folder if it is not there; R0601 if it cannot be written or another process of this party uses it.
 * What is borrowed must live as long as ctx. */
TfeStatus tfe_state_open(TfeCtx *ctx, const char *folder, const TfeIdentity *me,
                         const TfePeer *peers) TFE_MUST_USE;
void tfe_state_free(TfeCtx *ctx); /* ctx->state may be NULL */

/* The key of a party as far as it is known here: 32 bytes, zeros if it is not. */
void tfe_state_key(const TfeCtx *ctx, int64_t party, uint8_t key[32]);

/* What a party says of its state in its greeting (session.h): card.length bytes. */
size_t tfe_state_card_bytes(const TfeCtx *ctx);
void tfe_state_put_card(const TfeCtx *ctx, Writer *w);
/* When all greetings are known: cards[party], at NULL where there is no greeting. */
TfeStatus tfe_state_agree(TfeCtx *ctx, const Text *cards) TFE_MUST_USE;

#endif
