/* Comparison of a public number x with a number alpha that the dealer knows: 1{alpha <= x}, unsigned, or
 * 1{alpha == x}, as one bit that two parties hold XOR-shared. Distributed point function with prefix parity
 * (Boyle, Gilboa, Ishai, eprint 2018/707, for the tree; SIGMA and Grotto for the use of its parities).
 *
 * A key pair belongs to one alpha: evaluating it at many x is allowed, using it for another mask is not. Party `role` has a root of 128 uniform bits (drawn from its key with the dealer; bit 0 is
 * taken as the role, whatever it is) and the correction words, which are the same for both and say nothing
 * about alpha without the other's root.
 *
 *   tree     max(bits, 8) levels of direction bits, most significant first, numbers padded with zeros above;
 *            the last seven levels are the 128 bits of a leaf
 *   node     128 bits, bit 0 = control bit; word 0 holds bits 0 .. 63
 *   child d  H(s without bit 0, bit 1 flipped if d), H(s) = AES_K(s) xor s, fixed public key K of hash.h
 *   words    for each level but the last: words 0 and 1 of the seed correction, its bit 0 the control
 *            correction of the left child; then the left and the right leaf correction, two words each; then,
 *            if there is more than one level, the control corrections of the right children, level i in bit i
 *
 * Constant time: x is public, everything else is used under masks. alpha and x count modulo 2^bits. The
 * ABI functions tfe_dpf_key and tfe_dpf_eval use the hash that tfe_hash() chooses; these take it as an
 * argument. */
#ifndef TFE_DPF_H
#define TFE_DPF_H

#include "dpf_layout.h"
#include "hash.h"

/* words[n, W], alpha[n], root0[n, 2], root1[n, 2] */
void tfe_dpf_key_with(const TfeHash *hash, const uint8_t key[16], uint64_t *words, const uint64_t *alpha,
                      const uint64_t *root0, const uint64_t *root1, int64_t n, int64_t bits);
/* out[n, points], x[n, points], root[n, 2], words[n, W]: every key is evaluated at `points` numbers; role 0 or 1.
 * eval: alpha <= x; point: alpha == x, from the same key. */
void tfe_dpf_eval_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *x,
                       const uint64_t *root, const uint64_t *words, int64_t n, int64_t points, int64_t bits,
                       int64_t role);
void tfe_dpf_point_with(const TfeHash *hash, const uint8_t key[16], uint64_t *out, const uint64_t *x,
                        const uint64_t *root, const uint64_t *words, int64_t n, int64_t points, int64_t bits,
                        int64_t role);

#endif
