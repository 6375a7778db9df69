// SPDX-License-Identifier: Apache-2.0
// LooseStream: an outgoing stream between two shards: the one has let go of it (Stream::lend) and
// no other has adopted it yet (TcpStreams::adopt). Whoever holds it owns it, on any thread; its
// destructor hangs up and wipes the keys.
#pragma once

#include <memory>

#include "io/loose_socket.h"
#include "tls/session.h"

namespace leat::net {

struct LooseStream {
  std::unique_ptr<io::LooseSocket> socket;
  std::unique_ptr<tls::TlsSession> tls;  // detached; null: plain
};

}  // namespace leat::net
