// SPDX-License-Identifier: Apache-2.0
#include "control/carried_limits.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace leat::control {
namespace {

using policy::CarriedEnd;
using policy::CarriedEnds;
using policy::CarriedQuantities;
using policy::CarriedQuantity;

// "leatlim1" and "leatend1".
constexpr std::int64_t kQuantitiesForm = 0x316d696c7461656c;
constexpr std::int64_t kEndsForm = 0x31646e657461656c;

void put(std::string& to, std::int64_t word) {
  to.append(reinterpret_cast<const char*>(&word), sizeof word);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::int64_t word() {
    std::int64_t word = 0;
    if (bytes_.size() < sizeof word) {
      is_good_ = false;
      return 0;
    }
    std::memcpy(&word, bytes_.data(), sizeof word);
    bytes_.remove_prefix(sizeof word);
    return word;
  }
  // No less than that, and no more.
  std::int64_t word(std::int64_t least, std::int64_t most) {
    const std::int64_t read = word();
    is_good_ = is_good_ && read >= least && read <= most;
    return is_good_ ? read : least;
  }
  std::int64_t amount() { return word(0, INT64_MAX); }
  Instant instant() { return Instant{amount()}; }
  // Of what has at least so many words each, all of which is still to come.
  std::int64_t count(std::int64_t words) {
    return word(0, static_cast<std::int64_t>(bytes_.size() / sizeof(std::int64_t)) / words);
  }
  bool is_good() const { return is_good_; }
  bool is_whole() const { return is_good_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool is_good_ = true;
};

constexpr std::int64_t kWordsOfQuantity = 11;
constexpr std::int64_t kWordsOfTaking = 2;
constexpr std::int64_t kWordsOfEnd = 4;

void put(std::string& to, const CarriedQuantity& each) {
  put(to, std::bit_cast<std::int64_t>(each.id));
  put(to, static_cast<std::int64_t>(each.terms.kind));
  put(to, static_cast<std::int64_t>(each.terms.period));
  put(to, each.terms.limit);
  put(to, each.terms.window.ns);
  put(to, each.settled);
  put(to, each.period_begin);
  put(to, each.open);
  put(to, each.until.ns);
  put(to, each.full_at.ns);
  put(to, static_cast<std::int64_t>(each.takings.size()));
  for (const policy::RateTaking& taking : each.takings) {
    put(to, taking.at.ns);
    put(to, taking.amount);
  }
}

CarriedQuantity read_quantity(Reader& reader) {
  constexpr auto kKindLast = static_cast<std::int64_t>(policy::QuantityKind::kConcurrency);
  constexpr auto kPeriodLast = static_cast<std::int64_t>(policy::kBudgetPeriods) - 1;
  CarriedQuantity each;
  each.id = std::bit_cast<policy::QuantityId>(reader.word());
  each.terms.kind = static_cast<policy::QuantityKind>(reader.word(0, kKindLast));
  each.terms.period = static_cast<policy::BudgetPeriod>(reader.word(0, kPeriodLast));
  each.terms.limit = reader.amount();
  each.terms.window = Duration{reader.word(1, INT64_MAX / 4)};
  each.settled = reader.amount();
  each.period_begin = reader.word();
  each.open = reader.amount();
  each.until = reader.instant();
  each.full_at = reader.instant();
  const std::int64_t takings = reader.count(kWordsOfTaking);
  for (std::int64_t i = 0; i < takings; ++i) {
    policy::RateTaking taking;
    taking.at = reader.instant();
    taking.amount = reader.amount();
    each.takings.push_back(taking);
  }
  return each;
}

}  // namespace

std::string bytes_of(const CarriedQuantities& quantities) {
  std::string bytes;
  put(bytes, kQuantitiesForm);
  put(bytes, static_cast<std::int64_t>(quantities.size()));
  for (const CarriedQuantity& each : quantities) put(bytes, each);
  return bytes;
}

std::optional<CarriedQuantities> read_carried_quantities(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.word() != kQuantitiesForm) return std::nullopt;
  const std::int64_t count = reader.count(kWordsOfQuantity);
  CarriedQuantities all;
  for (std::int64_t i = 0; i < count && reader.is_good(); ++i) all.push_back(read_quantity(reader));
  if (!reader.is_whole()) return std::nullopt;
  return all;
}

std::string bytes_of(std::span<const CarriedEnd> ends) {
  LEAT_CHECK(ends.size() <= kCarriedEndsMax);
  std::string bytes;
  put(bytes, kEndsForm);
  for (const CarriedEnd& each : ends) {
    put(bytes, std::bit_cast<std::int64_t>(each.id));
    put(bytes, each.reserved);
    put(bytes, each.used);
    put(bytes, each.taken_at.ns);
  }
  return bytes;
}

std::optional<CarriedEnds> read_carried_ends(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.word() != kEndsForm) return std::nullopt;
  CarriedEnds all;
  const std::size_t count = bytes.size() / sizeof(std::int64_t) / kWordsOfEnd;
  for (std::size_t i = 0; i < count; ++i) {
    CarriedEnd each;
    each.id = std::bit_cast<policy::QuantityId>(reader.word());
    each.reserved = reader.amount();
    each.used = reader.word(0, each.reserved);
    each.taken_at = Instant{reader.word()};
    all.push_back(each);
  }
  if (!reader.is_whole()) return std::nullopt;
  return all;
}

}  // namespace leat::control
