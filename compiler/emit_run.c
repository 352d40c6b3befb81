/* The function `run`: steps in order, loops and branches as basic blocks, guards for what only some
 * members of a family do, and messages. Scalars are variables on the stack (which LLVM turns into
 * registers); tensors are addresses in the arena, as the plan says. */
#include <assert.h>

#include "emit_llvm.h"

/* ---- values ---------------------------------------------------------------------------------- */

LLVMValueRef emit_offset(Emitter *e, LLVMValueRef address, LLVMValueRef words) {
  return LLVMBuildInBoundsGEP2(e->builder, e->i64, address, &words, 1, "");
}

static LLVMValueRef const_data(Emitter *e, const Op *op) {
  PlanValue *v = plan_of(op);
  if (!v->data) {
    int64_t n = shape_count(&op->type.shape);
    int64_t *words = ARENA_ARRAY(e->arena, int64_t, n + 1);
    for (int64_t i = 0; i < n; i++)
      words[i] = (int64_t)op->data[op->data_count == 1 ? 0 : i];
    v->data = emit_i64_array(e, words, (int)n);
  }
  return v->data;
}

LLVMValueRef emit_address(Emitter *e, const Op *value) {
  const PlanValue *v = plan_of(value);
  switch (v->loc) {
  case PLAN_SLOT: return e->slots[v->slot];
  case PLAN_ARENA: return emit_offset(e, e->data, emit_i64(e, v->offset));
  case PLAN_VIEW: return LLVMBuildLoad2(e->builder, e->ptr, e->pointers[v->slot], "");
  case PLAN_CONST: return const_data(e, value);
  case PLAN_ALIAS: {
    LLVMValueRef base = emit_address(e, v->alias);
    return v->alias_words ? emit_offset(e, base, emit_i64(e, v->alias_words)) : base;
  }
  case PLAN_PIECES:
  case PLAN_NONE: break;
  }
  assert(false && "a value without a place");
  return NULL;
}

LLVMValueRef emit_load(Emitter *e, const Op *scalar) {
  if (scalar->kind == OP_CONST)
    return scalar->type.elem == EL_FIXED ? LLVMConstReal(e->f64, ir_bits_fixed(scalar->data[0]))
                                         : emit_i64(e, (int64_t)scalar->data[0]);
  return LLVMBuildLoad2(e->builder, emit_elem_type(e, &scalar->type), emit_address(e, scalar), "");
}

void emit_store(Emitter *e, const Op *scalar, LLVMValueRef v) {
  LLVMBuildStore(e->builder, v, emit_address(e, scalar));
}

void emit_copy_words(Emitter *e, LLVMValueRef to, LLVMValueRef from, int64_t words) {
  if (words == 1)
    LLVMBuildStore(e->builder, LLVMBuildLoad2(e->builder, e->i64, from, ""), to);
  else if (words > 1)
    LLVMBuildMemCpy(e->builder, to, 8, from, 8, emit_i64(e, 8 * words));
}

LLVMBasicBlockRef emit_block(Emitter *e) {
  return LLVMAppendBasicBlockInContext(e->context, e->run, "");
}

/* ---- guards ---------------------------------------------------------------------------------- */

typedef struct Guard {
  PartySet outer;
  LLVMBasicBlockRef behind; /* NULL: everybody who is here takes part */
} Guard;

static PartySet all_members(const Emitter *e) {
  return party_range(e->self->first, e->self->count);
}

/* "the running member is in set", for a set that is not all of them */
static LLVMValueRef is_member(Emitter *e, PartySet set) {
  if (party_size(set) == 1)
    return LLVMBuildICmp(e->builder, LLVMIntEQ, e->member, emit_i64(e, party_first(set) - e->self->first),
                         "");
  LLVMValueRef flags[MAX_PARTIES];
  for (int i = 0; i < e->self->count; i++)
    flags[i] = LLVMConstInt(e->i8, party_has(set, e->self->first + i), 0);
  LLVMValueRef all = emit_global(e, LLVMConstArray2(e->i8, flags, (uint64_t)e->self->count), "members");
  LLVMValueRef at = LLVMBuildInBoundsGEP2(e->builder, e->i8, all, &e->member, 1, "");
  return LLVMBuildICmp(e->builder, LLVMIntNE, LLVMBuildLoad2(e->builder, e->i8, at, ""),
                       LLVMConstInt(e->i8, 0, 0), "");
}

