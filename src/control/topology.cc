// SPDX-License-Identifier: Apache-2.0
#include "control/topology.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string_view>

namespace leat::control {
namespace {

namespace fs = std::filesystem;

// Empty if it cannot be read.
std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string line_of(const fs::path& path) {
  std::string text = text_of(path);
  text.erase(std::min(text.find('\n'), text.size()));
  return text;
}

// By name; none if the folder cannot be read.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> all;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    all.push_back(at->path());
  }
  std::ranges::sort(all);
  return all;
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The number after `key` in a file of "Key:   4 kB" lines.
std::optional<std::uint64_t> field_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  const std::size_t digit = text.find_first_not_of(' ');
  if (digit == std::string_view::npos) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data() + digit, end, value).ec != std::errc()) return std::nullopt;
  return value;
}

// The choice in brackets of "always [madvise] never".
std::string chosen_in(const std::string& text) {
  const std::size_t begin = text.find('[');
  const std::size_t end = text.find(']', begin);
  return end == std::string::npos ? std::string() : text.substr(begin + 1, end - begin - 1);
}

std::vector<Core> read_cores(const fs::path& root) {
  const fs::path folder = root / "sys/devices/system/cpu";
  std::vector<Core> cores;
  for (const std::uint32_t number : parse_core_list(text_of(folder / "online"))) {
    const fs::path own = folder / ("cpu" + std::to_string(number));
    cores.push_back({.number = number,
                     .siblings = parse_core_list(text_of(own / "topology/thread_siblings_list")),
                     .governor = line_of(own / "cpufreq/scaling_governor")});
  }
  return cores;
}

// Names of all interrupts with a number: " 38:  0  6846  PCI-MSIX  1-edge  virtio2-input.0".
std::map<std::uint32_t, std::string> read_interrupt_names(const fs::path& root) {
  std::map<std::uint32_t, std::string> names;
  std::ifstream file(root / "proc/interrupts");
  for (std::string line; std::getline(file, line);) {
    const std::size_t begin = line.find_first_not_of(' ');
    const std::size_t colon = line.find(':');
    if (begin == std::string::npos || colon == std::string::npos || colon < begin) continue;
    const auto number = number_of(std::string_view(line).substr(begin, colon - begin));
    const std::size_t last = line.find_last_of(' ');
    if (number && last != std::string::npos) names[*number] = line.substr(last + 1);
  }
  return names;
}

