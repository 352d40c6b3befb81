/* The table of `tfec explain`. */
#ifndef TFEC_EXPLAIN_H
#define TFEC_EXPLAIN_H

#include "cost.h"

typedef struct ExplainOptions {
  /* Seconds and bit/s; one of them adds an estimate of the network time. 0: no latency; 1 Gbit/s. */
  double round_trip, bandwidth;
} ExplainOptions;

void explain_print(const Cost *c, const Program *p, const ExplainOptions *options, FILE *out);
void explain_print_json(const Cost *c, const Program *p, FILE *out);

#endif
