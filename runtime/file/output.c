/* Outputs: text on standard output at once; files under a temporary name beside their target, renamed when
 * the whole run has succeeded. If one of several cannot be renamed, those that were are removed again: a
 * failed run leaves no result. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/abi.h"
#include "csv.h"
#include "npy.h"
#include "npz.h"
#include "state.h"

static const char *text_of(const TfeBuffer *buffer) {
  return buffer->data ? (const char *)buffer->data : "";
}

static TfeStatus output_fail(TfeCtx *ctx, const TfeOutput *output, int reason) {
  return tfe_fail(ctx, TFE_OUTPUT, "cannot write output `%s` to %s: %s", output->name,
                  text_of(&output->target), strerror(reason));
}

/* -- binding --------------------------------------------------------------------------------------------- */

static bool format_of(const char *path, TfeFormat *format) {
  static const struct {
    const char *ending;
    TfeFormat format;
  } known[] = {{".npy", TFE_FORMAT_NPY},
               {".npz", TFE_FORMAT_NPZ},
               {".csv", TFE_FORMAT_CSV},
               {".txt", TFE_FORMAT_TEXT}};
  size_t size = strlen(path);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (size > 4 && strcasecmp(path + size - 4, known[i].ending) == 0) {
      *format = known[i].format;
      return true;
    }
  return false;
}

TfeStatus tfe_output_bind(TfeCtx *ctx, TfeOutput *output, const char *text) {
  if (strcmp(text, "-") == 0)
    return TFE_OK;
  if (!format_of(text, &output->format)) {
    TfeStatus status = tfe_fail(ctx, TFE_USAGE, "cannot tell from the name `%s` what to write", text);
    tfe_help(
        ctx,
        "give --output %s=FILE with a FILE that ends in .npy, .npz, .csv or .txt, or - for standard output",
        output->name);
    return status;
  }
  if (output->is_struct && (output->format == TFE_FORMAT_NPY || output->format == TFE_FORMAT_CSV)) {
    TfeStatus status =
        tfe_fail(ctx, TFE_USAGE, "output `%s` is a struct, and %s holds one tensor", output->name, text);
    tfe_help(ctx, "write it to a .npz or a .txt file");
    return status;
  }
  /* a link stays a link: the file it points to is replaced */
  char *real = realpath(text, NULL);
  TfeStatus status = tfe_buffer_text(ctx, &output->target, real ? real : text);
  free(real);
  return status;
}

