/* Elementwise code as the compiler makes it: a product by triples with all masks from the generator (loop.tfe,
 * protocol/triple.tfe), compiled, linked into a shared object and run here. Its limit is the slower of the
 * generator and the memory, each measured alone in this run; the other variant keeps the masks in memory and
 * has no vectors beyond the baseline, as a plain C loop. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "ctx.h"
#include "include/abi.h"
#include "prg/prg.h"

enum { PASSES = 64, ARRAYS = 3, DRAWS = 3 };

typedef struct Product {
  int64_t n;
  const TfeProgram *program;
  TfeCtx ctx;
  uint64_t *c, *d, *masks[DRAWS];
} Product;

static void compiled(void *data) {
  Product *p = data;
  if (p->program->run(&p->ctx, p->ctx.arena) != TFE_OK)
    abort();
}

static void draw_all(Product *p) {
  for (int i = 0; i < DRAWS; i++)
    tfe_prg_ring(&p->ctx, p->masks[i], 0, p->n, 64, 2, 10 + i, 0);
}

/* The masks one after the other, then the product from memory. */
static void plain(void *data) {
  Product *p = data;
  for (int pass = 0; pass < PASSES; pass++) {
    draw_all(p);
    uint64_t *c = p->c, *d = p->d, *r = p->masks[0], *s = p->masks[1], *k = p->masks[2];
    for (int64_t i = 0, n = p->n; i < n; i++)
      c[i] = c[i] * (d[i] - s[i]) - r[i] * d[i] + k[i];
  }
}

/* The generator alone, in pieces that stay near. */
static void draws_alone(void *data) {
  Product *p = data;
  for (int pass = 0; pass < PASSES; pass++)
    for (int64_t at = 0; at < p->n; at += 4096)
      for (int i = 0; i < DRAWS; i++)
        tfe_prg_ring(&p->ctx, p->masks[i], 0, p->n - at < 4096 ? p->n - at : 4096, 64, 2, 10 + i, 0);
}

static const TfeProgram *build(int64_t n) {
  char folder[] = "/tmp/tfe-bench-XXXXXX";
  if (!mkdtemp(folder))
    return NULL;
  const char *object = bench_text("%s/loop.so", folder);
  int failed = system(
      bench_text("'%s' '%s/loop.tfe' -D n=%lld -D passes=%d --emit-asm s0 > %s/loop.s && '%s' "
                 "-shared -o %s %s/loop.s '%s' -lssl -lcrypto -lz -lpthread -lm",
                 bench_tfec, BENCH_DIR, (long long)n, PASSES, folder, BENCH_CC, object, folder, BENCH_LIB));
  void *handle = failed ? NULL : dlopen(object, RTLD_NOW | RTLD_LOCAL);
  const TfeProgram *program = handle ? dlsym(handle, "tfe_program") : NULL;
  if (system(bench_text("rm -r %s", folder)) != 0)
    bench_note("cannot remove %s", folder);
  return program;
}

static bool start(Product *p) {
  static const uint8_t key[16] = {1};
  return tfe_ctx_init(&p->ctx, p->program, 0) == TFE_OK && tfe_keys_init(&p->ctx) == TFE_OK &&
         tfe_keys_set(&p->ctx, 2, key) == TFE_OK && tfe_keys_set(&p->ctx, 3, key) == TFE_OK;
}

static void bench_product(int64_t n) {
  Product p = {.n = n, .program = build(n), .c = bench_words(n), .d = bench_words(n)};
  for (int i = 0; i < DRAWS; i++)
    p.masks[i] = bench_words(n);
  if (!p.program || !start(&p)) {
    bench_note("loop: cannot build and load loop.tfe");
    return;
  }
  BenchPair pair = bench_pair(compiled, plain, &p);
  BenchPair draws = bench_pair(compiled, draws_alone, &p); /* in turn: a limit that drifts with the machine */
  double work = 1e-6 * PASSES * (double)n, memory = 1e-6 * limit_stream(ARRAYS * 8 * n) / (ARRAYS * 8);
  double limit = work / pair.ours / draws.ratio;
  bench_row((BenchRow){.kernel = "triple",
                       .shape = bench_text("%lld", (long long)n),
                       .tier = tfe_ctr()->name,
                       .unit = "M/s",
                       .figure = work / pair.ours,
                       .against = "masks in memory",
                       .other = work / pair.other,
                       .ratio = pair.ratio,
                       .limit = limit < memory ? limit : memory,
                       .limit_wanted = n == 1000000 ? 0.8 : 0});
  tfe_keys_free(&p.ctx);
  tfe_ctx_free(&p.ctx);
}

void bench_loop(void) {
  if (!bench_tfec) {
    bench_note("loop: needs --tfec FILE");
    return;
  }
  bench_product(10000);
  bench_product(1000000);
}
