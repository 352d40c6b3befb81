/* See interp.h. Operations are evaluated when they are first needed within a run of their block, so that a
 * hook may ask for a value that stands further down. */
#include "interp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "../../runtime/gate/spline_layout.h"
#include "../../runtime/include/abi.h"

typedef struct Cell {
  uint64_t *data[MAX_PARTIES]; /* NULL: not held, or not computed in this run of the block */
} Cell;

struct Interp {
  Arena *arena;
  const Program *program;
  InterpHooks hooks;
  Cell *cells;      /* by op id */
  uint64_t *passes; /* by id of the control operation */
  bool *done;       /* by id of a control operation: in this run of its block */
  uint64_t entropy;
  const char *error;
};

static void run_block(Interp *in, const IrBlock *b);
static void run_op(Interp *in, const IrBlock *b, const Op *op);
static void evaluate(Interp *in, const Op *op, int party);

static int64_t count_of(const Op *op) {
  return shape_count(&op->type.shape);
}

static uint64_t mask_of(const IrType *t) {
  return t->elem == EL_RING && t->bits < 64 ? (UINT64_C(1) << t->bits) - 1 : ~UINT64_C(0);
}

static uint64_t *allocate(Interp *in, const Op *op) {
  (void)in;
  int64_t n = count_of(op);
  uint64_t *data = calloc((size_t)(n > 0 ? n : 1), 8);
  assert(data);
  return data;
}

static uint64_t *value(Interp *in, const Op *op, int party) {
  if (!in->cells[op->id].data[party] && op->kind == OP_RESULT)
    run_op(in, op->parent, op->args.data[0]);
  else if (!in->cells[op->id].data[party] && op->kind != OP_ARG)
    evaluate(in, op, party);
  uint64_t *data = in->cells[op->id].data[party];
  if (!data) {
    in->error = arena_printf(in->arena, "party %d uses value %%%d (%s), which it does not hold", party,
                             op->id, op_info[op->kind].name);
    data = allocate(in, op);
    in->cells[op->id].data[party] = data;
  }
  return data;
}

const uint64_t *interp_value(Interp *in, const Op *op, int party) {
  return value(in, op, party);
}

static const IrBlock *loop_block(const IrBlock *b) {
  while (b->owner && b->owner->kind == OP_IF)
    b = b->owner->parent;
  return b;
}

static uint64_t pass_of(const Interp *in, const Op *op) {
  const IrBlock *b = loop_block(op->parent);
  return b->owner ? in->passes[b->owner->id] - 1 : 0;
}

/* ---- elementwise ----------------------------------------------------------------------------------- */

static double real(uint64_t bits) {
  return ir_bits_fixed(bits);
}

static uint64_t real_op(OpKind k, double a, double b) {
  switch (k) {
  case OP_ADD: return ir_fixed_bits(a + b);
  case OP_SUB: return ir_fixed_bits(a - b);
  case OP_MUL: return ir_fixed_bits(a * b);
  case OP_DIV: return ir_fixed_bits(a / b);
  case OP_POW: return ir_fixed_bits(tfe_pow(a, b));
  case OP_NEG: return ir_fixed_bits(-a);
  case OP_ABS: return ir_fixed_bits(fabs(a));
  case OP_SIGN: return ir_fixed_bits((double)((a > 0) - (a < 0)));
  case OP_MIN2: return ir_fixed_bits(b < a ? b : a);
  case OP_MAX2: return ir_fixed_bits(b > a ? b : a);
  case OP_EXP: return ir_fixed_bits(tfe_exp(a));
  case OP_LOG: return ir_fixed_bits(tfe_log(a));
  case OP_SQRT: return ir_fixed_bits(tfe_sqrt(a));
  case OP_TANH: return ir_fixed_bits(tfe_tanh(a));
  case OP_FLOOR: return ir_fixed_bits(tfe_floor(a));
  case OP_ROUND: return ir_fixed_bits(tfe_round(a));
  case OP_LT: return a < b;
  case OP_LE: return a <= b;
  case OP_EQ: return a == b;
  case OP_NE: return a != b;
  case OP_TO_INT: return (uint64_t)(int64_t)a;
  case OP_TO_FIXED:
  case OP_BOUNDED: return ir_fixed_bits(a);
  default: return 0;
  }
}

