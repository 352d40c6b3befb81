/* Addressed randomness: known answers against AES itself, address fields, widths, agreement of two
 * parties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "../../runtime/include/abi.h"
#include "kernel_ctx.h"

static const uint8_t key_a[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                  0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static const uint8_t key_b[16] = {1};

/* Word k of a draw, one block at a time, from the definition in prg.h. */
static uint64_t expected_word(const uint8_t key[16], uint32_t op, uint64_t instance, uint64_t k) {
  uint8_t block[16], out[32];
  uint64_t at = k / 2, word;
  for (int i = 0; i < 4; i++)
    block[i] = (uint8_t)(op >> (24 - 8 * i));
  for (int i = 0; i < 6; i++) {
    block[4 + i] = (uint8_t)(instance >> (40 - 8 * i));
    block[10 + i] = (uint8_t)(at >> (40 - 8 * i));
  }
  EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
  int n;
  assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL), 1);
  assert_int_equal(EVP_EncryptUpdate(c, out, &n, block, 16), 1);
  EVP_CIPHER_CTX_free(c);
  memcpy(&word, out + 8 * (k % 2), 8);
  return word;
}

static void test_known_answer(void **unused) {
  (void)unused;
  /* FIPS 197 / SP 800-38A F.1.1 use this key; the counter block here is all zeros */
  uint64_t words[3];
  tfe_prg_words(key_a, 0, 0, 64, words, 3);
  for (uint64_t k = 0; k < 3; k++)
    assert_int_equal(words[k], expected_word(key_a, 0, 0, k));
}

static void test_addresses(void **unused) {
  (void)unused;
  enum { N = 9001 }; /* more than two chunks */
  static uint64_t words[N];
  static const struct {
    uint32_t op;
    uint64_t instance;
  } addresses[] = {{0, 0}, {1, 0}, {0, 1}, {0x12345678, 0x9abcdef01234}, {UINT32_MAX, 0xffffffffffff}};
  for (size_t a = 0; a < 5; a++) {
    tfe_prg_words(key_a, addresses[a].op, addresses[a].instance, 64, words, N);
    for (uint64_t k = 0; k < N; k += k < 8 || k > 8980 || (k > 4090 && k < 4100) ? 1 : 499)
      assert_int_equal(words[k], expected_word(key_a, addresses[a].op, addresses[a].instance, k));
  }
}

static void test_widths(void **unused) {
  (void)unused;
  enum { N = 300 };
  uint64_t whole[N], part[N + 1];
  tfe_prg_words(key_a, 3, 4, 64, whole, N);
  for (int bits = 2; bits <= 64; bits++)
    for (int n = 0; n <= N; n += bits % 7 == 0 ? 1 : 75) {
      part[n] = 99;
      tfe_prg_words(key_a, 3, 4, bits, part, n);
      for (int i = 0; i < n; i++)
        assert_int_equal(part[i], whole[i] & ~UINT64_C(0) >> (64 - bits));
      assert_int_equal(part[n], 99);
    }
}

static void test_bits(void **unused) {
  (void)unused;
  enum { N = 64 * 64 * 2 + 100 };
  static uint64_t words[N / 64 + 1], bits[N + 1];
  tfe_prg_words(key_a, 7, 1, 64, words, N / 64 + 1);
  static const int counts[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 4096, 4097, N};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    int n = counts[c];
    bits[n] = 99;
    tfe_prg_words(key_a, 7, 1, 1, bits, n);
    for (int i = 0; i < n; i++)
      assert_int_equal(bits[i], words[i / 64] >> (i % 64) & 1);
    assert_int_equal(bits[n], 99);
  }
}

/* Every table gives the portable one's elements, from any place of the draw on, and nothing behind them. */
static void test_tiers(void **unused) {
  (void)unused;
  enum { N = 700 };
  uint64_t whole[N + 3 * TFE_PRG_UNIT], part[N + 2];
  for (int bits = 1; bits <= 64; bits += bits < 3 ? 1 : 61) {
    tfe_prg_words_with(tfe_ctr_tier(0), key_a, 5, UINT64_C(0xffffffffffff), bits, whole, 0,
                       N + 3 * TFE_PRG_UNIT);
    for (int i = 0; tfe_ctr_tier(i); i++)
      for (int n = 0; n <= N; n += n < 140 ? 1 : 61)
        for (int from = 0; from <= 3 * TFE_PRG_UNIT; from += TFE_PRG_UNIT) {
          part[n + 1] = 99; /* written from an odd word on */
          tfe_prg_words_with(tfe_ctr_tier(i), key_a, 5, UINT64_C(0xffffffffffff), bits, part + 1, from, n);
          assert_memory_equal(part + 1, whole + from, (size_t)n * 8);
          assert_int_equal(part[n + 1], 99);
        }
  }
}

static void test_all_different(void **unused) {
  (void)unused;
  /* first words of many addresses and keys, sorted by insertion into a small table: no two equal */
  enum { SIDE = 12, N = SIDE * SIDE * 2 };
  uint64_t seen[N];
  int n = 0;
  for (uint32_t op = 0; op < SIDE; op++)
    for (uint64_t instance = 0; instance < SIDE; instance++)
      for (int k = 0; k < 2; k++) {
        uint64_t word;
        tfe_prg_words(k ? key_a : key_b, op, instance, 64, &word, 1);
        for (int i = 0; i < n; i++)
          assert_true(seen[i] != word);
        seen[n++] = word;
      }
}

