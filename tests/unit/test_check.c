/* The checker on inline programs: what is folded, unrolled, carried; -D, --clear and test blocks. Every program
 * that checks must satisfy the verifier. The golden files are test_golden's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler_fixture.h"

#include "check.h"
#include "verify.h"

/* ---- inline programs ----------------------------------------------------------------------------------- */

static Program *check_with(const char *text, const CheckOptions *options) {
  diags = diag_create(arena);
  Program *p = check_program(arena, diags, source_text(arena, "t.tfe", text, strlen(text)), options);
  if (p)
    verify(p, VERIFY_JOINT);
  return p;
}

static Program *check(const char *text) {
  CheckOptions none = {0};
  Program *p = check_with(text, &none);
  if (!p)
    fail_msg("%s\n%s", text, messages());
  return p;
}

static const char *const HEAD = "party a, b, c, owner\nprotocol pond(a, b; c) {\n"
                                "  let x: private fixed[4, 3] = share at owner { input(\"x\") }\n"
                                "  let k = reveal at owner { 3 }\n";

static Program *check_in_pond(const char *body) {
  return check(arena_printf(arena, "%s%s\n}\n", HEAD, body));
}

typedef struct Count {
  OpKind kind;
  int n;
} Count;

static void count_op(Op *op, void *data) {
  Count *c = data;
  c->n += op->kind == c->kind;
}

static int count_of(const Program *p, OpKind kind) {
  Count c = {kind, 0};
  ir_walk(p->body, count_op, &c);
  return c.n;
}

static void fails_with(const char *text, const char *code) {
  CheckOptions none = {0};
  Program *p = check_with(text, &none);
  const char *said = messages();
  assert_null(p);
  if (!strstr(said, code))
    fail_msg("expected %s:\n%s\n%s", code, text, said);
}

static void constants_are_folded(void **state) {
  (void)state;
  Program *p = check("party a\nconst n = 3\nconst m = [[1, 2], [3, 4]] * n\n"
                     "print(m, sum(m), m.T, m[1, 0] ** 2, n // 2, -7 % 3, sqrt(4.0))");
  assert_int_equal(p->body->ops.count, 8);
  assert_int_equal(count_of(p, OP_CONST), 7);
  const Op *last = p->body->ops.data[5];
  assert_int_equal((int64_t)last->data[0], 2); /* the sign of the divisor */
}

static void large_constants_are_not_written_out(void **state) {
  (void)state;
  Program *p = check("party a\nlet y = concat(zeros(500, 1), ones(500, 1))\nprint(sum(y + [1.0]))");
  for (int i = 0; i < p->body->ops.count; i++)
    assert_true(p->body->ops.data[i]->data_count < 300);
  assert_int_equal(count_of(p, OP_CONCAT), 1);
}

static void loops_stay_loops(void **state) {
  (void)state;
  Program *p =
      check_in_pond("  var s: private fixed = 0.0\n  for i in 0..1000 { s += sum(x.rows(i % 2, 2)) }\n"
                    "  print(reveal s)");
  assert_int_equal(count_of(p, OP_FOR), 1);
  assert_int_equal(count_of(p, OP_SLICE), 1);
  assert_int_equal(count_of(p, OP_RESULT), 1);
}

static void slices_of_computed_bounds_have_known_sizes(void **state) {
  (void)state;
  Program *p = check_in_pond("  for i in 0..2 { print(reveal sum(x[i * 2 : (i + 1) * 2, :])) }\n"
                             "  print(reveal sum(x[k:k + 1, 0]))");
  assert_int_equal(count_of(p, OP_FOR), 1);
}

static void loops_are_unrolled_where_an_index_must_be_known(void **state) {
  (void)state;
  Program *p =
      check("party o[3], a, b, c\nprotocol pond(a, b; c) {\n  var s: private fixed = 0.0\n"
            "  for i in 0..3 {\n    let x: private fixed = share at o[i] { input(\"x\") }\n    s += x\n  }\n"
            "  print(reveal s)\n}");
  assert_int_equal(count_of(p, OP_FOR), 0);
  assert_int_equal(count_of(p, OP_SHARE), 3);
  assert_int_equal(p->slots.count, 3);
}

