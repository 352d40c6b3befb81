/* What a party has sent since a checkpoint, as digests, in a file: so that a run that goes on from there sends the same
 * or nothing (checkpoint.h). A record is on its way to the disk before its message is on its way to the peer. */
#ifndef TFE_JOURNAL_H
#define TFE_JOURNAL_H

#include "ctx.h"

enum { JOURNAL_RECORD = 16 };

typedef struct Journal {
  int fd; /* -1: none */
  char path[4096];
  uint8_t *known; /* records of the interrupted run, NULL: none */
  size_t known_bytes, at;
} Journal;

/* Of one checkpoint; with the records that are there already. */
TfeStatus journal_open(TfeCtx *ctx, Journal *j, const char *path) TFE_MUST_USE;
/* R0410 if the interrupted run has sent something else. */
TfeStatus journal_note(TfeCtx *ctx, Journal *j, int64_t peer, const void *message, size_t bytes) TFE_MUST_USE;
void journal_close(Journal *j);

#endif
