/* The plan of a party's program: which operations run together, which values share memory, what is copied.
 * That programs compute the right thing under their plans is tested with the emitter (test_emit.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../compiler/plan.h"
#include "../../compiler/project.h"
#include "../../runtime/include/program.h"

static Program *p;
static IrBlock *b;

static int setup(void **state) {
  (void)state;
  Arena *a = arena_new();
  p = ir_program(a, "test.tfe");
  PartyDecl ann = {.name = "ann", .first = 0, .count = 1}, bob = {.name = "bob", .first = 1, .count = 1};
  VEC_PUSH(a, &p->parties, ann);
  VEC_PUSH(a, &p->parties, bob);
  p->party_count = 2;
  p->self = 0;
  b = p->body;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_free(p->arena);
  return 0;
}

static IrType vector(int64_t n) {
  return (IrType){.elem = EL_INT, .shape = {.rank = 1, .dim = {n}}};
}

static Op *add(OpKind kind, IrType t, int count, ...) {
  Op *op = ir_op(p, b, kind, t, NULL);
  op->where = party_one(0);
  va_list args;
  va_start(args, count);
  for (int i = 0; i < count; i++)
    ir_operand(p, op, va_arg(args, Op *));
  va_end(args);
  return op;
}

/* Something that needs memory and cannot be fused. */
static Op *source(int64_t n) {
  Op *op = add(OP_INPUT, vector(n), 0);
  op->text = "x";
  return op;
}

static void sink(Op *x) {
  Op *op = add(OP_OUTPUT, (IrType){0}, 1, x);
  op->text = "y";
}

static Op *number(int64_t v) {
  Op *op = ir_const_int(p, b, v, NULL);
  op->where = party_one(0);
  return op;
}

static int count_steps(const Plan *plan, StepKind kind) {
  int n = 0;
  for (int i = 0; i < plan->body->steps.count; i++)
    n += plan->body->steps.data[i].kind == kind;
  return n;
}

static void test_fuses_chain(void **state) {
  (void)state;
  Op *x = source(100), *y = add(OP_ADD, vector(100), 2, x, x), *z = add(OP_MUL, vector(100), 2, y, x);
  Op *w = add(OP_NEG, vector(100), 1, z);
  sink(w);
  Plan *plan = plan_make(p);
  assert_int_equal(count_steps(plan, STEP_LOOP), 1);
  assert_int_equal(plan_of(y)->loc, PLAN_NONE);
  assert_int_equal(plan_of(z)->loc, PLAN_NONE);
  assert_int_equal(plan_of(w)->loc, PLAN_ARENA);
}

static void test_independent_operations_fuse(void **state) {
  (void)state;
  Op *x = source(100), *u = source(100);
  sink(add(OP_ADD, vector(100), 2, x, x));
  Op *other = add(OP_ADD, vector(50), 2, source(50), number(3));
  Op *y = add(OP_ADD, vector(100), 2, u, u);
  Op *z = add(OP_SUB, vector(100), 2, u, x);
  sink(other);
  sink(y);
  sink(z);
  Plan *plan = plan_make(p);
  assert_int_equal(count_steps(plan, STEP_LOOP),
                   3); /* the first is needed at once; sizes differ; y and z together */
}

/* A loop is run where something outside needs its first result, and before any message. */
static void test_loop_ends_at_use(void **state) {
  (void)state;
  Op *x = source(8), *y = add(OP_ADD, vector(8), 2, x, x);
  Op *s = add(OP_SUM, vector(0), 1, y);
  s->type.shape.rank = 0;
  ir_int(p, s, -1);
  Op *z = add(OP_ADD, vector(8), 2, y, s);
  sink(z);
  Plan *plan = plan_make(p);
  assert_int_equal(count_steps(plan, STEP_LOOP), 2);
  assert_int_equal(plan_of(y)->loc, PLAN_ARENA);
}

