/* A party's program -> LLVM module -> object file.
 *
 * The module has one function `run`, one function a distinct fused loop, and the constant `tfe_program`
 * that describes the party to the runtime (runtime/include/program.h). Generated code calls the functions
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

/* Writes the object file; an error message in the arena, or NULL. */
const char *emit_object(Program *party, const EmitInfo *info, const EmitOptions *options, const char *path);
/* The module as text, before optimisation (--emit-llvm). */
void emit_print(Program *party, const EmitInfo *info, FILE *out);
/* Assembly text (--emit-asm). */
const char *emit_assembly(Program *party, const EmitInfo *info, const EmitOptions *options, const char *path);

#endif
