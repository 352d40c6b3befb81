/* Source files: reading, checking that they are text, and offsets to lines and columns.
 *
 * A source is read once and kept whole; spans are byte offsets into it. Lines are found by bisection in a
 * table of line starts. Columns count characters (UTF-8 code points), as editors do, so a column is found
 * by walking its line. A file must be UTF-8 without NUL bytes; source_text does not check (tests and
 * fuzzing feed it anything), and everything downstream copes with any bytes. */
#include "source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static void find_lines(Arena *a, Source *s) {
  int count = 1;
  for (size_t i = 0; i < s->length; i++)
    count += s->text[i] == '\n';
  s->line_start = ARENA_ARRAY(a, int, count);
  s->line_count = count;
  int line = 1;
  for (size_t i = 0; i < s->length; i++)
    if (s->text[i] == '\n')
      s->line_start[line++] = (int)i + 1;
}

Source *source_text(Arena *a, const char *shown_path, const char *text, size_t length) {
  Source *s = ARENA_NEW(a, Source);
  char *copy = arena_alloc(a, length + 1);
  if (length)
    memcpy(copy, text, length);
  s->path = arena_intern_z(a, shown_path);
  s->file = s->path;
  s->text = copy;
  s->length = length;
  find_lines(a, s);
  return s;
}

/* Length of the UTF-8 character at p, 0 if it is none (overlong forms and surrogates included). */
static int utf8_length(const unsigned char *p, const unsigned char *end) {
  if (p[0] < 0x80)
    return 1;
  int length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4 || end - p < length)
    return 0;
  for (int i = 1; i < length; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
      (p[0] == 0xf4 && p[1] > 0x8f))
    return 0;
  return length;
}

static const char *check_text(Arena *a, const Source *s) {
  const unsigned char *p = (const unsigned char *)s->text, *end = p + s->length;
  int line = 1;
  while (p < end) {
    int length = utf8_length(p, end);
    if (*p == 0)
      return arena_printf(a, "line %d contains a NUL byte; is this a text file?", line);
    if (!length)
      return arena_printf(a, "line %d is not UTF-8 text", line);
    line += *p == '\n';
    p += length;
  }
  return NULL;
}

static char *read_all(Arena *a, FILE *f, size_t *length, const char **error) {
  size_t capacity = 16 * 1024, used = 0;
  char *text = arena_alloc(a, capacity);
  size_t got;
  while ((got = fread(text + used, 1, capacity - used, f)) > 0) {
    used += got;
    if (used < capacity)
      continue;
    if (capacity > INT_MAX / 4) { /* offsets are int */
      *error = "the file is too large";
      return NULL;
    }
    char *larger = arena_alloc(a, 2 * capacity);
    memcpy(larger, text, used);
    text = larger;
    capacity *= 2;
  }
  if (ferror(f)) {
    *error = arena_printf(a, "%s", strerror(errno));
    return NULL;
  }
  *length = used;
  return text;
}

Source *source_read(Arena *a, const char *file, const char *shown_path, const char **error) {
  *error = NULL;
  FILE *f = fopen(file, "rb");
  if (!f) {
    *error = arena_printf(a, "%s", strerror(errno));
    return NULL;
  }
  size_t length = 0;
  char *text = read_all(a, f, &length, error);
  fclose(f);
  if (!text)
    return NULL;
  Source *s = source_text(a, shown_path, text, length);
  s->file = arena_intern_z(a, file);
  *error = check_text(a, s);
  return *error ? NULL : s;
}

int source_line(Span at) {
  if (!at.source)
    return 0;
  int low = 0, high = at.source->line_count; /* line_start[low] <= start < line_start[high] */
  while (high - low > 1) {
    int middle = low + (high - low) / 2;
    if (at.source->line_start[middle] <= at.start)
      low = middle;
    else
      high = middle;
  }
  return low + 1;
}

int source_column(Span at) {
  if (!at.source)
    return 0;
  int column = 1;
  for (int i = at.source->line_start[source_line(at) - 1]; i < at.start; i++)
    column += ((unsigned char)at.source->text[i] & 0xc0) != 0x80;
  return column;
}

const char *source_where(Arena *a, Span at) {
  if (!at.source)
    return "the command line";
  return arena_printf(a, "%s:%d", source_name(at.source), source_line(at));
}

const char *source_name(const Source *s) {
  const char *slash = strrchr(s->path, '/');
  return slash ? slash + 1 : s->path;
}

const char *source_line_text(const Source *s, int line, int *length) {
  if (line < 1 || line > s->line_count) {
    *length = 0;
    return "";
  }
  int start = s->line_start[line - 1];
  int end = line < s->line_count ? s->line_start[line] - 1 : (int)s->length;
  if (end > start && s->text[end - 1] == '\r')
    end--;
  *length = end - start;
  return s->text + start;
}

Span span_join(Span a, Span b) {
  if (!a.source)
    return b;
  if (!b.source)
    return a;
  return (Span){a.source, a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}
