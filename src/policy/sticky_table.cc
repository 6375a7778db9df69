// SPDX-License-Identifier: Apache-2.0
#include "policy/sticky_table.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace leat::policy {

StickyTable::StickyTable(std::size_t conversations_max)
    : sets_(std::bit_ceil((std::max<std::size_t>(conversations_max, 1) + kWays - 1) / kWays)) {}

std::uint64_t StickyTable::find(const ConversationKey& key, Instant now) const {
  for (const Entry& entry : set_of(key)) {
    if (entry.key == key && entry.is_held(now)) return entry.identity;
  }
  return 0;
}

// Its own place first: a conversation is in the table once.
StickyTable::Entry& StickyTable::place_of(Set& set, const ConversationKey& key, Instant now) {
  const auto own =
      std::ranges::find_if(set, [&](const Entry& e) { return e.identity != 0 && e.key == key; });
  if (own != set.end()) return *own;
  return *std::ranges::min_element(
      set, {}, [&](const Entry& e) { return e.is_held(now) ? e.used : Instant{INT64_MIN}; });
}

bool StickyTable::hold(const ConversationKey& key, std::uint64_t identity, Instant now) {
  LEAT_CHECK(identity != 0);
  Entry& place = place_of(set_of(key), key, now);
  const bool is_known = place.key == key && place.identity == identity && place.is_held(now);
  if (is_known && now - place.used < kRenewed) return false;
  place = {.key = key, .identity = identity, .used = now};
  return true;
}

void StickyTable::take(const HeldConversation& told, Instant now) {
  LEAT_CHECK(told.identity != 0);
  Entry& place = place_of(set_of(told.key), told.key, now);
  const bool is_later = !place.is_held(now) || place.used < told.used;
  if (is_later) place = {.key = told.key, .identity = told.identity, .used = told.used};
}

std::vector<HeldConversation> StickyTable::held(Instant now) const {
  std::vector<HeldConversation> all;
  for (const Set& set : sets_) {
    for (const Entry& each : set) {
      if (each.is_held(now)) all.push_back({each.key, each.identity, each.used});
    }
  }
  return all;
}

bool StickyTable::renew(const ConversationKey& key, std::uint64_t identity, Instant now) {
  for (Entry& entry : set_of(key)) {
    if (entry.key != key || !entry.is_held(now)) continue;
    if (entry.identity != identity || now - entry.used < kRenewed) return false;
    entry.used = now;
    return true;
  }
  return false;
}

}  // namespace leat::policy
