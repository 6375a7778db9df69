// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "gateway/metering.h"
#include "policy/key_choice.h"
#include "tls/digest.h"

namespace leat::gateway {

std::size_t Snapshot::DigestHash::operator()(const KeyDigest& digest) const {
  // SHA-256 is its own hash: an attacker cannot choose colliding prefixes more cheaply than keys.
  std::size_t word;
  std::memcpy(&word, digest.data(), sizeof word);
  return word;
}

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
  for (std::size_t i = 0; i < options_.keys.size(); ++i) {
    keys_.emplace(options_.keys[i].sha256, static_cast<int>(i));
  }
  set_times();
  set_ceilings();
}

// What a model of the options says of its times; the limits where none does.
void Snapshot::set_times() {
  std::unordered_map<std::string_view, const Model*> stated;
  for (const Model& model : options_.models) stated.emplace(model.id, &model);
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
  }
}

void Snapshot::set_ceilings() {
  const auto resolve = [this](const std::vector<std::string>& names) {
    auto& matches = slugs_.emplace_back();
    for (const std::string& name : names) matches.push_back(catalogue().find_slug(name));
    return std::span<const policy::SlugMatch>(matches);  // moving a vector moves no element
  };
  for (const ClientKey& key : options_.keys) {
    policy::KeyCeilings ceilings;
    ceilings.has_only = key.routing.has_only;
    ceilings.only = resolve(key.routing.only);
    ceilings.ignore = resolve(key.routing.ignore);
    ceilings.zdr = key.routing.zdr;
    ceilings.deny_data_collection = key.routing.deny_data_collection;
    for (const std::string& region : key.routing.regions) {
      ceilings.regions |= catalogue().region_bit(region);
    }
    // Regions where nobody is leave nothing, not everything.
    if (!key.routing.regions.empty() && ceilings.regions == 0) {
      ceilings.has_only = true;
      ceilings.only = {};
    }
    ceilings_.push_back(ceilings);
  }
  if (ceilings_.empty()) ceilings_.emplace_back();
}

int Snapshot::find_key(const KeyDigest& digest) const {
  const auto found = keys_.find(digest);
  if (found == keys_.end() || !tls::equal_constant_time(found->first, digest)) return -1;
  return found->second;
}

}  // namespace leat::gateway
