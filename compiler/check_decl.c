/* Declarations: parties, protocol headers (rule F9), constants and parameters of the build, names used
 * twice. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tensor.h"

/* ---- looking up ---------------------------------------------------------------------------------------- */

const Decl *check_decl_find(const Unit *u, DeclKind kind, const char *name) {
  for (int i = 0; i < u->ast->decls.count; i++) {
    const Decl *d = u->ast->decls.data[i];
    if (d->kind == kind && d->name == name)
      return d;
  }
  return NULL;
}

/* ---- parties ------------------------------------------------------------------------------------------- */

const PartyDecl *check_decl_party(Checker *cx, const char *name) {
  for (int i = 0; i < cx->program->parties.count; i++)
    if (cx->program->parties.data[i].name == name)
      return &cx->program->parties.data[i];
  return NULL;
}

static void add_party(Checker *cx, const PlaceExpr *p) {
  Program *prog = cx->program;
  int64_t count = 1;
  if (check_decl_party(cx, p->name)) {
    CHECK_DIAG(cx, E0105, p->span, p->name);
    return;
  }
  if (p->index && !check_expr_int(cx, p->index, "the size of a family", &count))
    count = 1;
  if (count < 1 || count > MAX_PARTIES - prog->party_count) {
    CHECK_DIAG(cx, E0408, p->span, p->name, arena_printf(cx->arena, "%" PRId64, count),
               arena_printf(cx->arena, "a program has 1 to %d parties", MAX_PARTIES));
    count = 1;
  }
  PartyDecl d = {.name = p->name,
                 .first = prog->party_count,
                 .count = (int)count,
                 .family = p->index != NULL,
                 .span = p->span};
  VEC_PUSH(cx->arena, &prog->parties, d);
  prog->party_count += d.count;
}

void check_decl_parties(Checker *cx) {
  const Module *m = cx->root->ast;
  for (int i = 0; i < m->decls.count; i++)
    for (int k = 0; k < m->decls.data[i]->parties.count; k++)
      add_party(cx, &m->decls.data[i]->parties.data[k]);
}

static void unknown_party(Checker *cx, const PlaceExpr *p) {
  Diag *d = CHECK_DIAG(cx, E0401, p->span, p->name);
  const Program *prog = cx->program;
  const char *names[MAX_PARTIES];
  int n = prog->parties.count;
  diag_label(d, "not declared");
  for (int i = 0; i < n; i++)
    names[i] = prog->parties.data[i].name;
  if (n)
    diag_note(d, "declared parties: %s (%s)", diag_listed(cx->arena, names, n),
              source_where(cx->arena, prog->parties.data[0].span));
  else
    diag_note(d, "this program declares no parties");
  const char *near = diag_nearest(p->name, names, n);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
}

bool check_decl_place(Checker *cx, const PlaceExpr *p, Place *out) {
  const PartyDecl *d = check_decl_party(cx, p->name);
  int64_t index;
  if (!d) {
    unknown_party(cx, p);
    return false;
  }
  if (!p->index) {
    int which = (int)(d - cx->program->parties.data);
    *out = d->family ? (Place){PLACE_EACH, which} : (Place){PLACE_AT, d->first};
    return true;
  }
  if (!check_expr_int(cx, p->index, "a party's index", &index))
    return false;
  if (!d->family || index < 0 || index >= d->count) {
    const char *name = arena_printf(cx->arena, "%s[%" PRId64 "]", p->name, index);
    Diag *m = CHECK_DIAG(
        cx, E0405, p->span, name,
        d->family ? arena_printf(cx->arena, "the family has %d members, 0 to %d", d->count, d->count - 1)
                  : arena_printf(cx->arena, "`%s` is a single party", p->name));
    if (d->family)
      diag_label(m, "0 to %d", d->count - 1);
    diag_note(m, "declared at %s: `%s`", source_where(cx->arena, d->span), span_text(cx->arena, d->span));
    return false;
  }
  *out = (Place){PLACE_AT, d->first + (int)index};
  return true;
}

/* ---- protocol headers ---------------------------------------------------------------------------------- */

static const char *count_word(Checker *cx, int n) {
  static const char *const words[] = {"no", "one", "two", "three", "four", "five"};
  return n <= 5 ? words[n] : arena_printf(cx->arena, "%d", n);
}

