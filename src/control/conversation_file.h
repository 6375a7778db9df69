// SPDX-License-Identifier: Apache-2.0
// ConversationFile: keeps the conversations (conversation_state.h) over a stop and start, beside
// what else is kept (state_file.h).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/instant.h"
#include "control/state_file.h"
#include "control/surroundings.h"
#include "leat/options.h"
#include "policy/sticky_table.h"

namespace leat::control {

// Beside routing.health_file, else beside accounts.store_file, else in ledger.folder; empty: there
// is none of these, or no conversations.
std::string conversation_path(const Options& options);

class ConversationFile {
 public:
  // An empty path: nothing is kept.
  explicit ConversationFile(std::string path) : file_("conversations in", std::move(path)) {}

  bool is_kept() const { return file_.is_kept(); }
  // Both: one line for the operator, or empty. No file is the first start: nothing to say.
  std::string load(const Surroundings& surroundings, Instant now, WallTime wall,
                   std::vector<policy::HeldConversation>& held) const;
  // REQUIRES: as write_conversations(). What is wrong is told once, until a write succeeds.
  std::string save(std::span<const policy::HeldConversation> held, Instant now, WallTime wall);

 private:
  StateFile file_;
};

}  // namespace leat::control
