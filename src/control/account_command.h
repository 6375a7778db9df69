// SPDX-License-Identifier: Apache-2.0
// `leat keys`, `leat credits` and `leat workspaces`: the management API from a terminal, by its
// operator. A running Leat is asked on its admin socket; where none runs the store file is used
// itself. One process has the file at a time: while Leat serves from it without a socket, the
// command says so and does nothing.
#pragma once

#include <string>
#include <vector>

#include "base/instant.h"
#include "control/surroundings.h"

namespace leat::control {

// A request to the management API, and where to.
struct AccountCommand {
  std::string config_file;   // that names the next two; empty: they are given
  std::string socket;        // asked first; empty: no Leat is asked
  std::string store_file;    // empty: only a running Leat is asked
  std::string organisation;  // its name; empty: the first
  std::string method;
  std::string path;
  std::string query;
  std::string body;
  bool as_json = false;  // else for people
};

struct AccountOutcome {
  std::string output;    // for standard output
  std::string messages;  // for standard error
  int status = 0;
};

AccountOutcome run_account_command(const AccountCommand& command, const Surroundings& surroundings,
                                   WallTime now);

}  // namespace leat::control
