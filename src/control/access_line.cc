// SPDX-License-Identifier: Apache-2.0
#include "control/access_line.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "control/record_text.h"
#include "proto/json_writer.h"

namespace leat::control {
namespace {

using gateway::RequestEvent;
using ledger::UsageRecord;

// Six bytes for each of a text's 256, and quotes.
constexpr std::size_t kTextRoom = 2'048;

// Writes keys and values in one of the formats. Texts that are empty and numbers that say nothing
// are left out by who calls.
class Line {
 public:
  Line(AccessFormat format, std::string& out) : is_json_(format == AccessFormat::kJson), out_(out) {
    if (is_json_) out_ += '{';
  }
  void end() { out_ += is_json_ ? "}\n" : "\n"; }

  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    name(key);
    if (!is_json_ && is_bare(value)) {
      out_ += value;
      return;
    }
    std::array<char, kTextRoom> room;
    proto::JsonWriter writer(room);
    writer.string(value);
    out_ += writer.text();
  }
  template <class Number>
  void number(std::string_view key, Number value) {
    name(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void dollars(std::string_view key, std::int64_t nano) {
    name(key);
    std::array<char, 64> room;
    proto::JsonWriter writer(room);
    writer.dollars(nano);
    out_ += writer.text();
  }
  void ms(std::string_view key, Duration time) {
    number(key, static_cast<double>(time.us()) / 1'000);
  }
  void flag(std::string_view key, bool value) {
    if (value) number(key, true);
  }
  // The value is written by who calls, as JSON; in logfmt it is a text.
  void name(std::string_view key) {
    if (!is_first_) out_ += is_json_ ? ',' : ' ';
    is_first_ = false;
    if (is_json_) {
      fmt::format_to(std::back_inserter(out_), "\"{}\":", key);
    } else {
      fmt::format_to(std::back_inserter(out_), "{}=", key);
    }
  }
  bool is_json() const { return is_json_; }
  std::string& out() { return out_; }

 private:
  // What readers of logfmt take as it stands.
  static bool is_bare(std::string_view text) {
    for (const char c : text) {
      const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z') ||
                            std::string_view("-_.:/#@+*[]{}").find(c) != std::string_view::npos;
      if (!is_plain) return false;
    }
    return true;
  }

  bool is_json_;
  bool is_first_ = true;
  std::string& out_;
};

std::string client_text(const io::Address& client) {
  std::string text = client.to_string();
  text.resize(text.rfind(':'));  // its port tells an operator nothing
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  return text;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text(bytes.size() * 2, '\0');
  proto::write_hex(bytes, text.data());
  return text;
}

void append_who(const RequestEvent& event, Line& line) {
  const UsageRecord& record = event.record;
  line.text("client", client_text(event.client));
  line.text("key", record.key_id);
  line.text("organisation", record.organisation_id);
  line.text("workspace", record.workspace_id);
  line.text("user", record.user_id);
  line.text("session", record.session_id);
  line.text("app", record.app_title);
  line.text("referer", record.app_referer);
}

void append_tokens(const UsageRecord& record, Line& line) {
  const ledger::UsageTokens& tokens = record.tokens;
  line.number("prompt_tokens", tokens.prompt);
  line.number("cached_tokens", tokens.cached);
  line.number("cache_write_tokens", tokens.cache_write);
  line.number("completion_tokens", tokens.completion);
  line.number("reasoning_tokens", tokens.reasoning);
  line.dollars("cost", record.cost);
  line.dollars("charge", record.charge);
}

// JSON has a list; logfmt, which has none, one text: endpoint:outcome:status:ms,...
void append_attempts(const RequestEvent& event, Line& line) {
  const UsageRecord& record = event.record;
  line.number("attempts_made", record.attempts_made);
  std::string list;
  for (std::size_t i = 0; i < record.attempt_count; ++i) {
    const ledger::UsageAttempt& attempt = record.attempts[i];
    if (!list.empty()) list += ',';
    if (!line.is_json()) {
      fmt::format_to(std::back_inserter(list), "{}:{}:{}:{}", attempt.endpoint,
                     ledger::attempt_outcome_name(attempt.outcome), attempt.status,
                     event.attempts[i].total.ms());
      continue;
    }
    Line one(AccessFormat::kJson, list);
    one.text("endpoint", attempt.endpoint);
    one.text("provider", attempt.provider);
    one.text("model", event.attempts[i].model);
    one.text("outcome", ledger::attempt_outcome_name(attempt.outcome));
    one.number("status", attempt.status);
    one.flag("byok", attempt.is_byok);
    one.ms("started_ms", attempt.started);
    one.ms("first_ms", attempt.latency);
    one.ms("total_ms", event.attempts[i].total);
    list += '}';
  }
  if (!line.is_json()) return line.text("attempts", list);
  line.name("attempts");
  line.out() += '[' + list + ']';
}

// Of a request that a provider was asked for.
void append_served(const RequestEvent& event, Line& line) {
  const UsageRecord& record = event.record;
  line.text("model", record.model_served);
  line.text("provider", record.provider);
  line.text("endpoint", record.endpoint);
  line.text("finish_reason", record.finish_reason);
  line.text("native_finish_reason", record.native_finish_reason);
  append_tokens(record, line);
  line.ms("queued_ms", record.queued);
  if (record.first_token > Duration{}) line.ms("first_token_ms", record.first_token);
  append_attempts(event, line);
  line.flag("estimated", record.flags.is_estimated);
  line.flag("ambiguous", record.flags.is_ambiguous);
  line.flag("byok", record.flags.is_byok);
  line.flag("free", record.flags.is_free);
}

}  // namespace

void append_access_line(const RequestEvent& event, AccessFormat format, std::string& out) {
  const UsageRecord& record = event.record;
  Line line(format, out);
  line.text("time", rfc3339(record.began));
  line.text("id", record.generation_id);
  line.text("request_id", record.request_id);
  append_who(event, line);
  line.text("method", event.method);
  line.text("path", event.path);
  line.number("status", record.status);
  line.text("reason", event.reason);
  line.text("api", record.api);
  line.text("model_asked", record.model_asked);
  line.flag("streamed", record.flags.is_streamed);
  line.flag("cancelled", record.flags.is_cancelled);
  if (record.attempts_made > 0) append_served(event, line);
  line.ms("total_ms", event.total);
  line.number("bytes_in", event.bytes_in);
  line.number("bytes_out", event.bytes_out);
  line.flag("tls", event.is_tls);
  line.number("shard", event.shard);
  if (event.has_trace()) {
    line.text("trace_id", hex(event.trace.trace_id));
    line.text("span_id", hex(event.trace.span_id));
  }
  line.end();
}

std::string access_gap_line(std::uint64_t lines, AccessFormat format) {
  if (format == AccessFormat::kJson) {
    return fmt::format("{{\"event\":\"lines dropped\",\"lines\":{}}}\n", lines);
  }
  return fmt::format("event=\"lines dropped\" lines={}\n", lines);
}

}  // namespace leat::control
