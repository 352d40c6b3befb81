/* See checkpoint.h. Files in the folder, all with PARTY.PROGRAM (the first digits of its hash) in front:
 *
 *   .checkpoint-000012  fields: u32 protocol, u32 abi; run (16 bytes), u64 number; texts party, program hash,
 *                       compiler; SHA-256 of the executable; u64 words of data, of the frame, addresses of it, loops,
 *                       bytes of io, point. Body: session, keys, loops, io, stored, frame, data
 *   .sent-000012        digests of what was sent behind it (journal.h)
 *   .finished           run (16 bytes): this party has all its results */
#define _GNU_SOURCE
#include "checkpoint.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "chan/chan.h"
#include "dealt.h"
#include "file/io.h"
#include "include/abi.h"
#include "journal.h"
#include "prg/prg.h"
#include "progress.h"
#include "sealed.h"
#include "state.h"
#include "stored.h"

enum { RUN = 16, HELD = 16, KEPT = 3, NAME = 300, KEY = 1 + TFE_KEY_BYTES, SESSION = 32 + 16 + 9 * 8 };
enum { CARD_KEEPS = 1, CARD_RESUME = 2, CARD_DEALT = 4, CARD_FINISHED = 8, CARD_STORES = 16 };
/* What is told instead of a number at the end. */
#define ARRIVED (UINT64_MAX - 1)
#define FINISHED UINT64_MAX

struct TfeCheckpoint {
  bool resume, dealt, finished; /* --resume; the run has a dealt batch; a run that ended is here */
  uint8_t run[RUN];             /* of what is here, then of what runs */
  int count;
  uint64_t held[HELD]; /* ascending */
  bool keeps;          /* agreed on */
  uint64_t from;       /* to be resumed; 0: from the start */
  uint64_t number;     /* the newest of this run */
  bool *present;       /* [party_count]: takes part */
  Journal journal;
  uint8_t executable[SEALED_DIGEST_BYTES];
  bool pending; /* the frame waits for generated code */
  uint64_t *frame;
  int64_t words, addresses, point;
};

/* What a file says of itself. */
typedef struct Head {
  uint32_t protocol, abi;
  const uint8_t *run, *executable;
  uint64_t number, data, words, addresses, loops, io, point;
  Text party, hash, compiler;
} Head;

/* --------------------------------------------------------------------------------------------------- names */

/* "server1.9f2a41c0" */
static void checkpoint_prefix(const TfeCtx *ctx, char out[NAME]) {
  snprintf(out, NAME, "%s.%.8s", ctx->name, ctx->program->hash ? ctx->program->hash : "");
}

static void checkpoint_name(const TfeCtx *ctx, const char *what, uint64_t number, char out[NAME + 64]) {
  char prefix[NAME];
  checkpoint_prefix(ctx, prefix);
  if (number > 0)
    snprintf(out, NAME + 64, "%s.%s-%06" PRIu64, prefix, what, number);
  else
    snprintf(out, NAME + 64, "%s.%s", prefix, what);
}

static void checkpoint_remove(const TfeCtx *ctx, const char *what, uint64_t number) {
  char name[NAME + 64], path[SEALED_PATH_BYTES];
  checkpoint_name(ctx, what, number, name);
  if ((size_t)snprintf(path, sizeof path, "%s/%s", ctx->state->folder, name) < sizeof path)
    unlink(path);
}

/* The number of a file with this prefix: of a checkpoint; 0: it is none. */
static uint64_t checkpoint_file_number(const TfeCtx *ctx, const char *file) {
  char prefix[NAME], same[NAME + 64];
  checkpoint_prefix(ctx, prefix);
  size_t length = strlen(prefix);
  if (strncmp(file, prefix, length) != 0 || strncmp(file + length, ".checkpoint-", 12) != 0)
    return 0;
  uint64_t number = strtoull(file + length + 12, NULL, 10);
  checkpoint_name(ctx, "checkpoint", number, same);
  return strcmp(same, file) == 0 && number < ARRIVED ? number : 0;
}

/* ------------------------------------------------------------------------------------------- what there is */

static bool checkpoint_take_head(const SealedReader *file, Head *h) {
  Reader r = {file->fields, file->fields_bytes, false};
  h->protocol = (uint32_t)take_number(&r, 4);
  h->abi = (uint32_t)take_number(&r, 4);
  h->run = take_bytes(&r, RUN);
  h->number = take_number(&r, 8);
  h->party = take_text(&r);
  h->hash = take_text(&r);
  h->compiler = take_text(&r);
  h->executable = take_bytes(&r, SEALED_DIGEST_BYTES);
  uint64_t *numbers[] = {&h->data, &h->words, &h->addresses, &h->loops, &h->io, &h->point};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    *numbers[i] = take_number(&r, 8);
  return !r.bad && r.left == 0;
}

