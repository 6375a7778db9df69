// SPDX-License-Identifier: Apache-2.0
// Driver: one run of leat-load:
//
//   memory read -> ramp -> warm-up -> window (CPU read at both ends) -> drain
//
// Closed loop: a free client starts the next request at once. Open loop: requests are due at fixed
// moments; one that finds no client free waits, and its latency counts from the moment it was due,
// so a server that stalls cannot hide it by slowing the generator (coordinated omission).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "load/client.h"
#include "load/options.h"
#include "load/request.h"
#include "load/results.h"
#include "wire/agenda.h"
#include "wire/link.h"
#include "wire/loop.h"

namespace leat::tools {

class Driver final : private ClientOwner {
 public:
  explicit Driver(const LoadOptions& options);
  ~Driver();

  // Runs once, to the end.
  const Results& run();

 private:
  enum class Phase { kBefore, kWindow, kDrain };

  void on_free(Client& client) override { freed_.push_back(&client); }
  void on_ramp();
  void on_arrival();
  void on_phase();
  void begin_window();
  void end_window();
  void dispatch();
  void dispatch_due();
  bool is_quiet() const;
  Instant arrival(std::uint64_t number) const;

  const LoadOptions& options_;
  Url url_;
  RequestForm form_;
  Loop loop_;
  Scratch scratch_;
  Rng rng_;
  Results results_;
  LoadContext context_;
  std::vector<std::unique_ptr<Client>> clients_;

  Phase phase_ = Phase::kBefore;
  Instant begin_{};
  Instant window_begin_{};
  Instant window_end_{};
  std::size_t ramped_ = 0;  // clients that began (closed loop)
  std::uint64_t started_ = 0;
  std::uint64_t due_ = 0;       // arrivals so far
  std::deque<Job> backlog_;     // due, not started
  std::deque<Client*> free_;    // first free, first used: all connections take part
  std::vector<Client*> freed_;  // since the last turn
  std::vector<CoreTicks> ticks_;
  std::uint64_t own_cpu_ = 0;
  Alarm ramp_alarm_{alarm_callback<&Driver::on_ramp>, this};
  Alarm arrival_alarm_{alarm_callback<&Driver::on_arrival>, this};
  Alarm phase_alarm_{alarm_callback<&Driver::on_phase>, this};
};

}  // namespace leat::tools
