/* One operation that is not part of a fused loop: a call of the runtime (abi.def), or a copy. */
#include <assert.h>

#include "../runtime/gate/spline_layout.h"
#include "emit_llvm.h"

static LLVMValueRef arg(Emitter *e, const Op *op, int k) {
  return emit_address(e, op->args.data[k]);
}

static LLVMValueRef count_of(Emitter *e, const Op *op) {
  return emit_i64(e, shape_count(&op->type.shape));
}

static LLVMValueRef real_argument(Emitter *e, const Op *op, int k) {
  LLVMValueRef v = emit_load(e, op->args.data[k]);
  return op->args.data[k]->type.elem == EL_FIXED ? v : LLVMBuildSIToFP(e->builder, v, e->f64, "");
}

/* ---- moves ----------------------------------------------------------------------------------- */

/* Elements of a box, from strided memory to strided memory. */
typedef struct Box {
  int rank;
  int64_t dims[MAX_RANK], to[MAX_RANK], from[MAX_RANK];
} Box;

/* Without axes of one index; neighbouring axes that lie densely on both sides become one. */
static Box simplified(const Box *b) {
  Box s = {0};
  for (int i = 0; i < b->rank; i++) {
    if (b->dims[i] == 1)
      continue;
    int last = s.rank - 1;
    if (last >= 0 && s.to[last] == b->to[i] * b->dims[i] && s.from[last] == b->from[i] * b->dims[i]) {
      s.dims[last] *= b->dims[i];
      s.to[last] = b->to[i];
      s.from[last] = b->from[i];
      continue;
    }
    s.dims[s.rank] = b->dims[i];
    s.to[s.rank] = b->to[i];
    s.from[s.rank++] = b->from[i];
  }
  return s;
}

static void copy_box(Emitter *e, LLVMValueRef to, LLVMValueRef from, const Box *box) {
  Box b = simplified(box);
  if (b.rank == 0)
    emit_copy_words(e, to, from, 1);
  else if (b.rank == 1 && b.to[0] == 1 && b.from[0] == 1)
    emit_copy_words(e, to, from, b.dims[0]);
  else
    EMIT_CALL(e, tfe_copy, to, from, emit_i64_array(e, b.dims, b.rank), emit_i64_array(e, b.to, b.rank),
              emit_i64_array(e, b.from, b.rank), emit_i64(e, b.rank));
}

static Box box_of(const Shape *s) {
  Box b = {.rank = s->rank};
  memcpy(b.dims, s->dim, sizeof b.dims);
  return b;
}

static void emit_transpose(Emitter *e, const Op *op) {
  int64_t strides[MAX_RANK];
  Box b = box_of(&op->type.shape);
  plan_strides(&op->type.shape, b.to);
  plan_strides(&op->args.data[0]->type.shape, strides);
  for (int i = 0; i < b.rank; i++)
    b.from[i] = strides[op->ints.data[i]];
  copy_box(e, emit_address(e, op), arg(e, op, 0), &b);
}

static void emit_broadcast(Emitter *e, const Op *op) {
  const Shape *in = &op->args.data[0]->type.shape;
  int64_t strides[MAX_RANK];
  Box b = box_of(&op->type.shape);
  plan_strides(&op->type.shape, b.to);
  plan_strides(in, strides);
  for (int i = 0; i < in->rank; i++) {
    int at = b.rank - in->rank + i;
    b.from[at] = in->dim[i] == 1 ? 0 : strides[i];
  }
  copy_box(e, emit_address(e, op), arg(e, op, 0), &b);
}

/* Where a box of shape `box` in `whole` starts, in words; checks the starts that are known at run time
 * only. */
