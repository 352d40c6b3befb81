/* Subscripts, read and written (rules F5, S3): boxes of a tensor whose sizes are known and whose starts may
 * be known at run time only, and rows picked by a list of indices. */
#include <inttypes.h>

#include "tensor.h"

/* ---- subscripts ---------------------------------------------------------------------------------------- */

/* The box that subscripts pick, before scalar axes are dropped. */
typedef struct Box {
  const Value *start[MAX_RANK]; /* NULL: 0 */
  Shape shape;
  bool drop[MAX_RANK];
  int gather_axis; /* -1: none */
  const Value *gather;
} Box;

static const Value *index_value(Checker *cx, const Expr *e, int64_t count, const Expr *whole) {
  const Value *v = check_operand(cx, check_expr(cx, e, NULL), e);
  if (v->kind == VAL_POISON)
    return v;
  if (v->kind != VAL_TENSOR || v->elem != EL_INT || v->shape.rank > 1) {
    CHECK_DIAG(cx, E0208, e->span, "an int", value_type_text(cx->arena, v));
    return &value_poison;
  }
  if (v->place.kind != PLACE_PRIVATE)
    return v;
  Diag *d = CHECK_DIAG(cx, E0303, e->span);
  diag_label(d, "%s", check_place_text(cx, v, true));
  diag_note(d, "the memory access would show which element is read");
  if (whole->kind == EX_INDEX && whole->subs.count == 1 && count > 0)
    diag_help(d, "secret look-up, costs one pass over all %" PRId64 " elements: `%s.lookup(%s)`", count,
              span_text(cx->arena, whole->left->span), span_text(cx->arena, e->span));
  return &value_poison;
}

static void outside(Checker *cx, Span at, int64_t i, int64_t last) {
  CHECK_DIAG(cx, E0211, at, arena_printf(cx->arena, "%" PRId64, i),
             arena_printf(cx->arena, "%" PRId64, last));
}

static bool slice_bound(Checker *cx, const Expr *e, const Expr *whole, int64_t otherwise, int64_t n,
                        const Value **out) {
  int64_t i;
  *out = value_int(cx->arena, otherwise);
  if (!e)
    return true;
  *out = index_value(cx, e, n, whole);
  if ((*out)->kind == VAL_POISON)
    return false;
  if ((*out)->shape.rank != 0) {
    CHECK_DIAG(cx, E0208, e->span, "an int", value_type_text(cx->arena, *out));
    return false;
  }
  if (value_const_int(*out, &i) && (i < 0 || i > n)) {
    outside(cx, e->span, i, n);
    return false;
  }
  return true;
}

/* S3: the size of low:high must come out as a constant. */
static bool slice_size(Checker *cx, const Value *low, const Value *high, const Subscript *s, int64_t *size) {
  const Affine *d = affine_add(cx->arena, value_affine(cx->arena, high), value_affine(cx->arena, low), -1);
  if (d && d->count == 0) {
    *size = d->base;
    if (*size >= 0)
      return true;
    CHECK_DIAG(cx, E0211, s->span, "below the start of the slice", "its end");
    return false;
  }
  const Value *unknown = high->data ? low : high;
  const Expr *e = high->data ? s->low : s->high;
  Loop *loop = check_loop_behind(cx, unknown);
  if (!loop && !high->data && !low->data && check_loop_behind(cx, low))
    unknown = low;
  check_need_const(cx, unknown, e, s->span, "the size of a tensor");
  return false;
}

static bool box_axis(Checker *cx, Box *box, int axis, const Subscript *s, int64_t n, const Expr *whole) {
  int64_t i;
  box->shape.dim[axis] = n;
  if (s->is_slice) {
    const Value *low, *high;
    if (!s->low && !s->high)
      return true;
    if (!slice_bound(cx, s->low, whole, 0, n, &low) || !slice_bound(cx, s->high, whole, n, n, &high) ||
        !slice_size(cx, low, high, s, &box->shape.dim[axis]))
      return false;
    box->start[axis] = low;
    return true;
  }
  const Value *v = index_value(cx, s->low, n, whole);
  if (v->kind == VAL_POISON)
    return false;
  if (v->shape.rank == 1) {
    if (box->gather_axis >= 0) {
      CHECK_DIAG(cx, E0219, s->span, "[]", "at most one list of indices", "a second one");
      return false;
    }
    box->gather_axis = axis;
    box->gather = v;
    return true;
  }
  if (value_const_int(v, &i) && (i < 0 || i >= n)) {
    outside(cx, s->low->span, i, n - 1);
    return false;
  }
  box->start[axis] = v;
  box->shape.dim[axis] = 1;
  box->drop[axis] = true;
  return true;
}

