/* The mask-shift test: proof by run that every opened value is masked by fresh
 * randomness.
 *
 * The choreography is run twice with different private data. The second run chooses each mask so that the
 * message it hides is the one of the first run: mask' = mask + (value - value'). If that is possible for
 * every message at once, whoever receives the messages sees exactly the same in both runs; a mask that hides
 * two values, a mask that its receiver knows, or a value sent without a mask makes some message differ, and
 * is named. Excepted are what the program reveals (messages with that label), and correction words of
 * comparison keys, which are pseudorandom and not one-time-padded. The second run must still compute the
 * right results: it is compared with a run on the same data with unshifted masks.
 *
 * What the servers send to each other is also looked at as a stream of bits, packed as on the wire, messages of
 * single bits apart: from 100 kB on it must pass for uniform (stream.h), with a chance of less than 10^-6 that
 * a uniform one does not.
 *
 *   maskshift MODEL.tfe [-D name=value]... [--size S]      exit 0 and one line of counts, or 1 and the leak
 *
 * Private fixed numbers are uniform in [-S, S), by default [-1, 1). A program that scales its inputs wants small
 * ones: where values leave their range the results of two runs have nothing to do with each other.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "../../compiler/check.h"
#include "../../compiler/expand.h"
#include "../../compiler/pass.h"
#include "../../compiler/rings.h"
#include "../../runtime/prg/prg.h"
#include "interp.h"
#include "stream.h"

enum { BUCKETS = 4096 };
enum { NUMBERS, BITS, STREAMS }; /* messages of numbers, of single bits */

static const double FARTHEST = 5.2; /* deviation of a statistic; four of them are looked at */

typedef struct Record {
  const Op *op;
  uint64_t pass;
  uint64_t *value;
  struct Record *next;
} Record;

typedef struct Table {
  Record *bucket[BUCKETS];
} Table;

typedef struct Test {
  Arena *arena;
  const Program *program;
  int run;              /* 0 first, 1 shifted, 2 the second data with masks as drawn */
  Table messages;       /* of the first run, by (SEND's operand, pass) */
  VEC(double) shown[3]; /* what the parties print or output */
  const Op **hides;     /* by id of a RANDOM: the operation ADD or SUB that it masks and that is sent */
  int64_t checked, revealed, keys, shifted;
  Stream streams[STREAMS]; /* of runs 0 and 2: run 1 repeats the messages of run 0 */
  const char *leak;
  double size; /* of private numbers */
} Test;

static Record *find(const Table *t, const Op *op, uint64_t pass) {
  for (Record *r = t->bucket[((uint64_t)op->id * 31 + pass) % BUCKETS]; r; r = r->next)
    if (r->op == op && r->pass == pass)
      return r;
  return NULL;
}

static void keep(Test *t, const Op *op, uint64_t pass, const uint64_t *value) {
  if (find(&t->messages, op, pass))
    return;
  size_t bytes = 8 * (size_t)shape_count(&op->type.shape);
  Record *r = ARENA_NEW(t->arena, Record);
  Record **bucket = &t->messages.bucket[((uint64_t)op->id * 31 + pass) % BUCKETS];
  *r = (Record){op, pass, arena_alloc(t->arena, bytes + 8), *bucket};
  memcpy(r->value, value, bytes);
  *bucket = r;
}

/* ---- which messages, which masks ------------------------------------------------------------------- */

static bool is_reveal(const Op *send) {
  return send->text && strcmp(send->text, "reveal") == 0;
}

/* The RANDOM among the operands of a masked value, NULL if there is none that the receiver does not know. */
static const Op *mask_of(const Op *masked, int receiver) {
  if (masked->kind == OP_RANDOM) /* 0 + mask */
    return party_has(masked->where, receiver) ? NULL : masked;
  if (masked->kind != OP_ADD && masked->kind != OP_SUB)
    return NULL;
  for (int i = masked->args.count - 1; i >= 0; i--) {
    const Op *r = masked->args.data[i];
    if (r->kind == OP_RANDOM && !party_has(r->where, receiver) && r->parent == masked->parent &&
        shape_equal(&r->type.shape, &masked->type.shape))
      return r;
  }
  return NULL;
}

