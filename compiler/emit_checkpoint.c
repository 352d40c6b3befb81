/* Checkpoints in `run`: where a party can leave off, and go on in another process.
 *
 * All that `run` knows at such a point lies in the arena or in its variables (scalars, addresses of views, instance
 * numbers and bounds of loops). The variables are copied into a frame for the runtime, which keeps frame and arena
 * (runtime/checkpoint.h); to resume, they are copied back, and a switch goes to the point. So loops can be entered
 * in the middle; the work of a pass is in functions of its own and loses nothing by that. A program without
 * checkpoints has none of it. */
#include "emit_llvm.h"

typedef struct Resume {
  LLVMBasicBlockRef save, dispatch;
  LLVMValueRef point, resumed; /* phis: of save; of dispatch */
  LLVMValueRef frame;
  LLVMValueRef *instances, *highs; /* by depth */
  int depth;                       /* of the deepest loop */
  VEC(LLVMBasicBlockRef) behind;   /* by point */
  VEC(const Op *) points;
} Resume;

static void find_checkpoint(Op *op, void *data) {
  int *count = data;
  *count += op->kind == OP_CHECKPOINT;
}

int emit_checkpoint_count(const Emitter *e) {
  int count = 0;
  ir_walk(e->program->body, find_checkpoint, &count);
  return count;
}

static void find_depth(Op *op, void *data) {
  int *depth = data, n = 0;
  for (const Op *at = op; at; at = at->parent->owner)
    n += at->kind == OP_FOR || at->kind == OP_WHILE;
  *depth = n > *depth ? n : *depth;
}

static int word_count(const Emitter *e) {
  return e->plan->slots + 2 * (e->resume->depth + 1);
}

/* The variable that word i of the frame is kept for. */
static LLVMValueRef variable(const Emitter *e, int i) {
  const Resume *r = e->resume;
  if (i < e->plan->slots)
    return e->slots[i];
  i -= e->plan->slots;
  if (i <= r->depth)
    return r->instances[i];
  i -= r->depth + 1;
  return i <= r->depth ? r->highs[i] : e->pointers[i - r->depth - 1];
}

static void copy_frame(Emitter *e, bool out) {
  int words = word_count(e), all = words + e->plan->pointers;
  for (int i = 0; i < all; i++) {
    LLVMTypeRef type = i < words ? e->i64 : e->ptr;
    LLVMValueRef place = emit_offset(e, e->resume->frame, emit_i64(e, i));
    LLVMValueRef from = out ? variable(e, i) : place, to = out ? place : variable(e, i);
    LLVMBuildStore(e->builder, LLVMBuildLoad2(e->builder, type, from, ""), to);
  }
}

static LLVMValueRef *loop_variables(Emitter *e) {
  LLVMValueRef *v = ARENA_ARRAY(e->arena, LLVMValueRef, e->resume->depth + 1);
  for (int i = 0; i <= e->resume->depth; i++) {
    v[i] = LLVMBuildAlloca(e->builder, e->i64, "");
    LLVMBuildStore(e->builder, emit_i64(e, 0), v[i]);
  }
  return v;
}

static LLVMBasicBlockRef phi_block(Emitter *e, LLVMValueRef *phi) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder), block = emit_block(e);
  LLVMPositionBuilderAtEnd(e->builder, block);
  *phi = LLVMBuildPhi(e->builder, e->i64, "point");
  LLVMPositionBuilderAtEnd(e->builder, here);
  return block;
}