/* Range i of the data memory that is needed behind a point; false: there are no more. */
static bool checkpoint_range(const TfeProgram *program, uint64_t point, int64_t i, int64_t *offset,
                             int64_t *words) {
  const int64_t *live = program->live ? program->live[point] : NULL;
  *offset = 0;
  *words = program->arena_words;
  if (live == NULL || i >= live[0])
    return live == NULL && i == 0;
  *offset = live[1 + 2 * i];
  *words = live[2 + 2 * i];
  return true;
}

static uint64_t checkpoint_live(const TfeProgram *program, uint64_t point) {
  int64_t offset, words;
  uint64_t sum = 0;
  for (int64_t i = 0; checkpoint_range(program, point, i, &offset, &words); i++)
    sum += (uint64_t)words;
  return sum;
}

static bool checkpoint_says(Text text, const char *wanted) {
  return text_same(text, (Text){wanted ? wanted : "", wanted ? strlen(wanted) : 0});
}

/* The body's bytes; 0: there cannot be so many. */
static uint64_t checkpoint_body(const TfeCtx *ctx, const Head *h) {
  static const uint64_t limit = UINT64_C(1) << 44;
  if (h->data > limit || h->words > limit || h->addresses > limit || h->loops > limit || h->io > limit)
    return 0;
  return SESSION + (uint64_t)ctx->program->party_count * KEY + tfe_stored_saved_bytes(ctx) + h->io +
         8 * (h->data + h->words + h->addresses + h->loops);
}

static TfeStatus checkpoint_judge(TfeCtx *ctx, const SealedReader *file, Head *h) {
  const TfeCheckpoint *c = ctx->state->checkpoint;
  char shown[128];
  if (!checkpoint_take_head(file, h))
    return sealed_damaged(ctx, file, "its head is not whole");
  if (!checkpoint_says(h->party, ctx->name))
    return tfe_fail(ctx, TFE_STATE_FOREIGN, "the checkpoint %s is of %s, and this is %s", file->path,
                    text_show(h->party, shown), ctx->name);
  bool same = checkpoint_says(h->hash, ctx->program->hash) &&
              memcmp(h->executable, c->executable, SEALED_DIGEST_BYTES) == 0;
  if (!same) {
    TfeStatus status =
        tfe_fail(ctx, TFE_STATE_FOREIGN, "the checkpoint %s is of another executable", file->path);
    tfe_note(ctx, "it was made by %s, this is %s", text_show(h->compiler, shown),
             ctx->program->compiler ? ctx->program->compiler : "");
    tfe_help(
        ctx,
        "resume with the executables of the interrupted run: only those are sure to compute the same bits");
    return status;
  }
  uint64_t bytes = checkpoint_body(ctx, h);
  bool whole = bytes > 0 && file->end - file->at == bytes && h->point < (uint64_t)ctx->program->checkpoints &&
               h->data == checkpoint_live(ctx->program, h->point);
  if (!whole)
    return sealed_damaged(ctx, file, "it has not as much as it says");
  return TFE_OK;
}

TfeStatus tfe_checkpoint_judge(TfeCtx *ctx, int fd, const char *shown) {
  SealedReader file;
  Head h;
  TRY(sealed_judge(ctx, &file, fd, shown, ctx->state->me));
  TfeStatus status = checkpoint_judge(ctx, &file, &h);
  sealed_close(&file);
  return status;
}

static int checkpoint_order(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Numbers of the files; too many are none that we wrote. */
static TfeStatus checkpoint_list(TfeCtx *ctx, TfeCheckpoint *c) {
  DIR *list = opendir(ctx->state->folder);
  if (list == NULL)
    return tfe_fail(ctx, TFE_STATE_MISSING, "cannot read the state folder %s: %s", ctx->state->folder,
                    strerror(errno));
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
    uint64_t number = checkpoint_file_number(ctx, entry->d_name);
    if (number > 0 && c->count < HELD)
      c->held[c->count++] = number;
  }
  closedir(list);
  qsort(c->held, (size_t)c->count, sizeof *c->held, checkpoint_order);
  return TFE_OK;
}

