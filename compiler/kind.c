/* The interpreter of protocol functions: names, calls, statements (see kind.h). */
#include "kind.h"

#include <assert.h>

#include "module.h"
#include "operator.h"

static Val eval(Kind *x, const Expr *e);
static Val run_block(Kind *x, const Block *b);
static Val call_function(Kind *x, const Decl *fn, Val *args, int count, Span at);

/* ---- operators ---------------------------------------------------------------------------------------- */

static int64_t power(int64_t base, int64_t exponent) {
  uint64_t r = 1;
  for (int64_t i = 0; i < exponent; i++)
    r *= (uint64_t)base;
  return (int64_t)r;
}

static Val integer_operator(Kind *x, const Expr *e, int64_t a, int64_t b) {
  switch (e->op) {
  case OPR_ADD: return val_int((int64_t)((uint64_t)a + (uint64_t)b));
  case OPR_SUB: return val_int((int64_t)((uint64_t)a - (uint64_t)b));
  case OPR_MUL: return val_int((int64_t)((uint64_t)a * (uint64_t)b));
  case OPR_FLOORDIV:
  case OPR_MOD:
    if (b <= 0 || a < 0)
      return kind_fail(x, e->span, "`%s` of a negative number or by zero", ast_operator_text((int)e->op));
    return val_int(e->op == OPR_MOD ? a % b : a / b);
  case OPR_POW: return b < 0 ? kind_fail(x, e->span, "negative power") : val_int(power(a, b));
  case OPR_EQ: return val_int(a == b);
  case OPR_NE: return val_int(a != b);
  case OPR_LT: return val_int(a < b);
  case OPR_LE: return val_int(a <= b);
  case OPR_GT: return val_int(a > b);
  case OPR_GE: return val_int(a >= b);
  case OPR_AND: return val_int(a && b);
  case OPR_OR: return val_int(a || b);
  default: return kind_fail(x, e->span, "`%s` of integers", ast_operator_text((int)e->op));
  }
}

/* Texts are told apart, and nothing else. */
static Val text_operator(Kind *x, const Expr *e, const Val *a, const Val *b) {
  if (a->kind != b->kind || (e->op != OPR_EQ && e->op != OPR_NE))
    return kind_fail(x, e->span, "a text can only be compared with another, by `==` or `!=`");
  return val_int((strcmp(a->name, b->name) == 0) == (e->op == OPR_EQ));
}

static Val eval_binary(Kind *x, const Expr *e) {
  Val args[2] = {eval(x, e->left), eval(x, e->right)};
  if (args[0].kind == V_NONE || args[1].kind == V_NONE)
    return NOTHING;
  if (args[0].kind == V_INT && args[1].kind == V_INT)
    return integer_operator(x, e, args[0].integer, args[1].integer);
  if (args[0].kind == V_TEXT || args[1].kind == V_TEXT)
    return text_operator(x, e, &args[0], &args[1]);
  if (args[0].kind == V_CURVE || args[1].kind == V_CURVE)
    return kind_curve_join(x, e->span, &args[0], &args[1]);
  if (e->op == OPR_GT || e->op == OPR_GE) {
    Val t = args[0];
    args[0] = args[1];
    args[1] = t;
  }
  OpKind k = operator_op(e->op);
  if (val_is_private(&args[0]) || val_is_private(&args[1]))
    return kind_call(x, op_info[k].name, args, 2, &e->span);
  return kind_apply(x, e->span, k, args, 2);
}

static Val eval_unary(Kind *x, const Expr *e) {
  Val v = eval(x, e->right);
  if (v.kind == V_INT)
    return val_int(e->op == OPR_NEG ? -v.integer : !v.integer);
  OpKind k = operator_op(e->op);
  if (val_is_private(&v))
    return kind_call(x, op_info[k].name, &v, 1, &e->span);
  return kind_apply(x, e->span, k, &v, 1);
}

/* ---- elementwise functions of rearranged values -------------------------------------------------------- */

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
  case OP_CONCAT:
  case OP_BROADCAST: return true;
  case OP_SLICE:
  case OP_GATHER: {
    const Op *whole = move->args.data[0];
    if (whole->parent->depth >= move->parent->depth || !ir_block_encloses(whole->parent, move->parent))
      return false;
    int64_t n = passes_between(whole->parent, move->parent);
    /* In front of the loop it costs no round of the loop's, for which it may be up to twice the work. */
    return n < 0 || 2 * n * shape_count(&move->type.shape) >= shape_count(&whole->type.shape);
  }
  default: return false;
  }
}

