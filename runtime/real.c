/* Elementary functions (real.h).
 *
 * exp, log, pow and tanh carry their main terms as a sum of two doubles, high + low, with |low| at most
 * half a unit in the last place of high, so that the last rounding is nearly the only one (Dekker 1971:
 * exact sum and product of two doubles from ordinary operations). Series are plain Taylor series after
 * reduction:
 *   exp    x = k ln 2 + r, |r| <= 0.347
 *   log    x = 2^e m, 0.7 < m < 1.42; log m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172
 *   tanh   (E - 1) / (E + 1), E = exp(2 |x|), with E - 1 from the same series without cancellation
 *   pow    exp(y log x), log x good to about 2^-63 */
#include "real.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "include/abi.h"

/* A real number as an unevaluated sum. */
typedef struct Pair {
  double high, low;
} Pair;

static const double LN2_HIGH = 0x1.62e42fefa3800p-1; /* 42 bits: exact when multiplied by an exponent */
static const double LN2_LOW = 0x1.ef35793c76730p-45;
static const double INVERSE_LN2 = 0x1.71547652b82fep+0;
static const Pair TWO_THIRDS = {0x1.5555555555555p-1, 0x1.5555555555555p-55};

static uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static double from_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static double not_a_number(void) {
  return from_bits(UINT64_C(0x7ff8) << 48);
}

static double infinity(void) {
  return from_bits(UINT64_C(0x7ff0) << 48);
}

static double with_sign_of(double magnitude, double sign) {
  return from_bits((bits_of(magnitude) & INT64_MAX) | (bits_of(sign) & ~(uint64_t)INT64_MAX));
}

/* 2^k, -1022 <= k <= 1023. */
static double power_of_two(int64_t k) {
  return from_bits((uint64_t)(k + 1023) << 52);
}

static double scale(double x, int64_t k) {
  if (k > 1023)
    return x * power_of_two(1023) * power_of_two(k - 1023);
  if (k < -1022)
    return x * power_of_two(k + 60) * power_of_two(-60);
  return x * power_of_two(k);
}

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) */
static double polynomial(double x, const double *c, int n) {
  double sum = c[n - 1];
  for (int i = n - 2; i >= 0; i--)
    sum = c[i] + x * sum;
  return sum;
}

/* -- pairs ----------------------------------------------------------------------------------------------- */

/* a + b without error. */
static Pair sum_of(double a, double b) {
  double high = a + b, part = high - a;
  return (Pair){high, (a - (high - part)) + (b - part)};
}

/* a * b without error, away from overflow and underflow. */
static Pair product_of(double a, double b) {
  const double split = 0x1p27 + 1;
  double ta = split * a, tb = split * b;
  double a1 = ta - (ta - a), b1 = tb - (tb - b);
  double a2 = a - a1, b2 = b - b1;
  double high = a * b;
  return (Pair){high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2};
}

static Pair pair_product(Pair a, Pair b) {
  Pair p = product_of(a.high, b.high);
  p.low += a.high * b.low + a.low * b.high;
  return p;
}

static Pair pair_quotient(Pair a, Pair b) {
  double q = a.high / b.high;
  Pair p = product_of(q, b.high);
  double rest = ((a.high - p.high) - p.low) + a.low - q * b.low;
  return sum_of(q, rest / b.high);
}

/* -- exponential ----------------------------------------------------------------------------------------- */

/* exp(x.high + x.low) = 2^k (1 + r + tail), |x| < 746 */
typedef struct Exponential {
  int64_t k;
  double r, tail;
} Exponential;

