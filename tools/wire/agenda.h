// SPDX-License-Identifier: Apache-2.0
// Agenda: the alarms of one loop of a tool, exact to the nanosecond: a heap that knows where each
// alarm sits, so that one can be moved or dropped in place. The product's Wheel would not do: its
// ticks of 1 ms would turn 2,000 evenly spread streams into 1,000 bursts a second, and a proxy that
// is fed in bursts looks cheaper than it is.
#pragma once

#include <cstddef>
#include <vector>

#include "base/instant.h"

namespace leat::tools {

class Agenda;

// A member of what it wakes. Leaves its agenda when destroyed; the agenda must outlive it.
class Alarm {
 public:
  using Callback = void (*)(void* owner);
  Alarm(Callback callback, void* owner) : callback_(callback), owner_(owner) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm();

  bool is_set() const { return agenda_ != nullptr; }

 private:
  friend class Agenda;
  Callback callback_;
  void* owner_;
  Agenda* agenda_ = nullptr;  // null: not set
  std::size_t position_ = 0;  // in the heap
  Instant due_{};
};

// Names a member function as an Alarm's callback: alarm_callback<&Stream::on_due>.
template <auto kMember>
struct AlarmMember;
template <class Owner, void (Owner::*kMember)()>
struct AlarmMember<kMember> {
  static void call(void* owner) { (static_cast<Owner*>(owner)->*kMember)(); }
};
template <auto kMember>
inline constexpr Alarm::Callback alarm_callback = &AlarmMember<kMember>::call;

class Agenda {
 public:
  // Sets or moves the alarm.
  void set(Alarm& alarm, Instant due);
  void cancel(Alarm& alarm);

  // When the earliest alarm is due; kNever without one.
  Instant next() const { return heap_.empty() ? kNever : heap_.front()->due_; }

  // Rings what is due at `now`, each alarm at most once, so that one that sets itself again for the
  // past cannot starve the sockets.
  void run(Instant now);

 private:
  void place(std::size_t position, Alarm* alarm);
  void sift_up(std::size_t position);
  void sift_down(std::size_t position);

  std::vector<Alarm*> heap_;
  std::vector<Alarm*> due_;  // taken out, still to be rung
};

}  // namespace leat::tools
