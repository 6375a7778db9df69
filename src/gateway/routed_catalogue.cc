// SPDX-License-Identifier: Apache-2.0
#include "gateway/routed_catalogue.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/check.h"
#include "policy/catalogue_builder.h"
#include "policy/provider_facts.h"

namespace leat::gateway {
namespace {

// Slugs are lower case; Options' names need not be.
std::string slug_of(std::string_view name) {
  std::string slug(name);
  for (char& c : slug) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return slug;
}

void add_model(policy::CatalogueBuilder& builder, const Options& options, const Model& from) {
  policy::Model model;
  model.id = from.id;
  model.name = from.name.empty() ? from.id : from.name;
  model.created = from.created_unix_s;
  model.context = from.context_tokens;
  model.hidden = from.is_pattern();
  model.keeps_order = true;
  LEAT_CHECK(builder.add_model(model).has_value());
  std::unordered_map<std::uint32_t, int> seen;
  for (const Endpoint& endpoint : from.endpoints) {
    const std::string slug = slug_of(options.providers[endpoint.provider].name);
    const int ordinal = ++seen[endpoint.provider];
    const std::string tag = ordinal == 1 ? slug : slug + '/' + std::to_string(ordinal);
    policy::EndpointSpec spec;
    spec.model = from.id;
    spec.provider = slug;
    spec.tag = tag;
    spec.upstream_model = endpoint.model;
    spec.declared_free = policy::kFreeOfAll;
    spec.facts.is_unpriced = true;
    LEAT_CHECK(builder.add_endpoint(spec).has_value());
  }
}

}  // namespace

RoutedCatalogue plain_catalogue(const Options& options) {
  policy::CatalogueBuilder builder;
  RoutedCatalogue made;
  for (std::uint32_t i = 0; i < options.providers.size(); ++i) {
    const std::string slug = slug_of(options.providers[i].name);
    policy::Provider provider;
    provider.slug = slug;
    provider.name = options.providers[i].display_name;
    const policy::ProviderFacts& facts = policy::facts_at(options.providers[i].base_url.host);
    provider.quirks = facts.quirks;
    provider.rejects = facts.rejects;
    provider.reasoning_in = facts.reasoning_in;
    provider.reasoning_out = facts.reasoning_out;
    LEAT_CHECK(builder.add_provider(provider).has_value());
    made.connections.push_back(i);
  }
  for (const Model& model : options.models) add_model(builder, options, model);
  auto catalogue = builder.finish();
  LEAT_CHECK(catalogue.has_value());
  made.catalogue = std::move(*catalogue);
  return made;
}

}  // namespace leat::gateway
