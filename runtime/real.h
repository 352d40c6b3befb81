/* Functions of real numbers with the same bits on every machine, for public values that parties compute
 * independently and for random numbers that parties derive from one seed. The ABI's tfe_exp, tfe_log, ...
 * are in real.c too.
 *
 * Built from +, -, *, / and sqrt in binary64, which IEEE 754 defines exactly, and from integer operations;
 * no function of libm but sqrt. Needs round-to-nearest, no excess precision and no contraction to fused
 * operations (-ffp-contract=off). Results are within one unit in the last place; every NaN result is the
 * same positive quiet NaN. */
#ifndef TFE_REAL_H
#define TFE_REAL_H

/* Sine and cosine of `turns` full turns, 0 <= turns < 1: relative error at most 2 units in the last place. */
void tfe_real_turn(double turns, double *sine, double *cosine);

#endif