const ProtocolInstance *kind_instance(const Kind *x) {
  return &x->joint->protocols.data[x->protocol];
}

Frame *kind_pure_frame(Kind *x) {
  for (Frame *f = x->frame; f; f = f->caller)
    if (f->pure)
      return f;
  return NULL;
}

/* ---- names and calls ------------------------------------------------------------------------------- */

static OpKind op_by_name(const char *name) {
  for (int k = 1; k < OP_COUNT; k++)
    if (strcmp(op_info[k].name, name) == 0)
      return (OpKind)k;
  return OP_NONE;
}

const Decl *kind_member(const Decl *kind, const char *name, DeclKind what) {
  for (int i = 0; i < kind->members.count; i++)
    if (kind->members.data[i]->kind == what && strcmp(kind->members.data[i]->name, name) == 0)
      return kind->members.data[i];
  return NULL;
}

bool kind_party(const Kind *x, const char *name, PartySet *out) {
  const Decl *k = x->kind;
  const ProtocolInstance *p = kind_instance(x);
  for (int i = 0; i < k->servers.count && i < p->servers.count; i++)
    if (strcmp(k->servers.data[i].name, name) == 0)
      return *out = party_one(p->servers.data[i]), true;
  for (int i = 0; i < k->helpers.count && i < p->helpers.count; i++)
    if (strcmp(k->helpers.data[i].name, name) == 0)
      return *out = party_one(p->helpers.data[i]), true;
  return false;
}

/* Ring bits of the private number that the joint operation gives. */
static int result_bits(const Kind *x) {
  return x->current->width ? x->current->width : kind_instance(x)->ring;
}

static bool option_value(Kind *x, const char *name, Val *out) {
  const ProtocolInstance *p = kind_instance(x);
  if (strcmp(name, "frac") == 0)
    return *out = val_int(p->frac), true;
  if (strcmp(name, "whole") == 0)
    return *out = val_int(p->whole), true;
  if (strcmp(name, "ring") == 0)
    return *out = val_int(p->ring), true;
  if (strcmp(name, "opened") == 0)
    return *out = val_int(x->opened && x->opened[x->current->id]), true;
  if (strcmp(name, "bits") == 0)
    return *out = val_int(result_bits(x)), true;
  if (strcmp(name, "need") == 0)
    return *out = val_int(x->current->need ? x->current->need : p->ring), true;
  for (int i = 0; i < p->extra_count; i++)
    if (strcmp(p->extra[i].name, name) == 0)
      return *out = p->extra[i].text ? val_text(p->extra[i].text) : val_int(p->extra[i].value), true;
  const Decl *standard = kind_member(x->kind, name, DECL_CONST);
  if (standard)
    return *out = eval(x, standard->value), true;
  return false;
}

static Val eval_name(Kind *x, const Expr *e) {
  for (int i = x->frame->names.count - 1; i >= 0; i--)
    if (strcmp(x->frame->names.data[i].name, e->name) == 0)
      return x->frame->names.data[i].value;
  PartySet s;
  Val v;
  if (kind_party(x, e->name, &s))
    return val_parties(s);
  if (option_value(x, e->name, &v))
    return v;
  if (op_by_name(e->name) != OP_NONE)
    return (Val){.kind = V_OPERATION, .name = e->name};
  return kind_fail(x, e->span, "unknown name `%s`", e->name);
}

/* A part of a private value is seen at the place that `holds` gives it. */
static Val part_of(Kind *x, const Val *v, int i) {
  Val part = v->items[i];
  if (v->is_private && part.kind == V_TENSOR) {
    const TypeExpr *t = x->kind->holds.data[i].type;
    PartySet s;
    if (t->has_place && kind_party(x, t->place.name, &s))
      part.parties = party_and(part.parties, s);
  }
  return part;
}

