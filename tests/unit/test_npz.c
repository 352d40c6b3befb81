/* .npz: stored, deflated and zip64 archives; damage to each part of one. */
#include "file_fixture.h"

#include <zlib.h>

#include "../../runtime/file/npy.h"
#include "../../runtime/file/npz.h"

static const TfeSlot plain = {"x", NULL, TFE_ELEM_FIXED, 1, (const int64_t[]){3}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot weight = {"net", "c1.w", TFE_ELEM_FIXED, 1, (const int64_t[]){3}, "m.tfe:1", 0, 0, NULL};
static const TfeSlot bias = {"net", "b", TFE_ELEM_FIXED, 1, (const int64_t[]){3}, "m.tfe:1", 0, 0, NULL};

typedef struct Zip {
  unsigned char bytes[4096], directory[1024];
  size_t size, directory_size, entries;
  bool zip64; /* sizes and offsets in extra fields and a zip64 end record */
} Zip;

static void put(unsigned char *bytes, size_t *at, uint64_t value, int size) {
  for (int i = 0; i < size; i++)
    bytes[(*at)++] = (unsigned char)(value >> 8 * i);
}

/* Adds an entry with a .npy of {first, first + 1, first + 2}. */
static void add(Fixture *f, Zip *zip, const char *name, double first, bool deflated) {
  TfeBuffer npy = {0};
  unsigned char packed[1024];
  const uint64_t data[] = {as_word(first), as_word(first + 1), as_word(first + 2)};
  size_t offset = zip->size, packed_size;
  assert_int_equal(tfe_npy_write(&f->ctx, &npy, &plain, data), TFE_OK);
  if (deflated) {
    z_stream z = {
        .next_in = npy.data, .avail_in = (uInt)npy.size, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed_size = sizeof packed - z.avail_out;
    deflateEnd(&z);
  } else {
    memcpy(packed, npy.data, npy.size);
    packed_size = npy.size;
  }
  uint64_t crc = crc32(0, npy.data, (uInt)npy.size);
  for (int central = 0; central < 2; central++) {
    unsigned char *out = central ? zip->directory : zip->bytes;
    size_t *at = central ? &zip->directory_size : &zip->size;
    put(out, at, central ? 0x02014b50 : 0x04034b50, 4);
    if (central)
      put(out, at, 45, 2);
    put(out, at, 45, 2);
    put(out, at, 0, 2);
    put(out, at, deflated ? 8 : 0, 2);
    put(out, at, 0, 4);
    put(out, at, crc, 4);
    put(out, at, zip->zip64 ? 0xffffffff : packed_size, 4);
    put(out, at, zip->zip64 ? 0xffffffff : npy.size, 4);
    put(out, at, strlen(name), 2);
    put(out, at, zip->zip64 ? (central ? 28 + 5 : 20) : 0, 2);
    if (central) {
      put(out, at, 0, 6);
      put(out, at, 0, 4);
      put(out, at, zip->zip64 ? 0xffffffff : offset, 4);
    }
    memcpy(out + *at, name, strlen(name));
    *at += strlen(name);
    if (zip->zip64) {
      if (central) { /* another extra field stands first */
        put(out, at, 0x7875, 2);
        put(out, at, 1, 2);
        put(out, at, 0, 1);
      }
      put(out, at, 1, 2);
      put(out, at, central ? 24 : 16, 2);
      put(out, at, npy.size, 8);
      put(out, at, packed_size, 8);
      if (central)
        put(out, at, offset, 8);
    }
  }
  memcpy(zip->bytes + zip->size, packed, packed_size);
  zip->size += packed_size;
  zip->entries++;
  tfe_buffer_free(&npy);
}

static void finish(Zip *zip) {
  size_t start = zip->size, *at = &zip->size;
  memcpy(zip->bytes + start, zip->directory, zip->directory_size);
  *at += zip->directory_size;
  if (zip->zip64) {
    size_t record = *at;
    put(zip->bytes, at, 0x06064b50, 4);
    put(zip->bytes, at, 44, 8);
    put(zip->bytes, at, 45, 2);
    put(zip->bytes, at, 45, 2);
    put(zip->bytes, at, 0, 8);
    put(zip->bytes, at, zip->entries, 8);
    put(zip->bytes, at, zip->entries, 8);
    put(zip->bytes, at, zip->directory_size, 8);
    put(zip->bytes, at, start, 8);
    put(zip->bytes, at, 0x07064b50, 4);
    put(zip->bytes, at, 0, 4);
    put(zip->bytes, at, record, 8);
    put(zip->bytes, at, 1, 4);
  }
  put(zip->bytes, at, 0x06054b50, 4);
  put(zip->bytes, at, 0, 4);
  put(zip->bytes, at, zip->zip64 ? 0xffff : zip->entries, 2);
  put(zip->bytes, at, zip->zip64 ? 0xffff : zip->entries, 2);
  put(zip->bytes, at, zip->zip64 ? 0xffffffff : zip->directory_size, 4);
  put(zip->bytes, at, zip->zip64 ? 0xffffffff : start, 4);
  put(zip->bytes, at, 0, 2);
}

static TfeStatus read_zip(Fixture *f, const TfeSlot *slot, const Zip *zip, uint64_t *out) {
  TfeWant want = {slot, "t.npz", "--input x=t.npz"};
  unsigned char *exact = test_malloc(zip->size > 0 ? zip->size : 1);
  memcpy(exact, zip->bytes, zip->size);
  fixture_forgive(f);
  TfeStatus status = tfe_npz_read(&f->ctx, &want, exact, zip->size, out);
  test_free(exact);
  return status;
}

static void good_archives(void **state) {
  Fixture f;
  uint64_t out[3];
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int kind = 0; kind < 4; kind++) {
    Zip zip = {.zip64 = kind / 2};
    add(&f, &zip, "c1.w.npy", 1, kind & 1);
    add(&f, &zip, "b.npy", 4, false);
    add(&f, &zip, "x.npy", 7, kind & 1);
    finish(&zip);
    assert_int_equal(read_zip(&f, &weight, &zip, out), TFE_OK);
    assert_true(as_real(out[0]) == 1 && as_real(out[2]) == 3);
    assert_int_equal(read_zip(&f, &bias, &zip, out), TFE_OK);
    assert_true(as_real(out[0]) == 4 && as_real(out[2]) == 6);
    assert_int_equal(read_zip(&f, &plain, &zip, out), TFE_OK);
    assert_true(as_real(out[0]) == 7 && as_real(out[2]) == 9);
    Zip single = {.zip64 = kind / 2};
    add(&f, &single, "arr_0.npy", 5, kind & 1);
    finish(&single);
    assert_int_equal(read_zip(&f, &plain, &single, out), TFE_OK);
    assert_true(as_real(out[0]) == 5);
  }
  fixture_close(&f);
}

static void missing_entries(void **state) {
  Fixture f;
  uint64_t out[3];
  Zip none = {.zip64 = false}, zip = {.zip64 = false}, twice = {.zip64 = false};
  (void)state;
  fixture_open(&f, NULL, 0);
  finish(&none);
  assert_int_equal(read_zip(&f, &plain, &none, out), TFE_INPUT_MISSING);
  assert_says(&f, "it has nothing");
  add(&f, &zip, "a.npy", 1, true);
  add(&f, &zip, "b\n.npy", 1, true);
  finish(&zip);
  assert_int_equal(read_zip(&f, &plain, &zip, out), TFE_INPUT_MISSING);
  assert_says(&f, "no data for input `x`: t.npz has no entry `x.npy`");
  assert_says(&f, "it has `a.npy`, `b\\x0a.npy`");
  assert_int_equal(read_zip(&f, &weight, &zip, out), TFE_INPUT_MISSING);
  assert_says(&f, "no entry `c1.w.npy`");
  add(&f, &twice, "x.npy", 1, false);
  add(&f, &twice, "x.npy", 2, false);
  finish(&twice);
  assert_int_equal(read_zip(&f, &plain, &twice, out), TFE_INPUT_FORMAT);
  assert_says(&f, "two entries have the same name");
  fixture_close(&f);
}

/* Writes a number over a field of the file and expects a refusal. `from` counts from the end if negative. */
static void spoil(Fixture *f, const Zip *good, int64_t at, uint64_t value, int size, const char *says) {
  Zip bad = *good;
  size_t from = at < 0 ? (size_t)((int64_t)good->size + at) : (size_t)at;
  uint64_t out[3];
  put(bad.bytes, &from, value, size);
  TfeStatus status = read_zip(f, &plain, &bad, out);
  if (status != TFE_INPUT_FORMAT)
    fail_msg("field at %ld: status %d %s", (long)at, status, f->ctx.error_text);
  assert_says(f, says);
}

static void damaged_archives(void **state) {
  Fixture f;
  uint64_t out[3];
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int deflated = 0; deflated < 2; deflated++) {
    Zip zip = {.zip64 = false};
    add(&f, &zip, "x.npy", 1, deflated);
    int64_t central = (int64_t)zip.size;
    finish(&zip);
    assert_int_equal(read_zip(&f, &plain, &zip, out), TFE_OK);
    spoil(&f, &zip, 0, 0x1234, 2, "does not begin as a zip file");
    spoil(&f, &zip, -22, 0, 1, "no directory at its end");
    spoil(&f, &zip, -18, 1, 2, "one part of several");
    spoil(&f, &zip, -14, 2, 2, "one part of several");
    spoil(&f, &zip, -12, 0xffff, 2, "one part of several");
    spoil(&f, &zip, -10, 1000, 4, "directory is damaged");
    spoil(&f, &zip, -6, 0xfffffff0, 4, "directory is damaged");
    spoil(&f, &zip, -6, 0xffffffff, 4, "directory is damaged");
    spoil(&f, &zip, -2, 5, 2, "no directory at its end");
    spoil(&f, &zip, central, 0, 4, "directory is damaged");
    spoil(&f, &zip, central + 8, 1, 2, "encrypted");
    spoil(&f, &zip, central + 10, 12, 2, "another way than deflate");
    spoil(&f, &zip, central + 16, 7, 4, "checksum does not hold");
    spoil(&f, &zip, central + 20, 0xfffffff0, 4, "directory is damaged");
    spoil(&f, &zip, central + 24, 0xfffffff0, 4, "directory is damaged");
    spoil(&f, &zip, central + 24, 0xffffffff, 4, "directory is damaged");
    spoil(&f, &zip, central + 28, 500, 2, "directory is damaged");
    spoil(&f, &zip, central + 30, 1, 2, "directory is damaged");
    spoil(&f, &zip, central + 42, 0xfffffff0, 4, "directory is damaged");
    spoil(&f, &zip, central + 42, 3, 4, "directory is damaged");
    spoil(&f, &zip, 26, 0xffff, 2, "directory is damaged");
    spoil(&f, &zip, central - 3, 0xabcd, 2, deflated ? "is damaged" : "checksum");
    if (deflated) {
      spoil(&f, &zip, central + 24, 151, 4, "compressed data is damaged"); /* shorter than it inflates to */
      spoil(&f, &zip, central + 24, 153, 4, "compressed data is damaged"); /* longer */
    }
    for (size_t size = 0; size < zip.size; size++) {
      Zip cut = zip;
      cut.size = size;
      assert_int_equal(read_zip(&f, &plain, &cut, out), TFE_INPUT_FORMAT);
    }
  }
  fixture_close(&f);
}

