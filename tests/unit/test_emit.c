/* The emitter against the real runtime: programs built by hand are emitted, linked into a shared object
 * and run in this process. Each case is an ASSERT in the program itself, against a constant worked out
 * here; a failing assertion names its case. At the end random programs are compared with a straightforward
 * interpreter: what could break there is the plan (order, lifetimes, updates in place, carried values). */
#include <dlfcn.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../compiler/emit.h"
#include "../../compiler/plan.h"
#include "../../compiler/verify.h"
#include "../../runtime/ctx.h"

#ifndef TFE_TEST_LINK_FLAGS
#define TFE_TEST_LINK_FLAGS ""
#endif

/* ---- building -------------------------------------------------------------------------------- */

typedef struct Bench {
  Program *p;
  IrBlock *b; /* where operations are added */
  PartySet where;
} Bench;

static Bench bench(bool family, int members) {
  Arena *a = arena_new();
  Program *p = ir_program(a, "test.tfe");
  PartyDecl d = {.name = "ann", .first = 0, .count = members, .family = family};
  PartyDecl other = {.name = "bob", .first = members, .count = 1};
  VEC_PUSH(a, &p->parties, d);
  VEC_PUSH(a, &p->parties, other);
  p->party_count = members + 1;
  p->self = 0;
  memset(p->hash, '0', 64);
  return (Bench){.p = p, .b = p->body, .where = party_range(0, members)};
}

static IrType type_of(Elem elem, int bits, int scale, int rank, ...) {
  IrType t = {.elem = elem, .bits = bits, .scale = scale, .shape.rank = rank};
  va_list args;
  va_start(args, rank);
  for (int i = 0; i < rank; i++)
    t.shape.dim[i] = va_arg(args, int);
  va_end(args);
  return t;
}

static Op *add(Bench *f, OpKind kind, IrType t, int count, ...) {
  Op *op = ir_op(f->p, f->b, kind, t, NULL);
  op->where = f->where;
  va_list args;
  va_start(args, count);
  for (int i = 0; i < count; i++)
    ir_operand(f->p, op, va_arg(args, Op *));
  va_end(args);
  return op;
}

static Op *with(Bench *f, Op *op, int64_t attribute) {
  ir_int(f->p, op, attribute);
  return op;
}

static Op *constant(Bench *f, IrType t, const uint64_t *data) {
  int64_t n = shape_count(&t.shape);
  uint64_t *copy = ARENA_ARRAY(f->p->arena, uint64_t, n + 1);
  memcpy(copy, data, sizeof *data * (size_t)n);
  Op *op = add(f, OP_CONST, t, 0);
  op->data = copy;
  op->data_count = n;
  return op;
}

static Op *reals(Bench *f, IrType t, const double *v) {
  uint64_t bits[64];
  for (int64_t i = 0; i < shape_count(&t.shape); i++)
    bits[i] = ir_fixed_bits(v[i]);
  return constant(f, t, bits);
}

static Op *number(Bench *f, int64_t v) {
  Op *op = ir_const_int(f->p, f->b, v, NULL);
  op->where = f->where;
  return op;
}

/* A value that LLVM cannot see through: the constant behind a loop that never runs. */
static Op *opaque(Bench *f, Op *x) {
  Op *loop = add(f, OP_FOR, (IrType){0}, 3, number(f, 0), number(f, 1), x);
  IrBlock *b = ir_block(f->p, loop);
  ir_arg(f->p, b, type_of(EL_INT, 0, 0, 0), NULL)->where = f->where;
  Op *carried = ir_arg(f->p, b, x->type, NULL);
  carried->where = f->where;
  VEC_PUSH(f->p->arena, &b->yields, carried);
  return ir_result(f->p, f->b, loop, 0, x->type);
}

static void expect_op(Bench *f, Op *got, Op *want, const char *what) {
  IrType bits = {.elem = EL_BOOL, .shape = got->type.shape}, one = {.elem = EL_BOOL};
  Op *same = add(f, OP_EQ, bits, 2, got, want);
  if (bits.shape.rank > 0)
    same = with(f, add(f, OP_ALL, one, 1, same), -1);
  Op *check = add(f, OP_ASSERT, (IrType){0}, 1, same);
  VEC_PUSH(f->p->arena, &check->texts, arena_printf(f->p->arena, "%s", what));
}

static void expect(Bench *f, Op *got, const uint64_t *want, const char *what) {
  expect_op(f, got, constant(f, got->type, want), what);
}

