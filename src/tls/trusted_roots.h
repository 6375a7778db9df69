// SPDX-License-Identifier: Apache-2.0
// TrustedRoots: the certificate authorities that clients trust. Read once a process, since the
// system's bundle takes milliseconds and a megabyte, and then only looked in, by the contexts of
// all shards at a time: the library's store counts its references atomically and locks what it
// looks up, which happens in full handshakes only. Outlives the contexts' making, not necessarily
// the contexts.
#pragma once

#include <array>
#include <cstdint>
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
  // SHA-256 of the text that they were read from.
  const std::array<std::uint8_t, 32>& digest() const { return digest_; }

 private:
  TrustedRoots(X509_STORE* store, const std::array<std::uint8_t, 32>& digest)
      : store_(store), digest_(digest) {}

  X509_STORE* store_;
  const std::array<std::uint8_t, 32> digest_;
};

}  // namespace leat::tls
