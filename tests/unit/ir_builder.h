/* Short forms for building choreographies in unit tests. */
#ifndef TEST_IR_BUILDER_H
#define TEST_IR_BUILDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../compiler/ir.h"
#include "../../compiler/pass.h"
#include "../../compiler/verify.h"

/* The tests of one file use only some of them. */
#pragma GCC diagnostic ignored "-Wunused-function"

static const IrType NO_TYPE = {.elem = EL_NONE};
static const IrType INT = {.elem = EL_INT};
static const IrType BOOL = {.elem = EL_BOOL};
static const IrType FIXED = {.elem = EL_FIXED};
static const IrType RING = {.elem = EL_RING, .bits = 64, .scale = 16};

static IrType vector(IrType t, int64_t n) {
  t.shape = (Shape){1, {n}};
  return t;
}

static IrType matrix(IrType t, int64_t n, int64_t m) {
  t.shape = (Shape){2, {n, m}};
  return t;
}

/* A name, and for a family the number of members behind a star: "s0", "provider*5". */
static Program *new_program(const char *const *specs, int n) {
  Program *p = ir_program(arena_new(), "test.tfe");
  for (int i = 0; i < n; i++) {
    const char *star = strchr(specs[i], '*');
    size_t length = star ? (size_t)(star - specs[i]) : strlen(specs[i]);
    PartyDecl d = {.name = arena_intern(p->arena, specs[i], length),
                   .first = p->party_count,
                   .count = star ? atoi(star + 1) : 1,
                   .family = star != NULL};
    VEC_PUSH(p->arena, &p->parties, d);
    p->party_count += d.count;
  }
  return p;
}

