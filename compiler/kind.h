/* The protocol layer: runs functions of a protocol kind's file while a program is compiled. expand.c calls it
 * for every operation on private values; what it makes is appended to the choreography.
 *
 *   kind.c          names, calls, statements      kind_tensor.c   operations and moves of tensors
 *   kind_builtin.c  send, random, encode, ...     kind_curve.c    piecewise functions
 *   kind_axis.c     functions of a further axis   factor.c        scales of public factors
 *
 * It knows tensors (an operation and the parties that hold it here), structs of them, integers, real
 * numbers, texts, parties, operations, and descriptions of piecewise functions as values. A private value is
 * the struct that the kind's `holds` declares. Arithmetic takes place where all operands are. Types of ring
 * tensors carry bits and scale: operands meet in the smallest ring, + needs equal scales, * adds them, a
 * literal is a ring element as it stands.
 *
 * `width` functions run before, on the joint program (rings.c), with integers in place of private values.
 *
 * Randomness: a draw inside a `pure` (or `elementwise`) function is named by that call's arguments, so that
 * equal calls are equal values to common-subexpression elimination and loop-invariant motion; any other draw
 * is fresh. An `elementwise` function commutes with rearrangements: of a slice it is the slice of what it
 * gives for the whole, when that is no more work. */
#ifndef TFEC_KIND_H
#define TFEC_KIND_H

#include "ast.h"
#include "curve.h"
#include "ir.h"

typedef enum ValKind {
  V_NONE,
  V_TENSOR,
  V_STRUCT,
  V_INT,
  V_PARTIES,
  V_OPERATION,
  V_TEXT,
  V_REAL,
  V_CURVE
} ValKind;

typedef struct Val Val;
struct Val {
  ValKind kind;
  Op *op;           /* TENSOR */
  PartySet parties; /* TENSOR: who holds it, as seen here; PARTIES */
  int64_t integer;  /* INT */
  double real;      /* REAL */
  const Curve *curve;
  const char *name; /* OPERATION; TEXT: itself; STRUCT: its declaration's name */
  bool is_private;  /* STRUCT: the kind's `holds` */
  int protocol;     /* private: instance */
  int count;        /* STRUCT */
  const char **fields;
  Val *items;
  const Op *move; /* private: the joint MOVE operation that made it from `sources` */
  const Val *sources;
  int source_count;
  const Op *shared;      /* private: the joint SHARE that made it */
  const char *form_name; /* private: what the elementwise function of this name gives for it */
  const Val *form;
};

static const Val NOTHING = {.kind = V_NONE};

static inline Val val_tensor(Op *op, PartySet parties) {
  return (Val){.kind = V_TENSOR, .op = op, .parties = parties};
}

static inline Val val_int(int64_t v) {
  return (Val){.kind = V_INT, .integer = v};
}

static inline Val val_parties(PartySet s) {
  return (Val){.kind = V_PARTIES, .parties = s};
}

static inline Val val_text(const char *text) {
  return (Val){.kind = V_TEXT, .name = text};
}

static inline bool val_is_private(const Val *v) {
  return v->kind == V_STRUCT && v->is_private;
}

typedef struct Binding {
  const char *name;
  Val value;
} Binding;

/* A call of a protocol function. */
typedef struct Frame {
  const Decl *function;
  struct Frame *caller;
  VEC(Binding) names;
  bool pure;
  const char *label; /* pure: what names its draws */
  VEC(Op *) leaves;  /* pure: the tensors among the arguments */
  int draws;
  bool returned;
  Val result;
} Frame;

typedef struct Kind {
  Arena *arena;
  Diags *diags;
  const Program *joint;
  Program *out;   /* NULL while ring widths are chosen: functions work on integers only */
  IrBlock *block; /* where operations are appended */
  PartySet everybody;
  bool failed;
  const bool
      *opened; /* by id of a joint SHARE: the run before this one called an elementwise function of it */
  bool *opens; /* the same of this run */
  /* while a function runs */
  int protocol; /* instance */
  const Decl *kind;
  const Op *current; /* the joint operation */
  Frame *frame;
  bool restricted; /* inside `at p { }` */
  PartySet restriction;
} Kind;

/* A call of a builtin function, arguments evaluated. */
typedef struct Call {
  const Expr *e;
  Val args[8];
  const char *names[8];
  int count;
} Call;

/* ---- kind.c -------------------------------------------------------------------------------------------- */

enum { KIND_OPERANDS = 64 };

/* Makes the functions of a protocol instance the ones that run, for a joint operation. */
void kind_enter(Kind *x, const Op *joint, int protocol);
/* The name of the kind's function for a joint operation. */
const char *kind_function_name(const Op *joint);
/* What the kind's function for a joint operation is called with: the operands' values, and the known integers
 * among the arguments of `apply`. How many; -1: more than KIND_OPERANDS. */
