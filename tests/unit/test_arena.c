/* Arena: alignment, zeroing, large blocks, interned names, formatted text, growable arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../compiler/arena.h"
#include "../../compiler/vec.h"

static void memory_is_zeroed_and_aligned(void **state) {
  (void)state;
  Arena *a = arena_new();
  for (size_t size = 0; size < 200000; size = size * 3 + 1) {
    unsigned char *p = arena_alloc(a, size);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < size; i++)
      assert_int_equal(p[i], 0);
    memset(p, 0xff, size);
  }
  arena_free(a);
}

static void pieces_do_not_overlap(void **state) {
  (void)state;
  enum { COUNT = 5000 };
  Arena *a = arena_new();
  int *p[COUNT];
  for (int i = 0; i < COUNT; i++) {
    p[i] = ARENA_ARRAY(a, int, i % 50 + 1);
    for (int j = 0; j <= i % 50; j++)
      p[i][j] = i;
  }
  for (int i = 0; i < COUNT; i++)
    for (int j = 0; j <= i % 50; j++)
      assert_int_equal(p[i][j], i);
  arena_free(a);
}

static void equal_names_are_one_pointer(void **state) {
  (void)state;
  enum { COUNT = 3000 };
  Arena *a = arena_new();
  const char *names[COUNT];
  for (int i = 0; i < COUNT; i++)
    names[i] = arena_intern_z(a, arena_printf(a, "name%d", i));
  for (int i = 0; i < COUNT; i++) {
    char text[32];
    int length = snprintf(text, sizeof text, "name%dxyz", i);
    assert_ptr_equal(arena_intern(a, text, (size_t)length - 3), names[i]);
  }
  assert_ptr_equal(arena_intern(a, "", 0), arena_intern_z(a, ""));
  assert_string_equal(arena_intern(a, "abc", 2), "ab");
  arena_free(a);
}

static void text_is_formatted(void **state) {
  (void)state;
  Arena *a = arena_new();
  assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
  char *longer = arena_printf(a, "%*d", 100000, 1);
  assert_int_equal(strlen(longer), 100000);
  arena_free(a);
  arena_free(NULL);
}

static void vectors_grow(void **state) {
  (void)state;
  Arena *a = arena_new();
  VEC(int) v = {0};
  for (int i = 0; i < 1000; i++)
    VEC_PUSH(a, &v, i * i);
  assert_int_equal(v.count, 1000);
  for (int i = 0; i < 1000; i++)
    assert_int_equal(v.data[i], i * i);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_is_zeroed_and_aligned),
      cmocka_unit_test(pieces_do_not_overlap),
      cmocka_unit_test(equal_names_are_one_pointer),
      cmocka_unit_test(text_is_formatted),
      cmocka_unit_test(vectors_grow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
