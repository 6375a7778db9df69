// SPDX-License-Identifier: Apache-2.0
#include "control/inherited_sockets.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string_view>

#include "control/addresses.h"
#include "control/fault.h"

namespace leat::control {
namespace {

constexpr int kDescriptorsMax = 1024;

int number_of(const Surroundings& surroundings, const std::string& name) {
  const std::string_view text = surroundings.variable(name).value_or("");
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// The name at `place` of "a:b:c"; systemd's own word for a socket without one is "unknown".
std::string_view name_at(std::string_view names, int place) {
  for (; place > 0; --place) {
    const std::size_t colon = names.find(':');
    if (colon == std::string_view::npos) return "unknown";
    names.remove_prefix(colon + 1);
  }
  return names.substr(0, names.find(':'));
}

std::optional<io::Address> address_of(const Listener& listener) {
  return io::Address::parse(to_string(Listener{.host = listener.host, .port = listener.port}));
}

bool is_configured(const io::Address& address, const Options& options) {
  const auto& listeners = options.server.listen;
  return std::any_of(listeners.begin(), listeners.end(),
                     [&](const Listener& listener) { return address_of(listener) == address; });
}

}  // namespace

std::vector<io::InheritedListener> InheritedSockets::of_shard(std::uint32_t shard) const {
  std::vector<io::InheritedListener> chosen;
  for (const io::InheritedListener& each : listen) {
    const auto same = [&](const io::InheritedListener& other) {
      return other.address == each.address;
    };
    if (std::any_of(chosen.begin(), chosen.end(), same)) continue;
    std::vector<io::InheritedListener> equals;
    std::copy_if(listen.begin(), listen.end(), std::back_inserter(equals), same);
    chosen.push_back(equals[shard % equals.size()]);
  }
  return chosen;
}

std::string open_listeners(const Options& options, std::uint32_t shards,
                           InheritedSockets& sockets) {
  const auto open = [](const io::Address& address, std::uint32_t count,
                       std::vector<io::InheritedListener>& all) -> std::string {
    const auto is_its = [&](const io::InheritedListener& each) { return each.address == address; };
    if (std::any_of(all.begin(), all.end(), is_its)) return {};
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto opened = io::InheritedListener::open(address);
      if (!opened) {
        return fmt::format("cannot listen on {}: {}", address.to_string(), opened.error().what);
      }
      all.push_back(*opened);
    }
    return {};
  };
  for (const Listener& listener : options.server.listen) {
    const auto address = address_of(listener);
    if (!address) return "cannot read the address of a listener";
    if (std::string fault = open(*address, shards, sockets.listen); !fault.empty()) return fault;
  }
  const auto admin = address_of(options.admin.listen);
  return options.admin.enabled && admin ? open(*admin, 1, sockets.admin) : std::string();
}

InheritedSockets taken_sockets(const std::vector<io::InheritedListener>& listeners,
                               const Options& options, std::uint32_t shards) {
  InheritedSockets found;
  for (const io::InheritedListener& each : listeners) {
    if (is_configured(each.address, options)) {
      found.listen.push_back(each);
    } else if (options.admin.enabled && address_of(options.admin.listen) == each.address) {
      found.admin.push_back(each);
    }
  }
  for (const io::InheritedListener& each : found.listen) {
    const auto count = std::count_if(
        found.listen.begin(), found.listen.end(),
        [&](const io::InheritedListener& other) { return other.address == each.address; });
    if (count <= static_cast<std::ptrdiff_t>(shards)) continue;
    found.fault = fmt::format(
        "the process that serves has {} shards, and this one would have {}; to change their number "
        "end it first",
        count, shards);
    break;
  }
  return found;
}

InheritedSockets inherited_sockets(const Surroundings& surroundings, int pid,
                                   const Options& options, int first) {
  InheritedSockets found;
  if (number_of(surroundings, "LISTEN_PID") != pid) return found;
  const int count = std::min(number_of(surroundings, "LISTEN_FDS"), kDescriptorsMax);
  const std::string_view names = surroundings.variable("LISTEN_FDNAMES").value_or("");
  for (int i = 0; i < count; ++i) {
    const int fd = first + i;
    const std::string_view name = name_at(names, i);
    const std::string label = fmt::format("socket {} (\"{}\")", fd, printable(name));
    const auto socket = io::InheritedListener::of(fd);
    if (!socket) {
      found.fault = label + " of the service manager is no listening TCP socket";
      return found;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    const std::string address = socket->address.to_string();
    if (name == "listen" && is_configured(socket->address, options)) {
      found.listen.push_back(*socket);
    } else if (name == "admin" && options.admin.enabled &&
               address_of(options.admin.listen) == socket->address) {
      found.admin.push_back(*socket);
    } else {
      found.fault = fmt::format(
          "{} of the service manager is at {}; the configuration has no {} there", label, address,
          name == "listen"  ? "server.listen"
          : name == "admin" ? "admin.listen"
                            : "place for that name (listen, admin)");
      return found;
    }
  }
  return found;
}

}  // namespace leat::control