static Exponential reduce_exp(Pair x) {
  static const double series[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                  1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                  1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
  double k = tfe_round(x.high * INVERSE_LN2);
  Pair r = sum_of(x.high - k * LN2_HIGH, x.low - k * LN2_LOW); /* the left difference is exact */
  double t = r.high;
  return (Exponential){(int64_t)k, t, r.low + t * t * polynomial(t, series, 12)};
}

static double exp_of(Pair x) {
  if (x.high > 710)
    return infinity();
  if (x.high < -746)
    return 0;
  Exponential e = reduce_exp(x);
  Pair s = sum_of(1, e.r);
  return scale(s.high + (s.low + e.tail), e.k);
}

double tfe_exp(double x) {
  if (x != x)
    return not_a_number();
  return exp_of((Pair){x, 0});
}

/* tanh of 0 < x < 20 */
static double tanh_of(double x) {
  Exponential e = reduce_exp((Pair){2 * x, 0});
  double p = power_of_two(e.k);
  Pair m = sum_of(e.r * p, e.tail * p);
  if (e.k != 0) {
    Pair s = sum_of(p - 1, m.high);
    m = sum_of(s.high, s.low + m.low);
  }
  Pair d = sum_of(2, m.high);
  d.low += m.low;
  Pair q = pair_quotient(m, d);
  return q.high + q.low;
}

double tfe_tanh(double x) {
  if (x != x)
    return not_a_number();
  double magnitude = with_sign_of(x, 1);
  if (magnitude < 0x1p-27)
    return x;
  return with_sign_of(magnitude < 20 ? tanh_of(magnitude) : 1, x);
}

/* -- logarithm ------------------------------------------------------------------------------------------- */

/* Natural logarithm of a finite x > 0, relative error about 2^-63. */
static Pair log_of(double x) {
  static const double series[] = {2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11, 2.0 / 13,
                                  2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  int64_t e = 0;
  if (x < 0x1p-1022) { /* no leading bit */
    x *= 0x1p54;
    e = -54;
  }
  uint64_t bits = bits_of(x);
  e += (int64_t)(bits >> 52) - 1023;
  double m = from_bits((bits & ~(UINT64_C(0xfff) << 52)) | UINT64_C(0x3ff) << 52);
  if (m > 0x1.6a09e667f3bcdp+0) { /* sqrt 2 */
    m *= 0.5;
    e++;
  }
  Pair s = pair_quotient((Pair){m - 1, 0}, sum_of(2, m - 1));
  Pair z = pair_product(s, s);
  Pair cubic = pair_product(s, pair_product(z, TWO_THIRDS));
  double rest = z.high * z.high * s.high * polynomial(z.high, series, 9);
  Pair a = sum_of(2 * s.high, cubic.high);
  Pair b = sum_of((double)e * LN2_HIGH, a.high);
  return sum_of(b.high, b.low + ((double)e * LN2_LOW + (a.low + (2 * s.low + cubic.low + rest))));
}

double tfe_log(double x) {
  if (x != x || x < 0)
    return not_a_number();
  if (x == 0)
    return -infinity();
  if (x == infinity())
    return x;
  Pair l = log_of(x);
  return l.high + l.low;
}

/* -- powers ---------------------------------------------------------------------------------------------- */

static bool is_whole(double y) {
  return tfe_floor(y) == y;
}

static bool is_odd(double y) {
  return is_whole(y) && !is_whole(y * 0.5);
}

/* |x|^y for x other than 0, 1, infinity and finite y other than 0 */
static double pow_of(double x, double y) {
  if (y > 0x1p64 || y < -0x1p64) /* |log x| >= 2^-53 */
    return (x > 1) == (y > 0) ? infinity() : 0;
  Pair l = log_of(x);
  double estimate = y * l.high;
  if (estimate > 710 || estimate < -746)
    return estimate > 0 ? infinity() : 0;
  if (estimate < 0x1p-60 && estimate > -0x1p-60) /* keeps the exact product away from underflow */
    return 1;
  Pair p = product_of(y, l.high);
  p.low += y * l.low;
  return exp_of(sum_of(p.high, p.low));
}

/* As C17, F.10.4.4 defines the special cases. */
double tfe_pow(double x, double y) {
  if (y == 0 || x == 1)
    return 1;
  if (x != x || y != y)
    return not_a_number();
  double magnitude = with_sign_of(x, 1), sign = x < 0 || bits_of(x) >> 63 ? -1 : 1;
  bool finite_y = y != infinity() && y != -infinity();
  if (magnitude == 1 && !finite_y)
    return 1;
  double result;
  if (magnitude == 0 || magnitude == infinity() || !finite_y)
    result = (magnitude > 1) == (y > 0) ? infinity() : 0;
  else if (sign < 0 && !is_whole(y))
    return not_a_number();
  else
    result = magnitude == 1 ? 1 : pow_of(magnitude, y);
  return finite_y && is_odd(y) ? with_sign_of(result, sign) : result;
}

double tfe_sqrt(double x) {
  return x != x || x < 0 ? not_a_number() : sqrt(x);
}

/* -- whole numbers --------------------------------------------------------------------------------------- */

double tfe_round(double x) {
  const double whole = 0x1p52; /* from here on every double is a whole number */
  double magnitude = with_sign_of(x, 1);
  if (!(magnitude < whole))
    return x != x ? not_a_number() : x;
  return with_sign_of((magnitude + whole) - whole, x);
}

double tfe_floor(double x) {
  double r = tfe_round(x);
  return r > x ? with_sign_of(r - 1, x) : r;
}

/* -- circle ---------------------------------------------------------------------------------------------- */

void tfe_real_turn(double turns, double *sine, double *cosine) {
  static const double sines[] = {-1.0 / 6,        1.0 / 120,          -1.0 / 5040,           1.0 / 362880,
                                 -1.0 / 39916800, 1.0 / 6227020800.0, -1.0 / 1307674368000.0};
  static const double cosines[] = {
      -1.0 / 2,       1.0 / 24,        -1.0 / 720,           1.0 / 40320,
      -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
  double quarter = tfe_round(turns * 4);
  double y = (turns - quarter * 0.25) * 0x1.921fb54442d18p+2; /* the difference is exact; |y| <= pi / 4 */
  double z = y * y;
  double s = y + y * z * polynomial(z, sines, 7);
  double c = 1 + z * polynomial(z, cosines, 8);
  switch ((int)quarter & 3) {
  case 0: *sine = s, *cosine = c; break;
  case 1: *sine = c, *cosine = -s; break;
  case 2: *sine = -s, *cosine = -c; break;
  default: *sine = -c, *cosine = s; break;
  }
}
