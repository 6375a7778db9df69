// SPDX-License-Identifier: Apache-2.0
// Wheel: the timers of one shard. A hierarchical timing wheel (Varghese, Lauck 1987) of 1 ms ticks:
//
//   level 0: 256 slots of 1 ms    level 1: 256 slots of 256 ms    level 2: 256 slots of 65.5 s
//
// Timers are members of what they belong to; setting one never allocates. Moving a deadline later
// is one store (the timer moves when its old slot comes round), so that an idle timeout renewed
// with every event costs nothing. A timer never fires early, and at most one tick plus one turn
// late.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/instant.h"
#include "base/intrusive_list.h"

namespace leat {

class Wheel;

class Timer : private ListNode<Timer> {
 public:
  using Callback = void (*)(void* owner);
  Timer(Callback callback, void* owner) : callback_(callback), owner_(owner) {}

  bool is_set() const { return is_linked() && deadline_ != kNever; }
  Instant deadline() const { return deadline_; }

 private:
  friend class Wheel;
  friend class IntrusiveList<Timer, Timer>;
  Callback callback_;
  void* owner_;
  Instant deadline_ = kNever;   // when it is to fire; kNever: not at all
  std::int64_t slot_tick_ = 0;  // the tick of the slot it is linked in
};

// Names a member function as a Timer's callback: timer_callback<&Connection::on_idle>.
template <auto kMember>
struct MemberCallback;
template <class Owner, void (Owner::*kMember)()>
struct MemberCallback<kMember> {
  static void call(void* owner) { (static_cast<Owner*>(owner)->*kMember)(); }
};
template <auto kMember>
inline constexpr Timer::Callback timer_callback = &MemberCallback<kMember>::call;

class Wheel {
 public:
  explicit Wheel(Instant now);

  // Sets or moves the timer. kNever stops it.
  void set(Timer& timer, Instant deadline);
  // Stops the timer and takes it out of the wheel. A destroyed timer leaves the wheel by itself.
  void cancel(Timer& timer);

  // Fires every timer whose deadline is not after `now`. Callbacks may set, cancel and destroy any
  // timer, their own included.
  void advance(Instant now);

  // No timer fires before this instant (a bound: the next turn of a level counts too).
  Instant next_expiry() const;

 private:
  static constexpr int kLevels = 3;
  static constexpr int kSlotBits = 8;
  static constexpr std::size_t kSlots = 1u << kSlotBits;
  static constexpr std::int64_t kTickNs = 1'000'000;
  using Slot = IntrusiveList<Timer, Timer>;

  struct Level {
    std::array<Slot, kSlots> slots;
    std::array<std::uint64_t, kSlots / 64> occupied{};  // may lag: a set bit can mean an empty slot
  };

  void link(Timer& timer);
  void expire_slot(int level, std::size_t index, Instant now);
  void run_tick(Instant now);
  // Ticks from `from` (exclusive) to the next occupied slot of the level, or -1.
  std::int64_t distance_to_occupied(int level, std::size_t from) const;

  std::int64_t tick_;  // the last tick that was run
  std::array<Level, kLevels> levels_;
};

}  // namespace leat
