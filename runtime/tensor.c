/* Whole-tensor moves and reductions (include/abi.def). All elements are 8 bytes, so moves do not ask what
 * they carry; no branch depends on an element but in the reductions of public or local values (max,
 * argmax, any, all). */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "ctx.h"
#include "include/abi.h"

/* -- strided copy ---------------------------------------------------------------------------------------- */

enum { MAX_RANK = 8, TILE = 16 };

typedef struct Axis {
  int64_t size, out, in; /* strides in elements */
} Axis;

/* Axes of size 1 go; neighbours that are one run in both tensors become one axis. Returns their number, -1
 * if empty. */
static int merge_axes(Axis *axes, const int64_t *dims, const int64_t *out_strides, const int64_t *in_strides,
                      int64_t rank) {
  int n = 0;
  for (int64_t i = 0; i < rank; i++) {
    if (dims[i] == 0)
      return -1;
    if (dims[i] == 1)
      continue;
    Axis axis = {dims[i], out_strides[i], in_strides[i]};
    Axis *last = n > 0 ? &axes[n - 1] : NULL;
    if (last && last->out == axis.out * axis.size && last->in == axis.in * axis.size)
      *last = (Axis){last->size * axis.size, axis.out, axis.in};
    else
      axes[n++] = axis;
  }
  return n;
}

static void copy_strided(uint64_t *out, const uint64_t *in, Axis outer, Axis inner) {
  for (int64_t i = 0; i < outer.size; i++, out += outer.out, in += outer.in)
    for (int64_t j = 0; j < inner.size; j++)
      out[j * inner.out] = in[j * inner.in];
}

static void copy_rows(uint64_t *out, const uint64_t *in, Axis outer, Axis inner) {
  for (int64_t i = 0; i < outer.size; i++, out += outer.out, in += outer.in)
    memcpy(out, in, (size_t)inner.size * sizeof *out);
}

static void copy_repeated(uint64_t *out, const uint64_t *in, Axis outer, Axis inner) {
  for (int64_t i = 0; i < outer.size; i++, out += outer.out, in += outer.in)
    for (int64_t j = 0; j < inner.size; j++)
      out[j] = *in;
}

/* Reads run along `outer`, writes along `inner`: in tiles, so that a cache line is used up before it goes. */
static void copy_transposed(uint64_t *out, const uint64_t *in, Axis outer, Axis inner) {
  for (int64_t i = 0; i < outer.size; i += TILE)
    for (int64_t j = 0; j < inner.size; j += TILE) {
      Axis rows = outer, columns = inner;
      rows.size = outer.size - i < TILE ? outer.size - i : TILE;
      columns.size = inner.size - j < TILE ? inner.size - j : TILE;
      copy_strided(out + i * outer.out + j * inner.out, in + i * outer.in + j * inner.in, rows, columns);
    }
}

typedef void CopyPlane(uint64_t *out, const uint64_t *in, Axis outer, Axis inner);

static CopyPlane *choose_plane(Axis outer, Axis inner) {
  if (inner.out == 1 && inner.in == 1)
    return copy_rows;
  if (inner.out == 1 && inner.in == 0)
    return copy_repeated;
  if (inner.out == 1 && outer.in == 1)
    return copy_transposed;
  return copy_strided;
}

void tfe_copy(uint64_t *out, const uint64_t *in, const int64_t *dims, const int64_t *out_strides,
              const int64_t *in_strides, int64_t rank) {
  Axis axes[MAX_RANK + 2] = {{1, 0, 0}, {1, 0, 0}}; /* at least a plane */
  assert(rank >= 0 && rank <= MAX_RANK);
  int n = merge_axes(axes + 2, dims, out_strides, in_strides, rank);
  if (n < 0)
    return;
  Axis *first = n >= 2 ? axes + 2 : axes + n; /* the axes that count: at least two */
  n = n < 2 ? 2 : n;
  Axis inner = first[n - 1];
  if (inner.size == 1)
    inner.out = inner.in = 1;
  for (int i = 0; i < n - 2 && inner.in != 1; i++) /* a transposition reads along the axis before the last */
    if (first[i].in == 1) {
      Axis axis = first[i];
      first[i] = first[n - 2];
      first[n - 2] = axis;
    }
  Axis outer = first[n - 2];
  CopyPlane *plane = choose_plane(outer, inner);
  int64_t index[MAX_RANK] = {0};
  for (;;) {
    plane(out, in, outer, inner);
    int i = n - 3;
    for (; i >= 0; i--) {
      out += first[i].out, in += first[i].in;
      if (++index[i] < first[i].size)
        break;
      out -= first[i].out * first[i].size, in -= first[i].in * first[i].size;
      index[i] = 0;
    }
    if (i < 0)
      return;
  }
}

