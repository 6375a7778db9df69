// SPDX-License-Identifier: Apache-2.0
// Snapshot: what a request is decided by - models, providers, limits - in the form that looking up
// needs; keys, which change more often, have a table of their own (key_table.h). Built once from
// Options, then immutable: every shard reads the same one through a plain reference, no shard
// writes it. Holds views of secrets, which live in the locked arena; it must not outlive that.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/request_kind.h"
#include "gateway/routed_catalogue.h"
#include "leat/options.h"
#include "policy/attempt_rule.h"
#include "policy/first_token_limit.h"

namespace leat::gateway {

struct SnapshotProvider {
  const Provider* options = nullptr;
  // In the secret arena, one for each key; at least one, which is empty where there is no key: no
  // Authorization upstream.
  std::vector<std::string_view> bearers;
  std::array<std::string, kRequestKinds> targets;  // paths, by RequestKind
  std::string host;                                // the Host field

  const std::string& target(RequestKind kind) const {
    return targets[static_cast<std::size_t>(kind)];
  }
};

// How long a model's requests may take, and when one that waits is asked of a second endpoint.
struct ModelTimes {
  policy::FirstTokenLimits first_token;
  Duration chunk_gap_max{0};
  Duration request_max{0};
  policy::HedgeSettings hedge;
};

// What else the options say of a model.
struct ModelRules {
  bool continuation = false;  // a broken stream may be carried on
  Duration hold_max{};        // how long an event of a stream may wait
};

class Snapshot {
 public:
  // `bearers`: the keys of each provider of `options`. REQUIRES: the catalogue was built for these
  // options.
  Snapshot(const Options& options, std::shared_ptr<const RoutedCatalogue> routed,
           std::span<const std::vector<std::string_view>> bearers);
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const Options& options() const { return options_; }
  const Limits& limits() const { return options_.limits; }
  const std::vector<SnapshotProvider>& providers() const { return providers_; }

  const policy::Catalogue& catalogue() const { return routed_->catalogue; }
  // Where an endpoint's requests go: an index into providers(). REQUIRES: the endpoint is not
  // disabled, as none of a plan is.
  std::uint32_t connection_of(const policy::Endpoint& endpoint) const {
    return routed_->connections[endpoint.provider];
  }
  // Names the catalogue's prices in what is charged by them (metering.h).
  std::uint64_t price_version() const { return price_version_; }
  const ModelTimes& times_of(policy::ModelId model) const { return times_[model]; }
  // Of all models, the longest.
  Duration request_max() const { return request_max_; }
  const ModelRules& rules_of(policy::ModelId model) const { return rules_[model]; }

 private:
  void set_times();

  const Options options_;
  const std::shared_ptr<const RoutedCatalogue> routed_;
  std::uint64_t price_version_;
  std::vector<SnapshotProvider> providers_;
  std::vector<ModelTimes> times_;  // by policy::ModelId
  std::vector<ModelRules> rules_;  // the same
  Duration request_max_{0};
};

}  // namespace leat::gateway