static const char *helper_word(const Decl *kind) {
  return strcmp(kind->helpers.data[0].name, "producer") == 0 ? "crypto producer" : kind->helpers.data[0].name;
}

static const char *kind_needs(Checker *cx, const Decl *kind) {
  int s = kind->servers.count, h = kind->helpers.count;
  const char *text = arena_printf(cx->arena, "%s server%s", count_word(cx, s), s == 1 ? "" : "s");
  if (h == 1)
    return arena_printf(cx->arena, "%s and a %s", text, helper_word(kind));
  return h ? arena_printf(cx->arena, "%s and %s helpers", text, count_word(cx, h)) : text;
}

static bool in_header(const ProtoExpr *p, const char *name) {
  for (int i = 0; i < p->servers.count; i++)
    if (p->servers.data[i].name == name)
      return true;
  for (int i = 0; i < p->helpers.count; i++)
    if (p->helpers.data[i].name == name)
      return true;
  return false;
}

/* A party for a role that is missing: of the role's name, else one that has no role yet. */
static const char *spare_party(Checker *cx, const ProtoExpr *p, const char *role, int *next) {
  for (int i = 0; i < cx->program->parties.count; i++)
    if (strcmp(cx->program->parties.data[i].name, role) == 0)
      return role;
  while (*next < cx->program->parties.count) {
    const PartyDecl *d = &cx->program->parties.data[(*next)++];
    if (!d->family && !in_header(p, d->name))
      return d->name;
  }
  return role;
}

/* How the header should read: with the parties that are written, others for the roles that are missing. */
static const char *header_example(Checker *cx, const Decl *kind, const ProtoExpr *p) {
  const char *text = arena_printf(cx->arena, "%s(", kind->name);
  int next = 0;
  for (int i = 0; i < kind->servers.count; i++) {
    const char *name = i < p->servers.count ? span_text(cx->arena, p->servers.data[i].span)
                                            : spare_party(cx, p, kind->servers.data[i].name, &next);
    text = arena_printf(cx->arena, "%s%s%s", text, i ? ", " : "", name);
  }
  for (int i = 0; i < kind->helpers.count; i++) {
    const char *name = i < p->helpers.count ? span_text(cx->arena, p->helpers.data[i].span)
                                            : spare_party(cx, p, kind->helpers.data[i].name, &next);
    text = arena_printf(cx->arena, "%s%s%s", text, i ? ", " : "; ", name);
  }
  return arena_printf(cx->arena, "%s)", text);
}

static bool check_counts(Checker *cx, const Decl *kind, const ProtoExpr *p) {
  if (p->servers.count == kind->servers.count && p->helpers.count == kind->helpers.count)
    return true;
  Span at = p->span;
  if (p->options.count) { /* up to the closing parenthesis */
    const PlaceExpr *last =
        p->helpers.count ? &p->helpers.data[p->helpers.count - 1] : &p->servers.data[p->servers.count - 1];
    at.end = last->span.end + 1;
  }
  Diag *d = CHECK_DIAG(cx, E0402, at, kind->name, kind_needs(cx, kind));
  bool lacks = p->helpers.count == 0 && kind->helpers.count == 1 && p->servers.count == kind->servers.count;
  if (lacks) {
    diag_label(d, "the %s is missing", kind->helpers.data[0].name);
    diag_note(d, "the producer makes the random triples that the servers use up; it must not collude with "
                 "either of them");
  } else {
    int n = p->servers.count, h = p->helpers.count;
    diag_label(d, "%s server%s and %s helper%s here", count_word(cx, n), n == 1 ? "" : "s", count_word(cx, h),
               h == 1 ? "" : "s");
  }
  diag_help(d, "write `%s`", header_example(cx, kind, p));
  return false;
}

