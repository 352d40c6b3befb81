/* Piecewise functions of masked values: every value and mask of small rings, all kinds of pieces and segments,
 * rings of up to 128 bits, every hash; truncation; and (under valgrind) no branch or address that depends on a
 * secret. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/gate/spline.h"

#include "gate_fixture.h"

enum { MOST_TABLE = 3 * 8 + 4 * 1024 };

static int64_t as_signed(uint64_t x, int64_t bits) {
  return (int64_t)(x << (64 - bits)) >> (64 - bits);
}

/* The function that a table means, at x = j 2^low + tau; as a real number in units of the result before the shift.
 * Only the segment's own arithmetic depends on how x splits. */
static double meant(const TfeSpline *l, const uint64_t *table, int64_t j, int64_t tau) {
  double x = ldexp((double)j, (int)l->low) + (double)tau, sum = 0;
  for (int64_t k = l->pieces - 1; k >= 0; k--)
    if (j >= (int64_t)table[3 * k]) {
      sum += (double)(int64_t)table[3 * k + 1] + (double)(int64_t)table[3 * k + 2] * x;
      break;
    }
  if (l->degree < 0 || j < l->first || j >= l->first + l->count)
    return sum;
  const uint64_t *a = table + 3 * l->pieces + (j - l->first) * (l->degree + 1);
  double u = ldexp((double)tau, -(int)l->low), p = 0;
  for (int64_t d = l->degree; d >= 0; d--)
    p = p * u + (double)(int64_t)a[d];
  return sum + ldexp(p, (int)l->payload_scale - TFE_SPLINE_GUARD);
}

typedef struct Shares {
  uint64_t *share[2];
} Shares;

static Shares run(const TfeHash *hash, const TfeSpline *l, const uint64_t *table, const uint64_t *c,
                  const uint64_t *r, int64_t n) {
  uint64_t *root0 = new_random(2 * n), *root1 = new_random(2 * n),
           *words = new_random(tfe_spline_words(l) * n);
  Shares out = {{new_random(n), new_random(n)}};
  tfe_spline_key_with(hash, tfe_hash_default_key, words, r, root0, root1, n, l);
  tfe_spline_eval_with(hash, tfe_hash_default_key, out.share[0], c, root0, words, table, n, l, 0);
  tfe_spline_eval_with(hash, tfe_hash_default_key, out.share[1], c, root1, words, table, n, l, 1);
  free(root0), free(root1), free(words);
  return out;
}

/* How far the reconstructed result is from the meant one, in units of the result; slack: of the arithmetic. */
static void check(const TfeHash *hash, const TfeSpline *l, const uint64_t *table, const uint64_t *c,
                  const uint64_t *r, int64_t n, double slack) {
  Shares out = run(hash, l, table, c, r, n);
  int64_t h = l->bits - l->low;
  for (int64_t i = 0; i < n; i++) {
    int64_t j = as_signed((low(c[i], l->bits) >> l->low) - (low(r[i], l->bits) >> l->low), h);
    int64_t tau = (int64_t)low(c[i], l->low) - (int64_t)low(r[i], l->low);
    double want = ldexp(meant(l, table, j, tau), -(int)l->shift);
    int64_t found = as_signed(out.share[0][i] + out.share[1][i], l->out_bits);
    double modulus = ldexp(1.0, (int)l->out_bits), error = (double)found - want;
    error -= modulus * floor(error / modulus + 0.5);
    if (out.share[0][i] != low(out.share[0][i], l->out_bits) || fabs(error) > slack + (l->shift > 0))
      fail_msg("%s: bits %d low %d out %d shift %d, j %lld tau %lld: %lld instead of %g", hash->name,
               (int)l->bits, (int)l->low, (int)l->out_bits, (int)l->shift, (long long)j, (long long)tau,
               (long long)found, want);
  }
  free(out.share[0]), free(out.share[1]);
}

/* Every argument with every mask. */
static void check_all(const TfeHash *hash, const TfeSpline *l, const uint64_t *table, double slack) {
  int64_t size = INT64_C(1) << l->bits;
  uint64_t *c = new_random(size * size), *r = new_random(size * size);
  for (int64_t i = 0; i < size * size; i++)
    c[i] = (uint64_t)(i % size), r[i] = (uint64_t)(i / size);
  check(hash, l, table, c, r, size * size, slack);
  free(c), free(r);
}

