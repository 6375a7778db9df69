// SPDX-License-Identifier: Apache-2.0
// PlanFixture: a small catalogue described by lines of facts, and a plan as text: the tags of its
// candidates in order, and the reason of an endpoint by its tag.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "policy/catalogue_builder.h"
#include "policy/plan.h"

namespace leat::policy {

inline constexpr Picodollars kDollar = 1'000'000;  // $1 for a million tokens

class PlanFixture : public testing::Test {
 protected:
  using Edit = std::function<void(EndpointSpec&)>;

  // Every endpoint costs `dollars` for a million tokens in and out, keeps nothing and trains on
  // nothing unless `edit` says otherwise. The provider is the tag's part before the slash, made
  // when first named.
  void endpoint(std::string_view model, std::string_view tag, double dollars, Edit edit = {}) {
    const std::string provider(tag.substr(0, tag.find('/')));
    if (!builder_.has_provider(provider)) {
      ASSERT_TRUE(builder_.add_provider({.slug = provider}));
    }
    if (!builder_.has_model(model)) {
      ASSERT_TRUE(builder_.add_model({.id = model}));
    }
    EndpointSpec spec;
    spec.model = model;
    spec.provider = provider;
    spec.tag = tag;
    spec.upstream_model = "m";
    const auto price = static_cast<Picodollars>(dollars * kDollar);
    spec.facts.prices[PriceClass::kPrompt] = price;
    spec.facts.prices[PriceClass::kCompletion] = price;
    spec.has_data_policy = true;
    spec.facts.data = {.trains = false, .retention_days = 0};
    if (edit) edit(spec);
    const auto added = builder_.add_endpoint(spec);
    ASSERT_TRUE(added) << text_of(added.error().fault) << ' ' << tag;
  }
  void model(const Model& facts) { ASSERT_TRUE(builder_.add_model(facts)); }

  void finish() {
    auto made = builder_.finish();
    ASSERT_TRUE(made);
    catalogue_ = std::move(*made);
    health_.assign(catalogue_.endpoints().size(), {});
  }

  // Asks for models by name, with variants.
  void ask(std::initializer_list<std::string_view> names) {
    models_.clear();
    for (const auto name : names) {
      models_.push_back(catalogue_.resolve(name));
      ASSERT_NE(models_.back().model, kNoId) << name;
    }
    request_.models = models_;
  }
  // Slugs live as long as the fixture.
  std::span<const SlugMatch> slugs(std::initializer_list<std::string_view> names) {
    auto& list = *lists_.emplace_back(std::make_unique<std::vector<SlugMatch>>());
    for (const auto name : names) list.push_back(catalogue_.find_slug(name));
    return list;
  }

  EndpointId id_of(std::string_view tag) const {
    for (EndpointId id = 0; id < catalogue_.endpoints().size(); ++id) {
      if (catalogue_.endpoint(id).tag == tag) return id;
    }
    ADD_FAILURE() << "no endpoint " << tag;
    return 0;
  }
  EndpointHealth& health(std::string_view tag) { return health_[id_of(tag)]; }

  const Plan& plan() {
    make_plan({.catalogue = catalogue_,
               .request = request_,
               .ceilings = ceilings_,
               .health = health_,
               .now = now_,
               .utc = utc_,
               .own_keys = own_keys_},
              rng_, *plan_);
    return *plan_;
  }
  // Makes a plan: its candidates' tags, a blank between; with `+id` of an own key.
  std::string order() {
    std::string text;
    for (const Candidate& candidate : plan().candidates()) {
      if (!text.empty()) text += ' ';
      text += catalogue_.endpoint(candidate.endpoint).tag;
      if (candidate.own_key != 0) text += '+' + std::to_string(candidate.own_key);
    }
    return text;
  }
  // Of the plan made last: the reason of the endpoint, empty where it has none.
  std::string reason(std::string_view tag) const {
    for (const Excluded& excluded : plan_->excluded()) {
      if (catalogue_.endpoint(excluded.endpoint).tag == tag) {
        return std::string(name_of(excluded.reason));
      }
    }
    return "";
  }

  CatalogueBuilder builder_;
  Catalogue catalogue_;
  std::vector<ModelRef> models_;
  std::vector<std::unique_ptr<std::vector<SlugMatch>>> lists_;
  RouteRequest request_;
  KeyCeilings ceilings_;
  std::vector<EndpointHealth> health_;
  Instant now_ = Instant{} + seconds(1'000);
  UtcMoment utc_;
  std::vector<OwnKeyRule> own_keys_;
  Rng rng_{1};
  std::unique_ptr<Plan> plan_ = std::make_unique<Plan>();
};

}  // namespace leat::policy
