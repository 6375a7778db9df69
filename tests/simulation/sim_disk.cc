// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_disk.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "simulation/sim_world.h"

namespace leat::sim {

namespace {

constexpr std::size_t kSector = 512;
// A commit took 165 us at the median and 290 us at the 99th percentile on a disk that was measured.
constexpr Duration kFastest = microseconds(60);
constexpr Duration kUsual = microseconds(300);
constexpr Duration kSlowest = milliseconds(2'000);

}  // namespace

int Disk::create(std::size_t size) {
  files_[next_fd_].assign(size, '\0');
  return next_fd_++;
}

std::uint64_t Disk::write(int fd, std::uint64_t position, std::string_view bytes, User& user) {
  Write write{fd, position, std::string(bytes), &user, fail_all};
  const auto file = files_.find(fd);
  if (failed_.contains(fd)) world_.violation("a write to a file after one to it has failed");
  if (file == files_.end()) {
    write.error = EBADF;
  } else if (position + bytes.size() > file->second.size()) {
    write.error = ENOSPC;
  } else if (world_.strikes(Fault::kDiskError)) {
    write.error = EIO;
  } else if (world_.strikes(Fault::kDiskFull)) {
    write.error = ENOSPC;
  }
  const Duration most = world_.strikes(Fault::kDiskSlow) ? kSlowest : kUsual;
  const std::uint64_t number = next_write_++;
  under_way_.emplace(number, std::move(write));
  world_.schedule(world_.now() + nanoseconds(world_.rng().between(kFastest.ns, most.ns)),
                  EventKind::kDisk, event_callback<&Disk::on_end>, this, number);
  return number;
}

void Disk::forget(User& user) {
  for (auto& [number, write] : under_way_) {
    if (write.user == &user) write.user = nullptr;
  }
}

void Disk::on_end(std::uint64_t number) {
  const auto found = under_way_.find(number);
  if (found == under_way_.end()) return;  // the crash was earlier
  const Write write = std::move(found->second);
  under_way_.erase(found);
  apply(write, write.error == 0 ? 1 : world_.rng().unit());
  ++writes_ended_;
  if (write.error != 0) failed_.insert(write.fd);
  if (write.user != nullptr) write.user->on_disk(number, write.error);
}

void Disk::crash() {
  for (const auto& [number, write] : under_way_) apply(write, world_.rng().unit());
  under_way_.clear();
}

// Each sector with this probability.
void Disk::apply(const Write& write, double share) {
  const auto file = files_.find(write.fd);
  if (file == files_.end()) return;
  std::string& bytes = file->second;
  for (std::size_t at = 0; at < write.bytes.size(); at += kSector) {
    const std::size_t place = write.position + at;
    if (place >= bytes.size() || !world_.rng().chance(share)) continue;
    const std::size_t size = std::min({kSector, write.bytes.size() - at, bytes.size() - place});
    bytes.replace(place, size, write.bytes, at, size);
  }
}

}  // namespace leat::sim