static void set_piece(uint64_t *table, int64_t k, int64_t start, int64_t a, int64_t b) {
  table[3 * k] = (uint64_t)start;
  table[3 * k + 1] = (uint64_t)a;
  table[3 * k + 2] = (uint64_t)b;
}

static void all_pieces(void **unused) {
  (void)unused;
  static const int64_t rings[][2] = {{16, 0}, {47, 0}, {64, 0}, {20, 5}, {40, 24}, {64, 16}, {60, 68}};
  uint64_t table[MOST_TABLE];
  for (int64_t bits = 3; bits <= 5; bits++)
    for (int64_t l = 0; l <= 2 && l < bits - 1; l++)
      for (size_t k = 0; k < sizeof rings / sizeof *rings; k++) {
        int64_t end = INT64_C(1) << (bits - l - 1);
        TfeSpline s = {.bits = bits, .low = l, .degree = -1, .out_bits = rings[k][0], .shift = rings[k][1]};
        s.pieces = 1;
        for (int64_t start = -end; start < end; start++) {
          set_piece(table, 0, start, 5, 0);
          s.linear = 0;
          check_all(tfe_hash(), &s, table, 0);
          set_piece(table, 0, start, -3, 7);
          s.linear = 1;
          check_all(tfe_hash(), &s, table, 0);
        }
        s.pieces = 3;
        set_piece(table, 0, -end, 0, -1);
        set_piece(table, 1, 0, 1, 0);
        set_piece(table, 2, end - 1, 100, 3);
        check_all(tfe_hash(), &s, table, 0);
      }
}

static void all_segments(void **unused) {
  (void)unused;
  uint64_t table[MOST_TABLE];
  for (int64_t bits = 4; bits <= 6; bits++)
    for (int64_t l = 0; l <= 3 && l < bits; l++)
      for (int64_t degree = 0; degree <= (l ? 3 : 0); degree++) {
        int64_t end = INT64_C(1) << (bits - l - 1);
        TfeSpline s = {.bits = bits, .low = l, .degree = degree, .payload_scale = 16, .out_bits = 40};
        for (int64_t count = 1; count <= 2 * end; count += count < 4 ? 1 : 3)
          for (s.first = -end; s.first + count <= end; s.first += 1 + count / 2) {
            s.count = count;
            s.shift = bits % 2 ? 17 : 30; /* 57 and 70 bits */
            for (int64_t i = 0; i < count * (degree + 1); i++)
              table[i] = (next() & 0xffffffffff) - 0x8000000000; /* at scale F - 8 */
            /* rounding of the factors, at the payload's scale, and of the payload, at the factors' */
            check_all(tfe_hash(), &s, table,
                      ldexp(2.0, (int)(s.payload_scale - s.shift)) + ldexp(8.0, 31 - (int)s.shift));
          }
      }
}

/* Segments and pieces of a real function: a sigmoid of 16 fraction bits. */
static TfeSpline sigmoid(uint64_t *table, int64_t out_bits, int64_t shift) {
  TfeSpline s = {.bits = 32, .low = 14, .degree = 3, .payload_scale = shift - 1, .out_bits = out_bits};
  s.shift = shift;
  s.first = -48;
  s.count = 97;
  s.pieces = 1;
  set_piece(table, 0, 49, INT64_C(1) << (16 + shift), 0);
  for (int64_t i = 0; i < s.count; i++) { /* a Taylor cubic serves the test */
    double x = (double)(s.first + i) / 4, p = 1 / (1 + exp(-x)), d = p * (1 - p), w = 0.25;
    double a[4] = {p, d * w, d * (1 - 2 * p) * w * w / 2, d * (1 - 6 * p + 6 * p * p) * w * w * w / 6};
    for (int k = 0; k < 4; k++)
      table[3 + 4 * i + k] = (uint64_t)(int64_t)llrint(ldexp(a[k], 16 + 1 + TFE_SPLINE_GUARD));
  }
  return s;
}

