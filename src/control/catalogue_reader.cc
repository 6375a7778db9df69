// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "control/exact_price.h"
#include "control/settings_reader.h"

namespace leat::control {
namespace {

using Kind = TomlValue::Kind;

// The names of an enumeration, which has so many values.
template <class E>
std::vector<std::string_view> names(std::size_t count) {
  std::vector<std::string_view> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(policy::name_of(static_cast<E>(i)));
  return all;
}

template <class E>
std::optional<E> read_name(const TomlValue& value, std::size_t count, std::string_view key,
                           FaultList& faults) {
  if (!expect(value, Kind::kText, key, faults)) return {};
  const std::optional<E> found = policy::value_of<E>(value.text);
  if (found) return found;
  const std::vector<std::string_view> known = names<E>(count);
  const std::string_view near = nearest(value.text, known);
  faults.add(value.line, key,
             near.empty() ? fmt::format("\"{}\" is not known; known here: {}",
                                        printable(value.text), fmt::join(known, ", "))
                          : fmt::format("\"{}\" is not known; did you mean \"{}\"?",
                                        printable(value.text), near));
  return {};
}

// An array of names as a set; `in` is the table's member of that key, if there is one.
template <class E>
policy::EnumSet<E> read_set(const TomlValue& value, std::size_t count, std::string_view key,
                            FaultList& faults) {
  policy::EnumSet<E> set;
  if (!expect(value, Kind::kArray, key, faults)) return set;
  for (const TomlValue& item : value.items) {
    if (const auto name = read_name<E>(item, count, key, faults)) set.add(*name);
  }
  return set;
}

std::vector<std::string> read_texts(const TomlValue& value, std::string_view key,
                                    FaultList& faults) {
  constexpr Range kTextRange{1, 256};
  std::vector<std::string> texts;
  if (!expect(value, Kind::kArray, key, faults)) return texts;
  for (const TomlValue& item : value.items) {
    std::string text;
    store(item, kTextRange, key, text, faults);
    if (!text.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

policy::DataPolicy read_data(const TomlValue& table, std::string_view key, FaultList& faults) {
  constexpr std::array<std::string_view, 3> kKnown = {"trains", "publishes", "retention_days"};
  constexpr Range kDaysRange{0, 36'500};
  policy::DataPolicy data;
  if (!expect(table, Kind::kTable, key, faults)) return data;
  report_unknown(table, key, kKnown, faults);
  if (const TomlMember* trains = table.find("trains")) {
    store(trains->value, {}, joined(key, trains->key), data.trains, faults);
  }
  if (const TomlMember* publishes = table.find("publishes")) {
    store(publishes->value, {}, joined(key, publishes->key), data.publishes, faults);
  }
  if (const TomlMember* days = table.find("retention_days")) {
    std::int64_t count = policy::DataPolicy::kRetentionUnknown;
    store(days->value, kDaysRange, joined(key, days->key), count, faults);
    data.retention_days = static_cast<std::int32_t>(count);
  }
  return data;
}

DraftReasoning read_reasoning(const TomlValue& table, std::string_view key, FaultList& faults) {
  static constexpr std::array<Setting<DraftReasoning>, 5> kRows{{
      {"efforts", OwnForm{"array of text", "[]"}},
      {"default_effort", &DraftReasoning::default_effort, 0, 64},
      {"default_enabled", &DraftReasoning::default_enabled},
      {"supports_max_tokens", &DraftReasoning::supports_max_tokens},
      {"mandatory", &DraftReasoning::mandatory},
  }};
  DraftReasoning reasoning;
  if (!expect(table, Kind::kTable, key, faults)) return reasoning;
  read_settings(table, key, std::span<const Setting<DraftReasoning>>(kRows), reasoning, faults);
  if (const TomlMember* efforts = table.find("efforts")) {
    reasoning.efforts = read_texts(efforts->value, joined(key, efforts->key), faults);
  }
  return reasoning;
}

// One price: text, or a whole number of dollars. A number with a point is refused: what arrives of
// it is the nearest number that a computer has, which may not be the one that was written. Nothing,
// with a fault, if it is no price.
std::optional<policy::Picodollars> read_price(const TomlMember& member, std::string_view key,
                                              policy::PriceClass price_class, FaultList& faults) {
  const TomlValue& value = member.value;
  std::string text = value.text;
  if (value.kind == Kind::kInteger) {
    text = fmt::to_string(value.integer);
  } else if (value.kind != Kind::kText) {
    faults.add(member.line, key,
               fmt::format("is {}; write it as text, \"0.15\", so that it is exact",
                           kind_name(value.kind)));
    return {};
  }
  const std::optional<ExactPrice> price = parse_price(text, unit_of(price_class));
  if (!price || price->value < 0) {
    faults.add(member.line, key,
               fmt::format("\"{}\" is no price; write dollars, 0 to {}, like \"0.15\"",
                           printable(text), price_text(policy::kPriceMax, unit_of(price_class))));
    return {};
  }
  if (!price->is_exact) {
    faults.add(member.line, key, "has digits below a millionth of a millionth of a dollar a unit");
    return {};
  }
  return price->value;
}

struct ReadPrices {
  policy::Prices prices;
  policy::PriceClassSet unreadable;
};

ReadPrices read_prices(const TomlValue& table, std::string_view key, FaultList& faults) {
  ReadPrices read;
  if (!expect(table, Kind::kTable, key, faults)) return read;
  for (const TomlMember& member : table.members) {
    const auto price_class = policy::value_of<policy::PriceClass>(member.key);
    if (!price_class) {
      faults.add_unknown(member.line, key, member.key,
                         names<policy::PriceClass>(policy::kPriceClasses));
      continue;
    }
    const auto price = read_price(member, joined(key, member.key), *price_class, faults);
    if (price) {
      read.prices[*price_class] = *price;
    } else {
      read.unreadable.add(*price_class);
    }
  }
  return read;
}

policy::PriceClassSet read_free(const TomlValue& value, std::string_view key, FaultList& faults) {
  if (value.kind == Kind::kBoolean) {
    constexpr std::uint64_t kAll = (std::uint64_t{1} << policy::kPriceClasses) - 1;
    return policy::PriceClassSet::of_bits(value.boolean ? kAll : 0);
  }
  if (value.kind != Kind::kArray) {
    faults.add(
        value.line, key,
        fmt::format("is {}; write true, or the classes: [\"completion\"]", kind_name(value.kind)));
    return {};
  }
  return read_set<policy::PriceClass>(value, policy::kPriceClasses, key, faults);
}

// "HHMM" as the minute of the day.
void read_minute(const TomlMember& member, std::string_view key, std::uint16_t& minute,
                 FaultList& faults) {
  const std::string& text = member.value.text;
  const bool has_digits =
      member.value.kind == Kind::kText && text.size() == 4 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int hours = has_digits ? (text[0] - '0') * 10 + (text[1] - '0') : 24;
  const int minutes = has_digits ? (text[2] - '0') * 10 + (text[3] - '0') : 60;
  const bool is_midnight = hours == 24 && minutes == 0 && has_digits;
  if ((hours > 23 || minutes > 59) && !is_midnight) {
    faults.add(member.line, key, "write a time of the day in UTC as \"HHMM\"");
    return;
  }
  minute = static_cast<std::uint16_t>(hours * 60 + minutes);
}

std::uint8_t read_days(const TomlValue& value, std::string_view key, FaultList& faults) {
  std::uint8_t days = 0;
  if (!expect(value, Kind::kArray, key, faults)) return days;
  for (const TomlValue& item : value.items) {
    std::int64_t day = 0;
    store(item, {0, 6}, key, day, faults);
    days = static_cast<std::uint8_t>(days | (1u << day));
  }
  if (days == 0) faults.add(value.line, key, "names no day; leave it out for all of them");
  return days;
}

DraftOverride read_override(const TomlValue& table, std::string_view path, std::uint32_t file,
                            FaultList& faults) {
  constexpr std::array<std::string_view, 5> kKnown = {"prompt_tokens_over", "utc_start", "utc_end",
                                                      "utc_days", "price"};
  constexpr Range kTokensRange{0, 1'000'000'000};
  DraftOverride override;
  override.place = {file, table.line};
  if (!expect(table, Kind::kTable, path, faults)) return override;
  report_unknown(table, path, kKnown, faults);
  policy::PriceOverride& terms = override.terms;
  for (const TomlMember& member : table.members) {
    const std::string key = joined(path, member.key);
    if (member.key == "prompt_tokens_over") {
      terms.has_prompt_condition = true;
      store(member.value, kTokensRange, key, terms.prompt_tokens_over, faults);
    } else if (member.key == "utc_start") {
      read_minute(member, key, terms.utc_start, faults);
    } else if (member.key == "utc_end") {
      read_minute(member, key, terms.utc_end, faults);
    } else if (member.key == "utc_days") {
      terms.utc_days = read_days(member.value, key, faults);
    } else if (member.key == "price") {
      terms.prices = read_prices(member.value, key, faults).prices;
    }
  }
  return override;
}

void read_overrides(const TomlValue& array, std::string_view path, std::uint32_t file,
                    FaultList& faults, DraftEndpoint& endpoint) {
  if (!expect(array, Kind::kArray, path, faults)) return;
  for (std::size_t i = 0; i < array.items.size(); ++i) {
    endpoint.overrides.push_back(
        read_override(array.items[i], fmt::format("{}[{}]", path, i), file, faults));
  }
}

void read_models(const TomlValue& array, std::uint32_t file, CatalogueDraft& draft,
                 FaultList& faults) {
  const auto model_keys = keys_of(catalogue_model_settings());
  const auto endpoint_keys = keys_of(catalogue_endpoint_settings());
  for (std::size_t i = 0; i < array.items.size(); ++i) {
    const TomlValue& table = array.items[i];
    const std::string path = fmt::format("models[{}]", i);
    if (!expect(table, Kind::kTable, path, faults)) continue;
    DraftModel model = read_catalogue_model(table, path, file, faults);
    report_unknown(table, path, model_keys, faults);
    const TomlMember* endpoints = table.find("endpoints");
    if (endpoints == nullptr) {
      faults.add(table.line, joined(path, "endpoints"), "are missing; write who serves it");
    } else if (expect(endpoints->value, Kind::kArray, joined(path, "endpoints"), faults)) {
      model.endpoints.reserve(endpoints->value.items.size());
      for (std::size_t k = 0; k < endpoints->value.items.size(); ++k) {
        const TomlValue& item = endpoints->value.items[k];
        const std::string endpoint_path = fmt::format("{}.endpoints[{}]", path, k);
        if (!expect(item, Kind::kTable, endpoint_path, faults)) continue;
        model.endpoints.push_back(read_catalogue_endpoint(item, endpoint_path, file, faults));
        report_unknown(item, endpoint_path, endpoint_keys, faults);
      }
    }
    draft.models.push_back(std::move(model));
  }
}

}  // namespace

const DraftProvider* CatalogueDraft::find_provider(std::string_view slug) const {
  const auto found =
      std::find_if(providers.begin(), providers.end(),
                   [slug](const DraftProvider& provider) { return provider.slug == slug; });
  return found == providers.end() ? nullptr : &*found;
}

DraftProvider read_catalogue_provider(const TomlMember& member, std::string_view path,
                                      std::uint32_t file, FaultList& faults) {
  DraftProvider provider;
  provider.slug = member.key;
  provider.place = {file, member.line};
  read_known_settings(member.value, path, catalogue_provider_settings(), provider, faults);
  for (const TomlMember& own : member.value.members) {
    const std::string key = joined(path, own.key);
    if (own.key == "datacenters") {
      provider.datacenters = read_texts(own.value, key, faults);
    } else if (own.key == "data") {
      provider.data = read_data(own.value, key, faults);
    } else if (own.key == "quirks") {
      provider.quirks = read_set<policy::Quirk>(own.value, policy::kQuirks, key, faults);
    } else if (own.key == "rejects") {
      provider.rejects = read_set<policy::Parameter>(own.value, policy::kParameters, key, faults);
    }
  }
  return provider;
}

DraftModel read_catalogue_model(const TomlValue& table, std::string_view path, std::uint32_t file,
                                FaultList& faults) {
  DraftModel model;
  model.place = {file, table.line};
  read_known_settings(table, path, catalogue_model_settings(), model, faults);
  model.input = model.output = policy::ModalitySet{policy::Modality::kText};
  for (const TomlMember& own : table.members) {
    const std::string key = joined(path, own.key);
    if (own.key == "input") {
      model.input = read_set<policy::Modality>(own.value, policy::kModalities, key, faults);
    } else if (own.key == "output") {
      model.output = read_set<policy::Modality>(own.value, policy::kModalities, key, faults);
    } else if (own.key == "parameters") {
      model.parameters = read_set<policy::Parameter>(own.value, policy::kParameters, key, faults);
    } else if (own.key == "reasoning") {
      model.reasoning = read_reasoning(own.value, key, faults);
    }
  }
  return model;
}

DraftEndpoint read_catalogue_endpoint(const TomlValue& table, std::string_view path,
                                      std::uint32_t file, FaultList& faults) {
  DraftEndpoint endpoint;
  endpoint.place = {file, table.line};
  read_known_settings(table, path, catalogue_endpoint_settings(), endpoint, faults);
  for (const TomlMember& own : table.members) {
    const std::string key = joined(path, own.key);
    if (own.key == "price") {
      const ReadPrices read = read_prices(own.value, key, faults);
      endpoint.prices = read.prices;
      endpoint.unreadable = read.unreadable;
    } else if (own.key == "overrides") {
      read_overrides(own.value, key, file, faults, endpoint);
    } else if (own.key == "free") {
      endpoint.free = read_free(own.value, key, faults);
    } else if (own.key == "parameters") {
      endpoint.parameters =
          read_set<policy::Parameter>(own.value, policy::kParameters, key, faults);
    } else if (own.key == "tool_choices") {
      endpoint.tool_choices =
          read_set<policy::ToolChoice>(own.value, policy::kToolChoices, key, faults);
    } else if (own.key == "data") {
      endpoint.data = read_data(own.value, key, faults);
    } else if (own.key == "tier") {
      endpoint.tier = read_name<policy::ServiceTier>(own.value, policy::kServiceTiers, key, faults)
                          .value_or(policy::ServiceTier::kDefault);
    } else if (own.key == "quantization") {
      endpoint.quantization =
          read_name<policy::Quantization>(own.value, policy::kQuantizations, key, faults)
              .value_or(policy::Quantization::kUnknown);
    } else if (own.key == "variant") {
      endpoint.variant = read_name<policy::Variant>(own.value, policy::kVariants, key, faults);
    }
  }
  return endpoint;
}

void read_catalogue_aliases(const TomlValue& root, std::uint32_t file, CatalogueDraft& draft,
                            FaultList& faults) {
  constexpr Range kNameRange{1, 256};
  const TomlMember* aliases = root.find("aliases");
  if (aliases == nullptr || !expect(aliases->value, Kind::kTable, "aliases", faults)) return;
  for (const TomlMember& member : aliases->value.members) {
    DraftAlias alias{.name = member.key, .target = {}, .place = {file, member.line}};
    store(member.value, kNameRange, joined("aliases", printable(member.key)), alias.target, faults);
    if (!alias.target.empty()) draft.aliases.push_back(std::move(alias));
  }
}

void read_catalogue(std::string_view text, const std::string& file, CatalogueDraft& draft,
                    FaultList& faults) {
  constexpr std::array<std::string_view, 3> kRootKeys = {"providers", "models", "aliases"};
  const auto index = static_cast<std::uint32_t>(draft.files.size());
  draft.files.push_back(file);
  const auto parsed = parse_toml(text);
  if (const auto* error = std::get_if<TomlSyntaxError>(&parsed)) {
    faults.add(error->line, "",
               fmt::format("{}; nothing after this line was looked at", error->what));
    return;
  }
  const TomlValue& root = std::get<TomlValue>(parsed);
  report_unknown(root, "", kRootKeys, faults);
  const auto provider_keys = keys_of(catalogue_provider_settings());
  const TomlMember* providers = root.find("providers");
  if (providers != nullptr && expect(providers->value, Kind::kTable, "providers", faults)) {
    for (const TomlMember& member : providers->value.members) {
      const std::string path = joined("providers", printable(member.key));
      if (!expect(member.value, Kind::kTable, path, faults)) continue;
      draft.providers.push_back(read_catalogue_provider(member, path, index, faults));
      report_unknown(member.value, path, provider_keys, faults);
    }
  }
  const TomlMember* models = root.find("models");
  if (models != nullptr && expect(models->value, Kind::kArray, "models", faults)) {
    read_models(models->value, index, draft, faults);
  }
  read_catalogue_aliases(root, index, draft, faults);
}

}  // namespace leat::control
