/* Comparison keys: all pairs of small numbers, random ones and neighbours of large numbers, every hash. That
 * nothing depends on a secret is tests/secret's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/gate/dpf.h"
#include "../../runtime/include/abi.h"
#include "../../runtime/pool.h"

#include "gate_fixture.h"

/* One key each for n pairs; both shares; their XOR against the comparison. */
static void check_pairs(const TfeHash *hash, const uint64_t *alpha, const uint64_t *x, int64_t n,
                        int64_t bits) {
  int64_t w = tfe_dpf_words(bits);
  uint64_t *root0 = new_random(2 * n), *root1 = new_random(2 * n), *words = new_random(w * n);
  uint64_t *out0 = new_random(n), *out1 = new_random(n), *same0 = new_random(n), *same1 = new_random(n);
  tfe_dpf_key_with(hash, tfe_hash_default_key, words, alpha, root0, root1, n, bits);
  tfe_dpf_eval_with(hash, tfe_hash_default_key, out0, x, root0, words, n, 1, bits, 0);
  tfe_dpf_eval_with(hash, tfe_hash_default_key, out1, x, root1, words, n, 1, bits, 1);
  tfe_dpf_point_with(hash, tfe_hash_default_key, same0, x, root0, words, n, 1, bits, 0);
  tfe_dpf_point_with(hash, tfe_hash_default_key, same1, x, root1, words, n, 1, bits, 1);
  int64_t ones = 0;
  for (int64_t i = 0; i < n; i++) {
    assert_true(out0[i] <= 1 && out1[i] <= 1);
    ones += (int64_t)out0[i];
    if ((same0[i] ^ same1[i]) != (low(alpha[i], bits) == low(x[i], bits)))
      fail_msg("%s, %d bits: alpha %llx, point %llx", hash->name, (int)bits, (unsigned long long)alpha[i],
               (unsigned long long)x[i]);
    if ((out0[i] ^ out1[i]) != (low(alpha[i], bits) <= low(x[i], bits)))
      fail_msg("%s, %d bits: alpha %llx, x %llx", hash->name, (int)bits, (unsigned long long)alpha[i],
               (unsigned long long)x[i]);
  }
  if (n >= 1000)
    assert_true(ones > n * 3 / 8 && ones < n * 5 / 8); /* one share alone is a coin */
  free(root0), free(root1), free(words), free(out0), free(out1), free(same0), free(same1);
}

static void test_exhaustive(void **unused) {
  (void)unused;
  for (int64_t bits = 1; bits <= 10; bits++) {
    int64_t size = INT64_C(1) << bits;
    uint64_t *alpha = new_random(size), *x = new_random(size);
    /* all pairs for up to 9 bits; for 10 bits every eighth alpha */
    for (int64_t a = 0; a < size; a += bits == 10 ? 8 : 1) {
      for (int64_t i = 0; i < size; i++)
        alpha[i] = (uint64_t)a, x[i] = (uint64_t)i;
      check_pairs(tfe_hash(), alpha, x, size, bits);
    }
    free(alpha), free(x);
  }
}

static void test_large(void **unused) {
  (void)unused;
  enum { N = 1000 };
  static const int64_t widths[] = {8, 9, 15, 16, 24, 40, 62, 63, 64};
  uint64_t alpha[N], x[N];
  for (size_t t = 0; t < sizeof widths / sizeof *widths; t++)
    for (int i = 0; tfe_hash_tier(i); i++) {
      int64_t bits = widths[t];
      for (int j = 0; j < N; j++) {
        alpha[j] = next();
        x[j] = j % 4 == 0 ? next() : alpha[j] + next() % 5 - 2; /* neighbours, wrapping around too */
        if (j % 4 == 1)
          x[j] = alpha[j] ^ UINT64_C(1) << next() % 64;
      }
      static const uint64_t ends[] = {0, 1, 2, ~UINT64_C(0), ~UINT64_C(0) - 1, 127, 128, UINT64_C(1) << 62};
      for (int j = 0; j < 64; j++)
        alpha[j] = ends[j % 8], x[j] = ends[j / 8];
      check_pairs(tfe_hash_tier(i), alpha, x, N, bits);
    }
}

