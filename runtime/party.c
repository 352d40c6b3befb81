/* main() of every party executable. Reads top down: what the command line wants; then, for a run, the
 * steps in order: inputs are looked at before anybody is connected, the program runs only after all
 * parties agreed that it is the same one, its costs are compared with what the compiler promised, and
 * outputs take their names only after all that. A producer can do its part ahead (--deal), and others read
 * what it dealt (--dealt). */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "chan/chan.h"
#include "checkpoint.h"
#include "ctx.h"
#include "deal.h"
#include "dealt.h"
#include "file/io.h"
#include "hosts.h"
#include "identity.h"
#include "options.h"
#include "pool.h"
#include "progress.h"
#include "session.h"
#include "state.h"
#include "stop.h"
#include "stored.h"

typedef struct Party {
  TfeCtx ctx;
  TfeOptions options;
  TfePeer *peers;
  TfeIdentity *identity;
  double started;
  char ledger[600]; /* of used batches */
} Party;

static double party_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Shares, masks and keys stay out of core files, and other processes of the same user cannot attach. */
static void party_shield(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int party_report(Party *party) {
  TfeCtx *ctx = &party->ctx;
  tfe_progress_clear(ctx);
  if (ctx->error != TFE_OK) {
    tfe_progress_log(ctx, "error[%s]: %s", tfe_status_code(ctx->error), ctx->error_text);
    fprintf(stderr, "%s: error[%s]: %s\n%s", ctx->binary, tfe_status_code(ctx->error), ctx->error_text,
            ctx->error_more);
  }
  if (tfe_stop_signal() != 0 && (ctx->error == TFE_OK || ctx->error == TFE_INTERRUPTED))
    return 128 + tfe_stop_signal();
  return tfe_status_exit(ctx->error);
}

/* ------------------------------------------------------------------------------------- the short commands */

static void party_about(const TfeProgram *program, const char *name) {
  const char *text = program->about ? program->about : "";
  const char *gap = strstr(text, "%s");
  if (gap == NULL)
    printf("%s\n", text);
  else
    printf("%.*s%s%s\n", (int)(gap - text), text, name, gap + 2);
}

static void party_version(const TfeProgram *program) {
  printf("party-%s, %s, program %s\n", program->party_decls[program->self].name, program->source,
         program->hash);
  printf("%s, abi %" PRId64 ", protocol %d, %s\n", program->compiler, program->abi_version,
         TFE_PROTOCOL_VERSION, OpenSSL_version(OPENSSL_VERSION));
}

static const char *party_key_file(const Party *party, char text[512]) {
  snprintf(text, 512, "%s.key", party->ctx.binary);
  return text;
}

static TfeStatus party_keygen(Party *party) {
  TfeCtx *ctx = &party->ctx;
  char own[512], text[TFE_IDENTITY_TEXT_BYTES];
  const char *file = party->options.file ? party->options.file : party->options.key;
  uint8_t key[TFE_IDENTITY_KEY_BYTES];
  if (file == NULL)
    file = party_key_file(party, own);
  TRY(tfe_identity_keygen(ctx, file, party->options.renew, key));
  tfe_identity_text(key, text);
  const TfePartyDecl *self = &ctx->program->party_decls[ctx->program->self];
  bool some_member = self->family && !party->options.has_index;
  fprintf(stderr, "%s: wrote %s; every party needs this line under [%s%s] in hosts.toml:\n", ctx->binary,
          file, some_member ? self->name : ctx->name, some_member ? ".I" : "");
  printf("key = \"%s\"\n", text);
  return TFE_OK;
}

/* -------------------------------------------------------------------------------------------------- a run */

static TfeStatus party_permitted(const Party *party, TfeCtx *ctx) {
  const TfeProgram *program = ctx->program;
  const TfeOptions *options = &party->options;
  if (options->program != NULL && strcmp(options->program, program->hash) != 0) {
    TfeStatus status = tfe_fail(ctx, TFE_PROGRAM_DIFFERS, "this is not the program that --program names");
    tfe_note(ctx, "this is   %s  %s, %s", program->hash, program->source, program->compiler);
    tfe_note(ctx, "wanted is %s", options->program);
    return status;
  }
  if (program->uses_clear && !options->allow_clear && options->command == TFE_COMMAND_RUN) {
    TfeStatus status = tfe_fail(ctx, TFE_CLEAR_REFUSED,
                                "%s has a protocol of kind clear, which hides nothing", program->source);
    tfe_help(ctx, "--allow-clear runs it nevertheless, on data that everybody may see");
    return status;
  }
  if (tfe_stored_needed(ctx) && options->state == NULL) {
    TfeStatus status = tfe_fail(ctx, TFE_USAGE, "%s stores or loads shares: where?", program->source);
    tfe_note(ctx, "`%s`, at %s", program->stored[0].name, program->stored[0].where);
    tfe_help(ctx, "--state DIR names the folder in which %s keeps them", ctx->name);
    return status;
  }
  if (options->resume && (options->state == NULL || program->checkpoints == 0)) {
    if (program->checkpoints == 0)
      return tfe_fail(ctx, TFE_USAGE, "--resume: %s has no `checkpoint()` from which it could go on",
                      program->source);
    return tfe_fail(ctx, TFE_USAGE, "--resume: --state DIR says where the checkpoints are");
  }
  if (options->deal != NULL)
    return tfe_deal_permitted(ctx);
  return options->dealt != NULL ? tfe_dealt_permitted(ctx) : TFE_OK;
}

/* A printed line takes the place of the progress bar, which comes back below it. */
static TfeStatus party_print(void *user, const char *text, size_t size, bool joint) {
  TfeCtx *ctx = user;
  (void)joint;
  tfe_progress_clear(ctx);
  if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0)
    return TFE_OK;
  return tfe_fail(ctx, TFE_OUTPUT, "cannot write to standard output: %s", strerror(errno));
}