/* in, from element `at` on, again and again: what is there already is copied behind itself. */
static void repeat_row(uint64_t *out, const uint64_t *in, int64_t at, int64_t n, int64_t size) {
  int64_t first = size - at < n ? size - at : n, rest = at < n - first ? at : n - first;
  memcpy(out, in + at, (size_t)first * sizeof *out);
  memcpy(out + first, in, (size_t)rest * sizeof *out);
  for (int64_t done = first + rest; done < n;) {
    int64_t part = done < n - done ? done : n - done;
    memcpy(out + done, out, (size_t)part * sizeof *out);
    done += part;
  }
}

void tfe_repeat(uint64_t *out, const uint64_t *in, int64_t from, int64_t n, int64_t stride, int64_t size) {
  if (stride == 1) {
    repeat_row(out, in, from % size, n, size);
    return;
  }
  int64_t at = from / stride % size, left = stride - from % stride;
  for (int64_t i = 0; i < n; at = at + 1 < size ? at + 1 : 0, left = stride) {
    int64_t part = left < n - i ? left : n - i;
    for (int64_t j = 0; j < part; j++)
      out[i + j] = in[at];
    i += part;
  }
}

TfeStatus tfe_gather(TfeCtx *ctx, uint64_t *out, const uint64_t *in, const uint64_t *index, int64_t n_index,
                     int64_t n_rows, int64_t row_elements, int64_t site) {
  for (int64_t i = 0; i < n_index; i++) {
    int64_t row = (int64_t)index[i];
    if (row >= 0 && row < n_rows)
      continue;
    tfe_fail(ctx, TFE_INDEX, "row %lld of %lld", (long long)row, (long long)n_rows);
    tfe_note_site(ctx, site);
    tfe_help(ctx, "rows are numbered from 0");
    return TFE_INDEX;
  }
  for (int64_t i = 0; i < n_index; i++)
    memcpy(out + i * row_elements, in + (int64_t)index[i] * row_elements, (size_t)row_elements * sizeof *out);
  return TFE_OK;
}

/* -- reductions of in[outer, n, inner] to out[outer, inner] ---------------------------------------------- */

/* Folds from `start`, along n in order; of rows in a register. (sum, value) are elements of type T. */
#define DEFINE_FOLD(name, T, start, step)                                                                    \
  static void name(T *out, const T *in, int64_t outer, int64_t n, int64_t inner) {                           \
    for (int64_t o = 0; o < outer && inner == 1; o++, in += n) {                                             \
      T sum = (start);                                                                                       \
      for (int64_t i = 0; i < n; i++) {                                                                      \
        T value = in[i];                                                                                     \
        sum = (step);                                                                                        \
      }                                                                                                      \
      out[o] = sum;                                                                                          \
    }                                                                                                        \
    for (int64_t o = 0; o < outer && inner != 1; o++, out += inner) {                                        \
      for (int64_t j = 0; j < inner; j++)                                                                    \
        out[j] = (start);                                                                                    \
      for (int64_t i = 0; i < n; i++, in += inner)                                                           \
        for (int64_t j = 0; j < inner; j++) {                                                                \
          T sum = out[j], value = in[j];                                                                     \
          out[j] = (step);                                                                                   \
        }                                                                                                    \
    }                                                                                                        \
  }

