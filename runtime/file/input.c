/* Inputs: from what --input names (or the working directory holds) to the slots of the program.
 *
 * An input is a queue of items, an item has a value for every field. The next item is read when a field is
 * taken that the current one no longer has; tfe_io_check reads the first, so that the values it has
 * checked are those the program gets. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/abi.h"
#include "csv.h"
#include "idx.h"
#include "literal.h"
#include "npy.h"
#include "npz.h"
#include "state.h"

static TfeSlotState *state_of(TfeCtx *ctx, int64_t slot) {
  return &ctx->io->slots[slot];
}

static bool is_of(TfeCtx *ctx, int64_t slot, const TfeInput *input) {
  return !ctx->program->slots[slot].is_output && &ctx->io->inputs[state_of(ctx, slot)->group] == input;
}

static size_t data_bytes(const TfeSlot *slot) {
  int64_t count = tfe_reader_count(slot);
  return (size_t)(count > 0 ? count : 1) * sizeof(uint64_t);
}

static void drop(TfeCtx *ctx, int64_t slot) {
  tfe_release(state_of(ctx, slot)->data, data_bytes(&ctx->program->slots[slot]));
  state_of(ctx, slot)->data = NULL;
}

static void drop_item(TfeCtx *ctx, TfeInput *input) {
  for (int64_t i = 0; i < ctx->program->slot_count; i++)
    if (is_of(ctx, i, input)) {
      drop(ctx, i);
      state_of(ctx, i)->taken = false;
    }
  input->loaded = false;
}

static const char *text_of(const TfeBuffer *buffer) {
  return buffer->data ? (const char *)buffer->data : "";
}

static TfeWant want_of(TfeCtx *ctx, const TfeInput *input, int64_t slot, const char *path) {
  return (TfeWant){&ctx->program->slots[slot], path, text_of(&input->origin)};
}

static int64_t first_slot(TfeCtx *ctx, const TfeInput *input) {
  for (int64_t i = 0; i < ctx->program->slot_count; i++)
    if (is_of(ctx, i, input))
      return i;
  assert(false);
  return 0;
}

/* No text of one item can sensibly be longer; bounds what a pipe or a line of standard input may bring. */
static size_t text_limit(TfeCtx *ctx, const TfeInput *input) {
  size_t limit = 1 << 20;
  for (int64_t i = 0; i < ctx->program->slot_count; i++)
    if (is_of(ctx, i, input))
      limit += 8 * data_bytes(&ctx->program->slots[i]);
  return limit;
}

/* -- one item -------------------------------------------------------------------------------------------- */

static bool has_ending(const char *path, const char *ending) {
  size_t size = strlen(path), tail = strlen(ending);
  return size > tail && strcasecmp(path + size - tail, ending) == 0;
}

static bool begins(const TfeBuffer *file, const char *magic, size_t size) {
  return file->size >= size && memcmp(file->data, magic, size) == 0;
}

/* By the name's ending; without one that is known, by how the content begins. */
static TfeFormat format_of(const char *path, const TfeBuffer *file) {
  if (has_ending(path, ".npy"))
    return TFE_FORMAT_NPY;
  if (has_ending(path, ".npz"))
    return TFE_FORMAT_NPZ;
  if (has_ending(path, ".csv"))
    return TFE_FORMAT_CSV;
  if (tfe_idx_is(file->data, file->size) || tfe_idx_is_packed(file->data, file->size))
    return TFE_FORMAT_IDX;
  return begins(file, "\x93NUMPY", 6) ? TFE_FORMAT_NPY
         : begins(file, "PK\3\4", 4)  ? TFE_FORMAT_NPZ
                                      : TFE_FORMAT_CSV;
}

static TfeStatus rows_refused(TfeCtx *ctx, const TfeWant *want) {
  TfeStatus status =
      tfe_fail(ctx, TFE_USAGE, "rows can be chosen from IDX files only, and %s is none", want->path);
  tfe_reader_note(ctx, want);
  tfe_help(ctx, "give a file that holds just these rows");
  return status;
}

