/* Inputs and outputs end to end: bindings, streams, structs, defaults, the life of output files, faults on
 * the way. Runs in a directory of its own. */
#include "file_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../runtime/file/npy.h"
#include "../../runtime/file/npz.h"
#include "../../runtime/include/abi.h"
#include "../../runtime/stop.h"

static const int64_t two[] = {2};
static const TfeSlot x_only[] = {{"x", NULL, TFE_ELEM_FIXED, 1, two, "m.tfe:4", 0, 0, NULL}};
static const TfeSlot scalars[] = {{"a", NULL, TFE_ELEM_FIXED, 0, NULL, "m.tfe:4", 0, 0, NULL},
                                  {"n", NULL, TFE_ELEM_INT, 0, NULL, "m.tfe:5", 0, 0, NULL},
                                  {"b", NULL, TFE_ELEM_BOOL, 0, NULL, "m.tfe:6", 0, 0, NULL}};
static const TfeSlot net[] = {{"net", "w", TFE_ELEM_FIXED, 1, two, "m.tfe:4", 0, 0, NULL},
                              {"net", "c1.k", TFE_ELEM_INT, 0, NULL, "m.tfe:4", 0, 0, NULL}};
static const TfeSlot twice[] = {{"x", NULL, TFE_ELEM_FIXED, 1, two, "m.tfe:4", 0, 0, NULL},
                                {"x", NULL, TFE_ELEM_FIXED, 1, two, "m.tfe:9", 0, 0, NULL}};
static const TfeSlot y_only[] = {{"y", NULL, TFE_ELEM_FIXED, 1, two, "m.tfe:7", 1, 0, NULL}};
static const TfeSlot outs[] = {{"y", NULL, TFE_ELEM_FIXED, 1, two, "m.tfe:7", 1, 0, NULL},
                               {"z", NULL, TFE_ELEM_INT, 0, NULL, "m.tfe:8", 1, 0, NULL},
                               {"net", "w", TFE_ELEM_FIXED, 1, two, "m.tfe:9", 1, 0, NULL},
                               {"net", "c1.k", TFE_ELEM_INT, 0, NULL, "m.tfe:9", 1, 0, NULL}};

#define OPEN(f, slots) fixture_open(f, slots, (int64_t)(sizeof slots / sizeof *slots))

/* -- the directory --------------------------------------------------------------------------------------- */

static char home[64];

static int visit(const char *directory, bool remove_all) {
  int count = 0;
  DIR *dir = opendir(directory);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));) {
    char path[512];
    struct stat info;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    count++;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    assert_int_equal(lstat(path, &info), 0);
    if (remove_all && S_ISDIR(info.st_mode)) {
      visit(path, true);
      assert_int_equal(rmdir(path), 0);
    } else if (remove_all) {
      assert_int_equal(unlink(path), 0);
    }
  }
  closedir(dir);
  return count;
}

