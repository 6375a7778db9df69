// SPDX-License-Identifier: Apache-2.0
#include "control/explain_command.h"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "control/check_report.h"
#include "control/config.h"
#include "control/explain.h"

namespace leat::control {
namespace {

constexpr char kStandardInput[] = "/dev/stdin";

}  // namespace

ExplainOutcome explain_request(const Command& command, const Surroundings& surroundings,
                               WallTime wall) {
  const Config config = load_config(command.config_file, surroundings);
  if (!config.ok()) {
    return {.status = kExitConfig, .messages = check_report(command.config_file, config)};
  }
  const auto key = find_key_named(config.options, command.key_name);
  if (!key) {
    return {.status = kExitUsage,
            .messages = fmt::format("leat: {} has no key named \"{}\"\n", command.config_file,
                                    command.key_name)};
  }
  const std::string& name = command.files.front();
  const std::size_t room = config.options.limits.body_bytes_max;
  const auto body = std::make_unique_for_overwrite<char[]>(room);
  const auto size = surroundings.read_file(name == "-" ? kStandardInput : name, {body.get(), room});
  if (!size) {
    return {.status = kExitNoInput,
            .messages = fmt::format("leat: {}: {}\n", name, size.error().what)};
  }
  // Nobody is called, so no provider needs its key.
  const std::vector<std::vector<std::string_view>> bearers(config.options.providers.size(), {""});
  const gateway::Snapshot snapshot(config.options, config.catalogue, bearers);
  // The same file gives the same report: one draw, with the chances beside it.
  Rng rng(0);
  const Explanation explanation =
      explain({body.get(), *size}, {.snapshot = snapshot, .key = *key, .wall = wall}, rng);
  return {.status = explanation.refusal ? kExitRefused : 0,
          .report = command.as_json ? explanation_json(explanation) + "\n"
                                    : explanation_text(explanation)};
}

}  // namespace leat::control
