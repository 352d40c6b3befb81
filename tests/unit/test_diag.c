/* Messages: each form of drawing, order, limits, options, JSON, SARIF, pages, nearest names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../compiler/diag.h"

static Arena *arena;
static Diags *diags;
static char *printed;

static int setup(void **state) {
  (void)state;
  arena = arena_new();
  diags = diag_create(arena);
  printed = NULL;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  free(printed);
  arena_free(arena);
  return 0;
}

static const char *flush(DiagFormat format, bool color) {
  size_t length;
  free(printed);
  FILE *out = open_memstream(&printed, &length);
  diag_flush(diags, out, format, color);
  fclose(out);
  return printed;
}

static Source *file(const char *path, const char *text) {
  return source_text(arena, path, text, strlen(text));
}

/* The n-th occurrence of a piece of text, from 1. */
static Span find(const Source *s, const char *piece, int n) {
  const char *p = s->text - 1;
  while (n--) {
    p = strstr(p + 1, piece);
    assert_non_null(p);
  }
  int start = (int)(p - s->text);
  return (Span){s, start, start + (int)strlen(piece)};
}

static void labels_on_two_lines(void **state) {
  (void)state;
  Source *s = file("model.tfe", "party a\n\n\n\n  var best: public fixed = 0.0\n  best = max(scores)\n");
  Diag *d = diag_new(diags, DIAG_E0301, find(s, "max(scores)", 1), "a private value", "the public variable",
                     "best");
  diag_label(d, "private (%s)", "pond");
  diag_also(d, find(s, "public fixed = 0.0", 1), "declared public here");
  diag_note(d, "`scores` became private at model.tfe:4 (shared by owner)");
  diag_help(d, "to keep it secret: `var best: private fixed = 0.0`");
  diag_help(d, "to publish it, to everyone: `best = reveal max(scores)`");
  assert_string_equal(
      flush(DIAG_TEXT, false),
      "model.tfe:6:10: error[E0301]: a private value cannot be stored in the public variable `best`\n"
      "  |\n"
      "5 |   var best: public fixed = 0.0\n"
      "  |             ------------------ declared public here\n"
      "6 |   best = max(scores)\n"
      "  |          ^^^^^^^^^^^ private (pond)\n"
      "  = note: `scores` became private at model.tfe:4 (shared by owner)\n"
      "  = help: to keep it secret: `var best: private fixed = 0.0`\n"
      "  = help: to publish it, to everyone: `best = reveal max(scores)`\n\n");
}

static void three_labels_on_one_line(void **state) {
  (void)state;
  Source *s = file("model.tfe", "\n\n\n\n\n  let y = x @ w\n");
  Diag *d = diag_new(diags, DIAG_E0201, find(s, "@", 1), "a [100, 20] matrix", "a [10, 1] matrix");
  diag_label(d, "20 and 10 must be equal");
  diag_also(d, find(s, "x", 1), "[100, 20]");
  diag_also(d, find(s, "w", 1), "[10, 1]");
  diag_help(d, "the inner sizes must agree; did you mean `x[:, 0:10] @ w`?");
  assert_string_equal(flush(DIAG_TEXT, false),
                      "model.tfe:6:13: error[E0201]: cannot multiply a [100, 20] matrix by a [10, 1] matrix\n"
                      "  |\n"
                      "6 |   let y = x @ w\n"
                      "  |           - ^ - [10, 1]\n"
                      "  |             20 and 10 must be equal\n"
                      "  |           [100, 20]\n"
                      "  = help: the inner sizes must agree; did you mean `x[:, 0:10] @ w`?\n\n");
}

static void distant_lines(void **state) {
  (void)state;
  Source *s =
      file("model.tfe", "\n\n\n  let w: private fixed[2] = zeros(2)\n\n    w = w + 1.0\n\n\n\n\nx = 1\n");
  Diag *d = diag_new(diags, DIAG_E0206, find(s, "w", 2), "w", "was defined with `let`");
  diag_label(d, "cannot change");
  diag_also(d, find(s, "let w", 1), "defined with let");
  diag_also(d, find(s, "x = 1", 1), "%s", "");
  assert_string_equal(flush(DIAG_TEXT, false),
                      "model.tfe:6:5: error[E0206]: `w` was defined with `let` and cannot change\n"
                      "   |\n"
                      " 4 |   let w: private fixed[2] = zeros(2)\n"
                      "   |   ----- defined with let\n"
                      "...\n"
                      " 6 |     w = w + 1.0\n"
                      "   |     ^ cannot change\n"
                      "...\n"
                      "11 | x = 1\n"
                      "   | -----\n\n");
}

