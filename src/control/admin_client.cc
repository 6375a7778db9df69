// SPDX-License-Identifier: Apache-2.0
#include "control/admin_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/addresses.h"
#include "control/check_report.h"
#include "control/command_line.h"
#include "control/config.h"
#include "io/local_exchange.h"
#include "proto/http1_response.h"

namespace leat::control {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 20;
constexpr std::string_view kScheme = "http://";

// Nothing that could end a header line.
bool is_plain(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c != 0x7f; });
}

// Whether the file says nothing of where its Leat listens, or nothing that holds. A secret that
// only the service can read is no reason not to ask it.
bool is_place_open(const Config& config, const std::string& file) {
  return std::any_of(config.faults.begin(), config.faults.end(), [&](const Fault& fault) {
    return fault.file == file && (fault.key.empty() || fault.key == "admin" ||
                                  fault.key == "admin.listen" || fault.key == "admin.socket");
  });
}

AdminAnswer failed(const AdminPlace& place, std::string_view why, int status = kExitNoInput) {
  return {.fault = {told_of(place, why), status}, .status = 0, .body = {}};
}

// `request` lacks the empty line that ends it.
Result<std::string> ask_listener(const io::Address& address, std::string request,
                                 std::string_view key, Duration wait_max) {
  if (!key.empty()) request += fmt::format("authorization: Bearer {}\r\n", key);
  return io::exchange_with(address, request + "\r\n", kAnswerBytesMax, wait_max);
}

}  // namespace

AdminFault resolve(AdminPlace& place, const Surroundings& surroundings) {
  if (!place.socket.empty() || !place.url.empty()) return {};
  const Config config = load_config(place.config_file, surroundings);
  if (is_place_open(config, place.config_file)) {
    std::string report = check_report(place.config_file, config);
    while (report.ends_with('\n')) report.pop_back();
    return {std::move(report), kExitConfig};
  }
  const AdminOptions& admin = config.options.admin;
  place.socket = admin.socket;
  if (place.socket.empty() && admin.enabled && admin.listen.port != 0) {
    place.url = std::string(kScheme) + to_string(admin.listen);
  }
  if (!place.socket.empty() || !place.url.empty()) return {};
  return {fmt::format("{} has no admin listener and no admin socket", place.config_file),
          kExitConfig};
}

std::string told_of(const AdminPlace& place, std::string_view why) {
  return fmt::format("Leat at {}: {}", place.socket.empty() ? place.url : place.socket, why);
}

AdminAnswer ask_admin(const AdminPlace& place, std::string_view method, std::string_view target,
                      Duration wait_max, const Surroundings& surroundings) {
  std::string request =
      fmt::format("{} {} HTTP/1.1\r\nhost: leat\r\nconnection: close\r\n", method, target);
  if (method != "GET") request += "content-length: 0\r\n";
  Result<std::string> got = fail({.code = Code::kInvalid});
  if (!place.socket.empty()) {
    got = io::exchange_locally(place.socket, request + "\r\n", kAnswerBytesMax, wait_max);
  } else {
    const std::string_view key = surroundings.variable(kOperatorKeyVariable).value_or("");
    if (!is_plain(key)) {
      return failed(place,
                    fmt::format("{} has a control character or a space", kOperatorKeyVariable));
    }
    std::string_view host = place.url;
    if (host.starts_with(kScheme)) host.remove_prefix(kScheme.size());
    if (host.ends_with('/')) host.remove_suffix(1);
    const auto address = io::Address::parse(std::string(host));
    if (!address) return failed(place, "that is no http://ADDRESS:PORT", kExitUsage);
    got = ask_listener(*address, std::move(request), key, wait_max);
  }
  if (!got) return failed(place, got.error().what);
  proto::ResponseHead head;
  const auto parsed = proto::ResponseParser().parse(*got, head);
  if (!parsed.complete()) return failed(place, "it broke its answer off");
  if (head.status == 401) return failed(place, "it refuses that key");
  return {.fault = {}, .status = head.status, .body = got->substr(parsed.head_bytes)};
}

}  // namespace leat::control
