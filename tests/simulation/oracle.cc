// SPDX-License-Identifier: Apache-2.0
#include "simulation/oracle.h"

#include <algorithm>
#include <cstdlib>

namespace leat::sim {

namespace {

using End = RequestRecord::End;

constexpr auto kDrain = static_cast<std::size_t>(Fault::kDrainEarly);
constexpr std::size_t kAttemptsMax = 3;  // Limits::attempts_per_request_max
constexpr Duration kHangUpMax = milliseconds(10);
constexpr std::uint64_t kKeptBytesMax = 60'000;  // a little less than the gateway keeps
constexpr Duration kNone{};
constexpr Duration kStallMax = seconds(5);
constexpr Duration kSkippingMax = milliseconds(900);  // a little less than Limits::drain_ms_max
constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::string_view kErrorEvent = "data: {\"error\":";
constexpr std::string_view kSeam = ": leat-continued\n\n";
constexpr std::string_view kSeamKey = "\"continued_from\":\"p";

// More than all round trips of an answer, in the smallest windows, and all that it is held back;
// less than what clients stall for.
constexpr Duration kFlowMax = seconds(5);
constexpr Fault kBlocking[] = {Fault::kStall,        Fault::kTinyBuffers, Fault::kDiskSlow,
                               Fault::kDiskError,    Fault::kDiskFull,    Fault::kProviderHangs,
                               Fault::kSlowTurn,     Fault::kNoBuffers,   Fault::kProviderSilent,
                               Fault::kAcceptEmfile, Fault::kShortSend};
constexpr Fault kDelaying[] = {Fault::kNoBuffers, Fault::kSlowTurn, Fault::kAcceptEmfile};

// What came to the client, event by event; comments are nobody's business.
struct Stream {
  std::vector<std::string_view> events;
  std::string_view rest;  // an event without its end
  bool has_done = false;
  bool has_error = false;
};

Stream parse_stream(std::string_view body) {
  Stream stream;
  while (true) {
    while (body.starts_with('\n')) body.remove_prefix(1);  // blank lines between events say nothing
    const std::size_t end = body.find("\n\n");
    if (end == std::string_view::npos) break;
    const std::string_view event = body.substr(0, end + 2);
    body.remove_prefix(end + 2);
    if (event.starts_with(':')) continue;
    stream.has_done = stream.has_done || event == kDone;
    stream.has_error = stream.has_error || event.starts_with(kErrorEvent);
    stream.events.push_back(event);
  }
  stream.rest = body;
  return stream;
}

// The text of an event's or answer's content, as spelt; empty if it has none.
std::string_view content_of(std::string_view json) {
  constexpr std::string_view kKey = "\"content\":\"";
  const std::size_t at = json.find(kKey);
  if (at == std::string_view::npos) return {};
  json.remove_prefix(at + kKey.size());
  std::size_t end = 0;
  while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  return json.substr(0, std::min(end, json.size()));
}

// A stream, or what of it stands on one side of a seam.
struct Part {
  Stream stream;
  const Execution* execution;               // whose it is
  const Execution* carried_from = nullptr;  // whose broken answer it carries on
};

// What the events of a part say, as spelt.
std::string text_of(const Stream& stream) {
  std::string text;
  for (const std::string_view event : stream.events) text += content_of(event);
  return text;
}

class Judge {
 public:
  Judge(World& world, const RequestRecord& record, const OracleOptions& options)
      : world_(world), record_(record), options_(options) {}

  void judge() {
    judge_end();
    judge_privacy();
    if (record_.is_garbage) return;
    if (record_.expected_status != 0) return judge_expected();
    judge_attempts();
    if (options_.must_move_on && is_awaited()) judge_moving_on();
    if (record_.status == 200 && record_.stream) judge_stream();
    if (record_.status == 200 && !record_.stream) judge_answer();
    if (record_.status >= 400) judge_refusal();
    judge_hanging_up();
    judge_flow();
  }

