/* How values look, and how lines are put together. */
#include "file_fixture.h"

#include <math.h>

#include "../../runtime/include/abi.h"

static void looks(Fixture *f, int64_t elem, int64_t rank, const int64_t *dims, const double *values,
                  const char *text) {
  int64_t count;
  uint64_t data[64];
  TfeBuffer out = {0};
  assert_true(tfe_reader_product(rank, dims, &count));
  for (int64_t i = 0; i < count; i++)
    data[i] = elem == TFE_ELEM_FIXED ? as_word(values[i]) : (uint64_t)(int64_t)values[i];
  assert_int_equal(tfe_print_format(&f->ctx, &out, data, elem, rank, dims, false), TFE_OK);
  assert_string_equal((char *)out.data, text);
  tfe_buffer_free(&out);
}

#define DIMS(...)                                                                                            \
  (const int64_t[]) {                                                                                        \
    __VA_ARGS__                                                                                              \
  }
#define VALUES(...)                                                                                          \
  (const double[]) {                                                                                         \
    __VA_ARGS__                                                                                              \
  }

static void numbers(void **state) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {
      {0, "0"},
      {-0.0, "0"},
      {1, "1"},
      {-4, "-4"},
      {0.5, "0.5"},
      {0.9236, "0.9236"},
      {0.92361, "0.9236"},
      {55.08126, "55.0813"},
      {122.69081, "122.6908"},
      {27.0000153, "27"},
      {1e6, "1000000"},
      {1.0 / 3, "0.3333"},
      {0.05, "0.05"},
      {0.0123456, "0.01235"},
      {0.00123456, "0.001235"},
      {0.00001234, "0.00001234"},
      {1.5259e-7, "1.5259e-07"},
      {-2e-9, "-2e-09"},
      {999999999999.25, "999999999999.25"},
      {1e15, "1e+15"},
      {1.23456789e300, "1.2346e+300"},
      {1e100, "1e+100"},
      {0.99999, "1"},
      {-0.00000999999, "-1e-05"},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    looks(&f, TFE_ELEM_FIXED, 0, NULL, &cases[i].value, cases[i].text);
  looks(&f, TFE_ELEM_FIXED, 1, DIMS(3), VALUES(1, (double)NAN, -(double)INFINITY), "[1 nan -inf]");
  looks(&f, TFE_ELEM_INT, 0, NULL, VALUES(-9007199254740992), "-9007199254740992");
  looks(&f, TFE_ELEM_BOOL, 0, NULL, VALUES(1), "true");
  fixture_close(&f);
}

static void tensors(void **state) {
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  looks(&f, TFE_ELEM_INT, 2, DIMS(2, 2), VALUES(16, 9, 4, 1), "[[16 9] [4 1]]");
  looks(&f, TFE_ELEM_FIXED, 2, DIMS(2, 2), VALUES(0.72891, 0.98031, 1.00026, 1.0003),
        "[[0.7289 0.9803] [1.0003 1.0003]]");
  looks(&f, TFE_ELEM_FIXED, 2, DIMS(2, 2), VALUES(1.00001, 8, 26.99999, 64), "[[1 8] [27 64]]");
  looks(&f, TFE_ELEM_FIXED, 2, DIMS(1, 1), VALUES(0.9236), "[[0.9236]]");
  looks(&f, TFE_ELEM_FIXED, 1, DIMS(3), VALUES(-0.016, 4.98, 0.00001), "[-0.016 4.98 0]");
  looks(&f, TFE_ELEM_FIXED, 1, DIMS(2), VALUES(1e-7, 2.5e-8), "[1e-07 2.5e-08]");
  looks(&f, TFE_ELEM_FIXED, 1, DIMS(2), VALUES(0.01, 0.00012), "[0.01 0.00012]");
  looks(&f, TFE_ELEM_BOOL, 1, DIMS(2), VALUES(1, 0), "[true false]");
  looks(&f, TFE_ELEM_INT, 3, DIMS(2, 1, 2), VALUES(1, 2, 3, 4), "[[[1 2]] [[3 4]]]");
  looks(&f, TFE_ELEM_FIXED, 1, DIMS(0), NULL, "[]");
  looks(&f, TFE_ELEM_FIXED, 2, DIMS(2, 0), NULL, "[[] []]");
  fixture_close(&f);
}

