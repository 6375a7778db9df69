// SPDX-License-Identifier: Apache-2.0
// Shard: the loop of one core. It owns the wheel, the send arenas, the list of connections with
// something to send and the graveyard; what a turn does is in run_turn(). All that is not
// deterministic comes in through the constructor, so that a shard runs the same under the
// simulator.
//
//   flush dirty connections -> one Io::turn (submit, wait, dispatch) -> mailboxes -> wheel
//     -> deferred work -> graveyard
//
// Used from its own thread only. Never blocks but in Io::turn().
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "base/intrusive_list.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "io/io.h"
#include "shard/core_meter.h"
#include "shard/load_meter.h"
#include "shard/mailbox.h"
#include "shard/turn_arena.h"
#include "shard/turn_stats.h"

namespace leat::shard {

struct DirtyTag {};
struct DeferredTag {};

// Something with bytes to send at the end of the turn; a member of the connection that has them.
class Flushable : public ListNode<DirtyTag> {
 public:
  // Called once before the turn's enter; may allocate from Shard::arena() and call Io::send().
  virtual void flush() = 0;

 protected:
  ~Flushable() = default;
};

// Work put off until the completions of this turn are dispatched, so that nobody is destroyed or
// re-entered in the middle of a callback of its own.
class Deferred : public ListNode<DeferredTag> {
 public:
  virtual void run_deferred() = 0;

 protected:
  ~Deferred() = default;
};

class MessageHandler {
 public:
  virtual void on_message(const Message& message) = 0;

 protected:
  ~MessageHandler() = default;
};

class Shard {
 public:
  Shard(io::Io& io, Rng& rng, std::uint32_t index);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  std::uint32_t index() const { return index_; }
  io::Io& io() { return io_; }
  Rng& rng() { return rng_; }
  Wheel& wheel() { return wheel_; }
  Instant now() const { return io_.now(); }
  const TurnStats& turn_stats() const { return turn_stats_; }
  // LoadMeter::lateness() of this turn, and how late turns have been lately.
  Duration lateness() const { return load_.lateness(io_.now(), io_.waiting_time()); }
  Duration completion_time() const { return load_.completion_time(); }
  Duration lag() const { return load_.lag(io_.now(), io_.waiting_time()); }
  CoreMeter& core() { return core_; }
  const CoreMeter& core() const { return core_; }
  // Memory for bytes to send: valid until the turn that submits them has returned.
  TurnArena& arena() { return arenas_[filling_]; }

  void mark_dirty(Flushable& item) {
    if (!item.is_linked()) dirty_.push_back(item);
  }
  void defer(Deferred& item) {
    if (!item.is_linked()) deferred_.push_back(item);
  }

  // Something is held back until then, for company: till then turns wait for company too.
  void hold_until(Instant until) { held_until_ = std::max(held_until_, until); }
  // How long a turn waits at most for more, while something is held.
  static constexpr Duration kHeldBatchTime = milliseconds(1);
  // What was just asked for is there already: the coming turn waits for nothing else.
  void expect_at_once() { expects_at_once_ = true; }

  // Messages are read from `mailbox` once a turn. Both must outlive the shard.
  void attach_mailbox(Mailbox& mailbox, MessageHandler& handler);

  // One turn. `latest`: return by then even if nothing happens.
  void run_turn(Instant latest = kNever);
  // Turns until stop() was called.
  void run();
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

 private:
  void flush_dirty();
  io::TurnOptions next_turn(Instant latest);
  void read_mailboxes();
  void run_deferred();

  io::Io& io_;
  Rng& rng_;
  std::uint32_t index_;
  Wheel wheel_;
  TurnArena arenas_[2];
  int filling_ = 0;
  IntrusiveList<Flushable, DirtyTag> dirty_;
  IntrusiveList<Deferred, DeferredTag> deferred_;
  struct Inbox {
    Mailbox* mailbox;
    MessageHandler* handler;
  };
  std::vector<Inbox> inboxes_;
  std::uint64_t completions_seen_ = 0;
  LoadMeter load_;
  CoreMeter core_;
  TurnStats turn_stats_;
  Instant held_until_{};
  bool expects_at_once_ = false;
  bool stopped_ = false;
};

}  // namespace leat::shard
