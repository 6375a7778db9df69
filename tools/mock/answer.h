// SPDX-License-Identifier: Apache-2.0
// Answer: the text of one chat completion in the shape that api.openai.com gives it (API reference,
// "The chat completion object" and "The chat completion chunk object"): ids, fingerprint, the role
// chunk first, then a chunk a token, the finish chunk, the usage chunk if asked for, and [DONE].
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace leat::tools {

struct AnswerFacts {
  std::uint64_t seed = 0;  // of the words: words.h
  std::uint64_t tokens = 0;
  std::uint64_t prompt_tokens = 0;
  bool cut_by_limit = false;  // finish reason "length", not "stop"
  bool include_usage = false;
  std::string_view model;
  std::int64_t created = 0;               // Unix seconds
  std::size_t event_bytes = 0;            // token events are padded to this
  std::uint64_t wrong_word = UINT64_MAX;  // the index of a word to falsify
};

class Answer {
 public:
  explicit Answer(const AnswerFacts& facts);

  std::uint64_t tokens() const { return tokens_; }

  // Each appends one whole event, blank line included.
  void append_role(std::string& out) const;
  void append_token(std::uint64_t index, std::string& out) const;
  void append_end(std::string& out) const;  // finish chunk, usage chunk if asked for, [DONE]

  // The body of an answer that is not streamed.
  std::string whole() const;

 private:
  void write_word_at(std::uint64_t index, char* out) const;
  void append_chunk(std::string_view delta, std::string_view finish, std::string& out) const;
  std::string usage() const;

  std::uint64_t seed_;
  std::uint64_t tokens_;
  std::uint64_t prompt_tokens_;
  std::uint64_t wrong_word_;
  bool cut_by_limit_;
  bool include_usage_;
  std::string id_;
  std::string common_;  // the members that all chunks share, from "created" to "system_fingerprint"
  std::string token_start_;  // a token event up to its word
  std::string token_end_;    // and after it
};

// An error body in OpenAI's shape for one of its statuses.
std::string error_body(int status);

}  // namespace leat::tools
