/* Inputs, outputs and printing of a party: what --input and --output name, bound to the slots of the
 * program.
 *
 * Order of use: init, bind_*, check, (the program runs: tfe_input, tfe_more, tfe_output, tfe_print_*),
 * commit, free.
 *
 * Inputs. NAME=FILE.npy, .npz, .csv, or an IDX file (idx.h), of which NAME=FILE[A:B] takes rows A to B - 1;
 * NAME=VALUE, a literal as in JSON: 5, true, [[1, 2],
 * [3, 4]]; NAME=- standard input, one JSON value a line; NAME=DIR/ every file of it, in order of name
 * (bytes), each one item; for a struct a directory with FIELD.npy or FIELD.csv, or a directory of .npz
 * files or of such directories. Anything that reads as a literal is one: a file called `5` is `./5`.
 * Without --input: NAME.npy, NAME.npz, NAME.csv, NAME.idx or NAME.idx.gz (a struct: NAME.npz or NAME/) in the working directory,
 * if exactly one of them is there. A slot read again takes the next item; all fields of a struct advance
 * together. What check has read is what the program gets.
 *
 * Outputs. NAME=FILE.npy, .npz, .csv, .txt, or NAME=- (also without --output): text `NAME = value` on
 * standard output, at once. Files are written beside their targets under another name and take their place
 * in commit, all of them or none. A .csv or .txt output that is written again grows; a .npy or .npz holds
 * one value. */
#ifndef TFE_FILE_IO_H
#define TFE_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "../ctx.h"
#include "buffer.h"

TfeStatus tfe_io_init(TfeCtx *ctx) TFE_MUST_USE;
/* "NAME=SOURCE" and "NAME=TARGET"; R0501 for an unknown or twice bound name. The text is copied. */
TfeStatus tfe_io_bind_input(TfeCtx *ctx, const char *binding) TFE_MUST_USE;
TfeStatus tfe_io_bind_output(TfeCtx *ctx, const char *binding) TFE_MUST_USE;
/* Before anything is connected: reads the first item of every input (every file of a directory) and checks
 * shape and values; creates the temporary file of every output file. */
TfeStatus tfe_io_check(TfeCtx *ctx) TFE_MUST_USE;
/* For checkpoints (ctx->checkpoint): what was read and written so far; and, in another run with the same inputs and
 * outputs, the same state again: inputs are read once more and must be what they were (R0409), outputs are filled. */
TfeStatus tfe_io_save(TfeCtx *ctx, TfeBuffer *out) TFE_MUST_USE;
TfeStatus tfe_io_restore(TfeCtx *ctx, const void *saved, size_t bytes) TFE_MUST_USE;
/* Completes the output files and gives them their names. */
TfeStatus tfe_io_commit(TfeCtx *ctx) TFE_MUST_USE;
/* Removes temporary files that were not committed, wipes and frees. ctx->io may be NULL. */
void tfe_io_free(TfeCtx *ctx);

/* Takes the pieces of a line that were gathered, on one line, cut to `size`. */
void tfe_io_take_line(TfeCtx *ctx, char *out, size_t size);
/* Where finished lines go instead of standard output; `text` ends in a newline. */
typedef TfeStatus (*TfePrintSink)(void *user, const char *text, size_t size, bool joint);
void tfe_io_print_sink(TfeCtx *ctx, TfePrintSink sink, void *user);

#endif
