/* Dense packing of `count` elements of `bits` bits each (1 .. 64), least significant bit first and without
 * gaps: the form in which parts of messages travel (include/program.h). The last byte is filled up with
 * zero bits.
 *
 * tfe_pack reads the `bits` low bits of every element; the others may hold anything. tfe_unpack reads
 * exactly tfe_pack_bytes(count, bits) bytes, writes elements below 2^bits, and ignores the filling.
 * Neither pointer needs an alignment beyond its type's; the buffers do not overlap. */
#ifndef TFE_PACK_H
#define TFE_PACK_H

#include <stddef.h>
#include <stdint.h>

/* ceil(count * bits / 8). */
size_t tfe_pack_bytes(int64_t count, int64_t bits);
void tfe_pack(uint8_t *out, const uint64_t *in, int64_t count, int64_t bits);
void tfe_unpack(uint64_t *out, const uint8_t *in, int64_t count, int64_t bits);

/* One table for each instruction set; all give the same bytes and elements. */
typedef struct TfePacking {
  const char *name;
  void (*pack)(uint8_t *out, const uint64_t *in, int64_t count, int64_t bits);
  void (*unpack)(uint64_t *out, const uint8_t *in, int64_t count, int64_t bits);
} TfePacking;

extern const TfePacking tfe_packing_c;
#if defined(__x86_64__)
extern const TfePacking tfe_packing_vbmi; /* AVX-512 with VBMI and VBMI2 */
#endif

/* Number i of the tables that this machine can run, from 0, the portable one first; NULL after the last. */
const TfePacking *tfe_packing_tier(int i);

#endif
