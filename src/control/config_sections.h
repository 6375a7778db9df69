// SPDX-License-Identifier: Apache-2.0
// The parts of parse_config(): one reader for each section of the file. Each adds to the options
// and to the faults and goes on after a fault, so that all are told at once. Limits come first,
// since providers and models take their default times from them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalogue_build.h"
#include "control/catalogue_draft.h"
#include "control/fault.h"
#include "control/surroundings.h"
#include "control/toml_tree.h"
#include "leat/options.h"

namespace leat::control {

// Choices as the file has them, in the order of their enumerations.
inline constexpr std::array<std::string_view, 2> kHardeningWords = {"try", "require"};
inline constexpr std::array<std::string_view, 3> kSteeringWords = {"auto", "core", "hash"};
inline constexpr std::array<std::string_view, 3> kHugePageWords = {"auto", "on", "off"};
inline constexpr std::array<std::string_view, 2> kAuthWords = {"keys", "off"};
inline constexpr std::array<std::string_view, 2> kDurabilityWords = {"strict", "grouped"};
inline constexpr std::array<std::string_view, 3> kAccessWords = {"off", "json", "logfmt"};
inline constexpr std::array<std::string_view, 4> kSortWords = {"balance", "price", "throughput",
                                                               "latency"};
inline constexpr std::array<std::string_view, 3> kHoldWords = {"off", "auto", "always"};
inline constexpr std::array<std::string_view, 2> kFormatWords = {"openai", "simulated"};
inline constexpr std::array<std::string_view, 3> kProtocolWords = {"http1", "http2", "auto"};
inline constexpr std::array<std::string_view, 3> kDelayedAckWords = {"off", "auto", "on"};

// A name that something else has to know, and where it was written.
struct StatedName {
  std::uint32_t line = 0;
  std::string key;
  std::string name;
};

// What the readers share while one file is read.
struct Reading {
  Options options;
  FaultList faults;
  const Surroundings& surroundings;
  std::string folder;  // of the file, with the slash; empty: the current one
  bool has_system_roots = false;
  CatalogueDraft catalogue;  // its first file is the configuration
  // Of [keys.routing]: judged when the catalogue is known.
  std::vector<StatedName> stated_slugs;
  std::vector<StatedName> stated_regions;
  // Of [[models]] that only set times of a model of the catalogue: the same.
  std::vector<StatedName> timed_models;
  // Of [[keys]], the first whose content is to be logged: there has to be a place for it.
  StatedName logged_key;
};

void read_limits(Reading& reading, const TomlValue& root);
void read_server(Reading& reading, const TomlValue& root);
void read_admin(Reading& reading, const TomlValue& root);
// [accounts]; and of [admin], whose table it is given, what says who may manage.
void read_accounts(Reading& reading, const TomlValue& root);
void read_operator(Reading& reading, const TomlValue& admin);
// A Unix socket's path is no longer than the kernel takes.
void check_socket_path(Reading& reading, std::uint32_t line, std::string_view key,
                       const std::string& path);
// After read_server(): whether no key is needed depends on who can connect.
void read_auth(Reading& reading, const TomlValue& root);
// After read_accounts(): with a store of accounts no key needs to stand in the file.
void read_keys(Reading& reading, const TomlValue& root);
// Whether the catalogue knows what [keys.routing] names.
void check_key_routing(Reading& reading, const policy::Catalogue& catalogue);
void read_routing(Reading& reading, const TomlValue& root);
// Before the models, whose own it is the default of.
void read_hold(Reading& reading, const TomlValue& root);
void read_ledger(Reading& reading, const TomlValue& root);
// [log], [content_log] and [trace]; the second after read_keys().
void read_log(Reading& reading, const TomlValue& root);
void read_content_log(Reading& reading, const TomlValue& root);
void read_trace(Reading& reading, const TomlValue& root);
void read_providers(Reading& reading, const TomlValue& root);
// After read_providers(): endpoints name them.
void read_models(Reading& reading, const TomlValue& root);

// After read_models(): the files of `catalogue`, then everything that is known of models and
// providers as one. Null, and faults in `faults` (those of other files than the configuration) or
// `reading`, if it is not sound.
std::shared_ptr<const gateway::RoutedCatalogue> read_catalogue_files(Reading& reading,
                                                                     const TomlValue& root,
                                                                     std::vector<Fault>& faults);

// { env = "NAME" } or { file = "PATH" }, looked up once to prove that it is there. With `digest`
// the SHA-256 of what was found is stored there. A fault never repeats the value, since people
// write the secret itself where its source belongs.
SecretSource read_secret_source(Reading& reading, const TomlValue& value, std::string_view key,
                                std::array<std::uint8_t, 32>* digest);

// Makes a relative path of the file one that can be opened.
std::string resolved_path(const Reading& reading, std::string_view path);

// The named table of the root; an empty one in its place if it is missing or no table.
const TomlValue& section(Reading& reading, const TomlValue& root, std::string_view key);

// The text of a PEM file that holds a block of that label; empty, and a fault, if it is not one.
std::string read_pem(Reading& reading, const std::string& path, std::string_view label,
                     std::uint32_t line, std::string_view key);

// Letters, digits, - _ and . : names stand in logs, metrics and dotted paths.
bool is_plain_name(std::string_view name);

}  // namespace leat::control
