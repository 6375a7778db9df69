// SPDX-License-Identifier: Apache-2.0
#include "control/lost_leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace leat::control {

namespace {

// Takes a number and the blank or line's end behind it.
template <class Number>
bool take(std::string_view& text, char end, Number& out) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  if (text.empty() || text.front() != end) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool LostLeases::read(std::string_view text) {
  std::map<policy::QuantityId, Lost> read;
  while (!text.empty()) {
    policy::QuantityId quantity = 0;
    Lost lost;
    const bool is_line = take(text, ' ', quantity) && take(text, ' ', lost.amount) &&
                         take(text, '\n', lost.period_begin) && lost.amount > 0;
    if (!is_line) return false;
    read[quantity] = lost;
  }
  lost_ = std::move(read);
  return true;
}

std::string LostLeases::text() const {
  std::string text;
  for (const auto& [quantity, lost] : lost_) {
    text += fmt::format("{} {} {}\n", quantity, lost.amount, lost.period_begin);
  }
  return text;
}

void LostLeases::on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) {
  if (entry.kind != ledger::FrameKind::kGrant) return;
  // One of a later version says nothing to us.
  if (const auto grant = ledger::decode_grant(entry.payload)) grants_[grant->quantity] = *grant;
}

// What was committed had in it what was lost before: it was restored as settled.
std::int64_t LostLeases::of(policy::QuantityId quantity, std::int64_t period_begin,
                            std::int64_t settled) {
  const auto known = lost_.find(quantity);
  if (known != lost_.end() && known->second.period_begin != period_begin) lost_.erase(known);
  std::int64_t amount = lost_.contains(quantity) ? lost_[quantity].amount : 0;
  const auto grant = grants_.find(quantity);
  if (grant != grants_.end() && grant->second.period_begin == period_begin) {
    amount = std::max(amount, grant->second.committed - settled);
  }
  if (amount <= 0) return 0;
  lost_[quantity] = {.amount = amount, .period_begin = period_begin};
  return amount;
}

}  // namespace leat::control
