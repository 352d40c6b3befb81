/* What tests of the compiler share: an arena and messages for each test, and texts of what was printed. */
#ifndef TFE_TEST_COMPILER_H
#define TFE_TEST_COMPILER_H

#include <stdio.h>
#include <stdlib.h>

#include "../../compiler/ast.h"

static Arena *arena;
static Diags *diags;

static int setup(void **state) {
  (void)state;
  arena = arena_new();
  diags = diag_create(arena);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

static const char *in_arena(char *text) {
  const char *copy = arena_printf(arena, "%s", text);
  free(text);
  return copy;
}

static const char *messages(void) {
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  diag_flush(diags, out, DIAG_TEXT, false);
  fclose(out);
  return in_arena(text);
}

static inline const char *tree_text(const Module *m) {
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  ast_print(m, out);
  fclose(out);
  return in_arena(text);
}

#endif
