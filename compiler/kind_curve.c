/* The protocol layer's piecewise functions (reference 18.8): values of the compiler that describe a function of
 * one number, and the operations of the gate that evaluates it (runtime/gate/spline.h). */
#include "kind.h"

#include <math.h>
#include <string.h>

#include "shape.h"

/* ---- descriptions ---------------------------------------------------------------------------- */

static Val new_curve(Kind *x, const CurvePiece *pieces, int count) {
  Curve *c = ARENA_NEW(x->arena, Curve);
  for (int i = 0; i < count; i++)
    VEC_PUSH(x->arena, &c->pieces, pieces[i]);
  return (Val){.kind = V_CURVE, .curve = c};
}

/* An integer, a real, or a public number that is known while compiling. */
static bool number_of(const Val *v, double *out) {
  uint64_t bits;
  if (v->kind == V_INT)
    *out = (double)v->integer;
  else if (v->kind == V_REAL)
    *out = v->real;
  else if (v->kind == V_TENSOR && ir_is_splat(v->op, &bits) && v->op->type.elem != EL_RING)
    *out = v->op->type.elem == EL_FIXED ? ir_bits_fixed(bits) : (double)(int64_t)bits;
  else
    return false;
  return true;
}

static bool numbers(Kind *x, const Call *c, int count, double *out) {
  bool known = c->count == count;
  for (int i = 0; known && i < count; i++)
    known = number_of(&c->args[i], &out[i]);
  if (!known)
    kind_fail(x, c->e->span, "`%s` takes %d numbers that are known when the program is compiled",
              c->e->left->name, count);
  return known;
}

/* known(x): 1 if the tensor is the same number everywhere, and known while compiling. */
static Val builtin_known(Kind *x, Call *c) {
  double v;
  if (c->count != 1)
    return kind_fail(x, c->e->span, "`known` takes one tensor");
  return val_int(number_of(&c->args[0], &v));
}

/* above(s, a, b): a + b x from s on. */
static Val builtin_above(Kind *x, Call *c) {
  double v[3];
  return numbers(x, c, 3, v) ? new_curve(x, &(CurvePiece){v[0], v[1], v[2]}, 1) : NOTHING;
}

/* below(s, a, b): a + b x up to s. */
static Val builtin_below(Kind *x, Call *c) {
  double v[3];
  if (!numbers(x, c, 3, v))
    return NOTHING;
  return new_curve(x, (CurvePiece[]){{-INFINITY, v[1], v[2]}, {v[0], 0, 0}}, 2);
}

/* segments("f", from, to, n): cubics through f, n of them for each unit. */
static Val builtin_segments(Kind *x, Call *c) {
  bool fits = c->count == 4 && c->args[0].kind == V_TEXT && curve_knows(c->args[0].name);
  for (int i = 1; fits && i < 4; i++)
    fits = c->args[i].kind == V_INT;
  if (!fits)
    return kind_fail(x, c->e->span, "`segments` takes the name of a function and three integers");
  Val v = new_curve(x, NULL, 0);
  Curve *curve = ARENA_NEW(x->arena, Curve);
  *curve = (Curve){.function = c->args[0].name, .from = c->args[1].integer, .to = c->args[2].integer};
  while ((INT64_C(1) << curve->per_unit) < c->args[3].integer && curve->per_unit < 20)
    curve->per_unit++;
  v.curve = curve;
  return v;
}

static CurvePiece piece_at(const Curve *c, double start) {
  CurvePiece p = {start, 0, 0};
  for (int i = 0; i < c->pieces.count && c->pieces.data[i].start <= start; i++)
    p = (CurvePiece){start, c->pieces.data[i].a, c->pieces.data[i].b};
  return p;
}

Val kind_curve_join(Kind *x, Span at, const Val *a, const Val *b) {
  if (a->kind != V_CURVE || b->kind != V_CURVE || (a->curve->function && b->curve->function))
    return kind_fail(x, at, "only pieces, and one `segments`, can be put together");
  const Curve *of[2] = {a->curve, b->curve};
  Curve *sum = ARENA_NEW(x->arena, Curve);
  const Curve *smooth = of[0]->function ? of[0] : of[1];
  *sum = (Curve){.function = smooth->function, .from = smooth->from, .to = smooth->to};
  sum->per_unit = smooth->per_unit;
  for (int next[2] = {0, 0}; next[0] < of[0]->pieces.count || next[1] < of[1]->pieces.count;) {
    double start = INFINITY;
    for (int i = 0; i < 2; i++)
      if (next[i] < of[i]->pieces.count)
        start = fmin(start, of[i]->pieces.data[next[i]].start);
    CurvePiece p = piece_at(of[0], start), q = piece_at(of[1], start);
    VEC_PUSH(x->arena, &sum->pieces, ((CurvePiece){start, p.a + q.a, p.b + q.b}));
    for (int i = 0; i < 2; i++)
      next[i] += next[i] < of[i]->pieces.count && of[i]->pieces.data[next[i]].start == start;
  }
  return (Val){.kind = V_CURVE, .curve = sum};
}