static void test_memory_is_reused(void **state) {
  (void)state;
  for (int i = 0; i < 10; i++)
    sink(source(1000));
  assert_int_equal(plan_make(p)->arena_words, 1000);
}

static void test_live_values_do_not_overlap(void **state) {
  (void)state;
  Op *x[10];
  for (int i = 0; i < 10; i++)
    x[i] = source(10 + i);
  for (int i = 0; i < 10; i++)
    sink(x[i]);
  (void)plan_make(p);
  for (int i = 0; i < 10; i++)
    for (int k = 0; k < i; k++) {
      int64_t a = plan_of(x[i])->offset, c = plan_of(x[k])->offset;
      assert_true(a + 10 + i <= c || c + 10 + k <= a);
    }
}

static void test_views(void **state) {
  (void)state;
  IrType m = {.elem = EL_INT, .shape = {.rank = 2, .dim = {4, 5}}}, row = m, column = m, flat = vector(20);
  row.shape.dim[0] = 2;
  column.shape.dim[1] = 1;
  Op *x = add(OP_RESHAPE, m, 1, source(20));
  Op *r = add(OP_SLICE, row, 1, x), *c = add(OP_SLICE, column, 1, x), *f = add(OP_RESHAPE, flat, 1, x);
  Op *d = add(OP_SLICE, row, 2, x, number(1));
  ir_int(p, r, 1);
  ir_int(p, r, 0);
  ir_int(p, c, 0);
  ir_int(p, c, 2);
  ir_int(p, d, INT64_MIN);
  ir_int(p, d, 0);
  (void)plan_make(p);
  assert_int_equal(plan_of(x)->loc, PLAN_ALIAS);
  assert_int_equal(plan_of(f)->loc, PLAN_ALIAS);
  assert_int_equal(plan_of(r)->loc, PLAN_ALIAS);
  assert_int_equal(plan_of(r)->alias_words, 5);
  assert_int_equal(plan_of(c)->loc, PLAN_ARENA); /* not one stretch */
  assert_int_equal(plan_of(d)->loc, PLAN_VIEW);
}

static Op *update(Op *x, Op *v) {
  Op *op = add(OP_UPDATE, x->type, 2, x, v);
  ir_int(p, op, 0);
  return op;
}

static void test_update_in_place(void **state) {
  (void)state;
  Op *x = source(10), *v = source(2), *y = update(x, v), *z = update(y, v);
  sink(z);
  Op *kept = update(z, v);
  sink(z);
  sink(kept);
  (void)plan_make(p);
  assert_true(plan_of(y)->in_place);
  assert_true(plan_of(z)->in_place);
  assert_false(plan_of(kept)->in_place); /* z is needed afterwards */
}

static void test_update_not_on_itself_nor_constants(void **state) {
  (void)state;
  Op *x = source(10), *part = add(OP_SLICE, vector(2), 1, x);
  ir_int(p, part, 3);
  Op *y = update(x, part);
  sink(y);
  Op *c = add(OP_CONST, vector(10), 0);
  c->data = ARENA_ARRAY(p->arena, uint64_t, 10);
  c->data_count = 10;
  Op *z = update(c, source(2));
  sink(z);
  (void)plan_make(p);
  assert_false(plan_of(y)->in_place);
  assert_false(plan_of(z)->in_place);
}

/* for 0 .. 3 carrying x and y; returns the loop, with its block current. */
static Op *begin_loop(Op *x, Op *y) {
  Op *loop = add(OP_FOR, (IrType){0}, 4, number(0), number(3), x, y);
  b = ir_block(p, loop);
  ir_arg(p, b, (IrType){.elem = EL_INT}, NULL);
  ir_arg(p, b, x->type, NULL);
  ir_arg(p, b, y->type, NULL);
  return loop;
}

static void end_loop(Op *x, Op *y) {
  VEC_PUSH(p->arena, &b->yields, x);
  VEC_PUSH(p->arena, &b->yields, y);
  b = p->body;
}

