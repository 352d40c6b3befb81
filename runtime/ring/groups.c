/* Convolutions in groups of channels (groups.h). Of G groups, group g makes the m = co / G channels from g m on of the
 * output from the d = ci / G channels from g d on of the image.
 *
 * With d = 1, a depthwise convolution, channels lie along vectors: a row of the output is a sum over the taps of a row of
 * the image times the tap's G numbers, element by element. With m > 1 there are m of these, the r-th one with the
 * channels g m + r of kernel and output, which are first put together, as planes of G channels.
 *
 * Else one group after another is copied out, convolved and copied back. */
#include "groups.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "../pool.h"

enum { THREAD_WORK = 1 << 17 }; /* products that are worth another thread */

typedef struct Groups {
  const TfeRing *ring;
  bool fixed;
  TfeConv what;
  TfePanel finish; /* its mode and bits: what becomes of sums */
  uint64_t *out;
  const uint64_t *a, *b;
  TfeConvSizes s;
  int64_t d, m; /* channels of a group: of the image, of the output */
} Groups;

/* Working memory, wiped when it is given back. */
static uint64_t *take(int64_t words) {
  uint64_t *room = malloc((size_t)words * sizeof *room + 1);
  if (!room)
    abort(); /* a kernel has no way to say so */
  return room;
}

static void give(uint64_t *room, int64_t words) {
  OPENSSL_cleanse(room, (size_t)words * sizeof *room);
  free(room);
}

/* -- one input channel in a group --------------------------------------------------------------------------------- */

/* Along one coordinate: outputs first .. first + count - 1 meet the image with this tap, the first of them at `at`. */
typedef struct Reach {
  int64_t first, count, at;
} Reach;

static Reach reach(const Groups *g, int64_t tap, int64_t size, int64_t outputs) {
  const TfeConvSizes *s = &g->s;
  int64_t first = tap < s->pad ? (s->pad - tap + s->stride - 1) / s->stride : 0,
          last = size - 1 + s->pad - tap;
  int64_t end = last < 0 ? 0 : last / s->stride + 1;
  end = end < outputs ? end : outputs;
  return (Reach){first, end > first ? end - first : 0, first * s->stride - s->pad + tap};
}

/* out(i, c) += a(i, c) b(i, c) for `rows` positions of G channels, ldo, lda, ldb words apart. */
static void multiply_add(const Groups *g, uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda,
                         const uint64_t *b, int64_t ldb, int64_t rows) {
  (g->fixed ? g->ring->multiply_add_fixed : g->ring->multiply_add)(out, ldo, a, lda, b, ldb, rows,
                                                                   g->s.groups);
}

/* planes[m, positions, G] of from[positions, G, m]; `room` has space for them. */
static const uint64_t *planes(const Groups *g, uint64_t *room, const uint64_t *from, int64_t positions) {
  int64_t count = positions * g->s.groups;
  if (g->m == 1)
    return from;
  for (int64_t r = 0; r < g->m; r++)
    for (int64_t i = 0; i < count; i++)
      room[r * count + i] = from[i * g->m + r];
  return room;
}

/* Every step-th word of out from the sums. */
static void put(const Groups *g, uint64_t *out, int64_t step, const uint64_t *sum, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    out[i * step] = tfe_panel_word(&g->finish, out[i * step], sum[i]);
}

/* Rows from .. to-1 of the output, those of one image after another. */
static void output_rows(void *data, int64_t from, int64_t to) {
  const Groups *g = data;
  const TfeConvSizes *s = &g->s;
  int64_t line = s->wo * s->groups, taps = s->kh * s->kw, words = line + taps * s->groups * g->m;
  uint64_t *sum = take(words);
  const uint64_t *k = planes(g, sum + line, g->b, taps);
  for (int64_t q = from; q < to; q++)
    for (int64_t r = 0; r < g->m; r++) {
      memset(sum, 0, (size_t)line * sizeof *sum);
      for (int64_t tap = 0; tap < taps; tap++) {
        int64_t y = q % s->ho * s->stride - s->pad + tap / s->kw;
        Reach x = reach(g, tap % s->kw, s->w, s->wo);
        if (y >= 0 && y < s->h)
          multiply_add(g, sum + x.first * s->groups, s->groups,
                       g->a + ((q / s->ho * s->h + y) * s->w + x.at) * s->groups, s->stride * s->groups,
                       k + (r * taps + tap) * s->groups, 0, x.count);
      }
      put(g, g->out + q * line * g->m + r, g->m, sum, line);
    }
  give(sum, words);
}

/* Rows from .. to-1 of the image's gradient, those of one image after another. */
static void input_rows(void *data, int64_t from, int64_t to) {
  const Groups *g = data;
  const TfeConvSizes *s = &g->s;
  int64_t line = s->w * s->groups, other = s->wo * s->groups * g->m, taps = s->kh * s->kw;
  int64_t words = line + other + taps * s->groups * g->m;
  uint64_t *sum = take(words);
  const uint64_t *k = planes(g, sum + line + other, g->b, taps);
  for (int64_t q = from; q < to; q++) {
    memset(sum, 0, (size_t)line * sizeof *sum);
    for (int64_t ky = s->kh - 1; ky >= 0; ky--) {
      int64_t y = q % s->h + s->pad - ky;
      if (y < 0 || y % s->stride != 0 || y / s->stride >= s->ho)
        continue;
      const uint64_t *dy = planes(g, sum + line, g->a + (q / s->h * s->ho + y / s->stride) * other, s->wo);
      for (int64_t kx = s->kw - 1; kx >= 0; kx--) {
        Reach x = reach(g, kx, s->w, s->wo);
        for (int64_t r = 0; r < g->m; r++)
          multiply_add(g, sum + x.at * s->groups, s->stride * s->groups,
                       dy + (r * s->wo + x.first) * s->groups, s->groups,
                       k + (r * taps + ky * s->kw + kx) * s->groups, 0, x.count);
      }
    }
    put(g, g->out + q * line, 1, sum, line);
  }
  give(sum, words);
}

