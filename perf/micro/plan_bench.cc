// SPDX-License-Identifier: Apache-2.0
// What it costs to plan a request: one endpoint; twenty with nothing asked; twenty with every
// filter, list, cutoff and price condition in use (aim: 2 us); three models of twenty. And what it
// costs to build a catalogue of 1,000 models and 5,000 endpoints (aim: within 100 ms with reading
// it).
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "policy/catalogue_builder.h"
#include "policy/plan.h"

namespace leat::policy {
namespace {

constexpr ParameterSet kAll = kListedParameters;

// `models` models, each at `each` providers; every endpoint with an override, as the dear ones
// have.
Catalogue build(std::size_t models, std::size_t each) {
  CatalogueBuilder builder;
  builder.reserve(models, each, models * each);
  for (std::size_t p = 0; p < each; ++p) {
    const std::string slug = "provider-" + std::to_string(p);
    LEAT_CHECK(builder.add_provider({.slug = slug, .name = slug}));
  }
  PriceOverride large;
  large.has_prompt_condition = true;
  large.prompt_tokens_over = 200'000;
  large.prices[PriceClass::kPrompt] = 5'000'000;
  for (std::size_t m = 0; m < models; ++m) {
    const std::string id = "author/model-" + std::to_string(m);
    LEAT_CHECK(builder.add_model({.id = id,
                                  .name = "A model with a name",
                                  .description = "A sentence or two of what it is good at.",
                                  .context = 400'000,
                                  .input = {Modality::kText, Modality::kImage},
                                  .output = {Modality::kText},
                                  .distillable = true}));
    for (std::size_t p = 0; p < each; ++p) {
      EndpointSpec spec;
      const std::string provider = "provider-" + std::to_string(p);
      spec.model = id;
      spec.provider = provider;
      spec.upstream_model = id;
      spec.region = "eu";
      spec.overrides = {&large, 1};
      spec.has_data_policy = true;
      spec.facts.data = {.trains = false, .retention_days = 0};
      spec.facts.quantization = Quantization::kFp8;
      spec.facts.parameters = kAll;
      spec.facts.prices[PriceClass::kPrompt] = static_cast<Picodollars>(1'000'000 + p * 10'000);
      spec.facts.prices[PriceClass::kCompletion] = 3'000'000;
      spec.facts.prices[PriceClass::kInputCacheRead] = 100'000;
      LEAT_CHECK(builder.add_endpoint(spec));
    }
  }
  auto made = builder.finish();
  LEAT_CHECK(made);
  return std::move(*made);
}

struct Scene {
  explicit Scene(std::size_t model_count, std::size_t each)
      : catalogue(build(model_count, each)), health(catalogue.endpoints().size()) {
    for (EndpointHealth& h : health) {
      h.uptime_permille = 990;
      h.latency_s = {0.4f, 0.6f, 0.9f, 2.0f};
      h.throughput = {90, 70, 60, 30};
    }
    for (ModelId id = 0; id < model_count; ++id) models.push_back({id, {}});
    request.models = models;
  }
  // Everything that can be asked, and nothing that shuts all out.
  void ask_all() {
    for (std::size_t p = 0; p < 4; ++p) {
      lists.push_back(catalogue.find_slug("provider-" + std::to_string(p)));
    }
    request.order = std::span(lists).subspan(0, 2);
    request.ignore = std::span(lists).subspan(2, 2);
    ceilings.ignore = std::span(lists).subspan(3, 1);
    ceilings.zdr = request.zdr = request.deny_data_collection = true;
    ceilings.regions = catalogue.region_bit("eu");
    request.enforce_distillable_text = request.require_parameters = true;
    request.quantizations = {Quantization::kFp8, Quantization::kBf16};
    request.min_throughput = {50, 40, 0, 0};
    request.max_latency_s = {0.5f, 0, 1, 0};
    request.max_price = {.prompt = 10'000'000, .completion = 10'000'000, .request = 1};
    request.parameters = {Parameter::kTools, Parameter::kResponseFormat, Parameter::kSeed};
    request.input = {Modality::kText, Modality::kImage};
    request.output = {Modality::kText};
    request.prompt_tokens = 250'000;
    request.output_max = 4'000;
  }
  const Plan& make() {
    make_plan({.catalogue = catalogue,
               .request = request,
               .ceilings = ceilings,
               .health = health,
               .now = {},
               .utc = {}},
              rng, *plan);
    return *plan;
  }

  Catalogue catalogue;
  std::vector<EndpointHealth> health;
  std::vector<ModelRef> models;
  std::vector<SlugMatch> lists;
  RouteRequest request;
  KeyCeilings ceilings;
  Rng rng{7};
  std::unique_ptr<Plan> plan = std::make_unique<Plan>();
};

void run(benchmark::State& state, Scene& scene, std::size_t expected) {
  LEAT_CHECK(scene.make().candidates().size() == expected);
  for (auto _ : state) benchmark::DoNotOptimize(scene.make().candidates().data());
  state.SetItemsProcessed(state.iterations());
}

void BM_Plan_OneEndpoint(benchmark::State& state) {
  Scene scene(1, 1);
  run(state, scene, 1);
}
BENCHMARK(BM_Plan_OneEndpoint);

void BM_Plan_TwentyBalanced(benchmark::State& state) {
  Scene scene(1, 20);
  run(state, scene, 20);
}
BENCHMARK(BM_Plan_TwentyBalanced);

void BM_Plan_TwentyAllFilters(benchmark::State& state) {
  Scene scene(1, 20);
  scene.ask_all();
  run(state, scene, 18);
}
BENCHMARK(BM_Plan_TwentyAllFilters);

void BM_Plan_ThreeModelsOfTwenty(benchmark::State& state) {
  Scene scene(3, 20);
  run(state, scene, 60);
}
BENCHMARK(BM_Plan_ThreeModelsOfTwenty);

void BM_Catalogue_Build5000(benchmark::State& state) {
  for (auto _ : state) {
    const Catalogue catalogue = build(1'000, 5);
    LEAT_CHECK(catalogue.endpoints().size() == 5'000);
  }
}
BENCHMARK(BM_Catalogue_Build5000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leat::policy

BENCHMARK_MAIN();
