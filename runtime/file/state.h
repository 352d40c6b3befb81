/* The inside of TfeIo, for the files of this folder only. Each part belongs to one file: inputs input.c,
 * outputs output.c, print print.c. */
#ifndef TFE_FILE_STATE_H
#define TFE_FILE_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "buffer.h"
#include "io.h"
#include "reader.h"

/* System calls that tests replace to inject faults. */
typedef struct TfeSystem {
  ssize_t (*read)(int fd, void *data, size_t size);
  ssize_t (*write)(int fd, const void *data, size_t size);
  int (*rename)(const char *from, const char *to);
} TfeSystem;

typedef enum TfeSource { TFE_SOURCE_OPEN, TFE_SOURCE_LITERAL, TFE_SOURCE_STDIN, TFE_SOURCE_FILES } TfeSource;

/* One named input: all slots (fields) of that name. */
typedef struct TfeInput {
  const char *name;
  TfeSource source;
  bool is_struct;
  TfeBuffer binding; /* text behind NAME= ; empty: not bound by the user */
  TfeBuffer origin;  /* for messages */
  TfeRows rows;      /* of its files */
  TfeBuffer paths;   /* SOURCE_FILES: "a.npy\0b.npy\0" */
  size_t next_path;  /* offset of the next item's path */
  int64_t items;     /* loaded so far */
  bool loaded;       /* an item is in the slots, and no field of it was taken yet */
} TfeInput;

/* State of one slot, inputs and outputs alike. */
typedef struct TfeSlotState {
  int64_t group;  /* index into inputs or outputs */
  uint64_t *data; /* loaded element data, or NULL */
  bool taken;     /* of the current item */
} TfeSlotState;

typedef enum TfeFormat {
  TFE_FORMAT_TEXT,
  TFE_FORMAT_NPY,
  TFE_FORMAT_NPZ,
  TFE_FORMAT_CSV,
  TFE_FORMAT_IDX
} TfeFormat;

typedef struct TfeOutput {
  const char *name;
  bool is_struct, bound;
  TfeFormat format;
  TfeBuffer target;    /* empty: standard output */
  TfeBuffer temporary; /* name of the file under construction; empty: none */
  TfeBuffer directory; /* npz: its central directory so far */
  int64_t entries;     /* npz: entries so far */
  uint64_t written;    /* bytes */
  bool renamed;
  int fd; /* -1: not open */
} TfeOutput;

/* Lines of standard input. */
typedef struct TfeLines {
  const char *owner; /* the input bound to it, or NULL */
  TfeBuffer bytes;   /* read, not yet used; the current line starts at 0 */
  size_t line_size;  /* of the line that was looked at last, 0: none */
  int64_t number;    /* its line number */
  bool end;
} TfeLines;

struct TfeIo {
  TfeSystem system;
  TfeSlotState *slots; /* [program->slot_count] */
  TfeInput *inputs;
  int64_t input_count;
  TfeOutput *outputs;
  int64_t output_count;
  TfeLines lines;
  struct {              /* kept for checkpoints only */
    TfeBuffer slots;    /* u32 each: the slots read so far, in order */
    uint8_t digest[32]; /* of all that was read */
  } history;
  struct {
    TfeBuffer line;
    bool mark; /* TFE_MARK_LINES: lines that all parties print are marked, for `tfec run` */
    TfePrintSink sink;
    void *user;
  } print;
};

/* input.c */
TfeStatus tfe_input_bind(TfeCtx *ctx, TfeInput *input, const char *text) TFE_MUST_USE;
TfeStatus tfe_input_check(TfeCtx *ctx, TfeInput *input) TFE_MUST_USE;
void tfe_input_free(TfeCtx *ctx);
/* resume.c: notes that the program has read this from a slot. */
TfeStatus tfe_input_note(TfeCtx *ctx, int64_t slot, const uint64_t *data) TFE_MUST_USE;
/* output.c */
TfeStatus tfe_output_bind(TfeCtx *ctx, TfeOutput *output, const char *text) TFE_MUST_USE;
TfeStatus tfe_output_check(TfeCtx *ctx, TfeOutput *output) TFE_MUST_USE;
TfeStatus tfe_output_commit(TfeCtx *ctx) TFE_MUST_USE;
/* The bytes that a file holds so far, from another run. */
TfeStatus tfe_output_refill(TfeCtx *ctx, TfeOutput *output, const void *bytes, size_t size) TFE_MUST_USE;
void tfe_output_free(TfeCtx *ctx);
/* print.c: the text of a tensor, starting at the buffer's current column; `whole`: never elided. */
TfeStatus tfe_print_format(TfeCtx *ctx, TfeBuffer *buffer, const uint64_t *data, int64_t elem, int64_t rank,
                           const int64_t *dims, bool whole) TFE_MUST_USE;
/* Hands finished text to the sink or to standard output. */
TfeStatus tfe_print_write(TfeCtx *ctx, const void *text, size_t size, bool joint) TFE_MUST_USE;

#endif
