/* The passes: each alone on small programs, and all of them on programs like those that pond makes. */
#include "ir_builder.h"

/* ---- fold ---------------------------------------------------------------------------------------------- */

static void test_fold_scalars(void **state) {
  (void)state;
  static const struct {
    OpKind kind;
    int64_t x, y, result;
  } cases[] = {
      {OP_ADD, 2, 3, 5},        {OP_SUB, 2, 3, -1},     {OP_MUL, -4, 3, -12},
      {OP_FLOORDIV, -7, 2, -4}, {OP_MOD, -7, 2, 1},     {OP_MIN2, -7, 2, -7},
      {OP_MAX2, -7, 2, 2},      {OP_FLOORDIV, 6, 3, 2}, {OP_ADD, INT64_MAX, 1, INT64_MIN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Program *p = PROGRAM("a");
    Op *x = mk_int(p, p->body, cases[i].x), *y = mk_int(p, p->body, cases[i].y);
    Op *op = mk(p, p->body, cases[i].kind, INT, at(0), 2, x, y);
    mk_print(p, p->body, op);
    pass_fold(p);
    assert_valid(p, VERIFY_CHOREOGRAPHY);
    assert_int_equal(op->kind, OP_CONST);
    assert_int_equal((int64_t)op->data[0], cases[i].result);
    drop_program(p);
  }
}

static void test_fold_leaves_alone(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, FIXED, 0, "x");
  Op *zero = mk_const(p, b, FIXED, ir_fixed_bits(0.0)), *big = mk_const(p, b, FIXED, ir_fixed_bits(1e308));
  Op *sum = mk(p, b, OP_ADD, FIXED, at(0), 2, x, zero);     /* -0.0 + 0.0 is 0.0 */
  Op *product = mk(p, b, OP_MUL, FIXED, at(0), 2, x, zero); /* NaN */
  Op *e = mk(p, b, OP_EXP, FIXED, at(0), 1, big);           /* the runtime's own */
  Op *quotient = mk(p, b, OP_FLOORDIV, INT, at(0), 2, mk_int(p, b, 1), mk_int(p, b, 0));
  pass_fold(p);
  assert_int_equal(sum->kind, OP_ADD);
  assert_null(sum->forward);
  assert_int_equal(product->kind, OP_MUL);
  assert_int_equal(e->kind, OP_EXP);
  assert_int_equal(quotient->kind, OP_FLOORDIV);
  drop_program(p);
}

static void test_fold_neutral(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  IrBlock *b = p->body;
  IrType t = vector(INT, 3);
  Op *x = mk_input(p, b, t, 0, "x");
  Op *y = mk(p, b, OP_ADD, t, at(0), 2, x, mk_int(p, b, 0));
  y = mk(p, b, OP_MUL, t, at(0), 2, y, mk_int(p, b, 1));
  y = mk(p, b, OP_SUB, t, at(0), 2, y, mk_int(p, b, 0));
  y = mk(p, b, OP_NEG, t, at(0), 1, mk(p, b, OP_NEG, t, at(0), 1, y));
  Op *matrix_form = mk(p, b, OP_RESHAPE, matrix(INT, 1, 3), at(0), 1, y);
  y = mk(p, b, OP_RESHAPE, t, at(0), 1, matrix_form);
  Op *out = mk_output(p, b, y, 0, "y");
  pass_fold(p);
  assert_ptr_equal(out->args.data[0], x);
  /* a scalar is not its own broadcast */
  Op *s = mk_input(p, b, INT, 0, "s");
  Op *wide = mk(p, b, OP_ADD, t, at(0), 2, s, mk_const(p, b, t, 0));
  pass_fold(p);
  assert_null(wide->forward);
  drop_program(p);
}

static void test_fold_ring_one(void **state) {
  (void)state;
  Program *p = PROGRAM("a");
  IrBlock *b = p->body;
  IrType plain = {.elem = EL_RING, .bits = 64};
  Op *x = mk_random(p, b, RING, 0, 0, NULL, NULL);
  Op *one = mk_const(p, b, plain, 1), *scaled = mk_const(p, b, RING, 1);
  Op *same = mk(p, b, OP_MUL, RING, at(0), 2, x, one), *other = mk(p, b, OP_MUL, RING, at(0), 2, x, scaled);
  pass_fold(p);
  assert_ptr_equal(same->forward, x);
  assert_null(other->forward); /* 1 at scale 16 is not the number one */
  drop_program(p);
}

