// SPDX-License-Identifier: Apache-2.0
#include "policy/plan_order.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "policy/plan_admission.h"

namespace leat::policy {
namespace {

// A candidate's place, from the weightiest bits to the lightest. Those of one group (all but the
// class) are balanced among themselves.
//
//   demoted | model | own key's turn | own key | not sticky | position in `order`
//     | not the tier asked for | class
//
constexpr unsigned kDemotedShift = 56;
constexpr unsigned kModelShift = 48;
constexpr unsigned kTurnShift = 40;
constexpr unsigned kOwnKeyShift = 32;
constexpr unsigned kNotStickyShift = 31;
constexpr unsigned kListShift = 16;
constexpr unsigned kTierShift = 8;
constexpr std::uint64_t kClassMask = 0xff;
constexpr std::uint64_t kUnlisted = 0xff;

// How well an endpoint is (openrouter-api.md 2.5, 2.6).
enum Class : std::uint8_t { kStable, kDegraded, kDown, kLastResort };

Class class_of(const EndpointHealth& health) {
  // A probe has to be drawn, or the endpoint never comes back.
  if (health.breaker == BreakerState::kProbe) return kStable;
  if (health.recent_outage) return kDown;
  if (health.uptime_permille == EndpointHealth::kUptimeUnknown) return kStable;
  if (health.uptime_permille < kUptimeDegradedPermille) return kDown;
  return health.uptime_permille < kUptimeNormalPermille ? kDegraded : kStable;
}

// What is not known of an endpoint is not held against it: else none would ever be measured.
bool fails_cutoffs(const RouteRequest& request, const EndpointHealth& health) {
  for (std::size_t i = 0; i < kPercentiles; ++i) {
    const float least = request.min_throughput[i];
    const float most = request.max_latency_s[i];
    if (least > 0 && health.throughput[i] > 0 && health.throughput[i] < least) return true;
    if (most > 0 && health.latency_s[i] > most) return true;
  }
  return false;
}

std::uint64_t position_in(std::span<const SlugMatch> order, const Endpoint& endpoint) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i].matches(endpoint)) return std::min<std::uint64_t>(i, kUnlisted - 1);
  }
  return kUnlisted;
}

// openrouter-api.md 2.12: only where the provider's cache makes staying cheaper, and while it is
// well.
bool holds_conversation(const PlanInput& input, const Endpoint& endpoint,
                        const EndpointHealth& health) {
  if (input.request.sticky == 0 || endpoint.identity != input.request.sticky) return false;
  if (!input.request.order.empty()) return false;
  if (health.recent_outage || health.breaker != BreakerState::kClosed) return false;
  Prices scratch;
  const Prices& prices = prices_for(input, endpoint, scratch);
  return rewards_staying(prices);
}

double measure_of(SortBy sort, const Candidate& candidate, const EndpointHealth& health) {
  constexpr auto kP50 = static_cast<std::size_t>(Percentile::kP50);
  switch (sort) {
    case SortBy::kThroughput:
      return -static_cast<double>(health.throughput[kP50]);  // unknown is 0: the last
    case SortBy::kLatency:
      return health.latency_s[kP50] > 0 ? static_cast<double>(health.latency_s[kP50])
                                        : std::numeric_limits<double>::infinity();
    default:
      return static_cast<double>(candidate.price);
  }
}

void place(const PlanInput& input, Candidate& candidate) {
  const RouteRequest& request = input.request;
  const Endpoint& endpoint = input.catalogue.endpoint(candidate.endpoint);
  const EndpointHealth& health = health_of(input.health, candidate.endpoint);
  const std::uint64_t listed = position_in(request.order, endpoint);
  // What the client put first stays there, however slow it is of late, and so does what its own
  // keys reach.
  candidate.is_demoted =
      listed == kUnlisted && candidate.turn != OwnKeyTurn::kOwn && fails_cutoffs(request, health);
  candidate.is_sticky = !candidate.is_demoted && !candidate.is_last_resort &&
                        holds_conversation(input, endpoint, health);
  // openrouter-api.md 2.9: priority endpoints first and by throughput, flex ones by price.
  const bool priority =
      request.tier == RequestTier::kPriority && endpoint.tier == ServiceTier::kPriority;
  const bool flex = request.tier == RequestTier::kFlex && endpoint.tier == ServiceTier::kFlex;
  const std::size_t sorted_as = request.partition_none ? 0 : candidate.model_rank;
  SortBy sort = sort_of(request, request.models[sorted_as]);
  if (priority) sort = SortBy::kThroughput;
  if (flex) sort = SortBy::kPrice;
  std::uint64_t rank = sort == SortBy::kNone ? class_of(health) : kStable;
  if (candidate.is_last_resort) rank = kLastResort;
  const std::uint64_t model = request.partition_none ? 0 : candidate.model_rank;
  candidate.place = std::uint64_t{candidate.is_demoted} << kDemotedShift | model << kModelShift |
                    static_cast<std::uint64_t>(candidate.turn) << kTurnShift |
                    std::uint64_t{candidate.own_key_place} << kOwnKeyShift |
                    std::uint64_t{!candidate.is_sticky} << kNotStickyShift | listed << kListShift |
                    std::uint64_t{!(priority || flex)} << kTierShift | rank;
  candidate.sort = sort;
  candidate.measure = measure_of(sort, candidate, health);
}

