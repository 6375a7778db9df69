// SPDX-License-Identifier: Apache-2.0
// Goal: only the listed paths are served; no spelling of a path gets anywhere else, and what names
// a model is taken as it stands. Method: the table of routes, and one of tricks
// (threats-and-faults.md 3.4 "path tricks").
#include "gateway/routes.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::gateway {
namespace {

using dialect::Face;
using proto::Method;

TEST(Routes, ServesEachKindOfRequestOnBothFaces) {
  constexpr std::pair<const char*, RequestKind> kPaths[] = {
      {"/chat/completions", RequestKind::kChat},
      {"/completions", RequestKind::kText},
      {"/embeddings", RequestKind::kEmbeddings},
  };
  for (const auto& [path, kind] : kPaths) {
    for (const auto& [prefix, face] :
         {std::pair{"/v1", Face::kOpenAi}, {"/api/v1", Face::kOpenRouter}}) {
      const Route route = find_route(Method::kPost, std::string(prefix) + path);
      EXPECT_EQ(route.action, Action::kInference) << path;
      EXPECT_EQ(route.face, face) << path;
      EXPECT_EQ(route.request, kind) << path;
    }
    EXPECT_EQ(request_path(kind), path);
  }
}

TEST(Routes, ServesTheListings) {
  struct Case {
    const char* path;
    Face face;
    ListingKind listing;
    const char* model;
  };
  const Case cases[] = {
      {"/v1/models", Face::kOpenAi, ListingKind::kModels, ""},
      {"/v1/models/acme/one", Face::kOpenAi, ListingKind::kOpenAiModel, "acme/one"},
      {"/v1/models/acme%2Fone", Face::kOpenAi, ListingKind::kOpenAiModel, "acme%2Fone"},
      // OpenAI's face has no list of endpoints: this is a model's name.
      {"/v1/models/acme/endpoints", Face::kOpenAi, ListingKind::kOpenAiModel, "acme/endpoints"},
      {"/api/v1/models", Face::kOpenRouter, ListingKind::kModels, ""},
      {"/api/v1/models/count", Face::kOpenRouter, ListingKind::kModelCount, ""},
      {"/api/v1/models/acme%2Fone", Face::kOpenRouter, ListingKind::kOpenAiModel, "acme%2Fone"},
      {"/api/v1/models/acme/one%3Afree/endpoints", Face::kOpenRouter, ListingKind::kModelEndpoints,
       "acme/one%3Afree"},
      {"/api/v1/model/acme/one:free", Face::kOpenRouter, ListingKind::kModel, "acme/one:free"},
      {"/api/v1/endpoints/zdr", Face::kOpenRouter, ListingKind::kZdrEndpoints, ""},
      {"/api/v1/providers", Face::kOpenRouter, ListingKind::kProviders, ""},
  };
  for (const Case& one : cases) {
    const Route route = find_route(Method::kGet, one.path);
    EXPECT_EQ(route.action, Action::kListing) << one.path;
    EXPECT_EQ(route.face, one.face) << one.path;
    EXPECT_EQ(route.listing, one.listing) << one.path;
    EXPECT_EQ(route.model_in(one.path), one.model);
    const Route other = find_route(Method::kPost, one.path);
    EXPECT_EQ(other.action, Action::kWrongMethod) << one.path;
    EXPECT_EQ(other.face, one.face) << one.path;
    EXPECT_STREQ(other.allow, "GET") << one.path;
  }
}

TEST(Routes, WrongMethodNamesTheRightOne) {
  const Route chat = find_route(Method::kGet, "/v1/chat/completions");
  EXPECT_EQ(chat.action, Action::kWrongMethod);
  EXPECT_STREQ(chat.allow, "POST");
  EXPECT_STREQ(find_route(Method::kDelete, "/v1/models").allow, "GET");
  EXPECT_EQ(find_route(Method::kHead, "/v1/models").action, Action::kWrongMethod);
}

TEST(Routes, TricksLeadNowhere) {
  for (const char* path : {"",
                           "/",
                           "/v1",
                           "/v1/chat/completions/",
                           "//v1/chat/completions",
                           "/v1//chat/completions",
                           "/v1/../v1/chat/completions",
                           "/v1/%63hat/completions",
                           "/v1/chat%2fcompletions",
                           "/V1/chat/completions",
                           "/v1/chat/completions;a",
                           "\\v1\\chat\\completions",
                           "/v1/chat/./completions",
                           "/metrics",
                           "/healthz",
                           "/api/v1/keys",
                           "/v1/models/",
                           "/api/v1/models/",
                           "/api/v1/model/",
                           "/api/v1/model",
                           "/v1//models",
                           "/v1/model/acme/one",
                           "/v1/%6dodels",
                           "/api/v1/endpoints",
                           "/api/v1/endpoints/zdr/",
                           "/api/v1/providers/",
                           "/v1/providers",
                           "/v1/endpoints/zdr",
                           "/api/v1%2fmodels",
                           "/api/v1/models%2fcount"}) {
    EXPECT_EQ(find_route(Method::kPost, path).action, Action::kNotFound) << path;
    EXPECT_EQ(find_route(Method::kGet, path).action, Action::kNotFound) << path;
  }
}

// Behind a route that names a model nothing but the catalogue is reached, however it is spelled.
TEST(Routes, TricksBehindAModelRouteStayNames) {
  for (const char* name : {"..", "../chat/completions", "%2e%2e/keys", "a//b", "a;b", "a\\b",
                           "acme/one/", "count/", "endpoints", "/endpoints"}) {
    const std::string path = std::string("/api/v1/models/") + name;
    const Route route = find_route(Method::kGet, path);
    EXPECT_EQ(route.action, Action::kListing) << path;
    EXPECT_EQ(route.listing, ListingKind::kOpenAiModel) << path;
    EXPECT_EQ(route.model_in(path), name);
    EXPECT_EQ(find_route(Method::kPost, path).action, Action::kWrongMethod) << path;
  }
}

TEST(Routes, UnknownPathsKeepTheirFace) {
  EXPECT_EQ(find_route(Method::kGet, "/api/v1/nothing").face, Face::kOpenRouter);
  EXPECT_EQ(find_route(Method::kGet, "/v1/nothing").face, Face::kOpenAi);
}

// A key may ask about itself; nobody administers anything here.
TEST(Routes, AKeyAsksAboutItselfAndManagementIsNotThere) {
  const Route key = find_route(Method::kGet, "/api/v1/key");
  EXPECT_EQ(find_route(Method::kGet, "/api/v1/auth/key").topic, key.topic);
  EXPECT_EQ(find_route(Method::kGet, "/api/v1/auth/key").action, key.action);
  EXPECT_EQ(key.action, Action::kAccount);
  EXPECT_EQ(key.topic, AccountTopic::kKey);
  EXPECT_EQ(key.face, dialect::Face::kOpenRouter);
  const Route credits = find_route(Method::kGet, "/api/v1/credits");
  EXPECT_EQ(credits.action, Action::kAccount);
  EXPECT_EQ(credits.topic, AccountTopic::kCredits);
  const Route generation = find_route(Method::kGet, "/api/v1/generation");
  EXPECT_EQ(generation.action, Action::kAccount);
  EXPECT_EQ(generation.topic, AccountTopic::kGeneration);
  EXPECT_EQ(find_route(Method::kPost, "/api/v1/credits").action, Action::kWrongMethod);
  for (const char* path : {"/api/v1/keys", "/api/v1/keys/0", "/api/v1/workspaces", "/api/v1/byok",
                           "/v1/key", "/v1/credits", "/api/v1/key/", "/api/v1/credits/x"}) {
    EXPECT_EQ(find_route(Method::kGet, path).action, Action::kNotFound) << path;
    EXPECT_EQ(find_route(Method::kDelete, path).action, Action::kNotFound) << path;
  }
}

}  // namespace
}  // namespace leat::gateway
