// SPDX-License-Identifier: Apache-2.0
// The part of the command line that is `leat keys`, `leat credits` and `leat workspaces`: from
// arguments to a request to the management API. For command_line.cc.
#pragma once

#include <memory>
#include <optional>

#include "control/account_command.h"

namespace CLI {
class App;
}

namespace leat::control {

class AccountCommandLine {
 public:
  explicit AccountCommandLine(CLI::App& app);
  ~AccountCommandLine();

  // After the line was parsed: what was asked, if it was one of these commands.
  std::optional<AccountCommand> asked() const;

 private:
  struct Commands;
  std::unique_ptr<Commands> commands_;
};

}  // namespace leat::control
