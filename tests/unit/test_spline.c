/* The spline gate against its definition: all values and masks of small rings, random ones of large rings,
 * every hash. That nothing depends on a secret is tests/secret's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/gate/spline.h"
#include "../../runtime/include/abi.h"
#include "../../runtime/pool.h"

#include "gate_fixture.h"

typedef unsigned __int128 Wide;

/* The lower `bits` bits as a signed number. */
static int64_t sign(uint64_t x, int64_t bits) {
  return (int64_t)(x << (64 - bits)) >> (64 - bits);
}

/* -- what the gate must give ----------------------------------------------------------------------------- */

/* A layout with a random table that fits it; scale: of the sums (F in spline.h). */
typedef struct Gate {
  TfeSpline s;
  int64_t scale;
  uint64_t *table;
} Gate;

static Gate new_gate(TfeSpline s, const int64_t *breaks, int64_t scale) {
  Gate g = {s, scale, new_random(tfe_spline_table_words(&s))};
  for (int64_t k = 0; k < s.pieces; k++) {
    g.table[3 * k] = (uint64_t)breaks[k];
    g.table[3 * k + 2] *= (uint64_t)s.linear;
  }
  int64_t digits = scale - s.payload_scale + TFE_SPLINE_GUARD;
  for (int64_t i = 0; i < s.count * (s.degree + 1); i++)
    g.table[3 * s.pieces + i] = (uint64_t)sign(next(), digits + 2); /* -2 .. 2 */
  return g;
}

/* Segment and place in it, as the mask r cuts x. */
static void cut(const TfeSpline *s, uint64_t c, uint64_t r, int64_t *j, int64_t *tau) {
  *j = sign((low(c, s->bits) >> s->low) - (low(r, s->bits) >> s->low), s->bits - s->low);
  *tau = (int64_t)low(c, s->low) - (int64_t)low(r, s->low);
}

static Wide piece_at(const Gate *g, int64_t j, int64_t tau) {
  Wide x = (Wide)j * ((Wide)1 << g->s.low) + (Wide)tau, y = 0;
  for (int64_t k = 0; k < g->s.pieces && (int64_t)g->table[3 * k] <= j; k++)
    y = (Wide)(int64_t)g->table[3 * k + 1] + (Wide)(int64_t)g->table[3 * k + 2] * x;
  return y;
}

/* The polynomial at scale F, and how far its rounded factors may be off. */
static double segment_at(const Gate *g, int64_t j, int64_t tau, double *slack) {
  int64_t m = j - g->s.first, powers = g->s.degree + 1;
  *slack = 0;
  if (m < 0 || m >= g->s.count)
    return 0;
  const uint64_t *a = g->table + 3 * g->s.pieces + m * powers;
  double u = (double)tau / (double)(INT64_C(1) << g->s.low), y = 0;
  for (int64_t d = powers - 1; d >= 0; d--)
    y = y * u + (double)(int64_t)a[d];
  double factor = ldexp(1, (int)(g->scale - g->s.payload_scale)), payload = ldexp(1, (int)g->s.payload_scale);
  *slack = (double)powers * (payload * 0.6 + (g->s.low > 0 ? factor * 2 * 3.75 * 0.5 : 0));
  return y * payload / (1 << TFE_SPLINE_GUARD);
}

/* How far a result is off, in its own units. */
typedef struct Error {
  double sum;
  int64_t n;
} Error;

