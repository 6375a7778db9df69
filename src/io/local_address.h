// SPDX-License-Identifier: Apache-2.0
// LocalAddress: the path of a Unix socket in the kernel's form. Private to io.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace leat::io {

class LocalAddress {
 public:
  // None: empty, or longer than the kernel takes.
  static std::optional<LocalAddress> of(std::string_view path) {
    LocalAddress made;
    if (path.empty() || path.size() >= sizeof made.address_.sun_path) return std::nullopt;
    made.address_.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), made.address_.sun_path);
    return made;
  }
  const sockaddr* any() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t length() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

}  // namespace leat::io
