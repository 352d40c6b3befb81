/* Common part of the readers; see reader.h. Text numbers are scanned by hand (sign, digits, point,
 * exponent: nothing that depends on the locale, no hexadecimal) and only then given to strtod, which
 * rounds correctly. Integers never pass through a double. */
#include "reader.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../stop.h"
#include "state.h"

bool tfe_reader_product(int64_t rank, const int64_t *dims, int64_t *count) {
  bool zero = false;
  *count = 1;
  for (int64_t i = 0; i < rank; i++)
    zero = zero || dims[i] == 0;
  if (zero) {
    *count = 0;
    return true;
  }
  for (int64_t i = 0; i < rank; i++)
    if (__builtin_mul_overflow(*count, dims[i], count) || *count > INT64_MAX / 16)
      return false;
  return true;
}

const char *tfe_reader_extent(int64_t rank, const int64_t *dims, int64_t size, size_t have, int64_t *count) {
  if (!tfe_reader_product(rank, dims, count) || *count > INT64_MAX / 8)
    return "its shape is impossible";
  size_t expected = (size_t)*count * (size_t)size;
  return have < expected ? "it ends inside the data" : have > expected ? "more bytes follow the data" : NULL;
}

int64_t tfe_reader_count(const TfeSlot *slot) {
  int64_t count = 0;
  bool fits = tfe_reader_product(slot->rank, slot->dims, &count);
  assert(fits);
  (void)fits;
  return count;
}

const char *tfe_reader_shape_text(char *out, size_t room, int64_t rank, const int64_t *dims) {
  size_t used = (size_t)snprintf(out, room, "[");
  for (int64_t i = 0; i < rank && used < room; i++)
    used += (size_t)snprintf(out + used, room - used, "%s%" PRId64, i > 0 ? ", " : "", dims[i]);
  if (used < room)
    snprintf(out + used, room - used, "]");
  return out;
}

/* "`x`", or "`net`, field `c1.k`" */
static const char *reader_name(char *out, size_t room, const TfeSlot *slot) {
  if (slot->field)
    snprintf(out, room, "`%s`, field `%s`", slot->name, slot->field);
  else
    snprintf(out, room, "`%s`", slot->name);
  return out;
}

void tfe_reader_note(TfeCtx *ctx, const TfeWant *want) {
  const char *field = want->slot->field;
  tfe_note(ctx, "%s%s%sfrom %s (%s), declared at %s", field ? "field `" : "", field ? field : "",
           field ? "`, " : "", want->path, want->origin, want->slot->where);
}

static void reader_shape_help(TfeCtx *ctx, const TfeSlot *slot, int64_t rank, const int64_t *dims) {
  char text[256];
  int64_t have = 0, differing = 0, last = 0;
  if (rank == slot->rank) {
    for (int64_t i = 0; i < rank; i++)
      if (dims[i] != slot->dims[i]) {
        differing++;
        last = i;
      }
    if (differing != 1)
      return;
    if (last == rank - 1)
      tfe_help(ctx, "the last axis must be %" PRId64, slot->dims[last]);
    else if (last == 0)
      tfe_help(ctx, "the first axis must be %" PRId64, slot->dims[last]);
    else
      tfe_help(ctx, "axis %" PRId64 " (counted from 0) must be %" PRId64, last, slot->dims[last]);
  } else if (tfe_reader_product(rank, dims, &have) && have == tfe_reader_count(slot)) {
    tfe_help(ctx, "the number of elements is right: reshape it to %s",
             tfe_reader_shape_text(text, sizeof text, slot->rank, slot->dims));
  }
}

TfeStatus tfe_reader_shape(TfeCtx *ctx, const TfeWant *want, int64_t rank, const int64_t *dims) {
  const TfeSlot *slot = want->slot;
  if (rank == slot->rank && (rank == 0 || memcmp(dims, slot->dims, (size_t)rank * sizeof *dims) == 0))
    return TFE_OK;
  char name[256], have[512], need[256];
  TfeStatus status = tfe_fail(ctx, TFE_INPUT_SHAPE, "input %s%s has shape %s, the program needs %s",
                              reader_name(name, sizeof name, slot), slot->field ? "," : "",
                              tfe_reader_shape_text(have, sizeof have, rank, dims),
                              tfe_reader_shape_text(need, sizeof need, slot->rank, slot->dims));
  tfe_reader_note(ctx, want);
  reader_shape_help(ctx, slot, rank, dims);
  return status;
}

/* -- elements from binary files -------------------------------------------------------------------------- */

uint64_t tfe_reader_word(const unsigned char *at, int size, bool big) {
  uint16_t two;
  uint32_t four;
  uint64_t eight;
  switch (size) {
  case 1: return *at;
  case 2: memcpy(&two, at, 2); return big ? be16toh(two) : le16toh(two);
  case 4: memcpy(&four, at, 4); return big ? be32toh(four) : le32toh(four);
  default: memcpy(&eight, at, 8); return big ? be64toh(eight) : le64toh(eight);
  }
}

