// SPDX-License-Identifier: Apache-2.0
#include "policy/provider_facts.h"

#include <algorithm>
#include <array>

namespace leat::policy {
namespace {

using P = Parameter;
using Q = Quirk;

// Only what is known to be refused stands here: what is left out in vain is missed by its user,
// and what is refused is at least told. From the providers' references, their SDKs and reported
// errors, looked up in November 2026.

// What other routers and servers of open models have beside OpenAI's API.
constexpr ParameterSet kBeyondOpenAi{
    P::kIncludeReasoning,  P::kTopK,         P::kTopA,        P::kMinP,
    P::kRepetitionPenalty, P::kCacheControl, P::kImageConfig, P::kMaxToolCalls};
// The same but for what servers of open models sample by.
constexpr ParameterSet kOfRouters{P::kIncludeReasoning, P::kTopA, P::kCacheControl, P::kImageConfig,
                                  P::kMaxToolCalls};
// What OpenAI has for itself.
constexpr ParameterSet kOfOpenAiAlone{P::kStore, P::kVerbosity, P::kAudio, P::kModalities,
                                      P::kWebSearchOptions};
constexpr ParameterSet kLogarithms{P::kLogprobs, P::kTopLogprobs, P::kLogitBias};

constexpr std::array kFacts{
    ProviderFacts{"api.openai.com", QuirkSet{Q::kMaxCompletionTokens, Q::kStrictMessages},
                  kBeyondOpenAi, "reasoning_effort", kReasoningNowhere},
    ProviderFacts{"generativelanguage.googleapis.com", QuirkSet{Q::kStrictMessages},
                  kBeyondOpenAi | ParameterSet{P::kStore, P::kMetadata, P::kFrequencyPenalty,
                                               P::kPromptCacheKey},
                  "reasoning_effort", kReasoningNowhere},
    ProviderFacts{"openrouter.ai", QuirkSet{Q::kNoMaxCompletionTokens, Q::kRunsServerTools},
                  ParameterSet{}, "reasoning", "reasoning"},
    // Its current models refuse penalties, be they 0.
    ProviderFacts{
        "api.x.ai", QuirkSet{Q::kMaxCompletionTokens, Q::kCompletionWithoutReasoning},
        kBeyondOpenAi | ParameterSet{P::kFrequencyPenalty, P::kPresencePenalty, P::kLogitBias},
        "reasoning_effort", "reasoning_content"},
    ProviderFacts{"api.deepseek.com",
                  QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoDeveloperRole, Q::kMustReplayReasoning},
                  ParameterSet{}, "reasoning_effort", "reasoning_content"},
    // Some of its models refuse `reasoning` in messages, none needs it.
    ProviderFacts{"api.groq.com", QuirkSet{Q::kStrictMessages},
                  (kBeyondOpenAi - ParameterSet{P::kIncludeReasoning}) | kLogarithms |
                      ParameterSet{P::kVerbosity, P::kPromptCacheKey, P::kStore},
                  "reasoning_effort", kReasoningNowhere},
    ProviderFacts{
        "api.mistral.ai",
        QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoStreamUsage, Q::kNoDeveloperRole, Q::kRandomSeed,
                 Q::kStrictMessages},
        kBeyondOpenAi | kOfOpenAiAlone | kLogarithms | ParameterSet{P::kUser, P::kServiceTier},
        "reasoning_effort", kReasoningNowhere},
    ProviderFacts{"api.cerebras.ai",
                  QuirkSet{Q::kMaxCompletionTokens, Q::kNoDeveloperRole, Q::kStrictMessages},
                  kBeyondOpenAi | ParameterSet{P::kLogitBias}, "reasoning_effort", "reasoning"},
    ProviderFacts{"api.together.xyz", QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoDeveloperRole},
                  ParameterSet{}, std::string_view(), "reasoning"},
    ProviderFacts{"api.fireworks.ai",
                  QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoDeveloperRole, Q::kStrictMessages},
                  kOfRouters | kOfOpenAiAlone, "reasoning_effort", "reasoning_content"},
    ProviderFacts{"api.moonshot.ai", QuirkSet{Q::kNoDeveloperRole, Q::kMustReplayReasoning},
                  ParameterSet{}, std::string_view(), "reasoning_content"},
    ProviderFacts{"api.z.ai",
                  QuirkSet{Q::kNoMaxCompletionTokens, Q::kNoDeveloperRole, Q::kMustReplayReasoning},
                  ParameterSet{}, std::string_view(), "reasoning_content"},
};

constexpr ProviderFacts kNothingKnown{};

}  // namespace

const ProviderFacts& facts_at(std::string_view host) {
  const auto* const found = std::ranges::find(kFacts, host, &ProviderFacts::host);
  return found == kFacts.end() ? kNothingKnown : *found;
}

}  // namespace leat::policy
