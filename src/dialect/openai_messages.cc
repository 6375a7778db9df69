// SPDX-License-Identifier: Apache-2.0
#include "dialect/openai_messages.h"

#include "proto/json_value.h"

namespace leat::dialect {
namespace {

using proto::json_key_says;
using proto::JsonCursor;
using proto::JsonMembersWriter;
using proto::JsonWriter;

bool is_string(std::string_view value) {
  return !value.empty() && value.front() == '"';
}

bool is_beyond_openai(std::string_view key) {
  return json_key_says(key, "cache_control") || json_key_says(key, "annotations") ||
         json_key_says(key, "images");
}

// The members of one object, but for one of that name. False if it is no object.
bool write_without(std::string_view object, std::string_view name, JsonWriter& out) {
  JsonCursor at(object);
  if (!at.enter('{')) return false;
  JsonMembersWriter members(out);
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (!json_key_says(key, name)) members.key(key).raw(value);
  }
  members.close();
  return at.ok();
}

class MessageWriter {
 public:
  MessageWriter(const MessageShape& shape, JsonWriter& out) : shape_(shape), out_(out) {}

  // From its opening brace to past its closing one.
  bool write(JsonCursor& at) {
    if (!at.enter('{')) return false;
    JsonMembersWriter members(out_);
    std::string_view reasoning;
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      const std::string_view value = at.skip();
      if (is_left_out(key)) continue;
      if (is_reasoning(key)) {
        // Under both names once, and rather what says something.
        const bool says_more = is_string(value) && (reasoning.empty() || reasoning == "\"\"");
        if (says_more) reasoning = value;
        continue;
      }
      members.key(key);
      if (!write_value(key, value)) return false;
    }
    if (!reasoning.empty() && shape_.reasoning != ReasoningReplay::kNowhere) {
      const bool is_content = shape_.reasoning == ReasoningReplay::kReasoningContent;
      members.key(is_content ? "reasoning_content" : "reasoning").raw(reasoning);
    }
    members.close();
    return at.ok();
  }

 private:
  bool is_reasoning(std::string_view key) const {
    return shape_.reasoning != ReasoningReplay::kAsSent &&
           (json_key_says(key, "reasoning") || json_key_says(key, "reasoning_content"));
  }
  bool is_left_out(std::string_view key) const {
    if (shape_.is_strict && is_beyond_openai(key)) return true;
    const bool takes_details =
        !shape_.is_strict && (shape_.reasoning == ReasoningReplay::kAsSent ||
                              shape_.reasoning == ReasoningReplay::kReasoning);
    return !takes_details && json_key_says(key, "reasoning_details");
  }
  bool write_value(std::string_view key, std::string_view value) {
    const bool renames = !shape_.takes_developer_role && json_key_says(key, "role") &&
                         is_string(value) &&
                         json_key_says(value.substr(1, value.size() - 2), "developer");
    if (renames) {
      out_.raw("\"system\"");
      return true;
    }
    if (shape_.is_strict && json_key_says(key, "content") && value.front() == '[') {
      return write_parts(value);
    }
    out_.raw(value);
    return true;
  }
  bool write_parts(std::string_view parts) {
    JsonCursor at(parts);
    at.enter('[');
    out_.raw("[");
    bool first = true;
    for (bool comma = false; at.next_element(first); comma = true) {
      if (comma) out_.raw(",");
      const std::string_view part = at.skip();
      if (!write_without(part, "cache_control", out_)) out_.raw(part);
    }
    out_.raw("]");
    return at.ok();
  }

  const MessageShape& shape_;
  JsonWriter& out_;
};

bool write_tool(std::string_view tool, const MessageShape& shape, JsonWriter& out) {
  JsonCursor at(tool);
  if (!at.enter('{')) return false;
  JsonMembersWriter members(out);
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (shape.is_strict && json_key_says(key, "cache_control")) continue;
    members.key(key);
    const bool narrows = !shape.takes_strict_tools && json_key_says(key, "function");
    if (!narrows || !write_without(value, "strict", out)) out.raw(value);
  }
  members.close();
  return at.ok();
}

}  // namespace

bool write_messages(std::string_view messages, const MessageShape& shape, JsonWriter& out) {
  JsonCursor at(messages);
  if (!at.enter('[')) return false;
  out.raw("[");
  MessageWriter writer(shape, out);
  bool first = true;
  for (bool comma = false; at.next_element(first); comma = true) {
    if (comma) out.raw(",");
    if (!writer.write(at)) return false;
  }
  return at.ok() && !out.overflowed();
}

bool write_tools(std::string_view tools, const MessageShape& shape, JsonWriter& out) {
  JsonCursor at(tools);
  if (!at.enter('[')) return false;
  out.raw("[");
  bool first = true;
  for (bool comma = false; at.next_element(first); comma = true) {
    if (comma) out.raw(",");
    const std::string_view tool = at.skip();
    if (!write_tool(tool, shape, out)) return false;
  }
  out.raw("]");
  return at.ok() && !out.overflowed();
}

}  // namespace leat::dialect
