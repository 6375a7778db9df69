// SPDX-License-Identifier: Apache-2.0
// RequestRecord: what one simulated client asked, what each provider that was asked for it did, and
// what came back. Clients and providers write it, the oracles read it. A request is known on all
// sides by its nonce, which stands in its prompt and in everything that providers make of it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "simulation/sim_network.h"

namespace leat::sim {

inline constexpr std::string_view kNoncePrefix = "nonce-";
inline constexpr std::size_t kNonceSize = kNoncePrefix.size() + 16;

// What a client is told, on either face, when a ledger that has to keep a record cannot.
inline constexpr std::string_view kNoRecord = "cannot keep a record of the request";

// One asking of one provider.
struct Execution {
  std::uint32_t provider = 0;
  Connection* connection = nullptr;  // the gateway's end is end(0)
  Instant asked_at{};                // when the gateway sent the first byte
  bool streamed = false;
  int status = 200;
  bool is_sound = true;             // the whole reply, as planned, is well formed and says success
  bool has_terminal = false;        // ... and has its terminal event, or is a whole JSON answer
  bool has_finish = false;          // a finish reason is in the plan
  std::vector<std::string> events;  // each `data: ...` with its blank line, in order
  std::vector<std::string> texts;   // the content of each event that has any
  bool until_close = false;         // the FIN is the end of the reply
  int usage_event = -1;             // index into events
  std::string body;                 // of a reply that is not streamed
  std::uint64_t content_end = 0;    // bytes of the connection up to the end of its payload
  std::uint64_t reply_end = 0;      // bytes of the connection up to the end of this reply
  bool was_played = false;          // all of the plan was written to the connection
  bool must_move_on = false;        // it fails before any content, and not by the client's doing
  bool continues = false;           // it was asked to carry a text on:
  std::string text_before;          // this one, as it was spelt
  // Over HTTP/2, where the end of a stream is not that of its connection
  bool is_stream = false;
  Instant hung_up_at = kNever;           // when the gateway wrote its reset
  Instant unblocked_at{};                // ... and when the way for that had last become free
  std::uint64_t shown_max = UINT64_MAX;  // bytes of the connection that it had seen by then
  bool is_unheard = false;               // its provider does not read what the gateway says
  bool has_ended = false;                // its provider ended the stream, or reset it
  Instant said_at = kNever;              // when the provider had said all that it would
};

struct RequestRecord {
  std::string nonce;
  // What was asked
  bool openrouter_face = false;
  bool stream = false;
  bool wants_usage = false;
  std::uint32_t model = 0;
  std::string prompt;
  // What the client did about it
  bool is_http10 = false;            // so the end of the connection may end the answer
  bool is_behind = false;            // sent without waiting for the answer before
  bool is_sent = false;              // to its last byte
  int expected_status = 0;           // of a request that no provider is to see; 0: an ordinary one
  bool is_garbage = false;           // what was sent is no request at all
  bool is_abandoned = false;         // the client went away
  bool was_quiet = false;            // ... as one who has only said all that it will
  bool is_excused = false;           // ... or did what a refusal is the right answer to
  Instant gone_at = kNever;          // when it went away
  Connection* connection = nullptr;  // the gateway's end is end(1)
  std::uint64_t begins_at = 0;       // bytes of the connection before this request
  bool is_stream = false;            // of a connection that speaks HTTP/2
  std::uint64_t left_at = UINT64_MAX;  // ... where it ended the stream alone: bytes up to there
  bool is_stalled = false;             // ... whose window it kept shut for a while
  bool is_disowned = false;            // ... which the gateway said that it would not serve
  Instant ended_at = kNever;
  // What came back
  enum class End : std::uint8_t {
    kOpen,      // nothing final yet
    kWhole,     // a whole response
    kCut,       // the connection ended within the response
    kUnserved,  // ... or before any byte of it
  };
  End end = End::kOpen;
  int ends = 0;  // how often an end was seen
  // All of a good answer has come, if not the last of its framing: its last byte or its [DONE].
  bool is_finished = false;
  std::string generation_id;  // as its head says; empty: it came to none, or says none
  int status = 0;
  std::string body;                  // as far as it came
  Instant content_at = kNever;       // when the first of it did
  bool was_broken = false;           // ... by the network
  std::string fault;                 // what was not HTTP about it
  std::deque<Execution> executions;  // they do not move
};

// All requests of a world by nonce. Records do not move.
class RequestBook {
 public:
  RequestRecord& add(std::string nonce) {
    RequestRecord& record = records_[nonce];
    record.nonce = std::move(nonce);
    return record;
  }
  RequestRecord* find(std::string_view nonce) {
    const auto found = records_.find(nonce);
    return found == records_.end() ? nullptr : &found->second;
  }
  const std::map<std::string, RequestRecord, std::less<>>& all() const { return records_; }
  // Told when a client has all of a good answer, at that moment. May be null.
  std::function<void(const RequestRecord&)> on_finished;

 private:
  std::map<std::string, RequestRecord, std::less<>> records_;
};

// The first nonce in a text; empty if there is none.
inline std::string_view find_nonce(std::string_view text) {
  const std::size_t at = text.find(kNoncePrefix);
  return at == std::string_view::npos ? std::string_view() : text.substr(at, kNonceSize);
}

}  // namespace leat::sim