static int64_t floor_div(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return (int64_t)(0 - (uint64_t)a);
  int64_t q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

static uint64_t whole_op(OpKind k, uint64_t a, uint64_t b) {
  int64_t x = (int64_t)a, y = (int64_t)b;
  switch (k) {
  case OP_ADD: return a + b;
  case OP_SUB: return a - b;
  case OP_MUL: return a * b;
  case OP_NEG: return 0 - a;
  case OP_FLOORDIV: return (uint64_t)floor_div(x, y);
  case OP_MOD: return a - (uint64_t)floor_div(x, y) * b;
  case OP_ABS: return x < 0 ? 0 - a : a;
  case OP_SIGN: return (uint64_t)((x > 0) - (x < 0));
  case OP_MIN2: return y < x ? b : a;
  case OP_MAX2: return y > x ? b : a;
  case OP_LT: return x < y;
  case OP_LE: return x <= y;
  case OP_EQ: return a == b;
  case OP_NE: return a != b;
  case OP_AND: return a & b;
  case OP_OR: return a | b;
  case OP_NOT: return !a;
  case OP_TO_FIXED: return ir_fixed_bits((double)x);
  default: return a; /* TO_INT, BOUNDED, WIDEN, NARROW: the element itself */
  }
}

static uint64_t ring_op(const Op *op, uint64_t a) {
  int64_t k = op->ints.count ? op->ints.data[0] : 0;
  switch (op->kind) {
  case OP_SHL: return k >= 64 ? 0 : a << k;
  case OP_SHR: return k >= 64 ? 0 : a >> k;
  case OP_BIT: return a >> k & 1;
  default: return a;
  }
}

static uint64_t encode(const Op *op, Elem from, uint64_t a) {
  if (from == EL_FIXED)
    return (uint64_t)(int64_t)nearbyint(ldexp(real(a), op->type.scale));
  return a << op->type.scale;
}

static uint64_t decode(const IrType *ring, Elem to, uint64_t a) {
  int64_t v = (int64_t)(a << (64 - ring->bits)) >> (64 - ring->bits);
  if (to == EL_BOOL)
    return a & 1;
  return to == EL_FIXED ? ir_fixed_bits(ldexp((double)v, -ring->scale)) : (uint64_t)v;
}

static void elementwise(Interp *in, const Op *op, int party, uint64_t *out) {
  const uint64_t *arg[3] = {0};
  int64_t step[3] = {0};
  for (int i = 0; i < op->args.count; i++) {
    arg[i] = value(in, op->args.data[i], party);
    step[i] = op->args.data[i]->type.shape.rank > 0;
  }
  const IrType *t = &op->args.data[0]->type;
  uint64_t mask = mask_of(&op->type);
  for (int64_t i = 0, n = count_of(op); i < n; i++) {
    uint64_t a = arg[0][i * step[0]], b = arg[1] ? arg[1][i * step[1]] : 0;
    if (op->kind == OP_SELECT)
      out[i] = a ? b : arg[2][i * step[2]];
    else if (op->kind == OP_ENCODE)
      out[i] = encode(op, t->elem, a) & mask;
    else if (op->kind == OP_DECODE)
      out[i] = decode(t, op->type.elem, a);
    else if (op->kind == OP_SHL || op->kind == OP_SHR || op->kind == OP_BIT)
      out[i] = ring_op(op, a) & mask;
    else if (t->elem == EL_FIXED)
      out[i] = real_op(op->kind, real(a), real(b));
    else if (op->type.lanes)
      out[i] = op->kind == OP_MUL ? a & b : a ^ b;
    else
      out[i] = whole_op(op->kind, a, b) & mask;
  }
}

/* ---- moves and products ---------------------------------------------------------------------------- */

static void strides_of(const Shape *s, int64_t *stride) {
  int64_t n = 1;
  for (int i = s->rank - 1; i >= 0; i--) {
    stride[i] = n;
    n *= s->dim[i];
  }
}

/* Start of the box of a SLICE or UPDATE, as an offset; dynamic starts are operands from `next` on. */
static int64_t box_offset(Interp *in, const Op *op, int party, const Shape *whole, const Shape *box,
                          int next) {
  int64_t stride[MAX_RANK], offset = 0;
  strides_of(whole, stride);
  for (int i = 0; i < whole->rank; i++) {
    int64_t start = op->ints.data[i];
    if (start == INT64_MIN)
      start = (int64_t)value(in, op->args.data[next++], party)[0];
    if (start < 0 || start + box->dim[i] > whole->dim[i]) {
      in->error = "index out of range";
      start = 0;
    }
    offset += start * stride[i];
  }
  return offset;
}

static void move(Interp *in, const Op *op, int party, uint64_t *out) {
  const Op *x = op->args.data[0];
  const uint64_t *a = value(in, x, party);
  const Shape *s = &x->type.shape;
  int64_t to[MAX_RANK], from[MAX_RANK], stride[MAX_RANK];
  strides_of(&op->type.shape, to);
  strides_of(s, stride);
  int rank = op->type.shape.rank;
  switch (op->kind) {
  case OP_TRANSPOSE:
    for (int i = 0; i < rank; i++)
      from[i] = stride[op->ints.data[i]];
    tfe_copy(out, a, op->type.shape.dim, to, from, rank);
    break;
  case OP_BROADCAST:
    for (int i = 0; i < rank; i++) {
      int k = i - (rank - s->rank);
      from[i] = k >= 0 && s->dim[k] != 1 ? stride[k] : 0;
    }
    tfe_copy(out, a, op->type.shape.dim, to, from, rank);
    break;
  case OP_SLICE:
    tfe_copy(out, a + box_offset(in, op, party, s, &op->type.shape, 1), op->type.shape.dim, to, stride, rank);
    break;
  case OP_UPDATE: {
    const Op *v = op->args.data[1];
    memcpy(out, a, 8 * (size_t)count_of(op));
    int64_t box[MAX_RANK];
    strides_of(&v->type.shape, box);
    tfe_copy(out + box_offset(in, op, party, s, &v->type.shape, 2), value(in, v, party), v->type.shape.dim,
             to, box, rank);
    break;
  }
  case OP_GATHER: {
    const uint64_t *index = value(in, op->args.data[1], party);
    int64_t row = s->dim[0] ? shape_count(s) / s->dim[0] : 0;
    for (int64_t i = 0; i < op->type.shape.dim[0]; i++)
      memcpy(out + i * row, a + (int64_t)index[i] * row, 8 * (size_t)row);
    break;
  }
  case OP_CONCAT: {
    int axis = (int)op->ints.data[0];
    int64_t offset = 0;
    for (int i = 0; i < op->args.count; i++) {
      const Op *part = op->args.data[i];
      strides_of(&part->type.shape, from);
      tfe_copy(out + offset, value(in, part, party), part->type.shape.dim, to, from, rank);
      offset += part->type.shape.dim[axis] * to[axis];
    }
    break;
  }
  default: /* RESHAPE, MEMBER */ memcpy(out, a, 8 * (size_t)count_of(op));
  }
}

static void reduce(Interp *in, const Op *op, int party, uint64_t *out) {
  const Op *x = op->args.data[0];
  const uint64_t *a = value(in, x, party);
  int64_t axis = op->ints.data[0], outer = 1, n = 1, inner = 1;
  for (int i = 0; i < x->type.shape.rank; i++) {
    int64_t d = x->type.shape.dim[i];
    *(axis < 0 || i == axis ? &n : i < axis ? &outer : &inner) *= d;
  }
  bool fixed = x->type.elem == EL_FIXED;
  switch (op->kind) {
  case OP_SUM:
    if (x->type.elem == EL_RING)
      tfe_sum_ring(out, a, outer, n, inner, x->type.bits);
    else
      (fixed ? tfe_sum_fixed : tfe_sum_int)(out, a, outer, n, inner);
    break;
  case OP_RMAX: (fixed ? tfe_max_fixed : tfe_max_int)(out, a, outer, n, inner); break;
  case OP_RMIN: (fixed ? tfe_min_fixed : tfe_min_int)(out, a, outer, n, inner); break;
  case OP_ARGMAX: (fixed ? tfe_argmax_fixed : tfe_argmax_int)(out, a, outer, n, inner); break;
  case OP_ARGMIN: (fixed ? tfe_argmin_fixed : tfe_argmin_int)(out, a, outer, n, inner); break;
  case OP_ANY: tfe_any(out, a, outer, n, inner); break;
  default: tfe_all(out, a, outer, n, inner); break;
  }
}

typedef void ConvRing(uint64_t *, const uint64_t *, const uint64_t *, const int64_t *, int64_t, int64_t);
typedef void ConvClear(uint64_t *, const uint64_t *, const uint64_t *, const int64_t *);

static ConvRing *conv_ring(OpKind kind) {
  return kind == OP_CONV2D         ? tfe_conv2d_ring
         : kind == OP_CONV2D_INPUT ? tfe_conv2d_input_ring
                                   : tfe_conv2d_kernel_ring;
}

static ConvClear *conv_clear(OpKind kind, bool fixed) {
  if (kind == OP_CONV2D)
    return fixed ? tfe_conv2d_fixed : tfe_conv2d_int;
  if (kind == OP_CONV2D_INPUT)
    return fixed ? tfe_conv2d_input_fixed : tfe_conv2d_input_int;
  return fixed ? tfe_conv2d_kernel_fixed : tfe_conv2d_kernel_int;
}

static void bilinear(Interp *in, const Op *op, int party, uint64_t *out) {
  const Op *x = op->args.data[0], *y = op->args.data[1];
  const uint64_t *a = value(in, x, party), *b = value(in, y, party);
  const int64_t *d = x->type.shape.dim, *e = y->type.shape.dim;
  Elem elem = op->type.elem;
  if (op->kind == OP_MATMUL) {
    if (elem == EL_RING)
      tfe_matmul_ring(out, a, b, d[0], d[1], e[1], op->type.bits, 0);
    else
      (elem == EL_FIXED ? tfe_matmul_fixed : tfe_matmul_int)(out, a, b, d[0], d[1], e[1]);
    return;
  }
  int64_t sizes[CONV_SIZES];
  ir_conv_sizes(op, sizes);
  if (elem == EL_RING)
    conv_ring(op->kind)(out, a, b, sizes, op->type.bits, 0);
  else
    conv_clear(op->kind, elem == EL_FIXED)(out, a, b, sizes);
}

/* ---- one operation at one party -------------------------------------------------------------------- */

static void source(Interp *in, const Op *op, int party, uint64_t *out) {
  int64_t n = count_of(op);
  const PartyDecl *d = party_decl(in->program, party);
  switch (op->kind) {
  case OP_CONST:
    for (int64_t i = 0; i < n; i++)
      out[i] = op->data[op->data_count == 1 ? 0 : i];
    break;
  case OP_IOTA:
    for (int64_t i = 0; i < n; i++)
      out[i] = op->type.elem == EL_FIXED ? ir_fixed_bits((double)i) : (uint64_t)i;
    break;
  case OP_ME: out[0] = (uint64_t)(party - d->first); break;
  case OP_ENTROPY: out[0] = in->entropy; break;
  default: break;
  }
}

static void local(Interp *in, const Op *op, int party, uint64_t *out) {
  int64_t n = count_of(op);
  const Op *const *args = (const Op *const *)op->args.data;
  const uint64_t *a = value(in, args[0], party);
  switch (op->kind) {
  case OP_RNG_SEED: out[0] = (uint64_t)tfe_rng_seed((int64_t)a[0] + in->hooks.seed_shift); break;
  case OP_RNG_NEXT: out[0] = (uint64_t)tfe_rng_next((int64_t)a[0]); break;
  case OP_RANDN: tfe_random_normal(out, n, (int64_t)a[0]); break;
  case OP_RANDU:
    tfe_random_uniform(out, n, (int64_t)a[0], real(value(in, args[1], party)[0]),
                       real(value(in, args[2], party)[0]));
    break;
  case OP_PERMUTE: tfe_permutation(out, n, (int64_t)a[0]); break;
  case OP_DPF_KEY:
    tfe_dpf_key(NULL, out, a, value(in, args[1], party), value(in, args[2], party), count_of(args[0]),
                args[0]->type.bits);
    break;
  case OP_LANES: tfe_lanes_of(out, a, count_of(args[0]), op->type.shape.dim[1]); break;
  case OP_FROM_LANES:
    tfe_from_lanes(out, a, n / op->ints.data[0], op->ints.data[0], args[0]->type.shape.dim[1]);
    break;
  case OP_DPF_EVAL:
  case OP_DPF_POINT: {
    int64_t keys = count_of(args[1]) / 2;
    (op->kind == OP_DPF_EVAL ? tfe_dpf_eval : tfe_dpf_point)(
        NULL, out, a, value(in, args[1], party), value(in, args[2], party), keys, keys ? n / keys : 1,
        args[0]->type.bits, op->ints.data[0]);
    break;
  }
  case OP_SPLINE_KEY:
    tfe_spline_key(NULL, out, a, value(in, args[1], party), value(in, args[2], party), count_of(args[0]),
                   op->ints.data);
    break;
  case OP_SPLINE_EVAL:
    tfe_spline_eval(NULL, out, a, value(in, args[1], party), value(in, args[2], party),
                    value(in, args[3], party), n, op->ints.data, op->ints.data[TFE_SPLINE_FIELDS]);
    break;
  default: in->error = arena_printf(in->arena, "operation %s is not known here", op_info[op->kind].name);
  }
}

static void send(Interp *in, const Op *op, int party, uint64_t *out) {
  int from = (int)op->ints.data[0], to = (int)op->ints.data[1];
  const uint64_t *a = value(in, op->args.data[0], party == to ? from : party);
  memcpy(out, a, 8 * (size_t)count_of(op));
  if (party == to && in->hooks.sent)
    in->hooks.sent(in->hooks.data, op, pass_of(in, op), a);
}

/* A draw is made once and is the same at both ends. */
static void draw(Interp *in, const Op *op) {
  uint64_t *first = NULL;
  for (int p = 0; p < in->program->party_count; p++) {
    if (!party_has(op->where, p))
      continue;
    uint64_t *out = allocate(in, op);
    if (first)
      memcpy(out, first, 8 * (size_t)count_of(op));
    else
      in->hooks.random(in->hooks.data, in, op, pass_of(in, op), out);
    first = out;
    in->cells[op->id].data[p] = out;
  }
}

static void effect(Interp *in, const Op *op, int party, uint64_t *out) {
  switch (op->kind) {
  case OP_LOAD: /* a part of a private value, which hooks make as well */
  case OP_INPUT: in->hooks.input(in->hooks.data, op, party, pass_of(in, op), out); break;
  case OP_MORE: out[0] = pass_of(in, op) == 0; break; /* every stream has one item */
  case OP_PRINT:
  case OP_OUTPUT:
    for (int i = 0; i < op->args.count; i++) {
      const uint64_t *v = value(in, op->args.data[i], party);
      if (in->hooks.shown)
        in->hooks.shown(in->hooks.data, op, i, party, v);
    }
    break;
  default: break;
  }
}

static void evaluate(Interp *in, const Op *op, int party) {
  if (!party_has(op->where, party))
    return;
  if (op->kind == OP_RANDOM) {
    draw(in, op);
    return;
  }
  uint64_t *out = allocate(in, op);
  switch (op_info[op->kind].class) {
  case OPC_EW: elementwise(in, op, party, out); break;
  case OPC_MOVE: move(in, op, party, out); break;
  case OPC_REDUCE: reduce(in, op, party, out); break;
  case OPC_BILINEAR: bilinear(in, op, party, out); break;
  case OPC_SOURCE: source(in, op, party, out); break;
  case OPC_LOCAL: local(in, op, party, out); break;
  case OPC_EFFECT: effect(in, op, party, out); break;
  case OPC_MESSAGE: send(in, op, party, out); break;
  default: break;
  }
  in->cells[op->id].data[party] = out;
}

/* ---- blocks ---------------------------------------------------------------------------------------- */

static void forget(Interp *in, const Op *op) {
  in->done[op->id] = false;
  for (int p = 0; p < in->program->party_count; p++) {
    free(in->cells[op->id].data[p]);
    in->cells[op->id].data[p] = NULL;
  }
}

static void copy_value(Interp *in, const Op *to, const Op *from) {
  for (int p = 0; p < in->program->party_count; p++) {
    if (!party_has(to->where, p))
      continue;
    uint64_t *data = allocate(in, to);
    memcpy(data, value(in, from, p), 8 * (size_t)count_of(to));
    free(in->cells[to->id].data[p]);
    in->cells[to->id].data[p] = data;
  }
}

typedef VEC(const Op *) Values;

/* What a control operation ends with becomes the value of its RESULT operations. */
static void set_results(Interp *in, const IrBlock *b, const Op *control, const Values *values) {
  for (int k = 0; k < b->ops.count; k++) {
    const Op *r = b->ops.data[k];
    if (r->kind == OP_RESULT && r->args.data[0] == control)
      copy_value(in, r, values->data[r->ints.data[0]]);
  }
}

/* Parameters take their new values all at once: some of these may be parameters themselves. */
static void set_params(Interp *in, const IrBlock *body, int skip, const Values *values) {
  int parties = in->program->party_count;
  uint64_t **fresh = calloc((size_t)(values->count * parties + 1), sizeof *fresh);
  assert(fresh);
  for (int k = 0; k < values->count; k++)
    for (int p = 0; p < parties; p++) {
      const Op *param = body->params.data[skip + k];
      if (!party_has(param->where, p))
        continue;
      fresh[k * parties + p] = allocate(in, param);
      memcpy(fresh[k * parties + p], value(in, values->data[k], p), 8 * (size_t)count_of(param));
    }
  for (int k = 0; k < values->count; k++)
    for (int p = 0; p < parties; p++) {
      Cell *c = &in->cells[body->params.data[skip + k]->id];
      free(c->data[p]);
      c->data[p] = fresh[k * parties + p];
    }
  free(fresh);
}

static void set_index(Interp *in, const Op *index, int64_t i) {
  for (int p = 0; p < in->program->party_count; p++)
    if (party_has(index->where, p)) {
      free(in->cells[index->id].data[p]);
      in->cells[index->id].data[p] = allocate(in, index);
      in->cells[index->id].data[p][0] = (uint64_t)i;
    }
}

static void run_if(Interp *in, const Op *op, Values *values) {
  bool taken = value(in, op->args.data[0], party_first(op->where))[0] != 0;
  const IrBlock *branch = op->blocks.data[taken ? 0 : 1];
  run_block(in, branch);
  for (int k = 0; k < branch->yields.count; k++)
    VEC_PUSH(in->arena, values, branch->yields.data[k]);
}

static void run_for(Interp *in, const Op *op, Values *values) {
  int any = party_first(op->where);
  int64_t low = (int64_t)value(in, op->args.data[0], any)[0],
          high = (int64_t)value(in, op->args.data[1], any)[0];
  const IrBlock *body = op->blocks.data[0];
  for (int k = 2; k < op->args.count; k++)
    VEC_PUSH(in->arena, values, op->args.data[k]);
  for (int64_t i = low; i < high && !in->error; i++) {
    in->passes[op->id]++;
    set_params(in, body, 1, values);
    set_index(in, body->params.data[0], i);
    run_block(in, body);
    for (int k = 0; k < values->count; k++)
      values->data[k] = body->yields.data[k];
  }
}

static void run_while(Interp *in, const Op *op, Values *values) {
  int any = party_first(op->where);
  const IrBlock *test = op->blocks.data[0], *body = op->blocks.data[1];
  for (int k = 0; k < op->args.count; k++)
    VEC_PUSH(in->arena, values, op->args.data[k]);
  while (!in->error) {
    in->passes[op->id]++;
    set_params(in, test, 0, values);
    run_block(in, test);
    if (!value(in, test->yields.data[0], any)[0])
      return;
    set_params(in, body, 0, values);
    run_block(in, body);
    for (int k = 0; k < values->count; k++)
      values->data[k] = body->yields.data[k];
  }
}

static void run_op(Interp *in, const IrBlock *b, const Op *op) {
  Values values = {0};
  if (in->done[op->id])
    return;
  in->done[op->id] = op_info[op->kind].class == OPC_CONTROL;
  switch (op->kind) {
  case OP_IF: run_if(in, op, &values); break;
  case OP_FOR: run_for(in, op, &values); break;
  case OP_WHILE: run_while(in, op, &values); break;
  case OP_RESULT: return;
  default:
    for (int p = 0; p < in->program->party_count; p++)
      if (party_has(op->where, p))
        value(in, op, p);
    return;
  }
  if (!in->error)
    set_results(in, b, op, &values);
}

/* Evaluates everything of a block that is held somewhere. */
static void run_block(Interp *in, const IrBlock *b) {
  for (int i = 0; i < b->ops.count; i++)
    forget(in, b->ops.data[i]);
  for (int i = 0; i < b->ops.count && !in->error; i++)
    run_op(in, b, b->ops.data[i]);
}

Interp *interp_new(Arena *a, const Program *program, const InterpHooks *hooks) {
  Interp *in = ARENA_NEW(a, Interp);
  in->arena = a;
  in->program = program;
  in->hooks = *hooks;
  in->cells = ARENA_ARRAY(a, Cell, program->next_id + 1);
  in->passes = ARENA_ARRAY(a, uint64_t, program->next_id + 1);
  in->done = ARENA_ARRAY(a, bool, program->next_id + 1);
  in->entropy = 12345 + (uint64_t)hooks->seed_shift;
  return in;
}

const char *interp_run(Interp *in) {
  run_block(in, in->program->body);
  for (int i = 0; i <= in->program->next_id; i++)
    for (int p = 0; p < MAX_PARTIES; p++) {
      free(in->cells[i].data[p]);
      in->cells[i].data[p] = NULL;
    }
  return in->error;
}
