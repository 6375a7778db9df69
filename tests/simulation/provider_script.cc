// SPDX-License-Identifier: Apache-2.0
#include "simulation/provider_script.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "net/http2_frames.h"
#include "simulation/sim_world.h"

namespace leat::sim {

namespace {

using Then = ScriptStep::Then;

constexpr std::int64_t kContentEventsMax = 24;
constexpr std::size_t kChunksMax = 40;
// Pauses below these are sure not to meet a time limit of the gateway's defaults (first byte 120 s,
// gap 60 s, whole request 900 s), whatever the network adds to them.
constexpr Duration kGapSafe = seconds(40);
constexpr Duration kTotalSafe = seconds(100);

constexpr std::string_view kBadHeads[] = {
    "HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/9.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "\r\n\r\n\r\n\r\n\r\n\r\nthese are not the bytes you are looking for\r\n\r\n",
};
constexpr std::string_view kAmbiguousFramings[] = {
    "content-length: 5\r\ntransfer-encoding: chunked\r\n",
    "content-length: 5\r\ncontent-length: 6\r\n",
    "transfer-encoding: chunked, chunked\r\n",
    "transfer-encoding: gzip, chunked\r\n",
};

// Over HTTP/2: twice, and less than what comes.
constexpr std::string_view kAmbiguousLengths[] = {
    "content-length: 5\r\ncontent-length: 6\r\n",
    "content-length: 5\r\n",
};

class Writer {
 public:
  Writer(World& world, const RequestRecord& request, std::size_t number, Execution& execution,
         bool is_http2)
      : world_(world),
        rng_(world.rng()),
        request_(request),
        number_(number),
        execution_(execution),
        is_http2_(is_http2) {}

  ProviderScript write();

 private:
  bool write_refusal();
  void write_answer();
  void make_events();
  void spoil_events();
  void make_body();
  std::string chunk_event(const std::string& delta, const char* finish) const;
  std::string text(std::size_t index);
  std::string usage() const;
  std::string head(int status, std::string_view type, std::string_view framing);
  void add_fields(std::string_view lines);
  void write_bad_head();
  void frame(std::string_view payload, std::string& wire, std::vector<std::size_t>& cuts);
  void spoil_wire(std::string& wire, std::vector<std::size_t>& cuts, Then& then);
  void pace(const std::string& wire, std::vector<std::size_t> cuts, Then then);
  void step(std::string bytes, Then then = Then::kGoOn);
  void unsound() { execution_.is_sound = false; }