/* All that are here are whole and of one run. */
static TfeStatus checkpoint_look(TfeCtx *ctx, TfeCheckpoint *c) {
  for (int i = 0; i < c->count; i++) {
    char name[NAME + 64];
    SealedReader file;
    Head h;
    checkpoint_name(ctx, "checkpoint", c->held[i], name);
    TRY(sealed_open(ctx, &file, ctx->state->folder, name, ctx->state->me));
    TfeStatus status = checkpoint_judge(ctx, &file, &h);
    if (status == TFE_OK && h.number != c->held[i])
      status = sealed_damaged(ctx, &file, "its name has another number");
    if (status == TFE_OK && i > 0 && memcmp(c->run, h.run, RUN) != 0)
      status = sealed_damaged(ctx, &file, "it is of another run than the one before");
    if (status == TFE_OK)
      memcpy(c->run, h.run, RUN);
    sealed_close(&file);
    TRY(status);
  }
  return TFE_OK;
}

static TfeStatus checkpoint_look_finished(TfeCtx *ctx, TfeCheckpoint *c) {
  char name[NAME + 64], path[SEALED_PATH_BYTES];
  SealedReader file;
  checkpoint_name(ctx, "finished", 0, name);
  snprintf(path, sizeof path, "%.*s/%s", SEALED_PATH_BYTES - NAME - 70, ctx->state->folder, name);
  if (access(path, F_OK) != 0)
    return TFE_OK;
  TRY(sealed_open(ctx, &file, ctx->state->folder, name, ctx->state->me));
  c->finished = file.fields_bytes == RUN && (c->count == 0 || memcmp(file.fields, c->run, RUN) == 0);
  if (c->finished)
    memcpy(c->run, file.fields, RUN);
  sealed_close(&file);
  return TFE_OK;
}

static TfeStatus checkpoint_executable(TfeCtx *ctx, TfeCheckpoint *c) {
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  off_t bytes = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
  bool good = bytes > 0 && sealed_file_digest(fd, (uint64_t)bytes, c->executable);
  if (fd >= 0)
    close(fd);
  return good ? TFE_OK : tfe_fail(ctx, TFE_SYSTEM, "cannot read the executable itself: %s", strerror(errno));
}

TfeStatus tfe_checkpoint_check(TfeCtx *ctx, bool resume) {
  TRY(tfe_alloc(ctx, sizeof *ctx->state->checkpoint, &ctx->state->checkpoint));
  TfeCheckpoint *c = ctx->state->checkpoint;
  c->resume = resume;
  c->dealt = tfe_dealt_dealer(ctx) >= 0;
  c->journal.fd = -1;
  TRY(tfe_alloc(ctx, (size_t)ctx->program->party_count * sizeof *c->present, &c->present));
  TRY(checkpoint_executable(ctx, c));
  TRY(checkpoint_list(ctx, c));
  if (resume)
    TRY(checkpoint_look(ctx, c));
  TRY(checkpoint_look_finished(ctx, c));
  if (resume || c->finished || c->count == 0)
    return TFE_OK;
  char prefix[NAME];
  checkpoint_prefix(ctx, prefix);
  TfeStatus status =
      tfe_fail(ctx, TFE_USAGE, "%s holds checkpoints of a run that was interrupted", ctx->state->folder);
  tfe_help(ctx, "--resume at every party goes on with it; to begin anew, remove %s/%s.*", ctx->state->folder,
           prefix);
  return status;
}

void tfe_checkpoint_free(TfeCtx *ctx) {
  TfeCheckpoint *c = ctx->state ? ctx->state->checkpoint : NULL;
  if (c == NULL)
    return;
  journal_close(&c->journal);
  tfe_release(c->frame, 8 * (size_t)(c->words + c->addresses));
  tfe_release(c->present, (size_t)ctx->program->party_count * sizeof *c->present);
  tfe_release(c, sizeof *c);
  ctx->state->checkpoint = ctx->checkpoint = NULL;
}

/* ---------------------------------------------------------------------------------------------- agreement */

typedef struct Card {
  int flags;
  const uint8_t *run;
  uint64_t count;
  uint64_t numbers[HELD];
} Card;

size_t tfe_checkpoint_card_bytes(const TfeCtx *ctx) {
  const TfeCheckpoint *c = ctx->state->checkpoint;
  return c ? 1 + RUN + 4 + 8 * (size_t)c->count : 1;
}

void tfe_checkpoint_put_card(const TfeCtx *ctx, Writer *w) {
  const TfeCheckpoint *c = ctx->state->checkpoint;
  if (c == NULL) {
    put_number(w, 0, 1);
    return;
  }
  put_number(w,
             CARD_KEEPS | (c->resume ? CARD_RESUME : 0) | (c->dealt ? CARD_DEALT : 0) |
                 (c->finished ? CARD_FINISHED : 0) | (tfe_stored_needed(ctx) ? CARD_STORES : 0),
             1);
  put_bytes(w, c->run, RUN);
  put_number(w, (uint64_t)c->count, 4);
  for (int i = 0; i < c->count; i++)
    put_number(w, c->held[i], 8);
}