static void note_send(Op *op, void *data) {
  Test *t = data;
  if (op->kind != OP_SEND || is_reveal(op))
    return;
  const Op *masked = op->args.data[0];
  while (masked->kind == OP_SEND)
    masked = masked->args.data[0];
  const Op *r = mask_of(masked, (int)op->ints.data[1]);
  if (r && !t->hides[r->id])
    t->hides[r->id] = masked;
}

/* ---- hooks ----------------------------------------------------------------------------------------- */

static void fill_random(Test *t, const Op *op, uint64_t pass, uint64_t *out) {
  uint8_t key[TFE_KEY_BYTES] = {(uint8_t)(1 + t->run)};
  tfe_prg_words(key, (uint32_t)op->id, pass, op->type.bits, out, shape_count(&op->type.shape));
}

static void on_random(void *data, Interp *in, const Op *op, uint64_t pass, uint64_t *out) {
  Test *t = data;
  const Op *masked = t->hides[op->id];
  Record *first = t->run == 1 && masked ? find(&t->messages, masked, pass) : NULL;
  if (!first) {
    fill_random(t, op, pass, out);
    return;
  }
  t->shifted++;
  if (masked == op) {
    memcpy(out, first->value, 8 * (size_t)shape_count(&op->type.shape));
    return;
  }
  bool right = masked->args.data[1] == op;
  const Op *other = masked->args.data[right ? 0 : 1];
  int party = party_first(party_and(masked->where, op->where));
  const uint64_t *y = interp_value(in, other, party);
  int64_t step = other->type.shape.rank > 0;
  uint64_t low = op->type.bits < 64 ? (UINT64_C(1) << op->type.bits) - 1 : ~UINT64_C(0);
  for (int64_t i = 0; i < shape_count(&op->type.shape); i++) {
    uint64_t m = first->value[i], v = y[i * step];
    uint64_t r = op->type.lanes ? m ^ v : masked->kind == OP_ADD ? m - v : right ? v - m : m + v;
    out[i] = r & low;
  }
}

static bool is_server(const Program *p, int party) {
  for (int i = 0; i < p->protocols.count; i++)
    for (int k = 0; k < p->protocols.data[i].servers.count; k++)
      if (p->protocols.data[i].servers.data[k] == party)
        return true;
  return false;
}

static void note_stream(Test *t, const Op *send, const uint64_t *value) {
  const IrType *type = &send->type;
  if (t->run == 1 || type->elem != EL_RING || !is_server(t->program, (int)send->ints.data[0]) ||
      !is_server(t->program, (int)send->ints.data[1]))
    return;
  stream_add(&t->streams[type->bits == 1 ? BITS : NUMBERS], value, shape_count(&type->shape), type->bits);
}

static void on_sent(void *data, const Op *op, uint64_t pass, const uint64_t *value) {
  Test *t = data;
  const Op *what = op->args.data[0];
  while (what->kind == OP_SEND)
    what = what->args.data[0];
  if (is_reveal(op)) {
    t->revealed += t->run == 1;
    return;
  }
  if (what->kind == OP_DPF_KEY || what->kind == OP_SPLINE_KEY) {
    t->keys += t->run == 1;
    return;
  }
  note_stream(t, op, value);
  if (t->run == 0)
    keep(t, what, pass, value);
  if (t->run != 1)
    return;
  Record *first = find(&t->messages, what, pass);
  t->checked++;
  if (!t->leak && (!first || memcmp(first->value, value, 8 * (size_t)shape_count(&op->type.shape)) != 0))
    t->leak = arena_printf(t->arena, "the message %%%d from %s to %s (%s) depends on private data", op->id,
                           party_name(t->program, (int)op->ints.data[0]),
                           party_name(t->program, (int)op->ints.data[1]),
                           op->site ? source_where(t->arena, op->site->span) : "?");
}

