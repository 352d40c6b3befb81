/* JSON values as tensors. One walk checks the syntax of the whole text and the shape of each array (all
 * arrays of a level have the same length), and finds the wanted member; a second one over that member
 * alone reads the numbers. Nesting is bounded, so that no text exhausts the stack. */
#include "literal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct Scan {
  TfeCtx *ctx;
  const TfeWant *want;
  const char *start, *at, *end;
  int64_t line;
  /* of the array being read */
  int64_t rank, dims[TFE_READER_RANK];
  /* the wanted member, once found */
  const char *found;
  int64_t found_rank, found_dims[TFE_READER_RANK];
} Scan;

static TfeStatus literal_fail(const Scan *s, const char *what) {
  int64_t line = s->line, column = 1;
  for (const char *p = s->start; p < s->at; p++, column++)
    if (*p == '\n') {
      line++;
      column = 0;
    }
  TfeStatus status =
      tfe_fail(s->ctx, TFE_INPUT_FORMAT, "%s:%" PRId64 ":%" PRId64 ": %s", s->want->path, line, column, what);
  tfe_reader_note(s->ctx, s->want);
  return status;
}

static void skip_space(Scan *s) {
  while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at != 0)
    s->at++;
}

static bool take(Scan *s, char wanted) {
  skip_space(s);
  if (s->at == s->end || *s->at != wanted)
    return false;
  s->at++;
  return true;
}

/* The characters of a number or a word. */
static size_t token_size(const Scan *s) {
  const char *p = s->at;
  while (p < s->end && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                        *p == '+' || *p == '-' || *p == '.'))
    p++;
  return (size_t)(p - s->at);
}

static bool is_truth(const char *text, size_t size) {
  return (size == 4 && strncasecmp(text, "true", 4) == 0) ||
         (size == 5 && strncasecmp(text, "false", 5) == 0);
}

/* Passes over one value, depth levels down; its lengths must agree with those of its siblings. */
static TfeStatus scan_array(Scan *s, int64_t depth) {
  skip_space(s);
  size_t size = token_size(s);
  if (size > 0) {
    if (!tfe_reader_is_number(s->at, size) && !is_truth(s->at, size))
      return literal_fail(s, "this is not a number");
    if (s->rank >= 0 && s->rank != depth)
      return literal_fail(s, "a number where the rows before have an array");
    s->rank = depth;
    s->at += size;
    return TFE_OK;
  }
  if (!take(s, '['))
    return literal_fail(s, s->at == s->end ? "the value ends too early" : "a number or `[` must stand here");
  if (s->rank >= 0 && s->rank <= depth)
    return literal_fail(s, "an array where the rows before have a number");
  if (depth == TFE_READER_RANK)
    return literal_fail(s, "too many nested arrays");
  int64_t length = 0;
  if (!take(s, ']')) {
    do {
      TRY(scan_array(s, depth + 1));
      length++;
    } while (take(s, ','));
    if (!take(s, ']'))
      return literal_fail(s, "`,` or `]` must stand here");
  } else if (s->rank < 0) {
    s->rank = depth + 1;
  }
  if (s->dims[depth] >= 0 && s->dims[depth] != length)
    return literal_fail(s, "this row has another length than the rows before");
  s->dims[depth] = length;
  return TFE_OK;
}

static TfeStatus scan_value(Scan *s, const char *rest) {
  skip_space(s);
  const char *start = s->at;
  s->rank = -1;
  for (int i = 0; i < TFE_READER_RANK; i++)
    s->dims[i] = -1;
  TRY(scan_array(s, 0));
  if (!rest || *rest != 0)
    return TFE_OK;
  if (s->found)
    return literal_fail(s, "the same field a second time");
  s->found = start;
  s->found_rank = s->rank;
  memcpy(s->found_dims, s->dims, sizeof s->dims);
  return TFE_OK;
}

/* What is left of the dotted path `rest` behind `key`: "" at its end, NULL if key does not lead there. */
static const char *path_below(const char *rest, const char *key, size_t size) {
  if (!rest || size == 0 || strncmp(rest, key, size) != 0)
    return NULL;
  return rest[size] == '.' ? rest + size + 1 : rest[size] == 0 ? rest + size : NULL;
}

static TfeStatus scan_object(Scan *s, const char *rest, int depth) {
  if (!take(s, '{'))
    return scan_value(s, rest);
  if (depth == TFE_READER_RANK)
    return literal_fail(s, "too many nested objects");
  if (take(s, '}'))
    return TFE_OK;
  do {
    if (!take(s, '"'))
      return literal_fail(s, "a field's name in quotes must stand here");
    const char *key = s->at;
    while (s->at < s->end && *s->at != '"' && *s->at != '\\' && (unsigned char)*s->at >= 0x20)
      s->at++;
    size_t size = (size_t)(s->at - key);
    if (!take(s, '"') || !take(s, ':'))
      return literal_fail(s, "`\"NAME\": VALUE` must stand here");
    TRY(scan_object(s, path_below(rest, key, size), depth + 1));
  } while (take(s, ','));
  return take(s, '}') ? TFE_OK : literal_fail(s, "`,` or `}` must stand here");
}

/* The syntax was checked: what remains is a number in front of every separator. */
static TfeStatus literal_values(Scan *s, uint64_t *out) {
  int64_t count = tfe_reader_count(s->want->slot);
  s->at = s->found;
  for (int64_t i = 0; i < count; i++) {
    while (token_size(s) == 0)
      s->at++;
    size_t size = token_size(s);
    TfeTextFault fault = tfe_reader_text(s->want->slot->elem, s->at, size, &out[i]);
    if (fault != TFE_TEXT_FINE) {
      int64_t line = s->line;
      const char *row = s->start;
      for (const char *p = s->start; p < s->at; p++)
        if (*p == '\n') {
          line++;
          row = p + 1;
        }
      TfeStatus status = tfe_reader_text_fail(s->ctx, s->want, fault, line, s->at - row + 1, s->at, size);
      tfe_reader_note(s->ctx, s->want);
      return status;
    }
    s->at += size;
  }
  return TFE_OK;
}

bool tfe_literal_is(const char *text) {
  size_t size = strlen(text);
  return text[0] == '[' || text[0] == '{' || tfe_reader_is_number(text, size) || is_truth(text, size);
}

TfeStatus tfe_literal_read(TfeCtx *ctx, const TfeWant *want, const char *text, size_t size, int64_t line,
                           uint64_t *out) {
  const char *field = want->slot->field;
  Scan s = {.ctx = ctx, .want = want, .start = text, .at = text, .end = text + size, .line = line};
  if (field)
    TRY(scan_object(&s, field, 0));
  else
    TRY(scan_value(&s, ""));
  skip_space(&s);
  if (s.at != s.end)
    return literal_fail(&s, "nothing may follow the value");
  if (!s.found) {
    TfeStatus status =
        tfe_fail(ctx, TFE_INPUT_MISSING, "no data for input `%s`: no field `%s`", want->slot->name, field);
    tfe_reader_note(ctx, want);
    tfe_help(ctx, "write a struct as {\"FIELD\": VALUE, ...}");
    return status;
  }
  TRY(tfe_reader_shape(ctx, want, s.found_rank, s.found_dims));
  return literal_values(&s, out);
}
