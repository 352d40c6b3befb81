/* The command line of tfec: what is understood, and what is refused. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../compiler/options.h"

/* Splits at spaces; getopt starts anew. */
static int parse(Arena *a, Options *o, const char *line) {
  static char *argv[32];
  int argc = 0;
  char *copy = arena_printf(a, "tfec %s", line);
  for (char *word = strtok(copy, " "); word && argc < 31; word = strtok(NULL, " "))
    argv[argc++] = word;
  argv[argc] = NULL;
  extern int optind;
  optind = 0;
  return options_parse(a, o, argc, argv);
}

static void test_commands(void **state) {
  (void)state;
  static const struct {
    const char *line;
    Command want;
  } cases[] = {
      {"m.tfe", COMMAND_BUILD},
      {"build m.tfe", COMMAND_BUILD},
      {"run m.tfe", COMMAND_RUN},
      {"check a.tfe b.tfe", COMMAND_CHECK},
      {"test a.tfe b.tfe", COMMAND_TEST},
      {"explain m.tfe", COMMAND_EXPLAIN},
      {"reveals m.tfe", COMMAND_REVEALS},
      {"parties m.tfe", COMMAND_PARTIES},
      {"connections m.tfe", COMMAND_CONNECTIONS},
      {"hash m.tfe", COMMAND_HASH},
      {"hosts m.tfe", COMMAND_HOSTS},
      {"explain-error E0302", COMMAND_EXPLAIN_ERROR},
      {"--version", COMMAND_VERSION},
      {"--help", COMMAND_HELP},
      {"run -h", COMMAND_HELP},
  };
  Arena *a = arena_new();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Options o;
    assert_int_equal(parse(a, &o, cases[i].line), 0);
    assert_int_equal(o.command, cases[i].want);
  }
  arena_free(a);
}

static void test_values(void **state) {
  (void)state;
  Arena *a = arena_new();
  Options o;
  assert_int_equal(parse(a, &o, "m.tfe -o out/p -D epochs=3 -Dbatch=4 -I lib -O0 -W no-W0603 --rtt 20ms -q"),
                   0);
  assert_string_equal(o.files.data[0], "m.tfe");
  assert_string_equal(o.prefix, "out/p");
  assert_int_equal(o.defines.count, 2);
  assert_string_equal(o.defines.data[1], "batch=4");
  assert_string_equal(o.includes.data[0], "lib");
  assert_string_equal(o.warnings.data[0], "no-W0603");
  assert_int_equal(o.level, 0);
  assert_true(o.round_trip > 0.0199 && o.round_trip < 0.0201);
  assert_true(o.quiet);
  assert_int_equal(parse(a, &o, "run m.tfe --rtt=500us --bandwidth 1.5Gbit"), 0);
  assert_true(o.round_trip > 0.000499 && o.round_trip < 0.000501);
  assert_true(o.bandwidth > 1.499e9 && o.bandwidth < 1.501e9);
  assert_string_equal(o.run.rtt, "500us");
  assert_string_equal(o.run.bandwidth, "1.5Gbit");
  assert_int_equal(parse(a, &o, "run m.tfe --input a:x=1 --input y=2 --stats s --seed 7 --clear"), 0);
  assert_int_equal(o.run.inputs.count, 2);
  assert_string_equal(o.run.stats_dir, "s");
  assert_string_equal(o.run.seed, "7");
  assert_true(o.clear);
  assert_int_equal(parse(a, &o, "--emit-llvm server0 m.tfe"), 0);
  assert_int_equal(o.dump, DUMP_LLVM);
  assert_string_equal(o.party, "server0");
  assert_int_equal(parse(a, &o, "explain m.tfe --format=json --max-rounds 5"), 0);
  assert_int_equal(o.format, DIAG_JSON);
  assert_int_equal(o.max_rounds, 5);
  assert_int_equal(parse(a, &o, "m.tfe"), 0);
  assert_int_equal(o.level, 2);
  assert_int_equal(o.max_rounds, -1);
  arena_free(a);
}

/* Color: never without a terminal, unless asked for; NO_COLOR is about `auto` alone. */
static void test_color(void **state) {
  (void)state;
  Arena *a = arena_new();
  Options o;
  setenv("NO_COLOR", "1", 1);
  assert_int_equal(parse(a, &o, "m.tfe"), 0);
  assert_false(o.color);
  assert_int_equal(parse(a, &o, "m.tfe --color always"), 0);
  assert_true(o.color);
  unsetenv("NO_COLOR");
  assert_int_equal(parse(a, &o, "m.tfe --color never"), 0);
  assert_false(o.color);
  arena_free(a);
}

static void test_wrong_usage(void **state) {
  (void)state;
  static const char *const lines[] = {
      "",
      "run",
      "run a.tfe b.tfe",
      "explain-error",
      "--no-such-option m.tfe",
      "-o",
      "m.tfe -D epochs",
      "m.tfe -O9",
      "m.tfe -O",
      "m.tfe --format xml",
      "m.tfe --color sometimes",
      "explain m.tfe --rtt soon",
      "explain m.tfe --rtt -1ms",
      "run m.tfe --rtt 40",
      "run m.tfe --rtt 3s",
      "run m.tfe --bandwidth 100",
      "explain m.tfe --bandwidth 0Mbit",
      "check m.tfe --bandwidth 1Gbit",
      "explain m.tfe --max-rounds many",
      "explain m.tfe --max-rounds -1",
      "check m.tfe --input x=1",
      "run m.tfe -o p",
      "hash m.tfe --clear=yes",
  };
  int keep = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
  assert_true(keep >= 0 && nowhere >= 0);
  dup2(nowhere, STDERR_FILENO);
  Arena *a = arena_new();
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    Options o;
    assert_int_equal(parse(a, &o, lines[i]), 2);
  }
  arena_free(a);
  dup2(keep, STDERR_FILENO);
  close(keep);
  close(nowhere);
}

/* Every option is in the help, and the help names every command. */
static void test_help(void **state) {
  (void)state;
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  options_help(f);
  fclose(f);
  static const char *const words[] = {"tfec run", "tfec explain-error", "--emit-projection=PARTY",
                                      "-D, --define", "NO_COLOR"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    assert_non_null(strstr(text, words[i]));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_commands),    cmocka_unit_test(test_values), cmocka_unit_test(test_color),
      cmocka_unit_test(test_wrong_usage), cmocka_unit_test(test_help),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
