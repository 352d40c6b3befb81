/* Source files of a compilation: text, and offsets to lines and columns. */
#ifndef TFEC_SOURCE_H
#define TFEC_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"

typedef struct Source {
  const char *path; /* as shown in messages: "logistic.tfe", "prelude.tfe" (base name of library files) */
  const char *file; /* where it was read */
  const char *text; /* NUL-terminated */
  size_t length;
  int *line_start; /* offsets; line 1 is [0] */
  int line_count;
} Source;

/* A stretch of source text, by byte offsets. source NULL: no place in a file. */
typedef struct Span {
  const Source *source;
  int start, end;
} Span;

/* Reads a file; NULL and *error (in the arena) when that fails, when it holds a NUL byte or is not UTF-8. */
Source *source_read(Arena *a, const char *file, const char *shown_path, const char **error);
/* From memory (tests). */
Source *source_text(Arena *a, const char *shown_path, const char *text, size_t length);

int source_line(Span at);                    /* from 1 */
int source_column(Span at);                  /* from 1, in characters */
const char *source_where(Arena *a, Span at); /* "logistic.tfe:25", wherever the file is */
const char *source_name(const Source *s);    /* "logistic.tfe" */
/* The text of one line, without its end. */
const char *source_line_text(const Source *s, int line, int *length);
Span span_join(Span a, Span b);

#endif
