// SPDX-License-Identifier: Apache-2.0
// RequestTeller: a shard's part of logs and traces. Gives each request its place in a trace, and
// puts the event of each that has ended into the shard's ring, or counts that it had no room. Never
// allocates for a request once as many have run at a time; reads no clock.
//
// Belongs to its shard's Gateway. Where nobody listens, all that is left of it is a question.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/pool.h"
#include "base/rng.h"
#include "gateway/counters.h"
#include "gateway/event_ring.h"
#include "gateway/metering.h"
#include "gateway/request_event.h"
#include "gateway/usage_notes.h"
#include "leat/options.h"
#include "proto/http1_request.h"
#include "proto/trace_context.h"

namespace leat::gateway {

// A request's place in a trace, if it has one.
struct RequestTrace {
  proto::TraceParent here;  // its own span; where we do not trace, the caller's
  RequestEvent::SpanId parent{};
  std::string state;     // tracestate, within bounds
  bool is_ours = false;  // here.span_id is our span, and each attempt has one below it

  bool exists() const { return here.trace_id != decltype(here.trace_id){}; }
  // What a provider is told: of the attempt by that number, or as it came.
  proto::TraceParent of_attempt(std::size_t attempt) const;
};

// What a connection knows of a request. Reset for each.
struct RequestStory {
  Instant began{};
  proto::Method method = proto::Method::kOther;
  std::string_view path;    // as Route::form
  std::string_view reason;  // why it was refused; static
  std::uint64_t written_before = 0;
  std::uint64_t bytes_in = 0;   // filled in at its end
  std::uint64_t bytes_out = 0;  // the same
  io::Address client;
  std::uint32_t key = 0;
  std::uint16_t status = 0;
  bool is_tls = false;
  bool is_gone = false;  // the client left before its answer was whole
  RequestTrace trace;
};

// What an exchange keeps for its event from its settling to its end.
struct RequestSettled {
  RequestStory story;
  Metered metered;
  UsageNotes::End end;
  bool is_settled = false;
};

class RequestTeller {
 public:
  // `ring` null: nobody listens. It and the counters outlive it; settings are not kept, since a
  // snapshot's go with it.
  RequestTeller(EventRing* ring, const TraceSettings& trace, Counters& counters,
                std::uint32_t shard)
      : ring_(ring),
        counters_(counters),
        shard_(shard),
        sample_ppm_(trace.sample_ppm),
        traces_(trace.enabled) {}

  bool is_on() const { return ring_ != nullptr; }
  // Where the request stands by its head: on with the caller's trace, else a new one, where we
  // trace; where we do not, as the caller says.
  void place(const proto::RequestHead& head, Rng& rng, RequestTrace& trace) const;

  // Null: nobody listens. To be given back.
  RequestSettled* begin() { return is_on() ? settled_.create() : nullptr; }
  void end(RequestSettled* settled) { settled_.destroy(settled); }

  // What the story says of it is filled in here, and its total time.
  void tell(RequestEvent& event, const RequestStory& story, Instant now);

 private:
  EventRing* const ring_;
  Counters& counters_;
  const std::uint32_t shard_;
  const std::uint32_t sample_ppm_;
  const bool traces_;
  Pool<RequestSettled> settled_;
};

}  // namespace leat::gateway
