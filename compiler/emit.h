/* A party's program -> LLVM modules -> object files.
 *
 * One module has the function `run` and the constant `tfe_program` that describes the party to the runtime
 * (runtime/include/program.h), the other one function a distinct fused loop. Generated code calls the functions
 * of runtime/include/abi.def and nothing else. Floating point is as written: no fast-math, no contraction. */
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

/* Writes the object files of `run` and of the loops; an error message in the arena, or NULL. */
const char *emit_objects(Program *party, const EmitInfo *info, const EmitOptions *options, const char *path,
                         const char *kernels_path);
/* Both modules in one, as text, before optimisation (--emit-llvm). */
void emit_print(Program *party, const EmitInfo *info, FILE *out);
/* Assembly text of both in one (--emit-asm); with -O2 a large `run` is optimised here, and is not in objects. */
const char *emit_assembly(Program *party, const EmitInfo *info, const EmitOptions *options, const char *path);

#endif
