/* Values of the checker: constructors, constants, leaves, affine forms and their texts (see value.h). */
#include "value.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

const Value value_poison = {.kind = VAL_POISON};
const Value value_void = {.kind = VAL_VOID};

bool place_equal(Place a, Place b) {
  return a.kind == b.kind && (a.kind == PLACE_PUBLIC || a.index == b.index);
}

/* ---- constructors -------------------------------------------------------------------------------------- */

Value *value_new(Arena *a, ValueKind kind) {
  Value *v = ARENA_NEW(a, Value);
  v->kind = kind;
  return v;
}

const Value *value_data(Arena *a, Elem elem, Shape shape, const uint64_t *data, int64_t count) {
  Value *v = value_new(a, VAL_TENSOR);
  v->elem = elem;
  v->shape = shape;
  v->data = data;
  v->data_count = count;
  return v;
}

static const Value *scalar(Arena *a, Elem elem, uint64_t bits) {
  uint64_t *data = ARENA_NEW(a, uint64_t);
  *data = bits;
  return value_data(a, elem, (Shape){0}, data, 1);
}

const Value *value_int(Arena *a, int64_t v) {
  return scalar(a, EL_INT, (uint64_t)v);
}

const Value *value_fixed(Arena *a, double v) {
  return scalar(a, EL_FIXED, ir_fixed_bits(v));
}

const Value *value_bool(Arena *a, bool v) {
  return scalar(a, EL_BOOL, v);
}

const Value *value_string(Arena *a, const char *text) {
  Value *v = value_new(a, VAL_STRING);
  v->text = text;
  return v;
}

const Value *value_of(Arena *a, Op *op) {
  Value *v = value_new(a, VAL_TENSOR);
  v->elem = op->type.elem;
  v->shape = op->type.shape;
  v->place = op->at;
  v->op = op;
  return v;
}

const Value *value_items(Arena *a, ValueKind kind, const Struct *st, const Value *const *items, int count) {
  Value *v = value_new(a, kind);
  v->st = st;
  v->items = items;
  v->count = count;
  return v;
}

const Value *value_with_origin(Arena *a, const Value *v, const Origin *origin) {
  Value *copy = value_new(a, v->kind);
  *copy = *v;
  copy->origin = origin;
  if (v->count) {
    const Value **items = ARENA_ARRAY(a, const Value *, v->count);
    for (int i = 0; i < v->count; i++)
      items[i] = value_with_origin(a, v->items[i], origin);
    copy->items = items;
  }
  return copy;
}

/* ---- questions ----------------------------------------------------------------------------------------- */

bool value_is_poison(const Value *v) {
  if (v->kind == VAL_POISON)
    return true;
  for (int i = 0; i < v->count; i++)
    if (value_is_poison(v->items[i]))
      return true;
  return false;
}

bool value_is_const(const Value *v) {
  if (v->kind == VAL_TENSOR)
    return v->data != NULL;
  for (int i = 0; i < v->count; i++)
    if (!value_is_const(v->items[i]))
      return false;
  return v->kind != VAL_POISON;
}

uint64_t value_bits(const Value *v, int64_t i) {
  return v->data[v->data_count == 1 ? 0 : i];
}

double value_number(const Value *v, int64_t i) {
  uint64_t bits = value_bits(v, i);
  return v->elem == EL_FIXED ? ir_bits_fixed(bits) : (double)(int64_t)bits;
}

bool value_const_int(const Value *v, int64_t *out) {
  if (v->kind != VAL_TENSOR || v->elem != EL_INT || v->shape.rank != 0 || !v->data)
    return false;
  *out = (int64_t)v->data[0];
  return true;
}

bool value_const_bool(const Value *v, bool *out) {
  if (v->kind != VAL_TENSOR || v->elem != EL_BOOL || v->shape.rank != 0 || !v->data)
    return false;
  *out = v->data[0] != 0;
  return true;
}

bool value_same_data(const Value *a, const Value *b) {
  if (!a->data || !b->data || a->elem != b->elem || !shape_equal(&a->shape, &b->shape))
    return false;
  int64_t n = a->data_count > b->data_count ? a->data_count : b->data_count;
  for (int64_t i = 0; i < n; i++)
    if (value_bits(a, i) != value_bits(b, i))
      return false;
  return true;
}

IrType value_ir_type(const Value *v) {
  assert(v->kind == VAL_TENSOR);
  return (IrType){.elem = v->elem, .shape = v->shape};
}

/* ---- leaves -------------------------------------------------------------------------------------------- */

void value_leaves(Arena *a, const Value *v, Leaves *out) {
  if (v->kind != VAL_TUPLE && v->kind != VAL_STRUCT) {
    VEC_PUSH(a, &out->list, v);
    return;
  }
  for (int i = 0; i < v->count; i++)
    value_leaves(a, v->items[i], out);
}

const Value *value_rebuild(Arena *a, const Value *v, const Value *const *leaves, int *next) {
  if (v->kind != VAL_TUPLE && v->kind != VAL_STRUCT)
    return leaves[(*next)++];
  const Value **items = ARENA_ARRAY(a, const Value *, v->count);
  for (int i = 0; i < v->count; i++)
    items[i] = value_rebuild(a, v->items[i], leaves, next);
  return value_items(a, v->kind, v->st, items, v->count);
}

static int leaf_count(const Value *v) {
  if (v->kind != VAL_TUPLE && v->kind != VAL_STRUCT)
    return 1;
  int n = 0;
  for (int i = 0; i < v->count; i++)
    n += leaf_count(v->items[i]);
  return n;
}

