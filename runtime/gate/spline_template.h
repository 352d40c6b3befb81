/* Key generation and evaluation of the spline gate (spline.h) for one width of sums. A file that includes
 * this defines
 *   SPLINE_CODE   the table to export (spline_code.h)
 *   Num           uint64_t or unsigned __int128, unsigned: the ring modulo 2^K is computed modulo 2^NUM_BITS
 *   NUM_BITS      its bits
 *   SPLINE_WALKS, SPLINE_SPREAD
 *                 where an instruction set has it, what makes walks (spline_walk.h) and children (spline_spread.h)
 * Numbers carry anything above bit K until `put` or `finish` cuts it off. */
#include <openssl/crypto.h>
#include <stdbool.h>
#include <string.h>

#include "spline_code.h"
#include "spline_spread.h"
#include "spline_walk.h"
#include "tree.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  PER_BLOCK = 128 / NUM_BITS, /* elements of a hashed block */
  VALUES_MAX = 2,
  VALUE_BLOCKS_MAX = VALUES_MAX / PER_BLOCK,
  POWERS_MAX = TFE_SPLINE_DEGREE_MAX + 1,
  POWER_BLOCKS_MAX = POWERS_MAX / PER_BLOCK
};

/* -- what a layout implies ------------------------------------------------------------------------------- */

typedef struct Shape {
  int64_t bits, low, levels, ring;
  int64_t seeds;  /* corrected levels */
  int64_t words;  /* of a key */
  int64_t values; /* elements of a level */
  int64_t value_blocks;
  int64_t powers; /* elements of a leaf; 0: no segments */
  int64_t power_blocks;
  bool linear;
} Shape;

static Shape shape_of(const TfeSpline *s) {
  int64_t values = tfe_spline_values(s), powers = s->degree + 1;
  return (Shape){.bits = s->bits,
                 .low = s->low,
                 .levels = tfe_spline_levels(s),
                 .ring = tfe_spline_ring(s),
                 .seeds = tfe_spline_seeds(s),
                 .words = tfe_spline_words(s),
                 .values = values,
                 .value_blocks = (values + PER_BLOCK - 1) / PER_BLOCK,
                 .powers = powers,
                 .power_blocks = (powers + PER_BLOCK - 1) / PER_BLOCK,
                 .linear = values == VALUES_MAX};
}

static uint64_t ones(int64_t bits) {
  return bits == 0 ? 0 : ~UINT64_C(0) >> (64 - bits);
}

static Num ring_mask(Shape shape) {
  return ~(Num)0 >> (NUM_BITS - shape.ring);
}

/* Direction at `level` of a leaf number, 0 or 1. */
static uint64_t direction(Shape shape, uint64_t leaf, int64_t level) {
  return leaf >> (shape.levels - 1 - level) & 1;
}

/* x or -x; `negate` 0 or 1 may be secret. */
static Num signed_by(Num x, uint64_t negate) {
  return (x ^ -(Num)negate) + negate;
}

/* What H is applied to for block `block` that belongs to child d of s, or to s itself. */
static TfeNode block_input(TfeNode s, uint64_t d, int64_t block) {
  TfeNode in = tree_child(s, d);
  in.w[0] ^= (uint64_t)(block + 1) << 2;
  return in;
}

/* Element `part` of a hashed block. */
INLINE Num element(TfeNode block, int64_t part) {
#if NUM_BITS == 64
  return block.w[part];
#else
  (void)part;
  return (Num)block.w[1] << 64 | block.w[0];
#endif
}

/* -- the stream of bits in a key ------------------------------------------------------------------------- */

static int64_t value_at(Shape shape, int64_t level, int64_t e) {
  return shape.seeds + (level * shape.values + e) * shape.ring;
}

static int64_t power_at(Shape shape, int64_t e) {
  return value_at(shape, shape.levels + 1, e);
}

static int64_t mask_at(Shape shape) {
  return power_at(shape, shape.powers);
}

