// SPDX-License-Identifier: Apache-2.0
// Goal: an endpoint that outlives a configuration goes on counting where it was, whatever its
// number is by then. Method: tables of two catalogues that have some endpoints in common.
#include "gateway/endpoint_counters.h"

#include <gtest/gtest.h>

#include "policy/catalogue_builder.h"

namespace leat::gateway {
namespace {

policy::Catalogue catalogue_of(const std::vector<std::string>& providers) {
  policy::CatalogueBuilder builder;
  for (const std::string& slug : providers) {
    policy::Provider provider;
    provider.slug = provider.name = slug;
    EXPECT_TRUE(builder.add_provider(provider).has_value());
  }
  policy::Model model;
  model.id = model.name = "acme/one";
  EXPECT_TRUE(builder.add_model(model).has_value());
  for (const std::string& slug : providers) {
    policy::EndpointSpec spec;
    spec.model = model.id;
    spec.provider = spec.tag = slug;
    spec.upstream_model = "up";
    spec.declared_free = policy::kFreeOfAll;
    EXPECT_TRUE(builder.add_endpoint(spec).has_value());
  }
  auto made = builder.finish();
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

policy::EndpointId id_of(const policy::Catalogue& catalogue, std::string_view tag) {
  const auto endpoints = catalogue.endpoints();
  for (policy::EndpointId id = 0; id < endpoints.size(); ++id) {
    if (endpoints[id].tag == tag) return id;
  }
  return policy::kNoId;
}

TEST(EndpointCounterTable, CountsOnOverConfigurations) {
  const policy::Catalogue before = catalogue_of({"a", "b", "c"});
  const policy::Catalogue after = catalogue_of({"c", "d", "a"});
  EndpointCounterTable first(before, nullptr);
  first.at(id_of(before, "a")).prompt_tokens.add(1);
  first.at(id_of(before, "b")).prompt_tokens.add(2);
  EndpointCounterTable second(after, &first);
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(second.at(id_of(after, "a")).prompt_tokens.get(), 1u);
  EXPECT_EQ(second.at(id_of(after, "c")).prompt_tokens.get(), 0u);
  EXPECT_EQ(second.at(id_of(after, "d")).prompt_tokens.get(), 0u);
  // A request that began by the former configuration and ends now.
  first.at(id_of(before, "a")).prompt_tokens.add(4);
  EXPECT_EQ(second.at(id_of(after, "a")).prompt_tokens.get(), 5u);
}

}  // namespace
}  // namespace leat::gateway
