/* Projection: what each party's program holds. */
#include "../../compiler/project.h"

#include "ir_builder.h"

static Program *product_program(void) {
  Program *p = PROGRAM("s0", "s1", "producer", "owner*3", "client");
  IrBlock *b = p->body;
  Shared x = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 3, "x"), 3);
  Shared y = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 5, "y"), 5);
  mk_output(p, b, pond_reveal_to(p, b, pond_mul(p, b, x, y), 6), 6, "z");
  passes_run(p, NULL, NULL);
  return p;
}

static int count_role(IrBlock *b, int role) {
  int n = 0;
  for (int i = 0; i < b->ops.count; i++)
    n += b->ops.data[i]->kind == OP_SEND && b->ops.data[i]->ints.data[2] == role;
  return n;
}

static void test_each_party_has_its_own_work(void **state) {
  (void)state;
  static const struct {
    int sends, receives, muls, inputs;
  } cases[] = {
      {3, 2, 2, 0}, /* s0: two openings and the share of the result; the other openings */
      {3, 5, 2, 0}, /* s1: likewise, and receives both inputs and the producer's share */
      {1, 0, 1, 0}, /* the producer receives nothing */
      {2, 0, 0, 2}, /* owner.0 and owner.2 */
      {0, 2, 0, 0},
  };
  Program *p = product_program();
  for (int i = 0; i < 5; i++) {
    Program *q = project(p, i);
    assert_int_equal(q->self, i);
    assert_string_equal(q->hash, p->hash);
    assert_int_equal(count_role(q->body, PROJECT_SENDS), cases[i].sends);
    assert_int_equal(count_role(q->body, PROJECT_RECEIVES), cases[i].receives);
    assert_int_equal(count_ops(q->body, OP_MUL, -1), cases[i].muls);
    assert_int_equal(count_ops(q->body, OP_INPUT, -1), cases[i].inputs);
  }
  drop_program(p);
}

static void test_ids_survive(void **state) {
  (void)state;
  Program *p = product_program();
  Program *s0 = project(p, 0), *producer = project(p, 2);
  int found = 0;
  for (int i = 0; i < s0->body->ops.count; i++)
    for (int k = 0; k < producer->body->ops.count; k++) {
      const Op *a = s0->body->ops.data[i], *b = producer->body->ops.data[k];
      found += a->kind == OP_RANDOM && b->kind == OP_RANDOM && a->id == b->id;
      assert_ptr_not_equal(a, b);
    }
  assert_int_equal(found, 3); /* two masks and the share of the product */
  drop_program(p);
}

static void test_family_members_are_guarded(void **state) {
  (void)state;
  Program *p = product_program();
  Program *owner = project(p, 3);
  for (int i = 0; i < owner->body->ops.count; i++) {
    const Op *op = owner->body->ops.data[i];
    assert_false(party_has(op->where, 4)); /* owner.1 does nothing */
    if (op->kind == OP_INPUT)
      assert_true(party_equal(op->where, at(strcmp(op->text, "x") == 0 ? 3 : 5)));
  }
  drop_program(p);
}

static void test_sends_come_first(void **state) {
  (void)state;
  Program *p = product_program();
  for (int k = 0; k < 2; k++) {
    const IrBlock *b = project(p, k)->body;
    for (int i = 1; i < b->ops.count; i++) {
      const Op *last = b->ops.data[i - 1], *op = b->ops.data[i];
      if (last->kind == OP_SEND && op->kind == OP_SEND && last->level == op->level)
        assert_true(last->ints.data[2] <= op->ints.data[2]);
    }
  }
  drop_program(p);
}

/* Two members of one family that exchange: one program, four halves. */
static void test_members_exchange(void **state) {
  (void)state;
  Program *p = PROGRAM("server*2");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *y = mk_input(p, b, FIXED, 1, "y");
  Op *u = mk_send(p, b, x, 0, 1), *v = mk_send(p, b, y, 1, 0);
  Op *sum = mk(p, b, OP_ADD, FIXED, both(0, 1), 2, u, v);
  mk_output(p, b, sum, 0, "s");
  mk_output(p, b, sum, 1, "s");
  passes_run(p, NULL, NULL);
  Program *q = project(p, 0);
  assert_int_equal(count_role(q->body, PROJECT_SENDS), 2);
  assert_int_equal(count_role(q->body, PROJECT_RECEIVES), 2);
  for (int i = 0; i < q->body->ops.count; i++) {
    const Op *op = q->body->ops.data[i];
    if (op->kind != OP_SEND)
      continue;
    assert_int_equal(op->args.count, 1);
    assert_int_equal(op->type.elem, op->ints.data[2] == PROJECT_SENDS ? EL_NONE : EL_FIXED);
    if (op->ints.data[2] == PROJECT_RECEIVES)
      assert_true(party_equal(op->where, both(0, 1)));
  }
  drop_program(p);
}

static void test_carried_values(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body, *body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *y = mk_input(p, b, FIXED, 1, "y");
  Op *loop = mk_for(p, b, 0, 4, &body);
  Op *u = mk_carried(p, loop, x, at(0)), *v = mk_carried(p, loop, y, at(1));
  Op *there = mk_send(p, body, u, 0, 1);
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_NEG, FIXED, at(0), 1, u));
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_ADD, FIXED, at(1), 2, v, there));
  Op *r0 = mk_result(p, b, loop, 0, FIXED, at(0)), *r1 = mk_result(p, b, loop, 1, FIXED, at(1));
  mk_output(p, b, r0, 0, "u");
  mk_output(p, b, r1, 1, "v");
  passes_run(p, NULL, NULL);
  for (int k = 0; k < 2; k++) {
    Program *q = project(p, k);
    const Op *part = find_op(q->body, OP_FOR);
    assert_int_equal(part->args.count, 3);
    assert_int_equal(part->blocks.data[0]->params.count, 2);
    assert_int_equal(part->blocks.data[0]->yields.count, 1);
    assert_int_equal(find_op(q->body, OP_RESULT)->ints.data[0], 0);
    assert_int_equal(part->id, loop->id);
  }
  assert_int_equal(project(p, 2)->body->ops.count, 0);
  drop_program(p);
}

static void test_slots(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  VEC_PUSH(p->arena, &p->slots, ((Slot){.name = "x", .type = FIXED, .owner = at(0)}));
  VEC_PUSH(p->arena, &p->slots, ((Slot){.name = "y", .type = FIXED, .owner = at(1), .is_output = true}));
  mk_output(p, p->body, mk_send(p, p->body, mk_input(p, p->body, FIXED, 0, "x"), 0, 1), 1, "y");
  passes_run(p, NULL, NULL);
  Program *a = project(p, 0), *b = project(p, 1);
  assert_int_equal(a->slots.count, 1);
  assert_string_equal(a->slots.data[0].name, "x");
  assert_int_equal(b->slots.count, 1);
  assert_string_equal(b->slots.data[0].name, "y");
  assert_int_equal(find_op(b->body, OP_SEND)->args.count, 0);
  drop_program(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_party_has_its_own_work),
      cmocka_unit_test(test_ids_survive),
      cmocka_unit_test(test_family_members_are_guarded),
      cmocka_unit_test(test_sends_come_first),
      cmocka_unit_test(test_members_exchange),
      cmocka_unit_test(test_carried_values),
      cmocka_unit_test(test_slots),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
