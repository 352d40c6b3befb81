/* What the fuzz targets of the tensor files share: a party without slots, and shapes that the first byte
 * chooses. */
#ifndef FILE_TARGET_H
#define FILE_TARGET_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/file/reader.h"
#include "../../runtime/file/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef TfeStatus (*Reader)(TfeCtx *, const TfeWant *, const unsigned char *, size_t, uint64_t *);

static const int64_t target_dims[] = {2, 2, 3};
static const TfePartyDecl target_parties[] = {{"ann", 0, 1, 0}};
static const TfeProgram target_program = {
    .party_decl_count = 1, .party_decls = target_parties, .party_count = 1};

/* Reads the rest as a file, into exactly as many elements as are wanted; every refusal must be recorded. */
static inline int target_run(Reader read_file, const uint8_t *data, size_t size) {
  TfeCtx ctx;
  if (size == 0)
    return 0;
  int choice = data[0];
  TfeSlot slot = {.name = "x",
                  .field = choice & 16 ? "c1.w" : NULL,
                  .elem = 1 + (choice >> 2) % 3,
                  .rank = choice & 3,
                  .dims = target_dims,
                  .where = "m.tfe:1"};
  TfeWant want = {&slot, "t", "--input x=t"};
  if (tfe_ctx_init(&ctx, &target_program, 0) != TFE_OK)
    abort();
  uint64_t *out = malloc((size_t)tfe_reader_count(&slot) * sizeof *out);
  unsigned char *copy = malloc(size); /* ends in 0, as a TfeBuffer does */
  if (!out || !copy)
    abort();
  memcpy(copy, data + 1, size - 1);
  copy[size - 1] = 0;
  TfeStatus status = read_file(&ctx, &want, copy, size - 1, out);
  if (status != ctx.error || (status != TFE_OK && !ctx.error_text[0]))
    abort();
  free(copy);
  free(out);
  tfe_ctx_free(&ctx);
  return 0;
}

#endif
