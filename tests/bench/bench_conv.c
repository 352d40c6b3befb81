/* Convolutions and their gradients of every instruction set beside the naive loops compiled for the same one. */
#include "bench.h"

#include "naive.h"
#include "ring/ring.h"

typedef struct Convolution {
  const TfeRing *ring;
  NaiveConv2d *naive;
  TfeConv what;
  const int64_t *dims;
  uint64_t *y, *x, *kernel, *out; /* ours goes to out */
} Convolution;

static void ours(void *data) {
  Convolution *c = data;
  const uint64_t *a = c->what == TFE_CONV_INPUT ? c->y : c->x,
                 *b = c->what == TFE_CONV_KERNEL ? c->y : c->kernel;
  tfe_ring_conv2d(c->ring, c->what, c->out, a, b, c->dims, 64, TFE_SET);
}

static void naive(void *data) {
  Convolution *c = data;
  static const NaiveConv which[] = {
      [TFE_CONV] = NAIVE_CONV, [TFE_CONV_INPUT] = NAIVE_CONV_INPUT, [TFE_CONV_KERNEL] = NAIVE_CONV_KERNEL};
  uint64_t **out = c->what == TFE_CONV ? &c->y : c->what == TFE_CONV_INPUT ? &c->x : &c->kernel, *kept = *out;
  *out = c->out;
  c->naive(which[c->what], c->y, c->x, c->kernel, c->dims);
  *out = kept;
}

static NaiveConv2d *naive_of(TfeCpu cpu) {
#if defined(__x86_64__)
  if (cpu != TFE_CPU_C)
    return cpu == TFE_CPU_AVX2 ? naive_conv2d_avx2 : naive_conv2d_avx512;
#endif
  (void)cpu;
  return naive_conv2d_c;
}

static int64_t extent(int64_t size, int64_t kernel, int64_t pad, int64_t stride) {
  return (size + 2 * pad - kernel) / stride + 1;
}

static int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static void row(TfeCpu cpu, TfeConv what, const int64_t *d) {
  static const char *const names[] = {
      [TFE_CONV] = "conv", [TFE_CONV_INPUT] = "conv input", [TFE_CONV_KERNEL] = "conv kernel"};
  int64_t outputs = d[0] * extent(d[1], d[4], d[7], d[8]) * extent(d[2], d[5], d[7], d[8]);
  int64_t y = outputs * d[6], x = d[0] * d[1] * d[2] * d[3], kernel = d[4] * d[5] * (d[3] / d[9]) * d[6];
  Convolution c = {tfe_ring_of(cpu),
                   naive_of(cpu),
                   what,
                   d,
                   bench_words(y),
                   bench_words(x),
                   bench_words(kernel),
                   bench_words(most(most(x, y), kernel))};
  BenchPair pair = bench_pair(ours, naive, &c);
  double work = (double)(outputs * kernel) / 1e9; /* taps outside of the image count too */
  bench_row(
      (BenchRow){.kernel = names[what],
                 .shape = bench_text("%ldx%ldx%ldx%ld %ldx%ldx%ld/%ld%s", (long)d[0], (long)d[1], (long)d[2],
                                     (long)d[3], (long)d[4], (long)d[5], (long)d[6], (long)d[8],
                                     d[9] > 1 ? bench_text(" in %ld groups", (long)d[9]) : ""),
                 .tier = c.ring->name,
                 .unit = "GMAC/s",
                 .figure = work / pair.ours,
                 .against = "naive",
                 .other = work / pair.other,
                 .ratio = pair.ratio,
                 .wanted = 1});
}

void bench_conv(void) {
  static const int64_t dims[][TFE_CONV_DIMS] = {
      /* n  h   w  ci  kh kw co  pad stride groups */
      {32, 28, 28, 1, 5, 5, 16, 0, 1, 1},   {32, 12, 12, 16, 5, 5, 16, 0, 1, 1},
      {32, 12, 12, 20, 5, 5, 50, 0, 1, 1},  {32, 28, 28, 1, 5, 5, 5, 2, 2, 1},
      {32, 28, 28, 64, 3, 3, 64, 1, 1, 64},
  };
  for (TfeCpu cpu = TFE_CPU_C; cpu <= tfe_cpu_best(); cpu++)
    for (TfeConv what = TFE_CONV; what <= TFE_CONV_KERNEL; what++)
      for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        row(cpu, what, dims[i]);
}
