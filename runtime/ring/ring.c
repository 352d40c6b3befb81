/* Products of any size from panels (ring.h): blocking, packing, sharing among threads; convolutions as
 * products with a matrix of windows; and the ABI's entry points.
 *
 * A block of b (DEPTH rows by about WIDTH columns, or more, in panels of the kernel's columns) stays in the second-level
 * cache while all rows of a pass by, a few at a time. When it is used often enough it is packed first, so that
 * rows of b far apart do not fight for the same cache lines.
 *
 * A convolution is a product whose rows are windows: row q holds the window at position q of the output, one
 * piece of kw ci words for each kernel row. Windows are copied out of the image a block at a time, just before
 * they are multiplied. The gradient with respect to the kernel is the same matrix, turned, by that of the
 * output. The gradient with respect to the input adds up windows that are the product of the output's gradient and the
 * kernel; a few images at a time, and only as long as the kernel is not too large. Else, and for doubles, whose sums
 * have an order, it is a convolution of the output's by the kernel, turned by half and its channels exchanged; with a
 * stride of s there are s^2 of them, one for each remainder of the coordinates by s, and each takes every s-th row
 * and column of the kernel. Several groups of channels are another matter (groups.h).
 *
 * Working memory does not fit a small stack: whoever multiplies takes a buffer from a list and puts it back. It is
 * wiped with the party's own memory, like all that the party computes with. */
#define _GNU_SOURCE
#include "ring.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../include/abi.h"
#include "../pool.h"
#include "groups.h"

enum {
  DEPTH = 256,
  WIDTH = 128,
  ROWS = 8,       /* of a that meet all panels of a block of b in turn */
  PACK_ROWS = 32, /* packing pays from this many rows of a on */
  FEW_ROWS = 3,   /* so few rows use every row of b at once */
  MOST_WINDOWS = 256,
  WINDOW_WORDS = 1 << 15,
  BLOCK_WORDS = 1 << 17,
  PANEL_WORDS = 1 << 15,
  THREAD_WORK = 1 << 19, /* products that are worth another thread */
  LARGE_PAGE = 2 << 20,
};

const TfeRing *tfe_ring_of(TfeCpu cpu) {
#if defined(__x86_64__)
  if (cpu == TFE_CPU_AMX)
    return &tfe_ring_amx;
  if (cpu == TFE_CPU_IFMA)
    return &tfe_ring_ifma;
  if (cpu == TFE_CPU_AVX512)
    return &tfe_ring_avx512;
  if (cpu == TFE_CPU_AVX2)
    return &tfe_ring_avx2;
#endif
  (void)cpu;
  return &tfe_ring_c;
}

const TfeRing *tfe_ring(void) {
  return tfe_ring_of(tfe_cpu());
}

/* -- operands ------------------------------------------------------------------------------------------------- */

/* Row q: the window at position q = (image, i, j), whose upper left corner lies at (i stride + top, j stride +
 * left); word y * row + .. : its row y of so many words. Zeros outside of the image. */
typedef struct Windows {
  const uint64_t *x;
  int64_t h, w, channels, row;
  int64_t stride, top, left;
  int64_t ho, wo;
} Windows;

/* a(i, p) = data[i down + p across], or of windows: word p of window i, or turned, word i of window p. */
typedef struct Left {
  const uint64_t *data;
  int64_t down, across;
  const Windows *windows;
  bool turned;
} Left;

/* b(p, j) = data[p down + j], or, with channels: p = (tap y, tap z, channel c),
 * data[y step_y + z step_z + c + j channels]; or packed. */
typedef struct Right {
  const uint64_t *data;
  int64_t down;
  int64_t channels, taps, step_y, step_z;
  const uint64_t *packed;
} Right;

/* Row q = (image, i, j): data + image * image_step + i * row_step + j * down. */
typedef struct Out {
  uint64_t *data;
  int64_t down;
  int64_t rows, columns, image_step, row_step;
} Out;

typedef struct Job {
  const TfeRing *ring;
  void (*panel)(const TfePanel *);
  const TfePacked *packed; /* NULL: panel */
  bool packs;              /* b is packed for panel */
  Out out;
  Left a;
  Right b;
  int64_t m, k, n;
  TfeMode mode;
  int64_t bits;
} Job;

