// SPDX-License-Identifier: Apache-2.0
#include "control/usage_book.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "gateway/configured_keys.h"
#include "ledger/varint.h"

namespace leat::control {
namespace {

using policy::AccountId;
using policy::AccountLevel;
using policy::BudgetPeriod;
using policy::Nanodollars;

constexpr std::int64_t kDayNs = 86'400'000'000'000;
constexpr std::int64_t kDaySeconds = 86'400;

// Amounts only grow, so what does not fit stays at the most, in whatever order it came.
void add_to(std::int64_t& sum, std::int64_t amount) {
  if (amount <= 0) return;
  if (__builtin_add_overflow(sum, amount, &sum)) sum = INT64_MAX;
}

bool is_same(BudgetPeriod period, std::int32_t one, std::int32_t other) {
  if (one == other || period == BudgetPeriod::kNone) return true;
  const WallTime first{one * kDayNs};
  const policy::BudgetWindow window = policy::budget_window(period, first);
  const std::int64_t at = other * kDaySeconds;
  return at >= window.begin && at < window.end;
}

std::array<std::string_view, kAccountLevels> accounts_of(std::string_view key,
                                                         std::string_view workspace,
                                                         std::string_view organisation) {
  std::array<std::string_view, kAccountLevels> ids;
  ids[static_cast<std::size_t>(AccountLevel::kKey)] = key;
  ids[static_cast<std::size_t>(AccountLevel::kWorkspace)] = workspace;
  ids[static_cast<std::size_t>(AccountLevel::kOrganisation)] = organisation;
  return ids;
}

// Neither a record without an account at that level nor the log's word for no key names one.
bool is_account(std::string_view id) {
  return !id.empty() && id != "-";
}

void forget_what_is_over(SpentMoney& money, std::int32_t old_day, std::int32_t day) {
  if (!is_same(BudgetPeriod::kDaily, old_day, day)) money.daily = 0;
  if (!is_same(BudgetPeriod::kWeekly, old_day, day)) money.weekly = 0;
  if (!is_same(BudgetPeriod::kMonthly, old_day, day)) money.monthly = 0;
}

// `newest`: the day whose periods are held; `day` is not later.
void add_money(SpentMoney& money, Nanodollars amount, std::int32_t newest, std::int32_t day) {
  add_to(money.total, amount);
  if (is_same(BudgetPeriod::kDaily, newest, day)) add_to(money.daily, amount);
  if (is_same(BudgetPeriod::kWeekly, newest, day)) add_to(money.weekly, amount);
  if (is_same(BudgetPeriod::kMonthly, newest, day)) add_to(money.monthly, amount);
}

constexpr std::uint64_t kStateVersion = 1;
constexpr std::size_t kAccountBytesMax =
    ledger::RecordLimits::kIdMax + 12 * ledger::kVarintBytesMax;

constexpr Nanodollars SpentMoney::*kMoney[] = {&SpentMoney::total, &SpentMoney::daily,
                                               &SpentMoney::weekly, &SpentMoney::monthly};

}  // namespace

std::int32_t day_of(WallTime time) {
  const auto since = std::chrono::nanoseconds(time.unix_ns);
  return static_cast<std::int32_t>(std::chrono::floor<std::chrono::days>(since).count());
}

WallTime settled_at(const ledger::UsageRecord& record) {
  std::int64_t end = record.began.unix_ns;
  if (__builtin_add_overflow(end, std::max<std::int64_t>(record.total.ns, 0), &end)) {
    end = INT64_MAX;
  }
  return {end};
}

std::string AccountNames::text(AccountLevel level, AccountId id) const {
  if (level == AccountLevel::kKey) {
    if (id == gateway::kAnonymousKey) return "anonymous";
    if (id >= gateway::kConfiguredKeys && id - gateway::kConfiguredKeys < configured_keys_.size()) {
      return configured_keys_[id - gateway::kConfiguredKeys];
    }
  }
  return "#" + std::to_string(id);
}

void UsageBook::on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) {
  if (entry.kind != ledger::FrameKind::kUsage) return;
  const auto record = ledger::decode(entry.payload);
  if (record) {
    add(*record);
  } else {
    count_unreadable();
  }
}

void UsageBook::add(const ledger::UsageRecord& record) {
  ++records_;
  add_to(charged_, record.charge);
  if (!held_.empty()) release(record);
  const std::int32_t day = day_of(settled_at(record));
  const auto ids = accounts_of(record.key_id, record.workspace_id, record.organisation_id);
  for (std::size_t level = 0; level < kAccountLevels; ++level) {
    if (!is_account(ids[level])) continue;
    auto found = accounts_[level].find(ids[level]);
    if (found == accounts_[level].end()) {
      found = accounts_[level].emplace(std::string(ids[level]), Spending{}).first;
      found->second.day = day;
    }
    Spending& spending = found->second;
    if (day > spending.day) {
      forget_what_is_over(spending.usage.charged, spending.day, day);
      forget_what_is_over(spending.usage.byok, spending.day, day);
      spending.tokens_today = 0;
      spending.day = day;
    }
    add_money(spending.usage.charged, record.charge, spending.day, day);
    if (record.flags.is_byok) add_money(spending.usage.byok, record.cost, spending.day, day);
    if (day == spending.day) {
      add_to(spending.tokens_today, record.tokens.prompt);
      add_to(spending.tokens_today, record.tokens.completion);
    }
  }
}

