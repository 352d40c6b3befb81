/* Errors and contexts: the first error wins, texts are cut and not overrun, names of parties, memory, loop
 * passes; and the checks that end a program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/check.h"
#include "../../runtime/include/abi.h"
#include "kernel_ctx.h"

static int set_up(void **state) {
  static TfeCtx ctx;
  *state = &ctx;
  return tfe_ctx_init(&ctx, &test_program, 2);
}

static int tear_down(void **state) {
  tfe_ctx_free(*state);
  return 0;
}

static void test_table(void **unused) {
  (void)unused;
  assert_string_equal(tfe_status_code(TFE_OK), "");
  assert_string_equal(tfe_status_code(TFE_UNREACHABLE), "R0101");
  assert_string_equal(tfe_status_code(TFE_INTERNAL), "R0901");
  assert_int_equal(tfe_status_exit(TFE_OK), 0);
  assert_int_equal(tfe_status_exit(TFE_INPUT_RANGE), 65);
  assert_int_equal(tfe_status_exit(TFE_WRONG_KEY), 77);
  assert_int_equal(tfe_status_exit(-1), 70);
  assert_int_equal(tfe_status_exit(TFE_STATUS_COUNT), 70);
  assert_string_equal(tfe_status_code(1000), "R0901");
  for (int a = 1; a < TFE_STATUS_COUNT; a++) {
    assert_true(strlen(tfe_status_code(a)) == 5 && tfe_status_exit(a) >= 64 && tfe_status_exit(a) <= 78);
    for (int b = 1; b < a; b++)
      assert_string_not_equal(tfe_status_code(a), tfe_status_code(b));
  }
}

static void test_first_error_wins(void **state) {
  TfeCtx *ctx = *state;
  tfe_note(ctx, "before any error: dropped");
  assert_int_equal(tfe_fail(ctx, TFE_LOST_PEER, "lost %s", "bob"), TFE_LOST_PEER);
  tfe_note(ctx, "at %d", 1);
  tfe_help(ctx, "look at bob's log");
  assert_int_equal(tfe_fail(ctx, TFE_SYSTEM, "later"), TFE_SYSTEM);
  tfe_note(ctx, "belongs to the later error");
  assert_int_equal(ctx->error, TFE_LOST_PEER);
  assert_string_equal(ctx->error_text, "lost bob");
  assert_string_equal(ctx->error_more, "  = note: at 1\n  = help: look at bob's log\n");
}

static void test_long_texts(void **state) {
  TfeCtx *ctx = *state;
  char text[5000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  tfe_fail(ctx, TFE_SYSTEM, "%s", text);
  assert_int_equal(strlen(ctx->error_text), sizeof ctx->error_text - 1);
  for (int i = 0; i < 100; i++)
    tfe_note(ctx, "%.200s", text);
  tfe_note(ctx, "%s", text);
  size_t used = strlen(ctx->error_more);
  assert_true(used < sizeof ctx->error_more && ctx->error_more[used - 1] == '\n');
  assert_int_equal(used % (strlen("  = note: ") + 200 + 1), 0); /* whole lines only */
}

static void test_names(void **state) {
  TfeCtx *ctx = *state;
  assert_int_equal(ctx->party, 3);
  assert_string_equal(ctx->name, "clinic.2");
  assert_string_equal(ctx->binary, "party-clinic.2");
  static const char *const names[] = {"ann", "clinic.0", "clinic.1", "clinic.2", "bob"};
  for (int i = 0; i < 5; i++)
    assert_string_equal(tfe_party_name(ctx, i), names[i]);
  assert_string_equal(tfe_party_name(ctx, 5), "?");
  assert_string_equal(tfe_party_name(ctx, -1), "?");
  assert_string_equal(tfe_site_text(ctx, 0), "model.tfe:7");
  assert_string_equal(tfe_site_text(ctx, 2), "");
  assert_string_equal(tfe_site_text(ctx, -1), "");
  assert_int_equal(tfe_member(ctx), 2);
}

static void test_no_such_member(void **unused) {
  (void)unused;
  TfeCtx ctx;
  assert_int_equal(tfe_ctx_init(&ctx, &test_program, 3), TFE_USAGE);
  assert_string_equal(ctx.error_text, "clinic has members 0 to 2");
  tfe_ctx_free(&ctx);
}

static void test_memory(void **state) {
  TfeCtx *ctx = *state;
  uint8_t *memory;
  assert_int_equal(tfe_alloc(ctx, 100, &memory), TFE_OK);
  for (int i = 0; i < 100; i++)
    assert_int_equal(memory[i], 0);
  tfe_release(memory, 100);
  assert_int_equal(tfe_alloc(ctx, 0, &memory), TFE_OK);
  assert_non_null(memory);
  tfe_release(memory, 0);
  tfe_release(NULL, 5);
  ctx->fail_allocation = ctx->allocations + 2;
  assert_int_equal(tfe_alloc(ctx, 8, &memory), TFE_OK);
  tfe_release(memory, 8);
  assert_int_equal(tfe_alloc(ctx, 8, &memory), TFE_MEMORY);
  assert_null(memory);
  assert_string_equal(ctx->error_text, "no memory for 8 bytes");
}

