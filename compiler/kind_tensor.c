/* Tensors of the protocol layer: operations at the parties that hold all operands, the arithmetic of ring
 * types, and rearrangements of private values part by part (see kind.h). */
#include "kind.h"

#include <stdarg.h>

/* ---- messages -------------------------------------------------------------------------------------- */

Val kind_fail(Kind *x, Span at, const char *format, ...) {
  if (!x->failed) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(x->arena, format, args);
    va_end(args);
    Diag *d = diag_new(x->diags, DIAG_E0410, at, x->kind ? x->kind->name : "?", text);
    const Op *joint = x->current;
    if (joint && joint->site)
      diag_note(d, "needed for %s at %s", joint->kind == OP_APPLY ? joint->text : op_info[joint->kind].name,
                source_where(x->arena, joint->site->span));
    x->failed = true;
  }
  return NOTHING;
}

/* ---- making operations ----------------------------------------------------------------------------- */

Op *kind_append(Kind *x, OpKind kind, IrType type, PartySet where) {
  Op *op = ir_op(x->out, x->block, kind, type, x->current ? x->current->site : NULL);
  op->where = where;
  return op;
}

/* Where an operation on these tensors takes place; false (and a message) if nobody holds all of them. */
static bool common_place(Kind *x, Span at, const Val *args, int count, PartySet *where) {
  *where = x->restricted ? x->restriction : x->everybody;
  for (int i = 0; i < count; i++)
    *where = party_and(*where, args[i].parties);
  if (party_empty(*where)) {
    kind_fail(x, at, "no party holds all operands");
    return false;
  }
  return true;
}

Val kind_emit(Kind *x, Span at, OpKind kind, IrType type, const Val *args, int count) {
  PartySet where;
  if (!common_place(x, at, args, count, &where))
    return NOTHING;
  Op *op = kind_append(x, kind, type, where);
  for (int i = 0; i < count; i++)
    ir_operand(x->out, op, args[i].op);
  return val_tensor(op, where);
}

Val kind_emit_int(Kind *x, Span at, OpKind kind, IrType type, Val arg, int64_t attribute) {
  Val v = kind_emit(x, at, kind, type, &arg, 1);
  if (v.kind == V_TENSOR)
    ir_int(x->out, v.op, attribute);
  return v;
}

Val kind_splat(Kind *x, IrType type, uint64_t value) {
  Op *op = kind_append(x, OP_CONST, type, x->everybody);
  uint64_t *data = ARENA_NEW(x->arena, uint64_t);
  *data = type.elem == EL_RING ? value & kind_low_bits(type.bits) : value;
  op->data = data;
  op->data_count = 1;
  return val_tensor(op, x->everybody);
}

/* An integer literal beside a tensor, as that tensor's kind of number. */
Val kind_literal(Kind *x, const Op *beside, int64_t v) {
  IrType t = beside->type;
  t.shape = (Shape){0};
  if (t.elem == EL_FIXED)
    return kind_splat(x, t, ir_fixed_bits((double)v));
  return kind_splat(x, t, t.lanes && v & 1 ? UINT64_MAX : t.lanes ? 0 : (uint64_t)v);
}

/* ---- arithmetic on tensors ------------------------------------------------------------------------- */

static Val to_fixed(Kind *x, Span at, Val v) {
  IrType t = v.op->type;
  if (t.elem == EL_FIXED)
    return v;
  t.elem = EL_FIXED;
  return kind_emit(x, at, OP_TO_FIXED, t, &v, 1);
}

static bool is_comparison(OpKind k) {
  return k == OP_LT || k == OP_LE || k == OP_EQ || k == OP_NE;
}

static Shape ew_shape(const Val *args, int count) {
  for (int i = 0; i < count; i++)
    if (args[i].op->type.shape.rank > 0)
      return args[i].op->type.shape;
  return args[0].op->type.shape;
}