static int enter(void **state) {
  (void)state;
  strcpy(home, "/tmp/tfe-io-XXXXXX");
  return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int leave(void **state) {
  (void)state;
  visit(home, true);
  return chdir("/") == 0 && rmdir(home) == 0 ? 0 : -1;
}

static void text_file(const char *path, const char *text) {
  write_file(path, text, strlen(text));
}

static void npy_file(Fixture *f, const char *path, double first, double second) {
  const uint64_t data[] = {as_word(first), as_word(second)};
  TfeBuffer bytes = {0};
  assert_int_equal(tfe_npy_write(&f->ctx, &bytes, x_only, data), TFE_OK);
  write_file(path, bytes.data, bytes.size);
  tfe_buffer_free(&bytes);
}

static void npz_file(Fixture *f, const char *path, double first, int64_t k) {
  const uint64_t w[] = {as_word(first), as_word(first + 1)}, number[] = {(uint64_t)k};
  TfeBuffer bytes = {0}, directory = {0};
  assert_int_equal(tfe_npz_write(&f->ctx, &bytes, &directory, 0, &net[0], w), TFE_OK);
  assert_int_equal(tfe_npz_write(&f->ctx, &bytes, &directory, bytes.size, &net[1], number), TFE_OK);
  assert_int_equal(tfe_npz_finish(&f->ctx, &bytes, &directory, bytes.size, 2), TFE_OK);
  write_file(path, bytes.data, bytes.size);
  tfe_buffer_free(&bytes);
  tfe_buffer_free(&directory);
}

static void expect_file(const char *path, const char *text) {
  char have[1024] = "";
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t size = fread(have, 1, sizeof have - 1, file);
  fclose(file);
  assert_int_equal(size, strlen(text));
  assert_string_equal(have, text);
}

static bool exists(const char *path) {
  return access(path, F_OK) == 0;
}

static void expect_x(Fixture *f, double first, double second) {
  uint64_t out[2] = {0};
  const double expected[] = {first, second};
  if (tfe_input(&f->ctx, out, 0) != TFE_OK)
    fail_msg("%s", f->ctx.error_text);
  assert_reals(out, expected, 2);
}

static bool more(Fixture *f, const char *name) {
  uint64_t out = 7;
  if (tfe_more(&f->ctx, &out, name) != TFE_OK)
    fail_msg("%s", f->ctx.error_text);
  return out != 0;
}

/* -- inputs ---------------------------------------------------------------------------------------------- */

static void bindings(void **state) {
  static const struct {
    const char *binding;
    TfeStatus status;
    const char *says;
  } cases[] = {
      {"x", TFE_USAGE, "--input needs NAME=FILE or NAME=VALUE, not `x`"},
      {"=5", TFE_USAGE, "--input needs"},
      {"x=", TFE_USAGE, "--input needs"},
      {"z=5", TFE_USAGE, "ann has no input `z`"},
      {"z=5", TFE_USAGE, "its inputs are `a`, `n`, `b`"},
      {"a=5", TFE_OK, NULL},
      {"n=-", TFE_OK, NULL},
  };
  Fixture f;
  (void)state;
  OPEN(&f, scalars);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fixture_forgive(&f);
    assert_int_equal(tfe_io_bind_input(&f.ctx, cases[i].binding), cases[i].status);
    assert_says(&f, cases[i].says);
  }
  assert_int_equal(tfe_io_bind_input(&f.ctx, "a=6"), TFE_USAGE);
  assert_says(&f, "--input a is given twice");
  fixture_forgive(&f);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "b=-"), TFE_USAGE);
  assert_says(&f, "both input `n` and input `b` would read standard input");
  fixture_forgive(&f);
  assert_int_equal(tfe_io_bind_output(&f.ctx, "y=y.npy"), TFE_USAGE);
  assert_says(&f, "it has no outputs");
  fixture_close(&f);
}

static void literals(void **state) {
  Fixture f;
  uint64_t out;
  (void)state;
  OPEN(&f, scalars);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "a=2.5"), TFE_OK);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "n=-7"), TFE_OK);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "b=true"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  assert_int_equal(tfe_input(&f.ctx, &out, 1), TFE_OK);
  assert_true(out == (uint64_t)-7);
  assert_int_equal(tfe_input(&f.ctx, &out, 0), TFE_OK);
  assert_true(as_real(out) == 2.5);
  assert_int_equal(tfe_input(&f.ctx, &out, 2), TFE_OK);
  assert_true(out == 1);
  assert_int_equal(tfe_input(&f.ctx, &out, 2), TFE_INPUT_MISSING);
  assert_says(&f, "no further data for input `b` after 1 item");
  assert_says(&f, "--input b=true, declared at m.tfe:6");
  fixture_close(&f);
}

static void literal_of_a_struct(void **state) {
  Fixture f;
  uint64_t out[2];
  (void)state;
  OPEN(&f, net);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "net={\"w\": [1, 2], \"c1\": {\"k\": 3}}"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  expect_x(&f, 1, 2);
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_OK);
  assert_true(out[0] == 3);
  fixture_close(&f);
}

