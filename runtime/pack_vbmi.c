/* Dense packing with AVX-512 VBMI and VBMI2 (pack.h). Eight elements of b bits are b whole bytes, so a vector
 * of eight elements is packed and unpacked by one permutation of bytes each, with shifts that depend on b
 * alone. The last elements, fewer than eight, are the portable table's. */
#include "pack.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { GROUP = 8 };

static __mmask64 bytes_of_group(int64_t bits) {
  return ~UINT64_C(0) >> (64 - bits);
}

/* lanes[e] = x[e + n], round and round */
#define LANES_DOWN(x, n) _mm512_alignr_epi64(x, x, n)

/* -- packing -------------------------------------------------------------------------------------------------- */

/* Byte j of a group begins in element e = 8j / b, at its bit 8j % b. For the bytes that begin in lane e, from
 * the first to the last: `begin`, their bits. `gather`: where byte j then is. */
typedef struct PackPlan {
  _Alignas(64) uint8_t begin[64], gather[64];
} PackPlan;

static void pack_plan(PackPlan *plan, int64_t bits) {
  *plan = (PackPlan){0};
  for (int64_t j = 0, before = -1, place = 0; j < bits; j++, place++) {
    int64_t e = GROUP * j / bits;
    place = e == before ? place : 0;
    before = e;
    plan->begin[8 * e + place] = (uint8_t)(8 * j % bits);
    plan->gather[j] = (uint8_t)(8 * e + place);
  }
}

static void pack_ones(uint8_t *out, const uint64_t *in, int64_t groups) {
  const __m512i one = _mm512_set1_epi64(1);
  for (int64_t g = 0; g < groups; g++)
    out[g] = _mm512_test_epi64_mask(_mm512_loadu_si512(in + GROUP * g), one);
}

/* b below 8: a byte may take bits of all elements behind that in which it begins; they fit into one lane. */
static void pack_narrow(uint8_t *out, const uint64_t *in, int64_t groups, int64_t bits) {
  PackPlan plan;
  pack_plan(&plan, bits);
  const __m512i begin = _mm512_load_si512(plan.begin), gather = _mm512_load_si512(plan.gather);
  const __m512i low = _mm512_set1_epi64((int64_t)bytes_of_group(bits));
  const __m128i b = _mm_cvtsi64_si128(bits), b2 = _mm_cvtsi64_si128(2 * bits),
                b4 = _mm_cvtsi64_si128(4 * bits);
  for (int64_t g = 0; g < groups; g++) {
    __m512i x = _mm512_and_si512(_mm512_loadu_si512(in + GROUP * g), low);
    x = _mm512_or_si512(x, _mm512_sll_epi64(LANES_DOWN(x, 1), b));
    x = _mm512_or_si512(x, _mm512_sll_epi64(LANES_DOWN(x, 2), b2));
    x = _mm512_or_si512(x, _mm512_sll_epi64(LANES_DOWN(x, 4), b4));
    x = _mm512_permutexvar_epi8(gather, _mm512_multishift_epi64_epi8(begin, x));
    _mm512_mask_storeu_epi8(out + bits * g, bytes_of_group(bits), x);
  }
}

/* b from 8 to 57: a byte takes bits of two elements, and begins below bit 57 of a lane. */
static void pack_middle(uint8_t *out, const uint64_t *in, int64_t groups, int64_t bits) {
  PackPlan plan;
  pack_plan(&plan, bits);
  const __m512i begin = _mm512_load_si512(plan.begin), gather = _mm512_load_si512(plan.gather);
  const __m512i low = _mm512_set1_epi64((int64_t)bytes_of_group(bits));
  const __m128i b = _mm_cvtsi64_si128(bits);
  for (int64_t g = 0; g < groups; g++) {
    __m512i x = _mm512_and_si512(_mm512_loadu_si512(in + GROUP * g), low);
    x = _mm512_or_si512(x, _mm512_sll_epi64(LANES_DOWN(x, 1), b));
    x = _mm512_permutexvar_epi8(gather, _mm512_multishift_epi64_epi8(begin, x));
    _mm512_mask_storeu_epi8(out + bits * g, bytes_of_group(bits), x);
  }
}

