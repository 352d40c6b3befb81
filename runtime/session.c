/* Agreement at the start of a run (see session.h). Cards and openings are flooded: whoever learns one that is
 * new to it passes it on to all its peers but the one it came from, so the order of arrival does not matter,
 * and each connection carries each card at most twice. A party knows that it has seen everybody when every
 * party that a known card names as linked has a card too.
 *
 * Model: parties follow the protocol (cards of parties that are not linked are believed to whoever passes
 * them on); a linked peer's own card comes over its authenticated connection and must be its own. */
#define _GNU_SOURCE
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "batch.h"
#include "bytes.h"
#include "chan/chan.h"
#include "dealt.h"
#include "parameters.h"
#include "prg/prg.h"
#include "progress.h"
#include "state.h"

enum { CARD = 'C', OPENING = 'O', READY = 'R', NONCE = 32, PART = 8, BLIND = 16 };
#define NO_DEALER UINT32_MAX
#define CARD_MAGIC UINT32_C(0x31656674) /* "tfe1" */

typedef struct Card {
  uint8_t *raw; /* owned; the texts point into it */
  size_t raw_bytes;
  uint32_t protocol, abi, party, party_count;
  Text hash, source, compiler, parameters;
  bool has_seed;
  uint64_t seed;
  uint32_t dealer; /* whose batch it has; NO_DEALER: none */
  uint64_t batch;  /* its number */
  const uint8_t *nonce, *commitment, *batch_id, *links;
  Text state; /* state.h */
  bool opened;
  uint8_t part[PART];
} Card;

typedef struct Session {
  TfeCtx *ctx;
  int64_t count;
  uint8_t *links; /* of this party, without a dealer that is not there */
  Card *cards;    /* [count]; raw NULL: not known yet */
  bool *heard;    /* [count] the peer's own card has come */
  uint8_t part[PART], blind[BLIND];
  uint8_t id[SHA256_DIGEST_LENGTH];
} Session;

/* ---------------------------------------------------------------------------------------- bytes of a card */

static const char *or_empty(const char *text) {
  return text ? text : "";
}

static void session_commitment(uint32_t party, const uint8_t part[PART], const uint8_t blind[BLIND],
                               uint8_t out[SHA256_DIGEST_LENGTH]) {
  uint8_t bytes[8 + 4 + PART + BLIND] = "tfe seed";
  Writer w = {bytes + 8};
  put_number(&w, party, 4);
  put_bytes(&w, part, PART);
  put_bytes(&w, blind, BLIND);
  SHA256(bytes, sizeof bytes, out);
}

static void session_put_batch(Writer *w, const TfeCtx *ctx) {
  static const uint8_t none[BATCH_ID_BYTES];
  int64_t dealer = tfe_dealt_dealer(ctx);
  put_number(w, dealer >= 0 ? (uint64_t)dealer : NO_DEALER, 4);
  put_number(w, dealer >= 0 ? tfe_dealt_number(ctx) : 0, 8);
  put_bytes(w, dealer >= 0 ? tfe_dealt_id(ctx) : none, BATCH_ID_BYTES);
}

static TfeStatus session_own_card(Session *s, bool has_seed, uint64_t seed) {
  TfeCtx *ctx = s->ctx;
  const TfeProgram *program = ctx->program;
  uint8_t nonce[NONCE], commitment[SHA256_DIGEST_LENGTH];
  if (RAND_bytes(nonce, sizeof nonce) != 1 || RAND_bytes(s->part, PART) != 1 ||
      RAND_bytes(s->blind, BLIND) != 1)
    return tfe_fail(ctx, TFE_SYSTEM, "the operating system gives no random numbers");
  session_commitment((uint32_t)ctx->party, s->part, s->blind, commitment);
  const char *parameters = or_empty(program->parameters);
  size_t bytes = 256 + strlen(or_empty(program->hash)) + strlen(or_empty(program->source)) +
                 strlen(or_empty(program->compiler)) + strlen(parameters) + (size_t)s->count +
                 tfe_state_card_bytes(ctx);
  Card *card = &s->cards[ctx->party];
  uint8_t *raw = malloc(bytes);
  if (raw == NULL)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  Writer w = {raw};
  put_number(&w, CARD, 1);
  put_number(&w, CARD_MAGIC, 4);
  put_number(&w, TFE_PROTOCOL_VERSION, 4);
  put_number(&w, (uint64_t)program->abi_version, 4);
  put_number(&w, (uint64_t)ctx->party, 4);
  put_number(&w, (uint64_t)s->count, 4);
  put_text(&w, or_empty(program->hash));
  put_text(&w, or_empty(program->source));
  put_text(&w, or_empty(program->compiler));
  put_text(&w, parameters);
  put_number(&w, has_seed, 1);
  put_number(&w, seed, 8);
  put_bytes(&w, nonce, NONCE);
  put_bytes(&w, commitment, sizeof commitment);
  session_put_batch(&w, ctx);
  for (int64_t p = 0; p < s->count; p++)
    put_number(&w, p != ctx->party && s->links[p] != 0, 1);
  put_number(&w, tfe_state_card_bytes(ctx), 4);
  tfe_state_put_card(ctx, &w);
  *card = (Card){.raw = raw, .raw_bytes = (size_t)(w.at - raw)};
  return TFE_OK;
}

