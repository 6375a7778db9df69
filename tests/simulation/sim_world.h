// SPDX-License-Identifier: Apache-2.0
// World: everything outside the shards of one simulated run - time, chance, the network, the disk -
// in one thread and out of one seed. Time passes only from event to event; events are ordered by
// time, then by a random tie, then by the order in which they were scheduled, so that nothing can
// rely on the order of things that happen at once.
//
// What goes wrong is reported by violation(); a run with none has passed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "simulation/fault_plan.h"
#include "simulation/sim_disk.h"
#include "simulation/sim_network.h"
#include "simulation/trace.h"

namespace leat::sim {

// What kind of thing happens; part of the trace.
enum class EventKind : std::uint8_t {
  kConnect,
  kEstablished,
  kArrive,
  kFin,
  kReset,
  kRoom,
  kTurn,
  kRetryReceive,
  kHoldOver,
  kLateWrite,
  kDisk,
  kActor,
};

class World {
 public:
  using Callback = void (*)(void* context, std::uint64_t argument);

  World(std::uint64_t seed, const FaultPlan& faults);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  Instant now() const { return now_; }
  WallTime wall_now() const { return {wall_start_ns_ + now_.ns + wall_offset_.ns}; }
  Rng& rng() { return rng_; }
  Network& network() { return network_; }
  Disk& disk() { return disk_; }
  Trace& trace() { return trace_; }
  std::uint64_t trace_value() const { return trace_.value(); }

  // Whether the fault happens on this occasion; counts it if so.
  bool strikes(Fault fault);
  void count(Fault fault) { ++fault_counts_[static_cast<std::size_t>(fault)]; }
  const FaultPlan& faults() const { return faults_; }
  const FaultCounts& fault_counts() const { return fault_counts_; }
  // Nothing fails from now on: the world's end is quiet, so that everything can be given back.
  void calm() { faults_ = FaultPlan(); }

  // Calls `callback(context, argument)` at `when`, or now if that is past. The context must outlive
  // the world's last event.
  void schedule(Instant when, EventKind kind, Callback callback, void* context,
                std::uint64_t argument = 0);
  // Runs the next event. False: there is none at or before `latest`; time then stands at `latest`
  // unless that is kNever.
  bool run_next(Instant latest = kNever);
  void run_until(Instant end) {
    while (run_next(end)) {
    }
  }
  std::uint64_t events_run() const { return events_run_; }

  // A rule was broken. The first one matters most; only some are kept.
  void violation(std::string what);
  const std::vector<std::string>& violations() const { return violations_; }
  // For tests of the checks themselves.
  void forget_violations() { violations_.clear(); }

  // Prints what happens to stderr.
  bool verbose = false;
  void say(const char* format, ...) const __attribute__((format(printf, 2, 3)));

 private:
  struct Event {
    Instant at;
    std::uint64_t order;     // the random tie
    std::uint64_t sequence;  // the order of scheduling
    Callback callback;
    void* context;
    std::uint64_t argument;
    EventKind kind;
  };
  static bool is_later(const Event& a, const Event& b);

  Instant now_{seconds(1).ns};
  std::int64_t wall_start_ns_ = 1'790'000'000'000'000'000;  // a day in 2026
  Duration wall_offset_{};
  Rng rng_;
  FaultPlan faults_;
  FaultCounts fault_counts_{};
  Trace trace_;
  std::vector<Event> queue_;  // a heap, the next event in front
  std::uint64_t sequence_ = 0;
  std::uint64_t events_run_ = 0;
  std::vector<std::string> violations_;
  Network network_;
  Disk disk_;
};

// Names a member function as an event's callback: event_callback<&Client::on_timer>.
template <auto kMember>
struct EventCallback;
template <class Owner, void (Owner::*kMember)(std::uint64_t)>
struct EventCallback<kMember> {
  static void call(void* owner, std::uint64_t argument) {
    (static_cast<Owner*>(owner)->*kMember)(argument);
  }
};
template <auto kMember>
inline constexpr World::Callback event_callback = &EventCallback<kMember>::call;

}  // namespace leat::sim
