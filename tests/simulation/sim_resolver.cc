// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_resolver.h"

namespace leat::sim {

void SimResolver::resolve(const std::string& host, net::ResolveRequest& request) {
  Rng& rng = world_.rng();
  Question& question = questions_.emplace_back(this);
  question.host = host;
  question.fails = world_.strikes(Fault::kDnsFails);
  question.waiting.push_back(request);
  const Duration delay = world_.strikes(Fault::kDnsSlow) ? milliseconds(rng.between(100, 5'000))
                                                         : microseconds(rng.between(0, 3'000));
  shard_.wheel().set(question.timer, shard_.now() + delay);
}

void SimResolver::answer(Question& question) {
  net::ResolveRequest* request = question.waiting.pop_front();
  const auto found = names_.find(question.host);
  const bool fails = question.fails || found == names_.end();
  questions_.remove_if([&question](const Question& other) { return &other == &question; });
  if (request == nullptr) return;  // it was withdrawn
  if (fails) {
    request->on_resolved(
        fail({Code::kNotFound, Source::kUpstream, Retry::kOtherUpstream, 0, "no such name"}));
  } else {
    request->on_resolved(std::span<const io::Address>(found->second));
  }
}

}  // namespace leat::sim
