/* Writes dealt batches (see deal.h). Everything happens in one folder, DIR/.dealing, which becomes
 * DIR/batch-N in one step; what a crash leaves of it is removed by the next one that holds the lock of DIR. */
#define _GNU_SOURCE
#include "deal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "batch.h"
#include "prg/prg.h"
#include "sealed.h"

static const char deal_beside[] = ".dealing";

typedef struct DealFile {
  int fd; /* -1: none for this party */
  EVP_MD_CTX *digest;
} DealFile;

struct TfeDeal {
  int folder, beside; /* DIR, locked, and what becomes the batch; -1: not open */
  char path[4096];    /* of the batch */
  size_t folder_length;
  const TfeIdentity *me;
  int64_t count;
  DealFile *files; /* [count], by party number */
  Batch batch;
};

/* --------------------------------------------------------------------------------------------- permission */

static const uint8_t *deal_links(const TfeCtx *ctx) {
  return ctx->program->links + ctx->member * ctx->program->party_count;
}

static TfeStatus deal_refuse_receiver(TfeCtx *ctx, int64_t from) {
  TfeStatus status = tfe_fail(ctx, TFE_USAGE, "--deal: %s receives messages from %s, so it cannot run ahead",
                              ctx->name, tfe_party_name(ctx, from));
  tfe_note(ctx,
           "what it deals depends on values that become known during the run: a condition or a loop that "
           "depends on a revealed value, or a value that is sent to it");
  tfe_help(ctx, "start it with the others, without --deal");
  return status;
}

TfeStatus tfe_deal_permitted(TfeCtx *ctx) {
  const TfeProgram *program = ctx->program;
  const uint8_t *links = deal_links(ctx);
  bool linked = false;
  for (int64_t p = 0; p < program->party_count; p++) {
    if (p != ctx->party && (links[p] & TFE_LINK_RECEIVE))
      return deal_refuse_receiver(ctx, p);
    linked = linked || (p != ctx->party && links[p] != 0);
  }
  if (!linked)
    return tfe_fail(ctx, TFE_USAGE, "--deal: %s deals nothing to anybody", ctx->name);
  for (int64_t i = 0; i < program->slot_count; i++) {
    const TfeSlot *slot = &program->slots[i];
    if (!slot->is_output && (slot->members == NULL || slot->members[ctx->member]))
      return tfe_fail(ctx, TFE_USAGE, "--deal: %s has an input, `%s`; only parties without inputs deal ahead",
                      ctx->name, slot->name);
  }
  return TFE_OK;
}

/* ----------------------------------------------------------------------------------------- files, folders */

static TfeStatus deal_cannot(TfeCtx *ctx, const char *what) {
  return tfe_fail(ctx, TFE_OUTPUT, "cannot write %s: %s", what, strerror(errno));
}

/* What is left of DIR/.dealing, with what is in it. */
static void deal_remove_beside(int folder) {
  int fd = openat(folder, deal_beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
  if (list == NULL && fd >= 0)
    close(fd);
  for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      unlinkat(dirfd(list), entry->d_name, 0);
  if (list != NULL)
    closedir(list);
  unlinkat(folder, deal_beside, AT_REMOVEDIR);
}

/* One above the highest number of a batch in the folder; 0: it cannot be read. */
static uint64_t deal_next_number(int folder) {
  uint64_t next = 1;
  int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
  if (list == NULL) {
    if (fd >= 0)
      close(fd);
    return 0;
  }
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
    uint64_t number = batch_folder_number(entry->d_name);
    if (number >= next)
      next = number + 1;
  }
  closedir(list);
  return next;
}

