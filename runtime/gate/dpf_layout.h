/* Size of a comparison key: shared by the runtime (gate/dpf.c) and the compiler, which lays out the
 * messages. */
#ifndef TFE_DPF_LAYOUT_H
#define TFE_DPF_LAYOUT_H

#include <stdint.h>

/* 64-bit words of correction for one comparison of two numbers of `bits` bits (1 .. 64). The tree has
 * max(bits, 8) - 7 levels: two words for each level but the last, four words of leaves, and one word of
 * control bits if there is more than one level. 63 bits: 115 words. */
static inline int64_t tfe_dpf_words(int64_t bits) {
  int64_t levels = bits > 8 ? bits - 7 : 1;
  return 2 * (levels - 1) + 4 + (levels > 1);
}

#endif
