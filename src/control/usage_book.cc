// SPDX-License-Identifier: Apache-2.0
#include "control/usage_book.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "gateway/configured_keys.h"

namespace leat::control {
namespace {

using policy::AccountId;
using policy::AccountLevel;
using policy::BudgetPeriod;
using policy::Nanodollars;

constexpr std::int64_t kDayNs = 86'400'000'000'000;

// Amounts only grow, so what does not fit stays at the most, in whatever order it came.
void add_to(std::int64_t& sum, std::int64_t amount) {
  if (amount <= 0) return;
  if (__builtin_add_overflow(sum, amount, &sum)) sum = INT64_MAX;
}

constexpr BudgetPeriod kPeriods[] = {BudgetPeriod::kDaily, BudgetPeriod::kWeekly,
                                     BudgetPeriod::kMonthly};
constexpr Nanodollars SpentMoney::*kPart[] = {&SpentMoney::daily, &SpentMoney::weekly,
                                              &SpentMoney::monthly};

std::array<std::int64_t, std::size(kPeriods)> begins_at(std::int32_t day) {
  std::array<std::int64_t, std::size(kPeriods)> begins;
  std::ranges::transform(kPeriods, begins.begin(), [&](BudgetPeriod period) {
    return policy::budget_window(period, {day * kDayNs}).begin;
  });
  return begins;
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

constexpr std::uint64_t kStateVersion = 2;
// Wrote of each account its newest day, and the sums of that day's periods.
constexpr std::uint64_t kStateVersionOfOneDay = 1;
constexpr std::size_t kAccountBytesMax =
    ledger::RecordLimits::kIdMax + 40 * ledger::kVarintBytesMax;

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

void UsageBook::Sums::add(const Sums& other) {
  add_to(charged, other.charged);
  add_to(byok, other.byok);
  add_to(tokens, other.tokens);
}

// A third window takes the oldest one's place, if it is not that itself: so the two that are held
// have all that ever counted in them, in whatever order it came.
void UsageBook::Spending::add(std::size_t period, std::int64_t begin, const Sums& sums) {
  auto& [newer, older] = windows[period];
  if (begin > newer.begin) {
    older = std::exchange(newer, Window{.begin = begin, .sums = {}});
  } else if (begin < newer.begin && begin > older.begin) {
    older = {.begin = begin, .sums = {}};
  }
  if (newer.begin == begin) newer.sums.add(sums);
  if (older.begin == begin) older.sums.add(sums);
}

UsageBook::Sums UsageBook::Spending::in(std::size_t period, std::int64_t begin) const {
  for (const Window& window : windows[period]) {
    if (window.begin == begin) return window.sums;
  }
  return {};
}

const std::array<std::int64_t, 3>& UsageBook::begins_of(std::int32_t day) {
  if (std::exchange(day_, day) != day) begins_ = begins_at(day);
  return begins_;
}

UsageBook::Sums UsageBook::sums_of(const ledger::UsageRecord& record) {
  Sums sums{.charged = record.charge, .byok = record.flags.is_byok ? record.cost : 0, .tokens = 0};
  add_to(sums.tokens, record.tokens.prompt);
  add_to(sums.tokens, record.tokens.completion);
  return sums;
}

void UsageBook::add(const ledger::UsageRecord& record) {
  ++records_;
  add_to(charged_, record.charge);
  if (!held_.empty()) release(record);
  const Sums sums = sums_of(record);
  const auto& begins = begins_of(day_of(settled_at(record)));
  const auto ids = accounts_of(record.key_id, record.workspace_id, record.organisation_id);
  for (std::size_t level = 0; level < kAccountLevels; ++level) {
    if (!is_account(ids[level])) continue;
    auto found = accounts_[level].find(ids[level]);
    if (found == accounts_[level].end()) {
      found = accounts_[level].emplace(std::string(ids[level]), Spending{}).first;
    }
    found->second.total.add(sums);
    for (std::size_t i = 0; i < begins.size(); ++i) found->second.add(i, begins[i], sums);
  }
}

void UsageBook::hold(const ledger::OpenRequest& request) {
  Held held;
  const auto ids = accounts_of(request.key_id, request.workspace_id, request.organisation_id);
  std::copy(ids.begin(), ids.end(), held.accounts.begin());
  held.reserved.add({.charged = request.reserved,
                     .byok = request.byok_reserved,
                     .tokens = request.tokens_reserved});
  const auto [at, is_new] = held_.emplace(std::string(request.generation_id), std::move(held));
  if (!is_new) return;
  for (std::size_t level = 0; level < kAccountLevels; ++level) {
    const std::string& account = at->second.accounts[level];
    if (is_account(account)) reserved_[level][account].add(at->second.reserved);
  }
}

void UsageBook::release(const ledger::UsageRecord& record) {
  const auto held = held_.find(record.generation_id);
  if (held == held_.end()) return;
  for (std::size_t level = 0; level < kAccountLevels; ++level) {
    const auto reserved = reserved_[level].find(held->second.accounts[level]);
    if (reserved == reserved_[level].end()) continue;
    for (const auto sum : kSums) reserved->second.*sum -= held->second.reserved.*sum;
  }
  Released& released = released_.emplace_back();
  released.accounts = std::move(held->second.accounts);
  released.reserved = held->second.reserved;
  released.used = sums_of(record);
  held_.erase(held);
}

AccountTotals UsageBook::of(AccountLevel level, AccountId id, WallTime now) const {
  const std::string text = names_.text(level, id);
  const auto index = static_cast<std::size_t>(level);
  AccountTotals totals;
  if (const auto reserved = reserved_[index].find(text); reserved != reserved_[index].end()) {
    totals.reserved = reserved->second.charged;
    totals.byok_reserved = reserved->second.byok;
    totals.tokens_reserved = reserved->second.tokens;
  }
  const auto found = accounts_[index].find(text);
  if (found == accounts_[index].end()) return totals;
  const Spending& spending = found->second;
  totals.usage.charged.total = spending.total.charged;
  totals.usage.byok.total = spending.total.byok;
  const auto begins = begins_at(day_of(now));
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const Sums sums = spending.in(i, begins[i]);
    totals.usage.charged.*kPart[i] = sums.charged;
    totals.usage.byok.*kPart[i] = sums.byok;
    if (kPeriods[i] == BudgetPeriod::kDaily) totals.tokens_today = sums.tokens;
  }
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
        for (const auto sum : kSums) out.signed_number(spending->total.*sum);
        for (const auto& [newer, older] : spending->windows) {
          for (const Window& window : {newer, older}) {
            out.signed_number(window.begin);
            for (const auto sum : kSums) out.signed_number(window.sums.*sum);
          }
        }
      });
    }
  }
  return state;
}