const char *value_leaf_path(Arena *a, const Value *v, int i) {
  if (v->kind != VAL_STRUCT && v->kind != VAL_TUPLE)
    return NULL;
  for (int k = 0; k < v->count; k++) {
    int n = leaf_count(v->items[k]);
    if (i >= n) {
      i -= n;
      continue;
    }
    const char *name = v->kind == VAL_STRUCT ? v->st->decl->fields.data[k].name : arena_printf(a, "%d", k);
    const char *rest = value_leaf_path(a, v->items[k], i);
    return rest ? arena_printf(a, "%s.%s", name, rest) : name;
  }
  return NULL;
}

/* ---- affine forms -------------------------------------------------------------------------------------- */

const Affine *value_affine(Arena *a, const Value *v) {
  if (v->kind != VAL_TENSOR || v->elem != EL_INT || v->shape.rank != 0)
    return NULL;
  if (v->affine)
    return v->affine;
  Affine *f = ARENA_NEW(a, Affine);
  if (v->data) {
    f->base = (int64_t)v->data[0];
  } else {
    f->count = 1;
    f->term[0].of = v->op;
    f->term[0].by = 1;
  }
  return f;
}

const Affine *affine_scale(Arena *a, const Affine *x, int64_t by) {
  if (!x)
    return NULL;
  Affine *f = ARENA_NEW(a, Affine);
  if (__builtin_mul_overflow(x->base, by, &f->base))
    return NULL;
  for (int i = 0; i < x->count && by != 0; i++) {
    f->term[f->count].of = x->term[i].of;
    if (__builtin_mul_overflow(x->term[i].by, by, &f->term[f->count].by))
      return NULL;
    f->count++;
  }
  return f;
}

/* x + times * y */
const Affine *affine_add(Arena *a, const Affine *x, const Affine *y, int64_t times) {
  const Affine *scaled = affine_scale(a, y, times);
  if (!x || !scaled)
    return NULL;
  Affine *f = ARENA_NEW(a, Affine);
  *f = *x;
  if (__builtin_add_overflow(x->base, scaled->base, &f->base))
    return NULL;
  for (int i = 0; i < scaled->count; i++) {
    int k = 0;
    while (k < f->count && f->term[k].of != scaled->term[i].of)
      k++;
    if (k == AFFINE_TERMS)
      return NULL;
    if (k == f->count) {
      f->term[f->count++] = scaled->term[i];
      continue;
    }
    f->term[k].by += scaled->term[i].by;
    if (f->term[k].by == 0)
      f->term[k] = f->term[--f->count];
  }
  return f;
}

/* ---- texts --------------------------------------------------------------------------------------------- */

const char *elem_text(Elem e) {
  return e == EL_FIXED ? "fixed" : e == EL_INT ? "int" : e == EL_BOOL ? "bool" : "nothing";
}

const char *shape_text(Arena *a, const Shape *s) {
  if (s->rank == 0)
    return "scalar";
  const char *text = "[";
  for (int i = 0; i < s->rank; i++)
    text = arena_printf(a, "%s%s%" PRId64, text, i ? ", " : "", s->dim[i]);
  return arena_printf(a, "%s]", text);
}

static const char *struct_text(Arena *a, const Struct *st) {
  const char *text = st->decl->name;
  for (int i = 0; i < st->decl->sizes.count; i++)
    text = arena_printf(a, "%s%s%" PRId64, text, i ? ", " : "[", st->sizes[i]);
  return st->decl->sizes.count ? arena_printf(a, "%s]", text) : text;
}

static const char *tensor_text(Arena *a, const char *name, const Shape *shape) {
  return shape->rank ? arena_printf(a, "%s%s", name, shape_text(a, shape)) : name;
}

const char *value_type_text(Arena *a, const Value *v) {
  switch (v->kind) {
  case VAL_POISON: return "unknown";
  case VAL_VOID: return "nothing";
  case VAL_STRING: return "string";
  case VAL_TENSOR: return tensor_text(a, elem_text(v->elem), &v->shape);
  case VAL_STRUCT: return struct_text(a, v->st);
  case VAL_TUPLE: break;
  }
  const char *text = "(";
  for (int i = 0; i < v->count; i++)
    text = arena_printf(a, "%s%s%s", text, i ? ", " : "", value_type_text(a, v->items[i]));
  return arena_printf(a, "%s)", text);
}

const char *type_text(Arena *a, const Type *t) {
  switch (t->kind) {
  case TY_NONE: return "anything";
  case TY_STRING: return "string";
  case TY_TENSOR: return tensor_text(a, t->is_float ? "float" : elem_text(t->elem), &t->shape);
  case TY_STRUCT: return struct_text(a, t->st);
  case TY_TUPLE: break;
  }
  const char *text = "(";
  for (int i = 0; i < t->count; i++)
    text = arena_printf(a, "%s%s%s", text, i ? ", " : "", type_text(a, t->items[i]));
  return arena_printf(a, "%s)", text);
}

const char *span_text(Arena *a, Span s) {
  if (!s.source)
    return "";
  char *text = ARENA_ARRAY(a, char, s.end - s.start + 1);
  int n = 0;
  for (int i = s.start; i < s.end; i++) {
    char c = s.source->text[i];
    bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!blank)
      text[n++] = c;
    else if (n && text[n - 1] != ' ')
      text[n++] = ' ';
  }
  text[n] = 0;
  return text;
}
