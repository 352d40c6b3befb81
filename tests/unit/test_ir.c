/* The intermediate representation: sets of parties, building, forwarding, printing, hashing, and what verify
 * finds. */
#include "ir_builder.h"

/* ---- sets ---------------------------------------------------------------------------------------------- */

static void test_party_sets(void **state) {
  (void)state;
  PartySet s = party_or(party_range(60, 10), party_one(200));
  assert_int_equal(party_size(s), 11);
  assert_int_equal(party_first(s), 60);
  assert_int_equal(party_next(s, 69), 200);
  assert_int_equal(party_next(s, 200), -1);
  assert_true(party_has(s, 64));
  assert_false(party_has(s, 70));
  assert_true(party_subset(party_range(62, 4), s));
  assert_false(party_subset(party_range(62, 40), s));
  assert_true(party_empty(party_and(s, party_range(0, 60))));
  assert_true(party_equal(party_minus(s, party_one(200)), party_range(60, 10)));
  assert_int_equal(party_first(party_none()), -1);
  assert_int_equal(party_size(party_range(0, MAX_PARTIES)), MAX_PARTIES);
}

static void test_shapes(void **state) {
  (void)state;
  Shape scalar = {0}, empty = {2, {3, 0}}, matrix_shape = {2, {3, 4}};
  assert_int_equal(shape_count(&scalar), 1);
  assert_int_equal(shape_count(&empty), 0);
  assert_int_equal(shape_count(&matrix_shape), 12);
  assert_false(shape_equal(&scalar, &empty));
  assert_true(shape_equal(&matrix_shape, &matrix_shape));
}

static void test_names(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "owner*3", "one*1");
  assert_string_equal(party_name(p, 0), "s0");
  assert_string_equal(party_name(p, 2), "owner.1");
  assert_string_equal(party_name(p, 4), "one.0");
  assert_string_equal(ir_where_text(p, everybody(p)), "all");
  assert_string_equal(ir_where_text(p, party_range(1, 3)), "{owner}");
  assert_string_equal(ir_where_text(p, party_or(at(0), at(3))), "{s0, owner.2}");
  IrType t = matrix(RING, 30, 2);
  assert_string_equal(ir_type_text(p->arena, &t), "ring64.16[30, 2]");
  assert_string_equal(ir_type_text(p->arena, &BOOL), "bool");
  drop_program(p);
}

/* ---- building ------------------------------------------------------------------------------------------ */

static void test_insert_before(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  Op *x = mk_int(p, p->body, 1), *z = mk_int(p, p->body, 3);
  Op *y = ir_op_before(p, p->body, z, OP_CONST, INT, NULL);
  assert_ptr_equal(p->body->ops.data[0], x);
  assert_ptr_equal(p->body->ops.data[1], y);
  assert_ptr_equal(p->body->ops.data[2], z);
  Op *w = ir_op_before(p, p->body, x, OP_CONST, INT, NULL);
  assert_ptr_equal(p->body->ops.data[0], w);
  drop_program(p);
}

static void test_forward(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  IrBlock *body;
  Op *x = mk_int(p, p->body, 1), *y = mk_int(p, p->body, 2), *z = mk_int(p, p->body, 3);
  Op *loop = mk_for(p, p->body, 0, 4, &body);
  Op *v = mk_carried(p, loop, z, everybody(p));
  Op *sum = mk(p, body, OP_ADD, INT, everybody(p), 2, z, v);
  VEC_PUSH(p->arena, &body->yields, sum);
  mk_print(p, body, z);
  z->forward = y;
  y->forward = x;
  ir_forward(p);
  assert_ptr_equal(sum->args.data[0], x);
  assert_ptr_equal(loop->args.data[2], x);
  assert_int_equal(count_ops(p->body, OP_CONST, -1), 3); /* x and the bounds */
  assert_int_equal(body->depth, 1);
  assert_true(ir_block_encloses(p->body, body));
  assert_false(ir_block_encloses(body, p->body));
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  drop_program(p);
}

static void test_splat(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  uint64_t bits = 0;
  Op *x = mk_const(p, p->body, vector(FIXED, 9), ir_fixed_bits(1.5));
  assert_true(ir_is_splat(x, &bits));
  assert_true(ir_bits_fixed(bits) == 1.5);
  static const uint64_t mixed[] = {1, 1, 2};
  x->data = mixed;
  x->data_count = 3;
  assert_false(ir_is_splat(x, &bits));
  drop_program(p);
}

static Program *printed_example(void) {
  Program *p = PROGRAM("s0", "s1", "producer", "owner*2");
  IrBlock *body;
  Op *x = mk_input(p, p->body, vector(FIXED, 2), 3, "x");
  Shared s = pond_share(p, p->body, x, 3);
  Op *loop = mk_for(p, p->body, 0, 10, &body);
  Op *a = mk_carried(p, loop, s.a, at(0));
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_ADD, a->type, at(0), 2, a, s.a));
  Op *r = mk_result(p, p->body, loop, 0, a->type, at(0));
  mk_print(p, p->body, pond_reveal(p, p->body, (Shared){r, s.b}));
  return p;
}

