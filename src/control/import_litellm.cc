// SPDX-License-Identifier: Apache-2.0
// LiteLLM's price file: an object of models by a name that often begins with the provider's. Prices
// in dollars per token, as numbers.
#include <fmt/format.h>

#include <array>

#include "control/import_parts.h"

namespace leat::control {
namespace {

using policy::Parameter;
using policy::PriceClass;

constexpr PriceSource kPrices[] = {
    {"input_cost_per_token", PriceClass::kPrompt},
    {"output_cost_per_token", PriceClass::kCompletion},
    {"cache_read_input_token_cost", PriceClass::kInputCacheRead},
    {"cache_creation_input_token_cost", PriceClass::kInputCacheWrite},
    {"cache_creation_input_token_cost_above_1hr", PriceClass::kInputCacheWrite1h},
    {"output_cost_per_reasoning_token", PriceClass::kInternalReasoning},
    {"input_cost_per_audio_token", PriceClass::kAudio},
    {"output_cost_per_audio_token", PriceClass::kAudioOutput},
    {"cache_read_input_audio_token_cost", PriceClass::kInputAudioCache},
    {"input_cost_per_image", PriceClass::kImage},
    {"input_cost_per_image_token", PriceClass::kImageToken},
    {"output_cost_per_image_token", PriceClass::kImageOutput},
    {"input_cost_per_request", PriceClass::kRequest},
};

struct LongPrompts {
  std::uint64_t over;
  std::span<const PriceSource> prices;
};
constexpr PriceSource kOver128k[] = {
    {"input_cost_per_token_above_128k_tokens", PriceClass::kPrompt},
    {"output_cost_per_token_above_128k_tokens", PriceClass::kCompletion},
};
constexpr PriceSource kOver200k[] = {
    {"input_cost_per_token_above_200k_tokens", PriceClass::kPrompt},
    {"output_cost_per_token_above_200k_tokens", PriceClass::kCompletion},
    {"cache_read_input_token_cost_above_200k_tokens", PriceClass::kInputCacheRead},
    {"cache_creation_input_token_cost_above_200k_tokens", PriceClass::kInputCacheWrite},
};
constexpr PriceSource kOver272k[] = {
    {"input_cost_per_token_above_272k_tokens", PriceClass::kPrompt},
    {"output_cost_per_token_above_272k_tokens", PriceClass::kCompletion},
    {"cache_read_input_token_cost_above_272k_tokens", PriceClass::kInputCacheRead},
};
constexpr std::array<LongPrompts, 3> kLongPrompts{
    {{128'000, kOver128k}, {200'000, kOver200k}, {272'000, kOver272k}}};

constexpr PriceSource kPriorityPrices[] = {
    {"input_cost_per_token_priority", PriceClass::kPrompt},
    {"output_cost_per_token_priority", PriceClass::kCompletion},
    {"cache_read_input_token_cost_priority", PriceClass::kInputCacheRead},
};
constexpr PriceSource kFlexPrices[] = {
    {"input_cost_per_token_flex", PriceClass::kPrompt},
    {"output_cost_per_token_flex", PriceClass::kCompletion},
    {"cache_read_input_token_cost_flex", PriceClass::kInputCacheRead},
};

struct Flag {
  std::string_view key;
  policy::ParameterSet parameters;
};
constexpr std::array<Flag, 7> kFlags{{
    {"supports_function_calling", {Parameter::kTools}},
    {"supports_tool_choice", {Parameter::kToolChoice}},
    {"supports_parallel_function_calling", {Parameter::kParallelToolCalls}},
    {"supports_response_schema", {Parameter::kResponseFormat, Parameter::kStructuredOutputs}},
    {"supports_reasoning", {Parameter::kReasoning, Parameter::kIncludeReasoning}},
    {"supports_web_search", {Parameter::kWebSearchOptions}},
    {"supports_service_tier", {Parameter::kServiceTier}},
}};

bool is_text_mode(std::string_view mode) {
  return mode.empty() || mode == "chat" || mode == "completion" || mode == "responses";
}

DraftModel facts(const JsonValue& from) {
  DraftModel model;
  model.input = {policy::Modality::kText};
  model.output = {policy::Modality::kText};
  if (from.is_true("supports_vision")) model.input.add(policy::Modality::kImage);
  if (from.is_true("supports_audio_input")) model.input.add(policy::Modality::kAudio);
  if (from.is_true("supports_pdf_input")) model.input.add(policy::Modality::kFile);
  if (from.is_true("supports_video_input")) model.input.add(policy::Modality::kVideo);
  if (from.is_true("supports_audio_output")) model.output.add(policy::Modality::kAudio);
  model.expires_unix_s = unix_seconds(from.text_of("deprecation_date"));
  if (from.text_of("mode") == "embedding") model.output = {policy::Modality::kEmbeddings};
  return model;
}

policy::ParameterSet parameters(const JsonValue& from) {
  if (from.text_of("mode") == "embedding") {
    return {Parameter::kDimensions, Parameter::kEncodingFormat};
  }
  policy::ParameterSet set{Parameter::kMaxTokens,
                           Parameter::kStop,
                           Parameter::kTemperature,
                           Parameter::kTopP,
                           Parameter::kFrequencyPenalty,
                           Parameter::kPresencePenalty,
                           Parameter::kSeed};
  for (const Flag& flag : kFlags) {
    if (from.is_true(flag.key)) set = set | flag.parameters;
  }
  return set;
}

// Its names for providers where they are not those of everybody else.
std::string provider_slug(std::string_view name) {
  if (name.starts_with("vertex_ai")) return "google-vertex";
  if (name.starts_with("bedrock")) return "amazon-bedrock";
  if (name == "gemini") return "google-ai-studio";
  if (name == "together_ai") return "together";
  if (name == "fireworks_ai") return "fireworks";
  if (name.starts_with("azure")) return "azure";
  return slug_of(name);
}

}  // namespace

void CatalogueImport::read_litellm(const JsonValue& root) {
  for (const JsonMember& member : root.members) {
    const JsonValue& from = member.value;
    const std::string_view maker = from.text_of("litellm_provider");
    if (member.key == "sample_spec" || maker.empty()) continue;
    const std::string_view mode = from.text_of("mode");
    if (!is_text_mode(mode) && mode != "embedding") {
      unplaced_.push_back({member.key, fmt::format("mode \"{}\" is not served yet", mode)});
      continue;
    }
    ImportEntry entry;
    entry.name = member.key;
    // The first part of the name is the provider's again, in whatever spelling.
    const std::size_t slash = member.key.find('/');
    const std::string slug = provider_slug(maker);
    const bool repeats = slash != std::string::npos &&
                         provider_slug(std::string_view(member.key).substr(0, slash)) == slug;
    const std::string name = repeats ? member.key.substr(slash + 1) : member.key;
    provider(slug);
    entry.id = model_id_of(name);
    entry.model = facts(from);
    DraftEndpoint& endpoint = entry.endpoint;
    endpoint.provider = slug;
    endpoint.model = name;
    endpoint.parameters = parameters(from);
    endpoint.implicit_caching = slug == "openai" && from.is_true("supports_prompt_caching");
    endpoint.context_tokens = from.count_of("max_input_tokens");
    endpoint.completion_tokens_max = from.count_of("max_output_tokens");
    bool is_good = take_prices(from, kPrices, PriceUnit::kPerUnit, entry.name, endpoint.prices,
                               changed_, unplaced_);
    for (const LongPrompts& tier : kLongPrompts) {
      DraftOverride override;
      override.terms.has_prompt_condition = true;
      override.terms.prompt_tokens_over = tier.over;
      is_good = is_good && take_prices(from, tier.prices, PriceUnit::kPerUnit, entry.name,
                                       override.terms.prices, changed_, unplaced_);
      if (override.terms.prices != policy::Prices()) endpoint.overrides.push_back(override);
    }
    if (!is_good) continue;
    for (const auto tier : {policy::ServiceTier::kPriority, policy::ServiceTier::kFlex}) {
      ImportEntry second = entry;
      second.name += fmt::format(" ({})", policy::name_of(tier));
      second.endpoint.tier = tier;
      second.endpoint.overrides.clear();
      second.endpoint.prices = {};
      const std::span<const PriceSource> sources =
          tier == policy::ServiceTier::kPriority ? std::span<const PriceSource>(kPriorityPrices)
                                                 : kFlexPrices;
      if (take_prices(from, sources, PriceUnit::kPerUnit, second.name, second.endpoint.prices,
                      changed_, unplaced_) &&
          second.endpoint.prices != policy::Prices()) {
        entries_.push_back(std::move(second));
      }
    }
    entries_.push_back(std::move(entry));
  }
}

}  // namespace leat::control