static void check_value(const Gate *g, uint64_t c, uint64_t r, uint64_t result, Error *error) {
  int64_t j, tau;
  cut(&g->s, c, r, &j, &tau);
  double slack, segment = segment_at(g, j, tau, &slack), unit = ldexp(1, (int)g->s.shift);
  int64_t k = tfe_spline_ring(&g->s);
  Wide piece = piece_at(g, j, tau) & ~(Wide)0 >> (128 - k);
  /* the pieces' part is exact: what is left of the result is the segments' */
  int64_t rest = sign(result - (uint64_t)(piece >> g->s.shift), g->s.out_bits);
  double dropped = (double)(piece & (((Wide)1 << g->s.shift) - 1)) / unit;
  double off = remainder((double)rest - dropped - segment / unit, ldexp(1, (int)g->s.out_bits));
  double round = g->s.shift > 0 && (dropped > 0 || g->s.degree >= 0) ? 1 : 0;
  double ulps = fabs(segment) * 0x1p-50 / unit + 0x1p-40; /* of the doubles here */
  if (!(fabs(off) <= slack / unit + round + ulps) || result != low(result, g->s.out_bits))
    fail_msg("%d bits, low %d, degree %d, linear %d, %d pieces, out %d, shift %d: c %llx, r %llx: off %g, "
             "slack %g",
             (int)g->s.bits, (int)g->s.low, (int)g->s.degree, (int)g->s.linear, (int)g->s.pieces,
             (int)g->s.out_bits, (int)g->s.shift, (unsigned long long)c, (unsigned long long)r, off,
             slack / unit);
  error->sum += off, error->n++;
}

/* Keys for n masks, both shares at n values. */
static void check_many(const TfeHash *hash, const Gate *g, const uint64_t *c, const uint64_t *r, int64_t n,
                       Error *error) {
  int64_t w = tfe_spline_words(&g->s);
  uint64_t *root[2] = {new_random(2 * n), new_random(2 * n)}, *words = new_random(w * n);
  uint64_t *out[2] = {new_random(n), new_random(n)};
  tfe_spline_key_with(hash, tfe_hash_default_key, words, r, root[0], root[1], n, &g->s);
  for (int role = 0; role < 2; role++)
    tfe_spline_eval_with(hash, tfe_hash_default_key, out[role], c, root[role], words, g->table, n, &g->s,
                         role);
  for (int64_t i = 0; i < n; i++)
    check_value(g, c[i], r[i], low(out[0][i] + out[1][i], g->s.out_bits), error);
  free(root[0]), free(root[1]), free(words), free(out[0]), free(out[1]);
}

/* -- small rings: every mask, every value ---------------------------------------------------------------- */

static void check_all(const Gate *g) {
  int64_t size = INT64_C(1) << g->s.bits;
  uint64_t *c = new_random(size), *r = new_random(size);
  Error error = {0, 0};
  for (int64_t mask = 0; mask < size; mask++) {
    for (int64_t i = 0; i < size; i++)
      c[i] = (uint64_t)i, r[i] = (uint64_t)mask;
    check_many(tfe_hash(), g, c, r, size, &error);
  }
  free(c), free(r);
}

typedef struct Ring {
  int64_t out_bits, shift;
} Ring;

static const Ring rings[] = {{16, 0}, {47, 0}, {64, 0}, {12, 4}, {30, 17}, {47, 17}, {64, 16}, {64, 64}};
enum { RINGS = sizeof rings / sizeof *rings };

static void check_pieces(int64_t bits, int64_t low_bits, const int64_t *breaks, int64_t pieces, Ring ring,
                         int64_t linear) {
  TfeSpline s = {.bits = bits,
                 .low = low_bits,
                 .degree = -1,
                 .linear = linear,
                 .has_pieces = 1,
                 .out_bits = ring.out_bits,
                 .shift = ring.shift,
                 .pieces = pieces};
  Gate g = new_gate(s, breaks, 0);
  check_all(&g);
  free(g.table);
}

