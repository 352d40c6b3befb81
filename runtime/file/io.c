/* The slots of a program as named inputs and outputs; see io.h. */
#include "io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader.h"
#include "state.h"

/* The group of slots with this name, made if it is not there yet. */
static int64_t input_group(TfeIo *io, const TfeSlot *slot) {
  for (int64_t i = 0; i < io->input_count; i++)
    if (strcmp(io->inputs[i].name, slot->name) == 0)
      return i;
  io->inputs[io->input_count] = (TfeInput){.name = slot->name, .is_struct = slot->field != NULL};
  return io->input_count++;
}

static int64_t output_group(TfeIo *io, const TfeSlot *slot) {
  for (int64_t i = 0; i < io->output_count; i++)
    if (strcmp(io->outputs[i].name, slot->name) == 0)
      return i;
  io->outputs[io->output_count] = (TfeOutput){.name = slot->name, .is_struct = slot->field != NULL, .fd = -1};
  return io->output_count++;
}

TfeStatus tfe_io_init(TfeCtx *ctx) {
  size_t count = (size_t)ctx->program->slot_count;
  TRY(tfe_alloc(ctx, sizeof *ctx->io, &ctx->io));
  TfeIo *io = ctx->io;
  io->system = (TfeSystem){read, write, rename};
  io->print.mark = getenv("TFE_MARK_LINES") != NULL;
  TRY(tfe_alloc(ctx, count * sizeof *io->slots, &io->slots));
  TRY(tfe_alloc(ctx, count * sizeof *io->inputs, &io->inputs));
  TRY(tfe_alloc(ctx, count * sizeof *io->outputs, &io->outputs));
  for (size_t i = 0; i < count; i++) {
    const TfeSlot *slot = &ctx->program->slots[i];
    io->slots[i].group = slot->is_output ? output_group(io, slot) : input_group(io, slot);
  }
  return TFE_OK;
}

static TfeStatus unknown_name(TfeCtx *ctx, const char *binding, size_t size, bool output) {
  const char *kind = output ? "output" : "input";
  char list[512] = "";
  size_t used = 0;
  int64_t count = output ? ctx->io->output_count : ctx->io->input_count;
  TfeStatus status =
      tfe_fail(ctx, TFE_USAGE, "%s has no %s `%.*s`", ctx->name, kind, size > 80 ? 80 : (int)size, binding);
  for (int64_t i = 0; i < count && used < sizeof list - 120; i++)
    used += (size_t)snprintf(list + used, sizeof list - used, "%s`%.100s`", i > 0 ? ", " : "",
                             output ? ctx->io->outputs[i].name : ctx->io->inputs[i].name);
  if (count > 0)
    tfe_note(ctx, "its %ss are %s", kind, list);
  else
    tfe_note(ctx, "it has no %ss", kind);
  return status;
}

static bool is_named(const char *name, const char *binding, size_t size) {
  return strlen(name) == size && memcmp(name, binding, size) == 0;
}

static TfeStatus split(TfeCtx *ctx, const char *binding, const char *option, size_t *name_size) {
  const char *equals = strchr(binding, '=');
  if (!equals || equals == binding || equals[1] == 0)
    return tfe_fail(ctx, TFE_USAGE, "%s needs NAME=%s, not `%.80s`", option,
                    option[2] == 'i' ? "FILE or NAME=VALUE" : "FILE", binding);
  *name_size = (size_t)(equals - binding);
  return TFE_OK;
}

TfeStatus tfe_io_bind_input(TfeCtx *ctx, const char *binding) {
  size_t size = 0;
  TRY(split(ctx, binding, "--input", &size));
  for (int64_t i = 0; i < ctx->io->input_count; i++) {
    TfeInput *input = &ctx->io->inputs[i];
    if (!is_named(input->name, binding, size))
      continue;
    if (input->source != TFE_SOURCE_OPEN)
      return tfe_fail(ctx, TFE_USAGE, "--input %s is given twice", input->name);
    return tfe_input_bind(ctx, input, binding + size + 1);
  }
  return unknown_name(ctx, binding, size, false);
}

TfeStatus tfe_io_bind_output(TfeCtx *ctx, const char *binding) {
  size_t size = 0;
  TRY(split(ctx, binding, "--output", &size));
  for (int64_t i = 0; i < ctx->io->output_count; i++) {
    TfeOutput *output = &ctx->io->outputs[i];
    if (!is_named(output->name, binding, size))
      continue;
    if (output->bound)
      return tfe_fail(ctx, TFE_USAGE, "--output %s is given twice", output->name);
    output->bound = true;
    return tfe_output_bind(ctx, output, binding + size + 1);
  }
  return unknown_name(ctx, binding, size, true);
}

/* Two outputs in one file would overwrite each other. */
static TfeStatus distinct_targets(TfeCtx *ctx, int64_t i) {
  const TfeOutput *one = &ctx->io->outputs[i];
  for (int64_t k = 0; k < i && one->target.size > 0; k++) {
    const TfeOutput *other = &ctx->io->outputs[k];
    if (other->target.size == one->target.size &&
        memcmp(other->target.data, one->target.data, one->target.size) == 0)
      return tfe_fail(ctx, TFE_USAGE, "outputs `%s` and `%s` would both be written to %s", other->name,
                      one->name, (const char *)one->target.data);
  }
  return TFE_OK;
}

/* Some inputs are those of other members of the family only. */
static bool is_own_input(const TfeCtx *ctx, int64_t input) {
  for (int64_t i = 0; i < ctx->program->slot_count; i++) {
    const TfeSlot *slot = &ctx->program->slots[i];
    bool own = !slot->members || slot->members[ctx->member];
    if (own && !slot->is_output && ctx->io->slots[i].group == input)
      return true;
  }
  return false;
}

TfeStatus tfe_io_check(TfeCtx *ctx) {
  for (int64_t i = 0; i < ctx->io->input_count; i++)
    if (is_own_input(ctx, i))
      TRY(tfe_input_check(ctx, &ctx->io->inputs[i]));
  for (int64_t i = 0; i < ctx->io->output_count; i++) {
    TRY(distinct_targets(ctx, i));
    TRY(tfe_output_check(ctx, &ctx->io->outputs[i]));
  }
  return TFE_OK;
}

TfeStatus tfe_io_commit(TfeCtx *ctx) {
  return tfe_output_commit(ctx);
}

void tfe_io_free(TfeCtx *ctx) {
  TfeIo *io = ctx->io;
  size_t count = (size_t)ctx->program->slot_count;
  if (!io)
    return;
  if (io->slots && io->inputs)
    tfe_input_free(ctx);
  if (io->outputs)
    tfe_output_free(ctx);
  tfe_buffer_free(&io->print.line);
  tfe_buffer_free(&io->history.slots);
  tfe_release(io->slots, count * sizeof *io->slots);
  tfe_release(io->inputs, count * sizeof *io->inputs);
  tfe_release(io->outputs, count * sizeof *io->outputs);
  tfe_release(io, sizeof *io);
  ctx->io = NULL;
}