/* Bits at .. at + K - 1, still 0, become x. */
static void put(Shape shape, uint64_t *words, int64_t at, Num x) {
  uint64_t *word = words + 2 * shape.seeds + at / 64;
  int64_t shift = at % 64;
  x &= ring_mask(shape);
  word[0] |= (uint64_t)x << shift;
  if (shift + shape.ring > 64)
    word[1] |= (uint64_t)(shift ? x >> (64 - shift) : x >> (NUM_BITS - 64));
#if NUM_BITS == 128
  if (shift + shape.ring > 128)
    word[2] |= (uint64_t)(x >> (128 - shift));
#endif
}

static Num get(Shape shape, const uint64_t *words, int64_t at) {
  const uint64_t *word = words + 2 * shape.seeds + at / 64;
  int64_t shift = at % 64;
  Num x = word[0] >> shift;
  if (shift + shape.ring > 64)
    x |= (Num)word[1] << (64 - shift);
#if NUM_BITS == 128
  if (shift + shape.ring > 128)
    x |= (Num)word[2] << (128 - shift);
#endif
  return x;
}

/* -- generation ------------------------------------------------------------------------------------------ */

typedef struct Dealer {
  const TfeHash *hash;
  const TfeHashKey *key;
  Shape shape;
  int64_t payload_scale;
  TreePair pair;
  TfeNode block[2][2][POWER_BLOCKS_MAX][TREE_BATCH]; /* [direction][party], hashed */
  Num sum[VALUES_MAX][TREE_BATCH];                   /* of both parties' values so far, towards alpha */
  uint64_t r[TREE_BATCH];
} Dealer;

/* Blocks 0 .. blocks - 1 of both parties' nodes. */
static void grow_blocks(Dealer *g, uint64_t d, int64_t blocks, int64_t n) {
  for (int party = 0; party < 2; party++)
    for (int64_t b = 0; b < blocks; b++) {
      for (int64_t i = 0; i < n; i++)
        g->block[d][party][b][i] = block_input(g->pair.node[party][i], d, b);
      g->hash->nodes(g->key, g->block[d][party][b], g->block[d][party][b], n);
    }
}

/* Element e: party 0's mask minus party 1's. */
static Num difference(const Dealer *g, int d, int64_t e, int64_t i) {
  int64_t b = e / PER_BLOCK, part = e % PER_BLOCK;
  return element(g->block[d][0][b][i], part) - element(g->block[d][1][b][i], part);
}

/* The value correction of a level but the last: away from alpha the sum becomes the payload on the right
 * side, 0 on the left; towards alpha it is carried on. */
static void correct_value(Dealer *g, int64_t i, int64_t level, int64_t e, Num payload, uint64_t *words) {
  uint64_t a = direction(g->shape, g->r[i] >> g->shape.low, level), t1 = g->pair.node[1][i].w[0] & 1;
  Num left = difference(g, 0, e, i), right = difference(g, 1, e, i), towards_right = -(Num)a;
  Num away = right ^ ((left ^ right) & towards_right), kept = left ^ right ^ away;
  Num correction = signed_by((payload & ~towards_right) - g->sum[e][i] - away, t1);
  put(g->shape, words, value_at(g->shape, level, e), correction);
  g->sum[e][i] += kept + signed_by(correction, t1);
}

/* At the last level: the payload at alpha and to its right. */
static void correct_last_value(Dealer *g, int64_t i, int64_t e, Num payload, uint64_t *words) {
  uint64_t a = g->r[i] >> g->shape.low & 1, t1 = g->pair.node[1][i].w[0] & 1;
  for (int d = 0; d < 2; d++) {
    Num wanted = d == 1 ? payload : payload & ((Num)a - 1);
    put(g->shape, words, value_at(g->shape, g->shape.levels - 1 + d, e),
        signed_by(wanted - g->sum[e][i] - difference(g, d, e, i), t1));
  }
}

static void key_values(Dealer *g, uint64_t *words, int64_t level, int64_t n) {
  grow_blocks(g, 0, g->shape.value_blocks, n);
  grow_blocks(g, 1, g->shape.value_blocks, n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t e = 0; e < g->shape.values; e++) {
      Num payload = e == 0 ? 1 : g->r[i];
      if (level < g->shape.levels - 1)
        correct_value(g, i, level, e, payload, words + i * g->shape.words);
      else
        correct_last_value(g, i, e, payload, words + i * g->shape.words);
    }
}

