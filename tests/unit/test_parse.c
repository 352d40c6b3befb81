/* The parser: exact spans, doc comments, the newline rule, limits. The golden trees and messages are test_golden's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler_fixture.h"

#include "../../compiler/ast.h"

#ifndef TFE_TEST_DIR
#define TFE_TEST_DIR "tests"
#endif

static Module *parse(const char *text) {
  return ast_parse(arena, diags, source_text(arena, "t.tfe", text, strlen(text)));
}

/* ---- spans --------------------------------------------------------------------------------------------- */

static void assert_span(Span at, const char *text) {
  const char *got = arena_printf(arena, "%.*s", at.end - at.start, at.source->text + at.start);
  assert_string_equal(got, text);
}

static const Expr *expression(const char *text) {
  const Module *m = parse(text);
  assert_int_equal(diag_error_count(diags), 0);
  assert_int_equal(m->stmts.count, 1);
  assert_int_equal(m->stmts.data[0]->kind, ST_EXPR);
  assert_span(m->stmts.data[0]->span, text);
  return m->stmts.data[0]->value;
}

static void expressions_have_exact_spans(void **state) {
  (void)state;
  const Expr *e = expression("(a + b) * f(x, k = 2).w[1:n, :]");
  assert_span(e->name_span, "*");
  assert_span(e->left->span, "(a + b)");
  assert_span(e->left->name_span, "+");
  assert_span(e->left->right->span, "b");
  const Expr *index = e->right, *field = index->left, *call = field->left;
  assert_span(index->span, "f(x, k = 2).w[1:n, :]");
  assert_span(index->subs.data[0].span, "1:n");
  assert_span(index->subs.data[1].span, ":");
  assert_span(field->span, "f(x, k = 2).w");
  assert_span(field->name_span, "w");
  assert_span(call->span, "f(x, k = 2)");
  assert_span(call->args.data[1].span, "k = 2");
  assert_string_equal(call->args.data[1].name, "k");
  assert_span(expression("-x")->name_span, "-");
  assert_span(expression("not x")->name_span, "not");
}

static void places_and_blocks_have_exact_spans(void **state) {
  (void)state;
  const Expr *e = expression("reveal at p[1] { x } to client");
  assert_span(e->place.span, "client");
  assert_span(e->right->span, "at p[1] { x }");
  assert_span(e->right->place.span, "p[1]");
  assert_span(e->right->block->span, "{ x }");
  e = expression("protocol pond(a, b; c) with frac = 16, whole = 8 { x }");
  assert_span(e->proto->span, "pond(a, b; c) with frac = 16, whole = 8");
  assert_span(e->proto->kind_span, "pond");
  assert_span(e->proto->servers.data[1].span, "b");
  assert_span(e->proto->helpers.data[0].span, "c");
  assert_span(e->proto->options.data[0].span, "frac = 16");
  assert_span(e->proto->options.data[1].span, "whole = 8");
  e = expression("protocol fast { x }");
  assert_false(e->proto->has_parties);
  assert_span(e->proto->span, "fast");
}

static void statements_have_exact_spans(void **state) {
  (void)state;
  const Module *m =
      parse("let (a, b): (private fixed[n, *s] at p, m.T) = f()   # comment\nx += 1; for i in 0..n { }\n");
  assert_int_equal(diag_error_count(diags), 0);
  assert_int_equal(m->stmts.count, 3);
  const Stmt *let = m->stmts.data[0], *assign = m->stmts.data[1], *loop = m->stmts.data[2];
  assert_span(let->span, "let (a, b): (private fixed[n, *s] at p, m.T) = f()");
  assert_span(let->pattern.data[1].span, "b");
  assert_span(let->type->span, "(private fixed[n, *s] at p, m.T)");
  const TypeExpr *t = let->type->items.data[0];
  assert_span(t->span, "private fixed[n, *s] at p");
  assert_span(t->visibility_span, "private");
  assert_span(t->name_span, "fixed");
  assert_span(t->dims.data[1].span, "*s");
  assert_span(t->place.span, "p");
  assert_span(let->type->items.data[1]->span, "m.T");
  assert_span(let->type->items.data[1]->name_span, "T");
  assert_span(assign->span, "x += 1");
  assert_int_equal(assign->op, OPR_ADD);
  assert_span(loop->span, "for i in 0..n { }");
  assert_span(loop->name_span, "i");
}

