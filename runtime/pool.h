/* The threads that kernels share their work with. Process-wide, as the choice of instruction sets is: set
 * once at the start, before the first kernel runs; nothing that a kernel computes depends on their number.
 *
 * A party that shares its machine with others gets its part of the processors only (party option --threads;
 * by default the processors divided by the parties of the program that hosts.toml has on this machine). */
#ifndef TFE_POOL_H
#define TFE_POOL_H

#include <stdint.h>

/* One part of the work: items from .. to-1. Runs on any thread, may not run another pool. */
typedef void TfePoolBody(void *data, int64_t from, int64_t to);

void tfe_pool_set(int threads); /* 1 (as long as nothing is set): the caller's thread alone */
int tfe_pool_threads(void);
/* body over items 0 .. n-1 in parts of about `grain` items, all done on return. A part should be worth some
 * ten microseconds; n <= grain is a plain call. */
void tfe_pool_run(int64_t n, int64_t grain, TfePoolBody *body, void *data);

#endif
