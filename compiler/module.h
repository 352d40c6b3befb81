/* Modules: files, loaded once each, found beside the importing file, in the -I folders, in the standard
 * library. */
#ifndef TFEC_MODULE_H
#define TFEC_MODULE_H

#include "ast.h"

typedef struct Modules Modules;
typedef struct Unit Unit;

/* What a module-level `const` or `param` turned out to be; kept by the checker. */
typedef struct Global {
  const Decl *decl;
  const struct Value *value; /* NULL: not yet known */
  bool busy;                 /* being evaluated: a cycle if it is needed again */
} Global;

struct Unit {
  const Module *ast;
  const char *folder;       /* where its imports are looked for first */
  bool is_root, is_library; /* is_library: found in the standard library */
  VEC(Global) globals;      /* const and param declarations */
  VEC(Unit *) imports;      /* in the order of the import declarations; NULL: could not be loaded */
  VEC(const Decl *) import_decls;
};

Modules *module_set(Arena *a, Diags *diags, const char *const *include_dirs, int include_count);
/* The program's file and everything it imports, and the prelude. */
Unit *module_root(Modules *ms, const Source *root);
Unit *module_prelude(Modules *ms);
/* Module `alias` as imported by `from`; NULL if there is no such import. *found: there was, but it failed
 * to load. */
Unit *module_imported(const Unit *from, const char *alias, bool *found);

/* `import NAME` would find a file. */
bool module_importable(Modules *ms, const Unit *from, const char *name);
/* A const or param; NULL: there is none. */
Global *module_global(Unit *u, const char *name);

/* The DECL_KIND of a protocol kind, from protocol/<name>.tfe; NULL if there is no such file. */
const Decl *module_kind(Modules *ms, const Unit *from, const char *name);
bool module_kind_has(const Decl *kind, const char *function);
/* The parameter is written `x: public`. */
bool module_parm_is_public(const Parm *p);
/* The function of a kind that takes `count` such arguments: `x: public` a tensor that everybody has, `x at p` any,
 * the others what is not public, or a public tensor that is made private first. The first of those that need the
 * fewest made private, and at most `lifts`. NULL: there is none. */
const Decl *module_kind_function(const Decl *kind, DeclKind what, const char *name, const bool *is_public,
                                 int count, int lifts);
const Decl *module_kind_option(const Decl *kind, const char *option);
/* All loaded modules, for passes over declarations. */
int module_count(const Modules *ms);
Unit *module_at(const Modules *ms, int i);

#endif
