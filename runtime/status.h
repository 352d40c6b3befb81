/* How the runtime reports that the environment (a peer, a file, memory) failed. Every fallible function
 * returns a TfeStatus that must be used and is called through TRY; the first error of a context wins and
 * keeps its text. */
#ifndef TFE_STATUS_H
#define TFE_STATUS_H

#include <stdint.h>

/* status.def: one row a code: STATUS(id, "R0101", exit code, "page"). TFE_OK is 0. */
typedef enum TfeStatusCode {
  TFE_OK = 0,
#define STATUS(id, code, exit, page) TFE_##id,
#include "status.def"
#undef STATUS
  TFE_STATUS_COUNT
} TfeStatusCode;

typedef int32_t TfeStatus;

#define TFE_MUST_USE __attribute__((warn_unused_result))
#define TRY(call)                                                                                            \
  do {                                                                                                       \
    TfeStatus try_ = (call);                                                                                 \
    if (try_ != TFE_OK)                                                                                      \
      return try_;                                                                                           \
  } while (0)

struct TfeCtx;

/* Records the first error of the context: sentence, then notes and helps in order. Returns the code, so
 * that one can write `return tfe_fail(ctx, TFE_LOST_PEER, "lost %s (%s)", ...)`. Never a private value or
 * a share in the text. */
TfeStatus tfe_fail(struct TfeCtx *ctx, TfeStatusCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tfe_note(struct TfeCtx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tfe_help(struct TfeCtx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "R0101"; exit code of a status. */
const char *tfe_status_code(TfeStatus status);
int tfe_status_exit(TfeStatus status);

#endif
