/* A dealt batch: everything that a producer would have sent to one party in one run, in a file, so that the
 * producer need not be there during the run.
 *
 *   head      "tfedealt", u32 format, u32 bytes of the fields that follow:
 *             u32 protocol, u32 abi; texts (bytes.h) hash, source, compiler, parameters, dealer, receiver;
 *             id (16 bytes), u64 number, u8 has_seed, u64 seed, pairwise key (16), the dealer's public key (32)
 *   messages  as on a connection: header (include/program.h) and payload, in order
 *   tail      "tfedealt", SHA-256 of all bytes before the tail, Ed25519 signature of it by the dealer
 *
 * The id is random and the same in all files of a batch. What a session agrees on by its greetings and the
 * dealer's work depends on (public seed, key of the comparison keys) follows from it. Pure layout: deal.c
 * writes, dealt.c reads and judges. */
#ifndef TFE_BATCH_H
#define TFE_BATCH_H

#include "bytes.h"
#include "ctx.h"
#include "identity.h"
#include "prg/prg.h"

enum {
  BATCH_FORMAT = 1,
  BATCH_ID_BYTES = 16,
  BATCH_DIGEST_BYTES = 32,
  BATCH_MAGIC_BYTES = 8,
  BATCH_START_BYTES = BATCH_MAGIC_BYTES + 8, /* magic, format, bytes of the fields */
  BATCH_TAIL_BYTES = BATCH_MAGIC_BYTES + BATCH_DIGEST_BYTES + TFE_IDENTITY_SIGNATURE_BYTES,
  BATCH_FIELDS_LIMIT = 1 << 20,
};
extern const uint8_t batch_magic[BATCH_MAGIC_BYTES];

/* The fields of a head. */
typedef struct Batch {
  uint32_t protocol, abi;
  Text hash, source, compiler, parameters, dealer, receiver; /* borrowed */
  uint8_t id[BATCH_ID_BYTES];
  uint64_t number;
  bool has_seed;
  uint64_t seed;
  uint8_t key[TFE_KEY_BYTES]; /* secret */
  uint8_t signer[TFE_IDENTITY_KEY_BYTES];
} Batch;

/* Bytes of a head, and the head. */
size_t batch_head_bytes(const Batch *batch);
void batch_put_head(const Batch *batch, uint8_t *out);
/* The fields; texts point into them. false: they are not of this format. */
bool batch_take_fields(const uint8_t *fields, size_t bytes, Batch *out);

/* What is signed of a digest. */
enum { BATCH_SIGNED_BYTES = 16 + BATCH_DIGEST_BYTES };
void batch_signed(const uint8_t digest[BATCH_DIGEST_BYTES], uint8_t out[BATCH_SIGNED_BYTES]);
/* What a session with this batch has instead of what greetings agree on; from program hash and id. */
uint64_t batch_public_seed(const char *hash, const uint8_t id[BATCH_ID_BYTES]);
void batch_hash_key(const char *hash, const uint8_t id[BATCH_ID_BYTES], uint8_t key[16]);

/* Where a batch lies: "/batch-000003" in the producer's folder, "server1.dealt" in that. */
enum { BATCH_FOLDER_BYTES = 32, BATCH_FILE_BYTES = TFE_NAME_BYTES + 16 };
void batch_folder_name(uint64_t number, char out[BATCH_FOLDER_BYTES]);
void batch_file_name(const char *party, char out[BATCH_FILE_BYTES]);
/* The number of a folder "batch-000003"; 0: it is none. */
uint64_t batch_folder_number(const char *name);

/* "batch 3 (9f2a41c0)" */
typedef struct BatchName {
  char text[48];
} BatchName;
BatchName batch_name(uint64_t number, const uint8_t id[BATCH_ID_BYTES]);

#endif
