/* The table of `tfec explain`: one row a source line that causes messages, under the calls that led to it.
 * Rounds and bytes of a row are for one time; the last row has the sums. There is a column of bytes sent for
 * the servers (the one that sends most), and one for every other party declaration that sends (its busiest
 * member).
 */
#include "explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"

enum { TEXT_WIDTH = 58, COLUMN_WIDTH = 14 };

typedef struct Column {
  const char *title;
  PartySet parties;
} Column;

typedef VEC(Column) Columns;

/* ---- numbers and texts --------------------------------------------------------------------------------- */

/* 16612 -> "16 612" */
static const char *grouped(Arena *a, int64_t n) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%" PRId64, n), start = n < 0;
  const char *text = "";
  for (int i = 0; i < length; i++)
    text = arena_printf(a, "%s%s%c", text, i > start && (length - i) % 3 == 0 ? " " : "", digits[i]);
  return text;
}

static const char *bytes_text(Arena *a, double bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) {
    bytes /= 1000;
    unit++;
  }
  bool whole = unit == 0 && bytes == (double)(int64_t)bytes;
  return arena_printf(a, "%.*f %s", whole ? 0 : 1, bytes, units[unit]);
}

static const char *per_time(Arena *a, int64_t total, int64_t times) {
  if (times <= 1 || total % times == 0)
    return grouped(a, times > 1 ? total / times : total);
  return arena_printf(a, "%.1f", (double)total / (double)times);
}

/* The expression if it is the only one of its line, else the line; without line breaks, of limited length. */
static const char *row_text(Arena *a, const CostLine *l, int width) {
  if (!l->span.source)
    return "";
  int length = l->span.end - l->span.start;
  const char *text = l->span.source->text + l->span.start;
  if (l->several)
    text = source_line_text(l->span.source, source_line(l->span), &length);
  while (length > 0 && (*text == ' ' || *text == '\t')) {
    text++;
    length--;
  }
  const char *end = memchr(text, '\n', (size_t)length);
  int shown = end ? (int)(end - text) : length;
  bool cut = shown < length || shown > width;
  shown = shown > width - 3 && cut ? width - 3 : shown;
  while (shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80)
    shown--; /* not within a character */
  return arena_printf(a, "%.*s%s", shown > 0 ? shown : 0, text, cut ? "..." : "");
}

static const char *row_where(Arena *a, const CostLine *l) {
  return l->span.source ? source_where(a, l->span) : "(no place)";
}

/* ---- columns ------------------------------------------------------------------------------------------- */

static bool sends(const Cost *c, PartySet who) {
  for (int i = party_first(who); i >= 0; i = party_next(who, i))
    if (c->party[i].bytes_sent)
      return true;
  return false;
}

static Columns columns_of(const Cost *c, const Program *p) {
  Columns columns = {0};
  PartySet servers = manifest_servers(p);
  if (!party_empty(servers))
    VEC_PUSH(p->arena, &columns,
             ((Column){party_size(servers) > 1 ? "per server" : "by the server", servers}));
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    PartySet rest = party_minus(party_range(d->first, d->count), servers);
    if (sends(c, rest))
      VEC_PUSH(p->arena, &columns,
               ((Column){arena_printf(p->arena, d->family ? "each %s" : "%s", d->name), rest}));
  }
  return columns;
}

