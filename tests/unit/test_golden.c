/* Golden files: what the stages of the compiler print, and every message. One folder a stage:
 *
 *   tests/golden/parse/NAME.tfe   NAME.ast: the tree; NAME.err: the messages, if the name begins with bad_
 *   tests/golden/check/NAME.tfe   NAME.err: the messages; NAME.ir: the joint program. A file that is named after a
 *                                 message (E0301.tfe, W0601_more.tfe) shows that message, and has no NAME.ir. What
 *                                 checks goes on through expansion and the passes, which may have messages too
 *   tests/golden/ir/NAME.tfe      NAME.joint, NAME.ir (the choreography in its last form), NAME.explain;
 *                                 NAME.STAGE.before and NAME.STAGE.after for `#! pass=STAGE`: the choreography around
 *                                 one pass; NAME.PARTY for `#! party=PARTY`: that party's program
 *
 * A first line `#! ...` holds such options; others are -Dname=value, and `build` (the file is to be a program).
 * TFE_BLESS=1 in the environment rewrites the expectations; TFE_TESTS names another folder tests/. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler_fixture.h"

#include "check.h"
#include "cost.h"
#include "expand.h"
#include "rings.h"
#include "explain.h"
#include "pass.h"
#include "project.h"
#include "verify.h"

/* ---- texts --------------------------------------------------------------------------------------------- */

static const char *program_text(const Program *p) {
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  ir_print(p, out);
  fclose(out);
  return in_arena(text);
}

static const char *explain_text(const Program *p) {
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  explain_print(cost_of(p), p, &(ExplainOptions){0}, out);
  fclose(out);
  return in_arena(text);
}

static const char *contents(const char *file) {
  FILE *f = fopen(file, "rb");
  if (!f)
    return "";
  char *text = calloc(1, 1 << 20);
  size_t length = fread(text, 1, (1 << 20) - 1, f);
  (void)length;
  fclose(f);
  return in_arena(text);
}

/* An empty expectation is no file. Nothing in one depends on where the sources are. */
static bool agrees(const char *file, const char *text) {
  if (strstr(text, "/golden/")) {
    print_error("%s would contain a path of this machine:\n%s", file, text);
    return false;
  }
  if (getenv("TFE_BLESS")) {
    FILE *f = *text ? fopen(file, "wb") : NULL;
    if (!f)
      return remove(file), true;
    fputs(text, f);
    fclose(f);
    return true;
  }
  if (strcmp(contents(file), text) == 0)
    return true;
  print_error("%s differs; now it is:\n%s", file, text);
  return false;
}

/* ---- folders ------------------------------------------------------------------------------------------- */

static const char *golden(const char *folder) {
  const char *tests = getenv("TFE_TESTS") ? getenv("TFE_TESTS") : TFE_TEST_DIR;
  return arena_printf(arena, "%s/golden/%s", tests, folder);
}

static int is_program(const struct dirent *d) {
  size_t n = strlen(d->d_name);
  return n > 4 && strcmp(d->d_name + n - 4, ".tfe") == 0;
}

static int is_messages(const struct dirent *d) {
  size_t n = strlen(d->d_name);
  return n > 4 && strcmp(d->d_name + n - 4, ".err") == 0;
}

/* stem: the path without .tfe */
typedef bool (*GoldenTest)(const Source *s, const char *stem, const char *name);

static void each_program(const char *folder, int least, GoldenTest test) {
  struct dirent **list;
  int count = scandir(golden(folder), &list, is_program, alphasort), differing = 0;
  assert_true(count >= least);
  for (int i = 0; i < count; i++) {
    const char *error, *name = arena_intern_z(arena, list[i]->d_name);
    const char *path = arena_printf(arena, "%s/%s", golden(folder), name);
    Source *s = source_read(arena, path, name, &error);
    assert_non_null(s);
    diags = diag_create(arena);
    differing += !test(s, arena_printf(arena, "%.*s", (int)strlen(path) - 4, path), name);
    free(list[i]);
  }
  free(list);
  assert_int_equal(differing, 0);
}

/* ---- options ------------------------------------------------------------------------------------------- */

enum { WORDS_MAX = 8 };

typedef struct Words {
  int count;
  const char *word[WORDS_MAX];
} Words;

