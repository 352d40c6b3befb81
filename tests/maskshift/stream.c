/* See stream.h. */
#include "stream.h"

#include <math.h>

static void add_byte(Stream *s, int byte) {
  if (s->bytes == 0)
    s->first = byte;
  else
    s->products += (double)(s->last * byte);
  s->last = byte;
  s->count[byte]++;
  s->bytes++;
}

void stream_add(Stream *s, const uint64_t *v, int64_t n, int bits) {
  uint64_t mask = ~UINT64_C(0) >> (64 - bits);
  for (int64_t i = 0; i < n; i++) {
    s->pending |= (unsigned __int128)(v[i] & mask) << s->pending_bits;
    for (s->pending_bits += bits; s->pending_bits >= 8; s->pending_bits -= 8) {
      add_byte(s, (int)(s->pending & 255));
      s->pending >>= 8;
    }
  }
}

double stream_chi_square(const Stream *s) {
  const double freedom = 255, variance = 2 / (9 * freedom);
  double expected = (double)s->bytes / 256, chi = 0;
  for (int i = 0; i < 256; i++)
    chi += ((double)s->count[i] - expected) * ((double)s->count[i] - expected) / expected;
  return (cbrt(chi / freedom) - (1 - variance)) / sqrt(variance);
}

double stream_correlation(const Stream *s) {
  double n = (double)s->bytes, sum = 0, squares = 0, products = s->products + (double)(s->last * s->first);
  for (int i = 0; i < 256; i++) {
    sum += i * (double)s->count[i];
    squares += (double)(i * i) * (double)s->count[i];
  }
  double spread = n * squares - sum * sum;
  return spread > 0 ? (n * products - sum * sum) / spread * sqrt(n) : sqrt(n);
}