/* What one thread needs for a product. */
typedef struct Scratch {
  _Alignas(64) uint64_t block[BLOCK_WORDS]; /* of b, packed */
  _Alignas(64) uint64_t panel[PANEL_WORDS]; /* of b, before it is packed */
  _Alignas(64) uint64_t windows[WINDOW_WORDS];
  _Alignas(64) uint8_t room[TFE_RING_ROOM];
  struct Scratch *next;
} Scratch;

static struct {
  pthread_mutex_t lock;
  Scratch *unused;
} list = {PTHREAD_MUTEX_INITIALIZER, NULL};

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static int64_t round_up(int64_t a, int64_t unit) {
  return (a + unit - 1) / unit * unit;
}

static int64_t divide_down(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static _Thread_local Scratch *scratch; /* while this thread multiplies */

static void take_scratch(void) {
  pthread_mutex_lock(&list.lock);
  Scratch *s = list.unused;
  if (s)
    list.unused = s->next;
  pthread_mutex_unlock(&list.lock);
  if (!s) {
    s = aligned_alloc(LARGE_PAGE, (size_t)round_up(sizeof *s, LARGE_PAGE));
    if (!s)
      abort(); /* a kernel has no way to say so */
    (void)madvise(s, sizeof *s, MADV_HUGEPAGE);
  }
  scratch = s;
}

static void give_scratch(void) {
  pthread_mutex_lock(&list.lock);
  scratch->next = list.unused;
  list.unused = scratch;
  pthread_mutex_unlock(&list.lock);
  scratch = NULL;
}

void tfe_ring_forget(void) {
  pthread_mutex_lock(&list.lock);
  for (Scratch *s = list.unused; s; s = s->next)
    OPENSSL_cleanse(s, offsetof(Scratch, next));
  pthread_mutex_unlock(&list.lock);
}

static void zero_rows(uint64_t *out, int64_t ldo, int64_t rows, int64_t n) {
  for (; rows > 0; rows--, out += ldo)
    memset(out, 0, (size_t)n * sizeof *out);
}

/* Words low .. high-1 of one row of the windows j0 .. j1-1; line: the row of the image. */
static void gather_row(const TfeRing *ring, const Windows *v, uint64_t *out, int64_t ldo,
                       const uint64_t *line, int64_t j0, int64_t j1, int64_t low, int64_t high) {
  int64_t step = v->stride * v->channels, first = v->left * v->channels, words = v->w * v->channels;
  int64_t from = most(j0, least(j1, -divide_down(first + low, step))); /* from .. to-1 lie inside */
  int64_t to = most(from, least(j1, divide_down(words - first - high, step) + 1));
  for (int64_t j = j0; j < j1; j++, out += ldo) {
    int64_t at = j * step + first;
    if (j == from && to > from) {
      ring->copy(out, ldo, line + at + low, step, to - from, high - low);
      out += (to - from - 1) * ldo;
      j = to - 1;
      continue;
    }
    memset(out, 0, (size_t)(high - low) * sizeof *out);
    int64_t begin = most(at + low, 0), end = least(at + high, words);
    if (begin < end)
      memcpy(out + (begin - at - low), line + begin, (size_t)(end - begin) * sizeof *out);
  }
}

/* out[q1 - q0, p1 - p0] = words p0 .. p1-1 of the windows q0 .. q1-1 */
static void gather(const TfeRing *ring, const Windows *v, uint64_t *out, int64_t q0, int64_t q1, int64_t p0,
                   int64_t p1) {
  int64_t ldo = p1 - p0;
  for (int64_t q = q0; q < q1;) {
    int64_t line = q / v->wo, image = line / v->ho, j0 = q % v->wo, j1 = least(v->wo, j0 + q1 - q);
    for (int64_t y = p0 / v->row; y * v->row < p1; y++) {
      int64_t low = most(p0 - y * v->row, 0), high = least(p1 - y * v->row, v->row);
      int64_t i = line % v->ho * v->stride + v->top + y;
      uint64_t *to = out + (q - q0) * ldo + y * v->row + low - p0;
      if (i < 0 || i >= v->h)
        zero_rows(to, ldo, j1 - j0, high - low);
      else
        gather_row(ring, v, to, ldo, v->x + (image * v->h + i) * v->w * v->channels, j0, j1, low, high);
    }
    q += j1 - j0;
  }
}

/* a(i0 + .., p0 + ..), rows by k of it, for s. */
static void left_block(const Job *job, TfePanel *s, int64_t i0, int64_t rows, int64_t p0, int64_t k) {
  const Left *a = &job->a;
  if (!a->windows || k == 0) {
    s->a = a->data + i0 * a->down + p0 * a->across;
    s->lda = a->down;
    s->step = a->across;
    return;
  }
  s->a = scratch->windows;
  s->lda = a->turned ? 1 : k;
  s->step = a->turned ? rows : 1;
  if (a->turned)
    gather(job->ring, a->windows, scratch->windows, p0, p0 + k, i0, i0 + rows);
  else
    gather(job->ring, a->windows, scratch->windows, i0, i0 + rows, p0, p0 + k);
}

/* out[k, n] = b(p0 + .., j0 + ..) of taps */
static void gather_taps(const Right *b, uint64_t *out, int64_t p0, int64_t k, int64_t j0, int64_t n) {
  for (int64_t p = p0; p < p0 + k;) {
    int64_t tap = p / b->channels, c = p % b->channels, run = least(b->channels - c, p0 + k - p);
    const uint64_t *from =
        b->data + tap / b->taps * b->step_y + tap % b->taps * b->step_z + c + j0 * b->channels;
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < run; i++)
        out[(p - p0 + i) * n + j] = from[j * b->channels + i];
    p += run;
  }
}

