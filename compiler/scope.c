/* Frames and variables (see scope.h). */
#include "scope.h"

Frame *scope_frame(Arena *a, Frame *caller, Unit *unit, const Decl *fn, const Site *call) {
  Frame *f = ARENA_NEW(a, Frame);
  f->caller = caller;
  f->unit = unit;
  f->fn = fn;
  f->call = call;
  return f;
}

Var *scope_find(const Frame *f, const char *name) {
  for (int i = f->vars.count - 1; i >= 0; i--)
    if (f->vars.data[i]->name == name)
      return f->vars.data[i];
  return NULL;
}

Var *scope_find_in_block(const Frame *f, const char *name) {
  for (int i = f->vars.count - 1; i >= f->block; i--)
    if (f->vars.data[i]->name == name)
      return f->vars.data[i];
  return NULL;
}

Var *scope_add(Arena *a, Frame *f, const char *name, const Value *v, bool is_var) {
  Var *x = ARENA_NEW(a, Var);
  x->name = name;
  x->value = v;
  x->is_var = is_var;
  if (v)
    x->place = v->place;
  VEC_PUSH(a, &f->vars, x);
  return x;
}

int scope_enter(Frame *f) {
  int mark = f->block;
  f->block = f->vars.count;
  return mark;
}

void scope_leave(Frame *f, int mark) {
  f->vars.count = f->block;
  f->block = mark;
}

VarList scope_changeable(Arena *a, const Frame *f) {
  VarList list = {0};
  for (int i = 0; i < f->vars.count; i++)
    if (f->vars.data[i]->is_var)
      VEC_PUSH(a, &list, f->vars.data[i]);
  return list;
}
