// SPDX-License-Identifier: Apache-2.0
// classify(): what one event is. The rewriting for the OpenRouter face is in openai_normalise.cc.
#include "dialect/openai_stream.h"

#include <algorithm>

#include "proto/json_scan.h"
#include "proto/json_value.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;
using proto::key_is;

// What is spelt around the words of a tool call's piece, or of a part of content, at the least.
constexpr std::size_t kAroundContentBytes = 48;

bool is_text(std::string_view value) {
  return value.size() > 2 && value.front() == '"';
}
bool is_object(std::string_view value) {
  return !value.empty() && value.front() == '{';
}
bool is_filled(std::string_view value) {
  if (value.size() < 2) return false;
  if (value.front() == '"') return value.size() > 2;
  // An array or object with something in it; "{}" and "[ ]" say nothing.
  if (value.front() != '[' && value.front() != '{') return false;
  for (const char c : value.substr(1, value.size() - 2)) {
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return true;
  }
  return false;
}

// Content in parts (Mistral): whether any of them says something. Parts of thinking hold parts in
// turn.
bool parts_say_something(std::string_view parts, int depth) {
  proto::JsonElements elements(parts);
  std::string_view part;
  while (elements.next(part)) {
    if (!is_filled(part)) continue;
    const auto text = proto::json_find(part, "text");
    const auto thinking = proto::json_find(part, "thinking");
    if (!text && !thinking) return true;  // an image, or what the future brings
    if (text && is_text(*text)) return true;
    if (!thinking || !is_filled(*thinking)) continue;
    if (thinking->front() != '[' || depth == 0) return true;
    if (parts_say_something(*thinking, depth - 1)) return true;
  }
  return false;
}

bool is_reasoning(std::string_view key) {
  return key_is(key, "reasoning_content") || key_is(key, "reasoning") ||
         key_is(key, "reasoning_details");
}

// What two things that one event says are together.
Speech joined(Speech before, Speech next) {
  if (before == Speech::kNothing) return next;
  const bool both_reason = before == Speech::kReasoning && next == Speech::kReasoning;
  return both_reason ? Speech::kReasoning : Speech::kOther;
}

// Reads what a delta (or a message) says: content, reasoning, a tool call, a refusal, audio or
// images (design.md, "One commit point").
void read_delta(JsonCursor& at, ChatEvent& event) {
  bool has = false;
  std::size_t bytes = 0;  // of the longest: reasoning may be told twice
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    const bool is_content = key_is(key, "content");
    const bool reasons = !is_content && is_reasoning(key);
    const bool counts = is_content || reasons || key_is(key, "tool_calls") ||
                        key_is(key, "refusal") || key_is(key, "function_call") ||
                        key_is(key, "audio") || key_is(key, "images");
    if (!counts || !is_filled(value)) continue;
    const bool is_string = value.front() == '"';
    const std::size_t around = is_string ? 2 : kAroundContentBytes;
    if (value.size() > around) bytes = std::max(bytes, value.size() - around);
    if (is_string) event.spoken = value.substr(1, value.size() - 2);
    if (is_content && value.front() == '[' && !parts_say_something(value, 1)) continue;
    has = true;
    const Speech other = reasons ? Speech::kReasoning : Speech::kOther;
    event.speech = joined(event.speech, is_content && is_string ? Speech::kText : other);
  }
  if (!has) return;
  event.has_content = true;
  event.content_bytes += static_cast<std::uint32_t>(bytes);
}

class Reader {
 public:
  Reader(ChatEvent& event, bool whole_answer) : event_(event), whole_answer_(whole_answer) {}

