/* From choreographies to executables that run: messages of every width, a family whose members do different
 * things, common randomness and loops, between real processes over TLS on loopback. What is expected is
 * asserted in the program itself. And: nothing half-written is left when something cannot be built. */
#include "ir_builder.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../compiler/cost.h"
#include "../../compiler/manifest.h"
#include "../../compiler/object.h"
#include "../../compiler/project.h"
#include "../../compiler/run.h"

enum { ANN, CLINIC, BOB = CLINIC + 3 };

static Op *data_in(Program *p, IrBlock *b, IrType t, PartySet where, const uint64_t *v) {
  Op *op = mk(p, b, OP_CONST, t, where, 0);
  uint64_t *copy = ARENA_ARRAY(p->arena, uint64_t, shape_count(&t.shape) + 1);
  memcpy(copy, v, sizeof *v * (size_t)shape_count(&t.shape));
  op->data = copy;
  op->data_count = shape_count(&t.shape);
  return op;
}

static Op *data(Program *p, IrType t, PartySet where, const uint64_t *v) {
  return data_in(p, p->body, t, where, v);
}

/* The same, as something that only this party can know: a constant plus its index in its family, 0. */
static Op *own(Program *p, IrType t, int party, const uint64_t *v) {
  IrType scalar = t;
  scalar.shape.rank = 0;
  Op *zero = mk(p, p->body, OP_ME, INT, at(party), 0), *c = data(p, t, at(party), v);
  if (t.elem == EL_FIXED)
    zero = mk(p, p->body, OP_TO_FIXED, scalar, at(party), 1, zero);
  if (t.elem == EL_BOOL)
    zero = mk(p, p->body, OP_LT, scalar, at(party), 2, zero, zero);
  if (t.elem == EL_RING) {
    zero = mk(p, p->body, OP_ENCODE, scalar, at(party), 1, zero);
    ir_int(p, zero, 4);
  }
  return mk(p, p->body, t.elem == EL_BOOL ? OP_OR : OP_ADD, t, at(party), 2, c, zero);
}

static Op *message(Program *p, IrBlock *b, Op *x, int from, int to) {
  Op *op = mk(p, b, OP_SEND, x->type, party_or(x->where, party_one(to)), 1, x);
  ir_int(p, op, from);
  ir_int(p, op, to);
  return op;
}

static void expect(Program *p, IrBlock *b, Op *got, const uint64_t *want, int party, const char *what) {
  IrType t = got->type;
  t.elem = EL_BOOL;
  t.bits = t.scale = 0;
  Op *same = mk(p, b, OP_EQ, t, at(party), 2, got, data_in(p, b, got->type, at(party), want));
  if (t.shape.rank > 0) {
    same = mk(p, b, OP_ALL, BOOL, at(party), 1, same);
    ir_int(p, same, -1);
  }
  Op *check = mk(p, b, OP_ASSERT, NO_TYPE, at(party), 1, same);
  VEC_PUSH(p->arena, &check->texts, what);
}

/* only: the party, -1: all. */
static const char *build(Program *p, const char *prefix, int only, int level) {
  passes_run(p, NULL, NULL);
  Cost *cost = cost_of(p);
  ObjectJob *jobs = ARENA_ARRAY(p->arena, ObjectJob, p->parties.count);
  for (int i = 0; i < p->parties.count; i++)
    jobs[i] = (ObjectJob){.party = project(p, i),
                          .path = arena_printf(p->arena, "%s-%s", prefix, p->parties.data[i].name),
                          .info = {.compiler = "test",
                                   .manifest = "{}",
                                   .about = manifest_about(p, cost, i, "test"),
                                   .parameters = "",
                                   .links = manifest_links_of(p, i),
                                   .expected_known = cost->known,
                                   .expected = cost_expected(cost, p, i)}};
  EmitOptions options = {.level = level};
  ObjectText text = {arena_printf(p->arena, "%s.manifest.json", prefix), "{}\n"};
  return object_build(p->arena, jobs, p->parties.count, only, &options, &text);
}

static void build_and_run(Program *p, int level) {
  const char *error = NULL, *directory = run_directory(p->arena, &error);
  assert_non_null(directory);
  error = build(p, arena_printf(p->arena, "%s/party", directory), -1, level);
  int code = error ? -1 : run_parties(p->arena, p, directory, &(RunOptions){.quiet = true, .timeout = "20"});
  run_remove_directory(directory);
  if (error)
    fail_msg("%s", error);
  assert_int_equal(code, 0);
}

