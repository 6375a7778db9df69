// SPDX-License-Identifier: Apache-2.0
#include "dialect/answer_text.h"

#include "dialect/content_excerpt.h"
#include "proto/json_value.h"

namespace leat::dialect {
namespace {

// More than any request asks for, and what a hostile stream may make us keep.
constexpr std::size_t kChoicesMax = 128;
constexpr std::size_t kCallsMax = 128;

std::int64_t index_of(std::string_view object, std::int64_t otherwise) {
  const auto value = proto::json_find(object, "index");
  if (!value) return otherwise;
  return proto::json_integer(*value, 0, INT32_MAX).value_or(otherwise);
}

std::string_view text_of(std::string_view object, std::string_view key) {
  const auto value = proto::json_find(object, key);
  return value ? proto::json_raw_string(*value).value_or(std::string_view()) : std::string_view();
}

void append_member(std::string_view name, std::string_view escaped, std::string& out) {
  if (escaped.empty()) return;
  out.append(",\"").append(name).append("\":\"").append(escaped).append("\"");
}

}  // namespace

void AnswerText::note(const ChatEvent& event, std::string_view data) {
  if (event.speech == Speech::kNothing || is_cut_) return;
  const bool is_simple = has_one_ && event.speech != Speech::kOther && !event.spoken.empty();
  if (is_simple) {
    Choice* const only = choice(0);
    if (only == nullptr) return;  // there are too many others
    return add(event.speech == Speech::kText ? only->text : only->reasoning, event.spoken);
  }
  const auto choices = proto::json_find(data, "choices");
  if (!choices) return;
  proto::JsonElements elements(*choices);
  std::string_view element;
  while (elements.next(element)) note_choice(element);
}

AnswerText::Choice* AnswerText::choice(std::int64_t index) {
  for (Choice& each : choices_) {
    if (each.index == index) return &each;
  }
  if (choices_.size() == kChoicesMax) {
    is_cut_ = true;
    return nullptr;
  }
  choices_.emplace_back().index = index;
  return &choices_.back();
}

// Providers that give calls no index send each whole, its name first.
AnswerText::Call* AnswerText::call(Choice& choice, std::int64_t index, bool has_name) {
  for (Call& each : choice.calls) {
    if (index >= 0 && each.index == index) return &each;
  }
  if (index < 0 && !has_name && !choice.calls.empty()) return &choice.calls.back();
  if (choice.calls.size() == kCallsMax) {
    is_cut_ = true;
    return nullptr;
  }
  choice.calls.emplace_back().index = index;
  return &choice.calls.back();
}

void AnswerText::add(std::string& to, std::string_view escaped) {
  if (is_cut_) return;
  if (escaped.size() <= room_) {
    to.append(escaped);
    room_ -= escaped.size();
    return;
  }
  is_cut_ = true;
  to.append(escaped.substr(0, room_));
  // The word at the cut may have begun in an event before.
  const std::size_t size = to.size();
  to.append(escaped.substr(room_, 1));
  to.resize(whole_words(to, size));
}

void AnswerText::note_choice(std::string_view element) {
  Choice* const its = choice(index_of(element, 0));
  if (its == nullptr) return;
  if (const auto delta = proto::json_find(element, "delta")) note_delta(*its, *delta);
  add(its->text, text_of(element, "text"));
}

void AnswerText::note_delta(Choice& choice, std::string_view delta) {
  add(choice.text, text_of(delta, "content"));
  const std::string_view reasoning = text_of(delta, "reasoning");
  add(choice.reasoning, reasoning.empty() ? text_of(delta, "reasoning_content") : reasoning);
  add(choice.refusal, text_of(delta, "refusal"));
  if (const auto parts = proto::json_find(delta, "content"); parts && parts->front() == '[') {
    proto::JsonElements elements(*parts);
    std::string_view part;
    while (elements.next(part)) add(choice.text, text_of(part, "text"));
  }
  if (const auto calls = proto::json_find(delta, "tool_calls")) note_calls(choice, *calls);
}

void AnswerText::note_calls(Choice& choice, std::string_view calls) {
  proto::JsonElements elements(calls);
  std::string_view element;
  while (elements.next(element)) {
    const auto function = proto::json_find(element, "function");
    if (!function) continue;
    const std::string_view name = text_of(*function, "name");
    Call* const its = call(choice, index_of(element, -1), !name.empty());
    if (its == nullptr) return;
    if (its->name.empty()) add(its->name, name);
    add(its->arguments, text_of(*function, "arguments"));
  }
}

void AnswerText::append_json(std::string& out) const {
  out.append("{\"choices\":[");
  for (const Choice& each : choices_) {
    if (&each != &choices_.front()) out += ',';
    out.append("{\"index\":").append(std::to_string(each.index));
    if (form_ == AnswerForm::kText) {
      append_member("text", each.text, out);
      out += '}';
      continue;
    }
    out.append(",\"message\":{\"role\":\"assistant\"");
    append_member("content", each.text, out);
    append_member("reasoning", each.reasoning, out);
    append_member("refusal", each.refusal, out);
    if (!each.calls.empty()) out.append(",\"tool_calls\":[");
    for (const Call& call : each.calls) {
      if (&call != &each.calls.front()) out += ',';
      out.append("{\"function\":{\"name\":\"").append(call.name).append("\"");
      append_member("arguments", call.arguments, out);
      out.append("}}");
    }
    out.append(each.calls.empty() ? "}}" : "]}}");
  }
  out.append("]}");
}

}  // namespace leat::dialect
