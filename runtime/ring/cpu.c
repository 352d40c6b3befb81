/* The choice of instruction sets (cpu.h). */
#include "cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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