static TfeStatus party_files(Party *party) {
  TfeCtx *ctx = &party->ctx;
  TRY(tfe_io_init(ctx));
  tfe_io_print_sink(ctx, party_print, ctx);
  for (int i = 0; i < party->options.inputs.count; i++)
    TRY(tfe_io_bind_input(ctx, party->options.inputs.items[i]));
  for (int i = 0; i < party->options.outputs.count; i++)
    TRY(tfe_io_bind_output(ctx, party->options.outputs.items[i]));
  return tfe_io_check(ctx);
}

static bool party_linked(const TfeCtx *ctx) {
  const uint8_t *links = ctx->program->links + ctx->member * ctx->program->party_count;
  for (int64_t p = 0; p < ctx->program->party_count; p++)
    if (links[p] != 0 && p != ctx->party)
      return true;
  return false;
}

static const char *party_key(const Party *party, char text[512]) {
  return party->options.key ? party->options.key : party_key_file(party, text);
}

static TfeStatus party_dealt(Party *party) {
  const TfeOptions *options = &party->options;
  char text[512];
  const char *key = party_key(party, text);
  if (options->dealt == NULL)
    return TFE_OK;
  if ((size_t)snprintf(party->ledger, sizeof party->ledger, "%s.used", key) >= sizeof party->ledger)
    return tfe_fail(&party->ctx, TFE_KEY_FILE, "the name of the key file is too long");
  return tfe_dealt_open(&party->ctx, options->dealt, party->ledger, party->peers, options->has_seed,
                        options->seed);
}

static TfeStatus party_hosts(Party *party) {
  TfeCtx *ctx = &party->ctx;
  const TfeOptions *options = &party->options;
  const char *file = options->hosts;
  TRY(tfe_alloc(ctx, (size_t)ctx->program->party_count * sizeof *party->peers, &party->peers));
  if (file == NULL && access("hosts.toml", R_OK) == 0)
    file = "hosts.toml";
  if (file != NULL)
    TRY(tfe_hosts_read(ctx, file, party->peers));
  for (int i = 0; i < options->overrides.count; i++)
    TRY(tfe_hosts_override(ctx, options->overrides.items[i], party->peers));
  if (options->listen != NULL && !tfe_hosts_address(options->listen, &party->peers[ctx->party])) {
    TfeStatus status = tfe_fail(ctx, TFE_USAGE, "--listen %s: this is not an address", options->listen);
    tfe_help(ctx, "write ADDR:PORT, as in 0.0.0.0:7700 or [::]:7700");
    return status;
  }
  TRY(party_dealt(party));
  return tfe_hosts_check(ctx, file, party->peers, options->authority != NULL);
}