/* From here to close_guard only the members in `set` run. */
static Guard open_guard(Emitter *e, PartySet set) {
  Guard g = {.outer = e->present};
  set = party_and(set, e->present);
  if (party_equal(set, e->present))
    return g;
  LLVMBasicBlockRef inside = emit_block(e);
  g.behind = emit_block(e);
  LLVMBuildCondBr(e->builder, is_member(e, set), inside, g.behind);
  LLVMPositionBuilderAtEnd(e->builder, inside);
  e->present = set;
  return g;
}

static void close_guard(Emitter *e, Guard g) {
  e->present = g.outer;
  if (!g.behind)
    return;
  LLVMBuildBr(e->builder, g.behind);
  LLVMPositionBuilderAtEnd(e->builder, g.behind);
}

/* ---- messages -------------------------------------------------------------------------------- */

static int64_t bits_of(const IrType *t) {
  return t->elem == EL_RING ? t->bits : t->elem == EL_BOOL ? 1 : 64;
}

static void put_field(Emitter *e, int part, unsigned field, LLVMValueRef v) {
  LLVMValueRef index[] = {emit_i64(e, part), LLVMConstInt(e->i32, field, 0)};
  LLVMBuildStore(e->builder, v, LLVMBuildInBoundsGEP2(e->builder, e->part, e->parts, index, 2, ""));
}

/* Members that hold the value of an arriving message already; they copy it to where the receiver gets it. */
static PartySet holders(const Emitter *e, const Op *op) {
  return party_minus(party_and(op->where, all_members(e)), party_one((int)op->ints.data[1]));
}

static PartySet step_members(const Emitter *e, const Step *s) {
  const Op *op = s->ops.data[0];
  if (s->kind == STEP_MESSAGES)
    return party_one((int)op->ints.data[plan_sends(op) ? 0 : 1]);
  PartySet where = party_and(op->where, all_members(e));
  return party_empty(where) ? all_members(e) : where;
}

static void emit_messages(Emitter *e, const Step *s) {
  const Op *first = s->ops.data[0];
  bool sends = plan_sends(first);
  for (int i = 0; i < s->ops.count; i++) {
    const Op *value = sends ? s->ops.data[i]->args.data[0] : s->ops.data[i];
    put_field(e, i, 0, emit_address(e, value));
    put_field(e, i, 1, emit_i64(e, shape_count(&value->type.shape)));
    put_field(e, i, 2, emit_i64(e, bits_of(&value->type)));
  }
  LLVMValueRef peer = emit_i64(e, first->ints.data[sends ? 1 : 0]), number = emit_i64(e, first->message);
  if (sends)
    EMIT_CALL(e, tfe_send, e->ctx, peer, number, e->parts, emit_i64(e, s->ops.count));
  else
    EMIT_CALL(e, tfe_recv, e->ctx, peer, number, e->parts, emit_i64(e, s->ops.count));
}