static double half_to_double(uint16_t half) {
  int exponent = half >> 10 & 31;
  double fraction = (double)(half & 1023);
  double value = exponent == 31  ? (fraction > 0 ? (double)NAN : (double)INFINITY)
                 : exponent == 0 ? ldexp(fraction, -24)
                                 : ldexp(1024 + fraction, exponent - 25);
  return half >> 15 ? -value : value;
}

double tfe_reader_float(uint64_t word, int size) {
  float single;
  double value;
  uint32_t low = (uint32_t)word;
  if (size == 2)
    return half_to_double((uint16_t)word);
  if (size == 4) {
    memcpy(&single, &low, 4);
    return (double)single;
  }
  memcpy(&value, &word, 8);
  return value;
}

static TfeStatus reader_element_fail(TfeCtx *ctx, const TfeWant *want, TfeStatusCode code, int64_t index,
                                     const char *value, const char *what) {
  const TfeSlot *slot = want->slot;
  int64_t at[8] = {0};
  char name[256], place[256];
  for (int64_t i = slot->rank; i-- > 0; index /= slot->dims[i])
    at[i] = index % slot->dims[i];
  TfeStatus status =
      slot->rank == 0
          ? tfe_fail(ctx, code, "input %s: %s %s", reader_name(name, sizeof name, slot), value, what)
          : tfe_fail(ctx, code, "input %s: %s at %s %s", reader_name(name, sizeof name, slot), value,
                     tfe_reader_shape_text(place, sizeof place, slot->rank, at), what);
  tfe_reader_note(ctx, want);
  return status;
}

TfeStatus tfe_reader_real(TfeCtx *ctx, const TfeWant *want, int64_t index, double value, uint64_t *out) {
  char text[48];
  if (!isfinite(value)) {
    TfeStatus status = reader_element_fail(ctx, want, TFE_INPUT_RANGE, index,
                                           isnan(value) ? "nan"
                                           : value > 0  ? "inf"
                                                        : "-inf",
                                           "is not a finite number");
    tfe_help(ctx, "remove or fill in missing values first");
    return status;
  }
  switch (want->slot->elem) {
  case TFE_ELEM_FIXED: memcpy(out, &value, sizeof value); return TFE_OK;
  case TFE_ELEM_INT:
    if (value == floor(value) && value >= -0x1p63 && value < 0x1p63) {
      *out = (uint64_t)(int64_t)value;
      return TFE_OK;
    }
    snprintf(text, sizeof text, "%.17g", value);
    return value == floor(value)
               ? reader_element_fail(ctx, want, TFE_INPUT_RANGE, index, text, "does not fit in 64 bits")
               : reader_element_fail(ctx, want, TFE_INPUT_FORMAT, index, text, "is not a whole number");
  default:
    if (value == 0.0 || value == 1.0) {
      *out = value == 1.0;
      return TFE_OK;
    }
    snprintf(text, sizeof text, "%.17g", value);
    return reader_element_fail(ctx, want, TFE_INPUT_FORMAT, index, text, "is neither 0 nor 1");
  }
}

TfeStatus tfe_reader_range(TfeCtx *ctx, const TfeWant *want, const uint64_t *data) {
  const TfeSlot *slot = want->slot;
  if (slot->whole <= 0 || slot->elem == TFE_ELEM_BOOL)
    return TFE_OK;
  bool real = slot->elem == TFE_ELEM_FIXED;
  double limit = ldexp(1.0, (int)slot->whole);
  for (int64_t i = 0, n = tfe_reader_count(slot); i < n; i++) {
    double value = (double)(int64_t)data[i];
    if (real)
      memcpy(&value, &data[i], sizeof value);
    if (fabs(value) < limit)
      continue;
    char text[48];
    snprintf(text, sizeof text, real ? "%.6g" : "%.0f", value);
    TfeStatus status = reader_element_fail(ctx, want, TFE_INPUT_RANGE, i, text, "does not fit the protocol");
    tfe_note(ctx, "it is shared with whole = %d, which holds numbers below %.0f", (int)slot->whole, limit);
    tfe_help(ctx, "scale the values, or compile the program with a larger `whole`");
    return status;
  }
  return TFE_OK;
}

