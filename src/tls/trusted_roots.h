// SPDX-License-Identifier: Apache-2.0
// TrustedRoots: the certificate authorities that clients trust. Read once a process, since the
// system's bundle takes milliseconds and a megabyte, and then only looked in, by the contexts of
// all shards at a time: the library's store counts its references atomically and locks what it
// looks up, which happens in full handshakes only. Outlives the contexts' making, not necessarily
// the contexts.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

typedef struct x509_store_st X509_STORE;

namespace leat::tls {

class TrustedRoots {
 public:
  // Refused: text without a certificate. A damaged one is passed over.
  static Result<std::unique_ptr<const TrustedRoots>> read(const std::string& pem);
  ~TrustedRoots();
  TrustedRoots(const TrustedRoots&) = delete;
  TrustedRoots& operator=(const TrustedRoots&) = delete;

  // For contexts: they take a reference of their own.
  X509_STORE* store() const { return store_; }

 private:
  explicit TrustedRoots(X509_STORE* store) : store_(store) {}

  X509_STORE* store_;
};

}  // namespace leat::tls
