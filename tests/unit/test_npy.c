/* .npy: types, byte orders and layouts that are read; malformed files, byte by byte. */
#include "file_fixture.h"

#include "../../runtime/file/npy.h"

static const TfeSlot scalar = {"x", NULL, TFE_ELEM_FIXED, 0, NULL, "m.tfe:1", 0, 0, NULL};
static const TfeSlot pair = {"x", NULL, TFE_ELEM_FIXED, 1, (const int64_t[]){2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot matrix = {"x", NULL, TFE_ELEM_FIXED, 2, (const int64_t[]){2, 3}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot cube = {"x", NULL, TFE_ELEM_FIXED, 3, (const int64_t[]){2, 3, 2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot whole = {"n", NULL, TFE_ELEM_INT, 1, (const int64_t[]){2}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot flags = {"b", NULL, TFE_ELEM_BOOL, 1, (const int64_t[]){2}, "m.tfe:1", 0, 0, NULL};

typedef struct File {
  unsigned char bytes[1024];
  size_t size;
} File;

static File make(int version, const char *header, const void *data, size_t size) {
  File file = {.size = version == 1 ? 10 : 12};
  size_t length = strlen(header);
  memcpy(file.bytes, "\x93NUMPY", 6);
  file.bytes[6] = (unsigned char)version;
  file.bytes[8] = (unsigned char)length;
  memcpy(file.bytes + file.size, header, length);
  if (size > 0)
    memcpy(file.bytes + file.size + length, data, size);
  file.size += length + size;
  return file;
}

static TfeStatus read_file(Fixture *f, const TfeSlot *slot, const File *file, uint64_t *out) {
  TfeWant want = {slot, "t.npy", "--input x=t.npy"};
  /* exactly as large as the file, so that a sanitizer sees a step beyond it */
  unsigned char *exact = test_malloc(file->size > 0 ? file->size : 1);
  memcpy(exact, file->bytes, file->size);
  fixture_forgive(f);
  TfeStatus status = tfe_npy_read(&f->ctx, &want, exact, file->size, out);
  test_free(exact);
  return status;
}

#define HEAD(type) "{'descr': '" type "', 'fortran_order': False, 'shape': (2,), }\n"
#define DATA(s) s, sizeof s - 1

static void types(void **state) {
  static const struct {
    const char *header, *data;
    size_t size;
    double expected[2];
  } cases[] = {
      {HEAD("<f8"), DATA("\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0"), {1.5, -2}},
      {HEAD(">f8"), DATA("\x3f\xf8\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0"), {1.5, -2}},
      {HEAD("<f4"), DATA("\0\0\xc0\x3f\0\0\0\xc0"), {1.5, -2}},
      {HEAD(">f4"), DATA("\x3f\xc0\0\0\xc0\0\0\0"), {1.5, -2}},
      {HEAD("<f2"), DATA("\0\x3e\0\xc0"), {1.5, -2}},
      {HEAD(">f2"), DATA("\x3e\0\x04\x01"), {1.5, 0x1.004p-14}},
      {HEAD("<f2"), DATA("\x01\0\xff\x7b"), {0x1p-24, 65504}},
      {HEAD("|i1"), DATA("\x7f\x80"), {127, -128}},
      {HEAD("<i1"), DATA("\x7f\x80"), {127, -128}},
      {HEAD("<i2"), DATA("\x01\x02\xff\xff"), {513, -1}},
      {HEAD(">i2"), DATA("\x01\x02\xff\xff"), {258, -1}},
      {HEAD("<i4"), DATA("\0\0\0\x80\x01\0\0\0"), {-2147483648.0, 1}},
      {HEAD(">i4"), DATA("\x80\0\0\0\0\0\0\x01"), {-2147483648.0, 1}},
      {HEAD("<i8"), DATA("\0\0\0\0\0\0\0\x80\x01\0\0\0\0\0\0\0"), {-0x1p63, 1}},
      {HEAD(">i8"), DATA("\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\0\0\0\0\x01"), {-2, 1}},
      {HEAD("|u1"), DATA("\xff\x01"), {255, 1}},
      {HEAD("<u2"), DATA("\xff\xff\x01\0"), {65535, 1}},
      {HEAD(">u4"), DATA("\xff\xff\xff\xff\0\0\0\x01"), {4294967295.0, 1}},
      {HEAD("<u8"), DATA("\0\0\0\0\0\0\0\x40\x01\0\0\0\0\0\0\0"), {0x1p62, 1}},
      {HEAD("|b1"), DATA("\x01\0"), {1, 0}},
      {"{\"shape\":(2,),\"descr\":\"|b1\",\"fortran_order\":True}", DATA("\x01\0"), {1, 0}},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int version = 1; version <= 3; version++)
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      uint64_t out[2];
      File file = make(version, cases[i].header, cases[i].data, cases[i].size);
      if (read_file(&f, &pair, &file, out) != TFE_OK)
        fail_msg("case %zu: %s", i, f.ctx.error_text);
      assert_reals(out, cases[i].expected, 2);
    }
  fixture_close(&f);
}

static void layouts(void **state) {
  static const unsigned char bytes[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  static const double fortran_matrix[] = {0, 2, 4, 1, 3, 5};
  static const double c_matrix[] = {0, 1, 2, 3, 4, 5};
  static const double fortran_cube[] = {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11};
  uint64_t out[12];
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  File file = make(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", bytes, 6);
  assert_int_equal(read_file(&f, &matrix, &file, out), TFE_OK);
  assert_reals(out, fortran_matrix, 6);
  file = make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", bytes, 6);
  assert_int_equal(read_file(&f, &matrix, &file, out), TFE_OK);
  assert_reals(out, c_matrix, 6);
  file = make(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2), }", bytes, 12);
  assert_int_equal(read_file(&f, &cube, &file, out), TFE_OK);
  assert_reals(out, fortran_cube, 12);
  file = make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (), }", bytes + 7, 1);
  assert_int_equal(read_file(&f, &scalar, &file, out), TFE_OK);
  assert_true(as_real(out[0]) == 7);
  fixture_close(&f);
}

#define BAD(header, data, status, says) header, DATA(data), status, says
static void bad_files(void **state) {
  static const struct {
    const TfeSlot *slot;
    const char *header, *data;
    size_t size;
    TfeStatus status;
    const char *says;
  } cases[] = {
      {&pair, BAD(HEAD("|O"), "12", TFE_INPUT_FORMAT, "elements of type `|O`")},
      {&pair, BAD(HEAD("<c16"), "12", TFE_INPUT_FORMAT, "elements of type `<c16`")},
      {&pair, BAD(HEAD("<f16"), "12", TFE_INPUT_FORMAT, "elements of type `<f16`")},
      {&pair, BAD(HEAD("<f1"), "12", TFE_INPUT_FORMAT, "elements of type")},
      {&pair, BAD(HEAD("<i3"), "123456", TFE_INPUT_FORMAT, "elements of type")},
      {&pair, BAD(HEAD("<i0"), "12", TFE_INPUT_FORMAT, "elements of type")},
      {&pair, BAD(HEAD("|i8"), "1234567812345678", TFE_INPUT_FORMAT, "elements of type")},
      {&pair, BAD(HEAD("=i1"), "12", TFE_INPUT_FORMAT, "elements of type")},
      {&pair, BAD(HEAD("<U3"), "12", TFE_INPUT_FORMAT, "float64, int64 or bool")},
      {&pair, BAD(HEAD(""), "12", TFE_INPUT_FORMAT, "elements of type")},
      {&pair, BAD(HEAD("<i8i8i8i8i8i8i8i8i8i8i8i8"), "12", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }", "12",
                  TFE_INPUT_FORMAT, "header is not one of a plain array")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'x': 1}", "12", TFE_INPUT_FORMAT,
                  "header")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': '|u1', 'shape': (2,)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", "12",
                  TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (2)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': 2}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (2 2)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (,)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x", "12", TFE_INPUT_FORMAT, "header")},
      {&pair,
       BAD("{'descr: '|u1', 'fortran_order': False, 'shape': (2,)}", "12", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("", "12", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (1234567890123456789,)}", "12",
                  TFE_INPUT_FORMAT, "header")},
      {&pair, BAD("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999999,)}", "12",
                  TFE_INPUT_FORMAT, "shape is impossible")},
      {&pair, BAD("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "12",
                  TFE_INPUT_FORMAT, "shape is impossible")},
      {&pair, BAD("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}", "",
                  TFE_INPUT_SHAPE, "the program needs [2]")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': "
                  "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
                  "1", TFE_INPUT_FORMAT, "header")},
      {&pair, BAD(HEAD("|u1"), "1", TFE_INPUT_FORMAT, "it ends inside the data")},
      {&pair, BAD(HEAD("|u1"), "", TFE_INPUT_FORMAT, "it ends inside the data")},
      {&pair, BAD(HEAD("|u1"), "123", TFE_INPUT_FORMAT, "more bytes follow the data")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "123", TFE_INPUT_SHAPE,
                  "input `x` has shape [3], the program needs [2]")},
      {&pair, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }", "12", TFE_INPUT_SHAPE,
                  "reshape it to [2]")},
      {&pair,
       BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "1", TFE_INPUT_SHAPE, "has shape []")},
      {&matrix, BAD("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4), }", "12345678",
                    TFE_INPUT_SHAPE, "the last axis must be 3")},
      {&pair, BAD(HEAD("<f8"), "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\xf8\x7f", TFE_INPUT_RANGE, "nan at [1]")},
      {&pair, BAD(HEAD("<f4"), "\0\0\x80\x7f\0\0\0\0", TFE_INPUT_RANGE, "inf at [0] is not a finite number")},
      {&pair, BAD(HEAD("<f2"), "\0\xfc\0\0", TFE_INPUT_RANGE, "-inf at [0]")},
      {&pair, BAD(HEAD("<f2"), "\x01\x7c\0\0", TFE_INPUT_RANGE, "nan at [0]")},
      {&pair, BAD(HEAD("<i8"), "\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0\0", TFE_INPUT_RANGE,
                  "9223372036854775807 at [0] cannot be held exactly")},
      {&pair, BAD(HEAD("<i8"), "\x01\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\0", TFE_INPUT_RANGE, "9007199254740993")},
      {&whole,
       BAD(HEAD("<u8"), "\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0", TFE_INPUT_RANGE, "9223372036854775808")},
      {&whole, BAD(HEAD("<f8"), "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0", TFE_INPUT_FORMAT,
                   "1.5 at [0] is not a whole number")},
      {&whole, BAD(HEAD("<f8"), "\0\0\0\0\0\0\xe0\x43\0\0\0\0\0\0\0\xc0", TFE_INPUT_RANGE,
                   "does not fit in 64 bits")},
      {&flags, BAD(HEAD("|b1"), "\x01\x02", TFE_INPUT_FORMAT, "a bool is neither 0 nor 1")},
      {&flags, BAD(HEAD("|i1"), "\x01\x02", TFE_INPUT_FORMAT, "2 at [1] is neither 0 nor 1")},
      {&flags, BAD(HEAD("<f4"), "\0\0\xc0\x3f\0\0\0\0", TFE_INPUT_FORMAT, "1.5 at [0] is neither 0 nor 1")},
  };
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out[6];
    File file = make(1, cases[i].header, cases[i].data, cases[i].size);
    TfeStatus status = read_file(&f, cases[i].slot, &file, out);
    if (status != cases[i].status)
      fail_msg("case %zu (%s): status %d: %s", i, cases[i].says, status, f.ctx.error_text);
    assert_says(&f, cases[i].says);
  }
  fixture_close(&f);
}

