/* The whole compiler on programs with mistakes: the golden programs, with words and lines taken out, doubled,
 * swapped or replaced. Every one must compile or be refused with a message, in time; a failed assertion of
 * ours or of the verifier ends the test, and the program that did it is printed. The mistakes are the same in
 * every run; TFE_MUTATIONS=COUNT makes more of them, TFE_MUTATION_SEED others. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz/compile_target.h"

enum { TEXT_MAX = 1 << 14, WORDS_MAX = 4096, PROGRAMS_MAX = 256, SECONDS_MAX = 20 };

typedef struct Word {
  const char *at;
  int length;
} Word;

static char *programs[PROGRAMS_MAX];
static int program_count;
static Word pool[WORDS_MAX]; /* words of all programs */
static int pool_count;
static FILE *sink;

/* ---- random numbers (splitmix64) ------------------------------------------------------------------- */

static uint64_t state;

static uint64_t next(void) {
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static int below(int n) {
  return (int)(next() % (uint64_t)n);
}

/* ---- words ----------------------------------------------------------------------------------------- */

static bool wordish(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Names, numbers, strings and comments whole, space by itself, else one character. */
static int split(const char *text, Word *words) {
  int count = 0;
  while (*text && count < WORDS_MAX) {
    int n = 1;
    if (wordish(*text))
      while (wordish(text[n]))
        n++;
    else if (*text == ' ')
      while (text[n] == ' ')
        n++;
    else if (*text == '"' || *text == '#')
      while (text[n] && text[n] != '\n' && text[n - 1 + (n == 1)] != '"')
        n++;
    words[count++] = (Word){text, n};
    text += n;
  }
  return count;
}

static int join(const Word *words, int count, char *out) {
  int used = 0;
  for (int i = 0; i < count && used + words[i].length < TEXT_MAX; i++) {
    memcpy(out + used, words[i].at, (size_t)words[i].length);
    used += words[i].length;
  }
  out[used] = 0;
  return used;
}

static const char *const spice[] = {"0",
                                    "1",
                                    "2",
                                    "100000",
                                    "9223372036854775807",
                                    "-1",
                                    "0.0",
                                    "1.0e300",
                                    "0.001",
                                    "private",
                                    "public",
                                    "share at client ",
                                    "reveal ",
                                    "[]",
                                    "()",
                                    "[0]",
                                    "[1:0]",
                                    ".T",
                                    " @ ",
                                    " ** ",
                                    " / ",
                                    "true",
                                    "return ",
                                    "break",
                                    "x",
                                    "fixed",
                                    "int",
                                    "bool"};

static void mutate_once(Word *words, int *count) {
  int i = below(*count), j = below(*count);
  switch (below(7)) {
  case 0: /* out */
    memmove(words + i, words + i + 1, sizeof *words * (size_t)(*count - i - 1));
    *count -= *count > 1;
    break;
  case 1: /* twice */
    if (*count < WORDS_MAX - 1) {
      memmove(words + i + 1, words + i, sizeof *words * (size_t)(*count - i));
      *count += 1;
    }
    break;
  case 2: { /* swapped */
    Word w = words[i];
    words[i] = words[j];
    words[j] = w;
    break;
  }
  case 3: words[i] = words[j]; break;
  case 4: words[i] = pool[below(pool_count)]; break;
  case 5: {
    const char *s = spice[below((int)(sizeof spice / sizeof *spice))];
    words[i] = (Word){s, (int)strlen(s)};
    break;
  }
  default: { /* a line moves */
    int end = i;
    while (end < *count && *words[end].at != '\n')
      end++;
    for (int k = i; k + 1 < end && j + k - i < *count; k++)
      words[j + k - i] = words[k];
  }
  }
}

/* ---- programs -------------------------------------------------------------------------------------- */

static int is_program(const struct dirent *d) {
  size_t n = strlen(d->d_name);
  return n > 4 && strcmp(d->d_name + n - 4, ".tfe") == 0;
}

static void read_folder(const char *folder) {
  struct dirent **list;
  char path[8192];
  int count = scandir(folder, &list, is_program, alphasort);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, TEXT_MAX);
    size_t length = f ? fread(text, 1, TEXT_MAX, f) : 0;
    if (f)
      fclose(f);
    if (length && length < TEXT_MAX / 2 && program_count < PROGRAMS_MAX)
      programs[program_count++] = text;
    else
      free(text);
    free(list[i]);
  }
  free(list);
}

static const char *current; /* for the handler */

static void show_and_stop(int signal_number) {
  static const char head[] = "\n---- this program stopped the compiler, or took too long ----\n";
  (void)!write(STDERR_FILENO, head, sizeof head - 1);
  (void)!write(STDERR_FILENO, current, strlen(current));
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static int setup(void **unused) {
  static const char *const folders[] = {"golden/check", "golden/ir", "golden/parse"};
  (void)unused;
  const char *tests = getenv("TFE_TESTS") ? getenv("TFE_TESTS") : TFE_TEST_DIR,
             *seed = getenv("TFE_MUTATION_SEED");
  char path[4096];
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", tests, folders[i]);
    read_folder(path);
  }
  state = seed ? strtoull(seed, NULL, 10) : 1;
  for (; program_count > 0 && pool_count < WORDS_MAX; pool_count++) {
    Word words[WORDS_MAX];
    int count = split(programs[below(program_count)], words);
    pool[pool_count] = words[below(count)];
  }
  sink = fopen("/dev/null", "w");
  signal(SIGALRM, show_and_stop);
  signal(SIGABRT, show_and_stop);
  signal(SIGSEGV, show_and_stop);
  return sink ? 0 : -1;
}

static int teardown(void **unused) {
  (void)unused;
  for (int i = 0; i < program_count; i++)
    free(programs[i]);
  return fclose(sink);
}

static void mistakes_are_survived(void **unused) {
  (void)unused;
  static char text[TEXT_MAX];
  int total = getenv("TFE_MUTATIONS") ? atoi(getenv("TFE_MUTATIONS")) : 1500, good = 0;
  assert_true(program_count > 80);
  current = text;
  for (int i = 0; i < total; i++) {
    Word words[WORDS_MAX];
    int count = split(programs[i % program_count], words);
    for (int k = 1 + below(4); k > 0; k--)
      mutate_once(words, &count);
    int length = join(words, count, text);
    alarm(SECONDS_MAX);
    good += compile_target("m.tfe", text, (size_t)length, i % 8 == 7, sink);
    alarm(0);
  }
  assert_true(good > 0 && good < total); /* the mistakes are neither hopeless nor harmless */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(mistakes_are_survived)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
