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

/* One output position: every tap that lies inside, channel by channel. y += x kernel, or x += y kernel, or
 * kernel += x y. */
static void position(NaiveConv what, uint64_t *restrict y, uint64_t *restrict x, uint64_t *restrict kernel,
                     const int64_t *dims, int64_t top, int64_t left) {
  int64_t h = dims[1], w = dims[2], ci = dims[3], kh = dims[4], kw = dims[5], co = dims[6];
  int64_t inputs = ci / dims[9], outputs = co / dims[9]; /* of a group */
  for (int64_t i = 0; i < kh; i++)
    for (int64_t j = 0; j < kw; j++) {
      if (top + i < 0 || top + i >= h || left + j < 0 || left + j >= w)
        continue;
      for (int64_t c = 0; c < ci; c++) {
        int64_t first = c / inputs * outputs;
        uint64_t *px = x + ((top + i) * w + left + j) * ci + c,
                 *pk = kernel + ((i * kw + j) * inputs + c % inputs) * co + first, *py = y + first, sum = 0;
        if (what == NAIVE_CONV)
          for (int64_t o = 0; o < outputs; o++)
            py[o] += *px * pk[o];
        else if (what == NAIVE_CONV_KERNEL)
          for (int64_t o = 0; o < outputs; o++)
            pk[o] += *px * py[o];
        else
          for (int64_t o = 0; o < outputs; o++)
            sum += py[o] * pk[o];
        if (what == NAIVE_CONV_INPUT)
          *px += sum;
      }
    }
}

void NAME(naive_conv2d_, NAIVE)(NaiveConv what, uint64_t *y, uint64_t *x, uint64_t *kernel,
                                const int64_t *dims) {
  int64_t h = dims[1], w = dims[2], ci = dims[3], co = dims[6], pad = dims[7], stride = dims[8];
  int64_t ho = (h + 2 * pad - dims[4]) / stride + 1, wo = (w + 2 * pad - dims[5]) / stride + 1;
  uint64_t *out = what == NAIVE_CONV ? y : what == NAIVE_CONV_INPUT ? x : kernel;
  int64_t count = what == NAIVE_CONV         ? dims[0] * ho * wo * co
                  : what == NAIVE_CONV_INPUT ? dims[0] * h * w * ci
                                             : dims[4] * dims[5] * (ci / dims[9]) * co;
  memset(out, 0, (size_t)count * sizeof *out);
  for (int64_t n = 0; n < dims[0]; n++)
    for (int64_t i = 0; i < ho; i++)
      for (int64_t j = 0; j < wo; j++)
        position(what, y + ((n * ho + i) * wo + j) * co, x + n * h * w * ci, kernel, dims, i * stride - pad,
                 j * stride - pad);
}
