// SPDX-License-Identifier: Apache-2.0
// Loading a catalogue of 1,000 models with 5,000 endpoints: from TOML to what shards read, step by
// step, and the listing made of it. The goal is 100 ms for a load (read and build).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "control/catalogue_build.h"
#include "control/catalogue_listing.h"
#include "control/catalogue_reader.h"
#include "control/listing.h"

namespace leat::control {
namespace {

constexpr std::size_t kModels = 1'000;
constexpr std::size_t kEndpointsOfModel = 5;
constexpr std::size_t kProviders = 60;

// As long as an import of real data: 450 bytes a model, 350 an endpoint.
std::string made_text() {
  std::string text;
  for (std::size_t i = 0; i < kProviders; ++i) {
    text += fmt::format(
        "[providers.provider-{0}]\ndisplay_name = \"Provider {0}\"\n"
        "privacy_policy_url = \"https://provider{0}.example/privacy\"\n"
        "data = {{ trains = false, publishes = false, retention_days = 0 }}\n",
        i);
  }
  for (std::size_t i = 0; i < kModels; ++i) {
    text += fmt::format(
        "[[models]]\nid = \"author-{0}/model-{1}\"\nname = \"Author: Model {1}\"\n"
        "canonical_slug = \"author-{0}/model-{1}-20260101\"\nfamily = \"family-{2}\"\n"
        "description = \"A model that does many things well, and says so at some length here.\"\n"
        "created_unix_s = {3}\ncontext_tokens = 131072\ninput = [\"text\", \"image\"]\n"
        "parameters = [\"temperature\", \"top_p\", \"stop\", \"max_tokens\", \"seed\"]\n"
        "knowledge_cutoff = \"2025-03-31\"\n",
        i % 40, i, i / 10, 1'700'000'000 + i);
    for (std::size_t k = 0; k < kEndpointsOfModel; ++k) {
      text += fmt::format(
          "[[models.endpoints]]\nprovider = \"provider-{}\"\nmodel = \"upstream/model-{}\"\n"
          "price = {{ prompt = \"0.{}\", completion = \"1.{}\", input_cache_read = \"0.05\" }}\n"
          "completion_tokens_max = 16384\nquantization = \"fp8\"\n"
          "parameters = [\"temperature\", \"top_p\", \"stop\", \"max_tokens\", \"tools\", "
          "\"tool_choice\", \"response_format\", \"structured_outputs\"]\n",
          (i + k * 7) % kProviders, i, i + 1, i + 1);
    }
  }
  return text;
}

std::optional<gateway::RoutedCatalogue> load(const std::string& text) {
  CatalogueDraft draft;
  std::vector<FaultList> faults{FaultList("made")};
  read_catalogue(text, "made", draft, faults.front());
  return build_catalogue(draft, BuildFor::kAlone, faults);
}

const std::string& text() {
  static const std::string made = made_text();
  return made;
}

std::shared_ptr<const gateway::RoutedCatalogue> load_shared() {
  return std::make_shared<const gateway::RoutedCatalogue>(std::move(*load(text())));
}

void BM_CatalogueParse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_toml(text()));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text().size()));
}
BENCHMARK(BM_CatalogueParse)->Unit(benchmark::kMillisecond);

void BM_CatalogueRead(benchmark::State& state) {
  for (auto _ : state) {
    CatalogueDraft draft;
    FaultList faults("made");
    read_catalogue(text(), "made", draft, faults);
    benchmark::DoNotOptimize(draft.models.data());
  }
}
BENCHMARK(BM_CatalogueRead)->Unit(benchmark::kMillisecond);

void BM_CatalogueLoad(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load(text()));
}
BENCHMARK(BM_CatalogueLoad)->Unit(benchmark::kMillisecond);

void BM_ListingMake(benchmark::State& state) {
  const auto built = load(text());
  for (auto _ : state) benchmark::DoNotOptimize(Listing(built->catalogue).models().size());
}
BENCHMARK(BM_ListingMake)->Unit(benchmark::kMillisecond);

// 400 models of the list at once.
void BM_ListingPage(benchmark::State& state) {
  const auto built = load(text());
  const Listing listing(built->catalogue);
  const ListingQuery query{.limit = 400};
  for (auto _ : state) benchmark::DoNotOptimize(listing.models(query, "/api/v1/models"));
}
BENCHMARK(BM_ListingPage)->Unit(benchmark::kMicrosecond);

// What a shard does for `GET /models` with the same query, and for all 5,000 endpoints at once with
// health that is known of each.
void BM_AnswerPage(benchmark::State& state) {
  const CatalogueListing listing(load_shared(), 0);
  const gateway::ListingRequest request{.kind = gateway::ListingKind::kModels,
                                        .query = "limit=400&offset=0"};
  for (auto _ : state) benchmark::DoNotOptimize(listing.answer(request));
}
BENCHMARK(BM_AnswerPage)->Unit(benchmark::kMicrosecond);

void BM_AnswerZdr(benchmark::State& state) {
  const CatalogueListing listing(load_shared(), 0);
  const std::vector<policy::EndpointHealth> views(kModels * kEndpointsOfModel);
  const policy::HealthReport report{.latency_s_30m = {0.21F, 0.35F, 0.51F, 1.3F},
                                    .throughput_30m = {81, 60, 41, 20},
                                    .uptime_permille_5m = 998,
                                    .uptime_permille_30m = 995,
                                    .uptime_permille_1d = 990};
  const std::vector<policy::HealthReport> reports(views.size(), report);
  gateway::ListingRequest request{.kind = gateway::ListingKind::kZdrEndpoints};
  if (state.range(0) != 0) {
    request.health = views;
    request.reports = reports;
  }
  for (auto _ : state) benchmark::DoNotOptimize(listing.answer(request));
}
BENCHMARK(BM_AnswerZdr)->ArgName("known")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace leat::control

int main(int argc, char** argv) {
  const auto built = leat::control::load(leat::control::text());
  if (!built || built->catalogue.models().size() != leat::control::kModels ||
      built->catalogue.endpoints().size() !=
          leat::control::kModels * leat::control::kEndpointsOfModel) {
    std::fputs("the catalogue that is measured was not loaded whole\n", stderr);
    return EXIT_FAILURE;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
