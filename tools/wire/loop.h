// SPDX-License-Identifier: Apache-2.0
// Loop: one thread's epoll and alarms, for the load tools. Plain epoll on purpose: the instruments
// share neither loop nor parser with the program they measure, so that one bug cannot hide another.
#pragma once

#include <cstdint>

#include "base/instant.h"
#include "wire/agenda.h"

namespace leat::tools {

// What a socket's readiness wakes. A wake-up may be stale (the socket was replaced in the same
// turn), so handlers try the operation and believe its result, not the event.
class Watcher {
 public:
  virtual void on_ready() = 0;

 protected:
  ~Watcher() = default;
};

class Loop {
 public:
  // Ends the process with a message if the kernel gives no epoll.
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Level-triggered. A closed descriptor leaves by itself. The watcher must live until the end of
  // the turn in which its descriptor is closed.
  void watch(int fd, bool for_writing, Watcher& watcher);
  void rewatch(int fd, bool for_writing, Watcher& watcher);

  // Waits for sockets or the next alarm, at most until `until`, and serves what came.
  void turn(Instant until);

  // The time at which this turn woke.
  Instant now() const { return now_; }
  Agenda& agenda() { return agenda_; }

 private:
  int epoll_;
  Instant now_;
  Agenda agenda_;
};

// CLOCK_MONOTONIC, the same clock in all processes of the machine.
Instant read_clock();

// Prints the message and ends the process with status 1: for faults of set-up.
[[noreturn]] void die(const char* what, int error = 0);

// Lifts the soft limit on descriptors to the hard one; returns it.
std::uint64_t raise_descriptor_limit();

}  // namespace leat::tools
