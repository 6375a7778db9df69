// SPDX-License-Identifier: Apache-2.0
// LedgerKeeper: the ledger's files for the shards that write them. Before the shards start it takes
// the folder, a process generation and the first segments, and reads what processes before had
// begun and not settled, and what accounts used; then a thread of its own makes segments as they
// are wanted and closes those that are done, since both wait for the disk. Made and ended by
// serve(), on its thread.
//
//   shard --LedgerDesk--> keeper's thread --kSegment by mailbox--> shard
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/handover.h"
#include "control/ledger_view.h"
#include "control/lost_leases.h"
#include "control/segment_folder.h"
#include "gateway/shard_ledger.h"
#include "io/io.h"
#include "leat/options.h"
#include "shard/mailbox.h"

namespace leat::control {

class LedgerKeeper;

// One shard's way to the keeper; its virtual functions are for that shard's thread.
class LedgerDesk final : public gateway::LedgerKeeping {
 public:
  explicit LedgerDesk(LedgerKeeper& keeper) : keeper_(keeper) {}

  // Segments come through it.
  shard::Mailbox& deliveries() { return deliveries_; }
  // Whom to wake for them; before the shard's ledger is made.
  void attach(io::Waker& waker) { waker_.store(&waker, std::memory_order_release); }

  void want_segment() override;
  void want_emergency() override;
  void segment_done(const ledger::SegmentFile& segment, ledger::SegmentFate fate) override;
  void recovered_is_durable() override;

 private:
  friend class LedgerKeeper;
  struct Wish {
    enum class Kind : std::uint8_t { kSegment, kEmergency, kDone, kRecovered };
    Kind kind = Kind::kSegment;
    ledger::SegmentFile segment;
  };
  void tell(Wish wish);

  LedgerKeeper& keeper_;
  // Those that it begins with were made before it asked.
  bool has_first_segment_ = true;
  bool has_first_emergency_ = true;
  // No more than a want of each kind, and what was done with the segments that they brought.
  Handover<Wish, 16> wishes_;
  shard::Mailbox deliveries_;
  std::atomic<io::Waker*> waker_{nullptr};
  // The keeper's.
  std::uint64_t segments_made_ = 0;
  std::array<bool, 2> is_wanted_{};            // and could not be made so far
  std::vector<ledger::SegmentFile> segments_;  // that are the shard's
  MappedFile open_table_;
};

class LedgerKeeper {
 public:
  // Takes the folder and begins; says on stderr what it found. Null if there is to be no ledger, or
  // with a fault: what is wrong, naming the folder.
  static std::unique_ptr<LedgerKeeper> start(const Options& options, std::uint32_t shards,
                                             std::string& fault);
  // After the shards.
  ~LedgerKeeper();
  // Once the shards have ended, and before they are gone: from here on none of them is woken.
  void stop();
  LedgerKeeper(const LedgerKeeper&) = delete;
  LedgerKeeper& operator=(const LedgerKeeper&) = delete;

  std::uint64_t generation() const { return generation_; }
  // Processes before this one still run and settle what they began: it is held in the view's book.
  bool has_live() const { return !live_.empty(); }
  // Leaves the folder to another process, and takes it back. What the shards write goes on.
  void unlock() { folder_->unlock(); }
  Result<bool> lock() { return folder_->lock(); }
  // What a power cut may have cost; to be kept by keep_lost() once limits were told of it.
  LostLeases& lost() { return lost_; }
  // What is wrong, or empty.
  std::string keep_lost();
  // All that was used until now, and what is open of it; once.
  std::unique_ptr<LedgerView> take_view() { return std::move(view_); }
  // For one shard: its parts and its desk, which outlives it. REQUIRES: opened.
  gateway::LedgerParts parts(std::uint32_t shard);
  LedgerDesk& desk(std::uint32_t shard) { return *desks_[shard]; }

 private:
  friend class LedgerDesk;

  LedgerKeeper(const Options& options, std::uint32_t shards);
  std::string open();
  std::string recover();
  std::string read_usage();
  std::string read_lost(std::span<const ledger::OpenRequests> tables,
                        std::span<const ledger::OwnedSegment> segments);
  std::string prepare(std::uint32_t shard);
  Result<ledger::SegmentFile> make_segment(LedgerDesk& desk, std::uint32_t shard,
                                           std::uint64_t bytes);
  std::uint64_t usual_bytes() const { return std::uint64_t{settings_.segment_mib} << 20; }
  std::uint64_t small_bytes() const;
  void run();
  void take_wishes(LedgerDesk& desk);
  void make_wanted(LedgerDesk& desk, std::uint32_t shard);
  void release(LedgerDesk& desk, const ledger::SegmentFile& segment);
  void remove_recovered();
  void close_all();
  bool is_of_no_use(const LedgerFile& file, bool is_table_empty) const;

  const LedgerSettings& settings_;
  const AccountNames names_;
  std::uint64_t generation_ = 0;
  std::unique_ptr<LedgerView> view_;
  LostLeases lost_;
  std::optional<SegmentFolder> folder_;
  std::vector<std::unique_ptr<LedgerDesk>> desks_;
  // Open tables of earlier processes; what is recovered views them.
  std::vector<LedgerFile> old_tables_;
  std::vector<MappedFile> old_mapped_;
  std::vector<ledger::OpenRequest> recovered_;
  std::set<std::uint64_t> live_;           // generations before ours whose processes still run
  std::vector<ledger::OpenRequest> held_;  // what these have open
  std::vector<std::string> held_tables_;   // what that refers to: the tables as they were
  std::counting_semaphore<> work_{0};
  std::atomic<bool> is_ending_{false};
  std::thread thread_;
};

}  // namespace leat::control
