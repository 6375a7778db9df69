// SPDX-License-Identifier: Apache-2.0
#include "gateway/endpoint_shape.h"

#include "policy/plan_admission.h"
#include "policy/provider_facts.h"

namespace leat::gateway {

using policy::Quirk;

namespace {

dialect::ReasoningKey key_of(std::string_view reasoning_in) {
  if (reasoning_in == "reasoning") return dialect::ReasoningKey::kReasoning;
  if (reasoning_in == "reasoning_effort") return dialect::ReasoningKey::kReasoningEffort;
  if (reasoning_in == policy::kReasoningNowhere) return dialect::ReasoningKey::kNowhere;
  return dialect::ReasoningKey::kAsSent;
}

dialect::ReasoningReplay replay_of(std::string_view reasoning_out) {
  if (reasoning_out == "reasoning") return dialect::ReasoningReplay::kReasoning;
  if (reasoning_out == "reasoning_content") return dialect::ReasoningReplay::kReasoningContent;
  if (reasoning_out == policy::kReasoningNowhere) return dialect::ReasoningReplay::kNowhere;
  return dialect::ReasoningReplay::kAsSent;
}

// Whether anything can be asked of reasoning in the spelling that the provider takes: of an
// endpoint that lists either, unless that very spelling is refused.
bool takes_reasoning(const policy::Provider& provider, const policy::Endpoint& endpoint,
                     dialect::ReasoningKey key) {
  using policy::Parameter;
  const policy::ParameterSet listed = policy::supported_by(endpoint);
  if (!listed.has(Parameter::kReasoning) && !listed.has(Parameter::kReasoningEffort)) return false;
  const bool is_word = key == dialect::ReasoningKey::kReasoningEffort;
  return !provider.rejects.has(is_word ? Parameter::kReasoningEffort : Parameter::kReasoning);
}

}  // namespace

dialect::EndpointShape shape_for(const policy::Catalogue& catalogue,
                                 const policy::Endpoint& endpoint, std::string_view upstream_model,
                                 policy::ParameterSet dropped, RequestKind kind) {
  const policy::Provider& provider = catalogue.provider(endpoint.provider);
  const policy::QuirkSet quirks = provider.quirks;
  dialect::EndpointShape shape;
  shape.model = upstream_model;
  shape.dropped = dialect::ParameterSet(dropped.bits());
  shape.takes_stream_usage = !quirks.has(Quirk::kNoStreamUsage);
  const std::uint32_t output_default = catalogue.model(endpoint.model).output_default_max;
  if (output_default > 0 && kind != RequestKind::kEmbeddings) shape.output_default = output_default;
  if (kind != RequestKind::kChat) return shape;
  if (endpoint.tier != policy::ServiceTier::kDefault &&
      !provider.rejects.has(policy::Parameter::kServiceTier)) {
    shape.service_tier = name_of(endpoint.tier);
  }
  if (quirks.has(Quirk::kMaxCompletionTokens)) {
    shape.max_tokens_key = dialect::MaxTokensKey::kMaxCompletionTokens;
  } else if (quirks.has(Quirk::kNoMaxCompletionTokens)) {
    shape.max_tokens_key = dialect::MaxTokensKey::kMaxTokens;
  }
  shape.messages.takes_developer_role = !quirks.has(Quirk::kNoDeveloperRole);
  shape.messages.takes_strict_tools = !quirks.has(Quirk::kNoStrictTools);
  shape.messages.is_strict = quirks.has(Quirk::kStrictMessages);
  shape.messages.reasoning = replay_of(provider.reasoning_out);
  shape.takes_empty_tools = !quirks.has(Quirk::kDropEmptyTools);
  // Who refuses `required` calls it `any` (Mistral).
  if (quirks.has(Quirk::kNoToolChoiceRequired)) shape.tool_choice_required = "any";
  if (quirks.has(Quirk::kRandomSeed)) shape.seed_key = "random_seed";
  shape.reasoning_key = key_of(provider.reasoning_in);
  shape.takes_reasoning = takes_reasoning(provider, endpoint, shape.reasoning_key);
  shape.efforts = catalogue.model(endpoint.model).reasoning.efforts;
  return shape;
}

// Of several spellings the one that says most clearly what is meant.
dialect::ContinuesBy continues_by(const policy::Catalogue& catalogue,
                                  const policy::Endpoint& endpoint) {
  const policy::QuirkSet quirks = catalogue.provider(endpoint.provider).quirks;
  if (quirks.has(Quirk::kContinuesFinalMessage)) return dialect::ContinuesBy::kFinalMessage;
  if (quirks.has(Quirk::kContinuesPrefix)) return dialect::ContinuesBy::kPrefix;
  if (quirks.has(Quirk::kContinuesPartial)) return dialect::ContinuesBy::kPartial;
  if (quirks.has(Quirk::kContinuesAssistant)) return dialect::ContinuesBy::kPlace;
  return dialect::ContinuesBy::kNothing;
}

}  // namespace leat::gateway
