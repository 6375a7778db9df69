// SPDX-License-Identifier: Apache-2.0
// `leat keys` and `leat credits`: the management API from a terminal, by its operator, on the store
// file itself. One process has the file at a time: while Leat serves from it, the command says so
// and does nothing.
#pragma once

#include <string>
#include <vector>

#include "base/instant.h"

namespace leat::control {

// A request to the management API, and where to.
struct AccountCommand {
  std::string store_file;
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

AccountOutcome run_account_command(const AccountCommand& command, WallTime now);

}  // namespace leat::control
