/* Files that a party writes for its own later runs: there whole or not at all, undamaged, and its own.
 *
 *   head   "tfestate", u32 format, u32 bytes of the fields, the fields
 *   body   the writer's
 *   tail   "tfestate", SHA-256 of all bytes before the tail, Ed25519 signature of it by the party's key
 *
 * A file is written under another name, synced, and takes its name in one step. It is as secret as a key: only
 * its owner can read it, and one that others can read is refused. Dealt batches (batch.h) have the same build
 * and use the functions of plain files here. */
#ifndef TFE_SEALED_H
#define TFE_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "identity.h"

enum {
  SEALED_FORMAT = 1,
  SEALED_MAGIC_BYTES = 8,
  SEALED_DIGEST_BYTES = 32,
  SEALED_PATH_BYTES = 4096,
  SEALED_FIELDS_LIMIT = 64 << 20,
};

typedef struct SealedWriter {
  int fd; /* -1: not open */
  char path[SEALED_PATH_BYTES], beside[SEALED_PATH_BYTES];
  EVP_MD_CTX *digest;
} SealedWriter;

/* R0601 if it cannot be written. After a failure, and only then, the writer is abandoned. */
TfeStatus sealed_create(TfeCtx *ctx, SealedWriter *w, const char *folder, const char *name,
                        const void *fields, size_t bytes) TFE_MUST_USE;
TfeStatus sealed_put(TfeCtx *ctx, SealedWriter *w, const void *data, size_t bytes) TFE_MUST_USE;
/* Elements of so many bits each, packed (pack.h). */
TfeStatus sealed_put_packed(TfeCtx *ctx, SealedWriter *w, const uint64_t *data, int64_t count,
                            int64_t bits) TFE_MUST_USE;
TfeStatus sealed_commit(TfeCtx *ctx, SealedWriter *w, const TfeIdentity *me) TFE_MUST_USE;
void sealed_abandon(SealedWriter *w);

typedef struct SealedReader {
  int fd; /* -1: not open */
  char path[SEALED_PATH_BYTES];
  uint8_t *fields;
  size_t fields_bytes;
  uint64_t at, end; /* of the body, what was not read yet */
} SealedReader;

/* Judges the whole file: R0408 damaged, R0409 of another party's key, R0407 not there. */
TfeStatus sealed_open(TfeCtx *ctx, SealedReader *r, const char *folder, const char *name,
                      const TfeIdentity *me) TFE_MUST_USE;
/* The same for an open file, which is taken. */
TfeStatus sealed_judge(TfeCtx *ctx, SealedReader *r, int fd, const char *shown,
                       const TfeIdentity *me) TFE_MUST_USE;
/* The next bytes of the body; R0408 if there are no more. */
TfeStatus sealed_take(TfeCtx *ctx, SealedReader *r, void *out, size_t bytes) TFE_MUST_USE;
TfeStatus sealed_take_packed(TfeCtx *ctx, SealedReader *r, uint64_t *out, int64_t count,
                             int64_t bits) TFE_MUST_USE;
/* R0408 with this reason. */
TfeStatus sealed_damaged(TfeCtx *ctx, const SealedReader *r, const char *why) TFE_MUST_USE;
void sealed_close(SealedReader *r); /* wipes */

/* Plain files. pread, write: exactly so many bytes; false: errno, or 0 if there are fewer. */
bool sealed_file_pread(int fd, void *out, size_t bytes, uint64_t offset);
bool sealed_file_write(int fd, const void *data, size_t bytes);
/* SHA-256 of the first bytes; false: as above. */
bool sealed_file_digest(int fd, uint64_t bytes, uint8_t digest[SEALED_DIGEST_BYTES]);
/* The folder that a file is in, on disk. */
bool sealed_file_sync_folder_of(const char *path);

#endif