/* ".y.npy.1234-0.tmp" in the target's directory, so that the rename stays within one file system. */
static TfeStatus output_create(TfeCtx *ctx, TfeOutput *output) {
  const char *target = text_of(&output->target), *slash = strrchr(target, '/');
  int folder = slash ? (int)(slash - target) + 1 : 0;
  for (int i = 0; i < 100; i++) {
    tfe_buffer_clear(&output->temporary);
    TRY(tfe_buffer_format(ctx, &output->temporary, "%.*s.%s.%ld-%d.tmp", folder, target, target + folder,
                          (long)getpid(), i));
    output->fd = open(text_of(&output->temporary), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (output->fd >= 0)
      return TFE_OK;
    if (errno != EEXIST)
      break;
  }
  int reason = errno;
  tfe_buffer_clear(&output->temporary);
  return output_fail(ctx, output, reason);
}

TfeStatus tfe_output_check(TfeCtx *ctx, TfeOutput *output) {
  struct stat info;
  if (output->target.size == 0 || output->fd >= 0)
    return TFE_OK;
  if (stat(text_of(&output->target), &info) == 0 && !S_ISREG(info.st_mode))
    return tfe_fail(ctx, TFE_OUTPUT, "cannot write output `%s`: %s exists and is not a file", output->name,
                    text_of(&output->target));
  return output_create(ctx, output);
}

/* -- writing --------------------------------------------------------------------------------------------- */

static TfeStatus output_bytes(TfeCtx *ctx, TfeOutput *output, const TfeBuffer *bytes) {
  for (size_t done = 0; done < bytes->size;) {
    ssize_t got = ctx->io->system.write(output->fd, bytes->data + done, bytes->size - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return output_fail(ctx, output, errno);
    done += (size_t)got;
  }
  output->written += bytes->size;
  return TFE_OK;
}

/* "y = [1 2]", "net.c1.k = ..." */
static TfeStatus output_text(TfeCtx *ctx, TfeBuffer *text, const TfeSlot *slot, const uint64_t *data,
                             bool whole) {
  TRY(tfe_buffer_format(ctx, text, "%s%s%s = ", slot->name, slot->field ? "." : "",
                        slot->field ? slot->field : ""));
  TRY(tfe_print_format(ctx, text, data, slot->elem, slot->rank, slot->dims, whole));
  return tfe_buffer_text(ctx, text, "\n");
}

static TfeStatus output_again(TfeCtx *ctx, const TfeOutput *output, const char *kind) {
  TfeStatus status = tfe_fail(ctx, TFE_OUTPUT, "output `%s` is written a second time, but %s holds one value",
                              output->name, kind);
  tfe_help(ctx, "several values fit in a .txt%s file, or on standard output",
           output->is_struct ? "" : " or a .csv");
  return status;
}

static TfeStatus output_value(TfeCtx *ctx, TfeOutput *output, int64_t slot, const uint64_t *data,
                              TfeBuffer *bytes) {
  const TfeSlot *declared = &ctx->program->slots[slot];
  bool again = ctx->io->slots[slot].taken;
  ctx->io->slots[slot].taken = true;
  if (output->target.size == 0)
    return output_text(ctx, bytes, declared, data, false);
  switch (output->format) {
  case TFE_FORMAT_NPY:
    return output->written > 0 ? output_again(ctx, output, "a .npy file")
                               : tfe_npy_write(ctx, bytes, declared, data);
  case TFE_FORMAT_NPZ:
    output->entries++;
    return again ? output_again(ctx, output, "a .npz file")
                 : tfe_npz_write(ctx, bytes, &output->directory, output->written, declared, data);
  case TFE_FORMAT_CSV: return tfe_csv_write(ctx, bytes, declared, data);
  default: return output_text(ctx, bytes, declared, data, true);
  }
}

TfeStatus tfe_output(TfeCtx *ctx, const uint64_t *data, int64_t slot) {
  assert(slot >= 0 && slot < ctx->program->slot_count && ctx->program->slots[slot].is_output);
  TfeOutput *output = &ctx->io->outputs[ctx->io->slots[slot].group];
  TfeBuffer bytes = {0};
  TfeStatus status = tfe_output_check(ctx, output);
  if (status == TFE_OK)
    status = output_value(ctx, output, slot, data, &bytes);
  if (status == TFE_OK)
    status = output->target.size > 0 ? output_bytes(ctx, output, &bytes)
                                     : tfe_print_write(ctx, bytes.data, bytes.size, false);
  tfe_buffer_free(&bytes);
  return status;
}

TfeStatus tfe_output_refill(TfeCtx *ctx, TfeOutput *output, const void *bytes, size_t size) {
  TfeBuffer all = {.data = (unsigned char *)(uintptr_t)bytes, .size = size};
  TRY(tfe_output_check(ctx, output));
  return output_bytes(ctx, output, &all);
}

/* -- the end --------------------------------------------------------------------------------------------- */

/* Completes the file and closes it; from here on only its name is missing. */
static TfeStatus output_finish(TfeCtx *ctx, TfeOutput *output) {
  TfeBuffer end = {0};
  TfeStatus status = TFE_OK;
  if (output->format == TFE_FORMAT_NPZ) {
    status = tfe_npz_finish(ctx, &end, &output->directory, output->written, output->entries);
    if (status == TFE_OK)
      status = output_bytes(ctx, output, &end);
    tfe_buffer_free(&end);
  }
  if (status == TFE_OK && fsync(output->fd) != 0)
    status = output_fail(ctx, output, errno);
  if (close(output->fd) != 0 && status == TFE_OK)
    status = output_fail(ctx, output, errno);
  output->fd = -1;
  return status;
}

static void output_discard(TfeOutput *output) {
  if (output->fd >= 0)
    close(output->fd);
  output->fd = -1;
  if (output->temporary.size > 0)
    unlink(text_of(&output->temporary));
  tfe_buffer_clear(&output->temporary);
}

TfeStatus tfe_output_commit(TfeCtx *ctx) {
  TfeIo *io = ctx->io;
  TfeStatus status = TFE_OK;
  for (int64_t i = 0; i < io->output_count && status == TFE_OK; i++) {
    if (io->outputs[i].written == 0)
      output_discard(&io->outputs[i]); /* the program did not come to it: no file */
    else if (io->outputs[i].fd >= 0)
      status = output_finish(ctx, &io->outputs[i]);
  }
  for (int64_t i = 0; i < io->output_count && status == TFE_OK; i++) {
    TfeOutput *output = &io->outputs[i];
    if (output->temporary.size == 0)
      continue;
    if (io->system.rename(text_of(&output->temporary), text_of(&output->target)) != 0) {
      status = output_fail(ctx, output, errno);
    } else {
      output->renamed = true;
      tfe_buffer_clear(&output->temporary);
    }
  }
  for (int64_t i = 0; i < io->output_count && status != TFE_OK; i++)
    if (io->outputs[i].renamed)
      unlink(text_of(&io->outputs[i].target));
  return status;
}

void tfe_output_free(TfeCtx *ctx) {
  for (int64_t i = 0; i < ctx->io->output_count; i++) {
    TfeOutput *output = &ctx->io->outputs[i];
    output_discard(output);
    tfe_buffer_free(&output->target);
    tfe_buffer_free(&output->temporary);
    tfe_buffer_free(&output->directory);
  }
}
