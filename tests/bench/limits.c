/* What this machine can do at most, measured: instructions from registers, for the ports, and streams through
 * each level of the memory. Functions are compiled for their instruction set and called only where the
 * processor has it. */
#include "bench.h"

#include <string.h>

#include "ring/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "ring/tile.h"
#endif

enum { ROUNDS = 4096 };

static volatile uint64_t sink;

/* -- products and sums -------------------------------------------------------------------------------------- */

static void multiply_add_c(void *data) {
  const uint64_t *x = data;
  uint64_t s[8] = {0}, b[2] = {x[8], x[9]};
  for (int i = 0; i < ROUNDS; i++)
    for (int k = 0; k < 8; k++) {
      s[k] += s[(k + 1) % 8] * b[k & 1];
      __asm__ volatile("" : "+r"(s[k]));
    }
  sink = s[0] ^ s[1] ^ s[2] ^ s[3] ^ s[4] ^ s[5] ^ s[6] ^ s[7];
}

#if defined(__x86_64__)
/* Eight sums: more independent ones than any processor has multiplications in flight. The empty asm keeps the
 * compiler from moving a product that does not change out of the loop. */
__attribute__((target("avx2"))) static void multiply_add_avx2(void *data) {
  const uint64_t *x = data;
  __m256i low[6], cross[6], a = _mm256_loadu_si256((const void *)x),
                            b = _mm256_loadu_si256((const void *)(x + 4));
  for (int k = 0; k < 6; k++)
    low[k] = cross[k] = a;
  for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 6
    for (int k = 0; k < 6; k++) {
      __asm__("" : "+x"(b));
      low[k] = _mm256_add_epi64(low[k], _mm256_mul_epu32(a, b));
      cross[k] = _mm256_add_epi32(cross[k], _mm256_mullo_epi32(a, b));
    }
  __m256i sum = a;
  for (int k = 0; k < 6; k++)
    sum = _mm256_xor_si256(sum, _mm256_xor_si256(low[k], cross[k]));
  sink = (uint64_t)_mm256_extract_epi64(sum, 0);
}

__attribute__((target("avx512f,avx512dq"))) static void multiply_add_avx512(void *data) {
  const uint64_t *x = data;
  __m512i s[16], a = _mm512_loadu_si512(x), b = _mm512_loadu_si512(x + 8);
  for (int k = 0; k < 16; k++)
    s[k] = a;
  for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 16
    for (int k = 0; k < 16; k++) {
      __asm__("" : "+v"(b));
      s[k] = _mm512_add_epi64(s[k], _mm512_mullo_epi64(a, b));
    }
  __m512i sum = a;
  for (int k = 0; k < 16; k++)
    sum = _mm512_xor_si512(sum, s[k]);
  sink = (uint64_t)_mm512_reduce_add_epi64(sum);
}

__attribute__((target("avx512f,avx512ifma,avx512vnni"))) static void multiply_add_ifma(void *data) {
  const uint64_t *x = data;
  __m512i low[8], high[8], cross[8], a = _mm512_loadu_si512(x), b = _mm512_loadu_si512(x + 8);
  for (int k = 0; k < 8; k++)
    low[k] = high[k] = cross[k] = a;
  for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
      __asm__("" : "+v"(b));
      low[k] = _mm512_madd52lo_epu64(low[k], a, b);
      high[k] = _mm512_madd52hi_epu64(high[k], a, b);
      if (k & 1) /* one of these serves two products */
        cross[k] = _mm512_dpwssd_epi32(cross[k], a, b);
    }
  __m512i sum = a;
  for (int k = 0; k < 8; k++)
    sum = _mm512_xor_si512(sum, _mm512_xor_si512(low[k], _mm512_xor_si512(high[k], cross[k])));
  sink = (uint64_t)_mm512_reduce_add_epi64(sum);
}

/* 36 products of tiles, four sums at a time, make 16 x 64 x 16 products of words. The bytes are random: with
 * zeros the processor is faster, since it has less heat to get rid of. */
__attribute__((target("amx-tile,amx-int8"))) static void multiply_add_amx(void *data) {
  const uint8_t *x = data;
  tile_start();
  TILE_LOAD(4, x);
  TILE_LOAD(5, x + TILE_BYTES);
  TILE_LOAD(6, x + 2 * TILE_BYTES);
  TILE_LOAD(7, x + 3 * TILE_BYTES);
  for (int i = 0; i < ROUNDS; i++) {
    TILE_MULTIPLY(0, 4, 6);
    TILE_MULTIPLY(1, 4, 7);
    TILE_MULTIPLY(2, 5, 6);
    TILE_MULTIPLY(3, 5, 7);
  }
  tile_stop();
}

/* -- AES ------------------------------------------------------------------------------------------------------ */

