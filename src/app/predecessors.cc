// SPDX-License-Identifier: Apache-2.0
#include "app/predecessors.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "control/carried_limits.h"

namespace leat::app {
namespace {

// More than any message of theirs has.
constexpr std::size_t kMessageMax = 64 << 10;
// For a mailbox that was full.
constexpr Duration kRetryAfter = milliseconds(2);

}  // namespace

Predecessors::~Predecessors() {
  stop();
}

void Predecessors::hear(std::vector<control::OwnedDescriptor> sockets) {
  for (auto& each : sockets) {
    control_.io().poll_start(each.get(), POLLIN, *this);
    sockets_.push_back(std::move(each));
  }
}

void Predecessors::pause() {
  if (std::exchange(is_paused_, true)) return;
  for (const auto& each : sockets_) control_.io().poll_stop(each.get(), *this);
}

void Predecessors::resume() {
  if (!std::exchange(is_paused_, false)) return;
  for (const auto& each : sockets_) control_.io().poll_start(each.get(), POLLIN, *this);
}

std::vector<int> Predecessors::sockets() const {
  std::vector<int> all;
  for (const auto& each : sockets_) all.push_back(each.get());
  return all;
}

void Predecessors::stop() {
  pause();
  control_.wheel().cancel(retry_timer_);
  sockets_.clear();
}

void Predecessors::on_poll(int fd, int) {
  if (is_paused_) return;
  if (read(fd)) return control_.io().poll_start(fd, POLLIN, *this);
  std::erase_if(sockets_, [fd](const auto& each) { return each.get() == fd; });
}

// False: that process has ended, or is none that we understand.
bool Predecessors::read(int fd) {
  std::array<char, kMessageMax> room;
  const ssize_t got = ::recv(fd, room.data(), room.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  const auto ends = control::read_carried_ends({room.data(), static_cast<std::size_t>(got)});
  if (!ends) return false;
  take(*ends);
  return true;
}

void Predecessors::take(const policy::CarriedEnds& ends) {
  const auto shards = static_cast<std::uint32_t>(threads_.size());
  untold_.resize(shards);
  for (const policy::CarriedEnd& each : ends) {
    auto& untold = untold_[policy::home_of(each.id, shards)];
    if (untold == nullptr) untold = std::make_unique<policy::CarriedEnds>();
    untold->push_back(each);
  }
  post_untold();
}

void Predecessors::post_untold() {
  bool is_done = true;
  for (std::size_t i = 0; i < untold_.size(); ++i) {
    if (untold_[i] != nullptr && !threads_[i]->post(untold_[i])) is_done = false;
  }
  if (is_done) return untold_.clear();
  control_.wheel().set(retry_timer_, control_.now() + kRetryAfter);
}

}  // namespace leat::app
