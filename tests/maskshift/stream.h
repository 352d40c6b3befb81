/* Statistics of a stream of bits that should be uniform: chi-square over its bytes (Pearson), and correlation of
 * each byte with the next one (Knuth, The Art of Computer Programming 2, 3.3.2 K). Both are given as deviations
 * that are nearly standard normal when the stream is uniform, so that a magnitude of 5.2 has a chance of 2 in
 * 10^7. */
#ifndef TFE_STREAM_H
#define TFE_STREAM_H

#include <stdint.h>

enum { STREAM_LEAST = 100000 }; /* bytes from which on the statistics are worth looking at */

typedef struct Stream {
  int64_t bytes, count[256];
  double products; /* of each byte and the next one */
  int first, last;
  unsigned __int128 pending; /* bits that fill no byte yet */
  int pending_bits;
} Stream; /* {0}: empty */

/* Appends the low `bits` bits (1 .. 64) of n numbers, one behind the other. */
void stream_add(Stream *s, const uint64_t *v, int64_t n, int bits);
/* Wilson and Hilferty's cube root of chi-square with 255 degrees of freedom. */
double stream_chi_square(const Stream *s);
double stream_correlation(const Stream *s);

#endif