/* Any one bit may be wrong anywhere: refused or without influence, never a crash or a wrong value. */
static void every_bit(void **state) {
  Fixture f;
  uint64_t out[3];
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int kind = 0; kind < 4; kind++) {
    Zip zip = {.zip64 = kind / 2};
    add(&f, &zip, "x.npy", 1, kind & 1);
    finish(&zip);
    for (size_t at = 0; at < zip.size; at++)
      for (int bit = 0; bit < 8; bit++) {
        Zip wrong = zip;
        wrong.bytes[at] ^= (unsigned char)(1 << bit);
        if (read_zip(&f, &plain, &wrong, out) == TFE_OK)
          assert_true(as_real(out[0]) == 1 && as_real(out[1]) == 2 && as_real(out[2]) == 3);
      }
  }
  fixture_close(&f);
}

static void written_archives(void **state) {
  const uint64_t w[] = {as_word(1), as_word(2), as_word(3)}, b[] = {as_word(4), as_word(5), as_word(6)};
  TfeBuffer file = {0}, again = {0}, directory = {0};
  uint64_t out[3];
  Fixture f;
  (void)state;
  fixture_open(&f, NULL, 0);
  for (int run = 0; run < 2; run++) {
    TfeBuffer *to = run ? &again : &file;
    tfe_buffer_clear(&directory);
    assert_int_equal(tfe_npz_write(&f.ctx, to, &directory, 0, &weight, w), TFE_OK);
    assert_int_equal(tfe_npz_write(&f.ctx, to, &directory, to->size, &bias, b), TFE_OK);
    assert_int_equal(tfe_npz_finish(&f.ctx, to, &directory, to->size, 2), TFE_OK);
  }
  assert_int_equal(file.size, again.size);
  assert_memory_equal(file.data, again.data, file.size);
  TfeWant want = {&weight, "t.npz", ""};
  assert_int_equal(tfe_npz_read(&f.ctx, &want, file.data, file.size, out), TFE_OK);
  assert_memory_equal(out, w, sizeof w);
  want.slot = &bias;
  assert_int_equal(tfe_npz_read(&f.ctx, &want, file.data, file.size, out), TFE_OK);
  assert_memory_equal(out, b, sizeof b);
  assert_int_equal(tfe_npz_write(&f.ctx, &file, &directory, UINT32_MAX - 1000, &bias, b), TFE_OUTPUT);
  tfe_buffer_free(&file);
  tfe_buffer_free(&again);
  tfe_buffer_free(&directory);
  fixture_close(&f);
}

/* Each allocation fails once, zlib's among them. */
static void no_memory(void **state) {
  Fixture f;
  uint64_t out[3];
  Zip zip = {.zip64 = false};
  (void)state;
  fixture_open(&f, NULL, 0);
  add(&f, &zip, "x.npy", 1, true);
  finish(&zip);
  size_t n = 1;
  for (TfeStatus status = TFE_MEMORY; status != TFE_OK; n++) {
    f.ctx.fail_allocation = f.ctx.allocations + n;
    status = read_zip(&f, &plain, &zip, out);
    assert_true(status == TFE_OK || f.ctx.error == TFE_MEMORY);
  }
  assert_true(n > 3);
  f.ctx.fail_allocation = 0;
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_archives), cmocka_unit_test(missing_entries),  cmocka_unit_test(damaged_archives),
      cmocka_unit_test(every_bit),     cmocka_unit_test(written_archives), cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
