/* The choice of the hash (hash.h). */
#include "hash.h"

#include <stddef.h>

#include "../ctx.h"
#include "../ring/cpu.h"

const uint8_t tfe_hash_default_key[16] = {0x24, 0x3f, 0x6a, 0x88, 0x85, 0xa3, 0x08, 0xd3,
                                          0x13, 0x19, 0x8a, 0x2e, 0x03, 0x70, 0x73, 0x44};

const uint8_t *tfe_hash_key(const struct TfeCtx *ctx) {
  return ctx ? ctx->hash_key : tfe_hash_default_key;
}

static const TfeHash *hash_of(TfeCpu cpu) {
#if defined(__x86_64__)
  if (cpu >= TFE_CPU_AVX512)
    return &tfe_hash_vaes;
  if (cpu == TFE_CPU_AVX2)
    return &tfe_hash_aesni;
#endif
  (void)cpu;
  return &tfe_hash_c;
}

const TfeHash *tfe_hash(void) {
  return hash_of(tfe_cpu());
}

const TfeHash *tfe_hash_tier(int i) {
  return i <= (int)TFE_CPU_AVX512 && i <= (int)tfe_cpu_best() ? hash_of((TfeCpu)i) : NULL;
}