static void wide_and_long(void **state) {
  static uint64_t data[2400];
  Fixture f;
  TfeBuffer out = {0};
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int i = 0; i < 2400; i++)
    data[i] = (uint64_t)(i % 2 ? -i : i);
  assert_int_equal(tfe_buffer_text(&f.ctx, &out, "above\nx = "), TFE_OK);
  assert_int_equal(tfe_print_format(&f.ctx, &out, data, TFE_ELEM_INT, 2, DIMS(3, 12), false), TFE_OK);
  assert_string_equal((char *)out.data, "above\n"
                                        "x = [[  0  -1   2  -3   4  -5   6  -7   8  -9  10 -11]\n"
                                        "     [ 12 -13  14 -15  16 -17  18 -19  20 -21  22 -23]\n"
                                        "     [ 24 -25  26 -27  28 -29  30 -31  32 -33  34 -35]]");
  tfe_buffer_clear(&out);
  assert_int_equal(tfe_print_format(&f.ctx, &out, data, TFE_ELEM_INT, 1, DIMS(1001), false), TFE_OK);
  assert_string_equal((char *)out.data, "[0 -1 2 ... 998 -999 1000]");
  tfe_buffer_clear(&out);
  assert_int_equal(tfe_print_format(&f.ctx, &out, data, TFE_ELEM_INT, 2, DIMS(8, 300), false), TFE_OK);
  assert_string_equal((char *)out.data, "[[    0    -1     2 ...  -297   298  -299]\n"
                                        " [  300  -301   302 ...  -597   598  -599]\n"
                                        " [  600  -601   602 ...  -897   898  -899]\n"
                                        " ...\n"
                                        " [ 1500 -1501  1502 ... -1797  1798 -1799]\n"
                                        " [ 1800 -1801  1802 ... -2097  2098 -2099]\n"
                                        " [ 2100 -2101  2102 ... -2397  2398 -2399]]");
  tfe_buffer_clear(&out);
  assert_int_equal(tfe_print_format(&f.ctx, &out, data, TFE_ELEM_INT, 1, DIMS(1001), true), TFE_OK);
  assert_null(strstr((char *)out.data, "..."));
  tfe_buffer_free(&out);
  fixture_close(&f);
}

typedef struct Heard {
  char text[256];
  int calls, joint;
} Heard;

static TfeStatus hear(void *user, const char *text, size_t size, bool joint) {
  Heard *heard = user;
  snprintf(heard->text, sizeof heard->text, "%.*s", (int)size, text);
  heard->calls++;
  heard->joint += joint;
  return TFE_OK;
}

static void lines(void **state) {
  Fixture f;
  Heard heard = {.calls = 0};
  const uint64_t data[] = {as_word(0.25), as_word(2)};
  (void)state;
  fixture_open(&f, NULL, 0);
  tfe_io_print_sink(&f.ctx, hear, &heard);
  assert_int_equal(tfe_print_text(&f.ctx, "p = "), TFE_OK);
  assert_int_equal(tfe_print_tensor(&f.ctx, data, TFE_ELEM_FIXED, 1, DIMS(2)), TFE_OK);
  assert_int_equal(tfe_print_text(&f.ctx, " done"), TFE_OK);
  assert_int_equal(heard.calls, 0);
  assert_int_equal(tfe_print_end(&f.ctx, 1), TFE_OK);
  assert_string_equal(heard.text, "p = [0.25 2] done\n");
  assert_int_equal(heard.joint, 1);
  assert_int_equal(tfe_print_end(&f.ctx, 0), TFE_OK); /* print() */
  assert_string_equal(heard.text, "\n");
  assert_int_equal(tfe_print_tensor(&f.ctx, data, TFE_ELEM_FIXED, 0, NULL), TFE_OK);
  assert_int_equal(tfe_print_end(&f.ctx, 0), TFE_OK);
  assert_string_equal(heard.text, "0.25\n");
  assert_int_equal(heard.calls, 3);
  fixture_close(&f);
}

static char written[64];
static int writes;

static ssize_t short_write(int fd, const void *data, size_t size) {
  assert_int_equal(fd, 1);
  size_t take = size > 3 ? 3 : size;
  strncat(written, data, take);
  writes++;
  return (ssize_t)take;
}

static ssize_t whole_write(int fd, const void *data, size_t size) {
  assert_int_equal(fd, 1);
  strncat(written, data, size);
  writes++;
  return (ssize_t)size;
}

static void one_write(void **state) {
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  f.ctx.io->system.write = whole_write;
  assert_int_equal(tfe_print_text(&f.ctx, "one "), TFE_OK);
  assert_int_equal(tfe_print_text(&f.ctx, "two"), TFE_OK);
  assert_int_equal(tfe_print_end(&f.ctx, 0), TFE_OK);
  assert_string_equal(written, "one two\n");
  assert_int_equal(writes, 1);
  f.ctx.io->system.write = short_write;
  assert_int_equal(tfe_print_text(&f.ctx, "more"), TFE_OK);
  assert_int_equal(tfe_print_end(&f.ctx, 0), TFE_OK);
  assert_string_equal(written, "one two\nmore\n");
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers), cmocka_unit_test(tensors),   cmocka_unit_test(wide_and_long),
      cmocka_unit_test(lines),   cmocka_unit_test(one_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
