/* No kernel that touches shares, masks or keys branches on them or takes them for an address.
 *
 *   kernels TIER           every kernel, at the instruction set TIER (ring/cpu.h)
 *   kernels TIER KERNEL    one; those that leak and must be reported run only so
 *
 * runs each kernel twice on the same data: as it is, and marked secret (secret.h) but for what the kernel's
 * header calls public. The second run must not be reported, must give the same, and its results must still be
 * secret: else the tool has lost track and its silence means nothing.
 *
 * Not here: tfe_encode_* and tfe_decode_*, max, argmax, any, all, and all products and sums of doubles and
 * ints. They see public values or a party's own data in its own process. What generated code does itself:
 * party.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/gate/dpf.h"
#include "../../runtime/gate/spline.h"
#include "../../runtime/include/abi.h"
#include "../../runtime/pack.h"
#include "../../runtime/prg/prg.h"
#include "../../runtime/ring/ring.h"
#include "secret.h"

enum { BUFFERS = 8 };

typedef struct Buffer {
  uint64_t *words;
  int64_t n;
  bool is_result;
} Buffer;

/* One run of a kernel: its random data, the same again from the same `state`. */
typedef struct Run {
  bool marked;
  uint64_t state;
  Buffer buffer[BUFFERS];
  int buffers;
} Run;

