/* Messages about the user's program: gathering, ordering, and printing as text, JSON lines or SARIF.
 *
 * The text form follows GNU and Rust habits: `file:line:col: level[CODE]: sentence`, the lines of source with
 * the labels under them, then notes and helps. A line with several labels is drawn as
 *
 *     6 |   let y = x @ w
 *       |           - ^ - [10, 1]
 *       |             20 and 10 must be equal
 *       |           [100, 20]
 *
 * that is, one line of marks ending in the label of the rightmost, and the other labels below, from right
 * to left. Columns are characters; a tab is drawn as one space so that they stay true. A span over several
 * lines is drawn on its first. Messages are kept until diag_flush, sorted by file and line, equal ones
 * printed once. */
#include "diag.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "vec.h"

enum { MAX_ERRORS = 20 };

typedef enum Level { ERROR, WARNING } Level;

typedef struct Row {
  const char *code;
  Level level;
  const char *sentence, *page;
} Row;

static const Row rows[DIAG_COUNT] = {
#define DIAG(code, level, sentence, page) {#code, level, sentence, page},
#include "diag.def"
#undef DIAG
};

typedef struct Label {
  Span at;
  const char *text; /* "" draws the marks alone */
} Label;

typedef VEC(const char *) Texts;

struct Diag {
  Arena *arena;
  DiagCode code;
  Level level;
  bool silent; /* a warning that is switched off */
  Span at;
  const char *message;
  const char *label; /* of the primary span, or NULL */
  VEC(Label) also;
  Texts notes, helps;
};

struct Diags {
  Arena *arena;
  VEC(Diag *) list;
  int printed; /* list[0 .. printed) has been flushed */
  int errors;
  int errors_printed, errors_dropped;
  bool off[DIAG_COUNT];
  bool warnings_are_errors;
};

/* Longest line that is shown whole, else how much of it; longest text of a note or label. */
enum { LINE_WHOLE = 400, LINE_BEFORE = 60, LINE_PART = 160, TEXT_LONGEST = 800 };

/* ---- building ------------------------------------------------------------------------------------------ */

Diags *diag_create(Arena *a) {
  Diags *ds = ARENA_NEW(a, Diags);
  ds->arena = a;
  return ds;
}

/* What quotes a name or an expression of thousands of letters is cut. */
static const char *short_text(Arena *a, const char *format, va_list args) {
  char *text = arena_vprintf(a, format, args);
  if (strlen(text) <= TEXT_LONGEST)
    return text;
  int end = TEXT_LONGEST;
  while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
    end--;
  return arena_printf(a, "%.*s...", end, text);
}

Diag *diag_new(Diags *ds, DiagCode code, Span at, ...) {
  Diag *d = ARENA_NEW(ds->arena, Diag);
  d->arena = ds->arena;
  d->code = code;
  d->at = at;
  d->level = ds->warnings_are_errors ? ERROR : rows[code].level;
  d->silent = rows[code].level == WARNING && ds->off[code];
  va_list args;
  va_start(args, at);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  d->message = short_text(ds->arena, rows[code].sentence, args);
#pragma GCC diagnostic pop
  va_end(args);
  VEC_PUSH(ds->arena, &ds->list, d);
  ds->errors += d->level == ERROR && !d->silent;
  return d;
}

void diag_label(Diag *d, const char *format, ...) {
  va_list args;
  va_start(args, format);
  d->label = short_text(d->arena, format, args);
  va_end(args);
}

void diag_also(Diag *d, Span at, const char *format, ...) {
  va_list args;
  va_start(args, format);
  Label label = {at, short_text(d->arena, format, args)};
  va_end(args);
  VEC_PUSH(d->arena, &d->also, label);
}

void diag_note(Diag *d, const char *format, ...) {
  va_list args;
  va_start(args, format);
  VEC_PUSH(d->arena, &d->notes, short_text(d->arena, format, args));
  va_end(args);
}

void diag_help(Diag *d, const char *format, ...) {
  va_list args;
  va_start(args, format);
  VEC_PUSH(d->arena, &d->helps, short_text(d->arena, format, args));
  va_end(args);
}

