/* Building, walking, printing and hashing the intermediate representation (see ir.h).
 *
 * The printed form is stable: golden tests compare it, and the program hash is taken of it (without source
 * places and with every constant in full). One line an operation:
 *
 *   %7: ring64.16[30, 2] at {server0} = sub %3, %6  ; logreg.tfe:25 in fit, called from logistic.tfe:33
 *   %9 at all = for %1, %2, %7 { (%10: int, %11: fixed[2]) ... yield %15 }
 */
#include "ir.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "shape.h"

const OpInfo op_info[OP_COUNT] = {
    [OP_NONE] = {"NONE", "none", 0, OPC_FLOW, ""},
#define OP(id, name, args, class, shape, doc) [OP_##id] = {#id, name, args, OPC_##class, doc},
#include "../lang/ops.def"
#undef OP
};

/* ---- types --------------------------------------------------------------------------------------------- */

int64_t shape_count(const Shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->rank; i++)
    n *= s->dim[i];
  return n;
}

bool shape_equal(const Shape *a, const Shape *b) {
  if (a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i])
      return false;
  return true;
}

bool ir_type_equal(const IrType *a, const IrType *b) {
  return a->elem == b->elem && a->bits == b->bits && a->scale == b->scale && a->lanes == b->lanes &&
         shape_equal(&a->shape, &b->shape);
}

/* ---- places -------------------------------------------------------------------------------------------- */

enum { PARTY_WORDS = MAX_PARTIES / 64 };

PartySet party_none(void) {
  return (PartySet){{0}};
}

PartySet party_one(int party) {
  return party_range(party, 1);
}

PartySet party_range(int first, int count) {
  PartySet s = party_none();
  assert(first >= 0 && count >= 0 && first + count <= MAX_PARTIES);
  for (int i = first; i < first + count; i++)
    s.word[i / 64] |= UINT64_C(1) << (i % 64);
  return s;
}

PartySet party_and(PartySet a, PartySet b) {
  for (int i = 0; i < PARTY_WORDS; i++)
    a.word[i] &= b.word[i];
  return a;
}

PartySet party_or(PartySet a, PartySet b) {
  for (int i = 0; i < PARTY_WORDS; i++)
    a.word[i] |= b.word[i];
  return a;
}

PartySet party_minus(PartySet a, PartySet b) {
  for (int i = 0; i < PARTY_WORDS; i++)
    a.word[i] &= ~b.word[i];
  return a;
}

bool party_has(PartySet s, int party) {
  assert(party >= 0 && party < MAX_PARTIES);
  return (s.word[party / 64] >> (party % 64)) & 1;
}

bool party_empty(PartySet s) {
  return party_equal(s, party_none());
}

bool party_subset(PartySet a, PartySet b) {
  return party_empty(party_minus(a, b));
}

bool party_equal(PartySet a, PartySet b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

int party_next(PartySet s, int after) {
  for (int i = after + 1; i < MAX_PARTIES; i++)
    if (party_has(s, i))
      return i;
  return -1;
}

int party_first(PartySet s) {
  return party_next(s, -1);
}

int party_size(PartySet s) {
  int n = 0;
  for (int i = 0; i < PARTY_WORDS; i++)
    n += __builtin_popcountll(s.word[i]);
  return n;
}

/* ---- program ------------------------------------------------------------------------------------------- */

Program *ir_program(Arena *a, const char *name) {
  Program *p = ARENA_NEW(a, Program);
  p->arena = a;
  p->name = name;
  p->next_id = 1;
  p->next_message = 1;
  p->self = -1;
  p->body = ARENA_NEW(a, IrBlock);
  return p;
}

const PartyDecl *party_decl(const Program *p, int party) {
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    if (party >= d->first && party < d->first + d->count)
      return d;
  }
  assert(false && "party number out of range");
  return NULL;
}

const char *party_name(const Program *p, int party) {
  const PartyDecl *d = party_decl(p, party);
  return d->family ? arena_printf(p->arena, "%s.%d", d->name, party - d->first) : d->name;
}

