// SPDX-License-Identifier: Apache-2.0
// EndpointSum: what all shards together counted of one endpoint at one moment: what /metrics and
// the dashboard tell alike. A value.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>

#include "gateway/endpoint_counters.h"
#include "policy/catalogue.h"

namespace leat::control {

struct EndpointSum {
  std::array<std::uint64_t, ledger::kAttemptOutcomes> attempts{};
  struct Times {
    std::array<std::uint64_t, gateway::TimeHistogram::kBounds.size() + 1> counts{};
    std::uint64_t sum_us = 0;
    std::uint64_t count() const { return std::accumulate(counts.begin(), counts.end(), 0ULL); }
  };
  Times first_token;
  Times answer;
  Times request_first_token;
  Times request_answer;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t cost = 0;
  std::uint64_t charged = 0;
  std::uint64_t acks_delayed = 0;

  // Attempts that ended, however.
  std::uint64_t asked() const;
  void add(const EndpointSum& other);
};

// REQUIRES: each table is of a catalogue that has the endpoint.
EndpointSum sum_of(std::span<const gateway::EndpointCounterTable* const> shards,
                   policy::EndpointId id);

// What an endpoint's model is called where series are told apart: a variant has endpoints of its
// own under the same tags.
std::string model_name_of(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint);

}  // namespace leat::control
