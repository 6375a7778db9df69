// SPDX-License-Identifier: Apache-2.0
// What a file or another process says that it held, as it is, and under a checksum that is right:
// whatever it is, what comes of it is held still, and comes back as it is when it is written and
// read again.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "control/conversation_state.h"
#include "ledger/crc32c.h"

namespace {

constexpr leat::Instant kNow{1'000'000'000'000};
constexpr leat::WallTime kWall{1'700'000'000'000'000'000};

void read(std::string_view bytes) {
  const auto held = leat::control::read_conversations(bytes, kNow, kWall);
  if (!held) return;
  for (const auto& each : *held) {
    LEAT_CHECK(each.identity != 0 && each.used <= kNow);
    LEAT_CHECK(kNow - each.used < leat::policy::StickyTable::kIdleMax);
  }
  const auto again = leat::control::read_conversations(
      leat::control::write_conversations(*held, kNow, kWall), kNow, kWall);
  LEAT_CHECK(again.has_value() && again->size() == held->size());
  for (std::size_t i = 0; i < held->size(); ++i) {
    const auto& was = (*held)[i];
    const auto& is = (*again)[i];
    LEAT_CHECK(is.key == was.key && is.identity == was.identity);
    const std::int64_t apart = (is.used - was.used).ns;
    LEAT_CHECK(apart >= 0 && apart < 1'000'000);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  if (size < 4) return 0;
  bytes.resize(size - 4);
  const std::uint32_t crc = leat::ledger::crc32c(0, bytes);
  bytes.append(reinterpret_cast<const char*>(&crc), sizeof crc);
  read(bytes);
  return 0;
}