static uint64_t next(Run *run) {
  uint64_t x = run->state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static uint64_t *new_words(Run *run, int64_t n) {
  uint64_t *words = malloc((size_t)n * 8 + 1);
  if (!words || run->buffers == BUFFERS)
    abort();
  run->buffer[run->buffers++] = (Buffer){words, n, false};
  for (int64_t i = 0; i < n; i++)
    words[i] = next(run);
  return words;
}

static uint64_t *new_secret(Run *run, int64_t n) {
  uint64_t *words = new_words(run, n);
  if (run->marked)
    secret_mark(words, (size_t)n * 8);
  return words;
}

static uint64_t *new_result(Run *run, int64_t n) {
  uint64_t *words = new_words(run, n);
  run->buffer[run->buffers - 1].is_result = true;
  return words;
}

static void free_run(Run *run) {
  for (int i = 0; i < run->buffers; i++)
    free(run->buffer[i].words);
}

/* -- kernels ----------------------------------------------------------------------------------------------- */

/* What the numbers mean says the table's user. */
typedef int64_t Shape[10];

static const Shape matmul_shapes[] = {
    /* m, k, n, bits */
    {1, 1, 1, 64},    {1, 9, 1, 63},     {5, 8, 1, 64},     {4, 17, 2, 40},    {2, 3, 3, 64},
    {7, 5, 4, 64},    {8, 4, 5, 1},      {9, 2, 7, 24},     {15, 6, 8, 64},    {3, 7, 9, 64},
    {4, 8, 15, 64},   {5, 3, 16, 62},    {6, 9, 17, 64},    {8, 16, 23, 64},   {17, 5, 24, 64},
    {23, 4, 25, 64},  {2, 70, 70, 64},   {1, 40, 30, 64},   {33, 300, 25, 64}, {32, 257, 3, 47},
    {40, 256, 8, 64}, {1, 300, 17, 64},  {31, 300, 1, 64},  {64, 260, 49, 64}, {33, 20, 40, 24},
    {17, 70, 23, 32}, {80, 100, 40, 20}, {70, 200, 33, 24},
};

static void matmul(Run *run, const int64_t *s) {
  uint64_t *a = new_secret(run, s[0] * s[1]), *b = new_secret(run, s[1] * s[2]);
  for (int mode = 0; mode < 3; mode++)
    tfe_matmul_ring(new_result(run, s[0] * s[2]), a, b, s[0], s[1], s[2], s[3], mode);
}

static void packed(Run *run, const int64_t *s) {
  uint64_t *a = new_secret(run, s[0] * s[1]), *b = new_secret(run, s[1] * s[2]);
  uint64_t *packed_b = new_words(run, tfe_matmul_packed_words(s[1], s[2]) + 8);
  packed_b += -((uintptr_t)packed_b / 8) % 8; /* on a cache line */
  tfe_matmul_pack(packed_b, b, s[1], s[2], s[3]);
  tfe_matmul_packed(new_result(run, s[0] * s[2]), a, packed_b, s[0], s[1], s[2], s[3], 0);
}

static const Shape conv_shapes[] = {
    /* n, h, w, ci, kh, kw, co, pad, stride, groups: each element of x is in a window */
    {1, 5, 5, 1, 3, 3, 1, 0, 1, 1}, {2, 6, 7, 3, 3, 2, 5, 1, 1, 1},   {1, 12, 12, 4, 5, 5, 25, 2, 1, 1},
    {1, 1, 1, 1, 1, 1, 1, 0, 1, 1}, {3, 4, 4, 2, 4, 4, 3, 0, 1, 1},   {1, 2, 2, 2, 3, 3, 3, 1, 1, 1},
    {1, 3, 9, 1, 1, 9, 8, 0, 1, 1}, {1, 8, 8, 1, 5, 5, 20, 0, 1, 1},  {1, 6, 6, 60, 3, 3, 9, 1, 1, 1},
    {2, 9, 8, 3, 3, 3, 7, 1, 2, 1}, {1, 28, 28, 1, 5, 5, 5, 2, 2, 1}, {1, 7, 7, 2, 3, 3, 9, 0, 2, 1},
    {1, 6, 5, 9, 3, 3, 9, 1, 1, 9}, {2, 5, 5, 4, 2, 2, 8, 1, 2, 4},   {1, 5, 5, 6, 3, 3, 4, 0, 1, 2},
};

static int64_t conv_extent(int64_t size, int64_t kernel, int64_t pad, int64_t stride) {
  return (size + 2 * pad - kernel) / stride + 1;
}

/* The convolution and its two gradients: of x, kernel and result two are secret, the third comes of it. */
static void conv(Run *run, const int64_t *s) {
  int64_t ho = conv_extent(s[1], s[4], s[7], s[8]), wo = conv_extent(s[2], s[5], s[7], s[8]);
  int64_t in = s[0] * s[1] * s[2] * s[3], kernel = s[4] * s[5] * (s[3] / s[9]) * s[6],
          result = s[0] * ho * wo * s[6];
  uint64_t *x = new_secret(run, in), *k = new_secret(run, kernel), *y = new_secret(run, result);
  tfe_conv2d_ring(new_result(run, result), x, k, s, 63, 0);
  tfe_conv2d_input_ring(new_result(run, in), y, k, s, 63, 1);
  tfe_conv2d_kernel_ring(new_result(run, kernel), x, y, s, 63, 2);
}

static const Shape sum_shapes[] = {
    /* outer, n, inner, bits */
    {1, 100, 1, 64}, {7, 9, 1, 63}, {3, 5, 17, 40}, {1, 30, 8, 64}, {20, 1, 3, 1},
};

static void sum(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, s[0] * s[1] * s[2]);
  tfe_sum_ring(new_result(run, s[0] * s[2]), in, s[0], s[1], s[2], s[3]);
}

static const Shape counts_and_bits[] = {
    {1, 1},   {7, 1},   {64, 1},  {131, 1}, {3, 2},   {9, 7},   {40, 8},
    {5, 13},  {20, 16}, {33, 24}, {11, 31}, {17, 32}, {25, 40}, {12, 47},
    {30, 56}, {19, 62}, {65, 63}, {2, 64},  {1, 5},   {1, 63},  {100, 64},
};

static void lanes_of(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, s[0]);
  tfe_lanes_of(new_result(run, (s[0] + 63) / 64 * s[1]), in, s[0], s[1]);
}

static void from_lanes(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, (s[0] + 63) / 64 * s[1]);
  tfe_from_lanes(new_result(run, s[0] * s[1]), in, s[0], s[1], s[1]);
}

