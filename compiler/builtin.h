/* Inside the builtin functions (builtins.def): what a handler is given, and the arguments as it wants them. All that is
 * wrong is reported where it is found; a value is then poison, a bool false, a text NULL. */
#ifndef TFEC_BUILTIN_H
#define TFEC_BUILTIN_H

#include "tensor.h"

enum { MOST_PARAMETERS = 8 };

/* Arguments by parameter, and those of the `...` parameter. */
typedef struct Bound {
  const char *name; /* of the function */
  const Call *call;
  const CallArg *arg[MOST_PARAMETERS];
  int rest_count;
  const CallArg **rest;
  Span at;
  const Type *want;
} Bound;

typedef const Value *BuiltinHandler(Checker *cx, const Bound *b);
#define BUILTIN(name, parameters, doc) BuiltinHandler builtin_##name;
#include "builtins.def"
#undef BUILTIN

const Expr *arg_expr(const Bound *b, int i); /* NULL: not given */
const Value *arg_value(Checker *cx, const CallArg *a, const Type *want);
const Value *arg_tensor(Checker *cx, const Bound *b, int i);
const Value *arg_number(Checker *cx, const Bound *b, int i); /* a tensor of numbers */
const Value *arg_bool(Checker *cx, const Bound *b, int i);   /* a tensor of bools */
/* A public (or, in an `at` block, local) int scalar. */
const Value *arg_int(Checker *cx, const Bound *b, int i);
/* The same, known while compiling; what: "an axis". */
bool arg_known(Checker *cx, const Bound *b, int i, const char *what, int64_t *out);
const char *arg_string(Checker *cx, const Bound *b, int i);
/* Sizes that are the `...` parameter. */
bool arg_dims(Checker *cx, const Bound *b, Shape *out);
/* An axis of x; -1: not given. */
bool arg_axis(Checker *cx, const Bound *b, int i, const Value *x, int64_t *axis);

/* Report, and are poison: the argument must be `what`; the shapes of x and y do not broadcast (shape_broadcast). */
const Value *arg_needs(Checker *cx, const Bound *b, const CallArg *a, const char *what, const Value *v);
const Value *arg_clash(Checker *cx, const Bound *b, const Value *x, const Value *y, int64_t left,
                       int64_t right);

#endif
