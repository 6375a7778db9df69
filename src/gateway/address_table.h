// SPDX-License-Identifier: Apache-2.0
// AddressTable: what each client address holds and did on this shard: open connections, those
// without a good key yet, failed keys. Loopback and private addresses, often a proxy's, are exempt
// unless the operator says otherwise. An IPv6 address stands for its /64, as a single host or
// household holds all of one. Bounded in size, and in the work of each call: once it is full, a new
// address pushes out what a few looks find to be idle, else the failures of an address that has no
// connection.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "base/instant.h"
#include "io/address.h"
#include "leat/options.h"

namespace leat::gateway {

class AddressTable {
 public:
  static constexpr std::size_t kEntriesMax = 100'000;

  explicit AddressTable(const Limits& limits, std::size_t entries_max = kEntriesMax)
      : limits_(&limits), entries_max_(entries_max) {}
  // Others, from here on; outlive it too.
  void set_limits(const Limits& limits) { limits_ = &limits; }

  // False: over a limit, to be closed unread. True: counted until left().
  bool try_enter(const io::Address& address, Instant now);
  void left(const io::Address& address, bool had_good_key);
  // The connection showed a good key for the first time.
  void showed_good_key(const io::Address& address);

  // Whether keys from this address are refused unseen for now.
  bool is_blocked(const io::Address& address, Instant now) const;
  void key_failed(const io::Address& address, Instant now);

  // More than entries_max only while more addresses than that hold connections.
  std::size_t size() const { return entries_.size(); }

 private:
  using Key = std::array<std::uint8_t, 16>;
  struct Entry {
    std::uint32_t connections = 0;
    std::uint32_t without_key = 0;
    std::uint32_t failures = 0;  // in the minute that began at window_start
    Instant window_start{};
    Instant blocked_until{};
  };
  static Key key_of(const io::Address& address);
  bool is_exempt(const io::Address& address) const;
  Entry& entry_of(const io::Address& address, Instant now);
  void make_room(Instant now);

  const Limits* limits_;
  const std::size_t entries_max_;
  std::map<Key, Entry> entries_;
  Key hand_{};  // the last one that make_room() looked at
};

}  // namespace leat::gateway
