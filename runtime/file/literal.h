/* Values written as in JSON: 5, true, [[1, 2], [3, 4]], and for structs {"w": [1, 2], "c1": {"k": 3}}. For
 * --input X=VALUE and for lines of standard input. */
#ifndef TFE_FILE_LITERAL_H
#define TFE_FILE_LITERAL_H

#include "reader.h"

/* Whether text is meant as a value rather than a file name: it begins with [ or {, or is a number or a
 * truth value. */
bool tfe_literal_is(const char *text);
/* The value, or for a slot with a field the member of that name (a dotted path names members of members).
 * Positions in messages count from `line`. text[size] must be 0. */
TfeStatus tfe_literal_read(TfeCtx *ctx, const TfeWant *want, const char *text, size_t size, int64_t line,
                           uint64_t *out) TFE_MUST_USE;

#endif
