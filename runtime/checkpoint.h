/* Checkpoints: a run that was interrupted goes on with --state DIR --resume, at every party, from the last
 * `checkpoint()` of the program that all parties have kept.
 *
 * What is kept. At a checkpoint nothing is under way between the parties: it is an operation of all of them, and
 * messages stand before or behind it for sender and receiver alike. So a party's state is all there is: what it
 * still needs of its data memory, the frame of generated code (abi.def), the counters of loops and costs, the keys of the session, its inputs
 * so far by their digest, its output files so far. It goes into one sealed file.
 *
 * Which one is resumed. A party goes on behind checkpoint n only when all have kept n - 1; so the last four that a
 * party holds contain the two newest that all have, whoever died when. Greetings tell who has which, of which run.
 *
 * Why no mask hides two values. A resumed run has the keys and instance numbers of the interrupted one. What a party
 * did behind the checkpoint it does again, and it is the same again, because everything that a party computes
 * follows from the checkpoint, the keys and its inputs: public and local random numbers are drawn from the keys
 * that are kept, and the executable must be the same. That it is the same is not trusted but checked: the
 * digest of every message is written down before the message is sent, and a resumed run that would send anything else
 * stops before it does (R0410).
 *
 * When all parties have finished, and their outputs have their names, the checkpoints are removed. */
#ifndef TFE_CHECKPOINT_H
#define TFE_CHECKPOINT_H

#include "bytes.h"
#include "ctx.h"

/* Before anything is connected: what there is in the folder. R0501 if a run was interrupted and is not resumed.
 * Needs ctx->state, and is called only if the program has checkpoints. */
TfeStatus tfe_checkpoint_check(TfeCtx *ctx, bool resume) TFE_MUST_USE;
void tfe_checkpoint_free(TfeCtx *ctx);

/* One file of a checkpoint: is it of this program and party? For tests. */
TfeStatus tfe_checkpoint_judge(TfeCtx *ctx, int fd, const char *shown) TFE_MUST_USE;

/* Greetings: state.h. take: the part of a greeting that is ours; what is left is moved to *rest. */
size_t tfe_checkpoint_card_bytes(const TfeCtx *ctx);
void tfe_checkpoint_put_card(const TfeCtx *ctx, Writer *w);
Text tfe_checkpoint_take_card(Text card, Text *rest);
TfeStatus tfe_checkpoint_agree(TfeCtx *ctx, const Text *cards) TFE_MUST_USE;

/* Behind the session's start: keeps checkpoints from here on, if all do, and takes the one up that is resumed. */
TfeStatus tfe_checkpoint_begin(TfeCtx *ctx) TFE_MUST_USE;
/* A message is about to be sent. Only if ctx->checkpoint. */
TfeStatus tfe_checkpoint_sends(TfeCtx *ctx, int64_t peer, const void *message, size_t bytes) TFE_MUST_USE;
/* The program has ended here: waits until it has at all parties. */
TfeStatus tfe_checkpoint_arrive(TfeCtx *ctx) TFE_MUST_USE;
/* This party's outputs have their names: removes the checkpoints when all parties are as far. */
TfeStatus tfe_checkpoint_finish(TfeCtx *ctx) TFE_MUST_USE;
/* The newest checkpoint of this run; 0: none. */
uint64_t tfe_checkpoint_number(const TfeCtx *ctx);

#endif