static void bad_starts(void **state) {
  static const unsigned char data[2] = {1, 2};
  Fixture f;
  uint64_t out[2];
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int version = 1; version <= 3; version++) {
    File good = make(version, HEAD("|u1"), data, 2);
    for (size_t size = 0; size < good.size; size++) { /* every truncation */
      File cut = good;
      cut.size = size;
      assert_int_equal(read_file(&f, &pair, &cut, out), TFE_INPUT_FORMAT);
    }
    for (size_t at = 0; at < 8; at++) { /* magic and version */
      File wrong = good;
      wrong.bytes[at] ^= 0x40;
      assert_int_equal(read_file(&f, &pair, &wrong, out), TFE_INPUT_FORMAT);
    }
    for (size_t at = 0; at < good.size; at++) /* any byte, any value that differs in one bit: no crash */
      for (int bit = 0; bit < 8; bit++) {
        File wrong = good;
        wrong.bytes[at] ^= (unsigned char)(1 << bit);
        TfeStatus status = read_file(&f, &pair, &wrong, out);
        assert_true(status == TFE_OK || f.ctx.error == status);
      }
  }
  File huge = make(2, HEAD("|u1"), data, 2);
  memset(huge.bytes + 8, 0xff, 4); /* a header of 4 GB */
  assert_int_equal(read_file(&f, &pair, &huge, out), TFE_INPUT_FORMAT);
  fixture_close(&f);
}

