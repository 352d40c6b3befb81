/* tfec: a .tfe program -> one executable a party.
 *
 * compile() is the way from text to choreography, build() from there to executables; every stage can be
 * printed with an --emit option. The commands are below them. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "cost.h"
#include "expand.h"
#include "explain.h"
#include "manifest.h"
#include "object.h"
#include "options.h"
#include "pass.h"
#include "project.h"
#include "rings.h"
#include "verify.h"

#ifndef TFEC_VERSION
#define TFEC_VERSION "0"
#endif

enum {
  EXIT_ERRORS = 1,
  EXIT_WRONG_USAGE = 2,
  EXIT_NO_SOURCE = 66,
  EXIT_INTERNAL = 70,
  EXIT_CANNOT_CREATE = 73
};

static const char *const compiler_name = "tfec " TFEC_VERSION;

/* One compilation: a file, or one test block of it. */
typedef struct Compilation {
  Arena *arena;
  const Options *options;
  const char *file;
  const char *test; /* NULL: the program itself */
  bool clear;
  Diags *diags;
  const Source *source;
  Program *program; /* the choreography */
  int exit_code;    /* 0 as long as all is well */
} Compilation;

/* ---- from text to choreography --------------------------------------------------------------- */

static bool read_source(Compilation *c) {
  const char *error = NULL;
  c->diags = diag_create(c->arena);
  for (int i = 0; i < c->options->warnings.count; i++)
    if (!diag_option(c->diags, c->options->warnings.data[i])) {
      fprintf(stderr, "tfec: -W does not know %s\n", c->options->warnings.data[i]);
      c->exit_code = EXIT_WRONG_USAGE;
      return false;
    }
  c->source = source_read(c->arena, c->file, c->file, &error);
  if (c->source)
    return true;
  fprintf(stderr, "tfec: cannot read %s: %s\n", c->file, error);
  c->exit_code = EXIT_NO_SOURCE;
  return false;
}

static CheckOptions check_options(const Compilation *c) {
  const Options *o = c->options;
  return (CheckOptions){.include_dirs = o->includes.data,
                        .include_count = o->includes.count,
                        .defines = o->defines.data,
                        .define_count = o->defines.count,
                        .needs_party = o->command != COMMAND_CHECK && o->command != COMMAND_TEST,
                        .force_clear = c->clear && !c->test,
                        .test = c->test,
                        .test_clear = c->clear && c->test};
}

static bool compile(Compilation *c) {
  if (!read_source(c))
    return false;
  CheckOptions options = check_options(c);
  Program *joint = check_program(c->arena, c->diags, c->source, &options);
  if (joint)
    verify(joint, VERIFY_JOINT);
  if (joint && !rings_choose(c->arena, c->diags, joint))
    joint = NULL;
  if (joint && c->options->dump == DUMP_IR)
    ir_print(joint, stdout);
  if (joint)
    c->program = expand_program(c->arena, c->diags, joint);
  if (c->program)
    passes_run(c->program, NULL, NULL);
  diag_flush(c->diags, stderr, c->options->format, c->options->color);
  if (!c->program || diag_error_count(c->diags))
    c->exit_code = EXIT_ERRORS;
  return c->exit_code == 0;
}

/* ---- from choreography to executables -------------------------------------------------------- */

static char *manifest_text(const Compilation *c, const Cost *cost) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (!f)
    abort();
  manifest_print(c->program, cost, compiler_name, f);
  fclose(f);
  char *kept = arena_printf(c->arena, "%s", text);
  free(text);
  return kept;
}

static const char *parameters_text(const Compilation *c) {
  const char *text = "";
  for (int i = 0; i < c->options->defines.count; i++)
    text = arena_printf(c->arena, "%s%s\n", text, c->options->defines.data[i]);
  return text;
}

static EmitInfo emit_info(const Compilation *c, const Cost *cost, const char *manifest, int decl) {
  return (EmitInfo){.compiler = compiler_name,
                    .manifest = manifest,
                    .about = manifest_about(c->program, cost, decl, compiler_name),
                    .parameters = parameters_text(c),
                    .links = manifest_links_of(c->program, decl),
                    .expected_known = cost->known,
                    .expected = cost_expected(cost, c->program, decl),
                    .total_steps = 0};
}