static int64_t column_bytes(const int64_t *bytes_sent, PartySet parties) {
  int64_t most = 0;
  for (int i = party_first(parties); i >= 0; i = party_next(parties, i))
    most = bytes_sent[i] > most ? bytes_sent[i] : most;
  return most;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static void print_head(const Columns *columns, FILE *out) {
  fprintf(out, "%-*s %8s %9s", TEXT_WIDTH, "", "times", "rounds");
  for (int i = 0; i < columns->count; i++)
    fprintf(out, " %*s", COLUMN_WIDTH, columns->data[i].title);
  fputc('\n', out);
}

static void print_row(const Program *p, const CostLine *l, const Columns *columns, FILE *out) {
  Arena *a = p->arena;
  const char *where = row_where(a, l);
  int used = 2 * l->depth + (int)strlen(where) + 2;
  const char *text = row_text(a, l, TEXT_WIDTH - used > 12 ? TEXT_WIDTH - used : 12);
  fprintf(out, "%*s%s  %-*s", 2 * l->depth, "", where, TEXT_WIDTH - used > 0 ? TEXT_WIDTH - used : 0, text);
  fprintf(out, " %8s %9s", l->per_pass ? "per pass" : grouped(a, l->times), per_time(a, l->rounds, l->times));
  int width = 0; /* of empty cells not yet written, so that no line ends in blanks */
  for (int i = 0; i < columns->count; i++) {
    int64_t bytes = column_bytes(l->bytes_sent, columns->data[i].parties);
    int64_t times = l->times > 1 ? l->times : 1;
    width += COLUMN_WIDTH + 1;
    if (!bytes)
      continue;
    fprintf(out, "%*s", width, bytes_text(a, (double)bytes / (double)times));
    width = 0;
  }
  fputc('\n', out);
}

static const char *duration_text(Arena *a, double seconds) {
  if (seconds < 1)
    return arena_printf(a, "%.0f ms", seconds * 1000);
  if (seconds < 60)
    return arena_printf(a, "%.1f s", seconds);
  return arena_printf(a, "%d min %d s", (int)(seconds / 60), (int)seconds % 60);
}

static const char *rate_text(Arena *a, double bits) {
  double unit = bits >= 1e9 ? 1e9 : bits >= 1e6 ? 1e6 : 1e3;
  return arena_printf(a, "%g %cbit/s", bits / unit, unit > 1e8 ? 'G' : unit > 1e5 ? 'M' : 'k');
}

/* A round costs one one-way latency: in it both sides send at once, and wait for what the other sent. The
 * bytes of the party that sends most pass through its uplink. */
static void print_estimate(const Cost *c, const Program *p, const ExplainOptions *options, FILE *out) {
  int64_t most = 0;
  for (int i = 0; i < p->party_count; i++)
    most = c->party[i].bytes_sent > most ? c->party[i].bytes_sent : most;
  double rate = options->bandwidth > 0 ? options->bandwidth : 1e9;
  double latency = (double)c->rounds * options->round_trip / 2, transfer = (double)most * 8 / rate;
  const char *mostly = transfer < latency / 20   ? ", all of it latency"
                       : latency < transfer / 20 ? ", all of it bytes"
                                                 : "";
  fprintf(out, "network time at %g ms, %s: about %s%s\n", options->round_trip * 1000,
          rate_text(p->arena, rate), duration_text(p->arena, latency + transfer), mostly);
}

/* The innermost place in the program's own file. */
static const char *own_where(Arena *a, const Site *site) {
  const Site *root = site;
  while (root && root->caller)
    root = root->caller;
  while (site && site->span.source != root->span.source)
    site = site->caller;
  return site ? source_where(a, site->span) : "";
}

/* Which of several ways each operation is carried out; what is said of several alike is said once. */
static void print_methods(const Program *p, FILE *out) {
  const char **said = ARENA_ARRAY(p->arena, const char *, p->methods.count + 1);
  int *times = ARENA_ARRAY(p->arena, int, p->methods.count + 1), count = 0;
  for (int i = 0; i < p->methods.count; i++) {
    const Method *m = &p->methods.data[i];
    const char *text = arena_intern_z(
        p->arena, arena_printf(p->arena, "%s  %s of %s: %s, %s", own_where(p->arena, m->site), m->operation,
                               grouped(p->arena, m->elements), m->name, m->reason));
    int k = 0;
    while (k < count && said[k] != text)
      k++;
    said[k] = text;
    times[k]++;
    count += k == count;
  }
  for (int k = 0; k < count; k++) {
    fprintf(out, "%s%s", k ? "" : "methods:\n", said[k]);
    fputs(times[k] > 1 ? arena_printf(p->arena, " (%d times)\n", times[k]) : "\n", out);
  }
}

void explain_print(const Cost *c, const Program *p, const ExplainOptions *options, FILE *out) {
  Columns columns = columns_of(c, p);
  int64_t *sent = ARENA_ARRAY(p->arena, int64_t, p->party_count + 1);
  for (int i = 0; i < p->party_count; i++)
    sent[i] = c->party[i].bytes_sent;
  print_head(&columns, out);
  for (int i = 0; i < c->lines.count; i++)
    print_row(p, &c->lines.data[i], &columns, out);
  fprintf(out, "%-*s %8s %9s", TEXT_WIDTH, "total", "", grouped(p->arena, c->rounds));
  for (int i = 0; i < columns.count; i++)
    fprintf(out, " %*s", COLUMN_WIDTH,
            bytes_text(p->arena, (double)column_bytes(sent, columns.data[i].parties)));
  fputc('\n', out);
  print_methods(p, out);
  if (!c->known)
    fputs("note: a loop or branch is decided at run time; one pass of such a loop is counted\n", out);
  if (options && (options->round_trip > 0 || options->bandwidth > 0))
    print_estimate(c, p, options, out);
}

static void print_method_json(const Program *p, const Method *m, bool first, FILE *out) {
  const char *const fields[][2] = {{"where", own_where(p->arena, m->site)},
                                   {"operation", m->operation},
                                   {"method", m->name},
                                   {"reason", m->reason}};
  fprintf(out, "%s\n  {\"elements\": %" PRId64, first ? "" : ",", m->elements);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    fprintf(out, ", \"%s\": ", fields[i][0]);
    manifest_json_text(out, fields[i][1]);
  }
  fputc('}', out);
}

