// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_usage.h"

namespace leat::control {

namespace {

// What busy shards write in some seconds.
constexpr std::size_t kFollowBytes = std::size_t{64} << 20;
// A start reads at most what was written since.
constexpr Duration kHouseInterval = seconds(60);
constexpr std::size_t kRemovedAtOnce = 16;

}  // namespace

LedgerView& LedgerUsage::up_to_date(WallTime now) const {
  if (now.unix_ns != asked_at_.unix_ns) {
    static_cast<void>(view_->poll(now));
    asked_at_ = now;
  }
  return *view_;
}

void LedgerUsage::follow(WallTime now) {
  const auto is_more = view_->poll(now, kFollowBytes);
  if (!is_more || *is_more || now.unix_ns < house_at_.unix_ns) return;
  house_at_ = {now.unix_ns + kHouseInterval.ns};
  keep_house(now);
}

void LedgerUsage::finish(WallTime now) {
  if (view_->poll(now)) static_cast<void>(view_->save());
}

void LedgerUsage::keep_house(WallTime now) {
  if (retention_ > Duration{}) {
    const auto expired = view_->expire(now, retention_, kRemovedAtOnce);
    if (!expired) return;
    for (const LedgerFile& file : *expired) {
      if (!view_->remove(file)) return;
    }
  }
  static_cast<void>(view_->save());
}

}  // namespace leat::control