static TfeStatus read_field(TfeCtx *ctx, const TfeInput *input, int64_t slot, const char *path,
                            const TfeBuffer *file) {
  TfeWant want = want_of(ctx, input, slot, path);
  TfeSlotState *state = state_of(ctx, slot);
  TfeFormat format = format_of(path, file);
  if (format != TFE_FORMAT_IDX && input->rows.to > 0)
    return rows_refused(ctx, &want);
  TRY(tfe_alloc(ctx, data_bytes(want.slot), &state->data));
  switch (format) {
  case TFE_FORMAT_NPY: TRY(tfe_npy_read(ctx, &want, file->data, file->size, state->data)); break;
  case TFE_FORMAT_NPZ: TRY(tfe_npz_read(ctx, &want, file->data, file->size, state->data)); break;
  case TFE_FORMAT_IDX: TRY(tfe_idx_read(ctx, &want, input->rows, file->data, file->size, state->data)); break;
  default: TRY(tfe_csv_read(ctx, &want, file->data, file->size, state->data));
  }
  return tfe_reader_range(ctx, &want, state->data);
}

static TfeStatus load_file(TfeCtx *ctx, TfeInput *input, const char *path) {
  TfeBuffer file = {0};
  TfeWant want = want_of(ctx, input, first_slot(ctx, input), path);
  TfeStatus status = tfe_reader_file(ctx, &want, path, text_limit(ctx, input), &file);
  if (status == TFE_OK && input->is_struct && format_of(path, &file) != TFE_FORMAT_NPZ) {
    status = tfe_fail(ctx, TFE_INPUT_FORMAT, "input `%s` is a struct, but %s is not a .npz file", input->name,
                      path);
    tfe_reader_note(ctx, &want);
    tfe_help(ctx, "give a .npz file with an entry for each field, or a directory with FIELD.npy files");
  }
  for (int64_t i = 0; status == TFE_OK && i < ctx->program->slot_count; i++)
    if (is_of(ctx, i, input))
      status = read_field(ctx, input, i, path, &file);
  tfe_buffer_free(&file);
  return status;
}

/* FIELD.npy or FIELD.csv for every field of a struct. */
static TfeStatus load_directory(TfeCtx *ctx, TfeInput *input, const char *directory) {
  TfeBuffer path = {0}, file = {0};
  TfeStatus status = TFE_OK;
  for (int64_t i = 0; status == TFE_OK && i < ctx->program->slot_count; i++) {
    if (!is_of(ctx, i, input))
      continue;
    const char *field = ctx->program->slots[i].field;
    tfe_buffer_clear(&path);
    tfe_buffer_clear(&file);
    status = tfe_buffer_format(ctx, &path, "%s/%s.csv", directory, field);
    if (status == TFE_OK && access(text_of(&path), F_OK) != 0)
      memcpy(path.data + path.size - 3, "npy", 3);
    TfeWant want = want_of(ctx, input, i, text_of(&path));
    if (status == TFE_OK)
      status = tfe_reader_file(ctx, &want, want.path, text_limit(ctx, input), &file);
    if (status == TFE_OK)
      status = read_field(ctx, input, i, want.path, &file);
  }
  tfe_buffer_free(&path);
  tfe_buffer_free(&file);
  return status;
}

static TfeStatus load_text(TfeCtx *ctx, TfeInput *input, const char *name, const char *text, size_t size,
                           int64_t line) {
  for (int64_t i = 0; i < ctx->program->slot_count; i++)
    if (is_of(ctx, i, input)) {
      TfeWant want = want_of(ctx, input, i, name);
      TRY(tfe_alloc(ctx, data_bytes(want.slot), &state_of(ctx, i)->data));
      TRY(tfe_literal_read(ctx, &want, text, size, line, state_of(ctx, i)->data));
      TRY(tfe_reader_range(ctx, &want, state_of(ctx, i)->data));
    }
  return TFE_OK;
}

/* -- standard input -------------------------------------------------------------------------------------- */

static void shift_line(TfeLines *lines) {
  size_t left = lines->bytes.size - lines->line_size;
  if (lines->line_size == 0)
    return;
  memmove(lines->bytes.data, lines->bytes.data + lines->line_size, left);
  memset(lines->bytes.data + left, 0, lines->line_size);
  lines->bytes.size = left;
  lines->line_size = 0;
}

static bool is_blank_line(const unsigned char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
      return false;
  return true;
}

static TfeStatus read_more(TfeCtx *ctx, TfeLines *lines) {
  TRY(tfe_buffer_reserve(ctx, &lines->bytes, 4096));
  size_t got = 0;
  TRY(tfe_reader_some(ctx, "standard input", STDIN_FILENO, &lines->bytes, &got));
  lines->end = got == 0;
  return TFE_OK;
}

