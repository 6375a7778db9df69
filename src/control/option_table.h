// SPDX-License-Identifier: Apache-2.0
// The table of settings: one row each, and everything that depends on the set of settings is driven
// by it: reading and range check (config_reader), suggestions for misspelt keys, the reference page
// (config_reference), and which settings a reload may change. Defaults are not repeated here: they
// are what a default-constructed options struct holds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "leat/options.h"

namespace leat::control {

// kFixed: needs a restart or a takeover, since listeners, threads or files are made of it. kLive:
// part of the snapshot that shards are handed, and read from it at use, so it can be exchanged
// while they run.
enum class Reload : std::uint8_t { kFixed, kLive };

// A setting whose value is no plain number, word or switch: read by code of its own.
struct OwnForm {
  std::string_view form;      // "array of text", for the reference
  std::string_view fallback;  // its default, for the reference; empty: must be given
};

template <class S>
struct Setting {
  using Target = std::variant<OwnForm, std::uint32_t S::*, std::uint64_t S::*, std::int64_t S::*,
                              bool S::*, std::string S::*>;
  std::string_view key;
  Target target;
  std::int64_t min = 0;  // of a number; of text: the least number of bytes
  std::int64_t max = 0;  // of a number; of text: the greatest number of bytes
  Reload reload = Reload::kLive;
  std::string_view meaning;
  std::string_view fallback = {};  // where the default is not the struct's own: what it is
};

// Stand-ins for the two tables of the file that have no struct of their own.
struct RootKeys {};
struct AuthKeys {};

std::span<const Setting<RootKeys>> root_settings();
std::span<const Setting<ServerOptions>> server_settings();
std::span<const Setting<ServerOptions>> server_tls_settings();
std::span<const Setting<Listener>> listener_settings();
std::span<const Setting<AdminOptions>> admin_settings();
std::span<const Setting<AccountSettings>> account_settings();
std::span<const Setting<AuthKeys>> auth_settings();
std::span<const Setting<ClientKey>> key_settings();
std::span<const Setting<Provider>> provider_settings();
std::span<const Setting<SimulatedOptions>> simulated_settings();
std::span<const Setting<Model>> model_settings();
std::span<const Setting<Endpoint>> endpoint_settings();
std::span<const Setting<SecretSource>> secret_settings();
std::span<const Setting<KeyLimits>> key_limit_settings();
std::span<const Setting<KeyRouting>> key_routing_settings();
std::span<const Setting<RoutingOptions>> routing_settings();
std::span<const Setting<HoldOptions>> hold_settings();
std::span<const Setting<LedgerSettings>> ledger_settings();
std::span<const Setting<LogSettings>> log_settings();
std::span<const Setting<ContentLogSettings>> content_log_settings();
std::span<const Setting<TraceSettings>> trace_settings();
std::span<const Setting<Limits>> limit_settings();

}  // namespace leat::control
