/* Dealt batches: what p2 deals ahead for p0 and p1 is what they receive; files that are damaged, of something
 * else, or used are refused; a session needs one batch at all. */
#include "parties.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/sha.h>

#include "batch.h"
#include "deal.h"

enum { DEALER = 2, MESSAGES = 3, LARGEST = 1 << 20 };

typedef struct Bench {
  Net *net;
  char folder[64];
  char batches[96];
} Bench;

static void run_shell(const char *format, const char *folder) {
  char command[400];
  snprintf(command, sizeof command, format, folder);
  assert_int_equal(system(command), 0);
}

static int set_up(void **state) {
  Bench *b = calloc(1, sizeof *b);
  snprintf(b->folder, sizeof b->folder, "/tmp/tfe-deal-XXXXXX");
  assert_non_null(mkdtemp(b->folder));
  snprintf(b->batches, sizeof b->batches, "%s/batches", b->folder);
  b->net = net_new(3, false);
  net_link(b->net, 0, 1);
  for (int p = 0; p < DEALER; p++) {
    b->net->links[DEALER][p] = TFE_LINK_SEND | TFE_LINK_KEY | TFE_LINK_DIAL;
    b->net->links[p][DEALER] = TFE_LINK_RECEIVE | TFE_LINK_KEY | TFE_LINK_AHEAD;
  }
  b->net->user = b;
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  Bench *b = *state;
  net_free(b->net);
  run_shell("rm -rf %s", b->folder);
  free(b);
  return 0;
}

static void ctx_of(const Bench *b, int party, TfeCtx *ctx) {
  assert_int_equal(tfe_ctx_init(ctx, &b->net->programs[party], 0), TFE_OK);
}

static void ctx_end(TfeCtx *ctx) {
  tfe_chan_close(ctx);
  tfe_chan_free(ctx);
  tfe_deal_free(ctx);
  tfe_dealt_free(ctx);
  tfe_ctx_free(ctx);
}

/* ------------------------------------------------------------------------------------------------- dealing */

/* Message m to p has m + 1 words of 17 bits drawn with the key of the two. */
static void draw(TfeCtx *ctx, int peer, int m, uint64_t *words) {
  tfe_prg_ring(ctx, words, 0, m + 1, 17, peer, 1, m);
}

static TfeStatus deal_messages(TfeCtx *ctx) {
  uint64_t words[MESSAGES];
  for (int m = 0; m < MESSAGES; m++)
    for (int p = 0; p < DEALER; p++) {
      TfePart part = {words, m + 1, 17};
      draw(ctx, p, m, words);
      TRY(tfe_send(ctx, p, 10 + m, &part, 1));
    }
  return TFE_OK;
}

static TfeStatus deal_begin(Bench *b, TfeCtx *ctx, bool has_seed, uint64_t seed) {
  ctx_of(b, DEALER, ctx);
  TRY(tfe_chan_init_dealing(ctx));
  return tfe_deal_begin(ctx, b->batches, b->net->identities[DEALER], has_seed, seed);
}

static void deal_seeded(Bench *b, bool has_seed, uint64_t seed) {
  TfeCtx ctx;
  assert_int_equal(deal_begin(b, &ctx, has_seed, seed), TFE_OK);
  assert_int_equal(deal_messages(&ctx), TFE_OK);
  assert_int_equal(tfe_deal_commit(&ctx), TFE_OK);
  assert_int_equal(ctx.counters.messages_sent, 2 * MESSAGES);
  assert_int_equal(ctx.counters.bytes_sent, 2 * (3 * TFE_HEADER_BYTES + 3 + 5 + 7));
  assert_int_equal(tfe_chan_rounds(&ctx), 1);
  ctx_end(&ctx);
}

static void deal(Bench *b) {
  deal_seeded(b, false, 0);
}

/* ------------------------------------------------------------------------------------------------- reading */

static const char *file_of(const Bench *b, int batch, int party) {
  static char path[160];
  snprintf(path, sizeof path, "%s/batch-%06d/p%d.dealt", b->batches, batch, party);
  return path;
}

