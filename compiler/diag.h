/* Every message about a user's program. diag.def has one row a message: code, level, sentence (a printf
 * format), and the page that `tfec explain-error` prints. A message is built in steps:
 *
 *   Diag *d = diag_new(diags, DIAG_E0301, span, name);
 *   diag_label(d, "private (%s)", kind);            under the caret
 *   diag_also(d, other, "declared public here");    second span
 *   diag_note(d, "..."); diag_help(d, "...");
 *
 * diag_new never returns NULL; after 20 errors further ones are counted but not printed. Messages are kept and
 * printed by diag_flush in order of (file, line). diag_mark/diag_rollback drop messages made since a mark
 * (used when a loop is elaborated a second time). */
#ifndef TFEC_DIAG_H
#define TFEC_DIAG_H

#include <stdio.h>

#include "source.h"

typedef enum DiagCode {
#define DIAG(code, level, sentence, page) DIAG_##code,
#include "diag.def"
#undef DIAG
  DIAG_COUNT
} DiagCode;

typedef enum DiagFormat { DIAG_TEXT, DIAG_JSON, DIAG_SARIF } DiagFormat;

typedef struct Diags Diags;
typedef struct Diag Diag;

Diags *diag_create(Arena *a);
Diag *diag_new(Diags *ds, DiagCode code, Span at, ...);
void diag_label(Diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_also(Diag *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_help(Diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

int diag_mark(const Diags *ds);
void diag_rollback(Diags *ds, int mark);
int diag_error_count(const Diags *ds);
/* -W no-W0603, -W error */
bool diag_option(Diags *ds, const char *option);
/* Prints what has gathered; color as isatty/NO_COLOR decide in main. */
void diag_flush(Diags *ds, FILE *out, DiagFormat format, bool color);
/* The page of `tfec explain-error CODE`; NULL if there is no such code. */
const char *diag_page(const char *code);
/* The nearest of `names` for "did you mean", or NULL if none is near. */
const char *diag_nearest(const char *name, const char *const *names, int count);
/* "a, b, c"; "none" of no names. */
const char *diag_listed(Arena *a, const char *const *names, int count);

#endif