static void key_nodes(Dealer *g, uint64_t *words, int64_t level, int64_t n) {
  tree_grow(g->hash, g->key, &g->pair, n);
  for (int64_t i = 0; i < n; i++) {
    uint64_t *at = words + i * g->shape.words, t_right;
    TfeNode seed = tree_descend(&g->pair, i, direction(g->shape, g->r[i] >> g->shape.low, level), &t_right);
    at[2 * level] = seed.w[0], at[2 * level + 1] = seed.w[1];
    at[2 * g->shape.seeds + level / 64] |= t_right << level % 64;
  }
}

/* x / 2^shift rounded, halves up; x 2^-shift if shift is negative. Shifts are arithmetic. */
static __int128 scaled(__int128 x, int64_t shift) {
  return shift > 0 ? (x + ((__int128)1 << (shift - 1))) >> shift : x * ((__int128)1 << -shift);
}

/* The leaf: powers of minus R' = (2 lo(r) - 2^s) / 2^(s+1), below 2^120 before they are scaled. */
static void key_leaves(Dealer *g, uint64_t *words, int64_t n) {
  Shape shape = g->shape;
  grow_blocks(g, 0, shape.power_blocks, n);
  for (int64_t i = 0; i < n; i++) {
    uint64_t t1 = g->pair.node[1][i].w[0] & 1;
    __int128 base = (INT64_C(1) << shape.low) - (int64_t)(2 * (g->r[i] & ones(shape.low))), power;
    for (int64_t e = 0; e < shape.powers; e++) {
      power = e == 0 ? 1 : power * base;
      Num payload = (Num)scaled(power, e * (shape.low + 1) - g->payload_scale);
      put(shape, words + i * shape.words, power_at(shape, e),
          signed_by(payload - difference(g, 0, e, i), t1));
    }
  }
}

static void key_masks(Dealer *g, uint64_t *words, int64_t n) {
  for (int party = 0; party < 2; party++) {
    TfeNode *block = g->block[0][party][0];
    for (int64_t i = 0; i < n; i++)
      block[i] = block_input(g->pair.node[party][i], 0, g->shape.value_blocks);
    g->hash->nodes(g->key, block, block, n);
  }
  for (int64_t i = 0; i < n; i++)
    put(g->shape, words + i * g->shape.words, mask_at(g->shape),
        g->r[i] - element(g->block[0][0][0][i], 0) - element(g->block[0][1][0][i], 0));
}

static void key_batch(Dealer *g, uint64_t *words, const uint64_t *r, const uint64_t *root0,
                      const uint64_t *root1, int64_t n) {
  Shape shape = g->shape;
  memset(words, 0, (size_t)(n * shape.words) * sizeof *words);
  memset(g->sum, 0, sizeof g->sum);
  for (int64_t i = 0; i < n; i++) {
    g->r[i] = r[i] & ones(shape.bits);
    g->pair.node[0][i] = tree_root(root0 + 2 * i, 0);
    g->pair.node[1][i] = tree_root(root1 + 2 * i, 1);
  }
  if (shape.linear)
    key_masks(g, words, n);
  for (int64_t level = 0; level < shape.levels; level++) {
    if (shape.values > 0)
      key_values(g, words, level, n);
    if (level < shape.seeds)
      key_nodes(g, words, level, n);
  }
  if (shape.powers > 0)
    key_leaves(g, words, n);
}

static void spline_key(const TfeSpline *spline, const TfeHash *hash, const TfeHashKey *key, uint64_t *words,
                       const uint64_t *r, const uint64_t *root0, const uint64_t *root1, int64_t n) {
  Dealer g;
  g.hash = hash, g.key = key;
  g.shape = shape_of(spline);
  g.payload_scale = spline->payload_scale;
  for (int64_t at = 0; at < n; at += TREE_BATCH)
    key_batch(&g, words + at * g.shape.words, r + at, root0 + 2 * at, root1 + 2 * at,
              n - at < TREE_BATCH ? n - at : TREE_BATCH);
  OPENSSL_cleanse(&g, sizeof g);
}

