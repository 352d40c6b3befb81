/* libFuzzer: any bytes as hosts.toml, and as the address of --host. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const TfePartyDecl decls[] = {{"server1", 0, 1, 0}, {"server2", 1, 1, 0}, {"provider", 2, 2, 1}};
  static const uint8_t links[4] = {0, TFE_LINK_DIAL, TFE_LINK_RECEIVE, 0};
  static const TfeProgram program = {.source = "model.tfe",
                                     .party_decl_count = 3,
                                     .party_decls = decls,
                                     .party_count = 4,
                                     .self = 0,
                                     .links = links,
                                     .arena_words = 1};
  TfePeer peers[4] = {0};
  TfeCtx ctx;
  if (tfe_ctx_init(&ctx, &program, 0) == TFE_OK &&
      tfe_hosts_parse(&ctx, "hosts.toml", (const char *)data, size, peers) == TFE_OK &&
      tfe_hosts_check(&ctx, "hosts.toml", peers, false) == TFE_OK && peers[1].host[0] == '\0')
    abort();
  char *text = malloc(size + 1);
  if (text != NULL) {
    if (size > 0)
      memcpy(text, data, size);
    text[size] = '\0';
    TfeStatus ignored = tfe_hosts_override(&ctx, text, peers);
    (void)ignored;
    free(text);
  }
  tfe_ctx_free(&ctx);
  return 0;
}