static const char *ledger_of(const Bench *b, int party) {
  static char path[PARTIES][96];
  snprintf(path[party], sizeof path[party], "%s/p%d.used", b->folder, party);
  return path[party];
}

static size_t load(const char *path, uint8_t *out) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t bytes = fread(out, 1, LARGEST, file);
  fclose(file);
  return bytes;
}

static void store(const char *path, const uint8_t *data, size_t bytes) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, data, bytes), bytes);
  close(fd);
}

static TfeStatus open_batch(const Bench *b, int party, const char *folder, TfeCtx *ctx) {
  ctx_of(b, party, ctx);
  return tfe_dealt_open(ctx, folder, ledger_of(b, party), b->net->peers[party], b->net->has_seed[party],
                        b->net->seed[party]);
}

/* The party's next batch of a folder ends so, and says this. */
static void expect_of(const Bench *b, int party, const char *folder, TfeStatus status, const char *text) {
  TfeCtx ctx;
  TfeStatus found = open_batch(b, party, folder, &ctx);
  if (found != status || ctx.error != status ||
      (text != NULL && strstr(ctx.error_text, text) == NULL && strstr(ctx.error_more, text) == NULL))
    fail_msg("%s: %s\n%swanted %s and \"%s\"", tfe_status_code(found), ctx.error_text, ctx.error_more,
             tfe_status_code(status), text ? text : "");
  ctx_end(&ctx);
}

static void expect(const Bench *b, int party, TfeStatus status, const char *text) {
  expect_of(b, party, b->batches, status, text);
}

static void use(Bench *b, int party, uint64_t number) {
  TfeCtx ctx;
  assert_int_equal(open_batch(b, party, b->batches, &ctx), TFE_OK);
  assert_int_equal(tfe_dealt_number(&ctx), number);
  assert_int_equal(tfe_keys_init(&ctx), TFE_OK);
  assert_int_equal(tfe_dealt_take(&ctx), TFE_OK);
  ctx_end(&ctx);
}

/* --------------------------------------------------------------------------------------------------- tests */

static void receive_all(TfeCtx *ctx) {
  uint64_t words[MESSAGES], wanted[MESSAGES];
  for (int m = 0; m < MESSAGES; m++) {
    TfePart part = {words, m + 1, 17};
    assert_int_equal(tfe_recv(ctx, DEALER, 10 + m, &part, 1), TFE_OK);
    draw(ctx, DEALER, m, wanted);
    assert_memory_equal(words, wanted, (size_t)(m + 1) * 8);
  }
}

static void start_receiving(Bench *b, int party, TfeCtx *ctx) {
  assert_int_equal(open_batch(b, party, b->batches, ctx), TFE_OK);
  assert_int_equal(tfe_dealt_dealer(ctx), DEALER);
  int fd = dup(b->net->listen_fd[party]);
  assert_int_equal(tfe_chan_init(ctx, b->net->peers[party], b->net->identities[party], fd), TFE_OK);
  assert_int_equal(tfe_keys_init(ctx), TFE_OK);
  assert_int_equal(tfe_dealt_take(ctx), TFE_OK);
}

static void test_messages(void **state) {
  Bench *b = *state;
  deal(b);
  for (int p = 0; p < DEALER; p++) {
    TfeCtx ctx;
    start_receiving(b, p, &ctx);
    receive_all(&ctx);
    assert_int_equal(ctx.counters.messages_received, MESSAGES);
    assert_int_equal(ctx.counters.bytes_received, 3 * TFE_HEADER_BYTES + 3 + 5 + 7);
    assert_int_equal(ctx.counters.clock, 1);
    uint64_t word;
    TfePart part = {&word, 1, 17};
    assert_int_equal(tfe_recv(&ctx, DEALER, 13, &part, 1), TFE_BATCH_DAMAGED);
    assert_non_null(strstr(ctx.error_more, "it has no more messages"));
    ctx_end(&ctx);
    assert_int_equal(access(file_of(b, 1, p), F_OK), -1); /* used files are removed */
  }
}

