// SPDX-License-Identifier: Apache-2.0
// SmallSnapshot: one model with some endpoints, each of a provider of its own with some keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/snapshot.h"

namespace leat::gateway {

class SmallSnapshot {
 public:
  static constexpr Duration kFirstTokenMin = seconds(1);
  static constexpr Duration kFirstTokenMax = seconds(8);

  explicit SmallSnapshot(std::uint32_t endpoints, std::size_t keys = 1)
      : SmallSnapshot(endpoints, std::vector<std::string_view>(keys, "secret")) {}
  // `host`: of all its providers.
  SmallSnapshot(std::uint32_t endpoints, const std::vector<std::string_view>& keys,
                const std::string& host = "p.test") {
    Model model;
    model.id = "acme/one";
    model.first_byte_ms_min = static_cast<std::uint32_t>(kFirstTokenMin.ms());
    model.first_byte_ms_max = static_cast<std::uint32_t>(kFirstTokenMax.ms());
    for (std::uint32_t i = 0; i < endpoints; ++i) {
      Provider provider;
      provider.name = provider.display_name = "p" + std::to_string(i);
      provider.base_url.host = host;
      options_.providers.push_back(provider);
      model.endpoints.push_back({.provider = i, .model = "upstream"});
    }
    options_.models.push_back(model);
    const std::vector<std::vector<std::string_view>> bearers(endpoints, keys);
    snapshot_ = std::make_unique<Snapshot>(
        options_, std::make_shared<const RoutedCatalogue>(plain_catalogue(options_)), bearers);
  }
  const Snapshot& get() const { return *snapshot_; }

 private:
  Options options_;
  std::unique_ptr<Snapshot> snapshot_;
};

}  // namespace leat::gateway