static void test_fold_branch(void **state) {
  (void)state;
  for (int side = 0; side < 2; side++) {
    Program *p = PROGRAM("a", "b");
    IrBlock *b = p->body;
    Op *x = mk_int(p, b, 10), *y = mk_int(p, b, 20);
    Op *condition = mk(p, b, OP_LT, BOOL, everybody(p), 2, side ? y : x, side ? x : y);
    Op *branch = mk(p, b, OP_IF, NO_TYPE, everybody(p), 1, condition);
    IrBlock *yes = ir_block(p, branch), *no = ir_block(p, branch);
    Op *u = mk(p, yes, OP_ENTROPY, INT, everybody(p), 0);
    VEC_PUSH(p->arena, &yes->yields, u);
    VEC_PUSH(p->arena, &no->yields, y);
    Op *out = mk_print(p, b, mk_result(p, b, branch, 0, INT, everybody(p)));
    pass_fold(p);
    assert_valid(p, VERIFY_CHOREOGRAPHY);
    assert_ptr_equal(out->args.data[0], side ? y : u);
    assert_int_equal(count_ops(p->body, OP_IF, -1), 0);
    drop_program(p);
  }
}

static void test_fold_empty_loop(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *body;
  Op *x = mk_input(p, p->body, FIXED, 0, "x");
  Op *loop = mk_for(p, p->body, 5, 5, &body);
  Op *v = mk_carried(p, loop, x, at(0));
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_NEG, FIXED, at(0), 1, v));
  Op *out = mk_output(p, p->body, mk_result(p, p->body, loop, 0, FIXED, at(0)), 0, "y");
  pass_fold(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_ptr_equal(out->args.data[0], x);
  assert_int_equal(count_ops(p->body, OP_FOR, -1), 0);
  drop_program(p);
}

