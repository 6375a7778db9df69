// SPDX-License-Identifier: Apache-2.0
#include "control/check_report.h"

#include <fmt/format.h>

namespace leat::control {

std::string check_report(const std::string& file, const Config& config) {
  std::string text;
  for (const Fault& fault : config.faults) text += fault.to_string() + "\n";
  if (!config.ok()) {
    const std::size_t count = config.faults.size();
    return text + fmt::format("{}: {} {}\n", file, count, count == 1 ? "fault" : "faults");
  }
  const Options& options = config.options;
  return fmt::format("{}: good (listeners: {}, keys: {}, providers: {}, models: {})\n", file,
                     options.server.listen.size(), options.keys.size(), options.providers.size(),
                     options.models.size());
}

}  // namespace leat::control
