/* Printing for people: print(...), and outputs as text.
 *
 * How tensors look. As in NumPy: rows in brackets, elements and rows separated by a space, a scalar bare:
 *   c = [[16 9] [4 1]]      p = 0.9236      flags = [true false]
 * Integers are printed whole. Reals are rounded to 4 decimals, and zeros at the end are left out: 0.7289,
 * 55.0813, 2.5, 1. When the largest magnitude of the tensor is below 0.1, there are as many more decimals
 * as show 4 of its digits (0.01235); below 1e-5 and from 1e15 on, all of its elements are printed as
 * 1.2346e-07. So a number is never shown with more than the 4 decimals (or digits) that mean something to
 * a reader; a file (.npy, .csv) keeps them all. A tensor that would make the line longer than 100 columns
 * is printed one row a line, elements aligned to the right. Of more than 1000 elements, only the first and
 * last 3 of each axis longer than 6 are shown, with ... between.
 *
 * The pieces of a line stand side by side (the compiler puts the spaces) and the finished line is written by
 * one call, so that the lines of several processes on one terminal do not mix. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../include/abi.h"
#include "reader.h"
#include "state.h"

enum { PRINT_COLUMNS = 100, PRINT_ELEMENTS = 1000, PRINT_EDGE = 3 };

/* How one tensor is printed. */
typedef struct Layout {
  TfeCtx *ctx;
  TfeBuffer *buffer;
  const uint64_t *data;
  int64_t elem, rank;
  const int64_t *dims;
  int decimals;
  bool scientific;
  bool elided;
  bool lines; /* one row a line */
  int width;  /* elements are padded to it */
  int indent; /* column where the tensor begins */
} Layout;

static void strip_zeros(char *text) {
  char *exponent = strchr(text, 'e'), *stop = exponent ? exponent : text + strlen(text);
  if (!memchr(text, '.', (size_t)(stop - text)))
    return;
  char *keep = stop;
  while (keep[-1] == '0')
    keep--;
  if (keep[-1] == '.')
    keep--;
  memmove(keep, stop, strlen(stop) + 1);
}

static int print_element(const Layout *l, uint64_t word, char text[64]) {
  double value;
  switch (l->elem) {
  case TFE_ELEM_INT: return snprintf(text, 64, "%" PRId64, (int64_t)word);
  case TFE_ELEM_BOOL: return snprintf(text, 64, "%s", word ? "true" : "false");
  default:
    memcpy(&value, &word, sizeof value);
    if (!isfinite(value))
      return snprintf(text, 64, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    snprintf(text, 64, l->scientific ? "%.*e" : "%.*f", l->decimals, value);
    strip_zeros(text);
    if (strcmp(text, "-0") == 0)
      strcpy(text, "0");
    return (int)strlen(text);
  }
}

static bool is_shown(const Layout *l, int64_t axis, int64_t i) {
  return !l->elided || l->dims[axis] <= 2 * PRINT_EDGE || i < PRINT_EDGE || i >= l->dims[axis] - PRINT_EDGE;
}

static void print_choose(Layout *l, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count && l->elem == TFE_ELEM_FIXED; i++) {
    double value;
    memcpy(&value, &l->data[i], sizeof value);
    if (isfinite(value) && fabs(value) > largest)
      largest = fabs(value);
  }
  l->scientific = largest >= 1e15 || (largest > 0 && largest < 1e-5);
  l->decimals = 4;
  for (double next = 0.1; !l->scientific && largest > 0 && largest < next; next /= 10)
    l->decimals++;
}

static TfeStatus print_gap(const Layout *l, int64_t axis) {
  if (!l->lines || axis == l->rank - 1)
    return tfe_buffer_text(l->ctx, l->buffer, " ");
  return tfe_buffer_format(l->ctx, l->buffer, "\n%*s", l->indent + (int)axis + 1, "");
}

/* The part of the tensor below `axis` that starts at element `from`, which has `size` elements. */
static TfeStatus print_axis(const Layout *l, int64_t axis, int64_t from, int64_t size) {
  char text[64];
  if (axis == l->rank) {
    int length = print_element(l, l->data[from], text);
    return tfe_buffer_format(l->ctx, l->buffer, "%*s%s", l->width > length ? l->width - length : 0, "", text);
  }
  int64_t n = l->dims[axis], step = n > 0 ? size / n : 0;
  TRY(tfe_buffer_text(l->ctx, l->buffer, "["));
  for (int64_t i = 0; i < n; i++) {
    if (i > 0)
      TRY(print_gap(l, axis));
    if (is_shown(l, axis, i)) {
      TRY(print_axis(l, axis + 1, from + i * step, step));
    } else {
      TRY(tfe_buffer_text(l->ctx, l->buffer, "..."));
      i = n - PRINT_EDGE - 1;
    }
  }
  return tfe_buffer_text(l->ctx, l->buffer, "]");
}

