/* What people see while a party runs: one progress line on standard error, and the log. Nothing here can fail
 * a run, and nothing here depends on a secret: labels, counts and values are public in the program.
 *
 *   bar     server1  epoch 4/10  batch 12/160  loss 0.31  [######----------]  38 %  12.4 batch/s  eta 0:21  ...
 *   lines   the same without the bar, as a new line when the outermost task goes on, and every few seconds
 *   json    {"party":"server1","label":"epoch","done":4,"total":10,"shown":"loss 0.31",...}, once a second
 *   auto    bar on a terminal, else none
 *
 * Tasks are what the program's `progress` names; one in an inner loop is inside one in an outer loop. The part of the work that is done is that of the rounds, where the compiler knows how many there
 * are, else what the tasks say. A line that is wider than the terminal is shown without what matters least. The
 * log has a line whenever the outermost task goes on, at most once a second. */
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
/* The program begins, or goes on: rates and remaining time count from here. */
void tfe_progress_begin(TfeCtx *ctx);
/* Shows the last state, and clears the bar. */
void tfe_progress_free(TfeCtx *ctx);
/* Shows how far the rounds have come, if it is time to. Cheap: called now and then by the event loop. */
void tfe_progress_tick(TfeCtx *ctx);
/* Takes the bar off the line before something else is written to the terminal. */
void tfe_progress_clear(TfeCtx *ctx);
/* Session id, shown in every later line of the log. */
void tfe_progress_session(TfeCtx *ctx, const char *session);
/* A line of the log: UTC time, party, session. Never a private value. With -v also on standard error. */
void tfe_progress_log(TfeCtx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
