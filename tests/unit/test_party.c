/* The main program of a party, from its command line to its exit code. The program here is a family of
 * three members, which are one executable: 1 and 2 dial 0, add their numbers up and agree on the sum. */
int party_entry(int argc, char **argv);
#define main party_entry
#include "../../runtime/party.c"
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "include/abi.h"

enum { MEMBERS = 3, ARGUMENTS = 24 };

/* How the program of the next processes behaves; they inherit it by fork. */
static enum { BEHAVES, COSTS_MORE, WAITS } behaviour;

/* Members 1 and 2 send their number to 0, which sends the sum back. */
static int32_t program_run(TfeCtx *ctx, uint64_t *arena) {
  TfePart part = {arena, 1, 64};
  if (behaviour == WAITS) {
    printf("running\n");
    fflush(stdout);
    if (ctx->member == 0)
      TRY(tfe_recv(ctx, 2, 7, &part, 1));
    else if (ctx->member == 1)
      TRY(tfe_recv(ctx, 0, 7, &part, 1));
    else
      TRY(tfe_recv(ctx, 1, 7, &part, 1));
  }
  TRY(tfe_input(ctx, arena, 0));
  TRY(tfe_progress(ctx, "step", 1, 1, 0));
  if (ctx->member == 0) {
    uint64_t sum = arena[0];
    for (int64_t m = 1; m < MEMBERS; m++) {
      TRY(tfe_recv(ctx, m, 0, &part, 1));
      sum += arena[0];
    }
    arena[0] = sum;
    for (int64_t m = 1; m < MEMBERS; m++)
      TRY(tfe_send(ctx, m, 1, &part, 1));
  } else {
    TRY(tfe_send(ctx, 0, 0, &part, 1));
    TRY(tfe_recv(ctx, 0, 1, &part, 1));
  }
  if (behaviour == COSTS_MORE && ctx->member == 1)
    ctx->counters.bytes_sent++;
  return tfe_output(ctx, arena, 1);
}

#define BOTH (TFE_LINK_SEND | TFE_LINK_RECEIVE | TFE_LINK_KEY)
static const uint8_t program_links[MEMBERS * MEMBERS] = {
    0, BOTH, BOTH, BOTH | TFE_LINK_DIAL, 0, BOTH, BOTH | TFE_LINK_DIAL, BOTH | TFE_LINK_DIAL, 0};
static const int64_t program_expected[MEMBERS * 5] = {2, 2, 48, 2, 48, 2, 1, 24, 1, 24, 2, 1, 24, 1, 24};
static const TfePartyDecl program_decls[] = {{"adder", 0, MEMBERS, 1}};
static const int64_t program_dims[] = {1};
static const TfeSlot program_slots[] = {
    {.name = "x", .elem = TFE_ELEM_INT, .rank = 0, .dims = program_dims, .where = "sum.tfe:3"},
    {.name = "sum",
     .elem = TFE_ELEM_INT,
     .rank = 0,
     .dims = program_dims,
     .where = "sum.tfe:5",
     .is_output = 1}};
const TfeProgram tfe_program = {.abi_version = TFE_ABI_VERSION,
                                .source = "sum.tfe",
                                .compiler = "tfec 0.0",
                                .manifest = "{}",
                                .hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                .party_decl_count = 1,
                                .party_decls = program_decls,
                                .party_count = MEMBERS,
                                .links = program_links,
                                .slot_count = 2,
                                .slots = program_slots,
                                .arena_words = 4,
                                .about = "You are %s.",
                                .parameters = "",
                                .expected_known = 1,
                                .expected = program_expected,
                                .run = program_run};

static char folder[] = "/tmp/tfe-party-XXXXXX";

static pid_t start(const char *out, const char *line) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid != 0)
    return pid;
  char copy[1024], *argv[ARGUMENTS + 1] = {(char *)"party-adder"}, *rest = NULL;
  int argc = 1;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word = strtok_r(copy, " ", &rest); word && argc < ARGUMENTS; word = strtok_r(NULL, " ", &rest))
    argv[argc++] = word;
  if (chdir(folder) != 0)
    _exit(99);
  int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(fd, 1);
  dup2(fd, 2);
  _exit(party_entry(argc, argv));
}

