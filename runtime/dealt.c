/* Reads and judges dealt batches, and keeps the ledger of those that were used (see dealt.h).
 *
 * A line of the ledger is the batch's id in hex and words for people. A line without its end is what a crash
 * left of a mark: nothing of that batch was used, because marks are on disk before. */
#define _GNU_SOURCE
#include "dealt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "batch.h"
#include "parameters.h"
#include "prg/prg.h"
#include "progress.h"
#include "sealed.h"

enum { DEALT_PATH = 4096, DEALT_LEDGER_LIMIT = 256 << 20 };

struct TfeDealt {
  int fd; /* -1: not open */
  char path[DEALT_PATH];
  const char *ledger;
  uint8_t *fields; /* of the head; the texts of batch point into them */
  size_t fields_bytes;
  Batch batch;
  int64_t dealer;
  uint64_t at, end; /* messages that were not read yet: bytes [at, end) of the file */
};

static void dealt_close(TfeDealt *dealt) {
  if (dealt->fd >= 0)
    close(dealt->fd);
  dealt->fd = -1;
  tfe_release(dealt->fields, dealt->fields_bytes);
  dealt->fields = NULL;
  OPENSSL_cleanse(&dealt->batch, sizeof dealt->batch);
}

void tfe_dealt_free(TfeCtx *ctx) {
  if (ctx->dealt == NULL)
    return;
  dealt_close(ctx->dealt);
  tfe_release(ctx->dealt, sizeof *ctx->dealt);
  ctx->dealt = NULL;
}

static TfeStatus dealt_new(TfeCtx *ctx) {
  TRY(tfe_alloc(ctx, sizeof *ctx->dealt, &ctx->dealt));
  ctx->dealt->fd = -1;
  ctx->dealt->dealer = -1;
  return TFE_OK;
}

int64_t tfe_dealt_dealer(const TfeCtx *ctx) {
  return ctx->dealt ? ctx->dealt->dealer : -1;
}

uint64_t tfe_dealt_number(const TfeCtx *ctx) {
  return ctx->dealt->batch.number;
}

const uint8_t *tfe_dealt_id(const TfeCtx *ctx) {
  return ctx->dealt->batch.id;
}

static const uint8_t *dealt_links(const TfeCtx *ctx) {
  return ctx->program->links + ctx->member * ctx->program->party_count;
}

TfeStatus tfe_dealt_permitted(TfeCtx *ctx) {
  for (int64_t p = 0; p < ctx->program->party_count; p++)
    if (p != ctx->party && (dealt_links(ctx)[p] & TFE_LINK_AHEAD))
      return TFE_OK;
  TfeStatus status =
      tfe_fail(ctx, TFE_USAGE, "--dealt: nobody whom %s is connected to can deal ahead", ctx->name);
  tfe_help(ctx, "start it without --dealt; `tfec connections %s` shows who receives what from whom",
           ctx->program->source);
  return status;
}

/* ------------------------------------------------------------------------------------------ bytes of files */

__attribute__((format(printf, 3, 4))) static TfeStatus dealt_fail(TfeCtx *ctx, TfeStatusCode code,
                                                                  const char *format, ...) {
  char why[400];
  va_list list;
  va_start(list, format);
  vsnprintf(why, sizeof why, format, list);
  va_end(list);
  bool damaged = code == TFE_BATCH_DAMAGED;
  TfeStatus status =
      tfe_fail(ctx, code, damaged ? "the batch %s is damaged: %s" : "the batch %s %s", ctx->dealt->path, why);
  tfe_note(ctx, "nothing of it was used");
  return status;
}

static TfeStatus dealt_damaged(TfeCtx *ctx, const char *why) {
  TfeStatus status = dealt_fail(ctx, TFE_BATCH_DAMAGED, "%s", why);
  tfe_help(ctx, "copy it again from the party that dealt it, or deal another batch");
  return status;
}

