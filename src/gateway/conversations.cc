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

// FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
  return hash;
}

}  // namespace

Conversation Conversations::of(std::string_view key, std::string_view model,
                               const dialect::StickyKey& sticky) {
  if (sticky.kind == dialect::StickyKind::kNone) return {};
  const std::uint64_t account = mixed(hash_of(key)) ^ hash_of(model);
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
  if (is_news && told_.size() < kToldMax) told_.push_back({conversation.key, identity, now});
}

void Conversations::apply(std::span<const HeldConversation> news, Instant now) {
  if (!is_on_) return;
  for (const HeldConversation& held : news) table_.take(held, now);
}

}  // namespace leat::gateway
