/* The part of spline.c that computes modulo 2^ring, for one type of ring elements: included by spline.c alone,
 * once for each, with RING, RING_BITS and IN_RING defined. Elements are kept with arbitrary bits above `ring`. */

/* ---- values ---------------------------------------------------------------------------------- */

/* Ring elements in one hashed node. */
enum { IN_RING(per_block) = 128 / RING_BITS };

static RING IN_RING(from_node)(TfeNode node, int64_t k) {
#if RING_BITS == 64
  return node.w[k];
#else
  (void)k;
  return (RING)node.w[1] << 64 | node.w[0];
#endif
}

static RING IN_RING(get)(const Spline *s, const uint64_t *words, int64_t k) {
  int64_t at = value_bit(s, k), done = 0;
  RING v = 0;
  while (done < s->ring) {
    int64_t offset = (at + done) % 64, take = 64 - offset < s->ring - done ? 64 - offset : s->ring - done;
    v |= (RING)(words[(at + done) / 64] >> offset & low_bits(take)) << done;
    done += take;
  }
  return v;
}

/* Into zeroed words. */
static void IN_RING(put)(const Spline *s, uint64_t *words, int64_t k, RING v) {
  int64_t at = value_bit(s, k), done = 0;
  while (done < s->ring) {
    int64_t offset = (at + done) % 64, take = 64 - offset < s->ring - done ? 64 - offset : s->ring - done;
    words[(at + done) / 64] |= ((uint64_t)(v >> done) & low_bits(take)) << offset;
    done += take;
  }
}

/* v, or its negative where mask is all ones. */
static RING IN_RING(signed_by)(RING v, uint64_t negative) {
  RING mask = (RING)0 - (negative & 1);
  return (v ^ mask) - mask;
}

static RING IN_RING(choose)(RING first, RING second, uint64_t bit) {
  return first ^ ((first ^ second) & ((RING)0 - (bit & 1)));
}

/* count ring elements that belong to child d of each of n nodes: out[element][node]. scratch[n]. */
static void IN_RING(expand)(const TfeHash *hash, const TfeHashKey *key, const TfeNode *node, const uint8_t *d,
                            int64_t n, int64_t count, TfeNode *scratch, RING (*out)[WALKS]) {
  for (int64_t block = 0; block * IN_RING(per_block) < count; block++) {
    for (int64_t i = 0; i < n; i++)
      scratch[i] = tree_value(node[i], d[i], (uint64_t)block);
    hash->nodes(key, scratch, scratch, n);
    for (int64_t k = 0; k < IN_RING(per_block) && block * IN_RING(per_block) + k < count; k++)
      for (int64_t i = 0; i < n; i++)
        out[block * IN_RING(per_block) + k][i] = IN_RING(from_node)(scratch[i], k);
  }
}

/* ---- generation ------------------------------------------------------------------------------ */

typedef struct IN_RING(Dealer) {
  TfeNode node[2][BATCH], child[2][2][BATCH]; /* [party], [direction][party] */
  TfeNode scratch[WALKS];
  uint8_t direction[BATCH];
  RING value[2][2][FACTORS][WALKS]; /* [direction][party][element] */
  RING sum[PARTS][BATCH];           /* what the parties' sums differ by along the path */
} IN_RING(Dealer);

static void IN_RING(grow)(const TfeHash *hash, const TfeHashKey *key, IN_RING(Dealer) * g, int64_t n,
                          int64_t parts) {
  for (int party = 0; party < 2; party++)
    for (uint64_t d = 0; d < 2; d++) {
      for (int64_t i = 0; i < n; i++)
        g->child[d][party][i] = tree_child(g->node[party][i], d);
      hash->nodes(key, g->child[d][party], g->child[d][party], n);
      memset(g->direction, (int)d, sizeof g->direction);
      IN_RING(expand)(hash, key, g->node[party], g->direction, n, parts, g->scratch, g->value[d][party]);
    }
}

/* What piece part p pays for: 1, or the mask. */
static RING IN_RING(payload)(const Spline *s, int64_t p, uint64_t mask) {
  return p ? (RING)(mask & low_bits(s->l.bits)) : 1;
}

