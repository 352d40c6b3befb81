/* Protocol expansion. The joint program is walked once; whatever is not private is copied with its place turned into a set
 * of parties; for each private operation the function of that name in the protocol kind's file is interpreted at compile
 * time, and the ring operations and messages it makes are appended to the choreography.
 *
 * The interpreter knows tensors (an operation and the parties that hold it here), structs of them, integers, parties and
 * operations as values. A private value is the struct that the kind's `holds` declares. Arithmetic takes place where all
 * operands are. Types of ring tensors carry bits and scale: + needs equal ones, * adds scales, a literal is a ring element
 * as it stands.
 *
 * Randomness: a draw inside a `pure` (or `elementwise`) function is named by that call's arguments, so that equal calls are
 * equal values to common-subexpression elimination and loop-invariant motion; any other draw is fresh. An `elementwise`
 * function commutes with rearrangements: of a slice it is the slice of what it gives for the whole, when that is no more work.
 */
#include "expand.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>

#include "../runtime/gate/dpf_layout.h"
#include "factor.h"

typedef enum ValKind { V_NONE, V_TENSOR, V_STRUCT, V_INT, V_PARTIES, V_OPERATION } ValKind;

typedef struct Val Val;
struct Val {
  ValKind kind;
  Op *op;              /* TENSOR */
  PartySet parties;    /* TENSOR: who holds it, as seen here; PARTIES */
  int64_t integer;     /* INT */
  const char *name;    /* OPERATION; STRUCT: its declaration's name */
  bool is_private;     /* STRUCT: the kind's `holds` */
  int protocol;        /* private: instance */
  int count;           /* STRUCT */
  const char **fields;
  Val *items;
  const Op *move;      /* private: the joint MOVE operation that made it from `source` */
  const Val *source;
};

typedef struct Binding {
  const char *name;
  Val value;
} Binding;

typedef struct Frame {
  const Decl *function;
  const struct Frame *caller;
  VEC(Binding) names;
  bool pure;
  const char *label;   /* pure: what names its draws */
  VEC(Op *) leaves;    /* pure: the tensors among the arguments */
  int draws;
  bool returned;
  Val result;
} Frame;

typedef struct Expander {
  Arena *arena;
  Diags *diags;
  const Program *joint;
  Program *out;
  IrBlock *block;          /* where operations are appended */
  PartySet everybody;
  bool failed;
  /* while a protocol function runs */
  int protocol;            /* instance */
  const Decl *kind;
  const Op *current;       /* the joint operation */
  Frame *frame;
  bool restricted;         /* inside `at p { }` */
  PartySet restriction;
} Expander;

static const Val NOTHING = {.kind = V_NONE};

static Val eval(Expander *x, const Expr *e);
static Val run_block(Expander *x, const Block *b);
static void expand_block(Expander *x, const IrBlock *from);
static Val call_kind(Expander *x, const char *name, Val *args, int count, const Span *at);

/* ---- messages ------------------------------------------------------------------------------------------------ */

static Val fail(Expander *x, Span at, const char *format, ...) {
  if (!x->failed) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(x->arena, format, args);
    va_end(args);
    Diag *d = diag_new(x->diags, DIAG_E0410, at, x->kind ? x->kind->name : "?", text);
    if (x->current && x->current->site)
      diag_note(d, "needed for %s at %s", op_info[x->current->kind].name,
                source_where(x->arena, x->current->site->span));
    x->failed = true;
  }
  return NOTHING;
}

/* ---- making operations ---------------------------------------------------------------------------------------- */

static Val tensor(Op *op, PartySet parties) {
  return (Val){.kind = V_TENSOR, .op = op, .parties = parties};
}

static Val integer(int64_t v) {
  return (Val){.kind = V_INT, .integer = v};
}

static Val parties(PartySet s) {
  return (Val){.kind = V_PARTIES, .parties = s};
}

static Op *append(Expander *x, OpKind kind, IrType type, PartySet where) {
  Op *op = ir_op(x->out, x->block, kind, type, x->current ? x->current->site : NULL);
  op->where = where;
  return op;
}

/* Where an operation on these tensors takes place; false (and a message) if nobody holds all of them. */
static bool common_place(Expander *x, Span at, const Val *args, int count, PartySet *where) {
  *where = x->restricted ? x->restriction : x->everybody;
  for (int i = 0; i < count; i++)
    *where = party_and(*where, args[i].parties);
  if (party_empty(*where)) {
    fail(x, at, "no party holds all operands");
    return false;
  }
  return true;
}

static Val emit(Expander *x, Span at, OpKind kind, IrType type, const Val *args, int count) {
  PartySet where;
  if (!common_place(x, at, args, count, &where))
    return NOTHING;
  Op *op = append(x, kind, type, where);
  for (int i = 0; i < count; i++)
    ir_operand(x->out, op, args[i].op);
  return tensor(op, where);
}

static Val emit_int(Expander *x, Span at, OpKind kind, IrType type, Val arg, int64_t attribute) {
  Val v = emit(x, at, kind, type, &arg, 1);
  if (v.kind == V_TENSOR)
    ir_int(x->out, v.op, attribute);
  return v;
}

static IrType ring_type(int bits, int scale, Shape shape) {
  return (IrType){.elem = EL_RING, .bits = bits, .scale = scale, .shape = shape};
}

