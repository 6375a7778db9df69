// SPDX-License-Identifier: Apache-2.0
// SimProvider: a provider of the simulated world, on the network itself (not over Io). It reads
// requests strictly, checks that each is what a gateway may send, and plays the script that was
// written for it. It also judges the gateway's pool: a request on a connection whose last exchange
// did not end cleanly, or that the provider had said it is leaving, as far as the gateway could
// know, is a violation.
#pragma once

#include <memory>
#include <string>
#include <string_view>
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
  bool carries_on = false;    // it may be asked to carry a broken answer on
  bool speaks_http2 = false;  // and nothing else

  std::uint64_t executions() const { return executions_; }

 private:
  // One connection.
  class Visit {
   public:
    virtual ~Visit() = default;
  };
  class Http1Visit;
  class Http2Visit;
  void on_pending() override;
  std::unique_ptr<Visit> new_http2_visit(Connection& connection);

  // Whose request this is, which is judged; null: nobody's.
  RequestRecord* find_request(const std::string& body);
  // Opens the record of its execution.
  Execution& begin_execution(RequestRecord& record, const std::string& body, Connection& connection,
                             Instant asked_at);
  void note_text_before(const std::string& body, Execution& execution);
  // A fault that costs a request an attempt but no provider an excuse. Not for ever, and of two
  // providers only: so much the gateway's attempts and retry budget bear.
  bool may_bother() const;
  void complain(const std::string& what) {
    world_.violation("provider " + std::to_string(index_) + ": " + what);
  }

  World& world_;
  RequestBook& book_;
  std::uint32_t index_;
  Port* port_;
  std::vector<std::unique_ptr<Visit>> visits_;
  std::uint64_t executions_ = 0;
};

}  // namespace leat::sim
