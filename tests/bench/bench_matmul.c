/* Matrix products of every instruction set beside the naive loop compiled for the same one. */
#include "bench.h"

#include "naive.h"
#include "ring/ring.h"

typedef struct Matmul {
  const TfeRing *ring;
  NaiveMatmul *naive;
  uint64_t *out, *a, *b, *packed;
  int64_t m, k, n, bits;
} Matmul;

static void ours(void *data) {
  Matmul *d = data;
  tfe_ring_matmul(d->ring, d->out, d->a, d->b, d->m, d->k, d->n, d->bits, TFE_SET);
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

static double wanted(TfeCpu cpu, const int64_t *s) {
  if (s[0] == 1 || s[2] == 1)
    return 1;
  if (cpu == TFE_CPU_AVX2)
    return large(s) ? 1.5 : 0;
  if (cpu >= TFE_CPU_AVX512 && s[0] == 128 && s[1] == 128 && s[2] == 128)
    return 1.3;
  return cpu >= TFE_CPU_AVX512 && large(s) && s[0] == 512 ? 2 : 0;
}

static void row(TfeCpu cpu, const int64_t *s) {
  Matmul d = {tfe_ring_of(cpu),
              naive_of(cpu),
              bench_words(s[0] * s[2]),
              bench_words(s[0] * s[1]),
              bench_words(s[1] * s[2]),
              NULL,
              s[0],
              s[1],
              s[2],
              64};
  BenchPair pair = bench_pair(ours, naive, &d);
  double work = (double)(s[0] * s[1] * s[2]) / 1e9;
  bench_row((BenchRow){"matmul", bench_text("%ldx%ldx%ld", (long)s[0], (long)s[1], (long)s[2]), d.ring->name,
                       "GMAC/s", work / pair.ours, "naive", work / pair.other, pair.ratio, wanted(cpu, s),
                       limit_multiply_add(d.ring->name) / 1e9, large(s) && cpu == TFE_CPU_AVX512 ? 0.8 : 0});
}

void bench_matmul(void) {
  static const int64_t shapes[][3] = {
      {128, 128, 128}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {128, 784, 128},
      {100, 784, 128}, {1, 784, 128},   {128, 128, 10},  {64, 400, 16},      {576, 25, 16},
      {64, 64, 64},    {48, 48, 48},    {32, 32, 32},    {16, 16, 16},       {30, 2, 1},
  };
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      row(cpu, shapes[i]);
}
