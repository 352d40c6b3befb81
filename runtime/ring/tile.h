/* The tile instructions (AMX) that kernels use. Registers are numbers 0 to 7; a tile has 16 rows of 64 bytes.
 * The compiler takes them for code that touches no memory: a block of them stands between two
 * TILE_BARRIERs. */
#ifndef TFE_TILE_H
#define TFE_TILE_H

#include <immintrin.h>
#include <stdint.h>

enum { TILE_ROWS = 16, TILE_ROW_BYTES = 64, TILE_BYTES = TILE_ROWS * TILE_ROW_BYTES };

#define TILE_BARRIER __asm__ volatile("" ::: "memory")
#define TILE_LOAD(tile, address) _tile_loadd(tile, address, TILE_ROW_BYTES)
#define TILE_STORE(tile, address) _tile_stored(tile, address, TILE_ROW_BYTES)
#define TILE_ZERO(tile) _tile_zero(tile)
/* sum[i][j] += a[i][4p + q] b[p][4j + q] over p and q: bytes by bytes into words of 32 bits */
#define TILE_MULTIPLY(sum, a, b) _tile_dpbuud(sum, a, b)

__attribute__((target("amx-tile"))) static inline void tile_start(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.row_bytes[i] = TILE_ROW_BYTES;
    config.rows[i] = TILE_ROWS;
  }
  TILE_BARRIER;
  _tile_loadconfig(&config);
}

/* Clears the registers: nothing stays in them, and the system need not save them. */
__attribute__((target("amx-tile"))) static inline void tile_stop(void) {
  _tile_release();
}

#endif
