// SPDX-License-Identifier: Apache-2.0
// scenarios: runs scenarios of routing, each in one world for every seed, and says which missed its
// figures.
//
//   scenarios NAME --seeds A..B [--verbose]    seeds A to B, both included; NAME "all": every one
//   scenarios NAME --seed N [--verbose]
//
// --verbose tells the figures of every seed; without it they are told where one is missed. Ends
// with status 1 if any was, with 64 if it does not understand its arguments.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "simulation/scenario_list.h"

namespace {

using leat::sim::Scenario;
using leat::sim::ScenarioResult;

struct Arguments {
  std::string_view name;
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  bool verbose = false;
  bool good = false;
};

Arguments parse(int count, char** words) {
  if (count < 2) return {};
  Arguments arguments{.name = words[1]};
  for (int i = 2; i < count; ++i) {
    const std::string_view word = words[i];
    const char* value = i + 1 < count ? words[i + 1] : "";
    char* rest = nullptr;
    if (word == "--seeds") {
      arguments.first = std::strtoull(value, &rest, 10);
      if (std::strncmp(rest, "..", 2) != 0) return {};
      arguments.end = std::strtoull(rest + 2, nullptr, 10) + 1;
      ++i;
    } else if (word == "--seed") {
      arguments.first = std::strtoull(value, nullptr, 10);
      arguments.end = arguments.first + 1;
      ++i;
    } else if (word == "--verbose") {
      arguments.verbose = true;
    } else {
      return {};
    }
  }
  arguments.good = arguments.end > arguments.first;
  return arguments;
}

// Whether all its figures were reached.
bool run(const Scenario& scenario, std::uint64_t seed, bool verbose, ScenarioResult& sum) {
  ScenarioResult result;
  scenario.run(seed, false, result);
  sum.simulated_seconds += result.simulated_seconds;
  sum.requests += result.requests;
  const bool is_good = result.violations.empty();
  if (is_good && !verbose) return true;
  std::printf("%s, seed %llu: %s\n", scenario.name, static_cast<unsigned long long>(seed),
              is_good ? "ok" : "FAILED");
  for (const auto& violation : result.violations) std::printf("  %s\n", violation.c_str());
  for (const auto& note : result.notes) std::printf("    %s\n", note.c_str());
  return is_good;
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments = parse(count, words);
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;
  ScenarioResult sum;
  const auto begin = std::chrono::steady_clock::now();
  for (const Scenario& scenario : leat::sim::all_scenarios()) {
    if (!arguments.good || (arguments.name != "all" && arguments.name != scenario.name)) continue;
    for (std::uint64_t seed = arguments.first; seed < arguments.end; ++seed) {
      ++runs;
      failed += !run(scenario, seed, arguments.verbose, sum);
    }
  }
  if (runs == 0) {
    std::fprintf(stderr, "usage: %s NAME --seeds A..B | --seed N  [--verbose]\nnames: all",
                 words[0]);
    for (const auto& scenario : leat::sim::all_scenarios())
      std::fprintf(stderr, " %s", scenario.name);
    std::fprintf(stderr, "\n");
    return 64;
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  std::printf("%llu worlds in %.1f s, %.0f simulated seconds, %llu requests: %llu failed\n",
              static_cast<unsigned long long>(runs), time.count(), sum.simulated_seconds,
              static_cast<unsigned long long>(sum.requests),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