static void test_pieces(void **unused) {
  (void)unused;
  for (int64_t bits = 4; bits <= 6; bits++)
    for (int64_t s = 0; s <= 3; s++) {
      int64_t half = INT64_C(1) << (bits - s - 1);
      const int64_t sets[][4] = {{0},        {-half},        {half - 1},
                                 {-half, 0}, {-1, half - 1}, {-half, -half + 1, half - 1}};
      const int64_t sizes[] = {1, 1, 1, 2, 2, half > 1 ? 3 : 2};
      for (int t = 0; t < 6; t++)
        for (int64_t ring = bits == 6 ? t % 2 : 0; ring < RINGS; ring += bits == 6 ? 2 : 1)
          for (int64_t linear = 0; linear < 2; linear++)
            check_pieces(bits, s, sets[t], sizes[t], rings[ring], linear);
    }
}

/* More pieces than walks at a time, in the largest of the small rings. */
static void test_many_pieces(void **unused) {
  (void)unused;
  int64_t breaks[100];
  for (int64_t k = 0; k < 100; k++)
    breaks[k] = k - 50;
  check_pieces(7, 0, breaks, 100, rings[1], 1);
  check_pieces(7, 0, breaks, 100, rings[5], 1);
  check_pieces(8, 1, breaks, 100, rings[2], 0);
  check_pieces(8, 0, breaks + 49, 2, rings[3], 1);
}

static void check_segments(int64_t bits, int64_t low_bits, int64_t degree, int64_t first, int64_t count,
                           Ring ring, const int64_t *breaks, int64_t pieces) {
  int64_t k = ring.out_bits + ring.shift, payload = k < 32 ? 5 : k < 64 ? 16 : 20;
  TfeSpline s = {.bits = bits,
                 .low = low_bits,
                 .degree = degree,
                 .linear = pieces > 1,
                 .has_pieces = pieces > 0,
                 .payload_scale = payload,
                 .out_bits = ring.out_bits,
                 .shift = ring.shift,
                 .first = first,
                 .count = count,
                 .pieces = pieces};
  Gate g = new_gate(s, breaks, 2 * payload);
  check_all(&g);
  free(g.table);
}

static void test_segments(void **unused) {
  (void)unused;
  const int64_t breaks[] = {-1, 0};
  for (int64_t bits = 4; bits <= 6; bits++)
    for (int64_t s = 0; s <= 3; s++)
      for (int64_t degree = 0; degree <= (s == 0 ? 0 : 3); degree++)
        for (int64_t ring = bits == 6 ? degree % 2 : 0; ring < RINGS; ring += bits == 6 ? 2 : 1) {
          int64_t half = INT64_C(1) << (bits - s - 1);
          check_segments(bits, s, degree, -half, 2 * half, rings[ring], NULL, 0);
          check_segments(bits, s, degree, -1, 1, rings[ring], breaks, 1);
          check_segments(bits, s, degree, -half, half, rings[ring], breaks + 1, 1);
          check_segments(bits, s, degree, -1, half < 2 ? 1 : 3, rings[ring], breaks, 2);
        }
  check_segments(8, 2, 3, -20, 45, rings[2], breaks, 2);
}

/* -- large rings ----------------------------------------------------------------------------------------- */

/* Values near a break, at the ends and anywhere; masks anywhere and at the ends. */
static void fill(const TfeSpline *s, uint64_t *c, uint64_t *r, int64_t n) {
  static const uint64_t ends[] = {0, 1, ~UINT64_C(0), UINT64_C(1) << 63, ~UINT64_C(0) >> 1};
  int64_t inside = (int64_t)(~UINT64_C(0) >> 1 >> (64 - s->bits)) - (INT64_C(1) << s->low);
  for (int64_t i = 0; i < n; i++) {
    int64_t near = sign(next(), s->bits < s->low + 9 ? s->bits : s->low + 9);
    int64_t x = i % 3 == 0 ? near : sign(next(), s->bits);
    x = x > inside ? inside : x < -inside ? -inside : x;
    r[i] = i % 7 == 0 ? ends[next() % 5] >> (64 - s->bits) : next();
    c[i] = (uint64_t)x + r[i];
    int64_t j, tau;
    cut(s, c[i], r[i], &j, &tau);
    assert_true((Wide)j * ((Wide)1 << s->low) + (Wide)tau == (Wide)x);
  }
}

