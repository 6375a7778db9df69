// SPDX-License-Identifier: Apache-2.0
// HealthFile: keeps what the health desk knows over a restart (state_file.h). Written once a
// minute.
#pragma once

#include <string>
#include <utility>

#include "base/instant.h"
#include "control/state_file.h"
#include "control/surroundings.h"
#include "gateway/health_desk.h"

namespace leat::control {

class HealthFile {
 public:
  // Empty: nothing is kept.
  explicit HealthFile(std::string path) : file_("routing.health_file", std::move(path)) {}

  // Both: one line for the operator, or empty. No file is the first start: nothing to say.
  std::string load(const Surroundings& surroundings, gateway::HealthDesk& desk, Instant now,
                   WallTime wall);
  // What is wrong is told once, until a write succeeds.
  std::string save(const gateway::HealthDesk& desk, Instant now, WallTime wall);

 private:
  StateFile file_;
};

}  // namespace leat::control
