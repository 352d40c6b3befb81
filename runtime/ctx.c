/* A party's context: names, data memory, loop counters.
 *
 * Memory comes zeroed and is wiped when it goes, because nearly all of it holds shares, masks or keys at
 * some time. */
#define _GNU_SOURCE
#include "ctx.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "include/abi.h"
#include "prg/prg.h"
#include "ring/ring.h"

enum { ALIGN = 64, LARGE_PAGE = 2 << 20 };

/* Aligned to a cache line, as kernels like it; large memory takes large pages where the system has some. */
static void *zeroed(size_t bytes) {
  size_t whole = (bytes + ALIGN - 1) / ALIGN * ALIGN;
  void *memory = whole < bytes ? NULL : aligned_alloc(ALIGN, whole ? whole : ALIGN);
  if (!memory)
    return NULL;
  uintptr_t start = (uintptr_t)memory, first = (start + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  if (whole > 2 * LARGE_PAGE)
    (void)madvise((char *)memory + (first - start), whole - (first - start), MADV_HUGEPAGE);
  return memset(memory, 0, whole);
}

TfeStatus tfe_alloc(TfeCtx *ctx, size_t bytes, void *out) {
  void *memory = NULL;
  ctx->allocations++;
  if (ctx->allocations != ctx->fail_allocation)
    memory = zeroed(bytes);
  memcpy(out, &memory, sizeof memory); /* out may point to a pointer of any type */
  if (!memory)
    return tfe_fail(ctx, TFE_MEMORY, "no memory for %zu bytes", bytes);
  return TFE_OK;
}

void tfe_release(void *memory, size_t bytes) {
  if (!memory)
    return;
  OPENSSL_cleanse(memory, bytes);
  free(memory);
}

static void write_names(TfeCtx *ctx) {
  const TfeProgram *program = ctx->program;
  for (int64_t d = 0; d < program->party_decl_count; d++) {
    const TfePartyDecl *decl = &program->party_decls[d];
    for (int64_t i = 0; i < decl->count; i++) {
      char *name = ctx->party_names + (decl->first + i) * TFE_NAME_BYTES;
      if (decl->family)
        snprintf(name, TFE_NAME_BYTES, "%s.%lld", decl->name, (long long)i);
      else
        snprintf(name, TFE_NAME_BYTES, "%s", decl->name);
    }
  }
}

static size_t arena_bytes(const TfeCtx *ctx) {
  return (size_t)ctx->program->arena_words * sizeof *ctx->arena;
}

TfeStatus tfe_ctx_init(TfeCtx *ctx, const TfeProgram *program, int64_t member) {
  *ctx = (TfeCtx){.program = program, .member = member, .site = -1};
  const TfePartyDecl *self = &program->party_decls[program->self];
  if (member < 0 || member >= self->count)
    return tfe_fail(ctx, TFE_USAGE, "%s has members 0 to %lld", self->name, (long long)self->count - 1);
  ctx->party = self->first + member;
  TRY(tfe_alloc(ctx, (size_t)program->party_count * TFE_NAME_BYTES, &ctx->party_names));
  write_names(ctx);
  snprintf(ctx->name, sizeof ctx->name, "%s", tfe_party_name(ctx, ctx->party));
  snprintf(ctx->binary, sizeof ctx->binary, "party-%s", ctx->name);
  TRY(tfe_alloc(ctx, arena_bytes(ctx), &ctx->arena));
  return TFE_OK;
}

void tfe_ctx_rewind(TfeCtx *ctx) {
  OPENSSL_cleanse(ctx->arena, arena_bytes(ctx));
  tfe_ring_forget();
  if (ctx->loop_passes)
    memset(ctx->loop_passes, 0, (size_t)ctx->loop_capacity * sizeof *ctx->loop_passes);
  ctx->counters = (TfeCounters){0};
  ctx->site = -1;
}

void tfe_ctx_free(TfeCtx *ctx) {
  tfe_keys_free(ctx);
  if (ctx->program) {
    tfe_release(ctx->arena, arena_bytes(ctx));
    tfe_ring_forget();
    tfe_release(ctx->party_names, (size_t)ctx->program->party_count * TFE_NAME_BYTES);
  }
  tfe_release(ctx->loop_passes, (size_t)ctx->loop_capacity * sizeof *ctx->loop_passes);
  ctx->arena = NULL;
  ctx->party_names = NULL;
  ctx->loop_passes = NULL;
  ctx->loop_capacity = 0;
}

const char *tfe_party_name(const TfeCtx *ctx, int64_t party) {
  if (!ctx->party_names || party < 0 || party >= ctx->program->party_count)
    return "?";
  return ctx->party_names + party * TFE_NAME_BYTES;
}

const char *tfe_site_text(const TfeCtx *ctx, int64_t site) {
  if (!ctx->program || site < 0 || site >= ctx->program->site_count)
    return "";
  return ctx->program->sites[site];
}

void tfe_note_site(TfeCtx *ctx, int64_t site) {
  const char *text = tfe_site_text(ctx, site);
  if (*text)
    tfe_note(ctx, "at %s", text);
}

int64_t tfe_member(TfeCtx *ctx) {
  return ctx->member;
}

/* A pass number that came twice would use masks twice, so there is no way on without memory for the
 * counters. */
static void grow_loops(TfeCtx *ctx, int64_t loop) {
  int64_t capacity = loop < 64 ? 64 : loop + loop / 2 + 1;
  uint64_t *grown = calloc((size_t)capacity, sizeof *grown);
  if (!grown)
    abort();
  if (ctx->loop_passes)
    memcpy(grown, ctx->loop_passes, (size_t)ctx->loop_capacity * sizeof *grown);
  tfe_release(ctx->loop_passes, (size_t)ctx->loop_capacity * sizeof *grown);
  ctx->loop_passes = grown;
  ctx->loop_capacity = capacity;
}

TfeStatus tfe_ctx_loops(TfeCtx *ctx, int64_t loops) {
  if (loops > INT32_MAX)
    return tfe_fail(ctx, TFE_STATE_DAMAGED, "a checkpoint counts %lld loops", (long long)loops);
  if (loops > ctx->loop_capacity)
    grow_loops(ctx, loops - 1);
  return TFE_OK;
}

int64_t tfe_loop_pass(TfeCtx *ctx, int64_t loop) {
  if (loop >= ctx->loop_capacity)
    grow_loops(ctx, loop);
  return (int64_t)ctx->loop_passes[loop]++;
}
