// SPDX-License-Identifier: Apache-2.0
// SlidingWindow: at most N in any window, exactly: what was taken at an instant counts until one
// window later. Owned by one shard; pure, the time is an argument. For small limits (design.md,
// "Quantities"): each taking is kept, 16 bytes, up to kEntriesMax of them; beyond, takings close to
// each other count as of the last of them, which never lets through more, only a little later.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.h"

namespace leat::policy {

class SlidingWindow {
 public:
  static constexpr std::size_t kEntriesMax = 512;

  explicit SlidingWindow(Duration window) : window_(window) {}

  // Takes `amount` whole or not at all. REQUIRES: amount >= 0.
  bool try_take(std::int64_t limit, std::int64_t amount, Instant now) {
    if (amount <= 0) return true;
    if (amount > available(limit, now)) return false;
    now = newest(now);
    // With as many entries as there may be, the oldest must lie a window back.
    const bool joins =
        !empty() && (now == entries_.back().at ||
                     (size() >= kEntriesMax / 2 && now - entries_.back().at < window_coarse()));
    if (joins) {
      entries_.back() = {now, entries_.back().amount + amount};
    } else {
      entries_.push_back({now, amount});
    }
    used_ += amount;
    return true;
  }
  // What was taken at or after `taken_at` and not used. Gives back the oldest such taking that
  // still counts, so that a unit never stops counting before its time; what no longer counts is
  // gone.
  void give_back(std::int64_t amount, Instant taken_at, Instant now) {
    drop_old(now);
    for (std::size_t i = first_; i < entries_.size() && amount > 0; ++i) {
      if (entries_[i].at < taken_at) continue;
      const std::int64_t taken = std::min(amount, entries_[i].amount);
      entries_[i].amount -= taken;
      used_ -= taken;
      amount -= taken;
    }
  }
  std::int64_t used(Instant now) {
    drop_old(now);
    return used_;
  }
  std::int64_t available(std::int64_t limit, Instant now) {
    return std::max<std::int64_t>(limit - used(now), 0);
  }
  // When `amount` may be taken if nobody else takes any; kNever: it is more than the limit.
  Instant fits_at(std::int64_t limit, std::int64_t amount, Instant now) {
    if (amount > limit) return kNever;
    std::int64_t missing = amount - available(limit, now);
    for (std::size_t i = first_; missing > 0 && i < entries_.size(); ++i) {
      missing -= entries_[i].amount;
      if (missing <= 0) return entries_[i].at + window_;
    }
    return now;
  }
  // When nothing counts any more.
  Instant empty_at(Instant now) {
    drop_old(now);
    return empty() ? now : entries_.back().at + window_;
  }
  std::size_t size() const { return entries_.size() - first_; }

  // ---- To go on with it elsewhere: what counts, oldest first; and what counted there, whatever
  // the limit is by now.
  template <class Visit>
  void each(Instant now, Visit visit) {
    drop_old(now);
    for (std::size_t i = first_; i < entries_.size(); ++i)
      visit(entries_[i].at, entries_[i].amount);
  }
  void add(std::int64_t amount, Instant at) {
    if (amount <= 0) return;
    entries_.push_back({newest(at), amount});
    used_ += amount;
  }

 private:
  struct Entry {
    Instant at;
    std::int64_t amount;
  };

  bool empty() const { return first_ == entries_.size(); }
  Duration window_coarse() const {
    return {window_.ns / static_cast<std::int64_t>(kEntriesMax / 2)};
  }
  // The clocks of two callers may differ by a turn; entries are in order.
  Instant newest(Instant now) const { return empty() ? now : std::max(now, entries_.back().at); }
  void drop_old(Instant now) {
    while (!empty() && entries_[first_].at + window_ <= now) used_ -= entries_[first_++].amount;
    if (first_ >= kEntriesMax || empty()) {
      entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
  }

  Duration window_;
  std::vector<Entry> entries_;  // from first_ on, oldest first
  std::size_t first_ = 0;
  std::int64_t used_ = 0;  // the sum of them
};

}  // namespace leat::policy