/* Texts and numbers of card->raw. The fields behind the hash can only be trusted to be there if version
 * and hash are ours: false with *comparable says that the card is whole as far as the texts go. */
static bool session_read_card(Card *card, bool *comparable) {
  Reader r = {card->raw, card->raw_bytes, false};
  *comparable = false;
  if (take_number(&r, 1) != CARD || take_number(&r, 4) != CARD_MAGIC)
    return false;
  card->protocol = (uint32_t)take_number(&r, 4);
  card->abi = (uint32_t)take_number(&r, 4);
  card->party = (uint32_t)take_number(&r, 4);
  card->party_count = (uint32_t)take_number(&r, 4);
  card->hash = take_text(&r);
  card->source = take_text(&r);
  card->compiler = take_text(&r);
  card->parameters = take_text(&r);
  *comparable = !r.bad;
  card->has_seed = take_number(&r, 1) != 0;
  card->seed = take_number(&r, 8);
  card->nonce = take_bytes(&r, NONCE);
  card->commitment = take_bytes(&r, SHA256_DIGEST_LENGTH);
  card->dealer = (uint32_t)take_number(&r, 4);
  card->batch = take_number(&r, 8);
  card->batch_id = take_bytes(&r, BATCH_ID_BYTES);
  card->links = take_bytes(&r, card->party_count);
  card->state = take_text(&r);
  return !r.bad && r.left == 0;
}

/* --------------------------------------------------------------------------------------------- comparison */

static void session_note_program(TfeCtx *ctx, const char *whose, const Card *card) {
  char hash[128], source[128], compiler[128];
  text_show(card->hash, hash);
  tfe_note(ctx, "%-7s %.4s %.4s %.4s %.4s …  %s, %s", whose, hash, hash + (strlen(hash) >= 4 ? 4 : 0),
           hash + (strlen(hash) >= 8 ? 8 : 0), hash + (strlen(hash) >= 12 ? 12 : 0),
           text_show(card->source, source), text_show(card->compiler, compiler));
}

/* Parameters on our card that have another value on theirs; if `theirs_only`, those that are only on theirs. */
static void session_note_differences(TfeCtx *ctx, const Card *ours, const Card *theirs, bool theirs_only) {
  Text parameter, value;
  char name[128], a[128], b[128];
  for (int i = 0; parameters_at((theirs_only ? theirs : ours)->parameters, i, &parameter, &value); i++) {
    Text here = parameters_value(ours->parameters, parameter),
         there = parameters_value(theirs->parameters, parameter);
    if (!text_same(here, there) && (!theirs_only || here.at == parameters_default.at))
      tfe_note(ctx, "they differ in: param %s (ours %s, theirs %s)", text_show(parameter, name),
               text_show(here, a), text_show(there, b));
  }
}

static TfeStatus session_other_program(Session *s, const Card *theirs, int64_t party) {
  TfeCtx *ctx = s->ctx;
  const Card *ours = &s->cards[ctx->party];
  const char *name = tfe_party_name(ctx, party);
  tfe_chan_blame(ctx, TFE_PROGRAM_DIFFERS, party);
  TfeStatus status;
  if (theirs->protocol != ours->protocol || theirs->abi != ours->abi) {
    status = tfe_fail(ctx, TFE_PROGRAM_DIFFERS, "%s was compiled by another version of tfec", name);
    tfe_note(ctx, "protocol %u.%u here, %u.%u there", ours->protocol, ours->abi, theirs->protocol,
             theirs->abi);
  } else {
    status = tfe_fail(ctx, TFE_PROGRAM_DIFFERS, "%s runs a different program", name);
  }
  session_note_program(ctx, "ours", ours);
  session_note_program(ctx, "theirs", theirs);
  session_note_differences(ctx, ours, theirs, false);
  session_note_differences(ctx, ours, theirs, true);
  tfe_help(ctx, "compile once and copy, or compile with the same -D options; compare with `%s --hash`",
           ctx->binary);
  return status;
}

