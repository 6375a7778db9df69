// SPDX-License-Identifier: Apache-2.0
// Goal: only the listed paths are served; no spelling of a path gets anywhere else. Method: a table
// of tricks (threats-and-faults.md 3.4 "path tricks").
#include "gateway/routes.h"

#include <gtest/gtest.h>

namespace leat::gateway {
namespace {

using dialect::Face;
using proto::Method;

TEST(Routes, ServesTheFourRoutes) {
  EXPECT_EQ(find_route(Method::kPost, "/v1/chat/completions").action, Action::kChat);
  EXPECT_EQ(find_route(Method::kPost, "/v1/chat/completions").face, Face::kOpenAi);
  EXPECT_EQ(find_route(Method::kPost, "/api/v1/chat/completions").action, Action::kChat);
  EXPECT_EQ(find_route(Method::kPost, "/api/v1/chat/completions").face, Face::kOpenRouter);
  EXPECT_EQ(find_route(Method::kGet, "/v1/models").action, Action::kModels);
  EXPECT_EQ(find_route(Method::kGet, "/api/v1/models").face, Face::kOpenRouter);
}

TEST(Routes, WrongMethodNamesTheRightOne) {
  const Route chat = find_route(Method::kGet, "/v1/chat/completions");
  EXPECT_EQ(chat.action, Action::kWrongMethod);
  EXPECT_STREQ(chat.allow, "POST");
  EXPECT_STREQ(find_route(Method::kDelete, "/v1/models").allow, "GET");
}

TEST(Routes, TricksLeadNowhere) {
  for (const char* path :
       {"", "/", "/v1", "/v1/chat/completions/", "//v1/chat/completions", "/v1//chat/completions",
        "/v1/../v1/chat/completions", "/v1/%63hat/completions", "/v1/chat%2fcompletions",
        "/V1/chat/completions", "/v1/chat/completions;a", "\\v1\\chat\\completions",
        "/v1/chat/./completions", "/api/v1/models/x", "/metrics", "/healthz", "/api/v1/keys"}) {
    EXPECT_EQ(find_route(Method::kPost, path).action, Action::kNotFound) << path;
    EXPECT_EQ(find_route(Method::kGet, path).action, Action::kNotFound) << path;
  }
}

TEST(Routes, UnknownPathsKeepTheirFace) {
  EXPECT_EQ(find_route(Method::kGet, "/api/v1/nothing").face, Face::kOpenRouter);
  EXPECT_EQ(find_route(Method::kGet, "/v1/nothing").face, Face::kOpenAi);
}

}  // namespace
}  // namespace leat::gateway