/* One level of key i: its corrections; both nodes go towards the special leaf. A walk that turns away to the
 * right has passed the special leaf, and is paid. */
static void IN_RING(correct)(const Spline *s, IN_RING(Dealer) * g, int64_t i, int64_t level, uint64_t mask,
                             uint64_t *words) {
  uint64_t a = direction(s, top(s, mask), level), t1 = g->node[1][i].w[0];
  for (int64_t p = 0; p < s->parts; p++) {
    RING left = g->value[0][0][p][i] - g->value[0][1][p][i];
    RING right = g->value[1][0][p][i] - g->value[1][1][p][i];
    RING lost = IN_RING(choose)(right, left, a), kept = IN_RING(choose)(left, right, a);
    RING due = IN_RING(payload)(s, p, mask) & ((RING)0 - (a ^ 1));
    RING word = IN_RING(signed_by)(due - g->sum[p][i] - lost, t1);
    IN_RING(put)(s, words, level * s->parts + p, word);
    g->sum[p][i] += kept + IN_RING(signed_by)(word, t1);
  }
  TfeNode node[2] = {g->node[0][i], g->node[1][i]};
  TfeNode child[2][2] = {{g->child[0][0][i], g->child[0][1][i]}, {g->child[1][0][i], g->child[1][1][i]}};
  words[2 * s->depth] |= tree_correct(node, child, a, words + 2 * level) << level;
  g->node[0][i] = node[0];
  g->node[1][i] = node[1];
}

/* The special leaf: the rest of the pieces' payload, and the powers. */
static void IN_RING(correct_leaf)(const Spline *s, IN_RING(Dealer) * g, int64_t i, uint64_t mask,
                                  uint64_t *words) {
  uint64_t t1 = g->node[1][i].w[0];
  for (int64_t p = 0; p < s->parts; p++) {
    RING due = IN_RING(payload)(s, p, mask) - g->sum[p][i] - (g->value[0][0][p][i] - g->value[0][1][p][i]);
    IN_RING(put)(s, words, s->depth * s->parts + p, IN_RING(signed_by)(due, t1));
  }
  for (int64_t e = 0; e < s->factors; e++) {
    RING due = (RING)power_of(s, mask, e) - (g->value[1][0][e][i] - g->value[1][1][e][i]);
    IN_RING(put)(s, words, leaf_value(s, e), IN_RING(signed_by)(due, t1));
  }
}

static void IN_RING(make_batch)(const TfeHash *hash, const TfeHashKey *key, const Spline *s,
                                IN_RING(Dealer) * g, uint64_t *words, const uint64_t *r,
                                const uint64_t *root0, const uint64_t *root1, int64_t n) {
  memset(g->sum, 0, sizeof g->sum);
  for (int64_t i = 0; i < n; i++) {
    g->node[0][i] = tree_root(root0 + 2 * i, 0);
    g->node[1][i] = tree_root(root1 + 2 * i, 1);
  }
  if (s->parts > 1) { /* the mask itself, shared by numbers of the roots */
    memset(g->direction, 1, sizeof g->direction);
    for (int party = 0; party < 2; party++)
      IN_RING(expand)(hash, key, g->node[party], g->direction, n, FACTORS, g->scratch, g->value[1][party]);
    for (int64_t i = 0; i < n; i++)
      IN_RING(put)(s, words + i * s->words, leaf_value(s, s->factors),
                   IN_RING(payload)(s, 1, r[i]) - g->value[1][0][FACTORS - 1][i] -
                       g->value[1][1][FACTORS - 1][i]);
  }
  for (int64_t level = 0; level < s->depth; level++) {
    IN_RING(grow)(hash, key, g, n, s->parts);
    for (int64_t i = 0; i < n; i++)
      IN_RING(correct)(s, g, i, level, r[i], words + i * s->words);
  }
  for (int party = 0; party < 2; party++)
    for (int d = 0; d < 2; d++) {
      memset(g->direction, d, sizeof g->direction);
      IN_RING(expand)(hash, key, g->node[party], g->direction, n, d ? s->factors : s->parts, g->scratch,
                      g->value[d][party]);
    }
  for (int64_t i = 0; i < n; i++)
    IN_RING(correct_leaf)(s, g, i, r[i], words + i * s->words);
}

