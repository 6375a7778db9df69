// SPDX-License-Identifier: Apache-2.0
#include "shard/core_meter.h"

#include <algorithm>

namespace leat::shard {

namespace {

constexpr double kSmoothSeconds = 0.2;
constexpr double kRiseSeconds = 1;  // of the level, from 0 to 1 at full use
// So far below the threshold the level stays as it is.
constexpr double kBand = 0.1;
constexpr Duration kLate = milliseconds(1);

}  // namespace

void CoreMeter::sample(Instant now, Duration cpu_time, Duration lag) {
  const double elapsed = static_cast<double>((now - sampled_at_).ns) / 1e9;
  const double used = static_cast<double>((cpu_time - cpu_time_).ns) / 1e9;
  sampled_at_ = now;
  cpu_time_ = cpu_time;
  if (elapsed <= 0) return;
  const double share = lag >= kLate ? 1 : std::clamp(used / elapsed, 0.0, 1.0);
  share_ += (share - share_) * std::min(elapsed / kSmoothSeconds, 1.0);
  const double floor = threshold_ - std::min(kBand, threshold_ / 2);
  double step = 0;
  if (share_ > threshold_) {
    step = (share_ - threshold_) / (1 - threshold_);
  } else if (share_ < floor) {
    step = (share_ - floor) / floor;
  }
  level_ = std::clamp(level_ + step * elapsed / kRiseSeconds, 0.0, 1.0);
}

}  // namespace leat::shard
