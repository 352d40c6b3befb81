/* The command line of tfec (see options.h). */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "../runtime/include/units.h"

enum { EXIT_USAGE = 2 };

static const struct {
  const char *name, *operands, *what;
} commands[COMMAND_COUNT] = {
    [COMMAND_BUILD] = {"build", "MODEL.tfe", "one executable a party (also without the word `build`)"},
    [COMMAND_RUN] = {"run", "MODEL.tfe", "build, and start all parties on this machine"},
    [COMMAND_CHECK] = {"check", "FILE...", "parse and check only"},
    [COMMAND_TEST] = {"test", "FILE...",
                      "run the test blocks, under kind clear and under the real protocols"},
    [COMMAND_EXPLAIN] = {"explain", "MODEL.tfe", "what it costs: rounds and bytes, line by line"},
    [COMMAND_REVEALS] = {"reveals", "MODEL.tfe", "everything that leaves the protocols, and to whom"},
    [COMMAND_PARTIES] = {"parties", "MODEL.tfe", "the parties and what each sends in and gets"},
    [COMMAND_CONNECTIONS] = {"connections", "MODEL.tfe", "who connects to whom"},
    [COMMAND_HASH] = {"hash", "MODEL.tfe", "the program hash that all parties compare"},
    [COMMAND_HOSTS] = {"hosts", "MODEL.tfe", "a template for hosts.toml"},
    [COMMAND_EXPLAIN_ERROR] = {"explain-error", "CODE", "the page of a message, as in E0302"},
    [COMMAND_VERSION] = {NULL, NULL, NULL},
    [COMMAND_HELP] = {NULL, NULL, NULL},
};

enum { /* commands that an option goes with */
       FOR_ALL = -1,
       FOR_BUILD = 1 << COMMAND_BUILD,
       FOR_RUN = 1 << COMMAND_RUN,
       FOR_TEST = 1 << COMMAND_TEST,
       FOR_EXPLAIN = 1 << COMMAND_EXPLAIN,
       FOR_CODE = FOR_BUILD | FOR_RUN | FOR_TEST,
};

typedef enum OptionId {
  OPTION_INPUT = 256,
  OPTION_OUTPUT,
  OPTION_DATA,
  OPTION_STATE,
  OPTION_RESUME,
  OPTION_PROGRESS,
  OPTION_STATS,
  OPTION_SEED,
  OPTION_TIMEOUT,
  OPTION_CLEAR,
  OPTION_ONLY,
  OPTION_FORMAT,
  OPTION_COLOR,
  OPTION_EXPLAIN,
  OPTION_RTT,
  OPTION_BANDWIDTH,
  OPTION_MAX_ROUNDS,
  OPTION_EMIT_AST,
  OPTION_EMIT_IR,
  OPTION_EMIT_CHOREOGRAPHY,
  OPTION_EMIT_PROJECTION,
  OPTION_EMIT_LLVM,
  OPTION_EMIT_ASM,
  OPTION_VERSION,
} OptionId;