static void files(void **state) {
  static const char *const names[] = {"x=a.npy", "x=a.csv", "x=a.dat", "x=b.dat", "x=A.NPY"};
  Fixture f;
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    OPEN(&f, x_only);
    npy_file(&f, "a.npy", 1, 2);
    npy_file(&f, "A.NPY", 1, 2);
    npy_file(&f, "a.dat", 1, 2);
    text_file("a.csv", "1,2\n");
    text_file("b.dat", "1\n2\n");
    assert_int_equal(tfe_io_bind_input(&f.ctx, names[i]), TFE_OK);
    assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
    text_file(names[i] + 2, "changed"); /* what was checked is what the program gets */
    assert_true(more(&f, "x"));
    expect_x(&f, 1, 2);
    assert_false(more(&f, "x"));
    fixture_close(&f);
  }
}

static void refused_files(void **state) {
  static const struct {
    const char *binding;
    TfeStatus status;
    const char *says;
  } cases[] = {
      {"x=nothing.npy", TFE_INPUT_MISSING, "no data for input `x`: cannot open nothing.npy: No such file"},
      {"x=empty", TFE_INPUT_MISSING, "no data for input `x`"},
      {"x=long.csv", TFE_INPUT_SHAPE, "from long.csv (--input x=long.csv), declared at m.tfe:4"},
      {"x=text.npy", TFE_INPUT_FORMAT, "text.npy is not a .npy file that can be read"},
      {"x=text.npz", TFE_INPUT_FORMAT, "text.npz is not a .npz file that can be read"},
      {"x=bad", TFE_INPUT_FORMAT, "bad/2.csv:1:2: `x` is not a number"},
      {"x=[1]", TFE_INPUT_SHAPE, "the last axis must be 2"},
      {"x=[1, nan]", TFE_INPUT_RANGE, "--input x:1:5: `nan` is not a finite number"},
      {"x=nan", TFE_INPUT_SHAPE, "has shape []"},
  };
  Fixture f;
  (void)state;
  assert_int_equal(mkdir("empty", 0777), 0);
  assert_int_equal(mkdir("bad", 0777), 0);
  text_file("empty/.hidden", "1,2");
  text_file("bad/1.csv", "1,2");
  text_file("bad/2.csv", "1,x");
  text_file("long.csv", "1,2,3");
  text_file("text.npy", "1,2");
  text_file("text.npz", "1,2");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    OPEN(&f, x_only);
    assert_int_equal(tfe_io_bind_input(&f.ctx, cases[i].binding), TFE_OK);
    assert_int_equal(tfe_io_check(&f.ctx), cases[i].status);
    assert_says(&f, cases[i].says);
    fixture_close(&f);
  }
}

static void directories(void **state) {
  Fixture f;
  (void)state;
  assert_int_equal(mkdir("d", 0777), 0);
  for (int slash = 0; slash < 2; slash++) {
    OPEN(&f, x_only);
    npy_file(&f, "d/10.npy", 3, 4);
    text_file("d/1.csv", "1,2");
    text_file("d/2.csv", "a\n5\n6\n");
    assert_int_equal(tfe_io_bind_input(&f.ctx, slash ? "x=d/" : "x=d"), TFE_OK);
    assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
    assert_int_equal(tfe_io_check(&f.ctx), TFE_OK); /* again: no change */
    expect_x(&f, 1, 2);
    assert_true(more(&f, "x"));
    expect_x(&f, 3, 4);
    expect_x(&f, 5, 6);
    assert_false(more(&f, "x"));
    uint64_t out[2];
    assert_int_equal(tfe_input(&f.ctx, out, 0), TFE_INPUT_MISSING);
    assert_says(&f, "no further data for input `x` after 3 items");
    fixture_close(&f);
  }
}

