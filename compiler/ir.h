/* The intermediate representation: one structure for the joint program (as checked), the choreography (after
 * protocol expansion) and each party's program (after projection).
 *
 * A program is a tree of blocks; a block is a list of operations in order; an operation has at most one
 * result, which is the operation itself. Loops and branches are operations with blocks; what they yield is
 * read by OP_RESULT operations directly behind them. SSA: an operand is an operation earlier in the same
 * block or in an enclosing one (OP_ARG: the block's parameters).
 *
 *   joint         type.elem fixed/int/bool; `at` says public, at a party, at each member, or private
 *   choreography  + ring elements; `where` is the set of parties that hold and compute the value; no `at`
 *   party         the same, only what this party (or this family) does
 */
#ifndef TFEC_IR_H
#define TFEC_IR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "source.h"
#include "vec.h"

/* ---- operations ---------------------------------------------------------------------------------------- */

typedef enum OpKind {
  OP_NONE,
#define OP(id, name, args, class, shape, doc) OP_##id,
#include "../lang/ops.def"
#undef OP
  OP_COUNT
} OpKind;

typedef enum OpClass {
  OPC_EW,
  OPC_MOVE,
  OPC_REDUCE,
  OPC_BILINEAR,
  OPC_SOURCE,
  OPC_LOCAL,
  OPC_EFFECT,
  OPC_MESSAGE,
  OPC_CONTROL,
  OPC_FLOW,
} OpClass;

typedef struct OpInfo {
  const char *id, *name;
  int args;
  OpClass class;
  const char *doc;
} OpInfo;

extern const OpInfo op_info[OP_COUNT];

/* ---- types --------------------------------------------------------------------------------------------- */

enum { MAX_RANK = 8, MAX_PARTIES = 256 };

typedef enum Elem { EL_NONE, EL_FIXED, EL_INT, EL_BOOL, EL_RING } Elem;

typedef struct Shape {
  int rank;
  int64_t dim[MAX_RANK];
} Shape;

/* EL_RING: integers modulo 2^bits that stand for value * 2^scale. bits and scale are 0 for the others. lanes: the 64
 * bits of an element are as many elements of the ring of one bit, so that + is exclusive or and * is and. */
typedef struct IrType {
  Elem elem;
  int bits, scale;
  bool lanes;
  Shape shape;
} IrType;

int64_t shape_count(const Shape *s);
bool shape_equal(const Shape *a, const Shape *b);
bool ir_type_equal(const IrType *a, const IrType *b);

/* ---- places -------------------------------------------------------------------------------------------- */

typedef struct PartySet {
  uint64_t word[MAX_PARTIES / 64];
} PartySet;

PartySet party_none(void);
PartySet party_one(int party);
PartySet party_range(int first, int count);
PartySet party_and(PartySet a, PartySet b);
PartySet party_or(PartySet a, PartySet b);
PartySet party_minus(PartySet a, PartySet b);
bool party_has(PartySet s, int party);
bool party_empty(PartySet s);
bool party_subset(PartySet a, PartySet b); /* a within b */
bool party_equal(PartySet a, PartySet b);
int party_first(PartySet s); /* -1: empty */
int party_size(PartySet s);
/* for (int i = party_first(s); i >= 0; i = party_next(s, i)) */
int party_next(PartySet s, int after);

/* Places of the joint program. */
typedef enum PlaceKind { PLACE_PUBLIC, PLACE_AT, PLACE_EACH, PLACE_PRIVATE } PlaceKind;
typedef struct Place {
  PlaceKind kind;
  int index; /* AT: party; EACH: party declaration; PRIVATE: protocol instance */
} Place;

/* ---- where an operation comes from --------------------------------------------------------------------- */

/* The expression, and the chain of calls that led to it (innermost first). Root code has caller NULL. */
typedef struct Site {
  Span span;
  const char *function;      /* that holds the span; NULL: statements of the root file or a test */
  const struct Site *caller; /* where that function was called */
} Site;

/* ---- program ------------------------------------------------------------------------------------------- */

