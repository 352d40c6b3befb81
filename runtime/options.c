/* Options of party executables (see options.h): one table, which also is what --help prints. */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "include/units.h"

typedef enum OptionKind {
  FLAG,
  COMMAND,
  TEXT,
  TEXTS,
  SECONDS,
  INDEX,
  DESCRIPTOR,
  SEED,
  COUNT,
  PROGRESS,
  TIME,
  RATE
} OptionKind;

typedef struct Option {
  const char *name; /* without -- */
  char letter;
  OptionKind kind;
  size_t at; /* of the member of TfeOptions */
  TfeCommand command;
  const char *value, *help; /* help NULL: not for people */
} Option;

#define AT(member) offsetof(TfeOptions, member)
static const Option options_table[] = {
    {"index", 0, INDEX, AT(index), 0, "I", "which member of its family this party is"},
    {"hosts", 0, TEXT, AT(hosts), 0, "FILE",
     "addresses and keys of all parties (TFE_HOSTS, else hosts.toml)"},
    {"host", 0, TEXTS, AT(overrides), 0, "NAME=ADDR:PORT", "another address for one party; repeatable"},
    {"listen", 0, TEXT, AT(listen), 0, "ADDR:PORT",
     "where to listen, if not at this party's address in the hosts file"},
    {"listen-fd", 0, DESCRIPTOR, AT(listen_fd), 0, "N", NULL},
    {"key", 0, TEXT, AT(key), 0, "FILE", "this party's key file (TFE_KEY, else party-NAME.key)"},
    {"cert", 0, TEXT, AT(certificate), 0, "FILE",
     "certificate for the key, with --ca: X.509 instead of pinned keys"},
    {"ca", 0, TEXT, AT(authority), 0, "FILE", "certificates of the authorities that are trusted"},
    {"input", 0, TEXTS, AT(inputs), 0, "NAME=FILE|VALUE|-", "where an input comes from; repeatable"},
    {"output", 0, TEXTS, AT(outputs), 0, "NAME=FILE|-", "where an output goes; repeatable"},
    {"program", 0, TEXT, AT(program), 0, "HASH", "refuse to run if this is not the program's hash"},
    {"seed", 0, SEED, AT(seed), 0, "N", "seed of public randomness, the same at all parties (tests)"},
    {"deal", 0, TEXT, AT(deal), 0, "DIR",
     "run ahead, without a network: write what is sent as a batch into DIR"},
    {"deal-count", 0, COUNT, AT(deal_count), 0, "N", "--deal: how many batches (1)"},
    {"dealt", 0, TEXT, AT(dealt), 0, "DIR", "read from a batch, used once, what its dealer would send"},
    {"state", 0, TEXT, AT(state), 0, "DIR", "where shares and checkpoints are kept (TFE_STATE)"},
    {"resume", 0, FLAG, AT(resume), 0, NULL, "go on with the interrupted run of --state, at every party"},
    {"progress", 0, PROGRESS, AT(progress), 0, "MODE", "auto, bar, lines, json or none"},
    {"log", 0, TEXT, AT(log), 0, "FILE", "append what happens to FILE"},
    {"stats", 0, TEXT, AT(stats), 0, "FILE", "write rounds, messages and bytes to FILE as JSON"},
    {"threads", 0, COUNT, AT(threads), 0, "N",
     "threads for the work of this party (the processors, divided by the parties on this host)"},
    {"wait", 0, SECONDS, AT(wait), 0, "SECONDS", "how long to wait for all parties to come (60)"},
    {"timeout", 0, SECONDS, AT(timeout), 0, "SECONDS", "how long a party may say nothing (300)"},
    {"rtt", 0, TIME, AT(round_trip), 0, "TIME", "trials: emulate a network of this round-trip time, as 40ms"},
    {"bandwidth", 0, RATE, AT(bandwidth), 0, "RATE", "trials: emulate an uplink of this rate, as 100Mbit"},
    {"allow-clear", 0, FLAG, AT(allow_clear), 0, NULL,
     "run even though a protocol of the program hides nothing"},
    {"verbose", 'v', FLAG, AT(verbose), 0, NULL, "show the log on standard error"},
    {"quiet", 'q', FLAG, AT(quiet), 0, NULL, "no progress line"},
    {"check", 0, COMMAND, 0, TFE_COMMAND_CHECK, NULL,
     "connect, compare programs, look at the inputs; compute nothing"},
    {"about", 0, COMMAND, 0, TFE_COMMAND_ABOUT, NULL, "what this party gives and what is revealed to whom"},
    {"hash", 0, COMMAND, 0, TFE_COMMAND_HASH, NULL, "print the program's hash"},
    {"version", 0, COMMAND, 0, TFE_COMMAND_VERSION, NULL, "print versions"},
    {"help", 'h', COMMAND, 0, TFE_COMMAND_HELP, NULL, "print this"},
    {"renew", 0, FLAG, AT(renew), 0, NULL, "keygen: replace an existing key"},
    {"out", 'o', TEXT, AT(file), 0, "FILE", "keygen: the key file (party-NAME.key)"},
};
enum { OPTIONS_COUNT = sizeof options_table / sizeof *options_table };

