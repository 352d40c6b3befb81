/* libFuzzer: any bytes as a checkpoint, for server1 of a program of two parties. The first byte chooses: 0 any bytes,
 * signed; 1 any bytes; 2 any fields and body in a right frame, signed. Every refusal must be recorded. What it says of
 * inputs and outputs is tried by itself. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "file/io.h"
#include "sealed.h"
#include "state.h"
#include "state_target.h"

static const TfePartyDecl decls[] = {{"server1", 0, 1, 0}, {"server2", 1, 1, 0}};
static const uint8_t links[2] = {0, 0};
static const TfeSlot slots[] = {{"y", NULL, TFE_ELEM_INT, 0, NULL, "m.tfe:1", 1, 0, NULL}};
static const TfeProgram program = {.abi_version = TFE_ABI_VERSION,
                                   .source = "m.tfe",
                                   .hash = "0123",
                                   .compiler = "tfec",
                                   .party_decl_count = 2,
                                   .party_decls = decls,
                                   .party_count = 2,
                                   .links = links,
                                   .slot_count = 1,
                                   .slots = slots,
                                   .checkpoints = 1,
                                   .arena_words = 1};

static void try_io(const uint8_t *data, size_t size) {
  TfeCtx ctx;
  must(tfe_ctx_init(&ctx, &program, 0) == TFE_OK && tfe_io_init(&ctx) == TFE_OK);
  TfeStatus status = tfe_io_restore(&ctx, data, size);
  must(status == ctx.error);
  tfe_io_free(&ctx);
  tfe_ctx_free(&ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static TfeIdentity *me;
  static TfeState state;
  TfeCtx ctx;
  must(tfe_ctx_init(&ctx, &program, 0) == TFE_OK);
  ctx.state = &state;
  if (me == NULL) { /* the executable is looked at once */
    must(tfe_identity_new(&ctx, &me) == TFE_OK);
    state = (TfeState){.folder = ".", .lock = -1, .me = me};
    must(tfe_checkpoint_check(&ctx, false) == TFE_OK);
  }
  int kind = size > 0 ? data[0] % 3 : 0, fd = memfd_create("checkpoint", MFD_CLOEXEC);
  must(fd >= 0 && fchmod(fd, 0600) == 0);
  size_t rest = size > 0 ? size - 1 : 0;
  if (kind == 1)
    must(write(fd, data + 1, rest) == (ssize_t)rest);
  else
    write_all(&ctx, me, fd, data + (size > 0), rest, kind == 2 ? 160 : 0);
  TfeStatus status = tfe_checkpoint_judge(&ctx, fd, "checkpoint");
  must(status == ctx.error && (status == TFE_OK) == (ctx.error_text[0] == '\0'));
  tfe_ctx_free(&ctx);
  try_io(data, size);
  return 0;
}