static Val eval_field(Kind *x, const Expr *e) {
  Val v = eval(x, e->left);
  if (v.kind == V_NONE)
    return NOTHING;
  if (v.kind == V_STRUCT)
    for (int i = 0; i < v.count; i++)
      if (strcmp(v.fields[i], e->name) == 0)
        return part_of(x, &v, i);
  const Val *t = v.kind == V_STRUCT && v.count ? &v.items[0] : &v;
  if (t->kind == V_TENSOR && strcmp(e->name, "bits") == 0)
    return val_int(t->op->type.bits);
  if (t->kind == V_TENSOR && strcmp(e->name, "lanes") == 0)
    return val_int(t->op->type.lanes);
  if (t->kind == V_TENSOR && strcmp(e->name, "scale") == 0)
    return val_int(t->op->type.scale);
  return kind_fail(x, e->name_span, "there is no `%s` here", e->name);
}

static void gather_leaves(Kind *x, Frame *f, const Val *v) {
  if (v->kind == V_TENSOR)
    VEC_PUSH(x->arena, &f->leaves, v->op);
  for (int i = 0; v->kind == V_STRUCT && i < v->count; i++)
    gather_leaves(x, f, &v->items[i]);
}

/* What an operation that a `pure` function carries out, or is handed, takes from the joint operation, for the
 * label: sums over different axes are different though the tensors are the same. */
static const char *attributes(Kind *x, const char *name) {
  const Op *joint = x->current;
  const char *text = "";
  bool has = strcmp(op_info[joint->kind].name, name) == 0 && op_info[joint->kind].class != OPC_EW;
  for (int i = 0; has && i < joint->ints.count; i++)
    text = arena_printf(x->arena, "%s.%lld", text, (long long)joint->ints.data[i]);
  return text;
}

/* The elementwise function of a value that came with it, or of what the value was rearranged from. */
static bool known_form(Kind *x, const Decl *fn, const Val *v, Span at, Val *out) {
  if (v->form && strcmp(v->form_name, fn->name) == 0)
    return *out = *v->form, true;
  if (v->shared)
    x->opens[v->shared->id] = true;
  if (!v->move || !worth_commuting(v))
    return false;
  Val *whole = ARENA_ARRAY(x->arena, Val, v->source_count);
  *out = NOTHING;
  for (int i = 0; i < v->source_count; i++) {
    Val source = v->sources[i];
    whole[i] = call_function(x, fn, &source, 1, at);
    if (whole[i].kind != V_STRUCT)
      return true;
  }
  *out = kind_move(x, v->move, whole, v->source_count);
  return true;
}

/* Runs a function of the kind's file. */
static Val call_function(Kind *x, const Decl *fn, Val *args, int count, Span at) {
  int depth = 0;
  for (const Frame *f = x->frame; f; f = f->caller)
    depth++;
  if (depth > 100)
    return kind_fail(x, at, "functions of a protocol cannot call themselves");
  if (count != fn->parms.count)
    return kind_fail(x, at, "`%s` takes %d arguments, not %d", fn->name, fn->parms.count, count);
  for (int i = 0; i < count; i++)
    if (args[i].kind == V_NONE)
      return NOTHING;
  bool elementwise = fn->modifier && strcmp(fn->modifier, "elementwise") == 0;
  Val known;
  if (elementwise && count == 1 && val_is_private(&args[0]) && known_form(x, fn, &args[0], at, &known))
    return known;
  Frame frame = {.function = fn, .caller = x->frame, .pure = fn->modifier != NULL};
  for (int i = 0; i < count; i++) {
    Binding b = {fn->parms.data[i].name, args[i]};
    VEC_PUSH(x->arena, &frame.names, b);
    if (fn->parms.data[i].at) {
      Binding place = {fn->parms.data[i].at, val_parties(party_one(party_first(args[i].parties)))};
      VEC_PUSH(x->arena, &frame.names, place);
    }
    if (frame.pure)
      gather_leaves(x, &frame, &args[i]);
  }
  if (frame.pure) {
    char *label =
        arena_printf(x->arena, "%s.%d.%s%s", x->kind->name, x->protocol, fn->name, attributes(x, fn->name));
    for (int i = 0; i < count; i++) {
      if (args[i].kind == V_INT)
        label = arena_printf(x->arena, "%s,%lld", label, (long long)args[i].integer);
      else if (args[i].kind == V_CURVE)
        label = arena_printf(x->arena, "%s,%s", label, curve_text(x->arena, args[i].curve));
      else if (args[i].kind == V_TEXT)
        label = arena_printf(x->arena, "%s,\"%s\"", label, args[i].name);
      else if (args[i].kind == V_OPERATION)
        label = arena_printf(x->arena, "%s,%s%s", label, args[i].name, attributes(x, args[i].name));
    }
    frame.label = label;
  }
  x->frame = &frame;
  Val last = run_block(x, fn->block);
  x->frame = frame.caller;
  Val result = frame.returned ? frame.result : last;
  if (result.kind == V_NONE && !x->failed)
    return kind_fail(x, fn->name_span, "`%s` gives no value", fn->name);
  return result;
}

