// SPDX-License-Identifier: Apache-2.0
#include "load/checker.h"

#include <array>

#include "wire/json.h"
#include "wire/words.h"

namespace leat::tools {
namespace {

constexpr std::string_view kBeforeWord = R"("delta":{"content":")";
constexpr std::string_view kAfterWord = R"("},"logprobs":null,"finish_reason":null}])";

}  // namespace

const char* fault_name(Fault fault) {
  static constexpr std::array<const char*, static_cast<std::size_t>(Fault::kFaults)> kNames = {
      "none",        "connect",      "tls",         "timeout",      "closed_early",
      "broken_http", "status",       "error_event", "broken_event", "wrong_word",
      "wrong_count", "wrong_finish", "no_done",     "wrong_usage"};
  return kNames[static_cast<std::size_t>(fault)];
}

void Checker::found(Fault fault) {
  if (fault_ == Fault::kNone) fault_ = fault;
}

void Checker::begin(const Expected& expected, bool streamed) {
  expected_ = expected;
  streamed_ = streamed;
  fault_ = Fault::kNone;
  partial_.clear();
  words_ = 0;
  word_at_ = 0;
  finishes_ = 0;
  usages_ = 0;
  done_ = false;
}

std::uint64_t Checker::take(std::string_view payload) {
  const std::uint64_t before = words_;
  if (!streamed_) {
    partial_ += payload;
    return 0;
  }
  while (true) {
    const std::size_t end = payload.find('\n');
    if (end == std::string_view::npos) break;
    if (partial_.empty()) {
      take_line(payload.substr(0, end));
    } else {
      partial_ += payload.substr(0, end);
      take_line(partial_);
      partial_.clear();
    }
    payload.remove_prefix(end + 1);
  }
  partial_ += payload;
  return words_ - before;
}

void Checker::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty() || line.front() == ':') return;
  if (!line.starts_with("data:")) {
    // Other fields (event, id, retry) are allowed by the format and carry nothing here.
    if (line.find(':') == std::string_view::npos) found(Fault::kBrokenEvent);
    return;
  }
  line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
  if (done_) {
    found(Fault::kNoDone);
  } else if (line == "[DONE]") {
    done_ = true;
  } else if (!take_expected_chunk(line)) {
    take_chunk(line);
  }
}

// The usual case without a walk through the JSON: the next word where the last one was.
bool Checker::take_expected_chunk(std::string_view data) {
  if (word_at_ < kBeforeWord.size() || finishes_ != 0 || words_ >= expected_.tokens) return false;
  if (data.size() < word_at_ + kWordSize + kAfterWord.size()) return false;
  if (data.substr(word_at_ - kBeforeWord.size(), kBeforeWord.size()) != kBeforeWord) return false;
  if (data.substr(word_at_ + kWordSize, kAfterWord.size()) != kAfterWord) return false;
  char word[kWordSize];
  write_word(expected_.seed, words_, word);
  if (data.substr(word_at_, kWordSize) != std::string_view(word, kWordSize)) return false;
  ++words_;
  return true;
}

void Checker::take_chunk(std::string_view data) {
  Members members(data);
  std::string_view key;
  std::string_view value;
  std::string_view choices;
  std::string_view usage;
  while (members.next(key, value)) {
    if (key == "error") found(Fault::kErrorEvent);
    if (key == "choices") choices = value;
    if (key == "usage") usage = value;
  }
  if (choices.empty()) {
    found(Fault::kBrokenEvent);
    return;
  }
  const std::string_view choice = element(choices, 0);
  if (!choice.empty()) take_choice(choice, data);
  if (usage.starts_with('{')) take_usage(usage);
}

void Checker::take_choice(std::string_view choice, std::string_view data) {
  const std::string_view content = member(member(choice, "delta"), "content");
  if (content.size() > 2 && content.front() == '"') take_content(content, data);
  const std::string_view finish = member(choice, "finish_reason");
  if (finish.empty() || finish == "null") return;
  if (++finishes_ > 1 || finish != R"("length")") found(Fault::kWrongFinish);
}

void Checker::take_content(std::string_view raw, std::string_view data) {
  const auto content = string_value(raw);
  if (!content || content->size() % kWordSize != 0) {
    found(Fault::kWrongWord);
    return;
  }
  if (finishes_ != 0) found(Fault::kWrongFinish);
  char word[kWordSize];
  for (std::size_t at = 0; at < content->size(); at += kWordSize) {
    write_word(expected_.seed, words_, word);
    if (content->compare(at, kWordSize, word, kWordSize) != 0) {
      found(Fault::kWrongWord);
      return;
    }
    if (++words_ > expected_.tokens) found(Fault::kWrongCount);
  }
  word_at_ = static_cast<std::size_t>(raw.data() + 1 - data.data());
}

void Checker::take_usage(std::string_view usage) {
  ++usages_;
  if (whole_number(member(usage, "completion_tokens")) != expected_.tokens) {
    found(Fault::kWrongUsage);
  }
}

void Checker::judge_usage() {
  const bool wanted = expected_.usage_rule == UsageRule::kAlways || expected_.usage_asked;
  if (usages_ > 1 || (wanted && usages_ == 0)) found(Fault::kWrongUsage);
  if (usages_ == 1 && !wanted && expected_.usage_rule != UsageRule::kAny) found(Fault::kWrongUsage);
}

void Checker::judge_whole() {
  if (!member(partial_, "error").empty()) found(Fault::kErrorEvent);
  const std::string_view choice = element(member(partial_, "choices"), 0);
  const auto content = string_value(member(member(choice, "message"), "content"));
  if (!content) {
    found(Fault::kBrokenEvent);
    return;
  }
  if (content->size() != expected_.tokens * kWordSize) {
    found(Fault::kWrongCount);
  } else if (*content != text_of(expected_.seed, expected_.tokens)) {
    found(Fault::kWrongWord);
  } else {
    words_ = expected_.tokens;
  }
  if (member(choice, "finish_reason") != R"("length")") found(Fault::kWrongFinish);
  const std::string_view usage = member(partial_, "usage");
  if (whole_number(member(usage, "completion_tokens")) != expected_.tokens) {
    found(Fault::kWrongUsage);
  }
}

void Checker::end() {
  if (!streamed_) {
    judge_whole();
    return;
  }
  if (!partial_.empty()) found(Fault::kBrokenEvent);
  if (words_ != expected_.tokens) found(Fault::kWrongCount);
  if (finishes_ != 1) found(Fault::kWrongFinish);
  if (!done_) found(Fault::kNoDone);
  judge_usage();
}

}  // namespace leat::tools
