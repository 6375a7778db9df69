// SPDX-License-Identifier: Apache-2.0
// [providers.NAME] and [[models]].
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "control/addresses.h"
#include "control/catalogue_reader.h"
#include "control/config.h"
#include "control/config_sections.h"
#include "control/settings_reader.h"
#include "tls/trusted_roots.h"

namespace leat::control {
namespace {

constexpr std::size_t kProvidersMax = 256;
constexpr std::size_t kModelsMax = 10'000;
constexpr std::size_t kEndpointsMax = 16;
constexpr std::size_t kApiKeysMax = 64;
constexpr std::size_t kProviderNameMax = 128;
constexpr std::int64_t kUrlMax = 1'024;

// The root's member of that name if it has the kind; null, and a fault if it is something else.
const TomlMember* member_of(Reading& reading, const TomlValue& root, std::string_view key,
                            TomlValue::Kind kind) {
  const TomlMember* member = root.find(key);
  if (member == nullptr) return nullptr;
  return expect(member->value, kind, key, reading.faults) ? member : nullptr;
}

// False, with its fault, if the format is none that we speak.
bool read_format(Reading& reading, const TomlValue& table, const std::string& path,
                 Provider& provider) {
  if (table.find("format") == nullptr) return true;
  const auto place = find_choice(table, path, "format", kFormatWords, reading.faults);
  if (place) provider.format = static_cast<ProviderFormat>(*place);
  return place.has_value();
}

void read_base_url(Reading& reading, const TomlValue& table, const std::string& path,
                   Provider& provider) {
  const TomlMember* base_url = table.find("base_url");
  if (base_url == nullptr) {
    reading.faults.add(table.line, joined(path, "base_url"),
                       "is missing; write \"https://HOST/PREFIX\"");
    return;
  }
  const std::string key = joined(path, "base_url");
  std::string text;
  store(base_url->value, {1, kUrlMax}, key, text, reading.faults);
  if (text.empty()) return;
  Parsed<BaseUrl> url = parse_base_url(text);
  if (!url) {
    reading.faults.add(base_url->line, key, url.error());
    return;
  }
  provider.base_url = std::move(*url);
  if (provider.allow_private) return;
  if (!provider.base_url.tls) {
    reading.faults.add(base_url->line, key,
                       "http:// sends prompts and keys in the clear; write https://, or "
                       "allow_private = true for a provider in your own network");
  } else if (is_private_host(provider.base_url.host)) {
    reading.faults.add(base_url->line, key,
                       "is a private or loopback address; write allow_private = true if it is "
                       "meant to be one");
  }
}

// Whom the provider's certificate may be vouched for by: a file of its own, or the system's.
void read_ca_file(Reading& reading, const TomlValue& table, const std::string& path,
                  Provider& provider) {
  if (provider.ca_file.empty()) {
    const bool has_url = !provider.base_url.host.empty();
    if (!has_url || !provider.base_url.tls || reading.has_system_roots) return;
    reading.faults.add(table.line, joined(path, "ca_file"),
                       fmt::format("there is no {}; install the system's authorities (Debian: "
                                   "ca-certificates) or write the path of a PEM file",
                                   kSystemRootsFile));
    return;
  }
  provider.ca_file = resolved_path(reading, provider.ca_file);
  const std::uint32_t line = table.find("ca_file")->line;
  const std::string key = joined(path, "ca_file");
  const std::string roots =
      read_pem(reading, provider.ca_file, "-----BEGIN CERTIFICATE-----", line, key);
  if (roots.empty()) return;
  if (const auto read = tls::TrustedRoots::read(roots); !read) {
    reading.faults.add(line, key, read.error().what);
  }
}

// What only a provider with a network has makes no sense for the built-in one, and the reverse.
void check_fitting(Reading& reading, const TomlValue& table, const std::string& path,
                   const Provider& provider) {
  const auto refuse = [&](std::string_view key, std::string_view why) {
    if (const TomlMember* member = table.find(key)) {
      reading.faults.add(member->line, joined(path, key), std::string(why));
    }
  };
  if (provider.format == ProviderFormat::kSimulated) {
    for (const std::string_view key : {"base_url", "protocol", "delayed_acks", "ca_file", "api_key",
                                       "api_keys", "allow_private"}) {
      refuse(key, "the simulated provider has no network; leave it out");
    }
  } else {
    refuse("simulated", "needs format = \"simulated\"");
  }
}

// How many connections may stand idle follows how many there may be.
void check_pool(Reading& reading, const TomlValue& table, const std::string& path,
                Provider& provider) {
  const TomlMember* idle = table.find("idle_connections_max");
  if (idle == nullptr) {
    provider.idle_connections_max =
        std::min(provider.idle_connections_max, provider.connections_max);
  } else if (provider.idle_connections_max > provider.connections_max) {
    reading.faults.add(idle->line, joined(path, idle->key),
                       "is more than connections_max; write no more than that");
  }
  const TomlMember* warm = table.find("warm_connections");
  if (warm != nullptr && provider.warm_connections > provider.idle_connections_max) {
    reading.faults.add(warm->line, joined(path, warm->key),
                       "is more than idle_connections_max; write no more than that");
  }
}

void read_simulated(Reading& reading, const TomlValue& table, const std::string& path,
                    Provider& provider) {
  const TomlMember* simulated = table.find("simulated");
  if (simulated == nullptr) return;
  const std::string key = joined(path, "simulated");
  if (!expect(simulated->value, TomlValue::Kind::kTable, key, reading.faults)) return;
  read_settings(simulated->value, key, simulated_settings(), provider.simulated, reading.faults);
}

// One key, or several of which each is another: the same one twice would be held to have twice its
// limits.
void read_api_keys(Reading& reading, const TomlValue& table, const std::string& path,
                   Provider& provider) {
  const TomlMember* one = table.find("api_key");
  const TomlMember* several = table.find("api_keys");
  if (one != nullptr) {
    provider.api_keys.push_back(
        read_secret_source(reading, one->value, joined(path, "api_key"), nullptr));
  }
  if (several == nullptr) return;
  const std::string key = joined(path, "api_keys");
  if (one != nullptr) {
    reading.faults.add(several->line, key, "stands beside api_key; write one of the two");
    return;
  }
  if (!expect(several->value, TomlValue::Kind::kArray, key, reading.faults)) return;
  const std::vector<TomlValue>& items = several->value.items;
  if (items.empty() || items.size() > kApiKeysMax) {
    reading.faults.add(several->line, key,
                       fmt::format("has {}; write 1 to {}", items.size(), kApiKeysMax));
    return;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item_key = fmt::format("{}[{}]", key, i);
    SecretSource source = read_secret_source(reading, items[i], item_key, nullptr);
    const bool is_double =
        source.kind != SecretSource::Kind::kNone &&
        std::any_of(provider.api_keys.begin(), provider.api_keys.end(),
                    [&](const SecretSource& other) {
                      return other.kind == source.kind && other.name == source.name;
                    });
    if (is_double) {
      reading.faults.add(items[i].line, item_key, "is named already; write each key once");
    }
    provider.api_keys.push_back(std::move(source));
  }
}

void read_provider(Reading& reading, const TomlMember& member) {
  const TomlValue& table = member.value;
  const std::string path = joined("providers", printable(member.key));
  if (!expect(table, TomlValue::Kind::kTable, path, reading.faults)) return;
  const Limits& limits = reading.options.limits;
  Provider provider;
  provider.name = member.key;
  provider.display_name = member.key;
  provider.idle_ms_max = limits.upstream_idle_ms_max;
  provider.dns_ms_max = limits.dns_ms_max;
  provider.connect_ms_max = limits.connect_ms_max;
  provider.tls_handshake_ms_max = limits.upstream_tls_handshake_ms_max;
  if (member.key.empty() || member.key.size() > kProviderNameMax || !is_plain_name(member.key)) {
    reading.faults.add(member.line, path,
                       fmt::format("the name may have letters, digits, - _ and . only, 1 to {}",
                                   kProviderNameMax));
  }
  read_known_settings(table, path, provider_settings(), provider, reading.faults);
  report_unknown(table, path, keys_of(provider_settings(), catalogue_provider_settings()),
                 reading.faults);
  DraftProvider facts = read_catalogue_provider(member, path, 0, reading.faults);
  facts.connection = static_cast<std::uint32_t>(reading.options.providers.size());
  check_pool(reading, table, path, provider);
  // Without a format that we know there is no telling which of the other settings it needs.
  if (read_format(reading, table, path, provider)) {
    check_fitting(reading, table, path, provider);
    if (provider.format == ProviderFormat::kSimulated) {
      read_simulated(reading, table, path, provider);
    } else {
      read_base_url(reading, table, path, provider);
      read_choice(table, path, "protocol", kProtocolWords, provider.protocol, reading.faults);
      read_choice(table, path, "delayed_acks", kDelayedAckWords, provider.delayed_acks,
                  reading.faults);
      read_ca_file(reading, table, path, provider);
      read_api_keys(reading, table, path, provider);
    }
  }
  facts.host = provider.base_url.host;
  reading.catalogue.providers.push_back(std::move(facts));
  reading.options.providers.push_back(std::move(provider));
}

// Model names go into JSON and, with some providers, into paths: visible ASCII that needs no
// escape.
bool is_model_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

void check_model_name(Reading& reading, const TomlMember& member, const std::string& key,
                      std::string_view name, bool may_have_star) {
  if (!is_model_name(name)) {
    reading.faults.add(member.line, key, "may have visible ASCII without \" and \\ only");
  }
  const std::size_t star = name.find('*');
  if (star == std::string_view::npos || may_have_star) return;
  reading.faults.add(member.line, key,
                     "a star stands only as \"prefix/*\" in an id and as \"*\" in the endpoints of "
                     "such an id");
}

void read_endpoint(Reading& reading, const TomlValue& table, const std::string& path, Model& model,
                   DraftModel& facts) {
  if (!expect(table, TomlValue::Kind::kTable, path, reading.faults)) return;
  Endpoint endpoint;
  read_known_settings(table, path, endpoint_settings(), endpoint, reading.faults);
  report_unknown(table, path, keys_of(endpoint_settings(), catalogue_endpoint_settings()),
                 reading.faults);
  const TomlMember* name = table.find("model");
  if (name == nullptr) {
    reading.faults.add(table.line, joined(path, "model"),
                       "is missing; write the provider's own name for the model");
  } else {
    check_model_name(reading, *name, joined(path, "model"), endpoint.model,
                     model.is_pattern() && endpoint.model == "*");
  }
  const TomlMember* provider = table.find("provider");
  const std::string key = joined(path, "provider");
  if (provider == nullptr) {
    reading.faults.add(table.line, key, "is missing; write the name of a provider");
    return;
  }
  if (!expect(provider->value, TomlValue::Kind::kText, key, reading.faults)) return;
  const std::vector<Provider>& all = reading.options.providers;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Provider& candidate) {
    return candidate.name == provider->value.text;
  });
  if (found == all.end()) {
    std::vector<std::string_view> known;
    for (const Provider& candidate : all) known.push_back(candidate.name);
    const std::string_view near = nearest(provider->value.text, known);
    reading.faults.add(provider->line, key,
                       fmt::format("there is no [providers.{}]{}", printable(provider->value.text),
                                   near.empty() ? "; write one of those that there are"
                                                : fmt::format("; did you mean \"{}\"?", near)));
    return;
  }
  endpoint.provider = static_cast<std::uint32_t>(found - all.begin());
  const bool has_name = !endpoint.model.empty();
  model.endpoints.push_back(std::move(endpoint));
  if (!has_name) return;
  facts.endpoints.push_back(read_catalogue_endpoint(table, path, 0, reading.faults));
}