static void check_large(TfeSpline s, const int64_t *breaks, int64_t scale) {
  enum { N = 300 };
  uint64_t c[N], r[N];
  Gate g = new_gate(s, breaks, scale);
  Error error = {0, 0};
  for (int i = 0; tfe_hash_tier(i); i++) {
    fill(&s, c, r, N);
    check_many(tfe_hash_tier(i), &g, c, r, N, &error);
  }
  free(g.table);
}

static void test_large(void **unused) {
  (void)unused;
  const int64_t breaks[] = {-60, 0, 60};
  for (int ring = 0; ring < RINGS; ring++)
    for (int64_t linear = 0; linear < 2; linear++)
      for (int64_t t = 0; t < 3; t++) {
        TfeSpline s = {.bits = (const int64_t[]){31, 47, 64}[t],
                       .degree = -1,
                       .linear = linear,
                       .has_pieces = 1,
                       .out_bits = rings[ring].out_bits,
                       .shift = rings[ring].shift,
                       .pieces = 3};
        check_large(s, breaks, 0);
        s.low = 10 * t;
        check_large(s, breaks, 0);
      }
}

static void test_large_segments(void **unused) {
  (void)unused;
  const int64_t breaks[] = {60};
  const int64_t cuts[][4] = {/* bits, low, first, count */
                             {31, 14, -64, 128},  {31, 14, -512, 1024}, {47, 24, -3, 7},
                             {64, 24, -100, 300}, {64, 40, 0, 1},       {24, 14, -512, 1024}};
  for (size_t t = 0; t < sizeof cuts / sizeof *cuts; t++)
    for (int ring = 1; ring < RINGS; ring++)
      for (int64_t degree = 0; degree <= 3; degree++)
        for (int64_t form = 0; form < 4; form++) {
          int64_t pieces = form & 1, large = form & 2 ? 20 : 0; /* coefficients with so many bits more */
          bool wide = rings[ring].out_bits + rings[ring].shift >= 64;
          int64_t payload = wide ? 28 : 18, scale = payload + (cuts[t][1] > 24 ? 10 : 18) + large;
          if (rings[ring].out_bits + rings[ring].shift < scale + 4 + large)
            continue;
          TfeSpline s = {.bits = cuts[t][0],
                         .low = cuts[t][1],
                         .degree = degree,
                         .has_pieces = pieces,
                         .payload_scale = payload,
                         .out_bits = rings[ring].out_bits,
                         .shift = rings[ring].shift,
                         .first = cuts[t][2],
                         .count = cuts[t][3],
                         .pieces = pieces};
          assert_true(scale - payload + TFE_SPLINE_GUARD + 1 <= tfe_spline_coefficient_bits(&s));
          check_large(s, breaks, scale);
        }
}

/* One key a value: what is dropped is rounded without bias. */
static void test_mean(void **unused) {
  (void)unused;
  enum { N = 4000 };
  static const Ring cases[] = {{47, 17}, {12, 4}, {64, 16}, {64, 40}};
  for (size_t t = 0; t < sizeof cases / sizeof *cases; t++)
    for (int64_t degree = -1; degree <= 0; degree++) {
      const int64_t breaks[] = {0};
      TfeSpline s = {.bits = 20,
                     .low = 4,
                     .degree = degree,
                     .linear = 1,
                     .has_pieces = 1,
                     .payload_scale = 2,
                     .out_bits = cases[t].out_bits,
                     .shift = cases[t].shift,
                     .first = -100,
                     .count = degree < 0 ? 0 : 200,
                     .pieces = 1};
      uint64_t c[N], r[N];
      Gate g = new_gate(s, breaks, 4);
      Error error = {0, 0};
      fill(&s, c, r, N);
      check_many(tfe_hash(), &g, c, r, N, &error);
      if (fabs(error.sum / N) > 5 * 0.5 / sqrt(N) + 4 * ldexp(1, -(int)s.shift) * (double)(degree + 1))
        fail_msg("shift %d: mean error %g", (int)s.shift, error.sum / N);
      free(g.table);
    }
}

