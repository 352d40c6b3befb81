/* Elementwise operations: on scalars as straight code, on tensors as fused loops. A fused loop is a
 * function of a range of indices, result arrays, operand arrays and scalars; two steps with the same
 * expressions share it. No operation in it is undefined behaviour: integers wrap, a zero divisor is noted
 * and checked behind the loop.
 *
 * Long loops exist once for each level of vectors that the processor may have (vector_levels), and the
 * runtime says at the start which one it is. Operands that are not kept (PLAN_PIECES) are made for a piece of
 * the range at a time, masks while the other operands of that piece are on their way from memory. */
#include <assert.h>

#include "../runtime/include/program.h"
#include "emit_llvm.h"

/* ---- one element ----------------------------------------------------------------------------- */

static LLVMValueRef masked(Emitter *e, const IrType *t, LLVMValueRef v) {
  if (t->elem != EL_RING || t->bits == 64)
    return v;
  return LLVMBuildAnd(e->builder, v, emit_i64(e, (int64_t)((UINT64_C(1) << t->bits) - 1)), "");
}

static LLVMValueRef real_of(Emitter *e, const IrType *t, LLVMValueRef v) {
  return t->elem == EL_FIXED ? v : LLVMBuildSIToFP(e->builder, v, e->f64, "");
}

static LLVMValueRef from_bool(Emitter *e, LLVMValueRef bit) {
  return LLVMBuildZExt(e->builder, bit, e->i64, "");
}

static LLVMValueRef is_true(Emitter *e, LLVMValueRef v) {
  return LLVMBuildICmp(e->builder, LLVMIntNE, v, emit_i64(e, 0), "");
}

/* Saturating, NaN to 0. */
static LLVMValueRef to_int(Emitter *e, LLVMValueRef real) {
  LLVMTypeRef types[] = {e->i64, e->f64};
  unsigned id = LLVMLookupIntrinsicID("llvm.fptosi.sat", strlen("llvm.fptosi.sat"));
  LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->into->module, id, types, 2);
  return LLVMBuildCall2(e->builder, LLVMIntrinsicGetType(e->context, id, types, 2), f, &real, 1, "");
}

/* Elements are bits, or words of bits: + is XOR, * is AND. */
static bool is_bits(const IrType *t) {
  return t->elem == EL_RING && (t->bits == 1 || t->lanes);
}

static LLVMValueRef arithmetic(Emitter *e, const Op *op, LLVMValueRef x, LLVMValueRef y) {
  LLVMBuilderRef b = e->builder;
  if (op->type.elem == EL_FIXED) {
    x = real_of(e, &op->args.data[0]->type, x);
    y = real_of(e, &op->args.data[1]->type, y);
    return op->kind == OP_ADD   ? LLVMBuildFAdd(b, x, y, "")
           : op->kind == OP_SUB ? LLVMBuildFSub(b, x, y, "")
                                : LLVMBuildFMul(b, x, y, "");
  }
  if (is_bits(&op->type))
    return op->kind == OP_MUL ? LLVMBuildAnd(b, x, y, "") : LLVMBuildXor(b, x, y, "");
  return masked(e, &op->type,
                op->kind == OP_ADD   ? LLVMBuildAdd(b, x, y, "")
                : op->kind == OP_SUB ? LLVMBuildSub(b, x, y, "")
                                     : LLVMBuildMul(b, x, y, ""));
}

/* Rounded towards minus infinity; the smallest integer // -1 wraps. */
static LLVMValueRef divide(Emitter *e, const Op *op, LLVMValueRef x, LLVMValueRef y, LLVMValueRef *zero) {
  LLVMBuilderRef b = e->builder;
  if (op->type.elem == EL_FIXED) {
    x = real_of(e, &op->args.data[0]->type, x);
    y = real_of(e, &op->args.data[1]->type, y);
    LLVMValueRef down = EMIT_CALL(e, tfe_floor, LLVMBuildFDiv(b, x, y, ""));
    return op->kind == OP_FLOORDIV ? down : LLVMBuildFSub(b, x, LLVMBuildFMul(b, y, down, ""), "");
  }
  LLVMValueRef none = emit_i64(e, 0), minus_one = emit_i64(e, -1);
  *zero = LLVMBuildICmp(b, LLVMIntEQ, y, none, "");
  LLVMValueRef negates = LLVMBuildICmp(b, LLVMIntEQ, y, minus_one, "");
  LLVMValueRef d = LLVMBuildSelect(b, LLVMBuildOr(b, *zero, negates, ""), emit_i64(e, 1), y, "");
  LLVMValueRef q = LLVMBuildSDiv(b, x, d, ""), r = LLVMBuildSRem(b, x, d, "");
  LLVMValueRef opposite = LLVMBuildICmp(b, LLVMIntSLT, LLVMBuildXor(b, r, d, ""), none, "");
  LLVMValueRef down = LLVMBuildAnd(b, LLVMBuildICmp(b, LLVMIntNE, r, none, ""), opposite, "");
  if (op->kind == OP_MOD)
    return LLVMBuildSelect(b, down, LLVMBuildAdd(b, r, d, ""), r, "");
  q = LLVMBuildSub(b, q, from_bool(e, down), "");
  return LLVMBuildSelect(b, negates, LLVMBuildSub(b, none, x, ""), q, "");
}

