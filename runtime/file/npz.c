/* .npz files: zip (PKWARE's APPNOTE 6.3) as far as NumPy and ordinary zip programs write it. The central
 * directory is what is believed; local headers only say where the data begins. Every offset and size is
 * checked against the file, an entry may not claim to be larger than deflate can make it (1032 to 1), and
 * its CRC-32 must hold. Encrypted, split and otherwise compressed archives are refused. zlib works in
 * memory that is wiped. */
#include "npz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "inflate.h"
#include "npy.h"

enum {
  END_SIZE = 22,
  END64_SIZE = 56,
  LOCATOR_SIZE = 20,
  CENTRAL_SIZE = 46,
  LOCAL_SIZE = 30,
  STORED = 0,
  DEFLATED = 8
};

typedef struct Bytes {
  const unsigned char *data;
  size_t size;
} Bytes;

typedef struct Directory {
  uint64_t offset, size, count;
} Directory;

typedef struct Entry {
  const char *name;
  size_t name_size;
  unsigned method, flags;
  uint32_t crc;
  uint64_t packed, size, local;
} Entry;

static uint64_t little(const unsigned char *at, int size) {
  uint64_t value = 0;
  for (int i = size; i-- > 0;)
    value = value << 8 | at[i];
  return value;
}

static TfeStatus npz_fail(TfeCtx *ctx, const TfeWant *want, const char *what) {
  TfeStatus status =
      tfe_fail(ctx, TFE_INPUT_FORMAT, "%s is not a .npz file that can be read: %s", want->path, what);
  tfe_reader_note(ctx, want);
  return status;
}

/* -- the directory --------------------------------------------------------------------------------------- */

static bool npz_end64(Bytes file, size_t end, Directory *directory, size_t *stop) {
  if (end < LOCATOR_SIZE || little(file.data + end - LOCATOR_SIZE, 4) != 0x07064b50)
    return false;
  uint64_t at = little(file.data + end - LOCATOR_SIZE + 8, 8);
  if (at > end - LOCATOR_SIZE || end - LOCATOR_SIZE - at < END64_SIZE ||
      little(file.data + at, 4) != 0x06064b50)
    return false;
  directory->count = little(file.data + at + 32, 8);
  directory->size = little(file.data + at + 40, 8);
  directory->offset = little(file.data + at + 48, 8);
  *stop = (size_t)at;
  return true;
}

/* The end record is the last one whose comment reaches exactly to the end of the file. */
static TfeStatus npz_directory(TfeCtx *ctx, const TfeWant *want, Bytes file, Directory *directory) {
  size_t lowest = file.size > END_SIZE + 65535 ? file.size - END_SIZE - 65535 : 0, end = 0, stop = 0;
  bool found = false;
  if (file.size < END_SIZE || (little(file.data, 4) != 0x04034b50 && little(file.data, 4) != 0x06054b50))
    return npz_fail(ctx, want, "it does not begin as a zip file");
  for (size_t at = file.size - END_SIZE + 1; !found && at-- > lowest;)
    if (little(file.data + at, 4) == 0x06054b50 &&
        at + END_SIZE + little(file.data + at + 20, 2) == file.size) {
      end = stop = at;
      found = true;
    }
  if (!found)
    return npz_fail(ctx, want, "it has no directory at its end (is the file complete?)");
  const unsigned char *record = file.data + end;
  *directory = (Directory){little(record + 16, 4), little(record + 12, 4), little(record + 10, 2)};
  if (little(record + 4, 2) != 0 || little(record + 6, 2) != 0 ||
      little(record + 8, 2) != little(record + 10, 2))
    return npz_fail(ctx, want, "it is one part of several");
  bool large =
      directory->offset == UINT32_MAX || directory->size == UINT32_MAX || directory->count == UINT16_MAX;
  if (large && !npz_end64(file, end, directory, &stop))
    return npz_fail(ctx, want, "its directory is damaged");
  if (directory->offset > stop || directory->size != stop - directory->offset ||
      directory->count > directory->size / CENTRAL_SIZE)
    return npz_fail(ctx, want, "its directory is damaged");
  return TFE_OK;
}

/* zip64: the sizes that did not fit in 32 bits stand in extra field 1, in this order. */
static bool npz_wide(const unsigned char *extra, size_t extra_size, Entry *entry) {
  uint64_t *fields[] = {&entry->size, &entry->packed, &entry->local};
  for (size_t at = 0; at + 4 <= extra_size;) {
    size_t size = (size_t)little(extra + at + 2, 2), used = 0;
    if (size > extra_size - at - 4)
      return false;
    if (little(extra + at, 2) == 1) {
      for (int i = 0; i < 3; i++)
        if (*fields[i] == UINT32_MAX) {
          if (used + 8 > size)
            return false;
          *fields[i] = little(extra + at + 4 + used, 8);
          used += 8;
        }
      return true;
    }
    at += 4 + size;
  }
  return entry->size != UINT32_MAX && entry->packed != UINT32_MAX && entry->local != UINT32_MAX;
}

