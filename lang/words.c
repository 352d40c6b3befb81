/* words: writes what the tables say into files that cannot include C: the editors' word lists and the tables
 * of the reference.
 *
 *   words [--check] FILE...
 *
 * A line of a file that holds `words: NAME` stands before a generated part:
 *
 *   .json   "comment": "words: CONTROL", before a line "match": "\\b(?:break|...)\\b"
 *   .vim    a comment `words: CONTROL tfeControl [contained]` before a line `syn keyword tfeControl [contained] break ...`
 *   .md     a comment `words: keywords` before a table, which goes to the comment `end`
 *
 * NAME is a group of keywords.def, or BUILTIN; in .md a table's name, or a module's of the standard library: its
 * structs and functions with their ## comments. With --check nothing is written: the exit code is 1 if a file is not
 * what would be written. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Keyword {
  const char *text, *group, *doc;
} Keyword;

static const Keyword keywords[] = {
#define KEYWORD(text, token, group, doc) {text, #group, doc},
#include "keywords.def"
#undef KEYWORD
};

typedef struct Builtin {
  const char *name, *parameters, *doc;
} Builtin;

static const Builtin builtins[] = {
#define BUILTIN(name, parameters, doc) {#name, parameters, doc},
#include "../compiler/builtins.def"
#undef BUILTIN
};

typedef struct Row {
  const char *code, *kind, *text;
} Row;

static const Row operations[] = {
#define OP(id, name, args, class, shape, doc) {name, #class, doc},
#include "ops.def"
#undef OP
};

#define DIAG_PAGE(meaning, wrong, right) ""
static const Row diagnostics[] = {
#define DIAG(code, level, sentence, page) {#code, #level, sentence},
#include "../compiler/diag.def"
#undef DIAG
};

static const Row statuses[] = {
#define STATUS(id, code, exit, page) {code, #exit, page},
#include "../runtime/status.def"
#undef STATUS
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- text that grows ------------------------------------------------------------------------------- */

typedef struct Text {
  char *data;
  size_t length, capacity;
} Text;

static void text_add(Text *t, const char *from, size_t length) {
  if (t->length + length + 1 > t->capacity) {
    t->capacity = 2 * (t->length + length) + 64;
    t->data = realloc(t->data, t->capacity);
    if (!t->data)
      abort();
  }
  if (length)
    memcpy(t->data + t->length, from, length);
  t->length += length;
  t->data[t->length] = 0;
}

static void text_put(Text *t, const char *from) {
  text_add(t, from, strlen(from));
}

static bool text_read(Text *t, const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f)
    return false;
  char chunk[4096];
  for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
    text_add(t, chunk, n);
  bool good = !ferror(f);
  fclose(f);
  text_add(t, "", 0);
  return good;
}

/* ---- word lists ------------------------------------------------------------------------------------ */

/* Calls add for each word of a group; how many there are. */
static size_t each_word(const char *group, void (*add)(Text *, const char *, size_t), Text *out) {
  size_t n = 0;
  if (strcmp(group, "BUILTIN") == 0)
    for (; n < COUNT(builtins); n++)
      add(out, builtins[n].name, n);
  else
    for (size_t i = 0; i < COUNT(keywords); i++)
      if (strcmp(keywords[i].group, group) == 0)
        add(out, keywords[i].text, n++);
  return n;
}

static void add_alternative(Text *out, const char *word, size_t n) {
  text_put(out, n ? "|" : "");
  text_put(out, word);
}

static void add_blank(Text *out, const char *word, size_t n) {
  (void)n;
  text_put(out, " ");
  text_put(out, word);
}

static size_t list_json(Text *out, const char *group) {
  text_put(out, "\"match\": \"\\\\b(?:");
  size_t n = each_word(group, add_alternative, out);
  text_put(out, strcmp(group, "BUILTIN") == 0 ? ")(?=\\\\s*\\\\()\"" : ")\\\\b\"");
  return n;
}

static size_t list_vim(Text *out, const char *group, const char *highlight) {
  text_put(out, "syn keyword ");
  text_put(out, highlight);
  return each_word(group, add_blank, out);
}

