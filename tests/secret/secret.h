/* Secret memory, for a tool that follows it and reports a branch or an address that depends on it: valgrind's
 * memcheck, on the very code that is shipped, or clang's MemorySanitizer, for instruction sets that valgrind
 * does not know. Both follow "undefined" memory; secret is undefined here.
 *
 * Without a tool everything is nothing, and secret_watched() says so.
 *
 * What MemorySanitizer follows less well than memcheck: it passes undefined bits through + - * and through
 * vector instructions that it does not know bit by bit, so that it may take a bit for public which a carry
 * made secret. Secret words are undefined in all bits to begin with, and kernels.c checks that every result
 * still is. Where that is too coarse, for AES, msan_aes.h helps. */
#ifndef TFE_SECRET_H
#define TFE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define SECRET_MSAN
#endif
#endif

#if defined(SECRET_MSAN)
#include <sanitizer/msan_interface.h>
#elif __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define SECRET_MEMCHECK
#endif

static inline bool secret_watched(void) {
#if defined(SECRET_MSAN)
  return true;
#elif defined(SECRET_MEMCHECK)
  return RUNNING_ON_VALGRIND;
#else
  return false;
#endif
}

static inline void secret_mark(void *memory, size_t bytes) {
#if defined(SECRET_MSAN)
  __msan_poison(memory, bytes);
#elif defined(SECRET_MEMCHECK)
  VALGRIND_MAKE_MEM_UNDEFINED(memory, bytes);
#else
  (void)memory, (void)bytes;
#endif
}

static inline void secret_declassify(const void *memory, size_t bytes) {
#if defined(SECRET_MSAN)
  __msan_unpoison(memory, bytes);
#elif defined(SECRET_MEMCHECK)
  VALGRIND_MAKE_MEM_DEFINED(memory, bytes);
#else
  (void)memory, (void)bytes;
#endif
}

/* Some bit of the word is secret. */
static inline bool secret_is(const uint64_t *word) {
#if defined(SECRET_MSAN)
  return __msan_test_shadow(word, sizeof *word) >= 0;
#elif defined(SECRET_MEMCHECK)
  uint64_t undefined = 0;
  return VALGRIND_GET_VBITS(word, &undefined, sizeof *word) == 1 && undefined != 0;
#else
  (void)word;
  return false;
#endif
}

/* Reports so far. MemorySanitizer ends the process with its first one instead, after calling the function
 * given to secret_on_report. */
static inline unsigned secret_reports(void) {
#if defined(SECRET_MEMCHECK)
  return VALGRIND_COUNT_ERRORS;
#else
  return 0;
#endif
}

static inline void secret_on_report(void (*last_words)(void)) {
#if defined(SECRET_MSAN)
  __msan_set_death_callback(last_words);
#else
  (void)last_words;
#endif
}

#endif
