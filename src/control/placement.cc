// SPDX-License-Identifier: Apache-2.0
#include "control/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <system_error>

namespace leat::control {
namespace {

// What a shard's ring receives into (io/uring_io.cc), in reserved pages.
constexpr std::uint64_t kRingKib = 4'096;
constexpr std::size_t kNamedMax = 4;  // commands of one kind that a line spells out

const char* plural(std::size_t count) {
  return count == 1 ? "" : "s";
}

CoreSet sorted(CoreSet cores) {
  std::ranges::sort(cores);
  return cores;
}

bool is_within(const CoreSet& some, const CoreSet& all) {
  return std::ranges::includes(all, some);
}

// One thread of each physical core, those that are kept free for us first; then the other threads.
// As many as there are shards, or as there are; the first core, which the system begins with, last.
CoreSet best_cores(const Topology& topology, std::uint32_t shards) {
  CoreSet chosen;
  const auto add = [&](bool isolated_only, bool first_thread_only) {
    for (std::size_t i = topology.cores.size(); i-- > 0;) {
      const Core& core = topology.cores[i];
      if (chosen.size() == shards) return;
      const bool is_isolated = std::ranges::binary_search(topology.isolated, core.number);
      const bool is_first = core.siblings.empty() || core.siblings.front() == core.number;
      if ((isolated_only && !is_isolated) || (first_thread_only && !is_first)) continue;
      if (std::ranges::find(chosen, core.number) == chosen.end()) chosen.push_back(core.number);
    }
  };
  add(true, true);
  add(true, false);
  add(false, true);
  add(false, false);
  return sorted(std::move(chosen));
}

// The cores that shards have, or could have.
CoreSet cores_of(const PlacementFacts& facts) {
  if (!facts.server.pin.empty()) return sorted(facts.server.pin);
  return best_cores(facts.topology, facts.shards);
}

std::string pin_text(const CoreSet& cores) {
  return fmt::format("`server.pin = [{}]`", fmt::join(cores, ", "));
}

// ---- Cores

DoctorLine shards_line(const PlacementFacts& facts) {
  const std::string what = fmt::format("{} shard{}, ", facts.shards, plural(facts.shards));
  const CoreSet best = best_cores(facts.topology, facts.shards);
  if (facts.server.pin.empty()) {
    return {"shards", what + "not pinned",
            fmt::format("where nothing else runs on these cores: `server.shards = {}`, {}",
                        best.size(), pin_text(best))};
  }
  const CoreSet pins = sorted(facts.server.pin);
  const std::string offered = fmt::format("{}on core {}", what, core_list_text(pins));
  for (const std::uint32_t pin : pins) {
    const Core* core = facts.topology.core(pin);
    if (core == nullptr) {
      return {"shards", offered,
              fmt::format("core {} is not online: its shard is not pinned", pin)};
    }
    for (const std::uint32_t other : core->siblings) {
      if (other <= pin || !std::ranges::binary_search(pins, other)) continue;
      return {"shards", offered,
              fmt::format("{} and {} are threads of one core and share it{}", pin, other,
                          best == pins ? "" : ": " + pin_text(best))};
    }
  }
  return {"shards", offered, "each has a core of its own"};
}

DoctorLine isolation_line(const PlacementFacts& facts) {
  const CoreSet& isolated = facts.topology.isolated;
  const CoreSet pins = cores_of(facts);
  const std::string offered = isolated.empty() ? "none" : "core " + core_list_text(isolated);
  if (!facts.server.pin.empty() && is_within(pins, isolated)) {
    const bool is_quiet = is_within(pins, facts.topology.undisturbed);
    return {"isolated cores", offered,
            is_quiet ? "nothing else runs where shards do"
                     : fmt::format("the tick still comes: `nohz_full={0} rcu_nocbs={0}` on the "
                                   "kernel's command line",
                                   core_list_text(pins))};
  }
  if (pins.size() >= facts.topology.cores.size()) {
    return {"isolated cores", offered,
            "no core is left for others: one shard less would leave one"};
  }
  return {"isolated cores", offered,
          fmt::format("to keep others away, on the kernel's command line: "
                      "`isolcpus=managed_irq,domain,{0} nohz_full={0} rcu_nocbs={0}`",
                      core_list_text(pins))};
}

DoctorLine governor_line(const Topology& topology) {
  std::set<std::string> names;
  for (const Core& core : topology.cores) {
    if (!core.governor.empty()) names.insert(core.governor);
  }
  if (names.empty()) return {"CPU governor", "none", "the host decides, or the firmware"};
  if (names.size() == 1 && *names.begin() == "performance") {
    return {"CPU governor", "performance", "cores do not slow down between bursts"};
  }
  return {"CPU governor", fmt::format("{}", fmt::join(names, ", ")),
          "cores wake slowly from rest: `cpupower frequency-set -g performance`"};
}

// ---- Network cards

std::string queues_text(const NetworkCard& card) {
  std::string text = fmt::format("{} RX queue{}", card.rx_queues, plural(card.rx_queues));
  const CoreSet cores = card.cores();
  if (cores.empty()) return text + ", cores not known";
  text += fmt::format(" on core {}", core_list_text(cores));
  if (!card.software_spread.empty()) return text + " by RPS";
  return text + (card.is_pinned() ? "" : " at present");
}

std::string pin_commands(const NetworkCard& card, const CoreSet& cores) {
  std::string text;
  for (std::size_t i = 0; i < std::min(card.interrupts.size(), kNamedMax); ++i) {
    text += fmt::format("{}`echo {} > /proc/irq/{}/smp_affinity_list`", i == 0 ? "" : ", ",
                        cores[i % cores.size()], card.interrupts[i].number);
  }
  return text + (card.interrupts.size() > kNamedMax ? " and so on" : "");
}

DoctorLine card_line(const NetworkCard& card, const CoreSet& cores) {
  DoctorLine line{"  " + card.name, queues_text(card), {}};
  const CoreSet goes_to = card.cores();
  const bool is_settled = card.is_pinned() || !card.software_spread.empty();
  if (cores.empty()) {
    line.used = "left as it is";
  } else if (is_settled && goes_to == cores) {
    line.used = "where the shards are";
  } else if (card.rx_queues >= cores.size() && !card.interrupts.empty()) {
    line.used = "to the shards' cores: " + pin_commands(card, cores);
  } else {
    line.used = fmt::format(
        "a queue a shard: `ethtool -L {0} combined {1}`; where it has no more: `echo {2} > "
        "/sys/class/net/{0}/queues/rx-0/rps_cpus`",
        card.name, cores.size(), core_mask_text(cores));
  }
  return line;
}

DoctorLine irqbalance_line(const PlacementFacts& facts) {
  if (!facts.topology.irqbalance_runs) return {"irqbalance", "does not run", "interrupts stay"};
  if (facts.server.pin.empty())
    return {"irqbalance", "runs", "as long as no shard is pinned, well"};
  return {"irqbalance", "runs",
          "moves interrupts about: `systemctl disable --now irqbalance`, or "
          "`IRQBALANCE_BANNED_CPULIST=" +
              core_list_text(sorted(facts.server.pin)) + "` in its environment"};
}

DoctorLine steering_line(const PlacementFacts& facts) {
  const SteeringChoice choice = choose_steering(facts.server, facts.topology);
  return {"steering", choice.by_core ? "by core" : "by hash", choice.why};
}

// ---- Memory and the ring

DoctorLine huge_page_line(const PlacementFacts& facts) {
  const HugePageFacts& pages = facts.topology.huge_pages;
  const std::string transparent = pages.transparent.empty() ? "none" : pages.transparent;
  DoctorLine line{
      "huge pages", fmt::format("transparent: {}; reserved: {}", transparent, pages.reserved), {}};
  if (facts.server.huge_pages == HugePages::kOff) {
    line.used = "none: server.huge_pages is \"off\"";
    return line;
  }
  const bool is_on = facts.server.huge_pages == HugePages::kOn;
  const std::uint64_t needed =
      pages.reserved_kib == 0 ? 0 : facts.shards * std::max(kRingKib / pages.reserved_kib, 1ul);
  if (is_on && pages.reserved_free < needed) {
    line.used = fmt::format(
        "rings need {} reserved ones: `sysctl vm.nr_hugepages={}`; else transparent ones", needed,
        pages.reserved - pages.reserved_free + needed);
  } else if (is_on) {
    line.used = "reserved ones for rings and, as far as they go, for all other memory";
  } else if (pages.transparent == "always" || pages.transparent == "madvise") {
    line.used = "4 MiB a shard, for what rings receive into; `server.huge_pages = \"on\"`: for all";
  } else {
    line.used = "none: `echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`";
  }
  return line;
}

DoctorLine napi_line(const PlacementFacts& facts) {
  const std::uint32_t us = facts.server.napi_busy_poll_us;
  const char* offered = facts.offers_napi ? "offered" : "not offered (kernel 6.9)";
  if (us > 0 && facts.offers_napi) {
    // Polling is work of the core as any other, as far as the core's load is known.
    return {"NAPI busy polling", offered,
            fmt::format("{} us before a shard sleeps{}", us,
                        facts.hold == HoldMode::kAuto
                            ? "; the core always looks busy, so events wait: `hold.mode = \"off\"`"
                            : "")};
  }
  if (us > 0) return {"NAPI busy polling", offered, "asked for, and NOT in force"};
  if (!facts.offers_napi) return {"NAPI busy polling", offered, "off"};
  return {"NAPI busy polling", offered,
          "off; `server.napi_busy_poll_us = 50` spares an interrupt's latency and takes the cores"};
}

// ---- The line of a start

std::string text_of(int error) {
  return std::generic_category().message(error);
}

int first_error(std::span<const ShardPlace> shards, int ShardPlace::*member) {
  for (const ShardPlace& shard : shards) {
    if (shard.*member != 0) return shard.*member;
  }
  return 0;
}

std::string pins_text(const ServerOptions& server, std::span<const ShardPlace> shards) {
  if (server.pin.empty()) return "shards not pinned";
  std::string text;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    text += fmt::format("{}{}{}", i == 0 ? "" : ", ", shards[i].is_pinned ? "" : "NOT on ",
                        server.pin[i]);
  }
  return fmt::format("shard{0} on core{0} {1}", plural(shards.size()), text);
}

std::string steering_text(const SteeringChoice& steering, int error) {
  if (steering.by_core && error != 0) {
    return fmt::format("connections by hash (steering by core: {})", text_of(error));
  }
  return fmt::format("connections by {} ({})", steering.by_core ? "core" : "hash", steering.why);
}

std::string napi_text(std::uint32_t us, int error) {
  if (us == 0) return "NAPI busy polling off";
  if (error == 0) return fmt::format("NAPI busy polling {} us", us);
  return fmt::format("NAPI busy polling NOT in force ({}; kernel 6.9)", text_of(error));
}

}  // namespace

