// SPDX-License-Identifier: Apache-2.0
#include "control/usage_index.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/usage_book.h"
#include "ledger/varint.h"

namespace leat::control {
namespace {

constexpr std::uint64_t kStateVersion = 1;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::size_t kPlaceBytesMax =
    8 * ledger::kVarintBytesMax + 2 * (ledger::RecordLimits::kNameMax + ledger::kVarintBytesMax);

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t both = 0;
  return __builtin_add_overflow(a, b, &both) ? INT64_MAX : both;
}

}  // namespace

void UsageIndex::add(const ledger::UsageRecord& record, const UsageSums& sums) {
  const std::string_view app =
      ledger::cut_text(record.app_title.empty() ? record.app_referer : record.app_title,
                       ledger::RecordLimits::kNameMax);
  const std::string_view model =
      record.model_served.empty() ? record.model_asked : record.model_served;
  apps_.add({.day = day_of(record.began),
             .fields = {record.organisation_id, app, model, {}, {}},
             .sums = sums});

  if (record.endpoint.empty() || record.model_served.empty()) return;
  const PlaceOf<std::string_view> place{record.model_served, record.price_version, record.endpoint};
  auto at = prices_.find(place);
  const std::int64_t began = record.began.unix_seconds();
  if (at == prices_.end()) {
    if (prices_.size() >= kPlacesMax) return;
    at = prices_
             .emplace(Place{std::string(place.model), place.version, std::string(place.endpoint)},
                      PricedUse{.first = began, .last = began})
             .first;
  }
  PricedUse& use = at->second;
  use.first = std::min(use.first, began);
  use.last = std::max(use.last, began);
  use.requests = sum(use.requests, 1);
  use.tokens = sum(use.tokens,
                   std::max<std::int64_t>(sum(record.tokens.prompt, record.tokens.completion), 0));
  use.cost = sum(use.cost, std::max<std::int64_t>(record.cost, 0));
}

void UsageIndex::forget_before(std::int32_t day) {
  apps_.forget_before(day);
  std::erase_if(prices_, [&](const auto& one) { return one.second.last < day * kDaySeconds; });
}

std::string UsageIndex::encode() const {
  std::array<char, kPlaceBytesMax> room;
  std::string state;
  ledger::VarintWriter head(room);
  head.number(kStateVersion);
  head.number(prices_.size());
  state.append(room.data(), head.size());
  for (const auto& [place, use] : prices_) {
    ledger::VarintWriter out(room);
    out.bytes(place.model);
    out.number(place.version);
    out.bytes(place.endpoint);
    for (const std::int64_t value : {use.first, use.last, use.requests, use.tokens, use.cost}) {
      out.signed_number(value);
    }
    state.append(room.data(), out.size());
  }
  const std::string apps = apps_.encode();
  ledger::VarintWriter size(room);
  size.number(apps.size());
  return state.append(room.data(), size.size()) + apps;
}

bool UsageIndex::decode(std::string_view bytes) {
  ledger::VarintReader in(bytes);
  if (in.number() != kStateVersion) return false;
  UsageIndex read;
  for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) {
    Place place;
    PricedUse use;
    place.model = in.bytes();
    place.version = in.number();
    place.endpoint = in.bytes();
    for (std::int64_t* value : {&use.first, &use.last, &use.requests, &use.tokens, &use.cost}) {
      *value = in.signed_number();
    }
    const std::size_t longest = std::max(place.model.size(), place.endpoint.size());
    if (!in.ok() || longest > ledger::RecordLimits::kNameMax) return false;
    if (read.prices_.size() >= kPlacesMax) return false;
    read.prices_.emplace(std::move(place), use);
  }
  const std::string_view apps = in.bytes();
  if (!in.ok() || !in.at_end() || !read.apps_.decode(apps)) return false;
  *this = std::move(read);
  return true;
}

}  // namespace leat::control
