// SPDX-License-Identifier: Apache-2.0
#include "app/configurations.h"

#include <utility>

namespace leat::app {

LoadedConfiguration::LoadedConfiguration(const Options& options,
                                         std::shared_ptr<const gateway::RoutedCatalogue> routed,
                                         std::unique_ptr<Material> material, WallTime now,
                                         std::uint32_t shards, const LoadedConfiguration* before)
    : generation_(before != nullptr ? before->generation_ + 1 : 1),
      material_(std::move(material)),
      routed_(std::move(routed)),
      snapshot_(options, routed_, material_->bearers()),
      listings_(routed_, now.unix_seconds()) {
  for (std::uint32_t i = 0; i < shards; ++i) {
    counters_.push_back(std::make_unique<gateway::EndpointCounterTable>(
        catalogue(), before != nullptr ? before->counters_[i].get() : nullptr));
  }
}

std::vector<const gateway::EndpointCounterTable*> LoadedConfiguration::tables() const {
  std::vector<const gateway::EndpointCounterTable*> tables;
  for (const auto& each : counters_) tables.push_back(each.get());
  return tables;
}

std::shared_ptr<const gateway::Configuration> Configurations::for_shards(
    std::shared_ptr<const LoadedConfiguration> loaded) {
  auto made = std::make_shared<gateway::Configuration>();
  made->generation = loaded->generation_;
  made->snapshot = &loaded->snapshot_;
  made->tls = &loaded->material_->tls();
  made->listings = &loaded->listings_;
  for (const auto& each : loaded->counters_) made->counters.push_back(each.get());
  made->owner = std::move(loaded);
  return made;
}

void Configurations::change(std::shared_ptr<const LoadedConfiguration> next) {
  const auto former = std::exchange(current_, std::move(next));
  if (former != first_) former_.push_back(former);
}

void Configurations::free_unused() {
  std::erase_if(former_, [](const auto& each) { return each.use_count() == 1; });
}

}  // namespace leat::app