/* -- what the gates are for ------------------------------------------------------------------------------ */

static uint64_t run(const TfeSpline *s, const int64_t *table, int64_t x) {
  uint64_t root[4] = {next(), next(), next(), next()}, r = next(), c = (uint64_t)x + r, out[2];
  uint64_t *words = new_random(tfe_spline_words(s));
  int64_t layout[sizeof *s / 8];
  memcpy(layout, s, sizeof *s);
  tfe_spline_key(NULL, words, &r, root, root + 2, 1, layout);
  for (int role = 0; role < 2; role++)
    tfe_spline_eval(NULL, &out[role], &c, root + 2 * role, words, (const uint64_t *)table, 1, layout, role);
  free(words);
  return low(out[0] + out[1], s->out_bits);
}

static void test_relu(void **unused) {
  (void)unused;
  const TfeSpline s = {.bits = 31, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 47, .pieces = 1};
  const int64_t table[] = {0, 0, 1};
  static const int64_t xs[] = {0, 1, -1, 5, -5, 1 << 20, -(1 << 20), (1 << 30) - 1, -(1 << 30)};
  for (size_t i = 0; i < sizeof xs / sizeof *xs; i++)
    for (int repeat = 0; repeat < 20; repeat++)
      assert_int_equal(run(&s, table, xs[i]), xs[i] > 0 ? xs[i] : 0);
}

/* Taylor polynomials of the logistic function at the segments' centres, 16 bits of fraction. */
static void test_sigmoid(void **unused) {
  (void)unused;
  enum { LOW = 14, FIRST = -64, COUNT = 128, G = 20, F = 33 };
  const TfeSpline s = {.bits = 31,
                       .low = LOW,
                       .degree = 3,
                       .has_pieces = 1,
                       .payload_scale = G,
                       .out_bits = 30,
                       .shift = F - 16,
                       .first = FIRST,
                       .count = COUNT,
                       .pieces = 1};
  int64_t table[3 + 4 * COUNT] = {FIRST + COUNT, INT64_C(1) << F, 0};
  double unit = ldexp(1, F - G + TFE_SPLINE_GUARD), w = ldexp(1, LOW - 16);
  for (int j = 0; j < COUNT; j++) {
    double y = 1 / (1 + exp(-(j + FIRST) * w)), y1 = y * (1 - y), y2 = y1 * (1 - 2 * y),
           y3 = y1 * (1 - 6 * y1);
    const double a[4] = {y, y1 * w, y2 * w * w / 2, y3 * w * w * w / 6};
    for (int d = 0; d < 4; d++)
      table[3 + 4 * j + d] = llround(a[d] * unit);
  }
  for (int i = 0; i < 500; i++) {
    int64_t x = i < 400 ? sign(next(), 22) : sign(next(), 30);
    double y = 1 / (1 + exp(-ldexp((double)x, -16)));
    double off = ldexp((double)sign(run(&s, table, x), 30), -16) - y;
    if (fabs(off) > 0x1p-13)
      fail_msg("sigmoid of %g is off by %g", ldexp((double)x, -16), off);
  }
}

/* -- all instruction sets; secrecy ----------------------------------------------------------------------- */

static const int64_t common_breaks[] = {-40, 3, 90};

/* Segments and pieces with slopes, in a narrow or a wide ring. */
static TfeSpline common_layout(bool wide) {
  return (TfeSpline){.bits = 24,
                     .low = 9,
                     .degree = wide ? 3 : 2,
                     .linear = 1,
                     .has_pieces = 1,
                     .payload_scale = 18,
                     .out_bits = 50,
                     .shift = wide ? 40 : 5,
                     .first = -70,
                     .count = 140,
                     .pieces = 3};
}

