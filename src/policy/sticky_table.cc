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

bool StickyTable::hold(const ConversationKey& key, std::uint64_t identity, Instant now) {
  LEAT_CHECK(identity != 0);
  Set& set = set_of(key);
  // Its own place first: a conversation is in the table once.
  auto place =
      std::ranges::find_if(set, [&](const Entry& e) { return e.identity != 0 && e.key == key; });
  if (place == set.end()) {
    place = std::ranges::min_element(
        set, {}, [&](const Entry& e) { return e.is_held(now) ? e.used : Instant{INT64_MIN}; });
  }
  const bool is_known = place->key == key && place->identity == identity && place->is_held(now);
  if (is_known && now - place->used < kRenewed) return false;
  *place = {.key = key, .identity = identity, .used = now};
  return true;
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
