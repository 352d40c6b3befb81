/* See stored.h. A file's fields: u32 protocol, u32 abi; tag (16 bytes), u64 order; texts name, party, protocol kind,
 * format, type, and for people program hash, source, compiler, u64 time; u32 holders, each with text name and key (32);
 * u32 rows, each with texts field and part, u32 bits, u32 scale + 1, u32 rank, u64 sizes. Its body are the rows'
 * elements, packed, one row behind the other. */
#define _GNU_SOURCE
#include "stored.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "include/abi.h"
#include "pack.h"
#include "progress.h"
#include "sealed.h"
#include "state.h"

enum { TAG = 16, TAG_TEXT = 2 * TAG, GENERATIONS = 16, KEPT = 2, FILE_NAME = 400 };

typedef struct Generation {
  uint8_t tag[TAG];
  uint64_t order; /* larger: newer; this party's own count */
  char file[FILE_NAME];
} Generation;

/* All that is known of one name. */
typedef struct Name {
  const TfeStored *row; /* one of its rows: name and holders */
  bool loads;
  int count;
  Generation held[GENERATIONS]; /* newest first */
  int common;                   /* among held: what all holders have; -1: nothing */
  uint8_t common_tag[TAG];
  uint64_t stores; /* in this run */
} Name;

struct TfeStoredState {
  int count;
  Name *names;
  size_t bytes;    /* of names */
  int64_t writing; /* group; -1: none */
  int64_t written; /* rows of it */
  SealedWriter writer;
  uint8_t tag[TAG];
  int64_t reading, read; /* likewise */
  SealedReader reader;
};

/* ------------------------------------------------------------------------------------------- the program's */

static bool stored_own(const TfeCtx *ctx, const TfeStored *row) {
  return row->members == NULL || row->members[ctx->member];
}

static int64_t stored_elements(const TfeStored *row) {
  int64_t n = 1;
  for (int64_t i = 0; i < row->rank; i++)
    n *= row->dims[i];
  return n;
}

static int64_t stored_rows(const TfeCtx *ctx, int64_t group) {
  int64_t n = 0;
  for (int64_t i = 0; i < ctx->program->stored_count; i++) {
    const TfeStored *row = &ctx->program->stored[i];
    n += row->group == group && stored_own(ctx, row);
  }
  return n;
}

/* The rows of a group, one after the other: the next one behind `after`; NULL: there is none. */
static const TfeStored *stored_next(const TfeCtx *ctx, int64_t group, const TfeStored *after) {
  const TfeStored *end = ctx->program->stored + ctx->program->stored_count;
  for (const TfeStored *row = after ? after + 1 : ctx->program->stored; row < end; row++)
    if (row->group == group && stored_own(ctx, row))
      return row;
  return NULL;
}

bool tfe_stored_needed(const TfeCtx *ctx) {
  for (int64_t i = 0; i < ctx->program->stored_count; i++)
    if (stored_own(ctx, &ctx->program->stored[i]))
      return true;
  return false;
}

static Name *stored_name(const TfeCtx *ctx, const char *name) {
  for (int i = 0; i < ctx->stored->count; i++)
    if (strcmp(ctx->stored->names[i].row->name, name) == 0)
      return &ctx->stored->names[i];
  return NULL;
}

static void stored_tag_text(const uint8_t tag[TAG], char text[TAG_TEXT + 1]) {
  for (int i = 0; i < TAG; i++)
    snprintf(text + 2 * i, 3, "%02x", tag[i]);
}

/* "net.server1.9a41....shares" */
static void stored_file_name(const TfeCtx *ctx, const char *name, const uint8_t tag[TAG],
                             char out[FILE_NAME]) {
  char text[TAG_TEXT + 1];
  stored_tag_text(tag, text);
  snprintf(out, FILE_NAME, "%s.%s.%s.shares", name, ctx->name, text);
}

