/* Dense packing of ring elements (pack.h): the choice of the table, and the portable one. Whole words, single
 * bits and whole bytes have their own loops; all other widths go through a 64-bit accumulator that is written
 * or read a word at a time. */
#include "pack.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "ring/cpu.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "packed bytes are copied from words as they lie in memory");

static uint64_t low_bits(int64_t bits) {
  return ~UINT64_C(0) >> (64 - bits);
}

size_t tfe_pack_bytes(int64_t count, int64_t bits) {
  assert(count >= 0 && bits >= 1 && bits <= 64);
  /* in two parts, because count * bits may exceed 63 bits */
  return (size_t)(count / 8 * bits + (count % 8 * bits + 7) / 8);
}

static void pack_bits(uint8_t *out, const uint64_t *in, int64_t count) {
  int64_t whole = count / 8;
  for (int64_t i = 0; i < whole; i++, in += 8)
    out[i] = (uint8_t)((in[0] & 1) | (in[1] & 1) << 1 | (in[2] & 1) << 2 | (in[3] & 1) << 3 |
                       (in[4] & 1) << 4 | (in[5] & 1) << 5 | (in[6] & 1) << 6 | (in[7] & 1) << 7);
  uint64_t last = 0;
  for (int64_t i = 0; i < count % 8; i++)
    last |= (in[i] & 1) << i;
  if (count % 8)
    out[whole] = (uint8_t)last;
}

static void pack_bytes(uint8_t *out, const uint64_t *in, int64_t count, size_t width) {
  int64_t i = 0;
  for (; i + 8 < count; i++, out += width) /* the next elements overwrite what is too much */
    memcpy(out, &in[i], 8);
  for (; i < count; i++, out += width)
    memcpy(out, &in[i], width);
}

static void c_pack(uint8_t *out, const uint64_t *in, int64_t count, int64_t bits) {
  if (count == 0)
    return;
  if (bits == 64) {
    memcpy(out, in, (size_t)count * 8);
    return;
  }
  if (bits == 1) {
    pack_bits(out, in, count);
    return;
  }
  if (bits % 8 == 0) {
    pack_bytes(out, in, count, (size_t)bits / 8);
    return;
  }
  uint64_t mask = low_bits(bits), word = 0;
  int64_t fill = 0; /* bits of word that are set, below 64 */
  for (int64_t i = 0; i < count; i++) {
    uint64_t value = in[i] & mask;
    word |= value << fill;
    fill += bits;
    if (fill >= 64) {
      memcpy(out, &word, 8);
      out += 8;
      fill -= 64;
      word = fill ? value >> (bits - fill) : 0;
    }
  }
  memcpy(out, &word, (size_t)(fill + 7) / 8);
}

static void unpack_bits(uint64_t *out, const uint8_t *in, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    out[i] = (uint64_t)in[i / 8] >> (i % 8) & 1;
}

static void unpack_bytes(uint64_t *out, const uint8_t *in, int64_t count, size_t width) {
  uint64_t mask = low_bits((int64_t)width * 8);
  int64_t i = 0;
  for (; i + 8 < count; i++, in += width) { /* eight bytes from here on lie inside */
    memcpy(&out[i], in, 8);
    out[i] &= mask;
  }
  for (; i < count; i++, in += width) {
    out[i] = 0;
    memcpy(&out[i], in, width);
  }
}

static void c_unpack(uint64_t *out, const uint8_t *in, int64_t count, int64_t bits) {
  if (count == 0)
    return;
  if (bits == 64) {
    memcpy(out, in, (size_t)count * 8);
    return;
  }
  if (bits == 1) {
    unpack_bits(out, in, count);
    return;
  }
  if (bits % 8 == 0) {
    unpack_bytes(out, in, count, (size_t)bits / 8);
    return;
  }
  const uint8_t *end = in + tfe_pack_bytes(count, bits);
  uint64_t mask = low_bits(bits), word = 0;
  int64_t left = 0; /* bits of word not yet used, its lowest; below 64 */
  for (int64_t i = 0; i < count; i++) {
    if (left >= bits) {
      out[i] = word & mask;
      word >>= bits;
      left -= bits;
      continue;
    }
    uint64_t value = word;
    size_t bytes = (size_t)(end - in) < 8 ? (size_t)(end - in) : 8;
    word = 0;
    memcpy(&word, in, bytes);
    in += bytes;
    out[i] = (value | word << left) & mask;
    word >>= bits - left; /* bits - left is 1 .. 63 */
    left += 64 - bits;
  }
}

const TfePacking tfe_packing_c = {"c", c_pack, c_unpack};

#if defined(__x86_64__)
static bool has_vbmi(TfeCpu cpu) {
  return cpu >= TFE_CPU_AVX512 && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512vbmi2");
}

static const TfePacking *packing_of(TfeCpu cpu) {
  return has_vbmi(cpu) ? &tfe_packing_vbmi : &tfe_packing_c;
}
#else
static const TfePacking *packing_of(TfeCpu cpu) {
  (void)cpu;
  return &tfe_packing_c;
}
#endif

const TfePacking *tfe_packing_tier(int i) {
  const TfePacking *best = packing_of(tfe_cpu_best());
  if (i == 0)
    return &tfe_packing_c;
  return i == 1 && best != &tfe_packing_c ? best : NULL;
}

void tfe_pack(uint8_t *out, const uint64_t *in, int64_t count, int64_t bits) {
  assert(count >= 0 && bits >= 1 && bits <= 64);
  packing_of(tfe_cpu())->pack(out, in, count, bits);
}

void tfe_unpack(uint64_t *out, const uint8_t *in, int64_t count, int64_t bits) {
  assert(count >= 0 && bits >= 1 && bits <= 64);
  packing_of(tfe_cpu())->unpack(out, in, count, bits);
}
