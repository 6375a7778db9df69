// SPDX-License-Identifier: Apache-2.0
// What simulated clients ask, over either protocol.
#pragma once

#include <cstdint>
#include <string>

#include "io/address.h"
#include "simulation/request_record.h"
#include "simulation/sim_world.h"

namespace leat::sim {

struct ClientOptions {
  io::Address from;
  io::Address gateway;
  std::string key;                        // sent as a bearer
  std::uint32_t models = 1;               // asks for m0 ... of so many
  std::size_t body_bytes_max = SIZE_MAX;  // the gateway refuses larger ones
  std::uint32_t asks = 3;                 // requests in all
  bool half_close_allowed = false;        // by the listener: its FIN does not mean that it is gone
};

inline constexpr std::size_t kSkippedSafe = 60'000;  // below Limits::drain_bytes_max
inline constexpr Duration kPauseSafe = seconds(50);  // below Limits::client_stall_ms_max
inline constexpr std::string_view kStreamEnd = "data: [DONE]\n\n";

// A record of a request for one of the models, by a nonce of its own. A few of them are for no
// provider's eyes.
RequestRecord& new_request(World& world, RequestBook& book, const ClientOptions& options);
// Its JSON; its prompt is chosen here.
std::string body_of(World& world, RequestRecord& record);

}  // namespace leat::sim
