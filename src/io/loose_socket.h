// SPDX-License-Identifier: Apache-2.0
// LooseSocket: a connection between two Ios: the one has let go of it (Io::release) and no other
// has adopted it yet (Io::adopt). Whoever holds it owns it, on any thread; its destructor hangs up.
#pragma once

namespace leat::io {

class LooseSocket {
 public:
  virtual ~LooseSocket() = default;
  LooseSocket(const LooseSocket&) = delete;
  LooseSocket& operator=(const LooseSocket&) = delete;

 protected:
  LooseSocket() = default;
};

}  // namespace leat::io
