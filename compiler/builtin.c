/* The builtin functions: their table, and their arguments (builtin.h). */
#include "builtin.h"

#include <assert.h>
#include <inttypes.h>

struct Builtin {
  const char *name, *parameters;
  BuiltinHandler *handler;
};

/* ---- arguments ----------------------------------------------------------------------------------------- */

const Expr *arg_expr(const Bound *b, int i) {
  return b->arg[i] ? b->arg[i]->expr : NULL;
}

const Value *arg_value(Checker *cx, const CallArg *a, const Type *want) {
  const Value *v = a->value ? a->value : check_expr(cx, a->expr, want);
  v = check_operand(cx, v, a->expr);
  if (v->kind == VAL_VOID) {
    CHECK_DIAG(cx, E0217, a->expr->span);
    return &value_poison;
  }
  return v;
}

const Value *arg_needs(Checker *cx, const Bound *b, const CallArg *a, const char *what, const Value *v) {
  CHECK_DIAG(cx, E0219, a->expr->span, b->name, what, value_type_text(cx->arena, v));
  return &value_poison;
}

const Value *arg_tensor(Checker *cx, const Bound *b, int i) {
  const Value *v = arg_value(cx, b->arg[i], NULL);
  return v->kind == VAL_TENSOR || v->kind == VAL_POISON ? v : arg_needs(cx, b, b->arg[i], "a tensor", v);
}

const Value *arg_number(Checker *cx, const Bound *b, int i) {
  const Value *v = arg_tensor(cx, b, i);
  return v->kind == VAL_TENSOR && v->elem == EL_BOOL ? arg_needs(cx, b, b->arg[i], "numbers", v) : v;
}

const Value *arg_bool(Checker *cx, const Bound *b, int i) {
  const Value *v = arg_tensor(cx, b, i);
  return v->kind == VAL_TENSOR && v->elem != EL_BOOL ? arg_needs(cx, b, b->arg[i], "bools", v) : v;
}

const Value *arg_int(Checker *cx, const Bound *b, int i) {
  const Value *v = arg_tensor(cx, b, i);
  if (v->kind != VAL_TENSOR)
    return v;
  if (v->elem != EL_INT || v->shape.rank != 0)
    return arg_needs(cx, b, b->arg[i], "an int", v);
  if (v->place.kind == PLACE_PRIVATE) {
    Diag *d = CHECK_DIAG(cx, E0303, b->arg[i]->expr->span);
    diag_label(d, "%s", check_place_text(cx, v, true));
    return &value_poison;
  }
  return v;
}

bool arg_known(Checker *cx, const Bound *b, int i, const char *what, int64_t *out) {
  const Value *v = arg_int(cx, b, i);
  return v->kind == VAL_TENSOR && check_const_int(cx, v, b->arg[i]->expr, what, out);
}

const char *arg_string(Checker *cx, const Bound *b, int i) {
  const Value *v = arg_value(cx, b->arg[i], NULL);
  if (v->kind == VAL_STRING)
    return v->text;
  if (v->kind != VAL_POISON)
    arg_needs(cx, b, b->arg[i], "a string", v);
  return NULL;
}

bool arg_dims(Checker *cx, const Bound *b, Shape *out) {
  *out = (Shape){0};
  if (b->rest_count > MAX_RANK) {
    CHECK_DIAG(cx, E0221, b->at, arena_printf(cx->arena, "more than %d axes", MAX_RANK));
    return false;
  }
  for (int i = 0; i < b->rest_count; i++) {
    const Value *v = arg_value(cx, b->rest[i], NULL);
    int64_t n;
    if (!check_const_int(cx, v, b->rest[i]->expr, "the size of a tensor", &n))
      return false;
    if (n < 0) {
      CHECK_DIAG(cx, E0221, b->rest[i]->expr->span, "a size is negative");
      return false;
    }
    out->dim[out->rank++] = n;
  }
  return true;
}

