/* The statistics of streams: quiet about uniform bits of any width, loud about small defects. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../runtime/prg/prg.h"
#include "stream.h"

enum { WORDS = 40000 };

static uint64_t words[WORDS];

static void draw(uint32_t address, int bits) {
  static const uint8_t key[TFE_KEY_BYTES] = {7};
  tfe_prg_words(key, address, 0, bits, words, WORDS);
}

static void uniform_bits_pass(void **state) {
  (void)state;
  for (int bits = 1; bits <= 64; bits++) {
    Stream s = {0};
    for (uint32_t k = 0; s.bytes < STREAM_LEAST; k++) {
      draw((uint32_t)bits * 1000 + k, bits);
      stream_add(&s, words, WORDS, bits);
    }
    assert_true(fabs(stream_chi_square(&s)) < 4.5);
    assert_true(fabs(stream_correlation(&s)) < 4.5);
  }
}

/* One bit in 64 that is 1 with a chance of 3/4. */
static void a_biased_bit_shows(void **state) {
  (void)state;
  Stream s = {0};
  draw(1, 64);
  for (int i = 0; i < WORDS; i++)
    words[i] |= words[i] >> 1 & 1;
  stream_add(&s, words, WORDS, 64);
  assert_true(stream_chi_square(&s) > 5.2);
}

/* Numbers masked by fewer bits than they have. */
static void a_narrow_mask_shows(void **state) {
  (void)state;
  Stream s = {0};
  draw(2, 40);
  for (int i = 0; i < WORDS; i++)
    words[i] += (uint64_t)(i % 1000);
  stream_add(&s, words, WORDS, 44);
  assert_true(stream_chi_square(&s) > 5.2);
}

/* Every byte value as often as any other, but in order. */
static void order_shows(void **state) {
  (void)state;
  Stream s = {0};
  for (int i = 0; i < WORDS; i++)
    words[i] = (uint64_t)(i % 256);
  stream_add(&s, words, WORDS, 8);
  assert_true(stream_chi_square(&s) < -5.2);
  assert_true(stream_correlation(&s) > 5.2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(uniform_bits_pass),
      cmocka_unit_test(a_biased_bit_shows),
      cmocka_unit_test(a_narrow_mask_shows),
      cmocka_unit_test(order_shows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
