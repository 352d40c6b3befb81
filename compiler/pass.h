/* The passes over the choreography. Each file exports one function whose head comment says what it needs,
 * keeps and breaks; passes_run (passes.c) is their order. */
#ifndef TFEC_PASS_H
#define TFEC_PASS_H

#include "ir.h"

void pass_fold(Program *p);   /* constants, neutral elements, branches and loops that are decided */
void pass_cse(Program *p);    /* equal operations become one */
void pass_licm(Program *p);   /* out of loops, what does not change in them */
void pass_demand(Program *p); /* each operation only where its result is needed */
void pass_rounds(Program *p); /* order by dependency level; messages */

/* Called after each pass with its name: "fold", "cse", "licm", "cse2", "demand", "rounds". */
typedef void (*PassDump)(const Program *p, const char *stage, void *data);

/* All of them in order, verified in between; sets p->hash at the end. dump may be NULL. */
void passes_run(Program *p, PassDump dump, void *data);

/* Stops the run, by the program's wish: what the program reveals or sends in behind it must wait for it. */
bool pass_is_guard(const Op *op);
/* Sends something that is not masked (see Op.text). */
bool pass_is_disclosure(const Op *op);
/* The trip count of a FOR with constant bounds, else -1. */
int64_t pass_trips(const Op *loop);
/* The value of an elementwise operation of one or two scalars (bits as in Op.data); false: not known here. */
bool pass_fold_value(const Op *op, uint64_t x, uint64_t y, uint64_t *out);

#endif