static bool add_role(Checker *cx, ProtocolInstance *in, const PlaceExpr *p, bool server) {
  Place at;
  if (!check_decl_place(cx, p, &at))
    return false;
  if (at.kind != PLACE_AT) {
    Diag *d = CHECK_DIAG(cx, E0409, p->span, p->name, server ? "a server" : "a producer");
    diag_help(d, "name one member: `%s[0]`", p->name);
    return false;
  }
  for (int i = 0; i < in->servers.count + in->helpers.count; i++) {
    bool other_server = i < in->servers.count;
    int other = other_server ? in->servers.data[i] : in->helpers.data[i - in->servers.count];
    if (other != at.index)
      continue;
    const char *role = other_server ? "server" : "producer", *again = server ? "server" : "producer";
    bool alike = server == other_server;
    Diag *d = CHECK_DIAG(cx, E0403, p->span, span_text(cx->arena, p->span),
                         alike ? arena_printf(cx->arena, "one %s", role) : role, alike ? "another" : again);
    diag_label(d, "already a %s here", role);
    if (!server && other_server) {
      diag_note(
          d,
          "a producer knows all masks; together with one server's shares it could open every private value");
      diag_help(d, "name a third party as the producer");
    } else {
      diag_note(d, "a party with the shares of two could open every private value");
      diag_help(d, "name another party");
    }
    return false;
  }
  if (server)
    VEC_PUSH(cx->arena, &in->servers, at.index);
  else
    VEC_PUSH(cx->arena, &in->helpers, at.index);
  return true;
}

static bool option_value(Checker *cx, const Option *o, int64_t low, int64_t high, int64_t *out) {
  if (!check_expr_int(cx, o->value, "an option of a protocol", out))
    return false;
  if (*out >= low && *out <= high)
    return true;
  CHECK_DIAG(cx, E0408, o->span, o->name, arena_printf(cx->arena, "%" PRId64, *out),
             arena_printf(cx->arena, "it is between %" PRId64 " and %" PRId64, low, high));
  return false;
}

static const char *choices_text(Checker *cx, const Decl *option) {
  const char *text = "it is";
  int n = option->choices.count;
  for (int i = 0; i < n; i++)
    text = arena_printf(cx->arena, "%s%s \"%s\"", text,
                        i == 0       ? ""
                        : i == n - 1 ? " or"
                                     : ",",
                        option->choices.data[i].name);
  return text;
}

static bool is_choice(Checker *cx, const Decl *option, const Option *o, const char *text) {
  int n = option->choices.count;
  const char **names = ARENA_ARRAY(cx->arena, const char *, n + 1);
  for (int i = 0; i < n; i++) {
    names[i] = option->choices.data[i].name;
    if (strcmp(names[i], text) == 0)
      return true;
  }
  if (n == 0)
    return true;
  Diag *d = CHECK_DIAG(cx, E0408, o->span, o->name, arena_printf(cx->arena, "\"%s\"", text),
                       choices_text(cx, option));
  const char *near = diag_nearest(text, names, n);
  if (near)
    diag_help(d, "did you mean `%s = \"%s\"`?", o->name, near);
  return false;
}

/* An option has the type of its default: a text or an integer. */
static bool set_extra(Checker *cx, ProtocolInstance *in, const Decl *option, const Option *o) {
  int64_t number = 0;
  const char *text = NULL;
  if (option->value->kind == EX_STRING) {
    const Value *v = check_expr(cx, o->value, NULL);
    if (v->kind != VAL_STRING) {
      if (!value_is_poison(v))
        CHECK_DIAG(cx, E0208, o->value->span, "a string", value_type_text(cx->arena, v));
      return false;
    }
    text = v->text;
    if (!is_choice(cx, option, o, text))
      return false;
  } else if (!option_value(cx, o, INT64_MIN, INT64_MAX, &number)) {
    return false;
  }
  in->extra[in->extra_count].name = o->name;
  in->extra[in->extra_count].text = text;
  in->extra[in->extra_count++].value = number;
  return true;
}

static bool set_option(Checker *cx, ProtocolInstance *in, const Decl *kind, const Option *o) {
  int64_t v;
  bool whole = strcmp(o->name, "whole") == 0, frac = strcmp(o->name, "frac") == 0;
  if (whole || frac) {
    if (!option_value(cx, o, 1, 60, &v))
      return false;
    *(whole ? &in->whole : &in->frac) = (int)v;
    return true;
  }
  if (strcmp(o->name, "ring") == 0) {
    if (!option_value(cx, o, 1, 128, &v))
      return false;
    if (v != 64) {
      CHECK_DIAG(cx, E0408, o->span, o->name, arena_printf(cx->arena, "%" PRId64, v),
                 v == 128 ? "this version has the ring of 64 bits only" : "it is 64");
      return false;
    }
    in->ring = (int)v;
    return true;
  }
  const Decl *option = module_kind_option(kind, o->name);
  if (!option || in->extra_count == 8) {
    Diag *d = CHECK_DIAG(cx, E0407, o->span, kind->name, o->name);
    diag_note(d, "every protocol has `frac`, `whole` and `ring`; protocol/%s.tfe declares its others",
              kind->name);
    return false;
  }
  return set_extra(cx, in, option, o);
}

