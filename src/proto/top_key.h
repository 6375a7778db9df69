// SPDX-License-Identifier: Apache-2.0
// TopKey: the top-level keys of a request body that the gateway knows, and the table of their
// names. A known key may stand in a body once only: parsers differ on whether the first or the last
// of two wins, and a gateway that prices one while the provider obeys the other gives money away
// (threats-and-faults.md 3.4). Unknown keys cross untouched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace leat::proto {

// IF YOU ADD A VALUE: add its name at the same place in kTopKeyNames (top_key.cc); at most 64.
enum class TopKey : std::uint8_t {
  kModel,
  kModels,
  kStream,
  kStreamOptions,
  kMaxTokens,
  kMaxCompletionTokens,
  kN,
  kBestOf,
  kUser,
  kProvider,
  kRoute,
  kPlugins,
  kTransforms,
  kUsage,
  kPreset,
  kTools,
  kToolChoice,
  kFunctions,
  kServiceTier,
  kTemperature,
  kTopP,
  kSessionId,
  kPromptCacheKey,
  kMetadata,
  kDebug,
  kTrace,
  kReasoning,
  kReasoningEffort,
  kIncludeReasoning,
  kCacheControl,
  kMessages,
  kPrompt,
  kInput,
  kResponseFormat,
  kStore,
  kModalities,
  kAudio,
  kLogprobs,
  kTopLogprobs,
  kWebSearchOptions,
  kImageConfig,
  kMaxOutputTokens,
  kMaxToolCalls,
  kPrediction,
  kSeed,
  kStop,
  kStructuredOutputs,
  kParallelToolCalls,
  kLogitBias,
  kFrequencyPenalty,
  kPresencePenalty,
  kRepetitionPenalty,
  kTopK,
  kTopA,
  kMinP,
  kVerbosity,
  kEncodingFormat,
  kDimensions,
};
inline constexpr std::size_t kTopKeyCount = static_cast<std::size_t>(TopKey::kDimensions) + 1;
static_assert(kTopKeyCount <= 64, "presence is a bit of one word");
inline constexpr std::size_t kTopKeySizeMax = 24;  // longest name, rounded up

// A bit for each key, by its value.
using TopKeySet = std::uint64_t;
constexpr TopKeySet keys_of(std::initializer_list<TopKey> keys) {
  TopKeySet set = 0;
  for (const TopKey key : keys) set |= TopKeySet{1} << static_cast<unsigned>(key);
  return set;
}

std::string_view top_key_name(TopKey key);

// The key with this (unescaped) name.
std::optional<TopKey> find_top_key(std::string_view name);

}  // namespace leat::proto
