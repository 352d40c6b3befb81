/* Parties' programs -> LLVM modules -> object files.
 *
 * Each party has a module with the function `run` and the constant `tfe_program` that describes it to the
 * runtime (runtime/include/program.h). The fused loops that `run` calls are in modules of their own, one
 * function a distinct loop, for all parties together: most loops of one server are the other's as well.
 * Generated code calls the functions of runtime/include/abi.def and nothing else. Floating point is as
 * written: no fast-math, no contraction. */
#ifndef TFEC_EMIT_H
#define TFEC_EMIT_H

#include "ir.h"

/* What tfe_program says besides what is in the program. Texts in UTF-8; "" where there is none. */
typedef struct EmitInfo {
  const char *compiler; /* "tfec 0.1.0" */
  const char *manifest;
  const char *about;
  const char *parameters;
  const uint8_t *links; /* [members][party_count]: TFE_LINK_* */
  bool expected_known;
  const int64_t *expected; /* [members][5] */
  int64_t total_steps;
} EmitInfo;

typedef struct EmitOptions {
  int level; /* of optimisation, 0 .. 3 */
} EmitOptions;

typedef struct EmitUnit EmitUnit;
typedef struct Emitter Emitter;

/* parts: modules that the loops are spread over, so that they can be compiled side by side. */
EmitUnit *emit_unit(Arena *a, const EmitOptions *options, int parts);
Emitter *emit_party(EmitUnit *unit, Program *party, const EmitInfo *info);
/* How many of the parts have loops, the first ones. */
int emit_loop_parts(const EmitUnit *unit);
/* Once each; an error message in the unit's arena, or NULL. */
const char *emit_party_object(Emitter *party, const char *path);
const char *emit_loops_object(EmitUnit *unit, int part, const char *path);
void emit_unit_free(EmitUnit *unit); /* with its parties */

/* A party with the loops that it calls, as text, before optimisation (--emit-llvm). */
void emit_print(Program *party, const EmitInfo *info, FILE *out);
/* The same as assembly text (--emit-asm). */
const char *emit_assembly(Program *party, const EmitInfo *info, const EmitOptions *options, const char *path);

#endif
