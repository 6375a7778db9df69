// SPDX-License-Identifier: Apache-2.0
// Goal: what an operator wrote is found again under every name that a client may use, and a
// catalogue with a mistake is refused with the mistake's name. Method: small catalogues built part
// by part; one of full size against the clock's generous bound lives in perf/micro.
#include "policy/catalogue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/catalogue_builder.h"

namespace leat::policy {
namespace {

Prices priced(Picodollars prompt, Picodollars completion) {
  Prices prices;
  prices[PriceClass::kPrompt] = prompt;
  prices[PriceClass::kCompletion] = completion;
  return prices;
}

EndpointSpec spec_of(std::string_view model, std::string_view provider, std::string_view tag = "") {
  EndpointSpec spec;
  spec.model = model;
  spec.provider = provider;
  spec.tag = tag;
  spec.upstream_model = "m";
  spec.facts.prices = priced(150'000, 600'000);
  return spec;
}

// Two providers and three models of two families.
class CatalogueTest : public testing::Test {
 protected:
  CatalogueTest() {
    EXPECT_TRUE(builder_.add_provider({.slug = "google-vertex", .name = "Google Vertex"}));
    EXPECT_TRUE(builder_.add_provider({.slug = "moonshotai", .name = "Moonshot AI"}));
    add_model("a/old", "fam", 100);
    add_model("a/new", "fam", 200);
    add_model("b/solo", "", 300);
  }

  void add_model(std::string_view id, std::string_view family, std::int64_t created) {
    ASSERT_TRUE(builder_.add_model({.id = id, .family = family, .created = created}));
  }

  CatalogueFault endpoint_fault(const EndpointSpec& spec) {
    auto added = builder_.add_endpoint(spec);
    EXPECT_FALSE(added);
    return added ? CatalogueFault::kEmptyName : added.error().fault;
  }

  Catalogue finish() {
    auto made = builder_.finish();
    EXPECT_TRUE(made);
    return made ? std::move(*made) : Catalogue();
  }