/* ---- tables ---------------------------------------------------------------------------------------- */

/* A table cell: no line break, no bar; holes of a printf format become an ellipsis. */
static void cell(Text *out, const char *from, bool is_format) {
  text_put(out, " ");
  for (; *from; from++) {
    if (is_format && *from == '%') {
      from++;
      text_put(out, *from == '%' ? "%" : "…");
    } else if (*from == '|') {
      text_put(out, "\\|");
    } else {
      text_add(out, *from == '\n' ? " " : from, 1);
    }
  }
  text_put(out, " |");
}

static void code_cell(Text *out, const char *from) {
  text_put(out, " `");
  text_put(out, from);
  text_put(out, "` |");
}

static void head(Text *out, const char *titles, int columns) {
  text_put(out, titles);
  text_put(out, "\n|");
  for (int i = 0; i < columns; i++)
    text_put(out, "---|");
  text_put(out, "\n");
}

static void table_keywords(Text *out) {
  head(out, "| word | meaning |", 2);
  for (size_t i = 0; i < COUNT(keywords); i++) {
    text_put(out, "|");
    code_cell(out, keywords[i].text);
    cell(out, keywords[i].doc, false);
    text_put(out, "\n");
  }
}

static void table_builtins(Text *out) {
  head(out, "| function | meaning |", 2);
  for (size_t i = 0; i < COUNT(builtins); i++) {
    text_put(out, "| `");
    text_put(out, builtins[i].name);
    text_put(out, "(");
    text_put(out, builtins[i].parameters);
    text_put(out, ")` |");
    cell(out, builtins[i].doc, false);
    text_put(out, "\n");
  }
}

static void table_operations(Text *out) {
  head(out, "| operation | class | meaning |", 3);
  for (size_t i = 0; i < COUNT(operations); i++) {
    text_put(out, "|");
    code_cell(out, operations[i].code);
    cell(out, operations[i].kind, false);
    cell(out, operations[i].text, false);
    text_put(out, "\n");
  }
}

static void table_diagnostics(Text *out) {
  head(out, "| code | message |", 2);
  for (size_t i = 0; i < COUNT(diagnostics); i++) {
    text_put(out, "|");
    cell(out, diagnostics[i].code, false);
    cell(out, diagnostics[i].text, true);
    text_put(out, "\n");
  }
}

static void table_statuses(Text *out) {
  head(out, "| code | exit code | meaning |", 3);
  for (size_t i = 0; i < COUNT(statuses); i++) {
    text_put(out, "|");
    cell(out, statuses[i].code, false);
    cell(out, statuses[i].kind, false);
    cell(out, statuses[i].text, false);
    text_put(out, "\n");
  }
}

static const char *next_line(const char *at) {
  const char *end = strchr(at, '\n');
  return end ? end + 1 : at + strlen(at);
}

/* What is declared from `at` on, on one line: a function up to its body, a struct with its fields. */
static void declaration(Text *out, const char *at, bool function) {
  const char *end = at + strcspn(at, function ? "{" : "}");
  Text code = {0};
  for (; at < end; at++) {
    const char last = code.length ? code.data[code.length - 1] : ' ';
    if (*at == '\n')
      text_put(&code, function || last == '{' ? " " : ";");
    else if (*at != ' ' || !strchr(" [(", last))
      text_add(&code, at, 1);
  }
  for (; code.length && strchr(" ;", code.data[code.length - 1]); code.length--)
    code.data[code.length - 1] = 0;
  text_put(&code, function ? "" : " }");
  code_cell(out, code.data);
  free(code.data);
}

static bool module_read(Text *file, const char *name) {
  static const char *const folders[] = {"", "model/"};
  char path[1024];
  for (size_t i = 0; i < COUNT(folders); i++) {
    snprintf(path, sizeof path, "%s/%s%s.tfe", TFE_STDLIB, folders[i], name);
    if (text_read(file, path))
      return true;
  }
  return false;
}