/* false: it is broken. */
static bool checkpoint_read_card(Reader *r, Card *card) {
  *card = (Card){.flags = (int)take_number(r, 1)};
  if (r->bad || (card->flags & CARD_KEEPS) == 0)
    return !r->bad;
  card->run = take_bytes(r, RUN);
  card->count = take_number(r, 4);
  for (uint64_t i = 0; i < card->count && i < HELD; i++)
    card->numbers[i] = take_number(r, 8);
  return !r->bad && card->count <= HELD;
}

Text tfe_checkpoint_take_card(Text card, Text *rest) {
  Card ours;
  Reader r = {(const uint8_t *)card.at, card.length, false};
  bool good = checkpoint_read_card(&r, &ours);
  *rest = good ? (Text){(const char *)r.at, r.left} : (Text){"", 0};
  return (Text){card.at, card.length - rest->length};
}

static Card checkpoint_card(Text text) {
  Card card;
  Reader r = {(const uint8_t *)text.at, text.length, false};
  return text.length > 0 && checkpoint_read_card(&r, &card) ? card : (Card){0};
}

/* Some keep checkpoints or resume, and some do not. */
static TfeStatus checkpoint_mixed(TfeCtx *ctx, int64_t with, int64_t without, const char *option,
                                  const char *what) {
  tfe_chan_blame(ctx, TFE_PARAMETERS_DIFFER, without);
  TfeStatus status = tfe_fail(ctx, TFE_PARAMETERS_DIFFER, "%s %s (%s), and %s does not",
                              tfe_party_name(ctx, with), what, option, tfe_party_name(ctx, without));
  tfe_help(ctx, "give %s to every party, or to none", option);
  return status;
}

static TfeStatus checkpoint_compare(TfeCtx *ctx, const Card *cards, int flag, const char *option,
                                    const char *what) {
  const bool *present = ctx->state->checkpoint->present;
  int64_t with = -1, without = -1;
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    if (present[p] && (cards[p].flags & flag))
      with = with < 0 ? p : with;
    else if (present[p])
      without = without < 0 ? p : without;
  }
  return with >= 0 && without >= 0 ? checkpoint_mixed(ctx, with, without, option, what) : TFE_OK;
}

static bool checkpoint_has(const Card *card, uint64_t number) {
  for (uint64_t i = 0; i < card->count; i++)
    if (card->numbers[i] == number)
      return true;
  return false;
}

/* "server1 has 11 and 12 of run 9a41...; client has none" */
static TfeStatus checkpoint_apart(TfeCtx *ctx, const Card *cards) {
  char line[900] = "";
  size_t used = 0;
  for (int64_t p = 0; p < ctx->program->party_count && used < sizeof line - 200; p++) {
    const Card *card = &cards[p];
    if (!ctx->state->checkpoint->present[p])
      continue;
    used += (size_t)snprintf(line + used, sizeof line - used, "%s%s has ", used ? "; " : "",
                             tfe_party_name(ctx, p));
    for (uint64_t i = card->count > 3 ? card->count - 3 : 0; i < card->count && used < sizeof line - 100; i++)
      used += (size_t)snprintf(line + used, sizeof line - used, "%" PRIu64 "%s", card->numbers[i],
                               i + 1 < card->count ? ", " : "");
    if (card->count > 0)
      used += (size_t)snprintf(line + used, sizeof line - used, " of run %02x%02x%02x%02x…", card->run[0],
                               card->run[1], card->run[2], card->run[3]);
    else
      used += (size_t)snprintf(line + used, sizeof line - used, "none");
  }
  tfe_chan_blame(ctx, TFE_STATE_DIFFERS, ctx->party);
  TfeStatus status = tfe_fail(ctx, TFE_STATE_DIFFERS, "there is no checkpoint that all parties have");
  tfe_note(ctx, "%s", line);
  tfe_help(
      ctx,
      "copy the --state folders of the same run back, or begin anew: remove the checkpoints at every party");
  return status;
}