static void *options_member(TfeOptions *options, const Option *option) {
  return (char *)options + option->at;
}

static TfeStatus options_wrong(TfeCtx *ctx, const Option *option, const char *value, const char *want) {
  return tfe_fail(ctx, TFE_USAGE, "--%s %s: %s belongs here", option->name, value, want);
}

static TfeStatus options_append(TfeCtx *ctx, TfeTexts *texts, const char *text) {
  const char **grown = realloc(texts->items, ((size_t)texts->count + 1) * sizeof *grown);
  if (grown == NULL)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  texts->items = grown;
  texts->items[texts->count++] = text;
  return TFE_OK;
}

static bool options_number(const char *text, uint64_t limit, uint64_t *out) {
  char *rest;
  if (*text < '0' || *text > '9')
    return false;
  errno = 0;
  unsigned long long number = strtoull(text, &rest, 10);
  *out = number;
  return *rest == '\0' && errno == 0 && number <= limit;
}

static TfeStatus options_progress(TfeCtx *ctx, TfeProgressMode *mode, const Option *option,
                                  const char *value) {
  static const char *const names[] = {[TFE_PROGRESS_AUTO] = "auto",
                                      [TFE_PROGRESS_BAR] = "bar",
                                      [TFE_PROGRESS_LINES] = "lines",
                                      [TFE_PROGRESS_JSON] = "json",
                                      [TFE_PROGRESS_NONE] = "none"};
  for (int i = 0; i <= TFE_PROGRESS_NONE; i++)
    if (strcmp(value, names[i]) == 0) {
      *mode = (TfeProgressMode)i;
      return TFE_OK;
    }
  return options_wrong(ctx, option, value, "auto, bar, lines, json or none");
}

static TfeStatus options_seconds(TfeCtx *ctx, double *seconds, const Option *option, const char *value) {
  char *rest;
  *seconds = strtod(value, &rest);
  if (rest == value || *rest != '\0' || !isfinite(*seconds) || *seconds <= 0 || *seconds > 1e8)
    return options_wrong(ctx, option, value, "a number of seconds above 0");
  return TFE_OK;
}

static TfeStatus options_set(TfeCtx *ctx, TfeOptions *options, const Option *option, const char *value) {
  void *member = options_member(options, option);
  uint64_t number = 0;
  switch (option->kind) {
  case FLAG: *(bool *)member = true; return TFE_OK;
  case COMMAND: options->command = option->command; return TFE_OK;
  case TEXT: *(const char **)member = value; return TFE_OK;
  case TEXTS: return options_append(ctx, member, value);
  case SECONDS: return options_seconds(ctx, member, option, value);
  case PROGRESS: return options_progress(ctx, member, option, value);
  case TIME:
    *(double *)member = tfe_units_rtt(value);
    return *(double *)member >= 0 ? TFE_OK : options_wrong(ctx, option, value, TFE_UNITS_RTT);
  case RATE:
    *(double *)member = tfe_units_rate(value);
    return *(double *)member >= 0 ? TFE_OK : options_wrong(ctx, option, value, TFE_UNITS_RATE);
  case INDEX:
    if (!options_number(value, INT32_MAX, &number))
      return options_wrong(ctx, option, value, "a number from 0");
    options->index = (int64_t)number;
    options->has_index = true;
    return TFE_OK;
  case DESCRIPTOR:
    if (!options_number(value, INT32_MAX, &number))
      return options_wrong(ctx, option, value, "a file descriptor");
    options->listen_fd = (int)number;
    return TFE_OK;
  case SEED:
    if (!options_number(value, UINT64_MAX, &options->seed))
      return options_wrong(ctx, option, value, "a number from 0");
    options->has_seed = true;
    return TFE_OK;
  case COUNT:
    if (!options_number(value, INT32_MAX, &number) || number == 0)
      return options_wrong(ctx, option, value, "a number from 1");
    *(int64_t *)member = (int64_t)number;
    return TFE_OK;
  }
  return TFE_OK;
}

static const Option *options_find(const char *argument, const char **value) {
  *value = NULL;
  for (int i = 0; i < OPTIONS_COUNT; i++) {
    const Option *option = &options_table[i];
    if (argument[1] == option->letter && option->letter != 0 && argument[2] == '\0')
      return option;
    size_t length = strlen(option->name);
    if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, option->name, length) != 0)
      continue;
    if (argument[2 + length] == '\0')
      return option;
    if (argument[2 + length] == '=' && option->value != NULL) {
      *value = argument + 3 + length;
      return option;
    }
  }
  return NULL;
}

static TfeStatus options_unknown(TfeCtx *ctx, const char *argument) {
  TfeStatus status =
      tfe_fail(ctx, TFE_USAGE, "%s `%s` is not known", argument[0] == '-' ? "option" : "argument", argument);
  tfe_help(ctx, "`--help` lists all options");
  return status;
}

