// SPDX-License-Identifier: Apache-2.0
// `leat reload` has a running Leat read its configuration anew, `leat diff` asks it what that would
// change; `leat diff --against` compares two files without any Leat.
#pragma once

#include <string>

#include "control/admin_client.h"
#include "control/surroundings.h"

namespace leat::control {

struct ReloadCommand {
  AdminPlace place;
  bool is_dry_run = false;   // leat diff
  std::string against_file;  // of a dry run: what place.config_file is compared with; else empty
};

struct ReloadOutcome {
  std::string output;    // what changes
  std::string messages;  // what is wrong, a line each
  int status = 0;        // kExitConfig: the configuration was refused
};

// Blocks for as long as the answer takes: what reads a large catalogue and tries it out.
ReloadOutcome run_reload(ReloadCommand command, const Surroundings& surroundings);

// What an answer of POST /api/v1/reload says to people. `told` begins each message about Leat
// itself.
ReloadOutcome reload_outcome(int http_status, const std::string& body, const std::string& told);

}  // namespace leat::control
