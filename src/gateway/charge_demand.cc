// SPDX-License-Identifier: Apache-2.0
#include "gateway/charge_demand.h"

#include <algorithm>

namespace leat::gateway {

namespace {

bool searches_web(const dialect::RoutingFields& fields) {
  if (fields.has_plugins || fields.has_server_tools ||
      fields.parameters.has(dialect::Parameter::kWebSearchOptions)) {
    return true;
  }
  return std::ranges::any_of(fields.models(), [](const dialect::ModelName& model) {
    return model.has(dialect::Variant::kOnline);
  });
}

}  // namespace

policy::ChargeDemand demand_of(std::string_view body, RequestKind kind,
                               const dialect::RoutingFields& fields,
                               const dialect::ChatRequest& chat, const dialect::PromptInput& input,
                               std::uint32_t key_output_default_max) {
  policy::ChargeDemand demand;
  demand.text_bytes = body.size() - std::min<std::uint64_t>(fields.image_bytes, body.size());
  demand.images = fields.images;
  using dialect::Modality;
  demand.has_open_media = fields.has_unknown_parts;
  for (const auto medium : {Modality::kAudio, Modality::kFile, Modality::kVideo}) {
    demand.has_open_media = demand.has_open_media || fields.takes_input(medium);
  }
  demand.output_cap = chat.output_max;
  demand.choices = chat.n;
  demand.output = policy::ModalitySet::of_bits(fields.output_modalities);
  demand.web_searches = searches_web(fields) ? kWebSearchesMax : 0;
  demand.key_output_default_max = key_output_default_max;
  if (kind == RequestKind::kChat) return demand;
  demand.prompts = std::max<std::uint32_t>(input.count, 1);
  demand.choices *= static_cast<std::int64_t>(demand.prompts);
  demand.has_output = kind != RequestKind::kEmbeddings;
  demand.has_open_media = input.kind == dialect::InputKind::kParts;
  return demand;
}

// An escape may hide the word.
bool may_cache(std::string_view body) {
  return body.find("cache_control") != std::string_view::npos ||
         body.find("\\u") != std::string_view::npos;
}

}  // namespace leat::gateway