/* int_power(x, y): x ** y modulo 2^64 by repeated squaring; for y < 0 the whole part of the quotient 1 / x
 * ** -y. */
static LLVMValueRef int_power_function(Emitter *e) {
  if (e->into->int_power)
    return e->into->int_power;
  LLVMTypeRef type = LLVMFunctionType(e->i64, (LLVMTypeRef[]){e->i64, e->i64}, 2, 0);
  LLVMValueRef f = e->into->int_power = LLVMAddFunction(e->into->module, "int_power", type);
  LLVMSetLinkage(f, LLVMInternalLinkage);
  emit_attribute(e, f, LLVMAttributeFunctionIndex, "nounwind", 0);
  LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(e->context, f, "entry");
  LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(e->context, f, "loop");
  LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(e->context, f, "done");
  LLVMBuilderRef b = LLVMCreateBuilderInContext(e->context);
  LLVMValueRef x = LLVMGetParam(f, 0), y = LLVMGetParam(f, 1), one = emit_i64(e, 1), zero = emit_i64(e, 0);

  LLVMPositionBuilderAtEnd(b, entry);
  LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, y, zero, "");
  LLVMValueRef unit =
      LLVMBuildICmp(b, LLVMIntULE, LLVMBuildAdd(b, x, one, ""), emit_i64(e, 2), ""); /* -1, 0, 1 */
  unit = LLVMBuildAnd(b, unit, LLVMBuildICmp(b, LLVMIntNE, x, zero, ""), "");
  /* 1 / x ** -y is x ** -y for x = 1, -1, else 0 */
  LLVMValueRef base =
      LLVMBuildSelect(b, LLVMBuildAnd(b, negative, LLVMBuildNot(b, unit, ""), ""), zero, x, "");
  LLVMBuildBr(b, loop);

  LLVMPositionBuilderAtEnd(b, loop);
  LLVMValueRef result = LLVMBuildPhi(b, e->i64, ""), square = LLVMBuildPhi(b, e->i64, ""),
               rest = LLVMBuildPhi(b, e->i64, "");
  LLVMValueRef odd = LLVMBuildTrunc(b, rest, e->i1, "");
  LLVMValueRef next_result = LLVMBuildSelect(b, odd, LLVMBuildMul(b, result, square, ""), result, "");
  LLVMValueRef next_square = LLVMBuildMul(b, square, square, "");
  LLVMValueRef next_rest = LLVMBuildLShr(b, rest, one, "");
  LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntEQ, next_rest, zero, ""), done, loop);
  LLVMAddIncoming(result, (LLVMValueRef[]){one, next_result}, (LLVMBasicBlockRef[]){entry, loop}, 2);
  LLVMAddIncoming(square, (LLVMValueRef[]){base, next_square}, (LLVMBasicBlockRef[]){entry, loop}, 2);
  LLVMAddIncoming(rest, (LLVMValueRef[]){y, next_rest}, (LLVMBasicBlockRef[]){entry, loop}, 2);

  LLVMPositionBuilderAtEnd(b, done);
  LLVMBuildRet(b, next_result);
  LLVMDisposeBuilder(b);
  return f;
}

static LLVMValueRef power(Emitter *e, const Op *op, LLVMValueRef x, LLVMValueRef y) {
  if (op->type.elem == EL_FIXED)
    return EMIT_CALL(e, tfe_pow, real_of(e, &op->args.data[0]->type, x),
                     real_of(e, &op->args.data[1]->type, y));
  LLVMValueRef f = int_power_function(e), args[] = {x, y};
  return LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(f), f, args, 2, "");
}

static LLVMValueRef compare(Emitter *e, const Op *op, LLVMValueRef x, LLVMValueRef y) {
  const IrType *tx = &op->args.data[0]->type, *ty = &op->args.data[1]->type;
  if (tx->elem == EL_FIXED || ty->elem == EL_FIXED) {
    LLVMRealPredicate p = op->kind == OP_LT   ? LLVMRealOLT
                          : op->kind == OP_LE ? LLVMRealOLE
                          : op->kind == OP_EQ ? LLVMRealOEQ
                                              : LLVMRealUNE;
    return from_bool(e, LLVMBuildFCmp(e->builder, p, real_of(e, tx, x), real_of(e, ty, y), ""));
  }
  LLVMIntPredicate p = op->kind == OP_LT   ? LLVMIntSLT
                       : op->kind == OP_LE ? LLVMIntSLE
                       : op->kind == OP_EQ ? LLVMIntEQ
                                           : LLVMIntNE;
  return from_bool(e, LLVMBuildICmp(e->builder, p, x, y, ""));
}

/* The smaller or larger of two. */
static LLVMValueRef extreme(Emitter *e, const Op *op, LLVMValueRef x, LLVMValueRef y) {
  bool small = op->kind == OP_MIN2;
  LLVMValueRef first;
  if (op->type.elem == EL_FIXED) {
    x = real_of(e, &op->args.data[0]->type, x);
    y = real_of(e, &op->args.data[1]->type, y);
    first = LLVMBuildFCmp(e->builder, small ? LLVMRealOLE : LLVMRealOGE, x, y, "");
  } else {
    first = LLVMBuildICmp(e->builder, small ? LLVMIntSLE : LLVMIntSGE, x, y, "");
  }
  return LLVMBuildSelect(e->builder, first, x, y, "");
}

