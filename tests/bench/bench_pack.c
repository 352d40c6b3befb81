/* Dense packing of parts of messages, beside memcpy of as many bytes: read and written ones together. */
#include <string.h>

#include "bench.h"
#include "pack.h"

enum { IN_CACHE = 8 << 10, BEYOND = 1 << 20 }; /* elements */

typedef struct Part {
  const TfePacking *packing;
  uint64_t *elements;
  uint8_t *packed;
  int64_t count, bits;
  bool back; /* unpack */
} Part;

static int64_t bytes_of(const Part *p) {
  return p->count * 8 + (int64_t)tfe_pack_bytes(p->count, p->bits);
}

static void ours(void *data) {
  Part *p = data;
  if (p->back)
    p->packing->unpack(p->elements, p->packed, p->count, p->bits);
  else
    p->packing->pack(p->packed, p->elements, p->count, p->bits);
}

static void copy(void *data) {
  Part *p = data;
  memcpy(p->packed, p->elements, (size_t)bytes_of(p) / 2);
}

static void bench_width(Part p) {
  BenchPair pair = bench_pair(ours, copy, &p);
  double bytes = 1e-9 * (double)bytes_of(&p);
  bench_row((BenchRow){.kernel = p.back ? "unpack" : "pack",
                       .shape = bench_text("%lld x %lld bits", (long long)p.count, (long long)p.bits),
                       .tier = p.packing->name,
                       .unit = "GB/s",
                       .figure = bytes / pair.ours,
                       .against = "memcpy",
                       .other = bytes / pair.other,
                       .ratio = pair.ratio,
                       .wanted = p.count > IN_CACHE && p.packing != &tfe_packing_c ? 0.8 : 0});
}

void bench_pack(void) {
  static const int64_t widths[] = {1, 17, 24, 40, 60}, counts[] = {IN_CACHE, BEYOND};
  for (int c = 0; c < 2; c++) {
    uint64_t *elements = bench_words(counts[c]), *packed = bench_words(counts[c]);
    for (int w = 0; w < 5; w++)
      for (int i = 0; tfe_packing_tier(i); i++)
        for (int back = 0; back < 2; back++)
          bench_width((Part){tfe_packing_tier(i), elements, (uint8_t *)packed, counts[c], widths[w], back});
  }
}