/* -- blocks of b ------------------------------------------------------------------------------------------------ */

static int64_t panel_columns(const Job *job) {
  return job->packed ? job->packed->columns : job->ring->columns;
}

/* Words of a packed panel of so many rows and columns. */
static int64_t panel_words(const Job *job, int64_t k, int64_t n) {
  const TfePacked *kernel = job->packed;
  return kernel ? round_up(k, kernel->unit) / kernel->unit * kernel->bytes / 8 : k * n;
}

static void pack_panel(const Job *job, uint64_t *out, int64_t p, int64_t k, int64_t j, int64_t n) {
  const Right *b = &job->b;
  const uint64_t *from = b->data + p * b->down + j;
  int64_t ldb = b->down;
  if (b->channels) {
    uint64_t *dense = job->packed ? scratch->panel : out;
    gather_taps(b, dense, p, k, j, n);
    from = dense;
    ldb = n;
  }
  if (job->packed)
    job->packed->pack(out, from, ldb, k, n);
  else if (!b->channels)
    job->ring->copy(out, n, from, ldb, k, n);
}

/* All panels of b(p .. p+k-1, j .. j+n-1); returns the words they take. */
static int64_t pack_block(const Job *job, uint64_t *out, int64_t p, int64_t k, int64_t j, int64_t n) {
  int64_t columns = panel_columns(job), words = 0;
  for (int64_t from = 0; from < n; from += columns) {
    int64_t width = least(columns, n - from);
    pack_panel(job, out + words, p, k, j + from, width);
    words += panel_words(job, k, width);
  }
  return words;
}

/* All of b; returns the words it takes. */
static int64_t pack_whole(const Job *job, uint64_t *out) {
  int64_t depth = job->packed ? job->packed->depth : DEPTH, words = 0;
  for (int64_t p = 0; p < job->k; p += depth)
    words += pack_block(job, out + words, p, least(depth, job->k - p), 0, job->n);
  return words;
}

/* Where the panel of column j begins in an operand packed as a whole, at depth p. */
static const uint64_t *packed_at(const Job *job, int64_t p, int64_t k, int64_t j) {
  const TfePacked *kernel = job->packed;
  if (!kernel)
    return job->b.packed + p * job->n + j * k;
  int64_t panels = (job->n + kernel->columns - 1) / kernel->columns;
  return job->b.packed + panels * panel_words(job, p, 0) + j / kernel->columns * panel_words(job, k, 0);
}

