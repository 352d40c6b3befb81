/* A party with the slots that a test of runtime/file wants, and small helpers. Names are all of this
 * program: ann. */
#ifndef FILE_FIXTURE_H
#define FILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/file/reader.h"
#include "../../runtime/file/state.h"

typedef struct Fixture {
  TfeCtx ctx;
  TfeProgram program;
} Fixture;

static const TfePartyDecl fixture_parties[] = {{"ann", 0, 1, 0}};

static inline void fixture_open(Fixture *f, const TfeSlot *slots, int64_t count) {
  f->program = (TfeProgram){.abi_version = TFE_ABI_VERSION,
                            .party_decl_count = 1,
                            .party_decls = fixture_parties,
                            .party_count = 1,
                            .slot_count = count,
                            .slots = slots};
  assert_int_equal(tfe_ctx_init(&f->ctx, &f->program, 0), TFE_OK);
  assert_int_equal(tfe_io_init(&f->ctx), TFE_OK);
}

static inline void fixture_close(Fixture *f) {
  tfe_io_free(&f->ctx);
  tfe_ctx_free(&f->ctx);
}

/* Forgets the error, so that the context can fail again. */
static inline void fixture_forgive(Fixture *f) {
  f->ctx.error = TFE_OK;
  f->ctx.error_text[0] = 0;
  f->ctx.error_more[0] = 0;
}

static inline double as_real(uint64_t word) {
  double value;
  memcpy(&value, &word, sizeof value);
  return value;
}

static inline uint64_t as_word(double value) {
  uint64_t word;
  memcpy(&word, &value, sizeof word);
  return word;
}

static inline void assert_reals(const uint64_t *words, const double *expected, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    assert_true(as_real(words[i]) == expected[i]);
}

/* The message so far must contain `text` (NULL: anything). */
static inline void assert_says(const Fixture *f, const char *text) {
  char all[sizeof f->ctx.error_text + sizeof f->ctx.error_more + 2];
  snprintf(all, sizeof all, "%s\n%s", f->ctx.error_text, f->ctx.error_more);
  if (text && !strstr(all, text))
    fail_msg("`%s` is not in: %s", text, all);
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

#endif