/* b from 58 to 63: word w is what is left of element w, from bit (64 - b) w on, and the bottom of the next. */
static void pack_wide(uint8_t *out, const uint64_t *in, int64_t groups, int64_t bits) {
  _Alignas(64) int64_t from[GROUP], rest[GROUP];
  for (int64_t w = 0; w < GROUP; w++) {
    from[w] = (64 - bits) * w;
    rest[w] = bits - from[w];
  }
  const __m512i right = _mm512_load_si512(from), left = _mm512_load_si512(rest);
  const __m512i low = _mm512_set1_epi64((int64_t)bytes_of_group(bits));
  for (int64_t g = 0; g < groups; g++) {
    __m512i x = _mm512_and_si512(_mm512_loadu_si512(in + GROUP * g), low);
    x = _mm512_or_si512(_mm512_srlv_epi64(x, right), _mm512_sllv_epi64(LANES_DOWN(x, 1), left));
    _mm512_mask_storeu_epi8(out + bits * g, bytes_of_group(bits), x);
  }
}

static void vbmi_pack(uint8_t *out, const uint64_t *in, int64_t count, int64_t bits) {
  int64_t groups = bits < 64 ? count / GROUP : 0;
  if (bits == 1)
    pack_ones(out, in, groups);
  else if (bits < 8)
    pack_narrow(out, in, groups, bits);
  else if (bits < 58)
    pack_middle(out, in, groups, bits);
  else if (bits < 64)
    pack_wide(out, in, groups, bits);
  tfe_packing_c.pack(out + groups * bits, in + groups * GROUP, count - groups * GROUP, bits);
}

/* -- unpacking ------------------------------------------------------------------------------------------------ */

static void unpack_ones(uint64_t *out, const uint8_t *in, int64_t groups) {
  for (int64_t g = 0; g < groups; g++)
    _mm512_storeu_si512(out + GROUP * g, _mm512_maskz_set1_epi64(in[g], 1));
}

/* Element e begins in byte e b / 8. Sixteen bytes from there on, in two lanes, moved down to its first bit. */
static void unpack_groups(uint64_t *out, const uint8_t *in, int64_t groups, int64_t bits) {
  _Alignas(64) uint8_t at[64], behind[64];
  _Alignas(64) int64_t shifts[GROUP];
  for (int64_t i = 0; i < 64; i++) {
    at[i] = (uint8_t)(i / 8 * bits / 8 + i % 8);
    behind[i] = (uint8_t)(at[i] + 8); /* from 64 on: nothing that the element needs */
    shifts[i / 8] = i / 8 * bits % 8;
  }
  const __m512i near = _mm512_load_si512(at), far = _mm512_load_si512(behind);
  const __m512i shift = _mm512_load_si512(shifts);
  const __m512i low = _mm512_set1_epi64((int64_t)bytes_of_group(bits));
  for (int64_t g = 0; g < groups; g++) {
    __m512i x = _mm512_maskz_loadu_epi8(bytes_of_group(bits), in + bits * g);
    x = _mm512_shrdv_epi64(_mm512_permutexvar_epi8(near, x), _mm512_permutexvar_epi8(far, x), shift);
    _mm512_storeu_si512(out + GROUP * g, _mm512_and_si512(x, low));
  }
}

static void vbmi_unpack(uint64_t *out, const uint8_t *in, int64_t count, int64_t bits) {
  int64_t groups = bits < 64 ? count / GROUP : 0;
  if (bits == 1)
    unpack_ones(out, in, groups);
  else
    unpack_groups(out, in, groups, bits);
  tfe_packing_c.unpack(out + groups * GROUP, in + groups * bits, count - groups * GROUP, bits);
}

const TfePacking tfe_packing_vbmi = {"vbmi", vbmi_pack, vbmi_unpack};
#endif
