/* The protocol layer's functions of a further axis: several numbers for each element of a tensor (reference
 * 18.8), and two that tell about the operation at hand. */
#include "kind.h"

#include "shape.h"

/* stack(x, m): every element m times, along a new last axis. */
static Val builtin_stack(Kind *x, Call *c) {
  if (c->count != 2 || c->args[0].kind != V_TENSOR || c->args[1].kind != V_INT)
    return kind_fail(x, c->e->span, "`stack` takes a tensor and an integer");
  IrType t = c->args[0].op->type;
  if (t.shape.rank == MAX_RANK)
    return kind_fail(x, c->e->span, "too many axes");
  t.shape.dim[t.shape.rank++] = 1;
  Val column = kind_emit(x, c->e->span, OP_RESHAPE, t, &c->args[0], 1);
  t.shape.dim[t.shape.rank - 1] = c->args[1].integer;
  return column.kind == V_TENSOR ? kind_broadcast(x, c->e->span, column, t.shape) : NOTHING;
}

/* lanes_of(x, m): of each 64 elements the m low bits, lowest first along the last axis; each word holds one bit of all. */
static Val builtin_lanes_of(Kind *x, Call *c) {
  if (c->count != 2 || c->args[0].kind != V_TENSOR || c->args[1].kind != V_INT || c->args[1].integer < 1 ||
      c->args[1].integer > 64)
    return kind_fail(x, c->e->span, "`lanes_of` takes a tensor and 1 to 64");
  int64_t words = (shape_count(&c->args[0].op->type.shape) + 63) / 64;
  IrType t = kind_ring(64, 0, (Shape){.rank = 2, .dim = {words, c->args[1].integer}});
  t.lanes = true;
  return kind_emit(x, c->e->span, OP_LANES, t, &c->args[0], 1);
}

/* from_lanes(x, like): bits in the shape of a tensor with one lane for each element; from_lanes(x, like, m): the first m lanes
 * along a further axis, the last one. */
static Val builtin_from_lanes(Kind *x, Call *c) {
  if (c->count < 2 || c->args[0].kind != V_TENSOR || c->args[1].kind != V_TENSOR ||
      !c->args[0].op->type.lanes ||
      (c->count > 2 && (c->args[2].kind != V_INT || c->args[1].op->type.shape.rank == MAX_RANK)))
    return kind_fail(x, c->e->span, "`from_lanes` takes lanes, a tensor, and a number of bits");
  const int64_t *words = c->args[0].op->type.shape.dim;
  IrType t = kind_ring(1, 0, c->args[1].op->type.shape);
  int64_t bits = c->count > 2 ? c->args[2].integer : 1;
  if (words[0] != (shape_count(&t.shape) + 63) / 64 || bits > words[1])
    return kind_fail(x, c->e->span, "`from_lanes` needs a row of as many words for each 64 elements");
  if (c->count > 2)
    t.shape.dim[t.shape.rank++] = bits;
  return kind_emit_int(x, c->e->span, OP_FROM_LANES, t, c->args[0], bits);
}

static Val concat(Kind *x, Span at, IrType t, Val a, Val b, int axis) {
  Val v = kind_emit(x, at, OP_CONCAT, t, (Val[]){a, b}, 2);
  if (v.kind == V_TENSOR)
    ir_int(x->out, v.op, axis);
  return v;
}

/* The elements n places further along the last axis; zeros come from the other side. */
static Val moved_by(Kind *x, Span at, Val v, int n) {
  IrType t = v.op->type, rest = t, none = t;
  int last = t.shape.rank - 1, distance = n < 0 ? -n : n;
  if (last < 0 || distance >= t.shape.dim[last])
    return kind_fail(x, at, "`moved` needs a longer last axis");
  none.shape.dim[last] = distance;
  rest.shape.dim[last] -= distance;
  Val kept = kind_emit(x, at, OP_SLICE, rest, &v, 1);
  for (int i = 0; kept.kind == V_TENSOR && i < t.shape.rank; i++)
    ir_int(x->out, kept.op, i == last && n < 0 ? distance : 0);
  Val zeros = kind_splat(x, none, 0);
  return kept.kind != V_TENSOR ? NOTHING
         : n < 0               ? concat(x, at, t, kept, zeros, last)
                               : concat(x, at, t, zeros, kept, last);
}

/* moved(x, n): y with y[i] = x[i - n] along the last axis, 0 where there is none; of all parts. */
static Val builtin_moved(Kind *x, Call *c) {
  if (c->count != 2 || c->args[1].kind != V_INT)
    return kind_fail(x, c->e->span, "`moved` takes a tensor or a private value, and an integer");
  Val v = kind_parts(x, c->e->span, c->args[0], moved_by, (int)c->args[1].integer);
  kind_forget_origin(&v);
  return v;
}