TfeStatus tfe_reader_int(TfeCtx *ctx, const TfeWant *want, int64_t index, int64_t value, uint64_t *out) {
  char text[32];
  double real = (double)value;
  switch (want->slot->elem) {
  case TFE_ELEM_INT: *out = (uint64_t)value; return TFE_OK;
  case TFE_ELEM_FIXED:
    if (real < 0x1p63 && (int64_t)real == value) {
      memcpy(out, &real, sizeof real);
      return TFE_OK;
    }
    snprintf(text, sizeof text, "%" PRId64, value);
    return reader_element_fail(ctx, want, TFE_INPUT_RANGE, index, text,
                               "cannot be held exactly as a real number");
  default:
    if (value == 0 || value == 1) {
      *out = (uint64_t)value;
      return TFE_OK;
    }
    snprintf(text, sizeof text, "%" PRId64, value);
    return reader_element_fail(ctx, want, TFE_INPUT_FORMAT, index, text, "is neither 0 nor 1");
  }
}

/* -- elements from text ---------------------------------------------------------------------------------- */

/* The parts of a decimal number. */
typedef struct Decimal {
  bool negative;
  const char *whole, *part; /* digits before and after the point */
  size_t whole_size, part_size;
  int64_t exponent; /* kept within +-100000 */
} Decimal;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static size_t digits(const char *text, size_t size) {
  size_t n = 0;
  while (n < size && is_digit(text[n]))
    n++;
  return n;
}

static bool decimal_scan(const char *text, size_t size, Decimal *d) {
  size_t at = 0;
  *d = (Decimal){0};
  if (at < size && (text[at] == '+' || text[at] == '-'))
    d->negative = text[at++] == '-';
  d->whole = text + at;
  d->whole_size = digits(text + at, size - at);
  at += d->whole_size;
  if (at < size && text[at] == '.') {
    at++;
    d->part = text + at;
    d->part_size = digits(text + at, size - at);
    at += d->part_size;
  }
  if (d->whole_size + d->part_size == 0)
    return false;
  if (at < size && (text[at] == 'e' || text[at] == 'E')) {
    at++;
    bool below = false;
    if (at < size && (text[at] == '+' || text[at] == '-'))
      below = text[at++] == '-';
    size_t n = digits(text + at, size - at);
    if (n == 0)
      return false;
    for (size_t i = 0; i < n; i++)
      if (d->exponent < 100000)
        d->exponent = 10 * d->exponent + (text[at + i] - '0');
    if (below)
      d->exponent = -d->exponent;
    at += n;
  }
  return at == size;
}

static char decimal_digit(const Decimal *d, size_t i) {
  return i < d->whole_size ? d->whole[i] : d->part[i - d->whole_size];
}

/* Exact: the digits before the shifted point as an integer, those behind must be 0. */
static TfeTextFault decimal_int(const Decimal *d, uint64_t *out) {
  size_t total = d->whole_size + d->part_size, first = 0;
  while (first < total && decimal_digit(d, first) == '0')
    first++;
  if (first == total) {
    *out = 0;
    return TFE_TEXT_FINE;
  }
  int64_t point = (int64_t)d->whole_size + d->exponent;
  for (size_t i = first; i < total; i++)
    if ((int64_t)i >= point && decimal_digit(d, i) != '0')
      return TFE_TEXT_NOT_WHOLE;
  if (point - (int64_t)first > 19)
    return TFE_TEXT_NOT_INT64;
  uint64_t value = 0;
  for (int64_t i = (int64_t)first; i < point; i++) {
    uint64_t digit = (size_t)i < total ? (uint64_t)(decimal_digit(d, (size_t)i) - '0') : 0;
    if (__builtin_mul_overflow(value, 10U, &value) || __builtin_add_overflow(value, digit, &value))
      return TFE_TEXT_NOT_INT64;
  }
  if (value > (uint64_t)INT64_MAX + (d->negative ? 1U : 0U))
    return TFE_TEXT_NOT_INT64;
  *out = d->negative ? 0 - value : value;
  return TFE_TEXT_FINE;
}