static void print_width(Layout *l, int64_t axis, int64_t from, int64_t size) {
  char text[64];
  if (axis == l->rank) {
    int length = print_element(l, l->data[from], text);
    l->width = length > l->width ? length : l->width;
    return;
  }
  for (int64_t i = 0; i < l->dims[axis]; i++)
    if (is_shown(l, axis, i))
      print_width(l, axis + 1, from + i * (size / l->dims[axis]), size / l->dims[axis]);
}

TfeStatus tfe_print_format(TfeCtx *ctx, TfeBuffer *buffer, const uint64_t *data, int64_t elem, int64_t rank,
                           const int64_t *dims, bool whole) {
  int64_t count = 0;
  bool fits = tfe_reader_product(rank, dims, &count);
  assert(fits);
  (void)fits;
  Layout l = {.ctx = ctx,
              .buffer = buffer,
              .data = data,
              .elem = elem,
              .rank = rank,
              .dims = dims,
              .elided = !whole && count > PRINT_ELEMENTS};
  size_t start = buffer->size, line = start;
  while (line > 0 && buffer->data[line - 1] != '\n')
    line--;
  print_choose(&l, count);
  TRY(print_axis(&l, 0, 0, count));
  if (rank < 2 || buffer->size - line <= PRINT_COLUMNS)
    return TFE_OK;
  buffer->size = start;
  l.lines = true;
  l.indent = (int)(start - line);
  print_width(&l, 0, 0, count);
  return print_axis(&l, 0, 0, count);
}

TfeStatus tfe_print_write(TfeCtx *ctx, const void *text, size_t size, bool joint) {
  const char *at = text;
  if (ctx->io->print.sink)
    return ctx->io->print.sink(ctx->io->print.user, text, size, joint);
  while (size > 0) {
    ssize_t done = ctx->io->system.write(STDOUT_FILENO, at, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return tfe_fail(ctx, TFE_OUTPUT, "cannot write to standard output: %s", strerror(errno));
    at += done;
    size -= (size_t)done;
  }
  return TFE_OK;
}

/* A marked line: PRINT_MARK text PRINT_END newline. */
enum { PRINT_MARK = 0x1e, PRINT_END = 0x1f };

TfeStatus tfe_print_text(TfeCtx *ctx, const char *text) {
  return tfe_buffer_text(ctx, &ctx->io->print.line, text);
}

TfeStatus tfe_print_tensor(TfeCtx *ctx, const uint64_t *data, int64_t elem, int64_t rank,
                           const int64_t *dims) {
  return tfe_print_format(ctx, &ctx->io->print.line, data, elem, rank, dims, false);
}

TfeStatus tfe_print_end(TfeCtx *ctx, int64_t joint) {
  TfeBuffer *line = &ctx->io->print.line;
  if (joint && ctx->io->print.mark) {
    TRY(tfe_buffer_text(ctx, line, "  "));
    memmove(line->data + 1, line->data, line->size - 2);
    line->data[0] = PRINT_MARK;
    line->data[line->size - 1] = PRINT_END;
  }
  TRY(tfe_buffer_text(ctx, line, "\n"));
  TfeStatus status = tfe_print_write(ctx, line->data, line->size, joint != 0);
  tfe_buffer_clear(line);
  return status;
}

void tfe_io_take_line(TfeCtx *ctx, char *out, size_t size) {
  TfeBuffer *line = ctx->io ? &ctx->io->print.line : NULL;
  size_t n = 0;
  for (size_t i = 0; line != NULL && i < line->size && n + 1 < size; i++)
    out[n++] = line->data[i] >= ' ' ? (char)line->data[i] : ' ';
  out[n] = '\0';
  if (line != NULL)
    tfe_buffer_clear(line);
}

void tfe_io_print_sink(TfeCtx *ctx, TfePrintSink sink, void *user) {
  ctx->io->print.sink = sink;
  ctx->io->print.user = user;
}