static void structs(void **state) {
  uint64_t out[2];
  Fixture f;
  (void)state;
  assert_int_equal(mkdir("s", 0777), 0);
  assert_int_equal(mkdir("items", 0777), 0);
  assert_int_equal(mkdir("items/b", 0777), 0);
  OPEN(&f, net);
  npy_file(&f, "s/w.npy", 1, 2);
  text_file("s/c1.k.csv", "3");
  npy_file(&f, "items/b/w.npy", 5, 6);
  text_file("items/b/c1.k.csv", "7");
  npz_file(&f, "items/a.npz", 8, 9);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "net=s/"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_OK);
  assert_true(out[0] == 3);
  expect_x(&f, 1, 2);
  assert_false(more(&f, "net"));
  fixture_close(&f);

  OPEN(&f, net);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "net=items"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  expect_x(&f, 8, 9); /* fields advance together */
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_OK);
  assert_true(out[0] == 9);
  assert_true(more(&f, "net"));
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_OK);
  assert_true(out[0] == 7);
  expect_x(&f, 5, 6);
  assert_false(more(&f, "net"));
  fixture_close(&f);

  OPEN(&f, net);
  text_file("net.csv", "1,2");
  assert_int_equal(tfe_io_bind_input(&f.ctx, "net=net.csv"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_FORMAT);
  assert_says(&f, "input `net` is a struct, but net.csv is not a .npz file");
  fixture_close(&f);

  OPEN(&f, net);
  assert_int_equal(unlink("s/c1.k.csv"), 0);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "net=s"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_MISSING);
  assert_says(&f, "cannot open s/c1.k.npy");
  fixture_close(&f);
}

/* Two calls of input("x") in a program: two slots, one queue. */
static void one_queue(void **state) {
  uint64_t out[2];
  Fixture f;
  (void)state;
  assert_int_equal(mkdir("q", 0777), 0);
  text_file("q/1.csv", "1,2");
  text_file("q/2.csv", "3,4");
  OPEN(&f, twice);
  assert_int_equal(tfe_io_bind_input(&f.ctx, "x=q"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  expect_x(&f, 1, 2);
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_OK);
  assert_true(as_real(out[0]) == 3);
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_INPUT_MISSING);
  fixture_close(&f);
}

static void defaults(void **state) {
  static const char *const files_of_x[] = {"x.npy", "x.npz", "x.csv"};
  static const TfeSlot outside[] = {{"../x", NULL, TFE_ELEM_FIXED, 1, two, "m.tfe:4", 0, 0, NULL}};
  Fixture f;
  (void)state;
  OPEN(&f, x_only);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_MISSING);
  assert_string_equal(f.ctx.error_text, "no data for input `x`");
  assert_says(&f, "declared at m.tfe:4");
  assert_says(&f, "= help: give --input x=FILE, or put x.npy into this directory");
  fixture_close(&f);
  for (int i = 0; i < 3; i++) {
    OPEN(&f, x_only);
    npy_file(&f, "x.npy", 1, 2);
    if (i == 1) {
      const uint64_t data[] = {as_word(1), as_word(2)};
      TfeBuffer bytes = {0}, directory = {0};
      assert_int_equal(tfe_npz_write(&f.ctx, &bytes, &directory, 0, x_only, data), TFE_OK);
      assert_int_equal(tfe_npz_finish(&f.ctx, &bytes, &directory, bytes.size, 1), TFE_OK);
      write_file("x.npz", bytes.data, bytes.size);
      tfe_buffer_free(&bytes);
      tfe_buffer_free(&directory);
    }
    text_file(i == 2 ? "x.csv" : "unused", "1,2");
    if (i > 0)
      assert_int_equal(unlink("x.npy"), 0);
    assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
    expect_x(&f, 1, 2);
    fixture_close(&f);
    assert_int_equal(unlink(files_of_x[i]), 0);
  }
  OPEN(&f, x_only);
  npy_file(&f, "x.npy", 1, 2);
  text_file("x.csv", "1,2");
  assert_int_equal(tfe_io_check(&f.ctx), TFE_USAGE);
  assert_says(&f, "both x.npy and x.csv could be input `x`");
  fixture_close(&f);
  OPEN(&f, x_only);
  assert_int_equal(unlink("x.csv"), 0);
  text_file("x.npy", "1,2,3");
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_FORMAT);
  assert_says(&f, "from x.npy (in the working directory), declared at m.tfe:4");
  fixture_close(&f);
  OPEN(&f, net);
  assert_int_equal(mkdir("net", 0777), 0);
  npy_file(&f, "net/w.npy", 1, 2);
  text_file("net/c1.k.csv", "3");
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  expect_x(&f, 1, 2);
  fixture_close(&f);
  assert_int_equal(mkdir("inner", 0777), 0);
  assert_int_equal(chdir("inner"), 0);
  OPEN(&f, outside); /* the program cannot choose a file elsewhere */
  npy_file(&f, "../x.npy", 1, 2);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_MISSING);
  fixture_close(&f);
  assert_int_equal(chdir(".."), 0);
}