// How long its requests may take; what it does not say is as the limits have it.
void settle_times(Reading& reading, const TomlValue& table, const std::string& path, Model& model) {
  const Limits& limits = reading.options.limits;
  const auto fill = [](std::uint32_t& time, std::uint32_t common) {
    if (time == 0) time = common;
  };
  fill(model.first_byte_ms_max, limits.first_byte_ms_max);
  fill(model.chunk_gap_ms_max, limits.chunk_gap_ms_max);
  fill(model.request_ms_max, limits.request_ms_max);
  fill(model.first_byte_ms_min, std::min(limits.first_byte_ms_min, model.first_byte_ms_max));
  if (model.first_byte_ms_min <= model.first_byte_ms_max) return;
  reading.faults.add(table.find("first_byte_ms_min")->line, joined(path, "first_byte_ms_min"),
                     fmt::format("{} is more than its first_byte_ms_max ({}); write no more than "
                                 "that",
                                 model.first_byte_ms_min, model.first_byte_ms_max));
}

// A model without endpoints here stands in a file of the catalogue, which says all of it but how
// long its requests may take, and whether they are hedged or carried on.
void read_model_times(Reading& reading, const TomlValue& table, const std::string& path,
                      Model& model) {
  constexpr std::array<std::string_view, 8> kKnown = {"id",
                                                      "first_byte_ms_min",
                                                      "first_byte_ms_max",
                                                      "chunk_gap_ms_max",
                                                      "continuation",
                                                      "request_ms_max",
                                                      "hedge",
                                                      "hold_ms_max"};
  for (const TomlMember& member : table.members) {
    if (std::find(kKnown.begin(), kKnown.end(), member.key) != kKnown.end()) continue;
    reading.faults.add(member.line, joined(path, member.key),
                       "is not set for a model without endpoints, whose file of the catalogue says "
                       "it; write its endpoints too, or its times only (and continuation)");
  }
  const TomlMember* id = table.find("id");
  if (id == nullptr || model.id.empty()) return;
  reading.timed_models.push_back({id->line, joined(path, "id"), model.id});
}

