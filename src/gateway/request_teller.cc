// SPDX-License-Identifier: Apache-2.0
#include "gateway/request_teller.h"

#include <cstring>

namespace leat::gateway {

namespace {

using proto::KnownField;
using proto::TraceParent;

constexpr std::string_view method_name(proto::Method method) {
  switch (method) {
    case proto::Method::kGet:
      return "GET";
    case proto::Method::kPost:
      return "POST";
    case proto::Method::kHead:
      return "HEAD";
    case proto::Method::kPut:
      return "PUT";
    case proto::Method::kDelete:
      return "DELETE";
    case proto::Method::kPatch:
      return "PATCH";
    case proto::Method::kOptions:
      return "OPTIONS";
    default:
      return "";
  }
}

// Never all 0.
template <std::size_t kBytes>
void draw(Rng& rng, std::array<std::uint8_t, kBytes>& id) {
  for (std::size_t at = 0; at < kBytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t bits = rng.next() | 1;
    std::memcpy(id.data() + at, &bits, sizeof bits);
  }
}

// Of a trace that we begin: by its id, so that all who decide by the same share decide alike.
bool is_chosen(const TraceParent& parent, std::uint32_t ppm) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, parent.trace_id.data() + 8, sizeof bits);
  return (bits >> 1) % 1'000'000 < ppm;  // the lowest bit is not drawn
}

// None: absent, invalid, or said more than once, so that nobody knows which it is.
std::optional<TraceParent> caller_of(const proto::RequestHead& head, std::string& state) {
  if (!head.fields.has(KnownField::kTraceparent)) return std::nullopt;
  std::size_t parents = 0;
  std::string states;
  for (const proto::Field field : head.fields) {
    parents += proto::equal_ignoring_case(field.name, "traceparent") ? 1 : 0;
    if (!proto::equal_ignoring_case(field.name, "tracestate")) continue;
    if (!states.empty()) states += ',';
    states += field.value;
  }
  const auto parent = proto::parse_traceparent(head.fields.get(KnownField::kTraceparent));
  if (parents != 1 || !parent) return std::nullopt;
  state = proto::bounded_tracestate(states);
  return parent;
}

}  // namespace

TraceParent RequestTrace::of_attempt(std::size_t attempt) const {
  TraceParent told = here;
  if (is_ours) told.span_id = attempt_span(here.span_id, attempt);
  return told;
}

void RequestTeller::place(const proto::RequestHead& head, Rng& rng, RequestTrace& trace) const {
  trace = {};
  const auto caller = caller_of(head, trace.state);
  if (caller) trace.here = *caller;
  if (!traces_) return;
  trace.is_ours = true;
  if (caller) {
    trace.parent = caller->span_id;
  } else {
    draw(rng, trace.here.trace_id);
    trace.here.flags = is_chosen(trace.here, sample_ppm_) ? TraceParent::kSampled : 0;
  }
  draw(rng, trace.here.span_id);
}

void RequestTeller::tell(RequestEvent& event, const RequestStory& story, Instant now) {
  event.method = method_name(story.method);
  event.path = story.path;
  event.reason = story.reason.empty() ? event.record.error_type : story.reason;
  event.client = story.client;
  event.is_tls = story.is_tls;
  event.shard = shard_;
  event.total = now - story.began;
  event.bytes_in = story.bytes_in;
  event.bytes_out = story.bytes_out;
  event.trace = story.trace.here;
  event.parent = story.trace.parent;
  if (event.record.status == 0) event.record.status = story.status;
  event.record.flags.is_cancelled |= story.is_gone;
  const std::span<char> room = ring_->reserve(kEventBytesMax);
  if (room.empty()) return counters_.request_events_dropped.add();
  ring_->commit(encode(event, room));
  counters_.request_events.add();
}

}  // namespace leat::gateway
