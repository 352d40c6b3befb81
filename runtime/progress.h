/* What people see while a party runs: one progress line on standard error, and the log. Nothing here can fail
 * a run.
 *
 *   bar     server1  epoch 4/10  [######----------]  38 %  6.3k/16.6k rounds  3.1 MB  eta 0:21
 *   lines   the same without the bar, as a new line every few seconds
 *   json    {"party":"server1","label":"epoch","done":4,"total":10,"rounds":6300,...}, once a second
 *   auto    bar on a terminal, else none */
#ifndef TFE_PROGRESS_H
#define TFE_PROGRESS_H

#include "ctx.h"

typedef enum TfeProgressMode {
  TFE_PROGRESS_AUTO,
  TFE_PROGRESS_BAR,
  TFE_PROGRESS_LINES,
  TFE_PROGRESS_JSON,
  TFE_PROGRESS_NONE,
} TfeProgressMode;

/* log_path: --log, or NULL. */
TfeStatus tfe_progress_init(TfeCtx *ctx, TfeProgressMode mode, const char *log_path) TFE_MUST_USE;
/* Shows the last state, and clears the bar. */
void tfe_progress_free(TfeCtx *ctx);
/* Shows how far the rounds have come, if it is time to. Cheap: called now and then by the event loop. */
void tfe_progress_tick(TfeCtx *ctx);
/* Takes the bar off the line before something else is written to the terminal. */
void tfe_progress_clear(TfeCtx *ctx);
/* Session id, shown in every later line of the log. */
void tfe_progress_session(TfeCtx *ctx, const char *session);
/* A line of the log: UTC time, party, session. Never a value. With -v also on standard error. */
void tfe_progress_log(TfeCtx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
