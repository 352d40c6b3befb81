/* Tables of piecewise functions (curve.h).
 *
 * A polynomial stands for its function on twice a segment's width, because which of two neighbouring segments a
 * value counts to depends on its mask (protocol sheet, "universal gate"): Chebyshev interpolation there, in
 * doubles and with the runtime's own functions, so that every machine compiles the same table. The error of a
 * cubic is below |f''''| w^4 / 192 for segments of width w.
 *
 * Numbers: result and pieces at scale 2^F, F = out_scale + shift; the shift's bits fall to the final
 * truncation. The polynomials' factors have one bit more than the result, their payload the rest of F. The
 * arithmetic is in 64 bits as long as out_bits + shift allow it. */
#include "curve.h"

#include <math.h>
#include <string.h>

#include "../runtime/include/abi.h"

enum { DEGREE = 3 };

/* ---- functions ------------------------------------------------------------------------------- */

static double sigmoid(double x) {
  return 1.0 / (1.0 + tfe_exp(-x));
}

static double gelu(double x) {
  return 0.5 * x * (1.0 + tfe_tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static double silu(double x) {
  return x * sigmoid(x);
}

static double softplus(double x) {
  return x > 0 ? x + tfe_log(1.0 + tfe_exp(-x)) : tfe_log(1.0 + tfe_exp(x));
}

static double reciprocal(double x) {
  return 1.0 / x;
}

static double rsqrt(double x) {
  return 1.0 / tfe_sqrt(x);
}

static const struct Function {
  const char *name;
  double (*value)(double);
} functions[] = {
    {"sigmoid", sigmoid}, {"tanh", tfe_tanh},         {"exp", tfe_exp}, {"gelu", gelu},
    {"silu", silu},       {"softplus", softplus},     {"log", tfe_log}, {"sqrt", tfe_sqrt},
    {"rsqrt", rsqrt},     {"reciprocal", reciprocal},
};

static const struct Function *find(const char *name) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (strcmp(functions[i].name, name) == 0)
      return &functions[i];
  return NULL;
}

bool curve_knows(const char *function) {
  return find(function) != NULL;
}

/* ---- polynomials ----------------------------------------------------------------------------- */

/* Coefficients of the cubic through f at the Chebyshev points of (centre - width, centre + width), in u = (x -
 * centre) / width. */
static void interpolate(double (*f)(double), double centre, double width, double a[DEGREE + 1]) {
  static const double node[DEGREE + 1] = {0.92387953251128674, 0.38268343236508977, -0.38268343236508977,
                                          -0.92387953251128674};
  double c[DEGREE + 1] = {0}; /* of Chebyshev polynomials */
  for (int k = 0; k <= DEGREE; k++) {
    double u = node[k], y = f(centre + width * u);
    double t[DEGREE + 1] = {1.0, u, 2.0 * u * u - 1.0, (4.0 * u * u - 3.0) * u};
    for (int d = 0; d <= DEGREE; d++)
      c[d] += y * t[d] * (d ? 0.5 : 0.25);
  }
  a[0] = c[0] - c[2];
  a[1] = c[1] - 3.0 * c[3];
  a[2] = 2.0 * c[2];
  a[3] = 4.0 * c[3];
}

/* ---- layout ---------------------------------------------------------------------------------- */

const char *curve_text(Arena *a, const Curve *c) {
  const char *text = c->function ? arena_printf(a, "%s:%lld:%lld:%d", c->function, (long long)c->from,
                                                (long long)c->to, c->per_unit)
                                 : "";
  for (int i = 0; i < c->pieces.count; i++)
    text = arena_printf(a, "%s|%.17g:%.17g:%.17g", text, c->pieces.data[i].start, c->pieces.data[i].a,
                        c->pieces.data[i].b);
  return text;
}

static bool whole_slopes(const Curve *c) {
  for (int i = 0; i < c->pieces.count; i++)
    if (c->pieces.data[i].b != floor(c->pieces.data[i].b))
      return false;
  return true;
}

static bool any_slope(const Curve *c) {
  for (int i = 0; i < c->pieces.count; i++)
    if (c->pieces.data[i].b != 0)
      return true;
  return false;
}

/* Fraction bits beyond the result's. */
static int choose_shift(const Curve *c, int scale, int out_bits, int out_scale) {
  int least = scale > out_scale && any_slope(c) ? scale - out_scale : 0;
  int shift = 0;
  if (c->function || !whole_slopes(c))
    shift = out_bits <= 47 ? 17 : out_bits <= 51 ? 64 - out_bits : 20;
  return shift > least ? shift : least;
}

static const char *put(uint64_t *to, double v, int bits) {
  if (!(fabs(v) < ldexp(1.0, bits)))
    return "its values are too large";
  *to = (uint64_t)(int64_t)nearbyint(v);
  return NULL;
}

/* The segment at which a piece begins, within the ring's; false: beyond it. */
static bool piece_start(const Curve *c, const TfeSpline *l, double start, int scale, double *out) {
  double limit = ldexp(1.0, (int)(l->bits - l->low) - 1);
  bool behind = c->function && start >= (double)c->to; /* the last segment reaches beyond `to` */
  *out = fmax(nearbyint(ldexp(start, scale - (int)l->low)) + behind, -limit);
  return *out < limit;
}

static const char *put_pieces(const Curve *c, TfeSpline *l, int scale, int out_scale, uint64_t *table) {
  int f = out_scale + (int)l->shift;
  for (int i = 0; i < c->pieces.count; i++) {
    const CurvePiece *p = &c->pieces.data[i];
    uint64_t *row = table + 3 * l->pieces;
    double start;
    if (!piece_start(c, l, p->start, scale, &start))
      break;
    if (l->pieces && (int64_t)row[-3] == (int64_t)start)
      row -= 3; /* of two that begin at the ring's end the later counts */
    else
      l->pieces++;
    row[0] = (uint64_t)(int64_t)start;
    const char *error = put(row + 1, ldexp(p->a, f), 62);
    error = error ? error : put(row + 2, ldexp(p->b, f - scale), 62);
    if (error)
      return error;
  }
  return NULL;
}

static const char *put_segments(const Curve *c, const TfeSpline *l, int out_scale, uint64_t *table) {
  double width = ldexp(1.0, -c->per_unit), a[DEGREE + 1];
  int scale = out_scale + (int)l->shift - (int)l->payload_scale + TFE_SPLINE_GUARD;
  for (int64_t i = 0; i < l->count; i++) {
    interpolate(find(c->function)->value, (double)(l->first + i) * width, width, a);
    for (int d = 0; d <= DEGREE; d++) {
      const char *error =
          put(table + (DEGREE + 1) * i + d, ldexp(a[d], scale), (int)tfe_spline_coefficient_bits(l));
      if (error)
        return error;
    }
  }
  return NULL;
}

/* The segments of the function that the ring has. Where no pieces continue it, one more at either end: an argument
 * that rounding carried over an end must not find 0 there. */
static const char *set_segments(const Curve *c, TfeSpline *l, int scale) {
  int64_t limit = INT64_C(1) << (l->bits - scale + c->per_unit - 1);
  int64_t unit = INT64_C(1) << c->per_unit, more = c->pieces.count == 0;
  int64_t first = c->from * unit - more, last = c->to * unit + more;
  l->low = scale - c->per_unit;
  l->degree = DEGREE;
  l->payload_scale = l->shift - 1;
  l->first = first > -limit ? first : -limit;
  l->count = (last < limit ? last : limit - 1) - l->first + 1; /* of the last one the left half */
  if (l->low < 1)
    return "the protocol's `frac` is too small for it";
  bool fits =
      l->count >= 1 && l->count <= TFE_SPLINE_COUNT_MAX && tfe_spline_levels(l) <= TFE_SPLINE_SEGMENT_BITS;
  return fits ? NULL : "its range is too large";
}

/* With sums of at most 64 bits, unless `wide`. */
static const char *lay_out(Arena *a, const Curve *c, int bits, int scale, int out_bits, int out_scale,
                           bool wide, TfeSpline *l, const uint64_t **table) {
  *l = (TfeSpline){.bits = bits, .degree = -1, .out_bits = out_bits};
  l->shift = choose_shift(c, scale, out_bits, out_scale);
  if (wide && out_bits + l->shift <= 64)
    l->shift = 65 - out_bits;
  const char *error = c->function ? set_segments(c, l, scale) : NULL;
  if (error)
    return error;
  uint64_t *data = ARENA_ARRAY(a, uint64_t, 3 * c->pieces.count + (DEGREE + 1) * l->count + 1);
  *table = data;
  error = put_pieces(c, l, scale, out_scale, data);
  l->has_pieces = l->pieces > 0;
  l->linear = l->has_pieces && any_slope(c);
  return error || !c->function ? error : put_segments(c, l, out_scale, data + 3 * l->pieces);
}

const char *curve_layout(Arena *a, const Curve *c, int bits, int scale, int out_bits, int out_scale,
                         TfeSpline *layout, const uint64_t **table, int64_t *count) {
  const char *error = lay_out(a, c, bits, scale, out_bits, out_scale, false, layout, table);
  if (error) /* coefficients may be larger where sums are */
    error = lay_out(a, c, bits, scale, out_bits, out_scale, true, layout, table);
  *count = tfe_spline_table_words(layout);
  return error;
}

/* ---- orders of magnitude --------------------------------------------------------------------- */

/* What the weights up to step j add up to. Roots go by powers of four. */
static bool weight_sum(const char *name, int64_t j, int64_t m, int frac, double *out) {
  if (strcmp(name, "normalise") == 0)
    *out = ldexp(1.0, (int)(m - 1 - j));
  else if (strcmp(name, "normalise by four") == 0)
    *out = ldexp(1.0, 2 * (int)(m - 1 - j));
  else if (strcmp(name, "rsqrt") == 0)
    *out = tfe_sqrt(ldexp(1.0, frac - 2 * (int)j));
  else if (strcmp(name, "sqrt") == 0)
    *out = tfe_sqrt(ldexp(1.0, 2 * (int)j - frac));
  else if (strcmp(name, "log") == 0)
    *out = (double)(j - frac) * 0.69314718055994531;
  else
    return false;
  return true;
}

/* The weights that are no steps of a sum. */
static bool plain_weight(const char *name, int64_t j, uint64_t *out) {
  if (strcmp(name, "place") == 0)
    *out = (uint64_t)j;
  else if (strcmp(name, "step") == 0)
    *out = UINT64_C(1) << j;
  else if (strcmp(name, "step of four") == 0)
    *out = UINT64_C(1) << 2 * j;
  else
    return false;
  return true;
}

bool curve_weights(const char *name, int64_t m, int frac, int scale, uint64_t *out) {
  uint64_t before = 0;
  for (int64_t j = 0; j < m; j++) {
    double sum;
    if (plain_weight(name, j, &out[j]))
      continue;
    if (!weight_sum(name, j, m, frac, &sum))
      return false;
    uint64_t now = (uint64_t)(int64_t)nearbyint(ldexp(sum, scale));
    out[j] = now - before;
    before = now;
  }
  return true;
}