/* ---- building ------------------------------------------------------------------------------------------ */

static Op *new_op(Program *p, IrBlock *b, OpKind kind, IrType type, const Site *site) {
  Op *op = ARENA_NEW(p->arena, Op);
  op->kind = kind;
  op->id = p->next_id++;
  op->type = type;
  op->parent = b;
  op->site = site;
  return op;
}

Op *ir_op(Program *p, IrBlock *b, OpKind kind, IrType type, const Site *site) {
  Op *op = new_op(p, b, kind, type, site);
  VEC_PUSH(p->arena, &b->ops, op);
  return op;
}

Op *ir_op_before(Program *p, IrBlock *b, Op *before, OpKind kind, IrType type, const Site *site) {
  Op *op = ir_op(p, b, kind, type, site);
  int i = b->ops.count - 1;
  for (; i > 0 && b->ops.data[i] != before; i--)
    b->ops.data[i] = b->ops.data[i - 1];
  assert(b->ops.data[i] == before && "not in this block");
  b->ops.data[i + 1] = before;
  b->ops.data[i] = op;
  return op;
}

IrBlock *ir_block(Program *p, Op *owner) {
  IrBlock *b = ARENA_NEW(p->arena, IrBlock);
  b->owner = owner;
  if (owner) {
    b->depth = (owner->parent ? owner->parent->depth : 0) + (owner->kind != OP_IF);
    VEC_PUSH(p->arena, &owner->blocks, b);
  }
  return b;
}

Op *ir_arg(Program *p, IrBlock *b, IrType type, const Site *site) {
  Op *op = new_op(p, b, OP_ARG, type, site);
  VEC_PUSH(p->arena, &b->params, op);
  return op;
}

void ir_operand(Program *p, Op *op, Op *operand) {
  assert(operand);
  VEC_PUSH(p->arena, &op->args, operand);
}

void ir_int(Program *p, Op *op, int64_t value) {
  VEC_PUSH(p->arena, &op->ints, value);
}

Op *ir_result(Program *p, IrBlock *b, Op *control, int k, IrType type) {
  Op *op = ir_op(p, b, OP_RESULT, type, control->site);
  op->where = control->where;
  ir_operand(p, op, control);
  ir_int(p, op, k);
  return op;
}

static Op *scalar_const(Program *p, IrBlock *b, Elem elem, uint64_t bits, const Site *site) {
  Op *op = ir_op(p, b, OP_CONST, (IrType){.elem = elem}, site);
  uint64_t *data = ARENA_NEW(p->arena, uint64_t);
  *data = bits;
  op->data = data;
  op->data_count = 1;
  op->at = (Place){PLACE_PUBLIC, 0};
  return op;
}

Op *ir_const_fixed(Program *p, IrBlock *b, double v, const Site *site) {
  return scalar_const(p, b, EL_FIXED, ir_fixed_bits(v), site);
}

Op *ir_const_int(Program *p, IrBlock *b, int64_t v, const Site *site) {
  return scalar_const(p, b, EL_INT, (uint64_t)v, site);
}

Op *ir_const_bool(Program *p, IrBlock *b, bool v, const Site *site) {
  return scalar_const(p, b, EL_BOOL, v, site);
}

