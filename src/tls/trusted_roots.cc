// SPDX-License-Identifier: Apache-2.0
#include "tls/trusted_roots.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "tls/digest.h"
#include "tls/pem.h"

namespace leat::tls {

Result<std::unique_ptr<const TrustedRoots>> TrustedRoots::read(const std::string& pem) {
  X509_STORE* store = X509_STORE_new();
  LEAT_CHECK(store != nullptr);
  std::unique_ptr<const TrustedRoots> roots(new TrustedRoots(store, sha256(pem)));
  const BioPtr text = text_bio(pem);
  std::size_t count = 0;
  for (;;) {
    const X509Ptr root = read_certificate(text.get());
    if (root != nullptr) {
      if (X509_STORE_add_cert(store, root.get()) == 1) ++count;
    } else if (is_end_of_pem()) {
      break;
    }
    // Else a root that the library cannot read: the system's bundle is more than that one.
  }
  if (count == 0) return fail(refused("the file of certificate authorities holds none"));
  return roots;
}

TrustedRoots::~TrustedRoots() {
  X509_STORE_free(store_);
}

}  // namespace leat::tls