/* Makes the next line with something on it the current one, line_size 0 if there is none. */
static TfeStatus look_at_line(TfeCtx *ctx, size_t limit) {
  TfeLines *lines = &ctx->io->lines;
  size_t searched = 0;
  while (lines->line_size == 0) {
    unsigned char *stop = lines->bytes.size > searched
                              ? memchr(lines->bytes.data + searched, '\n', lines->bytes.size - searched)
                              : NULL;
    if (!stop && !lines->end) {
      searched = lines->bytes.size;
      if (searched > limit)
        return tfe_fail(ctx, TFE_INPUT_FORMAT, "standard input:%" PRId64 ": this line is too long",
                        lines->number + 1);
      TRY(read_more(ctx, lines));
      continue;
    }
    if (lines->bytes.size == 0)
      return TFE_OK;
    lines->line_size = stop ? (size_t)(stop - lines->bytes.data) + 1 : lines->bytes.size;
    lines->number++;
    searched = 0;
    if (is_blank_line(lines->bytes.data, lines->line_size))
      shift_line(lines);
  }
  return TFE_OK;
}

static TfeStatus load_line(TfeCtx *ctx, TfeInput *input) {
  TfeLines *lines = &ctx->io->lines;
  size_t size = lines->line_size;
  unsigned char after = lines->bytes.data[size];
  lines->bytes.data[size] = 0; /* the reader wants text that ends in 0 */
  TfeStatus status = load_text(ctx, input, "standard input", text_of(&lines->bytes), size, lines->number);
  lines->bytes.data[size] = after;
  shift_line(lines);
  return status;
}

/* -- the queue ------------------------------------------------------------------------------------------- */

static TfeStatus has_next(TfeCtx *ctx, const TfeInput *input, bool *more) {
  switch (input->source) {
  case TFE_SOURCE_LITERAL: *more = input->items == 0; return TFE_OK;
  case TFE_SOURCE_STDIN:
    TRY(look_at_line(ctx, text_limit(ctx, input)));
    *more = ctx->io->lines.line_size > 0;
    return TFE_OK;
  default: *more = input->next_path < input->paths.size; return TFE_OK;
  }
}

