// SPDX-License-Identifier: Apache-2.0
#include "gateway/address_table.h"

namespace leat::gateway {

bool AddressTable::is_exempt(const io::Address& address) const {
  return !limits_.limit_private_addresses && address.is_private();
}

bool AddressTable::try_enter(const io::Address& address, Instant now) {
  if (is_exempt(address)) return true;
  if (entries_.size() >= kEntriesMax) make_room(now);
  Entry& entry = entries_[address.ip];
  if (entry.connections >= limits_.connections_per_address_max ||
      entry.without_key >= limits_.connections_before_key_per_address_max) {
    return false;
  }
  ++entry.connections;
  ++entry.without_key;
  return true;
}

void AddressTable::left(const io::Address& address, bool had_good_key) {
  if (is_exempt(address)) return;
  const auto found = entries_.find(address.ip);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  --entry.connections;
  if (!had_good_key) --entry.without_key;
  if (entry.connections == 0 && entry.failures == 0) entries_.erase(found);
}

void AddressTable::showed_good_key(const io::Address& address) {
  if (is_exempt(address)) return;
  const auto found = entries_.find(address.ip);
  if (found != entries_.end()) --found->second.without_key;
}

bool AddressTable::is_blocked(const io::Address& address, Instant now) const {
  if (is_exempt(address)) return false;
  const auto found = entries_.find(address.ip);
  return found != entries_.end() && now < found->second.blocked_until;
}

void AddressTable::key_failed(const io::Address& address, Instant now) {
  if (is_exempt(address)) return;
  Entry& entry = entries_[address.ip];
  if (now - entry.window_start > seconds(60)) {
    entry.window_start = now;
    entry.failures = 0;
  }
  if (++entry.failures > limits_.failed_auth_per_minute_max) {
    // The count stays: it keeps the entry, and with it the block, when the connection leaves.
    entry.blocked_until = now + milliseconds(limits_.failed_auth_block_ms);
  }
}

void AddressTable::make_room(Instant now) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const Entry& entry = it->second;
    const bool idle = entry.connections == 0 && entry.blocked_until <= now &&
                      now - entry.window_start > seconds(60);
    it = idle ? entries_.erase(it) : std::next(it);
  }
}

}  // namespace leat::gateway
