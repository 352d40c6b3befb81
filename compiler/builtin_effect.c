/* Builtin functions that do more than compute: random numbers, input and output, what is shown and kept. */
#include "builtin.h"

/* ---- randomness ---------------------------------------------------------------------------------------- */

static Var *state_here(Checker *cx) {
  for (int i = 0; i < cx->states.count; i++)
    if (place_equal(cx->states.data[i]->place, cx->pi))
      return cx->states.data[i];
  Op *op = ir_op(cx->program, cx->entropy, OP_ENTROPY, (IrType){.elem = EL_INT}, check_site(cx, cx->here));
  op->at = cx->pi;
  Var *x = ARENA_NEW(cx->arena, Var);
  x->value = x->init_value = value_of(cx->arena, op);
  x->place = cx->pi;
  x->is_var = true;
  VEC_PUSH(cx->arena, &cx->states, x);
  return x;
}

static const Value *make_here(Checker *cx, OpKind kind, const Value *const *args, int n, Elem elem,
                              Shape shape, Span at) {
  return tensor_make(cx, kind, args, n, NULL, 0, elem, shape, cx->pi, at);
}

static const Value *draw(Checker *cx, OpKind kind, const Value *low, const Value *high, Elem elem,
                         Shape shape, Span at) {
  if (cx->constants_only) {
    CHECK_DIAG(cx, E0501, at, "a constant");
    return &value_poison;
  }
  Var *state = state_here(cx);
  const Value *args[] = {state->value, low, high};
  const Value *v = make_here(cx, kind, args, low ? 3 : 1, elem, shape, at);
  state->value = make_here(cx, OP_RNG_NEXT, args, 1, EL_INT, shape_scalar(), at);
  return v;
}

const Value *builtin_seed(Checker *cx, const Bound *b) {
  const Value *n = arg_int(cx, b, 0);
  if (n->kind != VAL_TENSOR || cx->constants_only)
    return &value_poison;
  Var *state = state_here(cx);
  state->value = make_here(cx, OP_RNG_SEED, &n, 1, EL_INT, shape_scalar(), b->at);
  return &value_void;
}

const Value *builtin_random_normal(Checker *cx, const Bound *b) {
  Shape shape;
  return arg_dims(cx, b, &shape) ? draw(cx, OP_RANDN, NULL, NULL, EL_FIXED, shape, b->at) : &value_poison;
}

const Value *builtin_random_uniform(Checker *cx, const Bound *b) {
  Shape shape;
  const Value *low = arg_number(cx, b, 0), *high = arg_number(cx, b, 1);
  if (low->kind != VAL_TENSOR || high->kind != VAL_TENSOR || !arg_dims(cx, b, &shape))
    return &value_poison;
  for (int i = 0; i < 2; i++) {
    const Value *v = i ? high : low;
    if (v->shape.rank != 0 || v->place.kind == PLACE_PRIVATE)
      return arg_needs(cx, b, b->arg[i], "a public number", v);
  }
  return draw(cx, OP_RANDU, tensor_to_fixed(cx, low, b->at), tensor_to_fixed(cx, high, b->at), EL_FIXED,
              shape, b->at);
}

const Value *builtin_permutation(Checker *cx, const Bound *b) {
  int64_t n;
  if (!arg_known(cx, b, 0, "the size of a tensor", &n))
    return &value_poison;
  return draw(cx, OP_PERMUTE, NULL, NULL, EL_INT, shape_vector(n), b->at);
}

/* ---- input and output ---------------------------------------------------------------------------------- */

static bool in_at_block(Checker *cx, const Bound *b) {
  if (!check_is_joint(cx))
    return true;
  Diag *d = CHECK_DIAG(cx, E0315, b->at, b->name);
  diag_help(d, "say whose it is: `at client { %s }`", span_text(cx->arena, b->at));
  return false;
}

static PartySet here_set(const Checker *cx) {
  if (cx->pi.kind == PLACE_AT)
    return party_one(cx->pi.index);
  const PartyDecl *f = &cx->program->parties.data[cx->pi.index];
  return party_range(f->first, f->count);
}

