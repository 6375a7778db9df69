// SPDX-License-Identifier: Apache-2.0
// MockServer: one thread of leat-mock: its loop, its listeners, its connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "mock/connection.h"
#include "mock/options.h"
#include "mock/tally.h"
#include "wire/link.h"
#include "wire/loop.h"

namespace leat::tools {

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
};

// "HOST:PORT" (IPv4); ends the process with a message if it is not.
ListenAddress parse_listen_address(const std::string& text, bool tls);

// A listening socket; several threads may have one each on the same port. Sets the port if it was
// 0.
int listen_on(ListenAddress& address);

class MockServer {
 public:
  MockServer(const MockOptions& options, Tally& tally, std::uint64_t seed);
  ~MockServer();

  // Takes over the socket. `tls` null: plain.
  void add_listener(int fd, SSL_CTX* tls);

  // Serves for ever.
  [[noreturn]] void run();

 private:
  class Listener;
  void take_in(int fd, SSL_CTX* tls);
  void sweep();

  Loop loop_;
  Scratch scratch_;
  Rng rng_;
  MockContext context_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t sweep_at_ = 64;  // connections; then the closed ones are taken out
};

}  // namespace leat::tools
