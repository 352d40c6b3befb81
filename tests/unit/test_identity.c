/* Keys as text and as files, and certificates of an authority: trusted, expired, of somebody else. */
#include "parties.h"

#include <errno.h>
#include <sys/stat.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

static char folder[] = "/tmp/tfe-identity-XXXXXX";

static const char *in_folder(const char *name, char path[256]) {
  snprintf(path, 256, "%s/%s", folder, name);
  return path;
}

static void test_text(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    uint8_t key[32], back[32];
    char text[TFE_IDENTITY_TEXT_BYTES], brief[TFE_IDENTITY_TEXT_BYTES];
    assert_int_equal(RAND_bytes(key, 32), 1);
    tfe_identity_text(key, text);
    assert_int_equal(strlen(text), 48);
    assert_true(tfe_identity_parse(text, back));
    assert_memory_equal(key, back, 32);
    tfe_identity_short(key, brief);
    assert_memory_equal(text, brief, 9);
    assert_memory_equal(text + 44, brief + strlen(brief) - 4, 4);
  }
  static const char *const bad[] = {"",
                                    "tfe1:",
                                    "tfe2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                    "tfe1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                    "tfe1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                    "tfe1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
                                    "tfe1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+A",
                                    "tfe1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A"};
  uint8_t key[32];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(tfe_identity_parse(bad[i], key));
}

static TfeStatus load(const char *path, const char *error) {
  TfeCtx ctx = {.binary = "party-x"};
  TfeIdentity *identity = NULL;
  TfeStatus status = tfe_identity_load(&ctx, path, &identity);
  if (error != NULL && strstr(ctx.error_text, error) == NULL)
    fail_msg("%s: %s", path, ctx.error_text);
  tfe_identity_free(identity);
  return status;
}

static void test_keygen(void **state) {
  (void)state;
  char path[256];
  uint8_t key[32], other[32];
  TfeCtx ctx = {.binary = "party-x"};
  struct stat about;
  in_folder("one.key", path);
  assert_int_equal(tfe_identity_keygen(&ctx, path, false, key), TFE_OK);
  assert_int_equal(stat(path, &about), 0);
  assert_int_equal(about.st_mode & 07777, 0600);
  TfeIdentity *identity = NULL;
  assert_int_equal(tfe_identity_load(&ctx, path, &identity), TFE_OK);
  assert_true(identity->has_public_key);
  assert_memory_equal(identity->public_key, key, 32);
  tfe_identity_free(identity);

  assert_int_equal(tfe_identity_keygen(&ctx, path, false, other), TFE_OUTPUT);
  assert_non_null(strstr(ctx.error_text, "exists already"));
  assert_non_null(strstr(ctx.error_more, "--renew"));
  assert_int_equal(tfe_identity_load(&ctx, path, &identity), TFE_OK);
  assert_memory_equal(identity->public_key, key, 32);
  tfe_identity_free(identity);

  TfeCtx again = {.binary = "party-x"};
  assert_int_equal(tfe_identity_keygen(&again, path, true, other), TFE_OK);
  assert_memory_not_equal(key, other, 32);
  assert_int_equal(tfe_identity_keygen(&again, in_folder("no/such/folder.key", path), false, other),
                   TFE_OUTPUT);
  char command[300];
  snprintf(command, sizeof command, "ls %s | grep -q new-", folder);
  assert_int_not_equal(system(command), 0); /* nothing temporary is left */
}

static void test_load(void **state) {
  (void)state;
  char path[256];
  uint8_t key[32];
  TfeCtx ctx = {.binary = "party-x"};
  in_folder("two.key", path);
  assert_int_equal(load(path, "cannot read the key file"), TFE_KEY_FILE);
  assert_int_equal(tfe_identity_keygen(&ctx, path, false, key), TFE_OK);
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(load(path, "can be read by others (mode 0640)"), TFE_KEY_FILE);
  assert_int_equal(chmod(path, 0600), 0);
  assert_int_equal(load(path, NULL), TFE_OK);
  FILE *file = fopen(path, "w");
  fputs("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n", file);
  fclose(file);
  assert_int_equal(load(path, "is not a key file"), TFE_KEY_FILE);
  EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  file = fopen(path, "w");
  PEM_write_PrivateKey(file, curve, NULL, NULL, 0, NULL, NULL);
  fclose(file);
  assert_int_equal(load(path, "does not hold an Ed25519 key"), TFE_KEY_FILE);
  file = fopen(path, "w");
  PEM_write_PrivateKey(file, curve, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL);
  fclose(file);
  assert_int_equal(load(path, "is not a key file"), TFE_KEY_FILE);
  EVP_PKEY_free(curve);
}

/* ------------------------------------------------------------------------------------------- certificates */

typedef struct Authority {
  EVP_PKEY *key;
  X509 *certificate;
} Authority;

static void add_extension(X509 *certificate, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  assert_non_null(extension);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

static X509 *certify(const Authority *by, EVP_PKEY *key, const char *name, const char *extra, int nid,
                     long days) {
  X509 *certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -86400L * 30);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * days);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(by->certificate ? by->certificate : certificate));
  X509_set_pubkey(certificate, key);
  if (extra != NULL)
    add_extension(certificate, nid, extra);
  assert_true(X509_sign(certificate, by->key, EVP_sha256()) > 0);
  return certificate;
}