static void test_many_points_of_one_key(void **unused) {
  (void)unused;
  const int64_t bits = 40, w = tfe_dpf_words(bits);
  uint64_t *words = new_random(w), root[4], alpha = next();
  for (int i = 0; i < 4; i++)
    root[i] = next();
  tfe_dpf_key(NULL, words, &alpha, root, root + 2, 1, bits);
  enum { N = 500 };
  uint64_t *x = new_random(N), out[2][N];
  x[77] = alpha;
  for (int role = 0; role < 2; role++)
    tfe_dpf_eval(NULL, out[role], x, root + 2 * role, words, 1, N, bits, role);
  for (int i = 0; i < N; i++)
    assert_int_equal(out[0][i] ^ out[1][i], low(alpha, bits) <= low(x[i], bits));
  for (int role = 0; role < 2; role++)
    tfe_dpf_point(NULL, out[role], x, root + 2 * role, words, 1, N, bits, role);
  for (int i = 0; i < N; i++)
    assert_int_equal(out[0][i] ^ out[1][i], i == 77);
  free(words), free(x);
}

static void test_root_bit_is_ignored(void **unused) {
  (void)unused;
  uint64_t root[8] = {1, 2, 3, 4, 0, 2, 2, 4}; /* second half: bit 0 of each root flipped */
  uint64_t alpha[1] = {12345}, x[1] = {12346}, a[64], b[64], out[4];
  tfe_dpf_key(NULL, a, alpha, root, root + 2, 1, 24);
  tfe_dpf_key(NULL, b, alpha, root + 4, root + 6, 1, 24);
  assert_memory_equal(a, b, (size_t)tfe_dpf_words(24) * 8);
  for (int i = 0; i < 4; i++)
    tfe_dpf_eval(NULL, &out[i], x, root + 2 * i, a, 1, 1, 24, i % 2);
  assert_true(out[0] == out[2] && out[1] == out[3] && (out[0] ^ out[1]) == 1);
}

typedef struct Keys {
  int64_t n, points, bits, width;
  uint64_t *alpha, *root[2], *words, *x, *eval[2], *point[2]; /* x and shares: [n, points] */
} Keys;

/* Random ones, made and evaluated by the portable table. */
static Keys keys_new(int64_t n, int64_t points, int64_t bits) {
  int64_t w = tfe_dpf_words(bits);
  Keys k = {n,
            points,
            bits,
            w,
            new_random(n),
            {new_random(2 * n), new_random(2 * n)},
            new_random(w * n),
            new_random(n * points),
            {0},
            {0}};
  tfe_dpf_key_with(&tfe_hash_c, tfe_hash_default_key, k.words, k.alpha, k.root[0], k.root[1], n, bits);
  for (int role = 0; role < 2; role++) {
    k.eval[role] = new_random(n * points), k.point[role] = new_random(n * points);
    tfe_dpf_eval_with(&tfe_hash_c, tfe_hash_default_key, k.eval[role], k.x, k.root[role], k.words, n, points,
                      bits, role);
    tfe_dpf_point_with(&tfe_hash_c, tfe_hash_default_key, k.point[role], k.x, k.root[role], k.words, n,
                       points, bits, role);
  }
  return k;
}

static void keys_free(Keys *k) {
  for (int role = 0; role < 2; role++)
    free(k->root[role]), free(k->eval[role]), free(k->point[role]);
  free(k->alpha), free(k->words), free(k->x);
}