/* "epochs: server1 10, server2 20, producer 10" */
static void session_note_values(Session *s, const char *name, Text parameter, bool seed) {
  char line[1024], shown[128];
  size_t used = (size_t)snprintf(line, sizeof line, "%s:", name);
  for (int64_t p = 0; p < s->count && used < sizeof line; p++) {
    const Card *card = &s->cards[p];
    if (card->raw == NULL)
      continue;
    if (!seed)
      text_show(parameters_value(card->parameters, parameter), shown);
    else if (card->has_seed)
      snprintf(shown, sizeof shown, "%" PRIu64, card->seed);
    else
      snprintf(shown, sizeof shown, "none");
    int more = snprintf(line + used, sizeof line - used, "%s %s %s", line[used - 1] == ':' ? "" : ",",
                        tfe_party_name(s->ctx, p), shown);
    used += more > 0 ? (size_t)more : 0;
  }
  tfe_note(s->ctx, "%s", line);
}

static TfeStatus session_other_parameters(Session *s) {
  TfeCtx *ctx = s->ctx;
  tfe_chan_blame(ctx, TFE_PARAMETERS_DIFFER, ctx->party);
  return tfe_fail(ctx, TFE_PARAMETERS_DIFFER, "parties were started with different parameters");
}

/* The programs are the same, so whoever set a parameter to its default agrees with whoever did not set it. */
static TfeStatus session_compare_parameter(Session *s, Text parameter) {
  Text set = parameters_default;
  for (int64_t p = 0; p < s->count; p++) {
    Text value = s->cards[p].raw ? parameters_value(s->cards[p].parameters, parameter) : parameters_default;
    if (value.at == parameters_default.at)
      continue;
    if (set.at == parameters_default.at)
      set = value;
    if (text_same(value, set))
      continue;
    char name[128];
    TfeStatus status = session_other_parameters(s);
    session_note_values(s, text_show(parameter, name), parameter, false);
    tfe_help(s->ctx, "give every party the same --set %s=...", name);
    return status;
  }
  return TFE_OK;
}

static TfeStatus session_compare(Session *s) {
  const Card *ours = &s->cards[s->ctx->party];
  for (int64_t p = 0; p < s->count; p++) {
    const Card *card = &s->cards[p];
    if (card->raw == NULL)
      continue;
    Text name, value;
    for (int i = 0; parameters_at(card->parameters, i, &name, &value); i++)
      TRY(session_compare_parameter(s, name));
    if (card->has_seed == ours->has_seed && card->seed == ours->seed)
      continue;
    TfeStatus status = session_other_parameters(s);
    session_note_values(s, "--seed", (Text){0}, true);
    tfe_help(s->ctx, "give every party the same --seed, or none");
    return status;
  }
  return TFE_OK;
}

/* ------------------------------------------------------------------------------------------ dealt batches */

/* A card that names a batch, or NULL. */
static const Card *session_dealt(const Session *s) {
  for (int64_t p = 0; p < s->count; p++)
    if (s->cards[p].raw != NULL && s->cards[p].dealer != NO_DEALER)
      return &s->cards[p];
  return NULL;
}

static TfeStatus session_half_dealt(Session *s, const Card *with, const Card *without) {
  TfeCtx *ctx = s->ctx;
  const char *dealer = tfe_party_name(ctx, with->dealer), *waiting = tfe_party_name(ctx, without->party);
  tfe_chan_blame(ctx, TFE_BATCH_DIFFERS, without->party);
  TfeStatus status =
      tfe_fail(ctx, TFE_BATCH_DIFFERS, "%s has a dealt batch of %s, and %s waits for %s itself",
               tfe_party_name(ctx, with->party), dealer, waiting, dealer);
  tfe_help(ctx, "give --dealt DIR to every party that is connected to %s, or to none", dealer);
  return status;
}

