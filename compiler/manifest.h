/* What a person wants to know about a program before running it: PREFIX.manifest.json and the texts of `tfec
 * reveals`, `parties`, `connections`, `hosts` and of a party's --about; and who is connected to whom
 * (TfeProgram.links). All need the choreography after all passes. */
#ifndef TFEC_MANIFEST_H
#define TFEC_MANIFEST_H

#include "cost.h"

/* Roles, from use: left of `;` in a protocol header; right of it; sends in something; gets something. */
enum { ROLE_SERVER = 1, ROLE_PRODUCER = 2, ROLE_PROVIDER = 4, ROLE_RECEIVER = 8 };

PartySet manifest_servers(const Program *p);
PartySet manifest_helpers(const Program *p);
int manifest_roles(const Program *p, const Cost *c, int party);

/* TfeProgram.links of all parties: [party][peer], TFE_LINK_* bits; 0: no connection. */
const uint8_t *manifest_links(const Program *p);
/* The rows of one declaration: [members][party_count]. */
const uint8_t *manifest_links_of(const Program *p, int decl);

void manifest_print(const Program *p, const Cost *c, const char *compiler, FILE *out);
void manifest_reveals(const Program *p, FILE *out);
void manifest_parties(const Program *p, const Cost *c, FILE *out);
void manifest_connections(const Program *p, FILE *out);
void manifest_hosts(const Program *p, FILE *out);
/* The text of --about: a printf format with one %s for the party's name (%% elsewhere). */
const char *manifest_about(const Program *p, const Cost *c, int decl, const char *compiler);

/* Shared with explain.c. */
void manifest_json_text(FILE *out, const char *text);
void manifest_json_totals(FILE *out, const Cost *c, const Program *p);

#endif