static void expect_reals(Bench *f, Op *got, const double *want, const char *what) {
  expect_op(f, got, reals(f, got->type, want), what);
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct Run {
  TfeStatus status;
  char error[1024];
} Run;

static const char *scratch_file(Arena *a, const char *suffix) {
  static int count;
  return arena_printf(a, "/tmp/tfe-test-emit-%ld-%d%s", (long)getpid(), count++, suffix);
}

static void *load_program(Bench *f, int level, const TfeProgram **program) {
  Arena *a = f->p->arena;
  uint8_t *links = ARENA_ARRAY(a, uint8_t, f->p->party_count * f->p->parties.data[0].count + 1);
  EmitInfo info = {.compiler = "test", .manifest = "{}", .about = "", .parameters = "", .links = links};
  EmitOptions options = {.level = level};
  const char *object = scratch_file(a, ".o"), *loops = scratch_file(a, ".o"),
             *shared = scratch_file(a, ".so");
  const char *wrong = verify_find(f->p, VERIFY_PARTY);
  if (wrong)
    fail_msg("%s", wrong);
  EmitUnit *unit = emit_unit(a, &options, 1);
  assert_null(emit_party_object(emit_party(unit, f->p, &info), object));
  assert_null(emit_loops_object(unit, 0, loops));
  emit_unit_free(unit);
  const char *link =
      arena_printf(a, "%s -shared -o %s %s %s %s %s -Wl,-z,now -lssl -lcrypto -lz -lpthread -lm", TFE_TEST_CC,
                   shared, TFE_TEST_LINK_FLAGS, object, loops, TFE_TEST_LIB);
  assert_int_equal(system(link), 0);
  /* It stays: what its kernels keep for their next product would be a leak without it. */
  void *library = dlopen(shared, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    fail_msg("%s", dlerror());
  unlink(object);
  unlink(loops);
  unlink(shared);
  *program = dlsym(library, "tfe_program");
  assert_non_null(*program);
  return library;
}

static Run run(Bench *f, int level, int64_t member) {
  const TfeProgram *program;
  void *library = load_program(f, level, &program);
  TfeCtx ctx = {0};
  Run r = {0};
  assert_int_equal(tfe_ctx_init(&ctx, program, member), TFE_OK);
  r.status = program->run(&ctx, ctx.arena);
  snprintf(r.error, sizeof r.error, "%s", ctx.error_text);
  tfe_ctx_free(&ctx);
  dlclose(library);
  return r;
}

static void run_good(Bench *f) {
  for (int level = 0; level <= 2; level += 2) {
    Run r = run(f, level, 0);
    if (r.status)
      fail_msg("-O%d: %s", level, r.error);
  }
  arena_free(f->p->arena);
}

/* ---- elementwise ----------------------------------------------------------------------------- */

enum { N = 5 };

typedef struct RealCase {
  OpKind kind;
  double x[N], y[N], want[N];
} RealCase;

static const RealCase real_cases[] = {
    {OP_ADD, {1, 2, -3, 0.5, 1e300}, {2, 3, 4, 0.25, 1}, {3, 5, 1, 0.75, 1e300}},
    {OP_SUB, {1, 2, -3, 0.5, 0}, {2, 3, 4, 0.25, 1}, {-1, -1, -7, 0.25, -1}},
    {OP_MUL, {1, 2, -3, 0.5, 0}, {2, 3, 4, 0.25, 1}, {2, 6, -12, 0.125, 0}},
    {OP_DIV, {1, 2, -3, 0.5, 0}, {2, 4, 4, 0.25, 1}, {0.5, 0.5, -0.75, 2, 0}},
    {OP_POW, {2, 3, 4, 10, 1}, {3, 2, 0.5, 0, 9}, {8, 9, 2, 1, 1}},
    {OP_NEG, {1, 2, -3, 0.5, 0}, {0}, {-1, -2, 3, -0.5, 0}},
    {OP_ABS, {1, -2, -3, 0.5, 0}, {0}, {1, 2, 3, 0.5, 0}},
    {OP_SIGN, {1, -2, -3, 0.5, 0}, {0}, {1, -1, -1, 1, 0}},
    {OP_MIN2, {1, -2, -3, 0.5, 0}, {2, -3, -3, 0.25, 7}, {1, -3, -3, 0.25, 0}},
    {OP_MAX2, {1, -2, -3, 0.5, 0}, {2, -3, -3, 0.25, 7}, {2, -2, -3, 0.5, 7}},
    {OP_SQRT, {1, 4, 9, 0.25, 0}, {0}, {1, 2, 3, 0.5, 0}},
    {OP_EXP, {0, 0, 0, 0, 0}, {0}, {1, 1, 1, 1, 1}},
    {OP_LOG, {1, 1, 1, 1, 1}, {0}, {0, 0, 0, 0, 0}},
    {OP_TANH, {0, 0, 0, 0, 0}, {0}, {0, 0, 0, 0, 0}},
    {OP_FLOOR, {1.5, -1.5, 2, -0.25, 0}, {0}, {1, -2, 2, -1, 0}},
    {OP_ROUND, {1.5, -1.5, 2.5, -0.25, 0.75}, {0}, {2, -2, 2, 0, 1}},
    {OP_FLOORDIV, {7, -7, 7, -7, 1}, {2, 2, -2, -2, 4}, {3, -4, -4, 3, 0}},
    {OP_MOD, {7, -7, 7, -7, 1}, {2, 2, -2, -2, 4}, {1, 1, -1, -1, 1}},
};

#define MIN64 INT64_MIN

typedef struct IntCase {
  OpKind kind;
  int64_t x[N], y[N], want[N];
} IntCase;

static const IntCase int_cases[] = {
    {OP_ADD, {1, 2, -3, INT64_MAX, 0}, {2, 3, 4, 1, 0}, {3, 5, 1, MIN64, 0}},
    {OP_SUB, {1, 2, -3, MIN64, 0}, {2, 3, 4, 1, 0}, {-1, -1, -7, INT64_MAX, 0}},
    {OP_MUL, {1, 2, -3, MIN64, 0}, {2, 3, 4, 2, 0}, {2, 6, -12, 0, 0}},
    {OP_FLOORDIV, {7, -7, 7, -7, MIN64}, {2, 2, -2, -2, -1}, {3, -4, -4, 3, MIN64}},
    {OP_MOD, {7, -7, 7, -7, MIN64}, {2, 2, -2, -2, -1}, {1, 1, -1, -1, 0}},
    {OP_POW, {2, 3, -2, 10, -1}, {62, 4, 3, 0, -3}, {INT64_C(1) << 62, 81, -8, 1, -1}},
    {OP_POW, {2, 1, 0, 0, 5}, {-1, -7, 0, 3, 1}, {0, 1, 1, 0, 5}},
    {OP_NEG, {1, -2, 0, MIN64, 5}, {0}, {-1, 2, 0, MIN64, -5}},
    {OP_ABS, {1, -2, 0, MIN64, 5}, {0}, {1, 2, 0, MIN64, 5}},
    {OP_SIGN, {1, -2, 0, MIN64, 5}, {0}, {1, -1, 0, -1, 1}},
    {OP_MIN2, {1, -2, 0, 5, 5}, {2, -3, 0, -1, 5}, {1, -3, 0, -1, 5}},
    {OP_MAX2, {1, -2, 0, 5, 5}, {2, -3, 0, -1, 5}, {2, -2, 0, 5, 5}},
};

static bool is_unary(OpKind kind) {
  return op_info[kind].args == 1;
}

static Op *apply(Bench *f, OpKind kind, IrType t, Op *x, Op *y) {
  return is_unary(kind) ? add(f, kind, t, 1, x) : add(f, kind, t, 2, x, y);
}

/* Each case on tensors, and its first element on scalars. */
static void test_reals(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType v = type_of(EL_FIXED, 0, 0, 1, N), s = type_of(EL_FIXED, 0, 0, 0);
  for (size_t i = 0; i < sizeof real_cases / sizeof *real_cases; i++) {
    const RealCase *c = &real_cases[i];
    const char *name = op_info[c->kind].name;
    expect_reals(&f, apply(&f, c->kind, v, opaque(&f, reals(&f, v, c->x)), opaque(&f, reals(&f, v, c->y))),
                 c->want, name);
    Op *one = apply(&f, c->kind, s, opaque(&f, reals(&f, s, c->x)), opaque(&f, reals(&f, s, c->y)));
    expect_reals(&f, one, c->want, arena_printf(f.p->arena, "scalar %s", name));
  }
  run_good(&f);
}

static void test_ints(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType v = type_of(EL_INT, 0, 0, 1, N), s = type_of(EL_INT, 0, 0, 0);
  for (size_t i = 0; i < sizeof int_cases / sizeof *int_cases; i++) {
    const IntCase *c = &int_cases[i];
    const uint64_t *x = (const uint64_t *)c->x, *y = (const uint64_t *)c->y,
                   *want = (const uint64_t *)c->want;
    const char *name = op_info[c->kind].name;
    expect(&f, apply(&f, c->kind, v, opaque(&f, constant(&f, v, x)), opaque(&f, constant(&f, v, y))), want,
           name);
    for (int k = 0; k < N; k++) {
      Op *one = apply(&f, c->kind, s, opaque(&f, constant(&f, s, x + k)), opaque(&f, constant(&f, s, y + k)));
      expect(&f, one, want + k, arena_printf(f.p->arena, "scalar %s %d", name, k));
    }
  }
  run_good(&f);
}

static void test_comparisons(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType r = type_of(EL_FIXED, 0, 0, 1, 3), n = type_of(EL_INT, 0, 0, 1, 3), b = type_of(EL_BOOL, 0, 0, 1, 3);
  static const struct {
    OpKind kind;
    uint64_t want[3];
  } cases[] = {{OP_LT, {1, 0, 0}}, {OP_LE, {1, 1, 0}}, {OP_EQ, {0, 1, 0}}, {OP_NE, {1, 0, 1}}};
  for (size_t i = 0; i < 4; i++) {
    Op *x = opaque(&f, reals(&f, r, (double[]){-1, 2, 3})),
       *y = opaque(&f, reals(&f, r, (double[]){1, 2, -3}));
    expect(&f, add(&f, cases[i].kind, b, 2, x, y), cases[i].want, op_info[cases[i].kind].name);
    x = opaque(&f, constant(&f, n, (uint64_t[]){(uint64_t)-1, 2, 3}));
    y = opaque(&f, constant(&f, n, (uint64_t[]){1, 2, (uint64_t)-3}));
    expect(&f, add(&f, cases[i].kind, b, 2, x, y), cases[i].want, op_info[cases[i].kind].name);
  }
  Op *p = opaque(&f, constant(&f, b, (uint64_t[]){0, 1, 1})),
     *q = opaque(&f, constant(&f, b, (uint64_t[]){0, 0, 1}));
  expect(&f, add(&f, OP_AND, b, 2, p, q), (uint64_t[]){0, 0, 1}, "and");
  expect(&f, add(&f, OP_OR, b, 2, p, q), (uint64_t[]){0, 1, 1}, "or");
  expect(&f, add(&f, OP_NOT, b, 1, p), (uint64_t[]){1, 0, 0}, "not");
  Op *x = constant(&f, n, (uint64_t[]){1, 2, 3}), *y = constant(&f, n, (uint64_t[]){4, 5, 6});
  expect(&f, add(&f, OP_SELECT, n, 3, p, x, y), (uint64_t[]){4, 2, 3}, "select");
  expect_reals(&f, add(&f, OP_TO_FIXED, r, 1, p), (double[]){0, 1, 1}, "to_fixed");
  expect(&f, add(&f, OP_TO_INT, n, 1, opaque(&f, reals(&f, r, (double[]){1.75, -1.75, 1e300}))),
         (uint64_t[]){1, (uint64_t)-1, INT64_MAX}, "to_int");
  expect(&f, with(&f, add(&f, OP_IOTA, n, 0), 0), (uint64_t[]){0, 1, 2}, "iota");
  run_good(&f);
}

static void test_rings(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType r8 = type_of(EL_RING, 8, 0, 1, 3), r1 = type_of(EL_RING, 1, 0, 1, 3),
         r16 = type_of(EL_RING, 16, 0, 1, 3), fixed = type_of(EL_FIXED, 0, 0, 1, 3),
         n = type_of(EL_INT, 0, 0, 1, 3), b = type_of(EL_BOOL, 0, 0, 1, 3),
         r64 = type_of(EL_RING, 64, 16, 1, 3), r8s = type_of(EL_RING, 8, 4, 1, 3),
         one = type_of(EL_RING, 8, 0, 0);
  Op *x = opaque(&f, constant(&f, r8, (uint64_t[]){200, 1, 128})),
     *y = opaque(&f, constant(&f, r8, (uint64_t[]){100, 2, 2}));
  Op *p = opaque(&f, constant(&f, r1, (uint64_t[]){0, 1, 1})),
     *q = opaque(&f, constant(&f, r1, (uint64_t[]){1, 0, 1}));
  expect(&f, add(&f, OP_ADD, r8, 2, x, y), (uint64_t[]){44, 3, 130}, "add 8");
  expect(&f, add(&f, OP_SUB, r8, 2, y, x), (uint64_t[]){156, 1, 130}, "sub 8");
  expect(&f, add(&f, OP_MUL, r8, 2, x, y), (uint64_t[]){200 * 100 % 256, 2, 0}, "mul 8");
  expect(&f, add(&f, OP_NEG, r8, 1, x), (uint64_t[]){56, 255, 128}, "neg 8");
  expect(&f, add(&f, OP_ADD, r1, 2, p, q), (uint64_t[]){1, 1, 0}, "add 1");
  expect(&f, add(&f, OP_MUL, r1, 2, p, q), (uint64_t[]){0, 0, 1}, "mul 1");
  expect(&f, with(&f, add(&f, OP_SHL, r8, 1, x), 1), (uint64_t[]){144, 2, 0}, "shl");
  expect(&f, with(&f, add(&f, OP_SHR, r8, 1, x), 7), (uint64_t[]){1, 0, 1}, "shr");
  expect(&f, with(&f, add(&f, OP_BIT, r1, 1, x), 3), (uint64_t[]){1, 0, 0}, "bit");
  expect(&f, add(&f, OP_WIDEN, r16, 1, x), (uint64_t[]){200, 1, 128}, "widen");
  expect(&f, add(&f, OP_NARROW, r1, 1, x), (uint64_t[]){0, 1, 0}, "narrow");
  expect(&f, add(&f, OP_DECODE, n, 1, x), (uint64_t[]){(uint64_t)-56, 1, (uint64_t)-128}, "decode int");
  expect(&f, add(&f, OP_DECODE, b, 1, p), (uint64_t[]){0, 1, 1}, "decode bool");
  Op *scaled = opaque(&f, constant(&f, r8s, (uint64_t[]){200, 1, 128}));
  expect_reals(&f, add(&f, OP_DECODE, fixed, 1, scaled), (double[]){-3.5, 0.0625, -8}, "decode fixed");
  Op *v = opaque(&f, reals(&f, fixed, (double[]){1.5, -1.5, 0}));
  expect(&f, with(&f, add(&f, OP_ENCODE, r64, 1, v), 20), (uint64_t[]){98304, (uint64_t)-98304, 0},
         "encode fixed");
  expect(
      &f,
      with(&f, add(&f, OP_ENCODE, r1, 1, add(&f, OP_LT, b, 2, v, reals(&f, fixed, (double[]){0, 0, 1}))), 1),
      (uint64_t[]){0, 1, 1}, "encode bool");
  /* a ring scalar lives in the arena, and spreads over a tensor */
  Op *s = opaque(&f, constant(&f, one, (uint64_t[]){250}));
  expect(&f, add(&f, OP_ADD, r8, 2, x, s), (uint64_t[]){194, 251, 122}, "tensor + scalar");
  expect(&f, add(&f, OP_BROADCAST, r8, 1, s), (uint64_t[]){250, 250, 250}, "broadcast of a scalar");
  expect(&f, with(&f, add(&f, OP_BOUNDED, fixed, 1, v), 4),
         (uint64_t[]){v->kind ? ir_fixed_bits(1.5) : 0, ir_fixed_bits(-1.5), 0}, "bounded");
  run_good(&f);
}

/* What stops a run, and with which status. */
static void test_failures(void **state) {
  (void)state;
  IrType n = type_of(EL_INT, 0, 0, 1, 3), s = type_of(EL_INT, 0, 0, 0), fixed = type_of(EL_FIXED, 0, 0, 1, 3);
  struct {
    const char *name;
    TfeStatus want;
  } cases[] = {{"tensor // 0", TFE_DIVISION}, {"scalar % 0", TFE_DIVISION}, {"index", TFE_INDEX},
               {"negative index", TFE_INDEX}, {"gather", TFE_INDEX},        {"encode", TFE_INPUT_RANGE},
               {"bounded", TFE_RANGE},        {"assert", TFE_ASSERTION}};
  for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
    Bench f = bench(false, 1);
    Op *x = opaque(&f, constant(&f, n, (uint64_t[]){1, 0, 3})), *zero = opaque(&f, number(&f, 0)), *op;
    Op *big = opaque(&f, reals(&f, fixed, (double[]){1, 2, 1e9}));
    if (i == 0)
      op = add(&f, OP_FLOORDIV, n, 2, x, add(&f, OP_MUL, n, 2, x, x));
    else if (i == 1)
      op = add(&f, OP_MOD, s, 2, opaque(&f, number(&f, 5)), zero);
    else if (i == 2 || i == 3)
      op = with(&f,
                add(&f, OP_SLICE, type_of(EL_INT, 0, 0, 1, 2), 2, x, opaque(&f, number(&f, i == 2 ? 2 : -1))),
                MIN64);
    else if (i == 4)
      op = add(&f, OP_GATHER, n, 2, x, x);
    else if (i == 5)
      op = with(&f, add(&f, OP_ENCODE, type_of(EL_RING, 64, 16, 1, 3), 1, big), 20);
    else if (i == 6)
      op = with(&f, add(&f, OP_BOUNDED, fixed, 1, big), 20);
    else
      op = x;
    if (i == 7)
      expect(&f, op, (uint64_t[]){1, 0, 4}, "three is four");
    Run r = run(&f, 2, 0);
    if (r.status != cases[i].want)
      fail_msg("%s: status %d, not %d (%s)", cases[i].name, (int)r.status, (int)cases[i].want, r.error);
    arena_free(f.p->arena);
  }
}

/* ---- moves, reductions, products ------------------------------------------------------------- */

static void test_moves(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType m = type_of(EL_INT, 0, 0, 2, 2, 3), t = type_of(EL_INT, 0, 0, 2, 3, 2),
         v = type_of(EL_INT, 0, 0, 1, 3), s = type_of(EL_INT, 0, 0, 0), one = type_of(EL_INT, 0, 0, 2, 1, 1),
         row = type_of(EL_INT, 0, 0, 2, 1, 3), column = type_of(EL_INT, 0, 0, 2, 2, 1),
         wide = type_of(EL_INT, 0, 0, 2, 2, 5);
  Op *x = opaque(&f, constant(&f, m, (uint64_t[]){1, 2, 3, 4, 5, 6})), *i = opaque(&f, number(&f, 1));
  expect(&f, add(&f, OP_RESHAPE, t, 1, x), (uint64_t[]){1, 2, 3, 4, 5, 6}, "reshape");
  Op *seven = opaque(&f, number(&f, 7));
  expect(&f, add(&f, OP_RESHAPE, one, 1, seven), (uint64_t[]){7}, "scalar to tensor");
  expect(&f, add(&f, OP_RESHAPE, s, 1, opaque(&f, constant(&f, one, (uint64_t[]){9}))), (uint64_t[]){9},
         "tensor to scalar");
  expect(&f, with(&f, with(&f, add(&f, OP_TRANSPOSE, t, 1, x), 1), 0), (uint64_t[]){1, 4, 2, 5, 3, 6},
         "transpose");
  Op *w = opaque(&f, constant(&f, v, (uint64_t[]){7, 8, 9}));
  expect(&f, add(&f, OP_BROADCAST, m, 1, w), (uint64_t[]){7, 8, 9, 7, 8, 9}, "broadcast rows");
  expect(&f, add(&f, OP_BROADCAST, m, 1, opaque(&f, constant(&f, column, (uint64_t[]){7, 8}))),
         (uint64_t[]){7, 7, 7, 8, 8, 8}, "broadcast columns");
  expect(&f, add(&f, OP_BROADCAST, m, 1, opaque(&f, constant(&f, one, (uint64_t[]){7}))),
         (uint64_t[]){7, 7, 7, 7, 7, 7}, "broadcast one");
  expect(&f, with(&f, with(&f, add(&f, OP_SLICE, row, 1, x), 1), 0), (uint64_t[]){4, 5, 6}, "slice row");
  expect(&f, with(&f, with(&f, add(&f, OP_SLICE, column, 1, x), 0), 2), (uint64_t[]){3, 6}, "slice column");
  expect(&f, with(&f, with(&f, add(&f, OP_SLICE, row, 2, x, i), MIN64), 0), (uint64_t[]){4, 5, 6},
         "dynamic row");
  expect(&f, with(&f, with(&f, add(&f, OP_SLICE, column, 2, x, i), 0), MIN64), (uint64_t[]){2, 5},
         "dynamic column");
  expect(&f,
         add(&f, OP_GATHER, type_of(EL_INT, 0, 0, 2, 3, 3), 2, x,
             opaque(&f, constant(&f, v, (uint64_t[]){1, 0, 1}))),
         (uint64_t[]){4, 5, 6, 1, 2, 3, 4, 5, 6}, "gather");
  Op *y = opaque(&f, constant(&f, type_of(EL_INT, 0, 0, 2, 2, 2), (uint64_t[]){10, 20, 30, 40}));
  expect(&f, with(&f, add(&f, OP_CONCAT, wide, 2, x, y), 1), (uint64_t[]){1, 2, 3, 10, 20, 4, 5, 6, 30, 40},
         "concat 1");
  Op *c = with(&f, add(&f, OP_CONCAT, type_of(EL_INT, 0, 0, 2, 4, 3), 2, x, x), 0);
  expect(&f, c, (uint64_t[]){1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}, "concat 0");
  Op *u = with(
      &f, with(&f, add(&f, OP_UPDATE, m, 3, x, opaque(&f, constant(&f, column, (uint64_t[]){0, 9})), i), 0),
      MIN64);
  expect(&f, u, (uint64_t[]){1, 0, 3, 4, 9, 6}, "update");
  expect(&f, x, (uint64_t[]){1, 2, 3, 4, 5, 6}, "operand of update");
  run_good(&f);
}

static void test_folds(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType t = type_of(EL_INT, 0, 0, 3, 2, 2, 2), m = type_of(EL_INT, 0, 0, 2, 2, 2),
         s = type_of(EL_INT, 0, 0, 0), b = type_of(EL_BOOL, 0, 0, 0);
  Op *x = opaque(&f, constant(&f, t, (uint64_t[]){1, 2, 3, 4, 5, 6, 7, 8}));
  expect(&f, with(&f, add(&f, OP_SUM, s, 1, x), -1), (uint64_t[]){36}, "sum");
  expect(&f, with(&f, add(&f, OP_SUM, m, 1, x), 0), (uint64_t[]){6, 8, 10, 12}, "sum 0");
  expect(&f, with(&f, add(&f, OP_SUM, m, 1, x), 1), (uint64_t[]){4, 6, 12, 14}, "sum 1");
  expect(&f, with(&f, add(&f, OP_SUM, m, 1, x), 2), (uint64_t[]){3, 7, 11, 15}, "sum 2");
  expect(&f, with(&f, add(&f, OP_RMAX, m, 1, x), 0), (uint64_t[]){5, 6, 7, 8}, "max");
  expect(&f, with(&f, add(&f, OP_RMIN, s, 1, x), -1), (uint64_t[]){1}, "min");
  expect(&f, with(&f, add(&f, OP_ARGMAX, m, 1, x), 1), (uint64_t[]){1, 1, 1, 1}, "argmax");
  expect(&f, with(&f, add(&f, OP_ARGMIN, s, 1, x), -1), (uint64_t[]){0}, "argmin");
  Op *less = add(&f, OP_LT, type_of(EL_BOOL, 0, 0, 3, 2, 2, 2), 2, x, opaque(&f, number(&f, 8)));
  expect(&f, with(&f, add(&f, OP_ANY, b, 1, less), -1), (uint64_t[]){1}, "any");
  expect(&f, with(&f, add(&f, OP_ALL, b, 1, less), -1), (uint64_t[]){0}, "all");
  IrType r = type_of(EL_RING, 8, 0, 2, 2, 2), rs = type_of(EL_RING, 8, 0, 0);
  Op *y = opaque(&f, constant(&f, r, (uint64_t[]){100, 200, 3, 4}));
  expect(&f, with(&f, add(&f, OP_SUM, rs, 1, y), -1), (uint64_t[]){307 % 256}, "sum of ring elements");
  expect(&f, add(&f, OP_MATMUL, r, 2, y, y),
         (uint64_t[]){(100 * 100 + 600) % 256, (20000 + 800) % 256, (300 + 12) % 256, (600 + 16) % 256},
         "ring matmul");
  IrType a = type_of(EL_FIXED, 0, 0, 2, 1, 2), c = type_of(EL_FIXED, 0, 0, 2, 2, 3),
         d = type_of(EL_FIXED, 0, 0, 2, 1, 3);
  Op *p = opaque(&f, reals(&f, a, (double[]){2, 3})),
     *q = opaque(&f, reals(&f, c, (double[]){1, 2, 3, 4, 5, 6}));
  expect_reals(&f, add(&f, OP_MATMUL, d, 2, p, q), (double[]){14, 19, 24}, "matmul");
  IrType image = type_of(EL_INT, 0, 0, 4, 1, 2, 2, 1), kernel = type_of(EL_INT, 0, 0, 4, 2, 2, 1, 1);
  IrType result = type_of(EL_INT, 0, 0, 4, 1, 1, 1, 1);
  Op *pixels = opaque(&f, constant(&f, image, (uint64_t[]){1, 2, 3, 4}));
  Op *weights = opaque(&f, constant(&f, kernel, (uint64_t[]){1, 10, 100, 1000}));
  Op *five = opaque(&f, constant(&f, result, (uint64_t[]){5}));
  Op *conv = with(&f, with(&f, with(&f, add(&f, OP_CONV2D, result, 2, pixels, weights), 0), 1), 1);
  expect(&f, conv, (uint64_t[]){4321}, "conv2d");
  Op *input = with(&f, with(&f, with(&f, add(&f, OP_CONV2D_INPUT, image, 2, five, weights), 0), 1), 1);
  expect(&f, input, (uint64_t[]){5, 50, 500, 5000}, "conv2d_input");
  Op *of_kernel = with(&f, with(&f, with(&f, add(&f, OP_CONV2D_KERNEL, kernel, 2, pixels, five), 0), 1), 1);
  expect(&f, of_kernel, (uint64_t[]){5, 10, 15, 20}, "conv2d_kernel");
  run_good(&f);
}

/* ---- control --------------------------------------------------------------------------------- */

static Op *begin_for(Bench *f, int low, int high, int count, Op **initial, Op **params) {
  Op *loop = add(f, OP_FOR, (IrType){0}, 2, number(f, low), number(f, high));
  IrBlock *b = ir_block(f->p, loop);
  params[0] = ir_arg(f->p, b, type_of(EL_INT, 0, 0, 0), NULL);
  for (int i = 0; i < count; i++) {
    ir_operand(f->p, loop, initial[i]);
    params[i + 1] = ir_arg(f->p, b, initial[i]->type, NULL);
  }
  for (int i = 0; i <= count; i++)
    params[i]->where = f->where;
  f->b = b;
  return loop;
}

static void end_block(Bench *f, IrBlock *outer, int count, Op **yields) {
  for (int i = 0; i < count; i++)
    VEC_PUSH(f->p->arena, &f->b->yields, yields[i]);
  f->b = outer;
}

static void test_for(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType v = type_of(EL_INT, 0, 0, 1, 2), s = type_of(EL_INT, 0, 0, 0), one = type_of(EL_INT, 0, 0, 1, 1);
  Op *x = constant(&f, v, (uint64_t[]){1, 2}), *y = constant(&f, v, (uint64_t[]){3, 4}),
     *zero = number(&f, 0);
  Op *p[5];
  /* swap two tensors, update a third in place, add up a scalar; the loop is in another one */
  Op *outer = begin_for(&f, 0, 3, 4, (Op *[]){x, y, y, zero}, p);
  IrBlock *outer_block = f.b, *root = f.p->body;
  Op *q[5];
  Op *inner = begin_for(&f, 0, 2, 4, p + 1, q);
  Op *box = add(&f, OP_RESHAPE, one, 1, add(&f, OP_ADD, s, 2, q[0], q[4]));
  Op *updated = with(&f, add(&f, OP_UPDATE, v, 3, q[3], box, q[0]), MIN64);
  Op *sum = add(&f, OP_ADD, s, 2, q[4], number(&f, 1));
  end_block(&f, outer_block, 4, (Op *[]){q[2], q[1], updated, sum});
  Op *r[4];
  for (int i = 0; i < 4; i++)
    r[i] = ir_result(f.p, f.b, inner, i, q[i + 1]->type);
  Op *twice = add(&f, OP_ADD, v, 2, r[0], r[0]);
  end_block(&f, root, 4, (Op *[]){r[1], twice, r[2], r[3]});
  for (int i = 0; i < 4; i++)
    r[i] = ir_result(f.p, f.b, outer, i, p[i + 1]->type);
  /* two swaps a pass leave them; then (a, b) -> (b, 2 a), three times:
   * (1,2),(3,4) -> (3,4),(2,4) -> (2,4),(6,8) -> (6,8),(4,8) */
  expect(&f, r[0], (uint64_t[]){6, 8}, "swapped first");
  expect(&f, r[1], (uint64_t[]){4, 8}, "swapped second");
  expect(&f, r[2], (uint64_t[]){4, 6}, "updated");
  expect(&f, r[3], (uint64_t[]){6}, "sum");
  expect(&f, x, (uint64_t[]){1, 2}, "initial value");
  run_good(&f);
}

static void test_while(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType s = type_of(EL_INT, 0, 0, 0), b = type_of(EL_BOOL, 0, 0, 0), v = type_of(EL_INT, 0, 0, 1, 3);
  Op *x = constant(&f, v, (uint64_t[]){1, 2, 3});
  Op *loop = add(&f, OP_WHILE, (IrType){0}, 2, number(&f, 0), x);
  Op *p[2], *q[2];
  IrBlock *condition = ir_block(f.p, loop), *body = ir_block(f.p, loop), *root = f.b;
  for (int i = 0; i < 2; i++) {
    p[i] = ir_arg(f.p, condition, i ? v : s, NULL);
    q[i] = ir_arg(f.p, body, i ? v : s, NULL);
    p[i]->where = q[i]->where = f.where;
  }
  f.b = condition;
  /* an update of the carried tensor in the condition must not be seen by the body */
  Op *nine = constant(&f, type_of(EL_INT, 0, 0, 1, 1), (uint64_t[]){9});
  Op *other = with(&f, add(&f, OP_UPDATE, v, 2, p[1], nine), 0);
  Op *total = with(&f, add(&f, OP_SUM, s, 1, other), -1);
  Op *more = add(&f, OP_LT, b, 2, total, number(&f, 100));
  end_block(&f, body, 1, &more);
  Op *next = add(&f, OP_ADD, s, 2, q[0], number(&f, 1)), *twice = add(&f, OP_ADD, v, 2, q[1], q[1]);
  end_block(&f, root, 2, (Op *[]){next, twice});
  Op *passes = ir_result(f.p, f.b, loop, 0, s), *tensor = ir_result(f.p, f.b, loop, 1, v);
  expect(&f, passes, (uint64_t[]){5}, "passes");
  expect(&f, tensor, (uint64_t[]){32, 64, 96}, "tensor");
  run_good(&f);
}

static void test_if(void **state) {
  (void)state;
  Bench f = bench(false, 1);
  IrType s = type_of(EL_INT, 0, 0, 0), b = type_of(EL_BOOL, 0, 0, 0), v = type_of(EL_INT, 0, 0, 1, 2);
  Op *x = opaque(&f, constant(&f, v, (uint64_t[]){1, 2}));
  for (uint64_t truth = 0; truth < 2; truth++) {
    Op *choice = add(&f, OP_IF, (IrType){0}, 1, opaque(&f, constant(&f, b, &truth)));
    IrBlock *root = f.b;
    for (int k = 0; k < 2; k++) {
      f.b = ir_block(f.p, choice);
      Op *t = add(&f, OP_MUL, v, 2, x, number(&f, k ? 10 : 100)), *n = number(&f, k ? 1 : 0);
      end_block(&f, root, 3, (Op *[]){t, k ? x : t, n});
    }
    Op *got[3];
    for (int i = 0; i < 3; i++)
      got[i] = ir_result(f.p, f.b, choice, i, i < 2 ? v : s);
    uint64_t m = truth ? 100 : 10;
    expect(&f, got[0], (uint64_t[]){m, 2 * m}, "first");
    expect(&f, got[1], truth ? (uint64_t[]){100, 200} : (uint64_t[]){1, 2}, "second");
    expect(&f, got[2], (uint64_t[]){truth ? 0 : 1}, "third");
  }
  run_good(&f);
}

/* Operations of some members of a family run only there. */
static void test_family(void **state) {
  (void)state;
  IrType s = type_of(EL_INT, 0, 0, 0);
  for (int64_t member = 0; member < 3; member++) {
    Bench f = bench(true, 3);
    PartySet all = f.where;
    expect(&f, add(&f, OP_ME, s, 0), (uint64_t[]){(uint64_t)member}, "me");
    for (int i = 0; i < 3; i++) { /* passes for the running member only; the others would stop here */
      f.where = party_minus(all, party_one((int)member));
      expect(&f, add(&f, OP_ME, s, 0), (uint64_t[]){77}, "not for us");
      f.where = party_one((int)member);
      expect(&f, add(&f, OP_ME, s, 0), (uint64_t[]){(uint64_t)member}, "for us");
    }
    Run r = run(&f, 2, member);
    if (r.status)
      fail_msg("member %d: %s", (int)member, r.error);
    arena_free(f.p->arena);
  }
}

/* ---- random programs ------------------------------------------------------------------------- */

typedef struct Model { /* the reference's value of an operation */
  int64_t v[8];
} Model;

enum { SIZE = 4, MAX_VALUES = 400 };

typedef struct Random {
  Bench f;
  uint64_t seed;
  Op *values[MAX_VALUES]; /* visible tensors of SIZE ints */
  int count, depth;
} Random;

static uint64_t draw(Random *r, uint64_t below) {
  r->seed = r->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (r->seed >> 33) % below;
}

static Op *any_value(Random *r) {
  /* recent ones more often, old ones now and then */
  uint64_t back = draw(r, 4) ? draw(r, r->count < 4 ? (uint64_t)r->count : 4) : draw(r, (uint64_t)r->count);
  return r->values[r->count - 1 - (int)back];
}

static void keep(Random *r, Op *op) {
  assert_true(r->count < MAX_VALUES);
  r->values[r->count++] = op;
}

static void random_block(Random *r, int length);

static void random_loop(Random *r) {
  IrBlock *outer = r->f.b;
  int count = 1 + (int)draw(r, 3), visible = r->count;
  Op *initial[3], *params[4], *yields[3];
  for (int i = 0; i < count; i++)
    initial[i] = any_value(r);
  Op *loop = begin_for(&r->f, 0, (int)draw(r, 4), count, initial, params);
  for (int i = 1; i <= count; i++)
    keep(r, params[i]);
  r->depth++;
  random_block(r, 2 + (int)draw(r, 6));
  r->depth--;
  for (int i = 0; i < count; i++)
    yields[i] = any_value(r);
  end_block(&r->f, outer, count, yields);
  r->count = visible;
  for (int i = 0; i < count; i++)
    keep(r, ir_result(r->f.p, outer, loop, i, initial[i]->type));
}

static void random_if(Random *r) {
  IrBlock *outer = r->f.b;
  IrType s = type_of(EL_INT, 0, 0, 0), b = type_of(EL_BOOL, 0, 0, 0);
  int visible = r->count;
  Op *sum = with(&r->f, add(&r->f, OP_SUM, s, 1, any_value(r)), -1);
  Op *choice = add(&r->f, OP_IF, (IrType){0}, 1, add(&r->f, OP_LT, b, 2, sum, number(&r->f, 3)));
  for (int k = 0; k < 2; k++) {
    r->f.b = ir_block(r->f.p, choice);
    r->depth++;
    random_block(r, 1 + (int)draw(r, 4));
    r->depth--;
    Op *yields[2] = {any_value(r), any_value(r)};
    end_block(&r->f, outer, 2, yields);
    r->count = visible;
  }
  for (int i = 0; i < 2; i++)
    keep(r, ir_result(r->f.p, outer, choice, i, type_of(EL_INT, 0, 0, 1, SIZE)));
}

static void random_op(Random *r) {
  Bench *f = &r->f;
  IrType v = type_of(EL_INT, 0, 0, 1, SIZE), half = type_of(EL_INT, 0, 0, 1, SIZE / 2),
         m = type_of(EL_INT, 0, 0, 2, 2, 2), s = type_of(EL_INT, 0, 0, 0);
  switch (draw(r, r->depth < 3 ? 10 : 8)) {
  case 0: keep(r, add(f, OP_ADD, v, 2, any_value(r), any_value(r))); return;
  case 1: keep(r, add(f, OP_SUB, v, 2, any_value(r), any_value(r))); return;
  case 2: keep(r, add(f, OP_MUL, v, 2, any_value(r), number(f, 3))); return;
  case 3: { /* a view written into another tensor, at a start known at run time */
    Op *part = with(f, add(f, OP_SLICE, half, 1, any_value(r)), (int64_t)draw(r, SIZE / 2));
    keep(r, with(f, add(f, OP_UPDATE, v, 3, any_value(r), part, opaque(f, number(f, (int64_t)draw(r, 3)))),
                 MIN64));
    return;
  }
  case 4: {
    Op *part =
        with(f, add(f, OP_SLICE, half, 2, any_value(r), opaque(f, number(f, (int64_t)draw(r, 3)))), MIN64);
    keep(r, with(f, add(f, OP_CONCAT, v, 2, part, part), 0));
    return;
  }
  case 5: {
    Op *t = with(f, with(f, add(f, OP_TRANSPOSE, m, 1, add(f, OP_RESHAPE, m, 1, any_value(r))), 1), 0);
    keep(r, add(f, OP_RESHAPE, v, 1, t));
    return;
  }
  case 6: {
    Op *sum = with(f, add(f, OP_SUM, s, 1, any_value(r)), -1);
    keep(r, add(f, OP_SUB, v, 2, any_value(r), sum));
    return;
  }
  case 7: {
    Op *one = constant(f, half, (uint64_t[]){draw(r, 9), draw(r, 9)});
    keep(r, with(f, add(f, OP_UPDATE, v, 2, any_value(r), one), (int64_t)draw(r, 3)));
    return;
  }
  case 8: random_loop(r); return;
  default: random_if(r); return;
  }
}

static void random_block(Random *r, int length) {
  for (int i = 0; i < length; i++)
    random_op(r);
}

static Model *model_of(const Op *op) {
  return op->forward ? (Model *)(void *)op->forward : NULL;
}

/* The reference: values in plain memory, one a definition (kept in Op.forward, which no stage after this
 * uses). */
static Model *model_new(Arena *a, Op *op) {
  if (!op->forward)
    op->forward = (Op *)(void *)ARENA_NEW(a, Model);
  return model_of(op);
}

static void model_block(Arena *a, IrBlock *b);

static void model_control(Arena *a, Op *op) {
  if (op->kind == OP_IF) {
    IrBlock *b = op->blocks.data[model_of(op->args.data[0])->v[0] ? 0 : 1];
    Model *results = ARENA_ARRAY(a, Model, b->yields.count + 1);
    model_block(a, b);
    for (int k = 0; k < b->yields.count; k++)
      results[k] = *model_of(b->yields.data[k]);
    op->forward = (Op *)(void *)results;
    return;
  }
  IrBlock *b = op->blocks.data[0];
  int count = op->args.count - 2;
  Model *now = ARENA_ARRAY(a, Model, count + 1);
  for (int k = 0; k < count; k++)
    now[k] = *model_of(op->args.data[k + 2]);
  for (int64_t i = model_of(op->args.data[0])->v[0]; i < model_of(op->args.data[1])->v[0]; i++) {
    model_new(a, b->params.data[0])->v[0] = i;
    for (int k = 0; k < count; k++)
      *model_new(a, b->params.data[k + 1]) = now[k];
    model_block(a, b);
    for (int k = 0; k < count; k++)
      now[k] = *model_of(b->yields.data[k]);
  }
  op->forward = (Op *)(void *)now;
}

static void model_op(Arena *a, Op *op) {
  if (op->blocks.count) {
    model_control(a, op);
    return;
  }
  Model out = {{0}};
  const Model *x = op->args.count > 0 ? model_of(op->args.data[0]) : NULL;
  const Model *y = op->args.count > 1 ? model_of(op->args.data[1]) : NULL;
  int n = (int)shape_count(&op->type.shape);
  bool spread = op->args.count > 1 && op->args.data[1]->type.shape.rank == 0;
  int64_t start = op->ints.count ? op->ints.data[0] : 0;
  if (start == MIN64)
    start = model_of(op->args.data[op->args.count - 1])->v[0];
  for (int i = 0; i < n; i++) {
    uint64_t p = x ? (uint64_t)x->v[i] : 0, q = y ? (uint64_t)y->v[spread ? 0 : i] : 0;
    switch (op->kind) {
    case OP_CONST: out.v[i] = (int64_t)op->data[op->data_count == 1 ? 0 : i]; break;
    case OP_ADD: out.v[i] = (int64_t)(p + q); break;
    case OP_SUB: out.v[i] = (int64_t)(p - q); break;
    case OP_MUL: out.v[i] = (int64_t)(p * q); break;
    case OP_LT: out.v[i] = x->v[i] < y->v[spread ? 0 : i]; break;
    case OP_RESHAPE: out.v[i] = x->v[i]; break;
    case OP_SLICE: out.v[i] = x->v[start + i]; break;
    case OP_CONCAT: out.v[i] = i < n / 2 ? x->v[i] : y->v[i - n / 2]; break;
    case OP_TRANSPOSE: out.v[i] = x->v[(i % 2) * 2 + i / 2]; break;
    case OP_UPDATE: out.v[i] = i >= start && i < start + SIZE / 2 ? y->v[i - start] : x->v[i]; break;
    case OP_RESULT: out.v[i] = x[op->ints.data[0]].v[i]; break;
    case OP_SUM:
      for (int k = 0; k < SIZE; k++)
        out.v[0] = (int64_t)((uint64_t)out.v[0] + (uint64_t)x->v[k]);
      break;
    default: fail_msg("the reference does not know %s", op_info[op->kind].name);
    }
  }
  *model_new(a, op) = out;
}

static void model_block(Arena *a, IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++)
    model_op(a, b->ops.data[i]);
}

