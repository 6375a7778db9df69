// SPDX-License-Identifier: Apache-2.0
// LimitWatch: the oracle of limits in a simulated world. Looks at the homes of all quantities that
// the keys of the configuration have, from outside:
//
//   I3         what is settled and what is out on leases never passes a limit
//   I4         at rest nothing is reserved or leased, and what is settled is what was charged
//   a minute   never more requests than the limit in any 60 s, by what providers were asked
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "policy/account_quantities.h"
#include "simulation/sim_gateway.h"
#include "simulation/sim_world.h"

namespace leat::sim {

class LimitWatch {
 public:
  // Both outlive it. REQUIRES: one key, as long as charges are to be compared.
  LimitWatch(World& world, SimGateway& gateway, const gateway::Snapshot& snapshot);

  // Looks again and again from now on.
  void start();
  // What must hold at any moment; once nothing runs any more.
  void check();
  void check_at_rest();
  // When requests that were served were first asked of a provider, in order. `slack`: what a
  // request may take to there from its admission.
  void check_minutes(std::span<const Instant> asked, Duration slack);
  // Of all shards together, nano-dollars.
  std::int64_t charged() const;

 private:
  void on_tick(std::uint64_t);
  bool can_write(const policy::AccountQuantity& quantity) const;
  policy::QuantityHome* home_of(const policy::AccountQuantity& quantity, policy::Moment& at);

  World& world_;
  SimGateway& gateway_;
  std::vector<policy::AccountQuantity> quantities_;
};

}  // namespace leat::sim
