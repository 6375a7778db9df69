// SPDX-License-Identifier: Apache-2.0
// Goal: each listing route gets the body of its face, with health in the API's numbers, and a bad
// query or an unknown model the right refusal. Method: one catalogue; every kind of request, with
// names and queries spelled as clients spell them.
#include "control/catalogue_listing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/catalogue_build.h"
#include "control/catalogue_reader.h"
#include "control/json_tree.h"

namespace leat::control {
namespace {

using dialect::ErrorKind;
using dialect::Face;
using gateway::ListingAnswer;
using gateway::ListingKind;
using gateway::ListingRequest;

constexpr std::int64_t kStart = 1'790'000'000;

constexpr std::string_view kCatalogue = R"([providers.acme]
data = { trains = false, publishes = false, retention_days = 0 }
[[models]]
id = "deep/one"
family = "one"
created_unix_s = 100
[[models.endpoints]]
provider = "acme"
model = "x"
price = { prompt = 1, completion = 2 }
[[models.endpoints]]
provider = "acme"
model = "x-free"
variant = "free"
free = true
[[models]]
id = "far/new"
output = ["embeddings"]
endpoints = [{ provider = "acme", model = "z", price = { prompt = 7 } }]
)";

class CatalogueListingTest : public testing::Test {
 protected:
  static std::shared_ptr<const gateway::RoutedCatalogue> catalogue() {
    CatalogueDraft draft;
    std::vector<FaultList> faults{FaultList("c")};
    read_catalogue(kCatalogue, "c", draft, faults.front());
    auto made = build_catalogue(draft, BuildFor::kAlone, faults);
    for (const Fault& fault : faults.front().take()) ADD_FAILURE() << fault.to_string();
    return std::make_shared<const gateway::RoutedCatalogue>(std::move(*made));
  }

  static JsonValue parsed(std::string_view text) {
    std::string why;
    const auto value = parse_json(text, why);
    EXPECT_TRUE(value) << why << text;
    return value.value_or(JsonValue());
  }
  JsonValue good(const ListingRequest& request) const {
    const ListingAnswer answer = source.answer(request);
    EXPECT_TRUE(answer.is_good) << answer.message;
    return parsed(answer.body);
  }