/* -- products --------------------------------------------------------------------------------------------------- */

/* A few rows of a at a time, so that they stay in the first-level cache, by all panels. */
static void multiply_panels(const Job *job, const TfePanel *s) {
  for (int64_t i = 0; i < s->m; i += ROWS)
    for (int64_t j = 0; j < s->n; j += job->ring->columns) {
      TfePanel part = *s;
      part.n = least(job->ring->columns, s->n - j);
      part.m = least(ROWS, s->m - i);
      part.out = (uint64_t *)s->out + i * s->ldo + j;
      part.a = (const uint64_t *)s->a + i * s->lda;
      part.b = (const uint64_t *)s->b + j * s->k;
      part.ldb = part.n;
      job->panel(&part);
    }
}

/* Rows i .. i+s->m-1 of the output, which may lie in several pieces. */
static void multiply(const Job *job, TfePanel s, int64_t i, int64_t j) {
  const Out *o = &job->out;
  int64_t left = s.m;
  while (left > 0) {
    int64_t line = i / o->columns, column = i % o->columns;
    s.m = least(left, o->columns - column);
    s.out = o->data + line / o->rows * o->image_step + line % o->rows * o->row_step + column * o->down + j;
    if (job->packed)
      job->packed->multiply(&s);
    else if (job->packs || job->b.packed)
      multiply_panels(job, &s);
    else
      job->panel(&s);
    s.a = (const uint64_t *)s.a + s.m * s.lda;
    i += s.m;
    left -= s.m;
  }
}

/* Rows of a that are multiplied at once. */
static int64_t row_block(const Job *job, int64_t k) {
  if (!job->a.windows || k == 0)
    return job->m;
  return most(ROWS, least(MOST_WINDOWS, WINDOW_WORDS / k) / (2 * ROWS) * (2 * ROWS));
}

static int64_t depth_of(const Job *job) {
  if (job->packed)
    return job->packed->depth;
  bool once = job->m <= FEW_ROWS && !job->a.windows && !job->packs && !job->b.packed;
  return once ? most(job->k, 1) : DEPTH;
}

/* Columns of a block of b: as many as the cache holds, since a kernel on a rearranged b rearranges a for each block. */
static int64_t width_of(const Job *job, int64_t depth) {
  int64_t columns = panel_columns(job), words = panel_words(job, least(depth, most(job->k, 1)), columns);
  int64_t width = job->packed ? most(WIDTH, BLOCK_WORDS / words * columns) : WIDTH;
  return width / columns * columns;
}

/* Rows i0 .. i1-1, columns j .. j+n-1, depth p .. p+k-1. */
static void block_product(const Job *job, int64_t i0, int64_t i1, int64_t j, int64_t n, int64_t p,
                          int64_t k) {
  TfePanel s = {.ldo = job->out.down, .ldb = job->b.down, .k = k, .n = n, .bits = job->bits};
  s.mode = p > 0 && job->mode == TFE_SET ? TFE_ADD : job->mode;
  s.room = scratch->room;
  if (job->b.packed) {
    s.b = packed_at(job, p, k, j);
  } else if (job->packs || job->packed) {
    pack_block(job, scratch->block, p, k, j, n);
    s.b = scratch->block;
  } else {
    s.b = job->b.data + p * job->b.down + j;
  }
  int64_t rows = row_block(job, k);
  for (int64_t i = i0; i < i1; i += rows) {
    s.m = least(rows, i1 - i);
    left_block(job, &s, i, s.m, p, k);
    multiply(job, s, i, j);
  }
}

/* Rows i0 .. i1-1, columns j0 .. j1-1. */
static void part_product(const Job *job, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  bool blocks = job->packed || job->packs || job->b.packed;
  int64_t depth = depth_of(job), width = blocks ? width_of(job, depth) : most(j1 - j0, 1);
  take_scratch();
  for (int64_t j = j0; j < j1; j += width) {
    int64_t p = 0;
    do { /* k may be 0 */
      block_product(job, i0, i1, j, least(width, j1 - j), p, least(depth, job->k - p));
      p += depth;
    } while (p < job->k);
  }
  give_scratch();
}

