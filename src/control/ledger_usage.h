// SPDX-License-Identifier: Apache-2.0
// LedgerUsage: what accounts have spent as the ledger has it at the moment of the question: a
// LedgerView that is brought up to date when it is asked, once for each moment, and in between, so
// that little is new then. Keeps the folder's house with it: saves the projection and removes what
// is too old. Belongs to the thread that asks (the account store's), which it blocks for as long
// as the disk takes.
#pragma once

#include <memory>

#include "control/ledger_view.h"
#include "control/usage_source.h"

namespace leat::control {

class LedgerUsage final : public UsageSource {
 public:
  // `retention`: how long segments are kept; 0: for ever.
  explicit LedgerUsage(std::unique_ptr<LedgerView> view, Duration retention = {})
      : view_(std::move(view)), retention_(retention) {}

  AccountUsage of_key(policy::AccountId id, WallTime now) const override {
    return up_to_date(now).book().of_key(id, now);
  }
  AccountUsage of_organisation(policy::AccountId id, WallTime now) const override {
    return up_to_date(now).book().of_organisation(id, now);
  }
  // As it was when it was last asked.
  LedgerView& view() const { return *view_; }
  // For /generation and /activity. If the disk cannot be read, what was known before.
  LedgerView& up_to_date(WallTime now) const;

  // Every second or so. Bounded work; what fails is tried again.
  void follow(WallTime now);
  // The end: all that there is, so that the next start has nothing to read.
  void finish(WallTime now);

 private:
  void keep_house(WallTime now);

  std::unique_ptr<LedgerView> view_;
  Duration retention_;
  mutable WallTime asked_at_{};
  WallTime house_at_{};  // when the house is to be kept again
};

}  // namespace leat::control
