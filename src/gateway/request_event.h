// SPDX-License-Identifier: Apache-2.0
// RequestEvent: what is told of a request when it has ended, however it did: to the access log, to
// traces, to whoever watches. Made once for each request, by its shard, into the shard's EventRing;
// read off the shard. Never content, never a secret, nothing of a header but what names the app and
// the trace.
//
// Its heart is the usage record, by the words that the ledger has for it; what is beside it is of
// no use for money. All strings are views: on the way in of memory that must stay until encode()
// returns, on the way out of the bytes that were decoded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/instant.h"
#include "base/result.h"
#include "io/address.h"
#include "ledger/record.h"
#include "proto/trace_context.h"

namespace leat::gateway {

struct RequestEvent {
  static constexpr std::size_t kAttemptsMax = ledger::UsageRecord::kAttemptsMax;
  using SpanId = std::array<std::uint8_t, 8>;

  // What a record does not say of its attempt.
  struct Attempt {
    std::string_view model;  // that was asked for there, as the catalogue names it
    Duration total{};        // from its beginning to its end
  };

  // Of a request that no provider was asked for: who it was, what for, and the answer's status.
  ledger::UsageRecord record;
  std::array<Attempt, kAttemptsMax> attempts;  // one for one with the record's
  std::string_view method;
  std::string_view path;    // of our own routes, with `{id}` for a model; empty: it is none of them
  std::string_view reason;  // why it was refused; empty: it was not
  io::Address client;
  bool is_tls = false;
  std::uint32_t shard = 0;
  Duration total{};             // until the client had the end of its answer, or was gone
  std::uint64_t bytes_in = 0;   // of the request's body
  std::uint64_t bytes_out = 0;  // of the answer, its head and framing included
  // The request's span: `span_id` is its own. All 0: it has no trace.
  proto::TraceParent trace;
  SpanId parent{};  // whose caller's; all 0: it begins the trace

  bool has_trace() const { return trace.trace_id != decltype(trace.trace_id){}; }
};

// The span of a request's attempt, by its place among them; never all 0.
RequestEvent::SpanId attempt_span(const RequestEvent::SpanId& request, std::size_t attempt);

// No encoded event is larger.
inline constexpr std::size_t kEventBytesMax =
    1'024 + RequestEvent::kAttemptsMax * (1 + ledger::RecordLimits::kNameMax) +
    ledger::kRecordBytesMax;

// Writes the event at the front of `out` and returns its size; strings that are longer than a
// record's are cut. REQUIRES: `out` has kEventBytesMax bytes.
std::size_t encode(const RequestEvent& event, std::span<char> out);
// What encode() wrote, in this process; the event's views are of `bytes`. Errors: kInvalid.
Result<RequestEvent> decode_event(std::span<const char> bytes);

}  // namespace leat::gateway