static int slot_of(Checker *cx, const Bound *b, const char *name, const char *field, IrType type,
                   bool is_output) {
  Program *p = cx->program;
  PartySet owner = here_set(cx);
  for (int i = 0; i < p->slots.count; i++) {
    const Slot *s = &p->slots.data[i];
    if (s->is_output != is_output || strcmp(s->name, name) != 0 || party_empty(party_and(s->owner, owner)))
      continue;
    if (ir_type_equal(&s->type, &type) && party_equal(s->owner, owner))
      return i;
    Diag *d = CHECK_DIAG(cx, E0105, b->at, name);
    diag_label(d, "%s here", ir_type_text(cx->arena, &type));
    if (s->span.source == b->at.source)
      diag_also(d, s->span, "%s here", ir_type_text(cx->arena, &s->type));
    diag_note(d, "one file has one type");
    return -1;
  }
  VEC_PUSH(cx->arena, &p->slots,
           ((Slot){.name = name,
                   .field = field,
                   .type = type,
                   .owner = owner,
                   .is_output = is_output,
                   .span = b->at}));
  return p->slots.count - 1;
}

static const Value *input_leaf(Checker *cx, const Bound *b, const char *name, const char *field,
                               const Type *t) {
  IrType type = {.elem = t->elem, .shape = t->shape};
  const char *full = field ? arena_printf(cx->arena, "%s.%s", name, field) : name;
  int slot = slot_of(cx, b, full, field, type, false);
  if (slot < 0)
    return &value_poison;
  Op *op = ir_op(cx->program, cx->block, OP_INPUT, type, check_site(cx, b->at));
  op->at = cx->pi;
  op->text = full;
  ir_int(cx->program, op, slot);
  return value_of(cx->arena, op);
}

static const Value *input_of(Checker *cx, const Bound *b, const char *name, const char *field,
                             const Type *t) {
  int n = t->kind == TY_STRUCT ? t->st->decl->fields.count : 0;
  const Value **items = ARENA_ARRAY(cx->arena, const Value *, n + 1);
  if (t->kind == TY_TENSOR)
    return input_leaf(cx, b, name, field, t);
  if (t->kind != TY_STRUCT) {
    CHECK_DIAG(cx, E0208, b->at, type_text(cx->arena, t), "an input");
    return &value_poison;
  }
  for (int i = 0; i < n; i++) {
    const char *part = t->st->decl->fields.data[i].name;
    items[i] =
        input_of(cx, b, name, field ? arena_printf(cx->arena, "%s.%s", field, part) : part, t->st->fields[i]);
    if (items[i]->kind == VAL_POISON)
      return &value_poison;
  }
  return value_items(cx->arena, VAL_STRUCT, t->st, items, n);
}

const Value *builtin_input(Checker *cx, const Bound *b) {
  const char *name = arg_string(cx, b, 0);
  if (!in_at_block(cx, b) || !name)
    return &value_poison;
  if (b->want && b->want->kind != TY_NONE)
    return input_of(cx, b, name, NULL, b->want);
  Diag *d = CHECK_DIAG(cx, E0207, b->at, "input");
  diag_label(d, "type unknown");
  diag_note(
      d,
      "all shapes are fixed when the program is compiled; a file that does not fit is refused at run time");
  const Stmt *s = cx->statement;
  if (s && s->kind == ST_LET && !s->type && !s->is_tuple_pattern) {
    const char *secret = s->value->kind == EX_SHARE ? "private fixed" : "float";
    diag_help(d, "say what is in the file: `%s %s: %s[100, 2] = %s`", s->is_var ? "var" : "let",
              s->pattern.data[0].name, secret, span_text(cx->arena, s->value->span));
  } else {
    diag_help(d, "say what is in the file: `let x: float[100, 2] = %s`", span_text(cx->arena, b->at));
  }
  return &value_poison;
}

const Value *builtin_more(Checker *cx, const Bound *b) {
  const char *name = arg_string(cx, b, 0);
  if (!in_at_block(cx, b) || !name)
    return &value_poison;
  Op *op = ir_op(cx->program, cx->block, OP_MORE, (IrType){.elem = EL_BOOL}, check_site(cx, b->at));
  op->at = cx->pi;
  op->text = name;
  ir_int(cx->program, op, -1); /* the slot, which may be made later */
  VEC_PUSH(cx->arena, &cx->mores, op);
  return value_of(cx->arena, op);
}

const Value *builtin_output(Checker *cx, const Bound *b) {
  Leaves leaves = {0};
  const char *name = arg_string(cx, b, 0);
  const Value *v = arg_value(cx, b->arg[1], NULL);
  if (!in_at_block(cx, b) || !name || v->kind == VAL_POISON)
    return &value_poison;
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++) {
    const Value *leaf = leaves.list.data[i];
    if (leaf->kind != VAL_TENSOR)
      return arg_needs(cx, b, b->arg[1], "numbers or bools", leaf);
    const char *field = value_leaf_path(cx->arena, v, i);
    const char *full = field ? arena_printf(cx->arena, "%s.%s", name, field) : name;
    int slot = slot_of(cx, b, full, field, value_ir_type(leaf), true);
    if (slot < 0)
      return &value_poison;
    Op *operand = tensor_op(cx, leaf);
    Op *op = ir_op(cx->program, cx->block, OP_OUTPUT, (IrType){0}, check_site(cx, b->at));
    op->at = cx->pi;
    op->text = full;
    ir_operand(cx->program, op, operand);
    ir_int(cx->program, op, slot);
  }
  return &value_void;
}

