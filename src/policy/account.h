// SPDX-License-Identifier: Apache-2.0
// Accounts as values: organisation -> workspace -> key, what each allows and how much of it. Made
// by control from its store, read by whoever admits and prices requests. Ids are the store's,
// never used twice, 0 is none. Money is nano-dollars. A key's allowance never widens that of what
// it belongs to: each level is asked, and all must agree. What was spent is not here: the ledger
// knows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "leat/options.h"

namespace leat::policy {

using Nanodollars = std::int64_t;
using AccountId = std::uint64_t;

// Management keys administer and never infer, inference keys the reverse (openrouter-api.md 1).
enum class KeyScope : std::uint8_t { kInference, kManagement };

using leat::BudgetPeriod;
inline constexpr std::size_t kBudgetPeriods = 4;

// 0 admits nothing; kUnlimited is as if there were no limit.
struct RateLimits {
  static constexpr std::uint64_t kUnlimited = UINT64_MAX;

  std::uint64_t requests_per_minute = kUnlimited;
  std::uint64_t tokens_per_minute = kUnlimited;
  std::uint64_t tokens_per_day = kUnlimited;
  std::uint64_t concurrency = kUnlimited;

  bool operator==(const RateLimits&) const = default;
};

// What may be spent in each period, all of them at once. A key has one at most (OpenRouter's
// `limit` and `limit_reset`), a workspace up to four (openrouter-api.md 4.15).
struct Budgets {
  static constexpr Nanodollars kUnlimited = INT64_MAX;

  constexpr Budgets() { amounts.fill(kUnlimited); }
  constexpr Nanodollars operator[](BudgetPeriod period) const {
    return amounts[static_cast<std::size_t>(period)];
  }
  constexpr Nanodollars& operator[](BudgetPeriod period) {
    return amounts[static_cast<std::size_t>(period)];
  }
  bool operator==(const Budgets&) const = default;

  std::array<Nanodollars, kBudgetPeriods> amounts;
};

// How much one level of the hierarchy may use. The same at each, so that admission is one loop.
struct Quota {
  RateLimits rates;
  Budgets budgets;
  bool counts_byok = false;  // requests on an own provider key count against `budgets` too

  bool operator==(const Quota&) const = default;
};

// Which models, providers and regions may be used.
struct Access {
  bool has_models = false;  // `models` is there, be it empty
  // Ids as in the catalogue, or a prefix and a star: "openai/*".
  std::vector<std::string> models;
  KeyRouting routing;
};

// Whether it allows everything.
bool is_open(const Access& access);
// What both allow: allow lists intersect, ignore lists unite, what is forbidden by one is
// forbidden.
Access narrowed(const Access& outer, const Access& inner);
// Whether a model of that id may be asked. `id` without variant or service tier.
bool allows_model(const Access& access, std::string_view id);

// Added to (or, negative, taken off) what a provider charges, in parts per million of it.
// -1,000,000 is free; ten times the price is the most that is not a slip of the hand.
inline constexpr std::int32_t kMarkupPpmMin = -1'000'000;
inline constexpr std::int32_t kMarkupPpmMax = 9'000'000;

// Tokens of an answer; no model gives more.
inline constexpr std::uint32_t kOutputDefaultMax = 1'000'000;
inline constexpr std::uint32_t kHoldMsMax = 100;

struct Organisation {
  AccountId id = 0;
  std::string name;
  bool is_enabled = true;
  // Spends what was granted and no more; otherwise on account, bounded by its budgets alone.
  bool is_prepaid = false;
  Nanodollars granted =
      0;  // of all grants; the balance is this less what the ledger says was spent
  Quota quota;
  Access access;
};

struct Workspace {
  AccountId id = 0;
  AccountId organisation = 0;
  std::string name;
  std::string slug;  // unique within the organisation
  bool is_enabled = true;
  Quota quota;
  Access access;
};

struct Key {
  AccountId id = 0;
  AccountId workspace = 0;  // 0 with a management key that is not bound to one
  AccountId organisation = 0;
  std::string name;   // chosen by people
  std::string label;  // "sk-leat-v1-0e6...1c9": what may be shown of it
  bool is_enabled = true;
  KeyScope scope = KeyScope::kInference;
  std::int64_t expires_at = 0;  // unix seconds; 0: never
  std::int32_t markup_ppm = 0;
  std::uint32_t output_default_max = 0;    // tokens for who states no cap; 0: the model's
  std::uint32_t hold_ms_max = kHoldMsMax;  // how long events of its streams may wait at most
  bool logs_content = false;               // what it asks and is answered goes to the content log
  Quota quota;
  Access access;
};

// The stretch of UTC that a moment's amount is counted over: [begin, end), unix seconds. kNone:
// from the beginning of time to its end.
struct BudgetWindow {
  std::int64_t begin = INT64_MIN;
  std::int64_t end = INT64_MAX;

  bool operator==(const BudgetWindow&) const = default;
};
BudgetWindow budget_window(BudgetPeriod period, WallTime now);

// "daily", "weekly", "monthly"; empty for kNone. Static.
std::string_view name_of(BudgetPeriod period);

}  // namespace leat::policy
