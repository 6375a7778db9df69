// SPDX-License-Identifier: Apache-2.0
// AnswerText: what a stream said, put together again in the shape of a whole answer, for a content
// log: text, reasoning, refusals and tool calls of each choice. One for a stream whose content is
// to be logged. Pure; appends to its own memory for each event, within a bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/openai_stream.h"

namespace leat::dialect {

class AnswerText {
 public:
  // Of more text than `bytes_max`, escaped, the rest is not kept. `answers`: how many were asked
  // for.
  AnswerText(AnswerForm form, std::int64_t answers, std::size_t bytes_max)
      : form_(form), has_one_(answers <= 1), room_(bytes_max) {}

  // An event that went to the client, in order; `data`: what it was classified from.
  void note(const ChatEvent& event, std::string_view data);

  bool is_cut() const { return is_cut_; }
  bool is_empty() const { return choices_.empty(); }
  // `{"choices":[{"index":0,"message":{...}}]}`; texts as the provider spelt them, valid or not.
  void append_json(std::string& out) const;

 private:
  struct Call {
    std::int64_t index = -1;
    std::string name;
    std::string arguments;
  };
  struct Choice {
    std::int64_t index = 0;
    std::string text;
    std::string reasoning;
    std::string refusal;
    std::vector<Call> calls;
  };

  Choice* choice(std::int64_t index);
  Call* call(Choice& choice, std::int64_t index, bool has_name);
  void add(std::string& to, std::string_view escaped);
  void note_choice(std::string_view choice);
  void note_delta(Choice& choice, std::string_view delta);
  void note_calls(Choice& choice, std::string_view calls);

  AnswerForm form_;
  bool has_one_;
  bool is_cut_ = false;
  std::size_t room_;
  std::vector<Choice> choices_;
};

}  // namespace leat::dialect