static LLVMValueRef box_start(Emitter *e, const Op *op, const Shape *whole, const Shape *box, int next) {
  int64_t strides[MAX_RANK];
  plan_strides(whole, strides);
  LLVMValueRef words = emit_i64(e, 0);
  for (int i = 0; i < whole->rank; i++) {
    LLVMValueRef start = emit_i64(e, op->ints.data[i]);
    if (op->ints.data[i] == INT64_MIN) {
      start = emit_load(e, op->args.data[next++]);
      EMIT_CALL(e, tfe_check_index, e->ctx, start, emit_i64(e, box->dim[i]), emit_i64(e, whole->dim[i]),
                emit_site(e, op));
    }
    words = LLVMBuildAdd(e->builder, words, LLVMBuildMul(e->builder, start, emit_i64(e, strides[i]), ""), "");
  }
  return words;
}

static void emit_slice(Emitter *e, const Op *op) {
  const Shape *whole = &op->args.data[0]->type.shape;
  const PlanValue *v = plan_of(op);
  if (v->loc == PLAN_ALIAS)
    return;
  LLVMValueRef from = emit_offset(e, arg(e, op, 0), box_start(e, op, whole, &op->type.shape, 1));
  if (v->loc == PLAN_VIEW) {
    LLVMBuildStore(e->builder, from, e->pointers[v->slot]);
    return;
  }
  Box b = box_of(&op->type.shape);
  plan_strides(&op->type.shape, b.to);
  plan_strides(whole, b.from);
  copy_box(e, emit_address(e, op), from, &b);
}

static void emit_update(Emitter *e, const Op *op) {
  const Op *v = op->args.data[1];
  LLVMValueRef start = box_start(e, op, &op->type.shape, &v->type.shape, 2), out = emit_address(e, op);
  if (!plan_of(op)->in_place)
    emit_copy_words(e, out, arg(e, op, 0), shape_count(&op->type.shape));
  Box b = box_of(&v->type.shape);
  plan_strides(&op->type.shape, b.to);
  plan_strides(&v->type.shape, b.from);
  copy_box(e, emit_offset(e, out, start), arg(e, op, 1), &b);
}

static void emit_concat(Emitter *e, const Op *op) {
  int64_t axis = op->ints.data[0], at = 0, strides[MAX_RANK];
  plan_strides(&op->type.shape, strides);
  for (int i = 0; i < op->args.count; i++) {
    const Shape *s = &op->args.data[i]->type.shape;
    Box b = box_of(s);
    memcpy(b.to, strides, sizeof strides);
    plan_strides(s, b.from);
    copy_box(e, emit_offset(e, emit_address(e, op), emit_i64(e, at * strides[axis])), arg(e, op, i), &b);
    at += s->dim[axis];
  }
}

static void emit_gather(Emitter *e, const Op *op) {
  const Shape *s = &op->args.data[0]->type.shape;
  int64_t row = 1;
  for (int i = 1; i < s->rank; i++)
    row *= s->dim[i];
  EMIT_CALL(e, tfe_gather, e->ctx, emit_address(e, op), arg(e, op, 0), arg(e, op, 1),
            count_of(e, op->args.data[1]), emit_i64(e, s->dim[0]), emit_i64(e, row), emit_site(e, op));
}

/* ---- reductions and products ----------------------------------------------------------------- */

