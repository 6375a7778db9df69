// SPDX-License-Identifier: Apache-2.0
// ChatNormaliser: a provider's event or answer in OpenRouter's shape. One walk over the provider's
// bytes: members that are right cross as they are, byte for byte; the few that clients reject
// (openrouter-api.md 6.3, 6.4) are dropped, replaced or added.
#include <array>
#include <string_view>

#include "dialect/openai_stream.h"
#include "proto/json_value.h"

namespace leat::dialect {

using proto::JsonCursor;
using proto::JsonWriter;
using proto::key_is;

namespace {

using Members = proto::JsonMembersWriter;

bool is_string(std::string_view value) {
  return !value.empty() && value.front() == '"';
}
bool is_empty_string(std::string_view value) {
  return value == "\"\"";
}
bool is_null(std::string_view value) {
  return value == "null";
}
std::string_view inside(std::string_view string) {
  return string.substr(1, string.size() - 2);
}

std::uint32_t hash_id(std::string_view id) {
  std::uint32_t hash = 0x811c9dc5;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193;
  return hash == 0 ? 1 : hash;
}

std::string_view object_name(AnswerForm form, bool streams) {
  if (form == AnswerForm::kText) return "text_completion";
  return streams ? "chat.completion.chunk" : "chat.completion";
}

// Members that a client takes as absent or filled, never as null.
bool must_not_be_null(std::string_view key) {
  return key_is(key, "tool_calls") || key_is(key, "reasoning_details") || key_is(key, "images") ||
         key_is(key, "audio") || key_is(key, "annotations") || key_is(key, "function_call");
}

bool is_reasoning(std::string_view key) {
  return key_is(key, "reasoning") || key_is(key, "reasoning_content") ||
         key_is(key, "reasoning_details");
}

// Mistral's content in parts (provider-formats.md 1b): its texts run together, still escaped.
void write_part_texts(std::string_view parts, std::string_view kind, std::string_view member,
                      JsonWriter& out) {
  proto::JsonElements elements(parts);
  std::string_view element;
  while (elements.next(element)) {
    const auto type = proto::json_find(element, "type");
    if (!type || !is_string(*type) || inside(*type) != kind) continue;
    const auto value = proto::json_find(element, member);
    if (!value) continue;
    if (is_string(*value)) {
      out.raw(inside(*value));
    } else if (!value->empty() && value->front() == '[') {
      write_part_texts(*value, "text", "text", out);
    }
  }
}

bool has_part(std::string_view parts, std::string_view kind) {
  proto::JsonElements elements(parts);
  std::string_view element;
  while (elements.next(element)) {
    const auto type = proto::json_find(element, "type");
    if (type && is_string(*type) && inside(*type) == kind) return true;
  }
  return false;
}

}  // namespace

// One walk over one chunk or answer.
class ChunkSplicer {
 public:
  ChunkSplicer(ChatNormaliser& owner, bool streams, JsonWriter& out)
      : owner_(owner), streams_(streams), out_(out) {}

  // The object without its closing brace, so that the caller may add members. False: malformed.
  bool write(std::string_view text) {
    JsonCursor at(text);
    if (!at.enter('{')) return false;
    Members members(out_);
    const ChatIdentity& identity = owner_.identity_;
    members.key("id").string(identity.id);
    members.key("provider").string(identity.provider);
    if (streams_ && !identity.continued_from.empty() && !owner_.is_seam_told_) {
      members.key("continued_from").string(identity.continued_from);
    }
    members.key("model").string(identity.model);
    members.key("object").string(object_name(owner_.form_, streams_));
    bool has_created = false;
    bool has_choices = false;
    bool has_fingerprint = false;
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      if (key_is(key, "choices") && at.peek() == '[' && !has_choices) {
        has_choices = true;
        members.key("choices");
        write_choices(at);
        continue;
      }
      const std::string_view value = at.skip();
      if (is_ours(key) || key_is(key, "choices")) continue;
      if (key_is(key, "created")) {
        if (has_created || !proto::json_integer(value, 1, INT64_MAX)) continue;
        has_created = true;
      }
      if (key_is(key, "system_fingerprint")) {
        // Must be a string or absent in chunks, must be there in answers.
        if (has_fingerprint || (streams_ && !is_string(value))) continue;
        has_fingerprint = true;
      }
      members.key(key).raw(value);
    }
    if (!has_created) members.key("created").integer(identity.created);
    if (!has_choices) members.key("choices").raw("[]");
    if (!has_fingerprint && !streams_ && !is_text()) members.key("system_fingerprint").raw("null");
    return at.ok();
  }

