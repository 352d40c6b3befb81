/* Errors of the environment: the first one of a context wins and keeps its text.
 *
 * Notes and helps belong to the error that was recorded last before them. They are dropped when that error
 * lost against an earlier one, so that the lines under a message always explain that message. Texts that
 * do not fit are cut. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"

static const struct {
  const char *code;
  int exit;
} rows[TFE_STATUS_COUNT] = {
    [TFE_OK] = {"", 0},
#define STATUS(id, code, exit, page) [TFE_##id] = {code, exit},
#include "status.def"
#undef STATUS
};

TfeStatus tfe_fail(struct TfeCtx *ctx, TfeStatusCode code, const char *format, ...) {
  ctx->error_dropped = ctx->error != TFE_OK;
  if (ctx->error_dropped)
    return (TfeStatus)code;
  ctx->error = (TfeStatus)code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(ctx->error_text, sizeof ctx->error_text, format, arguments);
  va_end(arguments);
  return (TfeStatus)code;
}

__attribute__((format(printf, 3, 0))) static void add_line(TfeCtx *ctx, const char *head, const char *format,
                                                           va_list arguments) {
  if (ctx->error == TFE_OK || ctx->error_dropped)
    return;
  char line[sizeof ctx->error_more];
  size_t used = strlen(ctx->error_more), room = sizeof ctx->error_more - used;
  int start = snprintf(line, sizeof line, "  = %s: ", head);
  vsnprintf(line + start, sizeof line - (size_t)start, format, arguments);
  size_t length = strlen(line);
  if (length + 2 > room) /* a whole line or none */
    return;
  memcpy(ctx->error_more + used, line, length);
  memcpy(ctx->error_more + used + length, "\n", 2);
}

void tfe_note(struct TfeCtx *ctx, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_line(ctx, "note", format, arguments);
  va_end(arguments);
}

void tfe_help(struct TfeCtx *ctx, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_line(ctx, "help", format, arguments);
  va_end(arguments);
}

const char *tfe_status_code(TfeStatus status) {
  return status >= 0 && status < TFE_STATUS_COUNT ? rows[status].code : "R0901";
}

int tfe_status_exit(TfeStatus status) {
  return status >= 0 && status < TFE_STATUS_COUNT ? rows[status].exit : rows[TFE_INTERNAL].exit;
}
