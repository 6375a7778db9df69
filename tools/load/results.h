// SPDX-License-Identifier: Apache-2.0
// Results: what a run of leat-load counted and measured, and how it is printed.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "load/checker.h"
#include "load/options.h"
#include "wire/process.h"

namespace leat::tools {

// When a request is given up on purpose. IF YOU ADD A VALUE: update phase_name().
enum class AbortPhase {
  kNone,
  kRequestHalf,
  kRequestSent,
  kHead,
  kFirstToken,
  kMiddle,
  kLastToken,
  kPhases
};

const char* phase_name(AbortPhase phase);

struct ProcessUse {
  pid_t pid = 0;
  std::uint64_t cpu_ns = 0;  // in the window
  Memory before;             // before the first connection
  Memory after;              // at the window's end, all connections open
};

struct CoreUse {
  int core = 0;
  double busy = 0;  // share of the window
};

struct Results {
  // Counted over the whole run.
  std::array<std::uint64_t, static_cast<std::size_t>(Fault::kFaults)> faults{};
  std::map<int, std::uint64_t> statuses;  // other than 200
  std::array<std::uint64_t, static_cast<std::size_t>(AbortPhase::kPhases)> aborts{};
  std::uint64_t connects = 0;
  std::uint64_t checked = 0;      // answers found right to the last byte
  std::uint64_t unfinished = 0;   // under way when the run ended
  std::uint64_t backlog_max = 0;  // requests due with no connection free (open loop)

  // Counted by what happened within the window: for cost per request and per token.
  double window_s = 0;
  std::uint64_t answers = 0;
  std::uint64_t tokens = 0;
  std::uint64_t open_connections = 0;

  // Nanoseconds. In open loop of the requests meant to start in the window, from that moment.
  Histogram total;
  Histogram refused;  // to a head with another status than 200
  Histogram first_byte;
  Histogram first_token;
  Histogram gap;

  std::vector<ProcessUse> processes;
  std::vector<CoreUse> cores;
  std::uint64_t own_cpu_ns = 0;

  std::uint64_t errors() const;
  std::string to_text(const LoadOptions& options) const;
  std::string to_json(const LoadOptions& options) const;
};

}  // namespace leat::tools