/* Pieces of a line: text gathers until a value comes. */
typedef struct Line {
  VEC(const char *) texts;
  VEC(const Value *) values;
  const char *text;
} Line;

static void line_text(Checker *cx, Line *l, const char *text) {
  l->text = l->text ? arena_printf(cx->arena, "%s%s", l->text, text) : text;
}

static void line_value(Checker *cx, Line *l, const Value *v) {
  if (v->kind == VAL_STRING) {
    line_text(cx, l, v->text);
    return;
  }
  if (v->kind == VAL_TENSOR) {
    if (l->text)
      VEC_PUSH(cx->arena, &l->texts, l->text);
    l->text = NULL;
    VEC_PUSH(cx->arena, &l->texts, NULL);
    VEC_PUSH(cx->arena, &l->values, v);
    return;
  }
  line_text(cx, l, v->kind == VAL_STRUCT ? arena_printf(cx->arena, "%s(", v->st->decl->name) : "(");
  for (int i = 0; i < v->count; i++) {
    if (i)
      line_text(cx, l, ", ");
    if (v->kind == VAL_STRUCT)
      line_text(cx, l, arena_printf(cx->arena, "%s = ", v->st->decl->fields.data[i].name));
    line_value(cx, l, v->items[i]);
  }
  line_text(cx, l, ")");
}

static const Value *first_private(Checker *cx, const Value *v) {
  Leaves leaves = {0};
  value_leaves(cx->arena, v, &leaves);
  for (int i = 0; i < leaves.list.count; i++)
    if (leaves.list.data[i]->place.kind == PLACE_PRIVATE)
      return leaves.list.data[i];
  return NULL;
}

static bool takes_part(const ProtocolInstance *p, int party) {
  for (int i = 0; i < p->servers.count; i++)
    if (p->servers.data[i] == party)
      return true;
  for (int i = 0; i < p->helpers.count; i++)
    if (p->helpers.data[i] == party)
      return true;
  return false;
}

/* For an example: who shared the value, else a party that does not compute, else the first. */
static const char *likely_receiver(Checker *cx, const Value *leaf) {
  if (leaf->origin && strncmp(leaf->origin->text, "shared by ", 10) == 0)
    return leaf->origin->text + 10;
  const Program *p = cx->program;
  for (int i = p->parties.count - 1; i >= 0; i--)
    if (!takes_part(&p->protocols.data[leaf->place.index], p->parties.data[i].first))
      return p->parties.data[i].name;
  return p->parties.data[0].name;
}

static void private_print(Checker *cx, const Bound *b, const CallArg *a, const Value *leaf) {
  const char *call = span_text(cx->arena, b->at), *text = span_text(cx->arena, a->expr->span);
  const Expr *e = b->call->expr;
  Diag *d = CHECK_DIAG(cx, E0307, a->expr->span);
  diag_label(d, "%s", check_place_text(cx, leaf, true));
  diag_note(d, "outside an `at` block, print shows the same public value at every party");
  int before = a->expr->span.start - b->at.start, after = a->expr->span.end - b->at.start;
  if ((int)strlen(call) == b->at.end - b->at.start && e->span.start == b->at.start)
    diag_help(d, "publish it: `%.*sreveal %s%s`", before, call, text, call + after);
  const char *receiver = likely_receiver(cx, leaf);
  diag_help(d, "or show it to one party: `let s = reveal %s to %s` and `at %s { print(s) }`", text, receiver,
            receiver);
}

/* The words and values of the `...` parameter. */
static bool rest_line(Checker *cx, const Bound *b, Line *l) {
  bool good = true;
  for (int i = 0; i < b->rest_count; i++) {
    const Value *v = arg_value(cx, b->rest[i], NULL), *leaf;
    if (value_is_poison(v)) {
      good = false;
      continue;
    }
    if ((leaf = first_private(cx, v))) {
      private_print(cx, b, b->rest[i], leaf);
      good = false;
    }
    if (i)
      line_text(cx, l, " ");
    line_value(cx, l, v);
  }
  if (good && l->text)
    VEC_PUSH(cx->arena, &l->texts, l->text);
  return good;
}

