/* Keys and certificates of a party (see identity.h). Uses OpenSSL's key and certificate functions only;
 * TLS itself is in chan/chan_tls.c. Key files are written beside their final name and moved there in one
 * step, so that a crash leaves either the old key or the new one. */
#define _GNU_SOURCE
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static const char identity_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char identity_prefix[] = "tfe1:";

enum { IDENTITY_PREFIX = 5, IDENTITY_DIGITS = 43 };

/* ------------------------------------------------------------------------------------ public keys as text */

void tfe_identity_text(const uint8_t key[TFE_IDENTITY_KEY_BYTES], char text[TFE_IDENTITY_TEXT_BYTES]) {
  memcpy(text, identity_prefix, IDENTITY_PREFIX);
  char *digit = text + IDENTITY_PREFIX;
  for (int bit = 0; bit < 8 * TFE_IDENTITY_KEY_BYTES; bit += 6) {
    int byte = bit / 8;
    unsigned window = (unsigned)key[byte] << 8;
    if (byte + 1 < TFE_IDENTITY_KEY_BYTES)
      window |= key[byte + 1];
    *digit++ = identity_alphabet[window >> (10 - bit % 8) & 63];
  }
  *digit = '\0';
}

void tfe_identity_short(const uint8_t key[TFE_IDENTITY_KEY_BYTES], char text[TFE_IDENTITY_TEXT_BYTES]) {
  char whole[TFE_IDENTITY_TEXT_BYTES];
  tfe_identity_text(key, whole);
  snprintf(text, TFE_IDENTITY_TEXT_BYTES, "%.9s…%s", whole, whole + IDENTITY_PREFIX + IDENTITY_DIGITS - 4);
}

bool tfe_identity_parse(const char *text, uint8_t key[TFE_IDENTITY_KEY_BYTES]) {
  if (strncmp(text, identity_prefix, IDENTITY_PREFIX) != 0 ||
      strlen(text) != IDENTITY_PREFIX + IDENTITY_DIGITS)
    return false;
  uint8_t bytes[TFE_IDENTITY_KEY_BYTES] = {0};
  unsigned left_over = 0;
  for (int i = 0; i < IDENTITY_DIGITS; i++) {
    const char *found = strchr(identity_alphabet, text[IDENTITY_PREFIX + i]);
    if (found == NULL)
      return false;
    unsigned digit = (unsigned)(found - identity_alphabet);
    for (int bit = 0; bit < 6; bit++) {
      int at = 6 * i + bit;
      unsigned value = digit >> (5 - bit) & 1;
      if (at < 8 * TFE_IDENTITY_KEY_BYTES)
        bytes[at / 8] = (uint8_t)(bytes[at / 8] | value << (7 - at % 8));
      else
        left_over |= value;
    }
  }
  if (left_over)
    return false;
  memcpy(key, bytes, sizeof bytes);
  return true;
}

/* ----------------------------------------------------------------------------------------------- identity */

static TfeStatus identity_crypto_failed(TfeCtx *ctx, const char *what) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return tfe_fail(ctx, TFE_KEY_FILE, "%s: %s", what, reason ? reason : "unknown reason");
}

void tfe_identity_free(TfeIdentity *identity) {
  if (identity == NULL)
    return;
  EVP_PKEY_free(identity->key);
  X509_free(identity->certificate);
  sk_X509_pop_free(identity->chain, X509_free);
  X509_STORE_free(identity->roots);
  free(identity);
}

/* A certificate around the key, valid as long as a certificate can be: nobody looks at its dates. */
static X509 *identity_self_signed(EVP_PKEY *key) {
  X509 *certificate = X509_new();
  X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;
  bool good =
      name != NULL && X509_set_version(certificate, 2) == 1 &&
      ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
      X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) != NULL &&
      X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * 3650) != NULL &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"tfe", -1, -1, 0) == 1 &&
      X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
      X509_sign(certificate, key, NULL) > 0;
  if (good)
    return certificate;
  X509_free(certificate);
  return NULL;
}

/* Takes the key, also when it fails. */
static TfeStatus identity_from_key(TfeCtx *ctx, EVP_PKEY *key, TfeIdentity **out) {
  TfeIdentity *identity = calloc(1, sizeof *identity);
  if (identity == NULL) {
    EVP_PKEY_free(key);
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  }
  identity->key = key;
  size_t length = TFE_IDENTITY_KEY_BYTES;
  identity->has_public_key = EVP_PKEY_id(key) == EVP_PKEY_ED25519 &&
                             EVP_PKEY_get_raw_public_key(key, identity->public_key, &length) == 1;
  *out = identity;
  return TFE_OK;
}