static void test_fold_unchanged_carried(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *body;
  Op *x = mk_input(p, p->body, FIXED, 0, "x"), *y = mk_input(p, p->body, FIXED, 0, "y");
  Op *loop = mk_for(p, p->body, 0, 5, &body);
  Op *v = mk_carried(p, loop, x, at(0)), *w = mk_carried(p, loop, y, at(0));
  Op *sum = mk(p, body, OP_ADD, FIXED, at(0), 2, v, w);
  VEC_PUSH(p->arena, &body->yields, v);
  VEC_PUSH(p->arena, &body->yields, sum);
  Op *out0 = mk_output(p, p->body, mk_result(p, p->body, loop, 0, FIXED, at(0)), 0, "u");
  p->body->ops.count--; /* results stand directly behind the loop */
  Op *second = mk_result(p, p->body, loop, 1, FIXED, at(0));
  VEC_PUSH(p->arena, &p->body->ops, out0);
  mk_output(p, p->body, second, 0, "w");
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  pass_fold(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_ptr_equal(out0->args.data[0], x);
  assert_ptr_equal(sum->args.data[0], x);
  assert_int_equal(body->params.count, 2);
  assert_int_equal(body->yields.count, 1);
  assert_int_equal(second->ints.data[0], 0);
  drop_program(p);
}

/* ---- cse ----------------------------------------------------------------------------------------------- */

static void test_cse(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body, *body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *y = mk_input(p, b, FIXED, 0, "x"); /* inputs are never merged */
  Op *s = mk(p, b, OP_ADD, FIXED, at(0), 2, x, y);
  Op *t = mk(p, b, OP_ADD, FIXED, at(0), 2, y, x);
  Op *d = mk(p, b, OP_SUB, FIXED, at(0), 2, x, y);
  Op *e = mk(p, b, OP_SUB, FIXED, at(0), 2, y, x);
  mk_for(p, b, 0, 3, &body);
  Op *inner = mk(p, body, OP_SUB, FIXED, at(0), 2, x, y);
  Op *u = mk_output(p, body, inner, 0, "u");
  Op *later = mk(p, body, OP_MUL, FIXED, at(0), 2, x, y);
  mk_output(p, body, later, 0, "v");
  Op *after = mk(p, b, OP_MUL, FIXED, at(0), 2, x, y); /* the one inside does not dominate it */
  mk_output(p, b, after, 0, "w");
  pass_cse(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_null(s->forward);
  assert_ptr_equal(t->forward, s);
  assert_null(d->forward);
  assert_null(e->forward);
  assert_ptr_equal(u->args.data[0], d);
  assert_null(after->forward);
  assert_int_equal(count_ops(b, OP_INPUT, -1), 2);
  drop_program(p);
}

static void test_cse_places(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body;
  Op *x = mk_const(p, b, FIXED, ir_fixed_bits(2.0));
  Op *s = mk(p, b, OP_EXP, FIXED, at(0), 1, x), *t = mk(p, b, OP_EXP, FIXED, at(1), 1, x);
  Op *u = mk(p, b, OP_ENTROPY, INT, at(0), 0), *v = mk(p, b, OP_ENTROPY, INT, at(1), 0);
  mk_output(p, b, t, 1, "t");
  pass_cse(p);
  assert_ptr_equal(t->forward, s);
  assert_true(party_equal(s->where, both(0, 1)));
  assert_null(u->forward);
  assert_null(v->forward);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  drop_program(p);
}

static void test_cse_random(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *y = mk_input(p, b, FIXED, 0, "y");
  Op *fresh = mk_random(p, b, RING, 0, 1, NULL, NULL), *fresh2 = mk_random(p, b, RING, 0, 1, NULL, NULL);
  Op *r = mk_random(p, b, RING, 0, 1, "open#0", x), *same = mk_random(p, b, RING, 0, 1, "open#0", x);
  Op *other_label = mk_random(p, b, RING, 0, 1, "open#1", x),
     *other_x = mk_random(p, b, RING, 0, 1, "open#0", y);
  pass_cse(p);
  assert_null(fresh->forward);
  assert_null(fresh2->forward);
  assert_null(r->forward);
  assert_ptr_equal(same->forward, r);
  assert_null(other_label->forward);
  assert_null(other_x->forward);
  drop_program(p);
}

/* ---- licm ---------------------------------------------------------------------------------------------- */

static void test_licm(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body, *outer, *inner;
  Op *x = mk_input(p, b, vector(FIXED, 4), 0, "x");
  mk_for(p, b, 0, 3, &outer);
  mk_for(p, outer, 0, 3, &inner);
  Op *two = mk_const(p, inner, FIXED, ir_fixed_bits(2.0));
  Op *unused_const = mk_const(p, inner, FIXED, ir_fixed_bits(3.0));
  Op *y = mk(p, inner, OP_MUL, x->type, at(0), 2, x, two);
  Op *r = mk_random(p, inner, RING, 0, 1, "l", y), *fresh = mk_random(p, inner, RING, 0, 1, NULL, NULL);
  Op *i = mk(p, inner, OP_TO_FIXED, FIXED, everybody(p), 1, outer->params.data[0]);
  mk_output(p, inner, y, 0, "y");
  int id = r->id;
  pass_licm(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_ptr_equal(y->parent, b);
  assert_ptr_equal(two->parent, b); /* feeds y */
  assert_ptr_equal(unused_const->parent, inner);
  assert_ptr_equal(r->parent, b);
  assert_int_equal(r->id, id);
  assert_ptr_equal(fresh->parent, inner);
  assert_ptr_equal(i->parent, outer);
  drop_program(p);
}

static void test_licm_loop_that_may_not_run(void **state) {
  (void)state;
  static const bool certain_cases[] = {true, false};
  for (size_t i = 0; i < 2; i++) {
    Program *p = PROGRAM("a", "b");
    IrBlock *b = p->body, *body;
    Op *x = mk_input(p, b, FIXED, 0, "x");
    Op *n = mk(p, b, OP_ENTROPY, INT, everybody(p), 0);
    Op *loop = mk_for(p, b, 0, 3, &body);
    if (!certain_cases[i])
      loop->args.data[1] = n;
    Op *y = mk(p, body, OP_NEG, FIXED, at(0), 1, x);
    Op *e = mk(p, body, OP_ENCODE, RING, at(0), 1, x);
    Op *plain = mk_send(p, body, y, 0, 1), *masked = mk_send(p, body, y, 0, 1);
    masked->text = "pure";
    mk_output(p, body, plain, 1, "u");
    mk_output(p, body, masked, 1, "v");
    pass_licm(p);
    assert_valid(p, VERIFY_CHOREOGRAPHY);
    assert_ptr_equal(y->parent, b);
    assert_ptr_equal(e->parent, certain_cases[i] ? b : body);
    assert_ptr_equal(plain->parent, certain_cases[i] ? b : body);
    assert_ptr_equal(masked->parent, b);
    drop_program(p);
  }
}

static void test_licm_not_out_of_a_branch(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body, *body;
  Op *x = mk_input(p, b, FIXED, 0, "x");
  Op *c = mk(p, b, OP_LT, BOOL, everybody(p), 2, mk_int(p, b, 1), mk(p, b, OP_ENTROPY, INT, everybody(p), 0));
  mk_for(p, b, 0, 3, &body);
  Op *branch = mk(p, body, OP_IF, NO_TYPE, everybody(p), 1, c);
  IrBlock *yes = ir_block(p, branch);
  ir_block(p, branch);
  Op *y = mk(p, yes, OP_NEG, FIXED, at(0), 1, x);
  mk_output(p, yes, y, 0, "y");
  pass_licm(p);
  assert_ptr_equal(y->parent, yes);
  assert_ptr_equal(branch->parent, body);
  drop_program(p);
}

/* ---- demand -------------------------------------------------------------------------------------------- */

static void test_demand_slices(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body;
  Op *x = mk_const(p, b, vector(FIXED, 4), ir_fixed_bits(2.0));
  Op *y = mk(p, b, OP_EXP, x->type, everybody(p), 1, x),
     *dead = mk(p, b, OP_LOG, x->type, everybody(p), 1, x);
  mk_output(p, b, y, 1, "y");
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_equal(y->where, at(1)));
  assert_true(party_equal(x->where, at(1)));
  assert_int_equal(count_ops(b, dead->kind, -1), 0);
  drop_program(p);
}

static void test_demand_messages(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, FIXED, 0, "x");
  Op *v = mk_publish(p, b, x); /* a -> b, a -> c */
  Op *w = mk(p, b, OP_NEG, FIXED, everybody(p), 1, v);
  Op *everywhere = mk(p, b, OP_NEG, FIXED, everybody(p), 1, mk_const(p, b, FIXED, 0));
  Op *alias = mk_send(p, b, everywhere, 0, 2); /* c has it anyway */
  mk_output(p, b, w, 2, "w");
  mk_output(p, b, alias, 2, "z");
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_int_equal(count_ops(b, OP_SEND, -1), 1); /* b does not need it */
  Op *send = find_op(b, OP_SEND);
  assert_int_equal(send->ints.data[1], 2);
  assert_true(party_equal(send->where, at(2)));
  assert_true(party_equal(w->where, at(2)));
  assert_true(party_equal(everywhere->where, at(2)));
  drop_program(p);
}

static void test_demand_control(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body, *body;
  Op *n = mk_publish(p, b, mk_input(p, b, INT, 0, "n"));
  Op *loop = mk_for(p, b, 0, 1, &body);
  loop->args.data[1] = n;
  Op *x = mk_input(p, body, FIXED, 1, "x");
  mk_output(p, body, x, 1, "y");
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_equal(loop->where, at(1))); /* b needs the bound: one message */
  assert_int_equal(count_ops(b, OP_SEND, -1), 1);
  assert_true(party_equal(body->params.data[0]->where, party_none()));
  drop_program(p);
}