/* Folds from the first element; an empty axis gives zero. */
#define DEFINE_CHOICE(name, T, better)                                                                       \
  static void name(T *out, const T *in, int64_t outer, int64_t n, int64_t inner) {                           \
    for (int64_t o = 0; o < outer; o++, out += inner)                                                        \
      for (int64_t i = 0; i < (n > 0 ? n : 1); i++, in += n > 0 ? inner : 0)                                 \
        for (int64_t j = 0; j < inner; j++) {                                                                \
          T value = n > 0 ? in[j] : 0, best = i == 0 ? value : out[j];                                       \
          out[j] = i == 0 || !(better) ? best : value;                                                       \
        }                                                                                                    \
  }                                                                                                          \
                                                                                                             \
  static void name##_index(int64_t *out, const T *in, int64_t outer, int64_t n, int64_t inner) {             \
    for (int64_t o = 0; o < outer; o++, out += inner, in += n * inner)                                       \
      for (int64_t j = 0; j < inner; j++) {                                                                  \
        int64_t at = 0;                                                                                      \
        for (int64_t i = 1; i < n; i++) {                                                                    \
          T value = in[i * inner + j], best = in[at * inner + j];                                            \
          at = (better) ? i : at;                                                                            \
        }                                                                                                    \
        out[j] = at;                                                                                         \
      }                                                                                                      \
  }

/* The order of summation is part of the meaning: same bits on every machine. -0 + 0 = 0, so a sum never is
 * -0. */
DEFINE_FOLD(sum_double, double, 0.0, sum + value)
DEFINE_FOLD(sum_word, uint64_t, 0, sum + value)
DEFINE_FOLD(any_word, uint64_t, 0, sum | (value != 0))
DEFINE_FOLD(all_word, uint64_t, 1, sum &(value != 0))
DEFINE_CHOICE(max_double, double, value > best)
DEFINE_CHOICE(min_double, double, value < best)
DEFINE_CHOICE(max_integer, int64_t, value > best)
DEFINE_CHOICE(min_integer, int64_t, value < best)

void tfe_sum_ring(uint64_t *out, const uint64_t *in, int64_t outer, int64_t n, int64_t inner, int64_t bits) {
  sum_word(out, in, outer, n, inner);
  uint64_t mask = ~UINT64_C(0) >> (64 - bits);
  for (int64_t i = 0; i < outer * inner; i++)
    out[i] &= mask;
}

void tfe_sum_fixed(uint64_t *out, const uint64_t *in, int64_t outer, int64_t n, int64_t inner) {
  sum_double((double *)out, (const double *)in, outer, n, inner);
}

void tfe_sum_int(uint64_t *out, const uint64_t *in, int64_t outer, int64_t n, int64_t inner) {
  sum_word(out, in, outer, n, inner);
}

void tfe_any(uint64_t *out, const uint64_t *in, int64_t outer, int64_t n, int64_t inner) {
  any_word(out, in, outer, n, inner);
}

void tfe_all(uint64_t *out, const uint64_t *in, int64_t outer, int64_t n, int64_t inner) {
  all_word(out, in, outer, n, inner);
}

#define DEFINE_ENTRY(name, function, Out, In)                                                                \
  void name(uint64_t *out, const uint64_t *in, int64_t outer, int64_t n, int64_t inner) {                    \
    function((Out *)out, (const In *)in, outer, n, inner);                                                   \
  }

DEFINE_ENTRY(tfe_max_fixed, max_double, double, double)
DEFINE_ENTRY(tfe_max_int, max_integer, int64_t, int64_t)
DEFINE_ENTRY(tfe_min_fixed, min_double, double, double)
DEFINE_ENTRY(tfe_min_int, min_integer, int64_t, int64_t)
DEFINE_ENTRY(tfe_argmax_fixed, max_double_index, int64_t, double)
DEFINE_ENTRY(tfe_argmax_int, max_integer_index, int64_t, int64_t)
DEFINE_ENTRY(tfe_argmin_fixed, min_double_index, int64_t, double)
DEFINE_ENTRY(tfe_argmin_int, min_integer_index, int64_t, int64_t)