/* -- evaluation ------------------------------------------------------------------------------------------ */

enum {
  ELEMENTS = 32, /* of a batch */
  WALKS = 64,    /* at a time */
  LEAVES = 128,  /* at a time */
  /* nodes at a time; an element takes two more than its polynomials, and two for whole pairs of children */
  NODES = TFE_SPLINE_COUNT_MAX + 64
};

/* Walks to points of P; a walk adds u P_1 + v P_r to the sum of its element. */
typedef struct Walks {
  int64_t n;
  int64_t element[WALKS];
  uint64_t point[WALKS];
  Num factor[VALUES_MAX][WALKS]; /* u, v */
  TfeNode node[WALKS];
  TfeNode hashed[(VALUE_BLOCKS_MAX + 1) * WALKS];
  Num sum[VALUES_MAX][WALKS];
} Walks;

/* The nodes above the leaves of the polynomials, of some elements, one level after the other. Leaf numbers
 * are not reduced modulo 2^h, so that those of an element are start .. start + count - 1. */
typedef struct Spread {
  int64_t n;
  int64_t element; /* the first one */
  uint64_t start[ELEMENTS];
  int64_t from[ELEMENTS]; /* of an element's nodes in `node` */
  TfeNode node[2][NODES]; /* [level % 2] */
  const TfeNode *parent[NODES];
  int32_t of[NODES];
  TfeSplineCorrection correction[ELEMENTS];
  TfeNode block[POWER_BLOCKS_MAX][LEAVES];
  int64_t factor[POWER_BLOCKS_MAX][LEAVES * PER_BLOCK];
} Spread;

typedef struct Server {
  const TfeSpline *spline;
  const TfeHash *hash;
  const TfeHashKey *key;
  Shape shape;
  uint64_t role;
  const uint64_t *words, *root, *c; /* of the batch's elements */
  const int64_t *pieces;            /* [spline->pieces][3] */
  const int64_t *coefficient;       /* [powers][count], the last segment first */
  bool small;                       /* the coefficients, so that 64 bits hold what SMALL says */
  Num sum[ELEMENTS];
  Num mask[ELEMENTS]; /* share of r */
  TfeNode block[ELEMENTS];
  Walks walks;
  Spread spread;
} Server;

static TfeNode seed_correction(Shape shape, const uint64_t *words, int64_t level, uint64_t d) {
  TfeNode seed = {{words[2 * level], words[2 * level + 1]}};
  return tree_correction_of(seed, words[2 * shape.seeds + level / 64] >> level % 64, d);
}

static uint64_t top_of(const Server *s, int64_t i) {
  return (s->c[i] & ones(s->shape.bits)) >> s->shape.low;
}

/* -- pieces */

/* Adds the masks of this level, and the value corrections where the node's control bit is set. */
static void walk_values(Server *s, int64_t level) {
  Walks *w = &s->walks;
  Shape shape = s->shape;
  for (int64_t k = 0; k < w->n; k++) {
    Num t = -(Num)(w->node[k].w[0] & 1);
    bool right_of_last = level == shape.levels - 1 && direction(shape, w->point[k], level);
    const uint64_t *words = s->words + w->element[k] * shape.words;
    for (int64_t e = 0; e < shape.values; e++) {
      Num mask = element(w->hashed[e / PER_BLOCK * w->n + k], e % PER_BLOCK);
      w->sum[e][k] += mask + (get(shape, words, value_at(shape, level + right_of_last, e)) & t);
    }
  }
}

static void walk_level(Server *s, int64_t level) {
  Walks *w = &s->walks;
  Shape shape = s->shape;
  bool last = level == shape.levels - 1;
  TfeNode *child = w->hashed + shape.value_blocks * w->n;
  for (int64_t k = 0; k < w->n; k++) {
    uint64_t d = direction(shape, w->point[k], level);
    for (int64_t b = 0; b < shape.value_blocks; b++)
      w->hashed[b * w->n + k] = block_input(w->node[k], d, b);
    child[k] = tree_child(w->node[k], d);
  }
  s->hash->nodes(s->key, w->hashed, w->hashed, (shape.value_blocks + !last) * w->n);
  walk_values(s, level);
  for (int64_t k = 0; k < w->n && !last; k++) {
    const uint64_t *words = s->words + w->element[k] * shape.words;
    TfeNode correction = seed_correction(shape, words, level, direction(shape, w->point[k], level));
    w->node[k] = tree_step(w->node[k], child[k], correction);
  }
}

