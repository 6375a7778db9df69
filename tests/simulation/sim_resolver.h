// SPDX-License-Identifier: Apache-2.0
// SimResolver: the Resolver of one simulated shard. Knows the names it was told; answers late,
// sometimes too late, sometimes not with what was hoped for. It lives on its shard's wheel, as a
// real resolver's answers come to its shard.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/resolver.h"
#include "shard/shard.h"
#include "simulation/sim_world.h"

namespace leat::sim {

class SimResolver final : public net::Resolver {
 public:
  SimResolver(World& world, shard::Shard& shard) : world_(world), shard_(shard) {}

  void add(const std::string& host, std::vector<io::Address> addresses) {
    names_[host] = std::move(addresses);
  }
  void resolve(const std::string& host, net::ResolveRequest& request) override;

 private:
  // One question; its list holds the request until it is answered or destroyed.
  struct Question {
    explicit Question(SimResolver* owner)
        : resolver(owner), timer(timer_callback<&Question::on_due>, this) {}
    void on_due() { resolver->answer(*this); }
    SimResolver* resolver;
    std::string host;
    bool fails = false;
    IntrusiveList<net::ResolveRequest, net::ResolveTag> waiting;
    Timer timer;
  };
  void answer(Question& question);

  World& world_;
  shard::Shard& shard_;
  std::map<std::string, std::vector<io::Address>> names_;
  std::list<Question> questions_;
};

}  // namespace leat::sim
