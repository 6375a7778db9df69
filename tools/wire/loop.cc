// SPDX-License-Identifier: Apache-2.0
#include "wire/loop.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace leat::tools {

Instant read_clock() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Instant{t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

void die(const char* what, int error) {
  if (error == 0) {
    std::fprintf(stderr, "%s\n", what);
  } else {
    std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
  }
  std::exit(1);
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit", errno);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit", errno);
  return limit.rlim_cur;
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), now_(read_clock()) {
  if (epoll_ < 0) die("epoll_create1", errno);
  // The default slack of 50 us would make every paced event late by about that.
  prctl(PR_SET_TIMERSLACK, 1000);
}

Loop::~Loop() {
  ::close(epoll_);
}

void Loop::watch(int fd, bool for_writing, Watcher& watcher) {
  epoll_event event{};
  event.events = for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl", errno);
}

void Loop::rewatch(int fd, bool for_writing, Watcher& watcher) {
  epoll_event event{};
  event.events = for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) die("epoll_ctl", errno);
}

void Loop::turn(Instant until) {
  const Instant deadline = std::min(until, agenda_.next());
  timespec timeout{};
  timespec* wait = nullptr;
  if (deadline != kNever) {
    const std::int64_t ns = std::max<std::int64_t>(0, (deadline - read_clock()).ns);
    timeout = {ns / 1'000'000'000, ns % 1'000'000'000};
    wait = &timeout;
  }
  std::array<epoll_event, 256> events;
  const int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), wait, nullptr);
  if (count < 0 && errno != EINTR) die("epoll_pwait2", errno);
  now_ = read_clock();
  for (int i = 0; i < count; ++i) {
    static_cast<Watcher*>(events[static_cast<std::size_t>(i)].data.ptr)->on_ready();
  }
  agenda_.run(read_clock());
}

}  // namespace leat::tools
