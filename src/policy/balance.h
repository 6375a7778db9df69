// SPDX-License-Identifier: Apache-2.0
// Balance: an amount of money or tokens of which some is settled and some is reserved. Reserving
// never takes the sum past the limit; settling replaces a reservation by what it came to. Owned by
// one shard; a value without a clock. Amounts are never negative; sums are made in 128 bits.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.h"

namespace leat::policy {

class Balance {
 public:
  Balance() = default;
  explicit Balance(std::int64_t limit, std::int64_t settled = 0)
      : limit_(limit), settled_(settled) {}

  std::int64_t limit() const { return limit_; }
  std::int64_t settled() const { return settled_; }
  std::int64_t reserved() const { return reserved_; }
  // What may still be reserved. 0 too where a lowered limit lies below what was settled.
  std::int64_t available() const {
    const Wide left = static_cast<Wide>(limit_) - settled_ - reserved_;
    return static_cast<std::int64_t>(std::clamp<Wide>(left, 0, INT64_MAX));
  }

  // Whole or not at all.
  bool try_reserve(std::int64_t amount) {
    if (amount < 0 || amount > available()) return false;
    reserved_ += amount;
    return true;
  }
  // A reservation came to `amount`. What that is more than was reserved is not settled but
  // returned: the shortfall. REQUIRES: 0 <= reserved <= reserved().
  std::int64_t settle(std::int64_t reserved, std::int64_t amount) {
    LEAT_CHECK(reserved >= 0 && reserved <= reserved_);
    const std::int64_t charged = std::clamp<std::int64_t>(amount, 0, reserved);
    reserved_ -= reserved;
    settled_ = sum(settled_, charged);
    return std::max<std::int64_t>(amount, 0) - charged;
  }
  // REQUIRES: 0 <= reserved <= reserved().
  void give_back(std::int64_t reserved) { settle(reserved, 0); }
  // What was spent without a reservation that is still known: the truth goes before the limit.
  void charge(std::int64_t amount) { settled_ = sum(settled_, std::max<std::int64_t>(amount, 0)); }

  void set_limit(std::int64_t limit) { limit_ = limit; }
  // A new period: what is reserved stays so and counts in it.
  void restart() { settled_ = 0; }

 private:
  __extension__ using Wide = __int128;
  static std::int64_t sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(std::min<Wide>(static_cast<Wide>(a) + b, INT64_MAX));
  }

  std::int64_t limit_ = 0;
  std::int64_t settled_ = 0;
  std::int64_t reserved_ = 0;
};

}  // namespace leat::policy