static void lint_format(Checker *cx, const ProtocolInstance *in, const ProtoExpr *p) {
  int bits = in->whole + 2 * in->frac;
  if (bits <= in->ring - 2)
    return;
  Span at = p->options.count ? span_join(p->options.data[0].span, p->options.data[p->options.count - 1].span)
                             : p->span;
  Diag *d = CHECK_DIAG(cx, W0601, at, bits, in->ring - 2);
  diag_label(d, "%d + 2 x %d = %d bits", in->whole, in->frac, bits);
  diag_note(d, "a product of two numbers with %d fraction bits has %d of them until it is truncated",
            in->frac, 2 * in->frac);
  int frac = (in->ring - 2 - in->whole) / 2;
  if (frac > 16)
    frac = 16;
  if (frac >= 1)
    diag_help(d, "or less precision: `frac = %d, whole = %d` needs %d bits", frac, in->whole,
              in->whole + 2 * frac);
}

static bool same_text(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_instance(const ProtocolInstance *a, const ProtocolInstance *b) {
  bool same = a->kind == b->kind && a->servers.count == b->servers.count &&
              a->helpers.count == b->helpers.count && a->frac == b->frac && a->whole == b->whole &&
              a->ring == b->ring && a->extra_count == b->extra_count;
  for (int i = 0; same && i < a->servers.count; i++)
    same = a->servers.data[i] == b->servers.data[i];
  for (int i = 0; same && i < a->helpers.count; i++)
    same = a->helpers.data[i] == b->helpers.data[i];
  for (int i = 0; same && i < a->extra_count; i++)
    same = strcmp(a->extra[i].name, b->extra[i].name) == 0 && a->extra[i].value == b->extra[i].value &&
           same_text(a->extra[i].text, b->extra[i].text);
  return same;
}

static int add_instance(Checker *cx, const ProtocolInstance *in) {
  Program *prog = cx->program;
  for (int i = 0; i < prog->protocols.count; i++)
    if (same_instance(&prog->protocols.data[i], in))
      return i;
  VEC_PUSH(cx->arena, &prog->protocols, *in);
  return prog->protocols.count - 1;
}

static const Decl *kind_of(Checker *cx, const ProtoExpr *p) {
  const Decl *kind = module_kind(cx->modules, cx->root, p->kind);
  if (kind)
    return kind;
  Diag *d = CHECK_DIAG(cx, E0406, p->kind_span, p->kind);
  diag_note(d, "a protocol is a file `protocol/%s.tfe` beside the program or in the standard library",
            p->kind);
  const char *const known[] = {"pond", "clear"};
  const char *near = diag_nearest(p->kind, known, 2);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  return NULL;
}

int check_decl_protocol(Checker *cx, const ProtoExpr *p, const Decl **kind) {
  if (!p->has_parties) {
    const Decl *named = check_decl_find(cx->frame->unit, DECL_PROTOCOL, p->kind);
    if (!named)
      named = check_decl_find(cx->root, DECL_PROTOCOL, p->kind);
    if (named)
      return check_decl_protocol(cx, named->proto, kind);
    *kind = kind_of(cx, p);
    if (*kind)
      check_counts(cx, *kind, p);
    return -1;
  }
  *kind = kind_of(cx, p);
  if (!*kind || !check_counts(cx, *kind, p))
    return -1;
  ProtocolInstance in = {
      .kind = (*kind)->name, .definition = *kind, .frac = 16, .whole = 14, .ring = 64, .span = p->span};
  bool ok = true;
  for (int i = 0; i < p->servers.count; i++)
    ok = add_role(cx, &in, &p->servers.data[i], true) && ok;
  for (int i = 0; i < p->helpers.count; i++)
    ok = add_role(cx, &in, &p->helpers.data[i], false) && ok;
  for (int i = 0; i < p->options.count; i++)
    ok = set_option(cx, &in, *kind, &p->options.data[i]) && ok;
  if (!ok)
    return -1;
  lint_format(cx, &in, p);
  bool force = cx->options->force_clear || (cx->options->test && cx->options->test_clear);
  if (force && strcmp(in.kind, "clear") != 0) {
    const Decl *clear = module_kind(cx->modules, cx->root, arena_intern_z(cx->arena, "clear"));
    if (clear) {
      *kind = clear;
      in.kind = clear->name;
      in.definition = clear;
      in.servers.count = 1;
      in.helpers.count = 0;
      in.extra_count = 0;
    }
  }
  if (strcmp(in.kind, "clear") == 0)
    cx->program->clear = true;
  return add_instance(cx, &in);
}

/* ---- constants and parameters -------------------------------------------------------------------------- */

Outside check_go_outside(Checker *cx, Unit *u) {
  Outside o = {cx->block, cx->pi, cx->frame, cx->loop, cx->open.count, cx->constants_only};
  cx->block = ARENA_NEW(cx->arena, IrBlock);
  cx->pi = PLACE_JOINT;
  cx->frame = scope_frame(cx->arena, NULL, u, NULL, NULL);
  cx->loop = NULL;
  cx->open.count = 0;
  cx->constants_only = true;
  return o;
}

void check_come_back(Checker *cx, Outside o) {
  cx->block = o.block;
  cx->pi = o.pi;
  cx->frame = o.frame;
  cx->loop = o.loop;
  cx->open.count = o.open;
  cx->constants_only = o.constants_only;
}

static const char *define_of(const Checker *cx, const char *name) {
  size_t n = strlen(name);
  for (int i = cx->options->define_count - 1; i >= 0; i--) {
    const char *d = cx->options->defines[i];
    if (strncmp(d, name, n) == 0 && d[n] == '=')
      return d + n + 1;
  }
  return NULL;
}

static const Value *bad_define(Checker *cx, const Decl *d, const char *text) {
  CHECK_DIAG(cx, E0140, d->name_span, arena_printf(cx->arena, "`%s`", text), d->name);
  return &value_poison;
}

static const Value *parse_define(Checker *cx, const Decl *d, const Type *t, const char *text) {
  char *end;
  errno = 0;
  if (t->kind == TY_STRING)
    return value_string(cx->arena, text);
  if (t->kind != TY_TENSOR || t->shape.rank)
    return bad_define(cx, d, text);
  if (t->elem == EL_BOOL) {
    bool yes = strcmp(text, "true") == 0;
    return yes || strcmp(text, "false") == 0 ? value_bool(cx->arena, yes) : bad_define(cx, d, text);
  }
  if (t->elem == EL_INT) {
    int64_t v = strtoll(text, &end, 10);
    return *text && !*end && !errno ? value_int(cx->arena, v) : bad_define(cx, d, text);
  }
  double v = strtod(text, &end);
  return *text && !*end && v - v == 0 ? value_fixed(cx->arena, v) : bad_define(cx, d, text);
}

static const Value *evaluate_global(Checker *cx, Unit *u, const Decl *d) {
  Outside o = check_go_outside(cx, u);
  const Type *t = d->type ? check_type(cx, d->type) : NULL;
  const char *text = d->kind == DECL_PARAM ? define_of(cx, d->name) : NULL;
  const Value *v = &value_poison;
  if (d->type && !t)
    v = &value_poison;
  else if (text)
    v = parse_define(cx, d, t, text);
  else {
    v = check_expr(cx, d->value, t);
    if (t && !value_is_poison(v))
      v = check_coerce(cx, v, t, d->value, d->name);
  }
  if (!value_is_poison(v) && !value_is_const(v)) {
    CHECK_DIAG(cx, E0501, d->value->span, d->kind == DECL_PARAM ? "a parameter" : "a constant");
    v = &value_poison;
  }
  check_come_back(cx, o);
  return v;
}

const Value *check_decl_global(Checker *cx, Unit *u, const char *name) {
  Global *g = module_global(u, name);
  if (!g)
    return NULL;
  if (g->busy) {
    Diag *d = CHECK_DIAG(cx, E0501, g->decl->name_span, arena_printf(cx->arena, "`%s`", name));
    diag_note(d, "it is defined in terms of itself");
    return &value_poison;
  }
  if (!g->value) {
    g->busy = true;
    g->value = evaluate_global(cx, u, g->decl);
    g->busy = false;
  }
  return g->value;
}

const Value *check_decl_constant(Checker *cx, const char *name) {
  const Decl *d = cx->frame->structure;
  for (int i = 0; d && i < d->sizes.count; i++)
    if (d->sizes.data[i].name == name)
      return NULL;
  return check_decl_global(cx, cx->frame->unit, name);
}

void check_decl_params(Checker *cx) {
  for (int i = 0; i < cx->options->define_count; i++) {
    const char *text = cx->options->defines[i], *equals = strchr(text, '=');
    const char *name = arena_intern(cx->arena, text, equals ? (size_t)(equals - text) : strlen(text));
    bool found = false;
    for (int k = 0; k < module_count(cx->modules); k++)
      found = found || check_decl_find(module_at(cx->modules, k), DECL_PARAM, name) != NULL;
    if (!found || !equals)
      CHECK_DIAG(cx, E0135, ((Span){0}), name);
  }
}

/* ---- duplicates ---------------------------------------------------------------------------------------- */

static const char *first_struct(const Decl *fn) {
  static const char *const plain[] = {"fixed", "float", "int", "bool", "string"};
  const TypeExpr *t = fn->parms.count ? fn->parms.data[0].type : NULL;
  if (!t || t->is_tuple || !t->name)
    return NULL;
  for (int i = 0; i < 5; i++)
    if (strcmp(t->name, plain[i]) == 0)
      return NULL;
  return t->name;
}

static bool named(const Decl *d) {
  return d->name && d->kind != DECL_TEST && d->kind != DECL_GRAD && d->kind != DECL_PARTY &&
         d->kind != DECL_KIND;
}

static void check_pair(Checker *cx, const Decl *a, const Decl *b) {
  if (a->kind == DECL_FN && b->kind == DECL_FN) {
    const char *x = first_struct(a), *y = first_struct(b);
    if (x && y && x != y)
      return;
    Diag *d = CHECK_DIAG(cx, E0104, b->name_span, b->name);
    diag_also(d, a->name_span, "also defined here");
    return;
  }
  Diag *d = CHECK_DIAG(cx, E0105, b->name_span, b->name);
  diag_also(d, a->name_span, "defined here");
}

static bool has_parameter(const Decl *fn, const char *name) {
  for (int i = 0; i < fn->parms.count; i++)
    if (fn->parms.data[i].name == name)
      return true;
  return false;
}

/* A rule `grad f.x` belongs to a function of the same module that has such a parameter, and is the only one. */
static void check_rule_declaration(Checker *cx, Unit *u, int at) {
  const Module *m = u->ast;
  const Decl *rule = m->decls.data[at];
  bool found = false, fits = false;
  for (int i = 0; i < m->decls.count; i++) {
    const Decl *d = m->decls.data[i];
    bool same = d->name == rule->name;
    found = found || (d->kind == DECL_FN && same);
    fits = fits || (d->kind == DECL_FN && same && has_parameter(d, rule->grad_parm));
    if (i < at && d->kind == DECL_GRAD && same && d->grad_parm == rule->grad_parm)
      diag_also(CHECK_DIAG(cx, E0105, rule->name_span,
                           arena_printf(cx->arena, "grad %s.%s", rule->name, rule->grad_parm)),
                d->name_span, "defined here");
  }
  if (!found)
    diag_label(CHECK_DIAG(cx, E0102, rule->name_span, rule->name), "not in this module");
  else if (!fits)
    CHECK_DIAG(cx, E0125, rule->name_span, rule->name, rule->grad_parm);
}

void check_decl_structure(Checker *cx, Unit *u) {
  const Module *m = u->ast;
  for (int i = 0; i < m->decls.count; i++) {
    const Decl *b = m->decls.data[i];
    if (b->kind == DECL_GRAD)
      check_rule_declaration(cx, u, i);
    const PartyDecl *party =
        named(b) && u->is_root && b->kind != DECL_FN ? check_decl_party(cx, b->name) : NULL;
    if (party) {
      Diag *d = CHECK_DIAG(cx, E0105, b->name_span, b->name);
      diag_also(d, party->span, "defined here");
    }
    for (int k = 0; k < i; k++) {
      const Decl *a = m->decls.data[k];
      bool clash = named(a) && named(b) && a->name == b->name;
      bool spaces =
          (a->kind == DECL_FN) != (b->kind == DECL_FN); /* functions have a name space of their own */
      if (clash && !spaces) {
        check_pair(cx, a, b);
        break;
      }
    }
  }
}
