/* .npy files. A header is a Python dictionary with exactly the keys descr, fortran_order and shape; only
 * that much of Python is understood, with a cursor that never leaves the header. The size of the data must
 * be exactly what the header says, which is checked before an element is touched. */
#include "npy.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct NpyHeader {
  char descr[24];
  char kind; /* f i u b */
  int size;  /* bytes an element */
  bool big;  /* big endian */
  bool fortran;
  int64_t rank;
  int64_t dims[TFE_READER_RANK];
  size_t data; /* offset */
} NpyHeader;

typedef struct Cursor {
  const unsigned char *at, *end;
} Cursor;

static TfeStatus npy_fail(TfeCtx *ctx, const TfeWant *want, const char *what) {
  TfeStatus status =
      tfe_fail(ctx, TFE_INPUT_FORMAT, "%s is not a .npy file that can be read: %s", want->path, what);
  tfe_reader_note(ctx, want);
  return status;
}

static void skip_space(Cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n'))
    c->at++;
}

static bool take(Cursor *c, char wanted) {
  skip_space(c);
  if (c->at == c->end || *c->at != (unsigned char)wanted)
    return false;
  c->at++;
  return true;
}

static bool take_word(Cursor *c, const char *word) {
  size_t size = strlen(word);
  skip_space(c);
  if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
    return false;
  c->at += size;
  return true;
}

static bool take_string(Cursor *c, char *out, size_t room) {
  skip_space(c);
  if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
    return false;
  unsigned char quote = *c->at++;
  size_t used = 0;
  while (c->at < c->end && *c->at != quote) {
    if (*c->at < 0x20 || *c->at == '\\' || used + 1 == room)
      return false;
    out[used++] = (char)*c->at++;
  }
  out[used] = 0;
  if (c->at == c->end)
    return false;
  c->at++;
  return true;
}

static bool take_size(Cursor *c, int64_t *out) {
  skip_space(c);
  int64_t value = 0;
  int n = 0;
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, n++) {
    if (n == 18)
      return false;
    value = 10 * value + (*c->at - '0');
  }
  *out = value;
  return n > 0;
}

/* (), (3,), (3, 2), (3, 2,) */
static bool take_shape(Cursor *c, NpyHeader *header) {
  if (!take(c, '('))
    return false;
  bool comma = true;
  while (!take(c, ')')) {
    if (!comma || header->rank == TFE_READER_RANK || !take_size(c, &header->dims[header->rank]))
      return false;
    header->rank++;
    comma = take(c, ',');
  }
  return header->rank != 1 || comma; /* (3) is a number in parentheses, not a shape */
}

static bool take_dictionary(Cursor *c, NpyHeader *header) {
  unsigned seen = 0;
  char key[16];
  if (!take(c, '{'))
    return false;
  while (!take(c, '}')) {
    unsigned bit = 0;
    if (!take_string(c, key, sizeof key) || !take(c, ':'))
      return false;
    if (strcmp(key, "descr") == 0) {
      bit = 1;
      if (!take_string(c, header->descr, sizeof header->descr))
        return false;
    } else if (strcmp(key, "fortran_order") == 0) {
      bit = 2;
      header->fortran = take_word(c, "True");
      if (!header->fortran && !take_word(c, "False"))
        return false;
    } else if (strcmp(key, "shape") == 0) {
      bit = 4;
      if (!take_shape(c, header))
        return false;
    }
    if (bit == 0 || (seen & bit) != 0)
      return false;
    seen |= bit;
    if (!take(c, ',')) {
      if (!take(c, '}'))
        return false;
      break;
    }
  }
  skip_space(c);
  return seen == 7 && c->at == c->end;
}

/* "<f8" into its parts. */
static bool npy_type(NpyHeader *h) {
  const char *d = h->descr;
  if (strlen(d) != 3 || strchr("<>|", d[0]) == NULL || strchr("fiub", d[1]) == NULL)
    return false;
  h->kind = d[1];
  h->size = d[2] - '0';
  h->big = d[0] == '>';
  if (h->size != 1 && d[0] == '|')
    return false;
  switch (h->kind) {
  case 'f': return h->size == 2 || h->size == 4 || h->size == 8;
  case 'b': return h->size == 1;
  default: return h->size == 1 || h->size == 2 || h->size == 4 || h->size == 8;
  }
}

