/* Inputs and outputs of a run that goes on in another process (io.h).
 *
 * Inputs have a place in their files, or in a stream, which cannot be kept: what was read is read again, in the same
 * order, and compared by its digest. Outputs that are files are kept as they stand; what went to standard output has
 * been seen.
 *
 *   u32 slots read, u32 each; digest (32); u32 outputs, each: u64 bytes and the bytes, u64 entries, u64 bytes and the
 *   bytes of the directory; one byte for each slot of the program: an output that was written */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "../bytes.h"
#include "../include/abi.h"
#include "../sealed.h"
#include "io.h"
#include "reader.h"
#include "state.h"

enum { DIGEST = 32 };

TfeStatus tfe_input_note(TfeCtx *ctx, int64_t slot, const uint64_t *data) {
  TfeIo *io = ctx->io;
  uint8_t number[4];
  Writer w = {number};
  put_number(&w, (uint64_t)slot, 4);
  TRY(tfe_buffer_add(ctx, &io->history.slots, number, sizeof number));
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  size_t bytes = (size_t)tfe_reader_count(&ctx->program->slots[slot]) * sizeof *data;
  bool good = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(hash, io->history.digest, DIGEST) == 1 &&
              EVP_DigestUpdate(hash, number, sizeof number) == 1 &&
              EVP_DigestUpdate(hash, data, bytes) == 1 &&
              EVP_DigestFinal_ex(hash, io->history.digest, NULL) == 1;
  EVP_MD_CTX_free(hash);
  return good ? TFE_OK : tfe_fail(ctx, TFE_MEMORY, "memory ran out");
}

/* ---------------------------------------------------------------------------------------------------- save */

static TfeStatus add_number(TfeCtx *ctx, TfeBuffer *out, uint64_t number, int bytes) {
  uint8_t text[8];
  Writer w = {text};
  put_number(&w, number, bytes);
  return tfe_buffer_add(ctx, out, text, (size_t)bytes);
}

static TfeStatus save_file(TfeCtx *ctx, TfeBuffer *out, const TfeOutput *output) {
  uint64_t bytes = output->fd >= 0 ? output->written : 0;
  TRY(add_number(ctx, out, bytes, 8));
  if (bytes == 0)
    return TFE_OK;
  TRY(tfe_buffer_reserve(ctx, out, bytes));
  int fd = open((const char *)output->temporary.data, O_RDONLY | O_CLOEXEC);
  bool good = fd >= 0 && sealed_file_pread(fd, out->data + out->size, bytes, 0);
  if (fd >= 0)
    close(fd);
  if (!good)
    return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", (const char *)output->temporary.data,
                    strerror(errno));
  out->size += bytes;
  return TFE_OK;
}

TfeStatus tfe_io_save(TfeCtx *ctx, TfeBuffer *out) {
  const TfeIo *io = ctx->io;
  TRY(add_number(ctx, out, io->history.slots.size / 4, 4));
  TRY(tfe_buffer_add(ctx, out, io->history.slots.data, io->history.slots.size));
  TRY(tfe_buffer_add(ctx, out, io->history.digest, DIGEST));
  TRY(add_number(ctx, out, (uint64_t)io->output_count, 4));
  for (int64_t i = 0; i < io->output_count; i++) {
    const TfeOutput *output = &io->outputs[i];
    TRY(save_file(ctx, out, output));
    TRY(add_number(ctx, out, (uint64_t)output->entries, 8));
    TRY(add_number(ctx, out, output->directory.size, 8));
    TRY(tfe_buffer_add(ctx, out, output->directory.data, output->directory.size));
  }
  for (int64_t i = 0; i < ctx->program->slot_count; i++)
    TRY(add_number(ctx, out, ctx->program->slots[i].is_output && io->slots[i].taken, 1));
  return TFE_OK;
}

/* ------------------------------------------------------------------------------------------------- restore */

static TfeStatus io_damaged(TfeCtx *ctx) {
  return tfe_fail(ctx, TFE_STATE_DAMAGED, "what a checkpoint says of inputs and outputs is not whole");
}

static TfeStatus reread(TfeCtx *ctx, int64_t slot) {
  const TfeSlot *declared = slot < ctx->program->slot_count ? &ctx->program->slots[slot] : NULL;
  if (declared == NULL || declared->is_output)
    return io_damaged(ctx);
  size_t bytes = (size_t)tfe_reader_count(declared) * 8;
  uint64_t *item = NULL;
  TRY(tfe_alloc(ctx, bytes, &item));
  TfeStatus status = tfe_input(ctx, item, slot);
  tfe_release(item, bytes);
  return status;
}

static TfeStatus restore_inputs(TfeCtx *ctx, Reader *r) {
  uint64_t count = take_number(r, 4);
  for (uint64_t i = 0; i < count && !r->bad; i++) {
    uint64_t slot = take_number(r, 4);
    if (!r->bad)
      TRY(reread(ctx, (int64_t)slot));
  }
  const uint8_t *digest = take_bytes(r, DIGEST);
  if (digest == NULL)
    return io_damaged(ctx);
  if (memcmp(digest, ctx->io->history.digest, DIGEST) == 0)
    return TFE_OK;
  TfeStatus status =
      tfe_fail(ctx, TFE_STATE_FOREIGN, "the inputs of %s are not those of the interrupted run", ctx->name);
  tfe_note(ctx, "what that run had read up to the checkpoint is read again and compared");
  tfe_help(ctx, "give the same inputs, from their beginning, as the run that is resumed");
  return status;
}

static TfeStatus restore_output(TfeCtx *ctx, TfeOutput *output, Reader *r) {
  size_t bytes = (size_t)take_number(r, 8);
  const uint8_t *content = take_bytes(r, bytes);
  output->entries = (int64_t)take_number(r, 8);
  size_t directory_bytes = (size_t)take_number(r, 8);
  const uint8_t *directory = take_bytes(r, directory_bytes);
  if (r->bad)
    return io_damaged(ctx);
  if (bytes > 0 && output->target.size == 0) {
    TfeStatus status =
        tfe_fail(ctx, TFE_STATE_FOREIGN, "the interrupted run wrote output `%s` to a file", output->name);
    tfe_help(ctx, "give the same --output as then");
    return status;
  }
  if (bytes > 0)
    TRY(tfe_output_refill(ctx, output, content, bytes));
  return directory_bytes > 0 ? tfe_buffer_add(ctx, &output->directory, directory, directory_bytes) : TFE_OK;
}

TfeStatus tfe_io_restore(TfeCtx *ctx, const void *saved, size_t bytes) {
  Reader r = {saved, bytes, false};
  TRY(restore_inputs(ctx, &r));
  uint64_t count = take_number(&r, 4);
  if (count != (uint64_t)ctx->io->output_count)
    return io_damaged(ctx);
  for (uint64_t i = 0; i < count; i++)
    TRY(restore_output(ctx, &ctx->io->outputs[i], &r));
  for (int64_t i = 0; i < ctx->program->slot_count; i++) {
    bool written = take_number(&r, 1) != 0;
    if (ctx->program->slots[i].is_output)
      ctx->io->slots[i].taken = written;
  }
  return r.bad || r.left > 0 ? io_damaged(ctx) : TFE_OK;
}