static Words words_of(const Source *s) {
  Words w = {0};
  if (strncmp(s->text, "#! ", 3) != 0)
    return w;
  char *line = arena_printf(arena, "%.*s", (int)strcspn(s->text, "\n"), s->text), *rest = NULL;
  for (char *word = strtok_r(line + 3, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    assert_true(w.count < WORDS_MAX);
    w.word[w.count++] = word;
  }
  return w;
}

/* The value of word `name=...` number i on; NULL: it is another one. */
static const char *value_of_word(const Words *w, int i, const char *name) {
  size_t n = strlen(name);
  return strncmp(w->word[i], name, n) == 0 ? w->word[i] + n : NULL;
}

static CheckOptions check_options(const Words *w) {
  const char **defines = ARENA_ARRAY(arena, const char *, WORDS_MAX);
  CheckOptions o = {.defines = defines};
  for (int i = 0; i < w->count; i++) {
    const char *define = value_of_word(w, i, "-D");
    if (define)
      defines[o.define_count++] = define;
    o.needs_party = o.needs_party || strcmp(w->word[i], "build") == 0;
  }
  return o;
}

static Program *checked(const Source *s, const Words *w) {
  CheckOptions options = check_options(w);
  Program *p = check_program(arena, diags, s, &options);
  const char *wrong = p ? verify_find(p, VERIFY_JOINT) : NULL;
  if (wrong)
    fail_msg("%s: %s", s->path, wrong);
  return p;
}

/* ---- parser -------------------------------------------------------------------------------------------- */

static bool parse_one(const Source *s, const char *stem, const char *name) {
  const Module *m = ast_parse(arena, diags, s);
  bool errors = strncmp(name, "bad_", 4) == 0;
  if ((diag_error_count(diags) > 0) != errors)
    fail_msg("%s: %d errors\n%s", name, diag_error_count(diags), messages());
  bool good = agrees(arena_printf(arena, "%s.err", stem), messages());
  return agrees(arena_printf(arena, "%s.ast", stem), tree_text(m)) && good;
}

static void trees(void **state) {
  (void)state;
  each_program("parse", 20, parse_one);
}

/* ---- checker ------------------------------------------------------------------------------------------- */

static bool is_code(const char *name, char level) {
  return name[0] == level && strspn(name + 1, "0123456789") == 4;
}

static bool check_one(const Source *s, const char *stem, const char *name) {
  Words w = words_of(s);
  Program *joint = checked(s, &w);
  Program *choreography = joint && rings_choose(arena, diags, joint) ? expand_program(arena, diags, joint) : NULL;
  if (choreography)
    passes_run(choreography, NULL, NULL);
  const char *said = messages();
  bool good = agrees(arena_printf(arena, "%s.err", stem), said);
  if (is_code(name, 'E') || is_code(name, 'W')) {
    if ((choreography == NULL) != (name[0] == 'E') || !strstr(said, arena_printf(arena, "[%.5s]", name))) {
      print_error("%s does not show %.5s:\n%s", name, name, said);
      return false;
    }
    return good;
  }
  return agrees(arena_printf(arena, "%s.ir", stem), choreography ? program_text(joint) : "") && good;
}

static void joint_programs_and_messages(void **state) {
  (void)state;
  each_program("check", 80, check_one);
}

/* ---- choreographies ------------------------------------------------------------------------------------ */

typedef struct Dumps {
  const Words *words;
  const char *stem, *before; /* the choreography before the next pass */
  int shown;
  bool good;
} Dumps;

static void dump_stage(const Program *p, const char *stage, void *data) {
  Dumps *d = data;
  const char *after = program_text(p);
  for (int i = 0; i < d->words->count; i++) {
    const char *wanted = value_of_word(d->words, i, "pass=");
    if (!wanted || strcmp(wanted, stage) != 0)
      continue;
    d->shown++;
    if (strcmp(d->before, after) == 0) {
      print_error("%s: pass %s does nothing\n", d->stem, stage);
      d->good = false;
    }
    d->good = agrees(arena_printf(arena, "%s.%s.before", d->stem, stage), d->before) && d->good;
    d->good = agrees(arena_printf(arena, "%s.%s.after", d->stem, stage), after) && d->good;
  }
  d->before = after;
}

static bool project_one(const Program *p, const char *name, const char *stem) {
  for (int i = 0; i < p->parties.count; i++) {
    if (strcmp(p->parties.data[i].name, name) != 0)
      continue;
    Program *party = project(p, i);
    verify(party, VERIFY_PARTY);
    return agrees(arena_printf(arena, "%s.%s", stem, name), program_text(party));
  }
  print_error("%s has no party %s\n", stem, name);
  return false;
}

static bool choreography_one(const Source *s, const char *stem, const char *name) {
  Words w = words_of(s);
  Program *joint = checked(s, &w), *p = joint && rings_choose(arena, diags, joint) ? expand_program(arena, diags, joint) : NULL;
  const char *said = messages();
  if (!p)
    fail_msg("%s: %s", name, said);
  Dumps d = {.words = &w, .stem = stem, .before = program_text(p), .good = true};
  d.good = agrees(arena_printf(arena, "%s.joint", stem), program_text(joint));
  passes_run(p, dump_stage, &d);
  d.good = agrees(arena_printf(arena, "%s.ir", stem), program_text(p)) && d.good;
  d.good = agrees(arena_printf(arena, "%s.explain", stem), explain_text(p)) && d.good;
  for (int i = 0; i < w.count; i++) {
    const char *party = value_of_word(&w, i, "party=");
    d.shown -= value_of_word(&w, i, "pass=") != NULL;
    d.good = (!party || project_one(p, party, stem)) && d.good;
  }
  assert_int_equal(d.shown, 0); /* every pass that was named exists */
  return d.good;
}

static void choreographies(void **state) {
  (void)state;
  each_program("ir", 10, choreography_one);
}

static bool mentions(const char *folder, const char *part) {
  struct dirent **list;
  int count = scandir(golden(folder), &list, is_program, alphasort);
  bool found = false;
  for (int i = 0; i < count; i++) {
    const char *text = contents(arena_printf(arena, "%s/%s", golden(folder), list[i]->d_name));
    found = found || strstr(text, part);
    free(list[i]);
  }
  free(list);
  return found;
}

static void note_stage(const Program *p, const char *stage, void *data) {
  (void)p;
  const char *part = arena_printf(arena, "pass=%s", stage);
  if (!mentions("ir", part)) {
    print_error("no golden file shows pass %s\n", stage);
    *(int *)data += 1;
  }
}

static void every_pass_is_shown(void **state) {
  (void)state;
  CheckOptions none = {0};
  const char *text = "party a\nprint(1)\n";
  int missing = 0;
  Program *joint = check_program(arena, diags, source_text(arena, "t.tfe", text, strlen(text)), &none);
  passes_run(expand_program(arena, diags, joint), note_stage, &missing);
  assert_int_equal(missing, 0);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

/* Messages of what the language has and this version does not: nothing gives them yet. */
static const char *const not_yet[] = {
    "E0412", "W0603", /* protocol blocks of different kinds inside each other */
    "W0612",          /* a choice of truncations */
};

static bool is_listed(const char *code) {
  for (size_t i = 0; i < sizeof not_yet / sizeof *not_yet; i++)
    if (strcmp(not_yet[i], code) == 0)
      return true;
  return false;
}

static const char *all_messages(void) {
  static const char *const folders[] = {"parse", "check"};
  const char *all = "";
  for (int f = 0; f < 2; f++) {
    struct dirent **list;
    int count = scandir(golden(folders[f]), &list, is_messages, alphasort);
    for (int i = 0; i < count; i++) {
      all = arena_printf(arena, "%s%s", all,
                         contents(arena_printf(arena, "%s/%s", golden(folders[f]), list[i]->d_name)));
      free(list[i]);
    }
    free(list);
  }
  return all;
}

static void every_message_is_shown(void **state) {
  (void)state;
  static const char *const codes[] = {
#define DIAG(code, level, sentence, page) #code,
#include "diag.def"
#undef DIAG
  };
  const char *all = all_messages();
  int wrong = 0;
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    bool shown = strstr(all, arena_printf(arena, "[%s]", codes[i])) != NULL;
    if (shown != is_listed(codes[i]))
      continue;
    print_error(shown ? "%s is listed as impossible and has a golden file\n" : "no golden file shows %s\n",
                codes[i]);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(trees),
      TEST(joint_programs_and_messages),
      TEST(choreographies),
      TEST(every_pass_is_shown),
      TEST(every_message_is_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
