/* A dealt batch in place of its producer (--dealt DIR): what the producer would send during the run is read
 * from the file that it made for this party (deal.h, batch.h). There is no connection to the producer then,
 * and no key with it but the one in the file.
 *
 * A batch is judged as a whole before anybody is connected: whole, undamaged, signed with the key that
 * hosts.toml pins for the producer, for this party, this program, its parameters and --seed. In the session
 * the parties compare what batch they have (session.c). Then it is marked as used, and only after that used:
 * its masks hide values once. The marks are lines of a ledger beside the party's key file, so that it does
 * not matter in which folder a copy of the batch turns up. */
#ifndef TFE_DEALT_H
#define TFE_DEALT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chan/chan.h"

/* Can this party use batches? R0501 if it is linked with nobody that could deal ahead. */
TfeStatus tfe_dealt_permitted(TfeCtx *ctx) TFE_MUST_USE;
/* The next unused batch for this party in folder/batch-N/, or the one in the folder itself. R0402 used,
 * R0403 damaged, R0404 of something else, R0406 none. peers: pinned keys, read now. ledger: need not be there
 * yet; it is kept by reference. */
TfeStatus tfe_dealt_open(TfeCtx *ctx, const char *folder, const char *ledger, const TfePeer *peers,
                         bool has_seed, uint64_t seed) TFE_MUST_USE;
/* The same for an open file, which is taken: everything but the ledger. shown: its name. */
TfeStatus tfe_dealt_judge(TfeCtx *ctx, int fd, const char *shown, const TfePeer *peers, bool has_seed,
                          uint64_t seed) TFE_MUST_USE;
/* Marks the batch as used, durably, removes its file, and sets the key with the producer. R0402 if another
 * process was faster. */
TfeStatus tfe_dealt_take(TfeCtx *ctx) TFE_MUST_USE;

/* The party in whose place the batch is; -1: there is no batch. Then: its number and id (16 bytes). */
int64_t tfe_dealt_dealer(const TfeCtx *ctx);
uint64_t tfe_dealt_number(const TfeCtx *ctx);
const uint8_t *tfe_dealt_id(const TfeCtx *ctx);

/* The next bytes of the messages. R0403 if there are no more. */
TfeStatus tfe_dealt_read(TfeCtx *ctx, void *out, size_t bytes) TFE_MUST_USE;
/* The batch does not hold what the program receives: R0403 with this note. */
TfeStatus tfe_dealt_wrong(TfeCtx *ctx, const char *why) TFE_MUST_USE;

/* ctx->dealt may be NULL. */
void tfe_dealt_free(TfeCtx *ctx);

#endif
