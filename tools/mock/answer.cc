// SPDX-License-Identifier: Apache-2.0
#include "mock/answer.h"

#include <fmt/format.h>

#include "wire/json.h"
#include "wire/words.h"

namespace leat::tools {
namespace {

constexpr std::string_view kChunkKind = "chat.completion.chunk";

std::string id_of(std::uint64_t seed) {
  return fmt::format("chatcmpl-{:016x}{:013x}", seed, (seed * 0x9e3779b97f4a7c15) >> 12);
}

}  // namespace

Answer::Answer(const AnswerFacts& facts)
    : seed_(facts.seed),
      tokens_(facts.tokens),
      prompt_tokens_(facts.prompt_tokens),
      wrong_word_(facts.wrong_word),
      cut_by_limit_(facts.cut_by_limit),
      include_usage_(facts.include_usage),
      id_(id_of(facts.seed)) {
  common_ = fmt::format(R"("created":{},"model":{},"system_fingerprint":"fp_{:010x}")",
                        facts.created, json_text(facts.model), 0x44709d6fcbu);
  token_start_ = fmt::format(
      R"(data: {{"id":"{}","object":"{}",{},"choices":[{{"index":0,"delta":{{"content":")", id_,
      kChunkKind, common_);
  token_end_ = R"("},"logprobs":null,"finish_reason":null}])";
  if (include_usage_) token_end_ += R"(,"usage":null)";
  // The real one pads its chunks in this member too, against guessing words by packet sizes.
  const std::size_t bare = token_start_.size() + kWordSize + token_end_.size() + 20 + 3;
  if (bare < facts.event_bytes) {
    token_end_ += fmt::format(R"(,"obfuscation":"{:x<{}}")", "", facts.event_bytes - bare + 1);
  }
  token_end_ += "}\n\n";
}

void Answer::write_word_at(std::uint64_t index, char* out) const {
  write_word(seed_, index, out);
  if (index == wrong_word_) out[1] = out[1] == 'b' ? 'c' : 'b';
}

void Answer::append_token(std::uint64_t index, std::string& out) const {
  char word[kWordSize];
  write_word_at(index, word);
  out.append(token_start_).append(word, kWordSize).append(token_end_);
}

void Answer::append_chunk(std::string_view delta, std::string_view finish, std::string& out) const {
  fmt::format_to(std::back_inserter(out),
                 R"(data: {{"id":"{}","object":"{}",{},"choices":[{{"index":0,"delta":{},)"
                 R"("logprobs":null,"finish_reason":{}}}]{}}})"
                 "\n\n",
                 id_, kChunkKind, common_, delta, finish, include_usage_ ? R"(,"usage":null)" : "");
}

void Answer::append_role(std::string& out) const {
  append_chunk(R"({"role":"assistant","content":"","refusal":null})", "null", out);
}

void Answer::append_end(std::string& out) const {
  append_chunk("{}", cut_by_limit_ ? R"("length")" : R"("stop")", out);
  if (include_usage_) {
    fmt::format_to(std::back_inserter(out),
                   R"(data: {{"id":"{}","object":"{}",{},"choices":[],"usage":{}}})"
                   "\n\n",
                   id_, kChunkKind, common_, usage());
  }
  out += "data: [DONE]\n\n";
}

std::string Answer::usage() const {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},)"
                     R"("completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,)"
                     R"("accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}})",
                     prompt_tokens_, tokens_, prompt_tokens_ + tokens_);
}

std::string Answer::whole() const {
  std::string text(static_cast<std::size_t>(tokens_) * kWordSize, ' ');
  for (std::uint64_t i = 0; i < tokens_; ++i) write_word_at(i, text.data() + i * kWordSize);
  return fmt::format(
      R"({{"id":"{}","object":"chat.completion",{},"choices":[{{"index":0,"message":)"
      R"({{"role":"assistant","content":"{}","refusal":null,"annotations":[]}},)"
      R"("logprobs":null,"finish_reason":"{}"}}],"usage":{},"service_tier":"default"}})",
      id_, common_, text, cut_by_limit_ ? "length" : "stop", usage());
}

std::string error_body(int status) {
  std::string_view type = "server_error";
  std::string_view code = "null";
  std::string_view message = "The server had an error while processing your request.";
  if (status == 429) {
    type = "requests";
    code = R"("rate_limit_exceeded")";
    message = "Rate limit reached for requests.";
  } else if (status == 404) {
    type = "invalid_request_error";
    code = R"("unknown_url")";
    message = "Unknown request URL.";
  } else if (status < 500) {
    type = "invalid_request_error";
    message = "We could not parse your request.";
  }
  return fmt::format(R"({{"error":{{"message":"{}","type":"{}","param":null,"code":{}}}}})",
                     message, type, code);
}

}  // namespace leat::tools
