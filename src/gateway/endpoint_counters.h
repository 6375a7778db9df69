// SPDX-License-Identifier: Apache-2.0
// What one shard's requests did at each endpoint of the catalogue, and how long it took. Written by
// the shard alone, once for each attempt and for each settled request, read by whoever scrapes: see
// counters.h. Nothing here is touched for a token.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

#include "base/instant.h"
#include "gateway/counters.h"
#include "ledger/record.h"
#include "policy/catalogue.h"

namespace leat::gateway {

// How many times were no longer than each bound: from a local model's millisecond to the longest
// reasoning. The same bounds everywhere, so that they can be summed and compared.
class TimeHistogram {
 public:
  static constexpr std::array<Duration, 16> kBounds = {
      milliseconds(1),     milliseconds(3),     milliseconds(10),    milliseconds(25),
      milliseconds(50),    milliseconds(100),   milliseconds(250),   milliseconds(500),
      milliseconds(1'000), milliseconds(2'500), milliseconds(5'000), milliseconds(10'000),
      seconds(30),         seconds(60),         seconds(120),        seconds(600)};

  void note(Duration time) {
    const auto bound = std::ranges::lower_bound(kBounds, time);
    counts_[static_cast<std::size_t>(bound - kBounds.begin())].add();
    sum_us_.add(static_cast<std::uint64_t>(std::max<std::int64_t>(time.us(), 0)));
  }
  // Of those within bound `index` and beyond the one before it; kBounds.size(): beyond all.
  std::uint64_t count(std::size_t index) const { return counts_[index].get(); }
  std::uint64_t sum_us() const { return sum_us_.get(); }

 private:
  std::array<Counter, kBounds.size() + 1> counts_;
  Counter sum_us_;
};

struct EndpointCounters {
  std::array<Counter, ledger::kAttemptOutcomes> attempts;  // by outcome, when they have ended
  TimeHistogram first_token;                               // of an attempt, from its beginning
  TimeHistogram answer;                                    // ... to its end, if it was answered
  // Of requests that it answered
  Counter prompt_tokens;
  Counter completion_tokens;
  Counter cost_nanodollars;
  Counter charged_nanodollars;
};

// One for each endpoint, by its id.
class EndpointCounterTable {
 public:
  explicit EndpointCounterTable(std::size_t endpoints)
      : rows_(std::make_unique<EndpointCounters[]>(endpoints)), size_(endpoints) {}

  EndpointCounters& at(policy::EndpointId id) { return rows_[id]; }
  const EndpointCounters& at(policy::EndpointId id) const { return rows_[id]; }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<EndpointCounters[]> rows_;
  std::size_t size_;
};

}  // namespace leat::gateway