/* ---- the gate -------------------------------------------------------------------------------- */

typedef struct Gate {
  TfeSpline layout;
  const uint64_t *table;
  int64_t count;
} Gate;

/* The gate of a curve for an argument of the type of `like`; the result has out_bits bits, at the scale that
 * the call names or the block's. */
static bool gate_of(Kind *x, const Call *c, const Val *like, Gate *g) {
  const Val *scale = kind_named(c, "scale");
  if (c->args[0].kind != V_CURVE || c->args[1].kind != V_INT || like->kind != V_TENSOR ||
      like->op->type.elem != EL_RING) {
    kind_fail(x, c->e->span, "`%s` takes a piecewise function, a number of bits, and tensors",
              c->e->left->name);
    return false;
  }
  const IrType *t = &like->op->type;
  const char *error =
      curve_layout(x->arena, c->args[0].curve, t->bits, t->scale, (int)c->args[1].integer,
                   scale ? (int)scale->integer : kind_instance(x)->frac, &g->layout, &g->table, &g->count);
  if (error)
    kind_fail(x, c->e->span, "this function cannot be evaluated here: %s", error);
  return !error;
}

static void put_layout(Kind *x, Op *op, const TfeSpline *l) {
  int64_t fields[TFE_SPLINE_FIELDS];
  memcpy(fields, l, sizeof fields);
  for (int i = 0; i < TFE_SPLINE_FIELDS; i++)
    ir_int(x->out, op, fields[i]);
}

/* spline_key(curve, bits, r, root0, root1): what the dealer deals for one value masked by r. */
static Val builtin_spline_key(Kind *x, Call *c) {
  Gate g;
  if (c->count < 5 || !gate_of(x, c, &c->args[2], &g))
    return NOTHING;
  IrType t = kind_ring(64, 0, c->args[2].op->type.shape);
  t.shape.dim[t.shape.rank++] = tfe_spline_words(&g.layout);
  Val v = kind_emit(x, c->e->span, OP_SPLINE_KEY, t, &c->args[2], 3);
  if (v.kind == V_TENSOR)
    put_layout(x, v.op, &g.layout);
  return v;
}

/* spline_eval(curve, bits, c, root, words, role): one party's share of the curve at c - r. */
static Val builtin_spline_eval(Kind *x, Call *c) {
  Gate g;
  if (c->count < 6 || c->args[5].kind != V_INT || !gate_of(x, c, &c->args[2], &g))
    return NOTHING;
  const Val *scale = kind_named(c, "scale");
  IrType t = kind_ring((int)c->args[1].integer, scale ? (int)scale->integer : kind_instance(x)->frac,
                       c->args[2].op->type.shape);
  Op *table =
      kind_append(x, OP_CONST, (IrType){.elem = EL_INT, .shape = shape_vector(g.count)}, x->everybody);
  table->data = g.table;
  table->data_count = g.count;
  Val args[4] = {c->args[2], c->args[3], c->args[4], val_tensor(table, x->everybody)};
  Val v = kind_emit(x, c->e->span, OP_SPLINE_EVAL, t, args, 4);
  if (v.kind != V_TENSOR)
    return NOTHING;
  put_layout(x, v.op, &g.layout);
  ir_int(x->out, v.op, c->args[5].integer);
  return v;
}

bool kind_curve(Kind *x, const char *name, Call *c, Val *result) {
  static const KindBuiltin builtins[] = {
      {"above", builtin_above}, {"below", builtin_below},           {"segments", builtin_segments},
      {"known", builtin_known}, {"spline_key", builtin_spline_key}, {"spline_eval", builtin_spline_eval},
  };
  return kind_find(x, builtins, (int)(sizeof builtins / sizeof *builtins), name, c, result);
}