/* Receiving checks number and size, as on a connection. */
static void test_other_messages(void **state) {
  static const struct {
    int64_t number, count;
    const char *text;
  } cases[] = {{11, 1, "message 11 was due, message 10 came"},
               {10, 2, "message 10 must have 5 bytes, and has 3"}};
  Bench *b = *state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    TfeCtx ctx;
    uint64_t words[2];
    TfePart part = {words, cases[i].count, 17};
    deal(b);
    start_receiving(b, 0, &ctx);
    assert_int_equal(tfe_recv(&ctx, DEALER, cases[i].number, &part, 1), TFE_BATCH_DAMAGED);
    assert_non_null(strstr(ctx.error_more, cases[i].text));
    ctx_end(&ctx);
  }
}

/* Of every length: cut in the head, between and in messages, in the tail; and too long. */
static void test_truncated(void **state) {
  static uint8_t data[LARGEST + 1];
  Bench *b = *state;
  deal(b);
  size_t bytes = load(file_of(b, 1, 0), data);
  for (size_t length = 0; length < bytes; length++) {
    store(file_of(b, 1, 0), data, length);
    expect(b, 0, TFE_BATCH_DAMAGED, "is damaged: it");
  }
  store(file_of(b, 1, 0), data, bytes + 1);
  expect(b, 0, TFE_BATCH_DAMAGED, "its end is missing");
  store(file_of(b, 1, 0), data, bytes);
  expect(b, 0, TFE_OK, NULL);
}

/* Every bit. Those of the format number and of the signature are not under the check value. */
static void test_flipped(void **state) {
  static uint8_t data[LARGEST];
  Bench *b = *state;
  deal(b);
  size_t bytes = load(file_of(b, 1, 0), data);
  for (size_t bit = 0; bit < 8 * bytes; bit++) {
    size_t at = bit / 8;
    bool format = at >= BATCH_MAGIC_BYTES && at < BATCH_MAGIC_BYTES + 4;
    bool signature = at >= bytes - TFE_IDENTITY_SIGNATURE_BYTES;
    data[at] ^= (uint8_t)(1 << bit % 8);
    store(file_of(b, 1, 0), data, bytes);
    expect(b, 0, format || signature ? TFE_BATCH_FOREIGN : TFE_BATCH_DAMAGED, NULL);
    data[at] ^= (uint8_t)(1 << bit % 8);
  }
}

/* Changed by somebody who makes the check value fit, but has no key. */
static void test_tampered(void **state) {
  static uint8_t data[LARGEST];
  Bench *b = *state;
  deal(b);
  size_t bytes = load(file_of(b, 1, 0), data), end = bytes - BATCH_TAIL_BYTES;
  data[end - 1] ^= 1;
  SHA256(data, end, data + end + BATCH_MAGIC_BYTES);
  store(file_of(b, 1, 0), data, bytes);
  expect(b, 0, TFE_BATCH_FOREIGN, "has a wrong signature: p2 did not deal it like this");
}

static void test_foreign(void **state) {
  static uint8_t data[LARGEST];
  Bench *b = *state;
  TfeProgram *program = &b->net->programs[0];
  TfeProgram before = *program;
  deal(b);
  program->hash = "c04e11b8456789abcdef0123456789abcdef0123456789abcdef0123456789ab";
  expect(b, 0, TFE_BATCH_FOREIGN, "is for another program");
  *program = before;
  program->abi_version++;
  expect(b, 0, TFE_BATCH_FOREIGN, "is of another version of tfec");
  *program = before;
  program->parameters = "epochs=10\nbatch=31\n";
  expect(b, 0, TFE_BATCH_FOREIGN, "was dealt with another value of `batch`");
  program->parameters = "batch=30\n";
  expect(b, 0, TFE_OK, NULL);
  *program = before;
  b->net->has_seed[0] = true;
  expect(b, 0, TFE_BATCH_FOREIGN, "was dealt with no --seed, and this party has --seed 0");
  b->net->has_seed[0] = false;
  b->net->links[0][DEALER] &= (uint8_t)~TFE_LINK_AHEAD;
  expect(b, 0, TFE_BATCH_FOREIGN, "is of p2, who cannot deal ahead for p0 in this program");
  b->net->links[0][DEALER] |= TFE_LINK_AHEAD;
  size_t bytes = load(file_of(b, 1, 0), data);
  store(file_of(b, 1, 1), data, bytes);
  expect(b, 1, TFE_BATCH_FOREIGN, "is for p0, and this is p1");
}

