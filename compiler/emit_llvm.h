/* What the emitter's files share:
 *   emit.c       modules of parties and of loops, tfe_program, optimisation, object files
 *   emit_run.c   blocks, loops, branches, guards, messages
 *   emit_ops.c   one operation -> calls of the runtime
 *   emit_loop.c  elementwise operations, fused loops
 * Only they (and nobody else) include LLVM. */
#ifndef TFEC_EMIT_LLVM_H
#define TFEC_EMIT_LLVM_H

#include <llvm-c/Core.h>

#include "emit.h"
#include "plan.h"

typedef enum AbiFunction {
#define ABI(name, result, arguments) ABI_##name,
#include "../runtime/include/abi.def"
#undef ABI
  ABI_COUNT
} AbiFunction;

enum { EMIT_VECTOR_LEVELS = 3 };

/* `run` and the tables of a party, or loops. */
typedef struct EmitModule {
  LLVMModuleRef module;
  LLVMValueRef abi[ABI_COUNT], int_power; /* declared, made when needed */
} EmitModule;

/* A fused loop, once for all steps of the same form at all parties. */
typedef struct Kernel {
  const char *key; /* interned */
  int levels;      /* of vectors that it is compiled for */
} Kernel;

/* What is emitted for all parties. */
struct EmitUnit {
  Arena *arena;
  EmitOptions options;
  LLVMContextRef context;
  EmitModule *loops; /* one a part */
  int parts;
  int levels; /* of vectors that loops are compiled for */
  VEC(Kernel) kernels;
  VEC(Emitter *) parties;
};

struct Emitter {
  EmitUnit *unit;
  Program *program;
  const PartyDecl *self;
  Plan *plan;
  Arena *arena;
  LLVMContextRef context;
  EmitModule main, *into; /* into: what is being emitted into */
  LLVMBuilderRef builder; /* of `run` */
  LLVMTypeRef i1, i8, i32, i64, f64, ptr, part;
  int calls;                   /* of the runtime and of loops, in `run` */
  LLVMValueRef run, ctx, data; /* the function and its parameters */
  LLVMBasicBlockRef entry, failed;
  LLVMValueRef status;    /* phi of `failed` */
  LLVMValueRef *slots;    /* scalar variables */
  LLVMValueRef *pointers; /* of views */
  LLVMValueRef parts;     /* array of TfePart, large enough for each message */
  LLVMValueRef level;     /* of vectors that the processor has */
  LLVMValueRef member;    /* index of the running member of a family */
  LLVMValueRef
      instance; /* of the innermost loop's pass; NULL if the program has checkpoints: emit_instance */
  int depth;    /* loops around what is being emitted */
  struct Resume *resume; /* emit_checkpoint.c; NULL: the program has no checkpoints */
  PartySet present;      /* members that execute what is being emitted */
  VEC(LLVMValueRef)
  tables; /* of the unit's kernels: their versions; NULL: not used so far */
  VEC(const char *) sites;
  VEC(const Slot *) slot_list; /* inputs and outputs, as the runtime numbers them */
  VEC(const Op *) stored;      /* STORE and LOAD, as the runtime numbers them */
};

/* ---- constants and calls (emit.c) ---- */
LLVMValueRef emit_i64(const Emitter *e, int64_t v);
LLVMValueRef emit_text(Emitter *e, const char *text);                       /* NULL: null pointer */
LLVMValueRef emit_i64_array(Emitter *e, const int64_t *v, int count);       /* constant data */
LLVMValueRef emit_global(Emitter *e, LLVMValueRef value, const char *name); /* private constant */
LLVMValueRef emit_site(Emitter *e, const Op *op);
int emit_slot_index(Emitter *e, const Op *op);
LLVMValueRef emit_stored_row(Emitter *e, const Op *op); /* of a STORE or LOAD, a new one */
/* A call of the runtime. One with a status returns it from `run` unless it is 0. */
LLVMValueRef emit_call(Emitter *e, AbiFunction f, const LLVMValueRef *args, int count);
#define EMIT_CALL(e, f, ...)                                                                                 \
  emit_call((e), ABI_##f, (LLVMValueRef[]){__VA_ARGS__},                                                     \
            (int)(sizeof((LLVMValueRef[]){__VA_ARGS__}) / sizeof(void *)))
void emit_check_status(Emitter *e, LLVMValueRef status);
/* index: LLVMAttributeFunctionIndex, or 1 + parameter */
void emit_attribute(const Emitter *e, LLVMValueRef function, int index, const char *name, uint64_t value);
LLVMTypeRef emit_elem_type(const Emitter *e, const IrType *t);

/* ---- values (emit_run.c) ---- */
LLVMValueRef emit_address(Emitter *e, const Op *value);
LLVMValueRef emit_load(Emitter *e, const Op *scalar); /* double for fixed, else i64 */
void emit_store(Emitter *e, const Op *scalar, LLVMValueRef v);
LLVMValueRef emit_offset(Emitter *e, LLVMValueRef address, LLVMValueRef words);
void emit_copy_words(Emitter *e, LLVMValueRef to, LLVMValueRef from, int64_t words);
LLVMBasicBlockRef emit_block(Emitter *e); /* of `run`, empty */
void emit_run(Emitter *e);

/* ---- checkpoints (emit_checkpoint.c) ---- */
/* At the start of `run`, behind its variables; and at its end. */
void emit_resume_begin(Emitter *e);
void emit_resume_end(Emitter *e);
void emit_checkpoint(Emitter *e, const Op *op);
/* The words of the arena that are needed behind a point: their number of ranges, and offset and words of each. */
LLVMValueRef emit_live(Emitter *e, int point);
int emit_checkpoint_count(const Emitter *e);
/* What is computed at the start of a loop and used in all of it: the pass's instance, the upper bound. depth:
 * number of loops around, that one included. */
void emit_set_instance(Emitter *e, LLVMValueRef v);
LLVMValueRef emit_instance(Emitter *e);
void emit_set_high(Emitter *e, LLVMValueRef v);
LLVMValueRef emit_high(Emitter *e, LLVMValueRef v); /* v: what was set */

/* ---- operations (emit_ops.c) ---- */
void emit_op(Emitter *e, Op *op);
void emit_pack(Emitter *e, const PlanPack *pack);
/* A RANDOM's first elements; or a draw of them that can be made in pieces, while the same pieces of the array
 * `fetch`, if it is not null, are asked for. */
void emit_random(Emitter *e, const Op *op, LLVMValueRef out, LLVMValueRef count);
void emit_open_random(Emitter *e, const Op *op, LLVMValueRef draw, LLVMValueRef fetch);

/* ---- elementwise (emit_loop.c) ---- */
/* The loop of a step. */
void emit_fused(Emitter *e, const Step *step);
/* An elementwise operation on scalars, in `run`. */
void emit_scalar(Emitter *e, Op *op);

#endif
