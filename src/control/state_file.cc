// SPDX-License-Identifier: Apache-2.0
#include "control/state_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace leat::control {
namespace {

bool write_all(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// 0, or the errno of the step that failed.
int write_synced(const std::string& path, std::span<const char> bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  const int fault = write_all(fd, bytes) && ::fsync(fd) == 0 ? 0 : errno;
  const bool closed = ::close(fd) == 0;
  return fault == 0 && !closed ? errno : fault;
}

int replace_file(const std::string& path, std::span<const char> bytes) {
  const std::string aside = path + ".new";
  int fault = write_synced(aside, bytes);
  if (fault == 0 && std::rename(aside.c_str(), path.c_str()) != 0) fault = errno;
  // A full disk gets its room back.
  if (fault != 0) ::unlink(aside.c_str());
  return fault;
}

}  // namespace

Result<std::string> StateFile::read(const Surroundings& surroundings, std::size_t bytes_max) const {
  // Only what is read of it becomes memory.
  const auto room = std::make_unique_for_overwrite<char[]>(bytes_max);
  const auto size = surroundings.read_file(path_, {room.get(), bytes_max});
  if (!size) return fail(size.error());
  return std::string(room.get(), *size);
}

std::string StateFile::refusal(const char* why, const char* without) const {
  return fmt::format("{} {}: {}; starting without {}", name_, path_, why, without);
}

std::string StateFile::write(std::span<const char> bytes) {
  const int fault = replace_file(path_, bytes);
  const bool is_news = fault != 0 && !fault_told_;
  fault_told_ = fault != 0;
  if (!is_news) return {};
  return fmt::format("{} {}: cannot be written: {}", name_, path_, std::strerror(fault));
}

}  // namespace leat::control
