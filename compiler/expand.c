/* Protocol expansion. The joint program is walked once; whatever is not private is copied with its place
 * turned into a set of parties; for each private operation the function of that name in the protocol kind's
 * file is interpreted (kind.h), and the ring operations and messages it makes are appended to the
 * choreography. */
#include "expand.h"

#include <assert.h>

#include "kind.h"

static void expand_block(Kind *x, const IrBlock *from);

/* How many of a joint operation's operands are data (the others are indices). */
static int data_operands(const Op *joint) {
  switch (joint->kind) {
  case OP_CONCAT: return joint->args.count;
  case OP_UPDATE: return 2;
  default: return 1;
  }
}

/* ---- the joint program ----------------------------------------------------------------------------- */

static PartySet place_parties(const Kind *x, Place at) {
  switch (at.kind) {
  case PLACE_PUBLIC: return x->everybody;
  case PLACE_AT: return party_one(at.index);
  case PLACE_EACH: {
    const PartyDecl *d = &x->joint->parties.data[at.index];
    return party_range(d->first, d->count);
  }
  case PLACE_PRIVATE: break;
  }
  return party_none();
}

static Val *remember(Kind *x, Op *joint, Val v) {
  Val *kept = ARENA_NEW(x->arena, Val);
  *kept = v;
  joint->note = kept;
  return kept;
}

/* A private number in the ring that was chosen for it. */
static Val fitted(Kind *x, const Op *joint, Val v) {
  if (!joint->width || !val_is_private(&v))
    return v;
  Span at = joint->site ? joint->site->span : (Span){0};
  for (int i = 0; i < v.count; i++) {
    const IrType *t = &v.items[i].op->type;
    if (t->elem == EL_RING && t->bits < joint->width)
      return kind_fail(x, at, "its result has %d bits, %d are needed", t->bits, joint->width);
  }
  return kind_narrow(x, at, v, joint->width);
}

static const Val *value_of(const Op *joint) {
  assert(joint->note);
  return joint->note;
}

static Val copy_clear(Kind *x, Op *joint) {
  PartySet where = place_parties(x, joint->at);
  if (op_info[joint->kind].class == OPC_EFFECT && joint->type.elem == EL_NONE &&
      joint->at.kind == PLACE_PUBLIC)
    where = x->everybody;
  x->current = joint;
  Op *op = kind_append(x, joint->kind, joint->type, where);
  for (int i = 0; i < joint->args.count; i++)
    ir_operand(x->out, op, value_of(joint->args.data[i])->op);
  op->at = joint->at; /* PRINT, ENTROPY: public or not */
  op->ints = joint->ints;
  op->text = joint->text;
  op->data = joint->data;
  op->data_count = joint->data_count;
  op->texts = joint->texts;
  return val_tensor(op, where);
}

static Val expand_reveal(Kind *x, Op *joint, int protocol) {
  Val args[2] = {*value_of(joint->args.data[0])};
  Span at = joint->site ? joint->site->span : (Span){0};
  PartySet to = place_parties(x, joint->at);
  if (protocol < 0) {
    x->current = joint;
    return kind_send(x, at, args[0], to);
  }
  kind_enter(x, joint, protocol);
  if (joint->at.kind == PLACE_PUBLIC)
    return kind_send(x, at, kind_call(x, "reveal", args, 1, &at), to);
  args[1] = val_parties(to);
  Val v = kind_call(x, "reveal_to", args, 2, &at);
  return v;
}

/* An input that is shared as it is read can be checked against the declared range before anything is sent. */
static void note_range(Kind *x, const Op *shared) {
  while (op_info[shared->kind].class == OPC_MOVE)
    shared = shared->args.data[0];
  if (shared->kind != OP_INPUT || shared->type.elem == EL_BOOL)
    return;
  Slot *slot = &x->out->slots.data[shared->ints.data[0]];
  int whole = shared->type.elem == EL_FIXED ? kind_instance(x)->whole : kind_instance(x)->ring - 2;
  slot->whole = slot->whole && slot->whole < whole ? slot->whole : whole;
}

static Val argument(Kind *x, Op *joint) {
  (void)x;
  return *value_of(joint);
}

/* The kind's function gives what the prelude's declares. */
static Val expand_apply(Kind *x, const Op *joint, Val *args, int count, Span at) {
  Val v = kind_call(x, joint->text, args, count, &at);
  if (x->failed)
    return NOTHING;
  if (!val_is_private(&v))
    return kind_fail(x, at, "its `%s` does not give a private value", joint->text);
  IrType t = v.items[0].op->type;
  if (shape_equal(&t.shape, &joint->type.shape))
    return v;
  t.shape = joint->type.shape;
  return kind_fail(x, at, "its `%s` gives %s instead of %s", joint->text,
                   ir_type_text(x->arena, &v.items[0].op->type), ir_type_text(x->arena, &t));
}

