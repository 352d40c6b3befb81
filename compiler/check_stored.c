/* `store` and `load` in programs: shares that outlive a run (runtime/stored.h). Each leaf of the value, a tensor
 * or a field of a struct, is one operation: ints = {number in Program.stored, leaf}; texts = {the leaf's path, or
 * ""}. expand_stored.c goes on from there. */
#include <ctype.h>

#include "tensor.h"

enum { NAME_LIMIT = 64 };

static const Value *const POISON = &value_poison;

/* ---- checking ------------------------------------------------------------------------------------------ */

static bool allowed(Checker *cx, const char *builtin, Span at) {
  if (!check_is_joint(cx)) {
    CHECK_DIAG(cx, E0313, at, builtin);
    return false;
  }
  if (check_in_protocol(cx))
    return true;
  CHECK_DIAG(cx, E0309, at, arena_printf(cx->arena, "`%s`", builtin));
  return false;
}

/* It becomes a part of file names. */
static bool name_allowed(Checker *cx, const char *name, Span at) {
  size_t length = strlen(name);
  bool good = length > 0 && length <= NAME_LIMIT;
  for (size_t i = 0; i < length; i++)
    good = good && (isalnum((unsigned char)name[i]) || name[i] == '_' || name[i] == '-');
  if (!good)
    diag_help(CHECK_DIAG(cx, E0142, at, name), "take 1 to 64 letters, digits, `_` and `-`");
  return good;
}

static int describe(Checker *cx, const char *name, bool loads, const char *type, Span at) {
  Stored s = {
      .name = name, .loads = loads, .type = type, .protocol = check_private_place(cx).index, .span = at};
  VEC_PUSH(cx->arena, &cx->program->stored, s);
  return cx->program->stored.count - 1;
}

static void store_leaf(Checker *cx, const Value *leaf, int stored, int number, const char *path, Span at) {
  Op *operand = tensor_op(cx, leaf);
  Op *op = ir_op(cx->program, cx->block, OP_STORE, (IrType){0}, check_site(cx, at));
  op->at = check_private_place(cx);
  op->text = cx->program->stored.data[stored].name;
  ir_operand(cx->program, op, operand);
  ir_int(cx->program, op, stored);
  ir_int(cx->program, op, number);
  VEC_PUSH(cx->arena, &op->texts, path ? path : "");
}

const Value *check_stored_store(Checker *cx, const Value *v, const Expr *e, const char *name, Span at) {
  Leaves leaves = {0};
  if (!allowed(cx, "store", at) || !name_allowed(cx, name, at))
    return POISON;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind == VAL_TENSOR && leaf->place.kind == PLACE_PRIVATE)
      continue;
    const char *what = leaf->kind == VAL_TENSOR ? check_place_text(cx, leaf, false) : "a text";
    Diag *d = CHECK_DIAG(cx, E0317, e->span, "store", what);
    diag_help(d, "what is public or at one party is written with `output`, in an `at` block");
    return POISON;
  }
  int stored = describe(cx, name, false, value_type_text(cx->arena, v), at);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = tensor_lift(cx, leaves.list.data[i], e->span);
    if (leaf->kind != VAL_TENSOR)
      return POISON;
    store_leaf(cx, leaf, stored, i, value_leaf_path(cx->arena, v, i), at);
  }
  cx->program->stored.data[stored].leaves = leaves.list.count;
  return &value_void;
}

static const Value *load_leaf(Checker *cx, const Type *t, int stored, const char *path, Span at) {
  Stored *s = &cx->program->stored.data[stored];
  IrType type = {.elem = t->elem, .shape = t->shape};
  Op *op = ir_op(cx->program, cx->block, OP_LOAD, type, check_site(cx, at));
  op->at = check_private_place(cx);
  op->text = s->name;
  ir_int(cx->program, op, stored);
  ir_int(cx->program, op, s->leaves++);
  VEC_PUSH(cx->arena, &op->texts, path ? path : "");
  return value_of(cx->arena, op);
}

static const Value *load_value(Checker *cx, const Type *t, int stored, const char *path, Span at) {
  if (t->kind == TY_TENSOR && !t->is_float)
    return load_leaf(cx, t, stored, path, at);
  if (t->kind == TY_TENSOR) {
    CHECK_DIAG(cx, E0205, at);
    return POISON;
  }
  if (t->kind != TY_STRUCT) {
    CHECK_DIAG(cx, E0208, at, type_text(cx->arena, t), "what is loaded");
    return POISON;
  }
  int n = t->st->decl->fields.count;
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  for (int i = 0; i < n; i++) {
    const char *field = t->st->decl->fields.data[i].name;
    field = path ? arena_printf(cx->arena, "%s.%s", path, field) : field;
    items[i] = load_value(cx, t->st->fields[i], stored, field, at);
    if (items[i]->kind == VAL_POISON)
      return POISON;
  }
  return value_items(cx->arena, VAL_STRUCT, t->st, items, n);
}

/* The type as `value_type_text` shows it of a value: without places. */
static const char *bare_type_text(Checker *cx, const Type *want) {
  Type *t = ARENA_NEW(cx->arena, Type);
  *t = *want;
  t->visibility = VIS_NONE;
  t->has_place = false;
  return type_text(cx->arena, t);
}

const Value *check_stored_load(Checker *cx, const Type *want, const char *name, Span at) {
  if (!allowed(cx, "load", at) || !name_allowed(cx, name, at))
    return POISON;
  if (!want || want->kind == TY_NONE) {
    Diag *d = CHECK_DIAG(cx, E0207, at, "load");
    diag_label(d, "type unknown");
    diag_help(d, "say what was stored: `let m: private fixed[100, 2] = %s`", span_text(cx->arena, at));
    return POISON;
  }
  int stored = describe(cx, name, true, bare_type_text(cx, want), at);
  return load_value(cx, want, stored, NULL, at);
}