__attribute__((target("aes,sse4.1"))) static void aes_aesni(void *data) {
  const uint64_t *x = data;
  __m128i s[8], k = _mm_loadu_si128((const void *)x);
  for (int i = 0; i < 8; i++)
    s[i] = _mm_loadu_si128((const void *)(x + 2 * i));
  for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
      s[j] = _mm_aesenc_si128(s[j], k);
  for (int i = 1; i < 8; i++)
    s[0] = _mm_xor_si128(s[0], s[i]);
  sink = (uint64_t)_mm_extract_epi64(s[0], 0);
}

__attribute__((target("avx512f,vaes"))) static void aes_vaes(void *data) {
  const uint64_t *x = data;
  __m512i s[8], k = _mm512_loadu_si512(x);
  for (int i = 0; i < 8; i++)
    s[i] = _mm512_loadu_si512(x + 8 * i);
  for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
      s[j] = _mm512_aesenc_epi128(s[j], k);
  for (int i = 1; i < 8; i++)
    s[0] = _mm512_xor_si512(s[0], s[i]);
  sink = (uint64_t)_mm512_reduce_add_epi64(s[0]);
}
#endif

double limit_multiply_add(const char *tier) {
  static double c, avx2, avx512, ifma, amx;
  uint64_t *x = bench_words(4 * TILE_BYTES / 8);
  if (!strcmp(tier, "c"))
    return c > 0 ? c : (c = 8 * ROUNDS / bench_time(multiply_add_c, x));
#if defined(__x86_64__)
  if (!strcmp(tier, "avx2") && __builtin_cpu_supports("avx2"))
    return avx2 > 0 ? avx2 : (avx2 = 4 * 6 * ROUNDS / bench_time(multiply_add_avx2, x));
  if (!strcmp(tier, "avx512") && __builtin_cpu_supports("avx512dq"))
    return avx512 > 0 ? avx512 : (avx512 = 8 * 16 * ROUNDS / bench_time(multiply_add_avx512, x));
  if (!strcmp(tier, "ifma") && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vnni"))
    return ifma > 0 ? ifma : (ifma = 8 * 8 * ROUNDS / bench_time(multiply_add_ifma, x));
  if (!strcmp(tier, "amx") && tfe_cpu_best() >= TFE_CPU_AMX)
    return amx > 0 ? amx : (amx = 16.0 * 64 * 16 * 4 * ROUNDS / 36 / bench_time(multiply_add_amx, x));
#endif
  return 0;
}

double limit_aes(const char *tier) {
  static double aesni, vaes;
#if defined(__x86_64__)
  uint64_t *x = bench_words(64);
  if (!strcmp(tier, "aesni") && __builtin_cpu_supports("aes"))
    return aesni > 0 ? aesni : (aesni = 16.0 * 8 * ROUNDS / 10 / bench_time(aes_aesni, x));
  if (!strcmp(tier, "vaes") && __builtin_cpu_supports("vaes") && __builtin_cpu_supports("avx512f"))
    return vaes > 0 ? vaes : (vaes = 64.0 * 8 * ROUNDS / 10 / bench_time(aes_vaes, x));
#endif
  return 0;
}

/* -- memory --------------------------------------------------------------------------------------------------- */

typedef struct Stream {
  uint64_t *out, *a, *b;
  int64_t n;
} Stream;

#if defined(__x86_64__)
__attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif
static void
triad(void *data) {
  Stream *s = data;
  uint64_t *restrict out = s->out;
  const uint64_t *restrict a = s->a, *restrict b = s->b;
  int64_t n = s->n;
  for (int64_t i = 0; i < n; i++)
    out[i] = a[i] + b[i];
}

double limit_stream(int64_t bytes) {
  int64_t n = bytes / 24;
  Stream s = {bench_words(n), bench_words(n), bench_words(n), n};
  return 24 * (double)n / bench_time(triad, &s);
}

void bench_limits(void) {
  static const char *const tiers[] = {"c", "avx2", "avx512", "ifma", "amx"}, *const ciphers[] = {"aesni",
                                                                                                 "vaes"};
  static const int64_t sets[] = {24 << 10, 384 << 10, 6 << 20, 192 << 20};
  for (int i = 0; i < 5; i++)
    if (limit_multiply_add(tiers[i]) > 0)
      bench_row(
          (BenchRow){"multiply-add", "registers", tiers[i], "GMAC/s", limit_multiply_add(tiers[i]) / 1e9});
  for (int i = 0; i < 2; i++)
    if (limit_aes(ciphers[i]) > 0)
      bench_row((BenchRow){"aes-128", "registers", ciphers[i], "GB/s", limit_aes(ciphers[i]) / 1e9});
  for (int i = 0; i < 4; i++)
    bench_row((BenchRow){"stream", bench_text("%lld KiB", (long long)(sets[i] >> 10)), "", "GB/s",
                         limit_stream(sets[i]) / 1e9});
}