static void some_rows(void *data, int64_t from, int64_t to) {
  const Job *job = data;
  part_product(job, from, to, 0, job->n);
}

static void some_columns(void *data, int64_t from, int64_t to) {
  const Job *job = data;
  part_product(job, 0, job->m, from, to);
}

/* Threads take rows, or columns where there are few rows: each packs the part of b that it needs. */
static void product(Job *job) {
  if (job->m <= 0 || job->n <= 0)
    return;
  int64_t row_work = most(job->k, 1) * job->n, parts = 2 * tfe_pool_threads();
  if (tfe_pool_threads() == 1 || job->m * row_work < 2 * THREAD_WORK) {
    part_product(job, 0, job->m, 0, job->n);
  } else if (job->m >= 2 * PACK_ROWS || job->n < 2 * WIDTH) {
    int64_t grain = most((job->m + parts - 1) / parts, THREAD_WORK / row_work + 1);
    tfe_pool_run(job->m, round_up(grain, 2 * ROWS), some_rows, job);
  } else {
    int64_t unit = WIDTH / panel_columns(job) * panel_columns(job);
    tfe_pool_run(job->n, round_up((job->n + parts - 1) / parts, unit), some_columns, job);
  }
}

/* -- matrix products -------------------------------------------------------------------------------------------- */

static const TfePacked *packed_kernel(const TfeRing *ring, int64_t m, int64_t k, int64_t n, int64_t bits) {
  for (const TfePacked *const *kernel = ring->packed; kernel && *kernel; kernel++)
    if ((*kernel)->pays(m, k, n, bits))
      return *kernel;
  return NULL;
}

/* The kernels for a job, by its shape. */
static void choose(Job *job) {
  if (job->panel == job->ring->panel)
    job->packed = packed_kernel(job->ring, job->m, job->k, job->n, job->bits);
  job->packs = !job->packed && (job->b.channels || (job->m >= PACK_ROWS && job->k >= DEPTH && job->n > 1));
}

static void run(Job *job) {
  choose(job);
  product(job);
}

/* A product that is not worth sharing, packing or blocking: one panel. */
static bool small(const Job *job) {
  return !job->packed && !job->packs && (job->k <= DEPTH || job->m <= FEW_ROWS) &&
         (job->m * job->k * job->n < 2 * THREAD_WORK || tfe_pool_threads() == 1);
}

static Job job_of(const TfeRing *ring, bool fixed, int64_t bits, TfeMode mode) {
  return (Job){.ring = ring, .panel = fixed ? ring->panel_fixed : ring->panel, .bits = bits, .mode = mode};
}

static void matmul(Job job, uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k,
                   int64_t n) {
  job.m = m, job.k = k, job.n = n;
  job.out = (Out){.data = out, .down = n, .rows = 1, .columns = m};
  job.a = (Left){.data = a, .down = k, .across = 1};
  job.b = (Right){.data = b, .down = n};
  choose(&job);
  if (small(&job))
    job.panel(&(TfePanel){out, n, a, k, 1, b, n, m, k, n, job.mode, job.bits, NULL});
  else
    product(&job);
}

void tfe_ring_matmul(const TfeRing *ring, uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m,
                     int64_t k, int64_t n, int64_t bits, TfeMode mode) {
  matmul(job_of(ring, false, bits, mode), out, a, b, m, k, n);
}

void tfe_ring_matmul_fixed(const TfeRing *ring, double *out, const double *a, const double *b, int64_t m,
                           int64_t k, int64_t n) {
  matmul(job_of(ring, true, 64, TFE_SET), (uint64_t *)out, (const uint64_t *)a, (const uint64_t *)b, m, k, n);
}

/* The kernels of an operand packed for any number of rows. */
static Job packed_job(const TfeRing *ring, int64_t k, int64_t n, int64_t bits) {
  Job job = job_of(ring, false, bits, TFE_SET);
  job.packed = packed_kernel(ring, INT64_C(1) << 20, k, n, bits);
  job.k = k, job.n = n;
  return job;
}

int64_t tfe_ring_packed_words(int64_t k, int64_t n) {
  return 2 * round_up(k, 64) * round_up(n, 32);
}