static bool is_word(const char *text, size_t size, const char *word) {
  return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

static bool is_not_finite(const char *text, size_t size) {
  if (size > 0 && (text[0] == '+' || text[0] == '-')) {
    text++;
    size--;
  }
  return is_word(text, size, "nan") || is_word(text, size, "inf") || is_word(text, size, "infinity");
}

bool tfe_reader_is_number(const char *text, size_t size) {
  Decimal d;
  return decimal_scan(text, size, &d) || is_not_finite(text, size);
}

TfeTextFault tfe_reader_text(int64_t elem, const char *text, size_t size, uint64_t *out) {
  Decimal d;
  if (size == 0)
    return TFE_TEXT_EMPTY;
  if (elem == TFE_ELEM_BOOL && (is_word(text, size, "true") || is_word(text, size, "false"))) {
    *out = size == 4;
    return TFE_TEXT_FINE;
  }
  if (is_not_finite(text, size))
    return TFE_TEXT_NOT_FINITE;
  if (!decimal_scan(text, size, &d))
    return elem == TFE_ELEM_BOOL ? TFE_TEXT_NOT_BOOL : TFE_TEXT_NOT_NUMBER;
  if (elem == TFE_ELEM_FIXED) {
    double value = strtod(text, NULL); /* stops where the scan did: both take the longest number */
    if (!isfinite(value))
      return TFE_TEXT_NOT_FINITE;
    memcpy(out, &value, sizeof value);
    return TFE_TEXT_FINE;
  }
  TfeTextFault fault = decimal_int(&d, out);
  if (elem == TFE_ELEM_BOOL && (fault != TFE_TEXT_FINE || *out > 1))
    return TFE_TEXT_NOT_BOOL;
  return fault;
}

const char *tfe_reader_quote(char out[176], const char *text, size_t size) {
  size_t shown = size > 40 ? 40 : size, used = 0;
  while (shown < size && shown > 30 && ((unsigned char)text[shown] & 0xc0) == 0x80)
    shown--; /* not through the middle of a UTF-8 character */
  for (size_t i = 0; i < shown; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20 || c == 0x7f)
      used += (size_t)snprintf(out + used, 5, "\\x%02x", c);
    else
      out[used++] = (char)c;
  }
  strcpy(out + used, shown < size ? "..." : "");
  return out;
}

static const char *text_fault(TfeTextFault fault) {
  switch (fault) {
  case TFE_TEXT_NOT_FINITE: return "is not a finite number";
  case TFE_TEXT_NOT_WHOLE: return "is not a whole number";
  case TFE_TEXT_NOT_INT64: return "does not fit in 64 bits";
  case TFE_TEXT_NOT_BOOL: return "is not true, false, 1 or 0";
  default: return "is not a number";
  }
}

TfeStatus tfe_reader_text_fail(TfeCtx *ctx, const TfeWant *want, TfeTextFault fault, int64_t line,
                               int64_t column, const char *text, size_t size) {
  char quoted[176];
  bool range = fault == TFE_TEXT_NOT_FINITE || fault == TFE_TEXT_NOT_INT64;
  TfeStatus status =
      fault == TFE_TEXT_EMPTY
          ? tfe_fail(ctx, TFE_INPUT_FORMAT, "%s:%" PRId64 ":%" PRId64 ": no value here", want->path, line,
                     column)
          : tfe_fail(ctx, range ? TFE_INPUT_RANGE : TFE_INPUT_FORMAT, "%s:%" PRId64 ":%" PRId64 ": `%s` %s",
                     want->path, line, column, tfe_reader_quote(quoted, text, size), text_fault(fault));
  return status;
}

/* -- files ----------------------------------------------------------------------------------------------- */

TfeStatus tfe_reader_some(TfeCtx *ctx, const char *path, int fd, TfeBuffer *out, size_t *got) {
  for (;;) {
    ssize_t n = ctx->io->system.read(fd, out->data + out->size, out->capacity - 1 - out->size);
    if (n >= 0) {
      *got = (size_t)n;
      out->size += *got;
      out->data[out->size] = 0;
      return TFE_OK;
    }
    if (errno != EINTR)
      return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    if (tfe_stop_signal() != 0)
      return tfe_fail(ctx, TFE_INTERRUPTED, "stopped while reading %s", path);
  }
}

static TfeStatus reader_all(TfeCtx *ctx, const TfeWant *want, int fd, size_t known, size_t limit,
                            TfeBuffer *out) {
  TRY(tfe_buffer_reserve(ctx, out, known > 0 ? known + 1 : 4096)); /* room to see the end */
  for (size_t got = 1; got > 0;) {
    if (out->size + 1 == out->capacity)
      TRY(tfe_buffer_reserve(ctx, out, 1));
    TRY(tfe_reader_some(ctx, want->path, fd, out, &got));
    if (out->size > limit) {
      TfeStatus status = tfe_fail(ctx, TFE_INPUT_FORMAT, "%s is larger than this input can be", want->path);
      tfe_reader_note(ctx, want);
      return status;
    }
  }
  return TFE_OK;
}

TfeStatus tfe_reader_file(TfeCtx *ctx, const TfeWant *want, const char *path, size_t limit, TfeBuffer *out) {
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &info) != 0) {
    int reason = errno;
    if (fd >= 0)
      close(fd);
    TfeStatus status = tfe_fail(ctx, TFE_INPUT_MISSING, "no data for input `%s`: cannot open %s: %s",
                                want->slot->name, path, strerror(reason));
    tfe_reader_note(ctx, want);
    return status;
  }
  bool regular = S_ISREG(info.st_mode);
  size_t known = regular && info.st_size > 0 ? (size_t)info.st_size : 0;
  TfeStatus status = reader_all(ctx, want, fd, known, regular && known > limit ? known : limit, out);
  close(fd);
  return status;
}
