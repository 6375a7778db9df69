// SPDX-License-Identifier: Apache-2.0
#include "policy/provider_facts.h"

#include <algorithm>
#include <array>

namespace leat::policy {
namespace {

using P = Parameter;
using Q = Quirk;

// What other routers and servers of open models have beside OpenAI's API. A provider that checks
// its requests strictly answers 400 or 422 to them.
constexpr ParameterSet kBeyondOpenAi{
    P::kIncludeReasoning,  P::kTopK,         P::kTopA,        P::kMinP,
    P::kRepetitionPenalty, P::kCacheControl, P::kImageConfig, P::kMaxToolCalls};
// And what OpenAI has for itself.
constexpr ParameterSet kOfOpenAiAlone{P::kStore,       P::kServiceTier,      P::kVerbosity,
                                      P::kAudio,       P::kModalities,       P::kPromptCacheKey,
                                      P::kPrediction,  P::kWebSearchOptions, P::kMetadata,
                                      P::kTopLogprobs, P::kLogprobs,         P::kLogitBias};

constexpr std::array kFacts{
    ProviderFacts{"api.openai.com", QuirkSet{Q::kMaxCompletionTokens, Q::kStrictMessages},
                  kBeyondOpenAi, "reasoning_effort", kReasoningNowhere},
    ProviderFacts{"generativelanguage.googleapis.com", QuirkSet{Q::kStrictMessages}, kBeyondOpenAi,
                  "reasoning_effort", kReasoningNowhere},
    ProviderFacts{"openrouter.ai", QuirkSet{Q::kNoMaxCompletionTokens, Q::kRunsServerTools},
                  ParameterSet{}, "reasoning", "reasoning"},
    ProviderFacts{"api.x.ai", QuirkSet{Q::kMaxCompletionTokens, Q::kCompletionWithoutReasoning},
                  kBeyondOpenAi, "reasoning_effort", "reasoning_content"},
    ProviderFacts{"api.deepseek.com",
                  QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoDeveloperRole, Q::kMustReplayReasoning},
                  ParameterSet{}, "reasoning_effort", "reasoning_content"},
    ProviderFacts{"api.groq.com", QuirkSet{Q::kStrictMessages},
                  (kBeyondOpenAi - ParameterSet{P::kIncludeReasoning}) |
                      ParameterSet{P::kLogprobs, P::kTopLogprobs, P::kLogitBias},
                  "reasoning_effort", "reasoning"},
    ProviderFacts{
        "api.mistral.ai",
        QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoStreamUsage, Q::kNoToolChoiceRequired,
                 Q::kNoDeveloperRole, Q::kRandomSeed, Q::kStrictMessages},
        kBeyondOpenAi | (kOfOpenAiAlone - ParameterSet{P::kPrediction}) | ParameterSet{P::kUser},
        kReasoningNowhere, kReasoningNowhere},
    ProviderFacts{
        "api.cerebras.ai", QuirkSet{Q::kMaxCompletionTokens, Q::kStrictMessages},
        kBeyondOpenAi | ParameterSet{P::kFrequencyPenalty, P::kPresencePenalty, P::kLogitBias,
                                     P::kParallelToolCalls, P::kServiceTier},
        "reasoning_effort", "reasoning"},
    ProviderFacts{"api.together.xyz", QuirkSet{Q::kNoMaxCompletionTokens}, ParameterSet{},
                  std::string_view(), "reasoning"},
    ProviderFacts{"api.fireworks.ai", QuirkSet{Q::kNoMaxCompletionTokens}, ParameterSet{},
                  "reasoning_effort", "reasoning_content"},
    ProviderFacts{"api.moonshot.ai", QuirkSet{Q::kNoMaxCompletionTokens, Q::kMustReplayReasoning},
                  ParameterSet{}, std::string_view(), "reasoning_content"},
    ProviderFacts{"api.z.ai", QuirkSet{Q::kNoMaxCompletionTokens, Q::kMustReplayReasoning},
                  ParameterSet{}, std::string_view(), "reasoning_content"},
};

constexpr ProviderFacts kNothingKnown{};

}  // namespace

const ProviderFacts& facts_at(std::string_view host) {
  const auto* const found = std::ranges::find(kFacts, host, &ProviderFacts::host);
  return found == kFacts.end() ? kNothingKnown : *found;
}

}  // namespace leat::policy