#if defined(SPLINE_WALKS)
static void walk_side_by_side(Server *s) {
  Walks *w = &s->walks;
  Shape shape = s->shape;
  const uint64_t *words[WALKS], *root[WALKS];
  for (int64_t k = 0; k < w->n; k++) {
    words[k] = s->words + w->element[k] * shape.words;
    root[k] = s->root + 2 * w->element[k];
  }
  SPLINE_WALKS(s->key, &(TfeSplineWalks){w->n,
                                         shape.levels,
                                         shape.seeds,
                                         shape.values,
                                         shape.ring,
                                         shape.words,
                                         words,
                                         root,
                                         w->point,
                                         {w->sum[0], w->sum[1]},
                                         s->role});
}
#endif

static void walk_levels(Server *s) {
  Walks *w = &s->walks;
#if defined(SPLINE_WALKS)
  if (s->shape.levels > 1) {
    walk_side_by_side(s);
    return;
  }
#endif
  for (int64_t k = 0; k < w->n; k++)
    w->node[k] = tree_root(s->root + 2 * w->element[k], s->role);
  for (int64_t level = 0; level < s->shape.levels; level++)
    walk_level(s, level);
}

/* Makes the walks there are and takes their results. */
static void walk_all(Server *s) {
  Walks *w = &s->walks;
  if (w->n == 0)
    return;
  for (int64_t k = 0; k < w->n; k++)
    w->sum[0][k] = w->sum[1][k] = 0;
  walk_levels(s);
  for (int64_t k = 0; k < w->n; k++) {
    Num p = w->factor[0][k] * w->sum[0][k] + w->factor[1][k] * w->sum[1][k];
    s->sum[w->element[k]] += signed_by(p, s->role);
  }
  w->n = 0;
}

static void walk_later(Server *s, int64_t element_number, uint64_t point, Num u, Num v) {
  Walks *w = &s->walks;
  if (w->n == WALKS)
    walk_all(s);
  int64_t k = w->n++;
  w->element[k] = element_number;
  w->point[k] = point;
  w->factor[0][k] = u, w->factor[1][k] = v;
}

/* Let B be a piece's first segment, i = hi(c) - B, e = hi(c) - 2^(h-1), both modulo 2^h. j >= B holds for
 * alpha in the cyclic interval (e, i], so the sum of the payload over it is P(i) - P(e), if i <= e (as at B =
 * -2^(h-1)) plus the whole payload. x = c - r + 2^n (w - 1{alpha <= e}) with w = 1{hi(c) < 2^(h-1)}; in the
 * interval, alpha <= e only if i <= e, and then for alpha <= i. So with steps da and db of A and B at this
 * piece and z = da + db (c + 2^n w) the piece adds
 *   z (P_1(i) - P_1(e)) - db (P_r(i) - P_r(e)),  if i <= e also  z - db r - db 2^n P_1(i). */
static void add_pieces(Server *s, int64_t i) {
  Shape shape = s->shape;
  uint64_t top = top_of(s, i), half = UINT64_C(1) << (shape.levels - 1);
  uint64_t end = (top - half) & ones(shape.levels);
  Num carry = shape.bits < NUM_BITS ? (Num)1 << shape.bits % NUM_BITS : 0;
  Num x = (s->c[i] & ones(shape.bits)) + (top < half ? carry : 0);
  Num end_u = 0, end_v = 0, constant = 0, slope = 0, a = 0, b = 0;
  for (int64_t k = 0; k < s->spline->pieces; k++) {
    const int64_t *piece = s->pieces + 3 * k;
    Num da = (Num)piece[1] - a, db = (Num)piece[2] - b, z = da + db * x;
    uint64_t point = (top - (uint64_t)piece[0]) & ones(shape.levels);
    bool whole = point <= end;
    Num u = whole ? z - db * carry : z;
    end_u -= z, end_v += db;
    constant += whole ? z : 0, slope += whole ? db : 0;
    a += da, b += db;
    if (point == end)
      end_u += u, end_v -= db;
    else
      walk_later(s, i, point, u, -db);
  }
  walk_later(s, i, end, end_u, end_v);
  s->sum[i] += (s->role == 0 ? constant : 0) - slope * s->mask[i];
}

