/* Layout of a dealt batch (see batch.h). */
#include "batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

const uint8_t batch_magic[BATCH_MAGIC_BYTES] = {'t', 'f', 'e', 'd', 'e', 'a', 'l', 't'};

enum { TEXTS = 6 };

static void batch_texts(const Batch *batch, Text out[TEXTS]) {
  const Text texts[TEXTS] = {batch->hash,       batch->source, batch->compiler,
                             batch->parameters, batch->dealer, batch->receiver};
  memcpy(out, texts, sizeof texts);
}

size_t batch_head_bytes(const Batch *batch) {
  Text texts[TEXTS];
  size_t bytes =
      BATCH_START_BYTES + 4 + 4 + BATCH_ID_BYTES + 8 + 1 + 8 + TFE_KEY_BYTES + TFE_IDENTITY_KEY_BYTES;
  batch_texts(batch, texts);
  for (int i = 0; i < TEXTS; i++)
    bytes += 4 + texts[i].length;
  return bytes;
}

void batch_put_head(const Batch *batch, uint8_t *out) {
  Writer w = {out};
  Text texts[TEXTS];
  batch_texts(batch, texts);
  put_bytes(&w, batch_magic, sizeof batch_magic);
  put_number(&w, BATCH_FORMAT, 4);
  put_number(&w, batch_head_bytes(batch) - BATCH_START_BYTES, 4);
  put_number(&w, batch->protocol, 4);
  put_number(&w, batch->abi, 4);
  for (int i = 0; i < TEXTS; i++) {
    put_number(&w, texts[i].length, 4);
    put_bytes(&w, texts[i].at, texts[i].length);
  }
  put_bytes(&w, batch->id, sizeof batch->id);
  put_number(&w, batch->number, 8);
  put_number(&w, batch->has_seed, 1);
  put_number(&w, batch->seed, 8);
  put_bytes(&w, batch->key, sizeof batch->key);
  put_bytes(&w, batch->signer, sizeof batch->signer);
}

static void batch_take_copy(Reader *r, uint8_t *out, size_t bytes) {
  const uint8_t *at = take_bytes(r, bytes);
  if (at != NULL)
    memcpy(out, at, bytes);
}

bool batch_take_fields(const uint8_t *fields, size_t bytes, Batch *out) {
  Reader r = {fields, bytes, false};
  Batch b = {0};
  b.protocol = (uint32_t)take_number(&r, 4);
  b.abi = (uint32_t)take_number(&r, 4);
  b.hash = take_text(&r);
  b.source = take_text(&r);
  b.compiler = take_text(&r);
  b.parameters = take_text(&r);
  b.dealer = take_text(&r);
  b.receiver = take_text(&r);
  batch_take_copy(&r, b.id, sizeof b.id);
  b.number = take_number(&r, 8);
  b.has_seed = take_number(&r, 1) != 0;
  b.seed = take_number(&r, 8);
  batch_take_copy(&r, b.key, sizeof b.key);
  batch_take_copy(&r, b.signer, sizeof b.signer);
  *out = b;
  OPENSSL_cleanse(b.key, sizeof b.key);
  return !r.bad && r.left == 0;
}

void batch_signed(const uint8_t digest[BATCH_DIGEST_BYTES], uint8_t out[BATCH_SIGNED_BYTES]) {
  static const uint8_t label[16] = "tfe dealt batch"; /* with its NUL */
  Writer w = {out};
  put_bytes(&w, label, sizeof label);
  put_bytes(&w, digest, BATCH_DIGEST_BYTES);
}

static void batch_derive(const char *label, const char *hash, const uint8_t id[BATCH_ID_BYTES],
                         uint8_t out[BATCH_DIGEST_BYTES]) {
  uint8_t parts[3 * BATCH_DIGEST_BYTES] = {0}; /* hashed one by one: no length can be confused */
  SHA256((const uint8_t *)label, strlen(label), parts);
  SHA256((const uint8_t *)hash, strlen(hash), parts + BATCH_DIGEST_BYTES);
  memcpy(parts + 2 * BATCH_DIGEST_BYTES, id, BATCH_ID_BYTES);
  SHA256(parts, sizeof parts, out);
}

uint64_t batch_public_seed(const char *hash, const uint8_t id[BATCH_ID_BYTES]) {
  uint8_t digest[BATCH_DIGEST_BYTES];
  uint64_t seed;
  batch_derive("tfe public seed", hash, id, digest);
  memcpy(&seed, digest, sizeof seed);
  return seed;
}

void batch_hash_key(const char *hash, const uint8_t id[BATCH_ID_BYTES], uint8_t key[16]) {
  uint8_t digest[BATCH_DIGEST_BYTES];
  batch_derive("tfe comparison keys", hash, id, digest);
  memcpy(key, digest, 16);
}

void batch_folder_name(uint64_t number, char out[BATCH_FOLDER_BYTES]) {
  snprintf(out, BATCH_FOLDER_BYTES, "/batch-%06" PRIu64, number);
}

void batch_file_name(const char *party, char out[BATCH_FILE_BYTES]) {
  snprintf(out, BATCH_FILE_BYTES, "%s.dealt", party);
}

uint64_t batch_folder_number(const char *name) {
  char same[BATCH_FOLDER_BYTES];
  if (strncmp(name, "batch-", 6) != 0)
    return 0;
  uint64_t number = strtoull(name + 6, NULL, 10);
  batch_folder_name(number, same);
  return strcmp(name, same + 1) == 0 && number < UINT64_MAX ? number : 0;
}

BatchName batch_name(uint64_t number, const uint8_t id[BATCH_ID_BYTES]) {
  BatchName name;
  snprintf(name.text, sizeof name.text, "batch %" PRIu64 " (%02x%02x%02x%02x)", number, id[0], id[1], id[2],
           id[3]);
  return name;
}