int diag_mark(const Diags *ds) {
  return ds->list.count;
}

void diag_rollback(Diags *ds, int mark) {
  assert(mark >= ds->printed && mark <= ds->list.count);
  for (int i = mark; i < ds->list.count; i++)
    ds->errors -= ds->list.data[i]->level == ERROR && !ds->list.data[i]->silent;
  ds->list.count = mark;
}

int diag_error_count(const Diags *ds) {
  return ds->errors;
}

static int find_code(const char *code) {
  for (int i = 0; i < DIAG_COUNT; i++)
    if (strcmp(rows[i].code, code) == 0)
      return i;
  return -1;
}

bool diag_option(Diags *ds, const char *option) {
  bool off = strncmp(option, "no-", 3) == 0;
  const char *rest = off ? option + 3 : option;
  if (strcmp(rest, "error") == 0) {
    ds->warnings_are_errors = !off;
    return true;
  }
  int code = find_code(rest);
  if (code < 0 || rows[code].level != WARNING)
    return false;
  ds->off[code] = off;
  return true;
}

const char *diag_page(const char *code) {
  int i = find_code(code);
  return i < 0 ? NULL : rows[i].page;
}

/* ---- order --------------------------------------------------------------------------------------------- */

static const char *path_of(Span at) {
  return at.source ? at.source->path : "";
}

static int compare_places(Span a, Span b) {
  int paths = strcmp(path_of(a), path_of(b));
  return paths ? paths : source_line(a) - source_line(b);
}

static bool same_diag(const Diag *a, const Diag *b) {
  return a->code == b->code && a->at.source == b->at.source && a->at.start == b->at.start &&
         a->at.end == b->at.end && strcmp(a->message, b->message) == 0;
}

/* Stable merge sort of list[0 .. count); spare has room for as many. */
static void sort(Diag **list, Diag **spare, int count) {
  if (count < 2)
    return;
  int half = count / 2, i = 0, j = half;
  sort(list, spare, half);
  sort(list + half, spare, count - half);
  for (int k = 0; k < count; k++)
    spare[k] =
        j == count || (i < half && compare_places(list[i]->at, list[j]->at) <= 0) ? list[i++] : list[j++];
  memcpy(list, spare, sizeof *list * (size_t)count);
}

/* What is to be printed now, in order: no silent warnings, no repetitions, MAX_ERRORS errors in all. */
static Diag **choose(Diags *ds, int *count) {
  int all = ds->list.count - ds->printed, kept = 0;
  Diag **list = ARENA_ARRAY(ds->arena, Diag *, all + 1);
  for (int i = ds->printed; i < ds->list.count; i++) {
    Diag *d = ds->list.data[i];
    bool again = d->silent;
    for (int j = 0; j < kept && !again; j++)
      again = same_diag(list[j], d);
    if (again)
      continue;
    if (d->level == ERROR && ds->errors_printed == MAX_ERRORS) {
      ds->errors_dropped++;
      continue;
    }
    ds->errors_printed += d->level == ERROR;
    list[kept++] = d;
  }
  ds->printed = ds->list.count;
  sort(list, ARENA_ARRAY(ds->arena, Diag *, kept + 1), kept);
  *count = kept;
  return list;
}

/* ---- text ---------------------------------------------------------------------------------------------- */

typedef struct Paint {
  const char *bold, *red, *yellow, *blue, *cyan, *plain;
} Paint;

static const Paint colored = {"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1;36m", "\033[0m"};
static const Paint colorless = {"", "", "", "", "", ""};

/* One stretch of marks on one line of source. */
typedef struct Mark {
  const Source *source;
  int file;                /* files in order of appearance, the message's own is 0 */
  int line, column, width; /* in characters */
  bool primary;
  const char *text;
} Mark;

static int count_characters(const char *text, int length) {
  int n = 0;
  for (int i = 0; i < length; i++)
    n += ((unsigned char)text[i] & 0xc0) != 0x80;
  return n;
}

