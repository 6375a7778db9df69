// SPDX-License-Identifier: Apache-2.0
// Held conversations as bytes, for who comes after this process: over a takeover in memory, over a
// stop and start in a file (conversation_file.h). Hashes and names of endpoints, never a word of a
// prompt. Pure.
//
//   "leat-cnv" | version u32 | count u32 | wall time i64 (ns) |
//   conversation*: key u64 u64 | Endpoint::identity u64 | unused for ms u32 | CRC-32C u32
//                                                                           all little endian
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "policy/sticky_table.h"

namespace leat::control {

// Also of what keys are made of (gateway::Conversations::of, dialect::sticky_key).
inline constexpr std::uint32_t kConversationStateVersion = 1;
// Who keeps them has a table of no more: what is written holds up control, once a minute.
inline constexpr std::size_t kKeptConversationsMax = 262'144;
inline constexpr std::size_t kConversationBytes = 28;
inline constexpr std::size_t kConversationStateBytesMax =
    28 + kKeptConversationsMax * kConversationBytes;

// REQUIRES: at most kKeptConversationsMax.
std::string write_conversations(std::span<const policy::HeldConversation> held, Instant now,
                                WallTime wall);

// Those that have not ended since, by the wall time that went by (none if that went back).
// kInvalid where they are damaged, cut, of another version or no such thing: none of it is used.
Result<std::vector<policy::HeldConversation>> read_conversations(std::string_view bytes,
                                                                 Instant now, WallTime wall);

}  // namespace leat::control
