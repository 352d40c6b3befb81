/* Order and memory of a party's program.
 *
 * Order: the operations of each block become steps. A step is one operation, a fused loop (elementwise
 * operations of one shape that run together), or a batch of messages. A fused loop stands where its first
 * result is needed by something outside it; intermediate values that only its own members use are never
 * stored. Nor are random elements and repeated ones that only fused loops read: they are made again piece by
 * piece, which is faster than reading them from far memory.
 *
 * Memory: one arena of 8-byte words a party. Each tensor has words in it for the time in which it is
 * needed; two tensors share words only if their times do not overlap. A value used in a loop but made
 * outside it is needed until the loop's end. A loop's carried value has one home for parameter and result;
 * what a pass yields is made there directly where that is safe, else copied at the end of the pass, as a
 * parallel copy. RESHAPE, MEMBER, results, contiguous slices and messages at parties that hold the value
 * already are views of their operand. Scalars that are not ring elements live in variables (slots),
 * outside the arena.
 *
 * Needs a projected program (Program.self >= 0). Uses Op.note. */
#ifndef TFEC_PLAN_H
#define TFEC_PLAN_H

#include "ir.h"

typedef enum PlanLoc {
  PLAN_NONE,   /* no storage: no result, or used inside its fused loop only */
  PLAN_SLOT,   /* scalar variable `slot` */
  PLAN_ARENA,  /* words from `offset` of the arena on */
  PLAN_ALIAS,  /* `alias_words` behind the place of `alias` (0 for scalars) */
  PLAN_VIEW,   /* at the address in pointer variable `slot`, computed at run time */
  PLAN_CONST,  /* constant data, or an immediate value */
  PLAN_PIECES, /* RANDOM, BROADCAST: not kept; each fused loop that reads it makes it, a piece at a time */
} PlanLoc;

enum { PLAN_PIECE = 1024 }; /* elements of such an operand that a fused loop has at a time */

typedef enum StepKind { STEP_OP, STEP_LOOP, STEP_MESSAGES } StepKind;

typedef struct Step {
  StepKind kind;
  int time;      /* position in the order of the whole program */
  VEC(Op *) ops; /* one; the members in order; or SENDs of one message */
} Step;

/* A copy at the end of a block: yield `from` to home k. Scalars in slots are not listed. */
typedef struct PlanCopy {
  Op *from;
  int k;
  bool through_temp; /* another copy of the block overwrites the source: via temp_offset */
  int temp;          /* planner's */
  int64_t temp_offset;
} PlanCopy;

typedef struct PlanBlock {
  VEC(Step) steps;
  VEC(PlanCopy) copies;
  int end_time;
} PlanBlock;

/* Where carried value (or result of an IF) number k of a control operation is kept. */
typedef struct PlanHome {
  int slot;   /* -1: in the arena */
  int buffer; /* planner's */
  int64_t offset;
} PlanHome;

/* What a product of ring elements does with its memory; numbers as in abi.def, but for the last, which is
 * PRODUCT_SUB from zeros. */
typedef enum ProductMode { PRODUCT_SET, PRODUCT_ADD, PRODUCT_SUB, PRODUCT_NEGATIVE } ProductMode;

/* A matrix packed for products modulo 2^bits, before a control operation (plan_products.c). */
typedef struct PlanPack {
  Op *of;
  int bits;
  int64_t words;
  int buffer; /* planner's */
  int64_t offset;
} PlanPack;

typedef struct PlanRange {
  int64_t offset, words;
} PlanRange;

typedef struct PlanValue {
  PlanLoc loc;
  int slot;
  int64_t offset;
  Op *alias;
  int64_t alias_words;
  bool in_place;   /* UPDATE: the result is the operand's memory */
  bool outside;    /* needed by something outside its fused loop */
  int group;       /* the fused loop that makes it; 0 none */
  int readers;     /* RANDOM, BROADCAST: fused loops of its block that read it */
  int last_reader; /* planner's */
  bool kept;       /* something else reads it as well */
  int uses;        /* operands and yields that name it */
  int position;    /* in its block */
  Op *onto;        /* the product whose memory it is: to which it is added, or of which it is the sum */
  ProductMode mode;
  bool is_sum;           /* done by its operands, two products */
  PlanPack *pack;        /* MATMUL: its right-hand matrix */
  VEC(PlanPack *) packs; /* control operations: made before */
  int buffer;            /* planner's; -1: none */
  int end_time;          /* control operations; CHECKPOINT: its own time */
  VEC(PlanRange) live;   /* CHECKPOINT: the words of the arena that are needed behind it, ascending */
  IrBlock *block;        /* that defines it */
  PlanHome *homes;       /* control operations */
  int home_count;
  PlanBlock *blocks[2];
  void *data; /* emitter's: constant data */
} PlanValue;

typedef struct Plan {
  PlanBlock *body;
  int64_t arena_words;
  int64_t scratch; /* where in the arena operands are made, PLAN_PIECE words each, */
  int64_t draws;   /* and where the draws they come from are kept, TFE_DRAW_WORDS each */
  int slots;       /* scalar variables */
  int pointers;    /* pointer variables */
} Plan;

Plan *plan_make(Program *party);
void plan_products(Program *party); /* a part of it: plan_products.c */
/* NULL: the operation is not part of the planned program (the operand of a message that only arrives). */
PlanValue *plan_of(const Op *op);

/* What op's memory in the arena belongs to, if op is all of it under another name or the same; else NULL. */
const PlanValue *plan_whole(const Op *op);
/* A scalar kept in a variable rather than in the arena. */
bool plan_is_slot(const IrType *t);
/* SEND: what the party (or a member of the family) does, as project.h says; neither: the value is there
 * already. */
bool plan_sends(const Op *op);
bool plan_receives(const Op *op);
/* A BROADCAST of which element i is element (i / *stride) % *size of the operand. */
bool plan_repeats(const Op *op, int64_t *stride, int64_t *size);
/* Elements from one index to the next, along each axis. */
void plan_strides(const Shape *s, int64_t *strides);

#endif