/* The newest that all have. *from 0: nobody has any, or only the first one was under way. */
static TfeStatus checkpoint_choose(TfeCtx *ctx, const Card *cards, uint64_t *from) {
  const TfeCheckpoint *c = ctx->state->checkpoint;
  const Card *any = NULL;
  bool apart = false, none = false;
  uint64_t highest = 0;
  *from = 0;
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    if (!c->present[p])
      continue;
    none = none || cards[p].count == 0;
    if (cards[p].count == 0)
      continue;
    any = any ? any : &cards[p];
    apart = apart || memcmp(any->run, cards[p].run, RUN) != 0;
    uint64_t last = cards[p].numbers[cards[p].count - 1];
    highest = last > highest ? last : highest;
  }
  for (uint64_t i = 0; any && !apart && !none && i < any->count; i++) {
    bool all = true;
    for (int64_t p = 0; p < ctx->program->party_count; p++)
      all = all && (!c->present[p] || checkpoint_has(&cards[p], any->numbers[i]));
    *from = all && any->numbers[i] > *from ? any->numbers[i] : *from;
  }
  return *from > 0 || highest <= 1 ? TFE_OK : checkpoint_apart(ctx, cards);
}

static bool checkpoint_all_finished(const TfeCtx *ctx, const Card *cards) {
  bool one = false;
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    bool finished = cards[p].flags & CARD_FINISHED;
    if (ctx->state->checkpoint->present[p] && !finished && cards[p].count > 0)
      return false;
    one = one || finished;
  }
  return one;
}

/* Only those who store or load shares, and so need --state, have it, and not everybody: it is not for checkpoints. */
static bool checkpoint_only_stored(const TfeCtx *ctx, const Card *cards) {
  bool without = false;
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    int flags = cards[p].flags;
    if (!ctx->state->checkpoint->present[p])
      continue;
    if ((flags & CARD_KEEPS) && (!(flags & CARD_STORES) || (flags & CARD_RESUME)))
      return false;
    without = without || !(flags & CARD_KEEPS);
  }
  return without;
}

static TfeStatus checkpoint_agree(TfeCtx *ctx, const Card *cards) {
  TfeCheckpoint *c = ctx->state->checkpoint;
  bool dealt = false;
  if (checkpoint_only_stored(ctx, cards)) {
    tfe_progress_log(ctx, "no checkpoints are kept: only parties that store or load shares have --state DIR");
    return TFE_OK;
  }
  for (int64_t p = 0; p < ctx->program->party_count; p++)
    dealt = dealt || (cards[p].flags & CARD_DEALT);
  TRY(checkpoint_compare(ctx, cards, CARD_KEEPS, "--state DIR", "keeps checkpoints"));
  TRY(checkpoint_compare(ctx, cards, CARD_RESUME, "--resume", "goes on with a run"));
  if (dealt && c->resume)
    return tfe_fail(ctx, TFE_USAGE,
                    "--resume does not go with --dealt: a dealt batch serves one run, without checkpoints");
  if (dealt)
    tfe_progress_log(ctx, "no checkpoints are kept: a dealt batch serves one run");
  c->keeps = !dealt;
  if (!c->resume)
    return TFE_OK;
  if (checkpoint_all_finished(ctx, cards)) {
    TfeStatus status = tfe_fail(ctx, TFE_STATE_MISSING, "this run has finished: there is nothing to resume");
    tfe_help(ctx, "start it without --resume to run it again");
    return status;
  }
  return checkpoint_choose(ctx, cards, &c->from);
}

TfeStatus tfe_checkpoint_agree(TfeCtx *ctx, const Text *texts) {
  TfeCheckpoint *c = ctx->state->checkpoint;
  size_t bytes = (size_t)ctx->program->party_count * sizeof(Card);
  Card *cards = NULL;
  if (c == NULL)
    return TFE_OK;
  TRY(tfe_alloc(ctx, bytes, &cards));
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    c->present[p] = texts[p].at != NULL;
    cards[p] = checkpoint_card(texts[p]);
  }
  TfeStatus status = checkpoint_agree(ctx, cards);
  tfe_release(cards, bytes);
  return status;
}

/* ----------------------------------------------------------------------------------------------------- keep */

static TfeStatus checkpoint_journal(TfeCtx *ctx, uint64_t number) {
  char name[NAME + 64], path[SEALED_PATH_BYTES];
  checkpoint_name(ctx, "sent", number, name);
  if ((size_t)snprintf(path, sizeof path, "%s/%s", ctx->state->folder, name) >= sizeof path)
    return tfe_fail(ctx, TFE_USAGE, "the name of the state folder is too long");
  return journal_open(ctx, &ctx->checkpoint->journal, path);
}

TfeStatus tfe_checkpoint_sends(TfeCtx *ctx, int64_t peer, const void *message, size_t bytes) {
  TfeCheckpoint *c = ctx->checkpoint;
  return c->journal.fd < 0 ? TFE_OK : journal_note(ctx, &c->journal, peer, message, bytes);
}