/* A number that is not in a ring yet. */
static bool is_public_number(const Val *v) {
  return v->kind == V_TENSOR && v->op->type.elem != EL_RING;
}

static const Decl *find_overload(const Kind *x, DeclKind what, const char *name, const Val *args, int count,
                                 int lifts) {
  bool is_public[KIND_OPERANDS];
  assert(count <= KIND_OPERANDS);
  for (int i = 0; i < count; i++)
    is_public[i] = is_public_number(&args[i]);
  return module_kind_function(x->kind, what, name, is_public, count, lifts);
}

static bool commutes(OpKind k) {
  return k == OP_ADD || k == OP_MUL || k == OP_EQ || k == OP_NE || k == OP_AND || k == OP_OR ||
         k == OP_MIN2 || k == OP_MAX2;
}

/* Makes the public arguments private that the function wants so. */
static bool lift_arguments(Kind *x, const Decl *fn, Val *args, int count, Span at) {
  for (int i = 0; i < count; i++) {
    const Parm *p = &fn->parms.data[i];
    if (!is_public_number(&args[i]) || module_parm_is_public(p) || p->at)
      continue;
    const Decl *lift = find_overload(x, DECL_FN, "lift", &args[i], 1, 0);
    if (!lift) {
      kind_fail(x, at, "it has no function `lift` for a public operand of `%s`", fn->name);
      return false;
    }
    args[i] = call_function(x, lift, &args[i], 1, at);
  }
  return true;
}

Val kind_call(Kind *x, const char *name, Val *args, int count, const Span *at) {
  for (int i = 0; i < count; i++)
    if (args[i].kind == V_NONE)
      return NOTHING;
  for (int i = 0; i < count; i++)
    if (args[i].kind == V_INT && count == 2 && op_by_name(name) != OP_NONE && val_is_private(&args[1 - i]))
      args[i] = kind_literal(x, args[1 - i].items[0].op, args[i].integer);
  const Decl *fn = find_overload(x, DECL_FN, name, args, count, 0);
  if (!fn && count == 2 && commutes(op_by_name(name))) {
    Val swapped[2] = {args[1], args[0]};
    fn = find_overload(x, DECL_FN, name, swapped, 2, 0);
    if (fn)
      return call_function(x, fn, swapped, 2, *at);
  }
  if (!fn)
    fn = find_overload(x, DECL_FN, name, args, count, count);
  if (!fn)
    return kind_fail(x, *at, "it has no function `%s` for these operands", name);
  return lift_arguments(x, fn, args, count, *at) ? call_function(x, fn, args, count, *at) : NOTHING;
}

/* ---- what the compiler asks a kind -------------------------------------------------------------------- */

void kind_enter(Kind *x, const Op *joint, int protocol) {
  x->current = joint;
  x->protocol = protocol;
  x->kind = x->joint->protocols.data[protocol].definition;
  x->frame = NULL;
  x->restricted = false;
  assert(x->kind);
}

const char *kind_function_name(const Op *joint) {
  return joint->kind == OP_APPLY ? joint->text : op_info[joint->kind].name;
}

int kind_private_operand(const Op *joint) {
  for (int i = 0; i < joint->args.count; i++)
    if (joint->args.data[i]->at.kind == PLACE_PRIVATE)
      return i;
  return -1;
}

/* Bits in which a private value fits that keeps its promise. */
static Val fitting_bits(const Kind *x, Elem e) {
  const ProtocolInstance *p = kind_instance(x);
  return val_int(e == EL_BOOL ? 1 : e == EL_FIXED ? p->whole + p->frac + 1 : p->ring);
}

/* What stands for an operand in a `width` function: the bits of a private value; a public tensor, whose elements
 * may be looked at. */
static Val width_argument(Kind *x, Op *operand) {
  return operand->at.kind == PLACE_PRIVATE ? fitting_bits(x, operand->type.elem)
                                           : val_tensor(operand, x->everybody);
}

static bool has_widths(const Decl *kind) {
  for (int i = 0; i < kind->members.count; i++)
    if (kind->members.data[i]->kind == DECL_WIDTH)
      return true;
  return false;
}