/* Taps from .. to-1 of the kernel's gradient. */
static void kernel_taps(void *data, int64_t from, int64_t to) {
  const Groups *g = data;
  const TfeConvSizes *s = &g->s;
  int64_t sums = s->groups * g->m, other = s->wo * sums, words = sums + other;
  uint64_t *sum = take(words);
  for (int64_t tap = from; tap < to; tap++) {
    Reach x = reach(g, tap % s->kw, s->w, s->wo);
    memset(sum, 0, (size_t)sums * sizeof *sum);
    for (int64_t q = 0; q < s->n * s->ho; q++) {
      int64_t y = q % s->ho * s->stride - s->pad + tap / s->kw;
      if (y < 0 || y >= s->h)
        continue;
      const uint64_t *dy = planes(g, sum + sums, g->b + q * other, s->wo);
      for (int64_t r = 0; r < g->m; r++)
        multiply_add(g, sum + r * s->groups, 0, g->a + ((q / s->ho * s->h + y) * s->w + x.at) * s->groups,
                     s->stride * s->groups, dy + (r * s->wo + x.first) * s->groups, s->groups, x.count);
    }
    for (int64_t r = 0; r < g->m; r++)
      put(g, g->out + tap * sums + r, g->m, sum + r * s->groups, s->groups);
  }
  give(sum, words);
}

static void depthwise(Groups *g) {
  const TfeConvSizes *s = &g->s;
  int64_t line = s->wo * s->co + 1, taps = s->kh * s->kw, rows = s->n * s->ho;
  if (g->what == TFE_CONV)
    tfe_pool_run(rows, THREAD_WORK / (line * taps + 1) + 1, output_rows, g);
  else if (g->what == TFE_CONV_INPUT)
    tfe_pool_run(s->n * s->h, THREAD_WORK / (line * taps + 1) + 1, input_rows, g);
  else
    tfe_pool_run(taps, THREAD_WORK / (rows * line + 1) + 1, kernel_taps, g);
}

/* -- several ------------------------------------------------------------------------------------------------------ */

/* One group's share of a tensor: `own` of `all` words of each row. */
typedef struct Share {
  int64_t rows, all, own;
} Share;

static void convolve(const Groups *g, uint64_t *out, const uint64_t *a, const uint64_t *b,
                     const int64_t *dims) {
  if (g->fixed)
    tfe_ring_conv2d_fixed(g->ring, g->what, (double *)out, (const double *)a, (const double *)b, dims);
  else
    tfe_ring_conv2d(g->ring, g->what, out, a, b, dims, g->finish.bits, g->finish.mode);
}

static void one_by_one(const Groups *g) {
  const TfeConvSizes *s = &g->s;
  const Share x = {s->n * s->h * s->w, s->ci, g->d}, k = {s->kh * s->kw * g->d, s->co, g->m},
              y = {s->n * s->ho * s->wo, s->co, g->m};
  const Share *out = g->what == TFE_CONV ? &y : g->what == TFE_CONV_INPUT ? &x : &k;
  const Share *a = g->what == TFE_CONV_INPUT ? &y : &x, *b = g->what == TFE_CONV_KERNEL ? &y : &k;
  const int64_t dims[TFE_CONV_DIMS] = {s->n, s->h, s->w, g->d, s->kh, s->kw, g->m, s->pad, s->stride, 1};
  int64_t words = out->rows * out->own + a->rows * a->own + b->rows * b->own;
  uint64_t *own = take(words), *own_a = own + out->rows * out->own, *own_b = own_a + a->rows * a->own;
  for (int64_t i = 0; i < s->groups; i++) {
    g->ring->copy(own_a, a->own, g->a + i * a->own, a->all, a->rows, a->own);
    g->ring->copy(own_b, b->own, g->b + i * b->own, b->all, b->rows, b->own);
    if (g->finish.mode != TFE_SET)
      g->ring->copy(own, out->own, g->out + i * out->own, out->all, out->rows, out->own);
    convolve(g, own, own_a, own_b, dims);
    g->ring->copy(g->out + i * out->own, out->all, own, out->own, out->rows, out->own);
  }
  give(own, words);
}

void tfe_ring_conv2d_groups(const TfeRing *ring, bool fixed, TfeConv what, uint64_t *out, const uint64_t *a,
                            const uint64_t *b, const TfeConvSizes *sizes, int64_t bits, TfeMode mode) {
  Groups g = {.ring = ring, .fixed = fixed, .what = what, .out = out, .a = a, .b = b, .s = *sizes};
  g.finish = (TfePanel){.mode = mode, .bits = bits};
  g.d = sizes->ci / sizes->groups;
  g.m = sizes->co / sizes->groups;
  if (g.d == 1)
    depthwise(&g);
  else
    one_by_one(&g);
}