static void test_swap_goes_through_memory_of_its_own(void **state) {
  (void)state;
  Op *loop = begin_loop(source(6), source(6));
  end_loop(b->params.data[2], b->params.data[1]);
  (void)plan_make(p);
  PlanBlock *body = plan_of(loop)->blocks[0];
  assert_int_equal(body->copies.count, 2);
  assert_true(body->copies.data[0].through_temp && body->copies.data[1].through_temp);
  assert_int_not_equal(plan_of(loop)->homes[0].offset, plan_of(loop)->homes[1].offset);
}

static void test_yields_are_made_at_home(void **state) {
  (void)state;
  Op *loop = begin_loop(source(6), source(6));
  sink(b->params.data[1]);
  Op *next = source(6); /* behind the last use of the first parameter */
  Op *early = source(6);
  sink(b->params.data[2]); /* the second is still needed when its successor is made */
  end_loop(next, early);
  (void)plan_make(p);
  PlanBlock *body = plan_of(loop)->blocks[0];
  assert_int_equal(plan_of(next)->offset, plan_of(loop)->homes[0].offset);
  assert_int_equal(body->copies.count, 1);
  assert_int_equal(body->copies.data[0].k, 1);
}

static bool same_place(const Op *x, const Op *y) {
  return plan_of(x)->loc == PLAN_ARENA && plan_of(y)->loc == PLAN_ARENA &&
         plan_of(x)->offset == plan_of(y)->offset;
}

static void test_results_take_the_place_of_operands(void **state) {
  (void)state;
  Op *x = source(10), *u = source(10), *w = source(10);
  Op *y = add(OP_ADD, vector(10), 2, x, u); /* x is needed later, u is not */
  sink(y);
  sink(x);
  Op *same = add(OP_RESHAPE, vector(10), 1, w), *z = add(OP_ADD, vector(10), 2, w, same);
  sink(z);
  Op *far = source(20), *part = add(OP_SLICE, vector(10), 1, far), *v = add(OP_NEG, vector(10), 1, part);
  ir_int(p, part, 5);
  sink(v);
  Op *loop = begin_loop(source(6), source(6)), *param = b->params.data[1], *other = b->params.data[2];
  Op *next = add(OP_ADD, vector(6), 2, param, other), *last = add(OP_MUL, vector(6), 2, next, other);
  end_loop(next, last);
  (void)plan_make(p);
  assert_true(same_place(y, u));
  assert_false(same_place(y, x));
  assert_true(same_place(z, w)); /* both operands are the whole of it */
  assert_false(same_place(v, far));
  assert_true(same_place(next, param) && same_place(last, other));
  assert_int_equal(plan_of(loop)->blocks[0]->copies.count, 0);
}

static Op *random_elements(int64_t n) {
  Op *op = add(OP_RANDOM, (IrType){.elem = EL_RING, .bits = 64, .shape = {.rank = 1, .dim = {n}}}, 0);
  ir_int(p, op, 0);
  ir_int(p, op, 1);
  return op;
}

static void test_masks_are_drawn_again(void **state) {
  (void)state;
  enum { FAR = 1 << 20 };
  Op *far = random_elements(FAR), *near = random_elements(100), *once = random_elements(100),
     *sent = random_elements(FAR);
  IrType large = far->type, small = near->type;
  sink(add(OP_NEG, large, 1, far));
  sink(add(OP_ADD, large, 2, far, sent));
  sink(add(OP_NEG, small, 1, near));
  sink(add(OP_ADD, small, 2, near, once));
  sink(sent);
  Plan *plan = plan_make(p);
  assert_int_equal(plan_of(far)->loc, PLAN_PIECES);
  assert_int_equal(plan_of(once)->loc, PLAN_PIECES);
  assert_int_equal(plan_of(near)->loc, PLAN_ARENA); /* stays in the cache between its two uses */
  assert_int_equal(plan_of(sent)->loc, PLAN_ARENA); /* is needed whole */
  assert_int_equal(plan->draws, plan->scratch + PLAN_PIECE);
  assert_int_equal(plan->arena_words, plan->draws + TFE_DRAW_WORDS);
}