static void declarations_have_heads(void **state) {
  (void)state;
  const Module *m =
      parse("fn f(x, var y: int = 2) -> int reveals { return 1 }\nfn g() { }\nstruct S[n] { a: fixed[n] }\n"
            "grad f.x(dy) { return dy }\ntest \"t\" { }\nparty a, b[2]\n");
  assert_int_equal(diag_error_count(diags), 0);
  assert_span(m->decls.data[0]->head, "fn f(x, var y: int = 2) -> int reveals");
  assert_span(m->decls.data[0]->span, "fn f(x, var y: int = 2) -> int reveals { return 1 }");
  assert_span(m->decls.data[0]->name_span, "f");
  assert_span(m->decls.data[0]->parms.data[0].span, "x");
  assert_span(m->decls.data[0]->parms.data[1].span, "var y: int = 2");
  assert_span(m->decls.data[1]->head, "fn g()");
  assert_span(m->decls.data[2]->head, "struct S[n]");
  assert_span(m->decls.data[2]->fields.data[0].span, "a: fixed[n]");
  assert_span(m->decls.data[3]->head, "grad f.x(dy)");
  assert_span(m->decls.data[4]->head, "test \"t\"");
  assert_span(m->decls.data[5]->parties.data[1].span, "b[2]");
}

static void columns_count_characters(void **state) {
  (void)state;
  const Module *m = parse("print(\"\xc3\xa4\xc3\xb6\", x)");
  Span at = m->stmts.data[0]->value->args.data[1].span;
  assert_int_equal(at.start, 14);
  assert_int_equal(source_column(at), 13);
}

/* ---- doc comments, newlines, kinds --------------------------------------------------------------------- */

static void doc_comments_belong_to_what_follows(void **state) {
  (void)state;
  const Module *m = parse("## one\n##two\n# plain\n## three\nfn f() { }\n\n## far\n\nfn g() { }\nfn h() { } "
                          "## behind\nfn i() { }\n"
                          "##\nfn j() { }\n");
  static const char *const docs[] = {"three", NULL, NULL, NULL, ""};
  assert_int_equal(m->decls.count, 5);
  for (int i = 0; i < 5; i++) {
    if (!docs[i])
      assert_null(m->decls.data[i]->doc);
    else
      assert_string_equal(m->decls.data[i]->doc, docs[i]);
  }
  m = parse("## one\n##two\r\nparty p\n");
  assert_string_equal(m->decls.data[0]->doc, "one\ntwo");
}

/* Texts and how many statements they are; -1: an error. */
static void newlines_end_statements(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int count;
  } cases[] = {
      {"", 0},
      {"\n\n;;\n", 0},
      {"a\nb", 2},
      {"a +\nb", 1},
      {"a\n+ b", -1},
      {"f(a,\nb)", 1},
      {"f(\na\n)", 1},
      {"x[\n1\n]", 1},
      {"(a\n+ b)", 1},
      {"a; b", 2},
      {"a;\n;b", 2},
      {"a # c\nb", 2},
      {"a + # c\nb", 1},
      {"a\r\nb\r\n", 2},
      {"if a { b\nc }\nd", 2},
      {"if a {\n} else {\n}", 1},
      {"if a { }\nelse { }", -1},
      {"at p {\n x\n}\ny", 2},
      {"f(at p {\n let x = 1\n x\n})", 1},
      {"return\na", 2},
      {"let x =\n 1", 1},
      {"let x\n= 1", -1},
      {"break\ncontinue", 2},
      {"true\nfalse", 2},
      {"\"s\"\n1\n1.5", 3},
      {"\xef\xbb\xbf"
       "a",
       1},
      {"a\xef\xbb\xbf", -1},
      {"let x =\nlet y = 1", -1},
      {"a - b", 1},
      {"a\n- b", 2},
      {"x.f(\n).g(\n)", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    diags = diag_create(arena);
    const Module *m = parse(cases[i].text);
    int count = diag_error_count(diags) ? -1 : m->stmts.count;
    if (count != cases[i].count)
      fail_msg("`%s`: %d statements", cases[i].text, count);
  }
}

static void kinds_are_taken_apart(void **state) {
  (void)state;
  const Module *m = parse(
      "protocol kind k(a, b; c) {\n holds { x: ring at a; y: ring at b }\n option width = 2\n"
      " struct S { z: ring }\n ## share it\n pure fn share(x: fixed at p, y: public) { return x }\n}\n");
  assert_int_equal(diag_error_count(diags), 0);
  const Decl *k = m->decls.data[0];
  assert_int_equal(k->kind, DECL_KIND);
  assert_int_equal(k->servers.count, 2);
  assert_int_equal(k->helpers.count, 1);
  assert_int_equal(k->holds.count, 2);
  assert_string_equal(k->holds.data[1].type->place.name, "b");
  assert_span(k->holds_span, "holds { x: ring at a; y: ring at b }");
  assert_int_equal(k->members.count, 3);
  const Decl *fn = k->members.data[2];
  assert_string_equal(fn->modifier, "pure");
  assert_string_equal(fn->doc, "share it");
  assert_string_equal(fn->name, "share");
  assert_string_equal(fn->parms.data[0].at, "p");
  assert_false(fn->parms.data[0].type->has_place);
  assert_null(fn->parms.data[1].type->name);
  assert_int_equal(fn->parms.data[1].type->visibility, VIS_PUBLIC);
}