static bool is_directory(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static TfeStatus load_path(TfeCtx *ctx, TfeInput *input) {
  const char *path = (const char *)input->paths.data + input->next_path;
  input->next_path += strlen(path) + 1;
  return input->is_struct && is_directory(path) ? load_directory(ctx, input, path)
                                                : load_file(ctx, input, path);
}

static TfeStatus load_next(TfeCtx *ctx, TfeInput *input) {
  bool more = false;
  drop_item(ctx, input);
  TRY(has_next(ctx, input, &more));
  if (!more) {
    TfeStatus status =
        input->items == 0
            ? tfe_fail(ctx, TFE_INPUT_MISSING, "no data for input `%s`", input->name)
            : tfe_fail(ctx, TFE_INPUT_MISSING, "no further data for input `%s` after %" PRId64 " item%s",
                       input->name, input->items, input->items == 1 ? "" : "s");
    TfeWant want = want_of(ctx, input, first_slot(ctx, input), input->name);
    tfe_note(ctx, "%s, declared at %s", want.origin, want.slot->where);
    tfe_help(ctx,
             "several items come from a directory (--input %s=DIR/) or from lines of standard input (--input "
             "%s=-)",
             input->name, input->name);
    return status;
  }
  switch (input->source) {
  case TFE_SOURCE_LITERAL: {
    char name[160];
    snprintf(name, sizeof name, "--input %.140s", input->name);
    TRY(load_text(ctx, input, name, text_of(&input->binding), input->binding.size, 1));
    break;
  }
  case TFE_SOURCE_STDIN: TRY(load_line(ctx, input)); break;
  default: TRY(load_path(ctx, input));
  }
  input->items++;
  input->loaded = true;
  return TFE_OK;
}

/* -- where an input comes from --------------------------------------------------------------------------- */

static TfeStatus add_path(TfeCtx *ctx, TfeInput *input, const char *path) {
  return tfe_buffer_add(ctx, &input->paths, path, strlen(path) + 1);
}

static int is_visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Adds every entry of the directory as an item. For a struct: only if it has a .npz file or a directory in
 * it; else the directory itself is the one item. */
static TfeStatus add_directory(TfeCtx *ctx, TfeInput *input, const char *directory) {
  struct dirent **entries = NULL;
  TfeBuffer path = {0};
  TfeStatus status = TFE_OK;
  bool stream = !input->is_struct;
  int count = scandir(directory, &entries, is_visible, by_bytes);
  if (count < 0)
    return tfe_fail(ctx, TFE_INPUT_MISSING, "no data for input `%s`: cannot read directory %s: %s",
                    input->name, directory, strerror(errno));
  for (int pass = 0; pass < 2 && status == TFE_OK; pass++)
    for (int i = 0; i < count && status == TFE_OK; i++) {
      tfe_buffer_clear(&path);
      status = tfe_buffer_format(ctx, &path, "%s%s%s", directory, has_ending(directory, "/") ? "" : "/",
                                 entries[i]->d_name);
      if (status != TFE_OK)
        break;
      if (pass == 0)
        stream = stream || has_ending(entries[i]->d_name, ".npz") || is_directory(text_of(&path));
      else if (stream)
        status = add_path(ctx, input, text_of(&path));
    }
  if (status == TFE_OK && !stream)
    status = add_path(ctx, input, directory);
  for (int i = 0; i < count; i++)
    free(entries[i]);
  free(entries);
  tfe_buffer_free(&path);
  return status;
}

/* Without --input: the one of NAME.npy, NAME.npz, NAME.csv, NAME.idx, NAME.idx.gz (struct: NAME.npz, NAME/) that is here. A name
 * that is a path is never looked up: a program must not choose files outside the working directory. */
static TfeStatus find_default(TfeCtx *ctx, TfeInput *input) {
  static const char *const tensors[] = {".npy", ".npz", ".csv", ".idx", ".idx.gz", NULL}, *const structs[] = {
                                                                                              ".npz", "",
                                                                                              NULL};
  TfeBuffer path = {0};
  TfeStatus status = TFE_OK;
  bool plain = !strchr(input->name, '/') && input->name[0] != '.' && input->name[0] != 0;
  for (const char *const *ending = input->is_struct ? structs : tensors; plain && *ending; ending++) {
    tfe_buffer_clear(&path);
    if ((status = tfe_buffer_format(ctx, &path, "%s%s", input->name, *ending)) != TFE_OK)
      break;
    if (access(text_of(&path), F_OK) != 0 || (!**ending && !is_directory(text_of(&path))))
      continue;
    if (input->paths.size > 0) {
      status = tfe_fail(ctx, TFE_USAGE, "both %s and %s could be input `%s`", text_of(&input->paths),
                        text_of(&path), input->name);
      tfe_help(ctx, "say which: --input %s=FILE", input->name);
      break;
    }
    status = **ending ? add_path(ctx, input, text_of(&path)) : add_directory(ctx, input, text_of(&path));
    if (status != TFE_OK)
      break;
  }
  tfe_buffer_free(&path);
  TRY(status);
  if (input->paths.size > 0)
    return tfe_buffer_text(ctx, &input->origin, "in the working directory");
  const TfeSlot *slot = &ctx->program->slots[first_slot(ctx, input)];
  status = tfe_fail(ctx, TFE_INPUT_MISSING, "no data for input `%s`", input->name);
  tfe_note(ctx, "declared at %s", slot->where);
  tfe_help(ctx, "give --input %s=FILE, or put %s%s into this directory", input->name, input->name,
           input->is_struct ? ".npz" : ".npy");
  return status;
}

/* Takes "[A:B]" off the end of a file name. */
static TfeStatus take_rows(TfeCtx *ctx, TfeInput *input) {
  char *open = strrchr((char *)input->binding.data, '[');
  int end = 0;
  if (!open ||
      sscanf(open, "[%18" SCNd64 ":%18" SCNd64 "]%n", &input->rows.from, &input->rows.to, &end) != 2 ||
      end == 0 || open[end] != 0) {
    input->rows = (TfeRows){0, 0};
    return TFE_OK;
  }
  if (input->rows.from < 0 || input->rows.to <= input->rows.from)
    return tfe_fail(ctx, TFE_USAGE, "input `%s`: there are no rows %s", input->name, open);
  input->binding.size = (size_t)(open - (char *)input->binding.data);
  *open = 0;
  return TFE_OK;
}

TfeStatus tfe_input_bind(TfeCtx *ctx, TfeInput *input, const char *text) {
  TRY(tfe_buffer_text(ctx, &input->binding, text));
  TRY(tfe_buffer_format(ctx, &input->origin, "--input %s=%.60s%s", input->name, text,
                        strlen(text) > 60 ? "..." : ""));
  if (strcmp(text, "-") == 0) {
    TfeLines *lines = &ctx->io->lines;
    if (lines->owner)
      return tfe_fail(ctx, TFE_USAGE, "both input `%s` and input `%s` would read standard input",
                      lines->owner, input->name);
    lines->owner = input->name;
    input->source = TFE_SOURCE_STDIN;
  } else if (tfe_literal_is(text)) {
    input->source = TFE_SOURCE_LITERAL;
  } else {
    input->source = TFE_SOURCE_FILES;
    return take_rows(ctx, input);
  }
  return TFE_OK;
}

/* Lists the files of an input, once. */
static TfeStatus resolve(TfeCtx *ctx, TfeInput *input) {
  if (input->source == TFE_SOURCE_OPEN) {
    TRY(find_default(ctx, input));
    input->source = TFE_SOURCE_FILES;
  } else if (input->source == TFE_SOURCE_FILES && input->paths.size == 0) {
    const char *path = text_of(&input->binding);
    return is_directory(path) ? add_directory(ctx, input, path) : add_path(ctx, input, path);
  }
  return TFE_OK;
}

TfeStatus tfe_input_check(TfeCtx *ctx, TfeInput *input) {
  bool more = false;
  if (input->items > 0)
    return TFE_OK;
  TRY(resolve(ctx, input));
  TRY(load_next(ctx, input));
  if (input->source != TFE_SOURCE_FILES)
    return TFE_OK;
  TRY(has_next(ctx, input, &more));
  if (!more)
    return TFE_OK;
  while (more) {
    TRY(load_next(ctx, input));
    TRY(has_next(ctx, input, &more));
  }
  input->next_path = 0;
  input->items = 0;
  return load_next(ctx, input);
}

void tfe_input_free(TfeCtx *ctx) {
  TfeIo *io = ctx->io;
  for (int64_t i = 0; i < io->input_count; i++) {
    drop_item(ctx, &io->inputs[i]);
    tfe_buffer_free(&io->inputs[i].binding);
    tfe_buffer_free(&io->inputs[i].origin);
    tfe_buffer_free(&io->inputs[i].paths);
  }
  tfe_buffer_free(&io->lines.bytes);
}

/* -- what the program calls ------------------------------------------------------------------------------ */

/* Two calls of input("x") may have two slots: they share the items, by name and field. */
static int64_t canonical(TfeCtx *ctx, int64_t slot) {
  const TfeSlot *wanted = &ctx->program->slots[slot];
  for (int64_t i = 0; i < slot; i++) {
    const TfeSlot *other = &ctx->program->slots[i];
    if (!other->is_output && strcmp(other->name, wanted->name) == 0 && !other->field == !wanted->field &&
        (!wanted->field || strcmp(other->field, wanted->field) == 0))
      return i;
  }
  return slot;
}

TfeStatus tfe_input(TfeCtx *ctx, uint64_t *out, int64_t slot) {
  assert(slot >= 0 && slot < ctx->program->slot_count && !ctx->program->slots[slot].is_output);
  TfeSlotState *state = state_of(ctx, slot), *first = state_of(ctx, canonical(ctx, slot));
  TfeInput *input = &ctx->io->inputs[state->group];
  TRY(resolve(ctx, input));
  if (input->items == 0 || first->taken)
    TRY(load_next(ctx, input));
  memcpy(out, state->data, (size_t)tfe_reader_count(&ctx->program->slots[slot]) * sizeof *out);
  if (ctx->checkpoint != NULL)
    TRY(tfe_input_note(ctx, slot, out));
  drop(ctx, slot);
  first->taken = true;
  input->loaded = false;
  return TFE_OK;
}

TfeStatus tfe_more(TfeCtx *ctx, uint64_t *out, const char *name) {
  for (int64_t i = 0; i < ctx->io->input_count; i++) {
    TfeInput *input = &ctx->io->inputs[i];
    if (strcmp(input->name, name) != 0)
      continue;
    bool more = input->loaded;
    TRY(resolve(ctx, input));
    if (!more)
      TRY(has_next(ctx, input, &more));
    *out = more;
    return TFE_OK;
  }
  return tfe_fail(ctx, TFE_INTERNAL,
                  "internal error: the program asks for more of `%s`, which it never reads", name);
}