static LLVMValueRef magnitude(Emitter *e, const Op *op, LLVMValueRef x) {
  LLVMBuilderRef b = e->builder;
  if (op->type.elem == EL_FIXED) {
    LLVMValueRef bits = LLVMBuildAnd(b, LLVMBuildBitCast(b, x, e->i64, ""), emit_i64(e, INT64_MAX), "");
    return LLVMBuildBitCast(b, bits, e->f64, "");
  }
  LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, x, emit_i64(e, 0), "");
  return LLVMBuildSelect(b, negative, LLVMBuildSub(b, emit_i64(e, 0), x, ""), x, "");
}

static LLVMValueRef sign(Emitter *e, const Op *op, LLVMValueRef x) {
  LLVMBuilderRef b = e->builder;
  if (op->args.data[0]->type.elem == EL_FIXED) {
    LLVMValueRef none = LLVMConstReal(e->f64, 0);
    LLVMValueRef up = from_bool(e, LLVMBuildFCmp(b, LLVMRealOGT, x, none, ""));
    LLVMValueRef down = from_bool(e, LLVMBuildFCmp(b, LLVMRealOLT, x, none, ""));
    LLVMValueRef s = LLVMBuildSub(b, up, down, "");
    return op->type.elem == EL_FIXED ? LLVMBuildSIToFP(b, s, e->f64, "") : s;
  }
  LLVMValueRef up = from_bool(e, LLVMBuildICmp(b, LLVMIntSGT, x, emit_i64(e, 0), ""));
  LLVMValueRef down = from_bool(e, LLVMBuildICmp(b, LLVMIntSLT, x, emit_i64(e, 0), ""));
  return LLVMBuildSub(b, up, down, "");
}

static LLVMValueRef whole(Emitter *e, const Op *op, LLVMValueRef x) {
  if (op->args.data[0]->type.elem != EL_FIXED)
    return x;
  LLVMValueRef v = op->kind == OP_FLOOR ? EMIT_CALL(e, tfe_floor, x) : EMIT_CALL(e, tfe_round, x);
  return op->type.elem == EL_FIXED ? v : to_int(e, v);
}

/* Ring element -> number: bits as a signed integer, / 2^scale. */
static LLVMValueRef decode(Emitter *e, const Op *op, LLVMValueRef x) {
  LLVMBuilderRef b = e->builder;
  const IrType *ring = &op->args.data[0]->type;
  if (op->type.elem == EL_BOOL)
    return LLVMBuildAnd(b, x, emit_i64(e, 1), "");
  if (ring->bits < 64)
    x = LLVMBuildAShr(b, LLVMBuildShl(b, x, emit_i64(e, 64 - ring->bits), ""), emit_i64(e, 64 - ring->bits),
                      "");
  if (op->type.elem == EL_INT)
    return ring->scale ? LLVMBuildAShr(b, x, emit_i64(e, ring->scale), "") : x;
  double unit = 1;
  for (int i = 0; i < ring->scale; i++)
    unit /= 2;
  return LLVMBuildFMul(b, LLVMBuildSIToFP(b, x, e->f64, ""), LLVMConstReal(e->f64, unit), "");
}

static LLVMValueRef shift(Emitter *e, const Op *op, LLVMValueRef x) {
  LLVMBuilderRef b = e->builder;
  int64_t n = op->ints.data[0];
  if (n >= 64)
    return emit_i64(e, 0);
  if (op->kind == OP_SHL)
    return masked(e, &op->type, LLVMBuildShl(b, x, emit_i64(e, n), ""));
  x = LLVMBuildLShr(b, x, emit_i64(e, n), "");
  return op->kind == OP_BIT ? LLVMBuildAnd(b, x, emit_i64(e, 1), "") : x;
}

