// SPDX-License-Identifier: Apache-2.0
// The first byte steers the cuts, the rest is a body. The scanner must say of it what simdjson says
// (is it one JSON object?), but for the rules of ours that are tighter, and say the same however it
// is cut.
#include <cstdint>
#include <string>
#include <string_view>

#include "../unit/proto/json_reference.h"
#include "base/check.h"
#include "base/rng.h"
#include "proto/json_scan.h"

namespace {

using leat::proto::JsonFaultKind;
using leat::proto::JsonScanner;
using leat::proto::JsonStatus;

bool scan(std::string_view body, std::uint64_t seed, JsonScanner& scanner) {
  leat::Rng rng(seed);
  std::size_t size = seed == 0 ? body.size() : 0;
  while (size < body.size()) {
    size += rng.below(body.size() - size) / 3 + 1;
    if (scanner.scan(body.substr(0, size), false) == JsonStatus::kFault) return false;
  }
  return scanner.scan(body, true) == JsonStatus::kDone;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  JsonScanner whole;
  JsonScanner cut;
  const bool accepted = scan(body, 0, whole);
  LEAT_CHECK(accepted == scan(body, data[0] + 1u, cut));
  if (!accepted && (whole.fault().kind == JsonFaultKind::kTooComplex ||
                    whole.fault().kind == JsonFaultKind::kDuplicateKey)) {
    return 0;
  }
  switch (leat::proto::reference::verdict(body)) {
    case leat::proto::reference::Verdict::kAccepts:
      LEAT_CHECK(accepted);
      break;
    case leat::proto::reference::Verdict::kRejects:
      LEAT_CHECK(!accepted);
      break;
    case leat::proto::reference::Verdict::kCannotTell:
      break;
  }
  return 0;
}