/* One layout by all tables, for some numbers of values that fill no batch and no vector. */
static void check_tiers(const Gate *g) {
  static const int64_t counts[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 130};
  int64_t w = tfe_spline_words(&g->s);
  for (size_t t = 0; t < sizeof counts / sizeof *counts; t++) {
    int64_t n = counts[t];
    uint64_t *r = new_random(n), *c = new_random(n), *root0 = new_random(2 * n), *root1 = new_random(2 * n);
    uint64_t *words = new_random(w * n + 1), *want = new_random(w * n), *out = new_random(n),
             *share = new_random(n);
    tfe_spline_key_with(&tfe_hash_c, tfe_hash_default_key, want, r, root0, root1, n, &g->s);
    for (int i = 1; tfe_hash_tier(i); i++) {
      words[w * n] = 77;
      tfe_spline_key_with(tfe_hash_tier(i), tfe_hash_default_key, words, r, root0, root1, n, &g->s);
      assert_int_equal(words[w * n], 77);
      assert_memory_equal(words, want, (size_t)(w * n) * 8);
    }
    for (int i = 1, role = 0; tfe_hash_tier(i); i++, role ^= 1) {
      tfe_spline_eval_with(&tfe_hash_c, tfe_hash_default_key, share, c, root0, want, g->table, n, &g->s,
                           role);
      tfe_spline_eval_with(tfe_hash_tier(i), tfe_hash_default_key, out, c, root0, want, g->table, n, &g->s,
                           role);
      assert_memory_equal(out, share, (size_t)n * 8);
    }
    free(r), free(c), free(root0), free(root1), free(words), free(want), free(out), free(share);
  }
}