static TfeStatus party_identity(Party *party) {
  TfeCtx *ctx = &party->ctx;
  const TfeOptions *options = &party->options;
  const TfePeer *own = &party->peers[ctx->party];
  char text[512];
  const char *key = party_key(party, text);
  if (options->authority != NULL)
    TRY(tfe_identity_load_pki(ctx, options->certificate, key, options->authority, &party->identity));
  else
    TRY(tfe_identity_load(ctx, key, &party->identity));
  if (!own->has_key || !party->identity->has_public_key ||
      memcmp(own->key, party->identity->public_key, sizeof own->key) == 0)
    return TFE_OK;
  char ours[TFE_IDENTITY_TEXT_BYTES], theirs[TFE_IDENTITY_TEXT_BYTES];
  tfe_identity_text(party->identity->public_key, ours);
  tfe_identity_short(own->key, theirs);
  TfeStatus status = tfe_fail(ctx, TFE_KEY_FILE, "%s is not the key that %s:%d names for %s", key,
                              own->file ? own->file : "hosts.toml", own->line, ctx->name);
  tfe_note(ctx, "there %s, in the key file %s", theirs, ours);
  tfe_help(ctx, "give the right key file with --key, or put the new key into hosts.toml on every host");
  return status;
}

/* The processors that this process may use, divided by the parties of the program that are on this host. */
static void party_threads(const Party *party) {
  const TfeCtx *ctx = &party->ctx;
  cpu_set_t set;
  int processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  int64_t together =
      party->peers ? tfe_hosts_together(party->peers, ctx->program->party_count, ctx->party) : 1;
  int64_t wanted = party->options.threads ? party->options.threads : processors / together;
  tfe_pool_set(wanted < INT32_MAX ? (int)wanted : INT32_MAX);
}

/* Of a party that nobody has to authenticate: a key that signs what it stores, or any. */
static TfeStatus party_alone(Party *party) {
  TfeCtx *ctx = &party->ctx;
  char text[512];
  TRY(tfe_alloc(ctx, (size_t)ctx->program->party_count * sizeof *party->peers, &party->peers));
  if (party->options.state != NULL)
    return tfe_identity_load(ctx, party_key(party, text), &party->identity);
  return tfe_identity_new(ctx, &party->identity);
}

static TfeStatus party_state(Party *party) {
  TfeCtx *ctx = &party->ctx;
  if (party->options.state == NULL || (!tfe_stored_needed(ctx) && ctx->program->checkpoints == 0))
    return TFE_OK;
  TRY(tfe_state_open(ctx, party->options.state, party->identity, party->peers));
  TRY(tfe_stored_check(ctx));
  return ctx->program->checkpoints > 0 ? tfe_checkpoint_check(ctx, party->options.resume) : TFE_OK;
}

static TfeStatus party_connect(Party *party) {
  TfeCtx *ctx = &party->ctx;
  if (party_linked(ctx)) {
    TRY(party_hosts(party));
    TRY(party_identity(party));
  } else {
    TRY(party_alone(party));
  }
  TRY(party_state(party));
  int fd = party->options.listen_fd;
  party->options.listen_fd = -1;
  TRY(tfe_chan_init(ctx, party->peers, party->identity, fd));
  TRY(tfe_chan_connect(ctx));
  return tfe_session_start(ctx, party->options.has_seed, party->options.seed);
}

typedef struct Cost {
  const char *name;
  uint64_t measured, expected;
} Cost;

enum { COSTS = 5 };

static void party_costs(const TfeCtx *ctx, Cost costs[COSTS]) {
  const TfeProgram *program = ctx->program;
  const int64_t *expected = program->expected_known ? program->expected + COSTS * ctx->member : NULL;
  const TfeCounters *c = &ctx->counters;
  costs[0] = (Cost){"rounds", tfe_chan_rounds(ctx), 0};
  costs[1] = (Cost){"messages_sent", c->messages_sent, 0};
  costs[2] = (Cost){"bytes_sent", c->bytes_sent, 0};
  costs[3] = (Cost){"messages_received", c->messages_received, 0};
  costs[4] = (Cost){"bytes_received", c->bytes_received, 0};
  for (int i = 0; expected != NULL && i < COSTS; i++)
    costs[i].expected = (uint64_t)expected[i];
}

