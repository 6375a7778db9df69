// SPDX-License-Identifier: Apache-2.0
#include "control/top_command.h"

#include <fmt/format.h>

#include <string_view>

#include "control/addresses.h"
#include "control/command_line.h"
#include "control/config.h"
#include "io/local_exchange.h"
#include "proto/http1_response.h"

namespace leat::control {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 20;
constexpr Duration kWaitMax = seconds(5);
constexpr std::string_view kScheme = "http://";

TopFrame failed(std::string why, int status = kExitNoInput) {
  return {.fault = std::move(why), .status = status, .frame = {}};
}

// Nothing that could end a header line.
bool is_plain(std::string_view key) {
  for (const char c : key) {
    if (c <= 0x20 || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

TopFrame resolve(TopCommand& command, const Surroundings& surroundings) {
  if (!command.socket.empty() || !command.url.empty()) return {};
  const Config config = load_config(command.config_file, surroundings);
  const AdminOptions& admin = config.options.admin;
  command.socket = admin.socket;
  if (command.socket.empty() && admin.enabled && admin.listen.port != 0) {
    command.url = std::string(kScheme) + to_string(admin.listen);
  }
  if (!command.socket.empty() || !command.url.empty()) return {};
  return failed(fmt::format("{} has no admin listener and no admin socket", command.config_file),
                kExitConfig);
}

TopFrame ask_frame(const TopCommand& command, const Surroundings& surroundings) {
  std::string request = "GET /dashboard/frame HTTP/1.1\r\nhost: leat\r\nconnection: close\r\n";
  Result<std::string> got = fail({.code = Code::kInvalid});
  const std::string& place = command.socket.empty() ? command.url : command.socket;
  if (!command.socket.empty()) {
    got = io::exchange_locally(command.socket, request + "\r\n", kAnswerBytesMax, kWaitMax);
  } else {
    const auto key = surroundings.variable(kTopKeyVariable);
    if (key && !key->empty() && !is_plain(*key)) {
      return failed(fmt::format("{} has a control character or a space", kTopKeyVariable));
    }
    if (key && !key->empty()) request += fmt::format("authorization: Bearer {}\r\n", *key);
    std::string_view host = command.url;
    if (host.starts_with(kScheme)) host.remove_prefix(kScheme.size());
    if (host.ends_with('/')) host.remove_suffix(1);
    const auto address = io::Address::parse(std::string(host));
    if (!address)
      return failed(fmt::format("{} is no http://ADDRESS:PORT", command.url), kExitUsage);
    got = io::exchange_with(*address, request + "\r\n", kAnswerBytesMax, kWaitMax);
  }
  if (!got) return failed(fmt::format("Leat at {}: {}", place, got.error().what));
  proto::ResponseHead head;
  const auto status = proto::ResponseParser().parse(*got, head);
  if (!status.complete()) return failed(fmt::format("Leat at {}: it broke its answer off", place));
  if (head.status == 401) return failed(fmt::format("Leat at {} refuses that key", place));
  if (head.status != 200) return failed(fmt::format("Leat at {} answers {}", place, head.status));
  std::string why;
  auto frame = parse_json(got->substr(status.head_bytes), why);
  if (!frame) return failed(fmt::format("Leat at {}: {}", place, why));
  return {.frame = std::move(*frame)};
}

}  // namespace leat::control
