/* Pond's arithmetic, run in one process on chosen ring elements (interp.h): products before truncation are
 * exact, truncation is off by less than one step, to either side, and right on average, comparisons are exact
 * over the whole ring.
 *
 * The programs run under a copy of pond.tfe in which `-x` stands for the function under test, so that it gets
 * any ring element as its operand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../compiler/check.h"
#include "../../compiler/expand.h"
#include "../../compiler/pass.h"
#include "../../compiler/rings.h"
#include "../../runtime/prg/prg.h"
#include "interp.h"

enum { MOST = 100000 };

static const int64_t END = INT64_C(1) << 62; /* truncation: below this in magnitude */

static char folder[] = "/tmp/test_pond_XXXXXX";

typedef struct Bench {
  Arena *arena;
  const int64_t *x, *y;
  int64_t *out;
  const char *compare; /* option of the kind; NULL: "auto" */
  int64_t shown;
  int run;
} Bench;

/* ---- hooks ----------------------------------------------------------------------------------------- */

static void draw(void *data, Interp *in, const Op *op, uint64_t pass, uint64_t *out) {
  (void)in;
  uint8_t key[TFE_KEY_BYTES] = {(uint8_t)(1 + ((Bench *)data)->run)};
  tfe_prg_words(key, (uint32_t)op->id, pass, op->type.bits, out, shape_count(&op->type.shape));
}

static void give(void *data, const Op *op, int party, uint64_t pass, uint64_t *out) {
  const Bench *b = data;
  (void)party;
  (void)pass;
  memcpy(out, strcmp(op->text, "x") == 0 ? b->x : b->y, 8 * (size_t)shape_count(&op->type.shape));
}

static void take(void *data, const Op *op, int operand, int party, const uint64_t *value) {
  Bench *b = data;
  (void)party;
  b->shown = shape_count(&op->args.data[operand]->type.shape);
  memcpy(b->out, value, 8 * (size_t)b->shown);
}

/* ---- the bench ------------------------------------------------------------------------------------- */

static const char *read_file(Arena *a, const char *path) {
  const char *error = NULL;
  Source *s = source_read(a, path, path, &error);
  if (!s)
    fail_msg("%s: %s", path, error);
  return s->text;
}

static void write_file(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  assert_int_equal(fclose(f), 0);
}

