/* What the kernels of AVX-512 and those built on it have in common. */
#ifndef TFE_RING_AVX512_H
#define TFE_RING_AVX512_H

#include <immintrin.h>

#include "ring.h"

#define INLINE static inline __attribute__((always_inline))

enum { TFE_AVX512_COLUMNS = 24 };

/* ring.h: of the table for AVX-512 */
void tfe_avx512_panel(const TfePanel *product);
void tfe_avx512_panel_fixed(const TfePanel *product);
void tfe_avx512_copy(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n);
void tfe_avx512_add(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n,
                    uint64_t mask);

/* For rings of up to 32 bits. */
extern const TfePacked tfe_packed_avx512_narrow;
/* With IFMA and VNNI, for rings of any bits. */
extern const TfePacked tfe_packed_ifma;

/* The lanes of the last one of so many vectors that hold n elements together; 0 < n - 8 (vectors - 1) <= 8. */
INLINE __mmask8 lanes_of(int64_t n, int vectors) {
  return (__mmask8)(0xff >> (8 * vectors - n));
}

/* The first n lanes of a vector of eight; n may be anything. */
INLINE __mmask8 first_lanes(int64_t n) {
  return (__mmask8)(n >= 8 ? 0xff : n <= 0 ? 0 : (1 << n) - 1);
}

/* What is done with sums: added to what is there or set, their sign turned before or not, masked. */
typedef struct Finish {
  bool set;
  __m512i sign, mask;
} Finish;

INLINE Finish finish_of(const TfePanel *s) {
  return (Finish){s->mode == TFE_SET, _mm512_set1_epi64(s->mode == TFE_SUBTRACT ? -1 : 0),
                  _mm512_set1_epi64((int64_t)(~UINT64_C(0) >> (64 - s->bits)))};
}

/* The sums of one vector of eight columns. */
INLINE void put(uint64_t *out, __mmask8 lanes, __m512i sum, Finish f) {
  if (!f.set)
    sum = _mm512_add_epi64(_mm512_maskz_loadu_epi64(lanes, out),
                           _mm512_sub_epi64(_mm512_xor_si512(sum, f.sign), f.sign));
  _mm512_mask_storeu_epi64(out, lanes, _mm512_and_si512(sum, f.mask));
}

#endif