void UsageBook::hold(const ledger::OpenRequest& request) {
  Held held;
  const auto ids = accounts_of(request.key_id, request.workspace_id, request.organisation_id);
  std::copy(ids.begin(), ids.end(), held.accounts.begin());
  held.reserved = std::max<Nanodollars>(request.reserved, 0);
  const auto [at, is_new] = held_.emplace(std::string(request.generation_id), std::move(held));
  if (!is_new) return;
  for (std::size_t level = 0; level < kAccountLevels; ++level) {
    const std::string& account = at->second.accounts[level];
    if (is_account(account)) add_to(reserved_[level][account], at->second.reserved);
  }
}

void UsageBook::release(const ledger::UsageRecord& record) {
  const auto held = held_.find(record.generation_id);
  if (held == held_.end()) return;
  for (std::size_t level = 0; level < kAccountLevels; ++level) {
    const auto reserved = reserved_[level].find(held->second.accounts[level]);
    if (reserved != reserved_[level].end()) reserved->second -= held->second.reserved;
  }
  Released& released = released_.emplace_back();
  released.accounts = std::move(held->second.accounts);
  released.reserved = held->second.reserved;
  released.charged = record.charge;
  if (record.flags.is_byok) released.byok = record.cost;
  add_to(released.tokens, record.tokens.prompt);
  add_to(released.tokens, record.tokens.completion);
  held_.erase(held);
}

AccountTotals UsageBook::of(AccountLevel level, AccountId id, WallTime now) const {
  const std::string text = names_.text(level, id);
  const auto index = static_cast<std::size_t>(level);
  AccountTotals totals;
  if (const auto reserved = reserved_[index].find(text); reserved != reserved_[index].end()) {
    totals.reserved = reserved->second;
  }
  const auto found = accounts_[index].find(text);
  if (found == accounts_[index].end()) return totals;
  const Spending& spending = found->second;
  const std::int32_t today = day_of(now);
  totals.usage = spending.usage;
  forget_what_is_over(totals.usage.charged, spending.day, today);
  forget_what_is_over(totals.usage.byok, spending.day, today);
  if (spending.day == today) totals.tokens_today = spending.tokens_today;
  return totals;
}

AccountUsage UsageBook::of_key(AccountId id, WallTime now) const {
  return of(AccountLevel::kKey, id, now).usage;
}

AccountUsage UsageBook::of_organisation(AccountId id, WallTime now) const {
  return of(AccountLevel::kOrganisation, id, now).usage;
}

std::uint64_t UsageBook::records() const {
  return records_;
}

std::uint64_t UsageBook::unreadable() const {
  return unreadable_;
}

Nanodollars UsageBook::charged() const {
  return charged_;
}

std::string UsageBook::encode() const {
  std::string state;
  std::array<char, kAccountBytesMax> room;
  const auto append = [&](auto write) {
    ledger::VarintWriter out(room);
    write(out);
    state.append(room.data(), out.size());
  };
  append([&](ledger::VarintWriter& out) {
    out.number(kStateVersion);
    out.number(records_);
    out.number(unreadable_);
    out.signed_number(charged_);
  });
  for (const auto& accounts : accounts_) {
    std::vector<std::pair<std::string_view, const Spending*>> sorted;
    sorted.reserve(accounts.size());
    for (const auto& [id, spending] : accounts) sorted.emplace_back(id, &spending);
    std::sort(sorted.begin(), sorted.end());
    append([&](ledger::VarintWriter& out) { out.number(sorted.size()); });
    for (const auto& [id, spending] : sorted) {
      append([&](ledger::VarintWriter& out) {
        out.bytes(id);
        out.signed_number(spending->day);
        for (const auto part : kMoney) out.signed_number(spending->usage.charged.*part);
        for (const auto part : kMoney) out.signed_number(spending->usage.byok.*part);
        out.signed_number(spending->tokens_today);
      });
    }
  }
  return state;
}

bool UsageBook::decode(std::string_view bytes) {
  ledger::VarintReader in(bytes);
  if (in.number() != kStateVersion) return false;
  const std::uint64_t records = in.number();
  const std::uint64_t unreadable = in.number();
  const std::int64_t charged = in.signed_number();
  std::array<TextMap<Spending>, kAccountLevels> read;
  for (auto& accounts : read) {
    for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) {
      const std::string_view id = in.bytes();
      Spending spending;
      spending.day = static_cast<std::int32_t>(in.signed_number());
      for (const auto part : kMoney) spending.usage.charged.*part = in.signed_number();
      for (const auto part : kMoney) spending.usage.byok.*part = in.signed_number();
      spending.tokens_today = in.signed_number();
      // A longer one is no record's, and would not fit when it is encoded again.
      if (id.size() > ledger::RecordLimits::kIdMax) return false;
      if (!accounts.emplace(std::string(id), spending).second) return false;
    }
  }
  if (!in.ok() || !in.at_end()) return false;
  accounts_ = std::move(read);
  records_ = records;
  unreadable_ = unreadable;
  charged_ = charged;
  return true;
}

}  // namespace leat::control
