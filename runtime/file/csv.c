/* CSV tables. Cells are separated by commas, may stand in quotes and may have blanks around them; lines
 * end in LF or CRLF; a UTF-8 byte order mark and blank lines at the end are skipped. A first line in which
 * no cell is a number is a header. Rank 2: one line a row. Rank 1: one line or one column. Rank 0: one
 * cell. Higher ranks: one line for each index of the first axis, the rest row-major. Two walks: the first
 * counts lines and cells, so that a wrong shape is reported as one; the second reads the numbers. Columns
 * in messages count cells, from 1, with the header's name beside them. */
#include "csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A walk over the cells. */
typedef struct Walk {
  const char *at, *end;
  int64_t line; /* of the cell just read */
  int64_t next_line;
  int64_t column;   /* of the cell just read, from 1 */
  const char *text; /* its text without blanks and quotes */
  size_t size;
  bool comma;  /* a comma follows it, so its line goes on */
  bool broken; /* a quote that is not closed, or text behind one */
} Walk;

typedef struct Table {
  const char *header; /* NULL: none */
  const char *body, *end;
  int64_t body_line; /* line number of the first row */
  int64_t rows, columns;
} Table;

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static void csv_trim(Walk *w, bool carriage_return) {
  while (w->size > 0 && is_blank(w->text[0])) {
    w->text++;
    w->size--;
  }
  while (w->size > 0 && (is_blank(w->text[w->size - 1]) || (carriage_return && w->text[w->size - 1] == '\r')))
    w->size--;
}

/* The text of a cell in quotes (doubled ones inside stay doubled: no number has any). */
static void csv_quoted(Walk *w) {
  w->text = ++w->at;
  while (w->at < w->end && (*w->at != '"' || (w->at + 1 < w->end && w->at[1] == '"'))) {
    w->next_line += *w->at == '\n';
    w->at += *w->at == '"' ? 2 : 1;
  }
  w->size = (size_t)(w->at - w->text);
  w->broken = w->at >= w->end;
  if (!w->broken)
    w->at++;
}

/* Reads the next cell; false at the end of the text. */
static bool csv_cell(Walk *w) {
  if (w->at >= w->end && !w->comma)
    return false;
  w->column = w->comma ? w->column + 1 : 1;
  w->line = w->next_line;
  w->broken = false;
  while (w->at < w->end && is_blank(*w->at))
    w->at++;
  bool quoted = w->at < w->end && *w->at == '"';
  if (quoted)
    csv_quoted(w);
  Walk rest = {.text = w->at};
  while (w->at < w->end && *w->at != ',' && *w->at != '\n')
    w->at++;
  rest.size = (size_t)(w->at - rest.text);
  w->comma = w->at < w->end && *w->at == ',';
  csv_trim(&rest, !w->comma);
  if (quoted) {
    w->broken = w->broken || rest.size > 0;
    csv_trim(w, false);
  } else {
    w->text = rest.text;
    w->size = rest.size;
  }
  if (w->at < w->end) {
    w->next_line += !w->comma;
    w->at++;
  }
  return true;
}

static Walk csv_walk(const char *text, const char *end, int64_t line) {
  return (Walk){.at = text, .end = end, .next_line = line};
}

static TfeStatus csv_broken(TfeCtx *ctx, const TfeWant *want, const Walk *w) {
  return tfe_fail(ctx, TFE_INPUT_FORMAT,
                  "%s:%" PRId64 ":%" PRId64 ": a quote is not closed at the end of its cell", want->path,
                  w->line, w->column);
}

/* A first line with text but without a number is a header. */
static TfeStatus csv_header(TfeCtx *ctx, const TfeWant *want, Table *table) {
  Walk w = csv_walk(table->body, table->end, table->body_line);
  bool number = false, text = false;
  uint64_t ignored;
  while (csv_cell(&w)) {
    if (w.broken)
      return csv_broken(ctx, want, &w);
    text = text || w.size > 0;
    number = number || tfe_reader_is_number(w.text, w.size) ||
             (want->slot->elem == TFE_ELEM_BOOL &&
              tfe_reader_text(TFE_ELEM_BOOL, w.text, w.size, &ignored) == TFE_TEXT_FINE);
    if (!w.comma)
      break;
  }
  if (text && !number) {
    table->header = table->body;
    table->body = w.at;
    table->body_line = w.next_line;
  }
  return TFE_OK;
}

/* Counts rows and columns; every row must have as many cells as the first. */
static TfeStatus csv_count(TfeCtx *ctx, const TfeWant *want, Table *table) {
  Walk w = csv_walk(table->body, table->end, table->body_line);
  while (csv_cell(&w)) {
    if (w.broken)
      return csv_broken(ctx, want, &w);
    if (w.comma)
      continue;
    if (table->rows++ == 0)
      table->columns = w.column;
    if (w.column == table->columns)
      continue;
    TfeStatus status = w.column == 1 && w.size == 0
                           ? tfe_fail(ctx, TFE_INPUT_FORMAT, "%s:%" PRId64 ": a blank line inside the table",
                                      want->path, w.line)
                           : tfe_fail(ctx, TFE_INPUT_FORMAT,
                                      "%s:%" PRId64 ": %" PRId64 " value%s, the first row has %" PRId64,
                                      want->path, w.line, w.column, w.column == 1 ? "" : "s", table->columns);
    tfe_reader_note(ctx, want);
    return status;
  }
  return TFE_OK;
}