double ir_bits_fixed(uint64_t bits) {
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

uint64_t ir_fixed_bits(double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

void conv_sizes(OpKind kind, const Shape *a, const Shape *b, const Shape *result, const int64_t *ints,
                int64_t sizes[CONV_SIZES]) {
  const int64_t *x = (kind == OP_CONV2D_INPUT ? result : a)->dim,
                *k = (kind == OP_CONV2D_KERNEL ? result : b)->dim;
  memcpy(sizes, x, 4 * sizeof *sizes);
  memcpy(sizes + 4, (int64_t[]){k[0], k[1], k[3]}, 3 * sizeof *sizes);
  memcpy(sizes + 7, ints, CONV_INTS * sizeof *sizes);
}

void ir_conv_sizes(const Op *op, int64_t sizes[CONV_SIZES]) {
  conv_sizes(op->kind, &op->args.data[0]->type.shape, &op->args.data[1]->type.shape, &op->type.shape,
             op->ints.data, sizes);
}

bool ir_is_splat(const Op *op, uint64_t *bits) {
  if (op->kind != OP_CONST || op->data_count < 1)
    return false;
  for (int64_t i = 1; i < op->data_count; i++)
    if (op->data[i] != op->data[0])
      return false;
  *bits = op->data[0];
  return true;
}

/* ---- walking ------------------------------------------------------------------------------------------- */

void ir_walk(IrBlock *b, void (*visit)(Op *op, void *data), void *data) {
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    visit(op, data);
    for (int k = 0; k < op->blocks.count; k++)
      ir_walk(op->blocks.data[k], visit, data);
  }
}

bool ir_block_encloses(const IrBlock *outer, const IrBlock *inner) {
  for (; inner; inner = inner->owner ? inner->owner->parent : NULL)
    if (inner == outer)
      return true;
  return false;
}

static Op *target_of(Op *op) {
  Op *t = op;
  while (t->forward)
    t = t->forward;
  while (op != t) { /* short-cut the chain: passes build long ones */
    Op *next = op->forward;
    op->forward = t;
    op = next;
  }
  return t;
}

static void forward_block(IrBlock *b) {
  int kept = 0;
  for (int i = 0; i < b->ops.count; i++) {
    Op *op = b->ops.data[i];
    if (op->forward)
      continue;
    b->ops.data[kept++] = op;
    for (int k = 0; k < op->args.count; k++)
      op->args.data[k] = target_of(op->args.data[k]);
    for (int k = 0; k < op->blocks.count; k++)
      forward_block(op->blocks.data[k]);
  }
  b->ops.count = kept;
  for (int i = 0; i < b->yields.count; i++)
    b->yields.data[i] = target_of(b->yields.data[i]);
}

void ir_forward(Program *p) {
  forward_block(p->body);
}

/* ---- text ---------------------------------------------------------------------------------------------- */

static const char *const elem_names[] = {"none", "fixed", "int", "bool", "ring"};

const char *ir_type_text(Arena *a, const IrType *t) {
  const char *text = elem_names[t->elem];
  if (t->lanes)
    text = "lanes";
  else if (t->elem == EL_RING)
    text = t->scale ? arena_printf(a, "ring%d.%d", t->bits, t->scale) : arena_printf(a, "ring%d", t->bits);
  if (t->shape.rank == 0)
    return text;
  for (int i = 0; i < t->shape.rank; i++)
    text = arena_printf(a, "%s%s%" PRId64, text, i ? ", " : "[", t->shape.dim[i]);
  return arena_printf(a, "%s]", text);
}

const char *ir_place_text(const Program *p, Place at) {
  switch (at.kind) {
  case PLACE_PUBLIC: return "public";
  case PLACE_AT: return arena_printf(p->arena, "at %s", party_name(p, at.index));
  case PLACE_EACH: return arena_printf(p->arena, "at each %s", p->parties.data[at.index].name);
  case PLACE_PRIVATE: return arena_printf(p->arena, "private %d", at.index);
  }
  return "?";
}

const char *ir_slot_name(Arena *a, const Slot *s) {
  size_t tail = s->field ? strlen(s->field) + 1 : 0;
  return tail ? arena_intern(a, s->name, strlen(s->name) - tail) : s->name;
}

/* Whole families by their name, other parties singly. */
const char *ir_where_text(const Program *p, PartySet s) {
  const char *text = "";
  if (party_equal(s, party_range(0, p->party_count)))
    return "all";
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    PartySet members = party_range(d->first, d->count);
    if (d->family && party_subset(members, s)) {
      text = arena_printf(p->arena, "%s%s%s", text, *text ? ", " : "", d->name);
      continue;
    }
    for (int k = d->first; k < d->first + d->count; k++)
      if (party_has(s, k))
        text = arena_printf(p->arena, "%s%s%s", text, *text ? ", " : "", party_name(p, k));
  }
  return arena_printf(p->arena, "{%s}", text);
}

