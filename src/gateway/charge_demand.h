// SPDX-License-Identifier: Apache-2.0
// What a request asks as far as it costs: from the words of its body to a policy::ChargeDemand.
// Every number in it may come from the client; policy/charge.h bounds them. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "dialect/openai_request.h"
#include "dialect/prompt_input.h"
#include "dialect/routing_fields.h"
#include "gateway/request_kind.h"
#include "policy/charge.h"

namespace leat::gateway {

// Searches that a request which asks for any may make: no provider known bills more for one answer.
inline constexpr std::uint32_t kWebSearchesMax = 10;

// `input`: not of a chat. `key_output_default_max`: policy::ChargeDemand.
policy::ChargeDemand demand_of(std::string_view body, RequestKind kind,
                               const dialect::RoutingFields& fields,
                               const dialect::ChatRequest& chat, const dialect::PromptInput& input,
                               std::uint32_t key_output_default_max);

// Whether a body may ask its provider to keep the prompt for an hour, wherever it says so. Reads
// all of it.
bool may_cache(std::string_view body);

}  // namespace leat::gateway