/* Is this the name of such a file? Then its tag. */
static bool stored_is_file(const TfeCtx *ctx, const char *name, const char *file, uint8_t tag[TAG]) {
  char own[FILE_NAME];
  int length = snprintf(own, sizeof own, "%s.%s.", name, ctx->name);
  if (strncmp(file, own, (size_t)length) != 0 || strlen(file) != (size_t)length + TAG_TEXT + 7)
    return false;
  for (int i = 0; i < TAG; i++) {
    unsigned byte;
    if (sscanf(file + length + 2 * i, "%2x", &byte) != 1)
      return false;
    tag[i] = (uint8_t)byte;
  }
  stored_file_name(ctx, name, tag, own);
  return strcmp(own, file) == 0;
}

/* ------------------------------------------------------------------------------------------------- a head */

typedef struct Head {
  uint32_t protocol, abi;
  const uint8_t *tag;
  uint64_t order;
  Text name, party, kind, format, type, hash, source, compiler;
  uint64_t time;
  Reader holders; /* from their number on */
} Head;

static bool stored_take_head(const SealedReader *file, Head *head) {
  Reader r = {file->fields, file->fields_bytes, false};
  head->protocol = (uint32_t)take_number(&r, 4);
  head->abi = (uint32_t)take_number(&r, 4);
  head->tag = take_bytes(&r, TAG);
  head->order = take_number(&r, 8);
  Text *texts[] = {&head->name, &head->party, &head->kind,   &head->format,
                   &head->type, &head->hash,  &head->source, &head->compiler};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    *texts[i] = take_text(&r);
  head->time = take_number(&r, 8);
  head->holders = r;
  return !r.bad;
}

static size_t stored_head_room(const TfeCtx *ctx, const TfeStored *row) {
  const char *texts[] = {row->name, ctx->name,          row->protocol,        row->format,
                         row->type, ctx->program->hash, ctx->program->source, ctx->program->compiler};
  size_t bytes = 256 + (size_t)row->holder_count * (TFE_NAME_BYTES + 40);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    bytes += 4 + (texts[i] ? strlen(texts[i]) : 0);
  for (const TfeStored *r = NULL; (r = stored_next(ctx, row->group, r)) != NULL;)
    bytes += 64 + strlen(r->field) + strlen(r->part) + 8 * (size_t)r->rank;
  return bytes;
}

static void stored_put_head(const TfeCtx *ctx, const TfeStored *row, const Generation *g, Writer *w) {
  const TfeProgram *program = ctx->program;
  const char *texts[] = {row->name, ctx->name,     row->protocol,   row->format,
                         row->type, program->hash, program->source, program->compiler};
  uint8_t key[32];
  put_number(w, TFE_PROTOCOL_VERSION, 4);
  put_number(w, (uint64_t)program->abi_version, 4);
  put_bytes(w, g->tag, TAG);
  put_number(w, g->order, 8);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    put_text(w, texts[i] ? texts[i] : "");
  put_number(w, (uint64_t)time(NULL), 8);
  put_number(w, (uint64_t)row->holder_count, 4);
  for (int64_t i = 0; i < row->holder_count; i++) {
    put_text(w, tfe_party_name(ctx, row->holders[i]));
    tfe_state_key(ctx, row->holders[i], key);
    put_bytes(w, key, sizeof key);
  }
  put_number(w, (uint64_t)stored_rows(ctx, row->group), 4);
  for (const TfeStored *r = NULL; (r = stored_next(ctx, row->group, r)) != NULL;) {
    put_text(w, r->field);
    put_text(w, r->part);
    put_number(w, (uint64_t)r->bits, 4);
    put_number(w, (uint64_t)(r->scale + 1), 4);
    put_number(w, (uint64_t)r->rank, 4);
    for (int64_t i = 0; i < r->rank; i++)
      put_number(w, (uint64_t)r->dims[i], 8);
  }
}

/* ------------------------------------------------------------------------------------------------ judging */

static bool stored_says(Text text, const char *wanted) {
  return text_same(text, (Text){wanted, strlen(wanted)});
}

static TfeStatus stored_foreign(TfeCtx *ctx, const SealedReader *file, const TfeStored *row, const char *what,
                                Text theirs, const char *ours) {
  char shown[128];
  TfeStatus status =
      tfe_fail(ctx, TFE_STATE_FOREIGN, "the stored shares `%s` are %s %s, and here %s is needed", row->name,
               what, text_show(theirs, shown), ours);
  tfe_note(ctx, "%s, loaded at %s", file->path, row->where);
  return status;
}

