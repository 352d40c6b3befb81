/* Dealing ahead (--deal DIR): a party that receives nothing runs without a network, and what it would send
 * goes into batches (batch.h) that its peers use later (dealt.h).
 *
 *   DIR/batch-000001/server1.dealt     one file for each party that it is linked with, mode 0600
 *
 * A batch is written under another name and takes its own when it is whole and on disk; its number is one
 * above the highest that DIR holds. DIR is locked meanwhile. A batch file is as secret as a key: each goes to
 * its party and to nobody else. */
#ifndef TFE_DEAL_H
#define TFE_DEAL_H

#include <stddef.h>
#include <stdint.h>

#include "ctx.h"
#include "identity.h"

/* Can this party deal ahead? R0501 if it receives something, has inputs, or is linked with nobody. */
TfeStatus tfe_deal_permitted(TfeCtx *ctx) TFE_MUST_USE;
/* Makes fresh keys with all linked parties (ctx->keys), and the files; from now on tfe_send goes there.
 * me (borrowed until tfe_deal_free) signs. */
TfeStatus tfe_deal_begin(TfeCtx *ctx, const char *folder, const TfeIdentity *me, bool has_seed,
                         uint64_t seed) TFE_MUST_USE;
/* A message to peer, with its header. */
TfeStatus tfe_deal_write(TfeCtx *ctx, int64_t peer, const void *message, size_t bytes) TFE_MUST_USE;
/* The batch is whole: on disk, and under its name. */
TfeStatus tfe_deal_commit(TfeCtx *ctx) TFE_MUST_USE;
/* "DIR/batch-000001" */
const char *tfe_deal_path(const TfeCtx *ctx);
/* Removes what was not committed. ctx->deal may be NULL. */
void tfe_deal_free(TfeCtx *ctx);

#endif