static Mark make_mark(Span at, const char *text, bool primary) {
  Mark m = {at.source, 0, source_line(at), source_column(at), 1, primary, text ? text : ""};
  int length, first = at.source->line_start[m.line - 1];
  source_line_text(at.source, m.line, &length);
  int end = at.end < first + length ? at.end : first + length;
  if (end > at.start)
    m.width = count_characters(at.source->text + at.start, end - at.start);
  return m;
}

static int digits(int n) {
  int count = 1;
  while (n /= 10)
    count++;
  return count;
}

static void put_times(FILE *out, char c, int times) {
  for (int i = 0; i < times; i++)
    fputc(c, out);
}

static void put_gutter(FILE *out, const Paint *p, int width, int line) {
  if (line)
    fprintf(out, "%s%*d |%s", p->blue, width, line, p->plain);
  else
    fprintf(out, "%s%*s |%s", p->blue, width, "", p->plain);
}

/* Of marks that begin together the wider comes first. */
static bool mark_is_before(const Mark *a, const Mark *b) {
  if (a->file != b->file)
    return a->file < b->file;
  if (a->line != b->line)
    return a->line < b->line;
  return a->column < b->column || (a->column == b->column && a->width > b->width);
}

static void sort_marks(Mark *m, int count) {
  for (int i = 1; i < count; i++)
    for (int j = i; j > 0 && mark_is_before(&m[j], &m[j - 1]); j--) {
      Mark swap = m[j];
      m[j] = m[j - 1];
      m[j - 1] = swap;
    }
}

static const char *mark_color(const Paint *p, const Mark *m, Level level) {
  return !m->primary ? p->blue : level == ERROR ? p->red : p->yellow;
}

/* Where the marks end. */
static int marks_end(const Mark *m, int count) {
  int end = 0;
  for (int i = 0; i < count; i++)
    if (m[i].column + m[i].width > end)
      end = m[i].column + m[i].width;
  return end;
}

/* The label of the last mark stands behind it, if nothing is in the way. */
static bool label_is_inline(const Mark *m, int count) {
  return m[count - 1].column + m[count - 1].width >= marks_end(m, count - 1);
}

/* The mark that shows in a column: of several the primary one. */
static const Mark *mark_at(const Mark *m, int count, int column) {
  const Mark *here = NULL;
  for (int i = 0; i < count; i++)
    if (column >= m[i].column && column < m[i].column + m[i].width && (!here || !here->primary))
      here = &m[i];
  return here;
}

static void put_marks(FILE *out, const Paint *p, const Mark *m, int count, Level level) {
  const Mark *current = NULL, *last = &m[count - 1];
  int end = marks_end(m, count);
  fputc(' ', out);
  for (int column = 1; column < end; column++) {
    const Mark *here = mark_at(m, count, column);
    if (here != current)
      fprintf(out, "%s%s", current ? p->plain : "", here ? mark_color(p, here, level) : "");
    fputc(!here ? ' ' : here->primary ? '^' : '-', out);
    current = here;
  }
  if (last->text[0] && label_is_inline(m, count))
    fprintf(out, "%s %s", current == last ? "" : mark_color(p, last, level), last->text);
  fprintf(out, "%s\n", p->plain);
}

/* Of an overlong line the part around its most important mark; the marks move with it. */
static const char *shorten_line(Mark *m, int count, const char *text, int *length, bool *cut) {
  int first = m[0].column, skipped = 0, kept = 0, column = 1;
  for (int i = 0; i < count; i++)
    first = m[i].primary ? m[i].column : first;
  first = first > LINE_BEFORE ? first - LINE_BEFORE : 1;
  cut[0] = first > 1;
  while (skipped < *length && column < first)
    column += ((unsigned char)text[++skipped] & 0xc0) != 0x80;
  for (column = 0; skipped + kept < *length && column < LINE_PART; column++)
    do
      kept++;
    while (skipped + kept < *length && ((unsigned char)text[skipped + kept] & 0xc0) == 0x80);
  cut[1] = skipped + kept < *length;
  *length = kept;
  for (int i = 0; i < count; i++) {
    int low = m[i].column - first, high = low + m[i].width;
    low = low < 0 ? 0 : low;
    high = high > LINE_PART ? LINE_PART : high;
    if (high <= low) { /* not in this part */
      low = high = 0;
      m[i].text = "";
    }
    m[i].column = low + 1 + (cut[0] ? 4 : 0);
    m[i].width = high - low;
  }
  return text + skipped;
}

