// SPDX-License-Identifier: Apache-2.0
// The limit probe, epoll form: copies bytes between each client and a connection of its own to one
// server, looks at none of them. What a gateway costs above this is its own doing.
//
//   relay_epoll LISTEN_PORT SERVER_PORT      (both on 127.0.0.1)
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Pair;

// One socket of a pair.
struct End {
  int fd = -1;
  Pair* pair = nullptr;
  End* other = nullptr;
  std::string unsent;  // to this socket; rare, so a string will do
  bool watches_writing = false;
};

struct Pair {
  End client;
  End server;
  bool open = true;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Relay {
 public:
  Relay(std::uint16_t listen_port, std::uint16_t server_port);
  [[noreturn]] void run();

 private:
  void take_in();
  void serve(End& end, std::uint32_t events);
  void pass(End& to, const char* bytes, std::size_t size);
  void flush(End& end);
  void watch(End& end);
  void close(Pair& pair);

  int epoll_ = epoll_create1(0);
  int listener_ = -1;
  sockaddr_in server_;
  std::array<char, 64 * 1024> buffer_;
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::vector<Pair*> closed_;  // in this turn; events of the turn may still name them
};

Relay::Relay(std::uint16_t listen_port, std::uint16_t server_port)
    : server_(loopback(server_port)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(listen_port);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die("bind");
  }
  if (listen(listener_, 16384) != 0) die("listen");
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) die("epoll_ctl");
}

void Relay::take_in() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (client < 0) return;
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (server < 0) die("socket");
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(server, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) != 0 &&
        errno != EINPROGRESS) {
      die("connect");
    }
    pairs_.push_back(std::make_unique<Pair>());
    Pair& pair = *pairs_.back();
    pair.client = {.fd = client, .pair = &pair, .other = &pair.server};
    pair.server = {.fd = server, .pair = &pair, .other = &pair.client};
    for (End* end : {&pair.client, &pair.server}) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = end;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, end->fd, &event) != 0) die("epoll_ctl");
    }
  }
}

void Relay::close(Pair& pair) {
  if (!pair.open) return;
  pair.open = false;
  ::close(pair.client.fd);
  ::close(pair.server.fd);
  closed_.push_back(&pair);
}

void Relay::watch(End& end) {
  if (end.unsent.empty() != end.watches_writing) return;
  end.watches_writing = !end.watches_writing;
  epoll_event event{};
  event.events = end.watches_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &end;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, end.fd, &event) != 0) die("epoll_ctl");
}

void Relay::pass(End& to, const char* bytes, std::size_t size) {
  if (to.unsent.empty()) {
    const ssize_t sent = send(to.fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close(*to.pair);
    const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (taken == size) return;
    bytes += taken;
    size -= taken;
  }
  to.unsent.append(bytes, size);
  watch(to);
}

void Relay::flush(End& end) {
  const std::string rest = std::move(end.unsent);
  end.unsent.clear();
  pass(end, rest.data(), rest.size());
  if (end.pair->open) watch(end);
}

void Relay::serve(End& end, std::uint32_t events) {
  if (!end.pair->open) return;
  if ((events & EPOLLOUT) != 0 && !end.unsent.empty()) flush(end);
  if (!end.pair->open || (events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  const ssize_t got = recv(end.fd, buffer_.data(), buffer_.size(), 0);
  if (got > 0) {
    pass(*end.other, buffer_.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || errno != EAGAIN) {
    close(*end.pair);
  }
}

void Relay::run() {
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        take_in();
      } else {
        serve(*static_cast<End*>(event.data.ptr), event.events);
      }
    }
    if (closed_.empty()) continue;
    closed_.clear();
    std::erase_if(pairs_, [](const auto& pair) { return !pair->open; });
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s LISTEN_PORT SERVER_PORT\n", argv[0]);
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  Relay relay(static_cast<std::uint16_t>(std::atoi(argv[1])),
              static_cast<std::uint16_t>(std::atoi(argv[2])));
  relay.run();
}
