/* Sources: lines and columns, line text, joining spans, reading files and refusing what is not text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../compiler/source.h"

static Arena *arena;

static int setup(void **state) {
  (void)state;
  arena = arena_new();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

static void offsets_become_lines_and_columns(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int offset, line, column;
  } cases[] = {
      {"", 0, 1, 1},
      {"abc", 0, 1, 1},
      {"abc", 3, 1, 4},
      {"a\nb", 1, 1, 2},
      {"a\nb", 2, 2, 1},
      {"a\n", 2, 2, 1},
      {"\n\n\n", 2, 3, 1},
      {"\xc3\xa4\xc3\xb6x", 4, 1, 3},
      {"\xf0\x9f\x98\x80z", 4, 1, 2},
      {"a\r\nb", 3, 2, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Source *s = source_text(arena, "t.tfe", cases[i].text, strlen(cases[i].text));
    Span at = {s, cases[i].offset, cases[i].offset};
    assert_int_equal(source_line(at), cases[i].line);
    assert_int_equal(source_column(at), cases[i].column);
  }
}

static void lines_come_without_their_ends(void **state) {
  (void)state;
  const char text[] = "one\r\ntwo\n\nlast";
  static const char *const lines[] = {"one", "two", "", "last"};
  Source *s = source_text(arena, "t.tfe", text, sizeof text - 1);
  assert_int_equal(s->line_count, 4);
  for (int i = 0; i < 4; i++) {
    int length;
    const char *line = source_line_text(s, i + 1, &length);
    assert_int_equal(length, strlen(lines[i]));
    assert_memory_equal(line, lines[i], (size_t)length);
  }
  int length = 7;
  source_line_text(s, 0, &length);
  assert_int_equal(length, 0);
  source_line_text(s, 5, &length);
  assert_int_equal(length, 0);
}

static void places_are_named(void **state) {
  (void)state;
  Source *s = source_text(arena, "t.tfe", "a\nb", 3);
  assert_string_equal(source_where(arena, (Span){s, 2, 3}), "t.tfe:2");
  assert_string_equal(source_where(arena, (Span){0}), "the command line");
  assert_int_equal(source_line((Span){0}), 0);
  assert_int_equal(source_column((Span){0}), 0);
}

static void spans_join(void **state) {
  (void)state;
  Source *s = source_text(arena, "t.tfe", "abcdef", 6);
  Span a = {s, 1, 2}, b = {s, 4, 5}, none = {0};
  Span ab = span_join(a, b), ba = span_join(b, a);
  assert_true(ab.start == 1 && ab.end == 5 && ba.start == 1 && ba.end == 5);
  assert_int_equal(span_join(none, b).start, 4);
  assert_int_equal(span_join(a, none).end, 2);
}

static Source *read_bytes(const char *bytes, size_t length, const char **error) {
  char file[] = "/tmp/tfec_source_XXXXXX";
  int fd = mkstemp(file);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, length), length);
  close(fd);
  Source *s = source_read(arena, file, "shown.tfe", error);
  if (s) {
    assert_string_equal(s->file, file);
    assert_string_equal(s->path, "shown.tfe");
  }
  unlink(file);
  return s;
}

static void files_must_be_text(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t length;
    const char *error;
  } cases[] = {
      {"", 0, NULL},
      {"let x = 1\n", 10, NULL},
      {"# \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 13, NULL},
      {"a\n\0b", 4, "line 2 contains a NUL byte; is this a text file?"},
      {"a\n\n\xff", 4, "line 3 is not UTF-8 text"},
      {"\xc3", 1, "line 1 is not UTF-8 text"},
      {"\xc0\x80", 2, "line 1 is not UTF-8 text"},
      {"\xed\xa0\x80", 3, "line 1 is not UTF-8 text"},
      {"\xf4\x90\x80\x80", 4, "line 1 is not UTF-8 text"},
      {"\xe0\x80\x80", 3, "line 1 is not UTF-8 text"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *error = "?";
    Source *s = read_bytes(cases[i].bytes, cases[i].length, &error);
    if (!cases[i].error) {
      assert_non_null(s);
      assert_null(error);
      assert_int_equal(s->length, cases[i].length);
      assert_memory_equal(s->text, cases[i].bytes, cases[i].length);
      assert_int_equal(s->text[s->length], 0);
    } else {
      assert_null(s);
      assert_string_equal(error, cases[i].error);
    }
  }
}

static void large_files_are_read_whole(void **state) {
  (void)state;
  enum { SIZE = 100000 };
  char *bytes = malloc(SIZE);
  for (int i = 0; i < SIZE; i++)
    bytes[i] = (char)(i % 80 == 79 ? '\n' : 'a' + i % 26);
  const char *error;
  Source *s = read_bytes(bytes, SIZE, &error);
  assert_non_null(s);
  assert_int_equal(s->length, SIZE);
  assert_memory_equal(s->text, bytes, SIZE);
  free(bytes);
}

static void a_missing_file_has_a_reason(void **state) {
  (void)state;
  const char *error = NULL;
  assert_null(source_read(arena, "/nowhere/at/all.tfe", "all.tfe", &error));
  assert_string_equal(error, "No such file or directory");
  assert_null(source_read(arena, "/tmp", "tmp", &error));
  assert_string_equal(error, "Is a directory");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(offsets_become_lines_and_columns),
      cmocka_unit_test(lines_come_without_their_ends),
      cmocka_unit_test(places_are_named),
      cmocka_unit_test(spans_join),
      cmocka_unit_test(files_must_be_text),
      cmocka_unit_test(large_files_are_read_whole),
      cmocka_unit_test(a_missing_file_has_a_reason),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