#define PROGRAM(...)                                                                                         \
  new_program((const char *const[]){__VA_ARGS__},                                                            \
              (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void drop_program(Program *p) {
  arena_free(p->arena);
}

static PartySet everybody(const Program *p) {
  return party_range(0, p->party_count);
}

static PartySet at(int party) {
  return party_one(party);
}

static PartySet both(int a, int b) {
  return party_or(party_one(a), party_one(b));
}

static Op *mk(Program *p, IrBlock *b, OpKind kind, IrType type, PartySet where, int n, ...) {
  Op *op = ir_op(p, b, kind, type, NULL);
  op->where = where;
  va_list args;
  va_start(args, n);
  for (int i = 0; i < n; i++)
    ir_operand(p, op, va_arg(args, Op *));
  va_end(args);
  return op;
}

static Op *mk_const(Program *p, IrBlock *b, IrType type, uint64_t bits) {
  Op *op = mk(p, b, OP_CONST, type, everybody(p), 0);
  uint64_t *data = ARENA_NEW(p->arena, uint64_t);
  *data = bits;
  op->data = data;
  op->data_count = 1;
  return op;
}

static Op *mk_int(Program *p, IrBlock *b, int64_t v) {
  return mk_const(p, b, INT, (uint64_t)v);
}

static Op *mk_input(Program *p, IrBlock *b, IrType type, int party, const char *name) {
  Op *op = mk(p, b, OP_INPUT, type, at(party), 0);
  op->text = name;
  return op;
}

static Op *mk_output(Program *p, IrBlock *b, Op *v, int party, const char *name) {
  Op *op = mk(p, b, OP_OUTPUT, NO_TYPE, at(party), 1, v);
  op->text = name;
  return op;
}

static Op *mk_send(Program *p, IrBlock *b, Op *v, int from, int to) {
  Op *op = mk(p, b, OP_SEND, v->type, party_or(v->where, at(to)), 1, v);
  ir_int(p, op, from);
  ir_int(p, op, to);
  return op;
}

/* To everybody who has not got it. */
static Op *mk_publish(Program *p, IrBlock *b, Op *v) {
  int from = party_first(v->where);
  for (int i = 0; i < p->party_count; i++)
    if (!party_has(v->where, i))
      v = mk_send(p, b, v, from, i);
  return v;
}

static Op *mk_random(Program *p, IrBlock *b, IrType type, int x, int y, const char *label, Op *like) {
  Op *op = mk(p, b, OP_RANDOM, type, both(x, y), 0);
  ir_int(p, op, x);
  ir_int(p, op, y);
  op->text = label;
  if (like)
    ir_operand(p, op, like);
  return op;
}

static Op *mk_print(Program *p, IrBlock *b, Op *v) {
  Op *op = mk(p, b, OP_PRINT, NO_TYPE, everybody(p), 0);
  VEC_PUSH(p->arena, &op->texts, "value: ");
  if (v) {
    VEC_PUSH(p->arena, &op->texts, NULL);
    ir_operand(p, op, v);
  }
  return op;
}

/* for low .. high without carried values; *body is its block, with the index as parameter 0. */
static Op *mk_for(Program *p, IrBlock *b, int64_t low, int64_t high, IrBlock **body) {
  Op *first = mk_int(p, b, low), *end = mk_int(p, b, high);
  Op *op = mk(p, b, OP_FOR, NO_TYPE, everybody(p), 2, first, end);
  *body = ir_block(p, op);
  ir_arg(p, *body, INT, NULL)->where = everybody(p);
  return op;
}

/* A carried value of a loop that has its block already. */
static Op *mk_carried(Program *p, Op *loop, Op *init, PartySet where) {
  ir_operand(p, loop, init);
  Op *param = NULL;
  for (int i = 0; i < loop->blocks.count; i++) {
    param = ir_arg(p, loop->blocks.data[i], init->type, NULL);
    param->where = where;
  }
  return param;
}

static Op *mk_result(Program *p, IrBlock *b, Op *control, int k, IrType type, PartySet where) {
  Op *op = ir_result(p, b, control, k, type);
  op->where = where;
  return op;
}

/* ---- a protocol like pond among parties 0, 1 and producer 2 -------------------------------------------- */

typedef struct Shared {
  Op *a, *b;
} Shared;

typedef struct Opened {
  Op *c, *r0, *r1, *r;
} Opened;

static Shared pond_share(Program *p, IrBlock *b, Op *x, int owner) {
  IrType t = RING;
  t.shape = x->type.shape;
  Op *e = mk(p, b, OP_ENCODE, t, at(owner), 1, x);
  Op *a = mk_random(p, b, t, owner, 0, NULL, NULL);
  Op *d = mk(p, b, OP_SUB, t, at(owner), 2, e, a);
  return (Shared){a, mk_send(p, b, d, owner, 1)};
}

static Opened pond_open(Program *p, IrBlock *b, Shared x) {
  IrType t = x.a->type;
  Opened o;
  o.r0 = mk_random(p, b, t, 0, 2, "open#0", x.a);
  ir_operand(p, o.r0, x.b);
  o.r1 = mk_random(p, b, t, 1, 2, "open#1", x.a);
  ir_operand(p, o.r1, x.b);
  Op *m0 = mk_send(p, b, mk(p, b, OP_ADD, t, at(0), 2, x.a, o.r0), 0, 1);
  Op *m1 = mk_send(p, b, mk(p, b, OP_ADD, t, at(1), 2, x.b, o.r1), 1, 0);
  m0->text = m1->text = "pure";
  o.c = mk(p, b, OP_ADD, t, both(0, 1), 2, m0, m1);
  o.r = mk(p, b, OP_ADD, t, at(2), 2, o.r0, o.r1);
  return o;
}

static Shared pond_mul(Program *p, IrBlock *b, Shared x, Shared y) {
  IrType t = x.a->type;
  Opened u = pond_open(p, b, x), v = pond_open(p, b, y);
  Op *q = mk(p, b, OP_MUL, t, at(2), 2, u.r, v.r);
  Op *k0 = mk_random(p, b, t, 0, 2, "mul#0", q);
  Op *k1 = mk_send(p, b, mk(p, b, OP_SUB, t, at(2), 2, q, k0), 2, 1);
  k1->text = "pure";
  Op *cv = mk(p, b, OP_SUB, t, at(0), 2, v.c, v.r0);
  Op *a = mk(p, b, OP_MUL, t, at(0), 2, u.c, cv);
  a = mk(p, b, OP_SUB, t, at(0), 2, a, mk(p, b, OP_MUL, t, at(0), 2, u.r0, v.c));
  a = mk(p, b, OP_ADD, t, at(0), 2, a, k0);
  Op *s = mk(p, b, OP_MUL, t, at(1), 2, u.c, v.r1);
  s = mk(p, b, OP_SUB, t, at(1), 2, k1, s);
  s = mk(p, b, OP_SUB, t, at(1), 2, s, mk(p, b, OP_MUL, t, at(1), 2, u.r1, v.c));
  return (Shared){a, s};
}

static Op *pond_reveal(Program *p, IrBlock *b, Shared x) {
  IrType t = x.a->type, number = FIXED;
  number.shape = t.shape;
  Op *m0 = mk_send(p, b, x.a, 0, 1), *m1 = mk_send(p, b, x.b, 1, 0);
  Op *sum = mk(p, b, OP_ADD, t, both(0, 1), 2, m0, m1);
  Op *v = mk(p, b, OP_DECODE, number, both(0, 1), 1, sum);
  return mk_publish(p, b, v);
}

static Op *pond_reveal_to(Program *p, IrBlock *b, Shared x, int q) {
  IrType t = x.a->type, number = FIXED;
  number.shape = t.shape;
  Op *z = mk_random(p, b, t, 0, 1, NULL, NULL);
  Op *m0 = mk_send(p, b, mk(p, b, OP_ADD, t, at(0), 2, x.a, z), 0, q);
  Op *m1 = mk_send(p, b, mk(p, b, OP_SUB, t, at(1), 2, x.b, z), 1, q);
  return mk(p, b, OP_DECODE, number, at(q), 1, mk(p, b, OP_ADD, t, at(q), 2, m0, m1));
}

/* ---- looking at the outcome ---------------------------------------------------------------------------- */

typedef struct Census {
  OpKind kind;
  int party; /* -1: any */
  int count;
} Census;

static void census_visit(Op *op, void *data) {
  Census *c = data;
  c->count += op->kind == c->kind && (c->party < 0 || party_has(op->where, c->party));
}

/* Operations of a kind in a block and its inner blocks, at a party (-1: anywhere). */
static int count_ops(IrBlock *b, OpKind kind, int party) {
  Census c = {kind, party, 0};
  ir_walk(b, census_visit, &c);
  return c.count;
}

static int count_here(const IrBlock *b, OpKind kind) {
  int n = 0;
  for (int i = 0; i < b->ops.count; i++)
    n += b->ops.data[i]->kind == kind;
  return n;
}

static Op *find_op(const IrBlock *b, OpKind kind) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    if (op->kind == kind)
      return op;
    for (int k = 0; k < op->blocks.count; k++) {
      Op *inner = find_op(op->blocks.data[k], kind);
      if (inner)
        return inner;
    }
  }
  return NULL;
}

static char *printed(const Program *p) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  ir_print(p, out);
  fclose(out);
  return text;
}

static void assert_valid(const Program *p, VerifyStage stage) {
  const char *error = verify_find(p, stage);
  if (error)
    fail_msg("%s", error);
}

#endif