static const char *replaced(Arena *a, const char *text, const char *old, const char *new) {
  const char *at = strstr(text, old);
  if (!at)
    fail_msg("pond.tfe has no `%s`", old);
  return arena_printf(a, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

/* Runs `show` on x and y (n private ints) with `negated` as the meaning of -x. */
static void run(Bench *b, int64_t n, int frac, const char *negated, const char *show) {
  b->arena = arena_new();
  const char *kind = read_file(b->arena, TFE_TEST_DIR "/../stdlib/protocol/pond.tfe");
  kind = replaced(b->arena, kind, "protocol kind pond(", "protocol kind bench(");
  kind = replaced(b->arena, kind, "fn neg(x) { return holds(-x.a, -x.b) }",
                  arena_printf(b->arena, "fn neg(x) { %s }", negated));
  write_file(arena_printf(b->arena, "%s/protocol/bench.tfe", folder), kind);
  const char *path = arena_printf(b->arena, "%s/bench.tfe", folder);
  write_file(path,
             arena_printf(b->arena,
                          "party s0, s1, producer, owner\n"
                          "protocol bench(s0, s1; producer) with frac = %d, whole = 1, compare = \"%s\" {\n"
                          "  let x: private int[%lld] = share at owner { input(\"x\") }\n"
                          "  let y: private int[%lld] = share at owner { input(\"y\") }\n"
                          "  print(reveal %s)\n"
                          "}\n",
                          frac, b->compare ? b->compare : "auto", (long long)n, (long long)n, show));
  const char *error = NULL;
  Diags *diags = diag_create(b->arena);
  Source *source = source_read(b->arena, path, path, &error);
  assert_non_null(source);
  Program *joint = check_program(b->arena, diags, source, &(CheckOptions){0});
  Program *p = joint && rings_choose(b->arena, diags, joint) ? expand_program(b->arena, diags, joint) : NULL;
  if (!p)
    diag_flush(diags, stderr, DIAG_TEXT, false);
  assert_non_null(p);
  passes_run(p, NULL, NULL);
  InterpHooks hooks = {.data = b, .random = draw, .input = give, .shown = take};
  b->shown = 0;
  error = interp_run(interp_new(b->arena, p, &hooks));
  if (error)
    fail_msg("%s", error);
  assert_int_equal(b->shown, n);
  arena_free(b->arena);
  b->run++;
}

static int64_t x[MOST], y[MOST], out[MOST];

static uint64_t next_random(void) {
  static uint64_t state = 1;
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* Corners below 2^62 in magnitude, then numbers of all sizes. */
static void fill(int64_t *v, int64_t n) {
  int64_t k = 0;
  for (int bit = 0; bit <= 62; bit++)
    for (int64_t d = -1; d <= 1; d++)
      for (int sign = -1; sign <= 1; sign += 2) {
        int64_t c = (INT64_C(1) << bit) + d;
        if (c < END)
          v[k++] = sign * c;
      }
  assert_true(k <= n);
  for (; k < n; k++)
    v[k] = (int64_t)next_random() >> (1 + next_random() % 62);
  for (k = 0; k < n; k++)
    if (v[k] >= END || v[k] <= -END)
      v[k] = END - 1;
}

/* ---- tests ----------------------------------------------------------------------------------------- */

/* One of the two neighbours on the coarser grid for every number of bits dropped; exact where nothing is
 * lost. */
static void truncation_never_fails(void **state) {
  (void)state;
  enum { N = 1000 };
  Bench b = {.x = x, .y = y, .out = out};
  fill(x, N);
  for (int t = 1; t <= 60; t++) {
    run(&b, N, t, "return truncate(x, frac)", "-x");
    for (int i = 0; i < N; i++) {
      int64_t floor = x[i] >> t, lost = x[i] - (int64_t)((uint64_t)floor << t);
      if (out[i] != floor && (out[i] != floor + 1 || lost == 0))
        fail_msg("%lld / 2^%d: %lld", (long long)x[i], t, (long long)out[i]);
    }
  }
}

static void truncation_is_unbiased(void **state) {
  (void)state;
  Bench b = {.x = x, .y = y, .out = out};
  static const struct {
    int t;
    int64_t value;
  } cases[] = {{16, 0}, {16, 12345678901}, {16, -7}, {1, 3}, {30, -1234567890123}, {24, 0}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    int t = cases[c].t;
    double sum = 0;
    for (int i = 0; i < MOST; i++)
      x[i] = c == 0 || c == 5 ? (int64_t)next_random() >> (2 + i % 40) : cases[c].value;
    run(&b, MOST, t, "return truncate(x, frac)", "-x");
    for (int i = 0; i < MOST; i++) {
      int64_t floor = x[i] >> t;
      double part = ldexp((double)(x[i] - (int64_t)((uint64_t)floor << t)), -t);
      sum += (double)(out[i] - floor) - part;
    }
    if (!(fabs(sum / MOST) < 0.01))
      fail_msg("2^%d, case %d: mean error %g steps", t, (int)c, sum / MOST);
  }
}

static void products_are_exact(void **state) {
  (void)state;
  enum { N = 4096, SIDE = 64 };
  Bench b = {.x = x, .y = y, .out = out};
  for (int i = 0; i < N; i++) {
    x[i] = (int64_t)next_random();
    y[i] = (int64_t)next_random() >> next_random() % 64;
  }
  run(&b, N, 16, "return x", "x * y");
  for (int i = 0; i < N; i++)
    assert_true((uint64_t)out[i] == (uint64_t)x[i] * (uint64_t)y[i]);
  run(&b, N, 16, "return x", "(x.reshape(64, 64) @ y.reshape(64, 64)).reshape(4096)");
  for (int i = 0; i < SIDE; i++)
    for (int k = 0; k < SIDE; k++) {
      uint64_t sum = 0;
      for (int j = 0; j < SIDE; j++)
        sum += (uint64_t)x[i * SIDE + j] * (uint64_t)y[j * SIDE + k];
      assert_true((uint64_t)out[i * SIDE + k] == sum);
    }
}

/* The test's state: the option `compare`. */
static void signs_are_exact(void **state) {
  enum { N = 2000 };
  Bench b = {.x = x, .y = y, .out = out, .compare = *state};
  static const int64_t corners[] = {INT64_MIN, INT64_MIN + 1, -2, -1, 0, 1, 2, INT64_MAX - 1, INT64_MAX};
  for (int i = 0; i < N; i++)
    x[i] = i < 900 ? corners[i % 9] : (int64_t)next_random() >> next_random() % 64;
  run(&b, N, 16, "return to_int(negative(open(x)))", "-x");
  for (int i = 0; i < N; i++)
    if (out[i] != (x[i] < 0))
      fail_msg("%lld < 0: %lld", (long long)x[i], (long long)out[i]);
  run(&b, N, 16, "return to_int(not_zero(open(x)))", "-x");
  for (int i = 0; i < N; i++)
    if (x[i] != INT64_MIN && out[i] != (x[i] != 0)) /* -2^63 - 1 is positive */
      fail_msg("%lld != 0: %lld", (long long)x[i], (long long)out[i]);
}

/* Every comparison of numbers in range, also of neighbours. */
static void comparisons_are_exact(void **state) {
  enum { N = 1200 };
  Bench b = {.x = x, .y = y, .out = out, .compare = *state};
  fill(x, N);
  for (int i = 0; i < N; i++)
    y[i] = i % 4 == 3 ? x[N - 1 - i] : x[i] + i % 4 - 1;
  static const char *const shows[] = {"x < y", "x <= y", "x == y", "x != y",
                                      "x < 0", "x <= 0", "0 < x",  "x == 1"};
  for (int k = 0; k < 8; k++) {
    run(&b, N, 16, "return x", shows[k]);
    for (int i = 0; i < N; i++) {
      bool expected[] = {x[i] < y[i], x[i] <= y[i], x[i] == y[i], x[i] != y[i],
                         x[i] < 0,    x[i] <= 0,    0 < x[i],     x[i] == 1};
      if (out[i] != expected[k])
        fail_msg("%s of %lld, %lld: %lld", shows[k], (long long)x[i], (long long)y[i], (long long)out[i]);
    }
  }
}

static int make_folder(void **state) {
  (void)state;
  char path[64];
  if (!mkdtemp(folder))
    return -1;
  snprintf(path, sizeof path, "%s/protocol", folder);
  return mkdir(path, 0700);
}

static int remove_folder(void **state) {
  (void)state;
  char path[64];
  static const char *const names[] = {"protocol/bench.tfe", "bench.tfe", "protocol", ""};
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    if (remove(path) != 0)
      return -1;
  }
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(truncation_never_fails),
      cmocka_unit_test(truncation_is_unbiased),
      cmocka_unit_test(products_are_exact),
      cmocka_unit_test_prestate(signs_are_exact, "dpf"),
      cmocka_unit_test_prestate(signs_are_exact, "bits"),
      cmocka_unit_test_prestate(comparisons_are_exact, "dpf"),
      cmocka_unit_test_prestate(comparisons_are_exact, "bits"),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