static TfeStatus session_other_batch(Session *s, const Card *a, const Card *b) {
  TfeCtx *ctx = s->ctx;
  const Card *behind = a->batch <= b->batch ? a : b, *ahead = behind == a ? b : a;
  const char *one = tfe_party_name(ctx, a->party), *other = tfe_party_name(ctx, b->party);
  tfe_chan_blame(ctx, TFE_BATCH_DIFFERS, behind->party);
  TfeStatus status = tfe_fail(ctx, TFE_BATCH_DIFFERS, "%s and %s have different batches", one, other);
  tfe_note(ctx, "%s: %s of %s; %s: %s of %s", one, batch_name(a->batch, a->batch_id).text,
           tfe_party_name(ctx, a->dealer), other, batch_name(b->batch, b->batch_id).text,
           tfe_party_name(ctx, b->dealer));
  if (a->dealer == b->dealer && a->batch != b->batch)
    tfe_help(ctx, "name the batch: --dealt DIR/batch-%06" PRIu64 " at %s, or deal a new one for both",
             ahead->batch, tfe_party_name(ctx, behind->party));
  else
    tfe_help(ctx, "all must have the files of one batch of one dealer; deal a new one");
  return status;
}

/* As soon as two cards do not fit: the others might wait for somebody who is not to come. */
static TfeStatus session_compare_batches(Session *s) {
  const Card *with = session_dealt(s);
  for (int64_t p = 0; with != NULL && p < s->count; p++) {
    const Card *card = &s->cards[p];
    if (card->raw == NULL)
      continue;
    if (card->dealer == NO_DEALER && card->links[with->dealer])
      return session_half_dealt(s, with, card);
    if (card->dealer != NO_DEALER && memcmp(card->batch_id, with->batch_id, BATCH_ID_BYTES) != 0)
      return session_other_batch(s, with, card);
  }
  return TFE_OK;
}

/* ----------------------------------------------------------------------------------------------- flooding */

static TfeStatus session_pass_on(Session *s, int64_t except, const void *data, size_t bytes) {
  for (int64_t p = 0; p < s->count; p++)
    if (s->links[p] != 0 && p != except && p != s->ctx->party)
      TRY(tfe_chan_control_send(s->ctx, p, data, bytes));
  return TFE_OK;
}

static TfeStatus session_bad(Session *s, int64_t from, const char *what) {
  TfeCtx *ctx = s->ctx;
  tfe_chan_blame(ctx, TFE_PEER_DATA, from);
  TfeStatus status = tfe_fail(ctx, TFE_PEER_DATA, "%s (%s) sends what is not of this protocol",
                              tfe_party_name(ctx, from), tfe_chan_address(ctx, from));
  tfe_note(ctx, "%s", what);
  return status;
}

/* Takes raw, also when it fails. */
static TfeStatus session_take_card(Session *s, int64_t from, uint8_t *raw, size_t bytes) {
  Card card = {.raw = raw, .raw_bytes = bytes};
  const Card *ours = &s->cards[s->ctx->party];
  bool comparable = false, whole = session_read_card(&card, &comparable);
  TfeStatus status = TFE_OK;
  if (comparable &&
      (card.protocol != ours->protocol || card.abi != ours->abi || !text_same(card.hash, ours->hash)))
    status =
        session_other_program(s, &card, s->heard[from] && card.party < s->count ? (int64_t)card.party : from);
  else if (!whole || card.party_count != s->count || card.party >= s->count ||
           (card.dealer != NO_DEALER && card.dealer >= s->count))
    status = session_bad(s, from, "a broken greeting");
  else if (!s->heard[from] && card.party != from)
    status = session_bad(s, from, "its key is that of another party than it says it is");
  Card *place = status == TFE_OK ? &s->cards[card.party] : NULL;
  if (place != NULL && place->raw != NULL &&
      (place->raw_bytes != bytes || memcmp(place->raw, raw, bytes) != 0))
    status = session_bad(s, from, "two different greetings of one party");
  if (status != TFE_OK || place->raw != NULL) {
    free(raw);
    if (status == TFE_OK)
      s->heard[from] = true;
    return status;
  }
  s->heard[from] = true;
  *place = card;
  TRY(session_pass_on(s, from, raw, bytes));
  return session_compare_batches(s);
}