static size_t checkpoint_put_head(const TfeCtx *ctx, const Head *h, uint8_t *out) {
  const TfeProgram *program = ctx->program;
  Writer w = {out};
  put_number(&w, TFE_PROTOCOL_VERSION, 4);
  put_number(&w, (uint64_t)program->abi_version, 4);
  put_bytes(&w, h->run, RUN);
  put_number(&w, h->number, 8);
  put_text(&w, ctx->name);
  put_text(&w, program->hash ? program->hash : "");
  put_text(&w, program->compiler ? program->compiler : "");
  put_bytes(&w, h->executable, SEALED_DIGEST_BYTES);
  uint64_t numbers[] = {h->data, h->words, h->addresses, h->loops, h->io, h->point};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    put_number(&w, numbers[i], 8);
  return (size_t)(w.at - out);
}

/* What the session agreed on, and what was counted. */
static void checkpoint_put_session(const TfeCtx *ctx, uint8_t out[SESSION]) {
  const TfeCounters *k = &ctx->counters;
  Writer w = {out};
  put_bytes(&w, ctx->session_id, sizeof ctx->session_id);
  put_bytes(&w, ctx->hash_key, sizeof ctx->hash_key);
  uint64_t numbers[] = {tfe_keys_public(ctx), ctx->entropy_draws,   k->clock,
                        k->messages_sent,     k->bytes_sent,        k->messages_received,
                        k->bytes_received,    tfe_chan_rounds(ctx), (uint64_t)ctx->site};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    put_number(&w, numbers[i], 8);
}

static TfeStatus checkpoint_put_keys(TfeCtx *ctx, SealedWriter *file) {
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    uint8_t key[KEY] = {0};
    const uint8_t *raw = tfe_keys_get(ctx, p);
    key[0] = raw != NULL;
    if (raw != NULL)
      memcpy(key + 1, raw, TFE_KEY_BYTES);
    TfeStatus status = sealed_put(ctx, file, key, sizeof key);
    OPENSSL_cleanse(key, sizeof key);
    TRY(status);
  }
  return TFE_OK;
}

static TfeStatus checkpoint_put_body(TfeCtx *ctx, SealedWriter *file, const Head *h, const TfeBuffer *io,
                                     const uint64_t *frame) {
  uint8_t session[SESSION];
  checkpoint_put_session(ctx, session);
  TRY(sealed_put(ctx, file, session, sizeof session));
  TRY(checkpoint_put_keys(ctx, file));
  TRY(sealed_put(ctx, file, ctx->loop_passes, 8 * (size_t)h->loops));
  TRY(sealed_put(ctx, file, io->data, io->size));
  TRY(tfe_stored_save(ctx, file));
  TRY(sealed_put(ctx, file, frame, 8 * (size_t)(h->words + h->addresses)));
  int64_t offset, words;
  for (int64_t i = 0; checkpoint_range(ctx->program, h->point, i, &offset, &words); i++)
    TRY(sealed_put(ctx, file, ctx->arena + offset, 8 * (size_t)words));
  return TFE_OK;
}

static TfeStatus checkpoint_write(TfeCtx *ctx, const Head *h, const TfeBuffer *io, const uint64_t *frame) {
  char name[NAME + 64];
  uint8_t *head = NULL;
  SealedWriter file;
  const TfeProgram *program = ctx->program;
  size_t room = 512 + strlen(ctx->name) + (program->hash ? strlen(program->hash) : 0) +
                (program->compiler ? strlen(program->compiler) : 0);
  TRY(tfe_alloc(ctx, room, &head));
  checkpoint_name(ctx, "checkpoint", h->number, name);
  TfeStatus status =
      sealed_create(ctx, &file, ctx->state->folder, name, head, checkpoint_put_head(ctx, h, head));
  if (status == TFE_OK)
    status = checkpoint_put_body(ctx, &file, h, io, frame);
  if (status == TFE_OK)
    status = sealed_commit(ctx, &file, ctx->state->me);
  tfe_release(head, room);
  return status;
}

/* An address in data memory or in the executable, wherever these lie in another process. */
static void checkpoint_relative(const TfeCtx *ctx, uint64_t *address) {
  uint64_t data = (uint64_t)(uintptr_t)ctx->arena, bytes = 8 * (uint64_t)ctx->program->arena_words;
  bool inside = *address - data <= bytes;
  uint64_t base = inside ? data : (uint64_t)(uintptr_t)ctx->program;
  *address = (*address - base) << 1 | !inside;
}