 private:
  void judge_end();
  void judge_expected();
  void judge_privacy();
  void judge_attempts();
  void judge_moving_on();
  void judge_stream();
  void judge_events(const Part& part);
  void judge_openai_events(const Part& part);
  void judge_openrouter_events(const Part& part);
  void judge_seam(const Part& before, bool is_seam_there);
  void judge_whole_stream(const Part& part);
  void judge_answer();
  void judge_refusal();
  void judge_hanging_up();
  void judge_flow();

  void breach(const std::string& what) {
    world_.violation(record_.nonce + " (connection " + std::to_string(record_.connection->id()) +
                     "): " + what);
  }
  // The one that was asked last; a request that the network held up may have come to its provider
  // after that one's.
  const Execution* last() const {
    // What waited for room in a socket is of the time of the write before it; but nobody carries on
    // what was not begun.
    const auto order = [](const Execution& each) {
      return std::pair(each.continues, each.asked_at);
    };
    const Execution* found = nullptr;
    for (const Execution& execution : record_.executions) {
      if (found == nullptr || order(execution) >= order(*found)) found = &execution;
    }
    return found;
  }
  // The last one, unless that has not answered at all and another one, asked at the same time, has.
  const Execution* beginning() const {
    const Execution* const asked = last();
    if (asked == nullptr || !asked->events.empty() || !options_.are_hedged) return asked;
    for (const Execution& execution : record_.executions) {
      if (!execution.events.empty()) return &execution;
    }
    return asked;
  }
  // The one whose content came to the client, by the number that stands in it; without any content
  // the last one.
  const Execution* answering() const {
    const std::size_t at = record_.body.find(record_.nonce + ".");
    if (record_.status != 200 || at == std::string::npos) return beginning();
    const char* digits = record_.body.c_str() + at + record_.nonce.size() + 1;
    char* behind = nullptr;
    const auto number = static_cast<std::size_t>(std::strtoul(digits, &behind, 10));
    if (behind == digits || *behind != '.') return beginning();  // cut within it
    return number < record_.executions.size() ? &record_.executions[number] : last();
  }
  // The same where the last one was asked to carry it on, else null.
  const Execution* broken() const {
    return last() != nullptr && last()->continues ? answering() : nullptr;
  }
  // The client stood by its request to the end.
  bool is_awaited() const {
    return !record_.is_abandoned && !record_.is_excused && !record_.is_disowned &&
           !record_.was_broken && !was_stalled();
  }
  // A reset of the gateway's, of a stream, may have been lost, and be known to nobody.
  static bool may_be_unheard(const Execution& execution) {
    sim::End& end = execution.connection->end(0);
    const bool may_be_stuck = end.outgoing().longest_stall > kNone;
    // A provider that has said all and gone hears of no reset; its words may be on their way still.
    const bool may_be_late =
        execution.connection->end(1).closed_at() != kNever && end.incoming().longest_stall > kNone;
    return execution.is_unheard || execution.connection->was_broken() ||
           (execution.hung_up_at == kNever && (may_be_stuck || may_be_late));
  }
  // A reset waits behind what else is on its way: the provider takes nothing, or did not until
  // just before it, or the connection was lost with it. Of a stream that the provider itself has
  // ended nobody hears.
  static bool is_out_of_reach(const Execution& execution) {
    if (!execution.is_stream) return false;
    if (execution.has_ended) return true;
    if (execution.hung_up_at == kNever) return may_be_unheard(execution);
    return execution.hung_up_at <= execution.unblocked_at + kHangUpMax;
  }
  // The network kept client and gateway apart for so long that a time limit may have passed.
  bool was_stalled() const {
    sim::End& end = record_.connection->end(0);
    return std::max(end.incoming().longest_stall, end.outgoing().longest_stall) > kStallMax;
  }
  // When the gateway ended its side of the exchange. A connection of streams that it has ended
  // stays for a moment, lest its last words be lost, with nobody at it.
  static Instant closed_at(const Execution& execution) {
    sim::End& end = execution.connection->end(0);
    const Instant ended_at = execution.is_stream ? end.shut_at() : end.closed_at();
    return std::min({ended_at, end.closed_at(), execution.hung_up_at});
  }
  // Bytes of the provider's that the gateway was shown while it had not.
  static std::uint64_t shown(const Execution& execution) {
    return std::min(execution.connection->end(0).incoming().delivered_total, execution.shown_max);
  }
  // When the gateway could know that the client is gone; kNever: it could not.
  Instant client_known_gone_at() const {
    sim::End& end = record_.connection->end(1);
    return std::min(end.peer_gone_at(), end.incoming().arrived_at(record_.left_at));
  }
  // The gateway was shown the whole reply, its end included.
  static bool was_delivered(const Execution& execution) {
    sim::End& end = execution.connection->end(0);
    if (execution.is_stream && may_be_unheard(execution)) return false;
    const bool has_fin = end.incoming().fin_arrived && !execution.connection->was_broken() &&
                         end.peer_gone_at() < end.closed_at();
    return (has_fin || !execution.until_close) && shown(execution) >= execution.reply_end;
  }
  // Its record could not be had, and the client was told so; of an answer that was passed on
  // unseen, by cutting it.
  bool was_denied_its_end() const {
    if (!options_.may_lack_record) return false;
    const bool may_be_cut = !record_.stream && !record_.openrouter_face;
    return record_.body.find(kNoRecord) != std::string::npos ||
           (may_be_cut && record_.end == End::kCut);
  }
  bool must_be_whole() const {
    if (was_denied_its_end()) return false;
    const Execution* const asked = answering();
    return asked != nullptr && asked->is_sound && was_delivered(*asked) && is_awaited();
  }