/* Every second one along the last axis, from number `which` on. */
static Val half_of(Kind *x, Span at, Val v, int which) {
  IrType t = v.op->type;
  int last = t.shape.rank - 1;
  if (last < 0 || last + 2 > MAX_RANK || t.shape.dim[last] % 2)
    return kind_fail(x, at, "`half` needs a last axis of even size");
  t.shape.dim[last] /= 2;
  t.shape.dim[t.shape.rank++] = 2;
  v = kind_emit(x, at, OP_RESHAPE, t, &v, 1);
  if (v.kind != V_TENSOR)
    return NOTHING;
  t.shape.dim[last + 1] = 1;
  v = kind_emit(x, at, OP_SLICE, t, &v, 1);
  for (int i = 0; v.kind == V_TENSOR && i < t.shape.rank; i++)
    ir_int(x->out, v.op, i == last + 1 ? which : 0);
  t.shape.rank--;
  return v.kind == V_TENSOR ? kind_emit(x, at, OP_RESHAPE, t, &v, 1) : NOTHING;
}

/* half(x, i): of the elements along the last axis, number i, i + 2, ...; of all parts. */
static Val builtin_half(Kind *x, Call *c) {
  if (c->count != 2 || c->args[1].kind != V_INT)
    return kind_fail(x, c->e->span, "`half` takes a tensor or a private value, and 0 or 1");
  Val v = kind_parts(x, c->e->span, c->args[0], half_of, (int)(c->args[1].integer & 1));
  kind_forget_origin(&v);
  return v;
}

/* elements(x): how many elements a tensor, or a part of a private value, has. */
static Val builtin_elements(Kind *x, Call *c) {
  const Val *v = c->count == 1 ? &c->args[0] : NULL;
  while (v && v->kind == V_STRUCT && v->count)
    v = &v->items[0];
  if (!v || v->kind != V_TENSOR)
    return kind_fail(x, c->e->span, "`elements` takes a tensor");
  return val_int(shape_count(&v->op->type.shape));
}

/* choice("method", "reason", v): v; `tfec explain` shows the method that was chosen for the operation. */
static Val builtin_choice(Kind *x, Call *c) {
  if (c->count != 3 || c->args[0].kind != V_TEXT || c->args[1].kind != V_TEXT)
    return kind_fail(x, c->e->span, "`choice` takes two texts and a value");
  Method now = {x->current->site, kind_function_name(x->current), shape_count(&x->current->type.shape),
                c->args[0].name, c->args[1].name};
  for (int i = 0; i < x->out->methods.count; i++) {
    const Method *old = &x->out->methods.data[i];
    if (old->site == now.site && old->operation == now.operation && old->elements == now.elements)
      return c->args[2];
  }
  VEC_PUSH(x->arena, &x->out->methods, now);
  return c->args[2];
}

/* total(x): the sum along the last axis. */
static Val builtin_total(Kind *x, Call *c) {
  if (c->count != 1 || c->args[0].kind != V_TENSOR || c->args[0].op->type.shape.rank == 0)
    return kind_fail(x, c->e->span, "`total` takes a tensor with an axis");
  IrType t = c->args[0].op->type;
  t.shape.rank--;
  return kind_emit_int(x, c->e->span, OP_SUM, t, c->args[0], t.shape.rank);
}

/* weights("f", like): for each element of the last axis of `like` a number, in its ring; scale = s: at that
 * scale (curve_weights). */
static Val builtin_weights(Kind *x, Call *c) {
  const Val *scale = kind_named(c, "scale");
  if (c->count < 2 || c->args[0].kind != V_TEXT || c->args[1].kind != V_TENSOR ||
      c->args[1].op->type.shape.rank == 0)
    return kind_fail(x, c->e->span, "`weights` takes a name and a tensor with an axis");
  IrType t = c->args[1].op->type;
  Shape whole = t.shape;
  int64_t m = whole.dim[whole.rank - 1];
  t.scale = scale ? (int)scale->integer : 0;
  t.shape = shape_vector(m);
  Op *op = kind_append(x, OP_CONST, t, x->everybody);
  uint64_t *data = ARENA_ARRAY(x->arena, uint64_t, m + 1);
  if (!curve_weights(c->args[0].name, m, kind_instance(x)->frac, t.scale, data))
    return kind_fail(x, c->e->span, "there are no weights \"%s\"", c->args[0].name);
  for (int64_t i = 0; i < m; i++)
    data[i] &= kind_low_bits(t.bits);
  op->data = data;
  op->data_count = m;
  return kind_broadcast(x, c->e->span, val_tensor(op, x->everybody), whole);
}

bool kind_axis(Kind *x, const char *name, Call *c, Val *result) {
  static const KindBuiltin builtins[] = {
      {"stack", builtin_stack},       {"total", builtin_total},           {"weights", builtin_weights},
      {"lanes_of", builtin_lanes_of}, {"from_lanes", builtin_from_lanes}, {"moved", builtin_moved},
      {"half", builtin_half},         {"elements", builtin_elements},     {"choice", builtin_choice},
  };
  return kind_find(x, builtins, (int)(sizeof builtins / sizeof *builtins), name, c, result);
}