static Authority authority_new(const char *name) {
  Authority a = {.key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")};
  a.certificate = certify(&a, a.key, name, "critical,CA:TRUE", NID_basic_constraints, 100);
  return a;
}

static void authority_free(Authority *a) {
  EVP_PKEY_free(a->key);
  X509_free(a->certificate);
}

static void write_pem(const char *path, X509 *certificate, EVP_PKEY *key) {
  unlink(path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  chmod(path, 0600);
  if (certificate != NULL)
    PEM_write_X509(file, certificate);
  if (key != NULL)
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
  fclose(file);
}

/* The party's identity: a certificate for `name` (as CN, or with `as_alternative` as DNS name), signed by
 * `by`. */
static TfeIdentity *identity_by(const Authority *by, const Authority *trusted, const char *name,
                                bool as_alternative, long days) {
  char certificate[256], key[256], roots[256], dns[80];
  EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  snprintf(dns, sizeof dns, "DNS:%s", name);
  X509 *own = certify(by, pair, as_alternative ? "an organisation" : name, as_alternative ? dns : NULL,
                      NID_subject_alt_name, days);
  write_pem(in_folder("cert.pem", certificate), own, NULL);
  write_pem(in_folder("key.pem", key), NULL, pair);
  write_pem(in_folder("ca.pem", roots), trusted->certificate, NULL);
  X509_free(own);
  EVP_PKEY_free(pair);
  TfeCtx ctx = {.binary = "party-x"};
  TfeIdentity *identity = NULL;
  assert_int_equal(tfe_identity_load_pki(&ctx, certificate, key, roots, &identity), TFE_OK);
  return identity;
}

/* p1 dials p0. */
static Net *pki_net(const Authority *trusted, const Authority *by0, const char *name0, long days0,
                    const Authority *by1, const char *name1, long days1) {
  Net *net = net_new(2, true);
  for (int p = 0; p < 2; p++) {
    tfe_identity_free(net->identities[p]);
    net->identities[p] = identity_by(p ? by1 : by0, trusted, p ? name1 : name0, p == 1, p ? days1 : days0);
    net->wait[p] = 1.5;
    for (int q = 0; q < 2; q++)
      net->peers[q][p].has_key = 0;
  }
  net_run(net, false);
  return net;
}

static void test_certificates(void **state) {
  (void)state;
  Authority good = authority_new("good"), other = authority_new("other");
  Net *net = pki_net(&good, &good, "p0", 10, &good, "p1", 10);
  net_expect_all(net, TFE_OK);
  net_free(net);

  net = pki_net(&good, &good, "p0", -1, &good, "p1", 10);
  net_expect(net, 1, TFE_CERTIFICATE, "certificate of p0 expired on 20");
  net_free(net);
  net = pki_net(&good, &other, "p0", 10, &good, "p1", 10);
  net_expect(net, 1, TFE_CERTIFICATE, "certificate of p0 is not trusted");
  net_free(net);
  net = pki_net(&good, &good, "p3", 10, &good, "p1", 10);
  net_expect(net, 1, TFE_WRONG_KEY, "is not p0");
  net_expect(net, 1, TFE_WRONG_KEY, "its certificate is for p3");
  net_free(net);

  net = pki_net(&good, &good, "p0", 10, &good, "p1", -2);
  net_expect(net, 1, TFE_CERTIFICATE, "expired on 20");
  net_expect(net, 0, TFE_UNREACHABLE, "p1 did not connect");
  net_free(net);
  net = pki_net(&good, &good, "p0", 10, &other, "p1", 10);
  net_expect(net, 1, TFE_CERTIFICATE, "is not trusted");
  net_free(net);
  net = pki_net(&good, &good, "p0", 10, &good, "p9", 10);
  net_expect(net, 1, TFE_WRONG_KEY, "p0 does not know the certificate of");
  net_free(net);
  authority_free(&good);
  authority_free(&other);
}

static void test_certificate_files(void **state) {
  (void)state;
  Authority a = authority_new("a");
  char certificate[256], key[256], missing[256];
  EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  write_pem(in_folder("cert.pem", certificate), a.certificate, NULL);
  write_pem(in_folder("key.pem", key), NULL, pair);
  in_folder("missing.pem", missing);
  const struct {
    const char *certificate, *key, *roots, *error;
  } cases[] = {
      {missing, key, certificate, "cannot read the certificate"},
      {certificate, missing, certificate, "cannot read the key file"},
      {certificate, key, certificate, "does not belong to the key"},
      {key, key, certificate, "does not hold a certificate"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    TfeCtx ctx = {.binary = "party-x"};
    TfeIdentity *identity = NULL;
    assert_int_equal(
        tfe_identity_load_pki(&ctx, cases[i].certificate, cases[i].key, cases[i].roots, &identity),
        TFE_KEY_FILE);
    assert_non_null(strstr(ctx.error_text, cases[i].error));
  }
  write_pem(key, NULL, a.key);
  TfeCtx ctx = {.binary = "party-x"};
  TfeIdentity *identity = NULL;
  assert_int_equal(tfe_identity_load_pki(&ctx, certificate, key, missing, &identity), TFE_KEY_FILE);
  assert_non_null(strstr(ctx.error_text, "cannot read the certificate authority"));
  EVP_PKEY_free(pair);
  authority_free(&a);
}

static int begin(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  char command[300];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_keygen),
      cmocka_unit_test(test_load),
      cmocka_unit_test(test_certificates),
      cmocka_unit_test(test_certificate_files),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
