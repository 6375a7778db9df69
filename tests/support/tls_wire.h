// SPDX-License-Identifier: Apache-2.0
// Wire: what a TLS session, or its records, wanted to send: kept, for a test to carry to the other
// end.
#pragma once

#include <string>

#include "tls/session.h"

namespace leat::test {

struct Wire final : tls::CipherOut {
  std::string bytes;
  char* extend(std::size_t size) override {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }
};

}  // namespace leat::test
