/* The builtin functions of the protocol layer: messages, common randomness, encoding, and what works on the
 * bits of ring elements (reference 18.8). */
#include "kind.h"

#include <math.h>

#include "../runtime/gate/dpf_layout.h"
#include "factor.h"

/* ---- builtin functions of the protocol layer ------------------------------------------------------- */

static bool expect(Kind *x, const Call *c, const char *kinds) {
  int n = 0;
  for (; kinds[n]; n++) {
    if (n >= c->count || c->names[n])
      break;
    ValKind k = c->args[n].kind;
    if (k == V_NONE)
      return false;
    bool ok = (kinds[n] == 't' && k == V_TENSOR) || (kinds[n] == 'i' && k == V_INT) ||
              (kinds[n] == 'p' && k == V_PARTIES);
    if (!ok) {
      kind_fail(x, c->e->args.data[n].span, "argument %d of `%s` must be %s", n + 1, c->e->left->name,
                kinds[n] == 't'   ? "a tensor"
                : kinds[n] == 'i' ? "an integer"
                                  : "a party");
      return false;
    }
  }
  if (kinds[n]) {
    kind_fail(x, c->e->span, "`%s` needs %d arguments", c->e->left->name, (int)strlen(kinds));
    return false;
  }
  return true;
}

Val kind_send(Kind *x, Span at, Val v, PartySet to) {
  if (v.kind != V_TENSOR)
    return NOTHING;
  int from = party_first(v.parties);
  if (from < 0)
    return kind_fail(x, at, "nobody holds what is sent");
  for (const Op *op = v.op; op->kind == OP_SEND; op = op->args.data[0])
    if (party_has(v.parties, (int)op->ints.data[0]))
      from = (int)op->ints.data[0]; /* from where it is made: nobody passes on what came in a message */
  for (int p = 0; p < x->out->party_count; p++) {
    if (!party_has(to, p) || party_has(v.parties, p))
      continue;
    Op *op = kind_append(x, OP_SEND, v.op->type, party_or(v.parties, party_one(p)));
    ir_operand(x->out, op, v.op);
    ir_int(x->out, op, from);
    ir_int(x->out, op, p);
    if (kind_pure_frame(x)) /* a masked value: pass_licm may take it out of any loop */
      op->text = "pure";
    else if (x->current->kind == OP_REVEAL) /* not before the assertions in front of it: pass_rounds */
      op->text = "reveal";
    v = val_tensor(op, op->where);
  }
  return v;
}

static Val builtin_exchange(Kind *x, Call *c) {
  if (!expect(x, c, "tt"))
    return NOTHING;
  Val both[2] = {kind_send(x, c->e->span, c->args[0], party_one(party_first(c->args[1].parties))),
                 kind_send(x, c->e->span, c->args[1], party_one(party_first(c->args[0].parties)))};
  return kind_apply(x, c->e->span, OP_ADD, both, 2);
}

static Val builtin_send(Kind *x, Call *c) {
  return expect(x, c, "tp") ? kind_send(x, c->e->span, c->args[0], c->args[1].parties) : NOTHING;
}