static void put_source_line(FILE *out, const Paint *p, int gutter, Mark *m, int count, Level level) {
  int length;
  bool cut[2] = {false, false}; /* in front, at the end */
  const char *text = source_line_text(m->source, m->line, &length);
  if (length > LINE_WHOLE)
    text = shorten_line(m, count, text, &length, cut);
  put_gutter(out, p, gutter, m->line);
  fputs(length ? " " : "", out);
  fputs(cut[0] ? "... " : "", out);
  for (int i = 0; i < length; i++)
    fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i], out);
  fputs(cut[1] ? " ...\n" : "\n", out);
  put_gutter(out, p, gutter, 0);
  put_marks(out, p, m, count, level);
  for (int i = label_is_inline(m, count) ? count - 2 : count - 1; i >= 0; i--) {
    if (!m[i].text[0])
      continue;
    put_gutter(out, p, gutter, 0);
    put_times(out, ' ', m[i].column);
    fprintf(out, "%s%s%s\n", mark_color(p, &m[i], level), m[i].text, p->plain);
  }
}

/* All marks of a message, in order. */
static Mark *make_marks(const Diag *d, int *count) {
  Mark *m = ARENA_ARRAY(d->arena, Mark, d->also.count + 1);
  int n = 0, files = 0;
  m[n++] = make_mark(d->at, d->label, true);
  for (int i = 0; i < d->also.count; i++) {
    const Label *label = &d->also.data[i];
    if (!label->at.source)
      continue;
    m[n] = make_mark(label->at, label->text, false);
    int same = 0;
    while (m[same].source != m[n].source)
      same++;
    m[n].file = same < n ? m[same].file : ++files;
    n++;
  }
  sort_marks(m, n);
  *count = n;
  return m;
}

/* Lines of other files come behind the message's own, under `--> file`. Returns the width of the gutter. */
static int put_excerpt(FILE *out, const Paint *p, const Diag *d) {
  int count, width = 1;
  const Mark *previous = NULL;
  Mark *m = make_marks(d, &count);
  for (int i = 0; i < count; i++)
    width = digits(m[i].line) > width ? digits(m[i].line) : width;
  put_gutter(out, p, width, 0);
  fputc('\n', out);
  for (int i = 0, same; i < count; i = same) {
    for (same = i + 1; same < count && m[same].file == m[i].file && m[same].line == m[i].line;)
      same++;
    if (previous && m[i].file != previous->file)
      fprintf(out, "%s%*s-->%s %s\n", p->blue, width, "", p->plain, m[i].source->path);
    else if (previous && m[i].line > previous->line + 1)
      fprintf(out, "%s...%s\n", p->blue, p->plain);
    put_source_line(out, p, width, m + i, same - i, d->level);
    previous = &m[i];
  }
  return width + 1;
}

static void put_texts(FILE *out, const Paint *p, int gutter, const char *word, const Texts *texts) {
  for (int i = 0; i < texts->count; i++)
    fprintf(out, "%*s%s=%s %s%s:%s %s\n", gutter, "", p->blue, p->plain, p->bold, word, p->plain,
            texts->data[i]);
}

static void put_text(FILE *out, const Diag *d, const Paint *p) {
  const char *level = d->level == ERROR ? "error" : "warning";
  int gutter = 2;
  if (d->at.source)
    fprintf(out, "%s%s:%d:%d:%s ", p->bold, d->at.source->path, source_line(d->at), source_column(d->at),
            p->plain);
  else
    fprintf(out, "%stfec:%s ", p->bold, p->plain);
  fprintf(out, "%s%s[%s]:%s %s%s%s\n", d->level == ERROR ? p->red : p->yellow, level, rows[d->code].code,
          p->plain, p->bold, d->message, p->plain);
  if (d->at.source)
    gutter = put_excerpt(out, p, d);
  put_texts(out, p, gutter, "note", &d->notes);
  put_texts(out, p, gutter, "help", &d->helps);
  fputc('\n', out);
}