/* The packed bytes in whole words, to be results. */
static int64_t packed_words(const int64_t *s) {
  return ((int64_t)tfe_pack_bytes(s[0], s[1]) + 7) / 8;
}

static void pack(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, s[0]);
  tfe_pack((uint8_t *)new_result(run, packed_words(s)), in, s[0], s[1]);
}

static void unpack(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, packed_words(s));
  tfe_unpack(new_result(run, s[0]), (const uint8_t *)in, s[0], s[1]);
}

/* The key is secret; where it is drawn is public. */
static void prg(Run *run, const int64_t *s) {
  uint64_t *key = new_secret(run, 2);
  tfe_prg_words((const uint8_t *)key, 5, 6, (int)s[1], new_result(run, s[0]), s[0]);
}

enum { COPY_DENSE, COPY_TRANSPOSED, COPY_REVERSED, COPY_REPEATED, COPY_FIRST_REPEATED, COPY_BOX };

static const Shape copy_shapes[] = {
    /* dims, COPY_ */
    {4, 5, 6, COPY_DENSE}, {3, 20, 35, COPY_TRANSPOSED}, {17, 4, 18, COPY_REVERSED},
    {2, 1, 1, COPY_DENSE}, {3, 4, 9, COPY_REPEATED},     {5, 3, 4, COPY_FIRST_REPEATED},
    {3, 4, 5, COPY_BOX},
};

static void in_strides_of(int64_t strides[3], const int64_t *s) {
  const int64_t *d = s;
  switch (s[3]) {
  case COPY_TRANSPOSED: strides[0] = d[1] * d[2], strides[1] = 1, strides[2] = d[1]; return;
  case COPY_REVERSED: strides[0] = 1, strides[1] = d[0], strides[2] = d[0] * d[1]; return;
  case COPY_REPEATED: strides[0] = d[1], strides[1] = 1, strides[2] = 0; return;
  case COPY_FIRST_REPEATED: strides[0] = 0, strides[1] = d[2], strides[2] = 1; return;
  case COPY_BOX: strides[0] = (d[1] + 1) * 2 * d[2], strides[1] = 2 * d[2], strides[2] = 2; return;
  default: strides[0] = d[1] * d[2], strides[1] = d[2], strides[2] = 1;
  }
}

static void copy(Run *run, const int64_t *s) {
  int64_t out_strides[3] = {s[1] * s[2], s[2], 1}, in_strides[3];
  in_strides_of(in_strides, s);
  uint64_t *in = new_secret(run, s[0] * (s[1] + 1) * 2 * s[2]);
  tfe_copy(new_result(run, s[0] * s[1] * s[2]), in, s, out_strides, in_strides, 3);
}

static const Shape gather_shapes[] = {{5, 9, 3}, {12, 4, 1}}; /* rows taken, rows, elements of a row */

/* Which rows is public. */
static void gather(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, s[1] * s[2]), *index = new_words(run, s[0]);
  for (int64_t i = 0; i < s[0]; i++)
    index[i] %= (uint64_t)s[1];
  if (tfe_gather(NULL, new_result(run, s[0] * s[2]), in, index, s[0], s[1], s[2], 0) != TFE_OK)
    abort();
}

static const Shape repeat_shapes[] = {{30, 1, 7}, {50, 4, 3}, {9, 20, 1}}; /* n, stride, size */

static void repeat(Run *run, const int64_t *s) {
  uint64_t *in = new_secret(run, s[2]);
  tfe_repeat(new_result(run, s[0]), in, 5, s[0], s[1], s[2]);
}

static const Shape hash_shapes[] = {{1}, {3}, {4}, {7}, {8}, {31}, {32}, {45}};