bool arg_axis(Checker *cx, const Bound *b, int i, const Value *x, int64_t *axis) {
  *axis = -1;
  if (!b->arg[i])
    return true;
  if (!arg_known(cx, b, i, "an axis", axis))
    return false;
  if (*axis >= 0 && *axis < x->shape.rank)
    return true;
  CHECK_DIAG(cx, E0212, b->arg[i]->expr->span, arena_printf(cx->arena, "%" PRId64, *axis),
             value_type_text(cx->arena, x));
  return false;
}

const Value *arg_clash(Checker *cx, const Bound *b, const Value *x, const Value *y, int64_t left,
                       int64_t right) {
  Diag *d = CHECK_DIAG(cx, E0202, b->at, shape_text(cx->arena, &x->shape), shape_text(cx->arena, &y->shape));
  diag_label(d, "sizes %" PRId64 " and %" PRId64 " do not match", left, right);
  diag_note(d, "shapes are lined up from the right; a size matches an equal size, or 1");
  return &value_poison;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static const Builtin table[] = {
#define BUILTIN(name, parameters, doc) {#name, parameters, builtin_##name},
#include "builtins.def"
#undef BUILTIN
};

enum { COUNT = sizeof table / sizeof *table };

const Builtin *builtin_find(const char *name) {
  for (int i = 0; i < COUNT; i++)
    if (strcmp(table[i].name, name) == 0)
      return &table[i];
  return NULL;
}

int builtin_total(void) {
  return COUNT;
}

const char *builtin_name(int i) {
  return table[i].name;
}

/* One parameter of a row: its name, and what kind. */
typedef struct Parameter {
  char name[24];
  bool optional, rest;
} Parameter;

static int parameters_of(const Builtin *b, Parameter *out) {
  int n = 0;
  for (const char *p = b->parameters; *p; n++) {
    const char *end = strchr(p, ',');
    size_t length = end ? (size_t)(end - p) : strlen(p);
    size_t name = strcspn(p, " .,=");
    assert(n < MOST_PARAMETERS && name < sizeof out[n].name);
    memcpy(out[n].name, p, name);
    out[n].name[name] = 0;
    out[n].optional = memchr(p, '=', length) != NULL;
    out[n].rest = length > 3 && strncmp(p + name, "...", 3) == 0;
    p += length;
    while (*p == ',' || *p == ' ')
      p++;
  }
  return n;
}

static bool bind(Checker *cx, const Builtin *builtin, const Call *call, Bound *b) {
  Parameter p[MOST_PARAMETERS];
  int n = parameters_of(builtin, p), next = 0;
  *b = (Bound){.name = builtin->name,
               .call = call,
               .at = call->expr->span,
               .rest = ARENA_ARRAY(cx->arena, const CallArg *, call->count + 1)};
  for (int i = 0; i < call->count; i++) {
    const CallArg *a = &call->args[i];
    int k = next;
    if (a->name)
      for (k = 0; k < n && (strcmp(p[k].name, a->name) != 0 || p[k].rest); k++)
        ;
    if (a->name && k == n) {
      const char *names[MOST_PARAMETERS];
      for (int j = 0; j < n; j++)
        names[j] = p[j].name;
      check_unknown_parameter(cx, builtin->name, a, names, n);
      return false;
    }
    if (k < n && p[k].rest) {
      b->rest[b->rest_count++] = a;
      continue;
    }
    if (k >= n) {
      CHECK_DIAG(cx, E0128, call->expr->span, builtin->name,
                 arena_printf(cx->arena, "%d argument%s", n, n == 1 ? "" : "s"),
                 arena_printf(cx->arena, "%d", call->count));
      return false;
    }
    if (b->arg[k]) {
      CHECK_DIAG(cx, E0126, a->expr->span, p[k].name);
      return false;
    }
    b->arg[k] = a;
    next += !a->name;
  }
  for (int k = 0; k < n; k++)
    if (!b->arg[k] && !p[k].optional && !p[k].rest) {
      CHECK_DIAG(cx, E0127, call->expr->span, builtin->name, p[k].name);
      return false;
    }
  return true;
}

const Value *builtin_call(Checker *cx, const Builtin *builtin, const Call *call, const Type *want) {
  Bound b;
  if (!bind(cx, builtin, call, &b))
    return &value_poison;
  b.want = want;
  return builtin->handler(cx, &b);
}
