/* Reader of hosts.toml (see hosts.h): one line at a time, no recursion, nothing allocated but the file's
 * text. */
#define _GNU_SOURCE
#include "hosts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dealt.h"
#include "identity.h"

enum { HOSTS_FILE_LIMIT = 1 << 20, HOSTS_TEXT_BYTES = 512 };

typedef struct HostsReader {
  TfeCtx *ctx;
  const char *shown;
  TfePeer *peers;
  uint8_t *seen; /* per party: 1 its table has come, 2 its address, 4 its key */
  int line;
  const char *at, *end; /* rest of the current line */
  bool in_table;
  int64_t party; /* of the current table; -1 unknown to this program */
} HostsReader;

__attribute__((format(printf, 3, 4))) static TfeStatus hosts_fail(HostsReader *r, const char *help,
                                                                  const char *format, ...) {
  char sentence[600];
  va_list list;
  va_start(list, format);
  vsnprintf(sentence, sizeof sentence, format, list);
  va_end(list);
  TfeStatus status = tfe_fail(r->ctx, TFE_HOSTS, "%s:%d: %s", r->shown, r->line, sentence);
  if (help != NULL)
    tfe_help(r->ctx, "%s", help);
  return status;
}

static void hosts_blank(HostsReader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
    r->at++;
}

static bool hosts_line_over(HostsReader *r) {
  hosts_blank(r);
  return r->at == r->end || *r->at == '#';
}

static bool hosts_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* A bare key of TOML, with dots if `dotted` (blanks around dots are dropped). false: nothing there or too
 * long. */
static bool hosts_name(HostsReader *r, bool dotted, char name[HOSTS_TEXT_BYTES]) {
  size_t length = 0;
  hosts_blank(r);
  while (r->at < r->end && length + 1 < HOSTS_TEXT_BYTES) {
    if (hosts_bare(*r->at)) {
      name[length++] = *r->at++;
      continue;
    }
    const char *before = r->at;
    hosts_blank(r);
    if (!dotted || r->at == r->end || *r->at != '.' || length == 0 || name[length - 1] == '.') {
      r->at = before;
      break;
    }
    name[length++] = *r->at++;
    hosts_blank(r);
  }
  name[length] = '\0';
  return length > 0 && name[length - 1] != '.';
}

static int64_t hosts_party(const TfeCtx *ctx, const char *name) {
  for (int64_t p = 0; p < ctx->program->party_count; p++)
    if (strcmp(tfe_party_name(ctx, p), name) == 0)
      return p;
  return -1;
}

static TfeStatus hosts_table(HostsReader *r) {
  char name[HOSTS_TEXT_BYTES];
  r->at++;
  if (r->at < r->end && *r->at == '[')
    return hosts_fail(r, "write [server1], once for each party", "an array of tables has no meaning here");
  if (!hosts_name(r, true, name))
    return hosts_fail(r, "write [server1], or [provider.0] for a member of a family",
                      "a party's name belongs here");
  hosts_blank(r);
  if (r->at == r->end || *r->at != ']')
    return hosts_fail(r, NULL, "`]` is missing after `[%s`", name);
  r->at++;
  if (!hosts_line_over(r))
    return hosts_fail(r, "write each setting on a line of its own", "something stands behind `[%s]`", name);
  r->in_table = true;
  r->party = hosts_party(r->ctx, name);
  if (r->party >= 0 && r->seen[r->party])
    return hosts_fail(r, "keep one of the two", "a second table [%s]", name);
  if (r->party >= 0) {
    r->seen[r->party] = 1;
    r->peers[r->party].file = r->shown;
    r->peers[r->party].line = r->line;
  }
  return TFE_OK;
}

/* "basic" with \" \\ \t \n, or 'literal'. */
static TfeStatus hosts_text(HostsReader *r, char text[HOSTS_TEXT_BYTES]) {
  char quote = *r->at++;
  size_t length = 0;
  while (r->at < r->end && *r->at != quote) {
    char c = *r->at++;
    if (c == '\\' && quote == '"') {
      static const char from[] = "\"\\tn", to[] = "\"\\\t\n";
      const char *found = r->at < r->end && *r->at ? strchr(from, *r->at) : NULL;
      if (found == NULL)
        return hosts_fail(r, NULL, "this escape is not known here; only \\\" \\\\ \\t \\n are");
      r->at++;
      c = to[found - from];
    }
    if ((unsigned char)c < ' ' && c != '\t' && c != '\n')
      return hosts_fail(r, NULL, "a control character in a text");
    if (length + 1 >= HOSTS_TEXT_BYTES)
      return hosts_fail(r, NULL, "this text is too long");
    text[length++] = c;
  }
  if (r->at == r->end)
    return hosts_fail(r, NULL, "the closing %c is missing", quote);
  r->at++;
  text[length] = '\0';
  return TFE_OK;
}