static bool csv_has(const Table *table, char separator) {
  const char *stop = memchr(table->body, '\n', (size_t)(table->end - table->body));
  return memchr(table->body, separator, (size_t)((stop ? stop : table->end) - table->body)) != NULL;
}

static TfeStatus csv_shape(TfeCtx *ctx, const TfeWant *want, const Table *table) {
  const TfeSlot *slot = want->slot;
  int64_t have[2] = {table->rows, table->columns}, row = 1;
  TfeStatus status;
  if (slot->rank <= 2) {
    int64_t rank = 2;
    if (slot->rank == 0 && table->rows == 1 && table->columns == 1)
      rank = 0;
    else if (slot->rank < 2 && (table->rows == 1 || table->columns == 1)) {
      have[0] = table->rows == 1 ? table->columns : table->rows;
      rank = 1;
    }
    status = tfe_reader_shape(ctx, want, rank, have);
  } else {
    for (int64_t i = 1; i < slot->rank; i++)
      row *= slot->dims[i];
    if (table->rows == slot->dims[0] && table->columns == row)
      return TFE_OK;
    status = tfe_fail(ctx, TFE_INPUT_SHAPE,
                      "input `%s` has %" PRId64 " rows of %" PRId64 " numbers, the program needs %" PRId64
                      " rows of %" PRId64,
                      slot->name, table->rows, table->columns, slot->dims[0], row);
    tfe_note(
        ctx,
        "a CSV file holds one line for each index of the first axis; .npy suits more than two axes better");
    tfe_reader_note(ctx, want);
  }
  if (status != TFE_OK && table->columns == 1 && (csv_has(table, ';') || csv_has(table, '\t')))
    tfe_help(ctx, "separate the values by commas, not by `%s`", csv_has(table, ';') ? ";" : "\\t");
  return status;
}

static TfeStatus csv_value_fail(TfeCtx *ctx, const TfeWant *want, const Table *table, const Walk *w,
                                TfeTextFault fault) {
  char quoted[176];
  TfeStatus status = tfe_reader_text_fail(ctx, want, fault, w->line, w->column, w->text, w->size);
  if (table->header) {
    Walk names = csv_walk(table->header, table->end, 1);
    while (csv_cell(&names) && names.column < w->column && names.comma)
      ;
    if (names.column == w->column)
      tfe_note(ctx, "column `%s`", tfe_reader_quote(quoted, names.text, names.size));
  }
  tfe_reader_note(ctx, want);
  if (fault == TFE_TEXT_EMPTY || fault == TFE_TEXT_NOT_NUMBER || fault == TFE_TEXT_NOT_FINITE)
    tfe_help(ctx, "remove or fill in missing values first");
  return status;
}

static TfeStatus csv_values(TfeCtx *ctx, const TfeWant *want, const Table *table, uint64_t *out) {
  Walk w = csv_walk(table->body, table->end, table->body_line);
  while (csv_cell(&w)) {
    TfeTextFault fault = tfe_reader_text(want->slot->elem, w.text, w.size, out++);
    if (fault != TFE_TEXT_FINE)
      return csv_value_fail(ctx, want, table, &w, fault);
  }
  return TFE_OK;
}

TfeStatus tfe_csv_read(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                       uint64_t *out) {
  Table table = {.body = (const char *)bytes, .end = (const char *)bytes + size, .body_line = 1};
  if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
    TfeStatus status = tfe_fail(ctx, TFE_INPUT_FORMAT, "%s is UTF-16 text", want->path);
    tfe_help(ctx, "save it as UTF-8 (plain CSV)");
    return status;
  }
  if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
    table.body += 3;
  while (table.end > table.body && strchr(" \t\r\n", table.end[-1]) && table.end[-1] != 0)
    table.end--;
  if (table.end == table.body) {
    TfeStatus status = tfe_fail(ctx, TFE_INPUT_FORMAT, "%s is empty", want->path);
    tfe_reader_note(ctx, want);
    return status;
  }
  TRY(csv_header(ctx, want, &table));
  TRY(csv_count(ctx, want, &table));
  TRY(csv_shape(ctx, want, &table));
  return csv_values(ctx, want, &table, out);
}

static TfeStatus csv_real(TfeCtx *ctx, TfeBuffer *file, uint64_t word) {
  double value;
  char text[40];
  memcpy(&value, &word, sizeof value);
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
      break;
  }
  return tfe_buffer_text(ctx, file, text);
}

TfeStatus tfe_csv_write(TfeCtx *ctx, TfeBuffer *file, const TfeSlot *slot, const uint64_t *data) {
  int64_t count = tfe_reader_count(slot), rows = slot->rank == 0 ? 1 : slot->dims[0];
  int64_t columns = rows > 0 ? count / rows : 0;
  for (int64_t i = 0; i < count; i++) {
    if (i % columns > 0)
      TRY(tfe_buffer_text(ctx, file, ","));
    if (slot->elem == TFE_ELEM_FIXED)
      TRY(csv_real(ctx, file, data[i]));
    else
      TRY(tfe_buffer_format(ctx, file, "%" PRId64, (int64_t)data[i]));
    if (i % columns == columns - 1)
      TRY(tfe_buffer_text(ctx, file, "\n"));
  }
  return TFE_OK;
}
