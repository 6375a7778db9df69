// SPDX-License-Identifier: Apache-2.0
#include "ledger/grant.h"

#include <cstring>

#include "base/check.h"

namespace leat::ledger {

void encode(const Grant& grant, std::span<char> out) {
  static_assert(sizeof grant == kGrantBytes);
  LEAT_CHECK(out.size() >= kGrantBytes);
  std::memcpy(out.data(), &grant, sizeof grant);
}

Result<Grant> decode_grant(std::span<const char> bytes) {
  if (bytes.size() < kGrantBytes) return fail({.code = Code::kInvalid, .what = "no grant"});
  if (bytes.size() > kGrantBytes) {
    return fail({.code = Code::kUnsupported, .what = "a grant of a later version"});
  }
  Grant grant;
  std::memcpy(&grant, bytes.data(), sizeof grant);
  return grant;
}

}  // namespace leat::ledger
