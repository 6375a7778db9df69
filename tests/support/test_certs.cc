// SPDX-License-Identifier: Apache-2.0
#include "support/test_certs.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"

namespace leat::test {

namespace {

EVP_PKEY* make_key(int rsa_bits) {
  EVP_PKEY* key = EVP_PKEY_new();
  if (rsa_bits == 0) {
    EC_KEY* ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    LEAT_CHECK(EC_KEY_generate_key(ec) == 1 && EVP_PKEY_assign_EC_KEY(key, ec) == 1);
  } else {
    RSA* rsa = RSA_new();
    BIGNUM* e = BN_new();
    BN_set_word(e, RSA_F4);
    LEAT_CHECK(RSA_generate_key_ex(rsa, rsa_bits, e, nullptr) == 1);
    BN_free(e);
    LEAT_CHECK(EVP_PKEY_assign_RSA(key, rsa) == 1);
  }
  return key;
}

template <class Write>
std::string to_pem(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  LEAT_CHECK(write(bio) == 1);
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(bio, &data, &size);
  std::string text(reinterpret_cast<const char*>(data), size);
  BIO_free(bio);
  return text;
}

void add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str());
  LEAT_CHECK(extension != nullptr);
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

Cert make_cert(const CertSpec& spec, const Cert* issuer) {
  EVP_PKEY* key = make_key(spec.rsa_bits);
  X509* cert = X509_new();
  X509_set_version(cert, X509_VERSION_3);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<std::uint8_t*>(&serial), 7);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial);
  X509_gmtime_adj(X509_getm_notBefore(cert), spec.begins_in_s);
  X509_gmtime_adj(X509_getm_notAfter(cert), spec.ends_in_s);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                             reinterpret_cast<const std::uint8_t*>(spec.common_name.data()),
                             static_cast<int>(spec.common_name.size()), -1, 0);
  X509* signer = cert;
  EVP_PKEY* signing_key = key;
  if (issuer != nullptr) {
    BIO* text = BIO_new_mem_buf(issuer->certificate_pem.data(),
                                static_cast<int>(issuer->certificate_pem.size()));
    signer = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    text = BIO_new_mem_buf(issuer->key_pem.data(), static_cast<int>(issuer->key_pem.size()));
    signing_key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    BIO_free(text);
  }
  X509_set_issuer_name(cert, X509_get_subject_name(signer));
  add_extension(cert, signer, NID_basic_constraints,
                spec.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(cert, signer, NID_subject_alt_name, spec.subject_alt_name);
  add_extension(cert, signer, NID_ext_key_usage, spec.extended_key_usage);
  add_extension(cert, signer, NID_name_constraints, spec.name_constraints);
  const EVP_MD* digest = spec.is_signed_with_sha1 ? EVP_sha1() : EVP_sha256();
  LEAT_CHECK(X509_sign(cert, signing_key, digest) > 0);
  Cert result;
  result.certificate_pem = to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, cert); });
  result.key_pem = to_pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  if (issuer != nullptr) {
    X509_free(signer);
    EVP_PKEY_free(signing_key);
  }
  X509_free(cert);
  EVP_PKEY_free(key);
  return result;
}

Cert make_authority() {
  CertSpec spec;
  spec.common_name = "test authority";
  spec.subject_alt_name = "";
  spec.extended_key_usage = "";
  spec.is_authority = true;
  return make_cert(spec, nullptr);
}

}  // namespace leat::test