/* All parties' executables as PREFIX-NAME, or that of one (-1: all), and the manifest. */
static bool build(Compilation *c, const char *prefix, int only) {
  const Program *p = c->program;
  Cost *cost = cost_of(p);
  ObjectText manifest = {arena_printf(c->arena, "%s.manifest.json", prefix), manifest_text(c, cost)};
  ObjectJob *jobs = ARENA_ARRAY(c->arena, ObjectJob, p->parties.count);
  for (int i = 0; i < p->parties.count; i++) {
    ObjectJob *job = &jobs[i];
    job->path = arena_printf(c->arena, "%s-%s", prefix, p->parties.data[i].name);
    job->info = emit_info(c, cost, manifest.text, i);
    job->party = project(p, i);
    verify(job->party, VERIFY_PARTY);
  }
  EmitOptions options = {.level = c->options->level};
  const char *error = object_build(c->arena, jobs, p->parties.count, only, &options, &manifest);
  if (!error)
    return true;
  fprintf(stderr, "tfec: %s\n", error);
  c->exit_code = EXIT_CANNOT_CREATE;
  return false;
}

/* ---- commands -------------------------------------------------------------------------------- */

static int find_party(Compilation *c, const char *name) {
  for (int i = 0; i < c->program->parties.count; i++)
    if (!strcmp(c->program->parties.data[i].name, name))
      return i;
  fprintf(stderr, "tfec: %s has no party %s; it has", c->file, name);
  for (int i = 0; i < c->program->parties.count; i++)
    fprintf(stderr, "%s %s", i ? "," : "", c->program->parties.data[i].name);
  fprintf(stderr, "\n");
  c->exit_code = EXIT_WRONG_USAGE;
  return -1;
}

static void dump_tree(Compilation *c) {
  if (!read_source(c))
    return;
  const Module *m = ast_parse(c->arena, c->diags, c->source);
  if (m)
    ast_print(m, stdout);
  diag_flush(c->diags, stderr, c->options->format, c->options->color);
  if (diag_error_count(c->diags))
    c->exit_code = EXIT_ERRORS;
}

static void dump_party(Compilation *c) {
  int decl = find_party(c, c->options->party);
  if (decl < 0)
    return;
  Program *party = project(c->program, decl);
  verify(party, VERIFY_PARTY);
  Cost *cost = cost_of(c->program);
  EmitInfo info = emit_info(c, cost, manifest_text(c, cost), decl);
  EmitOptions options = {.level = c->options->level};
  const char *error = NULL;
  if (c->options->dump == DUMP_PROJECTION)
    ir_print(party, stdout);
  else if (c->options->dump == DUMP_LLVM)
    emit_print(party, &info, stdout);
  else
    error = emit_assembly(party, &info, &options, "/dev/stdout");
  if (error) {
    fprintf(stderr, "tfec: %s\n", error);
    c->exit_code = EXIT_CANNOT_CREATE;
  }
}

static void explain(Compilation *c) {
  Cost *cost = cost_of(c->program);
  ExplainOptions options = {.round_trip = c->options->round_trip, .bandwidth = c->options->bandwidth};
  if (c->options->format == DIAG_TEXT)
    explain_print(cost, c->program, &options, stdout);
  else
    explain_print_json(cost, c->program, stdout);
  if (c->options->max_rounds >= 0 && (!cost->known || cost->rounds > c->options->max_rounds)) {
    fprintf(stderr, "tfec: more than %lld rounds\n", (long long)c->options->max_rounds);
    c->exit_code = EXIT_ERRORS;
  }
}

static const char *default_prefix(const Compilation *c) {
  const char *slash = strrchr(c->file, '/'), *name = slash ? slash + 1 : c->file;
  size_t n = strlen(name);
  if (n > 4 && !strcmp(name + n - 4, ".tfe"))
    n -= 4;
  return arena_printf(c->arena, "%.*s", (int)n, name);
}

static void command_build(Compilation *c) {
  const Options *o = c->options;
  if (o->dump == DUMP_AST) {
    dump_tree(c);
    return;
  }
  if (!compile(c) || o->dump == DUMP_IR)
    return;
  if (o->dump == DUMP_CHOREOGRAPHY) {
    ir_print(c->program, stdout);
  } else if (o->dump != DUMP_NONE) {
    dump_party(c);
  } else {
    int only = o->only ? find_party(c, o->only) : -1;
    if (c->exit_code == 0 && (o->explain || o->max_rounds >= 0))
      explain(c);
    if (c->exit_code == 0)
      build(c, o->prefix ? o->prefix : default_prefix(c), only);
  }
}

