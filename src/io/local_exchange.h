// SPDX-License-Identifier: Apache-2.0
// One exchange with whoever listens on a Unix socket, or at an address, for command lines: it
// blocks. No shard and no server ever calls it.
#pragma once

#include <string>
#include <string_view>

#include "base/instant.h"
#include "base/result.h"
#include "io/address.h"

namespace leat::io {

// Sends `request` and returns all that comes until the peer ends the connection, up to `bytes_max`.
// kRefused: nobody listens there, so nothing was asked. Any other error: it may have been.
// `wait_max` bounds each wait for the peer.
Result<std::string> exchange_locally(const std::string& path, std::string_view request,
                                     std::size_t bytes_max, Duration wait_max);

// The same over TCP.
Result<std::string> exchange_with(const Address& address, std::string_view request,
                                  std::size_t bytes_max, Duration wait_max);

}  // namespace leat::io