/* ---- limits -------------------------------------------------------------------------------------------- */

static const char *repeat(const char *before, const char *piece, int times, const char *after) {
  size_t n = strlen(piece);
  char *text = arena_alloc(arena, strlen(before) + n * (size_t)times + strlen(after) + 1);
  strcpy(text, before);
  char *p = text + strlen(before);
  for (int i = 0; i < times; i++, p += n)
    memcpy(p, piece, n);
  strcpy(p, after);
  return text;
}

static void deep_nesting_is_refused(void **state) {
  (void)state;
  const char *texts[] = {
      repeat("x = ", "(", 100000, "1"),
      repeat("x = 1", " + 1", 100000, ""),
      repeat("x = ", "- ", 100000, "1"),
      repeat("", "if a { ", 5000, ""),
      repeat("x", ".f", 50000, ""),
      repeat("x", "(1)", 50000, ""),
      repeat("if a { }", " else if b { }", 30000, ""),
      repeat("x = 1", " ** 1", 50000, ""),
      repeat("let x: ", "(", 5000, ""),
      repeat("", "[", 100000, ""),
      repeat("", "at p { ", 5000, ""),
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    diags = diag_create(arena);
    tree_text(parse(texts[i]));
    assert_int_equal(diag_error_count(diags), 1);
    assert_non_null(strstr(messages(), "error[E0137]: this is nested too deeply"));
  }
}

static void deep_nesting_is_possible(void **state) {
  (void)state;
  const char *texts[] = {
      repeat("x = ", "(", 190, repeat("1", ")", 190, "")),
      repeat("x = 1", " + 1", 900, ""),
      repeat("x = ", "-", 900, "1"),
      repeat("if a { }", " else if b { }", 900, ""),
      repeat("x = [1", ", 1", 100000, "]"),
      repeat("", "x = 1\n", 100000, ""),
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    diags = diag_create(arena);
    parse(texts[i]);
    assert_string_equal(messages(), "");
  }
}

static void one_mistake_is_one_message(void **state) {
  (void)state;
  static const char *const texts[] = {
      "let a = f(x\nlet b = 1\nlet c = 2\n",
      "fn f(x) {\n let a = g(x\n}\nfn h() { }\n",
      "fn f() {\n if a {\n x = 1\n}\nfn g() { }\n",
      "fn f(x)\n{\n return x\n}\nlet a = 1\n",
      "fn f( { return 1 }\nfn g() { return 2 }\n",
      "let a = b ? c : d\nlet e = 1\n",
      "if x { y = 1 }\nelse {\n y = 2\n}\nz = 3\n",
      "struct S {\n a b\n c: int\n}\nlet a = 1\n",
      "while x y {\n a\n b\n}\nz\n",
      "let a = 1 2 { x\n y\n }\nz\n",
      "f(a, b))\n",
      "}\n",
      ")",
      "]",
      "let s = \"abc\nlet t = 1\n",
      "let v\n = 3\n",
      "(",
      "[",
      "{",
      "let x =",
      "fn",
      "protocol p(",
      "test",
      "import \"x\"",
      "x = at p",
      "a . 3",
      "x[",
      "x[:::]",
      "1 = 2",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    diags = diag_create(arena);
    parse(texts[i]);
    if (diag_error_count(diags) != 1)
      fail_msg("`%s` gives %d messages:\n%s", texts[i], diag_error_count(diags), messages());
  }
}

static void operators_have_texts(void **state) {
  (void)state;
  assert_string_equal(ast_operator_text(OPR_OR), "or");
  assert_string_equal(ast_operator_text(OPR_NEG), "-");
  assert_string_equal(ast_operator_text(OPR_MATMUL), "@");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
      TEST(expressions_have_exact_spans), TEST(places_and_blocks_have_exact_spans),
      TEST(statements_have_exact_spans),  TEST(declarations_have_heads),
      TEST(columns_count_characters),     TEST(doc_comments_belong_to_what_follows),
      TEST(newlines_end_statements),      TEST(kinds_are_taken_apart),
      TEST(deep_nesting_is_refused),      TEST(deep_nesting_is_possible),
      TEST(one_mistake_is_one_message),   TEST(operators_have_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
