// SPDX-License-Identifier: Apache-2.0
// [server], [admin], [auth], [routing] and [limits].
#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>

#include "control/addresses.h"
#include "control/config_sections.h"
#include "control/settings_reader.h"
#include "tls/context.h"

namespace leat::control {
namespace {

constexpr std::size_t kListenersMax = 64;
constexpr std::int64_t kCoreMax = 1'023;  // CPU_SETSIZE of glibc
constexpr std::int64_t kAddressMax = 128;

// "close" or "allow"; `fallback` if the key is missing or wrong.
bool read_half_close(Reading& reading, const TomlValue& table, std::string_view path,
                     bool fallback) {
  const TomlMember* member = table.find("half_close");
  if (member == nullptr) return fallback;
  const std::string key = joined(path, "half_close");
  if (!expect(member->value, TomlValue::Kind::kText, key, reading.faults)) return fallback;
  if (member->value.text == "allow") return true;
  if (member->value.text == "close") return false;
  reading.faults.add(member->line, key,
                     fmt::format("\"{}\" is neither; write \"close\" or \"allow\"",
                                 printable(member->value.text)));
  return fallback;
}

void read_listener(Reading& reading, const TomlValue& item, const std::string& key,
                   bool half_close_allowed) {
  const TomlValue* address = &item;
  if (item.kind == TomlValue::Kind::kTable) {
    Listener ignored;
    read_settings(item, key, listener_settings(), ignored, reading.faults);
    half_close_allowed = read_half_close(reading, item, key, half_close_allowed);
    const TomlMember* member = item.find("address");
    if (member == nullptr) {
      reading.faults.add(item.line, key, "has no address; write address = \"IP:PORT\"");
      return;
    }
    address = &member->value;
  }
  std::string text;
  store(*address, {1, kAddressMax}, key, text, reading.faults);
  if (text.empty()) return;
  Parsed<Listener> listener = parse_listener(text);
  if (!listener) {
    reading.faults.add(address->line, key,
                       fmt::format("\"{}\": {}", printable(text), listener.error()));
    return;
  }
  listener->half_close_allowed = half_close_allowed;
  std::vector<Listener>& all = reading.options.server.listen;
  const bool is_double = std::any_of(all.begin(), all.end(), [&](const Listener& other) {
    return other.port != 0 && other.port == listener->port && other.host == listener->host;
  });
  if (is_double) {
    reading.faults.add(
        address->line, key,
        fmt::format("{} is listened on already; write each address once", to_string(*listener)));
    return;
  }
  all.push_back(std::move(*listener));
}

void read_listeners(Reading& reading, const TomlValue& server) {
  const TomlMember* listen = server.find("listen");
  if (listen == nullptr) {
    reading.options.server.listen = {{.host = "127.0.0.1", .port = 8080}};
    return;
  }
  if (!expect(listen->value, TomlValue::Kind::kArray, "server.listen", reading.faults)) return;
  const std::vector<TomlValue>& items = listen->value.items;
  if (items.empty() || items.size() > kListenersMax) {
    reading.faults.add(listen->line, "server.listen",
                       fmt::format("has {} listeners; write 1 to {}", items.size(), kListenersMax));
    return;
  }
  const bool half_close = read_half_close(reading, server, "server", false);
  for (std::size_t i = 0; i < items.size(); ++i) {
    read_listener(reading, items[i], fmt::format("server.listen[{}]", i), half_close);
  }
}

void read_pin(Reading& reading, const TomlValue& server) {
  const TomlMember* pin = server.find("pin");
  if (pin == nullptr) return;
  if (!expect(pin->value, TomlValue::Kind::kArray, "server.pin", reading.faults)) return;
  std::vector<std::uint32_t>& cores = reading.options.server.pin;
  for (std::size_t i = 0; i < pin->value.items.size(); ++i) {
    const std::string key = fmt::format("server.pin[{}]", i);
    std::int64_t core = -1;
    store(pin->value.items[i], {0, kCoreMax}, key, core, reading.faults);
    if (core < 0) continue;
    const auto number = static_cast<std::uint32_t>(core);
    if (std::find(cores.begin(), cores.end(), number) != cores.end()) {
      reading.faults.add(pin->value.items[i].line, key,
                         fmt::format("core {} has a shard already; name each core once", number));
    }
    cores.push_back(number);
  }
  const std::uint32_t shards = reading.options.server.shards;
  if (!pin->value.items.empty() && pin->value.items.size() != shards) {
    reading.faults.add(pin->line, "server.pin",
                       fmt::format("names {} cores for {} shards; write one core for each shard",
                                   pin->value.items.size(),
                                   shards == 0 ? "as many as there are" : std::to_string(shards)));
  }
}

// The pair as a whole: whether it is valid today and belongs together.
void check_certificate(Reading& reading, std::uint32_t line, const std::string& certificate_pem,
                       std::string& key_pem) {
  const auto context = tls::ServerContext::create(certificate_pem, key_pem);
  if (!context) reading.faults.add(line, "server.tls", context.error().what);
  explicit_bzero(key_pem.data(), key_pem.size());
}

void read_server_tls(Reading& reading, const TomlValue& server) {
  ServerOptions& options = reading.options.server;
  const TomlMember* tls = server.find("tls");
  const bool is_table =
      tls != nullptr && expect(tls->value, TomlValue::Kind::kTable, "server.tls", reading.faults);
  if (is_table) {
    read_settings(tls->value, "server.tls", server_tls_settings(), options, reading.faults);
  }
  // Without a listener that needs them the files are not looked at: a sample file names them.
  const bool is_needed = std::any_of(options.listen.begin(), options.listen.end(),
                                     [](const Listener& listener) { return listener.tls; });
  const auto read_file = [&](std::string_view key, std::string& path, std::string_view label) {
    const std::string full = joined("server.tls", key);
    const TomlMember* member = is_table ? tls->value.find(key) : nullptr;
    if (!path.empty()) path = resolved_path(reading, path);
    if (!is_needed) return std::string();
    if (member == nullptr) {
      const std::uint32_t line = is_table ? tls->line : server.find("listen")->line;
      reading.faults.add(line, full, "a tls:// listener needs it; write the path of a PEM file");
    }
    if (path.empty()) return std::string();
    return read_pem(reading, path, label, member->line, full);
  };
  const std::string certificate =
      read_file("certificate", options.tls_certificate, "-----BEGIN CERTIFICATE-----");
  std::string key = read_file("key", options.tls_key, "PRIVATE KEY-----");
  if (!certificate.empty() && !key.empty()) {
    check_certificate(reading, tls->line, certificate, key);
  }
}

void check_order(Reading& reading, const TomlValue& limits, std::string_view lesser,
                 std::uint64_t lesser_value, std::string_view greater,
                 std::uint64_t greater_value) {
  if (lesser_value <= greater_value) return;
  const TomlMember* member = limits.find(lesser);
  if (member == nullptr) member = limits.find(greater);
  const std::uint32_t line = member == nullptr ? limits.line : member->line;
  reading.faults.add(line, joined("limits", lesser),
                     fmt::format("{} is more than {} ({}); write no more than that", lesser_value,
                                 greater, greater_value));
}

}  // namespace

const TomlValue& section(Reading& reading, const TomlValue& root, std::string_view key) {
  static const TomlValue kEmpty;
  const TomlMember* member = root.find(key);
  if (member == nullptr) return kEmpty;
  return expect(member->value, TomlValue::Kind::kTable, key, reading.faults) ? member->value
                                                                             : kEmpty;
}

void read_limits(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "limits");
  Limits& limits = reading.options.limits;
  read_settings(table, "limits", limit_settings(), limits, reading.faults);
  const auto in_order = [&](std::string_view a, std::uint64_t x, std::string_view b,
                            std::uint64_t y) { check_order(reading, table, a, x, b, y); };
  in_order("head_line_bytes_max", limits.head_line_bytes_max, "head_bytes_max",
           limits.head_bytes_max);
  in_order("connections_before_key_per_address_max", limits.connections_before_key_per_address_max,
           "connections_per_address_max", limits.connections_per_address_max);
  in_order("dns_ttl_s_min", limits.dns_ttl_s_min, "dns_ttl_s_max", limits.dns_ttl_s_max);
  // Who writes a short greatest time only has not asked for a contradiction.
  if (table.find("first_byte_ms_min") == nullptr) {
    limits.first_byte_ms_min = std::min(limits.first_byte_ms_min, limits.first_byte_ms_max);
  }
  in_order("first_byte_ms_min", limits.first_byte_ms_min, "first_byte_ms_max",
           limits.first_byte_ms_max);
  in_order("first_byte_ms_max", limits.first_byte_ms_max, "request_ms_max", limits.request_ms_max);
  in_order("memory_shrink_timeouts_percent", limits.memory_shrink_timeouts_percent,
           "memory_no_keep_alive_percent", limits.memory_no_keep_alive_percent);
  in_order("memory_no_keep_alive_percent", limits.memory_no_keep_alive_percent,
           "memory_refuse_percent", limits.memory_refuse_percent);
  in_order("memory_refuse_percent", limits.memory_refuse_percent, "memory_stop_accept_percent",
           limits.memory_stop_accept_percent);
  in_order("late_shrink_timeouts_ms", limits.late_shrink_timeouts_ms, "late_no_keep_alive_ms",
           limits.late_no_keep_alive_ms);
  in_order("late_no_keep_alive_ms", limits.late_no_keep_alive_ms, "late_refuse_ms",
           limits.late_refuse_ms);
  in_order("late_refuse_ms", limits.late_refuse_ms, "late_stop_accept_ms",
           limits.late_stop_accept_ms);
}

