/* The loops that anyone would write first, compiled once for each instruction set (CMakeLists.txt gives the
 * suffix of the names): what our kernels are measured against. */
#include "naive.h"

#include <string.h>

#define JOIN(a, b) a##b
#define NAME(a, b) JOIN(a, b)

void NAME(naive_matmul_, NAIVE)(uint64_t *restrict out, const uint64_t *restrict a,
                                const uint64_t *restrict b, int64_t m, int64_t k, int64_t n) {
  memset(out, 0, (size_t)(m * n) * sizeof *out);
  for (int64_t i = 0; i < m; i++)
    for (int64_t p = 0; p < k; p++)
      for (int64_t j = 0; j < n; j++)
        out[i * n + j] += a[i * k + p] * b[p * n + j];
}

/* One output position: every tap that lies inside, channel by channel. */
static void position(uint64_t *restrict out, const uint64_t *restrict x, const uint64_t *restrict kernel,
                     const int64_t *dims, int64_t top, int64_t left) {
  int64_t h = dims[1], w = dims[2], ci = dims[3], kh = dims[4], kw = dims[5], co = dims[6];
  for (int64_t y = 0; y < kh; y++)
    for (int64_t z = 0; z < kw; z++) {
      if (top + y < 0 || top + y >= h || left + z < 0 || left + z >= w)
        continue;
      for (int64_t c = 0; c < ci; c++)
        for (int64_t j = 0; j < co; j++)
          out[j] += x[((top + y) * w + left + z) * ci + c] * kernel[((y * kw + z) * ci + c) * co + j];
    }
}

void NAME(naive_conv2d_, NAIVE)(uint64_t *restrict out, const uint64_t *restrict x,
                                const uint64_t *restrict kernel, const int64_t *dims) {
  int64_t h = dims[1], w = dims[2], co = dims[6], pad = dims[7], stride = dims[8];
  int64_t ho = (h + 2 * pad - dims[4]) / stride + 1, wo = (w + 2 * pad - dims[5]) / stride + 1;
  memset(out, 0, (size_t)(dims[0] * ho * wo * co) * sizeof *out);
  for (int64_t n = 0; n < dims[0]; n++)
    for (int64_t i = 0; i < ho; i++)
      for (int64_t j = 0; j < wo; j++)
        position(out + ((n * ho + i) * wo + j) * co, x + n * h * w * dims[3], kernel, dims, i * stride - pad,
                 j * stride - pad);
}
