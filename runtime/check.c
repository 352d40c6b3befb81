/* Checks that generated code makes of indices, divisors and the user's assertions. The values shown are
 * public or this party's own. */
#include "check.h"

#include <stdio.h>

#include "ctx.h"
#include "include/abi.h"

void tfe_check_element(char *text, size_t size, int64_t element, const int64_t *dims, int64_t rank) {
  int64_t index[16] = {0};
  for (int64_t i = rank - 1; i >= 0 && rank <= 16; i--) {
    index[i] = element % dims[i];
    element /= dims[i];
  }
  size_t used = (size_t)snprintf(text, size, "[");
  for (int64_t i = 0; i < rank && rank <= 16 && used < size; i++)
    used += (size_t)snprintf(text + used, size - used, i ? ", %lld" : "%lld", (long long)index[i]);
  if (used < size)
    snprintf(text + used, size - used, "]");
}

TfeStatus tfe_check_index(TfeCtx *ctx, int64_t index, int64_t box, int64_t axis, int64_t site) {
  if (index >= 0 && index <= axis - box)
    return TFE_OK;
  if (box == 1)
    tfe_fail(ctx, TFE_INDEX, "index %lld of %lld", (long long)index, (long long)axis);
  else
    tfe_fail(ctx, TFE_INDEX, "%lld elements from index %lld on, of %lld", (long long)box, (long long)index,
             (long long)axis);
  tfe_note_site(ctx, site);
  tfe_help(ctx, "indices go from 0 to %lld", (long long)(axis - box));
  return TFE_INDEX;
}

TfeStatus tfe_check_divisor(TfeCtx *ctx, int64_t divisor, int64_t site) {
  if (divisor != 0)
    return TFE_OK;
  tfe_fail(ctx, TFE_DIVISION, "integer division by zero");
  tfe_note_site(ctx, site);
  return TFE_DIVISION;
}

TfeStatus tfe_assert(TfeCtx *ctx, int64_t condition, const char *text, int64_t site) {
  if (condition)
    return TFE_OK;
  if (text && *text)
    tfe_fail(ctx, TFE_ASSERTION, "assertion failed: %s", text);
  else
    tfe_fail(ctx, TFE_ASSERTION, "assertion failed");
  tfe_note_site(ctx, site);
  return TFE_ASSERTION;
}

TfeStatus tfe_assert_near(TfeCtx *ctx, const uint64_t *a, const uint64_t *b, const uint64_t *tolerance,
                          int64_t n, int64_t site) {
  const double *x = (const double *)a, *y = (const double *)b;
  double limit = *(const double *)tolerance;
  for (int64_t i = 0; i < n; i++) {
    double difference = x[i] > y[i] ? x[i] - y[i] : y[i] - x[i];
    if (difference <= limit || x[i] == y[i]) /* equal infinities are near; NaN is near nothing */
      continue;
    tfe_fail(ctx, TFE_ASSERTION, "%.9g and %.9g differ by more than %g", x[i], y[i], limit);
    if (n > 1)
      tfe_note(ctx, "at element %lld of %lld, counted from 0 row by row", (long long)i, (long long)n);
    tfe_note_site(ctx, site);
    return TFE_ASSERTION;
  }
  return TFE_OK;
}