static const struct {
  int id; /* the letter, if it has one */
  const char *name, *value;
  int with;
  const char *what;
} options[] = {
    {'o', "prefix", "PREFIX", FOR_BUILD, "names of the executables: PREFIX-PARTY (default: the file's name)"},
    {'D', "define", "NAME=VALUE", FOR_ALL, "value of a `param`"},
    {'I', "include", "DIR", FOR_ALL, "where imports are looked for too"},
    {'O', "optimize", "0..3", FOR_CODE, "effort of optimisation (default 2)"},
    {'W', "warning", "WHAT", FOR_ALL, "no-W0603: without this warning; error: warnings are errors"},
    {OPTION_ONLY, "only", "NAME", FOR_BUILD | FOR_TEST, "build: one party's executable; test: one test"},
    {OPTION_CLEAR, "clear", NULL, FOR_RUN | FOR_BUILD | FOR_EXPLAIN,
     "every protocol becomes kind clear: no secrecy, values checked against their range"},
    {OPTION_INPUT, "input", "[PARTY:]NAME=WHAT", FOR_RUN,
     "data of an input: a file, a value, - (standard input)"},
    {OPTION_OUTPUT, "output", "[PARTY:]NAME=FILE", FOR_RUN, "where an output goes"},
    {OPTION_DATA, "data", "DIR", FOR_RUN, "each party works in DIR/PARTY"},
    {OPTION_STATE, "state", "DIR", FOR_RUN, "where parties keep stored shares, checkpoints, and their keys"},
    {OPTION_RESUME, "resume", NULL, FOR_RUN, "go on with the interrupted run of --state"},
    {OPTION_PROGRESS, "progress", "MODE", FOR_RUN,
     "of a server: bar, lines, json or none (a bar on a terminal)"},
    {OPTION_STATS, "stats", "DIR", FOR_RUN, "each party writes its counters to DIR/PARTY.json"},
    {OPTION_SEED, "seed", "N", FOR_RUN | FOR_TEST, "of public randomness, for tests"},
    {OPTION_TIMEOUT, "timeout", "SECONDS", FOR_RUN | FOR_TEST, "until a silent peer counts as lost"},
    {OPTION_EXPLAIN, "explain", NULL, FOR_BUILD, "print the costs too"},
    {OPTION_RTT, "rtt", "20ms", FOR_RUN | FOR_EXPLAIN | FOR_BUILD,
     "round-trip time; run: of a network that is emulated, for trials; explain: for an estimate"},
    {OPTION_BANDWIDTH, "bandwidth", "100Mbit", FOR_RUN | FOR_EXPLAIN | FOR_BUILD,
     "of each party's uplink, likewise"},
    {OPTION_MAX_ROUNDS, "max-rounds", "N", FOR_EXPLAIN | FOR_BUILD, "fail if there are more"},
    {OPTION_FORMAT, "format", "text|json|sarif", FOR_ALL, "of messages and tables"},
    {OPTION_COLOR, "color", "auto|always|never", FOR_ALL, "of messages; NO_COLOR is honoured"},
    {OPTION_EMIT_AST, "emit-ast", NULL, FOR_BUILD, "print the syntax tree"},
    {OPTION_EMIT_IR, "emit-ir", NULL, FOR_BUILD | FOR_RUN, "print the joint program"},
    {OPTION_EMIT_CHOREOGRAPHY, "emit-choreography", NULL, FOR_BUILD,
     "print the program after protocol expansion and passes"},
    {OPTION_EMIT_PROJECTION, "emit-projection", "PARTY", FOR_BUILD, "print one party's program"},
    {OPTION_EMIT_LLVM, "emit-llvm", "PARTY", FOR_BUILD, "print one party's LLVM module"},
    {OPTION_EMIT_ASM, "emit-asm", "PARTY", FOR_BUILD, "print one party's assembly"},
    {'q', "quiet", NULL, FOR_ALL, "say less"},
    {'v', "verbose", NULL, FOR_ALL, "say more"},
    {OPTION_VERSION, "version", NULL, FOR_ALL, "print the version"},
    {'h', "help", NULL, FOR_ALL, "print this"},
};

enum { OPTION_COUNT = sizeof options / sizeof *options };

void options_help(FILE *out) {
  fprintf(out, "tfec compiles one .tfe program into one executable for each party.\n\n");
  for (int i = 0; i < COMMAND_COUNT; i++)
    if (commands[i].name)
      fprintf(out, "  tfec %-13s %-10s %s\n", commands[i].name, commands[i].operands, commands[i].what);
  fprintf(out, "\n");
  for (int i = 0; i < OPTION_COUNT; i++) {
    char text[64];
    snprintf(text, sizeof text, "--%s%s%s", options[i].name, options[i].value ? "=" : "",
             options[i].value ? options[i].value : "");
    if (options[i].id < 256)
      fprintf(out, "  -%c, %-26s %s\n", options[i].id, text, options[i].what);
    else
      fprintf(out, "      %-26s %s\n", text, options[i].what);
  }
  fprintf(
      out,
      "\nEnvironment: TFE_STDLIB (folder of the standard library), TFE_LIB (folder of libtfe.a), TFE_CC "
      "(links),\n"
      "NO_COLOR. Exit codes: 0 good, 1 errors in the program or failed tests, 2 wrong usage, 66 source not\n"
      "readable, 70 internal error, 73 output not writable; `run` passes on those of the parties.\n");
}

