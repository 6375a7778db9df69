// SPDX-License-Identifier: Apache-2.0
// What `leat explain` does: a configuration and a request's file to a report. Reads files through
// Surroundings; calls nobody, listens nowhere.
#pragma once

#include <string>

#include "base/instant.h"
#include "control/command_line.h"
#include "control/surroundings.h"

namespace leat::control {

struct ExplainOutcome {
  int status = 0;        // of the process: 0 planned, kExitRefused refused, else nothing was judged
  std::string report;    // for standard output
  std::string messages;  // for standard error
};

// `command`: of kind kExplain. `wall`: the hour whose prices hold.
ExplainOutcome explain_request(const Command& command, const Surroundings& surroundings,
                               WallTime wall);

}  // namespace leat::control