/* The head, as far as it can be understood. */
static TfeStatus dealt_read_head(TfeCtx *ctx) {
  TfeDealt *d = ctx->dealt;
  uint8_t start[BATCH_START_BYTES];
  if (!sealed_file_pread(d->fd, start, sizeof start, 0) || memcmp(start, batch_magic, BATCH_MAGIC_BYTES) != 0)
    return dealt_damaged(ctx, "it does not begin as a dealt batch");
  Reader r = {start + BATCH_MAGIC_BYTES, 8, false};
  uint64_t format = take_number(&r, 4), bytes = take_number(&r, 4);
  if (format != BATCH_FORMAT)
    return dealt_fail(ctx, TFE_BATCH_FOREIGN, "has format %" PRIu64 ", and this version of tfec reads %d",
                      format, BATCH_FORMAT);
  if (bytes > BATCH_FIELDS_LIMIT)
    return dealt_damaged(ctx, "its head is too long");
  d->fields_bytes = (size_t)bytes;
  TRY(tfe_alloc(ctx, d->fields_bytes, &d->fields));
  if (!sealed_file_pread(d->fd, d->fields, d->fields_bytes, sizeof start) ||
      !batch_take_fields(d->fields, d->fields_bytes, &d->batch))
    return dealt_damaged(ctx, "its head is not whole");
  d->at = sizeof start + bytes;
  return TFE_OK;
}

/* ------------------------------------------------------------------------------------------------- judging */

static TfeStatus dealt_digest(TfeCtx *ctx, uint64_t bytes, uint8_t digest[BATCH_DIGEST_BYTES]) {
  if (sealed_file_digest(ctx->dealt->fd, bytes, digest))
    return TFE_OK;
  return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", ctx->dealt->path, strerror(errno));
}

/* Whole and undamaged? */
static TfeStatus dealt_judge_bytes(TfeCtx *ctx, uint64_t size, uint8_t tail[BATCH_TAIL_BYTES]) {
  TfeDealt *d = ctx->dealt;
  uint8_t digest[BATCH_DIGEST_BYTES];
  if (size < d->at + BATCH_TAIL_BYTES ||
      !sealed_file_pread(d->fd, tail, BATCH_TAIL_BYTES, size - BATCH_TAIL_BYTES) ||
      memcmp(tail, batch_magic, BATCH_MAGIC_BYTES) != 0)
    return dealt_damaged(ctx, "its end is missing");
  d->end = size - BATCH_TAIL_BYTES;
  TRY(dealt_digest(ctx, d->end, digest));
  if (CRYPTO_memcmp(digest, tail + BATCH_MAGIC_BYTES, sizeof digest) != 0)
    return dealt_damaged(ctx, "its check value does not fit its contents");
  return TFE_OK;
}

static bool dealt_says(Text text, const char *wanted) {
  return text_same(text, (Text){wanted ? wanted : "", wanted ? strlen(wanted) : 0});
}

static TfeStatus dealt_other_program(TfeCtx *ctx) {
  const Batch *b = &ctx->dealt->batch;
  char hash[128], source[128], compiler[128];
  TfeStatus status = dealt_fail(ctx, TFE_BATCH_FOREIGN, "is for another program");
  tfe_note(ctx, "ours  %.16s…  %s, %s", ctx->program->hash, ctx->program->source, ctx->program->compiler);
  tfe_note(ctx, "its   %.16s…  %s, %s", text_show(b->hash, hash), text_show(b->source, source),
           text_show(b->compiler, compiler));
  tfe_help(ctx, "compile once and copy, or compile with the same -D options; compare with `%s --hash`",
           ctx->binary);
  return status;
}

static const char *dealt_seed_text(bool has_seed, uint64_t seed, char text[32]) {
  if (has_seed)
    snprintf(text, 32, "--seed %" PRIu64, seed);
  else
    snprintf(text, 32, "no --seed");
  return text;
}

