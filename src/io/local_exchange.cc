// SPDX-License-Identifier: Apache-2.0
#include "io/local_exchange.h"

#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "io/local_address.h"
#include "io/sockaddr.h"

namespace leat::io {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error broken(const char* what) {
  const bool is_late = errno == EAGAIN || errno == EWOULDBLOCK;
  return {.code = is_late ? Code::kTimedOut : Code::kReset, .os_errno = errno, .what = what};
}

Result<std::string> exchange(const sockaddr* address, socklen_t length, std::string_view request,
                             std::size_t bytes_max, Duration wait_max) {
  const Descriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval wait{};
  wait.tv_sec = wait_max.ms() / 1000;
  wait.tv_usec = wait_max.ms() % 1000 * 1000;
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (::connect(socket.get(), address, length) != 0) {
    const bool is_nobody = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
    return fail({.code = is_nobody ? Code::kRefused : Code::kInvalid,
                 .os_errno = errno,
                 .what = errno == EACCES ? "this user may not open it" : "nobody listens there"});
  }
  while (!request.empty()) {
    const ssize_t sent = ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    // Who refuses early answers early: what it says is still there to be read.
    if (sent <= 0) break;
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string got;
  char room[16 * 1024];
  for (;;) {
    const ssize_t count = ::recv(socket.get(), room, sizeof room, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(broken("it did not answer"));
    if (count == 0) return got;
    got.append(room, static_cast<std::size_t>(count));
    if (got.size() > bytes_max) {
      return fail({.code = Code::kTooLarge, .what = "its answer is too long"});
    }
  }
}

}  // namespace

Result<std::string> exchange_locally(const std::string& path, std::string_view request,
                                     std::size_t bytes_max, Duration wait_max) {
  const auto address = LocalAddress::of(path);
  if (!address) return fail({.code = Code::kInvalid, .what = "no path of a socket"});
  return exchange(address->any(), address->length(), request, bytes_max, wait_max);
}

Result<std::string> exchange_with(const Address& address, std::string_view request,
                                  std::size_t bytes_max, Duration wait_max) {
  SocketAddress place;
  const socklen_t length = to_kernel(address, place);
  return exchange(&place.any, length, request, bytes_max, wait_max);
}

}  // namespace leat::io