static void test_print(void **state) {
  (void)state;
  static const char expected[] = "program test.tfe\n"
                                 "party s0\n"
                                 "party s1\n"
                                 "party producer\n"
                                 "party owner[2]\n"
                                 "%1: fixed[2] at {owner.0} = input \"x\"\n"
                                 "%2: ring64.16[2] at {owner.0} = encode %1\n"
                                 "%3: ring64.16[2] at {s0, owner.0} = random {3, 0}\n"
                                 "%4: ring64.16[2] at {owner.0} = sub %2, %3\n"
                                 "%5: ring64.16[2] at {s1, owner.0} = send %4 {3, 1}\n";
  Program *p = printed_example();
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  char *text = printed(p);
  assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
  assert_non_null(strstr(text, "  (%9: int at all, %10: ring64.16[2] at {s0})\n"));
  assert_non_null(strstr(text, "  yield %11\n"));
  assert_non_null(strstr(text, " at {s0} = result %8.0\n"));
  assert_non_null(strstr(text, "[\"value: \", _]\n"));
  free(text);
  drop_program(p);
}

static void test_hash(void **state) {
  (void)state;
  Program *p = printed_example(), *q = printed_example();
  Source *source = source_text(q->arena, "a.tfe", "let x = 1\n", 10);
  Site *site = ARENA_NEW(q->arena, Site);
  *site = (Site){.span = {source, 4, 5}};
  q->body->ops.data[0]->site = site;
  ir_hash(p);
  ir_hash(q);
  assert_int_equal(strlen(p->hash), 64);
  assert_string_equal(p->hash, q->hash); /* source places do not count */
  char *text = printed(q);
  assert_non_null(strstr(text, "; a.tfe:1\n"));
  free(text);
  q->body->ops.data[0]->text = "y";
  ir_hash(q);
  assert_string_not_equal(p->hash, q->hash);
  drop_program(p);
  drop_program(q);
}

static void test_hash_sees_all_elements(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  uint64_t *data = ARENA_ARRAY(p->arena, uint64_t, 100);
  Op *x = mk_const(p, p->body, vector(INT, 100), 0);
  char first[65];
  x->data = data;
  x->data_count = 100;
  ir_hash(p);
  memcpy(first, p->hash, sizeof first);
  data[99] = 1;
  ir_hash(p);
  assert_string_not_equal(first, p->hash);
  drop_program(p);
}

/* ---- verify -------------------------------------------------------------------------------------------- */

static void break_operand_order(Program *p) {
  IrBlock *b = p->body;
  Op *t = b->ops.data[0];
  b->ops.data[0] = b->ops.data[1];
  b->ops.data[1] = t;
}

static void break_arity(Program *p) {
  find_op(p->body, OP_ENCODE)->args.count = 0;
}

static void break_shape(Program *p) {
  find_op(p->body, OP_SUB)->type.shape.dim[0] = 3;
}

static void break_ring(Program *p) {
  find_op(p->body, OP_SUB)->type.bits = 32;
}

static void break_place(Program *p) {
  find_op(p->body, OP_SUB)->where = both(1, 3);
}

static void break_nowhere(Program *p) {
  find_op(p->body, OP_SUB)->where = party_none();
}

static void break_sender(Program *p) {
  find_op(p->body, OP_SEND)->ints.data[0] = 2;
}

static void break_receiver(Program *p) {
  find_op(p->body, OP_SEND)->where = at(3);
}

static void break_third_party(Program *p) {
  find_op(p->body, OP_SEND)->where = party_or(both(1, 3), at(4));
}

static void break_key(Program *p) {
  find_op(p->body, OP_RANDOM)->where = both(0, 1);
}

static void break_participants(Program *p) {
  find_op(p->body, OP_FOR)->where = at(1);
}

static void break_yield_type(Program *p) {
  Op *loop = find_op(p->body, OP_FOR);
  loop->blocks.data[0]->params.data[1]->type.scale = 3;
}

static void break_yield_count(Program *p) {
  find_op(p->body, OP_FOR)->blocks.data[0]->yields.count = 0;
}

static void break_result(Program *p) {
  find_op(p->body, OP_RESULT)->ints.data[0] = 1;
}

static void break_result_place(Program *p) {
  find_op(p->body, OP_RESULT)->where = both(0, 1);
}

static void break_carried_place(Program *p) {
  find_op(p->body, OP_FOR)->blocks.data[0]->params.data[1]->where = both(0, 1);
}

static void break_id(Program *p) {
  find_op(p->body, OP_SUB)->id = 1;
}

static void break_parent(Program *p) {
  find_op(p->body, OP_SUB)->parent = find_op(p->body, OP_FOR)->blocks.data[0];
}

static void break_print(Program *p) {
  find_op(p->body, OP_PRINT)->texts.count = 1;
}

