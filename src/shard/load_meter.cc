// SPDX-License-Identifier: Apache-2.0
#include "shard/load_meter.h"

namespace leat::shard {

namespace {

// A window holds enough completions to tell the two rates apart, and passes quickly enough for a
// burst to be over before it is taken for load.
constexpr Duration kWindow = milliseconds(16);
// Completions per second. A completion costs 8 to 12 us with the send that answers it (engine.md
// 0), so these are about a fifth and an eighth of a core.
constexpr std::uint64_t kBusyRate = 30'000;
constexpr std::uint64_t kCalmRate = 26'000;

}  // namespace

void LoadMeter::count(Instant now, std::uint64_t completions) {
  in_window_ += completions;
  const Duration passed = now - window_begin_;
  if (passed < kWindow) return;
  const auto rate = in_window_ * 1'000'000'000 / static_cast<std::uint64_t>(passed.ns);
  is_busy_ = rate >= (is_busy_ ? kCalmRate : kBusyRate);
  window_begin_ = now;
  in_window_ = 0;
}

}  // namespace leat::shard
