/* The progress line: which tasks are shown, how far the work is, and what is left out on a narrow terminal. */
#include "../../runtime/progress.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static TfeProgress p;

static int setup(void **state) {
  (void)state;
  p = (TfeProgress){.mode = TFE_PROGRESS_NONE};
  return 0;
}

static void update(const char *label, int64_t done, int64_t total, int64_t depth) {
  progress_update(&p, label, (Task){.done = done, .total = total, .depth = depth});
}

/* "epoch 1/3, batch 2/5" */
static const char *tasks(void) {
  static char text[400];
  size_t used = 0;
  text[0] = '\0';
  for (int i = 0; i < p.count; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %lld/%lld", i ? ", " : "",
                             p.tasks[i].label, (long long)p.tasks[i].done, (long long)p.tasks[i].total);
  return text;
}

static void test_an_inner_task_begins_anew(void **state) {
  (void)state;
  for (int epoch = 1; epoch <= 3; epoch++) {
    for (int batch = 1; batch <= 5; batch++)
      update("batch", batch, 5, 2);
    assert_string_equal(tasks(), epoch == 1   ? "batch 5/5"
                                 : epoch == 2 ? "epoch 1/3, batch 5/5"
                                              : "epoch 2/3, batch 5/5");
    update("epoch", epoch, 3, 1);
  }
  assert_string_equal(tasks(), "epoch 3/3, batch 0/5");
}

static void test_what_is_over_is_not_shown(void **state) {
  (void)state;
  update("load", 1, 1, 0);
  update("batch", 1, 5, 2);
  assert_string_equal(tasks(), "batch 1/5");
  update("epoch", 1, 3, 1);
  update("epoch", 2, 3, 1); /* no batch in between: they are over */
  assert_string_equal(tasks(), "epoch 2/3");
  update("fold", 1, 2, 1); /* beside it */
  assert_string_equal(tasks(), "fold 1/2");
}

static void test_more_tasks_than_there_is_room_for(void **state) {
  (void)state;
  static const char *const labels[] = {"a", "b", "c", "d", "e", "f"};
  for (int round = 0; round < 3; round++)
    for (int i = 5; i >= 0; i--)
      update(labels[i], 1, 9, i);
  assert_int_equal(p.count, TASKS);
  assert_string_equal(p.tasks[0].label, "a");
}

static void test_the_part_of_nested_tasks(void **state) {
  (void)state;
  update("batch", 5, 10, 2);
  assert_float_equal(progress_tasks_part(&p), 0.5, 1e-9);
  update("epoch", 1, 4, 1);
  assert_float_equal(progress_tasks_part(&p), 0.25, 1e-9);
  update("batch", 5, 10, 2);
  assert_float_equal(progress_tasks_part(&p), 0.375, 1e-9);
  update("epoch", 9, 4, 1); /* a program may say anything */
  assert_float_equal(progress_tasks_part(&p), 1, 1e-9);
  update("epoch", -3, 4, 1);
  assert_float_equal(progress_tasks_part(&p), 0, 1e-9);
  update("epoch", 1, 0, 1);
  assert_float_equal(progress_tasks_part(&p), 0, 1e-9);
}

static void test_a_narrow_terminal(void **state) {
  (void)state;
  char out[LINE];
  static const struct {
    int columns;
    const char *line;
  } cases[] = {{100, "server1  epoch 1/3  [####]  eta 0:10  3.1 MB"},
               {44, "server1  epoch 1/3  [####]  eta 0:10  3.1 MB"},
               {43, "server1  epoch 1/3  [####]  eta 0:10"},
               {30, "server1  epoch 1/3  eta 0:10"},
               {20, "server1  epoch 1/3"},
               {10, "server1  e"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Line line = {0};
    line_add(&line, 0, "server1");
    line_add(&line, 0, "epoch 1/3");
    line_add(&line, 3, "[####]");
    line_add(&line, 1, "eta 0:10");
    line_add(&line, 6, "3.1 MB");
    line_fit(&line, cases[i].columns, out);
    assert_string_equal(out, cases[i].line);
  }
}

static void test_remaining_time(void **state) {
  (void)state;
  static const struct {
    double left;
    const char *text;
  } cases[] = {{0, "eta 0:00"},       {59.6, "eta 1:00"}, {3599, "eta 59:59"},
               {3600, "eta 1:00:00"}, {-1, ""},           {1e9, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Line line = {0};
    line_add_left(&line, cases[i].left);
    assert_string_equal(line.piece[0].text, cases[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_an_inner_task_begins_anew, setup),
      cmocka_unit_test_setup(test_what_is_over_is_not_shown, setup),
      cmocka_unit_test_setup(test_more_tasks_than_there_is_room_for, setup),
      cmocka_unit_test_setup(test_the_part_of_nested_tasks, setup),
      cmocka_unit_test_setup(test_a_narrow_terminal, setup),
      cmocka_unit_test_setup(test_remaining_time, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
