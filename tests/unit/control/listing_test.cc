// SPDX-License-Identifier: Apache-2.0
// Goal: clients see of a catalogue what they can ask for, with its prices and limits in the units
// and keys of the API, and filters leave out exactly what they say.
// Method: one catalogue in TOML; bodies parsed by the strict JSON parser. That real SDKs take the
// bodies is tests/clients' part.
#include "control/listing.h"

#include <gtest/gtest.h>

#include "control/catalogue_build.h"
#include "control/catalogue_reader.h"
#include "control/json_tree.h"

namespace leat::control {
namespace {

constexpr std::string_view kCatalogue = R"([providers.acme]
display_name = "Acme \"Inc\""
data = { trains = false, publishes = false, retention_days = 0 }
[providers.mock]
[providers.unused]
[[models]]
id = "deep/one"
name = "Deep: One"
family = "one"
created_unix_s = 100
expires_unix_s = 1735776000
context_tokens = 1000
tokenizer = "GPT"
distillable = true
parameters = ["temperature", "tools", "tool_choice", "reasoning"]
[[models.endpoints]]
provider = "acme"
model = "x"
region = "eu"
price = { prompt = "0.15", completion = 3 }
overrides = [{ prompt_tokens_over = 200, utc_start = "2230", utc_end = "0015", utc_days = [0], )"
                                        R"(price = { prompt = "0.3" } }]
[[models.endpoints]]
provider = "mock"
model = "y"
price = { prompt = "0.1", completion = 2 }
completion_tokens_max = 100
[[models.endpoints]]
provider = "mock"
model = "y"
tier = "flex"
price = { prompt = "0.01", completion = "0.01" }
[[models.endpoints]]
provider = "mock"
model = "y-free"
variant = "free"
free = true
[[models]]
id = "far/two"
created_unix_s = 200
context_tokens = 5000
output = ["embeddings"]
endpoints = [{ provider = "mock", model = "z", price = { prompt = "7" } }]
[[models]]
id = "far/three"
created_unix_s = 300
context_tokens = 500
input = ["text", "image"]
parameters = ["temperature"]
endpoints = [{ provider = "mock", model = "z3", price = { prompt = "9", completion = "9" } }]
[[models]]
id = "far/off"
endpoints = [{ provider = "mock", model = "o", free = true, disabled = true }]
[[models]]
id = "far/hidden"
hidden = true
endpoints = [{ provider = "mock", model = "h", free = true }]
[aliases]
"older" = "deep/one"
)";

struct ListingTest : testing::Test {
  ListingTest() {
    CatalogueDraft draft;
    std::vector<FaultList> faults{FaultList("c")};
    read_catalogue(kCatalogue, "c", draft, faults.front());
    auto made = build_catalogue(draft, BuildFor::kAlone, faults);
    for (const Fault& fault : faults.front().take()) ADD_FAILURE() << fault.to_string();
    built = std::move(*made);
    listing.emplace(built.catalogue);
  }

  static JsonValue parsed(const std::string& text) {
    std::string why;
    const auto value = parse_json(text, why);
    EXPECT_TRUE(value) << why << text;
    return value.value_or(JsonValue());
  }

  // The ids that a query lists, in order.
  std::string ids(std::string_view query) {
    const auto wanted = parse_listing_query(query);
    if (!wanted) return wanted.error().message;
    const JsonValue body = parsed(listing->models(*wanted, "/api/v1/models"));
    std::string all;
    for (const JsonValue& model : body.find("data")->items) {
      all += std::string(model.text_of("id")) + " ";
    }
    return all;
  }

