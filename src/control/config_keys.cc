// SPDX-License-Identifier: Apache-2.0
// [[keys]], [keys.routing] and [keys.limits].
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "control/account_text.h"
#include "control/client_key.h"
#include "control/config_sections.h"
#include "control/settings_reader.h"

namespace leat::control {
namespace {

constexpr std::size_t kKeysMax = 100'000;
constexpr std::size_t kNamesMax = 256;  // in one list of [keys.routing]

// Names that the catalogue has to know, which is read later: kept with their places.
std::vector<std::string> read_names(Reading& reading, const TomlMember& member,
                                    const std::string& path, std::vector<StatedName>& stated) {
  constexpr Range kNameRange{1, 256};
  std::vector<std::string> names;
  if (!expect(member.value, TomlValue::Kind::kArray, path, reading.faults)) return names;
  const std::vector<TomlValue>& items = member.value.items;
  if (items.size() > kNamesMax) {
    reading.faults.add(member.line, path,
                       fmt::format("has {}; write up to {}", items.size(), kNamesMax));
    return names;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string name;
    const std::string key = fmt::format("{}[{}]", path, i);
    store(items[i], kNameRange, key, name, reading.faults);
    if (name.empty()) continue;
    stated.push_back({items[i].line, key, name});
    names.push_back(std::move(name));
  }
  return names;
}

void read_routing(Reading& reading, const TomlValue& key, const std::string& key_path,
                  KeyRouting& routing) {
  const TomlMember* member = key.find("routing");
  if (member == nullptr) return;
  const std::string path = joined(key_path, "routing");
  const TomlValue& table = member->value;
  if (!expect(table, TomlValue::Kind::kTable, path, reading.faults)) return;
  read_settings(table, path, key_routing_settings(), routing, reading.faults);
  const auto refuse_nobody = [&](const TomlMember& list) {
    if (list.value.kind != TomlValue::Kind::kArray || !list.value.items.empty()) return;
    reading.faults.add(list.line, joined(path, list.key),
                       "is empty, which allows nothing; leave it out to allow all");
  };
  if (const TomlMember* only = table.find("only")) {
    refuse_nobody(*only);
    routing.has_only = true;
    routing.only = read_names(reading, *only, joined(path, "only"), reading.stated_slugs);
  }
  if (const TomlMember* ignore = table.find("ignore")) {
    routing.ignore = read_names(reading, *ignore, joined(path, "ignore"), reading.stated_slugs);
  }
  if (const TomlMember* regions = table.find("regions")) {
    refuse_nobody(*regions);
    routing.regions =
        read_names(reading, *regions, joined(path, "regions"), reading.stated_regions);
  }
  const TomlMember* collection = table.find("data_collection");
  if (collection == nullptr) return;
  const std::string full = joined(path, "data_collection");
  if (!expect(collection->value, TomlValue::Kind::kText, full, reading.faults)) return;
  routing.deny_data_collection = collection->value.text == "deny";
  if (routing.deny_data_collection || collection->value.text == "allow") return;
  reading.faults.add(collection->line, full,
                     fmt::format("\"{}\" is neither; write \"allow\" or \"deny\"",
                                 printable(collection->value.text)));
}

// A decimal number that must be exact: text, or a whole number. Nothing, with a fault, if it is
// none; `like` shows one.
std::optional<std::int64_t> read_billionths(const TomlMember& member, const std::string& path,
                                            const char* like, FaultList& faults) {
  using Kind = TomlValue::Kind;
  const TomlValue& value = member.value;
  if (value.kind != Kind::kInteger && value.kind != Kind::kText) {
    faults.add(member.line, path,
               fmt::format("is {}; write it as text, {}, so that it is exact",
                           kind_name(value.kind), like));
    return {};
  }
  const std::string text =
      value.kind == Kind::kInteger ? fmt::to_string(value.integer) : value.text;
  const std::optional<std::int64_t> number = parse_dollars(text);
  if (!number) {
    faults.add(member.line, path,
               fmt::format("\"{}\" is no such number; write {}", printable(text), like));
  }
  return number;
}

void read_budget(Reading& reading, const TomlValue& table, const std::string& path,
                 KeyLimits& limits) {
  if (const TomlMember* budget = table.find("budget_usd_max")) {
    const std::string full = joined(path, budget->key);
    const auto amount = read_billionths(*budget, full, "\"12.50\"", reading.faults);
    if (amount && *amount < 0) {
      reading.faults.add(budget->line, full, "is negative; write 0 or more dollars");
    } else if (amount) {
      limits.budget_nanodollars_max = *amount;
    }
  }
  const TomlMember* member = table.find("budget_period");
  if (member == nullptr) return;
  const std::string full = joined(path, member->key);
  if (!expect(member->value, TomlValue::Kind::kText, full, reading.faults)) return;
  if (member->value.text == "none") return;
  for (const auto period : {BudgetPeriod::kDaily, BudgetPeriod::kWeekly, BudgetPeriod::kMonthly}) {
    if (member->value.text == policy::name_of(period)) limits.budget_period = period;
  }
  if (limits.budget_period != BudgetPeriod::kNone) return;
  reading.faults.add(
      member->line, full,
      fmt::format("\"{}\" is none; write \"none\", \"daily\", \"weekly\" or \"monthly\"",
                  printable(member->value.text)));
}

void read_limits(Reading& reading, const TomlValue& key, const std::string& key_path,
                 KeyLimits& limits) {
  const TomlMember* member = key.find("limits");
  if (member == nullptr) return;
  const std::string path = joined(key_path, "limits");
  const TomlValue& table = member->value;
  if (!expect(table, TomlValue::Kind::kTable, path, reading.faults)) return;
  read_settings(table, path, key_limit_settings(), limits, reading.faults);
  read_budget(reading, table, path, limits);
  const TomlMember* markup = table.find("markup_percent");
  if (markup == nullptr) return;
  const std::string full = joined(path, markup->key);
  const auto billionths = read_billionths(*markup, full, "\"12.5\"", reading.faults);
  if (!billionths) return;
  constexpr std::int64_t kBillionthsPerPpm = 100'000;  // of a percent
  const std::int64_t ppm = *billionths / kBillionthsPerPpm;
  if (ppm < policy::kMarkupPpmMin || ppm > policy::kMarkupPpmMax) {
    reading.faults.add(markup->line, full, "is out of range; write -100 to 900");
  } else if (*billionths % kBillionthsPerPpm != 0) {
    reading.faults.add(markup->line, full, "has more than four decimals; write up to four");
  } else {
    limits.markup_ppm = ppm;
  }
}

void read_key(Reading& reading, const TomlValue& table, const std::string& path, ClientKey& key) {
  read_settings(table, path, key_settings(), key, reading.faults);
  const TomlMember* name = table.find("name");
  if (name == nullptr) {
    reading.faults.add(table.line, path, "has no name; write name = \"...\"");
  } else if (!is_plain_name(key.name)) {
    reading.faults.add(name->line, joined(path, "name"),
                       "may have letters, digits, - _ and . only");
  }
  if (key.log_content && reading.logged_key.key.empty()) {
    reading.logged_key = {table.find("log_content")->line, joined(path, "log_content"), key.name};
  }
  read_routing(reading, table, path, key.routing);
  read_limits(reading, table, path, key.limits);
  const TomlMember* sha256 = table.find("sha256");
  const TomlMember* secret = table.find("secret");
  if ((sha256 == nullptr) == (secret == nullptr)) {
    reading.faults.add(table.line, path, "needs one of sha256 and secret");
  }
  if (secret != nullptr) {
    key.secret = read_secret_source(reading, secret->value, joined(path, "secret"), &key.sha256);
    return;
  }
  if (sha256 == nullptr) return;
  const std::string full = joined(path, "sha256");
  if (!expect(sha256->value, TomlValue::Kind::kText, full, reading.faults)) return;
  if (!parse_digest(sha256->value.text, key.sha256)) {
    // What stands there may be the key itself: it is not repeated.
    reading.faults.add(sha256->line, full,
                       fmt::format("is not a SHA-256: has {} bytes; write 64 hex digits",
                                   sha256->value.text.size()));
  } else if (key.sha256 == digest_of("") || key.sha256 == digest_of("\n")) {
    // What a pipeline gives whose variable was not set.
    reading.faults.add(sha256->line, full, "is the SHA-256 of no key at all; hash the key");
  }
}

}  // namespace

void read_keys(Reading& reading, const TomlValue& root) {
  const TomlMember* member = root.find("keys");
  if (member == nullptr) {
    const bool has_store = !reading.options.accounts.store_file.empty();
    if (reading.options.auth_mode == AuthMode::kKeys && !has_store) {
      const TomlMember* auth = root.find("auth");
      reading.faults.add(auth == nullptr ? root.line : auth->line, "keys",
                         "there is none, so nobody could ask; write [[keys]], or store_file under "
                         "[accounts], or mode = \"off\" under [auth] for loopback listeners");
    }
    return;
  }
  if (!expect(member->value, TomlValue::Kind::kArray, "keys", reading.faults)) return;
  if (member->value.items.size() > kKeysMax) {
    reading.faults.add(member->line, "keys", fmt::format("more than {}", kKeysMax));
    return;
  }
  std::unordered_map<std::string, std::uint32_t> names;
  std::unordered_map<std::string, std::uint32_t> digests;
  for (std::size_t i = 0; i < member->value.items.size(); ++i) {
    const TomlValue& table = member->value.items[i];
    const std::string path = fmt::format("keys[{}]", i);
    if (!expect(table, TomlValue::Kind::kTable, path, reading.faults)) continue;
    ClientKey key;
    read_key(reading, table, path, key);
    const auto [name, is_new_name] = names.emplace(key.name, table.line);
    if (!key.name.empty() && !is_new_name) {
      reading.faults.add(
          table.find("name")->line, joined(path, "name"),
          fmt::format("\"{}\" stands in line {} too; write another", key.name, name->second));
    }
    const auto [digest, is_new_digest] =
        digests.emplace(std::string(key.sha256.begin(), key.sha256.end()), table.line);
    if (key.sha256 != KeyDigest{} && !is_new_digest) {
      reading.faults.add(table.line, path,
                         fmt::format("is the same key as in line {}", digest->second));
    }
    reading.options.keys.push_back(std::move(key));
  }
}

// Told by the nearest name that there is: a misspelt one would otherwise shut its key out, or let
// it go where it must not.
void check_key_routing(Reading& reading, const policy::Catalogue& catalogue) {
  const auto complain = [&](const StatedName& stated, std::string_view what,
                            std::span<const std::string_view> known) {
    const std::string_view near = nearest(stated.name, known);
    reading.faults.add(stated.line, stated.key,
                       fmt::format("there is no {} \"{}\"{}", what, printable(stated.name),
                                   near.empty() ? "; write one of those that there are"
                                                : fmt::format("; did you mean \"{}\"?", near)));
  };
  std::vector<std::string_view> slugs;
  std::vector<std::string_view> regions;
  const bool is_any_unknown =
      std::any_of(reading.stated_slugs.begin(), reading.stated_slugs.end(),
                  [&](const StatedName& s) { return !catalogue.find_slug(s.name).known(); }) ||
      std::any_of(reading.stated_regions.begin(), reading.stated_regions.end(),
                  [&](const StatedName& s) { return catalogue.region_bit(s.name) == 0; });
  if (!is_any_unknown) return;
  for (const policy::Provider& provider : catalogue.providers()) slugs.push_back(provider.slug);
  for (const policy::Endpoint& endpoint : catalogue.endpoints()) {
    slugs.push_back(endpoint.tag);
    if (!endpoint.region.empty()) regions.push_back(endpoint.region);
  }
  for (const StatedName& stated : reading.stated_slugs) {
    if (catalogue.find_slug(stated.name).known()) continue;
    complain(stated, "provider or endpoint", slugs);
  }
  for (const StatedName& stated : reading.stated_regions) {
    if (catalogue.region_bit(stated.name) != 0) continue;
    complain(stated, "endpoint in region", regions);
  }
}

}  // namespace leat::control
