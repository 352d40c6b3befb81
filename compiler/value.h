/* What the checker knows about a value: its type (element, shape, place), the operation that makes it, and,
 * when it is known while compiling, the value itself. Values never change once made, so they are shared
 * freely.
 *
 * A tensor whose `data` is set is a compile-time constant of place public; it has no operation until one is
 * needed (value_op). Tuples and structs hold one value an item. A poisoned value stands for an expression
 * whose error has been reported: whatever is computed from it is poisoned too, and silent. */
#ifndef TFEC_VALUE_H
#define TFEC_VALUE_H

#include "ast.h"
#include "ir.h"

typedef struct Struct Struct;

typedef enum TypeKind { TY_NONE, TY_TENSOR, TY_STRING, TY_TUPLE, TY_STRUCT } TypeKind;

/* A resolved type. TY_NONE: nothing is demanded. */
typedef struct Type Type;
struct Type {
  TypeKind kind;
  Elem elem;
  bool is_float; /* fixed, and never private */
  Shape shape;
  Visibility visibility;
  bool has_place;
  Place place;
  const Struct *st; /* TY_STRUCT */
  int count;        /* TY_TUPLE */
  const Type *const *items;
  Span span; /* where it was written */
  Span name_span;
};

/* A struct declaration for actual sizes. Equal sizes of one declaration are one Struct. */
struct Struct {
  const Decl *decl;
  struct Unit *unit;         /* the module that declares it */
  const int64_t *sizes;      /* decl->sizes.count */
  const Type *const *fields; /* decl->fields.count */
  bool all_fixed;            /* a vector: + - * / act field by field */
};

typedef enum ValueKind { VAL_POISON, VAL_VOID, VAL_TENSOR, VAL_STRING, VAL_TUPLE, VAL_STRUCT } ValueKind;

enum { AFFINE_TERMS = 4 };

/* base + sum of by * of, over integer operations; used to compare slice bounds. */
typedef struct Affine {
  int64_t base;
  int count;
  struct {
    const Op *of;
    int64_t by;
  } term[AFFINE_TERMS];
} Affine;

/* Where a value got its place: for the notes of messages. */
typedef struct Origin {
  Span span;
  const char *text; /* "shared by owner", "computed at client" */
} Origin;

typedef struct Value Value;
struct Value {
  ValueKind kind;
  Elem elem;
  Shape shape;
  Place place;
  Op *op;               /* NULL: a constant, not yet an operation */
  const uint64_t *data; /* compile-time value or NULL; bits of a double for EL_FIXED */
  int64_t data_count;   /* number of elements, or 1: all are data[0] */
  const Affine *affine;
  const char *text; /* VAL_STRING */
  const Struct *st;
  int count;
  const Value *const *items;
  const Origin *origin;
};

extern const Value value_poison, value_void;

static const Place PLACE_JOINT = {PLACE_PUBLIC, 0};

bool place_equal(Place a, Place b);

Value *value_new(Arena *a, ValueKind kind);
const Value *value_int(Arena *a, int64_t v);
const Value *value_fixed(Arena *a, double v);
const Value *value_bool(Arena *a, bool v);
const Value *value_string(Arena *a, const char *text);
/* A constant tensor; data is kept, not copied. */
const Value *value_data(Arena *a, Elem elem, Shape shape, const uint64_t *data, int64_t count);
/* A run-time tensor made by op. */
const Value *value_of(Arena *a, Op *op);
const Value *value_items(Arena *a, ValueKind kind, const Struct *st, const Value *const *items, int count);
/* The same value with another origin. */
const Value *value_with_origin(Arena *a, const Value *v, const Origin *origin);

bool value_is_poison(const Value *v);               /* itself or a part of it */
bool value_is_const(const Value *v);                /* all leaves known while compiling */
bool value_const_int(const Value *v, int64_t *out); /* a known int scalar */
bool value_const_bool(const Value *v, bool *out);
double value_number(const Value *v, int64_t i); /* element i of a constant as a double */
uint64_t value_bits(const Value *v, int64_t i);
bool value_same_data(const Value *a, const Value *b);

IrType value_ir_type(const Value *v);

/* Leaves in order; at most max are stored, the number is returned. */
typedef struct Leaves {
  VEC(const Value *) list;
} Leaves;
void value_leaves(Arena *a, const Value *v, Leaves *out);
/* v with its leaves replaced, in order; *next counts the leaves taken. */
const Value *value_rebuild(Arena *a, const Value *v, const Value *const *leaves, int *next);
/* "w", "l1.w" of leaf number i of a struct; NULL for a tensor. */
const char *value_leaf_path(Arena *a, const Value *v, int i);

/* Affine forms of int scalars. NULL: not affine (or too many terms). */
const Affine *value_affine(Arena *a, const Value *v);
const Affine *affine_add(Arena *a, const Affine *x, const Affine *y, int64_t times);
const Affine *affine_scale(Arena *a, const Affine *x, int64_t by);

/* "fixed[30, 1]", "LogReg[2]", "(int, fixed[2])" */
const char *value_type_text(Arena *a, const Value *v);
const char *type_text(Arena *a, const Type *t);
const char *shape_text(Arena *a, const Shape *s); /* "[30, 1]"; "scalar" */
const char *elem_text(Elem e);
/* The source text of a span, on one line. */
const char *span_text(Arena *a, Span s);

#endif