/* The value of op for operand values a. *zero: set to "the divisor is 0" by integer division. */
static LLVMValueRef element(Emitter *e, const Op *op, const LLVMValueRef *a, LLVMValueRef *zero) {
  LLVMBuilderRef b = e->builder;
  const IrType *t0 = op->args.count ? &op->args.data[0]->type : NULL;
  switch (op->kind) {
  case OP_ADD:
  case OP_SUB:
  case OP_MUL: return arithmetic(e, op, a[0], a[1]);
  case OP_DIV: return LLVMBuildFDiv(b, real_of(e, t0, a[0]), real_of(e, &op->args.data[1]->type, a[1]), "");
  case OP_FLOORDIV:
  case OP_MOD: return divide(e, op, a[0], a[1], zero);
  case OP_POW: return power(e, op, a[0], a[1]);
  case OP_NEG:
    if (op->type.lanes)
      return a[0];
    return op->type.elem == EL_FIXED ? LLVMBuildFNeg(b, a[0], "")
                                     : masked(e, &op->type, LLVMBuildNeg(b, a[0], ""));
  case OP_ABS: return magnitude(e, op, a[0]);
  case OP_SIGN: return sign(e, op, a[0]);
  case OP_MIN2:
  case OP_MAX2: return extreme(e, op, a[0], a[1]);
  case OP_EXP: return EMIT_CALL(e, tfe_exp, real_of(e, t0, a[0]));
  case OP_LOG: return EMIT_CALL(e, tfe_log, real_of(e, t0, a[0]));
  case OP_SQRT: return EMIT_CALL(e, tfe_sqrt, real_of(e, t0, a[0]));
  case OP_TANH: return EMIT_CALL(e, tfe_tanh, real_of(e, t0, a[0]));
  case OP_FLOOR:
  case OP_ROUND: return whole(e, op, a[0]);
  case OP_LT:
  case OP_LE:
  case OP_EQ:
  case OP_NE: return compare(e, op, a[0], a[1]);
  case OP_AND: return LLVMBuildAnd(b, a[0], a[1], "");
  case OP_OR: return LLVMBuildOr(b, a[0], a[1], "");
  case OP_NOT: return LLVMBuildXor(b, a[0], emit_i64(e, 1), "");
  case OP_SELECT: return LLVMBuildSelect(b, is_true(e, a[0]), a[1], a[2], "");
  case OP_TO_FIXED: return real_of(e, t0, a[0]);
  case OP_TO_INT: return t0->elem == EL_FIXED ? to_int(e, a[0]) : a[0];
  case OP_ENCODE:
  case OP_BROADCAST:
  case OP_WIDEN: return a[0]; /* ENCODE: of a bool */
  case OP_DECODE: return decode(e, op, a[0]);
  case OP_SHL:
  case OP_SHR:
  case OP_BIT: return shift(e, op, a[0]);
  case OP_NARROW: return masked(e, &op->type, a[0]);
  default: assert(false && "not elementwise"); return NULL;
  }
}

static void check_divisor(Emitter *e, const Op *op, LLVMValueRef zero) {
  EMIT_CALL(e, tfe_check_divisor, e->ctx, from_bool(e, LLVMBuildNot(e->builder, zero, "")), emit_site(e, op));
}

void emit_scalar(Emitter *e, Op *op) {
  LLVMValueRef a[4] = {0}, zero = NULL;
  for (int i = 0; i < op->args.count; i++)
    a[i] = emit_load(e, op->args.data[i]);
  LLVMValueRef v = element(e, op, a, &zero);
  if (zero)
    check_divisor(e, op, zero);
  emit_store(e, op, v);
}

/* ---- fused loops ----------------------------------------------------------------------------- */

enum {
  MAX_ARGUMENTS = 64,
  LONG_LOOP = 2048,   /* elements from which vectors pay: they take milliseconds to compile */
  FAR_LOOP = 1 << 11, /* elements that do not stay in the first-level cache */
};

/* What the loops of a module are compiled for, as tfe_vector_level numbers it. The first one runs
 * everywhere; it is kept small. */
static const struct {
  const char *cpu, *width;
} vector_levels[EMIT_VECTOR_LEVELS] = {{NULL, NULL}, {"x86-64-v3", "256"}, {"x86-64-v4", "512"}};

typedef struct Loop {
  const Step *step;
  Op *arrays[MAX_ARGUMENTS], *scalars[MAX_ARGUMENTS], *outputs[MAX_ARGUMENTS];
  int array_count, scalar_count, output_count, piece_count, draw_count;
  int64_t length;
  bool vectors; /* is long, and calls nothing */
  bool
      multiplies; /* words of 64 bits: of those AVX2 has no product. Other loops are as fast with it as with AVX-512 */
  Op *divides; /* the member that may divide by zero, or NULL */
  char *key;
} Loop;

static int member_index(const Loop *l, const Op *op) {
  for (int i = 0; i < l->step->ops.count; i++)
    if (l->step->ops.data[i] == op)
      return i;
  return -1;
}

static int index_in(Op *const *list, int count, const Op *op) {
  for (int i = 0; i < count; i++)
    if (list[i] == op)
      return i;
  return -1;
}

/* An operand that is one number: a scalar, or a constant of equal elements. */
static bool is_number(const Op *op) {
  uint64_t bits;
  return op->type.shape.rank == 0 || (plan_of(op)->loc == PLAN_CONST && ir_is_splat(op, &bits));
}

static bool is_in_pieces(const Op *op) {
  return plan_of(op)->loc == PLAN_PIECES;
}

static bool is_draw(const Op *op) {
  return is_in_pieces(op) && op->kind == OP_RANDOM;
}

static void add_operand(Loop *l, Op *op) {
  if (member_index(l, op) >= 0)
    return;
  Op **list = is_number(op) ? l->scalars : l->arrays;
  int *count = is_number(op) ? &l->scalar_count : &l->array_count;
  if (index_in(list, *count, op) < 0) {
    assert(*count < MAX_ARGUMENTS);
    list[(*count)++] = op;
    l->piece_count += is_in_pieces(op);
    l->draw_count += is_draw(op);
  }
}

/* The result whose memory array operand k is, or -1. */
static int result_in_place(const Loop *l, int k) {
  const PlanValue *x = plan_whole(l->arrays[k]);
  for (int i = 0; i < l->output_count && x; i++)
    if (plan_of(l->outputs[i])->offset == x->offset && l->length > 0)
      return i;
  return -1;
}