const char *ir_site_text(Arena *a, const Site *site) {
  if (!site || !site->span.source)
    return "";
  const char *text = source_where(a, site->span);
  for (; site->caller; site = site->caller)
    text = arena_printf(a, "%s%s%s, called from %s", text, site->function ? " in " : "",
                        site->function ? site->function : "", source_where(a, site->caller->span));
  return text;
}

typedef struct Printer {
  const Program *p;
  FILE *out;
  bool exact; /* for the hash: all constants in full, no file names */
} Printer;

enum { SHOWN_ELEMENTS = 8 };

static void print_quoted(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '\n')
      fputs("\\n", out);
    else if (*text == '"' || *text == '\\')
      fprintf(out, "\\%c", *text);
    else
      fputc(*text, out);
  }
  fputc('"', out);
}

static void print_data(const Printer *pr, const Op *op) {
  int64_t shown = op->data_count;
  if (!pr->exact && shown > SHOWN_ELEMENTS)
    shown = SHOWN_ELEMENTS;
  fputs(" (", pr->out);
  for (int64_t i = 0; i < shown; i++) {
    fputs(i ? ", " : "", pr->out);
    if (op->type.elem == EL_FIXED)
      fprintf(pr->out, "%.17g", ir_bits_fixed(op->data[i]));
    else if (op->type.elem == EL_INT)
      fprintf(pr->out, "%" PRId64, (int64_t)op->data[i]);
    else
      fprintf(pr->out, "%" PRIu64, op->data[i]);
  }
  fputs(shown < op->data_count ? ", ...)" : ")", pr->out);
}

static void print_texts(const Printer *pr, const Op *op) {
  fputs(" [", pr->out);
  for (int i = 0; i < op->texts.count; i++) {
    fputs(i ? ", " : "", pr->out);
    if (op->texts.data[i])
      print_quoted(pr->out, op->texts.data[i]);
    else
      fputc('_', pr->out);
  }
  fputc(']', pr->out);
}

static void print_attributes(const Printer *pr, const Op *op) {
  if (op->ints.count && op->kind != OP_RESULT) {
    fputs(" {", pr->out);
    for (int i = 0; i < op->ints.count; i++)
      if (op->ints.data[i] == INT64_MIN)
        fprintf(pr->out, "%s_", i ? ", " : "");
      else
        fprintf(pr->out, "%s%" PRId64, i ? ", " : "", op->ints.data[i]);
    fputc('}', pr->out);
  }
  if (op->kind == OP_RESULT)
    fprintf(pr->out, ".%" PRId64, op->ints.data[0]);
  if (op->text) {
    fputc(' ', pr->out);
    print_quoted(pr->out, op->text);
  }
  if (op->data_count)
    print_data(pr, op);
  if (op->texts.count)
    print_texts(pr, op);
  if (op->message)
    fprintf(pr->out, " message %d", op->message);
}

static void print_value(const Printer *pr, const Op *op, bool joint) {
  fprintf(pr->out, "%%%d", op->id);
  if (op->type.elem != EL_NONE)
    fprintf(pr->out, ": %s", ir_type_text(pr->p->arena, &op->type));
  if (joint && op->width)
    fprintf(pr->out, " %s in %d bits", ir_place_text(pr->p, op->at), op->width);
  else if (joint)
    fprintf(pr->out, " %s", ir_place_text(pr->p, op->at));
  else
    fprintf(pr->out, " at %s", ir_where_text(pr->p, op->where));
}

/* A joint program has no `where` sets at all. */
static bool is_joint(const Program *p) {
  return p->body->ops.count > 0 && party_empty(p->body->ops.data[0]->where);
}

static void print_block(const Printer *pr, const IrBlock *b, int indent, bool joint);

