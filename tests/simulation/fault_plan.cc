// SPDX-License-Identifier: Apache-2.0
#include "simulation/fault_plan.h"

namespace leat::sim {

namespace {

struct Row {
  Fault fault;
  const char* name;
  double most;            // the highest probability it is drawn with, at each occasion
  bool harmless = false;  // it costs time at most
};

constexpr Row kRows[] = {
    {Fault::kShortSend, "short-send", 0.5, true},
    {Fault::kNoBuffers, "no-buffers", 0.3, true},
    {Fault::kFullRings, "full-rings", 0.3, true},
    {Fault::kAcceptEmfile, "accept-emfile", 0.3, true},
    {Fault::kConnectEmfile, "connect-emfile", 0.2},
    {Fault::kSlowTurn, "slow-turn", 0.05, true},
    {Fault::kWallJump, "wall-jump", 0.3, true},
    {Fault::kDrainEarly, "drain-early", 1},
    {Fault::kOddLimits, "odd-limits", 1},
    {Fault::kDiskError, "disk-error", 0.3},
    {Fault::kDiskFull, "disk-full", 0.3},
    {Fault::kDiskSlow, "disk-slow", 0.3, true},
    {Fault::kConnectRefused, "connect-refused", 0.3},
    {Fault::kConnectBlackholed, "connect-blackholed", 0.2},
    {Fault::kStall, "stall", 0.02},
    {Fault::kReset, "reset", 0.2},
    {Fault::kTinyBuffers, "tiny-buffers", 0.7, true},
    {Fault::kDnsFails, "dns-fails", 0.3},
    {Fault::kDnsSlow, "dns-slow", 0.3},
    {Fault::kClientAbortHead, "client-abort-head", 0.2, true},
    {Fault::kClientAbortWaiting, "client-abort-waiting", 0.3, true},
    {Fault::kClientAbortStreaming, "client-abort-streaming", 0.4, true},
    {Fault::kClientAbortWithReset, "client-abort-with-reset", 0.5, true},
    {Fault::kClientStopsReading, "client-stops-reading", 0.3},
    {Fault::kClientSlowBody, "client-slow-body", 0.3},
    {Fault::kClientGarbage, "client-garbage", 0.15, true},
    {Fault::kClientChunkedBody, "client-chunked-body", 0.5, true},
    {Fault::kClientExpectContinue, "client-expect-continue", 0.4, true},
    {Fault::kClientPipelines, "client-pipelines", 0.5, true},
    {Fault::kClientHttp10, "client-http-1.0", 0.5, true},
    {Fault::kClientHalfCloses, "client-half-closes", 0.5, true},
    {Fault::kProviderSilent, "provider-silent", 0.2},
    {Fault::kProviderStatusError, "provider-status-error", 0.4},
    {Fault::kProviderErrorEventFirst, "provider-error-event-first", 0.3},
    {Fault::kProviderClosesUnanswered, "provider-closes-unanswered", 0.3},
    {Fault::kProviderMalformedHead, "provider-malformed-head", 0.2},
    {Fault::kProviderAmbiguousFraming, "provider-ambiguous-framing", 0.2},
    {Fault::kProviderInformationalFlood, "provider-informational-flood", 0.2},
    {Fault::kProviderErrorEventLate, "provider-error-event-late", 0.2},
    {Fault::kProviderCut, "provider-cut", 0.3},
    {Fault::kProviderResetLate, "provider-reset-late", 0.2},
    {Fault::kProviderHangs, "provider-hangs", 0.1},
    {Fault::kProviderMalformedChunk, "provider-malformed-chunk", 0.2},
    {Fault::kProviderNoDone, "provider-no-done", 0.2},
    {Fault::kProviderGarbageEvent, "provider-garbage-event", 0.2},
    {Fault::kProviderTrickle, "provider-trickle", 0.2},
    {Fault::kProviderGiantEvent, "provider-giant-event", 0.1, true},
    {Fault::kProviderNoUsage, "provider-no-usage", 0.5, true},
    {Fault::kProviderConnectionClose, "provider-connection-close", 0.4, true},
    {Fault::kProviderUntilClose, "provider-until-close", 0.2, true},
    {Fault::kProviderStrayBytes, "provider-stray-bytes", 0.4},
    {Fault::kProviderClosesIdle, "provider-closes-idle", 0.5},
    {Fault::kProviderClosesAtReuse, "provider-closes-at-reuse", 0.3, true},
    {Fault::kProviderRefusesStream, "provider-refuses-stream", 0.3, true},
    {Fault::kProviderGoesAway, "provider-goes-away", 0.3, true},
};
static_assert(sizeof(kRows) / sizeof(kRows[0]) == kFaultCount);

// In most worlds most faults are off.
constexpr double kShareOn = 0.25;
constexpr double kShareOfQuietWorlds = 0.05;
// ... and in some only what is no excuse, so that no request may go unserved.
constexpr double kShareOfKindWorlds = 0.15;

}  // namespace

const char* fault_name(Fault fault) {
  return kRows[static_cast<std::size_t>(fault)].name;
}

bool is_harmless(Fault fault) {
  return kRows[static_cast<std::size_t>(fault)].harmless;
}

FaultPlan FaultPlan::draw(Rng& rng) {
  FaultPlan plan;
  if (rng.chance(kShareOfQuietWorlds)) return plan;
  const bool is_kind = rng.chance(kShareOfKindWorlds);
  for (const Row& row : kRows) {
    const double strength = row.most * rng.unit();
    if (rng.chance(kShareOn) && (row.harmless || !is_kind)) plan.set(row.fault, strength);
  }
  return plan;
}

}  // namespace leat::sim