/* m: a member's result; s: scalar; o: array in the place of result *index; a: array. */
static char operand_kind(const Loop *l, const Op *op, int *index) {
  if ((*index = member_index(l, op)) >= 0)
    return 'm';
  if ((*index = index_in(l->scalars, l->scalar_count, op)) >= 0)
    return 's';
  *index = index_in(l->arrays, l->array_count, op);
  int result = result_in_place(l, *index);
  *index = result >= 0 ? result : *index;
  return result >= 0 ? 'o' : 'a';
}

static char *type_key(Emitter *e, const IrType *t) {
  return arena_printf(e->arena, "%d.%d.%d.%d", (int)t->elem, t->bits, t->scale, t->lanes);
}

static char *member_key(Emitter *e, const Loop *l, const Op *op) {
  char *row = arena_printf(e->arena, "\n%s%s %s", index_in(l->outputs, l->output_count, op) >= 0 ? "> " : "",
                           op_info[op->kind].id, type_key(e, &op->type));
  if (op->kind == OP_SHL || op->kind == OP_SHR || op->kind == OP_BIT)
    row = arena_printf(e->arena, "%s by %d", row, (int)op->ints.data[0]);
  if (op->kind == OP_CONST)
    return arena_printf(e->arena, "%s, s%d", row, index_in(l->scalars, l->scalar_count, op));
  for (int k = 0; k < op->args.count; k++) {
    int index;
    char kind = operand_kind(l, op->args.data[k], &index);
    row = arena_printf(e->arena, "%s, %c%d %s", row, kind, index, type_key(e, &op->args.data[k]->type));
  }
  return row;
}

/* What the loop computes, as text: loops with equal keys are one function. */
static char *loop_key(Emitter *e, const Loop *l) {
  char *key = arena_printf(e->arena, "a%d s%d", l->array_count, l->scalar_count);
  for (int i = 0; i < l->step->ops.count; i++)
    key = arena_printf(e->arena, "%s%s", key, member_key(e, l, l->step->ops.data[i]));
  return key;
}

static bool calls_runtime(const Op *op) {
  bool real = op->args.count > 0 && op->args.data[0]->type.elem == EL_FIXED;
  return op->kind == OP_EXP || op->kind == OP_LOG || op->kind == OP_TANH || op->kind == OP_POW ||
         op->kind == OP_SQRT ||
         (real &&
          (op->kind == OP_FLOOR || op->kind == OP_ROUND || op->kind == OP_FLOORDIV || op->kind == OP_MOD));
}

static bool multiplies_words(const Op *op) {
  return op->kind == OP_MUL && op->type.elem != EL_FIXED && !is_bits(&op->type);
}

static Loop describe(Emitter *e, const Step *step) {
  Loop l = {.step = step, .length = shape_count(&step->ops.data[0]->type.shape)};
  l.vectors = l.length >= LONG_LOOP;
  for (int i = 0; i < step->ops.count; i++) {
    Op *op = step->ops.data[i];
    for (int k = 0; k < op->args.count; k++)
      add_operand(&l, op->args.data[k]);
    if (op->kind == OP_CONST)
      l.scalars[l.scalar_count++] = op;
    if (plan_of(op)->outside)
      l.outputs[l.output_count++] = op;
    if ((op->kind == OP_FLOORDIV || op->kind == OP_MOD) && op->type.elem != EL_FIXED)
      l.divides = op;
    l.vectors = l.vectors && !calls_runtime(op);
    l.multiplies = l.multiplies || multiplies_words(op);
  }
  l.key = loop_key(e, &l);
  return l;
}

/* Parameters: first index, index behind the last, results, arrays, scalars. */
enum { FIRST_ARRAY = 2 };

static LLVMTypeRef loop_type(Emitter *e, const Loop *l) {
  LLVMTypeRef types[3 * MAX_ARGUMENTS + FIRST_ARRAY];
  unsigned n = 0;
  types[n++] = e->i64;
  types[n++] = e->i64;
  for (int i = 0; i < l->output_count + l->array_count; i++)
    types[n++] = e->ptr;
  for (int i = 0; i < l->scalar_count; i++)
    types[n++] = emit_elem_type(e, &l->scalars[i]->type);
  return LLVMFunctionType(l->divides ? e->i1 : LLVMVoidTypeInContext(e->context), types, n, 0);
}

/* Not "in bounds": the array of a piece begins where the whole one would. */
static LLVMValueRef at_index(Emitter *e, LLVMTypeRef type, LLVMValueRef array, LLVMValueRef i) {
  return LLVMBuildGEP2(e->builder, type, array, &i, 1, "");
}

static LLVMValueRef scalar_parameter(const Loop *l, LLVMValueRef f, int index) {
  return LLVMGetParam(f, (unsigned)(FIRST_ARRAY + l->output_count + l->array_count + index));
}

static LLVMValueRef operand_value(const Loop *l, LLVMValueRef f, const LLVMValueRef *members,
                                  const LLVMValueRef *loaded, const Op *op) {
  int index;
  switch (operand_kind(l, op, &index)) {
  case 'm': return members[index];
  case 's': return scalar_parameter(l, f, index);
  default: return loaded[index_in(l->arrays, l->array_count, op)];
  }
}

