/* Progress line and log (see progress.h). */
#define _GNU_SOURCE
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "chan/chan.h"
#include "file/io.h"
#include "include/abi.h"

enum { TASKS = 4, LABEL = 48, SHOWN = 120, LINE = 512, PIECES = 12, PIECE = 200, WIDEST = 400 };

typedef struct Task {
  char label[LABEL];
  int64_t done, total, depth;
  uint64_t updates, last; /* how often it went on; when it did last, by TfeProgress.clock */
} Task;

struct TfeProgress {
  TfeProgressMode mode;
  FILE *log;
  char session[32];
  Task tasks[TASKS]; /* outermost first */
  int count;
  uint64_t clock;        /* of updates of any task */
  char shown[SHOWN];     /* what the program showed beside a task last */
  double started, first; /* seconds of the monotonic clock, and the part that was done then */
  double drawn, logged;  /* when a line was shown, and written into the log, last */
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

/* ---------------------------------------------------------------------------------------------- what is known */

static int64_t progress_rounds_expected(const TfeCtx *ctx) {
  const TfeProgram *program = ctx->program;
  return program->expected_known && program->expected ? program->expected[5 * ctx->member] : 0;
}

/* What the tasks say: done, and of the one that is under way what the next inner one says. */
static double progress_tasks_part(const TfeProgress *progress) {
  double part = 0;
  for (int i = progress->count - 1; i >= 0; i--) {
    const Task *task = &progress->tasks[i];
    if (task->total > 0)
      part = ((double)task->done + (part < 1 ? part : 0)) / (double)task->total;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
  }
  return part;
}

/* 0 .. 1; negative: nobody knows. */
static double progress_part(const TfeCtx *ctx) {
  int64_t rounds = progress_rounds_expected(ctx);
  double part =
      rounds > 0 ? (double)tfe_chan_rounds(ctx) / (double)rounds : progress_tasks_part(ctx->progress);
  if (rounds <= 0 && ctx->progress->count == 0)
    return -1;
  return part > 1 ? 1 : part;
}

void tfe_progress_begin(TfeCtx *ctx) {
  TfeProgress *progress = ctx->progress;
  if (progress == NULL)
    return;
  progress->started = progress_now();
  progress->first = progress_part(ctx) > 0 ? progress_part(ctx) : 0;
}

/* Seconds to go; negative: too early to tell. */
static double progress_left(const TfeCtx *ctx, double part) {
  const TfeProgress *progress = ctx->progress;
  double seconds = progress_now() - progress->started, gained = part - progress->first;
  return part < 0 || gained < 0.005 || seconds < 1 ? -1 : seconds * (1 - part) / gained;
}

/* --------------------------------------------------------------------------------------------------- a line */

/* Parts of the line with their weight: what weighs most goes first where there is no room. */
typedef struct Line {
  struct {
    char text[PIECE];
    int weight;
  } piece[PIECES];
  int count;
} Line;

__attribute__((format(printf, 3, 4))) static void line_add(Line *line, int weight, const char *format, ...) {
  va_list list;
  if (line->count == PIECES)
    return;
  va_start(list, format);
  vsnprintf(line->piece[line->count].text, PIECE, format, list);
  va_end(list);
  line->piece[line->count++].weight = weight;
}

/* The text on so many columns. (Names and labels of other scripts take more bytes than columns: then less is shown
 * than could be.) */
static void line_fit(Line *line, int columns, char out[LINE]) {
  for (;;) {
    int width = 0, heaviest = -1;
    for (int i = 0; i < line->count; i++) {
      if (line->piece[i].text[0] == '\0')
        continue;
      width += (int)strlen(line->piece[i].text) + (width > 0 ? 2 : 0);
      if (heaviest < 0 || line->piece[i].weight > line->piece[heaviest].weight)
        heaviest = i;
    }
    if (width <= columns || heaviest < 0 || line->piece[heaviest].weight == 0)
      break;
    line->piece[heaviest].text[0] = '\0';
  }
  size_t used = 0;
  out[0] = '\0';
  for (int i = 0; i < line->count && used + 1 < LINE; i++)
    if (line->piece[i].text[0] != '\0')
      used += (size_t)snprintf(out + used, LINE - used, "%s%s", used > 0 ? "  " : "", line->piece[i].text);
  if (columns < LINE && used > (size_t)columns)
    out[columns] = '\0';
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

/* "12.4 batch/s" or "3.2 s/epoch", of the task that goes on most often. */
static void line_add_rate(Line *line, const TfeProgress *progress) {
  const Task *task = progress->count ? &progress->tasks[progress->count - 1] : NULL;
  double seconds = progress_now() - progress->started;
  if (task == NULL || seconds < 1 || task->updates < 2)
    return;
  double rate = (double)task->updates / seconds;
  if (rate >= 1)
    line_add(line, 4, "%.1f %s/s", rate, task->label);
  else
    line_add(line, 4, "%.1f s/%s", 1 / rate, task->label);
}

static void line_add_left(Line *line, double left) {
  int64_t s = left < 6e7 ? (int64_t)(left + 0.5) : 0;
  if (left < 0 || left >= 6e7)
    return;
  if (s >= 3600)
    line_add(line, 1, "eta %" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
  else
    line_add(line, 1, "eta %" PRId64 ":%02" PRId64, s / 60, s % 60);
}

static void line_add_part(Line *line, double part, bool bar) {
  char cells[17] = "----------------";
  if (part < 0)
    return;
  memset(cells, '#', (size_t)(16 * part));
  if (bar)
    line_add(line, 3, "[%s]", cells);
  line_add(line, 1, "%2.0f %%", 100 * part);
}

static void progress_text(const TfeCtx *ctx, bool bar, int columns, char out[LINE]) {
  const TfeProgress *progress = ctx->progress;
  double part = progress_part(ctx);
  int64_t expected = progress_rounds_expected(ctx);
  char rounds[16], all[16];
  Line line = {0};
  line_add(&line, 0, "%s", ctx->name);
  for (int i = 0; i < progress->count; i++) {
    const Task *task = &progress->tasks[i];
    line_add(&line, i, "%s %" PRId64 "/%" PRId64, task->label, task->done, task->total);
  }
  line_add(&line, 1, "%s", progress->shown);
  line_add_part(&line, part, bar);
  line_add_rate(&line, progress);
  line_add_left(&line, progress_left(ctx, part));
  progress_short((double)tfe_chan_rounds(ctx), rounds);
  if (expected > 0)
    line_add(&line, 5, "%s/%s rounds", rounds, progress_short((double)expected, all));
  else
    line_add(&line, 5, "%s rounds", rounds);
  line_add(&line, 6, "%.1f MB", 1e-6 * (double)(ctx->counters.bytes_sent + ctx->counters.bytes_received));
  line_fit(&line, columns, out);
}

/* Of the terminal; `tfec run`, which shows our line on its own, tells in COLUMNS. */
static int progress_columns(void) {
  struct winsize size;
  const char *columns = getenv("COLUMNS");
  int n = columns ? atoi(columns) : 0;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    n = size.ws_col;
  return n > 0 && n < WIDEST ? n - 1 : WIDEST;
}

/* ------------------------------------------------------------------------------------------------- showing it */

static void progress_quoted(const char *text) {
  fputc('"', stderr);
  for (const char *c = text; *c != '\0'; c++)
    fputc(*c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? ' ' : *c, stderr);
  fputc('"', stderr);
}

static void progress_json(const TfeCtx *ctx) {
  const TfeProgress *progress = ctx->progress;
  static const Task none;
  double part = progress_part(ctx), left = progress_left(ctx, part);
  fprintf(stderr, "{\"party\":\"%s\",\"label\":", ctx->name);
  for (int i = 0; i == 0 || i < progress->count; i++) {
    const Task *task = i < progress->count ? &progress->tasks[i] : &none;
    fputs(i == 0 ? "" : i == 1 ? ",\"inner\":[{\"label\":" : ",{\"label\":", stderr);
    progress_quoted(task->label);
    fprintf(stderr, ",\"done\":%" PRId64 ",\"total\":%" PRId64 "%s", task->done, task->total,
            i > 0 ? "}" : "");
  }
  fputs(progress->count > 1 ? "]" : "", stderr);
  fputs(",\"shown\":", stderr);
  progress_quoted(progress->shown);
  if (part >= 0)
    fprintf(stderr, ",\"part\":%.4f", part);
  if (left >= 0)
    fprintf(stderr, ",\"seconds_left\":%.0f", left);
  fprintf(stderr,
          ",\"rounds\":%u,\"rounds_expected\":%" PRId64 ",\"bytes_sent\":%" PRIu64
          ",\"bytes_received\":%" PRIu64 ",\"seconds\":%.3f}\n",
          tfe_chan_rounds(ctx), progress_rounds_expected(ctx), ctx->counters.bytes_sent,
          ctx->counters.bytes_received, progress_now() - progress->started);
}

static void progress_show(TfeCtx *ctx) {
  TfeProgress *progress = ctx->progress;
  char line[LINE];
  progress->drawn = progress_now();
  if (progress->mode == TFE_PROGRESS_JSON) {
    progress_json(ctx);
  } else if (progress->mode == TFE_PROGRESS_LINES) {
    progress_text(ctx, false, WIDEST, line);
    fprintf(stderr, "%s\n", line);
  } else {
    progress_text(ctx, true, progress_columns(), line);
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
  if (progress_now() - progress->drawn >= pause[progress->mode])
    progress_show(ctx);
}

/* ------------------------------------------------------------------------------------------------- the tasks */

static int progress_find(const TfeProgress *progress, const char *label) {
  int at = 0;
  while (at < progress->count && strncmp(progress->tasks[at].label, label, LABEL - 1) != 0)
    at++;
  return at;
}

/* Is it of no more interest, when `now` has gone on for the first time since now->last? */
static bool progress_is_over(const Task *task, const Task *now) {
  if (task->depth < now->depth)
    return task->done >= task->total;
  return task->depth == now->depth || task->last < now->last;
}

/* Puts the task in its place, which is returned. Others are over; or they are inside, and begin anew. */
static int progress_update(TfeProgress *progress, const char *label, Task now) {
  int at = progress_find(progress, label), kept = 0;
  if (at < progress->count) {
    now.updates = progress->tasks[at].updates;
    now.last = progress->tasks[at].last;
  }
  for (int i = 0; i < progress->count; i++)
    if (i != at && !progress_is_over(&progress->tasks[i], &now))
      progress->tasks[kept++] = progress->tasks[i];
  progress->count = kept < TASKS ? kept : TASKS - 1; /* the innermost makes room */
  for (at = 0; at < progress->count && progress->tasks[at].depth < now.depth; at++)
    ;
  memmove(&progress->tasks[at + 1], &progress->tasks[at], (size_t)(progress->count++ - at) * sizeof now);
  for (int i = at + 1; i < progress->count; i++)
    progress->tasks[i].done = 0;
  snprintf(now.label, sizeof now.label, "%s", label);
  now.updates++;
  now.last = ++progress->clock;
  progress->tasks[at] = now;
  return at;
}

/* The outermost task has gone on. */
static void progress_mark(TfeCtx *ctx, bool last) {
  TfeProgress *progress = ctx->progress;
  char line[LINE];
  double now = progress_now();
  if (progress->log != NULL && (last || now - progress->logged >= 1)) {
    progress->logged = now;
    progress_text(ctx, false, WIDEST, line);
    tfe_progress_log(ctx, "%s", line + strlen(ctx->name) + (line[strlen(ctx->name)] == ' ' ? 2 : 0));
  }
  if (progress->mode == TFE_PROGRESS_LINES && (last || now - progress->drawn >= 1))
    progress_show(ctx);
}

int32_t tfe_progress(TfeCtx *ctx, const char *label, int64_t done, int64_t total, int64_t depth) {
  TfeProgress *progress = ctx->progress;
  char shown[SHOWN];
  tfe_io_take_line(ctx, shown, sizeof shown);
  if (progress == NULL)
    return TFE_OK;
  if (shown[0] != '\0')
    snprintf(progress->shown, sizeof progress->shown, "%s", shown);
  if (progress_update(progress, label, (Task){.done = done, .total = total, .depth = depth}) == 0)
    progress_mark(ctx, done >= total);
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
  progress->drawn = 0;
}

void tfe_progress_free(TfeCtx *ctx) {
  TfeProgress *progress = ctx->progress;
  if (progress == NULL)
    return;
  if (progress->mode == TFE_PROGRESS_JSON && progress->drawn > 0)
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
