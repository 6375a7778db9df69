// SPDX-License-Identifier: Apache-2.0
// OtlpExporter: sends spans to a collector over OTLP/HTTP, in batches, one export at a time, on the
// control shard's loop. Never waits and never holds anybody up: what a collector that is slow, ill
// or gone does not take is kept up to a bound and tried again with growing pauses, then dropped and
// counted.
//
// Which answers are tried again, and when, is OTLP's ("Failures", "Throttling"): 429, 502, 503 and
// 504, and whatever never answered; not before Retry-After says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/block.h"
#include "base/wheel.h"
#include "leat/options.h"
#include "net/upstream_pool.h"
#include "shard/shard.h"

namespace leat::control {

class OtlpExporter final : private net::PoolWaiter, private net::ReplyHandler {
 public:
  // Waiting spans, sent or not; beyond it they are dropped.
  static constexpr std::size_t kWaitingBytesMax = std::size_t{8} << 20;
  static constexpr std::size_t kBatchSpansMax = 512;
  static constexpr std::size_t kBatchBytesMax = std::size_t{1} << 20;
  static constexpr Duration kBatchTime = seconds(1);
  static constexpr Duration kExportTime = seconds(10);
  static constexpr Duration kPauseFirst = seconds(1);
  static constexpr Duration kPauseMax = seconds(30);
  static constexpr Duration kTriesTime = seconds(300);  // then the batch is dropped

  struct Stats {
    std::uint64_t exported = 0;  // spans
    std::uint64_t dropped = 0;   // spans, for whatever reason
    std::uint64_t failures = 0;  // exports that did not succeed, each try
  };

  struct Setup {
    TraceSettings settings;
    net::Dialer* dialer = nullptr;  // of the collector; outlives the exporter
    std::string_view secret;        // empty: none is sent; outlives the exporter
    std::string head;               // of every export, before its spans
    std::string tail;
  };

  OtlpExporter(shard::Shard& shard, Setup setup);
  ~OtlpExporter();

  // `spans` of one request, joined by commas.
  void add(std::string_view spans, std::size_t count);
  // What was added goes out at once. True: an export is under way, which a few turns may end.
  bool finish();
  const Stats& stats() const { return stats_; }
  std::size_t waiting_spans() const { return waiting_spans_; }
  // Told what is wrong when exports begin to fail, and when they go on; may be null.
  std::function<void(std::string_view)> on_trouble;

 private:
  struct Batch {
    std::string spans;
    std::size_t count = 0;
  };

  void on_upstream(Result<net::UpstreamCall*> call) override;
  void on_reply_head(const proto::ResponseHead& head) override;
  void on_reply_body(std::string_view bytes) override;
  void on_reply_pause() override {}
  void on_reply_end() override;
  void on_reply_failed(const Error& why) override;

  void close_batch();
  void start_export();
  void write_request(net::UpstreamCall& call);
  void succeeded();
  void failed(std::string_view why, bool may_retry);
  void drop_first();
  void hang_up();
  void on_batch_timer();
  void on_timer();

  shard::Shard& shard_;
  const Setup setup_;
  net::UpstreamPool pool_;
  std::deque<Batch> batches_;  // the first is the one under way
  Batch open_;                 // being filled
  std::size_t waiting_bytes_ = 0;
  std::size_t waiting_spans_ = 0;
  net::UpstreamCall* call_ = nullptr;
  BlockRef body_;  // being sent
  std::string answer_;
  int status_ = 0;
  std::int64_t retry_after_s_ = -1;
  Instant first_try_ = kNever;  // of the first batch
  Duration pause_ = kPauseFirst;
  bool in_flight_ = false;
  bool is_pausing_ = false;
  bool is_in_trouble_ = false;
  Stats stats_;
  Timer batch_timer_{timer_callback<&OtlpExporter::on_batch_timer>, this};
  Timer timer_{timer_callback<&OtlpExporter::on_timer>, this};
};

}  // namespace leat::control
