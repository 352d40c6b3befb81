/* Which instruction sets the kernels use. Chosen once, at first use, from what processor and operating
 * system offer; the environment variable TFE_CPU = c | avx2 | avx512 | ifma | amx lowers it (tests; a faulty machine). */
#ifndef TFE_CPU_H
#define TFE_CPU_H

typedef enum TfeCpu {
  TFE_CPU_C,      /* portable C */
  TFE_CPU_AVX2,   /* AVX2, AES-NI */
  TFE_CPU_AVX512, /* AVX-512 F, DQ, BW, VL; VAES */
  TFE_CPU_IFMA,   /* AVX-512 IFMA and VNNI as well, where vpmullq is slow: processors of Intel */
  TFE_CPU_AMX,    /* AVX-512 VBMI and AMX for bytes, which the system lets this process use */
} TfeCpu;

TfeCpu tfe_cpu_best(void); /* of this machine */
TfeCpu tfe_cpu(void);      /* in use: best, or less where TFE_CPU says so */

#endif