static TfeStatus session_take_opening(Session *s, int64_t from, const uint8_t *raw, size_t bytes) {
  Reader r = {raw + 1, bytes - 1, false};
  uint64_t party = take_number(&r, 4);
  const uint8_t *part = take_bytes(&r, PART), *blind = take_bytes(&r, BLIND);
  if (r.bad || r.left != 0 || party >= (uint64_t)s->count || s->cards[party].raw == NULL)
    return session_bad(s, from, "a broken opening of the public seed");
  Card *card = &s->cards[party];
  uint8_t commitment[SHA256_DIGEST_LENGTH];
  session_commitment((uint32_t)party, part, blind, commitment);
  if (memcmp(commitment, card->commitment, sizeof commitment) != 0)
    return session_bad(s, from, "an opening of the public seed that was not committed to");
  if (card->opened)
    return TFE_OK;
  card->opened = true;
  memcpy(card->part, part, PART);
  return session_pass_on(s, from, raw, bytes);
}

static TfeStatus session_hear(Session *s, int64_t awaited) {
  int64_t from = -1;
  void *data = NULL;
  size_t bytes = 0;
  TRY(tfe_chan_control_any(s->ctx, awaited, &from, &data, &bytes));
  uint8_t *raw = data;
  if (bytes > 0 && raw[0] == CARD)
    return session_take_card(s, from, raw, bytes);
  TfeStatus status = TFE_OK; /* READY asks for nothing: its sender was faster */
  if (bytes > 0 && raw[0] == OPENING)
    status = session_take_opening(s, from, raw, bytes);
  else if (bytes != 1 || raw[0] != READY)
    status = session_bad(s, from, "a message of an unknown kind");
  free(raw);
  return status;
}

/* A party that somebody is linked to and whose card, or opening, is missing; -1: none is. */
static int64_t session_missing(const Session *s, bool opening) {
  for (int64_t p = 0; p < s->count; p++)
    for (int64_t q = 0; s->cards[p].raw != NULL && q < s->count; q++)
      if ((s->cards[p].links[q] || p == q) && (s->cards[q].raw == NULL || (opening && !s->cards[q].opened)))
        return q;
  return -1;
}

static TfeStatus session_agree_state(Session *s) {
  Text *cards = NULL;
  TRY(tfe_alloc(s->ctx, (size_t)s->count * sizeof *cards, &cards));
  for (int64_t p = 0; p < s->count; p++)
    cards[p] = s->cards[p].raw ? s->cards[p].state : (Text){0};
  TfeStatus status = tfe_state_agree(s->ctx, cards);
  tfe_release(cards, (size_t)s->count * sizeof *cards);
  return status;
}

static TfeStatus session_exchange(Session *s) {
  TfeCtx *ctx = s->ctx;
  Card *own = &s->cards[ctx->party];
  TRY(session_pass_on(s, -1, own->raw, own->raw_bytes));
  for (int64_t missing; (missing = session_missing(s, false)) >= 0;)
    TRY(session_hear(s, missing));
  TRY(session_compare(s));
  TRY(session_agree_state(s));
  uint8_t opening[1 + 4 + PART + BLIND];
  Writer w = {opening};
  put_number(&w, OPENING, 1);
  put_number(&w, (uint64_t)ctx->party, 4);
  put_bytes(&w, s->part, PART);
  put_bytes(&w, s->blind, BLIND);
  own->opened = true;
  memcpy(own->part, s->part, PART);
  TRY(session_pass_on(s, -1, opening, sizeof opening));
  for (int64_t missing; (missing = session_missing(s, true)) >= 0;)
    TRY(session_hear(s, missing));
  /* Whatever else arrives is known here: nothing will be passed on any more. Behind this mark the traffic of
   * a link depends on the program alone. */
  return session_pass_on(s, -1, &(uint8_t){READY}, 1);
}

/* ------------------------------------------------------------------------------------------- what follows */

/* SHA-256 over a label, the program hash and one field of every card. */
static TfeStatus session_digest(Session *s, const char *label, bool parts,
                                uint8_t out[SHA256_DIGEST_LENGTH]) {
  const Card *ours = &s->cards[s->ctx->party];
  size_t bytes = strlen(label) + ours->hash.length + (size_t)s->count * (4 + NONCE);
  uint8_t *all = malloc(bytes);
  if (all == NULL)
    return tfe_fail(s->ctx, TFE_MEMORY, "memory ran out");
  Writer w = {all};
  put_bytes(&w, label, strlen(label));
  put_bytes(&w, ours->hash.at, ours->hash.length);
  for (int64_t p = 0; p < s->count; p++) {
    if (s->cards[p].raw == NULL)
      continue;
    put_number(&w, (uint64_t)p, 4);
    put_bytes(&w, parts ? s->cards[p].part : s->cards[p].nonce, parts ? PART : NONCE);
  }
  SHA256(all, (size_t)(w.at - all), out);
  free(all);
  return TFE_OK;
}

