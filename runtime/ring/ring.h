/* Matrix products over Z_2^64 and over doubles, one table of kernels for each instruction set.
 *
 * All tables give the same bits. For doubles that means: every element is the sum a[i,0] b[0,j] + a[i,1]
 * b[1,j] + ... from zero, in this order, each product and each sum rounded. Rings of fewer bits are
 * computed modulo 2^64 and masked. */
#ifndef TFE_RING_H
#define TFE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/* A panel is a product with few columns: out[m, n] = a[m, k] b[k, n], or out + that, n <= columns; row
 * strides ldo, lda, ldb in elements. k may be 0. out overlaps neither a nor b; rows of a may overlap each
 * other. */
typedef struct TfeRing {
  const char *name;
  int64_t columns;
  void (*panel)(uint64_t *out, int64_t ldo, const uint64_t *a, int64_t lda, const uint64_t *b, int64_t ldb,
                int64_t m, int64_t k, int64_t n, bool add);
  void (*panel_fixed)(double *out, int64_t ldo, const double *a, int64_t lda, const double *b, int64_t ldb,
                      int64_t m, int64_t k, int64_t n, bool add);
} TfeRing;

extern const TfeRing tfe_ring_c;
#if defined(__x86_64__)
extern const TfeRing tfe_ring_avx2, tfe_ring_avx512;
#endif

/* The table for tfe_cpu(), or for a given one (at most tfe_cpu_best()). */
const TfeRing *tfe_ring(void);
const TfeRing *tfe_ring_of(TfeCpu cpu);

/* Any size, dense, with a table of one's choice: what the ABI functions call with tfe_ring(). */
void tfe_ring_matmul(const TfeRing *ring, uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m,
                     int64_t k, int64_t n);
void tfe_ring_matmul_fixed(const TfeRing *ring, double *out, const double *a, const double *b, int64_t m,
                           int64_t k, int64_t n);
/* dims {n, h, w, ci, kh, kw, co, pad}: x[n, h, w, ci], kernel[kh, kw, ci, co], out[n, h + 2 pad - kh + 1,
 * w + 2 pad - kw + 1, co]; stride 1, zeros around. Doubles: summed in the order kh, kw, ci, the zeros left
 * out. */
void tfe_ring_conv2d(const TfeRing *ring, uint64_t *out, const uint64_t *x, const uint64_t *kernel,
                     const int64_t *dims);
void tfe_ring_conv2d_fixed(const TfeRing *ring, double *out, const double *x, const double *kernel,
                           const int64_t *dims);

#endif