static void forget(Op *op, void *data) {
  (void)data;
  op->forward = NULL;
  for (int k = 0; k < op->blocks.count; k++)
    for (int i = 0; i < op->blocks.data[k]->params.count; i++)
      op->blocks.data[k]->params.data[i]->forward = NULL;
}

static void test_random_programs(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 24; seed++) {
    Random r = {.f = bench(false, 1), .seed = seed * 7919};
    IrType v = type_of(EL_INT, 0, 0, 1, SIZE);
    for (uint64_t i = 0; i < 3; i++)
      keep(&r, opaque(&r.f, constant(&r.f, v, (uint64_t[]){i + 1, i + 2, i * i, 1})));
    random_block(&r, 20);
    model_block(r.f.p->arena, r.f.b);
    Model want[MAX_VALUES];
    for (int i = 0; i < r.count; i++)
      want[i] = *model_of(r.values[i]);
    ir_walk(r.f.b, forget, NULL);
    for (int i = 0; i < r.count; i++)
      if (i % 3 == 0 || i > r.count - 4) /* the others die early */
        expect(&r.f, r.values[i], (const uint64_t *)want[i].v, arena_printf(r.f.p->arena, "value %d", i));
    Run got = run(&r.f, seed % 2 ? 0 : 2, 0);
    if (got.status)
      fail_msg("seed %" PRIu64 ": %s", seed, got.error);
    arena_free(r.f.p->arena);
  }
}

