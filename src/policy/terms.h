// SPDX-License-Identifier: Apache-2.0
// The closed vocabularies of routing, each with its names on the wire: parameters, modalities,
// quantizations, tiers, variants, price classes, quirks. Names are those of OpenRouter's public API
// (openrouter-api.md 1.2, 2.3, 2.7, 2.9) and, for quirks, our own (provider-formats.md 1b).
//
// IF YOU ADD A VALUE: add its name at the same place of the table in terms.cc. Order is free; no
// number of these is ever stored outside the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "policy/enum_set.h"

namespace leat::policy {

// A request's parameter that an endpoint may or may not support: OpenRouter's
// "supported_parameters", then keys that only providers' quirks name. The same order as
// dialect::Parameter, so that the two sets have the same bits (tests/unit/gateway/terms_test.cc).
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
inline constexpr std::size_t kParameters = static_cast<std::size_t>(Parameter::kN) + 1;
using ParameterSet = EnumSet<Parameter>;
// What `require_parameters` asks an endpoint to cover.
inline constexpr ParameterSet kListedParameters = ParameterSet::of_bits(
    (std::uint64_t{1} << (static_cast<unsigned>(Parameter::kWebSearchOptions) + 1)) - 1);

// The first five in the order of dialect::Modality.
enum class Modality : std::uint8_t {
  kText,
  kImage,
  kAudio,
  kFile,
  kVideo,
  kEmbeddings,
  kRerank,
  kSpeech,
  kTranscription,
  kDecisions,
};
inline constexpr std::size_t kModalities = 10;
using ModalitySet = EnumSet<Modality>;

// The same order as dialect::Quantization.
enum class Quantization : std::uint8_t {
  kInt4,
  kInt8,
  kFp4,
  kMxfp4,
  kNvfp4,
  kFp6,
  kFp8,
  kMxfp8,
  kFp16,
  kBf16,
  kFp32,
  kUnknown,
};
inline constexpr std::size_t kQuantizations = 12;
using QuantizationSet = EnumSet<Quantization>;

// The tier of an endpoint. What a request asks is RequestTier (route_request.h).
enum class ServiceTier : std::uint8_t { kDefault, kFlex, kPriority };
inline constexpr std::size_t kServiceTiers = 3;

// What may follow a model's id after a colon. Those of kStaticVariants name endpoints of their own;
// the others change how a request is routed. The same order as dialect::Variant.
enum class Variant : std::uint8_t {
  kFree,
  kExtended,
  kThinking,
  kBatch,
  kNitro,
  kFloor,
  kExacto,
  kOnline,
};
inline constexpr std::size_t kVariants = 8;
using VariantSet = EnumSet<Variant>;
inline constexpr VariantSet kStaticVariants{Variant::kFree, Variant::kExtended, Variant::kThinking,
                                            Variant::kBatch};

// What a price is for. The names are the keys of OpenRouter's pricing object.
enum class PriceClass : std::uint8_t {
  kPrompt,      // per prompt token
  kCompletion,  // per completion token
  kRequest,     // per request
  kImage,       // per image of the prompt
  kImageToken,
  kImageOutput,        // per output image token
  kAudio,              // per audio token of the prompt
  kAudioOutput,        // per output audio token
  kInputAudioCache,    // per audio token read from the provider's cache
  kInternalReasoning,  // per reasoning token
  kInputCacheRead,     // per prompt token read from the provider's cache
  kInputCacheWrite,    // per prompt token written to it
  kInputCacheWrite1h,  // the same where it is kept for an hour
  kWebSearch,          // per search
};
inline constexpr std::size_t kPriceClasses = 14;
using PriceClassSet = EnumSet<PriceClass>;

// How an endpoint understands tool_choice (supports_tool_choice of the endpoint object).
enum class ToolChoice : std::uint8_t { kAuto, kNone, kRequired, kFunction };
inline constexpr std::size_t kToolChoices = 4;
using ToolChoiceSet = EnumSet<ToolChoice>;

// How a provider strays from the format that it claims to speak: data for the dialects, so that no
// code names a provider.
enum class Quirk : std::uint8_t {
  kMaxCompletionTokens,         // the cap is max_completion_tokens; max_tokens is refused
  kNoMaxCompletionTokens,       // the other way round
  kNoDeveloperRole,             // developer becomes system
  kNoStreamUsage,               // stream_options.include_usage is refused
  kNoStrictTools,               // `strict` in a tool is refused
  kNoToolChoiceRequired,        // tool_choice:"required" is refused
  kNoStreamedSchema,            // a stream with a response schema is refused
  kDropEmptyTools,              // `tools: []` is refused
  kMustReplayReasoning,         // an assistant turn with tool calls needs its reasoning back
  kCompletionWithoutReasoning,  // completion_tokens leaves reasoning_tokens out
  kUsageCumulative,             // usage in each chunk, growing
  kUsageInChoice,               // usage inside choices[0]
  kNormaliseChunks,             // chunks lack keys that clients insist on
  kNoDone,                      // the stream ends without [DONE]
  kNoFinishReason,              // and without a finish reason
  kStrictMessages,              // members of messages and tools that OpenAI's API lacks are refused
  kRandomSeed,                  // `seed` is called random_seed
  kRunsServerTools,             // it runs OpenRouter's server tools
  // It carries the text of an assistant's last message on, which is spelt ...
  kContinuesAssistant,     // ... like any other
  kContinuesPrefix,        // ... with `prefix: true` in it
  kContinuesPartial,       // ... with `partial: true` in it
  kContinuesFinalMessage,  // ... with `continue_final_message: true` beside the messages
};
inline constexpr std::size_t kQuirks = 22;
using QuirkSet = EnumSet<Quirk>;

// The name on the wire; static.
std::string_view name_of(Parameter value);
std::string_view name_of(Modality value);
std::string_view name_of(Quantization value);
std::string_view name_of(ServiceTier value);
std::string_view name_of(Variant value);
std::string_view name_of(PriceClass value);
std::string_view name_of(ToolChoice value);
std::string_view name_of(Quirk value);

// The value of that name, exactly spelled; none where there is no such name.
template <class E>
std::optional<E> value_of(std::string_view name);
extern template std::optional<Parameter> value_of<Parameter>(std::string_view);
extern template std::optional<Modality> value_of<Modality>(std::string_view);
extern template std::optional<Quantization> value_of<Quantization>(std::string_view);
extern template std::optional<ServiceTier> value_of<ServiceTier>(std::string_view);
extern template std::optional<Variant> value_of<Variant>(std::string_view);
extern template std::optional<PriceClass> value_of<PriceClass>(std::string_view);
extern template std::optional<ToolChoice> value_of<ToolChoice>(std::string_view);
extern template std::optional<Quirk> value_of<Quirk>(std::string_view);

// The quantizations that an asked one stands for: fp4 also mxfp4 and nvfp4, fp8 also mxfp8
// (openrouter-api.md 2.3).
constexpr QuantizationSet widened(QuantizationSet asked) {
  if (asked.has(Quantization::kFp4)) {
    asked.add(Quantization::kMxfp4);
    asked.add(Quantization::kNvfp4);
  }
  if (asked.has(Quantization::kFp8)) asked.add(Quantization::kMxfp8);
  return asked;
}

}  // namespace leat::policy