/* The same holders, with the same keys as far as both are known. */
static TfeStatus stored_judge_holders(TfeCtx *ctx, const SealedReader *file, const TfeStored *row,
                                      Reader *r) {
  static const uint8_t unknown[32];
  uint64_t count = take_number(r, 4);
  for (uint64_t i = 0; i < count && !r->bad; i++) {
    uint8_t ours[32];
    Text name = take_text(r);
    const uint8_t *theirs = take_bytes(r, 32);
    if (r->bad)
      break;
    const char *wanted =
        i < (uint64_t)row->holder_count ? tfe_party_name(ctx, row->holders[i]) : "no further party";
    if (!stored_says(name, wanted))
      return stored_foreign(ctx, file, row, "held by", name, wanted);
    tfe_state_key(ctx, row->holders[i], ours);
    if (memcmp(ours, theirs, 32) == 0 || memcmp(ours, unknown, 32) == 0 || memcmp(theirs, unknown, 32) == 0)
      continue;
    char text[2][TFE_IDENTITY_TEXT_BYTES];
    tfe_identity_short(theirs, text[0]);
    tfe_identity_short(ours, text[1]);
    TfeStatus status =
        tfe_fail(ctx, TFE_STATE_FOREIGN, "the stored shares `%s` are held by another %s than this one",
                 row->name, wanted);
    tfe_note(ctx, "%s: its key was %s, in hosts.toml it is %s", file->path, text[0], text[1]);
    tfe_help(ctx, "use the hosts.toml of the run that stored them, or store anew");
    return status;
  }
  if (r->bad)
    return sealed_damaged(ctx, file, "its head is not whole");
  if (count < (uint64_t)row->holder_count)
    return stored_foreign(ctx, file, row, "held by", (Text){"fewer parties", 13},
                          tfe_party_name(ctx, row->holders[count]));
  return TFE_OK;
}

/* The same tensors in the same form? *bytes: of the body. */
static bool stored_same_rows(const TfeCtx *ctx, const TfeStored *first, Reader *r) {
  bool same = take_number(r, 4) == (uint64_t)stored_rows(ctx, first->group);
  for (const TfeStored *row = NULL; same && (row = stored_next(ctx, first->group, row)) != NULL;) {
    same = stored_says(take_text(r), row->field);
    same = stored_says(take_text(r), row->part) && same;
    same = take_number(r, 4) == (uint64_t)row->bits && same;
    same = take_number(r, 4) == (uint64_t)(row->scale + 1) && same;
    same = take_number(r, 4) == (uint64_t)row->rank && same;
    for (int64_t i = 0; same && i < row->rank; i++)
      same = take_number(r, 8) == (uint64_t)row->dims[i];
  }
  return same && !r->bad && r->left == 0;
}

static TfeStatus stored_judge_head(TfeCtx *ctx, const SealedReader *file, const TfeStored *row) {
  Head head;
  char version[64];
  if (!stored_take_head(file, &head))
    return sealed_damaged(ctx, file, "its head is not whole");
  if (!stored_says(head.name, row->name))
    return stored_foreign(ctx, file, row, "named", head.name, row->name);
  if (!stored_says(head.party, ctx->name))
    return stored_foreign(ctx, file, row, "those of", head.party, ctx->name);
  if (!stored_says(head.kind, row->protocol))
    return stored_foreign(ctx, file, row, "of protocol kind", head.kind, row->protocol);
  if (!stored_says(head.format, row->format))
    return stored_foreign(ctx, file, row, "of a protocol with", head.format, row->format);
  if (head.protocol != TFE_PROTOCOL_VERSION) {
    snprintf(version, sizeof version, "protocol version %d", TFE_PROTOCOL_VERSION);
    return stored_foreign(ctx, file, row, "of another version of tfec:", head.compiler, version);
  }
  TRY(stored_judge_holders(ctx, file, row, &head.holders));
  if (!stored_same_rows(ctx, row, &head.holders))
    return stored_foreign(ctx, file, row, "a", head.type, row->type);
  return TFE_OK;
}

