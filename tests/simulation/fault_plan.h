// SPDX-License-Identifier: Apache-2.0
// FaultPlan: which faults may strike in one simulated world, and how often. Drawn from the seed,
// each fault being off in most worlds: a world in which everything fails at once gets nowhere, and
// some bugs show only where some fault never strikes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/rng.h"

namespace leat::sim {

// IF YOU ADD A VALUE: give it a row at the same place in kRows (fault_plan.cc).
enum class Fault : std::uint8_t {
  // The kernel of the gateway's machine
  kShortSend,
  kNoBuffers,
  kFullRings,
  kAcceptEmfile,
  kConnectEmfile,
  kSlowTurn,
  kWallJump,
  kDrainEarly,
  kOddLimits,
  // Its disk
  kDiskError,
  kDiskFull,
  kDiskSlow,
  // The network
  kConnectRefused,
  kConnectBlackholed,
  kStall,
  kReset,
  kTinyBuffers,
  kDnsFails,
  kDnsSlow,
  // Clients
  kClientAbortHead,
  kClientAbortWaiting,
  kClientAbortStreaming,
  kClientAbortWithReset,
  kClientStopsReading,
  kClientSlowBody,
  kClientGarbage,
  kClientChunkedBody,
  kClientExpectContinue,
  kClientPipelines,
  kClientHttp10,
  kClientHalfCloses,
  // Providers, before any content
  kProviderSilent,
  kProviderStatusError,
  kProviderErrorEventFirst,
  kProviderClosesUnanswered,
  kProviderMalformedHead,
  kProviderAmbiguousFraming,
  kProviderInformationalFlood,
  // Providers, after content
  kProviderErrorEventLate,
  kProviderCut,
  kProviderResetLate,
  kProviderHangs,
  kProviderMalformedChunk,
  kProviderNoDone,
  kProviderGarbageEvent,
  // Providers, at any time
  kProviderTrickle,
  kProviderGiantEvent,
  kProviderNoUsage,
  kProviderConnectionClose,
  kProviderUntilClose,
  kProviderStrayBytes,
  kProviderClosesIdle,
  kProviderClosesAtReuse,
  // Providers that speak HTTP/2
  kProviderRefusesStream,
  kProviderGoesAway,
  kCount,
};
inline constexpr std::size_t kFaultCount = static_cast<std::size_t>(Fault::kCount);

const char* fault_name(Fault fault);
// It costs time at most: a gateway that it strikes has no excuse for a refusal.
bool is_harmless(Fault fault);

struct FaultPlan {
  std::array<double, kFaultCount> probability{};  // 0: off

  double of(Fault fault) const { return probability[static_cast<std::size_t>(fault)]; }
  void set(Fault fault, double value) { probability[static_cast<std::size_t>(fault)] = value; }

  static FaultPlan draw(Rng& rng);
};

// How often each fault struck.
using FaultCounts = std::array<std::uint64_t, kFaultCount>;

}  // namespace leat::sim
