/* libFuzzer target: any bytes go through the scanner, the parser, the tree printer and all forms of
 * messages. Trees and messages must be made without a crash, and an accepted text must print the same tree
 * when it is parsed again. */
#include <stdlib.h>

#include "../../compiler/ast.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char *print(const unsigned char *data, size_t size, FILE *sink) {
  Arena *a = arena_new();
  Diags *diags = diag_create(a);
  const Module *m = ast_parse(a, diags, source_text(a, "fuzz.tfe", (const char *)data, size));
  bool good = diag_error_count(diags) == 0;
  static const DiagFormat formats[] = {DIAG_TEXT, DIAG_JSON, DIAG_SARIF};
  diag_flush(diags, sink, formats[size % 3], size % 2);
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  ast_print(m, out);
  fclose(out);
  arena_free(a);
  if (good)
    return text;
  free(text);
  return NULL;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  static FILE *sink;
  if (!sink)
    sink = fopen("/dev/null", "w");
  char *first = print(data, size, sink), *second = print(data, size, sink);
  if (!first != !second || (first && strcmp(first, second) != 0))
    abort();
  free(first);
  free(second);
  return 0;
}
