// SPDX-License-Identifier: Apache-2.0
// AddressTable: what each client address holds and did on this shard: open connections, those
// without a good key yet, failed keys. Loopback and private addresses, often a proxy's, are exempt
// unless the operator says otherwise. Bounded: an entry lives while its address has a connection or
// a recent failure.
#pragma once

#include <cstdint>
#include <map>

#include "base/instant.h"
#include "io/address.h"
#include "leat/options.h"

namespace leat::gateway {

class AddressTable {
 public:
  explicit AddressTable(const Limits& limits) : limits_(limits) {}

  // False: over a limit, to be closed unread. True: counted until left().
  bool try_enter(const io::Address& address, Instant now);
  void left(const io::Address& address, bool had_good_key);
  // The connection showed a good key for the first time.
  void showed_good_key(const io::Address& address);

  // Whether keys from this address are refused unseen for now.
  bool is_blocked(const io::Address& address, Instant now) const;
  void key_failed(const io::Address& address, Instant now);

 private:
  using Ip = std::array<std::uint8_t, 16>;
  struct Entry {
    std::uint32_t connections = 0;
    std::uint32_t without_key = 0;
    std::uint32_t failures = 0;  // in the minute that began at window_start
    Instant window_start{};
    Instant blocked_until{};
  };
  static constexpr std::size_t kEntriesMax = 100'000;
  bool is_exempt(const io::Address& address) const;
  void make_room(Instant now);

  const Limits& limits_;
  std::map<Ip, Entry> entries_;
};

}  // namespace leat::gateway
