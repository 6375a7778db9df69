// SPDX-License-Identifier: Apache-2.0
#include "simulation/http2_plan.h"

namespace leat::sim {

namespace {

constexpr double kShareOfWorlds = 0.3;
constexpr double kShareOfSpeakers = 0.75;
constexpr double kShareOfStallingWorlds = 0.3;
constexpr double kShareOfRefusingWorlds = 0.2;

}  // namespace

Http2Plan draw_http2_plan(std::uint64_t seed, bool all) {
  Rng rng(seed ^ 0x4772'2000'0000'0000);
  Http2Plan plan;
  const double providers = all || rng.chance(kShareOfWorlds) ? kShareOfSpeakers : 0;
  const double clients = all || rng.chance(kShareOfWorlds) ? kShareOfSpeakers : 0;
  for (bool& speaks : plan.providers) speaks = rng.chance(providers);
  for (bool& speaks : plan.clients) speaks = rng.chance(clients);
  plan.only_stalls = all && rng.chance(kShareOfStallingWorlds);
  plan.only_refusals = all && !plan.only_stalls && rng.chance(kShareOfRefusingWorlds);
  return plan;
}

FaultPlan stalls_only() {
  FaultPlan plan;
  plan.set(Fault::kClientStopsReading, 0.3);
  plan.set(Fault::kProviderGiantEvent, 0.2);
  plan.set(Fault::kClientAbortStreaming, 0.1);
  return plan;
}

FaultPlan refusals_only() {
  FaultPlan plan;
  plan.set(Fault::kProviderRefusesStream, 0.3);
  plan.set(Fault::kProviderGoesAway, 0.3);
  plan.set(Fault::kClientAbortStreaming, 0.1);
  return plan;
}

}  // namespace leat::sim