/* x[outer, n, inner] -> [outer, inner] */
static void emit_reduce(Emitter *e, const Op *op) {
  const IrType *t = &op->args.data[0]->type;
  int64_t axis = op->ints.data[0], size[3] = {1, 1, 1};
  for (int i = 0; i < t->shape.rank; i++)
    size[axis < 0 || i == axis ? 1 : i < axis ? 0 : 2] *= t->shape.dim[i];
  LLVMValueRef a[] = {emit_address(e, op),  arg(e, op, 0),        emit_i64(e, size[0]),
                      emit_i64(e, size[1]), emit_i64(e, size[2]), emit_i64(e, t->bits)};
  bool real = t->elem == EL_FIXED;
  switch (op->kind) {
  case OP_SUM:
    if (t->elem == EL_RING)
      emit_call(e, ABI_tfe_sum_ring, a, 6);
    else
      emit_call(e, real ? ABI_tfe_sum_fixed : ABI_tfe_sum_int, a, 5);
    return;
  case OP_RMAX: emit_call(e, real ? ABI_tfe_max_fixed : ABI_tfe_max_int, a, 5); return;
  case OP_RMIN: emit_call(e, real ? ABI_tfe_min_fixed : ABI_tfe_min_int, a, 5); return;
  case OP_ARGMAX: emit_call(e, real ? ABI_tfe_argmax_fixed : ABI_tfe_argmax_int, a, 5); return;
  case OP_ARGMIN: emit_call(e, real ? ABI_tfe_argmin_fixed : ABI_tfe_argmin_int, a, 5); return;
  case OP_ANY: emit_call(e, ABI_tfe_any, a, 5); return;
  case OP_ALL: emit_call(e, ABI_tfe_all, a, 5); return;
  default: assert(false && "not a reduction");
  }
}

static LLVMValueRef packed_address(Emitter *e, const PlanPack *pack) {
  return emit_offset(e, e->data, emit_i64(e, pack->offset));
}

void emit_pack(Emitter *e, const PlanPack *pack) {
  const int64_t *d = pack->of->type.shape.dim;
  EMIT_CALL(e, tfe_matmul_pack, packed_address(e, pack), emit_address(e, pack->of), emit_i64(e, d[0]),
            emit_i64(e, d[1]), emit_i64(e, pack->bits));
}

static LLVMValueRef product_mode(Emitter *e, const Op *op) {
  if (plan_of(op)->mode != PRODUCT_NEGATIVE)
    return emit_i64(e, plan_of(op)->mode);
  LLVMBuildMemSet(e->builder, emit_address(e, op), LLVMConstInt(e->i8, 0, 0),
                  emit_i64(e, 8 * shape_count(&op->type.shape)), 8);
  return emit_i64(e, PRODUCT_SUB);
}

static void emit_matmul(Emitter *e, const Op *op) {
  const int64_t *x = op->args.data[0]->type.shape.dim, *y = op->args.data[1]->type.shape.dim;
  const PlanPack *pack = plan_of(op)->pack;
  LLVMValueRef a[] = {
      emit_address(e, op),        arg(e, op, 0),      pack ? packed_address(e, pack) : arg(e, op, 1),
      emit_i64(e, x[0]),          emit_i64(e, x[1]),  emit_i64(e, y[1]),
      emit_i64(e, op->type.bits), product_mode(e, op)};
  if (op->type.elem == EL_RING)
    emit_call(e, pack ? ABI_tfe_matmul_packed : ABI_tfe_matmul_ring, a, 8);
  else
    emit_call(e, op->type.elem == EL_FIXED ? ABI_tfe_matmul_fixed : ABI_tfe_matmul_int, a, 6);
}

static void emit_conv2d(Emitter *e, const Op *op) {
  static const AbiFunction of[3][3] = {
      {ABI_tfe_conv2d_ring, ABI_tfe_conv2d_fixed, ABI_tfe_conv2d_int},
      {ABI_tfe_conv2d_input_ring, ABI_tfe_conv2d_input_fixed, ABI_tfe_conv2d_input_int},
      {ABI_tfe_conv2d_kernel_ring, ABI_tfe_conv2d_kernel_fixed, ABI_tfe_conv2d_kernel_int}};
  int what = op->kind == OP_CONV2D_INPUT ? 1 : op->kind == OP_CONV2D_KERNEL ? 2 : 0;
  bool ring = op->type.elem == EL_RING;
  int64_t sizes[CONV_SIZES];
  ir_conv_sizes(op, sizes);
  LLVMValueRef a[] = {
      emit_address(e, op),        arg(e, op, 0),      arg(e, op, 1), emit_i64_array(e, sizes, CONV_SIZES),
      emit_i64(e, op->type.bits), product_mode(e, op)};
  emit_call(e, of[what][ring ? 0 : op->type.elem == EL_FIXED ? 1 : 2], a, ring ? 6 : 4);
}