int kind_arguments(const Op *joint, Val *args, Val (*value)(Kind *, Op *), Kind *x) {
  int count = joint->kind == OP_APPLY ? joint->ints.count : joint->args.count, next = 0;
  if (count > KIND_OPERANDS)
    return -1;
  for (int i = 0; i < count; i++) {
    bool is_integer = joint->kind == OP_APPLY && joint->ints.data[i] != INT64_MIN;
    args[i] = is_integer ? val_int(joint->ints.data[i]) : value(x, joint->args.data[next++]);
  }
  return count;
}

/* A width as a `width` function gives it; 0: it is none. */
static int width_of(const Val *v) {
  return v->kind == V_INT && v->integer > 0 && v->integer <= 1000 ? (int)v->integer : 0;
}

KindWidths kind_width(Kind *x, const Op *joint) {
  Val args[KIND_OPERANDS];
  int which = kind_private_operand(joint);
  kind_enter(x, joint, which < 0 ? joint->at.index : joint->args.data[which]->at.index);
  int count = has_widths(x->kind) ? kind_arguments(joint, args, width_argument, x) : -1;
  if (count < 0)
    return (KindWidths){{kind_instance(x)->ring, kind_instance(x)->ring}};
  const char *name = kind_function_name(joint);
  const Decl *fn = find_overload(x, DECL_WIDTH, name, args, count, 0);
  if (!fn && count == 2 && commutes(joint->kind)) {
    Val first = args[0];
    args[0] = args[1];
    args[1] = first;
    fn = find_overload(x, DECL_WIDTH, name, args, count, 0);
  }
  if (!fn)
    fn = find_overload(x, DECL_WIDTH, name, args, count, count);
  if (!fn)
    return (KindWidths){{result_bits(x), result_bits(x)}};
  for (int i = 0; i < count; i++) /* public, and made private */
    if (args[i].kind == V_TENSOR && !module_parm_is_public(&fn->parms.data[i]))
      args[i] = fitting_bits(x, args[i].op->type.elem);
  Span at = joint->site ? joint->site->span : (Span){0};
  Val v = call_function(x, fn, args, count, at);
  bool several = v.kind == V_STRUCT && v.count == 2;
  KindWidths w = {{width_of(several ? &v.items[0] : &v), width_of(several ? &v.items[1] : &v)}};
  if (!x->failed && (!w.of[0] || !w.of[1]))
    kind_fail(x, fn->name_span, "a width is an integer above 0, or one for `each` operand");
  return w;
}

int kind_stored_bits(Kind *x, Elem elem) {
  Val bits = fitting_bits(x, elem);
  const Decl *fn = find_overload(x, DECL_WIDTH, "store", &bits, 1, 0);
  if (elem == EL_BOOL || !fn)
    return elem == EL_BOOL ? 1 : kind_instance(x)->ring;
  Val v = call_function(x, fn, &bits, 1, fn->name_span);
  if (!x->failed && !width_of(&v))
    kind_fail(x, fn->name_span, "a width is an integer above 0");
  return width_of(&v);
}

static Val construct(Kind *x, const Decl *s, Call *c) {
  Val v = {.kind = V_STRUCT, .name = s->name, .count = s->fields.count};
  v.items = ARENA_ARRAY(x->arena, Val, v.count);
  v.fields = ARENA_ARRAY(x->arena, const char *, v.count);
  for (int i = 0; i < v.count; i++) {
    v.fields[i] = s->fields.data[i].name;
    const Val *given = kind_named(c, v.fields[i]);
    if (!given)
      return kind_fail(x, c->e->span, "`%s` needs `%s`", s->name, v.fields[i]);
    v.items[i] = *given;
    if (given->kind == V_NONE)
      return NOTHING;
  }
  return v;
}

static Val eval_call(Kind *x, const Expr *e) {
  if (e->left->kind != EX_NAME || e->args.count > 8)
    return kind_fail(x, e->span, "this cannot be called");
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
  Val result;
  if (kind_builtin(x, name, &c, &result))
    return result;
  const Decl *s = kind_member(x->kind, name, DECL_STRUCT);
  if (s)
    return construct(x, s, &c);
  bool tensors = c.count > 0;
  for (int i = 0; i < c.count; i++)
    tensors = tensors && (c.args[i].kind == V_TENSOR || c.args[i].kind == V_INT);
  OpKind k = op_by_name(name);
  if (tensors && k != OP_NONE)
    return kind_apply(x, e->span, k, c.args, c.count);
  if (!kind_member(x->kind, name, DECL_FN))
    return kind_fail(x, e->left->span, "unknown function `%s`", name);
  return kind_call(x, name, c.args, c.count, &e->span);
}