static void break_stage(Program *p) {
  find_op(p->body, OP_DECODE)->kind = OP_REVEAL;
}

static void break_expansion(Program *p) {
  find_op(p->body, OP_DECODE)->kind = OP_APPLY;
}

static void test_verify_finds(void **state) {
  (void)state;
  static const struct {
    void (*damage)(Program *p);
    const char *message;
  } cases[] = {
      {break_operand_order, "not defined here"},
      {break_arity, "0 operands instead of 1"},
      {break_shape, "another shape"},
      {break_ring, "operand 0 is ring64.16[2], result ring32.16[2]"},
      {break_place, "needs operand %2 at {s1, owner.0}, which is only at {owner.0}"},
      {break_nowhere, "nowhere"},
      {break_sender, "sender does not hold %4"},
      {break_receiver, "receiver does not get the result"},
      {break_third_party, "result at parties that have nothing"},
      {break_key, "without the key"},
      {break_participants, "take part"},
      {break_yield_type, "parameter 0 has another type"},
      {break_yield_count, "0 yields for 1 carried values"},
      {break_result, "there is no result 1"},
      {break_result_place, "needs carried value"},
      {break_carried_place, "needs initial value"},
      {break_id, "id used twice"},
      {break_parent, "parent is another block"},
      {break_print, "1 operands for 0 places in the text"},
      {break_stage, "does not belong here"},
      {break_expansion, "apply: does not belong here"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Program *p = printed_example();
    cases[i].damage(p);
    const char *error = verify_find(p, VERIFY_CHOREOGRAPHY);
    if (!error || !strstr(error, cases[i].message))
      fail_msg("case %zu: expected \"%s\", got \"%s\"", i, cases[i].message, error ? error : "nothing");
    drop_program(p);
  }
}

typedef Op *MakeMove(Program *p, Op *x);

static Op *good_slice(Program *p, Op *x) {
  Op *op = mk(p, p->body, OP_SLICE, matrix(FIXED, 1, 3), everybody(p), 2, x, mk_int(p, p->body, 1));
  ir_int(p, op, INT64_MIN);
  ir_int(p, op, 1);
  return op;
}

static Op *slice_outside(Program *p, Op *x) {
  Op *op = mk(p, p->body, OP_SLICE, matrix(FIXED, 1, 3), everybody(p), 1, x);
  ir_int(p, op, 0);
  ir_int(p, op, 2);
  return op;
}

static Op *bad_permutation(Program *p, Op *x) {
  Op *op = mk(p, p->body, OP_TRANSPOSE, matrix(FIXED, 4, 2), everybody(p), 1, x);
  ir_int(p, op, 1);
  ir_int(p, op, 1);
  return op;
}

static Op *bad_matmul(Program *p, Op *x) {
  return mk(p, p->body, OP_MATMUL, matrix(FIXED, 2, 4), everybody(p), 2, x, x);
}

static Op *bad_concat(Program *p, Op *x) {
  Op *op = mk(p, p->body, OP_CONCAT, matrix(FIXED, 5, 4), everybody(p), 2, x, x);
  ir_int(p, op, 0);
  return op;
}

static Op *bad_broadcast(Program *p, Op *x) {
  return mk(p, p->body, OP_BROADCAST, matrix(FIXED, 6, 4), everybody(p), 1, x);
}

static Op *bad_reshape(Program *p, Op *x) {
  return mk(p, p->body, OP_RESHAPE, vector(FIXED, 9), everybody(p), 1, x);
}

static Op *bad_sum(Program *p, Op *x) {
  Op *op = mk(p, p->body, OP_SUM, vector(FIXED, 2), everybody(p), 1, x);
  ir_int(p, op, 0);
  return op;
}

static void test_verify_shapes(void **state) {
  (void)state;
  static const struct {
    MakeMove *make;
    const char *message;
  } cases[] = {
      {good_slice, NULL},
      {slice_outside, "box outside on axis 1"},
      {bad_permutation, "not a permutation"},
      {bad_matmul, "sizes do not fit"},
      {bad_concat, "sizes do not add up"},
      {bad_broadcast, "does not fit"},
      {bad_reshape, "number of elements changes"},
      {bad_sum, "wrong number of results"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Program *p = PROGRAM("a", "b");
    cases[i].make(p, mk_const(p, p->body, matrix(FIXED, 2, 4), 0));
    const char *error = verify_find(p, VERIFY_CHOREOGRAPHY);
    if (cases[i].message ? !error || !strstr(error, cases[i].message) : error != NULL)
      fail_msg("case %zu: got \"%s\"", i, error ? error : "nothing");
    drop_program(p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_party_sets),
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_insert_before),
      cmocka_unit_test(test_forward),
      cmocka_unit_test(test_splat),
      cmocka_unit_test(test_print),
      cmocka_unit_test(test_hash),
      cmocka_unit_test(test_hash_sees_all_elements),
      cmocka_unit_test(test_verify_finds),
      cmocka_unit_test(test_verify_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
