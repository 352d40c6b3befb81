/* The state of one running party. Everything that is not constant lives here; each part of the runtime
 * owns one member and alone looks inside it:
 *   chan     chan/     connections to the peers          io       file/ bindings of inputs and outputs
 *   keys     prg.c     keys shared with the peers        progress progress.c
 *   deal     deal.c    batch being dealt                 dealt    dealt.c  batch in place of its producer
 *   state    state.c   folder of --state                 stored   stored.c shares of other runs in it
 *   checkpoint checkpoint.c how to go on after an interruption
 */
#ifndef TFE_CTX_H
#define TFE_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/program.h"
#include "status.h"

typedef struct TfeChan TfeChan;             /* chan/chan.h */
typedef struct TfeKeys TfeKeys;             /* prg.h */
typedef struct TfeIo TfeIo;                 /* file/io.h */
typedef struct TfeProgress TfeProgress;     /* progress.h */
typedef struct TfeDeal TfeDeal;             /* deal.h */
typedef struct TfeDealt TfeDealt;           /* dealt.h */
typedef struct TfeState TfeState;           /* state.h */
typedef struct TfeCheckpoint TfeCheckpoint; /* checkpoint.h */

/* What a party counted, to be compared with the program's `expected`. */
typedef struct TfeCounters {
  uint32_t clock; /* logical clock: rounds so far */
  uint64_t messages_sent, bytes_sent, messages_received, bytes_received;
} TfeCounters;

enum { TFE_NAME_BYTES = 128 };

struct TfeCtx {
  const TfeProgram *program;
  int64_t party;             /* number of this party; program->party_decls[self].first + member */
  int64_t member;            /* index in its family, else 0 */
  char name[TFE_NAME_BYTES]; /* "server1", "provider.3": as shown */
  char binary[160];          /* "party-provider.3": prefix of messages */
  uint64_t *arena;           /* data memory, program->arena_words words; wiped at the end */
  uint64_t *loop_passes;     /* passes so far of each loop */
  int64_t loop_capacity;
  int64_t site; /* last site noted, for messages about lost peers; -1 none */
  TfeCounters counters;
  TfeChan *chan;
  TfeKeys *keys;
  TfeIo *io;
  TfeProgress *progress;
  TfeDeal *deal;   /* NULL: what is sent goes to the peers */
  TfeDealt *dealt; /* NULL: every producer is there itself */
  TfeState *state; /* NULL: no --state */
  struct TfeStoredState *stored;
  TfeCheckpoint *checkpoint; /* NULL: none are kept */
  uint64_t entropy_draws;    /* of this party's own, while checkpoints are kept */
  uint8_t session_id[32];    /* the same at all parties of a run, and of no other run */
  uint8_t hash_key[16];      /* of the session, public: for comparison keys (gate/hash.h) */
  /* the first error */
  TfeStatus error;
  bool error_dropped; /* the error recorded last was not the first: its notes are not kept */
  char error_text[1024];
  char error_more[4096]; /* "  = note: ...\n  = help: ...\n" */
  /* settings of the command line that several parts read */
  double wait_seconds;          /* for a peer to come: --wait */
  double timeout_seconds;       /* for a peer to answer: --timeout */
  double round_trip, bandwidth; /* of the emulated network: seconds, bit/s; 0: none (--rtt, --bandwidth) */
  bool quiet, verbose;
  char *party_names;        /* TFE_NAME_BYTES for each party */
  uint64_t allocations;     /* calls of tfe_alloc so far */
  uint64_t fail_allocation; /* tests: the call with this number (from 1) finds no memory; 0 none */
};

/* "server1", "provider.3" for any party number; text lives as long as the context. */
const char *tfe_party_name(const TfeCtx *ctx, int64_t party);
/* program->sites[site], or "". */
const char *tfe_site_text(const TfeCtx *ctx, int64_t site);
/* Adds the note "at logreg.tfe:25" to the error just recorded, when the site is known. */
void tfe_note_site(TfeCtx *ctx, int64_t site);

TfeStatus tfe_ctx_init(TfeCtx *ctx, const TfeProgram *program, int64_t member) TFE_MUST_USE;
/* For another run of the program in the same context: memory, loops and counters as after tfe_ctx_init. */
void tfe_ctx_rewind(TfeCtx *ctx);
/* Counters for that many loops, at least. */
TfeStatus tfe_ctx_loops(TfeCtx *ctx, int64_t loops) TFE_MUST_USE;
/* Wipes and frees. */
void tfe_ctx_free(TfeCtx *ctx);
/* Memory that counts, can be limited in tests, and is wiped on free. */
TfeStatus tfe_alloc(TfeCtx *ctx, size_t bytes,
                    void *out) TFE_MUST_USE; /* *(void **)out, zeroed, aligned to 64 */
void tfe_release(void *memory, size_t bytes);

#endif
