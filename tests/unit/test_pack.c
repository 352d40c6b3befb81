/* Bit packing: every table, width and many counts against a plain loop; exact buffers, so that sanitizers see a
 * step outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/pack.h"

static uint64_t state = 1;

static uint64_t next(void) {
  uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  return x ^ x >> 32;
}

static void plain_pack(uint8_t *out, const uint64_t *in, int64_t count, int64_t bits) {
  for (int64_t at = 0; at < count * bits; at++)
    out[at / 8] = (uint8_t)(out[at / 8] | (in[at / bits] >> (at % bits) & 1) << (at % 8));
}

static void check(const TfePacking *packing, int64_t count, int64_t bits) {
  size_t bytes = tfe_pack_bytes(count, bits);
  uint64_t *in = calloc((size_t)count + 1, 8), *back = malloc((size_t)count * 8 + 1);
  uint8_t *want = calloc(bytes + 1, 1), *got = malloc(bytes ? bytes : 1);
  assert_true(in && back && want && got);
  for (int64_t i = 0; i < count; i++)
    in[i] = next(); /* the high bits must not matter */
  memset(got, 0xa5, bytes);
  plain_pack(want, in, count, bits);
  packing->pack(got, in, count, bits);
  assert_memory_equal(got, want, bytes);
  if (bytes && count * bits % 8)
    got[bytes - 1] |= 0x80; /* nor the filling: its top bit is free */
  packing->unpack(back, got, count, bits);
  for (int64_t i = 0; i < count; i++)
    assert_int_equal(back[i], in[i] & ~UINT64_C(0) >> (64 - bits));
  free(in), free(back), free(want), free(got);
}

static void test_all_widths(void **unused) {
  (void)unused;
  for (int i = 0; tfe_packing_tier(i); i++)
    for (int64_t bits = 1; bits <= 64; bits++) {
      for (int64_t count = 0; count <= 70; count++)
        check(tfe_packing_tier(i), count, bits);
      check(tfe_packing_tier(i), 1000, bits);
      check(tfe_packing_tier(i), 1023, bits);
    }
}

static void test_bytes(void **unused) {
  (void)unused;
  assert_int_equal(tfe_pack_bytes(0, 64), 0);
  assert_int_equal(tfe_pack_bytes(1, 1), 1);
  assert_int_equal(tfe_pack_bytes(9, 1), 2);
  assert_int_equal(tfe_pack_bytes(3, 63), 24);
  assert_int_equal(tfe_pack_bytes(8, 63), 63);
  assert_int_equal(tfe_pack_bytes(INT64_C(1) << 58, 40), (UINT64_C(1) << 55) * 40);
}

static void test_known_bytes(void **unused) {
  (void)unused;
  static const uint64_t in[] = {0x123, 0x456, 0x7ff};
  uint8_t out[5];
  tfe_pack(out, in, 3, 12);
  static const uint8_t want[] = {0x23, 0x61, 0x45, 0xff, 0x07};
  assert_memory_equal(out, want, sizeof want);
}

static void test_unaligned_bytes(void **unused) {
  (void)unused;
  uint64_t in[50], back[50];
  uint8_t bytes[512];
  for (int i = 0; i < 50; i++)
    in[i] = next();
  for (int64_t bits = 1; bits <= 64; bits++)
    for (int shift = 1; shift < 8; shift++) {
      tfe_pack(bytes + shift, in, 50, bits);
      tfe_unpack(back, bytes + shift, 50, bits);
      for (int i = 0; i < 50; i++)
        assert_int_equal(back[i], in[i] & ~UINT64_C(0) >> (64 - bits));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_widths),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_known_bytes),
      cmocka_unit_test(test_unaligned_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
