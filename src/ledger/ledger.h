// SPDX-License-Identifier: Apache-2.0
// Ledger: where one shard writes down what its requests used. An append is taken into memory,
// framed together with what else there is, and written as one commit: one aligned, durable write.
// Belongs to its shard and is used from its thread only. Opens and closes no file: segments come
// from whoever may (SegmentSource) and go back to it.
//
// Durable means reported by the disk. What was reported is never taken back: a write that failed
// ends the use of its file for good, and what was not yet reported is written again to the next
// segment, under the same sequence numbers (replay.h puts that together).
//
//   kStarting --first segment--> kReady --no segment left, or emergency only--> kUnavailable
//                                   ^---------------- a segment ----------------------'
//
//   current   what is written to now
//   next      at hand before it is needed; wanted as soon as there is none
//   emergency for what runs when there is no next: while it is in use nothing new may begin
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/block.h"
#include "base/instant.h"
#include "base/intrusive_list.h"
#include "base/wheel.h"
#include "io/io.h"
#include "ledger/commit_times.h"
#include "ledger/commit_window.h"
#include "ledger/pending_entries.h"
#include "ledger/record.h"
#include "ledger/segment_format.h"
#include "shard/shard.h"

namespace leat::ledger {

// A file made for this shard: its header durable, the rest of it zeros and its space reserved.
struct SegmentFile {
  int fd = -1;
  SegmentIdentity identity;
  std::uint64_t bytes = 0;  // of the whole file
};

enum class SegmentFate : std::uint8_t {
  kSealed,    // complete
  kPoisoned,  // a write to it failed: never to be written again, nor reused
};

// Who makes segments and takes them back. Answers later, never from within a call. Those that the
// ledger took and did not use are its own again when the ledger is gone.
class SegmentSource {
 public:
  // Answered by one take_next(), as soon as one can be had.
  virtual void want_segment() = 0;
  // The emergency segment was used up or given up: take_emergency() again when there is one.
  virtual void want_emergency() = 0;
  // The ledger is done with the file; its descriptor may be closed.
  virtual void segment_done(const SegmentFile& segment, SegmentFate fate) = 0;

 protected:
  ~SegmentSource() = default;
};

struct DurableTag {};

// One who waits until something is durable; a member of it. When destroyed it waits no more, and
// what it waited for is written all the same.
class DurableWaiter : public ListNode<DurableTag> {
 public:
  // Once for each append that said kWaiting. False: it is in memory, and will be written when that
  // is possible again. May append; must not destroy the ledger.
  virtual void on_durable(bool is_durable) = 0;

 protected:
  ~DurableWaiter() = default;

 private:
  friend class Ledger;
  std::uint64_t sequence_ = 0;
};

// Who wants to know how far the ledger is durable, whoever waits.
class DurableListener {
 public:
  // Entries before `sequence` are durable; before any waiter is told. May append.
  virtual void on_durable_until(std::uint64_t sequence) = 0;

 protected:
  ~DurableListener() = default;
};

enum class LedgerMode : std::uint8_t {
  kStrict,   // the end of an answer waits until its record is durable
  kGrouped,  // records are durable at most some milliseconds after
};

enum class LedgerState : std::uint8_t { kStarting, kReady, kUnavailable };

struct LedgerOptions {
  LedgerMode mode = LedgerMode::kStrict;
  // What is appended and not durable yet. From half of it on nothing new should begin, so that what
  // runs finds room: some 15,000 records.
  std::size_t pending_bytes_max = 4 * 1024 * 1024;
};

// Plain words of the shard.
struct LedgerStats {
  std::uint64_t entries = 0;  // durable
  std::uint64_t bytes = 0;    // written by commits
  std::uint64_t commits = 0;  // that were durable
  std::uint64_t failed_writes = 0;
  std::uint64_t segments_sealed = 0;
  std::uint64_t entries_late = 0;  // whose waiters were told that they are not durable
  std::uint64_t entries_dropped = 0;
  Duration commit_time_max{};  // from staging to report
  Duration commit_time{};      // of all commits together
  CommitTimes commit_times;    // each of them, those that failed included
};

class Ledger final : private io::FileHandler, private shard::Flushable {
 public:
  // `source` must outlive the ledger.
  Ledger(shard::Shard& shard, SegmentSource& source, const LedgerOptions& options);
  // What is not durable is lost, unless finish() came to its end before.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // ---- For who serves requests ----
  LedgerState state() const;
  // Whether a request that costs money may begin: if not, it is refused (503 ledger_unavailable).
  bool admits() const {
    return state() == LedgerState::kReady && pending_.bytes() < options_.pending_bytes_max / 2;
  }