static bool box_of(Checker *cx, const Value *base, const Expr *e, Box *box) {
  *box = (Box){.gather_axis = -1};
  if (base->kind != VAL_TENSOR || e->subs.count > base->shape.rank) {
    const char *what =
        base->kind == VAL_TENSOR && base->shape.rank == 0 ? "a scalar" : value_type_text(cx->arena, base);
    CHECK_DIAG(cx, E0210, e->span, what,
               arena_printf(cx->arena, "%d subscript%s", e->subs.count, e->subs.count == 1 ? "" : "s"));
    return false;
  }
  box->shape = base->shape;
  for (int i = 0; i < e->subs.count; i++)
    if (!box_axis(cx, box, i, &e->subs.data[i], base->shape.dim[i], e))
      return false;
  return true;
}

/* The box with its scalar axes taken out. */
static Shape dropped(const Box *box) {
  Shape s = {0};
  for (int i = 0; i < box->shape.rank; i++)
    if (!box->drop[i])
      s.dim[s.rank++] = box->shape.dim[i];
  return s;
}

static const Value *gathered(Checker *cx, const Value *v, int axis, const Value *index, Span at) {
  int64_t axes[MAX_RANK] = {axis}, back[MAX_RANK];
  for (int i = 0, k = 1; i < v->shape.rank; i++)
    if (i != axis)
      axes[k++] = i;
  for (int i = 0; i < v->shape.rank; i++)
    back[axes[i]] = i;
  const Value *front = tensor_transpose(cx, v, axes, at);
  if (front->kind != VAL_TENSOR)
    return front;
  return tensor_transpose(cx, tensor_gather(cx, front, index, at), back, at);
}

const Value *check_index(Checker *cx, const Value *base, const Expr *e) {
  Box box;
  base = check_operand(cx, base, e->left);
  if (value_is_poison(base) || !box_of(cx, base, e, &box))
    return &value_poison;
  const Value *v = tensor_slice(cx, base, box.start, box.shape, e->span);
  if (v->kind == VAL_TENSOR && box.gather)
    v = gathered(cx, v, box.gather_axis, box.gather, e->span);
  if (v->kind != VAL_TENSOR)
    return v;
  if (box.gather)
    box.shape.dim[box.gather_axis] = box.gather->shape.dim[0];
  return tensor_reshape(cx, v, dropped(&box), e->span);
}

const Value *check_update(Checker *cx, const Value *base, const Expr *e, const Value *item, Span at) {
  Box box;
  base = check_operand(cx, base, e->left);
  if (value_is_poison(base) || value_is_poison(item) || !box_of(cx, base, e, &box))
    return &value_poison;
  if (box.gather) {
    CHECK_DIAG(cx, E0219, e->span, "=", "a box of elements", "a list of indices");
    return &value_poison;
  }
  Type t = {.kind = TY_TENSOR, .elem = base->elem, .shape = dropped(&box), .span = e->span};
  Expr value_expr = *e;
  value_expr.span = at;
  if (item->kind == VAL_TENSOR && item->shape.rank == 0)
    item = tensor_broadcast(cx, item, t.shape, at); /* one number for the whole box */
  item = check_coerce(cx, item, &t, &value_expr, NULL);
  if (item->kind == VAL_POISON)
    return item;
  const Value *placed = check_to_place(cx, item, base->place, &value_expr, at);
  if (!placed)
    return NULL;
  return tensor_update(cx, base, tensor_reshape(cx, placed, box.shape, at), box.start, at);
}
