/* Bits of 64 elements in a word: what is done with the words is done with 64 elements at once. */
#include <string.h>

#include "include/abi.h"

enum { LANES = 64 };

/* Transposes 64 words of 64 bits: quarters change places, then the quarters of each (Knuth, TAOCP 4A, 7.1.3). */
static void transpose(uint64_t *w) {
  uint64_t low = ~UINT64_C(0) >> LANES / 2;
  for (int half = LANES / 2; half; half /= 2, low ^= low << half)
    for (int i = 0; i < LANES; i += 2 * half)
      for (int k = i; k < i + half; k++) {
        uint64_t t = (w[k] >> half ^ w[k + half]) & low;
        w[k + half] ^= t;
        w[k] ^= t << half;
      }
}

void tfe_lanes_of(uint64_t *out, const uint64_t *in, int64_t n, int64_t bits) {
  uint64_t w[LANES];
  for (int64_t i = 0; i < n; i += LANES, out += bits) {
    int64_t count = n - i < LANES ? n - i : LANES;
    memcpy(w, in + i, sizeof *w * (size_t)count);
    memset(w + count, 0, sizeof *w * (size_t)(LANES - count));
    transpose(w);
    memcpy(out, w, sizeof *w * (size_t)bits);
  }
}

void tfe_from_lanes(uint64_t *out, const uint64_t *in, int64_t n, int64_t bits, int64_t lanes) {
  for (int64_t i = 0; i < n; i += LANES, in += lanes)
    for (int64_t k = 0; k < LANES && i + k < n; k++, out += bits)
      for (int64_t b = 0; b < bits; b++)
        out[b] = in[b] >> k & 1;
}
