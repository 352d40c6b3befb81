/* `tfec run`: all parties of a program on this machine. */
#ifndef TFEC_RUN_H
#define TFEC_RUN_H

#include "ir.h"

typedef struct RunOptions {
  VEC(const char *) inputs; /* "NAME=WHAT" to every owner of that input, "PARTY:NAME=WHAT" to one party */
  VEC(const char *) outputs;
  const char *data_dir;  /* a folder for each party in it (DIR/clinic.0/) is that party's working directory */
  const char *state_dir; /* shares are stored and loaded here; keys of the parties stay in it */
  bool resume;
  const char *progress; /* of one party: bar, lines, json, none; NULL: a bar on a terminal */
  const char *stats_dir; /* each party's counters are written to DIR/PARTY.json */
  const char *seed;      /* of public randomness, or NULL */
  const char *timeout;   /* seconds, or NULL */
  const char *rtt, *bandwidth; /* of an emulated network, as in "40ms" and "100Mbit", or NULL */
  bool quiet, verbose;
} RunOptions;

/* A fresh directory for executables and keys; NULL and *error if there is none to be had. From here on
 * SIGINT, SIGTERM and SIGHUP do not end tfec: run_parties ends all parties and returns, and the caller
 * removes the directory. */
const char *run_directory(Arena *a, const char **error);
void run_remove_directory(const char *directory);

/* Runs directory/party-NAME for every party as a process of its own, over TLS on loopback ports that the
 * system chooses, and waits for all of them. Lines that all parties print appear once, others with their
 * party's name. However it ends, no process is left. Returns the exit code: 0, that of the party that failed
 * first, or 128 and the signal that stopped tfec. */
int run_parties(Arena *a, const Program *program, const char *directory, const RunOptions *options);

#endif
