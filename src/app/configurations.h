// SPDX-License-Identifier: Apache-2.0
// Configurations: what Leat serves by, and what it served by before for as long as a request still
// runs by it. A LoadedConfiguration is all that is made of one text: options, catalogue, secrets in
// locked memory, certificates, listings, counters of its endpoints; immutable once it is made, but
// for the counters. Belongs to the control shard's thread; shards hold theirs by shared_ptr and
// never are the last to do so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/material.h"
#include "base/instant.h"
#include "control/catalogue_listing.h"
#include "control/surroundings.h"
#include "gateway/configuration.h"
#include "gateway/routed_catalogue.h"
#include "gateway/snapshot.h"
#include "leat/options.h"

namespace leat::app {

class LoadedConfiguration {
 public:
  // `before`: the one that it may follow, for `shards` shards; null: it is the first. REQUIRES:
  // `routed` is of `options`, which are sound.
  LoadedConfiguration(const Options& options,
                      std::shared_ptr<const gateway::RoutedCatalogue> routed,
                      std::unique_ptr<Material> material, WallTime now, std::uint32_t shards,
                      const LoadedConfiguration* before);
  LoadedConfiguration(const LoadedConfiguration&) = delete;
  LoadedConfiguration& operator=(const LoadedConfiguration&) = delete;

  std::uint32_t generation() const { return generation_; }
  const gateway::Snapshot& snapshot() const { return snapshot_; }
  const Options& options() const { return snapshot_.options(); }
  const gateway::RoutedCatalogue& routed() const { return *routed_; }
  const policy::Catalogue& catalogue() const { return snapshot_.catalogue(); }
  const Material& material() const { return *material_; }
  // By shard.
  std::vector<const gateway::EndpointCounterTable*> tables() const;

 private:
  friend class Configurations;
  const std::uint32_t generation_;
  const std::unique_ptr<Material> material_;
  const std::shared_ptr<const gateway::RoutedCatalogue> routed_;
  const gateway::Snapshot snapshot_;
  const control::CatalogueListing listings_;
  std::vector<std::unique_ptr<gateway::EndpointCounterTable>> counters_;  // by shard
};

class Configurations {
 public:
  // The first one is kept: traces and accounts use its secrets, which no reload changes.
  explicit Configurations(std::shared_ptr<const LoadedConfiguration> first)
      : first_(std::move(first)), current_(first_) {}

  // What new requests are decided by. Valid until change().
  const LoadedConfiguration& current() const { return *current_; }
  std::shared_ptr<const LoadedConfiguration> share() const { return current_; }
  const LoadedConfiguration& first() const { return *first_; }
  // As shards hold it.
  static std::shared_ptr<const gateway::Configuration> for_shards(
      std::shared_ptr<const LoadedConfiguration> loaded);

  void change(std::shared_ptr<const LoadedConfiguration> next);
  // Frees those that nobody needs any more. To be called now and then.
  void free_unused();
  // Of former ones, but for the first.
  std::size_t kept_count() const { return former_.size(); }

 private:
  const std::shared_ptr<const LoadedConfiguration> first_;
  std::shared_ptr<const LoadedConfiguration> current_;
  std::vector<std::shared_ptr<const LoadedConfiguration>> former_;
};

}  // namespace leat::app
