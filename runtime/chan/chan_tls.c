/* TLS 1.3 over buffers in memory (see chan_tls.h), by OpenSSL 3. A BIO of our own reads from one buffer and
 * appends to the other, so that however many records a message takes, chan.c hands them to the kernel in one
 * call.
 *
 * TLS 1.3 only; AES-128-GCM first (the fastest where the processor has AES); no tickets, no resumption, no
 * early data, no renegotiation: a connection lives as long as its session. Keys are renewed long before
 * the limit of AES-GCM. */
#include "chan_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "../identity.h"

enum { TLS_IN_BYTES = 256 << 10, TLS_OUT_BYTES = 64 << 10 };
/* RFC 8446 5.5: 2^24.5 records of 16 KiB, which is 380 GB, for one key. */
#define TLS_REKEY_BYTES (UINT64_C(64) << 30)

struct TlsSetup {
  SSL_CTX *context;
  BIO_METHOD *method;
  const TfeIdentity *me;
};

typedef struct TlsBuffer {
  uint8_t *data;
  size_t capacity, head, tail;
} TlsBuffer;

struct Tls {
  SSL *ssl;
  TlsSetup *setup;
  TlsBuffer in, out;
  uint64_t written; /* since the last change of keys */
  char error[160];
};

/* ------------------------------------------------------------------------------------------------ the BIO */

static bool buffer_reserve(TlsBuffer *b, size_t bytes) {
  if (b->head == b->tail)
    b->head = b->tail = 0;
  if (b->capacity - b->tail >= bytes)
    return true;
  size_t waiting = b->tail - b->head, capacity = b->capacity ? b->capacity : TLS_OUT_BYTES;
  if (b->head > 0 && b->capacity - waiting >= bytes) {
    memmove(b->data, b->data + b->head, waiting);
  } else {
    while (capacity - waiting < bytes)
      capacity *= 2;
    uint8_t *data = malloc(capacity);
    if (data == NULL)
      return false;
    if (waiting > 0)
      memcpy(data, b->data + b->head, waiting);
    free(b->data);
    b->data = data;
    b->capacity = capacity;
  }
  b->head = 0;
  b->tail = waiting;
  return true;
}

static int bio_write(BIO *bio, const char *data, int bytes) {
  Tls *tls = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (bytes <= 0 || !buffer_reserve(&tls->out, (size_t)bytes))
    return -1;
  memcpy(tls->out.data + tls->out.tail, data, (size_t)bytes);
  tls->out.tail += (size_t)bytes;
  return bytes;
}

static int bio_read(BIO *bio, char *out, int room) {
  Tls *tls = BIO_get_data(bio);
  size_t waiting = tls->in.tail - tls->in.head;
  BIO_clear_retry_flags(bio);
  if (waiting == 0 || room <= 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  size_t bytes = waiting < (size_t)room ? waiting : (size_t)room;
  memcpy(out, tls->in.data + tls->in.head, bytes);
  tls->in.head += bytes;
  return (int)bytes;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio) {
  BIO_set_init(bio, 1);
  return 1;
}

/* -------------------------------------------------------------------------------------------------- setup */

/* TLS accepts any certificate: chan.c judges the peer after the handshake, which has proved that it holds
 * the key. */
static int setup_accept(X509_STORE_CTX *store, void *user) {
  (void)store, (void)user;
  return 1;
}

static bool setup_context(SSL_CTX *context, const TfeIdentity *me) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(context, setup_accept, NULL);
  bool good =
      SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
      SSL_CTX_set_num_tickets(context, 0) == 1 &&
      SSL_CTX_set_ciphersuites(
          context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
      SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
      SSL_CTX_use_certificate(context, me->certificate) == 1 && SSL_CTX_use_PrivateKey(context, me->key) == 1;
  for (int i = 0; good && me->chain != NULL && i < sk_X509_num(me->chain); i++)
    good = SSL_CTX_add1_chain_cert(context, sk_X509_value(me->chain, i)) == 1;
  return good;
}

TfeStatus chan_tls_setup(TfeCtx *ctx, const TfeIdentity *me, TlsSetup **out) {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
  TlsSetup *setup = calloc(1, sizeof *setup);
  if (setup == NULL)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  setup->me = me;
  setup->context = SSL_CTX_new(TLS_method());
  setup->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tfe buffers");
  if (setup->context == NULL || setup->method == NULL || !setup_context(setup->context, me)) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    chan_tls_setup_free(setup);
    return tfe_fail(ctx, TFE_KEY_FILE, "TLS cannot be set up with this key: %s",
                    reason ? reason : "unknown reason");
  }
  BIO_meth_set_write(setup->method, bio_write);
  BIO_meth_set_read(setup->method, bio_read);
  BIO_meth_set_ctrl(setup->method, bio_control);
  BIO_meth_set_create(setup->method, bio_create);
  *out = setup;
  return TFE_OK;
}

