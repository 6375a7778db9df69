// SPDX-License-Identifier: Apache-2.0
// HealthFile: keeps what the health desk knows over a restart. Written aside, synced and renamed,
// so that a crash or a full disk leaves the last good state. Used from control's thread, which it
// holds up for one write a minute; shards never wait for it. What goes wrong costs the state and
// one line, never the service.
#pragma once

#include <string>
#include <utility>

#include "base/instant.h"
#include "control/surroundings.h"
#include "gateway/health_desk.h"

namespace leat::control {

class HealthFile {
 public:
  // How much of what was seen a crash may cost.
  static constexpr Duration kInterval = seconds(60);

  // Empty: nothing is kept.
  explicit HealthFile(std::string path) : path_(std::move(path)) {}

  // Both: one line for the operator, or empty. No file is the first start: nothing to say.
  std::string load(const Surroundings& surroundings, gateway::HealthDesk& desk, Instant now,
                   WallTime wall);
  // What is wrong is told once, until a write succeeds.
  std::string save(const gateway::HealthDesk& desk, Instant now, WallTime wall);

 private:
  std::string path_;
  bool fault_told_ = false;
};

}  // namespace leat::control