bool has_any(std::string_view text, std::span<const std::string_view> words) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(
      words, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// Those that bring packets. Drivers name them as they like: by what most do, else all that are not
// plainly for something else.
void keep_receiving(std::vector<Interrupt>& interrupts) {
  constexpr std::array<std::string_view, 3> kReceiving = {"rx", "input", "comp"};
  constexpr std::array<std::string_view, 7> kOthers = {"tx",    "output", "config", "control",
                                                       "async", "event",  "admin"};
  const auto receives = [&](const Interrupt& each) { return has_any(each.name, kReceiving); };
  const bool is_told = std::ranges::any_of(interrupts, receives);
  std::erase_if(interrupts, [&](const Interrupt& each) {
    return is_told ? !receives(each) : has_any(each.name, kOthers);
  });
}

NetworkCard read_card(const fs::path& root, const fs::path& folder,
                      const std::map<std::uint32_t, std::string>& names) {
  NetworkCard card{.name = folder.filename()};
  std::set<std::uint32_t> spread;
  for (const fs::path& queue : entries_of(folder / "queues")) {
    if (!queue.filename().string().starts_with("rx-")) continue;
    ++card.rx_queues;
    for (const std::uint32_t core : parse_core_mask(text_of(queue / "rps_cpus"))) {
      spread.insert(core);
    }
  }
  card.software_spread.assign(spread.begin(), spread.end());
  // A card of a hypervisor has its interrupts one folder up, at the PCI device.
  std::error_code error;
  const fs::path device = fs::canonical(folder / "device", error);
  std::set<std::uint32_t> numbers;
  for (const fs::path& place : {device / "msi_irqs", device.parent_path() / "msi_irqs"}) {
    for (const fs::path& each : entries_of(place)) {
      if (const auto number = number_of(each.filename().string())) numbers.insert(*number);
    }
  }
  const std::string of_device = device.filename().string() + "-";
  for (const auto& [number, name] : names) {
    if (name.starts_with(of_device) || name.starts_with(card.name + "-")) numbers.insert(number);
  }
  for (const std::uint32_t number : numbers) {
    const auto name = names.find(number);
    if (name == names.end()) continue;  // nobody asked for it
    const fs::path irq = root / "proc/irq" / std::to_string(number);
    card.interrupts.push_back(
        {.number = number,
         .name = name->second,
         .may_go_to = parse_core_list(text_of(irq / "smp_affinity_list")),
         .now_goes_to = parse_core_list(text_of(irq / "effective_affinity_list"))});
  }
  keep_receiving(card.interrupts);
  return card;
}

std::vector<NetworkCard> read_cards(const fs::path& root) {
  const auto names = read_interrupt_names(root);
  std::vector<NetworkCard> cards;
  for (const fs::path& folder : entries_of(root / "sys/class/net")) {
    std::error_code error;
    if (!fs::exists(folder / "device", error) || line_of(folder / "operstate") == "down") continue;
    cards.push_back(read_card(root, folder, names));
  }
  return cards;
}

bool runs(const fs::path& root, std::string_view program) {
  return std::ranges::any_of(entries_of(root / "proc"), [&](const fs::path& process) {
    return number_of(process.filename().string()) && line_of(process / "comm") == program;
  });
}

HugePageFacts read_huge_pages(const fs::path& root) {
  const std::string memory = text_of(root / "proc/meminfo");
  return {.transparent = chosen_in(text_of(root / "sys/kernel/mm/transparent_hugepage/enabled")),
          .reserved = field_of(memory, "HugePages_Total:").value_or(0),
          .reserved_free = field_of(memory, "HugePages_Free:").value_or(0),
          .reserved_kib = field_of(memory, "Hugepagesize:").value_or(0)};
}

}  // namespace

bool NetworkCard::is_pinned() const {
  return !interrupts.empty() && std::ranges::all_of(interrupts, [](const Interrupt& each) {
    return each.may_go_to.size() == 1;
  });
}

CoreSet NetworkCard::cores() const {
  if (!software_spread.empty()) return software_spread;
  std::set<std::uint32_t> all;
  for (const Interrupt& each : interrupts) {
    const CoreSet& own = each.now_goes_to.empty() ? each.may_go_to : each.now_goes_to;
    all.insert(own.begin(), own.end());
  }
  return {all.begin(), all.end()};
}

const Core* Topology::core(std::uint32_t number) const {
  const auto found = std::ranges::find(cores, number, &Core::number);
  return found == cores.end() ? nullptr : &*found;
}

Topology read_topology(const std::string& root) {
  const fs::path at = root.empty() ? "/" : root;
  const fs::path cpu = at / "sys/devices/system/cpu";
  return {.cores = read_cores(at),
          .isolated = parse_core_list(text_of(cpu / "isolated")),
          .undisturbed = parse_core_list(text_of(cpu / "nohz_full")),
          .cards = read_cards(at),
          .irqbalance_runs = runs(at, "irqbalance"),
          .huge_pages = read_huge_pages(at)};
}

std::optional<std::uint64_t> huge_page_bytes(const std::string& root) {
  const fs::path at = root.empty() ? "/" : root;
  const std::string text = text_of(at / "proc/self/smaps_rollup");
  const auto transparent = field_of(text, "AnonHugePages:");
  if (!transparent) return std::nullopt;
  return (*transparent + field_of(text, "Private_Hugetlb:").value_or(0)) * 1024;
}

}  // namespace leat::control
