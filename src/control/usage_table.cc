// SPDX-License-Identifier: Apache-2.0
#include "control/usage_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "control/usage_book.h"
#include "ledger/varint.h"

namespace leat::control {
namespace {

constexpr std::uint64_t kStateVersion = 1;
constexpr std::string_view kOthers = "(others)";
constexpr std::size_t kRowBytesMax =
    (2 + std::size(kUsageColumns) + kUsageFields) * ledger::kVarintBytesMax +
    kUsageFields * ledger::RecordLimits::kNameMax;

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t both = 0;
  return __builtin_add_overflow(a, b, &both) ? INT64_MAX : both;
}

}  // namespace

void UsageSums::add(const UsageSums& other) {
  for (const UsageColumn& column : kUsageColumns) {
    this->*column.value = sum(this->*column.value, other.*column.value);
  }
}

UsageSums sums_of(const ledger::UsageRecord& record) {
  UsageSums sums{.requests = 1,
                 .prompt_tokens = record.tokens.prompt,
                 .cached_tokens = record.tokens.cached,
                 .completion_tokens = record.tokens.completion,
                 .reasoning_tokens = record.tokens.reasoning,
                 .charge = record.charge,
                 .cost = record.flags.is_byok ? 0 : record.cost,
                 .byok_cost = record.flags.is_byok ? record.cost : 0,
                 .byok_fee = record.byok_fee,
                 .shortfall = record.shortfall};
  // None is negative unless the record was written by somebody else.
  for (const UsageColumn& column : kUsageColumns) {
    sums.*column.value = std::max<std::int64_t>(sums.*column.value, 0);
  }
  return sums;
}

std::size_t UsageTable::PlaceHash::operator()(const Place& place) const {
  std::uint64_t hash = static_cast<std::uint32_t>(place.day);
  for (const TextId id : place.fields) hash = (hash ^ id) * 0x9e37'79b9'7f4a'7c15;
  return hash ^ hash >> 32;
}

void UsageTable::add(const ledger::UsageRecord& record, const UsageSums& sums) {
  const std::string_view model =
      record.model_served.empty() ? record.model_asked : record.model_served;
  add(Row{
      .day = day_of(record.began),
      .fields = {record.organisation_id, record.key_id, model, record.endpoint, record.provider},
      .sums = sums});
}

void UsageTable::add(const Row& row) {
  Place place{.day = row.day};
  bool is_known = true;
  for (std::size_t i = 0; i < kUsageFields && is_known; ++i) {
    const auto found = ids_.find(row.fields[i]);
    is_known = found != ids_.end();
    if (is_known) place.fields[i] = found->second;
  }
  auto at = is_known ? rows_.find(place) : rows_.end();
  if (at == rows_.end()) {
    const std::string_view organisation = row.field(UsageField::kOrganisation);
    const bool is_full = rows_.size() >= rows_max_;
    const std::array<std::string_view, kUsageFields> others = {organisation, "", kOthers, "", ""};
    const auto& fields = is_full ? others : row.fields;
    std::transform(fields.begin(), fields.end(), place.fields.begin(),
                   [this](std::string_view text) { return id_of(text); });
    at = rows_.try_emplace(place).first;
  }
  at->second.add(row.sums);
}

UsageTable::TextId UsageTable::id_of(std::string_view text) {
  const auto found = ids_.find(text);
  if (found != ids_.end()) return found->second;
  const auto id = static_cast<TextId>(texts_.size());
  texts_.push_back(ids_.emplace(std::string(text), id).first->first);
  return id;
}

void UsageTable::each(const std::function<void(const Row&)>& visit) const {
  for (const auto& [place, sums] : rows_) {
    Row row{.day = place.day, .fields = {}, .sums = sums};
    std::transform(place.fields.begin(), place.fields.end(), row.fields.begin(),
                   [this](TextId id) { return texts_[id]; });
    visit(row);
  }
}

void UsageTable::forget_before(std::int32_t day) {
  const bool is_any =
      std::any_of(rows_.begin(), rows_.end(), [&](const auto& row) { return row.first.day < day; });
  if (!is_any) return;
  UsageTable kept(rows_max_);
  each([&](const Row& row) {
    if (row.day >= day) kept.add(row);
  });
  *this = std::move(kept);
}

std::string UsageTable::encode() const {
  std::vector<Row> sorted;
  each([&](const Row& row) { sorted.push_back(row); });
  std::sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) {
    return std::tie(a.day, a.fields) < std::tie(b.day, b.fields);
  });
  std::string state;
  std::array<char, kRowBytesMax> room;
  ledger::VarintWriter head(room);
  head.number(kStateVersion);
  head.number(sorted.size());
  state.append(room.data(), head.size());
  for (const Row& row : sorted) {
    ledger::VarintWriter out(room);
    out.signed_number(row.day);
    for (const std::string_view field : row.fields) out.bytes(field);
    for (const UsageColumn& column : kUsageColumns) out.signed_number(row.sums.*column.value);
    state.append(room.data(), out.size());
  }
  return state;
}

bool UsageTable::decode(std::string_view bytes) {
  ledger::VarintReader in(bytes);
  if (in.number() != kStateVersion) return false;
  UsageTable read(rows_max_);
  for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) {
    Row row{.day = static_cast<std::int32_t>(in.signed_number()), .fields = {}, .sums = {}};
    for (std::string_view& field : row.fields) {
      field = in.bytes();
      if (field.size() > ledger::RecordLimits::kNameMax) return false;
    }
    for (const UsageColumn& column : kUsageColumns) row.sums.*column.value = in.signed_number();
    if (in.ok()) read.add(row);
  }
  if (!in.ok() || !in.at_end()) return false;
  *this = std::move(read);
  return true;
}

}  // namespace leat::control
