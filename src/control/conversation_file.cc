// SPDX-License-Identifier: Apache-2.0
#include "control/conversation_file.h"

#include <utility>

#include "control/conversation_state.h"

namespace leat::control {

std::string conversation_path(const Options& options) {
  if (options.routing.sticky_conversations_max == 0) return {};
  for (const std::string* beside : {&options.routing.health_file, &options.accounts.store_file}) {
    if (!beside->empty()) return *beside + ".conversations";
  }
  return options.ledger.folder.empty() ? "" : options.ledger.folder + "/conversations";
}

std::string ConversationFile::load(const Surroundings& surroundings, Instant now, WallTime wall,
                                   std::vector<policy::HeldConversation>& held) const {
  if (!is_kept()) return {};
  const auto bytes = file_.read(surroundings, kConversationStateBytesMax);
  if (!bytes && bytes.error().code == Code::kNotFound) return {};
  auto read = bytes ? read_conversations(*bytes, now, wall) : fail(bytes.error());
  if (!read) return file_.refusal(read.error().what, "them");
  held = std::move(*read);
  return {};
}

std::string ConversationFile::save(std::span<const policy::HeldConversation> held, Instant now,
                                   WallTime wall) {
  return is_kept() ? file_.write(write_conversations(held, now, wall)) : "";
}

}  // namespace leat::control
