/* A party that branches on a share it has received: party.c must report it. */
#include "../../runtime/include/abi.h"

static int32_t run(TfeCtx *ctx, uint64_t *arena) {
  const TfePart part = {arena, 1, 64};
  int32_t status = tfe_recv(ctx, 1, 0, &part, 1);
  if (arena[0] & 4)
    status |= tfe_send(ctx, 1, 1, &part, 1);
  return status | tfe_send(ctx, 1, 2, &part, 1);
}

static const TfePartyDecl decls[] = {{"s0", 0, 1, 0}, {"s1", 1, 1, 0}};

const TfeProgram tfe_program = {
    .abi_version = TFE_ABI_VERSION,
    .source = "leaky.c",
    .party_decl_count = 2,
    .party_decls = decls,
    .party_count = 2,
    .arena_words = 1,
    .run = run,
};
