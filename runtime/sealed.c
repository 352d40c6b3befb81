/* See sealed.h. */
#define _GNU_SOURCE
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "bytes.h"
#include "pack.h"

enum {
  SEALED_START_BYTES = SEALED_MAGIC_BYTES + 8,
  SEALED_TAIL_BYTES = SEALED_MAGIC_BYTES + SEALED_DIGEST_BYTES + TFE_IDENTITY_SIGNATURE_BYTES,
  SEALED_SIGNED_BYTES = 16 + SEALED_DIGEST_BYTES,
  SEALED_PIECE = 64 << 10, /* elements, or bytes of a file, at a time */
};
static const uint8_t sealed_magic[SEALED_MAGIC_BYTES] = "tfestate";

/* --------------------------------------------------------------------------------------------- plain files */

bool sealed_file_pread(int fd, void *out, size_t bytes, uint64_t offset) {
  for (size_t done = 0; done < bytes;) {
    ssize_t part = pread(fd, (uint8_t *)out + done, bytes - done, (off_t)(offset + done));
    if (part < 0 && errno == EINTR)
      continue;
    if (part == 0)
      errno = 0;
    if (part <= 0)
      return false;
    done += (size_t)part;
  }
  return true;
}

bool sealed_file_write(int fd, const void *data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t part = write(fd, (const uint8_t *)data + done, bytes - done);
    if (part < 0 && errno == EINTR)
      continue;
    if (part <= 0)
      return false;
    done += (size_t)part;
  }
  return true;
}

bool sealed_file_digest(int fd, uint64_t bytes, uint8_t digest[SEALED_DIGEST_BYTES]) {
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  uint8_t piece[SEALED_PIECE];
  bool good = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
  for (uint64_t at = 0; good && at < bytes;) {
    size_t part = bytes - at < sizeof piece ? (size_t)(bytes - at) : sizeof piece;
    good = sealed_file_pread(fd, piece, part, at) && EVP_DigestUpdate(hash, piece, part) == 1;
    at += part;
  }
  good = good && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
  OPENSSL_cleanse(piece, sizeof piece);
  EVP_MD_CTX_free(hash);
  return good;
}

bool sealed_file_sync_folder_of(const char *path) {
  char folder[SEALED_PATH_BYTES];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash == NULL)
    snprintf(folder, sizeof folder, ".");
  else
    slash[slash == folder] = '\0';
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0)
    close(fd);
  return good;
}

/* What is signed of a digest: no signature of another use can stand for it. */
static void sealed_to_sign(const uint8_t digest[SEALED_DIGEST_BYTES], uint8_t out[SEALED_SIGNED_BYTES]) {
  memcpy(out, "tfe state file 1", 16);
  memcpy(out + 16, digest, SEALED_DIGEST_BYTES);
}

/* ------------------------------------------------------------------------------------------------- writing */

static TfeStatus sealed_cannot(TfeCtx *ctx, SealedWriter *w, const char *path) {
  int reason = errno;
  sealed_abandon(w);
  return tfe_fail(ctx, TFE_OUTPUT, "cannot write %s: %s", path, strerror(reason));
}

TfeStatus sealed_create(TfeCtx *ctx, SealedWriter *w, const char *folder, const char *name,
                        const void *fields, size_t bytes) {
  uint8_t start[SEALED_START_BYTES];
  Writer at = {start};
  *w = (SealedWriter){.fd = -1};
  int length = snprintf(w->path, sizeof w->path, "%s/%s", folder, name);
  int beside = snprintf(w->beside, sizeof w->beside, "%s/.%s.new", folder, name);
  if (length < 0 || beside < 0 || (size_t)beside >= sizeof w->beside)
    return tfe_fail(ctx, TFE_OUTPUT, "the name of the state folder is too long");
  unlink(w->beside); /* what a crash left */
  w->fd = open(w->beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (w->fd < 0)
    return sealed_cannot(ctx, w, w->path);
  w->digest = EVP_MD_CTX_new();
  if (w->digest == NULL || EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL) != 1) {
    sealed_abandon(w);
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  }
  put_bytes(&at, sealed_magic, SEALED_MAGIC_BYTES);
  put_number(&at, SEALED_FORMAT, 4);
  put_number(&at, bytes, 4);
  TRY(sealed_put(ctx, w, start, sizeof start));
  return sealed_put(ctx, w, fields, bytes);
}