static IrType matrix(int64_t n, int64_t m) {
  return (IrType){.elem = EL_INT, .shape = {.rank = 2, .dim = {n, m}}};
}

static void test_repeated_operands(void **state) {
  (void)state;
  Op *row = source(30), *column = source(20), *x = add(OP_INPUT, matrix(20, 30), 0);
  x->text = "x";
  column->type = matrix(20, 1);
  Op *rows = add(OP_BROADCAST, x->type, 1, row), *columns = add(OP_BROADCAST, x->type, 1, column);
  Op *y = add(OP_ADD, x->type, 2, x, rows), *z = add(OP_MUL, x->type, 2, y, columns);
  sink(z);
  Op *whole = add(OP_BROADCAST, x->type, 1, row);
  sink(whole);
  int64_t stride, size;
  (void)plan_make(p);
  assert_int_equal(plan_of(rows)->loc, PLAN_PIECES);
  assert_int_equal(plan_of(columns)->loc, PLAN_PIECES);
  assert_int_equal(plan_of(whole)->loc, PLAN_ARENA);
  assert_true(plan_repeats(rows, &stride, &size) && stride == 1 && size == 30);
  assert_true(plan_repeats(columns, &stride, &size) && stride == 30 && size == 20);
  assert_false(same_place(z, row) || same_place(z, column)); /* they are read until the end */
  Op *box = add(OP_INPUT, (IrType){.elem = EL_INT, .shape = {.rank = 3, .dim = {4, 1, 5}}}, 0);
  Op *between = add(OP_BROADCAST, (IrType){.elem = EL_INT, .shape = {.rank = 3, .dim = {4, 3, 5}}}, 1, box);
  assert_false(plan_repeats(between, &stride, &size));
}

static Op *ring_matrix(int64_t n, int64_t m) {
  Op *op = add(OP_INPUT, (IrType){.elem = EL_RING, .bits = 40, .shape = {.rank = 2, .dim = {n, m}}}, 0);
  op->text = "m";
  return op;
}

static Op *product(Op *x, Op *y) {
  IrType t = x->type;
  t.shape.dim[1] = y->type.shape.dim[1];
  return add(OP_MATMUL, t, 2, x, y);
}

static void test_sums_of_products(void **state) {
  (void)state;
  Op *x = ring_matrix(9, 40), *y = ring_matrix(40, 30);
  Op *a = product(x, y), *b2 = product(x, y), *c = product(x, y), *d = product(x, y), *e = product(x, y),
     *f = product(x, y);
  Op *minus = add(OP_SUB, a->type, 2, a, b2), *turned = add(OP_SUB, a->type, 2, d, c),
     *used = add(OP_ADD, a->type, 2, e, f);
  sink(minus);
  sink(turned);
  sink(used);
  sink(f);
  (void)plan_make(p);
  assert_true(plan_of(minus)->is_sum && plan_of(b2)->onto == a);
  assert_true(plan_of(a)->mode == PRODUCT_SET && plan_of(b2)->mode == PRODUCT_SUB);
  assert_true(plan_of(turned)->is_sum && plan_of(d)->onto == c);
  assert_true(plan_of(c)->mode == PRODUCT_NEGATIVE && plan_of(d)->mode == PRODUCT_ADD);
  assert_false(plan_of(used)->is_sum); /* f is needed by itself */
}

