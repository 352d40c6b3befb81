/* The command line of a party executable: party-NAME [OPTIONS] and party-NAME keygen. `--name VALUE` and
 * `--name=VALUE` both work; texts are borrowed from argv and the environment. */
#ifndef TFE_OPTIONS_H
#define TFE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "progress.h"

typedef enum TfeCommand {
  TFE_COMMAND_RUN,
  TFE_COMMAND_CHECK, /* everything up to the session, and the inputs; computes nothing */
  TFE_COMMAND_ABOUT,
  TFE_COMMAND_HASH,
  TFE_COMMAND_VERSION,
  TFE_COMMAND_HELP,
  TFE_COMMAND_KEYGEN,
} TfeCommand;

typedef struct TfeTexts {
  const char **items;
  int count;
} TfeTexts;

typedef struct TfeOptions {
  TfeCommand command;
  bool has_index;
  int64_t index; /* member of the family */
  const char *hosts, *listen, *key, *certificate, *authority, *program, *log, *stats, *file, *deal, *dealt,
      *state;
  TfeTexts overrides; /* --host */
  TfeTexts inputs, outputs;
  int64_t deal_count; /* 0: not given */
  int64_t threads;    /* 0: not given */
  int listen_fd;      /* -1: none */
  bool has_seed;
  uint64_t seed;
  TfeProgressMode progress;
  bool quiet, verbose, allow_clear, renew, resume;
  double wait, timeout;
  double round_trip, bandwidth; /* seconds, bit/s; 0: none */
} TfeOptions;

/* Errors are R0501 in ctx. tfe_options_free in any case. */
TfeStatus tfe_options_read(TfeCtx *ctx, int argc, char **argv, TfeOptions *options) TFE_MUST_USE;
void tfe_options_free(TfeOptions *options);
void tfe_options_help(FILE *out, const TfeProgram *program);

#endif