static void hash(Run *run, const int64_t *s) {
  _Alignas(16) TfeNode nodes[64];
  TfeHashKey key;
  uint64_t *in = new_secret(run, 2 * s[0]);
  memcpy(nodes, in, (size_t)s[0] * sizeof *nodes);
  tfe_hash()->start(&key, tfe_hash_default_key);
  tfe_hash()->nodes(&key, nodes, nodes, s[0]);
  tfe_hash()->stop(&key);
  memcpy(new_result(run, 2 * s[0]), nodes, (size_t)s[0] * sizeof *nodes);
}

static const Shape dpf_shapes[] = {
    /* keys, bits, points of a key */
    {1, 1, 1},  {3, 8, 1},   {5, 9, 2},  {2, 16, 3}, {33, 24, 1},
    {4, 31, 4}, {66, 40, 1}, {2, 63, 1}, {5, 64, 2}, {3, 64, 7},
};

static void dpf_key(Run *run, const int64_t *s) {
  uint64_t *alpha = new_secret(run, s[0]), *root0 = new_secret(run, 2 * s[0]),
           *root1 = new_secret(run, 2 * s[0]);
  tfe_dpf_key(NULL, new_result(run, s[0] * tfe_dpf_words(s[1])), alpha, root0, root1, s[0], s[1]);
}

/* The points are public. Any words are a key, if not one of a comparison. */
static void dpf_eval(Run *run, const int64_t *s) {
  uint64_t *x = new_words(run, s[0] * s[2]), *root = new_secret(run, 2 * s[0]);
  uint64_t *words = new_secret(run, s[0] * tfe_dpf_words(s[1]));
  for (int role = 0; role < 2; role++)
    tfe_dpf_eval(NULL, new_result(run, s[0] * s[2]), x, root, words, s[0], s[2], s[1], role);
}

static void dpf_point(Run *run, const int64_t *s) {
  uint64_t *x = new_words(run, s[0] * s[2]), *root = new_secret(run, 2 * s[0]);
  uint64_t *words = new_secret(run, s[0] * tfe_dpf_words(s[1]));
  for (int role = 0; role < 2; role++)
    tfe_dpf_point(NULL, new_result(run, s[0] * s[2]), x, root, words, s[0], s[2], s[1], role);
}

static const TfeSpline layouts[] = {
    /* relu; pieces without slopes; a bit */
    {.bits = 31, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 47, .pieces = 1},
    {.bits = 40, .low = 6, .degree = -1, .has_pieces = 1, .out_bits = 64, .shift = 64, .pieces = 3},
    {.bits = 63, .degree = -1, .has_pieces = 1, .out_bits = 1, .pieces = 2},
    /* segments, narrow and wide, degrees 0 to 3 */
    {.bits = 12, .degree = 0, .payload_scale = 10, .out_bits = 40, .first = -30, .count = 60},
    {.bits = 20, .low = 12, .degree = 1, .payload_scale = 16, .out_bits = 50, .first = -4, .count = 7},
    {.bits = 24,
     .low = 14,
     .degree = 2,
     .payload_scale = 18,
     .out_bits = 50,
     .shift = 5,
     .first = -70,
     .count = 140},
    {.bits = 31,
     .low = 20,
     .degree = 3,
     .payload_scale = 20,
     .out_bits = 47,
     .shift = 17,
     .first = -9,
     .count = 17},
    {.bits = 24,
     .low = 14,
     .degree = 2,
     .payload_scale = 18,
     .out_bits = 50,
     .shift = 40,
     .first = -10,
     .count = 20},
    {.bits = 31,
     .low = 20,
     .degree = 3,
     .payload_scale = 20,
     .out_bits = 60,
     .shift = 60,
     .first = -9,
     .count = 17},
    /* both */
    {.bits = 24,
     .low = 9,
     .degree = 2,
     .linear = 1,
     .has_pieces = 1,
     .payload_scale = 18,
     .out_bits = 50,
     .shift = 5,
     .first = -70,
     .count = 140,
     .pieces = 3},
    {.bits = 24,
     .low = 9,
     .degree = 3,
     .linear = 1,
     .has_pieces = 1,
     .payload_scale = 18,
     .out_bits = 50,
     .shift = 40,
     .first = -70,
     .count = 140,
     .pieces = 3},
};