/* random(like, p, q): uniform in the ring of `like`; with words = k, k words of 64 bits for each element. */
static Val builtin_random(Kind *x, Call *c) {
  if (!expect(x, c, "tpp"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  const Val *words = kind_named(c, "words");
  if (words) {
    t.bits = 64;
    t.scale = 0;
    t.shape.dim[t.shape.rank++] = words->integer;
  }
  int p = party_first(c->args[1].parties), q = party_first(c->args[2].parties);
  Op *op = kind_append(x, OP_RANDOM, t, party_or(party_one(p), party_one(q)));
  ir_int(x->out, op, p);
  ir_int(x->out, op, q);
  Frame *f = kind_pure_frame(x);
  if (f) {
    op->text = arena_printf(x->arena, "%s#%d", f->label, f->draws++);
    for (int i = 0; i < f->leaves.count; i++)
      ir_operand(x->out, op, f->leaves.data[i]);
  }
  /* The operands only name the draw: it takes place at p and q wherever they are. */
  return val_tensor(op, op->where);
}

static uint64_t encode_number(double v, int bits, int scale) {
  double r = nearbyint(ldexp(v, scale));
  return (uint64_t)(int64_t)r & kind_low_bits(bits);
}

static double const_value(const Op *op, int64_t i) {
  uint64_t bits = op->data[op->data_count == 1 ? 0 : i];
  return op->type.elem == EL_FIXED ? ir_bits_fixed(bits) : (double)(int64_t)bits;
}

static Val unfit(Kind *x, double v, int whole) {
  if (!x->failed) {
    const ProtocolInstance *p = kind_instance(x);
    Diag *d = diag_new(x->diags, DIAG_E0415, x->current->site->span, arena_printf(x->arena, "%g", v), whole);
    diag_also(d, p->span, "whole = %d", p->whole);
    diag_help(d, "scale the numbers, or give the block a larger `whole`");
  }
  x->failed = true;
  return NOTHING;
}

/* Constants are encoded here and now; they are in range, or that is the user's error. */
static Val encode_const(Kind *x, const Op *op, IrType t, int whole) {
  Op *out = kind_append(x, OP_CONST, t, x->everybody);
  uint64_t *data = arena_alloc(x->arena, sizeof(uint64_t) * (size_t)op->data_count);
  for (int64_t i = 0; i < op->data_count; i++) {
    double v = const_value(op, i);
    if (op->type.elem == EL_FIXED && !(fabs(v) < ldexp(1.0, whole)))
      return unfit(x, v, whole);
    data[i] = op->type.elem == EL_FIXED
                  ? encode_number(v, t.bits, t.scale)
                  : (op->data[i] << (t.scale < 64 ? t.scale : 0)) & kind_low_bits(t.bits);
  }
  out->data = data;
  out->data_count = op->data_count;
  return val_tensor(out, x->everybody);
}

static Val encode(Kind *x, Span at, Val v, int bits, int scale, int whole) {
  IrType t = kind_ring(bits, scale, v.op->type.shape);
  if (v.op->type.elem == EL_RING)
    return kind_fail(x, at, "this is encoded already");
  if (v.op->kind == OP_CONST)
    return encode_const(x, v.op, t, whole);
  return kind_emit_int(x, at, OP_ENCODE, t, v, whole);
}

/* The ring that operands and result of the joint operation need. */
static int operation_bits(const Kind *x) {
  const Op *op = x->current;
  int bits = op->width > op->need ? op->width : op->need;
  return bits ? bits : kind_instance(x)->ring;
}

/* encode(x): a number as the kind holds it, in the ring that the operation needs; encode(x, like): in the ring
 * and scale of a tensor. Integers promise to stay below 2^(ring - 2). */
static Val builtin_encode(Kind *x, Call *c) {
  if (!expect(x, c, c->count > 1 ? "tt" : "t"))
    return NOTHING;
  const ProtocolInstance *p = kind_instance(x);
  Elem e = c->args[0].op->type.elem;
  int bits = e == EL_BOOL ? 1 : operation_bits(x);
  int scale = e == EL_FIXED ? p->frac : 0;
  if (c->count > 1) {
    bits = c->args[1].op->type.bits;
    scale = c->args[1].op->type.scale;
  }
  int whole = e == EL_FIXED ? p->whole : e == EL_INT ? p->ring - 2 - scale : 1;
  return encode(x, c->e->span, c->args[0], bits, scale, whole);
}

/* Bits that a sum of products needs above its largest term. */
static int sum_bits(const Kind *x) {
  const Op *joint = x->current;
  int64_t terms = 1;
  if (joint->kind == OP_MATMUL)
    terms = joint->args.data[0]->type.shape.dim[1];
  else if (op_info[joint->kind].class == OPC_BILINEAR) {
    const int64_t *y = joint->args.data[1]->type.shape.dim; /* of CONV2D_KERNEL: its result's gradient */
    terms = y[0] * y[1] * (joint->kind == OP_CONV2D_INPUT ? y[3] / joint->ints.data[2] : y[2]);
  }
  int bits = 0;
  while ((INT64_C(1) << bits) < terms)
    bits++;
  return bits;
}

static Val no_room(Kind *x, int scale) {
  const ProtocolInstance *p = kind_instance(x);
  if (!x->failed) {
    Diag *d = diag_new(x->diags, DIAG_E0413, x->current->site->span, p->whole + scale, p->ring - 2);
    diag_also(d, p->span, "frac = %d, whole = %d", p->frac, p->whole);
    if (p->whole + 2 * p->frac > p->ring - 2)
      diag_help(d, "give the block less precision: whole + 2 * frac must not be more than %d", p->ring - 2);
    else
      diag_help(d, "give the block a smaller `whole`: this operation has %d fraction bits", scale);
  }
  x->failed = true;
  return NOTHING;
}

/* The factor y of the joint operation, whose other operand has that scale. */
static Factor choose_factor(Kind *x, const Op *y, int other) {
  const ProtocolInstance *p = kind_instance(x);
  int bits = x->current->width ? x->current->width : p->ring;
  if (y->type.elem != EL_FIXED)
    return (Factor){0, bits};
  bool known = y->kind == OP_CONST;
  return factor_choose(p, bits, other, sum_bits(x), known ? y->data : NULL, y->data_count);
}

/* factor(y, like): a public factor of a private tensor, in its ring and at a scale that suits the two
 * (factor.c). */
static Val builtin_factor(Kind *x, Call *c) {
  if (!expect(x, c, "tt"))
    return NOTHING;
  const ProtocolInstance *p = kind_instance(x);
  const Op *op = c->args[0].op;
  const IrType *like = &c->args[1].op->type;
  Factor f = choose_factor(x, op, like->scale);
  if (f.scale < 0)
    return no_room(x, like->scale + p->frac);
  bool checked = op->type.elem == EL_FIXED && op->kind != OP_CONST;
  return encode(x, c->e->span, c->args[0], like->bits, f.scale, checked ? p->whole : p->ring - 2 - f.scale);
}

/* factor_width(y): ring bits of the private operand that y is multiplied with. */
static Val builtin_factor_width(Kind *x, Call *c) {
  if (!expect(x, c, "t"))
    return NOTHING;
  const Op *other = x->current->args.data[kind_private_operand(x->current)];
  return val_int(
      choose_factor(x, c->args[0].op, other->type.elem == EL_FIXED ? kind_instance(x)->frac : 0).width);
}

/* is_zero(y): 1 if y is known while compiling and 0 everywhere. */
static Val builtin_is_zero(Kind *x, Call *c) {
  uint64_t bits;
  if (!expect(x, c, "t"))
    return NOTHING;
  return val_int(ir_is_splat(c->args[0].op, &bits) && (bits == 0 || bits == ir_fixed_bits(-0.0)));
}

/* narrow(x, bits): the low bits of ring elements, of all parts of a private value or a bundle. */
static Val builtin_narrow(Kind *x, Call *c) {
  if (c->count != 2 || c->args[1].kind != V_INT || c->args[1].integer < 1)
    return kind_fail(x, c->e->span, "`narrow` takes ring elements and a number of bits");
  return kind_narrow(x, c->e->span, c->args[0], c->args[1].integer < 64 ? (int)c->args[1].integer : 64);
}

/* promised(x): x, an untruncated product, which the program promises to be below 2^whole. */
static Val builtin_promised(Kind *x, Call *c) {
  const Val *part = c->count == 1 && val_is_private(&c->args[0]) ? &c->args[0].items[0] : &c->args[0];
  if (c->count != 1 || part->kind != V_TENSOR)
    return kind_fail(x, c->e->span, "`promised` takes a private value");
  return factor_fits(kind_instance(x), part->op->type.scale) ? c->args[0] : no_room(x, part->op->type.scale);
}

static Val builtin_decode(Kind *x, Call *c) {
  if (!expect(x, c, "t"))
    return NOTHING;
  IrType t = x->current->type;
  t.shape = c->args[0].op->type.shape;
  return kind_emit(x, c->e->span, OP_DECODE, t, c->args, 1);
}

static Val builtin_zero(Kind *x, Call *c) {
  return expect(x, c, "t") ? kind_splat(x, c->args[0].op->type, 0) : NOTHING;
}

static Val builtin_shift(Kind *x, Call *c, OpKind k) {
  if (!expect(x, c, "ti"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  t.scale += (int)(k == OP_SHL ? c->args[1].integer : -c->args[1].integer);
  return kind_emit_int(x, c->e->span, k, t, c->args[0], c->args[1].integer);
}

static Val builtin_shl(Kind *x, Call *c) {
  return builtin_shift(x, c, OP_SHL);
}

static Val builtin_shr(Kind *x, Call *c) {
  return builtin_shift(x, c, OP_SHR);
}

static Val builtin_bit(Kind *x, Call *c) {
  if (!expect(x, c, "ti"))
    return NOTHING;
  return kind_emit_int(x, c->e->span, OP_BIT, kind_ring(1, 0, c->args[0].op->type.shape), c->args[0],
                       c->args[1].integer);
}

/* cast(x, bits) or cast(x, like): the same ring element (its low bits), read in another ring; scale 0, or
 * that of like. */
static Val builtin_cast(Kind *x, Call *c) {
  bool like = c->count > 1 && c->args[1].kind == V_TENSOR;
  if (!expect(x, c, like ? "tt" : "ti"))
    return NOTHING;
  const IrType *from = &c->args[0].op->type;
  IrType t = kind_ring(like ? c->args[1].op->type.bits : (int)c->args[1].integer,
                       like ? c->args[1].op->type.scale : 0, from->shape);
  if (from->elem != EL_RING || t.bits < 1 || t.bits > 64)
    return kind_fail(x, c->e->span, "`cast` goes from a ring to one of 1 to 64 bits");
  return kind_emit(x, c->e->span, t.bits < from->bits ? OP_NARROW : OP_WIDEN, t, c->args, 1);
}

static Val builtin_dpf_key(Kind *x, Call *c) {
  if (!expect(x, c, "ttt"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  int64_t words = tfe_dpf_words(t.bits);
  t.bits = 64;
  t.scale = 0;
  t.shape.dim[t.shape.rank++] = words;
  return kind_emit(x, c->e->span, OP_DPF_KEY, t, c->args, 3);
}

static Val evaluate_key(Kind *x, Call *c, OpKind k) {
  if (!expect(x, c, "ttti"))
    return NOTHING;
  Val v = kind_emit(x, c->e->span, k, kind_ring(1, 0, c->args[0].op->type.shape), c->args, 3);
  if (v.kind == V_TENSOR)
    ir_int(x->out, v.op, c->args[3].integer);
  return v;
}

/* x may have a last axis more than the keys: each key is evaluated at all points along it. */
static Val builtin_dpf_eval(Kind *x, Call *c) {
  return evaluate_key(x, c, OP_DPF_EVAL);
}

static Val builtin_dpf_point(Kind *x, Call *c) {
  return evaluate_key(x, c, OP_DPF_POINT);
}

/* each(m, n): in a `width` function, bits for the first private operand, for the second. */
static Val builtin_each(Kind *x, Call *c) {
  if (!expect(x, c, "ii") || c->count != 2)
    return NOTHING;
  Val v = {.kind = V_STRUCT, .count = 2, .items = ARENA_ARRAY(x->arena, Val, 2)};
  v.fields = ARENA_ARRAY(x->arena, const char *, 2);
  for (int i = 0; i < 2; i++) {
    v.items[i] = c->args[i];
    v.fields[i] = "";
  }
  return v;
}

/* bounded(x): x, checked against the declared range (kind clear). */
static Val builtin_bounded(Kind *x, Call *c) {
  if (!expect(x, c, "t"))
    return NOTHING;
  IrType t = c->args[0].op->type;
  if (t.elem == EL_BOOL || c->args[0].op->kind == OP_CONST)
    return c->args[0];
  return kind_emit_int(x, c->e->span, OP_BOUNDED, t, c->args[0],
                       t.elem == EL_FIXED ? kind_instance(x)->whole : kind_instance(x)->ring - 2);
}

/* spread(x, like): x repeated to the shape of a tensor. */
static Val builtin_spread(Kind *x, Call *c) {
  return expect(x, c, "tt") ? kind_broadcast(x, c->e->span, c->args[0], c->args[1].op->type.shape) : NOTHING;
}

/* The argument `f = v` behind the parts of `holds`: what the elementwise function f gives for the value. */
static bool take_form(Kind *x, const Call *c, Val *v) {
  if (c->count == v->count)
    return true;
  const char *name = c->names[v->count];
  const Decl *fn = name ? kind_member(x->kind, name, DECL_FN) : NULL;
  if (c->count != v->count + 1 || !fn || !fn->modifier || strcmp(fn->modifier, "elementwise") != 0)
    return false;
  Val *form = ARENA_NEW(x->arena, Val);
  *form = c->args[v->count];
  v->form = form;
  v->form_name = name;
  return true;
}

/* holds(...): a private value from its parts, which get equal shapes. */
static Val builtin_holds(Kind *x, Call *c) {
  const Decl *k = x->kind;
  Val v = {.kind = V_STRUCT, .is_private = true, .protocol = x->protocol, .name = k->name};
  v.count = k->holds.count;
  if (!take_form(x, c, &v))
    return kind_fail(x, c->e->span, "`holds` needs %d parts", k->holds.count);
  v.items = ARENA_ARRAY(x->arena, Val, v.count);
  v.fields = ARENA_ARRAY(x->arena, const char *, v.count);
  Shape shape = {0};
  for (int i = 0; i < v.count; i++) {
    v.fields[i] = k->holds.data[i].name;
    const Val *part = kind_named(c, v.fields[i]);
    v.items[i] = part ? *part : c->args[i];
    if (v.items[i].kind != V_TENSOR)
      return v.items[i].kind == V_NONE ? NOTHING
                                       : kind_fail(x, c->e->span, "the parts of `holds` are tensors");
    if (v.items[i].op->type.shape.rank > shape.rank)
      shape = v.items[i].op->type.shape;
  }
  for (int i = 0; i < v.count; i++)
    v.items[i] = kind_broadcast(x, c->e->span, v.items[i], shape);
  return v;
}

static Val read_at_scale(Kind *x, Span at, Val v, int scale) {
  IrType t = v.op->type;
  if (t.scale == scale)
    return v;
  t.scale = scale;
  return kind_emit(x, at, OP_NARROW, t, &v, 1);
}

/* at_scale(x, s): the same ring elements, which mean numbers of another scale; of all parts. */
static Val builtin_at_scale(Kind *x, Call *c) {
  if (c->count != 2 || c->args[1].kind != V_INT)
    return kind_fail(x, c->e->span, "`at_scale` takes ring elements and a scale");
  Val v = kind_parts(x, c->e->span, c->args[0], read_at_scale, (int)c->args[1].integer);
  kind_forget_origin(&v);
  return v;
}

static const KindBuiltin builtins[] = {
    {"holds", builtin_holds},
    {"send", builtin_send},
    {"exchange", builtin_exchange},
    {"random", builtin_random},
    {"encode", builtin_encode},
    {"decode", builtin_decode},
    {"factor", builtin_factor},
    {"zero", builtin_zero},
    {"shl", builtin_shl},
    {"shr", builtin_shr},
    {"bit", builtin_bit},
    {"cast", builtin_cast},
    {"dpf_key", builtin_dpf_key},
    {"dpf_eval", builtin_dpf_eval},
    {"bounded", builtin_bounded},
    {"promised", builtin_promised},
    {"spread", builtin_spread},
    {"narrow", builtin_narrow},
    {"factor_width", builtin_factor_width},
    {"is_zero", builtin_is_zero},
    {"dpf_point", builtin_dpf_point},
    {"each", builtin_each},
    {"at_scale", builtin_at_scale},
};

/* Integers in, integers out: also while ring widths are chosen. */
static bool is_for_widths(const char *name) {
  return strcmp(name, "factor_width") == 0 || strcmp(name, "is_zero") == 0 || strcmp(name, "each") == 0;
}

bool kind_find(Kind *x, const KindBuiltin *list, int count, const char *name, Call *c, Val *result) {
  for (int i = 0; i < count; i++) {
    if (strcmp(list[i].name, name) != 0)
      continue;
    *result = x->out || is_for_widths(name)
                  ? list[i].call(x, c)
                  : kind_fail(x, c->e->span, "a `width` function computes with integers only");
    return true;
  }
  return false;
}

bool kind_builtin(Kind *x, const char *name, Call *c, Val *result) {
  return kind_find(x, builtins, (int)(sizeof builtins / sizeof *builtins), name, c, result) ||
         kind_curve(x, name, c, result) || kind_axis(x, name, c, result);
}
