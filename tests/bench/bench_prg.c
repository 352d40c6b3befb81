/* The generator of masks against OpenSSL's counter mode, which is also its portable tier. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "prg/ctr.h"

typedef struct Draw {
  const TfeCtr *ctr;
  TfeCtrKey key;
  EVP_CIPHER_CTX *cipher;
  uint64_t *out;
  int64_t n;
} Draw;

static void ours(void *data) {
  Draw *d = data;
  d->ctr->words(&d->key, (TfeCtrAt){1, 2, 3}, ~UINT64_C(0), d->out, d->n, NULL);
}

/* Zeros encrypted in place. */
static void openssl(void *data) {
  Draw *d = data;
  static const uint8_t counter[16];
  int done;
  memset(d->out, 0, (size_t)d->n * 8);
  if (EVP_EncryptInit_ex(d->cipher, NULL, NULL, NULL, counter) != 1 ||
      EVP_EncryptUpdate(d->cipher, (uint8_t *)d->out, &done, (const uint8_t *)d->out, (int)d->n * 8) != 1)
    abort();
}

static void bench_tier(const TfeCtr *ctr, const uint8_t key[16], int64_t bytes) {
  Draw d = {.ctr = ctr, .cipher = EVP_CIPHER_CTX_new(), .out = bench_words(bytes / 8), .n = bytes / 8};
  if (!d.cipher || EVP_EncryptInit_ex(d.cipher, EVP_aes_128_ctr(), NULL, key, NULL) != 1 ||
      !ctr->start(&d.key, key))
    abort();
  BenchPair pair = bench_pair(ours, openssl, &d);
  bool vector = !strcmp(ctr->name, "vaes"), asked = bytes == 64 << 10;
  bench_row((BenchRow){.kernel = "prg",
                       .shape = bench_text("%lld B", (long long)bytes),
                       .tier = ctr->name,
                       .unit = "GB/s",
                       .figure = 1e-9 * (double)bytes / pair.ours,
                       .against = "OpenSSL AES-128-CTR",
                       .other = 1e-9 * (double)bytes / pair.other,
                       .ratio = pair.ratio,
                       .wanted = !asked   ? 0
                                 : vector ? 2
                                          : 0.95,
                       .limit = 1e-9 * limit_aes(ctr->name)});
  ctr->stop(&d.key);
  EVP_CIPHER_CTX_free(d.cipher);
}

void bench_prg(void) {
  static const uint8_t key[16] = {1, 2, 3};
  static const int64_t sizes[] = {256, 4 << 10, 64 << 10, 1 << 20};
  for (int i = 0; tfe_ctr_tier(i); i++)
    for (int k = 0; k < 4; k++)
      bench_tier(tfe_ctr_tier(i), key, sizes[k]);
}
