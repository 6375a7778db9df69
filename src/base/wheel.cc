// SPDX-License-Identifier: Apache-2.0
#include "base/wheel.h"

#include <algorithm>
#include <bit>

namespace leat {

Wheel::Wheel(Instant now) : tick_(now.ns / kTickNs) {}

void Wheel::set(Timer& timer, Instant deadline) {
  timer.deadline_ = deadline;
  if (deadline == kNever) {
    timer.unlink();
    return;
  }
  // Linked at or before its new deadline: the old slot will find the new deadline and move it.
  if (timer.is_linked() && timer.slot_tick_ * kTickNs <= deadline.ns) return;
  timer.unlink();
  link(timer);
}

void Wheel::cancel(Timer& timer) {
  timer.deadline_ = kNever;
  timer.unlink();
}

void Wheel::link(Timer& timer) {
  // Rounded up, so that it never fires early; at least the next tick, so that a slot being run is
  // never added to.
  std::int64_t tick = timer.deadline_.ns / kTickNs + (timer.deadline_.ns % kTickNs != 0 ? 1 : 0);
  tick = std::max(tick, tick_ + 1);
  int level = 0;
  while (level < kLevels - 1 && (tick >> (kSlotBits * level)) - (tick_ >> (kSlotBits * level)) >=
                                    static_cast<std::int64_t>(kSlots)) {
    ++level;
  }
  const int shift = kSlotBits * level;
  // Beyond the last level: its farthest slot; it is linked again from there.
  const std::int64_t slot_number =
      std::min(tick >> shift, (tick_ >> shift) + static_cast<std::int64_t>(kSlots) - 1);
  timer.slot_tick_ = level == 0 ? tick : slot_number << shift;
  const std::size_t index = static_cast<std::size_t>(slot_number) & (kSlots - 1);
  levels_[level].slots[index].push_back(timer);
  levels_[level].occupied[index / 64] |= std::uint64_t{1} << (index % 64);
}

void Wheel::expire_slot(int level, std::size_t index, Instant now) {
  Level& wheel = levels_[level];
  wheel.occupied[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  Slot due;
  due.take_all(wheel.slots[index]);
  while (Timer* timer = due.pop_front()) {
    if (timer->deadline_ > now) {
      link(*timer);
      continue;
    }
    timer->deadline_ = kNever;
    timer->callback_(timer->owner_);
  }
}

void Wheel::run_tick(Instant now) {
  ++tick_;
  for (int level = kLevels - 1; level >= 0; --level) {
    const int shift = kSlotBits * level;
    if ((tick_ & ((std::int64_t{1} << shift) - 1)) != 0) continue;
    const std::size_t index = static_cast<std::size_t>(tick_ >> shift) & (kSlots - 1);
    if (!levels_[level].slots[index].empty()) expire_slot(level, index, now);
  }
}

void Wheel::advance(Instant now) {
  const std::int64_t target = now.ns / kTickNs;
  while (tick_ < target) {
    // Skip to the tick before the next occupied slot or the next turn of level 1.
    const std::size_t index = static_cast<std::size_t>(tick_) & (kSlots - 1);
    const std::int64_t to_turn = static_cast<std::int64_t>(kSlots - index);
    const std::int64_t to_slot = distance_to_occupied(0, index);
    std::int64_t step = to_slot > 0 ? std::min(to_slot, to_turn) : to_turn;
    step = std::min(step, target - tick_);
    tick_ += step - 1;
    // A timer that is due in the tick that runs fires even when `now` lies later.
    run_tick(now);
  }
}

std::int64_t Wheel::distance_to_occupied(int level, std::size_t from) const {
  const auto& words = levels_[level].occupied;
  for (std::size_t step = 0; step <= words.size(); ++step) {
    const std::size_t start = (from + 1) & (kSlots - 1);
    const std::size_t word_index = (start / 64 + step) % words.size();
    std::uint64_t word = words[word_index];
    if (step == 0) word &= ~std::uint64_t{0} << (start % 64);
    if (step == words.size()) word &= (std::uint64_t{1} << (start % 64)) - 1;
    if (word == 0) continue;
    const std::size_t index = word_index * 64 + static_cast<std::size_t>(std::countr_zero(word));
    return static_cast<std::int64_t>((index - from - 1) & (kSlots - 1)) + 1;
  }
  return -1;
}

Instant Wheel::next_expiry() const {
  std::int64_t best = INT64_MAX;
  for (int level = 0; level < kLevels; ++level) {
    const int shift = kSlotBits * level;
    const std::size_t from = static_cast<std::size_t>(tick_ >> shift) & (kSlots - 1);
    const std::int64_t distance = distance_to_occupied(level, from);
    if (distance < 0) continue;
    best = std::min(best, ((tick_ >> shift) + distance) << shift);
  }
  return best == INT64_MAX ? kNever : Instant{best * kTickNs};
}

}  // namespace leat