/* Server 0's part of a stored value is the same in all runs, server 1's the rest of a value that differs. */
static void stored_part(Test *t, const Op *op, uint64_t *out) {
  uint8_t key[TFE_KEY_BYTES] = {98}, data[TFE_KEY_BYTES] = {(uint8_t)(t->run ? 100 : 99), 98};
  const IrType *type = &op->type;
  int64_t n = shape_count(&type->shape);
  uint64_t low = type->bits < 64 ? (UINT64_C(1) << type->bits) - 1 : ~UINT64_C(0);
  uint32_t leaf = (uint32_t)(op->ints.data[0] * 100 + op->ints.data[1]);
  tfe_prg_words(key, leaf, 0, type->bits, out, n);
  if (op->ints.data[2] == 0)
    return;
  uint64_t *numbers = arena_alloc(t->arena, 8 * (size_t)n + 8);
  tfe_prg_words(data, leaf, 0, 16, numbers, n);
  for (int64_t i = 0; i < n; i++) {
    double v = ((double)numbers[i] / 32768.0 - 1.0) * t->size * (double)(INT64_C(1) << type->scale);
    uint64_t x = type->scale > 0 ? (uint64_t)(int64_t)v : numbers[i] % 1000;
    out[i] = (x - out[i]) & low;
  }
}

/* Private data: small numbers that differ between the runs; bools and ints likewise. */
static void on_input(void *data, const Op *op, int party, uint64_t pass, uint64_t *out) {
  Test *t = data;
  if (op->kind == OP_LOAD) {
    stored_part(t, op, out);
    return;
  }
  uint8_t key[TFE_KEY_BYTES] = {(uint8_t)(t->run ? 100 : 99), (uint8_t)party};
  int64_t n = shape_count(&op->type.shape);
  tfe_prg_words(key, (uint32_t)op->id, pass, 16, out, n);
  for (int64_t i = 0; i < n; i++) {
    double v = ((double)out[i] / 32768.0 - 1.0) * t->size; /* [-size, size) */
    out[i] = op->type.elem == EL_FIXED  ? ir_fixed_bits(v)
             : op->type.elem == EL_BOOL ? out[i] & 1
                                        : out[i] % 1000;
  }
}

static void on_shown(void *data, const Op *op, int operand, int party, const uint64_t *value) {
  Test *t = data;
  (void)party;
  const IrType *type = &op->args.data[operand]->type;
  for (int64_t i = 0; i < shape_count(&type->shape); i++)
    VEC_PUSH(t->arena, &t->shown[t->run],
             type->elem == EL_FIXED ? ir_bits_fixed(value[i]) : (double)(int64_t)value[i]);
}

/* ---- data that the program itself holds ------------------------------------------------------------ */

/* Whether a value follows from the text of the program alone. */
static bool is_written(const Op *op) {
  OpClass c = op_info[op->kind].class;
  bool pure = c == OPC_EW || c == OPC_MOVE || c == OPC_REDUCE || c == OPC_BILINEAR;
  if (op->kind == OP_CONST || op->kind == OP_IOTA || op->kind == OP_ME)
    return true;
  for (int i = 0; pure && i < op->args.count; i++)
    pure = is_written(op->args.data[i]);
  return pure;
}

/* What is shared must differ between the runs: written data become inputs. */
static void vary_shared(Op *op, void *data) {
  Program *p = data;
  if (op->kind != OP_SHARE)
    return;
  Op *v = op->args.data[0];
  while (v->kind == OP_MEMBER)
    v = v->args.data[0];
  if (!is_written(v) || (v->at.kind != PLACE_AT && v->at.kind != PLACE_EACH))
    return;
  PartySet owner = party_one(v->at.index);
  if (v->at.kind == PLACE_EACH)
    owner = party_range(p->parties.data[v->at.index].first, p->parties.data[v->at.index].count);
  Slot slot = {.name = "written", .type = v->type, .owner = owner};
  if (v->site)
    slot.span = v->site->span;
  v->kind = OP_INPUT;
  v->text = slot.name;
  v->args.count = v->ints.count = 0;
  v->data = NULL;
  v->data_count = 0;
  ir_int(p, v, p->slots.count);
  VEC_PUSH(p->arena, &p->slots, slot);
}