static void emit_holders(Emitter *e, const Step *s) {
  for (int i = 0; i < s->ops.count; i++) {
    const Op *op = s->ops.data[i];
    if (!plan_receives(op) || op->args.count == 0 || !plan_of(op->args.data[0]) ||
        party_empty(party_and(holders(e, op), e->present)))
      continue;
    Guard g = open_guard(e, holders(e, op));
    emit_copy_words(e, emit_address(e, op), emit_address(e, op->args.data[0]), shape_count(&op->type.shape));
    close_guard(e, g);
  }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void emit_control(Emitter *e, Op *op);

static void emit_step(Emitter *e, const Step *s) {
  if (s->kind == STEP_LOOP)
    emit_fused(e, s);
  else if (s->kind == STEP_MESSAGES)
    emit_messages(e, s);
  else if (s->ops.data[0]->blocks.count)
    emit_control(e, s->ops.data[0]);
  else
    emit_op(e, s->ops.data[0]);
}

/* Steps of the same members share a guard. */
static void emit_steps(Emitter *e, const PlanBlock *b) {
  for (int i = 0; i < b->steps.count;) {
    PartySet set = step_members(e, &b->steps.data[i]);
    Guard g = open_guard(e, set);
    bool message;
    do {
      message = b->steps.data[i].kind == STEP_MESSAGES;
      emit_step(e, &b->steps.data[i++]);
    } while (i < b->steps.count && !message && party_equal(step_members(e, &b->steps.data[i]), set));
    close_guard(e, g);
    if (message)
      emit_holders(e, &b->steps.data[i - 1]);
  }
}

static LLVMValueRef home_address(Emitter *e, const PlanHome *h) {
  return h->slot >= 0 ? e->slots[h->slot] : emit_offset(e, e->data, emit_i64(e, h->offset));
}

/* What a block yields becomes the homes' contents, as if all at once. */
static void emit_yields(Emitter *e, const Op *control, const IrBlock *b, const PlanBlock *pb) {
  const PlanValue *v = plan_of(control);
  LLVMValueRef *scalars = ARENA_ARRAY(e->arena, LLVMValueRef, v->home_count + 1);
  for (int k = 0; k < v->home_count; k++)
    if (v->homes[k].slot >= 0)
      scalars[k] = emit_load(e, b->yields.data[k]);
  for (int pass = 0; pass < 3; pass++) /* to temporary memory; straight home; from temporary memory home */
    for (int i = 0; i < pb->copies.count; i++) {
      const PlanCopy *c = &pb->copies.data[i];
      if (c->through_temp ? pass == 1 : pass != 1)
        continue;
      LLVMValueRef temp = emit_offset(e, e->data, emit_i64(e, c->temp_offset));
      LLVMValueRef from = pass == 2 ? temp : emit_address(e, c->from);
      LLVMValueRef to = pass == 0 ? temp : home_address(e, &v->homes[c->k]);
      emit_copy_words(e, to, from, shape_count(&c->from->type.shape));
    }
  for (int k = 0; k < v->home_count; k++)
    if (v->homes[k].slot >= 0)
      LLVMBuildStore(e->builder, scalars[k], home_address(e, &v->homes[k]));
}

static void emit_initial(Emitter *e, const Op *loop, int first) {
  const PlanValue *v = plan_of(loop);
  for (int k = 0; k < v->home_count; k++) {
    const Op *x = loop->args.data[first + k];
    if (v->homes[k].slot >= 0)
      LLVMBuildStore(e->builder, emit_load(e, x), home_address(e, &v->homes[k]));
    else
      emit_copy_words(e, home_address(e, &v->homes[k]), emit_address(e, x), shape_count(&x->type.shape));
  }
}

static LLVMValueRef next_pass(Emitter *e, const Op *loop) {
  return EMIT_CALL(e, tfe_loop_pass, e->ctx, emit_i64(e, loop->id));
}

static void emit_for(Emitter *e, Op *op) {
  const PlanValue *v = plan_of(op);
  const Op *index = op->blocks.data[0]->params.data[0];
  emit_initial(e, op, 2);
  LLVMValueRef high = emit_load(e, op->args.data[1]);
  emit_set_high(e, high);
  emit_store(e, index, emit_load(e, op->args.data[0]));
  LLVMBasicBlockRef head = emit_block(e), body = emit_block(e), behind = emit_block(e);
  LLVMBuildBr(e->builder, head);
  LLVMPositionBuilderAtEnd(e->builder, head);
  LLVMBuildCondBr(e->builder,
                  LLVMBuildICmp(e->builder, LLVMIntSLT, emit_load(e, index), emit_high(e, high), ""), body,
                  behind);
  LLVMPositionBuilderAtEnd(e->builder, body);
  EMIT_CALL(e, tfe_pass, e->ctx);
  emit_set_instance(e, next_pass(e, op));
  emit_steps(e, v->blocks[0]);
  emit_yields(e, op, op->blocks.data[0], v->blocks[0]);
  emit_store(e, index, LLVMBuildAdd(e->builder, emit_load(e, index), emit_i64(e, 1), ""));
  LLVMBuildBr(e->builder, head);
  LLVMPositionBuilderAtEnd(e->builder, behind);
}

static void emit_while(Emitter *e, Op *op) {
  const PlanValue *v = plan_of(op);
  emit_initial(e, op, 0);
  LLVMBasicBlockRef head = emit_block(e), body = emit_block(e), behind = emit_block(e);
  LLVMBuildBr(e->builder, head);
  LLVMPositionBuilderAtEnd(e->builder, head);
  EMIT_CALL(e, tfe_pass, e->ctx);
  emit_set_instance(e, next_pass(e, op));
  emit_steps(e, v->blocks[0]);
  LLVMValueRef more = emit_load(e, op->blocks.data[0]->yields.data[0]);
  LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntNE, more, emit_i64(e, 0), ""), body, behind);
  LLVMPositionBuilderAtEnd(e->builder, body);
  emit_steps(e, v->blocks[1]);
  emit_yields(e, op, op->blocks.data[1], v->blocks[1]);
  LLVMBuildBr(e->builder, head);
  LLVMPositionBuilderAtEnd(e->builder, behind);
}

