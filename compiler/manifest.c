/* The manifest and the other texts about a program (see manifest.h). Everything is read off the choreography:
 * who sends to whom are its SENDs, who shares a key with whom are its RANDOMs.
 */
#include "manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "../runtime/include/program.h"
#include "ast.h"

/* ---- roles --------------------------------------------------------------------------------------------- */

PartySet manifest_servers(const Program *p) {
  PartySet s = party_none();
  for (int i = 0; i < p->protocols.count; i++)
    for (int k = 0; k < p->protocols.data[i].servers.count; k++)
      s = party_or(s, party_one(p->protocols.data[i].servers.data[k]));
  return s;
}

PartySet manifest_helpers(const Program *p) {
  PartySet s = party_none();
  for (int i = 0; i < p->protocols.count; i++)
    for (int k = 0; k < p->protocols.data[i].helpers.count; k++)
      s = party_or(s, party_one(p->protocols.data[i].helpers.data[k]));
  return s;
}

static PartySet place_parties(const Program *p, Place at) {
  if (at.kind == PLACE_AT)
    return party_one(at.index);
  if (at.kind == PLACE_EACH)
    return party_range(p->parties.data[at.index].first, p->parties.data[at.index].count);
  return party_none();
}

int manifest_roles(const Program *p, const Cost *c, int party) {
  bool server = party_has(manifest_servers(p), party), producer = party_has(manifest_helpers(p), party);
  int roles = (server ? ROLE_SERVER : 0) | (producer ? ROLE_PRODUCER : 0);
  for (int i = 0; i < p->slots.count; i++)
    if (!p->slots.data[i].is_output && party_has(p->slots.data[i].owner, party))
      roles |= ROLE_PROVIDER;
  for (int i = 0; i < p->reveals.count; i++)
    if (party_has(place_parties(p, p->reveals.data[i].to), party))
      roles |= ROLE_RECEIVER;
  if (server || producer)
    return roles;
  if (c->party[party].messages_sent)
    roles |= ROLE_PROVIDER;
  if (c->party[party].messages_received)
    roles |= ROLE_RECEIVER;
  return roles;
}

static const char *const role_names[] = {"server", "crypto producer", "input provider", "receiver"};

static const char *roles_text(Arena *a, int roles) {
  const char *text = "";
  for (int i = 0; i < 4; i++)
    if (roles & 1 << i)
      text = arena_printf(a, "%s%s%s", text, *text ? ", " : "", role_names[i]);
  return *text ? text : "takes no part";
}

/* ---- connections --------------------------------------------------------------------------------------- */

typedef struct Linker {
  int n;
  uint8_t *link; /* [n][n] */
} Linker;

static void link_op(Op *op, void *data) {
  Linker *l = data;
  if (op->kind != OP_SEND && op->kind != OP_RANDOM)
    return;
  int64_t a = op->ints.data[0], b = op->ints.data[1];
  if (a == b)
    return;
  l->link[a * l->n + b] |= op->kind == OP_SEND ? TFE_LINK_SEND : TFE_LINK_KEY;
  l->link[b * l->n + a] |= op->kind == OP_SEND ? TFE_LINK_RECEIVE : TFE_LINK_KEY;
}

/* Servers listen. Between two servers the higher number dials; all others dial the servers, and among
 * themselves helpers listen to those who are neither, then the lower number listens. */
static bool dials(PartySet servers, PartySet helpers, int party, int peer) {
  int rank = party_has(servers, party) ? 0 : party_has(helpers, party) ? 1 : 2;
  int peer_rank = party_has(servers, peer) ? 0 : party_has(helpers, peer) ? 1 : 2;
  return rank != peer_rank ? rank > peer_rank : party > peer;
}

