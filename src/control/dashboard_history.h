// SPDX-License-Identifier: Apache-2.0
// DashboardHistory: the last ten minutes of what a dashboard charts, one sample a second, so that a
// page that is opened shows at once what was. Counters as they stood, never rates: who draws them
// subtracts. Of fixed size; belongs to the control shard.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/instant.h"
#include "gateway/counters.h"

namespace leat::control {

// Sums over the shards.
struct DashboardSample {
  std::int64_t unix_ms = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;
  std::uint64_t events = 0;  // of streams, passed on: the tokens of this very moment
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t failures = 0;
  std::uint64_t running = 0;  // a gauge
};

DashboardSample sample_of(std::span<const gateway::Counters* const> shards, WallTime now);

// Changes a second, the mean of some seconds.
struct DashboardRates {
  double requests = 0;
  double refused = 0;
  double events = 0;
  double completion_tokens = 0;
  double failures = 0;
};

class DashboardHistory {
 public:
  static constexpr std::size_t kSamples = 600;

  void add(const DashboardSample& sample) { samples_[count_++ % kSamples] = sample; }
  // Over the last five seconds; all 0 before there are two samples.
  DashboardRates rates() const;
  std::size_t size() const { return count_ < kSamples ? count_ : kSamples; }
  // Oldest first, as an object of arrays of equal length: {"at":[...],"requests":[...],...}.
  std::string json() const;

 private:
  std::array<DashboardSample, kSamples> samples_;
  std::size_t count_ = 0;  // ever
};

}  // namespace leat::control