/* Elements of 64, 5 and 1 bits, scalars and tensors, in one message and back. */
static void test_widths(void **state) {
  (void)state;
  Program *p = PROGRAM("ann", "clinic*3", "bob");
  IrType five = {.elem = EL_RING, .bits = 5, .shape = {1, {11}}};
  static const uint64_t small[11] = {31, 0, 1, 17, 30, 2, 3, 4, 5, 6, 31};
  static const uint64_t bits[11] = {1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1};
  uint64_t reals[3] = {ir_fixed_bits(-1.5), ir_fixed_bits(1e300), ir_fixed_bits(0)};
  Op *x[] = {own(p, vector(FIXED, 3), ANN, reals), own(p, five, ANN, small),
             own(p, vector(BOOL, 11), ANN, bits), own(p, INT, ANN, (uint64_t[]){(uint64_t)-7})};
  const uint64_t *want[] = {reals, small, bits, (uint64_t[]){(uint64_t)-7}};
  for (int i = 0; i < 4; i++) {
    Op *there = message(p, p->body, x[i], ANN, BOB);
    expect(p, p->body, there, want[i], BOB, "arrived");
    Op *copy =
        mk(p, p->body, there->type.elem == EL_BOOL ? OP_OR : OP_MAX2, there->type, at(BOB), 2, there, there);
    if (there->type.elem == EL_RING)
      copy->kind = OP_ADD;
    Op *back = message(p, p->body, copy, BOB, ANN);
    if (there->type.elem != EL_RING)
      expect(p, p->body, back, want[i], ANN, "came back");
  }
  build_and_run(p, 2);
  drop_program(p);
}

/* Members of a family send different numbers, and to each other. */
static void test_family(void **state) {
  (void)state;
  Program *p = PROGRAM("ann", "clinic*3", "bob");
  PartySet clinics = party_range(CLINIC, 3);
  IrType two = vector(INT, 2);
  Op *me = mk(p, p->body, OP_ME, INT, clinics, 0);
  Op *v = mk(p, p->body, OP_ADD, two, clinics, 2, me, data(p, two, clinics, (uint64_t[]){10, 20}));
  Op *of[3], *sum = NULL;
  for (int i = 0; i < 3; i++) {
    of[i] = mk(p, p->body, OP_MEMBER, two, at(CLINIC + i), 1, v);
    ir_int(p, of[i], i);
    Op *there = message(p, p->body, of[i], CLINIC + i, BOB);
    expect(p, p->body, there, (uint64_t[]){10 + (uint64_t)i, 20 + (uint64_t)i}, BOB, "of one member");
    sum = sum ? mk(p, p->body, OP_ADD, two, at(BOB), 2, sum, there) : there;
  }
  Op *within = message(p, p->body, of[0], CLINIC, CLINIC + 2); /* now at members 0 and 2 */
  PartySet both_members = both(CLINIC, CLINIC + 2);
  Op *twice = mk(p, p->body, OP_ADD, two, both_members, 2, within, within);
  expect(p, p->body, message(p, p->body, twice, CLINIC + 2, BOB), (uint64_t[]){20, 40}, BOB,
         "by way of member 2");
  expect(p, p->body, message(p, p->body, twice, CLINIC, ANN), (uint64_t[]){20, 40}, ANN, "from member 0");
  Op *all = message(p, p->body, sum, BOB, CLINIC + 1);
  expect(p, p->body, all, (uint64_t[]){33, 63}, CLINIC + 1, "sum, at member 1");
  build_and_run(p, 2);
  drop_program(p);
}

/* Two parties draw the same, in every pass of a loop anew. */
static void test_randomness_and_loops(void **state) {
  (void)state;
  Program *p = PROGRAM("ann", "clinic*3", "bob");
  PartySet all = both(ANN, BOB);
  IrType ring = vector(RING, 40), start = vector(RING, 40);
  uint64_t zeros[40] = {0};
  Op *low = mk(p, p->body, OP_CONST, INT, all, 0), *high = mk(p, p->body, OP_CONST, INT, all, 0);
  static const uint64_t numbers[] = {0, 4};
  low->data = numbers;
  high->data = numbers + 1;
  low->data_count = high->data_count = 1;
  Op *before = data(p, start, all, zeros);
  Op *loop = mk(p, p->body, OP_FOR, NO_TYPE, all, 3, low, high, before);
  IrBlock *b = ir_block(p, loop);
  ir_arg(p, b, INT, NULL)->where = all;
  Op *last = ir_arg(p, b, ring, NULL);
  last->where = all;
  Op *r = mk(p, b, OP_RANDOM, ring, all, 0);
  ir_int(p, r, ANN);
  ir_int(p, r, BOB);
  Op *mine = mk(p, b, OP_NEG, ring, at(ANN), 1, r);
  Op *there = message(p, b, mine, ANN, BOB);
  Op *nothing = mk(p, b, OP_ADD, ring, at(BOB), 2, there, r);
  expect(p, b, nothing, zeros, BOB, "the same draw");
  IrType bits = vector(BOOL, 40);
  Op *differ = mk(p, b, OP_NE, bits, at(BOB), 2, r, last);
  Op *some = mk(p, b, OP_ANY, BOOL, at(BOB), 1, differ);
  ir_int(p, some, -1);
  Op *check = mk(p, b, OP_ASSERT, NO_TYPE, at(BOB), 1, some);
  VEC_PUSH(p->arena, &check->texts, "another draw than in the last pass");
  VEC_PUSH(p->arena, &b->yields, r);
  ir_result(p, p->body, loop, 0, ring);
  build_and_run(p, 0);
  drop_program(p);
}

