// SPDX-License-Identifier: Apache-2.0
#include "dialect/parameters.h"

#include <array>

namespace leat::dialect {

namespace {

using P = Parameter;
using proto::TopKey;

struct Row {
  Parameter parameter;
  TopKey key;  // its name is the parameter's
};
constexpr std::array<Row, kParameterCount> kRows = {{
    {P::kTools, TopKey::kTools},
    {P::kToolChoice, TopKey::kToolChoice},
    {P::kParallelToolCalls, TopKey::kParallelToolCalls},
    {P::kResponseFormat, TopKey::kResponseFormat},
    {P::kStructuredOutputs, TopKey::kStructuredOutputs},
    {P::kReasoning, TopKey::kReasoning},
    {P::kReasoningEffort, TopKey::kReasoningEffort},
    {P::kIncludeReasoning, TopKey::kIncludeReasoning},
    {P::kVerbosity, TopKey::kVerbosity},
    {P::kMaxTokens, TopKey::kMaxTokens},
    {P::kMaxCompletionTokens, TopKey::kMaxCompletionTokens},
    {P::kTemperature, TopKey::kTemperature},
    {P::kTopP, TopKey::kTopP},
    {P::kTopK, TopKey::kTopK},
    {P::kTopA, TopKey::kTopA},
    {P::kMinP, TopKey::kMinP},
    {P::kFrequencyPenalty, TopKey::kFrequencyPenalty},
    {P::kPresencePenalty, TopKey::kPresencePenalty},
    {P::kRepetitionPenalty, TopKey::kRepetitionPenalty},
    {P::kSeed, TopKey::kSeed},
    {P::kStop, TopKey::kStop},
    {P::kLogitBias, TopKey::kLogitBias},
    {P::kLogprobs, TopKey::kLogprobs},
    {P::kTopLogprobs, TopKey::kTopLogprobs},
    {P::kPrediction, TopKey::kPrediction},
    {P::kWebSearchOptions, TopKey::kWebSearchOptions},
    {P::kServiceTier, TopKey::kServiceTier},
    {P::kStore, TopKey::kStore},
    {P::kUser, TopKey::kUser},
    {P::kMetadata, TopKey::kMetadata},
    {P::kPromptCacheKey, TopKey::kPromptCacheKey},
    {P::kCacheControl, TopKey::kCacheControl},
    {P::kModalities, TopKey::kModalities},
    {P::kAudio, TopKey::kAudio},
    {P::kImageConfig, TopKey::kImageConfig},
    {P::kMaxToolCalls, TopKey::kMaxToolCalls},
    {P::kEncodingFormat, TopKey::kEncodingFormat},
    {P::kDimensions, TopKey::kDimensions},
    {P::kN, TopKey::kN},
}};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].parameter) != i) return false;
  }
  return true;
}
static_assert(rows_in_order());

constexpr proto::TopKeySet all_keys() {
  proto::TopKeySet keys = 0;
  for (const Row& row : kRows) keys |= proto::keys_of({row.key});
  return keys;
}

// By the key's value.
constexpr std::array<Parameter, proto::kTopKeyCount> parameters_by_key() {
  std::array<Parameter, proto::kTopKeyCount> by_key{};
  for (const Row& row : kRows) by_key[static_cast<std::size_t>(row.key)] = row.parameter;
  return by_key;
}
constexpr std::array<Parameter, proto::kTopKeyCount> kByKey = parameters_by_key();

}  // namespace

const proto::TopKeySet kParameterKeys = all_keys();

Parameter parameter_of(TopKey key) {
  return kByKey[static_cast<std::size_t>(key)];
}

std::string_view parameter_name(Parameter parameter) {
  return proto::top_key_name(parameter_key(parameter));
}

std::optional<Parameter> find_parameter(std::string_view name) {
  const auto key = proto::find_top_key(name);
  if (!key) return std::nullopt;
  for (const Row& row : kRows) {
    if (row.key == *key) return row.parameter;
  }
  return std::nullopt;
}

proto::TopKey parameter_key(Parameter parameter) {
  return kRows[static_cast<std::size_t>(parameter)].key;
}

ParameterSet with_dependents(ParameterSet dropped) {
  if (dropped.has(P::kTools)) {
    dropped = dropped | ParameterSet{P::kToolChoice, P::kParallelToolCalls, P::kMaxToolCalls};
  }
  if (dropped.has(P::kLogprobs)) dropped.add(P::kTopLogprobs);
  return dropped;
}

}  // namespace leat::dialect
