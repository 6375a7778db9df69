// SPDX-License-Identifier: Apache-2.0
// Request headers that speak to the router: their values' meaning. Pure; what is not understood
// reads as absent, as the reference says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dialect/routing_fields.h"

namespace leat::dialect {

// X-OpenRouter-Metadata, or its old name X-OpenRouter-Experimental-Metadata: `enabled`, in any
// case, and nothing else (openrouter-api.md 3, item 6).
bool wants_router_metadata(std::string_view value);

// x-stainless-retry-count: how often this request of an SDK has been tried before. 0 where it says
// nothing sensible. What is a retry already gets none of ours (threats-and-faults.md 4.1).
std::uint32_t sdk_retry_count(std::string_view value);

// What keeps a conversation at one endpoint (2.12). The hash is of the client's bytes and is keyed
// by account and model by whoever uses it.
enum class StickyKind : std::uint8_t {
  kNone,
  kSession,   // session_id or x-session-id: from the first success on
  kCacheKey,  // prompt_cache_key: once a provider reported a cache hit
  kMessages,  // the conversation's first messages: likewise
};
struct StickyKey {
  StickyKind kind = StickyKind::kNone;
  std::uint64_t hash = 0;
};
// `session_header`: x-session-id, empty if absent; the body's session_id wins. One that is longer
// than kSessionIdMax counts as absent.
StickyKey sticky_key(const RoutingFields& fields, std::string_view session_header);

}  // namespace leat::dialect
