// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "policy/plan.h"

namespace leat::policy {
namespace {

struct Row {
  std::string_view name;
  std::string_view excluded_by;  // openrouter-api.md 4.1
  std::string_view text;
};

constexpr std::array<Row, kExclusions> kRows = {{
    {"disabled", "", "the operator turned it off"},
    {"variant", "", "it serves another variant of the model"},
    {"tier_not_asked", "", "its service tier was not asked for"},
    {"tier_flex_only", "", "only flex endpoints were asked for"},
    {"key_ignores", "allowed_providers", "the key's policy ignores this provider"},
    {"key_not_allowed", "allowed_providers", "the key's policy does not allow this provider"},
    {"ignored", "allowed_providers", "provider.ignore names it"},
    {"not_in_only", "allowed_providers", "provider.only does not name it"},
    {"key_trains", "data_policy:training", "it may train on prompts, which the key forbids"},
    {"trains", "data_policy:training", "it may train on prompts"},
    {"key_retains", "data_policy:zdr", "it may keep prompts, which the key forbids"},
    {"retains", "data_policy:zdr", "it may keep prompts"},
    {"key_region", "data_region", "it is not in a region that the key allows"},
    {"not_distillable", "", "the model's author does not allow distillation"},
    {"quantization", "quantization", "its quantization was not asked for"},
    {"input_modality", "", "the model does not take what the prompt holds"},
    {"output_modality", "", "the model does not give what was asked for"},
    {"context", "context_length", "the prompt and the output asked for do not fit its context"},
    {"output_max", "context_length", "it cannot give as many tokens as asked for"},
    {"server_tools", "", "nobody runs the request's server tools there"},
    {"parameters", "require_parameters", "it does not support every parameter sent"},
    {"tool_choice", "", "others of the model support this tool_choice, it does not"},
    {"max_price", "max_price", "it costs more than provider.max_price"},
    {"soft_parameters", "", "others of the model support the tools or format sent, it does not"},
    {"rate_limited", "", "it said that it is exhausted"},
    {"breaker_open", "", "it failed too often of late"},
    {"own_key_required", "", "an own key of this provider is required"},
    {"fallbacks_disallowed", "", "provider.allow_fallbacks is false and it is not the first"},
}};
static_assert(!kRows.back().name.empty());

constexpr const Row& row_of(Exclusion reason) {
  return kRows[static_cast<std::size_t>(reason)];
}

}  // namespace

std::string_view name_of(Exclusion reason) {
  return row_of(reason).name;
}
std::string_view excluded_by(Exclusion reason) {
  return row_of(reason).excluded_by;
}
std::string_view text_of(Exclusion reason) {
  return row_of(reason).text;
}

}  // namespace leat::policy
