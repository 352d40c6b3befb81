/* As for .npy, the size of the data must be exactly what the header says before an element is touched. */
#include "idx.h"

#include <inttypes.h>
#include <stdio.h>

#include "inflate.h"

typedef struct IdxHeader {
  int type, size; /* of an element: code, bytes */
  int64_t rank;
  int64_t dims[TFE_READER_RANK];
  size_t data; /* offset */
} IdxHeader;

static TfeStatus idx_fail(TfeCtx *ctx, const TfeWant *want, const char *what) {
  TfeStatus status =
      tfe_fail(ctx, TFE_INPUT_FORMAT, "%s is not an IDX file that can be read: %s", want->path, what);
  tfe_reader_note(ctx, want);
  return status;
}

/* Bytes of an element type; 0: there is no such type. */
static int idx_element(int type) {
  switch (type) {
  case 0x08: /* unsigned */
  case 0x09: return 1;
  case 0x0b: return 2;
  case 0x0c: /* integer */
  case 0x0d: return 4;
  case 0x0e: return 8;
  default: return 0;
  }
}

bool tfe_idx_is(const unsigned char *bytes, size_t size) {
  return size >= 4 && bytes[0] == 0 && bytes[1] == 0 && idx_element(bytes[2]) > 0;
}

bool tfe_idx_is_packed(const unsigned char *bytes, size_t size) {
  return size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

static TfeStatus idx_header(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                            IdxHeader *h) {
  *h = (IdxHeader){0};
  if (!tfe_idx_is(bytes, size))
    return idx_fail(ctx, want, "it does not begin as one");
  h->type = bytes[2];
  h->size = idx_element(h->type);
  h->rank = bytes[3];
  h->data = 4 + 4 * (size_t)h->rank;
  if (h->rank > TFE_READER_RANK)
    return idx_fail(ctx, want, "it has too many axes");
  if (size < h->data)
    return idx_fail(ctx, want, "it ends inside the header");
  for (int64_t i = 0; i < h->rank; i++)
    h->dims[i] = (int64_t)tfe_reader_word(bytes + 4 + 4 * i, 4, true);
  return TFE_OK;
}

static TfeStatus idx_element_read(TfeCtx *ctx, const TfeWant *want, const IdxHeader *h,
                                  const unsigned char *at, int64_t index, uint64_t *out) {
  uint64_t word = tfe_reader_word(at, h->size, true);
  int unused = 64 - 8 * h->size;
  if (h->type == 0x0d || h->type == 0x0e)
    return tfe_reader_real(ctx, want, index, tfe_reader_float(word, h->size), out);
  return tfe_reader_int(ctx, want, index,
                        h->type == 0x08 ? (int64_t)word : (int64_t)(word << unused) >> unused, out);
}

/* The part of the data that `rows` names, whose first axis they become. */
static TfeStatus idx_cut(TfeCtx *ctx, const TfeWant *want, TfeRows rows, IdxHeader *h, int64_t count) {
  if (rows.to == 0)
    return TFE_OK;
  if (h->rank == 0 || rows.to > h->dims[0]) {
    TfeStatus status =
        tfe_fail(ctx, TFE_INPUT_SHAPE, "%s has no rows %" PRId64 " to %" PRId64 ": it has %" PRId64,
                 want->path, rows.from, rows.to - 1, h->rank == 0 ? 0 : h->dims[0]);
    tfe_reader_note(ctx, want);
    return status;
  }
  h->data += (size_t)(count / h->dims[0] * rows.from) * (size_t)h->size;
  h->dims[0] = rows.to - rows.from;
  return TFE_OK;
}

static TfeStatus idx_plain(TfeCtx *ctx, const TfeWant *want, TfeRows rows, const unsigned char *bytes,
                           size_t size, uint64_t *out) {
  IdxHeader h;
  int64_t count = 0;
  TRY(idx_header(ctx, want, bytes, size, &h));
  const char *wrong = tfe_reader_extent(h.rank, h.dims, h.size, size - h.data, &count);
  if (wrong)
    return idx_fail(ctx, want, wrong);
  TRY(idx_cut(ctx, want, rows, &h, count));
  TRY(tfe_reader_shape(ctx, want, h.rank, h.dims));
  for (int64_t i = 0, n = tfe_reader_count(want->slot); i < n; i++)
    TRY(idx_element_read(ctx, want, &h, bytes + h.data + (size_t)i * (size_t)h.size, i, &out[i]));
  return TFE_OK;
}

TfeStatus tfe_idx_read(TfeCtx *ctx, const TfeWant *want, TfeRows rows, const unsigned char *bytes,
                       size_t size, uint64_t *out) {
  if (!tfe_idx_is_packed(bytes, size))
    return idx_plain(ctx, want, rows, bytes, size, out);
  /* a gzip file ends in the size of its content; deflate packs no better than 1032 to 1 */
  size_t room = size < 18 ? 0
                          : (size_t)bytes[size - 4] | (size_t)bytes[size - 3] << 8 |
                                (size_t)bytes[size - 2] << 16 | (size_t)bytes[size - 1] << 24;
  unsigned char *data = NULL;
  if (room == 0 || room / 1032 > size)
    return idx_fail(ctx, want, "its compressed data is damaged");
  TRY(tfe_alloc(ctx, room, &data));
  TfeStatus status = tfe_inflate(ctx, false, bytes, size, data, room)
                         ? idx_plain(ctx, want, rows, data, room, out)
                         : idx_fail(ctx, want, "its compressed data is damaged");
  tfe_release(data, room);
  return status;
}
