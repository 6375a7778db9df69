// SPDX-License-Identifier: Apache-2.0
// SimKeeping: the ledger's files of one world, over any number of processes that write them: what
// control/ledger_keeper is to the service, on the world's disk. Each process has a generation; its
// segments are made late and sometimes not at first, and its open tables outlive it. Reads the
// files back as `leat ledger` does, for who judges them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/shard_ledger.h"
#include "ledger/recovery.h"
#include "ledger/replay.h"
#include "shard/mailbox.h"
#include "simulation/segment_maker.h"
#include "simulation/sim_world.h"

namespace leat::sim {

struct SimKeepingOptions {
  ledger::LedgerMode mode = ledger::LedgerMode::kStrict;
  std::uint64_t segment_bytes = ledger::kSegmentBytesMin;
  double disk_is_full = 0;  // as of SegmentMakerOptions
  std::size_t open_requests_max = 64;
  ledger::AmbiguousCharge ambiguous_charge = ledger::AmbiguousCharge::kNothing;
};

class SimKeeping {
 public:
  SimKeeping(World& world, const SimKeepingOptions& options);
  ~SimKeeping();

  // ---- The life of a process ----
  // Before its shards: takes a generation, reads what those before it left, makes the first files.
  void start(std::uint32_t shards);
  gateway::LedgerParts parts(std::uint32_t shard);
  // How the shard hears of its segments.
  void attach(std::uint32_t shard, shard::Mailbox& mailbox, io::Waker& waker);
  // It is no more, from one moment to the next; of writes under way some sectors are there.
  void kill();
  // No segment can be made, until there is room again; files that are there can be written.
  void set_disk_full(bool is_full);
  // No segment can be made any more, and no write succeeds; or all is well again.
  void set_disk_dead(bool is_dead);

  // ---- What is in the files ----
  // All entries of all processes, each once. Breaches of the files' own rules are violations.
  void read(ledger::EntryVisitor& visitor);
  // Requests that stand in a table that is still there.
  std::size_t open_count() const;

  const SimKeepingOptions& options() const { return options_; }
  // Processes so far.
  std::uint64_t generations() const { return generation_; }
  std::size_t recovered_count() const { return recovered_total_; }
  // Something was recovered and is not durable yet, since:
  bool is_recovering() const { return recovering_since_ != kNever; }
  Instant recovering_since() const { return recovering_since_; }
  // The longest that it took, from the end of the process.
  Duration recovery_time_max() const { return recovery_time_max_; }
  bool is_disk_dead() const { return is_dead_; }
  // No attempt to make a segment was ever refused, and the disk was never dead.
  bool was_always_sound() const { return options_.disk_is_full == 0 && was_always_sound_; }

 private:
  class Desk;
  struct Table {
    ledger::SegmentIdentity owner;
    std::string memory;
    bool is_removed = false;
  };

  void recovered_is_durable();
  void make_desk(std::uint32_t shard);

  World& world_;
  SimKeepingOptions options_;
  std::vector<std::unique_ptr<Desk>> desks_;    // of all processes
  std::vector<std::unique_ptr<Table>> tables_;  // the same
  std::vector<ledger::OpenRequest> recovered_;  // by the process that runs
  std::size_t first_desk_ = 0;                  // of that process
  std::uint64_t generation_ = 0;
  std::size_t recovered_total_ = 0;
  Instant ended_at_ = kNever;  // the process before
  Instant recovering_since_ = kNever;
  Duration recovery_time_max_{};
  bool is_dead_ = false;
  bool was_always_sound_ = true;
};

}  // namespace leat::sim