/* For this party of this program? */
static TfeStatus dealt_judge_purpose(TfeCtx *ctx, bool has_seed, uint64_t seed) {
  const TfeProgram *program = ctx->program;
  const Batch *b = &ctx->dealt->batch;
  char name[128], theirs[32], ours[32];
  Text parameter, own = {program->parameters ? program->parameters : "", 0};
  own.length = strlen(own.at);
  if (!dealt_says(b->hash, program->hash))
    return dealt_other_program(ctx);
  if (b->protocol != TFE_PROTOCOL_VERSION || b->abi != program->abi_version)
    return dealt_fail(ctx, TFE_BATCH_FOREIGN,
                      "is of another version of tfec: protocol %u.%u, here %d.%" PRId64, b->protocol, b->abi,
                      TFE_PROTOCOL_VERSION, program->abi_version);
  if (!dealt_says(b->receiver, ctx->name))
    return dealt_fail(ctx, TFE_BATCH_FOREIGN, "is for %s, and this is %s", text_show(b->receiver, name),
                      ctx->name);
  if (parameters_differ(own, b->parameters, &parameter))
    return dealt_fail(ctx, TFE_BATCH_FOREIGN, "was dealt with another value of `%s`",
                      text_show(parameter, name));
  if (b->has_seed != has_seed || b->seed != (has_seed ? seed : 0))
    return dealt_fail(ctx, TFE_BATCH_FOREIGN, "was dealt with %s, and this party has %s",
                      dealt_seed_text(b->has_seed, b->seed, theirs), dealt_seed_text(has_seed, seed, ours));
  return TFE_OK;
}

static TfeStatus dealt_find_dealer(TfeCtx *ctx) {
  const Batch *b = &ctx->dealt->batch;
  char name[128];
  for (int64_t p = 0; p < ctx->program->party_count; p++)
    if (p != ctx->party && (dealt_links(ctx)[p] & TFE_LINK_AHEAD) &&
        dealt_says(b->dealer, tfe_party_name(ctx, p))) {
      ctx->dealt->dealer = p;
      return TFE_OK;
    }
  return dealt_fail(ctx, TFE_BATCH_FOREIGN, "is of %s, who cannot deal ahead for %s in this program",
                    text_show(b->dealer, name), ctx->name);
}

/* From the producer whose key is pinned? */
static TfeStatus dealt_judge_signer(TfeCtx *ctx, const TfePeer *peers, const uint8_t *tail) {
  const TfeDealt *d = ctx->dealt;
  const TfePeer *peer = &peers[d->dealer];
  const uint8_t *digest = tail + BATCH_MAGIC_BYTES;
  uint8_t to_sign[BATCH_SIGNED_BYTES];
  const char *name = tfe_party_name(ctx, d->dealer);
  TfeStatus status;
  if (!peer->has_key) {
    status = tfe_fail(ctx, TFE_HOSTS, "the key of %s is not known, so its batch cannot be judged", name);
    tfe_help(ctx,
             "write [%s] and key = \"tfe1:...\" into hosts.toml: batches are signed with a pinned key, also "
             "where connections use certificates",
             name);
    return status;
  }
  if (memcmp(peer->key, d->batch.signer, sizeof peer->key) != 0) {
    char theirs[TFE_IDENTITY_TEXT_BYTES], ours[TFE_IDENTITY_TEXT_BYTES];
    tfe_identity_short(d->batch.signer, theirs);
    tfe_identity_short(peer->key, ours);
    status = dealt_fail(ctx, TFE_BATCH_FOREIGN, "was not dealt by the %s of hosts.toml", name);
    tfe_note(ctx, "expected key %s (%s:%d), its key is %s", ours, peer->file ? peer->file : "hosts.toml",
             peer->line, theirs);
    tfe_help(ctx, "if %s made a new key, put it into hosts.toml on every host", name);
    return status;
  }
  batch_signed(digest, to_sign);
  if (!tfe_identity_verify(peer->key, to_sign, sizeof to_sign, digest + BATCH_DIGEST_BYTES))
    return dealt_fail(ctx, TFE_BATCH_FOREIGN, "has a wrong signature: %s did not deal it like this", name);
  return TFE_OK;
}

