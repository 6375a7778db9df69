// SPDX-License-Identifier: Apache-2.0
// [accounts], and who may manage them.
#include <fmt/format.h>

#include "control/account_secrets.h"
#include "control/config_sections.h"
#include "control/secret_text.h"
#include "control/settings_reader.h"

namespace leat::control {
namespace {

// Length of sockaddr_un::sun_path, less its final NUL (unix(7)).
constexpr std::size_t kSocketPathMax = 107;

// The source that a member names, if what is found there will do: `fault_of` says what is wrong
// with it, or nothing.
template <class FaultOf>
SecretSource read_judged(Reading& reading, const TomlValue& table, std::string_view path,
                         std::string_view key, FaultOf fault_of) {
  const TomlMember* member = table.find(key);
  if (member == nullptr) return {};
  const std::string full = joined(path, key);
  SecretSource source = read_secret_source(reading, member->value, full, nullptr);
  SecretText secret;
  if (source.kind == SecretSource::Kind::kNone || !secret.read(source, reading.surroundings)) {
    return source;
  }
  if (const std::string fault = fault_of(secret.view()); !fault.empty()) {
    reading.faults.add(member->line, full, fault);
  }
  return source;
}

}  // namespace

void read_accounts(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "accounts");
  AccountSettings& accounts = reading.options.accounts;
  read_settings(table, "accounts", account_settings(), accounts, reading.faults);
  if (!accounts.store_file.empty()) {
    accounts.store_file = resolved_path(reading, accounts.store_file);
  }
  accounts.master_key = read_judged(reading, table, "accounts", "master_key", master_key_fault);
}

void check_socket_path(Reading& reading, std::uint32_t line, std::string_view key,
                       const std::string& path) {
  if (path.size() <= kSocketPathMax) return;
  reading.faults.add(line, std::string(key),
                     fmt::format("is a path of {} bytes, more than a socket's may have; write one "
                                 "of {} at most, its folder's included",
                                 path.size(), kSocketPathMax));
}

void read_operator(Reading& reading, const TomlValue& admin) {
  AdminOptions& options = reading.options.admin;
  options.operator_key = read_judged(reading, admin, "admin", "operator_key", operator_key_fault);
  if (options.socket.empty()) return;
  options.socket = resolved_path(reading, options.socket);
  check_socket_path(reading, admin.find("socket")->line, "admin.socket", options.socket);
}

}  // namespace leat::control
