// SPDX-License-Identifier: Apache-2.0
// Listing: the bodies of the client API's listing routes, in OpenRouter's exact shape
// (openrouter-api.md 1.2) and in OpenAI's, written from a catalogue. Made once for each snapshot by
// control; what does not change is rendered then, so an answer is little more than a join of text.
// Pure: no I/O, no clock. Only what can be asked is listed: disabled endpoints, models without any
// other, and hidden models are left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/listed_health.h"
#include "control/listing_query.h"
#include "policy/catalogue.h"

namespace leat::control {

class Listing {
 public:
  // The catalogue must outlive the listing. `created_unix_s` stands in for models that do not say
  // when they were made.
  explicit Listing(const policy::Catalogue& catalogue, std::int64_t created_unix_s = 0);

  // `GET /models` as almost everybody asks for it: no query.
  const std::string& models() const { return all_models_; }
  // The same with one; `path` is what `links.next` begins with: "/api/v1/models", with the query's
  // other parameters behind a question mark if there are any.
  std::string models(const ListingQuery& query, std::string_view path) const;
  // `GET /models/count`.
  std::string count(const ListingQuery& query) const;
  // `GET /model/{author}/{slug}`: aliases and variants are understood. Nothing: 404.
  std::optional<std::string> model(std::string_view reference) const;
  // `GET /models/{author}/{slug}/endpoints`.
  std::optional<std::string> endpoints(std::string_view reference,
                                       const KnownHealth& health = {}) const;
  // `GET /endpoints/zdr`.
  std::string zdr_endpoints(const KnownHealth& health = {}) const;
  // `GET /providers`.
  const std::string& providers() const { return providers_; }

  // OpenAI's `GET /models`: every entry, whatever it puts out. And one of them.
  const std::string& openai_models() const { return openai_models_; }
  std::optional<std::string> openai_model(std::string_view reference) const;

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
  void render_openai();
  const Entry* find(std::string_view reference) const;
  bool passes(const Entry& entry, const ListingQuery& query) const;
  std::vector<const Entry*> chosen(const ListingQuery& query) const;
  bool shows(const policy::Endpoint& endpoint, const Entry& entry) const;
  bool keeps_nothing(policy::EndpointId id) const;
  void append_endpoint(std::string& out, policy::EndpointId id, const KnownHealth& health) const;
  std::int64_t created(const Entry& entry) const;
  std::string openai_json(const Entry& entry) const;

  const policy::Catalogue* catalogue_;
  const std::int64_t created_unix_s_;
  std::vector<Entry> entries_;
  std::vector<std::string> endpoints_;  // by EndpointId: the object up to its health, open
  std::size_t zdr_bytes_ = 0;           // about as many as zdr_endpoints() has
  std::string all_models_;
  std::string openai_models_;
  std::string providers_;
};

}  // namespace leat::control
