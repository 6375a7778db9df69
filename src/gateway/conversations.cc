// SPDX-License-Identifier: Apache-2.0
#include "gateway/conversations.h"

namespace leat::gateway {

namespace {

// Spreads every bit over all (the finaliser of SplitMix64).
std::uint64_t mixed(std::uint64_t word) {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

}  // namespace

Conversation Conversations::of(std::uint32_t key, policy::ModelId model,
                               const dialect::StickyKey& sticky) {
  if (sticky.kind == dialect::StickyKind::kNone) return {};
  const std::uint64_t account = std::uint64_t{key} << 32 | model;
  const std::uint64_t high = mixed(sticky.hash ^ mixed(account + 1));
  return {{.high = high, .low = mixed(high ^ account)}, sticky.kind};
}

std::uint64_t Conversations::find(const Conversation& conversation, Instant now) const {
  if (!is_on_ || conversation.kind == dialect::StickyKind::kNone) return 0;
  return table_.find(conversation.key, now);
}

void Conversations::answered(const Conversation& conversation, std::uint64_t identity,
                             bool cache_hit, Instant now) {
  if (!is_on_ || conversation.kind == dialect::StickyKind::kNone) return;
  const bool begins = conversation.kind == dialect::StickyKind::kSession || cache_hit;
  const bool is_news = begins ? table_.hold(conversation.key, identity, now)
                              : table_.renew(conversation.key, identity, now);
  if (is_news && told_.size() < kToldMax) told_.push_back({conversation.key, identity});
}

void Conversations::apply(std::span<const HeldConversation> news, Instant now) {
  if (!is_on_) return;
  for (const HeldConversation& held : news) table_.hold(held.key, held.identity, now);
}

}  // namespace leat::gateway