static TfeStatus options_all(TfeCtx *ctx, int argc, char **argv, TfeOptions *options) {
  for (int i = 1; i < argc; i++) {
    const char *value = NULL;
    if (i == 1 && strcmp(argv[i], "keygen") == 0) {
      options->command = TFE_COMMAND_KEYGEN;
      continue;
    }
    const Option *option = argv[i][0] == '-' && argv[i][1] != '\0' ? options_find(argv[i], &value) : NULL;
    if (option == NULL)
      return options_unknown(ctx, argv[i]);
    if (option->value != NULL && value == NULL) {
      if (i + 1 == argc)
        return tfe_fail(ctx, TFE_USAGE, "--%s needs a value: %s", option->name, option->value);
      value = argv[++i];
    }
    TRY(options_set(ctx, options, option, value));
  }
  return TFE_OK;
}

static const char *options_environment(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static TfeStatus options_check_deal(TfeCtx *ctx, const TfeOptions *options) {
  if (options->deal == NULL && options->deal_count != 0)
    return tfe_fail(ctx, TFE_USAGE, "--deal-count belongs to --deal");
  if (options->deal != NULL && options->dealt != NULL)
    return tfe_fail(ctx, TFE_USAGE, "--deal writes batches and --dealt reads one: give one of them");
  if (options->deal != NULL && options->command != TFE_COMMAND_RUN)
    return tfe_fail(ctx, TFE_USAGE, "--deal is a run of its own, and does not go with other commands");
  if (options->deal == NULL || options->authority == NULL)
    return TFE_OK;
  TfeStatus status = tfe_fail(ctx, TFE_USAGE, "--deal signs with a pinned key: --cert and --ca have no use");
  tfe_help(ctx, "make a key with `keygen`, and put its line into hosts.toml of those who get the batches");
  return status;
}

static TfeStatus options_check(TfeCtx *ctx, const TfeOptions *options) {
  const TfePartyDecl *self = &ctx->program->party_decls[ctx->program->self];
  bool names_file = options->file != NULL || options->key != NULL;
  bool needs_member = options->command == TFE_COMMAND_RUN || options->command == TFE_COMMAND_CHECK ||
                      (options->command == TFE_COMMAND_KEYGEN && !names_file);
  if (options->has_index && options->index >= self->count) {
    if (self->family)
      return tfe_fail(ctx, TFE_USAGE, "--index %lld: %s has the members 0 to %lld", (long long)options->index,
                      self->name, (long long)self->count - 1);
    return tfe_fail(ctx, TFE_USAGE, "--index %lld: %s is a single party", (long long)options->index,
                    self->name);
  }
  if (needs_member && self->family && self->count > 1 && !options->has_index) {
    TfeStatus status = tfe_fail(ctx, TFE_USAGE, "which %s is this?", self->name);
    tfe_help(ctx, "give --index 0 to --index %lld", (long long)self->count - 1);
    return status;
  }
  if ((options->certificate == NULL) != (options->authority == NULL))
    return tfe_fail(ctx, TFE_USAGE, "--cert and --ca go together");
  TRY(options_check_deal(ctx, options));
  if (options->command != TFE_COMMAND_KEYGEN && (options->renew || options->file != NULL)) {
    TfeStatus status = tfe_fail(ctx, TFE_USAGE, "--renew and -o belong to keygen");
    tfe_help(ctx, "outputs of the program are named with --output NAME=FILE");
    return status;
  }
  return TFE_OK;
}

TfeStatus tfe_options_read(TfeCtx *ctx, int argc, char **argv, TfeOptions *options) {
  *options = (TfeOptions){.listen_fd = -1, .wait = 60, .timeout = 300};
  TRY(options_all(ctx, argc, argv, options));
  if (options->hosts == NULL)
    options->hosts = options_environment("TFE_HOSTS");
  if (options->key == NULL)
    options->key = options_environment("TFE_KEY");
  if (options->state == NULL)
    options->state = options_environment("TFE_STATE");
  return options_check(ctx, options);
}

void tfe_options_free(TfeOptions *options) {
  free(options->overrides.items);
  free(options->inputs.items);
  free(options->outputs.items);
  options->overrides = options->inputs = options->outputs = (TfeTexts){0};
}

void tfe_options_help(FILE *out, const TfeProgram *program) {
  const TfePartyDecl *self = &program->party_decls[program->self];
  fprintf(out, "party-%s: %s of %s\n\n", self->name, self->name, program->source);
  fprintf(
      out,
      "party-%s [OPTIONS]                    run\nparty-%s keygen [--renew] [-o FILE]   make a key pair\n\n",
      self->name, self->name);
  for (int i = 0; i < OPTIONS_COUNT; i++) {
    const Option *option = &options_table[i];
    char left[64], letter[8] = "    ";
    if (option->help == NULL)
      continue;
    if (option->letter != 0)
      snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s %s", letter, option->name, option->value ? option->value : "");
    fprintf(out, "  %-34s %s\n", left, option->help);
  }
}