TfeStatus sealed_put(TfeCtx *ctx, SealedWriter *w, const void *data, size_t bytes) {
  if (EVP_DigestUpdate(w->digest, data, bytes) != 1) {
    sealed_abandon(w);
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  }
  return sealed_file_write(w->fd, data, bytes) ? TFE_OK : sealed_cannot(ctx, w, w->path);
}

TfeStatus sealed_put_packed(TfeCtx *ctx, SealedWriter *w, const uint64_t *data, int64_t count, int64_t bits) {
  size_t room = tfe_pack_bytes(SEALED_PIECE, bits);
  uint8_t *piece = NULL;
  TfeStatus status = tfe_alloc(ctx, room, &piece);
  if (status != TFE_OK)
    sealed_abandon(w);
  for (int64_t i = 0; status == TFE_OK && i < count; i += SEALED_PIECE) {
    int64_t part = count - i < SEALED_PIECE ? count - i : SEALED_PIECE;
    tfe_pack(piece, data + i, part, bits);
    status = sealed_put(ctx, w, piece, tfe_pack_bytes(part, bits));
  }
  tfe_release(piece, room);
  return status;
}

TfeStatus sealed_commit(TfeCtx *ctx, SealedWriter *w, const TfeIdentity *me) {
  uint8_t tail[SEALED_TAIL_BYTES], to_sign[SEALED_SIGNED_BYTES];
  uint8_t *digest = tail + SEALED_MAGIC_BYTES, *signature = digest + SEALED_DIGEST_BYTES;
  memcpy(tail, sealed_magic, SEALED_MAGIC_BYTES);
  TfeStatus status = TFE_OK;
  if (EVP_DigestFinal_ex(w->digest, digest, NULL) != 1)
    status = tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  sealed_to_sign(digest, to_sign);
  if (status == TFE_OK)
    status = tfe_identity_sign(ctx, me, to_sign, sizeof to_sign, signature);
  if (status != TFE_OK) {
    sealed_abandon(w);
    return status;
  }
  if (!sealed_file_write(w->fd, tail, sizeof tail) || fsync(w->fd) != 0 || rename(w->beside, w->path) != 0 ||
      !sealed_file_sync_folder_of(w->path))
    return sealed_cannot(ctx, w, w->path);
  w->beside[0] = '\0';
  sealed_abandon(w);
  return TFE_OK;
}

void sealed_abandon(SealedWriter *w) {
  if (w->fd >= 0) {
    close(w->fd);
    if (w->beside[0] != '\0')
      unlink(w->beside);
  }
  EVP_MD_CTX_free(w->digest);
  w->digest = NULL;
  w->fd = -1;
}

/* ------------------------------------------------------------------------------------------------- reading */

void sealed_close(SealedReader *r) {
  if (r->fd >= 0)
    close(r->fd);
  tfe_release(r->fields, r->fields_bytes);
  r->fields = NULL;
  r->fd = -1;
}

TfeStatus sealed_damaged(TfeCtx *ctx, const SealedReader *r, const char *why) {
  TfeStatus status = tfe_fail(ctx, TFE_STATE_DAMAGED, "%s is damaged: %s", r->path, why);
  tfe_note(ctx, "nothing of it was used");
  tfe_help(ctx,
           "put a copy of it back; without it, what was stored before is taken, if all parties have that");
  return status;
}

static TfeStatus sealed_head(TfeCtx *ctx, SealedReader *r, uint64_t size) {
  uint8_t start[SEALED_START_BYTES];
  if (!sealed_file_pread(r->fd, start, sizeof start, 0) ||
      memcmp(start, sealed_magic, SEALED_MAGIC_BYTES) != 0)
    return sealed_damaged(ctx, r, "it does not begin as a state file");
  Reader at = {start + SEALED_MAGIC_BYTES, 8, false};
  uint64_t format = take_number(&at, 4), bytes = take_number(&at, 4);
  if (format != SEALED_FORMAT)
    return tfe_fail(ctx, TFE_STATE_FOREIGN, "%s has format %" PRIu64 ", and this version of tfec reads %d",
                    r->path, format, SEALED_FORMAT);
  if (bytes > SEALED_FIELDS_LIMIT || size < sizeof start + bytes + SEALED_TAIL_BYTES)
    return sealed_damaged(ctx, r, "it is not whole");
  r->fields_bytes = (size_t)bytes;
  TRY(tfe_alloc(ctx, r->fields_bytes, &r->fields));
  if (!sealed_file_pread(r->fd, r->fields, r->fields_bytes, sizeof start))
    return sealed_damaged(ctx, r, "it is not whole");
  r->at = sizeof start + bytes;
  r->end = size - SEALED_TAIL_BYTES;
  return TFE_OK;
}

