// SPDX-License-Identifier: Apache-2.0
#include "control/surroundings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace leat::control {
namespace {

Error os_error(Code code, const char* what) {
  return {.code = code, .source = Source::kInternal, .os_errno = errno, .what = what};
}

Result<std::size_t> read_descriptor(int fd, std::span<char> out) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail(os_error(Code::kInternal, "cannot be read"));
  if (S_ISDIR(status.st_mode)) return fail({.code = Code::kInvalid, .what = "is a folder"});
  std::size_t size = 0;
  for (;;) {
    // One byte beyond what fits tells a file that is too large from one that just fits.
    char beyond = 0;
    const bool full = size == out.size();
    const ssize_t n = full ? read(fd, &beyond, 1) : read(fd, out.data() + size, out.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(os_error(Code::kInternal, "cannot be read"));
    if (n == 0) return size;
    if (full) return fail({.code = Code::kTooLarge, .what = "is too large"});
    size += static_cast<std::size_t>(n);
  }
}

}  // namespace

std::optional<std::string_view> SystemSurroundings::variable(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string_view(value);
}

Result<std::size_t> SystemSurroundings::read_file(const std::string& path,
                                                  std::span<char> out) const {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(os_error(errno == ENOENT ? Code::kNotFound : Code::kRefused,
                         errno == ENOENT ? "does not exist" : "cannot be opened"));
  }
  Result<std::size_t> size = read_descriptor(fd, out);
  close(fd);
  return size;
}

}  // namespace leat::control
