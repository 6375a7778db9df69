// SPDX-License-Identifier: Apache-2.0
// Carrying a broken stream on: what of an answer has been said, whether another endpoint can go on
// from there, and how it is asked to (threats-and-faults.md 4.1, the operator's opt-in). The text
// so far stands as an assistant's message behind those of the client's; who continues such a
// message, and how that is spelt, is data (policy::Quirk): DeepSeek's and Mistral's `prefix`,
// Moonshot's and DashScope's `partial`, vLLM's, SGLang's and llama.cpp's `continue_final_message`.
// Pure: no I/O, no clock; one append for each event that is noted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dialect/openai_request.h"
#include "dialect/openai_stream.h"
#include "proto/json_scan.h"

namespace leat::dialect {

// How an endpoint is told that the last message is to be carried on.
enum class ContinuesBy : std::uint8_t {
  kNothing,       // it cannot
  kPlace,         // the message stands last, and that is all
  kPrefix,        // `prefix: true` in the message
  kPartial,       // `partial: true` in the message
  kFinalMessage,  // `add_generation_prompt: false, continue_final_message: true` beside them
};

// The text that a client has been sent, as JSON spells it. One per stream that may be carried on.
class TextSoFar {
 public:
  // Of more text than `bytes_max`, escaped, nothing is kept, and it is not carried on.
  explicit TextSoFar(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // An event that went to the client, in order.
  void note(const ChatEvent& event);

  // Whether all that was said is text, behind reasoning perhaps, within bounds. What is not stays
  // so.
  bool is_plain() const { return !is_spoilt_; }
  // Whether it is plain, and something was said, up to a character's end. Reads all of it.
  bool is_whole() const;
  // Tokens that the answer cost at most so far: what the provider counted, and a token for each
  // byte since, since no token says less than a byte.
  std::int64_t tokens_max() const;

  // The message that says it, with a comma before it. Good until the next call of any other.
  // REQUIRES: is_whole(); `by` is not kNothing.
  std::string_view message(ContinuesBy by);

  std::string_view text() const;  // escaped, without quotes
  std::size_t bytes_held() const { return message_.capacity(); }

 private:
  void spoil();

  std::size_t bytes_max_;
  std::string message_;         // empty, or the message up to the text's end, and more
  std::size_t text_end_ = 0;    // of message_
  std::size_t counted_to_ = 0;  // of message_: what the provider's count is of
  std::int64_t counted_ = 0;
  std::int64_t reasoning_bytes_ = 0;  // since that count
  bool is_spoilt_ = false;
};

// Whether the answer to this request is one text that may be broken off and carried on. Not a
// stream, several answers, log probabilities, audio, a forced tool call, or a request with
// `store: true` is not; neither is JSON by a schema or a grammar, whose state begins anew with
// each answer. Cheap: asked before a text is kept.
bool may_be_continued(const proto::JsonScanner& scanner, std::string_view body,
                      const ChatRequest& request);

// Whether it can be now: tokens are left of the output cap (`output_default`: what is sent as such
// where the request has none, or kUnset), and the client's own messages do not end in a text to be
// carried on. Reads the body. REQUIRES: may_be_continued().
bool can_be_continued(const proto::JsonScanner& scanner, std::string_view body,
                      const TextSoFar& so_far, std::int64_t output_default);

// Writes into `shape` how the endpoint is asked for the rest. Views of `so_far`.
void shape_continuation(ContinuesBy by, TextSoFar& so_far, EndpointShape& shape);

}  // namespace leat::dialect