static void test_signer(void **state) {
  Bench *b = *state;
  TfePeer *peer = &b->net->peers[0][DEALER];
  deal(b);
  peer->key[0] ^= 1;
  expect(b, 0, TFE_BATCH_FOREIGN, "was not dealt by the p2 of hosts.toml");
  expect(b, 0, TFE_BATCH_FOREIGN, "(hosts.toml:3), its key is tfe1:");
  peer->key[0] ^= 1;
  peer->has_key = 0;
  expect(b, 0, TFE_HOSTS, "the key of p2 is not known, so its batch cannot be judged");
  peer->has_key = 1;
  assert_int_equal(chmod(file_of(b, 1, 0), 0640), 0);
  expect(b, 0, TFE_HOSTS, "can be read by others (mode 0640)");
}

static void test_seed(void **state) {
  Bench *b = *state;
  deal_seeded(b, true, 4711);
  expect(b, 0, TFE_BATCH_FOREIGN, "was dealt with --seed 4711, and this party has no --seed");
  b->net->has_seed[0] = true;
  b->net->seed[0] = 4711;
  expect(b, 0, TFE_OK, NULL);
}

/* Also under another name, in another folder, and when two processes have chosen the same one. */
static void test_used(void **state) {
  static uint8_t data[LARGEST];
  Bench *b = *state;
  TfeCtx ctx;
  char folder[128];
  deal(b);
  size_t bytes = load(file_of(b, 1, 0), data);
  assert_int_equal(open_batch(b, 0, b->batches, &ctx), TFE_OK);
  assert_int_equal(tfe_keys_init(&ctx), TFE_OK);
  use(b, 0, 1);
  assert_int_equal(tfe_dealt_take(&ctx), TFE_BATCH_USED);
  ctx_end(&ctx);
  expect(b, 0, TFE_BATCH_MISSING, "there is no batch for p0 in");
  store(file_of(b, 1, 0), data, bytes);
  expect(b, 0, TFE_BATCH_USED, "every batch for p0 in");
  snprintf(folder, sizeof folder, "%s/batch-000001", b->batches);
  expect_of(b, 0, folder, TFE_BATCH_USED, ") was used already");
  expect_of(b, 0, folder, TFE_BATCH_USED, "p0.used:1");
  run_shell("mkdir %s/elsewhere", b->folder);
  snprintf(folder, sizeof folder, "%s/elsewhere", b->folder);
  run_shell("cd %s && cp -r batches/batch-000001 elsewhere/batch-000077", b->folder);
  expect_of(b, 0, folder, TFE_BATCH_USED, "every batch for p0 in");
  expect(b, 1, TFE_OK, NULL); /* that of the other party is not used */
}

/* A mark that a crash cut off is none, and does not spoil the next one. */
static void test_torn_mark(void **state) {
  static uint8_t data[LARGEST];
  Bench *b = *state;
  deal(b);
  size_t bytes = load(file_of(b, 1, 0), data);
  store(ledger_of(b, 0), (const uint8_t *)"0123456789abcdef", 16);
  use(b, 0, 1);
  store(file_of(b, 1, 0), data, bytes);
  expect(b, 0, TFE_BATCH_USED, NULL);
}