void emit_resume_begin(Emitter *e) {
  if (emit_checkpoint_count(e) == 0)
    return;
  Resume *r = e->resume = ARENA_NEW(e->arena, Resume);
  ir_walk(e->program->body, find_depth, &r->depth);
  r->instances = loop_variables(e);
  r->highs = loop_variables(e);
  int words = word_count(e), pointers = e->plan->pointers;
  r->frame = LLVMBuildAlloca(e->builder, LLVMArrayType2(e->i64, (uint64_t)(words + pointers)), "frame");
  r->save = phi_block(e, &r->point);
  r->dispatch = phi_block(e, &r->resumed);
  LLVMBasicBlockRef restore = emit_block(e), start = emit_block(e);
  LLVMValueRef point = EMIT_CALL(e, tfe_resume, e->ctx, r->frame, emit_i64(e, words), emit_i64(e, pointers));
  LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, point, emit_i64(e, 0), ""), start,
                  restore);
  LLVMPositionBuilderAtEnd(e->builder, restore);
  copy_frame(e, false);
  LLVMBuildBr(e->builder, r->dispatch);
  LLVMAddIncoming(r->resumed, &point, &restore, 1);
  LLVMPositionBuilderAtEnd(e->builder, start);
}

void emit_resume_end(Emitter *e) {
  Resume *r = e->resume;
  if (!r)
    return;
  LLVMPositionBuilderAtEnd(e->builder, r->save);
  copy_frame(e, true);
  EMIT_CALL(e, tfe_checkpoint, e->ctx, r->frame, emit_i64(e, word_count(e)), emit_i64(e, e->plan->pointers),
            r->point);
  LLVMBasicBlockRef saved = LLVMGetInsertBlock(e->builder), nowhere = emit_block(e);
  LLVMBuildBr(e->builder, r->dispatch);
  LLVMAddIncoming(r->resumed, &r->point, &saved, 1);
  LLVMPositionBuilderAtEnd(e->builder, r->dispatch);
  LLVMValueRef which = LLVMBuildSwitch(e->builder, r->resumed, nowhere, (unsigned)r->behind.count);
  for (int i = 0; i < r->behind.count; i++)
    LLVMAddCase(which, emit_i64(e, i), r->behind.data[i]);
  LLVMPositionBuilderAtEnd(e->builder, nowhere);
  LLVMBuildUnreachable(e->builder);
}

void emit_checkpoint(Emitter *e, const Op *op) {
  Resume *r = e->resume;
  LLVMBasicBlockRef behind = emit_block(e);
  LLVMValueRef due = EMIT_CALL(e, tfe_checkpoint_due, e->ctx), point = emit_i64(e, r->behind.count);
  LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
  LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntNE, due, emit_i64(e, 0), ""), r->save, behind);
  LLVMAddIncoming(r->point, &point, &here, 1);
  VEC_PUSH(e->arena, &r->behind, behind);
  VEC_PUSH(e->arena, &r->points, op);
  LLVMPositionBuilderAtEnd(e->builder, behind);
}

LLVMValueRef emit_live(Emitter *e, int point) {
  const PlanValue *v = plan_of(e->resume->points.data[point]);
  int64_t *numbers = ARENA_ARRAY(e->arena, int64_t, 1 + 2 * v->live.count);
  numbers[0] = v->live.count;
  for (int i = 0; i < v->live.count; i++) {
    numbers[1 + 2 * i] = v->live.data[i].offset;
    numbers[2 + 2 * i] = v->live.data[i].words;
  }
  return emit_i64_array(e, numbers, 1 + 2 * v->live.count);
}

/* ---- what a loop keeps outside of the arena -------------------------------------------------------------- */

void emit_set_instance(Emitter *e, LLVMValueRef v) {
  if (e->resume)
    LLVMBuildStore(e->builder, v, e->resume->instances[e->depth]);
  else
    e->instance = v;
}

LLVMValueRef emit_instance(Emitter *e) {
  return e->resume ? LLVMBuildLoad2(e->builder, e->i64, e->resume->instances[e->depth], "") : e->instance;
}

void emit_set_high(Emitter *e, LLVMValueRef v) {
  if (e->resume)
    LLVMBuildStore(e->builder, v, e->resume->highs[e->depth]);
}

LLVMValueRef emit_high(Emitter *e, LLVMValueRef v) {
  return e->resume ? LLVMBuildLoad2(e->builder, e->i64, e->resume->highs[e->depth], "") : v;
}