static void print_op(const Printer *pr, const Op *op, int indent, bool joint) {
  fprintf(pr->out, "%*s", indent, "");
  print_value(pr, op, joint);
  fprintf(pr->out, " = %s", op_info[op->kind].name);
  for (int i = 0; i < op->args.count; i++)
    fprintf(pr->out, "%s%%%d", i ? ", " : " ", op->args.data[i]->id);
  print_attributes(pr, op);
  if (!pr->exact && op->site && op->site->span.source)
    fprintf(pr->out, "  ; %s", ir_site_text(pr->p->arena, op->site));
  fputc('\n', pr->out);
  for (int k = 0; k < op->blocks.count; k++)
    print_block(pr, op->blocks.data[k], indent + 2, joint);
}

static void print_block(const Printer *pr, const IrBlock *b, int indent, bool joint) {
  fprintf(pr->out, "%*s(", indent, "");
  for (int i = 0; i < b->params.count; i++) {
    fputs(i ? ", " : "", pr->out);
    print_value(pr, b->params.data[i], joint);
  }
  fputs(")\n", pr->out);
  for (int i = 0; i < b->ops.count; i++)
    print_op(pr, b->ops.data[i], indent, joint);
  fprintf(pr->out, "%*syield", indent, "");
  for (int i = 0; i < b->yields.count; i++)
    fprintf(pr->out, "%s%%%d", i ? ", " : " ", b->yields.data[i]->id);
  fputc('\n', pr->out);
}

static void print_protocol(const Printer *pr, const ProtocolInstance *k) {
  fprintf(pr->out, "protocol %s(", k->kind);
  for (int i = 0; i < k->servers.count; i++)
    fprintf(pr->out, "%s%s", i ? ", " : "", party_name(pr->p, k->servers.data[i]));
  for (int i = 0; i < k->helpers.count; i++)
    fprintf(pr->out, "%s%s", i ? ", " : "; ", party_name(pr->p, k->helpers.data[i]));
  fprintf(pr->out, ") with frac = %d, whole = %d, ring = %d", k->frac, k->whole, k->ring);
  for (int i = 0; i < k->extra_count; i++) {
    fprintf(pr->out, ", %s = ", k->extra[i].name);
    if (k->extra[i].text)
      print_quoted(pr->out, k->extra[i].text);
    else
      fprintf(pr->out, "%" PRId64, k->extra[i].value);
  }
  fputc('\n', pr->out);
}

static void print_program(const Printer *pr) {
  const Program *p = pr->p;
  bool joint = p->self < 0 && is_joint(p);
  if (!pr->exact) /* the same text in another place is the same program */
    fprintf(pr->out, "program %s\n", p->name);
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    fprintf(pr->out, d->family ? "party %s[%d]" : "party %s", d->name, d->count);
    fprintf(pr->out, "%s\n", i == p->self ? " (this program)" : "");
  }
  for (int i = 0; i < p->protocols.count; i++)
    print_protocol(pr, &p->protocols.data[i]);
  for (int i = 0; i < p->slots.count; i++) {
    const Slot *s = &p->slots.data[i];
    fprintf(pr->out, "%s %s", s->is_output ? "output" : "input", s->name);
    if (s->field)
      fprintf(pr->out, " field %s", s->field);
    fprintf(pr->out, ": %s at %s\n", ir_type_text(p->arena, &s->type), ir_where_text(p, s->owner));
  }
  for (int i = 0; i < p->body->ops.count; i++)
    print_op(pr, p->body->ops.data[i], 0, joint);
}

void ir_print(const Program *p, FILE *out) {
  print_program(&(Printer){p, out, false});
}

void ir_hash(Program *p) {
  char *text = NULL;
  size_t size = 0;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) {
    fprintf(stderr, "tfec: out of memory\n");
    exit(70);
  }
  print_program(&(Printer){p, out, true});
  fclose(out);
  int ok = EVP_Digest(text, size, digest, &digest_size, EVP_sha256(), NULL);
  assert(ok && digest_size == 32);
  (void)ok;
  for (unsigned i = 0; i < 32; i++)
    snprintf(p->hash + 2 * i, 3, "%02x", digest[i]);
  free(text);
}
