// SPDX-License-Identifier: Apache-2.0
// A socket that listened before this process began, and will after it: owned by whoever made it.
#pragma once

#include <optional>

#include "base/result.h"
#include "io/address.h"

namespace leat::io {

struct InheritedListener {
  Address address;
  int fd = -1;

  // Opens one: of each address as many as are wanted may be open. Errors name what the kernel said.
  static Result<InheritedListener> open(const Address& address);
  // None: the descriptor is no listening TCP socket.
  static std::optional<InheritedListener> of(int fd);
};

}  // namespace leat::io