static void unchanged_variables_are_not_carried(void **state) {
  (void)state;
  Program *p = check("party a\nfn same(var v: fixed[2]) { }\nlet k = reveal at a { [1.0, 2.0] }\nvar n = k\n"
                     "var s = 0.0\nfor i in 0..5 {\n  same(n)\n  s += sum(n)\n}\nprint(s, n)");
  assert_int_equal(count_of(p, OP_RESULT), 1);
}

static void a_constant_variable_stays_constant_in_a_loop(void **state) {
  (void)state;
  Program *p = check_in_pond("  var n = 2\n  for i in 0..5 { print(reveal sum(x.rows(i % 3, n))) }\n"
                             "  n += 1\n  print(reveal sum(x.rows(0, n)))");
  assert_int_equal(count_of(p, OP_FOR), 1);
}

static void generator_states_are_carried(void **state) {
  (void)state;
  Program *p =
      check("party a\nat a {\n  var t = 0.0\n  for i in 0..3 { t += sum(random_normal(2)) }\n  print(t)\n}");
  const Op *first = p->body->ops.data[0];
  assert_int_equal(first->kind, OP_ENTROPY);
  assert_int_equal(count_of(p, OP_ENTROPY), 1);
  assert_int_equal(count_of(p, OP_RNG_NEXT), 1);
  assert_int_equal(count_of(p, OP_RESULT), 2);
}

static void returns_in_loops_are_structured(void **state) {
  (void)state;
  Program *p = check("party o\nfn first(x: fixed[n], limit: fixed) -> int {\n  for i in 0..n {\n"
                     "    if x[i] > limit { return i }\n  }\n  return -1\n}\n"
                     "let k = reveal at o { 1.5 }\nprint(first([1.0, 2.0, 3.0], k))");
  assert_int_equal(count_of(p, OP_FOR), 1);
  assert_int_equal(count_of(p, OP_IF), 3);
}

static void reveals_are_recorded(void **state) {
  (void)state;
  Program *p = check_in_pond(
      "  for i in 0..5 { print(reveal sum(x)) }\n  let z = reveal x to owner\n  at owner { print(z) }");
  assert_int_equal(p->reveals.count, 3);
  assert_false(p->reveals.data[0].was_private);
  assert_string_equal(p->reveals.data[1].source_text, "sum(x)");
  assert_int_equal(p->reveals.data[1].times, 5);
  assert_string_equal(p->reveals.data[2].type_text, "fixed[4, 3]");
  assert_int_equal(p->reveals.data[2].to.kind, PLACE_AT);
}

static void structs_are_slots(void **state) {
  (void)state;
  Program *p =
      check("party a, b, c, o\nstruct M[n] { w: fixed[n]; b: fixed }\nprotocol pond(a, b; c) {\n"
            "  var m: private M[2] = share at o { input(\"m\") }\n  m -= 0.5 * m\n  let r = reveal m to o\n"
            "  at o { output(\"r\", r) }\n}");
  assert_int_equal(p->slots.count, 4);
  assert_string_equal(p->slots.data[0].name, "m.w");
  assert_string_equal(p->slots.data[0].field, "w");
  assert_string_equal(p->slots.data[3].name, "r.b");
  assert_true(p->slots.data[3].is_output);
  assert_int_equal(p->reveals.count, 1);
  assert_string_equal(p->reveals.data[0].type_text, "M[2]");
}

static void families_are_stacked(void **state) {
  (void)state;
  Program *p = check("party o[4], a, b, c\nprotocol pond(a, b; c) {\n"
                     "  let x: private fixed[4, 2] = share at o { input(\"x\") }\n  print(reveal x)\n}");
  assert_int_equal(count_of(p, OP_INPUT), 1);
  assert_int_equal(count_of(p, OP_MEMBER), 4);
  assert_int_equal(count_of(p, OP_SHARE), 4);
  assert_int_equal(p->slots.data[0].type.shape.rank, 1);
}