 private:
  bool is_text() const { return owner_.form_ == AnswerForm::kText; }

  // Members that are always written by us, or at the end of the stream.
  static bool is_ours(std::string_view key) {
    return key_is(key, "id") || key_is(key, "provider") || key_is(key, "model") ||
           key_is(key, "object") || key_is(key, "usage") || key_is(key, "error") ||
           key_is(key, "x_groq") || key_is(key, "openrouter_metadata") ||
           key_is(key, "continued_from");
  }

  void write_choices(JsonCursor& at) {
    at.enter('[');
    out_.raw("[");
    std::int64_t ordinal = 0;
    for (bool first = true; at.next_element(first); ++ordinal) {
      if (ordinal != 0) out_.raw(",");
      if (at.peek() == '{') {
        write_choice(at, ordinal);
      } else {
        out_.raw(at.skip());
      }
    }
    out_.raw("]");
  }

  void write_choice(JsonCursor& at, std::int64_t ordinal) {
    // The index first: tool calls are numbered within it.
    choice_ = ordinal;
    if (const auto index =
            proto::json_find({at.at(), static_cast<std::size_t>(at.end() - at.at())}, "index")) {
      choice_ = proto::json_integer(*index, 0, 1'000'000).value_or(ordinal);
    }
    at.enter('{');
    Members members(out_);
    members.key("index").integer(choice_);
    std::string_view native;
    bool has_delta = false;
    bool has_text = false;
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      const bool spoken = streams_ ? key_is(key, "delta") : key_is(key, "message");
      if (spoken && at.peek() == '{' && !has_delta) {
        has_delta = true;
        members.key(key);
        write_delta(at);
        continue;
      }
      const std::string_view value = at.skip();
      if (key_is(key, "finish_reason")) {
        if (is_string(value) && !is_empty_string(value)) native = inside(value);
        continue;
      }
      if (is_text() && key_is(key, "text")) {
        // Clients add it to what they have: a null would read "null".
        if (has_text || !is_string(value)) continue;
        has_text = true;
      }
      const bool dropped = key_is(key, "index") || key_is(key, "native_finish_reason") || spoken ||
                           key_is(key, "usage") || (streams_ && key_is(key, "message"));
      if (!dropped) members.key(key).raw(value);
    }
    if (is_text()) {
      if (!has_text) members.key("text").raw("\"\"");
    } else if (!has_delta) {
      members.key(streams_ ? "delta" : "message").raw("{}");
    }
    write_finish(members, native);
    members.close();
  }

  void write_finish(Members& members, std::string_view native) {
    if (native.empty()) {
      members.key("finish_reason").raw("null");
      members.key("native_finish_reason").raw("null");
      return;
    }
    std::string_view reason = map_finish_reason(native);
    // Some say "stop" though they called tools (provider-formats.md 6, case 6).
    const bool called = choice_ < 64 && (owner_.tool_choices_ >> choice_ & 1) != 0;
    if (called && reason == "stop") reason = "tool_calls";
    members.key("finish_reason").string(reason);
    JsonWriter& out = members.key("native_finish_reason");
    out.raw("\"");
    out.raw(native);
    out.raw("\"");
  }

  void write_delta(JsonCursor& at) {
    at.enter('{');
    Members members(out_);
    bool has_reasoning = false;
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      if (key_is(key, "tool_calls") && at.peek() == '[') {
        members.key(key);
        write_tool_calls(at);
        continue;
      }
      const std::string_view value = at.skip();
      if (owner_.identity_.hides_reasoning && is_reasoning(key)) continue;
      if (key_is(key, "role") && (!is_string(value) || is_empty_string(value))) continue;
      if (is_null(value) && must_not_be_null(key)) continue;
      if (key_is(key, "content") && !value.empty() && value.front() == '[') {
        write_parts(members, value, has_reasoning);
        continue;
      }
      if (key_is(key, "reasoning") || key_is(key, "reasoning_content")) {
        // OpenRouter's name for both, once: whichever of the two says something.
        if (has_reasoning || !is_string(value) || is_empty_string(value)) continue;
        has_reasoning = true;
        members.key("reasoning").raw(value);
        continue;
      }
      members.key(key).raw(value);
    }
    members.close();
  }

  void write_parts(Members& members, std::string_view parts, bool& has_reasoning) {
    JsonWriter& content = members.key("content");
    content.raw("\"");
    write_part_texts(parts, "text", "text", content);
    content.raw("\"");
    if (owner_.identity_.hides_reasoning) return;
    if (has_reasoning || !has_part(parts, "thinking")) return;
    has_reasoning = true;
    JsonWriter& reasoning = members.key("reasoning");
    reasoning.raw("\"");
    write_part_texts(parts, "thinking", "thinking", reasoning);
    reasoning.raw("\"");
  }

  void write_tool_calls(JsonCursor& at) {
    at.enter('[');
    out_.raw("[");
    for (bool first = true, comma = false; at.next_element(first); comma = true) {
      if (comma) out_.raw(",");
      const std::string_view call = at.skip();
      // Not for an empty list, which some send with every answer.
      if (choice_ < 64) owner_.tool_choices_ |= std::uint64_t{1} << choice_;
      write_tool_call(call);
    }
    out_.raw("]");
  }

  void write_tool_call(std::string_view call) {
    const auto id = proto::json_find(call, "id");
    const bool has_id = id && is_string(*id) && !is_empty_string(*id);
    const auto index_text = proto::json_find(call, "index");
    const auto index =
        index_text ? proto::json_integer(*index_text, 0, 1'000'000) : std::optional<std::int64_t>();
    const std::int64_t ours =
        number_of(has_id ? hash_id(inside(*id)) : 0, static_cast<std::int32_t>(index.value_or(-1)));
    Members members(out_);
    members.key("index").integer(ours);
    proto::JsonMembers each(call);
    proto::JsonMember member;
    bool has_type = false;
    while (each.next(member)) {
      if (key_is(member.key, "index")) continue;
      if (key_is(member.key, "id") && !has_id) continue;
      if (key_is(member.key, "type")) {
        if (!is_string(member.value) || is_empty_string(member.value)) continue;
        has_type = true;
      }
      if (key_is(member.key, "function") && member.value.front() == '{') {
        members.key("function");
        write_function(member.value);
        continue;
      }
      members.key(member.key).raw(member.value);
    }
    // Mistral leaves it out; @openrouter/ai-sdk-provider refuses the first delta of a call without.
    if (has_id && !has_type) members.key("type").raw("\"function\"");
    members.close();
  }

  // A later delta's empty name must not overwrite the first one's (Mistral).
  void write_function(std::string_view function) {
    Members members(out_);
    proto::JsonMembers each(function);
    proto::JsonMember member;
    while (each.next(member)) {
      const bool is_name = key_is(member.key, "name");
      if (is_name && (!is_string(member.value) || is_empty_string(member.value))) continue;
      const bool is_arguments = key_is(member.key, "arguments");
      if (is_arguments && is_null(member.value)) continue;
      if (is_arguments && member.value.front() == '{') {
        // An object where a string belongs (some local servers).
        members.key(member.key).string(member.value);
        continue;
      }
      members.key(member.key).raw(member.value);
    }
    members.close();
  }

  // Our number for a call: the one it has, or the next of its choice.
  std::int64_t number_of(std::uint32_t id_hash, std::int32_t index) {
    ChatNormaliser::ToolCall* found = nullptr;
    std::uint16_t next = 0;
    const auto choice = static_cast<std::uint16_t>(choice_);
    for (std::uint16_t i = 0; i < owner_.tool_count_; ++i) {
      ChatNormaliser::ToolCall& call = owner_.tools_[i];
      if (call.choice != choice) continue;
      ++next;
      const bool same_index = index < 0 || call.index == index;
      const bool matches =
          id_hash != 0 ? call.id_hash == id_hash || (call.id_hash == 0 && same_index) : same_index;
      if (matches) found = &call;
    }
    if (found != nullptr) {
      if (found->id_hash == 0) found->id_hash = id_hash;
      return found->ours;
    }
    if (owner_.tool_count_ == ChatNormaliser::kToolCallsMax) return index < 0 ? next : index;
    owner_.tools_[owner_.tool_count_++] = {id_hash, index, choice, next};
    return next;
  }

  ChatNormaliser& owner_;
  bool streams_;
  JsonWriter& out_;
  std::int64_t choice_ = 0;
};