static void share_masks(Server *s, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    s->block[i] = block_input(tree_root(s->root + 2 * i, s->role), 0, s->shape.value_blocks);
  s->hash->nodes(s->key, s->block, s->block, n);
  for (int64_t i = 0; i < n; i++) {
    s->mask[i] = element(s->block[i], 0);
    if (s->role == 0)
      s->mask[i] += get(s->shape, s->words + i * s->shape.words, mask_at(s->shape));
  }
}

/* -- segments */

static void children(const Server *s, TfeNode *restrict child, const TfeSplineSpread *all) {
#if defined(SPLINE_SPREAD)
  SPLINE_SPREAD(s->key, child, all);
#else
  for (int64_t k = 0; k < all->n; k++)
    for (uint64_t d = 0; d < 2; d++)
      child[2 * k + (int64_t)d] = tree_child(*all->parent[k], d);
  s->hash->nodes(s->key, child, child, 2 * all->n);
  for (int64_t k = 0; k < all->n; k++)
    for (int64_t d = 0; d < 2; d++)
      child[2 * k + d] = tree_step(*all->parent[k], child[2 * k + d], all->correction[all->of[k]].child[d]);
#endif
}

/* The children of all nodes of the level, two by two; then of each element those that are needed. */
static void spread_level(Server *s, int64_t level) {
  Spread *p = &s->spread;
  Shape shape = s->shape;
  int64_t up = shape.levels - level, n = 0;
  for (int64_t i = 0; i < p->n; i++) {
    uint64_t end = p->start[i] + (uint64_t)s->spline->count - 1;
    int64_t width = (int64_t)((end >> up) - (p->start[i] >> up)) + 1;
    const TfeNode *parent = p->node[level % 2] + p->from[i];
    for (uint64_t d = 0; d < 2; d++)
      p->correction[i].child[d] = seed_correction(shape, s->words + (p->element + i) * shape.words, level, d);
    p->from[i] = 2 * n + (int64_t)((p->start[i] >> (up - 1)) & 1);
    for (int64_t k = 0; k < width; k++, n++)
      p->parent[n] = parent + k, p->of[n] = (int32_t)i;
  }
  children(s, p->node[(level + 1) % 2], &(TfeSplineSpread){n, p->parent, p->of, p->correction});
}

/* Taylor coefficients at C' = centre / 2^(s+1) of the polynomials of n leaves, by Horner's scheme repeated;
 * powers and small are constant. At every step |b| < 2.75 max |a|, and what is multiplied is below 2 max |a|. */
INLINE void taylor(int powers, bool small, int64_t (*restrict factor)[LEAVES * PER_BLOCK],
                   const int64_t *restrict a, int64_t stride, int64_t centre, int64_t low, int64_t n) {
  for (int64_t m = 0; m < n; m++) {
    int64_t b[POWERS_MAX] = {0};
#pragma GCC unroll 4
    for (int d = 0; d < powers; d++)
      b[d] = a[d * stride + m];
#pragma GCC unroll 4
    for (int e = 0; e < powers - 1; e++)
#pragma GCC unroll 4
      for (int d = powers - 2; d >= e; d--)
        b[d] += small ? b[d + 1] * centre >> (low + 1) : (int64_t)((__int128)b[d + 1] * centre >> (low + 1));
    for (int e = 0; e < (powers + PER_BLOCK - 1) / PER_BLOCK * PER_BLOCK; e++)
      factor[e / PER_BLOCK][PER_BLOCK * m + e % PER_BLOCK] =
          (b[e] + (1 << (TFE_SPLINE_GUARD - 1))) >> TFE_SPLINE_GUARD;
  }
}

