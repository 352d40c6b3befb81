/* What the readers of tensor files (npy, npz, csv, idx, literal) have in common: what the program wants, the
 * check of the shape, the check of every element, and the form of the messages.
 *
 * All readers work on bytes in memory, trust nothing in them, and write dense row-major 8-byte elements
 * (double, int64_t, bool as 0 or 1) to `out`, which has room for the wanted shape. Whatever is refused is
 * reported at its owner before anything is sent: R0201 shape, R0202 not finite or out of range, R0203
 * malformed. */
#ifndef TFE_FILE_READER_H
#define TFE_FILE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../ctx.h"
#include "buffer.h"

enum { TFE_READER_RANK = 32 }; /* of an array in a file; the program's own ranks are at most 8 */

typedef struct TfeWant {
  const TfeSlot *slot;
  const char *path;   /* as messages name the source: "rows.csv", "standard input", "--input x" */
  const char *origin; /* "--input x=rows.csv", or "in the working directory" */
} TfeWant;

/* Rows `from` to `to` - 1 of the first axis; to = 0: all. */
typedef struct TfeRows {
  int64_t from, to;
} TfeRows;

/* Why a piece of text is not an element. */
typedef enum TfeTextFault {
  TFE_TEXT_FINE,
  TFE_TEXT_EMPTY,
  TFE_TEXT_NOT_NUMBER,
  TFE_TEXT_NOT_FINITE, /* nan, inf, or beyond the largest double */
  TFE_TEXT_NOT_WHOLE,
  TFE_TEXT_NOT_INT64,
  TFE_TEXT_NOT_BOOL,
} TfeTextFault;

/* Number of elements of a slot, and of any shape; false if it does not fit in 62 bits. */
int64_t tfe_reader_count(const TfeSlot *slot);
bool tfe_reader_product(int64_t rank, const int64_t *dims, int64_t *count);
/* That of data of this shape, `size` bytes an element, which must be all of the `have` bytes behind a header; NULL,
 * or what is wrong. */
const char *tfe_reader_extent(int64_t rank, const int64_t *dims, int64_t size, size_t have, int64_t *count);

/* R0201 unless the shape is exactly the wanted one. */
TfeStatus tfe_reader_shape(TfeCtx *ctx, const TfeWant *want, int64_t rank, const int64_t *dims) TFE_MUST_USE;
/* The note under every message about an input: where it came from and where it is declared. */
void tfe_reader_note(TfeCtx *ctx, const TfeWant *want);

/* The bytes of an element of 1, 2, 4 or 8 bytes as an integer; `big`: the first byte is the highest. */
uint64_t tfe_reader_word(const unsigned char *at, int size, bool big);
/* Such an integer as the half, single or double precision number with these bits. */
double tfe_reader_float(uint64_t word, int size);

/* A number read from a binary file as element `index` (row-major) of the slot. Nothing is rounded. */
TfeStatus tfe_reader_real(TfeCtx *ctx, const TfeWant *want, int64_t index, double value,
                          uint64_t *out) TFE_MUST_USE;
TfeStatus tfe_reader_int(TfeCtx *ctx, const TfeWant *want, int64_t index, int64_t value,
                         uint64_t *out) TFE_MUST_USE;

/* R0202 unless every element is within what the protocol can hold (TfeSlot.whole). */
TfeStatus tfe_reader_range(TfeCtx *ctx, const TfeWant *want, const uint64_t *data) TFE_MUST_USE;

/* Text as one element; text need not end in 0 but must be followed by a readable byte. */
TfeTextFault tfe_reader_text(int64_t elem, const char *text, size_t size, uint64_t *out);
/* A number of any kind, nan and inf included (a header line holds none). */
bool tfe_reader_is_number(const char *text, size_t size);
/* Reports a fault of text at line:column (from 1). */
TfeStatus tfe_reader_text_fail(TfeCtx *ctx, const TfeWant *want, TfeTextFault fault, int64_t line,
                               int64_t column, const char *text, size_t size);
/* text for a message: at most 40 bytes, control characters escaped. */
const char *tfe_reader_quote(char out[176], const char *text, size_t size);
/* "[3, 2]" */
const char *tfe_reader_shape_text(char *out, size_t room, int64_t rank, const int64_t *dims);

/* One read into the free room of `out`; *got 0 at the end. A signal that asks us to stop ends the wait. */
TfeStatus tfe_reader_some(TfeCtx *ctx, const char *path, int fd, TfeBuffer *out, size_t *got) TFE_MUST_USE;
/* The whole of a file; a source that has no size (a pipe) may give at most `limit` bytes. R0204 if it
 * cannot be opened, R0603 if reading fails. */
TfeStatus tfe_reader_file(TfeCtx *ctx, const TfeWant *want, const char *path, size_t limit,
                          TfeBuffer *out) TFE_MUST_USE;

#endif