const uint8_t *manifest_links(const Program *p) {
  int n = p->party_count;
  Linker l = {n, ARENA_ARRAY(p->arena, uint8_t, n *n + 1)};
  PartySet servers = manifest_servers(p), helpers = manifest_helpers(p);
  ir_walk(p->body, link_op, &l);
  for (int i = 0; i < n; i++) {
    bool receives = false;
    for (int k = 0; k < n; k++)
      receives |= (l.link[i * n + k] & TFE_LINK_RECEIVE) != 0;
    for (int k = 0; k < n; k++) {
      if (!l.link[i * n + k])
        continue;
      if (dials(servers, helpers, i, k))
        l.link[i * n + k] |= TFE_LINK_DIAL;
      if (!receives)
        l.link[k * n + i] |= TFE_LINK_AHEAD;
    }
  }
  return l.link;
}

const uint8_t *manifest_links_of(const Program *p, int decl) {
  return manifest_links(p) + p->parties.data[decl].first * p->party_count;
}

/* ---- shared texts -------------------------------------------------------------------------------------- */

static const char *names_text(const Program *p, PartySet s) {
  const char *text = "";
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    PartySet members = party_range(d->first, d->count);
    if (d->family && d->count > 1 && party_subset(members, s)) {
      text = arena_printf(p->arena, "%s%s%s.0 .. %s.%d", text, *text ? ", " : "", d->name, d->name,
                          d->count - 1);
      continue;
    }
    for (int k = d->first; k < d->first + d->count; k++)
      if (party_has(s, k))
        text = arena_printf(p->arena, "%s%s%s", text, *text ? ", " : "", party_name(p, k));
  }
  return text;
}

static const char *protocol_text(const Program *p, const ProtocolInstance *k) {
  const char *text = arena_printf(p->arena, "%s(", k->kind);
  for (int i = 0; i < k->servers.count; i++)
    text = arena_printf(p->arena, "%s%s%s", text, i ? ", " : "", party_name(p, k->servers.data[i]));
  for (int i = 0; i < k->helpers.count; i++)
    text = arena_printf(p->arena, "%s%s%s", text, i ? ", " : "; ", party_name(p, k->helpers.data[i]));
  return arena_printf(p->arena, "%s)", text);
}

static const char *times_text(Arena *a, int64_t times) {
  if (times < 0)
    return "once per pass of a loop";
  return times == 1 ? "once" : times == 2 ? "twice" : arena_printf(a, "%" PRId64 " times", times);
}

static const char *to_text(const Program *p, Place to) {
  switch (to.kind) {
  case PLACE_AT: return party_name(p, to.index);
  case PLACE_EACH: return arena_printf(p->arena, "each %s", p->parties.data[to.index].name);
  default: return "everybody";
  }
}

static const char *revealed_text(const Program *p, const Reveal *r) {
  return r->type_text ? r->type_text : ir_type_text(p->arena, &r->type);
}

/* An expression on one line. */
static const char *flat(Arena *a, const char *text) {
  char *out = arena_printf(a, "%s", text ? text : "");
  char *to = out;
  for (const char *from = out; *from; from++) {
    bool blank = *from == '\n' || *from == '\t' || *from == ' ';
    if (!blank)
      *to++ = *from;
    else if (to > out && to[-1] != ' ')
      *to++ = ' ';
  }
  *to = 0;
  return out;
}

/* The kind's own sentence: whom one has to trust. */
static const char *trust_text(const Program *p, const ProtocolInstance *k) {
  return k->definition && k->definition->doc ? flat(p->arena, k->definition->doc) : NULL;
}

static const char *where_text(Arena *a, Span span) {
  return span.source ? source_where(a, span) : "?";
}

static const char *slot_text(const Program *p, const Slot *s) {
  return arena_printf(p->arena, "%s%s%s: %s", s->name, s->field ? "." : "", s->field ? s->field : "",
                      ir_type_text(p->arena, &s->type));
}

/* ---- reveals ------------------------------------------------------------------------------------------- */

static void print_reveal(const Program *p, const Reveal *r, int where_width, int text_width, FILE *out) {
  fprintf(out, "%-*s  %-*s  to %s  %s  %s\n", where_width, where_text(p->arena, r->span), text_width,
          flat(p->arena, r->source_text), to_text(p, r->to), revealed_text(p, r),
          times_text(p->arena, r->times));
}