  bool read(std::string_view text) {
    JsonCursor at(text);
    if (!at.enter('{')) return false;
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) member(key, at);
    if (!at.ok() || at.peek() != '\0') return false;
    if (is_error_object_ && !has_error_) error(text);
    if (!event_.has_usage && !elsewhere_.empty()) take_usage(read_usage(elsewhere_));
    if (!event_.has_usage && !timings_.empty()) take_usage(read_timings(timings_));
    decide();
    return true;
  }

 private:
  void member(std::string_view key, JsonCursor& at) {
    if (key_is(key, "choices") && at.peek() == '[') return choices(at);
    if (key_is(key, "x_groq") && at.enter('{')) return groq(at);
    const std::string_view value = at.skip();
    if (key_is(key, "usage")) {
      if (is_object(value)) take_usage(read_usage(value));
    } else if (key_is(key, "timings")) {
      timings_ = value;
    } else if (key_is(key, "error") && is_filled(value)) {
      error(value);
    } else if (key_is(key, "object") && value == "\"error\"") {
      is_error_object_ = true;  // vLLM, Mistral: the error's members stand at the top
    }
  }

  void take_usage(const ChatUsage& usage) {
    if (!usage.present()) return;
    event_.usage = usage;
    event_.has_usage = true;
  }

  // Groq's usage stands here, on older models only here.
  void groq(JsonCursor& at) {
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      const std::string_view value = at.skip();
      if (key_is(key, "usage") && is_object(value)) elsewhere_ = value;
    }
  }

  void choices(JsonCursor& at) {
    at.enter('[');
    for (bool first = true; at.next_element(first);) {
      ++choice_count_;
      if (at.enter('{')) {
        choice(at);
      } else {
        at.skip();
      }
    }
  }

  void choice(JsonCursor& at) {
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      const bool spoken = whole_answer_ ? key_is(key, "message") : key_is(key, "delta");
      if (spoken && at.enter('{')) {
        read_delta(at, event_);
        continue;
      }
      const std::string_view value = at.skip();
      if (key_is(key, "finish_reason") && is_text(value)) {
        ++event_.finished;
        event_.finish_reason = value.substr(1, value.size() - 2);
      } else if (key_is(key, "text") && is_text(value)) {
        event_.has_content = true;  // the shape of text completions
        event_.content_bytes += static_cast<std::uint32_t>(value.size()) - 2;
        event_.speech = Speech::kOther;
      } else if (key_is(key, "usage") && is_object(value)) {
        elsewhere_ = value;  // older Moonshot
      }
    }
  }

  void error(std::string_view value) {
    has_error_ = true;
    if (value.front() == '"') {
      event_.error.message = value.substr(1, value.size() - 2);
      return;
    }
    JsonCursor at(value);
    if (!at.enter('{')) return;
    std::string_view key;
    for (bool first = true; at.next_key(first, key);) {
      const std::string_view part = at.skip();
      const std::string_view bare =
          is_text(part) ? part.substr(1, part.size() - 2)
                        : (part == "null" || part == "\"\"" ? std::string_view() : part);
      if (key_is(key, "message")) event_.error.message = bare;
      if (key_is(key, "type")) event_.error.type = bare;
      const bool is_status = key_is(key, "status") || key_is(key, "status_code");
      if (key_is(key, "code")) event_.error.code = bare;
      if (is_status || key_is(key, "code")) {
        const auto status = proto::json_integer(part, 400, 599);
        if (status) event_.error.status = static_cast<std::int32_t>(*status);
      }
    }
  }

  void decide() {
    if (has_error_ || event_.finish_reason == "error") {
      event_.kind = ChatKind::kError;
    } else if (event_.finished > 0) {
      event_.kind = ChatKind::kFinish;
    } else if (event_.has_content) {
      event_.kind = ChatKind::kContent;
    } else if (choice_count_ == 0 && event_.has_usage) {
      event_.kind = ChatKind::kUsageOnly;
    } else {
      event_.kind = ChatKind::kEmpty;
    }
  }

  ChatEvent& event_;
  bool whole_answer_;
  bool has_error_ = false;
  bool is_error_object_ = false;
  std::size_t choice_count_ = 0;
  // Usage that stands elsewhere than at the top; read if there is none at the top.
  std::string_view elsewhere_;
  std::string_view timings_;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

ChatEvent classify(std::string_view data) {
  ChatEvent event;
  data = trimmed(data);
  if (data == "[DONE]") {
    event.kind = ChatKind::kDone;
    return event;
  }
  if (!Reader(event, /*whole_answer=*/false).read(data)) event = ChatEvent();
  return event;
}

ChatEvent classify_completion(std::string_view body) {
  ChatEvent event;
  body = trimmed(body);
  proto::JsonLimits limits;
  limits.keys_max = limits.tokens_max = UINT32_MAX / 2;  // long log probabilities have many
  proto::JsonScanner scanner(limits);
  const bool valid = scanner.scan(body, true) == proto::JsonStatus::kDone;
  if (!valid || !Reader(event, /*whole_answer=*/true).read(body)) return ChatEvent();
  // Usage without an answer is no answer.
  if (event.kind == ChatKind::kUsageOnly) event.kind = ChatKind::kEmpty;
  return event;
}

std::string_view map_finish_reason(std::string_view native) {
  struct Word {
    std::string_view native;
    std::string_view ours;
  };
  static constexpr Word kWords[] = {
      {"stop", "stop"},
      {"length", "length"},
      {"tool_calls", "tool_calls"},
      {"content_filter", "content_filter"},
      {"error", "error"},
      {"function_call", "tool_calls"},
      {"tool_use", "tool_calls"},
      {"max_tokens", "length"},
      {"model_length", "length"},
      {"max_output_tokens", "length"},
      {"MAX_TOKENS", "length"},
      {"SAFETY", "content_filter"},
      {"RECITATION", "content_filter"},
      {"PROHIBITED_CONTENT", "content_filter"},
      {"refusal", "content_filter"},
      {"insufficient_system_resource", "error"},
  };
  for (const Word& word : kWords) {
    if (word.native == native) return word.ours;
  }
  return "stop";
}

}  // namespace leat::dialect
