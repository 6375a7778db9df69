// SPDX-License-Identifier: Apache-2.0
#include "dialect/openai_request.h"

#include <algorithm>
#include <cstring>

#include "proto/json_value.h"
#include "proto/json_writer.h"

namespace leat::dialect {
namespace {

using proto::JsonField;
using proto::JsonScanner;
using proto::JsonType;
using proto::TopKey;

// Keys that speak to a router and not to a provider: never sent on (provider-formats.md 0, item 2,
// and the request keys of openrouter-api.md 1.1, 2 and 4). What is not here crosses, `user`,
// `metadata` and `prompt_cache_key` among it, since OpenAI's own API has them.
constexpr TopKey kRouterKeys[] = {
    TopKey::kModels, TopKey::kProvider, TopKey::kRoute, TopKey::kPlugins,   TopKey::kTransforms,
    TopKey::kUsage,  TopKey::kPreset,   TopKey::kDebug, TopKey::kSessionId, TopKey::kTrace,
};

// Beyond any model's window; keeps the sums of a reservation within 64 bits.
constexpr std::int64_t kOutputMax = 1'000'000'000;
// OpenAI's own bound.
constexpr std::int64_t kAnswersMax = 128;

// The field unless absent or null, which mean the same.
const JsonField* find_set(const JsonScanner& scanner, TopKey key) {
  const JsonField* field = scanner.find(key);
  return field != nullptr && field->type != JsonType::kNull ? field : nullptr;
}

bool is_bool(JsonType type) {
  return type == JsonType::kTrue || type == JsonType::kFalse;
}

struct TypeRule {
  TopKey key;
  JsonType type;  // kTrue: either boolean
  RequestFault fault;
};
constexpr TypeRule kTypeRules[] = {
    {TopKey::kModel, JsonType::kString, {"model must be a string", "model"}},
    {TopKey::kModels, JsonType::kArray, {"models must be an array of strings", "models"}},
    {TopKey::kStream, JsonType::kTrue, {"stream must be a boolean", "stream"}},
    {TopKey::kStreamOptions,
     JsonType::kObject,
     {"stream_options must be an object", "stream_options"}},
    {TopKey::kUsage, JsonType::kObject, {"usage must be an object", "usage"}},
    {TopKey::kProvider, JsonType::kObject, {"provider must be an object", "provider"}},
    {TopKey::kStore, JsonType::kTrue, {"store must be a boolean", "store"}},
};

std::optional<RequestFault> check_types(const JsonScanner& scanner) {
  for (const TypeRule& rule : kTypeRules) {
    const JsonField* field = find_set(scanner, rule.key);
    if (field == nullptr || field->type == rule.type) continue;
    if (rule.type == JsonType::kTrue && is_bool(field->type)) continue;
    return rule.fault;
  }
  return std::nullopt;
}

// Raises `value` to the field's, if it is set. False if that is no integer within [1, max].
bool read_count(const JsonScanner& scanner, std::string_view body, TopKey key, std::int64_t max,
                std::int64_t& value) {
  const JsonField* field = find_set(scanner, key);
  if (field == nullptr) return true;
  const auto count = proto::json_integer(field->value(body), 1, max);
  if (!count) return false;
  value = std::max(value, *count);
  return true;
}

// A boolean within an object: false if it is there and neither a boolean nor null. Of several, any
// that is true counts.
bool read_flag(std::string_view object, std::string_view name, bool& flag) {
  proto::JsonMembers members(object);
  proto::JsonMember member;
  while (members.next(member)) {
    if (!proto::json_key_says(member.key, name) || proto::json_is_null(member.value)) continue;
    const auto value = proto::json_bool(member.value);
    if (!value) return false;
    flag = flag || *value;
  }
  return true;
}

std::optional<RequestFault> read_usage_wishes(const JsonScanner& scanner, std::string_view body,
                                              ChatRequest& out) {
  if (const JsonField* field = find_set(scanner, TopKey::kStreamOptions)) {
    if (!read_flag(field->value(body), "include_usage", out.wants_usage)) {
      return RequestFault{"stream_options.include_usage must be a boolean",
                          "stream_options.include_usage"};
    }
  }
  if (const JsonField* field = find_set(scanner, TopKey::kUsage)) {
    if (!read_flag(field->value(body), "include", out.wants_usage)) {
      return RequestFault{"usage.include must be a boolean", "usage.include"};
    }
  }
  return std::nullopt;
}

std::optional<RequestFault> read_counts(const JsonScanner& scanner, std::string_view body,
                                        ChatRequest& out) {
  if (!read_count(scanner, body, TopKey::kMaxTokens, kOutputMax, out.output_max)) {
    return RequestFault{"max_tokens must be a positive integer", "max_tokens"};
  }
  if (!read_count(scanner, body, TopKey::kMaxCompletionTokens, kOutputMax, out.output_max)) {
    return RequestFault{"max_completion_tokens must be a positive integer",
                        "max_completion_tokens"};
  }
  if (!read_count(scanner, body, TopKey::kN, kAnswersMax, out.n)) {
    return RequestFault{"n must be an integer from 1 to 128", "n"};
  }
  if (!read_count(scanner, body, TopKey::kBestOf, kAnswersMax, out.n)) {
    return RequestFault{"best_of must be an integer from 1 to 128", "best_of"};
  }
  return std::nullopt;
}

void shape_model(const JsonScanner& scanner, std::string_view model_member,
                 proto::MemberEdits& edits) {
  constexpr std::size_t kKeySize = std::string_view("\"model\":").size();
  if (const JsonField* field = scanner.find(TopKey::kModel)) {
    edits.replace_value(*field, model_member.substr(kKeySize));
  } else {
    edits.insert(model_member);
  }
}

// Usage is always asked for upstream: billing needs it, and who gets the chunk is decided on its
// way back (provider-formats.md 4, the decision on the usage chunk). The client's other stream
// options stay.
void shape_stream_options(const JsonScanner& scanner, std::string_view body,
                          const EndpointShape& endpoint, proto::MemberEdits& edits) {
  const JsonField* field = scanner.find(TopKey::kStreamOptions);
  if (!endpoint.takes_stream_usage) {
    if (field != nullptr) edits.remove(*field);
    return;
  }
  if (field == nullptr) {
    edits.insert(R"("stream_options":{"include_usage":true})");
    return;
  }
  if (field->type == JsonType::kNull) {
    edits.replace_value(*field, R"({"include_usage":true})");
    return;
  }
  bool stands = false;
  bool empty = true;
  proto::JsonMembers members(field->value(body));
  proto::JsonMember member;
  while (members.next(member)) {
    empty = false;
    if (!proto::json_key_says(member.key, "include_usage")) continue;
    stands = true;
    if (member.value == "true") continue;
    const auto begin = static_cast<std::uint32_t>(member.value.data() - body.data());
    edits.replace_range(begin, begin + static_cast<std::uint32_t>(member.value.size()), "true");
  }
  if (stands) return;
  const std::uint32_t inside = field->value_begin + 1;
  edits.replace_range(inside, inside,
                      empty ? R"("include_usage":true)" : R"("include_usage":true,)");
}

// One of the two spellings is left where the endpoint takes but one; the one it takes wins, if both
// are set.
void shape_output_cap(const JsonScanner& scanner, const ChatRequest& request,
                      const EndpointShape& endpoint, std::string_view default_cap,
                      proto::MemberEdits& edits) {
  const bool new_name = endpoint.max_tokens_key == MaxTokensKey::kMaxCompletionTokens;
  const JsonField* field =
      scanner.find(new_name ? TopKey::kMaxCompletionTokens : TopKey::kMaxTokens);
  const JsonField* other =
      scanner.find(new_name ? TopKey::kMaxTokens : TopKey::kMaxCompletionTokens);
  const char* const key = new_name ? "\"max_completion_tokens\"" : "\"max_tokens\"";
  const bool add_default = request.output_max == kUnset && endpoint.output_default != kUnset;
  const bool one_name = endpoint.max_tokens_key != MaxTokensKey::kAsSent;

  const bool field_set = field != nullptr && field->type != JsonType::kNull;
  if (one_name && other != nullptr && other->type != JsonType::kNull && !field_set) {
    edits.replace_range(other->key_begin, other->key_end, key);
    if (field != nullptr) edits.remove(*field);
    return;
  }
  if (other != nullptr && (one_name || add_default)) edits.remove(*other);
  if (!add_default) return;
  // `default_cap` is a whole member under the right key.
  if (field != nullptr) edits.remove(*field);
  edits.insert(default_cap);
}

}  // namespace

std::optional<RequestFault> read_chat_request(const JsonScanner& scanner, std::string_view body,
                                              ChatRequest& out) {
  if (const auto fault = check_types(scanner)) return fault;
  if (const JsonField* field = find_set(scanner, TopKey::kModel)) {
    const auto model = proto::json_string(field->value(body), out.model_bytes);
    if (!model || model->size() > out.model_bytes.size()) {
      return RequestFault{"model is too long", "model"};
    }
    // Unless it had escapes, it is still a view of the body.
    std::memmove(out.model_bytes.data(), model->data(), model->size());
    out.model_size = static_cast<std::uint16_t>(model->size());
  }
  if (const JsonField* field = find_set(scanner, TopKey::kStream)) {
    out.stream = field->type == JsonType::kTrue;
  }
  if (const JsonField* field = find_set(scanner, TopKey::kStore)) {
    out.stateful = field->type == JsonType::kTrue;
  }
  if (const auto fault = read_counts(scanner, body, out)) return fault;
  return read_usage_wishes(scanner, body, out);
}

bool shape_chat_request(const JsonScanner& scanner, std::string_view body,
                        const ChatRequest& request, const EndpointShape& endpoint,
                        proto::SpliceList& out) {
  // Texts of ours; the list copies them as it is laid out.
  std::array<char, 768> model_bytes;
  proto::JsonWriter model(model_bytes);
  model.raw("\"model\":");
  model.string(endpoint.model);
  std::array<char, 64> cap_bytes;
  proto::JsonWriter cap(cap_bytes);
  cap.raw(endpoint.max_tokens_key == MaxTokensKey::kMaxCompletionTokens
              ? "\"max_completion_tokens\":"
              : "\"max_tokens\":");
  cap.integer(endpoint.output_default);
  if (model.overflowed() || cap.overflowed()) return false;

  proto::MemberEdits edits;
  shape_model(scanner, model.text(), edits);
  for (const TopKey key : kRouterKeys) {
    if (const JsonField* field = scanner.find(key)) edits.remove(*field);
  }
  if (request.stream) shape_stream_options(scanner, body, endpoint, edits);
  shape_output_cap(scanner, request, endpoint, cap.text(), edits);
  return edits.lay_out(scanner, body, out);
}

}  // namespace leat::dialect
