/* The naive loops (naive.c), for plain x86-64 or whatever the target is, for AVX2 and for AVX-512. */
#ifndef TFE_NAIVE_H
#define TFE_NAIVE_H

#include <stdint.h>

typedef void NaiveMatmul(uint64_t *restrict out, const uint64_t *restrict a, const uint64_t *restrict b,
                         int64_t m, int64_t k, int64_t n);
/* Which of a convolution's tensors is computed from the other two (those that belong to y and x for a gradient);
 * dims as in runtime/include/abi.def. */
typedef enum NaiveConv { NAIVE_CONV, NAIVE_CONV_INPUT, NAIVE_CONV_KERNEL } NaiveConv;
typedef void NaiveConv2d(NaiveConv what, uint64_t *y, uint64_t *x, uint64_t *kernel, const int64_t *dims);

NaiveMatmul naive_matmul_c, naive_matmul_avx2, naive_matmul_avx512;
NaiveConv2d naive_conv2d_c, naive_conv2d_avx2, naive_conv2d_avx512;

#endif
