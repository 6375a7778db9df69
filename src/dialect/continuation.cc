// SPDX-License-Identifier: Apache-2.0
#include "dialect/continuation.h"

#include <algorithm>
#include <charconv>

#include "proto/json_value.h"

namespace leat::dialect {
namespace {

using proto::JsonField;
using proto::JsonScanner;
using proto::JsonType;
using proto::TopKey;

constexpr std::string_view kOpening = R"(,{"role":"assistant","content":")";

std::string_view closing_of(ContinuesBy by) {
  switch (by) {
    case ContinuesBy::kPrefix:
      return R"(","prefix":true})";
    case ContinuesBy::kPartial:
      return R"(","partial":true})";
    case ContinuesBy::kNothing:
    case ContinuesBy::kPlace:
    case ContinuesBy::kFinalMessage:
      break;
  }
  return "\"}";
}

// Bytes of UTF-8 that four hex digits say; half a character of two halves has half of its bytes.
std::int64_t size_of_unit(std::string_view hex) {
  unsigned unit = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), unit, 16);
  if (unit < 0x80) return 1;
  return unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
}

// ... that an escaped text says.
std::int64_t unescaped_size(std::string_view text) {
  std::int64_t size = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      ++size;
      ++at;
    } else if (at + 1 < text.size() && text[at + 1] == 'u') {
      size += size_of_unit(text.substr(std::min(at + 2, text.size()), 4));
      at += 6;
    } else {
      ++size;
      at += 2;
    }
  }
  return size;
}

const JsonField* find_set(const JsonScanner& scanner, TopKey key) {
  const JsonField* field = scanner.find(key);
  return field != nullptr && field->type != JsonType::kNull ? field : nullptr;
}

bool is_on(const JsonScanner& scanner, TopKey key) {
  const JsonField* field = find_set(scanner, key);
  return field != nullptr && field->type != JsonType::kFalse;
}

// Text alone is asked for: `modalities` names nothing else.
bool wants_text_only(const JsonScanner& scanner, std::string_view body) {
  if (find_set(scanner, TopKey::kAudio) != nullptr) return false;
  const JsonField* modalities = find_set(scanner, TopKey::kModalities);
  if (modalities == nullptr) return true;
  proto::JsonElements elements(modalities->value(body));
  std::string_view element;
  while (elements.next(element)) {
    if (element != "\"text\"") return false;
  }
  return true;
}

bool wants_log_probabilities(const JsonScanner& scanner, std::string_view body) {
  const JsonField* top = find_set(scanner, TopKey::kTopLogprobs);
  return is_on(scanner, TopKey::kLogprobs) || (top != nullptr && top->value(body) != "0");
}

// A form that decoding is bound to from the answer's first token on.
bool wants_form(const JsonScanner& scanner, std::string_view body) {
  if (is_on(scanner, TopKey::kStructuredOutputs)) return true;
  if (const JsonField* format = find_set(scanner, TopKey::kResponseFormat)) {
    if (proto::json_find(format->value(body), "type") != "\"text\"") return true;
  }
  const JsonField* choice = find_set(scanner, TopKey::kToolChoice);
  if (choice == nullptr) return false;
  const std::string_view word = choice->value(body);
  return word != "\"auto\"" && word != "\"none\"";
}

// Keys beyond OpenAI's that would have the text twice, or bind the answer to a form: vLLM's,
// SGLang's and llama.cpp's.
bool is_at_odds(std::string_view key) {
  static constexpr std::string_view kNames[] = {
      "add_generation_prompt",
      "continue_final_message",
      "echo",
      "guided_json",
      "guided_regex",
      "guided_choice",
      "guided_grammar",
      "grammar",
      "json_schema",
      "regex",
      "ebnf",
  };
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [key](std::string_view name) { return proto::json_key_says(key, name); });
}

