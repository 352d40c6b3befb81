/* Shares of f(x) for a piecewise function f of one value x that two servers know masked, c = x + r modulo
 * 2^bits, in one go: nothing is sent between them. It unites the distributed comparison function with payload
 * (Boyle, Chandran, Gilboa, Gupta, Ishai, Kumar, Rathee, eprint 2020/1392) with a point function whose payload
 * are powers of the mask's low bits, so that polynomials of x need no further multiplication.
 *
 *   segments  low bits of x below them: j = top(c) - top(r) modulo 2^h, signed, h = bits - low, and tau = rest(c)
 *             - rest(r), -2^low < tau < 2^low; x = j 2^low + tau exactly, for |x| < 2^(bits - 1) - 2^low. So a
 *             value between two segments counts to either, as its mask will have it
 *   f         the sum of
 *               polynomials p_j(tau / 2^low) of the segments first <= j < first + count; p_j stands for twice a
 *               segment's width
 *               pieces a + b x, each from its first segment up to the next piece's; 0 below the first
 *   result    at some scale 2^F modulo 2^(out_bits + shift), of which `shift` bits are dropped: party 0 rounds
 *             down, party 1 up; so it is right or one unit too large, and right on average
 *   table     for each piece its first segment (-2^(h - 1): all), a, b; both at the result's scale, b for steps of
 *             x; then for each segment the coefficients of 1, u, u^2, ... with u = tau / 2^low, at scale 2^(F -
 *             payload_scale + TFE_SPLINE_GUARD), magnitudes below 2^60
 *
 * A key belongs to one mask r; to evaluate it at several c is allowed. Roots as in dpf.h. The special leaf of the
 * tree of h levels is top(r). Pieces: prefix sums of the payload (1, r) over the leaves up to those where j
 * passes a piece's border (a correction at every level, as in a comparison function). Segments: the leaves at
 * top(c) - j, whose payload are the powers of 1/2 - rest(r) / 2^low.
 *
 * Constant time: c, the layout and the table are public, everything else is used under masks and in sums. */
#ifndef TFE_SPLINE_H
#define TFE_SPLINE_H

#include "hash.h"
#include "spline_layout.h"

/* words[n, W], r[n], root0[n, 2], root1[n, 2] */
void tfe_spline_key_with(const TfeHash *hash, const uint8_t key[16], uint64_t *words, const uint64_t *r,
                         const uint64_t *root0, const uint64_t *root1, int64_t n, const TfeSpline *layout);
/* out[n], c[n], root[n, 2], words[n, W]; role 0 or 1 */
void tfe_spline_eval_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *c,
                          const uint64_t *root, const uint64_t *words, const uint64_t *table, int64_t n,
                          const TfeSpline *layout, int64_t role);

#endif