static void test_demand_carried(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body, *body;
  IrType t = FIXED;
  Op *one = mk_const(p, b, t, ir_fixed_bits(1.0));
  Op *loop = mk_for(p, b, 0, 8, &body);
  Op *u = mk_carried(p, loop, one, everybody(p)), *v = mk_carried(p, loop, one, everybody(p));
  Op *w = mk_carried(p, loop, one, everybody(p));
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_EXP, t, everybody(p), 1, u)); /* only for itself: dead */
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_ADD, t, everybody(p), 2, v, w));
  VEC_PUSH(p->arena, &body->yields, mk(p, body, OP_SQRT, t, everybody(p), 1, w));
  Op *r = mk_result(p, b, loop, 1, t, everybody(p));
  mk_output(p, b, r, 0, "r");
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_int_equal(body->params.count, 3);
  assert_int_equal(body->yields.count, 2);
  assert_int_equal(r->ints.data[0], 0);
  assert_true(party_equal(loop->where, at(0)));
  assert_true(party_equal(body->params.data[2]->where, at(0)));
  assert_int_equal(count_ops(b, OP_EXP, -1), 0);
  drop_program(p);
}

static void test_demand_while(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body;
  Op *zero = mk_int(p, b, 0);
  Op *loop = mk(p, b, OP_WHILE, NO_TYPE, everybody(p), 0);
  IrBlock *test = ir_block(p, loop), *body = ir_block(p, loop);
  mk_carried(p, loop, zero, everybody(p));
  Op *more = mk(p, test, OP_MORE, BOOL, at(0), 0);
  more->text = "x";
  VEC_PUSH(p->arena, &test->yields, mk_publish(p, test, more));
  Op *x = mk_input(p, body, FIXED, 0, "x");
  mk_output(p, body, mk_send(p, body, x, 0, 2), 2, "y");
  Op *next = mk(p, body, OP_ADD, INT, everybody(p), 2, body->params.data[0], mk_int(p, body, 1));
  VEC_PUSH(p->arena, &body->yields, next);
  Op *count = mk_result(p, b, loop, 0, INT, everybody(p));
  mk_output(p, b, count, 2, "count");
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_equal(loop->where, both(0, 2)));
  assert_int_equal(count_ops(b, OP_SEND, -1), 2); /* the condition and x, to c */
  assert_true(party_equal(next->where, at(2)));
  drop_program(p);
}

