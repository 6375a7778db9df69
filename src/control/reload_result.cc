// SPDX-License-Identifier: Apache-2.0
#include "control/reload_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/listing_json.h"

namespace leat::control {

namespace {

std::string array_of(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(json_text(text));
  return fmt::format("[{}]", fmt::join(quoted, ","));
}

}  // namespace

std::string result_json(const ReloadResult& outcome) {
  if (!outcome.is_refused()) {
    return fmt::format(R"({{"data":{{"generation":{},"applied":{},"changes":{}}}}})",
                       outcome.generation, outcome.is_applied, changes_json(outcome.changes));
  }
  return fmt::format(
      R"({{"error":{{"code":{},"message":{},"metadata":{{"faults":{},"fixed":{}}}}}}})",
      outcome.status, json_text(outcome.message), array_of(outcome.faults),
      array_of(outcome.fixed));
}

std::string result_text(const ReloadResult& outcome) {
  if (!outcome.is_refused()) {
    const std::size_t count = outcome.changes.size();
    return fmt::format("configuration {}: {} {}\n", outcome.generation, count,
                       count == 1 ? "change" : "changes");
  }
  std::string text =
      fmt::format("configuration refused, {} goes on: {}\n", outcome.generation, outcome.message);
  for (const std::string& fault : outcome.faults) text += fault + "\n";
  return text;
}

}  // namespace leat::control