/* ---- JSON and SARIF ------------------------------------------------------------------------------------ */

/* Bytes that are not UTF-8 (only possible in sources from memory) become U+FFFD. */
static void put_json_string(FILE *out, const char *text) {
  fputc('"', out);
  for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
    int more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : *s >= 0xc2 ? 1 : 0, good = 0;
    while (good < more && (s[1 + good] & 0xc0) == 0x80)
      good++;
    if (*s == '"' || *s == '\\')
      fprintf(out, "\\%c", *s);
    else if (*s == '\n')
      fputs("\\n", out);
    else if (*s < ' ')
      fprintf(out, "\\u%04x", *s);
    else if (*s < 0x80)
      fputc(*s, out);
    else if (*s > 0xf4 || !more || good < more)
      fputs("\\ufffd", out);
    else {
      fwrite(s, 1, (size_t)more + 1, out);
      s += more;
    }
  }
  fputc('"', out);
}

static void put_json_place(FILE *out, Span at) {
  Span end = {at.source, at.end, at.end};
  fputs("\"file\":", out);
  if (!at.source) {
    fputs("null,\"range\":null", out);
    return;
  }
  put_json_string(out, at.source->path);
  fprintf(out, ",\"range\":{\"start\":{\"line\":%d,\"column\":%d},\"end\":{\"line\":%d,\"column\":%d}}",
          source_line(at), source_column(at), source_line(end), source_column(end));
}

static void put_json_texts(FILE *out, const char *word, const Texts *texts) {
  fprintf(out, ",\"%s\":[", word);
  for (int i = 0; i < texts->count; i++) {
    fputs(i ? "," : "", out);
    put_json_string(out, texts->data[i]);
  }
  fputc(']', out);
}

static void put_json_label(FILE *out, Span at, const char *text, bool primary) {
  fputc('{', out);
  put_json_place(out, at);
  fputs(",\"text\":", out);
  put_json_string(out, text ? text : "");
  fprintf(out, ",\"primary\":%s}", primary ? "true" : "false");
}

static void put_json(FILE *out, const Diag *d) {
  fputc('{', out);
  put_json_place(out, d->at);
  fprintf(out, ",\"code\":\"%s\",\"level\":\"%s\",\"message\":", rows[d->code].code,
          d->level == ERROR ? "error" : "warning");
  put_json_string(out, d->message);
  fputs(",\"labels\":[", out);
  put_json_label(out, d->at, d->label, true);
  for (int i = 0; i < d->also.count; i++) {
    fputc(',', out);
    put_json_label(out, d->also.data[i].at, d->also.data[i].text, false);
  }
  fputc(']', out);
  put_json_texts(out, "notes", &d->notes);
  put_json_texts(out, "helps", &d->helps);
  fputs("}\n", out);
}

static void put_sarif_location(FILE *out, Span at, const char *text) {
  Span end = {at.source, at.end, at.end};
  fputs("{\"physicalLocation\":{\"artifactLocation\":{\"uri\":", out);
  put_json_string(out, at.source->path);
  fprintf(out, "},\"region\":{\"startLine\":%d,\"startColumn\":%d,\"endLine\":%d,\"endColumn\":%d}}",
          source_line(at), source_column(at), source_line(end), source_column(end));
  if (text && *text) {
    fputs(",\"message\":{\"text\":", out);
    put_json_string(out, text);
    fputc('}', out);
  }
  fputc('}', out);
}

static const char *sarif_text(const Diag *d) {
  const char *text = d->message;
  for (int i = 0; i < d->notes.count; i++)
    text = arena_printf(d->arena, "%s\nnote: %s", text, d->notes.data[i]);
  for (int i = 0; i < d->helps.count; i++)
    text = arena_printf(d->arena, "%s\nhelp: %s", text, d->helps.data[i]);
  return text;
}