static Val eval_at(Kind *x, const Expr *e) {
  PartySet s;
  bool found = kind_party(x, e->place.name, &s);
  for (int i = x->frame->names.count - 1; i >= 0 && !found; i--)
    if (strcmp(x->frame->names.data[i].name, e->place.name) == 0)
      s = x->frame->names.data[i].value.parties, found = true;
  if (!found)
    return kind_fail(x, e->place.span, "unknown party `%s`", e->place.name);
  bool before = x->restricted;
  PartySet outer = x->restriction;
  x->restriction = before ? party_and(outer, s) : s;
  x->restricted = true;
  Val v = run_block(x, e->block);
  x->restricted = before;
  x->restriction = outer;
  return v;
}

static Val eval(Kind *x, const Expr *e) {
  if (x->failed)
    return NOTHING;
  switch (e->kind) {
  case EX_NAME: return eval_name(x, e);
  case EX_INT:
  case EX_BOOL: return val_int(e->integer);
  case EX_REAL: return (Val){.kind = V_REAL, .real = e->real};
  case EX_STRING: return val_text(e->text);
  case EX_FIELD: return eval_field(x, e);
  case EX_UNARY: return eval_unary(x, e);
  case EX_BINARY: return eval_binary(x, e);
  case EX_CALL: return eval_call(x, e);
  case EX_AT: return eval_at(x, e);
  default: return kind_fail(x, e->span, "this expression has no meaning in a protocol");
  }
}

/* ---- statements of protocol functions -------------------------------------------------------------- */

static void bind(Kind *x, const char *name, Val v) {
  Binding b = {name, v};
  VEC_PUSH(x->arena, &x->frame->names, b);
}

static void assign(Kind *x, const Stmt *s) {
  Val v = eval(x, s->value);
  for (int i = x->frame->names.count - 1; s->target->kind == EX_NAME && i >= 0; i--)
    if (strcmp(x->frame->names.data[i].name, s->target->name) == 0) {
      x->frame->names.data[i].value = v;
      return;
    }
  kind_fail(x, s->target->span, "this cannot be assigned to");
}

static bool condition(Kind *x, const Expr *e) {
  Val v = eval(x, e);
  if (v.kind != V_INT)
    kind_fail(x, e->span, "conditions in a protocol must be known when the program is compiled");
  return v.kind == V_INT && v.integer;
}

static Val run_stmt(Kind *x, const Stmt *s) {
  switch (s->kind) {
  case ST_LET:
    if (s->is_tuple_pattern)
      return kind_fail(x, s->span, "tuples have no meaning in a protocol");
    bind(x, s->pattern.data[0].name, eval(x, s->value));
    return NOTHING;
  case ST_ASSIGN:
    if (s->op >= 0)
      return kind_fail(x, s->span, "write `x = x + ...` in a protocol");
    assign(x, s);
    return NOTHING;
  case ST_IF:
    if (condition(x, s->value))
      return run_block(x, s->block);
    return s->other && !x->failed ? run_block(x, s->other) : NOTHING;
  case ST_WHILE:
    for (int n = 0; !x->failed && !x->frame->returned && condition(x, s->value); n++) {
      if (n > 10000)
        return kind_fail(x, s->span, "this loop does not end");
      run_block(x, s->block);
    }
    return NOTHING;
  case ST_FOR: {
    Val low = eval(x, s->low), high = eval(x, s->high);
    if (low.kind != V_INT || high.kind != V_INT)
      return kind_fail(x, s->span, "bounds must be integers");
    for (int64_t i = low.integer; i < high.integer && !x->failed && !x->frame->returned; i++) {
      bind(x, s->name, val_int(i));
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
  default: return kind_fail(x, s->span, "this statement has no meaning in a protocol");
  }
}

static Val run_block(Kind *x, const Block *b) {
  Val last = NOTHING;
  for (int i = 0; i < b->stmts.count && !x->failed && !x->frame->returned; i++)
    last = run_stmt(x, b->stmts.data[i]);
  return last;
}
