/* Matrix products and convolutions over Z_2^64 and over doubles, one table of kernels for each instruction
 * set.
 *
 * All tables give the same bits. For doubles that means: every element is a sum from zero in a fixed order,
 * each product and each sum rounded. The orders: a product over k; a convolution over (kh, kw, ci); its
 * gradient with respect to the input over (kh, kw, co), kh and kw descending; with respect to the kernel over
 * (n, ho, wo). Zeros around an image take part in the sums as zeros, unless ci is the number of groups.
 *
 * Rings of fewer bits are computed modulo 2^64 and masked in the last store, or, up to 32 bits and where that
 * is faster, modulo 2^32. Elements of a ring operand may then have any upper bits. */
#ifndef TFE_RING_H
#define TFE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

/* What becomes of a product of ring elements; the ABI's mode. */
typedef enum TfeMode {
  TFE_SET,      /* out = product */
  TFE_ADD,      /* out = out + product */
  TFE_SUBTRACT, /* out = out - product */
} TfeMode;

/* A product: out[m, n] (mode)= a[m, k] b[k, n] modulo 2^bits with
 *   out(i, j) = out[i ldo + j],  a(i, p) = a[i lda + p step],  b(p, j) = b[p ldb + j]
 * of uint64_t or of double (mode set or add, bits 64). k may be 0. out overlaps neither a nor b; rows of a may
 * overlap each other. */
typedef struct TfePanel {
  void *out;
  int64_t ldo;
  const void *a;
  int64_t lda, step;
  const void *b;
  int64_t ldb;
  int64_t m, k, n;
  TfeMode mode;
  int64_t bits;
  void *room; /* for kernels on a rearranged b: their working memory, TFE_RING_ROOM bytes, aligned to 64 */
} TfePanel;

/* What becomes of one element. */
static inline uint64_t tfe_panel_word(const TfePanel *s, uint64_t out, uint64_t sum) {
  uint64_t whole = s->mode == TFE_SET ? sum : s->mode == TFE_ADD ? out + sum : out - sum;
  return whole & ~UINT64_C(0) >> (64 - s->bits);
}

enum { TFE_RING_ROOM = 160 << 10 };

/* Kernels on a b that was rearranged: panels of `columns` columns one after another, the last one filled up;
 * in a panel, groups of `unit` rows, the last one filled up with zeros, of `bytes` each. */
typedef struct TfePacked {
  int64_t columns, unit, bytes;
  int64_t depth; /* k of one call, at most */
  /* One panel, b(p, j) = b[p ldb + j]; n <= columns. */
  void (*pack)(void *out, const uint64_t *b, int64_t ldb, int64_t k, int64_t n);
  /* b: all panels; ldb does not count. */
  void (*multiply)(const TfePanel *product);
  /* Whether this is faster than the table's `panel`, packing included. */
  bool (*pays)(int64_t m, int64_t k, int64_t n, int64_t bits);
} TfePacked;

/* out(i, j) += a(i, j) b(i, j) for rows of n elements each, ldo, lda, ldb elements apart (or 0): of uint64_t or of double.
 * out overlaps neither a nor b. */
typedef void TfeMultiplyAdd(void *out, int64_t ldo, const void *a, int64_t lda, const void *b, int64_t ldb,
                            int64_t rows, int64_t n);
TfeMultiplyAdd tfe_c_multiply_add, tfe_c_multiply_add_fixed;
#if defined(__x86_64__)
TfeMultiplyAdd tfe_avx2_multiply_add, tfe_avx2_multiply_add_fixed;
TfeMultiplyAdd tfe_avx512_multiply_add, tfe_avx512_multiply_add_fixed;
#endif

typedef struct TfeRing {
  const char *name;
  int64_t columns; /* of a panel that the first-level cache likes */
  void (*panel)(const TfePanel *product);
  void (*panel_fixed)(const TfePanel *product);
  /* rows of n words each, ldo and ldi words apart */
  void (*copy)(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n);
  /* the same, to what is there, modulo the ring that has these bits */
  void (*add)(uint64_t *out, int64_t ldo, const uint64_t *in, int64_t ldi, int64_t rows, int64_t n,
              uint64_t mask);
  TfeMultiplyAdd *multiply_add, *multiply_add_fixed;
  const TfePacked *const *packed; /* the first one that pays is taken; NULL behind the last */
} TfeRing;

extern const TfeRing tfe_ring_c;
#if defined(__x86_64__)
extern const TfeRing tfe_ring_avx2, tfe_ring_avx512, tfe_ring_ifma, tfe_ring_amx;
#endif

/* The table for tfe_cpu(), or for a given one (at most tfe_cpu_best()). */
const TfeRing *tfe_ring(void);
const TfeRing *tfe_ring_of(TfeCpu cpu);

/* Wipes what products that have ended left in their working memory. */
void tfe_ring_forget(void);

/* Any size, dense, with a table of one's choice: what the ABI functions call with tfe_ring(). */
void tfe_ring_matmul(const TfeRing *ring, uint64_t *out, const uint64_t *a, const uint64_t *b, int64_t m,
                     int64_t k, int64_t n, int64_t bits, TfeMode mode);
void tfe_ring_matmul_fixed(const TfeRing *ring, double *out, const double *a, const double *b, int64_t m,
                           int64_t k, int64_t n);

/* An operand that stays as it is, packed once: the words that takes, whatever the table; packing b[k, n] for
 * products modulo 2^bits; a product of the same table, k, n and bits. Faster from some eight rows on. */
int64_t tfe_ring_packed_words(int64_t k, int64_t n);
void tfe_ring_pack(const TfeRing *ring, uint64_t *out, const uint64_t *b, int64_t k, int64_t n, int64_t bits);
void tfe_ring_matmul_packed(const TfeRing *ring, uint64_t *out, const uint64_t *a, const uint64_t *packed,
                            int64_t m, int64_t k, int64_t n, int64_t bits, TfeMode mode);

/* dims {n, h, w, ci, kh, kw, co, pad, stride, groups}: x[n, h, w, ci], kernel[kh, kw, ci / groups, co], y[n, ho, wo, co]
 * with ho = (h + 2 pad - kh) / stride + 1 and wo likewise, none where the kernel is larger than the image; zeros
 * around. The channels of input and output are cut into groups, and an output channel is made from the input channels of
 * its group. */
enum { TFE_CONV_DIMS = 10 };
typedef enum TfeConv {
  TFE_CONV,        /* y from x and kernel */
  TFE_CONV_INPUT,  /* gradient with respect to x, from that with respect to y, and kernel */
  TFE_CONV_KERNEL, /* gradient with respect to kernel, from x and the gradient with respect to y */
} TfeConv;
void tfe_ring_conv2d(const TfeRing *ring, TfeConv what, uint64_t *out, const uint64_t *a, const uint64_t *b,
                     const int64_t *dims, int64_t bits, TfeMode mode);
void tfe_ring_conv2d_fixed(const TfeRing *ring, TfeConv what, double *out, const double *a, const double *b,
                           const int64_t *dims);

#endif
