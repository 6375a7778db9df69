// SPDX-License-Identifier: Apache-2.0
// TicketKeys: what a server seals session tickets with. One seed a process, never written anywhere;
// each shard's context has its own TicketKeys made of it, so that any shard opens what another has
// sealed without sharing memory. The key changes every kPeriod and the one before it is still
// accepted; both steps go through a one-way function, so that who reads this memory cannot open
// tickets that are older than two periods (RFC 8446, F.1: tickets bound forward secrecy).
// Reads no clock; belongs to one shard.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/instant.h"

namespace leat::tls {

// Of use while contexts are made; wipes itself.
struct TicketSeed {
  std::array<std::uint8_t, 32> secret{};  // from the kernel's random source
  Instant begin;                          // of the first period, the same for all shards
  ~TicketSeed();
};

class TicketKeys {
 public:
  static constexpr Duration kPeriod = seconds(12 * 3600);
  static constexpr std::size_t kOverheadBytes = 16 + 24 + 8;  // tag, nonce, name of the key

  explicit TicketKeys(const TicketSeed& seed);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Changes keys if it is time. Shards that are told late agree with those that are in time, but
  // for what was sealed since the change.
  void advance(Instant now);

  // The size of what was written to `out`; nothing if it does not fit or is no ticket of ours.
  // `in` and `out` may begin at the same byte, not overlap otherwise.
  std::optional<std::size_t> seal(std::span<const std::uint8_t> in,
                                  std::span<std::uint8_t> out) const;
  std::optional<std::size_t> open(std::span<const std::uint8_t> in,
                                  std::span<std::uint8_t> out) const;

 private:
  struct Key {
    std::array<std::uint8_t, 32> secret;
    std::array<std::uint8_t, 8> name;
  };
  void step();

  std::array<std::uint8_t, 32> chain_;  // what the coming keys derive from
  Key current_;
  Key previous_;
  Instant period_end_;
};

}  // namespace leat::tls
