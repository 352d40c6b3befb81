/* How fast the kernels are on this machine, beside a plain variant timed in the same run and beside what the
 * machine's ports and memory allow.
 *
 *   bench [--json] [--tfec FILE] [FAMILY ...]        all families when none is named
 *
 * A row: our figure, the other variant's, the ratio (how many times faster ours is) with the ratio asked for,
 * and the part of the limit that we reach with the part asked for. A row that misses what is asked is marked;
 * the exit code does not depend on it, because machines are shared and noisy. */
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ring/cpu.h"

enum { RUNS = 15 };
static const double run_seconds = 4e-3;

static bool json, first_row = true;
const char *bench_tfec;

/* -- time ------------------------------------------------------------------------------------------------- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds_of(BenchCall *call, void *data, int64_t calls) {
  double start = now();
  for (int64_t i = 0; i < calls; i++)
    call(data);
  return (now() - start) / (double)calls;
}

/* Calls that take about run_seconds together; warms up as well. */
static int64_t calls_of(BenchCall *call, void *data) {
  int64_t calls = 1;
  for (;;) {
    double seconds = seconds_of(call, data, calls) * (double)calls;
    if (seconds > run_seconds / 4 || calls > INT64_C(1) << 40)
      return seconds > run_seconds ? calls : (int64_t)((double)calls * run_seconds / seconds) + 1;
    calls *= 4;
  }
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

BenchPair bench_pair(BenchCall *ours, BenchCall *other, void *data) {
  BenchPair best = {INFINITY, INFINITY, 0};
  double ratios[RUNS];
  int64_t our_calls = calls_of(ours, data), other_calls = calls_of(other, data);
  for (int i = 0; i < RUNS; i++) {
    double a = seconds_of(ours, data, our_calls), b = seconds_of(other, data, other_calls);
    ratios[i] = b / a;
    best.ours = a < best.ours ? a : best.ours;
    best.other = b < best.other ? b : best.other;
  }
  qsort(ratios, RUNS, sizeof *ratios, compare_doubles);
  best.ratio = ratios[RUNS / 2];
  return best;
}

double bench_time(BenchCall *call, void *data) {
  double best = INFINITY;
  int64_t calls = calls_of(call, data);
  for (int i = 0; i < RUNS; i++) {
    double seconds = seconds_of(call, data, calls);
    best = seconds < best ? seconds : best;
  }
  return best;
}

/* -- memory ----------------------------------------------------------------------------------------------- */

const char *bench_text(const char *format, ...) {
  va_list arguments;
  char *text = NULL;
  va_start(arguments, format);
  if (vasprintf(&text, format, arguments) < 0)
    abort();
  va_end(arguments);
  return text;
}

uint64_t *bench_words(int64_t n) {
  static size_t offset; /* arrays that begin alike within a page get into each other's way */
  offset = (offset + 5 * 64) % 4096;
  size_t bytes = (offset + (size_t)n * 8 + 4095) / 4096 * 4096;
  uint8_t *words = aligned_alloc(4096, bytes);
  if (!words)
    abort();
  for (size_t at = 0; at < bytes;) {
    ssize_t got = getrandom(words + at, bytes - at, 0);
    at += got > 0 ? (size_t)got : 0;
  }
  return (uint64_t *)(void *)(words + offset);
}

/* -- rows ------------------------------------------------------------------------------------------------- */

static void row_json(const BenchRow *r) {
  printf("%s\n  {\"kernel\": \"%s\", \"shape\": \"%s\", \"tier\": \"%s\", \"unit\": \"%s\", \"figure\": %.6g",
         first_row ? "" : ",", r->kernel, r->shape, r->tier, r->unit, r->figure);
  if (r->against)
    printf(", \"against\": \"%s\", \"other\": %.6g, \"ratio\": %.4g", r->against, r->other, r->ratio);
  if (r->wanted > 0)
    printf(", \"ratio_wanted\": %g", r->wanted);
  if (r->limit > 0)
    printf(", \"limit\": %.6g, \"of_limit\": %.4g", r->limit, r->figure / r->limit);
  if (r->limit_wanted > 0)
    printf(", \"of_limit_wanted\": %g", r->limit_wanted);
  printf("}");
}

static void row_text(const BenchRow *r) {
  if (first_row)
    printf("%-12s %-16s %-8s %22s %34s %16s %18s\n", "kernel", "shape", "tier", "figure", "other",
           "times (asked)", "of limit (asked)");
  printf("%-12s %-16s %-8s %10.4g %-11s", r->kernel, r->shape, r->tier, r->figure, r->unit);
  if (r->against)
    printf(" %23s %10.4g", r->against, r->other);
  else
    printf(" %34s", "");
  char text[64] = "";
  if (r->against)
    snprintf(text, sizeof text, r->wanted > 0 ? "%.2f (%.2f)" : "%.2f       ", r->ratio, r->wanted);
  printf(" %16s", text);
  text[0] = '\0';
  if (r->limit > 0)
    snprintf(text, sizeof text, r->limit_wanted > 0 ? "%.0f %% (%.0f %%)" : "%.0f %%       ",
             100 * r->figure / r->limit, 100 * r->limit_wanted);
  printf(" %18s", text);
  bool missed = (r->wanted > 0 && r->ratio < r->wanted) ||
                (r->limit_wanted > 0 && r->figure < r->limit_wanted * r->limit);
  printf("%s\n", missed ? "  <- less" : "");
}

void bench_row(BenchRow row) {
  if (json)
    row_json(&row);
  else
    row_text(&row);
  first_row = false;
  fflush(stdout);
}

void bench_line(const char *text, const char *object) {
  if (json)
    printf("%s\n  %s", first_row ? "" : ",", object);
  else
    printf("%s\n", text);
  first_row = first_row && !json;
  fflush(stdout);
}

void bench_note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(json ? stderr : stdout, format, arguments);
  fputc('\n', json ? stderr : stdout);
  va_end(arguments);
}

/* -- families --------------------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  void (*run)(void);
} families[] = {
    {"limits", bench_limits}, {"matmul", bench_matmul}, {"conv", bench_conv},
    {"prg", bench_prg},       {"gate", bench_gate},     {"loop", bench_loop},
    {"chan", bench_chan},     {"pack", bench_pack},     {"programs", bench_programs},
};
enum { FAMILIES = sizeof families / sizeof *families };

static int family_of(const char *name) {
  for (int i = 0; i < FAMILIES; i++)
    if (!strcmp(families[i].name, name))
      return i;
  return -1;
}

static int usage(const char *wrong) {
  fprintf(stderr,
          "bench: unknown family or option %s\nusage: bench [--json] [--tfec FILE] [FAMILY ...]\nfamilies:",
          wrong);
  for (int i = 0; i < FAMILIES; i++)
    fprintf(stderr, " %s", families[i].name);
  fprintf(stderr, "\n");
  return 2;
}

int main(int argc, char **argv) {
  bool chosen[FAMILIES] = {false}, any = false;
  for (int i = 1; i < argc; i++) {
    int family = family_of(argv[i]);
    if (!strcmp(argv[i], "--json"))
      json = true;
    else if (!strcmp(argv[i], "--tfec") && i + 1 < argc)
      bench_tfec = argv[++i];
    else if (family >= 0)
      any = chosen[family] = true;
    else
      return usage(argv[i]);
  }
  if (json)
    printf("[");
  for (int i = 0; i < FAMILIES; i++)
    if (!any || chosen[i])
      families[i].run();
  printf(json ? "\n]\n" : "");
  return 0;
}