void read_machine(Reading& reading, const TomlValue& server) {
  ServerOptions& options = reading.options.server;
  read_choice(server, "server", "hardening", kHardeningWords, options.hardening, reading.faults);
  read_choice(server, "server", "steering", kSteeringWords, options.steering, reading.faults);
  read_choice(server, "server", "huge_pages", kHugePageWords, options.huge_pages, reading.faults);
  if (options.steering == Steering::kCore && options.pin.empty()) {
    reading.faults.add(server.find("steering")->line, "server.steering",
                       "is \"core\" and no shard has one; write server.pin too");
  }
}

// A new process knows the listeners of the old one by their addresses.
void read_takeover(Reading& reading, const TomlValue& server) {
  ServerOptions& options = reading.options.server;
  if (options.takeover_socket.empty()) return;
  options.takeover_socket = resolved_path(reading, options.takeover_socket);
  const bool is_any_open = std::any_of(options.listen.begin(), options.listen.end(),
                                       [](const Listener& listener) { return listener.port == 0; });
  const std::uint32_t line = server.find("takeover_socket")->line;
  if (is_any_open) {
    reading.faults.add(line, "server.takeover_socket",
                       "needs listeners with ports; write them in server.listen");
  }
  check_socket_path(reading, line, "server.takeover_socket", options.takeover_socket);
}

