// SPDX-License-Identifier: Apache-2.0
#include "gateway/routes.h"

namespace leat::gateway {

namespace {

using dialect::Face;
using proto::Method;

// The whole path, or what stands before and behind a model's name in it.
struct Row {
  std::string_view before;
  std::string_view behind;
  bool has_model = false;
  Face face;
  Action action = Action::kListing;
  ListingKind listing = ListingKind::kModels;
  RequestKind request = RequestKind::kChat;
  AccountTopic topic = AccountTopic::kKey;
  std::string_view form = {};  // where it is not `before`

  constexpr Method method() const {
    return action == Action::kInference ? Method::kPost : Method::kGet;
  }
  constexpr bool is_of(std::string_view path) const {
    if (!has_model) return path == before;
    return path.size() > before.size() + behind.size() && path.starts_with(before) &&
           path.ends_with(behind);
  }
};

constexpr Row inference(std::string_view path, Face face, RequestKind kind) {
  return {.before = path, .face = face, .action = Action::kInference, .request = kind};
}

constexpr Row account(std::string_view path, AccountTopic topic) {
  return {.before = path, .face = Face::kOpenRouter, .action = Action::kAccount, .topic = topic};
}

constexpr Row whole(std::string_view path, Face face, ListingKind listing) {
  return {.before = path, .face = face, .listing = listing};
}

constexpr Row named(std::string_view form, Face face, ListingKind listing) {
  const std::size_t model = form.find("{id}");
  return {.before = form.substr(0, model),
          .behind = form.substr(model + 4),
          .has_model = true,
          .face = face,
          .listing = listing,
          .form = form};
}

// The first that fits: whole paths stand before those with a model in them.
constexpr Row kRows[] = {
    inference("/v1/chat/completions", Face::kOpenAi, RequestKind::kChat),
    inference("/api/v1/chat/completions", Face::kOpenRouter, RequestKind::kChat),
    inference("/v1/completions", Face::kOpenAi, RequestKind::kText),
    inference("/api/v1/completions", Face::kOpenRouter, RequestKind::kText),
    inference("/v1/embeddings", Face::kOpenAi, RequestKind::kEmbeddings),
    inference("/api/v1/embeddings", Face::kOpenRouter, RequestKind::kEmbeddings),
    account("/api/v1/key", AccountTopic::kKey),
    account("/api/v1/auth/key", AccountTopic::kKey),  // its older name (openrouter-api.md 1)
    account("/api/v1/credits", AccountTopic::kCredits),
    account("/api/v1/generation", AccountTopic::kGeneration),
    whole("/v1/models", Face::kOpenAi, ListingKind::kModels),
    whole("/api/v1/models", Face::kOpenRouter, ListingKind::kModels),
    whole("/api/v1/models/count", Face::kOpenRouter, ListingKind::kModelCount),
    whole("/api/v1/endpoints/zdr", Face::kOpenRouter, ListingKind::kZdrEndpoints),
    whole("/api/v1/providers", Face::kOpenRouter, ListingKind::kProviders),
    named("/api/v1/model/{id}", Face::kOpenRouter, ListingKind::kModel),
    named("/api/v1/models/{id}/endpoints", Face::kOpenRouter, ListingKind::kModelEndpoints),
    named("/v1/models/{id}", Face::kOpenAi, ListingKind::kOpenAiModel),
    // OpenRouter has none of its own here: who asks is OpenAI's client (openrouter-api.md 6.6).
    named("/api/v1/models/{id}", Face::kOpenRouter, ListingKind::kOpenAiModel),
};

}  // namespace

Route find_route(Method method, std::string_view path) {
  for (const Row& row : kRows) {
    if (!row.is_of(path)) continue;
    Route route{.action = row.action,
                .face = row.face,
                .listing = row.listing,
                .request = row.request,
                .topic = row.topic,
                .form = row.has_model ? row.form : row.before};
    if (row.has_model) {
      route.before_model = row.before.size();
      route.behind_model = row.behind.size();
    }
    if (row.method() != method) {
      route.action = Action::kWrongMethod;
      route.allow = row.method() == Method::kPost ? "POST" : "GET";
    }
    return route;
  }
  // Unknown paths answer in the shape of the face they look like.
  return {.face = path.starts_with("/api/") ? Face::kOpenRouter : Face::kOpenAi};
}

}  // namespace leat::gateway