static void checkpoint_absolute(const TfeCtx *ctx, uint64_t *address) {
  uint64_t base = (uint64_t)(uintptr_t)(*address & 1 ? (const void *)ctx->program : ctx->arena);
  *address = base + (uint64_t)((int64_t)*address >> 1);
}

int64_t tfe_checkpoint_due(TfeCtx *ctx) {
  return ctx->checkpoint != NULL;
}

int32_t tfe_checkpoint(TfeCtx *ctx, uint64_t *frame, int64_t words, int64_t addresses, int64_t point) {
  TfeCheckpoint *c = ctx->checkpoint;
  TfeBuffer io = {0};
  for (int64_t i = words; i < words + addresses; i++)
    checkpoint_relative(ctx, &frame[i]);
  TfeStatus status = tfe_io_save(ctx, &io);
  Head h = {.run = c->run,
            .executable = c->executable,
            .number = c->number + 1,
            .data = checkpoint_live(ctx->program, (uint64_t)point),
            .words = (uint64_t)words,
            .addresses = (uint64_t)addresses,
            .loops = (uint64_t)ctx->loop_capacity,
            .io = io.size,
            .point = (uint64_t)point};
  if (status == TFE_OK)
    status = checkpoint_write(ctx, &h, &io, frame);
  tfe_buffer_free(&io);
  TRY(status);
  c->number++;
  TRY(checkpoint_journal(ctx, c->number));
  tfe_progress_log(ctx, "kept checkpoint %" PRIu64, c->number);
  /* Nobody keeps a second one before all have the first: who has none can begin anew only with those who have no more
   * than that (checkpoint_choose). */
  TRY(tfe_chan_kept(ctx, c->number, c->number > 1 ? c->number - 1 : 1, c->present));
  if (c->number > KEPT) { /* all have the one before, and so the one before that */
    checkpoint_remove(ctx, "checkpoint", c->number - KEPT);
    checkpoint_remove(ctx, "sent", c->number - KEPT);
  }
  return TFE_OK;
}

/* --------------------------------------------------------------------------------------------------- resume */

static TfeStatus checkpoint_take_session(TfeCtx *ctx, SealedReader *file) {
  uint8_t bytes[SESSION];
  TRY(sealed_take(ctx, file, bytes, sizeof bytes));
  Reader r = {bytes, sizeof bytes, false};
  memcpy(ctx->session_id, take_bytes(&r, sizeof ctx->session_id), sizeof ctx->session_id);
  memcpy(ctx->hash_key, take_bytes(&r, sizeof ctx->hash_key), sizeof ctx->hash_key);
  tfe_keys_set_public(ctx, take_number(&r, 8));
  ctx->entropy_draws = take_number(&r, 8);
  ctx->counters.clock = (uint32_t)take_number(&r, 8);
  ctx->counters.messages_sent = take_number(&r, 8);
  ctx->counters.bytes_sent = take_number(&r, 8);
  ctx->counters.messages_received = take_number(&r, 8);
  ctx->counters.bytes_received = take_number(&r, 8);
  tfe_chan_resume(ctx, (uint32_t)take_number(&r, 8), ctx->checkpoint->from);
  ctx->site = (int64_t)take_number(&r, 8);
  return TFE_OK;
}

static TfeStatus checkpoint_take_keys(TfeCtx *ctx, SealedReader *file) {
  for (int64_t p = 0; p < ctx->program->party_count; p++) {
    uint8_t key[KEY];
    TRY(sealed_take(ctx, file, key, sizeof key));
    TfeStatus status = key[0] ? tfe_keys_set(ctx, p, key + 1) : TFE_OK;
    OPENSSL_cleanse(key, sizeof key);
    TRY(status);
  }
  return TFE_OK;
}

static TfeStatus checkpoint_take_io(TfeCtx *ctx, SealedReader *file, size_t bytes) {
  uint8_t *saved = NULL;
  TRY(tfe_alloc(ctx, bytes, &saved));
  TfeStatus status = sealed_take(ctx, file, saved, bytes);
  if (status == TFE_OK)
    status = tfe_io_restore(ctx, saved, bytes);
  tfe_release(saved, bytes);
  return status;
}

