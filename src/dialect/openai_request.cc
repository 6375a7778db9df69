// SPDX-License-Identifier: Apache-2.0
#include "dialect/openai_request.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/uninitialized.h"
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
constexpr proto::TopKeySet kRouterKeys = proto::keys_of({
    TopKey::kModels,
    TopKey::kProvider,
    TopKey::kRoute,
    TopKey::kPlugins,
    TopKey::kTransforms,
    TopKey::kUsage,
    TopKey::kPreset,
    TopKey::kDebug,
    TopKey::kSessionId,
    TopKey::kTrace,
});

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

bool is_empty_list(std::string_view list) {
  proto::JsonElements elements(list);
  std::string_view element;
  return !elements.next(element);
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
    if (!read_flag(field->value(body), "include", out.wants_cost)) {
      return RequestFault{"usage.include must be a boolean", "usage.include"};
    }
    out.wants_usage = out.wants_usage || out.wants_cost;
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

// Texts of ours that must live until the list is laid out.
struct ShapeTexts {
  std::array<char, 768> model;
  std::array<char, 64> cap;
  std::array<char, 64> reasoning;
  std::array<char, 64> choice;
  std::array<char, 64> seed;
  std::array<char, 64> tier;
  std::array<std::array<char, 24>, 2> rests;
};

void remove_member(const JsonScanner& scanner, TopKey key, proto::MemberEdits& edits) {
  if (const JsonField* field = scanner.find(key)) edits.remove(*field);
}

void remove_members(const JsonScanner& scanner, proto::TopKeySet keys, proto::MemberEdits& edits) {
  for (proto::TopKeySet left = scanner.present() & keys; left != 0; left &= left - 1) {
    remove_member(scanner, static_cast<TopKey>(std::countr_zero(left)), edits);
  }
}

// Those that shape_output_cap() and shape_reasoning() see to.
constexpr ParameterSet kShapedParameters = {Parameter::kMaxTokens, Parameter::kMaxCompletionTokens,
                                            Parameter::kReasoning, Parameter::kReasoningEffort};

// What `:thinking` adds.
constexpr std::string_view kReasoningOn = R"("reasoning":{"enabled":true})";
constexpr std::string_view kEnabled = R"("enabled":true)";
constexpr std::string_view kEnabledAndMore = R"("enabled":true,)";

// A member of the object `reasoning`, or nothing where nothing is asked for.
void write_effort_member(const ChatRequest& request, const EndpointShape& endpoint, bool turns_on,
                         proto::JsonWriter& out) {
  if (turns_on) return out.raw(kEnabled);
  const ReasoningEffort effort =
      effort_for(request.reasoning, request.output_max, endpoint.efforts);
  if (effort == ReasoningEffort::kUnset) return;
  out.raw(R"("effort":)");
  out.string(reasoning_effort_name(effort));
}

// A whole member, or nothing where nothing is asked for.
void write_effort(const ChatRequest& request, const EndpointShape& endpoint, bool turns_on,
                  proto::JsonWriter& out) {
  const bool takes_object = endpoint.reasoning_key == ReasoningKey::kReasoning;
  if (turns_on && takes_object) return out.raw(kReasoningOn);
  ReasoningWish wish = request.reasoning;
  if (turns_on) wish.effort = ReasoningEffort::kMedium;
  const ReasoningEffort effort = effort_for(wish, request.output_max, endpoint.efforts);
  if (effort == ReasoningEffort::kUnset) return;
  out.raw(takes_object ? R"("reasoning":{"effort":)" : R"("reasoning_effort":)");
  out.string(reasoning_effort_name(effort));
  if (takes_object) out.raw("}");
}

void shape_dropped(const JsonScanner& scanner, ParameterSet dropped, proto::MemberEdits& edits) {
  proto::TopKeySet keys = 0;
  for (std::uint64_t left = dropped.without(kShapedParameters).bits(); left != 0;
       left &= left - 1) {
    keys |= proto::keys_of({parameter_key(static_cast<Parameter>(std::countr_zero(left)))});
  }
  remove_members(scanner, keys, edits);
}

// Whether an object `reasoning` says itself how much, or whether to.
bool says_how(std::string_view object) {
  return std::ranges::any_of(std::array{"effort", "max_tokens", "enabled"}, [&](const char* key) {
    const auto value = proto::json_find(object, key);
    return value && *value != "null";
  });
}

// A member becomes the first of the object: its comma with it, where others follow.
void put_first(const JsonField& object, std::string_view member, proto::MemberEdits& edits) {
  const std::uint32_t inside = object.value_begin + 1;
  edits.replace_range(inside, inside, member);
}

bool has_members(std::string_view object) {
  proto::JsonMembers members(object);
  proto::JsonMember first;
  return members.next(first);
}

// Of who takes either spelling.
void shape_reasoning_as_sent(const JsonScanner& scanner, std::string_view body, bool turns_on,
                             const EndpointShape& endpoint, proto::MemberEdits& edits) {
  const JsonField* const object = find_set(scanner, TopKey::kReasoning);
  const bool is_dropped = endpoint.dropped.has(Parameter::kReasoning);
  const bool is_added = turns_on && !is_dropped && endpoint.takes_reasoning;
  if (is_dropped || (is_added && object == nullptr)) {
    remove_member(scanner, TopKey::kReasoning, edits);
  }
  if (is_added && object == nullptr) edits.insert(kReasoningOn);
  if (is_added && object != nullptr) {
    put_first(*object, has_members(object->value(body)) ? kEnabledAndMore : kEnabled, edits);
  }
  if (endpoint.dropped.has(Parameter::kReasoningEffort)) {
    remove_member(scanner, TopKey::kReasoningEffort, edits);
  }
}

// The wish for reasoning as one member, under the key that the endpoint takes: the client's own
// text where it is spelt so, else made from the other spelling. False if the text has no room.
bool shape_reasoning(const JsonScanner& scanner, std::string_view body, const ChatRequest& request,
                     const EndpointShape& endpoint, std::span<char> room,
                     proto::MemberEdits& edits) {
  const bool turns_on = endpoint.reasoning_on && !request.reasoning.asks();
  if (endpoint.reasoning_key == ReasoningKey::kAsSent) {
    shape_reasoning_as_sent(scanner, body, turns_on, endpoint, edits);
    return true;
  }
  const bool takes_object = endpoint.reasoning_key == ReasoningKey::kReasoning;
  const TopKey wanted_key = takes_object ? TopKey::kReasoning : TopKey::kReasoningEffort;
  const TopKey other_key = takes_object ? TopKey::kReasoningEffort : TopKey::kReasoning;
  const bool is_taken =
      endpoint.takes_reasoning && endpoint.reasoning_key != ReasoningKey::kNowhere;
  remove_member(scanner, other_key, edits);
  const JsonField* const wanted = find_set(scanner, wanted_key);
  proto::JsonWriter text(room);
  if (is_taken && takes_object && wanted != nullptr) {
    if (says_how(wanted->value(body))) return true;
    write_effort_member(request, endpoint, turns_on, text);
    if (text.size() == 0) return true;
    if (has_members(wanted->value(body))) text.raw(",");
    put_first(*wanted, text.text(), edits);
    return !text.overflowed();
  }
  if (is_taken) write_effort(request, endpoint, turns_on, text);
  const bool is_as_sent = wanted != nullptr && !takes_object && text.size() != 0 &&
                          text.text().ends_with(wanted->value(body));
  if (is_as_sent) return true;
  remove_member(scanner, wanted_key, edits);
  if (text.size() != 0) edits.insert(text.text());
  return !text.overflowed();
}

// The provider bills by what it is asked, and we by the endpoint's tier: they are one.
bool shape_service_tier(const JsonScanner& scanner, std::string_view body,
                        const EndpointShape& endpoint, std::span<char> room,
                        proto::MemberEdits& edits) {
  if (endpoint.dropped.has(Parameter::kServiceTier)) return true;  // shape_dropped() saw to it
  const JsonField* const field = scanner.find(TopKey::kServiceTier);
  if (endpoint.service_tier.empty()) {
    if (field == nullptr || field->type == JsonType::kNull) return true;
    const std::string_view asked = field->value(body);
    const bool is_standard = asked == "\"auto\"" || asked == "\"default\"" || asked == "\"scale\"";
    if (!is_standard) edits.remove(*field);
    return true;
  }
  proto::JsonWriter text(room);
  if (field == nullptr) text.raw("\"service_tier\":");
  text.string(endpoint.service_tier);
  if (text.overflowed()) return false;
  if (field == nullptr) {
    edits.insert(text.text());
  } else {
    edits.replace_value(*field, text.text());
  }
  return true;
}

bool shape_words(const JsonScanner& scanner, std::string_view body, const EndpointShape& endpoint,
                 ShapeTexts& texts, proto::MemberEdits& edits) {
  const ParameterSet dropped = with_dependents(endpoint.dropped);
  const JsonField* const choice = scanner.find(TopKey::kToolChoice);
  proto::JsonWriter required(texts.choice);
  if (!endpoint.tool_choice_required.empty() && choice != nullptr &&
      !dropped.has(Parameter::kToolChoice) && choice->value(body) == "\"required\"") {
    required.string(endpoint.tool_choice_required);
    edits.replace_value(*choice, required.text());
  }
  const JsonField* const seed = scanner.find(TopKey::kSeed);
  proto::JsonWriter seed_key(texts.seed);
  if (!endpoint.seed_key.empty() && seed != nullptr && !dropped.has(Parameter::kSeed)) {
    seed_key.string(endpoint.seed_key);
    edits.replace_range(seed->key_begin, seed->key_end, seed_key.text());
  }
  const JsonField* const tools = scanner.find(TopKey::kTools);
  if (!endpoint.takes_empty_tools && tools != nullptr && !dropped.has(Parameter::kTools) &&
      is_empty_list(tools->value(body))) {
    edits.remove(*tools);
  }
  return !required.overflowed() && !seed_key.overflowed();
}

// Messages and tools as respell_lists() wrote them. A list that is left out stays so.
void place_lists(const JsonScanner& scanner, const EndpointShape& endpoint, ParameterSet dropped,
                 proto::MemberEdits& edits) {
  const JsonField* const messages = find_set(scanner, TopKey::kMessages);
  if (messages != nullptr && !endpoint.messages_text.empty()) {
    edits.place(messages->value_begin, messages->value_end - 1, endpoint.messages_text);
  }
  const JsonField* const tools = find_set(scanner, TopKey::kTools);
  if (tools != nullptr && !endpoint.tools_text.empty() && !dropped.has(Parameter::kTools)) {
    edits.place(tools->value_begin, tools->value_end, endpoint.tools_text);
  }
}

// What is left of the caps, in those that shape_output_cap() lets stand. False if nothing is.
bool shape_rest_of_cap(const JsonScanner& scanner, std::string_view body,
                       const EndpointShape& endpoint, ShapeTexts& texts,
                       proto::MemberEdits& edits) {
  constexpr TopKey kCaps[] = {TopKey::kMaxTokens, TopKey::kMaxCompletionTokens};
  for (std::size_t i = 0; i < std::size(kCaps); ++i) {
    const JsonField* const field = find_set(scanner, kCaps[i]);
    if (field == nullptr) continue;
    const bool is_wanted = endpoint.max_tokens_key == MaxTokensKey::kAsSent ||
                           (endpoint.max_tokens_key == MaxTokensKey::kMaxTokens) == (i == 0);
    if (!is_wanted && find_set(scanner, kCaps[1 - i]) != nullptr) continue;  // it is left out
    const auto cap = proto::json_integer(field->value(body), endpoint.output_given + 1, kOutputMax);
    if (!cap) return false;
    proto::JsonWriter rest(texts.rests[i]);
    rest.integer(*cap - endpoint.output_given);
    edits.replace_value(*field, rest.text());
  }
  return true;
}

// The text so far, and what an endpoint wants to know of it.
bool shape_rest(const JsonScanner& scanner, std::string_view body, const EndpointShape& endpoint,
                ShapeTexts& texts, proto::MemberEdits& edits) {
  const JsonField* const messages = find_set(scanner, TopKey::kMessages);
  if (messages == nullptr) return false;
  const std::uint32_t end = messages->value_end - 1;
  edits.place(end, end, endpoint.trailing_message);
  if (endpoint.continues_final_message) {
    edits.insert(R"("add_generation_prompt":false,"continue_final_message":true)");
  }
  return shape_rest_of_cap(scanner, body, endpoint, texts, edits);
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

std::size_t respelling_size(const JsonScanner& scanner, const ChatRequest& request,
                            const EndpointShape& endpoint) {
  const auto room_for = [&](TopKey key) {
    const JsonField* const list = find_set(scanner, key);
    return list == nullptr ? 0 : respelt_size_max(list->value_end - list->value_begin);
  };
  const MessageShape& shape = endpoint.messages;
  return (shape.changes_messages(request.extras) ? room_for(TopKey::kMessages) : 0) +
         (shape.changes_tools(request.extras) ? room_for(TopKey::kTools) : 0);
}

bool respell_lists(const JsonScanner& scanner, std::string_view body, const ChatRequest& request,
                   proto::JsonWriter& out, EndpointShape& endpoint) {
  const MessageShape& shape = endpoint.messages;
  const JsonField* const messages = find_set(scanner, TopKey::kMessages);
  if (messages != nullptr && shape.changes_messages(request.extras)) {
    if (!write_messages(messages->value(body), shape, out)) return false;
    endpoint.messages_text = out.text();
  }
  const JsonField* const tools = find_set(scanner, TopKey::kTools);
  const bool has_tools = tools != nullptr && !is_empty_list(tools->value(body));
  if (has_tools && shape.changes_tools(request.extras)) {
    const std::size_t begin = out.size();
    if (!write_tools(tools->value(body), shape, out)) return false;
    endpoint.tools_text = out.text().substr(begin);
  }
  return true;
}

bool shape_chat_request(const JsonScanner& scanner, std::string_view body,
                        const ChatRequest& request, const EndpointShape& endpoint,
                        proto::SpliceList& out) {
  LEAT_UNINITIALIZED ShapeTexts texts;
  proto::JsonWriter model(texts.model);
  model.raw("\"model\":");
  model.string(endpoint.model);
  proto::JsonWriter cap(texts.cap);
  cap.raw(endpoint.max_tokens_key == MaxTokensKey::kMaxCompletionTokens
              ? "\"max_completion_tokens\":"
              : "\"max_tokens\":");
  cap.integer(endpoint.output_default - endpoint.output_given);
  if (model.overflowed() || cap.overflowed()) return false;

  LEAT_UNINITIALIZED proto::MemberEdits edits;
  shape_model(scanner, model.text(), edits);
  remove_members(scanner, kRouterKeys, edits);
  if (request.stream) {
    shape_stream_options(scanner, body, endpoint, edits);
  } else {
    // OpenAI and others refuse it beside an answer that is no stream.
    remove_member(scanner, TopKey::kStreamOptions, edits);
  }
  shape_output_cap(scanner, request, endpoint, cap.text(), edits);
  shape_dropped(scanner, with_dependents(endpoint.dropped), edits);
  if (!shape_reasoning(scanner, body, request, endpoint, texts.reasoning, edits)) return false;
  if (!shape_service_tier(scanner, body, endpoint, texts.tier, edits)) return false;
  if (!shape_words(scanner, body, endpoint, texts, edits)) return false;
  place_lists(scanner, endpoint, with_dependents(endpoint.dropped), edits);
  if (!endpoint.trailing_message.empty() && !shape_rest(scanner, body, endpoint, texts, edits)) {
    return false;
  }
  return edits.lay_out(scanner, body, out);
}

}  // namespace leat::dialect