/* Reads the row at *at of the directory and moves on; false: damaged. */
static bool npz_entry(Bytes directory, size_t *at, Entry *entry) {
  if (directory.size - *at < CENTRAL_SIZE)
    return false;
  const unsigned char *row = directory.data + *at;
  size_t name = (size_t)little(row + 28, 2), extra = (size_t)little(row + 30, 2),
         comment = (size_t)little(row + 32, 2);
  if (little(row, 4) != 0x02014b50 || name + extra + comment > directory.size - *at - CENTRAL_SIZE)
    return false;
  *entry = (Entry){.name = (const char *)row + CENTRAL_SIZE,
                   .name_size = name,
                   .flags = (unsigned)little(row + 8, 2),
                   .method = (unsigned)little(row + 10, 2),
                   .crc = (uint32_t)little(row + 16, 4),
                   .packed = little(row + 20, 4),
                   .size = little(row + 24, 4),
                   .local = little(row + 42, 4)};
  *at += CENTRAL_SIZE + name + extra + comment;
  return npz_wide(row + CENTRAL_SIZE + name, extra, entry);
}

static bool npz_is_named(const Entry *entry, const char *name) {
  size_t size = strlen(name);
  return entry->name_size == size + 4 && memcmp(entry->name, name, size) == 0 &&
         memcmp(entry->name + size, ".npy", 4) == 0;
}

static TfeStatus npz_no_entry(TfeCtx *ctx, const TfeWant *want, Bytes rows, uint64_t count,
                              const char *name) {
  char list[256] = "nothing", quoted[176];
  size_t used = 0, at = 0;
  Entry entry;
  TfeStatus status = tfe_fail(ctx, TFE_INPUT_MISSING, "no data for input `%s`: %s has no entry `%s.npy`",
                              want->slot->name, want->path, name);
  for (uint64_t i = 0; i < count && used < 160 && npz_entry(rows, &at, &entry); i++)
    used += (size_t)snprintf(list + used, sizeof list - used, "%s`%.60s`", used > 0 ? ", " : "",
                             tfe_reader_quote(quoted, entry.name, entry.name_size));
  tfe_note(ctx, "it has %s%s", list, used >= 160 ? ", ..." : "");
  tfe_reader_note(ctx, want);
  return status;
}

static TfeStatus npz_find(TfeCtx *ctx, const TfeWant *want, Bytes file, Entry *found) {
  Directory directory = {0};
  TRY(npz_directory(ctx, want, file, &directory));
  Bytes rows = {file.data + directory.offset, (size_t)directory.size};
  const char *name = want->slot->field ? want->slot->field : want->slot->name;
  size_t at = 0, matches = 0;
  Entry entry;
  for (uint64_t i = 0; i < directory.count; i++) {
    if (!npz_entry(rows, &at, &entry))
      return npz_fail(ctx, want, "its directory is damaged");
    bool match = npz_is_named(&entry, name);
    if (match || (directory.count == 1 && !want->slot->field))
      *found = entry;
    matches += match;
  }
  if (at != rows.size)
    return npz_fail(ctx, want, "its directory is damaged");
  if (matches > 1)
    return npz_fail(ctx, want, "two entries have the same name");
  if (matches == 0 && (directory.count != 1 || want->slot->field))
    return npz_no_entry(ctx, want, rows, directory.count, name);
  return TFE_OK;
}

/* -- the data -------------------------------------------------------------------------------------------- */

static bool npz_intact(Bytes data, uint32_t crc) {
  return crc32_z(crc32_z(0, NULL, 0), data.data, data.size) == crc;
}

/* The packed bytes of an entry, or size 0 and data NULL. */
static Bytes npz_packed(Bytes file, const Entry *entry) {
  Bytes none = {NULL, 0};
  if (entry->local > file.size || file.size - entry->local < LOCAL_SIZE)
    return none;
  const unsigned char *local = file.data + entry->local;
  uint64_t start = LOCAL_SIZE + little(local + 26, 2) + little(local + 28, 2);
  uint64_t left = file.size - entry->local;
  if (little(local, 4) != 0x04034b50 || start > left || entry->packed > left - start)
    return none;
  return (Bytes){local + start, (size_t)entry->packed};
}