static void large(void **unused) {
  (void)unused;
  enum { N = 3000 };
  uint64_t table[MOST_TABLE], *r = new_random(N), *c = new_random(N);
  for (int64_t i = 0; i < N; i++)
    c[i] = r[i] + (uint64_t)(int64_t)((int32_t)next() >> (next() % 20)); /* of all sizes */
  static const int64_t rings[][2] = {{31, 0}, {47, 0}, {64, 0}, {47, 17}, {64, 20}, {64, 64}};
  for (int tier = 0; tfe_hash_tier(tier); tier++)
    for (size_t k = 0; k < sizeof rings / sizeof *rings; k++) {
      TfeSpline s = {.bits = 40, .degree = -1, .linear = 1, .pieces = 1};
      s.out_bits = rings[k][0];
      s.shift = rings[k][1];
      set_piece(table, 0, 0, 0, 1);
      check(tfe_hash_tier(tier), &s, table, c, r, N, 1e-6);
      if (s.shift < 17 || s.shift > 20)
        continue;
      s = sigmoid(table, rings[k][0], rings[k][1]);
      check(tfe_hash_tier(tier), &s, table, c, r, N, 0.6);
    }
  free(r), free(c);
}

/* The same shares from every hash; each alone looks like coins; the rounding is right on average. */
static void shares(void **unused) {
  (void)unused;
  enum { N = 20000 };
  uint64_t table[MOST_TABLE], *r = new_random(N), *c = new_random(N);
  TfeSpline s = sigmoid(table, 47, 17);
  for (int64_t i = 0; i < N; i++)
    c[i] = r[i] + 12345; /* sigmoid of 0.188 */
  uint64_t before = state;
  Shares first = run(&tfe_hash_c, &s, table, c, r, N);
  int64_t ones[2] = {0};
  double sum = 0;
  for (int64_t i = 0; i < N; i++) {
    for (int role = 0; role < 2; role++)
      ones[role] += __builtin_popcountll(first.share[role][i]);
    sum += (double)low(first.share[0][i] + first.share[1][i], 47);
  }
  for (int role = 0; role < 2; role++)
    assert_true(llabs(ones[role] - N * 47 / 2) < 3000); /* six standard deviations */
  assert_true(fabs(sum / N - 65536 / (1 + exp(-12345.0 / 65536))) < 0.05);
  for (int tier = 1; tfe_hash_tier(tier); tier++) {
    state = before;
    Shares other = run(tfe_hash_tier(tier), &s, table, c, r, N);
    for (int role = 0; role < 2; role++) {
      assert_memory_equal(first.share[role], other.share[role], N * 8);
      free(other.share[role]);
    }
  }
  free(first.share[0]), free(first.share[1]), free(r), free(c);
}

static void constant_time(void **unused) {
  (void)unused;
  enum { N = 20 };
  uint64_t table[MOST_TABLE];
  TfeSpline s = sigmoid(table, 47, 17);
  s.linear = 1;
  table[2] = 1;
  int64_t w = tfe_spline_words(&s);
  uint64_t *r = new_random(N), *c = new_random(N), *root = new_random(4 * N), *words = new_random(N * w),
           out[N];
  for (int tier = 1; tfe_hash_tier(tier); tier++) {
    VALGRIND_MAKE_MEM_UNDEFINED(r, N * 8);
    VALGRIND_MAKE_MEM_UNDEFINED(root, 4 * N * 8);
    tfe_spline_key_with(tfe_hash_tier(tier), tfe_hash_default_key, words, r, root, root + 2 * N, N, &s);
    for (int role = 0; role < 2; role++)
      tfe_spline_eval_with(tfe_hash_tier(tier), tfe_hash_default_key, out, c, root + 2 * N * role, words,
                           table, N, &s, role);
    VALGRIND_MAKE_MEM_DEFINED(r, N * 8);
    VALGRIND_MAKE_MEM_DEFINED(root, 4 * N * 8);
    VALGRIND_MAKE_MEM_DEFINED(words, (size_t)(N * w) * 8);
    VALGRIND_MAKE_MEM_DEFINED(out, sizeof out);
  }
  free(r), free(c), free(root), free(words);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_pieces), cmocka_unit_test(all_segments),  cmocka_unit_test(large),
      cmocka_unit_test(shares),     cmocka_unit_test(constant_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
