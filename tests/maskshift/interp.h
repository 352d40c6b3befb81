/* Runs a choreography in one process, every party's copy of every value apart: each operation is computed
 * once for each party of its `where`, from that party's operands alone; a SEND copies. A reference for what
 * the party executables compute, and the bench of the mask-shift test: draws of common randomness and
 * messages can be observed and replaced. */
#ifndef TFE_INTERP_H
#define TFE_INTERP_H

#include "../../compiler/ir.h"

typedef struct Interp Interp;

/* Hooks; any may be NULL. Data is one tensor, row-major, 8 bytes an element. `pass` numbers the runs of the
 * block. */
typedef struct InterpHooks {
  void *data;
  /* A draw: fill out. */
  void (*random)(void *data, Interp *in, const Op *op, uint64_t pass, uint64_t *out);
  /* A message was sent. */
  void (*sent)(void *data, const Op *op, uint64_t pass, const uint64_t *value);
  /* An input of a party, or a part of what it loads (LOAD): fill out. */
  void (*input)(void *data, const Op *op, int party, uint64_t pass, uint64_t *out);
  /* Added to every seed of local generators, so that generated data differ between runs. */
  int64_t seed_shift;
  /* What a party prints or outputs: operands of PRINT and OUTPUT. */
  void (*shown)(void *data, const Op *op, int operand, int party, const uint64_t *value);
} InterpHooks;

Interp *interp_new(Arena *a, const Program *program, const InterpHooks *hooks);
/* Returns NULL, or what is wrong with the program. */
const char *interp_run(Interp *in);
/* During a `random` hook: the value of another operation at a party, computed now if it has not been. */
const uint64_t *interp_value(Interp *in, const Op *op, int party);

#endif