  enum class Appended : std::uint8_t {
    kDone,        // go on: durable soon (kGrouped), or as soon as there is a disk
    kWaiting,     // `waiter` will be told
    kNotDurable,  // in memory; the ledger is unavailable
    kDropped,     // there was no room
  };
  // Writes the record down; copies what it needs. `waiter` may be null: nobody waits.
  Appended append(const UsageRecord& record, DurableWaiter* waiter);
  // A grant of a lease, as its owner encodes it: always waited for, whatever the mode, since it
  // must be known before it is spent. REQUIRES: at most kGrantBytesMax.
  Appended append_grant(std::span<const char> grant, DurableWaiter& waiter);
  static constexpr std::size_t kGrantBytesMax = 1024;

  // The number of what is appended next: with it append() can be told from durable_sequence().
  std::uint64_t next_sequence() const { return next_sequence_; }
  // Null: nobody. It outlives the ledger.
  void set_listener(DurableListener* listener) { listener_ = listener; }

  // The last entry's end: everything is made durable, and the segment is closed in order. Nothing
  // may be appended from here on. REQUIRES: not called before.
  Appended finish(DurableWaiter& waiter);

  // ---- For who makes segments ----
  void take_next(const SegmentFile& segment);
  void take_emergency(const SegmentFile& segment);

  // Entries before this are durable.
  std::uint64_t durable_sequence() const { return durable_.sequence; }
  const LedgerStats& stats() const { return stats_; }

 private:
  struct Current {
    SegmentFile file;
    std::uint64_t ordinal = 0;
    std::uint64_t durable_bytes = 0;  // of the file, from its beginning
    std::uint32_t seed = 0;
    bool is_emergency = false;
    bool has_begun = false;  // its first frame is durable
  };
  // How far the history of entries has come.
  struct Point {
    std::uint64_t sequence = 0;
    std::uint64_t chain = 0;
  };
  // The commit that is being put together, or is under way.
  struct Commit {
    std::size_t end = 0;      // in the buffer
    std::size_t entries = 0;  // of pending_
    std::uint64_t sequence = 0;
    std::uint64_t chain = 0;
    FrameKind last = FrameKind::kUsage;  // kSeal, kEnd: it ends the segment
  };

  void flush() override;
  void on_written(int error) override;
  void on_timer();
  Appended take(FrameKind kind, std::span<const char> payload, DurableWaiter* waiter);
  Appended wait(DurableWaiter* waiter, std::uint64_t sequence);
  bool has_work() const;
  bool is_waited_for() { return !waiters_.empty(); }
  void schedule();
  void commit();
  bool assemble();
  bool add_entries();
  void add_frame(FrameKind kind, std::span<const char> payload);
  char* buffer() { return buffer_->data() + buffer_begin_; }
  void committed();
  void poisoned();
  bool ensure_current();
  void begin_segment(const SegmentFile& file, bool is_emergency);
  void leave_segment(SegmentFate fate);
  void tell_durable();
  void tell_not_durable();

  shard::Shard& shard_;
  SegmentSource& source_;
  DurableListener* listener_ = nullptr;
  LedgerOptions options_;
  LedgerStats stats_;
  std::optional<Current> current_;
  std::optional<SegmentFile> next_;
  std::optional<SegmentFile> emergency_;
  std::uint64_t next_ordinal_ = 0;
  bool is_next_wanted_ = false;
  bool has_started_ = false;
  bool is_stuck_ = false;  // the segment is full and there is no other
  bool is_finishing_ = false;
  bool is_finished_ = false;

  PendingEntries pending_;
  IntrusiveList<DurableWaiter, DurableTag> waiters_;  // in the order of their sequence numbers
  Point durable_;
  std::uint64_t next_sequence_ = 0;

  // What commits are put together in. Its first bytes are the last block of the segment, as far as
  // that is filled; they are at buffer_position_ of the file. Nobody writes to it while a write is
  // under way.
  BlockRef buffer_;
  std::size_t buffer_begin_ = 0;  // where it is aligned
  std::uint64_t buffer_position_ = 0;
  bool is_writing_ = false;
  Commit committing_;
  Instant commit_began_{};

  CommitWindow window_;
  Instant oldest_{};  // when the first entry came that is not in the commit under way
  Timer timer_{timer_callback<&Ledger::on_timer>, this};
};

}  // namespace leat::ledger