static TfeStatus identity_finish(TfeCtx *ctx, TfeIdentity *identity, TfeIdentity **out) {
  identity->certificate = identity_self_signed(identity->key);
  if (identity->certificate == NULL) {
    tfe_identity_free(identity);
    return identity_crypto_failed(ctx, "cannot make a certificate");
  }
  *out = identity;
  return TFE_OK;
}

TfeStatus tfe_identity_new(TfeCtx *ctx, TfeIdentity **out) {
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  if (key == NULL)
    return identity_crypto_failed(ctx, "cannot make a key");
  TfeIdentity *identity = NULL;
  TRY(identity_from_key(ctx, key, &identity));
  return identity_finish(ctx, identity, out);
}

/* A key that cannot be typed in: encrypted key files are refused instead of asking on the terminal. */
static int identity_no_password(char *buffer, int size, int writing, void *user) {
  (void)buffer, (void)size, (void)writing, (void)user;
  return -1;
}

/* All members of a family have one executable: party-provider, not party-provider.3. */
static int identity_executable(const TfeCtx *ctx) {
  return (int)strcspn(ctx->binary, ".");
}

static TfeStatus identity_read_key(TfeCtx *ctx, const char *path, EVP_PKEY **out) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    TfeStatus status = tfe_fail(ctx, TFE_KEY_FILE, "cannot read the key file %s: %s", path, strerror(errno));
    tfe_help(ctx, "make one with `%.*s keygen -o %s` and put the line it prints into hosts.toml",
             identity_executable(ctx), ctx->binary, path);
    return status;
  }
  struct stat about;
  if (fstat(fd, &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    close(fd);
    TfeStatus status = tfe_fail(ctx, TFE_KEY_FILE, "the key file %s can be read by others (mode %04o)", path,
                                (unsigned)(about.st_mode & 07777));
    tfe_help(ctx, "chmod 600 %s; if others may have read it, make a new key with `%.*s keygen --renew -o %s`",
             path, identity_executable(ctx), ctx->binary, path);
    return status;
  }
  FILE *file = fdopen(fd, "r");
  if (file == NULL) {
    close(fd);
    return tfe_fail(ctx, TFE_KEY_FILE, "cannot read the key file %s: %s", path, strerror(errno));
  }
  *out = PEM_read_PrivateKey(file, NULL, identity_no_password, NULL);
  fclose(file);
  ERR_clear_error();
  if (*out != NULL)
    return TFE_OK;
  TfeStatus status = tfe_fail(ctx, TFE_KEY_FILE, "%s is not a key file", path);
  tfe_help(ctx, "a key file is what `%.*s keygen` writes (PEM, without a password)", identity_executable(ctx),
           ctx->binary);
  return status;
}

TfeStatus tfe_identity_load(TfeCtx *ctx, const char *path, TfeIdentity **out) {
  EVP_PKEY *key = NULL;
  TRY(identity_read_key(ctx, path, &key));
  TfeIdentity *identity = NULL;
  TRY(identity_from_key(ctx, key, &identity));
  if (identity->has_public_key)
    return identity_finish(ctx, identity, out);
  tfe_identity_free(identity);
  TfeStatus status = tfe_fail(ctx, TFE_KEY_FILE, "%s does not hold an Ed25519 key", path);
  tfe_help(ctx, "make one with `%.*s keygen`, or give --cert and --ca as well to use certificates",
           identity_executable(ctx), ctx->binary);
  return status;
}

static TfeStatus identity_read_certificates(TfeCtx *ctx, TfeIdentity *identity, const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return tfe_fail(ctx, TFE_KEY_FILE, "cannot read the certificate %s: %s", path, strerror(errno));
  identity->certificate = PEM_read_X509(file, NULL, identity_no_password, NULL);
  identity->chain = sk_X509_new_null();
  X509 *next;
  while (identity->certificate && identity->chain &&
         (next = PEM_read_X509(file, NULL, identity_no_password, NULL)))
    if (sk_X509_push(identity->chain, next) <= 0) {
      X509_free(next);
      break;
    }
  fclose(file);
  ERR_clear_error();
  if (identity->certificate == NULL || identity->chain == NULL)
    return tfe_fail(ctx, TFE_KEY_FILE, "%s does not hold a certificate (PEM)", path);
  if (X509_check_private_key(identity->certificate, identity->key) == 1)
    return TFE_OK;
  ERR_clear_error();
  return tfe_fail(ctx, TFE_KEY_FILE, "the certificate %s does not belong to the key", path);
}

static TfeStatus identity_read_roots(TfeCtx *ctx, TfeIdentity *identity, const char *path) {
  identity->roots = X509_STORE_new();
  if (identity->roots != NULL && X509_STORE_load_file(identity->roots, path) == 1)
    return TFE_OK;
  ERR_clear_error();
  TfeStatus status = tfe_fail(ctx, TFE_KEY_FILE, "cannot read the certificate authority %s", path);
  tfe_help(ctx, "--ca names a PEM file with the certificates of the authorities that are trusted");
  return status;
}