/* ---- rings ----------------------------------------------------------------------------------- */

static void emit_encode(Emitter *e, const Op *op) {
  const Op *x = op->args.data[0];
  LLVMValueRef a[] = {e->ctx,
                      emit_address(e, op),
                      emit_address(e, x),
                      count_of(e, x),
                      emit_i64(e, op->type.bits),
                      emit_i64(e, op->type.scale),
                      emit_i64(e, op->ints.data[0]),
                      emit_site(e, op)};
  emit_call(e, x->type.elem == EL_FIXED ? ABI_tfe_encode_fixed : ABI_tfe_encode_int, a, 8);
}

static void emit_bounded(Emitter *e, const Op *op) {
  const IrType *t = &op->args.data[0]->type;
  LLVMValueRef a[] = {e->ctx,
                      arg(e, op, 0),
                      emit_i64_array(e, t->shape.dim, t->shape.rank),
                      emit_i64(e, t->shape.rank),
                      emit_i64(e, op->ints.data[0]),
                      emit_site(e, op)};
  if (t->elem != EL_BOOL)
    emit_call(e, t->elem == EL_FIXED ? ABI_tfe_bounded : ABI_tfe_bounded_int, a, 6);
}

/* The party that the draw's key is shared with; the running party itself for a key of its own. */
static LLVMValueRef key_peer(Emitter *e, const Op *op) {
  int64_t a = op->ints.data[0], b = op->ints.data[1], first = e->self->first, behind = first + e->self->count;
  bool own_a = a >= first && a < behind, own_b = b >= first && b < behind;
  assert(own_a || own_b);
  if (!own_a || !own_b)
    return emit_i64(e, own_a ? b : a);
  LLVMValueRef is_a = LLVMBuildICmp(e->builder, LLVMIntEQ, e->member, emit_i64(e, a - first), "");
  return LLVMBuildSelect(e->builder, is_a, emit_i64(e, b), emit_i64(e, a), "");
}

void emit_random(Emitter *e, const Op *op, LLVMValueRef out, LLVMValueRef count) {
  EMIT_CALL(e, tfe_prg_ring, e->ctx, out, emit_i64(e, 0), count, emit_i64(e, op->type.bits), key_peer(e, op),
            emit_i64(e, op->id), emit_instance(e));
}

void emit_open_random(Emitter *e, const Op *op, LLVMValueRef draw, LLVMValueRef fetch) {
  EMIT_CALL(e, tfe_prg_open, e->ctx, draw, emit_i64(e, op->type.bits), key_peer(e, op), emit_i64(e, op->id),
            emit_instance(e), fetch);
}

/* How many keys, and at how many points each is evaluated: a last axis more than the keys have. */
static void emit_dpf(Emitter *e, const Op *op) {
  const Op *x = op->args.data[0], *root = op->args.data[1];
  int64_t keys = shape_count(&root->type.shape) / 2;
  LLVMValueRef a[] = {e->ctx,
                      emit_address(e, op),
                      arg(e, op, 0),
                      arg(e, op, 1),
                      arg(e, op, 2),
                      emit_i64(e, keys),
                      emit_i64(e, keys ? shape_count(&x->type.shape) / keys : 1),
                      emit_i64(e, x->type.bits),
                      emit_i64(e, op->kind == OP_DPF_KEY ? 0 : op->ints.data[0])};
  if (op->kind == OP_DPF_KEY) {
    a[6] = a[7];
    emit_call(e, ABI_tfe_dpf_key, a, 7);
    return;
  }
  emit_call(e, op->kind == OP_DPF_EVAL ? ABI_tfe_dpf_eval : ABI_tfe_dpf_point, a, 9);
}