INLINE void factors(Server *s, bool small, int64_t i, int64_t leaf, int64_t n) {
  Shape shape = s->shape;
  const int64_t *a = s->coefficient + leaf;
  int64_t centre = (int64_t)(2 * (s->c[i] & ones(shape.low))) - (INT64_C(1) << shape.low);
  int64_t stride = s->spline->count, (*to)[LEAVES * PER_BLOCK] = s->spread.factor;
  switch (shape.powers) {
  case 1: taylor(1, small, to, a, stride, centre, shape.low, n); return;
  case 2: taylor(2, small, to, a, stride, centre, shape.low, n); return;
  case 3: taylor(3, small, to, a, stride, centre, shape.low, n); return;
  default: taylor(4, small, to, a, stride, centre, shape.low, n);
  }
}

/* Sum of one block's elements of n leaves times their factors. */
INLINE Num dot(const TfeNode *leaf, const TfeNode *block, const Num *correction, const int64_t *factor,
               int64_t n) {
  Num sum = 0;
  for (int64_t m = 0; m < n; m++) {
    Num t = -(Num)(leaf[m].w[0] & 1);
    for (int64_t part = 0; part < PER_BLOCK; part++)
      sum += (element(block[m], part) + (correction[part] & t)) * (Num)factor[PER_BLOCK * m + part];
  }
  return sum;
}

#if NUM_BITS == 128
/* Coefficients below 2^SMALL give factors below 2^28; with elements in limbs of 28 bits, sums of LEAVES products are
 * below 2^63, and loops can go on vectors. */
enum { SMALL = 34, LIMB = 28, LIMBS_MAX = 5 };

static int64_t limb(TfeNode x, int k) {
  uint64_t word = x.w[k * LIMB / 64] >> k * LIMB % 64;
  if (k * LIMB % 64 > 64 - LIMB && k * LIMB < 64)
    word |= x.w[1] << (64 - k * LIMB % 64);
  return (int64_t)(word & ones(LIMB));
}

/* The same for small factors and K <= limbs * LIMB; limbs is constant. */
INLINE Num dot_small(int limbs, const TfeNode *restrict leaf, const TfeNode *restrict block, Num correction,
                     const int64_t *restrict factor, int64_t n) {
  int64_t part[LIMBS_MAX] = {0}, corrected = 0;
  for (int64_t m = 0; m < n; m++) {
    corrected += factor[m] & -(int64_t)(leaf[m].w[0] & 1);
#pragma GCC unroll 5
    for (int k = 0; k < limbs; k++)
      part[k] += limb(block[m], k) * factor[m];
  }
  Num sum = correction * (Num)corrected;
  for (int k = 0; k < limbs; k++)
    sum += (Num)part[k] << k * LIMB;
  return sum;
}
#else
enum { SMALL = 61 };
#endif

INLINE Num dot_of(const Server *s, const TfeNode *leaf, const TfeNode *block, const Num *correction,
                  const int64_t *factor, int64_t n) {
#if NUM_BITS == 128
  if (s->small)
    return s->shape.ring <= 3 * LIMB ? dot_small(3, leaf, block, *correction, factor, n)
                                     : dot_small(LIMBS_MAX, leaf, block, *correction, factor, n);
#endif
  (void)s;
  return dot(leaf, block, correction, factor, n);
}

/* n leaves of element i, from number `at` on. */
static Num add_leaves(Server *s, int64_t i, const TfeNode *leaf, int64_t at, int64_t n) {
  Spread *p = &s->spread;
  Shape shape = s->shape;
  Num sum = 0;
  if (s->small)
    factors(s, true, i, at, n);
  else
    factors(s, false, i, at, n);
  for (int64_t b = 0; b < shape.power_blocks; b++) {
    for (int64_t m = 0; m < n; m++)
      p->block[b][m] = block_input(leaf[m], 0, b);
    s->hash->nodes(s->key, p->block[b], p->block[b], n);
    Num correction[PER_BLOCK] = {0};
    for (int64_t e = b * PER_BLOCK; e < (b + 1) * PER_BLOCK && e < shape.powers; e++)
      correction[e % PER_BLOCK] = get(shape, s->words + i * shape.words, power_at(shape, e));
    sum += dot_of(s, leaf, p->block[b], correction, p->factor[b], n);
  }
  return sum;
}