static LLVMValueRef load_array(Emitter *e, const Loop *l, LLVMValueRef f, LLVMValueRef i, int k) {
  LLVMTypeRef type = emit_elem_type(e, &l->arrays[k]->type);
  int result = result_in_place(l, k), at = result >= 0 ? result : l->output_count + k;
  LLVMValueRef array = LLVMGetParam(f, (unsigned)(FIRST_ARRAY + at));
  return LLVMBuildLoad2(e->builder, type, at_index(e, type, array, i), "");
}

/* The body for element i; returns "some divisor is 0" or NULL. */
static LLVMValueRef loop_body(Emitter *e, const Loop *l, LLVMValueRef f, LLVMValueRef i) {
  LLVMValueRef members[MAX_ARGUMENTS], loaded[MAX_ARGUMENTS], zero = NULL;
  for (int k = 0; k < l->array_count; k++)
    loaded[k] = load_array(e, l, f, i, k);
  for (int m = 0; m < l->step->ops.count; m++) {
    const Op *op = l->step->ops.data[m];
    LLVMValueRef a[4] = {0};
    for (int k = 0; k < op->args.count; k++)
      a[k] = operand_value(l, f, members, loaded, op->args.data[k]);
    if (op->kind == OP_CONST)
      members[m] = scalar_parameter(l, f, index_in(l->scalars, l->scalar_count, op));
    else if (op->kind == OP_IOTA)
      members[m] = op->type.elem == EL_FIXED ? LLVMBuildSIToFP(e->builder, i, e->f64, "") : i;
    else
      members[m] = element(e, op, a, &zero);
  }
  for (int k = 0; k < l->output_count; k++)
    LLVMBuildStore(e->builder, members[member_index(l, l->outputs[k])],
                   at_index(e, emit_elem_type(e, &l->outputs[k]->type),
                            LLVMGetParam(f, (unsigned)(FIRST_ARRAY + k)), i));
  return zero;
}

static void finish_loop(Emitter *e, const Loop *l, LLVMValueRef zero) {
  if (l->divides)
    LLVMBuildRet(e->builder, zero);
  else
    LLVMBuildRetVoid(e->builder);
}

/* for (i = from; i < to; i++) body; with the check for from < to in front. */
static void build_loop(Emitter *e, const Loop *l, LLVMValueRef f) {
  LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(e->context, f, "entry");
  LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(e->context, f, "loop");
  LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(e->context, f, "done");
  LLVMValueRef from = LLVMGetParam(f, 0), to = LLVMGetParam(f, 1), never = LLVMConstInt(e->i1, 0, 0);
  LLVMPositionBuilderAtEnd(e->builder, entry);
  LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, from, to, ""), loop, done);

  LLVMPositionBuilderAtEnd(e->builder, loop);
  LLVMValueRef i = LLVMBuildPhi(e->builder, e->i64, "i");
  LLVMValueRef seen = l->divides ? LLVMBuildPhi(e->builder, e->i1, "zero") : NULL;
  LLVMValueRef zero = loop_body(e, l, f, i);
  LLVMValueRef now = l->divides ? LLVMBuildOr(e->builder, seen, zero, "") : NULL;
  LLVMValueRef next = LLVMBuildNUWAdd(e->builder, i, emit_i64(e, 1), "");
  LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntEQ, next, to, ""), done, loop);
  LLVMAddIncoming(i, (LLVMValueRef[]){from, next}, (LLVMBasicBlockRef[]){entry, loop}, 2);
  if (seen)
    LLVMAddIncoming(seen, (LLVMValueRef[]){never, now}, (LLVMBasicBlockRef[]){entry, loop}, 2);

  LLVMPositionBuilderAtEnd(e->builder, done);
  LLVMValueRef any = NULL;
  if (l->divides) {
    any = LLVMBuildPhi(e->builder, e->i1, "");
    LLVMAddIncoming(any, (LLVMValueRef[]){never, now}, (LLVMBasicBlockRef[]){entry, loop}, 2);
  }
  finish_loop(e, l, any);
}

/* ---- functions ------------------------------------------------------------------------------- */

static void text_attribute(Emitter *e, LLVMValueRef f, const char *name, const char *value) {
  LLVMAddAttributeAtIndex(
      f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
      LLVMCreateStringAttribute(e->context, name, (unsigned)strlen(name), value, (unsigned)strlen(value)));
}

static int loop_levels(const Emitter *e, const Loop *l) {
  return l->vectors ? e->unit->levels : 1;
}

static const char *loop_name(const Emitter *e, int number, int level) {
  return arena_printf(e->unit->arena, level ? "loop%d.%s" : "loop%d", number, vector_levels[level].cpu);
}

/* Version `level` has code of its own; else it is that of the level below. */
static bool has_version(const Loop *l, int level) {
  return level < 2 || l->multiplies;
}

