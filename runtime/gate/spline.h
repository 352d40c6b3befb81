/* Any piecewise function of one opened value, in the one round that opens it: function secret sharing of a
 * spline (Boyle, Gilboa, Ishai, eprint 2018/707; for masked values and comparison with a payload, 2020/1392).
 *
 * Both servers hold c = x + r mod 2^n. The dealer knows r and deals one key a value; each server gets a
 * share of f(x) from its root, the key and the public table. With s = low, h = n - s, hi and lo the upper h
 * and the lower s bits:
 *
 *   j = hi(c) - hi(r) mod 2^h, signed;  tau = lo(c) - lo(r) in (-2^s, 2^s);  x = j 2^s + tau
 *
 * for |x| < 2^(n-1) - 2^s. A segment is thus chosen by j and not by x: near its ends x may be counted to the
 * neighbour, depending on lo(r), so a polynomial must be good on u = tau / 2^s in (-1, 1), twice its width.
 * f is the sum of
 *   segments  j = first .. first + count - 1:  sum over d = 0 .. D of a[j][d] u^d
 *   pieces    piece k, from segment J_k up to J_(k+1), the last one to 2^(h-1):  A_k + B_k x, x an integer;
 *             below J_0 nothing. J_0 may be -2^(h-1); the J rise.
 *
 * Sums are formed in Z_2^K, K = out_bits + shift <= 128, then `shift` bits are dropped: role 0 rounds its
 * share down, role 1 up, and the result is exact or one too large, with the probability of the dropped
 * fraction. Everything public is integer arithmetic, the same at both servers.
 *
 *   tree      h levels for alpha = hi(r), nodes and corrections as in tree.h, one key for all points
 *   values    P(i) = payload * 1{alpha <= i}, payload (1) or, with slopes, (1, r): at each level a share of
 *             it is added if the walk to i turns right from the path to alpha (with left and right
 *             corrections at the last level, for there the walk may also arrive at alpha). From P at
 *             hi(c) - J mod 2^h for every J and at hi(c) - 2^(h-1), the end, the sums over j >= J follow:
 *             of 1, of r, and of the carry of c - r
 *   leaf      at alpha the payload (-R')^e 2^g, e = 0 .. D, R' = lo(r) / 2^s - 1/2, g = payload_scale. With
 *             C' likewise from c, u = C' - R', and a polynomial is the sum over e of (-R')^e q_e(C'), q_e
 *             its Taylor coefficients at C': public, computed at the scale of the coefficients,
 *             2^(F - g + TFE_SPLINE_GUARD), F the scale of the sum, and rounded to 2^(F - g)
 *   masks     of elements in Z_2^K: H(s without bit 0, bit 1 flipped if d, block + 1 xored in from bit 2
 *             on), d the child's direction, 0 for a leaf; block b holds elements 2b and 2b + 1 if K <= 64,
 *             else element b. With slopes the root's block after those of the values masks a share of r.
 *   words     for each corrected level (all, or all but the last one without segments) words 0 and 1 of the
 *             correction; then a stream of bits, from bit 0 up: the right control correction of each of
 *             these levels; elements of K bits: values of levels 0 .. h - 1 (left at the last), right ones
 *             of the last; leaf e = 0 .. D; r minus both parties' masks, for role 0 to add
 *
 * A key belongs to one mask. Roots as in dpf.h: 128 uniform bits, bit 0 taken as the role. Constant time but
 * for c, the table and the layout, which are public. */
#ifndef TFE_SPLINE_H
#define TFE_SPLINE_H

#include "hash.h"
#include "spline_layout.h"

/* words[n, W], r[n], root0[n, 2], root1[n, 2], W = tfe_spline_words(spline); r counts modulo 2^bits */
void tfe_spline_key_with(const TfeHash *hash, const uint8_t key[16], uint64_t *words, const uint64_t *r,
                         const uint64_t *root0, const uint64_t *root1, int64_t n, const TfeSpline *spline);
/* out[n] below 2^out_bits, c[n], root[n, 2], words[n, W], table[tfe_spline_table_words(spline)] of int64_t
 * as uint64_t; role 0 or 1. A and B count modulo 2^K. */
void tfe_spline_eval_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *c,
                          const uint64_t *root, const uint64_t *words, const uint64_t *table, int64_t n,
                          const TfeSpline *spline, int64_t role);

#endif