static TfeStatus dealt_judge(TfeCtx *ctx, const TfePeer *peers, bool has_seed, uint64_t seed) {
  TfeDealt *d = ctx->dealt;
  uint8_t tail[BATCH_TAIL_BYTES];
  struct stat about;
  if (fstat(d->fd, &about) != 0)
    return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", d->path, strerror(errno));
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "the batch %s can be read by others (mode %04o)", d->path,
                                (unsigned)(about.st_mode & 07777));
    tfe_help(ctx, "it is as secret as a key: chmod 600 %s; if others may have read it, deal another one",
             d->path);
    return status;
  }
  TRY(dealt_judge_bytes(ctx, (uint64_t)about.st_size, tail));
  TRY(dealt_judge_purpose(ctx, has_seed, seed));
  TRY(dealt_find_dealer(ctx));
  return dealt_judge_signer(ctx, peers, tail);
}

TfeStatus tfe_dealt_judge(TfeCtx *ctx, int fd, const char *shown, const TfePeer *peers, bool has_seed,
                          uint64_t seed) {
  TfeStatus status = dealt_new(ctx);
  if (status != TFE_OK) {
    close(fd);
    return status;
  }
  ctx->dealt->fd = fd;
  snprintf(ctx->dealt->path, sizeof ctx->dealt->path, "%s", shown);
  TRY(dealt_read_head(ctx));
  return dealt_judge(ctx, peers, has_seed, seed);
}

/* ---------------------------------------------------------------------------------------------- the ledger */

static void dealt_id_text(const uint8_t id[BATCH_ID_BYTES], char text[2 * BATCH_ID_BYTES + 1]) {
  for (int i = 0; i < BATCH_ID_BYTES; i++)
    snprintf(text + 2 * i, 3, "%02x", id[i]);
}

static TfeStatus dealt_ledger_fail(TfeCtx *ctx, TfeStatusCode code) {
  TfeStatus status = tfe_fail(ctx, code, "cannot %s %s: %s", code == TFE_OUTPUT ? "write" : "read",
                              ctx->dealt->ledger, strerror(errno));
  tfe_note(ctx, "it lists the batches that were used; without it one could be used twice");
  return status;
}

/* The whole ledger, ended by NUL. */
static TfeStatus dealt_ledger_text(TfeCtx *ctx, int fd, char **out, size_t *bytes) {
  struct stat about;
  if (fstat(fd, &about) != 0)
    return dealt_ledger_fail(ctx, TFE_SYSTEM);
  if (about.st_size > DEALT_LEDGER_LIMIT)
    return tfe_fail(ctx, TFE_SYSTEM, "%s is not a list of used batches: it is too long", ctx->dealt->ledger);
  *bytes = (size_t)about.st_size;
  TRY(tfe_alloc(ctx, *bytes + 1, out));
  if (sealed_file_pread(fd, *out, *bytes, 0))
    return TFE_OK;
  tfe_release(*out, *bytes + 1);
  *out = NULL;
  return dealt_ledger_fail(ctx, TFE_SYSTEM);
}

/* The number of the line, from 1, that marks the batch; 0: none does. */
static int dealt_find_mark(const char *text, const uint8_t id[BATCH_ID_BYTES]) {
  char wanted[2 * BATCH_ID_BYTES + 1];
  dealt_id_text(id, wanted);
  int line = 1;
  for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1, line++)
    if (strncmp(text, wanted, 2 * BATCH_ID_BYTES) == 0)
      return line;
  return 0;
}