typedef struct Op Op;
typedef struct IrBlock IrBlock;

/* RANDOM, text: the label of a draw in a `pure` function of a protocol; two draws of one label and the same
 * operands are the same draw. NULL: always a fresh one. SEND, text: "pure" in a `pure` function, where what is
 * sent is masked; "reveal" for what carries out a `reveal`; else NULL (shares of an input). */
struct Op {
  OpKind kind;
  int id;      /* unique in the program, kept by projection; names PRG draws and messages */
  IrType type; /* elem EL_NONE: no result */
  Place at;    /* joint */
  int width;   /* joint, private: bits of the ring that its users need it in; 0: the whole ring (rings.h) */
  int need;    /* joint: the same for its first private operand */
  PartySet where; /* choreography, party: who computes it; for EFFECT ops who performs it */
  VEC(Op *) args;
  VEC(int64_t) ints;    /* attributes, as ops.def says */
  const char *text;     /* INPUT OUTPUT MORE STORE LOAD APPLY: name; PROGRESS: label; RANDOM SEND: see above */
  const uint64_t *data; /* CONST: the elements (doubles as bits); just one: every element is that */
  int64_t data_count;
  VEC(const char *) texts; /* PRINT: text pieces; NULL: the next operand. ASSERT: the source text. STORE LOAD: stored.c */
  VEC(IrBlock *) blocks;
  IrBlock *parent;
  const Site *site;
  int message; /* SEND: operations with the same number > 0 travel as one message */
  int level;   /* SEND: dependency level within its block, set by pass_rounds */
  Op *forward; /* pass-local: what replaces this operation */
  void *note;  /* pass-local */
};

struct IrBlock {
  VEC(Op *) params; /* OP_ARG */
  VEC(Op *) ops;
  VEC(Op *) yields; /* operands of the block's end */
  Op *owner;        /* the control op; NULL: the program's body */
  int depth;        /* number of enclosing loops */
};

/* One `party` declaration: a single party (count 1, !family) or a family. Parties are numbered through. */
typedef struct PartyDecl {
  const char *name;
  int first, count;
  bool family;
  Span span;
} PartyDecl;

typedef struct ProtocolInstance {
  const char *kind;
  const struct Decl *definition; /* of the kind (ast.h): the functions that carry operations out */
  VEC(int) servers;              /* parties, in the order of the header */
  VEC(int) helpers;
  int frac, whole, ring;
  struct {
    const char *name, *text; /* text NULL: an integer */
    int64_t value;
  } extra[8]; /* further options of the kind */
  int extra_count;
  Span span;
} ProtocolInstance;

/* A named input or output of a party, for the manifest and the run-time checks; of a struct, one a field. */
typedef struct Slot {
  const char *name;  /* "x", or "net.c1.k" with field = "c1.k" */
  const char *field; /* NULL: not part of a struct */
  IrType type;
  PartySet owner;
  bool is_output;
  int whole; /* shared as it is read: magnitudes must stay below 2^whole; 0: not checked. Set by expansion */
  Span span;
} Slot;

/* A `store` or `load`. */
typedef struct Stored {
  const char *name; /* "net" */
  bool loads;
  const char *type; /* "Net[4]", "fixed[3]" */
  int protocol;     /* instance */
  int leaves;       /* tensors of the value */
  Span span;
} Stored;

/* What leaves the protocols. */
typedef struct Reveal {
  Span span;
  const Site *site;
  const char *source_text; /* the revealed expression as written */
  IrType type;
  const char *type_text; /* "fixed[1, 1]", or the struct's name */
  Place to;              /* PUBLIC, AT, EACH */
  bool was_private;      /* false: a party published its own value */
  int64_t times;         /* how often; -1: once per pass of a `while` */
  int protocol;          /* instance, or -1 */
} Reveal;

/* How a protocol carries an operation out where it has several ways, for `tfec explain`. */
typedef struct Method {
  const Site *site;
  const char *operation; /* "relu" */
  int64_t elements;
  const char *name, *reason;
} Method;