/* ---- the description of the program ---------------------------------------------------------- */

static void test_program(void **state) {
  (void)state;
  Bench f = bench(true, 2);
  Slot slot = {
      .name = "net.c1.k", .field = "c1.k", .type = type_of(EL_FIXED, 0, 0, 2, 3, 4), .owner = f.where};
  Slot other = {.name = "y", .type = type_of(EL_INT, 0, 0, 0), .owner = party_one(2), .is_output = true};
  VEC_PUSH(f.p->arena, &f.p->slots, slot);
  VEC_PUSH(f.p->arena, &f.p->slots, other);
  const TfeProgram *p;
  void *library = load_program(&f, 1, &p);
  assert_int_equal(p->abi_version, TFE_ABI_VERSION);
  assert_string_equal(p->source, "test.tfe");
  assert_string_equal(p->manifest, "{}");
  assert_int_equal(strlen(p->hash), 64);
  assert_int_equal(p->party_decl_count, 2);
  assert_string_equal(p->party_decls[1].name, "bob");
  assert_int_equal(p->party_decls[0].count, 2);
  assert_int_equal(p->party_decls[0].family, 1);
  assert_int_equal(p->slot_count, 1);
  assert_string_equal(p->slots[0].name, "net");
  assert_string_equal(p->slots[0].field, "c1.k");
  assert_int_equal(p->slots[0].elem, TFE_ELEM_FIXED);
  assert_int_equal(p->slots[0].rank, 2);
  assert_int_equal(p->slots[0].dims[1], 4);
  assert_int_equal(p->expected_known, 0);
  dlclose(library);
  arena_free(f.p->arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reals),
      cmocka_unit_test(test_ints),
      cmocka_unit_test(test_comparisons),
      cmocka_unit_test(test_rings),
      cmocka_unit_test(test_moves),
      cmocka_unit_test(test_folds),
      cmocka_unit_test(test_for),
      cmocka_unit_test(test_while),
      cmocka_unit_test(test_if),
      cmocka_unit_test(test_family),
      cmocka_unit_test(test_program),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_random_programs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
