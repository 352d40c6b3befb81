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

#endif
