// SPDX-License-Identifier: Apache-2.0
// Listening on Unix sockets.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "io/local_address.h"
#include "io/uring_io.h"

namespace leat::io {

namespace {

constexpr mode_t kOwnersOnly = 0600;
constexpr int kBacklog = 64;

Error local_error(int error, const char* what) {
  return {.code = Code::kInvalid, .os_errno = error, .what = what};
}

// Whether somebody accepts there.
bool is_listened_on(const LocalAddress& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const bool is_refused =
      ::connect(fd, address.any(), address.length()) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return !is_refused;
}

// Makes room for a socket. What is in the way, or 0.
int clear_place(const LocalAddress& address, const std::string& path) {
  struct stat file;
  if (::lstat(path.c_str(), &file) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(file.st_mode)) return EEXIST;
  if (is_listened_on(address)) return EADDRINUSE;
  return ::unlink(path.c_str()) == 0 ? 0 : errno;
}

const char* told(int error) {
  switch (error) {
    case EEXIST:
      return "another file, which is no socket, is at that path";
    case EADDRINUSE:
      return "another process listens on that socket";
    default:
      return "cannot make a socket at that path";
  }
}

}  // namespace

Result<ListenerId> UringIo::listen_local(const std::string& path) {
  const auto address = LocalAddress::of(path);
  if (!address) return fail(local_error(ENAMETOOLONG, "the path is too long for a socket"));
  if (const int error = clear_place(*address, path); error != 0) {
    return fail(local_error(error, told(error)));
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(local_error(errno, "no socket to listen on"));
  struct stat file;
  // The file takes its mode from the socket (unix(7)), so that there is no moment in which others
  // may open it.
  if (::fchmod(fd, kOwnersOnly) != 0 || ::bind(fd, address->any(), address->length()) != 0 ||
      ::listen(fd, kBacklog) != 0 || ::lstat(path.c_str(), &file) != 0) {
    const int error = errno;
    ::close(fd);
    return fail(local_error(error, told(error)));
  }
  return keep_listener(fd, {}, {.path = path, .device = file.st_dev, .inode = file.st_ino});
}

void UringIo::remove(const LocalFile& file) {
  struct stat now;
  if (file.path.empty() || ::lstat(file.path.c_str(), &now) != 0) return;
  if (now.st_dev == file.device && now.st_ino == file.inode) ::unlink(file.path.c_str());
}

}  // namespace leat::io
