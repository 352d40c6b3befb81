/* Matrix products of every instruction set beside the naive loop compiled for the same one. */
#include "bench.h"

#include "naive.h"
#include "ring/ring.h"

typedef struct Matmul {
  const TfeRing *ring;
  NaiveMatmul *naive;
  uint64_t *out, *a, *b;
  int64_t m, k, n, bits;
} Matmul;

static void ours(void *data) {
  Matmul *d = data;
  tfe_ring_matmul(d->ring, d->out, d->a, d->b, d->m, d->k, d->n, d->bits, TFE_SET);
}

static void direct(void *data) {
  Matmul *d = data;
  tfe_ring_matmul(tfe_ring_of(TFE_CPU_AVX512), d->out, d->a, d->b, d->m, d->k, d->n, d->bits, TFE_SET);
}

static void naive(void *data) {
  Matmul *d = data;
  d->naive(d->out, d->a, d->b, d->m, d->k, d->n);
}

static NaiveMatmul *naive_of(TfeCpu cpu) {
#if defined(__x86_64__)
  if (cpu != TFE_CPU_C)
    return cpu == TFE_CPU_AVX2 ? naive_matmul_avx2 : naive_matmul_avx512;
#endif
  (void)cpu;
  return naive_matmul_c;
}

static bool large(const int64_t *s) {
  return s[0] >= 64 && s[1] >= 64 && s[2] >= 64;
}

static bool is(const int64_t *s, int64_t m, int64_t k, int64_t n) {
  return s[0] == m && s[1] == k && s[2] == n;
}

static double wanted(TfeCpu cpu, const int64_t *s) {
  if (s[0] == 1 || s[2] == 1)
    return 1;
  if (cpu == TFE_CPU_AVX2)
    return large(s) ? 1.5 : 0;
  if (cpu == TFE_CPU_AVX512)
    return is(s, 128, 128, 128) ? 1.3 : is(s, 512, 512, 512) ? 2 : 0;
  if (cpu == TFE_CPU_AMX)
    return is(s, 128, 784, 128) ? 3.5 : is(s, 512, 512, 512) ? 5 : 0;
  return 0;
}

/* Ours beside another variant. */
static void beside(Matmul *d, BenchCall *other, const char *against, double ratio, double of_limit) {
  BenchPair pair = bench_pair(ours, other, d);
  double work = (double)(d->m * d->k * d->n) / 1e9;
  bool words = d->bits == 64;
  bench_row((BenchRow){.kernel = words ? "matmul" : bench_text("matmul 2^%ld", (long)d->bits),
                       .shape = bench_text("%ldx%ldx%ld", (long)d->m, (long)d->k, (long)d->n),
                       .tier = d->ring->name,
                       .unit = "GMAC/s",
                       .figure = work / pair.ours,
                       .against = against,
                       .other = work / pair.other,
                       .ratio = pair.ratio,
                       .wanted = ratio,
                       .limit = words ? limit_multiply_add(d->ring->name) / 1e9 : 0,
                       .limit_wanted = of_limit});
}

static void row(TfeCpu cpu, const int64_t *s, int64_t bits) {
  Matmul d = {tfe_ring_of(cpu),
              naive_of(cpu),
              bench_words(s[0] * s[2]),
              bench_words(s[0] * s[1]),
              bench_words(s[1] * s[2]),
              s[0],
              s[1],
              s[2],
              bits};
  bool words = bits == 64;
  beside(&d, naive, "naive", words ? wanted(cpu, s) : 1,
         words && large(s) && cpu == TFE_CPU_AVX512 ? 0.8 : 0);
  /* AMX beside the table it falls back on. */
  if (cpu == TFE_CPU_AMX && large(s) && words)
    beside(&d, direct, "avx512", is(s, 128, 784, 128) || is(s, 512, 512, 512) ? 3 : 0, 0);
}

void bench_matmul(void) {
  static const int64_t shapes[][3] = {
      {128, 128, 128}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {128, 784, 128},
      {100, 784, 128}, {1, 784, 128},   {128, 128, 10},  {64, 400, 16},      {576, 25, 16},
      {64, 64, 64},    {48, 48, 48},    {32, 32, 32},    {16, 16, 16},       {30, 2, 1},
  };
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      row(cpu, shapes[i], 64);
  for (TfeCpu cpu = TFE_CPU_AVX2; cpu <= tfe_cpu_best(); cpu++)
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      row(cpu, shapes[i], 32);
}