/* Segments of elements at .. at + n - 1 of the batch. Leaf number m belongs to polynomial count - 1 - m. */
static void add_segments(Server *s, int64_t at, int64_t n) {
  Spread *p = &s->spread;
  int64_t count = s->spline->count, levels = s->shape.levels;
  p->n = n, p->element = at;
  int64_t roots = 0;
  for (int64_t i = 0; i < n; i++) {
    p->start[i] = (top_of(s, at + i) - (uint64_t)(s->spline->first + count - 1)) & ones(levels);
    p->from[i] = roots;
    uint64_t end = p->start[i] + (uint64_t)count - 1;
    for (uint64_t k = 0; k <= end >> levels; k++) /* twice the root if the leaves go on at 0 */
      p->node[0][roots++] = tree_root(s->root + 2 * (at + i), s->role);
  }
  for (int64_t level = 0; level < levels; level++)
    spread_level(s, level);
  for (int64_t i = 0; i < n; i++)
    for (int64_t leaf = 0; leaf < count; leaf += LEAVES) {
      const TfeNode *nodes = p->node[levels % 2] + p->from[i] + leaf;
      Num sum = add_leaves(s, at + i, nodes, leaf, count - leaf < LEAVES ? count - leaf : LEAVES);
      s->sum[at + i] += signed_by(sum, s->role);
    }
}

/* -- all together */

/* Drops `shift` bits: role 0 rounds down, role 1 up, which is rounding down the negative. */
static uint64_t finish(const Server *s, Num sum) {
  Num mask = ring_mask(s->shape);
  int64_t shift = s->spline->shift;
  Num result = s->role == 0 ? (sum & mask) >> shift : -((-sum & mask) >> shift);
  return (uint64_t)result & ones(s->spline->out_bits);
}

static void eval_batch(Server *s, uint64_t *out, int64_t n) {
  memset(s->sum, 0, sizeof s->sum);
  if (s->shape.linear)
    share_masks(s, n);
  for (int64_t i = 0; i < n && s->spline->pieces > 0; i++)
    add_pieces(s, i);
  walk_all(s);
  int64_t group = s->shape.powers > 0 ? NODES / (s->spline->count + 4) : n;
  for (int64_t i = 0; i < n && s->shape.powers > 0; i += group)
    add_segments(s, i, n - i < group ? n - i : group);
  for (int64_t i = 0; i < n; i++)
    out[i] = finish(s, s->sum[i]);
}

static void spline_eval(const TfeSpline *spline, const TfeHash *hash, const TfeHashKey *key, uint64_t *out,
                        const uint64_t *c, const uint64_t *root, const uint64_t *words, const uint64_t *table,
                        int64_t n, uint64_t role) {
  int64_t coefficient[POWERS_MAX * TFE_SPLINE_COUNT_MAX];
  const uint64_t *a = table + 3 * spline->pieces;
  Server s;
  s.spline = spline, s.hash = hash, s.key = key, s.role = role;
  s.shape = shape_of(spline);
  s.pieces = (const int64_t *)table, s.coefficient = coefficient;
  memset(s.mask, 0, sizeof s.mask);
  s.walks.n = 0;
  int64_t most = INT64_C(1) << (SMALL < 61 - s.shape.low ? SMALL : 61 - s.shape.low);
  s.small = true;
  for (int64_t m = 0; m < spline->count; m++)
    for (int64_t d = 0; d < s.shape.powers; d++) {
      int64_t v = (int64_t)a[(spline->count - 1 - m) * s.shape.powers + d];
      coefficient[d * spline->count + m] = v;
      s.small = s.small && -most < v && v < most;
    }
  for (int64_t at = 0; at < n; at += ELEMENTS) {
    s.c = c + at, s.root = root + 2 * at, s.words = words + at * s.shape.words;
    eval_batch(&s, out + at, n - at < ELEMENTS ? n - at : ELEMENTS);
  }
  OPENSSL_cleanse(&s, sizeof s);
}

const TfeSplineCode SPLINE_CODE = {spline_key, spline_eval};
