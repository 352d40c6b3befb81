/* What the files of tests/bench share. One file bench_<family>.c a family of kernels; it times our kernel and
 * another variant in turn, in one process, and hands rows to bench_row. Speeds of shared machines drift, so
 * the ratio is the median over pairs of neighbouring runs, and the figures are the best of all runs. */
#ifndef TFE_BENCH_H
#define TFE_BENCH_H

#include <stdbool.h>
#include <stdint.h>

typedef void BenchCall(void *data);

typedef struct BenchPair {
  double ours, other; /* seconds a call, the best */
  double ratio;       /* other / ours: how many times faster ours is, the median */
} BenchPair;

/* Processor time of this thread. */
BenchPair bench_pair(BenchCall *ours, BenchCall *other, void *data);
double bench_time(BenchCall *call, void *data); /* seconds a call, the best */

typedef struct BenchRow {
  const char *kernel, *shape, *tier;
  const char *unit;    /* of figure, other and limit; more is better */
  double figure;       /* ours */
  const char *against; /* what the other variant is; NULL: none */
  double other, ratio;
  double wanted;       /* the ratio asked for; 0: none */
  double limit;        /* what ports or bandwidth of this machine allow, measured in this run; 0: not known */
  double limit_wanted; /* the part of it asked for; 0: none */
} BenchRow;

void bench_row(BenchRow row);
/* A line of another form: as text, and as a JSON object. */
void bench_line(const char *text, const char *object);
/* A line for people: why something is not measured here. */
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Text that lives as long as the process. */
const char *bench_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* n words of 64 random bits, aligned to a cache line. The process's to the end. */
uint64_t *bench_words(int64_t n);

/* -- limits of this machine, measured when first asked for (limits.c) ---------------------------------------- */
double limit_multiply_add(
    const char *
        tier); /* products and sums of 64-bit words a second, from registers; tier: c, avx2, avx512, ifma, amx */
double limit_aes(const char *tier); /* bytes a second of AES-128 from registers; tier: aesni, vaes */
double
limit_stream(int64_t bytes); /* bytes a second, read and written once, over a working set of so many bytes */

/* -- families --------------------------------------------------------------------------------------------------- */
extern const char *bench_tfec; /* the compiler, for families that build programs */
void bench_limits(void);
void bench_matmul(void);
void bench_prg(void);
void bench_gate(void);
void bench_loop(void);
void bench_chan(void);
void bench_pack(void);
void bench_conv(void);
void bench_programs(void);

#endif
