/* The checker: from syntax trees to the joint program in one walk.
 *
 * It interprets the program abstractly. Every call is expanded for the actual places, shapes and protocol
 * of its arguments, so there is no code that is checked and not used, and no generic code in the result.
 * What is known while compiling is computed at once; what is left becomes operations of the joint IR
 * (ir.h). Rules F, S and N of the reference are checked on the way; functions that nobody calls get their
 * names checked afterwards. */
#ifndef TFEC_CHECK_H
#define TFEC_CHECK_H

#include "ast.h"
#include "ir.h"
#include "module.h"

typedef struct CheckOptions {
  const char *const *include_dirs;
  int include_count;
  const char *const *defines; /* "epochs=20" */
  int define_count;
  bool needs_party; /* a program, not a library: E0414 if nobody takes part */
  bool force_clear; /* every protocol becomes kind clear at its first server */
  const char *test; /* NULL: the statements of the root file; else this test block instead */
  bool test_clear;  /* the test's protocols become kind clear */
} CheckOptions;

/* The joint program; NULL if there were errors, which are in diags. */
Program *check_program(Arena *a, Diags *diags, const Source *root, const CheckOptions *options);

/* Names of the test blocks of a file, in order. */
typedef VEC(const char *) CheckNames;
CheckNames check_tests(Arena *a, Diags *diags, const Source *root, const CheckOptions *options);

#endif