/* A joint print goes to those who have the value without a further message. */
static void test_demand_joint_print(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "s1", "producer", "owner*2", "client");
  IrBlock *b = p->body;
  Shared x = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 3, "x"), 3);
  Op *opened = mk_print(p, b, pond_reveal(p, b, pond_mul(p, b, x, x)));
  Op *text = mk_print(p, b, NULL);
  pass_cse(p);
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_equal(opened->where, both(0, 1)));
  assert_true(party_equal(text->where, everybody(p)));
  for (int i = 0; i < b->ops.count; i++) /* nothing is sent to the producer, the owners, or the client */
    if (b->ops.data[i]->kind == OP_SEND)
      assert_true(b->ops.data[i]->ints.data[1] < 2);
  drop_program(p);
}

static void test_demand_joint_print_of_published(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "s1", "owner", "client");
  IrBlock *b = p->body;
  Op *v = mk_publish(p, b, mk_input(p, b, FIXED, 2, "x"));
  Op *first = mk_print(p, b, v);
  Op *w = mk_publish(p, b, mk_input(p, b, FIXED, 2, "y"));
  Op *second = mk_print(p, b, w);
  mk_output(p, b, w, 3, "y"); /* the client has the second one anyway */
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_equal(first->where, at(2)));
  assert_true(party_equal(second->where, both(2, 3)));
  assert_int_equal(count_ops(b, OP_SEND, -1), 1);
  drop_program(p);
}

/* Nobody has both lines: one party gets what it lacks, so that somebody prints them in order. */
static void test_demand_speaker(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "s1", "owner", "client");
  IrBlock *b = p->body;
  Op *first = mk_print(p, b, mk_publish(p, b, mk_input(p, b, FIXED, 2, "x")));
  Op *second = mk_print(p, b, mk_publish(p, b, mk_input(p, b, FIXED, 3, "y")));
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_int_equal(p->speaker, 2);
  assert_true(party_equal(first->where, at(2)));
  assert_true(party_equal(second->where, both(2, 3)));
  assert_int_equal(count_ops(b, OP_SEND, -1), 1);
  drop_program(p);
}