void read_model(Reading& reading, const TomlValue& table, const std::string& path,
                bool may_lack_endpoints) {
  Model model;
  model.hedge = reading.options.routing.hedge;
  model.hold_ms_max = reading.options.hold.ms_max;
  read_known_settings(table, path, model_settings(), model, reading.faults);
  settle_times(reading, table, path, model);
  report_unknown(table, path, keys_of(model_settings(), catalogue_model_settings()),
                 reading.faults);
  DraftModel facts = read_catalogue_model(table, path, 0, reading.faults);
  facts.may_lack_prices = true;
  // The short form says little; what a model takes and gives is then its endpoints' to judge.
  if (table.find("input") == nullptr) facts.input = {};
  if (table.find("output") == nullptr) facts.output = {};
  if (const TomlMember* id = table.find("id")) {
    const bool is_pattern = model.id.size() > 2 && model.id.ends_with("/*") &&
                            model.id.find('*') == model.id.size() - 1;
    check_model_name(reading, *id, joined(path, "id"), model.id, is_pattern);
  } else {
    reading.faults.add(table.line, joined(path, "id"), "is missing; write what clients ask for");
  }
  if (model.name.empty()) model.name = model.id;
  const TomlMember* endpoints = table.find("endpoints");
  if (endpoints == nullptr && may_lack_endpoints) {
    read_model_times(reading, table, path, model);
    reading.options.models.push_back(std::move(model));
    return;
  }
  const std::string key = joined(path, "endpoints");
  if (endpoints == nullptr) {
    reading.faults.add(table.line, key,
                       "are missing; write [{ provider = \"...\", model = \"...\" }]");
  } else if (expect(endpoints->value, TomlValue::Kind::kArray, key, reading.faults)) {
    const std::vector<TomlValue>& items = endpoints->value.items;
    if (items.empty() || items.size() > kEndpointsMax) {
      reading.faults.add(endpoints->line, key,
                         fmt::format("has {}; write 1 to {}", items.size(), kEndpointsMax));
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      read_endpoint(reading, items[i], fmt::format("{}[{}]", key, i), model, facts);
    }
  }
  facts.hidden = facts.hidden || model.is_pattern();  // it names no model of its own
  if (!model.id.empty()) reading.catalogue.models.push_back(std::move(facts));
  reading.options.models.push_back(std::move(model));
}

}  // namespace

