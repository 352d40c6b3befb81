/* The compiler in one process, for the mutation test and the fuzz target: a text goes through every stage up to the
 * parties' programs, which the verifier looks at after each step. Whatever the text is, this ends, with messages or
 * without. */
#ifndef TFE_COMPILE_TARGET_H
#define TFE_COMPILE_TARGET_H

#include <stdlib.h>

#include "../../compiler/check.h"
#include "../../compiler/cost.h"
#include "../../compiler/expand.h"
#include "../../compiler/rings.h"
#include "../../compiler/explain.h"
#include "../../compiler/pass.h"
#include "../../compiler/project.h"
#include "../../compiler/verify.h"

/* file: where the text is said to be; protocol files and modules beside it are found. True: it compiled. */
static inline bool compile_target(const char *file, const char *text, size_t length, bool clear, FILE *sink) {
  Arena *a = arena_new();
  Diags *diags = diag_create(a);
  CheckOptions options = {.force_clear = clear};
  Program *joint = check_program(a, diags, source_text(a, file, text, length), &options);
  if (joint)
    verify(joint, VERIFY_JOINT);
  if (!joint && diag_error_count(diags) == 0)
    abort(); /* refused without a reason */
  Program *p = joint && rings_choose(a, diags, joint) ? expand_program(a, diags, joint) : NULL;
  if (joint && !p && diag_error_count(diags) == 0)
    abort();
  if (p) {
    passes_run(p, NULL, NULL);
    for (int i = 0; i < p->parties.count; i++)
      verify(project(p, i), VERIFY_PARTY);
    explain_print(cost_of(p), p, &(ExplainOptions){0}, sink);
  }
  diag_flush(diags, sink, DIAG_TEXT, false);
  arena_free(a);
  return p != NULL;
}

#endif