void tfe_ring_pack(const TfeRing *ring, uint64_t *out, const uint64_t *b, int64_t k, int64_t n,
                   int64_t bits) {
  Job job = packed_job(ring, k, n, bits);
  job.b = (Right){.data = b, .down = n};
  take_scratch();
  int64_t words = pack_whole(&job, out);
  give_scratch();
  assert(words <= tfe_ring_packed_words(k, n));
}

void tfe_ring_matmul_packed(const TfeRing *ring, uint64_t *out, const uint64_t *a, const uint64_t *packed,
                            int64_t m, int64_t k, int64_t n, int64_t bits, TfeMode mode) {
  Job job = packed_job(ring, k, n, bits);
  job.m = m, job.mode = mode;
  job.out = (Out){.data = out, .down = n, .rows = 1, .columns = m};
  job.a = (Left){.data = a, .down = k, .across = 1};
  job.b = (Right){.packed = packed};
  product(&job);
}

/* -- convolutions ------------------------------------------------------------------------------------------------ */

static Windows windows_of(const TfeConvSizes *s, const uint64_t *x) {
  return (Windows){x, s->h, s->w, s->ci, s->kw * s->ci, s->stride, -s->pad, -s->pad, s->ho, s->wo};
}

static void conv2d(Job job, uint64_t *out, const uint64_t *x, const uint64_t *kernel, const TfeConvSizes *s) {
  Windows windows = windows_of(s, x);
  job.m = s->n * s->ho * s->wo, job.k = s->kh * s->kw * s->ci, job.n = s->co;
  job.out = (Out){.data = out, .down = s->co, .rows = 1, .columns = job.m};
  bool plain = s->kh == 1 && s->kw == 1 && s->pad == 0 && s->stride == 1;
  job.a = (Left){.data = x, .down = s->ci, .across = 1, .windows = plain ? NULL : &windows};
  job.b = (Right){.data = kernel, .down = s->co};
  run(&job);
}

static void conv2d_kernel(Job job, uint64_t *out, const uint64_t *x, const uint64_t *dy,
                          const TfeConvSizes *s) {
  Windows windows = windows_of(s, x);
  job.m = s->kh * s->kw * s->ci, job.k = s->n * s->ho * s->wo, job.n = s->co;
  job.out = (Out){.data = out, .down = s->co, .rows = 1, .columns = job.m};
  job.a = (Left){.windows = &windows, .turned = true};
  job.b = (Right){.data = dy, .down = s->co};
  run(&job);
}

/* One coordinate, those of the input that leave the remainder `phase` when divided by the stride: where they
 * begin, how many there are, and the taps of the kernel that reach them, taps phase, phase + stride ...; the
 * first of them is met by output coordinate `first` at the last tap. */
typedef struct Phase {
  int64_t begin, count, taps, first;
} Phase;

static Phase phase_of(int64_t phase, int64_t size, int64_t kernel, int64_t pad, int64_t stride) {
  Phase f = {.begin = phase - pad - divide_down(phase - pad, stride) * stride};
  f.count = f.begin < size ? (size - 1 - f.begin) / stride + 1 : 0;
  f.taps = phase < kernel ? (kernel - 1 - phase) / stride + 1 : 0;
  f.first = (f.begin + pad - phase) / stride - f.taps + 1;
  return f;
}

static void conv2d_phase(Job job, uint64_t *out, const uint64_t *dy, const uint64_t *kernel,
                         const TfeConvSizes *s, int64_t py, int64_t px) {
  Phase y = phase_of(py, s->h, s->kh, s->pad, s->stride), x = phase_of(px, s->w, s->kw, s->pad, s->stride);
  Windows windows = {dy, s->ho, s->wo, s->co, x.taps * s->co, 1, y.first, x.first, y.count, x.count};
  int64_t line = s->w * s->ci, tap = s->ci * s->co;
  job.m = s->n * y.count * x.count, job.n = s->ci;
  job.k = s->ho * s->wo > 0 ? y.taps * x.taps * s->co : 0;
  job.out = (Out){out + y.begin * line + x.begin * s->ci,
                  s->stride * s->ci,
                  y.count,
                  x.count,
                  s->h * line,
                  s->stride * line};
  if (s->stride == 1)
    job.out.rows = 1, job.out.columns = most(job.m, 1);
  job.a = (Left){.windows = &windows};
  int64_t last_y = py + s->stride * (y.taps - 1), last_x = px + s->stride * (x.taps - 1);
  job.b = (Right){.data = kernel, .channels = s->co, .taps = x.taps};
  job.b.data += job.k > 0 ? (last_y * s->kw + last_x) * tap : 0;
  job.b.step_y = -s->stride * s->kw * tap;
  job.b.step_z = -s->stride * tap;
  run(&job);
}

