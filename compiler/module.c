/* Loading of modules (see module.h). A module is known by the file it was read from, so it is loaded once
 * however it is named. The search path: folder of the importing file, -I folders, the standard library (the
 * environment variable TFE_STDLIB, else where it was installed, else where it was built). */
#include "module.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TFE_STDLIB_DIR
#define TFE_STDLIB_DIR "stdlib"
#endif

struct Modules {
  Arena *arena;
  Diags *diags;
  const char *const *include_dirs;
  int include_count;
  const char *stdlib;
  VEC(Unit *) units;
  VEC(const char *) files;   /* real path of each unit */
  VEC(const char *) loading; /* files being loaded, outermost first */
  VEC(const Decl *) kinds;
  Unit *prelude;
};

static bool readable(const char *path) {
  return access(path, R_OK) == 0;
}

static const char *stdlib_folder(void) {
  const char *from_environment = getenv("TFE_STDLIB");
  if (from_environment && *from_environment)
    return from_environment;
#ifdef TFE_INSTALL_STDLIB
  if (!readable(TFE_STDLIB_DIR))
    return TFE_INSTALL_STDLIB;
#endif
  return TFE_STDLIB_DIR;
}

Modules *module_set(Arena *a, Diags *diags, const char *const *include_dirs, int include_count) {
  Modules *ms = ARENA_NEW(a, Modules);
  ms->arena = a;
  ms->diags = diags;
  ms->include_dirs = include_dirs;
  ms->include_count = include_count;
  ms->stdlib = stdlib_folder();
  return ms;
}

