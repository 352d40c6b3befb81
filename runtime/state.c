/* See state.h. */
#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "identity.h"
#include "stored.h"

static TfeStatus state_cannot(TfeCtx *ctx, const char *path) {
  TfeStatus status =
      tfe_fail(ctx, TFE_OUTPUT, "cannot write into the state folder: %s: %s", path, strerror(errno));
  tfe_help(ctx, "--state names a folder that %s alone can read and write", ctx->binary);
  return status;
}

/* Opened for writing, so that a folder that is not writable is refused before anything is computed. */
static TfeStatus state_lock(TfeCtx *ctx, TfeState *state) {
  char path[4096];
  if ((size_t)snprintf(path, sizeof path, "%s/.%s.lock", state->folder, ctx->name) >= sizeof path)
    return tfe_fail(ctx, TFE_USAGE, "the name of the state folder is too long");
  state->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (state->lock < 0)
    return state_cannot(ctx, path);
  if (flock(state->lock, LOCK_EX | LOCK_NB) == 0)
    return TFE_OK;
  if (errno != EWOULDBLOCK)
    return state_cannot(ctx, path);
  TfeStatus status =
      tfe_fail(ctx, TFE_OUTPUT, "another process of %s uses the state folder %s", ctx->name, state->folder);
  tfe_help(ctx, "wait for it, or give this run another --state");
  return status;
}

TfeStatus tfe_state_open(TfeCtx *ctx, const char *folder, const TfeIdentity *me, const TfePeer *peers) {
  if (!me->has_public_key) {
    TfeStatus status =
        tfe_fail(ctx, TFE_KEY_FILE, "--state needs an Ed25519 key, with which its files are signed");
    tfe_help(ctx, "make one with `keygen`");
    return status;
  }
  TRY(tfe_alloc(ctx, sizeof *ctx->state, &ctx->state));
  *ctx->state = (TfeState){.folder = folder, .lock = -1, .me = me, .peers = peers};
  if (mkdir(folder, 0700) != 0 && errno != EEXIST)
    return state_cannot(ctx, folder);
  return state_lock(ctx, ctx->state);
}

void tfe_state_free(TfeCtx *ctx) {
  if (ctx->state == NULL)
    return;
  if (ctx->state->lock >= 0)
    close(ctx->state->lock); /* and the lock with it */
  tfe_release(ctx->state, sizeof *ctx->state);
  ctx->state = NULL;
}

void tfe_state_key(const TfeCtx *ctx, int64_t party, uint8_t key[32]) {
  const TfeState *state = ctx->state;
  memset(key, 0, 32);
  if (party == ctx->party)
    memcpy(key, state->me->public_key, 32);
  else if (state->peers != NULL && state->peers[party].has_key)
    memcpy(key, state->peers[party].key, 32);
}

size_t tfe_state_card_bytes(const TfeCtx *ctx) {
  return ctx->state ? tfe_checkpoint_card_bytes(ctx) + tfe_stored_card_bytes(ctx) : 0;
}

void tfe_state_put_card(const TfeCtx *ctx, Writer *w) {
  if (ctx->state == NULL)
    return;
  tfe_checkpoint_put_card(ctx, w);
  tfe_stored_put_card(ctx, w);
}

TfeStatus tfe_state_agree(TfeCtx *ctx, const Text *cards) {
  size_t bytes = (size_t)ctx->program->party_count * sizeof(Text);
  Text *ours = NULL, *stored = NULL;
  if (ctx->state == NULL)
    return TFE_OK;
  TfeStatus status = tfe_alloc(ctx, bytes, &ours);
  if (status == TFE_OK)
    status = tfe_alloc(ctx, bytes, &stored);
  for (int64_t p = 0; status == TFE_OK && p < ctx->program->party_count; p++)
    ours[p] = cards[p].at ? tfe_checkpoint_take_card(cards[p], &stored[p]) : (Text){0};
  if (status == TFE_OK)
    status = tfe_checkpoint_agree(ctx, ours);
  if (status == TFE_OK)
    status = tfe_stored_agree(ctx, stored);
  tfe_release(ours, bytes);
  tfe_release(stored, bytes);
  return status;
}