static Val narrow_tensor(Kind *x, Span at, Val v, int bits) {
  IrType t = v.op->type;
  if (t.elem != EL_RING || t.bits <= bits)
    return v;
  t.bits = bits;
  return kind_emit(x, at, OP_NARROW, t, &v, 1);
}

Val kind_parts(Kind *x, Span at, Val v, Val (*f)(Kind *, Span, Val, int), int n) {
  if (v.kind == V_TENSOR)
    return f(x, at, v, n);
  if (v.kind != V_STRUCT)
    return v.kind == V_NONE ? NOTHING : kind_fail(x, at, "this needs a tensor, a private value or a bundle");
  const Val *parts = v.items;
  v.items = ARENA_ARRAY(x->arena, Val, v.count);
  for (int i = 0; i < v.count; i++) {
    v.items[i] = kind_parts(x, at, parts[i], f, n);
    if (v.items[i].kind == V_NONE)
      return NOTHING;
  }
  return v;
}

Val kind_narrow(Kind *x, Span at, Val v, int bits) {
  return kind_parts(x, at, v, narrow_tensor, bits);
}

/* Elements of different rings meet in the smallest; a bit meets bits only. */
static bool meet(Kind *x, Span at, OpKind k, Val *args, int first, int count) {
  int least = 64, most = 1;
  for (int i = first; i < count; i++) {
    const IrType *t = &args[i].op->type;
    if (t->elem != EL_RING) {
      kind_fail(x, at, "`%s` needs ring elements, one is %s", op_info[k].name, ir_type_text(x->arena, t));
      return false;
    }
    least = t->bits < least ? t->bits : least;
    most = t->bits > most ? t->bits : most;
  }
  if (least == 1 && most > 1) {
    kind_fail(x, at, "`%s` of a bit and a larger ring: `cast` says which is meant", op_info[k].name);
    return false;
  }
  for (int i = first; i < count; i++)
    args[i] = narrow_tensor(x, at, args[i], least);
  return true;
}

/* Element, bits and scale of the result of an elementwise operation or product; numbers are joined by int <=
 * fixed, ring elements meet in the smallest ring. */
static bool result_type(Kind *x, Span at, OpKind k, Val *args, int count, IrType *out) {
  int first = k == OP_SELECT ? 1 : 0;
  bool rings = args[first].op->type.elem == EL_RING;
  if (rings && !meet(x, at, k, args, first, count))
    return false;
  const IrType *a = &args[first].op->type;
  *out = *a;
  if (rings) {
    for (int i = first + 1; i < count; i++) {
      const IrType *b = &args[i].op->type;
      bool product = k == OP_MUL || op_info[k].class == OPC_BILINEAR;
      bool raw = b->shape.rank == 0 && args[i].op->kind == OP_CONST;
      bool raw_a = a->shape.rank == 0 && args[first].op->kind == OP_CONST;
      if (product)
        out->scale += b->scale;
      else if (raw_a)
        out->scale = b->scale;
      else if (!raw && b->scale != a->scale) {
        kind_fail(x, at, "`%s` needs equal scales, these are 2^%d and 2^%d", op_info[k].name, a->scale,
                  b->scale);
        return false;
      }
    }
    return true;
  }
  bool real = k == OP_DIV || k == OP_EXP || k == OP_LOG || k == OP_SQRT || k == OP_TANH;
  for (int i = first; i < count; i++)
    real = real || args[i].op->type.elem == EL_FIXED;
  if (k == OP_TO_FIXED || k == OP_TO_INT)
    real = false;
  for (int i = first; real && i < count; i++)
    args[i] = to_fixed(x, at, args[i]);
  out->elem = args[first].op->type.elem;
  if (is_comparison(k))
    out->elem = EL_BOOL;
  else if (k == OP_TO_FIXED)
    out->elem = EL_FIXED;
  else if (k == OP_TO_INT)
    out->elem = EL_INT;
  return true;
}