static void emit_spline(Emitter *e, const Op *op) {
  LLVMValueRef n = count_of(e, op->args.data[0]);
  LLVMValueRef layout = emit_i64_array(e, op->ints.data, TFE_SPLINE_FIELDS);
  if (op->kind == OP_SPLINE_KEY)
    EMIT_CALL(e, tfe_spline_key, e->ctx, emit_address(e, op), arg(e, op, 0), arg(e, op, 1), arg(e, op, 2), n,
              layout);
  else
    EMIT_CALL(e, tfe_spline_eval, e->ctx, emit_address(e, op), arg(e, op, 0), arg(e, op, 1), arg(e, op, 2),
              arg(e, op, 3), n, layout, emit_i64(e, op->ints.data[TFE_SPLINE_FIELDS]));
}

/* ---- people and files ------------------------------------------------------------------------ */

/* The pieces of a line; operands from `next` on. */
static void emit_line(Emitter *e, const Op *op, int next) {
  for (int i = 0; i < op->texts.count; i++) {
    if (op->texts.data[i]) {
      EMIT_CALL(e, tfe_print_text, e->ctx, emit_text(e, op->texts.data[i]));
      continue;
    }
    const Op *x = op->args.data[next++];
    const Shape *s = &x->type.shape;
    EMIT_CALL(e, tfe_print_tensor, e->ctx, emit_address(e, x), emit_i64(e, x->type.elem),
              emit_i64(e, s->rank), emit_i64_array(e, s->dim, s->rank));
  }
}

static void emit_print_op(Emitter *e, const Op *op) {
  emit_line(e, op, 0);
  EMIT_CALL(e, tfe_print_end, e->ctx, emit_i64(e, op->ints.count ? op->ints.data[0] : 0));
}

static void emit_assert_op(Emitter *e, const Op *op) {
  LLVMValueRef text = emit_text(e, op->texts.count && op->texts.data[0] ? op->texts.data[0] : "");
  EMIT_CALL(e, tfe_assert, e->ctx, emit_load(e, op->args.data[0]), text, emit_site(e, op));
}

static void emit_entropy(Emitter *e, const Op *op) {
  if (op->at.kind == PLACE_PUBLIC)
    EMIT_CALL(e, tfe_entropy_public, e->ctx, emit_address(e, op));
  else
    EMIT_CALL(e, tfe_entropy_local, e->ctx, emit_address(e, op));
}

/* ---- all operations ---------------------------------------------------------------------------- */

static void emit_draw(Emitter *e, const Op *op) {
  LLVMValueRef n = count_of(e, op), state = emit_load(e, op->args.data[0]), out = emit_address(e, op);
  switch (op->kind) {
  case OP_RANDN: EMIT_CALL(e, tfe_random_normal, out, n, state); return;
  case OP_RANDU:
    EMIT_CALL(e, tfe_random_uniform, out, n, state, real_argument(e, op, 1), real_argument(e, op, 2));
    return;
  case OP_PERMUTE: EMIT_CALL(e, tfe_permutation, out, n, state); return;
  case OP_RNG_SEED: emit_store(e, op, EMIT_CALL(e, tfe_rng_seed, state)); return;
  default: emit_store(e, op, EMIT_CALL(e, tfe_rng_next, state)); return;
  }
}

static void emit_elementwise(Emitter *e, Op *op) {
  if (op->kind == OP_BOUNDED)
    emit_bounded(e, op);
  else if (op->kind == OP_ENCODE && op->args.data[0]->type.elem != EL_BOOL)
    emit_encode(e, op);
  else
    emit_scalar(e, op);
}

