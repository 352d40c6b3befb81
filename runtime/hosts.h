/* hosts.toml: where each party is and which public key it has. A small part of TOML: comments, tables
 * `[server1]` and `[provider.0]`, `name = "text"`, 'text' or an integer. Tables of parties that this program
 * does not have are skipped, so that one file serves several programs; everything else that is not understood
 * is R0502 with file and line.
 *
 *   [server1]
 *   address = "10.1.0.1:7700"       # host name, IPv4 or "[::1]:7700"; none: this party only dials out
 *   key     = "tfe1:..."            # from: party-server1 keygen; none: --ca decides */
#ifndef TFE_HOSTS_H
#define TFE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "chan/chan.h"

/* Fill peers[program->party_count], which the caller has zeroed. */
TfeStatus tfe_hosts_read(TfeCtx *ctx, const char *path, TfePeer *peers) TFE_MUST_USE;
/* shown: the file's name in messages; kept by reference in the peers. text need not end in NUL. */
TfeStatus tfe_hosts_parse(TfeCtx *ctx, const char *shown, const char *text, size_t length,
                          TfePeer *peers) TFE_MUST_USE;
/* --host NAME=ADDR:PORT. */
TfeStatus tfe_hosts_override(TfeCtx *ctx, const char *text, TfePeer *peers) TFE_MUST_USE;
/* "host:port" or "[v6]:port" into peer->host and ->port; false if it is neither. */
bool tfe_hosts_address(const char *text, TfePeer *peer);
/* Everything the links of this party need (but that with a dealer whose batch it has) is there: addresses to dial and to listen on, keys unless
 * `authority`; and no two parties have one key. `shown` may be NULL: no hosts file was given. */
TfeStatus tfe_hosts_check(TfeCtx *ctx, const char *shown, const TfePeer *peers, bool authority) TFE_MUST_USE;
/* How many of the parties run on the host of peers[own], itself included, as far as addresses tell: those with the
 * same host name, and for one without an address or with a loopback one all with a loopback address. */
int64_t tfe_hosts_together(const TfePeer *peers, int64_t count, int64_t own);

#endif
