// SPDX-License-Identifier: Apache-2.0
// StickyTable: which endpoint a conversation went to last, so that the provider's prompt cache
// keeps hitting (openrouter-api.md 2.12). One on each shard, kept alike by who owns them. All
// memory is taken at construction: sets of eight entries; a new conversation takes an expired
// place, else that of the set's longest unused one. No clock: time is an argument.
//
// When to call: without a session id only an answer that reported a cache hit begins a
// conversation; an error never changes one. The caller knows which; this table does not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.h"

namespace leat::policy {

// A hash of account, model and conversation. Its quality matters: its bits choose the set.
struct ConversationKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const ConversationKey&) const = default;
};

// One that is held, as it is told to another table.
struct HeldConversation {
  ConversationKey key;
  std::uint64_t identity = 0;  // Endpoint::identity
  Instant used{0};
};

class StickyTable {
 public:
  static constexpr Duration kIdleMax = seconds(600);
  // A use within so long after the last one noted is not noted: it ends that much earlier at most.
  static constexpr Duration kRenewed = seconds(60);

  // Rounded up to a power of two of sets. 32 bytes an entry.
  explicit StickyTable(std::size_t conversations_max);

  // Endpoint::identity, or 0 where none is held. Does not renew.
  std::uint64_t find(const ConversationKey& key, Instant now) const;
  // A success: the conversation is there for another ten minutes. Whether that is news to who has a
  // copy of this table: it begins, moves, or was not renewed for kRenewed. REQUIRES: identity != 0.
  bool hold(const ConversationKey& key, std::uint64_t identity, Instant now);
  // An answer without a cache report: only a conversation that is held already is renewed, and only
  // where it is. Whether that is news.
  bool renew(const ConversationKey& key, std::uint64_t identity, Instant now);

  // What another table holds: the later use counts, whichever came first. Neither does one that was
  // not used for longer take the place of one that was.
  void take(const HeldConversation& told, Instant now);
  // All of them, in no order.
  std::vector<HeldConversation> held(Instant now) const;

  std::size_t capacity() const { return sets_.size() * kWays; }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    ConversationKey key;
    std::uint64_t identity = 0;  // 0: free
    Instant used{0};
    bool is_held(Instant now) const { return identity != 0 && now - used < kIdleMax; }
  };
  using Set = std::array<Entry, kWays>;
  Set& set_of(const ConversationKey& key) { return sets_[key.low & (sets_.size() - 1)]; }
  const Set& set_of(const ConversationKey& key) const {
    return sets_[key.low & (sets_.size() - 1)];
  }

  static Entry& place_of(Set& set, const ConversationKey& key, Instant now);

  std::vector<Set> sets_;
};

}  // namespace leat::policy