/* `tfec explain` is exact, or it is a bug. */
static TfeStatus party_compare_costs(TfeCtx *ctx) {
  Cost costs[COSTS];
  if (!ctx->program->expected_known || ctx->program->expected == NULL)
    return TFE_OK;
  party_costs(ctx, costs);
  bool same = true;
  for (int i = 0; i < COSTS; i++)
    same = same && costs[i].measured == costs[i].expected;
  if (same)
    return TFE_OK;
  TfeStatus status = tfe_fail(ctx, TFE_INTERNAL, "the run did not cost what the compiler computed");
  for (int i = 0; i < COSTS; i++)
    if (costs[i].measured != costs[i].expected)
      tfe_note(ctx, "%s: %" PRIu64 ", computed %" PRIu64, costs[i].name, costs[i].measured,
               costs[i].expected);
  tfe_help(ctx, "this is a bug in tfec; please report it with `%s --version`", ctx->binary);
  return status;
}

static TfeStatus party_stats(Party *party) {
  TfeCtx *ctx = &party->ctx;
  Cost costs[COSTS];
  if (party->options.stats == NULL)
    return TFE_OK;
  party_costs(ctx, costs);
  FILE *file = fopen(party->options.stats, "we");
  if (file == NULL)
    return tfe_fail(ctx, TFE_OUTPUT, "cannot write %s: %s", party->options.stats, strerror(errno));
  fprintf(file, "{\"party\": \"%s\", \"program\": \"%s\", \"expected_known\": %s", ctx->name,
          ctx->program->hash, ctx->program->expected_known ? "true" : "false");
  for (int i = 0; i < COSTS; i++)
    fprintf(file, ", \"%s\": %" PRIu64, costs[i].name, costs[i].measured);
  fprintf(file, ", \"seconds\": %.6f}\n", party_seconds() - party->started);
  if (fclose(file) != 0)
    return tfe_fail(ctx, TFE_OUTPUT, "cannot write %s: %s", party->options.stats, strerror(errno));
  return TFE_OK;
}

static TfeStatus party_program(Party *party) {
  TfeCtx *ctx = &party->ctx;
  party_threads(party);
  party->started = party_seconds();
  tfe_progress_begin(ctx);
  TfeStatus status = ctx->program->run(ctx, ctx->arena);
  if (status != TFE_OK && ctx->error == TFE_OK)
    return tfe_fail(ctx, TFE_INTERNAL, "the program ended with status %d without a message", status);
  TRY(status);
  if (tfe_stop_signal() != 0)
    return tfe_fail(ctx, TFE_INTERRUPTED, "stopped by signal %d", tfe_stop_signal());
  TRY(party_compare_costs(ctx));
  return party_stats(party);
}

static TfeStatus party_deal_batch(Party *party) {
  TfeCtx *ctx = &party->ctx;
  const TfeOptions *options = &party->options;
  TRY(party_files(party));
  TRY(tfe_chan_init_dealing(ctx));
  TRY(tfe_deal_begin(ctx, options->deal, party->identity, options->has_seed, options->seed));
  TRY(party_program(party));
  TRY(tfe_deal_commit(ctx));
  printf("%s: dealt %s\n", ctx->binary, tfe_deal_path(ctx));
  TRY(tfe_io_commit(ctx));
  tfe_deal_free(ctx);
  tfe_chan_free(ctx);
  tfe_io_free(ctx);
  tfe_ctx_rewind(ctx);
  return TFE_OK;
}

static TfeStatus party_deal(Party *party) {
  char text[512];
  TRY(tfe_identity_load(&party->ctx, party_key(party, text), &party->identity));
  for (int64_t i = 0; i < (party->options.deal_count ? party->options.deal_count : 1); i++)
    TRY(party_deal_batch(party));
  return TFE_OK;
}

