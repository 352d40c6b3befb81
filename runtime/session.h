/* The start of a run: are all parties in the same session, and what do they agree on?
 *
 * Every party makes a card: versions, program hash, parameters, whom it is linked to, a nonce, and a
 * commitment to its part of the public seed. Cards go to the linked peers and are passed on by them, so that
 * everybody sees the cards of all parties that are connected at all, however indirectly. Only when they agree
 * are the commitments opened, and passed on in the same way. No party is special, and a party that only sends
 * during the run takes part like the others.
 *
 *   session id        SHA-256 over program hash and all nonces
 *   key of a pair     SHA-256 over the TLS exporter of their connection and the session id: always fresh
 *   public seed       SHA-256 over all parts; --seed fixes it
 *
 * Parties that have a dealt batch (dealt.h) name it on their cards, and must name the same one. Everybody then
 * takes from it what the dealer knew when it dealt: the public seed and the key of comparison keys. The
 * dealer is no party of the session. */
#ifndef TFE_SESSION_H
#define TFE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "ctx.h"

/* After tfe_chan_connect. Sets ctx->keys: one for each connected peer (tfe_dealt_take sets that with a dealer
 * who is not there), one of its own, and the public seed. */
TfeStatus tfe_session_start(TfeCtx *ctx, bool has_seed, uint64_t seed) TFE_MUST_USE;

#endif
