// SPDX-License-Identifier: Apache-2.0
// Relay: a running stream, event by event: reads the provider's bytes once, takes usage and finish
// reason in passing, and writes what the client's face shows. Flat: no coroutine, no allocation per
// event, one append to the client's send arena for each run of events that goes out as it came.
//
// Until the first content event what it has to show is held; then it asks its owner to commit, and
// from there on writes straight to the client's stream.
#pragma once

#include <memory>

#include "base/block.h"
#include "dialect/answer_text.h"
#include "dialect/chat_classifier.h"
#include "dialect/continuation.h"
#include "dialect/errors.h"
#include "dialect/face.h"
#include "dialect/openai_stream.h"
#include "net/stream.h"
#include "proto/sse.h"

namespace leat::gateway {

// What became of the bytes given to Relay::read().
enum class RelayStep : std::uint8_t {
  kGoOn,      // all of them are used
  kDone,      // [DONE]; what follows is not looked at
  kError,     // the provider reports a failure in the stream: Relay::error()
  kInvalid,   // an event is no chunk of JSON
  kTooLarge,  // an event, or the stream, is beyond its limit
};

struct RelayOptions {
  dialect::Face face = dialect::Face::kOpenAi;
  dialect::AnswerForm form = dialect::AnswerForm::kChat;
  bool wants_usage = false;
  bool wants_cost = false;  // beside the provider's usage on the OpenAI face
  bool chunked = true;      // frame for an HTTP/1.1 client
  std::size_t event_bytes_max = 8u << 20;
  std::uint64_t stream_bytes_max = 256ull << 20;
  std::size_t held_bytes_max = 256u << 10;  // above it the stream is committed without content
  // What the client is sent is noted there, for who may have to carry it on; null: nowhere. It
  // outlives the answer.
  dialect::TextSoFar* so_far = nullptr;
  // The same for a content log.
  dialect::AnswerText* heard = nullptr;
  // This answer carries on another one that broke, at the same client: what stands before its
  // first content is no news, and a comment says where the seam is, on both faces. The identity
  // has the name for the mark.
  bool continues = false;
};

class RelayOwner {
 public:
  // The first content event has come: writes the head to the client's stream and returns it. Called
  // once for each start().
  virtual net::Stream& on_commit() = 0;
  // What the answer costs if `usage` is all of it; asked only where the options want it.
  virtual dialect::UsageCost cost_of(const dialect::ChatUsage& /*usage*/) { return {}; }

 protected:
  ~RelayOwner() = default;
};

class Relay {
 public:
  // A new answer. The identity is for the OpenRouter face; its views outlive the answer.
  void start(const RelayOptions& options, const dialect::ChatIdentity& identity);

  RelayStep read(std::string_view bytes, RelayOwner& owner);
  // The provider's stream has ended: reads what has no blank line behind it.
  RelayStep read_end(RelayOwner& owner);
  // The end in order: usage and metadata (null: none) where they are due, [DONE], the last chunk.
  // REQUIRES: committed.
  void write_end(const dialect::UsageCost& cost, const dialect::RouterMetadata* metadata = nullptr);
  // What follows is written there. REQUIRES: committed.
  void go_on_at(net::Stream& client) { client_ = &client; }
  // One event of ours that says that the stream broke; no [DONE], no last chunk. For a client whose
  // stream was begun, by whichever relay.
  static void write_error(net::Stream& client, bool chunked, dialect::ErrorKind kind,
                          const dialect::ErrorDetail& detail);
  bool is_noting() const { return options_.so_far != nullptr; }
  // The text that is noted will not be needed.
  void stop_noting() {
    options_.so_far = nullptr;
    has_notes_ = options_.heard != nullptr;
  }
  // Who kept it for a content log has it.
  void stop_hearing() {
    options_.heard = nullptr;
    has_notes_ = options_.so_far != nullptr;
  }

  bool is_committed() const { return client_ != nullptr; }
  bool finish_seen() const { return finish_seen_; }
  // What comes next is most likely one more word, which may wait for the one after it.
  bool is_midst_text() const {
    return is_committed() && is_speaking_ && !finish_seen_ && content_events_ >= kNeverWaiting;
  }
  const dialect::ChatUsage& usage() const { return usage_; }
  // Told to the client in place of what the provider says.
  void set_usage(const dialect::ChatUsage& usage) { usage_ = usage; }
  // As the provider spelt them, still escaped; empty where it did not, or what is too long to keep.
  std::string_view native_finish() const { return native_finish_.text(); }
  std::string_view upstream_id() const { return upstream_id_.text(); }
  // After kError; views of the bytes just read.
  const dialect::ChatError& error() const { return error_; }
  std::uint64_t events() const { return events_; }
  std::uint64_t bytes() const { return bytes_; }  // read
  // What passed of the answer itself, for where the provider does not say what it counted.
  std::uint64_t content_events() const { return content_events_; }
  std::uint64_t content_bytes() const { return content_bytes_; }

 private:
  // A word that outlives its event.
  template <std::size_t kMax>
  struct Kept {
    void set(std::string_view word) {
      size = word.size() <= kMax ? static_cast<std::uint8_t>(word.size()) : 0;
      word.copy(bytes, size);
    }
    std::string_view text() const { return {bytes, size}; }
    std::uint8_t size = 0;
    char bytes[kMax];
  };

  RelayStep take(const proto::SseEvent& event, RelayOwner& owner);
  void note(const dialect::ChatEvent& chat, std::string_view data) {
    if (has_notes_ && is_committed()) keep_notes(chat, data);
  }
  void keep_notes(const dialect::ChatEvent& chat, std::string_view data);
  void pass_on(std::string_view raw);
  void show(const proto::SseEvent& event, const dialect::ChatEvent& chat, RelayOwner& owner);
  bool write_costed(std::string_view data, const dialect::ChatEvent& chat, RelayOwner& owner);
  void flush_run();
  void write_framed(std::string_view bytes);
  void write_last_event(const dialect::UsageCost& cost, const dialect::RouterMetadata* metadata);
  bool write_normalised(std::string_view data, const dialect::ChatEvent& chat);
  void hold(std::string_view bytes);
  void commit(RelayOwner& owner);

  static constexpr std::uint64_t kNeverWaiting = 2;  // the first events with content

  RelayOptions options_;
  proto::SseReader reader_;
  dialect::ChatClassifier classifier_;
  std::unique_ptr<dialect::ChatNormaliser> normaliser_;  // OpenRouter face only
  net::Stream* client_ = nullptr;                        // null: not committed
  BlockRef held_;
  std::string_view slice_;  // being read
  std::string_view
      run_;  // events of the slice that lie one behind the other and go out as they are
  dialect::ChatUsage usage_;
  dialect::ChatError error_;
  Kept<32> native_finish_;
  Kept<128> upstream_id_;
  std::uint64_t events_ = 0;
  std::uint64_t content_events_ = 0;
  std::uint64_t content_bytes_ = 0;
  std::uint64_t bytes_ = 0;
  bool finish_seen_ = false;
  bool is_speaking_ = false;  // the last event was a word, not a tool call or the like
  bool has_notes_ = false;    // somebody keeps what the client is sent
};

}  // namespace leat::gateway