static uint64_t low_bits(int bits) {
  return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

static Val splat(Expander *x, IrType type, uint64_t value) {
  Op *op = append(x, OP_CONST, type, x->everybody);
  uint64_t *data = ARENA_NEW(x->arena, uint64_t);
  *data = type.elem == EL_RING ? value & low_bits(type.bits) : value;
  op->data = data;
  op->data_count = 1;
  return tensor(op, x->everybody);
}

/* An integer literal beside a tensor, as that tensor's kind of number. */
static Val literal(Expander *x, const Op *beside, int64_t v) {
  IrType t = beside->type;
  t.shape = (Shape){0};
  if (t.elem == EL_FIXED)
    return splat(x, t, ir_fixed_bits((double)v));
  return splat(x, t, (uint64_t)v);
}

/* ---- arithmetic on tensors ------------------------------------------------------------------------------------- */

static bool is_private(const Val *v) {
  return v->kind == V_STRUCT && v->is_private;
}

static Val to_fixed(Expander *x, Span at, Val v) {
  IrType t = v.op->type;
  if (t.elem == EL_FIXED)
    return v;
  t.elem = EL_FIXED;
  return emit(x, at, OP_TO_FIXED, t, &v, 1);
}

static bool is_comparison(OpKind k) {
  return k == OP_LT || k == OP_LE || k == OP_EQ || k == OP_NE;
}

static Shape ew_shape(const Val *args, int count) {
  for (int i = 0; i < count; i++)
    if (args[i].op->type.shape.rank > 0)
      return args[i].op->type.shape;
  return args[0].op->type.shape;
}

/* Element, bits and scale of the result of an elementwise operation or product; numbers are joined by int <= fixed. */
static bool result_type(Expander *x, Span at, OpKind k, Val *args, int count, IrType *out) {
  int first = k == OP_SELECT ? 1 : 0;
  const IrType *a = &args[first].op->type;
  *out = *a;
  if (a->elem == EL_RING) {
    for (int i = first + 1; i < count; i++) {
      const IrType *b = &args[i].op->type;
      if (b->elem != EL_RING || b->bits != a->bits) {
        fail(x, at, "`%s` needs ring elements of equal width, these are %s and %s", op_info[k].name,
             ir_type_text(x->arena, a), ir_type_text(x->arena, b));
        return false;
      }
      bool product = k == OP_MUL || k == OP_MATMUL || k == OP_CONV2D;
      bool raw = b->shape.rank == 0 && args[i].op->kind == OP_CONST;
      bool raw_a = a->shape.rank == 0 && args[first].op->kind == OP_CONST;
      if (product)
        out->scale += b->scale;
      else if (raw_a)
        out->scale = b->scale;
      else if (!raw && b->scale != a->scale) {
        fail(x, at, "`%s` needs equal scales, these are 2^%d and 2^%d", op_info[k].name, a->scale, b->scale);
        return false;
      }
    }
    return true;
  }
  bool real = k == OP_DIV || k == OP_EXP || k == OP_LOG || k == OP_SQRT || k == OP_TANH;
  for (int i = first; i < count; i++)
    real = real || args[i].op->type.elem == EL_FIXED;
  if (k == OP_TO_FIXED || k == OP_TO_INT)
    real = false;
  for (int i = first; real && i < count; i++)
    args[i] = to_fixed(x, at, args[i]);
  out->elem = args[first].op->type.elem;
  if (is_comparison(k))
    out->elem = EL_BOOL;
  else if (k == OP_TO_FIXED)
    out->elem = EL_FIXED;
  else if (k == OP_TO_INT)
    out->elem = EL_INT;
  return true;
}

/* Any operation of ops.def on tensors, as called by its name in a protocol file. Axes and other attributes are those of
 * the joint operation that is being carried out. */
static Val apply(Expander *x, Span at, OpKind k, Val *args, int count) {
  for (int i = 0; i < count; i++) {
    if (args[i].kind == V_INT && args[i ? 0 : count - 1].kind == V_TENSOR)
      args[i] = literal(x, args[i ? 0 : count - 1].op, args[i].integer);
    if (args[i].kind != V_TENSOR)
      return args[i].kind == V_NONE ? NOTHING : fail(x, at, "`%s` needs tensors", op_info[k].name);
  }
  if (count != op_info[k].args)
    return fail(x, at, "`%s` takes %d operands, not %d", op_info[k].name, op_info[k].args, count);
  IrType t;
  if (!result_type(x, at, k, args, count, &t))
    return NOTHING;
  const Op *joint = x->current;
  switch (op_info[k].class) {
  case OPC_EW:
    t.shape = ew_shape(args, count);
    return emit(x, at, k, t, args, count);
  case OPC_BILINEAR:
  case OPC_REDUCE: {
    if (k == OP_ARGMAX || k == OP_ARGMIN)
      t.elem = EL_INT;
    if (joint->kind != k)
      return fail(x, at, "`%s` cannot be used to carry out %s", op_info[k].name, op_info[joint->kind].name);
    t.shape = joint->type.shape;
    Val v = emit(x, at, k, t, args, count);
    for (int i = 0; v.kind == V_TENSOR && i < joint->ints.count; i++)
      ir_int(x->out, v.op, joint->ints.data[i]);
    return v;
  }
  default:
    return fail(x, at, "`%s` cannot be called in a protocol", op_info[k].name);
  }
}

static OpKind op_of_operator(Operator o) {
  switch (o) {
  case OPR_ADD: return OP_ADD;
  case OPR_SUB: return OP_SUB;
  case OPR_MUL: return OP_MUL;
  case OPR_DIV: return OP_DIV;
  case OPR_FLOORDIV: return OP_FLOORDIV;
  case OPR_MOD: return OP_MOD;
  case OPR_POW: return OP_POW;
  case OPR_MATMUL: return OP_MATMUL;
  case OPR_EQ: return OP_EQ;
  case OPR_NE: return OP_NE;
  case OPR_LT: case OPR_GT: return OP_LT;
  case OPR_LE: case OPR_GE: return OP_LE;
  case OPR_AND: return OP_AND;
  case OPR_OR: return OP_OR;
  case OPR_NOT: return OP_NOT;
  case OPR_NEG: return OP_NEG;
  }
  return OP_NONE;
}

static int64_t power(int64_t base, int64_t exponent) {
  uint64_t r = 1;
  for (int64_t i = 0; i < exponent; i++)
    r *= (uint64_t)base;
  return (int64_t)r;
}

static Val integer_operator(Expander *x, const Expr *e, int64_t a, int64_t b) {
  switch (e->op) {
  case OPR_ADD: return integer((int64_t)((uint64_t)a + (uint64_t)b));
  case OPR_SUB: return integer((int64_t)((uint64_t)a - (uint64_t)b));
  case OPR_MUL: return integer((int64_t)((uint64_t)a * (uint64_t)b));
  case OPR_FLOORDIV:
  case OPR_MOD:
    if (b <= 0 || a < 0)
      return fail(x, e->span, "`%s` of a negative number or by zero", ast_operator_text((int)e->op));
    return integer(e->op == OPR_MOD ? a % b : a / b);
  case OPR_POW: return b < 0 ? fail(x, e->span, "negative power") : integer(power(a, b));
  case OPR_EQ: return integer(a == b);
  case OPR_NE: return integer(a != b);
  case OPR_LT: return integer(a < b);
  case OPR_LE: return integer(a <= b);
  case OPR_GT: return integer(a > b);
  case OPR_GE: return integer(a >= b);
  case OPR_AND: return integer(a && b);
  case OPR_OR: return integer(a || b);
  default: return fail(x, e->span, "`%s` of integers", ast_operator_text((int)e->op));
  }
}

static Val eval_binary(Expander *x, const Expr *e) {
  Val args[2] = {eval(x, e->left), eval(x, e->right)};
  if (args[0].kind == V_NONE || args[1].kind == V_NONE)
    return NOTHING;
  if (args[0].kind == V_INT && args[1].kind == V_INT)
    return integer_operator(x, e, args[0].integer, args[1].integer);
  if (e->op == OPR_GT || e->op == OPR_GE) {
    Val t = args[0];
    args[0] = args[1];
    args[1] = t;
  }
  OpKind k = op_of_operator(e->op);
  if (is_private(&args[0]) || is_private(&args[1]))
    return call_kind(x, op_info[k].name, args, 2, &e->span);
  return apply(x, e->span, k, args, 2);
}

static Val eval_unary(Expander *x, const Expr *e) {
  Val v = eval(x, e->right);
  if (v.kind == V_INT)
    return integer(e->op == OPR_NEG ? -v.integer : !v.integer);
  OpKind k = op_of_operator(e->op);
  if (is_private(&v))
    return call_kind(x, op_info[k].name, &v, 1, &e->span);
  return apply(x, e->span, k, &v, 1);
}

/* ---- rearrangements, part by part ------------------------------------------------------------------------------ */

/* The choreography's operation for a joint MOVE (or SUM) operation, on one tensor. The operands behind the first n data
 * operands are public indices. */
static Val move_tensor(Expander *x, const Op *joint, const Val *data, int n) {
  IrType t = data[0].op->type;
  t.shape = joint->type.shape;
  Val args[1 + 64];
  int count = 0;
  for (int i = 0; i < joint->args.count && count < 65; i++) {
    if (i < n)
      args[count++] = data[i];
    else
      args[count++] = *(const Val *)joint->args.data[i]->note;
  }
  Val v = emit(x, joint->site ? joint->site->span : (Span){0}, joint->kind, t, args, count);
  for (int i = 0; v.kind == V_TENSOR && i < joint->ints.count; i++)
    ir_int(x->out, v.op, joint->ints.data[i]);
  return v;
}

static Val move_parts(Expander *x, const Op *joint, const Val *data, int n) {
  Val result = data[0];
  result.items = ARENA_ARRAY(x->arena, Val, result.count);
  for (int f = 0; f < result.count; f++) {
    Val part[64];
    for (int i = 0; i < n; i++)
      part[i] = data[i].items[f];
    result.items[f] = move_tensor(x, joint, part, n);
    if (result.items[f].kind == V_NONE)
      return NOTHING;
  }
  result.move = NULL;
  result.source = NULL;
  return result;
}

/* How many of a joint operation's operands are data (the others are indices). */
static int data_operands(const Op *joint) {
  switch (joint->kind) {
  case OP_CONCAT: return joint->args.count;
  case OP_UPDATE: return 2;
  default: return 1;
  }
}

/* Passes of the loops between a block and one that encloses it; -1 if not known. */
static int64_t passes_between(const IrBlock *outer, const IrBlock *inner) {
  int64_t n = 1;
  for (const IrBlock *b = inner; b != outer; b = b->owner->parent) {
    if (!b->owner)
      return -1;
    if (b->owner->kind == OP_WHILE)
      return -1;
    if (b->owner->kind != OP_FOR)
      continue;
    uint64_t low, high;
    if (!ir_is_splat(b->owner->args.data[0], &low) || !ir_is_splat(b->owner->args.data[1], &high))
      return -1;
    n *= (int64_t)high > (int64_t)low ? (int64_t)(high - low) : 0;
  }
  return n;
}

/* Whether an elementwise function of the result of `move` is better taken of its operand. */
static bool worth_commuting(const Val *v) {
  const Op *move = v->move;
  switch (move->kind) {
  case OP_RESHAPE:
  case OP_TRANSPOSE:
  case OP_BROADCAST:
    return true;
  case OP_SLICE:
  case OP_GATHER: {
    const Op *whole = move->args.data[0];
    if (whole->parent->depth >= move->parent->depth || !ir_block_encloses(whole->parent, move->parent))
      return false;
    int64_t n = passes_between(whole->parent, move->parent);
    return n < 0 || n * shape_count(&move->type.shape) >= shape_count(&whole->type.shape);
  }
  default:
    return false;
  }
}

/* ---- builtin functions of the protocol layer --------------------------------------------------------------------- */

typedef struct Call {
  const Expr *e;
  Val args[8];
  const char *names[8];
  int count;
} Call;

static const Val *named(const Call *c, const char *name) {
  for (int i = 0; i < c->count; i++)
    if (c->names[i] && strcmp(c->names[i], name) == 0)
      return &c->args[i];
  return NULL;
}

static bool expect(Expander *x, const Call *c, const char *kinds) {
  int n = 0;
  for (; kinds[n]; n++) {
    if (n >= c->count || c->names[n])
      break;
    ValKind k = c->args[n].kind;
    if (k == V_NONE)
      return false;
    bool ok = (kinds[n] == 't' && k == V_TENSOR) || (kinds[n] == 'i' && k == V_INT) || (kinds[n] == 'p' && k == V_PARTIES);
    if (!ok) {
      fail(x, c->e->args.data[n].span, "argument %d of `%s` must be %s", n + 1, c->e->left->name,
           kinds[n] == 't' ? "a tensor" : kinds[n] == 'i' ? "an integer" : "a party");
      return false;
    }
  }
  if (kinds[n]) {
    fail(x, c->e->span, "`%s` needs %d arguments", c->e->left->name, (int)strlen(kinds));
    return false;
  }
  return true;
}

static Frame *pure_frame(Expander *x);

static Val send_to(Expander *x, Span at, Val v, PartySet to) {
  if (v.kind != V_TENSOR)
    return NOTHING;
  int from = party_first(v.parties);
  if (from < 0)
    return fail(x, at, "nobody holds what is sent");
  for (const Op *op = v.op; op->kind == OP_SEND; op = op->args.data[0])
    if (party_has(v.parties, (int)op->ints.data[0]))
      from = (int)op->ints.data[0]; /* from where it is made: nobody passes on what came in a message */
  for (int p = 0; p < x->out->party_count; p++) {
    if (!party_has(to, p) || party_has(v.parties, p))
      continue;
    Op *op = append(x, OP_SEND, v.op->type, party_or(v.parties, party_one(p)));
    ir_operand(x->out, op, v.op);
    ir_int(x->out, op, from);
    ir_int(x->out, op, p);
    if (pure_frame(x)) /* a masked value: pass_licm may take it out of any loop */
      op->text = "pure";
    else if (x->current->kind == OP_REVEAL) /* not before the assertions in front of it: pass_rounds */
      op->text = "reveal";
    v = tensor(op, op->where);
  }
  return v;
}

static Val builtin_exchange(Expander *x, Call *c) {
  if (!expect(x, c, "tt"))
    return NOTHING;
  Val both[2] = {send_to(x, c->e->span, c->args[0], party_one(party_first(c->args[1].parties))),
                 send_to(x, c->e->span, c->args[1], party_one(party_first(c->args[0].parties)))};
  return apply(x, c->e->span, OP_ADD, both, 2);
}

static Val builtin_send(Expander *x, Call *c) {
  return expect(x, c, "tp") ? send_to(x, c->e->span, c->args[0], c->args[1].parties) : NOTHING;
}

static Frame *pure_frame(Expander *x) {
  for (Frame *f = x->frame; f; f = (Frame *)(uintptr_t)f->caller)
    if (f->pure)
      return f;
  return NULL;
}

/* random(like, p, q): uniform in the ring of `like`; with words = k, k words of 64 bits for each element. */
static Val builtin_random(Expander *x, Call *c) {
  if (!expect(x, c, "tpp"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  const Val *words = named(c, "words");
  if (words) {
    t.bits = 64;
    t.scale = 0;
    t.shape.dim[t.shape.rank++] = words->integer;
  }
  int p = party_first(c->args[1].parties), q = party_first(c->args[2].parties);
  Op *op = append(x, OP_RANDOM, t, party_or(party_one(p), party_one(q)));
  ir_int(x->out, op, p);
  ir_int(x->out, op, q);
  Frame *f = pure_frame(x);
  if (f) {
    op->text = arena_printf(x->arena, "%s#%d", f->label, f->draws++);
    for (int i = 0; i < f->leaves.count; i++)
      ir_operand(x->out, op, f->leaves.data[i]);
  }
  /* The operands only name the draw: it takes place at p and q wherever they are. */
  return tensor(op, op->where);
}

static const ProtocolInstance *instance(const Expander *x) {
  return &x->joint->protocols.data[x->protocol];
}

static uint64_t encode_number(double v, int bits, int scale) {
  double r = nearbyint(ldexp(v, scale));
  return (uint64_t)(int64_t)r & low_bits(bits);
}

static double const_value(const Op *op, int64_t i) {
  uint64_t bits = op->data[op->data_count == 1 ? 0 : i];
  return op->type.elem == EL_FIXED ? ir_bits_fixed(bits) : (double)(int64_t)bits;
}

static Val unfit(Expander *x, double v, int whole) {
  if (!x->failed) {
    const ProtocolInstance *p = instance(x);
    Diag *d = diag_new(x->diags, DIAG_E0415, x->current->site->span, arena_printf(x->arena, "%g", v), whole);
    diag_also(d, p->span, "whole = %d", p->whole);
    diag_help(d, "scale the numbers, or give the block a larger `whole`");
  }
  x->failed = true;
  return NOTHING;
}

/* Constants are encoded here and now; they are in range, or that is the user's error. */
static Val encode_const(Expander *x, const Op *op, IrType t, int whole) {
  Op *out = append(x, OP_CONST, t, x->everybody);
  uint64_t *data = arena_alloc(x->arena, sizeof(uint64_t) * (size_t)op->data_count);
  for (int64_t i = 0; i < op->data_count; i++) {
    double v = const_value(op, i);
    if (op->type.elem == EL_FIXED && !(fabs(v) < ldexp(1.0, whole)))
      return unfit(x, v, whole);
    data[i] = op->type.elem == EL_FIXED ? encode_number(v, t.bits, t.scale)
                                         : (op->data[i] << (t.scale < 64 ? t.scale : 0)) & low_bits(t.bits);
  }
  out->data = data;
  out->data_count = op->data_count;
  return tensor(out, x->everybody);
}

static Val encode(Expander *x, Span at, Val v, int bits, int scale, int whole) {
  IrType t = ring_type(bits, scale, v.op->type.shape);
  if (v.op->type.elem == EL_RING)
    return fail(x, at, "this is encoded already");
  if (v.op->kind == OP_CONST)
    return encode_const(x, v.op, t, whole);
  return emit_int(x, at, OP_ENCODE, t, v, whole);
}

/* encode(x): a number as the kind holds it; encode(x, like): in the ring and scale of a tensor. Integers promise to stay
 * below 2^(ring - 2). */
static Val builtin_encode(Expander *x, Call *c) {
  if (!expect(x, c, c->count > 1 ? "tt" : "t"))
    return NOTHING;
  const ProtocolInstance *p = instance(x);
  Elem e = c->args[0].op->type.elem;
  int bits = e == EL_BOOL ? 1 : p->ring;
  int scale = e == EL_FIXED ? p->frac : 0;
  if (c->count > 1) {
    bits = c->args[1].op->type.bits;
    scale = c->args[1].op->type.scale;
  }
  int whole = e == EL_FIXED ? p->whole : e == EL_INT ? p->ring - 2 - scale : 1;
  return encode(x, c->e->span, c->args[0], bits, scale, whole);
}

/* Bits that a sum of products needs above its largest term. */
static int sum_bits(const Expander *x) {
  const Op *joint = x->current;
  int64_t terms = 1;
  if (joint->kind == OP_MATMUL)
    terms = joint->args.data[0]->type.shape.dim[1];
  else if (joint->kind == OP_CONV2D) {
    const Shape *k = &joint->args.data[1]->type.shape;
    terms = k->dim[0] * k->dim[1] * k->dim[2];
  }
  int bits = 0;
  while ((INT64_C(1) << bits) < terms)
    bits++;
  return bits;
}

static Val no_room(Expander *x, int scale) {
  const ProtocolInstance *p = instance(x);
  if (!x->failed) {
    Diag *d = diag_new(x->diags, DIAG_E0413, x->current->site->span, p->whole + scale, p->ring - 2);
    diag_also(d, p->span, "frac = %d, whole = %d", p->frac, p->whole);
    diag_help(d, "give the block less precision: whole + 2 * frac must not be more than %d", p->ring - 2);
  }
  x->failed = true;
  return NOTHING;
}

/* factor(y, like): a public factor of a private tensor, at the scale that suits the two (factor.c). */
static Val builtin_factor(Expander *x, Call *c) {
  if (!expect(x, c, "tt"))
    return NOTHING;
  const ProtocolInstance *p = instance(x);
  const Op *op = c->args[0].op;
  int other = c->args[1].op->type.scale;
  bool known = op->kind == OP_CONST;
  if (op->type.elem != EL_FIXED)
    return encode(x, c->e->span, c->args[0], p->ring, 0, p->ring - 2);
  int scale = factor_scale(p, other, sum_bits(x), known ? op->data : NULL, op->data_count);
  if (scale < 0)
    return no_room(x, other + p->frac);
  return encode(x, c->e->span, c->args[0], p->ring, scale, known ? p->ring - 2 - scale : p->whole);
}

/* promised(x): x, an untruncated product, which the program promises to be below 2^whole. */
static Val builtin_promised(Expander *x, Call *c) {
  const Val *part = c->count == 1 && is_private(&c->args[0]) ? &c->args[0].items[0] : &c->args[0];
  if (c->count != 1 || part->kind != V_TENSOR)
    return fail(x, c->e->span, "`promised` takes a private value");
  return factor_fits(instance(x), part->op->type.scale) ? c->args[0] : no_room(x, part->op->type.scale);
}

static Val builtin_decode(Expander *x, Call *c) {
  if (!expect(x, c, "t"))
    return NOTHING;
  IrType t = x->current->type;
  t.shape = c->args[0].op->type.shape;
  return emit(x, c->e->span, OP_DECODE, t, c->args, 1);
}

static Val builtin_zero(Expander *x, Call *c) {
  return expect(x, c, "t") ? splat(x, c->args[0].op->type, 0) : NOTHING;
}

static Val builtin_shift(Expander *x, Call *c, OpKind k) {
  if (!expect(x, c, "ti"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  t.scale += (int)(k == OP_SHL ? c->args[1].integer : -c->args[1].integer);
  return emit_int(x, c->e->span, k, t, c->args[0], c->args[1].integer);
}

static Val builtin_shl(Expander *x, Call *c) {
  return builtin_shift(x, c, OP_SHL);
}

static Val builtin_shr(Expander *x, Call *c) {
  return builtin_shift(x, c, OP_SHR);
}

static Val builtin_bit(Expander *x, Call *c) {
  if (!expect(x, c, "ti"))
    return NOTHING;
  return emit_int(x, c->e->span, OP_BIT, ring_type(1, 0, c->args[0].op->type.shape), c->args[0], c->args[1].integer);
}

/* cast(x, bits) or cast(x, like): the same ring element (its low bits), read in another ring; scale 0, or that of like. */
static Val builtin_cast(Expander *x, Call *c) {
  bool like = c->count > 1 && c->args[1].kind == V_TENSOR;
  if (!expect(x, c, like ? "tt" : "ti"))
    return NOTHING;
  const IrType *from = &c->args[0].op->type;
  IrType t = ring_type(like ? c->args[1].op->type.bits : (int)c->args[1].integer, like ? c->args[1].op->type.scale : 0,
                       from->shape);
  if (from->elem != EL_RING || t.bits < 1 || t.bits > 64)
    return fail(x, c->e->span, "`cast` goes from a ring to one of 1 to 64 bits");
  return emit(x, c->e->span, t.bits < from->bits ? OP_NARROW : OP_WIDEN, t, c->args, 1);
}

static Val builtin_dpf_key(Expander *x, Call *c) {
  if (!expect(x, c, "ttt"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  int64_t words = tfe_dpf_words(t.bits);
  t.bits = 64;
  t.scale = 0;
  t.shape.dim[t.shape.rank++] = words;
  return emit(x, c->e->span, OP_DPF_KEY, t, c->args, 3);
}

static Val builtin_dpf_eval(Expander *x, Call *c) {
  if (!expect(x, c, "ttti"))
    return NOTHING;
  Val v = emit(x, c->e->span, OP_DPF_EVAL, ring_type(1, 0, c->args[0].op->type.shape), c->args, 3);
  if (v.kind == V_TENSOR)
    ir_int(x->out, v.op, c->args[3].integer);
  return v;
}

/* bounded(x): x, checked against the declared range (kind clear). */
static Val builtin_bounded(Expander *x, Call *c) {
  if (!expect(x, c, "t"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  if (t.elem == EL_BOOL || c->args[0].op->kind == OP_CONST)
    return c->args[0];
  return emit_int(x, c->e->span, OP_BOUNDED, t, c->args[0], t.elem == EL_FIXED ? instance(x)->whole : instance(x)->ring - 2);
}

static Val broadcast_to(Expander *x, Span at, Val v, Shape shape) {
  if (v.kind != V_TENSOR || shape_equal(&v.op->type.shape, &shape))
    return v;
  IrType t = v.op->type;
  t.shape = shape;
  return emit(x, at, OP_BROADCAST, t, &v, 1);
}

/* spread(x, like): x repeated to the shape of a tensor. */
static Val builtin_spread(Expander *x, Call *c) {
  return expect(x, c, "tt") ? broadcast_to(x, c->e->span, c->args[0], c->args[1].op->type.shape) : NOTHING;
}

/* holds(...): a private value from its parts, which get equal shapes. */
static Val builtin_holds(Expander *x, Call *c) {
  const Decl *k = x->kind;
  if (c->count != k->holds.count)
    return fail(x, c->e->span, "`holds` needs %d parts", k->holds.count);
  Val v = {.kind = V_STRUCT, .is_private = true, .protocol = x->protocol, .name = k->name, .count = c->count};
  v.items = ARENA_ARRAY(x->arena, Val, c->count);
  v.fields = ARENA_ARRAY(x->arena, const char *, c->count);
  Shape shape = {0};
  for (int i = 0; i < c->count; i++) {
    v.fields[i] = k->holds.data[i].name;
    const Val *part = named(c, v.fields[i]);
    v.items[i] = part ? *part : c->args[i];
    if (v.items[i].kind != V_TENSOR)
      return v.items[i].kind == V_NONE ? NOTHING : fail(x, c->e->span, "the parts of `holds` are tensors");
    if (v.items[i].op->type.shape.rank > shape.rank)
      shape = v.items[i].op->type.shape;
  }
  for (int i = 0; i < c->count; i++)
    v.items[i] = broadcast_to(x, c->e->span, v.items[i], shape);
  return v;
}

static const struct Builtin {
  const char *name;
  Val (*call)(Expander *, Call *);
} builtins[] = {
    {"holds", builtin_holds},     {"send", builtin_send},       {"exchange", builtin_exchange}, {"random", builtin_random},
    {"encode", builtin_encode},   {"decode", builtin_decode},   {"factor", builtin_factor},     {"zero", builtin_zero},
    {"shl", builtin_shl},         {"shr", builtin_shr},         {"bit", builtin_bit},           {"cast", builtin_cast},
    {"dpf_key", builtin_dpf_key}, {"dpf_eval", builtin_dpf_eval}, {"bounded", builtin_bounded},
    {"promised", builtin_promised}, {"spread", builtin_spread},
};

/* ---- names and calls ------------------------------------------------------------------------------------------------ */

static OpKind op_by_name(const char *name) {
  for (int k = 1; k < OP_COUNT; k++)
    if (strcmp(op_info[k].name, name) == 0)
      return (OpKind)k;
  return OP_NONE;
}

static const Decl *member(const Decl *kind, const char *name, DeclKind what) {
  for (int i = 0; i < kind->members.count; i++)
    if (kind->members.data[i]->kind == what && strcmp(kind->members.data[i]->name, name) == 0)
      return kind->members.data[i];
  return NULL;
}

static bool header_party(const Expander *x, const char *name, PartySet *out) {
  const Decl *k = x->kind;
  const ProtocolInstance *p = instance(x);
  for (int i = 0; i < k->servers.count && i < p->servers.count; i++)
    if (strcmp(k->servers.data[i].name, name) == 0)
      return *out = party_one(p->servers.data[i]), true;
  for (int i = 0; i < k->helpers.count && i < p->helpers.count; i++)
    if (strcmp(k->helpers.data[i].name, name) == 0)
      return *out = party_one(p->helpers.data[i]), true;
  return false;
}

static bool option_value(Expander *x, const char *name, Val *out) {
  const ProtocolInstance *p = instance(x);
  if (strcmp(name, "frac") == 0)
    return *out = integer(p->frac), true;
  if (strcmp(name, "whole") == 0)
    return *out = integer(p->whole), true;
  if (strcmp(name, "ring") == 0)
    return *out = integer(p->ring), true;
  for (int i = 0; i < p->extra_count; i++)
    if (strcmp(p->extra[i].name, name) == 0)
      return *out = integer(p->extra[i].value), true;
  const Decl *standard = member(x->kind, name, DECL_CONST);
  if (standard)
    return *out = eval(x, standard->value), true;
  return false;
}

static Val eval_name(Expander *x, const Expr *e) {
  for (int i = x->frame->names.count - 1; i >= 0; i--)
    if (strcmp(x->frame->names.data[i].name, e->name) == 0)
      return x->frame->names.data[i].value;
  PartySet s;
  Val v;
  if (header_party(x, e->name, &s))
    return parties(s);
  if (option_value(x, e->name, &v))
    return v;
  if (op_by_name(e->name) != OP_NONE)
    return (Val){.kind = V_OPERATION, .name = e->name};
  return fail(x, e->span, "unknown name `%s`", e->name);
}

/* A part of a private value is seen at the place that `holds` gives it. */
static Val part_of(Expander *x, const Val *v, int i) {
  Val part = v->items[i];
  if (v->is_private && part.kind == V_TENSOR) {
    const TypeExpr *t = x->kind->holds.data[i].type;
    PartySet s;
    if (t->has_place && header_party(x, t->place.name, &s))
      part.parties = party_and(part.parties, s);
  }
  return part;
}

static Val eval_field(Expander *x, const Expr *e) {
  Val v = eval(x, e->left);
  if (v.kind == V_NONE)
    return NOTHING;
  if (v.kind == V_STRUCT)
    for (int i = 0; i < v.count; i++)
      if (strcmp(v.fields[i], e->name) == 0)
        return part_of(x, &v, i);
  const Val *t = v.kind == V_STRUCT && v.count ? &v.items[0] : &v;
  if (t->kind == V_TENSOR && strcmp(e->name, "bits") == 0)
    return integer(t->op->type.bits);
  if (t->kind == V_TENSOR && strcmp(e->name, "scale") == 0)
    return integer(t->op->type.scale);
  return fail(x, e->name_span, "there is no `%s` here", e->name);
}

static void gather_leaves(Expander *x, Frame *f, const Val *v) {
  if (v->kind == V_TENSOR)
    VEC_PUSH(x->arena, &f->leaves, v->op);
  for (int i = 0; v->kind == V_STRUCT && i < v->count; i++)
    gather_leaves(x, f, &v->items[i]);
}

/* What an operation that a `pure` function carries out, or is handed, takes from the joint operation, for the label: sums
 * over different axes are different though the tensors are the same. */
static const char *attributes(Expander *x, const char *name) {
  const Op *joint = x->current;
  const char *text = "";
  bool has = strcmp(op_info[joint->kind].name, name) == 0 && op_info[joint->kind].class != OPC_EW;
  for (int i = 0; has && i < joint->ints.count; i++)
    text = arena_printf(x->arena, "%s.%lld", text, (long long)joint->ints.data[i]);
  return text;
}

/* Runs a function of the kind's file. */
static Val call_function(Expander *x, const Decl *fn, Val *args, int count, Span at) {
  int depth = 0;
  for (const Frame *f = x->frame; f; f = f->caller)
    depth++;
  if (depth > 100)
    return fail(x, at, "functions of a protocol cannot call themselves");
  if (count != fn->parms.count)
    return fail(x, at, "`%s` takes %d arguments, not %d", fn->name, fn->parms.count, count);
  for (int i = 0; i < count; i++)
    if (args[i].kind == V_NONE)
      return NOTHING;
  bool elementwise = fn->modifier && strcmp(fn->modifier, "elementwise") == 0;
  if (elementwise && count == 1 && is_private(&args[0]) && args[0].move && worth_commuting(&args[0])) {
    Val source = *args[0].source;
    const Op *move = args[0].move;
    Val whole = call_function(x, fn, &source, 1, at);
    return whole.kind == V_STRUCT ? move_parts(x, move, &whole, 1) : NOTHING;
  }
  Frame frame = {.function = fn, .caller = x->frame, .pure = fn->modifier != NULL};
  for (int i = 0; i < count; i++) {
    Binding b = {fn->parms.data[i].name, args[i]};
    VEC_PUSH(x->arena, &frame.names, b);
    if (fn->parms.data[i].at) {
      Binding place = {fn->parms.data[i].at, parties(party_one(party_first(args[i].parties)))};
      VEC_PUSH(x->arena, &frame.names, place);
    }
    if (frame.pure)
      gather_leaves(x, &frame, &args[i]);
  }
  if (frame.pure) {
    char *label = arena_printf(x->arena, "%s.%d.%s%s", x->kind->name, x->protocol, fn->name, attributes(x, fn->name));
    for (int i = 0; i < count; i++) {
      if (args[i].kind == V_INT)
        label = arena_printf(x->arena, "%s,%lld", label, (long long)args[i].integer);
      else if (args[i].kind == V_OPERATION)
        label = arena_printf(x->arena, "%s,%s%s", label, args[i].name, attributes(x, args[i].name));
    }
    frame.label = label;
  }
  x->frame = &frame;
  Val last = run_block(x, fn->block);
  x->frame = (Frame *)(uintptr_t)frame.caller;
  Val result = frame.returned ? frame.result : last;
  if (result.kind == V_NONE && !x->failed)
    return fail(x, fn->name_span, "`%s` gives no value", fn->name);
  return result;
}

static bool is_public_parm(const Parm *p) {
  return p->type && p->type->visibility == VIS_PUBLIC;
}

/* A number that is not in a ring yet. */
static bool is_public_number(const Val *v) {
  return v->kind == V_TENSOR && v->op->type.elem != EL_RING;
}

/* The function of that name whose parameters fit: `: public` takes tensors, others take private values (or anything that
 * is not a tensor). */
static const Decl *find_overload(const Expander *x, const char *name, const Val *args, int count) {
  for (int i = 0; i < x->kind->members.count; i++) {
    const Decl *d = x->kind->members.data[i];
    if (d->kind != DECL_FN || strcmp(d->name, name) != 0 || d->parms.count != count)
      continue;
    bool fits = true;
    for (int k = 0; k < count; k++)
      fits = fits && is_public_parm(&d->parms.data[k]) == (is_public_number(&args[k]) && !d->parms.data[k].at);
    if (fits)
      return d;
  }
  return NULL;
}

static bool commutes(OpKind k) {
  return k == OP_ADD || k == OP_MUL || k == OP_EQ || k == OP_NE || k == OP_AND || k == OP_OR || k == OP_MIN2 || k == OP_MAX2;
}

/* A function of the kind by name: as it fits; with the operands of a commutative operation swapped; with public operands
 * made private. */
static Val call_kind(Expander *x, const char *name, Val *args, int count, const Span *at) {
  for (int i = 0; i < count; i++)
    if (args[i].kind == V_NONE)
      return NOTHING;
  for (int i = 0; i < count; i++)
    if (args[i].kind == V_INT && count == 2 && op_by_name(name) != OP_NONE && is_private(&args[1 - i]))
      args[i] = literal(x, args[1 - i].items[0].op, args[i].integer);
  const Decl *fn = find_overload(x, name, args, count);
  if (!fn && count == 2 && commutes(op_by_name(name))) {
    Val swapped[2] = {args[1], args[0]};
    fn = find_overload(x, name, swapped, 2);
    if (fn)
      return call_function(x, fn, swapped, 2, *at);
  }
  if (!fn) {
    for (int i = 0; i < count; i++) {
      if (args[i].kind != V_TENSOR)
        continue;
      const Decl *lift = find_overload(x, "lift", &args[i], 1);
      if (lift)
        args[i] = call_function(x, lift, &args[i], 1, *at);
    }
    fn = find_overload(x, name, args, count);
  }
  if (!fn)
    return fail(x, *at, "it has no function `%s` for these operands", name);
  return call_function(x, fn, args, count, *at);
}

static Val construct(Expander *x, const Decl *s, Call *c) {
  Val v = {.kind = V_STRUCT, .name = s->name, .count = s->fields.count};
  v.items = ARENA_ARRAY(x->arena, Val, v.count);
  v.fields = ARENA_ARRAY(x->arena, const char *, v.count);
  for (int i = 0; i < v.count; i++) {
    v.fields[i] = s->fields.data[i].name;
    const Val *given = named(c, v.fields[i]);
    if (!given)
      return fail(x, c->e->span, "`%s` needs `%s`", s->name, v.fields[i]);
    v.items[i] = *given;
    if (given->kind == V_NONE)
      return NOTHING;
  }
  return v;
}

static Val eval_call(Expander *x, const Expr *e) {
  if (e->left->kind != EX_NAME || e->args.count > 8)
    return fail(x, e->span, "this cannot be called");
  Call c = {.e = e, .count = e->args.count};
  for (int i = 0; i < c.count; i++) {
    c.names[i] = e->args.data[i].name;
    c.args[i] = eval(x, e->args.data[i].value);
    if (c.args[i].kind == V_NONE)
      return NOTHING;
  }
  const char *name = e->left->name;
  for (int i = x->frame->names.count - 1; i >= 0; i--)
    if (strcmp(x->frame->names.data[i].name, name) == 0 && x->frame->names.data[i].value.kind == V_OPERATION)
      name = x->frame->names.data[i].value.name;
  for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
    if (strcmp(builtins[i].name, name) == 0)
      return builtins[i].call(x, &c);
  const Decl *s = member(x->kind, name, DECL_STRUCT);
  if (s)
    return construct(x, s, &c);
  bool tensors = c.count > 0;
  for (int i = 0; i < c.count; i++)
    tensors = tensors && (c.args[i].kind == V_TENSOR || c.args[i].kind == V_INT);
  OpKind k = op_by_name(name);
  if (tensors && k != OP_NONE)
    return apply(x, e->span, k, c.args, c.count);
  if (!member(x->kind, name, DECL_FN))
    return fail(x, e->left->span, "unknown function `%s`", name);
  return call_kind(x, name, c.args, c.count, &e->span);
}

static Val eval_at(Expander *x, const Expr *e) {
  PartySet s;
  bool found = header_party(x, e->place.name, &s);
  for (int i = x->frame->names.count - 1; i >= 0 && !found; i--)
    if (strcmp(x->frame->names.data[i].name, e->place.name) == 0)
      s = x->frame->names.data[i].value.parties, found = true;
  if (!found)
    return fail(x, e->place.span, "unknown party `%s`", e->place.name);
  bool before = x->restricted;
  PartySet outer = x->restriction;
  x->restriction = before ? party_and(outer, s) : s;
  x->restricted = true;
  Val v = run_block(x, e->block);
  x->restricted = before;
  x->restriction = outer;
  return v;
}

static Val eval(Expander *x, const Expr *e) {
  if (x->failed)
    return NOTHING;
  switch (e->kind) {
  case EX_NAME: return eval_name(x, e);
  case EX_INT:
  case EX_BOOL: return integer(e->integer);
  case EX_FIELD: return eval_field(x, e);
  case EX_UNARY: return eval_unary(x, e);
  case EX_BINARY: return eval_binary(x, e);
  case EX_CALL: return eval_call(x, e);
  case EX_AT: return eval_at(x, e);
  default: return fail(x, e->span, "this expression has no meaning in a protocol");
  }
}

/* ---- statements of protocol functions -------------------------------------------------------------------------------- */

static void bind(Expander *x, const char *name, Val v) {
  Binding b = {name, v};
  VEC_PUSH(x->arena, &x->frame->names, b);
}

static void assign(Expander *x, const Stmt *s) {
  Val v = eval(x, s->value);
  for (int i = x->frame->names.count - 1; s->target->kind == EX_NAME && i >= 0; i--)
    if (strcmp(x->frame->names.data[i].name, s->target->name) == 0) {
      x->frame->names.data[i].value = v;
      return;
    }
  fail(x, s->target->span, "this cannot be assigned to");
}

static bool condition(Expander *x, const Expr *e) {
  Val v = eval(x, e);
  if (v.kind != V_INT)
    fail(x, e->span, "conditions in a protocol must be known when the program is compiled");
  return v.kind == V_INT && v.integer;
}

static Val run_stmt(Expander *x, const Stmt *s) {
  switch (s->kind) {
  case ST_LET:
    if (s->is_tuple_pattern)
      return fail(x, s->span, "tuples have no meaning in a protocol");
    bind(x, s->pattern.data[0].name, eval(x, s->value));
    return NOTHING;
  case ST_ASSIGN:
    if (s->op >= 0)
      return fail(x, s->span, "write `x = x + ...` in a protocol");
    assign(x, s);
    return NOTHING;
  case ST_IF:
    if (condition(x, s->value))
      return run_block(x, s->block);
    return s->other && !x->failed ? run_block(x, s->other) : NOTHING;
  case ST_WHILE:
    for (int n = 0; !x->failed && !x->frame->returned && condition(x, s->value); n++) {
      if (n > 10000)
        return fail(x, s->span, "this loop does not end");
      run_block(x, s->block);
    }
    return NOTHING;
  case ST_FOR: {
    Val low = eval(x, s->low), high = eval(x, s->high);
    if (low.kind != V_INT || high.kind != V_INT)
      return fail(x, s->span, "bounds must be integers");
    for (int64_t i = low.integer; i < high.integer && !x->failed && !x->frame->returned; i++) {
      bind(x, s->name, integer(i));
      run_block(x, s->block);
    }
    return NOTHING;
  }
  case ST_RETURN: {
    Val v = s->value ? eval(x, s->value) : NOTHING;
    x->frame->returned = true;
    x->frame->result = v;
    return NOTHING;
  }
  case ST_EXPR: return eval(x, s->value);
  default: return fail(x, s->span, "this statement has no meaning in a protocol");
  }
}

static Val run_block(Expander *x, const Block *b) {
  Val last = NOTHING;
  for (int i = 0; i < b->stmts.count && !x->failed && !x->frame->returned; i++)
    last = run_stmt(x, b->stmts.data[i]);
  return last;
}

/* ---- the joint program --------------------------------------------------------------------------------------------------- */

static PartySet place_parties(const Expander *x, Place at) {
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

static Val *remember(Expander *x, Op *joint, Val v) {
  Val *kept = ARENA_NEW(x->arena, Val);
  *kept = v;
  joint->note = kept;
  return kept;
}

static const Val *value_of(const Op *joint) {
  assert(joint->note);
  return joint->note;
}

/* Makes the functions of a protocol instance the ones that run. */
static void enter(Expander *x, const Op *joint, int protocol) {
  x->current = joint;
  x->protocol = protocol;
  x->kind = x->joint->protocols.data[protocol].definition;
  x->frame = NULL;
  x->restricted = false;
  assert(x->kind);
}

static Val copy_clear(Expander *x, Op *joint) {
  PartySet where = place_parties(x, joint->at);
  if (op_info[joint->kind].class == OPC_EFFECT && joint->type.elem == EL_NONE && joint->at.kind == PLACE_PUBLIC)
    where = x->everybody;
  x->current = joint;
  Op *op = append(x, joint->kind, joint->type, where);
  for (int i = 0; i < joint->args.count; i++)
    ir_operand(x->out, op, value_of(joint->args.data[i])->op);
  op->at = joint->at; /* PRINT, ENTROPY: public or not */
  op->ints = joint->ints;
  op->text = joint->text;
  op->data = joint->data;
  op->data_count = joint->data_count;
  op->texts = joint->texts;
  return tensor(op, where);
}

static int private_operand(const Op *joint) {
  for (int i = 0; i < joint->args.count; i++)
    if (joint->args.data[i]->at.kind == PLACE_PRIVATE)
      return i;
  return -1;
}

static Val expand_reveal(Expander *x, Op *joint, int protocol) {
  Val args[2] = {*value_of(joint->args.data[0])};
  Span at = joint->site ? joint->site->span : (Span){0};
  PartySet to = place_parties(x, joint->at);
  if (protocol < 0) {
    x->current = joint;
    return send_to(x, at, args[0], to);
  }
  enter(x, joint, protocol);
  if (joint->at.kind == PLACE_PUBLIC)
    return send_to(x, at, call_kind(x, "reveal", args, 1, &at), to);
  args[1] = parties(to);
  Val v = call_kind(x, "reveal_to", args, 2, &at);
  return v;
}

/* An input that is shared as it is read can be checked against the declared range before anything is sent. */
static void note_range(Expander *x, const Op *shared) {
  while (op_info[shared->kind].class == OPC_MOVE)
    shared = shared->args.data[0];
  if (shared->kind != OP_INPUT || shared->type.elem == EL_BOOL)
    return;
  Slot *slot = &x->out->slots.data[shared->ints.data[0]];
  int whole = shared->type.elem == EL_FIXED ? instance(x)->whole : instance(x)->ring - 2;
  slot->whole = slot->whole && slot->whole < whole ? slot->whole : whole;
}

static Val expand_private(Expander *x, Op *joint) {
  Span at = joint->site ? joint->site->span : (Span){0};
  int which = private_operand(joint);
  int protocol = joint->at.kind == PLACE_PRIVATE ? joint->at.index : joint->args.data[which]->at.index;
  enter(x, joint, protocol);
  if (joint->kind == OP_SHARE)
    note_range(x, joint->args.data[0]);
  Val args[64];
  int count = joint->args.count;
  if (count > 64)
    return fail(x, at, "too many operands");
  for (int i = 0; i < count; i++)
    args[i] = *value_of(joint->args.data[i]);
  const char *name = op_info[joint->kind].name;
  bool defined = member(x->kind, name, DECL_FN) != NULL;
  bool partwise = op_info[joint->kind].class == OPC_MOVE || joint->kind == OP_SUM;
  if (!partwise || defined)
    return call_kind(x, name, args, count, &at);
  int n = data_operands(joint);
  for (int i = 0; i < n; i++)
    if (args[i].kind == V_TENSOR)
      args[i] = call_kind(x, "lift", &args[i], 1, &at);
  if (x->failed)
    return NOTHING;
  Val v = move_parts(x, joint, args, n);
  if (n == 1 && v.kind == V_STRUCT && joint->kind != OP_SUM) {
    v.move = joint;
    v.source = value_of(joint->args.data[0]);
  }
  return v;
}

/* The tensors that carry a value through a loop or a branch. */
typedef VEC(Op *) OpVec;

static void leaves_of(Expander *x, const Val *v, OpVec *out) {
  if (v->kind == V_TENSOR)
    VEC_PUSH(x->arena, out, v->op);
  for (int i = 0; v->kind == V_STRUCT && i < v->count; i++)
    VEC_PUSH(x->arena, out, v->items[i].op);
}

static PartySet leaf_place(Expander *x, const Op *joint, int field) {
  if (joint->at.kind != PLACE_PRIVATE)
    return place_parties(x, joint->at);
  enter(x, joint, joint->at.index);
  PartySet s = x->everybody;
  header_party(x, x->kind->holds.data[field].type->place.name, &s);
  return s;
}

/* A value like `model` whose tensors are made by `make` (block parameters or results). */
static Val carried(Expander *x, const Op *joint, const Val *model, Op *control, int *index, bool is_param) {
  Val v = *model;
  v.move = NULL;
  v.source = NULL;
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
      v.items[i] = tensor(op, where);
    else
      v = tensor(op, where);
  }
  return v;
}

/* Parameters of a copied block; `models` are the values they start from. */
static void begin_block(Expander *x, Op *control, const IrBlock *from, const Val *models, int skip) {
  x->block = ir_block(x->out, control);
  int index = 0;
  for (int i = 0; i < from->params.count; i++) {
    Op *param = from->params.data[i];
    Val v;
    if (i < skip) {
      Op *op = ir_arg(x->out, x->block, param->type, param->site);
      op->where = control->where;
      v = tensor(op, control->where);
    } else {
      v = carried(x, param, &models[i - skip], control, &index, true);
    }
    remember(x, param, v);
  }
}

static void end_block(Expander *x, const IrBlock *from) {
  for (int i = 0; i < from->yields.count && !x->failed; i++) {
    OpVec leaves = {0};
    leaves_of(x, value_of(from->yields.data[i]), &leaves);
    for (int k = 0; k < leaves.count; k++)
      VEC_PUSH(x->arena, &x->block->yields, leaves.data[k]);
  }
}

static void expand_control(Expander *x, Op *joint) {
  IrBlock *outer = x->block;
  x->current = joint;
  Op *control = append(x, joint->kind, joint->type, place_parties(x, joint->at));
  int fixed_args = joint->kind == OP_FOR ? 2 : joint->kind == OP_IF ? 1 : 0;
  int carried_count = joint->args.count - fixed_args;
  Val *models = ARENA_ARRAY(x->arena, Val, joint->args.count + 1);
  for (int i = 0; i < joint->args.count; i++) {
    OpVec leaves = {0};
    leaves_of(x, value_of(joint->args.data[i]), &leaves);
    for (int k = 0; k < leaves.count; k++)
      ir_operand(x->out, control, leaves.data[k]);
    if (i >= fixed_args)
      models[i - fixed_args] = *value_of(joint->args.data[i]);
  }
  int skip = joint->kind == OP_FOR ? 1 : 0;
  for (int b = 0; b < joint->blocks.count && !x->failed; b++) {
    begin_block(x, control, joint->blocks.data[b], models, skip);
    expand_block(x, joint->blocks.data[b]);
    if (!x->failed)
      end_block(x, joint->blocks.data[b]);
  }
  x->block = outer;
  if (x->failed)
    return;
  if (joint->kind == OP_IF) { /* the results look like what the first block yields */
    const IrBlock *first = joint->blocks.data[0];
    carried_count = first->yields.count;
    models = ARENA_ARRAY(x->arena, Val, carried_count + 1);
    for (int i = 0; i < carried_count; i++)
      models[i] = *value_of(first->yields.data[i]);
  }
  /* note of the control operation: the models, for the RESULT operations behind it */
  Val list = {.kind = V_STRUCT, .count = carried_count, .items = models, .op = control};
  remember(x, joint, list);
}

static void expand_result(Expander *x, Op *joint) {
  const Val *list = value_of(joint->args.data[0]);
  int k = (int)joint->ints.data[0];
  int index = 0;
  for (int i = 0; i < k; i++)
    index += list->items[i].kind == V_STRUCT ? list->items[i].count : 1;
  x->current = joint;
  remember(x, joint, carried(x, joint, &list->items[k], list->op, &index, false));
}

static void expand_op(Expander *x, Op *joint) {
  if (op_info[joint->kind].class == OPC_CONTROL) {
    expand_control(x, joint);
    return;
  }
  if (joint->kind == OP_RESULT) {
    expand_result(x, joint);
    return;
  }
  int which = private_operand(joint);
  Val v;
  if (joint->kind == OP_REVEAL)
    v = expand_reveal(x, joint, which < 0 ? -1 : joint->args.data[which]->at.index);
  else if (which >= 0 || joint->at.kind == PLACE_PRIVATE)
    v = expand_private(x, joint);
  else
    v = copy_clear(x, joint);
  if (!x->failed)
    remember(x, joint, v);
}

static void expand_block(Expander *x, const IrBlock *from) {
  for (int i = 0; i < from->ops.count && !x->failed; i++)
    expand_op(x, from->ops.data[i]);
}

Program *expand_program(Arena *arena, Diags *diags, const Program *joint) {
  Program *out = ARENA_NEW(arena, Program);
  *out = *joint;
  out->arena = arena;
  out->self = -1;
  out->next_id = 1;
  out->body = NULL;
  out->body = ir_block(out, NULL);
  Expander x = {.arena = arena, .diags = diags, .joint = joint, .out = out, .block = out->body,
                .everybody = party_range(0, joint->party_count)};
  expand_block(&x, joint->body);
  for (int i = 0; i < out->protocols.count; i++)
    if (strcmp(out->protocols.data[i].kind, "clear") == 0)
      out->clear = true;
  return x.failed ? NULL : out;
}
