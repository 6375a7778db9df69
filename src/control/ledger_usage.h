// SPDX-License-Identifier: Apache-2.0
// LedgerUsage: what accounts have spent as the ledger has it at the moment of the question: a
// LedgerView that is brought up to date when it is asked, once for each moment. Belongs to the
// thread that asks (the account store's), which it blocks for as long as the disk takes.
#pragma once

#include <memory>

#include "control/ledger_view.h"
#include "control/usage_source.h"

namespace leat::control {

class LedgerUsage final : public UsageSource {
 public:
  explicit LedgerUsage(std::unique_ptr<LedgerView> view) : view_(std::move(view)) {}

  AccountUsage of_key(policy::AccountId id, WallTime now) const override {
    return up_to_date(now).book().of_key(id, now);
  }
  AccountUsage of_organisation(policy::AccountId id, WallTime now) const override {
    return up_to_date(now).book().of_organisation(id, now);
  }
  // As it was when it was last asked.
  LedgerView& view() const { return *view_; }
  // For /generation and /activity. If the disk cannot be read, what was known before.
  LedgerView& up_to_date(WallTime now) const {
    if (now.unix_ns != asked_at_.unix_ns) {
      static_cast<void>(view_->poll(now));
      asked_at_ = now;
    }
    return *view_;
  }

 private:
  std::unique_ptr<LedgerView> view_;
  mutable WallTime asked_at_{};
};

}  // namespace leat::control
