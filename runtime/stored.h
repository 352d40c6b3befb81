/* `store` and `load`: the shares that a party holds of a value, kept in its state folder.
 *
 * Each `store` makes a new generation of its name, in a file of its own, and the parties' files of one generation
 * have the same random tag. Which generation is loaded they agree on at the start of a run, by their greetings:
 * the newest one that every holder has. So a run that dies between the stores of two parties leaves the
 * generation before in use, and shares of different runs are never put together. A party forgets a generation
 * only when it has two newer ones, and never the one that all had at the start of the run. */
#ifndef TFE_STORED_H
#define TFE_STORED_H

#include "bytes.h"
#include "ctx.h"
#include "sealed.h"

/* Does the program store or load anything at this party? */
bool tfe_stored_needed(const TfeCtx *ctx);
/* Before anything is connected: looks at what is there of every name, and judges what is to be loaded. R0407
 * none, R0408 damaged, R0409 of something else. Needs ctx->state. */
TfeStatus tfe_stored_check(TfeCtx *ctx) TFE_MUST_USE;
void tfe_stored_free(TfeCtx *ctx); /* ctx->stored may be NULL */

/* For one file: is it what these rows of the program load (those of its group)? For tests. */
TfeStatus tfe_stored_judge(TfeCtx *ctx, int fd, const char *shown, const TfeStored *row) TFE_MUST_USE;

/* Greetings: state.h. */
size_t tfe_stored_card_bytes(const TfeCtx *ctx);
void tfe_stored_put_card(const TfeCtx *ctx, Writer *w);
TfeStatus tfe_stored_agree(TfeCtx *ctx, const Text *cards) TFE_MUST_USE;

/* Checkpoints: how often each name was stored in this run, and which generation is loaded. */
size_t tfe_stored_saved_bytes(const TfeCtx *ctx);
TfeStatus tfe_stored_save(TfeCtx *ctx, SealedWriter *file) TFE_MUST_USE;
TfeStatus tfe_stored_restore(TfeCtx *ctx, SealedReader *file) TFE_MUST_USE;

#endif