/* What has a ## comment, in the order of the file. */
static bool table_module(Text *out, const char *name) {
  Text file = {0}, doc = {0};
  if (!module_read(&file, name))
    return false;
  head(out, "| declaration | meaning |", 2);
  for (const char *at = file.data; *at; at = next_line(at)) {
    if (strncmp(at, "##", 2) == 0) {
      size_t blank = strspn(at, "# ");
      text_put(&doc, doc.length && at[blank] != '\n' ? " " : "");
      text_add(&doc, at + blank, strcspn(at + blank, "\n"));
      continue;
    }
    bool function = strncmp(at, "fn ", 3) == 0;
    if (doc.length && (function || strncmp(at, "struct ", 7) == 0)) {
      text_put(out, "|");
      declaration(out, function ? at + 3 : at, function);
      cell(out, doc.data, false);
      text_put(out, "\n");
    }
    doc.length = 0;
  }
  free(file.data);
  free(doc.data);
  return true;
}

static const struct {
  const char *name;
  void (*print)(Text *);
} tables[] = {
    {"keywords", table_keywords},       {"builtins", table_builtins}, {"operations", table_operations},
    {"diagnostics", table_diagnostics}, {"statuses", table_statuses},
};

static bool list_table(Text *out, const char *name) {
  for (size_t i = 0; i < COUNT(tables); i++)
    if (strcmp(tables[i].name, name) == 0) {
      tables[i].print(out);
      return true;
    }
  return table_module(out, name);
}

/* ---- files ----------------------------------------------------------------------------------------- */

static bool has_ending(const char *path, const char *ending) {
  size_t n = strlen(path), m = strlen(ending);
  return n >= m && strcmp(path + n - m, ending) == 0;
}

/* Copies the line at `at` and, if a generated part follows it, makes that part. Returns where the old text
 * goes on; NULL: a mistake in the file. */
static const char *convert_line(const char *path, const char *at, Text *out) {
  const char *rest = next_line(at);
  const char *mark = strstr(at, "words: ");
  text_add(out, at, (size_t)(rest - at));
  if (!mark || mark >= rest)
    return rest;
  char name[64] = "", highlight[64] = "";
  int words = sscanf(mark + strlen("words: "), "%63[A-Za-z]%*[ ]%63[A-Za-z ]", name, highlight);
  bool table = has_ending(path, ".md");
  size_t n = 0;
  if (words > 0 && table) {
    n = list_table(out, name);
    const char *end = strstr(rest, "<!-- end -->");
    rest = end ? end : NULL;
  } else if (words > 0) {
    text_add(out, at, strspn(at, " "));
    n = has_ending(path, ".json") ? list_json(out, name) : list_vim(out, name, highlight);
    text_put(out, "\n");
    rest = next_line(rest);
  }
  if (n > 0 && rest)
    return rest;
  fprintf(stderr, "words: %s: nothing is known about `words: %s`, or its end is missing\n", path, name);
  return NULL;
}

static bool write_file(const char *path, const Text *t) {
  FILE *f = fopen(path, "wb");
  bool good = f && fwrite(t->data, 1, t->length, f) == t->length;
  if (f && fclose(f) != 0)
    good = false;
  if (!good)
    perror(path);
  return good;
}

static bool convert(const char *path, bool check) {
  Text before = {0}, after = {0};
  bool good = text_read(&before, path);
  if (!good)
    perror(path);
  for (const char *at = before.data; good && at && *at;) {
    at = convert_line(path, at, &after);
    good = at != NULL;
  }
  bool same = good && before.length == after.length && memcmp(before.data, after.data, before.length) == 0;
  if (good && check && !same) {
    fprintf(stderr, "words: %s is out of date: run `words %s`\n", path, path);
    good = false;
  } else if (good && !same) {
    good = write_file(path, &after);
  }
  free(before.data);
  free(after.data);
  return good;
}

int main(int argc, char **argv) {
  bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
  bool good = argc > 1 + check;
  if (!good)
    fputs("usage: words [--check] FILE...\n", stderr);
  for (int i = 1 + check; i < argc; i++)
    good = convert(argv[i], check) && good;
  return good ? 0 : 1;
}