static void test_ledger(void **state) {
  Bench *b = *state;
  TfeCtx ctx;
  deal(b);
  assert_int_equal(open_batch(b, 0, b->batches, &ctx), TFE_OK);
  assert_int_equal(mkdir(ledger_of(b, 0), 0700), 0); /* cannot be written */
  assert_int_equal(tfe_keys_init(&ctx), TFE_OK);
  assert_int_equal(tfe_dealt_take(&ctx), TFE_OUTPUT);
  ctx_end(&ctx);
  assert_int_equal(access(file_of(b, 1, 0), F_OK), 0);
  expect(b, 0, TFE_SYSTEM, "it lists the batches that were used");
}

static void test_order(void **state) {
  Bench *b = *state;
  for (int i = 0; i < 3; i++)
    deal(b);
  use(b, 0, 1);
  use(b, 0, 2);
  use(b, 1, 1);
  deal(b);
  use(b, 0, 3);
  use(b, 0, 4);
  expect(b, 0, TFE_BATCH_MISSING, NULL);
  expect_of(b, 0, "/nowhere", TFE_BATCH_MISSING, "cannot read the folder /nowhere");
}

/* What is not committed leaves nothing; what a crash left is removed; one at a time. */
static void test_unfinished(void **state) {
  Bench *b = *state;
  TfeCtx ctx, other;
  assert_int_equal(deal_begin(b, &ctx, false, 0), TFE_OK);
  assert_int_equal(deal_messages(&ctx), TFE_OK);
  assert_int_equal(deal_begin(b, &other, false, 0), TFE_OUTPUT);
  assert_non_null(strstr(other.error_text, "another process deals into"));
  ctx_end(&other);
  ctx_end(&ctx);
  run_shell("test -z \"$(ls -A %s)\"", b->batches);
  run_shell("mkdir %s/.dealing", b->batches);
  run_shell("touch %s/.dealing/p0.dealt", b->batches);
  deal(b);
  run_shell("test \"$(ls -A %s)\" = batch-000001", b->batches);
  run_shell("test -z \"$(find %s -type f ! -perm 600)\"", b->batches);
  run_shell("mkdir %s/batch-000041", b->batches);
  deal(b);
  run_shell("test -f %s/batch-000042/p1.dealt", b->batches);
}

static void test_permitted(void **state) {
  static const TfeSlot input = {.name = "x"};
  Bench *b = *state;
  TfeCtx ctx;
  ctx_of(b, DEALER, &ctx);
  assert_int_equal(tfe_deal_permitted(&ctx), TFE_OK);
  assert_int_equal(tfe_dealt_permitted(&ctx), TFE_USAGE);
  assert_non_null(strstr(ctx.error_text, "--dealt: nobody whom p2 is connected to can deal ahead"));
  ctx_end(&ctx);
  ctx_of(b, 0, &ctx);
  assert_int_equal(tfe_dealt_permitted(&ctx), TFE_OK);
  assert_int_equal(tfe_deal_permitted(&ctx), TFE_USAGE);
  assert_non_null(strstr(ctx.error_text, "p0 receives messages from p1, so it cannot run ahead"));
  ctx_end(&ctx);
  b->net->programs[DEALER].slot_count = 1;
  b->net->programs[DEALER].slots = &input;
  ctx_of(b, DEALER, &ctx);
  assert_int_equal(tfe_deal_permitted(&ctx), TFE_USAGE);
  assert_non_null(strstr(ctx.error_text, "p2 has an input, `x`"));
  ctx_end(&ctx);
  b->net->programs[DEALER].slot_count = 0;
  memset(b->net->links[DEALER], 0, sizeof b->net->links[DEALER]);
  ctx_of(b, DEALER, &ctx);
  assert_int_equal(tfe_deal_permitted(&ctx), TFE_USAGE);
  ctx_end(&ctx);
}

/* ------------------------------------------------------------------------------------------------ sessions */

static bool live[PARTIES]; /* parties that start without a batch */

static TfeStatus session_before(TfeCtx *ctx, Net *net) {
  const Bench *b = net->user;
  if (live[ctx->party])
    return TFE_OK;
  return tfe_dealt_open(ctx, b->batches, ledger_of(b, (int)ctx->party), net->peers[ctx->party], false, 0);
}

