// SPDX-License-Identifier: Apache-2.0
// UsageTable: usage added up by day, organisation, key, model and endpoint: what statements, `leat
// usage` and `/activity` are told from. A value, on one thread; its size is that of what is
// different, not of the records, and is bounded by `rows_max`.
//
// A record counts in the UTC day in which it began, as in an export. Sums that would pass 2^63 stay
// there: nine billion dollars.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/record.h"

namespace leat::control {

struct UsageSums {
  std::int64_t requests = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;  // part of the prompt
  std::int64_t completion_tokens = 0;
  std::int64_t reasoning_tokens = 0;  // part of the completion
  ledger::Nanodollars charge = 0;     // what the key paid
  ledger::Nanodollars cost = 0;       // what providers asked of the operator
  ledger::Nanodollars byok_cost = 0;  // what providers asked of the client, for its own key
  ledger::Nanodollars byok_fee = 0;   // part of charge
  ledger::Nanodollars shortfall = 0;  // part of cost, asked beyond what was reserved

  void add(const UsageSums& other);
  bool operator==(const UsageSums&) const = default;
};

// IF YOU ADD A SUM: here it becomes a column everywhere.
struct UsageColumn {
  const char* name;
  std::int64_t UsageSums::*value;
  bool is_money;
};
inline constexpr UsageColumn kUsageColumns[] = {
    {"requests", &UsageSums::requests, false},
    {"prompt_tokens", &UsageSums::prompt_tokens, false},
    {"cached_tokens", &UsageSums::cached_tokens, false},
    {"completion_tokens", &UsageSums::completion_tokens, false},
    {"reasoning_tokens", &UsageSums::reasoning_tokens, false},
    {"charge", &UsageSums::charge, true},
    {"cost", &UsageSums::cost, true},
    {"byok_cost", &UsageSums::byok_cost, true},
    {"byok_fee", &UsageSums::byok_fee, true},
    {"shortfall", &UsageSums::shortfall, true},
};

UsageSums sums_of(const ledger::UsageRecord& record);

// What is told apart. Texts are as in records; `model` is what was asked for where nobody served.
enum class UsageField : std::uint8_t { kOrganisation, kKey, kModel, kEndpoint, kProvider };
inline constexpr std::size_t kUsageFields = 5;

class UsageTable {
 public:
  // What does not fit any more is added up as key "" and model "(others)" of its organisation and
  // day.
  explicit UsageTable(std::size_t rows_max = SIZE_MAX) : rows_max_(rows_max) {}

  void add(const ledger::UsageRecord& record) { add(record, sums_of(record)); }
  // `sums`: those of the record.
  void add(const ledger::UsageRecord& record, const UsageSums& sums);

  struct Row {
    std::int32_t day = 0;  // UTC, since 1970-01-01
    std::array<std::string_view, kUsageFields> fields;
    UsageSums sums;

    std::string_view field(UsageField which) const {
      return fields[static_cast<std::size_t>(which)];
    }
  };
  // Adds to what there is of the row's day and texts. REQUIRES: no sum is negative.
  void add(const Row& row);
  // In no order. The views are valid during the call.
  void each(const std::function<void(const Row&)>& visit) const;
  std::size_t size() const { return rows_.size(); }

  // Forgets the days before.
  void forget_before(std::int32_t day);

  // The whole state as bytes, the same whatever order it came to be in while it is not full.
  std::string encode() const;
  // Replaces the state by what encode() gave; false, and nothing changes: it did not give that.
  bool decode(std::string_view bytes);

 private:
  using TextId = std::uint32_t;
  struct Place {
    std::int32_t day = 0;
    std::array<TextId, kUsageFields> fields{};
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  TextId id_of(std::string_view text);

  std::size_t rows_max_;
  std::unordered_map<Place, UsageSums, PlaceHash> rows_;
  // Node-based, so that texts_ may view its keys.
  std::unordered_map<std::string, TextId, TextHash, std::equal_to<>> ids_;
  std::vector<std::string_view> texts_;
};

}  // namespace leat::control