// They wait for shared capacity, that which is demoted included.
void demote_fallback_keys(const RouteRequest& request, std::span<Candidate> candidates) {
  std::uint32_t demoted = 0;  // a bit for each model
  static_assert(kRouteModelsMax <= 32);
  const auto bit = [&](const Candidate& c) {
    return request.partition_none ? 1 : std::uint32_t{1} << c.model_rank;
  };
  for (const Candidate& c : candidates) {
    if (c.turn == OwnKeyTurn::kShared && c.is_demoted) demoted |= bit(c);
  }
  for (Candidate& c : candidates) {
    if (c.turn != OwnKeyTurn::kFallback || (demoted & bit(c)) == 0) continue;
    c.place |= std::uint64_t{1} << kDemotedShift;
  }
}

// Moves one of `peers`, the cheapest first, to the front: drawn among those up to
// kBalancedPriceRatioMax times the lowest price, each with 1/price² (openrouter-api.md 2.5).
void draw_first(HealthView health, Rng& rng, std::span<Candidate> peers) {
  const Picodollars lowest = peers.front().price;
  const auto weight = [&](const Candidate& c) {
    const double ratio = static_cast<double>(lowest) / static_cast<double>(c.price);
    return ratio * ratio * health_of(health, c.endpoint).weight_permille;
  };
  std::size_t count = 0;
  double total = 0;
  while (count < peers.size() && peers[count].price <= lowest * kBalancedPriceRatioMax) ++count;
  if (count < 2) return;
  for (Candidate& c : peers.first(count)) total += c.first_chance = weight(c);
  if (total <= 0) return;
  for (Candidate& c : peers.first(count)) c.first_chance /= total;
  double left = rng.unit();
  std::size_t drawn = 0;
  while (drawn + 1 < count && left >= peers[drawn].first_chance) {
    left -= peers[drawn++].first_chance;
  }
  std::rotate(peers.begin(), peers.begin() + drawn, peers.begin() + drawn + 1);
}

}  // namespace

SortBy sort_of(const RouteRequest& request, const ModelRef& ref) {
  if (request.sort != SortBy::kNone) return request.sort;
  if (ref.variants.has(Variant::kNitro)) return SortBy::kThroughput;
  if (ref.variants.has(Variant::kFloor)) return SortBy::kPrice;
  return request.default_sort;
}

bool is_listed(const RouteRequest& request, const Endpoint& endpoint) {
  return position_in(request.order, endpoint) != kUnlisted;
}

void order_candidates(const PlanInput& input, Rng& rng, std::span<Candidate> candidates) {
  const RouteRequest& request = input.request;
  for (Candidate& candidate : candidates) place(input, candidate);
  if (!input.own_keys.empty()) demote_fallback_keys(request, candidates);
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tie(a.place, a.measure, a.price, a.endpoint) <
           std::tie(b.place, b.measure, b.price, b.endpoint);
  });
  // `order` turns balancing off; without fallbacks the first is the cheapest (2.3).
  if (!request.order.empty() || !request.allow_fallbacks) return;
  std::uint64_t last_group = ~std::uint64_t{0};
  for (std::size_t begin = 0; begin < candidates.size();) {
    const Candidate& first = candidates[begin];
    std::size_t end = begin + 1;
    while (end < candidates.size() && candidates[end].place == first.place) ++end;
    const std::size_t sorted_as = request.partition_none ? 0 : first.model_rank;
    const bool sorted = sort_of(request, request.models[sorted_as]) != SortBy::kNone ||
                        (first.place >> kTierShift & 1) == 0;
    const bool best_class = (first.place & ~kClassMask) != last_group;
    const ModelRef& model = request.models[first.model_rank];
    const bool keeps_order =
        !request.partition_none && input.catalogue.model(model.model).keeps_order;
    if (!sorted && best_class && !keeps_order) {
      draw_first(input.health, rng, candidates.subspan(begin, end - begin));
    }
    last_group = candidates[begin].place & ~kClassMask;
    begin = end;
  }
}

}  // namespace leat::policy