void read_server(Reading& reading, const TomlValue& root) {
  const TomlValue& server = section(reading, root, "server");
  read_settings(server, "server", server_settings(), reading.options.server, reading.faults);
  read_listeners(reading, server);
  read_pin(reading, server);
  read_machine(reading, server);
  read_takeover(reading, server);
  read_server_tls(reading, server);
}

void read_admin(Reading& reading, const TomlValue& root) {
  const TomlValue& admin = section(reading, root, "admin");
  AdminOptions& options = reading.options.admin;
  read_settings(admin, "admin", admin_settings(), options, reading.faults);
  read_operator(reading, admin);
  const TomlMember* listen = admin.find("listen");
  // Only server.listen can clash with an admin address that was not written.
  const TomlMember* server = root.find("server");
  const std::uint32_t line =
      listen != nullptr ? listen->line : (server != nullptr ? server->line : root.line);
  if (listen != nullptr) {
    std::string text;
    store(listen->value, {0, kAddressMax}, "admin.listen", text, reading.faults);
    options.enabled = !text.empty();
    if (!options.enabled) return;
    Parsed<Listener> listener = parse_listener(text);
    if (!listener) {
      reading.faults.add(line, "admin.listen",
                         fmt::format("\"{}\": {}", printable(text), listener.error()));
      return;
    }
    options.listen = std::move(*listener);
  }
  if (options.listen.tls) {
    reading.faults.add(line, "admin.listen", "TLS is not offered here; write \"127.0.0.1:PORT\"");
  }
  if (!is_loopback(options.listen)) {
    reading.faults.add(line, "admin.listen",
                       "is not a loopback address, and health and metrics ask for no key; write "
                       "\"127.0.0.1:PORT\" or \"[::1]:PORT\"");
  }
  for (const Listener& other : reading.options.server.listen) {
    if (other.port != 0 && other.port == options.listen.port && other.host == options.listen.host) {
      reading.faults.add(
          line, "admin.listen",
          fmt::format("{} is in server.listen too; write another port", to_string(other)));
    }
  }
}

void read_auth(Reading& reading, const TomlValue& root) {
  const TomlValue& auth = section(reading, root, "auth");
  AuthKeys ignored;
  read_settings(auth, "auth", auth_settings(), ignored, reading.faults);
  read_choice(auth, "auth", "mode", kAuthWords, reading.options.auth_mode, reading.faults);
  if (reading.options.auth_mode != AuthMode::kOff) return;
  const TomlMember* mode = auth.find("mode");
  for (const Listener& listener : reading.options.server.listen) {
    if (is_loopback(listener)) continue;
    reading.faults.add(mode->line, "auth.mode",
                       fmt::format("\"off\" with a listener on {}, which others can reach; write "
                                   "\"keys\" or listen on loopback only",
                                   to_string(listener)));
  }
}

void read_routing(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "routing");
  RoutingOptions& routing = reading.options.routing;
  read_settings(table, "routing", routing_settings(), routing, reading.faults);
  if (!routing.health_file.empty()) {
    routing.health_file = resolved_path(reading, routing.health_file);
  }
  read_choice(table, "routing", "sort", kSortWords, routing.sort, reading.faults);
}

void read_hold(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "hold");
  HoldOptions& hold = reading.options.hold;
  read_settings(table, "hold", hold_settings(), hold, reading.faults);
  read_choice(table, "hold", "mode", kHoldWords, hold.mode, reading.faults);
}

void read_ledger(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "ledger");
  LedgerSettings& ledger = reading.options.ledger;
  read_settings(table, "ledger", ledger_settings(), ledger, reading.faults);
  if (!ledger.folder.empty()) ledger.folder = resolved_path(reading, ledger.folder);
  read_choice(table, "ledger", "mode", kDurabilityWords, ledger.mode, reading.faults);
}

}  // namespace leat::control