static void odd_places(void **state) {
  (void)state;
  Source *s = file("a.tfe", "\tx = \xc3\xa4 + yy\nlast {\n}");
  diag_new(diags, DIAG_W0607, find(s, "yy", 1));
  Diag *d =
      diag_new(diags, DIAG_E0311, (Span){s, find(s, "{", 1).start, (int)s->length}); /* over several lines */
  diag_also(d, (Span){s, (int)s->length, (int)s->length}, "end");                    /* behind the text */
  diag_also(d, (Span){0}, "nowhere");
  Diag *c = diag_new(diags, DIAG_E0135, (Span){0}, "epoch");
  diag_help(c, "did you mean `epochs`?");
  assert_string_equal(flush(DIAG_TEXT, false),
                      "tfec: error[E0135]: there is no `param epoch`\n"
                      "  = help: did you mean `epochs`?\n\n"
                      "a.tfe:1:10: warning[W0607]: this value is already public\n"
                      "  |\n"
                      "1 |  x = \xc3\xa4 + yy\n"
                      "  |          ^^\n\n"
                      "a.tfe:2:6: error[E0311]: a private value cannot leave the outermost protocol block\n"
                      "  |\n"
                      "2 | last {\n"
                      "  |      ^\n"
                      "3 | }\n"
                      "  |  - end\n\n");
}

static void labels_in_two_files(void **state) {
  (void)state;
  Source *s = file("a.tfe", "f(1)\n"), *lib = file("lib.tfe", "\n\nfn f() {}\n");
  Diag *d = diag_new(diags, DIAG_E0128, find(s, "f(1)", 1), "f", "no arguments", "1");
  diag_also(d, find(lib, "fn f()", 1), "declared here");
  assert_string_equal(flush(DIAG_TEXT, false), "a.tfe:1:1: error[E0128]: `f` takes no arguments, not 1\n"
                                               "  |\n"
                                               "1 | f(1)\n"
                                               "  | ^^^^\n"
                                               " --> lib.tfe\n"
                                               "3 | fn f() {}\n"
                                               "  | ------ declared here\n\n");
}

static void overlapping_labels(void **state) {
  (void)state;
  Source *s = file("a.tfe", "abc + de\n");
  Diag *d = diag_new(diags, DIAG_E0311, find(s, "abc + de", 1));
  diag_label(d, "all");
  diag_also(d, find(s, "de", 1), "part");
  assert_string_equal(flush(DIAG_TEXT, false),
                      "a.tfe:1:1: error[E0311]: a private value cannot leave the outermost protocol block\n"
                      "  |\n"
                      "1 | abc + de\n"
                      "  | ^^^^^^^^ part\n"
                      "  | all\n\n");
}

static void order_is_by_file_and_line(void **state) {
  (void)state;
  Source *b = file("b.tfe", "x\ny\n"), *a = file("a.tfe", "x\ny\n");
  diag_new(diags, DIAG_E0107, find(b, "y", 1), "b2");
  diag_new(diags, DIAG_E0107, find(b, "x", 1), "b1");
  diag_new(diags, DIAG_E0107, find(a, "y", 1), "a2");
  diag_new(diags, DIAG_E0108, find(a, "y", 1), "a2");
  diag_new(diags, DIAG_E0107, find(a, "y", 1), "a2"); /* a repetition */
  const char *text = flush(DIAG_TEXT, false);
  const char *p[] = {strstr(text, "unknown name `a2`"), strstr(text, "unknown type `a2`"),
                     strstr(text, "unknown name `b1`"), strstr(text, "unknown name `b2`")};
  for (int i = 0; i < 4; i++)
    assert_non_null(p[i]);
  assert_true(p[0] < p[1] && p[1] < p[2] && p[2] < p[3]);
  assert_null(strstr(p[0] + 1, "unknown name `a2`"));
  assert_string_equal(flush(DIAG_TEXT, false), ""); /* printed once */
  assert_int_equal(diag_error_count(diags), 5);
}