static void protocols_are_told_apart_by_their_headers(void **state) {
  (void)state;
  Program *p = check(
      "party a, b, c, o\nprotocol q = pond(a, b; c) with frac = 20\n"
      "protocol q { let x: private fixed = share at o { input(\"x\") }\n print(reveal x) }\n"
      "protocol q { let y: private fixed = share at o { input(\"y\") }\n print(reveal y) }\n"
      "protocol pond(a, b; c) { let z: private fixed = share at o { input(\"z\") }\n print(reveal z) }");
  assert_int_equal(p->protocols.count, 2);
  assert_int_equal(p->protocols.data[0].frac, 20);
  assert_non_null(p->protocols.data[0].definition);
}

static void parameters_can_be_set(void **state) {
  (void)state;
  const char *text = "param n: int = 2\nparam rate: fixed = 0.5\nparty o[n]\nprint(n, rate)";
  const char *defines[] = {"n=5", "rate=0.25"}, *unknown[] = {"m=1"}, *bad[] = {"n=five"};
  CheckOptions set = {.defines = defines, .define_count = 2};
  assert_int_equal(check_with(text, &set)->party_count, 5);
  assert_int_equal(check(text)->party_count, 2);
  CheckOptions wrong = {.defines = unknown, .define_count = 1};
  assert_null(check_with(text, &wrong));
  assert_non_null(strstr(messages(), "E0135"));
  wrong.defines = bad;
  assert_null(check_with(text, &wrong));
  assert_non_null(strstr(messages(), "E0140"));
}

static void clear_replaces_every_protocol(void **state) {
  (void)state;
  CheckOptions clear = {.force_clear = true};
  Program *p = check_with(arena_printf(arena, "%s  print(reveal sqrt(x * x / x))\n}\n", HEAD), &clear);
  assert_non_null(p);
  assert_true(p->clear);
  assert_string_equal(p->protocols.data[0].kind, "clear");
  assert_int_equal(p->protocols.data[0].servers.count, 1);
  assert_int_equal(count_of(p, OP_SQRT), 1);
}

static void tests_are_programs(void **state) {
  (void)state;
  const char *text =
      "fn twice(x: fixed) -> fixed { return 2.0 * x }\n"
      "test \"one\" { assert_near(twice(1.0), 2.0, 0.0) }\ntest \"two\" { assert twice(2.0) > 3.0 }";
  CheckOptions options = {0};
  CheckNames names = check_tests(arena, diags, source_text(arena, "t.tfe", text, strlen(text)), &options);
  assert_int_equal(names.count, 2);
  assert_string_equal(names.data[1], "two");
  options.test = "one";
  Program *p = check_with(text, &options);
  assert_int_equal(count_of(p, OP_ASSERT_NEAR), 1);
  assert_int_equal(p->party_count, 3); /* of pond, made for a file without parties */
  options.test_clear = true;
  p = check_with(text, &options);
  assert_int_equal(p->party_count, 1);
  assert_true(p->clear);
}