static void IN_RING(make_keys)(const TfeHash *hash, const TfeHashKey *key, const Spline *s, uint64_t *words,
                               const uint64_t *r, const uint64_t *root0, const uint64_t *root1, int64_t n) {
  IN_RING(Dealer) *g = aligned_alloc(64, (sizeof *g + 63) / 64 * 64);
  if (g == NULL)
    abort();
  for (int64_t i = 0; i < n; i += BATCH)
    IN_RING(make_batch)(hash, key, s, g, words + i * s->words, r + i, root0 + 2 * i, root1 + 2 * i,
                        n - i < BATCH ? n - i : BATCH);
  OPENSSL_cleanse(g, sizeof *g);
  free(g);
}

/* ---- evaluation ------------------------------------------------------------------------------ */

typedef struct IN_RING(Server) {
  TfeNode node[WALKS], child[WALKS], scratch[WALKS];
  uint64_t leaf[WALKS]; /* a walk's leaf; or a node's number within its level */
  uint8_t direction[WALKS];
  RING value[FACTORS][WALKS];
  RING prefix[PARTS][WALKS]; /* of a walk: this party's sum over the leaves up to its own */
  RING mask[BATCH];          /* this party's share of the mask */
  RING result[BATCH];
} IN_RING(Server);

/* A part of the elements, of this party. */
typedef struct IN_RING(Job) {
  const TfeHash *hash;
  const TfeHashKey *key;
  const Spline *s;
  const uint64_t *c, *root, *words, *table;
  int64_t n;
  uint64_t role;
} IN_RING(Job);

static const uint64_t *IN_RING(words_of)(const IN_RING(Job) * j, int64_t i) {
  return j->words + i * j->s->words;
}

static RING IN_RING(corrected)(const IN_RING(Job) * j, RING v, TfeNode node, int64_t i, int64_t k) {
  return v + (IN_RING(get)(j->s, IN_RING(words_of)(j, i), k) & ((RING)0 - (node.w[0] & 1)));
}

/* Walks to leaf[w], `each` of them for every element; prefix sums of the pieces' payload. */
static void IN_RING(walk)(const IN_RING(Job) * j, IN_RING(Server) * v, int64_t each) {
  const Spline *s = j->s;
  int64_t n = j->n * each;
  memset(v->prefix, 0, sizeof v->prefix);
  for (int64_t w = 0; w < n; w++)
    v->node[w] = tree_root(j->root + 2 * (w / each), j->role);
  for (int64_t level = 0; level <= s->depth; level++) {
    bool leaf = level == s->depth;
    for (int64_t w = 0; w < n; w++) {
      v->direction[w] = leaf ? 0 : (uint8_t)direction(s, v->leaf[w], level);
      v->child[w] = tree_child(v->node[w], v->direction[w]);
    }
    IN_RING(expand)(j->hash, j->key, v->node, v->direction, n, s->parts, v->scratch, v->value);
    for (int64_t p = 0; p < s->parts; p++)
      for (int64_t w = 0; w < n; w++)
        v->prefix[p][w] += IN_RING(corrected)(j, v->value[p][w], v->node[w], w / each, level * s->parts + p);
    if (leaf)
      break;
    j->hash->nodes(j->key, v->child, v->child, n);
    for (int64_t w = 0; w < n; w++) {
      const uint64_t *words = IN_RING(words_of)(j, w / each);
      v->node[w] = tree_step(v->node[w], v->child[w], v->direction[w], words + 2 * level,
                             right_control(s, words, level));
    }
  }
}

/* This party's shares of the masks. */
static void IN_RING(share_masks)(const IN_RING(Job) * j, IN_RING(Server) * v) {
  for (int64_t i = 0; i < j->n; i++)
    v->node[i] = tree_root(j->root + 2 * i, j->role);
  memset(v->direction, 1, sizeof v->direction);
  IN_RING(expand)(j->hash, j->key, v->node, v->direction, j->n, FACTORS, v->scratch, v->value);
  for (int64_t i = 0; i < j->n; i++) {
    RING word = IN_RING(get)(j->s, IN_RING(words_of)(j, i), leaf_value(j->s, j->s->factors));
    v->mask[i] = v->value[FACTORS - 1][i] + (j->role ? 0 : word);
  }
}

