// SPDX-License-Identifier: Apache-2.0
#include "mock/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace leat::tools {

constexpr int kKernelUnsentMax = 64 * 1024;

class MockServer::Listener final : public Watcher {
 public:
  Listener(MockServer& server, int fd, SSL_CTX* tls) : server_(server), fd_(fd), tls_(tls) {}
  ~Listener() { ::close(fd_); }

  void on_ready() override {
    while (true) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) die("leat-mock: out of descriptors", errno);
        return;
      }
      server_.take_in(fd, tls_);
    }
  }

 private:
  MockServer& server_;
  int fd_;
  SSL_CTX* tls_;
};

ListenAddress parse_listen_address(const std::string& text, bool tls) {
  ListenAddress address{.tls = tls};
  const std::size_t colon = text.rfind(':');
  const char* end = text.data() + text.size();
  if (colon == std::string::npos) die("an address to listen on is HOST:PORT");
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || stop != end) die("an address to listen on is HOST:PORT");
  address.host = text.substr(0, colon);
  return address;
}

int listen_on(ListenAddress& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket", errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // Accepted sockets inherit it: for a client that does not read, an answer stops soon, instead of
  // going on for megabytes into the kernel's buffer.
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kKernelUnsentMax, sizeof kKernelUnsentMax);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address.port);
  if (inet_pton(AF_INET, address.host.c_str(), &name.sin_addr) != 1) {
    die("an address to listen on is a numeric IPv4 address");
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) die("bind", errno);
  if (listen(fd, 16384) != 0) die("listen", errno);
  socklen_t size = sizeof name;
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  address.port = ntohs(name.sin_port);
  return fd;
}

MockServer::MockServer(const MockOptions& options, Tally& tally, std::uint64_t seed)
    : rng_(seed), context_{options, loop_, scratch_, rng_, tally} {}

MockServer::~MockServer() = default;

void MockServer::add_listener(int fd, SSL_CTX* tls) {
  listeners_.push_back(std::make_unique<Listener>(*this, fd, tls));
  loop_.watch(fd, false, *listeners_.back());
}

void MockServer::take_in(int fd, SSL_CTX* tls) {
  connections_.push_back(std::make_unique<Connection>(context_, fd, tls));
}

// Between turns, when no event can name a closed connection any more.
void MockServer::sweep() {
  if (connections_.size() < sweep_at_) return;
  std::erase_if(connections_, [](const auto& connection) { return !connection->is_open(); });
  sweep_at_ = std::max<std::size_t>(64, connections_.size() * 2);
}

void MockServer::run() {
  while (true) {
    loop_.turn(kNever);
    sweep();
  }
}

}  // namespace leat::tools