static void add_function(Emitter *e, const Loop *l, int number, int level) {
  const char *name = loop_name(e, number, level);
  LLVMValueRef f = LLVMAddFunction(e->into->module, name, loop_type(e, l));
  LLVMSetVisibility(f, LLVMHiddenVisibility);
  LLVMSetSection(
      f, arena_printf(e->unit->arena, ".text.%s", name)); /* executables get the loops that they use */
  emit_attribute(e, f, LLVMAttributeFunctionIndex, "nounwind", 0);
  emit_attribute(e, f, LLVMAttributeFunctionIndex, "noinline", 0);
  if (level) {
    text_attribute(e, f, "target-cpu", vector_levels[level].cpu);
    text_attribute(e, f, "prefer-vector-width", vector_levels[level].width);
  } else if (e->unit->levels > 1) {
    emit_attribute(e, f, LLVMAttributeFunctionIndex, "optsize", 0);
    emit_attribute(e, f, LLVMAttributeFunctionIndex, "noimplicitfloat", 0); /* no vectors */
  }
  for (int i = 0; i < l->output_count + l->array_count; i++) {
    emit_attribute(e, f, 1 + FIRST_ARRAY + i, "noalias", 0);
    if (i >= l->output_count)
      emit_attribute(e, f, 1 + FIRST_ARRAY + i, "readonly", 0);
  }
  build_loop(e, l, f);
}

/* Modules fill up one after the other at first: a few loops are not worth several. */
enum { LEAST_LOOPS = 16 };

static int part_of(const EmitUnit *u, int number) {
  return number < LEAST_LOOPS ? 0 : number % u->parts;
}

/* Compiles the loop for as many levels as its length is worth. */
static void add_levels(Emitter *e, const Loop *l, int number) {
  EmitUnit *u = e->unit;
  Kernel *k = &u->kernels.data[number];
  if (k->levels >= loop_levels(e, l))
    return;
  LLVMBuilderRef outer = e->builder;
  e->builder = LLVMCreateBuilderInContext(e->context);
  e->into = &u->loops[part_of(u, number)];
  for (; k->levels < loop_levels(e, l); k->levels++)
    if (has_version(l, k->levels))
      add_function(e, l, number, k->levels);
  e->into = &e->main;
  LLVMDisposeBuilder(e->builder);
  e->builder = outer;
}

static int kernel_number(Emitter *e, const Loop *l) {
  EmitUnit *u = e->unit;
  int number = 0;
  const char *key = arena_intern(u->arena, l->key, strlen(l->key));
  while (number < u->kernels.count && u->kernels.data[number].key != key)
    number++;
  if (number == u->kernels.count)
    VEC_PUSH(u->arena, &u->kernels, ((Kernel){.key = key}));
  add_levels(e, l, number);
  return number;
}

/* A version as the party's module declares it. */
static LLVMValueRef declared(Emitter *e, const Loop *l, int number, int level) {
  const char *name = loop_name(e, number, level);
  LLVMValueRef f = LLVMGetNamedFunction(e->main.module, name);
  if (f)
    return f;
  f = LLVMAddFunction(e->main.module, name, loop_type(e, l));
  LLVMSetVisibility(f, LLVMHiddenVisibility);
  emit_attribute(e, f, LLVMAttributeFunctionIndex, "nounwind", 0);
  return f;
}

/* The versions of all levels. */
static LLVMValueRef version_table(Emitter *e, const Loop *l, int number) {
  while (e->tables.count <= number)
    VEC_PUSH(e->arena, &e->tables, NULL);
  LLVMValueRef *table = &e->tables.data[number], versions[EMIT_VECTOR_LEVELS];
  if (*table)
    return *table;
  int levels = e->unit->levels;
  for (int level = 0; level < levels; level++)
    versions[level] = has_version(l, level) ? declared(e, l, number, level) : versions[level - 1];
  *table = emit_global(e, LLVMConstArray2(e->ptr, versions, (uint64_t)levels), "versions");
  return *table;
}

/* The version for the processor of the run. */
static LLVMValueRef loop_version(Emitter *e, const Loop *l) {
  int number = kernel_number(e, l);
  if (loop_levels(e, l) == 1)
    return declared(e, l, number, 0);
  LLVMValueRef table = version_table(e, l, number);
  LLVMValueRef at = LLVMBuildInBoundsGEP2(e->builder, e->ptr, table, &e->level, 1, "");
  return LLVMBuildLoad2(e->builder, e->ptr, at, "");
}

/* ---- calls ----------------------------------------------------------------------------------- */

static LLVMValueRef number_value(Emitter *e, const Op *op) {
  uint64_t bits;
  if (op->kind != OP_CONST || !ir_is_splat(op, &bits))
    return emit_load(e, op);
  return op->type.elem == EL_FIXED ? LLVMConstReal(e->f64, ir_bits_fixed(bits)) : emit_i64(e, (int64_t)bits);
}

static LLVMValueRef arena_at(Emitter *e, int64_t words) {
  return emit_offset(e, e->data, emit_i64(e, words));
}

/* All arguments but the range; operands that are made lie in the plan's scratch memory one behind the other,
 * draws first. */
static unsigned add_arguments(Emitter *e, const Loop *l, LLVMValueRef *args) {
  unsigned n = FIRST_ARRAY;
  int draws = 0, others = l->draw_count;
  for (int i = 0; i < l->output_count; i++)
    args[n++] = emit_address(e, l->outputs[i]);
  for (int i = 0; i < l->array_count; i++) {
    const Op *op = l->arrays[i];
    int piece = is_draw(op) ? draws++ : is_in_pieces(op) ? others++ : -1;
    args[n++] = piece >= 0 ? arena_at(e, e->plan->scratch + PLAN_PIECE * piece) : emit_address(e, op);
  }
  for (int i = 0; i < l->scalar_count; i++)
    args[n++] = number_value(e, l->scalars[i]);
  return n;
}

