/* CSV tables: what is read, and what is refused with which words. */
#include "file_fixture.h"

#include "../../runtime/file/csv.h"

static const TfeSlot scalar = {"x", NULL, TFE_ELEM_FIXED, 0, NULL, "m.tfe:1", 0, 0, NULL};
static const TfeSlot vector = {"x", NULL, TFE_ELEM_FIXED, 1, (const int64_t[]){3}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot matrix = {"x", NULL, TFE_ELEM_FIXED, 2, (const int64_t[]){2, 2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot cube = {"x", NULL, TFE_ELEM_FIXED, 3, (const int64_t[]){2, 1, 2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot whole = {"n", NULL, TFE_ELEM_INT, 1, (const int64_t[]){3}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot flags = {"b", NULL, TFE_ELEM_BOOL, 1, (const int64_t[]){3}, "m.tfe:1", 0, 0, NULL};

static TfeStatus read_text(Fixture *f, const TfeSlot *slot, const char *text, size_t size, uint64_t *out) {
  TfeWant want = {slot, "t.csv", "--input x=t.csv"};
  char copy[4096] = "";
  assert_true(size < sizeof copy);
  memcpy(copy, text, size);
  fixture_forgive(f);
  return tfe_csv_read(&f->ctx, &want, (const unsigned char *)copy, size, out);
}

static void good_reals(void **state) {
  static const struct {
    const TfeSlot *slot;
    const char *text;
    double expected[4];
  } cases[] = {
      {&scalar, "5", {5}},
      {&scalar, "value\n-2.5e-3\n", {-0.0025}},
      {&vector, "1,2,3", {1, 2, 3}},
      {&vector, "1\n2\n3\n", {1, 2, 3}},
      {&vector, "name\n1\r\n2\r\n3\r\n", {1, 2, 3}},
      {&vector, "a,b,c\n1,2,3\n", {1, 2, 3}},
      {&matrix, "1,2\n3,4\n", {1, 2, 3, 4}},
      {&matrix, "1,2\n3,4", {1, 2, 3, 4}},
      {&matrix,
       "\xef\xbb\xbf"
       "1,2\r\n3,4\r\n\r\n  \r\n\n",
       {1, 2, 3, 4}},
      {&matrix,
       "\xef\xbb\xbf"
       "age,\"blood, pressure\"\r\n1,2\r\n3,4\r\n",
       {1, 2, 3, 4}},
      {&matrix, "\"two\nlines\",\"a \"\"b\"\"\"\n1,2\n3,4\n", {1, 2, 3, 4}},
      {&matrix, "  1 ,\t2\n \"3\" , \" 4 \" \n", {1, 2, 3, 4}},
      {&matrix, "# a,b\n+1,.5\n3.,1e2\n", {1, 0.5, 3, 100}},
      {&matrix, ",b\n1,2\n3,4\n", {1, 2, 3, 4}},
      {&matrix, "1E+2,1e-2\n0.1,-0\n", {100, 0.01, 0.1, -0.0}},
      {&cube, "1,2\n3,4\n", {1, 2, 3, 4}},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out[4] = {0};
    TfeStatus status = read_text(&f, cases[i].slot, cases[i].text, strlen(cases[i].text), out);
    if (status != TFE_OK)
      fail_msg("case %zu: %s", i, f.ctx.error_text);
    assert_reals(out, cases[i].expected, tfe_reader_count(cases[i].slot));
  }
  fixture_close(&f);
}

static void good_whole_numbers(void **state) {
  static const struct {
    const TfeSlot *slot;
    const char *text;
    int64_t expected[3];
  } cases[] = {
      {&whole,
       "9223372036854775807,-9223372036854775808,9007199254740993",
       {INT64_MAX, INT64_MIN, 9007199254740993}},
      {&whole, "3.0,1e3,-12.50e1", {3, 1000, -125}},
      {&whole, "0.000,-0,00007", {0, 0, 7}},
      {&whole, "100e-2,0e99999999999,9.007199254740993e15", {1, 0, 9007199254740993}},
      {&flags, "true,False,1", {1, 0, 1}},
      {&flags, "0\n1.0\nTRUE\n", {0, 1, 1}},
      {&flags, "ok\n0\n1\n1\n", {0, 1, 1}},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out[3] = {0};
    TfeStatus status = read_text(&f, cases[i].slot, cases[i].text, strlen(cases[i].text), out);
    if (status != TFE_OK)
      fail_msg("case %zu: %s", i, f.ctx.error_text);
    assert_memory_equal(out, cases[i].expected, sizeof out);
  }
  fixture_close(&f);
}

#define TEXT(s) s, sizeof s - 1
static void bad_tables(void **state) {
  static const struct {
    const TfeSlot *slot;
    const char *text;
    size_t size;
    TfeStatus status;
    const char *says;
  } cases[] = {
      {&matrix, TEXT(""), TFE_INPUT_FORMAT, "t.csv is empty"},
      {&matrix, TEXT("\n\n"), TFE_INPUT_FORMAT, "t.csv is empty"},
      {&matrix, TEXT("\xef\xbb\xbf"), TFE_INPUT_FORMAT, "t.csv is empty"},
      {&matrix,
       TEXT("\xff\xfe"
            "1\0,\0"),
       TFE_INPUT_FORMAT, "UTF-16"},
      {&matrix, TEXT("1,2\n3,n/a\n"), TFE_INPUT_FORMAT, "t.csv:2:2: `n/a` is not a number"},
      {&matrix, TEXT("age,bp\n1,2\n3,n/a\n"), TFE_INPUT_FORMAT, "t.csv:3:2: `n/a` is not a number"},
      {&matrix, TEXT("age,bp\n1,2\n3,n/a\n"), TFE_INPUT_FORMAT, "column `bp`"},
      {&matrix, TEXT("\"a\nb\",bp\n1,2\n3,x\n"), TFE_INPUT_FORMAT, "t.csv:4:2: `x`"},
      {&matrix, TEXT("1,2\n3,\n"), TFE_INPUT_FORMAT, "t.csv:2:2: no value here"},
      {&matrix, TEXT("1,2\n3,"), TFE_INPUT_FORMAT, "t.csv:2:2: no value here"},
      {&matrix, TEXT("1,2\n,4\n"), TFE_INPUT_FORMAT, "t.csv:2:1: no value here"},
      {&matrix, TEXT("1,2\n3,4,\n"), TFE_INPUT_FORMAT, "t.csv:2: 3 values, the first row has 2"},
      {&matrix, TEXT("1,2\n3\n"), TFE_INPUT_FORMAT, "t.csv:2: 1 value, the first row has 2"},
      {&matrix, TEXT("1,2\n\n3,4\n"), TFE_INPUT_FORMAT, "t.csv:2: a blank line inside the table"},
      {&vector, TEXT("1\n\n2\n"), TFE_INPUT_FORMAT, "t.csv:2:1: no value here"},
      {&matrix, TEXT("1,2\n3,4\n5,6\n"), TFE_INPUT_SHAPE, "has shape [3, 2], the program needs [2, 2]"},
      {&matrix, TEXT("1,2\n3,4\n5,6\n"), TFE_INPUT_SHAPE, "the first axis must be 2"},
      {&matrix, TEXT("1,2,3\n3,4,5\n"), TFE_INPUT_SHAPE, "the last axis must be 2"},
      {&matrix, TEXT("1,2,3\n3,4,5\n"), TFE_INPUT_SHAPE, "from t.csv (--input x=t.csv), declared at m.tfe:1"},
      {&matrix, TEXT("a,b\n"), TFE_INPUT_SHAPE, "[0, 0]"},
      {&matrix, TEXT("2019,2020\n1,2\n3,4\n"), TFE_INPUT_SHAPE, "[3, 2]"},
      {&matrix, TEXT("1;2\n3;4\n"), TFE_INPUT_SHAPE, "not by `;`"},
      {&matrix, TEXT("1\t2\n3\t4\n"), TFE_INPUT_SHAPE, "not by `\\t`"},
      {&matrix, TEXT("id,2020\n1,2\n"), TFE_INPUT_FORMAT, "t.csv:1:1: `id` is not a number"},
      {&matrix, TEXT("1,2\n3,nan\n"), TFE_INPUT_RANGE, "t.csv:2:2: `nan` is not a finite number"},
      {&matrix, TEXT("1,2\n3,-inf\n"), TFE_INPUT_RANGE, "`-inf`"},
      {&matrix, TEXT("nan,inf\n3,4\n"), TFE_INPUT_RANGE, "t.csv:1:1: `nan`"},
      {&matrix, TEXT("1,2\n3,1e999\n"), TFE_INPUT_RANGE, "`1e999` is not a finite number"},
      {&matrix, TEXT("1,2\n3,0x10\n"), TFE_INPUT_FORMAT, "`0x10` is not a number"},
      {&matrix, TEXT("1,2\n3,1e\n"), TFE_INPUT_FORMAT, "`1e` is not"},
      {&matrix, TEXT("1,2\n3,1 000\n"), TFE_INPUT_FORMAT, "`1 000` is not"},
      {&matrix, TEXT("1,2\n3,\"1,5\"\n"), TFE_INPUT_FORMAT, "`1,5` is not"},
      {&matrix, TEXT("1,2\n3,\"4\n"), TFE_INPUT_FORMAT, "t.csv:2:2: a quote is not closed"},
      {&matrix, TEXT("1,2\n3,\"4\"5\n"), TFE_INPUT_FORMAT, "a quote is not closed"},
      {&matrix, TEXT("\"a,b\n1,2\n3,4\n"), TFE_INPUT_FORMAT, "t.csv:1:1: a quote is not closed"},
      {&matrix, TEXT("1,2\n3,4\0\n"), TFE_INPUT_FORMAT, "`4\\x00` is not a number"},
      {&matrix, TEXT("1,2\r3,4\r"), TFE_INPUT_SHAPE, "[1, 3]"},
      {&matrix, TEXT("1,2\n3,--4\n"), TFE_INPUT_FORMAT, "`--4`"},
      {&matrix, TEXT("1,2\n3,true\n"), TFE_INPUT_FORMAT, "`true` is not a number"},
      {&matrix, TEXT("1,2\n3,0123456789012345678901234567890123456789abcdef\n"), TFE_INPUT_FORMAT,
       "`0123456789012345678901234567890123456789...`"},
      {&vector, TEXT("1,2\n3,4\n5,6\n"), TFE_INPUT_SHAPE, "has shape [3, 2], the program needs [3]"},
      {&vector, TEXT("1,2,3,4\n"), TFE_INPUT_SHAPE, "has shape [4]"},
      {&scalar, TEXT("1,2\n"), TFE_INPUT_SHAPE, "has shape [2], the program needs []"},
      {&cube, TEXT("1,2,3\n4,5,6\n"), TFE_INPUT_SHAPE, "2 rows of 3 numbers, the program needs 2 rows of 2"},
      {&whole, TEXT("1,2.5,3\n"), TFE_INPUT_FORMAT, "t.csv:1:2: `2.5` is not a whole number"},
      {&whole, TEXT("1,1e-1,3\n"), TFE_INPUT_FORMAT, "`1e-1` is not a whole number"},
      {&whole, TEXT("1,9223372036854775808,3\n"), TFE_INPUT_RANGE, "does not fit in 64 bits"},
      {&whole, TEXT("1,-9223372036854775809,3\n"), TFE_INPUT_RANGE, "does not fit in 64 bits"},
      {&whole, TEXT("1,1e19,3\n"), TFE_INPUT_RANGE, "does not fit in 64 bits"},
      {&whole, TEXT("1,1e99999,3\n"), TFE_INPUT_RANGE, "does not fit in 64 bits"},
      {&whole, TEXT("1,x,3\n"), TFE_INPUT_FORMAT, "`x` is not a number"},
      {&flags, TEXT("1,2,0\n"), TFE_INPUT_FORMAT, "t.csv:1:2: `2` is not true, false, 1 or 0"},
      {&flags, TEXT("1,yes,0\n"), TFE_INPUT_FORMAT, "`yes` is not true"},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out[4];
    TfeStatus status = read_text(&f, cases[i].slot, cases[i].text, cases[i].size, out);
    if (status != cases[i].status)
      fail_msg("case %zu (%s): status %d: %s", i, cases[i].says, status, f.ctx.error_text);
    assert_says(&f, cases[i].says);
  }
  fixture_close(&f);
}

/* Every prefix of a table is either read or refused; never past its end (run under a sanitizer). */
static void every_prefix(void **state) {
  static const char text[] = "\xef\xbb\xbf"
                             "\"a\",b\r\n 1 ,\"2\"\r\n3,4e1\r\n";
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t size = 0; size < sizeof text; size++) {
    uint64_t out[4];
    TfeStatus status = read_text(&f, &matrix, text, size, out);
    assert_true(size < sizeof text - 6 ? status != TFE_OK : true);
  }
  fixture_close(&f);
}

static void written_tables(void **state) {
  const uint64_t reals[] = {as_word(0.1), as_word(1), as_word(-1e300), as_word(1.0 / 3)},
                 whole_numbers[] = {1, (uint64_t)-2, 3};
  uint64_t back[4];
  TfeBuffer file = {0};
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  assert_int_equal(tfe_csv_write(&f.ctx, &file, &matrix, reals), TFE_OK);
  assert_int_equal(read_text(&f, &matrix, (char *)file.data, file.size, back), TFE_OK);
  assert_memory_equal(back, reals, sizeof reals);
  tfe_buffer_clear(&file);
  assert_int_equal(tfe_csv_write(&f.ctx, &file, &whole, whole_numbers), TFE_OK);
  assert_string_equal((char *)file.data, "1\n-2\n3\n");
  tfe_buffer_clear(&file);
  assert_int_equal(tfe_csv_write(&f.ctx, &file, &scalar, reals), TFE_OK);
  assert_string_equal((char *)file.data, "0.1\n");
  tfe_buffer_clear(&file);
  assert_int_equal(tfe_csv_write(&f.ctx, &file, &cube, reals), TFE_OK);
  assert_string_equal((char *)file.data, "0.1,1\n-1e+300,0.3333333333333333\n");
  tfe_buffer_free(&file);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_reals),   cmocka_unit_test(good_whole_numbers), cmocka_unit_test(bad_tables),
      cmocka_unit_test(every_prefix), cmocka_unit_test(written_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