  gateway::RoutedCatalogue built;
  std::optional<Listing> listing;
};

TEST_F(ListingTest, ListsWhatCanBeAskedFor) {
  EXPECT_EQ(ids(""), "deep/one deep/one:free far/three ~deep/one-latest ");
  EXPECT_EQ(ids("output_modalities=all"),
            "deep/one deep/one:free far/two far/three ~deep/one-latest ");
  EXPECT_EQ(parsed(listing->models()).count_of("total_count"), 4u);
  EXPECT_TRUE(parsed(listing->models()).find("links")->find("next")->is(JsonValue::Kind::kNull));
  EXPECT_EQ(listing->count(ListingQuery()), R"({"data":{"count":4}})");
}

TEST_F(ListingTest, AModelShowsTheCheapestWayWithoutATier) {
  const JsonValue body = parsed(*listing->model("deep/one"));
  const JsonValue& model = *body.find("data");
  EXPECT_EQ(model.find("pricing")->text_of("prompt"), "0.0000001");
  EXPECT_EQ(model.find("pricing")->text_of("completion"), "0.000002");
  EXPECT_EQ(model.find("top_provider")->count_of("max_completion_tokens"), 100u);
  EXPECT_EQ(model.text_of("expiration_date"), "2025-01-02");
  EXPECT_EQ(model.find("architecture")->text_of("modality"), "text->text");
  EXPECT_EQ(model.find("links")->text_of("details"), "/api/v1/models/deep/one/endpoints");
  EXPECT_NE(model.find("reasoning"), nullptr);
  EXPECT_EQ(
      parsed(*listing->model("deep/one:free")).find("data")->find("pricing")->text_of("prompt"),
      "0");
  EXPECT_EQ(parsed(*listing->model("older:nitro")).find("data")->text_of("id"), "deep/one");
  const JsonValue all = parsed(listing->models());
  EXPECT_EQ(all.find("data")->items.back().find("alias_target")->text_of("slug"), "deep/one");
  for (const char* unknown : {"deep/two", "far/off", "far/hidden", "far/three:free", ""}) {
    EXPECT_FALSE(listing->model(unknown)) << unknown;
  }
}

TEST_F(ListingTest, EndpointsShowTheirHealthWhereItIsKnown) {
  const std::vector<policy::EndpointHealth> views{{.recent_outage = true}};
  std::vector<policy::HealthReport> reports(1);
  reports[0].uptime_permille_30m = 995;
  reports[0].latency_s_30m = {0.125F, 0.25F, 0.5F, 1};
  reports[0].throughput_30m = {141.04F, 20.96F, 3.25F, 0.5F};
  const JsonValue body = parsed(*listing->endpoints("deep/one", {views, reports, Instant{0}}));
  const JsonValue& list = *body.find("data")->find("endpoints");
  ASSERT_EQ(list.items.size(), 3u);
  const JsonValue& acme = list.items[0];
  EXPECT_EQ(acme.text_of("provider_name"), "Acme \"Inc\"");
  EXPECT_EQ(acme.text_of("tag"), "acme");
  EXPECT_EQ(acme.number_of("status"), "-2");
  EXPECT_EQ(acme.number_of("uptime_last_30m"), "99.5");
  EXPECT_TRUE(acme.find("uptime_last_1d")->is(JsonValue::Kind::kNull));
  EXPECT_EQ(acme.find("latency_last_30m")->number_of("p50"), "125");
  EXPECT_EQ(acme.find("latency_last_30m")->number_of("p99"), "1000");
  const JsonValue& throughput = *acme.find("throughput_last_30m");
  EXPECT_EQ(throughput.number_of("p50"), "141");
  EXPECT_EQ(throughput.number_of("p75"), "21");
  EXPECT_EQ(throughput.number_of("p90"), "3.3");
  EXPECT_EQ(throughput.number_of("p99"), "0.5");
  const JsonValue& override = acme.find("pricing")->find("overrides")->items[0];
  EXPECT_EQ(override.text_of("prompt"), "0.0000003");
  EXPECT_EQ(override.number_of("min_prompt_tokens"), "200");
  EXPECT_EQ(override.number_of("utc_start"), "2230");
  EXPECT_EQ(override.find("utc_days")->items[0].text, "sunday");
  EXPECT_TRUE(list.items[1].find("latency_last_30m")->is(JsonValue::Kind::kNull));
  EXPECT_EQ(list.items[2].text_of("tag"), "mock/flex");
  EXPECT_EQ(
      parsed(*listing->endpoints("deep/one:free")).find("data")->find("endpoints")->items.size(),
      1u);
  EXPECT_FALSE(listing->endpoints("far/off"));
}

TEST_F(ListingTest, ZeroRetentionAndProviders) {
  const JsonValue zdr = parsed(listing->zdr_endpoints());
  ASSERT_EQ(zdr.find("data")->items.size(), 1u);
  EXPECT_EQ(zdr.find("data")->items[0].text_of("model_id"), "deep/one");
  const JsonValue providers = parsed(listing->providers());
  ASSERT_EQ(providers.find("data")->items.size(), 2u);  // not the one that serves nothing
  EXPECT_EQ(providers.find("data")->items[0].text_of("slug"), "acme");
  EXPECT_TRUE(
      providers.find("data")->items[0].find("privacy_policy_url")->is(JsonValue::Kind::kNull));
}

TEST_F(ListingTest, FiltersLeaveOutWhatTheySay) {
  EXPECT_EQ(ids("q=THREE"), "far/three ");
  EXPECT_EQ(ids("q=deep%3A+one&limit=1"), "deep/one ");
  EXPECT_EQ(ids("supported_parameters=tools"), "deep/one deep/one:free ~deep/one-latest ");
  EXPECT_EQ(ids("output_modalities=embeddings"), "far/two ");
  EXPECT_EQ(ids("input_modalities=image"), "far/three ");
  EXPECT_EQ(ids("context=501&model_authors=deep,x"), "deep/one deep/one:free ~deep/one-latest ");
  EXPECT_EQ(ids("context=1001"), "");
  EXPECT_EQ(ids("max_price=0.1"), "deep/one deep/one:free ~deep/one-latest ");
  EXPECT_EQ(ids("max_price=0.0999"), "deep/one:free ");
  EXPECT_EQ(ids("min_price=8"), "far/three ");
  EXPECT_EQ(ids("min_output_price=3"), "far/three ");
  EXPECT_EQ(ids("max_output_price=2&min_output_price=1"), "deep/one ~deep/one-latest ");
  EXPECT_EQ(ids("zdr=true"), "deep/one ~deep/one-latest ");
  EXPECT_EQ(ids("region=eu"), "deep/one ~deep/one-latest ");
  EXPECT_EQ(ids("region=us"), "");
  EXPECT_EQ(ids("providers=acme%20%22inc%22"), "deep/one ~deep/one-latest ");
  EXPECT_EQ(ids("distillable=false"), "far/three ");
  EXPECT_EQ(ids("arch=gpt"), "deep/one deep/one:free ~deep/one-latest ");
  EXPECT_EQ(ids("sort=newest"), "far/three deep/one deep/one:free ~deep/one-latest ");
  EXPECT_EQ(ids("sort=pricing-low-to-high"), "deep/one:free deep/one ~deep/one-latest far/three ");
  EXPECT_EQ(ids("sort=pricing-high-to-low&limit=1"), "far/three ");
  EXPECT_EQ(ids("sort=context-high-to-low&offset=3"), "far/three ");
  for (const char* query : {"limit=0", "limit=1001", "limit=x", "offset=-1", "zdr=yes",
                            "supported_parameters=tools,tolls", "max_price=free", "context=1.5"}) {
    EXPECT_TRUE(ids(query).starts_with("Invalid value")) << query;
  }
}

TEST_F(ListingTest, PagesNameTheNext) {
  const JsonValue first =
      parsed(listing->models(*parse_listing_query("limit=3"), "/api/v1/models"));
  EXPECT_EQ(first.find("links")->text_of("next"), "/api/v1/models?offset=3&limit=3");
  EXPECT_EQ(first.count_of("total_count"), 4u);
  EXPECT_EQ(ids("limit=3&offset=3"), "~deep/one-latest ");
  EXPECT_EQ(ids("limit=3&offset=99"), "");
}

}  // namespace
}  // namespace leat::control