TfeStatus tfe_identity_load_pki(TfeCtx *ctx, const char *certificate, const char *key, const char *authority,
                                TfeIdentity **out) {
  EVP_PKEY *pair = NULL;
  TRY(identity_read_key(ctx, key, &pair));
  TfeIdentity *identity = NULL;
  TRY(identity_from_key(ctx, pair, &identity));
  TfeStatus status = identity_read_certificates(ctx, identity, certificate);
  if (status == TFE_OK)
    status = identity_read_roots(ctx, identity, authority);
  if (status == TFE_OK)
    *out = identity;
  else
    tfe_identity_free(identity);
  return status;
}

/* --------------------------------------------------------------------------------------------- signatures */

TfeStatus tfe_identity_sign(TfeCtx *ctx, const TfeIdentity *identity, const void *data, size_t bytes,
                            uint8_t signature[TFE_IDENTITY_SIGNATURE_BYTES]) {
  EVP_MD_CTX *sign = EVP_MD_CTX_new();
  size_t length = TFE_IDENTITY_SIGNATURE_BYTES;
  bool good = sign != NULL && EVP_DigestSignInit(sign, NULL, NULL, NULL, identity->key) == 1 &&
              EVP_DigestSign(sign, signature, &length, data, bytes) == 1 &&
              length == TFE_IDENTITY_SIGNATURE_BYTES;
  EVP_MD_CTX_free(sign);
  return good ? TFE_OK : identity_crypto_failed(ctx, "cannot sign");
}

bool tfe_identity_verify(const uint8_t key[TFE_IDENTITY_KEY_BYTES], const void *data, size_t bytes,
                         const uint8_t signature[TFE_IDENTITY_SIGNATURE_BYTES]) {
  EVP_PKEY *public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, TFE_IDENTITY_KEY_BYTES);
  EVP_MD_CTX *verify = EVP_MD_CTX_new();
  bool good = public_key != NULL && verify != NULL &&
              EVP_DigestVerifyInit(verify, NULL, NULL, NULL, public_key) == 1 &&
              EVP_DigestVerify(verify, signature, TFE_IDENTITY_SIGNATURE_BYTES, data, bytes) == 1;
  EVP_MD_CTX_free(verify);
  EVP_PKEY_free(public_key);
  ERR_clear_error();
  return good;
}

/* ------------------------------------------------------------------------------------------------- keygen */

/* The PEM text of the key, whole or not at all, under `path`. link() refuses an existing name, rename()
 * replaces it. */
static TfeStatus identity_write(TfeCtx *ctx, const char *path, bool renew, EVP_PKEY *key) {
  TfeStatus status = TFE_OK;
  char beside[4200];
  int length = snprintf(beside, sizeof beside, "%s.new-%ld", path, (long)getpid());
  if (length < 0 || (size_t)length >= sizeof beside)
    return tfe_fail(ctx, TFE_KEY_FILE, "the name of the key file is too long");
  int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return tfe_fail(ctx, TFE_OUTPUT, "cannot write the key file %s: %s", path, strerror(errno));
  FILE *file = fdopen(fd, "w");
  bool good = file != NULL && PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              fflush(file) == 0 && fsync(fd) == 0;
  if (file == NULL)
    close(fd);
  else
    good = fclose(file) == 0 && good;
  if (!good) {
    status = tfe_fail(ctx, TFE_OUTPUT, "cannot write the key file %s: %s", path, strerror(errno));
  } else if ((renew ? rename(beside, path) : link(beside, path)) != 0) {
    if (errno == EEXIST) {
      status = tfe_fail(ctx, TFE_OUTPUT, "the key file %s exists already", path);
      tfe_help(ctx, "--renew replaces it; every peer then needs the new line in hosts.toml");
    } else {
      status = tfe_fail(ctx, TFE_OUTPUT, "cannot write the key file %s: %s", path, strerror(errno));
    }
  }
  if (!renew || status != TFE_OK)
    unlink(beside);
  return status;
}

TfeStatus tfe_identity_keygen(TfeCtx *ctx, const char *path, bool renew,
                              uint8_t public_key[TFE_IDENTITY_KEY_BYTES]) {
  TfeIdentity *identity = NULL;
  TRY(tfe_identity_new(ctx, &identity));
  TfeStatus status = identity_write(ctx, path, renew, identity->key);
  memcpy(public_key, identity->public_key, TFE_IDENTITY_KEY_BYTES);
  tfe_identity_free(identity);
  return status;
}