static TfeStatus sealed_check(TfeCtx *ctx, SealedReader *r, const TfeIdentity *me) {
  struct stat about;
  uint8_t tail[SEALED_TAIL_BYTES], digest[SEALED_DIGEST_BYTES], to_sign[SEALED_SIGNED_BYTES];
  if (fstat(r->fd, &about) != 0)
    return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", r->path, strerror(errno));
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "%s can be read by others (mode %04o)", r->path,
                                (unsigned)(about.st_mode & 07777));
    tfe_help(ctx, "it is as secret as a key: chmod 600 %s", r->path);
    return status;
  }
  TRY(sealed_head(ctx, r, (uint64_t)about.st_size));
  if (!sealed_file_pread(r->fd, tail, sizeof tail, r->end) ||
      memcmp(tail, sealed_magic, SEALED_MAGIC_BYTES) != 0)
    return sealed_damaged(ctx, r, "its end is missing");
  if (!sealed_file_digest(r->fd, r->end, digest))
    return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", r->path, strerror(errno));
  if (CRYPTO_memcmp(digest, tail + SEALED_MAGIC_BYTES, sizeof digest) != 0)
    return sealed_damaged(ctx, r, "its check value does not fit its contents");
  sealed_to_sign(digest, to_sign);
  if (tfe_identity_verify(me->public_key, to_sign, sizeof to_sign,
                          tail + SEALED_MAGIC_BYTES + SEALED_DIGEST_BYTES))
    return TFE_OK;
  TfeStatus status =
      tfe_fail(ctx, TFE_STATE_FOREIGN, "%s was not written with the key of %s", r->path, ctx->name);
  tfe_help(ctx, "a party reads only what it wrote itself; if %s made a new key, store anew", ctx->name);
  return status;
}

TfeStatus sealed_judge(TfeCtx *ctx, SealedReader *r, int fd, const char *shown, const TfeIdentity *me) {
  *r = (SealedReader){.fd = fd};
  snprintf(r->path, sizeof r->path, "%s", shown);
  TfeStatus status = sealed_check(ctx, r, me);
  if (status != TFE_OK)
    sealed_close(r);
  return status;
}

TfeStatus sealed_open(TfeCtx *ctx, SealedReader *r, const char *folder, const char *name,
                      const TfeIdentity *me) {
  char path[SEALED_PATH_BYTES];
  *r = (SealedReader){.fd = -1};
  if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
    return tfe_fail(ctx, TFE_USAGE, "the name of the state folder is too long");
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return tfe_fail(ctx, TFE_STATE_MISSING, "cannot read %s: %s", path, strerror(errno));
  return sealed_judge(ctx, r, fd, path, me);
}

TfeStatus sealed_take(TfeCtx *ctx, SealedReader *r, void *out, size_t bytes) {
  if (bytes > r->end - r->at)
    return sealed_damaged(ctx, r, "it is shorter than it says");
  if (!sealed_file_pread(r->fd, out, bytes, r->at))
    return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", r->path, strerror(errno));
  r->at += bytes;
  return TFE_OK;
}

TfeStatus sealed_take_packed(TfeCtx *ctx, SealedReader *r, uint64_t *out, int64_t count, int64_t bits) {
  size_t room = tfe_pack_bytes(SEALED_PIECE, bits);
  uint8_t *piece = NULL;
  TfeStatus status = tfe_alloc(ctx, room, &piece);
  for (int64_t i = 0; status == TFE_OK && i < count; i += SEALED_PIECE) {
    int64_t part = count - i < SEALED_PIECE ? count - i : SEALED_PIECE;
    status = sealed_take(ctx, r, piece, tfe_pack_bytes(part, bits));
    if (status == TFE_OK)
      tfe_unpack(out + i, piece, part, bits);
  }
  tfe_release(piece, room);
  return status;
}
