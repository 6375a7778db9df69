// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

#include <unordered_map>

#include "base/check.h"
#include "gateway/metering.h"
#include "policy/key_choice.h"

namespace leat::gateway {

Snapshot::Snapshot(const Options& options, std::shared_ptr<const RoutedCatalogue> routed,
                   std::span<const std::vector<std::string_view>> bearers)
    : options_(options),
      routed_(std::move(routed)),
      price_version_(gateway::price_version(routed_->catalogue)) {
  LEAT_CHECK(bearers.size() == options_.providers.size());
  for (std::size_t i = 0; i < bearers.size(); ++i) {
    const Provider& provider = options_.providers[i];
    const std::string& authority = provider.base_url.authority;
    auto keys = bearers[i].empty() ? std::vector<std::string_view>(1) : bearers[i];
    LEAT_CHECK(keys.size() <= policy::kKeysMax);
    SnapshotProvider& made = providers_.emplace_back();
    made.options = &provider;
    made.bearers = std::move(keys);
    made.host = authority.empty() ? provider.name : authority;
    for (std::size_t kind = 0; kind < kRequestKinds; ++kind) {
      made.targets[kind] = provider.base_url.path_prefix;
      made.targets[kind] += request_path(static_cast<RequestKind>(kind));
    }
  }
  set_times();
}

// What a model of the options says of itself; of its times, the limits where none does.
void Snapshot::set_times() {
  std::unordered_map<std::string_view, const Model*> stated;
  request_max_ = milliseconds(options_.limits.request_ms_max);
  for (const Model& model : options_.models) {
    stated.emplace(model.id, &model);
    request_max_ = std::max(request_max_, milliseconds(model.request_ms_max));
  }
  const auto either = [](std::uint32_t own, std::uint32_t common) {
    return milliseconds(own != 0 ? own : common);
  };
  for (const policy::Model& model : catalogue().models()) {
    const auto found = stated.find(model.id);
    const Model own = found == stated.end() ? Model() : *found->second;
    const Limits& limits = options_.limits;
    ModelTimes times;
    times.first_token.max = either(own.first_byte_ms_max, limits.first_byte_ms_max);
    times.first_token.min =
        std::min(either(own.first_byte_ms_min, limits.first_byte_ms_min), times.first_token.max);
    times.chunk_gap_max = either(own.chunk_gap_ms_max, limits.chunk_gap_ms_max);
    times.request_max = either(own.request_ms_max, limits.request_ms_max);
    times.hedge.is_on = found == stated.end() ? options_.routing.hedge : own.hedge;
    times.hedge.delay_min = milliseconds(options_.routing.hedge_ms_min);
    times_.push_back(times);
    const bool is_stated = found != stated.end();
    rules_.push_back(
        {.continuation = own.continuation,
         .hold_max = milliseconds(is_stated ? own.hold_ms_max : options_.hold.ms_max)});
  }
}

}  // namespace leat::gateway
