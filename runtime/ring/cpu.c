/* The choice of instruction sets (cpu.h). */
#include "cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../include/abi.h"

#if defined(__x86_64__)
TfeCpu tfe_cpu_best(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("aes"))
    return TFE_CPU_C;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("vaes"))
    return TFE_CPU_AVX2;
  return TFE_CPU_AVX512;
}
#else
TfeCpu tfe_cpu_best(void) {
  return TFE_CPU_C;
}
#endif

/* What x86-64-v3 and v4 have beyond the kernels' tiers is checked as well. */
int64_t tfe_vector_level(TfeCtx *ctx) {
  (void)ctx;
#if defined(__x86_64__)
  TfeCpu cpu = tfe_cpu();
  if (cpu >= TFE_CPU_AVX512 && __builtin_cpu_supports("x86-64-v4"))
    return 2;
  if (cpu >= TFE_CPU_AVX2 && __builtin_cpu_supports("x86-64-v3"))
    return 1;
#endif
  return 0;
}

TfeCpu tfe_cpu(void) {
  static _Atomic int chosen = -1; /* threads that come at once choose the same */
  int cpu = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (cpu >= 0)
    return (TfeCpu)cpu;
  static const char *const names[] = {"c", "avx2", "avx512"};
  const char *wanted = getenv("TFE_CPU");
  TfeCpu best = tfe_cpu_best();
  for (int i = 0; wanted && i < (int)best; i++)
    if (!strcmp(wanted, names[i]))
      best = (TfeCpu)i;
  atomic_store_explicit(&chosen, (int)best, memory_order_relaxed);
  return best;
}
