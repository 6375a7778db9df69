// SPDX-License-Identifier: Apache-2.0
// Tally: what leat-mock did, over all of its threads; served at GET /stats.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>

#include "base/instant.h"

namespace leat::tools {

struct Tally {
  using Count = std::atomic<std::uint64_t>;
  Count connections{0};  // accepted so far
  Count connections_open{0};
  Count http2_connections{0};
  Count requests{0};
  Count answering{0};  // now
  Count answered{0};   // to the end
  Count tokens{0};
  Count errors_sent{0};
  Count cuts{0};
  Count corrupted{0};
  Count clients_gone{0};  // during an answer
  Count broken_requests{0};
  std::FILE* gone_log = nullptr;

  std::string to_json() const;
  // A line "SEED NANOSECONDS", the monotonic clock's.
  void log_gone(std::uint64_t seed, Instant when) const;
};

}  // namespace leat::tools
