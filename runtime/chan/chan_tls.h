/* TLS 1.3 without sockets: ciphertext in, ciphertext out, plaintext between. chan.c moves the bytes;
 * chan_tls.c is the only file of the project that includes openssl/ssl.h.
 *
 * Both ends show a certificate and prove that they hold its key; TLS itself accepts any certificate, and
 * chan.c decides after the handshake, by chan_tls_peer_key (pinned keys) or chan_tls_verify (certificate
 * authority), whether this is the party it expects. Nothing of a peer is used before that. */
#ifndef TFE_CHAN_TLS_H
#define TFE_CHAN_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../ctx.h"
#include "chan.h"

typedef struct TlsSetup TlsSetup; /* common to all connections of a party */
typedef struct Tls Tls;           /* one connection */

TfeStatus chan_tls_setup(TfeCtx *ctx, const TfeIdentity *me, TlsSetup **out) TFE_MUST_USE;
void chan_tls_setup_free(TlsSetup *setup);
Tls *chan_tls_new(TlsSetup *setup, bool dial); /* NULL: no memory */
void chan_tls_free(Tls *tls);                  /* wipes */

/* Where received bytes are put, and how many were. */
uint8_t *chan_tls_in(Tls *tls, size_t *room);
void chan_tls_in_added(Tls *tls, size_t bytes);
/* What is to be sent, and how much of it was. */
const uint8_t *chan_tls_out(Tls *tls, size_t *bytes);
void chan_tls_out_taken(Tls *tls, size_t bytes);

/* 1 done, 0 waits for more bytes, -1 failed (chan_tls_error says why). */
int chan_tls_handshake(Tls *tls);
/* Plaintext: > 0 bytes, 0 nothing yet, -1 failed, -2 the peer ended the stream. */
long chan_tls_read(Tls *tls, uint8_t *out, size_t room);
bool chan_tls_write(Tls *tls, const uint8_t *data, size_t bytes);
void chan_tls_end(Tls *tls); /* says that nothing more will be written */
const char *chan_tls_error(const Tls *tls);

/* The peer's Ed25519 public key; false: its certificate has another kind of key. */
bool chan_tls_peer_key(const Tls *tls, uint8_t key[32]);
typedef enum TlsVerdict { TLS_TRUSTED, TLS_OTHER_NAME, TLS_EXPIRED, TLS_UNTRUSTED } TlsVerdict;
/* Is the peer's certificate signed by our authority, in force, and for `name` (subject alternative name,
 * or CN)? text: why not. */
TlsVerdict chan_tls_verify(const Tls *tls, const char *name, char *text, size_t size);
/* What the certificate says its owner is called: for messages. */
void chan_tls_peer_name(const Tls *tls, char *text, size_t size);
bool chan_tls_export(const Tls *tls, const char *label, uint8_t key[16]);

#endif
