// SPDX-License-Identifier: Apache-2.0
#include "simulation/scenario_overload.h"

#include <algorithm>
#include <string>
#include <vector>

namespace leat::sim {

namespace {

// Some times of what a completion costs in life, for a world of fewer requests.
constexpr Duration kCost = microseconds(100);
constexpr double kRateFirst = 500;
constexpr double kRateStep = 1.15;
constexpr Duration kStepTime = seconds(3);
constexpr double kServedMin = 0.95;               // of what is asked, where all is well
constexpr Duration kLateMax = milliseconds(100);  // where refusing begins, in this world
constexpr double kOverload = 3;
constexpr double kModestShare = 1.0 / 21;  // the other key asks twenty times as much
constexpr Duration kSettling = seconds(2);
constexpr Duration kMeasuredTime = seconds(10);
constexpr Duration kGivenUp = seconds(5);  // what was not answered by then is late enough

// ---- Goals ----
constexpr double kGoodputMin = 0.65;  // of the peak: refusing costs a tenth of serving here
// Of what the modest key asks; of the other's less than a third is served. All of it is the aim.
constexpr double kModestMin = 0.7;
constexpr Duration kRefusalMax = milliseconds(100);  // the median

struct Seen {
  std::uint64_t asked = 0;
  std::uint64_t served = 0;
  std::uint64_t modest_asked = 0;
  std::uint64_t modest_served = 0;
  std::vector<double> answers;  // seconds that each took
  std::vector<double> refusals;
};

double quantile_of(std::vector<double>& seconds, double quantile) {
  if (seconds.empty()) return 0;
  std::ranges::sort(seconds);
  const auto last = static_cast<double>(seconds.size() - 1);
  return seconds[static_cast<std::size_t>(quantile * last)];
}

Seen look(const ScenarioWorld& scenario, Window window) {
  Seen seen;
  for (const Sample& sample : scenario.load().samples()) {
    if (sample.started < window.from || sample.started >= window.to) continue;
    ++seen.asked;
    if (sample.is_modest) ++seen.modest_asked;
    if (sample.is_whole) {
      ++seen.served;
      if (sample.is_modest) ++seen.modest_served;
      seen.answers.push_back((sample.ended - sample.started).seconds());
    } else if (sample.status == 503) {
      seen.refusals.push_back((sample.ended - sample.started).seconds());
    }
  }
  return seen;
}

ScenarioOptions options_of(std::uint64_t seed, bool verbose) {
  ScenarioOptions options{.seed = seed, .verbose = verbose};
  options.cost = kCost;
  options.modest_share = kModestShare;
  options.requests_per_second = kRateFirst;
  return options;
}

// Requests a second: the most that is served while answers take hardly longer than at ease. (More
// are served by a loop that is later still: it receives several events at once.)
double find_peak(ScenarioWorld& scenario) {
  double peak = 0;
  double at_ease = 0;
  for (double rate = kRateFirst;; rate *= kRateStep) {
    scenario.set_rate(rate);
    const Instant began = scenario.world().now();
    scenario.run_for(kStepTime);
    const Window window{began, scenario.world().now()};
    scenario.run_for(kSettling);  // at the same rate, for what runs to end
    Seen seen = look(scenario, window);
    const double share = static_cast<double>(seen.served) / static_cast<double>(seen.asked);
    const double time = quantile_of(seen.answers, 0.5);
    if (at_ease == 0) at_ease = time;
    if (time > at_ease + kLateMax.seconds()) return peak;
    peak = std::max(peak, static_cast<double>(seen.served) / kStepTime.seconds());
    if (share < kServedMin) return peak;
  }
}

}  // namespace

void overload(std::uint64_t seed, bool verbose, ScenarioResult& result) {
  ScenarioWorld scenario(options_of(seed, verbose));
  const double peak = find_peak(scenario);
  scenario.set_rate(kOverload * peak);
  scenario.run_for(kSettling);
  const Instant from = scenario.world().now();
  scenario.run_for(kMeasuredTime);
  const Window window{from, scenario.world().now()};
  scenario.set_rate(kRateFirst);
  scenario.run_for(kGivenUp);
  scenario.finish();

  Seen seen = look(scenario, window);
  const double goodput = static_cast<double>(seen.served) / kMeasuredTime.seconds() / peak;
  const double modest =
      static_cast<double>(seen.modest_served) / static_cast<double>(seen.modest_asked);
  scenario.note("peak " + std::to_string(static_cast<int>(peak)) + " a second; at three times it " +
                percent(goodput) + " of it served, of the modest key's " + percent(modest) + "; " +
                std::to_string(seen.refusals.size()) + " refused in " +
                milliseconds_of(quantile_of(seen.refusals, 0.5)) + ", 99 of 100 in " +
                milliseconds_of(quantile_of(seen.refusals, 0.99)));
  scenario.require(goodput >= kGoodputMin, "served under overload: " + percent(goodput));
  const double refusal = quantile_of(seen.refusals, 0.5);
  scenario.require(!seen.refusals.empty() && refusal <= kRefusalMax.seconds(),
                   "refused within " + milliseconds_of(refusal));
  scenario.require(modest >= kModestMin, "the modest key is served " + percent(modest));
  result.violations = scenario.world().violations();
  result.notes = scenario.notes();
  result.simulated_seconds = Duration{scenario.world().now().ns}.seconds();
  result.requests = scenario.load().samples().size();
}

}  // namespace leat::sim