void emit_op(Emitter *e, Op *op) {
  if (plan_of(op)->loc == PLAN_PIECES || plan_of(op)->is_sum)
    return;
  if (op_info[op->kind].class == OPC_EW) {
    emit_elementwise(e, op);
    return;
  }
  switch (op->kind) {
  case OP_RESULT:
  case OP_MEMBER:
  case OP_CONST:
  case OP_SEND: return; /* nothing to do: views */
  case OP_ME: emit_store(e, op, e->member); return;
  case OP_ENTROPY: emit_entropy(e, op); return;
  case OP_RNG_SEED:
  case OP_RNG_NEXT:
  case OP_RANDN:
  case OP_RANDU:
  case OP_PERMUTE: emit_draw(e, op); return;
  case OP_RESHAPE:
    if (plan_of(op)->loc != PLAN_ALIAS)
      emit_copy_words(e, emit_address(e, op), arg(e, op, 0), 1);
    return;
  case OP_TRANSPOSE: emit_transpose(e, op); return;
  case OP_BROADCAST: emit_broadcast(e, op); return;
  case OP_SLICE: emit_slice(e, op); return;
  case OP_UPDATE: emit_update(e, op); return;
  case OP_CONCAT: emit_concat(e, op); return;
  case OP_GATHER: emit_gather(e, op); return;
  case OP_SUM:
  case OP_RMAX:
  case OP_RMIN:
  case OP_ARGMAX:
  case OP_ARGMIN:
  case OP_ANY:
  case OP_ALL: emit_reduce(e, op); return;
  case OP_MATMUL: emit_matmul(e, op); return;
  case OP_CONV2D:
  case OP_CONV2D_INPUT:
  case OP_CONV2D_KERNEL: emit_conv2d(e, op); return;
  case OP_RANDOM: emit_random(e, op, emit_address(e, op), count_of(e, op)); return;
  case OP_LANES:
    EMIT_CALL(e, tfe_lanes_of, emit_address(e, op), arg(e, op, 0), count_of(e, op->args.data[0]),
              emit_i64(e, op->type.shape.dim[1]));
    return;
  case OP_FROM_LANES:
    EMIT_CALL(e, tfe_from_lanes, emit_address(e, op), arg(e, op, 0),
              emit_i64(e, shape_count(&op->type.shape) / op->ints.data[0]), emit_i64(e, op->ints.data[0]),
              emit_i64(e, op->args.data[0]->type.shape.dim[1]));
    return;
  case OP_DPF_KEY:
  case OP_DPF_EVAL:
  case OP_DPF_POINT: emit_dpf(e, op); return;
  case OP_SPLINE_KEY:
  case OP_SPLINE_EVAL: emit_spline(e, op); return;
  case OP_INPUT:
    EMIT_CALL(e, tfe_input, e->ctx, emit_address(e, op), emit_i64(e, emit_slot_index(e, op)));
    return;
  case OP_MORE: EMIT_CALL(e, tfe_more, e->ctx, emit_address(e, op), emit_text(e, op->text)); return;
  case OP_OUTPUT:
    EMIT_CALL(e, tfe_output, e->ctx, arg(e, op, 0), emit_i64(e, emit_slot_index(e, op)));
    return;
  case OP_STORE: EMIT_CALL(e, tfe_store, e->ctx, arg(e, op, 0), emit_stored_row(e, op)); return;
  case OP_LOAD: EMIT_CALL(e, tfe_load, e->ctx, emit_address(e, op), emit_stored_row(e, op)); return;
  case OP_PRINT: emit_print_op(e, op); return;
  case OP_CHECKPOINT: emit_checkpoint(e, op); return;
  case OP_PROGRESS:
    emit_line(e, op, 2);
    EMIT_CALL(e, tfe_progress, e->ctx, emit_text(e, op->text ? op->text : ""), emit_load(e, op->args.data[0]),
              emit_load(e, op->args.data[1]), emit_i64(e, e->depth));
    return;
  case OP_ASSERT: emit_assert_op(e, op); return;
  case OP_ASSERT_NEAR:
    EMIT_CALL(e, tfe_assert_near, e->ctx, arg(e, op, 0), arg(e, op, 1), arg(e, op, 2),
              count_of(e, op->args.data[0]), emit_site(e, op));
    return;
  default: assert(false && "an operation that does not belong into a party's program");
  }
}