static const Shape spline_shapes[] = {
    /* number of the layout, values */
    {0, 1}, {0, 67}, {1, 5}, {2, 3}, {3, 9}, {4, 33}, {5, 2}, {6, 5}, {7, 3}, {8, 4}, {9, 3}, {10, 3},
};

static void spline_key(Run *run, const int64_t *s) {
  const TfeSpline *layout = &layouts[s[0]];
  uint64_t *r = new_secret(run, s[1]), *root0 = new_secret(run, 2 * s[1]), *root1 = new_secret(run, 2 * s[1]);
  tfe_spline_key(NULL, new_result(run, s[1] * tfe_spline_words(layout)), r, root0, root1, s[1],
                 (const int64_t *)layout);
}

/* The opened values and the table are public. */
static void spline_eval(Run *run, const int64_t *s) {
  const TfeSpline *layout = &layouts[s[0]];
  uint64_t *c = new_words(run, s[1]), *table = new_words(run, tfe_spline_table_words(layout));
  for (int64_t k = 0; k < layout->pieces; k++)
    table[3 * k] = (uint64_t)(k - 1), table[3 * k + 2] *= (uint64_t)layout->linear;
  for (int64_t i = 3 * layout->pieces; i < tfe_spline_table_words(layout); i++)
    table[i] >>= 40;
  uint64_t *root = new_secret(run, 2 * s[1]), *words = new_secret(run, s[1] * tfe_spline_words(layout));
  for (int role = 0; role < 2; role++)
    tfe_spline_eval(NULL, new_result(run, s[1]), c, root, words, table, s[1], (const int64_t *)layout, role);
}

/* -- what must be reported ----------------------------------------------------------------------------------- */

static const Shape one_shape[] = {{0}};

static volatile int branches_taken;

static void branches_on_a_share(Run *run, const int64_t *s) {
  (void)s;
  uint64_t *share = new_secret(run, 1), *out = new_result(run, 1);
  if (*share & 4)
    branches_taken = branches_taken + 1;
  *out = *share + 1;
}

static void indexes_by_a_share(Run *run, const int64_t *s) {
  (void)s;
  uint64_t *share = new_secret(run, 1), *table = new_secret(run, 16), *out = new_result(run, 1);
  *out = table[*share & 15];
}

/* Of a node that is secret but for bit 0, as all nodes are that are hashed. */
static void branches_on_a_hash(Run *run, const int64_t *s) {
  (void)s;
  TfeNode node;
  TfeHashKey key;
  memcpy(&node, new_secret(run, 2), sizeof node);
  node.w[0] &= ~UINT64_C(1);
  tfe_hash()->start(&key, tfe_hash_default_key);
  tfe_hash()->nodes(&key, &node, &node, 1);
  tfe_hash()->stop(&key);
  if (node.w[0] & 1)
    branches_taken = branches_taken + 1;
}

/* -- the table ------------------------------------------------------------------------------------------------- */

typedef struct Kernel {
  const char *name;
  void (*body)(Run *run, const int64_t *shape);
  const Shape *shapes;
  int count;
  bool leaks; /* only when asked for */
} Kernel;

#define SHAPES(array) array, sizeof array / sizeof *array

