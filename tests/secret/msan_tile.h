/* For MemorySanitizer, included before every file of the runtime, in the place of ring/tile.h: the tile
 * instructions in C, since it does not know them. Everything around them is what users run. */
#ifndef TFE_MSAN_TILE_H
#define TFE_MSAN_TILE_H

#if defined(__AMX_INT8__)
#define TFE_TILE_H
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_ROW_BYTES = 64, TILE_BYTES = TILE_ROWS * TILE_ROW_BYTES };

static _Thread_local uint8_t msan_tile[8][TILE_BYTES];

static inline void msan_tile_multiply(int sum, int a, int b) {
  for (int i = 0; i < TILE_ROWS; i++)
    for (int j = 0; j < TILE_ROW_BYTES / 4; j++) {
      uint32_t word;
      memcpy(&word, &msan_tile[sum][i * TILE_ROW_BYTES + 4 * j], 4);
      for (int p = 0; p < TILE_ROW_BYTES; p++) {
        uint32_t x = msan_tile[a][i * TILE_ROW_BYTES + p];
        word += x * msan_tile[b][p / 4 * TILE_ROW_BYTES + 4 * j + p % 4];
      }
      memcpy(&msan_tile[sum][i * TILE_ROW_BYTES + 4 * j], &word, 4);
    }
}

#define TILE_BARRIER __asm__ volatile("" ::: "memory")
#define TILE_LOAD(tile, address) memcpy(msan_tile[tile], address, TILE_BYTES)
#define TILE_STORE(tile, address) memcpy(address, msan_tile[tile], TILE_BYTES)
#define TILE_ZERO(tile) memset(msan_tile[tile], 0, TILE_BYTES)
#define TILE_MULTIPLY(sum, a, b) msan_tile_multiply(sum, a, b)

static inline void tile_start(void) {
  memset(msan_tile, 0, sizeof msan_tile);
}

static inline void tile_stop(void) {
  tile_start();
}
#endif

#endif
