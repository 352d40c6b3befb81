/* hosts.toml: what is understood, and what is said about the rest. */
#include "parties.h"

#include "hosts.h"

#define KEY_A "tfe1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "tfe1:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const TfePartyDecl decls[] = {{"server1", 0, 1, 0}, {"server2", 1, 1, 0}, {"provider", 2, 2, 1}};
static const uint8_t links[4] = {0, TFE_LINK_DIAL | TFE_LINK_SEND, TFE_LINK_RECEIVE, 0};
static const TfeProgram program = {.source = "model.tfe",
                                   .party_decl_count = 3,
                                   .party_decls = decls,
                                   .party_count = 4,
                                   .self = 0,
                                   .links = links,
                                   .arena_words = 1};

typedef struct Fixture {
  TfeCtx ctx;
  TfePeer peers[4];
} Fixture;

static void begin(Fixture *f) {
  memset(f->peers, 0, sizeof f->peers);
  assert_int_equal(tfe_ctx_init(&f->ctx, &program, 0), TFE_OK);
}

static TfeStatus parse(Fixture *f, const char *text) {
  begin(f);
  return tfe_hosts_parse(&f->ctx, "hosts.toml", text, strlen(text), f->peers);
}

static void test_whole(void **state) {
  (void)state;
  Fixture f;
  assert_int_equal(
      parse(&f, "# our hosts\r\n\r\n[server1]\r\naddress = \"10.1.0.1:7700\"  # inside\nkey=\"" KEY_A "\"\n"
                "  [ server2 ]# x\n\taddress = '[::1]:7701'\n[other_program]\naddress = \"h:1\"\n"
                "[ provider . 1 ]\nkey = \"" KEY_B "\""),
      TFE_OK);
  assert_string_equal(f.peers[0].host, "10.1.0.1");
  assert_string_equal(f.peers[0].port, "7700");
  assert_int_equal(f.peers[0].has_key, 1);
  assert_int_equal(f.peers[0].line, 5);
  assert_string_equal(f.peers[1].host, "::1");
  assert_string_equal(f.peers[1].port, "7701");
  assert_int_equal(f.peers[1].has_key, 0);
  assert_string_equal(f.peers[2].host, "");
  assert_int_equal(f.peers[3].has_key, 1);
  assert_int_equal(f.peers[3].key[0], 1);
  tfe_ctx_free(&f.ctx);
}

typedef struct Wrong {
  const char *text, *error, *help;
} Wrong;

static const Wrong wrong[] = {
    {"[server1\n", "hosts.toml:1: `]` is missing after `[server1`", NULL},
    {"\n[]\n", "hosts.toml:2: a party's name belongs here", "write [server1]"},
    {"[server1] x", "something stands behind `[server1]`", "a line of its own"},
    {"[[server1]]", "an array of tables has no meaning here", "[server1]"},
    {"[a..b]\n", "a party's name belongs here", NULL},
    {"[server1]\n[server1]\n", "hosts.toml:2: a second table [server1]", "keep one"},
    {"address = \"h:1\"\n", "`address` belongs to no party", "write [server1] above"},
    {"[server1]\nadress = \"h:1\"\n", "hosts.toml:2: no setting has the name `adress`",
     "`address` and `key`"},
    {"[server1]\naddress = h:1\n", "a text in quotes belongs here", "texts stand in quotes"},
    {"[server1]\naddress = \"h:1\n", "the closing \" is missing", NULL},
    {"[server1]\naddress = 7\n", "`address` must be a text in quotes", NULL},
    {"[server1]\naddress \"h:1\"\n", "`=` is missing after `address`", NULL},
    {"[server1]\naddress = \"h\"\n", "`h` is not an address", "HOST:PORT"},
    {"[server1]\naddress = \"::1:77\"\n", "`::1:77` is not an address", "[::1]:7700"},
    {"[server1]\naddress = \"h:0\"\n", "not an address", NULL},
    {"[server1]\naddress = \"h:65536\"\n", "not an address", NULL},
    {"[server1]\naddress = \"h:7x\"\n", "not an address", NULL},
    {"[server1]\naddress = \":7\"\n", "not an address", NULL},
    {"[server1]\naddress = \"a b:7\"\n", "not an address", NULL},
    {"[server1]\naddress = \"h:1\" \"x\"\n", "something stands behind the value of `address`", NULL},
    {"[server1]\naddress = \"h:1\"\naddress = \"h:2\"\n", "hosts.toml:3: a second `address` for server1",
     NULL},
    {"[server1]\nkey = \"tfe1:AA\"\n", "`tfe1:AA` is not a key", "tfe1: and 43 characters"},
    {"[server1]\nkey = \"x\\q\"\n", "this escape is not known here", NULL},
    {"[server1]\nkey = \"x\x01\"\n", "a control character", NULL},
    {"[server1]\n= 5\n", "this line is not understood", NULL},
    {"[server1]\n\"key\" = \"x\"\n", "this line is not understood", NULL},
    {"[server1]\nkey = 99999999999999999999\n", "a text in quotes belongs here", NULL},
};

