// SPDX-License-Identifier: Apache-2.0
#include "gateway/configured_keys.h"

#include <charconv>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leat::gateway {

policy::Key configured_key(const Options& options, std::size_t index) {
  const ClientKey& stated = options.keys[index];
  policy::Key key;
  key.id = kConfiguredKeys + index;
  key.organisation = kConfiguredOrganisation;
  key.name = key.label = stated.name;
  key.access.routing = stated.routing;
  key.logs_content = stated.log_content;
  const KeyLimits& limits = stated.limits;
  key.markup_ppm = static_cast<std::int32_t>(limits.markup_ppm);
  key.output_default_max = limits.output_default_max;
  key.hold_ms_max = stated.hold_ms_max;
  key.quota.rates = {.requests_per_minute = limits.requests_per_minute_max,
                     .tokens_per_minute = limits.tokens_per_minute_max,
                     .tokens_per_day = limits.tokens_per_day_max,
                     .concurrency = limits.concurrency_max};
  key.quota.budgets[limits.budget_period] = limits.budget_nanodollars_max;
  return key;
}

std::vector<KeyEntry> configured_keys(const Options& options, const policy::Catalogue& catalogue) {
  std::vector<KeyEntry> entries;
  entries.reserve(options.keys.size());
  for (std::size_t i = 0; i < options.keys.size(); ++i) {
    if (options.keys[i].is_removed) continue;
    const policy::Key key = configured_key(options, i);
    entries.push_back(entry_of(key, options.keys[i].sha256, resolve_access(key.access, catalogue)));
  }
  return entries;
}

void keep_places(const Options& running, Options& next) {
  std::unordered_map<std::string_view, std::size_t> places;
  std::vector<ClientKey> placed;
  placed.reserve(running.keys.size());
  for (const ClientKey& key : running.keys) {
    places.emplace(key.name, placed.size());
    ClientKey& kept = placed.emplace_back();
    kept.name = key.name;
    kept.is_removed = true;
  }
  for (ClientKey& key : next.keys) {
    const auto found = places.find(key.name);
    if (found == places.end()) {
      placed.push_back(std::move(key));
    } else {
      placed[found->second] = std::move(key);
    }
  }
  next.keys = std::move(placed);
}

AccountRow configured_organisation() {
  AccountRow row;
  row.id = kConfiguredOrganisation;
  row.organisation = kConfiguredOrganisation;
  return row;
}

KeyDelta configured_delta(const Options& options, const policy::Catalogue& catalogue) {
  KeyTable table;
  table.assign(configured_keys(options, catalogue));
  table.put(configured_organisation());
  return table.whole();
}

std::string_view key_name(const Options& options, std::uint32_t key, KeyName& room) {
  if (key == 0) return "-";
  if (key == kAnonymousKey) return "anonymous";
  if (key >= kConfiguredKeys && key - kConfiguredKeys < options.keys.size()) {
    return options.keys[key - kConfiguredKeys].name;
  }
  return account_name(key, room);
}

std::string_view account_name(std::uint32_t account, KeyName& room) {
  if (account == 0) return {};
  room[0] = '#';
  const auto end = std::to_chars(room.data() + 1, room.data() + room.size(), account);
  return {room.data(), static_cast<std::size_t>(end.ptr - room.data())};
}

}  // namespace leat::gateway
