/* See journal.h. A record is 12 bytes of SHA-256 of the message with its header, and 4 bytes of the peer's number. */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "bytes.h"
#include "sealed.h"

static TfeStatus journal_cannot(TfeCtx *ctx, const char *path) {
  return tfe_fail(ctx, TFE_OUTPUT, "cannot write %s: %s", path, strerror(errno));
}

void journal_close(Journal *j) {
  if (j->fd >= 0)
    close(j->fd);
  tfe_release(j->known, j->known_bytes);
  *j = (Journal){.fd = -1};
}

/* A record that a crash has left in part was of a message that was not sent. */
TfeStatus journal_open(TfeCtx *ctx, Journal *j, const char *path) {
  struct stat about;
  journal_close(j);
  snprintf(j->path, sizeof j->path, "%s", path);
  j->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (j->fd < 0 || fstat(j->fd, &about) != 0)
    return journal_cannot(ctx, path);
  j->known_bytes = (size_t)about.st_size / JOURNAL_RECORD * JOURNAL_RECORD;
  if (j->known_bytes > 0)
    TRY(tfe_alloc(ctx, j->known_bytes, &j->known));
  if (!sealed_file_pread(j->fd, j->known, j->known_bytes, 0) ||
      ftruncate(j->fd, (off_t)j->known_bytes) != 0 || lseek(j->fd, 0, SEEK_END) < 0)
    return journal_cannot(ctx, path);
  return TFE_OK;
}

static TfeStatus journal_differs(TfeCtx *ctx, int64_t peer) {
  TfeStatus status =
      tfe_fail(ctx, TFE_RESUMED_DIFFERS, "the next message to %s is not the one of the interrupted run",
               tfe_party_name(ctx, peer));
  tfe_note(ctx, "nothing of it was sent: its masks would have hidden two values, and so neither");
  tfe_help(ctx, "were inputs changed? give those of the interrupted run, or begin anew without --resume");
  return status;
}

TfeStatus journal_note(TfeCtx *ctx, Journal *j, int64_t peer, const void *message, size_t bytes) {
  uint8_t record[SHA256_DIGEST_LENGTH];
  SHA256(message, bytes, record);
  Writer w = {record + JOURNAL_RECORD - 4};
  put_number(&w, (uint64_t)peer, 4);
  if (j->at < j->known_bytes) {
    bool same = memcmp(j->known + j->at, record, JOURNAL_RECORD) == 0;
    j->at += JOURNAL_RECORD;
    return same ? TFE_OK : journal_differs(ctx, peer);
  }
  return sealed_file_write(j->fd, record, JOURNAL_RECORD) ? TFE_OK : journal_cannot(ctx, j->path);
}
