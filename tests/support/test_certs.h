// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, good and bad, made on the spot with the TLS library: P-256 or RSA, signed
// by a test authority. PEM text in, PEM text out; nothing touches the disk.
#pragma once

#include <string>

namespace leat::test {

struct CertSpec {
  std::string common_name = "localhost";
  std::string subject_alt_name = "DNS:localhost";  // openssl's notation; empty: none
  int begins_in_s = -3600;                         // from now
  int ends_in_s = 86'400;
  int rsa_bits = 0;  // 0: P-256
  bool is_authority = false;
  std::string extended_key_usage = "serverAuth";  // empty: none
  std::string name_constraints;                   // openssl's notation; empty: none
  bool is_signed_with_sha1 = false;
};

struct Cert {
  std::string certificate_pem;
  std::string key_pem;
};

// Signed by `issuer`, or by itself.
Cert make_cert(const CertSpec& spec, const Cert* issuer);
Cert make_authority();

}  // namespace leat::test
