// SPDX-License-Identifier: Apache-2.0
// AresResolver: names through c-ares, whose sockets are watched by Io's polls, so that no lookup
// ever blocks the shard. One per shard, with a bounded cache: an answer is fresh for its TTL within
// 5 to 300 s, and is still used up to an hour after that while the name servers fail
// (threats-and-faults.md F10).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/resolver.h"
#include "shard/shard.h"

struct ares_addrinfo;
struct ares_channeldata;

namespace leat::net {

// Bounds of the cache (threats-and-faults.md 3.3 and F10).
struct ResolverLimits {
  std::size_t entries_max = 1024;
  std::size_t addresses_max = 16;  // kept of one answer
  Duration ttl_min = seconds(5);
  Duration ttl_max = seconds(300);
  Duration stale_max = seconds(3600);  // old answers are used while the name servers fail
};

class AresResolver final : public Resolver, private io::PollHandler, private shard::Deferred {
 public:
  static Result<std::unique_ptr<AresResolver>> create(shard::Shard& shard,
                                                      const ResolverLimits& limits);
  ~AresResolver() override;

  void resolve(const std::string& host, ResolveRequest& request) override;

 private:
  struct Entry {
    std::vector<io::Address> addresses;
    Instant fresh_until{};
    Instant stale_until{};
    bool asking = false;
    IntrusiveList<ResolveRequest, ResolveTag> waiting;
  };
  struct Question {
    AresResolver* resolver;
    Entry* entry;
  };

  AresResolver(shard::Shard& shard, const ResolverLimits& limits)
      : shard_(shard), limits_(limits) {}

  void on_poll(int fd, int events) override;
  void run_deferred() override;
  void on_timer();
  void on_answer(Entry& entry, int status, ares_addrinfo* answer);
  void on_socket_state(int fd, bool readable, bool writable);
  void ask(const std::string& host, Entry& entry);
  void deliver(Entry& entry);
  void arm_timer();
  void make_room();

  shard::Shard& shard_;
  const ResolverLimits limits_;
  ares_channeldata* channel_ = nullptr;
  std::map<std::string, std::unique_ptr<Entry>> cache_;
  std::vector<Entry*> ready_;  // to be delivered outside resolve()
  struct Watch {
    unsigned events = 0;  // of poll(2), as c-ares asked
    bool armed = false;
  };
  std::map<int, Watch> watched_;  // by descriptor
  Timer timer_{timer_callback<&AresResolver::on_timer>, this};
};

}  // namespace leat::net
