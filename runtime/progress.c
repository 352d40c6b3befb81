/* Progress line and log (see progress.h). Percentages are exact where the program's costs are: rounds so
 * far of rounds in all; otherwise what tfe_progress was told. */
#define _GNU_SOURCE
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chan/chan.h"
#include "include/abi.h"
#include "stop.h"

struct TfeProgress {
  TfeProgressMode mode;
  FILE *log;
  char session[32];
  char label[64];
  int64_t done, total;
  double started, shown; /* seconds of the monotonic clock */
  bool on_line;          /* a bar stands on the terminal's line */
};

static double progress_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

TfeStatus tfe_progress_init(TfeCtx *ctx, TfeProgressMode mode, const char *log_path) {
  TfeProgress *progress = NULL;
  TRY(tfe_alloc(ctx, sizeof *progress, &progress));
  ctx->progress = progress;
  if (mode == TFE_PROGRESS_AUTO)
    mode = !ctx->quiet && isatty(STDERR_FILENO) ? TFE_PROGRESS_BAR : TFE_PROGRESS_NONE;
  progress->mode = mode;
  progress->started = progress_now();
  if (log_path == NULL)
    return TFE_OK;
  progress->log = fopen(log_path, "ae");
  if (progress->log == NULL)
    return tfe_fail(ctx, TFE_OUTPUT, "cannot write the log %s: %s", log_path, strerror(errno));
  return TFE_OK;
}

/* --------------------------------------------------------------------------------------------------- line */

static int64_t progress_rounds_expected(const TfeCtx *ctx) {
  const TfeProgram *program = ctx->program;
  return program->expected_known && program->expected ? program->expected[5 * ctx->member] : 0;
}

/* 0 .. 1; negative: nobody knows. */
static double progress_part(const TfeCtx *ctx) {
  const TfeProgress *progress = ctx->progress;
  int64_t rounds = progress_rounds_expected(ctx);
  double part = -1;
  if (rounds > 0)
    part = (double)tfe_chan_rounds(ctx) / (double)rounds;
  else if (progress->total > 0)
    part = (double)progress->done / (double)progress->total;
  return part > 1 ? 1 : part;
}

static const char *progress_short(double number, char text[16]) {
  if (number < 1e4)
    snprintf(text, 16, "%.0f", number);
  else if (number < 1e6)
    snprintf(text, 16, "%.1fk", number / 1e3);
  else
    snprintf(text, 16, "%.1fM", number / 1e6);
  return text;
}

static void progress_text(const TfeCtx *ctx, bool bar, char *line, size_t size) {
  const TfeProgress *progress = ctx->progress;
  char label[128] = "", middle[64] = "", eta[48] = "", rounds[16], all[24] = "";
  double part = progress_part(ctx), seconds = progress_now() - progress->started;
  int64_t expected = progress_rounds_expected(ctx);
  if (progress->label[0] != '\0')
    snprintf(label, sizeof label, "  %s %" PRId64 "/%" PRId64, progress->label, progress->done,
             progress->total);
  if (part >= 0 && bar) {
    char cells[17] = "----------------";
    memset(cells, '#', (size_t)(16 * part));
    snprintf(middle, sizeof middle, "  [%s]  %2.0f %%", cells, 100 * part);
  } else if (part >= 0) {
    snprintf(middle, sizeof middle, "  %2.0f %%", 100 * part);
  }
  if (part > 0.01 && seconds > 1) {
    double left = seconds * (1 - part) / part;
    snprintf(eta, sizeof eta, "  eta %.0f:%02.0f", left < 6e7 ? (double)(int64_t)(left / 60) : 0,
             left < 6e7 ? (double)((int64_t)left % 60) : 0);
  }
  if (expected > 0) {
    char number[16];
    snprintf(all, sizeof all, "/%s", progress_short((double)expected, number));
  }
  double megabytes = 1e-6 * (double)(ctx->counters.bytes_sent + ctx->counters.bytes_received);
  snprintf(line, size, "%s%s%s  %s%s rounds  %.1f MB%s", ctx->name, label, middle,
           progress_short((double)tfe_chan_rounds(ctx), rounds), all, megabytes, eta);
}