/* -- standard input -------------------------------------------------------------------------------------- */

static const char *fed; /* text that reading standard input gives */
static size_t fed_step; /* bytes at a time */

static ssize_t feed(int fd, void *data, size_t size) {
  assert_int_equal(fd, 0);
  size_t n = strlen(fed);
  n = n > fed_step ? fed_step : n;
  n = n > size ? size : n;
  memcpy(data, fed, n);
  fed += n;
  return (ssize_t)n;
}

static void standard_input(void **state) {
  uint64_t out[2];
  Fixture f;
  (void)state;
  for (fed_step = 1; fed_step < 40; fed_step += 6) {
    OPEN(&f, x_only);
    f.ctx.io->system.read = feed;
    fed = "\n[1, 2]\n \r\n[3, 4]\r\n\n[5,6]";
    assert_int_equal(tfe_io_bind_input(&f.ctx, "x=-"), TFE_OK);
    assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
    assert_true(more(&f, "x"));
    expect_x(&f, 1, 2);
    expect_x(&f, 3, 4);
    assert_true(more(&f, "x"));
    assert_true(more(&f, "x"));
    expect_x(&f, 5, 6);
    assert_false(more(&f, "x"));
    assert_int_equal(tfe_input(&f.ctx, out, 0), TFE_INPUT_MISSING);
    fixture_close(&f);
  }
  OPEN(&f, x_only);
  f.ctx.io->system.read = feed;
  fed = "[1, 2]\n\n[3, y]\n";
  assert_int_equal(tfe_io_bind_input(&f.ctx, "x=-"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  expect_x(&f, 1, 2);
  assert_int_equal(tfe_input(&f.ctx, out, 0), TFE_INPUT_FORMAT);
  assert_says(&f, "standard input:3:5: this is not a number");
  fixture_close(&f);
  OPEN(&f, x_only);
  f.ctx.io->system.read = feed;
  fed = " \n";
  assert_int_equal(tfe_io_bind_input(&f.ctx, "x=-"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_MISSING);
  fixture_close(&f);
}

static ssize_t endless(int fd, void *data, size_t size) {
  (void)fd;
  memset(data, '1', size);
  return (ssize_t)size;
}

static void endless_line(void **state) {
  Fixture f;
  (void)state;
  OPEN(&f, x_only);
  f.ctx.io->system.read = endless;
  assert_int_equal(tfe_io_bind_input(&f.ctx, "x=-"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_FORMAT);
  assert_says(&f, "standard input:1: this line is too long");
  fixture_close(&f);
  OPEN(&f, x_only);
  f.ctx.io->system.read = endless;
  assert_int_equal(tfe_io_bind_input(&f.ctx, "x=/dev/zero"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INPUT_FORMAT);
  assert_says(&f, "/dev/zero is larger than this input can be");
  fixture_close(&f);
}

/* -- faults while reading -------------------------------------------------------------------------------- */

static int fault_at, calls;
static enum { SHORT, END, BROKEN } fault_kind;

static ssize_t faulty_read(int fd, void *data, size_t size) {
  if (++calls == fault_at) {
    errno = fault_kind == SHORT ? EINTR : EIO;
    if (fault_kind == END)
      return 0;
    if (calls % 2 == 1 || fault_kind == BROKEN)
      return -1;
  }
  return read(fd, data, size > 7 ? 7 : size); /* always short */
}

static void short_reads(void **state) {
  Fixture f;
  (void)state;
  for (int kind = SHORT; kind <= BROKEN; kind++)
    for (fault_at = 1; fault_at < 24; fault_at++) {
      OPEN(&f, x_only);
      npy_file(&f, "x.npy", 1, 2);
      fault_kind = (unsigned)kind;
      calls = 0;
      f.ctx.io->system.read = faulty_read;
      TfeStatus status = tfe_io_check(&f.ctx);
      bool reached = calls >= fault_at;
      if (kind == SHORT || !reached)
        expect_x(&f, 1, 2);
      else if (kind == BROKEN)
        assert_int_equal(status, TFE_SYSTEM);
      else
        assert_true(status == TFE_INPUT_FORMAT || status == TFE_OK); /* OK: the end that was due anyway */
      fixture_close(&f);
    }
}

static ssize_t stopped_read(int fd, void *data, size_t size) {
  (void)fd;
  (void)data;
  (void)size;
  raise(SIGINT);
  errno = EINTR;
  return -1;
}

/* Ctrl-C while standard input is awaited. */
static void stopped(void **state) {
  Fixture f;
  (void)state;
  tfe_stop_install();
  OPEN(&f, x_only);
  f.ctx.io->system.read = stopped_read;
  assert_int_equal(tfe_io_bind_input(&f.ctx, "x=-"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_INTERRUPTED);
  assert_says(&f, "stopped while reading standard input");
  fixture_close(&f);
}

static void no_memory(void **state) {
  Fixture f;
  size_t n = 0;
  (void)state;
  assert_int_equal(mkdir("m", 0777), 0);
  for (TfeStatus status = TFE_MEMORY; status != TFE_OK;) {
    OPEN(&f, net);
    npz_file(&f, "m/a.npz", 1, 2);
    npz_file(&f, "m/b.npz", 1, 2);
    f.ctx.fail_allocation = f.ctx.allocations + ++n;
    status = tfe_io_bind_input(&f.ctx, "net=m");
    if (status == TFE_OK)
      status = tfe_io_check(&f.ctx);
    uint64_t out[2];
    if (status == TFE_OK)
      status = tfe_input(&f.ctx, out, 0);
    assert_true(status == TFE_OK || (status == TFE_MEMORY && f.ctx.error == TFE_MEMORY));
    fixture_close(&f);
  }
  assert_true(n > 10);
}

/* -- outputs --------------------------------------------------------------------------------------------- */

static char said[1024];

static TfeStatus hear(void *user, const char *text, size_t size, bool joint) {
  (void)user;
  assert_false(joint);
  strncat(said, text, size);
  return TFE_OK;
}

static TfeStatus write_all(Fixture *f) {
  const uint64_t y[] = {as_word(0.5), as_word(2)}, number[] = {(uint64_t)-3};
  TfeStatus status = tfe_output(&f->ctx, y, 0);
  if (status == TFE_OK)
    status = tfe_output(&f->ctx, number, 1);
  if (status == TFE_OK)
    status = tfe_output(&f->ctx, y, 2);
  return status == TFE_OK ? tfe_output(&f->ctx, number, 3) : status;
}

static void output_text(void **state) {
  static const char all[] = "y = [0.5 2]\nz = -3\nnet.w = [0.5 2]\nnet.c1.k = -3\n";
  Fixture f;
  (void)state;
  OPEN(&f, outs);
  said[0] = 0;
  tfe_io_print_sink(&f.ctx, hear, NULL);
  assert_int_equal(tfe_io_bind_output(&f.ctx, "y=-"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  assert_int_equal(write_all(&f), TFE_OK);
  assert_string_equal(said, all); /* at once */
  assert_int_equal(tfe_io_commit(&f.ctx), TFE_OK);
  fixture_close(&f);
  assert_int_equal(visit(".", false), 0);

  OPEN(&f, outs);
  tfe_io_print_sink(&f.ctx, hear, NULL);
  assert_int_equal(tfe_io_bind_output(&f.ctx, "net=n.txt"), TFE_OK);
  assert_int_equal(write_all(&f), TFE_OK);
  assert_int_equal(tfe_io_commit(&f.ctx), TFE_OK);
  fixture_close(&f);
  expect_file("n.txt", "net.w = [0.5 2]\nnet.c1.k = -3\n");
}

static void output_files(void **state) {
  Fixture f;
  uint64_t out[2];
  (void)state;
  text_file("y.csv", "old");
  assert_int_equal(symlink("y.csv", "link.csv"), 0);
  OPEN(&f, outs);
  assert_int_equal(tfe_io_bind_output(&f.ctx, "y=link.csv"), TFE_OK);
  assert_int_equal(tfe_io_bind_output(&f.ctx, "z=z.npy"), TFE_OK);
  assert_int_equal(tfe_io_bind_output(&f.ctx, "net=./net.npz"), TFE_OK);
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  assert_int_equal(write_all(&f), TFE_OK);
  expect_file("y.csv", "old"); /* not before commit */
  assert_false(exists("z.npy"));
  assert_int_equal(tfe_io_commit(&f.ctx), TFE_OK);
  expect_file("y.csv", "0.5\n2\n");
  fixture_close(&f);
  assert_int_equal(visit(".", false), 4);
  struct stat info;
  assert_true(lstat("link.csv", &info) == 0 && S_ISLNK(info.st_mode));

  OPEN(&f, net); /* and back */
  assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
  expect_x(&f, 0.5, 2);
  assert_int_equal(tfe_input(&f.ctx, out, 1), TFE_OK);
  assert_true(out[0] == (uint64_t)-3);
  fixture_close(&f);
}

static void output_twice(void **state) {
  static const struct {
    const char *binding;
    TfeStatus status;
    const char *file;
  } cases[] = {
      {"y=t.npy", TFE_OUTPUT, NULL},
      {"y=t.npz", TFE_OUTPUT, NULL},
      {"y=t.csv", TFE_OK, "1\n2\n1\n2\n"},
      {"y=t.txt", TFE_OK, "y = [1 2]\ny = [1 2]\n"},
  };
  const uint64_t y[] = {as_word(1), as_word(2)};
  Fixture f;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    OPEN(&f, y_only);
    assert_int_equal(tfe_io_bind_output(&f.ctx, cases[i].binding), TFE_OK);
    assert_int_equal(tfe_output(&f.ctx, y, 0), TFE_OK);
    assert_int_equal(tfe_output(&f.ctx, y, 0), cases[i].status);
    if (cases[i].status == TFE_OK)
      assert_int_equal(tfe_io_commit(&f.ctx), TFE_OK);
    else
      assert_says(&f, "is written a second time");
    fixture_close(&f);
    if (cases[i].file) {
      expect_file(cases[i].binding + 2, cases[i].file);
      assert_int_equal(unlink(cases[i].binding + 2), 0);
    }
    assert_int_equal(visit(".", false), 0);
  }
}

static void refused_outputs(void **state) {
  static const struct {
    const char *first, *second;
    TfeStatus status;
    const char *says;
  } cases[] = {
      {"y", NULL, TFE_USAGE, "--output needs NAME=FILE, not `y`"},
      {"q=a.npy", NULL, TFE_USAGE, "ann has no output `q`"},
      {"y=a.npy", "y=b.npy", TFE_USAGE, "--output y is given twice"},
      {"y=-", "y=b.npy", TFE_USAGE, "--output y is given twice"},
      {"y=a.dat", NULL, TFE_USAGE, "cannot tell from the name `a.dat` what to write"},
      {"net=a.npy", NULL, TFE_USAGE, "output `net` is a struct"},
      {"net=a.csv", NULL, TFE_USAGE, "output `net` is a struct"},
      {"y=a.txt", "z=a.txt", TFE_USAGE, "outputs `y` and `z` would both be written to a.txt"},
      {"y=none/a.npy", NULL, TFE_OUTPUT, "cannot write output `y` to none/a.npy: No such file or directory"},
      {"y=d.npy", NULL, TFE_OUTPUT, "d.npy exists and is not a file"},
  };
  Fixture f;
  (void)state;
  assert_int_equal(mkdir("d.npy", 0777), 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    OPEN(&f, outs);
    TfeStatus status = tfe_io_bind_output(&f.ctx, cases[i].first);
    if (status == TFE_OK && cases[i].second)
      status = tfe_io_bind_output(&f.ctx, cases[i].second);
    if (status == TFE_OK)
      status = tfe_io_check(&f.ctx);
    assert_int_equal(status, cases[i].status);
    assert_says(&f, cases[i].says);
    fixture_close(&f);
    assert_int_equal(visit(".", false), 1); /* nothing but d.npy */
  }
}

static ssize_t faulty_write(int fd, const void *data, size_t size) {
  if (++calls == fault_at) {
    errno = fault_kind == SHORT ? EINTR : ENOSPC;
    return -1;
  }
  return write(fd, data, size > 100 ? 100 : size);
}

static int faulty_rename(const char *from, const char *to) {
  if (++calls == fault_at) {
    errno = EACCES;
    return -1;
  }
  return rename(from, to);
}

/* Whichever write or rename fails, nothing is left. */
static void faults_while_writing(void **state) {
  Fixture f;
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    bool failed = true;
    for (fault_at = 1; failed && fault_at < 50; fault_at++) {
      calls = 0;
      fault_kind = kind == 0 ? SHORT : BROKEN;
      OPEN(&f, outs);
      if (kind < 2)
        f.ctx.io->system.write = faulty_write;
      else
        f.ctx.io->system.rename = faulty_rename;
      assert_int_equal(tfe_io_bind_output(&f.ctx, "y=y.npy"), TFE_OK);
      assert_int_equal(tfe_io_bind_output(&f.ctx, "z=z.csv"), TFE_OK);
      assert_int_equal(tfe_io_bind_output(&f.ctx, "net=net.npz"), TFE_OK);
      assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
      TfeStatus status = write_all(&f);
      if (status == TFE_OK)
        status = tfe_io_commit(&f.ctx);
      failed = calls >= fault_at;
      assert_int_equal(status, failed && kind > 0 ? TFE_OUTPUT : TFE_OK);
      fixture_close(&f);
      assert_int_equal(visit(".", false), status == TFE_OK ? 3 : 0);
      visit(".", true);
    }
    assert_false(failed);
  }
}

/* A run that ends before commit (a lost peer, a signal) leaves nothing; an output that was not written is
 * no file. */
static void no_commit(void **state) {
  const uint64_t y[] = {as_word(1), as_word(2)};
  Fixture f;
  (void)state;
  for (int commit = 0; commit < 2; commit++) {
    OPEN(&f, outs);
    assert_int_equal(tfe_io_bind_output(&f.ctx, "y=y.npy"), TFE_OK);
    assert_int_equal(tfe_io_bind_output(&f.ctx, "z=z.csv"), TFE_OK);
    assert_int_equal(tfe_io_check(&f.ctx), TFE_OK);
    assert_int_equal(visit(".", false), 2);
    assert_int_equal(tfe_output(&f.ctx, y, 0), TFE_OK);
    if (commit)
      assert_int_equal(tfe_io_commit(&f.ctx), TFE_OK);
    fixture_close(&f);
    assert_int_equal(visit(".", false), commit);
    assert_int_equal(exists("y.npy"), commit);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(bindings),       TEST(literals),        TEST(literal_of_a_struct),
      TEST(files),          TEST(refused_files),   TEST(directories),
      TEST(structs),        TEST(one_queue),       TEST(defaults),
      TEST(standard_input), TEST(endless_line),    TEST(short_reads),
      TEST(no_memory),      TEST(output_text),     TEST(output_files),
      TEST(output_twice),   TEST(refused_outputs), TEST(faults_while_writing),
      TEST(no_commit),      TEST(stopped), /* last: the signal stays noted */
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