static int usage(const char *format, const char *a, const char *b) {
  fprintf(stderr, "tfec: ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  fprintf(stderr, format, a, b);
#pragma GCC diagnostic pop
  fprintf(stderr, "\ntry: tfec --help\n");
  return EXIT_USAGE;
}

static bool is_progress(const char *value) {
  return strcmp(value, "bar") == 0 || strcmp(value, "lines") == 0 || strcmp(value, "json") == 0 ||
         strcmp(value, "none") == 0;
}

static int find_command(const char *name) {
  for (int i = 0; i < COMMAND_COUNT; i++)
    if (commands[i].name && !strcmp(commands[i].name, name))
      return i;
  return -1;
}

static bool parse_count(const char *text, int64_t *v) {
  char *end;
  errno = 0;
  *v = strtoll(text, &end, 10);
  return end != text && *end == 0 && errno == 0 && *v >= 0;
}

static int set_dump(Options *o, Dump dump, const char *party) {
  o->dump = dump;
  o->party = party;
  return 0;
}

static int set_format(Options *o, const char *value) {
  static const char *const names[] = {[DIAG_TEXT] = "text", [DIAG_JSON] = "json", [DIAG_SARIF] = "sarif"};
  for (int i = DIAG_TEXT; i <= DIAG_SARIF; i++)
    if (!strcmp(value, names[i])) {
      o->format = (DiagFormat)i;
      return 0;
    }
  return usage("--format is text, json or sarif, not %s", value, NULL);
}

static int set_color(Options *o, const char *value) {
  if (!strcmp(value, "always"))
    o->color = true;
  else if (!strcmp(value, "never"))
    o->color = false;
  else if (strcmp(value, "auto"))
    return usage("--color is auto, always or never, not %s", value, NULL);
  return 0;
}

static int set_option(Arena *a, Options *o, int id, const char *value) {
  switch (id) {
  case 'o': o->prefix = value; return 0;
  case 'D':
    if (!strchr(value, '='))
      return usage("-D takes NAME=VALUE, not %s", value, NULL);
    VEC_PUSH(a, &o->defines, value);
    return 0;
  case 'I': VEC_PUSH(a, &o->includes, value); return 0;
  case 'W': VEC_PUSH(a, &o->warnings, value); return 0;
  case 'O':
    if (value[0] < '0' || value[0] > '3' || value[1])
      return usage("-O takes 0, 1, 2 or 3, not %s", value, NULL);
    o->level = value[0] - '0';
    return 0;
  case 'q': o->quiet = o->run.quiet = true; return 0;
  case 'v': o->verbose = o->run.verbose = true; return 0;
  case OPTION_ONLY: o->only = value; return 0;
  case OPTION_CLEAR: o->clear = true; return 0;
  case OPTION_INPUT: VEC_PUSH(a, &o->run.inputs, value); return 0;
  case OPTION_OUTPUT: VEC_PUSH(a, &o->run.outputs, value); return 0;
  case OPTION_DATA: o->run.data_dir = value; return 0;
  case OPTION_STATE: o->run.state_dir = value; return 0;
  case OPTION_RESUME: o->run.resume = true; return 0;
  case OPTION_PROGRESS:
    o->run.progress = value;
    return is_progress(value) ? 0 : usage("--progress is bar, lines, json or none, not %s", value, NULL);
  case OPTION_STATS: o->run.stats_dir = value; return 0;
  case OPTION_SEED: o->run.seed = value; return 0;
  case OPTION_TIMEOUT: o->run.timeout = value; return 0;
  case OPTION_EXPLAIN: o->explain = true; return 0;
  case OPTION_RTT:
    o->run.rtt = value;
    o->round_trip = tfe_units_rtt(value);
    return o->round_trip < 0 ? usage("--rtt takes %s, not %s", TFE_UNITS_RTT, value) : 0;
  case OPTION_BANDWIDTH:
    o->run.bandwidth = value;
    o->bandwidth = tfe_units_rate(value);
    return o->bandwidth < 0 ? usage("--bandwidth takes %s, not %s", TFE_UNITS_RATE, value) : 0;
  case OPTION_MAX_ROUNDS:
    return parse_count(value, &o->max_rounds) ? 0 : usage("--max-rounds takes a number, not %s", value, NULL);
  case OPTION_FORMAT: return set_format(o, value);
  case OPTION_COLOR: return set_color(o, value);
  case OPTION_EMIT_AST: return set_dump(o, DUMP_AST, NULL);
  case OPTION_EMIT_IR: return set_dump(o, DUMP_IR, NULL);
  case OPTION_EMIT_CHOREOGRAPHY: return set_dump(o, DUMP_CHOREOGRAPHY, NULL);
  case OPTION_EMIT_PROJECTION: return set_dump(o, DUMP_PROJECTION, value);
  case OPTION_EMIT_LLVM: return set_dump(o, DUMP_LLVM, value);
  case OPTION_EMIT_ASM: return set_dump(o, DUMP_ASM, value);
  case OPTION_VERSION: o->command = COMMAND_VERSION; return 0;
  default: o->command = COMMAND_HELP; return 0;
  }
}

static int parse_words(Arena *a, Options *o, int argc, char **argv) {
  struct option list[OPTION_COUNT + 1] = {0};
  char letters[3 * OPTION_COUNT + 2] = ":";
  for (int i = 0; i < OPTION_COUNT; i++) {
    list[i] = (struct option){options[i].name, options[i].value ? required_argument : no_argument, NULL,
                              options[i].id};
    size_t n = strlen(letters);
    if (options[i].id < 256)
      snprintf(letters + n, sizeof letters - n, "%c%s", options[i].id, options[i].value ? ":" : "");
  }
  opterr = 0;
  for (int id; (id = getopt_long(argc, argv, letters, list, NULL)) != -1;) {
    const char *word = argv[optind - 1];
    if (id == '?')
      return usage("there is no option %s", word, NULL);
    if (id == ':')
      return usage("%s needs a value", word, NULL);
    int k = 0;
    while (options[k].id != id)
      k++;
    if (options[k].with != FOR_ALL && !(options[k].with >> o->command & 1))
      return usage("--%s does not go with `%s`", options[k].name, commands[o->command].name);
    int wrong = set_option(a, o, id, optarg);
    if (wrong || o->command == COMMAND_HELP || o->command == COMMAND_VERSION)
      return wrong;
  }
  for (int i = optind; i < argc; i++)
    VEC_PUSH(a, &o->files, argv[i]);
  return 0;
}

int options_parse(Arena *a, Options *o, int argc, char **argv) {
  const char *no_color = getenv("NO_COLOR");
  *o = (Options){.level = 2, .max_rounds = -1, .color = isatty(STDERR_FILENO) && !(no_color && *no_color)};
  int command = argc > 1 ? find_command(argv[1]) : -1;
  if (command >= 0) {
    o->command = (Command)command;
    argv++;
    argc--;
  }
  int wrong = parse_words(a, o, argc, argv);
  if (wrong || o->command == COMMAND_HELP || o->command == COMMAND_VERSION)
    return wrong;
  bool many = o->command == COMMAND_CHECK || o->command == COMMAND_TEST;
  if (o->files.count == 0)
    return usage("`%s` needs %s", commands[o->command].name, commands[o->command].operands);
  if (o->files.count > 1 && !many)
    return usage("`%s` takes one file; what is %s?", commands[o->command].name, o->files.data[1]);
  return 0;
}