static Val expand_private(Kind *x, Op *joint) {
  Span at = joint->site ? joint->site->span : (Span){0};
  int which = kind_private_operand(joint);
  int protocol = joint->at.kind == PLACE_PRIVATE ? joint->at.index : joint->args.data[which]->at.index;
  kind_enter(x, joint, protocol);
  if (joint->kind == OP_SHARE)
    note_range(x, joint->args.data[0]);
  Val args[KIND_OPERANDS];
  int count = kind_arguments(joint, args, argument, x);
  if (count < 0)
    return kind_fail(x, at, "too many operands");
  if (joint->kind == OP_APPLY)
    return expand_apply(x, joint, args, count, at);
  if (joint->kind == OP_STORE)
    return kind_expand_store(x, joint, args[0]);
  if (joint->kind == OP_LOAD)
    return kind_expand_load(x, joint);
  const char *name = kind_function_name(joint);
  bool defined = kind_member(x->kind, name, DECL_FN) != NULL;
  bool partwise = op_info[joint->kind].class == OPC_MOVE || joint->kind == OP_SUM;
  if (!partwise || defined) {
    Val v = kind_call(x, name, args, count, &at);
    v.shared = joint->kind == OP_SHARE ? joint : NULL;
    return v;
  }
  int n = data_operands(joint);
  for (int i = 0; i < n; i++)
    if (args[i].kind == V_TENSOR)
      args[i] = kind_call(x, "lift", &args[i], 1, &at);
  if (x->failed)
    return NOTHING;
  Val v = kind_move(x, joint, args, n);
  if (v.kind == V_STRUCT && joint->kind != OP_SUM && joint->kind != OP_UPDATE) {
    Val *sources = ARENA_ARRAY(x->arena, Val, n);
    memcpy(sources, args, sizeof *sources * (size_t)n);
    v.move = joint;
    v.sources = sources;
    v.source_count = n;
  }
  return v;
}

/* The tensors that carry a value through a loop or a branch. */
typedef VEC(Op *) OpVec;

static void leaves_of(Kind *x, const Val *v, OpVec *out) {
  if (v->kind == V_TENSOR)
    VEC_PUSH(x->arena, out, v->op);
  for (int i = 0; v->kind == V_STRUCT && i < v->count; i++)
    VEC_PUSH(x->arena, out, v->items[i].op);
}

static PartySet leaf_place(Kind *x, const Op *joint, int field) {
  if (joint->at.kind != PLACE_PRIVATE)
    return place_parties(x, joint->at);
  kind_enter(x, joint, joint->at.index);
  PartySet s = x->everybody;
  kind_party(x, x->kind->holds.data[field].type->place.name, &s);
  return s;
}

/* A value like `model` whose tensors are made by `make` (block parameters or results). */
static Val carried(Kind *x, const Op *joint, const Val *model, Op *control, int *index, bool is_param) {
  Val v = *model;
  kind_forget_origin(&v);
  int count = v.kind == V_STRUCT ? v.count : 1;
  if (v.kind == V_STRUCT)
    v.items = ARENA_ARRAY(x->arena, Val, count);
  for (int i = 0; i < count; i++) {
    const Val *m = v.kind == V_STRUCT ? &model->items[i] : model;
    PartySet where = leaf_place(x, joint, i);
    Op *op = is_param ? ir_arg(x->out, x->block, m->op->type, joint->site)
                      : ir_result(x->out, x->block, control, *index, m->op->type);
    op->where = where;
    ++*index;
    if (v.kind == V_STRUCT)
      v.items[i] = val_tensor(op, where);
    else
      v = val_tensor(op, where);
  }
  return v;
}

/* Parameters of a copied block; `models` are the values they start from. */
static void begin_block(Kind *x, Op *control, const IrBlock *from, const Val *models, int skip) {
  x->block = ir_block(x->out, control);
  int index = 0;
  for (int i = 0; i < from->params.count; i++) {
    Op *param = from->params.data[i];
    Val v;
    if (i < skip) {
      Op *op = ir_arg(x->out, x->block, param->type, param->site);
      op->where = control->where;
      v = val_tensor(op, control->where);
    } else {
      v = carried(x, param, &models[i - skip], control, &index, true);
    }
    remember(x, param, v);
  }
}

/* The operation whose ring a carried value has: a parameter of the loop, a result of the branch. NULL: nobody
 * uses the result. */
static const Op *carrier(const Op *control, int k) {
  if (control->kind != OP_IF)
    return control->blocks.data[0]->params.data[control->kind == OP_FOR ? k + 1 : k];
  const IrBlock *b = control->parent;
  for (int i = 0; i < b->ops.count; i++)
    if (b->ops.data[i]->kind == OP_RESULT && b->ops.data[i]->args.data[0] == control &&
        b->ops.data[i]->ints.data[0] == k)
      return b->ops.data[i];
  return NULL;
}

/* The yields of a copied block; `values`, if not NULL, gets them. */
static void end_block(Kind *x, const Op *control, const IrBlock *from, Val *values) {
  bool condition = control->kind == OP_WHILE && from == control->blocks.data[0];
  for (int i = 0; i < from->yields.count && !x->failed; i++) {
    const Op *like = condition ? NULL : carrier(control, i);
    Val v = *value_of(from->yields.data[i]);
    v = like ? fitted(x, like, v) : v;
    OpVec leaves = {0};
    leaves_of(x, &v, &leaves);
    for (int k = 0; k < leaves.count; k++)
      VEC_PUSH(x->arena, &x->block->yields, leaves.data[k]);
    if (values)
      values[i] = v;
  }
}

