// SPDX-License-Identifier: Apache-2.0
// UsageBook: what every key, workspace and organisation has used, as the ledger's records say it:
// the projection that budgets, credits and `GET /key` are told from. Fed with each record once, in
// any order: the sums are the same. Holds a few numbers for each account that ever used anything,
// no record. Belongs to one thread; a start may feed it and hand it over.
//
// A record counts in the day in which it was settled (UTC), as limits count it. Of each account the
// two newest days, weeks and months in which it used anything are held, so that a clock that was
// ahead for a while costs nobody the day it was set back to; what is older counts in `total` alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/usage_source.h"
#include "ledger/open_table.h"
#include "ledger/record.h"
#include "ledger/replay.h"
#include "ledger/varint.h"
#include "policy/account_quantities.h"

namespace leat::control {

inline constexpr std::size_t kAccountLevels = 3;

// The UTC day, counted from 1970-01-01.
std::int32_t day_of(WallTime time);
// When a record's request was settled: its end.
WallTime settled_at(const ledger::UsageRecord& record);

// How records name accounts: "#17" for what the store numbers, and keys of the configuration by
// their name, since their numbers change with the file (gateway/configured_keys.h).
class AccountNames {
 public:
  // `configured_keys`: the names of Options::keys, in their order.
  explicit AccountNames(std::vector<std::string> configured_keys = {})
      : configured_keys_(std::move(configured_keys)) {}
  std::string text(policy::AccountLevel level, policy::AccountId id) const;

 private:
  std::vector<std::string> configured_keys_;
};

// What one account used. All of it is of one moment: see UsageBook::of().
struct AccountTotals {
  AccountUsage usage;
  std::int64_t tokens_today = 0;  // prompt and completion, as token limits count them
  // Of what was begun by another process and is not settled yet.
  policy::Nanodollars reserved = 0;
  policy::Nanodollars byok_reserved = 0;
  std::int64_t tokens_reserved = 0;
};

class UsageBook final : public UsageSource, public ledger::EntryVisitor {
 public:
  explicit UsageBook(AccountNames names = AccountNames()) : names_(std::move(names)) {}

  void add(const ledger::UsageRecord& record);
  // An entry whose frame is sound and whose content is not: written by a later version.
  void count_unreadable() { ++unreadable_; }
  // As replay() tells of entries: one of the above for each record.
  void on_entry(const ledger::SegmentHeader& segment, const ledger::Entry& entry) override;
  // What an earlier process had open counts as reserved until its record is added.
  void hold(const ledger::OpenRequest& request);
  struct Sums {
    policy::Nanodollars charged = 0;
    policy::Nanodollars byok = 0;
    std::int64_t tokens = 0;

    void add(const Sums& other);
  };
  // Such a record.
  struct Released {
    std::array<std::string, kAccountLevels> accounts;
    Sums reserved;
    Sums used;
  };
  // Those since the last call.
  std::vector<Released> take_released() { return std::exchange(released_, {}); }
  bool has_held(policy::AccountLevel level, const std::string& account) const {
    return reserved_[static_cast<std::size_t>(level)].contains(account);
  }
  const AccountNames& names() const { return names_; }
  // Others, from here on: what is known of an account hangs on its name.
  void set_names(AccountNames names) { names_ = std::move(names); }

  AccountTotals of(policy::AccountLevel level, policy::AccountId id, WallTime now) const;
  AccountUsage of_key(policy::AccountId id, WallTime now) const override;
  AccountUsage of_organisation(policy::AccountId id, WallTime now) const override;

  std::uint64_t records() const;
  std::uint64_t unreadable() const;
  // Of the records that name no key too.
  policy::Nanodollars charged() const;

  // The whole state as bytes, the same whatever order it came to be in; what is held is not in it.
  std::string encode() const;
  // Whether this version's encode() gave it.
  static bool is_current(std::string_view bytes);
  // Replaces the state by what encode() gave, of this version or the one before; false, and nothing
  // changes: it did not give that.
  bool decode(std::string_view bytes);

 private:
  static constexpr std::int64_t Sums::*kSums[] = {&Sums::charged, &Sums::byok, &Sums::tokens};
  // One day, week or month.
  struct Window {
    std::int64_t begin = INT64_MIN;  // unix seconds, of policy::budget_window(); so: none
    Sums sums;
  };
  struct Spending {
    Sums total;
    // Of each period, by kPeriods: the newest first.
    std::array<std::array<Window, 2>, 3> windows;

    void add(std::size_t period, std::int64_t begin, const Sums& sums);
    Sums in(std::size_t period, std::int64_t begin) const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  template <class Value>
  using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;
  struct Held {
    std::array<std::string, kAccountLevels> accounts;
    Sums reserved;
  };

  static Sums sums_of(const ledger::UsageRecord& record);
  void release(const ledger::UsageRecord& record);
  const std::array<std::int64_t, 3>& begins_of(std::int32_t day);
  static Spending spending_of(ledger::VarintReader& in);
  static Spending spending_of_one_day(ledger::VarintReader& in);

  AccountNames names_;
  std::array<TextMap<Spending>, kAccountLevels> accounts_;
  // Where the periods of the last day that was met begin.
  std::int32_t day_ = INT32_MIN;
  std::array<std::int64_t, 3> begins_{};
  TextMap<Held> held_;  // by generation id
  std::vector<Released> released_;
  std::array<TextMap<Sums>, kAccountLevels> reserved_;
  std::uint64_t records_ = 0;
  std::uint64_t unreadable_ = 0;
  policy::Nanodollars charged_ = 0;
};

}  // namespace leat::control