  CatalogueBuilder builder_;
};

TEST_F(CatalogueTest, FindsAModelByEveryName) {
  ASSERT_TRUE(builder_.add_model({.id = "c/x", .canonical_slug = "c/x-20250101"}));
  ASSERT_TRUE(builder_.add_alias("short", "shorter"));
  ASSERT_TRUE(builder_.add_alias("shorter", "c/x"));
  const Catalogue catalogue = finish();
  const ModelId id = catalogue.find_model("c/x");
  ASSERT_NE(id, kNoId);
  EXPECT_EQ(catalogue.model(id).id, "c/x");
  for (const auto name : {"c/x-20250101", "short", "shorter"}) {
    EXPECT_EQ(catalogue.find_model(name), id) << name;
  }
  EXPECT_EQ(catalogue.find_model("c/X"), kNoId);
  EXPECT_EQ(catalogue.find_model(""), kNoId);
}

TEST_F(CatalogueTest, LatestIsTheNewestThatIsNotHidden) {
  ASSERT_TRUE(
      builder_.add_model({.id = "a/secret", .family = "fam", .created = 900, .hidden = true}));
  ASSERT_TRUE(builder_.add_model({.id = "z/other", .family = "fam", .created = 999}));
  const Catalogue catalogue = finish();
  EXPECT_EQ(catalogue.find_model("~a/fam-latest"), catalogue.find_model("a/new"));
  EXPECT_EQ(catalogue.find_model("~z/fam-latest"), catalogue.find_model("z/other"));
  EXPECT_EQ(catalogue.find_model("~b/-latest"), kNoId);
  ASSERT_EQ(catalogue.aliases().size(), 2u);
  EXPECT_TRUE(catalogue.aliases()[0].is_latest);
}

TEST_F(CatalogueTest, AnOperatorsLatestStands) {
  ASSERT_TRUE(builder_.add_alias("~a/fam-latest", "a/old"));
  const Catalogue catalogue = finish();
  EXPECT_EQ(catalogue.find_model("~a/fam-latest"), catalogue.find_model("a/old"));
  EXPECT_FALSE(catalogue.aliases()[0].is_latest);
}

TEST_F(CatalogueTest, VariantsStack) {
  ASSERT_TRUE(builder_.add_model({.id = "llama3:8b"}));
  const Catalogue catalogue = finish();
  const ModelRef ref = catalogue.resolve("a/new:free:online");
  EXPECT_EQ(ref.model, catalogue.find_model("a/new"));
  EXPECT_EQ(ref.variants, (VariantSet{Variant::kFree, Variant::kOnline}));
  EXPECT_EQ(catalogue.resolve("llama3:8b").model, catalogue.find_model("llama3:8b"));
  EXPECT_EQ(catalogue.resolve("llama3:8b:nitro").variants, VariantSet{Variant::kNitro});
  EXPECT_EQ(catalogue.resolve("a/new:cheap").model, kNoId);
  EXPECT_EQ(catalogue.resolve(":free").model, kNoId);
}

TEST_F(CatalogueTest, RegionsAreOneInAnySpelling) {
  const auto in_region = [&](std::string_view provider, std::string_view region) {
    EndpointSpec spec = spec_of("a/new", provider);
    spec.region = region;
    return spec;
  };
  ASSERT_TRUE(builder_.add_endpoint(in_region("google-vertex", "EU")));
  ASSERT_TRUE(builder_.add_endpoint(in_region("moonshotai", "eu")));
  const Catalogue catalogue = finish();
  EXPECT_NE(catalogue.region_bit("eu"), 0);
  EXPECT_EQ(catalogue.region_bit("eu"), catalogue.region_bit("Eu"));
  EXPECT_EQ(catalogue.region_bit("us"), 0);
  EXPECT_EQ(catalogue.region_bit(""), 0) << "an endpoint of unknown region is in none";
  for (const Endpoint& endpoint : catalogue.endpoints()) {
    EXPECT_EQ(RegionSet{1} << endpoint.region_id, catalogue.region_bit("eu"));
  }
}

TEST_F(CatalogueTest, SlugsMatchProvidersOrTags) {
  ASSERT_TRUE(builder_.add_endpoint(spec_of("a/new", "google-vertex", "google-vertex/us-east5")));
  ASSERT_TRUE(builder_.add_endpoint(spec_of("a/new", "google-vertex")));
  EndpointSpec tier = spec_of("a/new", "google-vertex");
  tier.facts.tier = ServiceTier::kPriority;
  ASSERT_TRUE(builder_.add_endpoint(tier));
  const Catalogue catalogue = finish();
  const auto endpoints = catalogue.endpoints_of(catalogue.model(catalogue.find_model("a/new")));
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ(endpoints[2].tag, "google-vertex/priority");

  const SlugMatch base = catalogue.find_slug("Google-Vertex");
  EXPECT_TRUE(base.matches(endpoints[0]));
  EXPECT_TRUE(base.matches(endpoints[1]));
  EXPECT_FALSE(base.matches(endpoints[2])) << "a base slug never means a tier";
  const SlugMatch region = catalogue.find_slug("google-vertex/us-east5");
  EXPECT_TRUE(region.matches(endpoints[0]));
  EXPECT_FALSE(region.matches(endpoints[1]));
  EXPECT_TRUE(catalogue.find_slug("google-vertex/priority").matches(endpoints[2]));
  EXPECT_EQ(catalogue.find_slug("moonshot ai").provider, catalogue.find_provider("moonshotai"));
  EXPECT_FALSE(catalogue.find_slug("nobody").known());
  EXPECT_FALSE(catalogue.find_slug("nobody").matches(endpoints[0]));
  EXPECT_FALSE(catalogue.find_slug(std::string(300, 'x')).known());
}

TEST_F(CatalogueTest, GroupsEndpointsByModelAndKeepsTheirIdentity) {
  ASSERT_TRUE(builder_.add_endpoint(spec_of("b/solo", "moonshotai")));
  EndpointSpec second = spec_of("a/old", "moonshotai");
  second.facts.parameters = {Parameter::kTools, Parameter::kSeed};
  second.facts.variant = Variant::kFree;
  second.declared_free = kFreeOfAll;
  second.facts.prices = priced(0, 0);
  ASSERT_TRUE(builder_.add_endpoint(second));
  ASSERT_TRUE(builder_.add_endpoint(spec_of("b/solo", "google-vertex")));
  const Catalogue catalogue = finish();
  const Model& solo = catalogue.model(catalogue.find_model("b/solo"));
  ASSERT_EQ(catalogue.endpoints_of(solo).size(), 2u);
  const Model& old = catalogue.model(catalogue.find_model("a/old"));
  ASSERT_EQ(catalogue.endpoints_of(old).size(), 1u);
  EXPECT_TRUE(old.parameters.has(Parameter::kSeed));
  EXPECT_EQ(old.variants, VariantSet{Variant::kFree});
  EXPECT_TRUE(catalogue.endpoints_of(old)[0].is_free);
  for (EndpointId id = 0; id < catalogue.endpoints().size(); ++id) {
    EXPECT_EQ(catalogue.find_endpoint(catalogue.endpoint(id).identity), id);
  }

  CatalogueBuilder other;
  ASSERT_TRUE(other.add_provider({.slug = "moonshotai"}));
  ASSERT_TRUE(other.add_model({.id = "b/solo"}));
  ASSERT_TRUE(other.add_endpoint(spec_of("b/solo", "moonshotai")));
  const Catalogue reloaded = *other.finish();
  EXPECT_EQ(reloaded.endpoint(0).identity, catalogue.endpoints_of(solo)[0].identity);
}

TEST_F(CatalogueTest, ProvidersRejectsAndDataPolicyReachEndpoints) {
  ASSERT_TRUE(builder_.add_provider({.slug = "strict",
                                     .data = {.trains = false, .retention_days = 0},
                                     .rejects = {Parameter::kSeed}}));
  EndpointSpec spec = spec_of("a/old", "strict");
  spec.facts.parameters = {Parameter::kTools, Parameter::kSeed};
  ASSERT_TRUE(builder_.add_endpoint(spec));
  spec = spec_of("a/old", "moonshotai");
  ASSERT_TRUE(builder_.add_endpoint(spec));
  spec = spec_of("a/new", "strict");
  spec.has_data_policy = true;
  spec.facts.data = {.trains = false, .retention_days = 30};
  ASSERT_TRUE(builder_.add_endpoint(spec));
  const Catalogue catalogue = finish();
  EXPECT_EQ(catalogue.endpoint(0).parameters, ParameterSet{Parameter::kTools});
  EXPECT_TRUE(catalogue.endpoint(0).data.zero_retention());
  EXPECT_TRUE(catalogue.endpoint(1).data.collects()) << "an unknown policy is the worst";
  EXPECT_FALSE(catalogue.endpoint(2).data.zero_retention());
}

TEST_F(CatalogueTest, RefusesWhatIsWrongWithAnEndpoint) {
  EXPECT_EQ(endpoint_fault(spec_of("a/new", "who")), CatalogueFault::kUnknownProvider);
  EXPECT_EQ(endpoint_fault(spec_of("a/none", "moonshotai")), CatalogueFault::kUnknownModel);
  EndpointSpec spec = spec_of("a/new", "moonshotai");
  spec.facts.prices = priced(Prices::kUnstated, 1);
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kPriceMissing);
  spec.facts.prices = priced(1, 0);
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kPriceZero);
  spec.facts.prices = priced(1, kPriceMax + 1);
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kPriceRange);
  spec.facts.prices = priced(-2, 1);
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kPriceRange);
  spec = spec_of("a/new", "moonshotai");
  spec.facts.context = 1000;
  spec.facts.completion_max = 1001;
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kLimitContradicts);
  spec = spec_of("a/new", "moonshotai", "google-vertex/x");
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kBadSlug);
  spec = spec_of("a/new", "moonshotai");
  spec.facts.variant = Variant::kNitro;
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kNotAStaticVariant);
  ASSERT_TRUE(builder_.add_endpoint(spec_of("a/new", "moonshotai")));
  EXPECT_EQ(endpoint_fault(spec_of("a/new", "moonshotai")), CatalogueFault::kDuplicate);
}