static TfeStatus hosts_value(HostsReader *r, char text[HOSTS_TEXT_BYTES], bool *is_text) {
  hosts_blank(r);
  *is_text = r->at < r->end && (*r->at == '"' || *r->at == '\'');
  if (*is_text)
    return hosts_text(r, text);
  size_t length = 0;
  while (r->at < r->end && length + 1 < HOSTS_TEXT_BYTES && (hosts_bare(*r->at) || *r->at == '+'))
    text[length++] = *r->at++;
  text[length] = '\0';
  char *rest = text;
  errno = 0;
  (void)strtoll(text, &rest, 10);
  if (length == 0 || *rest != '\0' || errno != 0)
    return hosts_fail(r, "texts stand in quotes: address = \"10.1.0.1:7700\"",
                      "a text in quotes belongs here");
  return TFE_OK;
}

static TfeStatus hosts_setting(HostsReader *r) {
  char name[HOSTS_TEXT_BYTES], text[HOSTS_TEXT_BYTES];
  bool is_text = false;
  if (!hosts_name(r, false, name))
    return hosts_fail(r, "a line is [party], name = \"text\", or a # comment", "this line is not understood");
  hosts_blank(r);
  if (r->at == r->end || *r->at != '=')
    return hosts_fail(r, NULL, "`=` is missing after `%s`", name);
  r->at++;
  TRY(hosts_value(r, text, &is_text));
  if (!hosts_line_over(r))
    return hosts_fail(r, NULL, "something stands behind the value of `%s`", name);
  if (!r->in_table)
    return hosts_fail(r, "write [server1] above the settings of server1", "`%s` belongs to no party", name);
  int bit = strcmp(name, "address") == 0 ? 2 : strcmp(name, "key") == 0 ? 4 : 0;
  if (bit == 0)
    return hosts_fail(r, "a party has `address` and `key`", "no setting has the name `%s`", name);
  if (!is_text)
    return hosts_fail(r, "texts stand in quotes: address = \"10.1.0.1:7700\"",
                      "`%s` must be a text in quotes", name);
  TfePeer unknown = {0};
  TfePeer *peer = r->party >= 0 ? &r->peers[r->party] : &unknown;
  if (r->party >= 0 && (r->seen[r->party] & bit) != 0)
    return hosts_fail(r, "keep one of the two", "a second `%s` for %s", name,
                      tfe_party_name(r->ctx, r->party));
  if (r->party >= 0)
    r->seen[r->party] = (uint8_t)(r->seen[r->party] | bit);
  if (bit == 2 && !tfe_hosts_address(text, peer))
    return hosts_fail(
        r, "write HOST:PORT, as in \"10.1.0.1:7700\", \"server1.example.org:7700\" or \"[::1]:7700\"",
        "`%s` is not an address", text);
  if (bit == 4 && !tfe_identity_parse(text, peer->key))
    return hosts_fail(r, "copy the whole line that `keygen` prints: tfe1: and 43 characters",
                      "`%s` is not a key", text);
  if (bit == 4) {
    peer->has_key = 1;
    peer->line = r->line;
  }
  return TFE_OK;
}

TfeStatus tfe_hosts_parse(TfeCtx *ctx, const char *shown, const char *text, size_t length, TfePeer *peers) {
  HostsReader r = {.ctx = ctx, .shown = shown, .peers = peers, .party = -1};
  TfeStatus status = TFE_OK;
  r.seen = calloc((size_t)ctx->program->party_count + 1, 1);
  if (r.seen == NULL)
    return tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  const char *at = text, *end = text + length;
  while (status == TFE_OK && at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    const char *next = stop ? stop + 1 : end;
    r.line++;
    r.at = at;
    r.end = stop ? stop : end;
    if (r.end > r.at && r.end[-1] == '\r')
      r.end--;
    if (!hosts_line_over(&r))
      status = *r.at == '[' ? hosts_table(&r) : hosts_setting(&r);
    at = next;
  }
  free(r.seen);
  return status;
}

TfeStatus tfe_hosts_read(TfeCtx *ctx, const char *path, TfePeer *peers) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "cannot read the hosts file %s: %s", path, strerror(errno));
    tfe_help(ctx, "`tfec hosts %s > hosts.toml` writes a template", ctx->program->source);
    return status;
  }
  TfeStatus status = TFE_OK;
  char *text = malloc(HOSTS_FILE_LIMIT + 1);
  size_t length = text ? fread(text, 1, HOSTS_FILE_LIMIT + 1, file) : 0;
  if (text == NULL)
    status = tfe_fail(ctx, TFE_MEMORY, "memory ran out");
  else if (ferror(file))
    status = tfe_fail(ctx, TFE_HOSTS, "cannot read the hosts file %s: %s", path, strerror(errno));
  else if (length > HOSTS_FILE_LIMIT)
    status = tfe_fail(ctx, TFE_HOSTS, "%s is larger than a hosts file can be (1 MiB)", path);
  else
    status = tfe_hosts_parse(ctx, path, text, length, peers);
  free(text);
  fclose(file);
  return status;
}