/* The pieces of element i, whose walks begin at w: to the border of each piece, and to where j ends. The sum over
 * all j from a border on is that over the leaves between the last walk's and the border's, around the end of the
 * numbers if need be; there x = c - r + 2^bits (wrap - 1{leaf up to the last walk's}). */
static RING IN_RING(pieces_of)(const IN_RING(Job) * j, const IN_RING(Server) * v, int64_t i, int64_t w) {
  const Spline *s = j->s;
  int64_t last = w + s->l.pieces;
  uint64_t sign = j->role;
  RING c = j->c[i] & low_bits(s->l.bits), wrap = (RING)(1 ^ top(s, j->c[i]) >> (s->depth - 1)), sum = 0;
  RING a_before = 0, b_before = 0;
  for (int64_t k = 0; k < s->l.pieces; k++) {
    RING a = (RING)(int64_t)j->table[3 * k + 1], b = (RING)(int64_t)j->table[3 * k + 2];
    bool before = v->leaf[w + k] > v->leaf[last];
    RING up_to = IN_RING(signed_by)(v->prefix[0][w + k], sign);
    RING number = up_to - IN_RING(signed_by)(v->prefix[0][last], sign) + (before || j->role ? 0 : 1);
    sum += (a - a_before) * number;
    if (s->parts > 1) {
      RING r = IN_RING(signed_by)(v->prefix[1][w + k] - v->prefix[1][last], sign) + (before ? 0 : v->mask[i]);
      RING around = wrap * number - (before ? 0 : up_to);
      sum += (b - b_before) * (c * number - r + (s->l.bits < RING_BITS ? around << s->l.bits : 0));
    }
    a_before = a;
    b_before = b;
  }
  return sum;
}

static void IN_RING(add_pieces)(const IN_RING(Job) * j, IN_RING(Server) * v) {
  const Spline *s = j->s;
  int64_t each = s->l.pieces + 1;
  uint64_t leaves = low_bits(s->depth);
  for (int64_t i = 0; i < j->n; i++)
    for (int64_t k = 0; k < each; k++) {
      uint64_t border = k < s->l.pieces ? j->table[3 * k] : UINT64_C(1) << (s->depth - 1);
      v->leaf[i * each + k] = (top(s, j->c[i]) - border) & leaves;
    }
  if (s->parts > 1)
    IN_RING(share_masks)(j, v);
  IN_RING(walk)(j, v, each);
  for (int64_t i = 0; i < j->n; i++)
    v->result[i] += IN_RING(pieces_of)(j, v, i, i * each);
}

/* The leaves of the segments, last segment first: level by level the nodes above them, `each` for every element
 * at most; returns how many leaves, the first of element i is node i * each. */
static void IN_RING(grow_leaves)(const IN_RING(Job) * j, IN_RING(Server) * v, int64_t each) {
  const Spline *s = j->s;
  uint64_t first[BATCH];
  int64_t segments = s->l.count;
  for (int64_t i = 0; i < j->n; i++) {
    first[i] = (top(s, j->c[i]) - (uint64_t)(s->l.first + segments - 1)) & low_bits(s->depth);
    v->node[i * each] = v->node[i * each + 1] = tree_root(j->root + 2 * i, j->role);
  }
  for (int64_t level = 0; level < s->depth; level++) {
    int64_t above = s->depth - level, below = above - 1, n = 0;
    for (int64_t i = 0; i < j->n; i++) {
      uint64_t parent = above < 64 ? first[i] >> above : 0, from = first[i] >> below;
      uint64_t to = (first[i] + (uint64_t)segments - 1) >> below;
      for (uint64_t k = from; k <= to; k++, n++) {
        v->leaf[n] = (uint64_t)(i * each) + (k / 2 - parent); /* the parent's node */
        v->direction[n] = (uint8_t)(k & 1);
        v->child[n] = tree_child(v->node[v->leaf[n]], k & 1);
      }
    }
    j->hash->nodes(j->key, v->child, v->child, n);
    for (int64_t w = 0; w < n; w++) {
      const uint64_t *words = IN_RING(words_of)(j, (int64_t)v->leaf[w] / each);
      v->child[w] = tree_step(v->node[v->leaf[w]], v->child[w], v->direction[w], words + 2 * level,
                              right_control(s, words, level));
    }
    n = 0;
    for (int64_t i = 0; i < j->n; i++)
      for (uint64_t k = first[i] >> below, to = (first[i] + (uint64_t)segments - 1) >> below, at = 0; k <= to;
           k++, at++)
        v->node[(uint64_t)(i * each) + at] = v->child[n++];
  }
}