static void print_reveals_of(const Program *p, bool was_private, FILE *out) {
  int where_width = 0, text_width = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < p->reveals.count; i++) {
      const Reveal *r = &p->reveals.data[i];
      if (r->was_private != was_private)
        continue;
      int w = (int)strlen(where_text(p->arena, r->span)), t = (int)strlen(flat(p->arena, r->source_text));
      where_width = w > where_width ? w : where_width;
      text_width = t > text_width && t <= 60 ? t : text_width;
      if (pass)
        print_reveal(p, r, where_width, text_width, out);
    }
}

static int count_reveals(const Program *p, bool was_private) {
  int n = 0;
  for (int i = 0; i < p->reveals.count; i++)
    n += p->reveals.data[i].was_private == was_private;
  return n;
}

void manifest_reveals(const Program *p, FILE *out) {
  const char *protocols = "";
  for (int i = 0; i < p->protocols.count; i++)
    protocols =
        arena_printf(p->arena, "%s%s%s", protocols, i ? " or " : "", protocol_text(p, &p->protocols.data[i]));
  print_reveals_of(p, true, out);
  if (p->protocols.count)
    fprintf(out, "Nothing %sleaves %s.\n", count_reveals(p, true) ? "else " : "", protocols);
  if (count_reveals(p, false)) {
    fputs("Published by their owners:\n", out);
    print_reveals_of(p, false, out);
  }
  if (p->clear)
    fputs("Warning: a protocol of kind clear keeps nothing secret from its server.\n", out);
}

/* ---- parties ------------------------------------------------------------------------------------------- */

static void print_slots(const Program *p, PartySet owner, bool outputs, FILE *out) {
  for (int i = 0; i < p->slots.count; i++) {
    const Slot *s = &p->slots.data[i];
    if (s->is_output == outputs && !party_empty(party_and(s->owner, owner)))
      fprintf(out, "    %s %s  (%s)\n", outputs ? "output" : "input ", slot_text(p, s),
              where_text(p->arena, s->span));
  }
}

void manifest_parties(const Program *p, const Cost *c, FILE *out) {
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    PartySet members = party_range(d->first, d->count);
    int roles = 0;
    for (int k = d->first; k < d->first + d->count; k++)
      roles |= manifest_roles(p, c, k);
    fprintf(out, "%s  %s\n", names_text(p, members), roles_text(p->arena, roles));
    print_slots(p, members, false, out);
    print_slots(p, members, true, out);
  }
  for (int i = 0; i < p->protocols.count; i++) {
    const ProtocolInstance *k = &p->protocols.data[i];
    fprintf(out, "%s with frac = %d, whole = %d, ring = %d\n", protocol_text(p, k), k->frac, k->whole,
            k->ring);
    if (trust_text(p, k))
      fprintf(out, "    %s\n", trust_text(p, k));
  }
}

/* ---- connections and hosts ----------------------------------------------------------------------------- */

void manifest_connections(const Program *p, FILE *out) {
  const uint8_t *link = manifest_links(p);
  int n = p->party_count;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) {
      int bits = link[i * n + k];
      if (!(bits & TFE_LINK_DIAL))
        continue;
      const char *use = (bits & TFE_LINK_SEND) && (bits & TFE_LINK_RECEIVE) ? "both send"
                        : bits & TFE_LINK_SEND                              ? "sends"
                        : bits & TFE_LINK_RECEIVE                           ? "receives"
                                                                            : "common key only";
      fprintf(out, "%s -> %s  %s\n", party_name(p, i), party_name(p, k), use);
    }
}

static bool listens(const Program *p, const uint8_t *link, int party) {
  for (int k = 0; k < p->party_count; k++) {
    int bits = link[party * p->party_count + k];
    if (bits && !(bits & TFE_LINK_DIAL))
      return true;
  }
  return false;
}

static bool is_linked(const Program *p, const uint8_t *link, int party) {
  for (int k = 0; k < p->party_count; k++)
    if (link[party * p->party_count + k])
      return true;
  return false;
}