static int finish(pid_t pid) {
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static const char *shown(const char *name) {
  static char text[16384];
  char path[300];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  return text;
}

static void expect(const char *line, int code, const char *text) {
  int got = finish(start("out", line));
  if (got != code || strstr(shown("out"), text) == NULL)
    fail_msg("%s: exit %d, wanted %d and \"%s\":\n%s", line, got, code, text, shown("out"));
}

static void test_command_line(void **state) {
  (void)state;
  expect("--hash", 0, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
  expect("--about", 0, "You are adder.\n");
  expect("--about --index 2", 0, "You are adder.2.\n");
  expect("--version", 0, "abi 2, protocol 3, OpenSSL");
  expect("--help", 0, "--hosts FILE");
  expect("", 64, "party-adder: error[R0501]: which adder is this?\n  = help: give --index 0 to --index 2\n");
  expect("--index 3", 64, "error[R0501]: --index 3: adder has the members 0 to 2");
  expect("--index x", 64, "--index x: a number from 0 belongs here");
  expect("--index", 64, "--index needs a value");
  expect("--nonsense", 64, "option `--nonsense` is not known");
  expect("word", 64, "argument `word` is not known");
  expect("--wait -1", 64, "a number of seconds above 0");
  expect("--progress=often", 64, "auto, bar, lines, json or none");
  expect("--index 0 --cert a", 64, "--cert and --ca go together");
  expect("--index 0 -o x", 64, "--renew and -o belong to keygen");
  expect("--index 0 --program abc", 76, "this is not the program that --program names");
  expect("--index 0 --input y=5", 64, "error[R0501]");
  expect("--index 0 --input x=word", 66, "error[R02");
  expect("--index 0 --input x=5 --hosts no.toml", 78, "cannot read the hosts file no.toml");
  expect("--index 0 --input x=5 --listen here", 64, "this is not an address");
}

/* Keys of all members, hosts.toml with ports that are free. */
static void make_hosts(void) {
  char path[300];
  char text[2000] = "";
  for (int m = 0; m < MEMBERS; m++) {
    char line[64];
    snprintf(line, sizeof line, "keygen --renew --index %d", m);
    assert_int_equal(finish(start("key", line)), 0);
    const char *key = strstr(shown("key"), "key = ");
    assert_non_null(key);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    snprintf(text + strlen(text), sizeof text - strlen(text),
             "[adder.%d]\naddress = \"127.0.0.1:%d\"\n%.56s\n", m, ntohs(address.sin_port), key);
  }
  snprintf(path, sizeof path, "%s/hosts.toml", folder);
  FILE *file = fopen(path, "w");
  fputs(text, file);
  fclose(file);
}

/* All members with their options; exit codes. */
static void run_all(const char *const lines[MEMBERS], int codes[MEMBERS], int stop_member, int number) {
  pid_t pids[MEMBERS];
  char out[MEMBERS][16];
  for (int m = 0; m < MEMBERS; m++) {
    snprintf(out[m], sizeof out[m], "out%d", m);
    pids[m] = start(out[m], lines[m]);
  }
  if (stop_member >= 0) {
    for (int m = 0, i = 0; m < MEMBERS && i < 500; i++) {
      struct timespec pause = {0, 20000000};
      nanosleep(&pause, NULL);
      m += strstr(shown(out[m]), "running") != NULL;
    }
    kill(pids[stop_member], number);
  }
  for (int m = 0; m < MEMBERS; m++)
    codes[m] = finish(pids[m]);
}

static void expect_codes(const int codes[MEMBERS], int a, int b, int c) {
  if (codes[0] == a && codes[1] == b && codes[2] == c)
    return;
  print_message("%s", shown("out0"));
  print_message("%s", shown("out1"));
  print_message("%s", shown("out2"));
  fail_msg("exit %d %d %d, wanted %d %d %d", codes[0], codes[1], codes[2], a, b, c);
}

static bool there(const char *name) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return access(path, F_OK) == 0;
}

static void test_run(void **state) {
  (void)state;
  static const char *const lines[MEMBERS] = {
      "--index 0 --input x=5 --output sum=sum0.csv --stats stats0 --log log0 --progress json",
      "--index 1 --input x=6 --output sum=sum1.csv --stats=stats1 -q",
      "--index 2 --input x=7 -v --progress lines"};
  int codes[MEMBERS];
  behaviour = BEHAVES;
  make_hosts();
  run_all(lines, codes, -1, 0);
  expect_codes(codes, 0, 0, 0);
  assert_string_equal(shown("sum0.csv"), "18\n");
  assert_string_equal(shown("sum1.csv"), "18\n");
  assert_non_null(strstr(shown("out2"), "sum = 18"));
  assert_non_null(strstr(shown("out2"), "connected to adder.0 at 127.0.0.1:"));
  assert_non_null(strstr(shown("stats0"), "\"party\": \"adder.0\""));
  assert_non_null(strstr(shown("stats0"), "\"rounds\": 2, \"messages_sent\": 2, \"bytes_sent\": 48, "
                                          "\"messages_received\": 2, \"bytes_received\": 48"));
  assert_non_null(strstr(shown("out0"), "{\"party\":\"adder.0\",\"label\":\"step\",\"done\":1,\"total\":1"));
  assert_non_null(strstr(shown("log0"), "Z adder.0 "));
  assert_non_null(strstr(shown("log0"), "session begins"));
}

static void test_check(void **state) {
  (void)state;
  static const char *const lines[MEMBERS] = {"--index 0 --input x=5 --check", "--index 1 --input x=6 --check",
                                             "--index 2 --input x=6 --check"};
  int codes[MEMBERS];
  make_hosts();
  run_all(lines, codes, -1, 0);
  expect_codes(codes, 0, 0, 0);
  assert_non_null(strstr(shown("out1"), "party-adder.1: ready: all parties are here"));
}

static void test_costs(void **state) {
  (void)state;
  static const char *const lines[MEMBERS] = {
      "--index 0 --input x=5", "--index 1 --input x=6 --output sum=not.csv", "--index 2 --input x=7"};
  int codes[MEMBERS];
  behaviour = COSTS_MORE;
  make_hosts();
  run_all(lines, codes, -1, 0);
  behaviour = BEHAVES;
  assert_int_equal(codes[1], 70);
  assert_non_null(strstr(shown("out1"), "error[R0901]: the run did not cost what the compiler computed\n"
                                        "  = note: bytes_sent: 25, computed 24\n"));
  assert_false(there("not.csv"));
}

static void test_signals(void **state) {
  (void)state;
  static const char *const lines[MEMBERS] = {
      "--index 0 --input x=5", "--index 1 --input x=6 --output sum=half.csv", "--index 2 --input x=7"};
  static const int numbers[] = {SIGTERM, SIGINT};
  behaviour = WAITS;
  for (int i = 0; i < 2; i++) {
    int codes[MEMBERS];
    make_hosts();
    run_all(lines, codes, 1, numbers[i]);
    expect_codes(codes, 75, 128 + numbers[i], 75);
    assert_non_null(strstr(shown("out0"), "party-adder.0: error[R0701]: adder.1 was stopped"));
    assert_non_null(strstr(shown("out2"), "adder.1 was stopped in the middle of the computation"));
    assert_false(there("half.csv"));
    char command[300];
    snprintf(command, sizeof command, "ls -A %s | grep -q half", folder);
    assert_int_not_equal(system(command), 0);
  }
  behaviour = BEHAVES;
}

static void test_wrong_own_key(void **state) {
  (void)state;
  make_hosts();
  expect("--index 0 --input x=5 --key party-adder.1.key", 78,
         "is not the key that hosts.toml:3 names for adder.0");
  expect("--index 0 --input x=5 --key nothing.key", 78, "cannot read the key file nothing.key");
  expect("keygen --index 1", 73, "the key file party-adder.1.key exists already");
  expect("keygen", 64, "which adder is this?");
  expect("keygen -o fresh.key", 0, "this line under [adder.I] in hosts.toml:");
}

static int begin(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  char command[300];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_command_line), cmocka_unit_test(test_run),
      cmocka_unit_test(test_check),        cmocka_unit_test(test_costs),
      cmocka_unit_test(test_signals),      cmocka_unit_test(test_wrong_own_key),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
