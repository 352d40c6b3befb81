/* Values written as in JSON. */
#include "file_fixture.h"

#include "../../runtime/file/literal.h"

static const TfeSlot scalar = {"x", NULL, TFE_ELEM_FIXED, 0, NULL, "m.tfe:1", 0, 0, NULL};
static const TfeSlot pair = {"x", NULL, TFE_ELEM_FIXED, 1, (const int64_t[]){2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot matrix = {"x", NULL, TFE_ELEM_FIXED, 2, (const int64_t[]){2, 2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot integer = {"n", NULL, TFE_ELEM_INT, 0, NULL, "m.tfe:1", 0, 0, NULL};
static const TfeSlot flag = {"b", NULL, TFE_ELEM_BOOL, 0, NULL, "m.tfe:1", 0, 0, NULL};
static const TfeSlot field_w = {"net", "w", TFE_ELEM_FIXED, 1, (const int64_t[]){2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot field_k = {"net", "c1.k", TFE_ELEM_FIXED, 0, NULL, "m.tfe:1", 0, 0, NULL};

static TfeStatus read_text(Fixture *f, const TfeSlot *slot, const char *text, uint64_t *out) {
  TfeWant want = {slot, "--input x", "--input x=..."};
  fixture_forgive(f);
  return tfe_literal_read(&f->ctx, &want, text, strlen(text), 1, out);
}

static void good_values(void **state) {
  static const struct {
    const TfeSlot *slot;
    const char *text;
    double expected[4];
  } cases[] = {
      {&scalar, "5", {5}},
      {&scalar, " -2.5e-1 ", {-0.25}},
      {&pair, "[1, 2]", {1, 2}},
      {&pair, "\t[ 1 ,\r\n 2 ]\n", {1, 2}},
      {&matrix, "[[1, 2], [3, 4]]", {1, 2, 3, 4}},
      {&matrix, "[[1,2],[3,4]]", {1, 2, 3, 4}},
      {&field_w, "{\"w\": [1, 2], \"c1\": {\"k\": 3}}", {1, 2}},
      {&field_k, "{\"w\": [1, 2], \"c1\": {\"z\": [], \"k\": 3}}", {3}},
      {&field_k, "{\"c1.k\": 3}", {3}},
      {&field_k, "{\"c1\": {}, \"c1.k\": 3}", {3}},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out[4];
    if (read_text(&f, cases[i].slot, cases[i].text, out) != TFE_OK)
      fail_msg("%s: %s", cases[i].text, f.ctx.error_text);
    assert_reals(out, cases[i].expected, tfe_reader_count(cases[i].slot));
  }
  uint64_t out[1];
  assert_int_equal(read_text(&f, &integer, "9007199254740993", out), TFE_OK);
  assert_true(out[0] == 9007199254740993);
  assert_int_equal(read_text(&f, &flag, "true", out), TFE_OK);
  assert_true(out[0] == 1);
  assert_int_equal(read_text(&f, &flag, "0", out), TFE_OK);
  assert_true(out[0] == 0);
  fixture_close(&f);
}

static void bad_values(void **state) {
  static const struct {
    const TfeSlot *slot;
    const char *text;
    TfeStatus status;
    const char *says;
  } cases[] = {
      {&scalar, "", TFE_INPUT_FORMAT, "--input x:1:1: the value ends too early"},
      {&scalar, "abc", TFE_INPUT_FORMAT, "--input x:1:1: this is not a number"},
      {&scalar, "1 2", TFE_INPUT_FORMAT, "--input x:1:3: nothing may follow the value"},
      {&scalar, "[1]", TFE_INPUT_SHAPE, "input `x` has shape [1], the program needs []"},
      {&scalar, "nan", TFE_INPUT_RANGE, "`nan` is not a finite number"},
      {&scalar, "1e999", TFE_INPUT_RANGE, "`1e999`"},
      {&scalar, "true", TFE_INPUT_FORMAT, "`true` is not a number"},
      {&pair, "[1, 2", TFE_INPUT_FORMAT, "--input x:1:6: `,` or `]` must stand here"},
      {&pair, "[1, 2,]", TFE_INPUT_FORMAT, "a number or `[` must stand here"},
      {&pair, "[1 2]", TFE_INPUT_FORMAT, "`,` or `]`"},
      {&pair, "[1,\n x]", TFE_INPUT_FORMAT, "--input x:2:2: this is not a number"},
      {&pair, "[1,\n -inf]", TFE_INPUT_RANGE, "--input x:2:2: `-inf`"},
      {&pair, "1", TFE_INPUT_SHAPE, "has shape []"},
      {&pair, "[]", TFE_INPUT_SHAPE, "has shape [0]"},
      {&pair, "[1, 2, 3]", TFE_INPUT_SHAPE, "the last axis must be 2"},
      {&pair, "(1, 2)", TFE_INPUT_FORMAT, "a number or `[`"},
      {&pair, "\"a\"", TFE_INPUT_FORMAT, "a number or `[`"},
      {&pair, "null", TFE_INPUT_FORMAT, "this is not a number"},
      {&matrix, "[[1, 2], [3]]", TFE_INPUT_FORMAT, "this row has another length"},
      {&matrix, "[[1, 2], 3]", TFE_INPUT_FORMAT, "a number where the rows before have an array"},
      {&matrix, "[1, [2, 3]]", TFE_INPUT_FORMAT, "an array where the rows before have a number"},
      {&matrix, "[[[1]], [2]]", TFE_INPUT_FORMAT, "a number where"},
      {&matrix, "[[], [1]]", TFE_INPUT_FORMAT, "another length"},
      {&matrix, "[[1, 2], [3, 4]]]", TFE_INPUT_FORMAT, "nothing may follow"},
      {&matrix, "[1, 2, 3, 4]", TFE_INPUT_SHAPE, "reshape it to [2, 2]"},
      {&matrix, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]", TFE_INPUT_FORMAT,
       "too many nested arrays"},
      {&integer, "1.5", TFE_INPUT_FORMAT, "is not a whole number"},
      {&integer, "9223372036854775808", TFE_INPUT_RANGE, "does not fit in 64 bits"},
      {&flag, "2", TFE_INPUT_FORMAT, "`2` is not true, false, 1 or 0"},
      {&field_w, "{}", TFE_INPUT_MISSING, "no data for input `net`: no field `w`"},
      {&field_w, "[1, 2]", TFE_INPUT_MISSING, "no field `w`"},
      {&field_w, "{\"w\": [1, 2], \"w\": [1, 2]}", TFE_INPUT_FORMAT, "the same field a second time"},
      {&field_w, "{\"w\": [1]}", TFE_INPUT_SHAPE, "input `net`, field `w`, has shape [1]"},
      {&field_w, "{\"w\" [1, 2]}", TFE_INPUT_FORMAT, "`\"NAME\": VALUE` must stand here"},
      {&field_w, "{w: [1, 2]}", TFE_INPUT_FORMAT, "a field's name in quotes"},
      {&field_w, "{\"w\": [1, 2]", TFE_INPUT_FORMAT, "`,` or `}` must stand here"},
      {&field_w, "{\"w\": {\"\": [1, 2]}}", TFE_INPUT_MISSING, "no field `w`"},
      {&field_w, "{\"w", TFE_INPUT_FORMAT, "`\"NAME\": VALUE`"},
      {&field_w, "{\"a\\\"b\": 1}", TFE_INPUT_FORMAT, "`\"NAME\": VALUE`"},
      {&field_k, "{\"c1\": 3}", TFE_INPUT_MISSING, "no field `c1.k`"},
      {&field_k, "{\"c1\": {\"k\": 3}, \"c1.k\": 4}", TFE_INPUT_FORMAT, "second time"},
      {&field_k,
       "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
       "\"a\":"
       "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
       "\"a\":"
       "{\"a\":{\"a\":{\"a\":{\"a\":1}}}}",
       TFE_INPUT_FORMAT, "too many nested objects"},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out[4];
    TfeStatus status = read_text(&f, cases[i].slot, cases[i].text, out);
    if (status != cases[i].status)
      fail_msg("%s: status %d: %s", cases[i].text, status, f.ctx.error_text);
    assert_says(&f, cases[i].says);
  }
  fixture_close(&f);
}

static void what_is_a_value(void **state) {
  static const char *const values[] = {"5",          "-1.5", "+.5",   "1e3", "[1]",
                                       "{\"a\": 1}", "true", "False", "nan", "-inf"};
  static const char *const files[] = {"x.npy", "./5",  "5.csv",  "data", "-",
                                      "1e",    "dir/", "truest", "",     "0x10"};
  (void)state;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    assert_true(tfe_literal_is(values[i]));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    assert_false(tfe_literal_is(files[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_values),
      cmocka_unit_test(bad_values),
      cmocka_unit_test(what_is_a_value),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
