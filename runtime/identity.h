/* Who a party is: an Ed25519 key whose public half the peers pin in hosts.toml ("tfe1:" and 43 characters
 * of base64url), or a certificate of an organisation's own authority. With a pinned key the certificate
 * that TLS wants is made in memory, signed by the key itself, and never stored: only the key in it counts. */
#ifndef TFE_IDENTITY_H
#define TFE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "ctx.h"

enum { TFE_IDENTITY_KEY_BYTES = 32, TFE_IDENTITY_TEXT_BYTES = 56, TFE_IDENTITY_SIGNATURE_BYTES = 64 };

typedef struct TfeIdentity {
  EVP_PKEY *key;
  X509 *certificate;
  STACK_OF(X509) * chain; /* intermediate certificates of --cert, or NULL */
  X509_STORE *roots;      /* of --ca, or NULL: only pinned keys count */
  bool has_public_key;    /* the key is Ed25519 and public_key its public half */
  uint8_t public_key[TFE_IDENTITY_KEY_BYTES];
} TfeIdentity;

/* A fresh key that is stored nowhere. */
TfeStatus tfe_identity_new(TfeCtx *ctx, TfeIdentity **out) TFE_MUST_USE;
/* From a key file; refuses files that others can read. */
TfeStatus tfe_identity_load(TfeCtx *ctx, const char *path, TfeIdentity **out) TFE_MUST_USE;
/* --cert, --key, --ca: PEM files; the certificate must belong to the key. */
TfeStatus tfe_identity_load_pki(TfeCtx *ctx, const char *certificate, const char *key, const char *authority,
                                TfeIdentity **out) TFE_MUST_USE;
void tfe_identity_free(TfeIdentity *identity);

/* Makes a key file (PEM, PKCS#8, mode 0600). Never touches an existing file unless `renew`, and then
 * replaces it in one step. */
TfeStatus tfe_identity_keygen(TfeCtx *ctx, const char *path, bool renew,
                              uint8_t public_key[TFE_IDENTITY_KEY_BYTES]) TFE_MUST_USE;

/* Ed25519. sign: only with has_public_key. */
TfeStatus tfe_identity_sign(TfeCtx *ctx, const TfeIdentity *identity, const void *data, size_t bytes,
                            uint8_t signature[TFE_IDENTITY_SIGNATURE_BYTES]) TFE_MUST_USE;
bool tfe_identity_verify(const uint8_t key[TFE_IDENTITY_KEY_BYTES], const void *data, size_t bytes,
                         const uint8_t signature[TFE_IDENTITY_SIGNATURE_BYTES]);

/* "tfe1:..." of a public key, whole or as "tfe1:3vQ0...9xKf" for messages; and back. */
void tfe_identity_text(const uint8_t key[TFE_IDENTITY_KEY_BYTES], char text[TFE_IDENTITY_TEXT_BYTES]);
void tfe_identity_short(const uint8_t key[TFE_IDENTITY_KEY_BYTES], char text[TFE_IDENTITY_TEXT_BYTES]);
bool tfe_identity_parse(const char *text, uint8_t key[TFE_IDENTITY_KEY_BYTES]);

#endif