int kind_arguments(const Op *joint, Val *args, Val (*value)(Kind *, Op *), Kind *x);
/* The first private operand of a joint operation; -1: there is none. */
int kind_private_operand(const Op *joint);
/* Ring bits that a joint operation needs of its private operands, as the kind's `width` functions say: of the
 * first operand, and of all others. */
typedef struct KindWidths {
  int of[2];
} KindWidths;
KindWidths kind_width(Kind *x, const Op *joint);
/* Ring bits of a stored value of these elements: what `width fn store` says, else the whole ring. */
int kind_stored_bits(Kind *x, Elem elem);
/* A function of the kind by name: as it fits; with the operands of a commutative operation swapped; with as few
 * public operands as possible made private. At most KIND_OPERANDS arguments; those are replaced. */
Val kind_call(Kind *x, const char *name, Val *args, int count, const Span *at);
const Decl *kind_member(const Decl *kind, const char *name, DeclKind what);
/* A party of the header. */
bool kind_party(const Kind *x, const char *name, PartySet *out);
const ProtocolInstance *kind_instance(const Kind *x);
/* The innermost call of a pure function, or NULL. */
Frame *kind_pure_frame(Kind *x);

/* ---- expand_stored.c ----------------------------------------------------------------------------------- */

/* A joint STORE of a value, and a joint LOAD. */
Val kind_expand_store(Kind *x, const Op *joint, Val v);
Val kind_expand_load(Kind *x, const Op *joint);

/* ---- kind_builtin.c ---------------------------------------------------------------------------------------
 */

/* The argument given by that name, or NULL. */
static inline const Val *kind_named(const Call *c, const char *name) {
  for (int i = 0; i < c->count; i++)
    if (c->names[i] && strcmp(c->names[i], name) == 0)
      return &c->args[i];
  return NULL;
}

/* False if there is no builtin of that name. */
bool kind_builtin(Kind *x, const char *name, Call *c, Val *result);
/* The same for the functions of kind_curve.c, piecewise functions and the gate that evaluates them, and of
 * kind_axis.c. */
bool kind_curve(Kind *x, const char *name, Call *c, Val *result);
bool kind_axis(Kind *x, const char *name, Call *c, Val *result);
typedef struct KindBuiltin {
  const char *name;
  Val (*call)(Kind *, Call *);
} KindBuiltin;
/* Calls the one of that name; false: there is none. */
bool kind_find(Kind *x, const KindBuiltin *builtins, int count, const char *name, Call *c, Val *result);
/* Two piecewise functions beside each other. */
Val kind_curve_join(Kind *x, Span at, const Val *a, const Val *b);
/* v at `to` as well. */
Val kind_send(Kind *x, Span at, Val v, PartySet to);

/* ---- kind_tensor.c ----------------------------------------------------------------------------------------
 */

/* Reports an error in the kind's file (the first only); NOTHING. */
Val kind_fail(Kind *x, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
Op *kind_append(Kind *x, OpKind op, IrType type, PartySet where);
/* An operation where all its operands are. */
Val kind_emit(Kind *x, Span at, OpKind op, IrType type, const Val *args, int count);
Val kind_emit_int(Kind *x, Span at, OpKind op, IrType type, Val arg, int64_t attribute);
/* Any operation of ops.def on tensors, as called by its name in a protocol file. Axes and other attributes
 * are those of the joint operation that is being carried out. */
Val kind_apply(Kind *x, Span at, OpKind op, Val *args, int count);
Val kind_broadcast(Kind *x, Span at, Val v, Shape shape);
/* A joint MOVE or SUM operation on each part of private values (or bundles of tensors); its first n operands
 * are data. */
Val kind_move(Kind *x, const Op *joint, const Val *data, int n);
/* f of a tensor, or of every part of a private value or a bundle; n is handed on. */
Val kind_parts(Kind *x, Span at, Val v, Val (*f)(Kind *, Span, Val, int), int n);
/* The low bits of a tensor, of a private value's or a bundle's parts; scales stay. What is narrow already stays
 * as it is. */
Val kind_narrow(Kind *x, Span at, Val v, int bits);
/* v stands for other tensors now than those that move, shared and form tell about. */
void kind_forget_origin(Val *v);
/* A constant whose elements are all the same. */
Val kind_splat(Kind *x, IrType type, uint64_t value);
/* An integer literal beside a tensor, as that tensor's kind of number. */
Val kind_literal(Kind *x, const Op *beside, int64_t v);

static inline IrType kind_ring(int bits, int scale, Shape shape) {
  return (IrType){.elem = EL_RING, .bits = bits, .scale = scale, .shape = shape};
}

static inline uint64_t kind_low_bits(int bits) {
  return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

#endif
