// SPDX-License-Identifier: Apache-2.0
// ProviderScript: what a simulated provider is going to write for one request, byte by byte and
// pause by pause, decided when the request has come, for a
// connection of HTTP/1.1 or a stream of HTTP/2: an OpenAI-shaped reply that echoes the
// request's nonce in every event, spoilt by whatever faults strike.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "simulation/request_record.h"

namespace leat::sim {

class World;

struct ScriptStep {
  enum class Then : std::uint8_t { kGoOn, kFin, kReset, kHang };
  Duration before{};
  std::string bytes;
  Then then = Then::kGoOn;
};

struct ProviderScript {
  std::vector<ScriptStep> steps;
  // Over HTTP/2: what is said before the first byte; steps are of the body then.
  std::vector<std::pair<std::string, std::string>> head;
  std::uint32_t informational = 0;  // heads before it
  bool keeps_alive = true;          // the connection may be used again after it
};

// `execution` gets the plan that the oracles compare with. `number` tells apart the executions of
// one request.
ProviderScript write_script(World& world, const RequestRecord& request, std::size_t number,
                            Execution& execution, bool is_http2);

}  // namespace leat::sim
