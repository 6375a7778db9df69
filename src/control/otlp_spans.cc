// SPDX-License-Identifier: Apache-2.0
#include "control/otlp_spans.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <span>
#include <utility>

#include "leat/version.h"
#include "proto/json_writer.h"
#include "proto/trace_context.h"

namespace leat::control {
namespace {

using gateway::RequestEvent;
using ledger::AttemptOutcome;

constexpr int kServer = 2;  // SpanKind
constexpr int kClient = 3;
constexpr int kError = 2;  // StatusCode

void append_text(std::string_view text, std::string& out) {
  std::array<char, 2'048> room;  // six bytes for each of a text's 256, and quotes
  proto::JsonWriter writer(room);
  writer.string(text);
  out += writer.text();
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text(bytes.size() * 2, '\0');
  proto::write_hex(bytes, text.data());
  return text;
}

// The attributes of one span.
class Attributes {
 public:
  explicit Attributes(std::string& out) : out_(out) { out_ += ",\"attributes\":["; }
  void end() { out_ += ']'; }

  // Empty ones are left out.
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    begin(key, "stringValue");
    append_text(value, out_);
    out_ += "}}";
  }
  void list(std::string_view key, std::string_view only) {
    if (only.empty()) return;
    begin(key, "arrayValue");
    out_ += "{\"values\":[{\"stringValue\":";
    append_text(only, out_);
    out_ += "}]}}}";
  }
  void integer(std::string_view key, std::int64_t value) {
    begin(key, "intValue");
    fmt::format_to(std::back_inserter(out_), "\"{}\"}}}}", value);
  }
  void number(std::string_view key, double value) {
    begin(key, "doubleValue");
    fmt::format_to(std::back_inserter(out_), "{}}}}}", value);
  }
  void flag(std::string_view key, bool value) {
    begin(key, "boolValue");
    fmt::format_to(std::back_inserter(out_), "{}}}}}", value);
  }

 private:
  void begin(std::string_view key, std::string_view type) {
    if (!std::exchange(is_first_, false)) out_ += ',';
    fmt::format_to(std::back_inserter(out_), "{{\"key\":\"{}\",\"value\":{{\"{}\":", key, type);
  }
  std::string& out_;
  bool is_first_ = true;
};

struct SpanBegin {
  const RequestEvent& event;
  RequestEvent::SpanId id;
  RequestEvent::SpanId parent;
  bool parent_is_remote = false;
  std::string name;
  int kind = kServer;
  Duration started{};  // since the request began
  Duration total{};
};

void begin_span(const SpanBegin& span, std::string& out) {
  const std::int64_t start = span.event.record.began.unix_ns + span.started.ns;
  out += "{\"traceId\":\"" + hex(span.event.trace.trace_id) + "\",\"spanId\":\"" + hex(span.id);
  if (span.parent != RequestEvent::SpanId{}) out += "\",\"parentSpanId\":\"" + hex(span.parent);
  // Bits 8 and 9: whether the parent is of another process, and that this is known.
  const unsigned flags = span.event.trace.flags | 0x100u | (span.parent_is_remote ? 0x200u : 0u);
  fmt::format_to(std::back_inserter(out), "\",\"flags\":{},\"name\":", flags);
  append_text(span.name, out);
  fmt::format_to(std::back_inserter(out),
                 ",\"kind\":{},\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\"", span.kind,
                 start, start + span.total.ns);
}

void end_span(bool is_error, std::string& out) {
  if (is_error) fmt::format_to(std::back_inserter(out), ",\"status\":{{\"code\":{}}}", kError);
  out += '}';
}

std::string_view operation_name(std::string_view api) {
  return api == "completions" ? "text_completion" : api;
}

// The conventions' names of providers, where they are not our own.
std::string_view provider_name(std::string_view slug) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"amazon-bedrock", "aws.bedrock"},  {"azure", "azure.ai.openai"},
      {"google-ai-studio", "gcp.gemini"}, {"google-vertex", "gcp.vertex_ai"},
      {"mistral", "mistral_ai"},          {"xai", "x_ai"},
  };
  for (const auto& [ours, theirs] : kNames) {
    if (slug == ours) return theirs;
  }
  return slug;
}

bool is_answer(AttemptOutcome outcome) {
  return outcome == AttemptOutcome::kSucceeded || outcome == AttemptOutcome::kFailedMidway ||
         outcome == AttemptOutcome::kClientGone;
}

void append_usage(const ledger::UsageRecord& record, Attributes& attributes) {
  const ledger::UsageTokens& tokens = record.tokens;
  attributes.integer("gen_ai.usage.input_tokens", tokens.prompt);
  attributes.integer("gen_ai.usage.output_tokens", tokens.completion);
  if (tokens.cached > 0) attributes.integer("gen_ai.usage.cache_read.input_tokens", tokens.cached);
  if (tokens.cache_write > 0) {
    attributes.integer("gen_ai.usage.cache_creation.input_tokens", tokens.cache_write);
  }
  if (tokens.reasoning > 0) {
    attributes.integer("gen_ai.usage.reasoning.output_tokens", tokens.reasoning);
  }
}

}  // namespace

OtlpSpans::OtlpSpans(const Options& options) : service_name_(options.trace.service_name) {
  for (const Provider& provider : options.providers) {
    if (provider.base_url.host.empty()) continue;
    places_[provider.name] = {provider.base_url.host, provider.base_url.port};
  }
}

