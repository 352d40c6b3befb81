/* `store` and `load` in the choreography: one operation for each part that the protocol kind holds of a leaf
 * (check_stored.c): ints = {number in Program.stored, leaf, part}; texts = {the leaf's path, the part's name}.
 *
 * A fixed number is stored with the bits that the kind's `width fn store` asks for, whatever the program needs
 * it in, so that every program can load it: what needs fewer drops some, what needs more is made of it by the
 * kind's `fn load`. */
#include "kind.h"

static Op *part_op(Kind *x, const Op *joint, OpKind kind, IrType type, int part) {
  PartySet where = x->everybody;
  kind_party(x, x->kind->holds.data[part].type->place.name, &where);
  Op *op = kind_append(x, kind, type, where);
  op->text = joint->text;
  ir_int(x->out, op, joint->ints.data[0]);
  ir_int(x->out, op, joint->ints.data[1]);
  ir_int(x->out, op, part);
  VEC_PUSH(x->arena, &op->texts, joint->texts.data[0]);
  VEC_PUSH(x->arena, &op->texts, x->kind->holds.data[part].name);
  return op;
}

/* What parts of a stored value are, if they are in a ring. */
static IrType stored_ring(Kind *x, Elem elem, Shape shape) {
  return kind_ring(kind_stored_bits(x, elem), elem == EL_FIXED ? kind_instance(x)->frac : 0, shape);
}

Val kind_expand_store(Kind *x, const Op *joint, Val v) {
  Span at = joint->site ? joint->site->span : (Span){0};
  const Op *value = joint->args.data[0];
  IrType ring = stored_ring(x, value->type.elem, value->type.shape);
  if (v.items[0].op->type.elem == EL_RING)
    v = kind_narrow(x, at, v, ring.bits);
  for (int i = 0; i < v.count && !x->failed; i++) {
    const IrType *t = &v.items[i].op->type;
    if (t->elem == EL_RING && (t->bits != ring.bits || t->scale != ring.scale))
      return kind_fail(x, at, "a stored part is %s instead of %s", ir_type_text(x->arena, t),
                       ir_type_text(x->arena, &ring));
    ir_operand(x->out, part_op(x, joint, OP_STORE, (IrType){0}, i), v.items[i].op);
  }
  return NOTHING;
}

Val kind_expand_load(Kind *x, const Op *joint) {
  Span at = joint->site ? joint->site->span : (Span){0};
  int count = x->kind->holds.count;
  IrType ring = stored_ring(x, joint->type.elem, joint->type.shape);
  Val v = {
      .kind = V_STRUCT, .name = x->kind->name, .is_private = true, .protocol = x->protocol, .count = count};
  v.fields = ARENA_ARRAY(x->arena, const char *, count);
  v.items = ARENA_ARRAY(x->arena, Val, count);
  for (int i = 0; i < count; i++) {
    bool is_ring = strcmp(x->kind->holds.data[i].type->name, "ring") == 0;
    Op *op = part_op(x, joint, OP_LOAD, is_ring ? ring : joint->type, i);
    v.fields[i] = x->kind->holds.data[i].name;
    v.items[i] = val_tensor(op, op->where);
  }
  bool is_narrow = v.items[0].op->type.elem == EL_RING && ring.bits < joint->width;
  return is_narrow ? kind_call(x, "load", &v, 1, &at) : v;
}
