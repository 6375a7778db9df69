// SPDX-License-Identifier: Apache-2.0
// Listing: the bodies of the client API's listing routes, in OpenRouter's exact shape
// (openrouter-api.md 1.2), written from a catalogue. Made once for each snapshot by control; what
// does not change is rendered then, so an answer is little more than a join of text. Pure: no I/O,
// no clock. Only what can be asked is listed: disabled endpoints, models without any other, and
// hidden models are left out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/listing_query.h"
#include "policy/catalogue.h"

namespace leat::control {

struct ListedPercentiles {
  double p50 = 0;
  double p75 = 0;
  double p90 = 0;
  double p99 = 0;
};

// What is known of an endpoint's recent days; what is not stays null in the answer.
struct ListedHealth {
  std::int32_t status = 0;  // 0 normal; -1, -2, -3, -5, -10 as OpenRouter's
  std::optional<double> uptime_percent_5m;
  std::optional<double> uptime_percent_30m;
  std::optional<double> uptime_percent_1d;
  std::optional<ListedPercentiles> latency_ms_30m;  // time to the first token
  std::optional<ListedPercentiles> tokens_per_second_30m;
};

class Listing {
 public:
  // The catalogue must outlive the listing.
  explicit Listing(const policy::Catalogue& catalogue);

  // `GET /models` as almost everybody asks for it: no query.
  const std::string& models() const { return all_models_; }
  // The same with one; `path` is what `links.next` begins with: "/api/v1/models", with the query's
  // other parameters behind a question mark if there are any.
  std::string models(const ListingQuery& query, std::string_view path) const;
  // `GET /models/count`.
  std::string count(const ListingQuery& query) const;
  // `GET /model/{author}/{slug}`: aliases and variants are understood. Nothing: 404.
  std::optional<std::string> model(std::string_view reference) const;
  // `GET /models/{author}/{slug}/endpoints`. `health` is by EndpointId; empty: nothing is known.
  std::optional<std::string> endpoints(std::string_view reference,
                                       std::span<const ListedHealth> health) const;
  // `GET /endpoints/zdr`.
  std::string zdr_endpoints(std::span<const ListedHealth> health) const;
  // `GET /providers`.
  const std::string& providers() const { return providers_; }

 private:
  // A model under one of its static variants, or an alias for the newest of a family.
  struct Entry {
    policy::ModelId model = policy::kNoId;
    std::optional<policy::Variant> variant;
    std::string id;
    std::string name;
    policy::EndpointId cheapest = policy::kNoId;  // whose prices the model object shows
    bool is_alias = false;
    std::string json;
  };

  void add_entries(policy::ModelId id);
  void add_aliases();
  void render_endpoints();
  void render_providers();
  const Entry* find(std::string_view reference) const;
  bool passes(const Entry& entry, const ListingQuery& query) const;
  std::vector<const Entry*> chosen(const ListingQuery& query) const;
  bool shows(const policy::Endpoint& endpoint, const Entry& entry) const;
  void append_endpoint(std::string& out, policy::EndpointId id,
                       std::span<const ListedHealth> health) const;

  const policy::Catalogue* catalogue_;
  std::vector<Entry> entries_;
  std::vector<std::string> endpoints_;  // by EndpointId: the object up to its health, open
  std::string all_models_;
  std::string providers_;
};

}  // namespace leat::control