static void test_two_parties(void **unused) {
  (void)unused;
  TfeCtx a, b;
  uint64_t x[5], y[5], z[5];
  assert_int_equal(tfe_ctx_init(&a, &test_program, 0), TFE_OK);
  assert_int_equal(tfe_ctx_init(&b, &test_program, 1), TFE_OK);
  assert_int_equal(tfe_keys_init(&a), TFE_OK);
  assert_int_equal(tfe_keys_init(&b), TFE_OK);
  assert_int_equal(tfe_keys_set(&a, b.party, key_b), TFE_OK);
  assert_int_equal(tfe_keys_set(&a, b.party, key_a), TFE_OK); /* replaces */
  assert_int_equal(tfe_keys_set(&b, a.party, key_a), TFE_OK);
  assert_int_equal(tfe_keys_set(&b, b.party, key_b), TFE_OK); /* a key of its own */
  tfe_prg_ring(&a, x, 0, 5, 40, b.party, 17, 3);
  tfe_prg_ring(&a, z, 0, 5, 64, b.party, 18, 3); /* draws do not depend on earlier draws */
  tfe_prg_ring(&b, z, 0, 5, 40, b.party, 17, 3);
  tfe_prg_ring(&b, y, 0, 5, 40, a.party, 17, 3);
  assert_memory_equal(x, y, sizeof x);
  assert_memory_not_equal(x, z, sizeof x);
  tfe_prg_words(key_a, 17, 3, 40, z, 5);
  assert_memory_equal(x, z, sizeof x);
  tfe_ctx_free(&a);
  tfe_ctx_free(&b);
}

/* Pieces of several draws are those of the draws made whole, wherever they begin, and whatever is asked for. */
static void test_pieces(void **unused) {
  (void)unused;
  enum { N = 1000, APART = 600, FROM = 2 * TFE_PRG_UNIT };
  static const int bits[] = {64, 1, 24};
  static uint64_t whole[3][N], pieces[3 * APART], draws[3 * TFE_DRAW_WORDS];
  TfeCtx ctx;
  assert_int_equal(tfe_ctx_init(&ctx, &test_program, 0), TFE_OK);
  assert_int_equal(tfe_keys_init(&ctx), TFE_OK);
  assert_int_equal(tfe_keys_set(&ctx, ctx.party, key_a), TFE_OK);
  for (int i = 0; i < 3; i++) {
    tfe_prg_ring(&ctx, whole[i], 0, N, bits[i], ctx.party, 20 + i, 7);
    tfe_prg_open(&ctx, draws + i * TFE_DRAW_WORDS, bits[i], ctx.party, 20 + i, 7, i == 0 ? whole[1] : NULL);
  }
  tfe_prg_pieces(draws, 3, pieces, APART, FROM, APART);
  for (int i = 0; i < 3; i++)
    assert_memory_equal(pieces + i * APART, whole[i] + FROM, APART * sizeof *pieces);
  tfe_prg_pieces(draws, 2, pieces, 1, 0, 1);
  assert_int_equal(pieces[0], whole[0][0]);
  assert_int_equal(pieces[1], whole[1][0]);
  tfe_ctx_free(&ctx);
}

static void test_entropy(void **unused) {
  (void)unused;
  TfeCtx ctx;
  uint64_t a = 0, b = 0;
  assert_int_equal(tfe_ctx_init(&ctx, &test_program, 0), TFE_OK);
  assert_int_equal(tfe_entropy_local(&ctx, &a), TFE_OK);
  assert_int_equal(tfe_entropy_local(&ctx, &b), TFE_OK);
  assert_true(a != b);
  assert_int_equal(tfe_entropy_public(&ctx, &a), TFE_INTERNAL); /* no keys yet */
  tfe_ctx_free(&ctx);
  assert_int_equal(tfe_ctx_init(&ctx, &test_program, 0), TFE_OK);
  assert_int_equal(tfe_keys_init(&ctx), TFE_OK);
  tfe_keys_set_public(&ctx, 77);
  assert_int_equal(tfe_entropy_public(&ctx, &a), TFE_OK);
  assert_int_equal(a, 77);
  tfe_ctx_free(&ctx);
}

static void test_no_memory(void **unused) {
  (void)unused;
  for (uint64_t fail = 1; fail <= 2; fail++) {
    TfeCtx ctx;
    assert_int_equal(tfe_ctx_init(&ctx, &test_program, 0), TFE_OK);
    ctx.fail_allocation = ctx.allocations + fail;
    assert_int_equal(tfe_keys_init(&ctx), TFE_MEMORY);
    tfe_ctx_free(&ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answer), cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_widths),       cmocka_unit_test(test_bits),
      cmocka_unit_test(test_tiers),        cmocka_unit_test(test_all_different),
      cmocka_unit_test(test_two_parties),  cmocka_unit_test(test_entropy),
      cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_pieces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