  const CatalogueListing source{catalogue(), kStart};
};

TEST_F(CatalogueListingTest, OpenAisListHasEveryModelInItsShape) {
  const std::string_view all = source.all_models(Face::kOpenAi);
  EXPECT_EQ(all, R"({"object":"list","data":[)"
                 R"({"id":"deep/one","object":"model","created":100,"owned_by":"deep"},)"
                 R"({"id":"deep/one:free","object":"model","created":100,"owned_by":"deep"},)"
                 R"({"id":"far/new","object":"model","created":1790000000,"owned_by":"far"},)"
                 R"({"id":"~deep/one-latest","object":"model","created":100,"owned_by":"deep"}]})");
  EXPECT_EQ(source.all_models(Face::kOpenAi).data(), all.data()) << "made once";
  // What OpenAI's list has no parameter for is not looked at.
  const ListingAnswer asked =
      source.answer({.kind = ListingKind::kModels, .face = Face::kOpenAi, .query = "limit=no"});
  EXPECT_TRUE(asked.is_good);
  EXPECT_EQ(asked.body, all);
}

TEST_F(CatalogueListingTest, OpenAisModelIsFoundByItsEncodedName) {
  for (const char* name : {"deep/one:free", "deep%2Fone%3Afree", "deep%2fone%3afree"}) {
    for (const Face face : {Face::kOpenAi, Face::kOpenRouter}) {
      const JsonValue model =
          good({.kind = ListingKind::kOpenAiModel, .face = face, .reference = name});
      EXPECT_EQ(model.text_of("id"), "deep/one:free");
      EXPECT_EQ(model.text_of("object"), "model");
      EXPECT_EQ(model.text_of("owned_by"), "deep");
    }
  }
}

TEST_F(CatalogueListingTest, OpenRoutersListIsMadeOnceAndFilteredOnRequest) {
  const std::string_view all = source.all_models(Face::kOpenRouter);
  EXPECT_EQ(parsed(all).find("data")->items.size(), 3U);
  EXPECT_EQ(source.all_models(Face::kOpenRouter).data(), all.data());
  const JsonValue body =
      good({.kind = ListingKind::kModels, .query = "output_modalities=embeddings"});
  ASSERT_EQ(body.find("data")->items.size(), 1U);
  EXPECT_EQ(body.find("data")->items[0].text_of("id"), "far/new");
  EXPECT_EQ(body.find("data")->items[0].number_of("created"), "1790000000");
  const JsonValue count = good({.kind = ListingKind::kModelCount, .query = "q=free"});
  EXPECT_EQ(count.find("data")->number_of("count"), "1");
}

// The start stands in for the age that is not known, in the order as in the object.
TEST_F(CatalogueListingTest, NewestCountsAModelWithoutADateAsNew) {
  const JsonValue body =
      good({.kind = ListingKind::kModels, .query = "output_modalities=all&sort=newest"});
  EXPECT_EQ(body.find("data")->items[0].text_of("id"), "far/new");
}

TEST_F(CatalogueListingTest, TheNextPageKeepsTheOtherParameters) {
  const auto next = [this](std::string_view query) {
    const JsonValue body = good({.kind = ListingKind::kModels, .query = query});
    return std::string(body.find("links")->text_of("next"));
  };
  EXPECT_EQ(next("limit=1"), "/api/v1/models?offset=1&limit=1");
  EXPECT_EQ(next("limit=1&q=deep%2F&offset=0&sort=newest&"),
            "/api/v1/models?q=deep%2F&sort=newest&offset=1&limit=1");
  EXPECT_EQ(next("o%66fset=1&limit=1"), "/api/v1/models?offset=2&limit=1");
  EXPECT_EQ(next("limit=3"), "");
}

TEST_F(CatalogueListingTest, ModelAndEndpointsAreFoundByTheirEncodedName) {
  for (const char* name : {"deep/one:free", "deep/one%3Afree", "deep%2Fone%3Afree"}) {
    const JsonValue model = good({.kind = ListingKind::kModel, .reference = name});
    EXPECT_EQ(model.find("data")->text_of("id"), "deep/one:free");
    const JsonValue list = good({.kind = ListingKind::kModelEndpoints, .reference = name});
    EXPECT_EQ(list.find("data")->find("endpoints")->items.size(), 1U);
  }
  const JsonValue latest = good({.kind = ListingKind::kModel, .reference = "~deep/one-latest"});
  EXPECT_EQ(latest.find("data")->text_of("id"), "deep/one");
  const JsonValue zdr = good({.kind = ListingKind::kZdrEndpoints});
  EXPECT_EQ(zdr.find("data")->items.size(), 3U);
  const JsonValue providers = good({.kind = ListingKind::kProviders});
  EXPECT_EQ(providers.find("data")->items[0].text_of("slug"), "acme");
}

TEST_F(CatalogueListingTest, HealthIsThatOfTheRequest) {
  const std::vector<policy::EndpointHealth> views{{}, {.breaker = policy::BreakerState::kOpen}};
  std::vector<policy::HealthReport> reports(2);
  reports[1].uptime_permille_1d = 123;
  for (const auto kind : {ListingKind::kModelEndpoints, ListingKind::kZdrEndpoints}) {
    const JsonValue body =
        good({.kind = kind, .reference = "deep/one:free", .health = views, .reports = reports});
    const JsonValue& data = *body.find("data");
    const JsonValue& free =
        kind == ListingKind::kZdrEndpoints ? data.items[1] : data.find("endpoints")->items[0];
    EXPECT_EQ(free.number_of("status"), "-10");
    EXPECT_EQ(free.number_of("uptime_last_1d"), "12.3");
  }
}

TEST_F(CatalogueListingTest, UnknownModelsAreRefused) {
  for (const auto kind :
       {ListingKind::kModel, ListingKind::kModelEndpoints, ListingKind::kOpenAiModel}) {
    for (const char* name : {"deep/two", "deep", "", "%", "deep/one%", "deep/one%3", "deep/one%00",
                             "deep%252Fone", "../deep/one", "deep/one:nothing", "far/new:free"}) {
      const ListingAnswer answer = source.answer({.kind = kind, .reference = name});
      EXPECT_FALSE(answer.is_good) << name;
      EXPECT_EQ(answer.kind, ErrorKind::kModelNotFound) << name;
      EXPECT_EQ(answer.param, "model");
    }
  }
}

TEST_F(CatalogueListingTest, BadQueriesNameTheirParameterAndNotItsValue) {
  for (const auto kind : {ListingKind::kModels, ListingKind::kModelCount}) {
    for (const std::string param : {"limit", "offset", "supported_parameters", "input_modalities",
                                    "output_modalities", "context", "min_price", "max_price",
                                    "min_output_price", "max_output_price", "distillable", "zdr"}) {
      const std::string query = "q=deep&" + param + "=sekret";
      const ListingAnswer answer = source.answer({.kind = kind, .query = query});
      EXPECT_FALSE(answer.is_good) << param;
      EXPECT_EQ(answer.kind, ErrorKind::kInvalidRequest);
      EXPECT_EQ(answer.param, param);
      EXPECT_NE(answer.message.find(param), std::string::npos);
      EXPECT_EQ(answer.message.find("sekret"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace leat::control