static void twenty_errors_are_printed(void **state) {
  (void)state;
  Source *s = file("a.tfe", "x\n");
  for (int i = 0; i < 25; i++)
    diag_new(diags, DIAG_E0107, find(s, "x", 1), arena_printf(arena, "n%d", i));
  diag_new(diags, DIAG_W0611, find(s, "x", 1));
  const char *text = flush(DIAG_TEXT, false);
  assert_non_null(strstr(text, "`n19`"));
  assert_null(strstr(text, "`n20`"));
  assert_non_null(strstr(text, "W0611"));
  assert_non_null(strstr(text, "tfec: 5 more errors are not shown\n"));
  assert_int_equal(diag_error_count(diags), 25);
}

static void marks_drop_messages(void **state) {
  (void)state;
  Source *s = file("a.tfe", "x\n");
  diag_new(diags, DIAG_E0107, find(s, "x", 1), "kept");
  int mark = diag_mark(diags);
  diag_new(diags, DIAG_E0107, find(s, "x", 1), "dropped");
  diag_new(diags, DIAG_W0611, find(s, "x", 1));
  diag_rollback(diags, mark);
  assert_int_equal(diag_error_count(diags), 1);
  const char *text = flush(DIAG_TEXT, false);
  assert_non_null(strstr(text, "kept"));
  assert_null(strstr(text, "dropped"));
}

static void warnings_have_options(void **state) {
  (void)state;
  Source *s = file("a.tfe", "x\n");
  assert_true(diag_option(diags, "no-W0611"));
  assert_false(diag_option(diags, "no-E0301"));
  assert_false(diag_option(diags, "W9999"));
  assert_false(diag_option(diags, ""));
  diag_new(diags, DIAG_W0611, find(s, "x", 1));
  assert_string_equal(flush(DIAG_TEXT, false), "");
  assert_true(diag_option(diags, "W0611"));
  diag_new(diags, DIAG_W0611, find(s, "x", 1));
  assert_int_equal(diag_error_count(diags), 0);
  assert_non_null(strstr(flush(DIAG_TEXT, false), "warning[W0611]"));
  assert_true(diag_option(diags, "error"));
  diag_new(diags, DIAG_W0607, find(s, "x", 1));
  assert_int_equal(diag_error_count(diags), 1);
  assert_non_null(strstr(flush(DIAG_TEXT, false), "error[W0607]"));
}

static void json_is_one_object_a_line(void **state) {
  (void)state;
  Source *s = file("a.tfe", "let \xc3\xa4 = \"q\"\n");
  Diag *d = diag_new(diags, DIAG_E0107, find(s, "\"q\"", 1), "a\"b\\c\n\x01");
  diag_label(d, "here");
  diag_also(d, find(s, "let", 1), "there");
  diag_note(d, "bad byte \xff");
  diag_help(d, "help");
  diag_new(diags, DIAG_E0135, (Span){0}, "p");
  assert_string_equal(
      flush(DIAG_JSON, false),
      "{\"file\":null,\"range\":null,\"code\":\"E0135\",\"level\":\"error\",\"message\":\"there is no `param "
      "p`\","
      "\"labels\":[{\"file\":null,\"range\":null,\"text\":\"\",\"primary\":true}],\"notes\":[],\"helps\":[]}"
      "\n"
      "{\"file\":\"a.tfe\",\"range\":{\"start\":{\"line\":1,\"column\":9},\"end\":{\"line\":1,\"column\":12}}"
      ","
      "\"code\":\"E0107\",\"level\":\"error\",\"message\":\"unknown name "
      "`a\\\"b\\\\c\\n\\u0001`\",\"labels\":["
      "{\"file\":\"a.tfe\",\"range\":{\"start\":{\"line\":1,\"column\":9},\"end\":{\"line\":1,\"column\":12}}"
      ","
      "\"text\":\"here\",\"primary\":true},"
      "{\"file\":\"a.tfe\",\"range\":{\"start\":{\"line\":1,\"column\":1},\"end\":{\"line\":1,\"column\":4}},"
      "\"text\":\"there\",\"primary\":false}],\"notes\":[\"bad byte \\ufffd\"],\"helps\":[\"help\"]}\n");
}