void manifest_hosts(const Program *p, FILE *out) {
  const uint8_t *link = manifest_links(p);
  int port = 7700;
  fprintf(out, "# Parties of %s. Every party gets the same file.\n", p->name);
  fputs("# key: what `PARTY-PROGRAM keygen` printed at that party. Fill in the addresses of those who "
        "listen.\n",
        out);
  for (int i = 0; i < p->party_count; i++) {
    const PartyDecl *d = party_decl(p, i);
    if (!is_linked(p, link, i))
      continue;
    fprintf(out, "\n[%s]", party_name(p, i));
    if (listens(p, link, i))
      fprintf(out, "\naddress = \"HOST:%d\"\n", port++);
    else
      fputs("  # no address: dials out only\n", out);
    fprintf(out, "key     = \"tfe1:...\"  # party-%s keygen\n", d->name);
  }
}

/* ---- about --------------------------------------------------------------------------------------------- */

/* Doubles percent signs, for a printf format. */
static const char *escaped(Arena *a, const char *text) {
  size_t n = strlen(text);
  char *out = arena_alloc(a, 2 * n + 1), *to = out;
  for (; *text; text++) {
    *to++ = *text;
    if (*text == '%')
      *to++ = '%';
  }
  *to = 0;
  return out;
}

static const char *about_data(const Program *p, PartySet members, bool outputs) {
  const char *text = "";
  for (int i = 0; i < p->slots.count; i++) {
    const Slot *s = &p->slots.data[i];
    if (s->is_output != outputs || party_empty(party_and(s->owner, members)))
      continue;
    text = arena_printf(p->arena, "%s%s%s (%s)", text, *text ? ", " : "", slot_text(p, s),
                        where_text(p->arena, s->span));
  }
  return text;
}

static const char *about_peers(const Program *p, PartySet members, int bit) {
  const uint8_t *link = manifest_links(p);
  PartySet peers = party_none();
  for (int i = party_first(members); i >= 0; i = party_next(members, i))
    for (int k = 0; k < p->party_count; k++)
      if (link[i * p->party_count + k] & bit)
        peers = party_or(peers, party_one(k));
  return names_text(p, party_minus(peers, party_empty(party_and(peers, members)) ? members : party_none()));
}

static const char *about_reveals(const Program *p) {
  const char *text = "";
  for (int i = 0; i < p->reveals.count; i++) {
    const Reveal *r = &p->reveals.data[i];
    text = arena_printf(p->arena, "%s%sto %s: %s, %s, %s (%s)\n", text, *text ? "              " : "",
                        to_text(p, r->to), flat(p->arena, r->source_text), revealed_text(p, r),
                        times_text(p->arena, r->times), where_text(p->arena, r->span));
  }
  return *text ? text : "nothing\n";
}

/* "net (Net[4]), to a later run; ..." */
static const char *about_stored(const Program *p, PartySet members) {
  const char *text = "";
  for (int i = 0; i < p->stored.count; i++) {
    const Stored *s = &p->stored.data[i];
    PartySet servers = party_none();
    for (int k = 0; k < p->protocols.data[s->protocol].servers.count; k++)
      servers = party_or(servers, party_one(p->protocols.data[s->protocol].servers.data[k]));
    if (!party_empty(party_and(servers, members)))
      text = arena_printf(p->arena, "%s%s`%s` (%s) %s another run", text, *text ? "; " : "", s->name, s->type,
                          s->loads ? "of" : "for");
  }
  return text;
}