static void values_of_a_librarys_test_are_private(void **state) {
  (void)state;
  const char *head = "struct S { w: fixed[2]; n: int }\nfn twice(x: fixed[*s]) -> fixed[*s] { return x + x "
                     "}\ntest \"t\" {\n";
  static const struct {
    const char *body;
    int lifts, reveals; /* -1: an error */
  } cases[] = {
      {"let x = [1.0, 2.0]\nassert_near(twice(x), [2.0, 4.0], 0.1)", 1, 1},
      {"let x: public fixed = 1.0\nassert_near(twice(x), 2.0, 0.1)", 0, 0},
      {"let x: float = 1.0\nassert_near(twice(x), 2.0, 0.1)", 0, 0},
      {"let x: private fixed = 1.0\nassert twice(x) > 1.0", 1, 1},
      {"let n = 3\nlet p = permutation(n)\nlet x = random_normal(3)\nassert x[p][n - 1] < 9.0", 1, 1},
      {"var s = S(w = [1.0, 2.0], n = 1)\nif s.n == 1 { s.w = twice(s.w) }\nassert_near(s.w, [2.0, 4.0], "
       "0.1)",
       1, 1},
      {"let (a, b) = (1.0, true)\nif b { assert a > 0.5 }", 1, 1},
      {"let x = 1.0\nif x > 0.5 { assert true }", -1, 0},
      {"let x = 1.0\nprint(x)", -1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CheckOptions options = {.test = "t"};
    Program *p = check_with(arena_printf(arena, "%s%s\n}\n", head, cases[i].body), &options);
    if (!p != (cases[i].lifts < 0))
      fail_msg("%s\n%s", cases[i].body, messages());
    if (!p)
      continue;
    assert_string_equal(messages(), "");
    assert_int_equal(count_of(p, OP_LIFT), cases[i].lifts);
    assert_int_equal(count_of(p, OP_REVEAL), cases[i].reveals);
    assert_string_equal(p->protocols.data[0].kind, "pond");
    options.test_clear = true;
    p = check_with(arena_printf(arena, "%s%s\n}\n", head, cases[i].body), &options);
    assert_non_null(p);
    assert_int_equal(count_of(p, OP_REVEAL), cases[i].reveals);
  }
}

static void private_operations_are_put_together(void **state) {
  (void)state;
  Program *p = check_in_pond("  print(reveal x ** 5)");
  assert_int_equal(count_of(p, OP_MUL), 2); /* x ** 3 * x ** 2 */
  assert_int_equal(count_of(p, OP_APPLY), 1);
  assert_int_equal(count_of(p, OP_POW), 0);
  p = check_in_pond("  print(reveal max(x, axis = 0))");
  assert_int_equal(count_of(p, OP_MAX2), 2);
  assert_int_equal(count_of(p, OP_RMAX), 0);
  p = check_in_pond("  print(reveal x / 4)");
  assert_int_equal(count_of(p, OP_DIV), 0);
  p = check_in_pond("  print(reveal x / k)"); /* one division in the clear */
  assert_int_equal(count_of(p, OP_DIV), 1);
  assert_int_equal(count_of(p, OP_MUL), 1);
  p = check_in_pond("  print(reveal x >= 1.0)");
  assert_int_equal(count_of(p, OP_LE), 1);
}

/* The kind `gates` of tests/golden has functions of its own for sigmoid, clip and max_pool, and max2. */
static Program *check_in_gates(const char *body) {
  const char *const dirs[] = {TFE_TEST_DIR "/golden/check"};
  CheckOptions options = {.include_dirs = dirs, .include_count = 1};
  const char *text =
      arena_printf(arena,
                   "party s, owner\nfn relu(x: fixed[*n]) -> fixed[*n] { return sigmoid(x) * 2.0 }\n"
                   "protocol gates(s) {\n"
                   "  let x: private fixed[2, 5] = share at owner { input(\"x\") }\n"
                   "  let image: private fixed[1, 4, 4, 1] = share at owner { input(\"image\") }\n"
                   "  let p = reveal at owner { 3.0 }\n%s\n}\n",
                   body);
  Program *p = check_with(text, &options);
  if (!p)
    fail_msg("%s\n%s", text, messages());
  return p;
}

typedef struct Find {
  OpKind kind;
  const Op *op;
} Find;

static void find_op(Op *op, void *data) {
  Find *f = data;
  if (op->kind == f->kind)
    f->op = op;
}

static const Op *last_of(const Program *p, OpKind kind) {
  Find f = {kind, NULL};
  ir_walk(p->body, find_op, &f);
  assert_non_null(f.op);
  return f.op;
}

static void a_function_that_the_kind_has_is_one_operation(void **state) {
  (void)state;
  const Op *op = last_of(check_in_gates("  print(reveal clip(x, 0, p))"), OP_APPLY);
  assert_string_equal(op->text, "clip");
  assert_int_equal(op->args.count, 3);
  assert_int_equal(op->args.data[1]->type.elem, EL_FIXED); /* arguments are matched as for the text */
  assert_int_equal(op->args.data[2]->at.kind, PLACE_PUBLIC);
  assert_int_equal(op->at.kind, PLACE_PRIVATE);
  op = last_of(check_in_gates("  print(reveal image.max_pool(2))"), OP_APPLY);
  assert_int_equal(op->ints.count, 2);
  assert_int_equal(op->ints.data[0], INT64_MIN);
  assert_int_equal(op->ints.data[1], 2);
  const Shape pooled = {4, {1, 2, 2, 1}};
  assert_true(shape_equal(&op->type.shape, &pooled));
}

static void the_verifier_knows_apply(void **state) {
  (void)state;
  Program *p = check_in_gates("  print(reveal clip(x, 0, p))");
  Op *op = (Op *)last_of(p, OP_APPLY);
  op->ints.data[1] = 7;
  assert_non_null(strstr(verify_find(p, VERIFY_JOINT), "3 operands for 2 arguments"));
  op->ints.data[1] = INT64_MIN;
  assert_null(verify_find(p, VERIFY_JOINT));
  op->text = NULL;
  assert_non_null(strstr(verify_find(p, VERIFY_JOINT), "without a name"));
}

static void the_text_is_left_to_what_the_kind_has_not(void **state) {
  (void)state;
  static const struct {
    const char *body;
    int applied;
  } cases[] = {
      {"  print(reveal square(x))", 0},          /* the kind has none */
      {"  print(sigmoid(p))", 0},                /* public */
      {"  print(reveal relu(x))", 1},            /* the file's own, which calls sigmoid */
      {"  at owner { print(sigmoid(1.0)) }", 0}, /* local */
      {"  for i in 0..9 { print(reveal sigmoid(x)) }", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(count_of(check_in_gates(cases[i].body), OP_APPLY), cases[i].applied);
}

static void mistakes_in_arguments_are_those_of_the_text(void **state) {
  (void)state;
  const char *const dirs[] = {TFE_TEST_DIR "/golden/check"};
  CheckOptions options = {.include_dirs = dirs, .include_count = 1};
  const char *text =
      "party s, owner\nprotocol gates(s) {\n"
      "  let x: private fixed[2] = share at owner { input(\"x\") }\n  print(reveal max_pool(x, 2))\n}\n";
  assert_null(check_with(text, &options));
  assert_non_null(strstr(messages(), "E0209"));
}

static void extremes_along_an_axis_are_tournaments(void **state) {
  (void)state;
  static const struct {
    const char *expression;
    int levels;
  } cases[] = {{"max(x, axis = 0)", 2},
               {"max(x, axis = 1)", 2},
               {"min(x)", 4},
               {"max(x[0:1, :], axis = 0)", 0},
               {"max(concat(x, x), axis = 0)", 3}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *body = arena_printf(arena, "  print(reveal %s)", cases[i].expression);
    Program *p = check_in_pond(body);
    assert_int_equal(count_of(p, OP_MAX2) + count_of(p, OP_MIN2), cases[i].levels);
    assert_int_equal(count_of(p, OP_LT), 0);
  }
  Program *p = check_in_pond("  print(reveal argmax(x, axis = 0))"); /* value and index at each level */
  assert_int_equal(count_of(p, OP_LT), 2);
  assert_int_equal(count_of(p, OP_SELECT), 4);
  p = check_in_pond("  print(reveal is_max(x))"); /* 12 marks, narrowed at all levels but the first */
  assert_int_equal(count_of(p, OP_LT), 4);
  assert_int_equal(count_of(p, OP_SELECT), 4);
  assert_int_equal(count_of(p, OP_AND), 3);
  assert_int_equal(last_of(p, OP_REVEAL)->type.elem, EL_BOOL);
  p = check_in_gates("  print(reveal max(x, axis = 1))");
  assert_int_equal(count_of(p, OP_MAX2), 3);
  assert_int_equal(count_of(p, OP_SELECT), 0);
}

static void division_reaches_the_kind(void **state) {
  (void)state;
  const Op *op = last_of(check_in_gates("  print(reveal 1.0 / x)"), OP_DIV);
  assert_int_equal(op->args.data[0]->at.kind, PLACE_PUBLIC);
  op = last_of(check_in_gates("  print(reveal x / sum(x))"), OP_DIV);
  assert_int_equal(op->args.data[0]->at.kind, PLACE_PRIVATE);
  assert_int_equal(count_of(check_in_gates("  print(reveal x / p)"), OP_MUL), 1);
  fails_with(
      arena_printf(arena, "%s  let n: private int = share at c { 3 }\n  print(reveal n // n)\n}\n", HEAD),
      "E0404");
}

static void overloads_follow_the_struct(void **state) {
  (void)state;
  Program *p = check("party a\nstruct A { x: fixed }\nstruct B { x: fixed }\nfn f(a: A) -> int { return 1 }\n"
                     "fn f(b: B) -> int { return 2 }\nlet b = B(x = 1.0)\nprint(b.f(), f(A(x = 2.0)))");
  assert_int_equal((int64_t)p->body->ops.data[0]->data[0], 2);
  assert_int_equal((int64_t)p->body->ops.data[1]->data[0], 1);
}

static void var_parameters_are_copied_out(void **state) {
  (void)state;
  Program *p = check("party a\nstruct P { x: fixed[2]; n: int }\nfn grow(var v: fixed[2], var n: int) { v = "
                     "2.0 * v\n n += 1 }\n"
                     "var p = P(x = [1.0, 2.0], n = 3)\ngrow(p.x, p.n)\nprint(p.x[1], p.n)");
  assert_true(ir_bits_fixed(p->body->ops.data[0]->data[0]) == 4.0);
  assert_int_equal((int64_t)p->body->ops.data[1]->data[0], 4);
}

static void misuse_is_reported(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"party a\nparty a\n", "E0105"},
      {"import nowhere\n", "E0122"},
      {"fn f(x) { }\nfn f(y) { }\n", "E0104"},
      {"party a\nlet x = f(1)\nfn f(x) { }\n", "E0217"},
      {"const a = b\nconst b = a\n", "E0501"},
      {"const r = random_normal(2)\n", "E0501"},
      {"struct S { s: S }\nlet x: S = 1\n", "E0137"},
      {"fn f(x: fixed[*s, *t]) { }\nf([1.0])\n", "E0222"},
      {"fn f(x: fixed[n]) -> fixed[m] { return x }\nprint(f([1.0]))\n", "E0223"},
      {"struct S { b: bool }\nvar s = S(b = true)\ns += s\n", "E0214"},
      {"struct M[n] { w: fixed[n] }\nlet m: M[2, 3] = M(w = [1.0])\n", "E0215"},
      {"fn f(var x: int) { }\nf(1)\n", "E0131"},
      {"fn f(var x: int, var y: int) { }\nvar a = 1\nf(a, a)\n", "E0132"},
      {"let x = grad(1.0, 2)\n", "E0507"},
      {"let v = [1, 2]\nv[0] = 3\n", "E0206"},
      {"let x = 1\nx.y = 3\n", "E0206"},
      {"print(1)(2)\n", "E0133"},
      {"party a\nat a { print(more(\"x\")) }\n", "E0207"},
      {"party a\nlet x: int = at a { input(\"x\") }\nlet y: fixed = at a { input(\"x\") }\n", "E0105"},
      {"for i in 0..200000 { print(sum(zeros(i))) }\n", "E0506"},
      {"print(sum(zeros(0), axis = 0), max(zeros(0)))\n", "E0219"},
      {"let x = [1.0, true]\n", "E0213"},
      {"while 1 { }\n", "E0216"},
      {"let n = 9223372036854775807 + 1\n", "E0505"},
      {"param n: int\n", "E01"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    fails_with(cases[i][0], cases[i][1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(constants_are_folded),
      TEST(large_constants_are_not_written_out),
      TEST(loops_stay_loops),
      TEST(slices_of_computed_bounds_have_known_sizes),
      TEST(loops_are_unrolled_where_an_index_must_be_known),
      TEST(unchanged_variables_are_not_carried),
      TEST(a_constant_variable_stays_constant_in_a_loop),
      TEST(generator_states_are_carried),
      TEST(returns_in_loops_are_structured),
      TEST(reveals_are_recorded),
      TEST(structs_are_slots),
      TEST(families_are_stacked),
      TEST(protocols_are_told_apart_by_their_headers),
      TEST(parameters_can_be_set),
      TEST(clear_replaces_every_protocol),
      TEST(tests_are_programs),
      TEST(values_of_a_librarys_test_are_private),
      TEST(private_operations_are_put_together),
      TEST(a_function_that_the_kind_has_is_one_operation),
      TEST(the_verifier_knows_apply),
      TEST(the_text_is_left_to_what_the_kind_has_not),
      TEST(mistakes_in_arguments_are_those_of_the_text),
      TEST(extremes_along_an_axis_are_tournaments),
      TEST(division_reaches_the_kind),
      TEST(overloads_follow_the_struct),
      TEST(var_parameters_are_copied_out),
      TEST(misuse_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
