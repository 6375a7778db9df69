// SPDX-License-Identifier: Apache-2.0
// LedgerLife: one life of a ledger in a simulated world, from start to kill: a shard, its ledger,
// requests that append records and wait for them, and somebody who makes segments on the world's
// disk, late and sometimes not at all. What the requests were told is kept in a LedgerHistory,
// against which the files are judged afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/ledger.h"
#include "ledger/replay.h"
#include "simulation/segment_maker.h"
#include "simulation/sim_io.h"
#include "simulation/sim_world.h"

namespace leat::sim {

// What is known of records by their ids, over any number of lives.
struct LedgerHistory {
  std::set<std::string> appended;
  std::set<std::string> acknowledged;  // reported durable
  std::set<std::string> refused;       // reported not durable
  std::vector<int> files;              // all that were made, in order
};

struct LedgerLifeOptions {
  ledger::LedgerMode mode = ledger::LedgerMode::kStrict;
  std::uint64_t generation = 1;
  std::uint64_t segment_bytes = ledger::kSegmentBytesMin;
  // Of segments that are wanted, how many are refused for want of space at first.
  double disk_is_full = 0;
  // Records that begin, each at a time of its own within the span, some together.
  std::size_t records = 100;
  Duration span = milliseconds(30);
  bool finishes = false;  // in order, after the last record
};

class LedgerLife final : private ledger::SegmentSource, private shard::Deferred {
 public:
  LedgerLife(World& world, LedgerHistory& history, const LedgerLifeOptions& options);
  ~LedgerLife();

  ledger::Ledger& ledger() { return *ledger_; }
  shard::Shard& shard() { return *shard_; }
  bool is_finished() const { return is_finished_; }
  const std::vector<Duration>& waits() const { return waits_; }
  std::size_t fates(ledger::SegmentFate fate) const {
    return fates_[static_cast<std::size_t>(fate)];
  }
  // The ledger goes, whatever it is at; the shard goes on.
  void drop_ledger() { ledger_.reset(); }
  const io::IoStats& io_stats() const { return io_.stats(); }
  // Requests that wait to be told.
  std::size_t waiting() const;
  std::size_t emergencies_made() const { return emergencies_made_; }
  SegmentMaker& maker() { return maker_; }

 private:
  struct Request final : ledger::DurableWaiter {
    LedgerLife* life = nullptr;
    std::string id;
    Instant began{};
    void on_durable(bool is_durable) override;
  };
  struct End final : ledger::DurableWaiter {
    LedgerLife* life = nullptr;
    void on_durable(bool is_durable) override { life->is_finished_ = is_durable; }
  };

  void want_segment() override { maker_.ask(false); }
  void want_emergency() override { maker_.ask(true); }
  void segment_done(const ledger::SegmentFile& file, ledger::SegmentFate fate) override;
  void on_segment(bool is_emergency);
  void on_request(std::uint64_t number);
  void run_turn();
  void run_deferred() override;
  void append(const std::string& id, Instant began);
  ledger::SegmentFile make_segment();

  World& world_;
  LedgerHistory& history_;
  LedgerLifeOptions options_;
  Rng rng_;
  SimIo io_;
  SegmentMaker maker_;
  std::unique_ptr<shard::Shard> shard_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::deque<Request> requests_;
  End end_;
  std::vector<bool> due_segments_;                            // whether each is an emergency one
  std::vector<std::pair<std::string, Instant>> due_records_;  // with when they came
  std::vector<Duration> waits_;
  std::size_t begun_ = 0;
  std::size_t emergencies_made_ = 0;
  std::array<std::size_t, 2> fates_{};
  bool has_finish_begun_ = false;
  bool is_finished_ = false;
};

// What the files of one generation say.
struct Recovered {
  std::vector<std::string> ids;  // in order
  ledger::ReplayReport report;
};
Recovered recover(World& world, const LedgerHistory& history, std::uint64_t generation);

}  // namespace leat::sim