TfeStatus tfe_stored_judge(TfeCtx *ctx, int fd, const char *shown, const TfeStored *row) {
  SealedReader file;
  TRY(sealed_judge(ctx, &file, fd, shown, ctx->state->me));
  TfeStatus status = stored_judge_head(ctx, &file, row);
  uint64_t bytes = 0;
  for (const TfeStored *r = NULL; (r = stored_next(ctx, row->group, r)) != NULL;)
    bytes += (uint64_t)tfe_pack_bytes(stored_elements(r), r->bits);
  if (status == TFE_OK && file.end - file.at != bytes)
    status = sealed_damaged(ctx, &file, "it has not as many elements as it says");
  sealed_close(&file);
  return status;
}

/* ----------------------------------------------------------------------------------------- what there is */

static int stored_newer(const void *a, const void *b) {
  const Generation *x = a, *y = b;
  return (x->order < y->order) - (x->order > y->order);
}

/* Its place in the order; that it is what the program loads, for each statement that does. */
static TfeStatus stored_look_at(TfeCtx *ctx, Name *name, Generation *g) {
  SealedReader file;
  Head head;
  TRY(sealed_open(ctx, &file, ctx->state->folder, g->file, ctx->state->me));
  TfeStatus status = TFE_OK;
  if (!stored_take_head(&file, &head) || memcmp(head.tag, g->tag, TAG) != 0)
    status = sealed_damaged(ctx, &file, "its head is not that of this name");
  g->order = status == TFE_OK ? head.order : 0;
  char path[SEALED_PATH_BYTES];
  snprintf(path, sizeof path, "%s", file.path);
  sealed_close(&file);
  for (int64_t i = 0; status == TFE_OK && i < ctx->program->stored_count; i++) {
    const TfeStored *row = &ctx->program->stored[i];
    if (!row->loads || !stored_own(ctx, row) || strcmp(row->name, name->row->name) != 0 ||
        stored_next(ctx, row->group, NULL) != row)
      continue;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      return tfe_fail(ctx, TFE_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    status = tfe_stored_judge(ctx, fd, path, row);
  }
  return status;
}

static TfeStatus stored_find(TfeCtx *ctx, Name *name) {
  DIR *list = opendir(ctx->state->folder);
  if (list == NULL)
    return tfe_fail(ctx, TFE_STATE_MISSING, "cannot read the state folder %s: %s", ctx->state->folder,
                    strerror(errno));
  TfeStatus status = TFE_OK;
  for (const struct dirent *entry; status == TFE_OK && (entry = readdir(list)) != NULL;) {
    Generation *g = &name->held[name->count];
    if (strlen(entry->d_name) >= FILE_NAME || !stored_is_file(ctx, name->row->name, entry->d_name, g->tag))
      continue;
    snprintf(g->file, sizeof g->file, "%s", entry->d_name);
    status = stored_look_at(ctx, name, g);
    if (++name->count == GENERATIONS && status == TFE_OK)
      status = tfe_fail(ctx, TFE_STATE_FOREIGN, "there are more than %d generations of `%s` in %s",
                        GENERATIONS - 1, name->row->name, ctx->state->folder);
  }
  closedir(list);
  qsort(name->held, (size_t)name->count, sizeof *name->held, stored_newer);
  if (status != TFE_OK || name->count > 0 || !name->loads)
    return status;
  status = tfe_fail(ctx, TFE_STATE_MISSING, "there are no stored shares `%s` of %s in %s", name->row->name,
                    ctx->name, ctx->state->folder);
  tfe_note(ctx, "looked for %s.%s.*.shares, to be loaded at %s", name->row->name, ctx->name,
           name->row->where);
  tfe_help(ctx, "run the program that stores them first, or name its folder with --state");
  return status;
}

TfeStatus tfe_stored_check(TfeCtx *ctx) {
  const TfeProgram *program = ctx->program;
  TRY(tfe_alloc(ctx, sizeof *ctx->stored, &ctx->stored));
  struct TfeStoredState *s = ctx->stored;
  s->writing = s->reading = -1;
  s->writer.fd = s->reader.fd = -1;
  s->bytes = ((size_t)program->stored_count + 1) * sizeof *s->names;
  TRY(tfe_alloc(ctx, s->bytes, &s->names));
  for (int64_t i = 0; i < program->stored_count; i++) {
    const TfeStored *row = &program->stored[i];
    if (!stored_own(ctx, row))
      continue;
    Name *name = stored_name(ctx, row->name);
    if (name == NULL) {
      name = &s->names[s->count++];
      *name = (Name){.row = row, .common = -1};
    }
    name->loads |= row->loads != 0;
  }
  for (int i = 0; i < s->count; i++)
    TRY(stored_find(ctx, &s->names[i]));
  return TFE_OK;
}

void tfe_stored_free(TfeCtx *ctx) {
  struct TfeStoredState *s = ctx->stored;
  if (s == NULL)
    return;
  if (s->writing >= 0)
    sealed_abandon(&s->writer);
  if (s->reading >= 0)
    sealed_close(&s->reader);
  tfe_release(s->names, s->bytes);
  tfe_release(s, sizeof *s);
  ctx->stored = NULL;
}

/* ---------------------------------------------------------------------------------------------- agreement */

size_t tfe_stored_card_bytes(const TfeCtx *ctx) {
  size_t bytes = 4;
  for (int i = 0; ctx->stored && i < ctx->stored->count; i++) {
    const Name *name = &ctx->stored->names[i];
    bytes += 8 + strlen(name->row->name) + (size_t)name->count * TAG;
  }
  return bytes;
}

void tfe_stored_put_card(const TfeCtx *ctx, Writer *w) {
  put_number(w, ctx->stored ? (uint64_t)ctx->stored->count : 0, 4);
  for (int i = 0; ctx->stored && i < ctx->stored->count; i++) {
    const Name *name = &ctx->stored->names[i];
    put_text(w, name->row->name);
    put_number(w, (uint64_t)name->count, 4);
    for (int k = 0; k < name->count; k++)
      put_bytes(w, name->held[k].tag, TAG);
  }
}

/* The tags that a greeting lists for a name: how many. */
static uint64_t stored_listed(Text card, const char *name, const uint8_t **tags) {
  Reader r = {(const uint8_t *)card.at, card.length, false};
  uint64_t names = card.length > 0 ? take_number(&r, 4) : 0;
  for (uint64_t i = 0; i < names && !r.bad; i++) {
    Text listed = take_text(&r);
    uint64_t count = take_number(&r, 4);
    *tags = count <= GENERATIONS ? take_bytes(&r, (size_t)count * TAG) : NULL;
    if (*tags != NULL && stored_says(listed, name))
      return count;
    r.bad = r.bad || count > GENERATIONS;
  }
  return 0;
}

static bool stored_all_have(const Text *cards, const Name *name, const uint8_t *tag) {
  for (int64_t h = 0; h < name->row->holder_count; h++) {
    const uint8_t *tags = NULL;
    uint64_t count = stored_listed(cards[name->row->holders[h]], name->row->name, &tags);
    bool found = false;
    for (uint64_t k = 0; k < count; k++)
      found = found || memcmp(tags + k * TAG, tag, TAG) == 0;
    if (!found)
      return false;
  }
  return true;
}

/* "server1 has run 9a41..., server2 has run 77d0..." */
static TfeStatus stored_apart(TfeCtx *ctx, const Text *cards, const Name *name) {
  char line[800] = "", text[TAG_TEXT + 1];
  size_t used = 0;
  for (int64_t h = 0; h < name->row->holder_count && used < sizeof line - 200; h++) {
    const uint8_t *tags = NULL;
    uint64_t count = stored_listed(cards[name->row->holders[h]], name->row->name, &tags);
    used += (size_t)snprintf(line + used, sizeof line - used, "%s%s has ", h ? ", " : "",
                             tfe_party_name(ctx, name->row->holders[h]));
    for (uint64_t k = 0; k < count && used < sizeof line - 100; k++) {
      stored_tag_text(tags + k * TAG, text);
      used += (size_t)snprintf(line + used, sizeof line - used, "%s%.8s…",
                               k           ? " and "
                               : count > 1 ? "runs "
                                           : "run ",
                               text);
    }
    if (count == 0)
      used += (size_t)snprintf(line + used, sizeof line - used, "none");
  }
  tfe_chan_blame(ctx, TFE_STATE_DIFFERS, ctx->party);
  TfeStatus status = tfe_fail(ctx, TFE_STATE_DIFFERS, "stored shares `%s` do not belong together: %s",
                              name->row->name, line);
  tfe_help(ctx, "copy the --state folders of the same run back");
  return status;
}

static TfeStatus stored_choose(TfeCtx *ctx, const Text *cards, Name *name) {
  const uint8_t *tags = NULL;
  uint64_t count = stored_listed(cards[name->row->holders[0]], name->row->name, &tags);
  for (uint64_t k = 0; k < count && name->common < 0; k++)
    for (int i = 0; i < name->count && name->common < 0 && stored_all_have(cards, name, tags + k * TAG); i++)
      if (memcmp(name->held[i].tag, tags + k * TAG, TAG) == 0) {
        name->common = i;
        memcpy(name->common_tag, name->held[i].tag, TAG);
      }
  if (name->common < 0)
    return name->loads ? stored_apart(ctx, cards, name) : TFE_OK;
  if (name->loads && name->common > 0)
    tfe_progress_log(ctx, "of the stored shares `%s` the newest that all have is number %" PRIu64,
                     name->row->name, name->held[name->common].order);
  return TFE_OK;
}

TfeStatus tfe_stored_agree(TfeCtx *ctx, const Text *cards) {
  for (int i = 0; ctx->stored && i < ctx->stored->count; i++)
    TRY(stored_choose(ctx, cards, &ctx->stored->names[i]));
  return TFE_OK;
}

/* ---------------------------------------------------------------------------------------------------- load */

static TfeStatus stored_begin_load(TfeCtx *ctx, const TfeStored *row) {
  struct TfeStoredState *s = ctx->stored;
  const Name *name = stored_name(ctx, row->name);
  char file[FILE_NAME];
  stored_file_name(ctx, row->name, name->common_tag, file);
  TRY(sealed_open(ctx, &s->reader, ctx->state->folder, file, ctx->state->me));
  s->reading = row->group;
  s->read = 0;
  return stored_judge_head(ctx, &s->reader, row);
}

int32_t tfe_load(TfeCtx *ctx, uint64_t *out, int64_t number) {
  struct TfeStoredState *s = ctx->stored;
  const TfeStored *row = &ctx->program->stored[number];
  if (s->reading != row->group)
    TRY(stored_begin_load(ctx, row));
  TRY(sealed_take_packed(ctx, &s->reader, out, stored_elements(row), row->bits));
  if (++s->read < stored_rows(ctx, row->group))
    return TFE_OK;
  sealed_close(&s->reader);
  s->reading = -1;
  return TFE_OK;
}

/* --------------------------------------------------------------------------------------------------- store */

/* The same at all holders, and at no other store of any run. */
static void stored_fresh_tag(const TfeCtx *ctx, const Name *name, uint8_t tag[TAG]) {
  uint8_t bytes[16 + sizeof ctx->session_id + 8 + 256] = "tfe stored";
  uint8_t digest[SHA256_DIGEST_LENGTH];
  Writer w = {bytes + 16};
  put_bytes(&w, ctx->session_id, sizeof ctx->session_id);
  put_number(&w, name->stores, 8);
  put_bytes(&w, name->row->name, strnlen(name->row->name, 256));
  SHA256(bytes, (size_t)(w.at - bytes), digest);
  memcpy(tag, digest, TAG);
}

static TfeStatus stored_begin_store(TfeCtx *ctx, const TfeStored *row) {
  struct TfeStoredState *s = ctx->stored;
  Name *name = stored_name(ctx, row->name);
  Generation g = {.order = name->count > 0 ? name->held[0].order + 1 : 1};
  uint8_t *head = NULL;
  size_t room = stored_head_room(ctx, row);
  name->stores++;
  stored_fresh_tag(ctx, name, g.tag);
  stored_file_name(ctx, row->name, g.tag, g.file);
  TRY(tfe_alloc(ctx, room, &head));
  Writer w = {head};
  stored_put_head(ctx, row, &g, &w);
  assert((size_t)(w.at - head) <= room);
  TfeStatus status = sealed_create(ctx, &s->writer, ctx->state->folder, g.file, head, (size_t)(w.at - head));
  tfe_release(head, room);
  TRY(status);
  s->writing = row->group;
  s->written = 0;
  memcpy(s->tag, g.tag, TAG);
  return TFE_OK;
}

/* Keeps the newest, the one before, and what all had at the start of the run. */
static void stored_forget(TfeCtx *ctx, Name *name) {
  int kept = 0;
  for (int i = 0; i < name->count; i++) {
    const Generation *g = &name->held[i];
    char path[SEALED_PATH_BYTES];
    bool needed = i < KEPT || (name->common >= 0 && memcmp(g->tag, name->common_tag, TAG) == 0);
    if (needed)
      name->held[kept++] = *g;
    else if (snprintf(path, sizeof path, "%s/%s", ctx->state->folder, g->file) > 0 && unlink(path) != 0)
      tfe_progress_log(ctx, "cannot remove %s: %s", path, strerror(errno));
  }
  name->count = kept;
}

static TfeStatus stored_end_store(TfeCtx *ctx, const TfeStored *row) {
  struct TfeStoredState *s = ctx->stored;
  Name *name = stored_name(ctx, row->name);
  s->writing = -1;
  TRY(sealed_commit(ctx, &s->writer, ctx->state->me));
  uint64_t order = name->count > 0 ? name->held[0].order + 1 : 1;
  int from = 0; /* a run that was resumed stores the same again */
  while (from < name->count && memcmp(name->held[from].tag, s->tag, TAG) != 0)
    from++;
  if (from == name->count && from == GENERATIONS - 1)
    from--;
  name->count += from == name->count;
  memmove(name->held + 1, name->held, (size_t)from * sizeof *name->held);
  Generation *g = &name->held[0];
  g->order = order;
  memcpy(g->tag, s->tag, TAG);
  stored_file_name(ctx, row->name, g->tag, g->file);
  stored_forget(ctx, name);
  tfe_progress_log(ctx, "stored `%s`: %s/%s", row->name, ctx->state->folder, g->file);
  return TFE_OK;
}

int32_t tfe_store(TfeCtx *ctx, const uint64_t *data, int64_t number) {
  struct TfeStoredState *s = ctx->stored;
  const TfeStored *row = &ctx->program->stored[number];
  if (s->writing != row->group)
    TRY(stored_begin_store(ctx, row));
  TfeStatus status = sealed_put_packed(ctx, &s->writer, data, stored_elements(row), row->bits);
  if (status != TFE_OK)
    s->writing = -1;
  TRY(status);
  return ++s->written < stored_rows(ctx, row->group) ? TFE_OK : stored_end_store(ctx, row);
}

/* --------------------------------------------------------------------------------------------- checkpoints */

enum { SAVED = 8 + 1 + TAG }; /* of a name: stores, whether all had one at the start, its tag */

size_t tfe_stored_saved_bytes(const TfeCtx *ctx) {
  return ctx->stored ? SAVED * (size_t)ctx->stored->count : 0;
}

TfeStatus tfe_stored_save(TfeCtx *ctx, SealedWriter *file) {
  for (int i = 0; ctx->stored && i < ctx->stored->count; i++) {
    const Name *name = &ctx->stored->names[i];
    uint8_t bytes[SAVED];
    Writer w = {bytes};
    put_number(&w, name->stores, 8);
    put_number(&w, name->common >= 0, 1);
    put_bytes(&w, name->common_tag, TAG);
    TRY(sealed_put(ctx, file, bytes, sizeof bytes));
  }
  return TFE_OK;
}

TfeStatus tfe_stored_restore(TfeCtx *ctx, SealedReader *file) {
  for (int i = 0; ctx->stored && i < ctx->stored->count; i++) {
    Name *name = &ctx->stored->names[i];
    uint8_t bytes[SAVED];
    TRY(sealed_take(ctx, file, bytes, sizeof bytes));
    Reader r = {bytes, sizeof bytes, false};
    name->stores = take_number(&r, 8);
    name->common = take_number(&r, 1) ? 0 : -1;
    memcpy(name->common_tag, take_bytes(&r, TAG), TAG);
  }
  return TFE_OK;
}