void chan_tls_setup_free(TlsSetup *setup) {
  if (setup == NULL)
    return;
  SSL_CTX_free(setup->context);
  BIO_meth_free(setup->method);
  free(setup);
}

Tls *chan_tls_new(TlsSetup *setup, bool dial) {
  Tls *tls = calloc(1, sizeof *tls);
  if (tls == NULL)
    return NULL;
  tls->setup = setup;
  tls->ssl = SSL_new(setup->context);
  BIO *bio = BIO_new(setup->method);
  if (tls->ssl == NULL || bio == NULL) {
    BIO_free(bio);
    chan_tls_free(tls);
    return NULL;
  }
  BIO_set_data(bio, tls);
  SSL_set_bio(tls->ssl, bio, bio);
  if (dial)
    SSL_set_connect_state(tls->ssl);
  else
    SSL_set_accept_state(tls->ssl);
  return tls;
}

void chan_tls_free(Tls *tls) {
  if (tls == NULL)
    return;
  SSL_free(tls->ssl);
  free(tls->in.data);
  free(tls->out.data);
  free(tls);
  ERR_clear_error();
}

/* -------------------------------------------------------------------------------------------------- bytes */

uint8_t *chan_tls_in(Tls *tls, size_t *room) {
  size_t want = tls->in.capacity == 0 ? TLS_IN_BYTES : TLS_IN_BYTES / 2;
  if (!buffer_reserve(&tls->in, want)) {
    *room = 0;
    return NULL;
  }
  *room = tls->in.capacity - tls->in.tail;
  return tls->in.data + tls->in.tail;
}

void chan_tls_in_added(Tls *tls, size_t bytes) {
  tls->in.tail += bytes;
}

const uint8_t *chan_tls_out(Tls *tls, size_t *bytes) {
  *bytes = tls->out.tail - tls->out.head;
  return *bytes > 0 ? tls->out.data + tls->out.head : NULL;
}

void chan_tls_out_taken(Tls *tls, size_t bytes) {
  tls->out.head += bytes;
}

static void tls_note_error(Tls *tls, const char *fallback) {
  unsigned long code = ERR_peek_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  snprintf(tls->error, sizeof tls->error, "%s", reason ? reason : fallback);
  ERR_clear_error();
}

