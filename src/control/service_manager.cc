// SPDX-License-Identifier: Apache-2.0
#include "control/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

namespace leat::control {
namespace {

// A number that is the whole of the variable; 0 if there is none.
std::uint64_t number_of(const Surroundings& surroundings, const std::string& name) {
  const std::string_view text = surroundings.variable(name).value_or("");
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

ServiceManager::ServiceManager(const Surroundings& surroundings, int pid) {
  path_ = surroundings.variable("NOTIFY_SOCKET").value_or("");
  const bool is_name = path_.size() > 1 && (path_[0] == '/' || path_[0] == '@');
  if (!is_name || path_.size() >= sizeof sockaddr_un::sun_path) return;
  if (path_[0] == '@') path_[0] = '\0';
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const std::uint64_t watched = number_of(surroundings, "WATCHDOG_PID");
  if (watched != 0 && watched != static_cast<std::uint64_t>(pid)) return;
  constexpr std::uint64_t kLongest = 3'600'000'000;  // an hour: more is no watch
  const std::uint64_t waits = std::min(number_of(surroundings, "WATCHDOG_USEC"), kLongest);
  watchdog_interval_ = microseconds(static_cast<std::int64_t>(waits / 2));
}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) close(fd_);
}

void ServiceManager::tell(std::string_view lines) const {
  if (fd_ < 0) return;
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::copy(path_.begin(), path_.end(), address.sun_path);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  sendto(fd_, lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
         length);
}

}  // namespace leat::control