TEST_F(CatalogueTest, RefusesOverridesThatSayNothing) {
  EndpointSpec spec = spec_of("a/new", "moonshotai");
  PriceOverride item;
  item.prices = priced(1, 1);
  spec.overrides = {&item, 1};
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kOverrideEmpty);
  item.utc_start = 60;
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kOverrideTime);
  item.utc_end = 24 * 60 + 1;
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kOverrideTime);
  item.utc_end = 120;
  EXPECT_TRUE(builder_.add_endpoint(spec));
}

TEST_F(CatalogueTest, AFreeEndpointIsFreeOnlyWhereDeclared) {
  EndpointSpec spec = spec_of("a/new", "moonshotai");
  spec.facts.prices = priced(0, 0);
  spec.declared_free = {PriceClass::kPrompt};
  EXPECT_EQ(endpoint_fault(spec), CatalogueFault::kPriceZero);
  spec.declared_free = kFreeOfAll;
  EXPECT_TRUE(builder_.add_endpoint(spec));
}

TEST_F(CatalogueTest, RefusesNamesTakenAndAliasesInACircle) {
  EXPECT_EQ(builder_.add_provider({.slug = "moonshotai"}).error().fault,
            CatalogueFault::kDuplicate);
  EXPECT_EQ(builder_.add_provider({.slug = "Up"}).error().fault, CatalogueFault::kBadSlug);
  EXPECT_EQ(builder_.add_provider({.slug = "a/b"}).error().fault, CatalogueFault::kBadSlug);
  EXPECT_EQ(builder_.add_model({.id = "a/new"}).error().fault, CatalogueFault::kDuplicate);
  EXPECT_EQ(builder_.add_alias("a/new", "a/old").error().fault, CatalogueFault::kDuplicate);
  ASSERT_TRUE(builder_.add_alias("ok", "a/old"));
  ASSERT_TRUE(builder_.add_alias("one", "two"));
  ASSERT_TRUE(builder_.add_alias("two", "one"));
  auto made = builder_.finish();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fault, CatalogueFault::kAliasCycle);
  EXPECT_EQ(made.error().alias_index, 1u);
}