static TfeStatus npy_header(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                            NpyHeader *header) {
  *header = (NpyHeader){0};
  if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
    return npy_fail(ctx, want, "it does not begin as one");
  if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
    return npy_fail(ctx, want, "unknown format version");
  size_t start = bytes[6] == 1 ? 10 : 12;
  if (size < start)
    return npy_fail(ctx, want, "it ends inside the header");
  size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
  if (start == 12)
    length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  if (length > 65535 || length > size - start)
    return npy_fail(ctx, want, "it ends inside the header");
  header->data = start + length;
  Cursor c = {bytes + start, bytes + header->data};
  if (!take_dictionary(&c, header))
    return npy_fail(ctx, want, "its header is not one of a plain array");
  if (!npy_type(header)) {
    char quoted[176];
    TfeStatus status = tfe_fail(ctx, TFE_INPUT_FORMAT, "%s holds elements of type `%s`, which cannot be read",
                                want->path, tfe_reader_quote(quoted, header->descr, strlen(header->descr)));
    tfe_reader_note(ctx, want);
    tfe_help(ctx, "save it as float64, int64 or bool: numpy.save(file, array.astype('float64'))");
    return status;
  }
  return TFE_OK;
}

static TfeStatus npy_element(TfeCtx *ctx, const TfeWant *want, const NpyHeader *h, const unsigned char *at,
                             int64_t index, uint64_t *out) {
  uint64_t word = tfe_reader_word(at, h->size, h->big);
  int unused = 64 - 8 * h->size;
  switch (h->kind) {
  case 'f': return tfe_reader_real(ctx, want, index, tfe_reader_float(word, h->size), out);
  case 'i': return tfe_reader_int(ctx, want, index, (int64_t)(word << unused) >> unused, out);
  case 'b':
    if (word > 1)
      return npy_fail(ctx, want, "a bool is neither 0 nor 1");
    return tfe_reader_int(ctx, want, index, (int64_t)word, out);
  default:
    if (word > INT64_MAX) {
      TfeStatus status =
          tfe_fail(ctx, TFE_INPUT_RANGE, "input `%s`: %" PRIu64 " does not fit in 64 bits with a sign",
                   want->slot->name, word);
      tfe_reader_note(ctx, want);
      return status;
    }
    return tfe_reader_int(ctx, want, index, (int64_t)word, out);
  }
}

/* Walks the elements in row-major order; in Fortran order the first axis is the fastest in the file. */
static TfeStatus npy_elements(TfeCtx *ctx, const TfeWant *want, const NpyHeader *h, const unsigned char *data,
                              int64_t count, uint64_t *out) {
  int64_t stride[TFE_READER_RANK], at[TFE_READER_RANK] = {0}, step = 1, from = 0;
  for (int64_t i = 0; i < h->rank; i++) {
    int64_t axis = h->fortran ? i : h->rank - 1 - i;
    stride[axis] = step;
    step *= h->dims[axis];
  }
  for (int64_t k = 0; k < count; k++) {
    TRY(npy_element(ctx, want, h, data + (size_t)from * (size_t)h->size, k, &out[k]));
    for (int64_t i = h->rank; i-- > 0;) {
      from += stride[i];
      if (++at[i] < h->dims[i])
        break;
      from -= stride[i] * h->dims[i];
      at[i] = 0;
    }
  }
  return TFE_OK;
}

TfeStatus tfe_npy_read(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                       uint64_t *out) {
  NpyHeader header;
  int64_t count = 0;
  TRY(npy_header(ctx, want, bytes, size, &header));
  const char *wrong = tfe_reader_extent(header.rank, header.dims, header.size, size - header.data, &count);
  if (wrong)
    return npy_fail(ctx, want, wrong);
  TRY(tfe_reader_shape(ctx, want, header.rank, header.dims));
  return npy_elements(ctx, want, &header, bytes + header.data, count, out);
}

TfeStatus tfe_npy_write(TfeCtx *ctx, TfeBuffer *file, const TfeSlot *slot, const uint64_t *data) {
  const char *type = slot->elem == TFE_ELEM_FIXED ? "<f8" : slot->elem == TFE_ELEM_INT ? "<i8" : "|b1";
  char header[512], shape[256];
  tfe_reader_shape_text(shape, sizeof shape, slot->rank, slot->dims);
  shape[strlen(shape) - 1] = 0; /* "[3, 2": without its brackets */
  int used = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }",
                      type, shape + 1, slot->rank == 1 ? "," : "");
  int length = (10 + used + 1 + 63) / 64 * 64 - 10; /* data starts at a multiple of 64 bytes */
  memset(header + used, ' ', (size_t)(length - used));
  header[length - 1] = '\n';
  unsigned char start[10] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(length & 255), (unsigned char)(length >> 8)};
  int64_t count = tfe_reader_count(slot);
  size_t element = slot->elem == TFE_ELEM_BOOL ? 1 : 8;
  TRY(tfe_buffer_add(ctx, file, start, sizeof start));
  TRY(tfe_buffer_add(ctx, file, header, (size_t)length));
  TRY(tfe_buffer_reserve(ctx, file, (size_t)count * element));
  unsigned char *at = file->data + file->size;
  for (int64_t i = 0; i < count; i++, at += element) {
    uint64_t word = htole64(data[i]);
    memcpy(at, &word, element); /* little-endian: a bool is the first byte */
  }
  file->size += (size_t)count * element;
  return TFE_OK;
}