  World& world_;
  const RequestRecord& record_;
  const OracleOptions& options_;
};

void Judge::judge_end() {
  if (record_.end == End::kOpen || record_.ends != 1) {
    return breach("ended " + std::to_string(record_.ends) + " times");
  }
  if (record_.is_disowned && !record_.executions.empty()) {
    breach("asked of a provider, and said not to be served");
  }
  if (record_.is_garbage) {
    if (record_.end == End::kWhole && record_.status < 400) breach("nonsense was served");
    return;
  }
  if (!is_awaited() || record_.end == End::kWhole) return;
  const Direction& asked = record_.connection->end(1).incoming();
  const bool was_seen =
      std::min(asked.delivered_total, asked.delivered_before_end) > record_.begins_at;
  // Behind an answer that had begun when the drain did, nobody could be told that no more will
  // come.
  // Nor behind a refused request whose rest the network held back for longer than it is skipped.
  const bool may_go = record_.is_behind &&
                      (world_.fault_counts()[kDrain] > 0 || asked.longest_stall > kSkippingMax);
  if (record_.end == End::kUnserved && was_seen && !may_go) breach("no answer at all");
  if (options_.must_serve) breach("not served in a world without excuse");
}

void Judge::judge_expected() {
  if (!record_.executions.empty()) breach("a provider was asked for what is to be refused");
  if (!is_awaited() || record_.end != End::kWhole || !options_.must_serve) return;
  if (record_.status != record_.expected_status) {
    breach("refused with " + std::to_string(record_.status) + ", not with " +
           std::to_string(record_.expected_status));
  }
}

void Judge::judge_privacy() {
  std::string_view body = record_.body;
  for (std::size_t at = body.find(kNoncePrefix); at != std::string_view::npos;
       at = body.find(kNoncePrefix, at + 1)) {
    const std::string_view nonce = body.substr(at, kNonceSize);
    if (nonce.size() == kNonceSize ? nonce != record_.nonce : !record_.nonce.starts_with(nonce)) {
      return breach("has bytes of another request: " + std::string(nonce));
    }
  }
  if (record_.status >= 400 && record_.prompt.size() > kNonceSize + 16 &&
      body.find(record_.prompt) != std::string_view::npos) {
    breach("the prompt is echoed");
  }
}

void Judge::judge_attempts() {
  if (record_.executions.size() > kAttemptsMax) {
    breach(std::to_string(record_.executions.size()) + " providers were asked");
  }
  const Execution* const ending = broken() != nullptr ? last() : answering();
  // Of two at once, which of them a client that had gone would have heard is not known, nor is it
  // if the client left before anything came that tells them apart.
  const bool tells_who = record_.body.find(record_.nonce + ".") != std::string::npos;
  const bool is_known = (record_.status == 200 && tells_who) || !options_.are_hedged;
  for (const Execution& execution : record_.executions) {
    const bool was_answered = execution.is_sound && was_delivered(execution);
    if (was_answered && &execution != ending && is_known) {
      breach("asked again although it had been answered");
    }
  }
  if (record_.status != 200 || record_.content_at == kNever || !options_.is_prompt) return;
  const bool was_carried_on = last() != nullptr && last()->continues;
  if ((options_.are_hedged || was_carried_on) && !tells_who) return;
  for (const Execution& execution : record_.executions) {
    const bool is_whole = shown(execution) >= execution.reply_end;
    // Who was to carry it on was asked after that content.
    if (&execution == answering() || execution.continues || is_whole) continue;
    // A connection that is closed with its last stream says so first, and goes a turn later.
    const Duration grace = execution.is_stream ? kHangUpMax : Duration{};
    if (closed_at(execution) > record_.content_at + grace && !is_out_of_reach(execution)) {
      breach("provider " + std::to_string(execution.provider) +
             " is still listened to after the content of another");
    }
  }
}

// Whether the answer of who is asked last reaches the client is judged with the answer.
void Judge::judge_moving_on() {
  // Not everybody can carry a text on.
  if (last() == nullptr || !last()->must_move_on || last()->continues) return;
  // Of two at once the one that failed last decides, whichever that is.
  const auto moves_on = [](const Execution& each) { return each.must_move_on; };
  if (options_.are_hedged && !std::ranges::all_of(record_.executions, moves_on)) return;
  if (record_.executions.size() >= kAttemptsMax) return;
  for (const std::uint32_t provider : options_.providers_of_model[record_.model]) {
    const auto asked = [provider](const Execution& each) { return each.provider == provider; };
    if (options_.may_be_left_out[provider]) continue;
    if (std::ranges::any_of(record_.executions, asked)) continue;
    return breach("provider " + std::to_string(last()->provider) + " failed before content, and " +
                  std::to_string(provider) + " was not asked");
  }
}

// ---- Streams -----------------------------------------------------------------------------------

void Judge::judge_stream() {
  if (last() == nullptr) return breach("a 200 that no provider gave");
  const std::string_view body = record_.body;
  const std::size_t seam = body.find(kSeam);
  const Execution* const before = broken();
  if (before == nullptr) {
    if (seam != std::string_view::npos) return breach("a seam that nobody was asked to make");
    const Part whole{parse_stream(body), answering()};
    judge_events(whole);
    return judge_whole_stream(whole);
  }
  const bool is_seam_there = seam != std::string_view::npos;
  const Part first{parse_stream(body.substr(0, seam)), before};
  judge_events(first);
  judge_seam(first, is_seam_there);
  if (!is_seam_there) {
    if (first.stream.has_done) breach("a broken stream that nobody carried on looks finished");
    if (must_be_whole()) breach("what was carried on to its end did not reach the client");
    if (is_awaited() && !first.stream.has_error) breach("a truncated stream without an error");
    return;
  }
  const Part rest{parse_stream(body.substr(seam + kSeam.size())), last(), before};
  if (body.find(kSeam, seam + 1) != std::string_view::npos) breach("carried on twice");
  judge_events(rest);
  judge_whole_stream(rest);
}

// Whether the stream could be carried on, and whether it was from where it broke.
void Judge::judge_seam(const Part& before, bool is_seam_there) {
  if (!options_.may_carry_on[record_.model]) breach("carried on without leave");
  if (is_seam_there && (before.stream.has_done || before.stream.has_error)) {
    breach("something was carried on that had ended");
  }
  if (!before.stream.rest.empty() && is_seam_there) breach("half an event before the seam");
  for (const std::string_view event : before.stream.events) {
    if (event.find("\"stop\"") != std::string_view::npos) breach("carried on what was finished");
  }
  const std::string text = text_of(before.stream);
  for (const Execution& execution : record_.executions) {
    if (!execution.continues) continue;
    if (is_seam_there ? execution.text_before != text : !execution.text_before.starts_with(text)) {
      breach("carried on from another text than the client has");
    }
  }
}

void Judge::judge_events(const Part& part) {
  if (record_.openrouter_face) {
    judge_openrouter_events(part);
  } else {
    judge_openai_events(part);
  }
}

// As they were, less the usage chunk that was not asked for, and behind a seam the role.
void Judge::judge_openai_events(const Part& part) {
  const Stream& stream = part.stream;
  const Execution& execution = *part.execution;
  std::size_t expected = part.carried_from != nullptr ? 1 : 0;
  for (std::size_t i = 0; i < stream.events.size(); ++i) {
    const std::string_view event = stream.events[i];
    if (event.starts_with(kErrorEvent)) {
      if (i + 1 != stream.events.size()) breach("something follows an error event");
      return;
    }
    const bool skips_usage =
        static_cast<int>(expected) == execution.usage_event && !record_.wants_usage;
    if (skips_usage) ++expected;
    // [DONE] is ours to write where a provider left it out after its finish reason, or was cut
    // there.
    const bool has_finish = execution.has_finish && expected == execution.texts.size() + 2;
    const bool was_cut = !execution.is_sound || shown(execution) < execution.reply_end;
    const bool is_end =
        event == kDone && (expected == execution.events.size() || (has_finish && was_cut));
    if (!is_end && (expected >= execution.events.size() || execution.events[expected] != event)) {
      return breach("event " + std::to_string(i) + " is not the provider's");
    }
    ++expected;
  }
}

void Judge::judge_openrouter_events(const Part& part) {
  const Stream& stream = part.stream;
  const Execution& execution = *part.execution;
  std::size_t text = 0;
  bool has_usage = false;
  for (std::size_t i = 0; i < stream.events.size(); ++i) {
    const std::string_view event = stream.events[i];
    const bool is_last = i + 1 == stream.events.size();
    if (event == kDone || event.starts_with(kErrorEvent)) {
      if (!is_last) breach("something follows the end of the stream");
      continue;
    }
    if (event.find("\"id\":\"gen-") == std::string_view::npos) breach("an event without our id");
    const bool is_usage = event.find("\"usage\":{") != std::string_view::npos;
    has_usage = has_usage || is_usage;
    const bool is_marked = event.find(kSeamKey) != std::string_view::npos;
    if (is_marked != (part.carried_from != nullptr && (i == 0 || is_usage))) {
      breach("the seam's mark is not where it belongs");
    }
    const std::string_view content = content_of(event);
    if (content.empty()) continue;
    if (text >= execution.texts.size() || execution.texts[text] != content) {
      return breach("text " + std::to_string(text) + " is not the provider's");
    }
    ++text;
  }
  if (stream.has_done && text != execution.texts.size()) breach("text is missing");
  if (stream.has_done && execution.usage_event >= 0 && !has_usage) breach("usage is missing");
}

void Judge::judge_whole_stream(const Part& part) {
  const Stream& stream = part.stream;
  const Execution& execution = *part.execution;
  if (stream.has_done) {
    if (!execution.has_finish) breach("a broken stream looks finished");
    std::size_t contents = 0;
    for (const std::string_view event : stream.events) contents += !content_of(event).empty();
    if (contents != execution.texts.size()) breach("events are missing from a finished stream");
    if (stream.has_error) breach("both an error and [DONE]");
    if (!stream.rest.empty()) breach("something follows [DONE]");
    return;
  }
  if (must_be_whole()) breach("the provider finished, the client's stream did not");
  // Without chunks nothing but the error event can tell a client of HTTP/1.0.
  if (record_.end == End::kWhole && !record_.is_http10) breach("a truncated stream ends cleanly");
  if (is_awaited() && !stream.has_error) breach("a truncated stream without an error event");
  if (is_awaited() && !stream.rest.empty()) breach("half an event");
}

// ---- Whole answers, refusals -------------------------------------------------------------------

void Judge::judge_answer() {
  if (answering() == nullptr) return breach("a 200 that no provider gave");
  const Execution& execution = *answering();
  if (record_.end != End::kWhole) {
    if (must_be_whole()) breach("the provider answered, the client's answer is cut");
    if (!record_.openrouter_face && !execution.body.starts_with(record_.body)) {
      breach("the answer's beginning is not the provider's");
    }
    return;
  }
  if (!execution.has_terminal) return breach("a broken answer looks whole");
  if (!record_.openrouter_face && record_.body != execution.body) {
    breach("the answer is not the provider's");
  }
  if (record_.openrouter_face && content_of(record_.body) != execution.texts.front()) {
    breach("the answer's text is not the provider's");
  }
}

void Judge::judge_refusal() {
  if (must_be_whole()) breach("refused although the provider answered");
  if (options_.must_serve && is_awaited()) breach("refused in a world without excuse");
  if (record_.end == End::kWhole && !record_.body.starts_with("{\"error\":{")) {
    breach("a refusal that is not in the API's shape");
  }
}

// ---- Going away --------------------------------------------------------------------------------

void Judge::judge_hanging_up() {
  if (!record_.is_abandoned || record_.was_quiet || !options_.is_prompt) return;
  const Instant known_at = client_known_gone_at();
  if (known_at == kNever) return;
  // Requests that wait behind another one are not read beyond a bound, nor is what follows them.
  const Direction& from_client = record_.connection->end(1).incoming();
  if (!record_.is_stream && from_client.written_total - record_.begins_at > kKeptBytesMax) return;
  const Instant latest = known_at + kHangUpMax;
  for (const Execution& execution : record_.executions) {
    if (execution.asked_at > latest) breach("a provider was asked for a client that had gone");
    // With its last content the exchange has ended for the client; the rest of the framing may
    // come.
    const bool has_ended = execution.has_terminal && shown(execution) >= execution.content_end;
    if (has_ended || was_delivered(execution)) continue;
    if (closed_at(execution) > latest && !is_out_of_reach(execution)) {
      const auto late = static_cast<double>((closed_at(execution) - known_at).ns);
      breach("the provider on connection " + std::to_string(execution.connection->id()) +
             " was not hung up on within 10 ms, but after " + std::to_string(late * 1e-6) + " ms");
    }
  }
}

void Judge::judge_flow() {
  const Execution* const asked = answering();
  if (!options_.must_flow || asked == nullptr || asked->said_at == kNever) return;
  if (!is_awaited() || record_.is_stalled || !asked->is_sound) return;
  if (record_.ended_at > asked->said_at + kFlowMax) {
    breach("waited for " + std::to_string((record_.ended_at - asked->said_at).seconds()) +
           " s after all had been said");
  }
}

}  // namespace

OracleOptions oracle_options(const FaultPlan& faults) {
  OracleOptions options;
  options.must_serve = options.is_prompt = true;
  for (std::size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (faults.of(fault) == 0) continue;
    if (!is_harmless(fault)) options.must_serve = false;
    if (std::find(std::begin(kDelaying), std::end(kDelaying), fault) != std::end(kDelaying)) {
      options.is_prompt = false;
    }
  }
  options.must_flow =
      std::ranges::all_of(kBlocking, [&](Fault fault) { return faults.of(fault) == 0; });
  return options;
}

void check_request(World& world, const RequestRecord& record, const OracleOptions& options) {
  Judge(world, record, options).judge();
}

}  // namespace leat::sim