TEST_F(CatalogueTest, RefusesAnAliasOfNothing) {
  ASSERT_TRUE(builder_.add_alias("ok", "a/none"));
  auto made = builder_.finish();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fault, CatalogueFault::kUnknownModel);
}

TEST_F(CatalogueTest, BoundsWhatAPlanMustHold) {
  for (std::size_t i = 0; i < kModelEndpointsMax; ++i) {
    ASSERT_TRUE(
        builder_.add_endpoint(spec_of("a/new", "moonshotai", "moonshotai/" + std::to_string(i))));
  }
  EXPECT_EQ(endpoint_fault(spec_of("a/new", "google-vertex")), CatalogueFault::kTooManyEndpoints);
}

TEST(CatalogueFault, EachHasAText) {
  for (std::size_t i = 0; i < kCatalogueFaults; ++i) {
    EXPECT_FALSE(text_of(static_cast<CatalogueFault>(i)).empty());
  }
}

TEST(Terms, NamesAreUniqueAndFoundAgain) {
  for (std::size_t i = 0; i < kParameters; ++i) {
    const auto value = static_cast<Parameter>(i);
    EXPECT_EQ(value_of<Parameter>(name_of(value)), value);
  }
  for (std::size_t i = 0; i < kPriceClasses; ++i) {
    const auto value = static_cast<PriceClass>(i);
    EXPECT_EQ(value_of<PriceClass>(name_of(value)), value);
  }
  EXPECT_EQ(name_of(Parameter::kWebSearchOptions), "web_search_options");
  EXPECT_EQ(name_of(Quantization::kUnknown), "unknown");
  EXPECT_EQ(value_of<Variant>("cheap"), std::nullopt);
  EXPECT_TRUE(kListedParameters.has(Parameter::kWebSearchOptions));
  EXPECT_FALSE(kListedParameters.has(Parameter::kServiceTier));
}

TEST(Prices, OverridesHoldStrictlyAboveAndHalfOpen) {
  PriceOverride by_size;
  by_size.has_prompt_condition = true;
  by_size.prompt_tokens_over = 200'000;
  by_size.prices[PriceClass::kPrompt] = 2;
  PriceOverride by_night;
  by_night.utc_start = 23 * 60;
  by_night.utc_end = 60;
  by_night.utc_days = 1 << 4;
  by_night.prices[PriceClass::kPrompt] = 1;
  const PriceOverride both[] = {by_size, by_night};
  const Prices standing = priced(5, 7);
  const auto prompt = [&](std::uint64_t tokens, UtcMoment now) {
    return prices_at(standing, both, tokens, now)[PriceClass::kPrompt];
  };
  EXPECT_EQ(prompt(200'000, {.weekday = 1, .minute = 0}), 5);
  EXPECT_EQ(prompt(200'001, {.weekday = 1, .minute = 0}), 2);
  EXPECT_EQ(prompt(0, {.weekday = 4, .minute = 23 * 60}), 1);
  EXPECT_EQ(prompt(0, {.weekday = 4, .minute = 59}), 1);
  EXPECT_EQ(prompt(0, {.weekday = 4, .minute = 60}), 5);
  EXPECT_EQ(prompt(0, {.weekday = 4, .minute = 22 * 60 + 59}), 5);
  EXPECT_EQ(prompt(0, {.weekday = 5, .minute = 30}), 5) << "another day";
  EXPECT_EQ(prompt(300'000, {.weekday = 4, .minute = 0}), 1) << "the later entry wins";
  EXPECT_EQ(prices_at(standing, both, 300'000, {.weekday = 4})[PriceClass::kCompletion], 7);
}

TEST(Prices, AnUnstatedClassCostsWhatItIsPartOf) {
  Prices prices = priced(3, 9);
  EXPECT_EQ(prices.charged(PriceClass::kInternalReasoning), 9);
  EXPECT_EQ(prices.charged(PriceClass::kInputCacheWrite1h), 3);
  EXPECT_EQ(prices.charged(PriceClass::kRequest), 0);
  prices[PriceClass::kInputCacheRead] = 0;
  EXPECT_EQ(prices.charged(PriceClass::kInputCacheRead), 0);
}

TEST(UtcMoment, KnowsTheDayOfTheWeek) {
  // 2026-11-21T08:31:44Z, a Saturday.
  const UtcMoment moment = UtcMoment::of({.unix_ns = 1'795'249'904'000'000'000});
  EXPECT_EQ(moment.weekday, 6);
  EXPECT_EQ(moment.minute, 8 * 60 + 31);
}

}  // namespace
}  // namespace leat::policy