static TfeStatus party_run(Party *party) {
  TfeCtx *ctx = &party->ctx;
  const TfeOptions *options = &party->options;
  TRY(tfe_progress_init(ctx, options->progress, options->log));
  TRY(party_permitted(party, ctx));
  if (options->deal != NULL)
    return party_deal(party);
  TRY(party_files(party));
  TRY(party_connect(party));
  if (options->command == TFE_COMMAND_CHECK) {
    printf("%s: ready: all parties are here, with the same program; nothing was computed\n", ctx->binary);
    return TFE_OK;
  }
  if (ctx->dealt != NULL)
    TRY(tfe_dealt_take(ctx));
  TRY(tfe_checkpoint_begin(ctx));
  TRY(party_program(party));
  TRY(tfe_checkpoint_arrive(ctx));
  TRY(tfe_io_commit(ctx));
  return tfe_checkpoint_finish(ctx);
}

/* Where it is not the program's or the data's fault. */
static void party_help_resume(TfeCtx *ctx) {
  static const TfeStatus passing[] = {TFE_LOST_PEER, TFE_UNREACHABLE, TFE_OUTPUT,
                                      TFE_MEMORY,    TFE_SYSTEM,      TFE_INTERRUPTED};
  for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
    if (ctx->error == passing[i] && tfe_checkpoint_number(ctx) > 0)
      tfe_help(ctx,
               "start all parties again with --resume: the run goes on from checkpoint %" PRIu64
               ", or from the one before",
               tfe_checkpoint_number(ctx));
}

static int party_execute(Party *party) {
  TfeCtx *ctx = &party->ctx;
  tfe_stop_install();
  party_shield();
  TfeStatus status = party_run(party);
  if (status != TFE_OK)
    party_help_resume(ctx);
  tfe_progress_log(ctx, status == TFE_OK ? "finished" : "stopping");
  tfe_chan_close(ctx);
  tfe_io_free(ctx);
  tfe_stored_free(ctx); /* and what was not stored whole */
  return party_report(party);
}

static int party_main(Party *party, const TfeProgram *program, int argc, char **argv) {
  TfeCtx *ctx = &party->ctx;
  TfeOptions *options = &party->options;
  ctx->program = program;
  snprintf(ctx->binary, sizeof ctx->binary, "party-%.100s", program->party_decls[program->self].name);
  if (tfe_options_read(ctx, argc, argv, options) != TFE_OK)
    return party_report(party);
  if (tfe_ctx_init(ctx, program, options->index) != TFE_OK)
    return party_report(party);
  ctx->wait_seconds = options->wait;
  ctx->timeout_seconds = options->timeout;
  ctx->round_trip = options->round_trip;
  ctx->bandwidth = options->bandwidth;
  ctx->quiet = options->quiet;
  ctx->verbose = options->verbose;
  switch (options->command) {
  case TFE_COMMAND_ABOUT:
    party_about(program, program->party_decls[program->self].family && !options->has_index
                             ? program->party_decls[program->self].name
                             : ctx->name);
    return 0;
  case TFE_COMMAND_HASH: printf("%s\n", program->hash); return 0;
  case TFE_COMMAND_VERSION: party_version(program); return 0;
  case TFE_COMMAND_HELP: tfe_options_help(stdout, program); return 0;
  case TFE_COMMAND_KEYGEN: return party_keygen(party) == TFE_OK ? 0 : party_report(party);
  case TFE_COMMAND_RUN:
  case TFE_COMMAND_CHECK: break;
  }
  return party_execute(party);
}

int main(int argc, char **argv) {
  Party party = {0};
  int code = party_main(&party, &tfe_program, argc, argv);
  tfe_chan_free(&party.ctx);
  tfe_deal_free(&party.ctx);
  tfe_dealt_free(&party.ctx);
  tfe_stored_free(&party.ctx);
  tfe_checkpoint_free(&party.ctx);
  tfe_state_free(&party.ctx);
  tfe_identity_free(party.identity);
  tfe_release(party.peers, party.peers ? (size_t)tfe_program.party_count * sizeof *party.peers : 0);
  tfe_progress_free(&party.ctx);
  tfe_ctx_free(&party.ctx);
  tfe_options_free(&party.options);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* nothing secret is left */
  if (fflush(stdout) != 0 && code == 0)
    code = tfe_status_exit(TFE_OUTPUT);
  return code;
}
