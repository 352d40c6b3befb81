/* The command line of tfec. One table of commands and one of options serve parsing and --help alike. */
#ifndef TFEC_OPTIONS_H
#define TFEC_OPTIONS_H

#include "diag.h"
#include "run.h"

typedef enum Command {
  COMMAND_BUILD,
  COMMAND_RUN,
  COMMAND_CHECK,
  COMMAND_TEST,
  COMMAND_EXPLAIN,
  COMMAND_REVEALS,
  COMMAND_PARTIES,
  COMMAND_CONNECTIONS,
  COMMAND_HASH,
  COMMAND_HOSTS,
  COMMAND_EXPLAIN_ERROR,
  COMMAND_VERSION,
  COMMAND_HELP,
  COMMAND_COUNT
} Command;

/* What to print instead of building. */
typedef enum Dump {
  DUMP_NONE,
  DUMP_AST,
  DUMP_IR,
  DUMP_CHOREOGRAPHY,
  DUMP_PROJECTION,
  DUMP_LLVM,
  DUMP_ASM
} Dump;

typedef struct Options {
  Command command;
  VEC(const char *) files; /* explain-error: codes */
  const char *prefix;      /* -o */
  VEC(const char *) includes, defines, warnings;
  int level; /* -O */
  DiagFormat format;
  bool color, quiet, verbose, clear, explain;
  Dump dump;
  const char *party;            /* of a dump */
  const char *only;             /* test: name; build: party */
  double round_trip, bandwidth; /* seconds, bit/s; 0: not given */
  int64_t max_rounds;           /* -1: no limit */
  RunOptions run;
} Options;

/* Returns 0, or the exit code of wrong usage after a message. Texts are borrowed from argv. */
int options_parse(Arena *a, Options *o, int argc, char **argv);
void options_help(FILE *out);

#endif