/* Builds in a directory of its own, runs all parties, and removes the directory. */
static void build_and_run(Compilation *c, RunOptions *options) {
  const char *error = NULL, *directory = run_directory(c->arena, &error);
  if (!directory) {
    fprintf(stderr, "tfec: %s\n", error);
    c->exit_code = EXIT_CANNOT_CREATE;
    return;
  }
  if (c->test) /* what it stores goes with it */
    options->state_dir = directory;
  if (build(c, arena_printf(c->arena, "%s/party", directory), -1))
    c->exit_code = run_parties(c->arena, c->program, directory, options);
  run_remove_directory(directory);
}

static void command_run(Compilation *c) {
  RunOptions options = c->options->run;
  if (compile(c) && c->options->dump == DUMP_NONE)
    build_and_run(c, &options);
}

static bool run_test(const Compilation *file, const char *name, bool clear) {
  Compilation c = *file;
  RunOptions options = c.options->run;
  c.exit_code = 0;
  c.test = name;
  c.clear = clear;
  options.quiet = true;
  if (compile(&c))
    build_and_run(&c, &options);
  if (!c.options->quiet || c.exit_code)
    printf("%s  %s: %s%s\n", c.exit_code ? "FAIL" : "ok  ", c.file, name, clear ? " (clear)" : "");
  fflush(stdout);
  return c.exit_code == 0;
}

static void command_test(Compilation *c) {
  if (!read_source(c))
    return;
  CheckOptions options = check_options(c);
  CheckNames tests = check_tests(c->arena, c->diags, c->source, &options);
  diag_flush(c->diags, stderr, c->options->format, c->options->color);
  if (diag_error_count(c->diags)) {
    c->exit_code = EXIT_ERRORS;
    return;
  }
  bool found = !c->options->only;
  for (int i = 0; i < tests.count; i++) {
    if (c->options->only && strcmp(c->options->only, tests.data[i]))
      continue;
    found = true;
    for (int clear = 1; clear >= 0; clear--)
      if (!run_test(c, tests.data[i], clear))
        c->exit_code = EXIT_ERRORS;
  }
  if (!found) {
    fprintf(stderr, "tfec: %s has no test \"%s\"\n", c->file, c->options->only);
    c->exit_code = EXIT_WRONG_USAGE;
  }
}

static void command_tables(Compilation *c) {
  if (!compile(c))
    return;
  const Program *p = c->program;
  switch (c->options->command) {
  case COMMAND_EXPLAIN: explain(c); return;
  case COMMAND_REVEALS: manifest_reveals(p, stdout); return;
  case COMMAND_PARTIES: manifest_parties(p, cost_of(p), stdout); return;
  case COMMAND_CONNECTIONS: manifest_connections(p, stdout); return;
  case COMMAND_HOSTS: manifest_hosts(p, stdout); return;
  default: printf("%s\n", p->hash); return;
  }
}

static int command_explain_error(const char *code) {
  const char *page = diag_page(code);
  if (!page) {
    fprintf(stderr, "tfec: there is no message %s\n", code);
    return EXIT_WRONG_USAGE;
  }
  fputs(page, stdout);
  return 0;
}

static int run_command(const Options *o, const char *file) {
  Compilation c = {.arena = arena_new(), .options = o, .file = file, .clear = o->clear};
  switch (o->command) {
  case COMMAND_BUILD: command_build(&c); break;
  case COMMAND_RUN: command_run(&c); break;
  case COMMAND_CHECK: (void)compile(&c); break;
  case COMMAND_TEST: command_test(&c); break;
  default: command_tables(&c); break;
  }
  arena_free(c.arena);
  return c.exit_code;
}

/* ---- the program ----------------------------------------------------------------------------- */

static void internal_error(int signal) {
  static const char text[] =
      "tfec: internal error; this is a bug in tfec, please report it with the program\n";
  (void)signal;
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  _exit(EXIT_INTERNAL);
}

int main(int argc, char **argv) {
  Arena *arena = arena_new();
  Options options;
  int exit_code = options_parse(arena, &options, argc, argv);
  signal(SIGABRT, internal_error);
  if (exit_code == 0 && options.command == COMMAND_HELP)
    options_help(stdout);
  else if (exit_code == 0 && options.command == COMMAND_VERSION)
    printf("%s\n", compiler_name);
  else if (exit_code == 0 && options.command == COMMAND_EXPLAIN_ERROR)
    exit_code = command_explain_error(options.files.data[0]);
  else
    for (int i = 0; exit_code != EXIT_WRONG_USAGE && i < options.files.count; i++) {
      int one = run_command(&options, options.files.data[i]);
      exit_code = exit_code ? exit_code : one;
    }
  if (fflush(stdout) != 0 && exit_code == 0)
    exit_code = EXIT_CANNOT_CREATE;
  arena_free(arena);
  return exit_code;
}