/* The next array that lies in memory that may be far, or null: those after *next. */
static LLVMValueRef next_array(Emitter *e, const Loop *l, const LLVMValueRef *args, int *next) {
  for (int i = (*next)++; l->length > FAR_LOOP && i < l->output_count + l->array_count; i = (*next)++) {
    int k = i - l->output_count;
    if (k < 0 || (!is_in_pieces(l->arrays[k]) && result_in_place(l, k) < 0))
      return args[FIRST_ARRAY + i];
  }
  return LLVMConstNull(e->ptr);
}

static void open_draws(Emitter *e, const Loop *l, const LLVMValueRef *args) {
  int next = 0;
  int64_t draw = e->plan->draws;
  for (int i = 0; i < l->array_count; i++)
    if (is_draw(l->arrays[i])) {
      emit_open_random(e, l->arrays[i], arena_at(e, draw), next_array(e, l, args, &next));
      draw += TFE_DRAW_WORDS;
    }
}

static void repeat(Emitter *e, const Op *op, LLVMValueRef out, LLVMValueRef from, LLVMValueRef count) {
  int64_t stride, size;
  plan_repeats(op, &stride, &size);
  EMIT_CALL(e, tfe_repeat, out, emit_address(e, op->args.data[0]), from, count, emit_i64(e, stride),
            emit_i64(e, size));
}

/* Operands that are not kept but draws, for `count` indices from `from` on. */
static void make_repeats(Emitter *e, const Loop *l, const LLVMValueRef *args, LLVMValueRef from,
                         LLVMValueRef count) {
  for (int i = 0; i < l->array_count; i++)
    if (is_in_pieces(l->arrays[i]) && !is_draw(l->arrays[i]))
      repeat(e, l->arrays[i], args[FIRST_ARRAY + l->output_count + i], from, count);
}

static void call_loop(Emitter *e, const Loop *l, LLVMValueRef f, LLVMValueRef *args, unsigned count) {
  e->calls++;
  LLVMValueRef zero = LLVMBuildCall2(e->builder, loop_type(e, l), f, args, count, "");
  if (l->divides)
    check_divisor(e, l->divides, zero);
}

/* for (from = 0; from < length; from += PLAN_PIECE) make operands and run. */
static void call_in_pieces(Emitter *e, const Loop *l, LLVMValueRef f, LLVMValueRef *args, unsigned n) {
  open_draws(e, l, args);
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder), piece = emit_block(e), behind = emit_block(e);
  LLVMValueRef length = emit_i64(e, l->length);
  LLVMBuildBr(e->builder, piece);
  LLVMPositionBuilderAtEnd(e->builder, piece);
  LLVMValueRef from = LLVMBuildPhi(e->builder, e->i64, "");
  LLVMValueRef next = LLVMBuildAdd(e->builder, from, emit_i64(e, PLAN_PIECE), "");
  LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSLT, next, length, "");
  args[0] = from;
  args[1] = LLVMBuildSelect(e->builder, more, next, length, "");
  LLVMValueRef count = LLVMBuildSub(e->builder, args[1], from, "");
  if (l->draw_count > 0)
    EMIT_CALL(e, tfe_prg_pieces, arena_at(e, e->plan->draws), emit_i64(e, l->draw_count),
              arena_at(e, e->plan->scratch), emit_i64(e, PLAN_PIECE), from, count);
  make_repeats(e, l, args, from, count);
  for (int i = 0, k = FIRST_ARRAY + l->output_count; i < l->array_count; i++, k++)
    if (is_in_pieces(l->arrays[i]))
      args[k] = at_index(e, e->i64, args[k], LLVMBuildNeg(e->builder, from, ""));
  call_loop(e, l, f, args, n);
  LLVMBasicBlockRef end = LLVMGetInsertBlock(e->builder);
  LLVMAddIncoming(from, (LLVMValueRef[]){emit_i64(e, 0), next}, (LLVMBasicBlockRef[]){before, end}, 2);
  LLVMBuildCondBr(e->builder, more, piece, behind);
  LLVMPositionBuilderAtEnd(e->builder, behind);
}

static void call_at_once(Emitter *e, const Loop *l, LLVMValueRef f, LLVMValueRef *args, unsigned n) {
  args[0] = emit_i64(e, 0);
  args[1] = emit_i64(e, l->length);
  for (int i = 0; i < l->array_count; i++)
    if (is_draw(l->arrays[i]))
      emit_random(e, l->arrays[i], args[FIRST_ARRAY + l->output_count + i], args[1]);
  make_repeats(e, l, args, args[0], args[1]);
  call_loop(e, l, f, args, n);
}

void emit_fused(Emitter *e, const Step *step) {
  Loop l = describe(e, step);
  LLVMValueRef args[3 * MAX_ARGUMENTS + FIRST_ARRAY], f = loop_version(e, &l);
  unsigned n = add_arguments(e, &l, args);
  if (l.piece_count > 0 && l.length > PLAN_PIECE)
    call_in_pieces(e, &l, f, args, n);
  else if (l.length > 0)
    call_at_once(e, &l, f, args, n);
}