static void sarif_names_rule_and_region(void **state) {
  (void)state;
  Source *s = file("a.tfe", "x = y\n");
  Diag *d = diag_new(diags, DIAG_W0611, find(s, "y", 1));
  diag_also(d, find(s, "x", 1), "there");
  diag_help(d, "try");
  const char *text = flush(DIAG_SARIF, false);
  assert_non_null(strstr(text, "\"version\":\"2.1.0\""));
  assert_non_null(strstr(text, "{\"id\":\"E0301\",\"defaultConfiguration\":{\"level\":\"error\"}"));
  assert_non_null(strstr(text, "{\"ruleId\":\"W0611\","));
  assert_non_null(strstr(text, "\"text\":\"this compares fixed numbers for equality\\nhelp: try\""));
  assert_non_null(strstr(text, "{\"startLine\":1,\"startColumn\":5,\"endLine\":1,\"endColumn\":6}"));
}

static void colors_only_when_asked(void **state) {
  (void)state;
  Source *s = file("a.tfe", "x\n");
  diag_label(diag_new(diags, DIAG_E0107, find(s, "x", 1), "x"), "here");
  const char *text = flush(DIAG_TEXT, true);
  assert_non_null(strstr(text, "\033[1;31merror[E0107]:\033[0m"));
  assert_non_null(strstr(text, "\033[1;31m^ here\033[0m"));
}

static void every_code_has_a_page(void **state) {
  (void)state;
  static const char *const codes[] = {
#define DIAG(code, level, sentence, page) #code,
#include "../../compiler/diag.def"
#undef DIAG
  };
  for (int i = 0; i < DIAG_COUNT; i++) {
    const char *page = diag_page(codes[i]);
    assert_non_null(page);
    assert_non_null(strstr(page, "\n\nWrong:\n  "));
    assert_non_null(strstr(page, "\n\nRight:\n  "));
    for (int j = 0; j < i; j++)
      assert_string_not_equal(codes[i], codes[j]);
  }
  assert_null(diag_page("E9999"));
  assert_null(diag_page(""));
}

static void nearest_names(void **state) {
  (void)state;
  static const char *const names[] = {"sigmoid", "softmax", "server0", "server1", "x",
                                      "sum",     "mean",    "True",    NULL,      "epochs"};
  static const struct {
    const char *name, *nearest;
  } cases[] = {
      {"sigmod", "sigmoid"},
      {"sofmtax", "softmax"},
      {"server2", "server1"},
      {"y", NULL},
      {"X", "x"},
      {"smu", "sum"},
      {"maen", "mean"},
      {"true", "True"},
      {"banana", NULL},
      {"epoch", "epochs"},
      {"", NULL},
      {"sums", "sum"},
      {"SIGMOID", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *found = diag_nearest(cases[i].name, names, (int)(sizeof names / sizeof *names));
    if (!cases[i].nearest)
      assert_null(found);
    else
      assert_string_equal(found ? found : "(none)", cases[i].nearest);
  }
  char longer[200] = {0};
  memset(longer, 'a', 199);
  assert_null(diag_nearest(longer, names, 8));
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
      TEST(labels_on_two_lines),
      TEST(three_labels_on_one_line),
      TEST(distant_lines),
      TEST(odd_places),
      TEST(labels_in_two_files),
      TEST(overlapping_labels),
      TEST(order_is_by_file_and_line),
      TEST(twenty_errors_are_printed),
      TEST(marks_drop_messages),
      TEST(warnings_have_options),
      TEST(json_is_one_object_a_line),
      TEST(sarif_names_rule_and_region),
      TEST(colors_only_when_asked),
      TEST(every_code_has_a_page),
      TEST(nearest_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
