// SPDX-License-Identifier: Apache-2.0
// `leat ledger` and `leat usage` as arguments: what may be written, and the command that it means.
#pragma once

#include <memory>
#include <optional>

#include "control/command_line.h"

namespace CLI {
class App;
}

namespace leat::control {

class LedgerCommandLine {
 public:
  explicit LedgerCommandLine(CLI::App& app);
  ~LedgerCommandLine();

  // After the line was parsed: what was asked, if it was one of these commands.
  std::optional<Command> asked() const;

 private:
  struct Commands;
  std::unique_ptr<Commands> commands_;
};

}  // namespace leat::control