std::string placement_line(const ServerOptions& server, const SteeringChoice& steering,
                           std::span<const ShardPlace> shards,
                           std::optional<std::uint64_t> huge_page_bytes) {
  const std::string pages =
      huge_page_bytes ? fmt::format("{:.1f} MiB", static_cast<double>(*huge_page_bytes) / (1 << 20))
                      : "not known";
  return fmt::format(
      "placement: {}; {}; huge pages {}; {}", pins_text(server, shards),
      steering_text(steering, first_error(shards, &ShardPlace::steering_error)), pages,
      napi_text(server.napi_busy_poll_us, first_error(shards, &ShardPlace::napi_error)));
}

SteeringChoice choose_steering(const ServerOptions& server, const Topology& topology) {
  if (server.steering == Steering::kHash) return {false, "server.steering is \"hash\""};
  if (server.steering == Steering::kCore) return {true, "server.steering is \"core\""};
  if (server.pin.empty()) return {false, "shards are not pinned"};
  if (server.pin.size() == 1) return {false, "there is one shard"};
  if (topology.cards.empty()) return {false, "no network card is seen"};
  const CoreSet pins = sorted(server.pin);
  CoreSet all;
  for (const NetworkCard& card : topology.cards) {
    if (card.cores().empty()) {
      return {false, fmt::format("{}'s interrupts are not to be seen", card.name)};
    }
    if (!card.is_pinned() && card.software_spread.empty()) {
      return {false, fmt::format("{}'s interrupts may go to several cores", card.name)};
    }
    const CoreSet cores = card.cores();
    if (!is_within(cores, pins)) {
      return {false, fmt::format("{} brings packets to cores without a shard", card.name)};
    }
    CoreSet both;
    std::ranges::set_union(all, cores, std::back_inserter(both));
    all = std::move(both);
  }
  if (all != pins) return {false, "some shards' cores get no packets"};
  return {true, "each network card brings packets to the shards' cores only"};
}

std::vector<DoctorLine> placement_lines(const PlacementFacts& facts) {
  std::vector<DoctorLine> lines{shards_line(facts), isolation_line(facts),
                                governor_line(facts.topology), steering_line(facts)};
  const CoreSet cores = cores_of(facts);
  for (const NetworkCard& card : facts.topology.cards) lines.push_back(card_line(card, cores));
  lines.push_back(irqbalance_line(facts));
  lines.push_back(huge_page_line(facts));
  lines.push_back(napi_line(facts));
  return lines;
}

}  // namespace leat::control