static void exact_integers(void **state) {
  Fixture f;
  uint64_t out[2];
  (void)state;
  fixture_open(&f, NULL, 0);
  File file = make(1, HEAD("<i8"), DATA("\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0\x80"));
  assert_int_equal(read_file(&f, &whole, &file, out), TFE_OK);
  assert_true(out[0] == (uint64_t)INT64_MAX && out[1] == (uint64_t)INT64_MIN);
  file = make(1, HEAD("<f8"), DATA("\0\0\0\0\0\0\xe0\xc3\0\0\0\0\0\0\0\xc0"));
  assert_int_equal(read_file(&f, &whole, &file, out), TFE_OK);
  assert_true(out[0] == (uint64_t)INT64_MIN && out[1] == (uint64_t)-2);
  fixture_close(&f);
}

static void written_files(void **state) {
  static const TfeSlot *const slots[] = {&scalar, &pair, &matrix, &cube, &whole, &flags};
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
    uint64_t data[12], back[12] = {0};
    int64_t count = tfe_reader_count(slots[i]);
    TfeBuffer bytes = {0};
    File file = {.size = 0};
    for (int64_t k = 0; k < count; k++)
      data[k] = slots[i]->elem == TFE_ELEM_FIXED ? as_word((double)k / 3)
                : slots[i]->elem == TFE_ELEM_INT ? (uint64_t)-k
                                                 : k & 1;
    assert_int_equal(tfe_npy_write(&f.ctx, &bytes, slots[i], data), TFE_OK);
    size_t element = slots[i]->elem == TFE_ELEM_BOOL ? 1 : 8;
    assert_int_equal((bytes.size - (size_t)count * element) % 64, 0);
    memcpy(file.bytes, bytes.data, bytes.size);
    file.size = bytes.size;
    tfe_buffer_free(&bytes);
    assert_int_equal(read_file(&f, slots[i], &file, back), TFE_OK);
    assert_memory_equal(back, data, (size_t)count * 8);
  }
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types),      cmocka_unit_test(layouts),        cmocka_unit_test(bad_files),
      cmocka_unit_test(bad_starts), cmocka_unit_test(exact_integers), cmocka_unit_test(written_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