bool tfe_hosts_address(const char *text, TfePeer *peer) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon == text)
    return false;
  const char *host = text, *host_end = colon;
  if (*host == '[') {
    if (host_end[-1] != ']')
      return false;
    host++;
    host_end--;
  } else if (memchr(host, ':', (size_t)(host_end - host)) != NULL) {
    return false; /* IPv6 needs brackets: which colon is the port's? */
  }
  size_t length = (size_t)(host_end - host);
  if (length == 0 || length >= sizeof peer->host)
    return false;
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)host[i] <= ' ' || strchr("[]/\"'", host[i]) != NULL)
      return false;
  long port = 0;
  const char *digit = colon + 1;
  for (; *digit >= '0' && *digit <= '9' && port <= 65535; digit++)
    port = 10 * port + (*digit - '0');
  if (*digit != '\0' || digit == colon + 1 || port < 1 || port > 65535)
    return false;
  memcpy(peer->host, host, length);
  peer->host[length] = '\0';
  snprintf(peer->port, sizeof peer->port, "%ld", port);
  return true;
}

TfeStatus tfe_hosts_override(TfeCtx *ctx, const char *text, TfePeer *peers) {
  char name[HOSTS_TEXT_BYTES];
  const char *equals = strchr(text, '=');
  size_t length = equals ? (size_t)(equals - text) : 0;
  TfeStatus status = TFE_OK;
  if (length == 0 || length >= sizeof name) {
    status = tfe_fail(ctx, TFE_USAGE, "--host %s: NAME=ADDR:PORT belongs here", text);
    tfe_help(ctx, "as in --host server1=10.1.0.1:7700");
    return status;
  }
  memcpy(name, text, length);
  name[length] = '\0';
  int64_t party = hosts_party(ctx, name);
  if (party < 0) {
    status = tfe_fail(ctx, TFE_USAGE, "--host %s: %s has no party `%s`", text, ctx->program->source, name);
    tfe_help(ctx, "members of a family are written provider.0, provider.1, ...");
  } else if (!tfe_hosts_address(equals + 1, &peers[party])) {
    status = tfe_fail(ctx, TFE_USAGE, "--host %s: `%s` is not an address", text, equals + 1);
    tfe_help(ctx, "write HOST:PORT, as in 10.1.0.1:7700 or [::1]:7700");
  }
  return status;
}

static TfeStatus hosts_check_keys(TfeCtx *ctx, const TfePeer *peers) {
  int64_t count = ctx->program->party_count;
  for (int64_t p = 0; p < count; p++)
    for (int64_t q = 0; q < p; q++)
      if (peers[p].has_key && peers[q].has_key &&
          memcmp(peers[p].key, peers[q].key, sizeof peers[p].key) == 0) {
        TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "%s:%d: %s and %s have the same key",
                                    peers[p].file ? peers[p].file : "hosts.toml", peers[p].line,
                                    tfe_party_name(ctx, q), tfe_party_name(ctx, p));
        tfe_help(ctx, "every party makes a key of its own with `keygen`; a key is never shared");
        return status;
      }
  return TFE_OK;
}

TfeStatus tfe_hosts_check(TfeCtx *ctx, const char *shown, const TfePeer *peers, bool authority) {
  const TfeProgram *program = ctx->program;
  const uint8_t *links = program->links + ctx->member * program->party_count;
  for (int64_t p = 0; p < program->party_count; p++) {
    const char *name = tfe_party_name(ctx, p);
    if (links[p] == 0 || p == ctx->party || p == tfe_dealt_dealer(ctx))
      continue;
    if ((links[p] & TFE_LINK_DIAL) && peers[p].host[0] == '\0') {
      TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "the address of %s is not known", name);
      tfe_note(ctx, "%s%s %s", shown ? shown : "no hosts file was given (--hosts FILE, or TFE_HOSTS)",
               shown ? " has no address under" : "; this program connects to", shown ? "its table" : name);
      tfe_help(ctx, "write [%s] and address = \"HOST:PORT\" into hosts.toml, or give --host %s=HOST:PORT",
               name, name);
      return status;
    }
    if (!authority && !peers[p].has_key) {
      TfeStatus status = tfe_fail(ctx, TFE_HOSTS, "the key of %s is not known", name);
      if (shown != NULL)
        tfe_note(ctx, "%s has no key for it", shown);
      else
        tfe_note(ctx, "no hosts file was given (--hosts FILE, or TFE_HOSTS)");
      tfe_help(ctx, "write [%s] and key = \"tfe1:...\" into hosts.toml: the line that `keygen` prints at %s",
               name, name);
      return status;
    }
  }
  return hosts_check_keys(ctx, peers);
}

static bool hosts_is_loopback(const char *host) {
  return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

int64_t tfe_hosts_together(const TfePeer *peers, int64_t count, int64_t own) {
  const char *here = peers[own].host;
  bool local = here[0] == '\0' || hosts_is_loopback(here);
  int64_t together = 1;
  for (int64_t p = 0; p < count; p++)
    together += p != own && (local ? hosts_is_loopback(peers[p].host) : strcmp(peers[p].host, here) == 0);
  return together;
}