const char *manifest_about(const Program *p, const Cost *c, int decl, const char *compiler) {
  Arena *a = p->arena;
  const PartyDecl *d = &p->parties.data[decl];
  PartySet members = party_range(d->first, d->count);
  int roles = 0;
  for (int k = d->first; k < d->first + d->count; k++)
    roles |= manifest_roles(p, c, k);
  const char *in = about_data(p, members, false), *result = about_data(p, members, true);
  const char *to = about_peers(p, members, TFE_LINK_SEND), *from = about_peers(p, members, TFE_LINK_RECEIVE);
  const char *head = arena_printf(a, "party-%s - %s, program %s, %s", d->name, p->name, p->hash, compiler);
  const char *who =
      arena_printf(a, "%s%s\n", roles_text(a, roles), p->clear ? " (kind clear: nothing is secret)" : "");
  const char *text = arena_printf(a, "Your data     %s\n", *in ? in : "no files are read");
  if (*result)
    text = arena_printf(a, "%sYou get       %s\n", text, result);
  const char *kept = about_stored(p, members);
  if (*kept)
    text = arena_printf(a, "%sYou keep      shares of %s\n", text, kept);
  text = arena_printf(a, "%sSends to      %s\n", text, *to ? to : "nobody");
  text = arena_printf(a, "%sReceives from %s\n", text, *from ? from : "nobody");
  text = arena_printf(a, "%sRevealed      %s", text, about_reveals(p));
  for (int i = 0; i < p->protocols.count; i++)
    if (trust_text(p, &p->protocols.data[i]))
      text = arena_printf(a, "%sSecrecy       %s: %s\n", text, protocol_text(p, &p->protocols.data[i]),
                          trust_text(p, &p->protocols.data[i]));
  text = arena_printf(a, "%sPin this with --program %s\n", text, p->hash);
  return arena_printf(a, "%s\nYou are       %%s, %s%s", escaped(a, head), escaped(a, who), escaped(a, text));
}

/* ---- json ---------------------------------------------------------------------------------------------- */

void manifest_json_text(FILE *out, const char *text) {
  if (!text) {
    fputs("null", out);
    return;
  }
  fputc('"', out);
  for (; *text; text++) {
    unsigned char ch = (unsigned char)*text;
    if (ch == '"' || ch == '\\')
      fprintf(out, "\\%c", ch);
    else if (ch < 0x20)
      fprintf(out, "\\u%04x", ch);
    else
      fputc(ch, out);
  }
  fputc('"', out);
}

static void json_field(FILE *out, const char *name, const char *text) {
  fprintf(out, "\"%s\": ", name);
  manifest_json_text(out, text);
}

void manifest_json_totals(FILE *out, const Cost *c, const Program *p) {
  fputc('{', out);
  for (int i = 0; i < p->party_count; i++) {
    const CostParty *q = &c->party[i];
    fputs(i ? ",\n  " : "\n  ", out);
    manifest_json_text(out, party_name(p, i));
    fprintf(out,
            ": {\"rounds\": %" PRId64 ", \"messages_sent\": %" PRId64 ", \"bytes_sent\": %" PRId64
            ", \"messages_received\": %" PRId64 ", \"bytes_received\": %" PRId64 "}",
            q->rounds, q->messages_sent, q->bytes_sent, q->messages_received, q->bytes_received);
  }
  fputc('}', out);
}

static void json_names(FILE *out, const Program *p, const int *party, int n) {
  fputc('[', out);
  for (int i = 0; i < n; i++) {
    fputs(i ? ", " : "", out);
    manifest_json_text(out, party_name(p, party[i]));
  }
  fputc(']', out);
}

static void json_roles(FILE *out, int roles) {
  bool first = true;
  fputs("\"roles\": [", out);
  for (int i = 0; i < 4; i++) {
    if (!(roles & 1 << i))
      continue;
    fputs(first ? "" : ", ", out);
    manifest_json_text(out, role_names[i]);
    first = false;
  }
  fputc(']', out);
}

static void json_slots(FILE *out, const Program *p, PartySet owner, bool outputs) {
  bool first = true;
  fprintf(out, "\"%s\": [", outputs ? "outputs" : "inputs");
  for (int i = 0; i < p->slots.count; i++) {
    const Slot *s = &p->slots.data[i];
    if (s->is_output != outputs || party_empty(party_and(s->owner, owner)))
      continue;
    fputs(first ? "{" : ", {", out);
    json_field(out, "name", s->name);
    if (s->field) {
      fputs(", ", out);
      json_field(out, "field", s->field);
    }
    fputs(", ", out);
    json_field(out, "type", ir_type_text(p->arena, &s->type));
    fputs(", ", out);
    json_field(out, "where", where_text(p->arena, s->span));
    fputc('}', out);
    first = false;
  }
  fputc(']', out);
}