static void test_demand_progress_in_a_loop(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "owner");
  IrBlock *b = p->body, *body, *prints;
  Op *x = mk_input(p, b, FIXED, 2, "x");
  Op *y = mk_send(p, b, x, 2, 0);
  mk_for(p, b, 0, 4, &body);
  mk_output(p, body, mk_send(p, body, y, 0, 1), 1, "y");
  Op *line = mk_print(p, body, body->params.data[0]);
  mk_for(p, b, 0, 4, &prints);
  Op *only = mk_print(p, prints, prints->params.data[0]);
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_equal(line->where, both(0, 1))); /* the owner is not in this loop */
  assert_true(party_equal(only->where, everybody(p)));
  drop_program(p);
}

/* ---- rounds -------------------------------------------------------------------------------------------- */

static void test_rounds_merge(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "s1", "producer", "client");
  IrBlock *b = p->body;
  Shared x = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 3, "x"), 3);
  Shared y = pond_share(p, b, mk_input(p, b, vector(FIXED, 3), 3, "y"), 3);
  Shared z = pond_mul(p, b, x, y), w = pond_mul(p, b, x, x);
  Shared sum = {mk(p, b, OP_ADD, z.a->type, at(0), 2, z.a, w.a),
                mk(p, b, OP_ADD, z.b->type, at(1), 2, z.b, w.b)};
  mk_output(p, b, pond_reveal_to(p, b, sum, 3), 3, "z");
  passes_run(p, NULL, NULL);
  /* client -> s1 once; openings one message each way; producer -> s1 once; two to the client */
  assert_int_equal(p->next_message - 1, 6);
  /* x, y shared; x and y opened once each, both ways; two products; two shares of the result */
  assert_int_equal(count_ops(b, OP_SEND, -1), 2 + 4 + 2 + 2);
  for (int i = 1; i < b->ops.count; i++) {
    const Op *last = b->ops.data[i - 1], *op = b->ops.data[i];
    if (op->kind == OP_SEND && last->kind == OP_SEND)
      assert_true(last->level < op->level || last->ints.data[0] < op->ints.data[0] ||
                  last->ints.data[1] <= op->ints.data[1]);
  }
  drop_program(p);
}

static int position_of(const IrBlock *b, const Op *op) {
  for (int i = 0; i < b->ops.count; i++)
    if (b->ops.data[i] == op)
      return i;
  return -1;
}

static Op *mk_reveal(Program *p, IrBlock *b, Op *v, int from, int to) {
  Op *send = mk_send(p, b, v, from, to);
  send->text = "reveal";
  return send;
}

/* What a party discloses waits for the assertions that it makes before; what is masked does not. */
static void test_rounds_assertion_first(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *y = mk_input(p, b, BOOL, 1, "y");
  Op *good = mk_send(p, b, y, 1, 0);
  mk(p, b, OP_ASSERT, NO_TYPE, at(0), 1, good);
  Op *told = mk_reveal(p, b, x, 0, 1);
  Op *masked = mk_send(p, b, mk(p, b, OP_NEG, FIXED, at(0), 1, x), 0, 1);
  masked->text = "pure";
  mk_output(p, b, told, 1, "u");
  mk_output(p, b, masked, 1, "v");
  passes_run(p, NULL, NULL);
  assert_int_equal(good->level, 0);
  assert_int_equal(masked->level, 0);
  assert_int_equal(told->level, 1);
  assert_true(position_of(b, find_op(b, OP_ASSERT)) < position_of(b, told));
  drop_program(p);
}