/* The gradient with respect to the input as a sum of windows. */
typedef struct WindowSum {
  Job job; /* windows of all images from those of dy */
  const TfeConvSizes *dims;
  uint64_t *out;
  const uint64_t *dy;
} WindowSum;

/* Row q of windows is added to its place of the image, as far as it lies inside. */
static void add_window(const WindowSum *w, int64_t q, const uint64_t *window) {
  const TfeConvSizes *s = w->dims;
  int64_t line = q / s->wo, top = line % s->ho * s->stride - s->pad, left = q % s->wo * s->stride - s->pad;
  int64_t y0 = most(0, -top), y1 = least(s->kh, s->h - top), x0 = most(0, -left),
          x1 = least(s->kw, s->w - left);
  if (y0 >= y1 || x0 >= x1)
    return;
  uint64_t *to = w->out + ((line / s->ho * s->h + top + y0) * s->w + left + x0) * s->ci;
  w->job.ring->add(to, s->w * s->ci, window + (y0 * s->kw + x0) * s->ci, s->kw * s->ci, y1 - y0,
                   (x1 - x0) * s->ci, ~UINT64_C(0) >> (64 - w->job.bits));
}

/* Windows q .. q+rows-1 of the images, to `windows`. */
static void make_windows(const WindowSum *w, int64_t q, int64_t rows, uint64_t *windows) {
  Job job = w->job;
  job.a = (Left){.data = w->dy + q * job.k, .down = job.k, .across = 1};
  job.b = (Right){.packed = scratch->block};
  job.out = (Out){.data = windows, .down = job.n, .rows = 1, .columns = rows};
  if (job.mode == TFE_SUBTRACT)
    memset(windows, 0, (size_t)(rows * job.n) * sizeof *windows);
  else
    job.mode = TFE_SET;
  int64_t depth = depth_of(&job);
  for (int64_t p = 0; p < job.k; p += depth)
    block_product(&job, 0, rows, 0, job.n, p, least(depth, job.k - p));
}

static void sum_windows(void *data, int64_t from, int64_t to) {
  const WindowSum *w = data;
  const Job *job = &w->job;
  const TfeConvSizes *s = w->dims;
  int64_t image = s->h * s->w * s->ci, each = s->ho * s->wo, rows = most(1, WINDOW_WORDS / job->n);
  take_scratch();
  (void)pack_whole(job, scratch->block); /* fits: sums_windows */
  if (job->mode == TFE_SET)
    memset(w->out + from * image, 0, (size_t)((to - from) * image) * sizeof *w->out);
  for (int64_t q = from * each; q < to * each; q += rows) {
    int64_t count = least(rows, to * each - q);
    make_windows(w, q, count, scratch->windows);
    for (int64_t i = 0; i < count; i++)
      add_window(w, q + i, scratch->windows + i * job->n);
  }
  give_scratch();
}

static bool sums_windows(const Job *job, const TfeConvSizes *s) {
  int64_t window = s->kh * s->kw * s->ci;
  return job->panel == job->ring->panel && window > 0 && s->co > 0 && window <= WINDOW_WORDS / 4 &&
         tfe_ring_packed_words(s->co, window) <= BLOCK_WORDS;
}