static void test_loop_passes(void **state) {
  TfeCtx *ctx = *state;
  assert_int_equal(tfe_loop_pass(ctx, 5), 0);
  assert_int_equal(tfe_loop_pass(ctx, 5), 1);
  assert_int_equal(tfe_loop_pass(ctx, 5000), 0);
  assert_int_equal(tfe_loop_pass(ctx, 5), 2);
  assert_int_equal(tfe_loop_pass(ctx, 4999), 0);
  assert_int_equal(tfe_loop_pass(ctx, 0), 0);
  assert_int_equal(tfe_loop_pass(ctx, 5000), 1);
}

static void expect(const TfeCtx *ctx, TfeStatus got, TfeStatus want, const char *text, const char *more) {
  assert_int_equal(got, want);
  assert_int_equal(ctx->error, want);
  assert_string_equal(ctx->error_text, text);
  assert_string_equal(ctx->error_more, more);
}

static void test_check_index(void **state) {
  TfeCtx *ctx = *state;
  assert_int_equal(tfe_check_index(ctx, 0, 1, 5, 0), TFE_OK);
  assert_int_equal(tfe_check_index(ctx, 4, 1, 5, 0), TFE_OK);
  assert_int_equal(tfe_check_index(ctx, 2, 3, 5, 0), TFE_OK);
  assert_int_equal(tfe_check_index(ctx, 5, 0, 5, 0), TFE_OK);
  expect(ctx, tfe_check_index(ctx, 5, 1, 5, 0), TFE_INDEX, "index 5 of 5",
         "  = note: at model.tfe:7\n  = help: indices go from 0 to 4\n");
}

static void test_check_box(void **state) {
  TfeCtx *ctx = *state;
  expect(ctx, tfe_check_index(ctx, 4990, 30, 5000, 1), TFE_INDEX, "30 elements from index 4990 on, of 5000",
         "  = note: at logreg.tfe:25 in fit, called from model.tfe:9\n  = help: indices go from 0 to 4970\n");
}

static void test_check_negative(void **state) {
  TfeCtx *ctx = *state;
  expect(ctx, tfe_check_index(ctx, -1, 1, 5, -1), TFE_INDEX, "index -1 of 5",
         "  = help: indices go from 0 to 4\n");
}

static void test_check_divisor(void **state) {
  TfeCtx *ctx = *state;
  assert_int_equal(tfe_check_divisor(ctx, -3, 0), TFE_OK);
  expect(ctx, tfe_check_divisor(ctx, 0, 0), TFE_DIVISION, "integer division by zero",
         "  = note: at model.tfe:7\n");
}

static void test_assert(void **state) {
  TfeCtx *ctx = *state;
  assert_int_equal(tfe_assert(ctx, 1, "fine", 0), TFE_OK);
  expect(ctx, tfe_assert(ctx, 0, "epochs > 0", 0), TFE_ASSERTION, "assertion failed: epochs > 0",
         "  = note: at model.tfe:7\n");
}

static void test_assert_near(void **state) {
  TfeCtx *ctx = *state;
  const double inf = __builtin_inf(), limit = 0.5;
  double a[3] = {1, inf, -2}, b[3] = {1.5, inf, -2.75};
  const uint64_t *wa = (const uint64_t *)a, *wb = (const uint64_t *)b, *tolerance = (const uint64_t *)&limit;
  assert_int_equal(tfe_assert_near(ctx, wa, wb, tolerance, 2, 0), TFE_OK);
  expect(ctx, tfe_assert_near(ctx, wa, wb, tolerance, 3, 0), TFE_ASSERTION,
         "-2 and -2.75 differ by more than 0.5",
         "  = note: at element 2 of 3, counted from 0 row by row\n  = note: at model.tfe:7\n");
}

static void test_assert_near_nan(void **state) {
  TfeCtx *ctx = *state;
  double a = __builtin_nan(""), b = 1, limit = __builtin_inf();
  assert_int_equal(tfe_assert_near(ctx, (uint64_t *)&a, (uint64_t *)&b, (uint64_t *)&limit, 1, 0),
                   TFE_ASSERTION);
}

static void test_element_names(void **unused) {
  (void)unused;
  static const int64_t dims[] = {3, 4, 5};
  char text[64];
  tfe_check_element(text, sizeof text, 0, dims, 0);
  assert_string_equal(text, "[]");
  tfe_check_element(text, sizeof text, 59, dims, 3);
  assert_string_equal(text, "[2, 3, 4]");
  tfe_check_element(text, sizeof text, 7, dims, 2);
  assert_string_equal(text, "[1, 3]");
  tfe_check_element(text, 5, 59, dims, 3);
  assert_string_equal(text, "[2, ");
}

#define WITH_CTX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      WITH_CTX(test_first_error_wins),
      WITH_CTX(test_long_texts),
      WITH_CTX(test_names),
      cmocka_unit_test(test_no_such_member),
      WITH_CTX(test_memory),
      WITH_CTX(test_loop_passes),
      WITH_CTX(test_check_index),
      WITH_CTX(test_check_box),
      WITH_CTX(test_check_negative),
      WITH_CTX(test_check_divisor),
      WITH_CTX(test_assert),
      WITH_CTX(test_assert_near),
      WITH_CTX(test_assert_near_nan),
      cmocka_unit_test(test_element_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
