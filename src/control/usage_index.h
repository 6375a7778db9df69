// SPDX-License-Identifier: Apache-2.0
// UsageIndex: what is really used: usage by app and day, and by price list: how each endpoint's
// share of its model moved when prices changed. Fed with each record once, in any order. Bounded:
// apps name themselves as they like, and nobody may push another's numbers out by making up names.
// A value, on one thread, beside UsageTable, which is what bills are made of and knows no apps for
// that reason.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "control/usage_table.h"
#include "ledger/record.h"

namespace leat::control {

// What an endpoint served under one price list.
struct PricedUse {
  std::int64_t first = 0;  // unix seconds, of requests' beginnings
  std::int64_t last = 0;
  std::int64_t requests = 0;
  std::int64_t tokens = 0;       // prompt and completion
  ledger::Nanodollars cost = 0;  // asked by the provider
  bool operator==(const PricedUse&) const = default;
};

class UsageIndex {
 public:
  template <class Text>
  struct PlaceOf {
    Text model;
    std::uint64_t version = 0;  // of the prices
    Text endpoint;
  };
  using Place = PlaceOf<std::string>;
  // Finds a place by views of its texts.
  struct ComesBefore {
    using is_transparent = void;
    template <class One, class Other>
    bool operator()(const PlaceOf<One>& one, const PlaceOf<Other>& other) const {
      const int model = std::string_view(one.model).compare(other.model);
      if (model != 0) return model < 0;
      if (one.version != other.version) return one.version < other.version;
      return std::string_view(one.endpoint) < std::string_view(other.endpoint);
    }
  };
  // Rows of apps, and places of prices. What is beyond is told as others, or not at all.
  static constexpr std::size_t kAppRowsMax = 20'000;
  static constexpr std::size_t kPlacesMax = 5'000;

  void add(const ledger::UsageRecord& record) { add(record, sums_of(record)); }
  // `sums`: those of the record.
  void add(const ledger::UsageRecord& record, const UsageSums& sums);
  // Where UsageField::kKey is the app: its title, its address, or empty.
  const UsageTable& apps() const { return apps_; }
  const std::map<Place, PricedUse, ComesBefore>& prices() const { return prices_; }
  // Forgets the days before.
  void forget_before(std::int32_t day);

  std::string encode() const;
  // Replaces the state by what encode() gave; false, and nothing changes: it did not give that.
  bool decode(std::string_view bytes);

 private:
  UsageTable apps_{kAppRowsMax};
  std::map<Place, PricedUse, ComesBefore> prices_;
};

}  // namespace leat::control
