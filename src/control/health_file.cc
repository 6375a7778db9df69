// SPDX-License-Identifier: Apache-2.0
#include "control/health_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>

namespace leat::control {
namespace {

// Above any state of 5,000 endpoints that were all busy for a day. Only what is read of it becomes
// memory.
constexpr std::size_t kBytesMax = 64 << 20;

bool write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// 0, or the errno of the step that failed.
int write_synced(const std::string& path, std::span<const std::uint8_t> bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  const int fault = write_all(fd, bytes) && fsync(fd) == 0 ? 0 : errno;
  const bool closed = close(fd) == 0;
  return fault == 0 && !closed ? errno : fault;
}

int replace_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  const std::string aside = path + ".new";
  int fault = write_synced(aside, bytes);
  if (fault == 0 && std::rename(aside.c_str(), path.c_str()) != 0) fault = errno;
  // A full disk gets its room back.
  if (fault != 0) unlink(aside.c_str());
  return fault;
}

}  // namespace

std::string HealthFile::load(const Surroundings& surroundings, gateway::HealthDesk& desk,
                             Instant now, WallTime wall) {
  if (path_.empty()) return {};
  const auto bytes = std::make_unique_for_overwrite<char[]>(kBytesMax);
  const auto size = surroundings.read_file(path_, {bytes.get(), kBytesMax});
  if (!size && size.error().code == Code::kNotFound) return {};
  const char* why = size ? nullptr : size.error().what;
  if (size) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.get());
    const auto restored = desk.restore({begin, *size}, now, wall);
    if (!restored) why = restored.error().what;
  }
  if (why == nullptr) return {};
  return fmt::format("routing.health_file {}: {}; starting without what was measured", path_, why);
}

std::string HealthFile::save(const gateway::HealthDesk& desk, Instant now, WallTime wall) {
  if (path_.empty()) return {};
  const int fault = replace_file(path_, desk.state(now, wall));
  const bool is_news = fault != 0 && !fault_told_;
  fault_told_ = fault != 0;
  if (!is_news) return {};
  return fmt::format("routing.health_file {}: cannot be written: {}", path_, std::strerror(fault));
}

}  // namespace leat::control