/* An effect with these operands, and then those of the line. */
static Op *line_op(Checker *cx, const Bound *b, OpKind kind, const Value *const *first, int count,
                   const Line *l) {
  Op **operands = ARENA_ARRAY(cx->arena, Op *, count + l->values.count + 1);
  for (int i = 0; i < count; i++)
    operands[i] = tensor_op(cx, first[i]);
  for (int i = 0; i < l->values.count; i++)
    operands[count + i] = tensor_op(cx, l->values.data[i]);
  Op *op = ir_op(cx->program, cx->block, kind, (IrType){0}, check_site(cx, b->at));
  op->at = cx->pi;
  for (int i = 0; i < count + l->values.count; i++)
    ir_operand(cx->program, op, operands[i]);
  for (int i = 0; i < l->texts.count; i++)
    VEC_PUSH(cx->arena, &op->texts, l->texts.data[i]);
  return op;
}

const Value *builtin_print(Checker *cx, const Bound *b) {
  Line l = {0};
  if (!rest_line(cx, b, &l))
    return &value_poison;
  ir_int(cx->program, line_op(cx, b, OP_PRINT, NULL, 0, &l), check_is_joint(cx));
  return &value_void;
}

const Value *builtin_progress(Checker *cx, const Bound *b) {
  Line l = {0};
  const char *label = arg_string(cx, b, 0);
  const Value *counts[] = {arg_int(cx, b, 1), arg_int(cx, b, 2)};
  bool good = rest_line(cx, b, &l);
  if (!label || counts[0]->kind != VAL_TENSOR || counts[1]->kind != VAL_TENSOR || !good)
    return &value_poison;
  line_op(cx, b, OP_PROGRESS, counts, 2, &l)->text = label;
  return &value_void;
}

const Value *builtin_assert_near(Checker *cx, const Bound *b) {
  const Value *v[3];
  Shape shape;
  int64_t left, right;
  for (int i = 0; i < 3; i++) {
    v[i] = tensor_to_fixed(cx, arg_number(cx, b, i), b->at);
    if (v[i]->kind != VAL_TENSOR)
      return &value_poison;
    v[i] = check_test_reveal(cx, v[i], b->arg[i]->expr->span);
    if (v[i]->place.kind == PLACE_PRIVATE) {
      Diag *d = CHECK_DIAG(cx, E0304, b->arg[i]->expr->span, "assert_near");
      diag_label(d, "%s", check_place_text(cx, v[i], true));
      return &value_poison;
    }
  }
  if (!shape_broadcast(&v[0]->shape, &v[1]->shape, &shape, &left, &right))
    return arg_clash(cx, b, v[0], v[1], left, right);
  if (v[2]->shape.rank != 0)
    return arg_needs(cx, b, b->arg[2], "a number", v[2]);
  Op *operands[3];
  for (int i = 0; i < 3; i++)
    operands[i] = tensor_op(cx, i < 2 ? tensor_broadcast(cx, v[i], shape, b->at) : v[i]);
  Op *op = ir_op(cx->program, cx->block, OP_ASSERT_NEAR, (IrType){0}, check_site(cx, b->at));
  op->at = cx->pi;
  for (int i = 0; i < 3; i++)
    ir_operand(cx->program, op, operands[i]);
  VEC_PUSH(cx->arena, &op->texts, span_text(cx->arena, b->at));
  return &value_void;
}

/* A function that an `at` block calls, as a training loop of the library, works without: one party's work is part
 * of no run that others could go on with. */
const Value *builtin_checkpoint(Checker *cx, const Bound *b) {
  bool inherited = cx->frame->flow_floor == 0; /* this function has opened no block of a party */
  if (!check_is_joint(cx) && inherited)
    return &value_void;
  if (!check_is_joint(cx)) {
    CHECK_DIAG(cx, E0313, b->at, "checkpoint");
    return &value_poison;
  }
  ir_op(cx->program, cx->block, OP_CHECKPOINT, (IrType){0}, check_site(cx, b->at))->at = cx->pi;
  return &value_void;
}

const Value *builtin_store(Checker *cx, const Bound *b) {
  const Value *v = arg_value(cx, b->arg[0], NULL);
  const char *name = arg_string(cx, b, 1);
  return name && !value_is_poison(v) ? check_stored_store(cx, v, b->arg[0]->expr, name, b->at)
                                     : &value_poison;
}

const Value *builtin_load(Checker *cx, const Bound *b) {
  const char *name = arg_string(cx, b, 0);
  return name ? check_stored_load(cx, b->want, name, b->at) : &value_poison;
}
