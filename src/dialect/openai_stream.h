// SPDX-License-Identifier: Apache-2.0
// Chat-completion chunks: classify() says what one event is, in one pass over its bytes, with no
// tree and no allocation; ChatNormaliser re-spells an event for the OpenRouter face by splicing
// into the provider's bytes. Providers' deviations: provider-formats.md 1b and 6; what clients
// reject: openrouter-api.md 6.4.
//
// For each event of the SSE reader (both faces):
//   ChatEvent event = classify(sse.data);
//   OpenAI face:      forward sse.raw, unless kind is kUsageOnly and the client did not ask
//   OpenRouter face:  normaliser.write_chunk(sse.data, event, out); before [DONE]
//   write_usage_chunk(…)
// kError and kInvalid are not forwarded on either face: the relay writes its own error event.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dialect/router_metadata.h"
#include "dialect/usage.h"
#include "proto/json_writer.h"

namespace leat::dialect {

enum class ChatKind : std::uint8_t {
  kDone,       // `[DONE]`
  kContent,    // non-empty content, reasoning, tool call, refusal, audio or image, and no finish
               // reason
  kFinish,     // a finish reason, with or without content
  kEmpty,      // a role, empty deltas, Azure's prompt filter results: nothing to commit on
  kUsageOnly,  // usage and no choices
  kError,      // `error`, or the finish reason "error"
  kInvalid,    // not an object of JSON
};

// What a provider says of a failure, as views of its event: still escaped, and hostile until
// cleaned.
struct ChatError {
  std::string_view message;
  std::string_view type;
  std::string_view code;    // string or number, as spelt, without quotes
  std::int32_t status = 0;  // `code` or `status`/`status_code` if it is an HTTP status, else 0
};

// What kind of thing an event says.
enum class Speech : std::uint8_t {
  kNothing,
  kText,       // one string of content, ChatEvent::spoken, and nothing besides
  kReasoning,  // reasoning, and nothing besides
  kOther,      // tool calls, a refusal, parts, images, several answers, text completions
};

struct ChatEvent {
  ChatKind kind = ChatKind::kInvalid;
  bool has_content = false;  // besides a finish reason, if any
  bool has_usage = false;
  Speech speech = Speech::kNothing;
  std::uint16_t finished = 0;      // choices in this event that carry a finish reason
  std::string_view finish_reason;  // the last such, as the provider spelt it; a view
  std::string_view spoken;  // the last string of content or reasoning, without quotes; a view
  // About how much was said, in bytes as spelt: what a missing usage is estimated from.
  std::uint32_t content_bytes = 0;
  ChatUsage usage;
  ChatError error;

  // The commit rule's content event (design.md): from here on nothing can be tried again.
  bool is_content() const { return kind == ChatKind::kContent || kind == ChatKind::kFinish; }
};

// `data` of one event. Views are of `data`. Usage may be cumulative over events: the last one
// counts.
ChatEvent classify(std::string_view data);

// OpenRouter's word for a provider's finish reason: one of stop, length, tool_calls,
// content_filter, error. Unknown words are stop. REQUIRES: not empty.
std::string_view map_finish_reason(std::string_view native);

// What we put in place of the provider's own; plain text, escaped on writing. The views must
// outlive the normaliser.
struct ChatIdentity {
  std::string_view id;        // gen-…
  std::string_view model;     // our slug
  std::string_view provider;  // display name
  std::int64_t created = 0;   // Unix seconds, for chunks that have none
  // Whose broken answer this one carries on, or empty. Told in its first chunk and in the one with
  // the usage.
  std::string_view continued_from = {};
  bool hides_reasoning = false;  // the client wants none of it to see (openrouter-api.md 4.7)
};

enum class Normalised : std::uint8_t {
  kWritten,
  kDropped,  // nothing to forward: usage only, [DONE], an error
  kNoRoom,   // `out` is as it was; try with room for normalised_size_max()
  kInvalid,  // not a chunk; `out` is as it was
};

// Enough room for whatever write_chunk makes of so many bytes.
constexpr std::size_t normalised_size_max(std::size_t data_size) {
  return 40 * data_size + 2'048;
}
// Enough for all but hostile events.
constexpr std::size_t normalised_size_usual(std::size_t data_size) {
  return data_size + 1'024;
}

// Which of the two kinds of answer: the events of both are classified alike.
enum class AnswerForm : std::uint8_t {
  kChat,  // chat completions: `delta` or `message`
  kText,  // legacy text completions: `text`
};

// One per stream on the OpenRouter face. Fixed size.
class ChatNormaliser {
 public:
  explicit ChatNormaliser(const ChatIdentity& identity, AnswerForm form = AnswerForm::kChat)
      : identity_(identity), form_(form) {}

  // Writes one whole event, `data: {…}` and a blank line. Usage is taken out of chunks with
  // choices. `event`: what classify() said of the same `data`.
  Normalised write_chunk(std::string_view data, const ChatEvent& event, proto::JsonWriter& out);

  // The one chunk with `choices:[]` and `usage`, before [DONE] (openrouter-api.md 3, items 4 and
  // 6); of a continuation, with the mark of it. `metadata`: null unless the client asked; it wants
  // kMetadataBytesMax more room.
  void write_usage_chunk(const ChatUsage& usage, const UsageCost& cost, proto::JsonWriter& out,
                         const RouterMetadata* metadata = nullptr) const;

  // The non-streamed answer: the provider's whole body in, ours out (openrouter-api.md 6.3).
  // REQUIRES: classify_completion() called it kFinish or kContent.
  Normalised write_completion(std::string_view body, const ChatUsage& usage, const UsageCost& cost,
                              proto::JsonWriter& out, const RouterMetadata* metadata = nullptr);

 private:
  friend class ChunkSplicer;
  // A tool call seen in this stream. Providers number them from 1, not at all, or all 0: ours count
  // from 0 per choice, by the provider's index, else by id (provider-formats.md 6, case 8).
  struct ToolCall {
    std::uint32_t id_hash = 0;  // 0: no id yet
    std::int32_t index = -1;    // the provider's; -1: none
    std::uint16_t choice = 0;
    std::uint16_t ours = 0;
  };
  static constexpr std::size_t kToolCallsMax = 64;  // further ones keep the provider's index

  ChatIdentity identity_;
  AnswerForm form_;
  bool is_seam_told_ = false;
  std::uint64_t tool_choices_ = 0;  // bit c: choice c (below 64) has called a tool
  std::uint16_t tool_count_ = 0;
  std::array<ToolCall, kToolCallsMax> tools_{};
};

// A non-streamed answer: strictly validated, then read like a chunk. kError for a bare
// `{"error":…}` in a 200; kEmpty for no choices (a failure too: OpenRouter moves on); kInvalid if
// it is not JSON.
ChatEvent classify_completion(std::string_view body);

}  // namespace leat::dialect
