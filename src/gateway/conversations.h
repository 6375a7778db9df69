// SPDX-License-Identifier: Apache-2.0
// Conversations: which endpoint each one went to last (openrouter-api.md 2.12), on one shard. Every
// shard has the whole table: what begins, moves or goes on is told to the others with the shard's
// next health news, so that a request's plan asks no other shard. A turn of a conversation comes
// seconds after the one before, the news within half a second. Control has the table too, for who
// comes after this process (control/conversation_state.h). Owned by the shard's Gateway; no clock.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "dialect/request_headers.h"
#include "policy/sticky_table.h"

namespace leat::gateway {

// What a request is part of; the kind is kNone where it is of no conversation.
struct Conversation {
  policy::ConversationKey key;
  dialect::StickyKind kind = dialect::StickyKind::kNone;
};

// As shards tell each other.
using policy::HeldConversation;

class Conversations {
 public:
  // conversations_max 0: none is held.
  explicit Conversations(std::size_t conversations_max)
      : table_(conversations_max), is_on_(conversations_max > 0) {}

  bool is_on() const { return is_on_; }
  // The conversation of a client key with a model. `sticky` names it among that key's. Both by
  // name: it is the same in every process and under every configuration.
  // IF YOU CHANGE WHAT IS MADE OF THEM: so does control's kConversationStateVersion.
  static Conversation of(std::string_view key, std::string_view model,
                         const dialect::StickyKey& sticky);

  // Endpoint::identity, or 0.
  std::uint64_t find(const Conversation& conversation, Instant now) const;
  // An endpoint answered. Without a session id only a cache hit begins a conversation.
  void answered(const Conversation& conversation, std::uint64_t identity, bool cache_hit,
                Instant now);

  // What the others are to hear; at most kToldMax of one interval, the rest is forgotten:
  // sticking is worth money, but nothing that a burst could be worth waiting for.
  void take_news(std::vector<HeldConversation>& news) {
    news.clear();
    news.swap(told_);
  }
  void apply(std::span<const HeldConversation> news, Instant now);

 private:
  static constexpr std::size_t kToldMax = 8'192;
  policy::StickyTable table_;
  std::vector<HeldConversation> told_;
  bool is_on_;
};

}  // namespace leat::gateway