/* A public assertion is made by all who reveal something behind it, though the condition must be sent there. */
static void test_demand_assertion_of_revealers(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body, *body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *y = mk_input(p, b, BOOL, 1, "y");
  Op *good = mk_publish(p, b, y);
  Op *before = mk(p, b, OP_ASSERT, NO_TYPE, everybody(p), 1, good);
  mk_output(p, b, mk_reveal(p, b, x, 0, 2), 2, "u");
  Op *bad = mk(p, b, OP_NOT, BOOL, everybody(p), 1, good);
  Op *behind = mk(p, b, OP_ASSERT, NO_TYPE, everybody(p), 1, bad);
  mk_for(p, b, 0, 3, &body);
  Op *told = mk_reveal(p, body, mk_input(p, body, FIXED, 1, "z"), 1, 2);
  mk_output(p, body, told, 2, "v");
  Op *inside = mk(p, body, OP_ASSERT, NO_TYPE, everybody(p), 1, good);
  pass_demand(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_true(party_subset(both(0, 1), before->where));
  assert_true(party_equal(behind->where, at(1)));
  assert_true(party_has(inside->where, 1) && !party_has(inside->where, 0));
  drop_program(p);
}

/* A reveal does not leave a loop in which an assertion stands in front of it. */
static void test_licm_not_before_an_assertion(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body, *body;
  Op *x = mk_input(p, b, FIXED, 0, "x"), *good = mk_input(p, b, BOOL, 0, "good");
  mk_for(p, b, 0, 3, &body);
  Op *first = mk_reveal(p, body, x, 0, 1);
  mk(p, body, OP_ASSERT, NO_TYPE, at(0), 1, good);
  Op *second = mk_reveal(p, body, mk(p, body, OP_NEG, FIXED, at(0), 1, x), 0, 1);
  mk_output(p, body, first, 1, "u");
  mk_output(p, body, second, 1, "v");
  pass_licm(p);
  assert_valid(p, VERIFY_CHOREOGRAPHY);
  assert_ptr_equal(first->parent, b);
  assert_ptr_equal(second->parent, body);
  drop_program(p);
}

static void test_rounds_effects_keep_order(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b");
  IrBlock *b = p->body;
  Op *x = mk_input(p, b, FIXED, 0, "x");
  Op *y = mk_send(p, b, mk_send(p, b, mk_send(p, b, x, 0, 1), 1, 0), 0, 1);
  (void)y;
  Op *ball = x;
  for (int i = 0; i < 3; i++) { /* there and back, changed each time */
    ball = mk(p, b, OP_NEG, FIXED, at(i % 2), 1, ball);
    ball = mk_send(p, b, ball, i % 2, 1 - i % 2);
  }
  Op *late = mk_output(p, b, ball, 1, "late");
  Op *early = mk_output(p, b, mk_const(p, b, FIXED, 0), 1, "early");
  Op *other = mk_output(p, b, mk_const(p, b, FIXED, 0), 0, "other");
  passes_run(p, NULL, NULL);
  int at_late = -1, at_early = -1, at_other = -1;
  for (int i = 0; i < b->ops.count; i++) {
    at_late = b->ops.data[i] == late ? i : at_late;
    at_early = b->ops.data[i] == early ? i : at_early;
    at_other = b->ops.data[i] == other ? i : at_other;
  }
  assert_true(at_late >= 0 && at_late < at_early);
  assert_true(at_other >= 0 && at_other < at_late);
  drop_program(p);
}

static void test_rounds_loop_raises_level(void **state) {
  (void)state;
  Program *p = PROGRAM("a", "b", "c");
  IrBlock *b = p->body, *body;
  Op *x = mk_input(p, b, FIXED, 0, "x");
  Op *loop = mk_for(p, b, 0, 5, &body);
  Op *v = mk_carried(p, loop, x, at(0));
  Op *there = mk_send(p, body, v, 0, 1);
  Op *changed = mk(p, body, OP_NEG, FIXED, at(1), 1, there);
  VEC_PUSH(p->arena, &body->yields, mk_send(p, body, changed, 1, 0));
  Op *r = mk_result(p, b, loop, 0, FIXED, at(0));
  Op *direct = mk_send(p, b, x, 0, 2), *after = mk_send(p, b, r, 0, 2);
  mk_output(p, b, direct, 2, "u");
  mk_output(p, b, after, 2, "v");
  passes_run(p, NULL, NULL);
  assert_int_equal(direct->level, 0);
  assert_int_equal(after->level, 1);
  assert_true(direct->message < there->message && there->message < after->message);
  assert_int_equal(count_here(body, OP_SEND), 2);
  assert_true(changed->parent == body);
  drop_program(p);
}

/* ---- all together -------------------------------------------------------------------------------------- */

/* A loop that multiplies by a fixed secret opens it once, and carries the other in one round a pass. */
static void test_weights_opened_once(void **state) {
  (void)state;
  Program *p = PROGRAM("s0", "s1", "producer", "client");
  IrBlock *b = p->body, *body;
  IrType t = vector(FIXED, 3);
  Shared weights = pond_share(p, b, mk_input(p, b, t, 3, "w"), 3);
  Shared x = pond_share(p, b, mk_input(p, b, t, 3, "x"), 3);
  Op *loop = mk_for(p, b, 0, 10, &body);
  Shared v = {mk_carried(p, loop, x.a, at(0)), mk_carried(p, loop, x.b, at(1))};
  Shared next = pond_mul(p, body, v, weights);
  VEC_PUSH(p->arena, &body->yields, next.a);
  VEC_PUSH(p->arena, &body->yields, next.b);
  Shared r;
  r.a = mk_result(p, b, loop, 0, x.a->type, at(0));
  r.b = mk_result(p, b, loop, 1, x.b->type, at(1));
  mk_output(p, b, pond_reveal_to(p, b, r, 3), 3, "r");
  passes_run(p, NULL, NULL);
  assert_int_equal(count_here(body, OP_SEND), 3);   /* v both ways, and the producer's */
  assert_int_equal(count_here(body, OP_RANDOM), 3); /* masks of v, share of the product */
  assert_int_equal(count_here(p->body, OP_SEND), 2 + 2 + 2);
  assert_true(party_equal(loop->where, party_range(0, 3)));
  for (int i = 0; i < b->ops.count; i++)
    if (b->ops.data[i]->kind == OP_RANDOM)
      assert_int_equal(b->ops.data[i]->args.count, 0);
  drop_program(p);
}

static void note_stage(const Program *p, const char *stage, void *data) {
  (void)p;
  strcat(data, stage);
  strcat(data, " ");
}

static void test_passes_order(void **state) {
  (void)state;
  char stages[100] = "";
  Program *p = PROGRAM("a");
  mk_print(p, p->body, mk_int(p, p->body, 1));
  passes_run(p, note_stage, stages);
  assert_string_equal(stages, "fold cse licm cse2 demand rounds ");
  assert_int_equal(strlen(p->hash), 64);
  drop_program(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fold_scalars),
      cmocka_unit_test(test_fold_leaves_alone),
      cmocka_unit_test(test_fold_neutral),
      cmocka_unit_test(test_fold_ring_one),
      cmocka_unit_test(test_fold_branch),
      cmocka_unit_test(test_fold_empty_loop),
      cmocka_unit_test(test_fold_unchanged_carried),
      cmocka_unit_test(test_cse),
      cmocka_unit_test(test_cse_places),
      cmocka_unit_test(test_cse_random),
      cmocka_unit_test(test_licm),
      cmocka_unit_test(test_licm_loop_that_may_not_run),
      cmocka_unit_test(test_licm_not_out_of_a_branch),
      cmocka_unit_test(test_demand_slices),
      cmocka_unit_test(test_demand_messages),
      cmocka_unit_test(test_demand_control),
      cmocka_unit_test(test_demand_carried),
      cmocka_unit_test(test_demand_while),
      cmocka_unit_test(test_demand_joint_print),
      cmocka_unit_test(test_demand_joint_print_of_published),
      cmocka_unit_test(test_demand_speaker),
      cmocka_unit_test(test_demand_progress_in_a_loop),
      cmocka_unit_test(test_rounds_merge),
      cmocka_unit_test(test_rounds_effects_keep_order),
      cmocka_unit_test(test_rounds_assertion_first),
      cmocka_unit_test(test_demand_assertion_of_revealers),
      cmocka_unit_test(test_licm_not_before_an_assertion),
      cmocka_unit_test(test_rounds_loop_raises_level),
      cmocka_unit_test(test_weights_opened_once),
      cmocka_unit_test(test_passes_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
