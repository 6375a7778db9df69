// SPDX-License-Identifier: Apache-2.0
// SimProvider: a provider of the simulated world, on the network itself (not over Io). It reads
// requests strictly, checks that each is what a gateway may send, and plays the script that was
// written for it. It also judges the gateway's pool: a request on a connection whose last exchange
// did not end cleanly, as far as the gateway could know, is a violation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "simulation/http_reader.h"
#include "simulation/provider_script.h"
#include "simulation/sim_world.h"

namespace leat::sim {

class SimProvider final : private PortUser {
 public:
  SimProvider(World& world, RequestBook& book, std::uint32_t index, const io::Address& address);
  ~SimProvider();

  // What the gateway is expected to say of itself.
  std::string bearer;
  bool carries_on = false;  // it may be asked to carry a broken answer on

  std::uint64_t executions() const { return executions_; }

 private:
  class Visit;  // one connection
  void on_pending() override;

  World& world_;
  RequestBook& book_;
  std::uint32_t index_;
  Port* port_;
  std::vector<std::unique_ptr<Visit>> visits_;
  std::uint64_t executions_ = 0;
};

}  // namespace leat::sim
