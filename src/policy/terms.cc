// SPDX-License-Identifier: Apache-2.0
#include "policy/terms.h"

#include <array>

namespace leat::policy {
namespace {

constexpr std::array<std::string_view, kParameters> kParameterNames = {
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "structured_outputs",
    "reasoning",
    "reasoning_effort",
    "include_reasoning",
    "verbosity",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "top_a",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "prediction",
    "web_search_options",
    "service_tier",
    "store",
    "user",
    "metadata",
    "prompt_cache_key",
    "cache_control",
    "modalities",
    "audio",
    "image_config",
    "max_tool_calls",
    "encoding_format",
    "dimensions",
    "n",
};
constexpr std::array<std::string_view, kModalities> kModalityNames = {
    "text",       "image",  "audio",  "file",          "video",
    "embeddings", "rerank", "speech", "transcription", "decisions",
};
constexpr std::array<std::string_view, kQuantizations> kQuantizationNames = {
    "int4", "int8",  "fp4",  "mxfp4", "nvfp4", "fp6",
    "fp8",  "mxfp8", "fp16", "bf16",  "fp32",  "unknown",
};
constexpr std::array<std::string_view, kServiceTiers> kServiceTierNames = {"default", "flex",
                                                                           "priority"};
constexpr std::array<std::string_view, kVariants> kVariantNames = {
    "free", "extended", "thinking", "batch", "nitro", "floor", "exacto", "online",
};
constexpr std::array<std::string_view, kPriceClasses> kPriceClassNames = {
    "prompt",
    "completion",
    "request",
    "image",
    "image_token",
    "image_output",
    "audio",
    "audio_output",
    "input_audio_cache",
    "internal_reasoning",
    "input_cache_read",
    "input_cache_write",
    "input_cache_write_1h",
    "web_search",
};
constexpr std::array<std::string_view, kToolChoices> kToolChoiceNames = {"auto", "none", "required",
                                                                         "function"};
constexpr std::array<std::string_view, kQuirks> kQuirkNames = {
    "max_completion_tokens", "no_max_completion_tokens",
    "no_developer_role",     "no_stream_usage",
    "no_strict_tools",       "no_tool_choice_required",
    "no_streamed_schema",    "drop_empty_tools",
    "must_replay_reasoning", "completion_without_reasoning",
    "usage_cumulative",      "usage_in_choice",
    "normalise_chunks",      "no_done",
    "no_finish_reason",      "strict_messages",
    "random_seed",           "runs_server_tools",
    "continues_assistant",   "continues_prefix",
    "continues_partial",     "continues_final_message",
};

constexpr const auto& names_of(Parameter) {
  return kParameterNames;
}
constexpr const auto& names_of(Modality) {
  return kModalityNames;
}
constexpr const auto& names_of(Quantization) {
  return kQuantizationNames;
}
constexpr const auto& names_of(ServiceTier) {
  return kServiceTierNames;
}
constexpr const auto& names_of(Variant) {
  return kVariantNames;
}
constexpr const auto& names_of(PriceClass) {
  return kPriceClassNames;
}
constexpr const auto& names_of(ToolChoice) {
  return kToolChoiceNames;
}
constexpr const auto& names_of(Quirk) {
  return kQuirkNames;
}

// The last name of a table that is too short would be empty.
static_assert(!kParameterNames.back().empty() && !kModalityNames.back().empty());
static_assert(!kQuantizationNames.back().empty() && !kVariantNames.back().empty());
static_assert(!kPriceClassNames.back().empty() && !kQuirkNames.back().empty());

}  // namespace

std::string_view name_of(Parameter value) {
  return kParameterNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(Modality value) {
  return kModalityNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(Quantization value) {
  return kQuantizationNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(ServiceTier value) {
  return kServiceTierNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(Variant value) {
  return kVariantNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(PriceClass value) {
  return kPriceClassNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(ToolChoice value) {
  return kToolChoiceNames[static_cast<std::size_t>(value)];
}
std::string_view name_of(Quirk value) {
  return kQuirkNames[static_cast<std::size_t>(value)];
}

template <class E>
std::optional<E> value_of(std::string_view name) {
  const auto& names = names_of(E{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}
template std::optional<Parameter> value_of<Parameter>(std::string_view);
template std::optional<Modality> value_of<Modality>(std::string_view);
template std::optional<Quantization> value_of<Quantization>(std::string_view);
template std::optional<ServiceTier> value_of<ServiceTier>(std::string_view);
template std::optional<Variant> value_of<Variant>(std::string_view);
template std::optional<PriceClass> value_of<PriceClass>(std::string_view);
template std::optional<ToolChoice> value_of<ToolChoice>(std::string_view);
template std::optional<Quirk> value_of<Quirk>(std::string_view);

}  // namespace leat::policy
