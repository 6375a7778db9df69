// SPDX-License-Identifier: Apache-2.0
// The oracles: what must hold of every request of a simulated world, whatever struck it. Each
// breach is a violation of the world.
//
//   once       each request ends exactly once
//   faithful   the client's bytes are a prefix of normalise(face, what one provider sent), and only
//              an answer that is whole looks whole
//   private    no byte of one request is in another's answer
//   committed  nothing is tried again once content has gone to the client, and of two attempts at
//              once only the one whose content that is goes on
//   moved on   a provider that fails before any content is followed by another one of the model, if
//              there is one that has not been asked and that plans do not leave out
//   flowing    what a provider has said is with the client soon, whoever else does not read
//   disowned   what a client was told will not be served (GOAWAY) was asked of nobody
//   hung up    a client that goes away takes its provider's exchange with it, within 10 ms
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/request_record.h"
#include "simulation/sim_world.h"

namespace leat::sim {

struct OracleOptions {
  // No fault of this world excuses a refusal: every request that a client stands by is served.
  bool must_serve = false;
  // No fault of this world delays the gateway itself: time limits hold to the letter.
  bool is_prompt = false;
  // Every attempt of this world came to its provider, and nothing but the number of candidates
  // bounds them: who failed before content was followed by another.
  bool must_move_on = false;
  // A request may be at two providers at once.
  bool are_hedged = false;
  // A ledger is kept on a disk that has failed: who has no record has no good end.
  bool may_lack_record = false;
  // Nothing of this world but a client that does not read holds up what a provider has said.
  bool must_flow = false;
  std::vector<std::vector<std::uint32_t>> providers_of_model;
  std::vector<bool> may_carry_on;  // by model: its broken streams
  // By provider: some plan may have done without it, its breaker being open or its limit reached.
  std::vector<bool> may_be_left_out;
};

// Whether a world with these faults leaves a gateway no excuse.
OracleOptions oracle_options(const FaultPlan& faults);

void check_request(World& world, const RequestRecord& record, const OracleOptions& options);

}  // namespace leat::sim
