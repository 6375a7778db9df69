// SPDX-License-Identifier: Apache-2.0
// Succession: how far one shard has come in leaving its work to another process. Owned by the
// shard's Gateway, from the moment that it yields:
//
//   yield -> kYielding: takes in no request; those whose limits are still asked are waited for
//         -> kYielded:  what runs goes on; the limits are no longer ours to grant
//         -> kPassing:  who sends a request is passed on to the successor
//
// Once all shards have yielded, each tells what the limits stand at that are at home with it, and
// what those requests hold that run on it (policy/carried_quantity.h); the successor begins with
// that. What these come to is told one by one, as they end.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "gateway/passage.h"
#include "gateway/successor.h"
#include "net/connector.h"
#include "shard/shard.h"

namespace leat::gateway {

class Succession {
 public:
  Succession(shard::Shard& shard, net::TcpStreams& streams, net::Resolver& resolver,
             Instant ends_by)
      : shard_(shard),
        streams_(streams),
        resolver_(resolver),
        until_(shard.now() + kWaitMax),
        ends_by_(ends_by) {}

  // Requests that are still being read or admitted when a shard yields are waited for no longer: a
  // client that sends its body slowly must not hold up an upgrade.
  static constexpr Duration kWaitMax = seconds(1);
  // Whether they are waited for: after that time once more, so that what was said is heard.
  bool waits() { return shard_.now() < until_ || !std::exchange(has_looked_last_, true); }
  // When the last of what runs has ended.
  Instant ends_by() const { return ends_by_; }

  bool is_yielded() const { return is_yielded_; }
  void set_yielded() { is_yielded_ = true; }

  void set_successor(const Successor& successor);
  bool has_successor() const { return dialer_ != nullptr; }
  // REQUIRES: has_successor(). `sent`: what the client has sent of its request so far.
  void begin(Passage& passage, const io::Address& client, std::string_view sent);

 private:
  shard::Shard& shard_;
  net::TcpStreams& streams_;
  net::Resolver& resolver_;
  const Instant until_;
  const Instant ends_by_;
  bool has_looked_last_ = false;
  bool is_yielded_ = false;
  PassageToken token_{};
  std::unique_ptr<net::TcpDialer> dialer_;
};

}  // namespace leat::gateway