static TfeStatus dealt_find_used(TfeCtx *ctx, int *line) {
  char *text = NULL;
  size_t bytes = 0;
  *line = 0;
  int fd = open(ctx->dealt->ledger, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? TFE_OK : dealt_ledger_fail(ctx, TFE_SYSTEM);
  TfeStatus status = dealt_ledger_text(ctx, fd, &text, &bytes);
  close(fd);
  if (status != TFE_OK)
    return status;
  *line = dealt_find_mark(text, ctx->dealt->batch.id);
  tfe_release(text, bytes + 1);
  return TFE_OK;
}

static TfeStatus dealt_was_used(TfeCtx *ctx, int line) {
  const TfeDealt *d = ctx->dealt;
  TfeStatus status =
      tfe_fail(ctx, TFE_BATCH_USED, "%s was used already", batch_name(d->batch.number, d->batch.id).text);
  tfe_note(ctx, "%s, says %s:%d", d->path, d->ledger, line);
  tfe_help(ctx, "its masks would hide two values, and so neither; deal another batch");
  return status;
}

/* --------------------------------------------------------------------------------------- which batch it is */

/* The file for this party in a folder: open, with its head read; false in *found: there is none. */
static TfeStatus dealt_look(TfeCtx *ctx, const char *folder, bool *found) {
  TfeDealt *d = ctx->dealt;
  char name[BATCH_FILE_BYTES];
  batch_file_name(ctx->name, name);
  *found = false;
  int length = snprintf(d->path, sizeof d->path, "%s/%s", folder, name);
  if (length < 0 || (size_t)length >= sizeof d->path)
    return tfe_fail(ctx, TFE_USAGE, "the name of the folder of batches is too long");
  d->fd = open(d->path, O_RDONLY | O_CLOEXEC);
  if (d->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return TFE_OK;
  if (d->fd < 0)
    return tfe_fail(ctx, TFE_BATCH_MISSING, "cannot read %s: %s", d->path, strerror(errno));
  *found = true;
  return dealt_read_head(ctx);
}

static int dealt_order(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Numbers of the batches in a folder, ascending. */
static TfeStatus dealt_list(TfeCtx *ctx, const char *folder, uint64_t **out, size_t *count) {
  size_t room = 0;
  *out = NULL;
  *count = 0;
  DIR *list = opendir(folder);
  if (list == NULL)
    return tfe_fail(ctx, TFE_BATCH_MISSING, "cannot read the folder %s: %s", folder, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
    uint64_t number = batch_folder_number(entry->d_name);
    if (number == 0)
      continue;
    if (*count == room) {
      room = room ? 2 * room : 64;
      uint64_t *grown = realloc(*out, room * sizeof *grown);
      if (grown == NULL) {
        free(*out);
        closedir(list);
        return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
      }
      *out = grown;
    }
    (*out)[(*count)++] = number;
  }
  closedir(list);
  if (*count > 0)
    qsort(*out, *count, sizeof **out, dealt_order);
  return TFE_OK;
}

static TfeStatus dealt_none(TfeCtx *ctx, const char *folder, int used) {
  TfeStatus status;
  if (used > 0)
    status = tfe_fail(ctx, TFE_BATCH_USED, "every batch for %s in %s was used already", ctx->name, folder);
  else
    status = tfe_fail(ctx, TFE_BATCH_MISSING, "there is no batch for %s in %s", ctx->name, folder);
  tfe_note(ctx, "looked for batch-*/%s.dealt; a batch that is used is removed", ctx->name);
  tfe_help(ctx,
           "let the producer deal (`--deal DIR`), and copy the files of this party, and only these, here");
  return status;
}

/* The first batch of the list that was not used. */
static TfeStatus dealt_first_unused(TfeCtx *ctx, const char *folder, const uint64_t *numbers, size_t count) {
  char path[DEALT_PATH], name[BATCH_FOLDER_BYTES];
  int used = 0;
  for (size_t i = 0; i < count; i++) {
    bool found = false;
    int line = 0;
    batch_folder_name(numbers[i], name);
    snprintf(path, sizeof path, "%.*s%s", DEALT_PATH - BATCH_FOLDER_BYTES - 1, folder, name);
    TRY(dealt_look(ctx, path, &found));
    if (found)
      TRY(dealt_find_used(ctx, &line));
    if (found && line == 0)
      return TFE_OK;
    used += line != 0;
    dealt_close(ctx->dealt);
  }
  return dealt_none(ctx, folder, used);
}

static TfeStatus dealt_choose(TfeCtx *ctx, const char *folder) {
  bool found = false;
  int line = 0;
  TRY(dealt_look(ctx, folder, &found));
  if (found) {
    TRY(dealt_find_used(ctx, &line));
    return line == 0 ? TFE_OK : dealt_was_used(ctx, line);
  }
  uint64_t *numbers = NULL;
  size_t count = 0;
  TRY(dealt_list(ctx, folder, &numbers, &count));
  TfeStatus status = dealt_first_unused(ctx, folder, numbers, count);
  free(numbers);
  return status;
}

TfeStatus tfe_dealt_open(TfeCtx *ctx, const char *folder, const char *ledger, const TfePeer *peers,
                         bool has_seed, uint64_t seed) {
  TRY(dealt_new(ctx));
  ctx->dealt->ledger = ledger;
  TRY(dealt_choose(ctx, folder));
  TRY(dealt_judge(ctx, peers, has_seed, seed));
  tfe_progress_log(ctx, "%s of %s: %s", batch_name(ctx->dealt->batch.number, ctx->dealt->batch.id).text,
                   tfe_party_name(ctx, ctx->dealt->dealer), ctx->dealt->path);
  return TFE_OK;
}

/* ---------------------------------------------------------------------------------------------- taking it */

/* Begins on a line of its own, whatever a crash has left there. */
static TfeStatus dealt_mark(TfeCtx *ctx, int fd, bool new_line) {
  const TfeDealt *d = ctx->dealt;
  char id[2 * BATCH_ID_BYTES + 1], date[32], text[400];
  time_t now = time(NULL);
  struct tm utc;
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  dealt_id_text(d->batch.id, id);
  int length =
      snprintf(text, sizeof text, "%s%s batch %" PRIu64 " of %s, used by %s at %s\n", new_line ? "\n" : "",
               id, d->batch.number, tfe_party_name(ctx, d->dealer), ctx->name, date);
  if (write(fd, text, (size_t)length) != (ssize_t)length || fsync(fd) != 0 ||
      !sealed_file_sync_folder_of(d->ledger))
    return dealt_ledger_fail(ctx, TFE_OUTPUT);
  return TFE_OK;
}

static TfeStatus dealt_mark_locked(TfeCtx *ctx, int fd) {
  char *text = NULL;
  size_t bytes = 0;
  if (flock(fd, LOCK_EX) != 0)
    return dealt_ledger_fail(ctx, TFE_OUTPUT);
  TRY(dealt_ledger_text(ctx, fd, &text, &bytes));
  int line = dealt_find_mark(text, ctx->dealt->batch.id);
  bool new_line = bytes > 0 && text[bytes - 1] != '\n';
  tfe_release(text, bytes + 1);
  return line == 0 ? dealt_mark(ctx, fd, new_line) : dealt_was_used(ctx, line);
}

TfeStatus tfe_dealt_take(TfeCtx *ctx) {
  TfeDealt *d = ctx->dealt;
  int fd = open(d->ledger, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return dealt_ledger_fail(ctx, TFE_OUTPUT);
  TfeStatus status = dealt_mark_locked(ctx, fd);
  close(fd); /* and the lock with it */
  TRY(status);
  if (unlink(d->path) != 0)
    tfe_progress_log(ctx, "cannot remove %s, which is used now: %s", d->path, strerror(errno));
  status = tfe_keys_set(ctx, d->dealer, d->batch.key);
  OPENSSL_cleanse(d->batch.key, sizeof d->batch.key);
  OPENSSL_cleanse(d->fields, d->fields_bytes);
  tfe_progress_log(ctx, "%s is marked as used", batch_name(d->batch.number, d->batch.id).text);
  return status;
}

/* ------------------------------------------------------------------------------------------------ using it */

TfeStatus tfe_dealt_wrong(TfeCtx *ctx, const char *why) {
  const TfeDealt *d = ctx->dealt;
  TfeStatus status = tfe_fail(ctx, TFE_BATCH_DAMAGED, "%s of %s is not what this program receives",
                              batch_name(d->batch.number, d->batch.id).text, tfe_party_name(ctx, d->dealer));
  tfe_note(ctx, "%s", why);
  tfe_help(ctx, "do not use results of this run");
  return status;
}

TfeStatus tfe_dealt_read(TfeCtx *ctx, void *out, size_t bytes) {
  TfeDealt *d = ctx->dealt;
  if (bytes > d->end - d->at)
    return tfe_dealt_wrong(ctx, "it has no more messages");
  if (!sealed_file_pread(d->fd, out, bytes, d->at))
    return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", d->path, strerror(errno));
  d->at += bytes;
  return TFE_OK;
}
