// SPDX-License-Identifier: Apache-2.0
// CatalogueListing: the listing routes answered from one catalogue (listing.h). Made for each
// snapshot by whoever makes that, before the gateways that ask it; immutable, so all shards share
// one. An answer is made on the shard that asks, whose streams wait for it: 400 models take 0.1 ms,
// 5,000 endpoints with their health 2 ms (perf/micro/catalogue_bench).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "control/listing.h"
#include "gateway/listing_source.h"
#include "gateway/routed_catalogue.h"

namespace leat::control {

class CatalogueListing final : public gateway::ListingSource {
 public:
  // `created_unix_s` stands in for models that do not say when they were made.
  CatalogueListing(std::shared_ptr<const gateway::RoutedCatalogue> routed,
                   std::int64_t created_unix_s);

  gateway::ListingAnswer answer(const gateway::ListingRequest& request) const override;
  std::string_view all_models(dialect::Face face) const override;

 private:
  gateway::ListingAnswer list(const gateway::ListingRequest& request) const;

  const std::shared_ptr<const gateway::RoutedCatalogue> routed_;  // what listing_ looks at
  const Listing listing_;
};

}  // namespace leat::control
