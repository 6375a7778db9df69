// SPDX-License-Identifier: Apache-2.0
// Messages and tools in the words of one endpoint, where it would refuse or not understand the
// client's: reasoning of earlier turns under the provider's name for it, the role `developer`, and
// members that OpenAI's API does not have (provider-formats.md 1b). Written anew as a whole, since
// a long conversation has more such places than a list of edits; most requests have none, and cross
// as they lie. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/json_writer.h"

namespace leat::dialect {

// What a request has that some endpoint may want otherwise; read with the routing fields.
struct MessageExtras {
  bool has_developer_role = false;
  bool has_reasoning = false;      // reasoning, reasoning_content or reasoning_details
  bool has_beyond_openai = false;  // cache_control, annotations or images in a message or a part
  bool has_cached_tools = false;   // cache_control in a tool
};

// The field that reasoning of earlier turns goes back in.
enum class ReasoningReplay : std::uint8_t { kAsSent, kReasoning, kReasoningContent, kNowhere };

struct MessageShape {
  bool takes_developer_role = true;  // else `developer` becomes `system`
  ReasoningReplay reasoning = ReasoningReplay::kAsSent;
  bool is_strict = false;          // takes no cache_control, annotations, images or details
  bool takes_strict_tools = true;  // else `strict` in a function is left out

  bool changes_messages(const MessageExtras& extras) const {
    return (extras.has_developer_role && !takes_developer_role) ||
           (extras.has_reasoning && reasoning != ReasoningReplay::kAsSent) ||
           ((extras.has_beyond_openai || extras.has_reasoning) && is_strict);
  }
  bool changes_tools(const MessageExtras& extras) const {
    return !takes_strict_tools || (extras.has_cached_tools && is_strict);
  }
};

// Room that either needs at most for a list of so many bytes: a renamed member grows by less than
// the smallest member has.
constexpr std::size_t respelt_size_max(std::size_t list_bytes) {
  return 2 * list_bytes + 16;
}

// The list `messages`, an array of objects as scanned, but for its closing bracket. False if it is
// none, or does not fit.
bool write_messages(std::string_view messages, const MessageShape& shape, proto::JsonWriter& out);
// The list `tools`, whole.
bool write_tools(std::string_view tools, const MessageShape& shape, proto::JsonWriter& out);

}  // namespace leat::dialect