// The client's messages end with one that is not the assistant's.
bool ends_with_question(const JsonScanner& scanner, std::string_view body) {
  const JsonField* messages = find_set(scanner, TopKey::kMessages);
  if (messages == nullptr) return false;
  proto::JsonElements elements(messages->value(body));
  std::string_view message;
  std::string_view last;
  while (elements.next(message)) last = message;
  if (last.empty()) return false;
  const auto role = proto::json_find(last, "role");
  return role && *role != "\"assistant\"";
}

}  // namespace

void TextSoFar::note(const ChatEvent& event) {
  if (is_spoilt_) return;
  switch (event.speech) {
    case Speech::kNothing:
      break;
    case Speech::kText:
      if (text().size() + event.spoken.size() > bytes_max_) return spoil();
      if (message_.empty()) message_ = kOpening;
      message_.append(event.spoken);
      text_end_ = message_.size();
      break;
    case Speech::kReasoning:
      // Behind text it has no place in a message.
      if (!message_.empty()) return spoil();
      reasoning_bytes_ += event.content_bytes;
      break;
    case Speech::kOther:
      return spoil();
  }
  if (event.has_usage && event.usage.completion >= 0) {
    counted_ = event.usage.completion;
    counted_to_ = text_end_;
    reasoning_bytes_ = 0;
  }
}

void TextSoFar::spoil() {
  is_spoilt_ = true;
  std::string().swap(message_);
  text_end_ = 0;
}

std::string_view TextSoFar::text() const {
  if (message_.empty()) return {};
  return std::string_view(message_).substr(kOpening.size(), text_end_ - kOpening.size());
}

bool TextSoFar::is_whole() const {
  if (is_spoilt_ || message_.empty()) return false;
  // Halves of a character that stood in two events are one now; what no other half followed, or is
  // no JSON at all, was passed on to the client as it came and cannot be said to anybody else.
  std::string object;
  object.reserve(text_end_ + 4);
  object.append("{\"t\":\"").append(text()).append("\"}");
  JsonScanner scanner;
  return scanner.scan(object, true) == proto::JsonStatus::kDone;
}

std::int64_t TextSoFar::tokens_max() const {
  const std::size_t from = std::max(counted_to_, std::min(kOpening.size(), text_end_));
  const std::string_view since = std::string_view(message_).substr(from, text_end_ - from);
  return counted_ + reasoning_bytes_ + unescaped_size(since);
}

std::string_view TextSoFar::message(ContinuesBy by) {
  message_.resize(text_end_);
  message_.append(closing_of(by));
  return message_;
}

bool may_be_continued(const JsonScanner& scanner, std::string_view body,
                      const ChatRequest& request) {
  return request.stream && request.n == 1 && !request.stateful && wants_text_only(scanner, body) &&
         !wants_log_probabilities(scanner, body) && !wants_form(scanner, body);
}

bool can_be_continued(const JsonScanner& scanner, std::string_view body, const TextSoFar& so_far,
                      std::int64_t output_default) {
  if (!so_far.is_whole() || !ends_with_question(scanner, body)) return false;
  const std::int64_t given = so_far.tokens_max();
  bool has_cap = false;
  for (const TopKey key : {TopKey::kMaxTokens, TopKey::kMaxCompletionTokens}) {
    const JsonField* field = find_set(scanner, key);
    if (field == nullptr) continue;
    has_cap = true;
    if (!proto::json_integer(field->value(body), given + 1, kOutputMax)) return false;
  }
  if (!has_cap && output_default != kUnset && output_default <= given) return false;
  proto::JsonMembers members(body);
  proto::JsonMember member;
  while (members.next(member)) {
    if (is_at_odds(member.key)) return false;
  }
  return true;
}

void shape_continuation(ContinuesBy by, TextSoFar& so_far, EndpointShape& shape) {
  shape.output_given = so_far.tokens_max();
  shape.trailing_message = so_far.message(by);
  shape.continues_final_message = by == ContinuesBy::kFinalMessage;
}

}  // namespace leat::dialect
