/* libFuzzer: any bytes as a dealt batch, for server1 of a program with one producer. The first byte chooses: 0
 * any bytes, signed; 1 any bytes; 2 any messages behind a right head, signed; 3 the same, with one byte of
 * the head changed. Every refusal must be recorded, and what is accepted is read to its end. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "batch.h"
#include "chan/frame.h"
#include "dealt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PRODUCER = 2 };
static const TfePartyDecl decls[] = {{"server1", 0, 1, 0}, {"server2", 1, 1, 0}, {"producer", 2, 1, 0}};
static const uint8_t links[3] = {0, TFE_LINK_SEND, TFE_LINK_RECEIVE | TFE_LINK_KEY | TFE_LINK_AHEAD};
static const TfeProgram program = {.abi_version = TFE_ABI_VERSION,
                                   .source = "model.tfe",
                                   .hash = "0123",
                                   .compiler = "tfec",
                                   .parameters = "n=1\n",
                                   .party_decl_count = 3,
                                   .party_decls = decls,
                                   .party_count = 3,
                                   .links = links,
                                   .arena_words = 1};

static void must(bool good) {
  if (!good)
    abort();
}

/* A file in memory with these bytes and, if `sign`, their tail. */
static int write_file(TfeCtx *ctx, const TfeIdentity *producer, const uint8_t *data, size_t size, bool sign) {
  uint8_t tail[BATCH_TAIL_BYTES], to_sign[BATCH_SIGNED_BYTES];
  int fd = memfd_create("batch", MFD_CLOEXEC);
  must(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
  if (!sign)
    return fd;
  memcpy(tail, batch_magic, sizeof batch_magic);
  SHA256(data, size, tail + BATCH_MAGIC_BYTES);
  batch_signed(tail + BATCH_MAGIC_BYTES, to_sign);
  must(tfe_identity_sign(ctx, producer, to_sign, sizeof to_sign,
                         tail + BATCH_MAGIC_BYTES + BATCH_DIGEST_BYTES) == TFE_OK);
  must(write(fd, tail, sizeof tail) == (ssize_t)sizeof tail);
  return fd;
}

static void read_messages(TfeCtx *ctx, size_t size) {
  uint8_t head[TFE_HEADER_BYTES], *payload = malloc(size + 1);
  must(payload != NULL);
  while (tfe_dealt_read(ctx, head, sizeof head) == TFE_OK) {
    FrameHead frame = frame_read_head(head);
    if (frame.bytes > size || tfe_dealt_read(ctx, payload, (size_t)frame.bytes) != TFE_OK)
      break;
  }
  free(payload);
}

static size_t start_of(const TfeIdentity *producer, uint8_t *out) {
  Batch batch = {.protocol = TFE_PROTOCOL_VERSION,
                 .abi = TFE_ABI_VERSION,
                 .hash = {program.hash, strlen(program.hash)},
                 .parameters = {program.parameters, strlen(program.parameters)},
                 .dealer = {"producer", 8},
                 .receiver = {"server1", 7}};
  memcpy(batch.signer, producer->public_key, sizeof batch.signer);
  batch_put_head(&batch, out);
  return batch_head_bytes(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static TfeIdentity *producer;
  TfeCtx ctx;
  TfePeer peers[3] = {0};
  uint8_t *file = malloc(size + 512);
  must(file != NULL && tfe_ctx_init(&ctx, &program, 0) == TFE_OK);
  must(producer != NULL || tfe_identity_new(&ctx, &producer) == TFE_OK);
  peers[PRODUCER].has_key = 1;
  memcpy(peers[PRODUCER].key, producer->public_key, sizeof peers[PRODUCER].key);
  int kind = size > 0 ? data[0] % 4 : 0;
  size_t bytes = kind >= 2 ? start_of(producer, file) : 0;
  if (kind == 3 && size > 3) /* another byte somewhere in the head */
    file[data[1] % bytes] = data[2];
  size_t skip = kind == 3 ? 3 : 1;
  if (size > skip) {
    memcpy(file + bytes, data + skip, size - skip);
    bytes += size - skip;
  }
  int fd = write_file(&ctx, producer, file, bytes, kind != 1);
  TfeStatus status = tfe_dealt_judge(&ctx, fd, "batch", peers, false, 0);
  must(status == ctx.error && (status == TFE_OK) == (ctx.error_text[0] == '\0'));
  must(kind != 2 || status == TFE_OK);
  if (status == TFE_OK)
    read_messages(&ctx, bytes);
  tfe_dealt_free(&ctx);
  tfe_ctx_free(&ctx);
  free(file);
  return 0;
}
