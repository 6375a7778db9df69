// SPDX-License-Identifier: Apache-2.0
#include "control/dashboard_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

namespace leat::control {
namespace {

using gateway::Counter;
using gateway::Counters;

struct Column {
  const char* name;
  std::uint64_t DashboardSample::*member;
};
constexpr Column kColumns[] = {
    {"requests", &DashboardSample::requests},
    {"refused", &DashboardSample::refused},
    {"events", &DashboardSample::events},
    {"prompt_tokens", &DashboardSample::prompt_tokens},
    {"completion_tokens", &DashboardSample::completion_tokens},
    {"failures", &DashboardSample::failures},
    {"running", &DashboardSample::running},
};

std::uint64_t refused_of(const Counters& shard) {
  const auto add = [](std::uint64_t sum, const Counter& one) { return sum + one.get(); };
  const auto kinds =
      std::accumulate(shard.refused_by_kind.begin(), shard.refused_by_kind.end(), 0ULL, add);
  return std::accumulate(shard.refused_by_fault.begin() + 1, shard.refused_by_fault.end(), kinds,
                         add);
}

}  // namespace

DashboardSample sample_of(std::span<const Counters* const> shards, WallTime now) {
  DashboardSample sample{.unix_ms = now.unix_ns / 1'000'000};
  for (const Counters* shard : shards) {
    sample.requests += shard->requests.get();
    sample.refused += refused_of(*shard);
    sample.events += shard->events_so_far.get();
    sample.prompt_tokens += shard->prompt_tokens.get();
    sample.completion_tokens += shard->completion_tokens.get();
    sample.failures += shard->upstream_failures.get();
    sample.running += shard->requests_open.get();
  }
  return sample;
}

DashboardRates DashboardHistory::rates() const {
  constexpr std::size_t kSpan = 5;
  if (size() < 2) return {};
  const DashboardSample& last = samples_[(count_ - 1) % kSamples];
  const DashboardSample& first = samples_[(count_ - 1 - std::min(kSpan, size() - 1)) % kSamples];
  const double passed = static_cast<double>(last.unix_ms - first.unix_ms) / 1e3;
  const auto rate = [&](std::uint64_t DashboardSample::*member) {
    // What is told of running streams may shrink when one of them is cut.
    if (passed <= 0 || last.*member < first.*member) return 0.0;
    return static_cast<double>(last.*member - first.*member) / passed;
  };
  return {.requests = rate(&DashboardSample::requests),
          .refused = rate(&DashboardSample::refused),
          .events = rate(&DashboardSample::events),
          .completion_tokens = rate(&DashboardSample::completion_tokens),
          .failures = rate(&DashboardSample::failures)};
}

std::string DashboardHistory::json() const {
  const auto each = [&](const auto& value_of) {
    std::string out = "[";
    for (std::size_t i = count_ - size(); i < count_; ++i) {
      if (out.size() > 1) out += ',';
      fmt::format_to(std::back_inserter(out), "{}", value_of(samples_[i % kSamples]));
    }
    return out + "]";
  };
  std::string out = R"({"at":)" + each([](const auto& sample) { return sample.unix_ms; });
  for (const Column& column : kColumns) {
    out += fmt::format(R"(,"{}":{})", column.name,
                       each([&](const auto& sample) { return sample.*column.member; }));
  }
  return out + "}";
}

}  // namespace leat::control