static void test_tiers_agree(void **unused) {
  (void)unused;
  static const int64_t zero[] = {0}, ends[] = {-1, 0};
  const struct {
    TfeSpline layout;
    const int64_t *breaks;
  } cases[] = {
      {common_layout(false), common_breaks},
      {common_layout(true), common_breaks},
      {{.bits = 31, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 47, .pieces = 1}, zero},
      {{.bits = 64, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 64, .pieces = 2}, ends},
      {{.bits = 64, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 64, .shift = 9, .pieces = 2},
       ends},
      {{.bits = 63, .degree = -1, .has_pieces = 1, .out_bits = 1, .pieces = 2}, ends},
      {{.bits = 40, .low = 6, .degree = -1, .has_pieces = 1, .out_bits = 33, .pieces = 3}, common_breaks},
      {{.bits = 2, .degree = -1, .has_pieces = 1, .out_bits = 1, .pieces = 2}, ends},
      {{.bits = 2, .low = 1, .degree = -1, .has_pieces = 1, .out_bits = 1, .pieces = 2}, ends},
      {{.bits = 12, .degree = 0, .payload_scale = 10, .out_bits = 40, .first = -30, .count = 60}, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Gate g = new_gate(cases[i].layout, cases[i].breaks, 36);
    check_tiers(&g);
    free(g.table);
  }
}

/* Enough for some parts, the last of them not full. */
static void test_threads_agree(void **unused) {
  (void)unused;
  enum { N = 700 };
  for (int wide = 0; wide < 2; wide++) {
    Gate g = new_gate(common_layout(wide), common_breaks, 36);
    size_t w = (size_t)tfe_spline_words(&g.s);
    uint64_t *r = new_random(N), *c = new_random(N), *root0 = new_random(2 * N), *root1 = new_random(2 * N);
    uint64_t *words[2] = {malloc(w * N * 8), malloc(w * N * 8)}, *out[2] = {new_random(N), new_random(N)};
    for (int many = 0; many < 2; many++) {
      tfe_pool_set(many ? 3 : 1);
      tfe_spline_key(NULL, words[many], r, root0, root1, N, (const int64_t *)&g.s);
      tfe_spline_eval(NULL, out[many], c, root0, words[many], g.table, N, (const int64_t *)&g.s, 0);
    }
    tfe_pool_set(1);
    assert_memory_equal(words[0], words[1], w * N * 8);
    assert_memory_equal(out[0], out[1], N * 8);
    free(r), free(c), free(root0), free(root1), free(g.table);
    free(words[0]), free(words[1]), free(out[0]), free(out[1]);
  }
}

/* One mask and one value, many keys: every bit of one server's share, and of the words, is a coin. The first
 * correction words carry the whole of alpha, so that they are the place to look. */
static void test_share_is_uniform(void **unused) {
  (void)unused;
  enum { N = 4000 };
  for (int wide = 0; wide < 2; wide++) {
    Gate g = new_gate(common_layout(wide), common_breaks, 36);
    int64_t w = tfe_spline_words(&g.s), bits = w * 64;
    uint64_t *root0 = new_random(2 * N), *root1 = new_random(2 * N), *words = new_random(w * N),
             *out = new_random(N);
    uint64_t r[N], c[N];
    for (int i = 0; i < N; i++)
      r[i] = 123456, c[i] = 123450;
    tfe_spline_key(NULL, words, r, root0, root1, N, (const int64_t *)&g.s);
    for (int role = 0; role < 2; role++) {
      tfe_spline_eval(NULL, out, c, role ? root1 : root0, words, g.table, N, (const int64_t *)&g.s, role);
      for (int64_t b = 0; b < g.s.out_bits; b++) {
        int ones = 0;
        for (int i = 0; i < N; i++)
          ones += (int)(out[i] >> b & 1);
        assert_in_range(ones, N / 2 - 160, N / 2 + 160);
      }
    }
    int64_t used = 2 * tfe_spline_seeds(&g.s) * 64 + tfe_spline_seeds(&g.s) +
                   tfe_spline_ring(&g.s) * ((tfe_spline_levels(&g.s) + 1) * 2 + g.s.degree + 2);
    assert_true(used <= bits && used > bits - 64);
    for (int64_t b = 0; b < used; b++) {
      int ones = 0;
      for (int i = 0; i < N; i++)
        ones += (int)(words[i * w + b / 64] >> b % 64 & 1);
      assert_in_range(ones, N / 2 - 180, N / 2 + 180);
    }
    free(root0), free(root1), free(words), free(out), free(g.table);
  }
}

static void test_words(void **unused) {
  (void)unused;
  TfeSpline relu = {.bits = 31, .degree = -1, .linear = 1, .has_pieces = 1, .out_bits = 47};
  /* 30 corrections of 129 bits, 2 * 32 values and the share of the mask of 47 */
  assert_int_equal(tfe_spline_words(&relu), 60 + (30 + 65 * 47 + 63) / 64);
  TfeSpline segments = {.bits = 31, .low = 14, .degree = 3, .out_bits = 47, .shift = 17};
  assert_int_equal(tfe_spline_words(&segments), 34 + (17 + 4 * 64 + 63) / 64);
  segments.has_pieces = 1;
  assert_int_equal(tfe_spline_words(&segments), 34 + (17 + 18 * 64 + 4 * 64 + 63) / 64);
  TfeSpline bit = {.bits = 2, .low = 1, .degree = -1, .has_pieces = 1, .out_bits = 32};
  assert_int_equal(tfe_spline_words(&bit), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_many_pieces),
      cmocka_unit_test(test_segments),
      cmocka_unit_test(test_large),
      cmocka_unit_test(test_large_segments),
      cmocka_unit_test(test_mean),
      cmocka_unit_test(test_relu),
      cmocka_unit_test(test_sigmoid),
      cmocka_unit_test(test_threads_agree),
      cmocka_unit_test(test_tiers_agree),
      cmocka_unit_test(test_share_is_uniform),
      cmocka_unit_test(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