static TfeStatus checkpoint_take_body(TfeCtx *ctx, SealedReader *file, const Head *h) {
  TfeCheckpoint *c = ctx->checkpoint;
  c->words = (int64_t)h->words;
  c->addresses = (int64_t)h->addresses;
  c->point = (int64_t)h->point;
  TRY(checkpoint_take_session(ctx, file));
  TRY(checkpoint_take_keys(ctx, file));
  TRY(tfe_ctx_loops(ctx, (int64_t)h->loops));
  TRY(sealed_take(ctx, file, ctx->loop_passes, 8 * (size_t)h->loops));
  TRY(checkpoint_take_io(ctx, file, (size_t)h->io));
  TRY(tfe_stored_restore(ctx, file));
  TRY(tfe_alloc(ctx, 8 * (size_t)(h->words + h->addresses), &c->frame));
  TRY(sealed_take(ctx, file, c->frame, 8 * (size_t)(h->words + h->addresses)));
  int64_t offset, words;
  for (int64_t i = 0; checkpoint_range(ctx->program, h->point, i, &offset, &words); i++)
    TRY(sealed_take(ctx, file, ctx->arena + offset, 8 * (size_t)words));
  return TFE_OK;
}

static TfeStatus checkpoint_take_up(TfeCtx *ctx) {
  TfeCheckpoint *c = ctx->checkpoint;
  char name[NAME + 64];
  SealedReader file;
  Head h;
  checkpoint_name(ctx, "checkpoint", c->from, name);
  TRY(sealed_open(ctx, &file, ctx->state->folder, name, ctx->state->me));
  TfeStatus status = checkpoint_judge(ctx, &file, &h);
  if (status == TFE_OK)
    status = checkpoint_take_body(ctx, &file, &h);
  sealed_close(&file);
  TRY(status);
  c->number = c->from;
  c->pending = true;
  checkpoint_remove(ctx, "finished", 0);
  tfe_progress_log(ctx, "goes on from checkpoint %" PRIu64 " of run %02x%02x%02x%02x", c->from, c->run[0],
                   c->run[1], c->run[2], c->run[3]);
  return checkpoint_journal(ctx, c->from);
}

/* All files of this party and program. */
static void checkpoint_remove_all(const TfeCtx *ctx) {
  static const char *const kinds[] = {".checkpoint-", ".sent-", ".finished"};
  char prefix[NAME];
  checkpoint_prefix(ctx, prefix);
  size_t length = strlen(prefix);
  DIR *list = opendir(ctx->state->folder);
  for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
      if (strncmp(entry->d_name, prefix, length) == 0 &&
          strncmp(entry->d_name + length, kinds[i], strlen(kinds[i])) == 0)
        unlinkat(dirfd(list), entry->d_name, 0);
  if (list != NULL)
    closedir(list);
}

TfeStatus tfe_checkpoint_begin(TfeCtx *ctx) {
  TfeCheckpoint *c = ctx->state ? ctx->state->checkpoint : NULL;
  if (c == NULL || !c->keeps)
    return TFE_OK;
  ctx->checkpoint = c;
  if (c->from > 0)
    return checkpoint_take_up(ctx);
  checkpoint_remove_all(ctx);
  memcpy(c->run, ctx->session_id, RUN);
  return TFE_OK;
}

int64_t tfe_resume(TfeCtx *ctx, uint64_t *frame, int64_t words, int64_t addresses) {
  TfeCheckpoint *c = ctx->checkpoint;
  if (c == NULL || !c->pending)
    return -1;
  assert(words == c->words && addresses == c->addresses); /* the same executable */
  memcpy(frame, c->frame, 8 * (size_t)(words + addresses));
  for (int64_t i = words; i < words + addresses; i++)
    checkpoint_absolute(ctx, &frame[i]);
  c->pending = false;
  return c->point;
}

/* ------------------------------------------------------------------------------------------------- the end */

TfeStatus tfe_checkpoint_arrive(TfeCtx *ctx) {
  return ctx->checkpoint ? tfe_chan_kept(ctx, ARRIVED, ARRIVED, ctx->checkpoint->present) : TFE_OK;
}

TfeStatus tfe_checkpoint_finish(TfeCtx *ctx) {
  TfeCheckpoint *c = ctx->checkpoint;
  char name[NAME + 64];
  SealedWriter file;
  if (c == NULL)
    return TFE_OK;
  checkpoint_name(ctx, "finished", 0, name);
  TRY(sealed_create(ctx, &file, ctx->state->folder, name, c->run, RUN));
  TRY(sealed_commit(ctx, &file, ctx->state->me));
  TRY(tfe_chan_kept(ctx, FINISHED, FINISHED, c->present));
  checkpoint_remove_all(ctx);
  return TFE_OK;
}

uint64_t tfe_checkpoint_number(const TfeCtx *ctx) {
  return ctx->checkpoint ? ctx->checkpoint->number : 0;
}
