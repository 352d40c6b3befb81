/* The naive loops (naive.c), for plain x86-64 or whatever the target is, for AVX2 and for AVX-512. */
#ifndef TFE_NAIVE_H
#define TFE_NAIVE_H

#include <stdint.h>

typedef void NaiveMatmul(uint64_t *restrict out, const uint64_t *restrict a, const uint64_t *restrict b,
                         int64_t m, int64_t k, int64_t n);
/* dims as in runtime/include/abi.def. */
typedef void NaiveConv2d(uint64_t *restrict out, const uint64_t *restrict x, const uint64_t *restrict kernel,
                         const int64_t *dims);

NaiveMatmul naive_matmul_c, naive_matmul_avx2, naive_matmul_avx512;
NaiveConv2d naive_conv2d_c, naive_conv2d_avx2, naive_conv2d_avx512;

#endif