void explain_print_json(const Cost *c, const Program *p, FILE *out) {
  fprintf(out, "{\"schema\": 1, \"program\": ");
  manifest_json_text(out, p->name);
  fprintf(out,
          ", \"exact\": %s, \"rounds\": %" PRId64 ", \"messages\": %" PRId64 ", \"bytes\": %" PRId64 ",\n",
          c->known ? "true" : "false", c->rounds, c->messages, c->bytes);
  fprintf(out, " \"parties\": ");
  manifest_json_totals(out, c, p);
  fprintf(out, ",\n \"lines\": [");
  for (int i = 0; i < c->lines.count; i++) {
    const CostLine *l = &c->lines.data[i];
    fprintf(out, "%s\n  {\"where\": ", i ? "," : "");
    manifest_json_text(out, row_where(p->arena, l));
    fprintf(out, ", \"text\": ");
    manifest_json_text(out, row_text(p->arena, l, 80));
    fprintf(out, ", \"depth\": %d, \"parent\": %d, \"times\": %" PRId64 ", \"per_pass\": %s", l->depth,
            l->parent, l->times, l->per_pass ? "true" : "false");
    fprintf(out, ", \"rounds\": %" PRId64 ", \"messages\": %" PRId64 ", \"bytes\": %" PRId64 ", \"sent\": {",
            l->rounds, l->messages, l->bytes);
    bool first = true;
    for (int k = 0; k < p->party_count; k++) {
      if (!l->bytes_sent[k])
        continue;
      fputs(first ? "" : ", ", out);
      manifest_json_text(out, party_name(p, k));
      fprintf(out, ": %" PRId64, l->bytes_sent[k]);
      first = false;
    }
    fputs("}}", out);
  }
  fputs("\n ],\n \"methods\": [", out);
  for (int i = 0; i < p->methods.count; i++)
    print_method_json(p, &p->methods.data[i], i == 0, out);
  fputs("\n ]}\n", out);
}