static void test_fixed_matrices_are_packed(void **state) {
  (void)state;
  Op *y = ring_matrix(40, 30), *small = ring_matrix(40, 3), *before = product(ring_matrix(9, 40), y);
  sink(before);
  Op *loop = begin_loop(source(6), source(6));
  Op *x = ring_matrix(9, 40), *first = product(x, y), *second = product(x, y),
     *few = product(ring_matrix(2, 40), y), *narrow = product(x, small),
     *own = product(x, ring_matrix(40, 30));
  sink(first), sink(second), sink(few), sink(narrow), sink(own);
  end_loop(b->params.data[1], b->params.data[2]);
  (void)plan_make(p);
  assert_int_equal(plan_of(loop)->packs.count, 1);
  assert_true(plan_of(first)->pack && plan_of(first)->pack == plan_of(second)->pack);
  assert_null(plan_of(before)->pack);
  assert_true(!plan_of(few)->pack && !plan_of(narrow)->pack && !plan_of(own)->pack);
}

static void test_outer_values_live_through_the_loop(void **state) {
  (void)state;
  Op *x = source(6), *loop = begin_loop(source(6), source(6));
  sink(x); /* last in the text, not in time: the next pass needs it again */
  Op *inner = source(6);
  sink(inner);
  end_loop(b->params.data[1], b->params.data[2]);
  (void)plan_make(p);
  assert_int_not_equal(plan_of(x)->offset, plan_of(inner)->offset);
  assert_int_equal(plan_of(loop)->blocks[0]->copies.count, 0);
}

static Op *message(Op *x, int number_, int role) {
  Op *op = add(OP_SEND, role == PROJECT_SENDS ? (IrType){0} : vector(4), 0);
  if (x)
    ir_operand(p, op, x);
  ir_int(p, op, role == PROJECT_SENDS ? 0 : 1);
  ir_int(p, op, role == PROJECT_SENDS ? 1 : 0);
  ir_int(p, op, role);
  op->message = number_;
  return op;
}

static void test_messages(void **state) {
  (void)state;
  Op *x = source(4), *y = add(OP_ADD, vector(4), 2, x, x);
  message(x, 1, PROJECT_SENDS);
  message(y, 1, PROJECT_SENDS);
  Op *got = message(NULL, 2, PROJECT_RECEIVES), *more = message(NULL, 2, PROJECT_RECEIVES);
  Op *last = message(NULL, 3, PROJECT_RECEIVES);
  sink(got);
  sink(more);
  sink(last);
  Plan *plan = plan_make(p);
  assert_int_equal(count_steps(plan, STEP_MESSAGES), 3);
  assert_int_equal(count_steps(plan, STEP_LOOP), 1);
  assert_int_equal(plan->body->steps.data[2].ops.count, 2);
  assert_int_not_equal(plan_of(got)->offset, plan_of(more)->offset);
}

/* A large constant of equal elements takes no memory where only fused loops read it. */
static void test_splats(void **state) {
  (void)state;
  Op *c = add(OP_CONST, vector(1000), 0), *d = add(OP_CONST, vector(1000), 0);
  static const uint64_t one = 1;
  c->data = d->data = &one;
  c->data_count = d->data_count = 1;
  sink(add(OP_ADD, vector(1000), 2, source(1000), c));
  sink(d);
  (void)plan_make(p);
  assert_int_equal(plan_of(c)->loc, PLAN_CONST);
  assert_int_equal(plan_of(d)->loc, PLAN_ARENA);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_fuses_chain),
      TEST(test_independent_operations_fuse),
      TEST(test_loop_ends_at_use),
      TEST(test_memory_is_reused),
      TEST(test_live_values_do_not_overlap),
      TEST(test_views),
      TEST(test_update_in_place),
      TEST(test_update_not_on_itself_nor_constants),
      TEST(test_swap_goes_through_memory_of_its_own),
      TEST(test_yields_are_made_at_home),
      TEST(test_results_take_the_place_of_operands),
      TEST(test_masks_are_drawn_again),
      TEST(test_repeated_operands),
      TEST(test_sums_of_products),
      TEST(test_fixed_matrices_are_packed),
      TEST(test_outer_values_live_through_the_loop),
      TEST(test_messages),
      TEST(test_splats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
