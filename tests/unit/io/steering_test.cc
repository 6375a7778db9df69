// SPDX-License-Identifier: Apache-2.0
// Goal: a connection comes in at the listener of the core that took its first packet, at the
// kernel's choice where that core has none, and so does one after the program is taken away.
// Method: the program run as the kernel would, for every core; then real listeners on loopback,
// where a packet is taken by the core of whoever sends it, with this thread put on each core in
// turn.
#include "io/steering.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "io/inherited_listener.h"

namespace leat::io {
namespace {

// What `program` answers on `core`; none: it does what it should not.
std::optional<std::uint32_t> answer_of(const std::vector<sock_filter>& program,
                                       std::uint32_t core) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k != static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU)) return std::nullopt;
        accumulator = core;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += accumulator == step.k ? step.jt : step.jf;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

TEST(SteeringProgram, NamesTheListenerOfTheCore) {
  const std::vector<std::uint32_t> cores{6, 0, 1023};
  const auto program = steering_program(cores);
  EXPECT_EQ(answer_of(program, 6), 0u);
  EXPECT_EQ(answer_of(program, 0), 1u);
  EXPECT_EQ(answer_of(program, 1023), 2u);
  for (const std::uint32_t other : {1u, 5u, 7u, 1022u}) {
    EXPECT_EQ(answer_of(program, other), UINT32_MAX) << other;  // no listener: the kernel's hash
  }
}

TEST(SteeringProgram, TheMostShardsThereMayBe) {
  std::vector<std::uint32_t> cores(256);
  std::iota(cores.rbegin(), cores.rend(), 300);
  const auto program = steering_program(cores);
  EXPECT_LE(program.size(), std::size_t{BPF_MAXINSNS});
  EXPECT_EQ(answer_of(program, cores.front()), 0u);
  EXPECT_EQ(answer_of(program, cores.back()), 255u);
}

// Listeners of one address, closed at the end.
class Group {
 public:
  explicit Group(std::size_t count) {
    Address address = Address::v4(127, 0, 0, 1, 0);
    for (std::size_t i = 0; i < count; ++i) {
      const auto opened = InheritedListener::open(address);
      if (!opened) return;
      address = opened->address;
      listeners_.push_back(*opened);
    }
  }
  ~Group() {
    for (const InheritedListener& each : listeners_) close(each.fd);
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  std::size_t size() const { return listeners_.size(); }
  int fd(std::size_t place) const { return listeners_[place].fd; }

  // Connects so often, from this thread, and tells how many came in where.
  std::vector<int> counts_of(int connections) const {
    std::vector<int> counts(size());
    sockaddr_in to{};
    socklen_t length = sizeof to;
    getsockname(fd(0), reinterpret_cast<sockaddr*>(&to), &length);
    for (int i = 0; i < connections; ++i) {
      const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&to), length), 0);
      const std::size_t place = wait_for_one();
      const int taken = accept4(fd(place), nullptr, nullptr, SOCK_CLOEXEC);
      ++counts[place];
      close(taken);
      close(client);
    }
    return counts;
  }

 private:
  // The place of a listener that a connection waits at.
  std::size_t wait_for_one() const {
    std::vector<pollfd> all;
    for (const InheritedListener& each : listeners_)
      all.push_back({.fd = each.fd, .events = POLLIN});
    EXPECT_EQ(poll(all.data(), all.size(), 5'000), 1);
    const auto ready = std::ranges::find_if(all, [](const pollfd& p) { return p.revents != 0; });
    return ready == all.end() ? 0 : static_cast<std::size_t>(ready - all.begin());
  }

  std::vector<InheritedListener> listeners_;
};

std::vector<std::uint32_t> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<std::uint32_t> cores;
  for (std::uint32_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

// This thread on a core, and where it was at the end.
class OnCore {
 public:
  explicit OnCore(std::uint32_t core) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    EXPECT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
  }
  ~OnCore() { sched_setaffinity(0, sizeof before_, &before_); }
  OnCore(const OnCore&) = delete;
  OnCore& operator=(const OnCore&) = delete;

 private:
  cpu_set_t before_{};
};

TEST(Steering, ConnectionsComeInAtTheListenerOfTheirCore) {
  // In another order than theirs, so that no accident of numbers helps.
  std::vector<std::uint32_t> cores = usable_cores();
  std::reverse(cores.begin(), cores.end());
  cores.resize(std::min<std::size_t>(cores.size(), 4));
  const Group group(cores.size());
  ASSERT_EQ(group.size(), cores.size());
  // By one of them, for all.
  ASSERT_EQ(steer(group.fd(group.size() - 1), cores), 0);
  for (std::size_t place = 0; place < cores.size(); ++place) {
    const OnCore on(cores[place]);
    std::vector<int> expected(cores.size());
    expected[place] = 20;
    EXPECT_EQ(group.counts_of(20), expected) << "on core " << cores[place];
  }
}

TEST(Steering, WithoutAShardOnTheCoreAllGetSome) {
  const Group group(2);
  ASSERT_EQ(group.size(), 2u);
  const std::vector<std::uint32_t> elsewhere{4'000, 4'001};
  ASSERT_EQ(steer(group.fd(0), elsewhere), 0);
  const std::vector<int> counts = group.counts_of(100);
  EXPECT_EQ(counts[0] + counts[1], 100);
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[1], 0);
}

TEST(Steering, IsTakenAway) {
  const Group group(2);
  ASSERT_EQ(group.size(), 2u);
  const std::uint32_t core = usable_cores().front();
  const OnCore on(core);
  const std::vector<std::uint32_t> all_to_the_second{4'000, core};
  ASSERT_EQ(steer(group.fd(0), all_to_the_second), 0);
  EXPECT_EQ(group.counts_of(20), (std::vector<int>{0, 20}));
  ASSERT_EQ(steer(group.fd(1), {}), 0);
  EXPECT_GT(group.counts_of(100)[0], 0);
  EXPECT_EQ(steer(group.fd(1), {}), 0);  // nothing is left to take away
}

TEST(Steering, ASocketWithoutAGroupHasNothingToTakeAway) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(steer(fd, {}), 0);
  close(fd);
  EXPECT_EQ(steer(-1, {}), EBADF);
}

}  // namespace
}  // namespace leat::io
