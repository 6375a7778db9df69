// SPDX-License-Identifier: Apache-2.0
#include "gateway/routes.h"

namespace leat::gateway {

namespace {

using dialect::Face;
using proto::Method;

struct Row {
  std::string_view path;
  Method method;
  Action action;
  Face face;
};

constexpr Row kRows[] = {
    {"/v1/chat/completions", Method::kPost, Action::kChat, Face::kOpenAi},
    {"/api/v1/chat/completions", Method::kPost, Action::kChat, Face::kOpenRouter},
    {"/v1/models", Method::kGet, Action::kModels, Face::kOpenAi},
    {"/api/v1/models", Method::kGet, Action::kModels, Face::kOpenRouter},
};

}  // namespace

Route find_route(Method method, std::string_view path) {
  for (const Row& row : kRows) {
    if (row.path != path) continue;
    if (row.method == method) return {row.action, row.face, ""};
    return {Action::kWrongMethod, row.face, row.method == Method::kPost ? "POST" : "GET"};
  }
  // Unknown paths answer in the shape of the face they look like.
  return {Action::kNotFound, path.starts_with("/api/") ? Face::kOpenRouter : Face::kOpenAi, ""};
}

}  // namespace leat::gateway
