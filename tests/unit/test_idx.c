/* IDX files: every element type, plain and packed, rows of one; damage to each part. */
#include "file_fixture.h"

#include <zlib.h>

#include "../../runtime/file/idx.h"

static const int64_t dims[] = {2, 2};
static const TfeSlot x = {"x", NULL, TFE_ELEM_FIXED, 2, dims, "m.tfe:1", 0, 0, NULL};
static const TfeRows all = {0, 0};

static TfeStatus read_idx(Fixture *f, TfeRows rows, const void *bytes, size_t size, uint64_t *out) {
  TfeWant want = {&x, "t", "--input x=t"};
  unsigned char *exact = test_malloc(size > 0 ? size : 1);
  memcpy(exact, bytes, size);
  fixture_forgive(f);
  TfeStatus status = tfe_idx_read(&f->ctx, &want, rows, exact, size, out);
  test_free(exact);
  return status;
}

/* [rows, 2] of 0, 1, 2, ... as unsigned bytes. */
static size_t pixels(unsigned char *file, unsigned char rows) {
  const unsigned char header[] = {0, 0, 8, 2, 0, 0, 0, rows, 0, 0, 0, 2};
  memcpy(file, header, sizeof header);
  for (int i = 0; i < 2 * rows; i++)
    file[sizeof header + (size_t)i] = (unsigned char)i;
  return sizeof header + 2 * (size_t)rows;
}

static void element_types(void **state) {
  static const struct {
    unsigned char type;
    int size;
    unsigned char data[32]; /* 1, 2, 254 or -2, 0.5 or 7 */
    double last[2];
  } cases[] = {
      {8, 1, {1, 2, 254, 7}, {254, 7}},
      {9, 1, {1, 2, 254, 7}, {-2, 7}},
      {11, 2, {0, 1, 0, 2, 255, 254, 1, 0}, {-2, 256}},
      {12, 4, {0, 0, 0, 1, 0, 0, 0, 2, 255, 255, 255, 254, 0, 1, 0, 0}, {-2, 65536}},
      {13, 4, {0x3f, 0x80, 0, 0, 0x40, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0}, {-2, 0.5}},
      {14,
       8,
       {0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x40, 0,    0, 0, 0, 0, 0, 0,
        0xc0, 0,    0, 0, 0, 0, 0, 0, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0},
       {-2, 0.5}},
  };
  Fixture f;
  uint64_t out[4];
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unsigned char file[44] = {0, 0, cases[i].type, 2, 0, 0, 0, 2, 0, 0, 0, 2};
    memcpy(file + 12, cases[i].data, 32);
    assert_int_equal(read_idx(&f, all, file, 12 + 4 * (size_t)cases[i].size, out), TFE_OK);
    assert_reals(out, (const double[]){1, 2, cases[i].last[0], cases[i].last[1]}, 4);
  }
  fixture_close(&f);
}

static void rows_of_a_file(void **state) {
  Fixture f;
  uint64_t out[4];
  unsigned char file[64];
  size_t size = pixels(file, 5);
  (void)state;
  fixture_open(&f, NULL, 0);
  assert_int_equal(read_idx(&f, (TfeRows){1, 3}, file, size, out), TFE_OK);
  assert_reals(out, (const double[]){2, 3, 4, 5}, 4);
  assert_int_equal(read_idx(&f, all, file, size, out), TFE_INPUT_SHAPE);
  assert_says(&f, "input `x` has shape [5, 2], the program needs [2, 2]");
  assert_int_equal(read_idx(&f, (TfeRows){4, 6}, file, size, out), TFE_INPUT_SHAPE);
  assert_says(&f, "t has no rows 4 to 5: it has 5");
  fixture_close(&f);
}

static void packed_files(void **state) {
  Fixture f;
  uint64_t out[4];
  unsigned char file[64], packed[256];
  size_t size = pixels(file, 2);
  z_stream z = {.next_in = file, .avail_in = (uInt)size, .next_out = packed, .avail_out = sizeof packed};
  (void)state;
  fixture_open(&f, NULL, 0);
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  deflateEnd(&z);
  size_t packed_size = sizeof packed - z.avail_out;
  assert_int_equal(read_idx(&f, all, packed, packed_size, out), TFE_OK);
  assert_reals(out, (const double[]){0, 1, 2, 3}, 4);
  for (size_t i = 0; i < packed_size; i++) { /* time and operating system, bytes 4 to 9, mean nothing */
    unsigned char was = packed[i];
    packed[i] ^= 0x55;
    if (i < 4 || i > 9)
      assert_int_not_equal(read_idx(&f, all, packed, packed_size, out), TFE_OK);
    packed[i] = was;
    assert_int_not_equal(read_idx(&f, all, packed, i, out), TFE_OK);
  }
  fixture_close(&f);
}

static void damaged_files(void **state) {
  Fixture f;
  uint64_t out[4];
  unsigned char file[64];
  size_t size = pixels(file, 2);
  (void)state;
  fixture_open(&f, NULL, 0);
  for (size_t cut = 0; cut < size; cut++)
    assert_int_equal(read_idx(&f, all, file, cut, out), TFE_INPUT_FORMAT);
  assert_says(&f, "t is not an IDX file that can be read: it ends inside the data");
  assert_int_equal(read_idx(&f, all, file, size + 1, out), TFE_INPUT_FORMAT);
  assert_says(&f, "more bytes follow the data");
  file[2] = 10;
  assert_int_equal(read_idx(&f, all, file, size, out), TFE_INPUT_FORMAT);
  assert_says(&f, "it does not begin as one");
  file[2] = 8;
  file[3] = 200;
  assert_int_equal(read_idx(&f, all, file, size, out), TFE_INPUT_FORMAT);
  assert_says(&f, "it has too many axes");
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(element_types),
      cmocka_unit_test(rows_of_a_file),
      cmocka_unit_test(packed_files),
      cmocka_unit_test(damaged_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