static void json_parties(FILE *out, const Program *p, const Cost *c) {
  fputs(" \"parties\": [", out);
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    PartySet members = party_range(d->first, d->count);
    int roles = 0;
    for (int k = d->first; k < d->first + d->count; k++)
      roles |= manifest_roles(p, c, k);
    fputs(i ? ",\n  {" : "\n  {", out);
    json_field(out, "name", d->name);
    fprintf(out, ", \"first\": %d, \"count\": %d, \"family\": %s, ", d->first, d->count,
            d->family ? "true" : "false");
    json_roles(out, roles);
    fputs(",\n   ", out);
    json_slots(out, p, members, false);
    fputs(",\n   ", out);
    json_slots(out, p, members, true);
    fputc('}', out);
  }
  fputs("],\n", out);
}

static void json_protocols(FILE *out, const Program *p) {
  fputs(" \"protocols\": [", out);
  for (int i = 0; i < p->protocols.count; i++) {
    const ProtocolInstance *k = &p->protocols.data[i];
    fputs(i ? ",\n  {" : "\n  {", out);
    json_field(out, "kind", k->kind);
    fputs(", \"servers\": ", out);
    json_names(out, p, k->servers.data, k->servers.count);
    fputs(", \"helpers\": ", out);
    json_names(out, p, k->helpers.data, k->helpers.count);
    fprintf(out, ", \"frac\": %d, \"whole\": %d, \"ring\": %d", k->frac, k->whole, k->ring);
    for (int e = 0; e < k->extra_count; e++) {
      fputs(", ", out);
      manifest_json_text(out, k->extra[e].name);
      fputs(": ", out);
      if (k->extra[e].text)
        manifest_json_text(out, k->extra[e].text);
      else
        fprintf(out, "%" PRId64, k->extra[e].value);
    }
    fputs(", ", out);
    json_field(out, "trust", trust_text(p, k));
    fputc('}', out);
  }
  fputs("],\n", out);
}

static void json_reveals(FILE *out, const Program *p) {
  fputs(" \"reveals\": [", out);
  for (int i = 0; i < p->reveals.count; i++) {
    const Reveal *r = &p->reveals.data[i];
    fputs(i ? ",\n  {" : "\n  {", out);
    json_field(out, "where", r->site ? ir_site_text(p->arena, r->site) : where_text(p->arena, r->span));
    fputs(", ", out);
    json_field(out, "text", flat(p->arena, r->source_text));
    fputs(", ", out);
    json_field(out, "to", to_text(p, r->to));
    fputs(", ", out);
    json_field(out, "type", revealed_text(p, r));
    fprintf(out, ", \"private\": %s, \"times\": ", r->was_private ? "true" : "false");
    if (r->times < 0)
      fputs("null}", out);
    else
      fprintf(out, "%" PRId64 "}", r->times);
  }
  fputs("],\n", out);
}

static void json_connections(FILE *out, const Program *p) {
  const uint8_t *link = manifest_links(p);
  bool first = true;
  fputs(" \"connections\": [", out);
  for (int i = 0; i < p->party_count; i++)
    for (int k = 0; k < p->party_count; k++) {
      if (!(link[i * p->party_count + k] & TFE_LINK_DIAL))
        continue;
      fputs(first ? "\n  {" : ",\n  {", out);
      json_field(out, "from", party_name(p, i));
      fputs(", ", out);
      json_field(out, "to", party_name(p, k));
      fputc('}', out);
      first = false;
    }
  fputs("],\n", out);
}

void manifest_print(const Program *p, const Cost *c, const char *compiler, FILE *out) {
  fputs("{\"schema\": 1,\n ", out);
  json_field(out, "program", p->name);
  fputs(",\n ", out);
  json_field(out, "hash", p->hash);
  fputs(",\n ", out);
  json_field(out, "compiler", compiler);
  fprintf(out, ",\n \"clear\": %s,\n", p->clear ? "true" : "false");
  json_parties(out, p, c);
  json_protocols(out, p);
  json_reveals(out, p);
  json_connections(out, p);
  fprintf(out, " \"exact\": %s,\n \"rounds\": %" PRId64 ",\n \"totals\": ", c->known ? "true" : "false",
          c->rounds);
  manifest_json_totals(out, c, p);
  fputs("}\n", out);
}