/* Any operation of ops.def on tensors, as called by its name in a protocol file. Axes and other attributes
 * are those of the joint operation that is being carried out. */
Val kind_apply(Kind *x, Span at, OpKind k, Val *args, int count) {
  for (int i = 0; i < count; i++) {
    if (args[i].kind == V_INT && args[i ? 0 : count - 1].kind == V_TENSOR)
      args[i] = kind_literal(x, args[i ? 0 : count - 1].op, args[i].integer);
    if (args[i].kind != V_TENSOR)
      return args[i].kind == V_NONE ? NOTHING : kind_fail(x, at, "`%s` needs tensors", op_info[k].name);
  }
  if (count != op_info[k].args)
    return kind_fail(x, at, "`%s` takes %d operands, not %d", op_info[k].name, op_info[k].args, count);
  IrType t;
  if (!result_type(x, at, k, args, count, &t))
    return NOTHING;
  const Op *joint = x->current;
  switch (op_info[k].class) {
  case OPC_EW: t.shape = ew_shape(args, count); return kind_emit(x, at, k, t, args, count);
  case OPC_BILINEAR:
  case OPC_REDUCE: {
    if (k == OP_ARGMAX || k == OP_ARGMIN)
      t.elem = EL_INT;
    if (joint->kind != k)
      return kind_fail(x, at, "`%s` cannot be used to carry out %s", op_info[k].name,
                       op_info[joint->kind].name);
    t.shape = joint->type.shape;
    Val v = kind_emit(x, at, k, t, args, count);
    for (int i = 0; v.kind == V_TENSOR && i < joint->ints.count; i++)
      ir_int(x->out, v.op, joint->ints.data[i]);
    return v;
  }
  default: return kind_fail(x, at, "`%s` cannot be called in a protocol", op_info[k].name);
  }
}

Val kind_broadcast(Kind *x, Span at, Val v, Shape shape) {
  if (v.kind != V_TENSOR || shape_equal(&v.op->type.shape, &shape))
    return v;
  IrType t = v.op->type;
  t.shape = shape;
  return kind_emit(x, at, OP_BROADCAST, t, &v, 1);
}

/* ---- rearrangements, part by part ------------------------------------------------------------------- */

/* The choreography's operation for a joint MOVE (or SUM) operation, on one tensor. The operands behind the
 * first n data operands are public indices. */
static Val move_tensor(Kind *x, const Op *joint, const Val *data, int n) {
  IrType t = data[0].op->type;
  t.shape = joint->type.shape;
  Val args[1 + 64];
  int count = 0;
  for (int i = 0; i < joint->args.count && count < 65; i++) {
    if (i < n)
      args[count++] = data[i];
    else
      args[count++] = *(const Val *)joint->args.data[i]->note;
  }
  Val v = kind_emit(x, joint->site ? joint->site->span : (Span){0}, joint->kind, t, args, count);
  for (int i = 0; v.kind == V_TENSOR && i < joint->ints.count; i++)
    ir_int(x->out, v.op, joint->ints.data[i]);
  return v;
}

void kind_forget_origin(Val *v) {
  v->move = v->shared = NULL;
  v->sources = v->form = NULL;
  v->source_count = 0;
}

Val kind_move(Kind *x, const Op *joint, const Val *data, int n) {
  Span at = joint->site ? joint->site->span : (Span){0};
  Val result = data[0];
  result.items = ARENA_ARRAY(x->arena, Val, result.count);
  for (int f = 0; f < result.count; f++) {
    Val part[64];
    for (int i = 0; i < n; i++)
      part[i] = n > 1 && joint->width ? kind_narrow(x, at, data[i].items[f], joint->width) : data[i].items[f];
    result.items[f] = move_tensor(x, joint, part, n);
    if (result.items[f].kind == V_NONE)
      return NOTHING;
  }
  kind_forget_origin(&result);
  return result;
}
