// SPDX-License-Identifier: Apache-2.0
#include "simulation/priced_catalogue.h"

#include "base/check.h"
#include "policy/catalogue_builder.h"

namespace leat::sim {

namespace {

constexpr double kDollar = 1'000'000;  // $1 for a million tokens, in pico-dollars a token

void add_model(policy::CatalogueBuilder& builder, const Options& options, const Model& from,
               const std::vector<double>& dollars) {
  policy::Model model;
  model.id = from.id;
  model.name = from.name;
  model.keeps_order = dollars.empty();
  LEAT_CHECK(builder.add_model(model).has_value());
  for (std::size_t i = 0; i < from.endpoints.size(); ++i) {
    policy::EndpointSpec spec;
    spec.model = from.id;
    spec.provider = options.providers[from.endpoints[i].provider].name;
    spec.tag = spec.provider;
    spec.upstream_model = from.endpoints[i].model;
    spec.declared_free = policy::kFreeOfAll;
    if (!dollars.empty()) {
      const auto price = static_cast<policy::Picodollars>(dollars[i] * kDollar);
      spec.facts.prices[policy::PriceClass::kPrompt] = price;
      spec.facts.prices[policy::PriceClass::kCompletion] = price;
    }
    LEAT_CHECK(builder.add_endpoint(spec).has_value());
  }
}

}  // namespace

gateway::RoutedCatalogue priced_catalogue(const Options& options,
                                          const std::vector<std::vector<double>>& dollars,
                                          const std::vector<bool>& carrying_on) {
  policy::CatalogueBuilder builder;
  gateway::RoutedCatalogue made;
  for (std::uint32_t i = 0; i < options.providers.size(); ++i) {
    policy::Provider provider;
    provider.slug = options.providers[i].name;
    provider.name = options.providers[i].display_name;
    if (i < carrying_on.size() && carrying_on[i]) {
      provider.quirks.add(policy::Quirk::kContinuesPrefix);
    }
    LEAT_CHECK(builder.add_provider(provider).has_value());
    made.connections.push_back(i);
  }
  for (std::size_t i = 0; i < options.models.size(); ++i) {
    add_model(builder, options, options.models[i], dollars[i]);
  }
  auto catalogue = builder.finish();
  LEAT_CHECK(catalogue.has_value());
  made.catalogue = std::move(*catalogue);
  return made;
}

}  // namespace leat::sim