/* The first n of the keys by this table: the same bits, and not one word more. */
static void check_first(const Keys *k, const TfeHash *hash, int64_t n) {
  const uint8_t *fixed = tfe_hash_default_key;
  int64_t count = n * k->points, most = n * k->width > count ? n * k->width : count;
  uint64_t *out = new_random(most + 1);
  out[n * k->width] = 77;
  tfe_dpf_key_with(hash, fixed, out, k->alpha, k->root[0], k->root[1], n, k->bits);
  assert_memory_equal(out, k->words, (size_t)(n * k->width) * 8);
  assert_int_equal(out[n * k->width], 77);
  out[count] = 77;
  for (int role = 0; role < 2; role++) {
    tfe_dpf_eval_with(hash, fixed, out, k->x, k->root[role], k->words, n, k->points, k->bits, role);
    assert_memory_equal(out, k->eval[role], (size_t)count * 8);
    tfe_dpf_point_with(hash, fixed, out, k->x, k->root[role], k->words, n, k->points, k->bits, role);
    assert_memory_equal(out, k->point[role], (size_t)count * 8);
  }
  assert_int_equal(out[count], 77);
  free(out);
}

/* All tables give the same keys and the same shares, for every width and for numbers of keys that fill no
 * batch and no vector. */
static void test_tiers_agree(void **unused) {
  (void)unused;
  enum { MOST = 70 };
  for (int64_t bits = 1; bits <= 64; bits++) {
    Keys k = keys_new(MOST, 1, bits);
    for (int i = 1; tfe_hash_tier(i); i++)
      for (int64_t n = 0; n <= MOST; n++)
        check_first(&k, tfe_hash_tier(i), n);
    keys_free(&k);
  }
}

static void test_tiers_agree_on_many_points(void **unused) {
  (void)unused;
  static const int64_t points[] = {0, 2, 3, 7, 16, 33, 65};
  for (size_t t = 0; t < sizeof points / sizeof *points; t++) {
    Keys k = keys_new(9, points[t], 24);
    for (int i = 1; tfe_hash_tier(i); i++)
      for (int64_t n = 0; n <= 9; n++)
        check_first(&k, tfe_hash_tier(i), n);
    keys_free(&k);
  }
}

/* Enough for some parts, the last of them not full. */
static void test_threads_agree(void **unused) {
  (void)unused;
  Keys k = keys_new(1741, 3, 24);
  tfe_pool_set(3);
  for (int i = 0; tfe_hash_tier(i); i++)
    check_first(&k, tfe_hash_tier(i), k.n);
  tfe_pool_set(1);
  keys_free(&k);
}

/* FIPS 197 fixes AES; this fixes the byte order of nodes and the key. */
static void test_hash_of_a_known_node(void **unused) {
  (void)unused;
  TfeNode nodes[40], first;
  for (int i = 0; tfe_hash_tier(i); i++) {
    const TfeHash *hash = tfe_hash_tier(i);
    TfeHashKey key;
    for (int j = 0; j < 40; j++)
      nodes[j] = (TfeNode){{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    hash->start(&key, tfe_hash_default_key);
    hash->nodes(&key, nodes, nodes, 39);
    hash->stop(&key);
    if (i == 0)
      first = nodes[0];
    for (int j = 0; j < 39; j++)
      assert_memory_equal(&nodes[j], &first, sizeof first);
    assert_int_equal(nodes[39].w[0], UINT64_C(0x0706050403020100));
  }
}

static void test_words(void **unused) {
  (void)unused;
  assert_int_equal(tfe_dpf_words(1), 4);
  assert_int_equal(tfe_dpf_words(8), 4);
  assert_int_equal(tfe_dpf_words(9), 7);
  assert_int_equal(tfe_dpf_words(63), 115);
  assert_int_equal(tfe_dpf_words(64), 117);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exhaustive),
      cmocka_unit_test(test_large),
      cmocka_unit_test(test_many_points_of_one_key),
      cmocka_unit_test(test_root_bit_is_ignored),
      cmocka_unit_test(test_tiers_agree),
      cmocka_unit_test(test_tiers_agree_on_many_points),
      cmocka_unit_test(test_threads_agree),
      cmocka_unit_test(test_hash_of_a_known_node),
      cmocka_unit_test(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
