/* The choice of instruction sets (cpu.h). */
#include "cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "../include/abi.h"

#if defined(__x86_64__)
/* Linux hands out the tile registers, which make a thread's state eight times as large, on request only. */
static bool tiles_allowed(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
  enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM; newer than some systems' headers */
  return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
  return false;
#endif
}

/* gcc 12's __builtin_cpu_supports does not know AMX: leaf 7, bits 24 (tiles) and 25 (bytes) of edx. */
static bool has_amx(void) {
  unsigned eax, ebx, ecx, edx;
  if (!__builtin_cpu_supports("avx512vbmi") || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
    return false;
  return (edx >> 24 & 3) == 3 && tiles_allowed();
}

TfeCpu tfe_cpu_best(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("aes"))
    return TFE_CPU_C;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("vaes"))
    return TFE_CPU_AVX2;
  if (!__builtin_cpu_is("intel") || !__builtin_cpu_supports("avx512ifma") ||
      !__builtin_cpu_supports("avx512vnni"))
    return TFE_CPU_AVX512;
  return has_amx() ? TFE_CPU_AMX : TFE_CPU_IFMA;
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
  static const char *const names[] = {"c", "avx2", "avx512", "ifma", "amx"};
  const char *wanted = getenv("TFE_CPU");
  TfeCpu best = tfe_cpu_best();
  for (int i = 0; wanted && i < (int)best; i++)
    if (!strcmp(wanted, names[i]))
      best = (TfeCpu)i;
  atomic_store_explicit(&chosen, (int)best, memory_order_relaxed);
  return best;
}