// Of one day, as versions before wrote it.
UsageBook::Spending UsageBook::spending_of_one_day(ledger::VarintReader& in) {
  Spending spending;
  const auto begins = begins_at(static_cast<std::int32_t>(in.signed_number()));
  for (const auto sum : {&Sums::charged, &Sums::byok}) {
    spending.total.*sum = in.signed_number();
    for (auto& [newer, older] : spending.windows) newer.sums.*sum = in.signed_number();
  }
  for (std::size_t i = 0; i < begins.size(); ++i) spending.windows[i][0].begin = begins[i];
  spending.windows[0][0].sums.tokens = in.signed_number();
  return spending;
}

UsageBook::Spending UsageBook::spending_of(ledger::VarintReader& in) {
  Spending spending;
  for (const auto sum : kSums) spending.total.*sum = in.signed_number();
  for (auto& windows : spending.windows) {
    for (Window& window : windows) {
      window.begin = in.signed_number();
      for (const auto sum : kSums) window.sums.*sum = in.signed_number();
    }
  }
  return spending;
}

bool UsageBook::is_current(std::string_view bytes) {
  return ledger::VarintReader(bytes).number() == kStateVersion;
}

bool UsageBook::decode(std::string_view bytes) {
  ledger::VarintReader in(bytes);
  const std::uint64_t version = in.number();
  if (version != kStateVersion && version != kStateVersionOfOneDay) return false;
  const std::uint64_t records = in.number();
  const std::uint64_t unreadable = in.number();
  const std::int64_t charged = in.signed_number();
  std::array<TextMap<Spending>, kAccountLevels> read;
  for (auto& accounts : read) {
    for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) {
      const std::string_view id = in.bytes();
      const Spending spending =
          version == kStateVersion ? spending_of(in) : spending_of_one_day(in);
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
