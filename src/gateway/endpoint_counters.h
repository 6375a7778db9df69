// SPDX-License-Identifier: Apache-2.0
// What one shard's requests did at each endpoint of the catalogue, and how long it took. Written by
// the shard alone, once for each attempt and for each settled request, read by whoever scrapes: see
// counters.h. Nothing here is touched for a token.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

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
  // Of requests that it answered whole, as their clients saw them: waiting, other endpoints'
  // attempts and our own work included
  TimeHistogram request_first_token;  // from the request's beginning
  TimeHistogram request_answer;       // ... to the answer's end
  // Of requests that it answered
  Counter prompt_tokens;
  Counter completion_tokens;
  Counter cost_nanodollars;
  Counter charged_nanodollars;
  Counter acks_delayed;  // its running streams that were seen to be acknowledged less often
};

// One for each endpoint, by its id. An endpoint that two catalogues have counts in one place.
class EndpointCounterTable {
 public:
  explicit EndpointCounterTable(std::size_t endpoints) {
    for (std::size_t i = 0; i < endpoints; ++i) {
      rows_.push_back(std::make_shared<EndpointCounters>());
    }
  }
  // Of a catalogue. `before`: the table of the one before it; null: there was none.
  EndpointCounterTable(const policy::Catalogue& catalogue, const EndpointCounterTable* before) {
    for (const policy::Endpoint& endpoint : catalogue.endpoints()) {
      const auto known = before != nullptr ? before->ids_.find(endpoint.identity) : ids_.end();
      const bool is_known = before != nullptr && known != before->ids_.end();
      ids_.emplace(endpoint.identity, static_cast<policy::EndpointId>(rows_.size()));
      rows_.push_back(is_known ? before->rows_[known->second]
                               : std::make_shared<EndpointCounters>());
    }
  }

  EndpointCounters& at(policy::EndpointId id) { return *rows_[id]; }
  const EndpointCounters& at(policy::EndpointId id) const { return *rows_[id]; }
  std::size_t size() const { return rows_.size(); }

 private:
  std::vector<std::shared_ptr<EndpointCounters>> rows_;
  std::unordered_map<std::uint64_t, policy::EndpointId> ids_;  // by Endpoint::identity
};

}  // namespace leat::gateway
