// SPDX-License-Identifier: Apache-2.0
#include "app/request_keeper.h"

#include <utility>

#include "control/access_line.h"
#include "control/metrics_text.h"
#include "net/ares_resolver.h"

namespace leat::app {

namespace {

// A ring has room for a tenth of a second of more requests than a shard serves.
constexpr Duration kDrainInterval = milliseconds(50);
// What a sink takes in one piece; a drain may have more.
constexpr std::size_t kLinesBytes = 64 * 1024;
// How often it is said that the content log's folder takes nothing.
constexpr Duration kTroubleInterval = seconds(60);

// What is left at the end of the process is sent if the collector is quick.
constexpr Duration kLastExportTime = milliseconds(500);

std::string gap_line(std::uint64_t lines, AccessFormat format) {
  if (format != AccessFormat::kOff) return control::access_gap_line(lines, format);
  return "leat: " + std::to_string(lines) + " log lines were dropped\n";
}

}  // namespace

RequestKeeper::RequestKeeper(shard::Shard& shard, const Options& options, std::uint32_t shards)
    : shard_(shard),
      log_(options.log),
      trace_(options.trace),
      has_access_log_(options.log.access != AccessFormat::kOff),
      owns_stderr_(has_access_log_ && options.log.access_file.empty()) {
  if (!options.content_log.folder.empty()) {
    contents_ = std::make_unique<control::ContentLog>(options.content_log, shards);
  }
  if (!has_access_log_ && !options.trace.enabled) return;
  for (std::uint32_t i = 0; i < shards; ++i) {
    rings_.push_back(std::make_unique<gateway::EventRing>());
  }
}

RequestKeeper::~RequestKeeper() {
  shard_.wheel().cancel(timer_);
}

std::string RequestKeeper::start(const Options& options, const tls::TrustedRoots* roots,
                                 std::string_view secret) {
  std::string fault;
  const AccessFormat format = log_.access;
  const AccessFormat of_errors = owns_stderr_ ? format : AccessFormat::kOff;
  errors_ = control::LineSink::open(
      {.path = {},
       .name = "leat-log",
       .gap = [of_errors](std::uint64_t lines) { return gap_line(lines, of_errors); }},
      fault);
  if (has_access_log_ && !owns_stderr_) {
    access_ = control::LineSink::open(
        {.path = log_.access_file,
         .name = "leat-access",
         .gap = [format](std::uint64_t lines) { return gap_line(lines, format); }},
        fault);
  }
  if (!fault.empty()) return "log.access_file: " + fault;
  if (trace_.enabled) fault = start_traces(options, roots, secret);
  if (contents_ != nullptr) contents_->start();
  if (!rings_.empty() || contents_ != nullptr) {
    shard_.wheel().set(timer_, shard_.now() + kDrainInterval);
  }
  return fault;
}

std::string RequestKeeper::start_traces(const Options& options, const tls::TrustedRoots* roots,
                                        std::string_view secret) {
  const Limits& limits = options.limits;
  const BaseUrl& endpoint = trace_.endpoint;
  auto resolver = net::AresResolver::create(shard_, {.entries_max = 16,
                                                     .addresses_max = limits.dns_addresses_max,
                                                     .ttl_min = seconds(limits.dns_ttl_s_min),
                                                     .ttl_max = seconds(limits.dns_ttl_s_max),
                                                     .stale_max = seconds(limits.dns_stale_s_max)});
  if (!resolver) return std::string("trace.endpoint: ") + resolver.error().what;
  resolver_ = std::move(*resolver);
  if (endpoint.tls) {
    const bool own_records = options.server.own_tls_records;
    tls_ = tls::ClientContext::create(*roots, tls::Offer::kHttp1,
                                      own_records ? tls::Records::kOwn : tls::Records::kLibrary);
  }
  streams_ = std::make_unique<net::TcpStreams>(shard_);
  net::Origin origin;
  origin.host = endpoint.host;
  origin.port = endpoint.port;
  origin.tls = tls_.get();
  origin.allow_private = true;  // collectors mostly are near, and the operator named this one
  const net::ConnectLimits connect{milliseconds(limits.dns_ms_max),
                                   milliseconds(limits.connect_ms_max),
                                   milliseconds(limits.upstream_tls_handshake_ms_max)};
  dialer_ =
      std::make_unique<net::TcpDialer>(shard_, *streams_, *resolver_, std::move(origin), connect);
  otlp_ = std::make_unique<control::OtlpSpans>(options);
  exporter_ = std::make_unique<control::OtlpExporter>(
      shard_, control::OtlpExporter::Setup{.settings = trace_,
                                           .dialer = dialer_.get(),
                                           .secret = secret,
                                           .head = otlp_->head(),
                                           .tail = std::string(control::OtlpSpans::kTail)});
  exporter_->on_trouble = [this](std::string_view what) {
    errors_->push("leat: " + std::string(what) + "\n");
  };
  return {};
}

gateway::EventRing* RequestKeeper::ring(std::uint32_t shard) {
  return rings_.empty() ? nullptr : rings_[shard].get();
}

gateway::ContentRing* RequestKeeper::contents(std::uint32_t shard) {
  return contents_ == nullptr ? nullptr : contents_->ring(shard);
}

void RequestKeeper::take_log(gateway::LogRing& log) {
  lines_.clear();
  log.drain([this](std::string_view line) { lines_.append(line).append("\n"); });
  if (!lines_.empty() && !owns_stderr_ && errors_ != nullptr) errors_->push(lines_);
}

void RequestKeeper::change(const Options& options) {
  if (contents_ != nullptr) contents_->change(options.content_log);
}

void RequestKeeper::reopen() {
  if (access_ != nullptr) access_->reopen();
}

void RequestKeeper::drain() {
  control::LineSink* const access = access_ != nullptr ? access_.get() : errors_.get();
  lines_.clear();
  for (const auto& ring : rings_) {
    ring->drain([&](std::span<const char> bytes) {
      const auto event = gateway::decode_event(bytes);
      if (!event) return;
      if (has_access_log_) {
        control::append_access_line(*event, log_.access, lines_);
        if (lines_.size() >= kLinesBytes) {
          access->push(lines_);
          lines_.clear();
        }
      }
      if (exporter_ == nullptr || !event->trace.is_sampled()) return;
      spans_.clear();
      const std::size_t count = otlp_->append(*event, spans_);
      exporter_->add(spans_, count);
    });
  }
  if (!lines_.empty()) access->push(lines_);
}

// Records go on to be dropped and counted meanwhile.
void RequestKeeper::tell_trouble() {
  if (contents_ == nullptr || shard_.now() < trouble_due_) return;
  const std::string trouble = contents_->take_trouble();
  if (trouble.empty()) return;
  trouble_due_ = shard_.now() + kTroubleInterval;
  errors_->push("leat: " + trouble + "\n");
}

void RequestKeeper::on_timer() {
  drain();
  tell_trouble();
  shard_.wheel().set(timer_, shard_.now() + kDrainInterval);
}

void RequestKeeper::stop() {
  shard_.wheel().cancel(timer_);
  if (errors_ == nullptr) return;
  drain();
  const Instant latest = shard_.now() + kLastExportTime;
  while (exporter_ != nullptr && exporter_->finish() && shard_.now() < latest) {
    shard_.run_turn(latest);
  }
}

std::string RequestKeeper::metrics() const {
  control::MetricsText text;
  if (access_ != nullptr || errors_ != nullptr) {
    text.family("leat_log_sink_lines_total", "Lines written to logs.",
                control::MetricKind::kCounter);
    text.sample({{"sink", "stderr"}}, errors_->written());
    if (access_ != nullptr) text.sample({{"sink", "access"}}, access_->written());
    text.family("leat_log_sink_dropped_total", "Lines that a log's file did not take in time.",
                control::MetricKind::kCounter);
    text.sample({{"sink", "stderr"}}, errors_->dropped());
    if (access_ != nullptr) text.sample({{"sink", "access"}}, access_->dropped());
  }
  if (contents_ != nullptr) {
    text.family("leat_content_log_written_total", "Requests written to the content log.",
                control::MetricKind::kCounter);
    text.sample({}, contents_->written());
    text.family("leat_content_log_dropped_total",
                "Requests that the content log had no room for, or whose file did not take them.",
                control::MetricKind::kCounter);
    text.sample({}, contents_->dropped());
  }
  if (exporter_ != nullptr) {
    const control::OtlpExporter::Stats& stats = exporter_->stats();
    text.family("leat_trace_spans_exported_total", "Spans that the collector took.",
                control::MetricKind::kCounter);
    text.sample({}, stats.exported);
    text.family("leat_trace_spans_dropped_total",
                "Spans that there was no room for, or that the collector did not take.",
                control::MetricKind::kCounter);
    text.sample({}, stats.dropped);
    text.family("leat_trace_export_failures_total", "Exports that failed, each try.",
                control::MetricKind::kCounter);
    text.sample({}, stats.failures);
    text.family("leat_trace_spans_waiting", "Spans that are yet to be sent.",
                control::MetricKind::kGauge);
    text.sample({}, static_cast<std::uint64_t>(exporter_->waiting_spans()));
  }
  return text.text();
}

}  // namespace leat::app