static void IN_RING(add_segments)(const IN_RING(Job) * j, IN_RING(Server) * v) {
  const Spline *s = j->s;
  int64_t segments = s->l.count, each = segments + 2, scale = s->l.low + 1;
  const int64_t *a = (const int64_t *)(j->table + 3 * s->l.pieces);
  IN_RING(grow_leaves)(j, v, each);
  memset(v->direction, 1, sizeof v->direction);
  for (int64_t i = 0; i < j->n; i++) {
    const TfeNode *leaf = v->node + i * each;
    RING word[FACTORS], sum = 0;
    for (int64_t e = 0; e < s->factors; e++)
      word[e] = IN_RING(get)(s, IN_RING(words_of)(j, i), leaf_value(s, e));
    IN_RING(expand)(j->hash, j->key, leaf, v->direction, segments, s->factors, v->scratch, v->value);
    for (int64_t e = s->factors; e < FACTORS; e++) {
      word[e] = 0;
      memset(v->value[e], 0, (size_t)segments * sizeof v->value[e][0]);
    }
    int64_t centre = s->l.low ? 2 * (int64_t)rest(s, j->c[i]) - (int64_t)(UINT64_C(1) << s->l.low) : 0;
    for (int64_t k = 0; k < segments; k++) {
      int64_t q[FACTORS];
      factors_at(s->l.degree, a + (segments - 1 - k) * s->factors, centre, scale, q);
      RING t = (RING)0 - (leaf[k].w[0] & 1);
      for (int e = 0; e < FACTORS; e++)
        sum += (v->value[e][k] + (word[e] & t)) * (RING)q[e];
    }
    v->result[i] += IN_RING(signed_by)(sum, j->role);
  }
}

/* Without `shift` bits: party 0 rounds down, party 1 up. */
static uint64_t IN_RING(dropped)(const Spline *s, RING v, uint64_t role) {
  RING ring = s->ring < RING_BITS ? ((RING)1 << s->ring) - 1 : ~(RING)0;
  RING up = role ? ((RING)1 << s->l.shift) - 1 : 0;
  return (uint64_t)(((v + up) & ring) >> s->l.shift) & low_bits(s->l.out_bits);
}

static void IN_RING(evaluate)(const TfeHash *hash, const TfeHashKey *key, const Spline *s, uint64_t *out,
                              const uint64_t *c, const uint64_t *root, const uint64_t *words,
                              const uint64_t *table, int64_t n, uint64_t role) {
  IN_RING(Server) *v = aligned_alloc(64, (sizeof *v + 63) / 64 * 64);
  if (v == NULL)
    abort();
  int64_t most = s->l.pieces + 1;
  if (s->factors && s->l.count + 2 > most)
    most = s->l.count + 2;
  int64_t batch = WALKS / most < BATCH ? WALKS / most : BATCH;
  for (int64_t i = 0; i < n; i += batch) {
    IN_RING(Job)
    j = {hash, key, s, c + i, root + 2 * i, words + i * s->words, table, n - i < batch ? n - i : batch, role};
    memset(v->result, 0, sizeof v->result);
    if (s->l.pieces)
      IN_RING(add_pieces)(&j, v);
    if (s->factors)
      IN_RING(add_segments)(&j, v);
    for (int64_t k = 0; k < j.n; k++)
      out[i + k] = IN_RING(dropped)(s, v->result[k], role);
  }
  OPENSSL_cleanse(v, sizeof *v);
  free(v);
}