/* ---- main ------------------------------------------------------------------------------------------ */

static Program *compile(Arena *a, Diags *diags, const char *path, const char *const *defines, int count) {
  const char *error = NULL;
  Source *source = source_read(a, path, path, &error);
  if (!source) {
    fprintf(stderr, "maskshift: %s: %s\n", path, error);
    return NULL;
  }
  CheckOptions options = {.defines = defines, .define_count = count};
  Program *joint = check_program(a, diags, source, &options);
  if (joint)
    ir_walk(joint->body, vary_shared, joint);
  Program *out = joint && rings_choose(a, diags, joint) ? expand_program(a, diags, joint) : NULL;
  if (out)
    passes_run(out, NULL, NULL);
  diag_flush(diags, stderr, DIAG_TEXT, false);
  return out;
}

static bool run(Test *t, int which) {
  t->run = which;
  InterpHooks hooks = {.data = t,
                       .random = on_random,
                       .sent = on_sent,
                       .input = on_input,
                       .shown = on_shown,
                       .seed_shift = which ? 1000 : 0};
  const char *error = interp_run(interp_new(t->arena, t->program, &hooks));
  if (error)
    fprintf(stderr, "maskshift: run %d: %s\n", which, error);
  return !error;
}

/* The shifted run computes what an ordinary run on the same data does, up to the rounding of truncations. */
static bool same_results(const Test *t) {
  if (t->shown[1].count != t->shown[2].count)
    return false;
  for (int i = 0; i < t->shown[1].count; i++) {
    double a = t->shown[1].data[i], b = t->shown[2].data[i];
    if (!(fabs(a - b) <= 0.05 * (1 + fabs(a))))
      return false;
  }
  return true;
}

/* Prints the figures of a stream that is long enough. */
static bool is_uniform(const char *path, const char *what, const Stream *s) {
  if (s->bytes < STREAM_LEAST)
    return true;
  double chi = stream_chi_square(s), correlation = stream_correlation(s);
  bool good = fabs(chi) < FARTHEST && fabs(correlation) < FARTHEST;
  fprintf(good ? stdout : stderr,
          "%s: %" PRId64 " bytes of opened %s: chi-square %+.2f, correlation %+.2f%s\n", path, s->bytes, what,
          chi, correlation, good ? "" : ", not uniform");
  return good;
}

int main(int argc, char **argv) {
  Arena *a = arena_new();
  Diags *diags = diag_create(a);
  VEC(const char *) defines = {0};
  const char *path = NULL;
  double size = 1;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-D") == 0 && i + 1 < argc)
      VEC_PUSH(a, &defines, argv[++i]);
    else if (strcmp(argv[i], "--size") == 0 && i + 1 < argc)
      size = atof(argv[++i]);
    else
      path = argv[i];
  }
  if (!path) {
    fprintf(stderr, "usage: maskshift MODEL.tfe [-D name=value]... [--size S]\n");
    return 2;
  }
  Test t = {.arena = a, .size = size, .program = compile(a, diags, path, defines.data, defines.count)};
  if (!t.program)
    return 1;
  t.hides = ARENA_ARRAY(a, const Op *, t.program->next_id + 1);
  ir_walk(t.program->body, note_send, &t);
  if (!run(&t, 0) || !run(&t, 1) || !run(&t, 2))
    return 1;
  if (t.leak) {
    fprintf(stderr, "maskshift: %s: %s\n", path, t.leak);
    return 1;
  }
  if (!same_results(&t)) {
    fprintf(stderr, "maskshift: %s: the shifted run gives other results\n", path);
    return 1;
  }
  if (!is_uniform(path, "numbers", &t.streams[NUMBERS]) || !is_uniform(path, "bits", &t.streams[BITS]))
    return 1;
  printf("%s: %" PRId64 " messages equal under %" PRId64 " shifted masks; %" PRId64
         " belong to reveals, %" PRId64 " are comparison keys\n",
         path, t.checked, t.shifted, t.revealed, t.keys);
  arena_free(a);
  return 0;
}