/* The operands of a control operation; initial values in the ring that they are carried in. */
static void begin_control(Kind *x, const Op *joint, int fixed_args, Val *models, OpVec *operands) {
  for (int i = 0; i < joint->args.count && !x->failed; i++) {
    Val v = *value_of(joint->args.data[i]);
    if (i >= fixed_args)
      models[i - fixed_args] = v = fitted(x, carrier(joint, i - fixed_args), v);
    leaves_of(x, &v, operands);
  }
}

static void expand_control(Kind *x, Op *joint) {
  IrBlock *outer = x->block;
  OpVec operands = {0};
  bool branch = joint->kind == OP_IF;
  int fixed_args = joint->kind == OP_FOR ? 2 : branch ? 1 : 0, skip = joint->kind == OP_FOR ? 1 : 0;
  int carried_count = branch ? joint->blocks.data[0]->yields.count : joint->args.count - fixed_args;
  Val *models = ARENA_ARRAY(x->arena, Val, carried_count + 1);
  x->current = joint;
  begin_control(x, joint, fixed_args, models, &operands);
  Op *control = kind_append(x, joint->kind, joint->type, place_parties(x, joint->at));
  for (int i = 0; i < operands.count; i++)
    ir_operand(x->out, control, operands.data[i]);
  for (int b = 0; b < joint->blocks.count && !x->failed; b++) {
    begin_block(x, control, joint->blocks.data[b], models, skip);
    expand_block(x, joint->blocks.data[b]);
    if (!x->failed) /* the results of a branch look like what its first block yields */
      end_block(x, joint, joint->blocks.data[b], branch && b == 0 ? models : NULL);
  }
  x->block = outer;
  if (x->failed)
    return;
  /* note of the control operation: the models, for the RESULT operations behind it */
  Val list = {.kind = V_STRUCT, .count = carried_count, .items = models, .op = control};
  remember(x, joint, list);
}

static void expand_result(Kind *x, Op *joint) {
  const Val *list = value_of(joint->args.data[0]);
  int k = (int)joint->ints.data[0];
  int index = 0;
  for (int i = 0; i < k; i++)
    index += list->items[i].kind == V_STRUCT ? list->items[i].count : 1;
  x->current = joint;
  remember(x, joint, carried(x, joint, &list->items[k], list->op, &index, false));
}

static void expand_op(Kind *x, Op *joint) {
  if (op_info[joint->kind].class == OPC_CONTROL) {
    expand_control(x, joint);
    return;
  }
  if (joint->kind == OP_RESULT) {
    expand_result(x, joint);
    return;
  }
  int which = kind_private_operand(joint);
  Val v;
  if (joint->kind == OP_REVEAL)
    v = expand_reveal(x, joint, which < 0 ? -1 : joint->args.data[which]->at.index);
  else if (which >= 0 || joint->at.kind == PLACE_PRIVATE)
    v = expand_private(x, joint);
  else
    v = copy_clear(x, joint);
  if (!x->failed)
    remember(x, joint, fitted(x, joint, v));
}

static void expand_block(Kind *x, const IrBlock *from) {
  for (int i = 0; i < from->ops.count && !x->failed; i++)
    expand_op(x, from->ops.data[i]);
}

static Program *new_choreography(Arena *arena, const Program *joint) {
  Program *out = ARENA_NEW(arena, Program);
  *out = *joint;
  out->arena = arena;
  out->self = -1;
  out->next_id = 1;
  memset(&out->methods, 0, sizeof out->methods);
  out->body = NULL;
  out->body = ir_block(out, NULL);
  for (int i = 0; i < out->protocols.count; i++)
    if (strcmp(out->protocols.data[i].kind, "clear") == 0)
      out->clear = true;
  return out;
}

/* One run over the joint program. `opened`: which of its SHAREs the run before found to be opened, or NULL;
 * returns the same of this run; NULL if a message was given. */
static bool *expand_once(Kind *x, const bool *opened) {
  x->out = new_choreography(x->arena, x->joint);
  x->block = x->out->body;
  x->opened = opened;
  x->opens = ARENA_ARRAY(x->arena, bool, x->joint->next_id + 1);
  expand_block(x, x->joint->body);
  return x->failed ? NULL : x->opens;
}

Program *expand_program(Arena *arena, Diags *diags, const Program *joint) {
  Kind x = {.arena = arena, .diags = diags, .joint = joint, .everybody = party_range(0, joint->party_count)};
  /* How an input is best shared depends on what is done with it: a first run finds out. */
  const bool *opened = expand_once(&x, NULL);
  bool any = false;
  for (int i = 0; opened && i < joint->next_id; i++)
    any = any || opened[i];
  if (any)
    opened = expand_once(&x, opened);
  return opened ? x.out : NULL;
}