static void put_sarif_result(FILE *out, const Diag *d) {
  fprintf(out,
          "{\"ruleId\":\"%s\",\"ruleIndex\":%d,\"level\":\"%s\",\"message\":{\"text\":", rows[d->code].code,
          (int)d->code, d->level == ERROR ? "error" : "warning");
  put_json_string(out, sarif_text(d));
  fputs("},\"locations\":[", out);
  if (d->at.source)
    put_sarif_location(out, d->at, d->label);
  fputs("],\"relatedLocations\":[", out);
  for (int i = 0, count = 0; i < d->also.count; i++) {
    if (!d->also.data[i].at.source)
      continue;
    fputs(count++ ? "," : "", out);
    put_sarif_location(out, d->also.data[i].at, d->also.data[i].text);
  }
  fputs("]}", out);
}

static void put_sarif(FILE *out, Diag *const *list, int count) {
  fputs("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{"
        "\"tool\":{\"driver\":{\"name\":\"tfec\",\"rules\":[",
        out);
  for (int i = 0; i < DIAG_COUNT; i++) {
    fprintf(out,
            "%s\n{\"id\":\"%s\",\"defaultConfiguration\":{\"level\":\"%s\"},\"fullDescription\":{\"text\":",
            i ? "," : "", rows[i].code, rows[i].level == ERROR ? "error" : "warning");
    put_json_string(out, rows[i].page);
    fputs("}}", out);
  }
  fputs("]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[", out);
  for (int i = 0; i < count; i++) {
    fputs(i ? ",\n" : "\n", out);
    put_sarif_result(out, list[i]);
  }
  fputs("]}]}\n", out);
}

void diag_flush(Diags *ds, FILE *out, DiagFormat format, bool color) {
  int count, dropped = ds->errors_dropped;
  Diag **list = choose(ds, &count);
  if (format == DIAG_SARIF) {
    put_sarif(out, list, count);
    return;
  }
  for (int i = 0; i < count; i++) {
    if (format == DIAG_JSON)
      put_json(out, list[i]);
    else
      put_text(out, list[i], color ? &colored : &colorless);
  }
  if (format == DIAG_TEXT && ds->errors_dropped > dropped)
    fprintf(out, "tfec: %d more errors are not shown\n", ds->errors_dropped);
}

/* ---- did you mean -------------------------------------------------------------------------------------- */

enum { MAX_NAME = 63 };

/* Edits to make b of a, in half steps: insert, delete, replace and swap cost 2, a change of case 1. */
static int distance(const char *a, const char *b) {
  int la = (int)strlen(a), lb = (int)strlen(b);
  int d[MAX_NAME + 1][MAX_NAME + 1];
  for (int i = 0; i <= la; i++)
    d[i][0] = 2 * i;
  for (int j = 0; j <= lb; j++)
    d[0][j] = 2 * j;
  for (int i = 1; i <= la; i++)
    for (int j = 1; j <= lb; j++) {
      bool fold = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
      int best = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : fold ? 1 : 2);
      if (d[i - 1][j] + 2 < best)
        best = d[i - 1][j] + 2;
      if (d[i][j - 1] + 2 < best)
        best = d[i][j - 1] + 2;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 2 < best)
        best = d[i - 2][j - 2] + 2;
      d[i][j] = best;
    }
  return d[la][lb];
}

const char *diag_nearest(const char *name, const char *const *names, int count) {
  size_t length = strlen(name);
  /* Half steps allowed: in very short names only the case may differ, in longer ones a third of the name. */
  int limit = length < 3 ? 1 : length < 6 ? 3 : 2 * (int)length / 3;
  const char *best = NULL;
  if (length > MAX_NAME)
    return NULL;
  for (int i = 0; i < count; i++) {
    if (!names[i] || strlen(names[i]) > MAX_NAME)
      continue;
    int steps = distance(name, names[i]);
    if (steps <= limit) {
      limit = steps; /* of equally near names the last */
      best = names[i];
    }
  }
  return best;
}

const char *diag_listed(Arena *a, const char *const *names, int count) {
  const char *all = count ? names[0] : "none";
  for (int i = 1; i < count; i++)
    all = arena_printf(a, "%s, %s", all, names[i]);
  return all;
}
