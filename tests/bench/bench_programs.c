/* Whole programs on this machine, all parties as processes over loopback TLS: the median of several runs.
 *
 *   build   `tfec FILE -o PREFIX`, seconds
 *   run     the slowest party, connected to finished, seconds
 *   passes  of what the program loops over (training batches, queries), a second of the run
 *   rounds, bytes sent: of one server, exact */
#define _GNU_SOURCE
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

enum { RUNS = 5 };

typedef struct Subject {
  const char *name, *file, *server;
  const char *arguments; /* ROOT stands for the project's folder */
  int passes;
} Subject;

static const Subject subjects[] = {
    {"logistic", "examples/logistic/logistic.tfe", "server1",
     "--input client:x=ROOT/examples/logistic/query.csv", 1660},
    {"clinics", "examples/clinics/clinics.tfe", "server1", "--data ROOT/examples/clinics/data", 65},
    {"hospitals", "examples/hospitals/hospitals.tfe", "server1", "--data ROOT/examples/hospitals/data", 1},
    {"dense, 1 image", "tests/e2e/costs/dense.tfe", "s0", "-D queries=100", 100},
    {"lenet, 1 image", "tests/e2e/costs/lenet.tfe", "s0", "-D queries=20", 20},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

typedef struct Stats {
  double build, run;
  long long rounds, bytes;
} Stats;

static double wall(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The number behind "name": in the file; -1: none. */
static double number_in(const char *path, const char *name) {
  char text[4096] = "";
  FILE *file = fopen(path, "r");
  if (!file)
    return -1;
  size_t length = fread(text, 1, sizeof text - 1, file);
  text[length] = '\0';
  fclose(file);
  const char *at = strstr(text, bench_text("\"%s\": ", name));
  return at ? strtod(at + strlen(name) + 4, NULL) : -1;
}

static double slowest(const char *folder) {
  glob_t found;
  double most = 0;
  if (glob(bench_text("%s/*.json", folder), 0, NULL, &found) != 0)
    return 0;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    double seconds = number_in(found.gl_pathv[i], "seconds");
    most = seconds > most ? seconds : most;
  }
  globfree(&found);
  return most;
}

static const char *expanded(const char *arguments) {
  const char *root = strstr(arguments, "ROOT");
  return root ? bench_text("%.*s%s%s", (int)(root - arguments), arguments, BENCH_ROOT, root + 4) : arguments;
}

static bool measure(const Subject *s, const char *folder, Stats *stats) {
  const char *defines = strncmp(s->arguments, "-D", 2) == 0 ? s->arguments : "";
  double start = wall();
  if (system(bench_text("'%s' -q -W no-W0611 '%s/%s' %s -o %s/party", bench_tfec, BENCH_ROOT, s->file,
                        defines, folder)) != 0)
    return false;
  stats->build = wall() - start;
  if (system(bench_text("'%s' run -q -W no-W0611 '%s/%s' %s --stats %s/stats > /dev/null 2>&1", bench_tfec,
                        BENCH_ROOT, s->file, expanded(s->arguments), folder)) != 0)
    return false;
  const char *server = bench_text("%s/stats/%s.json", folder, s->server);
  stats->run = slowest(bench_text("%s/stats", folder));
  stats->rounds = (long long)number_in(server, "rounds");
  stats->bytes = (long long)number_in(server, "bytes_sent");
  return stats->rounds >= 0 && stats->bytes >= 0;
}

static int by_run(const void *a, const void *b) {
  double x = ((const Stats *)a)->run, y = ((const Stats *)b)->run;
  return (x > y) - (x < y);
}

static int by_build(const void *a, const void *b) {
  double x = ((const Stats *)a)->build, y = ((const Stats *)b)->build;
  return (x > y) - (x < y);
}

static void show(const Subject *s, Stats runs[RUNS]) {
  qsort(runs, RUNS, sizeof *runs, by_build);
  double build = runs[RUNS / 2].build;
  qsort(runs, RUNS, sizeof *runs, by_run);
  Stats r = runs[RUNS / 2];
  bench_line(bench_text("%-16s build %6.3f s   run %7.3f s   %8.0f passes/s   %7lld rounds   %10lld bytes",
                        s->name, build, r.run, s->passes / r.run, r.rounds, r.bytes),
             bench_text("{\"program\": \"%s\", \"build\": %.4f, \"run\": %.4f, \"passes\": %d, \"rounds\": "
                        "%lld, \"bytes\": %lld}",
                        s->name, build, r.run, s->passes, r.rounds, r.bytes));
}

void bench_programs(void) {
  char folder[] = "/tmp/tfe-bench-XXXXXX";
  if (!bench_tfec || !mkdtemp(folder)) {
    bench_note("programs: needs --tfec FILE");
    return;
  }
  for (int i = 0; i < SUBJECTS; i++) {
    Stats runs[RUNS];
    bool good = true;
    for (int k = 0; k < RUNS && good; k++)
      good = measure(&subjects[i], folder, &runs[k]);
    if (good)
      show(&subjects[i], runs);
    else
      bench_note("programs: %s fails", subjects[i].file);
  }
  if (system(bench_text("rm -r %s", folder)) != 0)
    bench_note("cannot remove %s", folder);
}