int chan_tls_handshake(Tls *tls) {
  ERR_clear_error();
  int result = SSL_do_handshake(tls->ssl);
  if (result == 1)
    return 1;
  int error = SSL_get_error(tls->ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
    return 0;
  tls_note_error(tls, "the TLS handshake failed");
  return -1;
}

long chan_tls_read(Tls *tls, uint8_t *out, size_t room) {
  size_t bytes = 0;
  ERR_clear_error();
  int result = SSL_read_ex(tls->ssl, out, room, &bytes);
  if (result == 1)
    return (long)bytes;
  int error = SSL_get_error(tls->ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
    return 0;
  if (error == SSL_ERROR_ZERO_RETURN)
    return -2;
  tls_note_error(tls, "the TLS stream is broken");
  return -1;
}

bool chan_tls_write(Tls *tls, const uint8_t *data, size_t bytes) {
  ERR_clear_error();
  while (bytes > 0) {
    size_t done = 0;
    if (SSL_write_ex(tls->ssl, data, bytes, &done) != 1) {
      tls_note_error(tls, "the TLS stream is broken");
      return false;
    }
    data += done;
    bytes -= done;
    tls->written += done;
  }
  if (tls->written >= TLS_REKEY_BYTES && SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
    tls->written = 0;
  return true;
}

void chan_tls_end(Tls *tls) {
  ERR_clear_error();
  if (SSL_is_init_finished(tls->ssl))
    (void)SSL_shutdown(tls->ssl);
  ERR_clear_error();
}

const char *chan_tls_error(const Tls *tls) {
  return tls->error;
}

/* ---------------------------------------------------------------------------------------------- who it is */

bool chan_tls_peer_key(const Tls *tls, uint8_t key[32]) {
  X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
  EVP_PKEY *public_key = certificate ? X509_get0_pubkey(certificate) : NULL;
  size_t length = 32;
  bool good = public_key != NULL && EVP_PKEY_id(public_key) == EVP_PKEY_ED25519 &&
              EVP_PKEY_get_raw_public_key(public_key, key, &length) == 1 && length == 32;
  ERR_clear_error();
  return good;
}

static void tls_date(const ASN1_TIME *time, char text[32]) {
  struct tm when;
  if (time != NULL && ASN1_TIME_to_tm(time, &when) == 1)
    snprintf(text, 32, "%04d-%02d-%02d", (when.tm_year + 1900) % 10000, (when.tm_mon + 1) % 100,
             when.tm_mday % 100);
  else
    snprintf(text, 32, "an unknown day");
}

/* X509_check_host wants a DNS name; "provider.3" is one, and so is "server1". CN counts if there is no
 * other name. */
static TlsVerdict tls_verdict(X509 *certificate, int error, const char *name, char *text, size_t size) {
  char day[32];
  if (error == X509_V_ERR_CERT_HAS_EXPIRED) {
    tls_date(X509_get0_notAfter(certificate), day);
    snprintf(text, size, "expired on %s", day);
    return TLS_EXPIRED;
  }
  if (error == X509_V_ERR_CERT_NOT_YET_VALID) {
    tls_date(X509_get0_notBefore(certificate), day);
    snprintf(text, size, "is not valid before %s", day);
    return TLS_EXPIRED;
  }
  if (error != X509_V_OK) {
    snprintf(text, size, "is not trusted: %s", X509_verify_cert_error_string(error));
    return TLS_UNTRUSTED;
  }
  if (X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1)
    return TLS_TRUSTED;
  snprintf(text, size, "is for another name");
  return TLS_OTHER_NAME;
}

TlsVerdict chan_tls_verify(const Tls *tls, const char *name, char *text, size_t size) {
  X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
  X509_STORE *roots = tls->setup->me->roots;
  X509_STORE_CTX *check = X509_STORE_CTX_new();
  TlsVerdict verdict = TLS_UNTRUSTED;
  snprintf(text, size, "cannot be checked: no certificate authority (--ca)");
  if (certificate != NULL && roots != NULL && check != NULL &&
      X509_STORE_CTX_init(check, roots, certificate, SSL_get_peer_cert_chain(tls->ssl)) == 1) {
    X509_STORE_CTX_set_purpose(check, X509_PURPOSE_ANY);
    int error = X509_verify_cert(check) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(check);
    verdict = tls_verdict(certificate, error, name, text, size);
  }
  X509_STORE_CTX_free(check);
  ERR_clear_error();
  return verdict;
}

void chan_tls_peer_name(const Tls *tls, char *text, size_t size) {
  X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
  int length = -1;
  if (certificate != NULL)
    length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, (int)size);
  if (length <= 0)
    snprintf(text, size, "a nameless certificate");
  for (char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
      *c = '?';
}

bool chan_tls_export(const Tls *tls, const char *label, uint8_t key[16]) {
  bool good = SSL_export_keying_material(tls->ssl, key, 16, label, strlen(label), NULL, 0, 0) == 1;
  ERR_clear_error();
  return good;
}