void read_providers(Reading& reading, const TomlValue& root) {
  const TomlMember* providers = member_of(reading, root, "providers", TomlValue::Kind::kTable);
  if (providers == nullptr) return;
  if (providers->value.members.size() > kProvidersMax) {
    reading.faults.add(providers->line, "providers", fmt::format("more than {}", kProvidersMax));
    return;
  }
  for (const TomlMember& member : providers->value.members) read_provider(reading, member);
}

void read_models(Reading& reading, const TomlValue& root) {
  const TomlMember* models = member_of(reading, root, "models", TomlValue::Kind::kArray);
  const std::size_t count = models == nullptr ? 0 : models->value.items.size();
  // The files of `catalogue` may have them all.
  if (models == nullptr && root.find("catalogue") != nullptr) return;
  if (count == 0 || count > kModelsMax) {
    if (models == nullptr && root.find("models") != nullptr) return;  // told already
    reading.faults.add(models == nullptr ? root.line : models->line, "models",
                       fmt::format("there are {}; write 1 to {} [[models]]", count, kModelsMax));
    return;
  }
  std::unordered_map<std::string, std::uint32_t> ids;
  for (std::size_t i = 0; i < count; ++i) {
    const TomlValue& table = models->value.items[i];
    const std::string path = fmt::format("models[{}]", i);
    if (!expect(table, TomlValue::Kind::kTable, path, reading.faults)) continue;
    read_model(reading, table, path, root.find("catalogue") != nullptr);
    const std::string& id = reading.options.models.back().id;
    const auto [first, is_new] = ids.emplace(id, table.line);
    if (!id.empty() && !is_new) {
      std::vector<DraftModel>& facts = reading.catalogue.models;
      if (!facts.empty() && facts.back().place.line == table.line) facts.pop_back();
      reading.faults.add(table.find("id")->line, joined(path, "id"),
                         fmt::format("\"{}\" stands in line {} too; write each model once",
                                     printable(id), first->second));
    }
  }
}

}  // namespace leat::control