static void conv2d_input(Job job, uint64_t *out, const uint64_t *dy, const uint64_t *kernel,
                         const TfeConvSizes *s) {
  if (sums_windows(&job, s)) {
    job.m = s->n * s->ho * s->wo, job.k = s->co, job.n = s->kh * s->kw * s->ci;
    job.b = (Right){.data = kernel, .channels = s->co, .taps = 1};
    choose(&job);
    WindowSum sum = {job, s, out, dy};
    int64_t image = s->ho * s->wo * job.k * job.n;
    tfe_pool_run(s->n, THREAD_WORK / most(image, 1) + 1, sum_windows, &sum);
    return;
  }
  for (int64_t py = 0; py < s->stride; py++)
    for (int64_t px = 0; px < s->stride; px++)
      conv2d_phase(job, out, dy, kernel, s, py, px);
}

static void convolution(Job job, TfeConv what, uint64_t *out, const uint64_t *a, const uint64_t *b,
                        const int64_t *dims) {
  TfeConvSizes s = tfe_conv_sizes(dims);
  if (s.groups > 1)
    tfe_ring_conv2d_groups(job.ring, job.panel == job.ring->panel_fixed, what, out, a, b, &s, job.bits,
                           job.mode);
  else if (what == TFE_CONV)
    conv2d(job, out, a, b, &s);
  else if (what == TFE_CONV_INPUT)
    conv2d_input(job, out, a, b, &s);
  else
    conv2d_kernel(job, out, a, b, &s);
}

void tfe_ring_conv2d(const TfeRing *ring, TfeConv what, uint64_t *out, const uint64_t *a, const uint64_t *b,
                     const int64_t *dims, int64_t bits, TfeMode mode) {
  convolution(job_of(ring, false, bits, mode), what, out, a, b, dims);
}

void tfe_ring_conv2d_fixed(const TfeRing *ring, TfeConv what, double *out, const double *a, const double *b,
                           const int64_t *dims) {
  convolution(job_of(ring, true, 64, TFE_SET), what, (uint64_t *)out, (const uint64_t *)a,
              (const uint64_t *)b, dims);
}

/* -- the ABI ------------------------------------------------------------------------------------------------------ */

void tfe_matmul_ring(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n,
                     int64_t bits, int64_t mode) {
  matmul(job_of(tfe_ring(), false, bits, (TfeMode)mode), out, a, b, m, k, n);
}

void tfe_matmul_int(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n) {
  matmul(job_of(tfe_ring(), false, 64, TFE_SET), out, a, b, m, k, n);
}

void tfe_matmul_fixed(uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m, int64_t k, int64_t n) {
  matmul(job_of(tfe_ring(), true, 64, TFE_SET), out, a, b, m, k, n);
}

int64_t tfe_matmul_packed_words(int64_t k, int64_t n) {
  return tfe_ring_packed_words(k, n);
}

void tfe_matmul_pack(uint64_t *out, const uint64_t *b, int64_t k, int64_t n, int64_t bits) {
  tfe_ring_pack(tfe_ring(), out, b, k, n, bits);
}

void tfe_matmul_packed(uint64_t *out, const uint64_t *a, const uint64_t *packed, int64_t m, int64_t k,
                       int64_t n, int64_t bits, int64_t mode) {
  tfe_ring_matmul_packed(tfe_ring(), out, a, packed, m, k, n, bits, (TfeMode)mode);
}

#define DEFINE_CONVOLUTION(name, what)                                                                       \
  void name##_ring(uint64_t *out, const uint64_t *a, const uint64_t *b, const int64_t *dims, int64_t bits,   \
                   int64_t mode) {                                                                           \
    convolution(job_of(tfe_ring(), false, bits, (TfeMode)mode), what, out, a, b, dims);                      \
  }                                                                                                          \
  void name##_int(uint64_t *out, const uint64_t *a, const uint64_t *b, const int64_t *dims) {                \
    convolution(job_of(tfe_ring(), false, 64, TFE_SET), what, out, a, b, dims);                              \
  }                                                                                                          \
  void name##_fixed(uint64_t *out, const uint64_t *a, const uint64_t *b, const int64_t *dims) {              \
    convolution(job_of(tfe_ring(), true, 64, TFE_SET), what, out, a, b, dims);                               \
  }

DEFINE_CONVOLUTION(tfe_conv2d, TFE_CONV)
DEFINE_CONVOLUTION(tfe_conv2d_input, TFE_CONV_INPUT)
DEFINE_CONVOLUTION(tfe_conv2d_kernel, TFE_CONV_KERNEL)