TfeStatus tfe_npz_read(TfeCtx *ctx, const TfeWant *want, const unsigned char *bytes, size_t size,
                       uint64_t *out) {
  Entry entry = {0};
  TRY(npz_find(ctx, want, (Bytes){bytes, size}, &entry));
  if ((entry.flags & 1) != 0)
    return npz_fail(ctx, want, "it is encrypted");
  if (entry.method != STORED && entry.method != DEFLATED)
    return npz_fail(ctx, want, "it is compressed in another way than deflate");
  Bytes packed = npz_packed((Bytes){bytes, size}, &entry);
  if (!packed.data || (entry.method == STORED && entry.size != entry.packed) ||
      entry.size / 1032 > entry.packed)
    return npz_fail(ctx, want, "its directory is damaged");
  if (entry.method == STORED) {
    if (!npz_intact(packed, entry.crc))
      return npz_fail(ctx, want, "an entry's checksum does not hold");
    return tfe_npy_read(ctx, want, packed.data, packed.size, out);
  }
  unsigned char *data = NULL;
  size_t room = entry.size > 0 ? (size_t)entry.size : 1;
  TRY(tfe_alloc(ctx, room, &data));
  TfeStatus status;
  if (!tfe_inflate(ctx, true, packed.data, packed.size, data, (size_t)entry.size))
    status = npz_fail(ctx, want, "its compressed data is damaged");
  else if (!npz_intact((Bytes){data, (size_t)entry.size}, entry.crc))
    status = npz_fail(ctx, want, "an entry's checksum does not hold");
  else
    status = tfe_npy_read(ctx, want, data, (size_t)entry.size, out);
  tfe_release(data, room);
  return status;
}

/* -- writing --------------------------------------------------------------------------------------------- */

static unsigned char *put(unsigned char *at, uint64_t value, int size) {
  for (int i = 0; i < size; i++)
    *at++ = (unsigned char)(value >> 8 * i);
  return at;
}

TfeStatus tfe_npz_write(TfeCtx *ctx, TfeBuffer *file, TfeBuffer *directory, uint64_t written,
                        const TfeSlot *slot, const uint64_t *data) {
  TfeBuffer npy = {0};
  unsigned char local[LOCAL_SIZE], central[CENTRAL_SIZE], common[26], *at = common;
  char name[512];
  int name_size = snprintf(name, sizeof name, "%s.npy", slot->field ? slot->field : slot->name);
  TfeStatus status = tfe_npy_write(ctx, &npy, slot, data);
  if (status == TFE_OK && written + npy.size > UINT32_MAX - 65536)
    status = tfe_fail(ctx, TFE_OUTPUT, "output `%s` is too large for a .npz file (4 GB)", slot->name);
  if (status != TFE_OK)
    goto out;
  /* version, flags, method, time 0:00, date 1980-01-01, crc, sizes, length of the name, no extra field */
  at = put(put(put(put(put(at, 20, 2), 0, 2), STORED, 2), 0, 2), 0x21, 2);
  at = put(put(put(at, crc32_z(crc32_z(0, NULL, 0), npy.data, npy.size), 4), npy.size, 4), npy.size, 4);
  put(put(at, (uint64_t)name_size, 2), 0, 2);
  memcpy(put(local, 0x04034b50, 4), common, sizeof common);
  at = put(put(central, 0x02014b50, 4), 20, 2);
  memcpy(at, common, sizeof common);
  put(put(put(put(put(at + sizeof common, 0, 2), 0, 2), 0, 2), 0, 4), written, 4);
  if ((status = tfe_buffer_add(ctx, file, local, sizeof local)) != TFE_OK ||
      (status = tfe_buffer_add(ctx, file, name, (size_t)name_size)) != TFE_OK ||
      (status = tfe_buffer_add(ctx, file, npy.data, npy.size)) != TFE_OK ||
      (status = tfe_buffer_add(ctx, directory, central, sizeof central)) != TFE_OK ||
      (status = tfe_buffer_add(ctx, directory, name, (size_t)name_size)) != TFE_OK)
    goto out;
out:
  tfe_buffer_free(&npy);
  return status;
}

TfeStatus tfe_npz_finish(TfeCtx *ctx, TfeBuffer *file, const TfeBuffer *directory, uint64_t written,
                         int64_t entries) {
  unsigned char end[END_SIZE], *at = put(put(end, 0x06054b50, 4), 0, 4);
  if (entries > UINT16_MAX - 1)
    return tfe_fail(ctx, TFE_OUTPUT, "too many fields for a .npz file");
  at = put(put(at, (uint64_t)entries, 2), (uint64_t)entries, 2);
  put(put(put(at, directory->size, 4), written, 4), 0, 2);
  TRY(tfe_buffer_add(ctx, file, directory->data, directory->size));
  return tfe_buffer_add(ctx, file, end, sizeof end);
}