static const char *folder_of(Arena *a, const char *file) {
  const char *slash = strrchr(file, '/');
  return slash ? arena_printf(a, "%.*s", (int)(slash - file), file) : ".";
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static const char *real_path(Arena *a, const char *path) {
  char *real = realpath(path, NULL);
  const char *copy = real ? arena_printf(a, "%s", real) : path;
  free(real);
  return copy;
}

/* The file of module `name` ("nn.tfe"), or NULL. */
static const char *find_file(Modules *ms, const Unit *from, const char *name, bool *library) {
  *library = false;
  if (name[0] == '/')
    return readable(name) ? name : NULL;
  if (from) {
    const char *beside = arena_printf(ms->arena, "%s/%s", from->folder, name);
    if (readable(beside))
      return *library = from->is_library, beside;
  }
  for (int i = 0; i < ms->include_count; i++) {
    const char *path = arena_printf(ms->arena, "%s/%s", ms->include_dirs[i], name);
    if (readable(path))
      return path;
  }
  *library = true;
  const char *path = arena_printf(ms->arena, "%s/%s", ms->stdlib, name);
  if (readable(path))
    return path;
  path = arena_printf(ms->arena, "%s/model/%s", ms->stdlib, name); /* packaged models */
  return readable(path) ? path : NULL;
}

static Unit *load(Modules *ms, const char *file, bool library, Span at);

/* import nn; import nn as n; import "lib/tools.tfe" as tools */
static const char *file_name(Arena *a, const Decl *d) {
  const char *name = d->path ? d->path : d->name;
  size_t n = strlen(name);
  return n > 4 && strcmp(name + n - 4, ".tfe") == 0 ? name : arena_printf(a, "%s.tfe", name);
}

static void load_imports(Modules *ms, Unit *u) {
  for (int i = 0; i < u->ast->decls.count; i++) {
    const Decl *d = u->ast->decls.data[i];
    if (d->kind != DECL_IMPORT)
      continue;
    bool library;
    const char *file = find_file(ms, u, file_name(ms->arena, d), &library);
    if (!file) {
      Diag *m = diag_new(ms->diags, DIAG_E0122, d->span, d->path ? d->path : d->name);
      diag_note(m, "looked beside %s and in %s", u->ast->source->path, "the standard library");
    }
    Unit *imported = file ? load(ms, file, library, d->span) : NULL;
    VEC_PUSH(ms->arena, &u->imports, imported);
    VEC_PUSH(ms->arena, &u->import_decls, d);
  }
}

static Unit *add_unit(Modules *ms, const Source *source, const char *real, bool library, bool root) {
  Unit *u = ARENA_NEW(ms->arena, Unit);
  u->ast = ast_parse(ms->arena, ms->diags, source);
  u->folder = folder_of(ms->arena, source->file ? source->file : "");
  u->is_library = library;
  u->is_root = root;
  for (int i = 0; i < u->ast->decls.count; i++) {
    const Decl *d = u->ast->decls.data[i];
    if (d->kind == DECL_CONST || d->kind == DECL_PARAM)
      VEC_PUSH(ms->arena, &u->globals, ((Global){.decl = d}));
  }
  VEC_PUSH(ms->arena, &ms->units, u);
  VEC_PUSH(ms->arena, &ms->files, real);
  VEC_PUSH(ms->arena, &ms->loading, real);
  load_imports(ms, u);
  ms->loading.count--;
  return u;
}

static Unit *load(Modules *ms, const char *file, bool library, Span at) {
  const char *real = real_path(ms->arena, file);
  for (int i = 0; i < ms->loading.count; i++)
    if (strcmp(ms->loading.data[i], real) == 0) {
      Diag *m = diag_new(ms->diags, DIAG_E0123, at, base_name(file));
      diag_note(m, "modules are loaded from the leaves up, so a circle has no beginning");
      return NULL;
    }
  for (int i = 0; i < ms->files.count; i++)
    if (strcmp(ms->files.data[i], real) == 0)
      return ms->units.data[i];
  const char *error = NULL;
  Source *source = source_read(ms->arena, file, base_name(file), &error);
  if (!source) {
    diag_new(ms->diags, DIAG_E0124, at, base_name(file), error);
    return NULL;
  }
  Unit *u = add_unit(ms, source, real, library, false);
  if (u->ast->stmts.count)
    diag_new(ms->diags, DIAG_E0120, u->ast->stmts.data[0]->span);
  return u;
}

Unit *module_prelude(Modules *ms) {
  return ms->prelude;
}

Unit *module_root(Modules *ms, const Source *root) {
  const char *file = arena_printf(ms->arena, "%s/prelude.tfe", ms->stdlib);
  const char *real = real_path(ms->arena, file);
  bool is_prelude = root->file && strcmp(real_path(ms->arena, root->file), real) == 0;
  if (!is_prelude)
    ms->prelude = load(ms, file, true, (Span){0});
  Unit *u = add_unit(ms, root, root->file ? real_path(ms->arena, root->file) : root->path, false, true);
  if (is_prelude)
    ms->prelude = u;
  return u;
}

Unit *module_imported(const Unit *from, const char *alias, bool *found) {
  *found = false;
  for (int i = 0; i < from->import_decls.count; i++)
    if (from->import_decls.data[i]->name == alias) {
      *found = true;
      return from->imports.data[i];
    }
  return NULL;
}

bool module_importable(Modules *ms, const Unit *from, const char *name) {
  bool library;
  return find_file(ms, from, arena_printf(ms->arena, "%s.tfe", name), &library) != NULL;
}

Global *module_global(Unit *u, const char *name) {
  for (int i = 0; i < u->globals.count; i++)
    if (u->globals.data[i].decl->name == name)
      return &u->globals.data[i];
  return NULL;
}

int module_count(const Modules *ms) {
  return ms->units.count;
}

Unit *module_at(const Modules *ms, int i) {
  return ms->units.data[i];
}

/* ---- protocol kinds ------------------------------------------------------------------------------------ */

const Decl *module_kind(Modules *ms, const Unit *from, const char *name) {
  for (int i = 0; i < ms->kinds.count; i++)
    if (strcmp(ms->kinds.data[i]->name, name) == 0)
      return ms->kinds.data[i];
  bool library;
  const char *file = find_file(ms, from, arena_printf(ms->arena, "protocol/%s.tfe", name), &library);
  Unit *u = file ? load(ms, file, library, (Span){0}) : NULL;
  for (int i = 0; u && i < u->ast->decls.count; i++) {
    const Decl *d = u->ast->decls.data[i];
    if (d->kind == DECL_KIND && strcmp(d->name, name) == 0) {
      VEC_PUSH(ms->arena, &ms->kinds, d);
      return d;
    }
  }
  return NULL;
}

bool module_kind_has(const Decl *kind, const char *function) {
  for (int i = 0; i < kind->members.count; i++) {
    const Decl *m = kind->members.data[i];
    if (m->kind == DECL_FN && strcmp(m->name, function) == 0)
      return true;
  }
  return false;
}

bool module_parm_is_public(const Parm *p) {
  return p->type && p->type->visibility == VIS_PUBLIC;
}

/* How many arguments have to be made private first; -1: the function does not take them. */
static int lifts_for(const Decl *fn, const bool *is_public, int count) {
  int lifts = 0;
  if (fn->parms.count != count)
    return -1;
  for (int i = 0; i < count; i++) {
    const Parm *p = &fn->parms.data[i];
    bool takes_public = module_parm_is_public(p) && !p->at;
    if (takes_public && !is_public[i])
      return -1;
    lifts += is_public[i] && !takes_public && !p->at;
  }
  return lifts;
}

const Decl *module_kind_function(const Decl *kind, DeclKind what, const char *name, const bool *is_public,
                                 int count, int lifts) {
  const Decl *found = NULL;
  for (int i = 0; i < kind->members.count; i++) {
    const Decl *fn = kind->members.data[i];
    if (fn->kind != what || strcmp(fn->name, name) != 0)
      continue;
    int needed = lifts_for(fn, is_public, count);
    if (needed < 0 || needed > lifts)
      continue;
    found = fn;
    lifts = needed - 1; /* a later one must be better */
  }
  return found;
}

const Decl *module_kind_option(const Decl *kind, const char *option) {
  for (int i = 0; i < kind->members.count; i++) {
    const Decl *m = kind->members.data[i];
    if (m->kind == DECL_CONST && strcmp(m->name, option) == 0)
      return m;
  }
  return NULL;
}
