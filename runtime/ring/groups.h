/* Convolutions in groups of channels, which ring.c leaves to groups.c, and what both know of a convolution's sizes. */
#ifndef TFE_GROUPS_H
#define TFE_GROUPS_H

#include "ring.h"

/* The dims of ring.h, and the result's height and width. */
typedef struct TfeConvSizes {
  int64_t n, h, w, ci, kh, kw, co, pad, stride, groups, ho, wo;
} TfeConvSizes;

static inline TfeConvSizes tfe_conv_sizes(const int64_t *d) {
  TfeConvSizes s = {d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], 0, 0};
  int64_t down = s.h + 2 * s.pad - s.kh, across = s.w + 2 * s.pad - s.kw;
  if (down >= 0 && across >= 0) {
    s.ho = down / s.stride + 1;
    s.wo = across / s.stride + 1;
  }
  return s;
}

/* As tfe_ring_conv2d with several groups; fixed: of doubles, bits 64 and mode TFE_SET. */
void tfe_ring_conv2d_groups(const TfeRing *ring, bool fixed, TfeConv what, uint64_t *out, const uint64_t *a,
                            const uint64_t *b, const TfeConvSizes *sizes, int64_t bits, TfeMode mode);

#endif