static TfeStatus deal_open_folder(TfeCtx *ctx, TfeDeal *deal, const char *folder) {
  int length = snprintf(deal->path, sizeof deal->path, "%s", folder);
  if (length < 0 || (size_t)length + 64 >= sizeof deal->path)
    return tfe_fail(ctx, TFE_OUTPUT, "the name of the folder for batches is too long");
  deal->folder_length = (size_t)length;
  if (mkdir(folder, 0700) != 0 && errno != EEXIST)
    return deal_cannot(ctx, folder);
  deal->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (deal->folder < 0)
    return deal_cannot(ctx, folder);
  if (flock(deal->folder, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return deal_cannot(ctx, folder);
    close(deal->folder);
    deal->folder = -1; /* the work in it is another's */
    return tfe_fail(ctx, TFE_OUTPUT, "another process deals into %s", folder);
  }
  deal_remove_beside(deal->folder);
  deal->batch.number = deal_next_number(deal->folder);
  if (deal->batch.number == 0 || mkdirat(deal->folder, deal_beside, 0700) != 0)
    return deal_cannot(ctx, folder);
  deal->beside = openat(deal->folder, deal_beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (deal->beside < 0)
    return deal_cannot(ctx, folder);
  batch_folder_name(deal->batch.number, deal->path + length);
  return TFE_OK;
}

static TfeStatus deal_put(TfeCtx *ctx, int64_t peer, const uint8_t *data, size_t bytes) {
  if (sealed_file_write(ctx->deal->files[peer].fd, data, bytes))
    return TFE_OK;
  return tfe_fail(ctx, TFE_OUTPUT, "cannot write the batch for %s into %.*s: %s", tfe_party_name(ctx, peer),
                  (int)ctx->deal->folder_length, ctx->deal->path, strerror(errno));
}

TfeStatus tfe_deal_write(TfeCtx *ctx, int64_t peer, const void *message, size_t bytes) {
  if (EVP_DigestUpdate(ctx->deal->files[peer].digest, message, bytes) != 1)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  return deal_put(ctx, peer, message, bytes);
}

/* ------------------------------------------------------------------------------------------------ a batch */

static Text deal_text(const char *text) {
  return text ? (Text){text, strlen(text)} : (Text){"", 0};
}

static TfeStatus deal_describe(TfeCtx *ctx, TfeDeal *deal, bool has_seed, uint64_t seed) {
  const TfeProgram *program = ctx->program;
  Batch *b = &deal->batch;
  b->protocol = TFE_PROTOCOL_VERSION;
  b->abi = (uint32_t)program->abi_version;
  b->hash = deal_text(program->hash);
  b->source = deal_text(program->source);
  b->compiler = deal_text(program->compiler);
  b->parameters = deal_text(program->parameters);
  b->dealer = deal_text(ctx->name);
  b->has_seed = has_seed;
  b->seed = has_seed ? seed : 0;
  memcpy(b->signer, deal->me->public_key, sizeof b->signer);
  if (RAND_bytes(b->id, sizeof b->id) != 1)
    return tfe_fail(ctx, TFE_SYSTEM, "the operating system gives no random numbers");
  return TFE_OK;
}

static TfeStatus deal_fresh_key(TfeCtx *ctx, int64_t peer, uint8_t key[TFE_KEY_BYTES]) {
  if (RAND_bytes(key, TFE_KEY_BYTES) != 1)
    return tfe_fail(ctx, TFE_SYSTEM, "the operating system gives no random numbers");
  return tfe_keys_set(ctx, peer, key);
}

static TfeStatus deal_write_head(TfeCtx *ctx, int64_t peer) {
  Batch *batch = &ctx->deal->batch;
  uint8_t *head = NULL;
  batch->receiver = deal_text(tfe_party_name(ctx, peer));
  TRY(deal_fresh_key(ctx, peer, batch->key));
  size_t bytes = batch_head_bytes(batch);
  TRY(tfe_alloc(ctx, bytes, &head));
  batch_put_head(batch, head);
  TfeStatus status = bytes <= BATCH_START_BYTES + BATCH_FIELDS_LIMIT
                         ? tfe_deal_write(ctx, peer, head, bytes)
                         : tfe_fail(ctx, TFE_INTERNAL, "the program's description of itself is too long");
  tfe_release(head, bytes);
  OPENSSL_cleanse(batch->key, sizeof batch->key);
  return status;
}

static TfeStatus deal_open_file(TfeCtx *ctx, int64_t peer) {
  TfeDeal *deal = ctx->deal;
  DealFile *file = &deal->files[peer];
  char name[BATCH_FILE_BYTES];
  batch_file_name(tfe_party_name(ctx, peer), name);
  file->fd = openat(deal->beside, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file->fd < 0)
    return deal_cannot(ctx, name);
  file->digest = EVP_MD_CTX_new();
  if (file->digest == NULL || EVP_DigestInit_ex(file->digest, EVP_sha256(), NULL) != 1)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  return deal_write_head(ctx, peer);
}

TfeStatus tfe_deal_begin(TfeCtx *ctx, const char *folder, const TfeIdentity *me, bool has_seed,
                         uint64_t seed) {
  uint8_t own[TFE_KEY_BYTES];
  int64_t count = ctx->program->party_count;
  TRY(tfe_alloc(ctx, sizeof *ctx->deal, &ctx->deal));
  TfeDeal *deal = ctx->deal;
  deal->folder = deal->beside = -1;
  deal->me = me;
  TRY(tfe_alloc(ctx, (size_t)count * sizeof *deal->files, &deal->files));
  deal->count = count;
  for (int64_t p = 0; p < count; p++)
    deal->files[p].fd = -1;
  TRY(deal_describe(ctx, deal, has_seed, seed));
  TRY(deal_open_folder(ctx, deal, folder));
  if (ctx->keys == NULL)
    TRY(tfe_keys_init(ctx));
  for (int64_t p = 0; p < count; p++)
    if (p != ctx->party && deal_links(ctx)[p] != 0)
      TRY(deal_open_file(ctx, p));
  TRY(deal_fresh_key(ctx, ctx->party, own));
  OPENSSL_cleanse(own, sizeof own);
  const char *hash = ctx->program->hash;
  batch_hash_key(hash, deal->batch.id, ctx->hash_key);
  tfe_keys_set_public(ctx, has_seed ? seed : batch_public_seed(hash, deal->batch.id));
  return TFE_OK;
}

static TfeStatus deal_finish_file(TfeCtx *ctx, int64_t peer) {
  DealFile *file = &ctx->deal->files[peer];
  uint8_t tail[BATCH_TAIL_BYTES], to_sign[BATCH_SIGNED_BYTES];
  uint8_t *digest = tail + BATCH_MAGIC_BYTES, *signature = digest + BATCH_DIGEST_BYTES;
  memcpy(tail, batch_magic, BATCH_MAGIC_BYTES);
  if (EVP_DigestFinal_ex(file->digest, digest, NULL) != 1)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  batch_signed(digest, to_sign);
  TRY(tfe_identity_sign(ctx, ctx->deal->me, to_sign, sizeof to_sign, signature));
  TRY(deal_put(ctx, peer, tail, sizeof tail));
  int fd = file->fd;
  file->fd = -1;
  bool good = fsync(fd) == 0;
  if (close(fd) != 0 || !good)
    return deal_cannot(ctx, ctx->deal->path);
  return TFE_OK;
}

TfeStatus tfe_deal_commit(TfeCtx *ctx) {
  TfeDeal *deal = ctx->deal;
  for (int64_t p = 0; p < deal->count; p++)
    if (deal->files[p].fd >= 0)
      TRY(deal_finish_file(ctx, p));
  char name[BATCH_FOLDER_BYTES];
  batch_folder_name(deal->batch.number, name);
  if (fsync(deal->beside) != 0 || renameat(deal->folder, deal_beside, deal->folder, name + 1) != 0 ||
      fsync(deal->folder) != 0)
    return deal_cannot(ctx, deal->path);
  return TFE_OK;
}

const char *tfe_deal_path(const TfeCtx *ctx) {
  return ctx->deal->path;
}

void tfe_deal_free(TfeCtx *ctx) {
  TfeDeal *deal = ctx->deal;
  if (deal == NULL)
    return;
  for (int64_t p = 0; p < deal->count; p++) {
    if (deal->files[p].fd >= 0)
      close(deal->files[p].fd);
    EVP_MD_CTX_free(deal->files[p].digest);
  }
  if (deal->folder >= 0)
    deal_remove_beside(deal->folder);
  if (deal->beside >= 0)
    close(deal->beside);
  if (deal->folder >= 0)
    close(deal->folder); /* and the lock with it */
  tfe_release(deal->files, (size_t)deal->count * sizeof *deal->files);
  tfe_release(deal, sizeof *deal);
  ctx->deal = NULL;
}
