// SPDX-License-Identifier: Apache-2.0
// Parameter: what a request may ask of an endpoint, as named bits: OpenRouter's
// `supported_parameters` (openrouter-api.md 1.2, 2.4) and, after them, keys that only quirks of
// providers name (provider-formats.md 1b). Which an endpoint lacks is the catalogue's to say; which
// a request carries, routing_fields' to read; both meet as two sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "proto/top_key.h"

namespace leat::dialect {

// IF YOU ADD A VALUE: add its row at the same place in kRows (parameters.cc); at most 64.
enum class Parameter : std::uint8_t {
  kTools,
  kToolChoice,
  kParallelToolCalls,
  kResponseFormat,
  kStructuredOutputs,
  kReasoning,
  kReasoningEffort,
  kIncludeReasoning,
  kVerbosity,
  kMaxTokens,
  kMaxCompletionTokens,
  kTemperature,
  kTopP,
  kTopK,
  kTopA,
  kMinP,
  kFrequencyPenalty,
  kPresencePenalty,
  kRepetitionPenalty,
  kSeed,
  kStop,
  kLogitBias,
  kLogprobs,
  kTopLogprobs,
  kPrediction,
  kWebSearchOptions,
  // Not in OpenRouter's list: `require_parameters` does not look at them.
  kServiceTier,
  kStore,
  kUser,
  kMetadata,
  kPromptCacheKey,
  kCacheControl,
  kModalities,
  kAudio,
  kImageConfig,
  kMaxToolCalls,
  kEncodingFormat,
  kDimensions,
  kN,
};
inline constexpr std::size_t kParameterCount = static_cast<std::size_t>(Parameter::kN) + 1;
static_assert(kParameterCount <= 64, "a set is one word");

class ParameterSet {
 public:
  constexpr ParameterSet() = default;
  constexpr explicit ParameterSet(std::uint64_t bits) : bits_(bits) {}
  constexpr ParameterSet(std::initializer_list<Parameter> list) {
    for (const Parameter parameter : list) add(parameter);
  }

  constexpr void add(Parameter parameter) { bits_ |= bit(parameter); }
  constexpr bool has(Parameter parameter) const { return (bits_ & bit(parameter)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::uint64_t bits() const { return bits_; }
  constexpr ParameterSet operator|(ParameterSet other) const {
    return ParameterSet(bits_ | other.bits_);
  }
  constexpr ParameterSet operator&(ParameterSet other) const {
    return ParameterSet(bits_ & other.bits_);
  }
  constexpr ParameterSet without(ParameterSet other) const {
    return ParameterSet(bits_ & ~other.bits_);
  }
  constexpr bool operator==(const ParameterSet&) const = default;

 private:
  static constexpr std::uint64_t bit(Parameter parameter) {
    return std::uint64_t{1} << static_cast<unsigned>(parameter);
  }
  std::uint64_t bits_ = 0;
};

// What `require_parameters` asks an endpoint to cover.
inline constexpr ParameterSet kRoutingParameters(
    (std::uint64_t{1} << (static_cast<unsigned>(Parameter::kWebSearchOptions) + 1)) - 1);
// Where some endpoints of a model have one of these that the request carries, only those are used
// (openrouter-api.md 2.4).
inline constexpr ParameterSet kPreferredParameters = {Parameter::kTools, Parameter::kResponseFormat,
                                                      Parameter::kVerbosity};

std::string_view parameter_name(Parameter parameter);
std::optional<Parameter> find_parameter(std::string_view name);
// The top-level key of a body that carries it, and back.
proto::TopKey parameter_key(Parameter parameter);
// REQUIRES: `key` is in kParameterKeys.
Parameter parameter_of(proto::TopKey key);
// The keys of all parameters.
extern const proto::TopKeySet kParameterKeys;

// Those that go with `dropped`: a provider without `tools` refuses a `tool_choice` left alone.
ParameterSet with_dependents(ParameterSet dropped);

}  // namespace leat::dialect