static int files_in(const char *directory) {
  int n = 0;
  DIR *d = opendir(directory);
  assert_non_null(d);
  for (struct dirent *e = readdir(d); e; e = readdir(d))
    n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

/* Several ways in which a build fails: each leaves a message and no file. */
static void test_failures_leave_nothing(void **state) {
  (void)state;
  const char *error = NULL;
  Program *p = PROGRAM("ann", "bob");
  const char *directory = run_directory(p->arena, &error),
             *prefix = arena_printf(p->arena, "%s/party", directory);
  expect(p, p->body, message(p, p->body, own(p, INT, 0, (uint64_t[]){3}), 0, 1), (uint64_t[]){3}, 1, "three");
  setenv("TFE_LIB", "/nowhere", 1);
  setenv("TFE_CC", "/bin/false", 1);
  error = build(p, prefix, -1, 1);
  assert_non_null(error);
  assert_non_null(strstr(error, "party-ann"));
  assert_int_equal(files_in(directory), 0);
  unsetenv("TFE_CC");
  assert_int_equal(mkdir(arena_printf(p->arena, "%s-bob", prefix), 0700), 0); /* a name that is taken */
  error = build(p, prefix, -1, 1);
  assert_non_null(error);
  rmdir(arena_printf(p->arena, "%s-bob", prefix));
  assert_int_equal(files_in(directory), 0);
  error = build(p, arena_printf(p->arena, "%s/not/there", directory), -1, 1);
  assert_non_null(error);
  assert_null(build(p, prefix, -1, 1));
  assert_int_equal(files_in(directory), 3);
  run_remove_directory(directory);
  drop_program(p);
}

static const char *file_bytes(Arena *a, const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  *size = (size_t)ftell(f);
  rewind(f);
  char *bytes = arena_alloc(a, *size + 1);
  assert_int_equal(fread(bytes, 1, *size, f), *size);
  fclose(f);
  return bytes;
}

/* One loop that both parties have and one of each: a program's executables are the same bytes every time, built
 * together or one by one. */
static void test_same_bytes(void **state) {
  (void)state;
  const char *error = NULL;
  Program *p = PROGRAM("ann", "bob");
  static const uint64_t v[3] = {1, 2, 3}, more[3] = {2, 4, 6}, squares[3] = {1, 4, 9};
  Op *x = own(p, vector(INT, 3), 0, v), *y = message(p, p->body, x, 0, 1);
  Op *twice = mk(p, p->body, OP_ADD, x->type, at(0), 2, x, x);
  Op *square = mk(p, p->body, OP_MUL, y->type, at(1), 2, y, y);
  expect(p, p->body, message(p, p->body, twice, 0, 1), more, 1, "twice");
  expect(p, p->body, message(p, p->body, square, 1, 0), squares, 0, "squares");
  const char *directory = run_directory(p->arena, &error);
  const char *prefixes[] = {arena_printf(p->arena, "%s/first", directory),
                            arena_printf(p->arena, "%s/second", directory)};
  assert_null(build(p, prefixes[0], -1, 2));
  assert_null(build(p, prefixes[1], 0, 2));
  assert_null(build(p, prefixes[1], 1, 2));
  for (int k = 0; k < p->parties.count; k++) {
    const char *bytes[2];
    size_t size[2];
    for (int i = 0; i < 2; i++)
      bytes[i] = file_bytes(p->arena, arena_printf(p->arena, "%s-%s", prefixes[i], p->parties.data[k].name),
                            &size[i]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
  }
  run_remove_directory(directory);
  drop_program(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_widths),
      cmocka_unit_test(test_family),
      cmocka_unit_test(test_randomness_and_loops),
      cmocka_unit_test(test_failures_leave_nothing),
      cmocka_unit_test(test_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