  World& world_;
  Rng& rng_;
  const RequestRecord& request_;
  std::size_t number_;
  Execution& execution_;
  const bool is_http2_;
  ProviderScript script_;
  bool until_close_ = false;
  std::size_t content_at_ = 0;     // in the payload: where the first content event begins
  std::size_t content_begin_ = 0;  // on the wire
};

void Writer::step(std::string bytes, Then then) {
  const Duration before = rng_.chance(0.9) ? microseconds(rng_.between(0, 30'000))
                                           : milliseconds(rng_.between(0, 2'000));
  script_.steps.push_back({before, std::move(bytes), then});
}

std::string Writer::head(int status, std::string_view type, std::string_view framing) {
  if (is_http2_) {
    script_.head = {{":status", std::to_string(status)},
                    {"content-type", std::string(type)},
                    {"x-request-id", "up-" + request_.nonce}};
    add_fields(framing);
    return {};
  }
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Status\r\ncontent-type: ";
  text.append(type).append("\r\n").append(framing);
  if (!script_.keeps_alive && !until_close_) text += "Connection: close\r\n";
  text += "x-request-id: up-" + request_.nonce + "\r\n\r\n";
  return text;
}

// Of lines of HTTP/1.1, those that mean something in HTTP/2.
void Writer::add_fields(std::string_view lines) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    std::string name(line.substr(0, line.find(':')));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char each) { return std::tolower(each); });
    if (name == "transfer-encoding") continue;
    script_.head.emplace_back(std::move(name), line.substr(line.find(": ") + 2));
  }
}

// Heads that are none: each breaks its stream, and nothing else.
void Writer::write_bad_head() {
  const net::http2::Fields heads[] = {
      {{":status", "2000"}},
      {{":status", "abc"}},
      {{"content-type", "application/json"}},
      {{":status", "200"}, {":status", "200"}},
      {{"content-type", "application/json"}, {":status", "200"}},
      {{":status", "200"}, {"Content-Type", "application/json"}},
      {{":status", "200"}, {"connection", "close"}},
      {{":status", "200"}, {"x-odd", "a\nb: c"}},
      {{":status", "200"}, {"content-length", "-1"}},
      {{":status", "200"}, {":path", "/"}},
  };
  script_.head = heads[rng_.below(std::size(heads))];
  step("{}", Then::kHang);
}

// Replies without any content. False: there is to be a real one.
bool Writer::write_refusal() {
  if (world_.strikes(Fault::kProviderSilent)) {
    step({}, Then::kHang);
  } else if (world_.strikes(Fault::kProviderClosesUnanswered)) {
    step({}, rng_.chance(0.5) ? Then::kFin : Then::kReset);
  } else if (world_.strikes(Fault::kProviderMalformedHead)) {
    if (is_http2_) {
      write_bad_head();
    } else {
      step(std::string(kBadHeads[rng_.below(std::size(kBadHeads))]), Then::kHang);
    }
  } else if (world_.strikes(Fault::kProviderAmbiguousFraming)) {
    const std::size_t which = rng_.below(std::size(kAmbiguousFramings));
    const std::string_view framing =
        is_http2_ ? kAmbiguousLengths[which / 2] : kAmbiguousFramings[which];
    step(head(200, "application/json", framing) + "5\r\n{\"a\":\r\n0\r\n\r\n", Then::kHang);
  } else if (world_.strikes(Fault::kProviderStatusError)) {
    constexpr int kStatuses[] = {400, 401, 404, 408, 429, 500, 502, 503, 529};
    execution_.status = kStatuses[rng_.below(std::size(kStatuses))];
    const std::string body = "{\"error\":{\"message\":\"not now, " + request_.nonce +
                             "\",\"type\":\"server_error\",\"code\":\"unlucky\"}}";
    std::string fields = "content-length: " + std::to_string(body.size()) + "\r\n";
    if (rng_.chance(0.5)) fields += "retry-after: " + std::to_string(rng_.below(20)) + "\r\n";
    step(head(execution_.status, "application/json", fields) + body);
    unsound();
    // A request that is wrong is wrong everywhere.
    execution_.must_move_on = execution_.status != 400;
    return true;
  } else {
    return false;
  }
  unsound();
  execution_.must_move_on = true;
  script_.keeps_alive = false;
  return true;
}

std::string Writer::text(std::size_t index) {
  std::string text = request_.nonce + "." + std::to_string(number_) + "." + std::to_string(index);
  const bool is_giant = world_.strikes(Fault::kProviderGiantEvent);
  const auto words =
      static_cast<std::size_t>(is_giant ? rng_.between(5'000, 40'000) : rng_.between(0, 12));
  constexpr std::string_view kWords[] = {" water",
                                         " wheel",
                                         " \xc3\xa9"
                                         "cluse",
                                         " \xe6\xb0\xb4",
                                         " \xf0\x9f\x8c\x8a",
                                         " \\n"};
  for (std::size_t i = 0; i < words; ++i) text += kWords[(i * 7 + index) % std::size(kWords)];
  return text;
}

std::string Writer::usage() const {
  return "{\"prompt_tokens\":11,\"completion_tokens\":" + std::to_string(execution_.texts.size()) +
         ",\"total_tokens\":" + std::to_string(11 + execution_.texts.size()) + "}";
}

std::string Writer::chunk_event(const std::string& delta, const char* finish) const {
  return "data: {\"id\":\"chatcmpl-" + request_.nonce +
         "\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"up\","
         "\"choices\":[{\"index\":0,\"delta\":" +
         delta + ",\"finish_reason\":" + finish + "}]}\n\n";
}

void Writer::make_events() {
  auto& events = execution_.events;
  events.push_back(chunk_event("{\"role\":\"assistant\",\"content\":\"\"}", "null"));
  const auto count = static_cast<std::size_t>(rng_.between(1, kContentEventsMax));
  for (std::size_t i = 0; i < count; ++i) {
    execution_.texts.push_back(text(i));
    events.push_back(chunk_event("{\"content\":\"" + execution_.texts.back() + "\"}", "null"));
  }
  events.push_back(chunk_event("{}", "\"stop\""));
  if (!world_.strikes(Fault::kProviderNoUsage)) {
    execution_.usage_event = static_cast<int>(events.size());
    events.push_back("data: {\"id\":\"chatcmpl-" + request_.nonce +
                     "\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
                     "\"model\":\"up\",\"choices\":[],\"usage\":" +
                     usage() + "}\n\n");
  }
  events.push_back("data: [DONE]\n\n");
  execution_.has_finish = execution_.has_terminal = true;
}

// Faults in the events themselves; the first one that strikes ends the good part.
void Writer::spoil_events() {
  auto& events = execution_.events;
  const std::size_t contents = execution_.texts.size();
  const std::string error = "data: {\"error\":{\"message\":\"broke, " + request_.nonce +
                            "\",\"type\":\"server_error\",\"code\":502}}\n\n";
  std::size_t good = 0;  // events that stay
  std::string then;
  if (world_.strikes(Fault::kProviderErrorEventFirst)) {
    good = 1;
    then = error;
    execution_.must_move_on = true;
  } else if (world_.strikes(Fault::kProviderErrorEventLate)) {
    good = 2 + static_cast<std::size_t>(rng_.below(contents));
    then = error;
  } else if (world_.strikes(Fault::kProviderGarbageEvent)) {
    good = 2 + static_cast<std::size_t>(rng_.below(contents));
    then = "data: this is no JSON, " + request_.nonce + "\n\n";
  } else if (world_.strikes(Fault::kProviderNoDone)) {
    good = rng_.chance(0.5) ? 2 + contents : 1 + contents;
  } else {
    return;
  }
  unsound();
  execution_.has_terminal = false;
  execution_.has_finish = good > 1 + contents;
  events.resize(std::min(good, events.size()));
  execution_.texts.resize(std::min(contents, good - 1));
  if (execution_.usage_event >= static_cast<int>(good)) execution_.usage_event = -1;
  if (!then.empty()) events.push_back(then);
}

void Writer::make_body() {
  std::string all;
  const auto count = static_cast<std::size_t>(rng_.between(1, kContentEventsMax));
  for (std::size_t i = 0; i < count; ++i) all += text(i);
  execution_.texts.push_back(all);
  execution_.body = "{\"id\":\"chatcmpl-" + request_.nonce +
                    "\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"up\","
                    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" +
                    all + "\"},\"finish_reason\":\"stop\"}],\"usage\":" + usage() + "}";
  execution_.has_finish = execution_.has_terminal = true;
  if (world_.strikes(Fault::kProviderErrorEventFirst)) {
    execution_.body = "{\"error\":{\"message\":\"broke, " + request_.nonce + "\",\"code\":502}}";
    execution_.has_finish = execution_.has_terminal = false;
    execution_.must_move_on = true;
    unsound();
  }
}

// Wraps the payload as the head said; `cuts` are places where the provider pauses.
void Writer::frame(std::string_view payload, std::string& wire, std::vector<std::size_t>& cuts) {
  const bool chunked = !until_close_ && execution_.streamed && !is_http2_;
  std::size_t at = 0;
  const auto most = static_cast<std::int64_t>(payload.size() / kChunksMax + 400);
  while (at < payload.size()) {
    const auto size =
        std::min(payload.size() - at, static_cast<std::size_t>(rng_.between(1, most)));
    char line[24];
    std::snprintf(line, sizeof line, rng_.chance(0.5) ? "%zx\r\n" : "%zX\r\n", size);
    if (chunked) wire += line;
    if (at <= content_at_) content_begin_ = wire.size() + std::min(size, content_at_ - at);
    wire.append(payload.substr(at, size));
    execution_.content_end = wire.size();
    if (chunked) wire += "\r\n";
    at += size;
    cuts.push_back(wire.size());
  }
  if (chunked) wire += "0\r\n\r\n";
}

// Faults of the connection and of the framing, at any byte.
void Writer::spoil_wire(std::string& wire, std::vector<std::size_t>& cuts, Then& then) {
  const std::size_t at = static_cast<std::size_t>(rng_.below(wire.size()));
  if (world_.strikes(Fault::kProviderCut)) {
    then = Then::kFin;
  } else if (world_.strikes(Fault::kProviderResetLate)) {
    then = Then::kReset;
  } else if (world_.strikes(Fault::kProviderHangs)) {
    then = Then::kHang;
  } else if (execution_.streamed && !until_close_ && !is_http2_ && !cuts.empty() &&
             world_.strikes(Fault::kProviderMalformedChunk)) {
    const std::size_t cut = cuts[rng_.below(cuts.size())];
    wire.insert(cut, rng_.chance(0.5) ? "zz\r\n" : "-1\r\n");
    if (cut <= execution_.content_end) execution_.content_end += 4;
    if (cut <= content_begin_) execution_.must_move_on = true;
    unsound();
    script_.keeps_alive = false;
    return;
  } else {
    return;
  }
  // A body without framing that is cut is a shorter body: it must then lack its terminal event.
  wire.resize(at);
  std::erase_if(cuts, [at](std::size_t cut) { return cut >= at; });
  unsound();
  // Nothing of an answer that is not streamed is content before it is whole.
  if (at <= content_begin_ || !execution_.streamed) execution_.must_move_on = true;
  execution_.has_terminal = false;
  script_.keeps_alive = false;
}

void Writer::pace(const std::string& wire, std::vector<std::size_t> cuts, Then then) {
  const bool trickles = world_.strikes(Fault::kProviderTrickle);
  cuts.push_back(wire.size());
  std::size_t from = 0;
  Duration total{};
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const bool is_last = i + 1 == cuts.size();
    // A step without bytes is good for a late end only.
    const bool is_needed = cuts[i] > from || (is_last && (then != Then::kGoOn || from == 0));
    if (!is_needed) continue;
    step(wire.substr(from, cuts[i] - from), is_last ? then : Then::kGoOn);
    Duration& before = script_.steps.back().before;
    if (trickles) {
      before =
          rng_.chance(0.9) ? milliseconds(rng_.between(0, 3'000)) : seconds(rng_.between(0, 70));
    } else if (rng_.chance(0.3)) {
      before = Duration{};
    }
    total = total + before;
    if (before > kGapSafe || total > kTotalSafe) unsound();
    from = cuts[i];
  }
}

void Writer::write_answer() {
  until_close_ = execution_.until_close = !is_http2_ && world_.strikes(Fault::kProviderUntilClose);
  if (until_close_ || (!is_http2_ && world_.strikes(Fault::kProviderConnectionClose))) {
    script_.keeps_alive = false;
  }
  std::string payload;
  if (execution_.streamed) {
    make_events();
    spoil_events();
    for (const std::string& event : execution_.events) {
      if (rng_.chance(0.05)) payload += ": still here\n\n";
      // The first event says the role only.
      if (&event == &execution_.events[1]) content_at_ = payload.size();
      payload += event;
    }
  } else {
    make_body();
    payload = execution_.body;
  }
  std::string framing;
  if (!until_close_ && execution_.streamed) framing = "Transfer-Encoding: chunked\r\n";
  if (!until_close_ && !execution_.streamed) {
    framing = "Content-Length: " + std::to_string(payload.size()) + "\r\n";
  }
  std::string wire;
  bool is_flooded = false;
  if (world_.strikes(Fault::kProviderInformationalFlood)) {
    const std::int64_t count = rng_.between(1, 20);
    for (std::int64_t i = 0; i < count && !is_http2_; ++i) {
      wire += "HTTP/1.1 103 Early Hints\r\n\r\n";
    }
    script_.informational = static_cast<std::uint32_t>(count);
    is_flooded = count > 8;  // Limits::upstream_informational_max
    if (is_flooded) execution_.must_move_on = true;
  }
  wire += head(200, execution_.streamed ? "text/event-stream" : "application/json", framing);
  std::vector<std::size_t> cuts{wire.size()};
  frame(payload, wire, cuts);
  if (is_flooded) {
    unsound();
    script_.keeps_alive = false;
  }
  Then then = script_.keeps_alive || is_http2_ ? Then::kGoOn : Then::kFin;
  spoil_wire(wire, cuts, then);
  pace(wire, std::move(cuts), then);
}

ProviderScript Writer::write() {
  if (!write_refusal()) write_answer();
  if (world_.rng().chance(0.1)) script_.steps.front().before = milliseconds(rng_.between(0, 8'000));
  return std::move(script_);
}

}  // namespace

ProviderScript write_script(World& world, const RequestRecord& request, std::size_t number,
                            Execution& execution, bool is_http2) {
  return Writer(world, request, number, execution, is_http2).write();
}

}  // namespace leat::sim
