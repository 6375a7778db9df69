// SPDX-License-Identifier: Apache-2.0
// Certificates made on the spot, so that no test expires.
#pragma once

#include <string>

namespace leat::control {

struct CertificatePair {
  std::string certificate_pem;
  std::string key_pem;
};

// Self-signed for "localhost", on a new P-256 key; valid from `from_days` to `until_days` from now.
CertificatePair make_certificate(int from_days, int until_days);

}  // namespace leat::control
