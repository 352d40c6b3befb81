/* libFuzzer: any bytes as a file of stored shares, for server1 of a program that loads one. The first byte
 * chooses: 0 any bytes, signed; 1 any bytes; 2 any fields and elements in a right frame, signed. Every refusal
 * must be recorded. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/stat.h>

#include "sealed.h"
#include "state.h"
#include "state_target.h"
#include "stored.h"

static const TfePartyDecl decls[] = {{"server1", 0, 1, 0}, {"server2", 1, 1, 0}};
static const int64_t dims[] = {2, 3}, holders[] = {0, 1};
static const TfeStored rows[] = {
    {"net", "w", "a", 0, 1, 32, 16, 2, dims, "pond", "frac = 16", "Net[3]", 2, holders, "m.tfe:1", NULL},
    {"net", "on", "a", 0, 1, 1, 0, 0, dims, "pond", "frac = 16", "Net[3]", 2, holders, "m.tfe:1", NULL}};
static const TfeProgram program = {.abi_version = TFE_ABI_VERSION,
                                   .source = "m.tfe",
                                   .hash = "0123",
                                   .compiler = "tfec",
                                   .party_decl_count = 2,
                                   .party_decls = decls,
                                   .party_count = 2,
                                   .stored_count = 2,
                                   .stored = rows,
                                   .arena_words = 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static TfeIdentity *me;
  TfeCtx ctx;
  must(tfe_ctx_init(&ctx, &program, 0) == TFE_OK);
  must(me != NULL || tfe_identity_new(&ctx, &me) == TFE_OK);
  TfeState state = {.folder = ".", .lock = -1, .me = me};
  ctx.state = &state;
  int kind = size > 0 ? data[0] % 3 : 0, fd = memfd_create("stored", MFD_CLOEXEC);
  must(fd >= 0 && fchmod(fd, 0600) == 0);
  size_t rest = size > 0 ? size - 1 : 0;
  if (kind == 1)
    must(write(fd, data + 1, rest) == (ssize_t)rest);
  else
    write_all(&ctx, me, fd, data + (size > 0), rest, kind == 2 ? 400 : 0);
  TfeStatus status = tfe_stored_judge(&ctx, fd, "stored", &rows[0]);
  must(status == ctx.error && (status == TFE_OK) == (ctx.error_text[0] == '\0'));
  tfe_ctx_free(&ctx);
  return 0;
}
