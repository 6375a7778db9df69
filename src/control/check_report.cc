// SPDX-License-Identifier: Apache-2.0
#include "control/check_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace leat::control {

std::string check_report(const std::string& file, const Config& config) {
  std::string text;
  for (const Fault& fault : config.faults) text += fault.to_string() + "\n";
  if (!config.ok()) {
    const std::size_t count = config.faults.size();
    return text + fmt::format("{}: {} {}\n", file, count, count == 1 ? "fault" : "faults");
  }
  const Options& options = config.options;
  text = fmt::format("{}: good (listeners: {}, keys: {}", file, options.server.listen.size(),
                     options.keys.size());
  const auto logged = std::ranges::count_if(options.keys, &ClientKey::log_content);
  if (logged > 0) text += fmt::format(", of which content is logged: {}", logged);
  if (config.catalogue == nullptr) return text + ")\n";
  const policy::Catalogue& catalogue = config.catalogue->catalogue;
  const auto endpoints = catalogue.endpoints();
  const auto unreached =
      std::count_if(endpoints.begin(), endpoints.end(),
                    [](const policy::Endpoint& endpoint) { return endpoint.disabled; });
  text += fmt::format(", providers: {}, models: {}, endpoints: {}", catalogue.providers().size(),
                      catalogue.models().size(), endpoints.size());
  if (unreached > 0) text += fmt::format(", {} of them not asked", unreached);
  return text + ")\n";
}

}  // namespace leat::control