static void test_wrong(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    Fixture f;
    TfeStatus status = parse(&f, wrong[i].text);
    if (status != TFE_HOSTS || strstr(f.ctx.error_text, wrong[i].error) == NULL ||
        (wrong[i].help && strstr(f.ctx.error_more, wrong[i].help) == NULL))
      fail_msg("%s\ngave %d: %s\n%s", wrong[i].text, status, f.ctx.error_text, f.ctx.error_more);
    tfe_ctx_free(&f.ctx);
  }
}

static void test_long_lines(void **state) {
  (void)state;
  char text[4000] = "[server1]\naddress = \"";
  Fixture f;
  memset(text + strlen(text), 'a', 3000);
  assert_int_equal(parse(&f, text), TFE_HOSTS);
  tfe_ctx_free(&f.ctx);
  memset(text, 'a', 3000);
  text[0] = '[';
  text[3000] = '\0';
  assert_int_equal(parse(&f, text), TFE_HOSTS);
  tfe_ctx_free(&f.ctx);
}

static void test_override(void **state) {
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"server1", "NAME=ADDR:PORT belongs here"},
      {"=h:1", "NAME=ADDR:PORT belongs here"},
      {"nobody=h:1", "model.tfe has no party `nobody`"},
      {"provider=h:1", "has no party `provider`"},
      {"server1=h", "`h` is not an address"},
  };
  (void)state;
  Fixture f;
  begin(&f);
  assert_int_equal(tfe_hosts_override(&f.ctx, "provider.1=example.org:80", f.peers), TFE_OK);
  assert_string_equal(f.peers[3].host, "example.org");
  tfe_ctx_free(&f.ctx);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin(&f);
    assert_int_equal(tfe_hosts_override(&f.ctx, cases[i].text, f.peers), TFE_USAGE);
    assert_non_null(strstr(f.ctx.error_text, cases[i].error));
    tfe_ctx_free(&f.ctx);
  }
}

static void test_check(void **state) {
  static const struct {
    const char *text, *error;
    bool authority;
  } cases[] = {
      {"[server2]\nkey = \"" KEY_A "\"\n[provider.0]\nkey = \"" KEY_B "\"",
       "the address of server2 is not known", false},
      {"[server2]\naddress = \"h:1\"\n[provider.0]\nkey = \"" KEY_B "\"", "the key of server2 is not known",
       false},
      {"[server2]\naddress = \"h:1\"\nkey = \"" KEY_A "\"\n", "the key of provider.0 is not known", false},
      {"[server2]\naddress = \"h:1\"\nkey = \"" KEY_A "\"\n[provider.0]\nkey = \"" KEY_A "\"",
       "hosts.toml:5: server2 and provider.0 have the same key", false},
      {"[server2]\naddress = \"h:1\"\nkey = \"" KEY_A "\"\n[provider.0]\nkey = \"" KEY_B "\"", NULL, false},
      {"[server2]\naddress = \"h:1\"\n", NULL, true},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Fixture f;
    assert_int_equal(parse(&f, cases[i].text), TFE_OK);
    TfeStatus status = tfe_hosts_check(&f.ctx, "hosts.toml", f.peers, cases[i].authority);
    assert_int_equal(status, cases[i].error ? TFE_HOSTS : TFE_OK);
    if (cases[i].error)
      assert_non_null(strstr(f.ctx.error_text, cases[i].error));
    tfe_ctx_free(&f.ctx);
  }
}

static void test_together(void **state) {
  static const struct {
    const char *hosts[4];
    int64_t together;
  } cases[] = {
      {{"10.1.0.1", "10.1.0.2", "10.1.0.1", ""}, 2},
      {{"127.0.0.1", "localhost", "::1", "127.1.2.3"}, 4},
      {{"", "127.0.0.1", "", "10.1.0.1"}, 2},
      {{"hospital", "", "", "127.0.0.1"}, 1},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    TfePeer peers[4] = {0};
    for (int p = 0; p < 4; p++)
      snprintf(peers[p].host, sizeof peers[p].host, "%s", cases[i].hosts[p]);
    assert_int_equal(tfe_hosts_together(peers, 4, 0), cases[i].together);
  }
}

static void test_file(void **state) {
  (void)state;
  Fixture f;
  char path[] = "/tmp/tfe-hosts-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_true(write(fd, "[server2]\naddress = \"h:1\"\n", 26) == 26);
  close(fd);
  begin(&f);
  assert_int_equal(tfe_hosts_read(&f.ctx, path, f.peers), TFE_OK);
  assert_string_equal(f.peers[1].host, "h");
  unlink(path);
  assert_int_equal(tfe_hosts_read(&f.ctx, path, f.peers), TFE_HOSTS);
  assert_non_null(strstr(f.ctx.error_text, "cannot read the hosts file"));
  tfe_ctx_free(&f.ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),    cmocka_unit_test(test_wrong), cmocka_unit_test(test_long_lines),
      cmocka_unit_test(test_override), cmocka_unit_test(test_check), cmocka_unit_test(test_together),
      cmocka_unit_test(test_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