static void progress_json(const TfeCtx *ctx) {
  const TfeProgress *progress = ctx->progress;
  char label[64];
  size_t n = 0;
  for (const char *c = progress->label; *c != '\0'; c++)
    label[n++] = *c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? ' ' : *c;
  label[n] = '\0';
  fprintf(stderr,
          "{\"party\":\"%s\",\"label\":\"%s\",\"done\":%" PRId64 ",\"total\":%" PRId64
          ",\"rounds\":%u,\"rounds_expected\":%" PRId64 ",\"bytes_sent\":%" PRIu64
          ",\"bytes_received\":%" PRIu64 ",\"seconds\":%.3f}\n",
          ctx->name, label, progress->done, progress->total, tfe_chan_rounds(ctx),
          progress_rounds_expected(ctx), ctx->counters.bytes_sent, ctx->counters.bytes_received,
          progress_now() - progress->started);
}

static void progress_show(TfeCtx *ctx) {
  TfeProgress *progress = ctx->progress;
  char line[320];
  if (progress->mode == TFE_PROGRESS_JSON) {
    progress_json(ctx);
  } else if (progress->mode == TFE_PROGRESS_LINES) {
    progress_text(ctx, false, line, sizeof line);
    fprintf(stderr, "%s\n", line);
  } else {
    progress_text(ctx, true, line, sizeof line);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    progress->on_line = true;
  }
}

void tfe_progress_tick(TfeCtx *ctx) {
  static const double pause[] = {
      [TFE_PROGRESS_BAR] = 0.1, [TFE_PROGRESS_LINES] = 5, [TFE_PROGRESS_JSON] = 1, [TFE_PROGRESS_NONE] = 0};
  TfeProgress *progress = ctx->progress;
  if (progress == NULL || progress->mode == TFE_PROGRESS_NONE)
    return;
  double now = progress_now();
  if (now - progress->shown < pause[progress->mode])
    return;
  progress->shown = now;
  progress_show(ctx);
}

int32_t tfe_progress(TfeCtx *ctx, const char *label, int64_t done, int64_t total) {
  TfeProgress *progress = ctx->progress;
  if (tfe_stop_signal() != 0)
    return tfe_fail(ctx, TFE_INTERRUPTED, "stopped by signal %d", tfe_stop_signal());
  if (progress == NULL)
    return TFE_OK;
  snprintf(progress->label, sizeof progress->label, "%s", label);
  progress->done = done;
  progress->total = total;
  tfe_progress_tick(ctx);
  return TFE_OK;
}

void tfe_progress_clear(TfeCtx *ctx) {
  TfeProgress *progress = ctx->progress;
  if (progress == NULL || !progress->on_line)
    return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  progress->on_line = false;
  progress->shown = 0;
}

void tfe_progress_free(TfeCtx *ctx) {
  TfeProgress *progress = ctx->progress;
  if (progress == NULL)
    return;
  if (progress->mode == TFE_PROGRESS_JSON && progress->shown > 0)
    progress_show(ctx);
  tfe_progress_clear(ctx);
  if (progress->log != NULL)
    fclose(progress->log);
  tfe_release(progress, sizeof *progress);
  ctx->progress = NULL;
}

/* ---------------------------------------------------------------------------------------------------- log */

void tfe_progress_session(TfeCtx *ctx, const char *session) {
  if (ctx->progress != NULL)
    snprintf(ctx->progress->session, sizeof ctx->progress->session, "%s", session);
}

void tfe_progress_log(TfeCtx *ctx, const char *format, ...) {
  TfeProgress *progress = ctx->progress;
  if (progress == NULL || (progress->log == NULL && !ctx->verbose))
    return;
  char text[1024], when[32];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (ctx->verbose) {
    tfe_progress_clear(ctx);
    fprintf(stderr, "%s: %s\n", ctx->binary, text);
  }
  if (progress->log == NULL)
    return;
  time_t now = time(NULL);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
  const char *site = ctx->site >= 0 ? tfe_site_text(ctx, ctx->site) : "";
  fprintf(progress->log, "%s %s %s %s%s%s\n", when, ctx->name, progress->session[0] ? progress->session : "-",
          site, site[0] ? ": " : "", text);
  fflush(progress->log);
}
