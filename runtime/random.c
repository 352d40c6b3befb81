/* Random numbers of users' programs: pure functions of a generator state, equal at all parties that hold
 * the state.
 *
 * A state is 64 bits. Its successor adds an odd constant, so a sequence of draws has period 2^64; seeds
 * are scattered by a bijection first (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014), so sequences from neighbouring seeds do not overlap. The numbers of one draw come from
 * AES-128-CTR under a key made of the state (prg.h); a state from the operating system thus gives numbers
 * that nobody else can predict. */
#include <openssl/crypto.h>
#include <string.h>

#include "include/abi.h"
#include "prg/prg.h"
#include "real.h"

static const uint64_t STEP = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio, odd */

/* `op` of the addresses under a state's key; instance 0 is the draw, others are spare words. */
enum { DRAW_NORMAL = 1, DRAW_UNIFORM = 2, DRAW_PERMUTATION = 3 };

int64_t tfe_rng_seed(int64_t seed) {
  uint64_t z = (uint64_t)seed + STEP;
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (int64_t)(z ^ z >> 31);
}

int64_t tfe_rng_next(int64_t state) {
  return (int64_t)((uint64_t)state + STEP);
}

static void draw_words(uint64_t *out, int64_t n, int64_t state, uint32_t op, uint64_t instance) {
  uint8_t key[TFE_KEY_BYTES];
  memcpy(key, &state, 8);
  memcpy(key + 8, "tfe draw", 8);
  tfe_prg_words(key, op, instance, 64, out, n);
  OPENSSL_cleanse(key, sizeof key);
}

static uint64_t from_double(double x) {
  uint64_t word;
  memcpy(&word, &x, sizeof word);
  return word;
}

/* The 53 high bits as a fraction in [0, 1). */
static double fraction(uint64_t word) {
  return (double)(int64_t)(word >> 11) * 0x1p-53;
}

/* Box and Muller: two words give two values. */
static void normal_pair(uint64_t word0, uint64_t word1, double out[2]) {
  double sine, cosine;
  tfe_real_turn(fraction(word1), &sine, &cosine);
  double radius = tfe_sqrt(-2 * tfe_log(fraction(word0) + 0x1p-53)); /* of (0, 1] */
  out[0] = radius * cosine;
  out[1] = radius * sine;
}

void tfe_random_normal(uint64_t *out, int64_t n, int64_t state) {
  double pair[2];
  draw_words(out, n, state, DRAW_NORMAL, 0);
  for (int64_t i = 0; i + 1 < n; i += 2) {
    normal_pair(out[i], out[i + 1], pair);
    out[i] = from_double(pair[0]);
    out[i + 1] = from_double(pair[1]);
  }
  if (n % 2) {
    uint64_t spare;
    draw_words(&spare, 1, state, DRAW_NORMAL, 1);
    normal_pair(out[n - 1], spare, pair);
    out[n - 1] = from_double(pair[0]);
  }
}

void tfe_random_uniform(uint64_t *out, int64_t n, int64_t state, double low, double high) {
  draw_words(out, n, state, DRAW_UNIFORM, 0);
  for (int64_t i = 0; i < n; i++) {
    double value = low + fraction(out[i]) * (high - low);
    out[i] = from_double(value < high ? value : low); /* rounding may reach `high` */
  }
}

/* A uniform number below `bound`, from word; *spare counts the words drawn because one would have favoured
 * small numbers (Lemire 2019: high half of the product, low half rejected below 2^64 mod bound). */
static uint64_t below(uint64_t bound, uint64_t word, int64_t state, uint64_t *spare) {
  unsigned __int128 product = (unsigned __int128)word * bound;
  if ((uint64_t)product < bound) {
    uint64_t reject = -bound % bound;
    while ((uint64_t)product < reject) {
      draw_words(&word, 1, state, DRAW_PERMUTATION, ++*spare);
      product = (unsigned __int128)word * bound;
    }
  }
  return (uint64_t)(product >> 64);
}

/* Fisher and Yates, inside out: place i holds its random word until element i is inserted. */
void tfe_permutation(uint64_t *out, int64_t n, int64_t state) {
  uint64_t spare = 0;
  draw_words(out, n, state, DRAW_PERMUTATION, 0);
  for (int64_t i = 0; i < n; i++) {
    uint64_t j = below((uint64_t)i + 1, out[i], state, &spare);
    out[i] = out[j];
    out[j] = (uint64_t)i;
  }
}