Normalised ChatNormaliser::write_chunk(std::string_view data, const ChatEvent& event,
                                       JsonWriter& out) {
  switch (event.kind) {
    case ChatKind::kDone:
    case ChatKind::kUsageOnly:
    case ChatKind::kError:
      return Normalised::kDropped;
    case ChatKind::kInvalid:
      return Normalised::kInvalid;
    case ChatKind::kContent:
    case ChatKind::kFinish:
    case ChatKind::kEmpty:
      break;
  }
  const std::size_t before = out.size();
  // A chunk that does not fit is written again: what it taught must not count twice.
  const std::uint16_t tools_before = tool_count_;
  out.raw("data: ");
  const bool ok = ChunkSplicer(*this, /*streams=*/true, out).write(data);
  out.raw("}");
  // Data that came in several lines may have their ends within values.
  if (data.find('\n') != std::string_view::npos) out.join_lines(before);
  out.raw("\n\n");
  if (ok && !out.overflowed()) {
    is_seam_told_ = true;
    return Normalised::kWritten;
  }
  tool_count_ = tools_before;
  out.rewind(before);
  return ok ? Normalised::kNoRoom : Normalised::kInvalid;
}

void ChatNormaliser::write_usage_chunk(const ChatUsage& usage, const UsageCost& cost,
                                       JsonWriter& out, const RouterMetadata* metadata) const {
  out.raw("data: {\"id\":");
  out.string(identity_.id);
  out.raw(",\"provider\":");
  out.string(identity_.provider);
  if (!identity_.continued_from.empty()) {
    out.raw(",\"continued_from\":");
    out.string(identity_.continued_from);
  }
  out.raw(",\"model\":");
  out.string(identity_.model);
  out.raw(",\"object\":");
  out.string(object_name(form_, /*streams=*/true));
  out.raw(",\"created\":");
  out.integer(identity_.created);
  out.raw(",\"choices\":[]");
  if (usage.present()) {
    out.raw(",\"usage\":");
    write_usage(usage, cost, out);
  }
  if (metadata != nullptr) {
    out.raw(",\"openrouter_metadata\":");
    write_router_metadata(*metadata, out);
  }
  out.raw("}\n\n");
}

Normalised ChatNormaliser::write_completion(std::string_view body, const ChatUsage& usage,
                                            const UsageCost& cost, JsonWriter& out,
                                            const RouterMetadata* metadata) {
  const std::size_t before = out.size();
  const bool ok = ChunkSplicer(*this, /*streams=*/false, out).write(body);
  if (usage.present()) {
    out.raw(",\"usage\":");
    write_usage(usage, cost, out);
  }
  if (metadata != nullptr) {
    out.raw(",\"openrouter_metadata\":");
    write_router_metadata(*metadata, out);
  }
  out.raw("}");
  if (ok && !out.overflowed()) return Normalised::kWritten;
  out.rewind(before);
  return ok ? Normalised::kNoRoom : Normalised::kInvalid;
}

}  // namespace leat::dialect