static TfeStatus session_pair_key(Session *s, int64_t peer) {
  static const char label[] = "tfe pair key";
  uint8_t bytes[sizeof label + 16 + SHA256_DIGEST_LENGTH], digest[SHA256_DIGEST_LENGTH];
  memcpy(bytes, label, sizeof label);
  TRY(tfe_chan_export_key(s->ctx, peer, label, bytes + sizeof label));
  memcpy(bytes + sizeof label + 16, s->id, sizeof s->id);
  SHA256(bytes, sizeof bytes, digest);
  TfeStatus status = tfe_keys_set(s->ctx, peer, digest);
  OPENSSL_cleanse(bytes, sizeof bytes);
  OPENSSL_cleanse(digest, sizeof digest);
  return status;
}

static TfeStatus session_keys(Session *s, bool has_seed, uint64_t seed) {
  TfeCtx *ctx = s->ctx;
  uint8_t own[TFE_KEY_BYTES], digest[SHA256_DIGEST_LENGTH];
  const char *hash = ctx->program->hash;
  const Card *dealt = session_dealt(s);
  uint64_t public_seed = 0;
  TRY(session_digest(s, "tfe session", false, s->id));
  memcpy(ctx->session_id, s->id, sizeof ctx->session_id);
  TRY(session_digest(s, "tfe comparison keys", false, digest));
  memcpy(ctx->hash_key, digest, sizeof ctx->hash_key);
  TRY(session_digest(s, "tfe public seed", true, digest));
  memcpy(&public_seed, digest, sizeof public_seed);
  if (dealt != NULL) {
    batch_hash_key(hash, dealt->batch_id, ctx->hash_key);
    public_seed = batch_public_seed(hash, dealt->batch_id);
  }
  if (ctx->keys == NULL)
    TRY(tfe_keys_init(ctx));
  for (int64_t p = 0; p < s->count; p++)
    if (s->links[p] != 0 && p != ctx->party)
      TRY(session_pair_key(s, p));
  if (RAND_bytes(own, sizeof own) != 1)
    return tfe_fail(ctx, TFE_SYSTEM, "the operating system gives no random numbers");
  TfeStatus status = tfe_keys_set(ctx, ctx->party, own);
  OPENSSL_cleanse(own, sizeof own);
  tfe_keys_set_public(ctx, has_seed ? seed : public_seed);
  char text[17];
  for (int i = 0; i < 8; i++)
    snprintf(text + 2 * i, 3, "%02x", s->id[i]);
  tfe_progress_session(ctx, text);
  tfe_progress_log(ctx, "session begins; public seed %" PRIu64, has_seed ? seed : public_seed);
  return status;
}

TfeStatus tfe_session_start(TfeCtx *ctx, bool has_seed, uint64_t seed) {
  const TfeProgram *program = ctx->program;
  Session s = {.ctx = ctx, .count = program->party_count};
  bool comparable = false;
  s.links = malloc((size_t)s.count);
  s.cards = calloc((size_t)s.count, sizeof *s.cards);
  s.heard = calloc((size_t)s.count, sizeof *s.heard);
  TfeStatus status = TFE_OK;
  if (s.links == NULL || s.cards == NULL || s.heard == NULL)
    status = tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  for (int64_t p = 0; status == TFE_OK && p < s.count; p++)
    s.links[p] = p == tfe_dealt_dealer(ctx) ? 0 : program->links[ctx->member * s.count + p];
  if (status == TFE_OK)
    status = session_own_card(&s, has_seed, has_seed ? seed : 0);
  if (status == TFE_OK && !session_read_card(&s.cards[ctx->party], &comparable))
    status = tfe_fail(ctx, TFE_INTERNAL, "the program's description of itself is too long");
  if (status == TFE_OK)
    status = session_exchange(&s);
  if (status == TFE_OK)
    status = session_keys(&s, has_seed, seed);
  if (status == TFE_OK)
    tfe_chan_session_over(ctx);
  for (int64_t p = 0; s.cards != NULL && p < s.count; p++)
    free(s.cards[p].raw);
  free(s.cards);
  free(s.heard);
  free(s.links);
  OPENSSL_cleanse(&s, sizeof s);
  return status;
}