static const Kernel kernels[] = {
    {"matmul_ring", matmul, SHAPES(matmul_shapes), 0},
    {"matmul_packed", packed, SHAPES(matmul_shapes), 0},
    {"conv2d_ring", conv, SHAPES(conv_shapes), 0},
    {"sum_ring", sum, SHAPES(sum_shapes), 0},
    {"lanes_of", lanes_of, SHAPES(counts_and_bits), 0},
    {"from_lanes", from_lanes, SHAPES(counts_and_bits), 0},
    {"pack", pack, SHAPES(counts_and_bits), 0},
    {"unpack", unpack, SHAPES(counts_and_bits), 0},
    {"prg", prg, SHAPES(counts_and_bits), 0},
    {"copy", copy, SHAPES(copy_shapes), 0},
    {"gather", gather, SHAPES(gather_shapes), 0},
    {"repeat", repeat, SHAPES(repeat_shapes), 0},
    {"hash", hash, SHAPES(hash_shapes), 0},
    {"dpf_key", dpf_key, SHAPES(dpf_shapes), 0},
    {"dpf_eval", dpf_eval, SHAPES(dpf_shapes), 0},
    {"dpf_point", dpf_point, SHAPES(dpf_shapes), 0},
    {"spline_key", spline_key, SHAPES(spline_shapes), 0},
    {"spline_eval", spline_eval, SHAPES(spline_shapes), 0},
    {"branches_on_a_share", branches_on_a_share, SHAPES(one_shape), 1},
    {"branches_on_a_hash", branches_on_a_hash, SHAPES(one_shape), 1},
    {"indexes_by_a_share", indexes_by_a_share, SHAPES(one_shape), 1},
};

enum { KERNELS = sizeof kernels / sizeof *kernels };

/* -- running them ---------------------------------------------------------------------------------------------- */

static const char *tier;
static const Kernel *running;
static int running_shape;

static void complain(const char *what) {
  fprintf(stderr, "%s: %s, shape %d: %s\n", tier, running->name, running_shape, what);
}

static void complain_of_dependence(void) {
  complain("a branch or an address depends on a secret");
}

/* NULL: all is well. */
static const char *compare(const Run *plain, const Run *marked) {
  for (int b = 0; b < marked->buffers; b++) {
    Buffer got = marked->buffer[b];
    if (!got.is_result)
      continue;
    for (int64_t i = 0; i < got.n && secret_watched(); i++)
      if (!secret_is(&got.words[i]))
        return "a result is not secret any more: the tool lost track";
    secret_declassify(got.words, (size_t)got.n * 8);
    if (memcmp(got.words, plain->buffer[b].words, (size_t)got.n * 8) != 0)
      return "the result differs";
  }
  return NULL;
}

static bool passes(const int64_t *shape) {
  Run plain = {.state = 1}, marked = {.state = 1, .marked = true};
  running->body(&plain, shape);
  unsigned before = secret_reports();
  running->body(&marked, shape);
  bool depends = secret_reports() != before;
  if (depends)
    complain_of_dependence();
  const char *wrong = compare(&plain, &marked);
  if (wrong)
    complain(wrong);
  free_run(&plain);
  free_run(&marked);
  return !depends && !wrong;
}

/* Number of shapes that do not pass. */
static int run_kernel(const Kernel *kernel) {
  int failed = 0;
  running = kernel;
  for (running_shape = 0; running_shape < kernel->count; running_shape++)
    failed += !passes(kernel->shapes[running_shape]);
  return failed;
}

static bool is_wanted(const Kernel *kernel, const char *name) {
  return name ? !strcmp(kernel->name, name) : !kernel->leaks;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: kernels TIER [KERNEL]\n");
    return 2;
  }
  tier = argv[1];
  setenv("TFE_CPU", tier, 1);
  if (strcmp(tfe_ring()->name, tier) != 0) {
    printf("skipped: this machine, or the tool on it, has no %s\n", tier);
    return 0;
  }
  secret_on_report(complain_of_dependence);
  int failed = 0, run = 0;
  for (int i = 0; i < KERNELS; i++)
    if (is_wanted(&kernels[i], argc > 2 ? argv[2] : NULL)) {
      failed += run_kernel(&kernels[i]);
      run++;
    }
  printf("%s: %d kernels, %d shapes failed%s\n", tier, run, failed,
         secret_watched() ? "" : ", but nobody watched");
  return failed > 0 || run == 0 || !secret_watched();
}
