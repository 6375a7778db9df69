// SPDX-License-Identifier: Apache-2.0
// RequestKeeper: what the control shard does for logs and traces: takes the events of ended
// requests from the shards' rings, has lines of them written and spans of them sent. Without an
// access log and without traces there are no rings, and it only writes the shards' log lines.
//
// Belongs to the control shard. Nothing here waits for a file or a collector.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/content_log.h"
#include "control/line_sink.h"
#include "control/otlp_exporter.h"
#include "control/otlp_spans.h"
#include "gateway/event_ring.h"
#include "gateway/log_ring.h"
#include "leat/options.h"
#include "net/connector.h"
#include "net/resolver.h"
#include "shard/shard.h"
#include "tls/context.h"
#include "tls/trusted_roots.h"

namespace leat::app {

class RequestKeeper {
 public:
  // The rings are there from the start; of the options nothing is kept but what they say of logs
  // and traces, of which a reload changes the content log alone. The shard outlives it.
  RequestKeeper(shard::Shard& shard, const Options& options, std::uint32_t shards);
  ~RequestKeeper();

  // Opens what is written to; `options` as before. `roots` and `secret`: of the collector; null and
  // empty where it needs none. What is wrong, or empty.
  std::string start(const Options& options, const tls::TrustedRoots* roots,
                    std::string_view secret);
  // The shard's; null: nobody listens.
  gateway::EventRing* ring(std::uint32_t shard);
  // The same, of what requests said; null: no content is logged.
  gateway::ContentRing* contents(std::uint32_t shard);
  // A line of a shard's own, such as a refusal's.
  void take_log(gateway::LogRing& log);
  // By what a reload has made of the options: what of these is not fixed.
  void change(const Options& options);
  // The access log's file has been moved away.
  void reopen();
  // What is left in the rings is told; after the shards have ended.
  void stop();
  std::string metrics() const;

 private:
  std::string start_traces(const Options& options, const tls::TrustedRoots* roots,
                           std::string_view secret);
  void drain();
  void on_timer();
  void tell_trouble();

  shard::Shard& shard_;
  const LogSettings log_;
  const TraceSettings trace_;
  const bool has_access_log_;
  // Access lines and the shards' own do not mix: there the former tell of refusals too.
  const bool owns_stderr_;
  std::vector<std::unique_ptr<gateway::EventRing>> rings_;
  std::unique_ptr<control::LineSink> errors_;      // to standard error
  std::unique_ptr<control::LineSink> access_;      // to a file; null: to errors_, or there is none
  std::unique_ptr<control::ContentLog> contents_;  // null: there is none
  Instant trouble_due_{};                          // when its trouble may be told again
  std::string lines_;                              // of one drain
  std::string spans_;                              // of one request
  // Of traces; null without them.
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<tls::ClientContext> tls_;
  std::unique_ptr<net::TcpStreams> streams_;
  std::unique_ptr<net::TcpDialer> dialer_;
  std::unique_ptr<control::OtlpSpans> otlp_;
  std::unique_ptr<control::OtlpExporter> exporter_;
  Timer timer_{timer_callback<&RequestKeeper::on_timer>, this};
};

}  // namespace leat::app