static void emit_if(Emitter *e, Op *op) {
  const PlanValue *v = plan_of(op);
  LLVMBasicBlockRef side[2] = {emit_block(e), emit_block(e)}, behind = emit_block(e);
  LLVMValueRef condition = emit_load(e, op->args.data[0]);
  LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntNE, condition, emit_i64(e, 0), ""), side[0],
                  side[1]);
  for (int i = 0; i < 2; i++) {
    LLVMPositionBuilderAtEnd(e->builder, side[i]);
    if (i < op->blocks.count) {
      emit_steps(e, v->blocks[i]);
      emit_yields(e, op, op->blocks.data[i], v->blocks[i]);
    }
    LLVMBuildBr(e->builder, behind);
  }
  LLVMPositionBuilderAtEnd(e->builder, behind);
}

static void emit_control(Emitter *e, Op *op) {
  LLVMValueRef outer = e->instance;
  for (int i = 0; i < plan_of(op)->packs.count; i++)
    emit_pack(e, plan_of(op)->packs.data[i]);
  e->depth += op->kind != OP_IF;
  switch (op->kind) {
  case OP_FOR: emit_for(e, op); break;
  case OP_WHILE: emit_while(e, op); break;
  default: emit_if(e, op); break;
  }
  e->depth -= op->kind != OP_IF;
  e->instance = outer;
}

/* ---- the function ---------------------------------------------------------------------------- */

static int largest_message(const PlanBlock *b) {
  int n = 1;
  for (int i = 0; i < b->steps.count; i++) {
    const Step *s = &b->steps.data[i];
    if (s->kind == STEP_MESSAGES && s->ops.count > n)
      n = s->ops.count;
    for (int k = 0; k < s->ops.data[0]->blocks.count && s->kind == STEP_OP; k++) {
      int inner = largest_message(plan_of(s->ops.data[0])->blocks[k]);
      n = inner > n ? inner : n;
    }
  }
  return n;
}

static LLVMValueRef *variables(Emitter *e, int count, LLVMTypeRef type, LLVMValueRef initial) {
  LLVMValueRef *v = ARENA_ARRAY(e->arena, LLVMValueRef, count + 1);
  for (int i = 0; i < count; i++) {
    v[i] = LLVMBuildAlloca(e->builder, type, "");
    LLVMBuildStore(e->builder, initial, v[i]);
  }
  return v;
}

void emit_run(Emitter *e) {
  e->run =
      LLVMAddFunction(e->main.module, "run", LLVMFunctionType(e->i32, (LLVMTypeRef[]){e->ptr, e->ptr}, 2, 0));
  LLVMSetLinkage(e->run, LLVMInternalLinkage);
  emit_attribute(e, e->run, LLVMAttributeFunctionIndex, "nounwind", 0);
  e->ctx = LLVMGetParam(e->run, 0);
  e->data = LLVMGetParam(e->run, 1);
  LLVMBasicBlockRef entry = emit_block(e);
  e->failed = emit_block(e);
  LLVMPositionBuilderAtEnd(e->builder, e->failed);
  e->status = LLVMBuildPhi(e->builder, e->i32, "status");
  LLVMBuildRet(e->builder, e->status);

  LLVMPositionBuilderAtEnd(e->builder, entry);
  e->slots = variables(e, e->plan->slots, e->i64, emit_i64(e, 0));
  e->pointers = variables(e, e->plan->pointers, e->ptr, e->data);
  unsigned parts = (unsigned)largest_message(e->plan->body);
  e->parts = LLVMBuildAlloca(e->builder, LLVMArrayType2(e->part, parts), "parts");
  e->level = e->unit->levels > 1 ? EMIT_CALL(e, tfe_vector_level, e->ctx) : emit_i64(e, 0);
  e->member = e->self->family ? EMIT_CALL(e, tfe_member, e->ctx) : emit_i64(e, 0);
  e->instance = emit_i64(e, 0);
  e->present = all_members(e);
  emit_resume_begin(e);
  emit_steps(e, e->plan->body);
  LLVMBuildRet(e->builder, LLVMConstInt(e->i32, 0, 0));
  emit_resume_end(e);
}