/* words[0] public seed, [1] key of comparison keys. */
static TfeStatus session_body(TfeCtx *ctx, Net *net) {
  uint64_t *words = net->results[ctx->party].words;
  if (ctx->dealt != NULL) {
    TRY(tfe_dealt_take(ctx));
    receive_all(ctx);
  }
  memcpy(&words[1], ctx->hash_key, 8);
  return tfe_entropy_public(ctx, &words[0]);
}

static void session_run(Bench *b) {
  b->net->before = session_before;
  b->net->body = session_body;
  net_run(b->net, false);
}

/* The dealer, when it dealt, had the same public seed and key of comparison keys. */
static void test_session(void **state) {
  Bench *b = *state;
  TfeCtx ctx;
  uint64_t seed, hash_key;
  assert_int_equal(deal_begin(b, &ctx, false, 0), TFE_OK);
  assert_int_equal(deal_messages(&ctx), TFE_OK);
  assert_int_equal(tfe_entropy_public(&ctx, &seed), TFE_OK);
  memcpy(&hash_key, ctx.hash_key, 8);
  assert_int_equal(tfe_deal_commit(&ctx), TFE_OK);
  ctx_end(&ctx);
  b->net->absent[DEALER] = true;
  session_run(b);
  net_expect_all(b->net, TFE_OK);
  for (int p = 0; p < DEALER; p++) {
    assert_int_equal(b->net->results[p].words[0], seed);
    assert_int_equal(b->net->results[p].words[1], hash_key);
  }
}

static void test_session_differs(void **state) {
  Bench *b = *state;
  deal(b);
  deal(b);
  use(b, 0, 1);
  b->net->absent[DEALER] = true;
  session_run(b);
  for (int p = 0; p < DEALER; p++) {
    net_expect(b->net, p, TFE_BATCH_DIFFERS, "p0 and p1 have different batches");
    net_expect(b->net, p, TFE_BATCH_DIFFERS, "p0: batch 2 (");
    net_expect(b->net, p, TFE_BATCH_DIFFERS, "of p2; p1: batch 1 (");
    net_expect(b->net, p, TFE_BATCH_DIFFERS, "name the batch: --dealt DIR/batch-000002 at p1");
  }
  assert_int_equal(access(file_of(b, 1, 1), F_OK), 0); /* nothing was marked */
  assert_int_equal(access(file_of(b, 2, 0), F_OK), 0);
}

/* One of the two has no batch: with the dealer there, and without it. Nobody hangs. */
static void test_session_half(void **state) {
  Bench *b = *state;
  deal(b);
  live[1] = live[DEALER] = true;
  for (int i = 0; i < 2; i++) {
    b->net->absent[DEALER] = i == 0;
    session_run(b);
    net_expect(b->net, 0, TFE_BATCH_DIFFERS, NULL);
    bool alone = i == 0; /* else the dealer may have heard of it first, and p1 of the dealer's stop */
    net_expect(b->net, 1, TFE_BATCH_DIFFERS,
               alone ? "p0 has a dealt batch of p2, and p1 waits for p2 itself" : "dealt batch");
    net_expect(b->net, 1, TFE_BATCH_DIFFERS,
               alone ? "give --dealt DIR to every party that is connected to p2" : "help: ");
    for (int p = 0; p < DEALER; p++)
      assert_true(b->net->results[p].seconds < 5);
  }
  live[1] = live[DEALER] = false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_messages),     TEST(test_other_messages), TEST(test_truncated), TEST(test_flipped),
      TEST(test_tampered),     TEST(test_foreign),        TEST(test_signer),    TEST(test_seed),
      TEST(test_used),         TEST(test_torn_mark),      TEST(test_ledger),    TEST(test_order),
      TEST(test_unfinished),   TEST(test_permitted),      TEST(test_session),   TEST(test_session_differs),
      TEST(test_session_half),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