std::string OtlpSpans::head() const {
  std::string out = "{\"resourceSpans\":[{\"resource\":{";
  std::string attributes;
  Attributes list(attributes);
  list.text("service.name", service_name_);
  list.text("service.version", kVersion);
  list.end();
  out += attributes.substr(1);
  out += fmt::format(
      "}},\"scopeSpans\":[{{\"scope\":{{\"name\":\"leat\",\"version\":\"{}\"}},"
      "\"spans\":[",
      kVersion);
  return out;
}

std::size_t OtlpSpans::append(const RequestEvent& event, std::string& out) const {
  append_request(event, out);
  const std::size_t attempts = event.record.attempt_count;
  std::size_t answered = attempts;  // the last that brought anything
  for (std::size_t i = 0; i < attempts; ++i) {
    if (is_answer(event.record.attempts[i].outcome)) answered = i;
  }
  for (std::size_t i = 0; i < attempts; ++i) append_attempt(event, i, i == answered, out);
  return 1 + attempts;
}

void OtlpSpans::append_request(const RequestEvent& event, std::string& out) const {
  const ledger::UsageRecord& record = event.record;
  std::string name(event.method.empty() ? "HTTP" : event.method);
  if (!event.path.empty()) name.append(" ").append(event.path);
  begin_span({.event = event,
              .id = event.trace.span_id,
              .parent = event.parent,
              .parent_is_remote = event.parent != RequestEvent::SpanId{},
              .name = std::move(name),
              .kind = kServer,
              .total = event.total},
             out);
  const std::string address = event.client.to_string();
  std::string_view client(address);
  client = client.substr(0, client.rfind(':'));
  if (client.starts_with('[')) client = client.substr(1, client.size() - 2);
  Attributes attributes(out);
  attributes.text("http.request.method", event.method.empty() ? "_OTHER" : event.method);
  attributes.text("http.route", event.path);
  attributes.text("url.scheme", event.is_tls ? "https" : "http");
  attributes.text("url.path", event.path);
  attributes.text("client.address", client);
  if (record.status != 0) attributes.integer("http.response.status_code", record.status);
  attributes.integer("http.request.body.size", static_cast<std::int64_t>(event.bytes_in));
  attributes.integer("http.response.size", static_cast<std::int64_t>(event.bytes_out));
  attributes.text("error.type", event.reason);
  attributes.text("leat.request_id", record.request_id);
  attributes.text("leat.generation_id", record.generation_id);
  attributes.text("leat.key", record.key_id);
  attributes.text("leat.organisation", record.organisation_id);
  attributes.text("leat.workspace", record.workspace_id);
  attributes.text("leat.app", record.app_title);
  attributes.text("user.id", record.user_id);
  if (record.attempts_made > 0) {
    attributes.integer("leat.attempts", record.attempts_made);
    attributes.integer("leat.charge_nanodollars", record.charge);
    attributes.number("leat.queue_seconds", record.queued.seconds());
  }
  if (record.flags.is_cancelled) attributes.flag("leat.cancelled", true);
  attributes.end();
  // What the client got wrong is no error of the server's span; a stream that broke is.
  const bool broke = record.status == 200 && !event.reason.empty();
  end_span(record.status >= 500 || broke, out);
}

void OtlpSpans::append_attempt(const RequestEvent& event, std::size_t index, bool has_answered,
                               std::string& out) const {
  const ledger::UsageRecord& record = event.record;
  const ledger::UsageAttempt& attempt = record.attempts[index];
  const std::string_view operation = operation_name(record.api);
  const std::string_view model = event.attempts[index].model;
  out += ',';
  begin_span({.event = event,
              .id = gateway::attempt_span(event.trace.span_id, index),
              .parent = event.trace.span_id,
              .name = fmt::format("{} {}", operation, model),
              .kind = kClient,
              .started = attempt.started,
              .total = event.attempts[index].total},
             out);
  Attributes attributes(out);
  attributes.text("gen_ai.operation.name", operation);
  attributes.text("gen_ai.provider.name", provider_name(attempt.provider));
  attributes.text("gen_ai.request.model", model);
  if (record.flags.is_streamed) attributes.flag("gen_ai.request.stream", true);
  attributes.text("gen_ai.conversation.id", record.session_id);
  if (const auto place = places_.find(attempt.provider); place != places_.end()) {
    attributes.text("server.address", place->second.host);
    attributes.integer("server.port", place->second.port);
  }
  if (attempt.status != 0) attributes.integer("http.response.status_code", attempt.status);
  attributes.text("gen_ai.response.id", attempt.upstream_id);
  attributes.text("leat.endpoint", attempt.endpoint);
  attributes.text("leat.outcome", ledger::attempt_outcome_name(attempt.outcome));
  attributes.integer("leat.cost_nanodollars", attempt.cost);
  const bool failed = attempt.outcome != AttemptOutcome::kSucceeded &&
                      attempt.outcome != AttemptOutcome::kClientGone &&
                      attempt.outcome != AttemptOutcome::kHedgedAway;
  if (failed) {
    attributes.text("error.type", attempt.status >= 400
                                      ? std::to_string(attempt.status)
                                      : ledger::attempt_outcome_name(attempt.outcome));
  }
  if (has_answered) {
    attributes.text("gen_ai.response.model", record.model_served);
    attributes.list("gen_ai.response.finish_reasons", record.finish_reason);
    append_usage(record, attributes);
    if (record.first_token > Duration{}) {
      attributes.number("gen_ai.response.time_to_first_chunk", attempt.latency.seconds());
    }
  }
  attributes.end();
  end_span(failed, out);
}

}  // namespace leat::control
