// SPDX-License-Identifier: Apache-2.0
#include "control/restored_quantities.h"

#include <optional>
#include <unordered_map>
#include <utility>

namespace leat::control {
namespace {

using policy::AccountId;
using policy::AccountLevel;
using policy::AccountQuantity;
using policy::LimitClass;

// What of the account counts against the limit.
std::int64_t settled_of(const AccountQuantity& quantity, const AccountTotals& totals) {
  if (quantity.limit_class == LimitClass::kDayTokens) return totals.tokens_today;
  const policy::BudgetPeriod period = quantity.terms.period;
  return money_of(quantity, totals.usage.charged.in(period), totals.usage.byok.in(period));
}

}  // namespace

void QuantityRestore::add(const policy::Key& key, const policy::Workspace* workspace,
                          const policy::Organisation& organisation) {
  for (const AccountQuantity& quantity :
       policy::quantities_of(key, workspace, organisation, options_.version)) {
    if (quantity.terms.kind != policy::QuantityKind::kBudget) continue;
    if (!told_.insert(quantity.id).second) continue;
    AccountId account = key.id;
    if (quantity.level == AccountLevel::kWorkspace) account = workspace->id;
    if (quantity.level == AccountLevel::kOrganisation) account = organisation.id;
    const AccountTotals totals = book_.of(quantity.level, account, options_.now);
    RestoredQuantity restored{.id = quantity.id,
                              .terms = quantity.terms,
                              .settled = settled_of(quantity, totals),
                              .open = 0,
                              .until = options_.until};
    if (options_.lost != nullptr) {
      const policy::BudgetWindow window =
          policy::budget_window(quantity.terms.period, options_.now);
      restored.settled += options_.lost->of(quantity.id, window.begin, restored.settled);
    }
    // Of what died with its process only the money is charged, if any.
    const bool is_live = options_.late != nullptr;
    if (quantity.limit_class == LimitClass::kMoney) {
      restored.open = money_of(quantity, totals.reserved, is_live ? totals.byok_reserved : 0);
    } else if (is_live) {
      restored.open = totals.tokens_reserved;
    }
    const std::string name = book_.names().text(quantity.level, account);
    if (options_.late != nullptr && book_.has_held(quantity.level, name)) {
      options_.late->add(quantity.level, name, quantity);
    }
    if (restored.settled > 0 || restored.open > 0) restored_.push_back(restored);
  }
}

StoreResult<void> QuantityRestore::add(AccountStore& store) {
  std::unordered_map<AccountId, policy::Organisation> organisations;
  auto all_organisations = store.organisations();
  if (!all_organisations) return std::unexpected(all_organisations.error());
  for (policy::Organisation& organisation : *all_organisations) {
    organisations.emplace(organisation.id, std::move(organisation));
  }
  std::unordered_map<AccountId, policy::Workspace> workspaces;
  auto all_workspaces = store.workspaces(0);
  if (!all_workspaces) return std::unexpected(all_workspaces.error());
  for (WorkspaceRecord& record : *all_workspaces) {
    workspaces.emplace(record.workspace.id, std::move(record.workspace));
  }
  return store.each_key([&](const policy::Key& key, const KeyDigest&) {
    const auto organisation = organisations.find(key.organisation);
    if (organisation == organisations.end()) return;
    const auto workspace = workspaces.find(key.workspace);
    add(key, workspace != workspaces.end() ? &workspace->second : nullptr, organisation->second);
  });
}

// What is gone by now is another change; a fault of the store is not.
StoreResult<void> QuantityRestore::add(AccountStore& store, const AccountChange& change) {
  const auto unless_gone = [](const StoreFault& fault) -> StoreResult<void> {
    if (fault.kind == StoreFault::Kind::kNotFound) return {};
    return std::unexpected(fault);
  };
  policy::Key key;  // of no limits, where it is not about a key
  policy::AccountId workspace_id = 0;
  policy::AccountId organisation_id = change.id;
  if (change.kind == AccountChange::Kind::kProviderKey) return {};
  if (change.kind == AccountChange::Kind::kWorkspace) workspace_id = change.id;
  if (change.kind == AccountChange::Kind::kKey) {
    const auto record = store.key(change.digest);
    if (!record) return unless_gone(record.error());
    key = record->key;
    workspace_id = key.workspace;
    organisation_id = key.organisation;
  }
  std::optional<policy::Workspace> workspace;
  if (workspace_id != 0) {
    const auto record = store.workspace(workspace_id);
    if (!record) return unless_gone(record.error());
    workspace = record->workspace;
    organisation_id = workspace->organisation;
  }
  const auto organisation = store.organisation(organisation_id);
  if (!organisation) return unless_gone(organisation.error());
  add(key, workspace ? &*workspace : nullptr, *organisation);
  return {};
}

void settle_open(std::span<RestoredQuantity> restored, bool charge_ambiguous) {
  for (RestoredQuantity& each : restored) {
    const std::int64_t open = std::exchange(each.open, 0);
    if (charge_ambiguous && __builtin_add_overflow(each.settled, open, &each.settled)) {
      each.settled = INT64_MAX;
    }
  }
}

}  // namespace leat::control
