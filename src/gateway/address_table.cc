// SPDX-License-Identifier: Apache-2.0
#include "gateway/address_table.h"

#include <algorithm>

namespace leat::gateway {

namespace {

constexpr Duration kWindow = seconds(60);
// Entries that make_room() looks at: enough to get ahead of the one that follows.
constexpr int kLooks = 8;
constexpr std::size_t kNetworkBytes = 8;  // of an IPv6 address

}  // namespace

AddressTable::Key AddressTable::key_of(const io::Address& address) {
  Key key = address.ip;
  if (!address.is_v4) std::fill(key.begin() + kNetworkBytes, key.end(), std::uint8_t{0});
  return key;
}

bool AddressTable::is_exempt(const io::Address& address) const {
  return !limits_->limit_private_addresses && address.is_private();
}

bool AddressTable::try_enter(const io::Address& address, Instant now) {
  if (is_exempt(address)) return true;
  Entry& entry = entry_of(address, now);
  if (entry.connections >= limits_->connections_per_address_max ||
      entry.without_key >= limits_->connections_before_key_per_address_max) {
    return false;
  }
  ++entry.connections;
  ++entry.without_key;
  return true;
}

void AddressTable::left(const io::Address& address, bool had_good_key) {
  if (is_exempt(address)) return;
  const auto found = entries_.find(key_of(address));
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  --entry.connections;
  if (!had_good_key) --entry.without_key;
  if (entry.connections == 0 && entry.failures == 0) entries_.erase(found);
}

void AddressTable::showed_good_key(const io::Address& address) {
  if (is_exempt(address)) return;
  const auto found = entries_.find(key_of(address));
  if (found != entries_.end()) --found->second.without_key;
}

bool AddressTable::is_blocked(const io::Address& address, Instant now) const {
  if (is_exempt(address)) return false;
  const auto found = entries_.find(key_of(address));
  return found != entries_.end() && now < found->second.blocked_until;
}

void AddressTable::key_failed(const io::Address& address, Instant now) {
  if (is_exempt(address)) return;
  Entry& entry = entry_of(address, now);
  if (now - entry.window_start > kWindow) {
    entry.window_start = now;
    entry.failures = 0;
  }
  if (++entry.failures > limits_->failed_auth_per_minute_max) {
    // The count stays: it keeps the entry, and with it the block, when the connection leaves.
    entry.blocked_until = now + milliseconds(limits_->failed_auth_block_ms);
  }
}

AddressTable::Entry& AddressTable::entry_of(const io::Address& address, Instant now) {
  const Key key = key_of(address);
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= entries_max_) make_room(now);
  return entries_[key];
}

void AddressTable::make_room(Instant now) {
  auto spare = entries_.end();  // without connections, but with failures that still count
  auto it = entries_.upper_bound(hand_);
  for (int looks = 0; looks < kLooks && !entries_.empty(); ++looks) {
    if (it == entries_.end()) it = entries_.begin();
    hand_ = it->first;
    const Entry& entry = it->second;
    if (entry.connections != 0) {
      ++it;
    } else if (entry.blocked_until <= now && now - entry.window_start > kWindow) {
      it = entries_.erase(it);
    } else {
      const bool is_better =
          spare == entries_.end() || entry.blocked_until < spare->second.blocked_until;
      if (is_better) spare = it;
      ++it;
    }
  }
  if (entries_.size() >= entries_max_ && spare != entries_.end()) entries_.erase(spare);
}

}  // namespace leat::gateway