typedef struct Program {
  Arena *arena;
  const char *name; /* "logistic.tfe" */
  VEC(PartyDecl) parties;
  int party_count;
  VEC(ProtocolInstance) protocols;
  VEC(Slot) slots;
  VEC(Reveal) reveals;
  VEC(Stored) stored;
  VEC(Method) methods; /* choreography */
  VEC(Op *) params;    /* unused at present: run-time parameters (--set) */
  IrBlock *body;
  int next_id, next_message;
  int speaker;   /* party that prints every joint line; set by pass_demand */
  bool clear;    /* some protocol is of kind clear */
  char hash[65]; /* SHA-256 of the choreography, hex; set by ir_hash */
  /* party programs only */
  int self; /* index into parties; -1 in joint programs and choreographies */
} Program;

/* "provider.3", "server1" */
const char *party_name(const Program *p, int party);
const PartyDecl *party_decl(const Program *p, int party);

/* ---- building ------------------------------------------------------------------------------------------ */

/* An empty program with an empty body; self is -1. */
Program *ir_program(Arena *a, const char *name);
/* Appends to the end of a block; the caller fills in the rest. */
Op *ir_op(Program *p, IrBlock *b, OpKind kind, IrType type, const Site *site);
/* Inserts before `before`, which is in b. */
Op *ir_op_before(Program *p, IrBlock *b, Op *before, OpKind kind, IrType type, const Site *site);
IrBlock *ir_block(Program *p, Op *owner); /* a new block of owner (appended to owner->blocks) */
Op *ir_arg(Program *p, IrBlock *b, IrType type, const Site *site);
void ir_operand(Program *p, Op *op, Op *operand);
void ir_int(Program *p, Op *op, int64_t value);
/* Result k of a control op, right behind it. */
Op *ir_result(Program *p, IrBlock *b, Op *control, int k, IrType type);
Op *ir_const_fixed(Program *p, IrBlock *b, double v, const Site *site); /* rank 0, public */
Op *ir_const_int(Program *p, IrBlock *b, int64_t v, const Site *site);
Op *ir_const_bool(Program *p, IrBlock *b, bool v, const Site *site);
/* The sizes of a convolution, or of the one that an operation of this kind is a gradient of, from the shapes of its
 * operands a and b and its result: n, h, w, ci, kh, kw, co, pad, stride, groups. */
enum { CONV_SIZES = 10 };
void conv_sizes(OpKind kind, const Shape *a, const Shape *b, const Shape *result, const int64_t *ints,
                int64_t sizes[CONV_SIZES]);
void ir_conv_sizes(const Op *op, int64_t sizes[CONV_SIZES]); /* of such an operation */
/* Follows Op.forward in all operands and yields of the program, and drops forwarded operations. */
void ir_forward(Program *p);
/* Calls visit for each operation, outer before inner, in order. (Block parameters are not visited.) */
void ir_walk(IrBlock *b, void (*visit)(Op *op, void *data), void *data);
/* The block that both are in or enclose; depth questions of passes. */
bool ir_block_encloses(const IrBlock *outer, const IrBlock *inner);
/* The constant, if op is a CONST whose elements are all the same. */
bool ir_is_splat(const Op *op, uint64_t *bits);
double ir_bits_fixed(uint64_t bits);
uint64_t ir_fixed_bits(double v);

/* The stable text form (--emit-ir, --emit-projection, golden tests, and what the hash is taken of). */
void ir_print(const Program *p, FILE *out);
const char *ir_type_text(Arena *a, const IrType *t); /* "fixed[30, 1]", "ring64.16[30, 1]" (bits.scale) */
const char *ir_place_text(const Program *p, Place at);
/* "net" of the slot of field c1.k of input net, whose own name is "net.c1.k". */
const char *ir_slot_name(Arena *a, const Slot *s);
const char *ir_where_text(const Program *p, PartySet s);
/* "logreg.tfe:25 in fit, called from logistic.tfe:33"; "" without a place */
const char *ir_site_text(Arena *a, const Site *site);
/* SHA-256 over the printed form without source places, into p->hash. */
void ir_hash(Program *p);

#endif
