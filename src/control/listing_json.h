// SPDX-License-Identifier: Apache-2.0
// The objects that listings are made of, as JSON text: model, endpoint, pricing and provider with
// exactly the keys of OpenRouter's (openrouter-api.md 1.2). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/listing.h"
#include "policy/catalogue.h"

namespace leat::control {

// The text in quotes, escaped.
std::string json_text(std::string_view text);

std::string pricing_json(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint);
std::string architecture_json(const policy::Model& model);
// What a model is listed to take and to give: text, where nobody said.
policy::ModalitySet listed(policy::ModalitySet stated);
std::string provider_json(const policy::Provider& provider);

// What a model's object says that is not the model's own.
struct ModelView {
  std::string_view id;
  std::string_view name;
  std::int64_t created = 0;                     // unix seconds
  const policy::Endpoint* shown = nullptr;      // its prices and limits
  const policy::Model* alias_target = nullptr;  // null: it is no alias
};
std::string model_json(const policy::Catalogue& catalogue, const policy::Model& model,
                       const ModelView& view);

// OpenAI's model object.
std::string openai_model_json(std::string_view id, std::int64_t created, std::string_view owner);

// The endpoint's object without its last keys and the closing brace, which append_health() adds.
std::string endpoint_json(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint,
                          std::string_view model_id, std::string_view model_name);
// The one thing that is written for each endpoint of each answer: about 0.3 us.
void append_health(std::string& out, const ListedHealth& health);

}  // namespace leat::control
